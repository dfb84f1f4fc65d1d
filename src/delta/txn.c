/* delta/txn.c: gathering a change: metadata, files, application versions, and what commitInfo says about them. */
#include "delta/delta_int.h"

#include <stdio.h>

enum { FIRST_PATHS = 16, SLOTS_PER_PATH = 2, KEPT_PROPERTIES = 4 };

/* ---- life ------------------------------------------------------------------------------ */

enum status delta_txn_begin(struct ctx *ctx, struct delta_table *t, struct delta_snapshot *base, struct delta_txn **out, struct error *err)
{
    *out = NULL;
    if (base) {
        const struct delta_head *h = base->head;
        enum status status = delta_protocol_check_write(&h->protocol, &h->metadata, h->schema, err);
        if (status) {
            error_context(err, "while starting a change of table \"%s\"", t->name);
            return status;
        }
    }
    struct delta_txn *txn = mem_calloc(1, sizeof *txn);
    if (!txn)
        return error_oom(err);
    txn->ctx = ctx;
    txn->table = delta_table_ref(t);
    txn->base = base ? delta_snapshot_ref(base) : NULL;
    txn->operation = "WRITE";
    uuid_make(ctx->rng, txn->txn_id);
    *out = txn;
    return STATUS_OK;
}

void delta_txn_free(struct delta_txn *txn)
{
    if (!txn)
        return;
    buf_release(&txn->parameters);
    buf_release(&txn->metrics);
    buf_release(&txn->apps);
    buf_release(&txn->removes);
    buf_release(&txn->adds);
    mem_free(txn->domains);
    mem_free(txn->fresh);
    mem_free(txn->app_ids);
    mem_free(txn->removed);
    mem_free(txn->removed_slots);
    mem_free(txn->removed_vectors);
    mem_free(txn->reads);
    mem_free(txn->vectors);
    mem_free(txn->spare_vectors);
    delta_touched_release(&txn->read_files);
    arena_release(&txn->arena);
    delta_snapshot_unref(txn->base);
    delta_table_unref(txn->table);
    mem_free(txn);
}

/* ---- metadata ----------------------------------------------------------------------------- */

static bool can_partition_by(const struct delta_type *type)
{
    switch (type->id) {
    case DELTA_STRUCT:
    case DELTA_ARRAY:
    case DELTA_MAP:
    case DELTA_VOID:
    case DELTA_INTERVAL_MONTHS:
    case DELTA_INTERVAL_MICROS:
    case DELTA_VARIANT:
        return false;
    default:
        return true;
    }
}

static enum status check_partition_columns(const struct delta_metadata *m, const struct delta_type *schema, struct error *err)
{
    for (uint32_t i = 0; i < m->partition_column_count; i++) {
        struct str name = m->partition_columns[i];
        const struct delta_field *field = delta_field_find(schema, name);
        if (!field)
            return error_set(err, STATUS_COLUMN_NOT_FOUND, "partition column \"%.*s\" is not a column of the table", STR_ARG(name));
        if (!can_partition_by(field->type))
            return error_set(err, STATUS_INVALID_ARGUMENT, "column \"%.*s\" cannot be a partition column: its type has no text form", STR_ARG(name));
        for (uint32_t k = 0; k < i; k++)
            if (str_ieq(m->partition_columns[k], name))
                return error_set(err, STATUS_INVALID_ARGUMENT, "partition column \"%.*s\" is named twice", STR_ARG(name));
    }
    if (m->partition_column_count && m->partition_column_count >= schema->field_count)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a table needs a column that is not a partition column");
    return STATUS_OK;
}

/* Only what this change sets is checked: what other writers left in the table stays as it is. */
static enum status check_properties(const struct delta_txn *txn, const struct delta_metadata *m, struct error *err)
{
    const struct delta_metadata *old = txn->base ? &txn->base->head->metadata : &(struct delta_metadata){0};
    for (uint32_t i = 0; i < m->configuration_count; i++) {
        const struct delta_property *p = &m->configuration[i];
        for (uint32_t k = i + 1; k < m->configuration_count; k++)
            if (str_eq(p->key, m->configuration[k].key))
                return error_set(err, STATUS_INVALID_ARGUMENT, "property \"%.*s\" is set twice", STR_ARG(p->key));
        bool same = delta_property_is_internal(p->key); /* set above this layer, after the check of what was asked for */
        for (uint32_t k = 0; k < old->configuration_count && !same; k++)
            same = str_eq(p->key, old->configuration[k].key) && str_eq(p->value, old->configuration[k].value);
        enum status status = same ? STATUS_OK : delta_property_check(p->key, p->value, err);
        if (status)
            return status;
    }
    return STATUS_OK;
}

/* Partition columns get the schema's spelling, whatever the caller's. */
static bool copy_partition_columns(struct delta_txn *txn, const struct delta_metadata *m, const struct delta_type *schema, struct delta_metadata *to)
{
    to->partition_columns = ARENA_ARRAY(&txn->arena, struct str, m->partition_column_count);
    to->partition_column_count = m->partition_column_count;
    for (uint32_t i = 0; to->partition_columns && i < m->partition_column_count; i++) {
        to->partition_columns[i] = arena_str(&txn->arena, delta_field_find(schema, m->partition_columns[i])->name);
        if (!to->partition_columns[i].ptr)
            return false;
    }
    return to->partition_columns != NULL;
}

