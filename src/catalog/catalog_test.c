#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "catalog/catalog_int.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define FIRST_COMMIT "_delta_log/00000000000000000000.json"

struct lake {
    struct ctx ctx;
    struct error err;
    struct arena arena;
    struct store *store;
    struct catalog *catalog;
    char dir[64]; /* empty for a lake in memory */
};

static struct catalog_name named(const char *schema, const char *table)
{
    return (struct catalog_name){.schema = str_of(schema), .table = str_of(table)};
}

static int remove_node(const char *path, const struct stat *st, int type, struct FTW *at) { return remove(path); }

static struct lake *lake_open(bool local)
{
    struct lake *l = calloc(1, sizeof *l);
    assert_non_null(l);
    ctx_init(&l->ctx);
    l->ctx.log = log_open_fd(open("/dev/null", 1), LOG_ERROR);
    l->err = ERROR_INIT;
    if (local) {
        strcpy(l->dir, "/tmp/varve-catalog-XXXXXX");
        assert_non_null(mkdtemp(l->dir));
        assert_int_equal(store_open_local(&l->ctx, str_of(l->dir), (struct store_local_options){0}, &l->store, &l->err), STATUS_OK);
    } else {
        assert_int_equal(store_open_memory(&l->store, &l->err), STATUS_OK);
    }
    assert_int_equal(catalog_open(&l->ctx, l->store, false, NULL, &l->catalog, &l->err), STATUS_OK);
    return l;
}

static int close_lake(void **state)
{
    struct lake *l = *state;
    catalog_close(l->catalog);
    store_unref(l->store);
    error_release(&l->err);
    arena_release(&l->arena);
    log_free(l->ctx.log);
    if (l->dir[0])
        nftw(l->dir, remove_node, 16, FTW_DEPTH | FTW_PHYS);
    free(l);
    return 0;
}

static int open_memory_lake(void **state)
{
    *state = lake_open(false);
    return 0;
}

static int open_local_lake(void **state)
{
    *state = lake_open(true);
    return 0;
}

static enum store_result commit_first(struct ctx *ctx, struct catalog_table *t, const char *text)
{
    struct error err = ERROR_INIT;
    enum store_result result = store_put_if_absent(delta_table_store(t->table), ctx, STR(FIRST_COMMIT), text, strlen(text), &err);
    error_release(&err);
    return result;
}

static enum status make_table(struct lake *l, const char *schema, const char *table)
{
    struct catalog_name name = named(schema, table);
    struct catalog_table t;
    error_release(&l->err);
    enum status status = catalog_claim(&l->ctx, l->catalog, &name, STR_NULL, &t, &l->err);
    if (!status)
        assert_int_equal(commit_first(&l->ctx, &t, "{}\n"), STORE_OK);
    catalog_table_release(&t);
    return status;
}

static enum status resolve(struct lake *l, const char *schema, const char *table)
{
    struct catalog_name name = named(schema, table);
    struct catalog_table t;
    error_release(&l->err);
    enum status status = catalog_resolve(&l->ctx, l->catalog, &name, &t, &l->err);
    catalog_table_release(&t);
    return status;
}

static void make_schema(struct lake *l, const char *schema)
{
    bool existed;
    assert_int_equal(catalog_create_schema(&l->ctx, l->catalog, str_of(schema), STR_NULL, &existed, &l->err), STATUS_OK);
    assert_false(existed);
}

static size_t count_objects(struct lake *l, const char *prefix)
{
    struct store_entry *entries;
    size_t count;
    assert_int_equal(catalog_list_keys(&l->ctx, l->store, str_of(prefix), &l->arena, &entries, &count, &l->err), STATUS_OK);
    return count;
}

/* ---- names ---------------------------------------------------------------------------- */

static void creates_resolves_and_drops(void **state)
{
    struct lake *l = *state;
    make_schema(l, "Bronze");
    assert_int_equal(make_table(l, "bronze", "Bars"), STATUS_OK);
    struct catalog_name name = {.catalog = STR("VARVE"), .schema = STR("BRONZE"), .table = STR("bARS")};
    struct catalog_table t;
    assert_int_equal(catalog_resolve(&l->ctx, l->catalog, &name, &t, &l->err), STATUS_OK);
    assert_string_equal(t.qualified_name, "varve.bronze.bars");
    assert_true(t.managed);
    assert_true(str_ends(str_of(t.location), STR("/bronze/bars")));
    catalog_table_release(&t);
    assert_int_equal(make_table(l, "bronze", "bars"), STATUS_TABLE_EXISTS);
    bool existed;
    assert_int_equal(catalog_drop_table(&l->ctx, l->catalog, &name, &existed, &l->err), STATUS_OK);
    assert_true(existed);
    assert_int_equal(count_objects(l, "bronze/"), 0);
    assert_int_equal(resolve(l, "bronze", "bars"), STATUS_TABLE_NOT_FOUND);
    assert_int_equal(catalog_drop_table(&l->ctx, l->catalog, &name, &existed, &l->err), STATUS_TABLE_NOT_FOUND);
    assert_false(existed);
}

