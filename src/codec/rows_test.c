/* codec/rows_test.c: Arrow values as text and JSON, rowsets, and every output format. */
#include "base/base.h"

#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <cmocka.h>

#include "codec/codec.h"

/* ---- values ---------------------------------------------------------------------- */

/* One array made of literals; the schema lives beside it. */
struct column {
    struct ArrowSchema schema;
    struct ArrowArray array;
    const void *buffers[5];
};

#define COLUMN(NAME, FORMAT, LENGTH, ...)                                                                                                            \
    struct column NAME = {.schema = {.format = FORMAT, .name = #NAME, .flags = ARROW_FLAG_NULLABLE},                                                 \
                          .array = {.length = LENGTH, .null_count = -1},                                                                             \
                          .buffers = {__VA_ARGS__}};                                                                                                 \
    NAME.array.buffers = NAME.buffers;                                                                                                               \
    NAME.array.n_buffers = sizeof((const void *[]){__VA_ARGS__}) / sizeof(void *)

static void value_is(const struct column *c, int64_t row, const char *text, const char *json)
{
    struct buf out = BUF_INIT;
    bool has_value = arrow_value_text(&c->schema, &c->array, row, &out);
    assert_int_equal(has_value, text != NULL);
    if (text)
        assert_string_equal(buf_view(&out).ptr, text);
    buf_clear(&out);
    arrow_value_json(&c->schema, &c->array, row, false, &out);
    assert_string_equal(buf_view(&out).ptr, json);
    buf_release(&out);
}

static void type_is(const struct column *c, const char *name)
{
    struct buf out = BUF_INIT;
    arrow_type_name(&c->schema, &out);
    assert_string_equal(out.ptr, name);
    buf_release(&out);
}

static void test_integers(void **state)
{
    COLUMN(i8, "c", 2, NULL, ((int8_t[]){-128, 127}));
    COLUMN(u8, "C", 1, NULL, ((uint8_t[]){255}));
    COLUMN(i16, "s", 1, NULL, ((int16_t[]){-32768}));
    COLUMN(u16, "S", 1, NULL, ((uint16_t[]){65535}));
    COLUMN(i32, "i", 1, NULL, ((int32_t[]){INT32_MIN}));
    COLUMN(u32, "I", 1, NULL, ((uint32_t[]){UINT32_MAX}));
    COLUMN(i64, "l", 3, ((uint8_t[]){5}), ((int64_t[]){INT64_MIN, 7, INT64_MAX}));
    COLUMN(u64, "L", 1, NULL, ((uint64_t[]){UINT64_MAX}));
    value_is(&i8, 0, "-128", "-128");
    value_is(&u8, 0, "255", "255");
    value_is(&i16, 0, "-32768", "-32768");
    value_is(&u16, 0, "65535", "65535");
    value_is(&i32, 0, "-2147483648", "-2147483648");
    value_is(&u32, 0, "4294967295", "4294967295");
    value_is(&i64, 0, "-9223372036854775808", "-9223372036854775808");
    value_is(&i64, 1, NULL, "null");
    value_is(&i64, 2, "9223372036854775807", "9223372036854775807");
    value_is(&u64, 0, "18446744073709551615", "18446744073709551615");
    i64.array.offset = 2; /* rows count from the offset */
    value_is(&i64, 0, "9223372036854775807", "9223372036854775807");
    type_is(&i8, "tinyint");
    type_is(&u64, "ubigint");
    type_is(&i32, "integer");
}

static void test_bigint_as_string(void **state)
{
    COLUMN(i64, "l", 3, NULL, ((int64_t[]){9007199254740992, 9007199254740993, -9007199254740993}));
    COLUMN(dec, "d:18,2", 1, NULL, ((__int128[]){150}));
    static const char *const expected[] = {"9007199254740992", "\"9007199254740993\"", "\"-9007199254740993\""};
    struct buf out = BUF_INIT;
    for (int i = 0; i < 3; i++) {
        buf_clear(&out);
        arrow_value_json(&i64.schema, &i64.array, i, true, &out);
        assert_string_equal(out.ptr, expected[i]);
    }
    buf_clear(&out);
    arrow_value_json(&dec.schema, &dec.array, 0, true, &out);
    assert_string_equal(out.ptr, "\"1.50\"");
    buf_release(&out);
}

static void test_floats_and_bools(void **state)
{
    COLUMN(f64, "g", 7, NULL, ((double[]){0.1, 1e300, NAN, -INFINITY, -0.0, 3, 1e-7}));
    COLUMN(f32, "f", 4, NULL, ((float[]){0.1f, 16777216.0f, INFINITY, 1.4e-45f}));
    COLUMN(flag, "b", 2, NULL, ((uint8_t[]){2}));
    value_is(&f64, 0, "0.1", "0.1");
    value_is(&f64, 1, "1e+300", "1e+300");
    value_is(&f64, 2, "nan", "\"NaN\"");
    value_is(&f64, 3, "-inf", "\"-Infinity\"");
    value_is(&f64, 4, "-0.0", "-0.0");
    value_is(&f64, 5, "3.0", "3.0");
    value_is(&f64, 6, "1e-07", "1e-07");
    value_is(&f32, 0, "0.1", "0.1");
    value_is(&f32, 1, "16777216.0", "16777216.0");
    value_is(&f32, 2, "inf", "\"Infinity\"");
    value_is(&f32, 3, "1e-45", "1e-45");
    value_is(&flag, 0, "false", "false");
    value_is(&flag, 1, "true", "true");
}

static void test_decimals(void **state)
{
    __int128 wide = (__int128)1000000000000000000 * 1000000000000000000 * 99 + 7;
    COLUMN(d128, "d:38,0", 2, NULL, ((__int128[]){-wide, 5}));
    COLUMN(d64, "d:18,4,64", 1, NULL, ((int64_t[]){-12345}));
    COLUMN(d32, "d:9,2,32", 1, NULL, ((int32_t[]){7}));
    value_is(&d128, 0, "-99000000000000000000000000000000000007", "-99000000000000000000000000000000000007");
    value_is(&d64, 0, "-1.2345", "-1.2345");
    value_is(&d32, 0, "0.07", "0.07");
    type_is(&d64, "decimal(18,4)");
}

static void test_strings_and_bytes(void **state)
{
    COLUMN(u, "u", 3, ((uint8_t[]){5}), ((int32_t[]){0, 4, 4, 4}), "a\"\n\x01zzz");
    COLUMN(big, "U", 1, NULL, ((int64_t[]){1, 3}), "xyz");
    COLUMN(z, "z", 1, NULL, ((int32_t[]){0, 4}), "a\\\xFF'");
    COLUMN(fixed, "w:3", 2, NULL, "abcdef");
    COLUMN(none, "u", 1, NULL, ((int32_t[]){0, 0}), NULL);
    value_is(&u, 0, "a\"\n\x01", "\"a\\\"\\n\\u0001\"");
    value_is(&u, 1, NULL, "null");
    value_is(&u, 2, "", "\"\"");
    value_is(&big, 0, "yz", "\"yz\"");
    value_is(&z, 0, "a\\x5C\\xFF\\x27", "\"YVz/Jw==\"");
    value_is(&fixed, 1, "def", "\"ZGVm\"");
    value_is(&none, 0, "", "\"\"");
}

struct view {
    int32_t len;
    char head[4];
    int32_t buffer, offset;
};

static void test_views(void **state)
{
    struct view views[] = {{.len = 20, .head = "0123", .buffer = 1, .offset = 2}, {.len = 12}, {.len = 0}};
    memcpy(views[1].head, "abcdefghijkl", 12);
    COLUMN(v, "vu", 3, NULL, views, "unused", "__01234567890123456789", ((int64_t[]){6, 22}));
    COLUMN(bytes, "vz", 3, NULL, views, "unused", "__01234567890123456789", ((int64_t[]){6, 22}));
    value_is(&v, 0, "01234567890123456789", "\"01234567890123456789\"");
    value_is(&v, 1, "abcdefghijkl", "\"abcdefghijkl\"");
    value_is(&v, 2, "", "\"\"");
    value_is(&bytes, 1, "abcdefghijkl", "\"YWJjZGVmZ2hpamts\"");
    type_is(&v, "varchar");
    type_is(&bytes, "blob");
}

static void test_calendar(void **state)
{
    COLUMN(d, "tdD", 6, NULL, ((int32_t[]){0, -719162, 2932896, -719163, 2932897, INT32_MAX}));
    COLUMN(ms, "tdm", 2, NULL, ((int64_t[]){-1, 86400000}));
    COLUMN(us, "tsu:", 5, NULL, ((int64_t[]){0, -1, 1710497130120000, INT64_MAX, -INT64_MAX}));
    COLUMN(zoned, "tsu:Europe/Berlin", 2, NULL, ((int64_t[]){1710497130123456, -62135596800000001}));
    COLUMN(s, "tss:", 1, NULL, ((int64_t[]){1710497130}));
    COLUMN(ns, "tsn:UTC", 2, NULL, ((int64_t[]){-1, 1500000000}));
    COLUMN(t, "ttu", 2, NULL, ((int64_t[]){86399999999, 3600500000}));
    value_is(&d, 0, "1970-01-01", "\"1970-01-01\"");
    value_is(&d, 1, "0001-01-01", "\"0001-01-01\"");
    value_is(&d, 2, "9999-12-31", "\"9999-12-31\"");
    value_is(&d, 3, "0001-12-31 (BC)", "\"0001-12-31 (BC)\"");
    value_is(&d, 4, "10000-01-01", "\"10000-01-01\"");
    value_is(&d, 5, "infinity", "\"infinity\"");
    value_is(&ms, 0, "1969-12-31", "\"1969-12-31\"");
    value_is(&ms, 1, "1970-01-02", "\"1970-01-02\"");
    value_is(&us, 0, "1970-01-01 00:00:00", "\"1970-01-01T00:00:00\"");
    value_is(&us, 1, "1969-12-31 23:59:59.999999", "\"1969-12-31T23:59:59.999999\"");
    value_is(&us, 2, "2024-03-15 10:05:30.12", "\"2024-03-15T10:05:30.120\"");
    value_is(&us, 3, "infinity", "\"infinity\"");
    value_is(&us, 4, "-infinity", "\"-infinity\"");
    value_is(&zoned, 0, "2024-03-15 10:05:30.123456+00", "\"2024-03-15T10:05:30.123456Z\"");
    value_is(&zoned, 1, "0001-12-31 (BC) 23:59:59.999999+00", "\"0001-12-31 (BC)T23:59:59.999999Z\"");
    value_is(&s, 0, "2024-03-15 10:05:30", "\"2024-03-15T10:05:30\"");
    value_is(&ns, 0, "1969-12-31 23:59:59.999999999+00", "\"1969-12-31T23:59:59.999999999Z\"");
    value_is(&ns, 1, "1970-01-01 00:00:01.5+00", "\"1970-01-01T00:00:01.500Z\"");
    value_is(&t, 0, "23:59:59.999999", "\"23:59:59.999999\"");
    value_is(&t, 1, "01:00:00.5", "\"01:00:00.5\"");
    type_is(&zoned, "timestamp with time zone");
    type_is(&ns, "timestamp with time zone");
    type_is(&s, "timestamp_s");
}

struct interval {
    int32_t months, days;
    int64_t nanos;
};

static void test_intervals(void **state)
{
    struct interval values[] = {{14, -3, 14400500000000}, {0, 0, 0}, {-13, 0, 0}, {1, 1, -5000001000}, {0, 0, 360000000000000}};
    COLUMN(i, "tin", 5, NULL, values);
    value_is(&i, 0, "1 year 2 months -3 days 04:00:00.5", "\"1 year 2 months -3 days 04:00:00.5\"");
    value_is(&i, 1, "00:00:00", "\"00:00:00\"");
    value_is(&i, 2, "-1 year -1 month", "\"-1 year -1 month\"");
    value_is(&i, 3, "1 month 1 day -00:00:05.000001", "\"1 month 1 day -00:00:05.000001\"");
    value_is(&i, 4, "100:00:00", "\"100:00:00\"");
}

static void adopt(struct column *parent, struct ArrowSchema **schemas, struct ArrowArray **arrays, int64_t count)
{
    parent->schema.children = schemas;
    parent->array.children = arrays;
    parent->schema.n_children = parent->array.n_children = count;
}

static void test_nested(void **state)
{
    COLUMN(text, "u", 4, ((uint8_t[]){11}), ((int32_t[]){0, 1, 5, 5, 8}), "ait'sx y");
    COLUMN(number, "i", 4, NULL, ((int32_t[]){1, 2, 3, 4}));
    struct ArrowSchema *schemas[] = {&text.schema, &number.schema};
    struct ArrowArray *arrays[] = {&text.array, &number.array};
    COLUMN(list, "+l", 3, ((uint8_t[]){5}), ((int32_t[]){0, 4, 4, 4}));
    adopt(&list, schemas, arrays, 1);
    value_is(&list, 0, "[a, 'it\\'s', NULL, x y]", "[\"a\",\"it's\",null,\"x y\"]");
    value_is(&list, 1, NULL, "null");
    value_is(&list, 2, "[]", "[]");
    type_is(&list, "varchar[]");
    COLUMN(pair, "+w:2", 2, NULL);
    adopt(&pair, schemas + 1, arrays + 1, 1);
    value_is(&pair, 1, "[3, 4]", "[3,4]");
    type_is(&pair, "integer[2]");
    COLUMN(view, "+vl", 2, NULL, ((int32_t[]){2, 0}), ((int32_t[]){2, 1}));
    adopt(&view, schemas + 1, arrays + 1, 1);
    value_is(&view, 0, "[3, 4]", "[3,4]");
    value_is(&view, 1, "[1]", "[1]");
    COLUMN(both, "+s", 4, NULL);
    adopt(&both, schemas, arrays, 2);
    value_is(&both, 1, "{'text': 'it\\'s', 'number': 2}", "{\"text\":\"it's\",\"number\":2}");
    value_is(&both, 2, "{'text': NULL, 'number': 3}", "{\"text\":null,\"number\":3}");
    type_is(&both, "struct(text varchar, number integer)");
    both.array.offset = 1;
    value_is(&both, 2, "{'text': x y, 'number': 4}", "{\"text\":\"x y\",\"number\":4}");
    both.array.offset = 0;
    COLUMN(map, "+m", 1, NULL, ((int32_t[]){0, 2}));
    struct ArrowSchema *entry_schema[] = {&both.schema};
    struct ArrowArray *entry_array[] = {&both.array};
    adopt(&map, entry_schema, entry_array, 1);
    value_is(&map, 0, "{a=1, 'it\\'s'=2}", "{\"a\":1,\"it's\":2}");
    type_is(&map, "map(varchar, integer)");
    COLUMN(dense, "+ud:5,7", 3, ((int8_t[]){7, 5, 5}), ((int32_t[]){3, 0, 2}));
    adopt(&dense, schemas, arrays, 2);
    value_is(&dense, 0, "4", "4");
    value_is(&dense, 1, "a", "\"a\"");
    value_is(&dense, 2, NULL, "null");
    COLUMN(sparse, "+us:0,1", 2, ((int8_t[]){1, 0}));
    adopt(&sparse, schemas, arrays, 2);
    value_is(&sparse, 0, "1", "1");
    value_is(&sparse, 1, "it's", "\"it's\"");
    type_is(&sparse, "union(text varchar, number integer)");
    COLUMN(coded, "C", 2, NULL, ((uint8_t[]){1, 0}));
    coded.schema.dictionary = &text.schema;
    coded.array.dictionary = &text.array;
    value_is(&coded, 0, "it's", "\"it's\"");
    type_is(&coded, "varchar");
    COLUMN(nothing, "n", 2, NULL);
    value_is(&nothing, 1, NULL, "null");
}

/* Arrow's metadata with one pair. */
static const char uuid_metadata[] = "\1\0\0\0\24\0\0\0ARROW:extension:name\12\0\0\0arrow.uuid";
static const char json_metadata[] = "\1\0\0\0\24\0\0\0ARROW:extension:name\12\0\0\0arrow.json";

static void test_extensions(void **state)
{
    COLUMN(id, "w:16", 1, NULL, "\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff");
    id.schema.metadata = uuid_metadata;
    value_is(&id, 0, "00112233-4455-6677-8899-aabbccddeeff", "\"00112233-4455-6677-8899-aabbccddeeff\"");
    type_is(&id, "uuid");
    COLUMN(doc, "u", 2, NULL, ((int32_t[]){0, 18, 22}), "{\"a\" : \"x \\\" y\"\n\t}bad{");
    doc.schema.metadata = json_metadata;
    value_is(&doc, 0, "{\"a\" : \"x \\\" y\"\n\t}", "{\"a\":\"x \\\" y\"}");
    value_is(&doc, 1, "bad{", "\"bad{\""); /* not JSON after all: a string */
    type_is(&doc, "json");
}

/* ---- rowsets and formats --------------------------------------------------------- */

struct collected {
    struct buf bytes;
    int refuse_after; /* writes; -1: never */
};

static bool collect(void *user, const void *bytes, size_t len)
{
    struct collected *c = user;
    if (c->refuse_after == 0)
        return false;
    c->refuse_after -= c->refuse_after > 0;
    buf_append(&c->bytes, bytes, len);
    return true;
}

static const struct rowset_column columns[] = {{"id", "l"},       {"n", "i"},     {"price", "g"},   {"ok", "b"},      {"name", "u"},
                                               {"at", "tsu:UTC"}, {"day", "tdD"}, {"tags", "+l:u"}, {"props", "+m:u"}};

/* Two rows: values and NULLs. */
static struct rowset *small_rowset(void)
{
    struct rowset *rs = rowset_new(columns, VV_ARRAY_COUNT(columns));
    if (!rs)
        return NULL;
    struct str tags[] = {STR("x"), STR_NULL, STR("y,z")};
    struct str keys[] = {STR("k"), STR("k2")}, values[] = {STR("v"), STR_NULL};
    rowset_i64(rs, -5);
    rowset_i64(rs, 7);
    rowset_f64(rs, 1.5);
    rowset_bool(rs, true);
    rowset_str(rs, STR("a\"b|c"));
    rowset_i64(rs, 1710497130123456);
    rowset_i64(rs, 19797);
    rowset_list(rs, tags, 3);
    rowset_map(rs, keys, values, 2);
    for (size_t i = 0; i < VV_ARRAY_COUNT(columns); i++)
        rowset_null(rs);
    return rs;
}

static enum status encode(struct rowset *rs, enum row_format format, const struct row_format_options *options, struct collected *to, int64_t *rows,
                          struct error *err)
{
    struct ctx ctx;
    struct ArrowArrayStream stream;
    ctx_init(&ctx);
    enum status status = rs ? rowset_stream(rs, &stream, err) : error_oom(err);
    if (status != STATUS_OK)
        return status;
    status = rows_encode(&ctx, &stream, format, options, (struct byte_sink){collect, to}, rows, err);
    stream.release(&stream);
    return status;
}

static void encodes_as(struct rowset *rs, enum row_format format, const struct row_format_options *options, int64_t rows, const char *expected)
{
    struct row_format_options defaults;
    struct collected got = {.refuse_after = -1};
    struct error err = ERROR_INIT;
    int64_t row_count = -1;
    row_format_defaults(&defaults);
    enum status status = encode(rs, format, options ? options : &defaults, &got, &row_count, &err);
    if (status != STATUS_OK)
        fail_msg("%s", err.message);
    assert_int_equal(row_count, rows);
    assert_string_equal(buf_view(&got.bytes).ptr, expected);
    buf_release(&got.bytes);
}

static void test_csv(void **state)
{
    encodes_as(small_rowset(), ROW_FORMAT_CSV, NULL, 2,
               "id,n,price,ok,name,at,day,tags,props\n"
               "-5,7,1.5,true,\"a\"\"b|c\",2024-03-15 10:05:30.123456+00,2024-03-15,\"[x, NULL, 'y,z']\",\"{k=v, k2=NULL}\"\n"
               ",,,,,,,,\n");
    struct row_format_options o;
    row_format_defaults(&o);
    o.headers = false;
    o.csv_separator = ';';
    o.csv_crlf = true;
    o.null_text = STR("\\N");
    struct rowset_column two[] = {{"a", "u"}, {"b", "u"}};
    struct rowset *rs = rowset_new(two, 2);
    rowset_str(rs, STR(""));
    rowset_null(rs);
    rowset_str(rs, STR("x,y"));
    rowset_str(rs, STR("x;y\r\n"));
    encodes_as(rs, ROW_FORMAT_CSV, &o, 2, "\"\";\\N\r\nx,y;\"x;y\r\n\"\r\n");
}

static void test_json(void **state)
{
    static const char first[] = "{\"id\":-5,\"n\":7,\"price\":1.5,\"ok\":true,\"name\":\"a\\\"b|c\",\"at\":\"2024-03-15T10:05:30.123456Z\","
                                "\"day\":\"2024-03-15\",\"tags\":[\"x\",null,\"y,z\"],\"props\":{\"k\":\"v\",\"k2\":null}}";
    static const char second[] = "{\"id\":null,\"n\":null,\"price\":null,\"ok\":null,\"name\":null,\"at\":null,\"day\":null,\"tags\":null,"
                                 "\"props\":null}";
    struct buf expected = BUF_INIT;
    buf_printf(&expected, "[%s,\n%s]\n", first, second);
    encodes_as(small_rowset(), ROW_FORMAT_JSON, NULL, 2, expected.ptr);
    buf_clear(&expected);
    buf_printf(&expected, "%s\n%s\n", first, second);
    encodes_as(small_rowset(), ROW_FORMAT_JSONLINES, NULL, 2, expected.ptr);
    buf_release(&expected);
    struct rowset_column repeated[] = {{"a", "i"}, {"a", "i"}, {"a_1", "i"}, {"a", "i"}};
    struct rowset *rs = rowset_new(repeated, 4);
    for (int i = 0; i < 4; i++)
        rowset_i64(rs, i);
    encodes_as(rs, ROW_FORMAT_JSONLINES, NULL, 1, "{\"a\":0,\"a_1\":1,\"a_1_1\":2,\"a_2\":3}\n");
}

static void test_empty_results(void **state)
{
    struct rowset_column one[] = {{"a", "l"}};
    encodes_as(rowset_new(one, 1), ROW_FORMAT_JSON, NULL, 0, "[]\n");
    encodes_as(rowset_new(one, 1), ROW_FORMAT_JSONLINES, NULL, 0, "");
    encodes_as(rowset_new(one, 1), ROW_FORMAT_CSV, NULL, 0, "a\n");
    encodes_as(rowset_new(one, 1), ROW_FORMAT_LINE, NULL, 0, "");
    encodes_as(rowset_new(one, 1), ROW_FORMAT_BOX, NULL, 0, "┌────────┐\n│   a    │\n│ bigint │\n├────────┤\n└────────┘\n0 rows\n");
    encodes_as(rowset_new(NULL, 0), ROW_FORMAT_BOX, NULL, 0, "");
}

static void test_markdown_and_line(void **state)
{
    struct rowset_column two[] = {{"a|b", "u"}, {"num", "i"}};
    struct rowset *rs = rowset_new(two, 2);
    rowset_str(rs, STR("x|y\\z\nnext\x1b[0m"));
    rowset_i64(rs, 5);
    rowset_null(rs);
    rowset_null(rs);
    encodes_as(rs, ROW_FORMAT_MARKDOWN, NULL, 2, "| a\\|b | num |\n|---|---:|\n| x\\|y\\\\z<br>next\\x1B[0m | 5 |\n| NULL | NULL |\n");
    rs = rowset_new(two, 2);
    rowset_str(rs, STR("\xC3\xA9\n\xFF\xC2\x85"));
    rowset_i64(rs, 5);
    rowset_null(rs);
    rowset_i64(rs, 6);
    encodes_as(rs, ROW_FORMAT_LINE, NULL, 2, "a|b = \xC3\xA9\\n\xEF\xBF\xBD\\x85\nnum = 5\n\na|b = NULL\nnum = 6\n");
}

static void test_box(void **state)
{
    struct rowset_column three[] = {{"n", "l"}, {"s", "u"}, {"flag", "b"}};
    struct rowset *rs = rowset_new(three, 3);
    rowset_i64(rs, 1);
    rowset_str(rs, STR("日本\t"));
    rowset_bool(rs, true);
    rowset_i64(rs, -20);
    rowset_null(rs);
    rowset_bool(rs, false);
    encodes_as(rs, ROW_FORMAT_BOX, NULL, 2,
               "┌────────┬─────────┬─────────┐\n"
               "│   n    │    s    │  flag   │\n"
               "│ bigint │ varchar │ boolean │\n"
               "├────────┼─────────┼─────────┤\n"
               "│      1 │ 日本\\t  │ true    │\n"
               "│    -20 │ NULL    │ false   │\n"
               "└────────┴─────────┴─────────┘\n"
               "2 rows\n");
}

static struct rowset *counted_rows(const struct rowset_column *columns_of, size_t count, int64_t rows)
{
    struct rowset *rs = rowset_new(columns_of, count);
    for (int64_t i = 0; i < rows; i++)
        for (size_t c = 0; c < count; c++)
            rowset_i64(rs, i);
    return rs;
}

static void test_box_cuts_rows(void **state)
{
    struct rowset_column one[] = {{"n", "l"}};
    struct row_format_options o;
    row_format_defaults(&o);
    o.max_rows = 3;
    static const char cut[] = "┌────────┐\n│   n    │\n│ bigint │\n├────────┤\n"
                              "│      0 │\n│      1 │\n│      · │\n│      · │\n│      · │\n│    999 │\n└────────┘\n1000 rows (3 shown)\n";
    encodes_as(counted_rows(one, 1, 1000), ROW_FORMAT_BOX, &o, 1000, cut);
    encodes_as(counted_rows(one, 1, 3), ROW_FORMAT_BOX, &o, 3,
               "┌────────┐\n│   n    │\n│ bigint │\n├────────┤\n│      0 │\n│      1 │\n│      2 │\n└────────┘\n3 rows\n");
    o.max_rows = 1;
    encodes_as(counted_rows(one, 1, 2), ROW_FORMAT_BOX, &o, 2,
               "┌────────┐\n│   n    │\n│ bigint │\n├────────┤\n│      0 │\n│      · │\n│      · │\n│      · │\n└────────┘\n2 rows (1 shown)\n");
}

static void test_box_fits_width(void **state)
{
    struct rowset_column five[] = {{"a", "l"}, {"b", "l"}, {"c", "l"}, {"d", "l"}, {"e", "l"}};
    struct row_format_options o;
    row_format_defaults(&o);
    o.max_width = 34;
    encodes_as(counted_rows(five, 5, 1), ROW_FORMAT_BOX, &o, 1,
               "┌────────┬────────┬───┬────────┐\n"
               "│   a    │   b    │ … │   e    │\n"
               "│ bigint │ bigint │   │ bigint │\n"
               "├────────┼────────┼───┼────────┤\n"
               "│      0 │      0 │ … │      0 │\n"
               "└────────┴────────┴───┴────────┘\n"
               "1 row, 5 columns (3 shown)\n");
    struct rowset_column text[] = {{"t", "u"}};
    struct rowset *rs = rowset_new(text, 1);
    rowset_str(rs, STR("日本日本日本日本日本日本日本日本"));
    o.max_width = 24;
    encodes_as(rs, ROW_FORMAT_BOX, &o, 1,
               "┌──────────────────────┐\n"
               "│          t           │\n"
               "│       varchar        │\n"
               "├──────────────────────┤\n"
               "│ 日本日本日本日本日…  │\n"
               "└──────────────────────┘\n"
               "1 row\n");
}

static void test_rowset_misuse(void **state)
{
    struct rowset_column two[] = {{"a", "i"}, {"b", "u"}};
    struct ArrowArrayStream stream;
    struct error err = ERROR_INIT;
    struct rowset *rs = rowset_new(two, 2);
    rowset_i64(rs, 1);
    assert_int_equal(rowset_stream(rs, &stream, &err), STATUS_INTERNAL); /* half a row */
    assert_null(stream.release);
    rs = rowset_new(two, 2);
    rowset_str(rs, STR("x"));
    assert_int_equal(rowset_stream(rs, &stream, &err), STATUS_INTERNAL); /* not an integer */
    rs = rowset_new(two, 2);
    rowset_i64(rs, (int64_t)INT32_MAX + 1);
    rowset_null(rs);
    assert_int_equal(rowset_stream(rs, &stream, &err), STATUS_INTERNAL); /* too large for it */
    assert_null(rowset_new((struct rowset_column[]){{"a", "+x"}}, 1));
    error_release(&err);
}

/* A consumer may keep a column after it released the batch. */
static void test_children_can_be_moved(void **state)
{
    struct ArrowArrayStream stream;
    struct ArrowArray batch, moved;
    struct ArrowSchema schema, moved_schema;
    assert_int_equal(rowset_stream(small_rowset(), &stream, NULL), STATUS_OK);
    assert_int_equal(stream.get_schema(&stream, &schema), 0);
    assert_int_equal(stream.get_next(&stream, &batch), 0);
    moved = *batch.children[8];
    batch.children[8]->release = NULL;
    moved_schema = *schema.children[8];
    schema.children[8]->release = NULL;
    batch.release(&batch);
    schema.release(&schema);
    struct buf out = BUF_INIT;
    assert_true(arrow_value_text(&moved_schema, &moved, 0, &out));
    assert_string_equal(out.ptr, "{k=v, k2=NULL}");
    buf_release(&out);
    moved.release(&moved);
    moved_schema.release(&moved_schema);
    assert_int_equal(stream.get_next(&stream, &batch), 0);
    assert_null(batch.release); /* the end */
    stream.release(&stream);
}

/* ---- Arrow IPC ------------------------------------------------------------------------ */

static uint32_t u32_at(const char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

/* Where a table's field stands, or NULL. */
static const char *table_field(const char *table, int field)
{
    const char *vtable = table - (int32_t)u32_at(table);
    uint16_t size, at;
    memcpy(&size, vtable, 2);
    if (4 + 2 * field >= size)
        return NULL;
    memcpy(&at, vtable + 4 + 2 * field, 2);
    return at ? table + at : NULL;
}

/* Steps over one message; its type, 0 for the end mark. */
static int next_message(struct str *rest)
{
    assert_true(rest->len >= 8 && u32_at(rest->ptr) == 0xFFFFFFFF);
    uint32_t len = u32_at(rest->ptr + 4);
    if (len == 0) {
        *rest = str_sub(*rest, 8, rest->len - 8);
        return 0;
    }
    assert_int_equal(len % 8, 0);
    const char *message = rest->ptr + 8;
    const char *table = message + u32_at(message);
    int64_t body_len;
    memcpy(&body_len, table_field(table, 3), 8);
    assert_int_equal(body_len % 8, 0);
    assert_true(8 + len + (uint64_t)body_len <= rest->len);
    int type = (unsigned char)*table_field(table, 1);
    *rest = str_sub(*rest, 8 + len + (size_t)body_len, rest->len - 8 - len - (size_t)body_len);
    return type;
}

static void test_arrow_messages(void **state)
{
    struct row_format_options o;
    row_format_defaults(&o);
    for (int with_rows = 0; with_rows < 2; with_rows++) {
        struct collected got = {.refuse_after = -1};
        struct error err = ERROR_INIT;
        int64_t rows;
        struct rowset *rs = with_rows ? small_rowset() : rowset_new(columns, VV_ARRAY_COUNT(columns));
        assert_int_equal(encode(rs, ROW_FORMAT_ARROW, &o, &got, &rows, &err), STATUS_OK);
        assert_int_equal(rows, with_rows ? 2 : 0);
        struct str rest = buf_view(&got.bytes);
        assert_int_equal(next_message(&rest), 1); /* schema */
        if (with_rows)
            assert_int_equal(next_message(&rest), 3); /* record batch */
        assert_int_equal(next_message(&rest), 0);
        assert_int_equal(rest.len, 0);
        buf_release(&got.bytes);
    }
}

/* ---- failures ---------------------------------------------------------------------------- */

struct failing_stream {
    const char *message;
    int code;
};

static int failing_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    struct ArrowArrayStream inner;
    assert_int_equal(rowset_stream(small_rowset(), &inner, NULL), STATUS_OK);
    int code = inner.get_schema(&inner, out);
    inner.release(&inner);
    return code;
}

static int failing_next(struct ArrowArrayStream *stream, struct ArrowArray *out) { return ((struct failing_stream *)stream->private_data)->code; }

static const char *failing_last_error(struct ArrowArrayStream *stream) { return ((struct failing_stream *)stream->private_data)->message; }

static void test_stream_errors(void **state)
{
    static const struct {
        struct failing_stream stream;
        enum status status;
        const char *message;
    } cases[] = {
        {{"DIVISION_BY_ZERO: 1 / 0", EINVAL}, STATUS_DIVISION_BY_ZERO, "1 / 0"}, {{"could not open it", EIO}, STATUS_STORE_IO, "could not open it"},
        {{"SYNTAXERROR: x", EINVAL}, STATUS_INTERNAL, "SYNTAXERROR: x"},         {{NULL, EINVAL}, STATUS_INTERNAL, "the rows could not be produced"},
        {{"interrupted", ECANCELED}, STATUS_CANCELLED, "interrupted"},
    };
    struct row_format_options o;
    row_format_defaults(&o);
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++)
        for (int format = 0; format < ROW_FORMAT_COUNT; format++) {
            struct ctx ctx;
            struct failing_stream failing = cases[i].stream;
            struct ArrowArrayStream stream = {failing_schema, failing_next, failing_last_error, NULL, &failing};
            struct collected got = {.refuse_after = -1};
            struct error err = ERROR_INIT;
            int64_t rows = -1;
            ctx_init(&ctx);
            enum status status = rows_encode(&ctx, &stream, (enum row_format)format, &o, (struct byte_sink){collect, &got}, &rows, &err);
            assert_int_equal(status, cases[i].status);
            assert_string_equal(err.message, cases[i].message);
            assert_int_equal(rows, 0);
            buf_release(&got.bytes);
            error_release(&err);
        }
}

