/* delta/reads.c: what a change read of its base, and whether another commit touched it.
 *
 * A read is a predicate that every row read had.  A file that another writer added is in its way only when, by its partition values and typed
 * statistics, it can hold such a row; a file that he took away only when it was one of the files of the base that could.  Files that were moved
 * (nothing in them changed) take their place in the read. */
#include "delta/delta_int.h"

enum { FIRST_READS = 2 };

/* ---- keeping ------------------------------------------------------------------------------------ */

static bool copy_value(struct arena *arena, const struct delta_value *from, struct delta_value *to)
{
    *to = *from;
    if (from->str.ptr)
        to->str = arena_str(arena, from->str);
    return !from->str.ptr || to->str.ptr;
}

static bool copy_column(struct arena *arena, const struct delta_pred *from, struct delta_pred *to)
{
    struct str *column = ARENA_ARRAY(arena, struct str, from->column_depth + 1);
    for (uint32_t i = 0; column && i < from->column_depth; i++) {
        column[i] = arena_str(arena, from->column[i]);
        if (!column[i].ptr)
            return false;
    }
    to->column = column;
    return column != NULL;
}

/* A deep copy; NULL when out of memory. */
static struct delta_pred *copy_pred(struct arena *arena, const struct delta_pred *from)
{
    struct delta_pred *to = ARENA_NEW(arena, struct delta_pred);
    struct delta_value *values = ARENA_ARRAY(arena, struct delta_value, from->value_count + 1);
    struct delta_pred **children = ARENA_ARRAY(arena, struct delta_pred *, from->child_count + 1);
    if (!to || !values || !children)
        return NULL;
    *to = *from;
    to->values = values;
    to->children = children;
    for (uint32_t i = 0; i < from->value_count; i++)
        if (!copy_value(arena, &from->values[i], &values[i]))
            return NULL;
    for (uint32_t i = 0; i < from->child_count; i++)
        if (!(children[i] = copy_pred(arena, from->children[i])))
            return NULL;
    return copy_column(arena, from, to) ? to : NULL;
}

enum status delta_txn_reads(struct delta_txn *txn, const struct delta_pred *pred, bool takes_all, struct error *err)
{
    if (txn->read_count == txn->read_cap) {
        size_t cap = txn->read_cap ? txn->read_cap * 2 : FIRST_READS;
        struct delta_read *grown = mem_realloc(txn->reads, cap * sizeof *grown);
        if (!grown)
            return error_oom(err);
        txn->reads = grown;
        txn->read_cap = cap;
    }
    struct delta_read read = {.pred = pred ? copy_pred(&txn->arena, pred) : NULL, .takes_all = takes_all};
    if (pred && !read.pred)
        return error_oom(err);
    txn->reads[txn->read_count++] = read;
    return STATUS_OK;
}

/* ---- as text ---------------------------------------------------------------------------------------- */

enum { VALUES_SHOWN = 8 };

static void put_value(struct buf *out, const struct delta_value *v)
{
    struct buf text = BUF_INIT;
    bool quoted =
        v->type == DELTA_STRING || v->type == DELTA_BINARY || v->type == DELTA_DATE || v->type == DELTA_TIMESTAMP || v->type == DELTA_TIMESTAMP_NTZ;
    if (v->is_null || !delta_partition_text(v, &text))
        buf_z(out, v->is_null ? "NULL" : "''");
    else
        buf_printf(out, quoted ? "'%.*s'" : "%.*s", STR_ARG(buf_view(&text)));
    out->failed |= text.failed;
    buf_release(&text);
}

static void put_comparison(struct buf *out, const struct delta_pred *p)
{
    static const char *const signs[] = {[DELTA_PRED_EQ] = " = ",   [DELTA_PRED_NE] = " <> ",          [DELTA_PRED_LT] = " < ",
                                        [DELTA_PRED_LE] = " <= ",  [DELTA_PRED_GT] = " > ",           [DELTA_PRED_GE] = " >= ",
                                        [DELTA_PRED_IN] = " IN (", [DELTA_PRED_IS_NULL] = " IS NULL", [DELTA_PRED_IS_NOT_NULL] = " IS NOT NULL"};
    for (uint32_t i = 0; i < p->column_depth; i++)
        buf_printf(out, "%s%.*s", i ? "." : "", STR_ARG(p->column[i]));
    buf_z(out, signs[p->op]);
    if (p->op == DELTA_PRED_IS_NULL || p->op == DELTA_PRED_IS_NOT_NULL)
        return;
    for (uint32_t i = 0; i < p->value_count && i < VALUES_SHOWN; i++) {
        buf_z(out, i ? ", " : "");
        put_value(out, &p->values[i]);
    }
    if (p->value_count > VALUES_SHOWN)
        buf_printf(out, ", and %u more", p->value_count - VALUES_SHOWN);
    if (p->op == DELTA_PRED_IN)
        buf_char(out, ')');
}

