/* sql/describe.c: DESCRIBE in its forms. */
#include "sql/sql_int.h"

/* WHERE …, ORDER BY … behind the statement, as if its answer were selected from. */
static enum status take_tail(struct sql_parser *p, struct statement *st)
{
    size_t start = p->token.start;
    if (!sql_at_word(p, "WHERE") && !sql_at_words(p, "ORDER BY") && !sql_at_word(p, "QUALIFY"))
        return sql_finish(p);
    while (p->token.kind != SQL_END && !sql_at_symbol(p, ";")) {
        if (p->token.kind == SQL_ERROR)
            return sql_bad_token(p->text, p->token, p->err);
        sql_advance(p);
    }
    st->tail = str_sub(p->text, start, p->last_end - start);
    return sql_finish(p);
}

enum status sql_parse_describe_history(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_table(p, true, &st->name);
    if (status == STATUS_OK && sql_take_word(p, "LIMIT")) {
        status = sql_take_i64(p, "a number of versions", &st->limit);
        return status == STATUS_OK ? sql_finish(p) : status;
    }
    return status == STATUS_OK ? take_tail(p, st) : status;
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

/* [QUERY] SELECT …; a table may be called query. */
static bool at_query(struct sql_parser *p)
{
    struct sql_parser ahead = *p;
    if (sql_take_word(&ahead, "QUERY") && sql_at_query(&ahead)) {
        *p = ahead;
        return true;
    }
    return sql_at_query(p) && !sql_at_word(p, "TABLE");
}

enum status sql_parse_describe_table(struct sql_parser *p, struct statement *st)
{
    static const struct sql_refusal before[] = {{"CATALOG", "see SHOW CATALOGS"}};
    static const struct sql_refusal after[] = {{"PARTITION", NULL}, {"AS JSON", "choose JSON as the output format"}};
    struct sql_token next = sql_peek(p);
    enum status status = STATUS_OK;
    if (next.kind == SQL_WORD || next.kind == SQL_QUOTED)
        status = sql_refuse_any(p, "DESCRIBE", before, VV_ARRAY_COUNT(before));
    if (status != STATUS_OK)
        return status;
    if (at_query(p))
        return sql_take_query(p, st);
    take_before_name(p, "TABLE");
    st->extended = take_before_name(p, "EXTENDED") || take_before_name(p, "FORMATTED");
    status = sql_take_table_version(p, true, &st->name);
    if (status == STATUS_OK)
        status = sql_refuse_any(p, "DESCRIBE", after, VV_ARRAY_COUNT(after));
    if (status == STATUS_OK && (p->token.kind == SQL_WORD || p->token.kind == SQL_QUOTED)) {
        st->paths = ARENA_NEW(p->arena, struct sql_path);
        st->path_count = 1;
        status = st->paths ? sql_take_path(p, st->paths) : error_oom(p->err);
    }
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_describe_schema(struct sql_parser *p, struct statement *st)
{
    st->extended = take_before_name(p, "EXTENDED");
    enum status status = sql_take_schema(p, &st->name);
    return status == STATUS_OK ? sql_finish(p) : status;
}