static void hints_at_near_names(void **state)
{
    struct lake *l = *state;
    make_schema(l, "silver");
    assert_int_equal(make_table(l, "silver", "bars"), STATUS_OK);
    assert_int_equal(resolve(l, "silver", "barz"), STATUS_TABLE_NOT_FOUND);
    assert_string_equal(l->err.hint, "did you mean \"silver.bars\"?");
    assert_int_equal(resolve(l, "sliver", "bars"), STATUS_SCHEMA_NOT_FOUND);
    assert_string_equal(l->err.hint, "did you mean \"silver\"?");
    struct catalog_name name = {.catalog = STR("main"), .schema = STR("silver"), .table = STR("bars")};
    struct catalog_table t;
    error_release(&l->err);
    assert_int_equal(catalog_resolve(&l->ctx, l->catalog, &name, &t, &l->err), STATUS_CATALOG_NOT_FOUND);
}

static void default_schema_needs_no_name(void **state)
{
    struct lake *l = *state;
    assert_int_equal(make_table(l, NULL, "t"), STATUS_OK);
    assert_int_equal(resolve(l, "default", "t"), STATUS_OK);
    bool existed;
    assert_int_equal(catalog_create_schema(&l->ctx, l->catalog, STR("default"), STR_NULL, &existed, &l->err), STATUS_OK);
    assert_true(existed);
    assert_int_equal(catalog_drop_schema(&l->ctx, l->catalog, STR("DEFAULT"), true, &existed, &l->err), STATUS_INVALID_ARGUMENT);
}

static void odd_names_survive(void **state)
{
    struct lake *l = *state;
    static const char *const names[] = {"_schema", "a b", "..", ".", "a/b", "100%", "größe", "x.json", "_varve", "*?[", "\"quoted\""};
    for (size_t i = 0; i < VV_ARRAY_COUNT(names); i++) {
        assert_int_equal(make_table(l, NULL, names[i]), STATUS_OK);
        assert_int_equal(resolve(l, NULL, names[i]), STATUS_OK);
    }
    struct catalog_entry *tables;
    size_t count;
    assert_int_equal(catalog_list_tables(&l->ctx, l->catalog, STR("default"), &l->arena, &tables, &count, &l->err), STATUS_OK);
    assert_int_equal(count, VV_ARRAY_COUNT(names));
    for (size_t i = 1; i < count; i++)
        assert_true(str_cmp(tables[i - 1].table, tables[i].table) < 0);
    make_schema(l, "_varve");
    assert_int_equal(make_table(l, "_varve", "catalog"), STATUS_OK);
    assert_int_equal(resolve(l, "_varve", "catalog"), STATUS_OK);
}

static void refuses_names_that_cannot_be(void **state)
{
    struct lake *l = *state;
    char longest[400];
    memset(longest, 'x', sizeof longest);
    longest[240] = 0;
    assert_int_equal(make_table(l, NULL, longest), STATUS_OK);
    longest[240] = 'x';
    longest[241] = 0;
    assert_int_equal(make_table(l, NULL, longest), STATUS_LIMIT_EXCEEDED);
    assert_int_equal(make_table(l, NULL, ""), STATUS_INVALID_ARGUMENT);
    assert_int_equal(make_table(l, NULL, "\xff\xfe"), STATUS_INVALID_ARGUMENT);
    assert_int_equal(make_table(l, "", "t"), STATUS_INVALID_ARGUMENT);
    assert_int_equal(make_table(l, "missing", "t"), STATUS_SCHEMA_NOT_FOUND);
}

/* ---- schemas --------------------------------------------------------------------------- */

