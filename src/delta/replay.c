/* delta/replay.c: a snapshot from the log: checkpoint rows first, the commits after them on top.
 *
 * Checkpoint rows are the oldest state and can be a million; commits since are few.  So the commits are folded
 * first, by themselves, and the checkpoint's rows are then probed against what the commits touched: a hash of the
 * few, none of the many (protocol: "Action Reconciliation"). */
#include "delta/delta_int.h"

#include <stdio.h>

enum { FIRST_ITEMS = 16, FILTER_BITS_PER_PATH = 16, FILTER_MIN_BITS = 1 << 12, FILTER_TAIL_BYTES = 32 };

/* ---- names with a newest value: txn and domainMetadata ------------------------------------ */

struct named {
    struct delta_dictionary names; /* code - 1 is the position in the array beside it */
    size_t cap;
};

struct replay {
    struct ctx *ctx;
    struct delta_table *table;
    const struct delta_rebuild *way;
    struct arena arena; /* names, configurations, keys */
    struct arena metadata_arena, protocol_arena;
    struct delta_metadata metadata;
    struct delta_protocol protocol;
    bool has_metadata, has_protocol;
    struct named app_names, domain_names;
    struct delta_app_version *apps;
    struct delta_domain *domains;        /* configuration NULL ptr: removed */
    struct delta_commit_stream *commits; /* of the pass under way */
    struct delta_fold fold;              /* the commits */
    bool folding;
    bool columns_final;           /* this pass knows the partition columns that the table ends up with */
    struct delta_touched removes; /* of the commits after the checkpoint */
    struct delta_checkpoint_files checkpoint;
    struct delta_layer base; /* the checkpoint's files */
    int64_t in_commit_ms;    /* of the last commit, INT64_MIN when not known */
};

static enum status names_put(struct replay *r, struct named *n, struct str name, void **items, size_t item_bytes, uint32_t *at, struct error *err)
{
    uint32_t code;
    if (!delta_dictionary_code(&n->names, &r->arena, name, &code))
        return error_oom(err);
    *at = code - 1;
    if (*at >= n->cap) {
        size_t cap = n->cap ? n->cap * 2 : FIRST_ITEMS;
        void *grown = mem_realloc(*items, cap * item_bytes);
        if (!grown)
            return error_oom(err);
        *items = grown;
        n->cap = cap;
    }
    return STATUS_OK;
}

static enum status take_app(struct replay *r, const struct delta_app_version *app, struct error *err)
{
    uint32_t at = 0;
    void *items = r->apps;
    enum status status = names_put(r, &r->app_names, app->app_id, &items, sizeof *r->apps, &at, err);
    r->apps = items;
    if (status == STATUS_OK)
        r->apps[at] = (struct delta_app_version){r->app_names.names.values[at + 1], app->version, app->last_updated_ms};
    return status;
}

static enum status take_domain(struct replay *r, const struct delta_action_domain *d, struct error *err)
{
    uint32_t at = 0;
    void *items = r->domains;
    enum status status = names_put(r, &r->domain_names, d->domain.domain, &items, sizeof *r->domains, &at, err);
    r->domains = items;
    if (status != STATUS_OK)
        return status;
    struct str configuration = d->removed ? STR_NULL : arena_str(&r->arena, d->domain.configuration);
    if (!d->removed && !configuration.ptr)
        return error_oom(err);
    r->domains[at] = (struct delta_domain){r->domain_names.names.values[at + 1], configuration};
    return STATUS_OK;
}

/* Everything of a commit but its files. */
static enum status take_state(struct replay *r, const struct delta_commit *c, struct error *err)
{
    enum status status = STATUS_OK;
    if (c->has_metadata) {
        arena_clear(&r->metadata_arena);
        r->has_metadata = delta_metadata_copy(&r->metadata_arena, &c->metadata, &r->metadata);
        if (!r->has_metadata)
            return error_oom(err);
    }
    if (c->has_protocol) {
        arena_clear(&r->protocol_arena);
        r->has_protocol = delta_protocol_copy(&r->protocol_arena, &c->protocol, &r->protocol);
        if (!r->has_protocol)
            return error_oom(err);
    }
    for (size_t i = 0; status == STATUS_OK && i < c->app_count; i++)
        status = take_app(r, &c->apps[i].app, err);
    for (size_t i = 0; status == STATUS_OK && i < c->domain_count; i++)
        status = take_domain(r, &c->domains[i], err);
    return status;
}