static bool copy_configuration(struct delta_txn *txn, const struct delta_metadata *m, struct delta_metadata *to)
{
    to->configuration = ARENA_ARRAY(&txn->arena, struct delta_property, m->configuration_count + KEPT_PROPERTIES);
    to->configuration_count = 0;
    for (uint32_t i = 0; to->configuration && i < m->configuration_count; i++) {
        struct str key = m->configuration[i].key;
        if (delta_property_is_protocol(key))
            continue;
        struct delta_property copy = {.key = arena_str(&txn->arena, key), .value = arena_str(&txn->arena, m->configuration[i].value)};
        if (!copy.key.ptr || !copy.value.ptr)
            return false;
        to->configuration[to->configuration_count++] = copy;
    }
    return to->configuration != NULL;
}

static bool copy_optional(struct delta_txn *txn, struct str from, struct str *to)
{
    *to = from.ptr ? arena_str(&txn->arena, from) : STR_NULL;
    return !from.ptr || to->ptr;
}

static bool copy_schema(struct delta_txn *txn, const struct delta_type *schema, struct delta_metadata *to)
{
    struct buf json = BUF_INIT;
    delta_schema_json(schema, &json);
    to->schema_string = json.failed ? STR_NULL : arena_str(&txn->arena, buf_view(&json));
    buf_release(&json);
    return to->schema_string.ptr != NULL;
}

/* An id and a time of creation that are not given are the table's own, or new. */
static bool copy_identity(struct delta_txn *txn, const struct delta_metadata *m, struct delta_metadata *to)
{
    char fresh[37];
    struct str id = m->id;
    to->created_time_ms = m->created_time_ms;
    if (!id.len && txn->base)
        id = txn->base->head->metadata.id;
    if (!id.len) {
        uuid_make(txn->ctx->rng, fresh);
        id = (struct str){fresh, sizeof fresh - 1};
    }
    if (to->created_time_ms == INT64_MIN || to->created_time_ms == 0)
        to->created_time_ms = txn->base ? txn->base->head->metadata.created_time_ms : ctx_now_us(txn->ctx) / 1000;
    to->id = arena_str(&txn->arena, id);
    return to->id.ptr != NULL;
}

static enum status derive_protocol(struct delta_txn *txn, const struct delta_metadata *requested, const struct delta_type *schema,
                                   struct delta_protocol *out, bool *changed, struct error *err)
{
    const struct delta_protocol *old = txn->base ? &txn->base->head->protocol : NULL;
    enum status status = delta_protocol_derive(&txn->arena, old, requested, schema, out, changed, err);
    if (!status)
        status = delta_protocol_check_write(out, requested, schema, err);
    return status ? status : delta_iceberg_check(txn->base ? &txn->base->head->metadata : NULL, out, requested, schema, err);
}

/* ---- properties that the program keeps ------------------------------------------------------------- */

#define ENABLEMENT "delta.inCommitTimestampEnablement"

static void drop_properties(struct delta_metadata *m, struct str prefix)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < m->configuration_count; i++)
        if (!str_starts(m->configuration[i].key, prefix))
            m->configuration[kept++] = m->configuration[i];
    m->configuration_count = kept;
}

/* There is room for KEPT_PROPERTIES more than the caller gave. */
static void keep_property(struct delta_metadata *m, const char *key, struct str value)
{
    if (value.ptr && !delta_config(m, key).ptr)
        m->configuration[m->configuration_count++] = (struct delta_property){.key = str_of(key), .value = value};
}

/* Since when commits carry their time: as it was while they go on doing so; body.c says it when they begin. */
static void keep_enablement(const struct delta_metadata *old, struct delta_metadata *m)
{
    bool goes_on = old && delta_in_commit_times(old) && delta_in_commit_times(m);
    drop_properties(m, STR(ENABLEMENT));
    if (!goes_on)
        return;
    keep_property(m, ENABLEMENT "Version", delta_config(old, ENABLEMENT "Version"));
    keep_property(m, ENABLEMENT "Timestamp", delta_config(old, ENABLEMENT "Timestamp"));
}

/* The hidden columns that carry row ids through rewrites: named once for all time. */
static enum status keep_row_columns(struct delta_txn *txn, const struct delta_metadata *old, struct delta_metadata *m, struct error *err)
{
    char uuid[37];
    if (old) {
        keep_property(m, DELTA_ROW_ID_COLUMN, delta_config(old, DELTA_ROW_ID_COLUMN));
        keep_property(m, DELTA_ROW_VERSION_COLUMN, delta_config(old, DELTA_ROW_VERSION_COLUMN));
    }
    if (!delta_config_bool(m, "delta.enableRowTracking", false))
        return STATUS_OK;
    uuid_make(txn->ctx->rng, uuid);
    char *id = arena_printf(&txn->arena, "_row-id-col-%s", uuid);
    uuid_make(txn->ctx->rng, uuid);
    char *version = arena_printf(&txn->arena, "_row-commit-version-col-%s", uuid);
    if (!id || !version)
        return error_oom(err);
    keep_property(m, DELTA_ROW_ID_COLUMN, str_of(id));
    keep_property(m, DELTA_ROW_VERSION_COLUMN, str_of(version));
    return STATUS_OK;
}

