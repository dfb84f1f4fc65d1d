/* sql/change_test.c: ALTER TABLE, INSERT and COPY INTO. */
#include "sql/sql_test.h"

#include <stdio.h>

static void alter_properties(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st =
        parsed(&arena, "ALTER TABLE s.t SET TBLPROPERTIES ('delta.logRetentionDuration' = 'interval 7 days', -- why\n delta.appendOnly = TRUE)",
               STATEMENT_ALTER_TABLE);
    assert_int_equal(st.alter, SQL_ALTER_SET_PROPERTIES);
    assert_int_equal(st.property_count, 2);
    assert_str(st.properties[0].value, "interval 7 days");
    assert_str(st.properties[1].key, "delta.appendOnly");
    assert_str(st.properties[1].value, "true");
    st = parsed(&arena, "ALTER TABLE delta.`/p` UNSET TBLPROPERTIES IF EXISTS ('a', b.c)", STATEMENT_ALTER_TABLE);
    assert_int_equal(st.alter, SQL_ALTER_UNSET_PROPERTIES);
    assert_true(st.if_exists && st.name.is_path);
    assert_str(st.properties[0].key, "a");
    assert_null(st.properties[0].value.ptr);
    assert_str(st.properties[1].key, "b.c");
    arena_release(&arena);
    syntax("ALTER TABLE t SET TBLPROPERTIES ()", ")", "list of properties is empty", NULL);
    syntax("ALTER TABLE t UNSET TBLPROPERTIES ('a' = 'b')", "=", "expected \",\" or \")\"", NULL);
    syntax("ALTER TABLE t SET PROPERTIES ('a' = 'b')", "PROPERTIES", "expected TBLPROPERTIES or LOCATION", NULL);
    syntax("ALTER TABLE t", NULL, "expected ADD, ALTER COLUMN", NULL);
    syntax("ALTER TABLE t@v1 SET TBLPROPERTIES ('a' = 'b')", "t@", "with a version", NULL);
    syntax("ALTER TABLE t SET TBLPROPERTIES ('a' = 'b') x", "x", "expected the end", NULL);
}

static void alter_columns(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st =
        parsed(&arena, "ALTER TABLE t ADD COLUMNS (a INT COMMENT 'x' FIRST, b.c.`d e` ARRAY<STRING> AFTER f, g DECIMAL(3,1) AFTER `h` COMMENT 'y')",
               STATEMENT_ALTER_TABLE);
    assert_int_equal(st.alter, SQL_ALTER_ADD_COLUMNS);
    assert_int_equal(st.column_count, 3);
    assert_true(st.columns[0].first);
    assert_str(st.columns[0].comment, "x");
    assert_int_equal(st.columns[0].path_depth, 0);
    assert_int_equal(st.columns[1].path_depth, 2);
    assert_str(st.columns[1].path[0], "b");
    assert_str(st.columns[1].path[1], "c");
    assert_str(st.columns[1].name, "d e");
    assert_str(st.columns[1].after, "f");
    assert_str(st.columns[2].after, "h");
    assert_str(st.columns[2].comment, "y");
    st = parsed(&arena, "ALTER TABLE t ADD COLUMN first STRING, b MAP<STRING,INT>;", STATEMENT_ALTER_TABLE);
    assert_int_equal(st.column_count, 2);
    assert_str(st.columns[0].name, "first");
    assert_null(st.columns[0].after.ptr);
    assert_int_equal(st.columns[1].type->id, DELTA_MAP);
    arena_release(&arena);
    not_supported("ALTER TABLE t ADD COLUMN a INT NOT NULL", "NOT", "NOT NULL in ADD COLUMN", "no value");
    not_supported("ALTER TABLE t ADD COLUMNS (a INT DEFAULT 1)", "DEFAULT", "DEFAULT", NULL);
    not_supported("ALTER TABLE t ADD COLUMN IF NOT EXISTS a INT", "IF", "IF NOT EXISTS", NULL);
    syntax("ALTER TABLE t ADD COLUMNS (a INT", NULL, "expected \",\" or \")\"", NULL);
    syntax("ALTER TABLE t ADD COLUMN a", NULL, "expected a column type", NULL);
    syntax("ALTER TABLE t ADD COLUMN a INT FIRST AFTER b", "AFTER", "place is given twice", NULL);
    syntax("ALTER TABLE t ADD COLUMN a INT AFTER", NULL, "expected a column name", NULL);
    syntax("ALTER TABLE t ADD a INT", "a INT", "expected COLUMN, COLUMNS or CONSTRAINT", NULL);
    syntax("ALTER TABLE t ADD COLUMN a. INT", NULL, "expected a column type", NULL);
}

