/* codec/z85_test.c: Z85, both ways. */
#include "base/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "codec/codec.h"

static void test_round_trip(void **state)
{
    for (size_t len = 0; len < 40; len++) {
        struct buf text = BUF_INIT, back = BUF_INIT;
        uint8_t bytes[40];
        for (size_t i = 0; i < len; i++)
            bytes[i] = (uint8_t)(i * 37 + len * 91);
        z85_encode(&text, bytes, len);
        assert_int_equal(text.len, (len + 3) / 4 * 5);
        assert_true(z85_decode(&back, buf_view(&text)));
        assert_int_equal(back.len, (len + 3) / 4 * 4);
        for (size_t i = 0; i < back.len; i++)
            assert_int_equal((uint8_t)back.ptr[i], i < len ? bytes[i] : 0);
        buf_release(&text);
        buf_release(&back);
    }
}

/* The example of the specification, and the UUID of the protocol's. */
static void test_known(void **state)
{
    static const uint8_t hello[] = {0x86, 0x4F, 0xD2, 0x6F, 0xB5, 0x59, 0xF7, 0x5B};
    static const uint8_t uuid[] = {0xd2, 0xc6, 0x39, 0xaa, 0x88, 0x16, 0x43, 0x1a, 0xaa, 0xf6, 0xd3, 0xfe, 0x25, 0x12, 0xff, 0x61};
    struct buf out = BUF_INIT;
    z85_encode(&out, hello, sizeof hello);
    assert_string_equal(out.ptr, "HelloWorld");
    buf_clear(&out);
    assert_true(z85_decode(&out, STR("^-aqEH.-t@S}K{vb[*k^")));
    assert_int_equal(out.len, sizeof uuid);
    assert_memory_equal(out.ptr, uuid, sizeof uuid);
    buf_clear(&out);
    assert_true(z85_decode(&out, STR("HelloWorld##093")));
    assert_int_equal(out.len, sizeof hello + 2);
    assert_memory_equal(out.ptr + sizeof hello, "\x03\x00", 2);
    buf_release(&out);
}

static void refuses(struct str text)
{
    struct buf out = BUF_INIT;
    buf_z(&out, "kept");
    assert_false(z85_decode(&out, text));
    assert_int_equal(out.len, 4);
    buf_release(&out);
}

static void test_bad(void **state)
{
    refuses(STR("Hell"));
    refuses(STR("HelloW"));
    refuses(STR("Hel o"));
    refuses(STR("Hell\0"));
    refuses(STR("Hell\xC3"));
    refuses(STR("#####"));
    refuses(STR("00000#####"));
    refuses(STR("##09300000"));
    refuses(STR("##$00"));
    refuses(STR("###$$"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_round_trip), cmocka_unit_test(test_known), cmocka_unit_test(test_bad)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
