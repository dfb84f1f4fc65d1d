/* engine/parse.c: from a statement to the tables it names, by way of json_serialize_sql. */
#include "engine/engine_int.h"

#include <stdlib.h>

/* A CTE name that is visible; innermost first. */
struct scope {
    struct str name;
    const struct scope *up;
};
struct parse {
    struct json tree;
    struct arena *arena;
    struct engine_ref *refs;
    size_t count, cap;
    struct str sql;
    size_t *star_ends;
    size_t star_count, star_cap;
    bool names_metadata, has_other_stars;
    bool is_volatile, reads_clock, failed;
};

static void walk(struct parse *p, uint32_t node, const struct scope *scope);

/* ---- what is volatile ------------------------------------------------------------------- */

static const struct {
    const char *name;
    bool is_clock;
} volatile_names[] = {
#define VOLATILE_NAME(NAME) {NAME, false},
#define CLOCK_NAME(NAME) {NAME, true},
#include "engine/volatile.def"
#undef VOLATILE_NAME
#undef CLOCK_NAME
};

static void note_name(struct parse *p, struct str name)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(volatile_names); i++)
        if (str_ieq(name, str_of(volatile_names[i].name))) {
            p->is_volatile = true;
            p->reads_clock |= volatile_names[i].is_clock;
        }
}

/* Table functions that stand for what a table's commits changed. */
static bool is_changes_function(struct str name) { return str_ieq(name, STR("table_changes")) || str_ieq(name, STR("table_changes_by_path")); }

/* Table functions that stand for the answer of a statement. */
static bool is_statement_function(struct str name)
{
    static const char *const names[] = {"varve_statement", "table_history", "table_detail", "table_files"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(names); i++)
        if (str_ieq(name, str_of(names[i])))
            return true;
    return false;
}

/* Table functions that only look at their arguments; every other one reads something outside. */
static bool is_pure_table_function(struct str name)
{
    static const char *const pure[] = {"range", "generate_series", "unnest", "repeat", "repeat_row", "json_each", "json_tree"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(pure); i++)
        if (str_ieq(name, str_of(pure[i])))
            return true;
    return false;
}

static void note_volatile(struct parse *p, uint32_t object)
{
    const struct json *j = &p->tree;
    uint32_t names = json_member(j, object, "column_names");
    if (names && j->nodes[names].count == 1)
        note_name(p, json_text(j, json_first(j, names), p->arena));
    if (tree_is(j, object, "class", "FUNCTION"))
        note_name(p, tree_text(j, object, "function_name", p->arena));
    if (tree_is(j, object, "type", "TABLE_FUNCTION")) {
        uint32_t call = json_member(j, object, "function");
        struct str name = call ? tree_text(j, call, "function_name", p->arena) : STR_NULL;
        p->is_volatile |= !is_pure_table_function(name) && !is_changes_function(name);
    }
    if (tree_is(j, object, "type", "SHOW_REF") && !json_member(j, object, "query"))
        p->is_volatile = true;
    if (json_member(j, object, "sample"))
        p->is_volatile = true;
}

/* ---- stars -------------------------------------------------------------------------------- */

static bool has_items(const struct json *j, uint32_t object, const char *key)
{
    uint32_t list = json_member(j, object, key);
    return list && j->nodes[list].count;
}

static size_t skip_blanks(struct str sql, size_t at)
{
    while (at < sql.len && strchr(" \t\r\n", sql.ptr[at]))
        at++;
    return at;
}

/* Behind a name; 0 when there is none. */
static size_t skip_name(struct str sql, size_t at)
{
    size_t start = at;
    if (at < sql.len && sql.ptr[at] == '"') {
        for (at++; at < sql.len && (sql.ptr[at] != '"' || (at + 1 < sql.len && sql.ptr[at + 1] == '"')); at++)
            at += sql.ptr[at] == '"';
        return at < sql.len ? at + 1 : 0;
    }
    while (at < sql.len && sql.ptr[at] && !strchr(" \t\r\n.*,()\"';/-+", sql.ptr[at]))
        at++;
    return at > start ? at : 0;
}

/* A choice of columns by their names: * LIKE 'a%'. */
static bool chooses(struct str sql, size_t at)
{
    static const char *const words[] = {"NOT", "LIKE", "ILIKE", "GLOB", "SIMILAR"};
    at = skip_blanks(sql, at);
    size_t end = skip_name(sql, at);
    for (size_t i = 0; end && i < VV_ARRAY_COUNT(words); i++)
        if (str_ieq(str_sub(sql, at, end - at), str_of(words[i])))
            return true;
    return false;
}

/* Behind "*" or "name.*"; 0 when something else stands there. */
static size_t star_end(struct str sql, size_t at)
{
    if (at < sql.len && sql.ptr[at] == '*')
        return at + 1;
    size_t name = skip_name(sql, at);
    at = name ? skip_blanks(sql, name) : sql.len;
    if (at >= sql.len || sql.ptr[at] != '.')
        return 0;
    at = skip_blanks(sql, at + 1);
    return at < sql.len && sql.ptr[at] == '*' ? at + 1 : 0;
}

