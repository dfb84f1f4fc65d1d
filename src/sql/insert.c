/* sql/insert.c: INSERT INTO and INSERT OVERWRITE. */
#include "sql/sql_int.h"

static const struct sql_refusal insert_refusals[] = {
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

/* INSERT INTO name [AS] alias [BY NAME] REPLACE ON …: nowhere else does the target have an alias. */
static enum status take_alias(struct sql_parser *p, struct statement *st)
{
    struct sql_parser ahead = *p;
    struct error ignored = ERROR_INIT;
    struct str alias = STR_NULL;
    if (st->overwrite || sql_at_word(p, "REPLACE") || sql_at_words(p, "BY NAME"))
        return STATUS_OK;
    ahead.err = &ignored;
    enum status status = sql_take_target_alias(&ahead, "REPLACE", &alias);
    error_release(&ignored);
    if (status != STATUS_OK || !alias.ptr)
        return status == STATUS_OUT_OF_MEMORY ? error_oom(p->err) : STATUS_OK; /* what stands here is somebody else's to judge */
    struct sql_parser behind = ahead;
    sql_take_words(&behind, "BY NAME");
    if (!sql_at_words(&behind, "REPLACE ON") && !sql_at_words(&behind, "REPLACE USING"))
        return STATUS_OK;
    st->change.alias = alias;
    ahead.err = p->err;
    *p = ahead;
    return STATUS_OK;
}

static enum status take_replace(struct sql_parser *p, struct statement *st)
{
    enum status status = STATUS_OK;
    if (st->overwrite)
        return STATUS_OK;
    if (sql_take_words(p, "REPLACE USING"))
        return sql_take_name_list(p, &st->replace_using, &st->replace_using_count);
    st->replace_on = sql_take_words(p, "REPLACE ON");
    if (st->replace_on || sql_take_words(p, "REPLACE WHERE"))
        status = sql_take_expression(p, "a condition", SQL_STOP_QUERY | SQL_STOP_BRACKETED_QUERY, &st->change.condition);
    return status;
}

/* (query) [AS] alias: what REPLACE ON calls the new rows by; *taken is false when it is another form of query. */
static enum status take_source(struct sql_parser *p, struct statement *st, bool *taken)
{
    struct sql_parser ahead = *p;
    struct error ignored = ERROR_INIT;
    struct str alias = STR_NULL;
    size_t start = p->token.start;
    *taken = false;
    ahead.err = &ignored;
    bool bracketed = st->replace_on && sql_at_symbol(p, "(") && sql_skip_brackets(&ahead) == STATUS_OK;
    size_t end = ahead.last_end;
    if (bracketed && sql_take_target_alias(&ahead, "", &alias) == STATUS_OK && alias.ptr)
        *taken = ahead.token.kind == SQL_END || sql_at_symbol(&ahead, ";");
    error_release(&ignored);
    if (!*taken)
        return STATUS_OK;
    st->query = str_sub(p->text, start, end - start);
    st->query_offset = start;
    st->change.source_alias = alias;
    ahead.err = p->err;
    *p = ahead;
    return sql_finish(p);
}

enum status sql_parse_insert(struct sql_parser *p, struct statement *st)
{
    struct sql_parser lead = sql_parser_at(p->arena, st->text, 0, p->err);
    st->change.schema_evolution = sql_at_words(&lead, "INSERT WITH");
    st->overwrite = sql_at_words(&lead, "INSERT OVERWRITE") || sql_at_words(&lead, "INSERT WITH SCHEMA EVOLUTION OVERWRITE");
    if (sql_at_word(p, "DIRECTORY") || sql_at_words(p, "LOCAL DIRECTORY"))
        return sql_refuse(p, "INSERT OVERWRITE DIRECTORY", "insert into a table");
    sql_take_word(p, "TABLE");
    enum status status = sql_take_table(p, false, &st->name);
    if (status == STATUS_OK)
        status = take_options(p, st);
    if (status == STATUS_OK)
        status = take_alias(p, st);
    if (status == STATUS_OK && at_column_list(p))
        status = sql_take_name_list(p, &st->insert_columns, &st->insert_column_count);
    if (status == STATUS_OK && !st->insert_columns)
        st->by_name = sql_take_words(p, "BY NAME");
    if (status == STATUS_OK)
        status = take_options(p, st);
    if (status == STATUS_OK)
        status = take_replace(p, st);
    if (status == STATUS_OK && !st->insert_columns && !st->by_name)
        st->by_name = sql_take_words(p, "BY NAME");
    if (status == STATUS_OK)
        status = sql_refuse_any(p, "INSERT", insert_refusals, VV_ARRAY_COUNT(insert_refusals));
    if (status == STATUS_OK && !sql_at_query(p))
        status = sql_expected(p, st->insert_columns ? "VALUES or SELECT" : "VALUES, SELECT or a list of columns");
    if (status == STATUS_OK)
        status = refuse_tail(p);
    bool taken = false;
    if (status == STATUS_OK)
        status = take_source(p, st, &taken);
    return status == STATUS_OK && !taken ? sql_take_query(p, st) : status;
}
