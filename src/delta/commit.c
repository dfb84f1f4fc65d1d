/* delta/commit.c: the optimistic commit loop (protocol: "Commits"; Spark's OptimisticTransaction).
 *
 * One object decides: <version>.json, put only if it is absent.  Taken: read who was first, see whether our change
 * still holds, and try the next version.  Unknown: read back and look for our own txnId; the same bytes may be put
 * again under the same version, for they land once at most.  Whatever happens before the put succeeds leaves nothing
 * in the log, and nothing after it can make the commit fail. */
#include "delta/delta_int.h"

#include <stdio.h>
#include <time.h>

enum {
    SETTLE_TRIES = 4,  /* read-backs after a lost reply */
    CALM_ATTEMPTS = 3, /* attempts before waiting between them */
    BACKOFF_FIRST_US = 2000,
    BACKOFF_MAX_US = 100000
};

/* How a try at one version ended. */
enum try_outcome { TRY_OURS, TRY_TAKEN, TRY_ABSENT, TRY_FAILED };

struct committer {
    struct ctx *ctx;
    struct delta_txn *txn;
    struct buf body;
    struct delta_place place;       /* of the version that is tried next */
    struct delta_snapshot *tip;     /* version - 1, when it could be kept up; owned */
    struct delta_metadata metadata; /* of version - 1; texts in known */
    struct delta_protocol protocol;
    struct arena known;
    bool may_have_landed; /* a put of this version ended unknown and was not settled */
    uint32_t attempts;
};

/* ---- is the change whole -------------------------------------------------------------------------- */

static enum status check_change(const struct delta_txn *txn, struct error *err)
{
    const char *name = txn->table->name;
    if (txn->finished)
        return error_set(err, STATUS_INTERNAL, "this change of table \"%s\" was committed already", name);
    if (!txn->base)
        return txn->has_metadata ? STATUS_OK : error_set(err, STATUS_INTERNAL, "new table \"%s\" has no metadata", name);
    const struct delta_metadata *old = &txn->base->head->metadata;
    bool append_only =
        delta_config_bool(old, "delta.appendOnly", false) || (txn->has_metadata && delta_config_bool(&txn->metadata, "delta.appendOnly", false));
    if (append_only && txn->removes_data)
        return error_set(err, STATUS_APPEND_ONLY, "rows of table \"%s\" cannot be changed or removed: it is append-only", name);
    bool all_go = txn->removes_all || (int64_t)txn->remove_count >= txn->base->file_count;
    if (txn->has_metadata && !all_go && !delta_same_partition_keys(old, &txn->metadata))
        return error_set(err, STATUS_INVALID_ARGUMENT, "the partition columns of table \"%s\" can only change when all its files are replaced", name);
    return STATUS_OK;
}

static bool stop_at_log_file(void *user, const struct store_entry *entry)
{
    bool *found = user;
    const size_t prefix = sizeof "_delta_log/" - 1;
    struct str name = str_sub(entry->key, prefix, entry->key.len - prefix);
    bool version = name.len > 20;
    for (size_t i = 0; version && i < 20; i++)
        version = name.ptr[i] >= '0' && name.ptr[i] <= '9';
    *found = version && (str_ends(name, STR(".json")) || str_ends(name, STR(".parquet")));
    return !*found;
}

/* Version 0 may be gone from the log of a table that is long there: its absence alone does not make the place free. */
static enum status check_place_is_free(struct committer *c, struct error *err)
{
    bool found = false;
    enum store_result result = store_list(c->txn->table->store, c->ctx, STR("_delta_log/"), STR(""), stop_at_log_file, &found, err);
    if (result != STORE_OK)
        return delta_store_failure(result, "_delta_log", err);
    return found ? error_set(err, STATUS_TABLE_EXISTS, "table \"%s\" exists already", c->txn->table->name) : STATUS_OK;
}

/* ---- one version ------------------------------------------------------------------------------------- */

static void pause_us(int64_t us)
{
    struct timespec left = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    nanosleep(&left, NULL);
}

/* Waits longer the more often somebody else was first, never the same time as they. */
static void back_off(struct committer *c)
{
    uint64_t random;
    if (c->attempts < CALM_ATTEMPTS)
        return;
    uint32_t doublings = c->attempts - CALM_ATTEMPTS < 6 ? c->attempts - CALM_ATTEMPTS : 6;
    int64_t ceiling = (int64_t)BACKOFF_FIRST_US << doublings;
    c->ctx->rng->fill(c->ctx->rng->self, &random, sizeof random);
    pause_us((int64_t)(random % (uint64_t)(ceiling < BACKOFF_MAX_US ? ceiling : BACKOFF_MAX_US)));
}

