/* exec/describe.c: DESCRIBE statements, with the columns that Delta on Spark gives them. */
#include "exec/exec_int.h"

struct described {
    struct catalog_table table;
    struct delta_snapshot *snapshot;
};

static enum status described_open(struct ctx *ctx, struct exec_session *s, const struct statement *st, struct described *d, struct error *err)
{
    return exec_open_named(ctx, s, &st->name, &d->table, &d->snapshot, err);
}

static void described_release(struct described *d)
{
    delta_snapshot_unref(d->snapshot);
    catalog_table_release(&d->table);
}

static bool is_partition_column(const struct delta_metadata *m, struct str column)
{
    for (uint32_t i = 0; i < m->partition_column_count; i++)
        if (str_ieq(m->partition_columns[i], column))
            return true;
    return false;
}

static void put_columns(struct rowset *rows, struct buf *type, const struct delta_type *schema, const struct delta_metadata *m)
{
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const struct delta_field *f = &schema->fields[i];
        buf_clear(type);
        delta_type_text(f->type, type);
        rowset_str(rows, f->name);
        rowset_str(rows, buf_view(type));
        rowset_bool(rows, f->nullable);
        rowset_bool(rows, m && is_partition_column(m, f->name));
        rowset_str(rows, delta_field_meta(f, "comment"));
    }
}

/* A row that tells of the table, not of a column. */
static void put_fact(struct rowset *rows, const char *name, struct str value)
{
    rowset_str(rows, str_of(name));
    rowset_str(rows, value);
    rowset_null(rows);
    rowset_null(rows);
    rowset_null(rows);
}

static void put_facts(struct rowset *rows, struct buf *text, const struct described *d)
{
    const struct delta_metadata *m = delta_snapshot_metadata(d->snapshot);
    char created[40] = "";
    if (m->created_time_ms != INT64_MIN)
        timestamp_to_iso(m->created_time_ms * 1000, true, created);
    put_fact(rows, "", STR(""));
    put_fact(rows, "# Detailed Table Information", STR(""));
    put_fact(rows, "Name", str_of(d->table.qualified_name));
    put_fact(rows, "Type", d->table.managed ? STR("MANAGED") : STR("EXTERNAL"));
    put_fact(rows, "Location", str_of(d->table.location));
    put_fact(rows, "Provider", STR("delta"));
    put_fact(rows, "Created Time", str_of(created));
    put_fact(rows, "Comment", m->description);
    buf_clear(text);
    for (uint32_t i = 0; i < m->partition_column_count; i++)
        buf_printf(text, "%s%.*s", i ? ", " : "", STR_ARG(m->partition_columns[i]));
    put_fact(rows, "Partition Columns", text->len ? buf_view(text) : STR(""));
    buf_clear(text);
    for (uint32_t i = 0; i < m->configuration_count; i++)
        buf_printf(text, "%s%.*s=%.*s", i ? "," : "[", STR_ARG(m->configuration[i].key), STR_ARG(m->configuration[i].value));
    buf_z(text, m->configuration_count ? "]" : "[]");
    put_fact(rows, "Table Properties", buf_view(text));
}

/* d: NULL for a view or a query. */
static enum status list_columns(const struct delta_type *schema, const struct described *d, bool extended, struct exec_result *out, struct error *err)
{
    static const struct rowset_column columns[] = {{"col_name", "u"}, {"data_type", "u"}, {"nullable", "b"}, {"partition", "b"}, {"comment", "u"}};
    struct buf text = BUF_INIT;
    struct rowset *rows = rowset_new(columns, VV_ARRAY_COUNT(columns));
    if (rows)
        put_columns(rows, &text, schema, d ? delta_snapshot_metadata(d->snapshot) : NULL);
    if (rows && d && extended)
        put_facts(rows, &text, d);
    enum status status = rows ? buf_check(&text, err) : error_oom(err);
    if (status == STATUS_OK)
        status = rowset_stream(rows, &out->stream, err);
    else
        rowset_free(rows);
    buf_release(&text);
    return status;
}

