/* bench/bench.c: what the goals measure inside one process: the product beside the engine alone, interleaved.
 *
 *   bench open DIR ROUNDS            S1: snapshot of a table, beside the engine's bare scan of the same checkpoint
 *   bench refresh DIR COMMITS        S4: one commit appended, then the snapshot refreshed
 *   bench append DIR COMMITS DURABLE W1: INSERT of 100 rows x 23 columns, one commit each
 *   bench floor DIR COMMITS          the durable put-if-absent alone, with two files a commit (data, log)
 *   bench copy FILE SELECT           W6: the engine's COPY of the rows to one file
 *   bench query LAKE TABLE ROUNDS    Q1: queries on a table, beside read_parquet over the same files
 *
 * Prints one JSON object a line.
 */
#include "varve/varve.h"

#include "base/base.h"
#include "delta/delta.h"
#include "engine/engine.h"

#include <duckdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int die(struct error *err)
{
    fprintf(stderr, "bench: %s%s%s\n", err->message, err->context ? "\n  " : "", err->context ? err->context : "");
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

static void print_times(const char *what, int64_t *us, int count)
{
    qsort(us, (size_t)count, sizeof(*us), by_value);
    printf("{\"what\":\"%s\",\"runs\":%d,\"min_us\":%lld,\"median_us\":%lld,\"p99_us\":%lld,\"max_us\":%lld}\n", what, count, (long long)us[0],
           (long long)us[count / 2], (long long)us[(count - 1) * 99 / 100], (long long)us[count - 1]);
    fflush(stdout);
}

/* ---- a table opened without a catalog ------------------------------------------------------- */

struct place {
    struct ctx ctx;
    struct engine *engine;
    struct store *store;
};

static void place_open(struct place *p, const char *dir, bool durable)
{
    struct error err = ERROR_INIT;
    struct engine_config config = {0};
    ctx_init(&p->ctx);
    if (engine_open(&p->ctx, &config, &p->engine, &err) != STATUS_OK ||
        store_open_local(&p->ctx, str_of(dir), (struct store_local_options){.durable = durable}, &p->store, &err) != STATUS_OK)
        die(&err);
}

static struct delta_table *table_open(struct place *p)
{
    struct error err = ERROR_INIT;
    struct delta_table *table = NULL;
    if (delta_table_open(&p->ctx, p->store, engine_delta_handler(p->engine), STR("bench"), &table, &err) != STATUS_OK)
        die(&err);
    return table;
}

static struct delta_snapshot *latest(struct place *p, struct delta_table *table)
{
    struct error err = ERROR_INIT;
    struct delta_snapshot *snapshot = NULL;
    if (delta_snapshot_latest(&p->ctx, table, &snapshot, &err) != STATUS_OK)
        die(&err);
    return snapshot;
}

/* ---- S1 --------------------------------------------------------------------------------------------- */

/* The engine alone: the same columns, every chunk fetched, nothing kept. */
static int64_t bare_scan(duckdb_connection duck, const char *sql)
{
    duckdb_prepared_statement statement = NULL;
    duckdb_pending_result pending = NULL;
    duckdb_result result;
    int64_t start = now_us();
    if (duckdb_prepare(duck, sql, &statement) || duckdb_pending_prepared_streaming(statement, &pending) || duckdb_execute_pending(pending, &result)) {
        fprintf(stderr, "bench: the bare scan failed\n");
        exit(1);
    }
    for (duckdb_data_chunk chunk; (chunk = duckdb_fetch_chunk(result));)
        duckdb_destroy_data_chunk(&chunk);
    int64_t us = now_us() - start;
    duckdb_destroy_result(&result);
    duckdb_destroy_pending(&pending);
    duckdb_destroy_prepare(&statement);
    return us;
}

static void bench_open(const char *dir, int rounds)
{
    struct place p;
    duckdb_database database;
    duckdb_connection duck;
    char sql[4096];
    int64_t *ours = calloc((size_t)rounds, sizeof(*ours)), *bare = calloc((size_t)rounds, sizeof(*bare));
    int64_t files = 0;
    place_open(&p, dir, false);
    duckdb_open(NULL, &database);
    duckdb_connect(database, &duck);
    snprintf(sql, sizeof(sql),
             "SELECT \"add\".path, \"add\".size, \"add\".modificationTime, \"add\".partitionValues FROM "
             "read_parquet('%s/_delta_log/*.checkpoint.parquet') "
             "WHERE \"add\".path IS NOT NULL",
             dir);
    for (int i = -1; i < rounds; i++) {
        int64_t bare_us = bare_scan(duck, sql), start = now_us();
        struct delta_table *table = table_open(&p);
        struct delta_snapshot *snapshot = latest(&p, table);
        int64_t us = now_us() - start;
        files = delta_snapshot_file_count(snapshot);
        delta_snapshot_unref(snapshot);
        delta_table_unref(table);
        if (i >= 0) {
            ours[i] = us;
            bare[i] = bare_us;
        }
    }
    print_times("varve snapshot", ours, rounds);
    print_times("engine bare scan", bare, rounds);
    printf("{\"what\":\"files\",\"count\":%lld}\n", (long long)files);
    duckdb_disconnect(&duck);
    duckdb_close(&database);
    store_unref(p.store);
    engine_close(p.engine);
}

/* ---- S4 ---------------------------------------------------------------------------------------------- */

static void bench_refresh(const char *dir, int commits)
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
    store_unref(p.store);
    engine_close(p.engine);
}

