#include "delta/log_testing.h"

static enum status parse(const char *text, struct delta_commit *out, struct error *err)
{
    struct buf bytes = BUF_INIT;
    buf_z(&bytes, text);
    enum status status = delta_commit_parse(&bytes, 42, STR("_delta_log/42.json"), out, err);
    assert_null(bytes.ptr);
    return status;
}

static struct delta_commit parsed(const char *text)
{
    struct delta_commit c;
    struct error err = ERROR_INIT;
    expect_ok(parse(text, &c, &err), &err);
    return c;
}

#define expect_str(got, want)                                                                                                                        \
    do {                                                                                                                                             \
        struct str got_ = (got);                                                                                                                     \
        assert_int_equal(got_.len, strlen(want));                                                                                                    \
        assert_memory_equal(got_.ptr, want, got_.len);                                                                                               \
    } while (0)

static void reads_every_field_of_an_add(void **state)
{
    struct delta_commit c =
        parsed("{\"add\":{\"path\":\"d=a%20b/p\\u00e9\\\".parquet\",\"partitionValues\":{\"d\":\"a b\",\"n\":null,\"i\":7},\"size\":9007199254740993,"
               "\"modificationTime\":-5,\"dataChange\":false,\"stats\":\"{\\\"numRecords\\\":3}\",\"tags\":{\"x\":\"y\"},"
               "\"deletionVector\":{\"storageType\":\"u\",\"pathOrInlineDv\":\"ab^-aqEH.-t@S}K{vb[*k^\",\"offset\":4,\"sizeInBytes\":40,"
               "\"cardinality\":6}}}\n");
    assert_int_equal(c.add_count, 1);
    const struct delta_action_add *a = &c.adds[0];
    expect_str(a->path, "d=a%20b/p\xC3\xA9\".parquet");
    assert_int_equal(a->partition_value_count, 3);
    expect_str(a->partition_values[0].key, "d");
    expect_str(a->partition_values[0].value, "a b");
    assert_null(a->partition_values[1].value.ptr);
    expect_str(a->partition_values[2].value, "7");
    assert_true(a->size_bytes == INT64_C(9007199254740993));
    assert_int_equal(a->modified_ms, -5);
    assert_false(a->data_change);
    expect_str(a->stats, "{\"numRecords\":3}");
    assert_true(a->has_dv);
    expect_str(a->dv.storage, "u");
    expect_str(a->dv.path, "ab^-aqEH.-t@S}K{vb[*k^");
    assert_int_equal(a->dv.offset, 4);
    assert_int_equal(a->dv.size_bytes, 40);
    assert_int_equal(a->dv.cardinality, 6);
    assert_true(str_starts(a->raw, STR("{\"add\":")) && str_ends(a->raw, STR("}}}")));
    delta_commit_release(&c);
}

