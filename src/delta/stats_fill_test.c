#include "delta/log_testing.h"
#include "delta/stats_testing.h"

/* ---- shapes ------------------------------------------------------------------------------------ */

/* "…{c}…" with every value in turn, again and again, so that every text follows every other. */
static void check_values(const char *sql_type, const char *const *values, size_t count)
{
    static const char *const frames[] = {
        "{\"numRecords\":10,\"minValues\":{\"a\":1,\"c\":%s},\"maxValues\":{\"a\":2,\"c\":%s},\"nullCount\":{\"a\":0,\"c\":0}}",
        "{\"nullCount\":{\"c\":10},\"minValues\":{\"c\":%s},\"numRecords\":10,\"maxValues\":{\"c\":%s},\"tightBounds\":true}",
        " { \"numRecords\" : 3 , \"minValues\" : { \"c\" : %s } , \"maxValues\" : { \"c\":\t%s } } ",
        "{\"numRecords\":3,\"minValues\":{\"c\":1,\"c\":%s},\"maxValues\":{\"c\":%s},\"nullCount\":{\"c\":3}}",
        "{\"minValues\":{\"c\":%s},\"maxValues\":{\"c\":%s}",
    };
    struct arena arena = ARENA_INIT;
    struct str texts[400], name = STR("c");
    struct delta_type *type;
    size_t made = 0;
    assert_int_equal(delta_type_from_sql(&arena, str_of(sql_type), &type, NULL), STATUS_OK);
    struct delta_stats_leaf leaf = {&name, 1, type};
    for (size_t i = 0; made < VV_ARRAY_COUNT(texts); i++) {
        const char *frame = frames[i / 7 % VV_ARRAY_COUNT(frames)], *value = values[i * 13 % count], *other = values[i * 7 % count];
        char *text = arena_printf(&arena, frame, value, other);
        texts[made++] = str_of(text);
    }
    size_t bad = first_difference(texts, made, &leaf);
    if (bad < made)
        fail_msg("%s: %s", sql_type, texts[bad].ptr);
    arena_release(&arena);
}

#define CHECK_VALUES(TYPE, ...)                                                                                                                      \
    do {                                                                                                                                             \
        static const char *const values[] = {__VA_ARGS__};                                                                                           \
        check_values(TYPE, values, VV_ARRAY_COUNT(values));                                                                                          \
    } while (0)

static void whole_numbers(void **state)
{
    CHECK_VALUES("BIGINT", "0", "-0", "7", "-12345", "999999999999999999", "9223372036854775807", "-9223372036854775808", "9223372036854775808",
                 "12345678901234567890123", "1e3", "1.0", "1.5", "00", "01", "-", "1.", "1e", "+1", "null", "\"5\"", "true", "{}", "");
    CHECK_VALUES("TINYINT", "0", "127", "128", "-128", "-129", "1e2", "1000000000000000000000");
}

static void floating_numbers(void **state)
{
    CHECK_VALUES("DOUBLE", "0", "-0.0", "1.5", "1e308", "1e309", "-1.7976931348623157e308", "4.9e-324", "1e-400", "\"NaN\"", "\"Infinity\"",
                 "\"-Infinity\"", "\"x\"", ".5", "5.", "0.1", "1E5", "1e+", "NaN");
    CHECK_VALUES("FLOAT", "0.1", "3.4028235e38", "1e39", "\"Infinity\"");
    CHECK_VALUES("DECIMAL(12,3)", "1.234", "1.2345", "-999999999.999", "1e3", "\"5.5\"", "1000000000000");
    CHECK_VALUES("DECIMAL(38,10)", "1.234", "9999999999999999999999999999.9999999999", "0.12345678901");
}

static void texts(void **state)
{
    CHECK_VALUES("STRING", "\"\"", "\"a\"", "\"a\\\"b\"", "\"\\u00e9\"", "\"\xc3\xa9\"", "\"\xff\"", "\"\xc3\"", "\"a\tb\"", "\"\xed\xa0\x80\"",
                 "\"01234567890123456789012345678901\"", "\"0123456789012345678901234567890123\"", "\"0123456789012345678901234567890\"",
                 "\"0123456789012345678901234567890\xc3\xa9xyz\"", "\"\xf0\x9f\x98\x80\"", "5", "null", "\"open", "\"\\ud800\"", "\"\\q\"");
}

