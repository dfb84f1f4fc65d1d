/* cache/memory.c: the in-process cache: shards of (hash table + least-recently-used list), one lock each.
 *
 * Invariants, per shard, under its lock:
 *   1. every entry is in exactly one bucket chain and in the list; `bytes` is the sum of their weights;
 *   2. bytes <= capacity after every put;
 *   3. the list runs from the most to the least recently used.
 * Hashing, and giving back values that were pushed out, happen outside of the lock.
 */
#include "cache/cache.h"

#define MAX_SHARDS 16u
#define MIN_SHARD_BYTES ((size_t)8 << 20) /* so that the largest accepted value stays useful: an eighth of it */
#define FIRST_BUCKETS 64u

struct entry {
    struct entry *chain;
    struct entry *newer, *older;
    struct cache_value *value;
    uint64_t hash;
    size_t weight;
    size_t key_len;
    char key[];
};

struct shard {
    pthread_mutex_t lock;
    struct entry **buckets;
    size_t bucket_count; /* power of two */
    struct entry *newest, *oldest;
    size_t capacity, bytes, entries;
    uint64_t hits, misses, evictions, rejected;
    char apart[64]; /* keeps the next shard's lock off this cache line */
};

struct memory_cache {
    struct cache base;
    uint32_t shard_count; /* power of two */
    struct shard *shards;
};

struct cache_value *cache_value_new(size_t len)
{
    if (len > SIZE_MAX - sizeof(struct cache_value))
        return NULL;
    struct cache_value *v = mem_alloc(sizeof *v + len);
    if (!v)
        return NULL;
    atomic_init(&v->refs, 1);
    v->len = len;
    v->meta_len = 0;
    return v;
}

void cache_value_unref(struct cache_value *v)
{
    if (v && atomic_fetch_sub_explicit(&v->refs, 1, memory_order_acq_rel) == 1)
        mem_free(v);
}

static struct cache_value *value_ref(struct cache_value *v)
{
    atomic_fetch_add_explicit(&v->refs, 1, memory_order_relaxed);
    return v;
}

/* ---- one shard, under its lock ------------------------------------------------------ */

static struct entry **bucket_of(const struct shard *s, uint64_t hash) { return &s->buckets[hash & (s->bucket_count - 1)]; }

static struct entry *find(const struct shard *s, uint64_t hash, struct str key)
{
    struct entry *e = *bucket_of(s, hash);
    while (e && !(e->hash == hash && e->key_len == key.len && memcmp(e->key, key.ptr, key.len) == 0))
        e = e->chain;
    return e;
}

static void list_remove(struct shard *s, struct entry *e)
{
    *(e->newer ? &e->newer->older : &s->newest) = e->older;
    *(e->older ? &e->older->newer : &s->oldest) = e->newer;
}

static void list_push(struct shard *s, struct entry *e)
{
    e->newer = NULL;
    e->older = s->newest;
    *(s->newest ? &s->newest->newer : &s->oldest) = e;
    s->newest = e;
}

/* Takes e out of the shard; the caller frees it. */
static void detach(struct shard *s, struct entry *e)
{
    struct entry **at = bucket_of(s, e->hash);
    while (*at != e)
        at = &(*at)->chain;
    *at = e->chain;
    list_remove(s, e);
    s->bytes -= e->weight;
    s->entries--;
}

static void attach(struct shard *s, struct entry *e)
{
    struct entry **at = bucket_of(s, e->hash);
    e->chain = *at;
    *at = e;
    list_push(s, e);
    s->bytes += e->weight;
    s->entries++;
}

/* Without memory for a larger table the chains merely get longer. */
static void grow(struct shard *s)
{
    size_t count = s->bucket_count * 2;
    struct entry **wider = mem_calloc(count, sizeof *wider);
    if (!wider)
        return;
    mem_free(s->buckets);
    s->buckets = wider;
    s->bucket_count = count;
    for (struct entry *e = s->newest; e; e = e->older) {
        struct entry **at = bucket_of(s, e->hash);
        e->chain = *at;
        *at = e;
    }
}

/* Detaches least recently used entries until `room` more bytes fit; they come back chained. */
static struct entry *evict(struct shard *s, size_t room)
{
    struct entry *out = NULL;
    while (s->oldest && s->capacity - s->bytes < room) {
        struct entry *e = s->oldest;
        detach(s, e);
        e->chain = out;
        out = e;
        s->evictions++;
    }
    return out;
}

static void entries_free(struct entry *e)
{
    while (e) {
        struct entry *next = e->chain;
        cache_value_unref(e->value);
        mem_free(e);
        e = next;
    }
}

/* ---- the vtable -------------------------------------------------------------------------- */

/* The low bits choose the bucket, the high ones the shard. */
static struct shard *shard_of(struct memory_cache *m, uint64_t hash) { return &m->shards[(hash >> 48) & (m->shard_count - 1)]; }