static void reads_the_other_actions(void **state)
{
    struct delta_commit c = parsed(
        "{\"commitInfo\":{\"timestamp\":1,\"operation\":\"WRITE\",\"inCommitTimestamp\":77,\"isBlindAppend\":true,\"txnId\":\"abc\"}}\n"
        "{\"protocol\":{\"minReaderVersion\":3,\"minWriterVersion\":7,\"readerFeatures\":[\"timestampNtz\"],\"writerFeatures\":[\"timestampNtz\","
        "\"appendOnly\"]}}\n" METADATA_LINE(
            "\"d\"",
            "\"delta.appendOnly\":\"true\"") "{\"remove\":{\"path\":\"x\",\"deletionTimestamp\":12,\"dataChange\":true,\"extendedFileMetadata\":true}"
                                             "}\n"
                                             "{\"txn\":{\"appId\":\"a\",\"version\":9}}\n{\"txn\":{\"appId\":\"b\",\"version\":10,\"lastUpdated\":3}}"
                                             "\n"
                                             "{\"domainMetadata\":{\"domain\":\"delta.clustering\",\"configuration\":\"{}\",\"removed\":false}}\n"
                                             "{\"domainMetadata\":{\"domain\":\"gone\",\"configuration\":\"\",\"removed\":true}}\n");
    assert_int_equal(c.version, 42);
    assert_true(c.has_commit_info && c.is_blind_append);
    assert_int_equal(c.in_commit_timestamp_ms, 77);
    expect_str(c.operation, "WRITE");
    expect_str(c.txn_id, "abc");
    assert_true(str_starts(c.commit_info, STR("{\"timestamp\":1")));
    assert_int_equal(c.protocol.min_reader_version, 3);
    assert_int_equal(c.protocol.writer_feature_count, 2);
    expect_str(c.protocol.writer_features[1], "appendOnly");
    assert_int_equal(c.metadata.partition_column_count, 1);
    assert_int_equal(c.metadata.configuration_count, 1);
    assert_null(c.metadata.name.ptr);
    assert_int_equal(c.metadata.created_time_ms, 1);
    assert_int_equal(c.removes[0].deletion_timestamp_ms, 12);
    assert_int_equal(c.app_count, 2);
    assert_true(c.apps[0].app.last_updated_ms == INT64_MIN);
    assert_int_equal(c.apps[1].app.last_updated_ms, 3);
    assert_int_equal(c.domain_count, 2);
    assert_true(c.domains[1].removed);
    delta_commit_release(&c);
}

static void passes_over_what_it_does_not_know(void **state)
{
    struct delta_commit c =
        parsed("\n  \r\n{\"fancy\":{\"a\":[1,{\"b\":null}]}}\r\n{\"add\":null,\"remove\":{\"path\":\"x\",\"new\":{}}}\n{}\n" ADD("y", 3) "   ");
    assert_int_equal(c.add_count, 1);
    assert_int_equal(c.remove_count, 1);
    assert_int_equal(c.removes[0].deletion_timestamp_ms, 0);
    delta_commit_release(&c);
    c = parsed("{\"txn\":{\"appId\":\"a\",\"version\":1}}x\n{\"txn\":{\"appId\":\"b\",\"version\":1}} # done\n");
    assert_int_equal(c.app_count, 2);
    assert_true(str_ends(c.apps[0].raw, STR("}}")) && str_ends(c.apps[1].raw, STR("}}")));
    delta_commit_release(&c);
    c = parsed("");
    assert_int_equal(c.add_count + c.remove_count, 0);
    assert_true(c.in_commit_timestamp_ms == INT64_MIN);
    delta_commit_release(&c);
}

