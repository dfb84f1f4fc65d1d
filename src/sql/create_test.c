/* sql/create_test.c: CREATE and DROP. */
#include "sql/sql_test.h"

static struct statement create(struct arena *arena, const char *text) { return parsed(arena, text, STATEMENT_CREATE_TABLE); }

static void type_is(const struct sql_column *c, const char *wanted)
{
    struct buf text = BUF_INIT;
    delta_type_text(c->type, &text);
    assert_string_equal(text.ptr, wanted);
    buf_release(&text);
}

static void property_is(const struct delta_property *p, const char *key, const char *value)
{
    assert_str(p->key, key);
    assert_str(p->value, value);
}

static void columns(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = create(&arena, "CREATE TABLE a.b.t (\n"
                                         "  symbol STRING NOT NULL COMMENT 'the ticker''s symbol', -- key\n"
                                         "  `two words` DECIMAL(18, 4) COMMENT \"x\" NOT NULL,\n"
                                         "  \"quo\"\"ted\" ARRAY<ARRAY<INT>> /* nested */,\n"
                                         "  s STRUCT<a: INT, b: MAP<STRING, ARRAY<DOUBLE>>> NULL,\n"
                                         "  d DECIMAL /* p */ ( /* s */ 10 , 2 ), date DATE, ts TIMESTAMP WITH TIME ZONE,\n"
                                         "  check INT, l BIGINT[]) USING DELTA");
    assert_str(st.name.catalog, "a");
    assert_str(st.name.schema, "b");
    assert_str(st.name.table, "t");
    assert_int_equal(st.name.offset, 13);
    assert_int_equal(st.column_count, 9);
    assert_str(st.columns[0].name, "symbol");
    assert_str(st.columns[0].comment, "the ticker's symbol");
    assert_false(st.columns[0].nullable);
    assert_true(strncmp(st.text.ptr + st.columns[0].offset, "symbol STRING", 13) == 0);
    assert_str(st.columns[1].name, "two words");
    assert_str(st.columns[1].comment, "x");
    assert_false(st.columns[1].nullable);
    type_is(&st.columns[1], "decimal(18,4)");
    assert_str(st.columns[2].name, "quo\"ted");
    type_is(&st.columns[2], "array<array<int>>");
    assert_true(st.columns[3].nullable);
    type_is(&st.columns[3], "struct<a:int,b:map<string,array<double>>>");
    type_is(&st.columns[4], "decimal(10,2)");
    type_is(&st.columns[5], "date");
    type_is(&st.columns[6], "timestamp");
    assert_str(st.columns[7].name, "check");
    type_is(&st.columns[8], "array<bigint>");
    assert_null(st.location.ptr);
    assert_null(st.query.ptr);
    assert_null(st.comment.ptr);
    arena_release(&arena);
}

static void clauses(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st =
        create(&arena, "create table if not exists t (a int, b string) tblproperties ('delta.x' = 'y', /* c */ delta.appendOnly = true, -- d\n"
                       " n -1.5, 'f' false, g == \"h\", 'i' = 42) location '/p q' comment 'it''s' partitioned by (b, `a`) using delta");
    assert_true(st.if_not_exists);
    assert_false(st.or_replace);
    assert_str(st.location, "/p q");
    assert_str(st.comment, "it's");
    assert_int_equal(st.partition_column_count, 2);
    assert_str(st.partition_columns[0], "b");
    assert_str(st.partition_columns[1], "a");
    assert_int_equal(st.property_count, 6);
    property_is(&st.properties[0], "delta.x", "y");
    property_is(&st.properties[1], "delta.appendOnly", "true");
    property_is(&st.properties[2], "n", "-1.5");
    property_is(&st.properties[3], "f", "false");
    property_is(&st.properties[4], "g", "h");
    property_is(&st.properties[5], "i", "42");

    st = create(&arena, "CREATE TABLE t (a INT) PARTITIONED BY (b STRING COMMENT 'p', c DATE) OPTIONS (k 'v') TBLPROPERTIES ('l' = 'w')");
    assert_int_equal(st.column_count, 3);
    assert_str(st.columns[1].name, "b");
    assert_str(st.columns[1].comment, "p");
    type_is(&st.columns[2], "date");
    assert_int_equal(st.partition_column_count, 2);
    assert_int_equal(st.property_count, 2);
    arena_release(&arena);
}

