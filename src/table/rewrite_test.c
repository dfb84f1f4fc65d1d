#include "base/base.h"
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "table/table_int.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/* Changes to rows that are there, with queries as the execute room makes them: counts, files, faults. */

static struct engine *engine;

struct fixture {
    struct ctx ctx;
    struct error err;
    struct arena arena;
    struct store *store;
    struct catalog_table table;
    struct table_change change;
    char dir[64];
};

static int open_engine(void **state)
{
    struct ctx ctx;
    struct error err = ERROR_INIT;
    ctx_init(&ctx);
    struct engine_config config = {.memory_limit_bytes = INT64_C(1) << 30, .threads = 2};
    return engine_open(&ctx, &config, &engine, &err) ? -1 : 0;
}

static int close_engine(void **state)
{
    engine_close(engine);
    return 0;
}

static int remove_node(const char *path, const struct stat *st, int type, struct FTW *at) { return remove(path); }

static void open_table(struct fixture *f, struct store *store, struct catalog_table *out)
{
    assert_int_equal(delta_table_open(&f->ctx, store, engine_delta_handler(engine), STR("varve.default.t"), &out->table, &f->err), STATUS_OK);
    out->qualified_name = mem_strndup("varve.default.t", 15);
    out->location = mem_strndup(store->root.ptr, store->root.len);
    out->managed = true;
}

static void close_table(struct catalog_table *t)
{
    delta_table_unref(t->table);
    mem_free(t->qualified_name);
    mem_free(t->location);
}

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    char path[80];
    ctx_init(&f->ctx);
    f->ctx.log = log_open_fd(open("/dev/null", O_WRONLY), LOG_ERROR);
    f->err = ERROR_INIT;
    strcpy(f->dir, "/tmp/varve-rewrite-XXXXXX");
    if (!mkdtemp(f->dir))
        return -1;
    snprintf(path, sizeof path, "%s/t", f->dir);
    if (store_open_local(&f->ctx, str_of(path), (struct store_local_options){0}, &f->store, &f->err))
        return -1;
    open_table(f, f->store, &f->table);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    close_table(&f->table);
    store_unref(f->store);
    error_release(&f->err);
    arena_release(&f->arena);
    log_free(f->ctx.log);
    nftw(f->dir, remove_node, 16, FTW_DEPTH | FTW_PHYS);
    free(f);
    return 0;
}

#define EXPECT(f, wanted, call)                                                                                                                      \
    do {                                                                                                                                             \
        error_release(&(f)->err);                                                                                                                    \
        enum status got_ = (call);                                                                                                                   \
        if (got_ != (wanted))                                                                                                                        \
            print_message("%s | %s\n", (f)->err.message ? (f)->err.message : "", (f)->err.detail ? (f)->err.detail : "");                            \
        assert_string_equal(status_info(got_)->name, status_info(wanted)->name);                                                                     \
    } while (0)
#define OK(f, call) EXPECT(f, STATUS_OK, call)

/* ---- doing -------------------------------------------------------------------------------- */

static struct delta_type *type(struct fixture *f, const char *sql)
{
    struct delta_type *t = NULL;
    OK(f, delta_type_from_sql(&f->arena, str_of(sql), &t, &f->err));
    return t;
}

static void insert(struct fixture *f, const char *select)
{
    struct table_source source = {.select = str_of(select)};
    struct table_insert options = {0};
    OK(f, engine_describe(&f->ctx, engine, source.select, &f->arena, &source.schema, &f->err));
    OK(f, table_insert(&f->ctx, engine, &f->table, &source, &options, &f->change, &f->err));
}

/* A table (a INT, b STRING) of two files with two rows each. */
static void create(struct fixture *f, const char *property)
{
    struct delta_property properties[] = {{.key = str_of(property), .value = STR("true")}};
    struct table_definition def = {.schema = type(f, "STRUCT<a: INT, b: STRING>"), .properties = properties, .property_count = property ? 1 : 0};
    OK(f, table_create(&f->ctx, engine, &f->table, &def, NULL, NULL, false, &f->change, &f->err));
    insert(f, "SELECT 1, 'one' UNION ALL SELECT 2, 'two'");
    insert(f, "SELECT 3, 'three' UNION ALL SELECT 4, 'four'");
}

