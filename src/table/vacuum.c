/* table/vacuum.c: VACUUM: the files that neither the newest version nor a version within the retention needs.
 *
 * FULL compares what lies in the table's place with what the log still needs; LITE asks the log alone which removed files have expired.  Files
 * younger than the retention stay: a writer may be about to commit them. */
#include "table/table_int.h"

#include <stdio.h>
#include <stdlib.h>

#define LAST_VACUUM_KEY "_delta_log/_last_vacuum_info"
#define LAST_VACUUM_MEMBER "latestCommitVersionOutsideOfRetentionWindow"
#define CHANGE_DATA "_change_data"
enum { MS_PER_HOUR = 3600 * 1000 };

struct texts {
    struct str *items;
    size_t count, cap;
};
struct doomed {
    struct str key;
    int64_t size_bytes, modified_us;
};
struct vacuuming {
    struct ctx *ctx;
    const struct catalog_table *table;
    const struct table_vacuum *in;
    struct store *store;
    struct delta_snapshot *snapshot;
    int64_t retain_ms, default_ms, cutoff_ms;
    struct delta_settled log;
    struct arena arena;
    struct texts kept; /* keys, sorted before they are asked for */
    struct doomed *doomed;
    size_t doomed_count, doomed_cap;
    int64_t doomed_bytes, deleted;
    struct str *partition_prefixes; /* "name=": directories that are no hidden ones, whatever they begin with */
    size_t partition_prefix_count;
    struct str directory; /* of the listed file before */
    int64_t directories;
    bool failed; /* out of memory while listing */
};

/* ---- how long --------------------------------------------------------------------------------------- */

static enum status too_short(const struct vacuuming *v, struct error *err)
{
    error_set(err, STATUS_INVALID_ARGUMENT, "retention of %.6g hours is shorter than the %.6g hours that table \"%s\" keeps removed files",
              (double)v->retain_ms / MS_PER_HOUR, (double)v->default_ms / MS_PER_HOUR, v->table->qualified_name);
    return error_hint(err, "older versions and queries that still run would lose files; change delta.deletedFileRetentionDuration, or SET "
                           "spark.databricks.delta.retentionDurationCheck.enabled = false when nobody else uses the table");
}

static enum status choose_cutoff(struct vacuuming *v, struct error *err)
{
    struct str text = delta_property_value(delta_snapshot_metadata(v->snapshot), "delta.deletedFileRetentionDuration");
    if (!text.ptr || !delta_interval_ms(text, &v->default_ms))
        return error_set(err, STATUS_INVALID_ARGUMENT, "delta.deletedFileRetentionDuration of table \"%s\" is no interval: \"%.*s\"",
                         v->table->qualified_name, STR_ARG(text));
    v->retain_ms = v->in->retain_ms >= 0 ? v->in->retain_ms : v->default_ms;
    if (v->retain_ms < v->default_ms && !v->in->unchecked)
        return too_short(v, err);
    v->cutoff_ms = ctx_now_us(v->ctx) / 1000 - v->retain_ms;
    return delta_log_settled(v->ctx, v->snapshot, v->cutoff_ms, &v->log, err);
}

/* ---- what stays ------------------------------------------------------------------------------------------ */

static enum status keep_key(struct vacuuming *v, struct str key, struct error *err)
{
    if (v->kept.count == v->kept.cap) {
        size_t cap = v->kept.cap ? v->kept.cap * 2 : 256;
        struct str *grown = mem_realloc(v->kept.items, cap * sizeof *grown);
        if (!grown)
            return error_oom(err);
        v->kept.items = grown;
        v->kept.cap = cap;
    }
    struct str copy = arena_str(&v->arena, key);
    if (!copy.ptr)
        return error_oom(err);
    v->kept.items[v->kept.count++] = copy;
    return STATUS_OK;
}

/* A data file and the file of its deletion vector; what lies elsewhere is nobody's to delete here. */
static enum status keep_file(struct vacuuming *v, struct str path, const struct delta_dv *dv, struct error *err)
{
    struct buf key = BUF_INIT;
    enum status status = STATUS_OK;
    if (delta_file_key(v->store, path, &key))
        status = key.failed ? error_oom(err) : keep_key(v, buf_view(&key), err);
    buf_clear(&key);
    if (!status && dv && delta_dv_key(v->store, dv, &key))
        status = key.failed ? error_oom(err) : keep_key(v, buf_view(&key), err);
    buf_release(&key);
    return status;
}

