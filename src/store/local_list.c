/* A directory tree as a sorted list of keys.
 *
 * Within one directory a subdirectory "a" sorts as "a/": its keys all begin so, and
 * '/' is a byte like any other ("a.b" < "a/b" < "a0").  So sorting each directory's
 * names by that text and descending in order gives the order of whole keys, and only
 * the names of the directories on the way down are in memory.
 */
#include "store/store_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct listing {
    struct ctx *ctx;
    struct str root, prefix, after;
    store_list_fn fn;
    void *user;
    struct buf key; /* of the directory being read, then of the entry in hand */
    bool stopped;   /* by the callback */
};

/* A directory that is being read, linked to the one above it. */
struct level {
    const struct level *up;
    dev_t device;
    ino_t inode;
    int fd;
    size_t base_len; /* of listing.key */
};

/* text is the name, with a slash behind it for a directory. */
struct name {
    struct str text;
    bool by_link;
};

struct names {
    struct arena arena;
    struct name *items;
    size_t count, capacity;
};

static int compare_names(const void *a, const void *b) { return str_cmp(((const struct name *)a)->text, ((const struct name *)b)->text); }

static bool names_add(struct names *names, struct str name, bool is_dir, bool by_link)
{
    if (names->count == names->capacity) {
        size_t capacity = names->capacity ? names->capacity * 2 : 64;
        struct name *grown = mem_realloc(names->items, capacity * sizeof *grown);
        if (!grown)
            return false;
        names->items = grown;
        names->capacity = capacity;
    }
    char *text = arena_alloc(&names->arena, name.len + 2);
    if (!text)
        return false;
    memcpy(text, name.ptr, name.len);
    if (is_dir)
        text[name.len] = '/';
    names->items[names->count++] = (struct name){{text, name.len + is_dir}, by_link};
    return true;
}

static void names_release(struct names *names)
{
    arena_release(&names->arena);
    mem_free(names->items);
}

/* Whether key is asked for, or, being a directory's with its slash, leads to something asked for. */
static bool is_wanted(const struct listing *l, struct str key, bool is_dir)
{
    if (!str_starts(key, l->prefix) && !(is_dir && str_starts(l->prefix, key)))
        return false;
    return str_cmp(key, l->after) > 0 || (is_dir && str_starts(l->after, key));
}

static bool is_dot_name(struct str name) { return str_eq(name, STR(".")) || str_eq(name, STR("..")); }

enum kind { KIND_OTHER, KIND_FILE, KIND_DIRECTORY };

/* What a name is; asks the file system only when the directory does not tell. */
static enum kind kind_of(int dir_fd, const struct dirent *entry, bool *by_link)
{
    struct stat st;
    *by_link = entry->d_type != DT_REG && entry->d_type != DT_DIR;
    if (entry->d_type == DT_REG)
        return KIND_FILE;
    if (entry->d_type == DT_DIR)
        return KIND_DIRECTORY;
    if ((entry->d_type != DT_LNK && entry->d_type != DT_UNKNOWN) || fstatat(dir_fd, entry->d_name, &st, 0) != 0)
        return KIND_OTHER;
    return S_ISDIR(st.st_mode) ? KIND_DIRECTORY : S_ISREG(st.st_mode) ? KIND_FILE : KIND_OTHER;
}

/* Most of a long log is skipped here, before anything is asked about it. */
static enum status add_entry(struct listing *l, const struct level *level, const struct dirent *entry, struct names *names, struct error *err)
{
    struct str name = str_of(entry->d_name);
    if (is_dot_name(name) || str_starts(name, STR(STORE_TEMP_PREFIX)))
        return STATUS_OK;
    buf_str(&l->key, name);
    bool as_file = is_wanted(l, buf_view(&l->key), false);
    buf_char(&l->key, '/');
    bool as_dir = is_wanted(l, buf_view(&l->key), true);
    l->key.len = level->base_len;
    if (l->key.failed)
        return buf_check(&l->key, err);
    if (!as_file && !as_dir)
        return STATUS_OK;
    bool by_link;
    enum kind kind = kind_of(level->fd, entry, &by_link);
    bool wanted = kind == KIND_FILE ? as_file : kind == KIND_DIRECTORY && as_dir;
    if (wanted && !names_add(names, name, kind == KIND_DIRECTORY, by_link))
        return error_oom(err);
    return STATUS_OK;
}

static enum status read_names(struct listing *l, const struct level *level, DIR *dir, struct names *names, struct error *err)
{
    enum status st = STATUS_OK;
    while (st == STATUS_OK) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry && errno)
            return error_set_errno(err, errno, "cannot read directory \"%.*s/%.*s\"", STR_ARG(l->root), (int)level->base_len, l->key.ptr);
        if (!entry)
            break;
        st = add_entry(l, level, entry, names, err);
    }
    if (st == STATUS_OK && names->count)
        qsort(names->items, names->count, sizeof *names->items, compare_names);
    return st;
}

