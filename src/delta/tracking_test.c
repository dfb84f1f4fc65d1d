/* In-commit timestamps, metadata domains and row tracking in commits. */
#include "delta/log_testing.h"

#define TRACKED                                                                                                                                      \
    "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"rowTracking\",\"domainMetadata\",\"inCommitTimestamp\","     \
    "\"checkpointProtection\"]}}\n"
#define PLAIN METADATA_LINE("", "")
#define ICT_ON METADATA_LINE("", "\"delta.enableInCommitTimestamps\":\"true\"")
#define MARK(N)                                                                                                                                      \
    "{\"domainMetadata\":{\"domain\":\"delta.rowTracking\",\"configuration\":\"{\\\"rowIdHighWaterMark\\\":" #N "}\",\"removed\":false}}\n"

static struct delta_txn *begin_on(struct fixture *f, struct delta_snapshot *base)
{
    struct error err = ERROR_INIT;
    struct delta_txn *txn;
    expect_ok(delta_txn_begin(&f->ctx, f->table, base, &txn, &err), &err);
    return txn;
}

static struct delta_txn *begin(struct fixture *f)
{
    struct delta_snapshot *s = latest(f);
    struct delta_txn *txn = begin_on(f, s);
    delta_snapshot_unref(s);
    return txn;
}

static void add_rows(struct delta_txn *txn, const char *path, int rows)
{
    struct error err = ERROR_INIT;
    char stats[64];
    snprintf(stats, sizeof stats, "{\"numRecords\":%d}", rows);
    struct delta_add file = {.path = str_of(path), .size_bytes = 10, .modified_ms = 7, .data_change = true, .stats = str_of(stats)};
    expect_ok(delta_txn_add(txn, &file, &err), &err);
}

static int64_t commit(struct fixture *f, struct delta_txn *txn)
{
    struct error err = ERROR_INIT;
    struct delta_commit_result result;
    expect_ok(delta_txn_commit(&f->ctx, txn, &result, &err), &err);
    delta_snapshot_unref(result.snapshot);
    delta_txn_free(txn);
    return result.version;
}

static enum status commit_fails(struct fixture *f, struct delta_txn *txn, const char *why)
{
    struct error err = ERROR_INIT;
    struct delta_commit_result result;
    enum status status = delta_txn_commit(&f->ctx, txn, &result, &err);
    assert_int_not_equal(status, STATUS_OK);
    if (!strstr(err.message, why))
        fail_msg("\"%s\" does not say \"%s\"", err.message, why);
    error_release(&err);
    delta_txn_free(txn);
    return status;
}

static void set_property(struct fixture *f, struct delta_txn *txn, const char *key, const char *value, enum status expected, const char *why)
{
    struct error err = ERROR_INIT;
    const struct delta_metadata *old = &txn->base->head->metadata;
    struct delta_property configuration[16];
    struct delta_metadata m = *old;
    m.configuration = configuration;
    m.configuration_count = 0;
    for (uint32_t i = 0; i < old->configuration_count; i++)
        if (!str_eq(old->configuration[i].key, str_of(key)))
            configuration[m.configuration_count++] = old->configuration[i];
    if (value)
        configuration[m.configuration_count++] = (struct delta_property){.key = str_of(key), .value = str_of(value)};
    enum status status = delta_txn_set_metadata(txn, &m, txn->base->head->schema, &err);
    if (expected == STATUS_OK)
        expect_ok(status, &err);
    assert_int_equal(status, expected);
    if (why && !strstr(err.message, why))
        fail_msg("\"%s\" does not say \"%s\"", err.message, why);
    error_release(&err);
}

static char *commit_text(struct fixture *f, int64_t version)
{
    char key[64];
    struct buf text = BUF_INIT;
    delta_log_key(key, version, ".json");
    assert_int_equal(store_read(f->memory, &f->ctx, str_of(key), &text, NULL), STORE_OK);
    return buf_detach(&text);
}

static void expect_in(struct fixture *f, int64_t version, const char *what, bool there)
{
    char *text = commit_text(f, version);
    if ((strstr(text, what) != NULL) != there)
        fail_msg("\"%s\" should %sbe in %s", what, there ? "" : "not ", text);
    mem_free(text);
}