static enum status check_row_tracking(const struct delta_txn *txn, const struct delta_metadata *m, struct error *err)
{
    struct delta_file_list files;
    bool enabled = delta_config_bool(m, "delta.enableRowTracking", false);
    if (enabled && delta_config_bool(m, "delta.rowTrackingSuspended", false))
        return error_set(err, STATUS_INVALID_ARGUMENT, "the rows of table \"%s\" cannot be tracked while delta.rowTrackingSuspended is set",
                         txn->table->name);
    if (!enabled || !txn->base || delta_config_bool(&txn->base->head->metadata, "delta.enableRowTracking", false))
        return STATUS_OK;
    enum status status = delta_scan(txn->ctx, txn->base, NULL, false, &files, err);
    for (size_t i = 0; !status && i < files.count; i++)
        if (files.files[i].base_row_id < 0)
            status = error_set(err, STATUS_INVALID_ARGUMENT, "file \"%.*s\" has no row ids yet: they are given first, then rows can be tracked",
                               STR_ARG(files.files[i].path));
    delta_file_list_release(&files);
    return status;
}

static enum status keep_log_properties(struct delta_txn *txn, struct delta_metadata *m, struct error *err)
{
    const struct delta_metadata *old = txn->base ? &txn->base->head->metadata : NULL;
    enum status status = check_row_tracking(txn, m, err);
    keep_enablement(old, m);
    return status ? status : keep_row_columns(txn, old, m, err);
}

enum status delta_txn_set_metadata(struct delta_txn *txn, const struct delta_metadata *m, const struct delta_type *schema, struct error *err)
{
    struct delta_metadata copy = {0};
    struct delta_protocol protocol;
    bool protocol_changed;
    if (txn->add_count)
        return error_set(err, STATUS_INTERNAL, "metadata must be set before files are added");
    /* A table may be made without columns: COPY INTO with mergeSchema brings them. */
    enum status status = delta_schema_check(schema, schema->field_count > 0, err);
    if (!status)
        status = check_partition_columns(m, schema, err);
    if (!status)
        status = delta_mapping_check(m, schema, err);
    if (!status)
        status = check_properties(txn, m, err);
    if (!status)
        status = derive_protocol(txn, m, schema, &protocol, &protocol_changed, err);
    if (status) {
        error_context(err, "while setting the metadata of table \"%s\"", txn->table->name);
        return status;
    }
    if (!copy_identity(txn, m, &copy) || !copy_optional(txn, m->name, &copy.name) || !copy_optional(txn, m->description, &copy.description) ||
        !copy_schema(txn, schema, &copy) || !copy_partition_columns(txn, m, schema, &copy) || !copy_configuration(txn, m, &copy))
        return error_oom(err);
    status = keep_log_properties(txn, &copy, err);
    if (!status)
        status = delta_partition_keys(&txn->arena, &copy, &txn->partition_keys, err);
    if (status)
        return status;
    txn->metadata = copy;
    txn->has_metadata = true;
    txn->protocol = protocol;
    txn->has_protocol = protocol_changed;
    return STATUS_OK;
}

enum status delta_txn_drop_feature(struct delta_txn *txn, enum delta_feature_id id, struct error *err)
{
    struct delta_protocol left;
    const struct delta_protocol *from = txn->has_protocol || !txn->base ? &txn->protocol : &txn->base->head->protocol;
    enum status status = delta_protocol_without(&txn->arena, from, id, &left, err);
    if (!status && id == DELTA_FEATURE_ROW_TRACKING) {
        drop_properties(&txn->metadata, STR("delta.rowTracking"));
        status = delta_txn_drop_row_tracking_domain(txn, err);
    }
    if (status)
        return status;
    txn->protocol = left;
    txn->has_protocol = true;
    return STATUS_OK;
}

/* ---- files ------------------------------------------------------------------------------------- */

static void put_partition_values(struct buf *out, const struct str *keys, uint32_t count, const struct str *values)
{
    buf_z(out, "\"partitionValues\":{");
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_char(out, ',');
        json_put_string(out, keys[i]);
        buf_char(out, ':');
        if (values && values[i].ptr)
            json_put_string(out, values[i]);
        else
            buf_z(out, "null");
    }
    buf_char(out, '}');
}

static void put_tags(struct buf *out, const struct delta_property *tags, uint32_t count)
{
    if (!count)
        return;
    buf_z(out, ",\"tags\":{");
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_char(out, ',');
        json_put_string(out, tags[i].key);
        buf_char(out, ':');
        json_put_string(out, tags[i].value);
    }
    buf_char(out, '}');
}

static void put_stats(struct buf *out, struct str stats)
{
    if (!stats.ptr)
        return;
    buf_z(out, ",\"stats\":");
    json_put_string(out, stats);
}

/* A line that could not be finished is taken off again. */
static enum status line_check(struct buf *out, size_t start, struct error *err)
{
    if (!out->failed)
        return STATUS_OK;
    enum status status = buf_check(out, err);
    out->failed = out->over_ceiling = false;
    out->len = start;
    if (out->ptr)
        out->ptr[start] = '\0';
    return status;
}

static void put_encoded_path(struct buf *out, struct str path)
{
    struct buf encoded = BUF_INIT;
    uri_encode_path(&encoded, path);
    out->failed |= encoded.failed;
    json_put_string(out, buf_view(&encoded));
    buf_release(&encoded);
}

