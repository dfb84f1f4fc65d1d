/* What every store promises, tried on each kind of store. */
#include "store/store.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <ftw.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct fixture {
    struct ctx ctx;
    struct error err;
    struct store *store;
    char dir[64];
};

static struct store *below(struct store *base, const char *prefix, struct error *err)
{
    struct store *s = NULL;
    assert_int_equal(store_open_prefix(base, str_of(prefix), &s, err), STATUS_OK);
    store_unref(base);
    return s;
}

static struct fixture *fixture_new(void)
{
    struct fixture *f = mem_calloc(1, sizeof *f);
    assert_non_null(f);
    ctx_init(&f->ctx);
    f->err = ERROR_INIT;
    strcpy(f->dir, "/tmp/varve-store-test-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    return f;
}

static void open_local(struct fixture *f, bool durable)
{
    struct store_local_options options = {.durable = durable};
    assert_int_equal(store_open_local(&f->ctx, str_of(f->dir), options, &f->store, &f->err), STATUS_OK);
}

static int setup_local(void **state)
{
    struct fixture *f = *state = fixture_new();
    open_local(f, true);
    return 0;
}

static int setup_local_fast(void **state)
{
    struct fixture *f = *state = fixture_new();
    open_local(f, false);
    return 0;
}

static int setup_memory(void **state)
{
    struct fixture *f = *state = fixture_new();
    assert_int_equal(store_open_memory(&f->store, &f->err), STATUS_OK);
    return 0;
}

static int setup_local_prefix(void **state)
{
    setup_local_fast(state);
    struct fixture *f = *state;
    assert_int_equal(store_put(f->store, &f->ctx, STR("lake/a.b"), "out", 3, &f->err), STORE_OK);
    assert_int_equal(store_put(f->store, &f->ctx, STR("lake/a0"), "out", 3, &f->err), STORE_OK);
    f->store = below(f->store, "lake/a/", &f->err);
    return 0;
}

static int setup_memory_prefix(void **state)
{
    setup_memory(state);
    struct fixture *f = *state;
    assert_int_equal(store_put(f->store, &f->ctx, STR("lake/a.b"), "out", 3, &f->err), STORE_OK);
    assert_int_equal(store_put(f->store, &f->ctx, STR("lake/a0"), "out", 3, &f->err), STORE_OK);
    f->store = below(below(f->store, "lake", &f->err), "a", &f->err);
    return 0;
}

static int setup_fault(void **state)
{
    setup_memory(state);
    struct fixture *f = *state;
    struct store *memory = f->store;
    assert_int_equal(store_open_fault(memory, &f->store, &f->err), STATUS_OK);
    store_unref(memory);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw) { return remove(path); }

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_unref(f->store);
    error_release(&f->err);
    nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    mem_free(f);
    return 0;
}

static enum store_result put(struct fixture *f, const char *key, const char *text)
{
    return store_put(f->store, &f->ctx, str_of(key), text, strlen(text), &f->err);
}

static enum store_result put_if_absent(struct fixture *f, const char *key, const char *text)
{
    return store_put_if_absent(f->store, &f->ctx, str_of(key), text, strlen(text), &f->err);
}

static void assert_holds(struct fixture *f, const char *key, const char *text)
{
    struct buf b = BUF_INIT;
    assert_int_equal(store_read(f->store, &f->ctx, str_of(key), &b, &f->err), STORE_OK);
    assert_true(str_eq(buf_view(&b), str_of(text)));
    buf_release(&b);
}

static bool collect(void *user, const struct store_entry *entry)
{
    struct buf *b = user;
    buf_str(b, entry->key);
    buf_printf(b, ":%lld ", (long long)entry->size_bytes);
    return entry->modified_us > 1600000000000000;
}

