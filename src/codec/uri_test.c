/* codec/uri_test.c: path escapes, both ways. */
#include "base/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "codec/codec.h"

static void encodes(struct str path, const char *expected)
{
    struct buf out = BUF_INIT, back = BUF_INIT;
    buf_z(&out, "");
    uri_encode_path(&out, path);
    assert_string_equal(buf_view(&out).ptr, expected);
    assert_true(uri_decode(&back, buf_view(&out)));
    assert_true(str_eq(buf_view(&back), path));
    buf_release(&back);
    buf_release(&out);
}

static void test_encode(void **state)
{
    encodes(STR(""), "");
    encodes(STR("part-00000-4f0b.c000.snappy.parquet"), "part-00000-4f0b.c000.snappy.parquet");
    encodes(STR("a=b/c d"), "a=b/c%20d");
    encodes(STR("-_.!~*'()/:@&=+$,;"), "-_.!~*'()/:@&=+$,;");
    encodes(STR("100%"), "100%25");
    encodes(STR("date=2024%3A01"), "date=2024%253A01"); /* a directory already escaped the Hive way */
    encodes(STR("\"#<>?[\\]^`{|}\x7f\x01"), "%22%23%3C%3E%3F%5B%5C%5D%5E%60%7B%7C%7D%7F%01");
    encodes(STR("\xC3\xA9\xE2\x82\xAC"), "%C3%A9%E2%82%AC");
    encodes(STR("tail "), "tail%20");
}

static void decodes(struct str encoded, const char *expected)
{
    struct buf out = BUF_INIT;
    buf_z(&out, ">");
    bool ok = uri_decode(&out, encoded);
    if (expected) {
        assert_true(ok);
        assert_string_equal(out.ptr + 1, expected);
    } else {
        assert_false(ok);
        assert_string_equal(out.ptr, ">"); /* nothing of it is left */
    }
    buf_release(&out);
}

static void test_decode(void **state)
{
    decodes(STR("a%20b%c3%A9"), "a b\xC3\xA9");
    decodes(STR("a b \xC3\xA9 {x}+"), "a b \xC3\xA9 {x}+"); /* unescaped, and + is not a blank */
    decodes(STR("%25%32%30"), "%20");                       /* once only */
    decodes(STR("a%"), NULL);
    decodes(STR("a%2"), NULL);
    decodes(STR("a%2g"), NULL);
    decodes(STR("%g2"), NULL);
    decodes(STR("a%%20"), NULL);
    decodes(STR("%-1"), NULL);
    decodes(STR("a%00b"), NULL);            /* no path holds a NUL */
    decodes((struct str){"%200", 2}, NULL); /* what follows the view does not count */
}

static void hive(struct str value, const char *expected)
{
    struct buf out = BUF_INIT;
    hive_escape(&out, value);
    assert_string_equal(out.ptr, expected);
    buf_release(&out);
}

static void test_hive(void **state)
{
    hive(STR_NULL, "__HIVE_DEFAULT_PARTITION__");
    hive(STR(""), "__HIVE_DEFAULT_PARTITION__");
    hive(STR("2024-01-02 03:04:05.5"), "2024-01-02 03%3A04%3A05.5");
    hive(STR("\"#%'*/:=?\\{[]^\x7f"), "%22%23%25%27%2A%2F%3A%3D%3F%5C%7B%5B%5D%5E%7F");
    hive(STR("\x01\t\n\x1f"), "%01%09%0A%1F");
    hive(STR(" }!$&()+,-.;<>@_`|~\xC3\xA9"), " }!$&()+,-.;<>@_`|~\xC3\xA9");
}

static void test_every_byte(void **state)
{
    char all[255];
    for (int i = 0; i < 255; i++)
        all[i] = (char)(i + 1);
    struct str value = {all, sizeof all};
    struct buf out = BUF_INIT, back = BUF_INIT;
    hive_escape(&out, value);
    assert_true(uri_decode(&back, buf_view(&out)));
    assert_true(str_eq(buf_view(&back), value));
    buf_clear(&out);
    buf_clear(&back);
    uri_encode_path(&out, value);
    for (size_t i = 0; i < out.len; i++)
        assert_true(out.ptr[i] > 0x20 && out.ptr[i] < 0x7f);
    assert_true(uri_decode(&back, buf_view(&out)));
    assert_true(str_eq(buf_view(&back), value));
    buf_release(&back);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_encode),
        cmocka_unit_test(test_decode),
        cmocka_unit_test(test_hive),
        cmocka_unit_test(test_every_byte),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
