/* catalog/drop.c: taking names away. */
#include "catalog/catalog_int.h"

/* The name is gone: files that cannot be removed now are only reported. */
static void delete_files(struct ctx *ctx, struct catalog *c, const struct catalog_id *id, struct str location)
{
    struct error err = ERROR_INIT;
    struct store *store = NULL;
    enum status status = catalog_place_open(ctx, c, location, &store, &err);
    if (!status)
        status = catalog_place_delete(ctx, store, &err);
    if (status)
        log_event(ctx, LOG_WARN, "drop_left_files", "table", id->qualified.ptr, "location", location.ptr, "reason", err.message ? err.message : "",
                  NULL);
    store_unref(store);
    error_release(&err);
}

/* An unfinished claim is taken away too, but its files are its claimer's. */
static enum status drop_found(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_id *id,
                              struct catalog_entry_object *entry, bool *existed, struct error *err)
{
    struct catalog_log log = {0};
    bool was_dropped = entry->state == CATALOG_DROPPED;
    enum status status = was_dropped || entry->view.ptr ? STATUS_OK : catalog_place_probe(ctx, c, entry->location, &log, err);
    if (!status)
        status = catalog_entry_drop(ctx, c, arena, id->entry_key, entry, err);
    if (status)
        return status;
    *existed = log.found || (entry->view.ptr && !was_dropped);
    catalog_opened_forget(c, id->entry_key);
    if (entry->managed && log.found)
        delete_files(ctx, c, id, entry->location);
    return STATUS_OK;
}

/* An entry that cannot be read leads to no files that may be removed. */
static enum status drop_damaged(struct ctx *ctx, struct catalog *c, const struct catalog_id *id, bool *existed, struct error *err)
{
    log_event(ctx, LOG_WARN, "drop_damaged_entry", "table", id->qualified.ptr, "reason", err && err->message ? err->message : "", NULL);
    if (err)
        error_release(err);
    catalog_opened_forget(c, id->entry_key);
    enum status status = catalog_object_remove(ctx, c->lake, id->entry_key, err);
    *existed = !status;
    return status;
}

static enum status drop_name(struct ctx *ctx, struct catalog *c, const struct catalog_id *id, struct arena *arena, bool *existed, struct error *err)
{
    struct catalog_entry_object entry;
    bool found = false;
    enum status status = catalog_entry_read(ctx, c, arena, id->entry_key, &entry, &found, err);
    if (status == STATUS_CORRUPT_LOG)
        return drop_damaged(ctx, c, id, existed, err);
    return status || !found ? status : drop_found(ctx, c, arena, id, &entry, existed, err);
}

/* A damaged entry is none. */
static enum status refuse_view(struct ctx *ctx, struct catalog *c, const struct catalog_id *id, struct arena *arena, struct error *err)
{
    struct catalog_entry_object entry;
    struct error reason = ERROR_INIT;
    bool found = false;
    enum status status = catalog_entry_read(ctx, c, arena, id->entry_key, &entry, &found, &reason);
    error_release(&reason);
    bool is_view = !status && found && entry.view.ptr && entry.state != CATALOG_DROPPED;
    return is_view ? catalog_is_view(id, err) : STATUS_OK;
}

enum status catalog_drop_table(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, bool *existed, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct catalog_id id;
    *existed = false;
    if (name->is_path) {
        error_set(err, STATUS_NOT_SUPPORTED, "a table named by its path cannot be dropped: \"%.*s\"", STR_ARG(name->table));
        error_hint(err, "remove its directory");
        return STATUS_NOT_SUPPORTED;
    }
    enum status status = catalog_id_make(&arena, name, &id, err);
    if (!status)
        status = refuse_view(ctx, c, &id, &arena, err);
    if (!status)
        status = drop_name(ctx, c, &id, &arena, existed, err);
    if (!status && !*existed)
        status = catalog_table_not_found(ctx, c, &arena, &id, err);
    arena_release(&arena);
    return status;
}

/* ---- schemas ------------------------------------------------------------------------------ */

static const char *kinds(const struct catalog_entry *entries, size_t count)
{
    size_t views = 0;
    for (size_t i = 0; i < count; i++)
        views += entries[i].is_view;
    if (views == 0)
        return count == 1 ? "table" : "tables";
    if (views == count)
        return count == 1 ? "view" : "views";
    return "tables and views";
}

