#include "store/store_int.h"

static enum status segment_check(struct str segment, struct str key, struct error *err)
{
    const char *fault = NULL;
    if (segment.len == 0)
        fault = "has an empty part";
    else if (str_eq(segment, STR(".")) || str_eq(segment, STR("..")))
        fault = "has a part \".\" or \"..\"";
    else if (str_starts(segment, STR(STORE_TEMP_PREFIX)))
        fault = "has a part that begins with the reserved \"" STORE_TEMP_PREFIX "\"";
    else if (memchr(segment.ptr, '\0', segment.len))
        fault = "has a zero byte";
    if (!fault)
        return STATUS_OK;
    return error_set(err, STATUS_INVALID_ARGUMENT, "the key \"%.*s\" %s", STR_ARG(key), fault);
}

enum status store_key_check(struct str key, struct error *err)
{
    for (struct str rest = key;;) {
        const char *slash = rest.len ? memchr(rest.ptr, '/', rest.len) : NULL;
        size_t len = slash ? (size_t)(slash - rest.ptr) : rest.len;
        enum status st = segment_check((struct str){rest.ptr, len}, key, err);
        if (st != STATUS_OK || !slash)
            return st;
        rest = str_sub(rest, len + 1, rest.len - len - 1);
    }
}

enum status store_prefix_check(struct str prefix, struct error *err)
{
    const char *slash = prefix.len ? memrchr(prefix.ptr, '/', prefix.len) : NULL;
    return slash ? store_key_check((struct str){prefix.ptr, (size_t)(slash - prefix.ptr)}, err) : STATUS_OK;
}

void store_init(struct store *s, const struct store_vtable *v, struct str root)
{
    s->v = v;
    s->root = root;
    atomic_init(&s->refs, 1);
}

struct store *store_ref(struct store *s)
{
    atomic_fetch_add_explicit(&s->refs, 1, memory_order_relaxed);
    return s;
}

void store_unref(struct store *s)
{
    if (s && atomic_fetch_sub_explicit(&s->refs, 1, memory_order_acq_rel) == 1)
        s->v->free(s);
}

enum store_result store_read(struct store *s, struct ctx *ctx, struct str key, struct buf *out, struct error *err)
{
    return store_read_range(s, ctx, key, 0, -1, out, err);
}

enum store_result store_read_range(struct store *s, struct ctx *ctx, struct str key, int64_t offset, int64_t len, struct buf *out, struct error *err)
{
    if (store_key_check(key, err) != STATUS_OK)
        return STORE_FAILED;
    if (offset < 0)
        return store_failed(error_set(err, STATUS_INVALID_ARGUMENT, "a read of \"%.*s\" begins before its start", STR_ARG(key)));
    return s->v->read(s, ctx, key, offset, len, out, err);
}

enum store_result store_list(struct store *s, struct ctx *ctx, struct str prefix, struct str after, store_list_fn fn, void *user, struct error *err)
{
    if (store_prefix_check(prefix, err) != STATUS_OK)
        return STORE_FAILED;
    return s->v->list(s, ctx, prefix, after, fn, user, err);
}

enum store_result store_put(struct store *s, struct ctx *ctx, struct str key, const void *bytes, size_t len, struct error *err)
{
    if (store_key_check(key, err) != STATUS_OK)
        return STORE_FAILED;
    return s->v->put(s, ctx, key, bytes, len, err);
}

enum store_result store_put_if_absent(struct store *s, struct ctx *ctx, struct str key, const void *bytes, size_t len, struct error *err)
{
    if (store_key_check(key, err) != STATUS_OK)
        return STORE_FAILED;
    return s->v->put_if_absent(s, ctx, key, bytes, len, err);
}

enum store_result store_replace(struct store *s, struct ctx *ctx, struct str key, struct str old, struct str new, struct error *err)
{
    if (store_key_check(key, err) != STATUS_OK)
        return STORE_FAILED;
    return s->v->replace(s, ctx, key, old, new, err);
}

enum store_result store_remove(struct store *s, struct ctx *ctx, struct str key, struct error *err)
{
    if (store_key_check(key, err) != STATUS_OK)
        return STORE_FAILED;
    return s->v->remove(s, ctx, key, err);
}

enum store_result store_stat(struct store *s, struct ctx *ctx, struct str key, struct store_entry *out, struct error *err)
{
    *out = (struct store_entry){0};
    if (store_key_check(key, err) != STATUS_OK)
        return STORE_FAILED;
    return s->v->stat(s, ctx, key, out, err);
}

enum store_result store_sync(struct store *s, struct ctx *ctx, const struct str *keys, size_t key_count, struct error *err)
{
    for (size_t i = 0; i < key_count; i++)
        if (store_key_check(keys[i], err) != STATUS_OK)
            return STORE_FAILED;
    return key_count ? s->v->sync(s, ctx, keys, key_count, err) : STORE_OK;
}

enum store_result store_prepare(struct store *s, struct ctx *ctx, struct str key, struct error *err)
{
    if (key.len && store_key_check(key, err) != STATUS_OK)
        return STORE_FAILED;
    return s->v->prepare(s, ctx, key, err);
}

void store_locate(struct store *s, struct str key, struct buf *out) { s->v->locate(s, key, out); }
