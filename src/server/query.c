/* server/query.c: POST /api/query.
 *
 * A request may hold several statements, which run in one session; the answer is that of the last one, and the first that fails ends it.
 * They run on a thread of their own and pushes bytes into a pipe of bounded size; the connection's thread pulls them
 * out.  The reply's status is chosen when the statement has finished, failed, or filled HOLD_BYTES, whichever is first, so that an error
 * before that is a problem document and small answers have a length.  A client that leaves cancels the statement.
 */
#include "server_int.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PIPE_BYTES (1u << 20)
#define HOLD_BYTES (64u << 10)
#define CLIENT_POLL_MS 50

struct bound_value {
    char *name, *type, *value; /* as varve_bind takes them; owned */
};
struct query {
    struct request *request;
    char *sql;
    struct bound_value *values; /* for the parameters of the statement */
    size_t value_count;
    const char *format;
    bool envelope; /* JSON: {"columns":…,"rows":…,"info":…} */
    varve_format_options options;
    varve_session *session;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    char *bytes; /* ring of PIPE_BYTES */
    size_t head, len;
    bool finished, abandoned, began;
    int code; /* of the statement, when finished */
    varve_error error;
    char cache[8];
};

/* ---- the pipe ---------------------------------------------------------------------------------- */

static bool pipe_push(struct query *q, const char *bytes, size_t len)
{
    pthread_mutex_lock(&q->lock);
    while (len && !q->abandoned) {
        if (q->len == PIPE_BYTES) {
            pthread_cond_wait(&q->changed, &q->lock);
            continue;
        }
        size_t tail = (q->head + q->len) % PIPE_BYTES;
        size_t room = PIPE_BYTES - q->len;
        size_t run = PIPE_BYTES - tail < room ? PIPE_BYTES - tail : room;
        run = run < len ? run : len;
        memcpy(q->bytes + tail, bytes, run);
        q->len += run;
        bytes += run;
        len -= run;
        if (q->len >= HOLD_BYTES || q->began)
            pthread_cond_broadcast(&q->changed);
    }
    bool going = !q->abandoned;
    pthread_mutex_unlock(&q->lock);
    return going;
}

static size_t pipe_pull(struct query *q, char *out, size_t max)
{
    size_t run = PIPE_BYTES - q->head < q->len ? PIPE_BYTES - q->head : q->len;
    run = run < max ? run : max;
    memcpy(out, q->bytes + q->head, run);
    q->head = (q->head + run) % PIPE_BYTES;
    q->len -= run;
    pthread_cond_broadcast(&q->changed);
    return run;
}

/* ---- the statement's thread ------------------------------------------------------------------------ */

static bool push_rows(void *user, const void *bytes, size_t len) { return pipe_push(user, bytes, len); }

static void before_rows(void *user, const varve_info *info)
{
    struct query *q = user;
    snprintf(q->cache, sizeof(q->cache), "%s", info->cache);
    if (!q->envelope)
        return;
    static const char head[] = "{\"columns\":", middle[] = ",\"rows\":";
    const char *columns = info->columns_json ? info->columns_json : "[]";
    pipe_push(q, head, sizeof(head) - 1);
    pipe_push(q, columns, strlen(columns));
    pipe_push(q, middle, sizeof(middle) - 1);
}

static void add_time(struct reply_text *t, int64_t us)
{
    char text[40];
    time_t seconds = (time_t)(us / 1000000);
    struct tm tm;
    gmtime_r(&seconds, &tm);
    strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
    reply_add(t, "\"%s.%06lldZ\"", text, (long long)(us % 1000000));
}

/* Table names may hold any character. */
static void add_string(struct reply_text *t, const char *s)
{
    reply_bytes(t, "\"", 1);
    for (; *s; s++) {
        if (*s == '"' || *s == '\\')
            reply_add(t, "\\%c", *s);
        else if ((unsigned char)*s < 0x20)
            reply_add(t, "\\u%04x", (unsigned char)*s);
        else
            reply_bytes(t, s, 1);
    }
    reply_bytes(t, "\"", 1);
}

static void add_read(struct reply_text *t, const varve_table_read *read)
{
    reply_add(t, "{\"name\":");
    add_string(t, read->name);
    reply_add(t, ",\"version\":%lld,\"timestamp\":", (long long)read->version);
    add_time(t, read->timestamp_us);
    reply_add(t, ",\"files_total\":%lld,\"files_pruned_partition\":%lld,\"files_pruned_stats\":%lld,\"files_read\":%lld,\"bytes_read\":%lld}",
              (long long)read->files_total, (long long)read->files_pruned_partition, (long long)read->files_pruned_stats, (long long)read->files_read,
              (long long)read->bytes_read);
}

