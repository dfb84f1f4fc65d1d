/* delta/property.c: the table properties: what is known, what may be set, and what it means. */
#include "delta/delta_int.h"

enum property_kind {
    KIND_BOOL,
    KIND_BOOL_OFF,
    KIND_POSITIVE,
    KIND_INTEGER_OR_ALL,
    KIND_INTERVAL,
    KIND_SIZE,
    KIND_COLUMNS,
    KIND_TEXT,
    KIND_TEXT_OFF,
    KIND_INTERNAL,
    KIND_AUTO_COMPACT,
    KIND_CHECKPOINT_POLICY,
    KIND_COLUMN_MAPPING_MODE,
    KIND_ISOLATION_LEVEL,
    KIND_READER_VERSION,
    KIND_WRITER_VERSION,
    KIND_PARQUET_CODEC,
    KIND_PARQUET_VERSION,
    KIND_COUNT
};
/* What a value must be, for messages; and the list of values for kinds that have one. */
static const struct {
    const char *expected;
    const char *values[9];
} kinds[KIND_COUNT] = {
    [KIND_BOOL] = {"true or false", {"true", "false"}},
    [KIND_BOOL_OFF] = {"false", {"true", "false"}},
    [KIND_POSITIVE] = {"a whole number above 0", {NULL}},
    [KIND_INTEGER_OR_ALL] = {"a whole number, or -1 for all", {NULL}},
    [KIND_INTERVAL] = {"an interval such as 'interval 7 days' (weeks or less, not months)", {NULL}},
    [KIND_SIZE] = {"a size such as '128MB' or a number of bytes", {NULL}},
    [KIND_COLUMNS] = {"a list of column names", {NULL}},
    [KIND_TEXT] = {"text", {NULL}},
    [KIND_TEXT_OFF] = {"text", {NULL}},
    [KIND_INTERNAL] = {"left to the program", {NULL}},
    [KIND_AUTO_COMPACT] = {"true, false, auto, legacy", {"true", "false", "auto", "legacy"}},
    [KIND_CHECKPOINT_POLICY] = {"classic or v2", {"classic", "v2"}},
    [KIND_COLUMN_MAPPING_MODE] = {"none, name or id", {"none", "name", "id"}},
    [KIND_ISOLATION_LEVEL] = {"Serializable, WriteSerializable or SnapshotIsolation", {"Serializable", "WriteSerializable", "SnapshotIsolation"}},
    [KIND_READER_VERSION] = {"1, 2 or 3", {"1", "2", "3"}},
    [KIND_WRITER_VERSION] = {"a whole number from 1 to 7", {"1", "2", "3", "4", "5", "6", "7"}},
    [KIND_PARQUET_CODEC] = {"zstd, snappy, gzip, lz4, lz4_raw, brotli, none or uncompressed",
                            {"zstd", "snappy", "gzip", "lz4", "lz4_raw", "brotli", "none", "uncompressed"}},
    [KIND_PARQUET_VERSION] = {"1.0.0 or 2.x.y", {NULL}},
};

#define DELTA_FEATURE_NONE DELTA_FEATURE_COUNT
struct property {
    const char *key, *fallback;
    enum property_kind kind;
    enum delta_feature_id feature;
};
static const struct property properties[] = {
#define PROPERTY(KEY, DEFAULT, KIND, FEATURE, WHAT) {"delta." KEY, DEFAULT, KIND_##KIND, DELTA_FEATURE_##FEATURE},
#include "delta/properties.def"
#undef PROPERTY
};
#undef DELTA_FEATURE_NONE

/* ---- values with units ------------------------------------------------------------ */

static struct str take_word(struct str *s)
{
    *s = str_trim(*s);
    size_t n = 0;
    while (n < s->len && !strchr(" \t\r\n", s->ptr[n]))
        n++;
    struct str word = str_sub(*s, 0, n);
    *s = str_trim(str_sub(*s, n, s->len - n));
    return word;
}

