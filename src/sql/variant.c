/* sql/variant.c: Spark's ways into variants, in the engine's spelling: subscripts that count from 1. */
#include "sql/sql_int.h"

/* ---- paths ------------------------------------------------------------------------------------ */

/* A path in both spellings: as subscripts, which the engine follows by itself into shredded columns, but takes JSON's null at the end for nothing;
 * and as one subscript for the engine room's variant_extract, which does not. */
struct path {
    struct buf steps, exact;
};

static void put_exact(struct buf *out, char kind, struct str text)
{
    buf_printf(out, "\\x%02X", (unsigned char)kind);
    for (size_t i = 0; i < text.len; i++)
        buf_printf(out, "\\x%02X", (unsigned char)text.ptr[i]);
    buf_z(out, "\\x00");
}

static void put_key(struct path *out, struct str key)
{
    buf_z(&out->steps, "['");
    for (size_t i = 0; i < key.len; i++)
        buf_printf(&out->steps, key.ptr[i] == '\'' ? "''" : "%c", key.ptr[i]);
    buf_z(&out->steps, "']");
    put_exact(&out->exact, 'K', key);
}

static bool put_index(struct path *out, struct str digits)
{
    int64_t index;
    if (!str_to_i64(digits, &index) || index < 0 || index == INT64_MAX)
        return false;
    buf_printf(&out->steps, "[%lld]", (long long)index + 1);
    put_exact(&out->exact, 'I', digits);
    return true;
}

/* What a path is followed by: nothing, a cast to a text, another cast. */
enum path_end { PATH_VALUE, PATH_TEXT, PATH_CAST };

/* The first `steps` and `exact` bytes of the path, in the spelling for what follows. */
static struct str path_text(struct arena *arena, const struct path *path, size_t steps, size_t exact, enum path_end end)
{
    const char *format = end == PATH_TEXT ? "[['%.*s'::BLOB]]" : "['%.*s'::BLOB]";
    if (path->steps.failed || path->exact.failed)
        return STR_NULL;
    if (end == PATH_CAST)
        return arena_str(arena, (struct str){path->steps.ptr ? path->steps.ptr : "", steps});
    return str_of(arena_printf(arena, format, (int)exact, path->exact.ptr ? path->exact.ptr : ""));
}

static void path_release(struct path *path)
{
    buf_release(&path->steps);
    buf_release(&path->exact);
}

static bool put_name(struct sql_writer *w, struct sql_token t, struct path *out)
{
    struct str name = sql_token_text(w->in, t);
    if (t.kind == SQL_QUOTED && sql_unquote(w->arena, name, &name, NULL) != STATUS_OK)
        return false;
    put_key(out, name);
    return t.kind == SQL_WORD || t.kind == SQL_QUOTED;
}

/* One step at `t`: a name (first), ".name", "[0]" or "['name']".  *last is its last token. */
static bool put_step(struct sql_writer *w, struct sql_token t, bool first, struct path *out, struct sql_token *last)
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

/* "::int" and the like right behind a path. */
static enum path_end end_at(const struct sql_writer *w, struct sql_token t)
{
    struct sql_token type = sql_token_at(w->in, t.end);
    if (!sql_token_is_symbol(w->in, t, "::") || sql_token_is_word(w->in, type, "variant"))
        return PATH_VALUE;
    struct sql_token after = sql_token_at(w->in, type.end);
    bool text = sql_token_is_word(w->in, type, "string") || sql_token_is_word(w->in, type, "varchar");
    return text && !sql_token_is_symbol(w->in, after, "[") ? PATH_TEXT : PATH_CAST;
}

bool sql_write_variant_path(struct sql_writer *w, struct sql_token before, struct sql_token *t)
{
    struct path path = {0};
    struct sql_token next = sql_token_at(w->in, t->end), last = *t;
    bool operand =
        before.kind == SQL_WORD || before.kind == SQL_QUOTED || sql_token_is_symbol(w->in, before, ")") || sql_token_is_symbol(w->in, before, "]");
    if (!sql_token_is_symbol(w->in, *t, ":") || !operand || before.end != t->start || next.start != t->end || !may_be_path(w, t->start))
        return false;
    bool found = put_step(w, next, true, &path, &last);
    size_t steps = path.steps.len, exact = path.exact.len, start = t->start;
    while (found) {
        *t = last;
        steps = path.steps.len;
        exact = path.exact.len;
        next = sql_token_at(w->in, last.end);
        found = next.start == last.end && put_step(w, next, false, &path, &last);
    }
    if (t->start != start) {
        struct str text = path_text(w->arena, &path, steps, exact, end_at(w, next));
        w->failed |= !text.ptr;
        if (text.ptr)
            sql_write_edit(w, text, start, t->end);
    }
    path_release(&path);
    return t->start != start;
}

/* "$.a[0]['b c']" */
static bool put_path_text(struct str path, struct path *out)
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

/* What the engine reads as SQL's NULL is JSON's where there are bytes. */
#define FROM_JOINED                                                                                                                                  \
    ")], lambda varve_value: CASE WHEN varve_value IS NOT NULL THEN coalesce(variant_bytes_to_variant(varve_value), "                                \
    "varve_variant_null(varve_value)) END)[1]"
#define AS_JSON "varve_variant_json(CAST(varve_value AS VARIANT))"

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

static bool put_target(const struct delta_type *type, struct buf *tail)
{
    buf_z(tail, " AS ");
    bool known = put_type(type, tail);
    buf_z(tail, "))");
    return known;
}

/* What follows the value in the call: its path and the end of a cast. */
static struct str get_tail(struct sql_writer *w, struct str path_given, struct str type)
{
    struct path path = {0};
    struct buf tail = BUF_INIT;
    struct str out = STR_NULL;
    struct delta_type *target;
    if (delta_type_from_sql(w->arena, type, &target, NULL) == STATUS_OK && put_path_text(path_given, &path)) {
        enum path_end end = target->id == DELTA_VARIANT ? PATH_VALUE : target->id == DELTA_STRING ? PATH_TEXT : PATH_CAST;
        struct str steps = path_text(w->arena, &path, path.steps.len, path.exact.len, end);
        buf_char(&tail, ')');
        buf_str(&tail, steps);
        if (steps.ptr && put_target(target, &tail) && !tail.failed)
            out = arena_str(w->arena, buf_view(&tail));
    }
    buf_release(&tail);
    path_release(&path);
    return out;
}

/* variant_get(v, '$.a[0]', 'int'): the value, its subscripts, a cast. */
static bool write_get(struct sql_writer *w, struct sql_token name, struct sql_token open, bool lenient)
{
    struct sql_token comma[2] = {{0}}, close;
    struct str path, type = STR("variant");
    size_t commas;
    if (!sql_call_extent(w, open, &commas, comma, &close) || commas < 1 || commas > 2)
        return false;
    if (!text_between(w, comma[0], commas == 2 ? comma[1] : close, &path) || (commas == 2 && !text_between(w, comma[1], close, &type)))
        return false;
    struct str text = get_tail(w, path, type);
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
        {"parse_json", "list_transform([varve_parse_json(", FROM_JOINED},
        {"try_parse_json", "list_transform([varve_try_parse_json(", FROM_JOINED},
        {"is_variant_null", "list_transform([",
         "], lambda varve_value: varve_value IS NOT NULL AND variant_typeof(varve_value) = 'VARIANT_NULL')[1]"},
        {"to_json", "list_transform([",
         "], lambda varve_value: CASE WHEN varve_value IS NULL THEN NULL WHEN typeof(varve_value) = 'VARIANT' THEN " AS_JSON " "
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
