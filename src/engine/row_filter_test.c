/* engine/row_filter_test.c: deletion vectors are bound to physical row numbers, whatever the scan makes of its rows. */
#include "base/base.h"

#include "engine/table_fixture.h"

/* A table read with everything that engine_scan can ask for. */
struct wanted {
    const struct delta_rows *const *only;
    bool with_positions;
};

static enum status scan_sql(struct pretended *t, const struct wanted *w, struct buf *sql, struct engine_hold **hold)
{
    struct engine_scan scan = {.table_name = STR("t"),
                               .schema = t->schema,
                               .partition_columns = t->partition_columns,
                               .partition_column_count = t->partition_count,
                               .store = t->store,
                               .files = t->files,
                               .file_count = t->file_count,
                               .only = w ? w->only : NULL,
                               .with_positions = w && w->with_positions};
    return engine_scan_sql(&t->f->ctx, t->f->engine, &scan, sql, hold, &t->f->err);
}

static const char *answer(struct pretended *t, const struct wanted *w, const char *before, const char *after)
{
    struct buf sql = BUF_INIT;
    struct engine_hold *hold;
    buf_z(&sql, before);
    OK(t->f, scan_sql(t, w, &sql, &hold));
    buf_z(&sql, " AS t ");
    buf_z(&sql, after);
    const char *out = ask(t->f, buf_view(&sql));
    engine_hold_free(hold);
    buf_release(&sql);
    return out;
}

/* The same question about the table and about a query that says which rows should be left. */
static void agrees(struct pretended *t, const char *rows, const char *before, const char *after)
{
    const char *expected = ask(t->f, str_of(arena_printf(&t->f->arena, "%s (%s) AS t %s", before, rows, after)));
    assert_string_equal(answer(t, NULL, before, after), expected);
}

static struct delta_rows *rows_of(struct pretended *t, const char *select)
{
    struct delta_rows *rows = delta_rows_new();
    char *all = arena_printf(&t->f->arena, "SELECT coalesce(string_agg(r::VARCHAR, '|'), '') FROM (%s) AS q(r)", select);
    char *text = arena_printf(&t->f->arena, "%s", ask(t->f, str_of(all)));
    for (char *save, *p = strtok_r(text, "|", &save); p; p = strtok_r(NULL, "|", &save)) {
        int64_t row;
        assert_true(str_to_i64(str_of(p), &row));
        assert_true(delta_rows_add(rows, &(uint64_t){(uint64_t)row}, 1));
    }
    return rows;
}

/* Gives a file a deletion vector with the rows that the query names. */
static void delete_rows(struct pretended *t, size_t file, const char *select)
{
    struct delta_rows *rows = rows_of(t, select);
    struct delta_dv *dv = ARENA_NEW(&t->f->arena, struct delta_dv);
    OK(t->f, delta_dv_write(&t->f->ctx, t->store, (const struct delta_rows *const[]){rows}, 1, &t->f->arena, dv, &t->f->err));
    t->files[file].dv = dv;
    delta_rows_free(rows);
}

/* A foreign file of many row groups. */
static void append_groups(struct pretended *t, const char *name, const char *select)
{
    struct fixture *f = t->f;
    struct buf path = BUF_INIT;
    store_prepare(t->store, &f->ctx, STR(""), &f->err);
    store_locate(t->store, str_of(name), &path);
    run_sql(f, arena_printf(&f->arena, "COPY (%s) TO '%s' (FORMAT parquet, ROW_GROUP_SIZE 2048)", select, path.ptr));
    add_file(t, str_of(name), 1, NULL);
    buf_release(&path);
}

/* Three files of 100,000 rows in 49 row groups each: a tenth deleted at random, every row of some groups, none. */
static struct pretended *grouped_table(struct fixture *f, const char *name)
{
    struct pretended *t = pretend(f, name, "STRUCT<i: BIGINT, k: INT, s: STRING>", NULL);
    for (int file = 0; file < 3; file++)
        append_groups(t, arena_printf(&f->arena, "f%d.parquet", file),
                      arena_printf(&f->arena, "SELECT range AS i, (range * 7919 %% 1000)::INT AS k, 's' || range AS s FROM range(%d, %d)",
                                   file * 100000, (file + 1) * 100000));
    delete_rows(t, 0, "SELECT range FROM range(100000) WHERE hash(range) % 10 = 0");
    delete_rows(t, 1, "SELECT range FROM range(100000) WHERE range BETWEEN 3000 AND 40000 OR range = 99999");
    return t;
}

