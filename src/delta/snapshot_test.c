#include "delta/log_testing.h"

/* ---- opening from commits ------------------------------------------------------------------ */

static void no_log_is_no_table(void **state)
{
    struct fixture f;
    struct error err;
    fixture_open(&f);
    assert_int_equal(open_fails(&f, &err), STATUS_NOT_A_DELTA_TABLE);
    error_release(&err);
    put_key(&f, "_delta_log/_last_checkpoint", "{\"version\":3}");
    put_key(&f, "_delta_log/readme.txt", "x");
    put_key(&f, "data.parquet", "x");
    assert_int_equal(open_fails(&f, &err), STATUS_NOT_A_DELTA_TABLE);
    error_release(&err);
    fixture_close(&f);
}

static void replays_commits(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("a", 10) ADD("b", 20));
    put_commit(&f, 1, REMOVE("a") ADD("c", 30));
    put_commit(&f, 2, "");
    put_commit(&f, 3,
               REMOVE("nowhere") "{\"txn\":{\"appId\":\"q\",\"version\":4}}\n{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"{}\","
                                 "\"removed\":false}}");
    struct delta_snapshot *s = latest(&f);
    assert_int_equal(delta_snapshot_version(s), 3);
    assert_int_equal(delta_snapshot_file_count(s), 2);
    assert_int_equal(delta_snapshot_size_bytes(s), 50);
    expect_paths(s, "b c");
    assert_int_equal(delta_snapshot_txn_version(s, STR("q")), 4);
    assert_int_equal(delta_snapshot_txn_version(s, STR("r")), -1);
    assert_true(str_eq(delta_snapshot_domain(s, STR("d")), STR("{}")));
    assert_null(delta_snapshot_domain(s, STR("e")).ptr);
    assert_int_equal(delta_snapshot_schema(s)->field_count, 2);
    assert_int_equal(delta_snapshot_protocol(s)->min_writer_version, 2);
    assert_true(str_eq(delta_snapshot_metadata(s)->id, STR("t1")));
    assert_ptr_equal(delta_snapshot_table(s), f.table);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static void refreshes_by_one_open(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("a", 10));
    struct delta_snapshot *first = latest(&f);
    store_fault_set(f.store, (struct store_fault){0});
    struct delta_snapshot *same = latest(&f);
    assert_ptr_equal(first, same);
    assert_int_equal(store_fault_calls(f.store), 1);
    put_commit(&f, 1, ADD("b", 5) REMOVE("a"));
    put_commit(&f, 2, ADD("c", 6));
    struct delta_snapshot *next = latest(&f);
    assert_int_equal(next->version, 2);
    expect_paths(next, "b c");
    expect_paths(first, "a");
    assert_int_equal(next->size_bytes, 11);
    assert_int_equal(first->size_bytes, 10);
    delta_snapshot_unref(first);
    delta_snapshot_unref(same);
    delta_snapshot_unref(next);
    fixture_close(&f);
}

/* A snapshot outlives the handle it came from. */
static void snapshot_keeps_its_table(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("a", 10));
    struct delta_table *t = fixture_other(&f);
    struct delta_snapshot *s = latest_of(&f, t), *again = delta_snapshot_ref(s);
    delta_table_unref(t);
    assert_true(str_eq(delta_table_name(delta_snapshot_table(s)), STR("sales")));
    delta_snapshot_unref(s);
    struct delta_snapshot *more = latest_of(&f, again->table);
    assert_int_equal(more->version, 0);
    delta_snapshot_unref(more);
    delta_snapshot_unref(again);
    fixture_close(&f);
}

static void keys_are_path_and_deletion_vector(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("a", 10) ADD("b", 20) ADD("a b", 1));
    struct delta_snapshot *s = latest(&f);
    delta_snapshot_unref(s);
    put_commit(&f, 1, ADD_DV("a", 11, "one") REMOVE("a"));
    s = latest(&f);
    expect_paths(s, "a a b b");
    assert_int_equal(s->size_bytes, 32);
    delta_snapshot_unref(s);
    put_commit(&f, 2, REMOVE("a") REMOVE_DV("b", "x"));    /* neither is the live file of its path */
    put_commit(&f, 3, REMOVE_DV("a", "one") ADD("b", 21)); /* b again: replaces */
    put_commit(&f, 4, REMOVE("a%20b"));
    s = latest(&f);
    expect_paths(s, "b");
    assert_int_equal(s->size_bytes, 21);
    struct delta_table *other = fixture_other(&f);
    struct delta_snapshot *fresh = latest_of(&f, other);
    expect_paths(fresh, "b");
    assert_int_equal(fresh->size_bytes, 21);
    delta_snapshot_unref(fresh);
    delta_table_unref(other);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static void later_line_wins_within_a_commit(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("a", 1) ADD("a", 2) ADD("b", 3) REMOVE("b") REMOVE("c") ADD("c", 4));
    struct delta_snapshot *s = latest(&f);
    expect_paths(s, "a c");
    assert_int_equal(s->size_bytes, 6);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static void expect_refusal(const char *first, const char *second, enum status status, const char *message)
{
    struct fixture f;
    struct error err;
    fixture_open(&f);
    put_commit(&f, 0, first);
    if (second)
        put_commit(&f, 1, second);
    assert_int_equal(open_fails(&f, &err), status);
    if (!strstr(err.message, message))
        fail_msg("%s", err.message);
    error_release(&err);
    fixture_close(&f);
}

static void refuses_broken_logs(void **state)
{
    expect_refusal(PROTOCOL_LINE, ADD("a", 1), STATUS_PROTOCOL_VIOLATION, "has no metaData");
    expect_refusal(METADATA_LINE("", ""), NULL, STATUS_PROTOCOL_VIOLATION, "has no protocol");
    expect_refusal("", NULL, STATUS_PROTOCOL_VIOLATION, "has no metaData");
    expect_refusal(FIRST_COMMIT, "{\"add\":{\"path\":\"a\",", STATUS_CORRUPT_LOG, "00000000000000000001.json\" is damaged at line 1");
    expect_refusal("{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"fancyNew\"],\"writerFeatures\":[\"fancyNew\"]}"
                   "}\n" METADATA_LINE("", ""),
                   NULL, STATUS_UNSUPPORTED_FEATURE, "fancyNew");
}

