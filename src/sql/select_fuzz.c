/* sql/select_fuzz.c: whatever the bytes, the rewrite answers and its map leads into the old text; references and normal forms hold together. */
#include <stdlib.h>

#include "sql/sql.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(bool holds)
{
    if (!holds)
        abort();
}

static void check_map(const struct sql_text *t, struct str query)
{
    size_t out_at = 0, in_at = 0;
    for (size_t i = 0; i < t->edit_count; i++) {
        const struct sql_edit *e = &t->edits[i];
        must(e->out_start >= out_at && e->out_end >= e->out_start && e->out_end <= t->text.len);
        must(e->in_end >= e->in_start && e->in_end <= query.len);
        if (e->in_start >= in_at) { /* the part between is the same */
            size_t len = e->out_start - out_at;
            must(in_at + len <= query.len && str_eq(str_sub(t->text, out_at, len), str_sub(query, in_at, len)));
        }
        out_at = e->out_end;
        in_at = e->in_end;
    }
    must(str_eq(str_sub(t->text, out_at, t->text.len - out_at), str_sub(query, in_at, query.len - in_at)));
    for (size_t i = 0; i <= t->text.len; i++)
        must(sql_text_origin(t, i) <= query.len);
}

static void check_references(struct str text)
{
    for (struct sql_token token = sql_token_at(text, 0); token.kind != SQL_END && token.kind != SQL_ERROR; token = sql_token_at(text, token.end)) {
        struct sql_ref_extent ref;
        struct error err = ERROR_INIT;
        if (sql_ref_extent(text, token.start, &ref, &err) == STATUS_OK) {
            must(ref.name_start == token.start && ref.name_end > ref.name_start && ref.at_start >= ref.name_end && ref.at_end >= ref.at_start &&
                 ref.at_end <= text.len);
            must((ref.at.kind == SQL_AT_NONE) == (ref.at_start == ref.at_end));
        } else {
            must(err.position >= 0 && (size_t)err.position <= text.len);
        }
        error_release(&err);
    }
}

static void check_normalize(struct str query)
{
    struct buf once = BUF_INIT, twice = BUF_INIT;
    struct error err = ERROR_INIT;
    if (sql_normalize(query, &once, &err) == STATUS_OK) {
        must(sql_normalize(buf_view(&once), &twice, &err) == STATUS_OK);
        must(str_eq(buf_view(&once), buf_view(&twice)));
    } else {
        must(err.position >= 0 && (size_t)err.position <= query.len);
    }
    error_release(&err);
    buf_release(&once);
    buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str query = {(const char *)data, size};
    struct arena arena = ARENA_INIT;
    struct error err = ERROR_INIT;
    struct sql_text once;
    if (size > 4096)
        return 0;
    if (sql_to_engine(&arena, query, &once, &err) == STATUS_OK) {
        check_map(&once, query);
        check_references(once.text);
    } else {
        must(err.position >= 0 && (size_t)err.position <= size && utf8_valid(str_of(err.message)) && (!err.hint || utf8_valid(str_of(err.hint))));
    }
    check_normalize(query);
    error_release(&err);
    arena_release(&arena);
    return 0;
}
