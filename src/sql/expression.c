/* sql/expression.c: expressions that live in a table's metadata (constraints, generated columns, defaults), in the engine's spelling.
 *
 * They are Spark SQL whoever reads them: a text in double quotes is a text unless a column has that name, <=> compares with NULL, and a few functions
 * have another name or other arguments here.  What the engine does not know either is its error to give. */
#include "sql/sql_int.h"

enum { DEPTH_MAX = 200 };

struct expression {
    struct arena *arena;
    struct str in;
    const struct delta_type *schema;
    struct buf out;
    struct error *err;
    unsigned depth;
};

static enum status put_range(struct expression *x, size_t from, size_t to);

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

/* ---- calls ------------------------------------------------------------------------------- */

enum { ARGUMENTS_MAX = 4 };
struct call {
    size_t count;
    size_t start[ARGUMENTS_MAX], end[ARGUMENTS_MAX];
    size_t close; /* of the bracket */
};

/* The arguments between the brackets of a call; false when there are more than any function here takes, or the brackets do not match. */
static bool read_call(struct str in, struct sql_token open, size_t to, struct call *out)
{
    int64_t depth = 1;
    *out = (struct call){.count = 1, .start = {open.end}};
    for (struct sql_token t = sql_token_at(in, open.end); t.kind != SQL_END && t.kind != SQL_ERROR && t.end <= to; t = sql_token_at(in, t.end)) {
        if (t.kind != SQL_SYMBOL)
            continue;
        char c = in.ptr[t.start];
        depth += (c == '(' || c == '[') - (c == ')' || c == ']');
        if (depth > 1 || (depth == 1 && c != ','))
            continue;
        out->end[out->count - 1] = t.start;
        if (depth == 0) {
            out->close = t.end;
            return true;
        }
        if (out->count == ARGUMENTS_MAX)
            return false;
        out->start[out->count++] = t.end;
    }
    return false;
}

static struct str argument(const struct expression *x, const struct call *call, size_t i)
{
    return str_trim(str_sub(x->in, call->start[i], call->end[i] - call->start[i]));
}

static enum status put_argument(struct expression *x, const struct call *call, size_t i) { return put_range(x, call->start[i], call->end[i]); }

static bool text_argument(struct expression *x, const struct call *call, size_t i, struct str *out)
{
    struct str raw = argument(x, call, i);
    struct sql_token t = sql_token_at(raw, 0);
    bool text = (t.kind == SQL_STRING || (t.kind == SQL_QUOTED && raw.ptr[0] == '"')) && t.end == raw.len;
    return text && sql_unquote(x->arena, raw, out, NULL) == STATUS_OK;
}

/* Java's letters of date patterns, by the engine's. */
static bool put_pattern(struct buf *out, struct str pattern)
{
    static const struct {
        const char *letters, *format;
    } parts[] = {{"yyyy", "%Y"}, {"MM", "%m"}, {"dd", "%d"}, {"HH", "%H"}, {"mm", "%M"}, {"ss", "%S"}, {"DDD", "%j"}};
    while (pattern.len) {
        size_t run = 1;
        char c = pattern.ptr[0];
        while (run < pattern.len && pattern.ptr[run] == c)
            run++;
        const char *format = NULL;
        for (size_t i = 0; i < VV_ARRAY_COUNT(parts); i++)
            if (str_eq(str_sub(pattern, 0, run), str_of(parts[i].letters)))
                format = parts[i].format;
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if ((letter && !format) || c == '\'' || c == '%')
            return false;
        buf_str(out, format ? str_of(format) : str_sub(pattern, 0, run));
        pattern = str_sub(pattern, run, pattern.len - run);
    }
    return true;
}

/* date_format(x, 'pattern') */
static enum status put_date_format(struct expression *x, const struct call *call)
{
    struct str pattern;
    struct buf format = BUF_INIT;
    bool known = call->count == 2 && text_argument(x, call, 1, &pattern) && put_pattern(&format, pattern);
    enum status status = STATUS_OK;
    if (!known)
        status = error_set(x->err, STATUS_NOT_SUPPORTED, "the pattern of date_format(%.*s) is not supported here",
                           call->count > 1 ? (int)argument(x, call, 1).len : 0, call->count > 1 ? argument(x, call, 1).ptr : "");
    buf_z(&x->out, "strftime(");
    if (!status)
        status = put_argument(x, call, 0);
    buf_z(&x->out, ", ");
    put_literal(&x->out, buf_view(&format));
    buf_char(&x->out, ')');
    x->out.failed |= format.failed;
    buf_release(&format);
    return status;
}

/* trunc(date, 'unit') cuts a date; of numbers it is the engine's own. */
static enum status put_trunc(struct expression *x, const struct call *call)
{
    static const char *const units[][2] = {{"year", "year"},   {"yyyy", "year"}, {"yy", "year"},  {"quarter", "quarter"},
                                           {"month", "month"}, {"mon", "month"}, {"mm", "month"}, {"week", "week"}};
    struct str unit = STR_NULL;
    const char *found = NULL;
    bool is_text = call->count == 2 && text_argument(x, call, 1, &unit);
    for (size_t i = 0; is_text && i < VV_ARRAY_COUNT(units); i++)
        if (str_ieq(unit, str_of(units[i][0])))
            found = units[i][1];
    if (is_text && !found)
        return error_set(x->err, STATUS_NOT_SUPPORTED, "trunc to '%.*s' is not supported here", STR_ARG(unit));
    if (found)
        buf_printf(&x->out, "CAST(date_trunc('%s', CAST(", found);
    else
        buf_z(&x->out, "trunc(");
    enum status status = put_argument(x, call, 0);
    buf_z(&x->out, found ? " AS DATE)) AS DATE)" : "");
    for (size_t i = 1; !found && i < call->count && !status; i++) {
        buf_z(&x->out, ", ");
        status = put_argument(x, call, i);
    }
    buf_z(&x->out, found ? "" : ")");
    return status;
}