static bool is_ours(const struct committer *c, const struct delta_commit *commit) { return str_eq(commit->txn_id, str_of(c->txn->txn_id)); }

/* Reads the version.  TRY_TAKEN: *winner is filled, to be released. */
static enum try_outcome look(struct committer *c, struct delta_commit *winner, struct error *err)
{
    switch (delta_commit_read(c->ctx, c->txn->table, c->place.version, winner, err)) {
    case STORE_OK:
        break;
    case STORE_NOT_FOUND:
        return TRY_ABSENT;
    default:
        return TRY_FAILED;
    }
    if (!is_ours(c, winner))
        return TRY_TAKEN;
    delta_commit_release(winner);
    return TRY_OURS;
}

/* After a lost reply: what is there now?  Absent means that the put has not landed yet: it may be tried again. */
static enum try_outcome settle(struct committer *c, struct delta_commit *winner, struct error *err)
{
    enum try_outcome outcome = TRY_FAILED;
    for (int i = 0; i < SETTLE_TRIES && outcome == TRY_FAILED; i++) {
        struct error failure = ERROR_INIT;
        if (i)
            pause_us((int64_t)BACKOFF_FIRST_US << i);
        outcome = look(c, winner, &failure);
        error_move(err, &failure);
    }
    if (outcome != TRY_FAILED && outcome != TRY_ABSENT)
        c->may_have_landed = false;
    return outcome;
}

/* Puts the body under the version. */
static enum try_outcome try_put(struct committer *c, struct delta_commit *winner, struct error *err)
{
    char key[64];
    delta_log_key(key, c->place.version, ".json");
    c->attempts++;
    switch (store_put_if_absent(c->txn->table->store, c->ctx, str_of(key), c->body.ptr, c->body.len, err)) {
    case STORE_OK:
        return TRY_OURS;
    case STORE_EXISTS: {
        enum try_outcome outcome = look(c, winner, err);
        if (outcome == TRY_ABSENT)
            error_set(err, STATUS_CORRUPT_LOG, "\"%s\" is there and is not: the store contradicts itself", key);
        return outcome == TRY_ABSENT ? TRY_FAILED : outcome;
    }
    case STORE_UNKNOWN:
        c->may_have_landed = true;
        return settle(c, winner, err);
    default:
        return TRY_FAILED;
    }
}

/* ---- following the winners ------------------------------------------------------------------------------ */

static enum status know(struct committer *c, const struct delta_metadata *m, const struct delta_protocol *p, struct error *err)
{
    bool ok = (!m || delta_metadata_copy(&c->known, m, &c->metadata)) && (!p || delta_protocol_copy(&c->known, p, &c->protocol));
    return ok ? STATUS_OK : error_oom(err);
}

/* What our commit has to go on from when it comes after this one. */
static enum status follow_place(struct committer *c, const struct delta_commit *winner, int64_t file_us, struct error *err)
{
    struct delta_place *p = &c->place;
    for (size_t i = 0; i < winner->domain_count; i++) {
        int64_t mark;
        if (!delta_is_row_tracking_domain(winner->domains[i].domain.domain) || winner->domains[i].removed)
            continue;
        if (delta_row_high_water(winner->domains[i].domain.configuration, &mark, err))
            return error_context(err, "while reading version %lld of table \"%s\"", (long long)winner->version, c->txn->table->name);
        if (mark > p->row_high_water)
            p->row_high_water = mark;
    }
    if (winner->in_commit_timestamp_ms != INT64_MIN && delta_in_commit_times(&c->metadata))
        p->previous_ms = winner->in_commit_timestamp_ms;
    else
        p->previous_ms = delta_next_timestamp_ms(p->previous_ms, file_us);
    p->version++;
    return STATUS_OK;
}

/* The time that the file of a version got; now when the store does not say. */
static int64_t commit_time_us(struct committer *c, int64_t version)
{
    char key[64];
    struct store_entry entry;
    delta_log_key(key, version, ".json");
    bool found = store_stat(c->txn->table->store, c->ctx, str_of(key), &entry, NULL) == STORE_OK;
    return found ? entry.modified_us : ctx_now_us(c->ctx);
}

/* Moves the tip over a commit.  Without memory it is given up, and the result will have no snapshot. */
static void advance_tip(struct committer *c, const struct delta_commit *commit, int64_t file_us)
{
    struct delta_snapshot *next = NULL;
    if (c->tip && c->tip->is_tip && !delta_tip_can_follow(c->tip, commit)) { /* what it would take to go on is worth nothing to a commit */
        delta_snapshot_unref(c->tip);
        c->tip = NULL;
    }
    if (c->tip && delta_snapshot_apply(c->ctx, c->tip, commit, file_us, &next, NULL))
        next = NULL;
    delta_snapshot_unref(c->tip);
    c->tip = next;
}