static void assert_lists(struct fixture *f, const char *prefix, const char *after, const char *want)
{
    struct buf b = BUF_INIT;
    assert_int_equal(store_list(f->store, &f->ctx, str_of(prefix), str_of(after), collect, &b, &f->err), STORE_OK);
    if (!str_eq(buf_view(&b), str_of(want)))
        fail_msg("prefix \"%s\" after \"%s\": \"%s\", not \"%s\"", prefix, after, b.ptr ? b.ptr : "", want);
    buf_release(&b);
}

static void objects_come_and_go(void **state)
{
    struct fixture *f = *state;
    struct buf b = BUF_INIT;
    struct store_entry entry;
    assert_int_equal(store_read(f->store, &f->ctx, STR("t/x"), &b, &f->err), STORE_NOT_FOUND);
    assert_int_equal(store_stat(f->store, &f->ctx, STR("t/x"), &entry, &f->err), STORE_NOT_FOUND);
    assert_int_equal(put_if_absent(f, "t/x", "first"), STORE_OK);
    assert_int_equal(put_if_absent(f, "t/x", "second"), STORE_EXISTS);
    assert_holds(f, "t/x", "first");
    assert_int_equal(put(f, "t/x", "third one"), STORE_OK);
    assert_holds(f, "t/x", "third one");
    assert_int_equal(store_stat(f->store, &f->ctx, STR("t/x"), &entry, &f->err), STORE_OK);
    assert_int_equal(entry.size_bytes, 9);
    assert_true(str_eq(entry.key, STR("t/x")));
    assert_true(llabs(entry.modified_us - ctx_now_us(&f->ctx)) < 60 * 1000000LL);
    assert_int_equal(store_remove(f->store, &f->ctx, STR("t/x"), &f->err), STORE_OK);
    assert_int_equal(store_remove(f->store, &f->ctx, STR("t/x"), &f->err), STORE_OK);
    assert_int_equal(store_read(f->store, &f->ctx, STR("t/x"), &b, &f->err), STORE_NOT_FOUND);
    assert_int_equal(store_read(f->store, &f->ctx, STR("t"), &b, &f->err), STORE_NOT_FOUND);
    assert_int_equal(put_if_absent(f, "t/x", ""), STORE_OK);
    assert_holds(f, "t/x", "");
    assert_null(f->err.message);
    buf_release(&b);
}

static enum store_result replace(struct fixture *f, const char *key, const char *old, const char *new)
{
    return store_replace(f->store, &f->ctx, str_of(key), str_of(old), new ? str_of(new) : STR_NULL, &f->err);
}

static void only_what_is_known_is_replaced(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(replace(f, "r/x", "", "new"), STORE_NOT_FOUND);
    assert_int_equal(put(f, "r/x", "first"), STORE_OK);
    assert_int_equal(replace(f, "r/x", "other", "new"), STORE_EXISTS);
    assert_int_equal(replace(f, "r/x", "firs", "new"), STORE_EXISTS);
    assert_int_equal(replace(f, "r/x", "", NULL), STORE_EXISTS);
    assert_holds(f, "r/x", "first");
    assert_int_equal(replace(f, "r/x", "first", "second"), STORE_OK);
    assert_int_equal(replace(f, "r/x", "first", "third"), STORE_EXISTS);
    assert_holds(f, "r/x", "second");
    assert_int_equal(replace(f, "r/x", "second", ""), STORE_OK);
    assert_holds(f, "r/x", "");
    assert_int_equal(replace(f, "r/x", "", NULL), STORE_OK);
    assert_int_equal(replace(f, "r/x", "", NULL), STORE_NOT_FOUND);
    assert_null(f->err.message);
    assert_int_equal(replace(f, "../x", "", NULL), STORE_FAILED);
    error_release(&f->err);
}

enum { COUNTERS = 4, COUNTS = 100 };

