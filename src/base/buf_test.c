#include "base/base.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

static void appends_of_every_kind(void **state)
{
    struct buf b = BUF_INIT;
    buf_append(&b, NULL, 0);
    assert_null(b.ptr);
    assert_int_equal(buf_view(&b).len, 0);
    buf_z(&b, "a");
    buf_z(&b, NULL);
    buf_str(&b, STR("bc"));
    buf_str(&b, STR_NULL);
    buf_char(&b, ':');
    buf_i64(&b, INT64_MIN);
    buf_char(&b, ',');
    buf_i64(&b, 0);
    buf_printf(&b, "%s", "");
    buf_printf(&b, "/%d/%200d", 7, 8);
    assert_memory_equal(b.ptr, "abc:-9223372036854775808,0/7/ ", 29);
    assert_int_equal(b.len, 28 + 201);
    assert_int_equal(b.ptr[b.len], 0);
    assert_int_equal(b.ptr[b.len - 1], '8');
    buf_clear(&b);
    assert_string_equal(b.ptr, "");
    buf_release(&b);
    assert_null(b.ptr);
}

static void grows_through_a_mebibyte(void **state)
{
    struct buf b = BUF_INIT;
    for (int i = 0; i < 1 << 20; i++)
        buf_char(&b, (char)('a' + i % 26));
    assert_int_equal(b.len, 1 << 20);
    for (int i = 0; i < 1 << 20; i += 4099)
        assert_int_equal(b.ptr[i], 'a' + i % 26);
    assert_int_equal(buf_check(&b, NULL), STATUS_OK);
    buf_release(&b);
}

static void the_ceiling_binds_exactly_and_sticks(void **state)
{
    struct error err = ERROR_INIT;
    struct buf b = {.max_bytes = 10};
    buf_z(&b, "0123456789");
    assert_int_equal(buf_check(&b, &err), STATUS_OK);
    buf_char(&b, 'x');
    assert_true(b.failed);
    assert_int_equal(buf_check(&b, &err), STATUS_LIMIT_EXCEEDED);
    assert_string_equal(b.ptr, "0123456789");
    assert_null(buf_detach(&b));
    assert_int_equal(b.max_bytes, 10);
    buf_printf(&b, "%s", "0123456789");
    assert_false(b.failed);
    buf_clear(&b);
    buf_printf(&b, "%s", "0123456789a");
    assert_true(b.failed);
    assert_int_equal(b.len, 0);
    assert_string_equal(b.ptr, "");
    assert_false(buf_reserve(&b, 1));
    buf_release(&b);
    struct buf huge = BUF_INIT;
    assert_false(buf_reserve(&huge, SIZE_MAX));
    assert_int_equal(buf_check(&huge, &err), STATUS_OUT_OF_MEMORY);
    error_release(&err);
}

static void running_out_of_memory_sticks(void **state)
{
    struct error err = ERROR_INIT;
    struct buf b = BUF_INIT;
    buf_z(&b, "kept");
    alloc_fail_after(1);
    buf_printf(&b, "%1000d", 1);
    buf_z(&b, "ignored");
    assert_string_equal(b.ptr, "kept");
    assert_int_equal(buf_check(&b, &err), STATUS_OUT_OF_MEMORY);
    buf_release(&b);
    alloc_fail_after(1);
    assert_null(buf_detach(&b));
    error_release(&err);
}

static void detached_text_is_owned(void **state)
{
    struct buf b = BUF_INIT;
    char *empty = buf_detach(&b);
    assert_string_equal(empty, "");
    buf_z(&b, "text");
    char *text = buf_detach(&b);
    assert_string_equal(text, "text");
    assert_null(b.ptr);
    mem_free(empty);
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(appends_of_every_kind),
        cmocka_unit_test(grows_through_a_mebibyte),
        cmocka_unit_test(the_ceiling_binds_exactly_and_sticks),
        cmocka_unit_test(running_out_of_memory_sticks),
        cmocka_unit_test(detached_text_is_owned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