/* Microseconds of a unit of time, singular or plural; 0 when it is not one of fixed length. */
static int64_t unit_us(struct str unit)
{
    static const struct {
        const char *name;
        int64_t us;
    } units[] = {{"week", 604800000000}, {"day", 86400000000},  {"hour", 3600000000}, {"minute", 60000000},
                 {"second", 1000000},    {"millisecond", 1000}, {"microsecond", 1}};
    if (unit.len > 1 && (unit.ptr[unit.len - 1] | 0x20) == 's')
        unit.len--;
    for (size_t i = 0; i < VV_ARRAY_COUNT(units); i++)
        if (str_ieq(unit, str_of(units[i].name)))
            return units[i].us;
    return 0;
}

bool delta_interval_ms(struct str text, int64_t *out)
{
    struct str rest = str_trim(text);
    int64_t total_us = 0;
    if (rest.len >= 9 && str_ieq(str_sub(rest, 0, 9), STR("interval ")))
        take_word(&rest);
    if (!rest.len)
        return false;
    while (rest.len) {
        int64_t count, us;
        struct str number = take_word(&rest);
        if (!str_to_i64(number, &count) || count < 0)
            return false;
        us = unit_us(take_word(&rest));
        if (!us || __builtin_mul_overflow(us, count, &us) || __builtin_add_overflow(total_us, us, &total_us))
            return false;
    }
    *out = total_us / 1000;
    return true;
}

bool delta_size_from_text(struct str text, int64_t *bytes)
{
    static const char letters[] = "kmgtp";
    struct str s = str_trim(text);
    size_t digits = 0;
    int64_t v;
    while (digits < s.len && s.ptr[digits] >= '0' && s.ptr[digits] <= '9')
        digits++;
    struct str unit = str_trim(str_sub(s, digits, s.len - digits));
    if (!digits || !str_to_i64(str_sub(s, 0, digits), &v))
        return false;
    int shift = 0;
    const char *letter = unit.len ? memchr(letters, unit.ptr[0] | 0x20, sizeof letters - 1) : NULL;
    if (letter) {
        shift = (int)(letter - letters + 1) * 10;
        unit = str_sub(unit, 1, unit.len - 1);
        if (str_ieq(unit, STR("ib")))
            unit.len = 0;
    }
    if (unit.len && !str_ieq(unit, STR("b")))
        return false;
    return !__builtin_mul_overflow(v, INT64_C(1) << shift, bytes);
}

/* "2.3.1": three numbers, the first of which is 1 or 2. */
static bool is_parquet_version(struct str s)
{
    int dots = 0;
    for (size_t i = 0; i < s.len; i++) {
        dots += s.ptr[i] == '.';
        if (s.ptr[i] != '.' && (s.ptr[i] < '0' || s.ptr[i] > '9'))
            return false;
    }
    return str_eq(s, STR("1.0.0")) || (dots == 2 && str_starts(s, STR("2.")) && s.ptr[s.len - 1] != '.' && s.ptr[2] != '.');
}

static bool is_one_of(enum property_kind kind, struct str value)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(kinds[kind].values) && kinds[kind].values[i]; i++)
        if (str_ieq(value, str_of(kinds[kind].values[i])))
            return true;
    return false;
}

static bool value_fits(enum property_kind kind, struct str value)
{
    int64_t number;
    switch (kind) {
    case KIND_POSITIVE:
        return str_to_i64(value, &number) && number > 0 && number <= INT32_MAX;
    case KIND_INTEGER_OR_ALL:
        return str_to_i64(value, &number) && number >= -1 && number <= INT32_MAX;
    case KIND_INTERVAL:
        return delta_interval_ms(value, &number);
    case KIND_SIZE:
        return delta_size_from_text(value, &number) && number > 0;
    case KIND_COLUMNS:
        return str_trim(value).len > 0;
    case KIND_TEXT:
    case KIND_TEXT_OFF:
        return true;
    case KIND_PARQUET_VERSION:
        return is_parquet_version(value);
    default:
        return is_one_of(kind, value);
    }
}