#define POSITIONS "t." ENGINE_FILE_COLUMN ", t." ENGINE_ROW_COLUMN ", "
static const struct table_action delete_action = {.kind = TABLE_ACTION_DELETE};

static struct table_rewrite deletion(struct fixture *f, const char *condition)
{
    char *match = arena_printf(&f->arena,
                               "SELECT " POSITIONS "CAST(NULL AS BIGINT) AS " TABLE_SOURCE_ROW ", 0::INTEGER AS " TABLE_ACTION " FROM " TABLE_TARGET
                               " AS t WHERE %s",
                               condition);
    return (struct table_rewrite){.match = {.select = str_of(match)}, .actions = &delete_action, .action_count = 1, .operation = "DELETE"};
}

/* UPDATE SET b = source.b, INSERT *: over the rows of `source` (a, b). */
static struct table_rewrite merging(struct fixture *f, const char *source)
{
    static const struct str b = STR("b"), all[] = {STR("a"), STR("b")};
    static const struct table_assignment set_b = {.path = &b, .depth = 1, .value = 3};
    struct table_action *actions = ARENA_ARRAY(&f->arena, struct table_action, 2);
    actions[0] = (struct table_action){.kind = TABLE_ACTION_UPDATE, .assignments = &set_b, .assignment_count = 1};
    actions[1] =
        (struct table_action){.kind = TABLE_ACTION_INSERT,
                              .columns = all,
                              .column_count = 2,
                              .rows = {.select = STR("SELECT s.a, s.b FROM " TABLE_SOURCE " AS s JOIN " TABLE_MATCHES " AS m ON s." TABLE_SOURCE_ROW
                                                     " = m." TABLE_SOURCE_ROW " WHERE m." TABLE_ACTION " = 1"),
                                       .schema = type(f, "STRUCT<a: INT, b: STRING>")}};
    return (struct table_rewrite){
        .match = {.select = STR("SELECT " POSITIONS "s." TABLE_SOURCE_ROW ", CASE WHEN t." ENGINE_FILE_COLUMN
                                " IS NULL THEN 1 ELSE 0 END::INTEGER AS " TABLE_ACTION " FROM " TABLE_TARGET " AS t RIGHT JOIN " TABLE_SOURCE
                                " AS s ON t.a = s.a")},
        .update = {.select =
                       STR("SELECT t.a, t.b, m." TABLE_ACTION ", CASE WHEN m." TABLE_ACTION " = 0 THEN s.b END FROM " TABLE_TARGET
                           " AS t LEFT JOIN " TABLE_MATCHES " AS m ON t." ENGINE_FILE_COLUMN " = m." ENGINE_FILE_COLUMN " AND t." ENGINE_ROW_COLUMN
                           " = m." ENGINE_ROW_COLUMN " LEFT JOIN " TABLE_SOURCE " AS s ON m." TABLE_SOURCE_ROW " = s." TABLE_SOURCE_ROW),
                   .schema = type(f, "STRUCT<a: INT, b: STRING, act: INT, v: STRING>")},
        .actions = actions,
        .action_count = 2,
        .source = str_of(arena_printf(&f->arena, "(SELECT *, row_number() OVER () - 1 AS " TABLE_SOURCE_ROW " FROM (%s) AS q(a, b))", source)),
        .is_merge = true,
        .one_row_each = true,
        .operation = "MERGE"};
}

static enum status run_on(struct fixture *f, struct catalog_table *t, struct table_rewrite r)
{
    enum status status = table_changeable(&f->ctx, t, false, &r.base, &f->err);
    if (status)
        return status;
    r.schema = delta_snapshot_schema(r.base);
    status = table_rewrite(&f->ctx, engine, t, &r, &f->change, &f->err);
    delta_snapshot_unref(r.base);
    return status;
}

static enum status run(struct fixture *f, struct table_rewrite r) { return run_on(f, &f->table, r); }

