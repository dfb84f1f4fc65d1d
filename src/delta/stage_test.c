#include "delta/log_testing.h"

/* ---- a staged table over one in memory -------------------------------------------------------------- */

static void create(struct fixture *f, const char *key, const char *value)
{
    struct error err = ERROR_INIT;
    struct arena arena = ARENA_INIT;
    struct delta_txn *txn;
    struct delta_type *schema;
    struct delta_commit_result result;
    struct delta_property property = {.key = str_of(key ? key : ""), .value = str_of(value ? value : "")};
    struct delta_metadata m = {.created_time_ms = INT64_MIN, .configuration = &property, .configuration_count = key != NULL};
    fixture_open(f);
    expect_ok(delta_type_from_sql(&arena, STR("STRUCT<id: BIGINT, d: STRING>"), &schema, &err), &err);
    expect_ok(delta_txn_begin(&f->ctx, f->table, NULL, &txn, &err), &err);
    expect_ok(delta_txn_set_metadata(txn, &m, schema, &err), &err);
    expect_ok(delta_txn_commit(&f->ctx, txn, &result, &err), &err);
    delta_snapshot_unref(result.snapshot);
    delta_txn_free(txn);
    arena_release(&arena);
}

static struct delta_table *stage(struct fixture *f)
{
    struct error err = ERROR_INIT;
    struct delta_table *t;
    struct delta_snapshot *s = latest(f);
    expect_ok(delta_stage_open(&f->ctx, s, &t, &err), &err);
    assert_int_equal(delta_stage_version(t), delta_snapshot_version(s));
    delta_snapshot_unref(s);
    return t;
}

/* Adds one file and removes another (either may be NULL) in one change of t. */
static enum status change(struct fixture *f, struct delta_table *t, const char *add, const char *take, const char *operation, struct error *err)
{
    struct delta_txn *txn;
    struct delta_commit_result result = {0};
    struct delta_snapshot *s = latest_of(f, t);
    struct delta_add file = {
        .path = str_of(add ? add : ""), .size_bytes = 10, .modified_ms = 7, .data_change = true, .stats = STR("{\"numRecords\":3}")};
    struct delta_file gone = {.path = str_of(take ? take : ""), .size_bytes = 10, .record_count = 3, .base_row_id = -1, .row_commit_version = -1};
    enum status status = delta_txn_begin(&f->ctx, t, s, &txn, err);
    if (!status)
        status = delta_txn_operation(txn, operation, err);
    if (!status && take)
        status = delta_txn_remove(txn, &gone, true, err);
    if (!status && add)
        status = delta_txn_add(txn, &file, err);
    if (!status)
        status = delta_txn_metric(txn, "numRows", 3, err);
    if (!status)
        status = delta_txn_commit(&f->ctx, txn, &result, err);
    delta_snapshot_unref(result.snapshot);
    delta_txn_free(txn);
    delta_snapshot_unref(s);
    return status;
}

static void expect_change(struct fixture *f, struct delta_table *t, const char *add, const char *take)
{
    struct error err = ERROR_INIT;
    expect_ok(change(f, t, add, take, take ? "UPDATE" : "WRITE", &err), &err);
}

static void expect_files(struct fixture *f, struct delta_table *t, const char *paths)
{
    struct delta_snapshot *s = latest_of(f, t);
    expect_paths(s, paths);
    delta_snapshot_unref(s);
}

static int64_t expect_commit(struct fixture *f, struct delta_table *t)
{
    struct error err = ERROR_INIT;
    struct delta_commit_result result;
    expect_ok(delta_stage_commit(&f->ctx, t, &result, &err), &err);
    assert_int_equal(result.outcome, DELTA_COMMITTED);
    delta_snapshot_unref(result.snapshot);
    return result.version;
}

