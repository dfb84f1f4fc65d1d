/* sql/changes_test.c: the call of table_changes, taken apart. */
#include "base/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "sql/sql.h"

static void reads(const char *text, struct sql_changes *out, struct arena *arena)
{
    struct error err = ERROR_INIT;
    const char *at = strstr(text, "table_changes");
    if (sql_changes_call(arena, str_of(text), (size_t)(at - text), out, &err) != STATUS_OK)
        fail_msg("%s: %s", text, err.message);
    assert_int_equal(out->start, at - text);
}

static void calls(void **state)
{
    struct arena arena = ARENA_INIT;
    struct sql_changes c;
    reads("SELECT * FROM table_changes('t', 3) AS x", &c, &arena);
    assert_true(str_eq(c.name.table, STR("t")) && !c.name.schema.ptr && !c.name.is_path);
    assert_true(c.from.kind == SQL_AT_VERSION && c.from.version == 3 && c.to.kind == SQL_AT_NONE);
    assert_int_equal(c.end, strlen("SELECT * FROM table_changes('t', 3)"));
    reads("table_changes('c.`a b`.\"it''s\"', 0, 12)", &c, &arena);
    assert_true(str_eq(c.name.catalog, STR("c")) && str_eq(c.name.schema, STR("a b")) && str_eq(c.name.table, STR("it's")));
    assert_true(c.to.kind == SQL_AT_VERSION && c.to.version == 12);
    reads("table_changes('delta.`/x/y z`', '2024-01-01', TIMESTAMP '2024-02-01' + INTERVAL (f(1, 2)) DAY)", &c, &arena);
    assert_true(c.name.is_path && str_eq(c.name.table, STR("/x/y z")));
    assert_true(c.from.kind == SQL_AT_TIMESTAMP && str_eq(c.from.expr, STR("'2024-01-01'")));
    assert_true(c.to.kind == SQL_AT_TIMESTAMP && str_eq(c.to.expr, STR("TIMESTAMP '2024-02-01' + INTERVAL (f(1, 2)) DAY")));
    reads("table_changes_by_path('/x/''y', 1)", &c, &arena);
    assert_true(c.name.is_path && str_eq(c.name.table, STR("/x/'y")));
    arena_release(&arena);
}

static void mistakes(void **state)
{
    static const char *const texts[] = {"table_changes",
                                        "table_changes()",
                                        "table_changes('t')",
                                        "table_changes('t',)",
                                        "table_changes('t', 1,)",
                                        "table_changes('t', 1 2",
                                        "table_changes('t', 1 + 1)",
                                        "table_changes(t, 1)",
                                        "table_changes('', 1)",
                                        "table_changes('a b', 1)",
                                        "table_changes('a.', 1)",
                                        "table_changes('t', 'x",
                                        "table_changes('t', (1)",
                                        "table_changes('t', 1, 2, 3)",
                                        "table_changes('t@v1', 1)",
                                        "table_changes('t', 99999999999999999999)"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(texts); i++) {
        struct arena arena = ARENA_INIT;
        struct error err = ERROR_INIT;
        struct sql_changes c;
        if (sql_changes_call(&arena, str_of(texts[i]), 0, &c, &err) != STATUS_SYNTAX)
            fail_msg("%s: %s", texts[i], err.message ? err.message : "is read");
        assert_true(err.position >= 0 && (size_t)err.position <= strlen(texts[i]));
        error_release(&err);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(calls), cmocka_unit_test(mistakes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
