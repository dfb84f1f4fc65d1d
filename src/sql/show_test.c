/* sql/show_test.c: DESCRIBE, SHOW, USE and SET. */
#include "sql/sql_test.h"

static void describe(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(&arena, "DESCRIBE HISTORY a.b.t LIMIT 5", STATEMENT_DESCRIBE_HISTORY);
    assert_str(st.name.catalog, "a");
    assert_int_equal(st.limit, 5);
    st = parsed(&arena, "DESC HISTORY '/p/it''s'", STATEMENT_DESCRIBE_HISTORY);
    assert_true(st.name.is_path);
    assert_str(st.name.table, "/p/it's");
    assert_int_equal(st.limit, -1);
    st = parsed(&arena, "DESCRIBE DETAIL delta.`/p`", STATEMENT_DESCRIBE_DETAIL);
    assert_true(st.name.is_path);
    assert_str(st.name.table, "/p");
    st = parsed(&arena, "DESCRIBE DETAIL t@v3", STATEMENT_DESCRIBE_DETAIL);
    assert_int_equal(st.name.at.kind, SQL_AT_VERSION);
    assert_int_equal(st.name.at.version, 3);
    st = parsed(&arena, "DESCRIBE TABLE EXTENDED s.t", STATEMENT_DESCRIBE_TABLE);
    assert_true(st.extended);
    assert_str(st.name.schema, "s");
    assert_true(parsed(&arena, "DESC FORMATTED t", STATEMENT_DESCRIBE_TABLE).extended);
    st = parsed(&arena, "DESCRIBE extended", STATEMENT_DESCRIBE_TABLE);
    assert_false(st.extended);
    assert_str(st.name.table, "extended");
    assert_str(parsed(&arena, "DESCRIBE function", STATEMENT_DESCRIBE_TABLE).name.table, "function");
    assert_str(parsed(&arena, "DESCRIBE QUERY SELECT 1;", STATEMENT_DESCRIBE_TABLE).query, "SELECT 1");
    assert_str(parsed(&arena, "DESC WITH a AS (SELECT 1) FROM a", STATEMENT_DESCRIBE_TABLE).query, "WITH a AS (SELECT 1) FROM a");
    assert_str(parsed(&arena, "DESCRIBE query", STATEMENT_DESCRIBE_TABLE).name.table, "query");
    assert_str(parsed(&arena, "DESCRIBE EXTENDED t a.`b c`", STATEMENT_DESCRIBE_TABLE).paths[0].parts[1], "b c");
    assert_str(parsed(&arena, "DESC SCHEMA EXTENDED c.s", STATEMENT_DESCRIBE_SCHEMA).name.table, "s");
    assert_str(parsed(&arena, "DESCRIBE HISTORY t WHERE a = ';' ORDER BY b;", STATEMENT_DESCRIBE_HISTORY).tail, "WHERE a = ';' ORDER BY b");
    arena_release(&arena);
    syntax("DESCRIBE HISTORY t LIMIT x", "x", "expected a number of versions", NULL);
    syntax("DESCRIBE HISTORY t LIMIT -1", "-1", "expected a number of versions", NULL);
    syntax("DESCRIBE HISTORY t LIMIT 99999999999999999999", "9999", "expected a number of versions", NULL);
    syntax("DESCRIBE HISTORY t@v1", "t@", "with a version", NULL);
    syntax("DESCRIBE DETAIL ''", "''", "expected a path", NULL);
    syntax("DESCRIBE", NULL, "expected a table name", NULL);
    syntax("DESCRIBE HISTORY t GROUP BY a", "GROUP", "end of the statement", NULL);
    syntax("DESCRIBE HISTORY t LIMIT 3 WHERE a", "WHERE", "end of the statement", NULL);
    not_supported("DESCRIBE t PARTITION (a = 1)", "PARTITION", "PARTITION", NULL);
}

static void at_expr(const char *text, const char *expr)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(&arena, text, STATEMENT_DESCRIBE_TABLE);
    assert_int_equal(st.name.at.kind, SQL_AT_TIMESTAMP);
    assert_str(st.name.at.expr, expr);
    arena_release(&arena);
}