/* Reads a number and puts the next one in its place, until that worked often enough. */
static void *count_up(void *user)
{
    struct fixture *f = user;
    for (int done = 0; done < COUNTS;) {
        struct ctx ctx;
        struct buf b = BUF_INIT;
        char next[32];
        int64_t n = -1;
        ctx_init(&ctx);
        if (store_read(f->store, &ctx, STR("count"), &b, NULL) != STORE_OK || !str_to_i64(buf_view(&b), &n))
            done = COUNTS;
        snprintf(next, sizeof next, "%lld", (long long)n + 1);
        done += store_replace(f->store, &ctx, STR("count"), buf_view(&b), str_of(next), NULL) == STORE_OK;
        buf_release(&b);
    }
    return NULL;
}

static void of_racing_replacements_one_wins(void **state)
{
    struct fixture *f = *state;
    pthread_t threads[COUNTERS];
    char all[32];
    assert_int_equal(put(f, "count", "0"), STORE_OK);
    for (int i = 0; i < COUNTERS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, count_up, f), 0);
    for (int i = 0; i < COUNTERS; i++)
        pthread_join(threads[i], NULL);
    snprintf(all, sizeof all, "%d", COUNTERS * COUNTS);
    assert_holds(f, "count", all);
}

static void ranges(void **state)
{
    struct fixture *f = *state;
    const struct {
        int64_t offset, len;
        const char *want;
    } cases[] = {
        {0, -1, "0123456789"},     {0, 0, ""}, {3, 4, "3456"}, {8, 100, "89"}, {10, 5, ""}, {100, -1, ""}, {9, -1, "9"}, {0, INT64_MAX, "0123456789"},
        {INT64_MAX, INT64_MAX, ""}};
    assert_int_equal(put(f, "r", "0123456789"), STORE_OK);
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        struct buf b = BUF_INIT;
        buf_z(&b, ">");
        assert_int_equal(store_read_range(f->store, &f->ctx, STR("r"), cases[i].offset, cases[i].len, &b, &f->err), STORE_OK);
        assert_int_equal(b.ptr[0], '>');
        assert_string_equal(b.ptr + 1, cases[i].want);
        buf_release(&b);
    }
    struct buf b = BUF_INIT;
    assert_int_equal(store_read_range(f->store, &f->ctx, STR("r"), -1, 1, &b, &f->err), STORE_FAILED);
    assert_int_equal(f->err.code, STATUS_INVALID_ARGUMENT);
}

static void a_read_stops_at_the_buffers_ceiling(void **state)
{
    struct fixture *f = *state;
    struct buf b = {.max_bytes = 9};
    assert_int_equal(put(f, "r", "0123456789"), STORE_OK);
    assert_int_equal(store_read(f->store, &f->ctx, STR("r"), &b, &f->err), STORE_FAILED);
    assert_int_equal(f->err.code, STATUS_LIMIT_EXCEEDED);
    buf_release(&b);
}

static void large_objects(void **state)
{
    struct fixture *f = *state;
    const size_t len = 5 << 20;
    char *bytes = mem_alloc(len);
    struct buf b = BUF_INIT;
    assert_non_null(bytes);
    for (size_t i = 0; i < len; i++)
        bytes[i] = (char)(i * 2654435761u >> 13);
    assert_int_equal(store_put_if_absent(f->store, &f->ctx, STR("big"), bytes, len, &f->err), STORE_OK);
    assert_int_equal(store_read(f->store, &f->ctx, STR("big"), &b, &f->err), STORE_OK);
    assert_int_equal(b.len, len);
    assert_memory_equal(b.ptr, bytes, len);
    buf_release(&b);
    mem_free(bytes);
}

