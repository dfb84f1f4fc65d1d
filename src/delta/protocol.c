/* delta/protocol.c: table features, and what a protocol allows this program to do (protocol "Table Features"). */
#include "delta/delta_int.h"

enum { READER_FEATURES = 3, WRITER_FEATURES = 7 }; /* the versions that list features by name */

static const struct delta_feature_info features[DELTA_FEATURE_COUNT] = {
#define FEATURE(ID, NAME, KIND, LR, LW, READ, WRITE) {NAME, DELTA_FEATURE_##KIND, LR, LW, DELTA_SUPPORT_##READ, DELTA_SUPPORT_##WRITE},
#include "delta/features.def"
#undef FEATURE
};

const struct delta_feature_info *delta_feature_info(enum delta_feature_id id) { return &features[id]; }

enum delta_feature_id delta_feature_find(struct str name)
{
    for (int i = 0; i < DELTA_FEATURE_COUNT; i++)
        if (str_eq(name, str_of(features[i].name)))
            return (enum delta_feature_id)i;
    return DELTA_FEATURE_COUNT;
}

enum delta_feature_id delta_feature_by_name(struct str name)
{
    for (int i = 0; i < DELTA_FEATURE_COUNT; i++)
        if (str_ieq(name, str_of(features[i].name)))
            return (enum delta_feature_id)i;
    return DELTA_FEATURE_COUNT;
}

static bool listed(const struct str *names, uint32_t count, struct str name)
{
    for (uint32_t i = 0; i < count; i++)
        if (str_eq(names[i], name))
            return true;
    return false;
}

static bool writer_has(const struct delta_protocol *p, enum delta_feature_id id)
{
    if (p->min_writer_version >= WRITER_FEATURES)
        return listed(p->writer_features, p->writer_feature_count, str_of(features[id].name));
    return features[id].legacy_writer && features[id].legacy_writer <= p->min_writer_version;
}

static bool reader_has(const struct delta_protocol *p, enum delta_feature_id id)
{
    if (p->min_reader_version >= READER_FEATURES)
        return listed(p->reader_features, p->reader_feature_count, str_of(features[id].name));
    return features[id].legacy_reader && features[id].legacy_reader <= p->min_reader_version;
}

bool delta_protocol_has(const struct delta_protocol *p, enum delta_feature_id id)
{
    return writer_has(p, id) && (features[id].kind == DELTA_FEATURE_WRITER || reader_has(p, id));
}

bool delta_protocol_supports(const struct delta_protocol *p, enum delta_feature_id id) { return delta_protocol_has(p, id); }

/* ---- is the protocol itself in order ----------------------------------------------- */

static enum status check_versions(const struct delta_protocol *p, struct error *err)
{
    if (p->min_reader_version < 1 || p->min_writer_version < 1)
        return error_set(err, STATUS_PROTOCOL_VIOLATION, "protocol versions (%d, %d) are below 1", p->min_reader_version, p->min_writer_version);
    if (p->min_reader_version == READER_FEATURES && p->min_writer_version < WRITER_FEATURES)
        return error_set(err, STATUS_PROTOCOL_VIOLATION, "reader version 3 needs writer version 7, not %d", p->min_writer_version);
    if (p->reader_feature_count && p->min_reader_version < READER_FEATURES)
        return error_set(err, STATUS_PROTOCOL_VIOLATION, "reader version %d cannot list reader features", p->min_reader_version);
    if (p->writer_feature_count && p->min_writer_version < WRITER_FEATURES)
        return error_set(err, STATUS_PROTOCOL_VIOLATION, "writer version %d cannot list writer features", p->min_writer_version);
    for (uint32_t i = 0; i < p->reader_feature_count; i++)
        if (!listed(p->writer_features, p->writer_feature_count, p->reader_features[i]))
            return error_set(err, STATUS_PROTOCOL_VIOLATION, "reader feature \"%.*s\" is not among the writer features",
                             STR_ARG(p->reader_features[i]));
    return STATUS_OK;
}

/* ---- which features does the table use ---------------------------------------------- */

/* Any field at any depth with a metadata key that begins with `prefix`. */
static bool schema_has_meta(const struct delta_type *type, struct str prefix)
{
    if (type->element && schema_has_meta(type->element, prefix))
        return true;
    if (type->key && schema_has_meta(type->key, prefix))
        return true;
    for (uint32_t i = 0; i < type->field_count; i++) {
        const struct delta_field *field = &type->fields[i];
        for (uint32_t k = 0; k < field->metadata_count; k++)
            if (str_starts(field->metadata[k].key, prefix))
                return true;
        if (schema_has_meta(field->type, prefix))
            return true;
    }
    return false;
}

