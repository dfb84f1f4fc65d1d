/* delta/dv.c: deletion vectors where they are stored (protocol: "Deletion Vector Descriptor Schema", "Deletion Vector File
 * Storage Format").
 *
 *   file      <version byte 1> { <size, big-endian> <blob> <CRC-32 of the blob, big-endian> }…
 *   "u"       a file of the table, named by [prefix/] and a UUID in Z85
 *   "p"       the same file format under an absolute path
 *   "i"       the blob itself in Z85 */
#include "delta/delta_int.h"

#include <stdio.h>

enum {
    FILE_VERSION = 1,
    SIZE_BYTES = 4,
    CRC_BYTES = 4,
    FIRST_OFFSET = 1, /* after the version byte: where a descriptor without offset can only mean */
    UUID_BYTES = 16,
    UUID_CHARS = 20 /* in Z85 */
};

static uint32_t load_be32(const void *bytes)
{
    const uint8_t *p = bytes;
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put_be32(struct buf *out, uint32_t v)
{
    uint8_t bytes[4] = {(uint8_t)(v >> 24), (uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
    buf_append(out, bytes, sizeof bytes);
}

/* ---- names ------------------------------------------------------------------------------------ */

/* The store key of a vector in a file of the table; false when the descriptor's text is none. */
bool delta_dv_file_key(struct str text, struct buf *key)
{
    struct buf uuid = BUF_INIT;
    if (text.len < UUID_CHARS)
        return false;
    struct str prefix = str_sub(text, 0, text.len - UUID_CHARS);
    bool ok = z85_decode(&uuid, str_sub(text, prefix.len, UUID_CHARS));
    if (prefix.len) {
        buf_str(key, prefix);
        buf_char(key, '/');
    }
    buf_z(key, "deletion_vector_");
    for (size_t i = 0; ok && i < uuid.len; i++)
        buf_printf(key, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", (unsigned char)uuid.ptr[i]);
    buf_z(key, ".bin");
    key->failed |= uuid.failed;
    buf_release(&uuid);
    return ok;
}

bool delta_dv_key(struct store *store, const struct delta_dv *dv, struct buf *out)
{
    if (str_eq(dv->storage, STR("u")))
        return delta_dv_file_key(dv->path, out);
    return str_eq(dv->storage, STR("p")) && delta_file_key(store, dv->path, out);
}

/* "file:///a/b c" and "/a/b%20c" -> "/a/b c"; false for other schemes. */
static bool absolute_path(struct str text, struct buf *path)
{
    if (str_starts(text, STR("file:"))) {
        text = str_sub(text, 5, text.len - 5);
        if (str_starts(text, STR("//")))
            text = str_sub(text, 2, text.len - 2);
    }
    return text.len && text.ptr[0] == '/' && uri_decode(path, text);
}

/* ---- reading ------------------------------------------------------------------------------------ */

struct dv_reader {
    struct ctx *ctx;
    struct store *store;
    const struct delta_dv *dv;
    int64_t offset;
    struct buf name; /* the store key or path, for messages */
    struct buf bytes;
    struct error *err;
};

static enum status damaged(struct dv_reader *r, const char *why)
{
    return error_set(r->err, STATUS_CORRUPT_DATA, "the deletion vector at byte %lld of \"%.*s\" is damaged: %s", (long long)r->offset,
                     STR_ARG(buf_view(&r->name)), why);
}

/* Size, blob and checksum, as they were read. */
static enum status unframe(struct dv_reader *r, struct str *blob)
{
    struct str bytes = buf_view(&r->bytes);
    size_t size = (size_t)r->dv->size_bytes;
    if (bytes.len < SIZE_BYTES + size + CRC_BYTES)
        return damaged(r, "the file ends too early");
    if (load_be32(bytes.ptr) != size)
        return damaged(r, "its size is not the one in the log");
    *blob = str_sub(bytes, SIZE_BYTES, size);
    if (load_be32(bytes.ptr + SIZE_BYTES + size) != crc32_ieee(blob->ptr, blob->len, 0))
        return damaged(r, "its checksum does not match");
    return STATUS_OK;
}

static enum status read_framed(struct dv_reader *r, struct store *store, struct str key, struct str *blob)
{
    if (r->name.failed)
        return error_oom(r->err);
    enum store_result result = store_read_range(store, r->ctx, key, r->offset, r->dv->size_bytes + SIZE_BYTES + CRC_BYTES, &r->bytes, r->err);
    if (result == STORE_NOT_FOUND)
        return error_set(r->err, STATUS_FILE_NOT_FOUND, "the deletion vector file \"%.*s\" does not exist", STR_ARG(buf_view(&r->name)));
    if (result != STORE_OK)
        return delta_store_failure(result, r->name.ptr, r->err);
    return unframe(r, blob);
}

static enum status read_relative(struct dv_reader *r, struct str *blob)
{
    if (!delta_dv_file_key(r->dv->path, &r->name))
        return error_set(r->err, STATUS_CORRUPT_LOG, "a deletion vector has the name \"%.*s\", which does not end in a UUID in Z85",
                         STR_ARG(r->dv->path));
    return read_framed(r, r->store, buf_view(&r->name), blob);
}

/* Absolute paths lie outside of the table's store. */
static enum status read_absolute(struct dv_reader *r, struct str *blob)
{
    struct store *store = NULL;
    if (!absolute_path(r->dv->path, &r->name))
        return error_set(r->err, STATUS_NOT_SUPPORTED, "a deletion vector is at \"%.*s\", which is no path of the local file system",
                         STR_ARG(r->dv->path));
    struct str path = buf_view(&r->name);
    size_t slash = path.len;
    while (path.ptr[slash - 1] != '/')
        slash--;
    enum status status =
        store_open_local(r->ctx, slash > 1 ? str_sub(path, 0, slash - 1) : STR("/"), (struct store_local_options){.durable = false}, &store, r->err);
    if (!status)
        status = read_framed(r, store, str_sub(path, slash, path.len - slash), blob);
    store_unref(store);
    return status;
}

static enum status read_inline(struct dv_reader *r, struct str *blob)
{
    buf_z(&r->name, "_delta_log");
    if (!z85_decode(&r->bytes, r->dv->path))
        return error_set(r->err, STATUS_CORRUPT_LOG, "an inline deletion vector is no Z85 text: \"%.*s\"", STR_ARG(r->dv->path));
    if (r->bytes.failed)
        return error_oom(r->err);
    size_t size = (size_t)r->dv->size_bytes;
    if (size > r->bytes.len || r->bytes.len - size > 3)
        return error_set(r->err, STATUS_CORRUPT_LOG, "an inline deletion vector of %lld bytes is given as %zu", (long long)r->dv->size_bytes,
                         r->bytes.len);
    *blob = str_sub(buf_view(&r->bytes), 0, size);
    return STATUS_OK;
}

static enum status read_blob(struct dv_reader *r, struct str *blob)
{
    const struct delta_dv *dv = r->dv;
    if (dv->size_bytes <= 0 || dv->size_bytes > INT32_MAX || dv->cardinality < 0)
        return error_set(r->err, STATUS_CORRUPT_LOG, "a deletion vector of %lld bytes and %lld rows cannot be", (long long)dv->size_bytes,
                         (long long)dv->cardinality);
    if (str_eq(dv->storage, STR("u")))
        return read_relative(r, blob);
    if (str_eq(dv->storage, STR("p")))
        return read_absolute(r, blob);
    if (str_eq(dv->storage, STR("i")))
        return read_inline(r, blob);
    return error_set(r->err, STATUS_CORRUPT_LOG, "a deletion vector has the unknown storage type \"%.*s\"", STR_ARG(dv->storage));
}

enum status delta_dv_read(struct ctx *ctx, struct store *store, const struct delta_dv *dv, struct delta_rows **out, struct error *err)
{
    struct error failure = ERROR_INIT;
    struct dv_reader r = {.ctx = ctx, .store = store, .dv = dv, .offset = dv->offset < 0 ? FIRST_OFFSET : dv->offset, .err = &failure};
    struct str blob = STR_NULL;
    *out = NULL;
    enum status status = read_blob(&r, &blob);
    if (!status) {
        status = delta_rows_decode(blob, out, &failure);
        if (status)
            error_context(&failure, "while reading the deletion vector at byte %lld of \"%.*s\"", (long long)r.offset, STR_ARG(buf_view(&r.name)));
    }
    if (!status && delta_rows_count(*out) != (uint64_t)dv->cardinality) {
        status = damaged(&r, "it does not hold as many rows as the log says");
        error_detail(&failure, "expected %lld, found %llu", (long long)dv->cardinality, (unsigned long long)delta_rows_count(*out));
        delta_rows_free(*out);
        *out = NULL;
    }
    if (status)
        error_move(err, &failure);
    error_release(&failure);
    buf_release(&r.name);
    buf_release(&r.bytes);
    return status;
}

/* ---- writing ------------------------------------------------------------------------------------- */

static enum status put_vector(struct buf *file, const struct delta_rows *rows, struct delta_dv *dv, struct error *err)
{
    struct buf blob = BUF_INIT;
    enum status status = delta_rows_encode(rows, &blob, err);
    if (!status && (blob.len > INT32_MAX || file->len > INT32_MAX))
        status = error_set(err, STATUS_LIMIT_EXCEEDED, "a deletion vector is larger than 2 GiB");
    if (!status) {
        dv->offset = (int64_t)file->len;
        dv->size_bytes = (int64_t)blob.len;
        dv->cardinality = (int64_t)delta_rows_count(rows);
        put_be32(file, (uint32_t)blob.len);
        buf_str(file, buf_view(&blob));
        put_be32(file, crc32_ieee(blob.ptr, blob.len, 0));
        status = buf_check(file, err);
    }
    buf_release(&blob);
    return status;
}

static void uuid_bytes(const char text[37], uint8_t out[UUID_BYTES])
{
    for (size_t i = 0, at = 0; i < UUID_BYTES; i++, at += 2) {
        unsigned int byte = 0;
        if (text[at] == '-')
            at++;
        sscanf(text + at, "%2x", &byte);
        out[i] = (uint8_t)byte;
    }
}

/* A new name; the descriptor's form of it in the arena. */
static enum status name_file(struct ctx *ctx, struct arena *arena, struct buf *key, struct str *text, struct error *err)
{
    char uuid[37];
    uint8_t bytes[UUID_BYTES];
    struct buf encoded = BUF_INIT;
    uuid_make(ctx->rng, uuid);
    uuid_bytes(uuid, bytes);
    z85_encode(&encoded, bytes, sizeof bytes);
    buf_printf(key, "deletion_vector_%s.bin", uuid);
    *text = arena_str(arena, buf_view(&encoded));
    enum status status = encoded.failed || key->failed || !text->ptr ? error_oom(err) : STATUS_OK;
    buf_release(&encoded);
    return status;
}

static enum status put_file(struct ctx *ctx, struct store *store, struct str key, const struct buf *file, struct error *err)
{
    enum store_result result = store_put_if_absent(store, ctx, key, file->ptr, file->len, err);
    if (result == STORE_OK)
        return STATUS_OK;
    if (result == STORE_EXISTS)
        return error_set(err, STATUS_INTERNAL, "the new file \"%.*s\" is there already", STR_ARG(key));
    enum status status = delta_store_failure(result, key.ptr, err);
    store_remove(store, ctx, key, NULL);
    return status;
}

enum status delta_dv_write(struct ctx *ctx, struct store *store, const struct delta_rows *const *sets, size_t count, struct arena *arena,
                           struct delta_dv *out, struct error *err)
{
    struct buf file = BUF_INIT, key = BUF_INIT;
    struct str name = STR_NULL;
    memset(out, 0, count * sizeof *out);
    if (!count)
        return STATUS_OK;
    enum status status = name_file(ctx, arena, &key, &name, err);
    buf_char(&file, FILE_VERSION);
    for (size_t i = 0; i < count && !status; i++) {
        out[i].storage = STR("u");
        out[i].path = name;
        status = put_vector(&file, sets[i], &out[i], err);
    }
    if (!status)
        status = put_file(ctx, store, buf_view(&key), &file, err);
    if (status)
        memset(out, 0, count * sizeof *out);
    buf_release(&file);
    buf_release(&key);
    return status;
}

void delta_dv_discard(struct ctx *ctx, struct store *store, const struct delta_dv *dv)
{
    struct buf key = BUF_INIT;
    if (str_eq(dv->storage, STR("u")) && delta_dv_file_key(dv->path, &key) && !key.failed)
        store_remove(store, ctx, buf_view(&key), NULL);
    buf_release(&key);
}
