#include "base/base.h"

#include <stdlib.h>
#include <sys/mman.h>

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

/* Arrays over a million files are written once from end to end: a page fault for each 4 KiB of them would cost more than what is
 * written.  Where the kernel has huge pages to give it is asked for them; if it has none, nothing changes. */
static void *large(void *p, size_t size_bytes)
{
    enum { LARGE_BYTES = 4 << 20, HUGE_PAGE_BYTES = 2 << 20 };
    if (!p || size_bytes < LARGE_BYTES)
        return p;
    uintptr_t from = ((uintptr_t)p + HUGE_PAGE_BYTES - 1) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    uintptr_t end = ((uintptr_t)p + size_bytes) / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES;
    if (from < end)
        madvise((void *)from, end - from, MADV_HUGEPAGE);
    return p;
}

void *mem_alloc(size_t size_bytes) { return must_fail() ? NULL : large(malloc(size_bytes ? size_bytes : 1), size_bytes); }

void *mem_calloc(size_t count, size_t size_bytes)
{
    if (must_fail())
        return NULL;
    return count && size_bytes ? large(calloc(count, size_bytes), count * size_bytes) : calloc(1, 1);
}

void *mem_realloc(void *old, size_t size_bytes) { return must_fail() ? NULL : large(realloc(old, size_bytes ? size_bytes : 1), size_bytes); }

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
