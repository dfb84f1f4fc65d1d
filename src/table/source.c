/* table/source.c: the files that COPY INTO is pointed at, and how each is recorded. */
#include "table/table_int.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

struct sources {
    struct arena *arena;
    struct source_file *items;
    size_t count, cap;
};

static bool add_source(struct sources *all, struct str path, int64_t size_bytes, int64_t modified_us)
{
    if (all->count == all->cap) {
        size_t cap = all->cap ? all->cap * 2 : 16;
        struct source_file *grown = ARENA_ARRAY(all->arena, struct source_file, cap);
        if (!grown)
            return false;
        if (all->count)
            memcpy(grown, all->items, all->count * sizeof *grown);
        all->items = grown;
        all->cap = cap;
    }
    struct source_file *file = &all->items[all->count];
    *file = (struct source_file){.path = arena_str(all->arena, path), .size_bytes = size_bytes, .modified_us = modified_us};
    all->count += file->path.ptr != NULL;
    return file->path.ptr != NULL;
}

/* ---- finding ------------------------------------------------------------------------------ */

/* Names that begin with '_' or '.' are other programs' own files (_SUCCESS, .part-0.crc), in whichever directory on the way. */
static bool is_hidden(struct str key)
{
    for (size_t i = 0; i < key.len; i++)
        if ((i == 0 || key.ptr[i - 1] == '/') && (key.ptr[i] == '_' || key.ptr[i] == '.'))
            return true;
    return false;
}

struct directory {
    struct sources *all;
    struct str root;
    bool failed;
};

static bool take_from_directory(void *user, const struct store_entry *entry)
{
    struct directory *dir = user;
    if (is_hidden(entry->key))
        return true;
    char *path = arena_printf(dir->all->arena, "%.*s/%.*s", STR_ARG(dir->root), STR_ARG(entry->key));
    dir->failed = !path || !add_source(dir->all, str_of(path), entry->size_bytes, entry->modified_us);
    return !dir->failed;
}

static enum status add_directory(struct ctx *ctx, struct sources *all, struct str path, struct error *err)
{
    struct store *store = NULL;
    enum status status = store_open_local(ctx, path, (struct store_local_options){.must_exist = true}, &store, err);
    if (status)
        return status;
    struct directory dir = {.all = all, .root = store->root};
    enum store_result result = store_list(store, ctx, STR(""), STR(""), take_from_directory, &dir, err);
    if (dir.failed)
        status = error_oom(err);
    else if (result != STORE_OK)
        status = err && err->code ? err->code : error_set(err, STATUS_STORE_IO, "cannot list \"%.*s\"", STR_ARG(path));
    store_unref(store);
    return status;
}

/* Absolute and without symbolic links, so that a file has one name. */
static enum status add_real_file(struct sources *all, const char *path, const struct stat *st, struct error *err)
{
    char real[PATH_MAX];
    if (!realpath(path, real))
        return error_set_errno(err, errno, "cannot find \"%s\"", path);
    int64_t modified_us = (int64_t)st->st_mtim.tv_sec * 1000000 + st->st_mtim.tv_nsec / 1000;
    return add_source(all, str_of(real), st->st_size, modified_us) ? STATUS_OK : error_oom(err);
}

static enum status add_glob(struct ctx *ctx, struct engine *e, struct sources *all, struct str pattern, struct error *err)
{
    struct engine_source_file *files = NULL;
    size_t count = 0;
    enum status status = engine_glob(ctx, e, pattern, all->arena, &files, &count, err);
    for (size_t i = 0; !status && i < count; i++) {
        struct stat st;
        struct str path = arena_str(all->arena, files[i].path);
        const char *slash = path.ptr ? strrchr(path.ptr, '/') : NULL;
        if (!path.ptr)
            return error_oom(err);
        if (is_hidden(str_of(slash ? slash + 1 : path.ptr)))
            continue;
        if (stat(path.ptr, &st) != 0)
            status = error_set_errno(err, errno, "cannot look at \"%s\"", path.ptr);
        else if (S_ISREG(st.st_mode))
            status = add_real_file(all, path.ptr, &st, err);
    }
    return status;
}

