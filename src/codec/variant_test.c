/* codec/variant_test.c */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "codec/codec.h"

static void same_text(const char *json, const char *expected)
{
    struct buf joined = BUF_INIT, text = BUF_INIT;
    struct variant v;
    assert_int_equal(variant_from_json(str_of(json), &joined, NULL), STATUS_OK);
    assert_true(variant_split(buf_view(&joined), &v));
    assert_int_equal(variant_extent(&v), v.value.len);
    assert_true(variant_put_json(&v, &text));
    buf_char(&text, 0);
    assert_string_equal(text.ptr, expected);
    buf_release(&joined);
    buf_release(&text);
}

static void test_numbers(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {{"0", "0"},
                                           {"-0", "0"},
                                           {"127", "127"},
                                           {"-129", "-129"},
                                           {"40000", "40000"},
                                           {"2147483648", "2147483648"},
                                           {"-9223372036854775808", "-9223372036854775808"},
                                           {"9223372036854775808", "9223372036854775808"},
                                           {"1.10", "1.1"},
                                           {"100", "100"},
                                           {"1.0", "1"},
                                           {"0.000000001", "0.000000001"},
                                           {"12345678901234567890123456789012345678", "12345678901234567890123456789012345678"},
                                           {"123456789012345678901234567890123456789", "1.2345678901234568E38"},
                                           {"1e3", "1000.0"},
                                           {"1e7", "1.0E7"},
                                           {"1E-7", "1.0E-7"},
                                           {"1e-3", "0.001"},
                                           {"-2.5e-4", "-2.5E-4"},
                                           {"1e0", "1.0"},
                                           {"9999999e0", "9999999.0"},
                                           {"-1.25e300", "-1.25E300"},
                                           {"0e1", "0.0"}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(pairs); i++)
        same_text(pairs[i][0], pairs[i][1]);
}

static void test_containers(void **state)
{
    (void)state;
    same_text("{\"b\":1,\"a\":[true,false,null],\"B\":{\"a\":\"x\"}}", "{\"B\":{\"a\":\"x\"},\"a\":[true,false,null],\"b\":1}");
    same_text("[]", "[]");
    same_text("{}", "{}");
    struct buf text = BUF_INIT; /* more than 255 elements, offsets of two bytes */
    buf_char(&text, '[');
    for (int i = 0; i < 300; i++)
        buf_printf(&text, "%s\"%03d\"", i ? "," : "", i);
    buf_z(&text, "]");
    buf_char(&text, 0);
    same_text(text.ptr, text.ptr);
    buf_release(&text);
}

static void test_refused(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum status status;
    } cases[] = {{"", STATUS_SYNTAX},
                 {"{", STATUS_SYNTAX},
                 {"1 2", STATUS_SYNTAX},
                 {"NaN", STATUS_SYNTAX},
                 {"{'a':1}", STATUS_SYNTAX},
                 {"[1,]", STATUS_SYNTAX},
                 {"{\"a\":1,\"a\":2}", STATUS_INVALID_ARGUMENT},
                 {"1e999", STATUS_SYNTAX}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        struct error err = ERROR_INIT;
        struct buf out = BUF_INIT;
        assert_int_equal(variant_from_json(str_of(cases[i].text), &out, &err), cases[i].status);
        error_release(&err);
        buf_release(&out);
    }
}

static void test_depth(void **state)
{
    (void)state;
    for (int depth = 999; depth <= 1001; depth++) {
        struct buf text = BUF_INIT, out = BUF_INIT;
        for (int i = 0; i < 2 * depth; i++)
            buf_char(&text, i < depth ? '[' : ']');
        assert_int_equal(variant_from_json(buf_view(&text), &out, NULL), depth <= VARIANT_DEPTH_MAX ? STATUS_OK : STATUS_SYNTAX);
        buf_release(&text);
        buf_release(&out);
    }
}

/* Every prefix and every changed byte of a variant is an error or a value, and never read beyond its end (the sanitizer sees that). */
static void test_damage(void **state)
{
    (void)state;
    struct buf joined = BUF_INIT;
    assert_int_equal(variant_from_json(STR("{\"a\":[1,2.5,\"xyz\"],\"b\":{\"c\":null}}"), &joined, NULL), STATUS_OK);
    for (size_t at = 0; at < joined.len; at++) {
        for (int value = 0; value < 256; value += 5) {
            char *copy = mem_alloc(joined.len);
            struct buf text = BUF_INIT;
            struct variant v;
            assert_non_null(copy);
            memcpy(copy, joined.ptr, joined.len);
            copy[at] = (char)value;
            if (variant_split((struct str){copy, joined.len}, &v))
                variant_put_json(&v, &text);
            if (variant_split((struct str){copy, at}, &v))
                variant_put_json(&v, &text);
            buf_release(&text);
            mem_free(copy);
        }
    }
    buf_release(&joined);
}

static void test_memory_runs_out(void **state)
{
    (void)state;
    for (uint64_t i = 1; i < 40; i++) {
        struct error err = ERROR_INIT;
        struct buf out = BUF_INIT;
        alloc_fail_after(i);
        enum status st = variant_from_json(STR("{\"a\":[1,{\"b\":\"\\u00e9\"}],\"c\":2}"), &out, &err);
        alloc_fail_after(0);
        assert_true(st == STATUS_OK || st == STATUS_OUT_OF_MEMORY);
        error_release(&err);
        buf_release(&out);
        if (st == STATUS_OK)
            return;
    }
    fail_msg("it never has memory enough");
}

