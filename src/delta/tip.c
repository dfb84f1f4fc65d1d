/* delta/tip.c: the newest version for those who only append: everything but the files, from the version's checksum file.
 *
 * Opening it costs the same whatever the table holds: the hint, a listing from there on, one checksum file and the beginning of one commit.  A
 * checksum file is believed when this program wrote it (it carries a CRC of its own text), when its txnId is that of the commit beside it,
 * and when it leaves nothing out; else the log is read as always.  The files come from the log too, as soon as somebody asks for them. */
#include "delta/delta_int.h"

enum { COMMIT_HEAD_BYTES = 64 << 10 };

/* ---- the files after all ------------------------------------------------------------------------- */

static enum status check_same(const struct delta_snapshot *tip, const struct delta_snapshot *full, struct error *err)
{
    struct buf one = BUF_INIT, two = BUF_INIT;
    delta_put_metadata(&one, &tip->head->metadata);
    delta_put_protocol(&one, &tip->head->protocol);
    delta_put_metadata(&two, &full->head->metadata);
    delta_put_protocol(&two, &full->head->protocol);
    bool same = str_eq(buf_view(&one), buf_view(&two));
    enum status status = one.failed || two.failed ? error_oom(err) : STATUS_OK;
    buf_release(&one);
    buf_release(&two);
    if (status != STATUS_OK || same)
        return status;
    error_set(err, STATUS_CORRUPT_LOG, "the checksum file of version %lld of table \"%s\" contradicts the log", (long long)tip->version,
              tip->table->name);
    return error_hint(err, "remove the file _delta_log/%020lld.crc", (long long)tip->version);
}

enum status delta_snapshot_with_files(struct ctx *ctx, struct delta_snapshot *s, struct delta_snapshot **out, struct error *err)
{
    enum status status = STATUS_OK;
    *out = s;
    if (!s->is_tip)
        return STATUS_OK;
    pthread_mutex_lock(&s->full_lock);
    if (!s->full) {
        struct delta_snapshot *full = NULL;
        status = delta_snapshot_load(ctx, s->table, s->version, &full, err);
        if (status == STATUS_OK)
            status = check_same(s, full, err);
        if (status == STATUS_OK)
            s->full = full;
        else
            delta_snapshot_drop(full);
    }
    *out = s->full;
    pthread_mutex_unlock(&s->full_lock);
    if (status == STATUS_OK)
        delta_table_offer(s->table, *out);
    return status;
}

/* ---- one commit further ---------------------------------------------------------------------------- */

bool delta_tip_can_follow(const struct delta_snapshot *tip, const struct delta_commit *c)
{
    bool ok = c->remove_count == 0 && c->is_blind_append; /* then no add is one of a file that is there */
    for (size_t i = 0; ok && i < c->add_count; i++)
        ok = c->adds[i].data_change && !c->adds[i].has_dv;
    return ok && tip->is_tip;
}

void delta_tip_count(struct delta_snapshot *next, const struct delta_snapshot *base, const struct delta_commit *c)
{
    next->is_tip = true;
    next->file_count = base->file_count + (int64_t)c->add_count;
    next->size_bytes = base->size_bytes;
    next->dv_count = base->dv_count;
    next->deleted_rows = base->deleted_rows;
    for (size_t i = 0; i < c->add_count; i++)
        next->size_bytes = delta_sum(next->size_bytes, c->adds[i].size_bytes);
}

/* ---- opening ------------------------------------------------------------------------------------------ */

/* The commit's own txnId is that of the checksum file: the two belong together. */
static bool belongs_to_commit(struct ctx *ctx, struct delta_table *t, int64_t version, const struct delta_checksum *sum)
{
    char key[64];
    struct buf text = BUF_INIT;
    struct delta_commit parsed = DELTA_COMMIT_INIT;
    delta_log_key(key, version, ".json");
    bool ok = sum->txn_id.len && store_read_range(t->store, ctx, str_of(key), 0, COMMIT_HEAD_BYTES, &text, NULL) == STORE_OK && !text.failed;
    struct str line = ok ? delta_commit_info_line(buf_view(&text)) : STR_NULL;
    ok = line.ptr && delta_commit_add_action(&parsed, line, NULL) == STATUS_OK && parsed.txn_id.ptr && str_eq(parsed.txn_id, sum->txn_id);
    delta_commit_release(&parsed);
    buf_release(&text);
    return ok;
}

