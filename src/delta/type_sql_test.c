#include "delta/delta_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(const char *sql, const char *simple)
{
    struct arena arena = ARENA_INIT;
    struct error err = ERROR_INIT;
    struct buf text = BUF_INIT;
    struct delta_type *type;
    if (delta_type_from_sql(&arena, str_of(sql), &type, &err))
        fail_msg("%s: %s", sql, err.message);
    delta_type_text(type, &text);
    assert_string_equal(text.ptr, simple);
    buf_release(&text);
    arena_release(&arena);
}

static void spellings(void **state)
{
    expect("STRING", "string");
    expect("varchar", "string");
    expect("VARCHAR(10)", "string");
    expect("Char ( 3 )", "string");
    expect("TEXT", "string");
    expect("BIGINT", "bigint");
    expect("LONG", "bigint");
    expect("INT", "int");
    expect("integer", "int");
    expect("SMALLINT", "smallint");
    expect("SHORT", "smallint");
    expect("TINYINT", "tinyint");
    expect("BYTE", "tinyint");
    expect("FLOAT", "float");
    expect("REAL", "float");
    expect("DOUBLE", "double");
    expect("DOUBLE PRECISION", "double");
    expect("DECIMAL", "decimal(10,0)");
    expect("NUMERIC(5)", "decimal(5,0)");
    expect("DECIMAL( 38 , 38 )", "decimal(38,38)");
    expect("BOOLEAN", "boolean");
    expect("BINARY", "binary");
    expect("BLOB", "binary");
    expect("DATE", "date");
    expect("TIMESTAMP", "timestamp");
    expect("TIMESTAMP_LTZ", "timestamp");
    expect("TIMESTAMPTZ", "timestamp");
    expect("TIMESTAMP WITH TIME ZONE", "timestamp");
    expect("TIMESTAMP_NTZ", "timestamp_ntz");
    expect("timestamp without time zone", "timestamp_ntz");
}

static void nested(void **state)
{
    expect("ARRAY<INT>", "array<int>");
    expect("INT[]", "array<int>");
    expect("INT[][]", "array<array<int>>");
    expect("MAP<STRING, ARRAY<BIGINT>>", "map<string,array<bigint>>");
    expect("MAP(VARCHAR, INTEGER)[]", "array<map<string,int>>");
    expect("STRUCT<a: INT, `b c` DECIMAL(4,2) NOT NULL COMMENT 'x'>", "struct<a:int,b c:decimal(4,2)>");
    expect("STRUCT(a INTEGER, \"b\"\"c\" VARCHAR[])", "struct<a:int,b\"c:array<string>>");
    expect(" struct < struct : struct<> , array array<int> > ", "struct<struct:struct<>,array:array<int>>");
    expect("STRUCT<größe: INT>", "struct<größe:int>");
}

static void field_attributes(void **state)
{
    struct arena arena = ARENA_INIT;
    struct delta_type *type;
    assert_int_equal(delta_type_from_sql(&arena, STR("STRUCT<a: INT NOT NULL COMMENT 'say \\'hi\\' and ''bye''', b INT>"), &type, NULL), STATUS_OK);
    assert_false(type->fields[0].nullable);
    assert_true(type->fields[1].nullable);
    assert_true(str_eq(delta_field_meta(&type->fields[0], "comment"), STR("say 'hi' and 'bye'")));
    arena_release(&arena);
}

static void expect_error(const char *sql, int64_t position, enum status expected)
{
    struct arena arena = ARENA_INIT;
    struct error err = ERROR_INIT;
    struct delta_type *type = (void *)1;
    enum status status = delta_type_from_sql(&arena, str_of(sql), &type, &err);
    if (status != expected || err.position != position)
        fail_msg("%s: status %d, position %lld, %s", sql, (int)status, (long long)err.position, err.message ? err.message : "");
    assert_null(type);
    error_release(&err);
    arena_release(&arena);
}

static void errors_have_positions(void **state)
{
    expect_error("", 0, STATUS_SYNTAX);
    expect_error("  ", 2, STATUS_SYNTAX);
    expect_error("STRNG", 0, STATUS_SYNTAX);
    expect_error("INT x", 4, STATUS_SYNTAX);
    expect_error("ARRAY<INT", 9, STATUS_SYNTAX);
    expect_error("ARRAY INT>", 6, STATUS_SYNTAX);
    expect_error("MAP<STRING>", 10, STATUS_SYNTAX);
    expect_error("STRUCT<a: >", 10, STATUS_SYNTAX);
    expect_error("STRUCT<a: INT,>", 14, STATUS_SYNTAX);
    expect_error("STRUCT<a: INT NOT>", 17, STATUS_SYNTAX);
    expect_error("STRUCT<a: INT COMMENT x>", 22, STATUS_SYNTAX);
    expect_error("STRUCT<a: INT COMMENT 'x>", 22, STATUS_SYNTAX);
    expect_error("STRUCT<``: INT>", 7, STATUS_SYNTAX);
    expect_error("DECIMAL(39,1)", 7, STATUS_SYNTAX);
    expect_error("DECIMAL(0)", 7, STATUS_SYNTAX);
    expect_error("DECIMAL(4,5)", 7, STATUS_SYNTAX);
    expect_error("DECIMAL(4", 9, STATUS_SYNTAX);
    expect_error("VARCHAR()", 8, STATUS_SYNTAX);
    expect_error("INT[3]", 4, STATUS_SYNTAX);
    expect_error("TIMESTAMP WITH ZONE", 15, STATUS_SYNTAX);
}

static void depth_is_limited(void **state)
{
    struct buf deep = BUF_INIT;
    struct arena arena = ARENA_INIT;
    struct delta_type *type;
    for (int i = 0; i < 100000; i++)
        buf_z(&deep, "ARRAY<");
    assert_int_equal(delta_type_from_sql(&arena, buf_view(&deep), &type, NULL), STATUS_SYNTAX);
    buf_clear(&deep);
    buf_z(&deep, "INT");
    for (int i = 0; i < 100000; i++)
        buf_z(&deep, "[]");
    assert_int_equal(delta_type_from_sql(&arena, buf_view(&deep), &type, NULL), STATUS_SYNTAX);
    buf_release(&deep);
    arena_release(&arena);
}

static void near_names_are_hinted(void **state)
{
    struct arena arena = ARENA_INIT;
    struct error err = ERROR_INIT;
    struct delta_type *type;
    assert_int_equal(delta_type_from_sql(&arena, STR("STRUCT<a: BIGNIT>"), &type, &err), STATUS_SYNTAX);
    assert_int_equal(err.position, 10);
    assert_string_equal(err.hint, "did you mean bigint?");
    error_release(&err);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings),        cmocka_unit_test(nested),
        cmocka_unit_test(field_attributes), cmocka_unit_test(errors_have_positions),
        cmocka_unit_test(depth_is_limited), cmocka_unit_test(near_names_are_hinted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
