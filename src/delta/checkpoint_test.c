#include "delta/log_testing.h"

#include <dirent.h>
#include <unistd.h>

/* The spool has a folder of its own for each test, so that what is left behind shows. */
static char spool_place[64];

static void spool_begin(void)
{
    snprintf(spool_place, sizeof spool_place, "/tmp/varve-spool-test-XXXXXX");
    assert_non_null(mkdtemp(spool_place));
    setenv("TMPDIR", spool_place, 1);
}

static void spool_end(void)
{
    assert_int_equal(rmdir(spool_place), 0); /* fails when something was left */
    unsetenv("TMPDIR");
}

static enum status checkpoint(struct fixture *f, struct delta_snapshot *s, struct error *err)
{
    *err = ERROR_INIT;
    return delta_checkpoint(&f->ctx, s, err);
}

static void write_checkpoint(struct fixture *f)
{
    struct error err;
    struct delta_snapshot *s = latest(f);
    expect_ok(checkpoint(f, s, &err), &err);
    delta_snapshot_unref(s);
}

/* Text of an object; mem_free it. */
static char *read_key(struct fixture *f, const char *key)
{
    struct buf text = BUF_INIT;
    assert_int_equal(store_read(f->memory, &f->ctx, str_of(key), &text, NULL), STORE_OK);
    return buf_detach(&text);
}

static char *read_checkpoint(struct fixture *f, int64_t version)
{
    char key[64];
    delta_log_key(key, version, ".checkpoint.parquet");
    return read_key(f, key);
}

static size_t count_of(const char *text, const char *what)
{
    size_t n = 0;
    for (const char *at = text; (at = strstr(at, what)); at++)
        n++;
    return n;
}

static void expect_contents(struct fixture *f, const char *paths, int64_t from_checkpoint)
{
    struct delta_table *t = fixture_other(f);
    struct delta_snapshot *s = latest_of(f, t);
    expect_paths(s, paths);
    assert_int_equal(s->checkpoint_version, from_checkpoint);
    delta_snapshot_unref(s);
    delta_table_unref(t);
}

#define FULL_ADD                                                                                                                                     \
    "{\"add\":{\"path\":\"full\",\"partitionValues\":{\"d\":null},\"size\":9,\"modificationTime\":5,\"dataChange\":true,"                            \
    "\"stats\":\"{\\\"numRecords\\\":9}\",\"tags\":{\"a\":\"b\"},\"baseRowId\":7,\"defaultRowCommitVersion\":1,\"clusteringProvider\":\"z\"}}\n"

