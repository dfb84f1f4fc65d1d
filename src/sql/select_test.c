/* sql/select_test.c: Spark's spellings to the engine's, positions back, and the extent of a reference. */
#include "sql/sql_test.h"

#include <stdio.h>

static void becomes(const char *query, const char *wanted)
{
    struct arena arena = ARENA_INIT;
    struct sql_text out;
    struct error err = ERROR_INIT;
    if (sql_to_engine(&arena, str_of(query), &out, &err) != STATUS_OK)
        fail_msg("%s: %s", query, err.message);
    assert_str(out.text, wanted);
    arena_release(&arena);
}
static void stays(const char *query) { becomes(query, query); }

static void fails(const char *query, const char *at, const char *message, const char *hint)
{
    struct arena arena = ARENA_INIT;
    struct sql_text out;
    struct error err = ERROR_INIT;
    assert_int_equal(sql_to_engine(&arena, str_of(query), &out, &err), STATUS_SYNTAX);
    assert_null(out.text.ptr);
    const char *found = at ? strstr(query, at) : query + strlen(query);
    assert_non_null(found);
    assert_int_equal(err.position, found - query);
    if (!strstr(err.message, message))
        fail_msg("%s: \"%s\" has no \"%s\"", query, err.message, message);
    if (hint && (!err.hint || !strstr(err.hint, hint)))
        fail_msg("%s: the hint \"%s\" has no \"%s\"", query, err.hint ? err.hint : "", hint);
    error_release(&err);
    assert_int_equal(sql_to_engine(&arena, str_of(query), &out, NULL), STATUS_SYNTAX);
    arena_release(&arena);
}

static void what_is_not_ours_stays(void **state)
{
    stays("");
    stays("SELECT 1");
    stays("SELECT version, timestamp AS of_x, \"x\", 'a `b` VERSION AS OF 3' FROM t -- t VERSION AS OF 3\n /* t@v3 */ WHERE version = 3");
    stays("SELECT version AS of FROM t version");
    stays("SELECT a.version AS of, CAST(x AS TIMESTAMP) AS of, y::timestamp AS of FROM t");
    stays("SELECT a LIKE version AS of, NOT version AS of FROM t");
    stays("SELECT * FROM t AT (VERSION => 3)");
    stays("SELECT * FROM t a AT (TIMESTAMP => now()) JOIN u ON true");
    stays("SELECT t@v12x, a @ v3, a@ v3, a @v3 FROM t");
    stays("SELECT $$`a`$$, E'\\'`', b'01'");
    stays("SELECT x.date_sub(a, b), date_sub, concat, concat(a, WITH date_sub(a) AS (SELECT 1) SELECT 1 AS date_sub(a)");
    stays("SELECT * FROM version AS of");
}

static void backticks(void **state)
{
    becomes("SELECT `a`, `b``c`, `d\"e`, `` FROM delta.`/p q`", "SELECT \"a\", \"b`c\", \"d\"\"e\", \"\" FROM delta.\"/p q\"");
    becomes("SELECT `x@v1` AS `y@v2` FROM t, `u@v3`", "SELECT \"x@v1\" AS \"y@v2\" FROM t, \"u\" AT (VERSION => 3)");
    becomes("SELECT a\xC2\xA0+\xE2\x80\x83 b FROM\xEF\xBB\xBF t -- \xC2\xA0\n, 'x\xC2\xA0y'", "SELECT a +  b FROM  t --  \n, 'x\xC2\xA0y'");
}