static void look_at(struct arena *arena, struct shred_node *root, const char *json)
{
    struct buf joined = BUF_INIT;
    struct variant v;
    assert_int_equal(variant_from_json(str_of(json), &joined, NULL), STATUS_OK);
    assert_true(variant_split(buf_view(&joined), &v));
    assert_true(shred_look(arena, root, &v));
    buf_release(&joined);
}

static const struct shred_node *child(const struct shred_node *node, const char *key)
{
    for (const struct shred_node *c = node->children; c; c = c->next)
        if (str_eq(c->key, str_of(key)))
            return c;
    return NULL;
}

static void test_what_is_shredded(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT;
    struct shred_node root = {0};
    for (int i = 0; i < 20; i++)
        look_at(&arena, &root,
                i ? "{\"n\":1,\"d\":2,\"m\":\"x\",\"A\":1,\"o\":{\"p\":true},\"l\":[1],\"z\":null}"
                  : "{\"n\":null,\"d\":0.125,\"m\":1,\"a\":1,\"r\":1}");
    assert_true(shred_decide(&root, 20));
    assert_int_equal(child(&root, "n")->typed, VARIANT_INTEGER);
    assert_int_equal(child(&root, "d")->typed, VARIANT_DECIMAL);
    assert_int_equal(child(&root, "d")->scale, 3);
    assert_int_equal(child(&root, "d")->precision, 38); /* of any integer */
    assert_int_equal(child(child(&root, "o"), "p")->typed, VARIANT_BOOLEAN);
    assert_non_null(child(&root, "A"));
    static const char *const absent[] = {"m", "a", "r", "l", "z"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(absent); i++)
        assert_null(child(&root, absent[i]));
    struct shred_node nothing = {0};
    assert_false(shred_decide(&nothing, 0));
    look_at(&arena, &nothing, "[1]");
    assert_false(shred_decide(&nothing, 1));
    arena_release(&arena);
}

static void test_what_is_left(void **state)
{
    (void)state;
    struct buf joined = BUF_INIT, rest = BUF_INIT, text = BUF_INIT;
    struct variant v;
    struct variant_item item;
    uint32_t left;
    const struct str keys[] = {STR("b"), STR("x")};
    assert_int_equal(variant_from_json(STR("{\"a\":[1],\"b\":2,\"c\":{\"b\":3}}"), &joined, NULL), STATUS_OK);
    assert_true(variant_split(buf_view(&joined), &v) && variant_read(&v, &item));
    assert_true(variant_put_without(&v, &item, keys, 2, &rest, &left));
    assert_int_equal(left, 2);
    v.value = buf_view(&rest);
    assert_true(variant_put_json(&v, &text));
    assert_true(str_eq(buf_view(&text), STR("{\"a\":[1],\"c\":{\"b\":3}}")));
    buf_release(&joined);
    buf_release(&rest);
    buf_release(&text);
}

/* A root with a leaf and a group of two. */
static const uint8_t footer[] = {0x15, 2,  0x19, 0x5c,                     /* version; five elements */
                                 0x48, 1,  'r',  0x15, 4,    0,            /* r: two children */
                                 0x15, 4,  0x25, 2,    0x18, 1,    'i', 0, /* i */
                                 0x35, 2,  0x18, 1,    'v',  0x15, 4,   0, /* v: two children */
                                 0x15, 12, 0x25, 2,    0x18, 1,    'v', 0, /* another v, inside */
                                 0x15, 12, 0x25, 2,    0x18, 1,    'w', 0, 0x16, 2, 0x19, 0x0c, 0};

static void test_footer(void **state)
{
    (void)state;
    struct buf out = BUF_INIT;
    const struct str given = {(const char *)footer, sizeof footer}, names[] = {STR("v"), STR("i")};
    assert_int_equal(parquet_annotate_variants(given, names, 1, &out, NULL), STATUS_OK);
    static const char type[] = {0x5c, 0x0c, 0x20, 0x13, 1, 0, 0};
    size_t at = 4 + 6 + 8 + 7;
    assert_int_equal(out.len, sizeof footer + sizeof type);
    assert_memory_equal(out.ptr, footer, at);
    assert_memory_equal(out.ptr + at, type, sizeof type);
    assert_memory_equal(out.ptr + at + sizeof type, footer + at, sizeof footer - at);
    buf_clear(&out);
    assert_int_not_equal(parquet_annotate_variants(given, names + 1, 1, &out, NULL), STATUS_OK); /* no group */
    assert_int_equal(out.len, 0);
    for (size_t len = 0; len < 4 + 6 + 8 + 8 + 8 + 7; len++) {
        assert_int_not_equal(parquet_annotate_variants(str_sub(given, 0, len), names, 1, &out, NULL), STATUS_OK);
        assert_int_equal(out.len, 0);
    }
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),          cmocka_unit_test(test_containers),
        cmocka_unit_test(test_refused),          cmocka_unit_test(test_depth),
        cmocka_unit_test(test_damage),           cmocka_unit_test(test_memory_runs_out),
        cmocka_unit_test(test_what_is_shredded), cmocka_unit_test(test_what_is_left),
        cmocka_unit_test(test_footer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
