#include "delta/log_testing.h"

#define FEATURES                                                                                                                                     \
    "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"deletionVectors\"],"                                         \
    "\"writerFeatures\":[\"deletionVectors\",\"checkpointProtection\"]}}\n"
#define BEFORE(VERSION) METADATA_LINE("", "\"delta.requireCheckpointProtectionBeforeVersion\":\"" VERSION "\"")

static enum status ask(struct fixture *f, enum delta_feature_id id, int64_t *newest, struct error *err)
{
    struct delta_table *t = fixture_other(f);
    struct delta_snapshot *s = latest_of(f, t);
    enum status status = delta_history_uses(&f->ctx, s, id, newest, err);
    delta_snapshot_unref(s);
    delta_table_unref(t);
    return status;
}

static int64_t newest_use(struct fixture *f, enum delta_feature_id id)
{
    int64_t newest = -2;
    struct error err = ERROR_INIT;
    expect_ok(ask(f, id, &newest, &err), &err);
    return newest;
}

static void vectors_count_until_they_are_out_of_the_log(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, FEATURES METADATA_LINE("", "") ADD_DV("a", 9, "ab^-aqEH.-t@S}K{vb[*k^"));
    assert_int_equal(newest_use(&f, DELTA_FEATURE_DELETION_VECTORS), 0);
    put_commit(&f, 1, REMOVE_DV("a", "ab^-aqEH.-t@S}K{vb[*k^") ADD("b", 1));
    put_commit(&f, 2, ADD("c", 1));
    assert_int_equal(newest_use(&f, DELTA_FEATURE_DELETION_VECTORS), 1);
    put_log(&f, 2, ".checkpoint.parquet", FEATURES METADATA_LINE("", "") ADD("b", 1) ADD("c", 1));
    remove_log(&f, 0, ".json");
    remove_log(&f, 1, ".json");
    assert_int_equal(newest_use(&f, DELTA_FEATURE_DELETION_VECTORS), -1);
    fixture_close(&f);
}

static void guarded_versions_need_their_guard(void **state)
{
    static const struct {
        const char *metadata;
        int64_t newest;
    } cases[] = {{METADATA_LINE("", ""), -1}, {BEFORE("0"), -1}, {BEFORE("1"), 0}, {BEFORE("one"), 1}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        struct fixture f;
        fixture_open(&f);
        put_commit(&f, 0, FEATURES METADATA_LINE("", ""));
        put_commit(&f, 1, cases[i].metadata);
        assert_int_equal(newest_use(&f, DELTA_FEATURE_CHECKPOINT_PROTECTION), cases[i].newest);
        fixture_close(&f);
    }
}

static void what_cannot_be_read_is_no_answer(void **state)
{
    struct fixture f;
    int64_t newest = -2;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    put_commit(&f, 0, FEATURES METADATA_LINE("", ""));
    put_commit(&f, 1, "not json\n");
    put_commit(&f, 2, ADD("c", 1));
    put_log(&f, 2, ".checkpoint.parquet", FEATURES METADATA_LINE("", "") ADD("c", 1));
    assert_int_not_equal(ask(&f, DELTA_FEATURE_DELETION_VECTORS, &newest, &err), STATUS_OK);
    assert_int_equal(newest, -1);
    assert_non_null(err.message);
    error_release(&err);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_count_until_they_are_out_of_the_log),
        cmocka_unit_test(guarded_versions_need_their_guard),
        cmocka_unit_test(what_cannot_be_read_is_no_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
