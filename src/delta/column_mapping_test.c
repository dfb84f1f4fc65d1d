/* delta/column_mapping_test.c: ids and names of columns, given, kept, renamed and dropped. */
#include "delta/delta_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

struct fixture {
    struct arena arena;
    struct ctx ctx;
    struct error err;
    struct delta_property properties[8];
    struct delta_metadata metadata;
    struct delta_type *schema;
};

static int setup(void **state)
{
    struct fixture *f = mem_calloc(1, sizeof(*f));
    *state = f;
    ctx_init(&f->ctx);
    f->err = (struct error)ERROR_INIT;
    f->metadata.configuration = f->properties;
    return f == NULL;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    error_release(&f->err);
    arena_release(&f->arena);
    mem_free(f);
    return 0;
}

static struct delta_type *type_of(struct fixture *f, const char *sql)
{
    struct delta_type *type;
    assert_int_equal(delta_type_from_sql(&f->arena, str_of(sql), &type, &f->err), STATUS_OK);
    return type;
}

static void set(struct delta_metadata *m, const char *key, const char *value)
{
    m->configuration[m->configuration_count++] = (struct delta_property){.key = str_of(key), .value = str_of(value)};
}

static struct delta_type *assign(struct fixture *f, const struct delta_metadata *old, bool replaced, struct delta_metadata *m,
                                 const struct delta_type *schema)
{
    struct delta_type *out;
    if (delta_mapping_assign(&f->ctx, &f->arena, old, replaced, m, schema, &out, &f->err))
        fail_msg("%s", f->err.message);
    return out;
}

static void refuses(struct fixture *f, enum status expected, enum status got, const char *named)
{
    assert_int_equal(got, expected);
    if (!strstr(f->err.message, named))
        fail_msg("\"%s\" does not name %s", f->err.message, named);
    error_release(&f->err);
    f->err = (struct error)ERROR_INIT;
}

#define TYPE "STRUCT<a: INT, s: STRUCT<x: INT, y: STRUCT<z: INT>>, l: ARRAY<STRUCT<q: INT>>, m: MAP<STRUCT<k: INT>, STRUCT<w: INT>>>"

/* Each field at every depth has an id of its own and a name that no column had before. */
static void new_tables(void **state)
{
    struct fixture *f = *state;
    struct delta_metadata *m = &f->metadata;
    set(m, "delta.columnMapping.mode", "id");
    struct delta_type *schema = assign(f, NULL, false, m, type_of(f, TYPE));
    assert_int_equal(delta_mapping_mode(m), DELTA_MAPPING_ID);
    assert_true(str_eq(delta_config(m, "delta.columnMapping.maxColumnId"), STR("10")));
    assert_int_equal(delta_mapping_check(m, schema, &f->err), STATUS_OK);
    const struct delta_field *z = &schema->fields[1].type->fields[1].type->fields[0], *w = &schema->fields[3].type->element->fields[0];
    assert_int_equal(delta_column_id(&schema->fields[0]), 1);
    assert_true(delta_column_id(z) > 0 && delta_column_id(w) > 0 && delta_column_id(z) != delta_column_id(w));
    assert_true(str_starts(delta_physical_name(DELTA_MAPPING_ID, z), STR("col-")));
    assert_int_equal(delta_physical_name(DELTA_MAPPING_ID, z).len, 40);
    assert_false(str_eq(delta_physical_name(DELTA_MAPPING_ID, z), delta_physical_name(DELTA_MAPPING_ID, w)));
    assert_true(str_eq(delta_physical_name(DELTA_MAPPING_NONE, z), STR("z")));
    const struct delta_type *stored = delta_physical_schema(&f->arena, DELTA_MAPPING_ID, schema);
    assert_true(str_eq(stored->fields[3].type->element->fields[0].name, delta_physical_name(DELTA_MAPPING_ID, w)));
    assert_int_equal(delta_column_id(&stored->fields[0]), 1);
}

