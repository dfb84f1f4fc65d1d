/* catalog/entry.c: the object that says that a name is taken, and by what. */
#include "catalog/catalog_int.h"

enum status catalog_store_status(enum store_result result, struct str key, struct error *err)
{
    switch (result) {
    case STORE_OK:
        return STATUS_OK;
    case STORE_FAILED:
        return err && err->code ? err->code : STATUS_STORE_IO;
    default:
        return error_set(err, STATUS_STORE_IO, "it is not known whether the change of \"%.*s\" took effect", STR_ARG(key));
    }
}

/* ---- read ------------------------------------------------------------------------------ */

static enum status damaged(struct str key, const char *what, struct error *err)
{
    error_set(err, STATUS_CORRUPT_LOG, "the catalog's entry \"%.*s\" is damaged: %s", STR_ARG(key), what);
    error_hint(err, "drop the table and create it again with LOCATION, or restore the file from a copy");
    return STATUS_CORRUPT_LOG;
}

static enum catalog_entry_state state_of(struct str text)
{
    if (str_eq(text, STR("dropped")))
        return CATALOG_DROPPED;
    return str_eq(text, STR("abandoned")) ? CATALOG_ABANDONED : CATALOG_CLAIMED;
}

static struct str text_member(const struct json *j, const char *key, struct arena *arena)
{
    uint32_t node = json_member(j, 0, key);
    return node && j->nodes[node].type == JSON_STRING ? json_text(j, node, arena) : STR_NULL;
}

static enum status entry_parse(struct arena *arena, struct str key, struct str text, struct catalog_entry_object *out, struct error *err)
{
    struct json j;
    struct error reason = ERROR_INIT;
    enum status status = json_parse(arena, text, &j, &reason);
    if (status == STATUS_SYNTAX)
        status = damaged(key, reason.message ? reason.message : "not JSON", err);
    else if (status)
        error_move(err, &reason);
    error_release(&reason);
    if (status)
        return status;
    if (j.nodes[0].type != JSON_OBJECT)
        return damaged(key, "not an object", err);
    out->location = text_member(&j, "location", arena);
    out->id = text_member(&j, "id", arena);
    out->state = state_of(text_member(&j, "state", arena));
    out->view = text_member(&j, "view", arena);
    if (out->view.ptr) {
        out->schema = text_member(&j, "schema", arena);
        out->comment = text_member(&j, "comment", arena);
        return out->schema.len && out->id.ptr ? STATUS_OK : damaged(key, "a view without schema or id", err);
    }
    uint32_t managed = json_member(&j, 0, "managed"), registers = json_member(&j, 0, "registers");
    if (out->location.len == 0 || !out->id.ptr || !managed || !json_bool(&j, managed, &out->managed))
        return damaged(key, "it has no location, id or managed", err);
    if (registers)
        json_bool(&j, registers, &out->registers);
    return STATUS_OK;
}

enum status catalog_entry_read(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str key, struct catalog_entry_object *out, bool *found,
                               struct error *err)
{
    *out = (struct catalog_entry_object){0};
    *found = false;
    struct buf bytes = {.max_bytes = CATALOG_ENTRY_MAX_BYTES};
    enum store_result result = store_read(c->lake, ctx, key, &bytes, err);
    enum status status = result == STORE_NOT_FOUND ? STATUS_OK : catalog_store_status(result, key, err);
    if (!status && result == STORE_OK) {
        struct str text = arena_str(arena, buf_view(&bytes));
        status = text.ptr ? entry_parse(arena, key, text, out, err) : error_oom(err);
        out->bytes = text;
        *found = !status;
    }
    buf_release(&bytes);
    return status;
}

/* ---- write ------------------------------------------------------------------------------- */

static void put_view(struct buf *out, const struct catalog_entry_object *entry)
{
    buf_z(out, "{\"view\":");
    json_put_string(out, entry->view);
    buf_z(out, ",\"schema\":");
    json_put_string(out, entry->schema);
    if (entry->comment.ptr) {
        buf_z(out, ",\"comment\":");
        json_put_string(out, entry->comment);
    }
}

static void put_place(struct buf *out, const struct catalog_entry_object *entry)
{
    buf_z(out, "{\"location\":");
    json_put_string(out, entry->location);
    buf_printf(out, ",\"managed\":%s", entry->managed ? "true" : "false");
    if (entry->registers)
        buf_z(out, ",\"registers\":true");
}

enum status catalog_entry_json(struct ctx *ctx, const struct catalog_entry_object *entry, struct buf *out, struct error *err)
{
    static const char *const state_names[] = {NULL, "abandoned", "dropped"};
    char created[40];
    timestamp_to_iso(ctx_now_us(ctx), true, created);
    if (entry->view.ptr)
        put_view(out, entry);
    else
        put_place(out, entry);
    buf_z(out, ",\"id\":");
    json_put_string(out, entry->id);
    if (state_names[entry->state])
        buf_printf(out, ",\"state\":\"%s\"", state_names[entry->state]);
    buf_printf(out, ",\"created\":\"%s\"}\n", created);
    return buf_check(out, err);
}

enum status catalog_entry_replace(struct ctx *ctx, struct catalog *c, struct str key, const struct catalog_entry_object *old,
                                  const struct catalog_entry_object *new, bool *done, struct error *err)
{
    struct buf bytes = BUF_INIT;
    enum status status = new ? catalog_entry_json(ctx, new, &bytes, err) : STATUS_OK;
    *done = false;
    if (!status) {
        enum store_result result = store_replace(c->lake, ctx, key, old->bytes, new ? buf_view(&bytes) : STR_NULL, err);
        *done = result == STORE_OK;
        if (result != STORE_EXISTS && result != STORE_NOT_FOUND)
            status = catalog_store_status(result, key, err);
    }
    buf_release(&bytes);
    return status;
}

enum status catalog_entry_drop(struct ctx *ctx, struct catalog *c, struct arena *arena, struct str key, struct catalog_entry_object *entry,
                               struct error *err)
{
    struct catalog_entry_object gone = *entry;
    struct buf bytes = BUF_INIT;
    bool done = false;
    gone.state = CATALOG_DROPPED;
    enum status status = catalog_entry_json(ctx, &gone, &bytes, err);
    if (!status && !(gone.bytes = arena_str(arena, buf_view(&bytes))).ptr)
        status = error_oom(err);
    if (!status) {
        enum store_result result = store_replace(c->lake, ctx, key, entry->bytes, gone.bytes, err);
        if (result == STORE_EXISTS || result == STORE_NOT_FOUND)
            status =
                error_set(err, STATUS_COMMIT_CONFLICT, "the catalog's entry \"%.*s\" was changed by another writer at this moment", STR_ARG(key));
        else
            status = catalog_store_status(result, key, err);
    }
    buf_release(&bytes);
    entry->state = CATALOG_DROPPED;
    return status ? status : catalog_entry_replace(ctx, c, key, &gone, NULL, &done, err); /* not done: somebody else took it away */
}

/* A removal that may have happened is simply done again: it is idempotent. */
enum status catalog_object_remove(struct ctx *ctx, struct store *s, struct str key, struct error *err)
{
    enum store_result result = store_remove(s, ctx, key, err);
    if (result == STORE_UNKNOWN)
        result = store_remove(s, ctx, key, err);
    return catalog_store_status(result, key, err);
}