static void holds_the_reconciled_state(void **state)
{
    struct fixture f;
    spool_begin();
    fixture_open(&f);
    put_commit(&f, 0, "{\"commitInfo\":{\"operation\":\"WRITE\"}}\n" FIRST_COMMIT ADD("a", 1) ADD("b", 2) FULL_ADD);
    put_commit(&f, 1,
               "{\"remove\":{\"path\":\"a\",\"deletionTimestamp\":1700000000000,\"dataChange\":true,\"size\":1,\"stats\":\"{}\",\"tags\":{}}}\n"
               "{\"txn\":{\"appId\":\"q\",\"version\":1}}\n");
    put_commit(&f, 2,
               "{\"add\":{\"path\":\"b\",\"size\":3,\"stats\":null}}\n{\"txn\":{\"appId\":\"q\",\"version\":2}}\n{\"domainMetadata\":{\"domain\":"
               "\"kept\",\"configuration\":\"{}\",\"removed\":false}}\n"
               "{\"domainMetadata\":{\"domain\":\"gone\",\"configuration\":\"{}\",\"removed\":true}}\n");
    write_checkpoint(&f);
    char *text = read_checkpoint(&f, 2);
    assert_int_equal(count_of(text, "\n"), 7);
    assert_int_equal(count_of(text, "{\"protocol\":"), 1);
    assert_int_equal(count_of(text, "{\"metaData\":"), 1);
    assert_int_equal(count_of(text, "\"version\":2"), 1);
    assert_int_equal(count_of(text, "commitInfo") + count_of(text, "gone") + count_of(text, "\"size\":2,"), 0);
    assert_non_null(strstr(text, "\"domain\":\"kept\""));
    assert_non_null(strstr(text, "{\"add\":{\"path\":\"b\",\"size\":3,\"partitionValues\":{},\"dataChange\":false}}"));
    assert_non_null(strstr(text, "{\"add\":{\"path\":\"full\",\"partitionValues\":{\"d\":null},\"size\":9,\"modificationTime\":5,"
                                 "\"stats\":\"{\\\"numRecords\\\":9}\",\"tags\":{\"a\":\"b\"},\"baseRowId\":7,\"defaultRowCommitVersion\":1,"
                                 "\"clusteringProvider\":\"z\",\"dataChange\":false}}"));
    assert_non_null(strstr(text, "{\"remove\":{\"path\":\"a\",\"deletionTimestamp\":1700000000000,\"size\":1,\"dataChange\":false}}"));
    mem_free(text);
    text = read_key(&f, "_delta_log/_last_checkpoint");
    char expected[128];
    char *bytes = read_checkpoint(&f, 2);
    snprintf(expected, sizeof expected, "{\"version\":2,\"size\":7,\"sizeInBytes\":%zu,\"numOfAddFiles\":2}", strlen(bytes));
    assert_string_equal(text, expected);
    mem_free(bytes);
    mem_free(text);
    expect_contents(&f, "b full", 2);
    fixture_close(&f);
    spool_end();
}

/* The next checkpoint is made from the one before and the commits since: earlier commits may be gone. */
static void carries_the_older_checkpoint_on(void **state)
{
    struct fixture f;
    spool_begin();
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("a", 1) ADD("b", 2) ADD_DV("v", 3, "one") FULL_ADD);
    put_commit(&f, 1, REMOVE("a") "{\"txn\":{\"appId\":\"q\",\"version\":1}}\n");
    write_checkpoint(&f);
    remove_log(&f, 0, ".json");
    remove_log(&f, 1, ".json");
    put_commit(&f, 2, ADD("c", 4) REMOVE("b"));
    put_commit(&f, 3, ADD("a", 5) REMOVE_DV("v", "one") ADD_DV("v", 3, "two"));
    write_checkpoint(&f);
    char *text = read_checkpoint(&f, 3);
    assert_int_equal(count_of(text, "{\"add\":"), 4);
    assert_int_equal(count_of(text, "{\"remove\":"), 2);
    assert_int_equal(count_of(text, "\"clusteringProvider\":\"z\""), 1);
    assert_int_equal(count_of(text, "\"appId\":\"q\""), 1);
    assert_null(strstr(text, "{\"remove\":{\"path\":\"a\""));
    mem_free(text);
    remove_log(&f, 1, ".checkpoint.parquet");
    remove_log(&f, 2, ".json");
    expect_contents(&f, "a c full v", 3);
    fixture_close(&f);
    spool_end();
}

static void forgets_what_has_expired(void **state)
{
    struct fixture f;
    char text[1024];
    spool_begin();
    fixture_open(&f);
    int64_t now_ms = f.now_us / 1000, day = 24 * 3600 * 1000;
    snprintf(
        text, sizeof text,
        PROTOCOL_LINE METADATA_LINE("", "\"delta.deletedFileRetentionDuration\":\"interval 2 days\",\"delta.setTransactionRetentionDuration\":\"3 "
                                        "days\"") "{\"remove\":{\"path\":\"old\",\"deletionTimestamp\":%lld}}\n{\"remove\":{\"path\":\"young\","
                                                  "\"deletionTimestamp\":%lld}}\n{\"remove\":{\"path\":\"undated\"}}\n"
                                                  "{\"txn\":{\"appId\":\"stale\",\"version\":1,\"lastUpdated\":%lld}}\n{\"txn\":{\"appId\":\"fresh\","
                                                  "\"version\":1,\"lastUpdated\":%lld}}\n"
                                                  "{\"txn\":{\"appId\":\"undatedApp\",\"version\":1}}\n",
        (long long)(now_ms - 2 * day - 60000), (long long)(now_ms - 2 * day + 60000), (long long)(now_ms - 3 * day - 60000),
        (long long)(now_ms - 3 * day + 60000));
    put_commit(&f, 0, text);
    write_checkpoint(&f);
    char *written = read_checkpoint(&f, 0);
    assert_null(strstr(written, "\"old\""));
    assert_null(strstr(written, "\"undated\""));
    assert_null(strstr(written, "\"stale\""));
    assert_non_null(strstr(written, "\"young\""));
    assert_non_null(strstr(written, "\"fresh\""));
    assert_non_null(strstr(written, "\"undatedApp\""));
    mem_free(written);
    fixture_close(&f);
    spool_end();
}