static void paths_into_variants(void **state)
{
    becomes("SELECT v:a.b[0]::int, t.v:`x y`[1]['k']::int FROM t", "SELECT v['a']['b'][1]::int, t.v['x y'][2]['k']::int FROM t");
    becomes("SELECT f(v):a, m['k']:b, v:a.b.c + 1, v:[2]",
            "SELECT f(v)['\\x4B\\x61\\x00'::BLOB], m['k']['\\x4B\\x62\\x00'::BLOB], v['\\x4B\\x61\\x00\\x4B\\x62\\x00\\x4B\\x63\\x00'::BLOB] + 1, "
            "v['\\x49\\x32\\x00'::BLOB]");
    becomes("SELECT v:it, v:\"it's\" ", "SELECT v['\\x4B\\x69\\x74\\x00'::BLOB], v['\\x4B\\x69\\x74\\x27\\x73\\x00'::BLOB] ");
    becomes("SELECT v:it::string, v:\"it's\" :: int, v:a::variant",
            "SELECT v[['\\x4B\\x69\\x74\\x00'::BLOB]]::string, v['it''s'] :: int, v['\\x4B\\x61\\x00'::BLOB]::variant");
    stays("SELECT l[a:b], {k:v}, MAP {k:v}, lambda x:x, a : b, a :b, a: b, x::int, f(a := 1), l[1:2]");
    stays("SELECT list_transform(l, lambda x, y:x + y), [{'a':b}], v:1");
    becomes("SELECT [v:a, {'k':v:b}, (v:c)]", "SELECT [v:a, {'k':v:b}, (v['\\x4B\\x63\\x00'::BLOB])]");
}

static void variant_calls(void **state)
{
    becomes("SELECT variant_get(v, '$.a[0]', 'int') FROM t", "SELECT (CAST((v)['a'][1] AS int)) FROM t");
    becomes("SELECT variant_get(f(x, y), '$'), 1", "SELECT (CAST((f(x, y))[''::BLOB] AS variant)), 1");
    becomes("SELECT try_variant_get(v, '$[\"a b\"].c', 'decimal(5,2)')", "SELECT (TRY_CAST((v)['a b']['c'] AS decimal(5,2)))");
    becomes("SELECT variant_get(v, '$.l', 'array<timestamp>')", "SELECT (CAST((v)['l'] AS TIMESTAMP WITH TIME ZONE[]))");
    becomes("SELECT variant_get(v, '$.s', 'string')", "SELECT (CAST((v)[['\\x4B\\x73\\x00'::BLOB]] AS string))");
    becomes("SELECT parse_json(`x`), try_parse_json('{')",
            "SELECT list_transform([varve_parse_json(\"x\")], lambda varve_value: CASE WHEN varve_value IS NOT NULL THEN "
            "coalesce(variant_bytes_to_variant(varve_value), varve_variant_null(varve_value)) END)[1], "
            "list_transform([varve_try_parse_json('{')], lambda varve_value: CASE WHEN varve_value IS NOT NULL THEN "
            "coalesce(variant_bytes_to_variant(varve_value), varve_variant_null(varve_value)) END)[1]");
    stays("SELECT variant_get(v, p, 'int'), variant_get(v), variant_get(v, 'a', 'int'), variant_get(v, '$.', 'int'), variant_get(v, '$[x]')");
    stays("SELECT variant_get(v, '$.a', 'nonsense'), variant_get(v, '$.a', 'int', 1), parse_json(), parse_json(a, b), parse_json, x.parse_json(a)");
    stays("SELECT variant_get(v, '$.a'");
}