static void schemas_come_and_go(void **state)
{
    struct lake *l = *state;
    bool existed;
    make_schema(l, "gold");
    make_schema(l, "bronze");
    assert_int_equal(catalog_create_schema(&l->ctx, l->catalog, STR("GOLD"), STR("x"), &existed, &l->err), STATUS_OK);
    assert_true(existed);
    struct str *schemas;
    size_t count;
    assert_int_equal(catalog_list_schemas(&l->ctx, l->catalog, &l->arena, &schemas, &count, &l->err), STATUS_OK);
    assert_int_equal(count, 3);
    assert_true(str_eq(schemas[0], STR("bronze")) && str_eq(schemas[1], STR("default")) && str_eq(schemas[2], STR("gold")));
    assert_int_equal(make_table(l, "gold", "returns"), STATUS_OK);
    assert_int_equal(catalog_drop_schema(&l->ctx, l->catalog, STR("gold"), false, &existed, &l->err), STATUS_SCHEMA_NOT_EMPTY);
    assert_int_equal(resolve(l, "gold", "returns"), STATUS_OK);
    assert_int_equal(catalog_drop_schema(&l->ctx, l->catalog, STR("gold"), true, &existed, &l->err), STATUS_OK);
    assert_true(existed);
    assert_int_equal(resolve(l, "gold", "returns"), STATUS_SCHEMA_NOT_FOUND);
    assert_int_equal(count_objects(l, "gold/"), 0);
    assert_int_equal(count_objects(l, CATALOG_PREFIX "gold/"), 0);
    assert_int_equal(catalog_drop_schema(&l->ctx, l->catalog, STR("gold"), true, &existed, &l->err), STATUS_OK);
    assert_false(existed);
    assert_int_equal(catalog_drop_schema(&l->ctx, l->catalog, STR("bronze"), false, &existed, &l->err), STATUS_OK);
    assert_int_equal(catalog_list_tables(&l->ctx, l->catalog, STR("gold"), &l->arena, &(struct catalog_entry *){0}, &count, &l->err),
                     STATUS_SCHEMA_NOT_FOUND);
}

/* ---- claims ------------------------------------------------------------------------------ */

static void unfinished_claim_is_no_table(void **state)
{
    struct lake *l = *state;
    struct catalog_name name = named(NULL, "t");
    struct catalog_table first, second;
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &name, STR_NULL, &first, &l->err), STATUS_OK);
    assert_int_equal(resolve(l, NULL, "t"), STATUS_TABLE_NOT_FOUND);
    struct catalog_entry *tables;
    size_t count;
    assert_int_equal(catalog_list_tables(&l->ctx, l->catalog, STR_NULL, &l->arena, &tables, &count, &l->err), STATUS_OK);
    assert_int_equal(count, 0);
    error_release(&l->err);
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &name, STR_NULL, &second, &l->err), STATUS_OK);
    assert_string_equal(first.location, second.location);
    assert_int_equal(commit_first(&l->ctx, &second, "{}\n"), STORE_OK);
    assert_int_equal(commit_first(&l->ctx, &first, "{}\n"), STORE_EXISTS);
    catalog_claim_abandon(&l->ctx, l->catalog, &name, &first);
    assert_int_equal(resolve(l, NULL, "t"), STATUS_OK);
    catalog_table_release(&second);
}

static void abandoned_claim_shared_by_another_stays(void **state)
{
    struct lake *l = *state;
    struct catalog_name name = named(NULL, "t");
    struct catalog_table first, second;
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &name, STR_NULL, &first, &l->err), STATUS_OK);
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &name, STR_NULL, &second, &l->err), STATUS_OK);
    catalog_claim_abandon(&l->ctx, l->catalog, &name, &first);
    assert_int_equal(commit_first(&l->ctx, &second, "{}\n"), STORE_OK);
    catalog_table_release(&second);
    assert_int_equal(resolve(l, NULL, "t"), STATUS_OK);
}

static void claimed_table_stays_open(void **state)
{
    struct lake *l = *state;
    struct catalog_name name = named(NULL, "t");
    struct catalog_table claimed, resolved, again;
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &name, STR_NULL, &claimed, &l->err), STATUS_OK);
    assert_int_equal(commit_first(&l->ctx, &claimed, "{}\n"), STORE_OK);
    assert_int_equal(catalog_resolve(&l->ctx, l->catalog, &name, &resolved, &l->err), STATUS_OK);
    assert_int_equal(catalog_resolve(&l->ctx, l->catalog, &name, &again, &l->err), STATUS_OK);
    assert_ptr_equal(claimed.table, resolved.table);
    assert_ptr_equal(again.table, resolved.table);
    catalog_table_release(&claimed);
    catalog_table_release(&resolved);
    catalog_table_release(&again);
}

static void other_places_table_is_never_handed_out(void **state)
{
    struct lake *l = *state;
    struct catalog *other;
    struct catalog_name name = named(NULL, "t");
    struct catalog_table before, after;
    bool existed;
    assert_int_equal(catalog_open(&l->ctx, l->store, false, NULL, &other, &l->err), STATUS_OK);
    assert_int_equal(make_table(l, NULL, "t"), STATUS_OK);
    assert_int_equal(catalog_resolve(&l->ctx, l->catalog, &name, &before, &l->err), STATUS_OK);
    assert_int_equal(catalog_drop_table(&l->ctx, other, &name, &existed, &l->err), STATUS_OK);
    assert_int_equal(resolve(l, NULL, "t"), STATUS_TABLE_NOT_FOUND);
    struct catalog_table t;
    error_release(&l->err);
    assert_int_equal(catalog_claim(&l->ctx, other, &name, STR_NULL, &t, &l->err), STATUS_OK);
    assert_int_equal(commit_first(&l->ctx, &t, "{}\n"), STORE_OK);
    catalog_table_release(&t);
    assert_int_equal(catalog_resolve(&l->ctx, l->catalog, &name, &after, &l->err), STATUS_OK);
    assert_ptr_not_equal(before.table, after.table);
    catalog_table_release(&before);
    catalog_table_release(&after);
    catalog_close(other);
}

