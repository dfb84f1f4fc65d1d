/* catalog/function.c: functions, each a CREATE FUNCTION statement under a name.  They have a name space of their own beside the tables':
 *   _varve/catalog/<schema>/<function>.function    {"function":"CREATE FUNCTION …","schema":…,"id":…,"created":…} */
#include "catalog/catalog_int.h"

#include <stdlib.h>

#define FUNCTION_SUFFIX ".function"
enum { FUNCTION_TRIES = 16 };

static enum status function_id(struct arena *arena, const struct catalog_name *name, struct catalog_id *out, struct error *err)
{
    if (name->is_path)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a function has a name, not a path: \"%.*s\"", STR_ARG(name->table));
    enum status status = catalog_id_make(arena, name, out, err);
    if (status)
        return status;
    struct str stem = str_sub(out->entry_key, 0, out->entry_key.len - (sizeof ".json" - 1));
    out->entry_key = str_of(arena_printf(arena, "%.*s" FUNCTION_SUFFIX, STR_ARG(stem)));
    return out->entry_key.ptr ? STATUS_OK : error_oom(err);
}

/* ---- objects ------------------------------------------------------------------------------- */

static struct str text_member(const struct json *j, const char *key, struct arena *arena)
{
    uint32_t node = j->nodes[0].type == JSON_OBJECT ? json_member(j, 0, key) : 0;
    return node && j->nodes[node].type == JSON_STRING ? json_text(j, node, arena) : STR_NULL;
}

static enum status read_function(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str key, struct catalog_function *out,
                                 struct str *id, bool *found, struct error *err)
{
    struct buf bytes = {.max_bytes = CATALOG_ENTRY_MAX_BYTES};
    struct json j;
    enum store_result result = store_read(c->lake, ctx, key, &bytes, err);
    enum status status = result == STORE_NOT_FOUND ? STATUS_OK : catalog_store_status(result, key, err);
    struct str text = !status && result == STORE_OK ? arena_str(arena, buf_view(&bytes)) : STR_NULL;
    buf_release(&bytes);
    *found = false;
    if (status || result != STORE_OK)
        return status;
    if (!text.ptr)
        return error_oom(err);
    bool readable = json_parse(arena, text, &j, NULL) == STATUS_OK;
    if (readable) {
        out->sql = text_member(&j, "function", arena);
        out->schema = text_member(&j, "schema", arena);
        *id = text_member(&j, "id", arena);
    }
    if (!readable || !out->sql.len || !out->schema.len || !id->ptr) {
        error_set(err, STATUS_CORRUPT_LOG, "the catalog's entry \"%.*s\" is damaged: it says no function", STR_ARG(key));
        return error_hint(err, "remove the file and create the function again, or restore the file from a copy");
    }
    *found = true;
    return STATUS_OK;
}

enum status catalog_find_function(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_name *name,
                                  struct catalog_function *out, bool *found, struct error *err)
{
    struct catalog_id id = {0};
    struct str own;
    *found = false;
    *out = (struct catalog_function){0};
    enum status status = function_id(arena, name, &id, err);
    if (!status)
        status = read_function(ctx, c, arena, id.entry_key, out, &own, found, err);
    out->qualified = status ? STR_NULL : id.qualified;
    return status;
}

/* ---- create ---------------------------------------------------------------------------------- */

static enum status function_json(struct ctx *ctx, const struct catalog_id *id, const struct catalog_function *f, const char *uuid, struct buf *out,
                                 struct error *err)
{
    char created[40];
    timestamp_to_iso(ctx_now_us(ctx), true, created);
    buf_z(out, "{\"function\":");
    json_put_string(out, f->sql);
    buf_z(out, ",\"schema\":");
    json_put_string(out, f->schema);
    buf_printf(out, ",\"id\":\"%s\",\"created\":\"%s\"}\n", uuid, created);
    enum status status = buf_check(out, err);
    if (!status && out->len > CATALOG_ENTRY_MAX_BYTES)
        status = error_set(err, STATUS_LIMIT_EXCEEDED, "the text of function \"%.*s\" is longer than an entry of the catalog can be (%d bytes)",
                           STR_ARG(id->qualified), CATALOG_ENTRY_MAX_BYTES);
    return status;
}