/* ---- W1 ------------------------------------------------------------------------------------------------- */

static void check(int code, const varve_error *e)
{
    if (code == VARVE_OK)
        return;
    fprintf(stderr, "bench: %s\n", e->message);
    exit(1);
}

static void run(varve_session *s, const char *sql)
{
    varve_result *r = NULL;
    varve_error e = {.position = -1};
    check(varve_query(s, sql, &r, &e), &e);
    varve_result_free(&r);
}

static const char sensor_columns[] = "ts TIMESTAMP, id BIGINT, a1 INT, a2 INT, a3 INT, a4 INT, d1 DOUBLE, d2 DOUBLE, d3 DOUBLE, d4 DOUBLE, d5 "
                                     "DOUBLE, d6 DOUBLE, p1 DECIMAL(18,4), p2 DECIMAL(18,4), "
                                     "s1 STRING, s2 STRING, s3 STRING, s4 STRING, b1 BOOLEAN, b2 BOOLEAN, t1 DATE, t2 DATE, l1 BIGINT";
static const char sensor_rows[] = "SELECT TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_microseconds(i), i, CAST(i % 7 AS INT), CAST(i % 11 AS INT), "
                                  "CAST(i % 13 AS INT), CAST(i % 17 AS INT), i * 0.5, i * 1.5, i * 2.5, "
                                  "i * 3.5, i * 4.5, i * 5.5, CAST(i AS DECIMAL(18,4)), CAST(i AS DECIMAL(18,4)), 'sensor ' || (i % 10), 'site ' || "
                                  "(i % 3), 'kind ' || (i % 5), 'x', i % 2 = 0, i % 3 = 0, "
                                  "DATE '2024-01-01', DATE '2024-01-02', i FROM range(100) r(i)";

static void bench_append(const char *dir, int commits, bool durable)
{
    varve_options options = {.struct_size = sizeof(options), .not_durable = !durable};
    varve_error e = {.position = -1};
    varve_db *db = NULL;
    varve_session *s = NULL;
    char sql[4096];
    int64_t *us = calloc((size_t)commits, sizeof(*us)), start;
    check(varve_open(dir, &options, &db, &e), &e);
    check(varve_connect(db, NULL, &s, &e), &e);
    snprintf(sql, sizeof(sql), "CREATE OR REPLACE TABLE sensors (%s) USING DELTA", sensor_columns);
    run(s, sql);
    snprintf(sql, sizeof(sql), "INSERT INTO sensors %s", sensor_rows);
    for (int i = -10; i < commits; i++) {
        start = now_us();
        run(s, sql);
        if (i >= 0)
            us[i] = now_us() - start;
    }
    int64_t total = 0;
    for (int i = 0; i < commits; i++)
        total += us[i];
    printf("{\"what\":\"varve append\",\"durable\":%s,\"per_second\":%.1f}\n", durable ? "true" : "false", (double)commits * 1e6 / (double)total);
    print_times("varve append", us, commits);
    varve_session_close(&s);
    varve_close(&db);
}

static void bench_floor(const char *dir, int commits)
{
    struct place p;
    struct error err = ERROR_INIT;
    char key[64], bytes[5000];
    int64_t *us = calloc((size_t)commits, sizeof(*us)), total = 0;
    memset(bytes, 'x', sizeof(bytes));
    place_open(&p, dir, true);
    for (int i = 0; i < commits; i++) {
        int64_t start = now_us();
        snprintf(key, sizeof(key), "data/%08d", i);
        if (store_put_if_absent(p.store, &p.ctx, str_of(key), bytes, sizeof(bytes), &err) != STORE_OK)
            die(&err);
        snprintf(key, sizeof(key), "log/%08d", i);
        if (store_put_if_absent(p.store, &p.ctx, str_of(key), bytes, 1500, &err) != STORE_OK)
            die(&err);
        total += us[i] = now_us() - start;
    }
    printf("{\"what\":\"fsync floor\",\"per_second\":%.1f}\n", (double)commits * 1e6 / (double)total);
    print_times("fsync floor", us, commits);
    store_unref(p.store);
    engine_close(p.engine);
}

/* ---- Q1 ----------------------------------------------------------------------------------------------------- */

