/* sql/spelling.c: Spark's operators, literals, types and clauses in the engine's spelling. */
#include "base/dialect.h"
#include "sql/sql_int.h"

/* ---- small things --------------------------------------------------------------------------- */

static struct sql_token next_of(const struct sql_writer *w, struct sql_token t) { return sql_token_at(w->in, t.end); }

static bool is_operand_end(const struct sql_writer *w, struct sql_token t)
{
    if (t.kind == SQL_WORD)
        return sql_keyword_class(sql_token_text(w->in, t)) < SQL_KEYWORD_NO_TABLE || sql_token_is_word(w->in, t, "END") ||
               sql_token_is_word(w->in, t, "NULL");
    return t.kind == SQL_QUOTED || t.kind == SQL_STRING || t.kind == SQL_NUMBER || t.kind == SQL_PARAM || sql_token_is_symbol(w->in, t, ")") ||
           sql_token_is_symbol(w->in, t, "]") || sql_token_is_symbol(w->in, t, "}");
}

static bool write_instead(struct sql_writer *w, struct str text, struct sql_token first, struct sql_token last, struct sql_token *t)
{
    sql_write_edit(w, text, first.start, last.end);
    *t = last;
    return true;
}

/* ---- operators --------------------------------------------------------------------------------- */

/* a <=> b, a RLIKE b, a NOT RLIKE b, a DIV b */
static bool write_operator(struct sql_writer *w, struct sql_token before, struct sql_token *t)
{
    if (sql_token_is_symbol(w->in, *t, "<=>"))
        return write_instead(w, STR("IS NOT DISTINCT FROM"), *t, *t, t);
    if (t->kind != SQL_WORD || !is_operand_end(w, before))
        return false;
    struct sql_token next = next_of(w, *t);
    bool match = sql_token_is_word(w->in, *t, "RLIKE") || sql_token_is_word(w->in, *t, "REGEXP");
    bool not_match = sql_token_is_word(w->in, *t, "NOT") && (sql_token_is_word(w->in, next, "RLIKE") || sql_token_is_word(w->in, next, "REGEXP"));
    if (not_match)
        return write_instead(w, STR("<!~>"), *t, next, t);
    bool operand =
        next.kind != SQL_END && (next.kind != SQL_SYMBOL || strchr("([-+", w->in.ptr[next.start])) && !sql_token_is_word(w->in, next, "FROM");
    if (match && operand)
        return write_instead(w, STR("<~>"), *t, *t, t);
    if (sql_token_is_word(w->in, *t, "DIV") && operand)
        return write_instead(w, STR("//"), *t, *t, t);
    return false;
}

/* ---- literals ------------------------------------------------------------------------------------ */

/* 5L, 1.5D: a number with its type behind it. */
static bool write_typed_number(struct sql_writer *w, struct sql_token *t)
{
    static const char *const types[][2] = {{"L", "BIGINT"}, {"S", "SMALLINT"}, {"Y", "TINYINT"}, {"D", "DOUBLE"}, {"F", "FLOAT"}};
    struct sql_token suffix = next_of(w, *t);
    if (t->kind != SQL_NUMBER || suffix.kind != SQL_WORD || suffix.start != t->end)
        return false;
    for (size_t i = 0; i < VV_ARRAY_COUNT(types); i++) {
        if (!sql_token_is_word(w->in, suffix, types[i][0]))
            continue;
        struct str number = sql_token_text(w->in, *t);
        struct str text = str_of(arena_printf(w->arena, "CAST(%.*s AS %s)", STR_ARG(number), types[i][1]));
        w->failed |= !text.ptr;
        return write_instead(w, text, *t, suffix, t);
    }
    if (!sql_token_is_word(w->in, suffix, "BD"))
        return false;
    struct str number = sql_token_text(w->in, *t); /* with a point it is a decimal to the engine too */
    bool point = memchr(number.ptr, '.', number.len) != NULL;
    struct str text = point ? number : str_of(arena_printf(w->arena, "CAST(%.*s AS DECIMAL(%zu,0))", STR_ARG(number), number.len));
    w->failed |= !text.ptr;
    return write_instead(w, text, *t, suffix, t);
}

