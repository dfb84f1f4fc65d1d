/* sql/parse_test.c: which statement it is, and what is none. */
#include "sql/sql_test.h"

static void kind(const char *text, enum statement_kind wanted)
{
    struct arena arena = ARENA_INIT;
    parsed(&arena, text, wanted);
    arena_release(&arena);
}

static void every_statement_has_its_words(void **state)
{
    for (int k = 0; k < STATEMENT_COUNT; k++) {
        const struct statement_info *info = statement_info((enum statement_kind)k);
        assert_true(info->name && info->words[0] && info->syntax[0] && info->what[0] && info->privilege[0]);
    }
    kind("select 1", STATEMENT_SELECT);
    kind("/* x */ (select 1);", STATEMENT_SELECT);
    kind("WITH a AS (SELECT 1) SELECT * FROM a", STATEMENT_SELECT);
    kind("FROM t", STATEMENT_SELECT);
    kind("VALUES (1)", STATEMENT_SELECT);
    kind("TABLE t", STATEMENT_SELECT);
    kind("PIVOT t ON a USING sum(b)", STATEMENT_SELECT);
    kind("create\ttable\n t (a int)", STATEMENT_CREATE_TABLE);
    kind("CREATE DATABASE d", STATEMENT_CREATE_SCHEMA);
    kind("DROP DATABASE d", STATEMENT_DROP_SCHEMA);
    kind("DESC t", STATEMENT_DESCRIBE_TABLE);
    kind("DESC HISTORY t", STATEMENT_DESCRIBE_HISTORY);
    kind("DESCRIBE FILES t", STATEMENT_DESCRIBE_FILES);
    /* Tables and schemas may be called like the forms of DESCRIBE. */
    kind("DESCRIBE history", STATEMENT_DESCRIBE_TABLE);
    kind("DESCRIBE detail;", STATEMENT_DESCRIBE_TABLE);
    kind("DESCRIBE history.t", STATEMENT_DESCRIBE_TABLE);
}

static void the_query_is_found(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(&arena, " -- c\n select ';' , 1 /* x */ ; -- y", STATEMENT_SELECT);
    assert_str(st.query, "select ';' , 1");
    assert_int_equal(st.query_offset, 7);
    assert_int_equal(st.limit, -1);
    st = parsed(&arena, "explain  select 1", STATEMENT_EXPLAIN);
    assert_str(st.query, "select 1");
    assert_int_equal(st.query_offset, 9);
    assert_false(st.analyze || st.extended);
    st = parsed(&arena, "EXPLAIN INSERT INTO t SELECT 1;", STATEMENT_EXPLAIN);
    assert_str(st.query, "SELECT 1");
    assert_int_equal(st.query_offset, 22);
    assert_true(parsed(&arena, "EXPLAIN ANALYZE FROM t", STATEMENT_EXPLAIN).analyze);
    assert_true(parsed(&arena, "EXPLAIN EXTENDED FROM t", STATEMENT_EXPLAIN).extended);
    assert_true(parsed(&arena, "EXPLAIN FORMATTED FROM t", STATEMENT_EXPLAIN).extended);
    assert_true(parsed(&arena, "EXPLAIN COST (select 1)", STATEMENT_EXPLAIN).extended);
    arena_release(&arena);
}

static void misspelled(void **state)
{
    syntax("SELCT 1", "SELCT", "no statement begins with \"SELCT\"", "did you mean SELECT?");
    syntax("  isnert into t values (1)", "isnert", "no statement begins", "did you mean INSERT?");
    syntax("CREATE TABEL t (a int)", "TABEL", "expected TABLE", "did you mean CREATE TABLE?");
    syntax("create or replace tble t", "tble", "expected TABLE", "did you mean create or replace TABLE?");
    syntax("SHOW TABELS", "TABELS", "found \"TABELS\"", "did you mean SHOW TABLES?");
    syntax("DROP", NULL, "found the end of the statement", NULL);
    syntax("xyzzy", "xyzzy", "no statement begins with \"xyzzy\"", "statements begin with SELECT");
    syntax("12", "12", "expected a statement, found \"12\"", NULL);
    syntax("", NULL, "the statement is empty", NULL);
    syntax(" -- only this", NULL, "the statement is empty", NULL);
    syntax(";", ";", "expected a statement", NULL);
    syntax("SELECT 1; SELECT 2", "SELECT 2", "expected one statement", "one after the other");
    syntax("SELECT 'a", "'a", "a text in quotes does not end", NULL);
    syntax("SELECT \"a", "\"a", "a quoted name does not end", NULL);
    syntax("SELECT 1 /* a", "/*", "a comment does not end", NULL);
    syntax("SELECT $$ a", "$$", "a dollar-quoted text does not end", NULL);
    syntax("SELECT \\", "\\", "unexpected character \"\\\"", NULL);
    syntax("SELECT \x01", "\x01", "unexpected byte 0x01", NULL);
    syntax("/* a", "/*", "a comment does not end", NULL);
    syntax("CREATE \xff", "\xff", "found", NULL);
    syntax("EXPLAIN TRUNCATE t", "TRUNCATE", "expected a query", "EXPLAIN SELECT");
    not_supported("EXPLAIN ANALYZE INSERT INTO t VALUES (1)", "INSERT", "EXPLAIN ANALYZE of insert", "EXPLAIN takes queries");
    not_supported("EXPLAIN DELETE FROM t", "DELETE", "EXPLAIN of delete", NULL);
    syntax("EXPLAIN INSERT INTO 3", "3", "expected a table name", NULL);
    syntax("EXPLAIN", NULL, "expected a query", NULL);
}

