/* Objects in memory, sorted by key. */
#include "store/store_int.h"

struct object {
    struct str key;
    char *bytes; /* NULL when empty */
    size_t size_bytes;
    int64_t modified_us;
};

struct memory {
    struct store base;
    pthread_mutex_t lock;
    struct object *objects; /* ascending */
    size_t count, capacity;
};

static struct memory *memory_of(struct store *s) { return (struct memory *)s; }

/* Index of the first object whose key is not below key; *found when it is key itself. */
static size_t lower_bound(const struct memory *m, struct str key, bool *found)
{
    size_t from = 0, to = m->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (str_cmp(m->objects[middle].key, key) < 0)
            from = middle + 1;
        else
            to = middle;
    }
    *found = from < m->count && str_eq(m->objects[from].key, key);
    return from;
}

static const struct object *find(const struct memory *m, struct str key)
{
    bool found;
    size_t at = lower_bound(m, key, &found);
    return found ? &m->objects[at] : NULL;
}

static void object_release(struct object *o)
{
    mem_free((void *)(uintptr_t)o->key.ptr);
    mem_free(o->bytes);
    *o = (struct object){0};
}

static bool object_init(struct object *o, struct str key, const void *bytes, size_t len, int64_t now_us)
{
    *o = (struct object){.size_bytes = len, .modified_us = now_us};
    o->key = (struct str){mem_strndup(key.ptr, key.len), key.len};
    o->bytes = mem_strndup(bytes, len);
    if (o->key.ptr && o->bytes)
        return true;
    object_release(o);
    return false;
}

static bool make_room(struct memory *m)
{
    if (m->count < m->capacity)
        return true;
    size_t capacity = m->capacity ? m->capacity * 2 : 16;
    struct object *grown = mem_realloc(m->objects, capacity * sizeof *grown);
    if (!grown)
        return false;
    m->objects = grown;
    m->capacity = capacity;
    return true;
}

static void insert_at(struct memory *m, size_t at, struct object o)
{
    memmove(m->objects + at + 1, m->objects + at, (m->count - at) * sizeof *m->objects);
    m->objects[at] = o;
    m->count++;
}

static enum store_result put(struct store *s, struct ctx *ctx, struct str key, const void *bytes, size_t len, bool replace, struct error *err)
{
    struct memory *m = memory_of(s);
    struct object o;
    if (!object_init(&o, key, bytes, len, ctx_now_us(ctx)))
        return store_failed(error_oom(err));
    bool found;
    enum store_result result = STORE_OK;
    pthread_mutex_lock(&m->lock);
    size_t at = lower_bound(m, key, &found);
    if (found && !replace) {
        result = STORE_EXISTS;
    } else if (found) {
        struct object old = m->objects[at];
        m->objects[at] = o;
        o = old;
    } else if (make_room(m)) {
        insert_at(m, at, o);
        o = (struct object){0};
    } else {
        result = STORE_FAILED;
    }
    pthread_mutex_unlock(&m->lock);
    object_release(&o);
    return result == STORE_FAILED ? store_failed(error_oom(err)) : result;
}

static enum store_result memory_put(struct store *s, struct ctx *ctx, struct str key, const void *bytes, size_t len, struct error *err)
{
    return put(s, ctx, key, bytes, len, true, err);
}

static enum store_result memory_put_if_absent(struct store *s, struct ctx *ctx, struct str key, const void *bytes, size_t len, struct error *err)
{
    return put(s, ctx, key, bytes, len, false, err);
}

static enum store_result memory_replace(struct store *s, struct ctx *ctx, struct str key, struct str old, struct str new, struct error *err)
{
    struct memory *m = memory_of(s);
    struct object o = {0};
    bool found;
    if (new.ptr && !object_init(&o, key, new.ptr, new.len, ctx_now_us(ctx)))
        return store_failed(error_oom(err));
    pthread_mutex_lock(&m->lock);
    size_t at = lower_bound(m, key, &found);
    bool same = found && m->objects[at].size_bytes == old.len && (!old.len || !memcmp(m->objects[at].bytes, old.ptr, old.len));
    if (same) {
        struct object was = m->objects[at];
        m->objects[at] = o;
        o = was;
        if (!new.ptr) {
            memmove(m->objects + at, m->objects + at + 1, (m->count - at - 1) * sizeof *m->objects);
            m->count--;
        }
    }
    pthread_mutex_unlock(&m->lock);
    object_release(&o);
    return same ? STORE_OK : found ? STORE_EXISTS : STORE_NOT_FOUND;
}