/* r'\d+' is a text as it stands, X'1F' are bytes. */
static bool write_prefixed_text(struct sql_writer *w, struct sql_token *t)
{
    struct sql_token next = next_of(w, *t);
    if (sql_token_is_word(w->in, *t, "r") && next.kind == SQL_STRING && next.start == t->end)
        return write_instead(w, STR(""), *t, *t, t);
    struct str text = sql_token_text(w->in, *t);
    if (t->kind != SQL_STRING || (text.ptr[0] | 0x20) != 'x')
        return false;
    struct str bytes = str_of(arena_printf(w->arena, "unhex(%.*s)", (int)text.len - 1, text.ptr + 1));
    w->failed |= !bytes.ptr;
    return write_instead(w, bytes, *t, *t, t);
}

/* ---- types ------------------------------------------------------------------------------------------ */

static void put_type(const struct delta_type *type, struct buf *out);

static void put_fields(const struct delta_type *type, struct buf *out)
{
    buf_z(out, "STRUCT(");
    for (uint32_t i = 0; i < type->field_count; i++) {
        buf_z(out, i ? ", \"" : "\"");
        for (size_t c = 0; c < type->fields[i].name.len; c++)
            buf_printf(out, type->fields[i].name.ptr[c] == '"' ? "\"\"" : "%c", type->fields[i].name.ptr[c]);
        buf_z(out, "\" ");
        put_type(type->fields[i].type, out);
    }
    buf_char(out, ')');
}

/* Names that the engine has too are as delta_type_text writes them. */
static void put_type(const struct delta_type *type, struct buf *out)
{
    switch (type->id) {
    case DELTA_TIMESTAMP:
        buf_z(out, "TIMESTAMP WITH TIME ZONE");
        break;
    case DELTA_TIMESTAMP_NTZ:
        buf_z(out, "TIMESTAMP");
        break;
    case DELTA_ARRAY:
        put_type(type->element, out);
        buf_z(out, "[]");
        break;
    case DELTA_MAP:
        buf_z(out, "MAP(");
        put_type(type->key, out);
        buf_z(out, ", ");
        put_type(type->element, out);
        buf_char(out, ')');
        break;
    case DELTA_STRUCT:
        put_fields(type, out);
        break;
    default:
        delta_type_text(type, out);
    }
}

/* The '>' that ends ARRAY<…>; SQL_END when there is none. */
static struct sql_token type_end(const struct sql_writer *w, struct sql_token open)
{
    size_t depth = 0;
    for (struct sql_token t = open; t.kind != SQL_END && t.kind != SQL_ERROR; t = next_of(w, t)) {
        struct str text = sql_token_text(w->in, t);
        for (size_t i = 0; t.kind == SQL_SYMBOL && i < text.len; i++) {
            depth += text.ptr[i] == '<';
            depth -= text.ptr[i] == '>' && depth;
        }
        if (!depth)
            return t;
    }
    return (struct sql_token){SQL_END, w->in.len, w->in.len};
}

