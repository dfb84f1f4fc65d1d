/* sql/select.c: Spark's spellings of a query to the engine's.
 *
 * The query is not parsed.  What is looked for is a name with time travel behind it, by the sequence of tokens; everything else is
 * copied.  Only `t@v3`, where the suffix is inside of the quotes, must stand where a table is expected: a column may have such a name.
 */
#include "sql/sql_int.h"

#include <stdio.h>

/* ---- where a table is expected --------------------------------------------------------------- */

enum { DEPTH_MAX = 256 };
struct place {
    bool in_from[DEPTH_MAX]; /* by bracket depth: a ',' is followed by another table */
    size_t depth;
    bool table_next, table_before;
    bool after_distinct;
};

static bool is_one_of(struct str word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (str_ieq(word, str_of(words[i])))
            return true;
    return false;
}

static void set_in_from(struct place *place, bool in_from)
{
    if (place->depth < DEPTH_MAX)
        place->in_from[place->depth] = in_from;
}

static void place_word(struct place *place, struct str word)
{
    static const char *const before[] = {"JOIN", "TABLE", "PIVOT", "UNPIVOT", "SUMMARIZE", "DESCRIBE"};
    static const char *const ends[] = {"SELECT", "WHERE",   "GROUP", "HAVING",    "ORDER",  "LIMIT",
                                       "WINDOW", "QUALIFY", "UNION", "INTERSECT", "EXCEPT", "OFFSET"};
    bool from = str_ieq(word, STR("FROM")) && !place->after_distinct;
    if (from)
        set_in_from(place, true);
    else if (is_one_of(word, ends, VV_ARRAY_COUNT(ends)))
        set_in_from(place, false);
    place->table_next = from || is_one_of(word, before, VV_ARRAY_COUNT(before)) || (place->table_next && str_ieq(word, STR("LATERAL")));
    place->after_distinct = str_ieq(word, STR("DISTINCT"));
}

static void place_symbol(struct place *place, char c)
{
    bool expected = place->table_next;
    place->table_next = false;
    if (c == '(') {
        place->depth++;
        set_in_from(place, expected);
        place->table_next = expected;
    } else if (c == ')') {
        place->depth -= place->depth > 0;
    } else if (c == ',') {
        place->table_next = place->depth < DEPTH_MAX && place->in_from[place->depth];
    } else if (c == ':') {
        place->table_next = place->table_before; /* alias: table */
    }
}

static void place_token(struct place *place, struct str text, struct sql_token t)
{
    bool before = place->table_next;
    if (t.kind == SQL_WORD)
        place_word(place, sql_token_text(text, t));
    else if (t.kind == SQL_SYMBOL && t.end == t.start + 1)
        place_symbol(place, text.ptr[t.start]);
    else
        place->table_next = false;
    if (t.kind != SQL_WORD)
        place->after_distinct = false;
    place->table_before = before;
}

/* ---- one reference with time travel ------------------------------------------------------------- */

struct reference {
    size_t start, name_end; /* of the name without a suffix in its quotes */
    struct sql_token last;  /* last part of the name */
    bool suffix_in_quotes;
    struct sql_travel travel;
    size_t alias_start, alias_end; /* equal: no alias */
    struct sql_token table_word;   /* TABLE t VERSION AS OF 3: a FROM must stand there; else zero */
};

static void write_name(struct sql_writer *w, const struct reference *ref)
{
    if (!ref->suffix_in_quotes) {
        sql_write_range(w, ref->start, ref->name_end);
        return;
    }
    sql_write_range(w, ref->start, ref->last.start);
    sql_write_name(w, ref->last, ref->travel.start);
}

/* AT (…): its parts point back into the clause, the last ends where the old text goes on. */
static void write_at(struct sql_writer *w, const struct reference *ref, bool blank, size_t resume)
{
    const struct sql_travel *t = &ref->travel;
    if (t->kind == SQL_AT_VERSION) {
        char text[64];
        int len = snprintf(text, sizeof text, "%sAT (VERSION => %lld)", blank ? " " : "", (long long)t->version);
        sql_write_edit(w, (struct str){text, (size_t)len}, t->start, resume);
        return;
    }
    struct str head = blank ? STR(" AT (TIMESTAMP => ") : STR("AT (TIMESTAMP => ");
    if (t->expr.ptr) {
        sql_write_edit(w, head, t->start, t->start);
        sql_write_edit(w, t->expr, t->start, t->end);
    } else {
        sql_write_edit(w, head, t->start, t->expr_start);
        sql_write_range(w, t->expr_start, t->expr_end);
    }
    sql_write_edit(w, STR(")"), t->end, resume);
}

/* What stands before is written. */
static void write_reference(struct sql_writer *w, const struct reference *ref)
{
    if (ref->table_word.end) {
        sql_write_edit(w, STR("FROM"), ref->table_word.start, ref->table_word.end);
        sql_write_range(w, ref->table_word.end, ref->start);
    }
    write_name(w, ref);
    bool gap = !ref->suffix_in_quotes && ref->travel.start > ref->name_end;
    size_t name_end = ref->suffix_in_quotes ? ref->last.end : ref->name_end;
    if (gap)
        sql_write_range(w, name_end, ref->travel.start);
    if (ref->alias_start == ref->alias_end) {
        write_at(w, ref, !gap, ref->suffix_in_quotes ? ref->last.end : ref->travel.end);
        return;
    }
    if (!ref->suffix_in_quotes)
        sql_write_edit(w, gap ? STR("") : STR(" "), ref->travel.start, ref->alias_start);
    else
        sql_write_range(w, ref->last.end, ref->alias_start);
    sql_write_range(w, ref->alias_start, ref->alias_end);
    write_at(w, ref, true, ref->alias_end);
}

