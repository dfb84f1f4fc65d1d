#include "delta/log_testing.h"

/* A table of files with known ids and vectors, and changes of it that meet. */

#define SCHEMA                                                                                                                                       \
    "{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[{\\\"name\\\":\\\"id\\\",\\\"type\\\":\\\"long\\\",\\\"nullable\\\":true,\\\"metadata\\\":{%s}},"  \
    "{\\\"name\\\":\\\"d\\\",\\\"type\\\":\\\"string\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}}]}"
#define PROTOCOL                                                                                                                                     \
    "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\",\"columnMapping\",\"v2Checkpoint\"],"      \
    "\"writerFeatures\":[\"deletionVectors\",\"columnMapping\",\"v2Checkpoint\",\"appendOnly\",\"invariants\",\"rowTracking\",\"domainMetadata\","   \
    "\"inCommitTimestamp\",\"identityColumns\"]}}\n"

enum { ROWS = 100 };

/* ---- the table ------------------------------------------------------------------------------------ */

static void put_metadata(struct fixture *f, int64_t version, const char *lead, const char *column_notes, const char *configuration, bool partitioned)
{
    char schema[1024], text[4096];
    snprintf(schema, sizeof schema, SCHEMA, column_notes);
    snprintf(text, sizeof text,
             "%s{\"metaData\":{\"id\":\"6a1c0b6e-0000-4000-8000-000000000000\",\"format\":{\"provider\":\"parquet\",\"options\":{}},"
             "\"schemaString\":\"%s\",\"partitionColumns\":[%s],\"configuration\":{%s}}}\n",
             lead, schema, partitioned ? "\"d\"" : "", configuration);
    put_commit(f, version, text);
}

static void open_table(struct fixture *f, const char *configuration)
{
    char all[512];
    fixture_open(f);
    snprintf(all, sizeof all, "\"delta.enableDeletionVectors\":\"true\"%s%s", *configuration ? "," : "", configuration);
    put_metadata(f, 0, PROTOCOL, "", all, false);
}

static struct delta_txn *begin(struct fixture *f)
{
    struct error err = ERROR_INIT;
    struct delta_snapshot *s = latest(f);
    struct delta_txn *txn;
    expect_ok(delta_txn_begin(&f->ctx, f->table, s, &txn, &err), &err);
    delta_snapshot_unref(s);
    return txn;
}

/* A file of ROWS rows with ids from…to. */
static void add(struct delta_txn *txn, const char *path, int from, int to)
{
    struct error err = ERROR_INIT;
    char stats[160];
    snprintf(stats, sizeof stats, "{\"numRecords\":%d,\"minValues\":{\"id\":%d},\"maxValues\":{\"id\":%d},\"nullCount\":{\"id\":0}}", ROWS, from, to);
    struct delta_add file = {.path = str_of(path), .size_bytes = 10, .modified_ms = 7, .data_change = true, .stats = str_of(stats)};
    expect_ok(delta_txn_add(txn, &file, &err), &err);
}

static struct delta_file file_of(struct fixture *f, const char *path, struct delta_snapshot **s, struct delta_file_list *list)
{
    struct error err = ERROR_INIT;
    *s = latest(f);
    expect_ok(delta_scan(&f->ctx, *s, NULL, true, list, &err), &err);
    for (size_t i = 0; i < list->count; i++)
        if (str_eq(list->files[i].path, str_of(path)))
            return list->files[i];
    fail_msg("there is no file %s", path);
    return (struct delta_file){0};
}

static void take(struct fixture *f, struct delta_txn *txn, const char *path, bool data_change)
{
    struct error err = ERROR_INIT;
    struct delta_snapshot *s;
    struct delta_file_list list;
    struct delta_file file = file_of(f, path, &s, &list);
    expect_ok(delta_txn_remove(txn, &file, data_change, &err), &err);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
}

