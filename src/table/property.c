/* table/property.c: ALTER TABLE SET and UNSET TBLPROPERTIES. */
#include "table/table_int.h"

/* "comment" is the table's description, as in Spark. */
static bool is_comment(struct str key) { return str_ieq(key, STR("comment")); }

static enum status check_not_reserved(struct str key, struct error *err)
{
    if (!str_ieq(key, STR("location")) && !str_ieq(key, STR("provider")) && !str_ieq(key, STR("owner")))
        return STATUS_OK;
    return error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" cannot be set as a table property", STR_ARG(key));
}

static int64_t find(const struct delta_metadata *m, struct str key)
{
    for (uint32_t i = 0; i < m->configuration_count; i++)
        if (str_eq(m->configuration[i].key, key))
            return i;
    return -1;
}

/* ---- set --------------------------------------------------------------------------------- */

/* Constraints come and go with their own statements, which look at the rows. */
static enum status check_no_constraint(struct str key, struct error *err)
{
    if (!str_starts(key, STR(CONSTRAINT_PREFIX)))
        return STATUS_OK;
    error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" cannot be set as a table property", STR_ARG(key));
    return error_hint(err, "write ALTER TABLE … ADD CONSTRAINT name CHECK (condition), or DROP CONSTRAINT name");
}

static enum status set_one(struct alteration *a, const struct delta_property *p, struct error *err)
{
    if (is_comment(p->key)) {
        a->metadata.description = p->value;
        return STATUS_OK;
    }
    enum status status = check_not_reserved(p->key, err);
    if (!status)
        status = check_no_constraint(p->key, err);
    if (!status)
        status = delta_property_check(p->key, p->value, err);
    return status ? status : alteration_set(a, p->key, p->value, err);
}

/* Row tracking begins with ids for the rows that are there, in commits of their own. */
static enum status prepare_row_tracking(struct ctx *ctx, struct catalog_table *t, const struct delta_property *set, uint32_t set_count,
                                        struct error *err)
{
    bool wanted = false;
    for (uint32_t i = 0; i < set_count; i++)
        wanted |= str_eq(set[i].key, STR("delta.enableRowTracking")) && str_ieq(set[i].value, STR("true"));
    return wanted ? delta_row_tracking_backfill(ctx, t->table, err) : STATUS_OK;
}

/* ---- tables that can be shown as Iceberg ------------------------------------------------------------- */

/* What Iceberg asks of the files that are there: they stay as they are. */
static enum status check_iceberg_files(struct alteration *a, bool first_version, struct error *err)
{
    struct delta_file_list files = {0};
    const char *why = NULL;
    enum status status = delta_scan(a->ctx, a->base, NULL, first_version, &files, err);
    for (size_t i = 0; !status && !why && i < files.count; i++) {
        if (files.files[i].dv)
            why = "has a deletion vector";
        else if (first_version && a->metadata.partition_column_count)
            why = "does not have the partition columns in it";
        else if (first_version && files.files[i].record_count < 0)
            why = "has no statistics that count its rows";
        if (why)
            status = error_set(err, STATUS_INVALID_ARGUMENT, "table \"%s\" cannot have delta.enableIcebergCompatV%d: its file \"%.*s\" %s",
                               a->table->qualified_name, first_version ? 1 : 2, STR_ARG(files.files[i].path), why);
    }
    if (why)
        error_hint(err, first_version ? "delta.enableIcebergCompatV2, or CREATE OR REPLACE TABLE … AS SELECT with the property"
                                      : "REORG TABLE … APPLY (PURGE) rewrites such files");
    delta_file_list_release(&files);
    return status;
}

static bool begins(const struct alteration *a, const char *key)
{
    return delta_config_bool(&a->metadata, key, false) && !delta_config_bool(delta_snapshot_metadata(a->base), key, false);
}