#define LEFT                                                                                                                                         \
    "SELECT range AS i, (range * 7919 % 1000)::INT AS k, 's' || range AS s FROM range(300000) WHERE NOT (range < 100000 AND hash(range) % 10 = 0) "  \
    "AND NOT (range BETWEEN 103000 AND 140000 OR range = 199999)"

static void scans_of_many_row_groups(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = grouped_table(f, "groups");
    agrees(t, LEFT, "SELECT count(*) || ' ' || sum(i) || ' ' || sum(k) || ' ' || max(s) FROM", "");
    agrees(t, LEFT, "SELECT count(*) FROM", "");
    agrees(t, LEFT, "SELECT sum(hash(i, k, s)) FROM", "");
    /* filters that the reader takes, that skip row groups, that stay above */
    agrees(t, LEFT, "SELECT count(*) || ' ' || sum(i) FROM", "WHERE i BETWEEN 60000 AND 60500");
    agrees(t, LEFT, "SELECT count(*) || ' ' || sum(i) FROM", "WHERE i > 199000 AND k = 7");
    agrees(t, LEFT, "SELECT count(*) || ' ' || sum(i) FROM", "WHERE k IN (1, 2, 3)");
    agrees(t, LEFT, "SELECT count(*) || ' ' || sum(i) FROM", "WHERE s LIKE '%77%' OR k < 5");
    agrees(t, LEFT, "SELECT i FROM", "WHERE s = 's99990' OR i IN (102999, 103000, 140000, 140001, 199998, 199999, 200000) ORDER BY i");
    agrees(t, LEFT, "SELECT count(*) FROM", "WHERE i = 103001");
    pretended_free(t);
}

/* The only file of its branch. */
static void one_file(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "one", "STRUCT<i: BIGINT, k: INT, s: STRING>", NULL);
    const char *left = "SELECT range AS i, (range * 7919 % 1000)::INT AS k, 's' || range AS s FROM range(100000) "
                       "WHERE hash(range) % 10 <> 0 AND NOT range BETWEEN 3000 AND 40000";
    append_groups(t, "one.parquet", "SELECT range AS i, (range * 7919 % 1000)::INT AS k, 's' || range AS s FROM range(100000)");
    delete_rows(t, 0, "SELECT range FROM range(100000) WHERE hash(range) % 10 = 0 OR range BETWEEN 3000 AND 40000");
    agrees(t, left, "SELECT count(*) || ' ' || sum(hash(i, k, s)) FROM", "");
    agrees(t, left, "SELECT count(*) FROM", "");
    agrees(t, left, "SELECT count(*) || ' ' || sum(i) FROM", "WHERE i BETWEEN 60000 AND 60500");
    agrees(t, left, "SELECT count(*) || ' ' || sum(i) FROM", "WHERE i > 20000 AND k IN (1, 2, 3)");
    agrees(t, left, "SELECT count(*) || ' ' || sum(i) FROM", "WHERE s LIKE '%77%' OR k < 5");
    agrees(t, left, "SELECT count(*) || ' ' || sum(i) FROM", "WHERE i IN (2999, 3000, 40000, 40001, 99999)");
    agrees(t, left, "SELECT i FROM", "ORDER BY k, i LIMIT 50");
    agrees(t, left, "SELECT count(*) || ' ' || sum(t.i) FROM range(3000) r JOIN", "ON r.range * 97 = t.i");
    assert_string_equal(answer(t, NULL, "SELECT count(*) || ' ' || count(DISTINCT i) FROM (FROM", "LIMIT 5000)"), "5000 5000");
    pretended_free(t);
}

