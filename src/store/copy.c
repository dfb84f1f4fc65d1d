/* store/copy.c: an object of one store as an object of another, without holding it in memory where both are files. */
#include "store/store_int.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { CHUNK_BYTES = 1 << 20 };

static int open_retry(const char *path, int flags)
{
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, 0666);
    while (fd < 0 && errno == EINTR);
    return fd;
}

static int write_whole(int fd, const char *at, size_t len)
{
    while (len) {
        ssize_t put = write(fd, at, len);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return -1;
        at += put;
        len -= (size_t)put;
    }
    return 0;
}

static enum status pump(struct ctx *ctx, int from, int to, const char *from_path, const char *to_path, struct error *err)
{
    char *chunk = mem_alloc(CHUNK_BYTES);
    enum status status = chunk ? STATUS_OK : error_oom(err);
    for (ssize_t got = 1; status == STATUS_OK && got > 0;) {
        status = ctx_check(ctx, err);
        got = status == STATUS_OK ? read(from, chunk, CHUNK_BYTES) : 0;
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got < 0)
            status = error_set_errno(err, errno, "cannot read \"%s\"", from_path);
        else if (got > 0 && write_whole(to, chunk, (size_t)got) != 0)
            status = error_set_errno(err, errno, "cannot write \"%s\"", to_path);
    }
    mem_free(chunk);
    return status;
}

/* The name is there from the start: of readers only whoever is told of it may look (see store_copy). */
static enum store_result copy_file(struct ctx *ctx, const char *from_path, const char *to_path, struct error *err)
{
    int from = open_retry(from_path, O_RDONLY | O_NOCTTY | O_NONBLOCK), to = -1;
    if (from < 0)
        return errno == ENOENT || errno == ENOTDIR ? STORE_NOT_FOUND : store_failed(error_set_errno(err, errno, "cannot open \"%s\"", from_path));
    to = open_retry(to_path, O_WRONLY | O_CREAT | O_EXCL);
    int why = errno;
    enum status status = to < 0 ? STATUS_STORE_IO : pump(ctx, from, to, from_path, to_path, err);
    if (to < 0 && why != EEXIST)
        error_set_errno(err, why, "cannot create \"%s\"", to_path);
    if (to >= 0 && close(to) != 0 && errno != EINTR && status == STATUS_OK)
        status = error_set_errno(err, errno, "cannot write \"%s\"", to_path);
    close(from);
    if (to < 0)
        return why == EEXIST ? STORE_EXISTS : STORE_FAILED;
    if (status != STATUS_OK)
        unlink(to_path);
    return status == STATUS_OK ? STORE_OK : STORE_FAILED;
}

static enum store_result copy_bytes(struct store *from, struct ctx *ctx, struct str from_key, struct store *to, struct str to_key, struct error *err)
{
    struct buf bytes = BUF_INIT;
    enum store_result result = store_read(from, ctx, from_key, &bytes, err);
    if (result == STORE_OK)
        result = store_put_if_absent(to, ctx, to_key, bytes.ptr, bytes.len, err);
    buf_release(&bytes);
    return result;
}

static struct str directory_of(struct str key)
{
    const char *slash = key.len ? memrchr(key.ptr, '/', key.len) : NULL;
    return (struct str){key.ptr, slash ? (size_t)(slash - key.ptr) : 0};
}

enum store_result store_copy(struct store *from, struct ctx *ctx, struct str from_key, struct store *to, struct str to_key, struct error *err)
{
    struct buf source = BUF_INIT, target = BUF_INIT;
    enum store_result result = STORE_OK;
    if (ctx_check(ctx, err) != STATUS_OK || store_key_check(from_key, err) != STATUS_OK || store_key_check(to_key, err) != STATUS_OK)
        return STORE_FAILED;
    store_locate(from, from_key, &source);
    store_locate(to, to_key, &target);
    bool files = !source.failed && !target.failed && source.len && target.len && source.ptr[0] == '/' && target.ptr[0] == '/';
    if (source.failed || target.failed)
        result = store_failed(error_oom(err));
    else if (!files)
        result = copy_bytes(from, ctx, from_key, to, to_key, err);
    else
        result = store_prepare(to, ctx, directory_of(to_key), err);
    if (result == STORE_OK && files)
        result = copy_file(ctx, source.ptr, target.ptr, err);
    if (result == STORE_OK && files && (result = store_sync(to, ctx, &to_key, 1, err)) != STORE_OK)
        unlink(target.ptr);
    buf_release(&source);
    buf_release(&target);
    return result;
}
