/* sql/token_test.c: the lexer, splitting scripts, key words. */
#include "sql/sql_int.h"
#include "sql/sql_test.h"

/* Tokens as "kind:text" separated by blanks. */
static void lexes(const char *text, const char *wanted)
{
    static const char letters[] = "!WQSNPY?";
    struct buf out = BUF_INIT;
    struct str s = str_of(text);
    for (struct sql_token t = sql_token_at(s, 0); t.kind != SQL_END; t = sql_token_at(s, t.end)) {
        assert_true(t.end > t.start && t.end <= s.len);
        buf_printf(&out, "%s%c:%.*s", out.len ? " " : "", letters[t.kind], STR_ARG(sql_token_text(s, t)));
    }
    assert_string_equal(buf_view(&out).ptr, wanted);
    buf_release(&out);
}

static void words_and_names(void **state)
{
    lexes("", "");
    lexes(" \t\r\n\v\f ", "");
    lexes("a _b c$1 \xC3\xA9t\xC3\xA9", "W:a W:_b W:c$1 W:\xC3\xA9t\xC3\xA9");
    lexes("`a``b` \"c\"\"d\" ``", "Q:`a``b` Q:\"c\"\"d\" Q:``");
    lexes("a.b.`c`", "W:a Y:. W:b Y:. Q:`c`");
    lexes("a\xC2\xA0"
          "b\xE3\x80\x80"
          "c",
          "W:a W:b W:c");                    /* no-break and ideographic blanks */
    lexes("\xEF\xBB\xBFSELECT", "W:SELECT"); /* a byte order mark */
}

static void strings(void **state)
{
    lexes("'a''b' ''", "S:'a''b' S:''");
    lexes("'a\\' b", "S:'a\\' W:b"); /* a backslash is nothing special */
    lexes("E'a\\'b' e'\\\\' x", "S:E'a\\'b' S:e'\\\\' W:x");
    lexes("x'0A' B'1' n'a' U&'b' xx'c'", "S:x'0A' S:B'1' S:n'a' S:U&'b' W:xx S:'c'");
    lexes("$$a'b$$ $t$ $$ $t$ c", "S:$$a'b$$ S:$t$ $$ $t$ W:c");
    lexes("DATE'2024-01-01'", "W:DATE S:'2024-01-01'");
}

static void numbers(void **state)
{
    lexes("1 1.5 .5 1. 1e5 1.5E-3 1_000 1e 12a", "N:1 N:1.5 N:.5 N:1. N:1e5 N:1.5E-3 N:1_000 N:1 W:e N:12 W:a");
    lexes("-1", "Y:- N:1");
    lexes("1..2", "N:1 Y:. N:.2");
    lexes("t@v12 t@20240102030405000", "W:t Y:@ W:v12 W:t Y:@ N:20240102030405000");
}

static void symbols(void **state)
{
    lexes("a<=b", "W:a Y:<= W:b");
    lexes("a=-1", "W:a Y:= Y:- N:1");
    lexes("a@-1", "W:a Y:@- N:1");
    lexes("x::int a:=b c=>d e->>'f'", "W:x Y::: W:int W:a Y::= W:b W:c Y:=> W:d W:e Y:->> S:'f'");
    lexes("f(*) a[1:2] {b:1}", "W:f Y:( Y:* Y:) W:a Y:[ N:1 Y:: N:2 Y:] Y:{ W:b Y:: N:1 Y:}");
    lexes("ARRAY<ARRAY<INT>>", "W:ARRAY Y:< W:ARRAY Y:< W:INT Y:>>");
    lexes("? ?1 $1 $name", "P:? P:?1 P:$1 P:$name");
    lexes("a*/*c*/b", "W:a Y:* W:b");
    lexes("1--2\n3", "N:1 N:3");
}

static void comments(void **state)
{
    lexes("a -- b\n c", "W:a W:c");
    lexes("a -- b", "W:a");
    lexes("a /* b /* c */ d */ e", "W:a W:e");
    lexes("'--' \"/*\"", "S:'--' Q:\"/*\"");
}