/* file:/x and file:///x are paths; other schemes are not read. */
static enum status local_path(struct arena *arena, struct str from, struct str *out, struct error *err)
{
    bool is_file_url = from.len > 5 && str_ieq(str_sub(from, 0, 5), STR("file:"));
    for (size_t i = 0; !is_file_url && i + 2 < from.len; i++)
        if (memcmp(from.ptr + i, "://", 3) == 0)
            return error_set(err, STATUS_NOT_SUPPORTED, "files can only be loaded from local paths, not from \"%.*s\"", STR_ARG(from));
    if (from.len == 0 || memchr(from.ptr, '\0', from.len))
        return error_set(err, STATUS_INVALID_ARGUMENT, "the path to load from is empty or has a zero byte");
    struct buf path = BUF_INIT;
    if (is_file_url)
        from = str_sub(from, 5, from.len - 5);
    if (is_file_url && str_starts(from, STR("//")))
        from = str_sub(from, 2, from.len - 2);
    bool valid = true;
    if (is_file_url)
        valid = uri_decode(&path, from);
    else
        buf_str(&path, from);
    enum status status = buf_check(&path, err);
    if (!status && !valid)
        status = error_set(err, STATUS_INVALID_ARGUMENT, "\"file:%.*s\" has a bad %%-escape", STR_ARG(from));
    if (!status && !(*out = arena_str(arena, buf_view(&path))).ptr)
        status = error_oom(err);
    buf_release(&path);
    return status;
}

/* A file that is named itself is taken whatever its name. */
static enum status find_sources(struct ctx *ctx, struct engine *e, struct sources *all, struct str path, struct error *err)
{
    struct stat st;
    if (stat(path.ptr, &st) != 0)
        return add_glob(ctx, e, all, path, err);
    if (S_ISDIR(st.st_mode))
        return add_directory(ctx, all, path, err);
    if (S_ISREG(st.st_mode))
        return add_real_file(all, path.ptr, &st, err);
    return error_set(err, STATUS_INVALID_ARGUMENT, "\"%s\" is neither a file nor a directory", path.ptr);
}

/* ---- recording --------------------------------------------------------------------------------- */

/* FNV-1a, 128 bit: what it yields is kept in logs, so it must never change. */
static unsigned __int128 fnv1a_128(struct str text)
{
    const unsigned __int128 prime = ((unsigned __int128)1 << 88) | 0x13B;
    unsigned __int128 hash = ((unsigned __int128)0x6C62272E07BB0142ULL << 64) | 0x62B821756295C58DULL;
    for (size_t i = 0; i < text.len; i++)
        hash = (hash ^ (unsigned char)text.ptr[i]) * prime;
    return hash;
}

/* The application id is the path's, the version says which state of the file: only equality counts. */
static bool record(struct arena *arena, struct source_file *file)
{
    unsigned __int128 id = fnv1a_128(file->path);
    snprintf(file->app_id, sizeof file->app_id, "varve-copy:%016llx%016llx", (unsigned long long)(id >> 64), (unsigned long long)id);
    char *state = arena_printf(arena, "%lld:%lld:%s", (long long)file->size_bytes, (long long)file->modified_us, file->path.ptr);
    if (!state)
        return false;
    unsigned __int128 hash = fnv1a_128(str_of(state));
    file->version = (int64_t)(((uint64_t)(hash >> 64) ^ (uint64_t)hash) & ((UINT64_C(1) << 62) - 1));
    if (file->version == 0)
        file->version = 1;
    return true;
}

static int compare_paths(const void *a, const void *b)
{
    return str_cmp(((const struct source_file *)a)->path, ((const struct source_file *)b)->path);
}

static enum status finish(struct sources *all, struct error *err)
{
    size_t n = 0;
    if (all->count)
        qsort(all->items, all->count, sizeof *all->items, compare_paths);
    for (size_t i = 0; i < all->count; i++) {
        if (n && str_eq(all->items[n - 1].path, all->items[i].path))
            continue;
        all->items[n] = all->items[i];
        if (!record(all->arena, &all->items[n++]))
            return error_oom(err);
    }
    all->count = n;
    return STATUS_OK;
}

enum status source_files(struct ctx *ctx, struct engine *e, struct str from, struct arena *arena, struct source_file **out, size_t *count,
                         struct error *err)
{
    struct sources all = {.arena = arena};
    struct str path;
    *out = NULL;
    *count = 0;
    enum status status = local_path(arena, from, &path, err);
    if (!status)
        status = find_sources(ctx, e, &all, path, err);
    if (!status && all.count == 0)
        status = error_set(err, STATUS_FILE_NOT_FOUND, "there are no files to load in \"%.*s\"", STR_ARG(from));
    if (!status)
        status = finish(&all, err);
    if (status)
        return status;
    *out = all.items;
    *count = all.count;
    return STATUS_OK;
}