static void describe_old_versions(void **state)
{
    struct arena arena = ARENA_INIT;
    assert_int_equal(parsed(&arena, "DESCRIBE t VERSION AS OF 7", STATEMENT_DESCRIBE_TABLE).name.at.version, 7);
    assert_int_equal(parsed(&arena, "DESCRIBE `t@v8`", STATEMENT_DESCRIBE_TABLE).name.at.version, 8);
    assert_str(parsed(&arena, "DESCRIBE delta.`/p@v8`", STATEMENT_DESCRIBE_TABLE).name.table, "/p");
    struct statement st = parsed(&arena, "DESCRIBE EXTENDED t FOR SYSTEM_VERSION AS OF '7'", STATEMENT_DESCRIBE_TABLE);
    assert_int_equal(st.name.at.version, 7);
    assert_str(parsed(&arena, "DESCRIBE extended VERSION AS OF 7", STATEMENT_DESCRIBE_TABLE).name.table, "extended");
    arena_release(&arena);
}

static void describe_old_times(void **state)
{
    at_expr("DESCRIBE t TIMESTAMP AS OF '2024-01-01'", "'2024-01-01'");
    at_expr("DESCRIBE t TIMESTAMP AS OF current_timestamp() - INTERVAL 12 HOURS;", "current_timestamp - INTERVAL 12 HOURS");
    at_expr("DESCRIBE t@20240102030405006", "TIMESTAMP '2024-01-02 03:04:05.006'");
    at_expr("DESCRIBE t TIMESTAMP AS OF 'Yesterday'", "(current_date - INTERVAL 1 DAY)");
}

static void caches(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(&arena, "CACHE LAZY TABLE `a b` OPTIONS ('storageLevel' 'DISK_ONLY') AS SELECT 1;", STATEMENT_CACHE_TABLE);
    assert_str(st.name.table, "a b");
    assert_str(st.query, "SELECT 1");
    assert_str(parsed(&arena, "CACHE TABLE t WITH x AS (SELECT 1) FROM x", STATEMENT_CACHE_TABLE).query, "WITH x AS (SELECT 1) FROM x");
    assert_true(parsed(&arena, "UNCACHE TABLE IF EXISTS t", STATEMENT_UNCACHE_TABLE).if_exists);
    parsed(&arena, "clear cache;", STATEMENT_CLEAR_CACHE);
    syntax("CACHE TABLE t AS", NULL, "SELECT after AS", NULL);
    syntax("CACHE TABLE a.t SELECT 1", "a.t", "no schema", "write t");
    not_supported("CACHE TABLE t", NULL, "without a query", "AS SELECT");
    parses_without_memory("CACHE TABLE `a``b` AS SELECT 1");
    arena_release(&arena);
}

static void show_definitions(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(&arena, "SHOW PARTITIONS a.t PARTITION (p = 'x', q = 2)", STATEMENT_SHOW_PARTITIONS);
    assert_str(st.name.schema, "a");
    assert_int_equal(st.property_count, 2);
    assert_str(st.properties[1].value, "2");
    assert_str(parsed(&arena, "show create table delta.`/p`;", STATEMENT_SHOW_CREATE_TABLE).name.table, "/p");
    parsed(&arena, "SHOW CURRENT NAMESPACE", STATEMENT_SHOW_CURRENT);
    st = parsed(&arena, "COMMENT ON SCHEMA c.s IS NULL", STATEMENT_COMMENT_ON);
    assert_int_equal(st.alter, SQL_ALTER_SCHEMA_COMMENT);
    assert_str(st.name.table, "s");
    assert_null(st.comment.ptr);
    syntax("SHOW CURRENT", NULL, "expected", NULL);
    syntax("SHOW PARTITIONS t PARTITION", NULL, "expected", NULL);
    syntax("COMMENT ON SCHEMA s", NULL, "IS", NULL);
    not_supported("SHOW CREATE TABLE t AS SERDE", "AS", "AS SERDE", "leave it out");
    parses_without_memory("SHOW PARTITIONS `a``b` PARTITION (`p``q` = 'it''s')");
    arena_release(&arena);
}

