/* Any bytes as a deletion vector file, and as an inline one: rows or an error. */
#include "delta/delta_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char file_name[] = "deletion_vector_d2c639aa-8816-431a-aaf6-d3fe2512ff61.bin";

static void read_once(struct ctx *ctx, struct store *store, const struct delta_dv *dv)
{
    struct delta_rows *rows;
    if (delta_dv_read(ctx, store, dv, &rows, NULL) == STATUS_OK && delta_rows_count(rows) != (uint64_t)dv->cardinality)
        abort();
    delta_rows_free(rows);
}

/* The first byte is the cardinality, the rest the blob: framed with the right checksum, so that the blob is reached. */
static void read_framed(struct ctx *ctx, struct store *store, struct str blob, int64_t cardinality)
{
    struct buf file = BUF_INIT;
    uint32_t crc = crc32_ieee(blob.ptr, blob.len, 0);
    uint8_t head[] = {1, (uint8_t)(blob.len >> 24), (uint8_t)(blob.len >> 16), (uint8_t)(blob.len >> 8), (uint8_t)blob.len};
    uint8_t tail[] = {(uint8_t)(crc >> 24), (uint8_t)(crc >> 16), (uint8_t)(crc >> 8), (uint8_t)crc};
    buf_append(&file, head, sizeof head);
    buf_str(&file, blob);
    buf_append(&file, tail, sizeof tail);
    store_put(store, ctx, STR(file_name), file.ptr, file.len, NULL);
    struct delta_dv dv = {STR("u"), STR("^-aqEH.-t@S}K{vb[*k^"), 1, (int64_t)blob.len, cardinality};
    read_once(ctx, store, &dv);
    buf_release(&file);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct ctx ctx;
    struct store *store = NULL;
    ctx_init(&ctx);
    if (size < 2 || store_open_memory(&store, NULL) != STATUS_OK)
        return 0;
    struct str rest = {(const char *)data + 1, size - 1};
    read_framed(&ctx, store, rest, data[0]);
    read_once(&ctx, store, &(struct delta_dv){STR("i"), rest, -1, (int64_t)(rest.len / 5 * 4), data[0]});
    store_put(store, &ctx, STR(file_name), data, size, NULL);
    read_once(&ctx, store, &(struct delta_dv){STR("u"), STR("^-aqEH.-t@S}K{vb[*k^"), data[0] % 4 - 1, data[1], data[0]});
    read_once(&ctx, store, &(struct delta_dv){STR("u"), rest, 1, 40, 2});
    store_unref(store);
    return 0;
}
