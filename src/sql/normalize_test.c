/* sql/normalize_test.c: layout does not count, everything else does. */
#include "sql/sql_test.h"

static void is(const char *query, const char *wanted)
{
    struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    buf_z(&out, "");
    assert_int_equal(sql_normalize(str_of(query), &out, &err), STATUS_OK);
    assert_string_equal(buf_view(&out).ptr, wanted);
    buf_release(&out);
}

static bool same(const char *a, const char *b)
{
    struct buf x = BUF_INIT, y = BUF_INIT;
    assert_int_equal(sql_normalize(str_of(a), &x, NULL), STATUS_OK);
    assert_int_equal(sql_normalize(str_of(b), &y, NULL), STATUS_OK);
    bool equal = str_eq(buf_view(&x), buf_view(&y));
    buf_release(&x);
    buf_release(&y);
    return equal;
}

static void texts(void **state)
{
    is("", "");
    is("  -- nothing\n", "");
    is("select  a,b\n from t -- c\n where x='It''s  A' group by a order\tby `B b`",
       "SELECT a , b FROM t WHERE x = 'It''s  A' GROUP BY a ORDER BY `B b`");
    is("select Sum(x) from T", "SELECT Sum ( x ) FROM T");
}

static void layout_does_not_count(void **state)
{
    assert_true(same("select f(a,b) from t", "SELECT f( a , b )\n\tFROM /* x */ t"));
    assert_true(same("select a from t where a=1", "select a from t where a = 1"));
    assert_true(same("select a\xC2\xA0"
                     "from t",
                     "select a from t"));
}

static void meaning_counts(void **state)
{
    assert_false(same("select 1 as a", "select 1 as A"));           /* the column's name */
    assert_false(same("select 1 as Select", "select 1 as SELECT")); /* a key word as a name */
    assert_false(same("select t.Order from t", "select t.ORDER from t"));
    assert_false(same("select f(order := 1)", "select f(ORDER := 1)"));
    assert_false(same("select 'a b'", "select 'a  b'"));
    assert_false(same("select \"a\"", "select \"A\""));
    assert_false(same("select a @ - 1", "select a @- 1"));
    assert_false(same("select 'a'\n'b'", "select 'a' 'b'")); /* one string, and an error */
    assert_false(same("select E'a'", "select 'a'"));
    assert_false(same("select e 'a'", "select e'a'"));
    assert_false(same("select ab", "select a b"));
    assert_false(same("select 1 2", "select 12"));
}

static void broken(void **state)
{
    struct buf out = BUF_INIT;
    struct error err = ERROR_INIT;
    assert_int_equal(sql_normalize(STR("select 'a"), &out, &err), STATUS_SYNTAX);
    assert_int_equal(err.position, 7);
    error_release(&err);
    buf_release(&out);
    out = (struct buf){.max_bytes = 4};
    assert_int_equal(sql_normalize(STR("select a"), &out, &err), STATUS_LIMIT_EXCEEDED);
    error_release(&err);
    buf_release(&out);
    out = BUF_INIT;
    alloc_fail_after(1);
    assert_int_equal(sql_normalize(STR("select a"), &out, &err), STATUS_OUT_OF_MEMORY);
    alloc_fail_after(0);
    error_release(&err);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(layout_does_not_count),
        cmocka_unit_test(meaning_counts),
        cmocka_unit_test(broken),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
