/* sql/variant.c: Spark's ways into variants, in the engine's spelling: subscripts that count from 1. */
#include "sql/sql_int.h"

/* ---- paths ------------------------------------------------------------------------------------ */

static void put_key(struct buf *out, struct str key)
{
    buf_z(out, "['");
    for (size_t i = 0; i < key.len; i++)
        buf_printf(out, key.ptr[i] == '\'' ? "''" : "%c", key.ptr[i]);
    buf_z(out, "']");
}

static bool put_index(struct buf *out, struct str digits)
{
    int64_t index;
    if (!str_to_i64(digits, &index) || index < 0 || index == INT64_MAX)
        return false;
    buf_printf(out, "[%lld]", (long long)index + 1);
    return true;
}

static bool put_name(struct sql_writer *w, struct sql_token t, struct buf *out)
{
    struct str name = sql_token_text(w->in, t);
    if (t.kind == SQL_QUOTED && sql_unquote(w->arena, name, &name, NULL) != STATUS_OK)
        return false;
    put_key(out, name);
    return t.kind == SQL_WORD || t.kind == SQL_QUOTED;
}

/* One step at `t`: a name (first), ".name", "[0]" or "['name']".  *last is its last token. */
static bool put_step(struct sql_writer *w, struct sql_token t, bool first, struct buf *out, struct sql_token *last)
{
    if (first && (t.kind == SQL_WORD || t.kind == SQL_QUOTED)) {
        *last = t;
        return put_name(w, t, out);
    }
    struct sql_token inner = sql_token_at(w->in, t.end), close;
    if (!first && sql_token_is_symbol(w->in, t, ".") && inner.start == t.end && (inner.kind == SQL_WORD || inner.kind == SQL_QUOTED)) {
        *last = inner;
        return put_name(w, inner, out);
    }
    close = sql_token_at(w->in, inner.end);
    if (!sql_token_is_symbol(w->in, t, "[") || !sql_token_is_symbol(w->in, close, "]"))
        return false;
    *last = close;
    if (inner.kind == SQL_NUMBER)
        return put_index(out, sql_token_text(w->in, inner));
    struct str key;
    if (inner.kind != SQL_STRING || sql_unquote(w->arena, sql_token_text(w->in, inner), &key, NULL) != STATUS_OK)
        return false;
    put_key(out, key);
    return true;
}

/* A ':' is also what stands between the ends of a slice, a key and its value, and a lambda's names and its body. */
static bool may_be_path(const struct sql_writer *w, size_t colon)
{
    enum { DEPTH_MAX = 64 };
    char open[DEPTH_MAX] = {0};
    size_t depth = 0;
    bool lambda = false;
    for (struct sql_token t = sql_token_at(w->in, 0); t.kind != SQL_END && t.kind != SQL_ERROR && t.start < colon; t = sql_token_at(w->in, t.end)) {
        char c = t.kind == SQL_SYMBOL ? w->in.ptr[t.start] : '\0';
        if (sql_token_is_word(w->in, t, "lambda"))
            lambda = true;
        else if (sql_token_is_symbol(w->in, t, ":"))
            lambda = false;
        if (c == '(' || c == '[' || c == '{') {
            if (++depth >= DEPTH_MAX)
                return false;
            open[depth] = c;
        }
        depth -= depth && (c == ')' || c == ']' || c == '}');
    }
    return !lambda && open[depth] != '{' && open[depth] != '[';
}

bool sql_write_variant_path(struct sql_writer *w, struct sql_token before, struct sql_token *t)
{
    struct buf steps = BUF_INIT;
    struct sql_token next = sql_token_at(w->in, t->end), last = *t;
    bool operand =
        before.kind == SQL_WORD || before.kind == SQL_QUOTED || sql_token_is_symbol(w->in, before, ")") || sql_token_is_symbol(w->in, before, "]");
    if (!sql_token_is_symbol(w->in, *t, ":") || !operand || before.end != t->start || next.start != t->end || !may_be_path(w, t->start))
        return false;
    bool found = put_step(w, next, true, &steps, &last);
    size_t end = steps.len, start = t->start;
    while (found) {
        *t = last;
        end = steps.len;
        next = sql_token_at(w->in, last.end);
        found = next.start == last.end && put_step(w, next, false, &steps, &last);
    }
    if (t->start != start)
        sql_write_edit(w, (struct str){steps.ptr, end}, start, t->end);
    w->failed |= steps.failed;
    buf_release(&steps);
    return t->start != start;
}

/* "$.a[0]['b c']" */
static bool put_path_text(struct str path, struct buf *out)
{
    if (!str_starts(path, STR("$")))
        return false;
    for (size_t at = 1; at < path.len;) {
        size_t end = at + 1;
        char c = path.ptr[at], quote = at + 1 < path.len ? path.ptr[at + 1] : '\0';
        if (c == '.') {
            while (end < path.len && path.ptr[end] != '.' && path.ptr[end] != '[')
                end++;
            if (end == at + 1)
                return false;
            put_key(out, str_sub(path, at + 1, end - at - 1));
        } else if (c == '[' && (quote == '\'' || quote == '"')) {
            const char *close = memchr(path.ptr + at + 2, quote, path.len - at - 2);
            if (!close || close + 1 == path.ptr + path.len || close[1] != ']')
                return false;
            put_key(out, str_sub(path, at + 2, (size_t)(close - path.ptr) - at - 2));
            end = (size_t)(close - path.ptr) + 2;
        } else {
            const char *close = c == '[' ? memchr(path.ptr + at, ']', path.len - at) : NULL;
            if (!close || !put_index(out, str_sub(path, at + 1, (size_t)(close - path.ptr) - at - 1)))
                return false;
            end = (size_t)(close - path.ptr) + 1;
        }
        at = end;
    }
    return true;
}