static int64_t time_of(struct fixture *f, int64_t version)
{
    int64_t ms;
    struct error err = ERROR_INIT;
    expect_ok(delta_in_commit_timestamp(&f->ctx, f->table, version, &ms, &err), &err);
    return ms;
}

/* ---- in-commit timestamps --------------------------------------------------------------------------- */

static void commits_carry_rising_times(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, "{\"commitInfo\":{\"inCommitTimestamp\":1700000005000}}\n" TRACKED ICT_ON);
    f.now_us = INT64_C(1700000000000000); /* a clock that is behind */
    struct delta_txn *txn = begin(&f);
    add_rows(txn, "a", 1);
    assert_int_equal(commit(&f, txn), 1);
    assert_int_equal(time_of(&f, 1), INT64_C(1700000005001));
    char *text = commit_text(&f, 1);
    assert_int_equal(strncmp(text, "{\"commitInfo\":{\"inCommitTimestamp\":1700000005001,\"timestamp\":1700000005001,", 70), 0);
    mem_free(text);
    f.now_us = INT64_C(1700000009000000);
    txn = begin(&f);
    add_rows(txn, "b", 1);
    commit(&f, txn);
    assert_int_equal(time_of(&f, 2), INT64_C(1700000009000));
    struct delta_snapshot *s = latest(&f);
    assert_int_equal(s->timestamp_us, INT64_C(1700000009000000));
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static void a_lost_race_moves_the_time_on(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, "{\"commitInfo\":{\"inCommitTimestamp\":1700000000000}}\n" TRACKED ICT_ON);
    struct delta_txn *txn = begin(&f);
    add_rows(txn, "a", 1);
    put_commit(&f, 1, "{\"commitInfo\":{\"inCommitTimestamp\":1800000000000}}\n" ADD("b", 1));
    put_commit(&f, 2, "{\"commitInfo\":{\"inCommitTimestamp\":1800000000007}}\n" ADD("c", 1));
    assert_int_equal(commit(&f, txn), 3);
    assert_int_equal(time_of(&f, 3), INT64_C(1800000000008));
    fixture_close(&f);
}

static void turning_them_on_is_noted(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, TRACKED PLAIN);
    struct delta_txn *txn = begin(&f);
    set_property(&f, txn, "delta.enableInCommitTimestamps", "true", STATUS_OK, NULL);
    put_commit(&f, 1, ADD("b", 1)); /* someone is first: the version that is noted is the one that it becomes */
    int64_t file_ms = f.now_us / 1000;
    assert_int_equal(commit(&f, txn), 2);
    struct delta_snapshot *s = latest(&f);
    const struct delta_metadata *m = &s->head->metadata;
    assert_true(str_eq(delta_config(m, "delta.inCommitTimestampEnablementVersion"), STR("2")));
    char expected[32];
    snprintf(expected, sizeof expected, "%lld", (long long)time_of(&f, 2));
    assert_true(str_eq(delta_config(m, "delta.inCommitTimestampEnablementTimestamp"), str_of(expected)));
    assert_true(time_of(&f, 2) >= file_ms);
    delta_snapshot_unref(s);
    /* Other changes keep it. */
    txn = begin(&f);
    set_property(&f, txn, "delta.logRetentionDuration", "interval 9 days", STATUS_OK, NULL);
    commit(&f, txn);
    expect_in(&f, 3, "\"delta.inCommitTimestampEnablementVersion\":\"2\"", true);
    /* Both sides of the boundary are found by their times. */
    struct error err = ERROR_INIT;
    int64_t version;
    expect_ok(delta_version_at_timestamp(&f.ctx, f.table, time_of(&f, 2) * 1000, &version, &err), &err);
    assert_int_equal(version, 2);
    expect_ok(delta_version_at_timestamp(&f.ctx, f.table, time_of(&f, 2) * 1000 - 1000, &version, &err), &err);
    assert_int_equal(version, 1);
    /* Off: the notes go. */
    txn = begin(&f);
    set_property(&f, txn, "delta.enableInCommitTimestamps", "false", STATUS_OK, NULL);
    commit(&f, txn);
    expect_in(&f, 4, "EnablementVersion", false);
    expect_in(&f, 4, "inCommitTimestamp\":", false);
    fixture_close(&f);
}

