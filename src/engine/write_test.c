#include "base/base.h"

#include "engine/table_fixture.h"

static const struct delta_column_stats *stats_of(const struct engine_written_file *file, const char *path)
{
    for (size_t i = 0; i < file->column_count; i++) {
        char text[256] = "";
        for (uint32_t d = 0; d < file->columns[i].depth; d++)
            snprintf(text + strlen(text), sizeof(text) - strlen(text), "%s%.*s", d ? "/" : "", STR_ARG(file->columns[i].path[d]));
        if (strcmp(text, path) == 0)
            return &file->columns[i];
    }
    return NULL;
}

static void expect_stats(const struct engine_written_file *file, const char *path, const char *min, const char *max, int64_t nulls)
{
    const struct delta_column_stats *s = stats_of(file, path);
    if (!s)
        fail_msg("no statistics for %s", path);
    if (!str_eq(s->min, min ? str_of(min) : STR("")) || !str_eq(s->max, max ? str_of(max) : STR("")) || s->null_count != nulls)
        fail_msg("%s: min %.*s max %.*s nulls %lld", path, STR_ARG(s->min), STR_ARG(s->max), (long long)s->null_count);
}

static const char all_types[] =
    "STRUCT<l: BIGINT, i: INT, sm: SMALLINT, ti: TINYINT, f: FLOAT, d: DOUBLE, d9: DECIMAL(9,2), d38: DECIMAL(38,10), b: BOOLEAN, v: STRING, bi: "
    "BINARY, "
    "dt: DATE, ts: TIMESTAMP, tn: TIMESTAMP_NTZ, s: STRUCT<`x.y`: INT, q: STRUCT<`w\"`: STRING>>, a: ARRAY<INT>, m: MAP<STRING, DOUBLE>, no: VOID, "
    "deep: ARRAY<STRUCT<k: MAP<INT, ARRAY<STRING>>>>>";

static const char extreme_rows[] =
    "SELECT * FROM (VALUES "
    "(-9223372036854775808, -2147483648, -32768, -128, '-inf'::FLOAT, '-inf'::DOUBLE, -9999999.99, "
    "'-9999999999999999999999999999.9999999999'::DECIMAL(38,10), false, '', "
    "''::BLOB, DATE '0001-01-01', TIMESTAMPTZ '0001-01-01 00:00:00+00', TIMESTAMP '0001-01-01', {'x.y': NULL, 'q': {'w\"': 'é'}}, [], MAP {'': "
    "'nan'::DOUBLE}, NULL, "
    "[{'k': MAP {1: ['a', NULL], 2: NULL}}, NULL]), "
    "(9223372036854775807, 2147483647, 32767, 127, 'inf', 'nan', 9999999.99, '9999999999999999999999999999.9999999999', true, 'ü\"''\\\n', "
    "'\\x00\\xFF', "
    "'9999-12-31', '9999-12-31 23:59:59.999999+00', '9999-12-31 23:59:59.999999', {'x.y': 5, 'q': NULL}, [NULL, 1], MAP {'k': NULL}, NULL, []), "
    "(0, 0, 0, 0, '-0.0', '-0.0', 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)) t";