/* ---- V2 ------------------------------------------------------------------------------------- */

#define V2_PROTOCOL                                                                                                                                  \
    "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"v2Checkpoint\"],\"writerFeatures\":[\"v2Checkpoint\"]}}\n"
#define V2_COMMIT V2_PROTOCOL METADATA_LINE("", "\"delta.checkpointPolicy\":\"v2\",\"delta.checkpointInterval\":\"1\"")

struct found {
    char keys[16][160];
    size_t count;
};

static bool find_key(void *user, const struct store_entry *e)
{
    struct found *f = user;
    assert_true(f->count < 16 && e->key.len < 160);
    snprintf(f->keys[f->count++], 160, "%.*s", STR_ARG(e->key));
    return true;
}

static struct found list_keys(struct fixture *f, const char *prefix)
{
    struct found found = {0};
    assert_int_equal(store_list(f->memory, &f->ctx, str_of(prefix), STR(""), find_key, &found, NULL), STORE_OK);
    return found;
}

static void v2_has_its_files_in_sidecars(void **state)
{
    struct fixture f;
    spool_begin();
    fixture_open(&f);
    put_commit(&f, 0, V2_COMMIT ADD("a", 1) ADD("b", 2));
    put_commit(&f, 1, REMOVE("a") "{\"txn\":{\"appId\":\"q\",\"version\":1}}\n");
    write_checkpoint(&f);
    struct found tops = list_keys(&f, "_delta_log/00000000000000000001.checkpoint."), sidecars = list_keys(&f, "_delta_log/_sidecars/");
    assert_int_equal(tops.count, 1);
    assert_int_equal(sidecars.count, 1);
    assert_null(strstr(tops.keys[0], ".checkpoint.parquet"));
    char *top = read_key(&f, tops.keys[0]), *files = read_key(&f, sidecars.keys[0]), *hint = read_key(&f, "_delta_log/_last_checkpoint");
    assert_int_equal(count_of(top, "\n"), 5);
    assert_int_equal(count_of(top, "{\"add\"") + count_of(top, "{\"remove\""), 0);
    assert_non_null(strstr(top, "\"tags\":{\"sidecarNumActions\":\"2\""));
    assert_non_null(strstr(top, "\"numOfAddFiles\":\"1\""));
    assert_non_null(strstr(top, strrchr(sidecars.keys[0], '/') + 1));
    assert_int_equal(count_of(files, "\n"), 2);
    assert_int_equal(count_of(files, "{\"add\"") + count_of(files, "{\"remove\""), 2);
    assert_non_null(strstr(hint, "\"v2Checkpoint\":{\"path\":\"00000000000000000001.checkpoint."));
    assert_non_null(strstr(hint, "\"size\":7,"));
    mem_free(top);
    mem_free(files);
    mem_free(hint);
    expect_contents(&f, "b", 1);
    /* And the next one is made from it. */
    remove_log(&f, 0, ".json");
    remove_log(&f, 1, ".json");
    put_commit(&f, 2, ADD("c", 3));
    write_checkpoint(&f);
    remove_log(&f, 2, ".json");
    expect_contents(&f, "b c", 2);
    sidecars = list_keys(&f, "_delta_log/_sidecars/");
    assert_int_equal(sidecars.count, 2);
    fixture_close(&f);
    spool_end();
}