static void a_new_table_needs_no_note(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    struct arena arena = ARENA_INIT;
    struct delta_type *schema;
    fixture_open(&f);
    struct delta_property p = {.key = STR("delta.enableInCommitTimestamps"), .value = STR("true")};
    struct delta_metadata m = {.created_time_ms = INT64_MIN, .configuration = &p, .configuration_count = 1};
    struct delta_txn *txn = begin_on(&f, NULL);
    expect_ok(delta_type_from_sql(&arena, STR("STRUCT<a: INT>"), &schema, &err), &err);
    expect_ok(delta_txn_set_metadata(txn, &m, schema, &err), &err);
    assert_int_equal(commit(&f, txn), 0);
    expect_in(&f, 0, "EnablementVersion", false);
    expect_in(&f, 0, "{\"commitInfo\":{\"inCommitTimestamp\":", true);
    expect_in(&f, 0, "\"writerFeatures\":[\"appendOnly\",\"invariants\",\"inCommitTimestamp\"]", true);
    arena_release(&arena);
    fixture_close(&f);
}

/* ---- domains ------------------------------------------------------------------------------------------- */

static void domains_are_set_and_taken_away(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    put_commit(&f, 0, TRACKED PLAIN);
    struct delta_txn *txn = begin(&f);
    expect_ok(delta_txn_domain(txn, STR("mine"), STR("first"), &err), &err);
    expect_ok(delta_txn_domain(txn, STR("mine"), STR("\"quoted\""), &err), &err);
    expect_ok(delta_txn_domain(txn, STR("other"), STR(""), &err), &err);
    assert_int_equal(delta_txn_domain(txn, STR("delta.clustering"), STR("{}"), &err), STATUS_INVALID_ARGUMENT);
    error_release(&err);
    assert_int_equal(delta_txn_domain(txn, STR(""), STR("{}"), &err), STATUS_INVALID_ARGUMENT);
    error_release(&err);
    commit(&f, txn);
    expect_in(&f, 1, "first", false);
    struct delta_snapshot *s = latest(&f);
    assert_true(str_eq(delta_snapshot_domain(s, STR("mine")), STR("\"quoted\"")));
    assert_int_equal(s->domain_count, 2);
    delta_snapshot_unref(s);
    txn = begin(&f);
    expect_ok(delta_txn_domain(txn, STR("mine"), STR_NULL, &err), &err);
    commit(&f, txn);
    expect_in(&f, 2, "{\"domainMetadata\":{\"domain\":\"mine\",\"configuration\":\"\\\"quoted\\\"\",\"removed\":true}}", true);
    s = latest(&f);
    assert_null(delta_snapshot_domain(s, STR("mine")).ptr);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static void domains_need_their_feature(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT);
    struct delta_txn *txn = begin(&f);
    assert_int_equal(delta_txn_domain(txn, STR("mine"), STR("x"), &err), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "domainMetadata"));
    error_release(&err);
    delta_txn_free(txn);
    fixture_close(&f);
}

static void one_domain_has_one_winner(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    put_commit(&f, 0, TRACKED PLAIN);
    struct delta_txn *one = begin(&f), *two = begin(&f), *three = begin(&f);
    expect_ok(delta_txn_domain(one, STR("mine"), STR("1"), &err), &err);
    expect_ok(delta_txn_domain(two, STR("mine"), STR_NULL, &err), &err);
    expect_ok(delta_txn_domain(three, STR("other"), STR("3"), &err), &err);
    commit(&f, one);
    assert_int_equal(commit_fails(&f, two, "ConcurrentTransactionException"), STATUS_COMMIT_CONFLICT);
    assert_int_equal(commit(&f, three), 2);
    fixture_close(&f);
}

/* ---- clustering ------------------------------------------------------------------------------------------ */

#define CLUSTERED(COLUMNS)                                                                                                                           \
    "{\"domainMetadata\":{\"domain\":\"delta.clustering\",\"configuration\":\"{\\\"clusteringColumns\\\":" COLUMNS "}\",\"removed\":false}}\n"