static void times(void **state)
{
    CHECK_VALUES("TIMESTAMP", "\"2024-01-31T23:59:59.999Z\"", "\"2024-02-30T00:00:00.000Z\"", "\"2024-01-01T24:00:00.000Z\"",
                 "\"2024-01-01T00:60:00.000Z\"", "\"2024-01-01T00:00:60.000Z\"", "\"2024-01-01T00:00:00.00aZ\"", "\"2024-01-01T00:00:00.000+\"",
                 "\"1969-12-31T23:59:59.001Z\"", "\"0001-01-01T00:00:00.000Z\"", "\"0000-01-01T00:00:00.000Z\"", "\"9999-12-31T23:59:59.999Z\"",
                 "\"2024-01-01T00:00:00.000\"", "\"2024-01-01 00:00:00.000Z\"", "\"1960-01-01T00:00:00.000-08:00\"", "\"2024-01-01T0x:00:00.000Z\"",
                 "\"2024-01-01T00:00:00.123456Z\"", "5");
    CHECK_VALUES("TIMESTAMP_NTZ", "\"2024-01-31T23:59:59.999\"", "\"2024-01-31T23:59:59.999Z\"", "\"2024-01-31T23:59:59.999+01\"", "\"x\"");
    CHECK_VALUES("DATE", "\"2024-01-31\"", "\"2024-02-30\"", "\"0000-01-01\"", "5", "\"2024-1-1\"");
}

/* More kinds of texts than shapes are kept, so that some are learned again and some never are. */
static void many_shapes(void **state)
{
    struct arena arena = ARENA_INIT;
    struct str texts[1000], name = STR("c");
    struct delta_type type = {.id = DELTA_LONG};
    struct delta_stats_leaf leaf = {&name, 1, &type};
    for (size_t i = 0; i < VV_ARRAY_COUNT(texts); i++)
        texts[i] = i % 97 == 5 ? STR_NULL
                               : str_of(arena_printf(&arena, "{\"minValues\":{\"c\":%zu,\"k%zu\":0},\"maxValues\":{\"c\":%zu}}", i, i % 11, i + 1));
    assert_int_equal(first_difference(texts, VV_ARRAY_COUNT(texts), &leaf), VV_ARRAY_COUNT(texts));
    arena_release(&arena);
}

/* ---- straight from a checkpoint ---------------------------------------------------------------------- */

enum { FILES = 150, STEP = 10 };

static struct delta_snapshot *checkpointed(struct fixture *f)
{
    struct error err = ERROR_INIT;
    struct delta_snapshot *s;
    struct buf text = BUF_INIT;
    fixture_open(f);
    buf_z(&text, FIRST_COMMIT);
    for (int i = 0; i < FILES; i++)
        buf_printf(
            &text,
            "{\"add\":{\"path\":\"f%d\",\"partitionValues\":{},\"size\":1,\"modificationTime\":1,\"dataChange\":true,\"stats\":\"{\\\"numRecords\\\":"
            "5,\\\"minValues\\\":{\\\"id\\\":%d,\\\"d\\\":\\\"a%d\\\"},\\\"maxValues\\\":{\\\"id\\\":%d,\\\"d\\\":\\\"b%d\\\"},\\\"nullCount\\\":{"
            "\\\"id\\\":0,\\\"d\\\":%d}}\"}}\n",
            i, i * STEP, i, i * STEP + STEP - 1, i, i % 6);
    assert_int_equal(store_put(f->memory, &f->ctx, STR("_delta_log/00000000000000000000.json"), text.ptr, text.len, &err), STORE_OK);
    buf_release(&text);
    expect_ok(delta_snapshot_latest(&f->ctx, f->table, &s, &err), &err);
    expect_ok(delta_checkpoint(&f->ctx, s, &err), &err);
    delta_snapshot_unref(s);
    struct delta_table *other = fixture_other(f);
    expect_ok(delta_snapshot_at_version(&f->ctx, other, 0, &s, &err), &err);
    delta_table_unref(other);
    return s;
}

static enum status count_from(struct fixture *f, struct delta_snapshot *s, int64_t id, size_t *count, struct error *err)
{
    struct str names[] = {STR("id"), STR("d")};
    struct delta_value from = {.type = DELTA_LONG, .i64 = id}, text = {.type = DELTA_STRING, .str = STR("b")};
    struct delta_pred ids = {.op = DELTA_PRED_GE, .column = &names[0], .column_depth = 1, .values = &from, .value_count = 1};
    struct delta_pred texts = {.op = DELTA_PRED_LT, .column = &names[1], .column_depth = 1, .values = &text, .value_count = 1};
    struct delta_pred *both[] = {&ids, &texts};
    struct delta_pred all = {.op = DELTA_PRED_AND, .children = both, .child_count = 2};
    struct delta_file_list files;
    enum status status = delta_scan(&f->ctx, s, &all, false, &files, err);
    if (status == STATUS_OK) {
        *count = files.count;
        delta_file_list_release(&files);
    }
    return status;
}