static void names_file_line_and_byte_of_damage(void **state)
{
    static const struct {
        const char *text, *place, *complaint;
    } cases[] = {
        {FIRST_COMMIT "{\"add\":{\"path\":\"a\",\"si", "line 3, byte ", "ends too early"},
        {"{\"txn\":{\"appId\":\"a\",\"version\":1}}\n\n[1]\n", "line 3, byte 35", "not a JSON object"},
        {"{\"add\":{\"path\":\"a\"}}", "line 1, byte 7", "add.size is missing"},
        {"{\"add\":{\"size\":1}}", "line 1, byte 7", "add.path is missing"},
        {"{\"add\":{\"path\":\"\",\"size\":1}}", "line 1, byte 7", "add.path is empty"},
        {"{\"add\":{\"path\":3,\"size\":1}}", "line 1, byte 15", "add.path is not a string"},
        {"{\"add\":{\"path\":\"a\",\"size\":-1}}", "line 1, byte 26", "add.size is negative"},
        {"{\"add\":{\"path\":\"a\",\"size\":1.5}}", "line 1, byte 26", "add.size is not a 64-bit integer"},
        {"{\"add\":{\"path\":\"a\",\"size\":99999999999999999999}}", "line 1, byte 26", "add.size is not a 64-bit integer"},
        {"{\"add\":[]}", "line 1, byte 7", "is not an object"},
        {"{\"add\":{\"path\":\"a\",\"size\":1,\"dataChange\":\"yes\"}}", "line 1", "add.dataChange is not true or false"},
        {"{\"add\":{\"path\":\"a\",\"size\":1,\"partitionValues\":{\"d\":[]}}}", "line 1", "holds a value that is not a string"},
        {"{\"add\":{\"path\":\"a\",\"size\":1,\"deletionVector\":{\"storageType\":\"u\"}}}", "line 1", "add.pathOrInlineDv is missing"},
        {"{\"protocol\":{\"minReaderVersion\":99999999999,\"minWriterVersion\":2}}", "line 1", "out of range"},
        {"{\"protocol\":{\"minReaderVersion\":1,\"minWriterVersion\":2,\"readerFeatures\":[1]}}", "line 1", "is not a string"},
        {"{\"add\":{\"path\":\"a\xFF\",\"size\":1}}", "line 1, byte 17", "UTF-8"},
        {"{\"txn\":{\"appId\":\"a\",\"version\":1}}{\"txn\":{\"appId\":\"b\",\"version\":1}}", "line 1, byte 33", "more text"},
        {"{\"add\":{\"path\":\"a\",\"size\":1}}}", "line 1, byte 29", "more text"},
        {"\x1f\x8b\x08", "line 1, byte 0", "not a JSON value"},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        struct delta_commit c;
        struct error err = ERROR_INIT;
        assert_int_equal(parse(cases[i].text, &c, &err), STATUS_CORRUPT_LOG);
        if (!strstr(err.message, cases[i].place) || !strstr(err.message, "_delta_log/42.json") || !strstr(err.detail, cases[i].complaint))
            fail_msg("case %zu: %s / %s", i, err.message, err.detail);
        assert_null(c.text.ptr);
        error_release(&err);
    }
}

static void refuses_other_data_formats(void **state)
{
    struct delta_commit c;
    struct error err = ERROR_INIT;
    assert_int_equal(parse("{\"metaData\":{\"id\":\"1\",\"format\":{\"provider\":\"orc\"},\"schemaString\":\"{}\"}}", &c, &err),
                     STATUS_UNSUPPORTED_FEATURE);
    assert_non_null(strstr(err.message, "orc"));
    error_release(&err);
}

static void what_is_written_reads_back(void **state)
{
    struct str features[] = {STR("timestampNtz"), STR("we\"ird")}, columns[] = {STR("d"), STR("e f")};
    struct delta_property configuration[] = {{STR("k\n"), STR("v\\")}, {STR("empty"), STR("")}};
    struct delta_protocol p = {3, 7, features, features, 1, 2};
    struct delta_metadata m = {.id = STR("id"),
                               .name = STR("n\xC3\xA4me"),
                               .description = STR_NULL,
                               .schema_string = STR("{\"type\":\"struct\"}"),
                               .partition_columns = columns,
                               .partition_column_count = 2,
                               .created_time_ms = INT64_MIN,
                               .configuration = configuration,
                               .configuration_count = 2};
    struct delta_app_version app = {STR("app \"1\""), INT64_MAX, INT64_MIN};
    struct delta_domain domain = {STR("x.y"), STR("{\"a\":1}")};
    struct buf out = BUF_INIT;
    delta_write_protocol(&out, &p);
    delta_write_metadata(&out, &m);
    delta_write_app(&out, &app);
    delta_write_domain(&out, &domain, true);
    struct delta_commit c = parsed(out.ptr);
    assert_int_equal(c.protocol.reader_feature_count, 1);
    expect_str(c.protocol.writer_features[1], "we\"ird");
    expect_str(c.metadata.name, "n\xC3\xA4me");
    assert_null(c.metadata.description.ptr);
    assert_true(c.metadata.created_time_ms == INT64_MIN);
    expect_str(c.metadata.schema_string, "{\"type\":\"struct\"}");
    expect_str(c.metadata.partition_columns[1], "e f");
    expect_str(c.metadata.configuration[0].key, "k\n");
    expect_str(c.metadata.configuration[0].value, "v\\");
    assert_non_null(c.metadata.configuration[1].value.ptr);
    expect_str(c.apps[0].app.app_id, "app \"1\"");
    assert_true(c.apps[0].app.version == INT64_MAX && c.apps[0].app.last_updated_ms == INT64_MIN);
    expect_str(c.domains[0].domain.configuration, "{\"a\":1}");
    assert_true(c.domains[0].removed);
    delta_commit_release(&c);
    /* Legacy versions carry no feature lists: their presence would be a protocol violation. */
    p.min_reader_version = 1;
    p.min_writer_version = 2;
    buf_clear(&out);
    delta_write_protocol(&out, &p);
    assert_string_equal(out.ptr, PROTOCOL_LINE);
    buf_release(&out);
}

