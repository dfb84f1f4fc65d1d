/* delta/removed.c: files that the newest version no longer has, as the log tells of them: what VACUUM must keep and what it may take. */
#include "delta/delta_int.h"

/* ---- the log as a line of time ------------------------------------------------------------------------ */

enum status delta_log_settled(struct ctx *ctx, struct delta_snapshot *s, int64_t cutoff_ms, struct delta_settled *out, struct error *err)
{
    struct delta_listing l;
    int64_t ms = INT64_MIN;
    *out = (struct delta_settled){.first = -1, .settled = -1};
    enum status status = delta_log_list(ctx, s->table, 0, s->version, &l, err);
    if (status != STATUS_OK)
        return status;
    if (l.commit_count)
        out->first = l.commits[0].version;
    for (size_t i = 0; i < l.commit_count; i++) {
        ms = delta_next_timestamp_ms(ms, l.commits[i].modified_us);
        if (ms > cutoff_ms)
            break;
        out->settled = l.commits[i].version;
    }
    delta_listing_release(&l);
    return STATUS_OK;
}

/* ---- removes of commits ---------------------------------------------------------------------------------- */

static enum status tell(const struct delta_action_remove *r, delta_removed_fn fn, void *user, struct error *err)
{
    const struct delta_removed removed = {.path = r->path, .dv = r->has_dv ? &r->dv : NULL, .deletion_timestamp_ms = r->deletion_timestamp_ms};
    return fn(user, &removed, err);
}

static enum status tell_all(const struct delta_commit *c, delta_removed_fn fn, void *user, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < c->remove_count && status == STATUS_OK; i++)
        status = tell(&c->removes[i], fn, user, err);
    return status;
}

enum status delta_removed_by(struct ctx *ctx, struct delta_snapshot *s, int64_t from, int64_t to, delta_removed_fn fn, void *user, struct error *err)
{
    if (from > to)
        return STATUS_OK;
    struct delta_commit_stream *stream = delta_commit_stream_new(ctx, s->table, from, to);
    enum status status = stream ? STATUS_OK : error_oom(err);
    for (int64_t version = from; version <= to && status == STATUS_OK; version++) {
        struct delta_commit commit = DELTA_COMMIT_INIT;
        char key[64];
        delta_log_key(key, version, ".json");
        enum store_result result = delta_commit_stream_next(stream, version, &commit, err);
        status = result == STORE_OK ? tell_all(&commit, fn, user, err) : delta_store_failure(result, key, err);
        delta_commit_release(&commit);
        if (status == STATUS_OK)
            status = ctx_check(ctx, err);
    }
    delta_commit_stream_free(stream);
    return status;
}

/* ---- tombstones of the newest checkpoint ------------------------------------------------------------------------ */

struct tombstones {
    delta_removed_fn fn;
    void *user;
    enum status status;
};

static bool put_row(void *user, struct str json, struct error *err)
{
    struct tombstones *t = user;
    struct delta_commit row = DELTA_COMMIT_INIT;
    t->status = delta_commit_add_action(&row, json, err);
    if (t->status == STATUS_OK)
        t->status = tell_all(&row, t->fn, t->user, err);
    delta_commit_release(&row);
    return t->status == STATUS_OK;
}

static enum status read_checkpoint(struct ctx *ctx, struct delta_snapshot *s, const struct delta_log_checkpoint *c, struct tombstones *t,
                                   struct error *err)
{
    struct delta_handler *h = s->table->handler;
    struct delta_checkpoint_files f;
    enum status status = delta_checkpoint_open(ctx, s->table, c, &f, err);
    if (status == STATUS_OK && f.inline_files)
        status = tell_all(&f.state, t->fn, t->user, err);
    if (status == STATUS_OK && f.key_count)
        status = h->read_others(h, ctx, f.located, f.key_count, true, put_row, t, err);
    delta_checkpoint_close(&f);
    return status == STATUS_OK ? t->status : status;
}

enum status delta_tombstones(struct ctx *ctx, struct delta_snapshot *s, delta_removed_fn fn, void *user, struct error *err)
{
    struct tombstones t = {.fn = fn, .user = user};
    struct delta_listing l;
    if (!s->table->handler)
        return error_set(err, STATUS_NOT_SUPPORTED, "checkpoints of table \"%s\" cannot be read without an engine", s->table->name);
    enum status status = delta_log_list(ctx, s->table, 0, s->version, &l, err);
    if (status != STATUS_OK)
        return status;
    if (l.checkpoint_count)
        status = read_checkpoint(ctx, s, &l.checkpoints[l.checkpoint_count - 1], &t, err);
    delta_listing_release(&l);
    return status;
}