static void metadata_may_come_late(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, PROTOCOL_LINE "{\"add\":{\"path\":\"d=1/a\",\"partitionValues\":{\"d\":\"1\"},\"size\":1,\"dataChange\":true}}\n");
    put_commit(&f, 1, METADATA_LINE("\"d\"", ""));
    struct delta_snapshot *s = latest(&f);
    struct delta_segment *g = s->layers[0].segment;
    assert_int_equal(g->partition_count, 1);
    assert_true(str_eq(g->dictionaries[0].values[g->partition_codes[0][0]], STR("1")));
    delta_snapshot_unref(s);
    fixture_close(&f);
}

#define PART_ADD(PATH, D) "{\"add\":{\"path\":\"" PATH "\",\"partitionValues\":{\"d\":\"" D "\"},\"size\":1,\"dataChange\":true}}\n"

static void expect_partition(const struct delta_snapshot *s, const char *path, const char *value)
{
    for (size_t i = 0; i < s->layer_count; i++) {
        struct delta_segment *g = s->layers[i].segment;
        struct error err = ERROR_INIT;
        int64_t row = delta_segment_find(g, str_of(path), &err);
        if (row < 0 || delta_layer_dead(&s->layers[i], (size_t)row))
            continue;
        struct str got = g->dictionaries[0].values[g->partition_codes[0][row]];
        assert_true(value ? str_eq(got, str_of(value)) : got.ptr == NULL);
        return;
    }
    fail_msg("no file %s", path);
}

static void partition_columns_may_change(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("old", 1));
    struct delta_snapshot *s = latest(&f);
    delta_snapshot_unref(s);
    put_commit(&f, 1, REMOVE("old") METADATA_LINE("\"d\"", "") PART_ADD("d=x/new", "x"));
    put_commit(&f, 2, PART_ADD("d=y/new", "y"));
    s = latest(&f);
    assert_int_equal(s->version, 2);
    expect_paths(s, "d=x/new d=y/new");
    expect_partition(s, "d=x/new", "x");
    expect_partition(s, "d=y/new", "y");
    struct delta_table *other = fixture_other(&f);
    struct delta_snapshot *fresh = latest_of(&f, other);
    expect_paths(fresh, "d=x/new d=y/new");
    expect_partition(fresh, "d=x/new", "x");
    delta_snapshot_unref(fresh);
    delta_table_unref(other);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static void names_the_missing_version(void **state)
{
    struct fixture f;
    struct error err;
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT);
    put_commit(&f, 1, ADD("a", 1));
    put_commit(&f, 3, ADD("b", 1));
    assert_int_equal(open_fails(&f, &err), STATUS_PROTOCOL_VIOLATION);
    assert_non_null(strstr(err.message, "version 2 is missing"));
    error_release(&err);
    remove_log(&f, 0, ".json");
    assert_int_equal(open_fails(&f, &err), STATUS_PROTOCOL_VIOLATION);
    assert_non_null(strstr(err.message, "version 0 is missing"));
    error_release(&err);
    fixture_close(&f);
}

/* ---- checkpoints ---------------------------------------------------------------------------------- */

/* Versions 0 to 4; the checkpoint of 3 holds what the log has up to there. */
static void put_history(struct fixture *f)
{
    put_commit(f, 0, FIRST_COMMIT ADD("a", 1));
    put_commit(f, 1, ADD("b", 2) "{\"txn\":{\"appId\":\"q\",\"version\":1}}\n");
    put_commit(f, 2, REMOVE("a") ADD("c", 4));
    put_commit(f, 3, ADD("e", 8));
    put_commit(f, 4, ADD("f", 16) REMOVE("c") ADD("b", 32));
}
#define CHECKPOINT_3 FIRST_COMMIT "{\"txn\":{\"appId\":\"q\",\"version\":1}}\n" ADD("b", 2) ADD("c", 4) ADD("e", 8) REMOVE("a")

static void expect_version_4(struct fixture *f, int64_t checkpoint)
{
    struct delta_table *t = fixture_other(f);
    struct delta_snapshot *s = latest_of(f, t);
    assert_int_equal(s->version, 4);
    assert_int_equal(s->checkpoint_version, checkpoint);
    expect_paths(s, "b e f");
    assert_int_equal(s->size_bytes, 56);
    assert_int_equal(delta_snapshot_txn_version(s, STR("q")), 1);
    delta_snapshot_unref(s);
    delta_table_unref(t);
}

static void reads_checkpoint_and_tail(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_history(&f);
    put_log(&f, 3, ".checkpoint.parquet", CHECKPOINT_3);
    expect_version_4(&f, 3);
    for (int64_t v = 0; v <= 2; v++)
        remove_log(&f, v, ".json");
    expect_version_4(&f, 3);
    remove_log(&f, 3, ".json");
    expect_version_4(&f, 3);
    assert_false(logged(&f, "warn"));
    fixture_close(&f);
}

static void the_hint_is_only_a_hint(void **state)
{
    static const char *const hints[] = {
        "{\"version\":3,\"size\":99,\"parts\":12,\"sizeInBytes\":-1}", /* lies */
        "{\"version\":1,\"size\":3}",                                  /* stale, its checkpoint is gone */
        "{\"version\":400}",
        "{\"version\":-5}",
        "{\"version\":\"3\"}",
        "{\"version\":99999999999999999999}",
        "{}",
        "[",
        "",
        "\xFF\xFE",
        "{\"version\":3",
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(hints); i++) {
        struct fixture f;
        fixture_open(&f);
        put_history(&f);
        put_log(&f, 3, ".checkpoint.parquet", CHECKPOINT_3);
        put_key(&f, "_delta_log/_last_checkpoint", hints[i]);
        expect_version_4(&f, 3);
        fixture_close(&f);
    }
}