/* ---- looking ---------------------------------------------------------------------------------- */

/* One number from "SELECT … FROM t". */
static int64_t ask(struct fixture *f, const char *what)
{
    struct delta_snapshot *s = NULL;
    struct delta_file_list files = {0};
    struct buf sql = BUF_INIT;
    struct engine_hold *hold = NULL;
    int64_t answer = 0;
    bool is_null = false;
    OK(f, delta_snapshot_latest(&f->ctx, f->table.table, &s, &f->err));
    OK(f, delta_scan(&f->ctx, s, NULL, false, &files, &f->err));
    struct engine_scan scan = {
        .table_name = STR("t"), .schema = delta_snapshot_schema(s), .store = f->store, .files = files.files, .file_count = files.count};
    buf_printf(&sql, "SELECT (%s)::BIGINT FROM ", what);
    OK(f, engine_scan_sql(&f->ctx, engine, &scan, &sql, &hold, &f->err));
    buf_z(&sql, " AS t");
    OK(f, engine_query_i64(&f->ctx, engine, buf_view(&sql), &answer, &is_null, &f->err));
    engine_hold_free(hold);
    buf_release(&sql);
    delta_file_list_release(&files);
    delta_snapshot_unref(s);
    return is_null ? 0 : answer;
}

/* Every row's number and the length of its text, in one number. */
static int64_t state_of(struct fixture *f) { return ask(f, "sum(a * 1000 + len(b)) + count(*) * 1000000"); }

static bool count_data(void *user, const struct store_entry *entry)
{
    *(int *)user += !str_starts(entry->key, STR("_delta_log/"));
    return true;
}

/* Data files, deletion vectors and change data. */
static int files_on_disk(struct fixture *f)
{
    int count = 0;
    assert_int_equal(store_list(f->store, &f->ctx, STR(""), STR(""), count_data, &count, &f->err), STORE_OK);
    return count;
}

static void assert_logged(struct fixture *f, int64_t version, const char *wanted)
{
    struct buf text = BUF_INIT;
    char *key = arena_printf(&f->arena, "_delta_log/%020lld.json", (long long)version);
    assert_int_equal(store_read(f->store, &f->ctx, str_of(key), &text, &f->err), STORE_OK);
    if (!strstr(text.ptr, wanted))
        print_message("%s\n", text.ptr);
    assert_non_null(strstr(text.ptr, wanted));
    buf_release(&text);
}

/* ---- what is written ------------------------------------------------------------------------------ */

static void files_without_such_rows_stay(void **state)
{
    struct fixture *f = *state;
    create(f, NULL);
    OK(f, run(f, deletion(f, "t.a = 2")));
    assert_int_equal(f->change.version, 3);
    assert_int_equal(f->change.rows_deleted, 1);
    assert_int_equal(f->change.files_removed, 1);
    assert_int_equal(f->change.files_added, 1);
    assert_int_equal(files_on_disk(f), 3);
    assert_logged(f, 3, "\"numDeletedRows\":\"1\"");
    assert_logged(f, 3, "\"numCopiedRows\":\"1\"");
    OK(f, run(f, deletion(f, "t.a > 2")));
    assert_int_equal(f->change.files_added, 0);
    assert_int_equal(files_on_disk(f), 3);
    OK(f, run(f, deletion(f, "t.b IS NULL")));
    assert_int_equal(f->change.version, 4);
    assert_int_equal(ask(f, "sum(a)"), 1);
}

static void vectors_leave_the_files(void **state)
{
    struct fixture *f = *state;
    create(f, "delta.enableDeletionVectors");
    OK(f, run(f, deletion(f, "t.a IN (1, 3)")));
    assert_int_equal(f->change.files_removed, 0);
    assert_int_equal(files_on_disk(f), 3); /* both vectors are in one file */
    assert_logged(f, 3, "\"numDeletionVectorsAdded\":\"2\"");
    assert_logged(f, 3, "\"tightBounds\\\":false");
    OK(f, run(f, merging(f, "VALUES (2, 'TWO'), (5, 'five')")));
    assert_int_equal(f->change.rows_updated, 1);
    assert_int_equal(f->change.rows_inserted, 1);
    assert_int_equal(f->change.files_removed, 1); /* the file's last row was replaced */
    assert_int_equal(ask(f, "sum(a) * 10 + count(*)"), 113);
    OK(f, run(f, deletion(f, "t.a = 1")));
    assert_int_equal(f->change.version, 4);
}

