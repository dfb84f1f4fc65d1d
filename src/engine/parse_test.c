#include "base/base.h"

#include "engine/engine_fixture.h"

static struct engine_parsed parse(struct fixture *f, const char *sql)
{
    struct engine_parsed p;
    OK(f, engine_parse(&f->ctx, f->engine, str_of(sql), &f->arena, &p, &f->err));
    return p;
}

static void expect_ref(const struct engine_parsed *p, size_t i, const char *sql, const char *place, const char *table)
{
    assert_true(i < p->ref_count);
    assert_int_equal(p->refs[i].offset, strstr(sql, place) - sql);
    assert_true(str_eq(p->refs[i].table, str_of(table)));
}

static void finds_names_where_they_are(void **state)
{
    struct fixture *f = *state;
    const char *sql = "SELECT 'ü', * FROM a.b.\"t\"\"x\" AS q, s.u JOIN (SELECT 1 FROM v WHERE EXISTS (FROM w)) z ON true";
    struct engine_parsed p = parse(f, sql);
    assert_int_equal(p.ref_count, 4);
    expect_ref(&p, 0, sql, "a.b.", "t\"x");
    assert_true(str_eq(p.refs[0].catalog, STR("a")) && str_eq(p.refs[0].schema, STR("b")) && str_eq(p.refs[0].alias, STR("q")));
    expect_ref(&p, 1, sql, "s.u", "u");
    assert_null(p.refs[1].catalog.ptr);
    assert_null(p.refs[1].alias.ptr);
    expect_ref(&p, 2, sql, "v WHERE", "v");
    expect_ref(&p, 3, sql, "w)", "w");
    assert_false(p.is_volatile);
}

static void remembers_what_was_parsed(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 1200; i++) { /* more than are kept, each asked twice */
        char sql[64], table[16];
        snprintf(table, sizeof(table), "t%d", i % 600);
        snprintf(sql, sizeof(sql), "SELECT now() FROM s.%s AS a", table);
        struct engine_parsed p = parse(f, sql);
        assert_int_equal(p.ref_count, 1);
        expect_ref(&p, 0, sql, "s.t", table);
        assert_true(str_eq(p.refs[0].schema, STR("s")) && str_eq(p.refs[0].alias, STR("a")) && p.is_volatile);
    }
}

static void sees_time_travel(void **state)
{
    struct engine_parsed p = parse(*state, "FROM t AT (VERSION => 3), u x AT (TIMESTAMP => '2024-01-01'), v");
    assert_int_equal(p.ref_count, 3);
    assert_true(p.refs[0].has_at && p.refs[1].has_at && !p.refs[2].has_at);
}

static void sees_change_feeds(void **state)
{
    struct fixture *f = *state;
    const char *sql =
        "WITH table_changes AS (SELECT 1) SELECT * FROM Table_Changes('t', 1) x JOIN range(3) ON (FROM table_changes_by_path('/p', 1, 2)) = 1";
    for (int again = 0; again < 2; again++) {
        struct engine_parsed p = parse(f, sql);
        assert_int_equal(p.ref_count, 2);
        assert_true(p.refs[0].is_changes && p.refs[1].is_changes && !p.is_volatile);
        expect_ref(&p, 0, sql, "Table_Changes(", "table_changes");
        expect_ref(&p, 1, sql, "table_changes_by_path", "table_changes_by_path");
        assert_true(str_eq(p.refs[0].alias, STR("x")) && !p.refs[1].alias.ptr);
    }
    assert_true(parse(f, "FROM table_changes('t', now())").is_volatile);
}

static void sees_statements(void **state)
{
    struct fixture *f = *state;
    const char *sql = "SELECT * FROM varve_statement('x') a, table_history('t')";
    struct engine_parsed p = parse(f, sql);
    assert_int_equal(p.ref_count, 2);
    assert_true(p.refs[0].is_statement && p.refs[1].is_statement && !p.refs[0].is_changes && p.is_volatile);
    expect_ref(&p, 0, sql, "varve_statement", "varve_statement");
    expect_ref(&p, 1, sql, "table_history", "table_history");
}

