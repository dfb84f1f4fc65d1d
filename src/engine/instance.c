/* engine/instance.c: the executing instance, its connections, and statements run on them. */
#include "engine/engine_int.h"

#include <stdio.h>
#include <sys/resource.h>

#define MAX_IDLE 16
#define MIN_OPEN_PARTITIONS 100
#define MAX_OPEN_PARTITIONS 500

/* ---- opening ------------------------------------------------------------------------- */

static enum status set_option(duckdb_config config, const char *name, const char *value, struct error *err)
{
    if (duckdb_set_config(config, name, value) != DuckDBSuccess)
        return error_set(err, STATUS_INTERNAL, "the engine does not know its option \"%s\"", name);
    return STATUS_OK;
}

static enum status set_spill(duckdb_config config, struct str directory, struct error *err)
{
    char *path = mem_strndup(directory.ptr ? directory.ptr : "", directory.len);
    if (!path)
        return error_oom(err);
    enum status st = set_option(config, "temp_directory", path, err);
    mem_free(path);
    return st;
}

/* What is left at 0 DuckDB takes from the machine or the control group: 80 % of memory, every processor. */
static enum status fill_config(duckdb_config config, const struct engine_config *c, struct error *err)
{
    char text[40];
    enum status st = set_option(config, "autoinstall_known_extensions", "false", err);
    if (st == STATUS_OK)
        st = set_option(config, "autoload_known_extensions", "false", err);
    if (st == STATUS_OK && c->memory_limit_bytes > 0) {
        snprintf(text, sizeof(text), "%lldB", (long long)c->memory_limit_bytes);
        st = set_option(config, "memory_limit", text, err);
    }
    if (st == STATUS_OK && c->threads > 0) {
        snprintf(text, sizeof(text), "%d", c->threads);
        st = set_option(config, "threads", text, err);
    }
    return st == STATUS_OK ? set_spill(config, c->spill_directory, err) : st;
}

static enum status open_instance(struct ctx *ctx, const struct engine_config *c, duckdb_database *out, struct error *err)
{
    duckdb_config config = NULL;
    char *reason = NULL;
    if (duckdb_create_config(&config) != DuckDBSuccess)
        return error_oom(err);
    enum status st = fill_config(config, c, err);
    if (st == STATUS_OK && duckdb_open_ext(NULL, out, config, &reason) != DuckDBSuccess)
        st = error_from_duck(ctx, DUCKDB_ERROR_INVALID, reason, err);
    duckdb_free(reason);
    duckdb_destroy_config(&config);
    return st;
}

/* A partitioned write closes files and begins new ones beyond this many partitions: as many as open files allow. */
static enum status set_globals(struct engine_run *run, struct error *err)
{
    char sql[200];
    struct rlimit files = {0};
    long open = MIN_OPEN_PARTITIONS;
    if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur / 4 > MIN_OPEN_PARTITIONS)
        open = files.rlim_cur / 4 < MAX_OPEN_PARTITIONS ? (long)(files.rlim_cur / 4) : MAX_OPEN_PARTITIONS;
    snprintf(sql, sizeof(sql),
             "SET GLOBAL TimeZone='UTC'; SET GLOBAL default_null_order='nulls_first_on_asc_last_on_desc'; "
             "SET GLOBAL partitioned_write_max_open_files=%ld",
             open);
    return run_execute(run, str_of(sql), err);
}

enum status engine_open(struct ctx *ctx, const struct engine_config *config, struct engine **out, struct error *err)
{
    struct engine_config none = {0};
    struct engine_run run = {0};
    *out = NULL;
    enum status st = ctx_check(ctx, err);
    if (st != STATUS_OK)
        return st;
    struct engine *e = mem_calloc(1, sizeof(*e));
    if (!e)
        return error_oom(err);
    pthread_mutex_init(&e->pool_lock, NULL);
    partition_registry_init(&e->partitions);
    row_filters_init(&e->row_filters);
    pthread_mutex_init(&e->zorder.lock, NULL);
    footer_cache_init(&e->footers);
    log_reader_init(&e->log_reader, e);
    planner_init(&e->planner, &e->watchdog);
    parsed_statements_init(&e->parsed);
    functions_init(&e->functions);
    st = watchdog_init(&e->watchdog, err);
    if (st == STATUS_OK)
        st = open_instance(ctx, config ? config : &none, &e->duck, err);
    if (st == STATUS_OK)
        st = run_begin(ctx, e, STR_NULL, &run, err);
    if (st == STATUS_OK)
        st = set_globals(&run, err);
    if (st == STATUS_OK)
        st = casts_register(run.connection->duck, err);
    if (st == STATUS_OK)
        st = variant_functions_register(run.connection->duck, err);
    if (st == STATUS_OK)
        st = shred_functions_register(run.connection->duck, err);
    run_end(&run);
    if (st == STATUS_OK)
        *out = e;
    else
        engine_close(e);
    return st;
}

