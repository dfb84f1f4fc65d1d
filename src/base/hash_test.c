#include "base/base.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

static int compare_u64(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static void no_collisions_among_like_keys(void **state)
{
    enum { N = 200000 };
    uint64_t *hashes = mem_alloc(2 * N * sizeof *hashes);
    assert_non_null(hashes);
    for (int i = 0; i < N; i++) {
        char text[64];
        int len = snprintf(text, sizeof text, "date=2024-01-%02d/part-%05d.parquet", i % 31, i);
        hashes[i] = hash_bytes(text, (size_t)len, 0);
        hashes[N + i] = hash_bytes(&i, sizeof i, 0);
    }
    qsort(hashes, 2 * N, sizeof *hashes, compare_u64);
    for (int i = 1; i < 2 * N; i++)
        assert_true(hashes[i] != hashes[i - 1]);
    mem_free(hashes);
}

/* Of the 64 result bits about half must change with any one input bit. */
static void every_input_bit_moves_half_of_the_result(void **state)
{
    const size_t lengths[] = {1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 32, 33, 48, 63, 64, 65, 96, 97, 113, 200};
    struct rng_seeded seeded;
    struct rng rng = rng_seeded_init(&seeded, 1);
    for (size_t l = 0; l < VV_ARRAY_COUNT(lengths); l++) {
        size_t len = lengths[l];
        for (size_t bit = 0; bit < len * 8; bit++) {
            int changed = 0;
            for (int trial = 0; trial < 40; trial++) {
                uint8_t bytes[200];
                rng.fill(rng.self, bytes, len);
                uint64_t before = hash_bytes(bytes, len, 0);
                bytes[bit / 8] ^= (uint8_t)(1 << bit % 8);
                changed += __builtin_popcountll(before ^ hash_bytes(bytes, len, 0));
            }
            if (changed < 40 * 32 * 8 / 10 || changed > 40 * 32 * 12 / 10)
                fail_msg("length %zu bit %zu: %d of 2560 bits changed", len, bit, changed);
        }
    }
}

static void length_seed_and_alignment(void **state)
{
    char zeros[300] = {0}, moved[301];
    uint64_t seen[300];
    for (size_t len = 0; len < 300; len++) {
        seen[len] = hash_bytes(zeros, len, 0);
        for (size_t other = 0; other < len; other++)
            assert_true(seen[other] != seen[len]);
        assert_true(hash_bytes(zeros, len, 1) != seen[len]);
        memset(moved, 0, sizeof moved);
        assert_true(hash_bytes(moved + 1, len, 0) == seen[len]);
    }
    assert_true(hash_str(STR_NULL) == seen[0]);
}

static void crc_known_values(void **state)
{
    assert_int_equal(crc32_ieee("", 0, 0), 0);
    assert_int_equal(crc32_ieee("123456789", 9, 0), 0xCBF43926);
    const char *text = "The quick brown fox jumps over the lazy dog";
    assert_int_equal(crc32_ieee(text, 43, 0), 0x414FA339);
    for (size_t cut = 0; cut <= 43; cut++)
        assert_int_equal(crc32_ieee(text + cut, 43 - cut, crc32_ieee(text, cut, 0)), 0x414FA339);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_collisions_among_like_keys),
        cmocka_unit_test(every_input_bit_moves_half_of_the_result),
        cmocka_unit_test(length_seed_and_alignment),
        cmocka_unit_test(crc_known_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
