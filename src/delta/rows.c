/* delta/rows.c: sets of physical row numbers, and the blob that holds one (protocol: "Deletion Vector Format"). */
#include "delta/delta_int.h"

enum { MAGIC_ARRAY = 1681511376, MAGIC_PORTABLE = 1681511377, MAGIC_BYTES = 4 };

struct delta_rows {
    struct bitmap64 set;
};

struct delta_rows *delta_rows_new(void) { return mem_calloc(1, sizeof(struct delta_rows)); }

void delta_rows_free(struct delta_rows *r)
{
    if (!r)
        return;
    bitmap64_release(&r->set);
    mem_free(r);
}

bool delta_rows_add(struct delta_rows *r, const uint64_t *rows, size_t count) { return bitmap64_add(&r->set, rows, count); }
bool delta_rows_union(struct delta_rows *into, const struct delta_rows *more) { return bitmap64_union(&into->set, &more->set); }
bool delta_rows_contains(const struct delta_rows *r, uint64_t row) { return bitmap64_contains(&r->set, row); }
uint64_t delta_rows_count(const struct delta_rows *r) { return bitmap64_count(&r->set); }
size_t delta_rows_first(const struct delta_rows *r, uint64_t *rows, size_t limit) { return bitmap64_first(&r->set, rows, limit); }

bool delta_rows_subtract(struct delta_rows *from, const struct delta_rows *what)
{
    bitmap64_subtract(&from->set, &what->set);
    return true;
}

void delta_rows_mask(const struct delta_rows *r, uint64_t first, size_t count, uint64_t *words) { bitmap64_mask(&r->set, first, count, words); }

/* ---- the blob ----------------------------------------------------------------------------- */

static uint32_t magic_of(struct str blob)
{
    const uint8_t *p = (const uint8_t *)blob.ptr;
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static enum status decode_set(struct str blob, struct bitmap64 *set, struct error *err)
{
    if (blob.len < MAGIC_BYTES)
        return error_set(err, STATUS_CORRUPT_DATA, "the deletion vector has only %zu bytes", blob.len);
    uint32_t magic = magic_of(blob);
    struct str bitmap = str_sub(blob, MAGIC_BYTES, blob.len - MAGIC_BYTES);
    if (magic == MAGIC_PORTABLE)
        return bitmap64_read(bitmap, set, err);
    if (magic == MAGIC_ARRAY)
        return bitmap64_read_array(bitmap, set, err);
    return error_set(err, STATUS_CORRUPT_DATA, "the deletion vector begins with the unknown magic number %lu", (unsigned long)magic);
}

enum status delta_rows_decode(struct str blob, struct delta_rows **out, struct error *err)
{
    *out = NULL;
    struct delta_rows *r = delta_rows_new();
    if (!r)
        return error_oom(err);
    enum status status = decode_set(blob, &r->set, err);
    if (status)
        delta_rows_free(r);
    else
        *out = r;
    return status;
}

enum status delta_rows_encode(const struct delta_rows *r, struct buf *out, struct error *err)
{
    uint8_t magic[MAGIC_BYTES];
    for (int i = 0; i < MAGIC_BYTES; i++)
        magic[i] = (uint8_t)((uint32_t)MAGIC_PORTABLE >> 8 * i);
    buf_append(out, magic, sizeof magic);
    bitmap64_write(&r->set, out);
    return buf_check(out, err);
}