static void add_info(struct reply_text *t, const varve_info *info)
{
    reply_add(t, ",\"info\":{\"statement\":\"%s\",\"cache\":\"%s\",\"tables\":[", info->statement, info->cache);
    for (size_t i = 0; i < info->table_count; i++) {
        reply_add(t, "%s", i ? "," : "");
        add_read(t, &info->tables[i]);
    }
    reply_add(t, "],\"version\":%lld,\"row_count\":%lld,\"plan_ms\":%.3f,\"execute_ms\":%.3f,\"total_ms\":%.3f}}", (long long)info->version,
              (long long)info->row_count, (double)info->plan_us / 1e3, (double)info->execute_us / 1e3, (double)info->total_us / 1e3);
}

static void push_info(struct query *q, const varve_info *info)
{
    struct reply_text t = {0};
    add_info(&t, info);
    if (!t.failed)
        pipe_push(q, t.ptr, t.len);
    free(t.ptr);
}

/* The place of an error is one in the whole script. */
static void place_in_script(varve_error *error, const char *script, size_t start)
{
    int64_t line = 0, column = 0;
    if (error->position < 0)
        return;
    for (size_t i = 0; i < start; i++) {
        bool newline = script[i] == '\n';
        line += newline;
        column = newline ? 0 : column + (((unsigned char)script[i] & 0xC0) != 0x80);
    }
    error->position += (int64_t)start;
    error->column += error->line == 1 ? column : 0;
    error->line += line;
}

/* Runs the statements before the last one, whose answers nobody gets.  *start, *len: the last one; the whole text when there is only one. */
static int run_before_last(struct query *q, size_t *start, size_t *len)
{
    size_t at = 0, next = 0, next_len = 0, all = strlen(q->sql);
    bool complete = false;
    int code = VARVE_OK;
    *start = 0;
    *len = all;
    if (!varve_next_statement(q->sql, all, &at, &next, &next_len, &complete))
        return VARVE_OK;
    size_t first = next, first_len = next_len;
    while (code == VARVE_OK && varve_next_statement(q->sql, all, &at, &next, &next_len, &complete)) {
        char *text = strndup(q->sql + first, first_len);
        varve_result *result = NULL;
        code = text ? varve_query(q->session, text, &result, &q->error) : error_code("OUT_OF_MEMORY");
        if (!text)
            set_problem(&q->error, "OUT_OF_MEMORY", "memory ran out");
        else if (code != VARVE_OK)
            place_in_script(&q->error, q->sql, first);
        varve_result_free(&result);
        free(text);
        first = *start = next;
        first_len = *len = next_len;
    }
    return code;
}

/* What a transaction wrote that the script did not end is not there: that must not look like success. */
static int check_ended(struct query *q)
{
    if (!varve_in_transaction(q->session))
        return VARVE_OK;
    set_problem(&q->error, "TRANSACTION_STATE",
                "the request ended inside of a transaction, which is rolled back: send BEGIN … COMMIT in one request");
    return q->error.code;
}