static void test_cancelled(void **state)
{
    struct row_format_options o;
    row_format_defaults(&o);
    for (int format = 0; format < ROW_FORMAT_COUNT; format++) {
        struct collected got = {.refuse_after = 0};
        struct error err = ERROR_INIT;
        int64_t rows;
        assert_int_equal(encode(small_rowset(), (enum row_format)format, &o, &got, &rows, &err), STATUS_CANCELLED);
        error_release(&err);
        struct ctx ctx;
        struct ArrowArrayStream stream;
        ctx_init(&ctx);
        atomic_store(&ctx.cancelled, true);
        assert_int_equal(rowset_stream(small_rowset(), &stream, NULL), STATUS_OK);
        assert_int_equal(rows_encode(&ctx, &stream, (enum row_format)format, &o, (struct byte_sink){collect, &got}, &rows, &err), STATUS_CANCELLED);
        stream.release(&stream);
        error_release(&err);
        buf_release(&got.bytes);
    }
}

static void test_out_of_memory(void **state)
{
    struct row_format_options o;
    row_format_defaults(&o);
    o.max_rows = 1;
    for (int format = 0; format < ROW_FORMAT_COUNT; format++) {
        bool passed = false;
        for (uint64_t n = 1; n < 2000 && !passed; n++) {
            struct collected got = {.refuse_after = -1};
            struct error err = ERROR_INIT;
            int64_t rows = -1;
            buf_reserve(&got.bytes, 1 << 16); /* the receiver's memory is not what is tried */
            alloc_fail_after(n);
            enum status status = encode(small_rowset(), (enum row_format)format, &o, &got, &rows, &err);
            alloc_fail_after(0);
            passed = status == STATUS_OK;
            if (!passed && status != STATUS_OUT_OF_MEMORY)
                fail_msg("format %d, allocation %d: %s", format, (int)n, err.message);
            if (passed)
                assert_int_equal(rows, 2);
            buf_release(&got.bytes);
            error_release(&err);
        }
        assert_true(passed);
    }
}

