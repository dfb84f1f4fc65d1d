#include "delta/log_testing.h"

/* ---- a table to change ------------------------------------------------------------------------ */

struct wish {
    const char *schema, *partition;  /* NULL: not partitioned */
    const char *keys[4], *values[4]; /* properties */
};

static enum status set_metadata(struct fixture *f, struct delta_txn *txn, const struct wish *w, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct delta_type *schema;
    struct str partition = str_of(w->partition);
    struct delta_property properties[4];
    struct delta_metadata m = {
        .created_time_ms = INT64_MIN, .partition_columns = &partition, .partition_column_count = w->partition != NULL, .configuration = properties};
    for (; m.configuration_count < 4 && w->keys[m.configuration_count]; m.configuration_count++)
        properties[m.configuration_count] =
            (struct delta_property){.key = str_of(w->keys[m.configuration_count]), .value = str_of(w->values[m.configuration_count])};
    expect_ok(delta_type_from_sql(&arena, str_of(w->schema), &schema, err), err);
    enum status status = delta_txn_set_metadata(txn, &m, schema, err);
    arena_release(&arena);
    return status;
}

static struct delta_txn *begin_on(struct fixture *f, struct delta_snapshot *base)
{
    struct error err = ERROR_INIT;
    struct delta_txn *txn;
    expect_ok(delta_txn_begin(&f->ctx, f->table, base, &txn, &err), &err);
    return txn;
}

/* A change of the newest version. */
static struct delta_txn *begin(struct fixture *f)
{
    struct delta_snapshot *s = latest(f);
    struct delta_txn *txn = begin_on(f, s);
    delta_snapshot_unref(s);
    return txn;
}

static void add(struct delta_txn *txn, const char *path)
{
    struct error err = ERROR_INIT;
    struct delta_add file = {.path = str_of(path), .size_bytes = 10, .modified_ms = 7, .data_change = true, .stats = STR("{\"numRecords\":1}")};
    expect_ok(delta_txn_add(txn, &file, &err), &err);
}

static void take(struct delta_txn *txn, const char *path, bool data_change)
{
    struct error err = ERROR_INIT;
    struct delta_file file = {.path = str_of(path), .size_bytes = 10};
    expect_ok(delta_txn_remove(txn, &file, data_change, &err), &err);
}

/* Commits, expecting success; frees the txn. Returns the version. */
static int64_t commit(struct fixture *f, struct delta_txn *txn)
{
    struct error err = ERROR_INIT;
    struct delta_commit_result result;
    expect_ok(delta_txn_commit(&f->ctx, txn, &result, &err), &err);
    assert_int_equal(result.outcome, DELTA_COMMITTED);
    assert_non_null(result.snapshot);
    assert_int_equal(delta_snapshot_version(result.snapshot), result.version);
    assert_true(has_log(f, result.version, ".json"));
    assert_true(has_log(f, result.version, ".crc"));
    delta_snapshot_unref(result.snapshot);
    delta_txn_free(txn);
    return result.version;
}

/* Commits, expecting a conflict of this name with this version; frees the txn. */
static void expect_conflict(struct fixture *f, struct delta_txn *txn, int64_t version, const char *name)
{
    struct error err = ERROR_INIT;
    struct delta_commit_result result;
    assert_int_equal(delta_txn_commit(&f->ctx, txn, &result, &err), STATUS_COMMIT_CONFLICT);
    assert_int_equal(result.outcome, DELTA_CONFLICT);
    assert_int_equal(result.version, version);
    assert_null(result.snapshot);
    if (!strstr(err.message, name))
        fail_msg("\"%s\" is not a %s", err.message, name);
    error_release(&err);
    delta_txn_free(txn);
}

static void create(struct fixture *f, const struct wish *w)
{
    struct error err = ERROR_INIT;
    struct delta_txn *txn = begin_on(f, NULL);
    expect_ok(delta_txn_operation(txn, "CREATE TABLE", &err), &err);
    expect_ok(set_metadata(f, txn, w, &err), &err);
    assert_int_equal(commit(f, txn), 0);
}

static void open_with_table(struct fixture *f)
{
    static const struct wish plain = {.schema = "STRUCT<id: BIGINT, d: STRING>"};
    fixture_open(f);
    create(f, &plain);
}

static void append(struct fixture *f, const char *path)
{
    struct delta_txn *txn = begin(f);
    add(txn, path);
    commit(f, txn);
}

static void expect_table(struct fixture *f, const char *paths)
{
    struct delta_table *t = fixture_other(f);
    struct delta_snapshot *s = latest_of(f, t);
    expect_paths(s, paths);
    delta_snapshot_unref(s);
    delta_table_unref(t);
    s = latest(f); /* what the committing table believes is the same */
    expect_paths(s, paths);
    delta_snapshot_unref(s);
}

/* The text of a commit. */
static char *commit_text(struct fixture *f, int64_t version)
{
    char key[64];
    struct buf text = BUF_INIT;
    delta_log_key(key, version, ".json");
    assert_int_equal(store_read(f->memory, &f->ctx, str_of(key), &text, NULL), STORE_OK);
    return buf_detach(&text);
}

static void expect_in_order(const char *text, const char *const *parts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *found = strstr(text, parts[i]);
        if (!found)
            fail_msg("\"%s\" is missing (or out of order) in %s", parts[i], text);
        text = found + strlen(parts[i]);
    }
}
#define EXPECT_IN_ORDER(TEXT, ...)                                                                                                                   \
    do {                                                                                                                                             \
        static const char *const parts[] = {__VA_ARGS__};                                                                                            \
        expect_in_order(TEXT, parts, VV_ARRAY_COUNT(parts));                                                                                         \
    } while (0)