static void versions(void **state)
{
    becomes("SELECT * FROM t VERSION AS OF 3", "SELECT * FROM t AT (VERSION => 3)");
    becomes("select * from a.b.t version as of '12' where x", "select * from a.b.t AT (VERSION => 12) where x");
    becomes("FROM t FOR VERSION AS OF 3", "FROM t AT (VERSION => 3)");
    becomes("FROM t FOR SYSTEM_VERSION AS OF 3", "FROM t AT (VERSION => 3)");
    becomes("FROM t SYSTEM_VERSION AS OF 3 a", "FROM t a AT (VERSION => 3)");
    becomes("FROM t VERSION AS OF 3 AS a", "FROM t AS a AT (VERSION => 3)");
    becomes("FROM t VERSION AS OF 3 a(x, `y z`) WHERE 1", "FROM t a(x, \"y z\") AT (VERSION => 3) WHERE 1");
    becomes("FROM t VERSION AS OF 3 AS `a b`", "FROM t AS \"a b\" AT (VERSION => 3)");
    becomes("FROM t VERSION AS OF 3 AS 'a b'", "FROM t AS 'a b' AT (VERSION => 3)");
    becomes("FROM t /* c */ VERSION /* d */ AS OF 3 /* e */ a /* f */", "FROM t /* c */ a AT (VERSION => 3) /* f */");
    becomes("FROM `t` VERSION AS OF 3, \"u\" VERSION AS OF 4 JOIN s.v VERSION AS OF 5 USING (x)",
            "FROM \"t\" AT (VERSION => 3), \"u\" AT (VERSION => 4) JOIN s.v AT (VERSION => 5) USING (x)");
    becomes("FROM t VERSION AS OF 1 a JOIN t VERSION AS OF 2 b ON a.x = b.x", "FROM t a AT (VERSION => 1) JOIN t b AT (VERSION => 2) ON a.x = b.x");
    becomes("FROM (t VERSION AS OF 3 LEFT JOIN u ON true)", "FROM (t AT (VERSION => 3) LEFT JOIN u ON true)");
    becomes("SELECT (SELECT max(a) FROM t VERSION AS OF 3) FROM (SELECT * FROM u VERSION AS OF 4)",
            "SELECT (SELECT max(a) FROM t AT (VERSION => 3)) FROM (SELECT * FROM u AT (VERSION => 4))");
    becomes("WITH x AS (FROM t VERSION AS OF 3) SELECT * FROM x EXCEPT FROM t VERSION AS OF 4",
            "WITH x AS (FROM t AT (VERSION => 3)) SELECT * FROM x EXCEPT FROM t AT (VERSION => 4)");
    becomes("FROM x: t VERSION AS OF 3", "FROM x: t AT (VERSION => 3)");
    becomes("FROM t a VERSION AS OF 3", "FROM t a AT (VERSION => 3)");
    becomes("TABLE t VERSION AS OF 3", "FROM t AT (VERSION => 3)");
    becomes("SELECT 1 UNION ALL (TABLE t@v3)", "SELECT 1 UNION ALL (FROM t AT (VERSION => 3))");
    becomes("FROM version VERSION AS OF 3", "FROM version AT (VERSION => 3)");
    becomes("FROM timestamp TIMESTAMP AS OF '2024-01-01'", "FROM timestamp AT (TIMESTAMP => '2024-01-01')");
    static const char *const rests[] = {"TABLESAMPLE 10%",
                                        "NATURAL JOIN u",
                                        "ASOF JOIN u ON x",
                                        "POSITIONAL JOIN u",
                                        "SEMI JOIN u USING (x)",
                                        "UNION FROM u",
                                        "PIVOT (sum(a) FOR b IN (1))",
                                        "QUALIFY x",
                                        "WINDOW w AS ()",
                                        "LIMIT 1",
                                        "ORDER BY 1",
                                        "SELECT x",
                                        "CROSS JOIN u"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(rests); i++) {
        char query[128], wanted[128];
        snprintf(query, sizeof query, "FROM t VERSION AS OF 3 %s", rests[i]);
        snprintf(wanted, sizeof wanted, "FROM t AT (VERSION => 3) %s", rests[i]);
        becomes(query, wanted);
    }
}

