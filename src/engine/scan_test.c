#include "base/base.h"

#include "engine/table_fixture.h"

/* The result's types, to see that the relation has exactly the schema's. */
static const char *types_of(struct pretended *t)
{
    return query_table(t, "SELECT string_agg(column_name || ' ' || column_type, ', ') FROM (DESCRIBE SELECT * FROM ", ")");
}

static void no_files_are_a_typed_relation(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "empty", "STRUCT<i: INT, `a\"b`: STRUCT<x: ARRAY<STRING>>, ts: TIMESTAMP, n: VOID>", NULL);
    assert_string_equal(query_table(t, "SELECT count(*) FROM ", ""), "0");
    assert_string_equal(types_of(t), "i INTEGER, a\"b STRUCT(x VARCHAR[]), ts TIMESTAMP WITH TIME ZONE, n INTEGER");
    pretended_free(t);
}

static void equal_files_are_read_as_they_are(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "plain", "STRUCT<i: INT, v: STRING>", NULL);
    append_foreign(t, "a.parquet", "SELECT 1::INT AS i, 'x' AS v", NULL);
    append_foreign(t, "b.parquet", "SELECT 'y' AS v, 2::INT AS i, 3.5 AS dropped", NULL);
    assert_non_null(strstr(relation_of(t), "SELECT \"i\", \"v\" FROM read_parquet(["));
    assert_null(strstr(relation_of(t), "CAST"));
    assert_string_equal(query_table(t, "SELECT i || v FROM ", "ORDER BY 1"), "1x|2y");
    assert_string_equal(types_of(t), "i INTEGER, v VARCHAR");
    pretended_free(t);
}

static void columns_missing_or_narrower(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "evolved",
                                  "STRUCT<i: BIGINT, d: DOUBLE, s: STRUCT<a: INT, b: STRING, c: STRUCT<z: DATE>>, l: ARRAY<STRUCT<p: INT, q: INT>>, "
                                  "de: DECIMAL(20,4), m: MAP<STRING, STRUCT<k: BIGINT>>>",
                                  NULL);
    append_foreign(
        t, "a.parquet",
        "SELECT 1::SMALLINT AS I, 1.5::FLOAT AS d, {'b': 'x'} AS s, [{'q': 7}] AS l, 1.25::DECIMAL(10,2) AS de, MAP {'a': {'k': 1::INT}} AS m", NULL);
    append_foreign(t, "b.parquet", "SELECT 5000000000 AS i, {'a': 3, 'b': 'y', 'c': {'z': DATE '2024-01-01'}} AS s", NULL);
    append_foreign(t, "c.parquet", "SELECT 3 AS x", NULL);
    append(t, "SELECT 4::BIGINT, 2.5::DOUBLE, {'a': 1, 'b': 'w', 'c': NULL::STRUCT(z DATE)}, [{'p': 1, 'q': 2}], 3::DECIMAL(20,4), MAP {'z': {'k': "
              "9::BIGINT}}");
    assert_string_equal(types_of(t),
                        "i BIGINT, d DOUBLE, s STRUCT(a INTEGER, b VARCHAR, c STRUCT(z DATE)), l STRUCT(p INTEGER, q INTEGER)[], de DECIMAL(20,4), "
                        "m MAP(VARCHAR, STRUCT(k BIGINT))");
    assert_string_equal(query_table(t, "SELECT i FROM ", "ORDER BY i NULLS LAST"), "1|4|5000000000|NULL");
    assert_string_equal(query_table(t, "SELECT s::VARCHAR FROM ", "ORDER BY i NULLS LAST"),
                        "{'a': NULL, 'b': x, 'c': NULL}|{'a': 1, 'b': w, 'c': NULL}|{'a': 3, 'b': y, 'c': {'z': 2024-01-01}}|NULL");
    assert_string_equal(query_table(t, "SELECT l::VARCHAR FROM ", "ORDER BY i NULLS LAST"), "[{'p': NULL, 'q': 7}]|[{'p': 1, 'q': 2}]|NULL|NULL");
    assert_string_equal(query_table(t, "SELECT de FROM ", "WHERE i = 1"), "1.2500");
    assert_string_equal(query_table(t, "SELECT m::VARCHAR FROM ", "WHERE i = 1 AND d > 1.4"), "{a={'k': 1}}");
    assert_string_equal(query_table(t, "SELECT count(*) FROM ", "WHERE d IS NULL"), "2");
    assert_string_equal(query_table(t, "SELECT count(*) FROM ", "WHERE i = 5000000000"), "1");
    pretended_free(t);
}

