/* delta/action.c: the lines of commit files (protocol: "Actions"), read and written.
 *
 * Each action is described by a table of its fields; one loop reads them all.  Unknown actions and unknown
 * fields are passed over, as the protocol asks; a known field with a value of the wrong kind is damage. */
#include "delta/delta_int.h"

enum field_kind {
    FIELD_TEXT,
    FIELD_I64,
    FIELD_SIZE, /* an i64 that may not be negative */
    FIELD_I32,
    FIELD_BOOL,
    FIELD_TEXTS,      /* array of strings; count at `second` */
    FIELD_PROPERTIES, /* object of strings; count at `second` */
    FIELD_DV,         /* deletionVector; has_dv at `second` */
    FIELD_FORMAT      /* format of metaData: only Parquet */
};
struct field {
    struct str name;
    enum field_kind kind;
    bool required;
    size_t first, second; /* offsets in the struct that is filled */
};
#define FIELD(KIND, NAME, REQUIRED, T, MEMBER)                                                                                                       \
    {                                                                                                                                                \
        {NAME, sizeof(NAME) - 1}, FIELD_##KIND, REQUIRED, offsetof(struct T, MEMBER), 0                                                              \
    }
#define FIELD2(KIND, NAME, REQUIRED, T, MEMBER, COUNT)                                                                                               \
    {                                                                                                                                                \
        {NAME, sizeof(NAME) - 1}, FIELD_##KIND, REQUIRED, offsetof(struct T, MEMBER), offsetof(struct T, COUNT)                                      \
    }

static const struct field add_fields[] = {
    FIELD(TEXT, "path", true, delta_action_add, path),
    FIELD2(PROPERTIES, "partitionValues", false, delta_action_add, partition_values, partition_value_count),
    FIELD(SIZE, "size", true, delta_action_add, size_bytes),
    FIELD(I64, "modificationTime", false, delta_action_add, modified_ms),
    FIELD(BOOL, "dataChange", false, delta_action_add, data_change),
    FIELD(TEXT, "stats", false, delta_action_add, stats),
    FIELD2(DV, "deletionVector", false, delta_action_add, dv, has_dv),
    FIELD(SIZE, "baseRowId", false, delta_action_add, base_row_id),
    FIELD(SIZE, "defaultRowCommitVersion", false, delta_action_add, row_commit_version),
};
static const struct field remove_fields[] = {
    FIELD(TEXT, "path", true, delta_action_remove, path),
    FIELD(I64, "deletionTimestamp", false, delta_action_remove, deletion_timestamp_ms),
    FIELD(BOOL, "dataChange", false, delta_action_remove, data_change),
    FIELD2(PROPERTIES, "partitionValues", false, delta_action_remove, partition_values, partition_value_count),
    FIELD(SIZE, "size", false, delta_action_remove, size_bytes),
    FIELD2(DV, "deletionVector", false, delta_action_remove, dv, has_dv),
};
static const struct field cdc_fields[] = {
    FIELD(TEXT, "path", true, delta_action_cdc, path),
    FIELD2(PROPERTIES, "partitionValues", false, delta_action_cdc, partition_values, partition_value_count),
    FIELD(SIZE, "size", false, delta_action_cdc, size_bytes),
};
static const struct field dv_fields[] = {
    FIELD(TEXT, "storageType", true, delta_dv, storage),      FIELD(TEXT, "pathOrInlineDv", true, delta_dv, path),
    FIELD(SIZE, "offset", false, delta_dv, offset),           FIELD(SIZE, "sizeInBytes", false, delta_dv, size_bytes),
    FIELD(SIZE, "cardinality", false, delta_dv, cardinality),
};
static const struct field app_fields[] = {
    FIELD(TEXT, "appId", true, delta_app_version, app_id),
    FIELD(I64, "version", true, delta_app_version, version),
    FIELD(I64, "lastUpdated", false, delta_app_version, last_updated_ms),
};
static const struct field domain_fields[] = {
    FIELD(TEXT, "domain", true, delta_action_domain, domain.domain),
    FIELD(TEXT, "configuration", false, delta_action_domain, domain.configuration),
    FIELD(BOOL, "removed", false, delta_action_domain, removed),
};
static const struct field protocol_fields[] = {
    FIELD(I32, "minReaderVersion", true, delta_protocol, min_reader_version),
    FIELD(I32, "minWriterVersion", true, delta_protocol, min_writer_version),
    FIELD2(TEXTS, "readerFeatures", false, delta_protocol, reader_features, reader_feature_count),
    FIELD2(TEXTS, "writerFeatures", false, delta_protocol, writer_features, writer_feature_count),
};
static const struct field metadata_fields[] = {
    FIELD(TEXT, "id", false, delta_metadata, id),
    FIELD(TEXT, "name", false, delta_metadata, name),
    FIELD(TEXT, "description", false, delta_metadata, description),
    FIELD(FORMAT, "format", false, delta_metadata, id),
    FIELD(TEXT, "schemaString", false, delta_metadata, schema_string),
    FIELD2(TEXTS, "partitionColumns", false, delta_metadata, partition_columns, partition_column_count),
    FIELD(I64, "createdTime", false, delta_metadata, created_time_ms),
    FIELD2(PROPERTIES, "configuration", false, delta_metadata, configuration, configuration_count),
};
static const struct field commit_info_fields[] = {
    FIELD(I64, "inCommitTimestamp", false, delta_commit, in_commit_timestamp_ms),
    FIELD(TEXT, "operation", false, delta_commit, operation),
    FIELD(TEXT, "txnId", false, delta_commit, txn_id),
    FIELD(BOOL, "isBlindAppend", false, delta_commit, is_blind_append),
};
static const struct field sidecar_fields[] = {
    FIELD(TEXT, "path", true, delta_action_sidecar, path),
    FIELD(SIZE, "sizeInBytes", true, delta_action_sidecar, size_bytes),
    FIELD(I64, "modificationTime", false, delta_action_sidecar, modified_ms),
};
static const struct field checkpoint_metadata_fields[] = {
    FIELD(SIZE, "version", true, delta_action_checkpoint_metadata, version),
    FIELD2(PROPERTIES, "tags", false, delta_action_checkpoint_metadata, tags, tag_count),
};

