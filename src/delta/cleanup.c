/* delta/cleanup.c: taking expired files off the log after a checkpoint (protocol: "Metadata Cleanup").
 *
 * The cutoff is a midnight UTC, so that a day's versions go together.  The newest checkpoint at or below the newest commit that is not
 * younger than the cutoff stays, with its own commit and everything after it; what is older goes, commits first and oldest first: what is left
 * is at every moment a log that can be read from some version on. */
#include "delta/delta_int.h"

#include <stdio.h>

#define LOG_PREFIX "_delta_log/"
#define DAY_MS (INT64_C(24) * 3600 * 1000)
enum { RETENTION_DAYS = 30, VERSION_DIGITS = 20, FEW_CHECKPOINTS = 16 };

enum log_kind { LOG_COMMIT, LOG_COMPACTION, LOG_CHECKSUM, LOG_CHECKPOINT, LOG_SIDECAR, LOG_OTHER };
struct log_file {
    struct str key;
    int64_t version, modified_us;
    enum log_kind kind;
};
struct cleanup {
    struct ctx *ctx;
    struct delta_snapshot *snapshot;
    struct arena arena;
    struct log_file *files; /* in the order of keys */
    size_t count, cap;
    int64_t cutoff_ms, now_ms;
    int64_t keep_from; /* version of the checkpoint that stays, -1: nothing goes */
    size_t removed;
    bool out_of_memory;
};

/* ---- what there is ---------------------------------------------------------------------------- */

static enum log_kind kind_of(struct str name)
{
    struct str suffix = str_sub(name, VERSION_DIGITS, name.len - VERSION_DIGITS);
    if (str_eq(suffix, STR(".json")))
        return LOG_COMMIT;
    if (str_eq(suffix, STR(".crc")))
        return LOG_CHECKSUM;
    if (str_ends(suffix, STR(".compacted.json")))
        return LOG_COMPACTION;
    return str_starts(suffix, STR(".checkpoint.")) ? LOG_CHECKPOINT : LOG_OTHER;
}

static bool version_of(struct str name, int64_t *version)
{
    if (name.len <= VERSION_DIGITS || name.ptr[VERSION_DIGITS] != '.')
        return false;
    for (size_t i = 0; i < VERSION_DIGITS; i++)
        if (name.ptr[i] < '0' || name.ptr[i] > '9')
            return false;
    return str_to_i64(str_sub(name, 0, VERSION_DIGITS), version);
}

static bool note_file(void *user, const struct store_entry *e)
{
    struct cleanup *c = user;
    const size_t prefix = sizeof LOG_PREFIX - 1;
    struct str name = str_sub(e->key, prefix, e->key.len - prefix);
    struct log_file f = {.modified_us = e->modified_us, .version = -1};
    if (str_starts(name, STR("_sidecars/")) && !memchr(name.ptr + 10, '/', name.len - 10))
        f.kind = LOG_SIDECAR;
    else if (memchr(name.ptr, '/', name.len) || !version_of(name, &f.version) || (f.kind = kind_of(name)) == LOG_OTHER)
        return true;
    if (c->count == c->cap) {
        size_t cap = c->cap ? c->cap * 2 : 256;
        struct log_file *grown = mem_realloc(c->files, cap * sizeof *grown);
        c->out_of_memory = !grown;
        if (!grown)
            return false;
        c->files = grown;
        c->cap = cap;
    }
    f.key = arena_str(&c->arena, e->key);
    c->out_of_memory = !f.key.ptr;
    if (f.key.ptr)
        c->files[c->count++] = f;
    return f.key.ptr != NULL;
}

/* ---- what may go -------------------------------------------------------------------------------- */

static int64_t retention_ms(const struct delta_metadata *m)
{
    int64_t ms = RETENTION_DAYS * DAY_MS;
    struct str text = delta_config(m, "delta.logRetentionDuration");
    return text.ptr && delta_interval_ms(text, &ms) ? ms : RETENTION_DAYS * DAY_MS;
}

/* The newest commit that is at least as old as the cutoff; times of files rise with the version (timestamp.c). */
static int64_t cutoff_commit(const struct cleanup *c)
{
    int64_t version = -1, ms = INT64_MIN;
    for (size_t i = 0; i < c->count; i++) {
        if (c->files[i].kind != LOG_COMMIT)
            continue;
        ms = delta_next_timestamp_ms(ms, c->files[i].modified_us);
        if (ms > c->cutoff_ms)
            break;
        version = c->files[i].version;
    }
    return version;
}

