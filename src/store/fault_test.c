#include "store/store.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

struct fixture {
    struct ctx ctx;
    struct error err;
    struct store *real, *store;
};

static int setup(void **state)
{
    struct fixture *f = *state = mem_calloc(1, sizeof *f);
    assert_non_null(f);
    ctx_init(&f->ctx);
    f->err = ERROR_INIT;
    assert_int_equal(store_open_memory(&f->real, &f->err), STATUS_OK);
    assert_int_equal(store_open_fault(f->real, &f->store, &f->err), STATUS_OK);
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_unref(f->store);
    store_unref(f->real);
    error_release(&f->err);
    mem_free(f);
    return 0;
}

static enum store_result commit(struct fixture *f, const char *key)
{
    return store_put_if_absent(f->store, &f->ctx, str_of(key), "12345678", 8, &f->err);
}

static int64_t size_of(struct fixture *f, const char *key)
{
    struct store_entry entry;
    return store_stat(f->real, &f->ctx, str_of(key), &entry, &f->err) == STORE_OK ? entry.size_bytes : -1;
}

static bool ignore_entry(void *user, const struct store_entry *entry) { return true; }

static void only_the_planned_call_is_hit(void **state)
{
    struct fixture *f = *state;
    store_fault_set(f->store, (struct store_fault){.kind = STORE_FAULT_FAIL, .at_call = 2});
    assert_int_equal(commit(f, "a"), STORE_OK);
    assert_int_equal(commit(f, "b"), STORE_FAILED);
    assert_int_equal(f->err.code, STATUS_STORE_IO);
    assert_int_equal(size_of(f, "b"), -1);
    assert_int_equal(commit(f, "b"), STORE_OK);
    assert_int_equal(store_fault_calls(f->store), 3);
    store_fault_set(f->store, (struct store_fault){0});
    assert_int_equal(store_fault_calls(f->store), 0);
    assert_int_equal(commit(f, "c"), STORE_OK);
}

static void from_then_on_everything_fails(void **state)
{
    struct fixture *f = *state;
    struct buf b = BUF_INIT;
    struct store_entry entry;
    struct str key = STR("a");
    assert_int_equal(commit(f, "a"), STORE_OK);
    store_fault_set(f->store, (struct store_fault){.kind = STORE_FAULT_FULL, .at_call = 1, .onwards = true});
    assert_int_equal(commit(f, "b"), STORE_FAILED);
    assert_int_equal(f->err.code, STATUS_STORE_FULL);
    assert_int_equal(store_put(f->store, &f->ctx, key, "x", 1, &f->err), STORE_FAILED);
    assert_int_equal(store_read(f->store, &f->ctx, key, &b, &f->err), STORE_FAILED);
    assert_int_equal(store_list(f->store, &f->ctx, STR(""), STR(""), ignore_entry, NULL, &f->err), STORE_FAILED);
    assert_int_equal(store_remove(f->store, &f->ctx, key, &f->err), STORE_FAILED);
    assert_int_equal(store_stat(f->store, &f->ctx, key, &entry, &f->err), STORE_FAILED);
    assert_int_equal(store_sync(f->store, &f->ctx, &key, 1, &f->err), STORE_FAILED);
    assert_int_equal(store_prepare(f->store, &f->ctx, key, &f->err), STORE_FAILED);
    assert_int_equal(store_fault_calls(f->store), 8);
    assert_int_equal(size_of(f, "a"), 8);
    assert_int_equal(b.len, 0);
}

static void a_lost_reply_has_taken_effect(void **state)
{
    struct fixture *f = *state;
    struct buf b = BUF_INIT;
    store_fault_set(f->store, (struct store_fault){.kind = STORE_FAULT_LOST_REPLY, .at_call = 1, .onwards = true});
    assert_int_equal(commit(f, "a"), STORE_UNKNOWN);
    assert_int_equal(size_of(f, "a"), 8);
    assert_int_equal(commit(f, "a"), STORE_UNKNOWN);
    assert_int_equal(store_put(f->store, &f->ctx, STR("a"), "x", 1, &f->err), STORE_UNKNOWN);
    assert_int_equal(size_of(f, "a"), 1);
    assert_int_equal(store_read(f->store, &f->ctx, STR("a"), &b, &f->err), STORE_FAILED);
    assert_int_equal(store_remove(f->store, &f->ctx, STR("a"), &f->err), STORE_UNKNOWN);
    assert_int_equal(size_of(f, "a"), -1);
}

static void half_of_the_bytes(void **state)
{
    struct fixture *f = *state;
    struct buf b = BUF_INIT;
    store_fault_set(f->store, (struct store_fault){.kind = STORE_FAULT_TRUNCATE, .at_call = 1, .onwards = true});
    assert_int_equal(commit(f, "a"), STORE_FAILED);
    assert_int_equal(size_of(f, "a"), 4);
    assert_int_equal(commit(f, "a"), STORE_EXISTS);
    assert_int_equal(store_put(f->store, &f->ctx, STR("a"), "123456", 6, &f->err), STORE_FAILED);
    assert_int_equal(size_of(f, "a"), 3);
    buf_z(&b, "kept");
    assert_int_equal(store_read(f->store, &f->ctx, STR("a"), &b, &f->err), STORE_OK);
    assert_string_equal(b.ptr, "kept1");
    buf_release(&b);
}

static void a_delay_only_takes_time(void **state)
{
    struct fixture *f = *state;
    store_fault_set(f->store, (struct store_fault){.kind = STORE_FAULT_DELAY, .at_call = 1, .delay_us = 20000});
    int64_t start_us = ctx_monotonic_us(&f->ctx);
    assert_int_equal(commit(f, "a"), STORE_OK);
    assert_true(ctx_monotonic_us(&f->ctx) - start_us >= 20000);
    assert_int_equal(size_of(f, "a"), 8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(only_the_planned_call_is_hit, setup, teardown),
        cmocka_unit_test_setup_teardown(from_then_on_everything_fails, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_reply_has_taken_effect, setup, teardown),
        cmocka_unit_test_setup_teardown(half_of_the_bytes, setup, teardown),
        cmocka_unit_test_setup_teardown(a_delay_only_takes_time, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
