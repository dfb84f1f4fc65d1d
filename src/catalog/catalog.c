/* catalog/catalog.c: opening the catalog, and names to tables. */
#include "catalog/catalog_int.h"

#include <errno.h>
#include <unistd.h>

enum status catalog_open(struct ctx *ctx, struct store *lake, bool durable, struct delta_handler *handler, struct catalog **out, struct error *err)
{
    *out = NULL;
    struct catalog *c = mem_calloc(1, sizeof *c);
    if (!c)
        return error_oom(err);
    if (pthread_mutex_init(&c->lock, NULL) != 0) {
        mem_free(c);
        return error_oom(err);
    }
    c->lake = store_ref(lake);
    c->handler = handler;
    c->durable = durable;
    *out = c;
    return STATUS_OK;
}

void catalog_close(struct catalog *c)
{
    if (!c)
        return;
    catalog_opened_release(c);
    pthread_mutex_destroy(&c->lock);
    store_unref(c->lake);
    mem_free(c);
}

/* ---- is there a lake? -------------------------------------------------------------------- */

/* Only a lake in a directory can be missing as a whole. */
static bool is_missing(const struct catalog *c)
{
    const struct str root = c->lake->root;
    return root.len && root.ptr[0] == '/' && access(root.ptr, F_OK) != 0 && errno == ENOENT;
}

enum status catalog_check_lake(const struct catalog *c, struct error *err)
{
    if (!is_missing(c))
        return STATUS_OK;
    return error_set(err, STATUS_LAKE_NOT_FOUND, "the lake \"%.*s\" does not exist", STR_ARG(c->lake->root));
}

bool catalog_hint_lake(const struct catalog *c, struct error *err)
{
    if (!is_missing(c))
        return false;
    error_hint(err, "the lake \"%.*s\" does not exist: check its path; the first statement that writes makes it", STR_ARG(c->lake->root));
    return true;
}

/* ---- handing out ------------------------------------------------------------------------- */

enum status catalog_hand_out(struct delta_table *table, struct str qualified, bool managed, struct catalog_table *out, struct error *err)
{
    struct str root = delta_table_store(table)->root;
    *out = (struct catalog_table){
        .table = table,
        .qualified_name = mem_strndup(qualified.ptr, qualified.len),
        .location = mem_strndup(root.ptr, root.len),
        .managed = managed,
    };
    if (out->qualified_name && out->location)
        return STATUS_OK;
    catalog_table_release(out);
    return error_oom(err);
}

void catalog_table_release(struct catalog_table *t)
{
    if (t->table)
        delta_table_unref(t->table);
    mem_free(t->qualified_name);
    mem_free(t->location);
    *t = (struct catalog_table){0};
}

enum status catalog_open_at(struct ctx *ctx, struct catalog *c, struct str key, struct str place, struct store *store, const char *log_id,
                            struct str qualified, struct delta_table **out, struct error *err)
{
    enum status status = delta_table_open(ctx, store, c->handler, qualified, out, err);
    if (!status)
        catalog_opened_put(c, key, place, log_id, out);
    return status;
}

/* ---- by name ------------------------------------------------------------------------------- */

enum status catalog_table_not_found(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_id *id, struct error *err)
{
    enum status status = catalog_check_schema(ctx, c, id->schema, err);
    struct catalog_entry *tables = NULL;
    size_t count = 0;
    if (!status)
        status = catalog_list_relations(ctx, c, id->schema, arena, &tables, &count, err);
    if (status)
        return status;
    struct str *names = ARENA_ARRAY(arena, struct str, count + 1);
    if (!names)
        return error_oom(err);
    for (size_t i = 0; i < count; i++)
        names[i] = tables[i].table;
    struct str near = str_nearest(id->table, names, count);
    error_set(err, STATUS_TABLE_NOT_FOUND, "table \"%.*s.%.*s\" does not exist", STR_ARG(id->schema), STR_ARG(id->table));
    if (!catalog_hint_lake(c, err) && near.ptr)
        error_hint(err, "did you mean \"%.*s.%.*s\"?", STR_ARG(id->schema), STR_ARG(near));
    return STATUS_TABLE_NOT_FOUND;
}

