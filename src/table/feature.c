/* table/feature.c: ALTER TABLE … DROP FEATURE (protocol: "Dropping Table Features"; RFC "Checkpoint Protection").
 *
 * A feature can go when nothing in the newest version needs it any more.  Deletion vectors, V2 checkpoints, mapped columns, types of before and row
 * ids are cleared away here, in commits of their own; of other features the user is told what still needs it and by what statement that goes.
 *
 * Features that readers must know leave traces in older versions too.  Either these stay, guarded by the feature checkpointProtection, so that no
 * program that does not know the dropped feature tidies them up by half; or, with TRUNCATE HISTORY, they are taken off the log as soon as they are
 * old enough, and the feature goes without a trace.  A checkpoint before the drop saves programs without the feature from reading older versions. */
#include "table/table_int.h"

#include <stdio.h>

enum { PURGE_ROUNDS = 5, TRUNCATE_HOURS = 24 };
#define HOUR_MS (INT64_C(3600) * 1000)

struct dropping {
    struct ctx *ctx;
    struct engine *e;
    struct catalog_table *table;
    struct alteration a;
    struct str feature;
    enum delta_feature_id id;
    enum status (*prepare)(struct dropping *d, struct error *err); /* what the metadata is without the feature */
};

static enum status still_used(const struct dropping *d, const char *by, struct str name, const char *hint, struct error *err)
{
    error_set(err, STATUS_INVALID_ARGUMENT, "feature \"%.*s\" cannot be dropped from table \"%s\": %s \"%.*s\" needs it", STR_ARG(d->feature),
              d->table->qualified_name, by, STR_ARG(name));
    return error_hint(err, "%s", hint);
}

static enum status unset(struct dropping *d, const char *key, struct error *err)
{
    return delta_config(&d->a.metadata, key).ptr ? alteration_set(&d->a, str_of(key), STR_NULL, err) : STATUS_OK;
}

static enum status drop_constraints(struct dropping *d, struct error *err)
{
    struct str prefix = STR(CONSTRAINT_PREFIX);
    for (uint32_t i = 0; i < d->a.metadata.configuration_count; i++) {
        struct str key = d->a.metadata.configuration[i].key;
        if (str_starts(key, prefix))
            return still_used(d, "constraint", str_sub(key, prefix.len, key.len - prefix.len), "ALTER TABLE … DROP CONSTRAINT first", err);
    }
    return STATUS_OK;
}

static enum status drop_defaults(struct dropping *d, struct error *err)
{
    for (uint32_t i = 0; i < d->a.schema->field_count; i++)
        if (delta_field_meta(&d->a.schema->fields[i], META_DEFAULT).ptr)
            return still_used(d, "the default of column", d->a.schema->fields[i].name, "ALTER TABLE … ALTER COLUMN … DROP DEFAULT first", err);
    return STATUS_OK;
}

static enum status drop_commit_times(struct dropping *d, struct error *err)
{
    enum status status = unset(d, "delta.enableInCommitTimestamps", err);
    if (!status)
        status = unset(d, "delta.inCommitTimestampEnablementVersion", err);
    return status ? status : unset(d, "delta.inCommitTimestampEnablementTimestamp", err);
}

static enum status drop_materialized(struct dropping *d, struct error *err)
{
    enum status status = unset(d, "delta.enableMaterializePartitionColumnsFeature", err);
    return status ? status : unset(d, "delta.writePartitionColumnsToParquet", err);
}

static enum status drop_nothing(struct dropping *d, struct error *err)
{
    (void)d;
    (void)err;
    return STATUS_OK;
}

static bool has_type_changes(const struct delta_type *type)
{
    if ((type->element && has_type_changes(type->element)) || (type->key && has_type_changes(type->key)))
        return true;
    for (uint32_t i = 0; i < type->field_count; i++)
        if (delta_field_meta(&type->fields[i], "delta.typeChanges").ptr || has_type_changes(type->fields[i].type))
            return true;
    return false;
}

/* What the steps before the drop took away is there again. */
static enum status came_back(const struct dropping *d, const char *what, const char *hint, struct error *err)
{
    error_set(err, STATUS_COMMIT_CONFLICT, "feature \"%.*s\" cannot be dropped from table \"%s\": another writer %s", STR_ARG(d->feature),
              d->table->qualified_name, what);
    return error_hint(err, "%s", hint);
}