static void forms(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = create(&arena, "CREATE OR REPLACE TABLE t USING DELTA PARTITIONED BY (a) AS\n SELECT * FROM s VERSION AS OF 3;");
    assert_true(st.or_replace);
    assert_false(st.replace_only);
    assert_str(st.query, "SELECT * FROM s VERSION AS OF 3");
    assert_true(strncmp(st.text.ptr + st.query_offset, "SELECT *", 8) == 0);
    assert_int_equal(st.column_count, 0);
    st = create(&arena, "REPLACE TABLE t (a INT)");
    assert_true(st.or_replace && st.replace_only);
    st = create(&arena, "CREATE EXTERNAL TABLE delta.`/d/t` (a INT) LOCATION '/p'");
    assert_true(st.name.is_path);
    assert_str(st.name.table, "/d/t");
    assert_str(create(&arena, "CREATE TABLE t AS (SELECT 1)").query, "(SELECT 1)");
    assert_str(create(&arena, "CREATE TABLE t AS WITH x AS (SELECT 1) FROM x").query, "WITH x AS (SELECT 1) FROM x");
    assert_str(create(&arena, "CREATE TABLE t (SELECT 1)").query, "(SELECT 1)");
    assert_str(create(&arena, "CREATE TABLE t LOCATION '/p'").location, "/p");
    assert_str(create(&arena, "CREATE TABLE t (a INT) USING org.apache.spark.sql.delta").name.table, "t");
    assert_str(create(&arena, "CREATE TABLE t (a INT) USING `DELTA`").name.table, "t");
    assert_str(create(&arena, "CREATE TABLE t (a INT) LOCATION $$/it's$$").location, "/it's");
    assert_str(create(&arena, "CREATE TABLE t (a INT) COMMENT E'a\\tb\\x41\\101\\'\\\\'").comment, "a\tbAA'\\");
    arena_release(&arena);
}

static void wrong(void **state)
{
    syntax("CREATE TABLE", NULL, "expected a table name", NULL);
    syntax("CREATE TABLE select (a INT)", "select", "expected a table name, found \"select\"", "`select`");
    syntax("CREATE TABLE t (a INT", NULL, "expected \",\" or \")\"", NULL);
    syntax("CREATE TABLE t ()", ")", "expected a column name", NULL);
    syntax("CREATE TABLE t (a INT,)", ")", "expected a column name", NULL);
    syntax("CREATE TABLE t (a)", ")", "expected a column type", NULL);
    syntax("CREATE TABLE t (a NOT NULL)", "NOT", "expected a column type", NULL);
    syntax("CREATE TABLE t (a INT, b DECIMAL(99,1))", "(99", "precision", NULL);
    syntax("CREATE TABLE t (abc INT, def STRNG)", "STRNG", "unknown type name", "string");
    syntax("CREATE TABLE t (a /* x */ ARRAY< /* y */ NOPE>)", "NOPE", "unknown type name", NULL);
    syntax("CREATE TABLE t (a ARRAY<INT)", ")", "in a type", NULL);
    syntax("CREATE TABLE t (a INT NOT NUL)", "NUL)", "expected NULL", "did you mean NULL?");
    syntax("CREATE TABLE t (a INT COMMENT x)", "x)", "expected the comment's text", NULL);
    syntax("CREATE TABLE t (a INT COMMENT 'x' COMMENT 'y')", "COMMENT 'y'", "given twice", NULL);
    syntax("CREATE TABLE t (`` INT)", "``", "a quoted name is empty", NULL);
    syntax("CREATE TABLE t (a INT) LOCATION '/a' LOCATION '/b'", "LOCATION '/b'", "LOCATION is given twice", NULL);
    syntax("CREATE TABLE t (a INT) LOCATION ''", "t (", "LOCATION is empty", NULL);
    syntax("CREATE TABLE t (a INT) LOCATION /x", "/x", "expected a path in quotes", NULL);
    syntax("CREATE TABLE t (a INT) TBLPROPERTIES ('a' = b)", "b)", "expected a property value", "single quotes");
    syntax("CREATE TABLE t (a INT) TBLPROPERTIES ('a' = 1, 'b' = 2, 'a' = 3)", "'a' = 3", "property \"a\" is given twice", NULL);
    syntax("CREATE TABLE t (a INT) TBLPROPERTIES ('a' = 1", NULL, "expected \",\" or \")\"", NULL);
    syntax("CREATE TABLE t (a INT) TBLPROPERTIES (a . b = 1)", "a . b", "a property key of several parts", "delta.appendOnly");
    syntax("CREATE TABLE t (a INT) TBLPROPERTIES ('a' = - 1)", "1)", "expected a number", NULL);
    syntax("CREATE TABLE t (a INT) AS SELECT 1", "a INT", "takes its columns from the query", NULL);
    syntax("CREATE TABLE t AS", NULL, "expected SELECT after AS", NULL);
    syntax("CREATE EXTERNAL TABLE t (a INT)", "t (", "needs a LOCATION", NULL);
    syntax("CREATE OR REPLACE TABLE IF NOT EXISTS t (a INT)", "t (", "exclude each other", NULL);
    syntax("CREATE TABLE IF NOT t (a INT)", "t (", "expected EXISTS", NULL);
    syntax("CREATE TABLE a.b.c.d (a INT)", "d (", "more than three parts", NULL);
    syntax("CREATE TABLE t@v3 (a INT)", "t@", "with a version", NULL);
    syntax("CREATE TABLE t (a INT) nonsense", "nonsense", "expected the end of the statement", NULL);
    syntax("CREATE TABLE t (a INT) USING", NULL, "expected DELTA", NULL);
}

