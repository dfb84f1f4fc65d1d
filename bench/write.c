/* bench/write.c: appends and bulk writes (W1, W6), and the floor under them. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

static const char sensor_columns[] = "ts TIMESTAMP, id BIGINT, a1 INT, a2 INT, a3 INT, a4 INT, d1 DOUBLE, d2 DOUBLE, d3 DOUBLE, d4 DOUBLE, d5 "
                                     "DOUBLE, d6 DOUBLE, p1 DECIMAL(18,4), p2 DECIMAL(18,4), "
                                     "s1 STRING, s2 STRING, s3 STRING, s4 STRING, b1 BOOLEAN, b2 BOOLEAN, t1 DATE, t2 DATE, l1 BIGINT";
static const char sensor_rows[] = "SELECT TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_microseconds(i), i, CAST(i % 7 AS INT), CAST(i % 11 AS INT), "
                                  "CAST(i % 13 AS INT), CAST(i % 17 AS INT), i * 0.5, i * 1.5, i * 2.5, "
                                  "i * 3.5, i * 4.5, i * 5.5, CAST(i AS DECIMAL(18,4)), CAST(i AS DECIMAL(18,4)), 'sensor ' || (i % 10), 'site ' || "
                                  "(i % 3), 'kind ' || (i % 5), 'x', i % 2 = 0, i % 3 = 0, "
                                  "DATE '2024-01-01', DATE '2024-01-02', i FROM range(100) r(i)";

void bench_append(const char *dir, int commits, bool durable)
{
    struct product p;
    char sql[4096];
    int64_t *us = calloc((size_t)commits, sizeof(*us)), start;
    product_open(&p, dir, (varve_options){.not_durable = !durable});
    snprintf(sql, sizeof(sql), "CREATE OR REPLACE TABLE sensors (%s) USING DELTA", sensor_columns);
    run(p.session, sql);
    snprintf(sql, sizeof(sql), "INSERT INTO sensors %s", sensor_rows);
    for (int i = -10; i < commits; i++) {
        start = now_us();
        run(p.session, sql);
        if (i >= 0)
            us[i] = now_us() - start;
    }
    int64_t total = 0;
    for (int i = 0; i < commits; i++)
        total += us[i];
    printf("{\"what\":\"varve append\",\"durable\":%s,\"per_second\":%.1f}\n", durable ? "true" : "false", (double)commits * 1e6 / (double)total);
    print_times("varve append", us, commits);
    product_close(&p);
}

void bench_floor(const char *dir, int commits)
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
    place_close(&p);
}

void bench_copy(const char *file, const char *select)
{
    duckdb_database database;
    duckdb_connection duck;
    duckdb_result result;
    char sql[4096];
    duckdb_open(NULL, &database);
    duckdb_connect(database, &duck);
    snprintf(sql, sizeof(sql), "SET TimeZone = 'UTC'; COPY (%s) TO '%s' (FORMAT parquet, COMPRESSION snappy)", select, file);
    int64_t start = now_us();
    if (duckdb_query(duck, sql, &result)) {
        fprintf(stderr, "bench: %s\n", duckdb_result_error(&result));
        exit(1);
    }
    start = now_us() - start;
    print_times("engine copy", &start, 1);
    duckdb_destroy_result(&result);
    duckdb_disconnect(&duck);
    duckdb_close(&database);
}