static void every_type_comes_back(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "all", all_types, NULL);
    struct engine_written w;
    char *cast = arena_printf(
        &f->arena,
        "SELECT col0::BIGINT, col1::INT, col2::SMALLINT, col3::TINYINT, col4::FLOAT, col5::DOUBLE, col6::DECIMAL(9,2), col7, col8, col9, "
        "col10, col11, col12, col13, col14, col15, col16, NULL::INTEGER, col18 FROM (%s)",
        extreme_rows);
    OK(f, write_rows(t, cast, NULL, &w));
    assert_int_equal(w.file_count, 1);
    assert_int_equal(w.row_count, 3);
    add_file(t, w.files[0].path, w.files[0].size_bytes, NULL);
    const struct engine_written_file *file = &w.files[0];
    expect_stats(file, "l", "-9223372036854775808", "9223372036854775807", 0);
    expect_stats(file, "ti", "-128", "127", 0);
    expect_stats(file, "d9", "-9999999.99", "9999999.99", 0);
    expect_stats(file, "d38", "-9999999999999999999999999999.9999999999", "9999999999999999999999999999.9999999999", 0);
    expect_stats(file, "v", "", "ü\"'\\\n", 1);
    expect_stats(file, "dt", "0001-01-01", "9999-12-31", 1);
    expect_stats(file, "ts", "0001-01-01 00:00:00+00", "9999-12-31 23:59:59.999999+00", 1);
    expect_stats(file, "tn", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", 1);
    expect_stats(file, "s/x.y", "5", "5", 2);
    expect_stats(file, "s/q/w\"", "é", "é", 2);
    expect_stats(file, "f", "-inf", "inf", 0);
    assert_true(stats_of(file, "d")->has_nan && !stats_of(file, "f")->has_nan);
    assert_null(stats_of(file, "a"));
    assert_null(stats_of(file, "m/key"));
    assert_null(stats_of(file, "no"));
    assert_int_equal(file->column_count, 16);
    engine_written_release(&w);
    char *same = arena_printf(&f->arena,
                              ") SELECT count(*) FROM ((SELECT %s FROM a EXCEPT ALL SELECT %s FROM (%s) AS b(l, i, sm, ti, f, d, d9, d38, b, v, bi, "
                              "dt, ts, tn, s, a, m, no, deep)))",
                              "*", "*", cast);
    assert_string_equal(query_table(t, "WITH a AS (SELECT * FROM ", same), "0");
    assert_string_equal(query_table(t, "SELECT signbit(d)::INT || signbit(f)::INT FROM ", "WHERE l = 0"), "11");
    assert_string_equal(query_table(t, "SELECT v IS NULL FROM ", "ORDER BY l"), "false|true|false");
    pretended_free(t);
}

static void long_strings(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "long", "STRUCT<v: STRING, n: STRING>", NULL);
    struct engine_written w;
    OK(f, write_rows(t, "SELECT repeat('xy', 524288), repeat('é', 524288)", NULL, &w));
    add_file(t, w.files[0].path, w.files[0].size_bytes, NULL);
    const struct delta_column_stats *s = stats_of(&w.files[0], "v");
    assert_true(s->min.len <= 1024 && (s->max.ptr == NULL || str_cmp(s->max, s->min) > 0)); /* bounds, not cut values */
    engine_written_release(&w);
    assert_string_equal(query_table(t, "SELECT length(v) || '/' || strlen(n) FROM ", ""), "1048576/1048576");
    pretended_free(t);
}

static void names_and_paths(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "it's [a] {uuid} 100%", "STRUCT<i: INT>", NULL);
    struct engine_written w;
    static const char *const codecs[] = {"snappy", "zstd", "uncompressed", "gzip", "lz4_raw"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(codecs); i++) {
        OK(f, write_rows(t, "SELECT 1", &(struct engine_write){.compression = str_of(codecs[i])}, &w));
        char suffix[32];
        snprintf(suffix, sizeof(suffix), i == 2 ? ".c000.parquet" : ".c000.%s.parquet", codecs[i]);
        assert_true(str_starts(w.files[0].path, STR("part-00000-")) && str_ends(w.files[0].path, str_of(suffix)));
        assert_int_equal(w.files[0].path.len, 11 + 36 + strlen(suffix));
        add_file(t, w.files[0].path, w.files[0].size_bytes, NULL);
        engine_written_release(&w);
    }
    assert_string_equal(query_table(t, "SELECT sum(i) FROM ", ""), "5");
    FAILS(f, STATUS_INVALID_ARGUMENT, write_rows(t, "SELECT 1", &(struct engine_write){.compression = STR("rar")}, &w));
    fixture_clear(f);
    pretended_free(t);
}

static void no_rows_no_files(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "none", "STRUCT<i: INT, p: INT>", NULL), *p = pretend(f, "nonep", "STRUCT<i: INT, p: INT>", "p");
    struct engine_written w;
    OK(f, write_rows(t, "SELECT 1, 2 WHERE false", NULL, &w));
    assert_int_equal(w.file_count, 0);
    assert_int_equal(w.row_count, 0);
    engine_written_release(&w);
    OK(f, write_rows(p, "SELECT 1, 2 WHERE false", NULL, &w));
    assert_int_equal(w.file_count, 0);
    engine_written_release(&w);
    char *glob = arena_printf(&f->arena, "SELECT count(*) FROM glob('%s/none*/**')", f->directory);
    assert_string_equal(ask(f, str_of(glob)), "0");
    pretended_free(t);
    pretended_free(p);
}

/* The engine's threads fill row groups side by side: where a file ends, neighbours may have swapped some. */
enum { SWAPPED_ROWS = 2 * 122880 };

