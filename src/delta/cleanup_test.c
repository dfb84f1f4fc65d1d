#include "delta/log_testing.h"

#define DAY_US (INT64_C(24) * 3600 * 1000000)

/* Commits 0…9 a day apart from noon on, checkpoints at 3 and 6, and what else a log holds. */
static void put_days(struct fixture *f, const char *first_commit)
{
    f->now_us = INT64_C(1700000000000000) / DAY_US * DAY_US + DAY_US / 2;
    for (int v = 0; v < 10; v++) {
        int64_t noon = f->now_us;
        put_commit(f, v, v ? ADD("a", 1) : first_commit);
        put_log(f, v, ".crc", "{}");
        if (v == 3 || v == 6)
            put_log(f, v, ".checkpoint.parquet", first_commit);
        f->now_us = noon + DAY_US;
    }
    put_log(f, 1, ".00000000000000000002.compacted.json", "");
    put_log(f, 6, ".00000000000000000007.compacted.json", "");
    put_log(f, 7, ".00000000000000000008.compacted.json", "");
}

static void clean(struct fixture *f, int64_t now_us)
{
    struct delta_table *t = fixture_other(f);
    struct delta_snapshot *s = latest_of(f, t);
    f->now_us = now_us;
    delta_log_cleanup(&f->ctx, s);
    delta_snapshot_unref(s);
    delta_table_unref(t);
}

static int64_t noon_of(int day) { return INT64_C(1700000000000000) / DAY_US * DAY_US + DAY_US / 2 + day * DAY_US; }

/* The first version whose commit is there; every later one must be too. */
static int first_commit(struct fixture *f)
{
    int first = -1;
    for (int v = 9; v >= 0; v--) {
        bool there = has_log(f, v, ".json");
        assert_int_equal(there, has_log(f, v, ".crc"));
        if (there)
            first = v;
        else
            assert_true(v < first);
    }
    return first;
}

static void what_is_older_than_the_kept_checkpoint_goes(void **state)
{
    /* {day of cleaning, first version left}: retention is 3 days, the cutoff the midnight before. */
    static const int cases[][2] = {{5, 0}, {6, 0}, {7, 3}, {9, 3}, {10, 6}, {40, 6}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        struct fixture f;
        fixture_open(&f);
        put_days(&f, PROTOCOL_LINE METADATA_LINE("", "\"delta.logRetentionDuration\":\"interval 3 days\"") ADD("a", 1));
        clean(&f, noon_of(cases[i][0]));
        assert_int_equal(first_commit(&f), cases[i][1] == 0 ? 0 : cases[i][1]);
        assert_int_equal(has_log(&f, 3, ".checkpoint.parquet"), cases[i][1] <= 3);
        assert_true(has_log(&f, 6, ".checkpoint.parquet"));
        assert_int_equal(has_log(&f, 1, ".00000000000000000002.compacted.json"), cases[i][1] == 0);
        assert_int_equal(has_log(&f, 6, ".00000000000000000007.compacted.json"), cases[i][1] < 6);
        assert_true(has_log(&f, 7, ".00000000000000000008.compacted.json"));
        fixture_close(&f);
    }
}

/* At the last instant of a day and at the first of the next. */
static void the_cutoff_is_a_midnight(void **state)
{
    for (int late = 0; late < 2; late++) {
        struct fixture f;
        fixture_open(&f);
        put_days(&f, PROTOCOL_LINE METADATA_LINE("", "\"delta.logRetentionDuration\":\"interval 3 days\"") ADD("a", 1));
        clean(&f, noon_of(6) + DAY_US / 2 - (late ? 0 : 1000));
        assert_int_equal(first_commit(&f), late ? 3 : 0);
        fixture_close(&f);
    }
}

static void nothing_goes_when_told_not_to(void **state)
{
    static const char *const commits[] = {
        PROTOCOL_LINE METADATA_LINE("", "\"delta.enableExpiredLogCleanup\":\"false\",\"delta.logRetentionDuration\":\"interval 1 day\"") ADD("a", 1),
        PROTOCOL_LINE METADATA_LINE("", "") ADD("a", 1), /* 30 days */
        "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"checkpointProtection\"]}}\n" METADATA_LINE(
            "", "\"delta.requireCheckpointProtectionBeforeVersion\":\"7\",\"delta.logRetentionDuration\":\"interval 1 day\"") ADD("a", 1),
        "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"checkpointProtection\"]}}\n" METADATA_LINE(
            "", "\"delta.requireCheckpointProtectionBeforeVersion\":\"seven\",\"delta.logRetentionDuration\":\"interval 1 day\"") ADD("a", 1),
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(commits); i++) {
        struct fixture f;
        fixture_open(&f);
        put_days(&f, commits[i]);
        remove_log(&f, 3, ".checkpoint.parquet"); /* they would hide the first commit's properties */
        put_log(&f, 6, ".checkpoint.parquet", commits[i]);
        clean(&f, noon_of(20));
        assert_int_equal(first_commit(&f), 0);
        fixture_close(&f);
    }
}

/* Protected history goes when all of it goes at once. */
static void protected_history_goes_at_once(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_days(&f, PROTOCOL_LINE METADATA_LINE("", "") ADD("a", 1));
    put_log(&f, 6, ".checkpoint.parquet",
            "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"checkpointProtection\"]}}\n" METADATA_LINE(
                "", "\"delta.requireCheckpointProtectionBeforeVersion\":\"6\",\"delta.logRetentionDuration\":\"interval 1 day\"") ADD("a", 1));
    clean(&f, noon_of(20));
    assert_int_equal(first_commit(&f), 6);
    fixture_close(&f);
}

