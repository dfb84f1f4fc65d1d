/* delta/column_mapping.c: columns under names and ids that stay when they are renamed (protocol "Column Mapping"). */
#include "delta/delta_int.h"

#define MODE_KEY "delta.columnMapping.mode"
#define MAX_ID_KEY "delta.columnMapping.maxColumnId"
#define ID_KEY "delta.columnMapping.id"
#define NAME_KEY "delta.columnMapping.physicalName"

/* ---- what the metadata says --------------------------------------------------------------- */

enum delta_mapping delta_mapping_mode(const struct delta_metadata *m)
{
    struct str mode = delta_config(m, MODE_KEY);
    if (mode.ptr && str_ieq(mode, STR("name")))
        return DELTA_MAPPING_NAME;
    return mode.ptr && str_ieq(mode, STR("id")) ? DELTA_MAPPING_ID : DELTA_MAPPING_NONE;
}

struct str delta_physical_name(enum delta_mapping mode, const struct delta_field *field)
{
    struct str name = mode == DELTA_MAPPING_NONE ? STR_NULL : delta_field_meta(field, NAME_KEY);
    return name.len ? name : field->name;
}

int64_t delta_column_id(const struct delta_field *field)
{
    int64_t id;
    struct str text = delta_field_meta(field, ID_KEY);
    return text.ptr && str_to_i64(text, &id) ? id : -1;
}

/* ---- schemas by physical names ---------------------------------------------------------------- */

static void name_physically(enum delta_mapping mode, struct delta_type *type)
{
    if (type->element)
        name_physically(mode, type->element);
    if (type->key)
        name_physically(mode, type->key);
    for (uint32_t i = 0; type->id == DELTA_STRUCT && i < type->field_count; i++) {
        type->fields[i].name = delta_physical_name(mode, &type->fields[i]);
        name_physically(mode, type->fields[i].type);
    }
}

struct delta_type *delta_physical_schema(struct arena *arena, enum delta_mapping mode, const struct delta_type *schema)
{
    struct delta_type *copy = delta_type_copy(arena, schema);
    if (copy)
        name_physically(mode, copy);
    return copy;
}

enum status delta_partition_keys(struct arena *arena, const struct delta_metadata *m, struct str **out, struct error *err)
{
    enum delta_mapping mode = delta_mapping_mode(m);
    struct arena scratch = ARENA_INIT;
    struct delta_type *schema = NULL;
    enum status status = STATUS_OK;
    *out = ARENA_ARRAY(arena, struct str, m->partition_column_count + 1);
    if (!*out)
        return error_oom(err);
    if (mode != DELTA_MAPPING_NONE && m->partition_column_count)
        status = delta_schema_parse(&scratch, m->schema_string, &schema, err);
    for (uint32_t i = 0; i < m->partition_column_count && !status; i++) {
        const struct delta_field *field = schema ? delta_field_find(schema, m->partition_columns[i]) : NULL;
        (*out)[i] = arena_str(arena, field ? delta_physical_name(mode, field) : m->partition_columns[i]);
        if (!(*out)[i].ptr)
            status = error_oom(err);
    }
    arena_release(&scratch);
    return status;
}

bool delta_same_partition_keys(const struct delta_metadata *a, const struct delta_metadata *b)
{
    struct arena arena = ARENA_INIT;
    struct str *x, *y;
    bool same = a->partition_column_count == b->partition_column_count;
    if (same && a->partition_column_count)
        same = delta_partition_keys(&arena, a, &x, NULL) == STATUS_OK && delta_partition_keys(&arena, b, &y, NULL) == STATUS_OK;
    for (uint32_t i = 0; same && i < a->partition_column_count; i++)
        same = str_eq(x[i], y[i]);
    arena_release(&arena);
    return same;
}

/* ---- giving ids and names ------------------------------------------------------------------------ */

struct assigning {
    struct ctx *ctx;
    struct arena *arena;
    int64_t max_id;
    bool keeps_names; /* the files there are know the logical names */
    bool nested;      /* elements, keys and values get ids too */
};

static int64_t highest_id(const struct delta_type *type)
{
    int64_t highest = 0, inner;
    if (type->element && (inner = highest_id(type->element)) > highest)
        highest = inner;
    if (type->key && (inner = highest_id(type->key)) > highest)
        highest = inner;
    for (uint32_t i = 0; type->id == DELTA_STRUCT && i < type->field_count; i++) {
        inner = delta_column_id(&type->fields[i]);
        highest = inner > highest ? inner : highest;
        inner = delta_nested_ids_highest(&type->fields[i]);
        highest = inner > highest ? inner : highest;
        inner = highest_id(type->fields[i].type);
        highest = inner > highest ? inner : highest;
    }
    return highest;
}