/* ---- calls ---------------------------------------------------------------------------------------- */

static bool open_call(struct sql_writer *w, struct sql_token name, struct sql_token open, const char *head, struct sql_call call)
{
    w->calls[w->call_count++] = call;
    sql_write_edit(w, str_of(head), name.start, open.end);
    return true;
}

/* The text token between two others, decoded. */
static bool text_between(struct sql_writer *w, struct sql_token from, struct sql_token to, struct str *out)
{
    struct sql_token t = sql_token_at(w->in, from.end);
    return t.kind == SQL_STRING && sql_token_at(w->in, t.end).start == to.start &&
           sql_unquote(w->arena, sql_token_text(w->in, t), out, NULL) == STATUS_OK;
}

/* Spark's names that mean another type to the engine, or none; the others are the engine's too. */
static bool put_type(const struct delta_type *type, struct buf *out)
{
    switch (type->id) {
    case DELTA_TIMESTAMP:
        buf_z(out, "TIMESTAMP WITH TIME ZONE");
        return true;
    case DELTA_TIMESTAMP_NTZ:
        buf_z(out, "TIMESTAMP");
        return true;
    case DELTA_BINARY:
        buf_z(out, "BLOB");
        return true;
    case DELTA_ARRAY:
        if (!put_type(type->element, out))
            return false;
        buf_z(out, "[]");
        return true;
    case DELTA_STRUCT:
    case DELTA_MAP:
    case DELTA_VOID:
        return false;
    default:
        delta_type_text(type, out);
        return true;
    }
}

/* A text out of a variant is the text itself; of an object or array it is JSON. */
static bool put_target(struct sql_writer *w, struct str type_text, struct buf *tail)
{
    struct delta_type *type;
    if (delta_type_from_sql(w->arena, type_text, &type, NULL) != STATUS_OK)
        return false;
    if (type->id == DELTA_STRING) {
        buf_z(tail, " AS JSON) ->> '$')");
        return true;
    }
    buf_z(tail, " AS ");
    bool known = put_type(type, tail);
    buf_z(tail, "))");
    return known;
}

/* variant_get(v, '$.a[0]', 'int'): the value, its subscripts, a cast. */
static bool write_get(struct sql_writer *w, struct sql_token name, struct sql_token open, bool lenient)
{
    struct sql_token comma[2] = {{0}}, close;
    struct str path, type = STR("variant");
    struct buf tail = BUF_INIT;
    size_t commas;
    if (!sql_call_extent(w, open, &commas, comma, &close) || commas < 1 || commas > 2)
        return false;
    bool ok = text_between(w, comma[0], commas == 2 ? comma[1] : close, &path) && (commas == 1 || text_between(w, comma[1], close, &type));
    buf_char(&tail, ')');
    ok = ok && put_path_text(path, &tail) && put_target(w, type, &tail);
    struct str text = ok && !tail.failed ? arena_str(w->arena, buf_view(&tail)) : STR_NULL;
    buf_release(&tail);
    if (!text.ptr)
        return false;
    return open_call(w, name, open, lenient ? "(TRY_CAST((" : "(CAST((",
                     (struct sql_call){.comma = comma[0].start, .close = close.start, .comma_text = text.ptr, .comma_is_last = true});
}

bool sql_write_variant_call(struct sql_writer *w, struct sql_token name, struct sql_token open)
{
    static const struct {
        const char *name, *head, *tail;
    } calls[] = {
        {"parse_json", "CAST(CAST(", " AS JSON) AS VARIANT)"},
        {"try_parse_json", "TRY_CAST(TRY_CAST(", " AS JSON) AS VARIANT)"},
        {"to_json", "list_transform([",
         "], lambda varve_value: CASE WHEN varve_value IS NULL THEN NULL WHEN typeof(varve_value) = 'VARIANT' THEN CAST(varve_value AS JSON) "
         "ELSE to_json(varve_value) END)[1]"},
    };
    struct sql_token comma[2], close;
    size_t commas;
    if (w->unbalanced || w->call_count == SQL_CALLS_MAX)
        return false;
    if (sql_token_is_word(w->in, name, "variant_get") || sql_token_is_word(w->in, name, "try_variant_get"))
        return write_get(w, name, open, sql_token_is_word(w->in, name, "try_variant_get"));
    for (size_t i = 0; i < VV_ARRAY_COUNT(calls); i++) {
        if (!sql_token_is_word(w->in, name, calls[i].name))
            continue;
        if (!sql_call_extent(w, open, &commas, comma, &close) || commas || sql_token_at(w->in, open.end).start == close.start)
            return false;
        return open_call(w, name, open, calls[i].head, (struct sql_call){.comma = SIZE_MAX, .close = close.start, .close_text = calls[i].tail});
    }
    return false;
}
