#include "base/base.h"

#include "engine/engine_fixture.h"

#include <time.h>

static enum status open_query(struct fixture *f, const char *sql, struct ArrowArrayStream *stream)
{
    return engine_query(&f->ctx, f->engine, str_of(sql), NULL, STR_NULL, stream, &f->err);
}

/* Rows until the end; *rc is what get_next said last. */
static int64_t drain(struct ArrowArrayStream *stream, int *rc)
{
    int64_t rows = 0;
    for (;;) {
        struct ArrowArray array;
        *rc = stream->get_next(stream, &array);
        if (*rc != 0 || !array.release)
            return rows;
        rows += array.length;
        array.release(&array);
    }
}

static void streams_rows_and_schema(void **state)
{
    struct fixture *f = *state;
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    struct ArrowArray array;
    int rc;
    OK(f, open_query(f, "SELECT range AS i, 'x' || range AS \"s t\", {'a': 1.5::DECIMAL(10,2)} AS st FROM range(100000)", &stream));
    for (int i = 0; i < 2; i++) { /* the schema can be asked for more than once */
        assert_int_equal(stream.get_schema(&stream, &schema), 0);
        assert_int_equal(schema.n_children, 3);
        assert_string_equal(schema.children[0]->format, "l");
        assert_string_equal(schema.children[1]->name, "s t");
        assert_string_equal(schema.children[2]->children[0]->format, "d:10,2,128");
        schema.release(&schema);
    }
    assert_int_equal(stream.get_next(&stream, &array), 0);
    assert_int_equal(((const int64_t *)array.children[0]->buffers[1])[1], 1);
    int64_t rows = array.length;
    array.release(&array);
    assert_int_equal(rows + drain(&stream, &rc), 100000);
    assert_int_equal(rc, 0);
    assert_int_equal(drain(&stream, &rc), 0); /* the end stays the end */
    assert_int_equal(engine_stream_error(&stream, &f->err), STATUS_OK);
    stream.release(&stream);
    assert_null(stream.release);
}

static void empty_results_have_a_schema(void **state)
{
    struct fixture *f = *state;
    struct ArrowArrayStream stream;
    struct ArrowSchema schema;
    int rc;
    OK(f, open_query(f, "SELECT 1 AS a WHERE false", &stream));
    assert_int_equal(stream.get_schema(&stream, &schema), 0);
    assert_int_equal(schema.n_children, 1);
    schema.release(&schema);
    assert_int_equal(drain(&stream, &rc), 0);
    assert_int_equal(rc, 0);
    stream.release(&stream);
}

static void errors_before_and_within_the_stream(void **state)
{
    struct fixture *f = *state;
    struct ArrowArrayStream stream;
    int rc;
    FAILS(f, STATUS_SYNTAX, open_query(f, "SELEC 1", &stream));
    assert_null(stream.release);
    assert_null(strstr(f->err.message, "LINE"));
    FAILS(f, STATUS_COLUMN_NOT_FOUND, open_query(f, "SELECT xx FROM (SELECT 1 AS xy)", &stream));
    FAILS(f, STATUS_FILE_NOT_FOUND, open_query(f, "FROM read_parquet('/no/such.parquet')", &stream));
    fixture_clear(f);
    OK(f, open_query(f, "SELECT CAST(CASE WHEN range < 900000 THEN '1' ELSE 'abc' END AS INTEGER) FROM range(1000000)", &stream));
    drain(&stream, &rc);
    assert_int_not_equal(rc, 0);
    assert_non_null(strstr(stream.get_last_error(&stream), "abc"));
    assert_int_equal(engine_stream_error(&stream, &f->err), STATUS_CONVERSION);
    assert_non_null(strstr(f->err.message, "abc"));
    drain(&stream, &rc);
    assert_int_not_equal(rc, 0);
    stream.release(&stream);
    fixture_clear(f);
}

static void codes_of_run_time_errors(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *sql;
        enum status code;
    } cases[] = {
        {"SELECT 127::TINYINT + range::TINYINT FROM range(1, 3)", STATUS_VALUE_OUT_OF_RANGE},
        {"SELECT CAST(range + 300 AS TINYINT) FROM range(3)", STATUS_VALUE_OUT_OF_RANGE},
        {"SELECT CAST('x' || range AS DATE) FROM range(3)", STATUS_CONVERSION},
        {"SELECT CAST(range * 1000 AS DECIMAL(3,0)) FROM range(3)", STATUS_VALUE_OUT_OF_RANGE},
        {"SELECT error('no good') FROM range(3)", STATUS_INVALID_ARGUMENT},
        {"SELECT nosuch(1)", STATUS_FUNCTION_NOT_FOUND},
        {"SELECT * FROM nosuch", STATUS_TABLE_NOT_FOUND},
        {"SELECT * FROM nosuch.x", STATUS_TABLE_NOT_FOUND},
        {"SELECT ?", STATUS_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < VV_ARRAY_COUNT(cases); i++) {
        struct ArrowArrayStream stream;
        int rc;
        fixture_clear(f);
        enum status st = open_query(f, cases[i].sql, &stream);
        if (st == STATUS_OK) {
            drain(&stream, &rc);
            st = engine_stream_error(&stream, &f->err);
            stream.release(&stream);
        }
        if (st != cases[i].code)
            fail_msg("%s: %s %s", cases[i].sql, status_info(st)->name, f->err.message);
    }
    fixture_clear(f);
}

