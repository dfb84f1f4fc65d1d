/* Any bytes as a checksum file: an answer or none, and a file that claims to be ours is whole. */
#include "delta/delta_int.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct delta_checksum sum = {0};
    struct str text = {(const char *)data, size};
    int64_t mark;
    if (delta_checksum_parse(7, text, &sum)) {
        if (sum.num_files < 0 || !sum.metadata.id.ptr)
            abort();
        for (size_t i = 0; i < sum.domain_count; i++)
            if (delta_row_high_water(sum.domains[i].configuration, &mark, NULL) == STATUS_OK && mark < -1)
                abort();
    }
    delta_checksum_release(&sum);
    delta_row_high_water(text, &mark, NULL);
    return 0;
}
