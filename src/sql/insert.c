/* sql/insert.c: INSERT INTO and INSERT OVERWRITE. */
#include "sql/sql_int.h"

static const struct sql_refusal insert_refusals[] = {
    {"REPLACE USING", NULL},
    {"REPLACE ON", NULL},
    {"PARTITION", "give the partition column's value as a column of the query"},
    {"IF NOT EXISTS", NULL},
    {"DEFAULT VALUES", "give the values: VALUES (…)"},
    {"SET", "write INSERT INTO name (column, …) VALUES (…)"},
};

/* What may stand behind the query in other dialects. */
static const struct sql_refusal tail_refusals[] = {{"ON CONFLICT", "remove the duplicates in the query"},
                                                   {"RETURNING", "SELECT from the table afterwards"}};

/* '(' begins either a column list or a bracketed query. */
static bool at_column_list(const struct sql_parser *p)
{
    if (!sql_at_symbol(p, "("))
        return false;
    struct sql_parser inside = *p;
    sql_advance(&inside);
    if (!sql_at_query(&inside))
        return true;
    struct sql_token next = sql_peek(&inside);
    return inside.token.kind == SQL_WORD && (sql_token_is_symbol(p->text, next, ",") || sql_token_is_symbol(p->text, next, ")"));
}

static enum status refuse_tail(struct sql_parser *p)
{
    struct sql_parser ahead = *p;
    int64_t depth = 0;
    for (; ahead.token.kind != SQL_END && ahead.token.kind != SQL_ERROR; sql_advance(&ahead)) {
        depth += sql_at_symbol(&ahead, "(") - sql_at_symbol(&ahead, ")");
        enum status status = depth ? STATUS_OK : sql_refuse_any(&ahead, "INSERT", tail_refusals, VV_ARRAY_COUNT(tail_refusals));
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

static enum status take_options(struct sql_parser *p, struct statement *st)
{
    if (!sql_at_word(p, "OPTIONS") && !sql_at_word(p, "WITH"))
        return STATUS_OK;
    if (!sql_token_is_symbol(p->text, sql_peek(p), "("))
        return STATUS_OK; /* WITH name AS (…): the query */
    sql_advance(p);
    return sql_take_properties(p, false, &st->properties, &st->property_count);
}

enum status sql_parse_insert(struct sql_parser *p, struct statement *st)
{
    struct sql_parser lead = sql_parser_at(p->arena, st->text, 0, p->err);
    st->overwrite = sql_at_words(&lead, "INSERT OVERWRITE");
    if (sql_at_word(p, "DIRECTORY") || sql_at_words(p, "LOCAL DIRECTORY"))
        return sql_refuse(p, "INSERT OVERWRITE DIRECTORY", "insert into a table");
    sql_take_word(p, "TABLE");
    enum status status = sql_take_table(p, false, &st->name);
    if (status == STATUS_OK)
        status = take_options(p, st);
    if (status == STATUS_OK && at_column_list(p))
        status = sql_take_name_list(p, &st->insert_columns, &st->insert_column_count);
    if (status == STATUS_OK && !st->insert_columns)
        st->by_name = sql_take_words(p, "BY NAME");
    if (status == STATUS_OK)
        status = take_options(p, st);
    if (status == STATUS_OK && !st->overwrite && sql_take_words(p, "REPLACE WHERE"))
        status = sql_take_expression(p, "a condition", SQL_STOP_QUERY, &st->change.condition);
    if (status == STATUS_OK)
        status = sql_refuse_any(p, "INSERT", insert_refusals, VV_ARRAY_COUNT(insert_refusals));
    if (status == STATUS_OK && !sql_at_query(p))
        status = sql_expected(p, st->insert_columns ? "VALUES or SELECT" : "VALUES, SELECT or a list of columns");
    if (status == STATUS_OK)
        status = refuse_tail(p);
    return status == STATUS_OK ? sql_take_query(p, st) : status;
}
