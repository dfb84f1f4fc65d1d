#include "delta/delta_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void expect(const char *key, const char *value, enum status expected, const char *part)
{
    struct error err = ERROR_INIT;
    enum status status = delta_property_check(str_of(key), str_of(value), &err);
    if (status != expected)
        fail_msg("%s = %s: status %d, %s", key, value, (int)status, err.message ? err.message : "");
    if (part && !strstr(err.message, part) && !(err.hint && strstr(err.hint, part)))
        fail_msg("\"%s\" (%s) lacks \"%s\"", err.message, err.hint ? err.hint : "", part);
    error_release(&err);
}

static void accepted(void **state)
{
    static const char *const rows[][2] = {
        {"my.own", "anything"},
        {"delta.appendOnly", "true"},
        {"delta.appendOnly", "FALSE"},
        {"delta.autoOptimize.optimizeWrite", "true"},
        {"delta.autoOptimize.autoCompact", "auto"},
        {"delta.autoMerge.enabled", "true"},
        {"delta.optimize.repartition.enabled", "true"},
        {"delta.checkpointInterval", "1"},
        {"delta.checkpointPolicy", "classic"},
        {"delta.columnMapping.mode", "none"},
        {"delta.dataSkippingNumIndexedCols", "-1"},
        {"delta.dataSkippingNumIndexedCols", "0"},
        {"delta.dataSkippingStatsColumns", "a,`b.c`"},
        {"delta.deletedFileRetentionDuration", "interval 7 days"},
        {"delta.deletedFileRetentionDuration", "7 days"},
        {"delta.logRetentionDuration", "interval 2556 days"},
        {"delta.enableDeletionVectors", "false"},
        {"delta.enableDeletionVectors", "true"},
        {"delta.enableChangeDataFeed", "false"},
        {"delta.isolationLevel", "Serializable"},
        {"delta.minReaderVersion", "2"},
        {"delta.minWriterVersion", "7"},
        {"delta.parquet.compression.codec", "ZSTD"},
        {"delta.parquet.format.version", "2.6.0"},
        {"delta.targetFileSize", "128MB"},
        {"delta.targetFileSize", "1073741824"},
        {"delta.universalFormat.enabledFormats", ""},
        {"delta.feature.appendOnly", "supported"},
        {"delta.feature.timestampNtz", "enabled"},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(rows); i++)
        expect(rows[i][0], rows[i][1], STATUS_OK, NULL);
}

static void wrong_values(void **state)
{
    expect("delta.appendOnly", "yes", STATUS_INVALID_ARGUMENT, "true or false");
    expect("delta.checkpointInterval", "0", STATUS_INVALID_ARGUMENT, "above 0");
    expect("delta.checkpointInterval", "ten", STATUS_INVALID_ARGUMENT, "ten");
    expect("delta.dataSkippingNumIndexedCols", "-2", STATUS_INVALID_ARGUMENT, "-1");
    expect("delta.logRetentionDuration", "1 month", STATUS_INVALID_ARGUMENT, "interval");
    expect("delta.logRetentionDuration", "", STATUS_INVALID_ARGUMENT, "interval");
    expect("delta.targetFileSize", "big", STATUS_INVALID_ARGUMENT, "size");
    expect("delta.isolationLevel", "ReadCommitted", STATUS_INVALID_ARGUMENT, "WriteSerializable");
    expect("delta.minReaderVersion", "4", STATUS_INVALID_ARGUMENT, "1, 2 or 3");
    expect("delta.parquet.format.version", "3.0.0", STATUS_INVALID_ARGUMENT, "2.x.y");
    expect("delta.columnMapping.maxColumnId", "5", STATUS_INVALID_ARGUMENT, "cannot be set");
    expect("delta.feature.appendOnly", "maybe", STATUS_INVALID_ARGUMENT, "supported");
}

static void unknown_names_get_the_nearest(void **state)
{
    expect("delta.apendOnly", "true", STATUS_UNKNOWN_PROPERTY, "delta.appendOnly");
    expect("delta.appendonly", "true", STATUS_UNKNOWN_PROPERTY, "delta.appendOnly");
    expect("delta.zzzzzzzzzzzzzzzzzzzzzzzz", "true", STATUS_UNKNOWN_PROPERTY, "another prefix");
    expect("delta.", "true", STATUS_UNKNOWN_PROPERTY, NULL);
    expect("delta.feature.timestampNTZ", "supported", STATUS_UNKNOWN_PROPERTY, "timestampNtz");
}

static void what_is_not_built_is_refused_by_name(void **state)
{
    static const char *const rows[][3] = {
        {"delta.enableIcebergCompatV3", "true", "icebergCompatV3"},
        {"delta.universalFormat.enabledFormats", "iceberg", "enabledFormats"},
        {"delta.compatibility.symlinkFormatManifest.enabled", "true", "symlinkFormatManifest"},
        {"delta.feature.geospatial", "supported", "geospatial"},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(rows); i++)
        expect(rows[i][0], rows[i][1], STATUS_UNSUPPORTED_FEATURE, rows[i][2]);
}

