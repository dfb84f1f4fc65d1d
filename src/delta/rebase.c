/* delta/rebase.c: row-level concurrency: two writers who gave one file vectors of different rows both commit.
 *
 * The later one's vector becomes the union of both, written anew; his change data and row ids hold as they are, for they are about his own rows. */
#include "delta/delta_int.h"

#include <stdio.h>

enum { MASK_WORDS = 64 };

/* The vectors of one file. */
struct meeting {
    struct delta_vector_change *change;
    const struct delta_action_add *rival;
    struct delta_rows *joined;
};
struct rebase {
    const struct delta_rivalry *rivalry;
    struct arena arena;
    struct meeting *meetings;
    size_t count;
    struct error *err;
};

/* ---- sets of rows -------------------------------------------------------------------------------- */

static enum status read_rows(const struct rebase *r, const struct delta_dv *dv, struct delta_rows **out)
{
    *out = NULL;
    if (dv)
        return delta_dv_read(r->rivalry->ctx, r->rivalry->txn->table->store, dv, out, r->err);
    *out = delta_rows_new();
    return *out ? STATUS_OK : error_oom(r->err);
}

static struct delta_rows *difference(const struct delta_rows *from, const struct delta_rows *what)
{
    struct delta_rows *out = delta_rows_new();
    if (out && delta_rows_union(out, from) && delta_rows_subtract(out, what))
        return out;
    delta_rows_free(out);
    return NULL;
}

static int64_t first_row(const struct delta_rows *rows, int64_t end)
{
    uint64_t words[MASK_WORDS];
    for (int64_t first = 0; first < end; first += MASK_WORDS * 64) {
        int64_t left = end - first;
        size_t count = left < MASK_WORDS * 64 ? (size_t)left : MASK_WORDS * 64;
        memset(words, 0, sizeof words);
        delta_rows_mask(rows, (uint64_t)first, count, words);
        for (size_t w = 0; w < MASK_WORDS; w++)
            if (words[w])
                return first + (int64_t)(w * 64) + __builtin_ctzll(words[w]);
    }
    return -1;
}

/* ---- one file --------------------------------------------------------------------------------------- */

static enum status same_row(const struct rebase *r, const struct meeting *m, const struct delta_rows *ours, const struct delta_rows *theirs)
{
    struct delta_rows *apart = difference(ours, theirs), *both = apart ? difference(ours, apart) : NULL;
    char what[64];
    enum status status = STATUS_OUT_OF_MEMORY;
    if (both) {
        snprintf(what, sizeof what, "took row %lld of file", (long long)first_row(both, m->change->file.record_count));
        status = delta_conflict(r->rivalry, "ConcurrentDeleteDeleteException", what, m->change->file.path, NULL, r->err);
        error_detail(r->err, "both change %llu of its rows", (unsigned long long)delta_rows_count(both));
    } else {
        error_oom(r->err);
    }
    delta_rows_free(apart);
    delta_rows_free(both);
    return status;
}

/* base: the vector that both started from. */
static enum status join(const struct rebase *r, struct meeting *m, const struct delta_rows *base, const struct delta_rows *winner,
                        const struct delta_rows *own)
{
    struct delta_rows *ours = difference(own, base), *theirs = difference(winner, base), *back = difference(base, winner);
    enum status status = STATUS_OK;
    m->joined = delta_rows_new();
    if (!ours || !theirs || !back || !m->joined || !delta_rows_union(m->joined, own) || !delta_rows_union(m->joined, winner))
        status = error_oom(r->err);
    else if (delta_rows_count(back))
        status = delta_conflict(r->rivalry, "ConcurrentAppendException", "gave back rows of file", m->change->file.path, NULL, r->err);
    else if (delta_rows_count(base) + delta_rows_count(ours) + delta_rows_count(theirs) != delta_rows_count(m->joined))
        status = same_row(r, m, ours, theirs);
    delta_rows_free(ours);
    delta_rows_free(theirs);
    delta_rows_free(back);
    return status;
}

static enum status meet(const struct rebase *r, struct meeting *m)
{
    struct delta_rows *base = NULL, *winner = NULL, *own = NULL;
    enum status status = read_rows(r, m->change->has_base ? &m->change->own_base : NULL, &base);
    if (!status)
        status = read_rows(r, m->rival->has_dv ? &m->rival->dv : NULL, &winner);
    if (!status)
        status = read_rows(r, &m->change->dv, &own);
    if (!status)
        status = join(r, m, base, winner, own);
    delta_rows_free(base);
    delta_rows_free(winner);
    delta_rows_free(own);
    return status;
}