/* ---- the checkpoint's other rows -------------------------------------------------------------- */

static enum status read_checkpoint_state(struct replay *r, struct error *err)
{
    enum status status = delta_checkpoint_open(r->ctx, r->table, r->way->checkpoint, &r->checkpoint, err);
    if (status == STATUS_OK)
        status = take_state(r, &r->checkpoint.state, err);
    if (status == STATUS_OK && (!r->has_metadata || !r->has_protocol))
        status = error_set(err, STATUS_PROTOCOL_VIOLATION, "the checkpoint has no %s", r->has_metadata ? "protocol" : "metaData");
    if (status != STATUS_OK)
        error_context(err, "while reading checkpoint \"%.*s\" of table \"%s\"", STR_ARG(r->checkpoint.name), r->table->name);
    return status;
}

/* ---- the checkpoint's files -------------------------------------------------------------------- */

static bool take_adds(void *user, size_t part_index, const struct delta_checkpoint_batch *batch, struct error *err)
{
    return delta_segment_append_batch(user, batch, err) == STATUS_OK;
}

static enum status read_file_rows(struct replay *r, struct delta_segment *g, struct error *err)
{
    struct delta_handler *h = r->table->handler;
    const struct delta_checkpoint_files *f = &r->checkpoint;
    g->part_count = f->key_count;
    g->part_keys = ARENA_ARRAY(&g->arena, struct str, f->key_count);
    if (!g->part_keys)
        return error_oom(err);
    for (size_t i = 0; i < f->key_count; i++) {
        g->part_keys[i] = arena_str(&g->arena, f->keys[i]);
        if (!g->part_keys[i].ptr)
            return error_oom(err);
    }
    delta_segment_note_parts(r->ctx, r->table, g);
    struct str *columns;
    unsigned wanted = delta_protocol_has(&r->protocol, DELTA_FEATURE_ROW_TRACKING) ? DELTA_READ_ROW_IDS : 0;
    enum status status = delta_partition_keys(&g->arena, &r->metadata, &columns, err);
    return status ? status
                  : h->read_adds(h, r->ctx, f->located, f->key_count, columns, r->metadata.partition_column_count, wanted, take_adds, g, err);
}

/* The adds that stand in a JSON top level; its removes hide nothing that is in it. */
static enum status take_inline_adds(struct replay *r, struct error *err)
{
    struct delta_commit *c = &r->checkpoint.state;
    struct delta_fold fold;
    struct delta_layer layer;
    c->remove_count = 0;
    enum status status = delta_fold_init(&fold, NULL, 0, &r->metadata, err);
    if (status != STATUS_OK)
        return status;
    status = delta_fold_commit(&fold, c, err);
    if (status == STATUS_OK)
        status = delta_fold_layer(&fold, &layer, err);
    if (status == STATUS_OK) {
        r->base.segment = layer.segment;
        if (layer.dead) {
            delta_layer_release(&r->base);
            delta_bitmap_unref(layer.dead);
            status = error_set(err, STATUS_CORRUPT_LOG, "the checkpoint names a file twice");
        }
    }
    delta_fold_release(&fold);
    return status;
}

