/* sql/properties.c: ('key' = 'value', …) lists. */
#include "sql/sql_int.h"

/* 'a.b' or a.b.c, whose parts may be key words or quoted. */
static enum status take_key(struct sql_parser *p, struct str *out)
{
    if (p->token.kind == SQL_STRING)
        return sql_take_text(p, "a property key", out);
    size_t start = p->token.start, parts = 0;
    bool quoted = false;
    struct str part;
    do {
        quoted |= p->token.kind == SQL_QUOTED;
        enum status status = sql_take_name_part(p, "a property key", &part);
        if (status != STATUS_OK)
            return status;
        parts++;
    } while (sql_take_symbol(p, "."));
    *out = parts == 1 ? part : str_sub(p->text, start, p->last_end - start);
    if (parts > 1 && (quoted || memchr(out->ptr, ' ', out->len))) {
        error_set(p->err, STATUS_SYNTAX, "a property key of several parts is one text or plain words");
        error_hint(p->err, "write it in quotes: 'delta.appendOnly'");
        return sql_mark(p->err, start, STATUS_SYNTAX);
    }
    return STATUS_OK;
}

/* [-]number, as it is written. */
static enum status take_number(struct sql_parser *p, struct str *out)
{
    size_t start = p->token.start;
    if (!sql_take_symbol(p, "-"))
        sql_take_symbol(p, "+");
    if (p->token.kind != SQL_NUMBER || (p->last_end > start && p->token.start != p->last_end))
        return sql_expected(p, "a number");
    sql_advance(p);
    *out = str_sub(p->text, start, p->last_end - start);
    return STATUS_OK;
}

static enum status take_value(struct sql_parser *p, struct str *out)
{
    if (sql_at_text(p))
        return sql_take_text(p, "a value", out);
    if (p->token.kind == SQL_NUMBER || sql_at_symbol(p, "-") || sql_at_symbol(p, "+"))
        return take_number(p, out);
    if (sql_take_word(p, "true"))
        *out = STR("true");
    else if (sql_take_word(p, "false"))
        *out = STR("false");
    else {
        sql_expected(p, "a property value");
        if (p->token.kind == SQL_WORD)
            error_hint(p->err, "a value that is text stands in single quotes");
        return STATUS_SYNTAX;
    }
    return STATUS_OK;
}

static enum status key_twice(struct sql_parser *p, struct str key, size_t position)
{
    error_set(p->err, STATUS_SYNTAX, "property \"%.*s\" is given twice", STR_ARG(sql_shown(key)));
    return sql_mark(p->err, position, STATUS_SYNTAX);
}

static enum status take_property(struct sql_parser *p, bool key_only, struct delta_property **items, uint32_t *count)
{
    struct delta_property one = {0};
    size_t position = p->token.start;
    enum status status = take_key(p, &one.key);
    if (status == STATUS_OK && !key_only) {
        if (!sql_take_symbol(p, "="))
            sql_take_symbol(p, "==");
        status = take_value(p, &one.value);
    }
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < *count; i++)
        if (str_eq((*items)[i].key, one.key))
            return key_twice(p, one.key, position);
    *items = sql_grow(p->arena, *items, *count, sizeof **items);
    if (!*items)
        return error_oom(p->err);
    (*items)[(*count)++] = one;
    return STATUS_OK;
}

enum { PROPERTIES_MAX = 1000 };

enum status sql_take_properties(struct sql_parser *p, bool keys_only, struct delta_property **items, uint32_t *count)
{
    enum status status = sql_expect_symbol(p, "(");
    if (status != STATUS_OK || sql_take_symbol(p, ")"))
        return status;
    do {
        if (*count == PROPERTIES_MAX) {
            error_set(p->err, STATUS_LIMIT_EXCEEDED, "more than %d properties in one statement", PROPERTIES_MAX);
            return sql_mark(p->err, p->token.start, STATUS_LIMIT_EXCEEDED);
        }
        status = take_property(p, keys_only, items, count);
        if (status != STATUS_OK)
            return status;
    } while (sql_take_symbol(p, ","));
    return sql_take_symbol(p, ")") ? STATUS_OK : sql_expected(p, "\",\" or \")\"");
}
