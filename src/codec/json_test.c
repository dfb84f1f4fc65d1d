/* codec/json_test.c: the reader against RFC 8259's edges, and the writer. */
#include "base/base.h"

#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "codec/codec.h"

#define MAX_DEPTH 128

struct fixture {
    struct arena arena;
    struct json json;
    struct error err;
};

static int set_up(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    f->err = ERROR_INIT;
    *state = f;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *f = *state;
    arena_release(&f->arena);
    error_release(&f->err);
    mem_free(f);
    return 0;
}

/* The text is copied to a heap block of its exact size, so that reading past its end is seen by the sanitizer. */
static enum status parse(struct fixture *f, struct str text)
{
    char *exact = mem_alloc(text.len ? text.len : 1);
    if (text.len)
        memcpy(exact, text.ptr, text.len);
    struct str kept = {arena_dup(&f->arena, exact, text.len ? text.len : 1), text.len};
    enum status status = json_parse(&f->arena, (struct str){exact, text.len}, &f->json, &f->err);
    if (status == STATUS_OK)
        assert_int_equal(json_parse(&f->arena, kept, &f->json, &f->err), STATUS_OK);
    mem_free(exact);
    return status;
}

static void accept(struct fixture *f, struct str text)
{
    if (parse(f, text) != STATUS_OK)
        fail_msg("refused %.*s: %s", STR_ARG(text), f->err.message);
}

static void refuse_at(struct fixture *f, struct str text, int64_t position)
{
    if (parse(f, text) == STATUS_OK)
        fail_msg("accepted %.*s", STR_ARG(text));
    assert_int_equal(f->err.code, STATUS_SYNTAX);
    if (f->err.position != position)
        fail_msg("%.*s: position %lld, expected %lld", STR_ARG(text), (long long)f->err.position, (long long)position);
    assert_null(f->json.nodes);
    assert_int_equal(f->json.count, 0);
}

static void text_is(struct fixture *f, uint32_t node, struct str expected)
{
    struct str got = json_text(&f->json, node, &f->arena);
    if (!str_eq(got, expected))
        fail_msg("got \"%.*s\", expected \"%.*s\"", STR_ARG(got), STR_ARG(expected));
}

static void test_scalars(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        enum json_type type;
    } cases[] = {{"null", JSON_NULL},   {" true ", JSON_TRUE},    {"\tfalse\r\n", JSON_FALSE}, {"0", JSON_NUMBER},  {"-0", JSON_NUMBER},
                 {"\"\"", JSON_STRING}, {"1E+2", JSON_NUMBER},    {"-1.5e-10", JSON_NUMBER},   {"[]", JSON_ARRAY},  {"{}", JSON_OBJECT},
                 {"0e0", JSON_NUMBER},  {"123.456", JSON_NUMBER}, {"[ ]", JSON_ARRAY},         {"{ }", JSON_OBJECT}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        accept(f, str_of(cases[i].text));
        assert_int_equal(f->json.nodes[0].type, cases[i].type);
        assert_int_equal(f->json.count, 1);
        assert_int_equal(f->json.nodes[0].next, 1);
    }
}

static void test_tape(void **state)
{
    struct fixture *f = *state;
    accept(f, STR(" {\"a\": [1, {\"b\": null}, []], \"c\": \"x\"} "));
    const struct json *j = &f->json;
    assert_int_equal(j->count, 10);
    assert_int_equal(j->nodes[0].count, 2);
    assert_int_equal(j->nodes[0].next, 10);
    assert_true(str_eq(j->nodes[0].text, STR("{\"a\": [1, {\"b\": null}, []], \"c\": \"x\"}")));
    uint32_t list = json_member(j, 0, "a");
    assert_int_equal(j->nodes[list].count, 3);
    assert_true(str_eq(j->nodes[list].text, STR("[1, {\"b\": null}, []]")));
    uint32_t seen = 0;
    for (uint32_t i = json_first(j, list); i < j->nodes[list].next; i = json_next(j, i))
        seen++;
    assert_int_equal(seen, 3);
    uint32_t i = json_first(j, 0);
    text_is(f, i, STR("a"));
    i = json_next(j, i + 1);
    text_is(f, i, STR("c"));
    text_is(f, i + 1, STR("x"));
    assert_int_equal(json_next(j, i + 1), j->nodes[0].next);
}

