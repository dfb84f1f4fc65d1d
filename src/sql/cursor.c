/* sql/cursor.c: a cursor over the tokens of one statement, and its errors. */
#include "sql/sql_int.h"

#include <stdio.h>

struct sql_parser sql_parser_at(struct arena *arena, struct str text, size_t at, struct error *err)
{
    return (struct sql_parser){.arena = arena, .text = text, .token = sql_token_at(text, at), .last_end = at, .err = err};
}

void sql_advance(struct sql_parser *p)
{
    p->last_end = p->token.end;
    p->token = sql_token_at(p->text, p->token.end);
}

struct sql_token sql_peek(const struct sql_parser *p) { return sql_token_at(p->text, p->token.end); }

bool sql_at_word(const struct sql_parser *p, const char *word) { return sql_token_is_word(p->text, p->token, word); }

bool sql_at_symbol(const struct sql_parser *p, const char *symbol) { return sql_token_is_symbol(p->text, p->token, symbol); }

bool sql_take_word(struct sql_parser *p, const char *word)
{
    bool here = sql_at_word(p, word);
    if (here)
        sql_advance(p);
    return here;
}

bool sql_take_symbol(struct sql_parser *p, const char *symbol)
{
    bool here = sql_at_symbol(p, symbol);
    if (here)
        sql_advance(p);
    return here;
}

bool sql_take_words(struct sql_parser *p, const char *words)
{
    struct sql_parser ahead = *p;
    for (const char *at = words; *at;) {
        size_t len = strcspn(at, " ");
        if (ahead.token.kind != SQL_WORD || !str_ieq(sql_token_text(p->text, ahead.token), (struct str){at, len}))
            return false;
        sql_advance(&ahead);
        at += len;
        at += strspn(at, " ");
    }
    *p = ahead;
    return true;
}

bool sql_at_words(const struct sql_parser *p, const char *words)
{
    struct sql_parser ahead = *p;
    return sql_take_words(&ahead, words);
}

/* ---- errors ------------------------------------------------------------------------------ */

struct str sql_shown(struct str s)
{
    size_t len = 0;
    for (size_t step; len < s.len && len < 40 && (step = utf8_step(str_sub(s, len, s.len - len), NULL)); len += step)
        if ((unsigned char)s.ptr[len] < 0x20)
            break;
    return str_sub(s, 0, len);
}

enum status sql_bad_token(struct str text, struct sql_token t, struct error *err)
{
    struct str bad = sql_token_text(text, t);
    char first = bad.len ? bad.ptr[0] : '\0';
    const char *what = first == '"' || first == '`'                       ? "a quoted name does not end"
                       : first == '/'                                     ? "a comment does not end"
                       : first == '$' && bad.len > 1                      ? "a dollar-quoted text does not end"
                       : memchr(bad.ptr, '\'', bad.len < 3 ? bad.len : 3) ? "a text in quotes does not end"
                                                                          : NULL;
    struct str shown = sql_shown(bad);
    if (what)
        error_set(err, STATUS_SYNTAX, "%s: %.*s", what, STR_ARG(shown));
    else if (shown.len)
        error_set(err, STATUS_SYNTAX, "unexpected character \"%.*s\"", STR_ARG(shown));
    else
        error_set(err, STATUS_SYNTAX, "unexpected byte 0x%02x", (unsigned)(unsigned char)first);
    return sql_mark(err, t.start, STATUS_SYNTAX);
}

enum status sql_expected(struct sql_parser *p, const char *what)
{
    if (p->token.kind == SQL_ERROR)
        return sql_bad_token(p->text, p->token, p->err);
    struct str found = sql_shown(sql_token_text(p->text, p->token));
    if (p->token.kind == SQL_END)
        error_set(p->err, STATUS_SYNTAX, "expected %s, found the end of the statement", what);
    else
        error_set(p->err, STATUS_SYNTAX, "expected %s, found %s%.*s%s", what, p->token.kind == SQL_QUOTED ? "" : "\"", STR_ARG(found),
                  p->token.kind == SQL_QUOTED ? "" : "\"");
    return sql_mark(p->err, p->token.start, STATUS_SYNTAX);
}

enum status sql_expect_word(struct sql_parser *p, const char *word)
{
    if (sql_take_word(p, word))
        return STATUS_OK;
    sql_expected(p, word);
    struct str wanted = str_of(word), found = sql_token_text(p->text, p->token);
    if (p->token.kind == SQL_WORD && str_nearest(found, &wanted, 1).ptr)
        error_hint(p->err, "did you mean %s?", word);
    return STATUS_SYNTAX;
}

enum status sql_expect_symbol(struct sql_parser *p, const char *symbol)
{
    char what[16];
    if (sql_take_symbol(p, symbol))
        return STATUS_OK;
    snprintf(what, sizeof what, "\"%s\"", symbol);
    return sql_expected(p, what);
}

enum status sql_refuse(struct sql_parser *p, const char *what, const char *hint)
{
    error_set(p->err, STATUS_NOT_SUPPORTED, "%s is not supported", what);
    if (hint)
        error_hint(p->err, "%s", hint);
    return sql_mark(p->err, p->token.start, STATUS_NOT_SUPPORTED);
}

enum status sql_refuse_any(struct sql_parser *p, const char *statement, const struct sql_refusal *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (!sql_at_words(p, rows[i].words))
            continue;
        char what[96];
        snprintf(what, sizeof what, "%s%s%s", statement ? statement : "", statement ? " … " : "", rows[i].words);
        return sql_refuse(p, what, rows[i].hint);
    }
    return STATUS_OK;
}

enum status sql_finish(struct sql_parser *p)
{
    bool ended = false;
    while (sql_take_symbol(p, ";"))
        ended = true;
    if (p->token.kind == SQL_END)
        return STATUS_OK;
    if (!ended)
        return sql_expected(p, "the end of the statement");
    sql_expected(p, "one statement");
    error_hint(p->err, "run the statements one after the other");
    return STATUS_SYNTAX;
}

/* ---- brackets and arrays -------------------------------------------------------------------- */

enum status sql_skip_brackets(struct sql_parser *p)
{
    size_t depth = 0, start = p->token.start;
    do {
        struct sql_token t = p->token;
        if (t.kind == SQL_ERROR)
            return sql_bad_token(p->text, t, p->err);
        if (t.kind == SQL_END) {
            error_set(p->err, STATUS_SYNTAX, "\"%c\" is not closed", p->text.ptr[start]);
            return sql_mark(p->err, start, STATUS_SYNTAX);
        }
        if (t.kind == SQL_SYMBOL && t.end == t.start + 1) {
            char c = p->text.ptr[t.start];
            depth += c == '(' || c == '[' || c == '{';
            depth -= c == ')' || c == ']' || c == '}';
        }
        sql_advance(p);
    } while (depth);
    return STATUS_OK;
}

void *sql_grow(struct arena *arena, void *items, uint32_t count, size_t item_bytes)
{
    if (count && (count & (count - 1)))
        return items;
    void *grown = count > UINT32_MAX / 4 ? NULL : arena_alloc(arena, item_bytes * (count ? 2 * (size_t)count : 1));
    if (grown && count)
        memcpy(grown, items, item_bytes * count);
    return grown;
}
