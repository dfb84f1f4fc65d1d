/* sql/query.c: statements that are a query, and where a query ends. */
#include "sql/sql_int.h"

bool sql_at_query(const struct sql_parser *p)
{
    static const char *const words[] = {"SELECT", "WITH", "FROM", "VALUES", "TABLE", "PIVOT", "UNPIVOT"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(words); i++)
        if (sql_at_word(p, words[i]))
            return true;
    return sql_at_symbol(p, "(");
}

/* WITH … INSERT, FROM … INSERT and the like change tables, though they begin like queries. */
static enum status refuse_change(struct sql_parser *p, struct sql_token before)
{
    bool after_cte = sql_token_is_symbol(p->text, before, ")");
    if (sql_at_words(p, "INSERT INTO") || sql_at_words(p, "INSERT OVERWRITE"))
        return sql_refuse(p, "INSERT behind WITH or FROM", "write INSERT INTO name WITH … SELECT …");
    if (after_cte && (sql_at_words(p, "MERGE INTO") || sql_at_words(p, "DELETE FROM")))
        return sql_refuse(p, sql_at_word(p, "MERGE") ? "MERGE" : "DELETE", NULL);
    if (after_cte && sql_at_word(p, "UPDATE"))
        return sql_refuse(p, "UPDATE", NULL);
    return STATUS_OK;
}

enum status sql_take_query(struct sql_parser *p, struct statement *st)
{
    size_t start = p->token.start;
    struct sql_token before = {0};
    int64_t depth = 0;
    for (; p->token.kind != SQL_END && !sql_at_symbol(p, ";"); before = p->token, sql_advance(p)) {
        if (p->token.kind == SQL_ERROR)
            return sql_bad_token(p->text, p->token, p->err);
        depth += sql_at_symbol(p, "(") - sql_at_symbol(p, ")");
        enum status status = depth ? STATUS_OK : refuse_change(p, before);
        if (status != STATUS_OK)
            return status;
    }
    st->query = str_sub(p->text, start, p->last_end - start);
    st->query_offset = start;
    return sql_finish(p);
}

enum status sql_parse_select(struct sql_parser *p, struct statement *st) { return sql_take_query(p, st); }

/* INSERT … SELECT and CREATE TABLE … AS SELECT: the plan is that of their query.  ANALYZE would run it and write nothing. */
static enum status explain_change(struct sql_parser *p, struct statement *st)
{
    struct statement change;
    size_t start = p->token.start;
    enum status status = sql_parse(p->arena, str_sub(p->text, start, p->text.len - start), &change, p->err);
    if (status != STATUS_OK) {
        if (p->err && p->err->position >= 0)
            p->err->position += (int64_t)start;
        return status;
    }
    bool has_query = change.query.ptr && (change.kind == STATEMENT_INSERT || change.kind == STATEMENT_CREATE_TABLE);
    if (!has_query || st->analyze) {
        struct str words = str_of(statement_info(change.kind)->name);
        error_set(p->err, STATUS_NOT_SUPPORTED, "EXPLAIN%s of %.*s is not supported", st->analyze ? " ANALYZE" : "", STR_ARG(words));
        error_hint(p->err, "EXPLAIN takes queries, also those of INSERT and CREATE TABLE … AS");
        return sql_mark(p->err, start, STATUS_NOT_SUPPORTED);
    }
    st->query = change.query;
    st->query_offset = start + change.query_offset;
    return STATUS_OK;
}

enum status sql_parse_explain(struct sql_parser *p, struct statement *st)
{
    if (sql_at_symbol(p, "(")) {
        struct sql_token next = sql_peek(p);
        if (sql_token_is_word(p->text, next, "ANALYZE") || sql_token_is_word(p->text, next, "FORMAT"))
            return sql_refuse(p, "EXPLAIN with options in brackets", "write EXPLAIN ANALYZE SELECT …");
    }
    if (sql_at_word(p, "CODEGEN"))
        return sql_refuse(p, "EXPLAIN CODEGEN", "write EXPLAIN EXTENDED SELECT …");
    if (sql_take_word(p, "ANALYZE"))
        st->analyze = true;
    else
        st->extended = sql_take_word(p, "EXTENDED") || sql_take_word(p, "FORMATTED") || sql_take_word(p, "COST");
    if (sql_at_word(p, "INSERT") || sql_at_word(p, "CREATE") || sql_at_word(p, "REPLACE") || sql_at_word(p, "DELETE") || sql_at_word(p, "UPDATE") ||
        sql_at_word(p, "MERGE"))
        return explain_change(p, st);
    if (!sql_at_query(p)) {
        sql_expected(p, "a query");
        if (p->token.kind == SQL_WORD)
            error_hint(p->err, "EXPLAIN takes queries: EXPLAIN SELECT …");
        return STATUS_SYNTAX;
    }
    return sql_take_query(p, st);
}
