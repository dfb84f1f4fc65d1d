#include "base/base.h"

#include <stdio.h>

enum { CAP_MIN_BYTES = 64 };

bool buf_reserve(struct buf *b, size_t more_bytes)
{
    if (b->failed)
        return false;
    size_t limit = b->max_bytes ? b->max_bytes : PTRDIFF_MAX - 1;
    if (b->len > limit || more_bytes > limit - b->len) {
        b->failed = true;
        b->over_ceiling = b->max_bytes != 0;
        return false;
    }
    if (more_bytes < b->cap - b->len) /* cap counts the NUL */
        return true;
    size_t need = b->len + more_bytes + 1;
    size_t cap = b->cap > PTRDIFF_MAX / 2 ? need : b->cap * 2;
    if (cap > limit + 1)
        cap = limit + 1;
    if (cap < CAP_MIN_BYTES)
        cap = CAP_MIN_BYTES;
    if (cap < need)
        cap = need;
    char *grown = mem_realloc(b->ptr, cap);
    if (!grown) {
        b->failed = true;
        return false;
    }
    b->ptr = grown;
    b->cap = cap;
    b->ptr[b->len] = '\0';
    return true;
}

void buf_append(struct buf *b, const void *bytes, size_t len)
{
    if (len == 0 || !buf_reserve(b, len))
        return;
    memcpy(b->ptr + b->len, bytes, len);
    b->len += len;
    b->ptr[b->len] = '\0';
}

void buf_str(struct buf *b, struct str s) { buf_append(b, s.ptr, s.len); }

void buf_z(struct buf *b, const char *z) { buf_append(b, z, z ? strlen(z) : 0); }

void buf_char(struct buf *b, char c) { buf_append(b, &c, 1); }

void buf_i64(struct buf *b, int64_t v)
{
    char digits[24];
    char *at = digits + sizeof digits;
    uint64_t rest = v < 0 ? 0 - (uint64_t)v : (uint64_t)v;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest);
    if (v < 0)
        *--at = '-';
    buf_append(b, at, (size_t)(digits + sizeof digits - at));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    if (b->failed)
        return;
    va_list args;
    size_t room = b->cap - b->len;
    va_start(args, fmt);
    int len = vsnprintf(b->ptr ? b->ptr + b->len : NULL, room, fmt, args);
    va_end(args);
    if (len < 0)
        b->failed = true;
    else if (len > 0 && buf_reserve(b, (size_t)len)) {
        if ((size_t)len >= room) {
            va_start(args, fmt);
            vsnprintf(b->ptr + b->len, (size_t)len + 1, fmt, args);
            va_end(args);
        }
        b->len += (size_t)len;
    }
    if (b->ptr)
        b->ptr[b->len] = '\0';
}

void buf_clear(struct buf *b)
{
    b->len = 0;
    b->failed = b->over_ceiling = false;
    if (b->ptr)
        b->ptr[0] = '\0';
}

void buf_release(struct buf *b)
{
    mem_free(b->ptr);
    *b = (struct buf){.max_bytes = b->max_bytes};
}

char *buf_detach(struct buf *b)
{
    char *text = NULL;
    if (!b->failed) {
        text = b->ptr ? b->ptr : mem_strndup("", 0);
        b->ptr = NULL;
    }
    buf_release(b);
    return text;
}

enum status buf_check(const struct buf *b, struct error *err)
{
    if (!b->failed)
        return STATUS_OK;
    if (b->over_ceiling)
        return error_set(err, STATUS_LIMIT_EXCEEDED, "more than %zu bytes", b->max_bytes);
    return error_oom(err);
}