static void target_size_and_order(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "large", "STRUCT<i: BIGINT, v: STRING>", NULL);
    struct engine_written w;
    OK(f, write_rows(t, "SELECT range, md5(range::VARCHAR) FROM range(800000) ORDER BY range", &(struct engine_write){.target_file_bytes = 8 << 20},
                     &w));
    assert_true(w.file_count >= 3);
    int64_t rows = 0, bytes = 0;
    for (size_t i = 0; i < w.file_count; i++) {
        rows += w.files[i].row_count;
        bytes += w.files[i].size_bytes;
        assert_true(w.files[i].size_bytes < 20 << 20);
        int64_t span = strtoll(stats_of(&w.files[i], "i")->max.ptr, NULL, 10) - strtoll(stats_of(&w.files[i], "i")->min.ptr, NULL, 10) + 1;
        assert_true(span - w.files[i].row_count <= SWAPPED_ROWS);
        add_file(t, w.files[i].path, w.files[i].size_bytes, NULL);
    }
    assert_true(rows == 800000 && rows == w.row_count && bytes == w.size_bytes);
    engine_written_release(&w);
    assert_string_equal(query_table(t, "SELECT count(*) || '/' || count(DISTINCT i) FROM ", ""), "800000/800000");
    pretended_free(t);
}

static int64_t files_under(struct fixture *f, const char *name)
{
    return strtoll(ask(f, str_of(arena_printf(&f->arena, "SELECT count(*) FROM glob('%s/%s/**')", f->directory, name))), NULL, 10);
}

/* DuckDB cannot do both at once: the file of a partition that is too large is split. */
static void target_size_within_partitions(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "large partitions", "STRUCT<p: STRING, i: BIGINT, v: STRING, ts: TIMESTAMP>", "p");
    struct engine_written w;
    OK(f, write_rows(t,
                     "SELECT CASE WHEN range < 600000 THEN 'a/b ü' WHEN range < 600010 THEN NULL ELSE 'c' END, range, md5(range::VARCHAR), "
                     "make_timestamptz(range) FROM range(800000) ORDER BY range",
                     &(struct engine_write){.target_file_bytes = 3 << 20}, &w));
    size_t of_a = 0, of_null = 0, of_c = 0;
    int64_t rows = 0, bytes = 0;
    for (size_t i = 0; i < w.file_count; i++) {
        const struct engine_written_file *file = &w.files[i];
        const struct str p = file->partition_values[0];
        (*(!p.ptr ? &of_null : str_eq(p, STR("c")) ? &of_c : &of_a))++;
        rows += file->row_count;
        bytes += file->size_bytes;
        assert_true(file->size_bytes < 10 << 20);
        assert_true(strtoll(stats_of(file, "i")->max.ptr, NULL, 10) - strtoll(stats_of(file, "i")->min.ptr, NULL, 10) + 1 >= file->row_count);
        add_file(t, file->path, file->size_bytes, file->partition_values);
    }
    assert_true(of_a >= 3 && of_c >= 1 && of_null == 1);
    assert_true(rows == 800000 && rows == w.row_count && bytes == w.size_bytes);
    assert_int_equal(files_under(f, "large partitions"), w.file_count);
    engine_written_release(&w);
    assert_string_equal(
        query_table(t, "SELECT count(*) || '/' || count(DISTINCT i) || '/' || count(p) || '/' || bool_and(epoch_us(ts) = i) FROM ", ""),
        "800000/800000/799990/true");
    pretended_free(t);
}

