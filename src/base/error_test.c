#include "base/base.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>

static void every_code_has_a_whole_row(void **state)
{
    for (int code = 0; code < STATUS_COUNT; code++) {
        const struct status_info *info = status_info(code);
        assert_non_null(info->name);
        assert_int_equal(strlen(info->sqlstate), 5);
        assert_true(info->http_status >= 200 && info->http_status < 600);
        assert_true(strlen(info->cause) > 0 && strlen(info->action) > 0);
        for (int other = 0; other < code; other++)
            assert_string_not_equal(info->name, status_info(other)->name);
    }
    assert_ptr_equal(status_info(STATUS_COUNT), status_info(STATUS_INTERNAL));
    assert_ptr_equal(status_info((enum status) - 1), status_info(STATUS_INTERNAL));
}

static void parts_are_kept_apart_and_replaced(void **state)
{
    struct error err = {0};
    assert_int_equal(error_set(&err, STATUS_TABLE_NOT_FOUND, "no table \"%s\"", "a"), STATUS_TABLE_NOT_FOUND);
    assert_int_equal(err.position, -1);
    error_hint(&err, "did you mean \"%s\"?", "b");
    error_detail(&err, "first");
    error_detail(&err, "second");
    error_context(&err, "inner");
    assert_int_equal(error_context(&err, "outer %d", 2), STATUS_TABLE_NOT_FOUND);
    assert_string_equal(err.message, "no table \"a\"");
    assert_string_equal(err.hint, "did you mean \"b\"?");
    assert_string_equal(err.detail, "second");
    assert_string_equal(err.context, "inner\nouter 2");
    error_set(&err, STATUS_INTERNAL, "was: %s", err.message);
    assert_string_equal(err.message, "was: no table \"a\"");
    assert_null(err.hint);
    assert_null(err.context);
    error_release(&err);
    assert_null(err.message);
    assert_int_equal(err.code, STATUS_OK);
}

static void long_messages_are_whole(void **state)
{
    char text[2000];
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    struct error err = ERROR_INIT;
    error_set(&err, STATUS_SYNTAX, "%s!", text);
    assert_int_equal(strlen(err.message), sizeof text);
    error_release(&err);
}

static void errno_picks_the_code_and_names_the_reason(void **state)
{
    struct error err = ERROR_INIT;
    assert_int_equal(error_set_errno(&err, ENOSPC, "cannot write \"%s\"", "/x"), STATUS_STORE_FULL);
    assert_string_equal(err.message, "cannot write \"/x\": No space left on device");
    assert_int_equal(error_set_errno(&err, EDQUOT, "x"), STATUS_STORE_FULL);
    assert_int_equal(error_set_errno(&err, EACCES, "x"), STATUS_STORE_PERMISSION);
    assert_int_equal(error_set_errno(&err, EROFS, "x"), STATUS_STORE_PERMISSION);
    assert_int_equal(error_set_errno(&err, ENOMEM, "x"), STATUS_OUT_OF_MEMORY);
    assert_int_equal(error_set_errno(&err, ENOENT, "x"), STATUS_FILE_NOT_FOUND);
    assert_int_equal(error_set_errno(&err, EIO, "x"), STATUS_STORE_IO);
    error_release(&err);
}

static void null_error_is_accepted(void **state)
{
    assert_int_equal(error_set(NULL, STATUS_SYNTAX, "x"), STATUS_SYNTAX);
    assert_int_equal(error_set_errno(NULL, EIO, "x"), STATUS_STORE_IO);
    assert_int_equal(error_oom(NULL), STATUS_OUT_OF_MEMORY);
    error_hint(NULL, "x");
    error_detail(NULL, "x");
    error_context(NULL, "x");
    error_release(NULL);
    error_move(NULL, NULL);
}

static void out_of_memory_still_leaves_a_message(void **state)
{
    struct error err = ERROR_INIT;
    error_set(&err, STATUS_SYNTAX, "a");
    alloc_fail_after(1);
    assert_int_equal(error_set(&err, STATUS_TABLE_EXISTS, "b"), STATUS_TABLE_EXISTS);
    assert_string_equal(err.message, status_info(STATUS_TABLE_EXISTS)->cause);
    uint64_t before = alloc_count();
    error_oom(&err);
    assert_int_equal(alloc_count(), before);
    assert_string_equal(err.message, status_info(STATUS_OUT_OF_MEMORY)->cause);
    for (int n = 1; n <= 2; n++) {
        error_set(&err, STATUS_SYNTAX, "a");
        error_context(&err, "kept");
        alloc_fail_after((uint64_t)n);
        error_context(&err, "lost");
        alloc_fail_after(0);
        assert_string_equal(err.context, "kept");
    }
    for (int n = 1; n <= 2; n++) {
        alloc_fail_after((uint64_t)n);
        assert_int_equal(error_set_errno(&err, ENOSPC, "x"), STATUS_STORE_FULL);
        alloc_fail_after(0);
        assert_non_null(err.message);
    }
    error_release(&err);
}

static void move_leaves_nothing_behind(void **state)
{
    struct error a = ERROR_INIT, b = ERROR_INIT;
    error_set(&a, STATUS_SYNTAX, "a");
    error_set(&b, STATUS_BINDER, "b");
    error_move(&a, &b);
    assert_string_equal(a.message, "b");
    assert_null(b.message);
    error_move(&a, &a);
    assert_string_equal(a.message, "b");
    error_move(NULL, &a);
    assert_null(a.message);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_code_has_a_whole_row), cmocka_unit_test(parts_are_kept_apart_and_replaced),
        cmocka_unit_test(long_messages_are_whole),    cmocka_unit_test(errno_picks_the_code_and_names_the_reason),
        cmocka_unit_test(null_error_is_accepted),     cmocka_unit_test(out_of_memory_still_leaves_a_message),
        cmocka_unit_test(move_leaves_nothing_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
