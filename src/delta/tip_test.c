/* Appends that read no files: what they cost, and what checksum files may say. */
#include "delta/log_testing.h"

static struct delta_table *open_again(struct fixture *f)
{
    struct error err = ERROR_INIT;
    struct delta_table *t;
    expect_ok(delta_table_open(&f->ctx, f->store, &f->handler.base, STR("sales"), &t, &err), &err);
    return t;
}

static struct delta_snapshot *tip_of(struct fixture *f, struct delta_table *t)
{
    struct error err = ERROR_INIT;
    struct delta_snapshot *s = NULL;
    expect_ok(delta_snapshot_tip(&f->ctx, t, &s, &err), &err);
    return s;
}

static void add_files(struct delta_txn *txn, const char *prefix, int count)
{
    struct error err = ERROR_INIT;
    for (int i = 0; i < count; i++) {
        char path[64];
        snprintf(path, sizeof path, "%s%d", prefix, i);
        struct delta_add file = {.path = str_of(path), .size_bytes = 10, .modified_ms = 7, .data_change = true, .stats = STR("{\"numRecords\":1}")};
        expect_ok(delta_txn_add(txn, &file, &err), &err);
    }
}

static void commit_on(struct fixture *f, struct delta_table *t, struct delta_snapshot *base, const char *prefix, int count)
{
    struct error err = ERROR_INIT;
    struct delta_txn *txn;
    struct delta_commit_result result;
    expect_ok(delta_txn_begin(&f->ctx, t, base, &txn, &err), &err);
    add_files(txn, prefix, count);
    expect_ok(delta_txn_commit(&f->ctx, txn, &result, &err), &err);
    delta_snapshot_unref(result.snapshot);
    delta_txn_free(txn);
}

#define ROWS                                                                                                                                         \
    "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"v2Checkpoint\"],\"writerFeatures\":[\"v2Checkpoint\","       \
    "\"rowTracking\",\"domainMetadata\",\"inCommitTimestamp\"]}}\n" METADATA_LINE("", "\"delta.enableInCommitTimestamps\":\"true\"")
#define MORE "{\"txn\":{\"appId\":\"q\",\"version\":7}}\n{\"domainMetadata\":{\"domain\":\"mine\",\"configuration\":\"{}\",\"removed\":false}}\n"

/* A table of so many files, in one commit and a checkpoint. */
static void make_table(struct fixture *f, int files)
{
    struct error err = ERROR_INIT;
    put_commit(f, 0, "{\"commitInfo\":{\"inCommitTimestamp\":1}}\n" ROWS MORE);
    struct delta_snapshot *s = latest(f);
    commit_on(f, f->table, s, "f", files);
    delta_snapshot_unref(s);
    s = latest(f);
    expect_ok(delta_checkpoint(&f->ctx, s, &err), &err);
    commit_on(f, f->table, s, "g", 1);
    delta_snapshot_unref(s);
}

struct cost {
    uint64_t store_calls, handler_calls;
};

/* What a program that knows nothing yet pays for one append. */
static struct cost cost_of_append(struct fixture *f)
{
    struct cost cost = {.handler_calls = f->handler.calls};
    store_fault_set(f->store, (struct store_fault){0});
    struct delta_table *t = open_again(f);
    struct delta_snapshot *s = tip_of(f, t);
    assert_true(s->is_tip);
    assert_int_equal(delta_snapshot_txn_version(s, STR("q")), 7);
    assert_true(str_eq(delta_snapshot_domain(s, STR("mine")), STR("{}")));
    commit_on(f, t, s, "h", 1);
    assert_null(s->full);
    delta_snapshot_unref(s);
    cost.store_calls = store_fault_calls(f->store);
    cost.handler_calls = f->handler.calls - cost.handler_calls;
    delta_table_unref(t);
    return cost;
}

