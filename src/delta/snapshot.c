/* delta/snapshot.c: a table's place and its snapshots: opening, the newest version, applying one commit.
 *
 * Looking for news costs one failed open of <version + 1>.json.  A new commit makes a new snapshot that shares
 * everything with the old one but the bitmaps of layers that lose rows and one small segment for the adds. */
#include "delta/delta_int.h"

#include <stdio.h>

enum { LAYERS_MAX = 64, MERGE_GROWTH = 4 };

/* ---- head ------------------------------------------------------------------------------------- */

enum status delta_head_new(const struct delta_table *t, const struct delta_metadata *m, const struct delta_protocol *p, struct delta_head **out,
                           struct error *err)
{
    struct delta_head *h = mem_calloc(1, sizeof *h);
    enum status status;
    *out = NULL;
    if (!h)
        return error_oom(err);
    atomic_init(&h->refs, 1);
    if (delta_metadata_copy(&h->arena, m, &h->metadata) && delta_protocol_copy(&h->arena, p, &h->protocol))
        status = delta_schema_parse(&h->arena, h->metadata.schema_string, &h->schema, err);
    else
        status = error_oom(err);
    if (status == STATUS_OK)
        status = delta_protocol_check_read(&h->protocol, &h->metadata, h->schema, err);
    h->metadata.materializes_partitions = delta_protocol_has(&h->protocol, DELTA_FEATURE_MATERIALIZE_PARTITION_COLUMNS);
    if (status == STATUS_OK)
        status = delta_partition_keys(&h->arena, &h->metadata, &h->partition_keys, err);
    if (status != STATUS_OK) {
        error_context(err, "while opening table \"%s\"", t->name);
        delta_head_unref(h);
        return status;
    }
    *out = h;
    return STATUS_OK;
}

struct delta_head *delta_head_ref(struct delta_head *h)
{
    atomic_fetch_add_explicit(&h->refs, 1, memory_order_relaxed);
    return h;
}

