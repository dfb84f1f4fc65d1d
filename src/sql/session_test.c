#include "sql/sql_test.h"

static struct statement of(struct arena *arena, const char *text, enum statement_kind kind) { return parsed(arena, text, kind); }

static void transactions(void **state)
{
    struct arena arena = ARENA_INIT;
    (void)state;
    of(&arena, "BEGIN", STATEMENT_BEGIN);
    of(&arena, "begin transaction;", STATEMENT_BEGIN);
    of(&arena, "START TRANSACTION", STATEMENT_BEGIN);
    of(&arena, "COMMIT WORK", STATEMENT_COMMIT);
    of(&arena, "ROLLBACK TRANSACTION", STATEMENT_ROLLBACK);
    not_supported("BEGIN READ ONLY", "READ", "READ", "one version");
    not_supported("ROLLBACK TO a", "TO", "ROLLBACK", "savepoints");
    not_supported("COMMIT AND CHAIN", "AND", "COMMIT", "BEGIN");
    not_supported("SAVEPOINT a", "SAVEPOINT", "SAVEPOINT", "as a whole");
    syntax("BEGIN x", "x", "expected", NULL);
    arena_release(&arena);
}

static void variables(void **state)
{
    struct arena arena = ARENA_INIT;
    (void)state;
    struct statement st = of(&arena, "DECLARE OR REPLACE VARIABLE a, session.b INT DEFAULT 1 + 1 -- two", STATEMENT_DECLARE);
    assert_true(st.or_replace);
    assert_int_equal(st.variable_count, 2);
    assert_str(st.variables[1].name, "b");
    assert_str(st.variables[1].value, "1 + 1");
    assert_int_equal(st.variables[0].type->id, DELTA_INTEGER);
    st = of(&arena, "DECLARE x DECIMAL(10, 2) = (SELECT 1)", STATEMENT_DECLARE);
    assert_str(st.variables[0].value, "(SELECT 1)");
    assert_int_equal(st.variables[0].type->scale, 2);
    st = of(&arena, "SET VAR a = b, c = DEFAULT", STATEMENT_SET_VARIABLE);
    assert_int_equal(st.variable_count, 2);
    assert_null(st.variables[1].value.ptr);
    st = of(&arena, "SET VARIABLE (a, system.session.b) = (SELECT 1, (2))", STATEMENT_SET_VARIABLE);
    assert_str(st.query, "SELECT 1, (2)");
    assert_str(st.variables[1].name, "b");
    st = of(&arena, "DROP TEMPORARY VARIABLE IF EXISTS session.x", STATEMENT_DROP_VARIABLE);
    assert_true(st.if_exists);
    syntax("DECLARE x", NULL, "expected a type or DEFAULT", NULL);
    syntax("DECLARE x INT DEFAULT", NULL, "expected a value", NULL);
    syntax("SET VAR x", NULL, "expected", NULL);
    syntax("SET VAR (a, b) = 1", "1", "a query in brackets", NULL);
    not_supported("DECLARE a.b INT", ".", "a variable outside", "session.name");
    arena_release(&arena);
}

static void functions(void **state)
{
    struct arena arena = ARENA_INIT;
    (void)state;
    struct statement st = of(&arena,
                             "CREATE OR REPLACE TEMPORARY FUNCTION f(a INT COMMENT 'x', b STRUCT<x: INT> DEFAULT g(1, 2)) RETURNS DECIMAL(3,1) "
                             "LANGUAGE SQL DETERMINISTIC COMMENT 'c' RETURN a + b.x",
                             STATEMENT_CREATE_FUNCTION);
    assert_true(st.or_replace && st.temporary);
    assert_int_equal(st.function->parameter_count, 2);
    assert_str(st.function->parameters[1].value, "g(1, 2)");
    assert_int_equal(st.function->returns->precision, 3);
    assert_str(st.comment, "c");
    assert_str(st.query, "a + b.x");
    st = of(&arena, "CREATE FUNCTION s.f() RETURNS TABLE (x INT, y STRING) RETURN SELECT 1, 'a'", STATEMENT_CREATE_FUNCTION);
    assert_true(st.function->returns_table);
    assert_int_equal(st.function->column_count, 2);
    assert_str(st.name.schema, "s");
    st = of(&arena, "CREATE FUNCTION f(x INT) RETURN x", STATEMENT_CREATE_FUNCTION);
    assert_null(st.function->returns);
    of(&arena, "DROP TEMPORARY FUNCTION IF EXISTS f", STATEMENT_DROP_FUNCTION);
    st = of(&arena, "SHOW USER FUNCTIONS IN s LIKE 'a*'", STATEMENT_SHOW_FUNCTIONS);
    assert_str(st.pattern, "a*");
    of(&arena, "DESC FUNCTION EXTENDED f", STATEMENT_DESCRIBE_FUNCTION);
    syntax("CREATE FUNCTION f(x) RETURN x", ") RETURN", "expected a column type", NULL);
    syntax("CREATE FUNCTION f(x INT RETURN x", "RETURN", "expected", NULL);
    syntax("CREATE FUNCTION f(x INT) RETURNS INT", NULL, "expected", NULL);
    syntax("CREATE FUNCTION f() RETURNS TABLE RETURN 1", "1", "a query behind RETURN", NULL);
    not_supported("CREATE FUNCTION f AS 'a.b.C'", "AS", "CREATE FUNCTION", NULL);
    arena_release(&arena);
}