static void timestamps_whatever_the_session(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "zones",
                                  "STRUCT<i: INT, ts: TIMESTAMP, tn: TIMESTAMP_NTZ, s: STRUCT<t: TIMESTAMP>, l: ARRAY<TIMESTAMP>, "
                                  "m: MAP<STRING, ARRAY<STRUCT<n: TIMESTAMP_NTZ>>>>",
                                  NULL);
    /* as INT96 and unadjusted columns are read, the other way round, with nanoseconds, and right */
    append_foreign(t, "a.parquet",
                   "SELECT 1 AS i, TIMESTAMP '2024-01-01 12:00:00.5' AS ts, TIMESTAMPTZ '2024-01-01 12:00:00+00' AS tn, "
                   "{'t': TIMESTAMP '2024-01-01 12:00:00'} AS s, [TIMESTAMP '2024-01-01 12:00:00', NULL] AS l, "
                   "MAP {'k': [{'n': TIMESTAMPTZ '2024-01-01 12:00:00+00'}]} AS m",
                   NULL);
    append_foreign(t, "b.parquet", "SELECT 2 AS i, TIMESTAMP_NS '2024-01-01 12:00:00.5' AS ts, TIMESTAMP_NS '2024-01-01 12:00:00' AS tn", NULL);
    append_foreign(t, "c.parquet",
                   "SELECT 3 AS i, TIMESTAMPTZ '2024-01-01 12:00:00.5+00' AS ts, TIMESTAMP '2024-01-01 12:00:00' AS tn, "
                   "{'t': NULL::TIMESTAMP} AS s",
                   NULL);
    append_foreign(t, "d.parquet",
                   "SELECT 4 AS i, NULL::TIMESTAMP AS ts, NULL::TIMESTAMPTZ AS tn, NULL::STRUCT(t TIMESTAMP) AS s, NULL::TIMESTAMP[] AS l", NULL);
    assert_string_equal(types_of(t),
                        "i INTEGER, ts TIMESTAMP WITH TIME ZONE, tn TIMESTAMP, s STRUCT(t TIMESTAMP WITH TIME ZONE), l TIMESTAMP WITH TIME ZONE[], "
                        "m MAP(VARCHAR, STRUCT(n TIMESTAMP)[])");
    struct buf sql = BUF_INIT;
    struct engine_hold *hold;
    struct engine_run run;
    duckdb_result result;
    buf_z(&sql, "SELECT string_agg(concat_ws(' ', i, epoch_us(ts), tn, s.t IS NULL, s IS NULL, epoch_us(s.t), epoch_us(l[1]), len(l), m['k'][1].n), "
                "'|' ORDER BY i) FROM ");
    OK(f, scan_text(t, &sql, &hold));
    OK(f, run_begin(&f->ctx, f->engine, STR("SET TimeZone='America/New_York'"), &run, &f->err));
    OK(f, run_query(&run, buf_view(&sql), &result, &f->err));
    char *text = duckdb_value_varchar(&result, 0, 0);
    assert_string_equal(text, "1 1704110400500000 2024-01-01 12:00:00 false false 1704110400000000 1704110400000000 2 2024-01-01 12:00:00|"
                              "2 1704110400500000 2024-01-01 12:00:00 true true|"
                              "3 1704110400500000 2024-01-01 12:00:00 true false|"
                              "4 true true");
    duckdb_free(text);
    duckdb_destroy_result(&result);
    run_end(&run);
    engine_hold_free(hold);
    buf_release(&sql);
    pretended_free(t);
}

static void strings_without_annotation(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "binary", "STRUCT<v: STRING, b: BINARY>", NULL);
    append_foreign(t, "a.parquet", "SELECT encode('é') AS v, 'ü' AS b", NULL);
    assert_string_equal(query_table(t, "SELECT v || hex(b) FROM ", ""), "éC3BC");
    pretended_free(t);
}

static void names_that_need_care(void **state)
{
    struct fixture *f = *state;
    struct pretended *t =
        pretend(f, "names d'it[é]*", "STRUCT<`file_index`: INT, `filename`: STRING, `a b`: INT, `q\"'x.y`: INT, `ünï`: INT, p: STRING>", "p");
    append(t, "SELECT 1, 'f', 2, 3, 4, unnest(['x', 'y'])");
    append(t, "SELECT 5, 'g', 6, 7, 8, 'x'");
    assert_int_equal(t->file_count, 3);
    assert_string_equal(query_table(t, "SELECT concat_ws(',', file_index, filename, \"a b\", \"q\"\"'x.y\", ünï, p) FROM ", "ORDER BY ALL"),
                        "1,f,2,3,4,x|1,f,2,3,4,y|5,g,6,7,8,x");
    assert_string_equal(query_table(t, "SELECT file_index FROM ", "WHERE p = 'y'"), "1");
    pretended_free(t);
}

