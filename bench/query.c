/* bench/query.c: queries through the product beside the bare engine (Q1), and statements beside each other (M5). */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const queries[] = {
    "SELECT count(*), sum(v1), min(v2), max(v2) FROM %s",
    "SELECT k, count(*), sum(v1), avg(v2) FROM %s GROUP BY k ORDER BY k",
    "SELECT count(*), sum(v2) FROM %s WHERE v1 BETWEEN 100 AND 200",
    "SELECT * FROM %s ORDER BY v2 DESC, id LIMIT 10",
    "SELECT a.k, count(*) FROM %s a WHERE a.id %% 1000 = 7 GROUP BY a.k ORDER BY a.k",
    "SELECT s, count(DISTINCT k) FROM %s GROUP BY s ORDER BY s",
};

void bench_query(const char *lake, const char *table, int rounds)
{
    struct product p;
    duckdb_database database;
    duckdb_connection duck;
    char ours[1024], bare[1024], files[512];
    product_open(&p, lake, (varve_options){.cache_bytes = -1});
    duckdb_open(NULL, &database);
    duckdb_connect(database, &duck);
    snprintf(files, sizeof(files), "read_parquet('%s/default/%s/*.parquet')", lake, table);
    for (size_t q = 0; q < sizeof(queries) / sizeof(queries[0]); q++) {
        int64_t *a = calloc((size_t)rounds, sizeof(*a)), *b = calloc((size_t)rounds, sizeof(*b));
        char name[64];
        snprintf(ours, sizeof(ours), queries[q], table);
        snprintf(bare, sizeof(bare), queries[q], files);
        for (int i = -2; i < rounds; i++) {
            int64_t x = run_timed(p.session, ours), y = bare_scan(duck, bare);
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
    product_close(&p);
}

void bench_compare(const char *lake, int rounds, char **statements, int count)
{
    struct product p;
    char name[64];
    int64_t *us = calloc((size_t)(rounds * count), sizeof(*us));
    product_open(&p, lake, (varve_options){.cache_bytes = -1});
    for (int i = -2; i < rounds; i++)
        for (int k = 0; k < count; k++) {
            int64_t one = run_timed(p.session, statements[k]);
            if (i >= 0)
                us[k * rounds + i] = one;
        }
    for (int k = 0; k < count; k++) {
        snprintf(name, sizeof(name), "statement %d", k + 1);
        print_times(name, us + k * rounds, rounds);
    }
    free(us);
    product_close(&p);
}