static void not_built(void **state)
{
    not_supported("CREATE TABLE t (a INT) USING parquet", "parquet", "the format \"parquet\"", "USING DELTA");
    not_supported("CREATE TABLE t (a INT AS (b + 1))", "AS", "AS is not supported", NULL);
    not_supported("CREATE TABLE t (a INT PRIMARY KEY)", "PRIMARY", "PRIMARY KEY", "duplicates");
    not_supported("CREATE TABLE t (a INT, PRIMARY KEY (a))", "PRIMARY", "PRIMARY KEY", NULL);
    not_supported("CREATE TABLE t (a INT, FOREIGN KEY (a) REFERENCES u)", "FOREIGN", "FOREIGN KEY", NULL);
    not_supported("CREATE TABLE t (a INT UNIQUE)", "UNIQUE", "UNIQUE", NULL);
    not_supported("CREATE TABLE t (a STRING COLLATE x)", "COLLATE", "COLLATE", NULL);
    not_supported("CREATE TABLE t (a STRING MASK f)", "MASK", "MASK", NULL);
    not_supported("CREATE TABLE t (a INT) PARTITIONED BY (years(ts))", "years", "PARTITIONED BY with a function", NULL);
    not_supported("CREATE TABLE t (a INT) STORED AS PARQUET", "STORED", "STORED", NULL);
    not_supported("CREATE TABLE t (a INT) PARTITION BY (a)", "PARTITION BY", "PARTITION BY", "PARTITIONED BY");
    not_supported("CREATE TABLE t (a INT) WITH (x = 1)", "WITH", "WITH", "TBLPROPERTIES");
}