static void partition_values_of_every_type(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *type, *one, *two, *as_text;
    } cases[] = {
        {"STRING", "a=b/c%20 é'", "", "a=b/c%20 é'|NULL|NULL"},
        {"BIGINT", "-9223372036854775808", "9223372036854775807", "-9223372036854775808|9223372036854775807|NULL"},
        {"INT", "-1", "2", "-1|2|NULL"},
        {"SMALLINT", "-1", "2", "-1|2|NULL"},
        {"TINYINT", "-1", "2", "-1|2|NULL"},
        {"BOOLEAN", "true", "false", "true|false|NULL"},
        {"FLOAT", "1.5", "-0.25", "1.5|-0.25|NULL"},
        {"DOUBLE", "1.0E300", "NaN", "1e+300|nan|NULL"},
        {"DATE", "0001-01-01", "9999-12-31", "0001-01-01|9999-12-31|NULL"},
        {"TIMESTAMP", "2024-01-01T10:00:00.5Z", "2024-01-01 10:00:00", "2024-01-01 10:00:00.5+00|2024-01-01 10:00:00+00|NULL"},
        {"TIMESTAMP_NTZ", "2024-01-01 10:00:00.123456", "1969-12-31 23:59:59", "2024-01-01 10:00:00.123456|1969-12-31 23:59:59|NULL"},
        {"DECIMAL(4,2)", "1.5", "-12.34", "1.50|-12.34|NULL"},
        {"DECIMAL(9,2)", "1.5", "-12.34", "1.50|-12.34|NULL"},
        {"DECIMAL(18,2)", "1.5", "-12.34", "1.50|-12.34|NULL"},
        {"DECIMAL(38,10)", "1234567890123456789012345678.0123456789", "-1", "1234567890123456789012345678.0123456789|-1.0000000000|NULL"},
        {"BINARY", "ab\x01", "z", "ab\\x01|z|NULL"},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        char *schema = arena_printf(&f->arena, "STRUCT<p: %s, i: INT>", cases[i].type), *name = arena_printf(&f->arena, "part%zu", i);
        struct pretended *t = pretend(f, name, schema, "p");
        append_foreign(t, "a.parquet", "SELECT 1 AS i", (struct str[]){str_of(cases[i].one)});
        assert_null(strstr(relation_of(t), "varve_partition")); /* one value: a literal */
        append_foreign(t, "b.parquet", "SELECT 2 AS i", (struct str[]){str_of(cases[i].two)});
        append_foreign(t, "c.parquet", "SELECT 3 AS i", (struct str[]){STR_NULL});
        assert_non_null(strstr(relation_of(t), "varve_partition"));
        assert_string_equal(query_table(t, "SELECT p::VARCHAR FROM ", "ORDER BY i"), cases[i].as_text);
        const char *kind = query_table(t, "SELECT DISTINCT typeof(p) FROM ", "");
        t->file_count = 1;
        assert_string_equal(query_table(t, "SELECT typeof(p) FROM ", ""), kind);
        assert_memory_equal(query_table(t, "SELECT p::VARCHAR FROM ", ""), cases[i].as_text, strchr(cases[i].as_text, '|') - cases[i].as_text);
        pretended_free(t);
    }
}

/* Many files, several threads, filters and joins in between: every row keeps its own file's value. */
static void partition_values_in_bulk(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "bulk", "STRUCT<i: BIGINT, p: INT, q: STRING>", "p,q");
    for (int i = 0; i < 60; i++) {
        char *name = arena_printf(&f->arena, "f%d.parquet", i), *p = arena_printf(&f->arena, "%d", i),
             *q = arena_printf(&f->arena, "a rather long text number %d", i / 2);
        char *rows = arena_printf(&f->arena, "SELECT range * 100 + %d AS i FROM range(%d)", i, i % 7 == 0 ? 3 : 5000 + i);
        append_foreign(t, name, rows, (struct str[]){i % 10 == 9 ? STR_NULL : str_of(p), str_of(q)});
    }
    assert_string_equal(
        query_table(t, "SELECT count(*) FROM ", "WHERE i % 100 <> coalesce(p, i % 100) OR q <> 'a rather long text number ' || ((i % 100) // 2)"),
        "0");
    assert_string_equal(query_table(t, "SELECT count(DISTINCT p) FROM ", ""), "54");
    assert_string_equal(query_table(t, "SELECT count(*) FROM ", "WHERE p IS NULL AND i % 10 <> 9"), "0");
    assert_string_equal(query_table(t, "SELECT count(*) FROM ", "WHERE p = 13"), "5013");
    assert_string_equal(query_table(t, "SELECT count(*) FROM ", "WHERE i % 1000 = 113"), "502");
    assert_string_equal(query_table(t, "SELECT count(*) FROM range(6000) r JOIN ", "ON t.i = r.range * 100 + 13 WHERE p <> 13"), "0");
    assert_string_equal(
        query_table(t, "SELECT count(*) FROM (SELECT i, p, row_number() OVER (ORDER BY hash(i)) n FROM ", ") WHERE i % 100 <> coalesce(p, i % 100)"),
        "0");
    pretended_free(t);
}

static void track(struct pretended *t, size_t file, int64_t first, int64_t version)
{
    t->files[file].base_row_id = first;
    t->files[file].row_commit_version = version;
}

