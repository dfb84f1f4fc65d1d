/* delta/checkpoint.c: writing checkpoints, classic and V2 (protocol: "Checkpoints", "V2 Spec", "Last Checkpoint File").
 *
 * The reconciled actions are streamed as JSON lines into local spool files, never held in memory at once: first the state, then the
 * files of the commits since the last checkpoint, newest first, then what of that checkpoint they left in force.  The engine turns
 * each spool file into Parquet, and the finished bytes are put under their key in one piece, so that a reader never meets half a
 * checkpoint.  A V2 checkpoint has the file actions in sidecars, which are put before the top level that names them. */
#include "delta/delta_int.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define WEEK_MS (INT64_C(7) * 24 * 3600 * 1000)
enum { SIDECAR_ACTIONS = 200000, CLASSIC_NAMED_EVERY = 10, DEFAULT_INTERVAL = 10 };

/* ---- spool ----------------------------------------------------------------------------------- */

/* A folder of our own, mode 0700, with actions-<n>.json and the Parquet made of one of them.  File 0 has the state (classic: everything). */
struct spool {
    char *folder, *parquet;
    FILE *file;     /* open on the last */
    uint32_t count; /* of files */
};

static char *join(const char *folder, const char *name)
{
    struct buf path = BUF_INIT;
    buf_z(&path, folder);
    buf_z(&path, name);
    return buf_detach(&path);
}

/* Text in the arena; NULL when out of memory. */
static char *spool_path(const struct spool *s, struct arena *arena, uint32_t n) { return arena_printf(arena, "%s/actions-%u.json", s->folder, n); }

static void spool_clear(struct spool *s)
{
    struct arena arena = ARENA_INIT;
    if (s->file)
        fclose(s->file);
    s->file = NULL;
    for (uint32_t n = 0; n < s->count; n++) {
        char *path = spool_path(s, &arena, n);
        if (path)
            unlink(path);
    }
    s->count = 0;
    arena_release(&arena);
}

static void spool_close(struct spool *s)
{
    spool_clear(s);
    if (s->parquet)
        unlink(s->parquet);
    if (s->folder)
        rmdir(s->folder);
    mem_free(s->parquet);
    mem_free(s->folder);
    *s = (struct spool){0};
}

static enum status spool_finish_file(struct spool *s, struct error *err)
{
    FILE *file = s->file;
    s->file = NULL;
    if (file && fclose(file) != 0)
        return error_set_errno(err, errno, "cannot write in \"%s\"", s->folder);
    return STATUS_OK;
}

/* Ends the file there is and starts another. */
static enum status spool_next(struct spool *s, struct error *err)
{
    struct arena arena = ARENA_INIT;
    enum status status = spool_finish_file(s, err);
    char *path = spool_path(s, &arena, s->count);
    if (status == STATUS_OK && !path)
        status = error_oom(err);
    if (status == STATUS_OK && !(s->file = fopen(path, "wxe")))
        status = error_set_errno(err, errno, "cannot write \"%s\"", path);
    s->count += status == STATUS_OK;
    arena_release(&arena);
    return status;
}

static enum status spool_open(struct spool *s, struct error *err)
{
    const char *place = getenv("TMPDIR");
    struct stat found;
    *s = (struct spool){0};
    if (!place || !*place)
        place = stat("/var/tmp", &found) == 0 ? "/var/tmp" : "/tmp";
    char *folder = join(place, "/varve-checkpoint-XXXXXX");
    if (!folder)
        return error_oom(err);
    if (!mkdtemp(folder)) {
        enum status failed = error_set_errno(err, errno, "cannot make a temporary folder in \"%s\"", place);
        mem_free(folder);
        return failed;
    }
    s->folder = folder;
    s->parquet = join(folder, "/checkpoint.parquet");
    if (s->parquet)
        return STATUS_OK;
    spool_close(s);
    return error_oom(err);
}

/* ---- one checkpoint in the making ---------------------------------------------------------------- */

struct sidecar {
    char name[64];
    int64_t size_bytes;
};
struct writing {
    struct ctx *ctx;
    struct delta_snapshot *snapshot;
    struct spool spool;
    struct buf line;
    struct arena arena; /* types of the shape, sidecars */
    struct arena tape;  /* of the line being read */
    struct delta_touched touched;
    struct delta_path_key key;
    struct delta_checkpoint_shape shape;
    bool is_v2;
    int64_t tombstone_from_ms; /* removes at or before this are forgotten */
    int64_t action_count, add_count;
    int64_t spooled; /* file actions in the spool file that is open */
    struct sidecar *sidecars;
    uint32_t sidecar_count;
    int64_t size_bytes; /* of everything put so far */
};

