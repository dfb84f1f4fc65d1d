#include "delta/delta_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

static struct delta_type *parse(struct arena *arena, const char *json)
{
    struct error err = ERROR_INIT;
    struct delta_type *type = NULL;
    enum status status = delta_schema_parse(arena, str_of(json), &type, &err);
    if (status)
        print_error("%s\n", err.message);
    assert_int_equal(status, STATUS_OK);
    return type;
}

static enum status parse_error(const char *json, char message[256])
{
    struct arena arena = ARENA_INIT;
    struct error err = ERROR_INIT;
    struct delta_type *type = (void *)1;
    enum status status = delta_schema_parse(&arena, str_of(json), &type, &err);
    assert_null(type);
    snprintf(message, 256, "%s", err.message ? err.message : "");
    error_release(&err);
    arena_release(&arena);
    return status;
}

static const char every_type[] =
    "{\"type\":\"struct\",\"fields\":["
    "{\"name\":\"s\",\"type\":\"string\",\"nullable\":true,\"metadata\":{\"comment\":\"a \\\"b\\\" c\",\"n\":12,\"o\":{\"x\":[1,2]}}},"
    "{\"name\":\"l\",\"type\":\"long\",\"nullable\":false,\"metadata\":{}},"
    "{\"name\":\"i\",\"type\":\"integer\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"sh\",\"type\":\"short\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"b\",\"type\":\"byte\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"f\",\"type\":\"float\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"d\",\"type\":\"double\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"dec\",\"type\":\"decimal(38,18)\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"bo\",\"type\":\"boolean\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"bi\",\"type\":\"binary\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"da\",\"type\":\"date\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"ts\",\"type\":\"timestamp\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"tn\",\"type\":\"timestamp_ntz\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"v\",\"type\":\"void\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"va\",\"type\":\"variant\",\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"n\",\"type\":{\"type\":\"struct\",\"fields\":["
    "{\"name\":\"a\",\"type\":{\"type\":\"array\",\"elementType\":\"long\",\"containsNull\":false},\"nullable\":true,\"metadata\":{}},"
    "{\"name\":\"m\",\"type\":{\"type\":\"map\",\"keyType\":\"string\",\"valueType\":\"double\",\"valueContainsNull\":true},"
    "\"nullable\":true,\"metadata\":{}}]},\"nullable\":true,\"metadata\":{}}]}";

static void round_trip(void **state)
{
    struct arena arena = ARENA_INIT;
    struct buf out = BUF_INIT;
    struct delta_type *type = parse(&arena, every_type);
    assert_int_equal(type->field_count, 16);
    delta_schema_json(type, &out);
    assert_string_equal(out.ptr, every_type);
    struct delta_type *copy = delta_type_copy(&arena, type);
    assert_true(delta_type_equal(type, copy));
    buf_clear(&out);
    delta_schema_json(copy, &out);
    assert_string_equal(out.ptr, every_type);
    buf_clear(&out);
    delta_type_text(type->fields[15].type, &out);
    assert_string_equal(out.ptr, "struct<a:array<bigint>,m:map<string,double>>");
    buf_release(&out);
    arena_release(&arena);
}

static void field_metadata(void **state)
{
    struct arena arena = ARENA_INIT;
    struct delta_type *type = parse(&arena, every_type);
    const struct delta_field *s = delta_field_find(type, STR("S"));
    assert_non_null(s);
    assert_true(str_eq(delta_field_meta(s, "comment"), STR("a \"b\" c")));
    assert_true(str_eq(delta_field_meta(s, "n"), STR("12")));
    assert_true(str_eq(delta_field_meta(s, "o"), STR("{\"x\":[1,2]}")));
    assert_null(delta_field_meta(s, "absent").ptr);
    assert_null(delta_field_find(type, STR("nowhere")));
    arena_release(&arena);
}