static enum status put_function(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_id *id, const struct buf *bytes,
                                const char *uuid, bool replace, struct error *err)
{
    if (replace)
        return catalog_store_status(store_put(c->lake, ctx, id->entry_key, bytes->ptr, bytes->len, err), id->entry_key, err);
    for (int attempt = 0; attempt < FUNCTION_TRIES; attempt++) {
        struct catalog_function there;
        struct str own = STR_NULL;
        bool found = false;
        enum status status = ctx_check(ctx, err);
        if (status)
            return status;
        enum store_result result = store_put_if_absent(c->lake, ctx, id->entry_key, bytes->ptr, bytes->len, err);
        if (result == STORE_OK || result == STORE_FAILED)
            return catalog_store_status(result, id->entry_key, err);
        status = read_function(ctx, c, arena, id->entry_key, &there, &own, &found, err);
        if (status || (found && str_eq(own, str_of(uuid)))) /* our own put, whose reply was lost */
            return status;
        if (found) {
            error_set(err, STATUS_FUNCTION_EXISTS, "function \"%.*s\" exists already", STR_ARG(id->qualified));
            return error_hint(err, "use CREATE OR REPLACE FUNCTION or CREATE FUNCTION IF NOT EXISTS");
        }
    }
    return error_set(err, STATUS_STORE_IO, "the name \"%.*s\" could not be claimed in %d tries", STR_ARG(id->qualified), FUNCTION_TRIES);
}

enum status catalog_create_function(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, const struct catalog_function *f,
                                    bool replace, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct buf bytes = BUF_INIT;
    struct catalog_id id = {0};
    char uuid[37];
    uuid_make(ctx->rng, uuid);
    enum status status = function_id(&arena, name, &id, err);
    if (!status)
        status = catalog_check_schema(ctx, c, id.schema, err);
    if (!status)
        status = function_json(ctx, &id, f, uuid, &bytes, err);
    if (!status)
        status = put_function(ctx, c, &arena, &id, &bytes, uuid, replace, err);
    buf_release(&bytes);
    arena_release(&arena);
    return status;
}

enum status catalog_drop_function(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, bool *existed, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct catalog_id id = {0};
    struct store_entry entry;
    enum store_result result = STORE_NOT_FOUND;
    *existed = false;
    enum status status = function_id(&arena, name, &id, err);
    if (!status)
        result = store_stat(c->lake, ctx, id.entry_key, &entry, err);
    if (!status && result != STORE_NOT_FOUND)
        status = catalog_store_status(result, id.entry_key, err);
    *existed = !status && result == STORE_OK;
    if (*existed)
        status = catalog_object_remove(ctx, c->lake, id.entry_key, err);
    arena_release(&arena);
    return status;
}

/* ---- listings ---------------------------------------------------------------------------------- */

static int compare_functions(const void *a, const void *b)
{
    const struct catalog_entry *x = a, *y = b;
    return str_cmp(x->table, y->table);
}

static enum status list_below(struct ctx *ctx, struct catalog *c, struct str key, struct arena *arena, struct store_entry **out, size_t *count,
                              struct error *err)
{
    struct str prefix = str_sub(key, 0, key.len - (sizeof CATALOG_SCHEMA_OBJECT - 1));
    size_t n = 0;
    enum status status = catalog_list_keys(ctx, c->lake, prefix, arena, out, count, err);
    for (size_t i = 0; !status && i < *count; i++)
        if (str_ends((*out)[i].key, STR(FUNCTION_SUFFIX)))
            (*out)[n++] = (*out)[i];
    *count = n;
    return status;
}

enum status catalog_list_functions(struct ctx *ctx, struct catalog *c, struct str schema, struct arena *arena, struct catalog_entry **out,
                                   size_t *count, struct error *err)
{
    struct store_entry *objects = NULL;
    struct str lowered, key;
    *out = NULL;
    *count = 0;
    enum status status = catalog_schema_key(arena, schema, &lowered, &key, err);
    if (!status)
        status = catalog_check_schema(ctx, c, lowered, err);
    if (!status)
        status = list_below(ctx, c, key, arena, &objects, count, err);
    struct catalog_entry *entries = status ? NULL : ARENA_ARRAY(arena, struct catalog_entry, *count + 1);
    if (!status && !entries)
        status = error_oom(err);
    for (size_t i = 0; entries && i < *count; i++) {
        struct str name = objects[i].key;
        size_t start = key.len - (sizeof CATALOG_SCHEMA_OBJECT - 1);
        name = str_sub(name, start, name.len - start - (sizeof FUNCTION_SUFFIX - 1));
        entries[i] = (struct catalog_entry){.schema = lowered, .table = catalog_unescape(arena, name)};
        if (!entries[i].table.ptr)
            entries[i].table = name;
    }
    if (entries && *count)
        qsort(entries, *count, sizeof *entries, compare_functions);
    *out = entries;
    return status;
}

enum status catalog_functions_of_schema(struct ctx *ctx, struct catalog *c, struct str key, bool remove, struct arena *arena, size_t *count,
                                        struct error *err)
{
    struct store_entry *objects = NULL;
    enum status status = list_below(ctx, c, key, arena, &objects, count, err);
    for (size_t i = 0; !status && remove && i < *count; i++)
        status = catalog_object_remove(ctx, c->lake, objects[i].key, err);
    return status;
}