/* ARRAY<INT>, MAP<STRING, INT>, STRUCT<a: INT>, and names that mean another type to the engine. */
static bool write_type(struct sql_writer *w, struct sql_token before, struct sql_token *t)
{
    static const char *const types[][2] = {{"TIMESTAMP_LTZ", "TIMESTAMP WITH TIME ZONE"},
                                           {"TIMESTAMP_NTZ", "TIMESTAMP"},
                                           {"BYTE", "TINYINT"},
                                           {"LONG", "BIGINT"},
                                           {"SHORT", "SMALLINT"}};
    bool generic = sql_token_is_word(w->in, *t, "ARRAY") || sql_token_is_word(w->in, *t, "MAP") || sql_token_is_word(w->in, *t, "STRUCT");
    struct sql_token open = next_of(w, *t);
    struct delta_type *type;
    struct buf text = BUF_INIT;
    if (t->kind != SQL_WORD || (!sql_token_is_word(w->in, before, "AS") && !sql_token_is_symbol(w->in, before, "::")))
        return false;
    bool ends = sql_token_is_symbol(w->in, open, ")") || sql_token_is_symbol(w->in, before, "::");
    for (size_t i = 0; ends && i < VV_ARRAY_COUNT(types); i++)
        if (sql_token_is_word(w->in, *t, types[i][0]))
            return write_instead(w, str_of(types[i][1]), *t, *t, t);
    if (!generic || open.kind != SQL_SYMBOL || w->in.ptr[open.start] != '<')
        return false;
    struct sql_token end = w->unbalanced ? (struct sql_token){SQL_END, w->in.len, w->in.len} : type_end(w, open);
    w->unbalanced |= end.kind == SQL_END;
    if (end.kind == SQL_END || delta_type_from_sql(w->arena, str_sub(w->in, t->start, end.end - t->start), &type, NULL) != STATUS_OK)
        return false;
    put_type(type, &text);
    w->failed |= text.failed;
    write_instead(w, buf_view(&text), *t, end, t);
    buf_release(&text);
    return true;
}

/* TIMESTAMP_NTZ '2024-01-01 00:00:00' */
static bool write_typed_text(struct sql_writer *w, struct sql_token *t)
{
    bool ltz = sql_token_is_word(w->in, *t, "TIMESTAMP_LTZ"), ntz = sql_token_is_word(w->in, *t, "TIMESTAMP_NTZ");
    if ((!ltz && !ntz) || next_of(w, *t).kind != SQL_STRING)
        return false;
    return write_instead(w, ltz ? STR("TIMESTAMPTZ") : STR("TIMESTAMP"), *t, *t, t);
}

/* ---- joins and lists ---------------------------------------------------------------------------------- */

/* LEFT SEMI JOIN, LEFT ANTI JOIN; * EXCEPT (a, b); query MINUS query */
static bool write_clause(struct sql_writer *w, struct sql_token before, struct sql_token *t)
{
    struct sql_token next = next_of(w, *t);
    if (sql_token_is_word(w->in, *t, "LEFT") && (sql_token_is_word(w->in, next, "SEMI") || sql_token_is_word(w->in, next, "ANTI")))
        return write_instead(w, STR(""), *t, *t, t);
    bool query = sql_token_is_word(w->in, next, "SELECT") || sql_token_is_word(w->in, next, "DISTINCT") || sql_token_is_word(w->in, next, "ALL") ||
                 (sql_token_is_symbol(w->in, next, "(") && sql_token_is_word(w->in, next_of(w, next), "SELECT"));
    if (sql_token_is_word(w->in, *t, "MINUS") && query && is_operand_end(w, before))
        return write_instead(w, STR("EXCEPT"), *t, *t, t);
    struct sql_token inner = next_of(w, next), behind = next_of(w, inner);
    bool names =
        (inner.kind == SQL_WORD || inner.kind == SQL_QUOTED) && (sql_token_is_symbol(w->in, behind, ",") || sql_token_is_symbol(w->in, behind, ")"));
    if (sql_token_is_word(w->in, *t, "EXCEPT") && sql_token_is_symbol(w->in, before, "*") && sql_token_is_symbol(w->in, next, "(") && names)
        return write_instead(w, STR("EXCLUDE"), *t, *t, t);
    return false;
}

/* ---- window(…) behind GROUP BY ----------------------------------------------------------------------------- */

/* Where the text calls window(…); SQL_END when it does not. */
static struct sql_token window_call(const struct sql_writer *w)
{
    struct sql_token t = sql_token_at(w->in, 0);
    for (; t.kind != SQL_END && t.kind != SQL_ERROR; t = next_of(w, t))
        if (sql_token_is_word(w->in, t, "window") && sql_token_is_symbol(w->in, next_of(w, t), "("))
            return t;
    return (struct sql_token){SQL_END, w->in.len, w->in.len};
}