static enum status read_checkpoint_files(struct replay *r, struct error *err)
{
    const struct delta_checkpoint_files *f = &r->checkpoint;
    enum status status = STATUS_OK;
    if (f->inline_files) {
        status = take_inline_adds(r, err);
    } else {
        r->base.segment = delta_segment_new(r->metadata.partition_column_count);
        status = r->base.segment ? STATUS_OK : error_oom(err);
        if (status == STATUS_OK && f->key_count)
            status = read_file_rows(r, r->base.segment, err);
    }
    if (status == STATUS_OK && f->add_count >= 0 && (int64_t)r->base.segment->count != f->add_count)
        status = error_set(err, STATUS_CORRUPT_LOG, "the checkpoint holds %zu files and says that it holds %lld", r->base.segment->count,
                           (long long)f->add_count);
    if (status != STATUS_OK)
        error_context(err, "while reading checkpoint \"%.*s\" of table \"%s\"", STR_ARG(f->name), r->table->name);
    return status;
}

/* ---- commits ------------------------------------------------------------------------------------- */

static enum status note_remove(struct replay *r, const struct delta_action_remove *gone, struct error *err)
{
    if (!delta_path_key_init(&r->fold.key, gone->path))
        return error_oom(err);
    return delta_touched_put(&r->removes, &r->fold.key, gone->has_dv ? &gone->dv : NULL, false, err);
}

static enum status start_fold(struct replay *r, struct error *err)
{
    static const struct delta_metadata no_columns;
    if (r->folding)
        return STATUS_OK;
    enum status status = delta_fold_init(&r->fold, NULL, 0, r->has_metadata ? &r->metadata : &no_columns, err);
    r->folding = status == STATUS_OK;
    return status;
}

/* What a replayed file adds to the state. *c is released. */
static enum status replay_actions(struct replay *r, struct delta_commit *c, bool *again, struct error *err)
{
    r->in_commit_ms = c->in_commit_timestamp_ms;
    enum status status = take_state(r, c, err);
    if (status == STATUS_OK && !r->columns_final && r->folding && c->has_metadata && !delta_fold_fits(&r->fold, &r->metadata))
        *again = true;
    if (status == STATUS_OK && !*again)
        status = start_fold(r, err);
    if (status == STATUS_OK && !*again)
        status = delta_fold_commit(&r->fold, c, err);
    for (size_t i = 0; status == STATUS_OK && !*again && r->way->checkpoint && i < c->remove_count; i++)
        status = note_remove(r, &c->removes[i], err);
    if (status != STATUS_OK)
        error_context(err, "while replaying version %lld of table \"%s\"", (long long)c->version, r->table->name);
    delta_commit_stream_give_back(r->commits, c);
    return status;
}

/* In the first pass columns are those of the first metadata; when that changes later, only the state is taken from
 * there on and *again asks for a second pass, which knows the columns the table ends up with. */
static enum status replay_commit(struct replay *r, int64_t version, bool *again, struct error *err)
{
    struct delta_commit c;
    enum store_result result = delta_commit_stream_next(r->commits, version, &c, err);
    if (result == STORE_NOT_FOUND)
        return error_set(err, STATUS_PROTOCOL_VIOLATION, "the log of table \"%s\" has a gap: version %lld is missing", r->table->name,
                         (long long)version);
    if (result != STORE_OK)
        return delta_store_failure(result, r->table->name, err);
    return replay_actions(r, &c, again, err);
}

/* The longest compaction that begins here and does not go too far; NULL: none. */
static const struct delta_log_compaction *compaction_from(const struct replay *r, int64_t version)
{
    const struct delta_listing *l = r->way->listing;
    const struct delta_log_compaction *best = NULL;
    for (size_t i = 0; i < l->compaction_count; i++)
        if (l->compactions[i].from == version && l->compactions[i].to <= r->way->version && (!best || l->compactions[i].to > best->to))
            best = &l->compactions[i];
    return best;
}

/* Notes the file; *known when it stood in an action before. */
static enum status note_once(struct delta_touched *seen, struct delta_path_key *key, struct str path, const struct delta_dv *dv, bool *known,
                             struct error *err)
{
    if (!delta_path_key_init(key, path))
        return error_oom(err);
    *known = delta_touched_hides_remove(seen, key, dv);
    return *known ? STATUS_OK : delta_touched_put(seen, key, dv, false, err);
}

