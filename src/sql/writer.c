/* sql/writer.c: copies query text token by token, in the engine's spelling, and remembers where each part came from. */
#include "sql/sql_int.h"

void sql_write_edit(struct sql_writer *w, struct str text, size_t from, size_t to)
{
    w->edits = w->failed ? w->edits : sql_grow(w->arena, w->edits, w->edit_count, sizeof *w->edits);
    if (w->failed || !w->edits) {
        w->failed = true;
        return;
    }
    w->edits[w->edit_count++] = (struct sql_edit){.out_start = w->out.len, .out_end = w->out.len + text.len, .in_start = from, .in_end = to};
    buf_str(&w->out, text);
}

/* Blanks and comments between tokens. A blank of several bytes becomes one of one byte, as the engine would make it, so that the engine's
 * positions are positions in this text. */
static void write_gap(struct sql_writer *w, size_t from, size_t to)
{
    size_t copied = from;
    for (size_t at = from; at < to;) {
        size_t blank = sql_blank_at(w->in, at);
        if (blank > 1) {
            buf_append(&w->out, w->in.ptr + copied, at - copied);
            sql_write_edit(w, STR(" "), at, at + blank);
            copied = at + blank;
        }
        at += blank ? blank : 1;
    }
    buf_append(&w->out, w->in.ptr + copied, to - copied);
}

void sql_write_name(struct sql_writer *w, struct sql_token t, size_t inner_end)
{
    struct buf name = BUF_INIT;
    buf_char(&name, '"');
    for (size_t i = t.start + 1; i < inner_end; i++) {
        char c = w->in.ptr[i];
        if (c == '"')
            buf_char(&name, '"');
        buf_char(&name, c);
        i += c == '`'; /* it stands doubled */
    }
    buf_char(&name, '"');
    w->failed |= name.failed;
    sql_write_edit(w, buf_view(&name), t.start, t.end);
    buf_release(&name);
}

/* ---- calls ---------------------------------------------------------------------------------- */

bool sql_call_extent(struct sql_writer *w, struct sql_token open, size_t *commas, struct sql_token comma[2], struct sql_token *close)
{
    size_t depth = 0;
    *commas = 0;
    for (struct sql_token t = open; t.kind != SQL_END && t.kind != SQL_ERROR; t = sql_token_at(w->in, t.end)) {
        char c = t.kind == SQL_SYMBOL ? w->in.ptr[t.start] : '\0';
        depth += c == '(' || c == '[' || c == '{';
        depth -= c == ')' || c == ']' || c == '}';
        if (depth == 0) {
            *close = t;
            return true;
        }
        if (depth == 1 && c == ',' && ++*commas <= 2)
            comma[*commas - 1] = t;
    }
    w->unbalanced = true;
    return false;
}

/* The comma or the end of a call that is spelled anew.  Moves *t when more than that was written. */
static bool write_call_part(struct sql_writer *w, struct sql_token *t)
{
    struct sql_call *call = w->call_count ? &w->calls[w->call_count - 1] : NULL;
    if (!call || (t->start != call->comma && t->start != call->close))
        return false;
    bool comma = t->start == call->comma, last = !comma || call->comma_is_last;
    size_t start = t->start;
    if (comma && last)
        *t = sql_token_at(w->in, call->close);
    sql_write_edit(w, str_of(comma ? call->comma_text : call->close_text), start, t->end);
    w->call_count -= last;
    return true;
}

/* Whether columns of a result are being written. */
static void note_place(struct sql_writer *w, struct sql_token t)
{
    static const char *const ends[] = {"FROM",  "WHERE", "GROUP",  "ORDER",     "HAVING", "QUALIFY",
                                       "LIMIT", "UNION", "EXCEPT", "INTERSECT", "WINDOW", "VALUES"};
    bool open = sql_token_is_symbol(w->in, t, "("), close = sql_token_is_symbol(w->in, t, ")"), select = sql_token_is_word(w->in, t, "SELECT");
    bool end = false;
    for (size_t i = 0; t.kind == SQL_WORD && i < VV_ARRAY_COUNT(ends); i++)
        end |= sql_token_is_word(w->in, t, ends[i]);
    w->depth += open;
    w->depth -= close && w->depth;
    if ((open || select || end) && w->depth < SQL_LIST_DEPTH)
        w->in_list[w->depth] = select;
}

/* Moves *t to the last token written. before: the token before it; behind a dot a call is a method of what stands there. */
static void write_token(struct sql_writer *w, struct sql_token *t, size_t to, struct sql_token before)
{
    bool after_dot = sql_token_is_symbol(w->in, before, ".");
    if (t->kind == SQL_QUOTED && w->in.ptr[t->start] == '`') {
        sql_write_name(w, *t, t->end - 1);
        return;
    }
    struct sql_token next = t->kind == SQL_WORD ? sql_token_at(w->in, t->end) : *t;
    if (t->kind == SQL_WORD && sql_token_is_symbol(w->in, next, ".") && str_ieq(sql_token_text(w->in, *t), STR("default"))) {
        sql_write_edit(w, STR("\"default\""), t->start, t->end); /* the schema's name is a key word to the engine */
        return;
    }
    if (t->kind == SQL_WORD && !after_dot && next.end < to && sql_token_is_symbol(w->in, next, "(")) {
        if (sql_write_variant_call(w, *t, next)) {
            *t = next;
            return;
        }
        if (sql_write_function(w, *t, next, before, to, t))
            return;
    }
    if (sql_write_statement(w, before, t))
        return;
    if (!after_dot && sql_write_spelling(w, before, to, t))
        return;
    note_place(w, *t);
    if (!write_call_part(w, t) && !sql_write_variant_path(w, before, t))
        buf_append(&w->out, w->in.ptr + t->start, t->end - t->start);
}

enum status sql_writer_check(const struct sql_writer *w, struct error *err)
{
    if (w->too_deep)
        return error_set(err, STATUS_LIMIT_EXCEEDED, "calls stand too deep in each other");
    return w->failed ? error_oom(err) : buf_check(&w->out, err);
}

size_t sql_write_range(struct sql_writer *w, size_t from, size_t to)
{
    if (w->before.end != from)
        w->before = (struct sql_token){0};
    while (from < to) {
        struct sql_token t = sql_token_at(w->in, from);
        if (t.start >= to || t.kind == SQL_END) {
            write_gap(w, from, to);
            return to;
        }
        write_gap(w, from, t.start);
        write_token(w, &t, to, w->before);
        w->before = t;
        from = t.end;
    }
    return from;
}