static void show(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(&arena, "SHOW TABLES", STATEMENT_SHOW_TABLES);
    assert_null(st.name.table.ptr);
    assert_null(st.pattern.ptr);
    assert_false(st.if_exists);
    st = parsed(&arena, "SHOW TABLES IN varve.s LIKE 'b*'", STATEMENT_SHOW_TABLES);
    assert_str(st.name.schema, "varve");
    assert_str(st.name.table, "s");
    assert_str(st.pattern, "b*");
    assert_str(parsed(&arena, "SHOW TABLES FROM s 'x'", STATEMENT_SHOW_TABLES).pattern, "x");
    assert_true(parsed(&arena, "SHOW ALL TABLES", STATEMENT_SHOW_TABLES).if_exists);
    assert_str(parsed(&arena, "SHOW DATABASES LIKE 'a'", STATEMENT_SHOW_SCHEMAS).pattern, "a");
    assert_str(parsed(&arena, "SHOW SCHEMAS IN varve", STATEMENT_SHOW_SCHEMAS).name.catalog, "varve");
    parsed(&arena, "SHOW CATALOGS;", STATEMENT_SHOW_CATALOGS);
    assert_str(parsed(&arena, "SHOW COLUMNS IN s.t", STATEMENT_SHOW_COLUMNS).name.schema, "s");
    assert_str(parsed(&arena, "SHOW COLUMNS FROM t FROM s", STATEMENT_SHOW_COLUMNS).name.schema, "s");
    st = parsed(&arena, "SHOW TBLPROPERTIES t ('delta.appendOnly')", STATEMENT_SHOW_TBLPROPERTIES);
    assert_int_equal(st.property_count, 1);
    assert_str(st.properties[0].key, "delta.appendOnly");
    assert_int_equal(parsed(&arena, "SHOW TBLPROPERTIES t", STATEMENT_SHOW_TBLPROPERTIES).property_count, 0);
    arena_release(&arena);
    syntax("SHOW TABLES LIKE x", "x", "expected a pattern in quotes", NULL);
    syntax("SHOW TABLES IN", NULL, "expected a schema name", NULL);
    syntax("SHOW COLUMNS t", "t", "expected IN or FROM", NULL);
    syntax("SHOW COLUMNS IN s.t IN u", "u", "the table's name has its schema", NULL);
    syntax("SHOW TBLPROPERTIES t ('a', 'b')", "(", "takes one property key", NULL);
    syntax("SHOW TBLPROPERTIES t ()", "(", "takes one property key", NULL);
}

static void setting(const char *text, const char *key, const char *value)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(&arena, text, STATEMENT_SET);
    assert_int_equal(st.property_count, 1);
    assert_str(st.properties[0].key, key);
    assert_str(st.properties[0].value, value);
    arena_release(&arena);
}

static void use_and_set(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(&arena, "USE s", STATEMENT_USE);
    assert_str(st.name.table, "s");
    assert_null(st.name.schema.ptr);
    st = parsed(&arena, "USE SCHEMA varve.`a b`;", STATEMENT_USE);
    assert_str(st.name.schema, "varve");
    assert_str(st.name.table, "a b");
    assert_str(parsed(&arena, "USE schema", STATEMENT_USE).name.table, "schema");
    arena_release(&arena);
    setting("SET TimeZone = 'UTC'", "TimeZone", "UTC");
    setting("SET TimeZone TO 'UTC';", "TimeZone", "UTC");
    setting("SET TIME ZONE 'America/New_York'", "TimeZone", "America/New_York");
    setting("SET spark.sql.session.timeZone=Europe/Paris", "spark.sql.session.timeZone", "Europe/Paris");
    setting("SET a.b.c 1 2  ;", "a.b.c", "1 2");
    setting("SET a = -1", "a", "-1");
    setting("SET SESSION a = true", "a", "true");
    setting("SET session = 1", "session", "1");
    setting("SET a = 'x' y", "a", "'x' y");
    syntax("SET a = ;", ";", "expected a value", NULL);
    syntax("SET a = 'b", "'b", "does not end", NULL);
    syntax("SET TIME ZONE UTC", "UTC", "expected a time zone in quotes", NULL);
    syntax("USE", NULL, "expected a schema name", NULL);
    not_supported("SET TIME ZONE LOCAL", "LOCAL", "SET TIME ZONE", "name the zone");
    not_supported("SET GLOBAL a = 1", "GLOBAL", "GLOBAL", NULL);
    not_supported("USE CATALOG c", "CATALOG", "USE CATALOG", "USE schema");
}

static void without_memory(void **state)
{
    parses_without_memory("SET a = 'it''s'");
    parses_without_memory("SHOW TBLPROPERTIES `a``b` ('c''d')");
    parses_without_memory("DESCRIBE t TIMESTAMP AS OF date_sub(current_date(), 1)");
    parses_without_memory("DESCRIBE t@20240102030405006");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(describe), cmocka_unit_test(describe_old_versions), cmocka_unit_test(describe_old_times), cmocka_unit_test(show),
        cmocka_unit_test(caches),   cmocka_unit_test(show_definitions),      cmocka_unit_test(use_and_set),        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