/* With a good hint old commits are not even listed. */
static void the_hint_shortens_the_listing(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_history(&f);
    put_log(&f, 3, ".checkpoint.parquet", CHECKPOINT_3);
    put_key(&f, "_delta_log/_last_checkpoint", "{\"version\":3}");
    struct delta_listing l;
    struct error err = ERROR_INIT;
    assert_int_equal(delta_log_hint(&f.ctx, f.table), 3);
    expect_ok(delta_log_list(&f.ctx, f.table, 3, INT64_MAX, &l, &err), &err);
    assert_int_equal(l.commit_count, 2);
    assert_int_equal(l.commits[0].version, 3);
    assert_int_equal(l.checkpoint_count, 1);
    delta_listing_release(&l);
    fixture_close(&f);
}

static void ignores_incomplete_multi_part_checkpoints(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_history(&f);
    put_log(&f, 3, ".checkpoint.0000000001.0000000002.parquet", FIRST_COMMIT "{\"txn\":{\"appId\":\"q\",\"version\":1}}\n" ADD("b", 2));
    put_log(&f, 3, ".checkpoint.0000000002.0000000003.parquet", ADD("x", 2));
    put_log(&f, 3, ".checkpoint.0000000000.0000000001.parquet", ADD("x", 2));
    put_log(&f, 3, ".checkpoint.0000000002.0000000001.parquet", ADD("x", 2));
    expect_version_4(&f, -1);
    put_log(&f, 3, ".checkpoint.0000000002.0000000002.parquet", ADD("c", 4) ADD("e", 8));
    expect_version_4(&f, 3);
    fixture_close(&f);
}

static void falls_back_from_a_damaged_checkpoint(void **state)
{
    static const char *const damage[] = {"", "PAR1 but no more", PROTOCOL_LINE ADD("b", 2), FIRST_COMMIT "{\"add\":{\"path\":\"b\",\"size\":-2}}\n"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(damage); i++) {
        struct fixture f;
        struct error err;
        fixture_open(&f);
        put_history(&f);
        put_log(&f, 3, ".checkpoint.parquet", damage[i]);
        put_key(&f, "_delta_log/_last_checkpoint", "{\"version\":3}");
        expect_version_4(&f, -1);
        assert_true(logged(&f, "checkpoint_unreadable"));
        put_log(&f, 1, ".checkpoint.parquet", FIRST_COMMIT "{\"txn\":{\"appId\":\"q\",\"version\":1}}\n" ADD("a", 1) ADD("b", 2));
        expect_version_4(&f, 1);
        remove_log(&f, 1, ".checkpoint.parquet");
        remove_log(&f, 0, ".json");
        enum status status = open_fails(&f, &err);
        assert_true(status == STATUS_CORRUPT_DATA || status == STATUS_CORRUPT_LOG || status == STATUS_PROTOCOL_VIOLATION);
        assert_non_null(strstr(err.context, "00000000000000000003.checkpoint.parquet"));
        error_release(&err);
        fixture_close(&f);
    }
}

static void a_damaged_newest_checkpoint_never_hides_its_version(void **state)
{
    struct fixture f;
    struct error err;
    fixture_open(&f);
    put_history(&f);
    put_log(&f, 3, ".checkpoint.parquet", CHECKPOINT_3);
    put_log(&f, 9, ".checkpoint.parquet", "torn");
    assert_int_equal(open_fails(&f, &err), STATUS_PROTOCOL_VIOLATION);
    assert_non_null(strstr(err.message, "version 5 is missing"));
    error_release(&err);
    fixture_close(&f);
}

/* ---- V2 checkpoints and compactions ------------------------------------------------------- */

#define UUID ".checkpoint.80a083e8-7026-4e79-81be-64bd76c43a11"
#define MARK(VERSION) "{\"checkpointMetadata\":{\"version\":" #VERSION "}}\n"
#define MARK_COUNT(VERSION, ADDS) "{\"checkpointMetadata\":{\"version\":" #VERSION ",\"tags\":{\"numOfAddFiles\":\"" #ADDS "\"}}}\n"

/* A sidecar with these lines, and the action that names it. */
static void put_sidecar(struct fixture *f, const char *name, const char *lines, char *action, size_t action_size)
{
    char key[200];
    snprintf(key, sizeof key, "_delta_log/_sidecars/%s", name);
    put_key(f, key, lines);
    snprintf(action, action_size, "{\"sidecar\":{\"path\":\"%s\",\"sizeInBytes\":%zu,\"modificationTime\":1}}\n", name, strlen(lines));
}

static void expect_open(struct fixture *f, const char *paths, int64_t checkpoint)
{
    struct delta_table *t = fixture_other(f);
    struct delta_snapshot *s = latest_of(f, t);
    expect_paths(s, paths);
    assert_int_equal(s->checkpoint_version, checkpoint);
    delta_snapshot_unref(s);
    delta_table_unref(t);
}

