#include "base/base.h"

#include <errno.h>
#include <stdio.h>

static const struct status_info status_table[STATUS_COUNT] = {
    [STATUS_OK] = {"OK", "00000", 200, false, "it worked", "nothing needs doing"},
#define ERROR_CODE(NAME, SQLSTATE, HTTP, RETRIABLE, CAUSE, ACTION) [STATUS_##NAME] = {#NAME, SQLSTATE, HTTP, RETRIABLE, CAUSE, ACTION},
#include "base/errors.def"
#undef ERROR_CODE
};

const struct status_info *status_info(enum status code)
{
    if ((unsigned)code >= STATUS_COUNT)
        code = STATUS_INTERNAL;
    return &status_table[code];
}

/* When no memory is left for a message, the table's own text stands in for it: an
 * error always has a message, and release must know which texts it does not own. */
static char *standing_text(enum status code)
{
    union {
        const char *read_only;
        char *field;
    } text = {.read_only = status_info(code)->cause};
    return text.field;
}

static bool is_standing_text(const char *text)
{
    for (int code = 0; code < STATUS_COUNT; code++)
        if (text == status_table[code].cause)
            return true;
    return false;
}

static void text_free(char *text)
{
    if (text && !is_standing_text(text))
        mem_free(text);
}

/* Returns-owned text, or NULL when memory is out. */
static char *format(const char *fmt, va_list args)
{
    char small[512];
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(small, sizeof small, fmt, args);
    char *text = NULL;
    if (len >= 0)
        text = mem_alloc((size_t)len + 1);
    if (text && (size_t)len < sizeof small)
        memcpy(text, small, (size_t)len + 1);
    else if (text)
        vsnprintf(text, (size_t)len + 1, fmt, again);
    va_end(again);
    return text;
}

/* The arguments of a new message may point into the old one, so it is freed last. */
static void error_replace(struct error *err, enum status code, char *message)
{
    error_release(err);
    err->code = code;
    err->message = message ? message : standing_text(code);
}

/* Callers may pass no error and still `return error_hint(...)`: the code they set last must come back then. */
static _Thread_local enum status last_code;

enum status error_set(struct error *err, enum status code, const char *fmt, ...)
{
    last_code = code;
    if (!err)
        return code;
    va_list args;
    va_start(args, fmt);
    char *message = format(fmt, args);
    va_end(args);
    error_replace(err, code, message);
    return code;
}

static enum status status_of_errno(int errnum)
{
    switch (errnum) {
    case ENOMEM:
        return STATUS_OUT_OF_MEMORY;
    case ENOSPC:
    case EDQUOT:
        return STATUS_STORE_FULL;
    case EACCES:
    case EPERM:
    case EROFS:
        return STATUS_STORE_PERMISSION;
    case ENOENT:
        return STATUS_FILE_NOT_FOUND;
    case ENAMETOOLONG:
        return STATUS_INVALID_ARGUMENT;
    default:
        return STATUS_STORE_IO;
    }
}

enum status error_set_errno(struct error *err, int errnum, const char *fmt, ...)
{
    enum status code = status_of_errno(errnum);
    last_code = code;
    if (!err)
        return code;
    va_list args;
    va_start(args, fmt);
    char *what = format(fmt, args);
    va_end(args);
    char reason[128];
    const char *why = strerror_r(errnum, reason, sizeof reason);
    if (what)
        error_set(err, code, "%s: %s", what, why);
    else
        error_replace(err, code, NULL);
    mem_free(what);
    return code;
}

enum status error_oom(struct error *err)
{
    last_code = STATUS_OUT_OF_MEMORY;
    if (err)
        error_replace(err, STATUS_OUT_OF_MEMORY, NULL);
    return STATUS_OUT_OF_MEMORY;
}

enum status error_detail(struct error *err, const char *fmt, ...)
{
    if (!err)
        return last_code;
    va_list args;
    va_start(args, fmt);
    char *text = format(fmt, args);
    va_end(args);
    if (text) {
        mem_free(err->detail);
        err->detail = text;
    }
    return err->code;
}

enum status error_hint(struct error *err, const char *fmt, ...)
{
    if (!err)
        return last_code;
    va_list args;
    va_start(args, fmt);
    char *text = format(fmt, args);
    va_end(args);
    if (text) {
        mem_free(err->hint);
        err->hint = text;
    }
    return err->code;
}

enum status error_context(struct error *err, const char *fmt, ...)
{
    if (!err)
        return last_code;
    va_list args;
    va_start(args, fmt);
    char *text = format(fmt, args);
    va_end(args);
    if (!text || !err->context) {
        if (text)
            err->context = text;
        return err->code;
    }
    size_t old_len = strlen(err->context), len = strlen(text);
    char *joined = mem_realloc(err->context, old_len + len + 2);
    if (joined) {
        joined[old_len] = '\n';
        memcpy(joined + old_len + 1, text, len + 1);
        err->context = joined;
    }
    mem_free(text);
    return err->code;
}

void error_release(struct error *err)
{
    if (!err)
        return;
    text_free(err->message);
    mem_free(err->detail);
    mem_free(err->hint);
    mem_free(err->context);
    *err = ERROR_INIT;
}

void error_move(struct error *to, struct error *from)
{
    if (to == from)
        return;
    if (!to) {
        error_release(from);
        return;
    }
    error_release(to);
    if (from) {
        *to = *from;
        *from = ERROR_INIT;
    }
}