static enum status drop_widening(struct dropping *d, struct error *err)
{
    if (has_type_changes(d->a.schema))
        return came_back(d, "widened a column meanwhile", "run it again", err);
    return unset(d, "delta.enableTypeWidening", err);
}

/* Features of the table that cannot do without this one. */
static enum status check_users(const struct dropping *d, const enum delta_feature_id *users, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++)
        if (delta_protocol_supports(delta_snapshot_protocol(d->a.base), users[i]))
            return still_used(d, "the feature", str_of(delta_feature_info(users[i])->name), "CREATE TABLE … AS SELECT makes a table without both",
                              err);
    return STATUS_OK;
}

static enum status drop_mapping(struct dropping *d, struct error *err)
{
    if (delta_mapping_mode(&d->a.metadata) != DELTA_MAPPING_NONE)
        return came_back(d, "turned delta.columnMapping.mode on again", "run it again", err);
    enum status status = unset(d, "delta.columnMapping.maxColumnId", err);
    delta_schema_drop_meta(d->a.schema, STR("delta.columnMapping."));
    return status ? status : unset(d, "delta.columnMapping.mode", err);
}

static enum status drop_tracking(struct dropping *d, struct error *err)
{
    struct delta_file_list files = {0};
    enum status status = delta_scan(d->ctx, d->a.base, NULL, false, &files, err);
    bool found = false;
    for (size_t i = 0; !status && i < files.count; i++)
        found |= files.files[i].base_row_id >= 0;
    delta_file_list_release(&files);
    if (!status && found)
        return came_back(d, "goes on giving row ids", "run it again when that writer has seen delta.rowTrackingSuspended = 'true'", err);
    if (!status)
        status = unset(d, "delta.enableRowTracking", err);
    return status ? status : unset(d, "delta.rowTrackingSuspended", err);
}

static enum status drop_domains(struct dropping *d, struct error *err)
{
    static const enum delta_feature_id users[] = {DELTA_FEATURE_ROW_TRACKING, DELTA_FEATURE_CLUSTERING};
    return check_users(d, users, VV_ARRAY_COUNT(users), err);
}

static enum status drop_protection(struct dropping *d, struct error *err) { return unset(d, "delta.requireCheckpointProtectionBeforeVersion", err); }

static enum status find_vector(struct dropping *d, struct delta_snapshot *s, bool *found, struct error *err)
{
    struct delta_file_list files = {0};
    enum status status = delta_scan(d->ctx, s, NULL, false, &files, err);
    *found = false;
    for (size_t i = 0; i < files.count; i++)
        *found |= files.files[i].dv != NULL;
    delta_file_list_release(&files);
    return status;
}

static enum status drop_vectors(struct dropping *d, struct error *err)
{
    bool found;
    enum status status = find_vector(d, d->a.base, &found, err);
    if (!status && found)
        return came_back(d, "goes on making deletion vectors", "run it again when that writer has seen delta.enableDeletionVectors = 'false'", err);
    return status ? status : unset(d, "delta.enableDeletionVectors", err);
}

static enum status drop_v2(struct dropping *d, struct error *err) { return unset(d, "delta.checkpointPolicy", err); }

/* ---- clearing away ----------------------------------------------------------------------------------- */

static enum status set_property(struct dropping *d, const char *key, const char *value, struct error *err)
{
    struct delta_property set = {.key = str_of(key), .value = str_of(value)};
    struct table_change change;
    return table_set_properties(d->ctx, d->e, d->table, &set, 1, &change, err);
}

static enum status purge_once(struct dropping *d, bool *done, struct error *err)
{
    struct delta_snapshot *s = NULL;
    struct table_change change;
    bool found = false;
    enum status status = delta_snapshot_latest(d->ctx, d->table->table, &s, err);
    if (!status)
        status = find_vector(d, s, &found, err);
    *done = !status && !found;
    if (!status && found) {
        struct table_optimize purge = {.base = s, .purge = true};
        status = table_optimize(d->ctx, d->e, d->table, &purge, &change, err);
    }
    delta_snapshot_unref(s);
    return status;
}

