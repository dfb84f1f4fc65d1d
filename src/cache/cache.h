/* cache/cache.h: byte results by key, bounded by bytes.  Keys hold resolved versions, so entries are never stale and are only ever evicted. */
#ifndef VARVE_CACHE_H
#define VARVE_CACHE_H

#include "base/base.h"

/* A value: immutable bytes, shared.  A reader keeps it alive while an eviction happens. */
struct cache_value {
    atomic_int refs;
    size_t len;
    size_t meta_len; /* the first meta_len bytes are the owner's header, not payload */
    char bytes[];
};
struct cache_value *cache_value_new(size_t len); /* one reference; bytes uninitialised; NULL when out of memory */
void cache_value_unref(struct cache_value *v);   /* accepts NULL */

struct cache_counters {
    uint64_t hits, misses, entries, bytes, evictions, rejected;
};

/* The vtable behind which the in-process cache stands (Redis is to join it). Keys are any bytes. */
struct cache;
struct cache_vtable {
    const char *name; /* "memory" */
    /* Returns a reference, or NULL. */
    struct cache_value *(*get)(struct cache *, struct str key);
    /* Takes a reference of its own; may decide not to keep the value. */
    void (*put)(struct cache *, struct str key, struct cache_value *value);
    void (*counters)(struct cache *, struct cache_counters *out);
    void (*free)(struct cache *);
};
struct cache {
    const struct cache_vtable *v;
};

/* Sharded by key hash, one lock a shard; least recently used out first, weighted by bytes (key + value + bookkeeping).  A value over
 * 1/8 of a shard is rejected. */
enum status cache_open_memory(size_t capacity_bytes, struct cache **out, struct error *err);
static inline struct cache_value *cache_get(struct cache *c, struct str key) { return c->v->get(c, key); }
static inline void cache_put(struct cache *c, struct str key, struct cache_value *value) { c->v->put(c, key, value); }
void cache_free(struct cache *c); /* accepts NULL */

#endif
