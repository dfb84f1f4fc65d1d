/* sql/dml_test.c: statements that change rows. */
#include "sql/sql_test.h"

static void delete_forms(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(&arena, "DELETE FROM s.t AS x WHERE x.a = 1 -- why\n AND b;", STATEMENT_DELETE);
    assert_str(st.name.schema, "s");
    assert_str(st.change.alias, "x");
    assert_str(st.change.condition, "x.a = 1 -- why\n AND b");
    st = parsed(&arena, "delete from `t`", STATEMENT_DELETE);
    assert_null(st.change.condition.ptr);
    assert_null(st.change.alias.ptr);
    st = parsed(&arena, "WITH q AS (SELECT 1 WHERE (true)), r(a) AS (SELECT 2) DELETE FROM t WHERE a IN (SELECT * FROM q)", STATEMENT_DELETE);
    assert_str(st.change.with, "WITH q AS (SELECT 1 WHERE (true)), r(a) AS (SELECT 2)");
    assert_true(parsed(&arena, "DELETE FROM delta.`/p` WHERE true", STATEMENT_DELETE).name.is_path);
    arena_release(&arena);
    syntax("DELETE FROM t WHERE", NULL, "expected a condition", NULL);
    syntax("DELETE FROM t WHRE a = 1", "a =", "expected WHERE", NULL);
    syntax("DELETE FROM t WHERE (a = 1", "(a", "not closed", NULL);
    syntax("DELETE FROM t WHERE a = 1)", ")", "expected the end", NULL);
    syntax("DELETE FROM t WHERE a = 'x", "'x", "does not end", NULL);
    syntax("DELETE FROM t@v1", "t@", "with a version", NULL);
    not_supported("DELETE FROM t USING s", "USING", "USING", "MERGE");
}

static void update_forms(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(
        &arena, "UPDATE t x SET x.a = CASE WHEN b = 1 THEN 2 ELSE f(1, 2) END, `b c`.d.e = DEFAULT, set = [1, 2] WHERE a IS NOT DISTINCT FROM b",
        STATEMENT_UPDATE);
    assert_str(st.change.alias, "x");
    assert_int_equal(st.change.assignment_count, 3);
    assert_int_equal(st.change.assignments[0].depth, 2);
    assert_str(st.change.assignments[0].value, "CASE WHEN b = 1 THEN 2 ELSE f(1, 2) END");
    assert_int_equal(st.change.assignments[1].depth, 3);
    assert_str(st.change.assignments[1].path[0], "b c");
    assert_null(st.change.assignments[1].value.ptr);
    assert_str(st.change.assignments[2].path[0], "set");
    assert_str(st.change.assignments[2].value, "[1, 2]");
    assert_str(st.change.condition, "a IS NOT DISTINCT FROM b");
    assert_null(parsed(&arena, "UPDATE t SET a = b.where", STATEMENT_UPDATE).change.condition.ptr);
    arena_release(&arena);
    syntax("UPDATE t SET", NULL, "expected a column name", NULL);
    syntax("UPDATE t SET a", NULL, "expected \"=\"", NULL);
    syntax("UPDATE t SET a = , b = 1", ", b", "expected a value", NULL);
    syntax("UPDATE t SET a = 1, WHERE b", "b", "expected \"=\"", NULL);
    syntax("UPDATE t a = 1", "= 1", "expected SET", NULL);
    not_supported("UPDATE t SET (a, b) = (1, 2)", "(a", "SET (column", NULL);
    not_supported("UPDATE t SET a = 1 FROM s WHERE true", "FROM", "UPDATE … FROM", "MERGE");
}