static enum status keep_recent(void *user, const struct delta_removed *removed, struct error *err)
{
    return keep_file(user, removed->path, removed->dv, err);
}

static enum status keep_unexpired(void *user, const struct delta_removed *removed, struct error *err)
{
    const struct vacuuming *v = user;
    return removed->deletion_timestamp_ms > v->cutoff_ms ? keep_file(user, removed->path, removed->dv, err) : STATUS_OK;
}

static enum status keep_live(struct vacuuming *v, struct error *err)
{
    struct delta_file_list files = {0};
    enum status status = delta_scan(v->ctx, v->snapshot, NULL, false, &files, err);
    for (size_t i = 0; i < files.count && !status; i++)
        status = keep_file(v, files.files[i].path, files.files[i].dv, err);
    delta_file_list_release(&files);
    return status;
}

static int compare_keys(const void *a, const void *b) { return str_cmp(*(const struct str *)a, *(const struct str *)b); }

/* Removes of commits within the retention count whatever their own timestamp says. */
static enum status find_kept(struct vacuuming *v, struct error *err)
{
    int64_t first = v->log.settled + 1 > v->log.first ? v->log.settled + 1 : v->log.first;
    v->kept.count = 0;
    enum status status = keep_live(v, err);
    if (!status && v->log.first >= 0)
        status = delta_removed_by(v->ctx, v->snapshot, first, delta_snapshot_version(v->snapshot), keep_recent, v, err);
    if (!status)
        status = delta_tombstones(v->ctx, v->snapshot, keep_unexpired, v, err);
    if (!status && v->kept.count)
        qsort(v->kept.items, v->kept.count, sizeof *v->kept.items, compare_keys);
    return status;
}

static bool is_kept(const struct vacuuming *v, struct str key)
{
    return v->kept.count && bsearch(&key, v->kept.items, v->kept.count, sizeof *v->kept.items, compare_keys) != NULL;
}

/* ---- what goes: FULL ----------------------------------------------------------------------------------------- */

static enum status find_partition_prefixes(struct vacuuming *v, struct error *err)
{
    const struct delta_metadata *m = delta_snapshot_metadata(v->snapshot);
    struct str *physical = NULL;
    enum status status = delta_partition_keys(&v->arena, m, &physical, err);
    v->partition_prefixes = ARENA_ARRAY(&v->arena, struct str, 2 * (size_t)m->partition_column_count + 1);
    if (status)
        return status;
    if (!v->partition_prefixes)
        return error_oom(err);
    for (uint32_t i = 0; i < m->partition_column_count; i++)
        for (int k = 0; k < 2; k++) {
            struct str name = k ? physical[i] : m->partition_columns[i];
            char *prefix = arena_printf(&v->arena, "%.*s=", STR_ARG(name));
            if (!prefix)
                return error_oom(err);
            v->partition_prefixes[v->partition_prefix_count++] = str_of(prefix);
        }
    return STATUS_OK;
}

static bool is_hidden(const struct vacuuming *v, struct str part)
{
    if (!part.len || (part.ptr[0] != '_' && part.ptr[0] != '.'))
        return false;
    for (size_t i = 0; i < v->partition_prefix_count; i++)
        if (str_starts(part, v->partition_prefixes[i]))
            return false;
    return true;
}

/* Names that begin with '_' or '.' belong to the log, to indexes and to other programs; only change data is looked into. */
static bool is_table_file(const struct vacuuming *v, struct str key)
{
    for (size_t start = 0, end = 0; end < key.len; start = end + 1) {
        for (end = start; end < key.len && key.ptr[end] != '/';)
            end++;
        struct str part = str_sub(key, start, end - start);
        if (is_hidden(v, part) && !(start == 0 && end < key.len && str_eq(part, STR(CHANGE_DATA))))
            return false;
    }
    return true;
}