/* DESCRIBE t a.b: what is known of one column. */
static enum status describe_column(const struct statement *st, const struct delta_type *schema, struct exec_result *out, struct error *err)
{
    static const struct rowset_column columns[] = {{"info_name", "u"}, {"info_value", "u"}};
    const struct sql_path *path = &st->paths[0];
    const struct delta_field *field = NULL;
    struct buf type = BUF_INIT;
    for (uint32_t i = 0; i < path->depth; i++) {
        field = schema->id == DELTA_STRUCT ? delta_field_find(schema, path->parts[i]) : NULL;
        if (!field) {
            error_set(err, STATUS_COLUMN_NOT_FOUND, "\"%.*s\" has no column \"%.*s\"", STR_ARG(st->name.table), STR_ARG(path->parts[i]));
            if (err)
                err->position = (int64_t)path->offset;
            return STATUS_COLUMN_NOT_FOUND;
        }
        schema = field->type;
    }
    if (!field)
        return error_set(err, STATUS_INTERNAL, "a column without a name is described");
    struct rowset *rows = rowset_new(columns, VV_ARRAY_COUNT(columns));
    delta_type_text(schema, &type);
    enum status status = rows ? buf_check(&type, err) : error_oom(err);
    if (status != STATUS_OK) {
        rowset_free(rows);
        return status;
    }
    const struct str facts[][2] = {
        {STR("col_name"), field->name}, {STR("data_type"), buf_view(&type)}, {STR("comment"), delta_field_meta(field, "comment")}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(facts); i++) {
        rowset_str(rows, facts[i][0]);
        rowset_str(rows, facts[i][1]);
    }
    status = rowset_stream(rows, &out->stream, err);
    buf_release(&type);
    return status;
}

static enum status describe_query(struct ctx *ctx, struct exec_session *s, const struct statement *st, struct exec_result *out, struct error *err)
{
    struct exec_select *select = NULL;
    enum status status = exec_select_prepare(ctx, s, st->query, st->query_offset, &select, err);
    if (status == STATUS_OK)
        status = exec_select_bind(ctx, select, err);
    if (status == STATUS_OK)
        status = list_columns(exec_select_schema(select), NULL, false, out, err);
    exec_select_free(select);
    return status;
}

static enum status describe(const struct statement *st, const struct delta_type *schema, const struct described *d, struct exec_result *out,
                            struct error *err)
{
    return st->path_count ? describe_column(st, schema, out, err) : list_columns(schema, d, st->extended, out, err);
}

enum status exec_describe_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                struct error *err)
{
    struct described d = {0};
    struct exec_select *view = NULL;
    if (st->query.ptr)
        return describe_query(ctx, s, st, out, err);
    enum status status = st->name.at.kind == SQL_AT_NONE ? exec_view_open(ctx, s, arena, &st->name, &view, err) : STATUS_OK;
    if (view)
        status = describe(st, exec_select_schema(view), NULL, out, err);
    else if (status == STATUS_OK)
        status = described_open(ctx, s, st, &d, err);
    exec_select_free(view);
    if (status != STATUS_OK || !d.snapshot)
        return status;
    status = describe(st, delta_snapshot_schema(d.snapshot), &d, out, err);
    described_release(&d);
    return status;
}

enum status exec_describe_schema(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                 struct error *err)
{
    static const struct rowset_column columns[] = {{"info_name", "u"}, {"info_value", "u"}};
    struct catalog_schema schema;
    enum status status = exec_check_catalog(st, err);
    if (status == STATUS_OK)
        status = catalog_describe_schema(ctx, s->lake->catalog, arena, st->name.table, &schema, err);
    if (status != STATUS_OK) {
        if (err && err->position < 0)
            err->position = (int64_t)st->name.offset;
        return status;
    }
    const struct str facts[][2] = {{STR("Catalog Name"), STR(CATALOG_NAME)},
                                   {STR("Namespace Name"), schema.name},
                                   {STR("Comment"), schema.comment},
                                   {STR("Created"), schema.created}};
    struct rowset *rows = rowset_new(columns, VV_ARRAY_COUNT(columns));
    if (!rows)
        return error_oom(err);
    for (size_t i = 0; i < VV_ARRAY_COUNT(facts); i++) {
        rowset_str(rows, facts[i][0]);
        rowset_str(rows, facts[i][1]);
    }
    return rowset_stream(rows, &out->stream, err);
}

/* ---- DETAIL --------------------------------------------------------------------------------------- */

static int64_t ms_to_us(int64_t ms) { return ms * 1000; }

