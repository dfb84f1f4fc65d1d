#include "delta/log_testing.h"

static struct delta_segment *segment(uint32_t columns)
{
    struct delta_segment *g = delta_segment_new(columns);
    assert_non_null(g);
    return g;
}

static void append(struct delta_segment *g, const char *path, int64_t size, const struct str *values)
{
    struct error err = ERROR_INIT;
    expect_ok(delta_segment_append(g, str_of(path), size, 1, values, NULL, STR("{}"), &err), &err);
}

static int64_t find(struct delta_segment *g, const char *path)
{
    struct error err = ERROR_INIT;
    int64_t row = delta_segment_find(g, str_of(path), &err);
    assert_int_equal(err.code, STATUS_OK);
    return row;
}

static void finds_the_newest_row_of_a_path(void **state)
{
    struct delta_segment *g = segment(0);
    assert_int_equal(find(g, "a"), -1);
    append(g, "a", 1, NULL);
    append(g, "b", 2, NULL);
    append(g, "a", 3, NULL);
    assert_int_equal(find(g, "a"), 2);
    assert_int_equal(find(g, "b"), 1);
    assert_int_equal(find(g, "c"), -1);
    assert_int_equal(find(g, ""), -1);
    assert_int_equal(g->total_bytes, 6);
    delta_segment_unref(g);
}

static void compares_paths_decoded(void **state)
{
    struct delta_segment *g = segment(0);
    append(g, "d=a%20b/x", 1, NULL);
    append(g, "plain path", 1, NULL);
    append(g, "bad%zz", 1, NULL);
    append(g, "100%25", 1, NULL);
    assert_int_equal(find(g, "d=a b/x"), 0);
    assert_int_equal(find(g, "d=%61%20b/x"), 0);
    assert_int_equal(find(g, "plain%20path"), 1);
    assert_int_equal(find(g, "bad%zz"), 2);
    assert_int_equal(find(g, "100%"), 3);
    delta_segment_unref(g);
}

static void finds_every_one_of_many(void **state)
{
    enum { MANY = 20000 };
    struct delta_segment *g = segment(0);
    char path[64];
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof path, i % 3 ? "part-%05d-c000.parquet" : "p=%%20/%05d.parquet", i);
        append(g, path, i, NULL);
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(path, sizeof path, i % 3 ? "part-%05d-c000.parquet" : "p= /%05d.parquet", i);
        assert_int_equal(find(g, path), i);
    }
    assert_int_equal(find(g, "part-20000-c000.parquet"), -1);
    delta_segment_unref(g);
}

static void filling_index_equals_the_built_one(void **state)
{
    struct delta_segment *g = segment(0);
    struct delta_path_key key = {0};
    struct error err = ERROR_INIT;
    char path[64];
    for (int i = 0; i < 3000; i++) {
        snprintf(path, sizeof path, "f%d", i % 1000);
        int64_t previous;
        assert_true(delta_path_key_init(&key, str_of(path)));
        expect_ok(delta_segment_index_next(g, &key, &previous, &err), &err);
        assert_int_equal(previous, i < 1000 ? -1 : i - 1000);
        append(g, path, i, NULL);
    }
    for (int i = 0; i < 1000; i++) {
        snprintf(path, sizeof path, "f%d", i);
        assert_int_equal(find(g, path), 2000 + i);
    }
    buf_release(&key.scratch);
    delta_segment_unref(g);
}

static void partition_values_are_coded(void **state)
{
    struct delta_segment *g = segment(2);
    char text[32];
    for (int i = 0; i < 500; i++) {
        snprintf(text, sizeof text, "v%d", i % 100);
        struct str values[2] = {i % 7 ? str_of(text) : STR_NULL, STR("")};
        append(g, "p", 1, values);
    }
    assert_int_equal(g->dictionaries[1].count, 2);
    assert_int_equal(g->dictionaries[0].count, 101);
    for (int i = 0; i < 500; i++) {
        struct str value = g->dictionaries[0].values[g->partition_codes[0][i]];
        snprintf(text, sizeof text, "v%d", i % 100);
        assert_true(i % 7 ? str_eq(value, str_of(text)) : value.ptr == NULL);
        value = g->dictionaries[1].values[g->partition_codes[1][i]];
        assert_true(value.ptr && value.len == 0);
    }
    delta_segment_unref(g);
}