static void alter_definitions(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(&arena, "ALTER TABLE t ADD CONSTRAINT `Pos itive` CHECK (a > f(1, ')'))", STATEMENT_ALTER_TABLE);
    assert_int_equal(st.alter, SQL_ALTER_ADD_CONSTRAINT);
    assert_str(st.constraints[0].name, "Pos itive");
    assert_str(st.constraints[0].text, "a > f(1, ')')");
    st = parsed(&arena, "ALTER TABLE t DROP CONSTRAINT IF EXISTS c", STATEMENT_ALTER_TABLE);
    assert_true(st.alter == SQL_ALTER_DROP_CONSTRAINT && st.if_exists);
    st = parsed(&arena, "ALTER TABLE t DROP FEATURE typeWidening-preview TRUNCATE HISTORY", STATEMENT_ALTER_TABLE);
    assert_str(st.feature, "typeWidening-preview");
    assert_true(st.alter == SQL_ALTER_DROP_FEATURE && st.truncate_history);
    st = parsed(&arena, "ALTER TABLE t DROP COLUMNS IF EXISTS (a, b.`c d`)", STATEMENT_ALTER_TABLE);
    assert_true(st.alter == SQL_ALTER_DROP_COLUMNS && st.if_exists && st.path_count == 2);
    assert_str(st.paths[1].parts[1], "c d");
    st = parsed(&arena, "ALTER TABLE t RENAME COLUMN a.b TO `c`", STATEMENT_ALTER_TABLE);
    assert_true(st.alter == SQL_ALTER_RENAME_COLUMN && st.paths[0].depth == 2);
    assert_str(st.new_name.table, "c");
    st = parsed(&arena, "ALTER TABLE s.t RENAME TO u.v", STATEMENT_ALTER_TABLE);
    assert_str(st.new_name.schema, "u");
    st = parsed(&arena, "ALTER TABLE t CLUSTER BY (a, b)", STATEMENT_ALTER_TABLE);
    assert_true(st.alter == SQL_ALTER_CLUSTER_BY && st.path_count == 2);
    st = parsed(&arena, "ALTER TABLE t CLUSTER BY NONE", STATEMENT_ALTER_TABLE);
    assert_int_equal(st.path_count, 0);
    st = parsed(&arena, "COMMENT ON COLUMN s.t.c IS NULL", STATEMENT_COMMENT_ON);
    assert_str(st.name.schema, "s");
    assert_str(st.changes[0].path.parts[0], "c");
    assert_null(st.changes[0].text.ptr);
    st = parsed(&arena, "COMMENT ON TABLE t IS 'x'", STATEMENT_COMMENT_ON);
    assert_str(st.comment, "x");
    arena_release(&arena);
    syntax("ALTER TABLE t ADD CONSTRAINT c CHECK ()", ")", "the expression is empty", NULL);
    syntax("ALTER TABLE t ADD CONSTRAINT c (a > 0)", "(", "expected CHECK", NULL);
    syntax("ALTER TABLE t ADD CONSTRAINT c CHECK (a > 0", "(", "is not closed", NULL);
    syntax("ALTER TABLE t RENAME COLUMN a AS b", "AS", "expected TO", NULL);
    syntax("COMMENT ON COLUMN c IS 'x'", "c IS", "table.column", NULL);
}

