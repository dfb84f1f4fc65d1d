#include "delta/delta_int.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- one file, one predicate ------------------------------------------------------------- */

static struct arena test_arena; /* cleared after each test */

static int clear_arena(void **state)
{
    arena_release(&test_arena);
    return 0;
}

static struct delta_type *type_of(const char *sql)
{
    struct delta_type *type;
    struct error err = ERROR_INIT;
    if (delta_type_from_sql(&test_arena, str_of(sql), &type, &err))
        fail_msg("%s: %s", sql, err.message);
    return type;
}

/* A constant of a SQL type from its text; NULL text is NULL. */
static struct delta_value constant(const char *sql_type, const char *text)
{
    struct delta_value v;
    struct delta_type *type = type_of(sql_type);
    assert_int_equal(delta_partition_value(&test_arena, str_of(text), type, &v, NULL), STATUS_OK);
    if (type->id == DELTA_STRING && text && !*text)
        v = (struct delta_value){.type = DELTA_STRING, .str = STR("")};
    return v;
}

static struct delta_pred *leaf(enum delta_pred_op op, const char *path, const struct delta_value *values, uint32_t count)
{
    struct delta_pred *p = ARENA_NEW(&test_arena, struct delta_pred);
    struct str *names = ARENA_ARRAY(&test_arena, struct str, 4);
    *p = (struct delta_pred){.op = op, .column = names, .values = values, .value_count = count};
    for (const char *at = path; at;) {
        const char *dot = strchr(at, '.');
        names[p->column_depth++] = (struct str){at, dot ? (size_t)(dot - at) : strlen(at)};
        at = dot ? dot + 1 : NULL;
    }
    return p;
}

static struct delta_pred *compare(enum delta_pred_op op, const char *path, const char *sql_type, const char *text)
{
    struct delta_value *v = ARENA_NEW(&test_arena, struct delta_value);
    *v = constant(sql_type, text);
    return leaf(op, path, v, 1);
}

static struct delta_pred *both(enum delta_pred_op op, struct delta_pred *a, struct delta_pred *b)
{
    struct delta_pred *p = ARENA_NEW(&test_arena, struct delta_pred);
    struct delta_pred **children = ARENA_ARRAY(&test_arena, struct delta_pred *, 2);
    children[0] = a;
    children[1] = b;
    *p = (struct delta_pred){.op = op, .children = children, .child_count = 2};
    return p;
}

/* Is a file with these statistics and partition value ("-": table not partitioned) kept? */
static bool keeps_of(struct delta_type *type, struct delta_metadata m, const char *stats, const char *partition, const struct delta_pred *pred)
{
    struct ctx ctx;
    ctx_init(&ctx);
    bool partitioned = !partition || strcmp(partition, "-") != 0;
    struct str value = str_of(partitioned ? partition : NULL);
    if (partitioned) {
        m.partition_columns = &type->fields[0].name;
        m.partition_column_count = 1;
    }
    struct delta_segment *g = delta_segment_new(partitioned);
    struct delta_prune *p;
    uint64_t keep = 1;
    size_t by_partition = 0, by_stats = 0;
    assert_non_null(g);
    assert_int_equal(delta_segment_append(g, STR("f"), 1, 1, partitioned ? &value : NULL, NULL, str_of(stats), NULL), STATUS_OK);
    assert_int_equal(delta_prune_new(pred, &m, type, &p, NULL), STATUS_OK);
    assert_int_equal(delta_prune_segment(&ctx, NULL, g, p, &keep, &by_partition, &by_stats, NULL), STATUS_OK);
    assert_int_equal(by_partition + by_stats, keep ? 0 : 1);
    delta_prune_free(p);
    delta_segment_unref(g);
    return keep;
}

static bool keeps(const char *schema, const char *stats, const char *partition, const struct delta_pred *pred)
{
    return keeps_of(type_of(schema), (struct delta_metadata){0}, stats, partition, pred);
}

#define EQ DELTA_PRED_EQ
#define NE DELTA_PRED_NE
#define LT DELTA_PRED_LT
#define LE DELTA_PRED_LE
#define GT DELTA_PRED_GT
#define GE DELTA_PRED_GE

struct one {
    enum delta_pred_op op;
    const char *type, *constant;
    bool kept;
};

static void expect_all(const char *column_type, const char *stats, const struct one *cases, size_t count)
{
    char schema[128];
    snprintf(schema, sizeof schema, "STRUCT<c: %s>", column_type);
    for (size_t i = 0; i < count; i++)
        if (keeps(schema, stats, "-", compare(cases[i].op, "c", cases[i].type, cases[i].constant)) != cases[i].kept)
            fail_msg("%s %s: case %zu (%s %s) should %s kept", column_type, stats, i, cases[i].type, cases[i].constant,
                     cases[i].kept ? "be" : "not be");
}
#define EXPECT_ALL(TYPE, STATS, ...)                                                                                                                 \
    do {                                                                                                                                             \
        static const struct one cases[] = {__VA_ARGS__};                                                                                             \
        expect_all(TYPE, STATS, cases, VV_ARRAY_COUNT(cases));                                                                                       \
    } while (0)

