#include "delta/log_testing.h"

#define FILE_LINE(PATH, DAY, ID, MORE)                                                                                                               \
    "{\"add\":{\"path\":\"" PATH "\",\"partitionValues\":{\"d\":" DAY "},\"size\":10,\"modificationTime\":5,\"dataChange\":true," MORE               \
    "\"stats\":\"{\\\"numRecords\\\":3,\\\"minValues\\\":{\\\"id\\\":" #ID "},\\\"maxValues\\\":{\\\"id\\\":" #ID                                    \
    "},\\\"nullCount\\\":{\\\"id\\\":0}}\"}}\n"

static struct delta_pred equals(struct str *column, struct delta_value *value)
{
    return (struct delta_pred){.op = DELTA_PRED_EQ, .column = column, .column_depth = 1, .values = value, .value_count = 1};
}

static struct delta_file_list scan(struct fixture *f, struct delta_snapshot *s, const struct delta_pred *pred, bool want_stats)
{
    struct error err = ERROR_INIT;
    struct delta_file_list list;
    expect_ok(delta_scan(&f->ctx, s, pred, want_stats, &list, &err), &err);
    return list;
}

static void open_table(struct fixture *f)
{
    fixture_open(f);
    put_commit(f, 0,
               PROTOCOL_LINE METADATA_LINE("\"d\"", "") FILE_LINE("a", "\"x\"", 1, "") FILE_LINE("b", "\"y\"", 2, "") FILE_LINE("c", "null", 3, ""));
    put_commit(f, 1, FILE_LINE("e", "\"x\"", 5, "") REMOVE("b"));
}