static void an_append_costs_the_same_in_every_table(void **state)
{
    static const int sizes[] = {1, 1000, 100000};
    struct cost first = {0};
    for (size_t i = 0; i < VV_ARRAY_COUNT(sizes); i++) {
        struct fixture f;
        fixture_open(&f);
        make_table(&f, sizes[i]);
        struct cost cost = cost_of_append(&f);
        assert_int_equal(cost.handler_calls, 0);
        if (i == 0)
            first = cost;
        assert_int_equal(cost.store_calls, first.store_calls);
        assert_true(cost.store_calls <= 12);
        /* And what was written is whole. */
        struct delta_table *t = fixture_other(&f);
        struct delta_snapshot *s = latest_of(&f, t);
        assert_int_equal(s->file_count, sizes[i] + 2);
        assert_int_equal(s->size_bytes, 10 * (sizes[i] + 2));
        assert_false(logged(&f, "checksum_mismatch"));
        int64_t mark;
        struct error err = ERROR_INIT;
        expect_ok(delta_snapshot_row_high_water(s, &mark, &err), &err);
        assert_int_equal(mark, sizes[i] + 1);
        delta_snapshot_unref(s);
        delta_table_unref(t);
        fixture_close(&f);
    }
}

static void the_files_come_when_they_are_asked_for(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    struct delta_file_list list;
    fixture_open(&f);
    make_table(&f, 3);
    struct delta_table *t = open_again(&f);
    struct delta_snapshot *s = tip_of(&f, t);
    assert_true(s->is_tip);
    expect_ok(delta_scan(&f.ctx, s, NULL, true, &list, &err), &err);
    assert_int_equal(list.count, 4);
    assert_int_equal(list.total, 4);
    /* A change on it may remove them. */
    struct delta_txn *txn;
    struct delta_commit_result result;
    expect_ok(delta_txn_begin(&f.ctx, t, s, &txn, &err), &err);
    expect_ok(delta_txn_remove_all(txn, &err), &err);
    expect_ok(delta_txn_commit(&f.ctx, txn, &result, &err), &err);
    assert_non_null(result.snapshot);
    assert_int_equal(result.snapshot->file_count, 0);
    assert_false(result.snapshot->is_tip);
    delta_snapshot_unref(result.snapshot);
    delta_txn_free(txn);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
    delta_table_unref(t);
    fixture_close(&f);
}

/* Reads go on from what is known with files, whatever was appended meanwhile. */
static void reads_between_appends_stay_incremental(void **state)
{
    struct fixture f;
    fixture_open(&f);
    make_table(&f, 3);
    struct delta_table *t = open_again(&f);
    struct delta_snapshot *s = tip_of(&f, t);
    commit_on(&f, t, s, "h", 1);
    delta_snapshot_unref(s);
    s = latest_of(&f, t);
    assert_false(s->is_tip);
    expect_paths(s, "f0 f1 f2 g0 h0");
    delta_snapshot_unref(s);
    uint64_t calls = f.handler.calls;
    for (int i = 0; i < 3; i++) {
        char prefix[8];
        snprintf(prefix, sizeof prefix, "i%d_", i);
        s = tip_of(&f, t);
        assert_false(s->is_tip); /* the files are known already */
        commit_on(&f, t, s, prefix, 1);
        delta_snapshot_unref(s);
        s = latest_of(&f, t);
        assert_int_equal(s->file_count, 6 + i);
        delta_snapshot_unref(s);
    }
    assert_int_equal(f.handler.calls, calls);
    delta_table_unref(t);
    fixture_close(&f);
}

/* A winner that removes files: the counts are not known any more, the commit goes on without. */
static void a_winner_that_removes_costs_the_checksum_only(void **state)
{
    struct fixture f;
    fixture_open(&f);
    make_table(&f, 3);
    struct delta_table *t = open_again(&f);
    struct delta_snapshot *s = tip_of(&f, t);
    put_commit(&f, 3, "{\"commitInfo\":{\"inCommitTimestamp\":1900000000000}}\n" REMOVE("f0"));
    commit_on(&f, t, s, "h", 1);
    delta_snapshot_unref(s);
    assert_true(has_log(&f, 4, ".json"));
    assert_false(has_log(&f, 4, ".crc"));
    s = tip_of(&f, t); /* the log again */
    assert_int_equal(delta_snapshot_version(s), 4);
    struct error err = ERROR_INIT;
    struct delta_file_list list;
    expect_ok(delta_scan(&f.ctx, s, NULL, false, &list, &err), &err);
    assert_int_equal(list.count, 4);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
    delta_table_unref(t);
    fixture_close(&f);
}