static void orphaned_log_is_left_alone(void **state)
{
    struct lake *l = *state;
    assert_int_equal(store_put(l->store, &l->ctx, STR("default/t/" FIRST_COMMIT), "old", 3, &l->err), STORE_OK);
    assert_int_equal(make_table(l, NULL, "t"), STATUS_OK);
    struct catalog_name name = named(NULL, "t");
    struct catalog_table t;
    assert_int_equal(catalog_resolve(&l->ctx, l->catalog, &name, &t, &l->err), STATUS_OK);
    const char *suffix = strstr(t.location, "default/t_");
    assert_non_null(suffix);
    assert_int_equal(strlen(suffix), strlen("default/t_01234567"));
    catalog_table_release(&t);
    struct buf bytes = BUF_INIT;
    assert_int_equal(store_read(l->store, &l->ctx, STR("default/t/" FIRST_COMMIT), &bytes, &l->err), STORE_OK);
    assert_string_equal(bytes.ptr, "old");
    buf_release(&bytes);
}

/* Whatever call fails or loses its reply: afterwards there is a table or none, and the next CREATE works. */
static void survives_every_store_fault(void **state)
{
    static const enum store_fault_kind kinds[] = {STORE_FAULT_FAIL, STORE_FAULT_FULL, STORE_FAULT_LOST_REPLY};
    for (size_t k = 0; k < VV_ARRAY_COUNT(kinds); k++) {
        for (uint64_t at = 1, calls = at; at <= calls; at++) { /* to the first run that makes fewer calls */
            struct lake *l = lake_open(false);
            struct store *fault;
            struct catalog *c;
            assert_int_equal(store_open_fault(l->store, &fault, &l->err), STATUS_OK);
            assert_int_equal(catalog_open(&l->ctx, fault, false, NULL, &c, &l->err), STATUS_OK);
            store_fault_set(fault, (struct store_fault){.kind = kinds[k], .at_call = at});
            struct catalog_name name = named(NULL, "t");
            struct catalog_table t;
            if (catalog_claim(&l->ctx, c, &name, STR_NULL, &t, &l->err) == STATUS_OK) {
                assert_int_not_equal(commit_first(&l->ctx, &t, "{}\n"), STORE_EXISTS);
                catalog_claim_abandon(&l->ctx, c, &name, &t);
            }
            calls = store_fault_calls(fault) + (store_fault_calls(fault) >= at);
            enum status status = make_table(l, NULL, "t");
            assert_true(status == STATUS_OK || status == STATUS_TABLE_EXISTS);
            assert_int_equal(resolve(l, NULL, "t"), STATUS_OK);
            catalog_close(c);
            store_unref(fault);
            close_lake((void **)&l);
        }
    }
}

static void interrupted_drop_leaves_a_name_to_reuse(void **state)
{
    for (uint64_t at = 1, calls = at; at <= calls; at++) {
        struct lake *l = lake_open(false);
        struct store *fault;
        struct catalog *c;
        struct catalog_name name = named(NULL, "t");
        bool existed;
        assert_int_equal(make_table(l, NULL, "t"), STATUS_OK);
        assert_int_equal(store_put(l->store, &l->ctx, STR("default/t/part-1.parquet"), "x", 1, &l->err), STORE_OK);
        assert_int_equal(store_put(l->store, &l->ctx, STR("default/t/_delta_log/00000000000000000001.json"), "x", 1, &l->err), STORE_OK);
        assert_int_equal(store_open_fault(l->store, &fault, &l->err), STATUS_OK);
        assert_int_equal(catalog_open(&l->ctx, fault, false, NULL, &c, &l->err), STATUS_OK);
        store_fault_set(fault, (struct store_fault){.kind = STORE_FAULT_FAIL, .at_call = at, .onwards = true});
        catalog_drop_table(&l->ctx, c, &name, &existed, &l->err);
        calls = store_fault_calls(fault) + (store_fault_calls(fault) >= at);
        if (resolve(l, NULL, "t") == STATUS_OK) { /* the whole table, or none */
            assert_int_equal(count_objects(l, "default/t/"), 3);
            assert_int_equal(catalog_drop_table(&l->ctx, l->catalog, &name, &existed, &l->err), STATUS_OK);
            assert_true(existed);
        }
        assert_int_equal(make_table(l, NULL, "t"), STATUS_OK);
        assert_int_equal(resolve(l, NULL, "t"), STATUS_OK);
        catalog_close(c);
        store_unref(fault);
        close_lake((void **)&l);
    }
}