/* The file without these rows, and without those that its vector had. */
static void delete_rows(struct fixture *f, struct delta_txn *txn, const char *path, const uint64_t *rows, size_t count)
{
    struct error err = ERROR_INIT;
    struct arena arena = ARENA_INIT;
    struct delta_snapshot *s;
    struct delta_file_list list;
    struct delta_file file = file_of(f, path, &s, &list);
    struct delta_rows *set = delta_rows_new(), *old = NULL;
    struct delta_dv dv;
    if (file.dv) {
        expect_ok(delta_dv_read(&f->ctx, f->store, file.dv, &old, &err), &err);
        assert_true(delta_rows_union(set, old));
    }
    assert_true(delta_rows_add(set, rows, count));
    expect_ok(delta_dv_write(&f->ctx, f->store, (const struct delta_rows *[]){set}, 1, &arena, &dv, &err), &err);
    expect_ok(delta_txn_set_dv(txn, &file, &dv, &err), &err);
    delta_rows_free(old);
    delta_rows_free(set);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
    arena_release(&arena);
}

static void delete_row(struct fixture *f, struct delta_txn *txn, const char *path, uint64_t row) { delete_rows(f, txn, path, &row, 1); }

static void expect_deleted(struct fixture *f, const char *path, const uint64_t *rows, size_t count)
{
    struct error err = ERROR_INIT;
    struct delta_snapshot *s;
    struct delta_file_list list;
    struct delta_file file = file_of(f, path, &s, &list);
    struct delta_rows *set;
    assert_non_null(file.dv);
    expect_ok(delta_dv_read(&f->ctx, f->store, file.dv, &set, &err), &err);
    assert_int_equal(delta_rows_count(set), count);
    for (size_t i = 0; i < count; i++)
        assert_true(delta_rows_contains(set, rows[i]));
    assert_int_equal(delta_file_live_count(&file), ROWS - (int64_t)count);
    delta_rows_free(set);
    delta_file_list_release(&list);
    delta_snapshot_unref(s);
}

/* id = value, or id IN (…) over several. */
static void reads_ids(struct delta_txn *txn, const int *ids, uint32_t count, bool takes_all)
{
    static const struct str column = {"ID", 2}; /* names are compared without case */
    struct error err = ERROR_INIT;
    struct delta_value values[8];
    for (uint32_t i = 0; i < count; i++)
        values[i] = (struct delta_value){.type = DELTA_LONG, .i64 = ids[i]};
    struct delta_pred pred = {
        .op = count == 1 ? DELTA_PRED_EQ : DELTA_PRED_IN, .column = &column, .column_depth = 1, .values = values, .value_count = count};
    expect_ok(delta_txn_reads(txn, &pred, takes_all, &err), &err);
}

static void reads_id(struct delta_txn *txn, int id, bool takes_all) { reads_ids(txn, &id, 1, takes_all); }

static void reads_rows(struct delta_txn *txn)
{
    struct error err = ERROR_INIT;
    expect_ok(delta_txn_reads(txn, NULL, false, &err), &err);
}

static int64_t commit(struct fixture *f, struct delta_txn *txn)
{
    struct error err = ERROR_INIT;
    struct delta_commit_result result;
    expect_ok(delta_txn_commit(&f->ctx, txn, &result, &err), &err);
    assert_non_null(result.snapshot);
    delta_snapshot_unref(result.snapshot);
    delta_txn_free(txn);
    return result.version;
}

static void append(struct fixture *f, const char *path, int from, int to)
{
    struct delta_txn *txn = begin(f);
    add(txn, path, from, to);
    commit(f, txn);
}

/* Loses against this version; the error, message and detail together, has all of the words. */
static void expect_conflict(struct fixture *f, struct delta_txn *txn, int64_t version, const char *const *words)
{
    struct error err = ERROR_INIT;
    struct delta_commit_result result;
    struct buf text = BUF_INIT;
    assert_int_equal(delta_txn_commit(&f->ctx, txn, &result, &err), STATUS_COMMIT_CONFLICT);
    assert_int_equal(result.outcome, DELTA_CONFLICT);
    assert_int_equal(result.version, version);
    buf_printf(&text, "%s; %s", err.message, err.detail ? err.detail : "");
    for (; *words; words++)
        if (!strstr(text.ptr, *words))
            fail_msg("\"%s\" is not in \"%s\"", *words, text.ptr);
    buf_release(&text);
    error_release(&err);
    delta_txn_free(txn);
}
#define EXPECT_CONFLICT(F, TXN, VERSION, ...) expect_conflict(F, TXN, VERSION, (const char *const[]){__VA_ARGS__, NULL})

static void expect_table(struct fixture *f, const char *paths)
{
    struct delta_table *t = fixture_other(f);
    struct delta_snapshot *s = latest_of(f, t);
    expect_paths(s, paths);
    delta_snapshot_unref(s);
    delta_table_unref(t);
}

