/* table/create.c: version 0 of a table, or a new definition of one. */
#include "table/table_int.h"

struct creation {
    struct ctx *ctx;
    struct arena arena;
    struct catalog_table *table;
    const struct table_definition *def;
    struct delta_snapshot *existing;
    struct delta_type *schema;
    struct delta_metadata metadata;
    struct fitted fitted;
    struct engine_written written;
    bool or_replace, has_rows, has_files;
};

/* ---- the definition -------------------------------------------------------------------------- */

/* Columns of a query allow NULL whatever it selects from, and leave its own metadata behind. */
static enum status schema_of_rows(struct creation *c, const struct delta_type *rows, struct error *err)
{
    c->schema = delta_type_copy(&c->arena, rows);
    if (!c->schema)
        return error_oom(err);
    for (uint32_t i = 0; i < c->schema->field_count; i++) {
        c->schema->fields[i].nullable = true;
        c->schema->fields[i].metadata_count = 0;
    }
    return STATUS_OK;
}

static enum status take_schema(struct creation *c, const struct table_source *source, struct error *err)
{
    static const struct delta_type no_columns = {.id = DELTA_STRUCT};
    if (c->def->schema || !source) {
        c->schema = delta_type_copy(&c->arena, c->def->schema ? c->def->schema : &no_columns);
        if (!c->schema)
            return error_oom(err);
    } else {
        enum status status = schema_of_rows(c, source->schema, err);
        if (status)
            return status;
    }
    if (c->schema->field_count == 0 && !source) /* COPY INTO with mergeSchema brings the columns later */
        return STATUS_OK;
    enum status status = delta_schema_check(c->schema, true, err);
    if (status)
        error_context(err, "while creating table \"%s\"", c->table->qualified_name);
    return status;
}

static bool may_partition(enum delta_type_id id) { return id < DELTA_VOID; }

static enum status check_partition_column(const struct creation *c, uint32_t index, const struct delta_field *field, struct error *err)
{
    struct str name = c->def->partition_columns[index];
    if (!field) {
        struct str *names = ARENA_ARRAY((struct arena *)(uintptr_t)&c->arena, struct str, c->schema->field_count + 1);
        for (uint32_t i = 0; names && i < c->schema->field_count; i++)
            names[i] = c->schema->fields[i].name;
        struct str near = names ? str_nearest(name, names, c->schema->field_count) : STR_NULL;
        error_set(err, STATUS_COLUMN_NOT_FOUND, "partition column \"%.*s\" is not a column of table \"%s\"", STR_ARG(name), c->table->qualified_name);
        if (near.ptr)
            error_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
        return STATUS_COLUMN_NOT_FOUND;
    }
    for (uint32_t i = 0; i < index; i++)
        if (str_ieq(c->def->partition_columns[i], name))
            return error_set(err, STATUS_INVALID_ARGUMENT, "column \"%.*s\" is named twice in PARTITIONED BY", STR_ARG(name));
    if (may_partition(field->type->id))
        return STATUS_OK;
    struct buf type = BUF_INIT;
    delta_type_text(field->type, &type);
    error_set(err, STATUS_INVALID_ARGUMENT, "column \"%.*s\" cannot partition the table: its type is %.*s", STR_ARG(name), STR_ARG(buf_view(&type)));
    buf_release(&type);
    return STATUS_INVALID_ARGUMENT;
}

static enum status take_partitioning(struct creation *c, struct error *err)
{
    uint32_t count = c->def->partition_column_count;
    c->metadata.partition_columns = ARENA_ARRAY(&c->arena, struct str, count + 1);
    c->metadata.partition_column_count = count;
    if (!c->metadata.partition_columns)
        return error_oom(err);
    for (uint32_t i = 0; i < count; i++) {
        const struct delta_field *field = delta_field_find(c->schema, c->def->partition_columns[i]);
        enum status status = check_partition_column(c, i, field, err);
        if (status)
            return status;
        c->metadata.partition_columns[i] = field->name;
    }
    if (count && count == c->schema->field_count)
        return error_set(err, STATUS_INVALID_ARGUMENT, "all %u columns of table \"%s\" are partition columns: one at least must be left", count,
                         c->table->qualified_name);
    return STATUS_OK;
}

/* Columns of a new table are mapped unasked where the table must have that (as Spark does it). */
static bool implies_mapping(const struct delta_metadata *m)
{
    bool needed = delta_config_bool(m, "delta.enableIcebergCompatV1", false) || delta_config_bool(m, "delta.enableIcebergCompatV2", false);
    return needed && !delta_config(m, "delta.columnMapping.mode").ptr;
}