static void merge_forms(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st =
        parsed(&arena,
               "MERGE WITH SCHEMA EVOLUTION INTO s.t AS a USING (SELECT 1 AS id) b ON a.id = b.id AND CASE WHEN true THEN a.x END "
               "WHEN MATCHED AND b.id > 1 THEN DELETE WHEN MATCHED THEN UPDATE SET * EXCEPT (c, `d e`) "
               "WHEN NOT MATCHED BY TARGET AND b.id IN (1, 2) THEN INSERT (id, a.v) VALUES (b.id, DEFAULT) WHEN NOT MATCHED THEN INSERT * "
               "WHEN NOT MATCHED BY SOURCE THEN UPDATE SET x = a.x + 1, y = 2;",
               STATEMENT_MERGE);
    const struct sql_change *c = &st.change;
    assert_true(c->schema_evolution);
    assert_false(c->source_is_table);
    assert_str(c->alias, "a");
    assert_str(c->source, "(SELECT 1 AS id) b");
    assert_str(c->source_alias, "b");
    assert_str(c->condition, "a.id = b.id AND CASE WHEN true THEN a.x END");
    assert_int_equal(c->clause_count, 5);
    assert_int_equal(c->clauses[0].then, SQL_MERGE_DELETE);
    assert_str(c->clauses[0].condition, "b.id > 1");
    assert_true(c->clauses[1].all && c->clauses[1].except_count == 2);
    assert_str(c->clauses[1].except[1], "d e");
    assert_int_equal(c->clauses[2].when, SQL_MERGE_NOT_MATCHED);
    assert_int_equal(c->clauses[2].assignment_count, 2);
    assert_str(c->clauses[2].assignments[0].value, "b.id");
    assert_null(c->clauses[2].assignments[1].value.ptr);
    assert_true(c->clauses[3].all);
    assert_int_equal(c->clauses[4].when, SQL_MERGE_NOT_MATCHED_BY_SOURCE);
    assert_str(c->clauses[4].assignments[1].value, "2");
    st = parsed(&arena, "MERGE INTO t USING c.s.u VERSION AS OF 3 ON t.id = u.id WHEN MATCHED THEN DELETE", STATEMENT_MERGE);
    assert_true(st.change.source_is_table);
    assert_str(st.change.source, "c.s.u VERSION AS OF 3");
    assert_str(st.change.source_alias, "u");
    st = parsed(&arena, "WITH q AS (SELECT 1) MERGE INTO t USING range(5) AS r(i) ON true WHEN NOT MATCHED THEN INSERT *", STATEMENT_MERGE);
    assert_str(st.change.source_alias, "r");
    assert_str(st.change.source, "range(5) AS r(i)");
    arena_release(&arena);
}

static void merge_wrong(void **state)
{
    syntax("MERGE INTO t USING s ON true", NULL, "expected WHEN", NULL);
    syntax("MERGE INTO t USING s WHEN MATCHED THEN DELETE", "WHEN", "expected ON", NULL);
    syntax("MERGE INTO t s ON true WHEN MATCHED THEN DELETE", "ON", "expected USING", NULL);
    syntax("MERGE INTO t USING s ON true WHEN MATCHED DELETE", "DELETE", "expected THEN", NULL);
    syntax("MERGE INTO t USING s ON true WHEN MATCHED THEN INSERT *", "INSERT", "expected UPDATE SET or DELETE", NULL);
    syntax("MERGE INTO t USING s ON true WHEN NOT MATCHED THEN DELETE", "DELETE", "expected INSERT", "BY SOURCE");
    syntax("MERGE INTO t USING s ON true WHEN NOT MATCHED BY x THEN INSERT *", "x THEN", "expected TARGET or SOURCE", NULL);
    syntax("MERGE INTO t USING s ON true WHEN NOT MATCHED BY SOURCE THEN UPDATE SET *", "*", "expected column", "values of the target");
    syntax("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE WHEN MATCHED AND a THEN DELETE", "WHEN MATCHED AND", "never asked",
           "only the last");
    syntax("MERGE INTO t USING s ON true WHEN NOT MATCHED THEN INSERT (a, b) VALUES (1)", "(1)", "names 2 columns and gives 1 value", NULL);
    syntax("MERGE INTO t USING s ON true WHEN NOT MATCHED THEN INSERT VALUES (1)", "VALUES", "a list of columns", NULL);
    syntax("MERGE INTO t USING s ON WHEN MATCHED THEN DELETE", "WHEN", "expected a condition", NULL);
    syntax("MERGE INTO t USING s ON true WHEN MATCHED AND THEN DELETE", "THEN", "expected a condition", NULL);
    syntax("MERGE INTO t USING (SELECT 1 ON true", "(SELECT", "not closed", NULL);
    syntax("MERGE INTO t USING s ON true WHEN MATCHED THEN DELETE x", "x", "expected the end", NULL);
}

