/* codec/bitmap64_test.c: sets of 64-bit numbers against a plain array, and their bytes, sound and damaged. */
#include "base/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "codec/codec.h"

enum { SPACE = 300000 }; /* numbers below are tried one by one: several containers */

static uint64_t next_random(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

/* Sets in many shapes: sparse, dense and runs, in the first bucket from `base` on. */
static void fill(struct bitmap64 *b, bool *plain, uint64_t base, int shape, uint64_t seed)
{
    uint64_t state = seed * 2654435761u + 88172645463325252u;
    for (uint64_t i = 0; i < SPACE; i++) {
        bool in = shape == 0 ? next_random(&state) % 1000 == 0 : shape == 1 ? next_random(&state) % 2 == 0 : shape == 2 ? i / 977 % 3 == 1 : true;
        uint64_t value = base + i;
        plain[i] |= in;
        if (in)
            assert_true(bitmap64_add(b, &value, 1));
    }
}

static void check(const struct bitmap64 *b, const bool *plain, uint64_t base)
{
    static uint64_t words[SPACE / 64 + 2];
    uint64_t count = 0;
    for (uint64_t i = 0; i < SPACE; i++) {
        assert_int_equal(bitmap64_contains(b, base + i), plain[i]);
        count += plain[i];
    }
    assert_int_equal(bitmap64_count(b), count);
    static const size_t starts[] = {0, 1, 63, 64, 65535, 65536, 131000}, lengths[] = {0, 1, 63, 64, 65, 2048, 65536, 100001};
    for (size_t s = 0; s < VV_ARRAY_COUNT(starts); s++)
        for (size_t l = 0; l < VV_ARRAY_COUNT(lengths); l++) {
            words[(lengths[l] + 63) / 64] = 0xABCD;
            bitmap64_mask(b, base + starts[s], lengths[l], words);
            for (size_t i = 0; i < (lengths[l] + 63) / 64 * 64; i++)
                assert_int_equal(words[i / 64] >> (i % 64) & 1, i < lengths[l] && plain[starts[s] + i]);
            assert_int_equal(words[(lengths[l] + 63) / 64], 0xABCD);
        }
}

static void round_trip(const struct bitmap64 *b, const bool *plain, uint64_t base)
{
    struct buf bytes = BUF_INIT;
    struct bitmap64 back;
    bitmap64_write(b, &bytes);
    assert_int_equal(bitmap64_read(buf_view(&bytes), &back, NULL), STATUS_OK);
    check(&back, plain, base);
    bitmap64_release(&back);
    buf_release(&bytes);
}

/* Across the border between two 32-bit buckets too. */
static void test_shapes(void **state)
{
    static bool plain[SPACE];
    static const uint64_t bases[] = {0, (UINT64_C(1) << 32) - 100000, UINT64_C(0x7ffffffe00000000)};
    for (size_t k = 0; k < VV_ARRAY_COUNT(bases); k++)
        for (int shape = 0; shape < 4; shape++) {
            struct bitmap64 b = {0};
            memset(plain, 0, sizeof plain);
            fill(&b, plain, bases[k], shape, 7);
            check(&b, plain, bases[k]);
            round_trip(&b, plain, bases[k]);
            bitmap64_release(&b);
        }
}

static void test_union_and_subtract(void **state)
{
    static bool plain[SPACE], other[SPACE];
    for (int shape = 0; shape < 4; shape++) {
        struct bitmap64 a = {0}, b = {0};
        uint64_t base = (UINT64_C(1) << 32) - 1000;
        memset(plain, 0, sizeof plain);
        memset(other, 0, sizeof other);
        fill(&a, plain, base, 0, 3);
        fill(&b, other, base, shape, 5);
        assert_true(bitmap64_union(&a, &b));
        for (size_t i = 0; i < SPACE; i++)
            plain[i] |= other[i];
        check(&a, plain, base);
        bitmap64_subtract(&a, &b);
        for (size_t i = 0; i < SPACE; i++)
            plain[i] &= !other[i];
        check(&a, plain, base);
        round_trip(&a, plain, base);
        bitmap64_subtract(&a, &a);
        assert_int_equal(bitmap64_count(&a), 0);
        bitmap64_release(&a);
        bitmap64_release(&b);
    }
}

static void test_edges(void **state)
{
    struct bitmap64 b = {0}, back;
    struct buf bytes = BUF_INIT;
    uint64_t last, values[] = {INT64_MAX, 0, 5, 5, 0}, beyond = (uint64_t)INT64_MAX + 1;
    assert_false(bitmap64_last(&b, &last));
    bitmap64_write(&b, &bytes);
    assert_int_equal(bytes.len, 8);
    assert_int_equal(bitmap64_read(buf_view(&bytes), &back, NULL), STATUS_OK);
    assert_int_equal(bitmap64_count(&back), 0);
    assert_true(bitmap64_add(&b, values, VV_ARRAY_COUNT(values)));
    assert_false(bitmap64_add(&b, &beyond, 1));
    assert_int_equal(bitmap64_count(&b), 3);
    assert_true(bitmap64_last(&b, &last));
    assert_true(last == INT64_MAX);
    assert_false(bitmap64_contains(&b, beyond));
    uint64_t lowest[4];
    assert_int_equal(bitmap64_first(&b, lowest, 2), 2);
    assert_true(lowest[0] == 0 && lowest[1] == 5);
    assert_int_equal(bitmap64_first(&b, lowest, 4), 3);
    assert_true(lowest[2] == INT64_MAX);
    bitmap64_release(&b);
    buf_release(&bytes);
}

static void put(struct buf *out, uint64_t v, int width)
{
    for (int i = 0; i < width; i++)
        buf_char(out, (char)(v >> 8 * i));
}

/* {65536 * key + v : v in values} as one 32-bit bitmap with an array container. */
static void put_array(struct buf *out, uint16_t key, const uint16_t *values, uint16_t count, uint16_t said)
{
    put(out, 12346, 4);
    put(out, 1, 4);
    put(out, key, 2);
    put(out, said - 1u, 2);
    put(out, 16, 4);
    for (uint16_t i = 0; i < count; i++)
        put(out, values[i], 2);
}

static void refuses(struct buf *bytes, bool array, const char *why)
{
    struct bitmap64 b;
    struct error err = ERROR_INIT;
    enum status status = array ? bitmap64_read_array(buf_view(bytes), &b, &err) : bitmap64_read(buf_view(bytes), &b, &err);
    assert_int_equal(status, STATUS_CORRUPT_DATA);
    assert_non_null(strstr(err.message, why));
    assert_non_null(strstr(err.message, "byte"));
    assert_int_equal(b.count, 0);
    error_release(&err);
    buf_release(bytes);
    *bytes = BUF_INIT;
}

static void test_older_form(void **state)
{
    struct buf bytes = BUF_INIT;
    struct bitmap64 b;
    static const uint16_t values[] = {3, 4, 7};
    put(&bytes, 2, 4);
    put(&bytes, 8, 4); /* an empty bitmap */
    put(&bytes, 12346, 4);
    put(&bytes, 0, 4);
    put(&bytes, 22, 4);
    put_array(&bytes, 1, values, 3, 3);
    assert_int_equal(bitmap64_read_array(buf_view(&bytes), &b, NULL), STATUS_OK);
    assert_int_equal(bitmap64_count(&b), 3);
    assert_true(bitmap64_contains(&b, (UINT64_C(1) << 32) + 65536 + 7));
    bitmap64_release(&b);
    bytes.ptr[16] = 21;
    refuses(&bytes, true, "not as long as it says");
    put(&bytes, UINT32_MAX, 4);
    refuses(&bytes, true, "too early");
}

static void begin(struct buf *bytes, uint64_t count, uint32_t key)
{
    put(bytes, count, 8);
    put(bytes, key, 4);
}

static void test_damage(void **state)
{
    struct buf bytes = BUF_INIT;
    static const uint16_t falling[] = {4, 3}, twice[] = {4, 4}, fine[] = {3, 4};
    refuses(&bytes, false, "too early");
    put(&bytes, UINT64_MAX, 8);
    refuses(&bytes, false, "too early");
    begin(&bytes, 1, 0);
    put_array(&bytes, 0, falling, 2, 2);
    refuses(&bytes, false, "do not ascend");
    begin(&bytes, 1, 0);
    put_array(&bytes, 0, twice, 2, 2);
    refuses(&bytes, false, "do not ascend");
    begin(&bytes, 1, 0);
    put_array(&bytes, 0, fine, 2, 3);
    refuses(&bytes, false, "too early");
    begin(&bytes, 1, 0x80000000);
    put_array(&bytes, 0, fine, 2, 2);
    refuses(&bytes, false, "too large");
    begin(&bytes, 1, 0);
    put_array(&bytes, 0, fine, 2, 2);
    put(&bytes, 0, 1);
    refuses(&bytes, false, "bytes follow");
    begin(&bytes, 2, 5);
    put_array(&bytes, 0, fine, 2, 2);
    put(&bytes, 5, 4);
    put_array(&bytes, 0, fine, 2, 2);
    refuses(&bytes, false, "do not ascend");
    begin(&bytes, 1, 0);
    put(&bytes, 99, 4);
    refuses(&bytes, false, "cookie");
    begin(&bytes, 1, 0);
    put(&bytes, 12346, 4);
    put(&bytes, 65537, 4);
    refuses(&bytes, false, "more containers");
    /* a bitset that holds one number and says 5000 */
    begin(&bytes, 1, 0);
    put_array(&bytes, 0, fine, 0, 5000);
    put(&bytes, 1, 8);
    for (int i = 0; i < 1023; i++)
        put(&bytes, 0, 8);
    refuses(&bytes, false, "as many numbers");
    /* runs 0…9, 5…6 */
    begin(&bytes, 1, 0);
    put(&bytes, 12347, 4);
    put(&bytes, 1, 1);
    put(&bytes, 0, 4);
    put(&bytes, 2, 2);
    put(&bytes, 0 | 9 << 16, 4);
    put(&bytes, 5 | 1 << 16, 4);
    refuses(&bytes, false, "overlap");
    begin(&bytes, 1, 0);
    put(&bytes, 12347, 4);
    put(&bytes, 1, 1);
    put(&bytes, 0, 4);
    put(&bytes, 1, 2);
    put(&bytes, 65535 | 1u << 16, 4);
    refuses(&bytes, false, "overlap");
}

/* Every prefix of sound bytes is refused, and every flipped bit is refused or is another sound set. */
static void test_torn_and_flipped(void **state)
{
    static bool plain[SPACE];
    struct bitmap64 b = {0}, back;
    struct buf bytes = BUF_INIT;
    memset(plain, 0, sizeof plain);
    fill(&b, plain, 0, 0, 11);
    uint64_t run[300];
    for (uint64_t i = 0; i < 300; i++)
        run[i] = (UINT64_C(3) << 32) + i;
    assert_true(bitmap64_add(&b, run, 300));
    bitmap64_write(&b, &bytes);
    for (size_t len = 0; len < bytes.len; len++)
        assert_int_equal(bitmap64_read(str_sub(buf_view(&bytes), 0, len), &back, NULL), STATUS_CORRUPT_DATA);
    for (size_t bit = 0; bit < bytes.len * 8; bit++) {
        bytes.ptr[bit / 8] ^= (char)(1 << bit % 8);
        if (bitmap64_read(buf_view(&bytes), &back, NULL) == STATUS_OK) {
            assert_true(bitmap64_union(&back, &b));
            bitmap64_subtract(&back, &b);
        }
        bitmap64_release(&back);
        bytes.ptr[bit / 8] ^= (char)(1 << bit % 8);
    }
    bitmap64_release(&b);
    buf_release(&bytes);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_shapes), cmocka_unit_test(test_union_and_subtract),
                                       cmocka_unit_test(test_edges),  cmocka_unit_test(test_older_form),
                                       cmocka_unit_test(test_damage), cmocka_unit_test(test_torn_and_flipped)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