static void expect_text(struct fixture *f, int64_t version, const char *wanted, bool there)
{
    char key[64];
    struct buf text = BUF_INIT;
    delta_log_key(key, version, ".json");
    assert_int_equal(store_read(f->memory, &f->ctx, str_of(key), &text, NULL), STORE_OK);
    if ((strstr(text.ptr, wanted) != NULL) != there)
        fail_msg("\"%s\" is %s: %s", wanted, there ? "missing" : "there", text.ptr);
    buf_release(&text);
}

/* ---- tests --------------------------------------------------------------------------------------------- */

static void test_several_changes_are_one_commit(void **state)
{
    struct fixture f;
    (void)state;
    create(&f, NULL, NULL);
    expect_change(&f, f.table, "a.parquet", NULL);
    expect_change(&f, f.table, "b.parquet", NULL);
    struct delta_table *t = stage(&f);
    expect_change(&f, t, "c.parquet", "a.parquet");
    expect_change(&f, t, "d.parquet", "c.parquet"); /* c came and went */
    expect_change(&f, t, "e.parquet", NULL);
    expect_files(&f, t, "b.parquet d.parquet e.parquet");
    expect_files(&f, f.table, "a.parquet b.parquet");
    assert_int_equal(delta_stage_change_count(t), 3);
    assert_int_equal(expect_commit(&f, t), 3);
    expect_files(&f, f.table, "b.parquet d.parquet e.parquet");
    expect_text(&f, 3, "\"operation\":\"TRANSACTION\"", true);
    expect_text(&f, 3, "[\\\"UPDATE\\\",\\\"UPDATE\\\",\\\"WRITE\\\"]", true);
    expect_text(&f, 3, "\"numRows\":\"9\"", true);
    expect_text(&f, 3, "c.parquet", false);
    delta_table_unref(t);
    fixture_close(&f);
}

static void test_one_change_is_itself(void **state)
{
    struct fixture f;
    (void)state;
    create(&f, NULL, NULL);
    struct delta_table *t = stage(&f);
    expect_change(&f, t, "a.parquet", NULL);
    assert_int_equal(expect_commit(&f, t), 1);
    expect_text(&f, 1, "\"operation\":\"WRITE\"", true);
    expect_text(&f, 1, "\"isBlindAppend\":true", true);
    delta_table_unref(t);
    fixture_close(&f);
}

static void test_nothing_left_is_no_commit(void **state)
{
    struct fixture f;
    (void)state;
    create(&f, NULL, NULL);
    struct delta_table *t = stage(&f);
    expect_change(&f, t, "a.parquet", NULL);
    expect_change(&f, t, NULL, "a.parquet");
    assert_int_equal(expect_commit(&f, t), 0);
    assert_false(has_log(&f, 1, ".json"));
    delta_table_unref(t);
    fixture_close(&f);
}

static void test_what_is_given_up_leaves_nothing(void **state)
{
    struct fixture f;
    (void)state;
    create(&f, NULL, NULL);
    struct delta_table *t = stage(&f);
    expect_change(&f, t, "a.parquet", NULL);
    delta_table_unref(t);
    expect_files(&f, f.table, "");
    assert_false(has_log(&f, 1, ".json"));
    fixture_close(&f);
}

/* Another writer's commits are not seen, do not disturb appends, and conflict with what was read. */
static void test_other_writers(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    struct delta_commit_result result;
    (void)state;
    create(&f, NULL, NULL);
    expect_change(&f, f.table, "a.parquet", NULL);
    struct delta_table *blind = stage(&f), *reader = stage(&f), *remover = stage(&f);
    expect_change(&f, f.table, "b.parquet", "a.parquet");
    expect_change(&f, blind, "c.parquet", NULL);
    expect_files(&f, blind, "a.parquet c.parquet");
    assert_int_equal(expect_commit(&f, blind), 3);
    expect_files(&f, f.table, "b.parquet c.parquet");

    expect_ok(delta_stage_reads(reader, NULL, &err), &err);
    expect_change(&f, reader, "d.parquet", NULL);
    assert_int_equal(delta_stage_commit(&f.ctx, reader, &result, &err), STATUS_COMMIT_CONFLICT);
    assert_non_null(strstr(err.message, "ConcurrentAppendException"));
    error_release(&err);

    expect_change(&f, remover, "e.parquet", "a.parquet");
    assert_int_equal(delta_stage_commit(&f.ctx, remover, &result, &err), STATUS_COMMIT_CONFLICT);
    assert_non_null(strstr(err.message, "ConcurrentDeleteDeleteException"));
    error_release(&err);
    expect_files(&f, f.table, "b.parquet c.parquet");
    delta_table_unref(blind);
    delta_table_unref(reader);
    delta_table_unref(remover);
    fixture_close(&f);
}