static enum status put_fresh(struct delta_txn *txn, size_t offset, int64_t rows, struct error *err)
{
    if (txn->fresh_count == txn->fresh_cap) {
        size_t cap = txn->fresh_cap ? txn->fresh_cap * 2 : FIRST_PATHS;
        struct delta_fresh_add *grown = mem_realloc(txn->fresh, cap * sizeof *grown);
        if (!grown)
            return error_oom(err);
        txn->fresh = grown;
        txn->fresh_cap = cap;
    }
    txn->fresh[txn->fresh_count++] = (struct delta_fresh_add){.offset = offset, .rows = rows};
    return STATUS_OK;
}

/* Notes where the ids of new rows will go (body.c), which needs their number. */
static enum status note_fresh(struct delta_txn *txn, struct str path, struct str stats, struct error *err)
{
    struct arena scratch = ARENA_INIT;
    int64_t rows = -1;
    enum status status = delta_stats_record_count(stats, &scratch, &rows) ? error_oom(err) : STATUS_OK;
    arena_release(&scratch);
    if (!status && rows < 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "file \"%.*s\" has no statistics that say how many rows it has: they cannot be tracked",
                         STR_ARG(path));
    return status ? status : put_fresh(txn, txn->adds.len, rows, err);
}

static enum status put_row_ids(struct delta_txn *txn, const struct delta_add *add, struct error *err)
{
    if (add->has_row_ids)
        buf_printf(&txn->adds, ",\"baseRowId\":%lld,\"defaultRowCommitVersion\":%lld", (long long)add->base_row_id,
                   (long long)add->row_commit_version);
    else if (!txn->adds.failed && delta_gives_row_ids(delta_txn_metadata(txn), delta_txn_protocol(txn)))
        return note_fresh(txn, add->path, add->stats, err);
    return STATUS_OK;
}

enum status delta_txn_add(struct delta_txn *txn, const struct delta_add *add, struct error *err)
{
    const struct delta_metadata *m = delta_txn_metadata(txn);
    struct buf *out = &txn->adds;
    size_t start = out->len, fresh = txn->fresh_count;
    if (!m)
        return error_set(err, STATUS_INTERNAL, "a new table needs metadata before files");
    if (!add->path.len)
        return error_set(err, STATUS_INTERNAL, "a file needs a path");
    buf_z(out, "{\"add\":{\"path\":");
    put_encoded_path(out, add->path);
    buf_char(out, ',');
    put_partition_values(out, txn->has_metadata ? txn->partition_keys : txn->base->head->partition_keys, m->partition_column_count,
                         add->partition_values);
    buf_printf(out, ",\"size\":%lld,\"modificationTime\":%lld,\"dataChange\":%s", (long long)add->size_bytes, (long long)add->modified_ms,
               add->data_change ? "true" : "false");
    put_stats(out, add->stats);
    put_tags(out, add->tags, add->tag_count);
    enum status status = delta_iceberg_check_add(m, add->path, add->stats, false, err);
    if (!status)
        status = put_row_ids(txn, add, err);
    buf_z(out, "}}\n");
    enum status written = line_check(out, start, status ? NULL : err);
    if (status || written) {
        out->len = start;
        txn->fresh_count = fresh;
        return status ? status : written;
    }
    txn->add_count++;
    txn->data_change_count += add->data_change;
    return STATUS_OK;
}

/* ---- removed paths --------------------------------------------------------------------------------- */

static bool find_removed(const struct delta_txn *txn, const struct delta_path_key *key, size_t *slot)
{
    size_t mask = txn->removed_slot_count - 1;
    for (*slot = key->hash & mask; txn->removed_slots[*slot]; *slot = (*slot + 1) & mask)
        if (str_eq(txn->removed[txn->removed_slots[*slot] - 1], key->text))
            return true;
    return false;
}

bool delta_txn_removes_path(const struct delta_txn *txn, const struct delta_path_key *key)
{
    size_t slot;
    return txn->remove_count && find_removed(txn, key, &slot);
}

static bool grow_removed(struct delta_txn *txn)
{
    if (txn->remove_count < txn->removed_cap)
        return true;
    size_t cap = txn->removed_cap ? txn->removed_cap * 2 : FIRST_PATHS, slot_count = cap * SLOTS_PER_PATH;
    struct str *removed = mem_realloc(txn->removed, cap * sizeof *removed);
    if (!removed)
        return false;
    txn->removed = removed;
    uint32_t *vectors = mem_realloc(txn->removed_vectors, cap * sizeof *vectors);
    if (!vectors)
        return false;
    txn->removed_vectors = vectors;
    uint32_t *slots = mem_calloc(slot_count, sizeof *slots);
    if (!slots)
        return false;
    for (size_t i = 0; i < txn->remove_count; i++) {
        size_t at = (hash_str(removed[i]) | 1) & (slot_count - 1);
        while (slots[at])
            at = (at + 1) & (slot_count - 1);
        slots[at] = (uint32_t)i + 1;
    }
    mem_free(txn->removed_slots);
    txn->removed_slots = slots;
    txn->removed_slot_count = slot_count;
    txn->removed_cap = cap;
    return true;
}

/* Notes the path; *known when it is removed already. */
static enum status note_removed(struct delta_txn *txn, struct str path, size_t *slot, bool *known, struct error *err)
{
    struct delta_path_key key = {0};
    enum status status = STATUS_OK;
    *known = false;
    if (!grow_removed(txn) || !delta_path_key_init(&key, path))
        status = error_oom(err);
    else if (find_removed(txn, &key, slot))
        *known = true;
    else if (!(txn->removed[txn->remove_count] = arena_str(&txn->arena, key.text)).ptr)
        status = error_oom(err);
    buf_release(&key.scratch);
    return status;
}

