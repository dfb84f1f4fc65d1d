/* delta/history_use.c: what the versions that are still in the log need of a feature: whether it can go without a trace.
 *
 * The first version that can be read stands for everything before it; from there each commit is looked at.  What only the first commit removed is no
 * longer needed by any version. */
#include "delta/delta_int.h"

struct history_use {
    struct ctx *ctx;
    struct delta_snapshot *snapshot;
    enum delta_feature_id feature;
    struct delta_listing listing;
    int64_t first, newest;
};

/* ---- V2 checkpoints ---------------------------------------------------------------------------- */

/* A classic name says nothing about what is inside. */
static enum status is_v2(struct history_use *u, const struct delta_log_checkpoint *c, bool *out, struct error *err)
{
    struct delta_checkpoint_files f;
    *out = c->suffix.ptr != NULL;
    if (*out || c->parts)
        return STATUS_OK;
    enum status status = delta_checkpoint_open(u->ctx, u->snapshot->table, c, &f, err);
    *out = status == STATUS_OK && f.state.has_checkpoint_metadata;
    delta_checkpoint_close(&f);
    return status;
}

static enum status use_in_checkpoints(struct history_use *u, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = u->listing.checkpoint_count; i-- > 0 && u->newest < 0 && status == STATUS_OK;) {
        bool used;
        status = is_v2(u, &u->listing.checkpoints[i], &used, err);
        if (status == STATUS_OK && used)
            u->newest = u->listing.checkpoints[i].version;
    }
    return status;
}

/* ---- protected versions -------------------------------------------------------------------------- */

static void use_by_protection(struct history_use *u)
{
    int64_t before = 0;
    struct str text = delta_config(&u->snapshot->head->metadata, "delta.requireCheckpointProtectionBeforeVersion");
    if (text.ptr && (!str_to_i64(text, &before) || u->first < before))
        u->newest = before > 0 ? before - 1 : u->snapshot->version;
}

/* ---- metadata and files ---------------------------------------------------------------------------- */

static bool metadata_uses(enum delta_feature_id id, const struct delta_metadata *m)
{
    const struct str changes = STR("delta.typeChanges");
    switch (id) {
    case DELTA_FEATURE_COLUMN_MAPPING:
        return delta_mapping_mode(m) != DELTA_MAPPING_NONE;
    case DELTA_FEATURE_TYPE_WIDENING:
    case DELTA_FEATURE_TYPE_WIDENING_PREVIEW:
        return memmem(m->schema_string.ptr, m->schema_string.len, changes.ptr, changes.len) != NULL;
    default:
        return false;
    }
}

static bool commit_uses(enum delta_feature_id id, const struct delta_commit *c)
{
    bool vectors = false;
    for (size_t i = 0; i < c->add_count; i++)
        vectors |= c->adds[i].has_dv;
    for (size_t i = 0; i < c->remove_count; i++)
        vectors |= c->removes[i].has_dv;
    return (id == DELTA_FEATURE_DELETION_VECTORS && vectors) || (c->has_metadata && metadata_uses(id, &c->metadata));
}

static enum status use_at_first(struct history_use *u, struct error *err)
{
    struct delta_snapshot *s = NULL;
    struct delta_file_list files = {0};
    enum status status = delta_snapshot_at_version(u->ctx, u->snapshot->table, u->first, &s, err);
    if (status == STATUS_OK && metadata_uses(u->feature, &s->head->metadata))
        u->newest = u->first;
    if (status == STATUS_OK && u->feature == DELTA_FEATURE_DELETION_VECTORS)
        status = delta_scan(u->ctx, s, NULL, false, &files, err);
    for (size_t i = 0; i < files.count; i++)
        if (files.files[i].dv)
            u->newest = u->first;
    delta_file_list_release(&files);
    delta_snapshot_unref(s);
    return status;
}

static enum status use_in_commits(struct history_use *u, struct error *err)
{
    struct delta_table *t = u->snapshot->table;
    int64_t last = u->snapshot->version;
    struct delta_commit_stream *stream = delta_commit_stream_new(u->ctx, t, u->first + 1, last);
    enum status status = stream ? STATUS_OK : error_oom(err);
    for (int64_t version = u->first + 1; version <= last && status == STATUS_OK; version++) {
        struct delta_commit commit = DELTA_COMMIT_INIT;
        char key[64];
        delta_log_key(key, version, ".json");
        enum store_result result = delta_commit_stream_next(stream, version, &commit, err);
        if (result != STORE_OK)
            status = delta_store_failure(result, key, err);
        else if (commit_uses(u->feature, &commit))
            u->newest = version;
        delta_commit_release(&commit);
    }
    delta_commit_stream_free(stream);
    return status;
}

enum status delta_history_uses(struct ctx *ctx, struct delta_snapshot *s, enum delta_feature_id id, int64_t *newest, struct error *err)
{
    struct history_use u = {.ctx = ctx, .snapshot = s, .feature = id, .newest = -1};
    int64_t last;
    enum status status = delta_log_list(ctx, s->table, 0, s->version, &u.listing, err);
    *newest = -1;
    if (status != STATUS_OK)
        return status;
    if (!delta_listing_range(&u.listing, &u.first, &last)) {
        status = error_set(err, STATUS_NOT_A_DELTA_TABLE, "there is no Delta log in \"%.*s\"", STR_ARG(s->table->store->root));
    } else if (id == DELTA_FEATURE_V2_CHECKPOINT) {
        status = use_in_checkpoints(&u, err);
    } else if (id == DELTA_FEATURE_CHECKPOINT_PROTECTION) {
        use_by_protection(&u);
    } else {
        status = use_at_first(&u, err);
        if (status == STATUS_OK)
            status = use_in_commits(&u, err);
    }
    delta_listing_release(&u.listing);
    if (status == STATUS_OK)
        *newest = u.newest;
    return status;
}
