/* delta/changes_test.c: what commits changed, from change data files, from actions and from deletion vectors. */
#include "delta/log_testing.h"

#define FEED "\"delta.enableChangeDataFeed\":\"true\""
#define FED PROTOCOL_LINE METADATA_LINE("", FEED)
#define REARRANGED(ACTION, PATH)                                                                                                                     \
    "{\"" ACTION "\":{\"path\":\"" PATH "\",\"partitionValues\":{},\"size\":1,\"modificationTime\":5,\"deletionTimestamp\":5,\"dataChange\":false}}" \
    "\n"
#define CDC(PATH) "{\"cdc\":{\"path\":\"_change_data/" PATH "\",\"partitionValues\":{},\"size\":7,\"dataChange\":false}}\n"

/* "insert a@0 delete b@1{3 4} stored c@2": type, path, version, rows. */
static char *changes_text(struct fixture *f, int64_t from, int64_t to)
{
    struct error err = ERROR_INIT;
    struct delta_snapshot *end;
    struct delta_changes c;
    struct buf out = BUF_INIT;
    expect_ok(delta_snapshot_at_version(&f->ctx, f->table, to, &end, &err), &err);
    expect_ok(delta_changes_read(&f->ctx, end, from, &c, &err), &err);
    uint32_t at = delta_snapshot_metadata(end)->partition_column_count;
    for (size_t i = 0; i < c.derived_count; i++) {
        const struct delta_file *file = &c.derived[i];
        buf_printf(&out, "%.*s %.*s@%.*s", STR_ARG(file->partition_values[at + 2]), STR_ARG(file->path), STR_ARG(file->partition_values[at]));
        buf_z(&out, c.only[i] ? "{" : file->dv ? "- " : " ");
        for (uint64_t row = 0; c.only[i] && row < 100; row++)
            if (delta_rows_contains(c.only[i], row))
                buf_printf(&out, " %d", (int)row);
        buf_z(&out, c.only[i] ? "} " : "");
    }
    for (size_t i = 0; i < c.stored_count; i++) {
        assert_null(c.stored[i].partition_values[at + 2].ptr);
        buf_printf(&out, "stored %.*s@%.*s ", STR_ARG(c.stored[i].path), STR_ARG(c.stored[i].partition_values[at]));
    }
    delta_changes_release(&c);
    delta_snapshot_unref(end);
    buf_append(&out, "", 0);
    return out.ptr ? buf_detach(&out) : mem_strndup("", 0);
}

static void expect_changes(struct fixture *f, int64_t from, int64_t to, const char *expected)
{
    char *text = changes_text(f, from, to);
    assert_string_equal(text, expected);
    mem_free(text);
}

static void expect_refused(struct fixture *f, int64_t from, int64_t to, enum status code, const char *part)
{
    struct error err = ERROR_INIT;
    struct delta_snapshot *end;
    struct delta_changes c;
    expect_ok(delta_snapshot_at_version(&f->ctx, f->table, to, &end, &err), &err);
    assert_int_equal(delta_changes_read(&f->ctx, end, from, &c, &err), code);
    assert_int_equal(c.derived_count + c.stored_count, 0);
    if (!strstr(err.message, part))
        fail_msg("\"%s\" does not say %s", err.message, part);
    error_release(&err);
    delta_snapshot_unref(end);
}

static void from_actions_and_files(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, FED ADD("a%20b", 3) ADD("b", 3));
    put_commit(&f, 1, REMOVE("b") ADD("c", 2));
    put_commit(&f, 2, REARRANGED("remove", "c") REARRANGED("add", "d"));
    put_commit(&f, 3, REMOVE("d") ADD("e", 2) CDC("x") CDC("y"));
    put_commit(&f, 4, "{\"commitInfo\":{\"operation\":\"NOTHING\"}}\n");
    expect_changes(&f, 0, 4, "insert a%20b@0 insert b@0 insert c@1 delete b@1 stored _change_data/x@3 stored _change_data/y@3 ");
    expect_changes(&f, 1, 2, "insert c@1 delete b@1 ");
    expect_changes(&f, 2, 2, "");
    expect_changes(&f, 4, 4, "");
    expect_refused(&f, 3, 2, STATUS_INVALID_ARGUMENT, "before the start");
    fixture_close(&f);
}