static void v2_is_classic_named_now_and_then(void **state)
{
    struct fixture f;
    spool_begin();
    fixture_open(&f);
    put_commit(&f, 0, V2_COMMIT);
    write_checkpoint(&f);
    assert_true(has_log(&f, 0, ".checkpoint.parquet"));
    assert_int_equal(list_keys(&f, "_delta_log/_sidecars/").count, 0); /* no files, no sidecar */
    for (int v = 1; v <= 10; v++) {
        put_commit(&f, v, ADD("a", 1));
        write_checkpoint(&f);
        assert_int_equal(has_log(&f, v, ".checkpoint.parquet"), v == 10);
    }
    expect_contents(&f, "a", 10);
    fixture_close(&f);
    spool_end();
}

static void v2_that_fails_leaves_no_sidecars(void **state)
{
    struct fixture f;
    struct error err;
    spool_begin();
    fixture_open(&f);
    put_commit(&f, 0, V2_COMMIT ADD("a", 1));
    put_commit(&f, 1, ADD("b", 1));
    struct delta_snapshot *s = latest(&f);
    for (uint64_t at = 1; at < 40; at++) {
        store_fault_set(f.store, (struct store_fault){.kind = STORE_FAULT_FULL, .at_call = at, .onwards = false});
        enum status status = checkpoint(&f, s, &err);
        bool left = list_keys(&f, "_delta_log/_sidecars/").count > 0;
        bool top = list_keys(&f, "_delta_log/00000000000000000001.checkpoint.").count > 0;
        assert_int_equal(left, top);
        if (status == STATUS_OK)
            assert_true(top);
        error_release(&err);
        if (top)
            break;
    }
    store_fault_set(f.store, (struct store_fault){0});
    delta_snapshot_unref(s);
    expect_contents(&f, "a b", 1);
    fixture_close(&f);
    spool_end();
}

/* ---- typed statistics ------------------------------------------------------------------------- */

#define TYPED_SCHEMA                                                                                                                                 \
    "{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[{\\\"name\\\":\\\"n\\\",\\\"type\\\":\\\"decimal(38,10)\\\",\\\"nullable\\\":true,"                \
    "\\\"metadata\\\":{}},{\\\"name\\\":\\\"t\\\",\\\"type\\\":\\\"timestamp\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}},{\\\"name\\\":"          \
    "\\\"p\\\",\\\"type\\\":\\\"date\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}},{\\\"name\\\":\\\"b\\\",\\\"type\\\":\\\"byte\\\","              \
    "\\\"nullable\\\":true,\\\"metadata\\\":{}},{\\\"name\\\":\\\"s\\\",\\\"type\\\":{\\\"type\\\":\\\"struct\\\",\\\"fields\\\":[{\\\"name\\\":"    \
    "\\\"x\\\",\\\"type\\\":\\\"string\\\",\\\"nullable\\\":true,\\\"metadata\\\":{}},{\\\"name\\\":\\\"y\\\",\\\"type\\\":\\\"boolean\\\","         \
    "\\\"nullable\\\":true,\\\"metadata\\\":{}}]},\\\"nullable\\\":true,\\\"metadata\\\":{}}]}"
#define TYPED_COMMIT(CONFIGURATION)                                                                                                                  \
    PROTOCOL_LINE "{\"metaData\":{\"id\":\"t1\",\"format\":{\"provider\":\"parquet\",\"options\":{}},\"schemaString\":\"" TYPED_SCHEMA               \
                  "\",\"partitionColumns\":[\"p\"],\"configuration\":{" CONFIGURATION "},\"createdTime\":1}}\n"
#define TYPED_ADD(PATH, VALUE, STATS)                                                                                                                \
    "{\"add\":{\"path\":\"" PATH "\",\"partitionValues\":{\"p\":" VALUE "},\"size\":1,\"modificationTime\":5,\"dataChange\":true,\"stats\":\"" STATS \
    "\"}}\n"

