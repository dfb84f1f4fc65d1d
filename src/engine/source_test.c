#include "base/base.h"

#include "engine/engine_fixture.h"

static struct str put(struct fixture *f, const char *name, const char *text)
{
    struct str path = str_of(arena_printf(&f->arena, "%s/%s", f->directory, name));
    FILE *out = fopen(path.ptr, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    return path;
}

struct option {
    const char *key, *value;
};

static enum status source_sql(struct fixture *f, enum engine_file_format format, struct str path, const struct option *options, const char *schema,
                              struct buf *sql)
{
    struct delta_property properties[8];
    size_t count = 0;
    for (; options && options[count].key; count++)
        properties[count] = (struct delta_property){str_of(options[count].key), str_of(options[count].value)};
    return engine_read_files_sql(&f->ctx, format, &path, 1, properties, count, schema ? schema_of(f, schema) : NULL, sql, &f->err);
}

/* All rows as one text: columns by ",", rows by "|". */
static const char *rows(struct fixture *f, enum engine_file_format format, struct str path, const struct option *options, const char *schema)
{
    struct buf sql = BUF_INIT;
    buf_z(&sql, "SELECT replace(replace(replace(json_extract(to_json(whole_row), '$.*')::VARCHAR, '[', ''), ']', ''), '\"', '') FROM ");
    OK(f, source_sql(f, format, path, options, schema, &sql));
    buf_z(&sql, " whole_row");
    const char *out = ask(f, buf_view(&sql));
    buf_release(&sql);
    return out;
}

static const char *types(struct fixture *f, enum engine_file_format format, struct str path, const struct option *options)
{
    struct buf sql = BUF_INIT, text = BUF_INIT;
    struct delta_type *schema;
    buf_z(&sql, "FROM ");
    OK(f, source_sql(f, format, path, options, NULL, &sql));
    OK(f, engine_describe(&f->ctx, f->engine, buf_view(&sql), &f->arena, &schema, &f->err));
    delta_type_text(schema, &text);
    const char *out = arena_str(&f->arena, buf_view(&text)).ptr;
    buf_release(&sql);
    buf_release(&text);
    return out;
}

#define OPTIONS(...) ((struct option[]){__VA_ARGS__, {0}})

static void csv_with_a_schema(void **state)
{
    struct fixture *f = *state;
    struct str path = put(f, "a.csv", "id,name,when\r\n1,\"x, y\",2024-01-01\r\n2,,\r\n3,\"\",2024-02-29\r\n");
    assert_string_equal(rows(f, ENGINE_CSV, path, OPTIONS({"header", "true"}), "STRUCT<id: BIGINT, name: STRING, w: DATE>"),
                        "1, x, y, 2024-01-01|2, null, null|3, , 2024-02-29");
    struct str tabs = put(f, "t.tsv", "1\tNA\n2\t'a''b'\n");
    assert_string_equal(
        rows(f, ENGINE_CSV, tabs, OPTIONS({"sep", "\\t"}, {"quote", "'"}, {"escape", "'"}, {"nullValue", "NA"}), "STRUCT<i: INT, v: STRING>"),
        "1, null|2, a'b");
    struct str odd = put(f, "d.csv", "# comment\n31/01/2024;2024-01-31T10:20:30.5\n");
    assert_string_equal(
        rows(f, ENGINE_CSV, odd,
             OPTIONS({"delimiter", ";"}, {"comment", "#"}, {"dateFormat", "dd/MM/yyyy"}, {"timestampFormat", "yyyy-MM-dd'T'HH:mm:ss.SSS"}),
             "STRUCT<d: DATE, t: TIMESTAMP_NTZ>"),
        "2024-01-31, 2024-01-31 10:20:30.5");
}

static void csv_by_inference(void **state)
{
    struct fixture *f = *state;
    struct buf text = BUF_INIT;
    buf_z(&text, "i,v\n");
    for (int i = 0; i < 30000; i++)
        buf_printf(&text, "%d,%d\n", i, i);
    buf_z(&text, "30000,late text\n");
    struct str path = put(f, "big.csv", text.ptr);
    assert_string_equal(types(f, ENGINE_CSV, path, OPTIONS({"header", "true"})), "struct<i:bigint,v:string>"); /* the whole file is looked at */
    assert_string_equal(types(f, ENGINE_CSV, path, OPTIONS({"header", "true"}, {"inferSchema", "false"})), "struct<i:string,v:string>");
    buf_release(&text);
}

static void csv_that_is_wrong(void **state)
{
    struct fixture *f = *state;
    struct engine_run run;
    struct buf sql = BUF_INIT;
    struct str ragged = put(f, "ragged.csv", "a,b\n1,2\n3\n4,5\n"), bad = put(f, "bad.csv", "1\nx\n3\n");
    buf_z(&sql, "FROM ");
    OK(f, source_sql(f, ENGINE_CSV, ragged, OPTIONS({"header", "true"}), "STRUCT<a: INT, b: INT>", &sql));
    OK(f, run_begin(&f->ctx, f->engine, STR_NULL, &run, &f->err));
    duckdb_result result;
    FAILS(f, STATUS_CONVERSION, run_query(&run, buf_view(&sql), &result, &f->err));
    assert_non_null(strstr(f->err.message, "line 3"));
    buf_clear(&sql);
    buf_z(&sql, "FROM ");
    fixture_clear(f);
    OK(f, source_sql(f, ENGINE_CSV, bad, NULL, "STRUCT<a: INT>", &sql));
    FAILS(f, STATUS_CONVERSION, run_query(&run, buf_view(&sql), &result, &f->err));
    run_end(&run);
    fixture_clear(f);
    assert_string_equal(rows(f, ENGINE_CSV, ragged, OPTIONS({"header", "true"}, {"mode", "PERMISSIVE"}), "STRUCT<a: INT, b: INT>"),
                        "1, 2|3, null|4, 5");
    assert_string_equal(rows(f, ENGINE_CSV, bad, OPTIONS({"mode", "DROPMALFORMED"}), "STRUCT<a: INT>"), "1|3");
    buf_release(&sql);
}

static void encodings(void **state)
{
    struct fixture *f = *state;
    struct str latin = put(f, "latin.csv", "caf\xe9\n");
    assert_string_equal(rows(f, ENGINE_CSV, latin, OPTIONS({"encoding", "ISO-8859-1"}), "STRUCT<v: STRING>"), "café");
    struct buf sql = BUF_INIT;
    FAILS(f, STATUS_INVALID_ARGUMENT, source_sql(f, ENGINE_CSV, latin, OPTIONS({"encoding", "EBCDIC"}), NULL, &sql));
    buf_release(&sql);
    fixture_clear(f);
}

static void json_lines(void **state)
{
    struct fixture *f = *state;
    struct str path = put(f, "a.json", "{\"a\":1,\"b\":{\"x\":[1,2]},\"c\":\"2024-01-01\"}\n{\"b\":null,\"d\":12345678901234567890.5}\n");
    assert_string_equal(rows(f, ENGINE_JSON, path, NULL, "STRUCT<a: INT, b: STRUCT<x: ARRAY<INT>, y: INT>, nosuch: STRING>"),
                        "1, {x:1,2,y:null}, null|null, null, null");
    assert_string_equal(types(f, ENGINE_JSON, path, NULL), "struct<a:bigint,b:struct<x:array<bigint>>,c:date,d:double>");
    struct str array = put(f, "array.json", "[\n{\"a\": 1},\n {\"a\": 2}]");
    assert_string_equal(rows(f, ENGINE_JSON, array, OPTIONS({"multiLine", "true"}), "STRUCT<a: INT>"), "1|2");
}

static void parquet_by_name(void **state)
{
    struct fixture *f = *state;
    struct str path = str_of(arena_printf(&f->arena, "%s/x=5", f->directory));
    run_sql(f, arena_printf(&f->arena, "COPY (SELECT 1 AS a) TO '%s' (FORMAT parquet)", path.ptr));
    assert_string_equal(rows(f, ENGINE_PARQUET, path, OPTIONS({"mergeSchema", "true"}), NULL), "1"); /* x=5 is no column */
}

static void options_that_do_not_exist(void **state)
{
    struct fixture *f = *state;
    struct buf sql = BUF_INIT;
    struct str path = STR("/x.csv");
    FAILS(f, STATUS_INVALID_ARGUMENT, source_sql(f, ENGINE_CSV, path, OPTIONS({"headr", "true"}), NULL, &sql));
    assert_string_equal(f->err.hint, "did you mean \"header\"?");
    FAILS(f, STATUS_INVALID_ARGUMENT, source_sql(f, ENGINE_PARQUET, path, OPTIONS({"header", "true"}), NULL, &sql));
    FAILS(f, STATUS_INVALID_ARGUMENT, source_sql(f, ENGINE_CSV, path, OPTIONS({"header", "yes"}), NULL, &sql));
    FAILS(f, STATUS_INVALID_ARGUMENT, source_sql(f, ENGINE_CSV, path, OPTIONS({"mode", "EASY"}), NULL, &sql));
    FAILS(f, STATUS_INVALID_ARGUMENT, source_sql(f, ENGINE_CSV, path, OPTIONS({"dateFormat", "QQQ"}), NULL, &sql));
    FAILS(f, STATUS_INVALID_ARGUMENT, source_sql(f, ENGINE_CSV, path, OPTIONS({"skipRows", "-1"}), NULL, &sql));
    fixture_clear(f);
    buf_clear(&sql);
    OK(f, source_sql(f, ENGINE_CSV, path, OPTIONS({"schema", "a INT, `b c` ARRAY<STRING>"}), NULL, &sql));
    assert_non_null(strstr(sql.ptr, "columns={'a': 'INTEGER', 'b c': 'VARCHAR[]'}"));
    buf_release(&sql);
}

static void globs(void **state)
{
    struct fixture *f = *state;
    struct engine_source_file *files;
    size_t count;
    char *command = arena_printf(&f->arena, "mkdir -p '%s/g d'", f->directory), *pattern = arena_printf(&f->arena, "%s/g d/*.txt", f->directory);
    assert_int_equal(system(command), 0);
    put(f, "g d/b.txt", "12345");
    put(f, "g d/a.txt", "");
    put(f, "g d/c.dat", "1");
    OK(f, engine_glob(&f->ctx, f->engine, str_of(pattern), &f->arena, &files, &count, &f->err));
    assert_int_equal(count, 2);
    assert_true(str_ends(files[0].path, STR("/g d/a.txt")) && files[0].size_bytes == 0);
    assert_true(str_ends(files[1].path, STR("/g d/b.txt")) && files[1].size_bytes == 5);
    assert_in_range(files[1].modified_us, ctx_now_us(&f->ctx) - 60000000, ctx_now_us(&f->ctx) + 1000000);
    OK(f, engine_glob(&f->ctx, f->engine, str_of(arena_printf(&f->arena, "%s/g d", f->directory)), &f->arena, &files, &count, &f->err));
    assert_int_equal(count, 3);
    OK(f, engine_glob(&f->ctx, f->engine, str_of(arena_printf(&f->arena, "file://%s/g d/c.dat", f->directory)), &f->arena, &files, &count, &f->err));
    assert_int_equal(count, 1);
    FAILS(f, STATUS_FILE_NOT_FOUND, engine_glob(&f->ctx, f->engine, STR("/no/such/dir/*.x"), &f->arena, &files, &count, &f->err));
    assert_string_equal(f->err.message, "no file matches \"/no/such/dir/*.x\"");
    assert_true(!files && !count);
    FAILS(f, STATUS_FILE_NOT_FOUND, engine_glob(&f->ctx, f->engine, STR("/no/such/file"), &f->arena, &files, &count, &f->err));
    fixture_clear(f);
}

/* ---- DuckDB's messages ------------------------------------------------------------------------------- */

static void messages_become_ours(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *text;
        enum status code;
        const char *message, *hint, *detail;
    } cases[] = {
        {"Binder Error: Referenced column \"xx\" not found in FROM clause!\nCandidate bindings: \"a\", \"b\"\n\nLINE 1: select xx\n               ^",
         STATUS_COLUMN_NOT_FOUND, "referenced column \"xx\" not found in FROM clause", "candidate bindings: \"a\", \"b\"", NULL},
        {"Catalog Error: Scalar Function with name summ does not exist!\nDid you mean \"sum\"?\n\nLINE 1: x", STATUS_FUNCTION_NOT_FOUND,
         "scalar Function with name summ does not exist", "did you mean \"sum\"?", NULL},
        {"Binder Error: No function matches the given name and argument types 'f(VARCHAR, DATE)'. You might need to add explicit type casts.\n"
         "\tCandidate functions:\n\tf(VARCHAR[], DATE) -> STRUCT()\n\tf(DECIMAL(18,3)) -> DATE\n\tf(VARCHAR, TIME_NS) -> BIGINT\n"
         "\tf(VARCHAR, DATE, INTEGER) -> A\n\tf(VARCHAR, DATE) -> BIGINT\n\tf() -> B\n\tf(BLOB, BLOB) -> C\n\n\nLINE 1: x",
         STATUS_FUNCTION_NOT_FOUND, "no function matches the given name and argument types 'f(VARCHAR, DATE)'",
         "you might need to add explicit type casts; candidates: f(VARCHAR, DATE) -> BIGINT; f(VARCHAR, TIME_NS) -> BIGINT; "
         "f(VARCHAR[], DATE) -> STRUCT(); f(VARCHAR, DATE, INTEGER) -> A; f(BLOB, BLOB) -> C; and 2 more",
         NULL},
        {"Out of Memory Error: failed to allocate data of size 8.0 MiB (9.9 MiB/10.0 MiB used)\n\nPossible solutions:\n* Reducing the number of "
         "threads",
         STATUS_OUT_OF_MEMORY, "failed to allocate data of size 8.0 MiB (9.9 MiB/10.0 MiB used)", NULL,
         "possible solutions:; * Reducing the number of threads"},
        {"IO Error: Could not write file \"x\": No space left on device", STATUS_STORE_FULL, NULL, NULL, NULL},
        {"IO Error: No files found that match the pattern \"x\"", STATUS_FILE_NOT_FOUND, NULL, NULL, NULL},
        {"Conversion Error: Type INT64 with value 300 can't be cast because the value is out of range for the destination type INT8",
         STATUS_VALUE_OUT_OF_RANGE, NULL, NULL, NULL},
        {"INT32 is the type", STATUS_INTERNAL, "INT32 is the type", NULL, NULL},
        {"", STATUS_INTERNAL, "the engine gave no reason", NULL, NULL},
        {"Nonsense Error: who knows", STATUS_INTERNAL, "nonsense Error: who knows", NULL, NULL},
        {"INTERRUPT Error: Interrupted!", STATUS_CANCELLED, "the statement was interrupted", NULL, NULL},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        FAILS(f, cases[i].code, error_from_duck(&f->ctx, DUCKDB_ERROR_INVALID, cases[i].text, &f->err));
        if (cases[i].message)
            assert_string_equal(f->err.message, cases[i].message);
        if (cases[i].hint)
            assert_string_equal(f->err.hint, cases[i].hint);
        if (cases[i].detail)
            assert_string_equal(f->err.detail, cases[i].detail);
    }
    assert_int_equal(error_from_duck(&f->ctx, DUCKDB_ERROR_INVALID, NULL, NULL), STATUS_INTERNAL);
    fixture_clear(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_with_a_schema),
        cmocka_unit_test(csv_by_inference),
        cmocka_unit_test(csv_that_is_wrong),
        cmocka_unit_test(encodings),
        cmocka_unit_test(json_lines),
        cmocka_unit_test(parquet_by_name),
        cmocka_unit_test(options_that_do_not_exist),
        cmocka_unit_test(globs),
        cmocka_unit_test(messages_become_ours),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