#define ENDLESS "SELECT count(*) FROM range(100000000) a, range(100000000) b WHERE a.range + b.range = 17"

static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void *cancel_soon(void *user)
{
    struct ctx *ctx = user;
    struct timespec pause = {.tv_nsec = 100000000};
    nanosleep(&pause, NULL);
    ctx->cancelled = true;
    return NULL;
}

static void cancel_interrupts(void **state)
{
    struct fixture *f = *state;
    struct ArrowArrayStream stream;
    pthread_t thread;
    int64_t start = now_ms();
    int rc;
    pthread_create(&thread, NULL, cancel_soon, &f->ctx);
    fixture_clear(f);
    enum status st = open_query(f, ENDLESS, &stream);
    if (st == STATUS_OK) {
        drain(&stream, &rc);
        st = engine_stream_error(&stream, &f->err);
        stream.release(&stream);
    }
    pthread_join(thread, NULL);
    assert_int_equal(st, STATUS_CANCELLED);
    assert_in_range(now_ms() - start, 90, 1500);
    f->ctx.cancelled = false;
    assert_string_equal(ask(f, STR("SELECT 42")), "42");
    fixture_clear(f);
}

static void deadline_interrupts(void **state)
{
    struct fixture *f = *state;
    struct ArrowArrayStream stream;
    int rc;
    f->ctx.deadline_us = ctx_monotonic_us(&f->ctx) + 100000;
    fixture_clear(f);
    enum status st = open_query(f, ENDLESS, &stream);
    if (st == STATUS_OK) {
        drain(&stream, &rc);
        st = engine_stream_error(&stream, &f->err);
        stream.release(&stream);
    }
    assert_int_equal(st, STATUS_DEADLINE_EXCEEDED);
    f->ctx.deadline_us = 0;
    fixture_clear(f);
}

/* A stream that nobody reads to its end gives its connection back in order. */
static void early_release(void **state)
{
    struct fixture *f = *state;
    for (int i = 0; i < 20; i++) {
        struct ArrowArrayStream stream;
        struct ArrowArray array;
        OK(f, open_query(f, "SELECT a.range, b.range FROM range(1000000) a, range(1000) b", &stream));
        assert_int_equal(stream.get_next(&stream, &array), 0);
        array.release(&array);
        stream.release(&stream);
        assert_string_equal(ask(f, STR("SELECT 7")), "7");
    }
    assert_in_range(f->engine->idle_count, 1, 2);
}

static void settings_stay_with_their_connection(void **state)
{
    struct fixture *f = *state;
    static const char sql[] = "SELECT CAST(make_timestamptz(0) AS VARCHAR)";
    struct engine_run run;
    for (int i = 0; i < 3; i++) {
        duckdb_result result;
        OK(f, run_begin(&f->ctx, f->engine, STR("SET TimeZone='Asia/Tokyo'"), &run, &f->err));
        OK(f, run_query(&run, str_of(sql), &result, &f->err));
        char *text = duckdb_value_varchar(&result, 0, 0);
        assert_string_equal(text, "1970-01-01 09:00:00+09");
        duckdb_free(text);
        duckdb_destroy_result(&result);
        run_end(&run);
        assert_string_equal(ask(f, str_of(sql)), "1970-01-01 00:00:00+00");
    }
    FAILS(f, STATUS_INVALID_ARGUMENT, run_begin(&f->ctx, f->engine, STR("SET TimeZone='Nowhere/Land'"), &run, &f->err));
    fixture_clear(f);
}

static void note_progress(void *user, double fraction, uint64_t rows)
{
    if (fraction >= 0 && fraction <= 1)
        atomic_fetch_add((atomic_int *)user, 1);
    (void)rows;
}

static void progress_is_reported(void **state)
{
    struct fixture *f = *state;
    atomic_int calls = 0;
    struct ArrowArrayStream stream;
    int rc;
    run_sql(f, arena_printf(&f->arena, "COPY (SELECT range AS i, random() AS r FROM range(3000000)) TO '%s/p.parquet'", f->directory));
    f->ctx.on_progress = note_progress;
    f->ctx.progress_user = &calls;
    f->ctx.deadline_us = ctx_monotonic_us(&f->ctx) + 1000000;
    if (open_query(f,
                   arena_printf(&f->arena, "SELECT count(*) FROM '%s/p.parquet' a JOIN '%s/p.parquet' b ON a.r < b.r AND a.i <> b.i", f->directory,
                                f->directory),
                   &stream) == STATUS_OK) {
        drain(&stream, &rc);
        stream.release(&stream);
    }
    f->ctx.on_progress = NULL;
    f->ctx.deadline_us = 0;
    assert_true(calls > 0);
    fixture_clear(f);
}