static void free_connection(struct engine_connection *c)
{
    if (c->duck)
        duckdb_disconnect(&c->duck);
    mem_free(c->settings);
    mem_free(c);
}

void engine_close(struct engine *e)
{
    if (!e)
        return;
    watchdog_release(&e->watchdog);
    planner_release(&e->planner);
    while (e->idle) {
        struct engine_connection *c = e->idle;
        e->idle = c->next;
        free_connection(c);
    }
    if (e->duck)
        duckdb_close(&e->duck);
    parsed_statements_release(&e->parsed);
    footer_cache_release(&e->footers);
    row_filters_release(&e->row_filters);
    pthread_mutex_destroy(&e->zorder.lock);
    partition_registry_release(&e->partitions);
    functions_release(&e->functions);
    pthread_mutex_destroy(&e->pool_lock);
    mem_free(e);
}

struct delta_handler *engine_delta_handler(struct engine *e) { return &e->log_reader.handler; }

const char *engine_version(void) { return duckdb_library_version(); }

/* ---- connections ------------------------------------------------------------------------- */

/* An idle connection on which just these settings were run. */
static struct engine_connection *take_idle(struct engine *e, struct str settings)
{
    struct engine_connection *found = NULL;
    pthread_mutex_lock(&e->pool_lock);
    for (struct engine_connection **at = &e->idle; *at; at = &(*at)->next) {
        if (!str_eq(str_of((*at)->settings), settings))
            continue;
        found = *at;
        *at = found->next;
        e->idle_count--;
        break;
    }
    pthread_mutex_unlock(&e->pool_lock);
    return found;
}

/* The connection goes to the front; the one that rested longest makes room. */
static void give_back(struct engine *e, struct engine_connection *c)
{
    struct engine_connection *oldest = NULL;
    if (clock_is_set(str_of(c->settings))) {
        free_connection(c);
        return;
    }
    pthread_mutex_lock(&e->pool_lock);
    c->next = e->idle;
    e->idle = c;
    if (++e->idle_count > MAX_IDLE) {
        struct engine_connection **at = &e->idle;
        while ((*at)->next)
            at = &(*at)->next;
        oldest = *at;
        *at = NULL;
        e->idle_count--;
    }
    pthread_mutex_unlock(&e->pool_lock);
    if (oldest)
        free_connection(oldest);
}

static enum status connect_new(struct ctx *ctx, struct engine *e, struct str settings, struct engine_connection **out, struct error *err)
{
    struct engine_connection *c = mem_calloc(1, sizeof(*c));
    enum status st = STATUS_OK;
    *out = NULL;
    if (!c)
        return error_oom(err);
    c->settings = mem_strndup(settings.ptr ? settings.ptr : "", settings.len);
    if (!c->settings || duckdb_connect(e->duck, &c->duck) != DuckDBSuccess)
        st = error_oom(err);
    if (st == STATUS_OK && settings.len)
        st = planner_run(ctx, c->duck, c->settings, err);
    if (st == STATUS_OK)
        *out = c;
    else
        free_connection(c);
    return st;
}

/* DuckDB counts progress only when a progress bar is on; it must not be drawn. */
static enum status show_progress(struct ctx *ctx, struct engine_connection *c, struct error *err)
{
    if (!ctx->on_progress || c->shows_progress)
        return STATUS_OK;
    c->shows_progress = true;
    return planner_run(ctx, c->duck, "SET enable_progress_bar=true; SET enable_progress_bar_print=false", err);
}

enum status run_begin(struct ctx *ctx, struct engine *e, struct str settings, struct engine_run *run, struct error *err)
{
    *run = (struct engine_run){.engine = e, .ctx = ctx};
    enum status st = ctx_check(ctx, err);
    if (st != STATUS_OK)
        return st;
    struct engine_connection *c = take_idle(e, settings);
    if (!c)
        st = connect_new(ctx, e, settings, &c, err);
    if (st == STATUS_OK) {
        st = show_progress(ctx, c, err);
        run->connection = c;
        watch_begin(&e->watchdog, &run->watch, ctx, c->duck);
    }
    if (st != STATUS_OK)
        run_end(run);
    return st;
}

void run_end(struct engine_run *run)
{
    if (run->connection) {
        watch_end(&run->engine->watchdog, &run->watch);
        give_back(run->engine, run->connection);
    }
    *run = (struct engine_run){0};
}

/* ---- statements ----------------------------------------------------------------------------- */

