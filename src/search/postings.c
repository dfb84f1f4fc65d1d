/* search/postings.c: a term's rows, compressed.
 *
 * Layout:  with more than one block, first a directory: per block the last row (u32) and the block's offset from the start (u32).
 *          A block: one byte for the width of its deltas (1, 2 or 4 bytes), the deltas, the impacts, the flags.
 *          The first delta of a block counts from 0 in the first block and from the previous block's last row in the others.
 * Deltas of whole bytes decode without branches; a dense term costs three bytes a row.
 */
#include "search/search_int.h"

#define DIRECTORY_ENTRY 8u

static uint32_t load32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static void block_encode(struct buf *out, const struct posting *p, uint32_t count, uint32_t base)
{
    uint32_t widest = 0;
    for (uint32_t i = 0; i < count; i++)
        widest |= p[i].row - (i ? p[i - 1].row : base);
    uint8_t width = widest < 0x100 ? 1 : widest < 0x10000 ? 2 : 4;
    buf_append(out, &width, 1);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t delta = p[i].row - (i ? p[i - 1].row : base);
        uint8_t bytes[4] = {(uint8_t)delta, (uint8_t)(delta >> 8), (uint8_t)(delta >> 16), (uint8_t)(delta >> 24)};
        buf_append(out, bytes, width);
    }
    for (uint32_t i = 0; i < count; i++)
        buf_char(out, (char)p[i].impact);
    for (uint32_t i = 0; i < count; i++)
        buf_char(out, (char)p[i].flags);
}

void postings_encode(struct buf *out, const struct posting *postings, uint32_t count)
{
    uint32_t blocks = (count + POSTINGS_BLOCK - 1) / POSTINGS_BLOCK;
    size_t start = out->len;
    if (blocks > 1) {
        if (!buf_reserve(out, (size_t)blocks * DIRECTORY_ENTRY))
            return;
        memset(out->ptr + out->len, 0, (size_t)blocks * DIRECTORY_ENTRY);
        out->len += (size_t)blocks * DIRECTORY_ENTRY;
    }
    for (uint32_t b = 0; b < blocks && !out->failed; b++) {
        uint32_t first = b * POSTINGS_BLOCK, n = count - first < POSTINGS_BLOCK ? count - first : POSTINGS_BLOCK;
        if (blocks > 1) {
            uint32_t entry[2] = {postings[first + n - 1].row, (uint32_t)(out->len - start)};
            memcpy(out->ptr + start + (size_t)b * DIRECTORY_ENTRY, entry, sizeof entry);
        }
        block_encode(out, postings + first, n, b ? postings[first - 1].row : 0);
    }
}

static uint32_t last_row(struct postings p, uint32_t block) { return load32(p.data + (size_t)block * DIRECTORY_ENTRY); }

static void rows_decode(const uint8_t *deltas, uint8_t width, uint32_t count, uint32_t row, uint32_t *rows)
{
    if (width == 1) {
        for (uint32_t i = 0; i < count; i++)
            rows[i] = row += deltas[i];
    } else if (width == 2) {
        for (uint32_t i = 0; i < count; i++)
            rows[i] = row += (uint32_t)(deltas[2 * i] | deltas[2 * i + 1] << 8);
    } else {
        for (uint32_t i = 0; i < count; i++)
            rows[i] = row += deltas[4 * i] | (uint32_t)deltas[4 * i + 1] << 8 | (uint32_t)deltas[4 * i + 2] << 16 | (uint32_t)deltas[4 * i + 3] << 24;
    }
}

void postings_load(struct postings p, uint32_t block, struct postings_block *out)
{
    uint32_t blocks = postings_blocks(p);
    const uint8_t *at = p.data + (blocks > 1 ? load32(p.data + (size_t)block * DIRECTORY_ENTRY + 4) : 0);
    uint32_t first = block * POSTINGS_BLOCK;
    out->count = p.count - first < POSTINGS_BLOCK ? p.count - first : POSTINGS_BLOCK;
    uint8_t width = *at++;
    rows_decode(at, width, out->count, block ? last_row(p, block - 1) : 0, out->rows);
    out->impacts = at + (size_t)width * out->count;
    out->flags = out->impacts + out->count;
}

uint32_t postings_seek(struct postings p, uint32_t from, uint32_t row)
{
    uint32_t blocks = postings_blocks(p);
    if (blocks <= 1 || from >= blocks || last_row(p, from) >= row)
        return from;
    uint32_t step = 1, low = from;
    while (low + step < blocks && last_row(p, low + step) < row) {
        low += step;
        step *= 2;
    }
    uint32_t high = low + step < blocks ? low + step : blocks; /* last_row(low) < row <= last_row(high) */
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (last_row(p, middle) < row)
            low = middle;
        else
            high = middle;
    }
    return high;
}
