/* Any bytes as a commit file: an answer or an error, and what was read is within bounds. */
#include "delta/delta_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf text = BUF_INIT;
    struct delta_commit c;
    struct error err = ERROR_INIT;
    buf_append(&text, data, size);
    if (delta_commit_parse(&text, 1, STR("fuzz.json"), &c, &err) == STATUS_OK)
        for (size_t i = 0; i < c.add_count; i++)
            if (c.adds[i].path.len == 0 || c.adds[i].size_bytes < 0)
                abort();
    delta_commit_release(&c);
    error_release(&err);
    return 0;
}