static void put_dv(struct buf *out, const struct delta_dv *dv)
{
    if (!dv)
        return;
    buf_z(out, ",\"deletionVector\":{\"storageType\":");
    json_put_string(out, dv->storage);
    buf_z(out, ",\"pathOrInlineDv\":");
    json_put_string(out, dv->path);
    if (dv->offset >= 0)
        buf_printf(out, ",\"offset\":%lld", (long long)dv->offset);
    buf_printf(out, ",\"sizeInBytes\":%lld,\"cardinality\":%lld}", (long long)dv->size_bytes, (long long)dv->cardinality);
}

/* The tombstone names the file with the vector that it had. */
static enum status put_remove(struct delta_txn *txn, const struct delta_file *file, bool data_change, struct error *err)
{
    struct buf *out = &txn->removes;
    size_t start = out->len;
    buf_z(out, "{\"remove\":{\"path\":");
    json_put_string(out, file->path);
    buf_printf(out, ",\"deletionTimestamp\":%lld,\"dataChange\":%s,\"extendedFileMetadata\":true,", (long long)(ctx_now_us(txn->ctx) / 1000),
               data_change ? "true" : "false");
    put_partition_values(out, txn->base->head->partition_keys, txn->base->head->metadata.partition_column_count, file->partition_values);
    buf_printf(out, ",\"size\":%lld", (long long)file->size_bytes);
    put_stats(out, file->stats);
    put_dv(out, file->dv);
    if (delta_protocol_has(&txn->base->head->protocol, DELTA_FEATURE_ROW_TRACKING) && file->base_row_id >= 0)
        buf_printf(out, ",\"baseRowId\":%lld,\"defaultRowCommitVersion\":%lld", (long long)file->base_row_id, (long long)file->row_commit_version);
    buf_z(out, "}}\n");
    return line_check(out, start, err);
}

/* vector: of its vector change + 1; 0: the file goes. */
static void count_removed(struct delta_txn *txn, size_t slot, uint32_t vector, bool data_change)
{
    txn->removed_vectors[txn->remove_count] = vector;
    txn->removed_slots[slot] = (uint32_t)++txn->remove_count;
    txn->data_change_count += data_change;
    txn->removes_data |= data_change;
}

enum status delta_txn_remove(struct delta_txn *txn, const struct delta_file *file, bool data_change, struct error *err)
{
    size_t slot = 0;
    bool known;
    if (!txn->base)
        return error_set(err, STATUS_INTERNAL, "a new table has no files to remove");
    enum status status = note_removed(txn, file->path, &slot, &known, err);
    if (status || known)
        return status;
    if (!(status = put_remove(txn, file, data_change, err)))
        count_removed(txn, slot, 0, data_change);
    return status;
}

/* ---- deletion vectors ------------------------------------------------------------------------------- */

/* The statistics as they were, with bounds that need not be met any more. */
static enum status put_wide_stats(struct buf *out, const struct delta_file *file, struct error *err)
{
    struct arena scratch = ARENA_INIT;
    struct buf stats = BUF_INIT;
    struct json json;
    bool first = true, counted = false;
    enum status status = file->stats.ptr ? json_parse(&scratch, file->stats, &json, NULL) : STATUS_SYNTAX;
    buf_char(&stats, '{');
    if (!status && json.nodes[0].type == JSON_OBJECT)
        for (uint32_t i = json_first(&json, 0); i < json.nodes[0].next; i = json_next(&json, i + 1)) {
            struct str key = json.nodes[i].text, value = json.nodes[i + 1].text;
            if (str_eq(key, STR("tightBounds")) || json.nodes[i + 1].type == JSON_STRING)
                continue;
            counted |= str_eq(key, STR("numRecords"));
            buf_printf(&stats, "%s\"%.*s\":", first ? "" : ",", STR_ARG(key));
            buf_str(&stats, value);
            first = false;
        }
    if (!counted)
        buf_printf(&stats, "%s\"numRecords\":%lld", first ? "" : ",", (long long)file->record_count);
    buf_z(&stats, ",\"tightBounds\":false}");
    out->failed |= stats.failed;
    put_stats(out, buf_view(&stats));
    buf_release(&stats);
    arena_release(&scratch);
    return status == STATUS_OUT_OF_MEMORY ? error_oom(err) : STATUS_OK;
}

static enum status check_dv(const struct delta_txn *txn, const struct delta_file *file, const struct delta_dv *dv, struct error *err)
{
    const struct delta_metadata *m = delta_txn_metadata(txn);
    if (!txn->base || txn->has_metadata)
        return error_set(err, STATUS_INTERNAL, "deletion vectors are for files of a table that is there, under its own metadata");
    if (!delta_config_bool(m, "delta.enableDeletionVectors", false) ||
        !delta_protocol_has(&txn->base->head->protocol, DELTA_FEATURE_DELETION_VECTORS))
        return error_set(err, STATUS_INTERNAL, "table \"%s\" does not allow deletion vectors", txn->table->name);
    if (file->record_count < 0) {
        error_set(err, STATUS_NOT_SUPPORTED, "file \"%.*s\" of table \"%s\" cannot have a deletion vector: its statistics do not count its rows",
                  STR_ARG(file->path), txn->table->name);
        return error_hint(err, "rewrite the file, for example with OPTIMIZE");
    }
    if (dv->cardinality <= (file->dv ? file->dv->cardinality : 0) || dv->cardinality > file->record_count)
        return error_set(err, STATUS_INTERNAL, "a deletion vector of %lld rows cannot follow on one of %lld in file \"%.*s\" of %lld rows",
                         (long long)dv->cardinality, (long long)(file->dv ? file->dv->cardinality : 0), STR_ARG(file->path),
                         (long long)file->record_count);
    return STATUS_OK;
}