static void integers(void **state)
{
    EXPECT_ALL("BIGINT", "{\"numRecords\":9,\"minValues\":{\"c\":10},\"maxValues\":{\"c\":20},\"nullCount\":{\"c\":1}}", {EQ, "BIGINT", "9", false},
               {EQ, "BIGINT", "10", true}, {EQ, "INT", "20", true}, {EQ, "INT", "21", false}, {LT, "BIGINT", "10", false}, {LT, "BIGINT", "11", true},
               {LE, "BIGINT", "10", true}, {LE, "BIGINT", "9", false}, {GT, "BIGINT", "20", false}, {GT, "BIGINT", "19", true},
               {GE, "BIGINT", "20", true}, {GE, "BIGINT", "21", false}, {NE, "BIGINT", "10", true}, {EQ, "BIGINT", NULL, true},
               {EQ, "STRING", "9", true}, {EQ, "DATE", "1970-01-01", true}, {LT, "DECIMAL(4,2)", "10.01", true}, {LT, "DECIMAL(4,2)", "10.00", false},
               {LT, "DECIMAL(4,2)", "9.99", false}, {GT, "DECIMAL(4,2)", "19.99", true}, {GT, "DECIMAL(4,2)", "20.00", false},
               {GE, "DECIMAL(4,2)", "20.01", false}, {EQ, "DOUBLE", "9.999", false}, {EQ, "DOUBLE", "10", true}, {GT, "DOUBLE", "20.5", false},
               {GT, "DOUBLE", "19.5", true}, {GT, "DOUBLE", "NaN", true}, {LT, "DOUBLE", "-Infinity", false}, {GT, "DOUBLE", "-Infinity", true},
               {LT, "DOUBLE", "Infinity", true}, {GT, "DOUBLE", "Infinity", false}, {EQ, "DECIMAL(38,0)", "99999999999999999999", false});
    EXPECT_ALL("BIGINT", "{\"numRecords\":9,\"minValues\":{\"c\":7},\"maxValues\":{\"c\":7},\"nullCount\":{\"c\":1}}", {NE, "BIGINT", "7", false},
               {NE, "BIGINT", "8", true}, {NE, "DOUBLE", "7", true}, {NE, "DECIMAL(3,1)", "7.0", false}, {NE, "DECIMAL(3,1)", "7.5", true});
    EXPECT_ALL("BIGINT",
               "{\"numRecords\":2,\"minValues\":{\"c\":9223372036854775806},\"maxValues\":{\"c\":9223372036854775807},\"nullCount\":{\"c\":0}}",
               {EQ, "BIGINT", "9223372036854775805", false}, {EQ, "BIGINT", "9223372036854775807", true},
               {GT, "BIGINT", "9223372036854775807", true} /* as a bound that is not known */, {LT, "BIGINT", "9223372036854775806", false},
               {EQ, "DOUBLE", "9223372036854775808", true}); /* what both round to */
}

static void floats(void **state)
{
    EXPECT_ALL("DOUBLE", "{\"numRecords\":9,\"minValues\":{\"c\":1.5},\"maxValues\":{\"c\":2.5},\"nullCount\":{\"c\":0}}",
               {EQ, "DOUBLE", "1.4999999999999998", false}, {EQ, "DOUBLE", "1.5", true}, {EQ, "DOUBLE", "3", false}, {LT, "DOUBLE", "1.5", false},
               {LE, "DOUBLE", "1.5", true}, {GT, "DOUBLE", "100", true}, {GE, "DOUBLE", "100", true}, {NE, "DOUBLE", "1.5", true},
               {EQ, "DOUBLE", "NaN", true}, {LT, "DOUBLE", "NaN", true}, {EQ, "DOUBLE", "Infinity", false}, {GE, "DOUBLE", "Infinity", true},
               {EQ, "BIGINT", "4", false}, {EQ, "BIGINT", "2", true}, {EQ, "DECIMAL(3,2)", "1.50", true}, {LT, "DECIMAL(3,2)", "1.40", false});
    EXPECT_ALL("DOUBLE", "{\"numRecords\":1,\"minValues\":{\"c\":0.1},\"maxValues\":{\"c\":0.1},\"nullCount\":{\"c\":0}}",
               {EQ, "DECIMAL(2,1)", "0.1", true}, {EQ, "DECIMAL(2,1)", "0.2", false}, {LE, "DECIMAL(2,1)", "0.1", true});
    EXPECT_ALL("FLOAT", "{\"numRecords\":1,\"minValues\":{\"c\":0.1},\"maxValues\":{\"c\":0.1},\"nullCount\":{\"c\":0}}", {EQ, "DOUBLE", "0.1", true},
               {EQ, "DOUBLE", "0.10000000149011612", true}, {EQ, "DECIMAL(2,1)", "0.1", true}, {EQ, "DOUBLE", "0.2", false},
               {LT, "DOUBLE", "0.05", false});
    EXPECT_ALL("DOUBLE", "{\"numRecords\":1,\"minValues\":{\"c\":-0.0},\"maxValues\":{\"c\":-0.0},\"nullCount\":{\"c\":0}}",
               {EQ, "DOUBLE", "0.0", true}, {LT, "DOUBLE", "0.0", false}, {LE, "DOUBLE", "-0.0", true}, {EQ, "BIGINT", "0", true});
    EXPECT_ALL("DOUBLE", "{\"numRecords\":1,\"minValues\":{\"c\":\"NaN\"},\"maxValues\":{\"c\":\"NaN\"},\"nullCount\":{\"c\":0}}",
               {EQ, "DOUBLE", "1", true}, {LT, "DOUBLE", "1", true});
    EXPECT_ALL("DOUBLE", "{\"numRecords\":1,\"minValues\":{\"c\":\"-Infinity\"},\"maxValues\":{\"c\":\"-Infinity\"},\"nullCount\":{\"c\":0}}",
               {LT, "DOUBLE", "0", true}, {EQ, "DOUBLE", "-Infinity", true}, {EQ, "DOUBLE", "0", false});
}

