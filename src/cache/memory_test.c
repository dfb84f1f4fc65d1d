/* cache/memory_test.c: order of eviction, weights, sharing of values, threads, and memory that runs out. */
#include "cache/cache.h"

#include <setjmp.h>
#include <stdio.h>
#include <cmocka.h>

static struct cache *open_cache(size_t capacity_bytes)
{
    struct cache *c = NULL;
    assert_int_equal(cache_open_memory(capacity_bytes, &c, NULL), STATUS_OK);
    return c;
}

static void put_text(struct cache *c, const char *key, const char *text)
{
    struct cache_value *v = cache_value_new(strlen(text));
    assert_non_null(v);
    memcpy(v->bytes, text, v->len);
    cache_put(c, str_of(key), v);
    cache_value_unref(v);
}

static bool has_text(struct cache *c, const char *key, const char *text)
{
    struct cache_value *v = cache_get(c, str_of(key));
    bool same = v && v->len == strlen(text) && memcmp(v->bytes, text, v->len) == 0;
    cache_value_unref(v);
    return same;
}

static bool has(struct cache *c, const char *key)
{
    struct cache_value *v = cache_get(c, str_of(key));
    cache_value_unref(v);
    return v != NULL;
}

static struct cache_counters counters_of(struct cache *c)
{
    struct cache_counters n;
    c->v->counters(c, &n);
    return n;
}

static void test_get_and_put(void **state)
{
    (void)state;
    struct cache *c = open_cache(1 << 20);
    assert_string_equal(c->v->name, "memory");
    assert_null(cache_get(c, STR("absent")));
    put_text(c, "k", "one");
    put_text(c, "", "the empty key is a key");
    assert_true(has_text(c, "k", "one"));
    assert_true(has_text(c, "", "the empty key is a key"));
    put_text(c, "k", "two");
    assert_true(has_text(c, "k", "two"));
    struct cache_counters n = counters_of(c);
    assert_int_equal(n.entries, 2);
    assert_int_equal(n.hits, 3);
    assert_int_equal(n.misses, 1);
    assert_int_equal(n.evictions, 0);
    cache_free(c);
    cache_free(NULL);
}

static void test_keys_may_hold_any_bytes(void **state)
{
    (void)state;
    struct cache *c = open_cache(1 << 20);
    struct cache_value *v = cache_value_new(0);
    cache_put(c, (struct str){"a\0b", 3}, v);
    assert_null(cache_get(c, (struct str){"a\0c", 3}));
    assert_null(cache_get(c, STR("a")));
    struct cache_value *got = cache_get(c, (struct str){"a\0b", 3});
    assert_ptr_equal(got, v);
    cache_value_unref(got);
    cache_value_unref(v);
    cache_free(c);
}

/* Eight equal values fit in a shard; reading the oldest saves it from the ninth. */
static void test_least_recently_used_goes_first(void **state)
{
    (void)state;
    struct cache *c = open_cache(10000);
    char text[1001];
    memset(text, 'x', 1000);
    text[1000] = 0;
    const char *keys[] = {"0", "1", "2", "3", "4", "5", "6", "7"};
    for (size_t i = 0; i < 8; i++)
        put_text(c, keys[i], text);
    assert_true(has(c, "0"));
    put_text(c, "8", text);
    put_text(c, "9", text);
    assert_true(has(c, "0"));
    assert_false(has(c, "1"));
    assert_true(has(c, "9"));
    struct cache_counters n = counters_of(c);
    assert_true(n.evictions >= 1);
    assert_true(n.bytes <= 10000);
    cache_free(c);
}

static void test_too_large_a_value_is_rejected(void **state)
{
    (void)state;
    struct cache *c = open_cache(8000);
    put_text(c, "small", "s");
    struct cache_value *big = cache_value_new(1001);
    memset(big->bytes, 0, big->len);
    cache_put(c, STR("big"), big);
    cache_value_unref(big);
    assert_false(has(c, "big"));
    assert_true(has(c, "small"));
    assert_int_equal(counters_of(c).rejected, 1);
    cache_free(c);

    c = open_cache(0);
    put_text(c, "k", "v");
    assert_false(has(c, "k"));
    cache_free(c);
}