static void every_allocation_may_fail(void **state)
{
    struct lake *l = *state;
    for (uint64_t n = 1;; n++) {
        struct catalog_name name = named(NULL, "t");
        struct catalog_table t;
        bool existed = false;
        error_release(&l->err);
        uint64_t before = alloc_count();
        alloc_fail_after(n);
        enum status status = catalog_claim(&l->ctx, l->catalog, &name, STR_NULL, &t, &l->err);
        if (!status)
            status = commit_first(&l->ctx, &t, "{}\n") == STORE_OK ? STATUS_OK : STATUS_OUT_OF_MEMORY;
        catalog_table_release(&t);
        if (!status)
            status = catalog_resolve(&l->ctx, l->catalog, &name, &t, &l->err);
        catalog_table_release(&t);
        if (!status)
            status = catalog_drop_table(&l->ctx, l->catalog, &name, &existed, &l->err);
        uint64_t used = alloc_count() - before;
        alloc_fail_after(0);
        if (status)
            assert_int_equal(status, STATUS_OUT_OF_MEMORY);
        error_release(&l->err);
        status = catalog_drop_table(&l->ctx, l->catalog, &name, &existed, &l->err);
        assert_true(status == STATUS_OK || status == STATUS_TABLE_NOT_FOUND);
        if (used < n)
            break;
    }
}

/* ---- places ------------------------------------------------------------------------------ */

static void relative_location_is_below_the_lake(void **state)
{
    struct lake *l = *state;
    struct catalog_name name = named(NULL, "t");
    struct catalog_table t;
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &name, STR("raw/./x/../bars/"), &t, &l->err), STATUS_OK);
    assert_false(t.managed);
    assert_true(str_ends(str_of(t.location), STR("/raw/bars")));
    assert_int_equal(commit_first(&l->ctx, &t, "{}\n"), STORE_OK);
    catalog_table_release(&t);
    assert_int_equal(count_objects(l, "raw/bars/"), 1);
    bool existed;
    assert_int_equal(catalog_drop_table(&l->ctx, l->catalog, &name, &existed, &l->err), STATUS_OK);
    assert_true(existed);
    assert_int_equal(count_objects(l, "raw/bars/"), 1); /* an external table's files stay */
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &name, STR("_varve/x"), &t, &l->err), STATUS_INVALID_ARGUMENT);
    error_release(&l->err);
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &name, STR("s3://bucket/x"), &t, &l->err), STATUS_NOT_SUPPORTED);
    error_release(&l->err);
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &name, STR("x/.."), &t, &l->err), STATUS_INVALID_ARGUMENT);
}

/* Between a look at a name and the change of it somebody else drops the view and makes a table of that name. */
static void an_entry_that_changed_is_not_replaced(void **state)
{
    struct lake *l = *state;
    struct catalog_name name = named(NULL, "v");
    struct catalog_view view = {.sql = STR("SELECT 1"), .schema = STR("default")};
    struct arena arena = ARENA_INIT;
    struct catalog_id id;
    struct catalog_entry_object seen, want;
    bool found, done = true;
    assert_int_equal(catalog_create_view(&l->ctx, l->catalog, &name, &view, false, &l->err), STATUS_OK);
    assert_int_equal(catalog_id_make(&arena, &name, &id, &l->err), STATUS_OK);
    assert_int_equal(catalog_entry_read(&l->ctx, l->catalog, &arena, id.entry_key, &seen, &found, &l->err), STATUS_OK);
    assert_true(found && seen.view.ptr);
    assert_int_equal(catalog_drop_view(&l->ctx, l->catalog, &name, &l->err), STATUS_OK);
    assert_int_equal(make_table(l, NULL, "v"), STATUS_OK);
    want = seen;
    want.view = STR("SELECT 2");
    assert_int_equal(catalog_entry_replace(&l->ctx, l->catalog, id.entry_key, &seen, &want, &done, &l->err), STATUS_OK);
    assert_false(done);
    assert_int_equal(catalog_entry_replace(&l->ctx, l->catalog, id.entry_key, &seen, NULL, &done, &l->err), STATUS_OK);
    assert_false(done);
    assert_int_equal(catalog_entry_drop(&l->ctx, l->catalog, &arena, id.entry_key, &seen, &l->err), STATUS_COMMIT_CONFLICT);
    error_release(&l->err);
    assert_int_equal(catalog_create_view(&l->ctx, l->catalog, &name, &view, true, &l->err), STATUS_TABLE_EXISTS);
    error_release(&l->err);
    assert_int_equal(resolve(l, NULL, "v"), STATUS_OK);
    arena_release(&arena);
}

