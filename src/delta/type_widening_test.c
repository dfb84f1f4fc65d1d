/* delta/type_widening_test.c: which types grow into which, and what is kept of it. */
#include "delta/delta_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

static struct arena arena; /* cleared after each test */

static int clear(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static struct delta_type *type_of(const char *sql)
{
    struct delta_type *type;
    if (delta_type_from_sql(&arena, str_of(sql), &type, NULL))
        fail_msg("%s", sql);
    return type;
}

static void allowed_changes(void **state)
{
    static const char *const good[][2] = {{"TINYINT", "SMALLINT"},
                                          {"TINYINT", "INT"},
                                          {"TINYINT", "BIGINT"},
                                          {"SMALLINT", "INT"},
                                          {"INT", "BIGINT"},
                                          {"FLOAT", "DOUBLE"},
                                          {"TINYINT", "DOUBLE"},
                                          {"SMALLINT", "DOUBLE"},
                                          {"INT", "DOUBLE"},
                                          {"DATE", "TIMESTAMP_NTZ"},
                                          {"DECIMAL(5,2)", "DECIMAL(6,2)"},
                                          {"DECIMAL(5,2)", "DECIMAL(6,3)"},
                                          {"TINYINT", "DECIMAL(4,1)"},
                                          {"SMALLINT", "DECIMAL(6,1)"},
                                          {"INT", "DECIMAL(10,0)"},
                                          {"INT", "DECIMAL(12,2)"},
                                          {"BIGINT", "DECIMAL(20,0)"},
                                          {"BIGINT", "DECIMAL(38,18)"}};
    static const char *const bad[][2] = {{"INT", "INT"},
                                         {"INT", "SMALLINT"},
                                         {"BIGINT", "DOUBLE"},
                                         {"DOUBLE", "FLOAT"},
                                         {"INT", "STRING"},
                                         {"DATE", "TIMESTAMP"},
                                         {"TIMESTAMP_NTZ", "DATE"},
                                         {"INT", "DECIMAL(10,1)"},
                                         {"BIGINT", "DECIMAL(19,0)"},
                                         {"DECIMAL(5,2)", "DECIMAL(5,3)"},
                                         {"DECIMAL(5,2)", "DECIMAL(5,1)"},
                                         {"DECIMAL(5,2)", "DECIMAL(5,2)"},
                                         {"FLOAT", "DECIMAL(38,10)"},
                                         {"STRING", "BINARY"},
                                         {"BOOLEAN", "INT"},
                                         {"ARRAY<INT>", "ARRAY<BIGINT>"}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(good); i++)
        if (!delta_type_can_widen(type_of(good[i][0]), type_of(good[i][1])))
            fail_msg("%s to %s", good[i][0], good[i][1]);
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++)
        if (delta_type_can_widen(type_of(bad[i][0]), type_of(bad[i][1])))
            fail_msg("%s to %s", bad[i][0], bad[i][1]);
}

static void expect_changes(const struct delta_field *field, const char *wanted)
{
    struct str got = delta_field_meta(field, "delta.typeChanges");
    if (!str_eq(got, str_of(wanted)))
        fail_msg("%.*s", STR_ARG(got));
}

