/* catalog/place.c: where tables live. */
#include "catalog/catalog_int.h"

#include <stdio.h>
#include <stdlib.h>

#define LOG_PREFIX "_delta_log/"
#define FIRST_COMMIT LOG_PREFIX "00000000000000000000.json"
enum { VERSION_DIGITS = 20 };

/* ---- is there a log? -------------------------------------------------------------------- */

static void log_found(struct catalog_log *out, struct str name, const struct store_entry *entry)
{
    out->found = true;
    snprintf(out->id, sizeof out->id, "%.*s:%lld:%lld", (int)(name.len < 40 ? name.len : 40), name.ptr, (long long)entry->size_bytes,
             (long long)entry->modified_us);
}

/* A commit or a checkpoint: <20 digits>.json or <20 digits>.checkpoint… */
static bool is_log_file(struct str name)
{
    if (name.len <= VERSION_DIGITS)
        return false;
    for (size_t i = 0; i < VERSION_DIGITS; i++)
        if (name.ptr[i] < '0' || name.ptr[i] > '9')
            return false;
    struct str rest = str_sub(name, VERSION_DIGITS, name.len - VERSION_DIGITS);
    return str_eq(rest, STR(".json")) || str_starts(rest, STR(".checkpoint."));
}

struct log_search {
    size_t prefix_len;
    struct catalog_log *out;
};

static bool take_first_log_file(void *user, const struct store_entry *entry)
{
    struct log_search *search = user;
    struct str name = str_sub(entry->key, search->prefix_len, entry->key.len - search->prefix_len);
    if (!is_log_file(name))
        return true;
    log_found(search->out, name, entry);
    return false;
}

/* Version 0 is there until old commits are cleaned up: only then is the log listed. */
enum status catalog_log_probe(struct ctx *ctx, struct store *s, struct str base, struct catalog_log *out, struct error *err)
{
    *out = (struct catalog_log){0};
    struct buf key = BUF_INIT;
    buf_str(&key, base);
    buf_z(&key, FIRST_COMMIT);
    enum status status = buf_check(&key, err);
    if (status)
        return status;
    struct store_entry entry;
    enum store_result result = store_stat(s, ctx, buf_view(&key), &entry, err);
    if (result == STORE_OK) {
        log_found(out, str_sub(STR(FIRST_COMMIT), sizeof LOG_PREFIX - 1, VERSION_DIGITS), &entry);
    } else if (result == STORE_NOT_FOUND) {
        size_t prefix_len = base.len + sizeof LOG_PREFIX - 1;
        struct log_search search = {prefix_len, out};
        result = store_list(s, ctx, (struct str){key.ptr, prefix_len}, STR(""), take_first_log_file, &search, err);
    }
    status = catalog_store_status(result, buf_view(&key), err);
    buf_release(&key);
    return status;
}

/* ---- opening ------------------------------------------------------------------------------- */

enum status catalog_place_open(struct ctx *ctx, struct catalog *c, struct str location, struct store **out, struct error *err)
{
    struct store_local_options options = {.durable = c->durable};
    if (location.ptr[0] == '/')
        return store_open_local(ctx, location, options, out, err);
    return store_open_prefix(c->lake, location, out, err);
}

enum status catalog_place_probe(struct ctx *ctx, struct catalog *c, struct str location, struct catalog_log *out, struct error *err)
{
    struct store *store = NULL;
    *out = (struct catalog_log){0};
    enum status status = catalog_place_open(ctx, c, location, &store, err);
    if (!status)
        status = catalog_log_probe(ctx, store, STR(""), out, err);
    store_unref(store);
    return status;
}

static bool is_local(const struct store *s) { return s->root.len && s->root.ptr[0] == '/'; }

/* The key of a path below the lake's root; NULL ptr when it lies elsewhere, "" for the root itself. */
static struct str key_in_lake(const struct catalog *c, struct str path)
{
    struct str root = c->lake->root;
    if (!is_local(c->lake) || !str_starts(path, root))
        return STR_NULL;
    if (path.len == root.len)
        return STR("");
    size_t skip = root.ptr[root.len - 1] == '/' ? root.len : root.len + 1;
    return path.ptr[skip - 1] == '/' ? str_sub(path, skip, path.len - skip) : STR_NULL;
}

static enum status check_key(struct str key, struct str text, struct error *err)
{
    if (key.len == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a table cannot be at the lake's own directory: \"%.*s\"", STR_ARG(text));
    if (str_eq(key, STR("_varve")) || str_starts(key, STR("_varve/")))
        return error_set(err, STATUS_INVALID_ARGUMENT, "the directory of \"%.*s\" is reserved for the catalog", STR_ARG(text));
    return STATUS_OK;
}

/* On a lake without directories a relative location is a key, and an absolute one is still a local directory. */
static enum status place_absolute(struct arena *arena, const struct catalog *c, struct str text, struct str *path, struct error *err)
{
    bool has_directory = is_local(c->lake);
    enum status status = catalog_path_absolute(arena, text, has_directory ? c->lake->root : STR("/"), path, err);
    if (status || has_directory || text.ptr[0] == '/' || str_starts(text, STR("file:")))
        return status;
    *path = str_sub(*path, 1, path->len - 1);
    return check_key(*path, text, err);
}

enum status catalog_place_named(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str text, struct str *location, struct error *err)
{
    struct str path;
    enum status status = place_absolute(arena, c, text, &path, err);
    if (status || path.ptr[0] != '/') {
        *location = status ? STR_NULL : path;
        return status;
    }
    struct store *store = NULL; /* resolves symbolic links, and refuses what is no directory */
    status = catalog_place_open(ctx, c, path, &store, err);
    if (status)
        return status;
    struct str key = key_in_lake(c, store->root);
    if (key.ptr)
        status = check_key(key, text, err);
    *location = arena_str(arena, key.ptr ? key : store->root);
    if (!status && !location->ptr)
        status = error_oom(err);
    store_unref(store);
    return status;
}

/* ---- deleting --------------------------------------------------------------------------------- */

/* Removes a log file unless another log has begun at this place meanwhile. */
static enum status remove_if_same(struct ctx *ctx, struct store *s, const struct store_entry *seen, struct error *err)
{
    struct store_entry now;
    enum store_result result = store_stat(s, ctx, seen->key, &now, err);
    if (result == STORE_NOT_FOUND)
        return STATUS_OK;
    enum status status = catalog_store_status(result, seen->key, err);
    if (status || now.modified_us != seen->modified_us || now.size_bytes != seen->size_bytes)
        return status;
    return catalog_object_remove(ctx, s, seen->key, err);
}

/* Data first, then the log from its end: the place counts as taken until its first commit is gone, so a table that is
 * created here right after cannot lose anything to this. */
enum status catalog_place_delete(struct ctx *ctx, struct store *s, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct store_entry *entries = NULL;
    size_t count = 0;
    enum status status = catalog_list_keys(ctx, s, STR(""), &arena, &entries, &count, err);
    for (size_t i = 0; !status && i < count; i++)
        if (!str_starts(entries[i].key, STR(LOG_PREFIX)))
            status = catalog_object_remove(ctx, s, entries[i].key, err);
    for (size_t i = count; !status && i-- > 0;)
        if (str_starts(entries[i].key, STR(LOG_PREFIX)))
            status = remove_if_same(ctx, s, &entries[i], err);
    arena_release(&arena);
    return status;
}