static void test_members(void **state)
{
    struct fixture *f = *state;
    accept(f, STR("{\"k\":1,\"\\u006b2\":2,\"k\":3,\"\":4,\"a\\nb\":5}"));
    assert_true(str_eq(f->json.nodes[json_member(&f->json, 0, "k")].text, STR("3")));
    assert_true(str_eq(f->json.nodes[json_member(&f->json, 0, "k2")].text, STR("2")));
    assert_true(str_eq(f->json.nodes[json_member(&f->json, 0, "")].text, STR("4")));
    assert_true(str_eq(f->json.nodes[json_member(&f->json, 0, "a\nb")].text, STR("5")));
    assert_int_equal(json_member(&f->json, 0, "k3"), 0);
    assert_int_equal(json_member(&f->json, 0, "a\nbc"), 0);
    assert_int_equal(json_member(&f->json, 1, "k"), 0); /* not an object */
}

static void test_escapes(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *json;
        struct str text;
    } cases[] = {
        {"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\"", {"\"\\/\b\f\n\r\t", 8}},
        {"\"\\u0000x\"", {"\0x", 2}},
        {"\"\\u00e9\\u20AC\"", {"\xC3\xA9\xE2\x82\xAC", 5}},
        {"\"\\ud83d\\ude00!\"", {"\xF0\x9F\x98\x80!", 5}},
        {"\"\\uDBFF\\uDFFF\"", {"\xF4\x8F\xBF\xBF", 4}},
        {"\"\\ud83d\"", {"\xEF\xBF\xBD", 3}}, /* half a pair */
        {"\"\\ude00a\"",
         {"\xEF\xBF\xBD"
          "a",
          4}}, /* the other half */
        {"\"\\ud83d\\u0041\"",
         {"\xEF\xBF\xBD"
          "A",
          4}}, /* not a low surrogate */
        {"\"\\ud83d\\ud83d\\ude00\"", {"\xEF\xBF\xBD\xF0\x9F\x98\x80", 7}},
        {"\"\\ud83dxyz\"", {"\xEF\xBF\xBDxyz", 6}},
        {"\"long enough for eight bytes at once \\n and more text here\"", {"long enough for eight bytes at once \n and more text here", 56}},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        accept(f, str_of(cases[i].json));
        text_is(f, 0, cases[i].text);
    }
}

/* Before and after what is special stands plain text of every length, so that it meets every place of a block and every end of the text. */
static void put_filler(struct buf *out, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf_char(out, (char)('a' + i % 26));
}

static void decodes_between(struct fixture *f, const char *written, const char *meant, size_t before, size_t after)
{
    struct buf text = BUF_INIT, expected = BUF_INIT;
    buf_char(&text, '"');
    put_filler(&text, before);
    buf_z(&text, written);
    put_filler(&text, after);
    buf_char(&text, '"');
    put_filler(&expected, before);
    buf_z(&expected, meant);
    put_filler(&expected, after);
    accept(f, buf_view(&text));
    struct str decoded = json_text(&f->json, 0, &f->arena);
    if (!str_eq(decoded, buf_view(&expected)))
        fail_msg("%.*s became %.*s", STR_ARG(buf_view(&text)), STR_ARG(decoded));
    buf_release(&expected);
    buf_release(&text);
}