static void broken(void **state)
{
    lexes("a 'b", "W:a ?:'b");
    lexes("\"b", "?:\"b");
    lexes("`b", "?:`b");
    lexes("/* b /* c */", "?:/* b /* c */");
    lexes("$$b$", "?:$$b$");
    lexes("E'\\", "?:E'\\");
    lexes("\\ $ \x01", "?:\\ ?:$ ?:\x01");
    struct str nul = {"a\0b", 3};
    struct sql_token t = sql_token_at(nul, 1);
    assert_int_equal(t.kind, SQL_ERROR);
    assert_int_equal(t.end, 2);
    assert_int_equal(sql_token_at(STR_NULL, 0).kind, SQL_END);
    assert_int_equal(sql_token_at(STR("a"), 99).kind, SQL_END);
    /* A view ends where it ends, whatever stands behind it. */
    assert_int_equal(sql_token_at((struct str){"'a'", 2}, 0).kind, SQL_ERROR);
    assert_int_equal(sql_token_at((struct str){"-- x\n y", 4}, 0).kind, SQL_END);
}

/* Statements as "text|" and a '+' behind the complete ones. */
static void splits(const char *script, const char *wanted)
{
    struct buf out = BUF_INIT;
    struct str s = str_of(script), statement;
    size_t at = 0;
    bool complete;
    buf_z(&out, "");
    while (sql_next_statement(s, &at, &statement, &complete)) {
        assert_true(statement.ptr >= s.ptr && statement.ptr + statement.len <= s.ptr + s.len);
        buf_printf(&out, "%.*s%s|", STR_ARG(statement), complete ? "+" : "");
    }
    assert_true(complete);
    assert_int_equal(at, s.len);
    assert_string_equal(buf_view(&out).ptr, wanted);
    buf_release(&out);
}

static void scripts(void **state)
{
    splits("", "");
    splits(" ;; -- nothing\n ; /* ; */", "");
    splits("select 1; select 2;", "select 1+|select 2+|");
    splits("  select 1 ;\n\n select 2 -- end\n", "select 1+|select 2|");
    splits("-- head\nselect /* ; */ ';' , \";\", `;` -- ;\n , $$;$$;x", "select /* ; */ ';' , \";\", `;` -- ;\n , $$;$$+|x|");
    splits("select 'a; select 2;", "select 'a; select 2;|");
    splits("select 1 /* ;", "select 1 /* ;|");
    splits("/* open", "/* open|");
    splits("'", "'|");
    splits("select (1; select 2;", "select (1+|select 2+|");
    splits("\\ ;", "\\+|");
}

static void keywords(void **state)
{
    size_t count;
    const char *const *words = sql_keywords(&count);
    assert_true(count > 150);
    for (size_t i = 1; i < count; i++)
        assert_true(strcmp(words[i - 1], words[i]) < 0);
    assert_int_equal(sql_keyword_class(STR("select")), SQL_KEYWORD_RESERVED);
    assert_int_equal(sql_keyword_class(STR("SELECT")), SQL_KEYWORD_RESERVED);
    assert_int_equal(sql_keyword_class(STR("SELECTS")), SQL_KEYWORD_NONE);
    assert_int_equal(sql_keyword_class(STR("SELEC")), SQL_KEYWORD_NONE);
    assert_int_equal(sql_keyword_class(STR("")), SQL_KEYWORD_NONE);
    assert_int_equal(sql_keyword_class(STR("left")), SQL_KEYWORD_NO_TABLE);
    assert_int_equal(sql_keyword_class(STR("timestamp")), SQL_KEYWORD_FREE);
    for (size_t i = 0; i < count; i++)
        assert_int_not_equal(sql_keyword_class(str_of(words[i])), SQL_KEYWORD_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_and_names), cmocka_unit_test(strings), cmocka_unit_test(numbers), cmocka_unit_test(symbols),
        cmocka_unit_test(comments),        cmocka_unit_test(broken),  cmocka_unit_test(scripts), cmocka_unit_test(keywords),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