static void lists_are_in_byte_order(void **state)
{
    struct fixture *f = *state;
    const char *keys[] = {"a/b", "a.b", "a0", "a/b.c/d", "a/b0", "b", "a-/x", "\xC3\xA4/y", "a/B", "z/z/z/z"};
    assert_lists(f, "", "", "");
    for (size_t i = 0; i < VV_ARRAY_COUNT(keys); i++)
        assert_int_equal(put(f, keys[i], "1"), STORE_OK);
    assert_lists(f, "", "", "a-/x:1 a.b:1 a/B:1 a/b:1 a/b.c/d:1 a/b0:1 a0:1 b:1 z/z/z/z:1 \xC3\xA4/y:1 ");
    assert_lists(f, "a", "", "a-/x:1 a.b:1 a/B:1 a/b:1 a/b.c/d:1 a/b0:1 a0:1 ");
    assert_lists(f, "a/", "", "a/B:1 a/b:1 a/b.c/d:1 a/b0:1 ");
    assert_lists(f, "a/b", "", "a/b:1 a/b.c/d:1 a/b0:1 ");
    assert_lists(f, "a/", "a/b", "a/b.c/d:1 a/b0:1 ");
    assert_lists(f, "a/", "a/b.c/d", "a/b0:1 ");
    assert_lists(f, "", "a/b.c/", "a/b.c/d:1 a/b0:1 a0:1 b:1 z/z/z/z:1 \xC3\xA4/y:1 ");
    assert_lists(f, "", "a/b/", "a/b0:1 a0:1 b:1 z/z/z/z:1 \xC3\xA4/y:1 ");
    assert_lists(f, "a/", "a0", "");
    assert_lists(f, "b", "a", "b:1 ");
    assert_lists(f, "a/", "A", "a/B:1 a/b:1 a/b.c/d:1 a/b0:1 ");
    assert_lists(f, "nothing/", "", "");
    assert_lists(f, "b/", "", "");
    assert_lists(f, "z/z/z/z", "", "z/z/z/z:1 ");
    assert_lists(f, "", "\xFF", "");
}

/* A store against a plain sorted set, on keys chosen to sit close to '/'. */
static int compare_texts(const void *a, const void *b) { return strcmp(a, b); }

static void random_key(struct rng *rng, char out[16])
{
    static const char letters[] = "a.0-b";
    uint8_t r[8];
    size_t len = 0;
    rng->fill(rng->self, r, sizeof r);
    int parts = 1 + r[0] % 3;
    for (int p = 0; p < parts; p++) {
        if (p)
            out[len++] = '/';
        out[len++] = r[1 + p] & 1 ? 'a' : 'b';
        if (r[4 + p] % 3)
            out[len++] = letters[r[4 + p] / 3 % 5];
    }
    out[len] = '\0';
}

static void expected_list(char keys[][16], size_t count, const char *prefix, const char *after, struct buf *out)
{
    for (size_t i = 0; i < count; i++)
        if ((i == 0 || strcmp(keys[i], keys[i - 1]) != 0) && str_starts(str_of(keys[i]), str_of(prefix)) && strcmp(keys[i], after) > 0)
            buf_printf(out, "%s:1 ", keys[i]);
}

static void lists_agree_with_a_sorted_set(void **state)
{
    enum { N = 60 };
    struct fixture *f = *state;
    struct rng_seeded seeded;
    struct rng rng = rng_seeded_init(&seeded, 11);
    char keys[N][16];
    size_t count = 0;
    for (int i = 0; i < N; i++) {
        char key[16];
        random_key(&rng, key);
        /* "a" and "a/b" cannot both be on a local disk: the second is refused */
        if (put(f, key, "1") == STORE_OK)
            strcpy(keys[count++], key);
    }
    error_release(&f->err);
    assert_true(count > 10);
    qsort(keys, count, sizeof keys[0], compare_texts);
    for (int i = 0; i < 1000; i++) {
        char prefix[16], after[16];
        struct buf want = BUF_INIT;
        random_key(&rng, prefix);
        random_key(&rng, after);
        prefix[(size_t)i % (strlen(prefix) + 1)] = '\0';
        if (i % 3 == 0)
            after[(size_t)i % (strlen(after) + 1)] = '\0';
        expected_list(keys, count, prefix, after, &want);
        assert_lists(f, prefix, after, want.ptr ? want.ptr : "");
        buf_release(&want);
    }
}

