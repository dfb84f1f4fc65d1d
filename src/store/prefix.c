/* The part of a store below one key, as a store of its own. */
#include "store/store_int.h"

struct below {
    struct store base;
    struct store *whole;
    struct str prefix; /* with its slash at the end */
    char text[];       /* the prefix, then the root shown in messages */
};

static struct below *below_of(struct store *s) { return (struct below *)s; }

/* prefix + key into a buffer that the caller releases. */
static enum status whole_key(struct store *s, struct str key, struct buf *out, struct error *err)
{
    struct str prefix = below_of(s)->prefix;
    *out = BUF_INIT;
    buf_reserve(out, prefix.len + key.len);
    buf_str(out, prefix);
    buf_str(out, key);
    return buf_check(out, err);
}

static enum store_result below_read(struct store *s, struct ctx *ctx, struct str key, int64_t offset, int64_t len, struct buf *out, struct error *err)
{
    struct buf whole;
    enum store_result result = STORE_FAILED;
    if (whole_key(s, key, &whole, err) == STATUS_OK)
        result = store_read_range(below_of(s)->whole, ctx, buf_view(&whole), offset, len, out, err);
    buf_release(&whole);
    return result;
}

struct below_listing {
    size_t prefix_len;
    store_list_fn fn;
    void *user;
};

static bool on_entry(void *user, const struct store_entry *entry)
{
    const struct below_listing *l = user;
    struct store_entry shown = *entry;
    shown.key = str_sub(entry->key, l->prefix_len, entry->key.len - l->prefix_len);
    return l->fn(l->user, &shown);
}

static enum store_result below_list(struct store *s, struct ctx *ctx, struct str prefix, struct str after, store_list_fn fn, void *user,
                                    struct error *err)
{
    struct below *below = below_of(s);
    struct below_listing l = {below->prefix.len, fn, user};
    struct buf whole_prefix = BUF_INIT, whole_after = BUF_INIT;
    enum status st = whole_key(s, prefix, &whole_prefix, err);
    if (st == STATUS_OK && after.len)
        st = whole_key(s, after, &whole_after, err);
    enum store_result result = STORE_FAILED;
    if (st == STATUS_OK)
        result = store_list(below->whole, ctx, buf_view(&whole_prefix), buf_view(&whole_after), on_entry, &l, err);
    buf_release(&whole_after);
    buf_release(&whole_prefix);
    return result;
}

static enum store_result below_put(struct store *s, struct ctx *ctx, struct str key, const void *bytes, size_t len, struct error *err)
{
    struct buf whole;
    enum store_result result = STORE_FAILED;
    if (whole_key(s, key, &whole, err) == STATUS_OK)
        result = store_put(below_of(s)->whole, ctx, buf_view(&whole), bytes, len, err);
    buf_release(&whole);
    return result;
}

static enum store_result below_replace(struct store *s, struct ctx *ctx, struct str key, struct str old, struct str new, struct error *err)
{
    struct buf whole;
    enum store_result result = STORE_FAILED;
    if (whole_key(s, key, &whole, err) == STATUS_OK)
        result = store_replace(below_of(s)->whole, ctx, buf_view(&whole), old, new, err);
    buf_release(&whole);
    return result;
}

static enum store_result below_put_if_absent(struct store *s, struct ctx *ctx, struct str key, const void *bytes, size_t len, struct error *err)
{
    struct buf whole;
    enum store_result result = STORE_FAILED;
    if (whole_key(s, key, &whole, err) == STATUS_OK)
        result = store_put_if_absent(below_of(s)->whole, ctx, buf_view(&whole), bytes, len, err);
    buf_release(&whole);
    return result;
}

static enum store_result below_remove(struct store *s, struct ctx *ctx, struct str key, struct error *err)
{
    struct buf whole;
    enum store_result result = STORE_FAILED;
    if (whole_key(s, key, &whole, err) == STATUS_OK)
        result = store_remove(below_of(s)->whole, ctx, buf_view(&whole), err);
    buf_release(&whole);
    return result;
}