static enum status terminated(struct str sql, char **out, struct error *err)
{
    *out = NULL;
    if (sql.len && memchr(sql.ptr, '\0', sql.len))
        return error_set(err, STATUS_SYNTAX, "the statement has a zero byte");
    *out = mem_strndup(sql.ptr, sql.len);
    return *out ? STATUS_OK : error_oom(err);
}

enum status run_query(struct engine_run *run, struct str sql, duckdb_result *result, struct error *err)
{
    char *text = NULL;
    enum status st = functions_provide(run->ctx, &run->engine->functions, run->connection->duck, sql, err);
    *result = (duckdb_result){0};
    if (st == STATUS_OK)
        st = terminated(sql, &text, err);
    if (st == STATUS_OK && duckdb_query(run->connection->duck, text, result) != DuckDBSuccess) {
        st = error_from_duck(run->ctx, duckdb_result_error_type(result), duckdb_result_error(result), err);
        duckdb_destroy_result(result);
    }
    mem_free(text);
    return st;
}

enum status run_execute(struct engine_run *run, struct str sql, struct error *err)
{
    duckdb_result result;
    enum status st = run_query(run, sql, &result, err);
    if (st == STATUS_OK)
        duckdb_destroy_result(&result);
    return st;
}

enum status run_prepare(struct engine_run *run, struct str sql, duckdb_prepared_statement *out, struct error *err)
{
    char *text = NULL;
    enum status st = functions_provide(run->ctx, &run->engine->functions, run->connection->duck, sql, err);
    *out = NULL;
    if (st == STATUS_OK)
        st = terminated(sql, &text, err);
    if (st == STATUS_OK && duckdb_prepare(run->connection->duck, text, out) != DuckDBSuccess) {
        st = error_from_duck(run->ctx, DUCKDB_ERROR_INVALID, duckdb_prepare_error(*out), err);
        duckdb_destroy_prepare(out);
    }
    mem_free(text);
    return st;
}

static enum status execute_pending(struct run_stream *s, struct error *err)
{
    duckdb_pending_result pending = NULL;
    enum status st = STATUS_OK;
    if (duckdb_pending_prepared_streaming(s->statement, &pending) != DuckDBSuccess)
        st = error_from_duck(s->run->ctx, DUCKDB_ERROR_INVALID, duckdb_pending_error(pending), err);
    if (st == STATUS_OK) {
        s->has_result = true;
        if (duckdb_execute_pending(pending, &s->result) != DuckDBSuccess)
            st = error_from_duck(s->run->ctx, duckdb_result_error_type(&s->result), duckdb_result_error(&s->result), err);
    }
    duckdb_destroy_pending(&pending);
    return st;
}

enum status run_stream_open(struct engine_run *run, struct str sql, struct run_stream *out, struct error *err)
{
    *out = (struct run_stream){.run = run};
    enum status st = run_prepare(run, sql, &out->statement, err);
    if (st == STATUS_OK)
        st = execute_pending(out, err);
    if (st != STATUS_OK)
        run_stream_close(out);
    return st;
}

enum status run_stream_next(struct run_stream *s, duckdb_data_chunk *out, struct error *err)
{
    *out = duckdb_fetch_chunk(s->result);
    if (*out)
        return STATUS_OK;
    const char *reason = duckdb_result_error(&s->result);
    if (reason && *reason)
        return error_from_duck(s->run->ctx, duckdb_result_error_type(&s->result), reason, err);
    return STATUS_OK;
}

void run_stream_close(struct run_stream *s)
{
    if (s->has_result)
        duckdb_destroy_result(&s->result);
    if (s->statement)
        duckdb_destroy_prepare(&s->statement);
    *s = (struct run_stream){0};
}

enum status engine_query_i64(struct ctx *ctx, struct engine *e, struct str sql, int64_t *out, bool *is_null, struct error *err)
{
    struct engine_run run;
    duckdb_result result;
    *out = 0;
    *is_null = true;
    enum status st = run_begin(ctx, e, STR_NULL, &run, err);
    if (st != STATUS_OK)
        return st;
    st = run_query(&run, sql, &result, err);
    if (st == STATUS_OK) {
        if (duckdb_row_count(&result) == 1 && duckdb_column_count(&result) == 1) {
            *is_null = duckdb_value_is_null(&result, 0, 0);
            *out = *is_null ? 0 : duckdb_value_int64(&result, 0, 0);
        } else {
            st = error_set(err, STATUS_INTERNAL, "a question for one number gave %llu rows", (unsigned long long)duckdb_row_count(&result));
        }
        duckdb_destroy_result(&result);
    }
    run_end(&run);
    return st;
}
