/* engine/table_fixture.h: files written and read back as a table without a log, for the tests of this room. */
#ifndef VARVE_TABLE_FIXTURE_H
#define VARVE_TABLE_FIXTURE_H

#include "engine/engine_fixture.h"

/* Files of a pretended table: what a snapshot would list. */
struct pretended {
    struct fixture *f;
    struct store *store;
    const struct delta_type *schema;
    struct str partition_columns[4];
    uint32_t partition_count;
    enum delta_mapping mapping;
    const struct delta_row_columns *row_columns;
    struct delta_file files[4096];
    size_t file_count;
};

static inline struct pretended *pretend(struct fixture *f, const char *name, const char *schema, const char *partition)
{
    struct pretended *t = arena_alloc(&f->arena, sizeof(*t));
    char *path = arena_printf(&f->arena, "%s/%s", f->directory, name);
    t->f = f;
    t->schema = schema_of(f, schema);
    OK(f, store_open_local(&f->ctx, str_of(path), (struct store_local_options){0}, &t->store, &f->err));
    if (partition) {
        char *list = arena_printf(&f->arena, "%s", partition);
        for (char *save, *p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save))
            t->partition_columns[t->partition_count++] = str_of(p);
    }
    return t;
}

/* Maps the table's columns by their field ids 1, 2, 3… and the physical names "c1", "c2", "c3"…, which are given in the order of fields, outer
 * ones first. */
static inline void map_fields(struct pretended *t, struct delta_type *type, int *last)
{
    if (type->key)
        map_fields(t, type->key, last);
    if (type->element)
        map_fields(t, type->element, last);
    for (uint32_t i = 0; type->id == DELTA_STRUCT && i < type->field_count; i++) {
        struct delta_property *p = ARENA_ARRAY(&t->f->arena, struct delta_property, 2);
        char *id = arena_printf(&t->f->arena, "%d", ++*last), *name = arena_printf(&t->f->arena, "c%d", *last);
        p[0] = (struct delta_property){.key = STR("delta.columnMapping.id"), .value = str_of(id)};
        assert_true(delta_property_text(&t->f->arena, STR("delta.columnMapping.physicalName"), str_of(name), &p[1]));
        type->fields[i].metadata = p;
        type->fields[i].metadata_count = 2;
        map_fields(t, type->fields[i].type, last);
    }
}

static inline void map_columns(struct pretended *t, enum delta_mapping mapping)
{
    int last = 0;
    t->mapping = mapping;
    map_fields(t, (struct delta_type *)(uintptr_t)t->schema, &last);
}

static inline void pretended_free(struct pretended *t) { store_unref(t->store); }

static inline void add_file(struct pretended *t, struct str path, int64_t size, const struct str *partition_values)
{
    struct fixture *f = t->f;
    struct buf encoded = BUF_INIT;
    struct str *values = ARENA_ARRAY(&f->arena, struct str, t->partition_count + 1);
    uri_encode_path(&encoded, path);
    for (uint32_t i = 0; i < t->partition_count; i++)
        values[i] = partition_values[i].ptr ? arena_str(&f->arena, partition_values[i]) : STR_NULL;
    t->files[t->file_count++] = (struct delta_file){.path = arena_str(&f->arena, buf_view(&encoded)), .size_bytes = size, .partition_values = values};
    buf_release(&encoded);
}

static inline enum status write_rows(struct pretended *t, const char *select, struct engine_write *options, struct engine_written *out)
{
    struct engine_write w = options ? *options : (struct engine_write){0};
    w.table_name = STR("t");
    w.select = str_of(select);
    w.schema = t->schema;
    w.partition_columns = t->partition_columns;
    w.partition_column_count = t->partition_count;
    w.mapping = t->mapping;
    w.store = t->store;
    return engine_write_files(&t->f->ctx, t->f->engine, &w, out, &t->f->err);
}

/* Writes and takes the files into the table. */
static inline void append(struct pretended *t, const char *select)
{
    struct fixture *f = t->f;
    struct engine_written w;
    OK(f, write_rows(t, select, NULL, &w));
    for (size_t i = 0; i < w.file_count; i++)
        add_file(t, w.files[i].path, w.files[i].size_bytes, w.files[i].partition_values);
    engine_written_release(&w);
}

/* A foreign writer's file: made by DuckDB directly. */
static inline void append_foreign(struct pretended *t, const char *name, const char *select, const struct str *partition_values)
{
    struct fixture *f = t->f;
    struct store_entry entry;
    struct buf path = BUF_INIT;
    store_prepare(t->store, &f->ctx, STR(""), &f->err);
    store_locate(t->store, str_of(name), &path);
    run_sql(f, arena_printf(&f->arena, "COPY (%s) TO '%s' (FORMAT parquet)", select, path.ptr));
    assert_int_equal(store_stat(t->store, &f->ctx, str_of(name), &entry, &f->err), STORE_OK);
    add_file(t, str_of(name), entry.size_bytes, partition_values);
    buf_release(&path);
}

static inline enum status scan_text(struct pretended *t, struct buf *sql, struct engine_hold **hold)
{
    struct engine_scan scan = {.table_name = STR("t"),
                               .schema = t->schema,
                               .partition_columns = t->partition_columns,
                               .partition_column_count = t->partition_count,
                               .mapping = t->mapping,
                               .store = t->store,
                               .files = t->files,
                               .file_count = t->file_count,
                               .row_columns = t->row_columns};
    return engine_scan_sql(&t->f->ctx, t->f->engine, &scan, sql, hold, &t->f->err);
}

/* `query` with %s for the relation; the first column's rows. */
static inline const char *query_table(struct pretended *t, const char *before, const char *after)
{
    struct fixture *f = t->f;
    struct buf sql = BUF_INIT;
    struct engine_hold *hold;
    buf_z(&sql, before);
    OK(f, scan_text(t, &sql, &hold));
    buf_z(&sql, " AS t ");
    buf_z(&sql, after);
    const char *out = ask(f, buf_view(&sql));
    engine_hold_free(hold);
    buf_release(&sql);
    return out;
}

static inline const char *relation_of(struct pretended *t)
{
    struct fixture *f = t->f;
    struct buf sql = BUF_INIT;
    struct engine_hold *hold;
    OK(f, scan_text(t, &sql, &hold));
    const char *out = arena_str(&f->arena, buf_view(&sql)).ptr;
    engine_hold_free(hold);
    buf_release(&sql);
    return out;
}

#endif