static void *run_statement(void *user)
{
    struct query *q = user;
    varve_result *result = NULL;
    size_t start = 0, len = 0;
    int code = run_before_last(q, &start, &len);
    char *last = code == VARVE_OK ? strndup(q->sql + start, len) : NULL;
    if (last) {
        code = varve_query_write(q->session, last, q->format, &q->options, before_rows, push_rows, q, &result, &q->error);
        if (code != VARVE_OK)
            place_in_script(&q->error, q->sql, start);
    } else if (code == VARVE_OK) {
        set_problem(&q->error, "OUT_OF_MEMORY", "memory ran out");
        code = q->error.code;
    }
    if (code == VARVE_OK && q->envelope)
        push_info(q, varve_result_info(result));
    varve_result_free(&result);
    free(last);
    if (code == VARVE_OK)
        code = check_ended(q);
    pthread_mutex_lock(&q->lock);
    q->finished = true;
    q->code = code;
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

/* ---- the connection's thread ------------------------------------------------------------------------- */

static bool client_left(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    if (!info)
        return false;
    struct pollfd fd = {.fd = info->connect_fd, .events = POLLRDHUP};
    return poll(&fd, 1, 0) > 0 && (fd.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static void wait_a_moment(struct query *q)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += CLIENT_POLL_MS * 1000000;
    until.tv_sec += until.tv_nsec / 1000000000;
    until.tv_nsec %= 1000000000;
    pthread_cond_timedwait(&q->changed, &q->lock, &until);
}

/* Called with the lock held. */
static void watch_client(struct query *q)
{
    if (q->abandoned || !(client_left(q->request->connection) || atomic_load(&q->request->server->stopping)))
        return;
    varve_interrupt(q->session);
    q->abandoned = client_left(q->request->connection);
    pthread_cond_broadcast(&q->changed);
}

static void wait_for_first_bytes(struct query *q)
{
    pthread_mutex_lock(&q->lock);
    while (!q->finished && q->len < HOLD_BYTES) {
        wait_a_moment(q);
        watch_client(q);
    }
    q->began = true;
    pthread_mutex_unlock(&q->lock);
}

static ssize_t read_rows(void *user, uint64_t position, char *out, size_t max)
{
    struct query *q = user;
    (void)position;
    pthread_mutex_lock(&q->lock);
    while (!q->len && !q->finished) {
        wait_a_moment(q);
        watch_client(q);
    }
    ssize_t n = (ssize_t)pipe_pull(q, out, max);
    if (!n)
        n = q->code == VARVE_OK ? MHD_CONTENT_READER_END_OF_STREAM : MHD_CONTENT_READER_END_WITH_ERROR;
    pthread_mutex_unlock(&q->lock);
    return n;
}

static void free_request(struct query *q)
{
    for (size_t i = 0; i < q->value_count; i++) {
        free(q->values[i].name);
        free(q->values[i].type);
        free(q->values[i].value);
    }
    free(q->values);
    free(q->sql);
}

static void query_free(void *user)
{
    struct query *q = user;
    pthread_mutex_lock(&q->lock);
    q->abandoned = true;
    if (!q->finished)
        varve_interrupt(q->session);
    pthread_cond_broadcast(&q->changed);
    pthread_mutex_unlock(&q->lock);
    pthread_join(q->thread, NULL);
    varve_error_free(&q->error);
    varve_session_close(&q->session);
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->changed);
    free(q->bytes);
    free_request(q);
    free(q);
}

static enum MHD_Result send_rows(struct request *r, struct query *q)
{
    char cache_status[64];
    uint64_t size = q->finished ? q->len : MHD_SIZE_UNKNOWN;
    struct MHD_Response *response = MHD_create_response_from_callback(size, 64 << 10, read_rows, q, query_free);
    if (!response) {
        query_free(q);
        return MHD_NO;
    }
    snprintf(cache_status, sizeof(cache_status), "varve; %s",
             !strcmp(q->cache, "hit")    ? "hit"
             : !strcmp(q->cache, "miss") ? "fwd=miss; stored"
                                         : "fwd=bypass");
    MHD_add_response_header(response, "Content-Type", varve_format_media_type(q->format));
    MHD_add_response_header(response, "Cache-Status", cache_status);
    MHD_add_response_header(response, "Cache-Control", "no-store");
    MHD_add_response_header(response, "Vary", "Accept");
    return send_response(r, 200, response);
}

/* ---- request -------------------------------------------------------------------------------------------- */

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1; }

static bool hex4(const char *p, const char *end, unsigned *out)
{
    *out = 0;
    if (end - p < 4)
        return false;
    for (int i = 0; i < 4; i++) {
        int d = hex_digit(p[i]);
        if (d < 0)
            return false;
        *out = *out << 4 | (unsigned)d;
    }
    return true;
}

static void add_utf8(struct reply_text *t, unsigned c)
{
    char u[4];
    size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    static const unsigned char lead[] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = n; i-- > 1; c >>= 6)
        u[i] = (char)(0x80 | (c & 0x3F));
    u[0] = (char)(lead[n] | c);
    reply_bytes(t, u, n);
}

/* Decodes a JSON string that starts after its quote; returns the byte after the closing quote, or NULL. */
static const char *read_string(const char *p, const char *end, struct reply_text *out)
{
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    for (; p < end && *p != '"'; p++) {
        if (*p != '\\') {
            reply_bytes(out, p, 1);
            continue;
        }
        unsigned c = 0, low = 0;
        if (++p == end)
            return NULL;
        const char *simple = strchr(from, *p);
        if (*p == 'u' && hex4(p + 1, end, &c)) {
            p += 4;
            if (c >= 0xD800 && c < 0xDC00 && end - p > 6 && p[1] == '\\' && p[2] == 'u' && hex4(p + 3, end, &low)) {
                c = 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
                p += 6;
            }
            add_utf8(out, c);
        } else if (simple && *p) {
            reply_bytes(out, &to[simple - from], 1);
        } else {
            return NULL;
        }
    }
    return p < end ? p + 1 : NULL;
}