static void add_star(struct parse *p, uint32_t node)
{
    const struct json *j = &p->tree;
    int64_t offset = -1;
    bool plain = !has_items(j, node, "exclude_list") && !has_items(j, node, "qualified_exclude_list") && !has_items(j, node, "replace_list") &&
                 !has_items(j, node, "rename_list") && !tree_true(j, node, "columns");
    bool placed = json_i64(j, json_member(j, node, "query_location"), &offset) && offset >= 0;
    size_t end = plain && placed ? star_end(p->sql, (size_t)offset) : 0;
    p->names_metadata |= str_ieq(tree_text(j, node, "relation_name", p->arena), STR(ENGINE_METADATA_COLUMN));
    if (!end || chooses(p->sql, end)) {
        p->has_other_stars = true;
        return;
    }
    if (p->star_count == p->star_cap) {
        size_t cap = p->star_cap ? 2 * p->star_cap : 4;
        size_t *grown = ARENA_ARRAY(p->arena, size_t, cap);
        if (!grown) {
            p->failed = true;
            return;
        }
        if (p->star_count)
            memcpy(grown, p->star_ends, p->star_count * sizeof(*grown));
        p->star_ends = grown;
        p->star_cap = cap;
    }
    p->star_ends[p->star_count++] = end;
}

/* "_metadata", "_metadata.x", "t._metadata.x" */
static void note_metadata(struct parse *p, uint32_t node)
{
    const struct json *j = &p->tree;
    uint32_t names = json_member(j, node, "column_names");
    for (uint32_t i = names ? json_first(j, names) : 0; names && i < j->nodes[names].next; i = json_next(j, i))
        p->names_metadata |= str_ieq(json_text(j, i, p->arena), STR(ENGINE_METADATA_COLUMN));
}

/* ---- references ------------------------------------------------------------------------------ */

static bool in_scope(const struct scope *scope, struct str name)
{
    for (; scope; scope = scope->up)
        if (str_ieq(scope->name, name))
            return true;
    return false;
}

static struct engine_ref *new_ref(struct parse *p)
{
    if (p->count == p->cap) {
        size_t cap = p->cap ? 2 * p->cap : 8;
        struct engine_ref *grown = ARENA_ARRAY(p->arena, struct engine_ref, cap);
        if (!grown) {
            p->failed = true;
            return NULL;
        }
        if (p->count)
            memcpy(grown, p->refs, p->count * sizeof(*grown));
        p->refs = grown;
        p->cap = cap;
    }
    return &p->refs[p->count++];
}

static struct str name_part(struct parse *p, uint32_t node, const char *key)
{
    struct str part = tree_text(&p->tree, node, key, p->arena);
    return part.len ? part : STR_NULL;
}

static void add_ref(struct parse *p, uint32_t node, const struct scope *scope)
{
    struct engine_ref ref = {.catalog = name_part(p, node, "catalog_name"),
                             .schema = name_part(p, node, "schema_name"),
                             .table = name_part(p, node, "table_name"),
                             .alias = name_part(p, node, "alias"),
                             .has_at = json_member(&p->tree, node, "at_clause") != 0};
    int64_t offset;
    /* "recurring.t" is how the inside of a recursive CTE names all of its rows so far. */
    bool recurring = ref.schema.ptr && str_ieq(ref.schema, STR("recurring"));
    if ((!ref.schema.ptr || recurring) && !ref.catalog.ptr && in_scope(scope, ref.table))
        return;
    if (!json_i64(&p->tree, json_member(&p->tree, node, "query_location"), &offset)) {
        p->failed = true;
        return;
    }
    ref.offset = (size_t)offset;
    struct engine_ref *slot = new_ref(p);
    if (slot)
        *slot = ref;
}

static void add_call(struct parse *p, uint32_t node)
{
    uint32_t call = json_member(&p->tree, node, "function");
    struct engine_ref ref = {.alias = name_part(p, node, "alias")};
    int64_t offset;
    if (!call)
        return;
    ref.table = tree_text(&p->tree, call, "function_name", p->arena);
    ref.is_changes = is_changes_function(ref.table);
    ref.is_statement = is_statement_function(ref.table);
    if (!ref.is_changes && !ref.is_statement)
        return;
    struct engine_ref *slot = json_i64(&p->tree, json_member(&p->tree, call, "query_location"), &offset) ? new_ref(p) : NULL;
    if (!slot) {
        p->failed = true;
        return;
    }
    ref.offset = (size_t)offset;
    *slot = ref;
}

/* ---- the walk ----------------------------------------------------------------------------------- */

static void walk_members(struct parse *p, uint32_t object, const struct scope *scope)
{
    const struct json *j = &p->tree;
    for (uint32_t key = json_first(j, object); key < j->nodes[object].next; key = json_next(j, key + 1))
        if (!str_eq(j->nodes[key].text, STR("cte_map")))
            walk(p, key + 1, scope);
}

