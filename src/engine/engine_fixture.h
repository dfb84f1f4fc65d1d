/* engine/engine_fixture.h: what the tests of this room share. */
#ifndef VARVE_ENGINE_FIXTURE_H
#define VARVE_ENGINE_FIXTURE_H

#include "engine/engine_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <cmocka.h>

struct fixture {
    struct ctx ctx;
    struct engine *engine;
    struct error err;
    struct arena arena;
    char directory[64]; /* made and removed by the fixture */
};

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    ctx_init(&f->ctx);
    f->err = ERROR_INIT;
    strcpy(f->directory, "/tmp/varve-engine-XXXXXX");
    assert_non_null(mkdtemp(f->directory));
    struct engine_config config = {.threads = 2};
    assert_int_equal(engine_open(&f->ctx, &config, &f->engine, &f->err), STATUS_OK);
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;
    char command[96];
    engine_close(f->engine);
    error_release(&f->err);
    arena_release(&f->arena);
    snprintf(command, sizeof(command), "rm -rf '%s'", f->directory);
    int rc = system(command);
    free(f);
    return rc;
}

static inline void fixture_clear(struct fixture *f)
{
    error_release(&f->err);
    f->err = ERROR_INIT;
}

/* Expects OK and shows the error otherwise. */
#define OK(f, call)                                                                                                                                  \
    do {                                                                                                                                             \
        enum status ok_status = (call);                                                                                                              \
        if (ok_status != STATUS_OK)                                                                                                                  \
            fail_msg("%s: %s | %s | %s", status_info(ok_status)->name, (f)->err.message, (f)->err.detail, (f)->err.hint);                            \
    } while (0)

/* Expects a code; the error stays for a look, until the next FAILS or fixture_clear. */
#define FAILS(f, code, call)                                                                                                                         \
    do {                                                                                                                                             \
        fixture_clear(f);                                                                                                                            \
        enum status fails_status = (call);                                                                                                           \
        if (fails_status != (code))                                                                                                                  \
            fail_msg("got %s (%s)", fails_status ? status_info(fails_status)->name : "OK", (f)->err.message);                                        \
    } while (0)

/* Runs a statement on the executing instance. */
static inline void run_sql(struct fixture *f, const char *sql)
{
    struct engine_run run;
    OK(f, run_begin(&f->ctx, f->engine, STR_NULL, &run, &f->err));
    OK(f, run_execute(&run, str_of(sql), &f->err));
    run_end(&run);
}

/* The first column of a result, cast to text, rows joined by "|"; NULL as "NULL".  In the fixture's arena. */
static inline const char *ask(struct fixture *f, struct str sql)
{
    struct engine_run run;
    duckdb_result result;
    char *out = arena_printf(&f->arena, "%s", "");
    OK(f, run_begin(&f->ctx, f->engine, STR_NULL, &run, &f->err));
    OK(f, run_query(&run, sql, &result, &f->err));
    for (idx_t i = 0; i < duckdb_row_count(&result); i++) {
        char *value = duckdb_value_varchar(&result, 0, i);
        out = arena_printf(&f->arena, "%s%s%s", out, i ? "|" : "", value ? value : "NULL");
        duckdb_free(value);
    }
    duckdb_destroy_result(&result);
    run_end(&run);
    return out;
}

static inline const struct delta_type *schema_of(struct fixture *f, const char *sql)
{
    struct delta_type *type;
    OK(f, delta_type_from_sql(&f->arena, str_of(sql), &type, &f->err));
    return type;
}

#endif