static const char *skip_blank(const char *p, const char *end)
{
    while (p < end && strchr(" \t\r\n", *p))
        p++;
    return p;
}

/* ---- parameters: [1, "text", null, {"type": "DATE", "value": "2024-01-01"}] or {"name": 1} ---- */

static char *copy_bytes(const char *bytes, size_t len) { return strndup(bytes, len); }

static const char *read_text(const char *p, const char *end, char **out)
{
    struct reply_text text = {0};
    p = p && p < end && *p == '"' ? read_string(p + 1, end, &text) : NULL;
    *out = p ? copy_bytes(text.ptr ? text.ptr : "", text.len) : NULL;
    p = text.failed || !*out ? NULL : p;
    free(text.ptr);
    return p;
}

/* A number as the type that holds just it. */
static const char *read_number(const char *p, const char *end, struct bound_value *v)
{
    const char *start = p, *dot = NULL;
    bool exponent = false;
    char type[32];
    int digits = 0, scale = 0;
    for (p += p < end && *p == '-'; p < end && strchr("0123456789.eE+-", *p); p++) {
        exponent |= *p == 'e' || *p == 'E';
        dot = *p == '.' ? p : dot;
        digits += *p >= '0' && *p <= '9';
        scale += dot && *p >= '0' && *p <= '9';
    }
    if (!digits)
        return NULL;
    snprintf(type, sizeof type, "DECIMAL(%d,%d)", digits, scale);
    v->value = copy_bytes(start, (size_t)(p - start));
    v->type = strdup(exponent || digits > 38 ? "DOUBLE" : !dot && digits <= 9 ? "INT" : !dot && digits <= 18 ? "BIGINT" : type);
    return v->value && v->type ? p : NULL;
}

static const char *read_word(const char *p, const char *end, const char *word)
{
    size_t len = strlen(word);
    return (size_t)(end - p) >= len && !memcmp(p, word, len) ? p + len : NULL;
}

/* {"type": "DATE", "value": "2024-01-01" | null} */
static const char *read_typed(const char *p, const char *end, struct bound_value *v)
{
    do {
        char *key = NULL;
        p = read_text(skip_blank(p + 1, end), end, &key);
        p = p ? skip_blank(p, end) : NULL;
        p = p && p < end && *p == ':' ? skip_blank(p + 1, end) : NULL;
        char **to = p && !strcmp(key, "type") ? &v->type : p && !strcmp(key, "value") ? &v->value : NULL;
        free(key);
        if (!to || *to)
            return NULL;
        const char *null = to == &v->value ? read_word(p, end, "null") : NULL;
        p = null ? null : read_text(p, end, to);
        p = p ? skip_blank(p, end) : NULL;
    } while (p && p < end && *p == ',');
    return p && p < end && *p == '}' && v->type ? p + 1 : NULL;
}

static const char *read_value(const char *p, const char *end, struct bound_value *v)
{
    const char *after;
    if (p == end)
        return NULL;
    if (*p == '"')
        return read_text(p, end, &v->value);
    if (*p == '{')
        return read_typed(p, end, v);
    if ((after = read_word(p, end, "null")))
        return after;
    if ((after = read_word(p, end, "true")) || (after = read_word(p, end, "false"))) {
        v->type = strdup("BOOLEAN");
        v->value = copy_bytes(p, (size_t)(after - p));
        return v->type && v->value ? after : NULL;
    }
    return read_number(p, end, v);
}

static const char *read_values(const char *p, const char *end, struct query *q)
{
    char close = p < end && *p == '[' ? ']' : p < end && *p == '{' ? '}' : 0;
    p = close ? skip_blank(p + 1, end) : NULL;
    if (p && p < end && *p == close)
        return p + 1;
    while (p) {
        struct bound_value *grown = realloc(q->values, (q->value_count + 1) * sizeof *grown);
        if (!grown)
            return NULL;
        q->values = grown;
        struct bound_value *v = &grown[q->value_count++];
        *v = (struct bound_value){0};
        if (close == '}') {
            p = read_text(p, end, &v->name);
            p = p ? skip_blank(p, end) : NULL;
            p = p && p < end && *p == ':' ? skip_blank(p + 1, end) : NULL;
        }
        p = p ? read_value(p, end, v) : NULL;
        p = p ? skip_blank(p, end) : NULL;
        if (!p || p == end || *p != ',')
            break;
        p = skip_blank(p + 1, end);
    }
    return p && p < end && *p == close ? p + 1 : NULL;
}