/* One line being read.  `where` is the node a complaint is about. */
struct reading {
    struct delta_commit *commit;
    struct json json;
    struct str line;
    struct str action; /* "add" */
    enum status status;
    size_t offset; /* of the complaint, in the line */
    struct error *err;
};

static bool out_of_memory(struct reading *r)
{
    r->status = error_oom(r->err);
    return false;
}

static bool complain(struct reading *r, uint32_t node, struct str field, const char *what)
{
    r->status = STATUS_CORRUPT_LOG;
    r->offset = (size_t)(r->json.nodes[node].text.ptr - r->line.ptr);
    error_set(r->err, STATUS_CORRUPT_LOG, "%.*s.%.*s %s", STR_ARG(r->action), STR_ARG(field), what);
    return false;
}

static bool read_text(struct reading *r, uint32_t node, struct str field, struct str *out)
{
    if (r->json.nodes[node].type != JSON_STRING)
        return complain(r, node, field, "is not a string");
    *out = json_text(&r->json, node, &r->commit->arena);
    return out->ptr || out_of_memory(r);
}

static bool read_texts(struct reading *r, uint32_t node, struct str field, struct str **out, uint32_t *count)
{
    const struct json_node *n = &r->json.nodes[node];
    if (n->type != JSON_ARRAY)
        return complain(r, node, field, "is not an array");
    struct str *texts = ARENA_ARRAY(&r->commit->arena, struct str, n->count);
    if (!texts)
        return out_of_memory(r);
    uint32_t at = 0;
    for (uint32_t i = json_first(&r->json, node); i < n->next; i = json_next(&r->json, i))
        if (!read_text(r, i, field, &texts[at++]))
            return false;
    *out = texts;
    *count = at;
    return true;
}

