/* server/metrics.c: GET /metrics in Prometheus text format 0.0.4. */
#include "server_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

const double latency_bounds_s[11] = {0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1, 10};

void observe_latency(struct latency_histogram *h, int64_t us)
{
    size_t i = 0;
    while (i < 11 && (double)us / 1e6 > latency_bounds_s[i])
        i++;
    atomic_fetch_add(&h->buckets[i], 1);
    atomic_fetch_add(&h->count, 1);
    atomic_fetch_add(&h->sum_us, (unsigned long long)us);
}

static void add_metric(struct reply_text *t, const char *name, const char *type, const char *help, unsigned long long value)
{
    reply_add(t, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", name, help, name, type, name, value);
}

static void add_latency(struct reply_text *t, struct latency_histogram *h)
{
    unsigned long long total = 0;
    reply_add(t, "# HELP smart_search_request_duration_seconds Time from the first byte of a request to its last.\n"
                 "# TYPE smart_search_request_duration_seconds histogram\n");
    for (size_t i = 0; i < 11; i++) {
        total += atomic_load(&h->buckets[i]);
        reply_add(t, "smart_search_request_duration_seconds_bucket{le=\"%g\"} %llu\n", latency_bounds_s[i], total);
    }
    total += atomic_load(&h->buckets[11]);
    reply_add(t,
              "smart_search_request_duration_seconds_bucket{le=\"+Inf\"} %llu\nsmart_search_request_duration_seconds_sum %.6f\n"
              "smart_search_request_duration_seconds_count %llu\n",
              total, (double)atomic_load(&h->sum_us) / 1e6, total);
}

static void add_requests(struct reply_text *t, struct server *s)
{
    reply_add(t, "# HELP smart_search_requests_total Requests by status class.\n# TYPE smart_search_requests_total counter\n");
    for (int i = 2; i < 6; i++)
        reply_add(t, "smart_search_requests_total{status=\"%dxx\"} %llu\n", i, (unsigned long long)atomic_load(&s->requests[i]));
}

static void add_process(struct reply_text *t)
{
    long pages = 0, resident = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f)
        return;
    if (fscanf(f, "%ld %ld", &pages, &resident) == 2)
        add_metric(t, "process_resident_memory_bytes", "gauge", "Resident memory.",
                   (unsigned long long)resident * (unsigned long long)sysconf(_SC_PAGESIZE));
    fclose(f);
}

enum MHD_Result handle_metrics(struct request *r)
{
    varve_stats s = {.struct_size = sizeof(s)};
    struct reply_text t = {0};
    varve_db_stats(r->server->db, &s);
    reply_add(&t, "# HELP varve_build_info What is running.\n# TYPE varve_build_info gauge\nvarve_build_info{version=\"%s\",engine=\"%s\"} 1\n",
              varve_version(), varve_engine_version());
    add_requests(&t, r->server);
    add_latency(&t, &r->server->latency);
    const struct {
        const char *name, *type, *help;
        uint64_t value;
    } rows[] = {
        {"smart_search_cache_hits_total", "counter", "Result cache hits.", s.cache_hits},
        {"smart_search_cache_misses_total", "counter", "Result cache misses.", s.cache_misses},
        {"varve_cache_bytes", "gauge", "Bytes in the result cache.", s.cache_bytes},
        {"varve_cache_entries", "gauge", "Entries in the result cache.", s.cache_entries},
        {"varve_cache_evictions_total", "counter", "Entries that made room.", s.cache_evictions},
        {"varve_queries_total", "counter", "Statements run.", s.queries},
        {"varve_query_errors_total", "counter", "Statements that failed.", s.query_errors},
        {"varve_queries_running", "gauge", "Statements running now.", s.queries_running},
        {"delta_commits_total", "counter", "Versions committed.", s.commits},
        {"delta_commit_conflicts_total", "counter", "Commits refused by a conflict.", s.commit_conflicts},
        {"scan_files_considered_total", "counter", "Files of the snapshots read.", s.files_considered},
        {"scan_files_read_total", "counter", "Files opened.", s.files_read},
        {"search_requests_total", "counter", "Searches.", s.search_requests},
        {"search_index_rows", "gauge", "Rows in search indexes.", s.search_index_rows},
        {"search_index_bytes", "gauge", "Bytes of search indexes.", s.search_index_bytes},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        add_metric(&t, rows[i].name, rows[i].type, rows[i].help, rows[i].value);
    reply_add(&t,
              "# HELP scan_files_pruned_total Files left out.\n# TYPE scan_files_pruned_total counter\n"
              "scan_files_pruned_total{reason=\"partition\"} %llu\nscan_files_pruned_total{reason=\"statistics\"} %llu\n",
              (unsigned long long)s.files_pruned_partition, (unsigned long long)s.files_pruned_stats);
    add_process(&t);
    if (t.failed) {
        free(t.ptr);
        return send_new_problem(r, error_code("OUT_OF_MEMORY"), "memory ran out");
    }
    return send_text(r, 200, "text/plain; version=0.0.4; charset=utf-8", t.ptr, t.len, free);
}
