/* Damaged log files of every kind: an error or the right answer, never another one. */
#include "delta/log_testing.h"

#define V2                                                                                                                                           \
    "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"v2Checkpoint\"],\"writerFeatures\":[\"v2Checkpoint\"]}}"     \
    "\n" METADATA_LINE("", "")
#define UUID_JSON "_delta_log/00000000000000000003.checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11.json"
#define SIDECAR "_delta_log/_sidecars/one.parquet"
#define SIDECAR_LINES ADD("a", 1) ADD("b", 1) ADD("c", 1)
enum { ADDS = 4 };

static void append(struct fixture *f, const char *first, const char *second)
{
    struct error err = ERROR_INIT;
    struct delta_txn *txn;
    struct delta_commit_result result;
    struct delta_snapshot *s = latest(f);
    expect_ok(delta_txn_begin(&f->ctx, f->table, s, &txn, &err), &err);
    const char *const paths[] = {first, second};
    for (size_t i = 0; i < 2 && paths[i]; i++) {
        struct delta_add file = {
            .path = str_of(paths[i]), .size_bytes = 1, .modified_ms = 7, .data_change = true, .stats = STR("{\"numRecords\":1}")};
        expect_ok(delta_txn_add(txn, &file, &err), &err);
    }
    expect_ok(delta_txn_commit(&f->ctx, txn, &result, &err), &err);
    delta_snapshot_unref(result.snapshot);
    delta_txn_free(txn);
    delta_snapshot_unref(s);
    f->now_us += 1000000;
}

/* Versions 0…4 as this program writes them, checksum files too. */
static void make_log(struct fixture *f)
{
    put_commit(f, 0, V2);
    append(f, "a", NULL);
    append(f, "b", "c");
    append(f, NULL, NULL);
    append(f, "d", NULL);
}

static void put_v2(struct fixture *f)
{
    char top[2000];
    snprintf(top, sizeof top, "%s%s{\"sidecar\":{\"path\":\"one.parquet\",\"sizeInBytes\":%zu,\"modificationTime\":1}}\n",
             "{\"checkpointMetadata\":{\"version\":3,\"tags\":{\"numOfAddFiles\":\"3\"}}}\n", V2, strlen(SIDECAR_LINES));
    put_key(f, SIDECAR, SIDECAR_LINES);
    put_key(f, UUID_JSON, top);
}

static void put_compaction(struct fixture *f) { put_key(f, "_delta_log/00000000000000000001.00000000000000000003.compacted.json", SIDECAR_LINES); }

/* Opens from scratch. */
static void expect_right_or_error(struct fixture *f, bool names_too)
{
    struct delta_table *t = fixture_other(f);
    struct error err = ERROR_INIT;
    struct delta_snapshot *s = NULL;
    if (delta_snapshot_latest(&f->ctx, t, &s, &err) == STATUS_OK && s->version == 4) {
        assert_int_equal(s->file_count, ADDS);
        if (names_too)
            expect_paths(s, "a b c d");
    } else if (s) { /* the end of the log is gone: an older version, itself right */
        assert_true(s->version < 4 && s->file_count < ADDS);
    } else {
        assert_non_null(err.message);
    }
    error_release(&err);
    delta_snapshot_unref(s);
    delta_table_unref(t);
}

static const struct {
    const char *key;
    bool v2, compaction;
} kinds[] = {
    {"_delta_log/00000000000000000002.json", false, false},
    {"_delta_log/00000000000000000004.json", false, false},
    {"_delta_log/00000000000000000000.json", false, false},
    {"_delta_log/00000000000000000004.crc", false, false},
    {"_delta_log/00000000000000000004.crc", true, false},
    {UUID_JSON, true, false},
    {SIDECAR, true, false},
    {"_delta_log/_last_checkpoint", true, false},
    {"_delta_log/00000000000000000001.00000000000000000003.compacted.json", false, true},
};

static struct buf read_object(struct fixture *f, const char *key)
{
    struct buf text = BUF_INIT;
    assert_int_equal(store_read(f->memory, &f->ctx, str_of(key), &text, NULL), STORE_OK);
    return text;
}

static void put_bytes(struct fixture *f, const char *key, const void *bytes, size_t len)
{
    assert_int_equal(store_put(f->memory, &f->ctx, str_of(key), bytes, len, NULL), STORE_OK);
}

static void open_kind(struct fixture *f, size_t kind)
{
    fixture_open(f);
    log_free(f->ctx.log); /* damage is reported each time: not here */
    f->ctx.log = log_open_fd(fileno(f->log_file), LOG_ERROR);
    make_log(f);
    if (kinds[kind].v2) {
        put_v2(f);
        put_key(f, "_delta_log/_last_checkpoint", "{\"version\":3,\"size\":6,\"numOfAddFiles\":3}");
    }
    if (kinds[kind].compaction)
        put_compaction(f);
    expect_right_or_error(f, true);
}

static void cut_anywhere(void **state)
{
    for (size_t kind = 0; kind < VV_ARRAY_COUNT(kinds); kind++) {
        struct fixture f;
        open_kind(&f, kind);
        struct buf good = read_object(&f, kinds[kind].key);
        for (size_t len = 0; len < good.len; len++) {
            put_bytes(&f, kinds[kind].key, good.ptr, len);
            expect_right_or_error(&f, true);
        }
        buf_release(&good);
        fixture_close(&f);
    }
}

static void one_bit_anywhere(void **state)
{
    for (size_t kind = 0; kind < VV_ARRAY_COUNT(kinds); kind++) {
        struct fixture f;
        if (strcmp(kinds[kind].key, SIDECAR) == 0)
            continue; /* here it is not Parquet */
        open_kind(&f, kind);
        struct buf good = read_object(&f, kinds[kind].key);
        for (size_t bit = 0; bit < good.len * 8; bit += 3) {
            good.ptr[bit / 8] ^= (char)(1 << bit % 8);
            put_bytes(&f, kinds[kind].key, good.ptr, good.len);
            expect_right_or_error(&f, false); /* names are only bytes: a file that is not there is found out when it is read */
            good.ptr[bit / 8] ^= (char)(1 << bit % 8);
        }
        buf_release(&good);
        fixture_close(&f);
    }
}

/* Each file takes the place of each other. */
static void swapped(void **state)
{
    for (size_t kind = 0; kind < VV_ARRAY_COUNT(kinds); kind++)
        for (size_t from = 0; from < VV_ARRAY_COUNT(kinds); from++) {
            struct fixture f, other;
            open_kind(&f, kind);
            open_kind(&other, from);
            struct buf strange = read_object(&other, kinds[from].key);
            put_bytes(&f, kinds[kind].key, strange.ptr, strange.len);
            expect_right_or_error(&f, true);
            buf_release(&strange);
            fixture_close(&other);
            fixture_close(&f);
        }
}

static void missing(void **state)
{
    for (size_t kind = 0; kind < VV_ARRAY_COUNT(kinds); kind++) {
        struct fixture f;
        open_kind(&f, kind);
        assert_int_equal(store_remove(f.memory, &f.ctx, str_of(kinds[kind].key), NULL), STORE_OK);
        expect_right_or_error(&f, true);
        fixture_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(cut_anywhere), cmocka_unit_test(one_bit_anywhere), cmocka_unit_test(swapped),
                                       cmocka_unit_test(missing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