static void registers_what_is_there(void **state)
{
    struct lake *l = *state;
    char url[256], path[128];
    struct catalog_name name = named(NULL, "t"), by_path = {.is_path = true};
    struct catalog_table t;
    snprintf(path, sizeof path, "%s/elsewhere/a b", l->dir);
    snprintf(url, sizeof url, "file://%s/elsewhere/a%%20b", l->dir);
    assert_int_equal(store_put(l->store, &l->ctx, STR("elsewhere/a b/" FIRST_COMMIT), "{}", 2, &l->err), STORE_OK);
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &name, str_of(url), &t, &l->err), STATUS_OK);
    assert_string_equal(t.location, path);
    assert_int_equal(resolve(l, NULL, "t"), STATUS_OK);
    catalog_claim_abandon(&l->ctx, l->catalog, &name, &t); /* its schema did not fit, say */
    assert_int_equal(resolve(l, NULL, "t"), STATUS_TABLE_NOT_FOUND);
    error_release(&l->err);
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &name, str_of(path), &t, &l->err), STATUS_OK);
    catalog_table_release(&t);
    assert_int_equal(make_table(l, NULL, "t"), STATUS_TABLE_EXISTS);
    by_path.table = str_of(path);
    error_release(&l->err);
    assert_int_equal(catalog_resolve(&l->ctx, l->catalog, &by_path, &t, &l->err), STATUS_OK);
    snprintf(url, sizeof url, "delta.`%s`", path);
    assert_string_equal(t.qualified_name, url);
    catalog_table_release(&t);
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &by_path, STR_NULL, &t, &l->err), STATUS_TABLE_EXISTS);
    error_release(&l->err);
    by_path.table = str_of(l->dir);
    assert_int_equal(catalog_resolve(&l->ctx, l->catalog, &by_path, &t, &l->err), STATUS_NOT_A_DELTA_TABLE);
    error_release(&l->err);
    by_path.table = STR("s3a://bucket/t");
    assert_int_equal(catalog_resolve(&l->ctx, l->catalog, &by_path, &t, &l->err), STATUS_NOT_SUPPORTED);
}

static void two_locations_do_not_share_a_claim(void **state)
{
    struct lake *l = *state;
    struct catalog_name name = named(NULL, "t");
    struct catalog_table first, second;
    bool existed;
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &name, STR("a"), &first, &l->err), STATUS_OK);
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &name, STR("b"), &second, &l->err), STATUS_TABLE_EXISTS);
    catalog_claim_abandon(&l->ctx, l->catalog, &name, &first);
    error_release(&l->err);
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &name, STR("b"), &second, &l->err), STATUS_OK);
    catalog_table_release(&second); /* the claimer died */
    assert_int_equal(make_table(l, NULL, "t"), STATUS_TABLE_EXISTS);
    assert_int_equal(catalog_drop_table(&l->ctx, l->catalog, &name, &existed, &l->err), STATUS_TABLE_NOT_FOUND);
    assert_false(existed);
    assert_int_equal(make_table(l, NULL, "t"), STATUS_OK);
}

static void log_without_version_0_is_a_log(void **state)
{
    struct lake *l = *state;
    struct catalog_name name = named(NULL, "t");
    struct catalog_table t;
    assert_int_equal(catalog_claim(&l->ctx, l->catalog, &name, STR("x"), &t, &l->err), STATUS_OK);
    catalog_table_release(&t);
    assert_int_equal(store_put(l->store, &l->ctx, STR("x/_delta_log/00000000000000000010.crc"), "x", 1, &l->err), STORE_OK);
    assert_int_equal(resolve(l, NULL, "t"), STATUS_TABLE_NOT_FOUND);
    assert_int_equal(store_put(l->store, &l->ctx, STR("x/_delta_log/00000000000000000010.checkpoint.parquet"), "x", 1, &l->err), STORE_OK);
    assert_int_equal(resolve(l, NULL, "t"), STATUS_OK);
}