/* Values are strings or null; numbers and booleans, which some writers left unquoted, keep their text. */
static bool read_property(struct reading *r, uint32_t key, struct str field, struct delta_property *out)
{
    if (!read_text(r, key, field, &out->key))
        return false;
    const struct json_node *value = &r->json.nodes[key + 1];
    switch (value->type) {
    case JSON_NULL:
        out->value = STR_NULL;
        return true;
    case JSON_STRING:
        return read_text(r, key + 1, field, &out->value);
    case JSON_OBJECT:
    case JSON_ARRAY:
        return complain(r, key + 1, field, "holds a value that is not a string");
    default:
        out->value = value->text;
        return true;
    }
}

static bool read_properties(struct reading *r, uint32_t node, struct str field, struct delta_property **out, uint32_t *count)
{
    const struct json_node *n = &r->json.nodes[node];
    if (n->type != JSON_OBJECT)
        return complain(r, node, field, "is not an object");
    *out = NULL;
    *count = 0;
    if (n->count == 0)
        return true;
    struct delta_property *properties = ARENA_ARRAY(&r->commit->arena, struct delta_property, n->count);
    if (!properties)
        return out_of_memory(r);
    uint32_t at = 0;
    for (uint32_t i = json_first(&r->json, node); i < n->next; i = json_next(&r->json, i + 1))
        if (!read_property(r, i, field, &properties[at++]))
            return false;
    *out = properties;
    *count = at;
    return true;
}

static bool read_integer(struct reading *r, uint32_t node, const struct field *f, int64_t *out)
{
    if (!json_i64(&r->json, node, out))
        return complain(r, node, f->name, "is not a 64-bit integer");
    if (f->kind == FIELD_SIZE && *out < 0)
        return complain(r, node, f->name, "is negative");
    if (f->kind == FIELD_I32 && (*out < 0 || *out > INT32_MAX))
        return complain(r, node, f->name, "is out of range");
    return true;
}

static bool read_format(struct reading *r, uint32_t node)
{
    uint32_t provider = json_member(&r->json, node, "provider");
    if (!provider || r->json.nodes[provider].type != JSON_STRING)
        return true;
    struct str name = r->json.nodes[provider].text;
    if (str_ieq(name, STR("parquet")))
        return true;
    r->status = error_set(r->err, STATUS_UNSUPPORTED_FEATURE, "data files of format \"%.*s\" are not supported", STR_ARG(name));
    return false;
}

static bool read_object(struct reading *r, uint32_t node, struct str name, const struct field *fields, size_t field_count, void *into);

static bool read_dv(struct reading *r, uint32_t node, struct delta_dv *dv)
{
    dv->offset = -1;
    return read_object(r, node, STR("deletionVector"), dv_fields, VV_ARRAY_COUNT(dv_fields), dv);
}

static bool read_field(struct reading *r, uint32_t node, const struct field *f, char *into)
{
    void *first = into + f->first, *second = into + f->second;
    int64_t number;
    switch (f->kind) {
    case FIELD_TEXT:
        return read_text(r, node, f->name, first);
    case FIELD_I64:
    case FIELD_SIZE:
        return read_integer(r, node, f, first);
    case FIELD_I32:
        if (!read_integer(r, node, f, &number))
            return false;
        *(int32_t *)first = (int32_t)number;
        return true;
    case FIELD_BOOL:
        return json_bool(&r->json, node, first) || complain(r, node, f->name, "is not true or false");
    case FIELD_TEXTS:
        return read_texts(r, node, f->name, first, second);
    case FIELD_PROPERTIES:
        return read_properties(r, node, f->name, first, second);
    case FIELD_DV:
        *(bool *)second = true;
        return read_dv(r, node, first);
    case FIELD_FORMAT:
        return read_format(r, node);
    }
    return true;
}

