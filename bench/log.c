/* bench/log.c: reading the log (S1 to S7). */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* The columns that a snapshot is made of, in the newest checkpoint; NULL: the table has none. */
static char *checkpoint_scan(const char *dir)
{
    char path[4096];
    snprintf(path, sizeof(path), "%s/_delta_log/_last_checkpoint", dir);
    if (access(path, R_OK) != 0)
        return NULL;
    char *sql = NULL;
    if (asprintf(&sql,
                 "SELECT \"add\".path, \"add\".size, \"add\".modificationTime, \"add\".partitionValues FROM "
                 "read_parquet('%s/_delta_log/*.checkpoint.parquet') WHERE \"add\".path IS NOT NULL",
                 dir) < 0)
        exit(1);
    return sql;
}

void bench_open(const char *dir, int rounds)
{
    struct place p;
    duckdb_database database;
    duckdb_connection duck;
    char *sql = checkpoint_scan(dir);
    int64_t *ours = calloc((size_t)rounds, sizeof(*ours)), *bare = calloc((size_t)rounds, sizeof(*bare)), *cpu = calloc((size_t)rounds, sizeof(*cpu));
    int64_t files = 0;
    place_open(&p, dir, false);
    duckdb_open(NULL, &database);
    duckdb_connect(database, &duck);
    for (int i = -1; i < rounds; i++) {
        int64_t bare_us = sql ? bare_scan(duck, sql) : 0, used = cpu_us(), start = now_us();
        struct delta_table *table = table_open(&p);
        struct delta_snapshot *snapshot = latest(&p, table);
        int64_t us = now_us() - start;
        used = cpu_us() - used;
        files = delta_snapshot_file_count(snapshot);
        delta_snapshot_unref(snapshot);
        delta_table_unref(table);
        if (i >= 0) {
            ours[i] = us;
            bare[i] = bare_us;
            cpu[i] = used;
        }
    }
    print_times("varve snapshot", ours, rounds);
    print_times("varve snapshot, processors", cpu, rounds);
    if (sql)
        print_times("engine bare scan", bare, rounds);
    printf("{\"what\":\"files\",\"count\":%lld,\"peak_rss_bytes\":%lld}\n", (long long)files, (long long)peak_rss_bytes());
    free(sql);
    duckdb_disconnect(&duck);
    duckdb_close(&database);
    place_close(&p);
}

/* ---- S4 ---------------------------------------------------------------------------------------------- */

void bench_refresh(const char *dir, int commits)
{
    struct place p;
    struct error err = ERROR_INIT;
    struct buf line = BUF_INIT;
    char key[64];
    int64_t *us = calloc((size_t)commits, sizeof(*us)), first = 0;
    place_open(&p, dir, false);
    struct delta_table *table = table_open(&p);
    struct delta_snapshot *snapshot = latest(&p, table);
    int64_t version = delta_snapshot_version(snapshot), files = delta_snapshot_file_count(snapshot);
    delta_snapshot_unref(snapshot);
    for (int i = -1; i < commits; i++) {
        buf_clear(&line);
        buf_printf(&line,
                   "{\"add\":{\"path\":\"part-refresh-%lld.parquet\",\"partitionValues\":{},\"size\":1000,\"modificationTime\":1700000000000,"
                   "\"dataChange\":true,"
                   "\"stats\":\"{\\\"numRecords\\\":100}\"}}\n",
                   (long long)version + i);
        snprintf(key, sizeof(key), "_delta_log/%020lld.json", (long long)version + i + 2);
        if (store_put(p.store, &p.ctx, str_of(key), line.ptr, line.len, &err) != STORE_OK)
            die(&err);
        int64_t start = now_us();
        snapshot = latest(&p, table);
        if (i < 0)
            first = now_us() - start;
        else
            us[i] = now_us() - start;
        if (delta_snapshot_file_count(snapshot) != ++files)
            fprintf(stderr, "bench: the refresh missed a commit\n");
        delta_snapshot_unref(snapshot);
    }
    for (int i = -1; i < commits; i++) {
        snprintf(key, sizeof(key), "_delta_log/%020lld.json", (long long)version + i + 2);
        if (store_remove(p.store, &p.ctx, str_of(key), &err) != STORE_OK)
            die(&err);
    }
    printf("{\"what\":\"first refresh\",\"us\":%lld}\n", (long long)first);
    print_times("varve refresh", us, commits);
    delta_table_unref(table);
    place_close(&p);
}