/* A compaction names each file (path and deletion vector) once: files are found that are commits strung together in some order. */
static bool is_reconciled(const struct delta_commit *c, struct error *err)
{
    struct delta_touched seen = {0};
    struct delta_path_key key = {0};
    enum status status = STATUS_OK;
    bool known = false;
    for (size_t i = 0; status == STATUS_OK && !known && i < c->add_count; i++)
        status = note_once(&seen, &key, c->adds[i].path, c->adds[i].has_dv ? &c->adds[i].dv : NULL, &known, err);
    for (size_t i = 0; status == STATUS_OK && !known && i < c->remove_count; i++)
        status = note_once(&seen, &key, c->removes[i].path, c->removes[i].has_dv ? &c->removes[i].dv : NULL, &known, err);
    if (known)
        error_set(err, STATUS_CORRUPT_LOG, "file \"%.*s\" is named twice", STR_ARG(key.text));
    buf_release(&key.scratch);
    delta_touched_release(&seen);
    return status == STATUS_OK && !known;
}

/* Log compaction files only save work: one that cannot be read is passed over, and its commits are read instead. */
static bool read_compaction(struct replay *r, const struct delta_log_compaction *x, struct delta_commit *out)
{
    char key[96];
    struct buf text = BUF_INIT;
    struct error failure = ERROR_INIT;
    *out = (struct delta_commit){0};
    snprintf(key, sizeof key, "_delta_log/%020lld.%020lld.compacted.json", (long long)x->from, (long long)x->to);
    enum store_result result = store_read(r->table->store, r->ctx, str_of(key), &text, &failure);
    bool ok = result == STORE_OK && buf_check(&text, &failure) == STATUS_OK && text.len > 0 &&
              delta_commit_parse(&text, x->to, str_of(key), out, &failure) == STATUS_OK && is_reconciled(out, &failure);
    if (!ok) {
        delta_commit_release(out);
        log_event(r->ctx, LOG_WARN, "compaction_unreadable", "table", r->table->name, "key", key, "error",
                  failure.message ? failure.message : "empty, or gone", NULL);
    }
    error_release(&failure);
    buf_release(&text);
    return ok;
}

/* One commit, or several at once.  *version: the last that was replayed. */
static enum status replay_next(struct replay *r, int64_t *version, bool *again, struct error *err)
{
    struct delta_commit c;
    const struct delta_log_compaction *x = r->way->listing->compaction_count ? compaction_from(r, *version) : NULL;
    if (!x || !read_compaction(r, x, &c))
        return replay_commit(r, *version, again, err);
    *version = x->to;
    return replay_actions(r, &c, again, err);
}

static enum status replay_pass(struct replay *r, bool *again, struct error *err)
{
    enum status status = STATUS_OK;
    int64_t first = r->way->checkpoint ? r->way->checkpoint->version + 1 : 0;
    /* Commits that compactions stand for are not read ahead in vain. */
    r->commits = delta_commit_stream_new(r->ctx, r->table, first, r->way->listing->compaction_count ? first : r->way->version);
    if (!r->commits)
        return error_oom(err);
    *again = false;
    for (int64_t v = first; status == STATUS_OK && v <= r->way->version; v++) {
        status = ctx_check(r->ctx, err);
        if (status == STATUS_OK)
            status = replay_next(r, &v, again, err);
    }
    delta_commit_stream_free(r->commits);
    if (status == STATUS_OK && !(r->has_metadata && r->has_protocol))
        status = error_set(err, STATUS_PROTOCOL_VIOLATION, "the log of table \"%s\" has no %s up to version %lld", r->table->name,
                           r->has_metadata ? "protocol" : "metaData", (long long)r->way->version);
    return status;
}

static enum status replay_commits(struct replay *r, struct error *err)
{
    bool again;
    enum status status = replay_pass(r, &again, err);
    if (status != STATUS_OK || !again)
        return status == STATUS_OK ? start_fold(r, err) : status;
    delta_fold_release(&r->fold);
    r->folding = false;
    r->columns_final = true;
    delta_touched_release(&r->removes);
    status = start_fold(r, err);
    return status == STATUS_OK ? replay_pass(r, &again, err) : status;
}