static bool put_id(struct assigning *a, struct delta_property *out)
{
    const char *text = arena_printf(a->arena, "%lld", (long long)++a->max_id);
    *out = (struct delta_property){.key = STR(ID_KEY), .value = text ? str_of(text) : STR_NULL};
    return text != NULL;
}

static bool put_name(struct assigning *a, struct str logical, struct delta_property *out)
{
    char id[37], name[48] = "col-";
    if (a->keeps_names)
        return delta_property_text(a->arena, STR(NAME_KEY), logical, out);
    uuid_make(a->ctx->rng, id);
    memcpy(name + 4, id, sizeof(id));
    return delta_property_text(a->arena, STR(NAME_KEY), str_of(name), out);
}

static bool assign_field(struct assigning *a, struct delta_field *field)
{
    bool has_id = delta_column_id(field) >= 0, has_name = delta_field_meta(field, NAME_KEY).len > 0;
    struct delta_property *more = ARENA_ARRAY(a->arena, struct delta_property, field->metadata_count + 2);
    if (!more)
        return false;
    if (field->metadata_count)
        memcpy(more, field->metadata, field->metadata_count * sizeof *more);
    field->metadata = more;
    if (!has_id && !put_id(a, &more[field->metadata_count++]))
        return false;
    if (!has_name && !put_name(a, field->name, &more[field->metadata_count++]))
        return false;
    return !a->nested || delta_nested_ids_assign(a->arena, field, &a->max_id);
}

static bool assign_type(struct assigning *a, struct delta_type *type)
{
    if ((type->key && !assign_type(a, type->key)) || (type->element && !assign_type(a, type->element)))
        return false;
    for (uint32_t i = 0; type->id == DELTA_STRUCT && i < type->field_count; i++)
        if (!assign_field(a, &type->fields[i]) || !assign_type(a, type->fields[i].type))
            return false;
    return true;
}

static bool set_property(struct arena *arena, struct delta_metadata *m, const char *key, const char *value)
{
    struct delta_property *all = ARENA_ARRAY(arena, struct delta_property, m->configuration_count + 1);
    uint32_t count = 0;
    if (!all || !value)
        return false;
    for (uint32_t i = 0; i < m->configuration_count; i++)
        if (!str_eq(m->configuration[i].key, str_of(key)))
            all[count++] = m->configuration[i];
    all[count++] = (struct delta_property){.key = str_of(key), .value = str_of(value)};
    m->configuration = all;
    m->configuration_count = count;
    return true;
}

static const char *mode_name(enum delta_mapping mode) { return mode == DELTA_MAPPING_NONE ? "none" : mode == DELTA_MAPPING_NAME ? "name" : "id"; }

static enum status check_change(enum delta_mapping from, enum delta_mapping to, struct error *err)
{
    if (from == to || (from == DELTA_MAPPING_NONE && to == DELTA_MAPPING_NAME))
        return STATUS_OK;
    error_set(err, STATUS_INVALID_ARGUMENT, "property \"" MODE_KEY "\" cannot change from '%s' to '%s'", mode_name(from), mode_name(to));
    error_hint(err, from == DELTA_MAPPING_NONE
                        ? "a table that has files can only go to 'name'"
                        : "the files of a table keep the names they have; SET TBLPROPERTIES (delta.columnMapping.mode = 'none') writes them anew");
    return STATUS_INVALID_ARGUMENT;
}

static int64_t configured_max(const struct delta_metadata *m)
{
    int64_t id;
    struct str text = m ? delta_config(m, MAX_ID_KEY) : STR_NULL;
    return text.ptr && str_to_i64(text, &id) && id > 0 ? id : 0;
}

enum status delta_mapping_assign(struct ctx *ctx, struct arena *arena, const struct delta_metadata *old, bool replaced, struct delta_metadata *m,
                                 const struct delta_type *schema, struct delta_type **out, struct error *err)
{
    enum delta_mapping mode = delta_mapping_mode(m), before = old ? delta_mapping_mode(old) : DELTA_MAPPING_NONE;
    struct assigning a = {.ctx = ctx,
                          .arena = arena,
                          .max_id = configured_max(m),
                          .keeps_names = old && !replaced && before == DELTA_MAPPING_NONE,
                          .nested = delta_iceberg_compat(m) == 2};
    enum status status = old && !replaced ? check_change(before, mode, err) : STATUS_OK;
    *out = NULL;
    if (status)
        return status;
    struct delta_type *copy = delta_type_copy(arena, schema);
    if (!copy)
        return error_oom(err);
    if (mode != DELTA_MAPPING_NONE) {
        int64_t inherited = configured_max(old), used = highest_id(schema);
        a.max_id = inherited > a.max_id ? inherited : a.max_id;
        a.max_id = used > a.max_id ? used : a.max_id;
        if (!assign_type(&a, copy) || !set_property(arena, m, MAX_ID_KEY, arena_printf(arena, "%lld", (long long)a.max_id)))
            return error_oom(err);
    }
    *out = copy;
    return STATUS_OK;
}