static const char sample[] = "{\"commitInfo\":{\"operation\":\"WRITE\",\"txnId\":\"\\u00e9\"}}\n" FIRST_COMMIT ADD("a\\tb", 3) ADD_DV("c", 4, "vec")
    REMOVE("d") "{\"txn\":{\"appId\":\"q\",\"version\":1}}\n{\"domainMetadata\":{\"domain\":\"d\",\"configuration\":\"c\",\"removed\":false}}\n";

static void every_prefix_is_an_answer_or_an_error(void **state)
{
    for (size_t len = 0; len < sizeof sample; len++) {
        struct buf text = BUF_INIT;
        struct delta_commit c;
        struct error err = ERROR_INIT;
        buf_append(&text, sample, len);
        enum status status = delta_commit_parse(&text, 1, STR("f"), &c, &err);
        bool whole = len == 0 || sample[len - 1] == '\n' || sample[len] == '\n' || sample[len] == 0;
        assert_int_equal(status, whole ? STATUS_OK : STATUS_CORRUPT_LOG);
        delta_commit_release(&c);
        error_release(&err);
    }
}

static void survives_any_flipped_byte(void **state)
{
    struct rng_seeded seeded;
    struct rng rng = rng_seeded_init(&seeded, 7);
    for (int round = 0; round < 4000; round++) {
        uint32_t where[2];
        struct buf text = BUF_INIT;
        struct delta_commit c;
        struct error err = ERROR_INIT;
        rng.fill(rng.self, where, sizeof where);
        buf_append(&text, sample, sizeof sample - 1);
        text.ptr[where[0] % text.len] = (char)where[1];
        delta_commit_parse(&text, 1, STR("f"), &c, &err);
        delta_commit_release(&c);
        error_release(&err);
    }
}

static void survives_every_failed_allocation(void **state)
{
    uint64_t n = 0;
    for (enum status status = STATUS_OUT_OF_MEMORY; status != STATUS_OK;) {
        struct buf text = BUF_INIT;
        struct delta_commit c;
        struct error err = ERROR_INIT;
        buf_append(&text, sample, sizeof sample - 1);
        for (int repeat = 0; repeat < 500; repeat++)
            buf_z(&text, ADD("a\\tb", 3));
        alloc_fail_after(++n);
        status = delta_commit_parse(&text, 1, STR("f"), &c, &err);
        alloc_fail_after(0);
        if (status != STATUS_OK)
            assert_int_equal(status, STATUS_OUT_OF_MEMORY);
        delta_commit_release(&c);
        error_release(&err);
        assert_true(n < 1000);
    }
    assert_true(n > 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_every_field_of_an_add),
        cmocka_unit_test(reads_the_other_actions),
        cmocka_unit_test(passes_over_what_it_does_not_know),
        cmocka_unit_test(names_file_line_and_byte_of_damage),
        cmocka_unit_test(refuses_other_data_formats),
        cmocka_unit_test(what_is_written_reads_back),
        cmocka_unit_test(every_prefix_is_an_answer_or_an_error),
        cmocka_unit_test(survives_any_flipped_byte),
        cmocka_unit_test(survives_every_failed_allocation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