static void leaves_ctes_out(void **state)
{
    struct fixture *f = *state;
    struct engine_parsed p = parse(f, "WITH c AS (SELECT * FROM t1), d AS (SELECT * FROM C) SELECT * FROM c, D, s.c");
    assert_int_equal(p.ref_count, 2);
    assert_true(str_eq(p.refs[0].table, STR("t1")) && str_eq(p.refs[1].schema, STR("s")));
    p = parse(f, "WITH t AS (SELECT x FROM t) SELECT * FROM t"); /* its own name inside is the table */
    assert_int_equal(p.ref_count, 1);
    assert_int_equal(p.refs[0].offset, 25);
    p = parse(f, "WITH RECURSIVE r AS (SELECT 1 FROM r UNION ALL SELECT 1 FROM r, t) SELECT * FROM r");
    assert_int_equal(p.ref_count, 2);
    p = parse(f, "WITH a AS (FROM b), b AS (SELECT 1) SELECT * FROM a"); /* b is made later */
    assert_int_equal(p.ref_count, 1);
    p = parse(f, "SELECT * FROM (WITH k AS (SELECT 1) SELECT * FROM k) x, k"); /* the outer k is out of scope */
    assert_int_equal(p.ref_count, 1);
    p = parse(f, "WITH a AS (SELECT 1), b AS (WITH a AS (FROM a) FROM a) FROM b");
    assert_int_equal(p.ref_count, 0);
}

static void takes_every_kind_of_query(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(parse(f, "FROM t").ref_count, 1);
    assert_int_equal(parse(f, "TABLE t").ref_count, 1);
    assert_int_equal(parse(f, "VALUES (1), (2)").ref_count, 0);
    assert_int_equal(parse(f, "SELECT * FROM (PIVOT t ON a IN (1, 2) USING sum(b))").ref_count, 1);
    assert_int_equal(parse(f, "SUMMARIZE t").ref_count, 1);
    assert_int_equal(parse(f, "SELECT * FROM t ASOF JOIN u USING (x) POSITIONAL JOIN w").ref_count, 3);
    assert_int_equal(parse(f, "SELECT 1; ").ref_count, 0);
}

static void knows_what_is_volatile(void **state)
{
    struct fixture *f = *state;
    assert_true(parse(f, "SELECT now()").is_volatile);
    assert_true(parse(f, "SELECT CURRENT_DATE").is_volatile);
    assert_true(parse(f, "SELECT * FROM t WHERE x IN (SELECT random())").is_volatile);
    assert_true(parse(f, "FROM read_csv('x.csv')").is_volatile);
    assert_true(parse(f, "FROM t USING SAMPLE 10").is_volatile);
    assert_false(parse(f, "SELECT sum(x) OVER () FROM t, range(3), (SELECT unnest([1]))").is_volatile);
}

static void finds_stars_and_metadata(void **state)
{
    struct fixture *f = *state;
    const char *sql = "SELECT *, \"a \"\"*b\" . *, count(*), 2 * 3 FROM t JOIN (SELECT t.* FROM t) u ON u._metadata.x = 1";
    for (int i = 0; i < 2; i++) { /* parsed, then remembered */
        struct engine_parsed p = parse(f, sql);
        assert_true(p.names_metadata && !p.has_other_stars);
        assert_int_equal(p.star_count, 3);
        assert_int_equal(p.star_ends[0], strchr(sql, '*') + 1 - sql);
        assert_int_equal(p.star_ends[1], strstr(sql, ". *") + 3 - sql);
        assert_int_equal(p.star_ends[2], strstr(sql, "t.*") + 3 - sql);
    }
    assert_true(parse(f, "SELECT _METADATA.* FROM t").names_metadata);
    assert_false(parse(f, "SELECT '_metadata', metadata FROM _metadata").names_metadata);
    static const char *const others[] = {"FROM t",
                                         "SELECT * EXCLUDE (a) FROM t",
                                         "SELECT * REPLACE (1 AS a) FROM t",
                                         "SELECT * RENAME (a AS b) FROM t",
                                         "SELECT max(COLUMNS(*)) FROM t",
                                         "SELECT * NOT LIKE 'a%' FROM t"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(others); i++)
        if (!parse(f, others[i]).has_other_stars || parse(f, others[i]).star_count)
            fail_msg("%s", others[i]);
}

/* The list in volatile.def against what DuckDB says of its functions; ours are volatile to keep them from being folded. */
static void volatile_list_is_complete(void **state)
{
    struct fixture *f = *state;
    char *names = arena_printf(&f->arena, "%s",
                               ask(f, STR("SELECT DISTINCT function_name FROM duckdb_functions() WHERE stability IN "
                                          "('VOLATILE', 'CONSISTENT_WITHIN_QUERY') AND function_name NOT LIKE '%\\_\\_%' AND NOT "
                                          "starts_with(function_name, 'varve_') AND function_name <> 'variant_extract'")));
    for (char *save, *name = strtok_r(names, "|", &save); name; name = strtok_r(NULL, "|", &save)) {
        char *sql = arena_printf(&f->arena, "SELECT %s()", name);
        if (!parse(f, sql).is_volatile)
            fail_msg("%s is missing", name);
    }
}

