#include "delta/delta_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdio.h>

struct table {
    struct arena arena;
    struct delta_protocol protocol;
    struct delta_metadata metadata;
    struct delta_type *schema;
    struct str reader_names[8], writer_names[8];
    struct delta_property properties[8];
};

static void split(const char *list, struct str *names, uint32_t *count)
{
    for (const char *at = list; at && *at;) {
        const char *comma = strchr(at, ',');
        names[(*count)++] = (struct str){at, comma ? (size_t)(comma - at) : strlen(at)};
        at = comma ? comma + 1 : NULL;
    }
}

static void table_init(struct table *t, int reader, int writer, const char *reader_features, const char *writer_features, const char *schema_sql)
{
    *t = (struct table){0};
    t->protocol = (struct delta_protocol){
        .min_reader_version = reader, .min_writer_version = writer, .reader_features = t->reader_names, .writer_features = t->writer_names};
    split(reader_features, t->reader_names, &t->protocol.reader_feature_count);
    split(writer_features, t->writer_names, &t->protocol.writer_feature_count);
    t->metadata.configuration = t->properties;
    assert_int_equal(delta_type_from_sql(&t->arena, str_of(schema_sql), &t->schema, NULL), STATUS_OK);
}

static void set(struct table *t, const char *key, const char *value)
{
    t->properties[t->metadata.configuration_count++] = (struct delta_property){.key = str_of(key), .value = str_of(value)};
}

static void mark(struct table *t, const char *key)
{
    struct delta_field *field = &t->schema->fields[0];
    field->metadata = ARENA_NEW(&t->arena, struct delta_property);
    *field->metadata = (struct delta_property){.key = str_of(key), .value = STR("\"x\"")};
    field->metadata_count = 1;
}

static enum status check(struct table *t, bool write, char message[512])
{
    struct error err = ERROR_INIT;
    enum status status = (write ? delta_protocol_check_write : delta_protocol_check_read)(&t->protocol, &t->metadata, t->schema, &err);
    snprintf(message, 512, "%s", err.message ? err.message : "");
    error_release(&err);
    return status;
}

static void expect_checks(struct table *t, enum status read, enum status write, const char *named)
{
    char message[512];
    assert_int_equal(check(t, false, message), read);
    assert_int_equal(check(t, true, message), write);
    if (named && !strstr(message, named))
        fail_msg("\"%s\" does not name %s", message, named);
    arena_release(&t->arena);
}

static void plain_tables(void **state)
{
    struct table t;
    table_init(&t, 1, 1, "", "", "STRUCT<a: INT>");
    expect_checks(&t, STATUS_OK, STATUS_OK, NULL);
    table_init(&t, 2, 6, "", "", "STRUCT<a: INT>"); /* every legacy feature, none in use */
    expect_checks(&t, STATUS_OK, STATUS_OK, NULL);
    table_init(&t, 3, 7, "timestampNtz", "timestampNtz,appendOnly,invariants", "STRUCT<a: TIMESTAMP_NTZ>");
    expect_checks(&t, STATUS_OK, STATUS_OK, NULL);
    table_init(&t, 3, 7, "", "", "STRUCT<a: INT>");
    expect_checks(&t, STATUS_OK, STATUS_OK, NULL);
}

static void unknown_features_are_named(void **state)
{
    struct table t;
    char message[512];
    table_init(&t, 3, 7, "foo,geospatial", "foo,geospatial", "STRUCT<a: INT>");
    assert_int_equal(check(&t, false, message), STATUS_UNSUPPORTED_FEATURE);
    assert_non_null(strstr(message, "\"foo\""));
    assert_non_null(strstr(message, "\"geospatial\""));
    arena_release(&t.arena);
    table_init(&t, 1, 7, "", "bar,collations", "STRUCT<a: INT>");
    assert_int_equal(check(&t, false, message), STATUS_OK);
    assert_int_equal(check(&t, true, message), STATUS_UNSUPPORTED_FEATURE);
    assert_non_null(strstr(message, "\"bar\""));
    assert_non_null(strstr(message, "\"collations\""));
    arena_release(&t.arena);
}

