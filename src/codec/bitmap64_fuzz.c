/* codec/bitmap64_fuzz.c: whatever the bytes, an answer; what is accepted survives every operation and reads back the same. */
#include "codec/codec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void use(const struct bitmap64 *b)
{
    struct bitmap64 copy = {0}, back;
    struct buf bytes = BUF_INIT;
    uint64_t last = 0, words[32];
    if (bitmap64_last(b, &last) && !bitmap64_contains(b, last))
        abort();
    bitmap64_mask(b, last > 1000 ? last - 1000 : 0, 2048, words);
    if (!bitmap64_union(&copy, b) || !bitmap64_union(&copy, b) || bitmap64_count(&copy) != bitmap64_count(b))
        abort();
    bitmap64_write(&copy, &bytes);
    if (bitmap64_read(buf_view(&bytes), &back, NULL) != STATUS_OK || bitmap64_count(&back) != bitmap64_count(b))
        abort();
    bitmap64_subtract(&copy, &back);
    if (bitmap64_count(&copy) != 0)
        abort();
    bitmap64_release(&copy);
    bitmap64_release(&back);
    buf_release(&bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bitmap64 b;
    struct str bytes = {(const char *)data, size};
    if (bitmap64_read(bytes, &b, NULL) == STATUS_OK)
        use(&b);
    bitmap64_release(&b);
    if (bitmap64_read_array(bytes, &b, NULL) == STATUS_OK)
        use(&b);
    bitmap64_release(&b);
    return 0;
}