static enum status flush_lines(struct writing *w, struct error *err)
{
    enum status status = buf_check(&w->line, err);
    if (status == STATUS_OK && w->line.len && fwrite(w->line.ptr, 1, w->line.len, w->spool.file) != w->line.len)
        status = error_set_errno(err, errno, "cannot write in \"%s\"", w->spool.folder);
    buf_clear(&w->line);
    return status;
}

/* File actions of a V2 checkpoint go to files of their own, one a sidecar. */
static enum status flush_file_action(struct writing *w, struct error *err)
{
    enum status status = STATUS_OK;
    if (w->is_v2 && (w->spool.count == 1 || w->spooled == SIDECAR_ACTIONS)) {
        status = spool_next(&w->spool, err);
        w->spooled = 0;
    }
    w->spooled++;
    w->action_count++;
    return status == STATUS_OK ? flush_lines(w, err) : status;
}

static int64_t retention_ms(const struct writing *w, const char *property, int64_t fallback)
{
    int64_t ms = fallback;
    struct str text = delta_config(&w->snapshot->head->metadata, property);
    return text.ptr && delta_interval_ms(text, &ms) ? ms : fallback;
}

/* An app that has not been heard of for delta.setTransactionRetentionDuration is forgotten; without the property none is. */
static bool app_expired(const struct writing *w, const struct delta_app_version *app)
{
    int64_t retention = retention_ms(w, "delta.setTransactionRetentionDuration", -1);
    return retention >= 0 && app->last_updated_ms != INT64_MIN && app->last_updated_ms < ctx_now_us(w->ctx) / 1000 - retention;
}

static enum status write_state(struct writing *w, struct error *err)
{
    const struct delta_snapshot *s = w->snapshot;
    delta_write_protocol(&w->line, &s->head->protocol);
    delta_write_metadata(&w->line, &s->head->metadata);
    w->action_count += 2;
    for (size_t i = 0; i < s->app_count; i++)
        if (!app_expired(w, &s->apps[i])) {
            delta_write_app(&w->line, &s->apps[i]);
            w->action_count++;
        }
    for (size_t i = 0; i < s->domain_count; i++)
        delta_write_domain(&w->line, &s->domains[i], false);
    w->action_count += (int64_t)s->domain_count;
    return flush_lines(w, err);
}

/* The text of a value as it stood, quotes included. */
static struct str raw_value(const struct json_node *n) { return n->type == JSON_STRING ? (struct str){n->text.ptr - 1, n->text.len + 2} : n->text; }

/* What the copy of a file action leaves out: a checkpoint changes no data, and tombstones carry neither stats nor tags. */
static bool is_left_out(const struct writing *w, struct str key, bool is_add)
{
    if (str_eq(key, STR("stats")))
        return !is_add || !w->shape.stats_json;
    return str_eq(key, STR("dataChange")) || (!is_add && str_eq(key, STR("tags")));
}

static void put_typed_columns(struct writing *w, const struct delta_action_add *add)
{
    if (w->shape.stats_parsed) {
        buf_z(&w->line, "\"stats_parsed\":");
        delta_put_stats_parsed(w->shape.stats_parsed, add->stats, &w->tape, &w->line);
        buf_char(&w->line, ',');
    }
    if (w->shape.partition_values_parsed) {
        buf_z(&w->line, "\"partitionValues_parsed\":");
        delta_put_partition_values_parsed(w->shape.partition_values_parsed, add->partition_values, add->partition_value_count, &w->tape, &w->line);
        buf_char(&w->line, ',');
    }
}