static void forget_schema(struct ArrowSchema *schema) { schema->release = NULL; }

/* A column "h" of the format that private_data names. */
static int odd_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    static struct ArrowSchema column;
    static struct ArrowSchema *children[] = {&column};
    column = (struct ArrowSchema){.format = stream->private_data, .name = "h"};
    *out = (struct ArrowSchema){.format = "+s", .name = "", .n_children = 1, .children = children, .release = forget_schema};
    return 0;
}

static int no_rows(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    *out = (struct ArrowArray){0};
    return 0;
}

static void test_types_without_text(void **state)
{
    static const struct {
        char format[16];
        enum status as_text, as_arrow;
    } cases[] = {{"e", STATUS_NOT_SUPPORTED, STATUS_OK},
                 {"d:50,2,256", STATUS_NOT_SUPPORTED, STATUS_OK},
                 {"+r", STATUS_NOT_SUPPORTED, STATUS_NOT_SUPPORTED},
                 {"?", STATUS_NOT_SUPPORTED, STATUS_NOT_SUPPORTED},
                 {"l", STATUS_OK, STATUS_OK}};
    struct row_format_options o;
    row_format_defaults(&o);
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++)
        for (int format = 0; format < ROW_FORMAT_COUNT; format++) {
            struct ctx ctx;
            struct ArrowArrayStream stream = {odd_schema, no_rows, NULL, NULL, (char *)cases[i].format};
            struct collected got = {.refuse_after = -1};
            struct error err = ERROR_INIT;
            int64_t rows;
            ctx_init(&ctx);
            enum status status = rows_encode(&ctx, &stream, (enum row_format)format, &o, (struct byte_sink){collect, &got}, &rows, &err);
            assert_int_equal(status, format == ROW_FORMAT_ARROW ? cases[i].as_arrow : cases[i].as_text);
            if (status != STATUS_OK)
                assert_non_null(strstr(err.message, cases[i].format)); /* it says which type */
            buf_release(&got.bytes);
            error_release(&err);
        }
}