static void decimals(void **state)
{
    EXPECT_ALL("DECIMAL(10,2)", "{\"numRecords\":1,\"minValues\":{\"c\":1.25},\"maxValues\":{\"c\":1.5},\"nullCount\":{\"c\":0}}",
               {EQ, "DECIMAL(10,2)", "1.24", false}, {EQ, "DECIMAL(10,2)", "1.25", true}, {EQ, "DECIMAL(5,4)", "1.2499", false},
               {GT, "DECIMAL(5,4)", "1.4999", true}, {GT, "DECIMAL(5,4)", "1.5000", false}, {EQ, "INT", "1", false}, {LT, "INT", "2", true},
               {GE, "INT", "2", false}, {EQ, "DOUBLE", "1.25", true}, {EQ, "DOUBLE", "1.2", false}, {NE, "DECIMAL(10,2)", "1.25", true});
    EXPECT_ALL("DECIMAL(38,0)",
               "{\"numRecords\":1,\"minValues\":{\"c\":12345678901234567890123456789012345678},"
               "\"maxValues\":{\"c\":12345678901234567890123456789012345678},\"nullCount\":{\"c\":0}}",
               {EQ, "DECIMAL(38,0)", "12345678901234567890123456789012345678", true},
               {EQ, "DECIMAL(38,0)", "12345678901234567890123456789012345679", false},
               {NE, "DECIMAL(38,0)", "12345678901234567890123456789012345678", false},
               {LT, "DECIMAL(38,0)", "12345678901234567890123456789012345678", false}, {EQ, "DOUBLE", "12345678901234567890123456789012345678", true},
               {EQ, "BIGINT", "1", false}, {EQ, "DECIMAL(38,38)", "0.5", true}); /* no common type: engines round */
    EXPECT_ALL("DECIMAL(38,20)",
               "{\"numRecords\":1,\"minValues\":{\"c\":0.00000000000000000004},"
               "\"maxValues\":{\"c\":0.00000000000000000004},\"nullCount\":{\"c\":0}}",
               {EQ, "BIGINT", "0", true}, {EQ, "BIGINT", "1", false});
}

static void strings(void **state)
{
    EXPECT_ALL("STRING", "{\"numRecords\":1,\"minValues\":{\"c\":\"b\"},\"maxValues\":{\"c\":\"d\"},\"nullCount\":{\"c\":0}}",
               {EQ, "STRING", "a", false}, {EQ, "STRING", "b", true}, {EQ, "STRING", "d", true}, {EQ, "STRING", "da", false},
               {LT, "STRING", "b", false}, {LE, "STRING", "b", true}, {GT, "STRING", "d", false}, {GE, "STRING", "d", true},
               {NE, "STRING", "b", true}, {EQ, "STRING", "é", false}, {EQ, "STRING", "", false}, {GE, "STRING", "", true}, {EQ, "BIGINT", "1", true});
#define CHARS_32 "0123456789ABCDEFGHIJKLMNOPQRSTUV"
    EXPECT_ALL("STRING",
               "{\"numRecords\":1,\"minValues\":{\"c\":\"" CHARS_32 "\"},\"maxValues\":{\"c\":\"" CHARS_32 "\x7F\"},\"nullCount\":{\"c\":0}}",
               {EQ, "STRING", CHARS_32 "zzz", true}, {EQ, "STRING", CHARS_32 "\xF0\x9F\x98\x80", true}, {GT, "STRING", CHARS_32 "zzz", true},
               {EQ, "STRING", CHARS_32, true}, {EQ, "STRING", "0123456789ABCDEFGHIJKLMNOPQRSTUW", false}, {LT, "STRING", CHARS_32, false},
               {GT, "STRING", "1", false}, {NE, "STRING", CHARS_32, true});
    EXPECT_ALL("STRING", "{\"numRecords\":1,\"minValues\":{\"c\":\"a\"},\"nullCount\":{\"c\":0}}", {EQ, "STRING", "z", true},
               {EQ, "STRING", "A", false}, {GT, "STRING", "zz", true});
}

static void dates_and_times(void **state)
{
    EXPECT_ALL("DATE", "{\"numRecords\":1,\"minValues\":{\"c\":\"2024-01-02\"},\"maxValues\":{\"c\":\"2024-01-03\"},\"nullCount\":{\"c\":0}}",
               {EQ, "DATE", "2024-01-01", false}, {EQ, "DATE", "2024-01-03", true}, {GT, "TIMESTAMP_NTZ", "2024-01-02 23:00:00", true},
               {GT, "TIMESTAMP_NTZ", "2024-01-03 00:00:00", false}, {LT, "TIMESTAMP_NTZ", "2024-01-02 00:00:00.000001", true},
               {LT, "TIMESTAMP_NTZ", "2024-01-02 00:00:00", false}, {GT, "TIMESTAMP", "2030-01-01 00:00:00Z", true});
    EXPECT_ALL("TIMESTAMP",
               "{\"numRecords\":1,\"minValues\":{\"c\":\"2024-01-01T02:00:00.000+02:00\"},\"maxValues\":{\"c\":\"2024-01-01T00:00:00.123Z\"},"
               "\"nullCount\":{\"c\":0}}",
               {EQ, "TIMESTAMP", "2024-01-01 00:00:00.123456Z", true}, {EQ, "TIMESTAMP", "2024-01-01 00:00:00.123999Z", true},
               {EQ, "TIMESTAMP", "2024-01-01 00:00:00.124Z", false}, {LT, "TIMESTAMP", "2024-01-01 00:00:00Z", false},
               {LE, "TIMESTAMP", "2024-01-01 00:00:00Z", true}, {EQ, "DATE", "2020-01-01", true}, {EQ, "TIMESTAMP_NTZ", "2020-01-01 00:00:00", true});
    EXPECT_ALL("TIMESTAMP", "{\"numRecords\":1,\"minValues\":{\"c\":\"2024-01-01T00:00:00\"},\"maxValues\":{\"c\":\"2024-01-01T00:00:00\"}}",
               {EQ, "TIMESTAMP", "2020-01-01 00:00:00Z", true});
    EXPECT_ALL("TIMESTAMP_NTZ",
               "{\"numRecords\":1,\"minValues\":{\"c\":\"2024-01-01T00:00:00.000\"},\"maxValues\":{\"c\":\"2024-01-01T00:00:00.000\"}}",
               {EQ, "DATE", "2024-01-01", true}, {EQ, "DATE", "2024-01-02", false}, {LT, "DATE", "2024-01-01", false});
}