static void damaged_entry_is_named_and_can_be_dropped(void **state)
{
    struct lake *l = *state;
    static const char *const bad[] = {"", "{", "[]", "{\"location\":1}", "{\"location\":\"x\",\"id\":\"y\"}", "\xff"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++) {
        struct catalog_name name = named(NULL, "t");
        bool existed;
        assert_int_equal(make_table(l, NULL, "ok"), i ? STATUS_TABLE_EXISTS : STATUS_OK);
        assert_int_equal(store_put(l->store, &l->ctx, STR(CATALOG_PREFIX "default/t.json"), bad[i], strlen(bad[i]), &l->err), STORE_OK);
        assert_int_equal(resolve(l, NULL, "t"), STATUS_CORRUPT_LOG);
        assert_non_null(strstr(l->err.message, "default/t.json"));
        struct catalog_entry *tables;
        size_t count;
        assert_int_equal(catalog_list_tables(&l->ctx, l->catalog, STR_NULL, &l->arena, &tables, &count, &l->err), STATUS_OK);
        assert_int_equal(count, 1);
        assert_int_equal(catalog_drop_table(&l->ctx, l->catalog, &name, &existed, &l->err), STATUS_OK);
        assert_true(existed);
        assert_int_equal(resolve(l, NULL, "t"), STATUS_TABLE_NOT_FOUND);
    }
}

/* ---- directories -------------------------------------------------------------------------------- */

static void place_of(struct lake *l, const char *table, const char *end)
{
    struct catalog_name name = named(NULL, table);
    struct catalog_table t;
    assert_int_equal(make_table(l, NULL, table), STATUS_OK);
    assert_int_equal(catalog_resolve(&l->ctx, l->catalog, &name, &t, &l->err), STATUS_OK);
    if (!str_ends(str_of(t.location), str_of(end)))
        fail_msg("\"%s\" lies in \"%s\", not in \"%s\"", table, t.location, end);
    catalog_table_release(&t);
}

static void directories_have_no_percent_sign(void **state)
{
    static const char *const places[][2] = {
        {"Odd Name", "/default/odd name"}, {"ünï😀", "/default/ünï😀"},     {"a-b.c", "/default/a-b.c"},       {"a/b", "/default/a~2Fb"},
        {"100%", "/default/100~25"},       {"a~2fb", "/default/a~7E2fb"}, {"_hidden", "/default/~5Fhidden"}, {".hidden", "/default/~2Ehidden"},
        {" x ", "/default/~20x~20"},       {"..", "/default/~2E~2E"},     {"a*?b", "/default/a~2A~3Fb"},     {"x_1", "/default/x_1"},
    };
    struct lake *l = *state;
    struct catalog_entry *tables;
    size_t count;
    for (size_t i = 0; i < VV_ARRAY_COUNT(places); i++)
        place_of(l, places[i][0], places[i][1]);
    assert_int_equal(catalog_list_tables(&l->ctx, l->catalog, STR_NULL, &l->arena, &tables, &count, &l->err), STATUS_OK);
    assert_int_equal(count, VV_ARRAY_COUNT(places));
    for (size_t i = 0; i < count; i++)
        assert_null(memchr(tables[i].table.ptr, '~', tables[i].table.len) && !str_eq(tables[i].table, STR("a~2fb")) ? "~" : NULL);
}

/* What earlier programs made: the entry holds the place. */
static void older_directories_are_found(void **state)
{
    static const char entry[] = "{\"location\":\"default/odd%20name\",\"id\":\"8d8e1f9e-0000-4000-8000-000000000000\",\"managed\":true}";
    struct lake *l = *state;
    assert_int_equal(store_put(l->store, &l->ctx, STR(CATALOG_PREFIX "default/odd%20name.json"), entry, sizeof entry - 1, &l->err), STORE_OK);
    assert_int_equal(store_put(l->store, &l->ctx, STR("default/odd%20name/" FIRST_COMMIT), "{}\n", 3, &l->err), STORE_OK);
    struct catalog_name name = named(NULL, "odd name");
    struct catalog_table t;
    assert_int_equal(catalog_resolve(&l->ctx, l->catalog, &name, &t, &l->err), STATUS_OK);
    assert_true(str_ends(str_of(t.location), STR("/default/odd%20name")));
    catalog_table_release(&t);
    assert_int_equal(make_table(l, NULL, "odd name"), STATUS_TABLE_EXISTS);
}

/* ---- several at once ------------------------------------------------------------------------- */

static int race_once(const char *dir, int round)
{
    struct ctx ctx;
    struct error err = ERROR_INIT;
    struct store *store;
    struct catalog *c;
    struct catalog_table t;
    char table[16];
    ctx_init(&ctx);
    snprintf(table, sizeof table, "t%d", round);
    if (store_open_local(&ctx, str_of(dir), (struct store_local_options){0}, &store, &err) || catalog_open(&ctx, store, false, NULL, &c, &err))
        return 2;
    struct catalog_name name = named(NULL, table);
    enum status status = catalog_claim(&ctx, c, &name, STR_NULL, &t, &err);
    int outcome = status == STATUS_TABLE_EXISTS ? 1 : 2;
    if (!status) {
        enum store_result result = commit_first(&ctx, &t, "{}\n");
        outcome = result == STORE_OK ? 0 : result == STORE_EXISTS ? 1 : 2;
        if (outcome)
            catalog_claim_abandon(&ctx, c, &name, &t);
        catalog_table_release(&t);
    }
    error_release(&err);
    catalog_close(c);
    store_unref(store);
    return outcome;
}