static void statistics_become_typed_columns(void **state)
{
    struct fixture f;
    spool_begin();
    fixture_open(&f);
    put_commit(&f, 0,
               TYPED_COMMIT("\"delta.checkpoint.writeStatsAsStruct\":\"true\",\"delta.checkpoint.writeStatsAsJson\":\"false\"") TYPED_ADD(
                   "full", "\"2024-02-29\"",
                   "{\\\"numRecords\\\":3,\\\"minValues\\\":{\\\"n\\\":1234567890123456789012345678.0123456789,\\\"t\\\":"
                   "\\\"2024-01-01T00:00:00.123Z\\\",\\\"b\\\":-128,\\\"s\\\":{\\\"x\\\":\\\"\\\\u00e9\\\"}},\\\"maxValues\\\":{\\\"n\\\":1e40,"
                   "\\\"b\\\":128},\\\"nullCount\\\":{\\\"s\\\":{\\\"y\\\":2},\\\"b\\\":0},\\\"tightBounds\\\":false}")
                   TYPED_ADD("none", "null", "not json") TYPED_ADD("empty", "\"\"", "{}"));
    write_checkpoint(&f);
    char *text = read_checkpoint(&f, 0);
    assert_non_null(strstr(text,
                           "\"stats_parsed\":{\"numRecords\":3,\"minValues\":{\"n\":\"1234567890123456789012345678.0123456789\",\"t\":"
                           "\"2024-01-01T00:00:00.123Z\",\"b\":-128,\"s\":{\"x\":\"é\"}},\"maxValues\":{},\"nullCount\":{\"b\":0,\"s\":{\"y\":2}},"
                           "\"tightBounds\":false},\"partitionValues_parsed\":{\"p\":\"2024-02-29\"},"));
    assert_int_equal(count_of(text, "\"stats\":"), 0);
    assert_int_equal(count_of(text, "\"stats_parsed\":null,\"partitionValues_parsed\":{}"), 1);
    assert_int_equal(count_of(text, "\"stats_parsed\":{},\"partitionValues_parsed\":{}"), 1);
    mem_free(text);
    fixture_close(&f);
    spool_end();
}

static void typed_columns_are_those_that_are_indexed(void **state)
{
    static const struct {
        const char *configuration, *stats;
    } cases[] = {
        {"\"delta.checkpoint.writeStatsAsStruct\":\"true\"",
         "struct<numRecords:bigint,minValues:struct<n:decimal(38,10),t:timestamp,b:tinyint,s:struct<x:string>>,maxValues:struct<n:decimal(38,10),"
         "t:timestamp,b:tinyint,s:struct<x:string>>,nullCount:struct<n:bigint,t:bigint,b:bigint,s:struct<x:bigint,y:bigint>>,tightBounds:boolean>"},
        {"\"delta.checkpoint.writeStatsAsStruct\":\"true\",\"delta.dataSkippingNumIndexedCols\":\"1\"",
         "struct<numRecords:bigint,minValues:struct<n:decimal(38,10)>,maxValues:struct<n:decimal(38,10)>,nullCount:struct<n:bigint>,"
         "tightBounds:boolean>"},
        {"\"delta.checkpoint.writeStatsAsStruct\":\"true\",\"delta.dataSkippingNumIndexedCols\":\"0\"",
         "struct<numRecords:bigint,tightBounds:boolean>"},
        {"", NULL},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        struct fixture f;
        struct error err = ERROR_INIT;
        char commit[4096];
        struct delta_checkpoint_shape shape;
        struct arena arena = ARENA_INIT;
        struct buf text = BUF_INIT;
        fixture_open(&f);
        snprintf(commit, sizeof commit, TYPED_COMMIT("%s"), cases[i].configuration);
        put_commit(&f, 0, commit);
        struct delta_snapshot *s = latest(&f);
        expect_ok(delta_checkpoint_shape_init(&arena, &s->head->metadata, s->head->schema, &shape, &err), &err);
        assert_int_equal(shape.stats_parsed != NULL, cases[i].stats != NULL);
        assert_int_equal(shape.partition_values_parsed != NULL, cases[i].stats != NULL);
        if (shape.stats_parsed) {
            delta_type_text(shape.stats_parsed, &text);
            assert_string_equal(text.ptr, cases[i].stats);
        }
        for (uint64_t n = 1; cases[i].stats && n < 30; n++) {
            struct error failure = ERROR_INIT;
            struct arena scratch = ARENA_INIT;
            alloc_fail_after(n);
            enum status status = delta_checkpoint_shape_init(&scratch, &s->head->metadata, s->head->schema, &shape, &failure);
            alloc_fail_after(0);
            assert_true(status == STATUS_OK || status == STATUS_OUT_OF_MEMORY);
            error_release(&failure);
            arena_release(&scratch);
        }
        buf_release(&text);
        arena_release(&arena);
        delta_snapshot_unref(s);
        fixture_close(&f);
    }
}

