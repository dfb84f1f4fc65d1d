#include "base/base.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <unistd.h>

static int64_t fixed_now_us(void *self) { return *(int64_t *)self; }

static void deadline_and_cancel(void **state)
{
    int64_t now = 1000;
    struct clock clock = {.now_us = fixed_now_us, .monotonic_us = fixed_now_us, .self = &now};
    struct ctx ctx;
    struct error err = ERROR_INIT;
    ctx_init(&ctx);
    ctx.clock = &clock;
    assert_int_equal(ctx_check(&ctx, &err), STATUS_OK);
    ctx.deadline_us = 1001;
    assert_int_equal(ctx_check(&ctx, &err), STATUS_OK);
    now = 1001;
    assert_int_equal(ctx_check(&ctx, &err), STATUS_DEADLINE_EXCEEDED);
    atomic_store(&ctx.cancelled, true);
    assert_int_equal(ctx_check(&ctx, &err), STATUS_CANCELLED);
    error_release(&err);
}

static void system_clock_moves(void **state)
{
    int64_t now = clock_system.now_us(NULL), mono = clock_system.monotonic_us(NULL);
    assert_true(now > 1700000000000000);
    assert_true(clock_system.monotonic_us(NULL) >= mono);
}

static void seeded_random_repeats(void **state)
{
    struct rng_seeded a, b;
    struct rng ra = rng_seeded_init(&a, 5), rb = rng_seeded_init(&b, 5);
    char x[100], y[100], z[100];
    ra.fill(ra.self, x, sizeof x);
    rb.fill(rb.self, y, sizeof y);
    assert_memory_equal(x, y, sizeof x);
    ra.fill(ra.self, z, sizeof z);
    assert_memory_not_equal(x, z, sizeof x);
    rb = rng_seeded_init(&b, 6);
    rb.fill(rb.self, y, sizeof y);
    assert_memory_not_equal(x, y, sizeof x);
    rng_system.fill(NULL, y, sizeof y);
    rng_system.fill(NULL, z, sizeof z);
    assert_memory_not_equal(y, z, sizeof y);
}

static void uuids_have_their_form(void **state)
{
    char a[37], b[37];
    uuid_make(&rng_system, b);
    for (int i = 0; i < 1000; i++) {
        uuid_make(&rng_system, a);
        assert_int_equal(strlen(a), 36);
        assert_int_equal(strspn(a, "0123456789abcdef-"), 36);
        assert_true(a[8] == '-' && a[13] == '-' && a[18] == '-' && a[23] == '-');
        assert_int_equal(a[14], '4');
        assert_non_null(strchr("89ab", a[19]));
        assert_string_not_equal(a, b);
    }
}

static size_t read_all(int fd, char *out, size_t cap)
{
    size_t len = 0;
    for (ssize_t got; len < cap - 1 && (got = read(fd, out + len, cap - 1 - len)) > 0;)
        len += (size_t)got;
    out[len] = '\0';
    return len;
}