/* No new vectors first, then none; writers who had begun before may still bring some. */
static enum status clear_vectors(struct dropping *d, struct error *err)
{
    bool done;
    enum status status = find_vector(d, d->a.base, &done, err);
    done = !done;
    if (!status && delta_config_bool(&d->a.metadata, "delta.enableDeletionVectors", false))
        status = set_property(d, "delta.enableDeletionVectors", "false", err);
    for (int round = 0; round < PURGE_ROUNDS && !status && !done; round++) {
        status = purge_once(d, &done, err);
        if (status == STATUS_COMMIT_CONFLICT && round + 1 < PURGE_ROUNDS) {
            error_release(err);
            status = STATUS_OK;
        }
    }
    return status;
}

/* The commit makes a version that has no checkpoint yet, so that a classic one can become the newest. */
static enum status clear_v2(struct dropping *d, struct error *err)
{
    int64_t newest;
    struct str policy = delta_config(&d->a.metadata, "delta.checkpointPolicy");
    delta_table_quiesce(d->table->table); /* one may be under way */
    enum status status = delta_history_uses(d->ctx, d->a.base, d->id, &newest, err);
    if (status || (newest < 0 && (!policy.ptr || str_ieq(policy, STR("classic")))))
        return status;
    return set_property(d, "delta.checkpointPolicy", "classic", err);
}

static enum status clear_mapping(struct dropping *d, struct error *err)
{
    static const enum delta_feature_id users[] = {DELTA_FEATURE_ICEBERG_COMPAT_V1, DELTA_FEATURE_ICEBERG_COMPAT_V2};
    enum status status = check_users(d, users, VV_ARRAY_COUNT(users), err);
    if (status || delta_mapping_mode(&d->a.metadata) == DELTA_MAPPING_NONE)
        return status;
    return set_property(d, "delta.columnMapping.mode", "none", err);
}

/* Files with the types of before get those of now, and the record of the changes goes with them. */
static enum status clear_widening(struct dropping *d, struct error *err)
{
    struct table_change change;
    if (!has_type_changes(d->a.schema))
        return STATUS_OK;
    enum status status = unset(d, "delta.enableTypeWidening", err);
    delta_schema_drop_meta(d->a.schema, STR(META_TYPE_CHANGES));
    return status ? status : alteration_remake(&d->a, d->e, "DROP FEATURE", REMAKE_OTHER_TYPES, &change, err);
}

/* No new ids first, then none. */
static enum status clear_tracking(struct dropping *d, struct error *err)
{
    static const struct delta_property off[] = {{.key = STR("delta.enableRowTracking"), .value = STR("false")},
                                                {.key = STR("delta.rowTrackingSuspended"), .value = STR("true")}};
    struct table_change change;
    enum status status = table_set_properties(d->ctx, d->e, d->table, off, VV_ARRAY_COUNT(off), &change, err);
    return status ? status : delta_row_tracking_unbackfill(d->ctx, d->table->table, err);
}

/* ---- which features ------------------------------------------------------------------------------------- */

struct droppable {
    enum delta_feature_id id;
    enum status (*prepare)(struct dropping *, struct error *); /* the metadata without it */
    enum status (*clear)(struct dropping *, struct error *);   /* commits before; NULL: none */
};
static const struct droppable droppable[] = {
    {DELTA_FEATURE_CHECK_CONSTRAINTS, drop_constraints, NULL},
    {DELTA_FEATURE_ALLOW_COLUMN_DEFAULTS, drop_defaults, NULL},
    {DELTA_FEATURE_IN_COMMIT_TIMESTAMP, drop_commit_times, NULL},
    {DELTA_FEATURE_MATERIALIZE_PARTITION_COLUMNS, drop_materialized, NULL},
    {DELTA_FEATURE_VACUUM_PROTOCOL_CHECK, drop_nothing, NULL},
    {DELTA_FEATURE_TYPE_WIDENING, drop_widening, clear_widening},
    {DELTA_FEATURE_TYPE_WIDENING_PREVIEW, drop_widening, clear_widening},
    {DELTA_FEATURE_COLUMN_MAPPING, drop_mapping, clear_mapping},
    {DELTA_FEATURE_ROW_TRACKING, drop_tracking, clear_tracking},
    {DELTA_FEATURE_DOMAIN_METADATA, drop_domains, NULL},
    {DELTA_FEATURE_DELETION_VECTORS, drop_vectors, clear_vectors},
    {DELTA_FEATURE_V2_CHECKPOINT, drop_v2, clear_v2},
    {DELTA_FEATURE_CHECKPOINT_PROTECTION, drop_protection, NULL},
};