static void replaces_a_damaged_one_but_not_a_newer_hint(void **state)
{
    struct fixture f;
    spool_begin();
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("a", 1));
    put_commit(&f, 1, ADD("b", 1));
    put_log(&f, 1, ".checkpoint.parquet", "torn");
    put_key(&f, "_delta_log/_last_checkpoint", "{\"version\":9}");
    write_checkpoint(&f);
    expect_contents(&f, "a b", 1);
    char *hint = read_key(&f, "_delta_log/_last_checkpoint");
    assert_string_equal(hint, "{\"version\":9}");
    mem_free(hint);
    fixture_close(&f);
    spool_end();
}

/* A snapshot read from a checkpoint of its own version has nothing to write. */
static void does_nothing_twice(void **state)
{
    struct fixture f;
    struct error err;
    spool_begin();
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("a", 1));
    write_checkpoint(&f);
    struct delta_table *t = fixture_other(&f);
    struct delta_snapshot *s = latest_of(&f, t);
    f.handler.fail_write = true;
    expect_ok(checkpoint(&f, s, &err), &err);
    delta_snapshot_unref(s);
    delta_table_unref(t);
    fixture_close(&f);
    spool_end();
}

static void a_log_that_disagrees_is_not_made_a_checkpoint(void **state)
{
    struct fixture f;
    struct error err;
    spool_begin();
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("a", 1));
    struct delta_snapshot *s = latest(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("a", 1) ADD("b", 1));
    assert_int_equal(checkpoint(&f, s, &err), STATUS_CORRUPT_LOG);
    assert_false(has_log(&f, 0, ".checkpoint.parquet"));
    error_release(&err);
    delta_snapshot_unref(s);
    fixture_close(&f);
    spool_end();
}

static void put_ten(struct fixture *f)
{
    put_commit(f, 0, FIRST_COMMIT ADD("a", 1));
    for (int v = 1; v <= 10; v++)
        put_commit(f, v, ADD("b", 1));
}

static void the_worker_writes_every_interval(void **state)
{
    struct fixture f;
    spool_begin();
    fixture_open(&f);
    put_ten(&f);
    for (int64_t v = 0; v <= 10; v++) {
        struct error err = ERROR_INIT;
        struct delta_snapshot *s;
        expect_ok(delta_snapshot_at_version(&f.ctx, f.table, v, &s, &err), &err);
        delta_checkpoint_maybe(&f.ctx, s);
        delta_snapshot_unref(s);
    }
    delta_table_quiesce(f.table);
    for (int64_t v = 0; v <= 10; v++)
        assert_int_equal(has_log(&f, v, ".checkpoint.parquet"), v == 10);
    expect_contents(&f, "a b", 10);
    fixture_close(&f);
    spool_end();
}

static void closing_finishes_what_waits(void **state)
{
    struct fixture f;
    spool_begin();
    fixture_open(&f);
    put_ten(&f);
    struct delta_table *t = fixture_other(&f);
    struct delta_snapshot *s = latest_of(&f, t);
    delta_checkpoint_maybe(&f.ctx, s);
    delta_snapshot_unref(s);
    delta_table_unref(t);
    assert_true(has_log(&f, 10, ".checkpoint.parquet"));
    fixture_close(&f);
    spool_end();
}