/* The table behind an entry: the opened one while its log is still the one it was opened with.  *table stays NULL when the place has no log. */
static enum status open_entry(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_id *id,
                              const struct catalog_entry_object *entry, struct delta_table **table, struct error *err)
{
    char known_log[96];
    struct catalog_log log = {0};
    struct store *store = NULL;
    struct str place = catalog_opened_place(arena, entry);
    if (!place.ptr)
        return error_oom(err);
    struct delta_table *opened = catalog_opened_get(c, id->entry_key, place, known_log);
    enum status status = STATUS_OK;
    if (opened)
        store = store_ref(delta_table_store(opened));
    else
        status = catalog_place_open(ctx, c, entry->location, &store, err);
    if (!status)
        status = catalog_log_probe(ctx, store, STR(""), &log, err);
    if (status || !log.found)
        goto out;
    if (opened && strcmp(known_log, log.id) == 0) {
        *table = opened;
        opened = NULL;
    } else if (opened && !known_log[0]) { /* claimed here, committed since */
        catalog_opened_put(c, id->entry_key, place, log.id, &opened);
        *table = opened;
        opened = NULL;
    } else {
        status = catalog_open_at(ctx, c, id->entry_key, place, store, log.id, id->qualified, table, err);
    }
out:
    if (opened)
        delta_table_unref(opened);
    store_unref(store);
    return status;
}

static enum status resolve_name(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_name *name, struct catalog_table *out,
                                struct error *err)
{
    struct catalog_id id;
    struct catalog_entry_object entry;
    struct delta_table *table = NULL;
    bool found = false;
    enum status status = catalog_id_make(arena, name, &id, err);
    if (!status)
        status = catalog_entry_read(ctx, c, arena, id.entry_key, &entry, &found, err);
    if (!status && found && entry.state != CATALOG_DROPPED && entry.view.ptr)
        return catalog_is_view(&id, err);
    if (!status && found && entry.state != CATALOG_DROPPED)
        status = open_entry(ctx, c, arena, &id, &entry, &table, err);
    if (status)
        return status;
    if (table)
        return catalog_hand_out(table, id.qualified, entry.managed, out, err);
    catalog_opened_forget(c, id.entry_key);
    return catalog_table_not_found(ctx, c, arena, &id, err);
}

/* ---- by path --------------------------------------------------------------------------------- */

enum status catalog_path_qualified(struct arena *arena, struct str root, struct str *out, struct error *err)
{
    *out = str_of(arena_printf(arena, "delta.`%.*s`", STR_ARG(root)));
    return out->ptr ? STATUS_OK : error_oom(err);
}

enum status catalog_open_path(struct ctx *ctx, struct catalog *c, struct str path, struct store **out, struct catalog_log *log, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct store_local_options options = {.durable = c->durable};
    struct str base = STR_NULL, absolute;
    *out = NULL;
    enum status status = path.len && path.ptr[0] == '/' ? STATUS_OK : catalog_working_directory(&arena, &base, err);
    if (!status)
        status = catalog_path_absolute(&arena, path, base, &absolute, err);
    if (!status)
        status = store_open_local(ctx, absolute, options, out, err);
    if (!status)
        status = catalog_log_probe(ctx, *out, STR(""), log, err);
    if (status && *out) {
        store_unref(*out);
        *out = NULL;
    }
    arena_release(&arena);
    return status;
}

/* The path is resolved every time: a symbolic link may lead elsewhere by now. */
static enum status resolve_path(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str path, struct catalog_table *out,
                                struct error *err)
{
    struct store *store = NULL;
    struct catalog_log log = {0};
    struct delta_table *table = NULL;
    struct str qualified;
    char known_log[96];
    enum status status = catalog_open_path(ctx, c, path, &store, &log, err);
    if (status)
        return status;
    status = catalog_path_qualified(arena, store->root, &qualified, err);
    if (!status && !log.found)
        status = error_set(err, STATUS_NOT_A_DELTA_TABLE, "\"%.*s\" is not a Delta table: it has no log", STR_ARG(store->root));
    if (!status) {
        table = catalog_opened_get(c, store->root, STR(""), known_log);
        if (table && strcmp(known_log, log.id) != 0) {
            delta_table_unref(table);
            table = NULL;
        }
        if (!table)
            status = catalog_open_at(ctx, c, store->root, STR(""), store, log.id, qualified, &table, err);
    }
    if (!status)
        status = catalog_hand_out(table, qualified, false, out, err);
    store_unref(store);
    return status;
}

enum status catalog_resolve(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, struct catalog_table *out, struct error *err)
{
    struct arena arena = ARENA_INIT;
    *out = (struct catalog_table){0};
    enum status status = name->is_path ? resolve_path(ctx, c, &arena, name->table, out, err) : resolve_name(ctx, c, &arena, name, out, err);
    arena_release(&arena);
    return status;
}