static void limits_orders_and_joins(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = grouped_table(f, "joins");
    run_sql(f, "SET threads = 4");
    agrees(t, LEFT, "SELECT i FROM", "ORDER BY k, i LIMIT 50");
    agrees(t, LEFT, "SELECT i FROM", "ORDER BY i DESC LIMIT 20 OFFSET 99990");
    agrees(t, LEFT, "SELECT count(*) || ' ' || sum(i) FROM", "WHERE i IN (SELECT range * 131 FROM range(2000))");
    agrees(t, LEFT, "SELECT count(*) || ' ' || sum(i) FROM", "WHERE NOT EXISTS (FROM range(2000) r WHERE r.range * 131 = t.i)");
    agrees(t, LEFT, "SELECT count(*) || ' ' || sum(t.i) FROM range(3000) r JOIN", "ON r.range * 97 = t.i");
    agrees(t, LEFT, "SELECT string_agg(k || ':' || n, ' ' ORDER BY k) FROM (SELECT k, count(*) AS n FROM", "GROUP BY k) WHERE k % 50 = 0");
    for (int i = 1; i < 200000; i *= 7) {
        char *after = arena_printf(&f->arena, "LIMIT %d)", i);
        assert_string_equal(answer(t, NULL, "SELECT count(*) || ' ' || count(DISTINCT i) FROM (FROM", after), arena_printf(&f->arena, "%d %d", i, i));
        assert_string_equal(answer(t, NULL, arena_printf(&f->arena, "SELECT count(*) FROM (%s) AS r JOIN (FROM", LEFT),
                                   arena_printf(&f->arena, "LIMIT %d) AS l ON l.i = r.i", i)),
                            arena_printf(&f->arena, "%d", i));
    }
    run_sql(f, "SET threads = 2");
    pretended_free(t);
}

static void whole_files_and_untouched_ones(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "whole", "STRUCT<i: BIGINT>", NULL);
    append_foreign(t, "a.parquet", "SELECT range AS i FROM range(5000)", NULL);
    append_foreign(t, "b.parquet", "SELECT range AS i FROM range(3)", NULL);
    assert_null(strstr(relation_of(t), "file_row_number"));
    delete_rows(t, 0, "SELECT range FROM range(5000)");
    assert_string_equal(answer(t, NULL, "SELECT i FROM", "ORDER BY i"), "0|1|2");
    assert_non_null(strstr(relation_of(t), "b.parquet'], hive_partitioning=false) UNION ALL"));
    delete_rows(t, 0, "SELECT range FROM range(0)"); /* empty */
    assert_string_equal(answer(t, NULL, "SELECT count(*) FROM", ""), "5003");
    delete_rows(t, 0, "SELECT 1000000000000");
    assert_string_equal(answer(t, NULL, "SELECT count(*) FROM", ""), "5003");
    pretended_free(t);
}

static void positions_and_only(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = grouped_table(f, "positions");
    struct wanted with = {.with_positions = true};
    struct delta_rows *some = rows_of(t, "SELECT unnest([0, 5, 2047, 2048, 99999])");
    const struct delta_rows *only[] = {NULL, some, NULL};
    assert_string_equal(answer(t, &with, "SELECT count(*) FROM", "WHERE i <> varve_file * 100000 + varve_row"), "0");
    assert_string_equal(answer(t, &with, "SELECT typeof(varve_file) || ' ' || typeof(varve_row) FROM", "LIMIT 1"), "INTEGER BIGINT");
    assert_string_equal(answer(t, &with, "SELECT varve_file || ' ' || varve_row FROM", "WHERE i IN (102999, 103000, 299999) ORDER BY i"),
                        "1 2999|2 99999");
    assert_string_equal(answer(t, &(struct wanted){.only = only}, "SELECT i FROM", "WHERE i BETWEEN 100000 AND 199999 ORDER BY i"),
                        "100000|100005|102047|102048|199999");
    with.only = only;
    assert_string_equal(answer(t, &with, "SELECT varve_row FROM", "WHERE varve_file = 1 ORDER BY 1"), "0|5|2047|2048|99999");
    agrees(t, LEFT, "SELECT count(*) FROM", "WHERE i NOT BETWEEN 100000 AND 199999");
    t->file_count = 0;
    assert_string_equal(answer(t, &with, "SELECT count(varve_row) + count(varve_file) FROM", ""), "0");
    delta_rows_free(some);
    pretended_free(t);
}