static void missing_statistics_keep(void **state)
{
    static const char *const stats[] = {
        NULL,
        "",
        "{",
        "null",
        "[]",
        "7",
        "{}",
        "{\"numRecords\":1}",
        "{\"minValues\":7,\"maxValues\":[],\"nullCount\":\"x\"}",
        "{\"minValues\":{\"c\":{}},\"maxValues\":{\"c\":\"x\"},\"nullCount\":{\"c\":-1}}",
        "{\"minValues\":{\"d\":100},\"maxValues\":{\"d\":100}}",
        "{\"minValues\":{\"c\":1e99},\"maxValues\":{\"c\":null},\"nullCount\":{\"c\":1.5}}",
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(stats); i++) {
        assert_true(keeps("STRUCT<c: BIGINT>", stats[i], "-", compare(EQ, "c", "BIGINT", "5")));
        assert_true(keeps("STRUCT<c: BIGINT>", stats[i], "-", leaf(DELTA_PRED_IS_NULL, "c", NULL, 0)));
        assert_true(keeps("STRUCT<c: BIGINT>", stats[i], "-", leaf(DELTA_PRED_IS_NOT_NULL, "c", NULL, 0)));
    }
    const char *good = "{\"numRecords\":1,\"minValues\":{\"c\":1},\"maxValues\":{\"c\":1},\"nullCount\":{\"c\":0}}";
    assert_true(keeps("STRUCT<c: BIGINT>", good, "-", compare(EQ, "nowhere", "BIGINT", "5")));
    assert_true(keeps("STRUCT<c: BIGINT>", good, "-", compare(EQ, "c.x", "BIGINT", "5")));
    assert_false(keeps("STRUCT<c: BIGINT>", good, "-", compare(EQ, "C", "BIGINT", "5")));
}

static void nulls(void **state)
{
    const char *none = "{\"numRecords\":3,\"nullCount\":{\"c\":0}}", *some = "{\"numRecords\":3,\"nullCount\":{\"c\":1}}",
               *all = "{\"numRecords\":3,\"nullCount\":{\"c\":3}}", *wide = "{\"numRecords\":3,\"tightBounds\":false,\"nullCount\":{\"c\":2}}";
    const char *schema = "STRUCT<c: BIGINT>";
    struct delta_pred *is_null = leaf(DELTA_PRED_IS_NULL, "c", NULL, 0), *not_null = leaf(DELTA_PRED_IS_NOT_NULL, "c", NULL, 0);
    struct delta_pred *eq = compare(EQ, "c", "BIGINT", "1"), *ne = compare(NE, "c", "BIGINT", "1");
    assert_false(keeps(schema, none, "-", is_null));
    assert_true(keeps(schema, some, "-", is_null));
    assert_true(keeps(schema, all, "-", is_null));
    assert_true(keeps(schema, none, "-", not_null));
    assert_false(keeps(schema, all, "-", not_null));
    assert_false(keeps(schema, all, "-", eq));
    assert_false(keeps(schema, all, "-", ne));
    assert_true(keeps(schema, some, "-", eq));
    assert_true(keeps(schema, wide, "-", eq));
    assert_true(keeps(schema, wide, "-", is_null));
    assert_true(keeps(schema, wide, "-", not_null));
    assert_false(keeps("STRUCT<c: ARRAY<INT>>", none, "-", is_null));
    assert_false(keeps("STRUCT<c: ARRAY<INT>>", all, "-", not_null));
    assert_true(keeps("STRUCT<c: STRUCT<x: INT>>", "{\"numRecords\":3,\"nullCount\":{\"c\":{\"x\":0}}}", "-", is_null));
}

static void nested_columns(void **state)
{
    const char *schema = "STRUCT<S: STRUCT<a: INT, t: STRUCT<b: INT>>>";
    const char *stats = "{\"numRecords\":3,\"minValues\":{\"S\":{\"a\":1,\"t\":{\"b\":5}}},\"maxValues\":{\"S\":{\"a\":2,\"t\":{\"b\":6}}}}";
    assert_false(keeps(schema, stats, "-", compare(EQ, "s.A", "INT", "3")));
    assert_true(keeps(schema, stats, "-", compare(EQ, "s.A", "INT", "2")));
    assert_false(keeps(schema, stats, "-", compare(EQ, "s.t.b", "INT", "4")));
    assert_true(keeps(schema, stats, "-", compare(EQ, "s.t", "INT", "4")));
}

static void trees(void **state)
{
    const char *schema = "STRUCT<a: INT, b: INT>";
    const char *stats = "{\"numRecords\":3,\"minValues\":{\"a\":1,\"b\":5},\"maxValues\":{\"a\":2,\"b\":6}}";
    struct delta_pred *yes = compare(EQ, "a", "INT", "1"), *no = compare(EQ, "b", "INT", "7"), *unknown = compare(EQ, "zz", "INT", "7");
    assert_false(keeps(schema, stats, "-", both(DELTA_PRED_AND, yes, no)));
    assert_true(keeps(schema, stats, "-", both(DELTA_PRED_OR, yes, no)));
    assert_false(keeps(schema, stats, "-", both(DELTA_PRED_OR, no, no)));
    assert_true(keeps(schema, stats, "-", both(DELTA_PRED_OR, no, unknown)));
    assert_false(keeps(schema, stats, "-", both(DELTA_PRED_AND, no, unknown)));
    assert_true(keeps(schema, stats, "-", both(DELTA_PRED_AND, both(DELTA_PRED_OR, no, yes), unknown)));
}

