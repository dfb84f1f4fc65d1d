/* Objects as files below a directory.
 *
 * A new object is written under no name (O_TMPFILE), or under a temporary one where
 * the file system has no nameless files, flushed, and then given its name in one step:
 * link(2), which fails when the name is taken, for put_if_absent, and rename(2), which
 * replaces, for put.  So a name always leads to a whole object, and of racing links one
 * wins.  Where hard links are refused (some FUSE and network mounts), put_if_absent
 * creates the final name exclusively and writes it with a single call: one winner still,
 * but a reader may meet the object half written.
 */
#include "store/store_int.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SWEPT_DIRECTORIES = 8 };
struct local {
    struct store base;
    bool durable;
    atomic_bool no_nameless;                               /* the file system has no O_TMPFILE, or /proc is not mounted */
    _Atomic uint64_t swept_directories[SWEPT_DIRECTORIES]; /* hashes of paths: not swept again, or seldom */
    char root[];
};

/* A file's absolute path, kept on the stack. text[name_at] is the last segment. */
struct local_path {
    char text[PATH_MAX];
    size_t len, name_at;
};

enum { TEMP_NAME_BYTES = 32, CREATE_TRIES = 8 };

/* An object being written. */
struct staged {
    int dir_fd;
    int fd;
    char temp_name[TEMP_NAME_BYTES]; /* empty for a nameless file */
};

static struct local *local_of(struct store *s) { return (struct local *)s; }

static struct str local_root(struct store *s) { return str_of(local_of(s)->root); }

static enum status path_make(struct store *s, struct str key, struct local_path *path, struct error *err)
{
    struct str root = local_root(s);
    if (root.len + 1 + key.len >= sizeof path->text)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the path of key \"%.*s\" is longer than %d bytes", STR_ARG(key), PATH_MAX - 1);
    memcpy(path->text, root.ptr, root.len);
    path->len = root.len;
    if (key.len) {
        path->text[path->len++] = '/';
        memcpy(path->text + path->len, key.ptr, key.len);
        path->len += key.len;
    } else if (root.len == 0) {
        path->text[path->len++] = '/';
    }
    path->text[path->len] = '\0';
    const char *slash = memrchr(path->text, '/', path->len);
    path->name_at = slash ? (size_t)(slash - path->text) + 1 : 0;
    return STATUS_OK;
}

static bool is_absence(int errnum) { return errnum == ENOENT || errnum == ENOTDIR; }