/* The newest whole checkpoint not above the version, whose own commit is there too; -1: none. */
static enum status cutoff_checkpoint(struct cleanup *c, int64_t version, int64_t *out, struct error *err)
{
    struct delta_listing l;
    *out = -1;
    enum status status = delta_log_list(c->ctx, c->snapshot->table, 0, version, &l, err);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < l.checkpoint_count; i++)
        if (delta_listing_commit(&l, l.checkpoints[i].version))
            *out = l.checkpoints[i].version;
    delta_listing_release(&l);
    return STATUS_OK;
}

/* Files can be older than what they say: with in-commit timestamps those have the last word. */
static enum status check_in_commit_time(struct cleanup *c, struct error *err)
{
    int64_t ms;
    if (c->keep_from < 0 || !delta_config_bool(&c->snapshot->head->metadata, "delta.enableInCommitTimestamps", false))
        return STATUS_OK;
    enum status status = delta_in_commit_timestamp(c->ctx, c->snapshot->table, c->keep_from, &ms, err);
    if (status == STATUS_OK && ms != INT64_MIN && ms > c->cutoff_ms)
        c->keep_from = -1;
    return status;
}

/* History before a protected version goes at once or not at all (feature checkpointProtection). */
static void respect_protection(struct cleanup *c)
{
    const struct delta_head *h = c->snapshot->head;
    int64_t before = 0;
    struct str text = delta_config(&h->metadata, "delta.requireCheckpointProtectionBeforeVersion");
    if (!delta_protocol_has(&h->protocol, DELTA_FEATURE_CHECKPOINT_PROTECTION))
        return;
    if (text.ptr && (!str_to_i64(text, &before) || c->keep_from < before))
        c->keep_from = -1;
}

static enum status choose(struct cleanup *c, struct error *err)
{
    struct delta_table *t = c->snapshot->table;
    enum store_result result = store_list(t->store, c->ctx, STR(LOG_PREFIX), STR(""), note_file, c, err);
    if (c->out_of_memory)
        return error_oom(err);
    if (result != STORE_OK)
        return delta_store_failure(result, LOG_PREFIX, err);
    int64_t version = cutoff_commit(c);
    enum status status = version > 0 ? cutoff_checkpoint(c, version, &c->keep_from, err) : STATUS_OK;
    if (status == STATUS_OK)
        status = check_in_commit_time(c, err);
    respect_protection(c);
    return status;
}

/* ---- removing -------------------------------------------------------------------------------------- */

static enum status remove_key(struct cleanup *c, struct str key, struct error *err)
{
    enum status status = ctx_check(c->ctx, err);
    if (status != STATUS_OK)
        return status;
    enum store_result result = store_remove(c->snapshot->table->store, c->ctx, key, err);
    if (result != STORE_OK && result != STORE_NOT_FOUND)
        return delta_store_failure(result, key.ptr, err);
    c->removed++;
    return STATUS_OK;
}

static bool has_expired(const struct cleanup *c, const struct log_file *f, enum log_kind kind)
{
    if (f->kind != kind || f->version < 0)
        return false;
    return kind == LOG_COMPACTION ? f->version <= c->keep_from : f->version < c->keep_from;
}

static enum status remove_expired(struct cleanup *c, struct error *err)
{
    static const enum log_kind order[] = {LOG_COMPACTION, LOG_COMMIT, LOG_CHECKSUM, LOG_CHECKPOINT};
    enum status status = STATUS_OK;
    for (size_t k = 0; k < VV_ARRAY_COUNT(order); k++)
        for (size_t i = 0; status == STATUS_OK && i < c->count; i++)
            if (has_expired(c, &c->files[i], order[k]))
                status = remove_key(c, c->files[i].key, err);
    return status;
}

/* ---- sidecars -------------------------------------------------------------------------------------- */

static bool is_named(struct str key, const struct delta_checkpoint_files *f)
{
    for (size_t i = 0; i < f->key_count; i++)
        if (str_eq(f->keys[i], key))
            return true;
    return false;
}

