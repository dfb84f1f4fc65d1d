/* catalog/claim.c: taking a name for a new table.
 *
 * A claim is an entry put by put-if-absent.  It becomes a table with version 0 of the log at its place; until then the name
 * resolves to nothing, and a later claim takes the entry over: both may then try to commit version 0 at the same place, and
 * the log's own put-if-absent decides.  A claim is therefore never taken away from under its claimer: giving up only marks it. */
#include "catalog/catalog_int.h"

enum { CLAIM_TRIES = 16 };

struct claim {
    struct ctx *ctx;
    struct catalog *c;
    struct arena arena;
    struct catalog_id id;
    struct catalog_entry_object want; /* what this claim would put */
};

/* ---- where -------------------------------------------------------------------------------- */

/* "<schema>/<table>", or "<schema>/<table>_<8 hex>" when an earlier table of that name left its log there. */
static enum status choose_managed(struct claim *k, struct error *err)
{
    struct catalog_log log;
    const char *schema = k->id.schema_dir.ptr, *table = k->id.table_dir.ptr;
    char *location = arena_printf(&k->arena, "%s/%s", schema, table);
    while (location) {
        enum status status = catalog_place_probe(k->ctx, k->c, str_of(location), &log, err);
        k->want.location = str_of(location);
        if (status || !log.found)
            return status;
        uint32_t number;
        k->ctx->rng->fill(k->ctx->rng->self, &number, sizeof number);
        location = arena_printf(&k->arena, "%s/%s_%08x", schema, table, number);
    }
    return error_oom(err);
}

static enum status choose_place(struct claim *k, struct str location, struct error *err)
{
    char id[37];
    uuid_make(k->ctx->rng, id);
    k->want.id = arena_str(&k->arena, str_of(id));
    if (!k->want.id.ptr)
        return error_oom(err);
    k->want.managed = !location.ptr;
    if (!location.ptr)
        return choose_managed(k, err);
    struct catalog_log log = {0};
    enum status status = catalog_place_named(k->ctx, k->c, &k->arena, location, &k->want.location, err);
    if (!status)
        status = catalog_place_probe(k->ctx, k->c, k->want.location, &log, err);
    k->want.registers = log.found;
    return status;
}

/* ---- the entry ------------------------------------------------------------------------------ */

static enum status name_taken(const struct claim *k, struct error *err)
{
    return error_set(err, STATUS_TABLE_EXISTS, "table \"%.*s.%.*s\" exists already", STR_ARG(k->id.schema), STR_ARG(k->id.table));
}

static enum status being_created(const struct claim *k, const struct catalog_entry_object *there, struct error *err)
{
    error_set(err, STATUS_TABLE_EXISTS, "table \"%.*s.%.*s\" is being created at another place", STR_ARG(k->id.schema), STR_ARG(k->id.table));
    error_detail(err, "an unfinished CREATE TABLE has claimed the name for \"%.*s\"", STR_ARG(there->location));
    error_hint(err, "if that statement is no longer running, DROP TABLE IF EXISTS frees the name");
    return STATUS_TABLE_EXISTS;
}

static bool same_place(const struct catalog_entry_object *a, const struct catalog_entry_object *b)
{
    return a->managed == b->managed && (a->managed || str_eq(a->location, b->location));
}

/* Somebody's entry is there.  *taken: it, or one that replaced it, is ours now; else the caller tries to put again. */
static enum status meet(struct claim *k, struct catalog_entry_object *there, bool *taken, struct error *err)
{
    struct catalog_log log;
    if (str_eq(there->id, k->want.id)) { /* our own put, whose reply was lost */
        *taken = true;
        return STATUS_OK;
    }
    bool removed;
    if (there->state == CATALOG_DROPPED)
        return catalog_entry_replace(k->ctx, k->c, k->id.entry_key, there, NULL, &removed, err);
    if (there->view.ptr)
        return error_set(err, STATUS_TABLE_EXISTS, "view \"%.*s.%.*s\" exists already", STR_ARG(k->id.schema), STR_ARG(k->id.table));
    enum status status = catalog_place_probe(k->ctx, k->c, there->location, &log, err);
    if (status)
        return status;
    if (log.found)
        return name_taken(k, err);
    if (there->state == CATALOG_ABANDONED)
        return catalog_entry_replace(k->ctx, k->c, k->id.entry_key, there, &k->want, taken, err);
    if (!same_place(there, &k->want))
        return being_created(k, there, err);
    k->want = *there;
    *taken = true;
    return STATUS_OK;
}

static enum status put_entry(struct claim *k, struct error *err)
{
    struct buf bytes = BUF_INIT;
    bool taken = false;
    enum status status = catalog_entry_json(k->ctx, &k->want, &bytes, err);
    for (int attempt = 0; !status && !taken && attempt < CLAIM_TRIES; attempt++) {
        struct catalog_entry_object there;
        bool found = false;
        status = ctx_check(k->ctx, err);
        if (status)
            break;
        enum store_result result = store_put_if_absent(k->c->lake, k->ctx, k->id.entry_key, bytes.ptr, bytes.len, err);
        taken = result == STORE_OK;
        if (result == STORE_FAILED)
            status = catalog_store_status(result, k->id.entry_key, err);
        if (result == STORE_EXISTS || result == STORE_UNKNOWN)
            status = catalog_entry_read(k->ctx, k->c, &k->arena, k->id.entry_key, &there, &found, err);
        if (!status && found)
            status = meet(k, &there, &taken, err);
    }
    if (!status && !taken)
        status = error_set(err, STATUS_STORE_IO, "the name \"%.*s\" could not be claimed in %d tries", STR_ARG(k->id.qualified), CLAIM_TRIES);
    buf_release(&bytes);
    return status;
}