static void of_racing_processes_one_wins(void **state)
{
    struct lake *l = *state;
    enum { RACERS = 4, ROUNDS = 10 };
    for (int round = 0; round < ROUNDS; round++) {
        int winners = 0;
        pid_t pids[RACERS];
        for (int i = 0; i < RACERS; i++) {
            pids[i] = fork();
            assert_true(pids[i] >= 0);
            if (pids[i] == 0)
                _exit(race_once(l->dir, round));
        }
        for (int i = 0; i < RACERS; i++) {
            int how;
            assert_int_equal(waitpid(pids[i], &how, 0), pids[i]);
            assert_true(WIFEXITED(how) && WEXITSTATUS(how) < 2);
            winners += WEXITSTATUS(how) == 0;
        }
        assert_int_equal(winners, 1);
        char table[16];
        snprintf(table, sizeof table, "t%d", round);
        assert_int_equal(resolve(l, NULL, table), STATUS_OK); /* seen although others made it */
    }
}

struct resolver {
    struct lake *lake;
    int failures;
};

static void *resolve_often(void *arg)
{
    struct resolver *r = arg;
    struct ctx ctx;
    struct error err = ERROR_INIT;
    struct catalog_name name = named(NULL, "t");
    ctx_init(&ctx);
    for (int i = 0; i < 200; i++) {
        struct catalog_table t;
        enum status status = catalog_resolve(&ctx, r->lake->catalog, &name, &t, &err);
        r->failures += status != STATUS_OK && status != STATUS_TABLE_NOT_FOUND;
        catalog_table_release(&t);
        error_release(&err);
    }
    return NULL;
}

static void threads_resolve_while_tables_change(void **state)
{
    struct lake *l = *state;
    enum { THREADS = 3 };
    struct resolver resolvers[THREADS];
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++) {
        resolvers[i] = (struct resolver){.lake = l};
        assert_int_equal(pthread_create(&threads[i], NULL, resolve_often, &resolvers[i]), 0);
    }
    for (int i = 0; i < 50; i++) {
        struct catalog_name name = named(NULL, "t");
        bool existed;
        assert_int_equal(make_table(l, NULL, "t"), STATUS_OK);
        assert_int_equal(catalog_drop_table(&l->ctx, l->catalog, &name, &existed, &l->err), STATUS_OK);
        assert_true(existed);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(resolvers[i].failures, 0);
    }
}

#define IN_MEMORY(f) cmocka_unit_test_setup_teardown(f, open_memory_lake, close_lake)
#define ON_DISK(f) cmocka_unit_test_setup_teardown(f, open_local_lake, close_lake)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_MEMORY(creates_resolves_and_drops),
        IN_MEMORY(an_entry_that_changed_is_not_replaced),
        ON_DISK(an_entry_that_changed_is_not_replaced),
        ON_DISK(creates_resolves_and_drops),
        IN_MEMORY(hints_at_near_names),
        IN_MEMORY(default_schema_needs_no_name),
        IN_MEMORY(odd_names_survive),
        ON_DISK(odd_names_survive),
        ON_DISK(refuses_names_that_cannot_be),
        IN_MEMORY(schemas_come_and_go),
        ON_DISK(schemas_come_and_go),
        IN_MEMORY(unfinished_claim_is_no_table),
        ON_DISK(abandoned_claim_shared_by_another_stays),
        IN_MEMORY(claimed_table_stays_open),
        ON_DISK(other_places_table_is_never_handed_out),
        IN_MEMORY(orphaned_log_is_left_alone),
        cmocka_unit_test(survives_every_store_fault),
        cmocka_unit_test(interrupted_drop_leaves_a_name_to_reuse),
        IN_MEMORY(every_allocation_may_fail),
        IN_MEMORY(relative_location_is_below_the_lake),
        ON_DISK(relative_location_is_below_the_lake),
        ON_DISK(registers_what_is_there),
        IN_MEMORY(directories_have_no_percent_sign),
        ON_DISK(directories_have_no_percent_sign),
        IN_MEMORY(older_directories_are_found),
        ON_DISK(older_directories_are_found),
        IN_MEMORY(two_locations_do_not_share_a_claim),
        IN_MEMORY(log_without_version_0_is_a_log),
        IN_MEMORY(damaged_entry_is_named_and_can_be_dropped),
        ON_DISK(of_racing_processes_one_wins),
        ON_DISK(threads_resolve_while_tables_change),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
