#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "table/table_int.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static struct engine *engine;

struct fixture {
    struct ctx ctx;
    struct error err;
    struct arena arena;
    struct store *store;
    struct catalog_table table;
    struct table_change change;
    char dir[64]; /* holds t, the table, and files to load */
};

static int open_engine(void **state)
{
    struct ctx ctx;
    struct error err = ERROR_INIT;
    ctx_init(&ctx);
    struct engine_config config = {.memory_limit_bytes = INT64_C(1) << 30, .threads = 2};
    if (engine_open(&ctx, &config, &engine, &err)) {
        print_error("%s\n", err.message);
        return -1;
    }
    return 0;
}

static int close_engine(void **state)
{
    engine_close(engine);
    return 0;
}

static int remove_node(const char *path, const struct stat *st, int type, struct FTW *at) { return remove(path); }

static void open_table(struct fixture *f, struct catalog_table *out)
{
    assert_int_equal(delta_table_open(&f->ctx, f->store, engine_delta_handler(engine), STR("varve.default.t"), &out->table, &f->err), STATUS_OK);
    out->qualified_name = mem_strndup("varve.default.t", 15);
    out->location = mem_strndup(f->store->root.ptr, f->store->root.len);
    out->managed = true;
}

static void close_table(struct catalog_table *t)
{
    delta_table_unref(t->table);
    mem_free(t->qualified_name);
    mem_free(t->location);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char path[80];
    ctx_init(&f->ctx);
    f->ctx.log = log_open_fd(open("/dev/null", O_WRONLY), LOG_ERROR);
    f->err = ERROR_INIT;
    strcpy(f->dir, "/tmp/varve-table-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(path, sizeof path, "%s/t", f->dir);
    if (store_open_local(&f->ctx, str_of(path), (struct store_local_options){0}, &f->store, &f->err))
        return -1;
    open_table(f, &f->table);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close_table(&f->table);
    store_unref(f->store);
    error_release(&f->err);
    arena_release(&f->arena);
    log_free(f->ctx.log);
    nftw(f->dir, remove_node, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

/* ---- doing ---------------------------------------------------------------------------- */

static void show(const struct fixture *f)
{
    if (f->err.code)
        print_message("%s | %s | %s | %s\n", f->err.message, f->err.detail ? f->err.detail : "", f->err.hint ? f->err.hint : "",
                      f->err.context ? f->err.context : "");
}

#define EXPECT(f, wanted, call)                                                                                                                      \
    do {                                                                                                                                             \
        error_release(&(f)->err);                                                                                                                    \
        enum status got_ = (call);                                                                                                                   \
        if (got_ != (wanted))                                                                                                                        \
            show(f);                                                                                                                                 \
        assert_string_equal(status_info(got_)->name, status_info(wanted)->name);                                                                     \
    } while (0)
#define OK(f, call) EXPECT(f, STATUS_OK, call)

static struct delta_type *type(struct fixture *f, const char *sql)
{
    struct delta_type *t = NULL;
    OK(f, delta_type_from_sql(&f->arena, str_of(sql), &t, &f->err));
    return t;
}

/* "STRUCT<a: INT NOT NULL, …>" */
static enum status create(struct fixture *f, const char *schema, const struct str *partitions, uint32_t partition_count)
{
    struct table_definition def = {.schema = type(f, schema), .partition_columns = partitions, .partition_column_count = partition_count};
    return table_create(&f->ctx, engine, &f->table, &def, NULL, NULL, false, &f->change, &f->err);
}

static struct table_source rows(struct fixture *f, const char *select)
{
    struct table_source source = {.select = str_of(select)};
    OK(f, engine_describe(&f->ctx, engine, source.select, &f->arena, &source.schema, &f->err));
    return source;
}

static enum status insert_with(struct fixture *f, const char *select, struct table_insert options)
{
    struct table_source source = rows(f, select);
    return table_insert(&f->ctx, engine, &f->table, &source, &options, &f->change, &f->err);
}

static enum status insert(struct fixture *f, const char *select) { return insert_with(f, select, (struct table_insert){0}); }

static enum status copy_with(struct fixture *f, const char *from, enum engine_file_format format, struct table_copy copy)
{
    copy.from = str_of(arena_printf(&f->arena, "%s/%s", f->dir, from));
    copy.format = format;
    return table_copy_into(&f->ctx, engine, &f->table, &copy, &f->change, &f->err);
}

static const struct delta_property with_header[] = {{.key = STR("header"), .value = STR("true")}};

static enum status copy_csv(struct fixture *f, const char *from, bool merge)
{
    return copy_with(f, from, ENGINE_CSV, (struct table_copy){.format_options = with_header, .format_option_count = 1, .merge_schema = merge});
}

/* ---- looking ----------------------------------------------------------------------------- */

static struct delta_snapshot *snapshot(struct fixture *f)
{
    struct delta_snapshot *s = NULL;
    OK(f, delta_snapshot_latest(&f->ctx, f->table.table, &s, &f->err));
    return s;
}

/* One number from "SELECT … FROM t". */
static int64_t ask(struct fixture *f, const char *what)
{
    struct delta_snapshot *s = snapshot(f);
    struct delta_file_list files = {0};
    struct buf sql = BUF_INIT;
    struct engine_hold *hold = NULL;
    int64_t answer = 0;
    bool is_null = false;
    OK(f, delta_scan(&f->ctx, s, NULL, false, &files, &f->err));
    const struct delta_metadata *m = delta_snapshot_metadata(s);
    struct engine_scan scan = {.table_name = STR("t"),
                               .schema = delta_snapshot_schema(s),
                               .partition_columns = m->partition_columns,
                               .partition_column_count = m->partition_column_count,
                               .store = f->store,
                               .files = files.files,
                               .file_count = files.count};
    buf_printf(&sql, "SELECT (%s)::BIGINT FROM ", what);
    OK(f, engine_scan_sql(&f->ctx, engine, &scan, &sql, &hold, &f->err));
    buf_z(&sql, " AS t");
    OK(f, engine_query_i64(&f->ctx, engine, buf_view(&sql), &answer, &is_null, &f->err));
    assert_false(is_null);
    engine_hold_free(hold);
    buf_release(&sql);
    delta_file_list_release(&files);
    delta_snapshot_unref(s);
    return answer;
}

static bool is_text(struct fixture *f, const char *expression, const char *wanted)
{
    return ask(f, arena_printf(&f->arena, "count(*) FILTER (WHERE (%s)::VARCHAR = '%s') = count(*) AND count(*) > 0", expression, wanted)) == 1;
}

static struct str log_text(struct fixture *f, int64_t version)
{
    struct buf text = BUF_INIT;
    char *key = arena_printf(&f->arena, "_delta_log/%020lld.json", (long long)version);
    assert_int_equal(store_read(f->store, &f->ctx, str_of(key), &text, &f->err), STORE_OK);
    struct str copy = arena_str(&f->arena, buf_view(&text));
    buf_release(&text);
    return copy;
}

static void assert_logged(struct fixture *f, int64_t version, const char *wanted)
{
    struct str text = log_text(f, version);
    if (!strstr(text.ptr, wanted))
        print_message("%s\n", text.ptr);
    assert_non_null(strstr(text.ptr, wanted));
}

static bool count_parquet(void *user, const struct store_entry *entry)
{
    *(int *)user += str_ends(entry->key, STR(".parquet")) && !str_starts(entry->key, STR("_delta_log/"));
    return true;
}

static int files_on_disk(struct fixture *f)
{
    int count = 0;
    assert_int_equal(store_list(f->store, &f->ctx, STR(""), STR(""), count_parquet, &count, &f->err), STORE_OK);
    return count;
}

static void assert_schema(struct fixture *f, const char *wanted)
{
    struct delta_snapshot *s = snapshot(f);
    struct buf text = BUF_INIT;
    delta_type_text(delta_snapshot_schema(s), &text);
    assert_string_equal(text.ptr, wanted);
    buf_release(&text);
    delta_snapshot_unref(s);
}

static void write_file(struct fixture *f, const char *name, const char *text)
{
    char path[200];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    for (char *slash = path + strlen(f->dir) + 1; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        mkdir(path, 0777);
        *slash = '/';
    }
    FILE *out = fopen(path, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
}

/* ---- create -------------------------------------------------------------------------------- */

static void creates_as_spark_logs_it(void **state)
{
    struct fixture *f = *state;
    static const struct str partitions[] = {STR("D")};
    static const struct delta_property properties[] = {{.key = STR("delta.appendOnly"), .value = STR("true")},
                                                       {.key = STR("team"), .value = STR("a\"b")}};
    struct table_definition def = {.schema = type(f, "STRUCT<a: BIGINT, d: DATE>"),
                                   .partition_columns = partitions,
                                   .partition_column_count = 1,
                                   .comment = STR("bars"),
                                   .properties = properties,
                                   .property_count = 2};
    OK(f, table_create(&f->ctx, engine, &f->table, &def, NULL, NULL, false, &f->change, &f->err));
    assert_int_equal(f->change.version, 0);
    assert_logged(f, 0, "\"operation\":\"CREATE TABLE\"");
    assert_logged(f, 0, "\"partitionBy\":\"[\\\"d\\\"]\"");
    assert_logged(f, 0, "\"description\":\"bars\"");
    assert_logged(f, 0, "\"isManaged\":\"true\"");
    assert_logged(f, 0, "\"properties\":\"{\\\"delta.appendOnly\\\":\\\"true\\\",\\\"team\\\":\\\"a\\\\\\\"b\\\"}\"");
    struct delta_snapshot *s = snapshot(f);
    const struct delta_metadata *m = delta_snapshot_metadata(s);
    assert_int_equal(m->id.len, 36);
    assert_true(str_eq(m->description, STR("bars")));
    assert_true(str_eq(m->partition_columns[0], STR("d")));
    assert_true(str_eq(delta_config(m, "team"), STR("a\"b")));
    assert_true(m->created_time_ms > 0);
    delta_snapshot_unref(s);
    EXPECT(f, STATUS_TABLE_EXISTS, table_create(&f->ctx, engine, &f->table, &def, NULL, NULL, false, &f->change, &f->err));
}

static void refuses_bad_definitions(void **state)
{
    struct fixture *f = *state;
    static const struct str missing[] = {STR("day")}, all[] = {STR("a"), STR("dat")}, twice[] = {STR("a"), STR("A")}, nested[] = {STR("s")};
    EXPECT(f, STATUS_COLUMN_NOT_FOUND, create(f, "STRUCT<a: INT, dat: INT>", missing, 1));
    assert_string_equal(f->err.hint, "did you mean \"dat\"?");
    EXPECT(f, STATUS_INVALID_ARGUMENT, create(f, "STRUCT<a: INT, dat: INT>", all, 2));
    EXPECT(f, STATUS_INVALID_ARGUMENT, create(f, "STRUCT<a: INT, dat: INT>", twice, 2));
    EXPECT(f, STATUS_INVALID_ARGUMENT, create(f, "STRUCT<a: INT, s: STRUCT<x: INT>>", nested, 1));
    EXPECT(f, STATUS_INVALID_ARGUMENT, create(f, "STRUCT<a: INT, A: INT>", NULL, 0));
    static const struct delta_property unknown[] = {{.key = STR("delta.apendOnly"), .value = STR("true")}};
    struct table_definition def = {.schema = type(f, "STRUCT<a: INT>"), .properties = unknown, .property_count = 1};
    EXPECT(f, STATUS_UNKNOWN_PROPERTY, table_create(&f->ctx, engine, &f->table, &def, NULL, NULL, false, &f->change, &f->err));
    struct delta_snapshot *s = NULL;
    EXPECT(f, STATUS_NOT_A_DELTA_TABLE, delta_snapshot_latest(&f->ctx, f->table.table, &s, &f->err));
}

static void creates_from_a_query_and_replaces(void **state)
{
    struct fixture *f = *state;
    struct table_source source = rows(f, "SELECT 'x' AS name, 1.25::DECIMAL(10,2) AS price FROM range(10)");
    struct table_definition def = {0};
    OK(f, table_create(&f->ctx, engine, &f->table, &def, &source, NULL, false, &f->change, &f->err));
    assert_int_equal(f->change.rows, 10);
    assert_int_equal(f->change.files_added, 1);
    assert_logged(f, 0, "\"operation\":\"CREATE TABLE AS SELECT\"");
    assert_logged(f, 0, "\"numOutputRows\":\"10\"");
    assert_schema(f, "struct<name:string,price:decimal(10,2)>");
    struct delta_snapshot *before = snapshot(f);
    source = rows(f, "SELECT i, i % 3 AS p FROM range(9) AS r(i)");
    static const struct str partitions[] = {STR("p")};
    def = (struct table_definition){.partition_columns = partitions, .partition_column_count = 1};
    OK(f, table_create(&f->ctx, engine, &f->table, &def, &source, before, true, &f->change, &f->err));
    assert_int_equal(f->change.version, 1);
    assert_int_equal(f->change.files_removed, 1);
    assert_logged(f, 1, "\"operation\":\"CREATE OR REPLACE TABLE AS SELECT\"");
    assert_schema(f, "struct<i:bigint,p:bigint>");
    assert_int_equal(ask(f, "sum(i) * 100 + count(DISTINCT p)"), 3603);
    struct delta_snapshot *after = snapshot(f);
    assert_false(str_eq(delta_snapshot_metadata(before)->id, delta_snapshot_metadata(after)->id));
    delta_snapshot_unref(before);
    delta_snapshot_unref(after);
}

static void failed_query_creates_nothing(void **state)
{
    struct fixture *f = *state;
    struct table_source source = rows(f, "SELECT CASE WHEN i = 90000 THEN error('no') ELSE i END AS i FROM range(100000) AS r(i)");
    struct table_definition def = {0};
    error_release(&f->err);
    assert_int_not_equal(table_create(&f->ctx, engine, &f->table, &def, &source, NULL, false, &f->change, &f->err), STATUS_OK);
    assert_int_equal(f->change.version, -1);
    assert_int_equal(files_on_disk(f), 0);
    struct delta_snapshot *s = NULL;
    EXPECT(f, STATUS_NOT_A_DELTA_TABLE, delta_snapshot_latest(&f->ctx, f->table.table, &s, &f->err));
}

/* ---- insert ----------------------------------------------------------------------------------- */

static void inserts_by_position_list_and_name(void **state)
{
    struct fixture *f = *state;
    static const struct str columns[] = {STR("c"), STR("A")};
    OK(f, create(f, "STRUCT<a: INT, b: STRING, c: DECIMAL(10,2)>", NULL, 0));
    OK(f, insert(f, "SELECT 1, 'one', 1.5"));
    OK(f, insert_with(f, "SELECT 2.25, 2", (struct table_insert){.columns = columns, .column_count = 2}));
    OK(f, insert_with(f, "SELECT 3 AS C, 'three' AS B, 4 AS a", (struct table_insert){.by_name = true}));
    assert_int_equal(f->change.version, 3);
    assert_int_equal(ask(f, "sum(a) * 10000 + sum(c * 100)"), 70675);
    assert_int_equal(ask(f, "count(b)"), 2);
    assert_logged(f, 1, "\"operation\":\"WRITE\"");
    assert_logged(f, 1, "\"mode\":\"Append\"");
    assert_logged(f, 1, "\"partitionBy\":\"[]\"");
    assert_logged(f, 1, "\"numOutputRows\":\"1\"");
}

static void insert_lists_every_violation(void **state)
{
    struct fixture *f = *state;
    static const struct str wrong[] = {STR("a"), STR("prize")};
    OK(f, create(f, "STRUCT<a: INT, d: DATE, price: DECIMAL(10,2), s: STRUCT<x: INT, y: BOOLEAN>>", NULL, 0));
    EXPECT(f, STATUS_SCHEMA_MISMATCH, insert(f, "SELECT true, 7::INTEGER, true, {'x': false, 'y': true, 'w': 1}"));
    assert_non_null(strstr(f->err.message, "varve.default.t"));
    assert_string_equal(f->err.detail, "column \"a\": expected int, found boolean\ncolumn \"d\": expected date, found int\n"
                                       "column \"price\": expected decimal(10,2), found boolean\ncolumn \"s.x\": expected int, found boolean\n"
                                       "column \"s.w\": not in the table, found int");
    EXPECT(f, STATUS_SCHEMA_MISMATCH, insert(f, "SELECT 1, DATE '2024-01-01'"));
    EXPECT(f, STATUS_COLUMN_NOT_FOUND, insert_with(f, "SELECT 1, 2", (struct table_insert){.columns = wrong, .column_count = 2}));
    assert_string_equal(f->err.hint, "did you mean \"price\"?");
    EXPECT(f, STATUS_SCHEMA_MISMATCH, insert_with(f, "SELECT 1", (struct table_insert){.columns = wrong, .column_count = 2}));
    EXPECT(f, STATUS_SCHEMA_MISMATCH, insert_with(f, "SELECT 1 AS a, 2 AS A2, 3 AS volume", (struct table_insert){.by_name = true}));
    assert_non_null(f->err.hint);
    assert_int_equal(files_on_disk(f), 0);
}

static void values_are_assigned_as_ansi_says(void **state)
{
    struct fixture *f = *state;
    OK(f, create(f, "STRUCT<b: TINYINT, i: INT, d: DECIMAL(5,2), f: DOUBLE, s: STRING, day: DATE, t: TIMESTAMP>", NULL, 0));
    OK(f, insert(f, "VALUES (127, 2.9, 1.255, 1.5, 12, '2024-02-29', '2024-02-29 10:00:00+01:00')"));
    assert_true(is_text(f, "i", "2") && is_text(f, "d", "1.26") && is_text(f, "s", "12") && is_text(f, "day", "2024-02-29"));
    assert_true(is_text(f, "epoch_us(t)", "1709197200000000"));
    OK(f, insert(f, "VALUES (NULL, NULL, NULL, NULL, NULL, NULL, NULL)"));
    EXPECT(f, STATUS_VALUE_OUT_OF_RANGE, insert(f, "VALUES (1, 1, 1, 1, '', NULL, NULL), (128, 1, 1, 1, '', NULL, NULL)"));
    assert_non_null(strstr(f->err.message, "value 128 does not fit column \"b\" of table \"varve.default.t\", which is tinyint"));
    assert_non_null(strstr(f->err.detail, "128"));
    EXPECT(f, STATUS_VALUE_OUT_OF_RANGE, insert(f, "VALUES (1, 1, 12345.678, 1, '', NULL, NULL)"));
    EXPECT(f, STATUS_VALUE_OUT_OF_RANGE, insert(f, "VALUES (1, 'nan'::DOUBLE, 1, 1, '', NULL, NULL)"));
    EXPECT(f, STATUS_CONVERSION, insert(f, "VALUES (1, 1, 1, 1, '', '2023-02-29', NULL)"));
    assert_non_null(strstr(f->err.message, "'2023-02-29'"));
    EXPECT(f, STATUS_SCHEMA_MISMATCH, insert(f, "VALUES (true, 1, 1, 1, '', NULL, NULL)"));
    assert_int_equal(ask(f, "count(*)"), 2);
    assert_int_equal(files_on_disk(f), 2);
}

static void null_literals_fit_everything(void **state)
{
    struct fixture *f = *state;
    OK(f, create(f, "STRUCT<a: INT, d: DATE, s: STRUCT<x: DATE, y: INT>, l: ARRAY<DATE>, m: MAP<STRING, BOOLEAN>>", NULL, 0));
    OK(f, insert(f, "VALUES (1, NULL, NULL, NULL, NULL), (2, NULL, NULL, NULL, NULL)"));
    OK(f, insert(f, "SELECT 3, NULL, {'x': NULL, 'y': 5}, [NULL], MAP {'k': NULL}"));
    OK(f, insert(f, "SELECT 4, NULL, ROW(DATE '2024-01-01', 6), [], MAP {}"));
    assert_int_equal(ask(f, "count(*) * 1000 + count(d) * 100 + sum(s.y)"), 4011);
    EXPECT(f, STATUS_SCHEMA_MISMATCH, insert(f, "SELECT 3, 5::INTEGER, NULL, NULL, NULL"));
    EXPECT(f, STATUS_SCHEMA_MISMATCH, insert(f, "SELECT 3, NULL, {'x': 4::INTEGER, 'y': 5}, NULL, NULL"));
}

static void nulls_are_refused_where_declared(void **state)
{
    struct fixture *f = *state;
    static const struct str only_b[] = {STR("b")};
    OK(f, create(f, "STRUCT<a: INT NOT NULL, b: STRING, s: STRUCT<x: INT NOT NULL, y: INT>>", NULL, 0));
    OK(f, insert(f, "VALUES (1, 'x', {'x': 1, 'y': NULL}), (2, NULL, NULL)"));
    EXPECT(f, STATUS_NOT_NULL_VIOLATION, insert(f, "VALUES (1, 'x', NULL), (NULL, 'needle', NULL)"));
    assert_string_equal(f->err.message, "column \"a\" of table \"varve.default.t\" does not allow NULL");
    assert_non_null(strstr(f->err.detail, "needle"));
    EXPECT(f, STATUS_NOT_NULL_VIOLATION, insert(f, "SELECT 1, 'x', {'x': NULL::INTEGER, 'y': 1}"));
    assert_non_null(strstr(f->err.message, "\"s.x\""));
    EXPECT(f, STATUS_SCHEMA_MISMATCH, insert_with(f, "SELECT 'x'", (struct table_insert){.columns = only_b, .column_count = 1}));
    assert_string_equal(f->err.detail, "column \"a\": expected int NOT NULL, found nothing");
    assert_int_equal(ask(f, "count(*)"), 2);
    assert_int_equal(files_on_disk(f), 1);
}

static void required_elements_are_checked(void **state)
{
    struct fixture *f = *state;
    struct delta_type *schema = type(f, "STRUCT<l: ARRAY<INT>, m: MAP<STRING, BIGINT>>");
    schema->fields[0].type->contains_null = schema->fields[1].type->contains_null = false;
    struct table_definition def = {.schema = schema};
    OK(f, table_create(&f->ctx, engine, &f->table, &def, NULL, NULL, false, &f->change, &f->err));
    OK(f, insert(f, "SELECT [1, 2]::BIGINT[], MAP {'a': 1}"));
    OK(f, insert(f, "SELECT NULL, NULL"));
    assert_int_equal(ask(f, "sum(list_sum(l)) * 10 + sum(m['a'])"), 31);
    EXPECT(f, STATUS_NOT_NULL_VIOLATION, insert(f, "SELECT [1, NULL], MAP {'a': 1}"));
    assert_non_null(strstr(f->err.message, "\"l.element\""));
    EXPECT(f, STATUS_NOT_NULL_VIOLATION, insert(f, "SELECT [1], MAP {'a': NULL::BIGINT}"));
    EXPECT(f, STATUS_VALUE_OUT_OF_RANGE, insert(f, "SELECT [3000000000], MAP {'a': 1}"));
}

static void schema_grows_and_is_replaced(void **state)
{
    struct fixture *f = *state;
    OK(f, create(f, "STRUCT<a: INT, s: STRUCT<x: INT>>", NULL, 0));
    OK(f, insert(f, "SELECT 1, {'x': 1}"));
    EXPECT(f, STATUS_SCHEMA_MISMATCH, insert_with(f, "SELECT 2 AS a, {'x': 1, 'y': 'n'} AS s, 1.5 AS p", (struct table_insert){.by_name = true}));
    assert_non_null(strstr(f->err.hint, "mergeSchema"));
    OK(f, insert_with(f, "SELECT 2 AS a, {'x': 1, 'y': 'n'} AS s, 1.5 AS p", (struct table_insert){.by_name = true, .merge_schema = true}));
    assert_schema(f, "struct<a:int,s:struct<x:int,y:string>,p:decimal(2,1)>");
    assert_int_equal(ask(f, "count(*) * 100 + count(p) * 10 + count(s.y)"), 211);
    EXPECT(f, STATUS_INVALID_ARGUMENT, insert_with(f, "SELECT 'q' AS z", (struct table_insert){.overwrite_schema = true}));
    OK(f, insert_with(f, "SELECT 'q' AS z", (struct table_insert){.overwrite = true, .overwrite_schema = true}));
    assert_schema(f, "struct<z:string>");
    assert_int_equal(f->change.files_removed, 2);
    assert_true(is_text(f, "z", "q"));
}

static void overwrites_and_empty_inserts(void **state)
{
    struct fixture *f = *state;
    static const struct delta_property append_only[] = {{.key = STR("delta.appendOnly"), .value = STR("true")}};
    OK(f, create(f, "STRUCT<a: INT>", NULL, 0));
    OK(f, insert(f, "SELECT i::INT FROM range(10) AS r(i)"));
    OK(f, insert(f, "SELECT 1 WHERE false"));
    assert_int_equal(f->change.version, 1);
    assert_int_equal(f->change.rows, 0);
    OK(f, insert_with(f, "SELECT 42", (struct table_insert){.overwrite = true, .user_metadata = STR("why")}));
    assert_int_equal(f->change.version, 2);
    assert_int_equal(f->change.files_removed, 1);
    assert_logged(f, 2, "\"mode\":\"Overwrite\"");
    assert_logged(f, 2, "\"userMetadata\":\"why\"");
    assert_int_equal(ask(f, "sum(a)"), 42);
    OK(f, insert_with(f, "SELECT 1 WHERE false", (struct table_insert){.overwrite = true}));
    assert_int_equal(f->change.version, 3);
    assert_int_equal(ask(f, "count(*)"), 0);
    OK(f, table_set_properties(&f->ctx, engine, &f->table, append_only, 1, &f->change, &f->err));
    OK(f, insert(f, "SELECT 1"));
    EXPECT(f, STATUS_APPEND_ONLY, insert_with(f, "SELECT 1", (struct table_insert){.overwrite = true}));
}

static void partition_values_survive(void **state)
{
    struct fixture *f = *state;
    static const struct str partitions[] = {STR("p"), STR("d")};
    OK(f, create(f, "STRUCT<v: INT, p: STRING, d: DATE>", partitions, 2));
    OK(f, insert(f, "VALUES (1, 'a=b/c%d e', '2024-01-01'), (2, 'größe', NULL), (3, NULL, '2024-01-01'), (4, '', '2024-01-02'), (5, '..', NULL),"
                    " (6, 'a\\b\"c''d{e}', NULL), (7, '%20', NULL)"));
    assert_int_equal(
        ask(f, "sum(CASE p WHEN 'a=b/c%d e' THEN v WHEN 'größe' THEN v WHEN '..' THEN v WHEN 'a\\b\"c''d{e}' THEN v WHEN '%20' THEN v END)"), 21);
    assert_int_equal(ask(f, "sum(v) FILTER (WHERE p IS NULL)"), 7); /* an empty text is NULL, as the protocol has it */
    assert_int_equal(ask(f, "count(d)"), 3);
    assert_logged(f, 1, "\"partitionBy\":\"[\\\"p\\\",\\\"d\\\"]\"");
}

/* ---- copy --------------------------------------------------------------------------------------- */

static void copies_each_file_once(void **state)
{
    struct fixture *f = *state;
    OK(f, create(f, "STRUCT<sym: STRING, price: DECIMAL(20,6), n: BIGINT>", NULL, 0));
    write_file(f, "in/a.csv", "sym,price,n\nAAPL,12345678901234.123456,1\nMSFT,0.1,2\n");
    write_file(f, "in/b.csv", "N,SYM,PRICE\n3,IBM,7\n");
    write_file(f, "in/deep/c.csv", "sym,n\nORCL,4\n");
    write_file(f, "in/empty.csv", "");
    write_file(f, "in/_hidden.csv", "garbage");
    write_file(f, "in/.part.crc", "garbage");
    write_file(f, "in/_tmp/x.csv", "garbage");
    OK(f, copy_csv(f, "in", false));
    assert_int_equal(f->change.rows, 4);
    assert_int_equal(f->change.files_skipped, 0);
    assert_int_equal(ask(f, "sum(n)"), 10);
    assert_int_equal(ask(f, "count(*) FILTER (WHERE sym = 'AAPL' AND price::VARCHAR = '12345678901234.123456')"), 1);
    assert_int_equal(ask(f, "count(*) FILTER (WHERE price IS NULL)"), 1);
    assert_logged(f, 1, "\"operation\":\"COPY INTO\"");
    assert_logged(f, 1, "\"appId\":\"varve-copy:");
    OK(f, copy_csv(f, "in", false));
    assert_int_equal(f->change.version, 1);
    assert_int_equal(f->change.rows, 0);
    assert_int_equal(f->change.files_skipped, 4);
    write_file(f, "in/b.csv", "N,SYM,PRICE\n5,IBM,7\n6,IBM,8\n");
    write_file(f, "in/d.csv", "sym,price,n\nX,1,7\n");
    OK(f, copy_csv(f, "in/*.csv", false));
    assert_int_equal(f->change.rows, 3);
    assert_int_equal(f->change.files_skipped, 2);
    OK(f, copy_with(f, "in/d.csv", ENGINE_CSV, (struct table_copy){.format_options = with_header, .format_option_count = 1, .force = true}));
    assert_int_equal(f->change.rows, 1);
    assert_int_equal(ask(f, "count(*)"), 8);
    EXPECT(f, STATUS_FILE_NOT_FOUND, copy_csv(f, "nowhere", false));
    EXPECT(f, STATUS_FILE_NOT_FOUND, copy_csv(f, "nowhere/*.csv", false));
}

static void copy_of_a_bad_file_changes_nothing(void **state)
{
    struct fixture *f = *state;
    OK(f, create(f, "STRUCT<a: INT NOT NULL, b: DATE>", NULL, 0));
    write_file(f, "bad.csv", "a,b\n1,2024-01-01\nx7,2024-01-02\n");
    write_file(f, "nulls.csv", "a,b\n1,2024-01-01\n,2024-01-02\n");
    write_file(f, "more.csv", "a,b,c\n1,2024-01-01,3\n");
    write_file(f, "less.csv", "b\n2024-01-01\n");
    EXPECT(f, STATUS_CONVERSION, copy_csv(f, "bad.csv", false));
    struct str text =
        str_of(arena_printf(&f->arena, "%s %s %s", f->err.message, f->err.detail ? f->err.detail : "", f->err.context ? f->err.context : ""));
    assert_non_null(strstr(text.ptr, "bad.csv"));
    assert_non_null(strstr(text.ptr, "x7"));
    EXPECT(f, STATUS_NOT_NULL_VIOLATION, copy_csv(f, "nulls.csv", false));
    EXPECT(f, STATUS_SCHEMA_MISMATCH, copy_csv(f, "more.csv", false));
    assert_non_null(strstr(f->err.context, "more.csv"));
    EXPECT(f, STATUS_SCHEMA_MISMATCH, copy_csv(f, "less.csv", false));
    assert_int_equal(files_on_disk(f), 0);
    OK(f, copy_csv(f, "more.csv", true));
    assert_int_equal(f->change.version, 1);
    assert_int_equal(ask(f, "sum(c)"), 3);
}

static void copy_fills_a_table_without_columns(void **state)
{
    struct fixture *f = *state;
    static const char empty[] = "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2}}\n"
                                "{\"metaData\":{\"id\":\"0a4b2c6e-7d1f-4d52-9a3b-5c8e1f2a3b4c\",\"format\":{\"provider\":\"parquet\",\"options\":{}},"
                                "\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\",\"partitionColumns\":[],"
                                "\"configuration\":{},\"createdTime\":1700000000000}}\n";
    assert_int_equal(store_put(f->store, &f->ctx, STR("_delta_log/00000000000000000000.json"), empty, sizeof empty - 1, &f->err), STORE_OK);
    write_file(f, "x.csv", "id,when,price\n1,2024-01-01,1.5\n2,2024-01-02,2.5\n");
    EXPECT(f, STATUS_SCHEMA_MISMATCH, copy_csv(f, "x.csv", false));
    OK(f, copy_csv(f, "x.csv", true));
    assert_schema(f, "struct<id:bigint,when:date,price:double>");
    assert_int_equal(ask(f, "sum(id) * 10 + sum(price)"), 34);
    write_file(f, "y.csv", "id,extra\n3,e\n");
    write_file(f, "z.csv", "other,id\n9,4\n");
    OK(f, copy_csv(f, "[yz].csv", true));
    assert_schema(f, "struct<id:bigint,when:date,price:double,extra:string,other:bigint>");
    assert_int_equal(ask(f, "sum(id) * 100 + count(extra) * 10 + sum(other)"), 1019);
}

static void copies_without_header_by_position(void **state)
{
    struct fixture *f = *state;
    OK(f, create(f, "STRUCT<a: INT, b: STRING>", NULL, 0));
    write_file(f, "x.csv", "1,one\n2,two\n");
    OK(f, copy_with(f, "x.csv", ENGINE_CSV, (struct table_copy){0}));
    assert_int_equal(ask(f, "sum(a) * 10 + count(b)"), 32);
    write_file(f, "y.csv", "1,one,more\n");
    error_release(&f->err);
    assert_int_not_equal(copy_with(f, "y.csv", ENGINE_CSV, (struct table_copy){0}), STATUS_OK);
    assert_int_equal(ask(f, "count(*)"), 2);
}

static void copies_json_and_parquet(void **state)
{
    struct fixture *f = *state;
    OK(f, create(f, "STRUCT<a: BIGINT, s: STRUCT<x: INT>, p: DECIMAL(10,4)>", NULL, 0));
    write_file(f, "x.json", "{\"a\": 1, \"s\": {\"x\": 5}, \"P\": 1.2345}\n{\"a\": 2}\n");
    write_file(f, "y.json", "{\"a\": 3, \"s\": {\"x\": 5, \"y\": 6}}\n");
    OK(f, copy_with(f, "x.json", ENGINE_JSON, (struct table_copy){0}));
    assert_int_equal(f->change.rows, 2);
    assert_int_equal(ask(f, "count(*) FILTER (WHERE p::VARCHAR = '1.2345')"), 1);
    EXPECT(f, STATUS_SCHEMA_MISMATCH, copy_with(f, "y.json", ENGINE_JSON, (struct table_copy){0}));
    assert_non_null(strstr(f->err.detail, "\"s.y\""));
    OK(f, copy_with(f, "y.json", ENGINE_JSON, (struct table_copy){.merge_schema = true}));
    assert_int_equal(ask(f, "sum(s.y)"), 6);
    write_file(f, "q.parquet", "this is not Parquet at all, not even near");
    error_release(&f->err);
    assert_int_not_equal(copy_with(f, "q.parquet", ENGINE_PARQUET, (struct table_copy){0}), STATUS_OK);
    assert_non_null(strstr(
        arena_printf(&f->arena, "%s %s %s", f->err.message, f->err.detail ? f->err.detail : "", f->err.context ? f->err.context : ""), "q.parquet"));
}

struct copier {
    struct fixture *f;
    struct catalog_table table;
    struct table_change change;
    enum status status;
    char from[100];
};

static void *copy_in_thread(void *arg)
{
    struct copier *c = arg;
    struct ctx ctx;
    struct error err = ERROR_INIT;
    ctx_init(&ctx);
    struct table_copy copy = {.from = str_of(c->from), .format = ENGINE_CSV, .format_options = with_header, .format_option_count = 1};
    c->status = table_copy_into(&ctx, engine, &c->table, &copy, &c->change, &err);
    error_release(&err);
    return NULL;
}

static void racing_copies_load_a_file_once(void **state)
{
    struct fixture *f = *state;
    enum { COPIERS = 3 };
    struct copier copiers[COPIERS];
    pthread_t threads[COPIERS];
    OK(f, create(f, "STRUCT<a: INT>", NULL, 0));
    for (int i = 0; i < 5; i++) {
        char name[20];
        snprintf(name, sizeof name, "in/%d.csv", i);
        write_file(f, name, "a\n1\n2\n");
    }
    for (int i = 0; i < COPIERS; i++) {
        copiers[i] = (struct copier){.f = f};
        snprintf(copiers[i].from, sizeof copiers[i].from, "%s/in", f->dir);
        open_table(f, &copiers[i].table);
        assert_int_equal(pthread_create(&threads[i], NULL, copy_in_thread, &copiers[i]), 0);
    }
    int64_t total = 0;
    for (int i = 0; i < COPIERS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(copiers[i].status, STATUS_OK);
        total += copiers[i].change.rows;
        close_table(&copiers[i].table);
    }
    assert_int_equal(total, 10);
    assert_int_equal(ask(f, "count(*)"), 10);
}

/* ---- alter ---------------------------------------------------------------------------------------- */

static void properties_are_set_and_unset(void **state)
{
    struct fixture *f = *state;
    static const struct delta_property set[] = {{.key = STR("delta.checkpointInterval"), .value = STR("5")},
                                                {.key = STR("comment"), .value = STR("c")}};
    static const struct delta_property bad[] = {{.key = STR("delta.checkpointInterval"), .value = STR("often")}};
    static const struct delta_property reserved[] = {{.key = STR("location"), .value = STR("/x")}};
    static const struct str keys[] = {STR("delta.checkpointInterval")}, none[] = {STR("delta.checkpointIntervall")};
    OK(f, create(f, "STRUCT<a: INT>", NULL, 0));
    OK(f, table_set_properties(&f->ctx, engine, &f->table, set, 2, &f->change, &f->err));
    assert_int_equal(f->change.version, 1);
    assert_logged(f, 1, "\"operation\":\"SET TBLPROPERTIES\"");
    assert_logged(f, 1, "\"properties\":\"{\\\"delta.checkpointInterval\\\":\\\"5\\\",\\\"comment\\\":\\\"c\\\"}\"");
    struct delta_snapshot *s = snapshot(f);
    assert_true(str_eq(delta_config(delta_snapshot_metadata(s), "delta.checkpointInterval"), STR("5")));
    assert_null(delta_config(delta_snapshot_metadata(s), "comment").ptr);
    assert_true(str_eq(delta_snapshot_metadata(s)->description, STR("c")));
    delta_snapshot_unref(s);
    EXPECT(f, STATUS_INVALID_ARGUMENT, table_set_properties(&f->ctx, engine, &f->table, bad, 1, &f->change, &f->err));
    EXPECT(f, STATUS_INVALID_ARGUMENT, table_set_properties(&f->ctx, engine, &f->table, reserved, 1, &f->change, &f->err));
    EXPECT(f, STATUS_UNKNOWN_PROPERTY, table_unset_properties(&f->ctx, &f->table, none, 1, false, &f->change, &f->err));
    assert_string_equal(f->err.hint, "did you mean \"delta.checkpointInterval\"?");
    OK(f, table_unset_properties(&f->ctx, &f->table, keys, 1, false, &f->change, &f->err));
    assert_logged(f, 2, "\"operation\":\"UNSET TBLPROPERTIES\"");
    assert_logged(f, 2, "\"ifExists\":false");
    OK(f, table_unset_properties(&f->ctx, &f->table, keys, 1, true, &f->change, &f->err));
    s = snapshot(f);
    assert_null(delta_config(delta_snapshot_metadata(s), "delta.checkpointInterval").ptr);
    delta_snapshot_unref(s);
}

/* Rows that came while the files were written anew were written under the names of before. */
static void a_remake_loses_against_an_append(void **state)
{
    struct fixture *f = *state;
    static const struct delta_property mapped[] = {{.key = STR("delta.columnMapping.mode"), .value = STR("name")}};
    static const struct delta_property not_mapped[] = {{.key = STR("delta.columnMapping.mode"), .value = STR("none")}};
    struct alteration a;
    OK(f, create(f, "STRUCT<a: INT>", NULL, 0));
    OK(f, table_set_properties(&f->ctx, engine, &f->table, mapped, 1, &f->change, &f->err));
    OK(f, insert(f, "SELECT i::INT FROM range(10) AS r(i)"));
    OK(f, alteration_open(&a, &f->ctx, &f->table, &f->err));
    OK(f, insert(f, "SELECT 100"));
    OK(f, alteration_set(&a, mapped[0].key, not_mapped[0].value, &f->err));
    int files = files_on_disk(f);
    EXPECT(f, STATUS_COMMIT_CONFLICT, alteration_unmap(&a, engine, &f->change, &f->err));
    alteration_close(&a);
    assert_int_equal(files_on_disk(f), files);
    assert_int_equal(ask(f, "sum(a)"), 145);
    OK(f, table_set_properties(&f->ctx, engine, &f->table, not_mapped, 1, &f->change, &f->err));
    assert_int_equal(f->change.files_removed, 2);
    assert_int_equal(f->change.files_added, 1);
    assert_int_equal(ask(f, "sum(a)"), 145);
    struct delta_snapshot *s = snapshot(f);
    assert_int_equal(delta_mapping_mode(delta_snapshot_metadata(s)), DELTA_MAPPING_NONE);
    assert_int_equal(delta_snapshot_schema(s)->fields[0].metadata_count, 0);
    delta_snapshot_unref(s);
}

static void columns_are_added_where_asked(void **state)
{
    struct fixture *f = *state;
    static struct str inside[] = {STR("s")}, nowhere[] = {STR("a")}, element[] = {STR("l"), STR("element")};
    OK(f, create(f, "STRUCT<a: INT, s: STRUCT<x: INT>, l: ARRAY<STRUCT<e: INT>>>", NULL, 0));
    OK(f, insert(f, "SELECT 1, {'x': 2}, [{'e': 3}]"));
    const struct sql_column columns[] = {
        {.name = STR("b c"), .type = type(f, "DECIMAL(10,2)"), .after = STR("a"), .comment = STR("money")},
        {.name = STR("z"), .type = type(f, "STRING"), .first = true},
        {.name = STR("y"), .type = type(f, "ARRAY<INT>"), .path = inside, .path_depth = 1},
        {.name = STR("g"), .type = type(f, "DATE"), .path = element, .path_depth = 2},
    };
    OK(f, table_add_columns(&f->ctx, &f->table, columns, 4, &f->change, &f->err));
    assert_schema(f, "struct<z:string,a:int,b c:decimal(10,2),s:struct<x:int,y:array<int>>,l:array<struct<e:int,g:date>>>");
    assert_logged(f, 2, "\"operation\":\"ADD COLUMNS\"");
    assert_logged(f, 2,
                  "{\\\"column\\\":{\\\"name\\\":\\\"`b c`\\\",\\\"type\\\":\\\"decimal(10,2)\\\",\\\"nullable\\\":true,"
                  "\\\"metadata\\\":{\\\"comment\\\":\\\"money\\\"}},\\\"position\\\":\\\"AFTER a\\\"}");
    assert_logged(f, 2, "{\\\"column\\\":{\\\"name\\\":\\\"s.y\\\",\\\"type\\\":\\\"array\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}}");
    assert_int_equal(ask(f, "sum(a) * 100 + sum(s.x) * 10 + sum(l[1].e)"), 123);
    const struct sql_column twice = {.name = STR("A"), .type = type(f, "INT")},
                            astray = {.name = STR("q"), .type = type(f, "INT"), .after = STR("no")},
                            wrong = {.name = STR("q"), .type = type(f, "INT"), .path = nowhere, .path_depth = 1};
    EXPECT(f, STATUS_INVALID_ARGUMENT, table_add_columns(&f->ctx, &f->table, &twice, 1, &f->change, &f->err));
    EXPECT(f, STATUS_COLUMN_NOT_FOUND, table_add_columns(&f->ctx, &f->table, &astray, 1, &f->change, &f->err));
    EXPECT(f, STATUS_INVALID_ARGUMENT, table_add_columns(&f->ctx, &f->table, &wrong, 1, &f->change, &f->err));
}

/* Every allocation of this program may fail; the engine's own are not counted. */
static void out_of_memory_changes_nothing(void **state)
{
    struct fixture *f = *state;
    int inserted = 0;
    OK(f, create(f, "STRUCT<a: INT NOT NULL, s: STRUCT<x: TINYINT>>", NULL, 0));
    for (uint64_t n = 1;; n++) {
        struct table_source source = rows(f, "SELECT 1, {'x': 2}");
        struct table_insert options = {0};
        int64_t before = ask(f, "count(*)");
        error_release(&f->err);
        uint64_t start = alloc_count();
        alloc_fail_after(n);
        enum status status = table_insert(&f->ctx, engine, &f->table, &source, &options, &f->change, &f->err);
        uint64_t used = alloc_count() - start;
        alloc_fail_after(0);
        inserted += status == STATUS_OK;
        assert_int_equal(ask(f, "count(*)"), before + (status == STATUS_OK));
        assert_int_equal(files_on_disk(f), inserted);
        if (used < n)
            break;
    }
}

/* Whatever store call fails: the row is in or not, and a file that is not in the table is not left behind. */
static void every_store_fault_is_before_or_after(void **state)
{
    struct fixture *f = *state;
    static const enum store_fault_kind kinds[] = {STORE_FAULT_FAIL, STORE_FAULT_FULL, STORE_FAULT_LOST_REPLY};
    struct store *fault, *real = f->store;
    struct catalog_table faulty;
    OK(f, create(f, "STRUCT<a: INT>", NULL, 0));
    OK(f, store_open_fault(real, &fault, &f->err));
    f->store = fault;
    open_table(f, &faulty);
    f->store = real;
    for (size_t k = 0; k < VV_ARRAY_COUNT(kinds); k++) {
        uint64_t at = 1, calls = 1;
        for (; at <= calls; at++) { /* to the first run that makes fewer calls */
            struct table_source source = rows(f, "SELECT 1");
            struct table_insert options = {0};
            int64_t before = ask(f, "count(*)"), after;
            store_fault_set(fault, (struct store_fault){.kind = kinds[k], .at_call = at});
            error_release(&f->err);
            enum status status = table_insert(&f->ctx, engine, &faulty, &source, &options, &f->change, &f->err);
            calls = store_fault_calls(fault) + (store_fault_calls(fault) >= at);
            store_fault_set(fault, (struct store_fault){0});
            after = ask(f, "count(*)");
            assert_true(after == before + 1 || (status && after == before));
            if (status != STATUS_COMMIT_UNKNOWN)
                assert_true(status ? after == before : after == before + 1);
            if (status && status != STATUS_COMMIT_UNKNOWN && kinds[k] != STORE_FAULT_LOST_REPLY)
                assert_int_equal(files_on_disk(f), ask(f, "count(*)"));
        }
        assert_true(at > 4);
    }
    close_table(&faulty);
    store_unref(fault);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* ---- the gate -------------------------------------------------------------------------------- */

static enum status write_directly(struct fixture *f, const char *select, bool unchanged)
{
    struct delta_snapshot *s = snapshot(f);
    struct engine_written written = {0};
    struct table_rows rows = {.select = str_of(select), .unchanged = unchanged};
    enum status status = table_write_rows(&f->ctx, engine, &f->table, delta_snapshot_metadata(s), delta_snapshot_schema(s), &rows, &written, &f->err);
    if (!status)
        table_discard_files(&f->ctx, &f->table, &written);
    engine_written_release(&written);
    delta_snapshot_unref(s);
    return status;
}

static void the_gate_stands_before_every_write(void **state)
{
    struct fixture *f = *state;
    static const struct sql_constraint pos = {.name = STR("Pos"), .text = STR("a > 0 AND b <=> b")};
    struct delta_type *schema = type(f, "STRUCT<a: INT, b: STRING, c: INT>");
    assert_true(field_set_meta_text(&f->arena, &schema->fields[2], STR(META_GENERATED), STR("a + 1")));
    struct table_definition def = {.schema = schema, .constraints = &pos, .constraint_count = 1};
    OK(f, table_create(&f->ctx, engine, &f->table, &def, NULL, NULL, false, &f->change, &f->err));
    assert_logged(f, 0, "\"minWriterVersion\":4");
    assert_logged(f, 0, "delta.constraints.pos");
    OK(f, write_directly(f, "SELECT 1, 'x', 2", false));
    EXPECT(f, STATUS_CONSTRAINT_VIOLATION, write_directly(f, "SELECT 0, 'x', 1", false));
    assert_non_null(strstr(f->err.message, "\"pos\""));
    assert_non_null(strstr(f->err.detail, "'a': 0"));
    EXPECT(f, STATUS_CONSTRAINT_VIOLATION, write_directly(f, "SELECT NULL::INTEGER, 'x', NULL", false));
    EXPECT(f, STATUS_CONSTRAINT_VIOLATION, write_directly(f, "SELECT 1, 'x', 3", false));
    assert_non_null(strstr(f->err.message, "generated column \"c\""));
    OK(f, write_directly(f, "SELECT 0, 'x', 7", true));
    assert_int_equal(files_on_disk(f), 0);
}

static void rules_that_cannot_be_evaluated_stop_writes(void **state)
{
    struct fixture *f = *state;
    struct delta_type *schema = type(f, "STRUCT<a: INT>");
    struct delta_property rule = {.key = STR("delta.constraints.x"), .value = STR("spark_only(a) > 0")};
    struct delta_metadata m = {.configuration = &rule, .configuration_count = 1};
    struct table_rule *rules;
    size_t count;
    EXPECT(f, STATUS_UNSUPPORTED_FEATURE, table_rules(&f->ctx, engine, &f->arena, &m, schema, &rules, &count, &f->err));
    assert_non_null(strstr(f->err.message, "constraint \"x\" cannot be evaluated here: spark_only(a) > 0"));
    m.configuration_count = 0;
    assert_true(field_set_meta(&f->arena, &schema->fields[0], STR(META_INVARIANTS), STR("{\"expression\":{\"expression\":\"a < 9\"}}")));
    OK(f, table_rules(&f->ctx, engine, &f->arena, &m, schema, &rules, &count, &f->err));
    assert_int_equal(count, 1);
    assert_true(str_eq(rules[0].text, STR("a < 9")));
    assert_true(field_set_meta(&f->arena, &schema->fields[0], STR(META_INVARIANTS), STR("{\"other\":1}")));
    EXPECT(f, STATUS_UNSUPPORTED_FEATURE, table_rules(&f->ctx, engine, &f->arena, &m, schema, &rules, &count, &f->err));
}

static void identities_are_read_and_moved(void **state)
{
    struct fixture *f = *state;
    struct delta_type *schema = type(f, "STRUCT<id: BIGINT, a: INT>");
    struct delta_field *id = &schema->fields[0];
    struct identity read;
    int64_t next = 0;
    bool changed;
    assert_false(identity_of(id, &read));
    assert_true(field_set_meta(&f->arena, id, STR("delta.identity.start"), STR("10")) &&
                field_set_meta(&f->arena, id, STR("delta.identity.step"), STR("-3")));
    assert_true(identity_of(id, &read) && identity_next(&read, &next));
    assert_int_equal(next, 10);
    struct str computed[] = {STR("ID")};
    struct fit fit = {.computed = computed, .computed_count = 1};
    const struct fit *fits[] = {&fit};
    OK(f, identity_advance(&f->arena, schema, fits, 1, 4, &changed, &f->err));
    assert_true(changed && identity_of(id, &read) && read.has_high_water);
    assert_int_equal(read.high_water, 1);
    OK(f, identity_advance(&f->arena, schema, fits, 1, 0, &changed, &f->err));
    assert_false(changed);
    assert_true(field_set_meta(&f->arena, id, STR("delta.identity.highWaterMark"), STR("-9223372036854775807")));
    assert_true(identity_of(id, &read));
    assert_false(identity_next(&read, &next));
    assert_true(field_set_meta(&f->arena, id, STR("delta.identity.step"), STR("0")));
    assert_false(identity_of(id, &read));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(creates_as_spark_logs_it),
        TEST(refuses_bad_definitions),
        TEST(creates_from_a_query_and_replaces),
        TEST(failed_query_creates_nothing),
        TEST(inserts_by_position_list_and_name),
        TEST(the_gate_stands_before_every_write),
        TEST(rules_that_cannot_be_evaluated_stop_writes),
        TEST(identities_are_read_and_moved),
        TEST(insert_lists_every_violation),
        TEST(values_are_assigned_as_ansi_says),
        TEST(null_literals_fit_everything),
        TEST(nulls_are_refused_where_declared),
        TEST(required_elements_are_checked),
        TEST(schema_grows_and_is_replaced),
        TEST(overwrites_and_empty_inserts),
        TEST(partition_values_survive),
        TEST(copies_each_file_once),
        TEST(copy_of_a_bad_file_changes_nothing),
        TEST(copy_fills_a_table_without_columns),
        TEST(copies_without_header_by_position),
        TEST(copies_json_and_parquet),
        TEST(racing_copies_load_a_file_once),
        TEST(properties_are_set_and_unset),
        TEST(a_remake_loses_against_an_append),
        TEST(columns_are_added_where_asked),
        TEST(out_of_memory_changes_nothing),
        TEST(every_store_fault_is_before_or_after),
    };
    return cmocka_run_group_tests(tests, open_engine, close_engine);
}