static enum status claim_name(struct claim *k, const struct catalog_name *name, struct str location, struct catalog_table *out, struct error *err)
{
    struct store *store = NULL;
    struct delta_table *table = NULL;
    enum status status = catalog_id_make(&k->arena, name, &k->id, err);
    if (!status)
        status = catalog_check_schema(k->ctx, k->c, k->id.schema, err);
    if (!status)
        status = choose_place(k, location, err);
    if (!status)
        status = put_entry(k, err);
    if (!status)
        status = catalog_place_open(k->ctx, k->c, k->want.location, &store, err);
    struct str place = status ? STR_NULL : catalog_opened_place(&k->arena, &k->want);
    if (!status && !place.ptr)
        status = error_oom(err);
    if (!status)
        status = catalog_open_at(k->ctx, k->c, k->id.entry_key, place, store, "", k->id.qualified, &table, err);
    if (!status)
        status = catalog_hand_out(table, k->id.qualified, k->want.managed, out, err);
    store_unref(store);
    return status;
}

/* A path has no name to claim: its log alone decides. */
static enum status claim_path(struct claim *k, struct str path, struct catalog_table *out, struct error *err)
{
    struct store *store = NULL;
    struct catalog_log log = {0};
    struct delta_table *table = NULL;
    struct str qualified;
    enum status status = catalog_open_path(k->ctx, k->c, path, &store, &log, err);
    if (status)
        return status;
    status = catalog_path_qualified(&k->arena, store->root, &qualified, err);
    if (!status && log.found)
        status = error_set(err, STATUS_TABLE_EXISTS, "there is a Delta table at \"%.*s\" already", STR_ARG(store->root));
    if (!status)
        status = delta_table_open(k->ctx, store, k->c->handler, qualified, &table, err);
    if (!status)
        status = catalog_hand_out(table, qualified, false, out, err);
    store_unref(store);
    return status;
}

enum status catalog_claim(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, struct str location, struct catalog_table *out,
                          struct error *err)
{
    struct claim k = {.ctx = ctx, .c = c, .arena = ARENA_INIT};
    *out = (struct catalog_table){0};
    enum status status;
    if (!name->is_path)
        status = claim_name(&k, name, location, out, err);
    else if (location.ptr)
        status = error_set(err, STATUS_INVALID_ARGUMENT, "a table named by its path cannot have a LOCATION too");
    else
        status = claim_path(&k, name->table, out, err);
    arena_release(&k.arena);
    return status;
}

/* ---- giving up --------------------------------------------------------------------------------- */

/* A claim that registered a table which was there before is taken back whole: nobody else can have shared it. */
static enum status give_up(struct ctx *ctx, struct catalog *c, struct arena *arena, const struct catalog_name *name, struct delta_table *table,
                           struct error *err)
{
    struct catalog_id id;
    struct catalog_entry_object entry;
    char log_id[96];
    bool found = false;
    enum status status = catalog_id_make(arena, name, &id, err);
    if (!status)
        status = catalog_entry_read(ctx, c, arena, id.entry_key, &entry, &found, err);
    if (status || !found || entry.view.ptr)
        return status;
    struct str place = catalog_opened_place(arena, &entry);
    struct delta_table *opened = place.ptr ? catalog_opened_get(c, id.entry_key, place, log_id) : NULL;
    if (opened == table && entry.state == CATALOG_CLAIMED) {
        struct catalog_log log = {0};
        if (entry.registers)
            status = catalog_entry_replace(ctx, c, id.entry_key, &entry, NULL, &found, err);
        else
            status = catalog_place_probe(ctx, c, entry.location, &log, err);
        if (!status && !entry.registers && !log.found) {
            struct catalog_entry_object given_up = entry;
            given_up.state = CATALOG_ABANDONED;
            status = catalog_entry_replace(ctx, c, id.entry_key, &entry, &given_up, &found, err);
        }
        if (!log.found)
            catalog_opened_forget(c, id.entry_key);
    }
    if (opened)
        delta_table_unref(opened);
    return status;
}

void catalog_claim_abandon(struct ctx *ctx, struct catalog *c, const struct catalog_name *name, struct catalog_table *t)
{
    struct arena arena = ARENA_INIT;
    struct error err = ERROR_INIT;
    if (!name->is_path && t->table && give_up(ctx, c, &arena, name, t->table, &err))
        log_event(ctx, LOG_WARN, "catalog_claim_left", "table", t->qualified_name, "reason", err.message ? err.message : "", NULL);
    error_release(&err);
    arena_release(&arena);
    catalog_table_release(t);
}