static void columns_that_the_table_fills(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(
        &arena,
        "CREATE TABLE t (id BIGINT GENERATED BY DEFAULT AS IDENTITY (START WITH -5 INCREMENT BY 2), a INT NOT NULL DEFAULT f(1) + 2 COMMENT 'x',"
        " d DATE GENERATED ALWAYS AS (CAST(ts AS DATE)), v VARCHAR(10), c CHAR ( 3 ), n INT CHECK (n > 0),"
        " CONSTRAINT pos CHECK (a > 0), CHECK (a < 9), check INT) CLUSTER BY (a, s.b)",
        STATEMENT_CREATE_TABLE);
    assert_int_equal(st.column_count, 7);
    assert_true(st.columns[0].identity && st.columns[0].identity_by_default);
    assert_true(st.columns[0].identity_start == -5 && st.columns[0].identity_step == 2);
    assert_str(st.columns[1].default_text, "f(1) + 2");
    assert_str(st.columns[1].comment, "x");
    assert_str(st.columns[2].generated, "CAST(ts AS DATE)");
    assert_str(st.columns[3].declared, "varchar(10)");
    assert_str(st.columns[4].declared, "char(3)");
    assert_str(st.columns[6].name, "check");
    assert_int_equal(st.constraint_count, 3);
    assert_str(st.constraints[0].text, "n > 0");
    assert_str(st.constraints[0].name, "check_1");
    assert_str(st.constraints[1].name, "pos");
    assert_true(st.cluster_by && st.path_count == 2);
    arena_release(&arena);
    syntax("CREATE TABLE t (a BIGINT GENERATED ALWAYS AS IDENTITY (INCREMENT BY 0))", "0", "must not be 0", NULL);
    syntax("CREATE TABLE t (a BIGINT GENERATED BY DEFAULT AS (1))", "(1)", "expected IDENTITY", NULL);
    syntax("CREATE TABLE t (a INT DEFAULT 1 GENERATED ALWAYS AS (b))", "a INT", "only one of", NULL);
    syntax("CREATE TABLE t (a INT DEFAULT)", ")", "a value after DEFAULT", NULL);
    syntax("CREATE TABLE t (a INT) PARTITIONED BY (a) CLUSTER BY (a)", "t (", "exclude each other", NULL);
    refused("CREATE TABLE t (a INT GENERATED ALWAYS AS IDENTITY)", STATUS_TYPE_MISMATCH, "GENERATED", "must be BIGINT", NULL);
}

static void schemas_and_drops(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(&arena, "CREATE SCHEMA IF NOT EXISTS varve.bronze COMMENT 'raw'", STATEMENT_CREATE_SCHEMA);
    assert_true(st.if_not_exists);
    assert_str(st.name.schema, "varve");
    assert_str(st.name.table, "bronze");
    assert_str(st.comment, "raw");
    st = parsed(&arena, "CREATE SCHEMA delta.x", STATEMENT_CREATE_SCHEMA);
    assert_false(st.name.is_path);
    st = parsed(&arena, "DROP SCHEMA IF EXISTS s CASCADE", STATEMENT_DROP_SCHEMA);
    assert_true(st.if_exists && st.cascade);
    st = parsed(&arena, "DROP SCHEMA s RESTRICT;", STATEMENT_DROP_SCHEMA);
    assert_false(st.if_exists || st.cascade);
    st = parsed(&arena, "DROP TABLE IF EXISTS `a b`.t", STATEMENT_DROP_TABLE);
    assert_true(st.if_exists);
    assert_str(st.name.schema, "a b");
    arena_release(&arena);
    syntax("CREATE SCHEMA a.b.c", "a.b.c", "at most two parts", NULL);
    syntax("DROP SCHEMA s CASCADES", "CASCADES", "expected the end of the statement", NULL);
    syntax("DROP TABLE t u", "u", "expected the end of the statement, found \"u\"", NULL);
    syntax("DROP TABLE IF EXISTS", NULL, "expected a table name", NULL);
    syntax("DROP TABLE t VERSION AS OF 3", "t V", "with a version", NULL);
    not_supported("CREATE SCHEMA s LOCATION '/p'", "LOCATION", "LOCATION", NULL);
    not_supported("CREATE SCHEMA s WITH DBPROPERTIES ('a' = 'b')", "WITH", "WITH DBPROPERTIES", NULL);
    not_supported("DROP TABLE t PURGE", "PURGE", "PURGE", NULL);
}

