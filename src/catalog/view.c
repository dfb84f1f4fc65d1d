/* catalog/view.c: queries with a name.  A view's entry is put like a table's, by put-if-absent, but is whole at once. */
#include "catalog/catalog_int.h"

enum { VIEW_TRIES = 16 };

enum status catalog_is_view(const struct catalog_id *id, struct error *err)
{
    error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s.%.*s\" is a view, not a table", STR_ARG(id->schema), STR_ARG(id->table));
    return error_hint(err, "a view can be queried, described, replaced by CREATE OR REPLACE VIEW and dropped by DROP VIEW");
}

enum status catalog_find_view(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_name *name, struct catalog_view *out,
                              bool *found, struct error *err)
{
    struct catalog_id id;
    struct catalog_entry_object entry;
    bool exists = false;
    *found = false;
    if (name->is_path)
        return STATUS_OK;
    enum status status = catalog_id_make(arena, name, &id, err);
    if (!status)
        status = catalog_entry_read(ctx, c, arena, id.entry_key, &entry, &exists, err);
    *found = !status && exists && entry.view.ptr && entry.state != CATALOG_DROPPED;
    if (*found)
        *out = (struct catalog_view){.sql = entry.view, .schema = entry.schema, .comment = entry.comment, .qualified = id.qualified};
    return status;
}

/* ---- create ------------------------------------------------------------------------------ */

/* Somebody's entry is there.  *done: the view stands; else the caller tries to put again. */
static enum status meet(struct ctx *ctx, struct catalog *c, const struct catalog_id *id, const struct catalog_entry_object *there,
                        const struct catalog_entry_object *want, bool replace, bool *done, struct error *err)
{
    struct catalog_log log = {0};
    *done = str_eq(there->id, want->id); /* our own put, whose reply was lost */
    if (*done)
        return STATUS_OK;
    bool removed;
    if (there->state == CATALOG_DROPPED)
        return catalog_entry_replace(ctx, c, id->entry_key, there, NULL, &removed, err);
    enum status status = there->view.ptr ? STATUS_OK : catalog_place_probe(ctx, c, there->location, &log, err);
    if (status)
        return status;
    bool is_table = !there->view.ptr && (log.found || there->state == CATALOG_CLAIMED);
    if (is_table || (there->view.ptr && !replace))
        return error_set(err, STATUS_TABLE_EXISTS, "%s \"%.*s.%.*s\" exists already", is_table ? "table" : "view", STR_ARG(id->schema),
                         STR_ARG(id->table));
    return catalog_entry_replace(ctx, c, id->entry_key, there, want, done, err);
}

static enum status put_view(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_id *id,
                            const struct catalog_entry_object *want, bool replace, struct error *err)
{
    struct buf bytes = BUF_INIT;
    bool done = false;
    enum status status = catalog_entry_json(ctx, want, &bytes, err);
    if (!status && bytes.len > CATALOG_ENTRY_MAX_BYTES)
        status = error_set(err, STATUS_LIMIT_EXCEEDED, "the text of view \"%.*s\" is longer than an entry of the catalog can be (%d bytes)",
                           STR_ARG(id->qualified), CATALOG_ENTRY_MAX_BYTES);
    for (int attempt = 0; !status && !done && attempt < VIEW_TRIES; attempt++) {
        struct catalog_entry_object there;
        bool found = false;
        if ((status = ctx_check(ctx, err)) != STATUS_OK)
            break;
        enum store_result result = store_put_if_absent(c->lake, ctx, id->entry_key, bytes.ptr, bytes.len, err);
        done = result == STORE_OK;
        if (result == STORE_FAILED)
            status = catalog_store_status(result, id->entry_key, err);
        if (result == STORE_EXISTS || result == STORE_UNKNOWN)
            status = catalog_entry_read(ctx, c, arena, id->entry_key, &there, &found, err);
        if (!status && found)
            status = meet(ctx, c, id, &there, want, replace, &done, err);
    }
    if (!status && !done)
        status = error_set(err, STATUS_STORE_IO, "the name \"%.*s\" could not be claimed in %d tries", STR_ARG(id->qualified), VIEW_TRIES);
    buf_release(&bytes);
    return status;
}

enum status catalog_create_view(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, const struct catalog_view *view, bool replace,
                                struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct catalog_id id;
    struct catalog_entry_object want = {.view = view->sql, .schema = view->schema, .comment = view->comment};
    char uuid[37];
    uuid_make(ctx->rng, uuid);
    want.id = str_of(uuid);
    enum status status = STATUS_OK;
    if (name->is_path)
        status = error_set(err, STATUS_INVALID_ARGUMENT, "a view has a name, not a path: \"%.*s\"", STR_ARG(name->table));
    if (!status)
        status = catalog_id_make(&arena, name, &id, err);
    if (!status)
        status = catalog_check_schema(ctx, c, id.schema, err);
    if (!status)
        status = put_view(ctx, c, &arena, &id, &want, replace, err);
    arena_release(&arena);
    return status;
}

/* ---- drop -------------------------------------------------------------------------------- */

static enum status drop_found(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_id *id,
                              struct catalog_entry_object *entry, struct error *err)
{
    struct catalog_log log = {0};
    enum status status = STATUS_OK;
    if (!entry->view.ptr && entry->state != CATALOG_DROPPED)
        status = catalog_place_probe(ctx, c, entry->location, &log, err);
    if (!status && log.found) {
        error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s.%.*s\" is a table, not a view", STR_ARG(id->schema), STR_ARG(id->table));
        return error_hint(err, "use DROP TABLE");
    }
    if (status)
        return status;
    if (!entry->view.ptr || entry->state == CATALOG_DROPPED)
        return catalog_table_not_found(ctx, c, arena, id, err);
    return catalog_entry_drop(ctx, c, arena, id->entry_key, entry, err);
}

enum status catalog_drop_view(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct catalog_id id;
    struct catalog_entry_object entry;
    bool found = false;
    enum status status = STATUS_OK;
    if (name->is_path)
        status = error_set(err, STATUS_INVALID_ARGUMENT, "a view has a name, not a path: \"%.*s\"", STR_ARG(name->table));
    if (!status)
        status = catalog_id_make(&arena, name, &id, err);
    if (!status)
        status = catalog_entry_read(ctx, c, &arena, id.entry_key, &entry, &found, err);
    if (!status)
        status = found ? drop_found(ctx, c, &arena, &id, &entry, err) : catalog_table_not_found(ctx, c, &arena, &id, err);
    arena_release(&arena);
    return status;
}