static const struct delta_field *find_unmapped(const struct delta_type *type)
{
    const struct delta_field *found = type->element ? find_unmapped(type->element) : NULL;
    if (!found && type->key)
        found = find_unmapped(type->key);
    for (uint32_t i = 0; !found && type->id == DELTA_STRUCT && i < type->field_count; i++) {
        const struct delta_field *field = &type->fields[i];
        if (delta_column_id(field) < 0 || !delta_field_meta(field, NAME_KEY).len)
            return field;
        found = find_unmapped(field->type);
    }
    return found;
}

enum status delta_mapping_check(const struct delta_metadata *m, const struct delta_type *schema, struct error *err)
{
    const struct delta_field *field = delta_mapping_mode(m) == DELTA_MAPPING_NONE ? NULL : find_unmapped(schema);
    return field ? error_set(err, STATUS_INTERNAL, "column \"%.*s\" of a mapped table has no column id and physical name", STR_ARG(field->name))
                 : STATUS_OK;
}

/* ---- renaming and dropping ------------------------------------------------------------------------- */

static void put_path(const struct str *path, uint32_t depth, struct buf *out)
{
    for (uint32_t i = 0; i < depth; i++) {
        buf_z(out, i ? "." : "");
        buf_str(out, path[i]);
    }
}

static enum status refuse(enum status code, const char *what, const struct str *path, uint32_t depth, const char *why, struct error *err)
{
    struct buf name = BUF_INIT;
    put_path(path, depth, &name);
    error_set(err, code, "column \"%.*s\" cannot be %s: %s", STR_ARG(buf_view(&name)), what, why);
    buf_release(&name);
    return code;
}

/* One step down: a field of a struct, or "element", "key", "value" of a container. */
static struct delta_type *step_down(const struct delta_type *type, struct str name)
{
    const struct delta_field *field = type->id == DELTA_STRUCT ? delta_field_find(type, name) : NULL;
    if (field)
        return field->type;
    if (type->id == DELTA_ARRAY && str_ieq(name, STR("element")))
        return type->element;
    if (type->id == DELTA_MAP && str_ieq(name, STR("key")))
        return type->key;
    return type->id == DELTA_MAP && str_ieq(name, STR("value")) ? type->element : NULL;
}

/* A copy of the schema and in it the struct that holds the column; *at is the column's index there. */
static enum status open_column(struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema, const struct str *path,
                               uint32_t depth, const char *what, struct delta_type **copy, struct delta_type **parent, uint32_t *at,
                               struct error *err)
{
    *copy = NULL;
    if (delta_mapping_mode(m) == DELTA_MAPPING_NONE) {
        refuse(STATUS_NOT_SUPPORTED, what, path, depth, "the table has no column mapping", err);
        error_hint(err, "ALTER TABLE … SET TBLPROPERTIES ('" MODE_KEY "' = 'name')");
        return STATUS_NOT_SUPPORTED;
    }
    struct delta_type *root = delta_type_copy(arena, schema), *type = root;
    if (!root)
        return error_oom(err);
    for (uint32_t i = 0; i + 1 < depth && type; i++)
        type = step_down(type, path[i]);
    const struct delta_field *field = type && type->id == DELTA_STRUCT && depth ? delta_field_find(type, path[depth - 1]) : NULL;
    if (!field)
        return refuse(STATUS_COLUMN_NOT_FOUND, what, path, depth, "there is no such column", err);
    *at = (uint32_t)(field - type->fields);
    *parent = type;
    *copy = root;
    return STATUS_OK;
}

static int64_t partition_at(const struct delta_metadata *m, struct str name)
{
    for (uint32_t i = 0; i < m->partition_column_count; i++)
        if (str_ieq(m->partition_columns[i], name))
            return i;
    return -1;
}

static bool rename_partition(struct arena *arena, struct delta_metadata *m, uint32_t index, struct str name)
{
    struct str *columns = ARENA_ARRAY(arena, struct str, m->partition_column_count);
    if (!columns)
        return false;
    memcpy(columns, m->partition_columns, m->partition_column_count * sizeof *columns);
    columns[index] = name;
    m->partition_columns = columns;
    return true;
}

/* ---- the list of columns with statistics follows ------------------------------------------------------ */