static int vector_files(struct fixture *f);

/* ---- appends against reads ---------------------------------------------------------------------------- */

static void statistics_tell_whether_an_append_matters(void **state)
{
    struct fixture f;
    open_table(&f, "");
    append(&f, "a", 0, 9);
    struct delta_txn *apart = begin(&f), *beside = begin(&f), *all = begin(&f), *blind = begin(&f);
    reads_id(apart, 5, true);
    take(&f, apart, "a", true);
    reads_ids(beside, (const int[]){5, 15}, 2, true);
    add(beside, "x", 5, 5);
    reads_rows(all);
    add(all, "y", 5, 5);
    add(blind, "z", 12, 12);
    append(&f, "b", 10, 20);
    EXPECT_CONFLICT(&f, beside, 2, "ConcurrentAppendException", "version 2 of table \"sales\" (WRITE)", "\"b\"", "ID IN (5, 15)", "version 1");
    EXPECT_CONFLICT(&f, all, 2, "ConcurrentAppendException", "\"b\"", "the rows of version 1");
    assert_int_equal(commit(&f, apart), 3);
    assert_int_equal(commit(&f, blind), 4);
    expect_table(&f, "b z");
    fixture_close(&f);
}

static void files_without_statistics_may_hold_anything(void **state)
{
    struct fixture f;
    open_table(&f, "");
    struct delta_txn *reader = begin(&f);
    reads_id(reader, 5, true);
    add(reader, "x", 1, 1);
    put_commit(&f, 1, "{\"add\":{\"path\":\"b\",\"partitionValues\":{},\"size\":1,\"modificationTime\":5,\"dataChange\":true}}\n");
    EXPECT_CONFLICT(&f, reader, 1, "ConcurrentAppendException", "unknown operation", "ID = 5");
    fixture_close(&f);
}

static void partitions_tell_whether_an_append_matters(void **state)
{
    static const struct str column = {"d", 1};
    struct delta_value value = {.type = DELTA_STRING, .str = STR("it's")};
    struct delta_pred pred = {.op = DELTA_PRED_EQ, .column = &column, .column_depth = 1, .values = &value, .value_count = 1};
    for (int same = 0; same < 2; same++) {
        struct fixture f;
        struct error err = ERROR_INIT;
        char text[256];
        fixture_open(&f);
        put_metadata(&f, 0, PROTOCOL, "", "", true);
        struct delta_txn *txn = begin(&f);
        expect_ok(delta_txn_reads(txn, &pred, false, &err), &err);
        struct delta_add file = {
            .path = STR("d=x/x"), .partition_values = &column, .size_bytes = 1, .data_change = true, .stats = STR("{\"numRecords\":1}")};
        expect_ok(delta_txn_add(txn, &file, &err), &err);
        snprintf(text, sizeof text,
                 "{\"add\":{\"path\":\"d=y/b\",\"partitionValues\":{\"d\":\"%s\"},\"size\":1,\"modificationTime\":5,\"dataChange\":true}}\n",
                 same ? "it's" : "other");
        put_commit(&f, 1, text);
        if (same)
            EXPECT_CONFLICT(&f, txn, 1, "ConcurrentAppendException", "\"d=y/b\"", "d = 'it");
        else
            assert_int_equal(commit(&f, txn), 2);
        fixture_close(&f);
    }
}

static const char blind_append[] = "{\"commitInfo\":{\"operation\":\"WRITE\",\"isBlindAppend\":true}}\n" ADD("b", 1);
static const char seeing_append[] = "{\"commitInfo\":{\"operation\":\"MERGE\",\"isBlindAppend\":false}}\n" ADD("b", 1);

static struct delta_txn *reading_writer(struct fixture *f)
{
    struct delta_txn *txn = begin(f);
    reads_rows(txn);
    add(txn, "x", 1, 1);
    return txn;
}