void delta_head_unref(struct delta_head *h)
{
    if (!h || atomic_fetch_sub_explicit(&h->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_release(&h->arena);
    mem_free(h);
}

/* ---- ids ---------------------------------------------------------------------------------------- */

struct delta_ids *delta_ids_new(void)
{
    struct delta_ids *ids = mem_calloc(1, sizeof *ids);
    if (ids)
        atomic_init(&ids->refs, 1);
    return ids;
}

static struct delta_ids *ids_ref(struct delta_ids *ids)
{
    if (ids)
        atomic_fetch_add_explicit(&ids->refs, 1, memory_order_relaxed);
    return ids;
}

void delta_ids_unref(struct delta_ids *ids)
{
    if (!ids || atomic_fetch_sub_explicit(&ids->refs, 1, memory_order_acq_rel) != 1)
        return;
    arena_release(&ids->arena);
    mem_free(ids);
}

static bool ids_add_app(struct delta_ids *ids, const struct delta_app_version *app)
{
    struct str id = arena_str(&ids->arena, app->app_id);
    ids->apps[ids->app_count++] = (struct delta_app_version){id, app->version, app->last_updated_ms};
    return id.ptr != NULL;
}

static bool ids_add_domain(struct delta_ids *ids, const struct delta_domain *d)
{
    struct delta_domain copy = {arena_str(&ids->arena, d->domain), arena_str(&ids->arena, d->configuration)};
    ids->domains[ids->domain_count++] = copy;
    return copy.domain.ptr && copy.configuration.ptr;
}

static bool ids_reserve(struct delta_ids *ids, size_t apps, size_t domains)
{
    ids->apps = ARENA_ARRAY(&ids->arena, struct delta_app_version, apps);
    ids->domains = ARENA_ARRAY(&ids->arena, struct delta_domain, domains);
    return ids->apps && ids->domains;
}

bool delta_ids_fill(struct delta_ids *ids, const struct delta_app_version *apps, size_t app_count, const struct delta_domain *domains,
                    size_t domain_count)
{
    bool ok = ids_reserve(ids, app_count, domain_count);
    for (size_t i = 0; ok && i < app_count; i++)
        ok = ids_add_app(ids, &apps[i]);
    for (size_t i = 0; ok && i < domain_count; i++)
        ok = ids_add_domain(ids, &domains[i]);
    return ok;
}

/* Newest in the commit first, then what the commit leaves alone. */
static bool app_known(const struct delta_ids *ids, struct str id)
{
    for (size_t i = 0; i < ids->app_count; i++)
        if (str_eq(ids->apps[i].app_id, id))
            return true;
    return false;
}

static bool domain_in_commit_after(const struct delta_commit *c, size_t from, struct str domain)
{
    for (size_t i = from; i < c->domain_count; i++)
        if (str_eq(c->domains[i].domain.domain, domain))
            return true;
    return false;
}

static bool ids_fold(struct delta_ids *ids, const struct delta_snapshot *base, const struct delta_commit *c)
{
    bool ok = ids_reserve(ids, base->app_count + c->app_count, base->domain_count + c->domain_count);
    for (size_t i = c->app_count; ok && i > 0; i--)
        if (!app_known(ids, c->apps[i - 1].app.app_id))
            ok = ids_add_app(ids, &c->apps[i - 1].app);
    size_t from_commit = ids->app_count;
    for (size_t i = 0; ok && i < base->app_count; i++) {
        bool replaced = false;
        for (size_t j = 0; j < from_commit && !replaced; j++)
            replaced = str_eq(ids->apps[j].app_id, base->apps[i].app_id);
        ok = replaced || ids_add_app(ids, &base->apps[i]);
    }
    for (size_t i = 0; ok && i < base->domain_count; i++)
        ok = domain_in_commit_after(c, 0, base->domains[i].domain) || ids_add_domain(ids, &base->domains[i]);
    for (size_t i = 0; ok && i < c->domain_count; i++)
        ok = c->domains[i].removed || domain_in_commit_after(c, i + 1, c->domains[i].domain.domain) || ids_add_domain(ids, &c->domains[i].domain);
    return ok;
}

/* ---- life of a snapshot ---------------------------------------------------------------------------- */

struct delta_snapshot *delta_snapshot_new(struct delta_table *t, int64_t version, size_t layer_cap)
{
    struct delta_snapshot *s = mem_calloc(1, sizeof *s);
    if (!s)
        return NULL;
    atomic_init(&s->refs, 1);
    pthread_mutex_init(&s->full_lock, NULL);
    s->table = t;
    s->version = version;
    s->dv_count = s->deleted_rows = -1;
    s->layers = mem_calloc(layer_cap + 1, sizeof *s->layers);
    if (s->layers)
        return s;
    pthread_mutex_destroy(&s->full_lock);
    mem_free(s);
    return NULL;
}

void delta_snapshot_set_ids(struct delta_snapshot *s, struct delta_ids *ids)
{
    s->ids = ids;
    s->apps = ids->apps;
    s->app_count = ids->app_count;
    s->domains = ids->domains;
    s->domain_count = ids->domain_count;
}

struct delta_snapshot *delta_snapshot_hold(struct delta_snapshot *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void delta_snapshot_drop(struct delta_snapshot *s)
{
    if (!s || atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) != 1)
        return;
    for (size_t i = 0; i < s->layer_count; i++)
        delta_layer_release(&s->layers[i]);
    mem_free(s->layers);
    delta_snapshot_drop(s->full);
    delta_head_unref(s->head);
    delta_ids_unref(s->ids);
    pthread_mutex_destroy(&s->full_lock);
    mem_free(s);
}

struct delta_snapshot *delta_snapshot_ref(struct delta_snapshot *s)
{
    delta_table_ref(s->table);
    return delta_snapshot_hold(s);
}

void delta_snapshot_unref(struct delta_snapshot *s)
{
    if (!s)
        return;
    struct delta_table *t = s->table;
    delta_snapshot_drop(s);
    delta_table_unref(t);
}

int64_t delta_snapshot_version(const struct delta_snapshot *s) { return s->version; }
int64_t delta_snapshot_timestamp_us(const struct delta_snapshot *s) { return s->timestamp_us; }
const struct delta_metadata *delta_snapshot_metadata(const struct delta_snapshot *s) { return &s->head->metadata; }
const struct delta_protocol *delta_snapshot_protocol(const struct delta_snapshot *s) { return &s->head->protocol; }
const struct delta_type *delta_snapshot_schema(const struct delta_snapshot *s) { return s->head->schema; }
struct delta_table *delta_snapshot_table(const struct delta_snapshot *s) { return s->table; }
int64_t delta_snapshot_file_count(const struct delta_snapshot *s) { return s->file_count; }
int64_t delta_snapshot_size_bytes(const struct delta_snapshot *s) { return s->size_bytes; }

int64_t delta_snapshot_txn_version(const struct delta_snapshot *s, struct str app_id)
{
    for (size_t i = 0; i < s->app_count; i++)
        if (str_eq(s->apps[i].app_id, app_id))
            return s->apps[i].version;
    return -1;
}

struct str delta_snapshot_domain(const struct delta_snapshot *s, struct str domain)
{
    for (size_t i = 0; i < s->domain_count; i++)
        if (str_eq(s->domains[i].domain, domain))
            return s->domains[i].configuration;
    return STR_NULL;
}

/* ---- a table's place --------------------------------------------------------------------------------- */

enum status delta_table_open(struct ctx *ctx, struct store *store, struct delta_handler *handler, struct str name, struct delta_table **out,
                             struct error *err)
{
    struct delta_table *t = mem_calloc(1, sizeof *t);
    *out = NULL;
    if (t)
        t->name = mem_strndup(name.ptr ? name.ptr : "", name.len);
    if (!t || !t->name) {
        mem_free(t);
        return error_oom(err);
    }
    atomic_init(&t->refs, 1);
    pthread_mutex_init(&t->lock, NULL);
    t->store = store_ref(store);
    t->handler = handler;
    *out = t;
    return STATUS_OK;
}

struct delta_table *delta_table_ref(struct delta_table *t)
{
    atomic_fetch_add_explicit(&t->refs, 1, memory_order_relaxed);
    return t;
}

void delta_table_unref(struct delta_table *t)
{
    if (!t || atomic_fetch_sub_explicit(&t->refs, 1, memory_order_acq_rel) != 1)
        return;
    delta_checkpoint_worker_stop(t);
    delta_snapshot_drop(t->latest);
    delta_snapshot_drop(t->tip);
    delta_stage_free(t->stage);
    store_unref(t->store);
    pthread_mutex_destroy(&t->lock);
    mem_free(t->name);
    mem_free(t);
}

struct str delta_table_name(const struct delta_table *t) { return str_of(t->name); }
struct store *delta_table_store(const struct delta_table *t) { return t->store; }

static bool is_older(const struct delta_snapshot *known, const struct delta_snapshot *s) { return !known || known->version < s->version; }

void delta_table_offer(struct delta_table *t, struct delta_snapshot *s)
{
    struct delta_snapshot *old = NULL, *passed = NULL;
    pthread_mutex_lock(&t->lock);
    struct delta_snapshot **place = s->is_tip ? &t->tip : &t->latest;
    if (is_older(*place, s) && is_older(t->latest, s)) {
        old = *place;
        *place = delta_snapshot_hold(s);
    }
    if (t->tip && !is_older(t->latest, t->tip)) {
        passed = t->tip;
        t->tip = NULL;
    }
    pthread_mutex_unlock(&t->lock);
    delta_snapshot_drop(old);
    delta_snapshot_drop(passed);
}

struct delta_snapshot *delta_table_newest(struct delta_table *t)
{
    pthread_mutex_lock(&t->lock);
    struct delta_snapshot *newest = t->tip ? t->tip : t->latest;
    struct delta_snapshot *s = newest ? delta_snapshot_hold(newest) : NULL;
    pthread_mutex_unlock(&t->lock);
    return s;
}

/* The newest snapshot known, held; NULL when there is none yet. */
static struct delta_snapshot *known_latest(struct delta_table *t)
{
    pthread_mutex_lock(&t->lock);
    struct delta_snapshot *s = t->latest ? delta_snapshot_hold(t->latest) : NULL;
    pthread_mutex_unlock(&t->lock);
    return s;
}

/* ---- one commit further ------------------------------------------------------------------------------------ */

/* Small layers at the end are merged when they are many; a layer is left alone when it is MERGE_GROWTH times larger than
 * all after it, so that each row is copied a logarithmic number of times. Layers of a checkpoint stay as they are. */
static size_t merge_start(const struct delta_snapshot *s)
{
    size_t live = 0, start = s->layer_count;
    while (start > 0) {
        const struct delta_layer *l = &s->layers[start - 1];
        size_t own = delta_layer_live(l);
        if (l->segment->part_count > 0 || (s->layer_count - start >= LAYERS_MAX / 2 && own > live * MERGE_GROWTH))
            break;
        live += own;
        start--;
    }
    return start;
}

static enum status merge_layers(struct delta_snapshot *s, struct error *err)
{
    struct delta_layer merged;
    size_t start = merge_start(s);
    if (s->layer_count <= LAYERS_MAX || s->layer_count - start < 2)
        return STATUS_OK;
    enum status status = delta_layers_merge(s->layers + start, s->layer_count - start, &merged, err);
    if (status != STATUS_OK)
        return status;
    for (size_t i = start; i < s->layer_count; i++)
        delta_layer_release(&s->layers[i]);
    s->layers[start] = merged;
    s->layer_count = start + 1;
    return STATUS_OK;
}

static void copy_layers(struct delta_snapshot *to, const struct delta_snapshot *from)
{
    for (size_t i = 0; i < from->layer_count; i++) {
        to->layers[i].segment = delta_segment_ref(from->layers[i].segment);
        to->layers[i].dead = delta_bitmap_ref(from->layers[i].dead);
    }
    to->layer_count = from->layer_count;
}

struct delta_snapshot *delta_snapshot_for(const struct delta_snapshot *s, struct delta_table *t)
{
    struct delta_snapshot *copy = delta_snapshot_new(t, s->version, s->layer_count);
    if (!copy)
        return NULL;
    copy_layers(copy, s);
    copy->head = delta_head_ref(s->head);
    if (s->ids)
        delta_snapshot_set_ids(copy, ids_ref(s->ids));
    copy->timestamp_us = s->timestamp_us;
    copy->file_count = s->file_count;
    copy->size_bytes = s->size_bytes;
    copy->checkpoint_version = s->checkpoint_version;
    copy->dv_count = s->dv_count;
    copy->deleted_rows = s->deleted_rows;
    return copy;
}

static void drop_dead_layers(struct delta_snapshot *s)
{
    size_t kept = 0;
    for (size_t i = 0; i < s->layer_count; i++) {
        if (delta_layer_live(&s->layers[i]) > 0)
            s->layers[kept++] = s->layers[i];
        else
            delta_layer_release(&s->layers[i]);
    }
    s->layer_count = kept;
}

static enum status apply_files(struct delta_snapshot *next, const struct delta_snapshot *base, const struct delta_commit *commit, struct error *err)
{
    struct delta_fold f;
    if (base->is_tip) {
        delta_tip_count(next, base, commit);
        return STATUS_OK;
    }
    copy_layers(next, base);
    enum status status = delta_fold_init(&f, next->layers, next->layer_count, &next->head->metadata, err);
    if (status != STATUS_OK)
        return status;
    f.file_count = base->file_count;
    f.size_bytes = base->size_bytes;
    status = delta_fold_commit(&f, commit, err);
    if (status == STATUS_OK && f.segment->count > 0) {
        status = delta_fold_layer(&f, &next->layers[next->layer_count], err);
        next->layer_count += status == STATUS_OK;
    }
    next->file_count = f.file_count;
    next->size_bytes = f.size_bytes;
    delta_fold_release(&f);
    if (status == STATUS_OK) {
        drop_dead_layers(next);
        status = merge_layers(next, err);
    }
    return status;
}

static enum status apply_head(struct delta_snapshot *next, const struct delta_snapshot *base, const struct delta_commit *c, struct error *err)
{
    if (!c->has_metadata && !c->has_protocol) {
        next->head = delta_head_ref(base->head);
        return STATUS_OK;
    }
    return delta_head_new(base->table, c->has_metadata ? &c->metadata : &base->head->metadata, c->has_protocol ? &c->protocol : &base->head->protocol,
                          &next->head, err);
}

static enum status apply_ids(struct delta_snapshot *next, const struct delta_snapshot *base, const struct delta_commit *c, struct error *err)
{
    if (c->app_count + c->domain_count == 0 && base->ids) {
        delta_snapshot_set_ids(next, ids_ref(base->ids));
        return STATUS_OK;
    }
    struct delta_ids *ids = delta_ids_new();
    if (!ids)
        return error_oom(err);
    bool ok = ids_fold(ids, base, c);
    delta_snapshot_set_ids(next, ids);
    return ok ? STATUS_OK : error_oom(err);
}

static void apply_timestamp(struct delta_snapshot *next, const struct delta_snapshot *base, const struct delta_commit *c, int64_t file_modified_us)
{
    if (c->in_commit_timestamp_ms != INT64_MIN && delta_config_bool(&next->head->metadata, "delta.enableInCommitTimestamps", false))
        next->timestamp_us = delta_ms_to_us(c->in_commit_timestamp_ms);
    else
        next->timestamp_us = delta_ms_to_us(delta_next_timestamp_ms(base->timestamp_us / 1000, file_modified_us));
}

enum status delta_snapshot_apply(struct ctx *ctx, struct delta_snapshot *base, const struct delta_commit *commit, int64_t file_modified_us,
                                 struct delta_snapshot **out, struct error *err)
{
    *out = NULL;
    if (commit->version != base->version + 1) {
        error_set(err, STATUS_INTERNAL, "version %lld cannot follow version %lld", (long long)commit->version, (long long)base->version);
        return STATUS_INTERNAL;
    }
    /* Layers hold partition values by column: a table partitioned anew is read anew; so is one whose files are not known when that matters. */
    bool anew = commit->has_metadata && !delta_same_partition_keys(&commit->metadata, &base->head->metadata);
    if (anew || (base->is_tip && !delta_tip_can_follow(base, commit))) {
        enum status status = delta_snapshot_load(ctx, base->table, commit->version, out, err);
        if (*out)
            delta_table_ref(base->table);
        return status;
    }
    struct delta_snapshot *next = delta_snapshot_new(base->table, commit->version, base->layer_count + 1);
    if (!next)
        return error_oom(err);
    next->checkpoint_version = base->checkpoint_version;
    enum status status = apply_head(next, base, commit, err);
    if (status == STATUS_OK)
        status = apply_ids(next, base, commit, err);
    if (status == STATUS_OK)
        status = apply_files(next, base, commit, err);
    if (status != STATUS_OK) {
        error_context(err, "while applying version %lld of table \"%s\"", (long long)commit->version, base->table->name);
        delta_snapshot_drop(next);
        return status;
    }
    apply_timestamp(next, base, commit, file_modified_us);
    delta_table_ref(base->table);
    *out = next;
    return STATUS_OK;
}

/* ---- opening ------------------------------------------------------------------------------------------------- */

static enum status file_time(struct ctx *ctx, struct delta_table *t, int64_t version, int64_t *modified_us, struct error *err)
{
    char key[64];
    struct store_entry entry;
    delta_log_key(key, version, ".json");
    enum store_result result = store_stat(t->store, ctx, str_of(key), &entry, err);
    if (result != STORE_OK && result != STORE_NOT_FOUND)
        return delta_store_failure(result, key, err);
    *modified_us = result == STORE_OK ? entry.modified_us : ctx_now_us(ctx);
    return STATUS_OK;
}

enum status delta_snapshot_step(struct ctx *ctx, struct delta_table *t, struct delta_snapshot **s, bool *found, struct error *err)
{
    struct delta_commit commit;
    struct delta_snapshot *next = NULL;
    int64_t modified_us = 0;
    *found = false;
    enum store_result result = delta_commit_read(ctx, t, (*s)->version + 1, &commit, err);
    if (result == STORE_NOT_FOUND)
        return STATUS_OK;
    if (result != STORE_OK)
        return delta_store_failure(result, t->name, err);
    enum status status = file_time(ctx, t, commit.version, &modified_us, err);
    if (status == STATUS_OK)
        status = delta_snapshot_apply(ctx, *s, &commit, modified_us, &next, err);
    delta_commit_release(&commit);
    if (status != STATUS_OK)
        return status;
    delta_snapshot_unref(*s);
    *s = next;
    *found = true;
    return STATUS_OK;
}

static enum status load_new(struct ctx *ctx, struct delta_table *t, int64_t version, struct delta_snapshot **out, struct error *err)
{
    enum status status = delta_snapshot_load(ctx, t, version, out, err);
    if (status == STATUS_OK)
        delta_table_ref(t);
    return status;
}

enum status delta_snapshot_latest(struct ctx *ctx, struct delta_table *t, struct delta_snapshot **out, struct error *err)
{
    struct delta_snapshot *s = known_latest(t);
    bool found = true, news = s == NULL;
    enum status status = STATUS_OK;
    *out = NULL;
    if (s)
        delta_table_ref(t);
    else
        status = load_new(ctx, t, INT64_MAX, &s, err);
    if (t->stage) { /* it always knows its newest version, and the log is not its own */
        *out = s;
        return status;
    }
    while (status == STATUS_OK && found) {
        status = ctx_check(ctx, err);
        if (status == STATUS_OK)
            status = delta_snapshot_step(ctx, t, &s, &found, err);
        news |= status == STATUS_OK && found;
    }
    if (status != STATUS_OK) {
        delta_snapshot_unref(s);
        return status;
    }
    if (news)
        delta_table_offer(t, s);
    *out = s;
    return STATUS_OK;
}

enum status delta_snapshot_at_version(struct ctx *ctx, struct delta_table *t, int64_t version, struct delta_snapshot **out, struct error *err)
{
    *out = NULL;
    enum status status = delta_stage_check_version(t, version, err);
    if (status != STATUS_OK)
        return status;
    struct delta_snapshot *s = known_latest(t);
    if (s && s->version == version) {
        delta_table_ref(t);
        *out = s;
        return STATUS_OK;
    }
    delta_snapshot_drop(s);
    /* INT64_MAX means the last version to the loader. */
    return load_new(ctx, t, version == INT64_MAX ? version - 1 : version, out, err);
}