/* The field a key names, or field_count.  Writers keep the order of the protocol, so the search begins at `guess`. */
static size_t find_field(const struct field *fields, size_t field_count, size_t guess, struct str key)
{
    for (size_t i = 0; i < field_count; i++) {
        size_t at = guess + i < field_count ? guess + i : guess + i - field_count;
        if (fields[at].name.len == key.len && memcmp(fields[at].name.ptr, key.ptr, key.len) == 0)
            return at;
    }
    return field_count;
}

static bool check_required(struct reading *r, uint32_t node, const struct field *fields, size_t field_count, uint32_t seen)
{
    for (size_t i = 0; i < field_count; i++)
        if (fields[i].required && !(seen >> i & 1))
            return complain(r, node, fields[i].name, "is missing");
    return true;
}

static bool read_object(struct reading *r, uint32_t node, struct str name, const struct field *fields, size_t field_count, void *into)
{
    const struct json_node *n = &r->json.nodes[node];
    if (n->type != JSON_OBJECT)
        return complain(r, node, name, "is not an object");
    uint32_t seen = 0;
    size_t guess = 0;
    for (uint32_t i = json_first(&r->json, node); i < n->next; i = json_next(&r->json, i + 1)) {
        struct str key = json_text(&r->json, i, &r->commit->arena);
        if (!key.ptr)
            return out_of_memory(r);
        size_t f = find_field(fields, field_count, guess, key);
        if (f == field_count || r->json.nodes[i + 1].type == JSON_NULL)
            continue;
        if (!read_field(r, i + 1, &fields[f], into))
            return false;
        seen |= 1u << f;
        guess = f + 1 < field_count ? f + 1 : 0;
    }
    return check_required(r, node, fields, field_count, seen);
}
#define READ(r, node, FIELDS, into) read_object(r, node, STR("value"), FIELDS, VV_ARRAY_COUNT(FIELDS), into)

/* Room for one more: arrays double in the arena. */
static void *grow(struct arena *arena, void *items, size_t count, size_t item_bytes)
{
    if (count & (count - 1))
        return items;
    void *bigger = arena_alloc(arena, (count ? count * 2 : 1) * item_bytes);
    if (bigger && count)
        memcpy(bigger, items, count * item_bytes);
    return bigger;
}

static bool read_add(struct reading *r, uint32_t node)
{
    struct delta_commit *c = r->commit;
    struct delta_action_add *adds = grow(&c->arena, c->adds, c->add_count, sizeof *adds);
    if (!adds)
        return out_of_memory(r);
    c->adds = adds;
    struct delta_action_add *add = &adds[c->add_count];
    *add = (struct delta_action_add){.data_change = true, .base_row_id = -1, .row_commit_version = -1, .raw = r->line};
    if (!READ(r, node, add_fields, add))
        return false;
    if (add->path.len == 0)
        return complain(r, node, STR("path"), "is empty");
    c->add_count++;
    return true;
}

static bool read_remove(struct reading *r, uint32_t node)
{
    struct delta_commit *c = r->commit;
    struct delta_action_remove *removes = grow(&c->arena, c->removes, c->remove_count, sizeof *removes);
    if (!removes)
        return out_of_memory(r);
    c->removes = removes;
    struct delta_action_remove *gone = &removes[c->remove_count];
    *gone = (struct delta_action_remove){.data_change = true, .raw = r->line};
    if (!READ(r, node, remove_fields, gone))
        return false;
    c->remove_count++;
    return true;
}

static bool read_cdc(struct reading *r, uint32_t node)
{
    struct delta_commit *c = r->commit;
    struct delta_action_cdc *cdcs = grow(&c->arena, c->cdcs, c->cdc_count, sizeof *cdcs);
    if (!cdcs)
        return out_of_memory(r);
    c->cdcs = cdcs;
    cdcs[c->cdc_count] = (struct delta_action_cdc){0};
    if (!READ(r, node, cdc_fields, &cdcs[c->cdc_count]))
        return false;
    c->cdc_count++;
    return true;
}