/* add: what the line says, NULL for a remove. */
static enum status put_file_action(struct writing *w, struct str line, const struct delta_action_add *add, struct error *err)
{
    const char *action = add ? "add" : "remove";
    bool has_partition = !add; /* an add must say so even when there is none */
    struct json json;
    arena_clear(&w->tape);
    enum status status = json_parse(&w->tape, line, &json, err);
    if (status != STATUS_OK)
        return status == STATUS_SYNTAX ? error_set(err, STATUS_CORRUPT_LOG, "a file action cannot be read") : status;
    uint32_t node = json_member(&json, 0, action);
    buf_printf(&w->line, "{\"%s\":{", action);
    for (uint32_t i = json_first(&json, node); i < json.nodes[node].next; i = json_next(&json, i + 1)) {
        if (json.nodes[i + 1].type == JSON_NULL || is_left_out(w, json.nodes[i].text, add != NULL))
            continue;
        has_partition |= str_eq(json.nodes[i].text, STR("partitionValues"));
        buf_str(&w->line, raw_value(&json.nodes[i]));
        buf_char(&w->line, ':');
        buf_str(&w->line, raw_value(&json.nodes[i + 1]));
        buf_char(&w->line, ',');
    }
    if (add)
        put_typed_columns(w, add);
    buf_z(&w->line, has_partition ? "\"dataChange\":false}}\n" : "\"partitionValues\":{},\"dataChange\":false}}\n");
    return flush_file_action(w, err);
}

static const struct delta_dv *dv_of(bool has_dv, const struct delta_dv *dv) { return has_dv ? dv : NULL; }

static enum status keep_add(struct writing *w, const struct delta_action_add *add, bool touches, struct error *err)
{
    const struct delta_dv *dv = dv_of(add->has_dv, &add->dv);
    if (!delta_path_key_init(&w->key, add->path))
        return error_oom(err);
    if (delta_touched_hides_add(&w->touched, &w->key, dv))
        return STATUS_OK;
    w->add_count++;
    enum status status = put_file_action(w, add->raw, add, err);
    return status == STATUS_OK && touches ? delta_touched_put(&w->touched, &w->key, dv, true, err) : status;
}

static enum status keep_remove(struct writing *w, const struct delta_action_remove *gone, bool touches, struct error *err)
{
    const struct delta_dv *dv = dv_of(gone->has_dv, &gone->dv);
    if (!delta_path_key_init(&w->key, gone->path))
        return error_oom(err);
    if (delta_touched_hides_remove(&w->touched, &w->key, dv))
        return STATUS_OK;
    enum status status = STATUS_OK;
    if (gone->deletion_timestamp_ms > w->tombstone_from_ms)
        status = put_file_action(w, gone->raw, NULL, err);
    return status == STATUS_OK && touches ? delta_touched_put(&w->touched, &w->key, dv, false, err) : status;
}

/* The actions of one commit from its last line to its first: the newest comes first. */
static enum status keep_commit(struct writing *w, const struct delta_commit *c, struct error *err)
{
    size_t adds = c->add_count, removes = c->remove_count;
    enum status status = STATUS_OK;
    while (status == STATUS_OK && (adds || removes)) {
        bool add_is_later = adds && (!removes || c->adds[adds - 1].raw.ptr >= c->removes[removes - 1].raw.ptr);
        status = add_is_later ? keep_add(w, &c->adds[--adds], true, err) : keep_remove(w, &c->removes[--removes], true, err);
    }
    return status;
}

static enum status keep_commits(struct writing *w, const struct delta_rebuild *way, struct error *err)
{
    int64_t oldest = way->checkpoint ? way->checkpoint->version + 1 : 0;
    enum status status = STATUS_OK;
    for (int64_t v = way->version; status == STATUS_OK && v >= oldest; v--) {
        struct delta_commit c;
        status = ctx_check(w->ctx, err);
        if (status != STATUS_OK)
            return status;
        enum store_result result = delta_commit_read(w->ctx, w->snapshot->table, v, &c, err);
        if (result == STORE_NOT_FOUND)
            return error_set(err, STATUS_PROTOCOL_VIOLATION, "version %lld is missing", (long long)v);
        if (result != STORE_OK)
            return delta_store_failure(result, w->snapshot->table->name, err);
        status = keep_commit(w, &c, err);
        delta_commit_release(&c);
    }
    return status;
}

/* A row of the older checkpoint. */
static enum status keep_row(struct writing *w, struct str json, struct error *err)
{
    struct delta_commit row = DELTA_COMMIT_INIT;
    enum status status = delta_commit_add_action(&row, json, err);
    if (status == STATUS_OK && row.add_count)
        status = keep_add(w, &row.adds[0], false, err);
    if (status == STATUS_OK && row.remove_count)
        status = keep_remove(w, &row.removes[0], false, err);
    delta_commit_release(&row);
    return status;
}

static bool keep_raw_add(void *user, size_t part_index, struct str json, struct error *err) { return keep_row(user, json, err) == STATUS_OK; }