static void maintenance(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(&arena, "RESTORE TABLE s.t TO VERSION AS OF 3 DRY RUN", STATEMENT_RESTORE);
    assert_int_equal(st.change.restore_to.version, 3);
    assert_int_equal(st.name.at.kind, SQL_AT_NONE);
    assert_true(st.change.dry_run);
    st = parsed(&arena, "RESTORE t TIMESTAMP AS OF '2024-01-01'", STATEMENT_RESTORE);
    assert_int_equal(st.change.restore_to.kind, SQL_AT_TIMESTAMP);
    assert_int_equal(parsed(&arena, "RESTORE t@v7", STATEMENT_RESTORE).change.restore_to.version, 7);
    st = parsed(&arena, "OPTIMIZE '/p' WHERE d = '2024-01-01' AND e", STATEMENT_OPTIMIZE);
    assert_true(st.name.is_path);
    assert_str(st.change.condition, "d = '2024-01-01' AND e");
    st = parsed(&arena, "OPTIMIZE t WHERE d > 1 ZORDER BY a, b.c", STATEMENT_OPTIMIZE);
    assert_str(st.change.condition, "d > 1");
    assert_int_equal(st.path_count, 2);
    assert_int_equal(st.paths[1].depth, 2);
    assert_int_equal(parsed(&arena, "OPTIMIZE t ZORDER BY (a, `b c`)", STATEMENT_OPTIMIZE).path_count, 2);
    st = parsed(&arena, "REORG TABLE t WHERE a > 1 APPLY (PURGE)", STATEMENT_REORG);
    assert_str(st.change.condition, "a > 1");
    parsed(&arena, "TRUNCATE TABLE t", STATEMENT_TRUNCATE);
    st = parsed(&arena, "INSERT INTO t BY NAME REPLACE WHERE a = 1 AND (b OR c) SELECT 1 AS a", STATEMENT_INSERT);
    assert_str(st.change.condition, "a = 1 AND (b OR c)");
    assert_str(st.query, "SELECT 1 AS a");
    assert_str(parsed(&arena, "INSERT INTO t REPLACE WHERE a IS DISTINCT FROM b VALUES (1)", STATEMENT_INSERT).query, "VALUES (1)");
    st = parsed(&arena, "VACUUM s.t RETAIN 0.5 HOURS LITE DRY RUN", STATEMENT_VACUUM);
    assert_true(st.vacuum.lite && st.change.dry_run);
    assert_int_equal(st.vacuum.retain_ms, 1800 * 1000);
    st = parsed(&arena, "VACUUM TABLE '/p' FULL", STATEMENT_VACUUM);
    assert_true(st.name.is_path && !st.vacuum.lite && !st.change.dry_run);
    assert_int_equal(st.vacuum.retain_ms, -1);
    arena_release(&arena);
    syntax("VACUUM", NULL, "expected", NULL);
    syntax("VACUUM t RETAIN 7", NULL, "expected HOURS", NULL);
    syntax("VACUUM t RETAIN -1 HOURS", "-", "expected a number of hours", NULL);
    syntax("VACUUM t RETAIN 1e300 HOURS", "1e300", "expected a number of hours", NULL);
    syntax("VACUUM t LITE FULL", "FULL", "expected the end", NULL);
    syntax("VACUUM t LITE DRY RUN LITE x", "LITE x", "expected the end", NULL);
    not_supported("VACUUM t USING INVENTORY i", "USING", "INVENTORY", "LITE");
    syntax("RESTORE TABLE t", NULL, "expected VERSION AS OF", "RESTORE TABLE name");
    syntax("RESTORE TABLE t TO 3", "3", "expected VERSION AS OF", NULL);
    syntax("REORG TABLE t", NULL, "expected APPLY", NULL);
    syntax("REORG TABLE t APPLY PURGE", "PURGE", "expected \"(\"", NULL);
    syntax("INSERT INTO t REPLACE WHERE SELECT 1", "SELECT", "expected a condition", NULL);
    not_supported("REORG TABLE t APPLY (UPGRADE UNIFORM (ICEBERG_COMPAT_VERSION = 2))", "UPGRADE", "UNIFORM", NULL);
    not_supported("OPTIMIZE t FULL", "FULL", "FULL", NULL);
    syntax("OPTIMIZE t ZORDER (a)", "(", "expected BY", NULL);
    not_supported("OPTIMIZE t FULL", "FULL", "FULL", NULL);
    not_supported("TRUNCATE TABLE t PARTITION (a = 1)", "PARTITION", "PARTITION", "DELETE");
}