/* Ids stand in the file, or follow from its first one, or there are none. */
static void rows_with_their_ids(void **state)
{
    struct fixture *f = *state;
    const struct delta_row_columns columns = {STR("the id"), STR("the version")};
    struct pretended *t = pretend(f, "tracked", "STRUCT<a: INT, p: STRING>", "p");
    t->row_columns = &columns;
    assert_string_equal(query_table(t, "SELECT \"the id\" FROM ", ""), "");
    append(t, "SELECT range::INT, 'x' FROM range(3)");
    track(t, 0, 100, 7);
    assert_string_equal(types_of(t), "a INTEGER, p VARCHAR, the id BIGINT, the version BIGINT");
    assert_string_equal(query_table(t, "SELECT \"the id\" FROM ", "ORDER BY a"), "100|101|102");
    append_foreign(
        t, "carried.parquet",
        "SELECT range::INT AS a, CASE range WHEN 10 THEN 5 END AS \"the id\", CASE range WHEN 11 THEN 2 END AS \"the version\" FROM range(10, 13)",
        &STR_NULL);
    track(t, 1, 200, 9);
    append(t, "SELECT 20, NULL::VARCHAR");
    track(t, 2, -1, -1);
    assert_string_equal(query_table(t, "SELECT concat_ws(' ', a, p, \"the id\", \"the version\") FROM ", "ORDER BY a"),
                        "0 x 100 7|1 x 101 7|2 x 102 7|10 5 9|11 201 2|12 202 9|20");
    assert_string_equal(query_table(t, "SELECT a FROM ", "WHERE \"the id\" = 201"), "11");
    pretended_free(t);
}

static void files_tell_their_types(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "typed", "STRUCT<i: BIGINT, s: STRUCT<d: DECIMAL(9,2)>, l: ARRAY<INT>, p: INT>", "p");
    bool same[5];
    append(t, "SELECT 1::BIGINT, {'d': 1::DECIMAL(9,2)}, [1::INT], 1");
    append_foreign(t, "narrow.parquet", "SELECT 1::INT AS i", &STR("1"));
    append_foreign(t, "other scale.parquet", "SELECT 1::BIGINT AS i, {'d': 1::DECIMAL(9,3)} AS s", &STR("1"));
    append_foreign(t, "element.parquet", "SELECT [1::BIGINT] AS l", &STR("1"));
    append_foreign(t, "partition.parquet", "SELECT 1::BIGINT AS i, 1::TINYINT AS p, 5 AS stranger", &STR("1"));
    struct engine_scan scan = {.table_name = STR("t"),
                               .schema = t->schema,
                               .partition_columns = t->partition_columns,
                               .partition_column_count = t->partition_count,
                               .store = t->store,
                               .files = t->files,
                               .file_count = t->file_count};
    assert_int_equal(t->file_count, 5);
    OK(f, engine_scan_types(&f->ctx, f->engine, &scan, same, &f->err));
    assert_true(same[0] && !same[1] && !same[2] && !same[3] && same[4]);
    scan.file_count = 0;
    OK(f, engine_scan_types(&f->ctx, f->engine, &scan, same, &f->err));
    add_file(t, STR("gone.parquet"), 10, &STR("1"));
    scan.files = &t->files[5];
    scan.file_count = 1;
    FAILS(f, STATUS_FILE_NOT_FOUND, engine_scan_types(&f->ctx, f->engine, &scan, same, &f->err));
    pretended_free(t);
}

static void missing_and_broken_files(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "broken", "STRUCT<i: INT>", NULL);
    struct buf sql = BUF_INIT;
    struct engine_hold *hold;
    append_foreign(t, "a b.parquet", "SELECT 1 AS i", NULL);
    add_file(t, STR("gone away.parquet"), 10, NULL);
    FAILS(f, STATUS_FILE_NOT_FOUND, scan_text(t, &sql, &hold));
    assert_string_equal(f->err.message, "data file \"gone%20away.parquet\" of table \"t\" does not exist");
    assert_null(hold);
    t->file_count = 1;
    fixture_clear(f);
    assert_int_equal(store_put(t->store, &f->ctx, STR("junk.parquet"), "PAR1 not really PAR1", 20, &f->err), STORE_OK);
    add_file(t, STR("junk.parquet"), 20, NULL);
    FAILS(f, STATUS_CORRUPT_DATA, scan_text(t, &sql, &hold));
    assert_non_null(strstr(f->err.message, "\"t\""));
    t->file_count = 1;
    t->files[1] = (struct delta_file){.path = STR("bad%zz.parquet")};
    t->file_count = 2;
    FAILS(f, STATUS_CORRUPT_LOG, scan_text(t, &sql, &hold));
    buf_release(&sql);
    fixture_clear(f);
    pretended_free(t);
}

/* A file that vanishes after its footer was seen fails when it is read. */
static void vanishing_file(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "vanish", "STRUCT<i: INT>", NULL);
    struct buf sql = BUF_INIT;
    struct engine_hold *hold;
    struct ArrowArrayStream stream;
    append(t, "SELECT 1");
    struct buf key = BUF_INIT;
    uri_decode(&key, t->files[0].path);
    store_remove(t->store, &f->ctx, buf_view(&key), &f->err);
    buf_z(&sql, "FROM ");
    OK(f, scan_text(t, &sql, &hold)); /* primed by the write: no footer is read */
    FAILS(f, STATUS_FILE_NOT_FOUND, engine_query(&f->ctx, f->engine, buf_view(&sql), hold, STR_NULL, &stream, &f->err));
    buf_release(&key);
    buf_release(&sql);
    fixture_clear(f);
    pretended_free(t);
}

/* Fields of structs, in lists and maps too, have other names in the files; some files have other names for the case of letters,
 * some lack columns, and some hold a column that the table dropped. */