static void small_questions(void **state)
{
    struct fixture *f = *state;
    int64_t n;
    bool is_null;
    OK(f, engine_query_i64(&f->ctx, f->engine, STR("SELECT count(*) FROM range(5)"), &n, &is_null, &f->err));
    assert_true(n == 5 && !is_null);
    OK(f, engine_query_i64(&f->ctx, f->engine, STR("SELECT NULL::BIGINT"), &n, &is_null, &f->err));
    assert_true(is_null);
    FAILS(f, STATUS_INTERNAL, engine_query_i64(&f->ctx, f->engine, STR("SELECT 1 WHERE false"), &n, &is_null, &f->err));
    fixture_clear(f);
}

static void explains(void **state)
{
    struct fixture *f = *state;
    struct buf out = BUF_INIT;
    OK(f, engine_explain(&f->ctx, f->engine, STR("SELECT sum(range) FROM range(10)"), false, &out, &f->err));
    assert_non_null(strstr(out.ptr, "AGGREGATE"));
    buf_clear(&out);
    OK(f, engine_explain(&f->ctx, f->engine, STR("SELECT sum(range) FROM range(10)\nWHERE 'secret' <> ''"), true, &out, &f->err));
    assert_non_null(strstr(out.ptr, "AGGREGATE"));
    assert_null(strstr(out.ptr, "secret"));
    assert_null(strstr(out.ptr, "EXPLAIN ANALYZE"));
    buf_clear(&out);
    FAILS(f, STATUS_SYNTAX, engine_explain(&f->ctx, f->engine, STR("SELEC"), false, &out, &f->err));
    buf_release(&out);
    fixture_clear(f);
}

static void out_of_memory_is_ours(void **state)
{
    struct fixture *f = *state;
    struct engine *small;
    struct engine_config config = {.memory_limit_bytes = 60 << 20, .threads = 1};
    struct ArrowArrayStream stream;
    int rc;
    OK(f, engine_open(&f->ctx, &config, &small, &f->err));
    fixture_clear(f);
    enum status st =
        engine_query(&f->ctx, small, STR("SELECT list(range ORDER BY hash(range)) FROM range(50000000)"), NULL, STR_NULL, &stream, &f->err);
    if (st == STATUS_OK) {
        drain(&stream, &rc);
        st = engine_stream_error(&stream, &f->err);
        stream.release(&stream);
    }
    assert_int_equal(st, STATUS_OUT_OF_MEMORY);
    engine_close(small);
    fixture_clear(f);
}

static void spills_where_told(void **state)
{
    struct fixture *f = *state;
    struct engine *small;
    char *spill = arena_printf(&f->arena, "%s/spill", f->directory);
    struct engine_config config = {.memory_limit_bytes = 100 << 20, .threads = 1, .spill_directory = str_of(spill)};
    int64_t n;
    bool is_null;
    OK(f, engine_open(&f->ctx, &config, &small, &f->err));
    assert_int_not_equal(access(spill, F_OK), 0);
    OK(f, engine_query_i64(&f->ctx, small, STR("SELECT count(*) FROM (SELECT range, hash(range) h FROM range(8000000) ORDER BY h OFFSET 5)"), &n,
                           &is_null, &f->err));
    assert_int_equal(n, 7999995);
    engine_close(small);
}

static void failing_allocations(void **state)
{
    struct fixture *f = *state;
    for (uint64_t n = 1; n < 200; n++) {
        struct ArrowArrayStream stream;
        fixture_clear(f);
        alloc_fail_after(n);
        enum status st = open_query(f, "SELECT range AS a, range AS b FROM range(3)", &stream);
        uint64_t left = alloc_count();
        alloc_fail_after(0);
        (void)left;
        if (st == STATUS_OK) {
            stream.release(&stream);
            if (n > 20)
                break;
        } else {
            assert_int_equal(st, STATUS_OUT_OF_MEMORY);
            assert_null(stream.release);
        }
    }
    fixture_clear(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(streams_rows_and_schema),
        cmocka_unit_test(empty_results_have_a_schema),
        cmocka_unit_test(errors_before_and_within_the_stream),
        cmocka_unit_test(codes_of_run_time_errors),
        cmocka_unit_test(cancel_interrupts),
        cmocka_unit_test(deadline_interrupts),
        cmocka_unit_test(early_release),
        cmocka_unit_test(settings_stay_with_their_connection),
        cmocka_unit_test(progress_is_reported),
        cmocka_unit_test(small_questions),
        cmocka_unit_test(explains),
        cmocka_unit_test(out_of_memory_is_ours),
        cmocka_unit_test(spills_where_told),
        cmocka_unit_test(failing_allocations),
    };
    return cmocka_run_group_tests(tests, fixture_setup, fixture_teardown);
}