static void isolation_levels_decide_about_appends(void **state)
{
    static const struct {
        const char *configuration, *winner;
        bool conflicts;
    } cells[] = {
        {"", blind_append, true},
        {"", seeing_append, true},
        {"\"delta.isolationLevel\":\"Serializable\"", blind_append, true},
        {"\"delta.isolationLevel\":\"WriteSerializable\"", blind_append, false},
        {"\"delta.isolationLevel\":\"WriteSerializable\"", seeing_append, true},
        {"\"delta.isolationLevel\":\"SnapshotIsolation\"", blind_append, false},
        {"\"delta.isolationLevel\":\"SnapshotIsolation\"", seeing_append, false},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(cells); i++) {
        struct fixture f;
        open_table(&f, cells[i].configuration);
        struct delta_txn *txn = reading_writer(&f);
        put_commit(&f, 1, cells[i].winner);
        if (cells[i].conflicts)
            EXPECT_CONFLICT(&f, txn, 1, "ConcurrentAppendException");
        else
            assert_int_equal(commit(&f, txn), 2);
        fixture_close(&f);
    }
}

/* A new definition holds for all rows, whatever the level. */
static void a_definition_is_serializable(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    open_table(&f, "\"delta.isolationLevel\":\"SnapshotIsolation\"");
    struct delta_snapshot *s = latest(&f);
    struct delta_txn *txn = begin(&f);
    expect_ok(delta_txn_set_metadata(txn, delta_snapshot_metadata(s), delta_snapshot_schema(s), &err), &err);
    reads_rows(txn);
    put_commit(&f, 1, blind_append);
    EXPECT_CONFLICT(&f, txn, 1, "ConcurrentAppendException");
    delta_snapshot_unref(s);
    fixture_close(&f);
}

/* ---- deletes against reads -------------------------------------------------------------------------------- */

static void only_files_that_were_read_matter(void **state)
{
    struct fixture f;
    open_table(&f, "");
    append(&f, "a", 0, 9);
    append(&f, "b", 10, 19);
    struct delta_txn *first = begin(&f), *of_a = begin(&f), *of_b = begin(&f), *changer = begin(&f);
    take(&f, first, "b", true);
    reads_id(of_a, 5, false);
    add(of_a, "x", 30, 30);
    reads_id(of_b, 15, false);
    add(of_b, "y", 30, 30);
    reads_id(changer, 15, true); /* and found no such row */
    add(changer, "z", 30, 30);
    commit(&f, first);
    EXPECT_CONFLICT(&f, of_b, 3, "ConcurrentDeleteReadException", "\"b\"", "ID = 15");
    assert_int_equal(commit(&f, of_a), 4);
    assert_int_equal(commit(&f, changer), 5);
    expect_table(&f, "a x z");
    fixture_close(&f);
}

#define MOVED(FROM, TO)                                                                                                                              \
    "{\"commitInfo\":{\"operation\":\"OPTIMIZE\",\"isBlindAppend\":false}}\n"                                                                        \
    "{\"remove\":{\"path\":\"" FROM "\",\"deletionTimestamp\":1700000000000,\"dataChange\":false}}\n"                                                \
    "{\"add\":{\"path\":\"" TO                                                                                                                       \
    "\",\"partitionValues\":{},\"size\":1,\"modificationTime\":5,\"dataChange\":false,\"stats\":\"{\\\"numRecords\\\":100}\"}}\n"

static void rows_that_only_moved_were_read_where_they_are(void **state)
{
    for (int then = 0; then < 2; then++) {
        struct fixture f;
        open_table(&f, "");
        append(&f, "a", 0, 9);
        struct delta_txn *txn = begin(&f), *physical = begin(&f), *toucher = begin(&f);
        reads_rows(txn);
        add(txn, "x", 1, 1);
        delta_txn_reads_all(physical);
        add(physical, "y", 1, 1);
        reads_rows(toucher);
        take(&f, toucher, "a", true);
        put_commit(&f, 2, MOVED("a", "moved"));
        EXPECT_CONFLICT(&f, physical, 2, "ConcurrentAppendException", "OPTIMIZE", "\"moved\"");
        EXPECT_CONFLICT(&f, toucher, 2, "ConcurrentDeleteDeleteException", "OPTIMIZE", "moved the rows", "\"a\"");
        if (then) {
            put_commit(&f, 3, REMOVE("moved"));
            EXPECT_CONFLICT(&f, txn, 3, "ConcurrentDeleteReadException", "\"moved\"");
        } else {
            assert_int_equal(commit(&f, txn), 3);
            expect_table(&f, "moved x");
        }
        fixture_close(&f);
    }
}

/* ---- metadata --------------------------------------------------------------------------------------------- */