static void test_a_reader_keeps_an_evicted_value(void **state)
{
    (void)state;
    struct cache *c = open_cache(4000);
    put_text(c, "kept", "still here");
    struct cache_value *kept = cache_get(c, STR("kept"));
    char key[32];
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof key, "filler %d", i);
        put_text(c, key, "some bytes");
    }
    assert_false(has(c, "kept"));
    cache_free(c);
    assert_memory_equal(kept->bytes, "still here", 10);
    cache_value_unref(kept);
}

static void test_many_entries(void **state)
{
    (void)state;
    struct cache *c = open_cache((size_t)64 << 20);
    char key[32], text[32];
    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof key, "key %d", i);
        snprintf(text, sizeof text, "text %d", i);
        put_text(c, key, text);
    }
    for (int i = 0; i < 20000; i++) {
        snprintf(key, sizeof key, "key %d", i);
        snprintf(text, sizeof text, "text %d", i);
        assert_true(has_text(c, key, text));
    }
    assert_int_equal(counters_of(c).entries, 20000);
    cache_free(c);
}

static void test_memory_that_runs_out(void **state)
{
    (void)state;
    for (uint64_t n = 1; n < 8; n++) {
        struct cache *c = NULL;
        struct error err = ERROR_INIT;
        alloc_fail_after(n);
        enum status status = cache_open_memory((size_t)32 << 20, &c, &err);
        alloc_fail_after(0);
        assert_int_equal(status == STATUS_OK, c != NULL);
        assert_int_equal(status, n <= 6 ? STATUS_OUT_OF_MEMORY : STATUS_OK);
        cache_free(c);
        error_release(&err);
    }
    struct cache *c = open_cache(1 << 20);
    put_text(c, "k", "v");
    struct cache_value *v = cache_value_new(1);
    alloc_fail_after(1);
    cache_put(c, STR("k2"), v);
    alloc_fail_after(1);
    assert_null(cache_value_new(1));
    alloc_fail_after(0);
    assert_null(cache_value_new(SIZE_MAX));
    cache_value_unref(v);
    cache_value_unref(NULL);
    assert_false(has(c, "k2"));
    assert_true(has_text(c, "k", "v"));
    cache_free(c);
}

#define THREADS 4
#define STEPS 20000

/* Every value repeats its key's number, so a mix-up shows. */
static void *reader_and_writer(void *arg)
{
    struct cache *c = arg;
    struct rng_seeded seeded;
    struct rng rng = rng_seeded_init(&seeded, (uint64_t)(uintptr_t)&seeded);
    bool wrong = false;
    for (int i = 0; i < STEPS; i++) {
        uint32_t n;
        rng.fill(rng.self, &n, sizeof n);
        n %= 500;
        struct str key = {(const char *)&n, sizeof n};
        struct cache_value *v = cache_get(c, key);
        if (v) {
            uint32_t got;
            memcpy(&got, v->bytes, sizeof got);
            wrong |= got != n || v->len != sizeof n + n;
        } else {
            v = cache_value_new(sizeof n + n);
            if (!v)
                return c;
            memcpy(v->bytes, &n, sizeof n);
            memset(v->bytes + sizeof n, 0, n);
            cache_put(c, key, v);
        }
        cache_value_unref(v);
    }
    return wrong ? c : NULL;
}

static void test_threads(void **state)
{
    (void)state;
    struct cache *c = open_cache(50000);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, reader_and_writer, c), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong = NULL;
        pthread_join(threads[i], &wrong);
        assert_null(wrong);
    }
    struct cache_counters n = counters_of(c);
    assert_int_equal(n.hits + n.misses, THREADS * STEPS);
    assert_true(n.bytes <= 50000);
    assert_true(n.evictions > 0);
    cache_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_get_and_put),
        cmocka_unit_test(test_keys_may_hold_any_bytes),
        cmocka_unit_test(test_least_recently_used_goes_first),
        cmocka_unit_test(test_too_large_a_value_is_rejected),
        cmocka_unit_test(test_a_reader_keeps_an_evicted_value),
        cmocka_unit_test(test_many_entries),
        cmocka_unit_test(test_memory_that_runs_out),
        cmocka_unit_test(test_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
