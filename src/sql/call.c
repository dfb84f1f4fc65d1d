/* sql/call.c: calls of Spark's functions in the engine's spelling, by the rows of base/dialect.def.
 *
 * Most are macros of the engine, and nothing happens here, or the name gets a prefix.  Calls of kind FORM are written anew: their arguments are found
 * by their commas and go, each in its own new spelling, where the row's text has them. */
#include "base/dialect.h"
#include "sql/sql_int.h"

static const struct row {
    enum dialect_kind kind;
    const char *name, *text;
} rows[] = {
#define DIALECT(KIND, NAME, TEXT, WHAT) {DIALECT_##KIND, NAME, TEXT},
#include "base/dialect.def"
#undef DIALECT
};

enum { FORM_DEPTH_MAX = 100, NAMES_MAX = 3 };

/* name -> body */
struct lambda {
    struct sql_token names[NAMES_MAX];
    size_t name_count, start, end; /* of the body; no names: there is no lambda */
};
struct argument {
    size_t start, end;
};
struct call {
    struct sql_token name, close, last; /* last: of what stands behind an aggregate, or close */
    struct argument *arguments;
    uint32_t count;
    struct lambda lambda, merge; /* the last argument; the one before it */
    struct argument order;       /* ORDER BY … of WITHIN GROUP (…); empty: there is none */
    size_t tail;                 /* where what stands behind an aggregate begins, WITHIN GROUP left out */
    bool first_is_word;
};

/* ---- reading a call ------------------------------------------------------------------------- */

static bool opens(struct str in, struct sql_token t) { return t.kind == SQL_SYMBOL && strchr("([{", in.ptr[t.start]) && t.end == t.start + 1; }
static bool closes(struct str in, struct sql_token t) { return t.kind == SQL_SYMBOL && strchr(")]}", in.ptr[t.start]) && t.end == t.start + 1; }

/* The bracket that closes the one at `open`; SQL_END when there is none. */
struct sql_token sql_closing_bracket(struct str in, struct sql_token open)
{
    size_t depth = 0;
    for (struct sql_token t = open; t.kind != SQL_END && t.kind != SQL_ERROR; t = sql_token_at(in, t.end)) {
        depth += opens(in, t);
        depth -= closes(in, t);
        if (depth == 0)
            return t;
    }
    return (struct sql_token){SQL_END, in.len, in.len};
}

static bool add_argument(struct sql_writer *w, struct call *call, size_t start, size_t end)
{
    call->arguments = sql_grow(w->arena, call->arguments, call->count, sizeof *call->arguments);
    w->failed |= !call->arguments;
    if (w->failed)
        return false;
    call->arguments[call->count++] = (struct argument){start, end};
    return true;
}

/* The arguments of the call whose bracket is `open`; false when it does not end before `to`. */
static bool read_arguments(struct sql_writer *w, struct sql_token open, size_t to, struct call *call)
{
    size_t depth = 1, start = 0, end = 0;
    bool names = false; /* between "lambda" and its ':' commas part no arguments */
    for (struct sql_token t = sql_token_at(w->in, open.end); t.kind != SQL_END && t.kind != SQL_ERROR && t.end <= to;
         t = sql_token_at(w->in, t.end)) {
        bool comma = depth == 1 && !names && sql_token_is_symbol(w->in, t, ",");
        depth -= closes(w->in, t);
        if (depth == 0 || comma) {
            bool empty = end == 0;
            if ((!empty || comma || call->count) && !add_argument(w, call, start, end))
                return false;
            if (empty && (comma || call->count))
                return false;
            call->close = call->last = t;
            start = end = 0;
            if (depth == 0)
                return true;
            continue;
        }
        start = end ? start : t.start;
        end = t.end;
        depth += opens(w->in, t);
        names = names ? !sql_token_is_symbol(w->in, t, ":") : sql_token_is_word(w->in, t, "lambda");
    }
    w->unbalanced = true;
    return false;
}

static bool is_name(struct sql_token t) { return t.kind == SQL_WORD || t.kind == SQL_QUOTED; }

