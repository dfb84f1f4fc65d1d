/* exec/inspect.c: tables as JSON, for catalogs, pages and tools. */
#include "exec/exec_int.h"

struct inspected {
    struct catalog_table table;
    struct delta_snapshot *snapshot;
};

static void put_text(struct buf *out, const char *key, struct str text, bool *first)
{
    json_put_key(out, key, first);
    if (text.ptr)
        json_put_string(out, text);
    else
        buf_z(out, "null");
}

static void put_number(struct buf *out, const char *key, int64_t v, bool *first)
{
    json_put_key(out, key, first);
    buf_i64(out, v);
}

static void put_time(struct buf *out, const char *key, int64_t us, bool *first)
{
    char text[40];
    timestamp_to_iso(us, true, text);
    put_text(out, key, str_of(text), first);
}

static void put_texts(struct buf *out, const char *key, const struct str *texts, uint32_t count, bool *first)
{
    json_put_key(out, key, first);
    buf_char(out, '[');
    for (uint32_t i = 0; i < count; i++) {
        buf_z(out, i ? "," : "");
        json_put_string(out, texts[i]);
    }
    buf_char(out, ']');
}

/* ---- rows of a version: from statistics, remembered by version ----------------------------------- */

static void count_key(const struct inspected *t, struct buf *key)
{
    buf_printf(key, "records%c%s%c", 0, t->table.location, 0);
    buf_str(key, delta_snapshot_metadata(t->snapshot)->id);
    buf_printf(key, "@%lld", (long long)delta_snapshot_version(t->snapshot));
}

static enum status count_records(struct ctx *ctx, const struct inspected *t, int64_t *records, struct error *err)
{
    struct delta_file_list files = {0};
    enum status st = delta_scan(ctx, t->snapshot, NULL, true, &files, err);
    *records = 0;
    for (size_t i = 0; i < files.count && *records >= 0; i++) {
        int64_t left = delta_file_live_count(&files.files[i]);
        *records = left < 0 ? -1 : *records + left;
    }
    delta_file_list_release(&files);
    return st;
}

/* -1: some file has no statistics. */
static enum status record_count(struct ctx *ctx, struct exec_session *s, const struct inspected *t, int64_t *records, struct error *err)
{
    struct buf key = BUF_INIT;
    struct cache *cache = s->lake->cache;
    count_key(t, &key);
    struct cache_value *value = cache && !key.failed ? cache_get(cache, buf_view(&key)) : NULL;
    enum status st = STATUS_OK;
    if (value) {
        memcpy(records, value->bytes, sizeof(*records));
    } else {
        st = count_records(ctx, t, records, err);
        value = st == STATUS_OK && cache && !key.failed ? cache_value_new(sizeof(*records)) : NULL;
        if (value) {
            memcpy(value->bytes, records, sizeof(*records));
            value->meta_len = 0;
            cache_put(cache, buf_view(&key), value);
        }
    }
    cache_value_unref(value);
    buf_release(&key);
    return st;
}

static enum status put_sizes(struct ctx *ctx, struct exec_session *s, const struct inspected *t, struct buf *out, bool *first, struct error *err)
{
    int64_t records = -1;
    struct error unreadable = ERROR_INIT;
    put_number(out, "version", delta_snapshot_version(t->snapshot), first);
    put_number(out, "num_files", delta_snapshot_file_count(t->snapshot), first);
    put_number(out, "size_bytes", delta_snapshot_size_bytes(t->snapshot), first);
    put_number(out, "file_size", delta_snapshot_size_bytes(t->snapshot), first);
    put_time(out, "last_modified", delta_snapshot_timestamp_us(t->snapshot), first);
    enum status st = record_count(ctx, s, t, &records, &unreadable);
    json_put_key(out, "record_count", first);
    if (st == STATUS_OK && records >= 0)
        buf_i64(out, records);
    else
        buf_z(out, "null");
    error_release(&unreadable);
    return ctx_check(ctx, err);
}

/* ---- all tables --------------------------------------------------------------------------------------- */

/* A table that cannot be read is listed with the reason: the others must still show. */
static enum status put_listed(struct ctx *ctx, struct exec_session *s, const struct catalog_entry *entry, struct buf *out, struct error *err)
{
    struct inspected t = {0};
    struct error unreadable = ERROR_INIT;
    struct buf name = BUF_INIT;
    bool first = true;
    struct catalog_name wanted = {.schema = entry->schema, .table = entry->table};
    enum status st = STATUS_OK;
    buf_printf(&name, "%.*s.%.*s", STR_ARG(entry->schema), STR_ARG(entry->table));
    buf_char(out, '{');
    put_text(out, "name", buf_view(&name), &first);
    put_text(out, "schema_name", entry->schema, &first);
    put_text(out, "table_name", entry->table, &first);
    if (exec_open_table(ctx, s, &wanted, NULL, &t.table, &t.snapshot, &unreadable) == STATUS_OK) {
        st = put_sizes(ctx, s, &t, out, &first, err);
        delta_snapshot_unref(t.snapshot);
        catalog_table_release(&t.table);
    } else {
        put_text(out, "error", str_of(unreadable.message), &first);
    }
    buf_char(out, '}');
    error_release(&unreadable);
    buf_release(&name);
    return st;
}