static void versions_beyond_ours(void **state)
{
    struct table t;
    table_init(&t, 99, 7, "", "", "STRUCT<a: INT>");
    expect_checks(&t, STATUS_UNSUPPORTED_FEATURE, STATUS_UNSUPPORTED_FEATURE, "99");
    table_init(&t, 1, 8, "", "", "STRUCT<a: INT>");
    expect_checks(&t, STATUS_OK, STATUS_UNSUPPORTED_FEATURE, "8");
}

static void broken_protocols(void **state)
{
    struct table t;
    table_init(&t, 3, 6, "", "", "STRUCT<a: INT>");
    expect_checks(&t, STATUS_PROTOCOL_VIOLATION, STATUS_PROTOCOL_VIOLATION, NULL);
    table_init(&t, 2, 7, "deletionVectors", "deletionVectors", "STRUCT<a: INT>");
    expect_checks(&t, STATUS_PROTOCOL_VIOLATION, STATUS_PROTOCOL_VIOLATION, NULL);
    table_init(&t, 1, 2, "", "appendOnly", "STRUCT<a: INT>");
    expect_checks(&t, STATUS_PROTOCOL_VIOLATION, STATUS_PROTOCOL_VIOLATION, NULL);
    table_init(&t, 3, 7, "deletionVectors", "appendOnly", "STRUCT<a: INT>");
    expect_checks(&t, STATUS_PROTOCOL_VIOLATION, STATUS_PROTOCOL_VIOLATION, NULL);
    table_init(&t, 0, 2, "", "", "STRUCT<a: INT>");
    expect_checks(&t, STATUS_PROTOCOL_VIOLATION, STATUS_PROTOCOL_VIOLATION, NULL);
}

static void features_that_matter_when_used(void **state)
{
    struct table t;
    table_init(&t, 2, 5, "", "", "STRUCT<a: INT>");
    set(&t, "delta.columnMapping.mode", "none");
    expect_checks(&t, STATUS_OK, STATUS_OK, NULL);
    table_init(&t, 2, 5, "", "", "STRUCT<a: INT>");
    set(&t, "delta.columnMapping.mode", "name");
    expect_checks(&t, STATUS_OK, STATUS_OK, NULL);
    table_init(&t, 1, 3, "", "", "STRUCT<a: INT>");
    set(&t, "delta.constraints.positive", "a > 0");
    expect_checks(&t, STATUS_OK, STATUS_OK, NULL);
    table_init(&t, 1, 4, "", "", "STRUCT<a: INT>");
    set(&t, "delta.enableChangeDataFeed", "true");
    expect_checks(&t, STATUS_OK, STATUS_OK, NULL);
    table_init(&t, 1, 4, "", "", "STRUCT<a: INT>");
    mark(&t, "delta.generationExpression");
    expect_checks(&t, STATUS_OK, STATUS_OK, NULL);
    table_init(&t, 1, 6, "", "", "STRUCT<a: INT>");
    mark(&t, "delta.identity.start");
    expect_checks(&t, STATUS_OK, STATUS_OK, NULL);
    table_init(&t, 1, 2, "", "", "STRUCT<a: INT>");
    mark(&t, "delta.invariants");
    expect_checks(&t, STATUS_OK, STATUS_OK, NULL);
    table_init(&t, 3, 7, "deletionVectors", "deletionVectors", "STRUCT<a: INT>");
    expect_checks(&t, STATUS_OK, STATUS_OK, NULL);
    table_init(&t, 1, 2, "", "", "STRUCT<a: VARIANT>");
    expect_checks(&t, STATUS_OK, STATUS_OK, NULL);
}

static void expect_derived(struct table *t, bool existing, bool expect_changed, const char *expected)
{
    struct delta_protocol p;
    struct error err = ERROR_INIT;
    struct buf text = BUF_INIT;
    bool changed;
    if (delta_protocol_derive(&t->arena, existing ? &t->protocol : NULL, &t->metadata, t->schema, &p, &changed, &err))
        fail_msg("%s", err.message);
    buf_printf(&text, "(%d,%d)", p.min_reader_version, p.min_writer_version);
    for (uint32_t i = 0; i < p.reader_feature_count; i++)
        buf_printf(&text, " r:%.*s", STR_ARG(p.reader_features[i]));
    for (uint32_t i = 0; i < p.writer_feature_count; i++)
        buf_printf(&text, " w:%.*s", STR_ARG(p.writer_features[i]));
    assert_string_equal(text.ptr, expected);
    assert_int_equal(changed, expect_changed);
    buf_release(&text);
    arena_release(&t->arena);
}