/* x -> …, (x, y) -> …, lambda x, y: … */
static void read_lambda(struct str in, struct argument a, struct lambda *out)
{
    struct sql_token t = sql_token_at(in, a.start);
    bool word = sql_token_is_word(in, t, "lambda"), brackets = sql_token_is_symbol(in, t, "(");
    struct lambda l = {0};
    if (word || brackets)
        t = sql_token_at(in, t.end);
    while (is_name(t) && l.name_count < NAMES_MAX && t.end <= a.end) {
        l.names[l.name_count++] = t;
        t = sql_token_at(in, t.end);
        if (!sql_token_is_symbol(in, t, ","))
            break;
        t = sql_token_at(in, t.end);
    }
    if (brackets && !sql_token_is_symbol(in, t, ")"))
        return;
    t = brackets ? sql_token_at(in, t.end) : t;
    if (!sql_token_is_symbol(in, t, word ? ":" : "->") || t.end >= a.end || (l.name_count > 1 && !word && !brackets))
        return;
    l.start = sql_token_at(in, t.end).start;
    l.end = a.end;
    *out = l;
}

/* FILTER (…), WITHIN GROUP (…), OVER (…) or OVER name behind an aggregate. */
static void read_tail(struct sql_writer *w, size_t to, struct call *call)
{
    struct str in = w->in;
    for (;;) {
        struct sql_token t = sql_token_at(in, call->last.end), open = sql_token_at(in, t.end);
        bool over = sql_token_is_word(in, t, "OVER"), filter = sql_token_is_word(in, t, "FILTER");
        bool within = sql_token_is_word(in, t, "WITHIN") && sql_token_is_word(in, open, "GROUP");
        if (within)
            open = sql_token_at(in, open.end);
        else if (!over && !filter)
            return;
        struct sql_token end = open;
        if (sql_token_is_symbol(in, open, "("))
            end = w->unbalanced ? (struct sql_token){0} : sql_closing_bracket(in, open);
        else if (!over || !is_name(open))
            return;
        w->unbalanced |= end.kind == SQL_END;
        if (end.kind == SQL_END || end.end > to)
            return;
        call->last = end;
        if (within) {
            call->order = (struct argument){open.end, end.start};
            call->tail = end.end;
        }
    }
}

static bool read_call(struct sql_writer *w, struct sql_token name, struct sql_token open, size_t to, struct call *call)
{
    *call = (struct call){.name = name};
    if (!read_arguments(w, open, to, call))
        return false;
    if (call->count) {
        struct sql_token first = sql_token_at(w->in, call->arguments[0].start);
        call->first_is_word = first.kind == SQL_WORD && first.end == call->arguments[0].end;
        read_lambda(w->in, call->arguments[call->count - 1], &call->lambda);
    }
    if (call->count > 1)
        read_lambda(w->in, call->arguments[call->count - 2], &call->merge);
    call->tail = call->close.end;
    read_tail(w, to, call);
    return true;
}

/* ---- which form ------------------------------------------------------------------------------- */

static bool is_query(struct str in, struct argument a)
{
    struct sql_token t = sql_token_at(in, a.start);
    return sql_token_is_word(in, t, "SELECT") || sql_token_is_word(in, t, "WITH") || sql_token_is_word(in, t, "FROM") ||
           sql_token_is_word(in, t, "VALUES");
}

/* The key of a named_struct. */
static bool is_text(struct str in, struct argument a)
{
    struct sql_token t = sql_token_at(in, a.start);
    return t.kind == SQL_STRING && t.end == a.end && in.ptr[t.start] == '\'';
}

static bool are_pairs(const struct sql_writer *w, const struct call *call, bool named)
{
    bool pairs = call->count && call->count % 2 == 0;
    for (uint32_t i = 0; named && pairs && i < call->count; i += 2)
        pairs = is_text(w->in, call->arguments[i]);
    bool lists = call->count == 2 && w->in.ptr[call->arguments[0].start] == '[';
    return pairs && (named || !lists);
}