/* ---- all of them -------------------------------------------------------------------------------------- */

static enum status collect(struct rebase *r)
{
    struct delta_txn *txn = r->rivalry->txn;
    r->meetings = ARENA_ARRAY(&r->arena, struct meeting, txn->vector_count + 1);
    if (!r->meetings)
        return error_oom(r->err);
    for (size_t i = 0; i < txn->vector_count; i++)
        if (txn->vectors[i].rival)
            r->meetings[r->count++] = (struct meeting){.change = &txn->vectors[i], .rival = txn->vectors[i].rival};
    return STATUS_OK;
}

static enum status put_aside(struct delta_txn *txn, const struct delta_vector_change *v, struct error *err)
{
    if (txn->spare_vector_count == txn->spare_vector_cap) {
        size_t cap = txn->spare_vector_cap ? txn->spare_vector_cap * 2 : 4;
        struct delta_spare_vector *grown = mem_realloc(txn->spare_vectors, cap * sizeof *grown);
        if (!grown)
            return error_oom(err);
        txn->spare_vectors = grown;
        txn->spare_vector_cap = cap;
    }
    txn->spare_vectors[txn->spare_vector_count++] = (struct delta_spare_vector){.dv = v->dv, .is_ours = v->is_rebased};
    return STATUS_OK;
}

/* The file as the winner left it. */
static struct delta_file file_after(const struct meeting *m)
{
    struct delta_file file = m->change->file;
    const struct delta_action_add *add = m->rival;
    file.path = add->path;
    file.size_bytes = add->size_bytes;
    file.modified_ms = add->modified_ms;
    file.stats = add->stats;
    file.base_row_id = add->base_row_id;
    file.row_commit_version = add->row_commit_version;
    file.dv = add->has_dv ? &add->dv : NULL;
    return file;
}

static enum status write_joined(struct rebase *r)
{
    struct delta_txn *txn = r->rivalry->txn;
    const struct delta_rows **sets = ARENA_ARRAY(&r->arena, const struct delta_rows *, r->count + 1);
    struct delta_dv *vectors = ARENA_ARRAY(&r->arena, struct delta_dv, r->count + 1);
    if (!sets || !vectors)
        return error_oom(r->err);
    for (size_t i = 0; i < r->count; i++)
        sets[i] = r->meetings[i].joined;
    enum status status = delta_dv_write(r->rivalry->ctx, txn->table->store, sets, r->count, &r->arena, vectors, r->err);
    if (status)
        return status;
    for (size_t i = 0; i < r->count && !status; i++) {
        struct delta_file file = file_after(&r->meetings[i]);
        status = put_aside(txn, r->meetings[i].change, r->err);
        if (!status)
            status = delta_txn_replace_vector(txn, r->meetings[i].change, &file, &vectors[i], r->err);
    }
    if (status)
        delta_dv_discard(r->rivalry->ctx, txn->table->store, &vectors[0]);
    return status;
}

enum status delta_txn_rebase_vectors(const struct delta_rivalry *rivalry, bool *rebased, struct error *err)
{
    struct rebase r = {.rivalry = rivalry, .arena = ARENA_INIT, .err = err};
    enum status status = collect(&r);
    for (size_t i = 0; i < r.count && !status; i++)
        status = meet(&r, &r.meetings[i]);
    if (!status && r.count)
        status = write_joined(&r);
    *rebased |= !status && r.count;
    for (size_t i = 0; i < r.count; i++)
        delta_rows_free(r.meetings[i].joined);
    arena_release(&r.arena);
    return status;
}

/* ---- what is left behind --------------------------------------------------------------------------------- */

static bool is_named(const struct delta_txn *txn, const struct delta_dv *dv)
{
    for (size_t i = 0; i < txn->vector_count; i++)
        if (str_eq(txn->vectors[i].dv.path, dv->path))
            return true;
    return false;
}

void delta_txn_discard_vectors(struct ctx *ctx, struct delta_txn *txn, bool committed)
{
    struct ctx calm = {.clock = ctx->clock, .rng = ctx->rng, .log = ctx->log}; /* a cancelled request tidies up too */
    for (size_t i = 0; i < txn->spare_vector_count; i++) {
        const struct delta_spare_vector *spare = &txn->spare_vectors[i];
        if (committed ? !is_named(txn, &spare->dv) : spare->is_ours)
            delta_dv_discard(&calm, txn->table->store, &spare->dv);
    }
    for (size_t i = 0; i < txn->vector_count && !committed; i++)
        if (txn->vectors[i].is_rebased)
            delta_dv_discard(&calm, txn->table->store, &txn->vectors[i].dv);
}