/* ---- checkpoint rows that commits replaced ------------------------------------------------------------- */

struct probe {
    const struct replay *replay;
    uint64_t *filter; /* one bit by length and last bytes: most rows are let off without a look at a hash table */
    size_t filter_mask;
    struct delta_path_key key;
};

/* File names end in ".snappy.parquet" or the like: the bytes must reach back into the unique part. */
static size_t filter_bit(const struct probe *p, struct str path)
{
    size_t len = path.len < FILTER_TAIL_BYTES ? path.len : FILTER_TAIL_BYTES;
    return hash_bytes(path.ptr + path.len - len, len, path.len) & p->filter_mask;
}

static void filter_add(struct probe *p, struct str path)
{
    size_t bit = filter_bit(p, path);
    p->filter[bit / 64] |= (uint64_t)1 << (bit & 63);
}

static enum status probe_init(struct probe *p, const struct replay *r, struct error *err)
{
    size_t touched = r->fold.segment->count + r->removes.count, bits = FILTER_MIN_BITS;
    while (bits < touched * FILTER_BITS_PER_PATH)
        bits *= 2;
    *p = (struct probe){.replay = r, .filter_mask = bits - 1};
    p->filter = mem_calloc(bits / 64, sizeof *p->filter);
    if (!p->filter)
        return error_oom(err);
    for (size_t row = 0; row < r->fold.segment->count; row++) {
        if (!delta_path_key_init(&p->key, r->fold.segment->paths[row]))
            return error_oom(err);
        filter_add(p, p->key.text);
    }
    for (size_t i = 0; i < r->removes.count; i++)
        filter_add(p, delta_touched_path(&r->removes, i));
    return STATUS_OK;
}

static void probe_release(struct probe *p)
{
    mem_free(p->filter);
    buf_release(&p->key.scratch);
}

/* The filter knows decoded paths, so an encoded one always takes the long way. */
static enum status is_superseded(struct probe *p, size_t row, bool *superseded, struct error *err)
{
    const struct delta_segment *g = p->replay->base.segment;
    struct str path = g->paths[row];
    int64_t newer;
    *superseded = false;
    if (!memchr(path.ptr, '%', path.len)) {
        size_t bit = filter_bit(p, path);
        if (!(p->filter[bit / 64] >> (bit & 63) & 1))
            return STATUS_OK;
    }
    if (!delta_path_key_init(&p->key, path))
        return error_oom(err);
    enum status status = delta_segment_lookup(p->replay->fold.segment, &p->key, &newer, err);
    *superseded = status == STATUS_OK && (newer >= 0 || delta_touched_hides_add(&p->replay->removes, &p->key, delta_segment_dv(g, row)));
    return status;
}

static enum status supersede(struct replay *r, struct error *err)
{
    struct probe p = {0};
    struct delta_segment *g = r->base.segment;
    if (g->count == 0 || r->fold.segment->count + r->removes.count == 0)
        return STATUS_OK;
    r->base.dead = delta_bitmap_new(g->count);
    enum status status = r->base.dead ? probe_init(&p, r, err) : error_oom(err);
    for (size_t row = 0; status == STATUS_OK && row < g->count; row++) {
        bool superseded;
        status = is_superseded(&p, row, &superseded, err);
        if (status == STATUS_OK && superseded) {
            r->base.dead->words[row / 64] |= (uint64_t)1 << (row & 63);
            r->base.dead->dead_count++;
            r->fold.size_bytes = delta_sum(r->fold.size_bytes, -g->size_bytes[row]);
        }
    }
    probe_release(&p);
    return status;
}

/* ---- the snapshot ----------------------------------------------------------------------------------------- */