/* A line with a vector of these rows. */
static char *dv_line(struct fixture *f, const char *action, const uint64_t *rows, size_t count, struct delta_dv *dv)
{
    struct error err = ERROR_INIT;
    struct arena arena = ARENA_INIT;
    char *line;
    if (rows) {
        struct delta_rows *set = delta_rows_new();
        assert_true(delta_rows_add(set, rows, count));
        expect_ok(delta_dv_write(&f->ctx, f->memory, (const struct delta_rows *const[]){set}, 1, &arena, dv, &err), &err);
        dv->path = str_of(strdup(dv->path.ptr));
        delta_rows_free(set);
    }
    struct buf out = BUF_INIT, id = BUF_INIT;
    json_put_string(&id, dv->path);
    buf_printf(&out,
               "{\"%s\":{\"path\":\"a\",\"partitionValues\":{},\"size\":9,\"modificationTime\":5,\"deletionTimestamp\":5,\"dataChange\":true,"
               "\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":%s,\"offset\":1,\"sizeInBytes\":%lld,\"cardinality\":%lld}}}\n",
               action, id.ptr, (long long)dv->size_bytes, (long long)dv->cardinality);
    line = buf_detach(&out);
    buf_release(&id);
    arena_release(&arena);
    return line;
}

static void put_lines(struct fixture *f, int64_t version, char *one, char *two)
{
    struct buf text = BUF_INIT;
    buf_z(&text, one);
    buf_z(&text, two);
    put_commit(f, version, text.ptr);
    buf_release(&text);
    mem_free(one);
    mem_free(two);
}

static void from_deletion_vectors(void **state)
{
    static const uint64_t first[] = {3, 4, 5}, second[] = {4, 5, 8, 9};
    struct fixture f;
    struct delta_dv one, two;
    fixture_open(&f);
    put_commit(&f, 0, FED ADD("a", 10));
    put_lines(&f, 1, mem_strndup(REMOVE("a"), sizeof REMOVE("a") - 1), dv_line(&f, "add", first, 3, &one));
    put_lines(&f, 2, dv_line(&f, "add", second, 4, &two), dv_line(&f, "remove", NULL, 0, &one)); /* in either order */
    put_lines(&f, 3, dv_line(&f, "remove", NULL, 0, &two), mem_strndup(ADD("a", 10), sizeof ADD("a", 10) - 1));
    expect_changes(&f, 0, 3, "insert a@0 delete a@1{ 3 4 5} delete a@2{ 8 9} insert a@2{ 3} insert a@3{ 4 5 8 9} ");
    put_lines(&f, 4, mem_strndup(REMOVE("a"), sizeof REMOVE("a") - 1), dv_line(&f, "add", NULL, 0, &one));
    put_lines(&f, 5, dv_line(&f, "remove", NULL, 0, &one), mem_strndup("", 0));
    put_lines(&f, 6, dv_line(&f, "add", NULL, 0, &one), mem_strndup("", 0));
    expect_changes(&f, 5, 6, "delete a@5- insert a@6- "); /* the rows that the vector leaves */
    /* every allocation may fail */
    struct delta_snapshot *end = latest(&f);
    enum status status = STATUS_OUT_OF_MEMORY;
    for (uint64_t n = 1; status; n++) {
        struct delta_changes c;
        alloc_fail_after(n);
        status = delta_changes_read(&f.ctx, end, 0, &c, NULL);
        alloc_fail_after(0);
        assert_int_equal(c.derived_count, status ? 0 : 8);
        delta_changes_release(&c);
    }
    delta_snapshot_unref(end);
    /* a vector that is gone */
    char key[96];
    struct buf uuid = BUF_INIT;
    z85_decode(&uuid, two.path);
    int len = snprintf(key, sizeof key, "deletion_vector_");
    for (size_t i = 0; i < uuid.len; i++)
        len += snprintf(key + len, sizeof key - (size_t)len, i == 4 || i == 6 || i == 8 || i == 10 ? "-%02x" : "%02x", (unsigned char)uuid.ptr[i]);
    snprintf(key + len, sizeof key - (size_t)len, ".bin");
    store_remove(f.memory, &f.ctx, str_of(key), NULL);
    expect_refused(&f, 2, 2, STATUS_FILE_NOT_FOUND, key);
    buf_release(&uuid);
    free((char *)one.path.ptr);
    free((char *)two.path.ptr);
    fixture_close(&f);
}