static enum store_result memory_read(struct store *s, struct ctx *ctx, struct str key, int64_t offset, int64_t len, struct buf *out,
                                     struct error *err)
{
    struct memory *m = memory_of(s);
    pthread_mutex_lock(&m->lock);
    const struct object *o = find(m, key);
    if (o) {
        size_t from = (uint64_t)offset < o->size_bytes ? (size_t)offset : o->size_bytes;
        size_t there = o->size_bytes - from;
        buf_append(out, o->bytes + from, len >= 0 && (uint64_t)len < there ? (size_t)len : there);
    }
    pthread_mutex_unlock(&m->lock);
    if (!o)
        return STORE_NOT_FOUND;
    if (buf_check(out, err) == STATUS_OK)
        return STORE_OK;
    error_context(err, "while reading \"%.*s\"", STR_ARG(key));
    return STORE_FAILED;
}

static enum store_result memory_stat(struct store *s, struct ctx *ctx, struct str key, struct store_entry *out, struct error *err)
{
    struct memory *m = memory_of(s);
    pthread_mutex_lock(&m->lock);
    const struct object *o = find(m, key);
    if (o)
        *out = (struct store_entry){key, (int64_t)o->size_bytes, o->modified_us};
    pthread_mutex_unlock(&m->lock);
    return o ? STORE_OK : STORE_NOT_FOUND;
}

static enum store_result memory_remove(struct store *s, struct ctx *ctx, struct str key, struct error *err)
{
    struct memory *m = memory_of(s);
    struct object removed = {0};
    bool found;
    pthread_mutex_lock(&m->lock);
    size_t at = lower_bound(m, key, &found);
    if (found) {
        removed = m->objects[at];
        m->count--;
        memmove(m->objects + at, m->objects + at + 1, (m->count - at) * sizeof *m->objects);
    }
    pthread_mutex_unlock(&m->lock);
    object_release(&removed);
    return STORE_OK;
}

/* Copies out the first object above *cursor (or at it, when inclusive); its key becomes the cursor. */
static bool next_object(struct memory *m, struct str prefix, bool inclusive, struct buf *cursor, struct store_entry *entry)
{
    bool found;
    pthread_mutex_lock(&m->lock);
    size_t at = lower_bound(m, buf_view(cursor), &found);
    if (found && !inclusive)
        at++;
    bool any = at < m->count && str_starts(m->objects[at].key, prefix);
    if (any) {
        const struct object *o = &m->objects[at];
        *entry = (struct store_entry){.size_bytes = (int64_t)o->size_bytes, .modified_us = o->modified_us};
        buf_clear(cursor);
        buf_str(cursor, o->key);
    }
    pthread_mutex_unlock(&m->lock);
    entry->key = buf_view(cursor);
    return any;
}

/* The lock is free while the callback runs: it may use the store. */
static enum store_result memory_list(struct store *s, struct ctx *ctx, struct str prefix, struct str after, store_list_fn fn, void *user,
                                     struct error *err)
{
    struct buf cursor = BUF_INIT;
    struct store_entry entry;
    bool inclusive = str_cmp(prefix, after) > 0;
    buf_str(&cursor, inclusive ? prefix : after);
    enum status st = buf_check(&cursor, err);
    while (st == STATUS_OK && next_object(memory_of(s), prefix, inclusive, &cursor, &entry)) {
        inclusive = false;
        st = buf_check(&cursor, err);
        if (st == STATUS_OK)
            st = ctx_check(ctx, err);
        if (st == STATUS_OK && !fn(user, &entry))
            break;
    }
    buf_release(&cursor);
    return st == STATUS_OK ? STORE_OK : STORE_FAILED;
}

static enum store_result memory_sync(struct store *s, struct ctx *ctx, const struct str *keys, size_t key_count, struct error *err)
{
    return STORE_OK;
}

static void memory_locate(struct store *s, struct str key, struct buf *out)
{
    buf_z(out, "memory:/");
    buf_str(out, key);
}

static enum store_result memory_prepare(struct store *s, struct ctx *ctx, struct str key, struct error *err) { return STORE_OK; }

static void memory_free(struct store *s)
{
    struct memory *m = memory_of(s);
    for (size_t i = 0; i < m->count; i++)
        object_release(&m->objects[i]);
    mem_free(m->objects);
    pthread_mutex_destroy(&m->lock);
    mem_free(m);
}

static const struct store_vtable memory_vtable = {
    .name = "memory",
    .read = memory_read,
    .list = memory_list,
    .put = memory_put,
    .put_if_absent = memory_put_if_absent,
    .replace = memory_replace,
    .remove = memory_remove,
    .stat = memory_stat,
    .sync = memory_sync,
    .locate = memory_locate,
    .prepare = memory_prepare,
    .free = memory_free,
};

enum status store_open_memory(struct store **out, struct error *err)
{
    *out = NULL;
    struct memory *m = mem_calloc(1, sizeof *m);
    if (!m)
        return error_oom(err);
    pthread_mutex_init(&m->lock, NULL);
    store_init(&m->base, &memory_vtable, STR("memory:"));
    *out = &m->base;
    return STATUS_OK;
}
