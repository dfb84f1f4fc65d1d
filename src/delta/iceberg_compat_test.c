/* delta/iceberg_compat_test.c: rules of icebergCompatV1 and V2, and ids of what is below a field. */
#include "delta/delta_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static const char ids_schema[] =
    "{\"type\":\"struct\",\"fields\":[{\"name\":\"l\",\"nullable\":true,\"type\":{\"type\":\"array\",\"elementType\":{\"type\":\"map\",\"keyType\":"
    "\"string\","
    "\"valueType\":\"long\",\"valueContainsNull\":true},\"containsNull\":true},\"metadata\":{\"delta.columnMapping.id\":1,"
    "\"delta.columnMapping.physicalName\":\"col-1\",\"delta.columnMapping.nested.ids\":%s}}]}";

static struct delta_type *schema_with_ids(struct arena *arena, const char *ids)
{
    struct delta_type *schema = NULL;
    char *text = arena_printf(arena, ids_schema, ids);
    assert_non_null(text);
    assert_int_equal(delta_schema_parse(arena, str_of(text), &schema, NULL), STATUS_OK);
    return schema;
}

static void ids_that_are_there_stay(void **state)
{
    struct arena arena = ARENA_INIT;
    struct delta_type *schema = schema_with_ids(&arena, "{\"col-1.element.key\":7,\"other\":40}");
    struct delta_field *field = &schema->fields[0];
    int64_t highest = delta_nested_ids_highest(field);
    assert_int_equal(highest, 40);
    assert_true(delta_nested_ids_assign(&arena, field, &highest));
    assert_int_equal(highest, 42);
    assert_int_equal(delta_nested_id(field, STR("col-1.element")), 41);
    assert_int_equal(delta_nested_id(field, STR("col-1.element.key")), 7);
    assert_int_equal(delta_nested_id(field, STR("col-1.element.value")), 42);
    assert_int_equal(delta_nested_id(field, STR("col-1.element.element")), -1);
    arena_release(&arena);
    (void)state;
}

static void what_is_no_object_has_no_ids(void **state)
{
    static const char *const texts[] = {"\"x\"", "[1]", "null", "{}", "{\"col-1.element\":\"seven\"}", "{\"col-1.element\":1e99}"};
    struct arena arena = ARENA_INIT;
    for (size_t i = 0; i < VV_ARRAY_COUNT(texts); i++) {
        struct delta_field *field = &schema_with_ids(&arena, texts[i])->fields[0];
        int64_t highest = 1;
        assert_int_equal(delta_nested_id(field, STR("col-1.element")), -1);
        assert_int_equal(delta_nested_ids_highest(field), 0);
        assert_true(delta_nested_ids_assign(&arena, field, &highest));
        assert_int_equal(delta_nested_id(field, STR("col-1.element")), 2);
    }
    arena_release(&arena);
    (void)state;
}

static void fails_without_memory(void **state)
{
    struct arena arena = ARENA_INIT;
    struct delta_field *field = &schema_with_ids(&arena, "{}")->fields[0];
    int64_t highest = 1;
    bool done = false;
    for (uint64_t n = 1; n < 100 && !done; n++) {
        alloc_fail_after(n);
        done = delta_nested_ids_assign(&arena, field, &highest);
        alloc_fail_after(0);
    }
    assert_true(done);
    arena_release(&arena);
    (void)state;
}

static void a_file_must_be_counted(void **state)
{
    struct delta_property on = {.key = STR("delta.enableIcebergCompatV1"), .value = STR("true")};
    struct delta_metadata m = {.configuration = &on, .configuration_count = 1}, off = {0};
    struct error err = ERROR_INIT;
    struct str counted = STR("{\"numRecords\":3}"), uncounted = STR("{\"minValues\":{\"a\":1}}");
    assert_int_equal(delta_iceberg_check_add(&m, STR("f"), counted, false, &err), STATUS_OK);
    assert_int_equal(delta_iceberg_check_add(&m, STR("f"), counted, true, &err), STATUS_INVALID_ARGUMENT);
    error_release(&err);
    assert_int_equal(delta_iceberg_check_add(&m, STR("f"), uncounted, false, &err), STATUS_INVALID_ARGUMENT);
    error_release(&err);
    assert_int_equal(delta_iceberg_check_add(&m, STR("f"), STR_NULL, false, &err), STATUS_INVALID_ARGUMENT);
    error_release(&err);
    assert_int_equal(delta_iceberg_check_add(&off, STR("f"), STR_NULL, true, &err), STATUS_OK);
    (void)state;
}

static void formats_need_the_rules(void **state)
{
    struct delta_property formats = {.key = STR("delta.universalFormat.enabledFormats"), .value = STR("hudi, iceberg")};
    struct delta_metadata m = {.configuration = &formats, .configuration_count = 1};
    struct delta_protocol p = {.min_reader_version = 2, .min_writer_version = 7};
    static const struct delta_type schema = {.id = DELTA_STRUCT};
    struct error err = ERROR_INIT;
    assert_int_equal(delta_iceberg_check(NULL, &p, &m, &schema, &err), STATUS_INVALID_ARGUMENT);
    error_release(&err);
    formats.value = STR("hudi");
    assert_int_equal(delta_iceberg_check(NULL, &p, &m, &schema, &err), STATUS_OK);
    (void)state;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_that_are_there_stay), cmocka_unit_test(what_is_no_object_has_no_ids), cmocka_unit_test(fails_without_memory),
        cmocka_unit_test(a_file_must_be_counted),  cmocka_unit_test(formats_need_the_rules),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
