/* sql/values.c: the values of INSERT … VALUES, as far as the table has a say in them: DEFAULT, and texts beside numbers. */
#include "sql/sql_int.h"

/* What has been seen in a column so far. */
enum { SEEN_DEFAULT = 1, SEEN_TEXT = 2, SEEN_OTHER = 4 };

struct values_reader {
    struct sql_parser p;
    struct sql_values *out;
    unsigned char *seen;   /* per column; NULL while the first row is counted */
    struct sql_value *put; /* second pass */
    uint32_t row, column;
};

/* Moves past one value: to the comma or bracket that ends it. false: not of the form that is understood. */
static bool read_value(struct values_reader *r, struct sql_value *value)
{
    struct sql_parser *p = &r->p;
    size_t tokens = 0;
    struct sql_token first = p->token;
    *value = (struct sql_value){.row = r->row, .column = r->column, .start = first.start, .kind = SQL_VALUE_OTHER};
    while (!sql_at_symbol(p, ",") && !sql_at_symbol(p, ")")) {
        if (p->token.kind == SQL_END || p->token.kind == SQL_ERROR || sql_at_symbol(p, ";"))
            return false;
        tokens++;
        if (sql_at_symbol(p, "(") || sql_at_symbol(p, "[") || sql_at_symbol(p, "{")) {
            if (sql_skip_brackets(p) != STATUS_OK)
                return false;
        } else {
            sql_advance(p);
        }
    }
    value->end = p->last_end;
    if (tokens == 1 && sql_token_is_word(p->text, first, "DEFAULT"))
        value->kind = SQL_VALUE_DEFAULT;
    else if (tokens == 1 && sql_token_is_word(p->text, first, "NULL"))
        value->kind = SQL_VALUE_NULL;
    else if (tokens == 1 && first.kind == SQL_STRING)
        value->kind = SQL_VALUE_TEXT;
    return tokens > 0;
}

static bool read_row(struct values_reader *r)
{
    static const unsigned char marks[] = {
        [SQL_VALUE_DEFAULT] = SEEN_DEFAULT, [SQL_VALUE_NULL] = 0, [SQL_VALUE_TEXT] = SEEN_TEXT, [SQL_VALUE_OTHER] = SEEN_OTHER};
    struct sql_value value;
    r->column = 0;
    if (!sql_take_symbol(&r->p, "("))
        return false;
    do {
        if (!read_value(r, &value) || (r->seen && r->column >= r->out->columns))
            return false;
        if (r->seen)
            r->seen[r->column] |= marks[value.kind];
        if (r->put)
            *r->put++ = value;
        r->column++;
    } while (sql_take_symbol(&r->p, ","));
    return sql_take_symbol(&r->p, ")");
}

/* Every row; false when the query is not just rows of one width. */
static bool read_rows(struct values_reader *r)
{
    r->row = 0;
    if (!sql_take_word(&r->p, "VALUES"))
        return false;
    do {
        if (!read_row(r) || r->column != r->out->columns)
            return false;
        r->row++;
    } while (sql_take_symbol(&r->p, ","));
    return r->p.token.kind == SQL_END;
}

static bool is_needed(const unsigned char *seen, uint32_t columns)
{
    for (uint32_t i = 0; i < columns; i++)
        if ((seen[i] & SEEN_DEFAULT) || (seen[i] & (SEEN_TEXT | SEEN_OTHER)) == (SEEN_TEXT | SEEN_OTHER))
            return true;
    return false;
}

enum status sql_read_values(struct arena *arena, struct str query, struct sql_values *out, struct error *err)
{
    struct error ignored = ERROR_INIT; /* what is not understood here the engine will refuse in its own words */
    struct sql_parser start = sql_parser_at(arena, query, 0, &ignored);
    struct values_reader r = {.p = start, .out = out};
    enum status status = STATUS_OK;
    *out = (struct sql_values){0};
    if (!sql_take_word(&r.p, "VALUES") || !read_row(&r))
        goto done;
    out->columns = r.column;
    r = (struct values_reader){.p = start, .out = out, .seen = arena_alloc(arena, out->columns)};
    if (!r.seen)
        status = error_oom(err);
    if (status != STATUS_OK || !read_rows(&r) || !is_needed(r.seen, out->columns))
        goto done;
    out->rows = r.row;
    out->items = ARENA_ARRAY(arena, struct sql_value, (size_t)out->rows * out->columns);
    if (!out->items) {
        status = error_oom(err);
        goto done;
    }
    r = (struct values_reader){.p = start, .out = out, .seen = r.seen, .put = out->items};
    out->count = read_rows(&r) ? (size_t)out->rows * out->columns : 0;
done:
    error_release(&ignored);
    return status;
}

enum status sql_replace_values(struct arena *arena, struct str query, const struct sql_values *values, const struct str *replacements,
                               struct sql_text *out, struct error *err)
{
    struct sql_edit *edits = ARENA_ARRAY(arena, struct sql_edit, values->count + 1);
    struct buf text = BUF_INIT;
    size_t at = 0, count = 0;
    if (!edits)
        return error_oom(err);
    for (size_t i = 0; i < values->count; i++) {
        const struct sql_value *v = &values->items[i];
        if (!replacements[i].ptr)
            continue;
        buf_append(&text, query.ptr + at, v->start - at);
        edits[count] = (struct sql_edit){.out_start = text.len, .in_start = v->start, .in_end = v->end};
        buf_str(&text, replacements[i]);
        edits[count++].out_end = text.len;
        at = v->end;
    }
    buf_append(&text, query.ptr + at, query.len - at);
    enum status status = buf_check(&text, err);
    *out = (struct sql_text){.text = status ? STR_NULL : arena_str(arena, buf_view(&text)), .edits = edits, .edit_count = count};
    if (!status && !out->text.ptr)
        status = error_oom(err);
    buf_release(&text);
    return status;
}