static void protocol_of_new_tables(void **state)
{
    struct table t;
    table_init(&t, 0, 0, "", "", "STRUCT<a: INT NOT NULL>");
    expect_derived(&t, false, true, "(1,2)");
    table_init(&t, 0, 0, "", "", "STRUCT<a: INT>");
    set(&t, "delta.appendOnly", "true");
    expect_derived(&t, false, true, "(1,2)");
    table_init(&t, 0, 0, "", "", "STRUCT<a: ARRAY<TIMESTAMP_NTZ>>");
    expect_derived(&t, false, true, "(3,7) r:timestampNtz w:appendOnly w:invariants w:timestampNtz");
    table_init(&t, 0, 0, "", "", "STRUCT<a: INT>");
    set(&t, "delta.minWriterVersion", "4");
    expect_derived(&t, false, true, "(1,4)");
    table_init(&t, 0, 0, "", "", "STRUCT<a: INT>");
    set(&t, "delta.feature.vacuumProtocolCheck", "supported");
    expect_derived(&t, false, true, "(3,7) r:vacuumProtocolCheck w:appendOnly w:invariants w:vacuumProtocolCheck");
    table_init(&t, 0, 0, "", "", "STRUCT<a: INT>");
    set(&t, "delta.minReaderVersion", "3");
    expect_derived(&t, false, true, "(3,7) w:appendOnly w:invariants");
    table_init(&t, 0, 0, "", "", "STRUCT<a: INT>");
    set(&t, "delta.constraints.positive", "a > 0");
    expect_derived(&t, false, true, "(1,3)");
    table_init(&t, 0, 0, "", "", "STRUCT<a: INT>");
    mark(&t, "delta.generationExpression");
    expect_derived(&t, false, true, "(1,4)");
    table_init(&t, 0, 0, "", "", "STRUCT<a: INT>");
    mark(&t, "delta.identity.step");
    expect_derived(&t, false, true, "(1,6)");
    table_init(&t, 0, 0, "", "", "STRUCT<a: INT>");
    mark(&t, "CURRENT_DEFAULT");
    set(&t, "delta.constraints.positive", "a > 0");
    expect_derived(&t, false, true, "(1,7) w:appendOnly w:invariants w:checkConstraints w:allowColumnDefaults");
}

static void expect_without(int reader, int writer, const char *readers, const char *writers, enum delta_feature_id id, const char *expected)
{
    struct table t;
    struct delta_protocol p;
    struct buf text = BUF_INIT;
    table_init(&t, reader, writer, readers, writers, "STRUCT<a: INT>");
    assert_int_equal(delta_protocol_without(&t.arena, &t.protocol, id, &p, NULL), STATUS_OK);
    buf_printf(&text, "(%d,%d)", p.min_reader_version, p.min_writer_version);
    for (uint32_t i = 0; i < p.reader_feature_count; i++)
        buf_printf(&text, " r:%.*s", STR_ARG(p.reader_features[i]));
    for (uint32_t i = 0; i < p.writer_feature_count; i++)
        buf_printf(&text, " w:%.*s", STR_ARG(p.writer_features[i]));
    assert_string_equal(text.ptr, expected);
    buf_release(&text);
    arena_release(&t.arena);
}

static void protocol_without_a_feature(void **state)
{
    expect_without(1, 3, "", "", DELTA_FEATURE_CHECK_CONSTRAINTS, "(1,2)");
    expect_without(1, 4, "", "", DELTA_FEATURE_CHECK_CONSTRAINTS, "(1,7) w:appendOnly w:invariants w:generatedColumns w:changeDataFeed");
    expect_without(1, 7, "", "appendOnly,invariants,inCommitTimestamp", DELTA_FEATURE_IN_COMMIT_TIMESTAMP, "(1,2)");
    expect_without(3, 7, "vacuumProtocolCheck", "vacuumProtocolCheck", DELTA_FEATURE_VACUUM_PROTOCOL_CHECK, "(1,1)");
    expect_without(3, 7, "timestampNtz,vacuumProtocolCheck", "timestampNtz,vacuumProtocolCheck", DELTA_FEATURE_VACUUM_PROTOCOL_CHECK,
                   "(3,7) r:timestampNtz w:timestampNtz");
    expect_without(3, 7, "columnMapping,typeWidening", "columnMapping,typeWidening,novel", DELTA_FEATURE_TYPE_WIDENING,
                   "(2,7) w:columnMapping w:novel");
}

