/* delta/nested_ids.c: ids of list elements, map keys and map values, which are no fields: the nearest field above keeps them, under the way from it
 * down (protocol "Iceberg Compatibility V2": delta.columnMapping.nested.ids). */
#include "delta/delta_int.h"

#define NESTED_KEY "delta.columnMapping.nested.ids"

/* The object in the field's metadata; false when there is none. */
static bool open_ids(struct arena *arena, const struct delta_field *field, struct json *out)
{
    struct str text = delta_field_meta(field, NESTED_KEY);
    return text.ptr && json_parse(arena, text, out, NULL) == STATUS_OK && out->nodes[0].type == JSON_OBJECT;
}

static int64_t find_id(const struct json *ids, struct arena *arena, struct str path)
{
    int64_t id, found = -1;
    for (uint32_t i = json_first(ids, 0); i < ids->nodes[0].next; i = json_next(ids, i + 1))
        if (str_eq(json_text(ids, i, arena), path) && json_i64(ids, i + 1, &id))
            found = id;
    return found;
}

int64_t delta_nested_id(const struct delta_field *field, struct str path)
{
    struct arena arena = ARENA_INIT;
    struct json ids;
    int64_t id = open_ids(&arena, field, &ids) ? find_id(&ids, &arena, path) : -1;
    arena_release(&arena);
    return id;
}

int64_t delta_nested_ids_highest(const struct delta_field *field)
{
    struct arena arena = ARENA_INIT;
    struct json ids;
    int64_t id, highest = 0;
    if (open_ids(&arena, field, &ids))
        for (uint32_t i = json_first(&ids, 0); i < ids.nodes[0].next; i = json_next(&ids, i + 1))
            if (json_i64(&ids, i + 1, &id) && id > highest)
                highest = id;
    arena_release(&arena);
    return highest;
}

/* ---- giving them --------------------------------------------------------------------------------- */

struct nesting {
    const struct delta_field *field;
    int64_t *max_id;
    struct buf path, json;
};

static void give_below(struct nesting *n, const struct delta_type *type);

static void give(struct nesting *n, const char *step, const struct delta_type *type)
{
    size_t length = n->path.len;
    buf_printf(&n->path, ".%s", step);
    int64_t id = delta_nested_id(n->field, buf_view(&n->path));
    buf_z(&n->json, n->json.len > 1 ? "," : "");
    json_put_string(&n->json, buf_view(&n->path));
    buf_printf(&n->json, ":%lld", (long long)(id >= 0 ? id : ++*n->max_id));
    give_below(n, type);
    n->path.len = length;
}

/* Fields of a struct keep their own. */
static void give_below(struct nesting *n, const struct delta_type *type)
{
    if (type->id == DELTA_ARRAY) {
        give(n, "element", type->element);
    } else if (type->id == DELTA_MAP) {
        give(n, "key", type->key);
        give(n, "value", type->element);
    }
}

static bool put_entry(struct arena *arena, struct delta_field *field, struct str ids)
{
    struct delta_property *all = ARENA_ARRAY(arena, struct delta_property, (size_t)field->metadata_count + 1);
    uint32_t count = 0;
    struct str value = arena_str(arena, ids);
    if (!all || !value.ptr)
        return false;
    for (uint32_t i = 0; i < field->metadata_count; i++)
        if (!str_eq(field->metadata[i].key, STR(NESTED_KEY)))
            all[count++] = field->metadata[i];
    all[count++] = (struct delta_property){.key = STR(NESTED_KEY), .value = value};
    field->metadata = all;
    field->metadata_count = count;
    return true;
}

bool delta_nested_ids_assign(struct arena *arena, struct delta_field *field, int64_t *max_id)
{
    struct nesting n = {.field = field, .max_id = max_id, .path = BUF_INIT, .json = BUF_INIT};
    if (field->type->id != DELTA_ARRAY && field->type->id != DELTA_MAP)
        return true;
    buf_str(&n.path, delta_physical_name(DELTA_MAPPING_NAME, field));
    buf_char(&n.json, '{');
    give_below(&n, field->type);
    buf_char(&n.json, '}');
    bool ok = !n.path.failed && !n.json.failed && put_entry(arena, field, buf_view(&n.json));
    buf_release(&n.path);
    buf_release(&n.json);
    return ok;
}