/* Whether the row is for such a call; *text is behind what says so. */
static bool form_fits(const struct sql_writer *w, const struct row *row, const struct call *call, const char **text)
{
    const char *at = row->text;
    bool fits;
    if (*at == 'p' || *at == 'n') {
        fits = are_pairs(w, call, *at++ == 'n');
    } else if (*at == 's') {
        fits = call->count > 0;
        at++;
    } else {
        uint32_t count = (uint32_t)(*at++ - '0');
        bool more = *at == '+', word = *at == 'w';
        at += more || word;
        size_t names = *at == '/' ? (size_t)(at[1] - '0') : 0;
        at += *at == '/' ? 2 : 0;
        fits = (more ? call->count >= count : call->count == count) && call->lambda.name_count == names && (!word || call->first_is_word);
    }
    *text = at + 2;
    return fits && (!call->count || !is_query(w->in, call->arguments[0]));
}

/* ---- writing -------------------------------------------------------------------------------------- */

/* Text of the row, in the place of the call's name. */
static void put(struct sql_writer *w, const struct call *call, struct str text)
{
    if (text.len)
        sql_write_edit(w, text, call->name.start, call->name.start);
}

static void put_range(struct sql_writer *w, size_t start, size_t end)
{
    sql_write_edit(w, STR(""), start, start);
    sql_write_range(w, start, end);
}

static void put_token(struct sql_writer *w, struct sql_token t) { put_range(w, t.start, t.end); }

static void put_lambda(struct sql_writer *w, const struct call *call, const struct lambda *l)
{
    put(w, call, STR("lambda "));
    for (size_t i = 0; i < l->name_count; i++) {
        put(w, call, i ? STR(", ") : STR(""));
        put_token(w, l->names[i]);
    }
    put(w, call, STR(": "));
    put_range(w, l->start, l->end);
}

static void put_quoted_name(struct sql_writer *w, const struct call *call, struct str name)
{
    struct buf quoted = BUF_INIT;
    buf_char(&quoted, '"');
    for (size_t i = 0; i < name.len; i++)
        buf_printf(&quoted, name.ptr[i] == '"' ? "\"\"" : "%c", name.ptr[i]);
    buf_char(&quoted, '"');
    w->failed |= quoted.failed;
    put(w, call, buf_view(&quoted));
    buf_release(&quoted);
}

/* The name of field i of a struct, and where its value ends: x AS name, a.b.name, or colI. */
static void put_field_name(struct sql_writer *w, const struct call *call, uint32_t i, size_t *end)
{
    struct argument a = call->arguments[i];
    struct sql_token last = sql_token_at(w->in, a.start), before = last, before_that = last;
    bool dotted = is_name(last);
    for (struct sql_token t = sql_token_at(w->in, last.end); t.kind != SQL_END && t.end <= a.end; t = sql_token_at(w->in, t.end)) {
        before_that = before;
        before = last;
        last = t;
        dotted &= is_name(t) ? sql_token_is_symbol(w->in, before, ".") : sql_token_is_symbol(w->in, t, ".");
    }
    *end = a.end;
    bool named = is_name(last) && sql_token_is_word(w->in, before, "AS") && before_that.end < before.end;
    if (named)
        *end = before_that.end;
    struct str name = sql_token_text(w->in, last);
    struct str key_words[] = {STR("NULL"), STR("TRUE"), STR("FALSE")};
    for (size_t k = 0; k < VV_ARRAY_COUNT(key_words); k++)
        dotted &= !str_ieq(name, key_words[k]);
    if (named || dotted) {
        struct str plain = name;
        if (last.kind == SQL_QUOTED && sql_unquote(w->arena, name, &plain, NULL) != STATUS_OK)
            w->failed = true;
        put_quoted_name(w, call, plain);
        return;
    }
    const char *made = arena_printf(w->arena, "col%u", i + 1);
    w->failed |= !made;
    put_quoted_name(w, call, made ? str_of(made) : STR(""));
}

static void put_fields(struct sql_writer *w, const struct call *call)
{
    for (uint32_t i = 0; i < call->count; i++) {
        size_t end;
        put(w, call, i ? STR(", ") : STR(""));
        put_field_name(w, call, i, &end);
        put(w, call, STR(" := "));
        put_range(w, call->arguments[i].start, end);
    }
}