struct stopper {
    struct fixture *f;
    int seen;
};

static bool stop_at_two(void *user, const struct store_entry *entry)
{
    struct stopper *s = user;
    assert_int_equal(put(s->f, "zz/added", "x"), STORE_OK); /* the store may be used meanwhile */
    return ++s->seen < 2;
}

static void a_listing_can_stop_early(void **state)
{
    struct fixture *f = *state;
    struct stopper s = {.f = f};
    for (int i = 0; i < 9; i++) {
        char key[16];
        snprintf(key, sizeof key, "d%d/k", i);
        assert_int_equal(put(f, key, "x"), STORE_OK);
    }
    assert_int_equal(store_list(f->store, &f->ctx, STR(""), STR(""), stop_at_two, &s, &f->err), STORE_OK);
    assert_int_equal(s.seen, 2);
    atomic_store(&f->ctx.cancelled, true);
    assert_int_equal(store_list(f->store, &f->ctx, STR(""), STR(""), stop_at_two, &s, &f->err), STORE_FAILED);
    assert_int_equal(f->err.code, STATUS_CANCELLED);
}

static void bad_keys_are_refused(void **state)
{
    struct fixture *f = *state;
    struct str bad[] = {STR(""),     STR("/a"),    STR("a/"),   STR("a//b"),           STR(".."), STR("a/.."),
                        STR("../a"), STR("a/./b"), STR("a\0b"), STR("a/.varve-tmp-1"), STR(".")};
    struct buf b = BUF_INIT;
    struct store_entry entry;
    for (size_t i = 0; i < VV_ARRAY_COUNT(bad); i++) {
        assert_int_equal(store_put(f->store, &f->ctx, bad[i], "x", 1, &f->err), STORE_FAILED);
        assert_int_equal(f->err.code, STATUS_INVALID_ARGUMENT);
        assert_int_equal(store_put_if_absent(f->store, &f->ctx, bad[i], "x", 1, &f->err), STORE_FAILED);
        assert_int_equal(store_read(f->store, &f->ctx, bad[i], &b, &f->err), STORE_FAILED);
        assert_int_equal(store_remove(f->store, &f->ctx, bad[i], &f->err), STORE_FAILED);
        assert_int_equal(store_stat(f->store, &f->ctx, bad[i], &entry, &f->err), STORE_FAILED);
        assert_int_equal(store_sync(f->store, &f->ctx, &bad[i], 1, &f->err), STORE_FAILED);
        if (bad[i].len)
            assert_int_equal(store_prepare(f->store, &f->ctx, bad[i], &f->err), STORE_FAILED);
    }
    assert_int_equal(store_list(f->store, &f->ctx, STR("../x"), STR(""), collect, &b, &f->err), STORE_FAILED);
    assert_int_equal(store_list(f->store, &f->ctx, STR("/"), STR(""), collect, &b, &f->err), STORE_FAILED);
    assert_lists(f, "..", "", "");
    assert_lists(f, "", "", "");
    assert_int_equal(put(f, "..a/b..c/...", "1"), STORE_OK);
    assert_lists(f, "", "", "..a/b..c/...:1 ");
    assert_lists(f, "..", "", "..a/b..c/...:1 ");
}