static void added_columns(void **state)
{
    struct fixture *f = *state;
    struct delta_metadata *m = &f->metadata;
    set(m, "delta.columnMapping.mode", "name");
    set(m, "delta.columnMapping.maxColumnId", "41"); /* ids of dropped columns are not given again */
    struct delta_type *schema = assign(f, NULL, false, m, type_of(f, "STRUCT<a: INT, b: INT>"));
    struct str first = delta_physical_name(DELTA_MAPPING_NAME, &schema->fields[0]);
    assert_int_equal(delta_column_id(&schema->fields[1]), 43);
    struct delta_metadata next = *m;
    schema->field_count = 1;
    struct delta_type *more = type_of(f, "STRUCT<a: INT, c: STRUCT<d: INT>>");
    more->fields[0] = schema->fields[0];
    more = assign(f, m, false, &next, more);
    assert_int_equal(delta_column_id(&more->fields[0]), 42);
    assert_int_equal(delta_column_id(&more->fields[1]), 44);
    assert_true(str_eq(delta_config(&next, "delta.columnMapping.maxColumnId"), STR("45")));
    assert_true(str_eq(delta_physical_name(DELTA_MAPPING_NAME, &more->fields[0]), first));
    assert_true(str_starts(delta_physical_name(DELTA_MAPPING_NAME, &more->fields[1]), STR("col-")));
}

/* Files that are there know the logical names. */
static void upgraded_tables(void **state)
{
    struct fixture *f = *state;
    struct delta_metadata old = {0};
    set(&f->metadata, "delta.columnMapping.mode", "name");
    struct delta_type *schema = assign(f, &old, false, &f->metadata, type_of(f, "STRUCT<`a \"b\"`: INT, s: STRUCT<x: INT>>"));
    assert_true(str_eq(delta_physical_name(DELTA_MAPPING_NAME, &schema->fields[0]), STR("a \"b\"")));
    assert_true(str_eq(delta_physical_name(DELTA_MAPPING_NAME, &schema->fields[1].type->fields[0]), STR("x")));
    assert_int_equal(delta_column_id(&schema->fields[1].type->fields[0]), 3);
}

static void illegal_mode_changes(void **state)
{
    static const char *const modes[] = {"none", "name", "id"};
    struct fixture *f = *state;
    struct delta_type *schema = type_of(f, "STRUCT<a: INT>"), *out;
    for (int from = 0; from < 3; from++) {
        for (int to = 0; to < 3; to++) {
            struct delta_property a[4], b[4];
            struct delta_metadata old = {.configuration = a}, m = {.configuration = b};
            set(&old, "delta.columnMapping.mode", modes[from]);
            set(&m, "delta.columnMapping.mode", modes[to]);
            enum status st = delta_mapping_assign(&f->ctx, &f->arena, &old, false, &m, schema, &out, &f->err);
            if (from == to || (from == 0 && to == 1))
                assert_int_equal(st, STATUS_OK);
            else
                refuses(f, STATUS_INVALID_ARGUMENT, st, modes[to]);
            assert_int_equal(delta_mapping_assign(&f->ctx, &f->arena, &old, true, &m, schema, &out, &f->err), STATUS_OK);
        }
    }
}

static void incomplete_schemas(void **state)
{
    struct fixture *f = *state;
    struct delta_type *schema = type_of(f, "STRUCT<a: INT, l: ARRAY<STRUCT<q: INT>>>");
    assert_int_equal(delta_mapping_check(&f->metadata, schema, &f->err), STATUS_OK);
    set(&f->metadata, "delta.columnMapping.mode", "name");
    refuses(f, STATUS_INTERNAL, delta_mapping_check(&f->metadata, schema, &f->err), "\"a\"");
    schema = assign(f, NULL, false, &f->metadata, schema);
    schema->fields[1].type->element->fields[0].metadata_count = 1;
    refuses(f, STATUS_INTERNAL, delta_mapping_check(&f->metadata, schema, &f->err), "\"q\"");
}