/* Values that directories cannot hold as they are, through directory names and back. */
static void awkward_partition_values(void **state)
{
    struct fixture *f = *state;
    static const char *const values[] = {
        "a=b", "a/b", "100%", "%2F", "a b", "üé", ".", "..", "it's", "\"", "*?[a]", "+:&;,", "\\", "{x}", "a\tb\nc", " lead and trail ", "0", "NULL"};
    struct pretended *t = pretend(f, "awkward", "STRUCT<i: INT, p: STRING>", "p");
    struct buf sql = BUF_INIT;
    struct engine_written w;
    buf_z(&sql, "SELECT * FROM (VALUES (100::INT, NULL), (101, '')");
    for (size_t i = 0; i < VV_ARRAY_COUNT(values); i++) {
        buf_printf(&sql, ", (%zu, ", i);
        engine_quote_literal(str_of(values[i]), &sql);
        buf_char(&sql, ')');
    }
    buf_z(&sql, ")");
    OK(f, write_rows(t, sql.ptr, NULL, &w));
    assert_int_equal(w.row_count, VV_ARRAY_COUNT(values) + 2);
    for (size_t i = 0; i < w.file_count; i++)
        add_file(t, w.files[i].path, w.files[i].size_bytes, w.files[i].partition_values);
    engine_written_release(&w);
    for (size_t i = 0; i < VV_ARRAY_COUNT(values); i++) {
        char *where = arena_printf(&f->arena, "WHERE i = %zu", i);
        assert_string_equal(query_table(t, "SELECT p FROM ", where), values[i]);
    }
    assert_string_equal(query_table(t, "SELECT count(*) FROM ", "WHERE p IS NULL"), "2");
    FAILS(f, STATUS_INVALID_ARGUMENT, write_rows(t, "SELECT 1, '__HIVE_DEFAULT_PARTITION__'", NULL, &w));
    fixture_clear(f);
    buf_release(&sql);
    pretended_free(t);
}

static void long_partition_values(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "longp", "STRUCT<i: INT, p: STRING>", "p");
    append(t, "SELECT range::INT, repeat('ü', range::INT * 100) FROM range(1, 5)");
    assert_int_equal(t->file_count, 4);
    assert_string_equal(query_table(t, "SELECT length(p) FROM ", "ORDER BY i"), "100|200|300|400");
    pretended_free(t);
}

static void many_partitions_make_one_file_each(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "manyp", "STRUCT<i: BIGINT, p: INT>", "p");
    append(t, "SELECT range, (range % 200)::INT FROM range(1200000)");
    assert_int_equal(t->file_count, 200);
    assert_string_equal(query_table(t, "SELECT count(*) FROM ", "WHERE i % 200 = p"), "1200000");
    pretended_free(t);
}

static void partition_values_are_canonical(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "canon", "STRUCT<i: INT, ts: TIMESTAMP, d: DECIMAL(10,2), f: DOUBLE>", "ts,d,f");
    struct engine_written w;
    OK(f, write_rows(t, "SELECT 1, TIMESTAMPTZ '2024-01-01 10:00:00.5+02', 1.5::DECIMAL(10,2), '-inf'::DOUBLE",
                     &(struct engine_write){.session_settings = STR("SET TimeZone='America/New_York'")}, &w));
    assert_int_equal(w.file_count, 1);
    int64_t us;
    bool zone;
    assert_true(timestamp_from_text(w.files[0].partition_values[0], &us, &zone));
    assert_int_equal(us, 1704096000500000LL);
    assert_true(str_eq(w.files[0].partition_values[1], STR("1.50")));
    assert_true(str_eq(w.files[0].partition_values[2], STR("-Infinity")));
    assert_true(str_starts(w.files[0].path, STR("ts=2024-01-01%2008%3A00%3A00.5Z/d=1.50/f=-Infinity/part-00000-")));
    engine_written_release(&w);
    pretended_free(t);
}

static void refusals(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "refused", "STRUCT<p: INT, n: VOID>", "p");
    struct engine_written w;
    FAILS(f, STATUS_INVALID_ARGUMENT, write_rows(t, "SELECT 1, NULL", NULL, &w));
    assert_null(w.files);
    struct pretended *u = pretend(f, "refused2", "STRUCT<p: ARRAY<INT>, i: INT>", "p");
    FAILS(f, STATUS_INVALID_ARGUMENT, write_rows(u, "SELECT [1], 1", NULL, &w));
    fixture_clear(f);
    pretended_free(t);
    pretended_free(u);
}

static void failures_leave_nothing(void **state)
{
    struct fixture *f = *state;
    static const char *const partitions[] = {NULL, "p"};
    for (int i = 0; i < 2; i++) {
        char *name = arena_printf(&f->arena, "failed%d", i);
        struct pretended *t = pretend(f, name, "STRUCT<i: BIGINT, p: INT>", partitions[i]);
        struct engine_written w;
        append(t, "SELECT 1, 2");
        FAILS(f, STATUS_CONVERSION,
              write_rows(t, "SELECT range, CASE WHEN range < 2900000 THEN (range % 3)::INT ELSE ('x' || range)::INT END FROM range(3000000)",
                         &(struct engine_write){.target_file_bytes = 1 << 20}, &w));
        assert_null(w.files);
        assert_int_equal(files_under(f, name), 1);
        f->ctx.deadline_us = ctx_monotonic_us(&f->ctx) + 300000;
        FAILS(f, STATUS_DEADLINE_EXCEEDED,
              write_rows(t, "SELECT a.range, (a.range % 5)::INT FROM range(100000000) a, range(100000) b",
                         &(struct engine_write){.target_file_bytes = 1 << 20}, &w));
        f->ctx.deadline_us = 0;
        assert_int_equal(files_under(f, name), 1);
        assert_string_equal(query_table(t, "SELECT i FROM ", ""), "1");
        pretended_free(t);
    }
    fixture_clear(f);
}