static bool doom(struct vacuuming *v, struct str key, int64_t size_bytes, int64_t modified_us)
{
    if (v->doomed_count == v->doomed_cap) {
        size_t cap = v->doomed_cap ? v->doomed_cap * 2 : 256;
        struct doomed *grown = mem_realloc(v->doomed, cap * sizeof *grown);
        if (!grown)
            return false;
        v->doomed = grown;
        v->doomed_cap = cap;
    }
    struct doomed d = {arena_str(&v->arena, key), size_bytes, modified_us};
    if (!d.key.ptr)
        return false;
    v->doomed[v->doomed_count++] = d;
    v->doomed_bytes += size_bytes;
    return true;
}

static bool count_directory(struct vacuuming *v, struct str key)
{
    size_t end = key.len;
    while (end && key.ptr[end - 1] != '/')
        end--;
    struct str directory = str_sub(key, 0, end);
    if (v->directories && str_eq(directory, v->directory))
        return true;
    v->directories++;
    v->directory = arena_str(&v->arena, directory);
    return v->directory.ptr != NULL;
}

static bool look_at(void *user, const struct store_entry *entry)
{
    struct vacuuming *v = user;
    if (!is_table_file(v, entry->key))
        return true;
    v->failed = !count_directory(v, entry->key);
    if (!v->failed && entry->modified_us / 1000 < v->cutoff_ms && !is_kept(v, entry->key))
        v->failed = !doom(v, entry->key, entry->size_bytes, entry->modified_us);
    return !v->failed;
}

static enum status store_trouble(enum store_result result, const char *what, struct str key, struct error *err)
{
    if (err && err->code)
        return err->code;
    return error_set(err, result == STORE_NOT_FOUND ? STATUS_FILE_NOT_FOUND : STATUS_STORE_IO, "cannot %s \"%.*s\"", what, STR_ARG(key));
}

static enum status doom_listed(struct vacuuming *v, struct error *err)
{
    enum status status = find_partition_prefixes(v, err);
    if (status)
        return status;
    enum store_result result = store_list(v->store, v->ctx, STR(""), STR(""), look_at, v, err);
    if (v->failed)
        return error_oom(err);
    return result == STORE_OK ? STATUS_OK : store_trouble(result, "list the files of", v->store->root, err);
}

/* ---- what goes: LITE -------------------------------------------------------------------------------------------- */

/* The last version whose removed files an earlier run has dealt with; -1: none has. */
static enum status last_vacuumed(struct vacuuming *v, int64_t *version, struct error *err)
{
    struct buf text = BUF_INIT;
    struct json json;
    *version = -1;
    enum store_result result = store_read(v->store, v->ctx, STR(LAST_VACUUM_KEY), &text, err);
    enum status status = result == STORE_OK || result == STORE_NOT_FOUND ? STATUS_OK : store_trouble(result, "read", STR(LAST_VACUUM_KEY), err);
    if (result == STORE_OK && json_parse(&v->arena, buf_view(&text), &json, NULL) == STATUS_OK) {
        uint32_t node = json_member(&json, 0, LAST_VACUUM_MEMBER);
        if (node && !json_i64(&json, node, version))
            *version = -1;
    }
    buf_release(&text);
    return status;
}

/* Vectors are written for many files at once: theirs stays while one of them is needed. */
static enum status doom_object(struct vacuuming *v, struct str key, struct error *err)
{
    struct store_entry entry;
    if (is_kept(v, key))
        return STATUS_OK;
    enum store_result result = store_stat(v->store, v->ctx, key, &entry, err);
    if (result == STORE_NOT_FOUND)
        return STATUS_OK;
    if (result != STORE_OK)
        return store_trouble(result, "look at", key, err);
    return doom(v, key, entry.size_bytes, entry.modified_us) ? STATUS_OK : error_oom(err);
}

static enum status doom_removed(void *user, const struct delta_removed *removed, struct error *err)
{
    struct vacuuming *v = user;
    struct buf key = BUF_INIT;
    enum status status = STATUS_OK;
    if (delta_file_key(v->store, removed->path, &key))
        status = key.failed ? error_oom(err) : doom_object(v, buf_view(&key), err);
    buf_clear(&key);
    if (!status && removed->dv && delta_dv_key(v->store, removed->dv, &key))
        status = key.failed ? error_oom(err) : doom_object(v, buf_view(&key), err);
    buf_release(&key);
    return status;
}