static void every_live_file(void **state)
{
    struct fixture f;
    open_table(&f);
    struct delta_snapshot *s = latest(&f);
    struct delta_file_list list = scan(&f, s, NULL, true);
    assert_int_equal(list.count, 3);
    assert_int_equal(list.total, 3);
    assert_int_equal(list.size_bytes, 30);
    assert_int_equal(list.pruned_partition + list.pruned_stats, 0);
    assert_true(str_eq(list.files[0].path, STR("a")));
    assert_true(str_eq(list.files[0].partition_values[0], STR("x")));
    assert_null(list.files[1].partition_values[0].ptr);
    assert_int_equal(list.files[2].record_count, 3);
    assert_int_equal(list.files[2].modified_ms, 5);
    assert_true(str_starts(list.files[2].stats, STR("{\"numRecords\":3")));
    delta_file_list_release(&list);
    list = scan(&f, s, NULL, false);
    assert_null(list.files[0].stats.ptr);
    assert_int_equal(list.files[0].record_count, -1);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static void counts_what_was_pruned(void **state)
{
    struct fixture f;
    open_table(&f);
    struct delta_snapshot *s = latest(&f);
    struct str d = STR("d"), id = STR("ID");
    struct delta_value x = {.type = DELTA_STRING, .str = STR("x")}, five = {.type = DELTA_LONG, .i64 = 5};
    struct delta_pred by_day = equals(&d, &x), by_id = equals(&id, &five);
    struct delta_pred *children[] = {&by_day, &by_id};
    struct delta_pred all = {.op = DELTA_PRED_AND, .children = children, .child_count = 2};
    struct delta_file_list list = scan(&f, s, &all, false);
    assert_int_equal(list.count, 1);
    assert_true(str_eq(list.files[0].path, STR("e")));
    assert_int_equal(list.total, 3);
    assert_int_equal(list.pruned_partition, 1);
    assert_int_equal(list.pruned_stats, 1);
    assert_int_equal(list.size_bytes, 10);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static void prunes_checkpoint_rows(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    open_table(&f);
    struct delta_snapshot *s = latest(&f);
    expect_ok(delta_checkpoint(&f.ctx, s, &err), &err);
    delta_snapshot_unref(s);
    struct delta_table *t = fixture_other(&f);
    s = latest_of(&f, t);
    struct str id = STR("id");
    struct delta_value five = {.type = DELTA_LONG, .i64 = 5};
    struct delta_pred by_id = equals(&id, &five);
    for (int again = 0; again < 2; again++) {
        struct delta_file_list list = scan(&f, s, &by_id, true);
        assert_int_equal(list.count, 1);
        assert_int_equal(list.pruned_stats, 2);
        assert_int_equal(list.files[0].record_count, 3);
        delta_file_list_release(&list);
    }
    delta_snapshot_unref(s);
    delta_table_unref(t);
    fixture_close(&f);
}

static void deletion_vectors_come_with_their_files(void **state)
{
    struct fixture f;
    open_table(&f);
    put_commit(&f, 2, FILE_LINE("vec", "\"z\"", 9, DV("abc") ","));
    struct delta_snapshot *s = latest(&f);
    struct delta_file_list list = scan(&f, s, NULL, true);
    assert_int_equal(list.count, 4);
    for (size_t i = 0; i < list.count; i++) {
        const struct delta_file *file = &list.files[i];
        bool has = str_eq(file->path, STR("vec"));
        assert_int_equal(file->dv != NULL, has);
        assert_int_equal(file->record_count, 3);
        assert_int_equal(delta_file_live_count(file), has ? 3 - file->dv->cardinality : 3);
    }
    delta_file_list_release(&list);
    list = scan(&f, s, NULL, false);
    assert_int_equal(delta_file_live_count(&list.files[0]), -1);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

/* With wide bounds a count of NULLs says something only when it is 0 or every row's. */
static void wide_bounds_keep_what_may_match(void **state)
{
    static const struct {
        const char *nulls;
        bool may_be_null, may_be_value;
    } cases[] = {{"0", false, true}, {"1", true, true}, {"3", true, false}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        struct fixture f;
        char line[1024];
        fixture_open(&f);
        put_commit(&f, 0, FIRST_COMMIT);
        snprintf(line, sizeof line,
                 "{\"add\":{\"path\":\"a\",\"partitionValues\":{},\"size\":10,\"modificationTime\":5,\"dataChange\":true," DV(
                     "abc") ",\"stats\":"
                            "\"{\\\"numRecords\\\":3,\\\"tightBounds\\\":false,\\\"minValues\\\":{\\\"id\\\":1},\\\"maxValues\\\":{\\\"id\\\":9},"
                            "\\\"nullCount\\\":{\\\"id\\\":%s}}\"}}\n",
                 cases[i].nulls);
        put_commit(&f, 1, line);
        struct delta_snapshot *s = latest(&f);
        struct str id = STR("id");
        struct delta_value five = {.type = DELTA_LONG, .i64 = 5}, ten = {.type = DELTA_LONG, .i64 = 10};
        struct delta_pred is_null = {.op = DELTA_PRED_IS_NULL, .column = &id, .column_depth = 1}, not_null = is_null, within = equals(&id, &five),
                          beyond = equals(&id, &ten);
        not_null.op = DELTA_PRED_IS_NOT_NULL;
        const struct delta_pred *preds[] = {&is_null, &not_null, &within, &beyond};
        const bool expected[] = {cases[i].may_be_null, cases[i].may_be_value, cases[i].may_be_value, false};
        for (size_t k = 0; k < VV_ARRAY_COUNT(preds); k++) {
            struct delta_file_list list = scan(&f, s, preds[k], false);
            assert_int_equal(list.count, expected[k]);
            delta_file_list_release(&list);
        }
        delta_snapshot_unref(s);
        fixture_close(&f);
    }
}

static void failures_leave_nothing(void **state)
{
    struct fixture f;
    open_table(&f);
    struct delta_snapshot *s = latest(&f);
    struct str id = STR("id");
    struct delta_value five = {.type = DELTA_LONG, .i64 = 5};
    struct delta_pred by_id = equals(&id, &five);
    for (uint64_t n = 1;; n++) {
        struct error err = ERROR_INIT;
        struct delta_file_list list;
        uint64_t before = alloc_count();
        alloc_fail_after(n);
        enum status status = delta_scan(&f.ctx, s, &by_id, true, &list, &err);
        alloc_fail_after(0);
        bool reached = alloc_count() - before >= n;
        if (status)
            assert_int_equal(status, STATUS_OUT_OF_MEMORY);
        else
            assert_int_equal(list.count, 1);
        delta_file_list_release(&list);
        error_release(&err);
        if (!reached)
            break;
    }
    struct error err = ERROR_INIT;
    struct delta_file_list list;
    atomic_store(&f.ctx.cancelled, true);
    assert_int_equal(delta_scan(&f.ctx, s, NULL, false, &list, &err), STATUS_CANCELLED);
    error_release(&err);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_live_file),
        cmocka_unit_test(counts_what_was_pruned),
        cmocka_unit_test(prunes_checkpoint_rows),
        cmocka_unit_test(deletion_vectors_come_with_their_files),
        cmocka_unit_test(wide_bounds_keep_what_may_match),
        cmocka_unit_test(failures_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
