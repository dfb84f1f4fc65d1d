/* server/api.c: search, tables, stats, health. */
#include "server_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum MHD_Result handle_search(struct request *r)
{
    varve_error error = {.position = -1};
    varve_session *session = NULL;
    char *json = NULL;
    size_t len = 0;
    const char *cache = "miss";
    varve_search_request q = {.struct_size = sizeof(q),
                              .query = argument(r, "q"),
                              .filters = argument(r, "filters"),
                              .sort_by = argument(r, "sortBy"),
                              .sort_order = argument(r, "sortOrder"),
                              .table = argument(r, "table")};
    bool ok = argument_i64(r, "page", 1, &q.page, &error) && argument_i64(r, "limit", 20, &q.limit, &error) &&
              argument_i64(r, "version", -1, &q.version, &error);
    if (ok && !q.query) {
        set_problem(&error, "INVALID_ARGUMENT", "the query argument q is missing");
        ok = false;
    }
    ok = ok && open_session(r, &session, &error) && varve_search(session, &q, &json, &len, &cache, &error) == VARVE_OK;
    varve_session_close(&session);
    if (!ok)
        return send_problem(r, &error);
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(len, json, varve_free);
    if (!response) {
        varve_free(json);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", "application/json");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "Cache-Status", !strcmp(cache, "hit") ? "varve; hit" : "varve; fwd=miss; stored");
    return send_response(r, 200, response);
}

enum MHD_Result handle_tables(struct request *r)
{
    varve_error error = {.position = -1};
    varve_session *session = NULL;
    char *json = NULL;
    size_t len = 0;
    bool ok = open_session(r, &session, &error) && varve_tables_json(session, &json, &len, &error) == VARVE_OK;
    varve_session_close(&session);
    return ok ? send_text(r, 200, "application/json", json, len, varve_free) : send_problem(r, &error);
}

enum MHD_Result handle_table(struct request *r)
{
    varve_error error = {.position = -1};
    varve_session *session = NULL;
    char *json = NULL;
    size_t len = 0;
    int64_t history = 200;
    bool ok = argument_i64(r, "history", 200, &history, &error) && open_session(r, &session, &error) &&
              varve_table_json(session, r->argument, history, &json, &len, &error) == VARVE_OK;
    varve_session_close(&session);
    return ok ? send_text(r, 200, "application/json", json, len, varve_free) : send_problem(r, &error);
}

enum MHD_Result handle_stats(struct request *r)
{
    varve_stats s = {.struct_size = sizeof(s)};
    varve_totals totals = {.struct_size = sizeof(totals)};
    varve_session *session = NULL;
    varve_error error = {.position = -1};
    struct reply_text t = {0};
    bool ok = open_session(r, &session, &error) && varve_lake_totals(session, &totals, &error) == VARVE_OK;
    varve_session_close(&session);
    if (!ok)
        return send_problem(r, &error);
    varve_db_stats(r->server->db, &s);
    unsigned long long asked = (unsigned long long)s.cache_hits + (unsigned long long)s.cache_misses;
    unsigned long long count = atomic_load(&r->server->latency.count), sum_us = atomic_load(&r->server->latency.sum_us);
    reply_add(&t, "{\"totalTables\":%lld,\"totalRecords\":%lld,\"totalBytes\":%lld,\"uncountedTables\":%lld,", (long long)totals.tables,
              (long long)totals.records, (long long)totals.size_bytes, (long long)totals.uncounted_tables);
    reply_add(&t, "\"queries\":%llu,\"queryErrors\":%llu,\"queriesRunning\":%llu,\"commits\":%llu,\"commitConflicts\":%llu,",
              (unsigned long long)s.queries, (unsigned long long)s.query_errors, (unsigned long long)s.queries_running, (unsigned long long)s.commits,
              (unsigned long long)s.commit_conflicts);
    reply_add(&t, "\"cache\":{\"hits\":%llu,\"misses\":%llu,\"hitRate\":%.6f,\"entries\":%llu,\"bytes\":%llu,\"evictions\":%llu},",
              (unsigned long long)s.cache_hits, (unsigned long long)s.cache_misses, asked ? (double)s.cache_hits / (double)asked : 0.0,
              (unsigned long long)s.cache_entries, (unsigned long long)s.cache_bytes, (unsigned long long)s.cache_evictions);
    reply_add(&t, "\"search\":{\"requests\":%llu,\"cacheHits\":%llu,\"indexRows\":%llu,\"indexBytes\":%llu},", (unsigned long long)s.search_requests,
              (unsigned long long)s.search_cache_hits, (unsigned long long)s.search_index_rows, (unsigned long long)s.search_index_bytes);
    reply_add(&t, "\"files\":{\"considered\":%llu,\"prunedPartition\":%llu,\"prunedStats\":%llu,\"read\":%llu},",
              (unsigned long long)s.files_considered, (unsigned long long)s.files_pruned_partition, (unsigned long long)s.files_pruned_stats,
              (unsigned long long)s.files_read);
    reply_add(&t, "\"http\":{\"requests\":%llu,\"avgResponseTimeMs\":%.3f},\"uptime_seconds\":%.1f,\"version\":\"%s\",\"engine_version\":\"%s\"}",
              count, count ? (double)sum_us / 1e3 / (double)count : 0.0, (double)(now_us() - r->server->started_us) / 1e6, varve_version(),
              varve_engine_version());
    if (t.failed) {
        free(t.ptr);
        return send_new_problem(r, error_code("OUT_OF_MEMORY"), "memory ran out");
    }
    return send_text(r, 200, "application/json", t.ptr, t.len, free);
}

/* Asks the engine and the lake something small and says how long it took. */
static bool lake_answers(struct request *r, double *latency_ms, varve_error *error)
{
    varve_session *session = NULL;
    varve_result *result = NULL;
    int64_t start_us = now_us();
    bool ok = open_session(r, &session, error) && varve_query(session, "SHOW SCHEMAS", &result, error) == VARVE_OK;
    varve_result_free(&result);
    varve_session_close(&session);
    *latency_ms = (double)(now_us() - start_us) / 1e3;
    return ok;
}

enum MHD_Result handle_health(struct request *r)
{
    varve_error error = {.position = -1};
    double latency_ms = 0;
    char when[40];
    time_t now = time(NULL);
    struct tm tm;
    bool ok = lake_answers(r, &latency_ms, &error);
    struct reply_text t = {0};
    gmtime_r(&now, &tm);
    strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    reply_add(&t,
              "{\"status\":\"%s\",\"timestamp\":\"%s\",\"services\":{\"lake\":{\"status\":\"%s\",\"latency_ms\":%.3f},\"cache\":{\"status\":"
              "\"healthy\",\"type\":\"memory\"}}}",
              ok ? "healthy" : "unhealthy", when, ok ? "healthy" : "unhealthy", latency_ms);
    varve_error_free(&error);
    if (t.failed) {
        free(t.ptr);
        return send_new_problem(r, error_code("OUT_OF_MEMORY"), "memory ran out");
    }
    return send_text(r, ok ? 200 : 503, "application/json", t.ptr, t.len, free);
}

static enum MHD_Result send_static(struct request *r, int status, const char *text)
{
    struct MHD_Response *response = MHD_create_response_from_buffer(strlen(text), (void *)(uintptr_t)text, MHD_RESPMEM_PERSISTENT);
    if (response)
        MHD_add_response_header(response, "Content-Type", "text/plain; charset=utf-8");
    return send_response(r, status, response);
}

enum MHD_Result handle_healthz(struct request *r) { return send_static(r, 200, "ok\n"); }

enum MHD_Result handle_readyz(struct request *r)
{
    varve_error error = {.position = -1};
    double latency_ms = 0;
    bool ready = !atomic_load(&r->server->stopping) && lake_answers(r, &latency_ms, &error);
    varve_error_free(&error);
    return ready ? send_static(r, 200, "ready\n") : send_static(r, 503, "not ready\n");
}