/* Takes one part of a dotted name off an item; its backticks, when it has them, are single ones around and doubled ones inside. */
static bool take_part(struct arena *arena, struct str *item, struct str *part)
{
    char *text = arena_alloc(arena, item->len + 1);
    bool quoted = item->len && item->ptr[0] == '`';
    size_t at = quoted, len = 0;
    for (; text && at < item->len; at++) {
        if (quoted ? item->ptr[at] == '`' && (at + 1 == item->len || item->ptr[++at] != '`') : item->ptr[at] == '.')
            break;
        text[len++] = item->ptr[at];
    }
    at += quoted && at + 1 == item->len; /* the closing one ends the item */
    bool more = at < item->len && item->ptr[at] == '.';
    *part = (struct str){text, len};
    *item = str_sub(*item, at + more, item->len - at - more);
    return text != NULL;
}

static void put_quoted(struct str name, struct buf *out)
{
    buf_char(out, '`');
    for (size_t i = 0; i < name.len; i++)
        buf_printf(out, name.ptr[i] == '`' ? "``" : "%c", name.ptr[i]);
    buf_char(out, '`');
}

/* An item of the list with the column's new name in it when it is the column or below it. */
static bool put_item(struct arena *arena, struct str item, const struct str *path, uint32_t depth, struct str new_name, struct buf *out)
{
    struct str rest = str_trim(item), part;
    bool same = true;
    size_t start = out->len;
    for (uint32_t i = 0; rest.len && same; i++) {
        if (!take_part(arena, &rest, &part))
            return false;
        same = i >= depth || str_ieq(part, path[i]);
        buf_z(out, i ? "." : "");
        put_quoted(i + 1 == depth ? new_name : part, out);
        same = same && (rest.len || i + 1 >= depth);
    }
    if (!same) {
        out->len = start;
        buf_str(out, str_trim(item));
    }
    return true;
}

static bool rename_listed(struct arena *arena, struct delta_metadata *m, const struct str *path, uint32_t depth, struct str new_name)
{
    struct str list = delta_config(m, "delta.dataSkippingStatsColumns");
    struct buf out = BUF_INIT;
    bool ok = true;
    if (!list.ptr)
        return true;
    for (size_t start = 0; ok && start <= list.len;) {
        size_t end = start;
        for (bool quoted = false; end < list.len && (quoted || list.ptr[end] != ','); end++)
            quoted ^= list.ptr[end] == '`';
        buf_z(&out, start ? "," : "");
        ok = put_item(arena, str_sub(list, start, end - start), path, depth, new_name, &out);
        start = end + 1;
    }
    struct str text = ok && !out.failed ? arena_str(arena, buf_view(&out)) : STR_NULL;
    buf_release(&out);
    return text.ptr && set_property(arena, m, "delta.dataSkippingStatsColumns", text.ptr);
}

enum status delta_schema_rename_column(struct arena *arena, struct delta_metadata *m, const struct delta_type *schema, const struct str *path,
                                       uint32_t depth, struct str new_name, struct delta_type **out, struct error *err)
{
    struct delta_type *copy, *parent;
    uint32_t at;
    *out = NULL;
    enum status status = open_column(arena, m, schema, path, depth, "renamed", &copy, &parent, &at, err);
    if (status)
        return status;
    const struct delta_field *twin = delta_field_find(parent, new_name);
    if (twin && twin != &parent->fields[at])
        return refuse(STATUS_INVALID_ARGUMENT, "renamed", path, depth, "there is already a column with the new name", err);
    if (!new_name.len)
        return refuse(STATUS_INVALID_ARGUMENT, "renamed", path, depth, "the new name is empty", err);
    int64_t partition = depth == 1 ? partition_at(m, parent->fields[at].name) : -1;
    parent->fields[at].name = arena_str(arena, new_name);
    if (!parent->fields[at].name.ptr || !rename_listed(arena, m, path, depth, new_name) ||
        (partition >= 0 && !rename_partition(arena, m, (uint32_t)partition, parent->fields[at].name)))
        return error_oom(err);
    *out = copy;
    return STATUS_OK;
}

enum status delta_schema_drop_column(struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema, const struct str *path,
                                     uint32_t depth, struct delta_type **out, struct error *err)
{
    struct delta_type *copy, *parent;
    uint32_t at;
    *out = NULL;
    enum status status = open_column(arena, m, schema, path, depth, "dropped", &copy, &parent, &at, err);
    if (status)
        return status;
    if (depth == 1 && partition_at(m, path[0]) >= 0)
        return refuse(STATUS_INVALID_ARGUMENT, "dropped", path, depth, "the table is partitioned by it", err);
    if (parent->field_count == 1)
        return refuse(STATUS_INVALID_ARGUMENT, "dropped", path, depth, "it is the only one there", err);
    memmove(&parent->fields[at], &parent->fields[at + 1], (parent->field_count - at - 1) * sizeof *parent->fields);
    parent->field_count--;
    *out = copy;
    return STATUS_OK;
}
