/* engine/plan.c: a statement over stand-ins -> what is filtered on each, and the result's schema. */
#include "engine/engine_int.h"

struct plan {
    struct ctx *ctx;
    struct planner *planner;
    struct str sql;
    struct engine_stand_in *stand_ins;
    size_t count;
    struct arena *arena;
    duckdb_connection connection;
    duckdb_connection own; /* made for session settings */
};

/* ---- reading the plan ------------------------------------------------------------------ */

/* How many times a stand-in is read, and what restricts all of its reads so far. */
struct reads {
    size_t count;
    bool unrestricted;
    struct delta_pred **preds;
    size_t cap;
};

static bool add_read(struct arena *arena, struct reads *r, struct delta_pred *pred)
{
    if (!pred) {
        r->unrestricted = true;
        return true;
    }
    if (r->count == r->cap) {
        size_t cap = r->cap ? 2 * r->cap : 4;
        struct delta_pred **grown = ARENA_ARRAY(arena, struct delta_pred *, cap);
        if (!grown)
            return false;
        if (r->count)
            memcpy(grown, r->preds, r->count * sizeof(*grown));
        r->preds = grown;
        r->cap = cap;
    }
    r->preds[r->count++] = pred;
    return true;
}

/* A file matters when any of the reads needs it. */
static struct delta_pred *any_read(struct arena *arena, const struct reads *r)
{
    if (r->unrestricted || r->count == 0)
        return NULL;
    if (r->count == 1)
        return r->preds[0];
    struct delta_pred *p = ARENA_NEW(arena, struct delta_pred);
    if (p)
        *p = (struct delta_pred){.op = DELTA_PRED_OR, .children = r->preds, .child_count = (uint32_t)r->count};
    return p;
}

static int64_t stand_in_of(const struct plan *p, const struct json *j, uint32_t get)
{
    uint32_t data = json_member(j, get, "function_data");
    struct str name = data ? tree_text(j, data, "table", p->arena) : STR("");
    for (size_t i = 0; name.len && i < p->count; i++)
        if (str_ieq(name, p->stand_ins[i].name))
            return (int64_t)i;
    return -1;
}

/* Parents come before their children in the tape: a filter's child is remembered until it is reached. */
static enum status read_plan(struct plan *p, const struct json *j, struct error *err)
{
    struct reads *reads = ARENA_ARRAY(p->arena, struct reads, p->count + 1);
    uint32_t filter = 0, filtered = 0;
    if (!reads)
        return error_oom(err);
    for (uint32_t n = 0; n < j->count; n++) {
        if (j->nodes[n].type != JSON_OBJECT)
            continue;
        if (tree_is(j, n, "type", "LOGICAL_FILTER")) {
            uint32_t children = json_member(j, n, "children");
            filter = n;
            filtered = children ? json_first(j, children) : 0;
        }
        if (!tree_is(j, n, "type", "LOGICAL_GET"))
            continue;
        int64_t i = stand_in_of(p, j, n);
        if (i >= 0 && !add_read(p->arena, &reads[i], pred_of_get(p->arena, j, n, n == filtered ? filter : 0, p->stand_ins[i].schema)))
            return error_oom(err);
    }
    for (size_t i = 0; i < p->count; i++)
        p->stand_ins[i].pred = any_read(p->arena, &reads[i]);
    return STATUS_OK;
}

/* ---- asking for it -------------------------------------------------------------------------- */

/* Plans that cannot be written as JSON (read_csv in them, for one) just give no predicates. */
static enum status find_filters(struct plan *p, struct error *err)
{
    struct json tree;
    struct error why = ERROR_INIT;
    enum status st = planner_ask(p->ctx, p->connection, PLANNER_PLAN, p->sql, p->arena, &tree, &why);
    if (st == STATUS_INTERNAL) { /* a constant whose bytes the JSON cannot hold: BIT, for one */
        error_release(&why);
        return STATUS_OK;
    }
    if (st != STATUS_OK) {
        error_move(err, &why);
        return st;
    }
    if (!tree_true(&tree, 0, "error"))
        return read_plan(p, &tree, err);
    return error_is_unserializable(&tree, p->arena) ? STATUS_OK : error_from_tree(p->ctx, &tree, p->sql, p->arena, err);
}

static enum status find_schema(struct plan *p, struct delta_type **schema, struct error *err)
{
    duckdb_prepared_statement statement = NULL;
    struct str sql = arena_str(p->arena, p->sql);
    enum status st = sql.ptr ? STATUS_OK : error_oom(err);
    if (st == STATUS_OK && duckdb_prepare(p->connection, sql.ptr, &statement) != DuckDBSuccess)
        st = error_from_duck(p->ctx, DUCKDB_ERROR_INVALID, duckdb_prepare_error(statement), err);
    if (st == STATUS_OK)
        st = schema_from_prepared(p->arena, statement, schema, err);
    duckdb_destroy_prepare(&statement);
    return st;
}

static enum status own_connection(struct plan *p, struct str settings, const char *schema_name, struct error *err)
{
    struct buf sql = BUF_INIT;
    if (duckdb_connect(p->planner->duck, &p->own) != DuckDBSuccess)
        return error_oom(err);
    p->connection = p->own;
    buf_printf(&sql, "SET search_path = 'memory.%s,memory.main'; ", schema_name);
    buf_str(&sql, settings);
    enum status st = buf_check(&sql, err);
    if (st == STATUS_OK)
        st = planner_run(p->ctx, p->own, sql.ptr, err);
    buf_release(&sql);
    return st;
}

static enum status plan_locked(struct plan *p, struct str settings, struct delta_type **schema, struct error *err)
{
    char schema_name[40];
    struct delta_type *unwanted;
    enum status st = functions_provide(p->ctx, &p->planner->functions, p->planner->connection, p->sql, err);
    if (st == STATUS_OK)
        st = planner_stand_ins(p->ctx, p->planner, p->stand_ins, p->count, schema_name, err);
    if (st == STATUS_OK && settings.len)
        st = own_connection(p, settings, schema_name, err);
    if (st == STATUS_OK)
        st = find_filters(p, err);
    if (st == STATUS_OK)
        st = find_schema(p, schema ? schema : &unwanted, err);
    if (p->own)
        duckdb_disconnect(&p->own);
    return st;
}

enum status engine_bind_session(struct ctx *ctx, struct engine *e, struct str sql, struct str session_settings, struct engine_stand_in *stand_ins,
                                size_t count, struct arena *arena, struct delta_type **schema, struct error *err)
{
    struct plan p = {.ctx = ctx, .planner = &e->planner, .sql = sql, .stand_ins = stand_ins, .count = count, .arena = arena};
    if (schema)
        *schema = NULL;
    for (size_t i = 0; i < count; i++)
        stand_ins[i].pred = NULL;
    enum status st = planner_lock(ctx, &e->planner, err);
    if (st != STATUS_OK)
        return st;
    p.connection = e->planner.connection;
    st = plan_locked(&p, session_settings, schema, err);
    planner_unlock(&e->planner);
    return st;
}

enum status engine_bind(struct ctx *ctx, struct engine *e, struct str sql, struct engine_stand_in *stand_ins, size_t count, struct arena *arena,
                        struct delta_type **schema, struct error *err)
{
    return engine_bind_session(ctx, e, sql, STR_NULL, stand_ins, count, arena, schema, err);
}