static bool read_app(struct reading *r, uint32_t node)
{
    struct delta_commit *c = r->commit;
    struct delta_action_app *apps = grow(&c->arena, c->apps, c->app_count, sizeof *apps);
    if (!apps)
        return out_of_memory(r);
    c->apps = apps;
    apps[c->app_count] = (struct delta_action_app){.app.last_updated_ms = INT64_MIN, .raw = r->line};
    if (!READ(r, node, app_fields, &apps[c->app_count].app))
        return false;
    c->app_count++;
    return true;
}

static bool read_domain(struct reading *r, uint32_t node)
{
    struct delta_commit *c = r->commit;
    struct delta_action_domain *domains = grow(&c->arena, c->domains, c->domain_count, sizeof *domains);
    if (!domains)
        return out_of_memory(r);
    c->domains = domains;
    domains[c->domain_count] = (struct delta_action_domain){.domain.configuration = STR(""), .raw = r->line};
    if (!READ(r, node, domain_fields, &domains[c->domain_count]))
        return false;
    c->domain_count++;
    return true;
}

/* A commit has at most one of these (protocol: "Actions").  The parts of a checkpoint, which have no text of their own, may repeat them. */
static bool only_one(struct reading *r, uint32_t node, bool has_one)
{
    if (!has_one || !r->commit->text.ptr)
        return true;
    r->status = error_set(r->err, STATUS_PROTOCOL_VIOLATION, "the commit has more than one %.*s action", STR_ARG(r->action));
    r->offset = (size_t)(r->json.nodes[node].text.ptr - r->line.ptr);
    return false;
}

static bool read_protocol(struct reading *r, uint32_t node)
{
    struct delta_commit *c = r->commit;
    if (!only_one(r, node, c->has_protocol))
        return false;
    c->protocol = (struct delta_protocol){0};
    c->has_protocol = true;
    c->protocol_raw = r->line;
    return READ(r, node, protocol_fields, &c->protocol);
}

static bool read_metadata(struct reading *r, uint32_t node)
{
    struct delta_commit *c = r->commit;
    if (!only_one(r, node, c->has_metadata))
        return false;
    c->metadata = (struct delta_metadata){.id = STR(""), .created_time_ms = INT64_MIN};
    c->has_metadata = true;
    c->metadata_raw = r->line;
    return READ(r, node, metadata_fields, &c->metadata);
}

static bool read_commit_info(struct reading *r, uint32_t node)
{
    struct delta_commit *c = r->commit;
    c->has_commit_info = true;
    c->commit_info = r->json.nodes[node].text;
    return READ(r, node, commit_info_fields, c);
}

static bool read_sidecar(struct reading *r, uint32_t node)
{
    struct delta_commit *c = r->commit;
    struct delta_action_sidecar *sidecars = grow(&c->arena, c->sidecars, c->sidecar_count, sizeof *sidecars);
    if (!sidecars)
        return out_of_memory(r);
    c->sidecars = sidecars;
    sidecars[c->sidecar_count] = (struct delta_action_sidecar){0};
    if (!READ(r, node, sidecar_fields, &sidecars[c->sidecar_count]))
        return false;
    c->sidecar_count++;
    return true;
}

static bool read_checkpoint_metadata(struct reading *r, uint32_t node)
{
    struct delta_commit *c = r->commit;
    if (!only_one(r, node, c->has_checkpoint_metadata))
        return false;
    c->has_checkpoint_metadata = true;
    c->checkpoint_metadata = (struct delta_action_checkpoint_metadata){0};
    return READ(r, node, checkpoint_metadata_fields, &c->checkpoint_metadata);
}