static void clustering_columns_are_read(void **state)
{
    static const struct {
        const char *commit;
        size_t count; /* SIZE_MAX: damaged */
    } cases[] = {
        {CLUSTERED("[[\\\"id\\\"],[\\\"d\\\"]]"), 2},      {CLUSTERED("[\\\"id\\\"]"), 1}, {CLUSTERED("[]"), 0},           {"", 0},
        {CLUSTERED("[[\\\"gone\\\"]]"), SIZE_MAX},         {CLUSTERED("[[]]"), SIZE_MAX},  {CLUSTERED("[[1]]"), SIZE_MAX}, {CLUSTERED("7"), SIZE_MAX},
        {CLUSTERED("[[\\\"id\\\",\\\"x\\\"]]"), SIZE_MAX},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        struct fixture f;
        struct error err = ERROR_INIT;
        struct arena arena = ARENA_INIT;
        struct delta_column_path *columns;
        size_t count;
        char text[2000];
        fixture_open(&f);
        snprintf(text, sizeof text, TRACKED PLAIN "%s", cases[i].commit);
        put_commit(&f, 0, text);
        struct delta_snapshot *s = latest(&f);
        enum status status = delta_snapshot_clustering(s, &arena, &columns, &count, &err);
        assert_int_equal(status, cases[i].count == SIZE_MAX ? STATUS_CORRUPT_LOG : STATUS_OK);
        if (status == STATUS_OK)
            assert_int_equal(count, cases[i].count);
        if (status == STATUS_OK && count)
            assert_true(columns[0].depth == 1 && str_eq(columns[0].names[0], STR("id")));
        error_release(&err);
        delta_snapshot_unref(s);
        arena_release(&arena);
        fixture_close(&f);
    }
}

/* ---- row tracking ------------------------------------------------------------------------------------------ */

static void expect_row_ids(struct fixture *f, const char *path, int64_t base, int64_t version)
{
    struct delta_table *tables[] = {f->table, fixture_other(f)};
    for (size_t i = 0; i < 2; i++) {
        struct error err = ERROR_INIT;
        struct delta_file_list list;
        struct delta_snapshot *s = latest_of(f, tables[i]);
        bool found = false;
        expect_ok(delta_scan(&f->ctx, s, NULL, false, &list, &err), &err);
        for (size_t k = 0; k < list.count; k++)
            if (str_eq(list.files[k].path, str_of(path))) {
                found = true;
                assert_int_equal(list.files[k].base_row_id, base);
                assert_int_equal(list.files[k].row_commit_version, version);
            }
        assert_true(found);
        delta_file_list_release(&list);
        delta_snapshot_unref(s);
    }
    delta_table_unref(tables[1]);
}

static void new_rows_get_the_next_ids(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, TRACKED PLAIN);
    struct delta_txn *txn = begin(&f);
    add_rows(txn, "a", 5);
    add_rows(txn, "b", 0);
    add_rows(txn, "c", 2);
    commit(&f, txn);
    expect_in(&f, 1, "\\\"rowIdHighWaterMark\\\":6,", true);
    txn = begin(&f);
    add_rows(txn, "d", 1);
    commit(&f, txn);
    expect_row_ids(&f, "a", 0, 1);
    expect_row_ids(&f, "b", 5, 1);
    expect_row_ids(&f, "c", 5, 1);
    expect_row_ids(&f, "d", 7, 2);
    fixture_close(&f);
}

static void a_lost_race_gives_other_ids(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, TRACKED PLAIN MARK(9));
    struct delta_txn *txn = begin(&f);
    add_rows(txn, "a", 5);
    put_commit(&f, 1, ADD("x", 1) MARK(20));
    put_commit(&f, 2, ADD("y", 1) MARK(30));
    assert_int_equal(commit(&f, txn), 3);
    expect_row_ids(&f, "a", 31, 3);
    expect_in(&f, 3, "\\\"rowIdHighWaterMark\\\":35,", true);
    fixture_close(&f);
}

static void rows_must_be_counted(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    put_commit(&f, 0, TRACKED PLAIN);
    struct delta_txn *txn = begin(&f);
    struct delta_add file = {.path = STR("a"), .size_bytes = 10, .data_change = true};
    assert_int_equal(delta_txn_add(txn, &file, &err), STATUS_INVALID_ARGUMENT);
    assert_non_null(strstr(err.message, "\"a\""));
    error_release(&err);
    add_rows(txn, "b", 3);
    commit(&f, txn);
    expect_row_ids(&f, "b", 0, 1);
    expect_in(&f, 1, "\"a\"", false);
    fixture_close(&f);
}