/* ---- what is written ------------------------------------------------------------------------------ */

static void creates_a_table(void **state)
{
    static const struct wish w = {.schema = "STRUCT<id: BIGINT NOT NULL, d: STRING>",
                                  .partition = "D",
                                  .keys = {"delta.checkpointInterval", "own", "delta.minWriterVersion"},
                                  .values = {"5", "x", "4"}};
    struct fixture f;
    fixture_open(&f);
    create(&f, &w);
    char *text = commit_text(&f, 0);
    EXPECT_IN_ORDER(
        text, "{\"commitInfo\":{\"timestamp\":1700000000000,\"operation\":\"CREATE TABLE\",\"operationParameters\":{},",
        "\"isolationLevel\":\"Serializable\",\"isBlindAppend\":true,\"operationMetrics\":{},", "\"engineInfo\":\"Varve/", "\"txnId\":\"",
        "}}\n{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":4}}\n", "{\"metaData\":{\"id\":\"",
        "\"partitionColumns\":[\"d\"],\"configuration\":{\"delta.checkpointInterval\":\"5\",\"own\":\"x\"},\"createdTime\":1700000000000}}\n");
    assert_null(strstr(text, "readVersion"));
    mem_free(text);
    struct delta_snapshot *s = latest(&f);
    assert_int_equal(delta_snapshot_metadata(s)->id.len, 36);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static void writes_every_action(void **state)
{
    static const struct wish w = {.schema = "STRUCT<id: BIGINT, d: STRING>", .partition = "d"};
    struct fixture f;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    create(&f, &w);
    append(&f, "d=1/a b.parquet");
    struct delta_txn *txn = begin(&f);
    f.ctx.identity = STR("ann");
    f.ctx.client = STR("cli");
    struct str value = STR("x/y \"z\"");
    struct delta_property tag = {.key = STR("k"), .value = STR("v")};
    struct delta_add file = {.path = STR("d=x%2Fy/ü.parquet"),
                             .partition_values = &value,
                             .size_bytes = 5,
                             .modified_ms = 6,
                             .data_change = true,
                             .stats = STR("{\"numRecords\":2}"),
                             .tags = &tag,
                             .tag_count = 1};
    struct delta_file gone = {.path = STR("d=1/a%20b.parquet"), .size_bytes = 10, .stats = STR("{\"numRecords\":1}")};
    expect_ok(delta_txn_operation(txn, "DELETE", &err), &err);
    expect_ok(delta_txn_parameter(txn, "predicate", STR("\"[\\\"id = 1\\\"]\""), &err), &err);
    expect_ok(delta_txn_parameter(txn, "n", STR("7"), &err), &err);
    expect_ok(delta_txn_metric(txn, "numFiles", 1, &err), &err);
    expect_ok(delta_txn_metric(txn, "numOutputRows", 2, &err), &err);
    expect_ok(delta_txn_user_metadata(txn, STR("why \"so\""), &err), &err);
    expect_ok(delta_txn_app(txn, STR("stream"), 9, &err), &err);
    expect_ok(delta_txn_add(txn, &file, &err), &err);
    expect_ok(delta_txn_remove(txn, &gone, true, &err), &err);
    expect_ok(delta_txn_remove(txn, &gone, true, &err), &err); /* once is enough */
    assert_int_equal(commit(&f, txn), 2);
    char *text = commit_text(&f, 2);
    EXPECT_IN_ORDER(
        text, "\"userName\":\"ann\",\"operation\":\"DELETE\",\"operationParameters\":{\"predicate\":\"[\\\"id = 1\\\"]\",\"n\":7},",
        "\"readVersion\":1,\"isolationLevel\":\"Serializable\",\"isBlindAppend\":false,",
        "\"operationMetrics\":{\"numFiles\":\"1\",\"numOutputRows\":\"2\"},\"userMetadata\":\"why \\\"so\\\"\",\"client\":\"cli\",",
        "}}\n{\"txn\":{\"appId\":\"stream\",\"version\":9,\"lastUpdated\":1700000000000}}\n",
        "{\"remove\":{\"path\":\"d=1/a%20b.parquet\",\"deletionTimestamp\":1700000000000,\"dataChange\":true,\"extendedFileMetadata\":true,"
        "\"partitionValues\":{\"d\":null},\"size\":10,\"stats\":\"{\\\"numRecords\\\":1}\"}}\n",
        "{\"add\":{\"path\":\"d=x%252Fy/",
        ".parquet\",\"partitionValues\":{\"d\":\"x/y \\\"z\\\"\"},\"size\":5,\"modificationTime\":6,"
        "\"dataChange\":true,\"stats\":\"{\\\"numRecords\\\":2}\",\"tags\":{\"k\":\"v\"}}}\n");
    assert_null(strstr(strstr(text, "\"remove\"") + 1, "\"remove\""));
    mem_free(text);
    struct delta_snapshot *s = latest(&f);
    assert_int_equal(delta_snapshot_txn_version(s, STR("stream")), 9);
    assert_int_equal(delta_snapshot_file_count(s), 1);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static void appends_cost_no_more_on_large_tables(void **state)
{
    struct fixture f;
    uint64_t calls[2];
    open_with_table(&f);
    for (int round = 0; round < 2; round++) {
        struct delta_txn *txn = begin(&f);
        for (int i = 0; round == 0 && i < 500; i++) {
            char path[32];
            snprintf(path, sizeof path, "many-%d", i);
            add(txn, path);
        }
        commit(&f, txn);
        txn = begin(&f);
        add(txn, round ? "x" : "y");
        store_fault_set(f.store, (struct store_fault){0});
        commit(&f, txn);
        calls[round] = store_fault_calls(f.store);
    }
    assert_int_equal(calls[0], calls[1]);
    assert_true(calls[0] <= 3); /* the commit, its time, its checksum */
    fixture_close(&f);
}

static void checkpoints_come_by_themselves(void **state)
{
    static const struct wish w = {.schema = "STRUCT<id: BIGINT>", .keys = {"delta.checkpointInterval"}, .values = {"2"}};
    struct fixture f;
    fixture_open(&f);
    create(&f, &w);
    append(&f, "a");
    append(&f, "b");
    delta_table_quiesce(f.table);
    assert_true(has_log(&f, 2, ".checkpoint.parquet"));
    assert_false(has_log(&f, 1, ".checkpoint.parquet"));
    fixture_close(&f);
}

/* ---- metadata ---------------------------------------------------------------------------------------- */

static void expect_metadata_refused(const struct wish *w, enum status expected, const char *part)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    open_with_table(&f);
    append(&f, "a");
    struct delta_txn *txn = begin(&f);
    enum status status = set_metadata(&f, txn, w, &err);
    if (status != expected || !strstr(err.message, part))
        fail_msg("status %d, \"%s\" instead of \"%s\"", (int)status, err.message ? err.message : "", part);
    error_release(&err);
    delta_txn_free(txn);
    fixture_close(&f);
}

