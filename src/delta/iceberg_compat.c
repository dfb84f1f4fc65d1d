/* delta/iceberg_compat.c: what a table must be like so that it can be shown as an Iceberg table (protocol "Iceberg Compatibility V1", "… V2").  The
 * table itself is plain Delta: nothing of Iceberg is written. */
#include "delta/delta_int.h"

#define FORMATS_KEY "delta.universalFormat.enabledFormats"

int delta_iceberg_compat(const struct delta_metadata *m)
{
    if (delta_config_bool(m, "delta.enableIcebergCompatV2", false))
        return 2;
    return delta_config_bool(m, "delta.enableIcebergCompatV1", false) ? 1 : 0;
}

static enum status refuse(int version, const char *what, const char *hint, struct error *err)
{
    error_set(err, STATUS_INVALID_ARGUMENT, "a table with delta.enableIcebergCompatV%d %s", version, what);
    return error_hint(err, "%s", hint);
}

/* ---- properties -------------------------------------------------------------------------------------- */

static enum status check_one_version(const struct delta_metadata *m, int version, struct error *err)
{
    bool both = delta_config_bool(m, "delta.enableIcebergCompatV1", false) && version == 2;
    return both ? refuse(version, "cannot have delta.enableIcebergCompatV1 too", "set the one that is not wanted to 'false' in the same statement",
                         err)
                : STATUS_OK;
}

static enum status check_mapping(const struct delta_metadata *m, int version, struct error *err)
{
    if (delta_mapping_mode(m) != DELTA_MAPPING_NONE)
        return STATUS_OK;
    return refuse(version, "must map its columns", "set delta.columnMapping.mode to 'name' in the same statement", err);
}

/* V1 asks that no older version has vectors either; a table that has it already is taken as its writer left it. */
static enum status check_vectors(const struct delta_protocol *p, const struct delta_metadata *m, int version, bool begins, struct error *err)
{
    bool supported = delta_protocol_has(p, DELTA_FEATURE_DELETION_VECTORS);
    if (supported && delta_config_bool(m, "delta.enableDeletionVectors", false))
        return refuse(version, "cannot have deletion vectors", "set delta.enableDeletionVectors to 'false' first, then REORG TABLE … APPLY (PURGE)",
                      err);
    if (supported && version == 1 && begins)
        return refuse(version, "cannot have the table feature deletionVectors", "ALTER TABLE … DROP FEATURE deletionVectors first", err);
    return STATUS_OK;
}

static bool lists_iceberg(struct str formats)
{
    for (size_t start = 0, i = 0; i <= formats.len; i++)
        if (i == formats.len || formats.ptr[i] == ',') {
            if (str_ieq(str_trim(str_sub(formats, start, i - start)), STR("iceberg")))
                return true;
            start = i + 1;
        }
    return false;
}

static enum status check_formats(const struct delta_metadata *m, int version, struct error *err)
{
    if (version || !lists_iceberg(delta_config(m, FORMATS_KEY)))
        return STATUS_OK;
    error_set(err, STATUS_INVALID_ARGUMENT, "property \"" FORMATS_KEY "\" = 'iceberg' needs delta.enableIcebergCompatV1 or …V2");
    return error_hint(err, "ALTER TABLE … UNSET TBLPROPERTIES ('" FORMATS_KEY "') first");
}

/* ---- columns -------------------------------------------------------------------------------------------- */

static bool allows_type(int version, enum delta_type_id id)
{
    switch (id) {
    case DELTA_VOID:
    case DELTA_INTERVAL_MONTHS:
    case DELTA_INTERVAL_MICROS:
    case DELTA_VARIANT:
        return false;
    case DELTA_ARRAY:
    case DELTA_MAP:
        return version > 1;
    default:
        return true;
    }
}