static enum store_result below_stat(struct store *s, struct ctx *ctx, struct str key, struct store_entry *out, struct error *err)
{
    struct buf whole;
    enum store_result result = STORE_FAILED;
    if (whole_key(s, key, &whole, err) == STATUS_OK)
        result = store_stat(below_of(s)->whole, ctx, buf_view(&whole), out, err);
    if (result == STORE_OK)
        out->key = key;
    buf_release(&whole);
    return result;
}

static enum store_result below_sync(struct store *s, struct ctx *ctx, const struct str *keys, size_t key_count, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct str prefix = below_of(s)->prefix;
    struct str *whole = key_count <= SIZE_MAX / sizeof *whole ? ARENA_ARRAY(&arena, struct str, key_count) : NULL;
    bool made = whole != NULL;
    for (size_t i = 0; made && i < key_count; i++) {
        char *text = arena_alloc(&arena, prefix.len + keys[i].len);
        made = text != NULL;
        if (made) {
            memcpy(text, prefix.ptr, prefix.len);
            memcpy(text + prefix.len, keys[i].ptr, keys[i].len);
            whole[i] = (struct str){text, prefix.len + keys[i].len};
        }
    }
    enum store_result result = made ? store_sync(below_of(s)->whole, ctx, whole, key_count, err) : store_failed(error_oom(err));
    arena_release(&arena);
    return result;
}

static void below_locate(struct store *s, struct str key, struct buf *out)
{
    struct buf whole;
    struct error ignored = ERROR_INIT;
    if (whole_key(s, key, &whole, &ignored) != STATUS_OK)
        out->failed = true;
    else if (key.len == 0)
        store_locate(below_of(s)->whole, (struct str){whole.ptr, whole.len - 1}, out);
    else
        store_locate(below_of(s)->whole, buf_view(&whole), out);
    error_release(&ignored);
    buf_release(&whole);
}

static enum store_result below_prepare(struct store *s, struct ctx *ctx, struct str key, struct error *err)
{
    struct buf whole;
    enum store_result result = STORE_FAILED;
    if (whole_key(s, key, &whole, err) == STATUS_OK)
        result = store_prepare(below_of(s)->whole, ctx, (struct str){whole.ptr, whole.len - (key.len == 0)}, err);
    buf_release(&whole);
    return result;
}

static void below_free(struct store *s)
{
    store_unref(below_of(s)->whole);
    mem_free(below_of(s));
}

static const struct store_vtable below_vtable = {
    .name = "prefix",
    .read = below_read,
    .list = below_list,
    .put = below_put,
    .put_if_absent = below_put_if_absent,
    .replace = below_replace,
    .remove = below_remove,
    .stat = below_stat,
    .sync = below_sync,
    .locate = below_locate,
    .prepare = below_prepare,
    .free = below_free,
};

enum status store_open_prefix(struct store *base, struct str prefix, struct store **out, struct error *err)
{
    *out = NULL;
    if (prefix.len == 0) {
        *out = store_ref(base);
        return STATUS_OK;
    }
    if (str_ends(prefix, STR("/")))
        prefix.len--;
    enum status st = store_key_check(prefix, err);
    if (st != STATUS_OK)
        return st;
    struct buf text = BUF_INIT;
    buf_str(&text, prefix);
    buf_char(&text, '/');
    size_t prefix_len = text.len;
    buf_str(&text, base->root);
    if (!str_ends(base->root, STR("/")))
        buf_char(&text, '/');
    buf_str(&text, prefix);
    struct below *below = text.failed ? NULL : mem_calloc(1, sizeof *below + text.len);
    if (below) {
        memcpy(below->text, text.ptr, text.len);
        below->prefix = (struct str){below->text, prefix_len};
        below->whole = store_ref(base);
        store_init(&below->base, &below_vtable, (struct str){below->text + prefix_len, text.len - prefix_len});
        *out = &below->base;
    }
    buf_release(&text);
    return below ? STATUS_OK : error_oom(err);
}