#define VECTORS "\"delta.enableDeletionVectors\":\"true\""

static void metadata_that_can_be_followed(void **state)
{
    static const struct {
        const char *notes, *configuration;
        bool moves, conflicts;
    } cells[] = {
        {"", VECTORS, false, false},
        {"\\\"delta.identity.highWaterMark\\\":7", VECTORS, false, false},
        {"\\\"comment\\\":\\\"new\\\"", VECTORS, false, true},
        {"", VECTORS ",\"own\":\"x\"", false, true},
        {"", VECTORS ",\"delta.appendOnly\":\"true\"", false, true},
        {"", "", false, true},
        {"", VECTORS ",\"delta.checkpointPolicy\":\"v2\"", false, false},
        {"",
         VECTORS ",\"delta.enableRowTracking\":\"true\",\"delta.rowTracking.materializedRowIdColumnName\":\"i\","
                 "\"delta.rowTracking.materializedRowCommitVersionColumnName\":\"v\"",
         false, false},
        {"",
         VECTORS ",\"delta.enableRowTracking\":\"true\",\"delta.rowTracking.materializedRowIdColumnName\":\"i\","
                 "\"delta.rowTracking.materializedRowCommitVersionColumnName\":\"v\"",
         true, true},
        {"",
         VECTORS ",\"delta.enableInCommitTimestamps\":\"true\",\"delta.inCommitTimestampEnablementVersion\":\"2\","
                 "\"delta.inCommitTimestampEnablementTimestamp\":\"5\"",
         false, false},
        {"", VECTORS ",\"delta.enableInCommitTimestamps\":\"false\"", false, true},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(cells); i++) {
        struct fixture f;
        open_table(&f, "");
        append(&f, "a", 0, 9);
        struct delta_txn *txn = begin(&f);
        add(txn, "x", 1, 1);
        if (cells[i].moves)
            take(&f, txn, "a", true);
        put_metadata(&f, 2, "{\"commitInfo\":{\"operation\":\"SET TBLPROPERTIES\",\"inCommitTimestamp\":1700009999999}}\n", cells[i].notes,
                     cells[i].configuration, false);
        if (cells[i].conflicts) {
            EXPECT_CONFLICT(&f, txn, 2, "MetadataChangedException", "SET TBLPROPERTIES");
        } else {
            char key[] = "_delta_log/00000000000000000003.json";
            struct buf text = BUF_INIT;
            assert_int_equal(commit(&f, txn), 3);
            assert_int_equal(store_read(f.memory, &f.ctx, str_of(key), &text, NULL), STORE_OK);
            bool timed = strstr(cells[i].configuration, "InCommitTimestamps") != NULL;
            assert_int_equal(strstr(text.ptr, "\"inCommitTimestamp\":1700010000000") != NULL, timed);
            buf_release(&text);
        }
        fixture_close(&f);
    }
}

static void mapping_that_keeps_names_can_be_followed(void **state)
{
    struct fixture f;
    char text[2048];
    for (int renamed = 0; renamed < 2; renamed++) {
        open_table(&f, "");
        struct delta_txn *txn = begin(&f);
        add(txn, "x", 1, 1);
        snprintf(
            text, sizeof text,
            "{\"metaData\":{\"id\":\"6a1c0b6e-0000-4000-8000-000000000000\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":"
            "\"{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[{\\\"name\\\":\\\"id\\\",\\\"type\\\":\\\"long\\\",\\\"nullable\\\":true,"
            "\\\"metadata\\\":"
            "{\\\"delta.columnMapping.id\\\":1,\\\"delta.columnMapping.physicalName\\\":\\\"%s\\\"}},{\\\"name\\\":\\\"d\\\",\\\"type\\\":"
            "\\\"string\\\",\\\"nullable\\\":true,\\\"metadata\\\":{\\\"delta.columnMapping.id\\\":2,\\\"delta.columnMapping.physicalName\\\":"
            "\\\"d\\\"}}]}\",\"partitionColumns\":[],\"configuration\":{\"delta.enableDeletionVectors\":\"true\",\"delta.columnMapping.mode\":"
            "\"name\",\"delta.columnMapping.maxColumnId\":\"2\"}}}\n",
            renamed ? "col-1" : "id");
        put_commit(&f, 1, text);
        if (renamed)
            EXPECT_CONFLICT(&f, txn, 1, "MetadataChangedException", "schema");
        else
            assert_int_equal(commit(&f, txn), 2);
        fixture_close(&f);
    }
}