static enum status no_such_feature(const struct dropping *d, struct error *err)
{
    struct str names[DELTA_FEATURE_COUNT];
    for (int i = 0; i < DELTA_FEATURE_COUNT; i++)
        names[i] = str_of(delta_feature_info((enum delta_feature_id)i)->name);
    struct str near = str_nearest(d->feature, names, DELTA_FEATURE_COUNT);
    error_set(err, STATUS_INVALID_ARGUMENT, "there is no table feature \"%.*s\"", STR_ARG(d->feature));
    if (near.ptr)
        error_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    return STATUS_INVALID_ARGUMENT;
}

static enum status cannot_go(const struct dropping *d, struct error *err)
{
    error_set(err, STATUS_NOT_SUPPORTED, "feature \"%.*s\" cannot be dropped: Delta has no way back from it", STR_ARG(d->feature));
    if (d->id == DELTA_FEATURE_ICEBERG_COMPAT_V1 || d->id == DELTA_FEATURE_ICEBERG_COMPAT_V2)
        return error_hint(err, "set delta.enableI%.*s to 'false': it asks for nothing then", (int)d->feature.len - 1, d->feature.ptr + 1);
    return error_hint(err, "CREATE TABLE … AS SELECT makes a table without it");
}

/* The feature by its name, when the table has it. */
static enum status identify(struct dropping *d, struct error *err)
{
    d->id = delta_feature_by_name(d->feature);
    if (d->id == DELTA_FEATURE_COUNT)
        return no_such_feature(d, err);
    d->feature = str_of(delta_feature_info(d->id)->name);
    if (!delta_protocol_supports(delta_snapshot_protocol(d->a.base), d->id)) {
        error_set(err, STATUS_INVALID_ARGUMENT, "table \"%s\" does not have the feature \"%.*s\"", d->table->qualified_name, STR_ARG(d->feature));
        return error_hint(err, "DESCRIBE DETAIL lists the features that it has");
    }
    return STATUS_OK;
}

/* NULL: it is there to stay. */
static const struct droppable *find_droppable(enum delta_feature_id id)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(droppable); i++)
        if (droppable[i].id == id)
            return &droppable[i];
    return NULL;
}

/* ---- older versions -------------------------------------------------------------------------------------- */

static bool readers_need(enum delta_feature_id id)
{
    return delta_feature_info(id)->kind == DELTA_FEATURE_READER_WRITER && id != DELTA_FEATURE_VACUUM_PROTOCOL_CHECK;
}

static enum status check_truncation(const struct dropping *d, bool truncate, struct error *err)
{
    if (d->id == DELTA_FEATURE_CHECKPOINT_PROTECTION && !truncate) {
        error_set(err, STATUS_INVALID_ARGUMENT, "feature \"%.*s\" guards older versions of table \"%s\": it can only go together with them",
                  STR_ARG(d->feature), d->table->qualified_name);
        return error_hint(err, "ALTER TABLE … DROP FEATURE %.*s TRUNCATE HISTORY", STR_ARG(d->feature));
    }
    if (truncate && delta_feature_info(d->id)->kind == DELTA_FEATURE_WRITER && d->id != DELTA_FEATURE_CHECKPOINT_PROTECTION) {
        error_set(err, STATUS_INVALID_ARGUMENT,
                  "no older version of table \"%s\" needs the feature \"%.*s\" to be read: TRUNCATE HISTORY is of no use", d->table->qualified_name,
                  STR_ARG(d->feature));
        return error_hint(err, "leave TRUNCATE HISTORY out");
    }
    return STATUS_OK;
}

static enum status must_wait(const struct dropping *d, int64_t newest, struct str retention, struct error *err)
{
    error_set(err, STATUS_INVALID_ARGUMENT, "feature \"%.*s\" cannot be dropped from table \"%s\" yet: version %lld in its history still needs it",
              STR_ARG(d->feature), d->table->qualified_name, (long long)newest);
    return error_hint(err,
                      "nothing new uses it; run the same statement again when the versions up to now are older than %.*s "
                      "(delta.dropFeatureTruncateHistory.retentionDuration)",
                      STR_ARG(retention));
}