static void prepared(void **state)
{
    struct arena arena = ARENA_INIT;
    (void)state;
    struct statement st = of(&arena, "PREPARE p AS SELECT ?; ", STATEMENT_PREPARE);
    assert_str(st.query, "SELECT ?");
    st = of(&arena, "PREPARE p FROM 'SELECT ''a'''", STATEMENT_PREPARE);
    assert_str(st.query, "SELECT 'a'");
    st = of(&arena, "EXECUTE p USING f(1, 2), 'x' AS b", STATEMENT_EXECUTE);
    assert_int_equal(st.variable_count, 2);
    assert_str(st.variables[0].value, "f(1, 2)");
    assert_str(st.variables[1].name, "b");
    st = of(&arena, "EXECUTE immediate(1)", STATEMENT_EXECUTE);
    assert_false(st.immediate);
    st = of(&arena, "EXECUTE IMMEDIATE 'a' || b INTO x, session.y USING (1)", STATEMENT_EXECUTE);
    assert_true(st.immediate);
    assert_str(st.query, "'a' || b");
    assert_int_equal(st.target_count, 2);
    of(&arena, "DEALLOCATE PREPARE p", STATEMENT_DEALLOCATE);
    st = of(&arena, "DEALLOCATE ALL", STATEMENT_DEALLOCATE);
    assert_null(st.name.table.ptr);
    syntax("PREPARE p", NULL, "expected", NULL);
    syntax("EXECUTE p USING", NULL, "expected a value", NULL);
    not_supported("PREPARE p (INT) AS SELECT 1", "(", "types of parameters", NULL);
    arena_release(&arena);
}

static void binds(const char *text, const struct sql_variable *values, uint32_t count, const char *wanted)
{
    struct arena arena = ARENA_INIT;
    struct error err = ERROR_INIT;
    struct sql_text out;
    enum status status = sql_bind_parameters(&arena, str_of(text), values, count, &out, &err);
    if (wanted && status == STATUS_OK)
        assert_str(out.text, wanted);
    else
        assert_int_equal(status, wanted ? STATUS_OK : STATUS_INVALID_ARGUMENT);
    error_release(&err);
    arena_release(&arena);
}

static void parameters(void **state)
{
    const struct sql_variable one = {.value = STR("1")}, named = {.name = STR("a"), .value = STR("'x'")};
    const struct sql_variable two[] = {{.value = STR("1")}, {.value = STR("22")}};
    (void)state;
    binds("SELECT ?, '?', \"?\" -- ?", &one, 1, "SELECT 1, '?', \"?\" -- ?");
    binds("SELECT $2, $1, $2", two, 2, "SELECT 22, 1, 22");
    binds("SELECT :a, :A", &named, 1, "SELECT 'x', 'x'");
    binds("SELECT v:a, x::int, :a", &named, 1, "SELECT v:a, x::int, 'x'");
    binds("SELECT 1", NULL, 0, "SELECT 1");
    binds("SELECT ?", NULL, 0, NULL);
    binds("SELECT 1", &one, 1, NULL);
    binds("SELECT :b", &named, 1, NULL);
    binds("SELECT $99999999999999999999", two, 2, NULL);
    assert_true(sql_has_parameters(STR("LIMIT ?")));
    assert_false(sql_has_parameters(STR("SELECT v:a, '?'")));
}

static void calls(void **state)
{
    struct arena arena = ARENA_INIT;
    struct sql_called called;
    (void)state;
    struct str text = STR("SELECT s.f(g(1, 2), b => (3)) AS x");
    assert_int_equal(sql_read_called(&arena, text, 7, &called, NULL), STATUS_OK);
    assert_true(called.is_call && called.has_alias);
    assert_int_equal(called.part_count, 2);
    assert_int_equal(called.argument_count, 2);
    assert_str(called.arguments[0].value, "g(1, 2)");
    assert_str(called.arguments[1].name, "b");
    assert_str(called.arguments[1].value, "(3)");
    assert_true(sql_is_select_item(STR("SELECT a, f(x), b"), 10, 14));
    assert_false(sql_is_select_item(STR("SELECT a, f(x) AS c"), 10, 14));
    assert_false(sql_is_select_item(STR("SELECT (SELECT f(x))"), 15, 19));
    assert_false(sql_is_select_item(STR("SELECT a FROM t WHERE f(x)"), 22, 26));
    arena_release(&arena);
}

static void without_memory(void **state)
{
    (void)state;
    parses_without_memory("DECLARE OR REPLACE VARIABLE a, b DECIMAL(4, 2) DEFAULT 1 + 1");
    parses_without_memory("SET VAR (a, b) = (SELECT 1, 2)");
    parses_without_memory("CREATE FUNCTION f(a INT, b STRING DEFAULT 'x') RETURNS TABLE (x INT, y STRING) RETURN SELECT a, b");
    parses_without_memory("EXECUTE IMMEDIATE 'SELECT ?' INTO a, b USING 1, 2 AS c");
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(transactions),  cmocka_unit_test(variables),  cmocka_unit_test(functions),
                                       cmocka_unit_test(prepared),      cmocka_unit_test(parameters), cmocka_unit_test(calls),
                                       cmocka_unit_test(without_memory)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
