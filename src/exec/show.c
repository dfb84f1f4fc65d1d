/* exec/show.c: SHOW statements. */
#include "exec/exec_int.h"

/* SQL LIKE without case, with % and _; Spark's * is taken as %. An empty pattern matches all. */
static bool like(struct str text, struct str pattern)
{
    if (!pattern.len)
        return !text.len;
    char p = pattern.ptr[0];
    struct str rest = str_sub(pattern, 1, pattern.len - 1);
    if (p == '%' || p == '*') {
        for (size_t i = 0; i <= text.len; i++)
            if (like(str_sub(text, i, text.len - i), rest))
                return true;
        return false;
    }
    if (!text.len || (p != '_' && !str_ieq(str_sub(text, 0, 1), str_sub(pattern, 0, 1))))
        return false;
    return like(str_sub(text, 1, text.len - 1), rest);
}

bool exec_matches_pattern(const struct statement *st, struct str name) { return !st->pattern.ptr || like(name, st->pattern); }

static enum status list(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, bool views_only,
                        struct exec_result *out, struct error *err)
{
    const struct rowset_column columns[] = {{"namespace", "u"}, {views_only ? "viewName" : "tableName", "u"}, {"isTemporary", "b"}};
    struct catalog_entry *entries = NULL;
    size_t count = 0;
    struct str schema = st->name.table.ptr ? st->name.table : st->if_exists ? STR_NULL : str_of(s->schema);
    enum status status = catalog_check_lake(s->lake->catalog, err);
    if (status == STATUS_OK && schema.ptr)
        status = catalog_check_schema(ctx, s->lake->catalog, schema, err);
    if (status == STATUS_OK)
        status = catalog_list_relations(ctx, s->lake->catalog, schema, arena, &entries, &count, err);
    if (status != STATUS_OK)
        return status;
    struct rowset *rows = rowset_new(columns, VV_ARRAY_COUNT(columns));
    if (!rows)
        return error_oom(err);
    for (size_t i = 0; i < count; i++) {
        if (!exec_matches_pattern(st, entries[i].table) || (views_only && !entries[i].is_view))
            continue;
        rowset_str(rows, entries[i].schema);
        rowset_str(rows, entries[i].table);
        rowset_bool(rows, false);
    }
    return rowset_stream(rows, &out->stream, err);
}

enum status exec_show_tables(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                             struct error *err)
{
    return list(ctx, s, arena, st, false, out, err);
}

enum status exec_show_views(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                            struct error *err)
{
    return list(ctx, s, arena, st, true, out, err);
}

static enum status one_text_column(const char *name, const struct str *values, size_t count, const struct statement *st, struct exec_result *out,
                                   struct error *err)
{
    const struct rowset_column columns[] = {{name, "u"}};
    struct rowset *rows = rowset_new(columns, 1);
    if (!rows)
        return error_oom(err);
    for (size_t i = 0; i < count; i++)
        if (exec_matches_pattern(st, values[i]))
            rowset_str(rows, values[i]);
    return rowset_stream(rows, &out->stream, err);
}

enum status exec_show_schemas(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                              struct error *err)
{
    struct str *schemas = NULL;
    size_t count = 0;
    enum status status = catalog_check_lake(s->lake->catalog, err);
    if (status == STATUS_OK)
        status = catalog_list_schemas(ctx, s->lake->catalog, arena, &schemas, &count, err);
    return status == STATUS_OK ? one_text_column("namespace", schemas, count, st, out, err) : status;
}

enum status exec_show_catalogs(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                               struct error *err)
{
    (void)ctx, (void)s, (void)arena;
    struct str name = STR(CATALOG_NAME);
    return one_text_column("catalog", &name, 1, st, out, err);
}

enum status exec_show_current(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                              struct error *err)
{
    (void)ctx, (void)arena, (void)st;
    static const struct rowset_column columns[] = {{"catalog", "u"}, {"namespace", "u"}};
    struct rowset *rows = rowset_new(columns, VV_ARRAY_COUNT(columns));
    if (!rows)
        return error_oom(err);
    rowset_str(rows, STR(CATALOG_NAME));
    rowset_str(rows, str_of(s->schema));
    return rowset_stream(rows, &out->stream, err);
}

enum status exec_show_columns(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                              struct error *err)
{
    struct catalog_table table = {0};
    struct delta_snapshot *snapshot = NULL;
    enum status status = exec_open_named(ctx, s, &st->name, &table, &snapshot, err);
    if (status != STATUS_OK)
        return status;
    const struct delta_type *schema = delta_snapshot_schema(snapshot);
    struct str *names = ARENA_ARRAY(arena, struct str, schema->field_count + 1);
    for (uint32_t i = 0; names && i < schema->field_count; i++)
        names[i] = schema->fields[i].name;
    status = names ? one_text_column("col_name", names, schema->field_count, st, out, err) : error_oom(err);
    delta_snapshot_unref(snapshot);
    catalog_table_release(&table);
    return status;
}

enum status exec_show_tblproperties(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                    struct error *err)
{
    (void)arena;
    static const struct rowset_column columns[] = {{"key", "u"}, {"value", "u"}};
    struct catalog_table table = {0};
    struct delta_snapshot *snapshot = NULL;
    enum status status = exec_open_named(ctx, s, &st->name, &table, &snapshot, err);
    if (status != STATUS_OK)
        return status;
    const struct delta_metadata *m = delta_snapshot_metadata(snapshot);
    struct str only = st->property_count ? st->properties[0].key : STR_NULL;
    struct rowset *rows = rowset_new(columns, VV_ARRAY_COUNT(columns));
    for (uint32_t i = 0; rows && i < m->configuration_count; i++) {
        if (only.ptr && !str_eq(only, m->configuration[i].key))
            continue;
        rowset_str(rows, m->configuration[i].key);
        rowset_str(rows, m->configuration[i].value);
    }
    status = rows ? rowset_stream(rows, &out->stream, err) : error_oom(err);
    delta_snapshot_unref(snapshot);
    catalog_table_release(&table);
    return status;
}