static void reads_v2_checkpoints_of_every_kind(void **state)
{
    static const char *const suffixes[] = {UUID ".json", UUID ".parquet", ".checkpoint.parquet"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(suffixes); i++)
        for (int inline_files = 0; inline_files < 2; inline_files++) {
            struct fixture f;
            char one[200], two[200], text[4096];
            fixture_open(&f);
            put_sidecar(&f, "one.parquet", ADD("a", 1) ADD("b", 2), one, sizeof one);
            put_sidecar(&f, "two%20.parquet", ADD("c", 3) REMOVE("gone"), two, sizeof two);
            put_key(&f, "_delta_log/_sidecars/two .parquet", ADD("c", 3) REMOVE("gone"));
            snprintf(text, sizeof text, "%s%s%s%s", MARK_COUNT(3, 3) FIRST_COMMIT "{\"txn\":{\"appId\":\"q\",\"version\":7}}\n",
                     inline_files ? ADD("a", 1) ADD("b", 2) ADD("c", 3) REMOVE("gone") : one, inline_files ? "" : two, "");
            put_log(&f, 3, suffixes[i], text);
            put_commit(&f, 4, REMOVE("b") ADD("d", 4));
            put_key(&f, "_delta_log/_last_checkpoint", "{\"version\":3,\"v2Checkpoint\":{\"path\":\"not there\"}}");
            expect_open(&f, "a c d", 3);
            struct delta_snapshot *s = latest(&f);
            assert_int_equal(delta_snapshot_txn_version(s, STR("q")), 7);
            assert_int_equal(s->size_bytes, 8);
            struct delta_file_list list;
            struct error err = ERROR_INIT;
            expect_ok(delta_scan(&f.ctx, s, NULL, true, &list, &err), &err);
            for (size_t k = 0; k < list.count; k++)
                assert_int_equal(list.files[k].record_count, list.files[k].size_bytes);
            delta_file_list_release(&list);
            delta_snapshot_unref(s);
            fixture_close(&f);
        }
}

/* Each damage makes the reader take the older way; without one the damage is named. */
static void falls_back_from_damaged_v2_checkpoints(void **state)
{
    static const struct {
        const char *top, *why; /* %s: the good sidecar's action */
    } cases[] = {
        {FIRST_COMMIT "%s", "checkpointMetadata"},
        {MARK(2) FIRST_COMMIT "%s", "is one of version 2"},
        {MARK_COUNT(3, 2) FIRST_COMMIT "%s", "says that it holds 2"},
        {MARK(3) FIRST_COMMIT "{\"sidecar\":{\"path\":\"missing.parquet\",\"sizeInBytes\":1,\"modificationTime\":1}}\n", "missing.parquet"},
        {MARK(3) FIRST_COMMIT "{\"sidecar\":{\"path\":\"one.parquet\",\"sizeInBytes\":1,\"modificationTime\":1}}\n", "another size"},
        {MARK(3) FIRST_COMMIT "{\"sidecar\":{\"path\":\"..\",\"sizeInBytes\":1,\"modificationTime\":1}}\n", "cannot be"},
        {MARK(3) FIRST_COMMIT "{\"sidecar\":{\"path\":\"%%2\",\"sizeInBytes\":1,\"modificationTime\":1}}\n", "cannot be"},
        {MARK(3) FIRST_COMMIT "{\"sidecar\":{\"sizeInBytes\":1}}\n", "damaged"},
        {MARK(3) FIRST_COMMIT ADD("b", 2) "%s", "files of its own"},
        {MARK(3) FIRST_COMMIT ADD("b", 2) ADD("b", 2), "twice"},
        {MARK(3) "%s", "no metaData"},
        {MARK(3) FIRST_COMMIT "{\"add\":{\"path\":", "damaged"},
        {"", "checkpointMetadata"},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        struct fixture f;
        struct error err;
        char action[200], top[4096];
        fixture_open(&f);
        put_commit(&f, 0, FIRST_COMMIT ADD("a", 1));
        for (int v = 1; v <= 3; v++)
            put_commit(&f, v, ADD("b", 1));
        put_sidecar(&f, "one.parquet", ADD("a", 1), action, sizeof action);
        snprintf(top, sizeof top, cases[i].top, action);
        put_log(&f, 3, UUID ".json", top);
        put_commit(&f, 4, ADD("c", 1));
        expect_open(&f, "a b c", -1);
        assert_true(logged(&f, "checkpoint_unreadable"));
        remove_log(&f, 0, ".json");
        open_fails(&f, &err);
        bool named = strstr(err.message, cases[i].why) || (err.detail && strstr(err.detail, cases[i].why)) ||
                     (err.context && strstr(err.context, cases[i].why));
        if (!named)
            print_error("case %zu: %s\n", i, err.message);
        assert_true(named);
        error_release(&err);
        fixture_close(&f);
    }
}

/* Of several checkpoints of one version any good one serves. */
static void one_good_checkpoint_of_a_version_is_enough(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_log(&f, 3, ".checkpoint.11a083e8-7026-4e79-81be-64bd76c43a11.json", "torn");
    put_log(&f, 3, ".checkpoint.22a083e8-7026-4e79-81be-64bd76c43a11.json", MARK(3) FIRST_COMMIT ADD("a", 1));
    put_log(&f, 3, ".checkpoint.33a083e8-7026-4e79-81be-64bd76c43a11.parquet", "torn");
    put_log(&f, 3, ".checkpoint.parquet", "torn");
    put_log(&f, 2, ".checkpoint.two.dots.json", "no checkpoint's name");
    expect_open(&f, "a", 3);
    fixture_close(&f);
}

#define COMPACTED(TO) ".0000000000000000000" #TO ".compacted.json"

static void put_five(struct fixture *f)
{
    put_commit(f, 0, FIRST_COMMIT ADD("a", 1));
    put_commit(f, 1, ADD("b", 2));
    put_commit(f, 2, REMOVE("a") "{\"txn\":{\"appId\":\"q\",\"version\":1}}\n");
    put_commit(f, 3, REMOVE("b") ADD_DV("b", 2, "one"));
    put_commit(f, 4, ADD("c", 3));
    put_commit(f, 5, ADD("d", 4));
}