/* From here on our change is one under the winner's metadata and protocol. */
static enum status follow_head(struct committer *c, const struct delta_commit *winner, struct error *err)
{
    enum status status = know(c, winner->has_metadata ? &winner->metadata : NULL, winner->has_protocol ? &winner->protocol : NULL, err);
    if (!status && winner->has_metadata)
        c->txn->followed_metadata = &c->metadata;
    if (!status && winner->has_protocol)
        c->txn->followed_protocol = &c->protocol;
    return status;
}

/* The winner's commit lies between us and our base: go past it, or stop. */
static enum status pass(struct committer *c, const struct delta_commit *winner, struct error *err)
{
    c->may_have_landed = false;
    if (!c->txn->base)
        return error_set(err, STATUS_TABLE_EXISTS, "table \"%s\" was created by another writer", c->txn->table->name);
    const struct delta_rivalry rivalry = {.ctx = c->ctx, .txn = c->txn, .metadata = &c->metadata, .protocol = &c->protocol, .winner = winner};
    bool rebased = false;
    enum status status = delta_conflict_check(&rivalry, &rebased, err);
    if (!status)
        status = follow_head(c, winner, err);
    if (status)
        return status;
    int64_t file_us = commit_time_us(c, winner->version);
    advance_tip(c, winner, file_us);
    status = follow_place(c, winner, file_us, err);
    if (status || !(rebased || winner->has_metadata || delta_body_depends_on_place(c->txn)))
        return status;
    return delta_txn_put_body(c->ctx, c->txn, &c->place, &c->body, err);
}

/* After one winner others may stand: reading them is cheaper than putting in vain. */
static enum status pass_all(struct committer *c, struct delta_commit *winner, enum try_outcome *outcome, struct error *err)
{
    enum status status = STATUS_OK;
    *outcome = TRY_TAKEN;
    while (!status && *outcome == TRY_TAKEN) {
        status = pass(c, winner, err);
        delta_commit_release(winner);
        if (!status)
            status = ctx_check(c->ctx, err);
        if (!status)
            *outcome = look(c, winner, err);
    }
    return status;
}

/* ---- the loop ------------------------------------------------------------------------------------------------ */

static enum status undecided(struct committer *c, struct error *err)
{
    struct error cause = ERROR_INIT;
    error_move(&cause, err);
    error_set(err, STATUS_COMMIT_UNKNOWN, "it is not known whether version %lld of table \"%s\" was committed", (long long)c->place.version,
              c->txn->table->name);
    error_detail(err, "txnId %s%s%s", c->txn->txn_id, cause.message ? "; " : "", cause.message ? cause.message : "");
    error_hint(err, "look for txnId %s in the table's history before trying again", c->txn->txn_id);
    error_release(&cause);
    return STATUS_COMMIT_UNKNOWN;
}

/* STATUS_OK: the body is in the log as c->place.version. */
static enum status commit_loop(struct committer *c, struct error *err)
{
    for (;;) {
        struct delta_commit winner = DELTA_COMMIT_INIT;
        enum status status = ctx_check(c->ctx, err);
        if (status)
            return c->may_have_landed ? undecided(c, err) : status;
        enum try_outcome outcome = try_put(c, &winner, err);
        if (outcome == TRY_TAKEN)
            status = pass_all(c, &winner, &outcome, err);
        if (status)
            return status;
        if (outcome == TRY_OURS)
            return STATUS_OK;
        if (outcome == TRY_FAILED && c->may_have_landed)
            return undecided(c, err);
        if (outcome == TRY_FAILED)
            return err && err->code ? err->code : delta_store_failure(STORE_UNKNOWN, c->txn->table->name, err);
        back_off(c);
    }
}

/* ---- afterwards ------------------------------------------------------------------------------------------------- */

static void finish_tip(struct committer *c)
{
    struct delta_commit commit;
    char key[64];
    delta_log_key(key, c->place.version, ".json");
    if (!c->txn->base) {
        if (delta_snapshot_at_version(c->ctx, c->txn->table, c->place.version, &c->tip, NULL))
            c->tip = NULL;
        return;
    }
    if (c->tip && delta_commit_parse(&c->body, c->place.version, str_of(key), &commit, NULL) == STATUS_OK) {
        advance_tip(c, &commit, commit_time_us(c, c->place.version));
        delta_commit_release(&commit);
    } else {
        delta_snapshot_unref(c->tip);
        c->tip = NULL;
    }
}