static void put_named_fields(struct sql_writer *w, const struct call *call)
{
    for (uint32_t i = 0; i + 1 < call->count; i += 2) {
        struct str name = STR("");
        struct argument key = call->arguments[i];
        put(w, call, i ? STR(", ") : STR(""));
        if (sql_unquote(w->arena, str_sub(w->in, key.start, key.end - key.start), &name, NULL) != STATUS_OK)
            w->failed = true;
        put_quoted_name(w, call, name);
        put(w, call, STR(" := "));
        put_range(w, call->arguments[i + 1].start, call->arguments[i + 1].end);
    }
}

static void put_pairs(struct sql_writer *w, const struct call *call)
{
    for (uint32_t i = 0; i < call->count; i++) {
        put(w, call, i == 0 ? STR("") : i % 2 ? STR(": ") : STR(", "));
        put_range(w, call->arguments[i].start, call->arguments[i].end);
    }
}

static void put_joined(struct sql_writer *w, const struct call *call)
{
    for (uint32_t i = 0; i < call->count; i++) {
        put(w, call, i ? STR(") || (") : STR(""));
        put_range(w, call->arguments[i].start, call->arguments[i].end);
    }
}

static void put_unit(struct sql_writer *w, const struct call *call)
{
    struct argument a = call->count ? call->arguments[0] : (struct argument){0};
    put(w, call, STR("'"));
    sql_write_edit(w, str_sub(w->in, a.start, a.end - a.start), a.start, a.end);
    put(w, call, STR("'"));
}

/* The part of a form behind a '$'; returns how many characters named it. */
static size_t put_part(struct sql_writer *w, const struct call *call, const char *part)
{
    if (*part == '*' || (*part >= '1' && *part <= '9')) {
        uint32_t i = *part == '*' ? 0 : (uint32_t)(*part - '1');
        bool rest = *part == '*' || part[1] == '*';
        if (i < call->count)
            put_range(w, call->arguments[i].start, call->arguments[rest ? call->count - 1 : i].end);
        return *part != '*' && rest ? 2 : 1;
    }
    const struct lambda *l = &call->lambda;
    switch (*part) {
    case 'w':
        put_unit(w, call);
        break;
    case 'L':
        put_lambda(w, call, l);
        break;
    case 'M':
        put_lambda(w, call, &call->merge);
        break;
    case 'P':
    case 'Q':
    case 'R':
        put_token(w, l->names[*part - 'P']);
        break;
    case 'B':
        put_range(w, l->start, l->end);
        break;
    case 'T':
        if (call->last.end > call->tail)
            put_range(w, call->tail, call->last.end);
        break;
    case 'O':
        if (call->order.end) {
            put(w, call, STR(" "));
            put_range(w, call->order.start, call->order.end);
        }
        break;
    case '|':
        put_joined(w, call);
        break;
    case 'p':
        put_pairs(w, call);
        break;
    case 's':
        put_fields(w, call);
        break;
    default:
        put_named_fields(w, call);
    }
    return 1;
}

static void write_form(struct sql_writer *w, const struct call *call, const char *text)
{
    while (*text) {
        size_t plain = strcspn(text, "$");
        put(w, call, (struct str){text, plain});
        text += plain;
        if (*text)
            text += 1 + put_part(w, call, text + 1);
    }
}

/* ---- the name of a column ----------------------------------------------------------------------------- */

/* A call that is all of a column keeps its text as the column's name, when it has no other. */
static void name_column(struct sql_writer *w, const struct call *call, struct sql_token before, size_t to)
{
    struct sql_token next = sql_token_at(w->in, call->last.end);
    bool begins =
        sql_token_is_word(w->in, before, "SELECT") || sql_token_is_word(w->in, before, "DISTINCT") || sql_token_is_symbol(w->in, before, ",");
    bool ends = next.kind == SQL_END || next.end > to || sql_token_is_symbol(w->in, next, ",") || sql_token_is_symbol(w->in, next, ")") ||
                sql_token_is_symbol(w->in, next, ";") || sql_token_is_word(w->in, next, "FROM") || sql_token_is_word(w->in, next, "UNION");
    if (!w->in_list[w->depth < SQL_LIST_DEPTH ? w->depth : 0] || w->form_depth > 1 || !begins || !ends)
        return;
    put(w, call, STR(" AS "));
    bool explodes = sql_token_is_word(w->in, call->name, "explode") || sql_token_is_word(w->in, call->name, "explode_outer");
    put_quoted_name(w, call, explodes ? STR("col") : str_sub(w->in, call->name.start, call->last.end - call->name.start));
}