/* `window` is what the call in GROUP BY makes. */
static bool write_window(struct sql_writer *w, struct sql_token before, struct sql_token *t)
{
    struct sql_token next = next_of(w, *t), call;
    bool clause = (next.kind == SQL_WORD || next.kind == SQL_QUOTED) && sql_token_is_word(w->in, next_of(w, next), "AS");
    if (!sql_token_is_word(w->in, *t, "window") || sql_token_is_symbol(w->in, next, "(") || clause || sql_token_is_word(w->in, before, "AS"))
        return false;
    if (!w->looked_for_window) {
        w->window = w->window_end = window_call(w);
        if (w->window.kind != SQL_END)
            w->window_end = sql_closing_bracket(w->in, next_of(w, w->window));
    }
    w->looked_for_window = true;
    call = w->window;
    struct sql_token end = w->window_end;
    if (end.kind == SQL_END || w->in_clause || w->out.len > SQL_OUTPUT_MAX + 8 * w->in.len)
        return false;
    w->in_clause = true;
    bool column =
        w->depth < SQL_LIST_DEPTH && w->in_list[w->depth] && (sql_token_is_symbol(w->in, next, ",") || sql_token_is_word(w->in, next, "FROM"));
    sql_write_edit(w, STR("("), t->start, t->start);
    sql_write_edit(w, STR(DIALECT_PREFIX "window"), call.start, call.end);
    sql_write_range(w, call.end, end.end);
    sql_write_edit(w, column ? STR(") AS \"window\"") : STR(")"), t->end, t->end);
    w->in_clause = false;
    return true;
}

/* ---- LATERAL VIEW --------------------------------------------------------------------------------------------- */

struct lateral {
    bool outer, with_positions, inlines;
    struct sql_token open, close, table, names[2], last;
    size_t name_count; /* more than there is room for is no view that is known here */
};

static bool is_name(struct sql_token t) { return t.kind == SQL_WORD || t.kind == SQL_QUOTED; }

/* [OUTER] explode(x) [table] [AS name[, name]] behind LATERAL VIEW. */
static bool read_lateral(struct sql_writer *w, struct sql_token t, struct lateral *out)
{
    *out = (struct lateral){.outer = sql_token_is_word(w->in, t, "OUTER")};
    if (out->outer)
        t = next_of(w, t);
    out->with_positions = sql_token_is_word(w->in, t, "posexplode") || sql_token_is_word(w->in, t, "posexplode_outer");
    out->inlines = sql_token_is_word(w->in, t, "inline") || sql_token_is_word(w->in, t, "inline_outer");
    bool explodes = sql_token_is_word(w->in, t, "explode") || sql_token_is_word(w->in, t, "explode_outer");
    struct str name = sql_token_text(w->in, t);
    out->outer |= name.len > 6 && str_ieq(str_sub(name, name.len - 6, 6), STR("_outer"));
    out->open = next_of(w, t);
    if ((!out->with_positions && !out->inlines && !explodes) || !sql_token_is_symbol(w->in, out->open, "("))
        return false;
    out->close = out->last = sql_closing_bracket(w->in, out->open);
    w->unbalanced |= out->close.kind == SQL_END;
    if (out->close.kind == SQL_END)
        return false;
    t = next_of(w, out->close);
    if (is_name(t) && !sql_token_is_word(w->in, t, "LATERAL") && (t.kind == SQL_QUOTED || !sql_cannot_name_table(sql_token_text(w->in, t)))) {
        out->table = out->last = t;
        t = next_of(w, t);
    }
    if (!sql_token_is_word(w->in, t, "AS"))
        return true;
    do {
        t = next_of(w, t);
        if (!is_name(t) || out->name_count == VV_ARRAY_COUNT(out->names))
            return false;
        out->names[out->name_count++] = out->last = t;
        t = next_of(w, t);
    } while (sql_token_is_symbol(w->in, t, ","));
    return true;
}

static void put(struct sql_writer *w, const struct lateral *l, struct str text) { sql_write_edit(w, text, l->open.start, l->open.start); }