static void lists(void **state)
{
    const char *schema = "STRUCT<c: BIGINT>", *stats = "{\"numRecords\":3,\"minValues\":{\"c\":10},\"maxValues\":{\"c\":20}}";
    struct delta_value values[] = {constant("BIGINT", "30"), constant("INT", "5"), constant("BIGINT", NULL), constant("BIGINT", "5")};
    assert_false(keeps(schema, stats, "-", leaf(DELTA_PRED_IN, "c", values, 4)));
    values[1] = constant("DECIMAL(4,1)", "15.0");
    assert_true(keeps(schema, stats, "-", leaf(DELTA_PRED_IN, "c", values, 4)));
    values[1] = constant("STRING", "x"); /* cannot be judged */
    assert_true(keeps(schema, stats, "-", leaf(DELTA_PRED_IN, "c", values, 4)));
    assert_true(keeps(schema, stats, "-", leaf(DELTA_PRED_IN, "c", &values[2], 1)));
    assert_true(keeps(schema, stats, "-", leaf(DELTA_PRED_IN, "c", NULL, 0)));
    struct delta_value texts[] = {constant("STRING", "z"), constant("STRING", "a"), constant("STRING", CHARS_32 "9")};
    const char *text_stats = "{\"numRecords\":1,\"minValues\":{\"c\":\"" CHARS_32 "\"},\"maxValues\":{\"c\":\"" CHARS_32 "\x7F\"}}";
    assert_true(keeps("STRUCT<c: STRING>", text_stats, "-", leaf(DELTA_PRED_IN, "c", texts, 3)));
    assert_false(keeps("STRUCT<c: STRING>", text_stats, "-", leaf(DELTA_PRED_IN, "c", texts, 2)));
}

static void partitions(void **state)
{
    const char *dates = "STRUCT<d: DATE, c: INT>";
    assert_true(keeps(dates, NULL, "2024-01-01", compare(EQ, "D", "DATE", "2024-01-01")));
    assert_false(keeps(dates, NULL, "2024-01-01", compare(NE, "d", "DATE", "2024-01-01")));
    assert_false(keeps(dates, NULL, "2024-01-01", compare(GT, "d", "DATE", "2024-01-01")));
    assert_false(keeps(dates, NULL, NULL, compare(EQ, "d", "DATE", "2024-01-01")));
    assert_false(keeps(dates, NULL, "", compare(NE, "d", "DATE", "2024-01-01")));
    assert_true(keeps(dates, NULL, NULL, leaf(DELTA_PRED_IS_NULL, "d", NULL, 0)));
    assert_false(keeps(dates, NULL, NULL, leaf(DELTA_PRED_IS_NOT_NULL, "d", NULL, 0)));
    assert_false(keeps(dates, NULL, "2024-01-01", leaf(DELTA_PRED_IS_NULL, "d", NULL, 0)));
    assert_true(keeps(dates, NULL, "not a date", compare(EQ, "d", "DATE", "2024-01-01")));
    assert_true(keeps(dates, NULL, "2024-01-01", compare(EQ, "d", "TIMESTAMP", "2024-01-02 00:00:00Z")));
    const char *stats = "{\"numRecords\":1,\"minValues\":{\"c\":1},\"maxValues\":{\"c\":1}}";
    assert_true(keeps(dates, stats, "2024-01-01", both(DELTA_PRED_OR, compare(EQ, "d", "DATE", "2000-01-01"), compare(EQ, "c", "INT", "1"))));
    assert_false(keeps(dates, stats, "2024-01-01", both(DELTA_PRED_OR, compare(EQ, "d", "DATE", "2000-01-01"), compare(EQ, "c", "INT", "2"))));
    const char *doubles = "STRUCT<d: DOUBLE, c: INT>";
    assert_true(keeps(doubles, NULL, "NaN", compare(GT, "d", "DOUBLE", "1")));
    assert_false(keeps(doubles, NULL, "1.5", compare(GT, "d", "DOUBLE", "1.5")));
    assert_true(keeps(doubles, NULL, "-0.0", compare(EQ, "d", "DOUBLE", "0")));
    assert_false(keeps(doubles, NULL, "-0.0", compare(NE, "d", "DOUBLE", "0")));
    assert_true(keeps("STRUCT<d: FLOAT, c: INT>", NULL, "0.1", compare(EQ, "d", "DOUBLE", "0.1")));
    const char *texts = "STRUCT<d: STRING, c: INT>";
    assert_false(keeps(texts, NULL, "a b", compare(NE, "d", "STRING", "a b")));
    assert_true(keeps(texts, NULL, "a b", compare(NE, "d", "STRING", "a")));
    struct delta_value list[] = {constant("STRING", "x"), constant("STRING", "a b")};
    assert_true(keeps(texts, NULL, "a b", leaf(DELTA_PRED_IN, "d", list, 2)));
    assert_false(keeps(texts, NULL, "a c", leaf(DELTA_PRED_IN, "d", list, 2)));
    assert_false(keeps("STRUCT<d: BOOLEAN, c: INT>", NULL, "true", compare(EQ, "d", "BOOLEAN", "false")));
    assert_false(keeps("STRUCT<d: DECIMAL(20,2), c: INT>", NULL, "1.50", compare(GT, "d", "DECIMAL(3,1)", "1.5")));
}

/* ---- never wrong: random rows, statistics as written, random predicates --------------------------- */