void delta_pred_text(const struct delta_pred *p, struct buf *out)
{
    bool all = p->op == DELTA_PRED_AND;
    if (p->op != DELTA_PRED_AND && p->op != DELTA_PRED_OR) {
        put_comparison(out, p);
        return;
    }
    if (!p->child_count)
        buf_z(out, all ? "true" : "false");
    buf_z(out, p->child_count > 1 ? "(" : "");
    for (uint32_t i = 0; i < p->child_count; i++) {
        buf_z(out, i == 0 ? "" : all ? " AND " : " OR ");
        delta_pred_text(p->children[i], out);
    }
    buf_z(out, p->child_count > 1 ? ")" : "");
}

/* ---- rows that came ---------------------------------------------------------------------------------------- */

static struct str partition_value(const struct delta_action_add *add, struct str key)
{
    for (uint32_t i = 0; i < add->partition_value_count; i++)
        if (str_eq(add->partition_values[i].key, key))
            return add->partition_values[i].value;
    return STR_NULL;
}

enum status delta_segment_of_adds(const struct delta_head *head, const struct delta_commit *commit, struct delta_segment **out, struct error *err)
{
    uint32_t partitions = head->metadata.partition_column_count;
    struct arena scratch = ARENA_INIT;
    struct str *values = ARENA_ARRAY(&scratch, struct str, partitions + 1);
    struct delta_segment *g = delta_segment_new(partitions);
    enum status status = g && values ? STATUS_OK : error_oom(err);
    for (size_t i = 0; i < commit->add_count && !status; i++) {
        const struct delta_action_add *add = &commit->adds[i];
        for (uint32_t p = 0; p < partitions; p++)
            values[p] = partition_value(add, head->partition_keys[p]);
        status = delta_segment_append(g, add->path, add->size_bytes, add->modified_ms, values, add->has_dv ? &add->dv : NULL, add->stats, err);
    }
    arena_release(&scratch);
    if (status) {
        delta_segment_unref(g);
        g = NULL;
    }
    *out = g;
    return status;
}

/* Bits of the adds that can hold a row that was read. */
static enum status meet(struct ctx *ctx, const struct delta_txn *txn, const struct delta_read *read, struct delta_segment *g, uint64_t *keep,
                        struct error *err)
{
    const struct delta_head *h = txn->base->head;
    struct arena scratch = ARENA_INIT;
    struct delta_prune *prune = NULL;
    size_t by_partition = 0, by_stats = 0;
    memset(keep, 0xff, delta_words(g->count) * sizeof *keep);
    if (g->count % 64)
        keep[g->count / 64] = (UINT64_C(1) << g->count % 64) - 1;
    if (!read->pred)
        return STATUS_OK;
    enum status status =
        delta_prune_new(delta_pred_generated(&scratch, &h->protocol, &h->metadata, h->schema, read->pred), &h->metadata, h->schema, &prune, err);
    if (!status)
        status = delta_prune_segment(ctx, txn->table, g, prune, keep, &by_partition, &by_stats, err);
    delta_prune_free(prune);
    arena_release(&scratch);
    return status;
}

/* Writers name such files in the same order on both sides, so that it is mostly the first that is looked at. */
static const struct delta_action_remove *removed_by(const struct delta_commit *commit, size_t near, struct str path)
{
    for (size_t i = 0; i < commit->remove_count; i++) {
        const struct delta_action_remove *remove = &commit->removes[(near + i) % commit->remove_count];
        if (str_eq(remove->path, path))
            return remove;
    }
    return NULL;
}

enum status delta_dv_holds(struct ctx *ctx, struct store *store, const struct delta_dv *large, const struct delta_dv *small, bool *holds,
                           struct error *err)
{
    struct delta_rows *more = NULL, *less = NULL;
    enum status status = STATUS_OK;
    *holds = !small;
    if (!small || !large)
        return STATUS_OK;
    status = delta_dv_read(ctx, store, large, &more, err);
    if (!status)
        status = delta_dv_read(ctx, store, small, &less, err);
    if (!status && !delta_rows_subtract(less, more))
        status = error_oom(err);
    *holds = !status && !delta_rows_count(less);
    delta_rows_free(more);
    delta_rows_free(less);
    return status;
}