static struct cache_value *memory_get(struct cache *c, struct str key)
{
    struct memory_cache *m = (struct memory_cache *)c;
    uint64_t hash = hash_str(key);
    struct shard *s = shard_of(m, hash);
    struct cache_value *value = NULL;

    pthread_mutex_lock(&s->lock);
    struct entry *e = find(s, hash, key);
    if (e) {
        if (s->newest != e) {
            list_remove(s, e);
            list_push(s, e);
        }
        value = value_ref(e->value);
        s->hits++;
    } else {
        s->misses++;
    }
    pthread_mutex_unlock(&s->lock);
    return value;
}

static struct entry *entry_new(struct str key, uint64_t hash, size_t weight, struct cache_value *value)
{
    struct entry *e = mem_alloc(sizeof *e + key.len);
    if (!e)
        return NULL;
    *e = (struct entry){.value = value_ref(value), .hash = hash, .weight = weight, .key_len = key.len};
    if (key.len)
        memcpy(e->key, key.ptr, key.len);
    return e;
}

static void memory_put(struct cache *c, struct str key, struct cache_value *value)
{
    struct memory_cache *m = (struct memory_cache *)c;
    uint64_t hash = hash_str(key);
    struct shard *s = shard_of(m, hash);
    size_t weight = sizeof(struct entry) + key.len + sizeof(struct cache_value) + value->len;
    struct entry *fresh = weight <= s->capacity / 8 ? entry_new(key, hash, weight, value) : NULL;

    pthread_mutex_lock(&s->lock);
    if (!fresh) {
        s->rejected++;
        pthread_mutex_unlock(&s->lock);
        return;
    }
    struct entry *old = find(s, hash, key);
    if (old)
        detach(s, old);
    struct entry *out = evict(s, weight);
    if (s->entries >= s->bucket_count)
        grow(s);
    attach(s, fresh);
    pthread_mutex_unlock(&s->lock);

    if (old) {
        old->chain = out;
        out = old;
    }
    entries_free(out);
}

static void memory_counters(struct cache *c, struct cache_counters *out)
{
    struct memory_cache *m = (struct memory_cache *)c;
    *out = (struct cache_counters){0};
    for (uint32_t i = 0; i < m->shard_count; i++) {
        struct shard *s = &m->shards[i];
        pthread_mutex_lock(&s->lock);
        out->hits += s->hits;
        out->misses += s->misses;
        out->entries += s->entries;
        out->bytes += s->bytes;
        out->evictions += s->evictions;
        out->rejected += s->rejected;
        pthread_mutex_unlock(&s->lock);
    }
}

static void shard_release(struct shard *s)
{
    while (s->newest) {
        struct entry *e = s->newest;
        s->newest = e->older;
        e->chain = NULL;
        entries_free(e);
    }
    mem_free(s->buckets);
    pthread_mutex_destroy(&s->lock);
}

static void memory_free(struct cache *c)
{
    struct memory_cache *m = (struct memory_cache *)c;
    for (uint32_t i = 0; i < m->shard_count; i++)
        shard_release(&m->shards[i]);
    mem_free(m->shards);
    mem_free(m);
}

static const struct cache_vtable memory_vtable = {
    .name = "memory",
    .get = memory_get,
    .put = memory_put,
    .counters = memory_counters,
    .free = memory_free,
};

static uint32_t shard_count_for(size_t capacity_bytes)
{
    uint32_t count = 1;
    while (count < MAX_SHARDS && capacity_bytes / (count * 2) >= MIN_SHARD_BYTES)
        count *= 2;
    return count;
}

static bool shard_init(struct shard *s, size_t capacity_bytes)
{
    s->buckets = mem_calloc(FIRST_BUCKETS, sizeof(struct entry *));
    if (!s->buckets)
        return false;
    s->bucket_count = FIRST_BUCKETS;
    s->capacity = capacity_bytes;
    pthread_mutex_init(&s->lock, NULL);
    return true;
}

enum status cache_open_memory(size_t capacity_bytes, struct cache **out, struct error *err)
{
    *out = NULL;
    uint32_t wanted = shard_count_for(capacity_bytes);
    struct memory_cache *m = mem_calloc(1, sizeof *m);
    if (!m)
        return error_oom(err);
    m->base.v = &memory_vtable;
    m->shards = mem_calloc(wanted, sizeof *m->shards);
    if (!m->shards) {
        mem_free(m);
        return error_oom(err);
    }
    for (; m->shard_count < wanted; m->shard_count++)
        if (!shard_init(&m->shards[m->shard_count], capacity_bytes / wanted)) {
            memory_free(&m->base);
            return error_oom(err);
        }
    *out = &m->base;
    return STATUS_OK;
}

void cache_free(struct cache *c)
{
    if (c)
        c->v->free(c);
}