enum { ROWS = 4, COLUMNS = 8, ROUNDS = 20000 };

static uint64_t random_state = 88172645463325252u;
static uint32_t draw(uint32_t below)
{
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    random_state ^= random_state << 17;
    return (uint32_t)(random_state >> 33) % below;
}

static struct delta_value draw_value(const struct delta_type *type)
{
    static const double doubles[] = {0.1, -0.0, 0, 1, 1.5, 2, NAN, INFINITY, -INFINITY, 16777217, 9007199254740993.0, 1e-40};
    static const int64_t wholes[] = {0, 1, 2, -1, 100, INT64_MAX, INT64_MIN, 9007199254740993, 9007199254740992, 16777217};
    static const char *const texts[] = {"",
                                        "a",
                                        "b",
                                        "ab",
                                        "é",
                                        CHARS_32,
                                        CHARS_32 "a",
                                        CHARS_32 "é",
                                        CHARS_32 "\x7F\x7F",
                                        CHARS_32 "\xF4\x8F\xBF\xBF"
                                                 "x",
                                        "0123456789ABCDEFGHIJKLMNOPQRSTU\xF4\x8F\xBF\xBF\xF4\x8F\xBF\xBF"};
    struct delta_value v = {.type = type->id, .precision = type->precision, .scale = type->scale, .is_null = draw(6) == 0};
    switch (type->id) {
    case DELTA_LONG:
        v.i64 = wholes[draw(10)];
        break;
    case DELTA_BYTE:
        v.i64 = wholes[draw(5)];
        break;
    case DELTA_DOUBLE:
        v.f64 = doubles[draw(12)];
        break;
    case DELTA_FLOAT:
        v.f64 = (double)(float)doubles[draw(12)];
        break;
    case DELTA_DECIMAL:
        v.dec = draw(3) ? (int)draw(400) - 200 : (__int128)INT64_MAX * (type->precision > 20 ? 1000 : 0) + draw(9) - 4;
        break;
    case DELTA_STRING:
        v.str = str_of(texts[draw(11)]);
        break;
    default:
        v.i64 = (int)draw(5) + 19000;
        break;
    }
    return v;
}

/* The texts that the engine would report for the rows of a column. */
static void column_statistics(const struct delta_value *rows, struct delta_column_stats *out)
{
    const struct delta_value *min = NULL, *max = NULL;
    out->null_count = 0;
    for (int i = 0; i < ROWS; i++) {
        bool ok;
        const struct delta_value *v = &rows[i];
        bool nan = (v->type == DELTA_DOUBLE || v->type == DELTA_FLOAT) && isnan(v->f64);
        out->null_count += v->is_null;
        out->has_nan |= nan && !v->is_null && draw(2) == 0; /* some writers do not tell */
        if (v->is_null || nan)
            continue;
        if (!min || delta_value_cmp(v, min, &ok) < 0)
            min = v;
        if (!max || delta_value_cmp(v, max, &ok) > 0)
            max = v;
    }
    const struct delta_value *ends[] = {min, max};
    for (int i = 0; i < 2; i++) {
        struct buf text = BUF_INIT;
        if (ends[i] && delta_partition_text(ends[i], &text))
            *(i ? &out->max : &out->min) = text.len ? arena_str(&test_arena, buf_view(&text)) : STR("");
        buf_release(&text);
    }
}

static bool row_matches(const struct delta_pred *p, const struct delta_value rows[COLUMNS][ROWS], int row)
{
    if (p->op == DELTA_PRED_AND || p->op == DELTA_PRED_OR) {
        bool a = row_matches(p->children[0], rows, row), b = row_matches(p->children[1], rows, row);
        return p->op == DELTA_PRED_AND ? a && b : a || b;
    }
    const struct delta_value *v = &rows[p->column[0].ptr[1] - '0'][row];
    if (p->op == DELTA_PRED_IS_NULL || p->op == DELTA_PRED_IS_NOT_NULL)
        return v->is_null == (p->op == DELTA_PRED_IS_NULL);
    for (uint32_t i = 0; i < p->value_count; i++) {
        bool ok;
        if (v->is_null || p->values[i].is_null)
            continue;
        int order = delta_value_cmp(v, &p->values[i], &ok);
        bool matches = (p->op == NE && order != 0) || ((p->op == EQ || p->op == DELTA_PRED_IN) && order == 0) || (p->op == LT && order < 0) ||
                       (p->op == LE && order <= 0) || (p->op == GT && order > 0) || (p->op == GE && order >= 0);
        if (ok && matches)
            return true;
    }
    return false;
}

static struct delta_pred *draw_pred(const struct delta_type *schema, int depth)
{
    static const char *const names[COLUMNS] = {"c0", "c1", "c2", "c3", "c4", "c5", "c6", "c7"};
    if (depth > 0 && draw(2))
        return both(draw(2) ? DELTA_PRED_AND : DELTA_PRED_OR, draw_pred(schema, depth - 1), draw_pred(schema, depth - 1));
    uint32_t column = draw(COLUMNS), other = draw(3) ? column : draw(6), count = 1;
    enum delta_pred_op op = (enum delta_pred_op)(DELTA_PRED_EQ + draw(9));
    if (op == DELTA_PRED_IN)
        count = draw(5);
    else if (op == DELTA_PRED_IS_NULL || op == DELTA_PRED_IS_NOT_NULL)
        count = 0;
    struct delta_value *values = ARENA_ARRAY(&test_arena, struct delta_value, count);
    for (uint32_t i = 0; i < count; i++)
        values[i] = draw_value(schema->fields[column < 6 ? other : column].type);
    return leaf(op, names[column], values, count);
}