static void after_commit(struct committer *c, struct delta_commit_result *result)
{
    finish_tip(c);
    if (!c->tip)
        return;
    delta_table_offer(c->txn->table, c->tip);
    delta_checksum_write(c->ctx, c->tip, str_of(c->txn->txn_id));
    delta_checkpoint_maybe(c->ctx, c->tip);
    result->snapshot = c->tip;
    c->tip = NULL;
}

/* A tip whose files were asked for meanwhile is as good as any snapshot. */
static struct delta_snapshot *known_with_files(struct delta_snapshot *base)
{
    if (!base->is_tip)
        return base;
    pthread_mutex_lock(&base->full_lock);
    struct delta_snapshot *full = base->full;
    pthread_mutex_unlock(&base->full_lock);
    return full ? full : base;
}

static enum status begin(struct committer *c, struct error *err)
{
    const struct delta_snapshot *base = c->txn->base;
    c->place = (struct delta_place){.version = base ? base->version + 1 : 0,
                                    .previous_ms = base ? base->timestamp_us / 1000 : INT64_MIN,
                                    .row_high_water = -1,
                                    .in_commit_ms = INT64_MIN};
    enum status status = check_change(c->txn, err);
    if (!status && !base)
        status = check_place_is_free(c, err);
    if (!status && base)
        status = know(c, &base->head->metadata, &base->head->protocol, err);
    if (!status && base)
        status = delta_snapshot_row_high_water(base, &c->place.row_high_water, err);
    if (!status)
        status = delta_txn_put_body(c->ctx, c->txn, &c->place, &c->body, err);
    if (!status && base)
        c->tip = delta_snapshot_ref(known_with_files(c->txn->base));
    return status;
}

/* In a transaction the change only becomes what its statements see; the table stands where it stood. */
static enum status stage(struct ctx *ctx, struct delta_txn *txn, struct delta_commit_result *result, struct error *err)
{
    enum status status = check_change(txn, err);
    if (!status)
        status = delta_stage_take(ctx, txn, &result->snapshot, err);
    if (!status)
        *result = (struct delta_commit_result){
            .outcome = DELTA_COMMITTED, .version = delta_stage_version(txn->table), .attempts = 1, .snapshot = result->snapshot};
    return status;
}

/* The caller's application is noted in its commit.  *done: the base has seen this version of it, and the change is not to be made once more. */
static enum status note_application(struct ctx *ctx, struct delta_txn *txn, bool *done, struct error *err)
{
    *done = false;
    if (!ctx->app_id.ptr)
        return STATUS_OK;
    *done = txn->base && delta_snapshot_txn_version(txn->base, ctx->app_id) >= ctx->app_version;
    for (size_t i = 0; i < txn->app_count; i++)
        if (str_eq(txn->app_ids[i], ctx->app_id))
            return STATUS_OK;
    return *done ? STATUS_OK : delta_txn_app(txn, ctx->app_id, ctx->app_version, err);
}

enum status delta_txn_commit(struct ctx *ctx, struct delta_txn *txn, struct delta_commit_result *result, struct error *err)
{
    bool done = false;
    if (txn->table->stage) {
        *result = (struct delta_commit_result){.outcome = DELTA_CONFLICT, .version = -1};
        return stage(ctx, txn, result, err);
    }
    enum status noted = note_application(ctx, txn, &done, err);
    if (noted || done) {
        *result = (struct delta_commit_result){.outcome = noted ? DELTA_CONFLICT : DELTA_COMMITTED, .version = noted ? -1 : txn->base->version};
        return noted;
    }
    struct committer c = {.ctx = ctx, .txn = txn};
    struct error failure = ERROR_INIT; /* the loop needs one even when the caller does not */
    *result = (struct delta_commit_result){.outcome = DELTA_CONFLICT, .version = -1};
    INJECTION_POINT(ctx, "commit");
    enum status status = begin(&c, &failure);
    if (!status)
        status = commit_loop(&c, &failure);
    INJECTION_POINT(ctx, "committed");
    txn->finished |= status == STATUS_OK || status == STATUS_COMMIT_UNKNOWN || txn->spare_vector_count;
    if (status != STATUS_COMMIT_UNKNOWN) /* else its vectors may belong to the table */
        delta_txn_discard_vectors(ctx, txn, status == STATUS_OK);
    if (!status) {
        result->outcome = DELTA_COMMITTED;
        after_commit(&c, result);
    } else if (status == STATUS_COMMIT_UNKNOWN) {
        result->outcome = DELTA_UNKNOWN;
    }
    result->version = c.place.version;
    result->attempts = c.attempts;
    txn->followed_metadata = NULL;
    txn->followed_protocol = NULL;
    if (status)
        error_move(err, &failure);
    error_release(&failure);
    delta_snapshot_unref(c.tip);
    arena_release(&c.known);
    buf_release(&c.body);
    return status;
}
