/* bench/bench.h: what the measurements share.  Each prints one JSON object a line. */
#ifndef VARVE_BENCH_H
#define VARVE_BENCH_H

#include "varve/varve.h"

#include "base/base.h"
#include "delta/delta.h"
#include "engine/engine.h"

#include <duckdb.h>
#include <stdint.h>

int64_t now_us(void);
int64_t cpu_us(void);                                       /* that all threads of this process used */
int64_t peak_rss_bytes(void);                               /* of this process so far */
_Noreturn void die(struct error *err);                      /* prints it and ends the program */
void print_times(const char *what, int64_t *us, int count); /* sorts us */

/* A table opened without a catalog: all of it ends the program when it fails. */
struct place {
    struct ctx ctx;
    struct engine *engine;
    struct store *store;
};
void place_open(struct place *p, const char *dir, bool durable);
void place_close(struct place *p);
struct delta_table *table_open(struct place *p);
struct delta_snapshot *latest(struct place *p, struct delta_table *table);

/* The product through its C API; check ends the program unless code is VARVE_OK. */
struct product {
    varve_db *db;
    varve_session *session;
};
void product_open(struct product *p, const char *lake, varve_options options);
void product_close(struct product *p);
void check(int code, const varve_error *e);
void run(varve_session *s, const char *sql);
int64_t run_timed(varve_session *s, const char *sql); /* every row written out and dropped */

/* The engine alone: every chunk fetched, nothing kept; microseconds. */
int64_t bare_scan(duckdb_connection duck, const char *sql);

/* log.c */
void bench_open(const char *dir, int rounds);
void bench_refresh(const char *dir, int commits);
void bench_statistics(const char *dir, int rounds);
void bench_travel(const char *dir, int64_t version, int rounds);
/* write.c */
void bench_append(const char *dir, int commits, bool durable);
void bench_floor(const char *dir, int commits);
void bench_copy(const char *file, const char *select);
/* query.c */
void bench_query(const char *lake, const char *table, int rounds);
void bench_compare(const char *lake, int rounds, char **statements, int count);
/* change.c */
void bench_series(const char *lake, int rounds, char **statements, int count);

#endif