/* ---- S2 ------------------------------------------------------------------------------------------------- */

/* A range on every column that statistics can be about, which no file fails: all typed bounds are made, none excludes anything. */
static const struct delta_pred *range_on_all(struct arena *arena, const struct delta_type *schema)
{
    struct delta_pred *all = ARENA_ARRAY(arena, struct delta_pred, 1);
    struct delta_pred **children = ARENA_ARRAY(arena, struct delta_pred *, schema->field_count);
    uint32_t count = 0;
    for (uint32_t i = 0; i < schema->field_count && count < 32; i++) {
        const struct delta_type *type = schema->fields[i].type;
        struct delta_value *value = ARENA_ARRAY(arena, struct delta_value, 1);
        struct delta_pred *one = ARENA_ARRAY(arena, struct delta_pred, 1);
        *value = (struct delta_value){.type = type->id, .i64 = INT64_MIN + 1, .f64 = -1e308, .str = STR("")};
        *one = (struct delta_pred){.op = DELTA_PRED_GE, .column = &schema->fields[i].name, .column_depth = 1, .values = value, .value_count = 1};
        children[count++] = one;
    }
    *all = (struct delta_pred){.op = DELTA_PRED_AND, .children = children, .child_count = count};
    return all;
}

void bench_statistics(const char *dir, int rounds)
{
    struct place p;
    struct error err = ERROR_INIT;
    struct arena arena = ARENA_INIT;
    int64_t *us = calloc((size_t)rounds, sizeof(*us)), *again = calloc((size_t)rounds, sizeof(*again)), *open = calloc((size_t)rounds, sizeof(*open)),
            *cpu = calloc((size_t)rounds, sizeof(*cpu));
    place_open(&p, dir, false);
    for (int i = -1; i < rounds; i++) {
        struct delta_file_list files;
        int64_t begin = now_us();
        struct delta_table *table = table_open(&p);
        struct delta_snapshot *snapshot = latest(&p, table);
        if (i >= 0)
            open[i] = now_us() - begin;
        const struct delta_pred *pred = range_on_all(&arena, delta_snapshot_schema(snapshot));
        for (int pass = 0; pass < 2; pass++) {
            int64_t used = cpu_us(), start = now_us();
            if (delta_scan(&p.ctx, snapshot, pred, false, &files, &err) != STATUS_OK)
                die(&err);
            if (i >= 0)
                (pass ? again : us)[i] = now_us() - start;
            if (i >= 0 && !pass)
                cpu[i] = cpu_us() - used;
            delta_file_list_release(&files);
        }
        delta_snapshot_unref(snapshot);
        delta_table_unref(table);
    }
    print_times("varve open", open, rounds);
    print_times("varve statistics", us, rounds);
    print_times("varve statistics, processors", cpu, rounds);
    print_times("varve prune", again, rounds);
    arena_release(&arena);
    place_close(&p);
}

/* ---- S7 ------------------------------------------------------------------------------------------------- */

void bench_travel(const char *dir, int64_t version, int rounds)
{
    struct place p;
    struct error err = ERROR_INIT;
    int64_t *now = calloc((size_t)rounds, sizeof(*now)), *then = calloc((size_t)rounds, sizeof(*then));
    place_open(&p, dir, false);
    for (int i = -1; i < rounds; i++) {
        struct delta_snapshot *snapshot = NULL;
        struct delta_table *table = table_open(&p);
        int64_t start = now_us();
        snapshot = latest(&p, table);
        int64_t middle = now_us();
        delta_snapshot_unref(snapshot);
        delta_table_unref(table);
        table = table_open(&p);
        int64_t again = now_us();
        if (delta_snapshot_at_version(&p.ctx, table, version, &snapshot, &err) != STATUS_OK)
            die(&err);
        if (i >= 0) {
            now[i] = middle - start;
            then[i] = now_us() - again;
        }
        delta_snapshot_unref(snapshot);
        delta_table_unref(table);
    }
    print_times("varve latest", now, rounds);
    print_times("varve version", then, rounds);
    place_close(&p);
}