static void ids_that_are_kept_are_written_as_they_are(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    put_commit(&f, 0, TRACKED PLAIN MARK(9));
    struct delta_txn *txn = begin(&f);
    struct delta_add file = {.path = STR("a"), .size_bytes = 1, .has_row_ids = true, .base_row_id = 3, .row_commit_version = 0};
    expect_ok(delta_txn_add(txn, &file, &err), &err);
    commit(&f, txn);
    expect_row_ids(&f, "a", 3, 0);
    expect_in(&f, 1, "rowIdHighWaterMark", false);
    fixture_close(&f);
}

static void ids_end(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, TRACKED PLAIN MARK(9223372036854775800));
    struct delta_txn *txn = begin(&f);
    add_rows(txn, "a", 100);
    assert_int_equal(commit_fails(&f, txn, "no row ids left"), STATUS_LIMIT_EXCEEDED);
    fixture_close(&f);
    fixture_open(&f);
    put_commit(&f, 0, TRACKED PLAIN MARK(null));
    txn = begin(&f);
    add_rows(txn, "a", 1);
    assert_int_equal(commit_fails(&f, txn, "high-water mark"), STATUS_CORRUPT_LOG);
    fixture_close(&f);
}

static void suspended_tracking_gives_none(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, TRACKED METADATA_LINE("", "\"delta.rowTrackingSuspended\":\"true\""));
    struct delta_txn *txn = begin(&f);
    add_rows(txn, "a", 1);
    commit(&f, txn);
    expect_in(&f, 1, "baseRowId", false);
    txn = begin(&f);
    set_property(&f, txn, "delta.enableRowTracking", "true", STATUS_INVALID_ARGUMENT, "rowTrackingSuspended");
    delta_txn_free(txn);
    fixture_close(&f);
}

static void ids_pass_through_checkpoints_and_merges(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    put_commit(&f, 0, TRACKED PLAIN ADD("old", 1));
    for (int i = 0; i < 70; i++) { /* enough for layers to be merged */
        char path[16];
        snprintf(path, sizeof path, "f%d", i);
        struct delta_txn *txn = begin(&f);
        add_rows(txn, path, 10);
        commit(&f, txn);
    }
    delta_table_quiesce(f.table);
    struct delta_snapshot *s = latest(&f);
    expect_ok(delta_checkpoint(&f.ctx, s, &err), &err);
    delta_snapshot_unref(s);
    expect_row_ids(&f, "old", -1, -1);
    expect_row_ids(&f, "f0", 0, 1);
    expect_row_ids(&f, "f69", 690, 70);
    /* And a remove says what they were. */
    struct delta_file_list list;
    s = latest(&f);
    expect_ok(delta_scan(&f.ctx, s, NULL, true, &list, &err), &err);
    struct delta_txn *txn = begin_on(&f, s);
    for (size_t i = 0; i < list.count; i++)
        if (str_eq(list.files[i].path, STR("f7")) || str_eq(list.files[i].path, STR("old")))
            expect_ok(delta_txn_remove(txn, &list.files[i], true, &err), &err);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
    commit(&f, txn);
    expect_in(&f, 71, "\"baseRowId\":70,\"defaultRowCommitVersion\":8}}", true);
    expect_in(&f, 71, "\"baseRowId\":-1", false);
    fixture_close(&f);
}