static const struct {
    struct str name;
    bool (*read)(struct reading *r, uint32_t node);
} actions[] = {
    {{"add", 3}, read_add},
    {{"remove", 6}, read_remove},
    {{"cdc", 3}, read_cdc},
    {{"commitInfo", 10}, read_commit_info},
    {{"txn", 3}, read_app},
    {{"metaData", 8}, read_metadata},
    {{"protocol", 8}, read_protocol},
    {{"domainMetadata", 14}, read_domain},
    {{"checkpointMetadata", 18}, read_checkpoint_metadata},
    {{"sidecar", 7}, read_sidecar},
};

static bool read_action(struct reading *r, uint32_t key)
{
    if (r->json.nodes[key + 1].type == JSON_NULL)
        return true;
    r->action = json_text(&r->json, key, &r->commit->arena);
    if (!r->action.ptr)
        return out_of_memory(r);
    for (size_t i = 0; i < VV_ARRAY_COUNT(actions); i++)
        if (str_eq(r->action, actions[i].name))
            return actions[i].read(r, key + 1);
    return true;
}

/* Spark's reader takes the first value of a line and leaves the rest, and logs are found that rely on it.  Here the rest may
 * not have a character that JSON is made of: two actions on one line are damage, not an action and a remark. */
static bool is_remark(struct str rest)
{
    for (size_t i = 0; i < rest.len; i++)
        if (strchr("{}[]\",:\\", rest.ptr[i])) /* NUL too */
            return false;
    return true;
}

/* A remark is cut off *text. */
static enum status parse_json_line(struct arena *tape, struct str *text, struct json *json, size_t *offset, struct error *err)
{
    struct str line = *text;
    struct error failure = ERROR_INIT;
    enum status status = json_parse(tape, line, json, &failure);
    size_t end = failure.position > 0 ? (size_t)failure.position : 0;
    struct str value = str_trim(str_sub(line, 0, end));
    if (status == STATUS_SYNTAX && str_ends(value, STR("}")) && is_remark(str_sub(line, end, line.len - end)) &&
        json_parse(tape, value, json, NULL) == STATUS_OK) {
        error_release(&failure);
        *text = value;
        return STATUS_OK;
    }
    if (status != STATUS_OK)
        error_move(err, &failure);
    *offset = end;
    return status == STATUS_SYNTAX ? STATUS_CORRUPT_LOG : status;
}

/* The line stays where it is while the commit is used. *offset is where in the line the trouble is. */
static enum status parse_line(struct delta_commit *c, struct arena *tape, struct str line, size_t *offset, struct error *err)
{
    struct reading r = {.commit = c, .line = line, .err = err};
    *offset = 0;
    enum status status = parse_json_line(tape, &r.line, &r.json, offset, err);
    if (status != STATUS_OK)
        return status;
    if (r.json.nodes[0].type != JSON_OBJECT)
        return error_set(err, STATUS_CORRUPT_LOG, "an action is not a JSON object");
    for (uint32_t i = json_first(&r.json, 0); i < r.json.nodes[0].next; i = json_next(&r.json, i + 1))
        if (!read_action(&r, i)) {
            *offset = r.offset;
            return r.status;
        }
    return STATUS_OK;
}

/* Says where it is that a line cannot be read; the complaint itself becomes the detail. */
static enum status locate_failure(struct error *err, struct str file, size_t line, size_t byte)
{
    struct error cause = ERROR_INIT;
    if (!err)
        return STATUS_CORRUPT_LOG;
    error_move(&cause, err);
    error_set(err, STATUS_CORRUPT_LOG, "log file \"%.*s\" is damaged at line %zu, byte %zu", STR_ARG(file), line, byte);
    if (cause.message)
        error_detail(err, "%s", cause.message);
    error_release(&cause);
    return STATUS_CORRUPT_LOG;
}

enum status delta_commit_parse(struct buf *text, int64_t version, struct str file_name, struct delta_commit *out, struct error *err)
{
    struct arena arena = ARENA_INIT;
    return delta_commit_parse_in(&arena, text, version, file_name, out, err);
}