static int64_t tip_time_us(const struct delta_listing *l, const struct delta_checksum *sum)
{
    int64_t ms = INT64_MIN;
    if (delta_in_commit_times(&sum->metadata))
        return delta_ms_to_us(sum->in_commit_timestamp_ms);
    for (size_t i = 0; i < l->commit_count; i++)
        ms = delta_next_timestamp_ms(ms, l->commits[i].modified_us);
    return delta_ms_to_us(ms);
}

static enum status fill_tip(struct delta_table *t, const struct delta_listing *l, const struct delta_checksum *sum, struct delta_snapshot *s,
                            struct error *err)
{
    struct delta_ids *ids = delta_ids_new();
    enum status status = ids ? delta_head_new(t, &sum->metadata, &sum->protocol, &s->head, err) : error_oom(err);
    if (ids) {
        bool filled = delta_ids_fill(ids, sum->apps, sum->app_count, sum->domains, sum->domain_count);
        delta_snapshot_set_ids(s, ids);
        if (status == STATUS_OK && !filled)
            status = error_oom(err);
    }
    s->is_tip = true;
    s->file_count = sum->num_files;
    s->size_bytes = sum->table_size_bytes;
    s->dv_count = sum->dv_count;
    s->deleted_rows = sum->deleted_rows;
    s->timestamp_us = tip_time_us(l, sum);
    s->checkpoint_version = l->checkpoint_count ? l->checkpoints[l->checkpoint_count - 1].version : -1;
    if (s->checkpoint_version > s->version)
        s->checkpoint_version = -1;
    return status;
}

static bool is_whole(const struct delta_checksum *sum)
{
    return sum->has && sum->is_ours && sum->has_apps && sum->has_domains &&
           (!delta_in_commit_times(&sum->metadata) || sum->in_commit_timestamp_ms != INT64_MIN);
}

/* *out NULL without an error: the checksum file does not serve. */
static enum status open_tip(struct ctx *ctx, struct delta_table *t, struct delta_snapshot **out, struct error *err)
{
    struct delta_listing l;
    struct delta_checksum sum = {0};
    int64_t hint = delta_log_hint(ctx, t);
    *out = NULL;
    enum status status = delta_log_list(ctx, t, hint > 0 ? hint : 0, INT64_MAX, &l, err);
    if (status != STATUS_OK)
        return status;
    int64_t version = l.commit_count ? l.commits[l.commit_count - 1].version : -1;
    if (version >= 0)
        delta_checksum_read(ctx, t, version, &sum);
    if (is_whole(&sum) && belongs_to_commit(ctx, t, version, &sum)) {
        struct delta_snapshot *s = delta_snapshot_new(t, version, 0);
        status = s ? fill_tip(t, &l, &sum, s, err) : error_oom(err);
        if (status == STATUS_OK)
            *out = s;
        else
            delta_snapshot_drop(s);
    }
    delta_checksum_release(&sum);
    delta_listing_release(&l);
    return status;
}

enum status delta_snapshot_tip(struct ctx *ctx, struct delta_table *t, struct delta_snapshot **out, struct error *err)
{
    struct delta_snapshot *s = delta_table_newest(t);
    bool found = !t->stage;
    enum status status = s ? STATUS_OK : open_tip(ctx, t, &s, err);
    *out = NULL;
    if (status != STATUS_OK)
        return status;
    if (!s)
        return delta_snapshot_latest(ctx, t, out, err);
    delta_table_ref(t);
    while (status == STATUS_OK && found) {
        status = ctx_check(ctx, err);
        if (status == STATUS_OK)
            status = delta_snapshot_step(ctx, t, &s, &found, err);
    }
    if (status != STATUS_OK) {
        delta_snapshot_unref(s);
        return status;
    }
    delta_table_offer(t, s);
    *out = s;
    return STATUS_OK;
}
