/* delta/log_testing.h: a table in a memory store for the tests of this room.
 *
 * Its handler stands in for the engine: "Parquet" files are the lines of actions themselves, so that what is written
 * as a checkpoint can be read back without a Parquet library. */
#ifndef VARVE_DELTA_LOG_TESTING_H
#define VARVE_DELTA_LOG_TESTING_H

#include "delta/delta_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#define SCHEMA_JSON                                                                                                                                  \
    "{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[{\\\"name\\\":\\\"id\\\",\\\"type\\\":\\\"long\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}},{"   \
    "\\\"name\\\":\\\"d\\\",\\\"type\\\":\\\"string\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}]}"
#define METADATA_LINE(COLUMNS, CONFIGURATION)                                                                                                        \
    "{\"metaData\":{\"id\":\"t1\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"" SCHEMA_JSON                              \
    "\",\"partitionColumns\":[" COLUMNS "],\"configuration\":{" CONFIGURATION "},\"createdTime\":1}}\n"
#define PROTOCOL_LINE "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
#define FIRST_COMMIT PROTOCOL_LINE METADATA_LINE("", "")

struct lines_handler {
    struct delta_handler base;
    struct store *store;
    size_t batch_rows;
    uint64_t calls;    /* of read_adds, read_others, read_adds_raw */
    bool reverse_rows; /* read_adds hands rows out in the other order */
    size_t skip_rows;  /* read_adds leaves out the last rows */
    bool fail_write;
};

struct fixture {
    struct ctx ctx;
    int64_t now_us;
    struct clock clock;
    struct store *memory, *store; /* store: fault-injecting, over memory */
    struct lines_handler handler;
    struct delta_table *table;
    FILE *log_file;
};

static inline int64_t fixture_now(void *self) { return *(int64_t *)self; }

static inline void expect_ok(enum status status, struct error *err)
{
    if (status != STATUS_OK)
        print_error("%s: %s (%s) %s\n", status_info(status)->name, err->message ? err->message : "", err->detail ? err->detail : "",
                    err->context ? err->context : "");
    assert_int_equal(status, STATUS_OK);
}

/* ---- the handler ------------------------------------------------------------------------------ */

static inline bool parse_located(struct lines_handler *h, struct ctx *ctx, struct str located, struct delta_commit *out, struct error *err)
{
    struct buf text = BUF_INIT;
    const size_t skip = sizeof "memory:/" - 1;
    struct str key = str_sub(located, skip, located.len - skip);
    if (store_read(h->store, ctx, key, &text, err) != STORE_OK) {
        if (err && err->code == STATUS_OK)
            error_set(err, STATUS_FILE_NOT_FOUND, "no object \"%.*s\"", STR_ARG(key));
        buf_release(&text);
        return false;
    }
    return delta_commit_parse(&text, 0, key, out, err) == STATUS_OK;
}

struct column_copy {
    struct str *path, *dv_storage, *dv_path, *stats, **partition;
    int64_t *size, *modified, *dv_offset, *dv_size, *dv_cardinality, *base_row_id, *row_version;
};

static inline void fill_row(struct column_copy *c, size_t at, const struct delta_action_add *add, const struct str *columns, size_t column_count)
{
    c->path[at] = add->path;
    c->size[at] = add->size_bytes;
    c->modified[at] = add->modified_ms;
    c->stats[at] = add->stats;
    c->dv_storage[at] = add->has_dv ? add->dv.storage : STR_NULL;
    c->dv_path[at] = add->has_dv ? add->dv.path : STR_NULL;
    c->dv_offset[at] = add->has_dv ? add->dv.offset : -1;
    c->dv_size[at] = add->dv.size_bytes;
    c->dv_cardinality[at] = add->dv.cardinality;
    c->base_row_id[at] = add->base_row_id;
    c->row_version[at] = add->row_commit_version;
    for (size_t p = 0; p < column_count; p++) {
        c->partition[p][at] = STR_NULL;
        for (uint32_t i = 0; i < add->partition_value_count; i++)
            if (str_eq(add->partition_values[i].key, columns[p]))
                c->partition[p][at] = add->partition_values[i].value;
    }
}