static void test_blocks(void **state)
{
    struct fixture *f = *state;
    const char *const cases[][2] = {{"\\\"", "\""}, {"\\\\", "\\"},         {"\\\\\\\"", "\\\""}, {"\\\"\\\"\\\"x\\\"", "\"\"\"x\""},
                                    {"\\n", "\n"},  {"\\u00e9\\\"", "é\""}, {"\\\"é\\/", "\"é/"}, {"語言\\t", "語言\t"}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++)
        for (size_t before = 0; before < 150; before++) {
            decodes_between(f, cases[i][0], cases[i][1], before, before % 7);
            decodes_between(f, cases[i][0], cases[i][1], before, 200 - before);
            arena_clear(&f->arena);
        }
}

static void test_blocks_are_checked(void **state)
{
    struct fixture *f = *state;
    const char *const bad[] = {"\\x", "\x01", "\xff", "\\u12g4", "\\\\\\q"};
    const int64_t at[] = {1, 0, 0, 4, 3};
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++)
        for (size_t before = 0; before < 150; before++) {
            struct buf text = BUF_INIT;
            buf_char(&text, '"');
            put_filler(&text, before);
            buf_z(&text, bad[i]);
            put_filler(&text, 150 - before);
            buf_char(&text, '"');
            refuse_at(f, buf_view(&text), 1 + (int64_t)before + at[i]);
            error_release(&f->err);
            buf_release(&text);
        }
}

static void test_plain_text_is_borrowed(void **state)
{
    struct fixture *f = *state;
    static const char input[] = "\"plain \xC3\xA9\"";
    assert_int_equal(json_parse(&f->arena, STR(input), &f->json, &f->err), STATUS_OK);
    assert_ptr_equal(json_text(&f->json, 0, &f->arena).ptr, input + 1);
}

static void test_refused(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        int64_t position;
    } cases[] = {
        {"", 0},
        {"  ", 2},
        {"nul", 3},
        {"nulL", 3},
        {"truex", 4},
        {"+1", 0},
        {"01", 1},
        {"-", 1},
        {"-x", 1},
        {"1.", 2},
        {"1.e3", 2},
        {"1e", 2},
        {"1e+", 3},
        {".5", 0},
        {"0x10", 1},
        {"NaN", 0},
        {"[1,]", 3},
        {"[,1]", 1},
        {"[1 2]", 3},
        {"{\"a\"}", 4},
        {"{\"a\":}", 5},
        {"{\"a\":1,}", 7},
        {"{a:1}", 1},
        {"{\"a\":1 \"b\":2}", 7},
        {"{1:2}", 1},
        {"\"abc", 4},
        {"\"a\nb\"", 2},
        {"\"\\x\"", 2},
        {"\"\\u12\"", 5},
        {"\"\\u12G4\"", 5},
        {"'a'", 0},
        {"[1]]", 3},
        {"1 2", 2},
        {"{}{}", 2},
        {"[}", 1},
        {"{]", 1},
        {"[1}", 2},
        {"/**/1", 0},
        {"\xEF\xBB\xBF"
         "1",
         0},
        {"\"\\", 2},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++)
        refuse_at(f, str_of(cases[i].text), cases[i].position);
    refuse_at(f, (struct str){"\"a\0b\"", 5}, 2);
    refuse_at(f, (struct str){"1\0", 2}, 1);
    refuse_at(f, (struct str){"\"\\\0\"", 4}, 2);
    refuse_at(f, STR_NULL, 0);
}