static void mapped_columns_by_name(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "mapped",
                                  "STRUCT<`a.b`: INT, s: STRUCT<x: INT, y: STRUCT<z: STRING>>, l: ARRAY<STRUCT<q: INT>>, "
                                  "m: MAP<STRING, STRUCT<w: TIMESTAMP>>, p: STRING>",
                                  "p");
    map_columns(t, DELTA_MAPPING_NAME);
    const struct str one[] = {STR("1")}, none[] = {STR_NULL};
    append_foreign(t, "a.parquet",
                   "SELECT 1 AS c1, {'c3': 3, 'c4': {'c5': 'five'}} AS c2, [{'c7': 7}, NULL, {'c7': NULL}] AS c6, "
                   "MAP {'k': {'c9': TIMESTAMP '2024-01-01 00:00:00'}} AS c8, 99 AS \"a.b\", 98 AS p",
                   one);
    append_foreign(t, "b.parquet", "SELECT {'C3': 33, 'old': 0} AS C2, 2::BIGINT AS C1", none);
    append_foreign(t, "c.parquet", "SELECT 3 AS c1, NULL::STRUCT(c3 INT, c4 STRUCT(c5 VARCHAR)) AS c2, NULL::STRUCT(c7 INT)[] AS c6", one);
    assert_string_equal(query_table(t, "SELECT concat_ws(' ', \"a.b\", s.x, s.y.z, s IS NULL, l, epoch(m['k'].w)::INT, p) FROM ", "ORDER BY \"a.b\""),
                        "1 3 five false [{'q': 7}, NULL, {'q': NULL}] 1704067200 1|2 33 false|3 true 1");
    assert_string_equal(types_of(t), "a.b INTEGER, s STRUCT(x INTEGER, y STRUCT(z VARCHAR)), l STRUCT(q INTEGER)[], "
                                     "m MAP(VARCHAR, STRUCT(w TIMESTAMP WITH TIME ZONE)), p VARCHAR");
    assert_string_equal(query_table(t, "SELECT \"a.b\" FROM ", "WHERE s.x = 33 AND p IS NULL"), "2");
    pretended_free(t);
}

/* By id names do not count: this file has another column under the name that the table's column has in other files. */
static void mapped_columns_by_id(void **state)
{
    struct fixture *f = *state;
    struct pretended *t =
        pretend(f, "byid", "STRUCT<a: INT, s: STRUCT<x: INT, y: INT>, l: ARRAY<STRUCT<q: INT>>, m: MAP<STRING, STRUCT<w: INT>>, v: STRING>", NULL);
    map_columns(t, DELTA_MAPPING_ID);
    append(t, "SELECT 1, {'x': 3, 'y': 4}, [{'q': 6}], MAP {'k': {'w': 8}}, 'v'");
    struct buf path = BUF_INIT;
    store_locate(t->store, STR("x.parquet"), &path);
    run_sql(f,
            arena_printf(&f->arena,
                         "COPY (SELECT 'other' AS c1, 2 AS n1, {'c4': 33, 'n': 44} AS n2, [{'c1': 66}] AS c8, MAP {'k': {'c3': 88}} AS c5) TO '%s' "
                         "(FORMAT parquet, FIELD_IDS {c1: 50, n1: 1, n2: {__duckdb_field_id: 2, c4: 3, n: 4}, c8: {__duckdb_field_id: 5, "
                         "element: {c1: 6}}, c5: {__duckdb_field_id: 7, value: {c3: 8}}})",
                         path.ptr));
    struct store_entry entry;
    assert_int_equal(store_stat(t->store, &f->ctx, STR("x.parquet"), &entry, &f->err), STORE_OK);
    add_file(t, STR("x.parquet"), entry.size_bytes, NULL);
    assert_string_equal(query_table(t, "SELECT concat_ws(' ', a, s, l, m, v) FROM ", "ORDER BY a"),
                        "1 {'x': 3, 'y': 4} [{'q': 6}] {k={'w': 8}} v|2 {'x': 33, 'y': 44} [{'q': 66}] {k={'w': 88}}");
    buf_release(&path);
    pretended_free(t);
}

static void files_without_field_ids(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "noids", "STRUCT<a: INT>", NULL);
    struct buf sql = BUF_INIT;
    struct engine_hold *hold;
    append_foreign(t, "a.parquet", "SELECT 1 AS c1", NULL);
    map_columns(t, DELTA_MAPPING_NAME);
    assert_string_equal(query_table(t, "SELECT a FROM ", ""), "1");
    map_columns(t, DELTA_MAPPING_ID);
    FAILS(f, STATUS_CORRUPT_DATA, scan_text(t, &sql, &hold));
    buf_release(&sql);
    pretended_free(t);
}

static void mapped_top_columns_need_an_alias_only(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "alias", "STRUCT<a: INT, b: STRING>", NULL);
    map_columns(t, DELTA_MAPPING_NAME);
    append(t, "SELECT 1, 'x'");
    const char *sql = relation_of(t);
    assert_non_null(strstr(sql, "\"c1\" AS \"a\", \"c2\" AS \"b\" FROM read_parquet("));
    assert_null(strstr(sql, "CAST"));
    pretended_free(t);
}