static void times(void **state)
{
    becomes("FROM t TIMESTAMP AS OF '2024-01-01'", "FROM t AT (TIMESTAMP => '2024-01-01')");
    becomes("FROM t TIMESTAMP AS OF current_timestamp() - INTERVAL 12 HOURS t2 WHERE x",
            "FROM t t2 AT (TIMESTAMP => current_timestamp - INTERVAL 12 HOURS) WHERE x");
    becomes("FROM t FOR SYSTEM_TIME AS OF TIMESTAMP '2024-01-01 10:00:00' AS a", "FROM t AS a AT (TIMESTAMP => TIMESTAMP '2024-01-01 10:00:00')");
    becomes("FROM t FOR TIMESTAMP AS OF DATE '2024-01-01' + INTERVAL '1' DAY * 2 a",
            "FROM t a AT (TIMESTAMP => DATE '2024-01-01' + INTERVAL '1' DAY * 2)");
    becomes("FROM t TIMESTAMP AS OF CAST('2024-01-01' AS TIMESTAMP) a", "FROM t a AT (TIMESTAMP => CAST('2024-01-01' AS TIMESTAMP))");
    becomes("FROM t TIMESTAMP AS OF '2024-01-01'::TIMESTAMP WITH TIME ZONE a", "FROM t a AT (TIMESTAMP => '2024-01-01'::TIMESTAMP WITH TIME ZONE)");
    becomes("FROM t TIMESTAMP AS OF (now() - INTERVAL (2 + 1) DAYS) a", "FROM t a AT (TIMESTAMP => (now() - INTERVAL (2 + 1) DAYS))");
    becomes("FROM t TIMESTAMP AS OF TIMESTAMP '2024-01-01' AT TIME ZONE 'UTC' a",
            "FROM t a AT (TIMESTAMP => TIMESTAMP '2024-01-01' AT TIME ZONE 'UTC')");
    becomes("FROM t TIMESTAMP AS OF '2024' || '-01-01', u", "FROM t AT (TIMESTAMP => '2024' || '-01-01'), u");
    becomes("FROM t TIMESTAMP AS OF date_sub(current_date(), 1)", "FROM t AT (TIMESTAMP => spark_date_sub(current_date, 1))");
    becomes("FROM t TIMESTAMP AS OF INTERVAL '1-2' YEAR TO MONTH + now() LIMIT 1",
            "FROM t AT (TIMESTAMP => INTERVAL '1-2' YEAR TO MONTH + now()) LIMIT 1");
    becomes("FROM t TIMESTAMP AS OF 'yesterday' a", "FROM t a AT (TIMESTAMP => (current_date - INTERVAL 1 DAY))");
    becomes("FROM t TIMESTAMP AS OF 'NOW'", "FROM t AT (TIMESTAMP => current_timestamp)");
    becomes("FROM t TIMESTAMP AS OF $1", "FROM t AT (TIMESTAMP => $1)");
    becomes("FROM t TIMESTAMP AS OF main.f(1) a", "FROM t a AT (TIMESTAMP => main.f(1))");
    becomes("FROM t TIMESTAMP AS OF -1 a", "FROM t a AT (TIMESTAMP => -1)");
}

static void suffixes(void **state)
{
    becomes("FROM t@v12", "FROM t AT (VERSION => 12)");
    becomes("FROM a.b.t@V12 x WHERE y", "FROM a.b.t x AT (VERSION => 12) WHERE y");
    becomes("FROM t@v1 JOIN t@v2 AS b USING (x)", "FROM t AT (VERSION => 1) JOIN t AS b AT (VERSION => 2) USING (x)");
    becomes("FROM t@20240102030405006", "FROM t AT (TIMESTAMP => TIMESTAMP '2024-01-02 03:04:05.006')");
    becomes("FROM t@20240102030405006 AS a", "FROM t AS a AT (TIMESTAMP => TIMESTAMP '2024-01-02 03:04:05.006')");
    becomes("FROM delta.`/p@v12`", "FROM delta.\"/p\" AT (VERSION => 12)");
    becomes("FROM delta.`/p@v12` AS a, `u@v3`", "FROM delta.\"/p\" AS a AT (VERSION => 12), \"u\" AT (VERSION => 3)");
    becomes("FROM delta.`/p@20240102030405006`", "FROM delta.\"/p\" AT (TIMESTAMP => TIMESTAMP '2024-01-02 03:04:05.006')");
    becomes("FROM `a@b@v3`, `c``\"@v4`, `@v5`, `d@v`", "FROM \"a@b\" AT (VERSION => 3), \"c`\"\"\" AT (VERSION => 4), \"@v5\", \"d@v\"");
    becomes("FROM a JOIN b ON a.x = b.x, `c@v1`", "FROM a JOIN b ON a.x = b.x, \"c\" AT (VERSION => 1)");
    becomes("SELECT f(`a@v1`), `b@v1` FROM t WHERE `c@v1` IN (`d@v1`, `e@v1`) GROUP BY `f@v1`, `g@v1`",
            "SELECT f(\"a@v1\"), \"b@v1\" FROM t WHERE \"c@v1\" IN (\"d@v1\", \"e@v1\") GROUP BY \"f@v1\", \"g@v1\"");
    becomes("SELECT a IS DISTINCT FROM `b@v1`", "SELECT a IS DISTINCT FROM \"b@v1\"");
    becomes("FROM (`a@v1` JOIN LATERAL `b@v2`), x: `c@v3`",
            "FROM (\"a\" AT (VERSION => 1) JOIN LATERAL \"b\" AT (VERSION => 2)), x: \"c\" AT (VERSION => 3)");
}