static void test_utf8(void **state)
{
    struct fixture *f = *state;
    static const char *const good[] = {"\xC2\x80",     "\xDF\xBF",     "\xE0\xA0\x80",     "\xED\x9F\xBF",
                                       "\xEE\x80\x80", "\xEF\xBF\xBF", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"};
    static const char *const bad[] = {"\x80",
                                      "\xBF",
                                      "\xC0\x80",
                                      "\xC1\xBF",
                                      "\xC2",
                                      "\xC2\x41",
                                      "\xE0\x9F\xBF",
                                      "\xE2\x82",
                                      "\xED\xA0\x80",
                                      "\xF0\x8F\xBF\xBF",
                                      "\xF0\x90\x80",
                                      "\xF4\x90\x80\x80",
                                      "\xF5\x80\x80\x80",
                                      "\xFF",
                                      "\xE2\x28\xA1",
                                      "\xE2\x82\x28",
                                      "\xF0\x90\x28\xBC"};
    char text[32];
    for (size_t before = 0; before < 9; before++) {
        for (size_t i = 0; i < VV_ARRAY_COUNT(good); i++) {
            snprintf(text, sizeof text, "\"%.*s%s\"", (int)before, "aaaaaaaaa", good[i]);
            accept(f, str_of(text));
        }
        for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++) {
            snprintf(text, sizeof text, "\"%.*s%s\"", (int)before, "aaaaaaaaa", bad[i]);
            refuse_at(f, str_of(text), (int64_t)before + 1);
        }
    }
}

static void test_truncated_everywhere(void **state)
{
    struct fixture *f = *state;
    static const char whole[] = "{\"add\":{\"path\":\"a=\xC3\xA9/b\\u0041\\ud83d\\ude00.parquet\",\"size\":-12.5e+3,\"ok\":[true,false,null,{}]}}";
    size_t len = sizeof whole - 1;
    accept(f, (struct str){whole, len});
    for (size_t n = 0; n < len; n++) {
        assert_int_not_equal(parse(f, (struct str){whole, n}), STATUS_OK);
        /* The end is to blame, or the start of a character that was cut through. */
        bool in_character = n > 0 && (unsigned char)whole[n - 1] >= 0xC0;
        assert_int_equal(f->err.position, (int64_t)(in_character ? n - 1 : n));
    }
}

static void nested(char *out, int depth)
{
    for (int i = 0; i < depth; i++) {
        out[i] = '[';
        out[2 * depth - 1 - i] = ']';
    }
    out[2 * depth] = 0;
}

static void test_depth(void **state)
{
    struct fixture *f = *state;
    char text[2 * MAX_DEPTH + 8];
    nested(text, MAX_DEPTH);
    accept(f, str_of(text));
    assert_int_equal(f->json.count, MAX_DEPTH);
    nested(text, MAX_DEPTH + 1);
    refuse_at(f, str_of(text), MAX_DEPTH);
    struct buf deep = BUF_INIT;
    for (int i = 0; i < 100000; i++)
        buf_z(&deep, "{\"a\":");
    refuse_at(f, buf_view(&deep), MAX_DEPTH * 5);
    buf_release(&deep);
}

static void test_integers(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        bool ok;
        int64_t value;
    } cases[] = {
        {"0", true, 0},
        {"-0", true, 0},
        {"42", true, 42},
        {"9223372036854775807", true, INT64_MAX},
        {"-9223372036854775808", true, INT64_MIN},
        {"9223372036854775808", false, 0},
        {"-9223372036854775809", false, 0},
        {"1e3", true, 1000},
        {"1E+3", true, 1000},
        {"1.5e1", true, 15},
        {"1.50", false, 0},
        {"1.0", true, 1},
        {"100e-2", true, 1},
        {"10e-2", false, 0},
        {"1e19", false, 0},
        {"1e18", true, 1000000000000000000},
        {"0e999999999999", true, 0},
        {"1e999999999999", false, 0},
        {"1e-999999999999", false, 0},
        {"0.0", true, 0},
        {"12000.000e-3", true, 12},
        {"99999999999999999999999999999999", false, 0},
        {"0.000000000000000000000000000001e30", true, 1},
        {"\"1\"", false, 0},
        {"true", false, 0},
        {"-1.20e1", true, -12},
        {"18446744073709551616", false, 0},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        int64_t value = 0;
        accept(f, str_of(cases[i].text));
        if (json_i64(&f->json, 0, &value) != cases[i].ok || value != cases[i].value)
            fail_msg("%s read as %lld", cases[i].text, (long long)value);
    }
}