static void compactions_save_reads(void **state)
{
    struct fixture f;
    struct delta_table *t;
    struct error err = ERROR_INIT;
    fixture_open(&f);
    put_five(&f);
    put_log(&f, 1, COMPACTED(3), REMOVE("a") REMOVE("b") ADD_DV("b", 2, "one") "{\"txn\":{\"appId\":\"q\",\"version\":1}}\n");
    put_log(&f, 1, COMPACTED(4), ADD("c", 3) REMOVE("a") REMOVE("b") ADD_DV("b", 2, "one") "{\"txn\":{\"appId\":\"q\",\"version\":1}}\n");
    put_log(&f, 4, COMPACTED(9), "reaches too far");
    expect_open(&f, "b c d", -1);
    assert_false(logged(&f, "compaction_unreadable"));
    /* The commits inside are not read: here they could not be. */
    for (int v = 1; v <= 4; v++)
        put_commit(&f, v, "torn");
    expect_open(&f, "b c d", -1);
    /* In the middle of one the single commits count. */
    expect_ok(delta_table_open(&f.ctx, f.memory, &f.handler.base, STR("sales"), &t, &err), &err);
    struct delta_snapshot *s;
    assert_int_equal(delta_snapshot_at_version(&f.ctx, t, 2, &s, &err), STATUS_CORRUPT_LOG);
    error_release(&err);
    delta_table_unref(t);
    fixture_close(&f);
}

static void damaged_compactions_are_passed_over(void **state)
{
    static const char *const bad[] = {
        "", "torn", "{\"add\":{\"path\":\"x\"", ADD("x", 1) ADD("x", 1), ADD("x", 1) REMOVE("x"), ADD_DV("x", 1, "one") ADD_DV("x", 1, "one")};
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++) {
        struct fixture f;
        fixture_open(&f);
        put_five(&f);
        put_log(&f, 1, COMPACTED(4), bad[i]);
        expect_open(&f, "b c d", -1);
        assert_true(logged(&f, "compaction_unreadable"));
        fixture_close(&f);
    }
}