static const struct delta_type *find_forbidden(int version, const struct delta_type *type)
{
    if (!allows_type(version, type->id))
        return type;
    const struct delta_type *found = type->element ? find_forbidden(version, type->element) : NULL;
    if (!found && type->key)
        found = find_forbidden(version, type->key);
    for (uint32_t i = 0; !found && type->id == DELTA_STRUCT && i < type->field_count; i++)
        found = find_forbidden(version, type->fields[i].type);
    return found;
}

static enum status check_types(const struct delta_type *schema, int version, struct error *err)
{
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const struct delta_type *wrong = find_forbidden(version, schema->fields[i].type);
        if (!wrong)
            continue;
        struct buf text = BUF_INIT;
        delta_type_text(wrong, &text);
        error_set(err, STATUS_INVALID_ARGUMENT, "column \"%.*s\" cannot be in a table with delta.enableIcebergCompatV%d: it has the type %.*s",
                  STR_ARG(schema->fields[i].name), version, STR_ARG(buf_view(&text)));
        buf_release(&text);
        return STATUS_INVALID_ARGUMENT;
    }
    return STATUS_OK;
}

/* Iceberg knows fewer ways for a type to grow (Iceberg table specification, "Schema Evolution", version 2). */
static bool iceberg_can_widen(const struct delta_type *from, const struct delta_type *to)
{
    if (delta_type_equal(from, to))
        return true;
    switch (to->id) {
    case DELTA_SHORT:
    case DELTA_INTEGER:
    case DELTA_LONG:
        return delta_type_can_widen(from, to);
    case DELTA_DOUBLE:
        return from->id == DELTA_FLOAT;
    case DELTA_DECIMAL:
        return from->id == DELTA_DECIMAL && from->scale == to->scale && from->precision <= to->precision;
    default:
        return false;
    }
}

static enum status check_partitioning(const struct delta_metadata *old, const struct delta_metadata *m, int version, struct error *err)
{
    bool same = old->partition_column_count == m->partition_column_count;
    for (uint32_t i = 0; same && i < m->partition_column_count; i++)
        same = str_eq(old->partition_columns[i], m->partition_columns[i]);
    if (same || !old->partition_column_count || delta_same_partition_keys(old, m))
        return STATUS_OK;
    return refuse(version, "cannot be partitioned by other columns", "drop the table and create it anew, or turn the property off", err);
}

/* ---- the whole ------------------------------------------------------------------------------------------- */

enum status delta_iceberg_check(const struct delta_metadata *old, const struct delta_protocol *p, const struct delta_metadata *m,
                                const struct delta_type *schema, struct error *err)
{
    int version = delta_iceberg_compat(m);
    bool begins = !old || delta_iceberg_compat(old) != version;
    enum status status = check_formats(m, version, err);
    if (status || !version)
        return status;
    status = check_one_version(m, version, err);
    if (!status)
        status = check_mapping(m, version, err);
    if (!status)
        status = check_vectors(p, m, version, begins, err);
    if (!status)
        status = check_types(schema, version, err);
    if (!status)
        status = delta_type_changes_allowed(schema, iceberg_can_widen, "Iceberg does not know", err);
    return status || !old ? status : check_partitioning(old, m, version, err);
}

enum status delta_iceberg_check_add(const struct delta_metadata *m, struct str path, struct str stats, bool has_vector, struct error *err)
{
    struct arena scratch = ARENA_INIT;
    int64_t rows = -1;
    int version = delta_iceberg_compat(m);
    if (!version)
        return STATUS_OK;
    enum status status = delta_stats_record_count(stats, &scratch, &rows) ? error_oom(err) : STATUS_OK;
    arena_release(&scratch);
    if (!status && rows < 0)
        status = error_set(err, STATUS_INVALID_ARGUMENT,
                           "file \"%.*s\" has no statistics that say how many rows it has: delta.enableIcebergCompatV%d needs them", STR_ARG(path),
                           version);
    if (!status && has_vector)
        status = error_set(err, STATUS_INVALID_ARGUMENT, "file \"%.*s\" has a deletion vector, which delta.enableIcebergCompatV%d does not allow",
                           STR_ARG(path), version);
    return status;
}