static void changes_are_on_record(void **state)
{
    struct delta_type *schema = type_of("STRUCT<a: TINYINT, s: STRUCT<x: INT>, m: MAP<INT, ARRAY<SMALLINT>>>"), *out;
    struct error err = ERROR_INIT;
    struct str a[] = {STR("A")}, x[] = {STR("s"), STR("x")}, element[] = {STR("m"), STR("value"), STR("element")}, key[] = {STR("m"), STR("key")};
    assert_int_equal(delta_schema_widen_column(&arena, schema, a, 1, type_of("SMALLINT"), &out, &err), STATUS_OK);
    assert_int_equal(delta_schema_widen_column(&arena, out, a, 1, type_of("BIGINT"), &out, &err), STATUS_OK);
    assert_int_equal(delta_schema_widen_column(&arena, out, x, 2, type_of("DECIMAL(12,2)"), &out, &err), STATUS_OK);
    assert_int_equal(delta_schema_widen_column(&arena, out, element, 3, type_of("INT"), &out, &err), STATUS_OK);
    assert_int_equal(delta_schema_widen_column(&arena, out, key, 2, type_of("BIGINT"), &out, &err), STATUS_OK);
    expect_changes(&out->fields[0], "[{\"fromType\":\"byte\",\"toType\":\"short\"},{\"fromType\":\"short\",\"toType\":\"long\"}]");
    expect_changes(&out->fields[1].type->fields[0], "[{\"fromType\":\"integer\",\"toType\":\"decimal(12,2)\"}]");
    expect_changes(&out->fields[2], "[{\"fromType\":\"short\",\"toType\":\"integer\",\"fieldPath\":\"value.element\"},"
                                    "{\"fromType\":\"integer\",\"toType\":\"long\",\"fieldPath\":\"key\"}]");
    assert_int_equal(out->fields[0].type->id, DELTA_LONG);
    assert_int_equal(out->fields[2].type->element->element->id, DELTA_INTEGER);
    assert_int_equal(schema->fields[0].type->id, DELTA_BYTE);
    assert_int_equal(delta_type_changes_check(out, &err), STATUS_OK);
    assert_int_equal(delta_schema_widen_column(&arena, schema, a, 1, type_of("TINYINT"), &out, &err), STATUS_OK);
    assert_int_equal(out->fields[0].metadata_count, 0);
}

static void refused_changes(void **state)
{
    struct delta_type *schema = type_of("STRUCT<a: INT, l: ARRAY<INT>>"), *out;
    struct error err = ERROR_INIT;
    struct str a[] = {STR("a")}, b[] = {STR("b")}, below[] = {STR("l"), STR("value")};
    assert_int_equal(delta_schema_widen_column(&arena, schema, a, 1, type_of("SMALLINT"), &out, &err), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "\"a\""));
    assert_non_null(strstr(err.message, "int to smallint"));
    error_release(&err);
    err = (struct error)ERROR_INIT;
    assert_int_equal(delta_schema_widen_column(&arena, schema, b, 1, type_of("INT"), &out, NULL), STATUS_COLUMN_NOT_FOUND);
    assert_int_equal(delta_schema_widen_column(&arena, schema, below, 2, type_of("BIGINT"), &out, NULL), STATUS_COLUMN_NOT_FOUND);
    assert_int_equal(delta_schema_widen_column(&arena, schema, a, 0, type_of("BIGINT"), &out, NULL), STATUS_COLUMN_NOT_FOUND);
    assert_null(out);
}

static enum status check(const char *changes)
{
    struct delta_property meta = {STR("delta.typeChanges"), str_of(changes), STR_NULL};
    struct delta_type *schema = type_of("STRUCT<s: STRUCT<x: BIGINT>>");
    schema->fields[0].type->fields[0].metadata = &meta;
    schema->fields[0].type->fields[0].metadata_count = 1;
    return delta_type_changes_check(schema, NULL);
}

static void unknown_changes_are_refused(void **state)
{
    assert_int_equal(check("[]"), STATUS_OK);
    assert_int_equal(check("[{\"toType\":\"long\",\"fromType\":\"integer\",\"tableVersion\":3}]"), STATUS_OK);
    assert_int_equal(check("[{\"fromType\":\"integer\",\"toType\":\"long\"},{\"fromType\":\"long\",\"toType\":\"string\"}]"),
                     STATUS_UNSUPPORTED_FEATURE);
    assert_int_equal(check("[{\"fromType\":\"integer\",\"toType\":\"vast\"}]"), STATUS_UNSUPPORTED_FEATURE);
    assert_int_equal(check("[{\"fromType\":\"integer\"}]"), STATUS_CORRUPT_LOG);
    assert_int_equal(check("[{\"fromType\":{},\"toType\":\"long\"}]"), STATUS_CORRUPT_LOG);
    assert_int_equal(check("{}"), STATUS_CORRUPT_LOG);
    assert_int_equal(check("[1"), STATUS_CORRUPT_LOG);
    assert_int_equal(check("[1]"), STATUS_CORRUPT_LOG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(allowed_changes, clear),
        cmocka_unit_test_teardown(changes_are_on_record, clear),
        cmocka_unit_test_teardown(refused_changes, clear),
        cmocka_unit_test_teardown(unknown_changes_are_refused, clear),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
