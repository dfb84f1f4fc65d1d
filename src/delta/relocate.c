/* delta/relocate.c: rows that a winner moved into other files, found again by their ids.
 *
 * OPTIMIZE of a table that tracks its rows took a file away that this change gave a vector: the rows are the same, elsewhere.  Whoever reads data
 * files says where (delta_find_rows_fn), and the vectors go to the files that the rows are in now. */
#include "delta/delta_int.h"

struct relocation {
    const struct delta_rivalry *rivalry;
    struct arena arena;
    struct delta_vector_change **moved; /* pointers hold until vectors are added */
    struct delta_file *from, *to;
    struct delta_rows **rows, **found; /* of from; of to */
    size_t from_count, to_count;
    struct error *err;
};

bool delta_winner_keeps_row_ids(const struct delta_commit *winner)
{
    struct arena scratch = ARENA_INIT;
    struct json json;
    uint32_t tags, kept = 0;
    bool is_object =
        winner->has_commit_info && json_parse(&scratch, winner->commit_info, &json, NULL) == STATUS_OK && json.nodes[0].type == JSON_OBJECT;
    if (is_object && (tags = json_member(&json, 0, "tags")) && json.nodes[tags].type == JSON_OBJECT)
        kept = json_member(&json, tags, "delta.rowTracking.preserved");
    bool keeps = kept && json.nodes[kept].type == JSON_STRING && str_eq(json.nodes[kept].text, STR("true"));
    arena_release(&scratch);
    return keeps;
}

void delta_txn_finds_rows(struct delta_txn *txn, delta_find_rows_fn fn, void *user)
{
    txn->find_rows = fn;
    txn->find_rows_user = user;
}

/* ---- from where, to where --------------------------------------------------------------------------- */

/* The rows of a change alone. */
static enum status own_rows(struct relocation *r, const struct delta_vector_change *v, struct delta_rows **out)
{
    struct store *store = r->rivalry->txn->table->store;
    struct delta_rows *base = NULL;
    enum status status = delta_dv_read(r->rivalry->ctx, store, &v->dv, out, r->err);
    if (!status && v->has_base)
        status = delta_dv_read(r->rivalry->ctx, store, &v->own_base, &base, r->err);
    if (!status && base && !delta_rows_subtract(*out, base))
        status = error_oom(r->err);
    delta_rows_free(base);
    return status;
}

static enum status list_from(struct relocation *r)
{
    struct delta_txn *txn = r->rivalry->txn;
    enum status status = STATUS_OK;
    r->moved = ARENA_ARRAY(&r->arena, struct delta_vector_change *, txn->vector_count + 1);
    r->from = ARENA_ARRAY(&r->arena, struct delta_file, txn->vector_count + 1);
    r->rows = ARENA_ARRAY(&r->arena, struct delta_rows *, txn->vector_count + 1);
    if (!r->moved || !r->from || !r->rows)
        return error_oom(r->err);
    for (size_t i = 0; i < txn->vector_count && !status; i++) {
        struct delta_vector_change *v = &txn->vectors[i];
        if (!v->is_moved)
            continue;
        r->moved[r->from_count] = v;
        r->from[r->from_count] = v->file;
        r->from[r->from_count].dv = v->has_base ? &v->own_base : NULL;
        status = own_rows(r, v, &r->rows[r->from_count++]);
    }
    return status;
}

static bool same_partition(const struct relocation *r, const struct str *values)
{
    uint32_t count = r->rivalry->txn->base->head->metadata.partition_column_count;
    for (size_t i = 0; i < r->from_count; i++) {
        bool same = true;
        for (uint32_t p = 0; p < count && same; p++) {
            struct str a = r->from[i].partition_values[p], b = values[p];
            same = !a.ptr || !b.ptr ? a.ptr == b.ptr : str_eq(a, b);
        }
        if (same)
            return true;
    }
    return false;
}

static enum status list_to(struct relocation *r)
{
    const struct delta_commit *winner = r->rivalry->winner;
    const struct delta_head *head = r->rivalry->txn->base->head;
    enum status status = STATUS_OK;
    r->to = ARENA_ARRAY(&r->arena, struct delta_file, winner->add_count + 1);
    r->found = ARENA_ARRAY(&r->arena, struct delta_rows *, winner->add_count + 1);
    if (!r->to || !r->found)
        return error_oom(r->err);
    for (size_t i = 0; i < winner->add_count && !status; i++) {
        struct delta_file *file = &r->to[r->to_count];
        status = delta_file_of_add(&r->arena, head, &winner->adds[i], file, r->err);
        if (status || !same_partition(r, file->partition_values))
            continue;
        r->found[r->to_count++] = delta_rows_new();
        if (!r->found[r->to_count - 1])
            status = error_oom(r->err);
    }
    return status;
}