/* CONSTRAINT clauses live among the properties, under lower-case names as Spark has them. */
static enum status merge_constraints(struct creation *c, struct error *err)
{
    const struct table_definition *def = c->def;
    struct delta_property *all = ARENA_ARRAY(&c->arena, struct delta_property, (size_t)def->property_count + def->constraint_count + 3);
    uint32_t count = def->property_count;
    if (!all)
        return error_oom(err);
    if (count)
        memcpy(all, def->properties, count * sizeof *all);
    if (def->cluster_by_count)
        all[count++] = (struct delta_property){.key = STR("delta.feature.clustering"), .value = STR("supported")};
    for (uint32_t i = 0; i < def->constraint_count; i++) {
        char *key = arena_printf(&c->arena, CONSTRAINT_PREFIX "%.*s", STR_ARG(def->constraints[i].name));
        if (!key)
            return error_oom(err);
        for (char *at = key; *at; at++)
            *at |= *at >= 'A' && *at <= 'Z' ? 0x20 : 0;
        for (uint32_t k = 0; k < count; k++)
            if (str_eq(all[k].key, str_of(key)))
                return error_set(err, STATUS_INVALID_ARGUMENT, "constraint \"%.*s\" is given twice", STR_ARG(def->constraints[i].name));
        all[count++] = (struct delta_property){.key = str_of(key), .value = def->constraints[i].text};
    }
    c->metadata.configuration = all;
    c->metadata.configuration_count = count;
    if (implies_mapping(&c->metadata))
        all[c->metadata.configuration_count++] = (struct delta_property){.key = STR("delta.columnMapping.mode"), .value = STR("name")};
    return STATUS_OK;
}

static enum status take_properties(struct creation *c, struct error *err)
{
    const struct table_definition *def = c->def;
    for (uint32_t i = 0; i < def->property_count; i++) {
        struct str key = def->properties[i].key;
        enum status status = delta_property_check(key, def->properties[i].value, err);
        if (!status && str_starts(key, STR(CONSTRAINT_PREFIX))) {
            status = error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" cannot be set as a table property", STR_ARG(key));
            error_hint(err, "write CONSTRAINT name CHECK (condition) beside the columns");
        }
        if (status)
            return status;
        for (uint32_t k = 0; k < i; k++)
            if (str_eq(def->properties[k].key, def->properties[i].key))
                return error_set(err, STATUS_INVALID_ARGUMENT, "property \"%.*s\" is given twice", STR_ARG(def->properties[i].key));
    }
    return merge_constraints(c, err);
}

static enum status build_metadata(struct creation *c, struct engine *e, struct error *err)
{
    char id[37];
    uuid_make(c->ctx->rng, id);
    c->metadata = (struct delta_metadata){
        .id = arena_str(&c->arena, str_of(id)),
        .description = c->def->comment,
        .created_time_ms = ctx_now_us(c->ctx) / 1000,
    };
    enum status status = c->metadata.id.ptr ? take_partitioning(c, err) : error_oom(err);
    if (!status)
        status = take_properties(c, err);
    if (!status)
        status = clustering_check(&c->metadata, c->schema, c->def->cluster_by, c->def->cluster_by_count, err);
    if (!status)
        status = definition_check(c->ctx, e, &c->arena, &c->metadata, c->schema, err);
    const struct delta_metadata *old = c->existing ? delta_snapshot_metadata(c->existing) : NULL;
    return status ? status : table_map_columns(c->ctx, &c->arena, old, true, &c->metadata, &c->schema, err);
}

/* ---- the rows ----------------------------------------------------------------------------------- */

static enum status write_rows(struct creation *c, struct engine *e, struct table_source *source, struct error *err)
{
    struct fit_request request = {.table_name = table_name_of(c->table), .table = c->schema, .source = source};
    enum status status = fit_rows(c->ctx, e, &c->arena, &request, &c->fitted, err);
    if (status)
        return status;
    const struct fit *fits[] = {&c->fitted.fit};
    struct table_rows rows = {
        .select = c->fitted.select, .hold = source->hold, .session_settings = source->session_settings, .fits = fits, .fit_count = 1};
    source->hold = NULL;
    status = table_write_rows(c->ctx, e, c->table, &c->metadata, c->schema, &rows, &c->written, err);
    c->has_files = !status;
    return status;
}

/* ---- the commit ----------------------------------------------------------------------------------- */