/* Position 0 is the first character to Spark, and before it to the engine. */
static enum status put_substring(struct expression *x, const struct call *call)
{
    enum status status = STATUS_OK;
    buf_z(&x->out, "substring(");
    for (size_t i = 0; i < call->count && !status; i++) {
        buf_z(&x->out, i ? ", " : "");
        if (i == 1 && str_eq(argument(x, call, i), STR("0")))
            buf_char(&x->out, '1');
        else
            status = put_argument(x, call, i);
    }
    buf_char(&x->out, ')');
    return status;
}

static enum status put_cast_to(struct expression *x, const struct call *call, const char *type)
{
    buf_z(&x->out, "CAST(");
    enum status status = put_argument(x, call, 0);
    buf_printf(&x->out, " AS %s)", type);
    return status;
}

/* Writes a call that is spelled anew; *done is false when the engine's spelling is the same. */
static enum status put_call(struct expression *x, struct str name, const struct call *call, bool *done)
{
    *done = true;
    if (str_ieq(name, STR("date_format")))
        return put_date_format(x, call);
    if (str_ieq(name, STR("trunc")))
        return put_trunc(x, call);
    if ((str_ieq(name, STR("substring")) || str_ieq(name, STR("substr"))) && call->count > 1)
        return put_substring(x, call);
    if (call->count == 1 && (str_ieq(name, STR("to_date")) || str_ieq(name, STR("date"))))
        return put_cast_to(x, call, "DATE");
    if (call->count == 1 && str_ieq(name, STR("to_timestamp")))
        return put_cast_to(x, call, "TIMESTAMP WITH TIME ZONE");
    if (call->count == 1 && str_ieq(name, STR("string")))
        return put_cast_to(x, call, "VARCHAR");
    bool clock = str_ieq(name, STR("current_timestamp")) || str_ieq(name, STR("current_date"));
    if (clock && call->count == 1 && !argument(x, call, 0).len) { /* no calls to the engine */
        buf_str(&x->out, name);
        return STATUS_OK;
    }
    *done = false;
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

static enum status put_word(struct expression *x, struct sql_token *t, struct sql_token before, size_t to)
{
    struct str word = sql_token_text(x->in, *t);
    struct sql_token next = sql_token_at(x->in, t->end);
    struct call call;
    bool done = false;
    bool type_here = sql_token_is_word(x->in, before, "AS") || sql_token_is_symbol(x->in, before, "::");
    if (type_here && type_word(word)) {
        buf_z(&x->out, type_word(word));
        return STATUS_OK;
    }
    bool call_here = sql_token_is_symbol(x->in, next, "(") && next.end <= to && !sql_token_is_symbol(x->in, before, ".");
    if (call_here && read_call(x->in, next, to, &call)) {
        enum status status = put_call(x, word, &call, &done);
        if (done)
            t->end = call.close;
        if (done || status)
            return status;
    }
    buf_str(&x->out, word);
    return STATUS_OK;
}

static enum status put_token(struct expression *x, struct sql_token *t, struct sql_token before, size_t to)
{
    switch (t->kind) {
    case SQL_QUOTED:
        return put_quoted(x, *t);
    case SQL_STRING:
        return put_string(x, *t);
    case SQL_WORD:
        return put_word(x, t, before, to);
    case SQL_ERROR:
        return sql_bad_token(x->in, *t, x->err);
    default:
        break;
    }
    if (sql_token_is_symbol(x->in, *t, "<=>"))
        buf_z(&x->out, " IS NOT DISTINCT FROM ");
    else
        buf_str(&x->out, sql_token_text(x->in, *t));
    return STATUS_OK;
}

static enum status put_range(struct expression *x, size_t from, size_t to)
{
    struct sql_token before = {0};
    enum status status = STATUS_OK;
    if (++x->depth > DEPTH_MAX)
        return error_set(x->err, STATUS_LIMIT_EXCEEDED, "the expression is nested too deeply");
    while (!status) {
        struct sql_token t = sql_token_at(x->in, from);
        if (t.kind == SQL_END || t.start >= to)
            break;
        if (x->out.len && from != t.start)
            buf_char(&x->out, ' ');
        status = put_token(x, &t, before, to);
        from = t.end;
        before = t;
    }
    x->depth--;
    return status;
}

enum status sql_expression_to_engine(struct arena *arena, struct str expression, const struct delta_type *schema, struct str *out, struct error *err)
{
    struct expression x = {.arena = arena, .in = expression, .schema = schema, .err = err};
    *out = STR_NULL;
    enum status status =
        sql_token_at(expression, 0).kind == SQL_END ? error_set(err, STATUS_SYNTAX, "the expression is empty") : put_range(&x, 0, expression.len);
    if (!status)
        status = buf_check(&x.out, err);
    if (!status && !(*out = arena_str(arena, buf_view(&x.out))).ptr)
        status = error_oom(err);
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