static void unwritable_place(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "blocked", "STRUCT<i: INT>", NULL);
    struct engine_written w;
    char *path = arena_printf(&f->arena, "%s/blocked", f->directory);
    fclose(fopen(path, "w")); /* a file where the directory should be */
    fixture_clear(f);
    assert_int_not_equal(write_rows(t, "SELECT 1", NULL, &w), STATUS_OK);
    assert_non_null(f->err.message);
    fixture_clear(f);
    pretended_free(t);
}

/* A store whose sync fails: the files must go again. */
static void files_that_are_not_durable_go(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "nosync", "STRUCT<i: INT>", NULL);
    struct store *base = t->store, *fault;
    struct engine_written w;
    OK(f, store_open_fault(base, &fault, &f->err));
    t->store = fault;
    store_fault_set(fault, (struct store_fault){.kind = STORE_FAULT_FAIL, .at_call = 2}); /* prepare, then sync */
    FAILS(f, STATUS_STORE_IO, write_rows(t, "SELECT 1", NULL, &w));
    assert_int_equal(files_under(f, "nosync"), 0);
    store_unref(fault);
    t->store = base;
    fixture_clear(f);
    pretended_free(t);
}

static void field_ids_are_written(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "ids", "STRUCT<i: INT, s: STRUCT<x: INT>>", NULL);
    struct delta_type *schema = (struct delta_type *)t->schema;
    struct delta_property id7 = {STR("delta.columnMapping.id"), STR("7")}, id8 = {STR("delta.columnMapping.id"), STR("8")},
                          id9 = {STR("delta.columnMapping.id"), STR("9")};
    struct engine_written w;
    schema->fields[0].metadata = &id7;
    schema->fields[1].metadata = &id8;
    schema->fields[1].type->fields[0].metadata = &id9;
    schema->fields[0].metadata_count = schema->fields[1].metadata_count = schema->fields[1].type->fields[0].metadata_count = 1;
    OK(f, write_rows(t, "SELECT 1, {'x': 2}", NULL, &w));
    char *sql = arena_printf(&f->arena, "SELECT field_id FROM parquet_schema('%s/ids/%.*s') WHERE field_id IS NOT NULL ORDER BY 1", f->directory,
                             STR_ARG(w.files[0].path));
    assert_string_equal(ask(f, str_of(sql)), "7|8|9");
    engine_written_release(&w);
    pretended_free(t);
}

static void mapped_files_have_physical_names(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "physical", "STRUCT<i: INT, `p q`: DATE, s: STRUCT<x: INT, n: VOID>, l: ARRAY<STRUCT<q: INT>>>", "p q");
    struct engine_written w;
    map_columns(t, DELTA_MAPPING_NAME);
    OK(f, write_rows(t, "SELECT 1, DATE '2024-01-01', {'x': 2, 'n': NULL}, [{'q': 3}]", NULL, &w));
    assert_int_equal(w.file_count, 1);
    assert_true(str_starts(w.files[0].path, STR("c2=2024-01-01/")));
    assert_true(str_eq(w.files[0].partition_values[0], STR("2024-01-01")));
    expect_stats(&w.files[0], "c1", "1", "1", 0);
    expect_stats(&w.files[0], "c3/c4", "2", "2", 0);
    add_file(t, w.files[0].path, w.files[0].size_bytes, w.files[0].partition_values);
    char *sql = arena_printf(&f->arena, "SELECT name || coalesce(field_id, 0) FROM parquet_schema('%s/physical/%.*s') ORDER BY column_id",
                             f->directory, STR_ARG(w.files[0].path));
    assert_string_equal(ask(f, str_of(sql)), "duckdb_schema0|c11|c33|c44|c66|list0|element0|c77");
    assert_string_equal(query_table(t, "SELECT concat_ws(' ', i, \"p q\", s, l) FROM ", ""), "1 2024-01-01 {'x': 2, 'n': NULL} [{'q': 3}]");
    engine_written_release(&w);
    pretended_free(t);
}