/* {"sql": "…", "parameters": …}, in any order. */
static bool read_sql_object(const char *p, const char *end, struct reply_text *sql, struct query *q)
{
    bool more = true;
    p = skip_blank(p, end);
    while (p && more) {
        char *key = NULL;
        p = read_text(skip_blank(p + 1, end), end, &key);
        p = p ? skip_blank(p, end) : NULL;
        p = p && p < end && *p == ':' ? skip_blank(p + 1, end) : NULL;
        if (p && !strcmp(key, "sql") && !sql->ptr)
            p = p < end && *p == '"' ? read_string(p + 1, end, sql) : NULL;
        else if (p && !strcmp(key, "parameters") && !q->values)
            p = read_values(p, end, q);
        else
            p = NULL;
        free(key);
        p = p ? skip_blank(p, end) : NULL;
        more = p && p < end && *p == ',';
    }
    p = p && p < end && *p == '}' ? skip_blank(p + 1, end) : NULL;
    return p == end;
}

/* The body is a JSON object when it begins with '{', else the statement itself. */
static char *statement_of(struct request *r, struct query *q, varve_error *error)
{
    struct reply_text sql = {0};
    const char *end = r->body + r->body_len;
    const char *start = skip_blank(r->body, end);
    bool object = start < end && *start == '{';
    if (object && !read_sql_object(start, end, &sql, q)) {
        free(sql.ptr);
        set_problem(error, "INVALID_ARGUMENT", "the body is not a JSON object of the form {\"sql\": \"…\", \"parameters\": […]}");
        return NULL;
    }
    if (!object)
        reply_bytes(&sql, r->body, r->body_len);
    if (sql.failed || !sql.ptr || memchr(sql.ptr, '\0', sql.len) || !sql.len) {
        free(sql.ptr);
        set_problem(error, "INVALID_ARGUMENT", "the request has no statement");
        return NULL;
    }
    return sql.ptr;
}

static struct query *query_new(struct request *r, const char *format)
{
    struct query *q = calloc(1, sizeof(*q));
    if (!q)
        return NULL;
    q->bytes = malloc(PIPE_BYTES);
    if (!q->bytes) {
        free(q);
        return NULL;
    }
    const char *bigint = argument(r, "bigint");
    q->request = r;
    q->format = format;
    q->envelope = !strcmp(format, "json");
    q->options = (varve_format_options){.struct_size = sizeof(q->options), .bigint_as_string = bigint && !strcmp(bigint, "string")};
    q->error.position = -1;
    strcpy(q->cache, "bypass");
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->changed, NULL);
    return q;
}

static bool bind_values(struct query *q, varve_error *error)
{
    for (size_t i = 0; i < q->value_count; i++)
        if (varve_bind(q->session, q->values[i].name, q->values[i].type, q->values[i].value, error) != VARVE_OK)
            return false;
    return true;
}

static void query_discard(struct query *q)
{
    varve_session_close(&q->session);
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->changed);
    free(q->bytes);
    free_request(q);
    free(q);
}

enum MHD_Result handle_query(struct request *r)
{
    varve_error error = {.position = -1};
    const char *format = accepted_format(r);
    if (!format)
        return send_new_problem(r, error_code("NOT_ACCEPTABLE"), "Accept allows none of %s", offered_media_types);
    struct query *q = query_new(r, format);
    if (!q)
        return send_new_problem(r, error_code("OUT_OF_MEMORY"), "memory ran out");
    q->sql = statement_of(r, q, &error);
    if (!q->sql || !open_session(r, &q->session, &error) || !bind_values(q, &error)) {
        query_discard(q);
        return send_problem(r, &error);
    }
    if (pthread_create(&q->thread, NULL, run_statement, q)) {
        query_discard(q);
        return send_new_problem(r, error_code("UNAVAILABLE"), "no thread could be started for the statement");
    }
    wait_for_first_bytes(q);
    if (q->finished && q->code != VARVE_OK) {
        error = q->error;
        q->error = (varve_error){.position = -1};
        query_free(q);
        return send_problem(r, &error);
    }
    return send_rows(r, q);
}
