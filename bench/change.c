/* bench/change.c: statements that change tables (M1 to M6, W5). */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>

/* Copies the statement with every "{}" made the round's number: far from that of the round before, and another in each of 20 M rounds. */
static void put_statement(const char *statement, int round, char *out, size_t out_bytes)
{
    long long number = (round + 3) * 4999999LL % 20000000;
    size_t at = 0;
    for (const char *p = statement; *p && at + 24 < out_bytes; p++) {
        if (p[0] == '{' && p[1] == '}') {
            at += (size_t)snprintf(out + at, out_bytes - at, "%lld", number);
            p++;
        } else {
            out[at++] = *p;
        }
    }
    out[at] = '\0';
}

static void print_series(const char *what, const int64_t *us, int rounds)
{
    enum { END_ROUNDS = 10 };
    char name[96];
    int64_t part[END_ROUNDS];
    if (rounds >= 2 * END_ROUNDS) {
        memcpy(part, us, sizeof(part));
        snprintf(name, sizeof(name), "%s, first %d", what, END_ROUNDS);
        print_times(name, part, END_ROUNDS);
        memcpy(part, us + rounds - END_ROUNDS, sizeof(part));
        snprintf(name, sizeof(name), "%s, last %d", what, END_ROUNDS);
        print_times(name, part, END_ROUNDS);
    }
}

void bench_series(const char *lake, int rounds, char **statements, int count)
{
    struct product p;
    char sql[8192], name[64];
    int64_t *us = calloc((size_t)(rounds * count), sizeof(*us)), *cpu = calloc((size_t)(rounds * count), sizeof(*cpu));
    product_open(&p, lake, (varve_options){.cache_bytes = -1});
    for (int i = rounds > 1 ? -2 : 0; i < rounds; i++)
        for (int k = 0; k < count; k++) {
            put_statement(statements[k], i, sql, sizeof(sql));
            int64_t used = cpu_us(), one = run_timed(p.session, sql);
            if (i < 0)
                continue;
            us[k * rounds + i] = one;
            cpu[k * rounds + i] = cpu_us() - used;
        }
    for (int k = 0; k < count; k++) {
        snprintf(name, sizeof(name), "statement %d", k + 1);
        print_series(name, us + k * rounds, rounds);
        print_times(name, us + k * rounds, rounds);
        snprintf(name, sizeof(name), "statement %d, processors", k + 1);
        print_series(name, cpu + k * rounds, rounds);
        print_times(name, cpu + k * rounds, rounds);
    }
    printf("{\"what\":\"process\",\"peak_rss_bytes\":%lld}\n", (long long)peak_rss_bytes());
    free(us);
    free(cpu);
    product_close(&p);
}