static void deep_and_long_statements(void **state)
{
    struct fixture *f = *state;
    struct buf sql = BUF_INIT;
    buf_z(&sql, "SELECT 1");
    for (int i = 0; i < 400; i++)
        buf_printf(&sql, "+%d", i);
    buf_z(&sql, " FROM t WHERE x IN (0");
    for (int i = 1; i < 20000; i++)
        buf_printf(&sql, ",%d", i);
    buf_z(&sql, ")");
    assert_int_equal(parse(f, sql.ptr).ref_count, 1);
    buf_release(&sql);
}

static void errors_have_their_place(void **state)
{
    struct fixture *f = *state;
    struct engine_parsed p;
    FAILS(f, STATUS_SYNTAX, engine_parse(&f->ctx, f->engine, STR("SELECT 'ü' FORM t WHERE"), &f->arena, &p, &f->err));
    assert_int_equal(f->err.position, 17); /* bytes, though DuckDB's parser counts characters */
    assert_string_equal(f->err.message, "syntax error at or near \"t\"");
    FAILS(f, STATUS_SYNTAX, engine_parse(&f->ctx, f->engine, STR("selec 1"), &f->arena, &p, &f->err));
    assert_int_equal(f->err.position, 0);
    FAILS(f, STATUS_NOT_SUPPORTED, engine_parse(&f->ctx, f->engine, STR("ATTACH 'x.db'"), &f->arena, &p, &f->err));
    FAILS(f, STATUS_NOT_SUPPORTED, engine_parse(&f->ctx, f->engine, STR("INSERT INTO t VALUES (1)"), &f->arena, &p, &f->err));
    FAILS(f, STATUS_SYNTAX, engine_parse(&f->ctx, f->engine, STR("SELECT 1; SELECT 2"), &f->arena, &p, &f->err));
    FAILS(f, STATUS_SYNTAX, engine_parse(&f->ctx, f->engine, STR(""), &f->arena, &p, &f->err));
    FAILS(f, STATUS_SYNTAX, engine_parse(&f->ctx, f->engine, STR("-- nothing"), &f->arena, &p, &f->err));
    FAILS(f, STATUS_SYNTAX, engine_parse(&f->ctx, f->engine, STR("SELECT '\0'"), &f->arena, &p, &f->err));
    assert_int_equal(p.ref_count, 0);
    f->ctx.cancelled = true;
    FAILS(f, STATUS_CANCELLED, engine_parse(&f->ctx, f->engine, STR("SELECT 1"), &f->arena, &p, &f->err));
    f->ctx.cancelled = false;
    fixture_clear(f);
}

static void tree_reads_what_duckdb_writes(void **state)
{
    struct fixture *f = *state;
    struct json j;
    OK(f, tree_parse(&f->arena, STR("{\"a\":[1,-2.5e3,NaN,Infinity,-Infinity,true,null,\"x\\\"\\u00e9\"],\"b\":{},\"c\":[]}"), &j, &f->err));
    uint32_t a = json_member(&j, 0, "a");
    assert_int_equal(j.nodes[0].count, 3);
    assert_int_equal(j.nodes[a].count, 8);
    assert_int_equal(j.nodes[a + 3].type, JSON_NULL);
    assert_int_equal(j.nodes[a + 4].type, JSON_NULL);
    assert_int_equal(j.nodes[a + 5].type, JSON_NULL);
    assert_int_equal(j.nodes[a + 2].type, JSON_NUMBER);
    assert_true(str_eq(json_text(&j, a + 8, &f->arena), STR("x\"\xc3\xa9")));
    assert_int_equal(j.nodes[json_member(&j, 0, "b")].count, 0);
    FAILS(f, STATUS_INTERNAL, tree_parse(&f->arena, STR("{\"a\":[1"), &j, &f->err));
    FAILS(f, STATUS_INTERNAL, tree_parse(&f->arena, STR("\"abc"), &j, &f->err));
    FAILS(f, STATUS_INTERNAL, tree_parse(&f->arena, STR("]"), &j, &f->err));
    FAILS(f, STATUS_INTERNAL, tree_parse(&f->arena, STR(""), &j, &f->err));
    fixture_clear(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_names_where_they_are),
        cmocka_unit_test(remembers_what_was_parsed),
        cmocka_unit_test(sees_time_travel),
        cmocka_unit_test(sees_statements),
        cmocka_unit_test(sees_change_feeds),
        cmocka_unit_test(leaves_ctes_out),
        cmocka_unit_test(takes_every_kind_of_query),
        cmocka_unit_test(knows_what_is_volatile),
        cmocka_unit_test(finds_stars_and_metadata),
        cmocka_unit_test(volatile_list_is_complete),
        cmocka_unit_test(deep_and_long_statements),
        cmocka_unit_test(errors_have_their_place),
        cmocka_unit_test(tree_reads_what_duckdb_writes),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