/* As many as are named to the reader, and more; of two files, whose numbers are named together. */
static void few_and_many_wanted_rows(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = grouped_table(f, "wanted");
    const int counts[] = {1, 32, 33, 64, 65, 4000};
    for (size_t i = 0; i < VV_ARRAY_COUNT(counts); i++) {
        char rows[96], expected[96];
        snprintf(rows, sizeof(rows), "SELECT range * 23 FROM range(%d)", counts[i]);
        struct delta_rows *first = rows_of(t, rows), *second = rows_of(t, "SELECT unnest([7, 23])");
        const struct delta_rows *only[] = {first, second, second};
        struct wanted wanted = {.only = only, .with_positions = true};
        snprintf(expected, sizeof(expected), "%d %d", counts[i] + 4, counts[i] * (counts[i] - 1) / 2 * 23 + 60);
        assert_string_equal(answer(t, &wanted, "SELECT count(*) || ' ' || sum(varve_row) FROM", ""), expected);
        delta_rows_free(first);
        delta_rows_free(second);
    }
    pretended_free(t);
}

/* Real columns with the names of the virtual ones, in the file, in the schema only, of other types, with partitions. */
static void columns_called_like_virtual_ones(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "shadow", "STRUCT<file_row_number: STRING, File_Index: TIMESTAMP, i: BIGINT, p: INT>", "p");
    append_foreign(t, "a.parquet",
                   "SELECT 'n' || range AS file_row_number, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS File_Index, range AS i FROM range(10)",
                   (struct str[]){STR("1")});
    append_foreign(t, "b.parquet", "SELECT 'm' || range AS file_row_number, TIMESTAMP '2024-01-02' AS file_index, range + 10 AS i FROM range(10)",
                   (struct str[]){STR("2")});
    append_foreign(t, "c.parquet", "SELECT range::INT + 20 AS i FROM range(10)", (struct str[]){STR("3")});
    assert_string_equal(answer(t, NULL, "SELECT count(*) || ' ' || sum(i) || ' ' || sum(p) FROM", ""), "30 435 60");
    for (size_t file = 0; file < 3; file++)
        delete_rows(t, file, "SELECT range FROM range(10) WHERE range % 3 <> 1");
    assert_string_equal(answer(t, &(struct wanted){.with_positions = true},
                               "SELECT concat_ws(' ', file_row_number, epoch_us(File_Index) // 1000000, i, p, varve_file, varve_row) FROM",
                               "ORDER BY i"),
                        "n1 1704067200 1 1 0 1|n4 1704067200 4 1 0 4|n7 1704067200 7 1 0 7|m1 1704153600 11 2 1 1|m4 1704153600 14 2 1 4|"
                        "m7 1704153600 17 2 1 7|21 3 2 1|24 3 2 4|27 3 2 7");
    pretended_free(t);
}

static void with_partitions_and_other_types(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "mixed", "STRUCT<i: BIGINT, ts: TIMESTAMP, p: STRING>", "p");
    for (int file = 0; file < 40; file++) {
        char *name = arena_printf(&f->arena, "f%d.parquet", file), *p = arena_printf(&f->arena, "%d", file);
        const char *form = file % 3 == 0   ? "SELECT range + %d * 1000 AS i, TIMESTAMPTZ '2024-01-01 00:00:00+00' AS ts FROM range(1000)"
                           : file % 3 == 1 ? "SELECT (range + %d * 1000)::INT AS i FROM range(1000)"
                                           : "SELECT range + %d * 1000 AS i, TIMESTAMP '2024-01-01' AS ts FROM range(1000)";
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        append_foreign(t, name, arena_printf(&f->arena, form, file), (struct str[]){str_of(p)});
#pragma GCC diagnostic pop
        if (file % 2)
            delete_rows(t, t->file_count - 1, arena_printf(&f->arena, "SELECT range FROM range(1000) WHERE range %% %d = 0", file));
    }
    agrees(t,
           "SELECT range AS i, (range // 1000)::VARCHAR AS p FROM range(40000) WHERE NOT ((range // 1000) % 2 = 1 AND range % 1000 % (range // 1000) "
           "= 0)",
           "SELECT count(*) || ' ' || sum(i) || ' ' || sum(p::INT * i) FROM", "");
    assert_string_equal(answer(t, &(struct wanted){.with_positions = true}, "SELECT count(*) FROM",
                               "WHERE i <> varve_file * 1000 + varve_row OR p <> varve_file::VARCHAR OR (epoch_us(ts) <> 1704067200000000)"),
                        "0");
    pretended_free(t);
}