/* ---- looking for them ------------------------------------------------------------------------------- */

/* name[.name]*: moves past it. */
static void take_dotted(struct sql_parser *p, struct reference *ref)
{
    ref->start = p->token.start;
    ref->last = p->token;
    sql_advance(p);
    while (sql_at_symbol(p, ".")) {
        struct sql_token next = sql_peek(p);
        if (next.kind != SQL_WORD && next.kind != SQL_QUOTED)
            break;
        sql_advance(p);
        ref->last = next;
        sql_advance(p);
    }
    ref->name_end = ref->last.end;
}

/* `t@v3` */
static enum status quoted_suffix(struct sql_parser *p, struct reference *ref)
{
    struct str inner = str_sub(p->text, ref->last.start + 1, ref->last.end - ref->last.start - 2);
    size_t start = sql_suffix_start(inner);
    if (start == inner.len)
        return STATUS_OK;
    ref->suffix_in_quotes = true;
    enum status status = sql_read_suffix(p->arena, str_sub(inner, start, inner.len - start), ref->last.start + 1 + start, &ref->travel, p->err);
    ref->travel.start = ref->last.start + 1 + start;
    ref->travel.end = ref->last.end - 1;
    return status;
}

/* p is behind a name: reads the time travel and the alias that follow. ref->travel.kind is NONE when there is none. */
static enum status take_travel(struct sql_parser *p, bool table_here, struct reference *ref)
{
    enum status status = STATUS_OK;
    if (sql_at_suffix(p))
        status = sql_take_suffix(p, &ref->travel);
    else if (sql_at_travel(p))
        status = sql_take_travel(p, &ref->travel);
    else if (table_here && ref->last.kind == SQL_QUOTED && p->text.ptr[ref->last.start] == '`' && ref->last.end > ref->last.start + 2)
        status = quoted_suffix(p, ref);
    if (status != STATUS_OK || ref->travel.kind == SQL_AT_NONE)
        return status;
    ref->alias_start = p->token.start;
    ref->alias_end = sql_take_alias(p) ? p->last_end : ref->alias_start;
    return STATUS_OK;
}

static bool can_be_name(const struct sql_parser *p)
{
    if (p->token.kind == SQL_QUOTED)
        return true;
    return p->token.kind == SQL_WORD && (!sql_cannot_name_table(sql_token_text(p->text, p->token)) || sql_token_is_symbol(p->text, sql_peek(p), "."));
}

static enum status rewrite(struct sql_parser *p, struct sql_writer *w, struct place *place)
{
    size_t written = 0;
    struct sql_token before = {0};
    while (p->token.kind != SQL_END) {
        if (p->token.kind == SQL_ERROR)
            return sql_bad_token(p->text, p->token, p->err);
        /* behind what is written: inside of something that was written as a whole, such as a DESCRIBE that stands for a table */
        if (p->token.start < written || !can_be_name(p) || sql_token_is_symbol(p->text, before, ".")) {
            place_token(place, p->text, p->token);
            before = p->token;
            sql_advance(p);
            continue;
        }
        struct reference ref = {0};
        bool table_here = place->table_next;
        take_dotted(p, &ref);
        enum status status = take_travel(p, table_here, &ref);
        if (status != STATUS_OK)
            return status;
        if (ref.travel.kind != SQL_AT_NONE) {
            if (sql_token_is_word(p->text, before, "TABLE"))
                ref.table_word = before;
            size_t start = ref.table_word.end ? ref.table_word.start : ref.start;
            written = sql_write_range(w, written, start);
            if (written == start) {
                write_reference(w, &ref);
                written = p->last_end;
            }
        } else if (table_here && sql_token_is_word(p->text, before, "TABLE")) {
            written = sql_write_range(w, written, before.start); /* TABLE takes no subquery, FROM does */
            if (written == before.start) {
                sql_write_edit(w, STR("FROM"), before.start, before.end);
                written = before.end;
            }
        }
        place->table_next = place->after_distinct = false;
        place->table_before = table_here;
        before = ref.last;
    }
    sql_write_range(w, written, p->text.len);
    return sql_writer_check(w, p->err);
}

enum status sql_to_engine(struct arena *arena, struct str query, struct sql_text *out, struct error *err)
{
    struct sql_parser p = sql_parser_at(arena, query, 0, err);
    struct sql_writer w = {.arena = arena, .in = query};
    struct place place = {0};
    *out = (struct sql_text){0};
    enum status status = rewrite(&p, &w, &place);
    struct str text = status == STATUS_OK ? arena_str(arena, buf_view(&w.out)) : STR_NULL;
    buf_release(&w.out);
    if (status != STATUS_OK)
        return status;
    if (!text.ptr)
        return error_oom(err);
    *out = (struct sql_text){.text = text, .edits = w.edits, .edit_count = w.edit_count};
    return STATUS_OK;
}

size_t sql_text_origin(const struct sql_text *t, size_t position)
{
    size_t low = 0, high = t->edit_count; /* the last edit that starts at or before position */
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (t->edits[middle].out_start <= position)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == 0)
        return position;
    const struct sql_edit *e = &t->edits[low - 1];
    if (position >= e->out_end)
        return e->in_end + (position - e->out_end);
    bool same_length = e->out_end - e->out_start == e->in_end - e->in_start;
    return same_length ? e->in_start + (position - e->out_start) : e->in_start;
}