static enum status emit(struct listing *l, int dir_fd, const char *name, struct error *err)
{
    struct stat st;
    if (fstatat(dir_fd, name, &st, 0) != 0) {
        if (errno == ENOENT) /* removed since the directory was read */
            return STATUS_OK;
        return error_set_errno(err, errno, "cannot look at \"%.*s/%s\"", STR_ARG(l->root), l->key.ptr);
    }
    if (!S_ISREG(st.st_mode))
        return STATUS_OK;
    struct store_entry entry = {
        .key = buf_view(&l->key),
        .size_bytes = st.st_size,
        .modified_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000,
    };
    l->stopped = !l->fn(l->user, &entry);
    return STATUS_OK;
}

static enum status list_directory(struct listing *l, const struct level *up, int parent_fd, const char *name, bool by_link, struct error *err);

/* l->key holds the key of the entry, a directory's with its slash. */
static enum status visit(struct listing *l, const struct level *level, const struct name *name, struct error *err)
{
    if (name->text.ptr[name->text.len - 1] != '/')
        return emit(l, level->fd, name->text.ptr, err);
    return list_directory(l, level, level->fd, name->text.ptr, name->by_link, err);
}

static enum status visit_all(struct listing *l, const struct level *level, const struct names *names, struct error *err)
{
    enum status st = ctx_check(l->ctx, err);
    for (size_t i = 0; i < names->count && st == STATUS_OK && !l->stopped; i++) {
        buf_str(&l->key, names->items[i].text);
        st = buf_check(&l->key, err);
        if (st == STATUS_OK)
            st = visit(l, level, &names->items[i], err);
        l->key.len = level->base_len;
    }
    return st;
}

/* A symbolic link back to a directory that is being listed would never end. */
static bool is_loop(const struct level *level)
{
    for (const struct level *up = level->up; up; up = up->up)
        if (up->device == level->device && up->inode == level->inode)
            return true;
    return false;
}

static bool vanished(int errnum) { return errnum == ENOENT || errnum == ENOTDIR || errnum == ELOOP; }

static enum status list_opened(struct listing *l, struct level *level, DIR *dir, bool by_link, struct error *err)
{
    struct stat st;
    if (fstat(level->fd, &st) != 0)
        return error_set_errno(err, errno, "cannot look at directory \"%.*s/%.*s\"", STR_ARG(l->root), (int)level->base_len, l->key.ptr);
    level->device = st.st_dev;
    level->inode = st.st_ino;
    if (by_link && is_loop(level))
        return STATUS_OK;
    struct names names = {.arena = ARENA_INIT};
    enum status result = read_names(l, level, dir, &names, err);
    if (result == STATUS_OK)
        result = visit_all(l, level, &names, err);
    names_release(&names);
    return result;
}

static enum status list_directory(struct listing *l, const struct level *up, int parent_fd, const char *name, bool by_link, struct error *err)
{
    struct level level = {.up = up, .base_len = l->key.len};
    level.fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = level.fd >= 0 ? fdopendir(level.fd) : NULL;
    if (!dir) {
        int why = errno;
        if (level.fd >= 0)
            close(level.fd);
        if (vanished(why))
            return STATUS_OK;
        return error_set_errno(err, why, "cannot open directory \"%.*s/%.*s\"", STR_ARG(l->root), (int)l->key.len, l->key.ptr);
    }
    enum status st = list_opened(l, &level, dir, by_link, err);
    closedir(dir);
    return st;
}

enum store_result local_list(struct str root, struct ctx *ctx, struct str prefix, struct str after, store_list_fn fn, void *user, struct error *err)
{
    struct listing l = {.ctx = ctx, .root = root, .prefix = prefix, .after = after, .fn = fn, .user = user, .key = BUF_INIT};
    struct buf path = BUF_INIT;
    const char *slash = prefix.len ? memrchr(prefix.ptr, '/', prefix.len) : NULL;
    struct str start = {prefix.ptr, slash ? (size_t)(slash - prefix.ptr) + 1 : 0};
    buf_reserve(&l.key, start.len + NAME_MAX);
    buf_str(&l.key, start);
    buf_str(&path, root);
    buf_char(&path, '/');
    buf_str(&path, start);
    enum status st = buf_check(&l.key, err);
    if (st == STATUS_OK)
        st = buf_check(&path, err);
    if (st == STATUS_OK)
        st = list_directory(&l, NULL, AT_FDCWD, path.ptr, false, err);
    buf_release(&path);
    buf_release(&l.key);
    return st == STATUS_OK ? STORE_OK : STORE_FAILED;
}
