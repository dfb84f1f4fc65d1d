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

static void deletion_vectors_are_refused_by_name(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    struct delta_file_list list;
    open_table(&f);
    put_commit(&f, 2, FILE_LINE("vec", "\"z\"", 9, DV("abc") ","));
    struct delta_snapshot *s = latest(&f);
    assert_int_equal(delta_scan(&f.ctx, s, NULL, false, &list, &err), STATUS_UNSUPPORTED_FEATURE);
    assert_non_null(strstr(err.message, "\"vec\""));
    assert_non_null(strstr(err.message, "deletionVectors"));
    assert_int_equal(list.count, 0);
    error_release(&err);
    struct str d = STR("d");
    struct delta_value x = {.type = DELTA_STRING, .str = STR("x")};
    struct delta_pred by_day = equals(&d, &x); /* does not reach the file */
    list = scan(&f, s, &by_day, false);
    assert_int_equal(list.count, 2);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
    fixture_close(&f);
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
        cmocka_unit_test(every_live_file),        cmocka_unit_test(counts_what_was_pruned),
        cmocka_unit_test(prunes_checkpoint_rows), cmocka_unit_test(deletion_vectors_are_refused_by_name),
        cmocka_unit_test(failures_leave_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