enum status delta_commit_parse_in(struct arena *arena, struct buf *text, int64_t version, struct str file_name, struct delta_commit *out,
                                  struct error *err)
{
    enum status status = STATUS_OK;
    struct arena tape = ARENA_INIT;
    *out = (struct delta_commit){.version = version, .in_commit_timestamp_ms = INT64_MIN, .text = *text, .arena = *arena};
    *text = (struct buf){.max_bytes = text->max_bytes};
    *arena = ARENA_INIT;
    struct str rest = buf_view(&out->text);
    for (size_t number = 1; rest.len && status == STATUS_OK; number++) {
        const char *end = memchr(rest.ptr, '\n', rest.len);
        size_t len = end ? (size_t)(end - rest.ptr) : rest.len;
        struct str line = str_trim(str_sub(rest, 0, len));
        size_t offset = 0;
        if (line.len)
            status = parse_line(out, &tape, line, &offset, err);
        if (status == STATUS_CORRUPT_LOG)
            locate_failure(err, file_name, number, (size_t)(line.ptr - out->text.ptr) + offset);
        len += end != NULL;
        rest = str_sub(rest, len, rest.len - len);
        arena_clear(&tape);
    }
    arena_release(&tape);
    if (status != STATUS_OK)
        delta_commit_release(out);
    return status;
}

enum status delta_commit_add_action(struct delta_commit *c, struct str line, struct error *err)
{
    struct arena tape = ARENA_INIT;
    size_t offset;
    struct str copy = arena_str(&c->arena, line);
    if (!copy.ptr)
        return error_oom(err);
    enum status status = parse_line(c, &tape, copy, &offset, err);
    if (status == STATUS_CORRUPT_LOG)
        error_set(err, status, "an action cannot be read at byte %zu of \"%.*s\"", offset, (int)(line.len < 200 ? line.len : 200), line.ptr);
    arena_release(&tape);
    return status;
}

void delta_commit_release(struct delta_commit *c)
{
    arena_release(&c->arena);
    buf_release(&c->text);
    *c = (struct delta_commit){0};
}

/* ---- writing ---------------------------------------------------------------------------- */

static void put_text(struct buf *out, const char *key, struct str value, bool *first)
{
    if (!value.ptr)
        return;
    json_put_key(out, key, first);
    json_put_string(out, value);
}

static void put_i64(struct buf *out, const char *key, int64_t value, bool *first)
{
    json_put_key(out, key, first);
    buf_i64(out, value);
}

static void put_texts(struct buf *out, const char *key, const struct str *texts, uint32_t count, bool *first)
{
    json_put_key(out, key, first);
    buf_char(out, '[');
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_char(out, ',');
        json_put_string(out, texts[i]);
    }
    buf_char(out, ']');
}

static void put_properties(struct buf *out, const char *key, const struct delta_property *properties, uint32_t count, bool *first)
{
    json_put_key(out, key, first);
    buf_char(out, '{');
    for (uint32_t i = 0; i < count; i++) {
        if (i)
            buf_char(out, ',');
        json_put_string(out, properties[i].key);
        buf_char(out, ':');
        if (properties[i].value.ptr)
            json_put_string(out, properties[i].value);
        else
            buf_z(out, "null");
    }
    buf_char(out, '}');
}

void delta_put_protocol(struct buf *out, const struct delta_protocol *p)
{
    bool first = true;
    buf_char(out, '{');
    put_i64(out, "minReaderVersion", p->min_reader_version, &first);
    put_i64(out, "minWriterVersion", p->min_writer_version, &first);
    if (p->min_reader_version >= 3)
        put_texts(out, "readerFeatures", p->reader_features, p->reader_feature_count, &first);
    if (p->min_writer_version >= 7)
        put_texts(out, "writerFeatures", p->writer_features, p->writer_feature_count, &first);
    buf_char(out, '}');
}