static void a_backfill_gives_ids_to_old_files(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("a", 3) ADD("b%20c", 4));
    put_commit(&f, 1, ADD("d", 5));
    struct delta_txn *txn = begin(&f);
    set_property(&f, txn, "delta.enableRowTracking", "true", STATUS_INVALID_ARGUMENT, "no row ids yet");
    delta_txn_free(txn);
    expect_ok(delta_row_tracking_backfill(&f.ctx, f.table, &err), &err);
    expect_in(&f, 2, "\"rowTracking\"", true);
    expect_in(&f, 2, "\"domainMetadata\"", true);
    expect_in(&f, 3, "\"dataChange\":true", false);
    expect_in(&f, 3, "\"operation\":\"ROW TRACKING BACKFILL\"", true);
    assert_false(has_log(&f, 4, ".json"));
    struct delta_snapshot *s = latest(&f);
    assert_int_equal(s->file_count, 3);
    struct delta_file_list list;
    expect_ok(delta_scan(&f.ctx, s, NULL, true, &list, &err), &err);
    int64_t seen = 0;
    for (size_t i = 0; i < list.count; i++) {
        assert_true(list.files[i].base_row_id >= 0 && list.files[i].row_commit_version == 3);
        seen += list.files[i].record_count;
    }
    assert_int_equal(seen, 12);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
    expect_ok(delta_row_tracking_backfill(&f.ctx, f.table, &err), &err); /* nothing left to do */
    assert_false(has_log(&f, 4, ".json"));
    txn = begin(&f);
    set_property(&f, txn, "delta.enableRowTracking", "true", STATUS_OK, NULL);
    commit(&f, txn);
    expect_in(&f, 4, "\"delta.rowTracking.materializedRowIdColumnName\":\"_row-id-col-", true);
    expect_in(&f, 4, "\"delta.rowTracking.materializedRowCommitVersionColumnName\":\"_row-commit-version-col-", true);
    txn = begin(&f);
    add_rows(txn, "e", 1);
    commit(&f, txn);
    expect_in(&f, 5, "\"tags\":{\"delta.rowTracking.preserved\":\"true\"}", true);
    expect_row_ids(&f, "e", 12, 5);
    fixture_close(&f);
}

static void ids_are_taken_away_and_the_feature_goes(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    struct delta_file_list list;
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("a", 3) ADD("b%20c", 4));
    expect_ok(delta_row_tracking_backfill(&f.ctx, f.table, &err), &err);
    struct delta_txn *txn = begin(&f);
    set_property(&f, txn, "delta.enableRowTracking", "true", STATUS_OK, NULL);
    commit(&f, txn);
    assert_int_equal(delta_row_tracking_unbackfill(&f.ctx, f.table, &err), STATUS_INVALID_ARGUMENT);
    error_release(&err);
    txn = begin(&f);
    set_property(&f, txn, "delta.enableRowTracking", "false", STATUS_OK, NULL);
    commit(&f, txn);
    txn = begin(&f);
    set_property(&f, txn, "delta.rowTrackingSuspended", "true", STATUS_OK, NULL);
    commit(&f, txn);
    expect_ok(delta_row_tracking_unbackfill(&f.ctx, f.table, &err), &err);
    expect_in(&f, 6, "\"operation\":\"ROW TRACKING UNBACKFILL\"", true);
    expect_in(&f, 6, "\"dataChange\":true", false);
    expect_ok(delta_row_tracking_unbackfill(&f.ctx, f.table, &err), &err); /* nothing left to do */
    assert_false(has_log(&f, 7, ".json"));
    struct delta_snapshot *s = latest(&f);
    expect_ok(delta_scan(&f.ctx, s, NULL, true, &list, &err), &err);
    assert_int_equal(list.count, 2);
    for (size_t i = 0; i < list.count; i++)
        assert_true(list.files[i].base_row_id < 0 && list.files[i].row_commit_version < 0 && list.files[i].record_count > 0);
    delta_file_list_release(&list);
    txn = begin(&f);
    struct delta_metadata m = *delta_snapshot_metadata(s);
    m.configuration_count = 0;
    expect_ok(delta_txn_set_metadata(txn, &m, delta_snapshot_schema(s), &err), &err);
    expect_ok(delta_txn_drop_feature(txn, DELTA_FEATURE_ROW_TRACKING, &err), &err);
    commit(&f, txn);
    delta_snapshot_unref(s);
    expect_in(&f, 7, "\"domain\":\"delta.rowTracking\"", true);
    expect_in(&f, 7, "\"removed\":true", true);
    expect_in(&f, 7, "materializedRow", false);
    s = latest(&f);
    assert_false(delta_protocol_has(delta_snapshot_protocol(s), DELTA_FEATURE_ROW_TRACKING));
    assert_null(delta_snapshot_domain(s, STR("delta.rowTracking")).ptr);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