static void damaged_vectors_are_named(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "damaged dv", "STRUCT<i: BIGINT>", NULL);
    struct buf sql = BUF_INIT;
    struct engine_hold *hold;
    append_foreign(t, "a b.parquet", "SELECT range AS i FROM range(10)", NULL);
    delete_rows(t, 0, "SELECT 3");
    struct delta_dv dv = *t->files[0].dv;
    t->files[0].dv = &dv;
    dv.cardinality = 2;
    FAILS(f, STATUS_CORRUPT_DATA, scan_sql(t, NULL, &sql, &hold));
    assert_null(hold);
    assert_non_null(strstr(f->err.message, "deletion_vector_"));
    assert_non_null(strstr(f->err.context, "\"a%20b.parquet\" of table \"t\""));
    dv.path = STR("vBn[lx{q8@P<9BNH/isA");
    FAILS(f, STATUS_FILE_NOT_FOUND, scan_sql(t, NULL, &sql, &hold));
    assert_null(f->engine->row_filters.first);
    buf_release(&sql);
    fixture_clear(f);
    pretended_free(t);
}

static void hold_lives_as_long_as_the_stream(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = grouped_table(f, "stream");
    struct ArrowArrayStream stream;
    struct ArrowArray array;
    struct engine_hold *hold;
    struct buf sql = BUF_INIT;
    buf_z(&sql, "SELECT count(*) FROM ");
    OK(f, scan_sql(t, NULL, &sql, &hold));
    buf_z(&sql, " WHERE i < 100");
    OK(f, engine_query(&f->ctx, f->engine, buf_view(&sql), hold, STR_NULL, &stream, &f->err));
    assert_non_null(f->engine->row_filters.first);
    assert_int_equal(stream.get_next(&stream, &array), 0);
    array.release(&array);
    stream.release(&stream);
    assert_null(f->engine->row_filters.first);
    FAILS(f, STATUS_INTERNAL,
          engine_query(&f->ctx, f->engine, STR("SELECT varve_keeps_row(999424, 0::UBIGINT, 0)"), NULL, STR_NULL, &stream, &f->err) == STATUS_OK
              ? STATUS_OK
              : STATUS_INTERNAL);
    buf_release(&sql);
    fixture_clear(f);
    pretended_free(t);
}

static void failing_allocations(void **state)
{
    struct fixture *f = *state;
    struct pretended *t = pretend(f, "oom dv", "STRUCT<i: INT>", NULL);
    append(t, "SELECT range::INT FROM range(30)");
    append(t, "SELECT range::INT FROM range(30)");
    delete_rows(t, 0, "SELECT 3");
    for (uint64_t n = 1;; n++) {
        struct buf sql = BUF_INIT;
        struct engine_hold *hold = NULL;
        fixture_clear(f);
        alloc_fail_after(n);
        enum status st = scan_sql(t, &(struct wanted){.with_positions = true}, &sql, &hold);
        alloc_fail_after(0);
        buf_release(&sql);
        engine_hold_free(hold);
        if (st == STATUS_OK)
            break;
        assert_true(n < 2000);
        assert_int_equal(st, STATUS_OUT_OF_MEMORY);
        assert_null(hold);
    }
    assert_null(f->engine->row_filters.first);
    fixture_clear(f);
    pretended_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scans_of_many_row_groups),
        cmocka_unit_test(one_file),
        cmocka_unit_test(limits_orders_and_joins),
        cmocka_unit_test(whole_files_and_untouched_ones),
        cmocka_unit_test(positions_and_only),
        cmocka_unit_test(few_and_many_wanted_rows),
        cmocka_unit_test(columns_called_like_virtual_ones),
        cmocka_unit_test(with_partitions_and_other_types),
        cmocka_unit_test(damaged_vectors_are_named),
        cmocka_unit_test(hold_lives_as_long_as_the_stream),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
