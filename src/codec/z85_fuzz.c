/* codec/z85_fuzz.c: what decodes encodes to the same text. */
#include "codec/codec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf bytes = BUF_INIT, text = BUF_INIT;
    struct str given = {(const char *)data, size};
    if (z85_decode(&bytes, given)) {
        z85_encode(&text, bytes.ptr, bytes.len);
        if (!str_eq(buf_view(&text), given))
            abort();
    }
    buf_release(&bytes);
    buf_release(&text);
    return 0;
}