static void never_excludes_a_match(void **state)
{
    size_t excluded = 0;
    for (int round = 0; round < ROUNDS; round++) {
        struct delta_type *schema = type_of("STRUCT<c0: BIGINT, c1: TINYINT, c2: DOUBLE, c3: FLOAT, c4: DECIMAL(9,2), c5: DECIMAL(25,3), "
                                            "c6: STRING, c7: DATE>");
        struct delta_value rows[COLUMNS][ROWS];
        struct delta_column_stats columns[COLUMNS] = {0};
        struct delta_metadata m = {0};
        struct buf stats = BUF_INIT;
        for (int c = 0; c < COLUMNS; c++) {
            for (int i = 0; i < ROWS; i++)
                rows[c][i] = draw_value(schema->fields[c].type);
            columns[c] = (struct delta_column_stats){.path = &schema->fields[c].name, .depth = 1};
            column_statistics(rows[c], &columns[c]);
        }
        assert_int_equal(delta_stats_json(&m, schema, ROWS, columns, COLUMNS, &stats, NULL), STATUS_OK);
        struct delta_pred *pred = draw_pred(schema, 2);
        bool matches = false;
        for (int i = 0; i < ROWS; i++)
            matches |= row_matches(pred, (const struct delta_value(*)[ROWS])rows, i);
        bool kept = keeps("STRUCT<c0: BIGINT, c1: TINYINT, c2: DOUBLE, c3: FLOAT, c4: DECIMAL(9,2), c5: DECIMAL(25,3), c6: STRING, c7: DATE>",
                          stats.ptr, "-", pred);
        if (matches && !kept)
            fail_msg("round %d: a matching row was excluded by %s", round, stats.ptr);
        excluded += !kept;
        buf_release(&stats);
        arena_clear(&test_arena);
    }
    assert_true(excluded > ROUNDS / 10); /* or the test would prove nothing */
}

/* ---- many files ---------------------------------------------------------------------------------------- */

static void many_files(void **state)
{
    enum { FILES = 1000 };
    struct ctx ctx;
    ctx_init(&ctx);
    struct delta_type *schema = type_of("STRUCT<d: INT, c: INT>");
    struct delta_metadata m = {.partition_columns = &schema->fields[0].name, .partition_column_count = 1};
    struct delta_segment *g = delta_segment_new(1);
    for (int i = 0; i < FILES; i++) {
        struct str value = str_of(arena_printf(&test_arena, "%d", i % 10));
        struct str stats = str_of(arena_printf(&test_arena, "{\"minValues\":{\"c\":%d},\"maxValues\":{\"c\":%d}}", i, i));
        assert_int_equal(delta_segment_append(g, STR("f"), 1, 1, &value, NULL, stats, NULL), STATUS_OK);
    }
    struct delta_pred *pred = both(DELTA_PRED_AND, compare(EQ, "d", "INT", "3"), compare(LT, "c", "INT", "500"));
    for (int again = 0; again < 2; again++) { /* the second time from typed columns */
        struct delta_prune *p;
        uint64_t keep[FILES / 64 + 1];
        size_t by_partition = 0, by_stats = 0;
        memset(keep, 0xff, sizeof keep);
        keep[FILES / 64] = (UINT64_C(1) << FILES % 64) - 1;
        assert_int_equal(delta_prune_new(pred, &m, schema, &p, NULL), STATUS_OK);
        assert_int_equal(delta_prune_segment(&ctx, NULL, g, p, keep, &by_partition, &by_stats, NULL), STATUS_OK);
        assert_int_equal(by_partition, 900);
        assert_int_equal(by_stats, 50);
        for (int i = 0; i < FILES; i++)
            assert_int_equal(keep[i / 64] >> (i % 64) & 1, i % 10 == 3 && i < 500);
        delta_prune_free(p);
    }
    delta_segment_unref(g);
}

static void out_of_memory(void **state)
{
    struct delta_pred *pred = both(DELTA_PRED_AND, compare(EQ, "d", "INT", "3"), compare(EQ, "s", "STRING", "x"));
    struct delta_type *schema = type_of("STRUCT<d: INT, s: STRING>");
    struct delta_metadata m = {.partition_columns = &schema->fields[0].name, .partition_column_count = 1};
    struct ctx ctx;
    ctx_init(&ctx);
    for (uint64_t n = 1;; n++) {
        struct str three = STR("3");
        struct delta_segment *g = delta_segment_new(1);
        struct delta_prune *p = NULL;
        uint64_t keep = 1;
        size_t by_partition = 0, by_stats = 0;
        assert_int_equal(
            delta_segment_append(g, STR("f"), 1, 1, &three, NULL, STR("{\"minValues\":{\"s\":\"x\\n\"},\"maxValues\":{\"s\":\"y\"}}"), NULL),
            STATUS_OK);
        uint64_t before = alloc_count();
        alloc_fail_after(n);
        enum status status = delta_prune_new(pred, &m, schema, &p, NULL);
        if (!status)
            status = delta_prune_segment(&ctx, NULL, g, p, &keep, &by_partition, &by_stats, NULL);
        alloc_fail_after(0);
        bool reached = alloc_count() - before >= n;
        if (status)
            assert_int_equal(status, STATUS_OUT_OF_MEMORY);
        delta_prune_free(p);
        delta_segment_unref(g);
        if (!reached) {
            assert_int_equal(status, STATUS_OK);
            assert_int_equal(keep, 0);
            break;
        }
    }
}

static void give_meta(struct delta_field *field, const char *key, const char *json)
{
    field->metadata = ARENA_NEW(&test_arena, struct delta_property);
    *field->metadata = (struct delta_property){.key = str_of(key), .value = str_of(json)};
    field->metadata_count = 1;
}