static void a_log_line_is_json(void **state)
{
    int ends[2];
    char text[4096];
    int64_t now = 1710498030123000;
    struct clock clock = {.now_us = fixed_now_us, .monotonic_us = fixed_now_us, .self = &now};
    struct ctx ctx;
    assert_int_equal(pipe(ends), 0);
    ctx_init(&ctx);
    ctx.clock = &clock;
    ctx.log = log_open_fd(ends[1], LOG_INFO);
    log_event(&ctx, LOG_DEBUG, "hidden", NULL);
    log_event(&ctx, LOG_INFO, "commit", "table", "a\"b\\c\n\x01\xFFz\xC3\xA4", "none", "", NULL);
    ctx.trace_id = STR("t1");
    log_event(&ctx, LOG_ERROR, "bare", NULL);
    log_event(&ctx, LOG_WARN, "null_value", "k", NULL, NULL);
    alloc_fail_after(1);
    log_event(&ctx, LOG_WARN, "no_memory", "k", "v", NULL);
    log_free(ctx.log);
    close(ends[1]);
    read_all(ends[0], text, sizeof text);
    close(ends[0]);
    assert_string_equal(text, "{\"ts\":\"2024-03-15T10:20:30.123Z\",\"level\":\"info\",\"event\":\"commit\","
                              "\"table\":\"a\\\"b\\\\c\\u000a\\u0001\xEF\xBF\xBDz\xC3\xA4\",\"none\":\"\"}\n"
                              "{\"ts\":\"2024-03-15T10:20:30.123Z\",\"level\":\"error\",\"event\":\"bare\",\"trace_id\":\"t1\"}\n"
                              "{\"ts\":\"2024-03-15T10:20:30.123Z\",\"level\":\"warn\",\"event\":\"null_value\",\"trace_id\":\"t1\","
                              "\"k\":\"\"}\n"
                              "{\"ts_us\":1710498030123000,\"level\":\"warn\",\"event\":\"no_memory\",\"shortened\":\"true\"}\n");
}

/* Lines longer than a pipe takes in one piece, which only the lock keeps together. */
enum { WRITERS = 4, LINES_EACH = 50, VALUE_BYTES = 30000 };

static void *log_much(void *user)
{
    char value[VALUE_BYTES + 1];
    memset(value, 'v', VALUE_BYTES);
    value[VALUE_BYTES] = '\0';
    for (int i = 0; i < LINES_EACH; i++)
        log_event(user, LOG_INFO, "x", "k", value, NULL);
    return NULL;
}

static void *log_from_all(void *user)
{
    struct ctx *ctx = user;
    pthread_t threads[WRITERS];
    for (int i = 0; i < WRITERS; i++)
        if (pthread_create(&threads[i], NULL, log_much, ctx) != 0)
            return NULL;
    for (int i = 0; i < WRITERS; i++)
        pthread_join(threads[i], NULL);
    return ctx;
}

static void lines_of_threads_do_not_mix(void **state)
{
    enum { TEXT_BYTES = WRITERS * LINES_EACH * (VALUE_BYTES + 200) };
    int ends[2], lines = 0;
    struct ctx ctx;
    pthread_t writers;
    void *finished;
    char *text = mem_alloc(TEXT_BYTES);
    assert_non_null(text);
    assert_int_equal(pipe(ends), 0);
    ctx_init(&ctx);
    ctx.log = log_open_fd(ends[1], LOG_DEBUG);
    assert_int_equal(pthread_create(&writers, NULL, log_from_all, &ctx), 0);
    for (size_t len = 0; lines < WRITERS * LINES_EACH;) {
        ssize_t got = read(ends[0], text + len, TEXT_BYTES - len - 1);
        assert_true(got > 0);
        for (ssize_t i = 0; i < got; i++)
            lines += text[len + (size_t)i] == '\n';
        len += (size_t)got;
        text[len] = '\0';
    }
    pthread_join(writers, &finished);
    assert_ptr_equal(finished, &ctx);
    log_free(ctx.log);
    for (char *at = text, *end; *at; at = end + 1) {
        end = strchr(at, '\n');
        assert_non_null(end);
        assert_int_equal(strncmp(at, "{\"ts\":", 6), 0);
        char *values = strstr(at, "\"k\":\"");
        assert_non_null(values);
        assert_int_equal(strspn(values + 5, "v"), VALUE_BYTES);
        assert_ptr_equal(values + 5 + VALUE_BYTES + 2, end);
    }
    close(ends[0]);
    close(ends[1]);
    mem_free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(deadline_and_cancel),   cmocka_unit_test(system_clock_moves), cmocka_unit_test(seeded_random_repeats),
        cmocka_unit_test(uuids_have_their_form), cmocka_unit_test(a_log_line_is_json), cmocka_unit_test(lines_of_threads_do_not_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
