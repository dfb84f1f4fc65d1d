/* bench/common.c: clocks, places, and how failures end. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <time.h>

int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

int64_t cpu_us(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
}

int64_t peak_rss_bytes(void)
{
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    return (int64_t)usage.ru_maxrss * 1024;
}

_Noreturn void die(struct error *err)
{
    fprintf(stderr, "bench: %s%s%s\n", err->message, err->context ? "\n  " : "", err->context ? err->context : "");
    exit(1);
}

static int by_value(const void *a, const void *b)
{
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return x < y ? -1 : x > y;
}

void print_times(const char *what, int64_t *us, int count)
{
    qsort(us, (size_t)count, sizeof(*us), by_value);
    printf("{\"what\":\"%s\",\"runs\":%d,\"min_us\":%lld,\"median_us\":%lld,\"p99_us\":%lld,\"max_us\":%lld}\n", what, count, (long long)us[0],
           (long long)us[count / 2], (long long)us[(count - 1) * 99 / 100], (long long)us[count - 1]);
    fflush(stdout);
}

void place_open(struct place *p, const char *dir, bool durable)
{
    struct error err = ERROR_INIT;
    struct engine_config config = {0};
    ctx_init(&p->ctx);
    if (engine_open(&p->ctx, &config, &p->engine, &err) != STATUS_OK ||
        store_open_local(&p->ctx, str_of(dir), (struct store_local_options){.durable = durable}, &p->store, &err) != STATUS_OK)
        die(&err);
}

struct delta_table *table_open(struct place *p)
{
    struct error err = ERROR_INIT;
    struct delta_table *table = NULL;
    if (delta_table_open(&p->ctx, p->store, engine_delta_handler(p->engine), STR("bench"), &table, &err) != STATUS_OK)
        die(&err);
    return table;
}

struct delta_snapshot *latest(struct place *p, struct delta_table *table)
{
    struct error err = ERROR_INIT;
    struct delta_snapshot *snapshot = NULL;
    if (delta_snapshot_latest(&p->ctx, table, &snapshot, &err) != STATUS_OK)
        die(&err);
    return snapshot;
}

void place_close(struct place *p)
{
    store_unref(p->store);
    engine_close(p->engine);
}

void check(int code, const varve_error *e)
{
    if (code == VARVE_OK)
        return;
    fprintf(stderr, "bench: %s\n", e->message);
    exit(1);
}

void run(varve_session *s, const char *sql)
{
    varve_result *r = NULL;
    varve_error e = {.position = -1};
    check(varve_query(s, sql, &r, &e), &e);
    varve_result_free(&r);
}

void product_open(struct product *p, const char *lake, varve_options options)
{
    varve_error e = {.position = -1};
    *p = (struct product){0};
    options.struct_size = sizeof(options);
    check(varve_open(lake, &options, &p->db, &e), &e);
    check(varve_connect(p->db, NULL, &p->session, &e), &e);
}

void product_close(struct product *p)
{
    varve_session_close(&p->session);
    varve_close(&p->db);
}

static bool drop(void *user, const void *bytes, size_t len)
{
    *(size_t *)user += len;
    return true;
}

int64_t run_timed(varve_session *s, const char *sql)
{
    varve_result *r = NULL;
    varve_error e = {.position = -1};
    size_t bytes = 0;
    int64_t start = now_us();
    check(varve_query(s, sql, &r, &e), &e);
    check(varve_result_write(r, "csv", NULL, drop, &bytes, NULL, &e), &e);
    int64_t us = now_us() - start;
    varve_result_free(&r);
    return us;
}

/* The engine alone: the same columns, every chunk fetched, nothing kept. */
int64_t bare_scan(duckdb_connection duck, const char *sql)
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