/* Trap: column mapping with partitions. Predicates have logical names, statistics physical ones; another column may have had the logical name. */
static void mapped_columns(void **state)
{
    struct delta_property mode = {STR("delta.columnMapping.mode"), STR("name"), STR_NULL};
    struct delta_metadata m = {.configuration = &mode, .configuration_count = 1};
    struct delta_type *type = type_of("STRUCT<a: INT, s: STRUCT<x: INT>>");
    const char *stats = "{\"numRecords\":9,\"minValues\":{\"c1\":10,\"c2\":{\"c3\":30},\"a\":1,\"s\":{\"x\":1}},"
                        "\"maxValues\":{\"c1\":20,\"c2\":{\"c3\":40},\"a\":2,\"s\":{\"x\":2}},\"nullCount\":{\"c1\":0}}";
    give_meta(&type->fields[0], "delta.columnMapping.physicalName", "\"c1\"");
    give_meta(&type->fields[1], "delta.columnMapping.physicalName", "\"c2\"");
    give_meta(&type->fields[1].type->fields[0], "delta.columnMapping.physicalName", "\"c3\"");
    assert_true(keeps_of(type, m, stats, "-", compare(EQ, "a", "INT", "15")));
    assert_true(keeps_of(type, m, stats, "-", compare(EQ, "S.X", "INT", "30")));
    assert_false(keeps_of(type, m, stats, "-", compare(EQ, "a", "INT", "1")));
    assert_false(keeps_of(type, m, stats, "-", compare(EQ, "s.x", "INT", "2")));
    assert_false(keeps_of(type, m, stats, "-", leaf(DELTA_PRED_IS_NULL, "a", NULL, 0)));
    assert_true(keeps_of(type, m, NULL, "15", compare(EQ, "a", "INT", "15")));
    assert_false(keeps_of(type, m, NULL, "15", compare(NE, "a", "INT", "15")));
}

/* Statistics of files whose columns had a narrower type. */
static void widened_columns(void **state)
{
    struct delta_type *type = type_of("STRUCT<c: DOUBLE>");
    const char *stats = "{\"numRecords\":1,\"minValues\":{\"c\":0.1},\"maxValues\":{\"c\":0.1},\"nullCount\":{\"c\":0}}";
    const struct delta_pred *pred = compare(EQ, "c", "DOUBLE", "0.10000000149011612"); /* the float nearest to 0.1 */
    assert_false(keeps_of(type, (struct delta_metadata){0}, stats, "-", pred));
    give_meta(&type->fields[0], "delta.typeChanges", "[{\"fromType\":\"float\",\"toType\":\"double\"}]");
    assert_true(keeps_of(type, (struct delta_metadata){0}, stats, "-", pred));
    assert_true(keeps_of(type, (struct delta_metadata){0}, stats, "-", compare(EQ, "c", "DOUBLE", "0.1")));
    assert_false(keeps_of(type, (struct delta_metadata){0}, stats, "-", compare(GT, "c", "DOUBLE", "0.2")) &&
                 !keeps_of(type, (struct delta_metadata){0}, stats, "-", compare(LT, "c", "DOUBLE", "0.2")));
    EXPECT_ALL("TIMESTAMP_NTZ",
               "{\"numRecords\":1,\"minValues\":{\"c\":\"2024-01-01\"},\"maxValues\":{\"c\":\"2024-01-02\"},\"nullCount\":{\"c\":0}}",
               {EQ, "TIMESTAMP_NTZ", "2024-01-01 00:00:00", true}, {EQ, "TIMESTAMP_NTZ", "2024-01-02 00:00:00", true},
               {LT, "TIMESTAMP_NTZ", "2024-01-01 00:00:00", false}, {GE, "TIMESTAMP_NTZ", "2024-01-02 12:00:00", false});
    EXPECT_ALL("DECIMAL(12,2)", "{\"numRecords\":1,\"minValues\":{\"c\":7},\"maxValues\":{\"c\":7},\"nullCount\":{\"c\":0}}",
               {EQ, "DECIMAL(12,2)", "7.00", true}, {EQ, "DECIMAL(12,2)", "7.01", false}, {EQ, "INT", "7", true});
    assert_true(keeps("STRUCT<c: TIMESTAMP_NTZ>", NULL, "2024-01-01", compare(EQ, "c", "TIMESTAMP_NTZ", "2024-01-01 00:00:00")));
    assert_false(keeps("STRUCT<c: TIMESTAMP_NTZ>", NULL, "2024-01-01", compare(GT, "c", "TIMESTAMP_NTZ", "2024-01-01 00:00:00")));
    assert_true(keeps("STRUCT<c: DECIMAL(12,2)>", NULL, "7", compare(EQ, "c", "INT", "7")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(integers, clear_arena),        cmocka_unit_test_teardown(floats, clear_arena),
        cmocka_unit_test_teardown(decimals, clear_arena),        cmocka_unit_test_teardown(strings, clear_arena),
        cmocka_unit_test_teardown(dates_and_times, clear_arena), cmocka_unit_test_teardown(missing_statistics_keep, clear_arena),
        cmocka_unit_test_teardown(nulls, clear_arena),           cmocka_unit_test_teardown(nested_columns, clear_arena),
        cmocka_unit_test_teardown(trees, clear_arena),           cmocka_unit_test_teardown(lists, clear_arena),
        cmocka_unit_test_teardown(partitions, clear_arena),      cmocka_unit_test_teardown(never_excludes_a_match, clear_arena),
        cmocka_unit_test_teardown(mapped_columns, clear_arena),  cmocka_unit_test_teardown(widened_columns, clear_arena),
        cmocka_unit_test_teardown(many_files, clear_arena),      cmocka_unit_test_teardown(out_of_memory, clear_arena),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