/* Paths as texts, "s.x". */
static enum status clustering_names(struct arena *arena, const struct described *d, struct str **out, size_t *count, struct error *err)
{
    struct delta_column_path *paths;
    struct buf name = BUF_INIT;
    enum status status = delta_snapshot_clustering(d->snapshot, arena, &paths, count, err);
    if (status != STATUS_OK)
        return status;
    *out = ARENA_ARRAY(arena, struct str, *count + 1);
    for (size_t i = 0; *out && i < *count && status == STATUS_OK; i++) {
        buf_clear(&name);
        for (uint32_t k = 0; k < paths[i].depth; k++)
            buf_printf(&name, "%s%.*s", k ? "." : "", STR_ARG(paths[i].names[k]));
        (*out)[i] = arena_str(arena, buf_view(&name));
        status = (*out)[i].ptr ? buf_check(&name, err) : error_oom(err);
    }
    buf_release(&name);
    return *out ? status : error_oom(err);
}

static void detail_row(struct rowset *rows, struct arena *arena, const struct described *d, const struct str *clustered, size_t clustered_count)
{
    const struct delta_metadata *m = delta_snapshot_metadata(d->snapshot);
    const struct delta_protocol *p = delta_snapshot_protocol(d->snapshot);
    struct str *keys = ARENA_ARRAY(arena, struct str, m->configuration_count + 1);
    struct str *values = ARENA_ARRAY(arena, struct str, m->configuration_count + 1);
    struct str *features = ARENA_ARRAY(arena, struct str, p->writer_feature_count + p->reader_feature_count + 1);
    uint32_t feature_count = 0;
    if (!keys || !values || !features)
        return;
    for (uint32_t i = 0; i < m->configuration_count; i++) {
        keys[i] = m->configuration[i].key;
        values[i] = m->configuration[i].value;
    }
    for (uint32_t i = 0; i < p->writer_feature_count; i++)
        features[feature_count++] = p->writer_features[i];
    rowset_str(rows, STR("delta"));
    rowset_str(rows, m->id);
    rowset_str(rows, str_of(d->table.qualified_name));
    rowset_str(rows, m->description);
    rowset_str(rows, str_of(d->table.location));
    if (m->created_time_ms == INT64_MIN)
        rowset_null(rows);
    else
        rowset_i64(rows, ms_to_us(m->created_time_ms));
    rowset_i64(rows, delta_snapshot_timestamp_us(d->snapshot));
    rowset_list(rows, m->partition_columns, m->partition_column_count);
    rowset_list(rows, clustered, (uint32_t)clustered_count);
    rowset_i64(rows, delta_snapshot_file_count(d->snapshot));
    rowset_i64(rows, delta_snapshot_size_bytes(d->snapshot));
    rowset_map(rows, keys, values, m->configuration_count);
    rowset_i64(rows, p->min_reader_version);
    rowset_i64(rows, p->min_writer_version);
    rowset_list(rows, features, feature_count);
    rowset_i64(rows, delta_snapshot_version(d->snapshot));
    rowset_i64(rows, delta_snapshot_size_bytes(d->snapshot));
}

enum status exec_describe_detail(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                 struct error *err)
{
    static const struct rowset_column columns[] = {{"format", "u"},
                                                   {"id", "u"},
                                                   {"name", "u"},
                                                   {"description", "u"},
                                                   {"location", "u"},
                                                   {"createdAt", "tsu:UTC"},
                                                   {"lastModified", "tsu:UTC"},
                                                   {"partitionColumns", "+l:u"},
                                                   {"clusteringColumns", "+l:u"},
                                                   {"numFiles", "l"},
                                                   {"sizeInBytes", "l"},
                                                   {"properties", "+m:u"},
                                                   {"minReaderVersion", "i"},
                                                   {"minWriterVersion", "i"},
                                                   {"tableFeatures", "+l:u"},
                                                   {"version", "l"},
                                                   {"size_in_bytes", "l"}}; /* the name that DESCRIBE FILES has for it */
    struct described d = {0};
    enum status status = described_open(ctx, s, st, &d, err);
    if (status != STATUS_OK)
        return status;
    struct str *clustered;
    size_t clustered_count;
    status = clustering_names(arena, &d, &clustered, &clustered_count, err);
    struct rowset *rows = status == STATUS_OK ? rowset_new(columns, VV_ARRAY_COUNT(columns)) : NULL;
    if (rows)
        detail_row(rows, arena, &d, clustered, clustered_count);
    if (status == STATUS_OK)
        status = rows ? rowset_stream(rows, &out->stream, err) : error_oom(err);
    described_release(&d);
    return status;
}