static void prepare_sync_and_locate(void **state)
{
    struct fixture *f = *state;
    struct str keys[] = {STR("p/q/r/one"), STR("p/q/two"), STR("p/q/r/three")};
    assert_int_equal(store_prepare(f->store, &f->ctx, STR("p/q/r"), &f->err), STORE_OK);
    assert_int_equal(store_prepare(f->store, &f->ctx, STR("p/q/r"), &f->err), STORE_OK);
    assert_int_equal(store_prepare(f->store, &f->ctx, STR(""), &f->err), STORE_OK);
    for (size_t i = 0; i < VV_ARRAY_COUNT(keys); i++)
        assert_int_equal(store_put(f->store, &f->ctx, keys[i], "x", 1, &f->err), STORE_OK);
    assert_int_equal(store_sync(f->store, &f->ctx, keys, VV_ARRAY_COUNT(keys), &f->err), STORE_OK);
    assert_int_equal(store_sync(f->store, &f->ctx, keys, 1, &f->err), STORE_OK);
    assert_int_equal(store_sync(f->store, &f->ctx, NULL, 0, &f->err), STORE_OK);
    struct buf b = BUF_INIT, whole = BUF_INIT;
    store_locate(f->store, STR("p/q"), &b);
    store_locate(f->store, STR(""), &whole);
    assert_true(str_starts(buf_view(&b), buf_view(&whole)));
    assert_true(str_ends(buf_view(&b), STR("/p/q")));
    buf_release(&b);
    buf_release(&whole);
}

/* Whichever allocation fails, the object is there whole or not at all, and the result says which. */
static void put_survives_the_failure_of_any_allocation(void **state)
{
    struct fixture *f = *state;
    for (uint64_t n = 1;; n++) {
        char key[32];
        struct buf b = BUF_INIT;
        snprintf(key, sizeof key, "oom/%d", (int)n);
        uint64_t before = alloc_count();
        alloc_fail_after(n);
        enum store_result result = put_if_absent(f, key, "whole");
        alloc_fail_after(0);
        bool failed_one = alloc_count() - before >= n;
        if (result == STORE_OK) {
            assert_holds(f, key, "whole");
        } else {
            assert_int_equal(result, STORE_FAILED);
            assert_int_equal(f->err.code, STATUS_OUT_OF_MEMORY);
            assert_int_equal(store_read(f->store, &f->ctx, str_of(key), &b, &f->err), STORE_NOT_FOUND);
            assert_int_equal(put_if_absent(f, key, "whole"), STORE_OK);
        }
        buf_release(&b);
        if (!failed_one)
            break;
        assert_true(n < 50);
    }
}

static bool count_entry(void *user, const struct store_entry *entry)
{
    ++*(int *)user;
    return true;
}

static void list_survives_the_failure_of_any_allocation(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 100; i++) {
        char key[32];
        snprintf(key, sizeof key, "oom/%d/%02d", i / 50, i);
        assert_int_equal(put(f, key, "whole"), STORE_OK);
    }
    for (uint64_t n = 1;; n++) {
        int seen = 0;
        uint64_t before = alloc_count();
        alloc_fail_after(n);
        enum store_result result = store_list(f->store, &f->ctx, STR("oom/"), STR("oom/0/30"), count_entry, &seen, &f->err);
        alloc_fail_after(0);
        assert_true(result == STORE_OK ? seen == 69 : f->err.code == STATUS_OUT_OF_MEMORY);
        if (alloc_count() - before < n) {
            assert_int_equal(result, STORE_OK);
            break;
        }
        assert_int_equal(result, STORE_FAILED);
    }
}

static void references_are_counted(void **state)
{
    struct fixture *f = *state;
    struct store *again = store_ref(f->store);
    store_unref(again);
    assert_true(f->store->root.len > 0);
    assert_int_equal(put(f, "still", "1"), STORE_OK);
    store_unref(NULL);
    struct store *same = NULL;
    assert_int_equal(store_open_prefix(f->store, STR(""), &same, &f->err), STATUS_OK);
    assert_ptr_equal(same, f->store);
    store_unref(same);
    assert_int_equal(store_open_prefix(f->store, STR("../x"), &same, &f->err), STATUS_INVALID_ARGUMENT);
    assert_null(same);
    for (uint64_t n = 1; n <= 2; n++) {
        alloc_fail_after(n);
        assert_int_equal(store_open_prefix(f->store, STR("x"), &same, &f->err), STATUS_OUT_OF_MEMORY);
        alloc_fail_after(0);
    }
}