/* decimals_whose_stored_scale_differs, and every other type that widens (protocol "Type Widening"). */
static void stored_narrower_than_the_table_says(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "widened",
                                  "STRUCT<a: BIGINT, f: DOUBLE, d: TIMESTAMP_NTZ, e: DECIMAL(10,4), i: DECIMAL(12,1), j: DOUBLE, "
                                  "s: STRUCT<x: BIGINT>, l: ARRAY<BIGINT>>",
                                  NULL);
    append_foreign(t, "a.parquet",
                   "SELECT 1::TINYINT AS a, 0.5::FLOAT AS f, DATE '2024-01-01' AS d, 1.25::DECIMAL(5,2) AS e, 7::SMALLINT AS i, 8::INT AS j, "
                   "{'x': 3::SMALLINT} AS s, [1::INT, NULL] AS l",
                   NULL);
    append(t, "SELECT 30000000000, 0.1, TIMESTAMP '2024-01-01 12:00:00', 1.2512, 7.5, 0.5, {'x': 30000000000}, [10000000000]");
    assert_string_equal(query_table(t, "SELECT concat_ws(' ', a, f, d, e, i, j, s.x, l) FROM ", "ORDER BY a"),
                        "1 0.5 2024-01-01 00:00:00 1.2500 7.0 8.0 3 [1, NULL]|"
                        "30000000000 0.1 2024-01-01 12:00:00 1.2512 7.5 0.5 30000000000 [10000000000]");
    assert_string_equal(query_table(t, "SELECT a FROM ", "WHERE d < TIMESTAMP '2024-01-01 12:00:00' AND e = 1.25 AND s.x = 3 AND a < 5"), "1");
    /* what the old type cannot say must not be rounded to it */
    static const char *const none[] = {"e > 1.2499 AND e < 1.25", "e = 1.2501", "i = 7.4",     "j = 8.3",
                                       "f = 0.50000000001",       "a = 257",    "s.x = 65539", "d = TIMESTAMP '2024-01-01 00:00:01'"};
    static const char *const one[] = {"e < 1.2511",          "e > 1.2488 AND e < 1.251", "i < 7.4",
                                      "i > 6.5 AND i < 7.2", "j < 8.5 AND j > 7.5",      "j <> 8.3 AND j > 1",
                                      "f > 0.49999999999",   "a <> 257 AND a < 300",     "d < TIMESTAMP '2024-01-01 00:00:01'"};
    for (size_t k = 0; k < VV_ARRAY_COUNT(none); k++)
        if (strcmp(query_table(t, "SELECT a FROM ", arena_printf(&f->arena, "WHERE %s", none[k])), "") != 0)
            fail_msg("%s", none[k]);
    for (size_t k = 0; k < VV_ARRAY_COUNT(one); k++)
        if (strcmp(query_table(t, "SELECT a FROM ", arena_printf(&f->arena, "WHERE %s", one[k])), "1") != 0)
            fail_msg("%s", one[k]);
    pretended_free(t);
}

/* Files hold plain numbers (protocol RFC "Interval Types"). */
static void intervals(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "intervals", "STRUCT<i: INT, m: VOID, d: VOID, l: ARRAY<INT>>", NULL);
    struct delta_type *schema = (struct delta_type *)(uintptr_t)t->schema;
    schema->fields[1].type->id = DELTA_INTERVAL_MONTHS;
    schema->fields[2].type->id = schema->fields[3].type->element->id = DELTA_INTERVAL_MICROS;
    append_foreign(t, "a.parquet",
                   "SELECT 1 AS i, 14::INT AS m, 90000000001::BIGINT AS d, [5::BIGINT, NULL] AS l UNION ALL SELECT 2, NULL, NULL, NULL", NULL);
    append(t, "SELECT 3, to_months(-14), to_microseconds(-5), [to_days(1)]");
    append_foreign(t, "b.parquet", "SELECT 4 AS i", NULL);
    assert_string_equal(query_table(t, "SELECT concat_ws(' ', i, m, d, l) FROM ", "ORDER BY i"),
                        "1 1 year 2 months 25:00:00.000001 ['00:00:00.000005', NULL]|2|3 -1 year -2 months -00:00:00.000005 ['24:00:00']|4");
    assert_string_equal(query_table(t, "SELECT i FROM ", "WHERE m = INTERVAL 14 MONTH AND d > INTERVAL 1 DAY"), "1");
    pretended_free(t);
}