static enum status not_empty(struct str schema, const struct catalog_entry *tables, size_t count, struct error *err)
{
    enum { SHOWN = 5 };
    struct buf names = BUF_INIT;
    for (size_t i = 0; i < count && i < SHOWN; i++)
        buf_printf(&names, "%s%.*s", i ? ", " : "", STR_ARG(tables[i].table));
    if (count > SHOWN)
        buf_z(&names, ", …");
    error_set(err, STATUS_SCHEMA_NOT_EMPTY, "schema \"%.*s\" still has %zu %s", STR_ARG(schema), count, kinds(tables, count));
    error_detail(err, "%.*s", STR_ARG(buf_view(&names)));
    buf_release(&names);
    error_hint(err, "drop them first, or use DROP SCHEMA … CASCADE");
    return STATUS_SCHEMA_NOT_EMPTY;
}

/* Every entry, unfinished claims too. */
static enum status drop_all_entries(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str schema, struct str prefix, struct error *err)
{
    struct store_entry *objects = NULL;
    size_t count = 0;
    enum status status = catalog_list_keys(ctx, c->lake, prefix, arena, &objects, &count, err);
    for (size_t i = 0; !status && i < count; i++) {
        struct catalog_entry entry;
        struct catalog_id id;
        bool existed = false;
        if (!catalog_entry_key_split(arena, objects[i].key, &entry))
            continue;
        struct catalog_name name = {.schema = schema, .table = entry.table};
        status = catalog_id_make(arena, &name, &id, err);
        if (!status)
            status = drop_name(ctx, c, &id, arena, &existed, err);
    }
    return status;
}

/* Without CASCADE a table that appeared at the last moment brings the schema back. */
static enum status check_still_empty(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str schema, struct str prefix, struct str key,
                                     struct str body, struct error *err)
{
    struct catalog_entry *tables = NULL;
    size_t count = 0;
    enum status status = catalog_list_committed(ctx, c, prefix, arena, &tables, &count, err);
    if (status || !count)
        return status;
    status = catalog_store_status(store_put(c->lake, ctx, key, body.ptr, body.len, err), key, err);
    return status ? status : not_empty(schema, tables, count, err);
}

/* The schema's object goes first: from there on nothing can be claimed in it. */
static enum status drop_existing(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str schema, struct str key, struct str body,
                                 bool cascade, struct error *err)
{
    struct str prefix = str_sub(key, 0, key.len - (sizeof CATALOG_SCHEMA_OBJECT - 1));
    struct catalog_entry *tables = NULL;
    size_t count = 0, functions = 0;
    enum status status = catalog_list_committed(ctx, c, prefix, arena, &tables, &count, err);
    if (!status && count && !cascade)
        return not_empty(schema, tables, count, err);
    if (!status)
        status = catalog_functions_of_schema(ctx, c, key, false, arena, &functions, err);
    if (!status && functions && !cascade) {
        error_set(err, STATUS_SCHEMA_NOT_EMPTY, "schema \"%.*s\" still has %zu function%s", STR_ARG(schema), functions, functions == 1 ? "" : "s");
        return error_hint(err, "drop them first, or use DROP SCHEMA … CASCADE");
    }
    if (!status)
        status = catalog_object_remove(ctx, c->lake, key, err);
    if (!status && functions)
        status = catalog_functions_of_schema(ctx, c, key, true, arena, &functions, err);
    if (status)
        return status;
    return cascade ? drop_all_entries(ctx, c, arena, schema, prefix, err) : check_still_empty(ctx, c, arena, schema, prefix, key, body, err);
}

enum status catalog_drop_schema(struct ctx *ctx, struct catalog *c, struct str schema, bool cascade, bool *existed, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct buf body = BUF_INIT;
    struct str lowered, key;
    *existed = false;
    enum status status = catalog_schema_key(&arena, schema, &lowered, &key, err);
    if (!status && str_eq(lowered, STR(CATALOG_DEFAULT_SCHEMA)))
        status = error_set(err, STATUS_INVALID_ARGUMENT, "the schema \"" CATALOG_DEFAULT_SCHEMA "\" cannot be dropped");
    if (!status) {
        enum store_result result = store_read(c->lake, ctx, key, &body, err);
        *existed = result == STORE_OK;
        if (result == STORE_OK)
            status = drop_existing(ctx, c, &arena, lowered, key, buf_view(&body), cascade, err);
        else if (result != STORE_NOT_FOUND)
            status = catalog_store_status(result, key, err);
    }
    buf_release(&body);
    arena_release(&arena);
    return status;
}