static void alter_column_forms(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st =
        parsed(&arena, "ALTER TABLE t ALTER COLUMN a.b TYPE BIGINT COMMENT 'x' FIRST, c SET NOT NULL, d SET DEFAULT f(1, 2) + 3, e DROP DEFAULT",
               STATEMENT_ALTER_TABLE);
    assert_int_equal(st.change_count, 6);
    assert_int_equal(st.changes[0].kind, SQL_CHANGE_TYPE);
    assert_int_equal(st.changes[0].path.depth, 2);
    assert_true(st.changes[2].kind == SQL_CHANGE_PLACE && st.changes[2].first);
    assert_int_equal(st.changes[3].kind, SQL_CHANGE_SET_NOT_NULL);
    assert_str(st.changes[4].text, "f(1, 2) + 3");
    assert_int_equal(st.changes[5].kind, SQL_CHANGE_DROP_DEFAULT);
    st = parsed(&arena, "ALTER TABLE t CHANGE COLUMN a a BIGINT COMMENT 'x' AFTER b", STATEMENT_ALTER_TABLE);
    assert_int_equal(st.change_count, 3);
    assert_str(st.changes[2].after, "b");
    st = parsed(&arena, "ALTER TABLE t ALTER COLUMN id SYNC IDENTITY", STATEMENT_ALTER_TABLE);
    assert_int_equal(st.changes[0].kind, SQL_CHANGE_SYNC_IDENTITY);
    arena_release(&arena);
    not_supported("ALTER TABLE t CHANGE a b INT", "b INT", "to another name", "RENAME COLUMN");
    syntax("ALTER TABLE t ALTER COLUMN a", NULL, "expected TYPE", NULL);
    syntax("ALTER TABLE t ALTER COLUMN a SET NULL", "NULL", "expected NOT NULL", NULL);
    syntax("ALTER TABLE t ALTER COLUMN a SET DEFAULT", NULL, "a value after DEFAULT", NULL);
}

static void values_of_insert(void **state)
{
    struct arena arena = ARENA_INIT;
    struct sql_values v;
    struct sql_text text;
    struct str query = STR("VALUES (1, 'a''b', DEFAULT), (f(2, 3), 4, DEFAULT)");
    assert_int_equal(sql_read_values(&arena, query, &v, NULL), STATUS_OK);
    assert_true(v.rows == 2 && v.columns == 3 && v.count == 6);
    assert_int_equal(v.items[1].kind, SQL_VALUE_TEXT);
    assert_int_equal(v.items[5].kind, SQL_VALUE_DEFAULT);
    struct str with[6] = {[2] = STR("NULL"), [5] = STR("NULL")};
    assert_int_equal(sql_replace_values(&arena, query, &v, with, &text, NULL), STATUS_OK);
    assert_str(text.text, "VALUES (1, 'a''b', NULL), (f(2, 3), 4, NULL)");
    assert_int_equal(sql_text_origin(&text, text.text.len - 2), query.len - 8);
    static const char *const plain[] = {
        "VALUES (1, 'a'), (2, 'b')", "VALUES (DEFAULT), (1, 2)", "VALUES (DEFAULT) ORDER BY 1", "SELECT DEFAULT", "VALUES (", "VALUES"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(plain); i++) {
        assert_int_equal(sql_read_values(&arena, str_of(plain[i]), &v, NULL), STATUS_OK);
        assert_int_equal(v.count, 0);
    }
    arena_release(&arena);
}