static void protocol_of_upgraded_tables(void **state)
{
    struct table t;
    table_init(&t, 1, 2, "", "", "STRUCT<a: INT>");
    expect_derived(&t, true, false, "(1,2)");
    table_init(&t, 1, 1, "", "", "STRUCT<a: INT>");
    set(&t, "delta.appendOnly", "true");
    expect_derived(&t, true, true, "(1,2)");
    table_init(&t, 1, 4, "", "", "STRUCT<a: TIMESTAMP_NTZ>");
    expect_derived(&t, true, true,
                   "(3,7) r:timestampNtz w:appendOnly w:invariants w:checkConstraints w:generatedColumns "
                   "w:changeDataFeed w:timestampNtz");
    table_init(&t, 2, 5, "", "", "STRUCT<a: TIMESTAMP_NTZ>");
    expect_derived(&t, true, true,
                   "(3,7) r:columnMapping r:timestampNtz w:appendOnly w:invariants w:checkConstraints "
                   "w:generatedColumns w:changeDataFeed w:columnMapping w:timestampNtz");
    table_init(&t, 3, 7, "timestampWithoutTimezone", "timestampWithoutTimezone", "STRUCT<a: TIMESTAMP_NTZ>");
    expect_derived(&t, true, false, "(3,7) r:timestampWithoutTimezone w:timestampWithoutTimezone");
    table_init(&t, 1, 7, "", "invariants", "STRUCT<a: INT>");
    set(&t, "delta.appendOnly", "true");
    expect_derived(&t, true, true, "(1,7) w:invariants w:appendOnly");
    table_init(&t, 1, 2, "", "", "STRUCT<a: INT>");
    set(&t, "delta.columnMapping.mode", "name");
    expect_derived(&t, true, true, "(2,5)");
    table_init(&t, 1, 7, "", "invariants", "STRUCT<a: INT>");
    set(&t, "delta.columnMapping.mode", "id");
    expect_derived(&t, true, true, "(2,7) w:invariants w:columnMapping");
    table_init(&t, 1, 2, "", "", "STRUCT<a: VARIANT>");
    set(&t, "delta.enableTypeWidening", "true");
    expect_derived(&t, true, true, "(3,7) r:variantType r:typeWidening w:appendOnly w:invariants w:variantType w:typeWidening");
    table_init(&t, 3, 7, "variantType-preview,typeWidening-preview", "variantType-preview,typeWidening-preview", "STRUCT<a: VARIANT>");
    set(&t, "delta.enableTypeWidening", "true");
    expect_derived(&t, true, false, "(3,7) r:variantType-preview r:typeWidening-preview w:variantType-preview w:typeWidening-preview");
    table_init(&t, 1, 7, "", "invariants,futureThing", "STRUCT<a: INT>");
    expect_derived(&t, true, false, "(1,7) w:invariants w:futureThing");
}

static void features_have_unique_names(void **state)
{
    for (int i = 0; i < DELTA_FEATURE_COUNT; i++)
        assert_int_equal(delta_feature_find(str_of(delta_feature_info((enum delta_feature_id)i)->name)), i);
    assert_int_equal(delta_feature_find(STR("appendonly")), DELTA_FEATURE_COUNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_tables),
        cmocka_unit_test(unknown_features_are_named),
        cmocka_unit_test(versions_beyond_ours),
        cmocka_unit_test(broken_protocols),
        cmocka_unit_test(features_that_matter_when_used),
        cmocka_unit_test(protocol_of_new_tables),
        cmocka_unit_test(protocol_without_a_feature),
        cmocka_unit_test(protocol_of_upgraded_tables),
        cmocka_unit_test(features_have_unique_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