/* A view's columns are known by planning it, which a list does not do: DESCRIBE does. */
static void put_view(const struct catalog_entry *entry, struct buf *out)
{
    struct buf name = BUF_INIT;
    bool first = true;
    buf_printf(&name, "%.*s.%.*s", STR_ARG(entry->schema), STR_ARG(entry->table));
    buf_char(out, '{');
    put_text(out, "name", buf_view(&name), &first);
    put_text(out, "schema_name", entry->schema, &first);
    put_text(out, "view_name", entry->table, &first);
    buf_char(out, '}');
    out->failed |= name.failed;
    buf_release(&name);
}

/* Of the entries the views, or what is none. */
static enum status put_entries(struct ctx *ctx, struct exec_session *s, const struct catalog_entry *entries, size_t count, bool views, size_t *shown,
                               struct buf *out, struct error *err)
{
    enum status st = STATUS_OK;
    *shown = 0;
    for (size_t i = 0; i < count && st == STATUS_OK; i++) {
        if (entries[i].is_view != views)
            continue;
        buf_z(out, (*shown)++ ? "," : "");
        if (views)
            put_view(&entries[i], out);
        else
            st = put_listed(ctx, s, &entries[i], out, err);
    }
    return st;
}

enum status exec_tables_json(struct ctx *ctx, struct exec_session *s, struct buf *out, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct catalog_entry *entries = NULL;
    size_t count = 0;
    enum status st = catalog_check_lake(s->lake->catalog, err);
    if (st == STATUS_OK)
        st = catalog_list_relations(ctx, s->lake->catalog, STR_NULL, &arena, &entries, &count, err);
    size_t tables = 0, views = 0;
    buf_z(out, "{\"tables\":[");
    if (st == STATUS_OK)
        st = put_entries(ctx, s, entries, count, false, &tables, out, err);
    buf_z(out, "],\"views\":[");
    if (st == STATUS_OK)
        st = put_entries(ctx, s, entries, count, true, &views, out, err);
    buf_printf(out, "],\"total_tables\":%zu,\"total_views\":%zu}", tables, views);
    arena_release(&arena);
    return st;
}

static enum status add_totals(struct ctx *ctx, struct exec_session *s, const struct catalog_entry *entry, struct exec_totals *sum, struct error *err)
{
    struct inspected t = {0};
    struct error unreadable = ERROR_INIT;
    struct catalog_name wanted = {.schema = entry->schema, .table = entry->table};
    int64_t records = -1;
    if (exec_open_table(ctx, s, &wanted, NULL, &t.table, &t.snapshot, &unreadable) == STATUS_OK) {
        if (record_count(ctx, s, &t, &records, &unreadable) != STATUS_OK)
            records = -1;
        sum->size_bytes += delta_snapshot_size_bytes(t.snapshot);
        delta_snapshot_unref(t.snapshot);
        catalog_table_release(&t.table);
    }
    sum->tables++;
    if (records >= 0)
        sum->records += records;
    else
        sum->uncounted_tables++;
    error_release(&unreadable);
    return ctx_check(ctx, err);
}

enum status exec_totals(struct ctx *ctx, struct exec_session *s, struct exec_totals *out, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct catalog_entry *entries = NULL;
    size_t count = 0;
    *out = (struct exec_totals){0};
    enum status st = catalog_check_lake(s->lake->catalog, err);
    if (st == STATUS_OK)
        st = catalog_list_tables(ctx, s->lake->catalog, STR_NULL, &arena, &entries, &count, err);
    for (size_t i = 0; i < count && st == STATUS_OK; i++)
        st = add_totals(ctx, s, &entries[i], out, err);
    arena_release(&arena);
    return st;
}

/* ---- one table ------------------------------------------------------------------------------------------- */

static bool is_partition(const struct delta_metadata *m, struct str column)
{
    for (uint32_t i = 0; i < m->partition_column_count; i++)
        if (str_ieq(m->partition_columns[i], column))
            return true;
    return false;
}

static void put_columns(const struct inspected *t, struct buf *out, bool *first)
{
    const struct delta_type *schema = delta_snapshot_schema(t->snapshot);
    struct buf type = BUF_INIT;
    json_put_key(out, "schema", first);
    buf_char(out, '[');
    for (uint32_t i = 0; i < schema->field_count; i++) {
        const struct delta_field *f = &schema->fields[i];
        bool inner = true;
        buf_clear(&type);
        delta_type_text(f->type, &type);
        buf_z(out, i ? ",{" : "{");
        put_text(out, "name", f->name, &inner);
        put_text(out, "type", buf_view(&type), &inner);
        json_put_key(out, "nullable", &inner);
        buf_z(out, f->nullable ? "true" : "false");
        json_put_key(out, "partition", &inner);
        buf_z(out, is_partition(delta_snapshot_metadata(t->snapshot), f->name) ? "true" : "false");
        put_text(out, "comment", delta_field_meta(f, "comment"), &inner);
        buf_char(out, '}');
    }
    buf_char(out, ']');
    buf_release(&type);
}