static bool keep_raw_other(void *user, struct str json, struct error *err) { return keep_row(user, json, err) == STATUS_OK; }

/* The file actions of a JSON top level. */
static enum status keep_inline(struct writing *w, const struct delta_commit *c, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; status == STATUS_OK && i < c->add_count; i++)
        status = keep_add(w, &c->adds[i], false, err);
    for (size_t i = 0; status == STATUS_OK && i < c->remove_count; i++)
        status = keep_remove(w, &c->removes[i], false, err);
    return status;
}

static enum status keep_checkpoint(struct writing *w, const struct delta_rebuild *way, struct error *err)
{
    struct delta_handler *h = w->snapshot->table->handler;
    struct delta_checkpoint_files f;
    enum status status = delta_checkpoint_open(w->ctx, w->snapshot->table, way->checkpoint, &f, err);
    if (status == STATUS_OK)
        status = keep_inline(w, &f.state, err);
    if (status == STATUS_OK && f.key_count)
        status = h->read_adds_raw(h, w->ctx, f.located, f.key_count, keep_raw_add, w, err);
    if (status == STATUS_OK && f.key_count)
        status = h->read_others(h, w->ctx, f.located, f.key_count, true, keep_raw_other, w, err);
    delta_checkpoint_close(&f);
    return status;
}

/* One way to gather the actions; starts over when an earlier way failed half-way. */
static enum status gather(void *user, const struct delta_rebuild *way, struct error *err)
{
    struct writing *w = user;
    const struct delta_snapshot *s = w->snapshot;
    spool_clear(&w->spool);
    delta_touched_release(&w->touched);
    w->action_count = w->add_count = w->spooled = 0;
    enum status status = spool_next(&w->spool, err);
    if (status == STATUS_OK)
        status = write_state(w, err);
    if (status == STATUS_OK)
        status = keep_commits(w, way, err);
    if (status == STATUS_OK && way->checkpoint)
        status = keep_checkpoint(w, way, err);
    if (status == STATUS_OK && !s->is_tip && w->add_count != s->file_count)
        status =
            error_set(err, STATUS_CORRUPT_LOG, "the log gives %lld files, the snapshot has %lld", (long long)w->add_count, (long long)s->file_count);
    return status == STATUS_OK ? spool_finish_file(&w->spool, err) : status;
}

/* ---- putting it in place ------------------------------------------------------------------------------ */

static enum status read_file(const char *path, struct buf *out, struct error *err)
{
    enum { PIECE_BYTES = 1 << 20 };
    FILE *file = fopen(path, "re");
    if (!file)
        return error_set_errno(err, errno, "cannot read \"%s\"", path);
    size_t got = 1;
    while (got > 0 && buf_reserve(out, PIECE_BYTES)) {
        got = fread(out->ptr + out->len, 1, PIECE_BYTES, file);
        out->len += got;
    }
    enum status status = buf_check(out, err);
    if (status == STATUS_OK && ferror(file))
        status = error_set_errno(err, errno, "cannot read \"%s\"", path);
    fclose(file);
    return status;
}

static enum status put(struct writing *w, const char *key, const struct buf *bytes, struct error *err)
{
    enum store_result result = store_put(w->snapshot->table->store, w->ctx, str_of(key), bytes->ptr, bytes->len, err);
    return result == STORE_OK ? STATUS_OK : delta_store_failure(result, key, err);
}

/* Spool file n as Parquet under the key. */
static enum status put_parquet(struct writing *w, uint32_t n, enum delta_checkpoint_part part, const char *key, int64_t *size_bytes,
                               struct error *err)
{
    struct delta_handler *h = w->snapshot->table->handler;
    struct delta_checkpoint_shape shape = w->shape;
    struct buf bytes = BUF_INIT;
    shape.part = part;
    arena_clear(&w->tape);
    char *path = spool_path(&w->spool, &w->tape, n);
    enum status status = path ? h->write_checkpoint(h, w->ctx, str_of(path), str_of(w->spool.parquet), &shape, err) : error_oom(err);
    if (status == STATUS_OK)
        status = read_file(w->spool.parquet, &bytes, err);
    if (status == STATUS_OK && bytes.len == 0)
        status = error_set(err, STATUS_INTERNAL, "the checkpoint came out empty");
    if (status == STATUS_OK)
        status = put(w, key, &bytes, err);
    *size_bytes = (int64_t)bytes.len;
    w->size_bytes += *size_bytes;
    unlink(w->spool.parquet);
    buf_release(&bytes);
    return status;
}

