#include "delta/log_testing.h"

enum { COMMITS = 2200, EARLY = 30, LATE = 2100, NEWEST = 2190 };

static void put_versions(struct fixture *f)
{
    struct buf text = BUF_INIT;
    for (int v = 0; v < COMMITS; v++) {
        buf_clear(&text);
        buf_printf(&text, "%s{\"add\":{\"path\":\"f%d\",\"partitionValues\":{},\"size\":%d,\"modificationTime\":1,\"dataChange\":true}}\n",
                   v ? "" : FIRST_COMMIT, v, v);
        put_commit(f, v, text.ptr);
    }
    buf_release(&text);
}

static void checkpoint_at(struct fixture *f, int64_t version)
{
    struct error err = ERROR_INIT;
    struct delta_snapshot *s;
    expect_ok(delta_snapshot_at_version(&f->ctx, f->table, version, &s, &err), &err);
    expect_ok(delta_checkpoint(&f->ctx, s, &err), &err);
    delta_snapshot_unref(s);
}

/* As somebody who opens the table for this version alone. */
static void expect_version(struct fixture *f, int64_t version, int64_t checkpoint)
{
    struct error err = ERROR_INIT;
    struct delta_snapshot *s;
    struct delta_table *t = fixture_other(f);
    expect_ok(delta_snapshot_at_version(&f->ctx, t, version, &s, &err), &err);
    assert_int_equal(delta_snapshot_version(s), version);
    assert_int_equal(delta_snapshot_file_count(s), version + 1);
    assert_int_equal(delta_snapshot_size_bytes(s), version * (version + 1) / 2);
    assert_int_equal(s->checkpoint_version, checkpoint);
    delta_snapshot_unref(s);
    delta_table_unref(t);
}

static enum status open_version(struct fixture *f, int64_t version, struct error *err)
{
    struct delta_snapshot *s = NULL;
    struct delta_table *t = fixture_other(f);
    enum status status = delta_snapshot_at_version(&f->ctx, t, version, &s, err);
    assert_true(status != STATUS_OK || s);
    if (s)
        delta_snapshot_unref(s);
    delta_table_unref(t);
    return status;
}

static void older_versions(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    put_versions(&f);
    expect_version(&f, COMMITS - 1, -1);
    checkpoint_at(&f, EARLY);
    checkpoint_at(&f, LATE);
    checkpoint_at(&f, NEWEST);
    expect_version(&f, NEWEST - 40, LATE);
    expect_version(&f, LATE, LATE);
    expect_version(&f, LATE - 1, EARLY); /* none near: it takes the whole log to find one */
    expect_version(&f, EARLY + 2, EARLY);
    expect_version(&f, COMMITS - 1, NEWEST);
    for (int v = 0; v <= EARLY; v++)
        remove_log(&f, v, ".json");
    expect_version(&f, LATE - 50, EARLY);
    assert_int_equal(open_version(&f, EARLY - 1, &err), STATUS_VERSION_NOT_FOUND);
    error_release(&err);
    assert_int_equal(open_version(&f, INT64_MIN, &err), STATUS_VERSION_NOT_FOUND);
    error_release(&err);
    assert_int_equal(open_version(&f, INT64_MAX, &err), STATUS_VERSION_NOT_FOUND);
    error_release(&err);
    put_key(&f, "_delta_log/00000000000000002100.checkpoint.parquet", "damaged");
    expect_version(&f, NEWEST - 40, EARLY);
    assert_int_equal(store_remove(f.memory, &f.ctx, STR("_delta_log/_last_checkpoint"), &err), STORE_OK);
    expect_version(&f, NEWEST + 1, NEWEST);
    fixture_close(&f);
}

static void gaps_and_damage(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    put_versions(&f);
    put_commit(&f, 700, "{\"add\":");
    assert_int_equal(open_version(&f, COMMITS - 1, &err), STATUS_CORRUPT_LOG);
    assert_non_null(strstr(err.message, "00000000000000000700.json"));
    error_release(&err);
    put_commit(&f, 900, "{\"add\":"); /* the first one is reported, whichever thread found which */
    assert_int_equal(open_version(&f, COMMITS - 1, &err), STATUS_CORRUPT_LOG);
    assert_non_null(strstr(err.message, "00000000000000000700.json"));
    error_release(&err);
    expect_version(&f, 699, -1);
    remove_log(&f, 300, ".json");
    assert_int_equal(open_version(&f, 650, &err), STATUS_PROTOCOL_VIOLATION);
    assert_non_null(strstr(err.message, "version 300 is missing"));
    error_release(&err);
    fixture_close(&f);
}

static void cancelled(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    put_versions(&f);
    atomic_store(&f.ctx.cancelled, true);
    assert_int_equal(open_version(&f, COMMITS - 1, &err), STATUS_CANCELLED);
    error_release(&err);
    fixture_close(&f);
}

static void expect_commit(struct delta_commit_stream *s, int64_t version)
{
    struct delta_commit c;
    struct error err = ERROR_INIT;
    assert_int_equal(delta_commit_stream_next(s, version, &c, &err), STORE_OK);
    assert_int_equal(c.version, version);
    assert_int_equal(c.adds[0].size_bytes, version);
    delta_commit_release(&c);
}

/* What was read ahead and not taken, or taken out of order. */
static void streams(void **state)
{
    struct fixture f;
    struct delta_commit c;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    put_versions(&f);
    remove_log(&f, 600, ".json");
    struct delta_commit_stream *s = delta_commit_stream_new(&f.ctx, f.table, 100, 900);
    assert_non_null(s);
    for (int v = 100; v < 130; v++)
        expect_commit(s, v);
    expect_commit(s, 50);
    expect_commit(s, 400);
    delta_commit_stream_free(s);
    s = delta_commit_stream_new(&f.ctx, f.table, 550, 900);
    assert_non_null(s);
    for (int v = 550; v < 600; v++)
        expect_commit(s, v);
    assert_int_equal(delta_commit_stream_next(s, 600, &c, &err), STORE_NOT_FOUND);
    expect_commit(s, 601);
    expect_commit(s, 899);
    delta_commit_stream_free(s);
    delta_commit_stream_free(delta_commit_stream_new(&f.ctx, f.table, 0, 2000));
    delta_commit_stream_free(NULL);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(older_versions),
        cmocka_unit_test(gaps_and_damage),
        cmocka_unit_test(cancelled),
        cmocka_unit_test(streams),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