static void put_properties(const struct inspected *t, struct buf *out, bool *first)
{
    const struct delta_metadata *m = delta_snapshot_metadata(t->snapshot);
    json_put_key(out, "properties", first);
    buf_char(out, '{');
    for (uint32_t i = 0; i < m->configuration_count; i++) {
        buf_z(out, i ? "," : "");
        json_put_string(out, m->configuration[i].key);
        buf_char(out, ':');
        json_put_string(out, m->configuration[i].value);
    }
    buf_char(out, '}');
}

static void put_description(const struct inspected *t, struct buf *out, bool *first)
{
    const struct delta_metadata *m = delta_snapshot_metadata(t->snapshot);
    const struct delta_protocol *p = delta_snapshot_protocol(t->snapshot);
    put_text(out, "id", m->id, first);
    put_text(out, "description", m->description, first);
    put_text(out, "location", str_of(t->table.location), first);
    if (m->created_time_ms != INT64_MIN)
        put_time(out, "created_at", m->created_time_ms * 1000, first);
    put_texts(out, "partition_columns", m->partition_columns, m->partition_column_count, first);
    put_number(out, "min_reader_version", p->min_reader_version, first);
    put_number(out, "min_writer_version", p->min_writer_version, first);
    put_texts(out, "table_features", p->writer_features, p->writer_feature_count, first);
}

static void put_commit(const struct delta_commit_info *commit, struct arena *arena, struct buf *out)
{
    static const char *const copied[] = {"operation", "operationParameters", "operationMetrics", "readVersion", "isolationLevel", "isBlindAppend",
                                         "userName",  "userMetadata",        "engineInfo",       "txnId"};
    struct json json = {0};
    bool first = true;
    buf_char(out, '{');
    put_number(out, "version", commit->version, &first);
    put_time(out, "timestamp", commit->timestamp_us, &first);
    if (commit->raw.ptr && json_parse(arena, commit->raw, &json, NULL) == STATUS_OK)
        for (size_t i = 0; i < VV_ARRAY_COUNT(copied); i++) {
            uint32_t n = json_member(&json, 0, copied[i]);
            if (!n)
                continue;
            json_put_key(out, copied[i], &first);
            if (json.nodes[n].type == JSON_STRING)
                buf_printf(out, "\"%.*s\"", STR_ARG(json.nodes[n].text));
            else
                buf_str(out, json.nodes[n].text.ptr ? json.nodes[n].text : STR("null"));
        }
    buf_char(out, '}');
}

static enum status put_history(struct ctx *ctx, const struct inspected *t, int64_t limit, struct buf *out, bool *first, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct delta_commit_info *commits = NULL;
    size_t count = 0;
    enum status st = delta_history(ctx, t->table.table, limit, &arena, &commits, &count, err);
    json_put_key(out, "history", first);
    buf_char(out, '[');
    for (size_t i = 0; i < count && st == STATUS_OK; i++) {
        buf_z(out, i ? "," : "");
        put_commit(&commits[i], &arena, out);
    }
    buf_char(out, ']');
    arena_release(&arena);
    return st;
}

/* "schema.table", "table", "catalog.schema.table" or delta.`/path`. */
static struct catalog_name parse_name(const struct exec_session *s, struct str text)
{
    struct sql_name name = {0};
    if (str_starts(text, STR("delta.`")) && str_ends(text, STR("`"))) {
        name.table = str_sub(text, 7, text.len - 8);
        name.is_path = true;
        return exec_catalog_name(s, &name);
    }
    struct str *parts[] = {&name.table, &name.schema, &name.catalog};
    for (size_t i = 0; i < VV_ARRAY_COUNT(parts); i++) {
        size_t dot = text.len;
        while (dot > 0 && text.ptr[dot - 1] != '.')
            dot--;
        bool last = dot == 0 || i + 1 == VV_ARRAY_COUNT(parts);
        *parts[i] = last ? text : str_sub(text, dot, text.len - dot);
        if (last)
            break;
        text = str_sub(text, 0, dot - 1);
    }
    return exec_catalog_name(s, &name);
}

enum status exec_table_json(struct ctx *ctx, struct exec_session *s, struct str name, int64_t history_limit, struct buf *out, struct error *err)
{
    struct inspected t = {0};
    bool first = true;
    struct catalog_name wanted = parse_name(s, name);
    enum status st = exec_open_table(ctx, s, &wanted, NULL, &t.table, &t.snapshot, err);
    if (st != STATUS_OK)
        return st;
    buf_char(out, '{');
    put_text(out, "name", name, &first);
    put_text(out, "table_name", wanted.table, &first);
    put_columns(&t, out, &first);
    put_description(&t, out, &first);
    put_properties(&t, out, &first);
    st = put_sizes(ctx, s, &t, out, &first, err);
    if (st == STATUS_OK)
        st = put_history(ctx, &t, history_limit, out, &first, err);
    buf_char(out, '}');
    delta_snapshot_unref(t.snapshot);
    catalog_table_release(&t.table);
    return st;
}
