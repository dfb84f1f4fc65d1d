/* catalog/list.c: what there is. */
#include "catalog/catalog_int.h"

#include <stdlib.h>

/* ---- keys ------------------------------------------------------------------------------ */

struct collector {
    struct arena *arena;
    struct store_entry *items;
    size_t count, cap;
    bool failed;
};

static bool collect(void *user, const struct store_entry *entry)
{
    struct collector *all = user;
    if (all->count == all->cap) {
        size_t cap = all->cap ? all->cap * 2 : 64;
        struct store_entry *grown = ARENA_ARRAY(all->arena, struct store_entry, cap);
        if (grown && all->count)
            memcpy(grown, all->items, all->count * sizeof *grown);
        all->failed = !grown;
        if (!grown)
            return false;
        all->items = grown;
        all->cap = cap;
    }
    struct store_entry *copy = &all->items[all->count];
    *copy = *entry;
    copy->key = arena_str(all->arena, entry->key);
    all->failed = !copy->key.ptr;
    all->count += !all->failed;
    return !all->failed;
}

enum status catalog_list_keys(struct ctx *ctx, struct store *s, struct str prefix, struct arena *arena, struct store_entry **out, size_t *count,
                              struct error *err)
{
    struct collector all = {.arena = arena};
    *out = NULL;
    *count = 0;
    enum status status = catalog_store_status(store_list(s, ctx, prefix, STR(""), collect, &all, err), prefix, err);
    if (!status && all.failed)
        status = error_oom(err);
    if (status)
        return status;
    *out = all.items;
    *count = all.count;
    return STATUS_OK;
}

/* "_varve/catalog/<schema>/<object>" -> the two parts, still escaped. */
static bool split_key(struct str key, struct str *schema, struct str *object)
{
    struct str prefix = STR(CATALOG_PREFIX);
    if (!str_starts(key, prefix))
        return false;
    struct str rest = str_sub(key, prefix.len, key.len - prefix.len);
    const char *slash = memchr(rest.ptr, '/', rest.len);
    if (!slash)
        return false;
    *schema = str_sub(rest, 0, (size_t)(slash - rest.ptr));
    *object = str_sub(rest, schema->len + 1, rest.len - schema->len - 1);
    return !memchr(object->ptr, '/', object->len);
}

bool catalog_entry_key_split(struct arena *arena, struct str key, struct catalog_entry *out)
{
    struct str schema, object;
    if (!split_key(key, &schema, &object) || !str_ends(object, STR(".json")) || str_eq(object, STR(CATALOG_SCHEMA_OBJECT)))
        return false;
    out->schema = catalog_unescape(arena, schema);
    out->table = catalog_unescape(arena, str_sub(object, 0, object.len - 5));
    return out->schema.ptr && out->table.ptr;
}

/* ---- schemas ----------------------------------------------------------------------------- */

static int compare_texts(const void *a, const void *b) { return str_cmp(*(const struct str *)a, *(const struct str *)b); }

enum status catalog_list_schemas(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str **out, size_t *count, struct error *err)
{
    struct store_entry *objects = NULL;
    size_t object_count = 0, n = 0;
    *out = NULL;
    *count = 0;
    enum status status = catalog_list_keys(ctx, c->lake, STR(CATALOG_PREFIX), arena, &objects, &object_count, err);
    if (status)
        return status;
    struct str *schemas = ARENA_ARRAY(arena, struct str, object_count + 1);
    if (!schemas)
        return error_oom(err);
    schemas[n++] = STR(CATALOG_DEFAULT_SCHEMA);
    for (size_t i = 0; i < object_count; i++) {
        struct str schema, object;
        if (!split_key(objects[i].key, &schema, &object) || !str_eq(object, STR(CATALOG_SCHEMA_OBJECT)))
            continue;
        schema = catalog_unescape(arena, schema);
        if (schema.ptr && !str_eq(schema, STR(CATALOG_DEFAULT_SCHEMA)))
            schemas[n++] = schema;
    }
    qsort(schemas, n, sizeof *schemas, compare_texts);
    *out = schemas;
    *count = n;
    return STATUS_OK;
}

/* ---- tables and views -------------------------------------------------------------------------------- */

static int compare_entries(const void *a, const void *b)
{
    const struct catalog_entry *x = a, *y = b;
    int order = str_cmp(x->schema, y->schema);
    return order ? order : str_cmp(x->table, y->table);
}