static bool schema_has_type(const struct delta_type *type, enum delta_type_id id)
{
    if (type->id == id || (type->element && schema_has_type(type->element, id)) || (type->key && schema_has_type(type->key, id)))
        return true;
    for (uint32_t i = 0; i < type->field_count; i++)
        if (schema_has_type(type->fields[i].type, id))
            return true;
    return false;
}

static bool has_constraint(const struct delta_metadata *m)
{
    for (uint32_t i = 0; i < m->configuration_count; i++)
        if (str_starts(m->configuration[i].key, STR("delta.constraints.")))
            return true;
    return false;
}

/* Only features with support UNUSED are asked about. */
static bool is_used(enum delta_feature_id id, const struct delta_metadata *m, const struct delta_type *schema)
{
    struct str mode;
    switch (id) {
    case DELTA_FEATURE_COLUMN_MAPPING:
        mode = delta_config(m, "delta.columnMapping.mode");
        return mode.len && !str_ieq(mode, STR("none"));
    case DELTA_FEATURE_CHECK_CONSTRAINTS:
        return has_constraint(m);
    case DELTA_FEATURE_GENERATED_COLUMNS:
        return schema_has_meta(schema, STR("delta.generationExpression"));
    case DELTA_FEATURE_IDENTITY_COLUMNS:
        return schema_has_meta(schema, STR("delta.identity."));
    case DELTA_FEATURE_INVARIANTS:
        return schema_has_meta(schema, STR("delta.invariants"));
    case DELTA_FEATURE_CHANGE_DATA_FEED:
        return delta_config_bool(m, "delta.enableChangeDataFeed", false) || delta_config_bool(m, "delta.enableChangeDataCapture", false);
    case DELTA_FEATURE_VARIANT_TYPE:
        return schema_has_type(schema, DELTA_VARIANT);
    default:
        return false;
    }
}

/* ---- may this program read, may it write ---------------------------------------------- */

static void add_missing(struct buf *missing, size_t *count, struct str name)
{
    buf_z(missing, (*count)++ ? ", \"" : "\"");
    buf_str(missing, name);
    buf_char(missing, '"');
}

static enum status report_missing(struct buf *missing, size_t count, const char *what, const char *verb, struct error *err)
{
    enum status status = buf_check(missing, err);
    if (!status && count) {
        status = error_set(err, STATUS_UNSUPPORTED_FEATURE, "the table cannot be %s: it %s the table feature%s %.*s, which %s not supported", verb,
                           what, count == 1 ? "" : "s", STR_ARG(buf_view(missing)), count == 1 ? "is" : "are");
    }
    buf_release(missing);
    return status;
}

/* Where the log is not the whole truth, reading it could give an outdated answer. */
static enum status explain_refusal(const struct delta_protocol *p, enum status status, struct error *err)
{
    static const enum delta_feature_id decided_elsewhere[] = {DELTA_FEATURE_CATALOG_MANAGED, DELTA_FEATURE_CATALOG_OWNED_PREVIEW,
                                                              DELTA_FEATURE_COORDINATED_COMMITS_PREVIEW};
    for (size_t i = 0; status == STATUS_UNSUPPORTED_FEATURE && i < VV_ARRAY_COUNT(decided_elsewhere); i++)
        if (writer_has(p, decided_elsewhere[i]))
            error_detail(err, "with \"%s\" a catalog decides which commits count, and the newest may not be in the log yet",
                         features[decided_elsewhere[i]].name);
    return status;
}

static bool support_missing(enum delta_feature_support support, bool supported, bool used)
{
    return support == DELTA_SUPPORT_NO ? supported : support == DELTA_SUPPORT_UNUSED && used;
}

enum status delta_protocol_check_read(const struct delta_protocol *p, const struct delta_metadata *m, const struct delta_type *schema,
                                      struct error *err)
{
    enum status status = check_versions(p, err);
    if (status)
        return status;
    if (p->min_reader_version > READER_FEATURES)
        return error_set(err, STATUS_UNSUPPORTED_FEATURE, "the table cannot be read: it needs reader version %d, and %d is the highest known",
                         p->min_reader_version, READER_FEATURES);
    struct buf missing = BUF_INIT;
    size_t count = 0;
    for (int i = 0; i < DELTA_FEATURE_COUNT; i++) {
        enum delta_feature_id id = (enum delta_feature_id)i;
        bool used = features[i].kind == DELTA_FEATURE_READER_WRITER && is_used(id, m, schema);
        bool without = features[i].kind == DELTA_FEATURE_WRITER && features[i].read == DELTA_SUPPORT_NO && writer_has(p, id);
        if (support_missing(features[i].read, reader_has(p, id) || used || without, used))
            add_missing(&missing, &count, str_of(features[i].name));
    }
    for (uint32_t i = 0; i < p->reader_feature_count; i++)
        if (delta_feature_find(p->reader_features[i]) == DELTA_FEATURE_COUNT)
            add_missing(&missing, &count, p->reader_features[i]);
    status = report_missing(&missing, count, "needs", "read", err);
    return status ? explain_refusal(p, status, err) : delta_type_changes_check(schema, err);
}