/* The ids that the file's rows have; rows of a table that is to track them get some with the commit. */
static enum status put_kept_row_ids(struct delta_txn *txn, const struct delta_file *file, struct error *err)
{
    if (!delta_protocol_has(delta_txn_protocol(txn), DELTA_FEATURE_ROW_TRACKING))
        return STATUS_OK;
    struct delta_add add = {.path = file->path,
                            .stats = file->stats,
                            .has_row_ids = file->base_row_id >= 0,
                            .base_row_id = file->base_row_id,
                            .row_commit_version = file->row_commit_version};
    return put_row_ids(txn, &add, err);
}

/* The add of a file that the log has named before, with this deletion vector; statistics as they were, or wide. */
static enum status put_add_again(struct delta_txn *txn, const struct delta_file *file, const struct delta_dv *dv, bool wide, bool data_change,
                                 struct error *err)
{
    const struct delta_metadata *m = delta_txn_metadata(txn);
    struct buf *out = &txn->adds;
    size_t start = out->len, fresh = txn->fresh_count;
    enum status status = delta_iceberg_check_add(m, file->path, file->stats, dv != NULL, err);
    if (status)
        return status;
    buf_z(out, "{\"add\":{\"path\":");
    json_put_string(out, file->path);
    buf_char(out, ',');
    put_partition_values(out, txn->has_metadata ? txn->partition_keys : txn->base->head->partition_keys, m->partition_column_count,
                         file->partition_values);
    buf_printf(out, ",\"size\":%lld,\"modificationTime\":%lld,\"dataChange\":%s", (long long)file->size_bytes, (long long)file->modified_ms,
               data_change ? "true" : "false");
    if (wide)
        status = put_wide_stats(out, file, err);
    else
        put_stats(out, file->stats);
    put_dv(out, dv);
    if (!status)
        status = put_kept_row_ids(txn, file, err);
    buf_z(out, "}}\n");
    enum status written = line_check(out, start, status ? NULL : err);
    if (status || written) {
        out->len = start;
        txn->fresh_count = fresh;
        return status ? status : written;
    }
    txn->add_count++;
    txn->data_change_count += data_change;
    return STATUS_OK;
}

static bool grow_vectors(struct delta_txn *txn)
{
    if (txn->vector_count < txn->vector_cap)
        return true;
    size_t cap = txn->vector_cap ? txn->vector_cap * 2 : FIRST_PATHS;
    struct delta_vector_change *grown = mem_realloc(txn->vectors, cap * sizeof *grown);
    if (!grown)
        return false;
    txn->vectors = grown;
    txn->vector_cap = cap;
    return true;
}

static bool copy_dv(struct delta_txn *txn, const struct delta_dv *from, struct delta_dv *to)
{
    *to = *from;
    to->storage = arena_str(&txn->arena, from->storage);
    to->path = arena_str(&txn->arena, from->path);
    return to->storage.ptr && to->path.ptr;
}

static bool copy_values(struct delta_txn *txn, const struct str *from, const struct str **to)
{
    uint32_t count = txn->base->head->metadata.partition_column_count;
    struct str *values = ARENA_ARRAY(&txn->arena, struct str, count + 1);
    for (uint32_t i = 0; values && from && i < count; i++)
        if (!copy_optional(txn, from[i], &values[i]))
            return false;
    *to = values;
    return values != NULL;
}

/* v->file is what the caller's file says, in the txn's arena; on failure v may be half of that. */
static bool keep_file(struct delta_txn *txn, const struct delta_file *file, struct delta_vector_change *v)
{
    v->file = *file;
    v->has_base = file->dv != NULL;
    if (!copy_optional(txn, file->path, &v->file.path) || !copy_optional(txn, file->stats, &v->file.stats) ||
        !copy_values(txn, file->partition_values, &v->file.partition_values))
        return false;
    return !file->dv || copy_dv(txn, file->dv, &v->own_base);
}

/* The lines of a file's new vector, at the end of both buffers. */
static enum status put_vector_lines(struct delta_txn *txn, const struct delta_file *file, const struct delta_dv *dv, struct delta_vector_change *v,
                                    struct error *err)
{
    v->remove_start = txn->removes.len;
    v->add_start = txn->adds.len;
    enum status status = put_remove(txn, file, true, err);
    if (status)
        return status;
    if ((status = put_add_again(txn, file, dv, true, true, err))) {
        txn->removes.len = v->remove_start;
        return status;
    }
    v->remove_len = txn->removes.len - v->remove_start;
    v->add_len = txn->adds.len - v->add_start;
    return STATUS_OK;
}