static void days_and_clocks(void **state)
{
    becomes("SELECT date_sub(current_date(), 7), current_timestamp ( )",
            "SELECT spark_date_sub(current_date, 7), current_timestamp AS \"current_timestamp ( )\"");
    becomes("SELECT date_add(d, 7), date_add(d, -7), date_add(`d`, n)",
            "SELECT spark_date_add(d, 7), spark_date_add(d, -7), spark_date_add(\"d\", n)");
    becomes("SELECT DATE_SUB(date_sub(a, f(1, 2)), 3)", "SELECT spark_date_sub(spark_date_sub(a, f(1, 2)), 3)");
}

static void statements_as_tables(void **state)
{
    struct arena arena = ARENA_INIT;
    struct sql_statement_call call;
    becomes("SELECT * FROM (DESCRIBE HISTORY t LIMIT 3) h", "SELECT * FROM varve_statement('DESCRIBE HISTORY t LIMIT 3') h");
    becomes("FROM a, ( desc detail delta.`/it's` ) JOIN (SHOW TABLES)",
            "FROM a, varve_statement('desc detail delta.`/it''s` ') JOIN varve_statement('SHOW TABLES')");
    stays("SELECT * FROM (DESCRIBE SELECT 1), (SHOW), (describe) WHERE a IN (DESCRIBE)");
    stays("SELECT f(DESCRIBE x) FROM (DESCRIBE t");
    const char *text = "FROM varve_statement('DESCRIBE DETAIL \"it''s\"', 's') x";
    assert_int_equal(sql_statement_call(&arena, str_of(text), 5, &call, NULL), STATUS_OK);
    assert_str(call.statement, "DESCRIBE DETAIL \"it's\"");
    assert_str(call.schema, "s");
    assert_int_equal(call.end, strlen(text) - 2);
    assert_int_equal(sql_statement_call(&arena, STR("TABLE_HISTORY('a.b')"), 0, &call, NULL), STATUS_OK);
    assert_str(call.statement, "DESCRIBE HISTORY a.b");
    assert_int_equal(sql_statement_call(&arena, STR("table_files(t)"), 0, &call, NULL), STATUS_SYNTAX);
    assert_int_equal(sql_statement_call(&arena, STR("table_files('t', 's')"), 0, &call, NULL), STATUS_SYNTAX);
    assert_int_equal(sql_statement_call(&arena, STR("table_files"), 0, &call, NULL), STATUS_SYNTAX);
    arena_release(&arena);
}