/* Marks (by version) the sidecars that one of the checkpoints left names.  A checkpoint that cannot be read keeps them all. */
static enum status mark_named(struct cleanup *c, struct error *err)
{
    struct delta_listing l;
    enum status status = delta_log_list(c->ctx, c->snapshot->table, 0, INT64_MAX, &l, err);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; status == STATUS_OK && i < l.checkpoint_count; i++) {
        struct delta_checkpoint_files f;
        if (l.checkpoints[i].parts)
            continue;
        status = delta_checkpoint_open(c->ctx, c->snapshot->table, &l.checkpoints[i], &f, err);
        for (size_t k = 0; status == STATUS_OK && k < c->count; k++)
            if (c->files[k].kind == LOG_SIDECAR && is_named(c->files[k].key, &f))
                c->files[k].version = 0;
        delta_checkpoint_close(&f);
    }
    delta_listing_release(&l);
    return status;
}

/* Sidecars of a checkpoint that is being written are not named yet: a day must have passed. */
static bool is_old_sidecar(const struct cleanup *c, const struct log_file *f)
{
    return f->kind == LOG_SIDECAR && f->version < 0 && f->modified_us / 1000 < c->now_ms - DAY_MS;
}

/* Each checkpoint left has to be opened: when there are many, only after some have gone, which is once a day. */
static bool is_worth_sweeping(const struct cleanup *c)
{
    size_t checkpoints = 0, sidecars = 0;
    for (size_t i = 0; i < c->count; i++) {
        checkpoints += c->files[i].kind == LOG_CHECKPOINT;
        sidecars += is_old_sidecar(c, &c->files[i]);
    }
    return sidecars && (c->removed || checkpoints <= FEW_CHECKPOINTS);
}

static enum status sweep_sidecars(struct cleanup *c, struct error *err)
{
    bool any = is_worth_sweeping(c);
    enum status status = any ? mark_named(c, err) : STATUS_OK;
    for (size_t i = 0; any && status == STATUS_OK && i < c->count; i++)
        if (is_old_sidecar(c, &c->files[i]))
            status = remove_key(c, c->files[i].key, err);
    return status;
}

/* ---- entry -------------------------------------------------------------------------------------------- */

static void log_end(const struct cleanup *c, enum status status, const struct error *failure)
{
    char removed[24];
    snprintf(removed, sizeof removed, "%zu", c->removed);
    if (status != STATUS_OK)
        log_event(c->ctx, LOG_WARN, "log_not_cleaned", "table", c->snapshot->table->name, "removed", removed, "error",
                  failure->message ? failure->message : "", NULL);
    else if (c->removed)
        log_event(c->ctx, LOG_INFO, "log_cleaned", "table", c->snapshot->table->name, "removed", removed, NULL);
}

static enum status clean(struct cleanup *c, struct error *err)
{
    enum status status = choose(c, err);
    if (status == STATUS_OK && c->keep_from > 0)
        status = remove_expired(c, err);
    return status == STATUS_OK ? sweep_sidecars(c, err) : status;
}

static void release(struct cleanup *c)
{
    mem_free(c->files);
    arena_release(&c->arena);
}

void delta_log_cleanup(struct ctx *ctx, struct delta_snapshot *s)
{
    const struct delta_metadata *m = &s->head->metadata;
    struct cleanup c = {.ctx = ctx, .snapshot = s, .now_ms = ctx_now_us(ctx) / 1000, .keep_from = -1};
    struct error failure = ERROR_INIT;
    if (!delta_config_bool(m, "delta.enableExpiredLogCleanup", true))
        return;
    int64_t oldest_ms = c.now_ms - retention_ms(m);
    c.cutoff_ms = oldest_ms - ((oldest_ms % DAY_MS) + DAY_MS) % DAY_MS;
    enum status status = clean(&c, &failure);
    log_end(&c, status, &failure);
    error_release(&failure);
    release(&c);
}

enum status delta_log_truncate(struct ctx *ctx, struct delta_snapshot *s, int64_t retention, struct error *err)
{
    int64_t now_ms = ctx_now_us(ctx) / 1000;
    struct cleanup c = {.ctx = ctx, .snapshot = s, .now_ms = now_ms, .cutoff_ms = now_ms - retention, .keep_from = -1};
    enum status status = clean(&c, err);
    if (status == STATUS_OK)
        log_end(&c, status, err);
    else
        error_context(err, "while taking old versions off the log of table \"%s\"", s->table->name);
    release(&c);
    return status;
}
