#include "base/base.h"

#include "engine/engine_fixture.h"

/* ---- what the callbacks saw ------------------------------------------------------------- */

struct seen {
    struct fixture *f;
    struct buf text; /* one line per row */
    size_t rows, batches;
    size_t partition_count;
    size_t stop_after; /* rows; 0: never */
};

static void put_str(struct buf *out, const struct str *column, size_t i)
{
    if (!column || !column[i].ptr)
        buf_z(out, column ? "NULL" : "-");
    else
        buf_str(out, column[i]);
}

static void put_num(struct buf *out, const int64_t *column, size_t i)
{
    if (column)
        buf_i64(out, column[i]);
    else
        buf_char(out, '-');
}

static bool see_batch(void *user, size_t part, const struct delta_checkpoint_batch *b, struct error *err)
{
    struct seen *s = user;
    s->batches++;
    for (size_t i = 0; i < b->rows; i++) {
        s->rows++;
        if (s->text.len > 100000)
            continue;
        buf_printf(&s->text, "%zu ", part);
        put_str(&s->text, b->path, i);
        buf_char(&s->text, ' ');
        put_num(&s->text, b->size_bytes, i);
        buf_char(&s->text, ' ');
        put_num(&s->text, b->modified_ms, i);
        for (size_t c = 0; c < s->partition_count; c++) {
            buf_z(&s->text, " p=");
            put_str(&s->text, b->partition ? b->partition[c] : NULL, i);
        }
        if (b->dv_storage && b->dv_storage[i].ptr) {
            buf_z(&s->text, " dv=");
            put_str(&s->text, b->dv_storage, i);
            put_str(&s->text, b->dv_path, i);
            buf_char(&s->text, '/');
            put_num(&s->text, b->dv_offset, i);
            buf_char(&s->text, '/');
            put_num(&s->text, b->dv_size, i);
            buf_char(&s->text, '/');
            put_num(&s->text, b->dv_cardinality, i);
        }
        buf_z(&s->text, " ");
        put_str(&s->text, b->stats, i);
        buf_char(&s->text, '\n');
    }
    if (s->stop_after && s->rows >= s->stop_after)
        return error_set(err, STATUS_LIMIT_EXCEEDED, "enough") == STATUS_OK;
    return true;
}

static bool see_action(void *user, struct str json, struct error *err)
{
    struct seen *s = user;
    s->rows++;
    buf_str(&s->text, json);
    buf_char(&s->text, '\n');
    if (s->stop_after && s->rows >= s->stop_after)
        return error_set(err, STATUS_LIMIT_EXCEEDED, "enough") == STATUS_OK;
    return true;
}

static bool see_add(void *user, size_t part, struct str json, struct error *err)
{
    struct seen *s = user;
    buf_printf(&s->text, "%zu ", part);
    return see_action(user, json, err);
}

static struct str file(struct fixture *f, const char *name) { return str_of(arena_printf(&f->arena, "%s/%s", f->directory, name)); }

static struct str write_text(struct fixture *f, const char *name, const char *text)
{
    struct str path = file(f, name);
    FILE *out = fopen(path.ptr, "w");
    assert_non_null(out);
    fputs(text, out);
    fclose(out);
    return path;
}

static const struct delta_checkpoint_shape whole = {.part = DELTA_CHECKPOINT_WHOLE, .stats_json = true};

static struct delta_handler *handler(struct fixture *f) { return engine_delta_handler(f->engine); }

