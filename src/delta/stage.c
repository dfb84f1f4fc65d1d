/* delta/stage.c: several changes of one table that become one commit.
 *
 * A stage is a table of its own over one version of another table.  A change that is committed to it becomes a version that only the stage knows:
 * the commit's text is made and applied as if it had been in the log, so that the next change reads it.  delta_stage_commit puts together what is
 * left of all of them, and commits that to the real table by the rules of every commit.  What is left follows from two snapshots: a file is removed
 * when the first has it and some change removed it, added when the last has it and some change added it; one that came and went is nothing.
 *
 * Two things cannot be told by one commit about rows that changed more than once in it: the change data feed, and row ids, which new rows only get
 * with the commit.  There a change of rows that are new in the stage is refused. */
#include "delta/delta_int.h"

#include <stdlib.h>

struct staged_change {
    struct delta_txn *txn;
    struct delta_commit commit; /* as the stage's next version */
};
struct delta_stage {
    struct delta_snapshot *pinned; /* of the real table */
    struct staged_change *changes;
    size_t count, cap;
    bool has_recorded, has_unrecorded; /* changes with and without change data files */
    struct delta_txn *reader;          /* holds what was read outside of changes; no more of it is used */
};

/* ---- life --------------------------------------------------------------------------------------- */

void delta_stage_free(struct delta_stage *g)
{
    if (!g)
        return;
    for (size_t i = 0; i < g->count; i++) {
        delta_commit_release(&g->changes[i].commit);
        delta_txn_free(g->changes[i].txn);
    }
    mem_free(g->changes);
    delta_txn_free(g->reader);
    delta_snapshot_unref(g->pinned);
    mem_free(g);
}

enum status delta_stage_open(struct ctx *ctx, struct delta_snapshot *pinned, struct delta_table **out, struct error *err)
{
    struct delta_table *t = NULL;
    struct delta_snapshot *full = NULL, *first = NULL;
    struct delta_stage *g = mem_calloc(1, sizeof *g);
    *out = NULL;
    if (!g)
        return error_oom(err);
    g->reader = mem_calloc(1, sizeof *g->reader);
    enum status status = g->reader ? delta_snapshot_with_files(ctx, pinned, &full, err) : error_oom(err);
    if (status == STATUS_OK)
        status = delta_table_open(ctx, pinned->table->store, pinned->table->handler, str_of(pinned->table->name), &t, err);
    if (status == STATUS_OK && !(first = delta_snapshot_for(full, t)))
        status = error_oom(err);
    if (status != STATUS_OK) {
        delta_table_unref(t);
        delta_stage_free(g);
        return status;
    }
    g->pinned = delta_snapshot_ref(full);
    t->stage = g;
    delta_table_offer(t, first);
    delta_snapshot_drop(first);
    *out = t;
    return STATUS_OK;
}

int64_t delta_stage_version(const struct delta_table *t) { return t->stage ? t->stage->pinned->version : -1; }

size_t delta_stage_change_count(const struct delta_table *t) { return t->stage ? t->stage->count : 0; }

enum status delta_stage_reads(struct delta_table *t, const struct delta_pred *pred, struct error *err)
{
    return t->stage ? delta_txn_reads(t->stage->reader, pred, false, err) : STATUS_OK;
}

enum status delta_stage_check_version(const struct delta_table *t, int64_t version, struct error *err)
{
    if (!t->stage || version <= t->stage->pinned->version)
        return STATUS_OK;
    error_set(err, STATUS_VERSION_NOT_FOUND, "version %lld of table \"%s\" is not there for this transaction, which reads version %lld",
              (long long)version, t->name, (long long)t->stage->pinned->version);
    return error_hint(err, "end the transaction with COMMIT or ROLLBACK first");
}

/* ---- may this change be staged? ------------------------------------------------------------------- */