/* ---- checks -------------------------------------------------------------------------- */

static const struct property *property_find(struct str key)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(properties); i++)
        if (str_eq(key, str_of(properties[i].key)))
            return &properties[i];
    return NULL;
}

static enum status unknown_property(struct str key, struct error *err)
{
    struct str names[VV_ARRAY_COUNT(properties)];
    struct str near = STR_NULL;
    for (size_t i = 0; i < VV_ARRAY_COUNT(properties); i++) {
        names[i] = str_of(properties[i].key);
        if (str_ieq(names[i], key))
            near = names[i];
    }
    if (!near.ptr)
        near = str_nearest(key, names, VV_ARRAY_COUNT(properties));
    error_set(err, STATUS_UNKNOWN_PROPERTY, "there is no table property \"%.*s\"", STR_ARG(key));
    if (near.ptr)
        error_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    else
        error_hint(err, "names that begin with \"delta.\" are the protocol's; use another prefix for your own");
    return STATUS_UNKNOWN_PROPERTY;
}

static enum status unbuilt(struct str key, struct str value, const char *feature, struct error *err)
{
    return error_set(err, STATUS_UNSUPPORTED_FEATURE, "property \"%.*s\" = '%.*s' needs the table feature \"%s\", which is not supported",
                     STR_ARG(key), STR_ARG(value), feature);
}

/* delta.feature.<name> */
static enum status check_feature(struct str key, struct str value, struct error *err)
{
    struct str name = str_sub(key, 14, key.len - 14);
    enum delta_feature_id id = delta_feature_find(name);
    if (id == DELTA_FEATURE_COUNT) {
        struct str names[DELTA_FEATURE_COUNT];
        for (int i = 0; i < DELTA_FEATURE_COUNT; i++)
            names[i] = str_of(delta_feature_info((enum delta_feature_id)i)->name);
        struct str near = str_nearest(name, names, DELTA_FEATURE_COUNT);
        error_set(err, STATUS_UNKNOWN_PROPERTY, "there is no table feature \"%.*s\"", STR_ARG(name));
        if (near.ptr)
            error_hint(err, "did you mean \"delta.feature.%.*s\"?", STR_ARG(near));
        return STATUS_UNKNOWN_PROPERTY;
    }
    if (!str_ieq(value, STR("supported")) && !str_ieq(value, STR("enabled")))
        return error_set(err, STATUS_INVALID_ARGUMENT, "property \"%.*s\" must be 'supported', not '%.*s'", STR_ARG(key), STR_ARG(value));
    const struct delta_feature_info *info = delta_feature_info(id);
    if (info->write == DELTA_SUPPORT_NO || info->read == DELTA_SUPPORT_NO)
        return unbuilt(key, value, info->name, err);
    return STATUS_OK;
}

/* delta.constraints.<name>: that it can be evaluated shows when it is added. */
static enum status check_constraint(struct str key, struct str value, struct error *err)
{
    const size_t prefix = sizeof "delta.constraints." - 1;
    if (key.len == prefix)
        return error_set(err, STATUS_INVALID_ARGUMENT, "property \"%.*s\" names no constraint", STR_ARG(key));
    if (!str_trim(value).len)
        return error_set(err, STATUS_INVALID_ARGUMENT, "constraint \"%.*s\" has no expression", STR_ARG(str_sub(key, prefix, key.len - prefix)));
    return STATUS_OK;
}

/* Does this value, valid as it is, switch the property's feature on? */
static bool asks_for_feature(const struct property *p, struct str value)
{
    if (p->kind == KIND_BOOL || p->kind == KIND_BOOL_OFF)
        return str_ieq(value, STR("true"));
    return !str_ieq(value, str_of(p->fallback ? p->fallback : ""));
}