static void objects_are_copied(void **state)
{
    struct fixture *f = *state;
    struct store *memory = NULL;
    assert_int_equal(put(f, "a/b", "some bytes"), STORE_OK);
    assert_int_equal(store_copy(f->store, &f->ctx, STR("a/b"), f->store, STR("c/d/e"), &f->err), STORE_OK);
    assert_int_equal(store_copy(f->store, &f->ctx, STR("a/b"), f->store, STR("c/d/e"), &f->err), STORE_EXISTS);
    assert_int_equal(store_copy(f->store, &f->ctx, STR("a/none"), f->store, STR("c/x"), &f->err), STORE_NOT_FOUND);
    assert_int_equal(store_copy(f->store, &f->ctx, STR("../a"), f->store, STR("c/x"), NULL), STORE_FAILED);
    assert_int_equal(store_open_memory(&memory, &f->err), STATUS_OK);
    assert_int_equal(store_copy(f->store, &f->ctx, STR("c/d/e"), memory, STR("m"), &f->err), STORE_OK);
    assert_int_equal(store_copy(memory, &f->ctx, STR("m"), f->store, STR("back"), &f->err), STORE_OK);
    struct buf bytes = BUF_INIT;
    assert_int_equal(store_read(f->store, &f->ctx, STR("back"), &bytes, &f->err), STORE_OK);
    assert_true(str_eq(buf_view(&bytes), STR("some bytes")));
    buf_release(&bytes);
    struct store_entry entry;
    atomic_store(&f->ctx.cancelled, true);
    assert_int_equal(store_copy(f->store, &f->ctx, STR("a/b"), f->store, STR("never"), NULL), STORE_FAILED);
    atomic_store(&f->ctx.cancelled, false);
    assert_int_equal(store_stat(f->store, &f->ctx, STR("never"), &entry, NULL), STORE_NOT_FOUND);
    store_unref(memory);
}

#define FOR_STORE(SETUP)                                                                                                                             \
    cmocka_unit_test_setup_teardown(objects_come_and_go, SETUP, teardown), cmocka_unit_test_setup_teardown(ranges, SETUP, teardown),                 \
        cmocka_unit_test_setup_teardown(only_what_is_known_is_replaced, SETUP, teardown),                                                            \
        cmocka_unit_test_setup_teardown(of_racing_replacements_one_wins, SETUP, teardown),                                                           \
        cmocka_unit_test_setup_teardown(a_read_stops_at_the_buffers_ceiling, SETUP, teardown),                                                       \
        cmocka_unit_test_setup_teardown(large_objects, SETUP, teardown), cmocka_unit_test_setup_teardown(lists_are_in_byte_order, SETUP, teardown),  \
        cmocka_unit_test_setup_teardown(lists_agree_with_a_sorted_set, SETUP, teardown),                                                             \
        cmocka_unit_test_setup_teardown(a_listing_can_stop_early, SETUP, teardown),                                                                  \
        cmocka_unit_test_setup_teardown(bad_keys_are_refused, SETUP, teardown),                                                                      \
        cmocka_unit_test_setup_teardown(prepare_sync_and_locate, SETUP, teardown),                                                                   \
        cmocka_unit_test_setup_teardown(put_survives_the_failure_of_any_allocation, SETUP, teardown),                                                \
        cmocka_unit_test_setup_teardown(list_survives_the_failure_of_any_allocation, SETUP, teardown),                                               \
        cmocka_unit_test_setup_teardown(objects_are_copied, SETUP, teardown),                                                                        \
        cmocka_unit_test_setup_teardown(references_are_counted, SETUP, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        FOR_STORE(setup_local),        FOR_STORE(setup_local_fast),    FOR_STORE(setup_memory),
        FOR_STORE(setup_local_prefix), FOR_STORE(setup_memory_prefix), FOR_STORE(setup_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