/* New rows get their ids with the commit, whatever versions and ids they had in the stage. */
static void test_row_ids_come_with_the_commit(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    (void)state;
    create(&f, "delta.enableRowTracking", "true");
    expect_change(&f, f.table, "a.parquet", NULL);
    struct delta_table *t = stage(&f);
    expect_change(&f, t, "b.parquet", NULL);
    expect_change(&f, t, "c.parquet", NULL);
    assert_int_equal(change(&f, t, "d.parquet", "b.parquet", "UPDATE", &err), STATUS_NOT_SUPPORTED);
    error_release(&err);
    expect_files(&f, t, "a.parquet b.parquet c.parquet");
    expect_change(&f, f.table, "other.parquet", NULL);
    assert_int_equal(expect_commit(&f, t), 3);
    expect_text(&f, 3, "\"baseRowId\":6,\"defaultRowCommitVersion\":3", true);
    expect_text(&f, 3, "\"baseRowId\":9,\"defaultRowCommitVersion\":3", true);
    delta_table_unref(t);
    fixture_close(&f);
}

static void test_versions_of_a_stage(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    struct delta_snapshot *s;
    (void)state;
    create(&f, NULL, NULL);
    expect_change(&f, f.table, "a.parquet", NULL);
    struct delta_table *t = stage(&f);
    expect_change(&f, t, "b.parquet", NULL);
    assert_int_equal(delta_snapshot_at_version(&f.ctx, t, 2, &s, &err), STATUS_VERSION_NOT_FOUND);
    error_release(&err);
    expect_ok(delta_snapshot_at_version(&f.ctx, t, 1, &s, &err), &err);
    expect_paths(s, "a.parquet");
    delta_snapshot_unref(s);
    delta_table_unref(t);
    fixture_close(&f);
}

/* Memory that runs out at any moment leaves the stage with all of a change or nothing of it. */
static void test_out_of_memory(void **state)
{
    struct fixture f;
    (void)state;
    create(&f, NULL, NULL);
    expect_change(&f, f.table, "a.parquet", NULL);
    bool done = false;
    for (uint64_t n = 1; !done; n++) {
        struct error err = ERROR_INIT;
        struct delta_commit_result result = {0};
        struct delta_table *t = stage(&f);
        alloc_fail_after(n);
        enum status status = change(&f, t, "b.parquet", "a.parquet", "UPDATE", &err);
        alloc_fail_after(0);
        expect_files(&f, t, status ? "a.parquet" : "b.parquet");
        error_release(&err);
        alloc_fail_after(n);
        enum status committed = status ? STATUS_OK : delta_stage_commit(&f.ctx, t, &result, &err);
        alloc_fail_after(0);
        delta_snapshot_unref(result.snapshot);
        done = !status && !committed;
        assert_true(done || !has_log(&f, 2, ".json"));
        error_release(&err);
        delta_table_unref(t);
    }
    expect_files(&f, f.table, "b.parquet");
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_several_changes_are_one_commit),
        cmocka_unit_test(test_one_change_is_itself),
        cmocka_unit_test(test_nothing_left_is_no_commit),
        cmocka_unit_test(test_what_is_given_up_leaves_nothing),
        cmocka_unit_test(test_other_writers),
        cmocka_unit_test(test_row_ids_come_with_the_commit),
        cmocka_unit_test(test_versions_of_a_stage),
        cmocka_unit_test(test_out_of_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