/* ---- vectors ------------------------------------------------------------------------------------------------ */

static bool count_vector(void *user, const struct store_entry *entry)
{
    *(int *)user += str_starts(entry->key, STR("deletion_vector_"));
    return true;
}

static int vector_files(struct fixture *f)
{
    int count = 0;
    assert_int_equal(store_list(f->memory, &f->ctx, STR(""), STR(""), count_vector, &count, NULL), STORE_OK);
    return count;
}

static void vectors_of_different_rows_are_joined(void **state)
{
    struct fixture f;
    open_table(&f, "");
    append(&f, "a", 0, 99);
    append(&f, "b", 100, 199);
    struct delta_txn *zeroth = begin(&f);
    delete_row(&f, zeroth, "a", 3);
    commit(&f, zeroth);
    struct delta_txn *first = begin(&f), *second = begin(&f), *third = begin(&f);
    reads_id(first, 10, true);
    delete_row(&f, first, "a", 10);
    reads_id(second, 20, true);
    delete_row(&f, second, "a", 20);
    delete_row(&f, second, "b", 20);
    add(second, "x", 20, 20); /* an UPDATE: the row's new values */
    reads_id(third, 30, true);
    delete_row(&f, third, "a", 30);
    assert_int_equal(commit(&f, first), 4);
    assert_int_equal(commit(&f, second), 5);
    assert_int_equal(commit(&f, third), 6);
    expect_deleted(&f, "a", (const uint64_t[]){3, 10, 20, 30}, 4);
    expect_deleted(&f, "b", (const uint64_t[]){20}, 1);
    expect_table(&f, "a b x");
    /* What was only made on the way is gone: left are the vectors of versions 3, 4, two of 5 (b's is in the file of its first try), and 6. */
    assert_int_equal(vector_files(&f), 5);
    fixture_close(&f);
}

static void one_row_is_changed_once(void **state)
{
    struct fixture f;
    open_table(&f, "");
    append(&f, "a", 0, 99);
    struct delta_txn *first = begin(&f), *second = begin(&f);
    delete_rows(&f, first, "a", (const uint64_t[]){7, 50, 99}, 3);
    delete_rows(&f, second, "a", (const uint64_t[]){8, 50, 99}, 3);
    commit(&f, first);
    EXPECT_CONFLICT(&f, second, 2, "ConcurrentDeleteDeleteException", "row 50", "\"a\"", "2 of its rows");
    expect_deleted(&f, "a", (const uint64_t[]){7, 50, 99}, 3);
    fixture_close(&f);
}

static void all_rows_of_a_file_may_go_together(void **state)
{
    struct fixture f;
    uint64_t even[ROWS / 2], odd[ROWS / 2], all[ROWS];
    for (uint64_t i = 0; i < ROWS / 2; i++) {
        even[i] = 2 * i;
        odd[i] = 2 * i + 1;
        all[2 * i] = 2 * i;
        all[2 * i + 1] = 2 * i + 1;
    }
    open_table(&f, "");
    append(&f, "a", 0, 99);
    struct delta_txn *first = begin(&f), *second = begin(&f);
    delete_rows(&f, first, "a", even, ROWS / 2);
    delete_rows(&f, second, "a", odd, ROWS / 2);
    commit(&f, first);
    commit(&f, second);
    expect_deleted(&f, "a", all, ROWS);
    fixture_close(&f);
}