static inline enum status lines_read_adds(struct delta_handler *self, struct ctx *ctx, const struct str *paths, size_t path_count,
                                          const struct str *columns, size_t column_count, unsigned wanted,
                                          bool (*batch)(void *, size_t, const struct delta_checkpoint_batch *, struct error *), void *user,
                                          struct error *err)
{
    struct lines_handler *h = (struct lines_handler *)self;
    h->calls++;
    for (size_t part = 0; part < path_count; part++) {
        struct delta_commit rows;
        if (!parse_located(h, ctx, paths[part], &rows, err))
            return err->code;
        size_t total = rows.add_count > h->skip_rows ? rows.add_count - h->skip_rows : 0;
        bool ok = true;
        for (size_t from = 0; ok && from < total; from += h->batch_rows) {
            size_t n = total - from < h->batch_rows ? total - from : h->batch_rows;
            struct arena arena = ARENA_INIT;
            struct column_copy c = {ARENA_ARRAY(&arena, struct str, n),
                                    ARENA_ARRAY(&arena, struct str, n),
                                    ARENA_ARRAY(&arena, struct str, n),
                                    ARENA_ARRAY(&arena, struct str, n),
                                    ARENA_ARRAY(&arena, struct str *, column_count),
                                    ARENA_ARRAY(&arena, int64_t, n),
                                    ARENA_ARRAY(&arena, int64_t, n),
                                    ARENA_ARRAY(&arena, int64_t, n),
                                    ARENA_ARRAY(&arena, int64_t, n),
                                    ARENA_ARRAY(&arena, int64_t, n),
                                    ARENA_ARRAY(&arena, int64_t, n),
                                    ARENA_ARRAY(&arena, int64_t, n)};
            ok = c.dv_cardinality && c.row_version && c.partition && c.path;
            for (size_t p = 0; ok && p < column_count; p++)
                ok = (c.partition[p] = ARENA_ARRAY(&arena, struct str, n)) != NULL;
            if (!ok)
                error_oom(err);
            for (size_t i = 0; ok && i < n; i++) {
                size_t row = h->reverse_rows ? total - 1 - (from + i) : from + i;
                fill_row(&c, i, &rows.adds[row], columns, column_count);
            }
            struct delta_checkpoint_batch b = {n,
                                               c.path,
                                               c.size,
                                               c.modified,
                                               (const struct str *const *)c.partition,
                                               c.dv_storage,
                                               c.dv_path,
                                               c.dv_offset,
                                               c.dv_size,
                                               c.dv_cardinality,
                                               wanted & DELTA_READ_STATS ? c.stats : NULL,
                                               wanted & DELTA_READ_ROW_IDS ? c.base_row_id : NULL,
                                               wanted & DELTA_READ_ROW_IDS ? c.row_version : NULL,
                                               NULL,
                                               part,
                                               (int64_t)from};
            ok = ok && batch(user, part, &b, err);
            arena_release(&arena);
        }
        delta_commit_release(&rows);
        if (!ok)
            return err->code;
    }
    return STATUS_OK;
}

struct stats_reading {
    bool (*batch)(void *, const struct delta_stats_batch *);
    void *user;
};

static inline bool pass_stats(void *user, size_t part_index, const struct delta_checkpoint_batch *b, struct error *err)
{
    struct stats_reading *r = user;
    struct delta_stats_batch batch = {part_index, b->rows, b->first_row, b->size_bytes, b->stats};
    return r->batch(r->user, &batch) || (error_set(err, STATUS_CANCELLED, "stopped"), false);
}

static inline enum status lines_read_stats(struct delta_handler *self, struct ctx *ctx, const struct str *paths, size_t path_count,
                                           bool (*batch)(void *, const struct delta_stats_batch *), void *user, struct error *err)
{
    struct stats_reading r = {batch, user};
    return lines_read_adds(self, ctx, paths, path_count, NULL, 0, DELTA_READ_STATS, pass_stats, &r, err);
}

/* Hands the lines that hold (or do not hold) an add to a callback. */
static inline enum status lines_read(struct delta_handler *self, struct ctx *ctx, const struct str *paths, size_t path_count, bool adds, bool removes,
                                     bool (*row)(void *, struct str, struct error *), void *user, struct error *err)
{
    struct lines_handler *h = (struct lines_handler *)self;
    h->calls++;
    for (size_t part = 0; part < path_count; part++) {
        struct delta_commit rows;
        if (!parse_located(h, ctx, paths[part], &rows, err))
            return err->code;
        struct str rest = buf_view(&rows.text);
        bool ok = true;
        while (ok && rest.len) {
            const char *end = memchr(rest.ptr, '\n', rest.len);
            struct str line = str_sub(rest, 0, end ? (size_t)(end - rest.ptr) : rest.len);
            bool is_add = str_starts(line, STR("{\"add\"")), is_remove = str_starts(line, STR("{\"remove\""));
            if (line.len && is_add == adds && (removes || !is_remove))
                ok = row(user, line, err);
            size_t step = line.len + (end != NULL);
            rest = str_sub(rest, step, rest.len - step);
        }
        delta_commit_release(&rows);
        if (!ok)
            return err->code;
    }
    return STATUS_OK;
}