static void test_names(void **state)
{
    enum row_format f;
    assert_true(row_format_by_name(STR("JSON"), &f) && f == ROW_FORMAT_JSON);
    assert_true(row_format_by_name(STR("arrow"), &f) && f == ROW_FORMAT_ARROW);
    assert_false(row_format_by_name(STR("xml"), &f));
    assert_false(row_format_by_name(STR(""), &f));
    assert_string_equal(row_format_media_type(ROW_FORMAT_JSON), "application/json");
    struct row_format_options o;
    row_format_defaults(&o);
    assert_true(o.headers && o.csv_separator == ',' && o.max_width == 0 && o.max_rows == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_integers),
        cmocka_unit_test(test_bigint_as_string),
        cmocka_unit_test(test_floats_and_bools),
        cmocka_unit_test(test_decimals),
        cmocka_unit_test(test_strings_and_bytes),
        cmocka_unit_test(test_views),
        cmocka_unit_test(test_calendar),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_nested),
        cmocka_unit_test(test_extensions),
        cmocka_unit_test(test_csv),
        cmocka_unit_test(test_json),
        cmocka_unit_test(test_empty_results),
        cmocka_unit_test(test_markdown_and_line),
        cmocka_unit_test(test_box),
        cmocka_unit_test(test_box_cuts_rows),
        cmocka_unit_test(test_box_fits_width),
        cmocka_unit_test(test_rowset_misuse),
        cmocka_unit_test(test_children_can_be_moved),
        cmocka_unit_test(test_arrow_messages),
        cmocka_unit_test(test_stream_errors),
        cmocka_unit_test(test_cancelled),
        cmocka_unit_test(test_out_of_memory),
        cmocka_unit_test(test_types_without_text),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
