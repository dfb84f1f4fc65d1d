#include "base/base.h"

#include <stdio.h>

/* Under AddressSanitizer everything not handed out is poisoned, with a gap after
 * each piece, so that a write past the end of one is caught as it would be on the heap. */
#ifdef __SANITIZE_ADDRESS__
#define ARENA_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ARENA_ASAN 1
#endif
#endif
#ifdef ARENA_ASAN
#include <sanitizer/asan_interface.h>
enum { GAP_BYTES = 16 };
#define POISON(p, n) __asan_poison_memory_region((p), (n))
#define UNPOISON(p, n) __asan_unpoison_memory_region((p), (n))
#else
enum { GAP_BYTES = 0 };
#define POISON(p, n) ((void)0)
#define UNPOISON(p, n) ((void)0)
#endif

enum { ALIGN_BYTES = 16, BLOCK_MIN_BYTES = 4096, BLOCK_MAX_BYTES = 1 << 24 };

struct arena_block {
    struct arena_block *next;
    size_t size_bytes; /* of data */
    _Alignas(ALIGN_BYTES) char data[];
};

/* Blocks come zeroed; a block that is used again was zeroed by arena_clear. */
static struct arena_block *block_new(size_t size_bytes)
{
    struct arena_block *block = mem_calloc(1, sizeof *block + size_bytes);
    if (block) {
        block->size_bytes = size_bytes;
        POISON(block->data, size_bytes);
    }
    return block;
}

static void block_free(struct arena_block *block)
{
    UNPOISON(block->data, block->size_bytes);
    mem_free(block);
}

/* A large piece gets a block of its own behind the head, so that the room left in the head stays in use. */
static void *alloc_alone(struct arena *a, size_t need)
{
    struct arena_block *block = block_new(need);
    if (!block)
        return NULL;
    if (a->head) {
        block->next = a->head->next;
        a->head->next = block;
    } else {
        a->head = block;
        a->at = a->end = block->data + need;
    }
    return block->data;
}

static void *alloc_from_new_block(struct arena *a, size_t need)
{
    size_t size = BLOCK_MIN_BYTES;
    if (a->head && a->head->size_bytes >= BLOCK_MIN_BYTES / 2)
        size = a->head->size_bytes * 2;
    if (size > BLOCK_MAX_BYTES)
        size = BLOCK_MAX_BYTES;
    if (need > size / 4)
        return alloc_alone(a, need);
    struct arena_block *block = block_new(size);
    if (!block)
        return NULL;
    block->next = a->head;
    a->head = block;
    a->at = block->data + need;
    a->end = block->data + size;
    return block->data;
}

void *arena_alloc(struct arena *a, size_t size_bytes)
{
    if (size_bytes > PTRDIFF_MAX - 4 * ALIGN_BYTES)
        return NULL;
    size_t need = (size_bytes + ALIGN_BYTES - 1) / ALIGN_BYTES * ALIGN_BYTES + GAP_BYTES;
    if (need == 0)
        need = ALIGN_BYTES;
    void *p;
    if ((size_t)(a->end - a->at) >= need) {
        p = a->at;
        a->at += need;
    } else {
        p = alloc_from_new_block(a, need);
        if (!p)
            return NULL;
    }
    UNPOISON(p, size_bytes);
    a->used_bytes += size_bytes;
    return p;
}

void *arena_dup(struct arena *a, const void *src, size_t size_bytes)
{
    void *copy = arena_alloc(a, size_bytes);
    if (copy && size_bytes)
        memcpy(copy, src, size_bytes);
    return copy;
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
    char small[256];
    va_list args;
    va_start(args, fmt);
    int len = vsnprintf(small, sizeof small, fmt, args);
    va_end(args);
    char *text = len < 0 ? NULL : arena_alloc(a, (size_t)len + 1);
    if (!text)
        return NULL;
    if ((size_t)len < sizeof small) {
        memcpy(text, small, (size_t)len + 1);
    } else {
        va_start(args, fmt);
        vsnprintf(text, (size_t)len + 1, fmt, args);
        va_end(args);
    }
    return text;
}

/* The adopted blocks go behind the head, whose free room stays in use. */
void arena_adopt(struct arena *to, struct arena *from)
{
    struct arena_block *last = from->head;
    if (!last)
        return;
    if (!to->head) {
        *to = *from;
        *from = ARENA_INIT;
        return;
    }
    while (last->next)
        last = last->next;
    last->next = to->head->next;
    to->head->next = from->head;
    to->used_bytes += from->used_bytes;
    *from = ARENA_INIT;
}

void arena_clear(struct arena *a)
{
    struct arena_block *head = a->head;
    if (!head)
        return;
    while (head->next) {
        struct arena_block *block = head->next;
        head->next = block->next;
        block_free(block);
    }
    if (head->size_bytes > BLOCK_MAX_BYTES) {
        arena_release(a);
        return;
    }
    UNPOISON(head->data, head->size_bytes);
    memset(head->data, 0, (size_t)(a->at - head->data));
    POISON(head->data, head->size_bytes);
    a->at = head->data;
    a->end = head->data + head->size_bytes;
    a->used_bytes = 0;
}

void arena_release(struct arena *a)
{
    while (a->head) {
        struct arena_block *block = a->head;
        a->head = block->next;
        block_free(block);
    }
    *a = ARENA_INIT;
}
