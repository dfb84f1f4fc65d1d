/* sql/normalize.c: one text for queries that differ in layout only.
 *
 * Two queries may share a text only when they mean the same, so what is in doubt stays as it is: names keep their case (they may
 * become column names), operators keep the presence of a blank between them, adjacent strings keep what is between them.
 */
#include "sql/sql_int.h"

static bool is_bracket_or_comma(struct str text, struct sql_token t) { return t.end == t.start + 1 && strchr("()[]{},;", text.ptr[t.start]) != NULL; }

static void write_between(struct str query, struct sql_token before, struct sql_token t, struct buf *out)
{
    if (before.end == before.start)
        return;
    bool operators = before.kind == SQL_SYMBOL && t.kind == SQL_SYMBOL && !is_bracket_or_comma(query, before) && !is_bracket_or_comma(query, t);
    if (before.kind == SQL_STRING && t.kind == SQL_STRING)
        buf_append(out, query.ptr + before.end, t.start - before.end);
    else if (!operators || t.start > before.end)
        buf_char(out, ' ');
}

/* A reserved word, where it can be nothing but itself: behind AS and '.' and before ':', ':=' and '=>' any word is a name. */
static bool is_key_word(struct str query, struct sql_token before, struct sql_token t)
{
    if (t.kind != SQL_WORD || sql_token_is_word(query, before, "AS") || sql_token_is_symbol(query, before, "."))
        return false;
    if (sql_token_is_word(query, t, "BY"))
        return sql_token_is_word(query, before, "GROUP") || sql_token_is_word(query, before, "ORDER");
    if (sql_keyword_class(sql_token_text(query, t)) != SQL_KEYWORD_RESERVED)
        return false;
    struct sql_token next = sql_token_at(query, t.end);
    return !sql_token_is_symbol(query, next, ":") && !sql_token_is_symbol(query, next, ":=") && !sql_token_is_symbol(query, next, "=>");
}

static void write_upper(struct str word, struct buf *out)
{
    for (size_t i = 0; i < word.len; i++)
        buf_char(out, word.ptr[i] >= 'a' && word.ptr[i] <= 'z' ? (char)(word.ptr[i] - ('a' - 'A')) : word.ptr[i]);
}

enum status sql_normalize(struct str query, struct buf *out, struct error *err)
{
    struct sql_token before = {0};
    for (struct sql_token t = sql_token_at(query, 0); t.kind != SQL_END; t = sql_token_at(query, t.end)) {
        if (t.kind == SQL_ERROR)
            return sql_bad_token(query, t, err);
        write_between(query, before, t, out);
        if (is_key_word(query, before, t))
            write_upper(sql_token_text(query, t), out);
        else
            buf_str(out, sql_token_text(query, t));
        before = t;
    }
    return buf_check(out, err);
}
