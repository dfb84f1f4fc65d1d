#include "base/base.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void the_nth_call_fails_and_no_other(void **state)
{
    alloc_fail_after(3);
    void *a = mem_alloc(1), *b = mem_calloc(1, 1), *c = mem_alloc(1), *d = mem_alloc(1);
    assert_non_null(a);
    assert_non_null(b);
    assert_null(c);
    assert_non_null(d);
    alloc_fail_after(1);
    assert_null(mem_realloc(a, 100));
    alloc_fail_after(1);
    assert_null(mem_strndup("x", 1));
    mem_free(a);
    mem_free(b);
    mem_free(d);
    alloc_fail_after(1);
    alloc_fail_after(0);
    void *e = mem_alloc(1);
    assert_non_null(e);
    mem_free(e);
}

static void *count_on_another_thread(void *user)
{
    void *p = mem_alloc(8);
    mem_free(p);
    *(uint64_t *)user = p ? alloc_count() : 0;
    return NULL;
}

static void counting_and_failing_are_per_thread(void **state)
{
    uint64_t there = 0, before = alloc_count();
    pthread_t thread;
    alloc_fail_after(1);
    assert_int_equal(pthread_create(&thread, NULL, count_on_another_thread, &there), 0);
    pthread_join(thread, NULL);
    assert_int_equal(there, 1);
    assert_int_equal(alloc_count(), before);
    assert_null(mem_alloc(1));
}

static void nothing_is_something(void **state)
{
    void *a = mem_alloc(0), *b = mem_calloc(0, 5);
    char *c = mem_strndup(NULL, 0);
    assert_non_null(a);
    assert_non_null(b);
    assert_string_equal(c, "");
    mem_free(a);
    mem_free(b);
    mem_free(c);
    mem_free(NULL);
    assert_null(mem_strndup("x", SIZE_MAX));
}

static void arena_gives_zeroed_aligned_pieces(void **state)
{
    struct arena a = ARENA_INIT;
    size_t total = 0;
    for (int round = 0; round < 3; round++) {
        total = 0;
        for (size_t size = 0; size < 3000; size += 7) {
            unsigned char *p = arena_alloc(&a, size);
            assert_non_null(p);
            assert_int_equal((uintptr_t)p % 16, 0);
            for (size_t i = 0; i < size; i++)
                assert_int_equal(p[i], 0);
            memset(p, 0xAB, size);
            total += size;
        }
        unsigned char *large = arena_alloc(&a, 3 << 20);
        assert_non_null(large);
        assert_int_equal(large[0] | large[(3 << 20) - 1], 0);
        memset(large, 0xCD, 3 << 20);
        assert_int_equal(a.used_bytes, total + (3 << 20));
        arena_clear(&a);
        assert_int_equal(a.used_bytes, 0);
    }
    arena_release(&a);
    arena_release(&a);
    arena_clear(&a);
}

static void arena_pieces_do_not_touch(void **state)
{
    struct arena a = ARENA_INIT;
    char *pieces[500];
    for (int i = 0; i < 500; i++) {
        pieces[i] = arena_alloc(&a, (size_t)(i * 37 % 400) + 1);
        memset(pieces[i], i & 0xFF, (size_t)(i * 37 % 400) + 1);
    }
    for (int i = 0; i < 500; i++)
        for (int k = 0; k <= i * 37 % 400; k++)
            assert_int_equal((unsigned char)pieces[i][k], i & 0xFF);
    arena_release(&a);
}

static void arena_refuses_what_cannot_be(void **state)
{
    struct arena a = ARENA_INIT;
    assert_null(arena_alloc(&a, SIZE_MAX));
    assert_null(arena_alloc(&a, SIZE_MAX - 15));
    alloc_fail_after(1);
    assert_null(arena_alloc(&a, 10));
    assert_non_null(arena_alloc(&a, 10));
    alloc_fail_after(1);
    assert_null(arena_alloc(&a, 100000));
    char *text = arena_printf(&a, "%d-%s", 5, "x");
    assert_string_equal(text, "5-x");
    char *wide = arena_printf(&a, "%1000d", 5);
    assert_int_equal(strlen(wide), 1000);
    assert_string_equal(arena_dup(&a, "abc", 4), "abc");
    struct str s = arena_str(&a, STR_NULL);
    assert_string_equal(s.ptr, "");
    assert_int_equal(s.len, 0);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nth_call_fails_and_no_other),
        cmocka_unit_test(counting_and_failing_are_per_thread),
        cmocka_unit_test(nothing_is_something),
        cmocka_unit_test(arena_gives_zeroed_aligned_pieces),
        cmocka_unit_test(arena_pieces_do_not_touch),
        cmocka_unit_test(arena_refuses_what_cannot_be),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