/* A file that goes while it gets its ids must not come back. */
static void a_backfill_does_not_bring_files_back(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    put_commit(&f, 0, TRACKED PLAIN ADD("a", 3) ADD("b", 4));
    struct delta_snapshot *s = latest(&f);
    struct delta_file_list list;
    expect_ok(delta_scan(&f.ctx, s, NULL, true, &list, &err), &err);
    struct delta_txn *txn = begin_on(&f, s);
    for (size_t i = 0; i < list.count; i++)
        expect_ok(delta_txn_track_rows(txn, &list.files[i], &err), &err);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
    put_commit(&f, 1, REMOVE("a"));
    assert_int_equal(commit_fails(&f, txn, "ConcurrentDeleteDelete"), STATUS_COMMIT_CONFLICT);
    expect_ok(delta_row_tracking_backfill(&f.ctx, f.table, &err), &err);
    s = latest(&f);
    expect_paths(s, "b");
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static void a_winner_that_begins_to_track_is_in_the_way(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT);
    struct delta_txn *txn = begin(&f);
    add_rows(txn, "a", 1);
    put_commit(&f, 1, TRACKED);
    assert_int_equal(commit_fails(&f, txn, "ProtocolChangedException"), STATUS_COMMIT_CONFLICT);
    fixture_close(&f);
}

static void hidden_columns_stand_behind_the_others(void **state)
{
    (void)state;
    struct arena arena = ARENA_INIT;
    struct error err = ERROR_INIT;
    struct delta_type number = {.id = DELTA_INTEGER};
    struct delta_field field = {.name = STR("a"), .type = &number, .nullable = true};
    struct delta_type schema = {.id = DELTA_STRUCT, .fields = &field, .field_count = 1};
    struct delta_property properties[] = {{.key = STR("delta.enableRowTracking"), .value = STR("true")},
                                          {.key = STR("delta.rowTracking.materializedRowIdColumnName"), .value = STR("hidden id")},
                                          {.key = STR("delta.rowTracking.materializedRowCommitVersionColumnName"), .value = STR("hidden version")}};
    struct delta_metadata m = {.configuration = properties};
    const struct delta_type *tracked = NULL;
    expect_ok(delta_tracked_schema(&arena, &m, &schema, &tracked, &err), &err);
    assert_ptr_equal(tracked, &schema);
    m.configuration_count = 2; /* one name is not there */
    assert_int_equal(delta_tracked_schema(&arena, &m, &schema, &tracked, &err), STATUS_PROTOCOL_VIOLATION);
    assert_null(tracked);
    error_release(&err);
    m.configuration_count = 3;
    expect_ok(delta_tracked_schema(&arena, &m, &schema, &tracked, &err), &err);
    assert_int_equal(tracked->field_count, 3);
    assert_true(str_eq(tracked->fields[1].name, STR("hidden id")) && tracked->fields[1].type->id == DELTA_LONG && tracked->fields[1].nullable);
    assert_true(str_eq(tracked->fields[2].name, STR("hidden version")) && tracked->fields[2].type->id == DELTA_LONG);
    field.name = STR("HIDDEN ID");
    assert_int_equal(delta_tracked_schema(&arena, &m, &schema, &tracked, &err), STATUS_PROTOCOL_VIOLATION);
    error_release(&err);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(commits_carry_rising_times),
        cmocka_unit_test(a_lost_race_moves_the_time_on),
        cmocka_unit_test(turning_them_on_is_noted),
        cmocka_unit_test(a_new_table_needs_no_note),
        cmocka_unit_test(domains_are_set_and_taken_away),
        cmocka_unit_test(domains_need_their_feature),
        cmocka_unit_test(one_domain_has_one_winner),
        cmocka_unit_test(clustering_columns_are_read),
        cmocka_unit_test(new_rows_get_the_next_ids),
        cmocka_unit_test(a_lost_race_gives_other_ids),
        cmocka_unit_test(rows_must_be_counted),
        cmocka_unit_test(ids_that_are_kept_are_written_as_they_are),
        cmocka_unit_test(ids_end),
        cmocka_unit_test(suspended_tracking_gives_none),
        cmocka_unit_test(ids_pass_through_checkpoints_and_merges),
        cmocka_unit_test(a_backfill_gives_ids_to_old_files),
        cmocka_unit_test(a_backfill_does_not_bring_files_back),
        cmocka_unit_test(ids_are_taken_away_and_the_feature_goes),
        cmocka_unit_test(hidden_columns_stand_behind_the_others),
        cmocka_unit_test(a_winner_that_begins_to_track_is_in_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