/* ---- what checksum files may say --------------------------------------------------------------------- */

static char *read_crc(struct fixture *f, int64_t version)
{
    char key[64];
    struct buf text = BUF_INIT;
    delta_log_key(key, version, ".crc");
    assert_int_equal(store_read(f->memory, &f->ctx, str_of(key), &text, NULL), STORE_OK);
    return buf_detach(&text);
}

static void expect_not_believed(struct fixture *f)
{
    struct delta_table *t = open_again(f);
    struct delta_snapshot *s = tip_of(f, t);
    assert_false(s->is_tip);
    expect_paths(s, "f0 f1 f2 g0");
    delta_snapshot_unref(s);
    delta_table_unref(t);
}

static void damaged_checksum_files_are_not_believed(void **state)
{
    struct fixture f;
    fixture_open(&f);
    make_table(&f, 3);
    char *good = read_crc(&f, 2);
    size_t len = strlen(good);
    for (size_t at = 0; at < len; at += 7) {
        char *bad = mem_strndup(good, len);
        bad[at] ^= 1;
        put_log(&f, 2, ".crc", bad);
        expect_not_believed(&f);
        mem_free(bad);
    }
    for (size_t cut = 0; cut < len; cut += 11) {
        char *bad = mem_strndup(good, cut);
        put_log(&f, 2, ".crc", bad);
        expect_not_believed(&f);
        mem_free(bad);
    }
    char *other = read_crc(&f, 1); /* whole, but of another commit */
    put_log(&f, 2, ".crc", other);
    expect_not_believed(&f);
    remove_log(&f, 2, ".crc");
    expect_not_believed(&f);
    put_log(&f, 2, ".crc", good);
    struct delta_table *t = open_again(&f);
    struct delta_snapshot *s = tip_of(&f, t);
    assert_true(s->is_tip);
    delta_snapshot_unref(s);
    delta_table_unref(t);
    mem_free(other);
    mem_free(good);
    fixture_close(&f);
}

/* One that lies although it is whole is found out when the files come. */
static void a_lie_is_found_out(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    struct delta_file_list list;
    fixture_open(&f);
    make_table(&f, 3);
    struct delta_table *t = open_again(&f);
    struct delta_snapshot *s = tip_of(&f, t);
    assert_true(s->is_tip);
    char *meta = strstr((char *)(uintptr_t)s->head->metadata.schema_string.ptr, "\"d\"");
    assert_non_null(meta);
    meta[1] = 'e';
    assert_int_equal(delta_scan(&f.ctx, s, NULL, false, &list, &err), STATUS_CORRUPT_LOG);
    assert_non_null(strstr(err.message, "contradicts the log"));
    assert_non_null(strstr(err.hint, ".crc"));
    error_release(&err);
    delta_snapshot_unref(s);
    delta_table_unref(t);
    fixture_close(&f);
}

static void memory_may_run_out(void **state)
{
    struct fixture f;
    fixture_open(&f);
    make_table(&f, 1);
    for (uint64_t n = 1; n < 200; n++) {
        struct error err = ERROR_INIT;
        struct delta_table *t = open_again(&f);
        struct delta_snapshot *s = NULL;
        alloc_fail_after(n);
        enum status status = delta_snapshot_tip(&f.ctx, t, &s, &err);
        alloc_fail_after(0);
        assert_int_equal(status == STATUS_OK, s != NULL);
        error_release(&err);
        delta_snapshot_unref(s);
        delta_table_unref(t);
    }
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_append_costs_the_same_in_every_table),
        cmocka_unit_test(the_files_come_when_they_are_asked_for),
        cmocka_unit_test(reads_between_appends_stay_incremental),
        cmocka_unit_test(a_winner_that_removes_costs_the_checksum_only),
        cmocka_unit_test(damaged_checksum_files_are_not_believed),
        cmocka_unit_test(a_lie_is_found_out),
        cmocka_unit_test(memory_may_run_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