/* Trap: column mapping with partitions. */
static void keys_of_partition_values(void **state)
{
    struct fixture *f = *state;
    struct str columns[] = {STR("P"), STR("q")}, *keys;
    struct delta_metadata *m = &f->metadata, renamed;
    struct buf json = BUF_INIT;
    m->partition_columns = columns;
    m->partition_column_count = 2;
    m->schema_string = STR("not read when nothing is mapped");
    assert_int_equal(delta_partition_keys(&f->arena, m, &keys, &f->err), STATUS_OK);
    assert_true(str_eq(keys[0], STR("P")) && str_eq(keys[1], STR("q")));
    set(m, "delta.columnMapping.mode", "name");
    assert_int_equal(delta_partition_keys(&f->arena, m, &keys, NULL), STATUS_CORRUPT_LOG);
    struct delta_type *schema = assign(f, NULL, false, m, type_of(f, "STRUCT<a: INT, p: INT, q: INT>")), *after;
    delta_schema_json(schema, &json);
    m->schema_string = buf_view(&json);
    assert_int_equal(delta_partition_keys(&f->arena, m, &keys, &f->err), STATUS_OK);
    assert_true(str_eq(keys[0], delta_physical_name(DELTA_MAPPING_NAME, &schema->fields[1])));
    renamed = *m;
    struct str path[] = {STR("q")};
    assert_int_equal(delta_schema_rename_column(&f->arena, &renamed, schema, path, 1, STR("neu"), &after, &f->err), STATUS_OK);
    assert_true(str_eq(renamed.partition_columns[1], STR("neu")) && str_eq(m->partition_columns[1], STR("q")));
    struct buf after_json = BUF_INIT;
    delta_schema_json(after, &after_json);
    renamed.schema_string = buf_view(&after_json);
    assert_true(delta_same_partition_keys(m, &renamed));
    renamed.partition_column_count = 1;
    assert_false(delta_same_partition_keys(m, &renamed));
    buf_release(&json);
    buf_release(&after_json);
}

static void rename_column(void **state)
{
    struct fixture *f = *state;
    struct delta_metadata *m = &f->metadata;
    struct delta_type *schema = type_of(f, TYPE), *out;
    struct str deep[] = {STR("M"), STR("value"), STR("W")}, no_such[] = {STR("s"), STR("nothing")}, leaf[] = {STR("a"), STR("x")}, top[] = {STR("a")};
    refuses(f, STATUS_NOT_SUPPORTED, delta_schema_rename_column(&f->arena, m, schema, top, 1, STR("b"), &out, &f->err), "no column mapping");
    set(m, "delta.columnMapping.mode", "name");
    schema = assign(f, NULL, false, m, schema);
    assert_int_equal(delta_schema_rename_column(&f->arena, m, schema, deep, 3, STR("w.`😀"), &out, &f->err), STATUS_OK);
    const struct delta_field *after = &out->fields[3].type->element->fields[0], *before = &schema->fields[3].type->element->fields[0];
    assert_true(str_eq(after->name, STR("w.`😀")) && str_eq(before->name, STR("w")));
    assert_true(str_eq(delta_physical_name(DELTA_MAPPING_NAME, after), delta_physical_name(DELTA_MAPPING_NAME, before)));
    assert_int_equal(delta_schema_rename_column(&f->arena, m, schema, top, 1, STR("A"), &out, &f->err), STATUS_OK); /* another case only */
    refuses(f, STATUS_INVALID_ARGUMENT, delta_schema_rename_column(&f->arena, m, schema, top, 1, STR("L"), &out, &f->err), "\"a\"");
    refuses(f, STATUS_INVALID_ARGUMENT, delta_schema_rename_column(&f->arena, m, schema, top, 1, STR(""), &out, &f->err), "empty");
    refuses(f, STATUS_COLUMN_NOT_FOUND, delta_schema_rename_column(&f->arena, m, schema, no_such, 2, STR("b"), &out, &f->err), "\"s.nothing\"");
    refuses(f, STATUS_COLUMN_NOT_FOUND, delta_schema_rename_column(&f->arena, m, schema, leaf, 2, STR("b"), &out, &f->err), "\"a.x\"");
}