static bool ends_everything(enum status status)
{
    return status == STATUS_OUT_OF_MEMORY || status == STATUS_CANCELLED || status == STATUS_DEADLINE_EXCEEDED;
}

/* An entry that vanished meanwhile, or is damaged, or leads to a place that cannot be looked at, does not spoil the listing. */
static enum status check_committed(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str key, bool *committed, bool *is_view,
                                   struct error *err)
{
    struct catalog_entry_object entry;
    struct catalog_log log = {0};
    struct error reason = ERROR_INIT;
    bool found = false;
    enum status status = catalog_entry_read(ctx, c, arena, key, &entry, &found, &reason);
    *is_view = !status && found && entry.view.ptr;
    if (!status && found && !*is_view && entry.state != CATALOG_DROPPED)
        status = catalog_place_probe(ctx, c, entry.location, &log, &reason);
    *committed = !status && (*is_view ? entry.state != CATALOG_DROPPED : log.found);
    if (ends_everything(status)) {
        error_move(err, &reason);
        return status;
    }
    if (status)
        log_event(ctx, LOG_WARN, "catalog_entry_skipped", "entry", key.ptr, "reason", reason.message ? reason.message : "", NULL);
    error_release(&reason);
    return STATUS_OK;
}

enum status catalog_list_committed(struct ctx *ctx, struct catalog *c, struct str prefix, struct arena *arena, struct catalog_entry **out,
                                   size_t *count, struct error *err)
{
    struct store_entry *objects = NULL;
    size_t object_count = 0, n = 0;
    *out = NULL;
    *count = 0;
    enum status status = catalog_list_keys(ctx, c->lake, prefix, arena, &objects, &object_count, err);
    if (status)
        return status;
    struct catalog_entry *entries = ARENA_ARRAY(arena, struct catalog_entry, object_count + 1);
    if (!entries)
        return error_oom(err);
    for (size_t i = 0; i < object_count; i++) {
        bool committed = false;
        status = ctx_check(ctx, err);
        if (!status && catalog_entry_key_split(arena, objects[i].key, &entries[n]))
            status = check_committed(ctx, c, arena, objects[i].key, &committed, &entries[n].is_view, err);
        if (status)
            return status;
        n += committed;
    }
    if (n)
        qsort(entries, n, sizeof *entries, compare_entries);
    *out = entries;
    *count = n;
    return STATUS_OK;
}

/* Tables left in a schema that was dropped meanwhile are not shown. */
static enum status keep_existing_schemas(struct ctx *ctx, struct catalog *c, struct arena *arena, struct catalog_entry *entries, size_t *count,
                                         struct error *err)
{
    struct str *schemas = NULL;
    size_t schema_count = 0, n = 0;
    enum status status = catalog_list_schemas(ctx, c, arena, &schemas, &schema_count, err);
    if (status)
        return status;
    for (size_t i = 0; i < *count; i++)
        if (bsearch(&entries[i].schema, schemas, schema_count, sizeof *schemas, compare_texts))
            entries[n++] = entries[i];
    *count = n;
    return STATUS_OK;
}

enum status catalog_list_relations(struct ctx *ctx, struct catalog *c, struct str schema, struct arena *arena, struct catalog_entry **out,
                                   size_t *count, struct error *err)
{
    struct str lowered, key, prefix = STR(CATALOG_PREFIX);
    *out = NULL;
    *count = 0;
    enum status status = STATUS_OK;
    if (schema.ptr) {
        status = catalog_schema_key(arena, schema, &lowered, &key, err);
        if (!status)
            status = catalog_check_schema(ctx, c, lowered, err);
        if (!status)
            prefix = str_sub(key, 0, key.len - (sizeof CATALOG_SCHEMA_OBJECT - 1));
    }
    if (!status)
        status = catalog_list_committed(ctx, c, prefix, arena, out, count, err);
    if (!status && !schema.ptr)
        status = keep_existing_schemas(ctx, c, arena, *out, count, err);
    return status;
}

enum status catalog_list_tables(struct ctx *ctx, struct catalog *c, struct str schema, struct arena *arena, struct catalog_entry **out, size_t *count,
                                struct error *err)
{
    size_t n = 0;
    enum status status = catalog_list_relations(ctx, c, schema, arena, out, count, err);
    for (size_t i = 0; !status && i < *count; i++)
        if (!(*out)[i].is_view)
            (*out)[n++] = (*out)[i];
    *count = n;
    return status;
}