static void check_pruning(struct fixture *f, struct delta_snapshot *s)
{
    struct error err = ERROR_INIT;
    size_t count = 0;
    for (int i = 0; i < FILES; i += 17) {
        size_t all_null = 0;
        for (int k = i; k < FILES; k++)
            all_null += k % 6 == 5;
        expect_ok(count_from(f, s, i * STEP + STEP - 1, &count, &err), &err);
        assert_int_equal(count, (size_t)(FILES - i) - all_null);
    }
}

static struct delta_segment *first_segment(struct delta_snapshot *s) { return s->layers[0].segment; }

static void end(struct fixture *f, struct delta_snapshot *s)
{
    delta_snapshot_unref(s);
    fixture_close(f);
}

static void keeps_no_text(void **state)
{
    struct fixture f;
    struct delta_snapshot *s = checkpointed(&f);
    assert_int_equal(first_segment(s)->batch_count, (FILES + 6) / 7);
    check_pruning(&f, s);
    assert_null(first_segment(s)->stats);
    assert_non_null(first_segment(s)->stats_columns);
    end(&f, s);
}

/* Another file under the same name, if only by a byte. */
static void write_checkpoint_again(struct fixture *f)
{
    const struct str key = STR("_delta_log/00000000000000000000.checkpoint.parquet");
    struct buf text = BUF_INIT;
    struct error err = ERROR_INIT;
    assert_int_equal(store_read(f->memory, &f->ctx, key, &text, &err), STORE_OK);
    buf_char(&text, '\n');
    assert_int_equal(store_put(f->memory, &f->ctx, key, text.ptr, text.len, &err), STORE_OK);
    buf_release(&text);
}

/* Somebody wrote the checkpoint again with the rows in another order: they are found by their paths. */
static void moved_rows(void **state)
{
    struct fixture f;
    struct delta_snapshot *s = checkpointed(&f);
    f.handler.reverse_rows = true;
    write_checkpoint_again(&f);
    check_pruning(&f, s);
    assert_non_null(first_segment(s)->stats);
    end(&f, s);
}

static void other_batches(void **state)
{
    struct fixture f;
    struct delta_snapshot *s = checkpointed(&f);
    f.handler.batch_rows = 5;
    check_pruning(&f, s);
    end(&f, s);
}

static void not_offered(void **state)
{
    struct fixture f;
    struct delta_snapshot *s = checkpointed(&f);
    f.handler.base.read_stats = NULL;
    check_pruning(&f, s);
    end(&f, s);
}

static void lost_rows(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    size_t count;
    struct delta_snapshot *s = checkpointed(&f);
    f.handler.skip_rows = 7; /* whole batches: every batch that comes is where it was */
    assert_int_equal(count_from(&f, s, 0, &count, &err), STATUS_CORRUPT_DATA);
    error_release(&err);
    f.handler.skip_rows = 0;
    check_pruning(&f, s);
    assert_int_equal(store_remove(f.memory, &f.ctx, STR("_delta_log/00000000000000000000.checkpoint.parquet"), &err), STORE_OK);
    check_pruning(&f, s);
    end(&f, s);
}

static void gone(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    size_t count;
    struct delta_snapshot *s = checkpointed(&f);
    assert_int_equal(store_remove(f.memory, &f.ctx, STR("_delta_log/00000000000000000000.checkpoint.parquet"), &err), STORE_OK);
    assert_int_equal(count_from(&f, s, 0, &count, &err), STATUS_FILE_NOT_FOUND);
    assert_non_null(err.context);
    error_release(&err);
    end(&f, s);
}

static void out_of_memory(void **state)
{
    struct fixture f;
    struct delta_snapshot *s = checkpointed(&f);
    bool reached = true;
    for (uint64_t n = 1; reached; n += 1 + n / 64) {
        struct error err = ERROR_INIT;
        size_t count = 0;
        uint64_t before = alloc_count();
        alloc_fail_after(n);
        enum status status = count_from(&f, s, 0, &count, &err);
        alloc_fail_after(0);
        reached = alloc_count() - before >= n;
        if (status)
            assert_int_equal(status, STATUS_OUT_OF_MEMORY);
        error_release(&err);
        delta_stats_columns_free(first_segment(s)->stats_columns);
        first_segment(s)->stats_columns = NULL;
    }
    check_pruning(&f, s);
    end(&f, s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers), cmocka_unit_test(floating_numbers), cmocka_unit_test(texts),      cmocka_unit_test(times),
        cmocka_unit_test(many_shapes),   cmocka_unit_test(keeps_no_text),    cmocka_unit_test(moved_rows), cmocka_unit_test(other_batches),
        cmocka_unit_test(not_offered),   cmocka_unit_test(lost_rows),        cmocka_unit_test(gone),       cmocka_unit_test(out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