/* The call's argument inside of `before` and `after`. */
static void put_argument(struct sql_writer *w, const struct lateral *l, struct str before, struct str after)
{
    put(w, l, before);
    sql_write_edit(w, STR(""), l->open.end, l->open.end);
    sql_write_range(w, l->open.end, l->close.start);
    put(w, l, after);
}

static void put_name(struct sql_writer *w, const struct lateral *l, size_t i, struct str otherwise)
{
    put(w, l, STR(" AS "));
    if (i >= l->name_count) {
        put(w, l, otherwise);
        return;
    }
    sql_write_edit(w, STR(""), l->names[i].start, l->names[i].start);
    sql_write_range(w, l->names[i].start, l->names[i].end);
}

static void put_columns(struct sql_writer *w, const struct lateral *l)
{
    if (l->inlines) {
        put_argument(w, l, STR("unnest("), STR(", max_depth := 2)"));
    } else if (l->with_positions) {
        put_argument(w, l, STR("unnest(CAST(range(len("), STR(")) AS INTEGER[]))"));
        put_name(w, l, 0, STR("pos"));
        put_argument(w, l, STR(", unnest("), STR(")"));
        put_name(w, l, 1, STR("col"));
    } else if (l->name_count == 2) {
        put_argument(w, l, STR("unnest(map_keys("), STR("))"));
        put_name(w, l, 0, STR("key"));
        put_argument(w, l, STR(", unnest(map_values("), STR("))"));
        put_name(w, l, 1, STR("value"));
    } else {
        put_argument(w, l, STR("unnest("), STR(")"));
        put_name(w, l, 0, STR("col"));
    }
}

static bool write_lateral(struct sql_writer *w, struct sql_token *t)
{
    struct lateral l;
    struct sql_token view = next_of(w, *t);
    if (!sql_token_is_word(w->in, *t, "LATERAL") || !sql_token_is_word(w->in, view, "VIEW") || w->in_clause || w->unbalanced ||
        !read_lateral(w, next_of(w, view), &l))
        return false;
    w->in_clause = true;
    sql_write_edit(w, l.outer ? STR("LEFT JOIN LATERAL (SELECT ") : STR("CROSS JOIN LATERAL (SELECT "), t->start, t->start);
    put_columns(w, &l);
    put(w, &l, STR(")"));
    if (l.table.end) {
        put(w, &l, STR(" AS "));
        sql_write_edit(w, STR(""), l.table.start, l.table.start);
        sql_write_range(w, l.table.start, l.table.end);
    } else {
        put(w, &l, STR(" AS varve_view"));
    }
    if (l.inlines && l.name_count) {
        put(w, &l, STR("("));
        for (size_t i = 0; i < l.name_count; i++) {
            put(w, &l, i ? STR(", ") : STR(""));
            sql_write_edit(w, STR(""), l.names[i].start, l.names[i].start);
            sql_write_range(w, l.names[i].start, l.names[i].end);
        }
        put(w, &l, STR(")"));
    }
    sql_write_edit(w, l.outer ? STR(" ON true") : STR(""), l.last.end, l.last.end);
    w->in_clause = false;
    *t = l.last;
    return true;
}

/* ---- entry ------------------------------------------------------------------------------------------------------ */

bool sql_write_spelling(struct sql_writer *w, struct sql_token before, size_t to, struct sql_token *t)
{
    switch (t->kind) {
    case SQL_SYMBOL:
        return write_operator(w, before, t);
    case SQL_NUMBER:
        return write_typed_number(w, t);
    case SQL_STRING:
        return write_prefixed_text(w, t);
    case SQL_WORD:
        if (next_of(w, *t).start >= to) /* what belongs to it is not to be written here */
            return write_type(w, before, t) || write_window(w, before, t);
        return write_operator(w, before, t) || write_prefixed_text(w, t) || write_typed_text(w, t) || write_type(w, before, t) ||
               write_clause(w, before, t) || write_window(w, before, t) || write_lateral(w, t);
    default:
        return false;
    }
}