/* ---- V2 ------------------------------------------------------------------------------------------------ */

static void sidecar_key(char out[128], const struct sidecar *s) { snprintf(out, 128, "_delta_log/_sidecars/%s", s->name); }

static enum status put_sidecars(struct writing *w, struct error *err)
{
    enum status status = STATUS_OK;
    w->sidecars = ARENA_ARRAY(&w->arena, struct sidecar, w->spool.count);
    if (!w->sidecars)
        return error_oom(err);
    for (uint32_t n = 1; status == STATUS_OK && n < w->spool.count; n++) {
        struct sidecar *s = &w->sidecars[w->sidecar_count];
        char uuid[37], key[128];
        uuid_make(w->ctx->rng, uuid);
        snprintf(s->name, sizeof s->name, "%s.parquet", uuid);
        sidecar_key(key, s);
        w->sidecar_count++; /* also when the put fails: it may have landed */
        status = put_parquet(w, n, DELTA_CHECKPOINT_SIDECAR, key, &s->size_bytes, err);
    }
    return status;
}

static void put_sidecar_action(struct buf *out, const struct sidecar *s, int64_t now_ms)
{
    buf_printf(out, "{\"path\":\"%s\",\"sizeInBytes\":%lld,\"modificationTime\":%lld}", s->name, (long long)s->size_bytes, (long long)now_ms);
}

/* The rows that only a V2 top level has, behind the state. */
static enum status spool_v2_rows(struct writing *w, struct error *err)
{
    int64_t total = 0, now_ms = ctx_now_us(w->ctx) / 1000, file_actions = 0;
    arena_clear(&w->tape);
    char *path = spool_path(&w->spool, &w->tape, 0);
    if (!path)
        return error_oom(err);
    w->spool.file = fopen(path, "ae");
    if (!w->spool.file)
        return error_set_errno(err, errno, "cannot write \"%s\"", path);
    file_actions = w->spool.count > 1 ? (int64_t)(w->spool.count - 2) * SIDECAR_ACTIONS + w->spooled : 0;
    for (uint32_t i = 0; i < w->sidecar_count; i++) {
        buf_z(&w->line, "{\"sidecar\":");
        put_sidecar_action(&w->line, &w->sidecars[i], now_ms);
        buf_z(&w->line, "}\n");
        total += w->sidecars[i].size_bytes;
    }
    buf_printf(&w->line,
               "{\"checkpointMetadata\":{\"version\":%lld,\"tags\":{\"sidecarNumActions\":\"%lld\",\"sidecarSizeInBytes\":\"%lld\","
               "\"numOfAddFiles\":\"%lld\"}}}\n",
               (long long)w->snapshot->version, (long long)file_actions, (long long)total, (long long)w->add_count);
    w->action_count += w->sidecar_count + 1;
    enum status status = flush_lines(w, err);
    return status == STATUS_OK ? spool_finish_file(&w->spool, err) : status;
}

/* A top level that was not put leaves sidecars that nobody names. */
static void take_back_sidecars(struct writing *w)
{
    for (uint32_t i = 0; i < w->sidecar_count; i++) {
        char key[128];
        sidecar_key(key, &w->sidecars[i]);
        store_remove(w->snapshot->table->store, w->ctx, str_of(key), NULL);
    }
}

static int64_t interval_of(const struct delta_snapshot *s)
{
    int64_t interval = DEFAULT_INTERVAL;
    struct str text = delta_config(&s->head->metadata, "delta.checkpointInterval");
    return text.ptr && str_to_i64(text, &interval) && interval >= 1 ? interval : DEFAULT_INTERVAL;
}

/* Readers without the feature look for classic names only, and then say which feature they lack (protocol: "Classic checkpoint"). */
static bool is_classic_named(const struct writing *w)
{
    return !w->is_v2 || w->snapshot->version / interval_of(w->snapshot) % CLASSIC_NAMED_EVERY == 0;
}

static void top_level_key(struct writing *w, char key[128])
{
    char uuid[37];
    uuid_make(w->ctx->rng, uuid);
    if (is_classic_named(w))
        snprintf(key, 128, "_delta_log/%020lld.checkpoint.parquet", (long long)w->snapshot->version);
    else
        snprintf(key, 128, "_delta_log/%020lld.checkpoint.%s.parquet", (long long)w->snapshot->version, uuid);
}