static int compare_doomed(const void *a, const void *b) { return str_cmp(((const struct doomed *)a)->key, ((const struct doomed *)b)->key); }

static void drop_repeated(struct vacuuming *v)
{
    size_t kept = 0;
    if (v->doomed_count)
        qsort(v->doomed, v->doomed_count, sizeof *v->doomed, compare_doomed);
    v->doomed_bytes = 0;
    for (size_t i = 0; i < v->doomed_count; i++) {
        if (kept && str_eq(v->doomed[kept - 1].key, v->doomed[i].key))
            continue;
        v->doomed[kept++] = v->doomed[i];
        v->doomed_bytes += v->doomed[i].size_bytes;
    }
    v->doomed_count = kept;
}

static enum status doom_expired(struct vacuuming *v, struct error *err)
{
    int64_t last;
    enum status status = last_vacuumed(v, &last, err);
    int64_t needed = last + 1;
    if (!status && v->log.first > needed) {
        error_set(err, STATUS_INVALID_ARGUMENT, "VACUUM LITE needs the log of table \"%s\" from version %lld, which begins at version %lld",
                  v->table->qualified_name, (long long)needed, (long long)v->log.first);
        status = error_hint(err, "run VACUUM without LITE once");
    }
    if (!status)
        status = delta_removed_by(v->ctx, v->snapshot, needed, v->log.settled, doom_removed, v, err);
    if (!status)
        drop_repeated(v);
    return status;
}

/* ---- planning ----------------------------------------------------------------------------------------------------- */

static enum status plan(struct vacuuming *v, struct error *err)
{
    v->doomed_count = 0;
    v->doomed_bytes = 0;
    v->directories = 0;
    enum status status = find_kept(v, err);
    if (!status)
        status = v->in->lite ? doom_expired(v, err) : doom_listed(v, err);
    return status;
}

/* ---- carrying out --------------------------------------------------------------------------------------------------- */

static enum status put_number(struct delta_txn *txn, const char *key, int64_t value, struct error *err)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)value);
    return delta_txn_parameter(txn, key, str_of(text), err);
}

static enum status describe_start(const struct vacuuming *v, struct delta_txn *txn, struct error *err)
{
    enum status status = delta_txn_operation(txn, "VACUUM START", err);
    if (!status)
        status = delta_txn_parameter(txn, "retentionCheckEnabled", v->in->unchecked ? STR("false") : STR("true"), err);
    if (!status && v->in->retain_ms >= 0)
        status = put_number(txn, "specifiedRetentionMillis", v->retain_ms, err);
    if (!status)
        status = put_number(txn, "defaultRetentionMillis", v->default_ms, err);
    if (!status)
        status = delta_txn_metric(txn, "numFilesToDelete", (int64_t)v->doomed_count, err);
    return status ? status : delta_txn_metric(txn, "sizeOfDataToDelete", v->doomed_bytes, err);
}

static enum status describe_end(const struct vacuuming *v, bool whole, struct delta_txn *txn, struct error *err)
{
    enum status status = delta_txn_operation(txn, "VACUUM END", err);
    if (!status)
        status = table_parameter(txn, "status", whole ? STR("COMPLETED") : STR("FAILED"), err);
    if (!status)
        status = delta_txn_metric(txn, "numDeletedFiles", v->deleted, err);
    return status ? status : delta_txn_metric(txn, "numVacuumedDirectories", v->directories, err);
}

static enum status commit_start(struct vacuuming *v, struct table_change *out, struct error *err)
{
    struct delta_txn *txn = NULL;
    enum status status = delta_txn_begin(v->ctx, delta_snapshot_table(v->snapshot), v->snapshot, &txn, err);
    if (!status)
        status = describe_start(v, txn, err);
    if (!status)
        status = table_commit(v->ctx, v->table, txn, NULL, out, err);
    delta_txn_free(txn);
    return status;
}

static enum status commit_end(struct vacuuming *v, bool whole, struct table_change *out, struct error *err)
{
    struct delta_snapshot *newest = NULL;
    struct delta_txn *txn = NULL;
    enum status status = table_snapshot(v->ctx, v->table, &newest, err);
    if (!status)
        status = delta_txn_begin(v->ctx, delta_snapshot_table(newest), newest, &txn, err);
    if (!status)
        status = describe_end(v, whole, txn, err);
    if (!status)
        status = table_commit(v->ctx, v->table, txn, NULL, out, err);
    delta_txn_free(txn);
    delta_snapshot_unref(newest);
    return status;
}

