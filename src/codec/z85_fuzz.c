/* codec/z85_fuzz.c: what decodes encodes to the same text, or was filled up in another way and decodes to the same bytes. */
#include "codec/codec.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf bytes = BUF_INIT, text = BUF_INIT;
    struct str given = {(const char *)data, size};
    if (z85_decode(&bytes, given)) {
        z85_encode(&text, bytes.ptr, bytes.len);
        bool filled = given.len >= 5 && given.ptr[given.len - 5] == '#';
        if (text.len != given.len || memcmp(text.ptr ? text.ptr : "", given.ptr, given.len - 5 * filled) != 0)
            abort();
    }
    buf_release(&bytes);
    buf_release(&text);
    return 0;
}