static void the_feed_must_be_on(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, FIRST_COMMIT ADD("a", 1));
    put_commit(&f, 1, METADATA_LINE("", FEED));
    put_commit(&f, 2, ADD("b", 1));
    put_commit(&f, 3, METADATA_LINE("", ""));
    put_commit(&f, 4, ADD("c", 1));
    expect_changes(&f, 1, 2, "insert b@2 ");
    expect_refused(&f, 0, 2, STATUS_CHANGE_DATA_NOT_RECORDED, "version 0");
    expect_refused(&f, 1, 4, STATUS_CHANGE_DATA_NOT_RECORDED, "version 3");
    expect_refused(&f, 4, 4, STATUS_CHANGE_DATA_NOT_RECORDED, "version 4");
    fixture_close(&f);
}

static void partition_values_and_shapes(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(
        &f, 0,
        PROTOCOL_LINE METADATA_LINE(
            "\"d\"", FEED) "{\"add\":{\"path\":\"a\",\"partitionValues\":{\"d\":\"x\"},\"size\":1,\"modificationTime\":5,\"dataChange\":true}}\n");
    put_commit(&f, 1, "{\"remove\":{\"path\":\"a\",\"deletionTimestamp\":5,\"dataChange\":true,\"partitionValues\":{\"d\":\"x\"},\"size\":1}}\n");
    put_commit(&f, 2, "{\"add\":{\"path\":\"b\",\"partitionValues\":{\"d\":null},\"size\":1,\"modificationTime\":5,\"dataChange\":true}}\n");
    put_commit(&f, 3, REMOVE("b")); /* says nothing about its partition */
    put_commit(&f, 4, METADATA_LINE("", FEED));
    expect_changes(&f, 0, 2, "insert a@0 delete a@1 insert b@2 ");
    expect_changes(&f, 3, 3, "delete b@3 "); /* the version before knows */
    expect_changes(&f, 0, 3, "insert a@0 delete a@1 insert b@2 delete b@3 ");
    expect_refused(&f, 0, 4, STATUS_SCHEMA_MISMATCH, "partition columns at version 0");
    struct delta_snapshot *end;
    struct delta_changes c;
    struct error err = ERROR_INIT;
    expect_ok(delta_snapshot_at_version(&f.ctx, f.table, 1, &end, &err), &err);
    expect_ok(delta_changes_read(&f.ctx, end, 1, &c, &err), &err);
    assert_true(str_eq(c.derived[0].partition_values[0], STR("x")));
    assert_int_equal(c.size_bytes, 1);
    delta_changes_release(&c);
    delta_snapshot_unref(end);
    fixture_close(&f);
}

static void commits_that_are_gone(void **state)
{
    struct fixture f;
    fixture_open(&f);
    put_commit(&f, 0, FED ADD("a", 1));
    put_commit(&f, 1, ADD("b", 1));
    put_commit(&f, 2, ADD("c", 1));
    put_log(&f, 2, ".checkpoint.parquet", FED ADD("a", 1) ADD("b", 1) ADD("c", 1));
    put_commit(&f, 3, ADD("d", 1));
    remove_log(&f, 0, ".json");
    remove_log(&f, 1, ".json");
    expect_changes(&f, 2, 3, "insert c@2 insert d@3 ");
    expect_refused(&f, 0, 3, STATUS_VERSION_NOT_FOUND, "versions 2 to 3");
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(from_actions_and_files), cmocka_unit_test(from_deletion_vectors),       cmocka_unit_test(the_feed_must_be_on),
        cmocka_unit_test(commits_that_are_gone),  cmocka_unit_test(partition_values_and_shapes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