static const char *const queries[] = {
    "SELECT count(*), sum(v1), min(v2), max(v2) FROM %s",
    "SELECT k, count(*), sum(v1), avg(v2) FROM %s GROUP BY k ORDER BY k",
    "SELECT count(*), sum(v2) FROM %s WHERE v1 BETWEEN 100 AND 200",
    "SELECT * FROM %s ORDER BY v2 DESC, id LIMIT 10",
    "SELECT a.k, count(*) FROM %s a WHERE a.id %% 1000 = 7 GROUP BY a.k ORDER BY a.k",
    "SELECT s, count(DISTINCT k) FROM %s GROUP BY s ORDER BY s",
};

static bool swallow(void *user, const void *bytes, size_t len)
{
    *(uint64_t *)user = hash_bytes(bytes, len, *(uint64_t *)user);
    return true;
}

static int64_t query_varve(varve_session *s, const char *sql, uint64_t *hash)
{
    varve_result *r = NULL;
    varve_error e = {.position = -1};
    int64_t start = now_us();
    *hash = 0;
    check(varve_query(s, sql, &r, &e), &e);
    check(varve_result_write(r, "csv", NULL, swallow, hash, NULL, &e), &e);
    int64_t us = now_us() - start;
    varve_result_free(&r);
    return us;
}

/* The bare engine: the same connection settings, the rows fetched and dropped. */
static int64_t query_bare(duckdb_connection duck, const char *sql) { return bare_scan(duck, sql); }

static void bench_query(const char *lake, const char *table, int rounds)
{
    varve_options options = {.struct_size = sizeof(options), .cache_bytes = -1};
    varve_error e = {.position = -1};
    varve_db *db = NULL;
    varve_session *s = NULL;
    duckdb_database database;
    duckdb_connection duck;
    char ours[1024], bare[1024], files[512];
    check(varve_open(lake, &options, &db, &e), &e);
    check(varve_connect(db, NULL, &s, &e), &e);
    duckdb_open(NULL, &database);
    duckdb_connect(database, &duck);
    snprintf(files, sizeof(files), "read_parquet('%s/default/%s/*.parquet')", lake, table);
    for (size_t q = 0; q < sizeof(queries) / sizeof(queries[0]); q++) {
        int64_t *a = calloc((size_t)rounds, sizeof(*a)), *b = calloc((size_t)rounds, sizeof(*b));
        uint64_t hash;
        char name[64];
        snprintf(ours, sizeof(ours), queries[q], table);
        snprintf(bare, sizeof(bare), queries[q], files);
        for (int i = -2; i < rounds; i++) {
            int64_t x = query_varve(s, ours, &hash), y = query_bare(duck, bare);
            if (i >= 0) {
                a[i] = x;
                b[i] = y;
            }
        }
        snprintf(name, sizeof(name), "varve q%zu", q + 1);
        print_times(name, a, rounds);
        snprintf(name, sizeof(name), "bare q%zu", q + 1);
        print_times(name, b, rounds);
        free(a);
        free(b);
    }
    duckdb_disconnect(&duck);
    duckdb_close(&database);
    varve_session_close(&s);
    varve_close(&db);
}

/* ---- W6 ------------------------------------------------------------------------------------------------------- */

static void bench_copy(const char *file, const char *select)
{
    duckdb_database database;
    duckdb_connection duck;
    duckdb_result result;
    char sql[4096];
    duckdb_open(NULL, &database);
    duckdb_connect(database, &duck);
    snprintf(sql, sizeof(sql), "SET TimeZone = 'UTC'; COPY (%s) TO '%s' (FORMAT parquet, COMPRESSION snappy)", select, file);
    if (duckdb_query(duck, sql, &result)) {
        fprintf(stderr, "bench: %s\n", duckdb_result_error(&result));
        exit(1);
    }
    duckdb_destroy_result(&result);
    duckdb_disconnect(&duck);
    duckdb_close(&database);
}

int main(int argc, char **argv)
{
    if (argc == 4 && !strcmp(argv[1], "open"))
        bench_open(argv[2], atoi(argv[3]));
    else if (argc == 4 && !strcmp(argv[1], "refresh"))
        bench_refresh(argv[2], atoi(argv[3]));
    else if (argc == 5 && !strcmp(argv[1], "append"))
        bench_append(argv[2], atoi(argv[3]), atoi(argv[4]));
    else if (argc == 4 && !strcmp(argv[1], "floor"))
        bench_floor(argv[2], atoi(argv[3]));
    else if (argc == 4 && !strcmp(argv[1], "copy"))
        bench_copy(argv[2], argv[3]);
    else if (argc == 5 && !strcmp(argv[1], "query"))
        bench_query(argv[2], argv[3], atoi(argv[4]));
    else {
        fprintf(stderr, "usage: see the head of bench/bench.c\n");
        return 1;
    }
    return 0;
}