enum status delta_protocol_check_write(const struct delta_protocol *p, const struct delta_metadata *m, const struct delta_type *schema,
                                       struct error *err)
{
    enum status status = delta_protocol_check_read(p, m, schema, err);
    if (status)
        return status;
    if (p->min_writer_version > WRITER_FEATURES)
        return error_set(err, STATUS_UNSUPPORTED_FEATURE, "the table cannot be written: it needs writer version %d, and %d is the highest known",
                         p->min_writer_version, WRITER_FEATURES);
    struct buf missing = BUF_INIT;
    size_t count = 0;
    for (int i = 0; i < DELTA_FEATURE_COUNT; i++) {
        enum delta_feature_id id = (enum delta_feature_id)i;
        if (support_missing(features[i].write, writer_has(p, id), is_used(id, m, schema)))
            add_missing(&missing, &count, str_of(features[i].name));
    }
    for (uint32_t i = 0; i < p->writer_feature_count; i++)
        if (delta_feature_find(p->writer_features[i]) == DELTA_FEATURE_COUNT)
            add_missing(&missing, &count, p->writer_features[i]);
    return report_missing(&missing, count, "uses", "written", err);
}

bool delta_materializes_partitions(const struct delta_metadata *m)
{
    return m->materializes_partitions || delta_iceberg_compat(m) || delta_config(m, "delta.feature.materializePartitionColumns").ptr ||
           delta_config_bool(m, "delta.enableMaterializePartitionColumnsFeature", false) ||
           delta_config_bool(m, "delta.writePartitionColumnsToParquet", false);
}

/* ---- the protocol that new metadata needs -------------------------------------------------- */

struct wanted {
    bool feature[DELTA_FEATURE_COUNT];
    int reader, writer; /* versions asked for by property */
    bool by_name;       /* a feature was asked for by name: list features */
};

static enum status read_version(const struct delta_metadata *m, const char *key, int limit, int *out, struct error *err)
{
    struct str text = delta_config(m, key);
    int64_t version = 1;
    if (text.ptr && (!str_to_i64(text, &version) || version < 1 || version > limit))
        return error_set(err, STATUS_INVALID_ARGUMENT, "property \"%s\" must be from 1 to %d, not '%.*s'", key, limit, STR_ARG(text));
    *out = (int)version;
    return STATUS_OK;
}

static void want_by_schema(const struct delta_type *schema, struct wanted *w)
{
    static const struct {
        const char *key;
        enum delta_feature_id feature;
    } marks[] = {{"delta.generationExpression", DELTA_FEATURE_GENERATED_COLUMNS},
                 {"delta.identity.", DELTA_FEATURE_IDENTITY_COLUMNS},
                 {"delta.invariants", DELTA_FEATURE_INVARIANTS},
                 {"CURRENT_DEFAULT", DELTA_FEATURE_ALLOW_COLUMN_DEFAULTS}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(marks); i++)
        if (schema_has_meta(schema, str_of(marks[i].key)))
            w->feature[marks[i].feature] = true;
    if (schema_has_type(schema, DELTA_TIMESTAMP_NTZ))
        w->feature[DELTA_FEATURE_TIMESTAMP_NTZ] = true;
    if (schema_has_type(schema, DELTA_VARIANT))
        w->feature[DELTA_FEATURE_VARIANT_TYPE] = true;
}

/* What a feature cannot do without (protocol: the requirements of each feature). */
static void want_dependencies(struct wanted *w)
{
    static const enum delta_feature_id needs[][2] = {
        {DELTA_FEATURE_ICEBERG_COMPAT_V3, DELTA_FEATURE_ROW_TRACKING},   {DELTA_FEATURE_ICEBERG_COMPAT_V1, DELTA_FEATURE_COLUMN_MAPPING},
        {DELTA_FEATURE_ICEBERG_COMPAT_V2, DELTA_FEATURE_COLUMN_MAPPING}, {DELTA_FEATURE_ICEBERG_COMPAT_V3, DELTA_FEATURE_COLUMN_MAPPING},
        {DELTA_FEATURE_ROW_TRACKING, DELTA_FEATURE_DOMAIN_METADATA},     {DELTA_FEATURE_CLUSTERING, DELTA_FEATURE_DOMAIN_METADATA},
        {DELTA_FEATURE_VARIANT_SHREDDING, DELTA_FEATURE_VARIANT_TYPE}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(needs); i++)
        w->feature[needs[i][1]] |= w->feature[needs[i][0]];
}