/* Each CTE sees those before it; then the rest of the object sees all of them. */
static void walk_ctes(struct parse *p, uint32_t object, uint32_t entry, uint32_t end, const struct scope *scope)
{
    const struct json *j = &p->tree;
    if (!entry || entry >= end) {
        walk_members(p, object, scope);
        return;
    }
    struct scope inner = {tree_text(j, entry, "key", p->arena), scope};
    uint32_t value = json_member(j, entry, "value");
    if (value)
        walk(p, value, scope);
    walk_ctes(p, object, json_next(j, entry), end, &inner);
}

static void walk_recursive(struct parse *p, uint32_t object, const struct scope *scope)
{
    const struct json *j = &p->tree;
    struct scope inner = {tree_text(j, object, "cte_name", p->arena), scope};
    for (uint32_t key = json_first(j, object); key < j->nodes[object].next; key = json_next(j, key + 1))
        walk(p, key + 1, str_eq(j->nodes[key].text, STR("left")) ? scope : &inner);
}

static void walk_object(struct parse *p, uint32_t object, const struct scope *scope)
{
    const struct json *j = &p->tree;
    note_volatile(p, object);
    if (tree_is(j, object, "class", "COLUMN_REF"))
        note_metadata(p, object);
    if (tree_is(j, object, "class", "STAR"))
        add_star(p, object);
    if (tree_is(j, object, "type", "BASE_TABLE"))
        add_ref(p, object, scope);
    if (tree_is(j, object, "type", "TABLE_FUNCTION"))
        add_call(p, object);
    uint32_t ctes = json_member(j, object, "cte_map");
    uint32_t map = ctes ? json_member(j, ctes, "map") : 0;
    if (tree_is(j, object, "type", "RECURSIVE_CTE_NODE"))
        walk_recursive(p, object, scope);
    else
        walk_ctes(p, object, map ? json_first(j, map) : 0, map ? j->nodes[map].next : 0, scope);
}

static void walk(struct parse *p, uint32_t node, const struct scope *scope)
{
    const struct json *j = &p->tree;
    if (j->nodes[node].type == JSON_OBJECT)
        walk_object(p, node, scope);
    else if (j->nodes[node].type == JSON_ARRAY)
        for (uint32_t i = json_first(j, node); i < j->nodes[node].next; i = json_next(j, i))
            walk(p, i, scope);
}

static int by_offset(const void *a, const void *b)
{
    const struct engine_ref *x = a, *y = b;
    return x->offset < y->offset ? -1 : x->offset > y->offset;
}

static int by_place(const void *a, const void *b)
{
    const size_t *x = a, *y = b;
    return *x < *y ? -1 : *x > *y;
}

/* ---- entry ------------------------------------------------------------------------------------------ */

static enum status refuse(struct ctx *ctx, struct parse *p, struct str sql, struct error *err)
{
    if (tree_is(&p->tree, 0, "error_type", "not implemented")) {
        error_set(err, STATUS_NOT_SUPPORTED, "this statement is not supported");
        return error_hint(err, "a query must be one SELECT, WITH, VALUES or FROM; PIVOT needs its values listed: PIVOT t ON c IN (…)");
    }
    return error_from_tree(ctx, &p->tree, sql, p->arena, err);
}

static enum status walk_statement(struct parse *p, struct error *err)
{
    uint32_t statements = json_member(&p->tree, 0, "statements");
    uint32_t count = statements ? p->tree.nodes[statements].count : 0;
    if (count != 1)
        return error_set(err, STATUS_SYNTAX, count ? "expected one statement, found %u" : "the statement is empty", count);
    walk(p, json_first(&p->tree, statements), NULL);
    if (p->failed)
        return error_oom(err);
    if (p->count)
        qsort(p->refs, p->count, sizeof(*p->refs), by_offset);
    if (p->star_count)
        qsort(p->star_ends, p->star_count, sizeof(*p->star_ends), by_place);
    return STATUS_OK;
}

enum status engine_parse(struct ctx *ctx, struct engine *e, struct str sql, struct arena *arena, struct engine_parsed *out, struct error *err)
{
    struct parse p = {.arena = arena, .sql = sql};
    *out = (struct engine_parsed){0};
    enum status st = ctx_check(ctx, err);
    if (st != STATUS_OK || parsed_statements_find(&e->parsed, sql, arena, out))
        return st;
    st = planner_lock(ctx, &e->planner, err);
    if (st != STATUS_OK)
        return st;
    st = planner_ask(ctx, e->planner.connection, PLANNER_SYNTAX, sql, arena, &p.tree, err);
    planner_unlock(&e->planner);
    if (st == STATUS_OK && tree_true(&p.tree, 0, "error"))
        st = refuse(ctx, &p, sql, err);
    else if (st == STATUS_OK)
        st = walk_statement(&p, err);
    if (st == STATUS_OK) {
        *out = (struct engine_parsed){.refs = p.refs,
                                      .ref_count = p.count,
                                      .is_volatile = p.is_volatile,
                                      .reads_clock = p.reads_clock,
                                      .names_metadata = p.names_metadata,
                                      .star_ends = p.star_ends,
                                      .star_count = p.star_count,
                                      .has_other_stars = p.has_other_stars};
        parsed_statements_keep(&e->parsed, sql, out);
    }
    return st;
}