/* Whoever takes the whole file, or gives rows back, is in the way of a vector. */
static void vectors_that_cannot_be_joined(void **state)
{
    struct fixture f;
    open_table(&f, "");
    append(&f, "a", 0, 99);
    struct delta_txn *old = begin(&f);
    delete_row(&f, old, "a", 3);
    commit(&f, old);
    struct delta_txn *vector = begin(&f), *whole = begin(&f), *late = begin(&f), *asker = begin(&f);
    delete_row(&f, vector, "a", 4);
    take(&f, whole, "a", true);
    delete_row(&f, late, "a", 5);
    reads_id(asker, 3, true); /* that row was gone, and comes back */
    add(asker, "x", 1, 1);
    commit(&f, vector);
    EXPECT_CONFLICT(&f, whole, 3, "ConcurrentDeleteDeleteException", "\"a\"");
    struct delta_snapshot *then, *now = latest(&f);
    struct delta_file_list list;
    struct error err = ERROR_INIT;
    expect_ok(delta_snapshot_at_version(&f.ctx, f.table, 1, &then, &err), &err);
    expect_ok(delta_scan(&f.ctx, then, NULL, true, &list, &err), &err);
    struct delta_txn *restore = begin(&f);
    take(&f, restore, "a", true);
    expect_ok(delta_txn_add_again(restore, &list.files[0], true, &err), &err);
    commit(&f, restore);
    EXPECT_CONFLICT(&f, late, 4, "ConcurrentAppendException", "gave back rows", "\"a\"");
    EXPECT_CONFLICT(&f, asker, 4, "ConcurrentAppendException", "ID = 3");
    delta_file_list_release(&list);
    delta_snapshot_unref(then);
    delta_snapshot_unref(now);
    fixture_close(&f);
}

/* A reader for whom the missing row decides something must look again; who took all that he read need not. */
static void a_vector_is_a_delete_to_readers(void **state)
{
    struct fixture f;
    open_table(&f, "");
    append(&f, "a", 0, 99);
    struct delta_txn *first = begin(&f), *merge = begin(&f), *update = begin(&f);
    delete_row(&f, first, "a", 3);
    reads_id(merge, 50, false);
    add(merge, "x", 50, 50);
    reads_id(update, 50, true);
    delete_row(&f, update, "a", 50);
    add(update, "y", 50, 50);
    commit(&f, first);
    EXPECT_CONFLICT(&f, merge, 2, "ConcurrentDeleteReadException", "\"a\"", "ID = 50");
    assert_int_equal(commit(&f, update), 3);
    expect_deleted(&f, "a", (const uint64_t[]){3, 50}, 2);
    fixture_close(&f);
}

/* Row ids that a winner gave the file are kept. */
static void joined_vectors_keep_row_ids(void **state)
{
    struct fixture f;
    struct buf text = BUF_INIT;
    open_table(&f, "");
    put_commit(&f, 1,
               "{\"add\":{\"path\":\"a\",\"partitionValues\":{},\"size\":1,\"modificationTime\":5,\"dataChange\":true,\"stats\":\"{"
               "\\\"numRecords\\\":100}\"}}\n");
    struct delta_txn *txn = begin(&f);
    delete_row(&f, txn, "a", 9);
    add(txn, "x", 1, 1);
    put_commit(&f, 2,
               "{\"add\":{\"path\":\"a\",\"partitionValues\":{},\"size\":1,\"modificationTime\":5,\"dataChange\":false,\"stats\":\"{"
               "\\\"numRecords\\\":100}\","
               "\"baseRowId\":0,\"defaultRowCommitVersion\":2}}\n"
               "{\"domainMetadata\":{\"domain\":\"delta.rowTracking\",\"configuration\":\"{\\\"rowIdHighWaterMark\\\":99}\",\"removed\":false}}\n");
    assert_int_equal(commit(&f, txn), 3);
    assert_int_equal(store_read(f.memory, &f.ctx, STR("_delta_log/00000000000000000003.json"), &text, NULL), STORE_OK);
    assert_non_null(strstr(text.ptr, "\"baseRowId\":0,\"defaultRowCommitVersion\":2"));
    assert_non_null(strstr(text.ptr, "\"baseRowId\":100,\"defaultRowCommitVersion\":3"));
    assert_non_null(strstr(text.ptr, "\\\"rowIdHighWaterMark\\\":199"));
    buf_release(&text);
    expect_deleted(&f, "a", (const uint64_t[]){9}, 1);
    fixture_close(&f);
}

/* ---- when things fail ------------------------------------------------------------------------------------------- */

static struct delta_txn *open_with_race(struct fixture *f)
{
    open_table(f, "");
    append(f, "a", 0, 99);
    append(f, "b", 100, 199);
    struct delta_txn *first = begin(f), *second = begin(f);
    reads_id(first, 10, true);
    delete_row(f, first, "a", 10);
    delete_row(f, first, "b", 10);
    reads_ids(second, (const int[]){20, 120}, 2, true);
    delete_row(f, second, "a", 20);
    delete_row(f, second, "b", 20);
    commit(f, first);
    return second;
}