/* ---- the hint ------------------------------------------------------------------------------------------ */

static void put_v2_hint(const struct writing *w, const char *key, int64_t top_bytes, struct buf *out)
{
    int64_t now_ms = ctx_now_us(w->ctx) / 1000;
    buf_printf(out, ",\"v2Checkpoint\":{\"path\":\"%s\",\"sizeInBytes\":%lld,\"modificationTime\":%lld,\"sidecarFiles\":[",
               key + sizeof "_delta_log/" - 1, (long long)top_bytes, (long long)now_ms);
    for (uint32_t i = 0; i < w->sidecar_count; i++) {
        buf_z(out, i ? "," : "");
        put_sidecar_action(out, &w->sidecars[i], now_ms);
    }
    buf_z(out, "]}");
}

static enum status put_hint(struct writing *w, const char *key, int64_t top_bytes, struct error *err)
{
    struct buf text = BUF_INIT;
    if (delta_log_hint(w->ctx, w->snapshot->table) > w->snapshot->version)
        return STATUS_OK;
    buf_printf(&text, "{\"version\":%lld,\"size\":%lld,\"sizeInBytes\":%lld,\"numOfAddFiles\":%lld", (long long)w->snapshot->version,
               (long long)w->action_count, (long long)w->size_bytes, (long long)w->add_count);
    if (w->is_v2)
        put_v2_hint(w, key, top_bytes, &text);
    buf_char(&text, '}');
    enum status status = buf_check(&text, err);
    if (status == STATUS_OK)
        status = put(w, "_delta_log/_last_checkpoint", &text, err);
    buf_release(&text);
    return status;
}

/* ---- entry ---------------------------------------------------------------------------------------------- */

static enum status put_checkpoint(struct writing *w, struct error *err)
{
    char key[128];
    int64_t top_bytes = 0;
    enum status status = w->is_v2 ? put_sidecars(w, err) : STATUS_OK;
    if (status == STATUS_OK && w->is_v2)
        status = spool_v2_rows(w, err);
    top_level_key(w, key);
    if (status == STATUS_OK)
        status = put_parquet(w, 0, w->is_v2 ? DELTA_CHECKPOINT_TOP : DELTA_CHECKPOINT_WHOLE, key, &top_bytes, err);
    if (status != STATUS_OK)
        take_back_sidecars(w);
    return status == STATUS_OK ? put_hint(w, key, top_bytes, err) : status;
}

static enum status write_checkpoint(struct writing *w, struct error *err)
{
    const struct delta_head *h = w->snapshot->head;
    struct str policy = delta_config(&h->metadata, "delta.checkpointPolicy");
    w->is_v2 = policy.ptr && str_ieq(policy, STR("v2")) && delta_protocol_has(&h->protocol, DELTA_FEATURE_V2_CHECKPOINT);
    w->tombstone_from_ms = ctx_now_us(w->ctx) / 1000 - retention_ms(w, "delta.deletedFileRetentionDuration", WEEK_MS);
    enum status status = delta_checkpoint_shape_init(&w->arena, &h->metadata, h->schema, &w->shape, err);
    if (status == STATUS_OK)
        status = spool_open(&w->spool, err);
    if (status == STATUS_OK)
        status = delta_log_rebuild(w->ctx, w->snapshot->table, w->snapshot->version, w->snapshot->version, gather, w, err);
    if (status == STATUS_OK)
        status = put_checkpoint(w, err);
    spool_close(&w->spool);
    delta_touched_release(&w->touched);
    buf_release(&w->key.scratch);
    buf_release(&w->line);
    arena_release(&w->tape);
    arena_release(&w->arena);
    return status;
}

enum status delta_checkpoint(struct ctx *ctx, struct delta_snapshot *s, struct error *err)
{
    struct delta_table *t = s->table;
    struct writing w = {.ctx = ctx, .snapshot = s};
    if (s->checkpoint_version == s->version)
        return STATUS_OK;
    if (!t->handler)
        return error_set(err, STATUS_NOT_SUPPORTED, "checkpoints of table \"%s\" cannot be written without an engine", t->name);
    enum status status = delta_protocol_check_write(&s->head->protocol, &s->head->metadata, s->head->schema, err);
    if (status != STATUS_OK)
        return status;
    status = write_checkpoint(&w, err);
    if (status != STATUS_OK)
        error_context(err, "while writing the checkpoint of version %lld of table \"%s\"", (long long)s->version, t->name);
    else
        delta_log_cleanup(ctx, s);
    return status;
}