/* ---- FILES -------------------------------------------------------------------------------------------- */

static void partition_text(const struct delta_metadata *m, const struct delta_file *file, struct buf *out)
{
    buf_clear(out);
    for (uint32_t i = 0; i < m->partition_column_count; i++) {
        buf_z(out, i ? "/" : "");
        buf_str(out, m->partition_columns[i]);
        buf_char(out, '=');
        hive_escape(out, file->partition_values[i]);
    }
}

enum status exec_describe_files(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                struct error *err)
{
    (void)arena;
    static const struct rowset_column columns[] = {{"path", "u"},         {"size_in_bytes", "l"},           {"record_count", "l"},
                                                   {"partition", "u"},    {"modification_time", "tsu:UTC"}, {"stats", "u"},
                                                   {"deleted_count", "l"}};
    struct described d = {0};
    struct delta_file_list files = {0};
    struct buf partition = BUF_INIT;
    enum status status = described_open(ctx, s, st, &d, err);
    if (status != STATUS_OK)
        return status;
    const struct delta_metadata *m = delta_snapshot_metadata(d.snapshot);
    status = delta_scan(ctx, d.snapshot, NULL, true, &files, err);
    struct rowset *rows = status == STATUS_OK ? rowset_new(columns, VV_ARRAY_COUNT(columns)) : NULL;
    for (size_t i = 0; rows && i < files.count; i++) {
        const struct delta_file *f = &files.files[i];
        partition_text(m, f, &partition);
        rowset_str(rows, f->path);
        rowset_i64(rows, f->size_bytes);
        if (delta_file_live_count(f) < 0)
            rowset_null(rows);
        else
            rowset_i64(rows, delta_file_live_count(f));
        rowset_str(rows, buf_view(&partition));
        rowset_i64(rows, ms_to_us(f->modified_ms));
        rowset_str(rows, f->stats);
        rowset_i64(rows, f->dv ? f->dv->cardinality : 0);
    }
    if (status == STATUS_OK)
        status = rows ? rowset_stream(rows, &out->stream, err) : error_oom(err);
    buf_release(&partition);
    delta_file_list_release(&files);
    described_release(&d);
    return status;
}

/* ---- HISTORY --------------------------------------------------------------------------------------------- */

struct commit_fields {
    struct json json;
    struct arena *arena;
};

static struct str field_text(const struct commit_fields *c, const char *key)
{
    uint32_t n = c->json.count ? json_member(&c->json, 0, key) : 0;
    if (!n || c->json.nodes[n].type == JSON_NULL)
        return STR_NULL;
    return c->json.nodes[n].type == JSON_STRING ? json_text(&c->json, n, c->arena) : c->json.nodes[n].text;
}

static void field_i64(const struct commit_fields *c, const char *key, struct rowset *rows)
{
    int64_t v = 0;
    uint32_t n = c->json.count ? json_member(&c->json, 0, key) : 0;
    if (n && json_i64(&c->json, n, &v))
        rowset_i64(rows, v);
    else
        rowset_null(rows);
}

static void field_bool(const struct commit_fields *c, const char *key, struct rowset *rows)
{
    bool v = false;
    uint32_t n = c->json.count ? json_member(&c->json, 0, key) : 0;
    if (n && json_bool(&c->json, n, &v))
        rowset_bool(rows, v);
    else
        rowset_null(rows);
}

static void field_map(const struct commit_fields *c, const char *key, struct rowset *rows)
{
    uint32_t n = c->json.count ? json_member(&c->json, 0, key) : 0;
    if (!n || c->json.nodes[n].type != JSON_OBJECT) {
        rowset_null(rows);
        return;
    }
    uint32_t count = c->json.nodes[n].count, at = 0;
    struct str *keys = ARENA_ARRAY(c->arena, struct str, count + 1);
    struct str *values = ARENA_ARRAY(c->arena, struct str, count + 1);
    if (!keys || !values) {
        rowset_null(rows);
        return;
    }
    for (uint32_t i = json_first(&c->json, n); i < c->json.nodes[n].next; i = json_next(&c->json, i + 1), at++) {
        const struct json_node *v = &c->json.nodes[i + 1];
        keys[at] = json_text(&c->json, i, c->arena);
        values[at] = v->type == JSON_NULL ? STR_NULL : v->type == JSON_STRING ? json_text(&c->json, i + 1, c->arena) : v->text;
    }
    rowset_map(rows, keys, values, count);
}