/* ---- entry ------------------------------------------------------------------------------------------------ */

static bool is_type_word(struct str in, struct sql_token before)
{
    return sql_token_is_word(in, before, "AS") || sql_token_is_symbol(in, before, "::") || sql_token_is_word(in, before, "WITH") ||
           sql_token_is_word(in, before, "RECURSIVE") || sql_token_is_word(in, before, "TABLE");
}

/* A name before the word: it is a type, or the names of columns are in the brackets. */
static bool is_behind_name(struct str in, struct sql_token before)
{
    static const char *const operators[] = {"AND",    "OR",     "NOT", "RLIKE", "REGEXP", "DIV",    "BY",  "INTERVAL",
                                            "ESCAPE", "VALUES", "SET", "IS",    "OFFSET", "FILTER", "OVER"};
    if (before.kind == SQL_QUOTED)
        return true;
    if (before.kind != SQL_WORD || sql_cannot_name_table(sql_token_text(in, before)))
        return false;
    for (size_t i = 0; i < VV_ARRAY_COUNT(operators); i++)
        if (sql_token_is_word(in, before, operators[i]))
            return false;
    return true;
}

static void rename_call(struct sql_writer *w, const struct row *row, struct sql_token name)
{
    struct buf called = BUF_INIT;
    buf_z(&called, row->kind == DIALECT_ALIAS ? row->text : DIALECT_PREFIX);
    buf_z(&called, row->kind == DIALECT_ALIAS ? "" : row->name);
    w->failed |= called.failed;
    sql_write_edit(w, buf_view(&called), name.start, name.end);
    buf_release(&called);
}

/* hash(*), xxhash64(*): of all columns. */
static bool write_hash_of_all(struct sql_writer *w, struct sql_token name, struct sql_token open, size_t to, struct sql_token *last)
{
    bool murmur = sql_token_is_word(w->in, name, "hash"), xx = sql_token_is_word(w->in, name, "xxhash64");
    struct sql_token star = sql_token_at(w->in, open.end), close = sql_token_at(w->in, star.end);
    if ((!murmur && !xx) || !sql_token_is_symbol(w->in, star, "*") || !sql_token_is_symbol(w->in, close, ")") || close.end > to)
        return false;
    sql_write_edit(w, murmur ? STR(DIALECT_PREFIX "hash(*COLUMNS(*))") : STR("xxhash64(*COLUMNS(*))"), name.start, close.end);
    *last = close;
    return true;
}

bool sql_write_function(struct sql_writer *w, struct sql_token name, struct sql_token open, struct sql_token before, size_t to,
                        struct sql_token *last)
{
    struct call call = {0};
    bool read = false;
    if (w->too_deep || is_type_word(w->in, before) || is_behind_name(w->in, before))
        return false;
    if (write_hash_of_all(w, name, open, to, last))
        return true;
    for (size_t i = 0; i < VV_ARRAY_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        const char *text;
        if (row->kind == DIALECT_SAME || row->kind == DIALECT_DIFFERS || !sql_token_is_word(w->in, name, row->name))
            continue;
        if (row->kind == DIALECT_OVER || row->kind == DIALECT_NATIVE_OVER || row->kind == DIALECT_ALIAS) {
            rename_call(w, row, name);
            *last = name;
            return true;
        }
        if (row->kind != DIALECT_FORM)
            return false;
        w->too_deep |= w->form_depth >= FORM_DEPTH_MAX || w->out.len > SQL_OUTPUT_MAX + 8 * w->in.len; /* arguments may be written twice */
        if (w->unbalanced || w->too_deep)
            return false;
        if (!read && !read_call(w, name, open, to, &call))
            return false;
        read = true;
        if (!form_fits(w, row, &call, &text))
            continue;
        if (!strstr(text, "$T"))
            call.last = call.close;
        w->form_depth++;
        write_form(w, &call, text);
        name_column(w, &call, before, to);
        w->form_depth--;
        *last = call.last;
        sql_write_edit(w, STR(""), last->end, last->end);
        return true;
    }
    return false;
}