/* "a.x=b.y c=d" */
static void equal(const char *condition, const char *wanted)
{
    struct arena arena = ARENA_INIT;
    struct buf got = BUF_INIT;
    struct sql_equality *all = NULL;
    uint32_t count = 0;
    assert_int_equal(sql_equalities(&arena, str_of(condition), &all, &count, NULL), STATUS_OK);
    for (uint32_t i = 0; i < count; i++)
        buf_printf(&got, "%s%.*s.%.*s=%.*s.%.*s", i ? " " : "", STR_ARG(all[i].left_qualifier.ptr ? all[i].left_qualifier : STR("")),
                   STR_ARG(all[i].left), STR_ARG(all[i].right_qualifier.ptr ? all[i].right_qualifier : STR("")), STR_ARG(all[i].right));
    assert_str(buf_view(&got), wanted);
    buf_release(&got);
    arena_release(&arena);
}

static void equalities(void **state)
{
    equal("t.a = s.b", "t.a=s.b");
    equal("((t.a = s.b AND `c d` == \"e\"))", "t.a=s.b .c d=.e");
    equal("t.a = s.b AND t.p > 5 AND f(t.x) = s.x AND t.q = s.q", "t.a=s.b t.q=s.q");
    equal("t.a = s.b OR t.c = s.c", "");
    equal("NOT t.a = s.b", "");
    equal("t.a = s.b + 1 AND t.c = s.c.d", "");
    equal("t.a BETWEEN s.b AND t.c = s.d", "");
    equal("t.a = 5 AND true", "");
    equal("(t.a = s.b) AND t.c = s.c", "t.c=s.c");
    equal("t.a = (", "");
    equal("", "");
}

static void without_memory(void **state)
{
    parses_without_memory("UPDATE t SET a.b = 1, `c``d` = DEFAULT WHERE x");
    parses_without_memory(
        "MERGE INTO t USING (SELECT 1) s ON a = b WHEN MATCHED THEN UPDATE SET * EXCEPT (`a``b`) WHEN NOT MATCHED THEN INSERT (a, b) VALUES (1, 2)");
    parses_without_memory("WITH q AS (SELECT 1) DELETE FROM t WHERE a IN (SELECT * FROM q)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delete_forms), cmocka_unit_test(update_forms), cmocka_unit_test(merge_forms),    cmocka_unit_test(merge_wrong),
        cmocka_unit_test(maintenance),  cmocka_unit_test(equalities),   cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