/* Either the join is committed or the winner's vectors stand, and no file of a try is left behind. */
static void expect_race(struct fixture *f, enum status status)
{
    if (status) {
        expect_deleted(f, "a", (const uint64_t[]){10}, 1);
        expect_deleted(f, "b", (const uint64_t[]){10}, 1);
        assert_false(has_log(f, 4, ".json"));
        assert_int_equal(vector_files(f), 4); /* the losers' own two are their maker's */
    } else {
        expect_deleted(f, "a", (const uint64_t[]){10, 20}, 2);
        expect_deleted(f, "b", (const uint64_t[]){10, 20}, 2);
        assert_int_equal(vector_files(f), 3);
    }
}

static void each_allocation_of_a_join_fails(void **state)
{
    enum status status = STATUS_OUT_OF_MEMORY;
    for (uint64_t n = 1; status; n++) {
        struct fixture f;
        struct error err = ERROR_INIT;
        struct delta_commit_result result;
        struct delta_txn *txn = open_with_race(&f);
        alloc_fail_after(n);
        status = delta_txn_commit(&f.ctx, txn, &result, &err);
        alloc_fail_after(0);
        if (status && status != STATUS_OUT_OF_MEMORY)
            fail_msg("allocation %llu: status %d, %s", (unsigned long long)n, status, err.message ? err.message : "");
        delta_snapshot_unref(result.snapshot);
        delta_txn_free(txn);
        error_release(&err);
        expect_race(&f, status);
        fixture_close(&f);
    }
}

static void each_store_call_of_a_join_fails(void **state)
{
    uint64_t calls = 1;
    for (uint64_t n = 1; n <= calls; n++) {
        struct fixture f;
        struct error err = ERROR_INIT;
        struct delta_commit_result result;
        struct delta_txn *txn = open_with_race(&f);
        store_fault_set(f.store, (struct store_fault){.kind = STORE_FAULT_FAIL, .at_call = n});
        enum status status = delta_txn_commit(&f.ctx, txn, &result, &err);
        calls = store_fault_calls(f.store);
        store_fault_set(f.store, (struct store_fault){.kind = STORE_FAULT_NONE});
        delta_snapshot_unref(result.snapshot);
        delta_txn_free(txn);
        error_release(&err);
        if (has_log(&f, 4, ".json"))
            assert_int_equal(status, STATUS_OK);
        else
            assert_int_not_equal(status, STATUS_OK);
        fixture_close(&f);
    }
}

static void a_damaged_vector_stops_the_join(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    struct delta_commit_result result;
    open_table(&f, "");
    append(&f, "a", 0, 99);
    struct delta_txn *txn = begin(&f);
    delete_row(&f, txn, "a", 20);
    put_commit(&f, 2, REMOVE("a") ADD_DV("a", 100, "vBn[lx{q8@P<9BNH/isA"));
    assert_int_equal(delta_txn_commit(&f.ctx, txn, &result, &err), STATUS_FILE_NOT_FOUND);
    assert_non_null(strstr(err.message, "deletion vector"));
    error_release(&err);
    delta_txn_free(txn);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(statistics_tell_whether_an_append_matters),
        cmocka_unit_test(files_without_statistics_may_hold_anything),
        cmocka_unit_test(partitions_tell_whether_an_append_matters),
        cmocka_unit_test(isolation_levels_decide_about_appends),
        cmocka_unit_test(a_definition_is_serializable),
        cmocka_unit_test(only_files_that_were_read_matter),
        cmocka_unit_test(rows_that_only_moved_were_read_where_they_are),
        cmocka_unit_test(metadata_that_can_be_followed),
        cmocka_unit_test(mapping_that_keeps_names_can_be_followed),
        cmocka_unit_test(vectors_of_different_rows_are_joined),
        cmocka_unit_test(one_row_is_changed_once),
        cmocka_unit_test(all_rows_of_a_file_may_go_together),
        cmocka_unit_test(vectors_that_cannot_be_joined),
        cmocka_unit_test(a_vector_is_a_delete_to_readers),
        cmocka_unit_test(joined_vectors_keep_row_ids),
        cmocka_unit_test(each_allocation_of_a_join_fails),
        cmocka_unit_test(each_store_call_of_a_join_fails),
        cmocka_unit_test(a_damaged_vector_stops_the_join),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