static void refuses_bad_metadata(void **state)
{
    expect_metadata_refused(&(struct wish){.schema = "STRUCT<a: INT, A: INT>"}, STATUS_INVALID_ARGUMENT, "twice");
    expect_metadata_refused(&(struct wish){.schema = "STRUCT<a: INT>", .partition = "b"}, STATUS_COLUMN_NOT_FOUND, "\"b\"");
    expect_metadata_refused(&(struct wish){.schema = "STRUCT<a: INT>", .partition = "a"}, STATUS_INVALID_ARGUMENT, "not a partition column");
    expect_metadata_refused(&(struct wish){.schema = "STRUCT<a: ARRAY<INT>, b: INT>", .partition = "a"}, STATUS_INVALID_ARGUMENT, "no text form");
    expect_metadata_refused(&(struct wish){.schema = "STRUCT<a: VARIANT, b: INT>", .partition = "a"}, STATUS_INVALID_ARGUMENT, "\"a\"");
    expect_metadata_refused(&(struct wish){.schema = "STRUCT<a: INT>", .keys = {"delta.apendOnly"}, .values = {"true"}}, STATUS_UNKNOWN_PROPERTY,
                            "apendOnly");
    expect_metadata_refused(&(struct wish){.schema = "STRUCT<a: INT>", .keys = {"delta.enableIcebergCompatV3"}, .values = {"true"}},
                            STATUS_UNSUPPORTED_FEATURE, "icebergCompatV3");
    expect_metadata_refused(&(struct wish){.schema = "STRUCT<a: INT>", .keys = {"x", "x"}, .values = {"1", "2"}}, STATUS_INVALID_ARGUMENT, "twice");
}