enum status delta_txn_set_dv(struct delta_txn *txn, const struct delta_file *file, const struct delta_dv *dv, struct error *err)
{
    struct delta_vector_change v = {0};
    size_t slot = 0;
    bool known;
    enum status status = check_dv(txn, file, dv, err);
    if (!status)
        status = note_removed(txn, file->path, &slot, &known, err);
    if (!status && known)
        status = error_set(err, STATUS_INTERNAL, "file \"%.*s\" is changed twice in one change", STR_ARG(file->path));
    if (!status && (!grow_vectors(txn) || !keep_file(txn, file, &v) || !copy_dv(txn, dv, &v.dv)))
        status = error_oom(err);
    if (!status)
        status = put_vector_lines(txn, file, dv, &v, err);
    if (status)
        return status;
    v.file.dv = NULL; /* own_base moves with the struct */
    txn->vectors[txn->vector_count++] = v;
    count_removed(txn, slot, (uint32_t)txn->vector_count, true);
    return STATUS_OK;
}

struct delta_vector_change *delta_txn_vector(struct delta_txn *txn, const struct delta_path_key *key)
{
    size_t slot;
    if (!txn->vector_count || !find_removed(txn, key, &slot))
        return NULL;
    uint32_t vector = txn->removed_vectors[txn->removed_slots[slot] - 1];
    return vector ? &txn->vectors[vector - 1] : NULL;
}

static void cut(struct buf *b, size_t start, size_t len)
{
    memmove(b->ptr + start, b->ptr + start + len, b->len - start - len + 1);
    b->len -= len;
}

/* Takes the lines of v out, with the places that lay behind them. */
static void cut_vector_lines(struct delta_txn *txn, const struct delta_vector_change *v)
{
    size_t kept = 0, remove_start = v->remove_start, remove_len = v->remove_len, add_start = v->add_start, add_len = v->add_len;
    cut(&txn->removes, remove_start, remove_len);
    cut(&txn->adds, add_start, add_len);
    for (size_t i = 0; i < txn->vector_count; i++) {
        struct delta_vector_change *other = &txn->vectors[i];
        other->remove_start -= other->remove_start > remove_start ? remove_len : 0;
        other->add_start -= other->add_start > add_start ? add_len : 0;
    }
    for (size_t i = 0; i < txn->fresh_count; i++) {
        struct delta_fresh_add fresh = txn->fresh[i];
        if (fresh.offset >= add_start && fresh.offset < add_start + add_len)
            continue;
        fresh.offset -= fresh.offset > add_start ? add_len : 0;
        txn->fresh[kept++] = fresh;
    }
    txn->fresh_count = kept;
    txn->add_count--;
    txn->data_change_count--;
}

enum status delta_txn_replace_vector(struct delta_txn *txn, struct delta_vector_change *v, const struct delta_file *file, const struct delta_dv *dv,
                                     struct error *err)
{
    struct delta_vector_change next = {.is_rebased = true};
    if (!keep_file(txn, file, &next) || !copy_dv(txn, dv, &next.dv))
        return error_oom(err);
    if (next.has_base)
        next.file.dv = &next.own_base;
    cut_vector_lines(txn, v);
    enum status status = put_vector_lines(txn, &next.file, dv, &next, err);
    next.file.dv = NULL;
    *v = next;
    return status;
}

enum status delta_txn_add_again(struct delta_txn *txn, const struct delta_file *file, bool data_change, struct error *err)
{
    if (!delta_txn_metadata(txn))
        return error_set(err, STATUS_INTERNAL, "a new table has no files of old");
    return put_add_again(txn, file, file->dv, false, data_change, err);
}

enum status delta_txn_track_rows(struct delta_txn *txn, const struct delta_file *file, struct error *err)
{
    size_t slot = 0;
    bool known;
    enum status status = note_removed(txn, file->path, &slot, &known, err);
    if (status || known)
        return status;
    if (!(status = put_add_again(txn, file, file->dv, false, false, err)))
        count_removed(txn, slot, 0, false);
    return status;
}

/* ---- change data ---------------------------------------------------------------------------------------- */

enum status delta_txn_cdc(struct delta_txn *txn, struct str path, const struct str *partition_values, int64_t size_bytes, struct error *err)
{
    const struct delta_metadata *m = delta_txn_metadata(txn);
    struct buf *out = &txn->adds; /* not counted: readers of the table do not see it */
    size_t start = out->len;
    if (!m)
        return error_set(err, STATUS_INTERNAL, "a new table has no changes");
    if (!str_starts(path, STR("_change_data/")))
        return error_set(err, STATUS_INTERNAL, "the change data file \"%.*s\" is not in its folder", STR_ARG(path));
    buf_z(out, "{\"cdc\":{\"path\":");
    put_encoded_path(out, path);
    buf_char(out, ',');
    put_partition_values(out, txn->has_metadata ? txn->partition_keys : txn->base->head->partition_keys, m->partition_column_count, partition_values);
    buf_printf(out, ",\"size\":%lld,\"dataChange\":false}}\n", (long long)size_bytes);
    return line_check(out, start, err);
}

enum status delta_txn_remove_all(struct delta_txn *txn, struct error *err)
{
    struct delta_file_list list;
    if (!txn->base)
        return STATUS_OK;
    enum status status = delta_scan(txn->ctx, txn->base, NULL, false, &list, err);
    for (size_t i = 0; !status && i < list.count; i++)
        status = delta_txn_remove(txn, &list.files[i], true, err);
    delta_file_list_release(&list);
    if (status)
        return status;
    txn->removes_all = true;
    txn->reads_all = true;
    return STATUS_OK;
}