/* Whether the version has the file with just this deletion vector (any: with whatever vector). */
static enum status has_file(const struct delta_snapshot *s, struct str path, const struct delta_dv *dv, bool any, bool *out, struct error *err)
{
    struct delta_path_key key = {0};
    enum status status = delta_path_key_init(&key, path) ? STATUS_OK : error_oom(err);
    *out = false;
    for (size_t i = s->layer_count; status == STATUS_OK && !*out && i-- > 0;) {
        const struct delta_layer *l = &s->layers[i];
        int64_t row = -1;
        status = delta_segment_lookup(l->segment, &key, &row, err);
        if (status == STATUS_OK && row >= 0 && !delta_layer_dead(l, (size_t)row))
            *out = any || delta_dv_equal(delta_segment_dv(l->segment, (size_t)row), dv);
    }
    buf_release(&key.scratch);
    return status;
}

static enum status touches_new_files(const struct delta_stage *g, const struct delta_commit *c, bool *out, struct error *err)
{
    enum status status = STATUS_OK;
    *out = false;
    for (size_t i = 0; status == STATUS_OK && g->count && !*out && i < c->remove_count; i++) {
        bool old = false;
        status = has_file(g->pinned, c->removes[i].path, NULL, true, &old, err);
        *out = !old;
    }
    return status;
}

static enum status refuse(const struct delta_txn *txn, const char *what, const char *hint, struct error *err)
{
    error_set(err, STATUS_NOT_SUPPORTED, "table \"%s\" %s", txn->table->name, what);
    return error_hint(err, "%s", hint);
}

static bool has_unrecorded_changes(const struct delta_txn *txn, const struct delta_commit *c)
{
    return c->cdc_count == 0 && txn->data_change_count > 0;
}

static enum status check_feed(const struct delta_stage *g, const struct delta_txn *txn, const struct delta_commit *c, bool touches_new,
                              struct error *err)
{
    if (touches_new)
        return refuse(txn,
                      "has a change data feed, and one commit can tell only one change of a row: what this transaction has written cannot be changed "
                      "in it again",
                      "COMMIT first, or put the changes into one statement", err);
    if ((c->cdc_count && g->has_unrecorded) || (has_unrecorded_changes(txn, c) && g->has_recorded))
        return refuse(txn,
                      "has a change data feed: statements that only add rows, or only remove whole files, cannot be in one transaction with other "
                      "changes of rows",
                      "COMMIT first, or put the changes into one MERGE", err);
    return STATUS_OK;
}

static enum status check_stageable(const struct delta_stage *g, const struct delta_txn *txn, const struct delta_commit *c, struct error *err)
{
    const struct delta_metadata *m = delta_txn_metadata(txn);
    bool touches_new = false;
    if (txn->domain_count)
        return refuse(txn, "cannot have its metadata domains changed in a transaction", "COMMIT or ROLLBACK first", err);
    if (txn->has_metadata && !delta_same_partition_keys(&g->pinned->head->metadata, m))
        return refuse(txn, "cannot be partitioned anew in a transaction", "COMMIT or ROLLBACK first", err);
    enum status status = touches_new_files(g, c, &touches_new, err);
    if (status != STATUS_OK)
        return status;
    if (touches_new && delta_gives_row_ids(m, delta_txn_protocol(txn)))
        return refuse(txn, "tracks its rows, which get their ids with the commit: what this transaction has written cannot be changed in it again",
                      "COMMIT first, or put the changes into one statement", err);
    return delta_config_bool(m, "delta.enableChangeDataFeed", false) ? check_feed(g, txn, c, touches_new, err) : STATUS_OK;
}

/* ---- taking a change ------------------------------------------------------------------------------- */