static const char *operation(const struct creation *c)
{
    if (c->or_replace)
        return c->has_rows ? "CREATE OR REPLACE TABLE AS SELECT" : "CREATE OR REPLACE TABLE";
    return c->has_rows ? "CREATE TABLE AS SELECT" : "CREATE TABLE";
}

static enum status cluster_parameter(const struct creation *c, struct delta_txn *txn, struct error *err)
{
    struct str names[4] = {{0}};
    uint32_t count = c->def->cluster_by_count < VV_ARRAY_COUNT(names) ? c->def->cluster_by_count : VV_ARRAY_COUNT(names);
    for (uint32_t i = 0; i < count; i++)
        names[i] = c->def->cluster_by[i].parts[c->def->cluster_by[i].depth - 1];
    return table_parameter_list(txn, "clusterBy", names, count, err);
}

static enum status describe_operation(const struct creation *c, struct delta_txn *txn, struct error *err)
{
    const struct delta_metadata *m = &c->metadata;
    enum status status = delta_txn_operation(txn, operation(c), err);
    if (!status)
        status = table_parameter_list(txn, "partitionBy", m->partition_columns, m->partition_column_count, err);
    if (!status)
        status = cluster_parameter(c, txn, err);
    if (!status)
        status = table_parameter(txn, "description", m->description, err);
    if (!status)
        status = table_parameter(txn, "isManaged", c->table->managed ? STR("true") : STR("false"), err);
    if (!status)
        status = table_parameter_map(txn, "properties", m->configuration, m->configuration_count, err);
    return status || !c->has_rows ? status : table_output_metrics(txn, &c->written, err);
}

static enum status fill(struct creation *c, struct delta_txn *txn, struct error *err)
{
    enum status status = delta_txn_set_metadata(txn, &c->metadata, c->schema, err);
    bool was_clustered = c->existing && delta_protocol_supports(delta_snapshot_protocol(c->existing), DELTA_FEATURE_CLUSTERING);
    if (!status && (c->def->cluster_by_count || was_clustered))
        status = clustering_put(txn, &c->arena, c->def->cluster_by, c->def->cluster_by_count, err);
    if (!status && c->existing) {
        delta_txn_reads_all(txn);
        status = delta_txn_remove_all(txn, err);
    }
    if (!status && c->has_rows)
        status = table_add_files(c->ctx, txn, &c->metadata, c->schema, &c->written, err);
    return status ? status : describe_operation(c, txn, err);
}

/* Of two that create one table the later is told that it exists. */
static enum status was_first(const struct creation *c, struct error *err)
{
    error_release(err);
    return error_set(err, STATUS_TABLE_EXISTS, "table \"%s\" was created by another writer at this moment", c->table->qualified_name);
}

static enum status commit(struct creation *c, struct table_change *out, struct error *err)
{
    struct delta_txn *txn = NULL;
    int64_t removed = c->existing ? delta_snapshot_file_count(c->existing) : 0;
    enum status status = delta_txn_begin(c->ctx, c->table->table, c->existing, &txn, err);
    if (!status)
        status = fill(c, txn, err);
    if (!status) {
        c->has_files = false; /* from here on table_commit looks after them */
        status = table_commit(c->ctx, c->table, txn, c->has_rows ? &c->written : NULL, out, err);
    }
    delta_txn_free(txn);
    if (!status)
        out->files_removed = removed;
    return status == STATUS_COMMIT_CONFLICT && !c->existing ? was_first(c, err) : status;
}

enum status table_create(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct table_definition *def, struct table_source *source,
                         struct delta_snapshot *existing, bool or_replace, struct table_change *out, struct error *err)
{
    struct creation c = {
        .ctx = ctx, .arena = ARENA_INIT, .table = t, .def = def, .existing = existing, .or_replace = or_replace, .has_rows = source != NULL};
    *out = (struct table_change){.version = -1};
    enum status status = existing ? table_check_removable(t, delta_snapshot_metadata(existing), err) : STATUS_OK;
    if (!status)
        status = take_schema(&c, source, err);
    if (!status)
        status = build_metadata(&c, e, err);
    if (!status && source)
        status = write_rows(&c, e, source, err);
    if (!status)
        status = commit(&c, out, err);
    if (c.has_files)
        table_discard_files(ctx, t, &c.written);
    if (source) {
        engine_hold_free(source->hold);
        source->hold = NULL;
    }
    engine_written_release(&c.written);
    fit_release(&c.fitted.fit);
    arena_release(&c.arena);
    return status;
}