static void metadata_raises_the_protocol(void **state)
{
    static const struct wish w = {
        .schema = "STRUCT<id: BIGINT, d: STRING, t: TIMESTAMP_NTZ>", .keys = {"delta.feature.appendOnly"}, .values = {"supported"}};
    struct fixture f;
    struct error err = ERROR_INIT;
    open_with_table(&f);
    struct delta_snapshot *before = latest(&f);
    struct delta_txn *txn = begin(&f);
    expect_ok(set_metadata(&f, txn, &w, &err), &err);
    commit(&f, txn);
    struct delta_snapshot *s = latest(&f);
    const struct delta_protocol *p = delta_snapshot_protocol(s);
    assert_int_equal(p->min_reader_version, 3);
    assert_int_equal(p->min_writer_version, 7);
    assert_int_equal(p->writer_feature_count, 3);
    assert_int_equal(delta_snapshot_metadata(s)->configuration_count, 0);
    assert_true(str_eq(delta_snapshot_metadata(s)->id, delta_snapshot_metadata(before)->id));
    assert_int_equal(delta_snapshot_schema(s)->field_count, 3);
    delta_snapshot_unref(before);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static void new_partitioning_needs_an_overwrite(void **state)
{
    static const struct wish w = {.schema = "STRUCT<id: BIGINT, d: STRING>", .partition = "d"};
    struct fixture f;
    struct error err = ERROR_INIT;
    struct delta_commit_result result;
    open_with_table(&f);
    append(&f, "a");
    struct delta_txn *txn = begin(&f);
    expect_ok(set_metadata(&f, txn, &w, &err), &err);
    assert_int_equal(delta_txn_commit(&f.ctx, txn, &result, &err), STATUS_INVALID_ARGUMENT);
    error_release(&err);
    delta_txn_free(txn);
    txn = begin(&f);
    expect_ok(set_metadata(&f, txn, &w, &err), &err);
    expect_ok(delta_txn_remove_all(txn, &err), &err);
    add(txn, "d=1/b");
    commit(&f, txn);
    expect_table(&f, "d=1/b");
    fixture_close(&f);
}

static void unwritable_tables(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    struct delta_txn *txn;
    fixture_open(&f);
    put_commit(
        &f, 0,
        "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"collations\",\"novel\"]}}\n" METADATA_LINE("", ""));
    struct delta_snapshot *s = latest(&f);
    assert_int_equal(delta_txn_begin(&f.ctx, f.table, s, &txn, &err), STATUS_UNSUPPORTED_FEATURE);
    assert_null(txn);
    assert_non_null(strstr(err.message, "collations"));
    assert_non_null(strstr(err.message, "novel"));
    error_release(&err);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static void append_only_tables(void **state)
{
    static const struct wish w = {.schema = "STRUCT<id: BIGINT>", .keys = {"delta.appendOnly"}, .values = {"true"}};
    struct fixture f;
    struct error err = ERROR_INIT;
    struct delta_commit_result result;
    fixture_open(&f);
    create(&f, &w);
    append(&f, "a");
    struct delta_txn *txn = begin(&f);
    take(txn, "a", true);
    assert_int_equal(delta_txn_commit(&f.ctx, txn, &result, &err), STATUS_APPEND_ONLY);
    error_release(&err);
    delta_txn_free(txn);
    txn = begin(&f); /* the same rows in other files are fine */
    take(txn, "a", false);
    struct delta_add file = {.path = STR("b"), .size_bytes = 1};
    expect_ok(delta_txn_add(txn, &file, &err), &err);
    commit(&f, txn);
    char *text = commit_text(&f, 2);
    assert_non_null(strstr(text, "\"isolationLevel\":\"SnapshotIsolation\""));
    mem_free(text);
    expect_table(&f, "b");
    fixture_close(&f);
}

/* ---- conflicts ------------------------------------------------------------------------------------------ */

static void appends_do_not_conflict(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    struct delta_commit_result result;
    open_with_table(&f);
    struct delta_txn *first = begin(&f), *second = begin(&f), *third = begin(&f);
    add(first, "a");
    add(second, "b");
    add(third, "c");
    assert_int_equal(commit(&f, first), 1);
    assert_int_equal(commit(&f, second), 2);
    expect_ok(delta_txn_commit(&f.ctx, third, &result, &err), &err);
    assert_int_equal(result.version, 3);
    assert_int_equal(result.attempts, 2); /* both winners are passed after one put in vain */
    expect_paths(result.snapshot, "a b c");
    delta_snapshot_unref(result.snapshot);
    assert_int_equal(delta_txn_commit(&f.ctx, third, &result, &err), STATUS_INTERNAL); /* once only */
    error_release(&err);
    delta_txn_free(third);
    expect_table(&f, "a b c");
    fixture_close(&f);
}

static void overwrite_loses_to_append(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    open_with_table(&f);
    append(&f, "a");
    struct delta_txn *overwrite = begin(&f);
    expect_ok(delta_txn_remove_all(overwrite, &err), &err);
    add(overwrite, "z");
    append(&f, "b");
    expect_conflict(&f, overwrite, 2, "ConcurrentAppendException");
    expect_table(&f, "a b");
    fixture_close(&f);
}

static void append_follows_overwrite(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    open_with_table(&f);
    append(&f, "a");
    struct delta_txn *late = begin(&f), *overwrite = begin(&f);
    add(late, "b");
    expect_ok(delta_txn_remove_all(overwrite, &err), &err);
    add(overwrite, "z");
    commit(&f, overwrite);
    assert_int_equal(commit(&f, late), 3);
    expect_table(&f, "b z");
    fixture_close(&f);
}

static void deletes_conflict_on_the_same_file(void **state)
{
    struct fixture f;
    open_with_table(&f);
    append(&f, "a b");
    append(&f, "c");
    struct delta_txn *first = begin(&f), *same = begin(&f), *other = begin(&f), *reader = begin(&f);
    take(first, "a%20b", true);
    take(same, "a b", true); /* the same file, spelled otherwise */
    take(other, "c", true);
    delta_txn_reads_all(reader);
    add(reader, "d");
    commit(&f, first);
    expect_conflict(&f, same, 3, "ConcurrentDeleteDeleteException");
    expect_conflict(&f, reader, 3, "ConcurrentDeleteReadException");
    assert_int_equal(commit(&f, other), 4);
    expect_table(&f, "");
    fixture_close(&f);
}

static void metadata_and_protocol_conflict(void **state)
{
    static const struct wish comment = {.schema = "STRUCT<id: BIGINT, d: STRING>", .keys = {"own"}, .values = {"x"}};
    static const struct wish raised = {.schema = "STRUCT<id: BIGINT, d: STRING, t: TIMESTAMP_NTZ>"};
    struct fixture f;
    struct error err = ERROR_INIT;
    open_with_table(&f);
    struct delta_txn *blind = begin(&f), *alter = begin(&f), *raise = begin(&f), *raise_too = begin(&f);
    add(blind, "a");
    expect_ok(set_metadata(&f, alter, &comment, &err), &err);
    expect_ok(set_metadata(&f, raise, &raised, &err), &err);
    expect_ok(set_metadata(&f, raise_too, &raised, &err), &err);
    commit(&f, raise);
    expect_conflict(&f, raise_too, 1, "ProtocolChangedException");
    expect_conflict(&f, blind, 1, "MetadataChangedException");
    expect_conflict(&f, alter, 1, "MetadataChangedException");
    fixture_close(&f);
}

static void protocol_changes_that_can_be_followed(void **state)
{
    struct fixture f;
    open_with_table(&f);
    struct delta_txn *fits = begin(&f), *lost = begin(&f);
    add(fits, "a");
    put_commit(&f, 1,
               "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"appendOnly\",\"invariants\","
               "\"vacuumProtocolCheck\"]}}\n");
    assert_int_equal(commit(&f, fits), 2);
    add(lost, "b");
    put_commit(&f, 3,
               "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"appendOnly\",\"invariants\","
               "\"vacuumProtocolCheck\",\"collations\"]}}\n");
    expect_conflict(&f, lost, 3, "ProtocolChangedException");
    fixture_close(&f);
    open_with_table(&f);
    lost = begin(&f);
    add(lost, "a");
    put_commit(&f, 1, "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"invariants\"]}}\n");
    expect_conflict(&f, lost, 1, "ProtocolChangedException"); /* appendOnly was dropped */
    fixture_close(&f);
}

static void application_versions_conflict(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    open_with_table(&f);
    struct delta_txn *first = begin(&f), *same = begin(&f), *other = begin(&f);
    expect_ok(delta_txn_app(first, STR("q"), 1, &err), &err);
    expect_ok(delta_txn_app(same, STR("p"), 1, &err), &err);
    expect_ok(delta_txn_app(same, STR("q"), 1, &err), &err);
    expect_ok(delta_txn_app(other, STR("p"), 1, &err), &err);
    add(first, "a");
    add(same, "b");
    add(other, "c");
    commit(&f, first);
    expect_conflict(&f, same, 1, "ConcurrentTransactionException");
    assert_int_equal(commit(&f, other), 2);
    expect_table(&f, "a c");
    fixture_close(&f);
}

static void compaction_ignores_appends(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    open_with_table(&f);
    append(&f, "a");
    struct delta_txn *compaction = begin(&f);
    delta_txn_reads_all(compaction);
    take(compaction, "a", false);
    struct delta_add file = {.path = STR("big"), .size_bytes = 1};
    expect_ok(delta_txn_add(compaction, &file, &err), &err);
    append(&f, "b");
    assert_int_equal(commit(&f, compaction), 3);
    expect_table(&f, "b big");
    fixture_close(&f);
}

static void a_table_is_created_once(void **state)
{
    static const struct wish w = {.schema = "STRUCT<id: BIGINT>"};
    struct fixture f;
    struct error err = ERROR_INIT;
    struct delta_commit_result result;
    fixture_open(&f);
    struct delta_txn *late = begin_on(&f, NULL);
    expect_ok(set_metadata(&f, late, &w, &err), &err);
    create(&f, &w);
    assert_int_equal(delta_txn_commit(&f.ctx, late, &result, &err), STATUS_TABLE_EXISTS);
    assert_int_equal(result.outcome, DELTA_CONFLICT);
    error_release(&err);
    remove_log(&f, 0, ".json"); /* as log cleanup does on an old table */
    put_commit(&f, 12, "");
    assert_int_equal(delta_txn_commit(&f.ctx, late, &result, &err), STATUS_TABLE_EXISTS);
    assert_false(has_log(&f, 0, ".json"));
    error_release(&err);
    delta_txn_free(late);
    fixture_close(&f);
}

/* A writer that shares nothing with the others but the log. */
struct racer {
    struct fixture *f;
    struct lines_handler handler;
    struct delta_table *table;
    int id;
    bool failed;
};

enum { RACE_COMMITS = 25 };

static void *race(void *argument)
{
    struct racer *r = argument;
    r->failed = true;
    for (int i = 0; i < RACE_COMMITS; i++) {
        char path[32];
        struct delta_snapshot *s = NULL;
        struct delta_txn *txn = NULL;
        struct delta_commit_result result;
        snprintf(path, sizeof path, "r%d-%02d", r->id, i);
        struct delta_add file = {.path = str_of(path), .size_bytes = 1, .data_change = true};
        if (delta_snapshot_latest(&r->f->ctx, r->table, &s, NULL) || delta_txn_begin(&r->f->ctx, r->table, s, &txn, NULL) ||
            delta_txn_add(txn, &file, NULL) || delta_txn_commit(&r->f->ctx, txn, &result, NULL))
            return NULL;
        delta_snapshot_unref(result.snapshot);
        delta_txn_free(txn);
        delta_snapshot_unref(s);
    }
    r->failed = false;
    return NULL;
}

static void racing_writers(void **state)
{
    struct fixture f;
    struct racer racers[3];
    pthread_t threads[3];
    open_with_table(&f);
    for (int i = 0; i < 3; i++) {
        racers[i] = (struct racer){.f = &f, .handler = f.handler, .id = i};
        assert_int_equal(delta_table_open(&f.ctx, f.memory, &racers[i].handler.base, STR("sales"), &racers[i].table, NULL), STATUS_OK);
        assert_int_equal(pthread_create(&threads[i], NULL, race, &racers[i]), 0);
    }
    for (int i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_false(racers[i].failed);
        delta_table_quiesce(racers[i].table);
        delta_table_unref(racers[i].table);
    }
    struct delta_snapshot *s = latest(&f);
    assert_int_equal(delta_snapshot_version(s), 3 * RACE_COMMITS);
    assert_int_equal(delta_snapshot_file_count(s), 3 * RACE_COMMITS);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

/* ---- failures: before or after, never between --------------------------------------------------------------- */

/* A change with everything in it, on a table to which somebody else appends meanwhile. */
struct attempt {
    struct fixture f;
    struct delta_txn *txn;
    struct delta_commit_result result;
    struct error err;
    enum status status;
    uint64_t calls; /* made by the commit */
};

static void attempt_open(struct attempt *a)
{
    *a = (struct attempt){.err = ERROR_INIT};
    open_with_table(&a->f);
    append(&a->f, "a");
    a->txn = begin(&a->f);
    take(a->txn, "a", true);
    add(a->txn, "ours");
    append(&a->f, "theirs");
}

static void attempt_judge(struct attempt *a)
{
    struct delta_table *t = fixture_other(&a->f);
    struct delta_snapshot *s = latest_of(&a->f, t);
    char *paths = live_paths(s);
    bool before = strcmp(paths, "a theirs") == 0, after = strcmp(paths, "ours theirs") == 0;
    assert_true(before || after);
    assert_int_equal(s->version, before ? 2 : 3);
    if (a->status == STATUS_OK) {
        assert_true(after);
        assert_int_equal(a->result.outcome, DELTA_COMMITTED);
        assert_int_equal(a->result.version, 3);
        if (a->result.snapshot)
            expect_paths(a->result.snapshot, "ours theirs");
    } else if (a->status == STATUS_COMMIT_UNKNOWN) {
        assert_int_equal(a->result.outcome, DELTA_UNKNOWN);
        assert_non_null(strstr(a->err.detail, a->txn->txn_id));
    } else {
        assert_true(before);
    }
    mem_free(paths);
    delta_snapshot_unref(s);
    delta_table_unref(t);
}

static void attempt_close(struct attempt *a)
{
    delta_snapshot_unref(a->result.snapshot);
    error_release(&a->err);
    delta_txn_free(a->txn);
    fixture_close(&a->f);
}

static void fail_each_store_call(enum store_fault_kind kind, bool onwards)
{
    for (uint64_t n = 1;; n++) {
        struct attempt a;
        attempt_open(&a);
        store_fault_set(a.f.store, (struct store_fault){.kind = kind, .at_call = n, .onwards = onwards});
        a.status = delta_txn_commit(&a.f.ctx, a.txn, &a.result, &a.err);
        a.calls = store_fault_calls(a.f.store);
        store_fault_set(a.f.store, (struct store_fault){0});
        attempt_judge(&a);
        bool done = a.calls < n;
        if (done)
            assert_int_equal(a.status, STATUS_OK);
        if (kind == STORE_FAULT_LOST_REPLY && !onwards && (n == 1 || n == 5)) /* the puts of versions 2 and 3: settled by reading back */
            assert_int_equal(a.status, STATUS_OK);
        if (kind == STORE_FAULT_LOST_REPLY && onwards && n == 5) /* landed, but nobody can tell */
            assert_int_equal(a.status, STATUS_COMMIT_UNKNOWN);
        attempt_close(&a);
        if (done)
            break;
    }
}

static void each_store_call_fails(void **state)
{
    fail_each_store_call(STORE_FAULT_FAIL, false);
    fail_each_store_call(STORE_FAULT_FULL, true);
}

static void each_reply_is_lost(void **state)
{
    fail_each_store_call(STORE_FAULT_LOST_REPLY, false);
    fail_each_store_call(STORE_FAULT_LOST_REPLY, true);
}

static void each_allocation_fails(void **state)
{
    for (uint64_t n = 1;; n++) {
        struct attempt a;
        attempt_open(&a);
        uint64_t before = alloc_count();
        alloc_fail_after(n);
        a.status = delta_txn_commit(&a.f.ctx, a.txn, &a.result, &a.err);
        alloc_fail_after(0);
        bool reached = alloc_count() - before >= n;
        if (a.status && a.status != STATUS_OUT_OF_MEMORY && a.status != STATUS_COMMIT_UNKNOWN)
            fail_msg("allocation %llu: %s", (unsigned long long)n, a.err.message);
        attempt_judge(&a);
        attempt_close(&a);
        if (!reached) {
            assert_int_equal(a.status, STATUS_OK);
            break;
        }
    }
}

static void each_allocation_fails_while_gathering(void **state)
{
    static const struct wish w = {.schema = "STRUCT<id: BIGINT, d: STRING, t: TIMESTAMP_NTZ>", .partition = "d", .keys = {"own"}, .values = {"x"}};
    for (uint64_t n = 1;; n++) {
        struct fixture f;
        struct error err = ERROR_INIT;
        struct delta_txn *txn = NULL;
        struct delta_add file = {.path = STR("new file"), .size_bytes = 1, .data_change = true, .stats = STR("{}")};
        open_with_table(&f);
        append(&f, "a");
        struct delta_snapshot *s = latest(&f);
        struct arena arena = ARENA_INIT;
        struct delta_type *schema;
        struct str partition = STR("d");
        struct delta_metadata m = {.created_time_ms = INT64_MIN, .partition_columns = &partition, .partition_column_count = 1};
        expect_ok(delta_type_from_sql(&arena, str_of(w.schema), &schema, &err), &err);
        uint64_t before = alloc_count();
        alloc_fail_after(n);
        enum status status = delta_txn_begin(&f.ctx, f.table, s, &txn, &err);
        if (!status)
            status = delta_txn_set_metadata(txn, &m, schema, &err);
        if (!status)
            status = delta_txn_remove_all(txn, &err);
        if (!status)
            status = delta_txn_add(txn, &file, &err);
        if (!status)
            status = delta_txn_app(txn, STR("q"), 1, &err);
        if (!status)
            status = delta_txn_parameter(txn, "mode", STR("\"Overwrite\""), &err);
        if (!status)
            status = delta_txn_metric(txn, "n", 1, &err);
        if (!status)
            status = delta_txn_user_metadata(txn, STR("u"), &err);
        alloc_fail_after(0);
        bool reached = alloc_count() - before >= n;
        assert_int_equal(status, reached ? STATUS_OUT_OF_MEMORY : STATUS_OK);
        delta_txn_free(txn);
        delta_snapshot_unref(s);
        error_release(&err);
        arena_release(&arena);
        expect_table(&f, "a");
        fixture_close(&f);
        if (!reached)
            break;
    }
}

static void a_cancelled_commit_leaves_nothing(void **state)
{
    struct attempt a;
    attempt_open(&a);
    atomic_store(&a.f.ctx.cancelled, true);
    a.status = delta_txn_commit(&a.f.ctx, a.txn, &a.result, &a.err);
    atomic_store(&a.f.ctx.cancelled, false);
    assert_int_equal(a.status, STATUS_CANCELLED);
    attempt_judge(&a);
    attempt_close(&a);
}

static void a_damaged_winner_stops_the_commit(void **state)
{
    struct attempt a;
    attempt_open(&a);
    put_commit(&a.f, 3, "{\"add\":");
    a.status = delta_txn_commit(&a.f.ctx, a.txn, &a.result, &a.err);
    assert_int_equal(a.status, STATUS_CORRUPT_LOG);
    assert_false(has_log(&a.f, 4, ".json"));
    attempt_close(&a);
}

/* ---- deletion vectors and change data -------------------------------------------------------------- */

static void open_with_vectors(struct fixture *f)
{
    static const struct wish w = {
        .schema = "STRUCT<id: BIGINT, d: STRING>", .partition = "d", .keys = {"delta.enableDeletionVectors"}, .values = {"true"}};
    static const struct str day[] = {{"x y", 3}};
    struct error err = ERROR_INIT;
    fixture_open(f);
    create(f, &w);
    struct delta_txn *txn = begin(f);
    struct delta_add file = {.path = STR("d=x y/a"),
                             .partition_values = day,
                             .size_bytes = 10,
                             .modified_ms = 7,
                             .data_change = true,
                             .stats = STR("{\"numRecords\":10,\"minValues\":{\"id\":1},\"tightBounds\":true,\"maxValues\":{\"id\":9}}")};
    expect_ok(delta_txn_add(txn, &file, &err), &err);
    assert_int_equal(commit(f, txn), 1);
}

/* The only file of the newest version, with its list, which owns it. */
static struct delta_file only_file(struct fixture *f, struct delta_snapshot **s, struct delta_file_list *list)
{
    struct error err = ERROR_INIT;
    *s = latest(f);
    expect_ok(delta_scan(&f->ctx, *s, NULL, true, list, &err), &err);
    assert_int_equal(list->count, 1);
    return list->files[0];
}

static struct delta_dv vector_of(int64_t cardinality)
{
    return (struct delta_dv){STR("u"), STR("vBn[lx{q8@P<9BNH/isA"), cardinality, 36, cardinality};
}

static void set_vector(struct fixture *f, struct delta_txn *txn, int64_t cardinality)
{
    struct error err = ERROR_INIT;
    struct delta_snapshot *s;
    struct delta_file_list list;
    struct delta_file file = only_file(f, &s, &list);
    struct delta_dv dv = vector_of(cardinality);
    expect_ok(delta_txn_set_dv(txn, &file, &dv, &err), &err);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
}

static void expect_vector(struct fixture *f, int64_t cardinality)
{
    struct delta_snapshot *s;
    struct delta_file_list list;
    struct delta_file file = only_file(f, &s, &list);
    assert_true(str_eq(file.path, STR("d=x%20y/a")));
    assert_true(str_eq(file.partition_values[0], STR("x y")));
    assert_int_equal(file.dv->cardinality, cardinality);
    assert_int_equal(file.dv->offset, cardinality);
    assert_int_equal(file.record_count, 10);
    assert_int_equal(delta_file_live_count(&file), 10 - cardinality);
    assert_true(str_eq(file.stats, STR("{\"numRecords\":10,\"minValues\":{\"id\":1},\"maxValues\":{\"id\":9},\"tightBounds\":false}")));
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
}

static void vectors_follow_each_other(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    open_with_vectors(&f);
    for (int64_t cardinality = 2; cardinality <= 3; cardinality++) {
        struct delta_txn *txn = begin(&f);
        set_vector(&f, txn, cardinality);
        assert_int_equal(commit(&f, txn), cardinality);
        expect_vector(&f, cardinality);
    }
    char *text = commit_text(&f, 3);
    assert_non_null(strstr(text, "{\"remove\":{\"path\":\"d=x%20y/a\""));
    assert_non_null(strstr(text,
                           "\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":\"vBn[lx{q8@P<9BNH/isA\",\"offset\":2,\"sizeInBytes\":36,"
                           "\"cardinality\":2}}}\n{\"add\":"));
    mem_free(text);
    /* a checkpoint keeps them, and a reader that starts there sees them */
    struct delta_snapshot *s = latest(&f);
    expect_ok(delta_checkpoint(&f.ctx, s, &err), &err);
    delta_snapshot_unref(s);
    struct delta_table *t = fixture_other(&f);
    s = latest_of(&f, t);
    struct delta_file_list list;
    expect_ok(delta_scan(&f.ctx, s, NULL, true, &list, &err), &err);
    assert_int_equal(list.count, 1);
    assert_int_equal(list.files[0].dv->cardinality, 3);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
    delta_table_unref(t);
    /* and its removal names the vector */
    struct delta_txn *txn = begin(&f);
    expect_ok(delta_txn_remove_all(txn, &err), &err);
    assert_int_equal(commit(&f, txn), 4);
    text = commit_text(&f, 4);
    assert_non_null(strstr(text, "\"offset\":3,"));
    mem_free(text);
    expect_table(&f, "");
    fixture_close(&f);
}

static void vectors_that_cannot_be(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    struct delta_snapshot *s;
    struct delta_file_list list;
    open_with_vectors(&f);
    struct delta_file file = only_file(&f, &s, &list), uncounted = file;
    struct delta_dv dv = vector_of(3), none = vector_of(0), all = vector_of(11);
    struct delta_txn *txn = begin(&f);
    uncounted.record_count = -1;
    assert_int_equal(delta_txn_set_dv(txn, &uncounted, &dv, &err), STATUS_NOT_SUPPORTED);
    assert_int_equal(delta_txn_set_dv(txn, &file, &none, &err), STATUS_INTERNAL);
    assert_int_equal(delta_txn_set_dv(txn, &file, &all, &err), STATUS_INTERNAL);
    expect_ok(delta_txn_set_dv(txn, &file, &dv, &err), &err);
    assert_int_equal(delta_txn_set_dv(txn, &file, &dv, &err), STATUS_INTERNAL);
    assert_int_equal(delta_txn_cdc(txn, STR("elsewhere/c"), file.partition_values, 5, &err), STATUS_INTERNAL);
    expect_ok(delta_txn_cdc(txn, STR("_change_data/d=x y/c"), file.partition_values, 5, &err), &err);
    assert_int_equal(commit(&f, txn), 2);
    char *text = commit_text(&f, 2);
    assert_non_null(
        strstr(text, "{\"cdc\":{\"path\":\"_change_data/d=x%20y/c\",\"partitionValues\":{\"d\":\"x y\"},\"size\":5,\"dataChange\":false}}\n"));
    mem_free(text);
    expect_vector(&f, 3);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
    error_release(&err);
    fixture_close(&f);

    open_with_table(&f); /* which does not allow them */
    append(&f, "a");
    file = only_file(&f, &s, &list);
    txn = begin(&f);
    err = ERROR_INIT;
    dv = vector_of(1);
    assert_int_equal(delta_txn_set_dv(txn, &file, &dv, &err), STATUS_INTERNAL);
    error_release(&err);
    delta_txn_free(txn);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static void vectors_without_memory(void **state)
{
    struct fixture f;
    struct delta_snapshot *s;
    struct delta_file_list list;
    open_with_vectors(&f);
    struct delta_file file = only_file(&f, &s, &list);
    struct delta_dv dv = vector_of(2);
    enum status status = STATUS_OUT_OF_MEMORY;
    for (uint64_t n = 1; status; n++) {
        struct delta_txn *txn = begin(&f);
        struct error err = ERROR_INIT;
        alloc_fail_after(n);
        status = delta_txn_set_dv(txn, &file, &dv, &err);
        alloc_fail_after(0);
        assert_true(!status || status == STATUS_OUT_OF_MEMORY);
        if (status) { /* a second try finds nothing of the first */
            error_release(&err);
            err = ERROR_INIT;
            expect_ok(delta_txn_set_dv(txn, &file, &dv, &err), &err);
        }
        assert_int_equal(txn->add_count, 1);
        assert_int_equal(txn->remove_count, 1);
        delta_txn_free(txn);
    }
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_follow_each_other),
        cmocka_unit_test(vectors_that_cannot_be),
        cmocka_unit_test(vectors_without_memory),
        cmocka_unit_test(creates_a_table),
        cmocka_unit_test(writes_every_action),
        cmocka_unit_test(appends_cost_no_more_on_large_tables),
        cmocka_unit_test(checkpoints_come_by_themselves),
        cmocka_unit_test(refuses_bad_metadata),
        cmocka_unit_test(metadata_raises_the_protocol),
        cmocka_unit_test(new_partitioning_needs_an_overwrite),
        cmocka_unit_test(unwritable_tables),
        cmocka_unit_test(append_only_tables),
        cmocka_unit_test(appends_do_not_conflict),
        cmocka_unit_test(overwrite_loses_to_append),
        cmocka_unit_test(append_follows_overwrite),
        cmocka_unit_test(deletes_conflict_on_the_same_file),
        cmocka_unit_test(metadata_and_protocol_conflict),
        cmocka_unit_test(protocol_changes_that_can_be_followed),
        cmocka_unit_test(application_versions_conflict),
        cmocka_unit_test(compaction_ignores_appends),
        cmocka_unit_test(a_table_is_created_once),
        cmocka_unit_test(racing_writers),
        cmocka_unit_test(each_store_call_fails),
        cmocka_unit_test(each_reply_is_lost),
        cmocka_unit_test(each_allocation_fails),
        cmocka_unit_test(each_allocation_fails_while_gathering),
        cmocka_unit_test(a_cancelled_commit_leaves_nothing),
        cmocka_unit_test(a_damaged_winner_stops_the_commit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