/* The commit's text as the stage's next version. */
static enum status make_commit(struct ctx *ctx, const struct delta_txn *txn, const struct delta_snapshot *tip, struct delta_commit *out,
                               struct error *err)
{
    struct delta_place place = {.version = tip->version + 1, .previous_ms = tip->timestamp_us / 1000, .row_high_water = -1};
    struct buf body = BUF_INIT;
    enum status status = delta_snapshot_row_high_water(tip, &place.row_high_water, err);
    if (status == STATUS_OK)
        status = delta_txn_put_body(ctx, txn, &place, &body, err);
    if (status == STATUS_OK)
        status = delta_commit_parse(&body, place.version, STR("a staged change"), out, err);
    buf_release(&body);
    return status;
}

/* What the caller gathered goes over to a txn of the stage's; the caller's is empty then. */
static struct delta_txn *move_txn(struct delta_txn *txn)
{
    struct delta_txn *moved = mem_calloc(1, sizeof *moved);
    if (!moved)
        return NULL;
    *moved = *txn;
    *txn = (struct delta_txn){.ctx = moved->ctx, .operation = "WRITE", .finished = true};
    txn->table = delta_table_ref(moved->table);
    txn->base = moved->base ? delta_snapshot_ref(moved->base) : NULL;
    memcpy(txn->txn_id, moved->txn_id, sizeof txn->txn_id);
    return moved;
}

/* A change does not keep its table alive, for the table keeps the change. */
static void forget_table(struct delta_txn *txn)
{
    delta_snapshot_unref(txn->base);
    delta_table_unref(txn->table);
    txn->base = NULL;
    txn->table = NULL;
}

static struct staged_change *next_change(struct delta_stage *g, struct error *err)
{
    enum { FIRST = 8 };
    if (g->count == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : FIRST;
        struct staged_change *grown = mem_realloc(g->changes, cap * sizeof *grown);
        if (!grown) {
            error_oom(err);
            return NULL;
        }
        g->changes = grown;
        g->cap = cap;
    }
    return &g->changes[g->count];
}

enum status delta_stage_take(struct ctx *ctx, struct delta_txn *txn, struct delta_snapshot **out, struct error *err)
{
    struct delta_table *t = txn->table;
    struct delta_stage *g = t->stage;
    struct delta_commit commit = DELTA_COMMIT_INIT;
    struct delta_snapshot *tip = NULL, *next = NULL;
    struct delta_txn *moved = NULL;
    *out = NULL;
    enum status status = delta_snapshot_latest(ctx, t, &tip, err);
    if (status == STATUS_OK && (!txn->base || txn->base->version != tip->version))
        status = error_set(err, STATUS_INTERNAL, "a change of table \"%s\" was not begun on what its transaction has written", t->name);
    if (status == STATUS_OK)
        status = make_commit(ctx, txn, tip, &commit, err);
    if (status == STATUS_OK)
        status = check_stageable(g, txn, &commit, err);
    if (status == STATUS_OK)
        status = delta_snapshot_apply(ctx, tip, &commit, ctx_now_us(ctx), &next, err);
    struct staged_change *place = status == STATUS_OK ? next_change(g, err) : NULL;
    if (place && !(moved = move_txn(txn)))
        error_oom(err);
    if (moved) {
        forget_table(moved);
        g->has_recorded |= commit.cdc_count > 0;
        g->has_unrecorded |= has_unrecorded_changes(moved, &commit);
        *place = (struct staged_change){.txn = moved, .commit = commit};
        g->count++;
        delta_table_offer(t, next);
        *out = next;
    } else {
        status = status == STATUS_OK ? STATUS_OUT_OF_MEMORY : status;
        delta_snapshot_unref(next);
        delta_commit_release(&commit);
    }
    delta_snapshot_unref(tip);
    return status;
}

/* ---- what is left of all changes ------------------------------------------------------------------------ */

/* The line at *at of an adds buffer; *at moves behind it. */
static struct str take_line(const struct buf *lines, size_t *at)
{
    const char *start = lines->ptr + *at, *end = memchr(start, '\n', lines->len - *at);
    size_t len = end ? (size_t)(end - start) + 1 : lines->len - *at;
    *at += len;
    return (struct str){start, len};
}

