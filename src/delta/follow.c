/* delta/follow.c: new metadata that a change made under the old one can live with (Spark's allow-list).
 *
 * Only properties that turn on a feature of which the files of the change need know nothing, and the schema's notes of those features: ids and names
 * of columns that keep their names, high-water marks of identity columns.  Nothing may be taken away. */
#include "delta/delta_int.h"

struct following {
    const struct delta_metadata *from, *to;
    bool maps_columns; /* delta.columnMapping.mode: none -> name */
};

/* ---- properties ------------------------------------------------------------------------------------ */

struct permitted {
    const char *key, *value; /* value NULL: any */
};
static const struct permitted list[] = {
    {"delta.enableRowTracking", "true"},
    {DELTA_ROW_ID_COLUMN, NULL},
    {DELTA_ROW_VERSION_COLUMN, NULL},
    {"delta.columnMapping.mode", "name"},
    {"delta.columnMapping.maxColumnId", NULL},
    {"delta.enableDeletionVectors", "true"},
    {"delta.checkpointPolicy", "v2"},
    {"delta.enableInCommitTimestamps", "true"},
    {"delta.inCommitTimestampEnablementVersion", NULL},
    {"delta.inCommitTimestampEnablementTimestamp", NULL},
    {"io.unitycatalog.tableId", NULL},
    {"ucTableId", NULL},
};

static bool is_permitted(const struct delta_property *p)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(list); i++)
        if (str_eq(p->key, str_of(list[i].key)))
            return !list[i].value || str_ieq(p->value, str_of(list[i].value));
    return false;
}

static const struct delta_property *property_of(const struct delta_metadata *m, struct str key)
{
    for (uint32_t i = 0; i < m->configuration_count; i++)
        if (str_eq(m->configuration[i].key, key))
            return &m->configuration[i];
    return NULL;
}

static bool properties_follow(const struct following *f)
{
    for (uint32_t i = 0; i < f->from->configuration_count; i++)
        if (!property_of(f->to, f->from->configuration[i].key))
            return false;
    for (uint32_t i = 0; i < f->to->configuration_count; i++) {
        const struct delta_property *now = &f->to->configuration[i], *before = property_of(f->from, now->key);
        if (!(before && str_eq(before->value, now->value)) && !is_permitted(now))
            return false;
    }
    return true;
}

/* ---- the schema --------------------------------------------------------------------------------------- */

static const struct delta_property *note_of(const struct delta_field *field, struct str key)
{
    for (uint32_t i = 0; i < field->metadata_count; i++)
        if (str_eq(field->metadata[i].key, key))
            return &field->metadata[i];
    return NULL;
}

static bool may_differ(const struct following *f, struct str key)
{
    if (str_eq(key, STR("delta.identity.highWaterMark")))
        return true;
    return f->maps_columns && (str_eq(key, STR("delta.columnMapping.id")) || str_eq(key, STR("delta.columnMapping.physicalName")));
}

/* Every note of a that b has otherwise may differ. */
static bool notes_follow(const struct following *f, const struct delta_field *a, const struct delta_field *b)
{
    for (uint32_t i = 0; i < a->metadata_count; i++) {
        const struct delta_property *note = &a->metadata[i], *other = note_of(b, note->key);
        if (!(other && str_eq(note->value, other->value)) && !may_differ(f, note->key))
            return false;
    }
    return true;
}

static bool type_follows(const struct following *f, const struct delta_type *a, const struct delta_type *b);

/* The files of the change have the column under the name that it had. */
static bool field_follows(const struct following *f, const struct delta_field *a, const struct delta_field *b)
{
    bool same = str_eq(a->name, b->name) && a->nullable == b->nullable && notes_follow(f, a, b) && notes_follow(f, b, a);
    if (same && f->maps_columns)
        same = str_eq(delta_physical_name(DELTA_MAPPING_NAME, b), a->name);
    return same && type_follows(f, a->type, b->type);
}

static bool type_follows(const struct following *f, const struct delta_type *a, const struct delta_type *b)
{
    if (a->id != b->id || a->precision != b->precision || a->scale != b->scale || a->field_count != b->field_count ||
        a->contains_null != b->contains_null)
        return false;
    for (uint32_t i = 0; i < a->field_count; i++)
        if (!field_follows(f, &a->fields[i], &b->fields[i]))
            return false;
    if ((a->element != NULL) != (b->element != NULL) || (a->key != NULL) != (b->key != NULL))
        return false;
    return (!a->element || type_follows(f, a->element, b->element)) && (!a->key || type_follows(f, a->key, b->key));
}

static enum status schema_follows(const struct following *f, bool *follows, struct error *err)
{
    struct arena scratch = ARENA_INIT;
    struct delta_type *before = NULL, *now = NULL;
    *follows = str_eq(f->from->schema_string, f->to->schema_string);
    if (*follows)
        return STATUS_OK;
    enum status status = delta_schema_parse(&scratch, f->from->schema_string, &before, err);
    if (!status)
        status = delta_schema_parse(&scratch, f->to->schema_string, &now, err);
    *follows = !status && type_follows(f, before, now);
    arena_release(&scratch);
    return status;
}

/* ---- both -------------------------------------------------------------------------------------------------- */

static bool is_table_the_same(const struct delta_metadata *a, const struct delta_metadata *b)
{
    if (!str_eq(a->id, b->id) || !str_eq(a->name, b->name) || !str_eq(a->description, b->description) ||
        a->partition_column_count != b->partition_column_count)
        return false;
    for (uint32_t i = 0; i < a->partition_column_count; i++)
        if (!str_eq(a->partition_columns[i], b->partition_columns[i]))
            return false;
    return true;
}

/* Rows that moved into other files had no ids to take along. */
static bool loses_row_ids(const struct delta_txn *txn, const struct following *f)
{
    bool begins = delta_config_bool(f->to, "delta.enableRowTracking", false) && !delta_config_bool(f->from, "delta.enableRowTracking", false);
    return begins && txn->remove_count > txn->vector_count;
}

enum status delta_metadata_can_follow(const struct delta_txn *txn, const struct delta_metadata *from, const struct delta_metadata *to,
                                      const char **why, struct error *err)
{
    struct following f = {
        .from = from, .to = to, .maps_columns = delta_mapping_mode(from) == DELTA_MAPPING_NONE && delta_mapping_mode(to) == DELTA_MAPPING_NAME};
    bool schema = false;
    *why = NULL;
    enum status status = schema_follows(&f, &schema, err);
    if (status)
        return status;
    if (txn->has_metadata)
        *why = "this change sets the metadata too";
    else if (!is_table_the_same(from, to))
        *why = "it gave the table another identity or other partition columns";
    else if (!schema)
        *why = "it changed the schema";
    else if (!properties_follow(&f))
        *why = "it changed table properties that this change was made under";
    else if (loses_row_ids(txn, &f))
        *why = "it began to track rows, and this change moves rows that have no ids";
    return STATUS_OK;
}