/* What was committed since the plan (a RESTORE, say) may need a file again: then all is looked at once more. */
static enum status plan_again(struct vacuuming *v, int64_t started, struct error *err)
{
    if (started == delta_snapshot_version(v->snapshot) + 1)
        return STATUS_OK;
    delta_snapshot_unref(v->snapshot);
    v->snapshot = NULL;
    enum status status = table_snapshot(v->ctx, v->table, &v->snapshot, err);
    return status ? status : plan(v, err);
}

static void tell_progress(const struct vacuuming *v)
{
    if (v->ctx->on_progress && v->deleted % 256 == 0)
        v->ctx->on_progress(v->ctx->progress_user, (double)v->deleted / (double)v->doomed_count, (uint64_t)v->deleted);
}

static enum status delete_doomed(struct vacuuming *v, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; i < v->doomed_count && !status; i++) {
        status = ctx_check(v->ctx, err);
        enum store_result result = status ? STORE_OK : store_remove(v->store, v->ctx, v->doomed[i].key, err);
        if (result != STORE_OK && result != STORE_NOT_FOUND)
            status = store_trouble(result, "remove", v->doomed[i].key, err);
        v->deleted += !status;
        tell_progress(v);
    }
    return status;
}

/* Only a note for the next VACUUM LITE, which reads more of the log without it. */
static void note_settled(struct vacuuming *v)
{
    char text[96];
    int len = snprintf(text, sizeof text, "{\"" LAST_VACUUM_MEMBER "\":%lld}\n", (long long)v->log.settled);
    if (v->log.settled >= 0)
        store_put(v->store, v->ctx, STR(LAST_VACUUM_KEY), text, (size_t)len, NULL);
}

static enum status carry_out(struct vacuuming *v, struct table_change *out, struct error *err)
{
    struct error ignored = ERROR_INIT;
    enum status status = commit_start(v, out, err);
    if (status)
        return status;
    status = plan_again(v, out->version, err);
    if (!status)
        status = delete_doomed(v, err);
    if (status)
        commit_end(v, false, out, &ignored);
    else
        status = commit_end(v, true, out, err);
    error_release(&ignored);
    return status;
}

/* ---- entry ---------------------------------------------------------------------------------------------------------- */

static void report(const struct vacuuming *v, struct table_change *out)
{
    out->files_removed = (int64_t)v->doomed_count;
    out->bytes_removed = v->doomed_bytes;
    for (size_t i = 0; v->in->tell && i < v->doomed_count; i++)
        v->in->tell(v->in->user, v->doomed[i].key, v->doomed[i].size_bytes, v->doomed[i].modified_us);
}

static enum status vacuum(struct vacuuming *v, struct table_change *out, struct error *err)
{
    enum status status = table_snapshot(v->ctx, v->table, &v->snapshot, err);
    if (!status)
        status = delta_protocol_check_write(delta_snapshot_protocol(v->snapshot), delta_snapshot_metadata(v->snapshot),
                                            delta_snapshot_schema(v->snapshot), err);
    if (!status)
        status = choose_cutoff(v, err);
    if (!status)
        status = plan(v, err);
    if (status)
        return status;
    out->version = delta_snapshot_version(v->snapshot);
    if (!v->in->dry_run && v->doomed_count)
        status = carry_out(v, out, err);
    if (!v->in->dry_run && !status)
        note_settled(v);
    report(v, out);
    return status;
}

enum status table_vacuum(struct ctx *ctx, struct catalog_table *t, const struct table_vacuum *in, struct table_change *out, struct error *err)
{
    struct vacuuming v = {.ctx = ctx, .table = t, .in = in, .store = delta_table_store(t->table), .arena = ARENA_INIT};
    *out = (struct table_change){.version = -1};
    enum status status = vacuum(&v, out, err);
    if (status)
        *out = (struct table_change){.version = -1};
    delta_snapshot_unref(v.snapshot);
    mem_free(v.kept.items);
    mem_free(v.doomed);
    arena_release(&v.arena);
    return status;
}