/* Two binary values as Spark 4.0 and this program write them, the engine's own form with its annotation, shredded, and NULL. */
static void variants_in_every_form(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "variants", "STRUCT<i: INT, v: VARIANT, l: ARRAY<VARIANT>, s: STRUCT<x: VARIANT>>", NULL);
    append(t, "SELECT 1, '{\"a\": {\"b\": [1, 2]}}'::JSON::VARIANT, ['5'::JSON::VARIANT, NULL], {'x': '\"t\"'::JSON::VARIANT}");
    append_foreign(t, "b.parquet", "SELECT 2 AS i, '{\"a\": {\"b\": [3]}}'::JSON::VARIANT AS v", NULL);
    append_foreign(t, "c.parquet", "SELECT 3 AS i, NULL::STRUCT(metadata BLOB, \"value\" BLOB) AS v", NULL);
    append_foreign(t, "e.parquet", "SELECT 5 AS i, NULL::VARIANT AS v", NULL); /* the engine writes JSON's null for it */
    append_foreign(t, "d.parquet", "SELECT 4 AS i, 'nonsense' AS v", NULL);
    t->file_count--;
    assert_string_equal(query_table(t, "SELECT concat_ws(' ', i, v.a.b[1]::INT, CAST(v AS JSON), l[1]::INT, len(l), s.x::VARCHAR) FROM ",
                                    "WHERE v IS NOT NULL ORDER BY i"),
                        "1 1 {\"a\":{\"b\":[1,2]}} 5 2 t|2 3 {\"a\":{\"b\":[3]}}|5 null");
    assert_string_equal(query_table(t, "SELECT i FROM ", "WHERE v IS NULL"), "3");
    t->file_count++;
    struct buf sql = BUF_INIT;
    struct engine_hold *hold = NULL;
    struct ArrowArrayStream stream;
    buf_z(&sql, "SELECT v::VARCHAR FROM ");
    OK(f, scan_text(t, &sql, &hold));
    enum status st = engine_query(&f->ctx, f->engine, buf_view(&sql), hold, STR_NULL, &stream, &f->err);
    if (st == STATUS_OK) {
        struct ArrowArray array;
        assert_int_not_equal(stream.get_next(&stream, &array), 0);
        stream.release(&stream);
    }
    fixture_clear(f);
    buf_release(&sql);
    pretended_free(t);
}

static void absolute_paths_and_urls(void **state)
{
    struct fixture *f = *state;
    struct pretended *from = pretend(f, "elsewhere here", "STRUCT<i: INT>", NULL), *t = pretend(f, "absolute", "STRUCT<i: INT>", NULL);
    append_foreign(from, "x%41 y.parquet", "SELECT 5 AS i", NULL);
    char *path = arena_printf(&f->arena, "%.*s/x%%41 y.parquet", STR_ARG(from->store->root));
    struct buf encoded = BUF_INIT;
    uri_encode_path(&encoded, str_of(path));
    t->files[0] = (struct delta_file){.path = buf_view(&encoded), .size_bytes = 1};
    t->files[1] = (struct delta_file){.path = str_of(arena_printf(&f->arena, "file://%s", encoded.ptr)), .size_bytes = 1};
    t->files[2] = (struct delta_file){.path = str_of(arena_printf(&f->arena, "file:%s", encoded.ptr)), .size_bytes = 1};
    t->file_count = 3;
    assert_string_equal(query_table(t, "SELECT i FROM ", ""), "5|5|5");
    buf_release(&encoded);
    pretended_free(from);
    pretended_free(t);
}

static void other_stores_are_refused(void **state)
{
    static const char *const far[] = {"s3://b/x.parquet", "abfss://c@a.dfs.core.windows.net/x", "dbfs:/x", "s3a://b/x", "gs+x.y-z://b"};
    static const char *const near[] = {"1:/x", ":/x", "p=a:/x", "file", "a:b", "s3:x"}; /* only not there */
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "far", "STRUCT<i: INT>", NULL);
    struct buf sql = BUF_INIT;
    struct engine_hold *hold;
    t->file_count = 1;
    for (size_t i = 0; i < VV_ARRAY_COUNT(far); i++) {
        t->files[0] = (struct delta_file){.path = str_of(far[i]), .size_bytes = 1};
        FAILS(f, STATUS_NOT_SUPPORTED, scan_text(t, &sql, &hold));
    }
    for (size_t i = 0; i < VV_ARRAY_COUNT(near); i++) {
        t->files[0] = (struct delta_file){.path = str_of(near[i]), .size_bytes = 1};
        FAILS(f, STATUS_FILE_NOT_FOUND, scan_text(t, &sql, &hold));
    }
    buf_release(&sql);
    pretended_free(t);
}

/* The stream keeps the dictionary that its plan needs, and gives it back. */
static void hold_lives_as_long_as_the_stream(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "held", "STRUCT<i: INT, p: STRING>", "p");
    struct ArrowArrayStream stream;
    struct ArrowArray array;
    struct engine_hold *hold;
    struct buf sql = BUF_INIT;
    append(t, "SELECT range::INT, 'p' || (range % 3) FROM range(30)");
    buf_z(&sql, "SELECT count(*) FROM ");
    OK(f, scan_text(t, &sql, &hold));
    buf_z(&sql, " WHERE p = 'p1'");
    OK(f, engine_query(&f->ctx, f->engine, buf_view(&sql), hold, STR_NULL, &stream, &f->err));
    assert_non_null(f->engine->partitions.first);
    assert_int_equal(stream.get_next(&stream, &array), 0);
    assert_int_equal(((const int64_t *)array.children[0]->buffers[1])[0], 10);
    array.release(&array);
    stream.release(&stream);
    assert_null(f->engine->partitions.first);
    FAILS(f, STATUS_INTERNAL,
          engine_query(&f->ctx, f->engine, STR("SELECT varve_partition_0(999424, 0::UBIGINT)"), NULL, STR_NULL, &stream, &f->err) == STATUS_OK
              ? STATUS_OK
              : STATUS_INTERNAL);
    buf_release(&sql);
    fixture_clear(f);
    pretended_free(t);
}