static void expressions(void **state)
{
    static const char *const rows[][2] = {{"a <=> 1", "a  IS NOT DISTINCT FROM  1"},
                                          {"`a b` = \"x'y\" AND \"a\" = 2", "\"a b\" = 'x''y' AND \"a\" = 2"},
                                          {"date_format(a, 'yyyy-MM')", "date_format(a, 'yyyy-MM')"},
                                          {"CAST(a AS TIMESTAMP)", "CAST( a AS TIMESTAMP WITH TIME ZONE )"},
                                          {"substring(a, 0, 2)", "spark_cut(a, 0, 2)"}};
    struct arena arena = ARENA_INIT;
    struct delta_type *schema;
    assert_int_equal(delta_type_from_sql(&arena, STR("STRUCT<a: STRING>"), &schema, NULL), STATUS_OK);
    for (size_t i = 0; i < VV_ARRAY_COUNT(rows); i++) {
        struct str out;
        char got[200] = "", wanted[200] = "";
        assert_int_equal(sql_expression_to_engine(&arena, str_of(rows[i][0]), schema, &out, NULL), STATUS_OK);
        for (size_t k = 0, n = 0; k < out.len; k++)
            if (out.ptr[k] != ' ')
                got[n++] = out.ptr[k];
        for (size_t k = 0, n = 0; rows[i][1][k]; k++)
            if (rows[i][1][k] != ' ')
                wanted[n++] = rows[i][1][k];
        assert_string_equal(got, wanted);
    }
    struct str none;
    assert_int_equal(sql_expression_to_engine(&arena, STR(" "), schema, &none, NULL), STATUS_SYNTAX);
    assert_int_equal(sql_expression_to_engine(&arena, STR("a = 'x"), schema, &none, NULL), STATUS_SYNTAX);
    assert_true(sql_expression_names(STR("x.a + `B`"), STR("b")) && !sql_expression_names(STR("x.a + a(1)"), STR("a")));
    arena_release(&arena);
}

static void alter_not_built(void **state)
{
    static const char *const rests[] = {"ADD PARTITION (a = 1)", "RECOVER PARTITIONS", "DROP PARTITION (a = 1)", "SET ROW FILTER f ON (a)",
                                        "SET TAGS ('a')"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(rests); i++) {
        char text[128];
        snprintf(text, sizeof text, "ALTER TABLE t %s", rests[i]);
        char first[32] = "";
        strncat(first, rests[i], strcspn(rests[i], " "));
        not_supported(text, rests[i], first, NULL);
    }
    not_supported("ALTER TABLE IF EXISTS t RENAME TO u", "IF", "IF EXISTS", NULL);
}

static void insert_forms(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(&arena, "INSERT INTO s.t VALUES (1, 'a'), (2, 'b');", STATEMENT_INSERT);
    assert_false(st.overwrite || st.by_name);
    assert_null(st.insert_columns);
    assert_str(st.query, "VALUES (1, 'a'), (2, 'b')");
    assert_int_equal(st.query_offset, 16);
    st = parsed(&arena, "INSERT OVERWRITE TABLE t (a, `b c`) SELECT 1, 2", STATEMENT_INSERT);
    assert_true(st.overwrite);
    assert_int_equal(st.insert_column_count, 2);
    assert_str(st.insert_columns[1], "b c");
    assert_str(st.query, "SELECT 1, 2");
    st = parsed(&arena, "insert into t by name select 1 as a", STATEMENT_INSERT);
    assert_true(st.by_name);
    assert_str(st.query, "select 1 as a");
    assert_str(parsed(&arena, "INSERT INTO t TABLE u", STATEMENT_INSERT).query, "TABLE u");
    assert_str(parsed(&arena, "INSERT INTO t FROM u", STATEMENT_INSERT).query, "FROM u");
    assert_str(parsed(&arena, "INSERT INTO t (SELECT 1)", STATEMENT_INSERT).query, "(SELECT 1)");
    assert_str(parsed(&arena, "INSERT INTO t ((SELECT 1))", STATEMENT_INSERT).query, "((SELECT 1))");
    assert_str(parsed(&arena, "INSERT INTO t WITH x AS (SELECT 1) SELECT * FROM x", STATEMENT_INSERT).query, "WITH x AS (SELECT 1) SELECT * FROM x");
    st = parsed(&arena, "INSERT INTO t (values, from) VALUES (1, 2)", STATEMENT_INSERT);
    assert_int_equal(st.insert_column_count, 2);
    assert_str(st.insert_columns[0], "values");
    st = parsed(&arena, "INSERT INTO delta.`/p` WITH ('mergeSchema' = 'true') SELECT 1", STATEMENT_INSERT);
    assert_true(st.name.is_path);
    assert_str(st.properties[0].key, "mergeSchema");
    st = parsed(&arena, "INSERT INTO t OPTIONS (mergeSchema true) (a) SELECT 1", STATEMENT_INSERT);
    assert_str(st.properties[0].value, "true");
    assert_int_equal(st.insert_column_count, 1);
    arena_release(&arena);
}