static void history_row(struct rowset *rows, struct arena *arena, const struct delta_commit_info *info)
{
    struct commit_fields c = {.arena = arena};
    if (info->raw.ptr && json_parse(arena, info->raw, &c.json, NULL) != STATUS_OK)
        c.json.count = 0;
    rowset_i64(rows, info->version);
    rowset_i64(rows, info->timestamp_us);
    rowset_str(rows, field_text(&c, "userId"));
    rowset_str(rows, field_text(&c, "userName"));
    rowset_str(rows, field_text(&c, "operation"));
    field_map(&c, "operationParameters", rows);
    field_i64(&c, "readVersion", rows);
    rowset_str(rows, field_text(&c, "isolationLevel"));
    field_bool(&c, "isBlindAppend", rows);
    field_map(&c, "operationMetrics", rows);
    rowset_str(rows, field_text(&c, "userMetadata"));
    rowset_str(rows, field_text(&c, "engineInfo"));
    rowset_str(rows, field_text(&c, "txnId"));
}

/* DESCRIBE HISTORY t WHERE … is SELECT * FROM (DESCRIBE HISTORY t) WHERE …. */
static enum status select_history(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                  struct error *err)
{
    struct exec_select *select = NULL;
    size_t at = (size_t)(st->tail.ptr - st->text.ptr);
    char *text = arena_printf(arena, "SELECT * FROM (%.*s\n) AS varve_history ", (int)at, st->text.ptr);
    struct str head = str_of(text);
    char *whole = text ? arena_printf(arena, "%s%.*s", text, STR_ARG(st->tail)) : NULL;
    struct sql_edit edit = {.out_end = head.len, .in_start = st->name.offset, .in_end = at};
    struct exec_frame frame = {.origin = {.text = str_of(whole), .edits = &edit, .edit_count = 1}};
    if (!whole)
        return error_oom(err);
    enum status status = exec_select_prepare_in(ctx, s, &frame, &select, err);
    if (status == STATUS_OK)
        status = exec_select_run(ctx, select, out, err);
    exec_select_free(select);
    out->kind = STATEMENT_DESCRIBE_HISTORY;
    return status;
}

enum status exec_describe_history(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                  struct error *err)
{
    static const struct rowset_column columns[] = {
        {"version", "l"},       {"timestamp", "tsu:UTC"},        {"userId", "u"},       {"userName", "u"},
        {"operation", "u"},     {"operationParameters", "+m:u"}, {"readVersion", "l"},  {"isolationLevel", "u"},
        {"isBlindAppend", "b"}, {"operationMetrics", "+m:u"},    {"userMetadata", "u"}, {"engineInfo", "u"},
        {"txnId", "u"}};
    struct catalog_name name = exec_catalog_name(s, &st->name);
    struct catalog_table table = {0};
    struct delta_commit_info *commits = NULL;
    size_t count = 0;
    if (st->tail.ptr)
        return select_history(ctx, s, arena, st, out, err);
    enum status status = catalog_resolve(ctx, s->lake->catalog, &name, &table, err);
    if (status != STATUS_OK) {
        if (err && err->position < 0)
            err->position = (int64_t)st->name.offset;
        return status;
    }
    status = delta_history(ctx, table.table, st->limit > 0 ? st->limit : 0, arena, &commits, &count, err);
    if (status == STATUS_OK && st->limit == 0)
        count = 0;
    struct rowset *rows = status == STATUS_OK ? rowset_new(columns, VV_ARRAY_COUNT(columns)) : NULL;
    for (size_t i = 0; rows && i < count; i++)
        history_row(rows, arena, &commits[i]);
    if (status == STATUS_OK)
        status = rows ? rowset_stream(rows, &out->stream, err) : error_oom(err);
    catalog_table_release(&table);
    return status;
}
