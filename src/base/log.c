#include "base/base.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

struct log {
    pthread_mutex_t lock;
    int fd;
    enum log_level min_level;
};

enum { LINE_MAX_BYTES = 64 * 1024 };

static const char *const level_names[] = {"debug", "info", "warn", "error"};

struct log *log_stderr(void)
{
    static struct log standard = {.lock = PTHREAD_MUTEX_INITIALIZER, .fd = STDERR_FILENO, .min_level = LOG_WARN};
    return &standard;
}

struct log *log_open_fd(int fd, enum log_level min_level)
{
    struct log *log = mem_calloc(1, sizeof *log);
    if (!log)
        return NULL;
    pthread_mutex_init(&log->lock, NULL);
    log->fd = fd;
    log->min_level = min_level;
    return log;
}

void log_free(struct log *log)
{
    if (!log || log == log_stderr())
        return;
    pthread_mutex_destroy(&log->lock);
    mem_free(log);
}

static void append_json_string(struct buf *line, struct str s)
{
    buf_char(line, '"');
    while (s.len) {
        unsigned char c = (unsigned char)s.ptr[0];
        size_t step = utf8_step(s, NULL);
        if (step == 0) {
            buf_z(line, "\xEF\xBF\xBD"); /* a byte that is not UTF-8 shows as U+FFFD */
            step = 1;
        } else if (c == '"' || c == '\\') {
            buf_char(line, '\\');
            buf_char(line, (char)c);
        } else if (c < 0x20) {
            buf_printf(line, "\\u%04x", c);
        } else {
            buf_append(line, s.ptr, step);
        }
        s = str_sub(s, step, s.len - step);
    }
    buf_char(line, '"');
}

static void append_pair(struct buf *line, struct str key, struct str value)
{
    buf_char(line, ',');
    append_json_string(line, key);
    buf_char(line, ':');
    append_json_string(line, value);
}

static void append_start(struct buf *line, struct ctx *ctx, enum log_level level, const char *event)
{
    char ts[40];
    timestamp_to_iso(ctx_now_us(ctx), true, ts);
    buf_printf(line, "{\"ts\":\"%s\",\"level\":\"%s\"", ts, level_names[level]);
    append_pair(line, STR("event"), str_of(event));
    if (ctx->trace_id.len)
        append_pair(line, STR("trace_id"), ctx->trace_id);
}

/* One write for a line keeps lines of several processes on one file apart; a short
 * write (a full pipe) is finished under the lock. Nobody can be told of a failure. */
static void write_line(struct log *log, struct str line)
{
    pthread_mutex_lock(&log->lock);
    while (line.len) {
        ssize_t put = write(log->fd, line.ptr, line.len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            break;
        line = str_sub(line, (size_t)put, line.len - (size_t)put);
    }
    pthread_mutex_unlock(&log->lock);
}

/* Used when memory is out or the line is too long: the event is still on record. */
static void write_shortened(struct log *log, struct ctx *ctx, enum log_level level, const char *event)
{
    char text[256];
    int len = snprintf(text, sizeof text, "{\"ts_us\":%lld,\"level\":\"%s\",\"event\":\"%.100s\",\"shortened\":\"true\"}\n",
                       (long long)ctx_now_us(ctx), level_names[level], event);
    if (len > 0)
        write_line(log, (struct str){text, (size_t)len});
}

void log_event(struct ctx *ctx, enum log_level level, const char *event, ...)
{
    struct log *log = ctx->log;
    if (!log || level < log->min_level)
        return;
    int saved_errno = errno;
    struct buf line = {.max_bytes = LINE_MAX_BYTES};
    append_start(&line, ctx, level, event);
    va_list args;
    va_start(args, event);
    for (const char *key = va_arg(args, const char *); key; key = va_arg(args, const char *)) {
        const char *value = va_arg(args, const char *);
        append_pair(&line, str_of(key), value ? str_of(value) : STR(""));
        if (!value)
            break;
    }
    va_end(args);
    buf_z(&line, "}\n");
    if (line.failed)
        write_shortened(log, ctx, level, event);
    else
        write_line(log, buf_view(&line));
    buf_release(&line);
    errno = saved_errno;
}