static void insert_replacing(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(&arena, "INSERT INTO t (a, b) REPLACE USING (a, `b c`) VALUES (1, 2)", STATEMENT_INSERT);
    assert_int_equal(st.replace_using_count, 2);
    assert_str(st.replace_using[1], "b c");
    assert_int_equal(st.insert_column_count, 2);
    assert_false(st.replace_on);
    assert_str(st.query, "VALUES (1, 2)");

    st = parsed(&arena, "INSERT INTO t AS x BY NAME REPLACE ON x.a = s.a AND x.b IN (SELECT 1) (SELECT 2 AS a) AS s;", STATEMENT_INSERT);
    assert_true(st.replace_on);
    assert_true(st.by_name);
    assert_str(st.change.alias, "x");
    assert_str(st.change.condition, "x.a = s.a AND x.b IN (SELECT 1)");
    assert_str(st.query, "(SELECT 2 AS a)");
    assert_str(st.change.source_alias, "s");

    st = parsed(&arena, "INSERT INTO t x REPLACE ON f(x.a) BY NAME TABLE s", STATEMENT_INSERT);
    assert_str(st.change.condition, "f(x.a) BY NAME"); /* whose words end where a query begins */
    assert_str(st.query, "TABLE s");

    st = parsed(&arena, "INSERT INTO t REPLACE ON a = 1 (SELECT 1) UNION ALL SELECT 2", STATEMENT_INSERT);
    assert_str(st.query, "(SELECT 1) UNION ALL SELECT 2");
    assert_null(st.change.source_alias.ptr);

    st = parsed(&arena, "INSERT INTO t REPLACE WHERE a = 1 (SELECT 1)", STATEMENT_INSERT);
    assert_str(st.change.condition, "a = 1");
    assert_str(st.query, "(SELECT 1)");
    arena_release(&arena);
    parses_without_memory("INSERT INTO t AS x BY NAME REPLACE ON x.a = s.a (SELECT 2 AS a) AS `s s`");
    parses_without_memory("INSERT INTO t REPLACE USING (`a``b`, c) VALUES (1)");
}

static void insert_wrong(void **state)
{
    syntax("INSERT INTO t", NULL, "expected VALUES, SELECT or a list of columns", NULL);
    syntax("INSERT INTO t (a, b)", NULL, "expected VALUES or SELECT", NULL);
    syntax("INSERT INTO t (a b) VALUES (1)", "b)", "expected \",\" or \")\"", NULL);
    syntax("INSERT INTO t (a.b) VALUES (1)", ".b", "expected \",\" or \")\"", NULL);
    syntax("INSERT INTO t@v3 VALUES (1)", "t@", "with a version", NULL);
    syntax("INSERT INTO `t@v3` VALUES (1)", "`t@", "with a version", NULL);
    syntax("INSERT t VALUES (1)", "t V", "expected INTO, OVERWRITE or WITH", NULL);
    syntax("INSERT INTO t VALUES (1); x", "x", "expected one statement", NULL);
    syntax("INSERT INTO t VALUES ('a)", "'a)", "does not end", NULL);
    syntax("INSERT INTO t REPLACE USING a SELECT 1", "a SELECT", "expected \"(\"", NULL);
    syntax("INSERT INTO t REPLACE ON SELECT 1", "SELECT", "expected a condition", NULL);
    syntax("INSERT OVERWRITE t REPLACE ON a = 1 SELECT 1", "REPLACE", "expected VALUES", NULL);
    syntax("INSERT INTO t AS u VALUES (1)", "AS", "expected VALUES", NULL);
    not_supported("INSERT OVERWRITE t PARTITION (a = 1) SELECT 1", "PARTITION", "PARTITION", NULL);
    not_supported("INSERT INTO t DEFAULT VALUES", "DEFAULT", "DEFAULT VALUES", NULL);
    not_supported("INSERT INTO t VALUES (1) ON CONFLICT DO NOTHING", "ON", "ON CONFLICT", NULL);
    not_supported("INSERT INTO t VALUES (1) RETURNING *", "RETURNING", "RETURNING", NULL);
    not_supported("INSERT OVERWRITE DIRECTORY '/p' SELECT 1", "DIRECTORY", "DIRECTORY", NULL);
    not_supported("INSERT OVERWRITE LOCAL DIRECTORY '/p' SELECT 1", "LOCAL", "DIRECTORY", NULL);
}