void delta_put_metadata(struct buf *out, const struct delta_metadata *m)
{
    bool first = true;
    buf_char(out, '{');
    put_text(out, "id", m->id, &first);
    put_text(out, "name", m->name, &first);
    put_text(out, "description", m->description, &first);
    json_put_key(out, "format", &first);
    buf_z(out, "{\"provider\":\"parquet\",\"options\":{}}");
    put_text(out, "schemaString", m->schema_string, &first);
    put_texts(out, "partitionColumns", m->partition_columns, m->partition_column_count, &first);
    put_properties(out, "configuration", m->configuration, m->configuration_count, &first);
    if (m->created_time_ms != INT64_MIN)
        put_i64(out, "createdTime", m->created_time_ms, &first);
    buf_char(out, '}');
}

void delta_put_app(struct buf *out, const struct delta_app_version *app)
{
    bool first = true;
    buf_char(out, '{');
    put_text(out, "appId", app->app_id, &first);
    put_i64(out, "version", app->version, &first);
    if (app->last_updated_ms != INT64_MIN)
        put_i64(out, "lastUpdated", app->last_updated_ms, &first);
    buf_char(out, '}');
}

void delta_put_domain(struct buf *out, const struct delta_domain *d, bool removed)
{
    bool first = true;
    buf_char(out, '{');
    put_text(out, "domain", d->domain, &first);
    put_text(out, "configuration", d->configuration, &first);
    json_put_key(out, "removed", &first);
    buf_z(out, removed ? "true" : "false");
    buf_char(out, '}');
}

void delta_write_protocol(struct buf *out, const struct delta_protocol *p)
{
    buf_z(out, "{\"protocol\":");
    delta_put_protocol(out, p);
    buf_z(out, "}\n");
}

void delta_write_metadata(struct buf *out, const struct delta_metadata *m)
{
    buf_z(out, "{\"metaData\":");
    delta_put_metadata(out, m);
    buf_z(out, "}\n");
}

void delta_write_app(struct buf *out, const struct delta_app_version *app)
{
    buf_z(out, "{\"txn\":");
    delta_put_app(out, app);
    buf_z(out, "}\n");
}

void delta_write_domain(struct buf *out, const struct delta_domain *d, bool removed)
{
    buf_z(out, "{\"domainMetadata\":");
    delta_put_domain(out, d, removed);
    buf_z(out, "}\n");
}

/* ---- copies ------------------------------------------------------------------------------- */

static bool copy_text(struct arena *arena, struct str from, struct str *to)
{
    *to = STR_NULL;
    if (!from.ptr)
        return true;
    *to = arena_str(arena, from);
    return to->ptr != NULL;
}

static bool copy_texts(struct arena *arena, const struct str *from, uint32_t count, struct str **to)
{
    *to = ARENA_ARRAY(arena, struct str, count);
    if (!*to)
        return false;
    for (uint32_t i = 0; i < count; i++)
        if (!copy_text(arena, from[i], &(*to)[i]))
            return false;
    return true;
}

bool delta_protocol_copy(struct arena *arena, const struct delta_protocol *from, struct delta_protocol *to)
{
    *to = *from;
    return copy_texts(arena, from->reader_features, from->reader_feature_count, &to->reader_features) &&
           copy_texts(arena, from->writer_features, from->writer_feature_count, &to->writer_features);
}

bool delta_metadata_copy(struct arena *arena, const struct delta_metadata *from, struct delta_metadata *to)
{
    *to = *from;
    to->configuration = ARENA_ARRAY(arena, struct delta_property, from->configuration_count);
    if (!to->configuration)
        return false;
    for (uint32_t i = 0; i < from->configuration_count; i++)
        if (!copy_text(arena, from->configuration[i].key, &to->configuration[i].key) ||
            !copy_text(arena, from->configuration[i].value, &to->configuration[i].value))
            return false;
    return copy_text(arena, from->id, &to->id) && copy_text(arena, from->name, &to->name) && copy_text(arena, from->description, &to->description) &&
           copy_text(arena, from->schema_string, &to->schema_string) &&
           copy_texts(arena, from->partition_columns, from->partition_column_count, &to->partition_columns);
}