static enum status truncate_history(struct dropping *d, struct delta_snapshot *s, struct error *err)
{
    int64_t ms = TRUNCATE_HOURS * HOUR_MS, newest;
    struct str retention = delta_property_value(delta_snapshot_metadata(s), "delta.dropFeatureTruncateHistory.retentionDuration");
    if (!retention.ptr || !delta_interval_ms(retention, &ms))
        retention = STR("interval 24 hours");
    enum status status = delta_log_truncate(d->ctx, s, ms, err);
    if (!status)
        status = delta_history_uses(d->ctx, s, d->id, &newest, err);
    return status || newest < 0 ? status : must_wait(d, newest, retention, err);
}

/* What older versions need before the feature goes: a checkpoint to begin from, and with truncate that none of them uses it. */
static enum status settle_history(struct dropping *d, bool truncate, struct error *err)
{
    struct delta_snapshot *s = NULL;
    enum status status = delta_snapshot_latest(d->ctx, d->table->table, &s, err);
    if (!status)
        status = delta_checkpoint(d->ctx, s, err);
    if (!status && truncate)
        status = truncate_history(d, s, err);
    delta_snapshot_unref(s);
    return status;
}

/* Everything before the version that drops the feature is guarded. */
static enum status protect_history(struct dropping *d, struct error *err)
{
    char text[24];
    snprintf(text, sizeof text, "%lld", (long long)delta_snapshot_version(d->a.base) + 1);
    struct str before = arena_str(&d->a.arena, str_of(text));
    if (!before.ptr)
        return error_oom(err);
    enum status status = alteration_set(&d->a, STR("delta.requireCheckpointProtectionBeforeVersion"), before, err);
    return status ? status : alteration_set(&d->a, STR("delta.feature.checkpointProtection"), STR("supported"), err);
}

/* ---- the statement ------------------------------------------------------------------------------------------- */

static enum status commit_without(struct dropping *d, bool truncate, struct table_change *out, struct error *err)
{
    enum status status = alteration_begin(&d->a, "DROP FEATURE", err);
    if (status)
        return status;
    if (readers_need(d->id) || d->id == DELTA_FEATURE_ROW_TRACKING)
        delta_txn_reads_all(d->a.txn); /* the version of the commit and the files are as they were looked at */
    if (d->id == DELTA_FEATURE_DOMAIN_METADATA)
        status = delta_txn_clear_domains(d->a.txn, err);
    if (!status)
        status = delta_txn_drop_feature(d->a.txn, d->id, err);
    if (!status)
        status = table_parameter(d->a.txn, "featureName", d->feature, err);
    if (!status)
        status = delta_txn_parameter(d->a.txn, "truncateHistory", truncate ? STR("true") : STR("false"), err);
    return status ? status : alteration_commit(&d->a, out, err);
}

/* Programs without the feature begin here; one that fails leaves them the checkpoint from before. */
static void checkpoint_after(struct dropping *d)
{
    struct error ignored = ERROR_INIT;
    settle_history(d, false, &ignored);
    error_release(&ignored);
}

/* The table is brought to where the feature is not needed; refuses before anything is written. */
static enum status make_ready(struct dropping *d, bool truncate, struct error *err)
{
    enum status status = identify(d, err);
    const struct droppable *how = status ? NULL : find_droppable(d->id);
    if (status)
        return status;
    if (!how)
        return cannot_go(d, err);
    status = check_truncation(d, truncate, err);
    if (!status)
        status = how->clear ? how->clear(d, err) : how->prepare(d, err);
    if (!status && (truncate || readers_need(d->id)))
        status = settle_history(d, truncate, err);
    d->prepare = how->prepare;
    return status;
}

enum status table_drop_feature(struct ctx *ctx, struct engine *e, struct catalog_table *t, struct str feature, bool truncate_history,
                               struct table_change *out, struct error *err)
{
    struct dropping d = {.ctx = ctx, .e = e, .table = t, .feature = feature};
    *out = (struct table_change){.version = -1};
    enum status status = alteration_open(&d.a, ctx, t, err);
    if (!status)
        status = make_ready(&d, truncate_history, err);
    alteration_close(&d.a);
    d.a = (struct alteration){.ctx = ctx, .arena = ARENA_INIT, .table = t};
    if (!status)
        status = alteration_open(&d.a, ctx, t, err);
    if (!status)
        status = d.prepare(&d, err);
    if (!status && !truncate_history && readers_need(d.id))
        status = protect_history(&d, err);
    if (!status)
        status = commit_without(&d, truncate_history, out, err);
    alteration_close(&d.a);
    if (!status && readers_need(d.id))
        checkpoint_after(&d);
    return status;
}