static const struct delta_dv *dv_of(bool has_dv, const struct delta_dv *dv) { return has_dv ? dv : NULL; }

static enum status is_vector_change(struct delta_txn *sum, struct str path, bool *out, struct error *err)
{
    struct delta_path_key key = {0};
    bool ok = delta_path_key_init(&key, path);
    *out = ok && delta_txn_vector(sum, &key) != NULL;
    buf_release(&key.scratch);
    return ok ? STATUS_OK : error_oom(err);
}

/* The lines as the change wrote them, without the ids that new rows had in the stage only. */
static enum status sum_adds(struct delta_txn *sum, const struct staged_change *c, const struct delta_snapshot *last, struct error *err)
{
    const struct buf *lines = &c->txn->adds;
    enum status status = STATUS_OK;
    size_t at = 0, add = 0, fresh = 0;
    while (status == STATUS_OK && at < lines->len) {
        size_t start = at;
        struct str line = take_line(lines, &at);
        bool is_new = fresh < c->txn->fresh_count && c->txn->fresh[fresh].offset < at, live = false;
        const struct delta_fresh_add *ids = is_new ? &c->txn->fresh[fresh++] : NULL;
        if (!str_starts(line, STR("{\"add\""))) { /* change data: no line of the table's files */
            status = delta_txn_take_line(sum, line, err);
            continue;
        }
        const struct delta_action_add *a = &c->commit.adds[add++];
        bool is_vector = false;
        status = is_vector_change(sum, a->path, &is_vector, err);
        if (status == STATUS_OK)
            status = has_file(last, a->path, dv_of(a->has_dv, &a->dv), false, &live, err);
        if (status == STATUS_OK && live && !is_vector)
            status = delta_txn_take_add(sum, line, ids ? ids->offset - start : SIZE_MAX, ids ? ids->rows : 0, a->data_change, err);
    }
    return status;
}

static enum status sum_removes(struct delta_txn *sum, const struct staged_change *c, const struct delta_snapshot *first, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < c->commit.remove_count; i++) {
        const struct delta_action_remove *r = &c->commit.removes[i];
        bool there = false;
        status = has_file(first, r->path, dv_of(r->has_dv, &r->dv), false, &there, err);
        if (status == STATUS_OK && there)
            status = delta_txn_take_remove(sum, r->path, r->raw, r->data_change, err);
    }
    return status;
}

/* The vector that the file of v has at last; NULL when it has gone. */
static enum status last_vector(const struct delta_stage *g, const struct delta_snapshot *last, struct str path, const struct delta_dv **out,
                               struct error *err)
{
    enum status status = STATUS_OK;
    *out = NULL;
    for (size_t i = g->count; status == STATUS_OK && !*out && i-- > 0;)
        for (size_t k = 0; status == STATUS_OK && !*out && k < g->changes[i].txn->vector_count; k++) {
            const struct delta_vector_change *v = &g->changes[i].txn->vectors[k];
            bool there = false;
            if (str_eq(v->file.path, path))
                status = has_file(last, path, &v->dv, false, &there, err);
            *out = there ? &v->dv : NULL;
        }
    return status;
}

/* A file of the pinned version that has another vector now, whatever changes gave it: said as one change of its vector, which can be joined with
 * another writer's. */
static enum status sum_vectors(struct delta_txn *sum, const struct delta_stage *g, const struct staged_change *c, const struct delta_snapshot *last,
                               struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < c->txn->vector_count && !sum->has_metadata; i++) {
        const struct delta_vector_change *v = &c->txn->vectors[i];
        struct delta_file file = v->file;
        const struct delta_dv *dv = NULL;
        bool first = false;
        file.dv = dv_of(v->has_base, &v->own_base);
        status = has_file(g->pinned, file.path, file.dv, false, &first, err);
        if (status == STATUS_OK && first)
            status = last_vector(g, last, file.path, &dv, err);
        if (status == STATUS_OK && dv)
            status = delta_txn_set_dv(sum, &file, dv, err);
    }
    return status;
}