static int open_retry(int dir_fd, const char *name, int flags, mode_t mode)
{
    int fd;
    do
        fd = openat(dir_fd, name, flags | O_CLOEXEC, mode);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int fsync_retry(int fd)
{
    int rc;
    do
        rc = fsync(fd);
    while (rc != 0 && errno == EINTR);
    return rc;
}

static void close_quietly(int fd)
{
    int saved = errno;
    if (fd >= 0)
        close(fd);
    errno = saved;
}

/* ---- directories --------------------------------------------------------- */

/* Directories that cannot be fsynced (EINVAL on some network mounts) promise nothing better. */
static int fsync_directory(const char *path)
{
    int fd = open_retry(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, 0);
    if (fd < 0)
        return -1;
    int rc = fsync_retry(fd);
    if (rc != 0 && errno == EINVAL)
        rc = 0;
    close_quietly(fd);
    return rc;
}

/* One mkdir, and its entry made durable.  A directory that somebody else is making at
 * this moment may not have reached the disk yet, so its parent is flushed all the same. */
static int make_one_directory(char *path, bool durable)
{
    if (mkdir(path, 0777) != 0 && errno != EEXIST)
        return -1;
    char *slash = strrchr(path, '/');
    if (!durable || !slash)
        return 0;
    char *cut = slash == path ? slash + 1 : slash;
    char kept = *cut;
    *cut = '\0';
    int rc = fsync_directory(path);
    *cut = kept;
    return rc;
}

/* mkdir -p. path is absolute, is changed for a while and restored. */
static int make_directories(char *path, bool durable)
{
    struct stat st;
    if (stat(path, &st) == 0)
        return 0;
    char *slash = strrchr(path, '/');
    if (errno != ENOENT || !slash)
        return -1;
    int rc = 0;
    if (slash > path) {
        *slash = '\0';
        rc = make_directories(path, durable);
        *slash = '/';
    }
    return rc == 0 ? make_one_directory(path, durable) : rc;
}

/* The directory of path, made when it is missing; -1 with errno. */
static int open_parent(struct store *s, struct local_path *path)
{
    size_t dir_len = path->name_at > 1 ? path->name_at - 1 : 1;
    char kept = path->text[dir_len];
    int fd = -1;
    path->text[dir_len] = '\0';
    for (int attempt = 0; attempt < CREATE_TRIES; attempt++) { /* others may be removing what is made here */
        fd = open_retry(AT_FDCWD, path->text, O_RDONLY | O_DIRECTORY, 0);
        if (fd >= 0 || errno != ENOENT || make_directories(path->text, local_of(s)->durable) != 0)
            break;
    }
    path->text[dir_len] = kept;
    return fd;
}

/* ---- writing -------------------------------------------------------------- */

static int write_whole(int fd, const void *bytes, size_t len)
{
    const char *at = bytes;
    while (len) {
        size_t chunk = len < SSIZE_MAX ? len : SSIZE_MAX;
        ssize_t put = write(fd, at, chunk);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        at += put;
        len -= (size_t)put;
    }
    return 0;
}

/* A close that reports a lost write (network mounts do so here). The descriptor is gone either way. */
static int close_checked(int fd) { return close(fd) != 0 && errno != EINTR ? -1 : 0; }

static bool nameless_refused(int errnum) { return errnum == EOPNOTSUPP || errnum == EISDIR || errnum == EINVAL || errnum == ENOSYS; }

static void temp_name_make(char out[TEMP_NAME_BYTES])
{
    uint64_t number;
    rng_system.fill(rng_system.self, &number, sizeof number);
    snprintf(out, TEMP_NAME_BYTES, STORE_TEMP_PREFIX "%016llx", (unsigned long long)number);
}

static int open_named_temp(struct staged *staged)
{
    int fd = -1;
    for (int attempt = 0; attempt < CREATE_TRIES; attempt++) {
        temp_name_make(staged->temp_name);
        fd = open_retry(staged->dir_fd, staged->temp_name, O_WRONLY | O_CREAT | O_EXCL, 0666);
        if (fd >= 0 || errno != EEXIST)
            break;
    }
    if (fd < 0)
        staged->temp_name[0] = '\0';
    return fd;
}

static int open_staged_file(struct local *local, struct staged *staged, bool nameless)
{
    staged->temp_name[0] = '\0';
    if (nameless && !atomic_load_explicit(&local->no_nameless, memory_order_relaxed)) {
        int fd = open_retry(staged->dir_fd, ".", O_WRONLY | O_TMPFILE, 0666);
        if (fd >= 0 || !nameless_refused(errno))
            return fd;
        atomic_store_explicit(&local->no_nameless, true, memory_order_relaxed);
    }
    return open_named_temp(staged);
}

/* Gives back what stage took; a temporary name goes with it. Keeps errno. */
static void staged_release(struct staged *staged)
{
    int saved = errno;
    if (staged->fd >= 0)
        close(staged->fd);
    if (staged->temp_name[0])
        unlinkat(staged->dir_fd, staged->temp_name, 0);
    if (staged->dir_fd >= 0)
        close(staged->dir_fd);
    *staged = (struct staged){.dir_fd = -1, .fd = -1};
    errno = saved;
}

/* Writes and flushes the bytes next to where they will belong; -1 with errno. */
static int stage(struct store *s, struct local_path *path, bool nameless, const void *bytes, size_t len, struct staged *staged)
{
    *staged = (struct staged){.dir_fd = -1, .fd = -1};
    staged->dir_fd = open_parent(s, path);
    if (staged->dir_fd < 0)
        return -1;
    staged->fd = open_staged_file(local_of(s), staged, nameless);
    int rc = staged->fd < 0 ? -1 : write_whole(staged->fd, bytes, len);
    if (rc == 0 && local_of(s)->durable)
        rc = fsync_retry(staged->fd);
    if (rc == 0 && staged->temp_name[0]) {
        rc = close_checked(staged->fd);
        staged->fd = -1;
    }
    if (rc != 0)
        staged_release(staged);
    return rc;
}

/* The name is there; what is left is to make the directory entry durable. */
static enum store_result settle(struct store *s, struct ctx *ctx, int dir_fd, const struct local_path *path)
{
    if (!local_of(s)->durable || fsync_retry(dir_fd) == 0 || errno == EINVAL)
        return STORE_OK;
    char reason[128];
    log_event(ctx, LOG_WARN, "directory_sync_failed", "path", path->text, "reason", strerror_r(errno, reason, sizeof reason), NULL);
    return STORE_UNKNOWN;
}

/* Whoever writes with temporary names takes away those that were left in the same directory, once. */
static void sweep_beside(struct store *s, struct ctx *ctx, int dir_fd, const struct local_path *path)
{
    struct str directory = {path->text, path->name_at};
    uint64_t hash = hash_str(directory) | 1;
    if (atomic_exchange_explicit(&local_of(s)->swept_directories[hash / 2 % SWEPT_DIRECTORIES], hash, memory_order_relaxed) == hash)
        return;
    char name[PATH_MAX];
    memcpy(name, directory.ptr, directory.len);
    name[directory.len] = '\0';
    local_sweep(ctx, dir_fd, name);
}

static enum store_result put_failed(const struct local_path *path, struct error *err)
{
    return store_failed(error_set_errno(err, errno, "cannot write \"%s\"", path->text));
}

/* False when a rename that reported failure has moved the file after all. Keeps errno. */
static bool still_named(const struct staged *staged)
{
    struct stat st;
    int saved = errno;
    bool there = fstatat(staged->dir_fd, staged->temp_name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
    errno = saved;
    return there;
}

static enum store_result local_put(struct store *s, struct ctx *ctx, struct str key, const void *bytes, size_t len, struct error *err)
{
    struct local_path path;
    struct staged staged;
    if (path_make(s, key, &path, err) != STATUS_OK)
        return STORE_FAILED;
    if (stage(s, &path, false, bytes, len, &staged) != 0)
        return put_failed(&path, err);
    enum store_result result = STORE_UNKNOWN;
    if (renameat(staged.dir_fd, staged.temp_name, staged.dir_fd, path.text + path.name_at) == 0) {
        staged.temp_name[0] = '\0';
        result = settle(s, ctx, staged.dir_fd, &path);
        sweep_beside(s, ctx, staged.dir_fd, &path);
    } else if (still_named(&staged)) {
        result = put_failed(&path, err);
    }
    staged_release(&staged);
    return result;
}

/* Gives the staged file its final name. 0, or -1 with errno. */
static int link_staged(const struct staged *staged, const char *name)
{
    if (staged->temp_name[0])
        return linkat(staged->dir_fd, staged->temp_name, staged->dir_fd, name, 0);
    char self[32];
    snprintf(self, sizeof self, "/proc/self/fd/%d", staged->fd);
    return linkat(AT_FDCWD, self, staged->dir_fd, name, AT_SYMLINK_FOLLOW);
}

/* Over a network a link may succeed though its reply says otherwise (the request was
 * repeated after a lost reply): the link count tells. */
static bool link_took_effect(const struct staged *staged)
{
    struct stat st;
    if (!staged->temp_name[0])
        return fstat(staged->fd, &st) == 0 && st.st_nlink > 0;
    return fstatat(staged->dir_fd, staged->temp_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_nlink > 1;
}

static bool links_refused(int errnum) { return errnum == EPERM || errnum == ENOSYS || errnum == EOPNOTSUPP; }

/* For file systems without hard links. One write, so that the time in which a reader can
 * meet half an object is as short as it can be made. */
static enum store_result put_exclusively(struct store *s, struct ctx *ctx, int dir_fd, const struct local_path *path, const void *bytes, size_t len,
                                         struct error *err)
{
    const char *name = path->text + path->name_at;
    int fd = open_retry(dir_fd, name, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (fd < 0)
        return errno == EEXIST ? STORE_EXISTS : put_failed(path, err);
    int rc = write_whole(fd, bytes, len);
    if (rc == 0 && local_of(s)->durable)
        rc = fsync_retry(fd);
    if (rc != 0)
        close_quietly(fd);
    else
        rc = close_checked(fd);
    if (rc == 0)
        return settle(s, ctx, dir_fd, path);
    enum store_result result = put_failed(path, err);
    return unlinkat(dir_fd, name, 0) == 0 ? result : STORE_UNKNOWN;
}

/* Something with this name that is not an object can never give way to one. */
static enum store_result name_taken(const struct local_path *path, struct error *err)
{
    struct stat st;
    if (stat(path->text, &st) == 0 && !S_ISREG(st.st_mode))
        return store_failed(error_set(err, STATUS_STORE_IO, "cannot write \"%s\": it is not a regular file", path->text));
    return STORE_EXISTS;
}

/* Links of a nameless file need /proc and a file system that plays along. */
static bool nameless_link_refused(const struct staged *staged, int errnum)
{
    return !staged->temp_name[0] && (links_refused(errnum) || errnum == ENOENT || errnum == EXDEV || errnum == EINVAL);
}

/* *again: nothing has happened, and a named temporary file may do better. */
static enum store_result publish_if_absent(struct store *s, struct ctx *ctx, const struct local_path *path, const struct staged *staged,
                                           const void *bytes, size_t len, bool *again, struct error *err)
{
    *again = false;
    if (link_staged(staged, path->text + path->name_at) == 0)
        return settle(s, ctx, staged->dir_fd, path);
    int why = errno;
    if (link_took_effect(staged))
        return settle(s, ctx, staged->dir_fd, path);
    if (why == EEXIST)
        return name_taken(path, err);
    *again = nameless_link_refused(staged, why);
    if (links_refused(why) && !*again)
        return put_exclusively(s, ctx, staged->dir_fd, path, bytes, len, err);
    errno = why;
    return *again ? STORE_FAILED : put_failed(path, err);
}

static enum store_result local_put_if_absent(struct store *s, struct ctx *ctx, struct str key, const void *bytes, size_t len, struct error *err)
{
    struct local_path path;
    struct staged staged;
    struct stat st;
    if (path_make(s, key, &path, err) != STATUS_OK)
        return STORE_FAILED;
    if (stat(path.text, &st) == 0) /* spares whoever comes late two flushes */
        return name_taken(&path, err);
    enum store_result result;
    bool again = false;
    do {
        if (again)
            atomic_store_explicit(&local_of(s)->no_nameless, true, memory_order_relaxed);
        if (stage(s, &path, true, bytes, len, &staged) != 0)
            return put_failed(&path, err);
        result = publish_if_absent(s, ctx, &path, &staged, bytes, len, &again, err);
        if (staged.temp_name[0])
            sweep_beside(s, ctx, staged.dir_fd, &path);
        staged_release(&staged);
    } while (again);
    return result;
}

/* ---- reading -------------------------------------------------------------- */

/* Non-blocking, so that a named pipe somebody put there does not hang the reader. */
static int open_object(const struct local_path *path, struct stat *st)
{
    int fd = open_retry(AT_FDCWD, path->text, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    if (fd < 0)
        return -1;
    if (fstat(fd, st) != 0) {
        close_quietly(fd);
        return -1;
    }
    if (!S_ISREG(st->st_mode)) {
        close(fd);
        errno = ENOENT;
        return -1;
    }
    return fd;
}

/* Appends [offset, offset + len) of fd, or what there is of it; -1 with errno. */
static int read_into(int fd, int64_t offset, size_t len, struct buf *out)
{
    while (len) {
        ssize_t got = pread(fd, out->ptr + out->len, len, offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -1;
        if (got == 0)
            break;
        out->len += (size_t)got;
        offset += got;
        len -= (size_t)got;
    }
    if (out->ptr)
        out->ptr[out->len] = '\0';
    return 0;
}

static enum store_result local_read(struct store *s, struct ctx *ctx, struct str key, int64_t offset, int64_t len, struct buf *out, struct error *err)
{
    struct local_path path;
    struct stat st;
    if (path_make(s, key, &path, err) != STATUS_OK)
        return STORE_FAILED;
    int fd = open_object(&path, &st);
    if (fd < 0)
        return is_absence(errno) ? STORE_NOT_FOUND : store_failed(error_set_errno(err, errno, "cannot open \"%s\"", path.text));
    int64_t there = st.st_size > offset ? st.st_size - offset : 0;
    int64_t want = len >= 0 && len < there ? len : there;
    size_t before = out->len;
    enum store_result result = STORE_OK;
    if (!buf_reserve(out, (size_t)want)) {
        buf_check(out, err);
        error_context(err, "while reading \"%s\"", path.text);
        result = STORE_FAILED;
    } else if (read_into(fd, offset, (size_t)want, out) != 0) {
        result = store_failed(error_set_errno(err, errno, "cannot read \"%s\"", path.text));
        out->len = before;
    }
    close(fd);
    return result;
}

static enum store_result local_stat(struct store *s, struct ctx *ctx, struct str key, struct store_entry *out, struct error *err)
{
    struct local_path path;
    struct stat st;
    if (path_make(s, key, &path, err) != STATUS_OK)
        return STORE_FAILED;
    if (stat(path.text, &st) != 0)
        return is_absence(errno) ? STORE_NOT_FOUND : store_failed(error_set_errno(err, errno, "cannot look at \"%s\"", path.text));
    if (!S_ISREG(st.st_mode))
        return STORE_NOT_FOUND;
    *out = (struct store_entry){
        .key = key,
        .size_bytes = st.st_size,
        .modified_us = (int64_t)st.st_mtim.tv_sec * 1000000 + st.st_mtim.tv_nsec / 1000,
    };
    return STORE_OK;
}

/* A removal that a crash undoes only leaves a file nobody refers to: it is not flushed. */
static enum store_result local_remove(struct store *s, struct ctx *ctx, struct str key, struct error *err)
{
    struct local_path path;
    struct stat st;
    if (path_make(s, key, &path, err) != STATUS_OK)
        return STORE_FAILED;
    if (unlink(path.text) == 0 || is_absence(errno))
        return STORE_OK;
    int why = errno;
    if (lstat(path.text, &st) == 0 && S_ISDIR(st.st_mode))
        return STORE_OK;
    return store_failed(error_set_errno(err, why, "cannot remove \"%s\"", path.text));
}

/* ---- replacing what is known ------------------------------------------------ */

enum { LOCK_PAUSE_US = 500 };

static bool locks_refused(int errnum) { return errnum == ENOSYS || errnum == EOPNOTSUPP || errnum == EINVAL || errnum == ENOLCK; }

/* The directory's lock, which goes with the descriptor, also when the process dies; -1 with the error set.  A file system without locks (some FUSE
 * and network mounts) leaves a moment between the look at the object and its replacement. */
static int lock_directory(struct store *s, struct ctx *ctx, struct local_path *path, struct error *err)
{
    int fd = open_parent(s, path);
    if (fd < 0) {
        error_set_errno(err, errno, "cannot open the directory of \"%s\"", path->text);
        return -1;
    }
    while (flock(fd, LOCK_EX | LOCK_NB) != 0 && !locks_refused(errno)) {
        if (errno != EWOULDBLOCK && errno != EINTR) {
            error_set_errno(err, errno, "cannot lock the directory of \"%s\"", path->text);
            close_quietly(fd);
            return -1;
        }
        if (ctx_check(ctx, err) != STATUS_OK) {
            close_quietly(fd);
            return -1;
        }
        usleep(LOCK_PAUSE_US);
    }
    return fd;
}

static enum store_result local_replace(struct store *s, struct ctx *ctx, struct str key, struct str old, struct str new, struct error *err)
{
    struct local_path path;
    struct buf there = BUF_INIT;
    if (path_make(s, key, &path, err) != STATUS_OK)
        return STORE_FAILED;
    int lock = lock_directory(s, ctx, &path, err);
    if (lock < 0)
        return STORE_FAILED;
    enum store_result result = local_read(s, ctx, key, 0, -1, &there, err);
    if (result == STORE_OK && !str_eq(buf_view(&there), old))
        result = STORE_EXISTS;
    else if (result == STORE_OK)
        result = new.ptr ? local_put(s, ctx, key, new.ptr, new.len, err) : local_remove(s, ctx, key, err);
    close_quietly(lock);
    buf_release(&there);
    return result;
}

/* ---- durability of files written by the engine ------------------------------ */

static enum status sync_file(const char *path, bool only_start, struct error *err)
{
    int fd = open_retry(AT_FDCWD, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
    int rc = fd < 0 ? -1 : 0;
    if (rc == 0 && only_start)
        (void)sync_file_range(fd, 0, 0, SYNC_FILE_RANGE_WRITE); /* only a head start: its failure shows at fsync */
    else if (rc == 0)
        rc = fsync_retry(fd);
    enum status st = rc == 0 ? STATUS_OK : error_set_errno(err, errno, "cannot make \"%s\" durable", path);
    close_quietly(fd);
    return st;
}

/* All files begin to go to the disk before the first is waited for. */
static enum status sync_files(struct store *s, const struct str *keys, size_t key_count, struct error *err)
{
    struct local_path path;
    enum status st = STATUS_OK;
    for (int waiting = key_count < 2; waiting <= 1 && st == STATUS_OK; waiting++)
        for (size_t i = 0; i < key_count && st == STATUS_OK; i++) {
            st = path_make(s, keys[i], &path, err);
            if (st == STATUS_OK)
                st = sync_file(path.text, !waiting, err);
        }
    return st;
}

static int compare_dirs(const void *a, const void *b) { return str_cmp(*(const struct str *)a, *(const struct str *)b); }

/* Every directory from the files up to the root, each once: the engine may have made them. */
static enum status sync_dirs(struct store *s, const struct str *keys, size_t key_count, struct error *err)
{
    size_t depth = 0, count = 0;
    for (size_t i = 0; i < key_count; i++)
        for (size_t k = 0; k < keys[i].len; k++)
            depth += keys[i].ptr[k] == '/';
    struct str *dirs = mem_calloc(depth + 1, sizeof *dirs);
    if (!dirs)
        return error_oom(err);
    dirs[count++] = STR("");
    for (size_t i = 0; i < key_count; i++)
        for (size_t k = 0; k < keys[i].len; k++)
            if (keys[i].ptr[k] == '/')
                dirs[count++] = (struct str){keys[i].ptr, k};
    qsort(dirs, count, sizeof *dirs, compare_dirs);
    struct local_path path;
    enum status st = STATUS_OK;
    for (size_t i = 0; i < count && st == STATUS_OK; i++) {
        if (i > 0 && str_eq(dirs[i], dirs[i - 1]))
            continue;
        st = path_make(s, dirs[i], &path, err);
        if (st == STATUS_OK && fsync_directory(path.text) != 0)
            st = error_set_errno(err, errno, "cannot make directory \"%s\" durable", path.text);
    }
    mem_free(dirs);
    return st;
}

static enum store_result local_sync(struct store *s, struct ctx *ctx, const struct str *keys, size_t key_count, struct error *err)
{
    if (!local_of(s)->durable)
        return STORE_OK;
    enum status st = sync_files(s, keys, key_count, err);
    if (st == STATUS_OK)
        st = sync_dirs(s, keys, key_count, err);
    return st == STATUS_OK ? STORE_OK : STORE_FAILED;
}

static void local_locate(struct store *s, struct str key, struct buf *out)
{
    struct str root = local_root(s);
    buf_str(out, root);
    if (key.len || root.len == 0)
        buf_char(out, '/');
    buf_str(out, key);
}

static enum store_result local_prepare(struct store *s, struct ctx *ctx, struct str key, struct error *err)
{
    struct local_path path;
    struct stat st;
    if (path_make(s, key, &path, err) != STATUS_OK)
        return STORE_FAILED;
    int rc = make_directories(path.text, local_of(s)->durable);
    if (rc == 0)
        rc = stat(path.text, &st);
    if (rc == 0 && !S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        rc = -1;
    }
    return rc == 0 ? STORE_OK : store_failed(error_set_errno(err, errno, "cannot make directory \"%s\"", path.text));
}

static enum store_result local_list_all(struct store *s, struct ctx *ctx, struct str prefix, struct str after, store_list_fn fn, void *user,
                                        struct error *err)
{
    return local_list(local_root(s), ctx, prefix, after, fn, user, err);
}

static void local_free(struct store *s) { mem_free(local_of(s)); }

static const struct store_vtable local_vtable = {
    .name = "local",
    .read = local_read,
    .list = local_list_all,
    .put = local_put,
    .put_if_absent = local_put_if_absent,
    .replace = local_replace,
    .remove = local_remove,
    .stat = local_stat,
    .sync = local_sync,
    .locate = local_locate,
    .prepare = local_prepare,
    .free = local_free,
};

/* ---- opening ---------------------------------------------------------------- */

/* Absolute, and with links resolved when it exists; no slash at the end ("" is the file system's root). */
static enum status root_resolve(struct str given, char out[PATH_MAX], struct error *err)
{
    char text[PATH_MAX], cwd[PATH_MAX];
    if (given.len == 0 || memchr(given.ptr, '\0', given.len))
        return error_set(err, STATUS_INVALID_ARGUMENT, "the path of the store is empty or has a zero byte");
    bool absolute = given.ptr[0] == '/';
    if (!absolute && !getcwd(cwd, sizeof cwd))
        return error_set_errno(err, errno, "cannot find the current directory");
    int len = snprintf(text, sizeof text, "%s%s%.*s", absolute ? "" : cwd, absolute ? "" : "/", STR_ARG(given));
    if (len < 0 || (size_t)len >= sizeof text)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the path \"%.*s\" is too long", STR_ARG(given));
    if (!realpath(text, out)) {
        if (errno != ENOENT)
            return error_set_errno(err, errno, "cannot open directory \"%s\"", text);
        memcpy(out, text, (size_t)len + 1);
    }
    for (size_t n = strlen(out); n && out[n - 1] == '/'; n--)
        out[n - 1] = '\0';
    return STATUS_OK;
}

static enum status root_check(const char *root, bool must_exist, struct error *err)
{
    struct stat st;
    const char *shown = *root ? root : "/";
    if (stat(shown, &st) != 0) {
        if (errno == ENOENT && !must_exist)
            return STATUS_OK;
        return error_set_errno(err, errno, "cannot open directory \"%s\"", shown);
    }
    if (!S_ISDIR(st.st_mode))
        return error_set(err, STATUS_INVALID_ARGUMENT, "\"%s\" is not a directory", shown);
    return STATUS_OK;
}

enum status store_open_local(struct ctx *ctx, struct str path, struct store_local_options options, struct store **out, struct error *err)
{
    char root[PATH_MAX];
    *out = NULL;
    enum status st = root_resolve(path, root, err);
    if (st == STATUS_OK)
        st = root_check(root, options.must_exist, err);
    if (st != STATUS_OK)
        return st;
    size_t len = strlen(root);
    struct local *local = mem_calloc(1, sizeof *local + len + 1);
    if (!local)
        return error_oom(err);
    memcpy(local->root, root, len + 1);
    local->durable = options.durable;
    store_init(&local->base, &local_vtable, len ? str_of(local->root) : STR("/"));
    *out = &local->base;
    return STATUS_OK;
}