/* What Spark keeps for clauses of its own. */
static enum status check_reserved(struct str key, struct error *err)
{
    static const struct str reserved[] = {STR("provider"), STR("location"), STR("owner"),
                                          STR("comment"),  STR("external"), STR("is_managed_location")};
    for (size_t i = 0; i < VV_ARRAY_COUNT(reserved); i++)
        if (str_eq(key, reserved[i])) {
            error_set(err, STATUS_INVALID_ARGUMENT, "property \"%.*s\" is reserved", STR_ARG(key));
            return error_hint(err, "use the clause of CREATE TABLE for it, such as LOCATION or COMMENT, or another name");
        }
    return STATUS_OK;
}

enum status delta_property_check(struct str key, struct str value, struct error *err)
{
    if (!str_starts(key, STR("delta.")))
        return check_reserved(key, err);
    if (str_starts(key, STR("delta.feature.")))
        return check_feature(key, value, err);
    if (str_starts(key, STR("delta.constraints.")))
        return check_constraint(key, value, err);
    const struct property *p = property_find(key);
    if (!p)
        return unknown_property(key, err);
    if (p->kind == KIND_INTERNAL)
        return error_set(err, STATUS_INVALID_ARGUMENT, "property \"%s\" is kept by the program and cannot be set", p->key);
    if (!value_fits(p->kind, value))
        return error_set(err, STATUS_INVALID_ARGUMENT, "property \"%s\" must be %s, not '%.*s'", p->key, kinds[p->kind].expected,
                         (int)(value.len < 200 ? value.len : 200), value.ptr);
    if (!asks_for_feature(p, value))
        return STATUS_OK;
    if (p->kind == KIND_BOOL_OFF || p->kind == KIND_TEXT_OFF)
        return error_set(err, STATUS_UNSUPPORTED_FEATURE, "property \"%s\" = '%.*s' is not supported", p->key,
                         (int)(value.len < 200 ? value.len : 200), value.ptr);
    if (p->feature != DELTA_FEATURE_COUNT && delta_feature_info(p->feature)->write != DELTA_SUPPORT_YES)
        return unbuilt(key, value, delta_feature_info(p->feature)->name, err);
    return STATUS_OK;
}

bool delta_property_is_internal(struct str key)
{
    const struct property *p = property_find(key);
    return p && p->kind == KIND_INTERNAL;
}

enum delta_feature_id delta_property_feature(struct str key, struct str value)
{
    if (str_starts(key, STR("delta.constraints.")))
        return DELTA_FEATURE_CHECK_CONSTRAINTS;
    const struct property *p = property_find(key);
    bool asks = p && p->feature != DELTA_FEATURE_COUNT && p->kind != KIND_INTERNAL && asks_for_feature(p, value);
    return asks ? p->feature : DELTA_FEATURE_COUNT;
}

bool delta_property_is_protocol(struct str key)
{
    return str_starts(key, STR("delta.feature.")) || str_eq(key, STR("delta.minReaderVersion")) || str_eq(key, STR("delta.minWriterVersion"));
}

/* ---- look-up ---------------------------------------------------------------------------- */

struct str delta_config(const struct delta_metadata *m, const char *key)
{
    struct str k = str_of(key);
    for (uint32_t i = 0; i < m->configuration_count; i++)
        if (str_eq(m->configuration[i].key, k))
            return m->configuration[i].value;
    return STR_NULL;
}

bool delta_config_bool(const struct delta_metadata *m, const char *key, bool fallback)
{
    struct str value = str_trim(delta_config(m, key));
    if (str_ieq(value, STR("true")))
        return true;
    return str_ieq(value, STR("false")) ? false : fallback;
}

struct str delta_property_value(const struct delta_metadata *m, const char *key)
{
    struct str value = delta_config(m, key);
    if (value.ptr)
        return value;
    const struct property *p = property_find(str_of(key));
    return p ? str_of(p->fallback) : STR_NULL;
}