static void a_merge_updates_and_inserts(void **state)
{
    struct fixture *f = *state;
    create(f, "delta.enableChangeDataFeed");
    OK(f, run(f, merging(f, "VALUES (2, 'TWO!'), (4, NULL), (5, 'five'), (NULL, 'none')")));
    assert_int_equal(f->change.rows_updated, 2);
    assert_int_equal(f->change.rows_inserted, 2);
    assert_int_equal(f->change.rows_deleted, 0);
    assert_logged(f, 3, "\"cdc\"");
    assert_logged(f, 3, "\"numTargetRowsCopied\":\"2\"");
    assert_int_equal(ask(f, "count(*) FILTER (b = 'TWO!') * 100 + count(*) FILTER (b IS NULL) * 10 + count(*)"), 116);
    EXPECT(f, STATUS_MERGE_AMBIGUOUS, run(f, merging(f, "VALUES (1, 'x'), (1, 'y')")));
    int64_t before = files_on_disk(f);
    EXPECT(f, STATUS_MERGE_AMBIGUOUS, run(f, merging(f, "VALUES (1, 'x'), (1, 'y')")));
    assert_int_equal(files_on_disk(f), before);
}

/* Of two changes of one file that began at one version, one is done and the other leaves nothing. */
static void the_slower_one_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    static const char *const properties[] = {NULL, "delta.enableDeletionVectors", "delta.enableChangeDataFeed"};
    create(f, NULL);
    for (size_t i = 0; i < VV_ARRAY_COUNT(properties); i++) {
        struct delta_property set = {.key = str_of(properties[i]), .value = STR("true")};
        struct table_rewrite slow = merging(f, "VALUES (3, 'slow')");
        if (properties[i])
            OK(f, table_set_properties(&f->ctx, engine, &f->table, &set, 1, &f->change, &f->err));
        insert(f, "SELECT 3, 'again'");
        OK(f, run(f, deletion(f, "t.b = 'again'")));
        OK(f, table_changeable(&f->ctx, &f->table, false, &slow.base, &f->err));
        slow.schema = delta_snapshot_schema(slow.base);
        OK(f, run(f, merging(f, "VALUES (3, 'fast')")));
        int before = files_on_disk(f);
        EXPECT(f, STATUS_COMMIT_CONFLICT, table_rewrite(&f->ctx, engine, &f->table, &slow, &f->change, &f->err));
        assert_int_equal(f->change.version, -1);
        assert_int_equal(files_on_disk(f), before);
        delta_snapshot_unref(slow.base);
    }
    assert_int_equal(ask(f, "count(*) FILTER (b = 'fast') * 10 + count(*)"), 14);
}

/* ---- faults --------------------------------------------------------------------------------------------- */

static struct table_rewrite change_of(struct fixture *f, bool merge)
{
    return merge ? merging(f, "VALUES (2, 'second'), (9, 'nine')") : deletion(f, "t.a = 3");
}

static void restore_state(struct fixture *f)
{
    struct table_restore restore = {.version = 2};
    OK(f, table_restore(&f->ctx, &f->table, &restore, &f->change, &f->err));
}

/* Every allocation of this program may fail: the change is done or it is not, and then no file is left. */
static void out_of_memory(struct fixture *f, bool merge)
{
    int64_t before = state_of(f);
    bool done = false;
    for (uint64_t n = 1; !done; n += 1 + n / 40) {
        struct table_rewrite r = change_of(f, merge);
        int files = files_on_disk(f);
        error_release(&f->err);
        uint64_t start = alloc_count();
        alloc_fail_after(n);
        enum status status = run(f, r);
        uint64_t used = alloc_count() - start;
        alloc_fail_after(0);
        done = used < n;
        assert_true(status == STATUS_OK || state_of(f) == before);
        if (status)
            assert_int_equal(files_on_disk(f), files);
        else
            assert_int_not_equal(state_of(f), before);
        if (!status)
            restore_state(f);
        assert_int_equal(state_of(f), before);
    }
}