static void damaged_schemas(void **state)
{
    static const struct {
        const char *json;
        enum status status;
        const char *part;
    } cases[] = {
        {"", STATUS_CORRUPT_LOG, "not valid"},
        {"{\"type\":\"struct\",\"fields\":[", STATUS_CORRUPT_LOG, "not valid"},
        {"\"long\"", STATUS_CORRUPT_LOG, "not a struct"},
        {"[]", STATUS_CORRUPT_LOG, "neither"},
        {"{\"type\":\"struct\"}", STATUS_CORRUPT_LOG, "without fields"},
        {"{\"fields\":[]}", STATUS_CORRUPT_LOG, "without a name"},
        {"{\"type\":\"struct\",\"fields\":[{\"type\":\"long\"}]}", STATUS_CORRUPT_LOG, "without a name"},
        {"{\"type\":\"struct\",\"fields\":[{\"name\":\"a\"}]}", STATUS_CORRUPT_LOG, "\"a\""},
        {"{\"type\":\"struct\",\"fields\":[7]}", STATUS_CORRUPT_LOG, "without a name"},
        {"{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"long\",\"nullable\":\"x\"}]}", STATUS_CORRUPT_LOG, "nullable"},
        {"{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"decimal(39,1)\"}]}", STATUS_UNSUPPORTED_FEATURE, "decimal(39,1)"},
        {"{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"decimal(5,6)\"}]}", STATUS_UNSUPPORTED_FEATURE, "\"a\""},
        {"{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":\"decimal(5\"}]}", STATUS_UNSUPPORTED_FEATURE, "\"a\""},
        {"{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"struct\",\"fields\":[{\"name\":\"b\",\"type\":"
         "{\"type\":\"array\",\"elementType\":\"geometry\"}}]}}]}",
         STATUS_UNSUPPORTED_FEATURE, "\"a.b.element\" has type \"geometry\""},
        {"{\"type\":\"struct\",\"fields\":[{\"name\":\"a\",\"type\":{\"type\":\"map\",\"keyType\":\"long\"}}]}", STATUS_CORRUPT_LOG, "a.value"},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        char message[256];
        assert_int_equal(parse_error(cases[i].json, message), cases[i].status);
        if (!strstr(message, cases[i].part))
            fail_msg("case %zu: \"%s\" lacks \"%s\"", i, message, cases[i].part);
    }
}

static enum status check(const char *sql, bool for_write)
{
    struct arena arena = ARENA_INIT;
    struct delta_type *type;
    assert_int_equal(delta_type_from_sql(&arena, str_of(sql), &type, NULL), STATUS_OK);
    enum status status = delta_schema_check(type, for_write, NULL);
    arena_release(&arena);
    return status;
}

static void checks(void **state)
{
    assert_int_equal(check("STRUCT<a: INT, b: INT>", true), STATUS_OK);
    assert_int_equal(check("STRUCT<a: INT, A: INT>", false), STATUS_INVALID_ARGUMENT);
    assert_int_equal(check("STRUCT<a: INT, b: STRUCT<`x_y`: INT, `X_Y`: INT>>", false), STATUS_INVALID_ARGUMENT);
    assert_int_equal(check("STRUCT<>", false), STATUS_OK);
    assert_int_equal(check("STRUCT<>", true), STATUS_INVALID_ARGUMENT);
    assert_int_equal(check("STRUCT<a: VOID>", true), STATUS_INVALID_ARGUMENT);
    assert_int_equal(check("STRUCT<a: VOID, b: INT>", true), STATUS_OK);
    assert_int_equal(check("STRUCT<a: ARRAY<VOID>, b: INT>", true), STATUS_NOT_SUPPORTED);
    assert_int_equal(check("STRUCT<a: ARRAY<VOID>, b: INT>", false), STATUS_OK);
    assert_int_equal(check("STRUCT<a: STRUCT<x: VOID>, b: INT>", true), STATUS_NOT_SUPPORTED);
}

struct reconciled {
    enum status status;
    char text[512], detail[512], hint[256];
};

static struct reconciled reconcile(const char *table, const char *from, bool merge)
{
    struct reconciled r = {0};
    struct arena arena = ARENA_INIT;
    struct error err = ERROR_INIT;
    struct buf text = BUF_INIT;
    struct delta_type *a, *b, *out;
    assert_int_equal(delta_type_from_sql(&arena, str_of(table), &a, NULL), STATUS_OK);
    assert_int_equal(delta_type_from_sql(&arena, str_of(from), &b, NULL), STATUS_OK);
    r.status = delta_schema_reconcile(&arena, STR("sales"), a, b, merge, &out, &err);
    if (out)
        delta_type_text(out, &text);
    snprintf(r.text, sizeof r.text, "%s", text.ptr ? text.ptr : "");
    snprintf(r.detail, sizeof r.detail, "%s", err.detail ? err.detail : "");
    snprintf(r.hint, sizeof r.hint, "%s", err.hint ? err.hint : "");
    buf_release(&text);
    error_release(&err);
    arena_release(&arena);
    return r;
}

static void reconcile_fits(void **state)
{
    static const char table[] = "STRUCT<Id: BIGINT NOT NULL, name: STRING, at: TIMESTAMP_NTZ, amount: DECIMAL(10,2), r: DOUBLE>";
    struct reconciled r = reconcile(table, "STRUCT<NAME: STRING, id: SMALLINT, at: DATE, amount: DECIMAL(8,1), r: FLOAT>", false);
    assert_int_equal(r.status, STATUS_OK);
    assert_string_equal(r.text, "struct<Id:bigint,name:string,at:timestamp_ntz,amount:decimal(10,2),r:double>");
    r = reconcile(table, "STRUCT<id: BIGINT, name: VOID>", false);
    assert_int_equal(r.status, STATUS_OK);
}