static void encoded_and_plain_paths_meet_in_a_checkpoint(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_log(&f, 3, ".checkpoint.parquet",
            FIRST_COMMIT ADD("x=a%20b/1", 1) ADD("y=a b/2", 2) ADD("z", 4) ADD_DV("v", 8, "one") ADD_DV("w", 16, "one"));
    put_commit(&f, 4, REMOVE("x=a b/1") REMOVE("y=a%20b/2") REMOVE_DV("v", "one") REMOVE_DV("w", "two"));
    struct delta_snapshot *s = latest(&f);
    expect_paths(s, "w z");
    assert_int_equal(s->size_bytes, 20);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

/* ---- versions and times --------------------------------------------------------------------------- */

static enum status at_version(struct fixture *f, int64_t version, char *hint)
{
    struct error err = ERROR_INIT;
    struct delta_snapshot *s = NULL;
    enum status status = delta_snapshot_at_version(&f->ctx, f->table, version, &s, &err);
    assert_true(status == STATUS_OK ? s && s->version == version : s == NULL);
    delta_snapshot_unref(s);
    snprintf(hint, 128, "%s", err.hint ? err.hint : "");
    error_release(&err);
    return status;
}

static void reads_any_version(void **state)
{
    static const char *const paths[] = {"a", "a b", "b c", "b c e", "b e f"};
    struct fixture f;
    char hint[128];
    fixture_open(&f);
    put_history(&f);
    put_log(&f, 3, ".checkpoint.parquet", CHECKPOINT_3);
    put_key(&f, "_delta_log/_last_checkpoint", "{\"version\":3}");
    for (int64_t v = 0; v <= 4; v++) {
        struct error err = ERROR_INIT;
        struct delta_snapshot *s = NULL;
        expect_ok(delta_snapshot_at_version(&f.ctx, f.table, v, &s, &err), &err);
        expect_paths(s, paths[v]);
        delta_snapshot_unref(s);
    }
    static const int64_t never[] = {-1, INT64_MIN, 5, INT64_MAX};
    for (size_t i = 0; i < VV_ARRAY_COUNT(never); i++) {
        assert_int_equal(at_version(&f, never[i], hint), STATUS_VERSION_NOT_FOUND);
        assert_string_equal(hint, "versions 0 to 4 are available");
    }
    remove_log(&f, 0, ".json");
    assert_int_equal(at_version(&f, 2, hint), STATUS_VERSION_NOT_FOUND);
    assert_string_equal(hint, "versions 3 to 4 are available");
    assert_int_equal(at_version(&f, 3, hint), STATUS_OK);
    fixture_close(&f);
}

static int64_t version_at(struct fixture *f, int64_t us)
{
    struct error err = ERROR_INIT;
    int64_t version;
    enum status status = delta_version_at_timestamp(&f->ctx, f->table, us, &version, &err);
    if (status != STATUS_OK) {
        assert_int_equal(status, STATUS_TIMESTAMP_OUT_OF_RANGE);
        assert_non_null(err.hint);
        version = -1;
    }
    error_release(&err);
    return version;
}

static void finds_versions_by_file_time(void **state)
{
    struct fixture f;
    fixture_open(&f);
    int64_t start = f.now_us;
    put_history(&f); /* one a second */
    assert_int_equal(version_at(&f, start - 1), -1);
    assert_int_equal(version_at(&f, start), 0);
    assert_int_equal(version_at(&f, start + 999999), 0);
    assert_int_equal(version_at(&f, start + 1000000), 1);
    assert_int_equal(version_at(&f, start + 4000000), 4);
    assert_int_equal(version_at(&f, start + 4000001), -1);
    f.now_us = start; /* the clock went back: the commit counts as a millisecond after the one before */
    put_commit(&f, 5, ADD("g", 1));
    assert_int_equal(version_at(&f, start + 4001000), 5);
    assert_int_equal(version_at(&f, start + 4000999), 4);
    struct delta_snapshot *s = latest(&f);
    assert_true(delta_snapshot_timestamp_us(s) == start + 4001000);
    delta_snapshot_unref(s);
    fixture_close(&f);
}

static void finds_versions_by_in_commit_time(void **state)
{
    struct fixture f;
    char text[256];
    fixture_open(&f);
    int64_t start = f.now_us;
    put_commit(&f, 0, FIRST_COMMIT);
    put_commit(&f, 1, ADD("a", 1));
    /* Enabled in version 2, whose file is much younger than the time it names. */
    put_commit(&f, 2,
               "{\"commitInfo\":{\"inCommitTimestamp\":1700000010000}}\n"
               "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"inCommitTimestamp\"]}}\n" METADATA_LINE(
                   "", "\"delta.enableInCommitTimestamps\":\"true\",\"delta.inCommitTimestampEnablementVersion\":\"2\","
                       "\"delta.inCommitTimestampEnablementTimestamp\":\"1700000010000\""));
    for (int v = 3; v < 20; v++) {
        snprintf(text, sizeof text, "{\"commitInfo\":{\"inCommitTimestamp\":%lld}}\n", 1700000010000LL + (v - 2) * 100);
        put_commit(&f, v, text);
    }
    assert_int_equal(version_at(&f, start - 1), -1);
    assert_int_equal(version_at(&f, start), 0);
    assert_int_equal(version_at(&f, start + 9999999), 1);
    assert_int_equal(version_at(&f, start + 10000000), 2);
    assert_int_equal(version_at(&f, start + 10099999), 2);
    for (int v = 3; v < 20; v++)
        assert_int_equal(version_at(&f, start + 10000000 + (v - 2) * 100000), v);
    assert_int_equal(version_at(&f, start + 11700001), -1);
    struct delta_snapshot *s = latest(&f);
    assert_true(s->timestamp_us == start + 11700000);
    delta_snapshot_unref(s);
    put_log(&f, 19, ".checkpoint.parquet",
            "{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":7,\"writerFeatures\":[\"inCommitTimestamp\"]}}\n" METADATA_LINE(
                "", "\"delta.enableInCommitTimestamps\":\"true\"") ADD("a", 1));
    struct delta_table *other = fixture_other(&f);
    s = latest_of(&f, other);
    assert_int_equal(s->checkpoint_version, 19);
    assert_true(s->timestamp_us == start + 11700000);
    delta_snapshot_unref(s);
    delta_table_unref(other);
    fixture_close(&f);
}

static void history_is_newest_first(void **state)
{
    struct fixture f;
    struct arena arena = ARENA_INIT;
    struct error err = ERROR_INIT;
    struct delta_commit_info *entries;
    size_t count;
    fixture_open(&f);
    int64_t start = f.now_us;
    put_commit(&f, 0, FIRST_COMMIT "{\"commitInfo\":{\"operation\":\"CREATE TABLE\"}}\n");
    put_commit(&f, 1, ADD("a", 1));
    put_commit(&f, 2, "{ \"commitInfo\" : {\"operation\":\"WRITE\",\"inCommitTimestamp\":5}}\n{\"this line is\":\"never read");
    expect_ok(delta_history(&f.ctx, f.table, 0, &arena, &entries, &count, &err), &err);
    assert_int_equal(count, 3);
    assert_int_equal(entries[0].version, 2);
    assert_true(str_eq(entries[0].raw, STR("{\"operation\":\"WRITE\",\"inCommitTimestamp\":5}")));
    assert_int_equal(entries[0].timestamp_us, 5000);
    assert_null(entries[1].raw.ptr);
    assert_true(entries[1].timestamp_us == start + 1000000);
    assert_true(str_eq(entries[2].raw, STR("{\"operation\":\"CREATE TABLE\"}")));
    store_fault_set(f.store, (struct store_fault){0});
    expect_ok(delta_history(&f.ctx, f.table, 1, &arena, &entries, &count, &err), &err);
    assert_int_equal(count, 1);
    assert_int_equal(entries[0].version, 2);
    assert_int_equal(store_fault_calls(f.store), 2); /* the listing and one commit */
    put_commit(&f, 3, "{\"commitInfo\":{\"operation\":");
    assert_int_equal(delta_history(&f.ctx, f.table, 0, &arena, &entries, &count, &err), STATUS_CORRUPT_LOG);
    assert_null(entries);
    error_release(&err);
    arena_release(&arena);
    fixture_close(&f);
}

/* ---- checksum ------------------------------------------------------------------------------------------ */

static void checksum_reads_back_and_is_compared(void **state)
{
    struct fixture f;
    struct delta_checksum sum;
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("a", 10) ADD("b", 5) "{\"txn\":{\"appId\":\"q\",\"version\":4}}\n");
    struct delta_snapshot *s = latest(&f);
    delta_checksum_write(&f.ctx, s, STR("tx-1"));
    delta_checksum_write(&f.ctx, s, STR("tx-2"));
    delta_checksum_read(&f.ctx, f.table, 0, &sum);
    assert_true(sum.has);
    assert_int_equal(sum.num_files, 2);
    assert_int_equal(sum.table_size_bytes, 15);
    assert_true(str_eq(sum.metadata.id, STR("t1")));
    assert_int_equal(sum.protocol.min_writer_version, 2);
    delta_checksum_release(&sum);
    struct buf text = BUF_INIT;
    assert_int_equal(store_read(f.memory, &f.ctx, STR("_delta_log/00000000000000000000.crc"), &text, NULL), STORE_OK);
    assert_non_null(strstr(text.ptr, "\"txnId\":\"tx-1\""));
    assert_non_null(strstr(text.ptr, "\"setTransactions\":[{\"appId\":\"q\",\"version\":4}]"));
    buf_release(&text);
    delta_snapshot_unref(s);
    struct delta_table *other = fixture_other(&f);
    s = latest_of(&f, other);
    assert_false(logged(&f, "checksum_mismatch"));
    delta_snapshot_unref(s);
    delta_table_unref(other);
    put_commit(&f, 1, ADD("c", 1));
    put_log(&f, 1, ".crc",
            "{\"tableSizeBytes\":16,\"numFiles\":4,\"numMetadata\":1,\"numProtocol\":1,\"metadata\":{\"id\":\"t\",\"schemaString\":\"{}\"},"
            "\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2},\"histogramOpt\":{}}");
    other = fixture_other(&f);
    s = latest_of(&f, other);
    assert_true(logged(&f, "checksum_mismatch"));
    assert_int_equal(s->file_count, 3);
    delta_snapshot_unref(s);
    delta_table_unref(other);
    static const char *const bad[] = {"", "[]", "{}", "{\"tableSizeBytes\":1,\"numFiles\":2,\"metadata\":3,\"protocol\":{}}", "\xFF"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++) {
        put_log(&f, 1, ".crc", bad[i]);
        delta_checksum_read(&f.ctx, f.table, 1, &sum);
        assert_false(sum.has);
        delta_checksum_release(&sum);
    }
    fixture_close(&f);
}

