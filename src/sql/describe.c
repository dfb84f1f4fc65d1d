/* sql/describe.c: DESCRIBE in its forms. */
#include "sql/sql_int.h"

enum status sql_parse_describe_history(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_table(p, true, &st->name);
    if (status == STATUS_OK && sql_take_word(p, "LIMIT"))
        status = sql_take_i64(p, "a number of versions", &st->limit);
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_describe_detail(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_table_version(p, true, &st->name);
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_describe_files(struct sql_parser *p, struct statement *st) { return sql_parse_describe_detail(p, st); }

/* A word before the name, unless it is the name itself. */
static bool take_before_name(struct sql_parser *p, const char *word)
{
    struct sql_token next = sql_peek(p);
    return (next.kind == SQL_WORD || next.kind == SQL_QUOTED || next.kind == SQL_STRING) && !sql_token_is_word(p->text, next, "VERSION") &&
           !sql_token_is_word(p->text, next, "TIMESTAMP") && sql_take_word(p, word);
}

enum status sql_parse_describe_table(struct sql_parser *p, struct statement *st)
{
    static const struct sql_refusal before[] = {{"SCHEMA", "see SHOW SCHEMAS"},
                                                {"DATABASE", "see SHOW SCHEMAS"},
                                                {"NAMESPACE", "see SHOW SCHEMAS"},
                                                {"CATALOG", "see SHOW CATALOGS"},
                                                {"QUERY", "run the query with LIMIT 0"}};
    static const struct sql_refusal after[] = {{"PARTITION", NULL}, {"AS JSON", "choose JSON as the output format"}};
    struct sql_token next = sql_peek(p);
    enum status status = STATUS_OK;
    if (next.kind == SQL_WORD || next.kind == SQL_QUOTED)
        status = sql_refuse_any(p, "DESCRIBE", before, VV_ARRAY_COUNT(before));
    if (status == STATUS_OK && sql_at_query(p) && !sql_at_word(p, "TABLE"))
        status = sql_refuse(p, "DESCRIBE of a query", "run the query with LIMIT 0");
    if (status != STATUS_OK)
        return status;
    take_before_name(p, "TABLE");
    st->extended = take_before_name(p, "EXTENDED") || take_before_name(p, "FORMATTED");
    status = sql_take_table_version(p, true, &st->name);
    if (status == STATUS_OK)
        status = sql_refuse_any(p, "DESCRIBE", after, VV_ARRAY_COUNT(after));
    if (status == STATUS_OK && (p->token.kind == SQL_WORD || p->token.kind == SQL_QUOTED))
        status = sql_refuse(p, "DESCRIBE of one column", "DESCRIBE the table");
    return status == STATUS_OK ? sql_finish(p) : status;
}