static void background_failure_is_logged_only(void **state)
{
    struct fixture f;
    spool_begin();
    fixture_open(&f);
    put_ten(&f);
    f.handler.fail_write = true;
    struct delta_snapshot *s = latest(&f);
    delta_checkpoint_maybe(&f.ctx, s);
    delta_table_quiesce(f.table);
    assert_true(logged(&f, "checkpoint_not_written"));
    assert_true(logged(&f, "no room for the checkpoint"));
    assert_false(has_log(&f, 10, ".checkpoint.parquet"));
    delta_snapshot_unref(s);
    fixture_close(&f);
    spool_end();
}

/* Whatever fails, the table reads as before, and nothing is left in the spool. */
static void every_failed_call_leaves_the_table_as_it_was(void **state)
{
    static const enum store_fault_kind kinds[] = {STORE_FAULT_FAIL, STORE_FAULT_FULL, STORE_FAULT_TRUNCATE, STORE_FAULT_LOST_REPLY};
    for (size_t k = 0; k < VV_ARRAY_COUNT(kinds); k++)
        for (uint64_t call = 1;; call++) {
            struct fixture f;
            struct error err;
            spool_begin();
            fixture_open(&f);
            put_ten(&f);
            struct delta_snapshot *s = latest(&f);
            store_fault_set(f.store, (struct store_fault){.kind = kinds[k], .at_call = call});
            enum status status = checkpoint(&f, s, &err);
            bool hit = store_fault_calls(f.store) >= call;
            assert_true(status != STATUS_OK || has_log(&f, 10, ".checkpoint.parquet"));
            delta_snapshot_unref(s);
            error_release(&err);
            struct delta_table *t = fixture_other(&f);
            s = latest_of(&f, t);
            expect_paths(s, "a b");
            assert_int_equal(s->version, 10);
            delta_snapshot_unref(s);
            delta_table_unref(t);
            fixture_close(&f);
            spool_end();
            if (!hit)
                break;
        }
}

static void survives_every_failed_allocation(void **state)
{
    enum { MORE_THAN_ALL = 500 };
    struct fixture f;
    int failures = 0;
    spool_begin();
    fixture_open(&f);
    put_ten(&f);
    struct delta_snapshot *s = latest(&f);
    for (uint64_t n = 1; n < MORE_THAN_ALL; n++) {
        struct error err;
        alloc_fail_after(n);
        failures += checkpoint(&f, s, &err) != STATUS_OK;
        alloc_fail_after(0);
        error_release(&err);
    }
    assert_true(failures > 20 && failures < MORE_THAN_ALL);
    expect_contents(&f, "a b", 10);
    delta_snapshot_unref(s);
    fixture_close(&f);
    spool_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(holds_the_reconciled_state),
        cmocka_unit_test(carries_the_older_checkpoint_on),
        cmocka_unit_test(forgets_what_has_expired),
        cmocka_unit_test(v2_has_its_files_in_sidecars),
        cmocka_unit_test(v2_is_classic_named_now_and_then),
        cmocka_unit_test(v2_that_fails_leaves_no_sidecars),
        cmocka_unit_test(statistics_become_typed_columns),
        cmocka_unit_test(typed_columns_are_those_that_are_indexed),
        cmocka_unit_test(replaces_a_damaged_one_but_not_a_newer_hint),
        cmocka_unit_test(does_nothing_twice),
        cmocka_unit_test(a_log_that_disagrees_is_not_made_a_checkpoint),
        cmocka_unit_test(the_worker_writes_every_interval),
        cmocka_unit_test(closing_finishes_what_waits),
        cmocka_unit_test(background_failure_is_logged_only),
        cmocka_unit_test(every_failed_call_leaves_the_table_as_it_was),
        cmocka_unit_test(survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