static void constraints_and_features(void **state)
{
    expect("delta.constraints.positive", "a > 0", STATUS_OK, NULL);
    expect("delta.constraints.", "a > 0", STATUS_INVALID_ARGUMENT, "names no constraint");
    expect("delta.constraints.positive", " ", STATUS_INVALID_ARGUMENT, "has no expression");
    expect("delta.feature.allowColumnDefaults", "supported", STATUS_OK, NULL);
    expect("delta.feature.checkConstraints", "enabled", STATUS_OK, NULL);
    assert_int_equal(delta_property_feature(STR("delta.constraints.x"), STR("a > 0")), DELTA_FEATURE_CHECK_CONSTRAINTS);
    assert_int_equal(delta_property_feature(STR("delta.appendOnly"), STR("true")), DELTA_FEATURE_APPEND_ONLY);
    assert_int_equal(delta_property_feature(STR("delta.appendOnly"), STR("false")), DELTA_FEATURE_COUNT);
    assert_int_equal(delta_property_feature(STR("delta.columnMapping.maxColumnId"), STR("4")), DELTA_FEATURE_COUNT);
    assert_true(delta_property_is_internal(STR("delta.columnMapping.maxColumnId")));
    assert_false(delta_property_is_internal(STR("delta.columnMapping.mode")));
}

static void intervals(void **state)
{
    int64_t ms;
    assert_true(delta_interval_ms(STR("interval 7 days"), &ms));
    assert_int_equal(ms, INT64_C(604800000));
    assert_true(delta_interval_ms(STR(" INTERVAL  1 week 2 HOURS "), &ms));
    assert_int_equal(ms, INT64_C(612000000));
    assert_true(delta_interval_ms(STR("1500 milliseconds"), &ms));
    assert_int_equal(ms, 1500);
    assert_true(delta_interval_ms(STR("0 days"), &ms));
    assert_int_equal(ms, 0);
    assert_false(delta_interval_ms(STR(""), &ms));
    assert_false(delta_interval_ms(STR("interval"), &ms));
    assert_false(delta_interval_ms(STR("interval "), &ms));
    assert_false(delta_interval_ms(STR("7"), &ms));
    assert_false(delta_interval_ms(STR("-7 days"), &ms));
    assert_false(delta_interval_ms(STR("1 month"), &ms));
    assert_false(delta_interval_ms(STR("1 year"), &ms));
    assert_false(delta_interval_ms(STR("99999999999999999 weeks"), &ms));
}

static void sizes(void **state)
{
    int64_t bytes;
    assert_true(delta_size_from_text(STR("128MB"), &bytes));
    assert_int_equal(bytes, 128 << 20);
    assert_true(delta_size_from_text(STR("1 GiB"), &bytes));
    assert_int_equal(bytes, 1 << 30);
    assert_true(delta_size_from_text(STR("10k"), &bytes));
    assert_int_equal(bytes, 10240);
    assert_true(delta_size_from_text(STR("536870912"), &bytes));
    assert_int_equal(bytes, 536870912);
    assert_true(delta_size_from_text(STR("5 b"), &bytes));
    assert_int_equal(bytes, 5);
    assert_false(delta_size_from_text(STR(""), &bytes));
    assert_false(delta_size_from_text(STR("MB"), &bytes));
    assert_false(delta_size_from_text(STR("1.5GB"), &bytes));
    assert_false(delta_size_from_text(STR("-1"), &bytes));
    assert_false(delta_size_from_text(STR("9999999999999PB"), &bytes));
    assert_false(delta_size_from_text(STR("1 XB"), &bytes));
}

static void look_up(void **state)
{
    struct delta_property set[] = {{.key = STR("delta.appendOnly"), .value = STR("True")},
                                   {.key = STR("delta.checkpointInterval"), .value = STR("7")}};
    struct delta_metadata m = {.configuration = set, .configuration_count = 2};
    assert_true(delta_config_bool(&m, "delta.appendOnly", false));
    assert_true(delta_config_bool(&m, "delta.enableExpiredLogCleanup", true));
    assert_false(delta_config_bool(&m, "delta.checkpointInterval", false));
    assert_null(delta_config(&m, "delta.checkpoint").ptr);
    assert_true(str_eq(delta_property_value(&m, "delta.checkpointInterval"), STR("7")));
    assert_true(str_eq(delta_property_value(&m, "delta.dataSkippingNumIndexedCols"), STR("32")));
    assert_null(delta_property_value(&m, "delta.targetFileSize").ptr);
    assert_null(delta_property_value(&m, "nothing").ptr);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(accepted),
        cmocka_unit_test(wrong_values),
        cmocka_unit_test(unknown_names_get_the_nearest),
        cmocka_unit_test(what_is_not_built_is_refused_by_name),
        cmocka_unit_test(constraints_and_features),
        cmocka_unit_test(intervals),
        cmocka_unit_test(sizes),
        cmocka_unit_test(look_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