static void test_sixty_digits_survive(void **state)
{
    struct fixture *f = *state;
    static const char digits[] = "-123456789012345678901234567890.123456789012345678901234567890";
    accept(f, STR(digits));
    assert_true(str_eq(f->json.nodes[0].text, STR(digits)));
}

static void test_doubles_and_bools(void **state)
{
    struct fixture *f = *state;
    double v = 0;
    bool b = false;
    accept(f, STR("[1.5, \"NaN\", \"-Infinity\", \"1.5\", true, 1e3, \"nan\"]"));
    assert_true(json_f64(&f->json, 1, &v) && v == 1.5);
    assert_true(json_f64(&f->json, 2, &v) && isnan(v));
    assert_true(json_f64(&f->json, 3, &v) && isinf(v) && v < 0);
    assert_false(json_f64(&f->json, 4, &v));
    assert_false(json_f64(&f->json, 5, &v));
    assert_true(json_f64(&f->json, 6, &v) && v == 1000);
    assert_false(json_f64(&f->json, 7, &v));
    assert_true(json_bool(&f->json, 5, &b) && b);
    assert_false(json_bool(&f->json, 1, &b));
}

static void test_many_nodes(void **state)
{
    struct fixture *f = *state;
    struct buf text = BUF_INIT;
    buf_char(&text, '[');
    for (int i = 0; i < 100000; i++)
        buf_printf(&text, "%s{\"k\":%d}", i ? "," : "", i);
    buf_char(&text, ']');
    accept(f, buf_view(&text));
    assert_int_equal(f->json.count, 300001);
    assert_int_equal(f->json.nodes[0].count, 100000);
    int64_t v = 0, expected = 0;
    for (uint32_t i = json_first(&f->json, 0); i < f->json.nodes[0].next; i = json_next(&f->json, i), expected++)
        assert_true(json_i64(&f->json, json_member(&f->json, i, "k"), &v) && v == expected);
    buf_release(&text);
}

static void test_out_of_memory(void **state)
{
    struct fixture *f = *state;
    struct buf text = BUF_INIT;
    buf_char(&text, '[');
    for (int i = 0; i < 5000; i++)
        buf_z(&text, i ? ",1" : "1");
    buf_char(&text, ']');
    bool passed = false;
    for (uint64_t n = 1; n < 100 && !passed; n++) {
        struct arena fresh = ARENA_INIT;
        alloc_fail_after(n);
        enum status status = json_parse(&fresh, buf_view(&text), &f->json, &f->err);
        alloc_fail_after(0);
        passed = status == STATUS_OK;
        if (!passed) {
            assert_int_equal(status, STATUS_OUT_OF_MEMORY);
            assert_int_equal(f->err.code, STATUS_OUT_OF_MEMORY);
            assert_null(f->json.nodes);
        }
        arena_release(&fresh);
    }
    assert_true(passed);
    buf_release(&text);
    accept(f, STR("\"a\\nb\""));
    struct arena fresh = ARENA_INIT;
    alloc_fail_after(1);
    assert_null(json_text(&f->json, 0, &fresh).ptr);
    alloc_fail_after(0);
    arena_release(&fresh);
}

static void written_is(void (*write)(struct buf *, struct str), struct str in, const char *expected)
{
    struct buf out = BUF_INIT;
    write(&out, in);
    assert_string_equal(out.ptr, expected);
    buf_release(&out);
}

static void test_put_string(void **state)
{
    written_is(json_put_string, STR(""), "\"\"");
    written_is(json_put_string, STR_NULL, "\"\"");
    written_is(json_put_string, STR("a\"b\\c/\b\f\n\r\t\x01\x1f\x7f"), "\"a\\\"b\\\\c/\\b\\f\\n\\r\\t\\u0001\\u001f\x7f\"");
    written_is(json_put_string, (struct str){"\0", 1}, "\"\\u0000\"");
    written_is(json_put_string, STR("12345678\xC3\xA9\xF0\x9F\x98\x80 tail"), "\"12345678\xC3\xA9\xF0\x9F\x98\x80 tail\"");
    written_is(json_put_string, STR("a\xFF\xC3(\xE2\x82"), "\"a\xEF\xBF\xBD\xEF\xBF\xBD(\xEF\xBF\xBD\xEF\xBF\xBD\"");
}

