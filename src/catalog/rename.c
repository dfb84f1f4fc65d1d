/* catalog/rename.c: ALTER TABLE RENAME TO and SET LOCATION: what a name leads to changes, no file of the table does.
 *
 * RENAME first puts the new name, by put-if-absent, and then takes the old one away: after a crash in between both lead to the table, and none is
 * lost. */
#include "catalog/catalog_int.h"

static enum status not_for_paths(const struct catalog_name *name, const char *what, struct error *err)
{
    error_set(err, STATUS_NOT_SUPPORTED, "a table named by its path cannot be %s: \"%.*s\"", what, STR_ARG(name->table));
    return error_hint(err, "CREATE TABLE name USING DELTA LOCATION 'path' gives it a name");
}

/* The entry of a table that is there. */
static enum status find(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_name *name, struct catalog_id *id,
                        struct catalog_entry_object *entry, struct error *err)
{
    struct catalog_log log = {0};
    bool found = false;
    enum status status = catalog_id_make(arena, name, id, err);
    if (!status)
        status = catalog_entry_read(ctx, c, arena, id->entry_key, entry, &found, err);
    if (!status && found && entry->state == CATALOG_CLAIMED && entry->view.ptr)
        return catalog_is_view(id, err);
    if (!status && found && entry->state == CATALOG_CLAIMED)
        status = catalog_place_probe(ctx, c, entry->location, &log, err);
    return status || log.found ? status : catalog_table_not_found(ctx, c, arena, id, err);
}

/* An entry that is no table (any more) makes room. */
static enum status free_name(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_id *to, struct error *err)
{
    struct catalog_entry_object there;
    struct catalog_log log = {0};
    bool found = false;
    enum status status = catalog_entry_read(ctx, c, arena, to->entry_key, &there, &found, err);
    if (status || !found)
        return status;
    if (there.view.ptr && there.state == CATALOG_CLAIMED)
        return error_set(err, STATUS_TABLE_EXISTS, "view \"%.*s.%.*s\" exists already", STR_ARG(to->schema), STR_ARG(to->table));
    if (there.state == CATALOG_CLAIMED)
        status = catalog_place_probe(ctx, c, there.location, &log, err);
    if (!status && (log.found || there.state == CATALOG_CLAIMED))
        return error_set(err, STATUS_TABLE_EXISTS, "table \"%.*s.%.*s\" exists already", STR_ARG(to->schema), STR_ARG(to->table));
    return status ? status : catalog_entry_replace(ctx, c, to->entry_key, &there, NULL, &found, err);
}

static enum status put_new(struct ctx *ctx, struct catalog *c, const struct catalog_id *to, const struct catalog_entry_object *entry,
                           struct error *err)
{
    struct buf bytes = BUF_INIT;
    enum status status = catalog_entry_json(ctx, entry, &bytes, err);
    if (!status) {
        enum store_result result = store_put_if_absent(c->lake, ctx, to->entry_key, bytes.ptr, bytes.len, err);
        status = result == STORE_EXISTS
                     ? error_set(err, STATUS_TABLE_EXISTS, "table \"%.*s.%.*s\" exists already", STR_ARG(to->schema), STR_ARG(to->table))
                     : catalog_store_status(result, to->entry_key, err);
    }
    buf_release(&bytes);
    return status;
}

static enum status take_away(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_id *id, struct catalog_entry_object *entry,
                             struct error *err)
{
    enum status status = catalog_entry_drop(ctx, c, arena, id->entry_key, entry, err);
    catalog_opened_forget(c, id->entry_key);
    return status;
}

enum status catalog_rename_table(struct ctx *ctx, struct catalog *c, const struct catalog_name *from, const struct catalog_name *to,
                                 struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct catalog_id old, new;
    struct catalog_entry_object entry;
    if (from->is_path || to->is_path)
        return not_for_paths(from->is_path ? from : to, "renamed", err);
    enum status status = find(ctx, c, &arena, from, &old, &entry, err);
    if (!status)
        status = catalog_id_make(&arena, to, &new, err);
    if (!status)
        status = catalog_check_schema(ctx, c, new.schema, err);
    if (!status && !str_eq(old.entry_key, new.entry_key)) {
        status = free_name(ctx, c, &arena, &new, err);
        if (!status)
            status = put_new(ctx, c, &new, &entry, err);
        if (!status)
            status = take_away(ctx, c, &arena, &old, &entry, err);
    }
    arena_release(&arena);
    return status;
}

enum status catalog_set_location(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, struct str location, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct catalog_id id;
    struct catalog_entry_object entry;
    struct catalog_log log = {0};
    if (name->is_path)
        return not_for_paths(name, "given another place", err);
    enum status status = find(ctx, c, &arena, name, &id, &entry, err);
    if (!status && entry.managed) {
        status = error_set(err, STATUS_NOT_SUPPORTED, "the files of table \"%.*s\" are the lake's own: it cannot lead to another place",
                           STR_ARG(id.qualified));
        error_hint(err, "CREATE TABLE another name USING DELTA LOCATION 'path'");
    }
    if (!status)
        status = catalog_place_named(ctx, c, &arena, location, &entry.location, err);
    if (!status)
        status = catalog_place_probe(ctx, c, entry.location, &log, err);
    if (!status && !log.found)
        status = error_set(err, STATUS_NOT_A_DELTA_TABLE, "there is no Delta table at \"%.*s\"", STR_ARG(location));
    bool done = true;
    entry.registers = true;
    if (!status)
        status = catalog_entry_replace(ctx, c, id.entry_key, &entry, &entry, &done, err);
    if (!status && !done)
        status = error_set(err, STATUS_COMMIT_CONFLICT, "table \"%.*s\" was changed by another writer at this moment", STR_ARG(id.qualified));
    if (!status)
        catalog_opened_forget(c, id.entry_key);
    arena_release(&arena);
    return status;
}