static inline enum status lines_read_others(struct delta_handler *self, struct ctx *ctx, const struct str *paths, size_t path_count,
                                            bool want_removes, bool (*action)(void *, struct str, struct error *), void *user, struct error *err)
{
    return lines_read(self, ctx, paths, path_count, false, want_removes, action, user, err);
}

struct raw_add {
    bool (*add)(void *, size_t, struct str, struct error *);
    void *user;
};

static inline bool pass_raw_add(void *user, struct str json, struct error *err)
{
    struct raw_add *r = user;
    return r->add(r->user, 0, json, err);
}

static inline enum status lines_read_adds_raw(struct delta_handler *self, struct ctx *ctx, const struct str *paths, size_t path_count,
                                              bool (*add)(void *, size_t, struct str, struct error *), void *user, struct error *err)
{
    struct raw_add r = {add, user};
    return lines_read(self, ctx, paths, path_count, true, false, pass_raw_add, &r, err);
}

static inline enum status lines_write_checkpoint(struct delta_handler *self, struct ctx *ctx, struct str actions, struct str path,
                                                 const struct delta_checkpoint_shape *shape, struct error *err)
{
    struct lines_handler *h = (struct lines_handler *)self;
    if (h->fail_write)
        return error_set(err, STATUS_STORE_FULL, "no room for the checkpoint");
    FILE *from = fopen(actions.ptr, "r"), *to = fopen(path.ptr, "w");
    enum status status = from && to ? STATUS_OK : error_set(err, STATUS_STORE_IO, "cannot open the spool");
    for (int c; status == STATUS_OK && (c = fgetc(from)) != EOF;)
        fputc(c, to);
    if (from)
        fclose(from);
    if (to)
        fclose(to);
    return status;
}

/* ---- the table ---------------------------------------------------------------------------------- */

static inline int64_t monotonic_zero(void *self) { return 0; }

static inline void fixture_open(struct fixture *f)
{
    struct error err = ERROR_INIT;
    *f = (struct fixture){.now_us = INT64_C(1700000000000000)};
    ctx_init(&f->ctx);
    f->clock = (struct clock){fixture_now, monotonic_zero, &f->now_us};
    f->ctx.clock = &f->clock;
    f->log_file = tmpfile();
    assert_non_null(f->log_file);
    f->ctx.log = log_open_fd(fileno(f->log_file), LOG_WARN);
    expect_ok(store_open_memory(&f->memory, &err), &err);
    expect_ok(store_open_fault(f->memory, &f->store, &err), &err);
    f->handler = (struct lines_handler){.base = {lines_read_adds, lines_read_others, lines_write_checkpoint, lines_read_adds_raw, lines_read_stats},
                                        .store = f->memory,
                                        .batch_rows = 7};
    expect_ok(delta_table_open(&f->ctx, f->store, &f->handler.base, STR("sales"), &f->table, &err), &err);
}

static inline void fixture_close(struct fixture *f)
{
    delta_table_unref(f->table);
    store_unref(f->store);
    store_unref(f->memory);
    log_free(f->ctx.log);
    fclose(f->log_file);
}

/* The same log opened by somebody who knows nothing yet. */
static inline struct delta_table *fixture_other(struct fixture *f)
{
    struct error err = ERROR_INIT;
    struct delta_table *t;
    expect_ok(delta_table_open(&f->ctx, f->memory, &f->handler.base, STR("sales"), &t, &err), &err);
    return t;
}

static inline void put_key(struct fixture *f, const char *key, const char *text)
{
    struct error err = ERROR_INIT;
    assert_int_equal(store_put(f->memory, &f->ctx, str_of(key), text, strlen(text), &err), STORE_OK);
}

static inline void put_log(struct fixture *f, int64_t version, const char *suffix, const char *text)
{
    char key[160];
    snprintf(key, sizeof key, "_delta_log/%020lld%s", (long long)version, suffix);
    put_key(f, key, text);
    f->now_us += 1000000; /* a second between files */
}