static void takes_batches_with_and_without_columns(void **state)
{
    struct delta_segment *g = segment(2);
    struct str key = STR("k"), paths[] = {STR("a"), STR("bb"), STR("ccc")}, values[] = {STR("x"), STR_NULL, STR("x")};
    const struct str *partition[] = {values, NULL};
    struct str storage[] = {STR_NULL, STR("u"), STR_NULL}, dv_path[] = {STR_NULL, STR("id"), STR_NULL};
    int64_t sizes[] = {1, 2, 3}, offsets[] = {-1, 4, -1};
    struct error err = ERROR_INIT;
    g->part_keys = &key;
    g->part_count = 1;
    struct delta_checkpoint_batch b = {
        .rows = 3, .path = paths, .size_bytes = sizes, .partition = partition, .dv_storage = storage, .dv_path = dv_path, .dv_offset = offsets};
    expect_ok(delta_segment_append_batch(g, &b, &err), &err);
    b.partition = NULL;
    b.dv_storage = NULL;
    expect_ok(delta_segment_append_batch(g, &b, &err), &err);
    assert_int_equal(g->count, 6);
    assert_int_equal(g->total_bytes, 12);
    assert_int_equal(g->dv_count, 1);
    assert_int_equal(delta_segment_dv(g, 1)->offset, 4);
    assert_null(delta_segment_dv(g, 0));
    assert_null(delta_segment_dv(g, 5));
    assert_int_equal(g->partition_codes[0][0], g->partition_codes[0][2]);
    assert_int_equal(g->partition_codes[0][1], 0);
    assert_int_equal(g->partition_codes[0][5], 0);
    assert_int_equal(g->modified_ms[4], 0);
    assert_int_equal(find(g, "ccc"), 5);
    assert_null(g->stats);
    delta_segment_unref(g);
}

static void refuses_senseless_batches(void **state)
{
    struct delta_segment *g = segment(0);
    struct str key = STR("k"), paths[] = {STR("a"), STR("")};
    int64_t sizes[] = {1, 2}, negative[] = {1, -2};
    struct error err = ERROR_INIT;
    g->part_keys = &key;
    g->part_count = 1;
    struct delta_checkpoint_batch b = {.rows = 2, .path = paths};
    assert_int_equal(delta_segment_append_batch(g, &b, &err), STATUS_CORRUPT_DATA);
    b.size_bytes = sizes;
    assert_int_equal(delta_segment_append_batch(g, &b, &err), STATUS_CORRUPT_DATA);
    assert_non_null(strstr(err.message, "empty path"));
    paths[1] = STR("b");
    b.size_bytes = negative;
    assert_int_equal(delta_segment_append_batch(g, &b, &err), STATUS_CORRUPT_DATA);
    assert_non_null(strstr(err.message, "negative"));
    assert_int_equal(g->count, 0);
    error_release(&err);
    delta_segment_unref(g);
}

/* A checkpoint segment as the loader makes it. */
static struct delta_snapshot *checkpointed(struct fixture *f)
{
    struct buf text = BUF_INIT;
    buf_z(&text, FIRST_COMMIT);
    for (int i = 0; i < 40; i++)
        buf_printf(&text, "{\"add\":{\"path\":\"f%d\",\"partitionValues\":{},\"size\":%d,\"dataChange\":false%s}}\n", i, i,
                   i % 5 ? ",\"stats\":\"{\\\"numRecords\\\":1}\"" : "");
    put_log(f, 3, ".checkpoint.parquet", text.ptr);
    buf_release(&text);
    return latest(f);
}

