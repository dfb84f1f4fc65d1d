/* table/clustering.c: CLUSTER BY (protocol: "Clustered Table"): which columns rows are to be kept together by.  It says so and moves no row. */
#include "table/table_int.h"

#define CLUSTERING_FEATURE "delta.feature.clustering"
enum { COLUMNS_MAX = 4, INDEXED_BY_DEFAULT = 32 };

/* Number of leaves in front of the column, or -1 when it is not found below `type`. */
static int64_t leaves_before(const struct delta_type *type, const struct delta_field *wanted, int64_t *leaves)
{
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct delta_field *field = &type->fields[i];
        if (field == wanted)
            return *leaves;
        if (field->type->id != DELTA_STRUCT) {
            ++*leaves;
            continue;
        }
        int64_t inside = leaves_before(field->type, wanted, leaves);
        if (inside >= 0)
            return inside;
    }
    return -1;
}

/* Clustering columns must have statistics. */
static bool is_indexed(const struct delta_metadata *m, const struct delta_type *schema, const struct delta_field *field)
{
    struct str chosen = delta_config(m, "delta.dataSkippingStatsColumns");
    int64_t limit = INDEXED_BY_DEFAULT, leaves = 0;
    if (chosen.ptr)
        return sql_expression_names(chosen, field->name);
    str_to_i64(delta_property_value(m, "delta.dataSkippingNumIndexedCols"), &limit);
    return limit < 0 || leaves_before(schema, field, &leaves) < limit;
}

static bool has_order(enum delta_type_id id)
{
    return id != DELTA_STRUCT && id != DELTA_ARRAY && id != DELTA_MAP && id != DELTA_VARIANT && id != DELTA_VOID && id != DELTA_BINARY &&
           id != DELTA_BOOLEAN;
}

static const struct delta_field *find_path(const struct delta_type *type, const struct sql_path *path)
{
    const struct delta_field *field = NULL;
    for (uint32_t i = 0; i < path->depth && type; i++) {
        field = type->id == DELTA_STRUCT ? delta_field_find(type, path->parts[i]) : NULL;
        type = field ? field->type : NULL;
    }
    return type ? field : NULL;
}

static enum status refuse_column(const struct sql_path *path, enum status code, const char *why, const char *hint, struct error *err)
{
    struct buf name = BUF_INIT;
    put_path_text(&name, path);
    error_set(err, code, "the table cannot be clustered by column \"%.*s\": %s", STR_ARG(buf_view(&name)), why);
    buf_release(&name);
    return hint ? error_hint(err, "%s", hint) : code;
}

enum status clustering_check(const struct delta_metadata *m, const struct delta_type *schema, const struct sql_path *paths, uint32_t count,
                             struct error *err)
{
    if (count && m->partition_column_count)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a partitioned table cannot be clustered");
    if (count > COLUMNS_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a table can be clustered by %d columns, not by %u", COLUMNS_MAX, count);
    for (uint32_t i = 0; i < count; i++) {
        const struct delta_field *field = find_path(schema, &paths[i]);
        if (!field)
            return refuse_column(&paths[i], STATUS_COLUMN_NOT_FOUND, "there is no such column", NULL, err);
        if (!has_order(field->type->id))
            return refuse_column(&paths[i], STATUS_INVALID_ARGUMENT, "its type has no statistics", NULL, err);
        if (!is_indexed(m, schema, field))
            return refuse_column(&paths[i], STATUS_INVALID_ARGUMENT, "it has no statistics",
                                 "raise delta.dataSkippingNumIndexedCols, or name it in delta.dataSkippingStatsColumns", err);
        for (uint32_t k = 0; k < i; k++)
            if (find_path(schema, &paths[k]) == field)
                return refuse_column(&paths[i], STATUS_INVALID_ARGUMENT, "it is named twice", NULL, err);
    }
    return STATUS_OK;
}

enum status clustering_put(struct delta_txn *txn, struct arena *arena, const struct sql_path *paths, uint32_t count, struct error *err)
{
    struct delta_column_path *columns = ARENA_ARRAY(arena, struct delta_column_path, (size_t)count + 1);
    if (!columns)
        return error_oom(err);
    for (uint32_t i = 0; i < count; i++)
        columns[i] = (struct delta_column_path){.names = paths[i].parts, .depth = paths[i].depth};
    return delta_txn_cluster_by(txn, columns, count, err);
}

static enum status names_parameter(struct delta_txn *txn, const char *key, const struct delta_column_path *columns, size_t count, struct error *err)
{
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < columns[i].depth; k++)
            buf_printf(&text, "%s%.*s", k ? "." : i ? "," : "", STR_ARG(columns[i].names[k]));
    enum status status = buf_check(&text, err);
    if (!status)
        status = table_parameter(txn, key, buf_view(&text), err);
    buf_release(&text);
    return status;
}

static enum status describe(struct alteration *a, const struct sql_path *paths, uint32_t count, struct error *err)
{
    struct delta_column_path *old = NULL, *columns = ARENA_ARRAY(&a->arena, struct delta_column_path, (size_t)count + 1);
    size_t old_count = 0;
    if (!columns)
        return error_oom(err);
    for (uint32_t i = 0; i < count; i++)
        columns[i] = (struct delta_column_path){.names = paths[i].parts, .depth = paths[i].depth};
    enum status status = delta_snapshot_clustering(a->base, &a->arena, &old, &old_count, err);
    if (!status)
        status = names_parameter(a->txn, "oldClusteringColumns", old, old_count, err);
    return status ? status : names_parameter(a->txn, "newClusteringColumns", columns, count, err);
}

enum status table_cluster_by(struct ctx *ctx, struct catalog_table *t, const struct sql_path *paths, uint32_t count, struct table_change *out,
                             struct error *err)
{
    struct alteration a;
    *out = (struct table_change){.version = -1};
    enum status status = alteration_open(&a, ctx, t, err);
    bool clustered = !status && delta_protocol_supports(delta_snapshot_protocol(a.base), DELTA_FEATURE_CLUSTERING);
    if (!status && !clustered && !count) {
        out->version = delta_snapshot_version(a.base); /* it is not clustered */
        alteration_close(&a);
        return STATUS_OK;
    }
    if (!status)
        status = clustering_check(&a.metadata, a.schema, paths, count, err);
    if (!status && !clustered)
        status = alteration_set(&a, STR(CLUSTERING_FEATURE), STR("supported"), err);
    if (!status)
        status = alteration_begin(&a, "CLUSTER BY", err);
    if (!status)
        status = clustering_put(a.txn, &a.arena, paths, count, err);
    if (!status)
        status = describe(&a, paths, count, err);
    if (!status)
        status = alteration_commit(&a, out, err);
    alteration_close(&a);
    return status;
}