static void wrong(void **state)
{
    fails("FROM t VERSION AS OF", NULL, "expected a version number", NULL);
    fails("FROM t VERSION AS OF x", "x", "expected a version number, found \"x\"", NULL);
    fails("FROM t VERSION AS OF -1", "-", "expected a version number", NULL);
    fails("FROM t VERSION AS OF 1.5", "1.5", "expected a version number", NULL);
    fails("FROM t VERSION AS OF 99999999999999999999", "9999", "expected a version number", NULL);
    fails("FROM t VERSION AS OF 'yesterday'", "'yes", "takes a version number, not 'yesterday'", "TIMESTAMP AS OF 'yesterday'");
    fails("FROM t VERSION AS OF '-1'", "'-1'", "takes a version number", NULL);
    fails("FROM t TIMESTAMP AS OF", NULL, "expected a time", NULL);
    fails("FROM t TIMESTAMP AS OF WHERE x", "WHERE", "expected a time, found \"WHERE\"", NULL);
    fails("FROM t TIMESTAMP AS OF \"2024-01-01\"", "\"2024", "expected a time", "single quotes: '2024-01-01'");
    fails("FROM t TIMESTAMP AS OF now() -", NULL, "expected a time", NULL);
    fails("FROM t TIMESTAMP AS OF (SELECT max(x) FROM u)", "SELECT", "not a subquery", "current_timestamp()");
    fails("FROM t TIMESTAMP AS OF (1", "(1", "\"(\" is not closed", NULL);
    fails("FROM t TIMESTAMP AS OF INTERVAL x", "x", "after INTERVAL", NULL);
    fails("FROM t TIMESTAMP AS OF '1'::", NULL, "expected a type after ::", NULL);
    fails("FROM t@v99999999999999999999", "@v9", "too large", NULL);
    fails("FROM t@20241302030405006", "@2024", "no moment 2024-13-02", "@yyyyMMddHHmmssSSS");
    fails("FROM `t@v99999999999999999999`", "@v9", "too large", NULL);
    fails("SELECT 'a", "'a", "does not end", NULL);
    fails("SELECT a FROM t VERSION AS OF 3 \"x", "\"x", "does not end", NULL);
}

static void origins(void **state)
{
    static const char query[] = "SELECT `a``b`, zz FROM s.t TIMESTAMP AS OF now() + yy AS al(c) WHERE ww AND date_sub(dd, nn) = `q` AND ee";
    struct arena arena = ARENA_INIT;
    struct sql_text out;
    struct error err = ERROR_INIT;
    assert_int_equal(sql_to_engine(&arena, STR(query), &out, &err), STATUS_OK);
    static const char *const words[] = {"SELECT", "zz", "FROM", "s.t", "now()", "yy", "al(c)", "c)", "WHERE", "ww", "dd", "nn", "ee"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(words); i++) {
        const char *now = strstr(out.text.ptr, words[i]), *was = strstr(query, words[i]);
        assert_non_null(now);
        assert_int_equal(sql_text_origin(&out, (size_t)(now - out.text.ptr)), was - query);
    }
    size_t at = (size_t)(strstr(out.text.ptr, "AT (") - out.text.ptr);
    assert_int_equal(sql_text_origin(&out, at), strstr(query, "TIMESTAMP AS OF") - query);
    at = (size_t)(strstr(out.text.ptr, "\"q\"") - out.text.ptr);
    assert_int_equal(sql_text_origin(&out, at + 1), strstr(query, "`q`") + 1 - query);
    assert_int_equal(sql_text_origin(&out, out.text.len), sizeof query - 1);
    struct sql_text same = {.text = STR("x")};
    assert_int_equal(sql_text_origin(&same, 7), 7);
    arena_release(&arena);
}

/* Offset and ranges are given by texts inside of `text`. */
static void extent(const char *text, const char *name, const char *at, enum sql_at_kind kind, int64_t version, const char *expr)
{
    struct sql_ref_extent out;
    struct error err = ERROR_INIT;
    struct str s = str_of(text);
    if (sql_ref_extent(s, (size_t)(strstr(text, name) - text), &out, &err) != STATUS_OK)
        fail_msg("%s: %s", text, err.message);
    assert_str(str_sub(s, out.name_start, out.name_end - out.name_start), name);
    assert_str(str_sub(s, out.at_start, out.at_end - out.at_start), at);
    assert_int_equal(out.at.kind, kind);
    assert_int_equal(out.at.version, version);
    assert_str(out.at.expr, expr);
}

