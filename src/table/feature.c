/* table/feature.c: ALTER TABLE … DROP FEATURE.
 *
 * A feature can go when nothing in the table needs it any more.  What the newest version holds is looked for here, and each feature says by what
 * statement it gets rid of it.  Features that readers must know leave traces in older versions too: they can go only when they were never used. */
#include "table/table_int.h"

struct dropping {
    struct alteration a;
    struct str feature;
};

static enum status still_used(const struct dropping *d, const char *by, struct str name, const char *hint, struct error *err)
{
    error_set(err, STATUS_INVALID_ARGUMENT, "feature \"%.*s\" cannot be dropped from table \"%s\": %s \"%.*s\" needs it", STR_ARG(d->feature),
              d->a.table->qualified_name, by, STR_ARG(name));
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

static enum status drop_widening(struct dropping *d, struct error *err)
{
    if (has_type_changes(d->a.schema))
        return still_used(d, "a column of a", STR("wider type"),
                          "CREATE OR REPLACE TABLE name AS SELECT * FROM name writes the rows with the types they have now", err);
    return unset(d, "delta.enableTypeWidening", err);
}

static enum status drop_mapping(struct dropping *d, struct error *err)
{
    if (delta_mapping_mode(&d->a.metadata) != DELTA_MAPPING_NONE)
        return still_used(d, "property", STR("delta.columnMapping.mode"),
                          "CREATE OR REPLACE TABLE name AS SELECT * FROM name writes the rows under the columns' own names", err);
    return unset(d, "delta.columnMapping.mode", err);
}

static const struct {
    enum delta_feature_id id;
    enum status (*prepare)(struct dropping *, struct error *);
} droppable[] = {
    {DELTA_FEATURE_CHECK_CONSTRAINTS, drop_constraints},    {DELTA_FEATURE_ALLOW_COLUMN_DEFAULTS, drop_defaults},
    {DELTA_FEATURE_IN_COMMIT_TIMESTAMP, drop_commit_times}, {DELTA_FEATURE_MATERIALIZE_PARTITION_COLUMNS, drop_materialized},
    {DELTA_FEATURE_VACUUM_PROTOCOL_CHECK, drop_nothing},    {DELTA_FEATURE_TYPE_WIDENING, drop_widening},
    {DELTA_FEATURE_TYPE_WIDENING_PREVIEW, drop_widening},   {DELTA_FEATURE_COLUMN_MAPPING, drop_mapping},
};

/* Features that Delta lets go under conditions that cannot be brought about here, and what can be done instead. */
static const struct {
    enum delta_feature_id id;
    const char *why, *hint;
} kept[] = {
    {DELTA_FEATURE_DELETION_VECTORS, "its older versions hold deletion vectors", "unset delta.enableDeletionVectors: then no new ones are written"},
    {DELTA_FEATURE_V2_CHECKPOINT, "its log holds V2 checkpoints", "set delta.checkpointPolicy to 'classic': then no new ones are written"},
    {DELTA_FEATURE_ROW_TRACKING, "its files carry row ids", "set delta.enableRowTracking to 'false'"},
    {DELTA_FEATURE_DOMAIN_METADATA, "other features keep their state in domains", "drop the feature that uses them"},
    {DELTA_FEATURE_CHECKPOINT_PROTECTION, "it guards versions from before another feature was dropped", "they can go when their retention is over"},
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

static enum status cannot_go(const struct dropping *d, enum delta_feature_id id, struct error *err)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(kept); i++)
        if (kept[i].id == id) {
            error_set(err, STATUS_NOT_SUPPORTED, "feature \"%.*s\" cannot be dropped from table \"%s\": %s", STR_ARG(d->feature),
                      d->a.table->qualified_name, kept[i].why);
            return error_hint(err, "%s", kept[i].hint);
        }
    error_set(err, STATUS_NOT_SUPPORTED, "feature \"%.*s\" cannot be dropped: Delta has no way back from it", STR_ARG(d->feature));
    return error_hint(err, "CREATE TABLE … AS SELECT makes a table without it");
}

static enum status prepare(struct dropping *d, enum delta_feature_id *id, struct error *err)
{
    *id = delta_feature_by_name(d->feature);
    if (*id == DELTA_FEATURE_COUNT)
        return no_such_feature(d, err);
    d->feature = str_of(delta_feature_info(*id)->name);
    if (!delta_protocol_supports(delta_snapshot_protocol(d->a.base), *id)) {
        error_set(err, STATUS_INVALID_ARGUMENT, "table \"%s\" does not have the feature \"%.*s\"", d->a.table->qualified_name, STR_ARG(d->feature));
        return error_hint(err, "DESCRIBE DETAIL lists the features that it has");
    }
    for (size_t i = 0; i < VV_ARRAY_COUNT(droppable); i++)
        if (droppable[i].id == *id)
            return droppable[i].prepare(d, err);
    return cannot_go(d, *id, err);
}

enum status table_drop_feature(struct ctx *ctx, struct catalog_table *t, struct str feature, bool truncate_history, struct table_change *out,
                               struct error *err)
{
    struct dropping d = {.feature = feature};
    enum delta_feature_id id = DELTA_FEATURE_COUNT;
    *out = (struct table_change){.version = -1};
    enum status status = alteration_open(&d.a, ctx, t, err);
    if (!status)
        status = prepare(&d, &id, err);
    if (!status)
        status = alteration_begin(&d.a, "DROP FEATURE", err);
    if (!status)
        status = delta_txn_drop_feature(d.a.txn, id, err);
    if (!status)
        status = table_parameter(d.a.txn, "featureName", d.feature, err);
    if (!status)
        status = delta_txn_parameter(d.a.txn, "truncateHistory", truncate_history ? STR("true") : STR("false"), err);
    if (!status)
        status = alteration_commit(&d.a, out, err);
    alteration_close(&d.a);
    return status;
}