static inline void put_commit(struct fixture *f, int64_t version, const char *text) { put_log(f, version, ".json", text); }

static inline void remove_log(struct fixture *f, int64_t version, const char *suffix)
{
    char key[160];
    snprintf(key, sizeof key, "_delta_log/%020lld%s", (long long)version, suffix);
    assert_int_equal(store_remove(f->memory, &f->ctx, str_of(key), NULL), STORE_OK);
}

static inline bool has_log(struct fixture *f, int64_t version, const char *suffix)
{
    char key[160];
    struct store_entry entry;
    snprintf(key, sizeof key, "_delta_log/%020lld%s", (long long)version, suffix);
    return store_stat(f->memory, &f->ctx, str_of(key), &entry, NULL) == STORE_OK;
}

static inline bool logged(struct fixture *f, const char *what)
{
    char text[8192];
    fflush(f->log_file);
    rewind(f->log_file);
    size_t n = fread(text, 1, sizeof text - 1, f->log_file);
    text[n] = 0;
    return strstr(text, what) != NULL;
}

static inline struct delta_snapshot *latest_of(struct fixture *f, struct delta_table *t)
{
    struct error err = ERROR_INIT;
    struct delta_snapshot *s = NULL;
    expect_ok(delta_snapshot_latest(&f->ctx, t, &s, &err), &err);
    return s;
}

static inline struct delta_snapshot *latest(struct fixture *f) { return latest_of(f, f->table); }

/* Opens from scratch, expecting failure; the error is left in *err. */
static inline enum status open_fails(struct fixture *f, struct error *err)
{
    struct delta_table *t = fixture_other(f);
    struct delta_snapshot *s = NULL;
    *err = ERROR_INIT;
    enum status status = delta_snapshot_latest(&f->ctx, t, &s, err);
    assert_null(s);
    assert_int_not_equal(status, STATUS_OK);
    assert_int_equal(status, err->code);
    delta_table_unref(t);
    return status;
}

static inline int compare_texts(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

/* The live paths, sorted and joined by blanks; mem_free it. */
static inline char *live_paths(const struct delta_snapshot *s)
{
    struct buf out = BUF_INIT;
    size_t count = 0, at = 0;
    for (size_t i = 0; i < s->layer_count; i++)
        count += s->layers[i].segment->count;
    char **paths = calloc(count + 1, sizeof *paths);
    for (size_t i = 0; i < s->layer_count; i++)
        for (size_t row = 0; row < s->layers[i].segment->count; row++)
            if (!delta_layer_dead(&s->layers[i], row))
                paths[at++] = mem_strndup(s->layers[i].segment->paths[row].ptr, s->layers[i].segment->paths[row].len);
    assert_int_equal(at, s->file_count);
    qsort(paths, at, sizeof *paths, compare_texts);
    for (size_t i = 0; i < at; i++) {
        if (i)
            buf_char(&out, ' ');
        buf_z(&out, paths[i]);
        mem_free(paths[i]);
    }
    free(paths);
    return buf_detach(&out);
}

static inline void expect_paths(const struct delta_snapshot *s, const char *expected)
{
    char *paths = live_paths(s);
    assert_string_equal(paths, expected);
    mem_free(paths);
}

#define ADD(PATH, SIZE)                                                                                                                              \
    "{\"add\":{\"path\":\"" PATH "\",\"partitionValues\":{},\"size\":" #SIZE                                                                         \
    ",\"modificationTime\":5,\"dataChange\":true,\"stats\":\"{\\\"numRecords\\\":" #SIZE "}\"}}\n"
#define REMOVE(PATH) "{\"remove\":{\"path\":\"" PATH "\",\"deletionTimestamp\":1700000000000,\"dataChange\":true}}\n"
#define DV(ID) "\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":\"" ID "\",\"offset\":1,\"sizeInBytes\":36,\"cardinality\":2}"
#define ADD_DV(PATH, SIZE, ID)                                                                                                                       \
    "{\"add\":{\"path\":\"" PATH "\",\"partitionValues\":{},\"size\":" #SIZE ",\"modificationTime\":5,\"dataChange\":true," DV(ID) "}}\n"
#define REMOVE_DV(PATH, ID) "{\"remove\":{\"path\":\"" PATH "\",\"deletionTimestamp\":1700000000000,\"dataChange\":true," DV(ID) "}}\n"

#endif