/* Monotonised as Spark does: a commit is at least a millisecond younger than the one before it. */
static int64_t file_timestamp_us(const struct delta_rebuild *way)
{
    const struct delta_listing *l = way->listing;
    int64_t ms = INT64_MIN;
    bool seen = false;
    for (size_t i = 0; i < l->commit_count && l->commits[i].version <= way->version; i++) {
        ms = delta_next_timestamp_ms(ms, l->commits[i].modified_us);
        seen = l->commits[i].version == way->version;
    }
    if (!seen && way->checkpoint && way->checkpoint->version == way->version)
        ms = delta_next_timestamp_ms(ms, way->checkpoint->modified_us);
    return ms == INT64_MIN ? 0 : ms * 1000;
}

static enum status settle_timestamp(struct replay *r, struct delta_snapshot *s, struct error *err)
{
    s->timestamp_us = file_timestamp_us(r->way);
    if (!delta_config_bool(&s->head->metadata, "delta.enableInCommitTimestamps", false))
        return STATUS_OK;
    if (r->in_commit_ms == INT64_MIN) {
        enum status status = delta_in_commit_timestamp(r->ctx, r->table, s->version, &r->in_commit_ms, err);
        if (status != STATUS_OK)
            return status;
    }
    if (r->in_commit_ms != INT64_MIN)
        s->timestamp_us = delta_ms_to_us(r->in_commit_ms);
    return STATUS_OK;
}

static enum status settle_ids(struct replay *r, struct delta_snapshot *s, struct error *err)
{
    size_t app_count = r->app_names.names.count ? r->app_names.names.count - 1 : 0;
    size_t domain_count = r->domain_names.names.count ? r->domain_names.names.count - 1 : 0, kept = 0;
    struct delta_ids *ids = delta_ids_new();
    if (!ids)
        return error_oom(err);
    for (size_t i = 0; i < domain_count; i++)
        if (r->domains[i].configuration.ptr)
            r->domains[kept++] = r->domains[i];
    bool ok = delta_ids_fill(ids, r->apps, app_count, r->domains, kept);
    delta_snapshot_set_ids(s, ids);
    return ok ? STATUS_OK : error_oom(err);
}

/* A log full of rewrites leaves mostly dead rows behind. */
static enum status settle_commit_layer(struct replay *r, struct delta_layer *out, struct error *err)
{
    enum { SMALL_ROWS = 1024 };
    struct delta_layer full;
    enum status status = delta_fold_layer(&r->fold, &full, err);
    if (status != STATUS_OK)
        return status;
    if (full.segment->count < SMALL_ROWS || delta_layer_live(&full) > full.segment->count / 2) {
        *out = full;
        return STATUS_OK;
    }
    status = delta_layers_merge(&full, 1, out, err);
    delta_layer_release(&full);
    return status;
}

static enum status settle_files(struct replay *r, struct delta_snapshot *s, struct error *err)
{
    enum status status = STATUS_OK;
    s->file_count = r->fold.file_count;
    s->size_bytes = r->fold.size_bytes;
    if (r->base.segment && r->base.segment->count) {
        s->file_count += (int64_t)delta_layer_live(&r->base);
        s->size_bytes = delta_sum(s->size_bytes, r->base.segment->total_bytes);
        if (r->base.dead && r->base.dead->dead_count == 0) {
            delta_bitmap_unref(r->base.dead);
            r->base.dead = NULL;
        }
        s->layers[s->layer_count++] = r->base;
        r->base = (struct delta_layer){0};
    }
    if (r->fold.file_count > 0) {
        status = settle_commit_layer(r, &s->layers[s->layer_count], err);
        s->layer_count += status == STATUS_OK;
    }
    return status;
}

/* The checksum file of the version, where there is one, is a second opinion.  One that this program wrote for this version of this table says that
 * the log was something else then: an answer from it might be wrong.  Others are only reported. */