static enum status sum_reads(struct delta_txn *sum, const struct delta_txn *from, struct error *err)
{
    enum status status = STATUS_OK;
    sum->reads_all |= from->reads_all;
    for (size_t i = 0; status == STATUS_OK && i < from->read_count; i++)
        status = delta_txn_reads(sum, from->reads[i].pred, from->reads[i].takes_all, err);
    return status;
}

/* Of several versions that one application committed the last one counts. */
static enum status sum_apps(struct delta_txn *sum, const struct delta_stage *g, size_t change, struct error *err)
{
    const struct delta_commit *c = &g->changes[change].commit;
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < c->app_count; i++) {
        struct delta_app_version app = c->apps[i].app;
        bool later = false;
        for (size_t k = change + 1; k < g->count; k++)
            for (size_t n = 0; n < g->changes[k].commit.app_count; n++)
                later |= str_eq(g->changes[k].commit.apps[n].app.app_id, app.app_id);
        if (!later)
            status = delta_txn_app(sum, app.app_id, app.version, err);
    }
    return status;
}

static enum status sum_metadata(struct delta_txn *sum, const struct delta_txn *from, struct error *err)
{
    bool ok = !from->has_protocol || delta_protocol_copy(&sum->arena, &from->protocol, &sum->protocol);
    sum->has_protocol |= from->has_protocol;
    if (ok && from->has_metadata) {
        ok = delta_metadata_copy(&sum->arena, &from->metadata, &sum->metadata);
        sum->has_metadata = ok;
    }
    if (!ok)
        return error_oom(err);
    return from->has_metadata ? delta_partition_keys(&sum->arena, &sum->metadata, &sum->partition_keys, err) : STATUS_OK;
}

/* ---- what commitInfo says of them ------------------------------------------------------------------------- */

static enum status members_of(struct arena *arena, const struct buf *members, struct json *out, struct error *err)
{
    char *object = arena_printf(arena, "{%.*s}", (int)members->len, members->ptr ? members->ptr : "");
    return object ? json_parse(arena, str_of(object), out, err) : error_oom(err);
}

/* Adds up each metric that no change before this one had: those were done with it. */
static enum status sum_metrics_of(struct delta_txn *sum, const struct json *all, size_t change, size_t count, struct error *err)
{
    const struct json *own = &all[change];
    enum status status = STATUS_OK;
    for (uint32_t i = json_first(own, 0); status == STATUS_OK && i < own->nodes[0].next; i = json_next(own, i + 1)) {
        char *name = arena_printf(&sum->arena, "%.*s", STR_ARG(own->nodes[i].text));
        int64_t total = 0;
        bool done = false;
        if (!name)
            return error_oom(err);
        for (size_t k = 0; k < count && !done; k++) {
            uint32_t value = json_member(&all[k], 0, name);
            done = k < change && value;
            if (value != 0)
                total = delta_sum(total, strtoll(all[k].nodes[value].text.ptr, NULL, 10));
        }
        if (!done)
            status = delta_txn_metric(sum, name, total, err);
    }
    return status;
}

static enum status sum_metrics(struct delta_txn *sum, const struct delta_stage *g, struct error *err)
{
    struct arena scratch = ARENA_INIT;
    struct json *all = ARENA_ARRAY(&scratch, struct json, g->count);
    enum status status = all ? STATUS_OK : error_oom(err);
    for (size_t i = 0; status == STATUS_OK && i < g->count; i++)
        status = members_of(&scratch, &g->changes[i].txn->metrics, &all[i], err);
    for (size_t i = 0; status == STATUS_OK && i < g->count; i++)
        status = sum_metrics_of(sum, all, i, g->count, err);
    arena_release(&scratch);
    return status;
}

