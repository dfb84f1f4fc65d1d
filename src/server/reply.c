/* server/reply.c: arguments in, replies out. */
#include "server_int.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

int64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

/* ---- text ---------------------------------------------------------------------------------- */

void reply_bytes(struct reply_text *t, const void *bytes, size_t len)
{
    if (t->failed)
        return;
    if (t->len + len + 1 > t->cap) {
        size_t cap = (t->len + len + 1) * 2;
        char *grown = realloc(t->ptr, cap);
        if (!grown) {
            t->failed = true;
            return;
        }
        t->ptr = grown;
        t->cap = cap;
    }
    memcpy(t->ptr + t->len, bytes, len);
    t->len += len;
    t->ptr[t->len] = '\0';
}

void reply_add(struct reply_text *t, const char *fmt, ...)
{
    char *formatted = NULL;
    va_list args;
    va_start(args, fmt);
    int len = vasprintf(&formatted, fmt, args);
    va_end(args);
    if (len < 0)
        t->failed = true;
    else
        reply_bytes(t, formatted, (size_t)len);
    if (len >= 0)
        free(formatted);
}

/* ---- arguments --------------------------------------------------------------------------------- */

const char *argument(struct request *r, const char *name) { return MHD_lookup_connection_value(r->connection, MHD_GET_ARGUMENT_KIND, name); }

bool argument_i64(struct request *r, const char *name, int64_t fallback, int64_t *out, varve_error *problem)
{
    const char *text = argument(r, name);
    char *end = NULL;
    *out = fallback;
    if (!text || !*text)
        return true;
    errno = 0;
    long long v = strtoll(text, &end, 10);
    if (errno || *end) {
        set_problem(problem, "INVALID_ARGUMENT", "%s must be a whole number, not \"%.40s\"", name, text);
        return false;
    }
    *out = v;
    return true;
}

bool open_session(struct request *r, varve_session **session, varve_error *error)
{
    varve_session_options options = {.struct_size = sizeof(options), .client = "http", .trace_id = r->id};
    int64_t timeout_ms = 0;
    if (!argument_i64(r, "timeout_ms", r->server->deadline_us / 1000, &timeout_ms, error))
        return false;
    if (timeout_ms < 0 || (r->server->deadline_us && timeout_ms > r->server->deadline_us / 1000))
        timeout_ms = r->server->deadline_us / 1000;
    if (varve_connect(r->server->db, &options, session, error) != VARVE_OK)
        return false;
    varve_session_deadline(*session, timeout_ms * 1000);
    return true;
}

/* ---- replies --------------------------------------------------------------------------------------- */

static void add_common_headers(struct request *r, struct MHD_Response *response)
{
    MHD_add_response_header(response, "X-Request-Id", r->id);
    MHD_add_response_header(response, "X-Content-Type-Options", "nosniff");
}

enum MHD_Result send_response(struct request *r, int status, struct MHD_Response *response)
{
    if (!response)
        return MHD_NO;
    add_common_headers(r, response);
    r->status = status;
    enum MHD_Result sent = MHD_queue_response(r->connection, (unsigned)status, response);
    MHD_destroy_response(response);
    return sent;
}

enum MHD_Result send_text(struct request *r, int status, const char *media_type, char *text, size_t len, void (*release)(void *))
{
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(len, text, release);
    if (!response) {
        release(text);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", media_type);
    return send_response(r, status, response);
}

/* ---- problems ------------------------------------------------------------------------------------------ */

int error_code(const char *name)
{
    const char *row, *sqlstate, *cause, *action;
    int status;
    for (int code = 1; varve_error_describe(code, &row, &sqlstate, &status, &cause, &action); code++)
        if (!strcmp(row, name))
            return code;
    return 1;
}

void set_problem(varve_error *error, const char *code_name, const char *fmt, ...)
{
    const char *cause = NULL, *action = NULL;
    va_list args;
    varve_error_free(error);
    error->code = error_code(code_name);
    varve_error_describe(error->code, &error->name, &error->sqlstate, &error->http_status, &cause, &action);
    va_start(args, fmt);
    if (vasprintf(&error->message, fmt, args) < 0)
        error->message = NULL;
    va_end(args);
    error->hint = action ? strdup(action) : NULL;
}

void set_hint(varve_error *error, const char *hint)
{
    varve_free(error->hint);
    error->hint = strdup(hint);
}

enum MHD_Result send_problem(struct request *r, varve_error *error)
{
    char *json = varve_error_json(error, r->id);
    int status = error->http_status ? error->http_status : 500;
    bool retry = status == 503;
    varve_error_free(error);
    if (!json)
        return MHD_NO;
    struct MHD_Response *response = MHD_create_response_from_buffer_with_free_callback(strlen(json), json, varve_free);
    if (!response) {
        varve_free(json);
        return MHD_NO;
    }
    MHD_add_response_header(response, "Content-Type", "application/problem+json");
    MHD_add_response_header(response, "Cache-Control", "no-store");
    if (retry)
        MHD_add_response_header(response, "Retry-After", "1");
    return send_response(r, status, response);
}

enum MHD_Result send_new_problem(struct request *r, int code, const char *fmt, ...)
{
    varve_error error = {.position = -1};
    const char *cause = NULL, *action = NULL;
    va_list args;
    error.code = code;
    varve_error_describe(code, &error.name, &error.sqlstate, &error.http_status, &cause, &action);
    va_start(args, fmt);
    if (vasprintf(&error.message, fmt, args) < 0)
        error.message = NULL;
    va_end(args);
    error.hint = action ? strdup(action) : NULL;
    return send_problem(r, &error);
}
