/* sql/show.c: SHOW in its forms. */
#include "sql/sql_int.h"

static bool take_in(struct sql_parser *p) { return sql_take_word(p, "IN") || sql_take_word(p, "FROM"); }

/* [[LIKE] 'pattern'] and the end. */
static enum status take_pattern(struct sql_parser *p, struct statement *st)
{
    enum status status = STATUS_OK;
    bool like = sql_take_word(p, "LIKE");
    if (like || sql_at_text(p))
        status = sql_take_text(p, "a pattern in quotes", &st->pattern);
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_show_tables(struct sql_parser *p, struct statement *st)
{
    struct sql_parser lead = sql_parser_at(p->arena, st->text, 0, p->err);
    enum status status = STATUS_OK;
    st->if_exists = sql_at_words(&lead, "SHOW ALL");
    if (!st->if_exists && take_in(p))
        status = sql_take_schema(p, &st->name);
    return status == STATUS_OK ? take_pattern(p, st) : status;
}

enum status sql_parse_show_schemas(struct sql_parser *p, struct statement *st)
{
    enum status status = STATUS_OK;
    if (take_in(p))
        status = sql_take_name_part(p, "a catalog name", &st->name.catalog);
    return status == STATUS_OK ? take_pattern(p, st) : status;
}

enum status sql_parse_show_catalogs(struct sql_parser *p, struct statement *st) { return take_pattern(p, st); }

enum status sql_parse_show_columns(struct sql_parser *p, struct statement *st)
{
    if (!take_in(p))
        return sql_expected(p, "IN or FROM");
    enum status status = sql_take_table_version(p, false, &st->name);
    if (status == STATUS_OK && take_in(p)) {
        if (st->name.schema.ptr)
            return sql_expected(p, "the end of the statement, because the table's name has its schema");
        status = sql_take_name_part(p, "a schema name", &st->name.schema);
    }
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_show_tblproperties(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_table_version(p, false, &st->name);
    if (status != STATUS_OK)
        return status;
    if (sql_at_symbol(p, "(")) {
        size_t position = p->token.start;
        status = sql_take_properties(p, true, &st->properties, &st->property_count);
        if (status == STATUS_OK && st->property_count != 1)
            return sql_mark(p->err, position, error_set(p->err, STATUS_SYNTAX, "SHOW TBLPROPERTIES takes one property key"));
    }
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_show_partitions(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_table_version(p, true, &st->name);
    if (status == STATUS_OK && sql_take_word(p, "PARTITION"))
        status = sql_take_properties(p, false, &st->properties, &st->property_count);
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_show_create_table(struct sql_parser *p, struct statement *st)
{
    static const struct sql_refusal refusals[] = {{"AS SERDE", "leave it out: tables are Delta tables"}};
    enum status status = sql_take_table(p, true, &st->name);
    if (status == STATUS_OK)
        status = sql_refuse_any(p, "SHOW CREATE TABLE", refusals, VV_ARRAY_COUNT(refusals));
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_show_current(struct sql_parser *p, struct statement *st)
{
    (void)st;
    return sql_finish(p);
}
