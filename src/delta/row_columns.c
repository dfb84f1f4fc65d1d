/* delta/row_columns.c: the hidden columns in which rows carry their ids from file to file (protocol: "Row Tracking"). */
#include "delta/delta_int.h"

bool delta_row_columns(const struct delta_metadata *m, struct delta_row_columns *out)
{
    *out = (struct delta_row_columns){STR_NULL, STR_NULL};
    if (!delta_config_bool(m, "delta.enableRowTracking", false))
        return false;
    *out = (struct delta_row_columns){delta_config(m, DELTA_ROW_ID_COLUMN), delta_config(m, DELTA_ROW_VERSION_COLUMN)};
    return out->id.len && out->version.len;
}

static struct delta_type long_type = {.id = DELTA_LONG};

enum status delta_tracked_schema(struct arena *arena, const struct delta_metadata *m, const struct delta_type *schema, const struct delta_type **out,
                                 struct error *err)
{
    struct delta_row_columns names;
    uint32_t count = schema->field_count;
    *out = NULL;
    if (!delta_row_columns(m, &names)) {
        if (delta_config_bool(m, "delta.enableRowTracking", false))
            return error_set(err, STATUS_PROTOCOL_VIOLATION, "the table tracks its rows, but \"%s\" and \"%s\" do not name the columns for it",
                             DELTA_ROW_ID_COLUMN, DELTA_ROW_VERSION_COLUMN);
        *out = schema;
        return STATUS_OK;
    }
    if (delta_field_find(schema, names.id) || delta_field_find(schema, names.version))
        return error_set(err, STATUS_PROTOCOL_VIOLATION, "a column of the table is called like a hidden column of row ids, \"%.*s\" or \"%.*s\"",
                         STR_ARG(names.id), STR_ARG(names.version));
    struct delta_type *tracked = ARENA_NEW(arena, struct delta_type);
    struct delta_field *fields = ARENA_ARRAY(arena, struct delta_field, (size_t)count + 2);
    if (!tracked || !fields)
        return error_oom(err);
    if (count)
        memcpy(fields, schema->fields, count * sizeof *fields);
    fields[count] = (struct delta_field){.name = names.id, .type = &long_type, .nullable = true};
    fields[count + 1] = (struct delta_field){.name = names.version, .type = &long_type, .nullable = true};
    *tracked = (struct delta_type){.id = DELTA_STRUCT, .fields = fields, .field_count = count + 2};
    *out = tracked;
    return STATUS_OK;
}