/* ---- the rest ---------------------------------------------------------------------------------------- */

enum status delta_txn_app(struct delta_txn *txn, struct str app_id, int64_t version, struct error *err)
{
    if (txn->app_count == txn->app_cap) {
        size_t cap = txn->app_cap ? txn->app_cap * 2 : 4;
        struct str *grown = mem_realloc(txn->app_ids, cap * sizeof *grown);
        if (!grown)
            return error_oom(err);
        txn->app_ids = grown;
        txn->app_cap = cap;
    }
    struct delta_app_version app = {arena_str(&txn->arena, app_id), version, ctx_now_us(txn->ctx) / 1000};
    if (!app.app_id.ptr)
        return error_oom(err);
    size_t start = txn->apps.len;
    delta_write_app(&txn->apps, &app);
    enum status status = line_check(&txn->apps, start, err);
    if (!status)
        txn->app_ids[txn->app_count++] = app.app_id;
    return status;
}

void delta_txn_reads_all(struct delta_txn *txn) { txn->reads_all = true; }

void delta_txn_keeps_row_ids(struct delta_txn *txn) { txn->keeps_row_ids = true; }

enum status delta_txn_operation(struct delta_txn *txn, const char *operation, struct error *err)
{
    struct str copy = arena_str(&txn->arena, str_of(operation));
    if (!copy.ptr)
        return error_oom(err);
    txn->operation = copy.ptr;
    return STATUS_OK;
}

static enum status put_member(struct buf *out, const char *key, struct str json_value, struct error *err)
{
    size_t start = out->len;
    bool first = start == 0;
    json_put_key(out, key, &first);
    buf_str(out, json_value);
    return line_check(out, start, err);
}

enum status delta_txn_parameter(struct delta_txn *txn, const char *key, struct str json_value, struct error *err)
{
    struct arena scratch = ARENA_INIT;
    struct json json;
    enum status status = json_parse(&scratch, json_value, &json, err);
    if (!status)
        status = put_member(&txn->parameters, key, json_value, err);
    else
        error_context(err, "while setting operation parameter \"%s\"", key);
    arena_release(&scratch);
    return status;
}

enum status delta_txn_metric(struct delta_txn *txn, const char *key, int64_t value, struct error *err)
{
    char text[32];
    snprintf(text, sizeof text, "\"%lld\"", (long long)value);
    return put_member(&txn->metrics, key, str_of(text), err);
}

enum status delta_txn_user_metadata(struct delta_txn *txn, struct str text, struct error *err)
{
    struct str copy = arena_str(&txn->arena, text);
    if (!copy.ptr)
        return error_oom(err);
    txn->user_metadata = copy;
    return STATUS_OK;
}

/* ---- lines of changes before (stage.c) --------------------------------------------------------------- */

enum status delta_txn_take_line(struct delta_txn *txn, struct str line, struct error *err)
{
    size_t start = txn->adds.len;
    buf_str(&txn->adds, line);
    return line_check(&txn->adds, start, err);
}

enum status delta_txn_take_add(struct delta_txn *txn, struct str line, size_t fresh_at, int64_t fresh_rows, bool data_change, struct error *err)
{
    size_t start = txn->adds.len;
    enum status status = fresh_at != SIZE_MAX ? put_fresh(txn, start + fresh_at, fresh_rows, err) : STATUS_OK;
    if (!status)
        status = delta_txn_take_line(txn, line, err);
    if (status)
        return status;
    txn->add_count++;
    txn->data_change_count += data_change;
    return STATUS_OK;
}

enum status delta_txn_take_remove(struct delta_txn *txn, struct str path, struct str line, bool data_change, struct error *err)
{
    size_t slot = 0, start = txn->removes.len;
    bool known;
    enum status status = note_removed(txn, path, &slot, &known, err);
    if (status || known)
        return status;
    buf_str(&txn->removes, line);
    if (!str_ends(line, STR("\n")))
        buf_char(&txn->removes, '\n');
    if (!(status = line_check(&txn->removes, start, err)))
        count_removed(txn, slot, 0, data_change);
    return status;
}

bool delta_txn_is_blind_append(const struct delta_txn *txn) { return !txn->reads_all && txn->read_count == 0 && txn->remove_count == 0; }

bool delta_txn_is_rearrangement(const struct delta_txn *txn)
{
    return txn->data_change_count == 0 && txn->app_count == 0 && !txn->has_metadata && !txn->has_protocol;
}

/* A change of the table's definition is serializable whatever its rows are allowed. */
enum delta_isolation delta_txn_isolation(const struct delta_txn *txn)
{
    const struct delta_metadata *m = delta_txn_metadata(txn);
    struct str level = m ? delta_config(m, "delta.isolationLevel") : STR_NULL;
    if (txn->base && delta_txn_is_rearrangement(txn))
        return DELTA_SNAPSHOT_ISOLATION;
    if (txn->has_metadata || txn->has_protocol)
        return DELTA_SERIALIZABLE;
    if (str_ieq(level, STR("WriteSerializable")))
        return DELTA_WRITE_SERIALIZABLE;
    return str_ieq(level, STR("SnapshotIsolation")) ? DELTA_SNAPSHOT_ISOLATION : DELTA_SERIALIZABLE;
}

const char *delta_isolation_name(enum delta_isolation level)
{
    static const char *const names[] = {"Serializable", "WriteSerializable", "SnapshotIsolation"};
    return names[level];
}