static void in_commit_timestamps_have_the_last_word(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_days(&f, PROTOCOL_LINE METADATA_LINE("", "") ADD("a", 1));
    put_log(&f, 6, ".checkpoint.parquet",
            PROTOCOL_LINE METADATA_LINE("", "\"delta.enableInCommitTimestamps\":\"true\",\"delta.logRetentionDuration\":\"interval 3 days\"")
                ADD("a", 1));
    char line[200];
    snprintf(line, sizeof line, "{\"commitInfo\":{\"inCommitTimestamp\":%lld}}\n", (long long)(noon_of(30) / 1000));
    f.now_us = noon_of(6);
    put_commit(&f, 6, line);
    put_commit(&f, 9, line);
    clean(&f, noon_of(20));
    assert_int_equal(first_commit(&f), 0);
    clean(&f, noon_of(40));
    assert_int_equal(first_commit(&f), 6);
    fixture_close(&f);
}

/* Time travel says what is left. */
static void what_is_gone_is_refused_by_range(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    put_days(&f, PROTOCOL_LINE METADATA_LINE("", "\"delta.logRetentionDuration\":\"interval 3 days\"") ADD("a", 1));
    clean(&f, noon_of(10));
    struct delta_table *t = fixture_other(&f);
    struct delta_snapshot *s;
    int64_t version;
    assert_int_equal(delta_snapshot_at_version(&f.ctx, t, 2, &s, &err), STATUS_VERSION_NOT_FOUND);
    assert_non_null(strstr(err.hint, "versions 6 to 9 are available"));
    error_release(&err);
    assert_int_equal(delta_version_at_timestamp(&f.ctx, t, noon_of(2), &version, &err), STATUS_TIMESTAMP_OUT_OF_RANGE);
    assert_non_null(strstr(err.hint, "version 6 is the first"));
    error_release(&err);
    expect_ok(delta_snapshot_at_version(&f.ctx, t, 6, &s, &err), &err);
    delta_snapshot_unref(s);
    delta_table_unref(t);
    fixture_close(&f);
}

static void sidecars_that_nobody_names_go_after_a_day(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("a", 1));
    put_key(&f, "_delta_log/_sidecars/used.parquet", ADD("a", 1));
    put_key(&f, "_delta_log/_sidecars/old.parquet", ADD("b", 1));
    char top[1000];
    snprintf(top, sizeof top, "{\"checkpointMetadata\":{\"version\":0}}\n%s{\"sidecar\":{\"path\":\"used.parquet\",\"sizeInBytes\":%zu}}\n",
             FIRST_COMMIT, strlen(ADD("a", 1)));
    put_log(&f, 0, ".checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json", top);
    int64_t start = f.now_us;
    f.now_us += DAY_US / 2;
    put_key(&f, "_delta_log/_sidecars/young.parquet", ADD("b", 1));
    struct store_entry e;
    const struct str old = STR("_delta_log/_sidecars/old.parquet");
    clean(&f, start + DAY_US - 2000000);
    assert_int_equal(store_stat(f.memory, &f.ctx, old, &e, NULL), STORE_OK);
    put_log(&f, 0, ".checkpoint.90a083e8-7026-4e79-81be-64bd76c43a11.json", "torn"); /* may name any of them */
    clean(&f, start + DAY_US + 2000000);
    assert_int_equal(store_stat(f.memory, &f.ctx, old, &e, NULL), STORE_OK);
    assert_true(logged(&f, "log_not_cleaned"));
    remove_log(&f, 0, ".checkpoint.90a083e8-7026-4e79-81be-64bd76c43a11.json");
    clean(&f, start + DAY_US + 2000000);
    assert_int_equal(store_stat(f.memory, &f.ctx, old, &e, NULL), STORE_NOT_FOUND);
    assert_int_equal(store_stat(f.memory, &f.ctx, STR("_delta_log/_sidecars/used.parquet"), &e, NULL), STORE_OK);
    assert_int_equal(store_stat(f.memory, &f.ctx, STR("_delta_log/_sidecars/young.parquet"), &e, NULL), STORE_OK);
    fixture_close(&f);
}

/* Wherever it stops, the log that is left reads the same. */
static void a_cleanup_that_stops_leaves_a_readable_log(void **state)
{
    for (uint64_t at = 1; at < 40; at++) {
        struct fixture f;
        struct error err = ERROR_INIT;
        fixture_open(&f);
        put_days(&f, PROTOCOL_LINE METADATA_LINE("", "\"delta.logRetentionDuration\":\"interval 3 days\"") ADD("a", 1));
        struct delta_snapshot *s = latest(&f);
        f.now_us = noon_of(20);
        store_fault_set(f.store, (struct store_fault){.kind = STORE_FAULT_FAIL, .at_call = at, .onwards = true});
        delta_log_cleanup(&f.ctx, s);
        store_fault_set(f.store, (struct store_fault){0});
        delta_snapshot_unref(s);
        struct delta_table *t = fixture_other(&f);
        for (int64_t v = 6; v <= 9; v++) {
            expect_ok(delta_snapshot_at_version(&f.ctx, t, v, &s, &err), &err);
            expect_paths(s, "a");
            delta_snapshot_unref(s);
        }
        delta_table_unref(t);
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_older_than_the_kept_checkpoint_goes),
        cmocka_unit_test(the_cutoff_is_a_midnight),
        cmocka_unit_test(nothing_goes_when_told_not_to),
        cmocka_unit_test(protected_history_goes_at_once),
        cmocka_unit_test(in_commit_timestamps_have_the_last_word),
        cmocka_unit_test(what_is_gone_is_refused_by_range),
        cmocka_unit_test(sidecars_that_nobody_names_go_after_a_day),
        cmocka_unit_test(a_cleanup_that_stops_leaves_a_readable_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
