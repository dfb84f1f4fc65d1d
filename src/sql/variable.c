/* sql/variable.c: DECLARE, SET VARIABLE and DROP TEMPORARY VARIABLE. */
#include "sql/sql_int.h"

/* x, session.x or system.session.x: variables belong to the session. */
enum status sql_take_variable_name(struct sql_parser *p, struct str *out, size_t *offset)
{
    *offset = p->token.start;
    if (sql_at_words(p, "SYSTEM") && sql_token_is_symbol(p->text, sql_peek(p), ".")) {
        sql_advance(p);
        sql_advance(p);
    }
    if (sql_at_words(p, "SESSION") && sql_token_is_symbol(p->text, sql_peek(p), ".")) {
        sql_advance(p);
        sql_advance(p);
    }
    enum status status = sql_take_name_part(p, "a variable's name", out);
    if (status == STATUS_OK && sql_at_symbol(p, "."))
        return sql_refuse(p, "a variable outside of the session", "variables are called name or session.name");
    return status;
}

struct sql_variable *sql_add_variable(struct sql_parser *p, struct sql_variable **items, uint32_t *count)
{
    *items = sql_grow(p->arena, *items, *count, sizeof **items);
    if (!*items) {
        error_oom(p->err);
        return NULL;
    }
    struct sql_variable *v = &(*items)[(*count)++];
    *v = (struct sql_variable){.offset = p->token.start};
    return v;
}

static bool take_is(struct sql_parser *p) { return sql_take_symbol(p, "=") || sql_take_word(p, "DEFAULT"); }

enum status sql_parse_declare(struct sql_parser *p, struct statement *st)
{
    struct delta_type *type = NULL;
    struct str value = STR_NULL;
    enum status status = STATUS_OK;
    st->or_replace = sql_take_words(p, "OR REPLACE");
    if (sql_peek(p).kind == SQL_WORD || sql_peek(p).kind == SQL_QUOTED)
        if (!sql_take_word(p, "VARIABLE"))
            sql_take_word(p, "VAR");
    do {
        struct sql_variable *v = sql_add_variable(p, &st->variables, &st->variable_count);
        status = v ? sql_take_variable_name(p, &v->name, &v->offset) : STATUS_OUT_OF_MEMORY;
    } while (status == STATUS_OK && sql_take_symbol(p, ","));
    if (status == STATUS_OK && p->token.kind == SQL_WORD && !sql_at_word(p, "DEFAULT"))
        status = sql_take_type(p, &type);
    if (status == STATUS_OK && take_is(p))
        status = sql_take_expression(p, "a value", 0, &value);
    else if (status == STATUS_OK && !type)
        status = sql_expected(p, "a type or DEFAULT");
    for (uint32_t i = 0; i < st->variable_count; i++) {
        st->variables[i].type = type;
        st->variables[i].value = value;
    }
    return status == STATUS_OK ? sql_finish(p) : status;
}

static enum status take_assignment(struct sql_parser *p, struct statement *st)
{
    struct sql_variable *v = sql_add_variable(p, &st->variables, &st->variable_count);
    enum status status = v ? sql_take_variable_name(p, &v->name, &v->offset) : STATUS_OUT_OF_MEMORY;
    if (status == STATUS_OK)
        status = sql_expect_symbol(p, "=");
    if (status == STATUS_OK && !sql_take_word(p, "DEFAULT"))
        status = sql_take_expression(p, "a value", SQL_STOP_COMMA, &v->value);
    return status;
}

/* (a, b) = (SELECT …) */
static enum status take_row(struct sql_parser *p, struct statement *st)
{
    enum status status;
    sql_advance(p);
    do {
        struct sql_variable *v = sql_add_variable(p, &st->variables, &st->variable_count);
        status = v ? sql_take_variable_name(p, &v->name, &v->offset) : STATUS_OUT_OF_MEMORY;
    } while (status == STATUS_OK && sql_take_symbol(p, ","));
    if (status == STATUS_OK)
        status = sql_expect_symbol(p, ")");
    if (status == STATUS_OK)
        status = sql_expect_symbol(p, "=");
    size_t start = p->token.start + 1;
    if (status == STATUS_OK && !sql_at_symbol(p, "("))
        status = sql_expected(p, "a query in brackets");
    if (status == STATUS_OK)
        status = sql_skip_brackets(p);
    if (status != STATUS_OK)
        return status;
    st->query = str_sub(p->text, start, p->last_end - 1 - start);
    st->query_offset = start;
    return STATUS_OK;
}

enum status sql_parse_set_variable(struct sql_parser *p, struct statement *st)
{
    enum status status = STATUS_OK;
    if (sql_at_symbol(p, "("))
        status = take_row(p, st);
    else
        do
            status = take_assignment(p, st);
        while (status == STATUS_OK && sql_take_symbol(p, ","));
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_drop_variable(struct sql_parser *p, struct statement *st)
{
    enum status status = sql_take_if_exists(p, &st->if_exists);
    struct sql_variable *v = status == STATUS_OK ? sql_add_variable(p, &st->variables, &st->variable_count) : NULL;
    if (v)
        status = sql_take_variable_name(p, &v->name, &v->offset);
    else if (status == STATUS_OK)
        status = STATUS_OUT_OF_MEMORY;
    return status == STATUS_OK ? sql_finish(p) : status;
}