/* The columns are in the files with their types, behind the others; the values of the log win when the table is read. */
static void partition_columns_in_the_files(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "material", "STRUCT<p: TIMESTAMP, i: INT, q: STRING>", "p,q");
    struct engine_write options = {.materialize_partitions = true};
    struct engine_written w;
    struct str values[] = {STR("2000-01-01T00:00:00Z"), STR("log")};
    OK(f, write_rows(t, "SELECT TIMESTAMPTZ '2024-05-05 05:05:05.5+00', 1, '' UNION ALL SELECT NULL, 2, 'x/y'", &options, &w));
    assert_int_equal(w.file_count, 2);
    char *sql = arena_printf(&f->arena, "SELECT string_agg(name, ' ' ORDER BY column_id) FROM parquet_schema('%s/material/%.*s')", f->directory,
                             STR_ARG(w.files[0].path));
    assert_string_equal(ask(f, str_of(sql)), "duckdb_schema i p q");
    for (size_t i = 0; i < 2; i++)
        add_file(t, w.files[i].path, w.files[i].size_bytes, w.files[i].partition_values);
    assert_string_equal(query_table(t, "SELECT concat_ws(' ', i, epoch_ms(p), q) FROM ", "ORDER BY i"), "1 1714885505500|2 x/y");
    t->file_count = 0;
    add_file(t, w.files[0].path, w.files[0].size_bytes, values);
    assert_string_equal(query_table(t, "SELECT concat_ws(' ', epoch_ms(p), q) FROM ", ""), "946684800000 log");
    engine_written_release(&w);
    pretended_free(t);
}

static void select_names_do_not_matter(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "renamed", "STRUCT<a: INT, `b c`: STRING>", NULL);
    append(t, "WITH c AS (SELECT 1 AS x, 'y' AS x) SELECT * FROM c -- a comment at the end");
    assert_string_equal(query_table(t, "SELECT a || \"b c\" FROM ", ""), "1y");
    pretended_free(t);
}

static void infinite_dates_have_no_bounds(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "infinite", "STRUCT<d: DATE, ts: TIMESTAMP_NTZ, e: DATE>", NULL);
    struct engine_written w;
    OK(f, write_rows(t, "SELECT 'infinity'::DATE, TIMESTAMP '0044-03-15 (BC) 00:00:00', DATE '2024-01-01'", NULL, &w));
    assert_null(stats_of(&w.files[0], "d")->max.ptr);
    assert_null(stats_of(&w.files[0], "ts")->min.ptr);
    expect_stats(&w.files[0], "e", "2024-01-01", "2024-01-01", 0);
    engine_written_release(&w);
    pretended_free(t);
}

static void failing_allocations(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "woom", "STRUCT<i: INT, p: STRING>", "p");
    for (uint64_t n = 1; n < 500; n++) {
        struct engine_written w;
        fixture_clear(f);
        alloc_fail_after(n);
        enum status st = write_rows(t, "SELECT range::INT, 'p' || (range % 3) FROM range(30)", NULL, &w);
        alloc_fail_after(0);
        if (st == STATUS_OK) {
            engine_written_release(&w);
            assert_true(n > 10);
            break;
        }
        assert_null(w.files);
    }
    fixture_clear(f);
    pretended_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_type_comes_back),
        cmocka_unit_test(long_strings),
        cmocka_unit_test(names_and_paths),
        cmocka_unit_test(no_rows_no_files),
        cmocka_unit_test(target_size_and_order),
        cmocka_unit_test(target_size_within_partitions),
        cmocka_unit_test(awkward_partition_values),
        cmocka_unit_test(long_partition_values),
        cmocka_unit_test(many_partitions_make_one_file_each),
        cmocka_unit_test(partition_values_are_canonical),
        cmocka_unit_test(refusals),
        cmocka_unit_test(failures_leave_nothing),
        cmocka_unit_test(unwritable_place),
        cmocka_unit_test(files_that_are_not_durable_go),
        cmocka_unit_test(field_ids_are_written),
        cmocka_unit_test(mapped_files_have_physical_names),
        cmocka_unit_test(partition_columns_in_the_files),
        cmocka_unit_test(select_names_do_not_matter),
        cmocka_unit_test(infinite_dates_have_no_bounds),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