/* No file may come between the look at the files and the commit. */
static enum status prepare_iceberg(struct alteration *a, struct error *err)
{
    bool first = begins(a, "delta.enableIcebergCompatV1"), second = begins(a, "delta.enableIcebergCompatV2");
    if (!first && !second)
        return STATUS_OK;
    delta_txn_reads_all(a->txn);
    return check_iceberg_files(a, first, err);
}

static enum status commit_set(struct alteration *a, const struct delta_property *set, uint32_t set_count, struct table_change *out, struct error *err)
{
    enum status status = alteration_begin(a, "SET TBLPROPERTIES", err);
    if (!status)
        status = prepare_iceberg(a, err);
    if (!status)
        status = table_parameter_map(a->txn, "properties", set, set_count, err);
    return status ? status : alteration_commit(a, out, err);
}

static bool ends_mapping(const struct alteration *a)
{
    return delta_mapping_mode(&a->metadata) == DELTA_MAPPING_NONE && delta_mapping_mode(delta_snapshot_metadata(a->base)) != DELTA_MAPPING_NONE;
}

enum status table_set_properties(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct delta_property *set, uint32_t set_count,
                                 struct table_change *out, struct error *err)
{
    struct alteration a;
    *out = (struct table_change){.version = -1};
    a = (struct alteration){.ctx = ctx, .arena = ARENA_INIT, .table = t};
    enum status status = prepare_row_tracking(ctx, t, set, set_count, err);
    if (!status)
        status = alteration_open(&a, ctx, t, err);
    for (uint32_t i = 0; !status && i < set_count; i++)
        status = set_one(&a, &set[i], err);
    if (!status)
        status = ends_mapping(&a) ? alteration_unmap(&a, e, out, err) : commit_set(&a, set, set_count, out, err);
    alteration_close(&a);
    return status;
}

/* ---- unset --------------------------------------------------------------------------------- */

static enum status no_such_property(const struct alteration *a, struct str key, struct error *err)
{
    struct str near = STR_NULL;
    for (uint32_t i = 0; !near.ptr && i < a->metadata.configuration_count; i++)
        near = str_nearest(key, &a->metadata.configuration[i].key, 1);
    error_set(err, STATUS_UNKNOWN_PROPERTY, "table \"%s\" has no property \"%.*s\"", a->table->qualified_name, STR_ARG(key));
    if (near.ptr)
        error_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    else
        error_hint(err, "UNSET TBLPROPERTIES IF EXISTS passes over what is not there");
    return STATUS_UNKNOWN_PROPERTY;
}

static enum status unset_one(struct alteration *a, struct str key, bool if_exists, struct error *err)
{
    struct delta_metadata *m = &a->metadata;
    if (is_comment(key) && (m->description.ptr || if_exists)) {
        m->description = STR_NULL;
        return STATUS_OK;
    }
    enum status status = check_no_constraint(key, err);
    if (status)
        return status;
    if (find(m, key) < 0)
        return if_exists ? STATUS_OK : no_such_property(a, key, err);
    return alteration_set(a, key, STR_NULL, err);
}

enum status table_unset_properties(struct ctx *ctx, struct catalog_table *t, const struct str *keys, uint32_t key_count, bool if_exists,
                                   struct table_change *out, struct error *err)
{
    struct alteration a;
    *out = (struct table_change){.version = -1};
    enum status status = alteration_open(&a, ctx, t, err);
    for (uint32_t i = 0; !status && i < key_count; i++)
        status = unset_one(&a, keys[i], if_exists, err);
    if (!status)
        status = alteration_begin(&a, "UNSET TBLPROPERTIES", err);
    if (!status)
        status = table_parameter_list(a.txn, "properties", keys, key_count, err);
    if (!status)
        status = delta_txn_parameter(a.txn, "ifExists", if_exists ? STR("true") : STR("false"), err);
    if (!status)
        status = alteration_commit(&a, out, err);
    alteration_close(&a);
    return status;
}