static void loads_stats_when_asked(void **state)
{
    for (int reversed = 0; reversed < 2; reversed++) {
        struct fixture f;
        struct error err = ERROR_INIT;
        fixture_open(&f);
        struct delta_snapshot *s = checkpointed(&f);
        struct delta_segment *g = s->layers[0].segment;
        assert_int_equal(g->count, 40);
        assert_null(g->stats);
        f.handler.reverse_rows = reversed;
        expect_ok(delta_segment_load_stats(&f.ctx, f.table, g, &err), &err);
        uint64_t calls = f.handler.calls;
        expect_ok(delta_segment_load_stats(&f.ctx, f.table, g, &err), &err);
        assert_int_equal(f.handler.calls, calls);
        for (size_t row = 0; row < 40; row++)
            assert_true(row % 5 ? str_eq(g->stats[row], STR("{\"numRecords\":1}")) : g->stats[row].ptr == NULL);
        delta_snapshot_unref(s);
        fixture_close(&f);
    }
}

static void notices_a_checkpoint_that_changed(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    struct delta_snapshot *s = checkpointed(&f);
    struct delta_segment *g = s->layers[0].segment;
    f.handler.skip_rows = 1;
    assert_int_equal(delta_segment_load_stats(&f.ctx, f.table, g, &err), STATUS_CORRUPT_DATA);
    assert_null(g->stats);
    f.handler.skip_rows = 0;
    put_log(&f, 3, ".checkpoint.parquet", FIRST_COMMIT ADD("other", 1));
    assert_int_equal(delta_segment_load_stats(&f.ctx, f.table, g, &err), STATUS_CORRUPT_DATA);
    remove_log(&f, 3, ".checkpoint.parquet");
    assert_int_not_equal(delta_segment_load_stats(&f.ctx, f.table, g, &err), STATUS_OK);
    assert_non_null(strstr(err.context, "00000000000000000003.checkpoint.parquet"));
    error_release(&err);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static enum status fill(struct delta_segment *g, struct error *err)
{
    enum status status = STATUS_OK;
    char path[64];
    struct delta_dv dv = {.storage = STR("u"), .path = STR("x"), .offset = -1};
    for (int i = 0; status == STATUS_OK && i < 100; i++) {
        struct str value = str_of(path);
        snprintf(path, sizeof path, "p%%20%d", i);
        status = delta_segment_append(g, str_of(path), 1, 1, &value, i % 9 ? NULL : &dv, STR("{\"numRecords\":12345}"), err);
    }
    if (status == STATUS_OK && delta_segment_find(g, STR("p 50"), err) != 50)
        status = err->code;
    return status;
}

static void survives_every_failed_allocation(void **state)
{
    uint64_t n = 0;
    for (enum status status = STATUS_OUT_OF_MEMORY; status != STATUS_OK;) {
        struct error err = ERROR_INIT;
        alloc_fail_after(++n);
        struct delta_segment *g = delta_segment_new(1);
        status = g ? fill(g, &err) : STATUS_OUT_OF_MEMORY;
        alloc_fail_after(0);
        assert_true(status == STATUS_OK || status == STATUS_OUT_OF_MEMORY);
        delta_segment_unref(g);
        error_release(&err);
        assert_true(n < 1000);
    }
    assert_true(n > 20);
}

static void *look_up(void *g) { return find(g, "part-7") == 7 ? g : NULL; }

static void threads_share_one_index(void **state)
{
    struct delta_segment *g = segment(0);
    char path[32];
    pthread_t threads[4];
    for (int i = 0; i < 5000; i++) {
        snprintf(path, sizeof path, "part-%d", i);
        append(g, path, 1, NULL);
    }
    for (int i = 0; i < 4; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, look_up, g), 0);
    for (int i = 0; i < 4; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, g);
    }
    delta_segment_unref(g);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_newest_row_of_a_path),    cmocka_unit_test(compares_paths_decoded),
        cmocka_unit_test(finds_every_one_of_many),           cmocka_unit_test(filling_index_equals_the_built_one),
        cmocka_unit_test(partition_values_are_coded),        cmocka_unit_test(takes_batches_with_and_without_columns),
        cmocka_unit_test(refuses_senseless_batches),         cmocka_unit_test(loads_stats_when_asked),
        cmocka_unit_test(notices_a_checkpoint_that_changed), cmocka_unit_test(survives_every_failed_allocation),
        cmocka_unit_test(threads_share_one_index),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