static void test_any_bytes_written_read_back(void **state)
{
    struct fixture *f = *state;
    struct rng_seeded seed;
    struct rng rng = rng_seeded_init(&seed, 7);
    for (int round = 0; round < 2000; round++) {
        unsigned char bytes[40];
        rng.fill(rng.self, bytes, sizeof bytes);
        struct str in = {(const char *)bytes, (size_t)round % sizeof bytes};
        struct buf out = BUF_INIT;
        json_put_string(&out, in);
        accept(f, buf_view(&out));
        struct str back = json_text(&f->json, 0, &f->arena);
        assert_true(utf8_valid(back));
        if (utf8_valid(in))
            assert_true(str_eq(in, back));
        buf_release(&out);
    }
}

static void f64_is(double v, const char *expected)
{
    struct buf out = BUF_INIT;
    json_put_f64(&out, v);
    assert_string_equal(out.ptr, expected);
    buf_release(&out);
}

static void test_put_f64(void **state)
{
    f64_is(0, "0.0");
    f64_is(-0.0, "-0.0");
    f64_is(1, "1.0");
    f64_is(-123.45, "-123.45");
    f64_is(0.1 + 0.2, "0.30000000000000004");
    f64_is(1e15, "1000000000000000.0");
    f64_is(1e16, "1e+16");
    f64_is(123456789012345678.0, "1.2345678901234568e+17");
    f64_is(0.0001, "0.0001");
    f64_is(0.00001, "1e-05");
    f64_is(5e-324, "5e-324");
    f64_is(1.7976931348623157e308, "1.7976931348623157e+308");
    f64_is(9007199254740993.0, "9007199254740992.0");
    f64_is(NAN, "\"NaN\"");
    f64_is(INFINITY, "\"Infinity\"");
    f64_is(-INFINITY, "\"-Infinity\"");
}

static void test_f64_reads_back(void **state)
{
    struct rng_seeded seed;
    struct rng rng = rng_seeded_init(&seed, 11);
    for (int i = 0; i < 20000; i++) {
        uint64_t bits;
        double v;
        rng.fill(rng.self, &bits, sizeof bits);
        memcpy(&v, &bits, sizeof v);
        if (i % 2)
            v = (double)(bits >> 20) / pow(10, (double)(bits % 14));
        if (!isfinite(v))
            continue;
        struct buf out = BUF_INIT;
        json_put_f64(&out, v);
        assert_true(strtod(out.ptr, NULL) == v);
        buf_release(&out);
    }
}

static void test_put_key(void **state)
{
    struct buf out = BUF_INIT;
    bool first = true;
    json_put_key(&out, "a\"", &first);
    buf_i64(&out, 1);
    json_put_key(&out, "b", &first);
    assert_string_equal(out.ptr, "\"a\\\"\":1,\"b\":");
    buf_release(&out);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_scalars),
        TEST(test_tape),
        TEST(test_members),
        TEST(test_escapes),
        TEST(test_blocks),
        TEST(test_blocks_are_checked),
        TEST(test_plain_text_is_borrowed),
        TEST(test_refused),
        TEST(test_utf8),
        TEST(test_truncated_everywhere),
        TEST(test_depth),
        TEST(test_integers),
        TEST(test_sixty_digits_survive),
        TEST(test_doubles_and_bools),
        TEST(test_many_nodes),
        TEST(test_out_of_memory),
        TEST(test_put_string),
        TEST(test_any_bytes_written_read_back),
        TEST(test_put_f64),
        TEST(test_f64_reads_back),
        TEST(test_put_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