static void extents(void **state)
{
    extent("FROM t", "t", "", SQL_AT_NONE, 0, NULL);
    extent("FROM a.b.t x WHERE y", "a.b.t", "", SQL_AT_NONE, 0, NULL);
    extent("FROM a . \"b c\" /* d */ JOIN e", "a . \"b c\"", "", SQL_AT_NONE, 0, NULL);
    extent("FROM t AT (VERSION => 3) WHERE x", "t", "AT (VERSION => 3)", SQL_AT_VERSION, 3, NULL);
    extent("FROM s.t AS a(x, y) at(version=>'4') WHERE x", "s.t", "at(version=>'4')", SQL_AT_VERSION, 4, NULL);
    extent("FROM s.t \"a b\" AT (TIMESTAMP => now() - INTERVAL (1) DAY )", "s.t", "AT (TIMESTAMP => now() - INTERVAL (1) DAY )", SQL_AT_TIMESTAMP, 0,
           "now() - INTERVAL (1) DAY");
    extent("FROM t AT TIME", "t", "", SQL_AT_NONE, 0, NULL);
    extent("FROM t LEFT JOIN u AT (VERSION => 3)", "t", "", SQL_AT_NONE, 0, NULL);
    struct sql_ref_extent out;
    struct error err = ERROR_INIT;
    static const char *const bad[] = {"t AT (VERSION => x)",
                                      "t AT (VERSION => 1 + 1)",
                                      "t AT (VERSION => -1)",
                                      "t AT (TIMESTAMP => )",
                                      "t AT (VERSION => 3",
                                      "t AT (TIMESTAMP => 'x",
                                      "t AT (TIMESTAMP => (1",
                                      "1",
                                      "",
                                      "a.",
                                      "t AT (VERSION => 99999999999999999999)"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++) {
        assert_int_equal(sql_ref_extent(str_of(bad[i]), 0, &out, &err), STATUS_SYNTAX);
        assert_in_range(err.position, 0, strlen(bad[i]));
    }
    assert_int_equal(sql_ref_extent(STR("t"), 99, &out, NULL), STATUS_SYNTAX);
    error_release(&err);
}

static void without_memory(void **state)
{
    static const char query[] = "SELECT `a``b`, struct(a, 1L), transform(a, x -> x) FROM delta.`/p@v3` x JOIN t TIMESTAMP AS OF now() y, "
                                "u@20240102030405006, w TIMESTAMP AS OF 'now'''";
    for (uint64_t n = 1;; n++) {
        struct arena arena = ARENA_INIT;
        struct sql_text out;
        struct error err = ERROR_INIT;
        uint64_t before = alloc_count();
        alloc_fail_after(n);
        enum status status = sql_to_engine(&arena, STR(query), &out, &err);
        uint64_t used = alloc_count() - before;
        alloc_fail_after(0);
        if (status != STATUS_OK)
            assert_int_equal(status, STATUS_OUT_OF_MEMORY);
        error_release(&err);
        arena_release(&arena);
        if (used < n) {
            assert_int_equal(status, STATUS_OK);
            break;
        }
        assert_true(n < 200);
    }
}

/* Deep nesting and many of everything: in time linear in the text, without recursion. */
static void large(void **state)
{
    static const char *const pieces[] = {"(",
                                         "date_sub(",
                                         "[",
                                         "`a`.",
                                         "a@v1,",
                                         "/*",
                                         "t VERSION AS OF 1 x(",
                                         "date_sub(a,1),",
                                         "$$",
                                         "((SELECT ",
                                         "concat(a,",
                                         "concat(a,b),",
                                         "explode_outer(",
                                         "transform(a, x -> ",
                                         "LATERAL VIEW explode(",
                                         "window(window,",
                                         "window.a,",
                                         "struct(a AS b,",
                                         "collect_list(a) FILTER (",
                                         "CAST(a AS ARRAY<",
                                         "5L RLIKE ",
                                         "\\"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(pieces); i++) {
        struct arena arena = ARENA_INIT;
        struct sql_text out;
        struct error err = ERROR_INIT;
        struct buf text = BUF_INIT;
        buf_z(&text, "FROM ");
        for (int n = 0; n < 20000; n++)
            buf_z(&text, pieces[i]);
        enum status status = sql_to_engine(&arena, buf_view(&text), &out, &err);
        assert_true(status == STATUS_OK || status == STATUS_SYNTAX);
        error_release(&err);
        buf_release(&text);
        arena_release(&arena);
    }
}