static const char actions[] =
    "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\"],\"writerFeatures\":[\"deletionVectors\","
    "\"rowTracking\"]}}\n"
    "{\"metaData\":{\"id\":\"1-2-3\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"{\\\"type\\\":\\\"struct\\\","
    "\\\"fields\\\":[]}\","
    "\"partitionColumns\":[\"p\",\"q r\"],\"configuration\":{\"delta.enableDeletionVectors\":\"true\",\"x\":null},\"createdTime\":1700000000000}}\n"
    "{\"txn\":{\"appId\":\"app \\\"1\\\"\",\"version\":9007199254740993,\"lastUpdated\":5}}\n"
    "{\"txn\":{\"appId\":\"app2\",\"version\":1}}\n"
    "{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"{\\\"a\\\":1}\",\"removed\":false}}\n"
    "{\"add\":{\"path\":\"p=a%2520b/x.parquet\",\"partitionValues\":{\"p\":\"a b\",\"q "
    "r\":null},\"size\":123,\"modificationTime\":1700000000001,\"dataChange\":true,"
    "\"stats\":\"{\\\"numRecords\\\":3,\\\"minValues\\\":{\\\"v\\\":\\\"é\\\\\\\"\\\"}}\",\"tags\":{\"t\":\"1\",\"n\":null},\"baseRowId\":7,"
    "\"defaultRowCommitVersion\":2}}\n"
    "{\"remove\":{\"path\":\"old.parquet\",\"deletionTimestamp\":17,\"dataChange\":true,\"extendedFileMetadata\":true,\"partitionValues\":{\"p\":"
    "\"\"},\"size\":1}}\n"
    "{\"add\":{\"path\":\"y.parquet\",\"partitionValues\":{\"q r\":\"2\",\"p\":\"é\"},\"size\":0,\"modificationTime\":0,\"dataChange\":false,"
    "\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":\"ab^-aqEH.-t@S}K{vb[*k^\",\"offset\":4,\"sizeInBytes\":40,\"cardinality\":6}}}\n";

static const char expected_adds[] = "0 p=a%2520b/x.parquet 123 1700000000001 p=NULL p=a b {\"numRecords\":3,\"minValues\":{\"v\":\"é\\\"\"}}\n"
                                    "0 y.parquet 0 0 p=2 p=é dv=uab^-aqEH.-t@S}K{vb[*k^/4/40/6 NULL\n";

static struct str written_checkpoint(struct fixture *f, const char *name)
{
    struct str ndjson = write_text(f, "actions.json", actions), path = file(f, name);
    OK(f, handler(f)->write_checkpoint(handler(f), &f->ctx, ndjson, path, &whole, &f->err));
    return path;
}

static void adds_go_there_and_back(void **state)
{
    struct fixture *f = *state;
    struct str path = written_checkpoint(f, "one.parquet"), columns[] = {STR("q r"), STR("p")};
    struct seen s = {.f = f, .partition_count = 2};
    OK(f, handler(f)->read_adds(handler(f), &f->ctx, &path, 1, columns, 2, true, see_batch, &s, &f->err));
    assert_string_equal(s.text.ptr, expected_adds);
    buf_clear(&s.text);
    s.partition_count = 0;
    OK(f, handler(f)->read_adds(handler(f), &f->ctx, &path, 1, NULL, 0, false, see_batch, &s, &f->err));
    assert_string_equal(s.text.ptr, "0 p=a%2520b/x.parquet 123 1700000000001 -\n0 y.parquet 0 0 dv=uab^-aqEH.-t@S}K{vb[*k^/4/40/6 -\n");
    buf_release(&s.text);
}

static void others_go_there_and_back(void **state)
{
    struct fixture *f = *state;
    struct str path = written_checkpoint(f, "others.parquet");
    struct seen s = {.f = f};
    OK(f, handler(f)->read_others(handler(f), &f->ctx, &path, 1, true, see_action, &s, &f->err));
    assert_int_equal(s.rows, 6);
    static const char *const expected[] = {"{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\"],",
                                           "\"configuration\":{\"delta.enableDeletionVectors\":\"true\",\"x\":null}",
                                           "\"options\":{}",
                                           "\"schemaString\":\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[]}\"",
                                           "{\"txn\":{\"appId\":\"app \\\"1\\\"\",\"version\":9007199254740993,\"lastUpdated\":5}}\n",
                                           "{\"txn\":{\"appId\":\"app2\",\"version\":1}}\n",
                                           "{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"{\\\"a\\\":1}\",\"removed\":false}}\n",
                                           "{\"remove\":{\"path\":\"old.parquet\",\"deletionTimestamp\":17,"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(expected); i++)
        if (!strstr(s.text.ptr, expected[i]))
            fail_msg("%s is not in %s", expected[i], s.text.ptr);
    assert_null(strstr(s.text.ptr, "description"));
    buf_clear(&s.text);
    s.rows = 0;
    OK(f, handler(f)->read_others(handler(f), &f->ctx, &path, 1, false, see_action, &s, &f->err));
    assert_int_equal(s.rows, 5);
    s.stop_after = 6;
    FAILS(f, STATUS_LIMIT_EXCEEDED, handler(f)->read_others(handler(f), &f->ctx, &path, 1, false, see_action, &s, &f->err));
    buf_release(&s.text);
    fixture_clear(f);
}

static void raw_adds_keep_everything(void **state)
{
    struct fixture *f = *state;
    struct str path = written_checkpoint(f, "raw.parquet");
    struct seen s = {.f = f};
    OK(f, handler(f)->read_adds_raw(handler(f), &f->ctx, &path, 1, see_add, &s, &f->err));
    assert_string_equal(
        s.text.ptr,
        "0 {\"add\":{\"path\":\"p=a%2520b/x.parquet\",\"partitionValues\":{\"p\":\"a b\",\"q "
        "r\":null},\"size\":123,\"modificationTime\":1700000000001,"
        "\"dataChange\":true,\"tags\":{\"t\":\"1\",\"n\":null},\"baseRowId\":7,\"defaultRowCommitVersion\":2,"
        "\"stats\":\"{\\\"numRecords\\\":3,\\\"minValues\\\":{\\\"v\\\":\\\"é\\\\\\\"\\\"}}\"}}\n"
        "0 {\"add\":{\"path\":\"y.parquet\",\"partitionValues\":{\"q r\":\"2\",\"p\":\"é\"},\"size\":0,\"modificationTime\":0,\"dataChange\":false,"
        "\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":\"ab^-aqEH.-t@S}K{vb[*k^\",\"offset\":4,\"sizeInBytes\":40,\"cardinality\":6}}}"
        "\n");
    buf_release(&s.text);
}

static void parts_and_rows_are_told_apart(void **state)
{
    struct fixture *f = *state;
    struct str paths[3];
    struct seen s = {.f = f};
    for (int i = 0; i < 3; i++) {
        paths[i] = file(f, arena_printf(&f->arena, "part%d.parquet", i));
        run_sql(f,
                arena_printf(&f->arena,
                             "COPY (SELECT CASE WHEN range %% 2 = 0 THEN {'path': '%d-' || range, 'size': range, 'modificationTime': 1} END AS add, "
                             "CASE WHEN range %% 2 = 1 THEN {'appId': 'a', 'version': range} END AS txn FROM range(%d)) TO '%s'",
                             i, i == 1 ? 1 : 5000, paths[i].ptr));
    }
    OK(f, handler(f)->read_adds(handler(f), &f->ctx, paths, 3, NULL, 0, false, see_batch, &s, &f->err));
    assert_int_equal(s.rows, 2500 + 1 + 2500);
    assert_true(strncmp(s.text.ptr, "0 0-0 0 1 -\n0 0-2 2 1 -\n", 24) == 0);
    assert_non_null(strstr(s.text.ptr, "0 0-4998 4998 1 -\n1 1-0 0 1 -\n2 2-0 0 1 -\n2 2-2 2 1 -\n"));
    buf_clear(&s.text);
    s.rows = 0;
    OK(f, handler(f)->read_others(handler(f), &f->ctx, paths, 3, true, see_action, &s, &f->err));
    assert_int_equal(s.rows, 5000);
    s = (struct seen){.f = f, .text = s.text};
    buf_clear(&s.text);
    OK(f, handler(f)->read_adds_raw(handler(f), &f->ctx, paths, 3, see_add, &s, &f->err));
    assert_non_null(strstr(s.text.ptr, "1 {\"add\":{\"path\":\"1-0\",\"size\":0,\"modificationTime\":1}}\n2 {\"add\":{\"path\":\"2-0\""));
    buf_release(&s.text);
}

/* Enough rows for several row groups and threads: order and positions must hold. */
static void many_rows_in_order(void **state)
{
    struct fixture *f = *state;
    struct str path = file(f, "many.parquet");
    struct seen s = {.f = f};
    run_sql(f, arena_printf(&f->arena,
                            "COPY (SELECT CASE WHEN range %% 3 > 0 THEN {'path': 'part-' || range, 'size': range, 'modificationTime': range, "
                            "'partitionValues': MAP {'p': range::VARCHAR}} "
                            "END AS add FROM range(400000)) TO '%s' (ROW_GROUP_SIZE 20000)",
                            path.ptr));
    OK(f, handler(f)->read_adds(handler(f), &f->ctx, &path, 1, NULL, 0, false, see_batch, &s, &f->err));
    assert_int_equal(s.rows, 266666);
    int64_t last = -1;
    size_t lines = 0;
    for (char *line = s.text.ptr; *line; line = strchr(line, '\n') + 1, lines++) {
        long long number, size;
        if (sscanf(line, "0 part-%lld %lld", &number, &size) != 2)
            fail_msg("%.40s", line);
        assert_true(size == number && number > last);
        last = number;
    }
    assert_true(lines > 1000);
    s.stop_after = 5000;
    s.rows = 0;
    FAILS(f, STATUS_LIMIT_EXCEEDED, handler(f)->read_adds(handler(f), &f->ctx, &path, 1, NULL, 0, false, see_batch, &s, &f->err));
    assert_in_range(s.rows, 5000, 8000);
    assert_string_equal(ask(f, STR("SELECT 1")), "1");
    buf_release(&s.text);
    fixture_clear(f);
}

static void checkpoints_with_few_columns(void **state)
{
    struct fixture *f = *state;
    struct str path = file(f, "few.parquet"), p = STR("p");
    struct seen s = {.f = f, .partition_count = 1};
    run_sql(f, arena_printf(&f->arena, "COPY (SELECT {'path': 'a', 'size': 1::INT} AS add) TO '%s'", path.ptr));
    OK(f, handler(f)->read_adds(handler(f), &f->ctx, &path, 1, &p, 1, true, see_batch, &s, &f->err));
    assert_string_equal(s.text.ptr, "0 a 1 0 p=- -\n");
    s.rows = 0;
    OK(f, handler(f)->read_others(handler(f), &f->ctx, &path, 1, true, see_action, &s, &f->err));
    assert_int_equal(s.rows, 0);
    run_sql(f, arena_printf(&f->arena, "COPY (SELECT {'appId': 'a', 'version': 1} AS txn) TO '%s'", path.ptr));
    OK(f, handler(f)->read_adds(handler(f), &f->ctx, &path, 1, &p, 1, true, see_batch, &s, &f->err));
    OK(f, handler(f)->read_adds_raw(handler(f), &f->ctx, &path, 1, see_add, &s, &f->err));
    assert_int_equal(s.rows, 0);
    OK(f, handler(f)->read_adds(handler(f), &f->ctx, NULL, 0, NULL, 0, false, see_batch, &s, &f->err));
    buf_release(&s.text);
}

static void statistics_as_structs(void **state)
{
    struct fixture *f = *state;
    struct str path = file(f, "parsed.parquet");
    struct seen s = {.f = f};
    run_sql(f,
            arena_printf(
                &f->arena,
                "COPY (SELECT {'path': 'a', 'partitionValues': MAP {}::MAP(VARCHAR, VARCHAR), 'size': 1, 'modificationTime': 2, 'dataChange': true, "
                "'stats_parsed': {'numRecords': 3, 'minValues': {'d': DATE '2024-01-01', 't': TIMESTAMPTZ '2024-01-01 10:00:00.123456+00', "
                "'n': TIMESTAMP '2024-01-01 10:00:00', 'x \"y': 1.50::DECIMAL(5,2), 'z': NULL::INT}, 'nullCount': {'d': 0}}} AS add) TO '%s'",
                path.ptr));
    OK(f, handler(f)->read_adds_raw(handler(f), &f->ctx, &path, 1, see_add, &s, &f->err));
    const char *stats = strstr(s.text.ptr, "\"stats\":\"");
    assert_non_null(stats);
    assert_non_null(strstr(stats, "\\\"numRecords\\\":3"));
    assert_non_null(strstr(stats, "\\\"d\\\":\\\"2024-01-01\\\""));
    assert_non_null(strstr(stats, "\\\"t\\\":\\\"2024-01-01T10:00:00.123Z\\\""));
    assert_non_null(strstr(stats, "\\\"n\\\":\\\"2024-01-01T10:00:00.000\\\""));
    assert_non_null(strstr(stats, "1.5"));
    assert_null(strstr(s.text.ptr, "stats_parsed"));
    buf_clear(&s.text);
    OK(f, handler(f)->read_adds(handler(f), &f->ctx, &path, 1, NULL, 0, true, see_batch, &s, &f->err));
    assert_non_null(strstr(s.text.ptr, "\"numRecords\":3"));
    buf_release(&s.text);
}

static void bad_files(void **state)
{
    struct fixture *f = *state;
    struct str junk = write_text(f, "junk.parquet", "PAR1 this is no footer PAR1"), missing = file(f, "missing.parquet"),
               out = file(f, "bad.parquet");
    struct seen s = {.f = f};
    FAILS(f, STATUS_CORRUPT_LOG, handler(f)->read_adds(handler(f), &f->ctx, &junk, 1, NULL, 0, false, see_batch, &s, &f->err));
    assert_non_null(strstr(f->err.message, "junk.parquet"));
    FAILS(f, STATUS_CORRUPT_LOG, handler(f)->read_others(handler(f), &f->ctx, &junk, 1, false, see_action, &s, &f->err));
    FAILS(f, STATUS_FILE_NOT_FOUND, handler(f)->read_adds(handler(f), &f->ctx, &missing, 1, NULL, 0, false, see_batch, &s, &f->err));
    struct str text = write_text(f, "actions.json", "{\"add\":{\"path\":\"a\"}}\n{\"add\":");
    enum status st = handler(f)->write_checkpoint(handler(f), &f->ctx, text, out, &whole, &f->err);
    assert_int_not_equal(st, STATUS_OK);
    assert_int_not_equal(access(out.ptr, F_OK), 0); /* nothing half-written is left */
    f->ctx.cancelled = true;
    FAILS(f, STATUS_CANCELLED, handler(f)->read_adds(handler(f), &f->ctx, &junk, 1, NULL, 0, false, see_batch, &s, &f->err));
    f->ctx.cancelled = false;
    assert_int_equal(s.rows, 0);
    buf_release(&s.text);
    fixture_clear(f);
}

static void the_written_schema_is_the_protocols(void **state)
{
    struct fixture *f = *state;
    struct str path = written_checkpoint(f, "schema.parquet");
    char *sql = arena_printf(&f->arena, "SELECT column_name || ' ' || column_type FROM (DESCRIBE SELECT * FROM '%s')", path.ptr);
    const char *all = ask(f, str_of(sql));
    assert_non_null(strstr(
        all,
        "add STRUCT(path VARCHAR, partitionValues MAP(VARCHAR, VARCHAR), size BIGINT, modificationTime BIGINT, dataChange BOOLEAN, stats VARCHAR, "));
    assert_non_null(strstr(all, "partitionColumns VARCHAR[], createdTime BIGINT, \"configuration\" MAP(VARCHAR, VARCHAR))"));
    assert_non_null(
        strstr(all, "protocol STRUCT(minReaderVersion INTEGER, minWriterVersion INTEGER, readerFeatures VARCHAR[], writerFeatures VARCHAR[])"));
    sql = arena_printf(
        &f->arena,
        "SELECT count(*) FROM '%s' WHERE (add IS NOT NULL)::INT + (remove IS NOT NULL)::INT + (txn IS NOT NULL)::INT + (protocol IS NOT NULL)::INT "
        "+ (\"metaData\" IS NOT NULL)::INT + (\"domainMetadata\" IS NOT NULL)::INT <> 1",
        path.ptr);
    assert_string_equal(ask(f, str_of(sql)), "0");
    sql = arena_printf(&f->arena, "SELECT add.deletionVector IS NULL FROM '%s' WHERE add IS NOT NULL", path.ptr);
    assert_string_equal(ask(f, str_of(sql)), "true|false");
}

/* ---- typed columns and the parts of V2 --------------------------------------------------------------- */

static const char typed_actions[] =
    "{\"add\":{\"path\":\"a\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1,\"dataChange\":false,\"stats_parsed\":{\"numRecords\":3,"
    "\"minValues\":{\"n\":\"1234567890123456789012345678.0123456789\",\"t\":\"2024-01-01T00:00:00.123Z\",\"w\":\"0001-01-01T00:00:00.000\","
    "\"f\":\"NaN\",\"d\":\"2024-02-29\",\"q\\\"x\":{\"y "
    "z\":\"\\u00e9\"}},\"nullCount\":{\"n\":9007199254740993}},\"partitionValues_parsed\":{\"p\":7}}}\n"
    "{\"add\":{\"path\":\"b\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1,\"dataChange\":false,\"stats_parsed\":null}}\n"
    "{\"remove\":{\"path\":\"c\",\"deletionTimestamp\":5}}\n";

static const struct delta_type *typed_stats(struct fixture *f)
{
    return schema_of(f, "STRUCT<numRecords: BIGINT, minValues: STRUCT<n: DECIMAL(38,10), t: TIMESTAMP, w: TIMESTAMP_NTZ, f: DOUBLE, d: DATE, "
                        "`q\"x`: STRUCT<`y z`: STRING>>, nullCount: STRUCT<n: BIGINT>, tightBounds: BOOLEAN>");
}

static void typed_statistics_read_back_as_text(void **state)
{
    struct fixture *f = *state;
    struct str ndjson = write_text(f, "typed.json", typed_actions), path = file(f, "typed.parquet");
    struct delta_checkpoint_shape shape = {.part = DELTA_CHECKPOINT_SIDECAR,
                                           .stats_json = false,
                                           .stats_parsed = typed_stats(f),
                                           .partition_values_parsed = schema_of(f, "STRUCT<p: INT>")};
    OK(f, handler(f)->write_checkpoint(handler(f), &f->ctx, ndjson, path, &shape, &f->err));
    struct seen s = {.f = f};
    OK(f, handler(f)->read_adds(handler(f), &f->ctx, &path, 1, NULL, 0, true, see_batch, &s, &f->err));
    const char *stats =
        "{\"numRecords\":3,\"minValues\":{\"n\":1234567890123456789012345678.0123456789,\"t\":\"2024-01-01T00:00:00.123Z\",\"w\":"
        "\"0001-01-01T00:00:00.000\",\"f\":null,\"d\":\"2024-02-29\",\"q\\\"x\":{\"y z\":\"é\"}},\"nullCount\":{\"n\":9007199254740993},"
        "\"tightBounds\":null}";
    assert_non_null(strstr(s.text.ptr, stats));
    assert_non_null(strstr(s.text.ptr, "0 b 1 1 NULL\n"));
    buf_release(&s.text);
}

static void each_part_has_its_columns(void **state)
{
    static const char *const columns[] = {
        [DELTA_CHECKPOINT_WHOLE] = "txn remove metaData protocol domainMetadata add ",
        [DELTA_CHECKPOINT_TOP] = "txn remove metaData protocol domainMetadata checkpointMetadata sidecar add ",
        [DELTA_CHECKPOINT_SIDECAR] = "remove add ",
    };
    struct fixture *f = *state;
    struct str ndjson = write_text(f, "parts.json", "{\"sidecar\":{\"path\":\"x\",\"sizeInBytes\":1,\"modificationTime\":2,\"tags\":null}}\n");
    for (int part = 0; part < 3; part++) {
        struct delta_checkpoint_shape shape = {.part = (enum delta_checkpoint_part)part, .stats_json = true};
        struct str path = file(f, "parts.parquet");
        struct engine_run run;
        struct arena arena = ARENA_INIT;
        struct delta_type *found;
        struct buf names = BUF_INIT, sql = BUF_INIT;
        OK(f, handler(f)->write_checkpoint(handler(f), &f->ctx, ndjson, path, &shape, &f->err));
        OK(f, run_begin(&f->ctx, f->engine, STR_NULL, &run, &f->err));
        duckdb_prepared_statement statement;
        buf_z(&sql, "SELECT * FROM read_parquet(");
        engine_quote_literal(path, &sql);
        buf_char(&sql, ')');
        OK(f, run_prepare(&run, buf_view(&sql), &statement, &f->err));
        OK(f, schema_from_prepared(&arena, statement, &found, &f->err));
        for (uint32_t i = 0; i < found->field_count; i++)
            buf_printf(&names, "%.*s ", STR_ARG(found->fields[i].name));
        assert_string_equal(names.ptr, columns[part]);
        duckdb_destroy_prepare(&statement);
        run_end(&run);
        buf_release(&names);
        buf_release(&sql);
        arena_release(&arena);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(typed_statistics_read_back_as_text),
        cmocka_unit_test(each_part_has_its_columns),
        cmocka_unit_test(adds_go_there_and_back),
        cmocka_unit_test(others_go_there_and_back),
        cmocka_unit_test(raw_adds_keep_everything),
        cmocka_unit_test(parts_and_rows_are_told_apart),
        cmocka_unit_test(many_rows_in_order),
        cmocka_unit_test(checkpoints_with_few_columns),
        cmocka_unit_test(statistics_as_structs),
        cmocka_unit_test(bad_files),
        cmocka_unit_test(the_written_schema_is_the_protocols),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