static void copy_forms(void **state)
{
    struct arena arena = ARENA_INIT;
    struct statement st = parsed(
        &arena,
        "COPY INTO s.t FROM '/d/*.csv' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true', 'sep' = E'\\t') COPY_OPTIONS ('mergeSchema' = 'true')",
        STATEMENT_COPY_INTO);
    assert_str(st.query, "/d/*.csv");
    assert_int_equal(st.file_format, SQL_CSV);
    assert_int_equal(st.format_option_count, 2);
    assert_str(st.format_options[1].value, "\t");
    assert_int_equal(st.property_count, 1);
    assert_str(st.properties[0].key, "mergeSchema");
    st = parsed(&arena, "copy into t from 'x' copy_options (force true) fileformat 'json'", STATEMENT_COPY_INTO);
    assert_int_equal(st.file_format, SQL_JSON);
    assert_str(st.properties[0].value, "true");
    assert_int_equal(parsed(&arena, "COPY INTO delta.`/p` FROM \"x\" FILEFORMAT = parquet", STATEMENT_COPY_INTO).file_format, SQL_PARQUET);
    arena_release(&arena);
    syntax("COPY INTO t FROM 'x'", NULL, "expected FILEFORMAT", NULL);
    syntax("COPY INTO t FROM x FILEFORMAT = CSV", "x F", "expected a path in quotes", NULL);
    syntax("COPY INTO t FROM '' FILEFORMAT = CSV", "''", "is empty", NULL);
    syntax("COPY INTO t FORM 'x'", "FORM", "expected FROM", "did you mean FROM?");
}

static void copy_wrong(void **state)
{
    not_supported("COPY INTO t FROM 'x' FILEFORMAT = AVRO", "AVRO", "file format \"AVRO\"", "CSV, JSON and PARQUET");
    not_supported("COPY INTO t FROM 'x' FILEFORMAT = PARQET", "PARQET", "file format", "did you mean PARQUET?");
    not_supported("COPY INTO t FROM (SELECT * FROM 'x') FILEFORMAT = CSV", "(", "FROM (SELECT …)", NULL);
    not_supported("COPY INTO t FROM 'x' FILEFORMAT = CSV FILES = ('a')", "FILES", "COPY INTO … FILES", "'dir/*.csv' or 'dir/day-[0-3]?.csv'");
    not_supported("COPY INTO t FROM 'x' FILEFORMAT = CSV PATTERN = 'a'", "PATTERN", "PATTERN", "glob");
    not_supported("COPY INTO t FROM 'x' FILEFORMAT = CSV VALIDATE ALL", "VALIDATE", "VALIDATE", NULL);
    not_supported("COPY INTO t (a) FROM 'x' FILEFORMAT = CSV", "(a", "(columns)", NULL);
    not_supported("COPY INTO t BY POSITION FROM 'x' FILEFORMAT = CSV", "BY", "BY POSITION", NULL);
}

static void without_memory(void **state)
{
    parses_without_memory("ALTER TABLE t ADD COLUMNS (`a``b`.c ARRAY<INT> COMMENT 'it''s')");
    parses_without_memory("INSERT INTO t (a, `b``c`, d) SELECT 1");
    parses_without_memory("COPY INTO t FROM 'it''s' FILEFORMAT = CSV FORMAT_OPTIONS ('a' = 'b''c')");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(alter_properties),  cmocka_unit_test(alter_columns),      cmocka_unit_test(alter_not_built),
        cmocka_unit_test(alter_definitions), cmocka_unit_test(alter_column_forms), cmocka_unit_test(values_of_insert),
        cmocka_unit_test(expressions),       cmocka_unit_test(insert_forms),       cmocka_unit_test(insert_replacing),
        cmocka_unit_test(insert_wrong),      cmocka_unit_test(copy_forms),         cmocka_unit_test(copy_wrong),
        cmocka_unit_test(without_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
