#include "base/base.h"

#include <stdlib.h>

static _Thread_local uint64_t calls;
static _Thread_local uint64_t fail_at; /* value of calls at which one call fails; 0 = off */

static bool must_fail(void)
{
    calls++;
    if (calls != fail_at)
        return false;
    fail_at = 0;
    return true;
}

void alloc_fail_after(uint64_t n) { fail_at = n ? calls + n : 0; }

uint64_t alloc_count(void) { return calls; }

void *mem_alloc(size_t size_bytes) { return must_fail() ? NULL : malloc(size_bytes ? size_bytes : 1); }

void *mem_calloc(size_t count, size_t size_bytes)
{
    if (must_fail())
        return NULL;
    return count && size_bytes ? calloc(count, size_bytes) : calloc(1, 1);
}

void *mem_realloc(void *old, size_t size_bytes) { return must_fail() ? NULL : realloc(old, size_bytes ? size_bytes : 1); }

void mem_free(void *p) { free(p); }

char *mem_strndup(const char *s, size_t len)
{
    if (len == SIZE_MAX)
        return NULL;
    char *copy = mem_alloc(len + 1);
    if (!copy)
        return NULL;
    if (len)
        memcpy(copy, s, len);
    copy[len] = '\0';
    return copy;
}