static void renamed_in_the_list_of_statistics(void **state)
{
    struct fixture *f = *state;
    struct delta_metadata *m = &f->metadata;
    struct str s[] = {STR("s")}, x[] = {STR("S"), STR("x")}, odd[] = {STR("a.`b")};
    struct delta_type *schema = type_of(f, "STRUCT<a: INT, s: STRUCT<x: INT, y: INT>, `a.``b`: INT>"), *out;
    set(m, "delta.columnMapping.mode", "name");
    set(m, "delta.dataSkippingStatsColumns", "a, s.x ,`s`.y,`a.``b`,sx");
    schema = assign(f, NULL, false, m, schema);
    assert_int_equal(delta_schema_rename_column(&f->arena, m, schema, x, 2, STR("neu"), &out, &f->err), STATUS_OK);
    assert_true(str_eq(delta_config(m, "delta.dataSkippingStatsColumns"), STR("a,`s`.`neu`,`s`.y,`a.``b`,sx")));
    assert_int_equal(delta_schema_rename_column(&f->arena, m, out, s, 1, STR("t`"), &out, &f->err), STATUS_OK);
    assert_true(str_eq(delta_config(m, "delta.dataSkippingStatsColumns"), STR("a,`t```.`neu`,`t```.`y`,`a.``b`,sx")));
    assert_int_equal(delta_schema_rename_column(&f->arena, m, out, odd, 1, STR("plain"), &out, &f->err), STATUS_OK);
    assert_true(str_eq(delta_config(m, "delta.dataSkippingStatsColumns"), STR("a,`t```.`neu`,`t```.`y`,`plain`,sx")));
}

static void drop_column(void **state)
{
    struct fixture *f = *state;
    struct delta_metadata *m = &f->metadata;
    struct str columns[] = {STR("a")}, deep[] = {STR("l"), STR("element"), STR("q")}, x[] = {STR("s"), STR("x")}, a[] = {STR("A")}, l[] = {STR("l")};
    struct delta_type *schema = type_of(f, TYPE), *out;
    set(m, "delta.columnMapping.mode", "name");
    m->partition_columns = columns;
    m->partition_column_count = 1;
    schema = assign(f, NULL, false, m, schema);
    assert_int_equal(delta_schema_drop_column(&f->arena, m, schema, x, 2, &out, &f->err), STATUS_OK);
    assert_int_equal(out->fields[1].type->field_count, 1);
    assert_true(str_eq(out->fields[1].type->fields[0].name, STR("y")));
    assert_int_equal(schema->fields[1].type->field_count, 2);
    assert_int_equal(delta_schema_drop_column(&f->arena, m, schema, l, 1, &out, &f->err), STATUS_OK);
    assert_true(out->field_count == 3 && str_eq(out->fields[2].name, STR("m")));
    refuses(f, STATUS_INVALID_ARGUMENT, delta_schema_drop_column(&f->arena, m, schema, deep, 3, &out, &f->err), "\"l.element.q\"");
    refuses(f, STATUS_INVALID_ARGUMENT, delta_schema_drop_column(&f->arena, m, schema, a, 1, &out, &f->err), "partitioned");
}

static void failing_allocations(void **state)
{
    struct fixture *f = *state;
    struct delta_type *schema = type_of(f, TYPE);
    bool done = false;
    for (long n = 1; !done && n < 2000; n++) {
        struct arena arena = ARENA_INIT;
        struct delta_property property = {STR("delta.columnMapping.mode"), STR("name"), STR_NULL};
        struct delta_metadata m = {.configuration = &property, .configuration_count = 1};
        struct delta_type *out = NULL, *renamed;
        struct str path[] = {STR("s"), STR("x")};
        alloc_fail_after(n);
        enum status st = delta_mapping_assign(&f->ctx, &arena, NULL, false, &m, schema, &out, NULL);
        if (st == STATUS_OK)
            st = delta_schema_rename_column(&arena, &m, out, path, 2, STR("neu"), &renamed, NULL);
        alloc_fail_after(0);
        done = st == STATUS_OK;
        assert_true(done || st == STATUS_OUT_OF_MEMORY);
        arena_release(&arena);
    }
    assert_true(done);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(new_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(added_columns, setup, teardown),
        cmocka_unit_test_setup_teardown(upgraded_tables, setup, teardown),
        cmocka_unit_test_setup_teardown(illegal_mode_changes, setup, teardown),
        cmocka_unit_test_setup_teardown(incomplete_schemas, setup, teardown),
        cmocka_unit_test_setup_teardown(keys_of_partition_values, setup, teardown),
        cmocka_unit_test_setup_teardown(rename_column, setup, teardown),
        cmocka_unit_test_setup_teardown(renamed_in_the_list_of_statistics, setup, teardown),
        cmocka_unit_test_setup_teardown(drop_column, setup, teardown),
        cmocka_unit_test_setup_teardown(failing_allocations, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
