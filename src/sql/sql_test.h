/* sql/sql_test.h: what the tests of this room share. */
#ifndef VARVE_SQL_TEST_H
#define VARVE_SQL_TEST_H

#include "base/base.h"

#include <setjmp.h>
#include <cmocka.h>

#include "sql/sql.h"

static inline void assert_str(struct str got, const char *wanted)
{
    if (!wanted) {
        assert_null(got.ptr);
        return;
    }
    assert_non_null(got.ptr);
    if (!str_eq(got, str_of(wanted)))
        fail_msg("got \"%.*s\", wanted \"%s\"", STR_ARG(got), wanted);
}

/* Parses text that must be right. */
static inline struct statement parsed(struct arena *arena, const char *text, enum statement_kind kind)
{
    struct statement st;
    struct error err = ERROR_INIT;
    if (sql_parse(arena, str_of(text), &st, &err) != STATUS_OK)
        fail_msg("%s: %s at %lld", text, err.message, (long long)err.position);
    assert_int_equal(st.kind, kind);
    assert_true(str_eq(st.text, str_of(text)));
    return st;
}

/* Parses text that must be wrong: the position is where `at` first stands in it (NULL: its end), and message and hint contain the texts. */
static inline void refused(const char *text, enum status code, const char *at, const char *message, const char *hint)
{
    struct arena arena = ARENA_INIT;
    struct statement st;
    struct error err = ERROR_INIT;
    if (sql_parse(&arena, str_of(text), &st, &err) != code)
        fail_msg("%s: %s, %s", text, status_info(err.code)->name, err.message ? err.message : "no error");
    const char *found = at ? strstr(text, at) : text + strlen(text);
    assert_non_null(found);
    if (err.position != found - text)
        fail_msg("%s: %s at %lld, wanted %lld", text, err.message, (long long)err.position, (long long)(found - text));
    if (!strstr(err.message, message))
        fail_msg("%s: \"%s\" has no \"%s\"", text, err.message, message);
    if (hint && (!err.hint || !strstr(err.hint, hint)))
        fail_msg("%s: the hint \"%s\" has no \"%s\"", text, err.hint ? err.hint : "", hint);
    error_release(&err);
    assert_int_equal(sql_parse(&arena, str_of(text), &st, NULL), code);
    arena_release(&arena);
}
static inline void syntax(const char *text, const char *at, const char *message, const char *hint)
{
    refused(text, STATUS_SYNTAX, at, message, hint);
}
static inline void not_supported(const char *text, const char *at, const char *message, const char *hint)
{
    refused(text, STATUS_NOT_SUPPORTED, at, message, hint);
}

/* Every allocation of a parse fails once; the answer must be OUT_OF_MEMORY or right. */
static inline void parses_without_memory(const char *text)
{
    for (uint64_t n = 1;; n++) {
        struct arena arena = ARENA_INIT;
        struct statement st;
        struct error err = ERROR_INIT;
        alloc_fail_after(n);
        uint64_t before = alloc_count();
        enum status status = sql_parse(&arena, str_of(text), &st, &err);
        uint64_t used = alloc_count() - before;
        alloc_fail_after(0);
        if (status != STATUS_OK)
            assert_int_equal(status, STATUS_OUT_OF_MEMORY);
        error_release(&err);
        arena_release(&arena);
        if (used < n) {
            assert_int_equal(status, STATUS_OK);
            return;
        }
    }
}

#endif