static enum status compare_checksum(struct replay *r, const struct delta_snapshot *s, struct error *err)
{
    struct delta_checksum sum;
    enum status status = STATUS_OK;
    delta_checksum_read(r->ctx, r->table, s->version, &sum);
    if (sum.has && (sum.num_files != s->file_count || sum.table_size_bytes != s->size_bytes)) {
        char version[24], detail[160];
        snprintf(version, sizeof version, "%lld", (long long)s->version);
        snprintf(detail, sizeof detail, "%lld files and %lld bytes in the log, %lld and %lld in the checksum", (long long)s->file_count,
                 (long long)s->size_bytes, (long long)sum.num_files, (long long)sum.table_size_bytes);
        log_event(r->ctx, LOG_WARN, "checksum_mismatch", "table", r->table->name, "version", version, "detail", detail, NULL);
        if (sum.is_ours && str_eq(sum.metadata.id, s->head->metadata.id)) {
            status = error_set(err, STATUS_CORRUPT_LOG, "the log of table \"%s\" is damaged: version %s does not come to what it was", r->table->name,
                               version);
            error_detail(err, "%s", detail);
            error_hint(err, "if commits were taken back on purpose, remove the file _delta_log/%020lld.crc", (long long)s->version);
        }
    }
    delta_checksum_release(&sum);
    return status;
}

static enum status settle(struct replay *r, struct delta_head *head, struct delta_snapshot **out, struct error *err)
{
    struct delta_snapshot *s = delta_snapshot_new(r->table, r->way->version, 2);
    if (!s)
        return error_oom(err);
    s->head = delta_head_ref(head);
    s->checkpoint_version = r->way->checkpoint ? r->way->checkpoint->version : -1;
    enum status status = settle_ids(r, s, err);
    if (status == STATUS_OK)
        status = settle_files(r, s, err);
    if (status == STATUS_OK)
        status = settle_timestamp(r, s, err);
    if (status == STATUS_OK)
        status = compare_checksum(r, s, err);
    if (status != STATUS_OK) {
        delta_snapshot_drop(s);
        return status;
    }
    *out = s;
    return STATUS_OK;
}

static void replay_release(struct replay *r)
{
    delta_fold_release(&r->fold);
    if (r->base.segment)
        delta_layer_release(&r->base);
    delta_checkpoint_close(&r->checkpoint);
    mem_free(r->app_names.names.values);
    mem_free(r->app_names.names.slots);
    mem_free(r->domain_names.names.values);
    mem_free(r->domain_names.names.slots);
    mem_free(r->apps);
    mem_free(r->domains);
    delta_touched_release(&r->removes);
    arena_release(&r->metadata_arena);
    arena_release(&r->protocol_arena);
    arena_release(&r->arena);
}

/* ---- entry ------------------------------------------------------------------------------------------------- */

struct load {
    struct ctx *ctx;
    struct delta_table *table;
    struct delta_snapshot *snapshot;
};

static enum status load_way(void *user, const struct delta_rebuild *way, struct error *err)
{
    struct load *load = user;
    struct delta_head *head = NULL;
    struct replay r = {.ctx = load->ctx, .table = load->table, .way = way, .in_commit_ms = INT64_MIN};
    enum status status = way->checkpoint ? read_checkpoint_state(&r, err) : STATUS_OK;
    if (status == STATUS_OK)
        status = replay_commits(&r, err);
    if (status == STATUS_OK)
        status = delta_head_new(r.table, &r.metadata, &r.protocol, &head, err);
    if (status == STATUS_OK && way->checkpoint)
        status = read_checkpoint_files(&r, err);
    if (status == STATUS_OK && way->checkpoint)
        status = supersede(&r, err);
    if (status == STATUS_OK)
        status = settle(&r, head, &load->snapshot, err);
    delta_head_unref(head);
    replay_release(&r);
    return status;
}

enum status delta_snapshot_load(struct ctx *ctx, struct delta_table *t, int64_t version, struct delta_snapshot **out, struct error *err)
{
    struct load load = {.ctx = ctx, .table = t};
    enum status status = delta_log_rebuild(ctx, t, version, INT64_MAX, load_way, &load, err);
    *out = load.snapshot;
    return status;
}