static void reconcile_lists_every_violation(void **state)
{
    struct reconciled r = reconcile("STRUCT<id: BIGINT NOT NULL, d: DECIMAL(10,2), n: STRUCT<x: INT>, a: ARRAY<INT>>",
                                    "STRUCT<d: DECIMAL(10,3), n: STRUCT<x: STRING, z: INT>, a: ARRAY<BIGINT>, extra: DATE>", false);
    assert_int_equal(r.status, STATUS_SCHEMA_MISMATCH);
    assert_string_equal(r.detail, "column \"id\": expected bigint NOT NULL, found nothing\n"
                                  "column \"d\": expected decimal(10,2), found decimal(10,3)\n"
                                  "column \"n.x\": expected int, found string\n"
                                  "column \"n.z\": not in the table, found int\n"
                                  "column \"a.element\": expected int, found bigint\n"
                                  "column \"extra\": not in the table, found date");
    assert_string_equal(r.hint, "");
    r = reconcile("STRUCT<id: BIGINT>", "STRUCT<id: BIGINT, x: INT>", false);
    assert_int_equal(r.status, STATUS_SCHEMA_MISMATCH);
    assert_non_null(strstr(r.hint, "mergeSchema"));
    r = reconcile("STRUCT<id: BIGINT>", "STRUCT<id: BIGINT, ID: INT>", false);
    assert_string_equal(r.detail, "column \"ID\": appears more than once in the rows");
}

static void reconcile_merges(void **state)
{
    struct reconciled r = reconcile("STRUCT<Id: BIGINT, n: STRUCT<x: INT>, l: ARRAY<STRUCT<p: INT>>, v: VOID>",
                                    "STRUCT<new: DATE NOT NULL, N: STRUCT<Y: STRING, X: INT>, l: ARRAY<STRUCT<q: INT>>, v: INT>", true);
    assert_int_equal(r.status, STATUS_OK);
    assert_string_equal(r.text, "struct<Id:bigint,n:struct<x:int,Y:string>,l:array<struct<p:int,q:int>>,v:int,new:date>");
    r = reconcile("STRUCT<id: INT>", "STRUCT<id: BIGINT, x: INT>", true);
    assert_int_equal(r.status, STATUS_SCHEMA_MISMATCH);
    assert_string_equal(r.detail, "column \"id\": expected int, found bigint");
}

static void merged_columns_are_nullable(void **state)
{
    struct arena arena = ARENA_INIT;
    struct delta_type *a, *b, *out;
    assert_int_equal(delta_type_from_sql(&arena, STR("STRUCT<id: INT>"), &a, NULL), STATUS_OK);
    assert_int_equal(delta_type_from_sql(&arena, STR("STRUCT<id: INT, x: INT NOT NULL COMMENT 'it''s'>"), &b, NULL), STATUS_OK);
    assert_int_equal(delta_schema_reconcile(&arena, STR("t"), a, b, true, &out, NULL), STATUS_OK);
    assert_true(out->fields[1].nullable);
    assert_true(str_eq(delta_field_meta(&out->fields[1], "comment"), STR("it's")));
    arena_release(&arena);
}

static void out_of_memory(void **state)
{
    for (uint64_t n = 1;; n++) {
        struct arena arena = ARENA_INIT;
        struct error err = ERROR_INIT;
        struct delta_type *type = NULL, *merged = NULL;
        struct buf text = BUF_INIT;
        alloc_fail_after(n);
        uint64_t before = alloc_count();
        enum status status = delta_schema_parse(&arena, str_of(every_type), &type, &err);
        if (!status)
            status = delta_schema_reconcile(&arena, STR("t"), type, type, true, &merged, &err);
        if (!status)
            status = delta_schema_check(merged, true, &err);
        bool reached = alloc_count() - before >= n;
        alloc_fail_after(0);
        if (status)
            assert_int_equal(status, STATUS_OUT_OF_MEMORY);
        error_release(&err);
        buf_release(&text);
        arena_release(&arena);
        if (!reached) {
            assert_int_equal(status, STATUS_OK);
            break;
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(round_trip),       cmocka_unit_test(field_metadata),
        cmocka_unit_test(damaged_schemas),  cmocka_unit_test(checks),
        cmocka_unit_test(reconcile_fits),   cmocka_unit_test(reconcile_lists_every_violation),
        cmocka_unit_test(reconcile_merges), cmocka_unit_test(merged_columns_are_nullable),
        cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