static enum status gather_wanted(const struct delta_metadata *m, const struct delta_type *schema, struct wanted *w, struct error *err)
{
    *w = (struct wanted){0};
    enum status status = read_version(m, "delta.minReaderVersion", READER_FEATURES, &w->reader, err);
    if (!status)
        status = read_version(m, "delta.minWriterVersion", WRITER_FEATURES, &w->writer, err);
    if (status)
        return status;
    for (uint32_t i = 0; i < m->configuration_count; i++) {
        struct str key = m->configuration[i].key, value = m->configuration[i].value;
        enum delta_feature_id asked = delta_property_feature(key, value);
        if (asked != DELTA_FEATURE_COUNT)
            w->feature[asked] = true;
        if (!str_starts(key, STR("delta.feature.")))
            continue;
        if ((status = delta_property_check(key, value, err)))
            return status;
        w->feature[delta_feature_find(str_sub(key, 14, key.len - 14))] = true;
        w->by_name = true;
    }
    want_by_schema(schema, w);
    want_dependencies(w);
    return STATUS_OK;
}

/* The old alias counts as the feature, and so does the name it had before it was final. */
static bool supports(const struct delta_protocol *p, enum delta_feature_id id)
{
    static const struct {
        enum delta_feature_id feature, alias;
    } aliases[] = {{DELTA_FEATURE_TIMESTAMP_NTZ, DELTA_FEATURE_TIMESTAMP_NTZ_ALIAS},
                   {DELTA_FEATURE_TYPE_WIDENING, DELTA_FEATURE_TYPE_WIDENING_PREVIEW},
                   {DELTA_FEATURE_VARIANT_TYPE, DELTA_FEATURE_VARIANT_TYPE_PREVIEW},
                   {DELTA_FEATURE_VARIANT_SHREDDING, DELTA_FEATURE_VARIANT_SHREDDING_PREVIEW}};
    if (delta_protocol_has(p, id))
        return true;
    for (size_t i = 0; i < VV_ARRAY_COUNT(aliases); i++)
        if (aliases[i].feature == id && delta_protocol_has(p, aliases[i].alias))
            return true;
    return false;
}

/* The lowest legacy versions that hold everything wanted, or (3|existing reader, 7). */
static void choose_versions(const struct delta_protocol *base, const struct wanted *w, int *reader, int *writer)
{
    *reader = base->min_reader_version > w->reader ? base->min_reader_version : w->reader;
    *writer = base->min_writer_version > w->writer ? base->min_writer_version : w->writer;
    for (int i = 0; i < DELTA_FEATURE_COUNT; i++) {
        if (!w->feature[i] || supports(base, (enum delta_feature_id)i))
            continue;
        const struct delta_feature_info *info = &features[i];
        bool reads = info->kind == DELTA_FEATURE_READER_WRITER;
        if (w->by_name || !info->legacy_writer) {
            *writer = WRITER_FEATURES;
            *reader = reads ? READER_FEATURES : *reader;
            continue;
        }
        *writer = *writer > info->legacy_writer ? *writer : info->legacy_writer;
        *reader = reads && *reader < info->legacy_reader ? info->legacy_reader : *reader;
    }
    if (*reader == READER_FEATURES)
        *writer = WRITER_FEATURES;
}

struct name_list {
    struct str *names;
    uint32_t count;
};

/* The names in `old`, then every known feature that the old protocol had or that is wanted. */
static bool list_features(struct arena *arena, const struct delta_protocol *base, const struct wanted *w, bool reader_list, struct name_list *out)
{
    const struct str *old = reader_list ? base->reader_features : base->writer_features;
    uint32_t old_count = reader_list ? base->reader_feature_count : base->writer_feature_count;
    out->names = ARENA_ARRAY(arena, struct str, old_count + DELTA_FEATURE_COUNT);
    if (!out->names)
        return false;
    for (uint32_t i = 0; i < old_count; i++) {
        out->names[out->count] = arena_str(arena, old[i]);
        if (!out->names[out->count++].ptr)
            return false;
    }
    for (int i = 0; i < DELTA_FEATURE_COUNT; i++) {
        enum delta_feature_id id = (enum delta_feature_id)i;
        struct str name = str_of(features[i].name);
        if (reader_list && features[i].kind != DELTA_FEATURE_READER_WRITER)
            continue;
        bool had = reader_list ? reader_has(base, id) : writer_has(base, id);
        bool add = had || (w->feature[i] && !supports(base, id));
        if (add && !listed(out->names, out->count, name))
            out->names[out->count++] = name;
    }
    return true;
}