/* ---- against a model --------------------------------------------------------------------------------------- */

/* A log of random adds and removes over few paths, kept beside a plain array of what is live.  Every version is read
 * three ways: incrementally, from scratch, and back in time. */
enum { PATHS = 60, VERSIONS = 220 };

struct model {
    int64_t sizes[PATHS]; /* -1: not there */
};

static void model_path(char out[64], int i, bool encoded)
{
    snprintf(out, 64, i % 4 ? "part-%05d-c000.snappy.parquet" : encoded ? "d=a%%20b/%05d.parquet" : "d=a b/%05d.parquet", i);
}

static void random_commit(struct model *m, struct rng *rng, int64_t version, struct buf *out)
{
    uint32_t draw[8];
    bool used[PATHS] = {false};
    rng->fill(rng->self, draw, sizeof draw);
    if (version == 0)
        buf_z(out, FIRST_COMMIT);
    for (int i = 0; i < 1 + (int)(draw[0] % 7); i++) {
        char path[64];
        int at = (int)(draw[i + 1] % PATHS);
        if (used[at])
            continue;
        used[at] = true;
        model_path(path, at, draw[i + 1] >> 20 & 1);
        if (m->sizes[at] >= 0 && (draw[i + 1] >> 16 & 3)) {
            buf_printf(out, "{\"remove\":{\"path\":\"%s\",\"deletionTimestamp\":1700000000000,\"dataChange\":true}}\n", path);
            m->sizes[at] = -1;
        } else {
            m->sizes[at] = draw[i + 1] % 1000;
            buf_printf(out, "{\"add\":{\"path\":\"%s\",\"partitionValues\":{},\"size\":%d,\"dataChange\":true}}\n", path, (int)m->sizes[at]);
        }
    }
}

static void expect_model(const struct model *m, const struct delta_snapshot *s)
{
    int64_t count = 0, bytes = 0, live = 0;
    struct error err = ERROR_INIT;
    for (int i = 0; i < PATHS; i++) {
        char path[64];
        int64_t found = -1;
        model_path(path, i, true);
        for (size_t l = 0; l < s->layer_count; l++) {
            int64_t row = delta_segment_find(s->layers[l].segment, str_of(path), &err);
            if (row >= 0 && !delta_layer_dead(&s->layers[l], (size_t)row)) {
                assert_int_equal(found, -1);
                found = s->layers[l].segment->size_bytes[row];
            }
        }
        assert_int_equal(found, m->sizes[i]);
        count += m->sizes[i] >= 0;
        bytes += m->sizes[i] >= 0 ? m->sizes[i] : 0;
    }
    for (size_t l = 0; l < s->layer_count; l++)
        live += (int64_t)delta_layer_live(&s->layers[l]);
    assert_int_equal(live, count);
    assert_int_equal(s->file_count, count);
    assert_int_equal(s->size_bytes, bytes);
    assert_true(s->layer_count <= 66);
}

static void run_model(uint64_t seed, bool checkpoints)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    struct rng_seeded seeded;
    struct rng rng = rng_seeded_init(&seeded, seed);
    static struct model models[VERSIONS];
    struct model m;
    for (int i = 0; i < PATHS; i++)
        m.sizes[i] = -1;
    fixture_open(&f);
    for (int64_t v = 0; v < VERSIONS; v++) {
        struct buf text = BUF_INIT;
        random_commit(&m, &rng, v, &text);
        put_commit(&f, v, text.ptr ? text.ptr : "");
        buf_release(&text);
        models[v] = m;
        struct delta_snapshot *s = latest(&f);
        assert_int_equal(s->version, v);
        expect_model(&m, s);
        if (checkpoints && v % 37 == 36)
            expect_ok(delta_checkpoint(&f.ctx, s, &err), &err);
        delta_snapshot_unref(s);
        if (v % 20 == 13) {
            struct delta_table *other = fixture_other(&f);
            s = latest_of(&f, other);
            expect_model(&m, s);
            assert_int_equal(s->checkpoint_version, checkpoints && v >= 36 ? v / 37 * 37 - 1 + (v % 37 == 36 ? 37 : 0) : -1);
            delta_snapshot_unref(s);
            delta_table_unref(other);
        }
    }
    for (int64_t v = 3; v < VERSIONS; v += 11) {
        struct delta_snapshot *s;
        expect_ok(delta_snapshot_at_version(&f.ctx, f.table, v, &s, &err), &err);
        expect_model(&models[v], s);
        delta_snapshot_unref(s);
    }
    assert_false(logged(&f, "warn"));
    fixture_close(&f);
}

static void agrees_with_the_model(void **state)
{
    run_model(1, false);
    run_model(2, true);
    run_model(3, true);
}

/* ---- when things fail ------------------------------------------------------------------------------------------ */

static void put_everything(struct fixture *f)
{
    put_history(f);
    put_log(f, 3, ".checkpoint.parquet", CHECKPOINT_3);
    put_key(f, "_delta_log/_last_checkpoint", "{\"version\":3}");
}

static void open_survives_every_failed_allocation(void **state)
{
    enum { MORE_THAN_ALL = 400 };
    struct fixture f;
    int failures = 0;
    fixture_open(&f);
    put_everything(&f);
    for (uint64_t n = 1; n < MORE_THAN_ALL; n++) {
        struct delta_table *t = fixture_other(&f);
        struct delta_snapshot *s = NULL;
        struct error err = ERROR_INIT;
        alloc_fail_after(n);
        enum status status = delta_snapshot_latest(&f.ctx, t, &s, &err);
        alloc_fail_after(0);
        /* The hint may do without what failed. */
        if (status == STATUS_OK)
            expect_paths(s, "b e f");
        else
            assert_null(s);
        failures += status != STATUS_OK;
        delta_snapshot_unref(s);
        delta_table_unref(t);
        error_release(&err);
    }
    assert_true(failures > 40 && failures < MORE_THAN_ALL / 2);
    fixture_close(&f);
}