/* A file that is added once more under a vector that holds all of the old one's rows has lost rows and won none. */
static enum status brings_rows(struct ctx *ctx, const struct delta_txn *txn, const struct delta_commit *commit, size_t index, bool *brings,
                               struct error *err)
{
    const struct delta_action_add *add = &commit->adds[index];
    const struct delta_action_remove *old = removed_by(commit, index, add->path);
    bool holds = false;
    *brings = true;
    if (!old)
        return STATUS_OK;
    enum status status = delta_dv_holds(ctx, txn->table->store, add->has_dv ? &add->dv : NULL, old->has_dv ? &old->dv : NULL, &holds, err);
    *brings = !holds;
    return status;
}

static enum status find_add(struct ctx *ctx, const struct delta_txn *txn, const struct delta_read *read, const struct delta_commit *commit,
                            struct delta_segment *g, const struct delta_action_add **found, struct error *err)
{
    uint64_t *keep = mem_calloc(delta_words(g->count) + 1, sizeof *keep);
    enum status status = keep ? meet(ctx, txn, read, g, keep, err) : error_oom(err);
    for (size_t i = 0; i < g->count && !status && !*found; i++) {
        bool brings = false;
        if (keep[i >> 6] >> (i & 63) & 1)
            status = brings_rows(ctx, txn, commit, i, &brings, err);
        if (brings)
            *found = &commit->adds[i];
    }
    mem_free(keep);
    return status;
}

enum status delta_reads_find_add(struct ctx *ctx, const struct delta_txn *txn, const struct delta_commit *commit,
                                 const struct delta_action_add **found, const struct delta_read **read, struct error *err)
{
    struct delta_segment *g = NULL;
    *found = NULL;
    enum status status = delta_segment_of_adds(txn->base->head, commit, &g, err);
    for (size_t i = 0; i < txn->read_count && !status && !*found; i++) {
        *read = &txn->reads[i];
        status = find_add(ctx, txn, &txn->reads[i], commit, g, found, err);
    }
    delta_segment_unref(g);
    return status;
}

/* ---- rows that went ------------------------------------------------------------------------------------------- */

static enum status put_path(struct delta_touched *set, struct str path, struct error *err)
{
    struct delta_path_key key = {0};
    enum status status = delta_path_key_init(&key, path) ? delta_touched_put(set, &key, NULL, true, err) : error_oom(err);
    buf_release(&key.scratch);
    return status;
}

static enum status has_path(const struct delta_touched *set, struct str path, bool *has, struct error *err)
{
    struct delta_path_key key = {0};
    enum status status = delta_path_key_init(&key, path) ? STATUS_OK : error_oom(err);
    *has = !status && delta_touched_hides_add(set, &key, NULL);
    buf_release(&key.scratch);
    return status;
}

/* Not before a winner takes something away. */
static enum status list_read_files(struct ctx *ctx, struct delta_txn *txn, struct error *err)
{
    enum status status = STATUS_OK;
    if (txn->read_files_known)
        return STATUS_OK;
    for (size_t i = 0; i < txn->read_count && !status; i++) {
        struct delta_file_list list;
        if (txn->reads[i].takes_all)
            continue;
        status = delta_scan(ctx, txn->base, txn->reads[i].pred, false, &list, err);
        for (size_t k = 0; k < list.count && !status; k++)
            status = put_path(&txn->read_files, list.files[k].path, err);
        delta_file_list_release(&list);
    }
    txn->read_files_known = !status;
    return status;
}

static const struct delta_read *first_open_read(const struct delta_txn *txn)
{
    for (size_t i = 0; i < txn->read_count; i++)
        if (!txn->reads[i].takes_all)
            return &txn->reads[i];
    return NULL;
}

enum status delta_reads_find_remove(struct ctx *ctx, struct delta_txn *txn, const struct delta_commit *commit,
                                    const struct delta_action_remove **found, const struct delta_read **read, struct error *err)
{
    *found = NULL;
    *read = first_open_read(txn);
    if (!*read || !commit->remove_count)
        return STATUS_OK;
    enum status status = list_read_files(ctx, txn, err);
    for (size_t i = 0; i < commit->remove_count && !status && !*found; i++) {
        bool has = false;
        status = has_path(&txn->read_files, commit->removes[i].path, &has, err);
        if (has)
            *found = &commit->removes[i];
    }
    return status;
}

enum status delta_reads_follow_move(struct ctx *ctx, struct delta_txn *txn, const struct delta_commit *commit, struct error *err)
{
    const struct delta_action_remove *moved;
    const struct delta_read *read;
    enum status status = delta_reads_find_remove(ctx, txn, commit, &moved, &read, err);
    for (size_t i = 0; i < commit->add_count && moved && !status; i++)
        status = put_path(&txn->read_files, commit->adds[i].path, err);
    return status;
}