static void known_elsewhere(void **state)
{
    static const char *const texts[] = {"GRANT SELECT ON t TO u",
                                        "CREATE TEMP VIEW v AS SELECT 1",
                                        "CREATE OR REPLACE TEMPORARY VIEW v AS SELECT 1",
                                        "CREATE TEMPORARY VIEW v AS SELECT 1",
                                        "CREATE OR REPLACE TEMP TABLE t (a INT)",
                                        "CREATE CATALOG c",
                                        "ATTACH 'x' AS y",
                                        "COPY t TO 'x.csv'",
                                        "COPY t FROM 'x.csv'",
                                        "PRAGMA threads = 1",
                                        "CALL f()",
                                        "DROP MATERIALIZED VIEW v",
                                        "ALTER SCHEMA s SET x",
                                        "ANALYZE TABLE t COMPUTE STATISTICS",
                                        "MSCK REPAIR TABLE t",
                                        "SUMMARIZE t",
                                        "LOAD DATA INPATH 'x' INTO TABLE t",
                                        "CREATE BLOOMFILTER INDEX ON TABLE t FOR COLUMNS (a)",
                                        "FSCK REPAIR TABLE t",
                                        "GENERATE symlink_format_manifest FOR TABLE t",
                                        "REVOKE SELECT ON t FROM u"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(texts); i++) {
        char first[32] = "";
        strncat(first, texts[i], strcspn(texts[i], " "));
        not_supported(texts[i], first, first, NULL);
    }
    not_supported("WITH x AS (SELECT 1) INSERT INTO t SELECT * FROM x", "INSERT", "INSERT behind WITH", "INSERT INTO name WITH");
    not_supported("FROM x INSERT OVERWRITE t SELECT *", "INSERT", "INSERT behind WITH or FROM", NULL);
    not_supported("EXPLAIN (ANALYZE, FORMAT JSON) SELECT 1", "(", "EXPLAIN with options", "EXPLAIN ANALYZE");
    not_supported("EXPLAIN CODEGEN SELECT 1", "CODEGEN", "CODEGEN", NULL);
    kind("SELECT update FROM t", STATEMENT_SELECT);
}

static void without_memory(void **state)
{
    parses_without_memory("SELECT 1");
    for (uint64_t n = 1; n < 8; n++) {
        struct arena arena = ARENA_INIT;
        struct statement st;
        struct error err = ERROR_INIT;
        alloc_fail_after(n);
        enum status status = sql_parse(&arena, STR("CREATE TABEL x"), &st, &err);
        alloc_fail_after(0);
        assert_int_equal(status, STATUS_SYNTAX);
        error_release(&err);
        arena_release(&arena);
    }
    struct statement st;
    struct arena arena = ARENA_INIT;
    assert_int_equal(sql_parse(&arena, STR("nonsense"), &st, NULL), STATUS_SYNTAX);
    assert_int_equal(sql_parse(&arena, STR("GRANT"), &st, NULL), STATUS_NOT_SUPPORTED);
    assert_int_equal(sql_parse(&arena, STR_NULL, &st, NULL), STATUS_SYNTAX);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_statement_has_its_words),
        cmocka_unit_test(the_query_is_found),
        cmocka_unit_test(misspelled),
        cmocka_unit_test(known_elsewhere),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
