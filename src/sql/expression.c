/* sql/expression.c: expressions that live in a table's metadata (constraints, generated columns, defaults), in the engine's spelling.
 *
 * They are Spark SQL whoever reads them: a text in double quotes is a text unless a column has that name, and a backslash in a text is an escape.
 * Functions and operators are spelled as those of queries.  What the engine does not know either is its error to give. */
#include "sql/sql_int.h"

struct expression {
    struct arena *arena;
    struct str in;
    const struct delta_type *schema;
    struct buf out;
    struct error *err;
};

/* ---- texts ----------------------------------------------------------------------------- */

static void put_literal(struct buf *out, struct str text)
{
    buf_char(out, '\'');
    for (size_t i = 0; i < text.len; i++)
        buf_printf(out, text.ptr[i] == '\'' ? "''" : "%c", text.ptr[i]);
    buf_char(out, '\'');
}

static void put_name(struct buf *out, struct str name)
{
    buf_char(out, '"');
    for (size_t i = 0; i < name.len; i++)
        buf_printf(out, name.ptr[i] == '"' ? "\"\"" : "%c", name.ptr[i]);
    buf_char(out, '"');
}

static enum status put_quoted(struct expression *x, struct sql_token t)
{
    struct str text;
    enum status status = sql_unquote(x->arena, sql_token_text(x->in, t), &text, x->err);
    if (status)
        return status;
    bool is_name = x->in.ptr[t.start] == '`' || (x->schema && delta_field_find(x->schema, text));
    if (is_name)
        put_name(&x->out, text);
    else
        put_literal(&x->out, text);
    return STATUS_OK;
}

/* Spark reads backslashes in plain texts as escapes. */
static enum status put_string(struct expression *x, struct sql_token t)
{
    struct str text = sql_token_text(x->in, t);
    if (text.ptr[0] == '\'' && memchr(text.ptr, '\\', text.len)) {
        struct str escaped = str_of(arena_printf(x->arena, "E%.*s", STR_ARG(text)));
        if (!escaped.ptr)
            return error_oom(x->err);
        enum status status = sql_unquote(x->arena, escaped, &text, x->err);
        if (!status)
            put_literal(&x->out, text);
        return status;
    }
    buf_str(&x->out, text);
    return STATUS_OK;
}

/* ---- tokens -------------------------------------------------------------------------------- */

/* Type names behind AS or ::, where the engine means something else by Spark's. */
static const char *type_word(struct str word)
{
    static const char *const types[][2] = {{"timestamp", "TIMESTAMP WITH TIME ZONE"},
                                           {"timestamp_ltz", "TIMESTAMP WITH TIME ZONE"},
                                           {"timestamp_ntz", "TIMESTAMP"},
                                           {"byte", "TINYINT"},
                                           {"long", "BIGINT"},
                                           {"short", "SMALLINT"}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(types); i++)
        if (str_ieq(word, str_of(types[i][0])))
            return types[i][1];
    return NULL;
}

static void put_word(struct expression *x, struct sql_token t, struct sql_token before)
{
    struct str word = sql_token_text(x->in, t);
    bool type_here = sql_token_is_word(x->in, before, "AS") || sql_token_is_symbol(x->in, before, "::");
    const char *type = type_here ? type_word(word) : NULL;
    buf_str(&x->out, type ? str_of(type) : word);
}

static enum status put_token(struct expression *x, struct sql_token t, struct sql_token before)
{
    switch (t.kind) {
    case SQL_QUOTED:
        return put_quoted(x, t);
    case SQL_STRING:
        return put_string(x, t);
    case SQL_ERROR:
        return sql_bad_token(x->in, t, x->err);
    case SQL_WORD:
        put_word(x, t, before);
        return STATUS_OK;
    default:
        buf_str(&x->out, sql_token_text(x->in, t));
        return STATUS_OK;
    }
}

/* Blanks stay where they are: what stands together may mean something else apart (5L). */
static enum status put_tokens(struct expression *x)
{
    struct sql_token before = {0};
    enum status status = STATUS_OK;
    for (struct sql_token t = sql_token_at(x->in, 0); t.kind != SQL_END && !status; t = sql_token_at(x->in, t.end)) {
        if (before.end != t.start && x->out.len)
            buf_char(&x->out, ' ');
        status = put_token(x, t, before);
        before = t;
    }
    return status ? status : buf_check(&x->out, x->err);
}

/* Names and texts are the engine's now; what is left is what queries have too. */
static enum status spell(struct arena *arena, struct str text, struct str *out, struct error *err)
{
    struct sql_writer w = {.arena = arena, .in = text};
    sql_write_range(&w, 0, text.len);
    enum status status = sql_writer_check(&w, err);
    if (!status && !(*out = arena_str(arena, buf_view(&w.out))).ptr)
        status = error_oom(err);
    buf_release(&w.out);
    return status;
}

enum status sql_expression_to_engine(struct arena *arena, struct str expression, const struct delta_type *schema, struct str *out, struct error *err)
{
    struct expression x = {.arena = arena, .in = expression, .schema = schema, .err = err};
    *out = STR_NULL;
    enum status status = sql_token_at(expression, 0).kind == SQL_END ? error_set(err, STATUS_SYNTAX, "the expression is empty") : put_tokens(&x);
    if (!status)
        status = spell(arena, buf_view(&x.out), out, err);
    buf_release(&x.out);
    return status;
}

bool sql_expression_names(struct str expression, struct str column)
{
    struct sql_token before = {0};
    for (struct sql_token t = sql_token_at(expression, 0); t.kind != SQL_END && t.kind != SQL_ERROR;
         before = t, t = sql_token_at(expression, t.end)) {
        struct str text = sql_token_text(expression, t);
        bool call = t.kind == SQL_WORD && sql_token_is_symbol(expression, sql_token_at(expression, t.end), "(");
        if (sql_token_is_symbol(expression, before, ".") || call)
            continue;
        if (t.kind == SQL_WORD && str_ieq(text, column))
            return true;
        if (t.kind == SQL_QUOTED && text.len > 2 && str_ieq(str_sub(text, 1, text.len - 2), column))
            return true;
    }
    return false;
}