static void copies(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = create(&arena, "CREATE TABLE IF NOT EXISTS t LIKE a.s USING DELTA COMMENT 'c' TBLPROPERTIES ('k' = 'v') LOCATION '/p'");
    assert_int_equal(st.copy, SQL_COPY_DEFINITION);
    assert_str(st.source.schema, "a");
    assert_str(st.source.table, "s");
    assert_str(st.comment, "c");
    assert_str(st.location, "/p");
    assert_int_equal(st.property_count, 1);
    st = create(&arena, "CREATE OR REPLACE TABLE t SHALLOW CLONE s VERSION AS OF 3 LOCATION '/p'");
    assert_int_equal(st.copy, SQL_COPY_SHALLOW);
    assert_int_equal(st.source.at.version, 3);
    assert_true(st.or_replace);
    assert_int_equal(create(&arena, "CREATE TABLE t DEEP CLONE delta.`/a b`").copy, SQL_COPY_DEEP);
    st = create(&arena, "REPLACE TABLE t CLONE s TIMESTAMP AS OF '2024-01-01'");
    assert_int_equal(st.copy, SQL_COPY_DEEP);
    assert_int_equal(st.source.at.kind, SQL_AT_TIMESTAMP);
    assert_true(st.replace_only);
    syntax("CREATE TABLE t LIKE", NULL, "expected a table name", NULL);
    syntax("CREATE TABLE t (a INT) LIKE s", "s", "columns cannot stand beside LIKE", "ALTER TABLE");
    syntax("CREATE TABLE t CLONE ss PARTITIONED BY (a)", "ss", "PARTITIONED BY cannot", NULL);
    syntax("CREATE TABLE t CLONE ss CLUSTER BY (a)", "ss", "CLUSTER BY cannot", NULL);
    syntax("CREATE TABLE t CLONE ss COMMENT 'x'", "ss", "COMMENT cannot", NULL);
    syntax("CREATE TABLE t LIKE ss AS SELECT 1", "ss", "a query cannot", NULL);
    syntax("CREATE TABLE t SHALLOW s", "SHALLOW", "expected", NULL);
    arena_release(&arena);
    parses_without_memory("CREATE TABLE t DEEP CLONE `a``b` VERSION AS OF 3 TBLPROPERTIES ('k' = 'v')");
}

static void conversions(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st =
        parsed(&arena, "CONVERT TO DELTA parquet.`/a b` NO STATISTICS PARTITIONED BY (p STRING NOT NULL COMMENT 'c', q DATE);", STATEMENT_CONVERT);
    assert_str(st.name.schema, "parquet");
    assert_str(st.name.table, "/a b");
    assert_true(st.no_statistics);
    assert_int_equal(st.column_count, 2);
    assert_false(st.columns[0].nullable);
    type_is(&st.columns[1], "date");
    st = parsed(&arena, "convert to delta t partitioned by (p int) no statistics", STATEMENT_CONVERT);
    assert_true(st.no_statistics);
    syntax("CONVERT TO DELTA", NULL, "expected a table name", NULL);
    syntax("CONVERT TO DELTA parquet.`/a` PARTITIONED BY (p)", ")", "expected", NULL);
    syntax("CONVERT TO DELTA parquet.`/a` PARTITIONED BY (p INT DEFAULT 1)", "p INT", "a partition column of CONVERT", NULL);
    syntax("CONVERT TO DELTA parquet.`/a` NO STATISTICS ; x", "x", "expected", NULL);
    parses_without_memory("CONVERT TO DELTA parquet.`/a``b` PARTITIONED BY (p STRING, q DECIMAL(5, 2))");
    arena_release(&arena);
}

static void large_and_without_memory(void **state)
{
    struct buf text = BUF_INIT;
    struct arena arena = ARENA_INIT;
    buf_z(&text, "CREATE TABLE t (c0 INT");
    for (int i = 1; i < 3000; i++)
        buf_printf(&text, ", `c``%d` DECIMAL(%d,2) COMMENT 'it''s %d'", i, 3 + i % 35, i);
    buf_z(&text, ")");
    struct statement st = create(&arena, text.ptr);
    assert_int_equal(st.column_count, 3000);
    assert_str(st.columns[2999].name, "c`2999");
    assert_str(st.columns[2999].comment, "it's 2999");
    buf_release(&text);
    arena_release(&arena);
    parses_without_memory(
        "CREATE TABLE `a``b` (a INT COMMENT 'it''s', b STRUCT<x: /* c */ INT>) PARTITIONED BY (c DATE) TBLPROPERTIES ('a' = 'b''c')");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(columns),
        cmocka_unit_test(clauses),
        cmocka_unit_test(forms),
        cmocka_unit_test(wrong),
        cmocka_unit_test(not_built),
        cmocka_unit_test(columns_that_the_table_fills),
        cmocka_unit_test(schemas_and_drops),
        cmocka_unit_test(copies),
        cmocka_unit_test(conversions),
        cmocka_unit_test(large_and_without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