static void cache_is_bounded_and_right(void **state)
{
    struct fixture *f = *state;
    struct footer_cache *c = &f->engine->footers;
    struct footer_class class = {0};
    struct str paths[100];
    int64_t sizes[100];
    for (int round = 0; round < 300; round++) {
        for (int i = 0; i < 100; i++) {
            paths[i] = str_of(arena_printf(&f->arena, "/x/%d-%d", round, i));
            sizes[i] = i;
        }
        footer_cache_prime(f->engine, DELTA_MAPPING_NONE, schema_of(f, "STRUCT<i: INT>"), paths, sizes, 100);
    }
    assert_true(c->used >= 30000 && c->slot_count >= 2 * c->used);
    (void)class;
}

static void *scan_again_and_again(void *user)
{
    static char wrong[] = "wrong count";
    struct pretended *t = user;
    struct error err = ERROR_INIT;
    for (int i = 0; i < 30; i++) {
        struct engine_scan scan = {.table_name = STR("t"),
                                   .schema = t->schema,
                                   .partition_columns = t->partition_columns,
                                   .partition_column_count = t->partition_count,
                                   .store = t->store,
                                   .files = t->files,
                                   .file_count = t->file_count};
        struct buf sql = BUF_INIT;
        struct engine_hold *hold = NULL;
        struct ArrowArrayStream stream;
        struct ArrowArray array;
        buf_z(&sql, "SELECT count(*) FROM ");
        if (engine_scan_sql(&t->f->ctx, t->f->engine, &scan, &sql, &hold, &err) != STATUS_OK)
            return err.message;
        buf_z(&sql, " WHERE d = p");
        if (engine_query(&t->f->ctx, t->f->engine, buf_view(&sql), hold, STR_NULL, &stream, &err) != STATUS_OK)
            return err.message;
        stream.get_next(&stream, &array);
        if (((const int64_t *)array.children[0]->buffers[1])[0] != 200)
            return wrong;
        array.release(&array);
        stream.release(&stream);
        buf_release(&sql);
    }
    return NULL;
}

static void many_threads(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "threads", "STRUCT<d: DECIMAL(7,3), p: DECIMAL(7,3)>", "p");
    pthread_t threads[4];
    append(t, "SELECT (range % 20)::DECIMAL(7,3), (range % 20)::DECIMAL(7,3) FROM range(200)");
    footer_cache_release(&f->engine->footers);
    footer_cache_init(&f->engine->footers);
    for (int i = 0; i < 4; i++)
        pthread_create(&threads[i], NULL, scan_again_and_again, t);
    for (int i = 0; i < 4; i++) {
        void *complaint;
        pthread_join(threads[i], &complaint);
        if (complaint)
            fail_msg("%s", (const char *)complaint);
    }
    pretended_free(t);
}

static void failing_allocations(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "oom", "STRUCT<i: INT, p: STRING>", "p");
    append(t, "SELECT range::INT, 'p' || (range % 3) FROM range(30)");
    for (uint64_t n = 1; n < 400; n++) {
        struct buf sql = BUF_INIT;
        struct engine_hold *hold = NULL;
        fixture_clear(f);
        alloc_fail_after(n);
        enum status st = scan_text(t, &sql, &hold);
        alloc_fail_after(0);
        buf_release(&sql);
        if (st == STATUS_OK) {
            engine_hold_free(hold);
            assert_true(n > 10);
            break;
        }
        assert_int_equal(st, STATUS_OUT_OF_MEMORY);
        assert_null(hold);
    }
    assert_null(f->engine->partitions.first);
    fixture_clear(f);
    pretended_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_files_are_a_typed_relation),
        cmocka_unit_test(equal_files_are_read_as_they_are),
        cmocka_unit_test(columns_missing_or_narrower),
        cmocka_unit_test(timestamps_whatever_the_session),
        cmocka_unit_test(strings_without_annotation),
        cmocka_unit_test(names_that_need_care),
        cmocka_unit_test(partition_values_of_every_type),
        cmocka_unit_test(partition_values_in_bulk),
        cmocka_unit_test(rows_with_their_ids),
        cmocka_unit_test(files_tell_their_types),
        cmocka_unit_test(missing_and_broken_files),
        cmocka_unit_test(vanishing_file),
        cmocka_unit_test(mapped_columns_by_name),
        cmocka_unit_test(mapped_columns_by_id),
        cmocka_unit_test(files_without_field_ids),
        cmocka_unit_test(mapped_top_columns_need_an_alias_only),
        cmocka_unit_test(stored_narrower_than_the_table_says),
        cmocka_unit_test(intervals),
        cmocka_unit_test(variants_in_every_form),
        cmocka_unit_test(absolute_paths_and_urls),
        cmocka_unit_test(other_stores_are_refused),
        cmocka_unit_test(hold_lives_as_long_as_the_stream),
        cmocka_unit_test(cache_is_bounded_and_right),
        cmocka_unit_test(many_threads),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