/* One change is said to be what it was; several are a TRANSACTION, whose parameter names them. */
static enum status sum_operation(struct delta_txn *sum, const struct delta_stage *g, struct error *err)
{
    struct buf list = BUF_INIT, text = BUF_INIT;
    if (g->count == 1) {
        buf_str(&sum->parameters, buf_view(&g->changes[0].txn->parameters));
        enum status status = buf_check(&sum->parameters, err);
        return status == STATUS_OK ? delta_txn_operation(sum, g->changes[0].txn->operation, err) : status;
    }
    buf_char(&list, '[');
    for (size_t i = 0; i < g->count; i++) {
        buf_z(&list, i ? "," : "");
        json_put_string(&list, str_of(g->changes[i].txn->operation));
    }
    buf_char(&list, ']');
    json_put_string(&text, buf_view(&list));
    text.failed |= list.failed;
    enum status status = buf_check(&text, err);
    if (status == STATUS_OK)
        status = delta_txn_operation(sum, "TRANSACTION", err);
    if (status == STATUS_OK)
        status = delta_txn_parameter(sum, "operations", buf_view(&text), err);
    buf_release(&list);
    buf_release(&text);
    return status;
}

/* ---- commit -------------------------------------------------------------------------------------------------- */

static enum status sum_change(struct delta_txn *sum, const struct delta_stage *g, size_t i, const struct delta_snapshot *last, struct error *err)
{
    const struct staged_change *c = &g->changes[i];
    bool rewrites = c->txn->remove_count && c->txn->fresh_count;
    sum->keeps_row_ids &= c->txn->keeps_row_ids || !rewrites;
    enum status status = sum_reads(sum, c->txn, err);
    if (status == STATUS_OK)
        status = sum_apps(sum, g, i, err);
    if (status == STATUS_OK)
        status = sum_vectors(sum, g, c, last, err);
    if (status == STATUS_OK)
        status = sum_removes(sum, c, g->pinned, err);
    if (status == STATUS_OK)
        status = sum_adds(sum, c, last, err);
    if (status == STATUS_OK && c->txn->user_metadata.ptr)
        status = delta_txn_user_metadata(sum, c->txn->user_metadata, err);
    return status;
}

static enum status sum_all(struct ctx *ctx, struct delta_stage *g, const struct delta_snapshot *last, struct delta_txn **out, struct error *err)
{
    enum status status = delta_txn_begin(ctx, g->pinned->table, g->pinned, out, err);
    if (status != STATUS_OK)
        return status;
    (*out)->keeps_row_ids = true;
    status = sum_reads(*out, g->reader, err);
    for (size_t i = 0; status == STATUS_OK && i < g->count; i++)
        status = sum_metadata(*out, g->changes[i].txn, err);
    for (size_t i = 0; status == STATUS_OK && i < g->count; i++)
        status = sum_change(*out, g, i, last, err);
    if (status == STATUS_OK)
        status = sum_operation(*out, g, err);
    if (status == STATUS_OK)
        status = sum_metrics(*out, g, err);
    return status;
}

static bool says_nothing(const struct delta_txn *sum)
{
    return !sum->add_count && !sum->remove_count && !sum->app_count && !sum->has_metadata && !sum->has_protocol;
}

enum status delta_stage_commit(struct ctx *ctx, struct delta_table *t, struct delta_commit_result *result, struct error *err)
{
    struct delta_stage *g = t->stage;
    struct delta_snapshot *last = NULL;
    struct delta_txn *sum = NULL;
    *result = (struct delta_commit_result){.outcome = DELTA_CONFLICT, .version = -1};
    enum status status = delta_snapshot_latest(ctx, t, &last, err);
    if (status == STATUS_OK)
        status = sum_all(ctx, g, last, &sum, err);
    if (status == STATUS_OK && says_nothing(sum))
        *result = (struct delta_commit_result){.outcome = DELTA_COMMITTED, .version = g->pinned->version};
    else if (status == STATUS_OK)
        status = delta_txn_commit(ctx, sum, result, err);
    delta_txn_free(sum);
    delta_snapshot_unref(last);
    return status;
}