/* ---- moving ---------------------------------------------------------------------------------------------- */

static enum status lost(const struct relocation *r)
{
    return delta_conflict(r->rivalry, "ConcurrentDeleteDeleteException", "moved the rows of file", r->from[0].path, NULL, r->err);
}

static enum status find(struct relocation *r)
{
    struct delta_txn *txn = r->rivalry->txn;
    struct delta_move move = {.from = r->from,
                              .rows = (const struct delta_rows *const *)r->rows,
                              .from_count = r->from_count,
                              .to = r->to,
                              .to_count = r->to_count,
                              .found = r->found};
    uint64_t wanted = 0, found = 0;
    enum status status = r->to_count ? txn->find_rows(txn->find_rows_user, r->rivalry->ctx, &move, r->err) : STATUS_OK;
    for (size_t i = 0; i < r->from_count; i++)
        wanted += delta_rows_count(r->rows[i]);
    for (size_t i = 0; i < r->to_count; i++)
        found += delta_rows_count(r->found[i]);
    if (status)
        return status;
    return wanted == found ? STATUS_OK : lost(r);
}

/* The files that have some of the rows, with all that their vectors will hold. */
static enum status keep_found(struct relocation *r)
{
    struct store *store = r->rivalry->txn->table->store;
    enum status status = STATUS_OK;
    size_t kept = 0;
    for (size_t i = 0; i < r->to_count && !status; i++) {
        struct delta_rows *old = NULL;
        if (!delta_rows_count(r->found[i])) {
            delta_rows_free(r->found[i]);
            r->found[i] = NULL;
            continue;
        }
        if (r->to[i].record_count < 0)
            status = lost(r);
        else if (r->to[i].dv)
            status = delta_dv_read(r->rivalry->ctx, store, r->to[i].dv, &old, r->err);
        if (!status && old && !delta_rows_union(r->found[i], old))
            status = error_oom(r->err);
        delta_rows_free(old);
        struct delta_rows *rows = r->found[i];
        r->found[i] = NULL;
        r->found[kept] = rows;
        r->to[kept++] = r->to[i];
    }
    if (!status)
        r->to_count = kept;
    return status;
}

static enum status put_vectors(struct relocation *r, const struct delta_dv *vectors)
{
    struct delta_txn *txn = r->rivalry->txn;
    enum status status = STATUS_OK;
    for (size_t i = 0; i < r->from_count && !status; i++)
        status = delta_txn_drop_vector(txn, r->moved[i], r->err);
    for (size_t i = 0; i < r->to_count && !status; i++) {
        status = delta_txn_set_dv(txn, &r->to[i], &vectors[i], r->err);
        if (!status)
            txn->vectors[txn->vector_count - 1].is_rebased = true;
    }
    return status;
}

static enum status move_vectors(struct relocation *r)
{
    struct delta_txn *txn = r->rivalry->txn;
    struct delta_dv *vectors = ARENA_ARRAY(&r->arena, struct delta_dv, r->to_count + 1);
    if (!vectors)
        return error_oom(r->err);
    enum status status =
        delta_dv_write(r->rivalry->ctx, txn->table->store, (const struct delta_rows *const *)r->found, r->to_count, &r->arena, vectors, r->err);
    if (status)
        return status;
    if ((status = put_vectors(r, vectors)))
        delta_dv_discard(r->rivalry->ctx, txn->table->store, &vectors[0]);
    return status;
}

enum status delta_txn_relocate_vectors(const struct delta_rivalry *rivalry, bool *rebased, struct error *err)
{
    struct relocation r = {.rivalry = rivalry, .arena = ARENA_INIT, .err = err};
    enum status status = list_from(&r);
    if (!status && r.from_count)
        status = list_to(&r);
    if (!status && r.from_count)
        status = find(&r);
    if (!status && r.from_count)
        status = keep_found(&r);
    if (!status && r.from_count)
        status = move_vectors(&r);
    *rebased |= !status && r.from_count;
    for (size_t i = 0; i < r.from_count; i++)
        delta_rows_free(r.rows[i]);
    for (size_t i = 0; r.found && i < rivalry->winner->add_count; i++)
        delta_rows_free(r.found[i]);
    arena_release(&r.arena);
    return status;
}