/* ---- background ------------------------------------------------------------------------------------------ */

/* One thread a table; one snapshot waits at most: a newer one takes the place of an older that waits. */
struct delta_checkpoint_worker {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct ctx ctx; /* clock, random and log of the call that started the worker */
    struct delta_snapshot *waiting;
    bool busy, stopping;
};

static void log_failure(struct ctx *ctx, const struct delta_snapshot *s, const struct error *failure)
{
    char version[24];
    snprintf(version, sizeof version, "%lld", (long long)s->version);
    log_event(ctx, LOG_WARN, "checkpoint_not_written", "table", s->table->name, "version", version, "error", failure->message ? failure->message : "",
              "detail", failure->detail ? failure->detail : "", NULL);
}

static void write_logged(struct ctx *ctx, struct delta_snapshot *s)
{
    struct error failure = ERROR_INIT;
    if (delta_checkpoint(ctx, s, &failure) != STATUS_OK)
        log_failure(ctx, s, &failure);
    error_release(&failure);
}

/* What waits is written even when the table is being closed: a program that commits and ends still leaves its checkpoint. */
static void *work(void *argument)
{
    struct delta_checkpoint_worker *w = argument;
    pthread_mutex_lock(&w->lock);
    for (;;) {
        while (!w->waiting && !w->stopping)
            pthread_cond_wait(&w->changed, &w->lock);
        struct delta_snapshot *s = w->waiting;
        if (!s)
            break;
        w->waiting = NULL;
        w->busy = true;
        pthread_mutex_unlock(&w->lock);
        write_logged(&w->ctx, s);
        delta_snapshot_drop(s);
        pthread_mutex_lock(&w->lock);
        w->busy = false;
        pthread_cond_broadcast(&w->changed);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

static void worker_free(struct delta_checkpoint_worker *w)
{
    pthread_cond_destroy(&w->changed);
    pthread_mutex_destroy(&w->lock);
    mem_free(w);
}

static struct delta_checkpoint_worker *worker_start(struct ctx *ctx)
{
    struct delta_checkpoint_worker *w = mem_calloc(1, sizeof *w);
    if (!w)
        return NULL;
    pthread_mutex_init(&w->lock, NULL);
    pthread_cond_init(&w->changed, NULL);
    ctx_init(&w->ctx);
    w->ctx.clock = ctx->clock;
    w->ctx.rng = ctx->rng;
    w->ctx.log = ctx->log;
    if (pthread_create(&w->thread, NULL, work, w) == 0)
        return w;
    worker_free(w);
    return NULL;
}

static struct delta_checkpoint_worker *worker_of(struct ctx *ctx, struct delta_table *t)
{
    pthread_mutex_lock(&t->lock);
    if (!t->worker)
        t->worker = worker_start(ctx);
    struct delta_checkpoint_worker *w = t->worker;
    pthread_mutex_unlock(&t->lock);
    return w;
}

void delta_checkpoint_maybe(struct ctx *ctx, struct delta_snapshot *s)
{
    if (s->version == 0 || s->version % interval_of(s) != 0 || !s->table->handler)
        return;
    struct delta_checkpoint_worker *w = worker_of(ctx, s->table);
    if (!w) {
        write_logged(ctx, s);
        return;
    }
    pthread_mutex_lock(&w->lock);
    struct delta_snapshot *replaced = w->waiting;
    w->waiting = delta_snapshot_hold(s);
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    delta_snapshot_drop(replaced);
}

void delta_table_quiesce(struct delta_table *t)
{
    pthread_mutex_lock(&t->lock);
    struct delta_checkpoint_worker *w = t->worker;
    pthread_mutex_unlock(&t->lock);
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    while (w->busy || w->waiting)
        pthread_cond_wait(&w->changed, &w->lock);
    pthread_mutex_unlock(&w->lock);
}

void delta_checkpoint_worker_stop(struct delta_table *t)
{
    struct delta_checkpoint_worker *w = t->worker;
    if (!w)
        return;
    pthread_mutex_lock(&w->lock);
    w->stopping = true;
    pthread_cond_broadcast(&w->changed);
    pthread_mutex_unlock(&w->lock);
    pthread_join(w->thread, NULL);
    t->worker = NULL;
    worker_free(w);
}