static void refresh_survives_every_failed_allocation(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_everything(&f);
    struct delta_snapshot *base = latest(&f);
    put_commit(&f, 5,
               ADD("g", 1) REMOVE("e") "{\"txn\":{\"appId\":\"r\",\"version\":4}}\n{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"{}\","
                                       "\"removed\":false}}\n" METADATA_LINE("", ""));
    uint64_t n = 0;
    for (enum status status = STATUS_OUT_OF_MEMORY; status != STATUS_OK;) {
        struct delta_snapshot *s = NULL;
        struct error err = ERROR_INIT;
        alloc_fail_after(++n);
        status = delta_snapshot_latest(&f.ctx, f.table, &s, &err);
        alloc_fail_after(0);
        expect_paths(base, "b e f");
        if (status == STATUS_OK)
            expect_paths(s, "b f g");
        delta_snapshot_unref(s);
        error_release(&err);
        assert_true(n < 1000);
    }
    assert_true(n > 10);
    delta_snapshot_unref(base);
    fixture_close(&f);
}

static void open_survives_every_failed_read(void **state)
{
    for (int kind = 0; kind < 2; kind++)
        for (uint64_t call = 1;; call++) {
            struct fixture f;
            struct error err = ERROR_INIT;
            struct delta_snapshot *s = NULL;
            fixture_open(&f);
            put_everything(&f);
            store_fault_set(f.store, (struct store_fault){.kind = kind ? STORE_FAULT_TRUNCATE : STORE_FAULT_FAIL, .at_call = call});
            enum status status = delta_snapshot_latest(&f.ctx, f.table, &s, &err);
            bool hit = store_fault_calls(f.store) >= call;
            if (status == STATUS_OK) {
                assert_int_equal(s->version, 4);
                expect_paths(s, "b e f");
            } else {
                assert_non_null(err.message);
            }
            delta_snapshot_unref(s);
            error_release(&err);
            fixture_close(&f);
            if (!hit)
                break;
        }
}

static void cancelled_means_cancelled(void **state)
{
    struct fixture f;
    struct error err = ERROR_INIT;
    struct delta_snapshot *s = NULL;
    fixture_open(&f);
    put_everything(&f);
    f.ctx.cancelled = true;
    assert_int_equal(delta_snapshot_latest(&f.ctx, f.table, &s, &err), STATUS_CANCELLED);
    assert_null(s);
    f.ctx.cancelled = false;
    error_release(&err);
    fixture_close(&f);
}

static void *refresh_often(void *user)
{
    struct fixture *f = user;
    int64_t last = 0;
    for (int i = 0; i < 300; i++) {
        struct delta_snapshot *s = latest(f);
        if (s->version < last)
            return NULL;
        last = s->version;
        delta_snapshot_unref(s);
    }
    return f;
}

static void many_threads_refresh_one_table(void **state)
{
    struct fixture f;
    pthread_t threads[3];
    fixture_open(&f);
    put_everything(&f);
    for (int i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, refresh_often, &f), 0);
    for (int v = 5; v < 60; v++)
        put_commit(&f, v, ADD("g", 1) REMOVE("e"));
    for (int i = 0; i < 3; i++) {
        void *result;
        pthread_join(threads[i], &result);
        assert_ptr_equal(result, &f);
    }
    struct delta_snapshot *s = latest(&f);
    assert_int_equal(s->version, 59);
    expect_paths(s, "b f g");
    delta_snapshot_unref(s);
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_log_is_no_table),
        cmocka_unit_test(replays_commits),
        cmocka_unit_test(refreshes_by_one_open),
        cmocka_unit_test(snapshot_keeps_its_table),
        cmocka_unit_test(keys_are_path_and_deletion_vector),
        cmocka_unit_test(later_line_wins_within_a_commit),
        cmocka_unit_test(refuses_broken_logs),
        cmocka_unit_test(metadata_may_come_late),
        cmocka_unit_test(partition_columns_may_change),
        cmocka_unit_test(names_the_missing_version),
        cmocka_unit_test(reads_checkpoint_and_tail),
        cmocka_unit_test(the_hint_is_only_a_hint),
        cmocka_unit_test(the_hint_shortens_the_listing),
        cmocka_unit_test(ignores_incomplete_multi_part_checkpoints),
        cmocka_unit_test(falls_back_from_a_damaged_checkpoint),
        cmocka_unit_test(a_damaged_newest_checkpoint_never_hides_its_version),
        cmocka_unit_test(reads_v2_checkpoints_of_every_kind),
        cmocka_unit_test(falls_back_from_damaged_v2_checkpoints),
        cmocka_unit_test(one_good_checkpoint_of_a_version_is_enough),
        cmocka_unit_test(compactions_save_reads),
        cmocka_unit_test(damaged_compactions_are_passed_over),
        cmocka_unit_test(encoded_and_plain_paths_meet_in_a_checkpoint),
        cmocka_unit_test(reads_any_version),
        cmocka_unit_test(finds_versions_by_file_time),
        cmocka_unit_test(finds_versions_by_in_commit_time),
        cmocka_unit_test(history_is_newest_first),
        cmocka_unit_test(checksum_reads_back_and_is_compared),
        cmocka_unit_test(agrees_with_the_model),
        cmocka_unit_test(open_survives_every_failed_allocation),
        cmocka_unit_test(refresh_survives_every_failed_allocation),
        cmocka_unit_test(open_survives_every_failed_read),
        cmocka_unit_test(cancelled_means_cancelled),
        cmocka_unit_test(many_threads_refresh_one_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