/* Calls that hold their arguments more than once, deep in each other: refused before they fill the memory. */
static void deep_calls(void **state)
{
    struct arena arena = ARENA_INIT;
    struct sql_text out;
    struct error err = ERROR_INIT;
    struct buf text = BUF_INIT;
    buf_z(&text, "SELECT ");
    for (int n = 0; n < 60; n++)
        buf_z(&text, "explode_outer(");
    buf_z(&text, "a");
    for (int n = 0; n < 60; n++)
        buf_z(&text, ")");
    assert_int_equal(sql_to_engine(&arena, buf_view(&text), &out, &err), STATUS_LIMIT_EXCEEDED);
    error_release(&err);
    buf_release(&text);
    arena_release(&arena);
}

static void calls(void **state)
{
    becomes("SELECT transform(a, x -> x + 1), filter(a, (x, i) -> i > 0) AS f",
            "SELECT list_transform(a, lambda x: x + 1) AS \"transform(a, x -> x + 1)\", list_filter(a, lambda x, varve_place: "
            "list_transform([CAST(varve_place - 1 AS INTEGER)], lambda i: i > 0)[1]) AS f");
    becomes("SELECT a FROM t WHERE a RLIKE 'x' AND b NOT RLIKE 'y' AND c <=> 5L",
            "SELECT a FROM t WHERE a <~> 'x' AND b <!~> 'y' AND c IS NOT DISTINCT FROM "
            "CAST(5 AS BIGINT)");
    becomes("SELECT struct(a.b, 1, c AS d), map(1, 2), named_struct('x', y)",
            "SELECT struct_pack(\"b\" := a.b, \"col2\" := 1, \"d\" := c) AS \"struct(a.b, 1, c AS d)\", MAP {1: 2} AS \"map(1, 2)\", "
            "struct_pack(\"x\" := y) AS \"named_struct('x', y)\"");
    becomes("FROM t LATERAL VIEW OUTER explode(a) v AS c WHERE c", "FROM t LEFT JOIN LATERAL (SELECT unnest(a) AS c) AS v ON true WHERE c");
    becomes("SELECT window.start FROM t GROUP BY window(ts, '1 minute')",
            "SELECT (spark_window(ts, '1 minute')).start FROM t GROUP BY spark_window(ts, '1 minute')");
    becomes("SELECT * EXCEPT (a) FROM t LEFT ANTI JOIN u USING (b)", "SELECT * EXCLUDE (a) FROM t  ANTI JOIN u USING (b)");
    becomes("SELECT CAST(a AS STRUCT<x: ARRAY<INT>>), X'1F', r'a\\b'", "SELECT CAST(a AS STRUCT(\"x\" int[])), unhex('1F'), 'a\\b'");
    becomes("SELECT listagg(a, ',') WITHIN GROUP (ORDER BY b) FILTER (WHERE c) AS l", "SELECT string_agg(a, ',' ORDER BY b) FILTER (WHERE c) AS l");
    stays("SELECT a AS array(b), t.concat(a, b), map([1], [2]), CAST(a AS DECIMAL(10, 2)), exists(SELECT 1), EXCEPT (SELECT a)");
    stays("SELECT a EXCEPT SELECT left FROM window, trim(BOTH 'x' FROM y), substring(a FROM 2)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_not_ours_stays),
        cmocka_unit_test(backticks),
        cmocka_unit_test(paths_into_variants),
        cmocka_unit_test(variant_calls),
        cmocka_unit_test(versions),
        cmocka_unit_test(times),
        cmocka_unit_test(suffixes),
        cmocka_unit_test(days_and_clocks),
        cmocka_unit_test(calls),
        cmocka_unit_test(deep_calls),
        cmocka_unit_test(statements_as_tables),
        cmocka_unit_test(wrong),
        cmocka_unit_test(origins),
        cmocka_unit_test(extents),
        cmocka_unit_test(without_memory),
        cmocka_unit_test(large),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