enum status delta_protocol_derive(struct arena *arena, const struct delta_protocol *existing, const struct delta_metadata *m,
                                  const struct delta_type *schema, struct delta_protocol *out, bool *changed, struct error *err)
{
    static const struct delta_protocol smallest = {.min_reader_version = 1, .min_writer_version = 2};
    const struct delta_protocol *base = existing ? existing : &smallest;
    struct wanted w;
    struct name_list readers = {0}, writers = {0};
    int reader, writer;
    *changed = false;
    *out = (struct delta_protocol){0};
    enum status status = gather_wanted(m, schema, &w, err);
    if (status)
        return status;
    choose_versions(base, &w, &reader, &writer);
    if (reader >= READER_FEATURES && !list_features(arena, base, &w, true, &readers))
        return error_oom(err);
    if (writer >= WRITER_FEATURES && !list_features(arena, base, &w, false, &writers))
        return error_oom(err);
    *out = (struct delta_protocol){reader, writer, readers.names, writers.names, readers.count, writers.count};
    *changed = !existing || existing->min_reader_version != reader || existing->min_writer_version != writer ||
               existing->reader_feature_count != readers.count || existing->writer_feature_count != writers.count;
    return STATUS_OK;
}

/* ---- the protocol without a feature --------------------------------------------------------- */

static bool same_features(const struct delta_protocol *a, const struct delta_protocol *b)
{
    for (int i = 0; i < DELTA_FEATURE_COUNT; i++) {
        enum delta_feature_id id = (enum delta_feature_id)i;
        if (writer_has(a, id) != writer_has(b, id) || reader_has(a, id) != reader_has(b, id))
            return false;
    }
    return true;
}

/* Names that are not known here stay: then only lists can say it. */
static bool has_unknown(const struct delta_protocol *p)
{
    for (uint32_t i = 0; i < p->writer_feature_count; i++)
        if (delta_feature_find(p->writer_features[i]) == DELTA_FEATURE_COUNT)
            return true;
    return false;
}

static bool legacy_form(const struct delta_protocol *p, struct delta_protocol *out)
{
    for (int reader = 1; reader < READER_FEATURES && !has_unknown(p); reader++)
        for (int writer = 1; writer < WRITER_FEATURES; writer++) {
            *out = (struct delta_protocol){.min_reader_version = reader, .min_writer_version = writer};
            if (same_features(p, out))
                return true;
        }
    return false;
}

static bool drop_name(struct arena *arena, const struct str *names, uint32_t count, struct str name, struct str **out, uint32_t *out_count)
{
    *out = ARENA_ARRAY(arena, struct str, count + 1);
    *out_count = 0;
    for (uint32_t i = 0; *out && i < count; i++)
        if (!str_eq(names[i], name))
            (*out)[(*out_count)++] = names[i];
    return *out != NULL;
}

enum status delta_protocol_without(struct arena *arena, const struct delta_protocol *p, enum delta_feature_id id, struct delta_protocol *out,
                                   struct error *err)
{
    static const struct wanted nothing = {.by_name = true};
    struct name_list readers = {0}, writers = {0};
    struct delta_protocol legacy;
    bool reader_lists = false;
    *out = (struct delta_protocol){.min_reader_version = 1, .min_writer_version = WRITER_FEATURES};
    if (!list_features(arena, p, &nothing, true, &readers) || !list_features(arena, p, &nothing, false, &writers))
        return error_oom(err);
    if (!drop_name(arena, readers.names, readers.count, str_of(features[id].name), &out->reader_features, &out->reader_feature_count) ||
        !drop_name(arena, writers.names, writers.count, str_of(features[id].name), &out->writer_features, &out->writer_feature_count))
        return error_oom(err);
    for (uint32_t i = 0; i < out->reader_feature_count; i++) {
        enum delta_feature_id left = delta_feature_find(out->reader_features[i]);
        int version = left == DELTA_FEATURE_COUNT || !features[left].legacy_reader ? READER_FEATURES : features[left].legacy_reader;
        out->min_reader_version = version > out->min_reader_version ? version : out->min_reader_version;
        reader_lists |= version == READER_FEATURES;
    }
    if (!reader_lists)
        out->reader_feature_count = 0;
    if (legacy_form(out, &legacy))
        *out = legacy;
    return STATUS_OK;
}