static void store_faults(struct fixture *f, bool merge)
{
    static const enum store_fault_kind kinds[] = {STORE_FAULT_FAIL, STORE_FAULT_FULL, STORE_FAULT_LOST_REPLY};
    struct store *fault;
    struct catalog_table faulty;
    OK(f, store_open_fault(f->store, &fault, &f->err));
    open_table(f, fault, &faulty);
    int64_t before = state_of(f);
    for (size_t k = 0; k < VV_ARRAY_COUNT(kinds); k++) {
        uint64_t at = 1, calls = 1;
        for (; at <= calls; at++) { /* to the first run that makes fewer calls */
            struct table_rewrite r = change_of(f, merge);
            int files = files_on_disk(f);
            store_fault_set(fault, (struct store_fault){.kind = kinds[k], .at_call = at});
            error_release(&f->err);
            enum status status = run_on(f, &faulty, r);
            calls = store_fault_calls(fault) + (store_fault_calls(fault) >= at);
            store_fault_set(fault, (struct store_fault){0});
            int64_t after = state_of(f);
            if (status && status != STATUS_COMMIT_UNKNOWN)
                assert_int_equal(after, before);
            if (!status)
                assert_int_not_equal(after, before);
            if (status && status != STATUS_COMMIT_UNKNOWN && kinds[k] != STORE_FAULT_LOST_REPLY)
                assert_int_equal(files_on_disk(f), files);
            if (after != before)
                restore_state(f);
            assert_int_equal(state_of(f), before);
        }
        assert_true(at > 4);
    }
    close_table(&faulty);
    store_unref(fault);
}

static void faults_while_copying(void **state)
{
    struct fixture *f = *state;
    create(f, NULL);
    out_of_memory(f, false);
    out_of_memory(f, true);
    store_faults(f, false);
    store_faults(f, true);
}

static void faults_with_vectors(void **state)
{
    struct fixture *f = *state;
    create(f, "delta.enableDeletionVectors");
    out_of_memory(f, false);
    out_of_memory(f, true);
    store_faults(f, false);
    store_faults(f, true);
}

static void faults_with_change_data(void **state)
{
    struct fixture *f = *state;
    create(f, "delta.enableChangeDataFeed");
    out_of_memory(f, true);
    store_faults(f, true);
}

static void a_missing_file_is_not_restored(void **state)
{
    struct fixture *f = *state;
    struct table_restore restore = {.version = 1};
    create(f, NULL);
    OK(f, run(f, deletion(f, "true")));
    restore.dry_run = true;
    OK(f, table_restore(&f->ctx, &f->table, &restore, &f->change, &f->err));
    assert_int_equal(f->change.files_added, 1);
    assert_int_equal(f->change.version, 3);
    restore.dry_run = false;
    OK(f, table_restore(&f->ctx, &f->table, &restore, &f->change, &f->err));
    assert_int_equal(ask(f, "sum(a)"), 3);
    char command[128];
    snprintf(command, sizeof command, "rm %s/t/*.parquet", f->dir);
    assert_int_equal(system(command), 0);
    restore.version = 2;
    EXPECT(f, STATUS_FILE_NOT_FOUND, table_restore(&f->ctx, &f->table, &restore, &f->change, &f->err));
    assert_int_equal(f->change.version, -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(files_without_such_rows_stay), TEST(vectors_leave_the_files), TEST(a_merge_updates_and_inserts), TEST(the_slower_one_leaves_nothing),
        TEST(faults_while_copying),         TEST(faults_with_vectors),     TEST(faults_with_change_data),     TEST(a_missing_file_is_not_restored),
    };
    return cmocka_run_group_tests(tests, open_engine, close_engine);
}
