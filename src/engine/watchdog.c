/* engine/watchdog.c: one thread that looks after the statements that run: it interrupts those whose request
 * was cancelled or is late, and reports progress.  It sleeps without a timeout while nothing runs. */
#include "engine/engine_int.h"

#include <time.h>

#define TICK_NS 20000000L
#define PROGRESS_EVERY_US 150000

static void report_progress(struct watch *watch)
{
    struct ctx *ctx = watch->ctx;
    int64_t now_us = ctx_monotonic_us(ctx);
    if (!ctx->on_progress || now_us < watch->next_progress_us)
        return;
    watch->next_progress_us = now_us + PROGRESS_EVERY_US;
    duckdb_query_progress_type progress = duckdb_query_progress(watch->duck);
    if (progress.percentage >= 0)
        ctx->on_progress(ctx->progress_user, progress.percentage / 100.0, progress.rows_processed);
}

/* An interrupt is forgotten when the statement had not started yet, so it is repeated at every tick. */
static void look_at(struct watch *watch)
{
    if (ctx_check(watch->ctx, NULL) != STATUS_OK)
        duckdb_interrupt(watch->duck);
    else
        report_progress(watch);
}

static void sleep_one_tick(struct watchdog *w)
{
    struct timespec until;
    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_nsec += TICK_NS;
    if (until.tv_nsec >= 1000000000L) {
        until.tv_nsec -= 1000000000L;
        until.tv_sec++;
    }
    pthread_cond_timedwait(&w->wake, &w->lock, &until);
}

static void *watch_all(void *user)
{
    struct watchdog *w = user;
    pthread_mutex_lock(&w->lock);
    while (!w->stopping) {
        if (!w->first) {
            w->asleep = true;
            pthread_cond_wait(&w->wake, &w->lock);
            w->asleep = false;
            continue;
        }
        sleep_one_tick(w);
        for (struct watch *watch = w->first; watch; watch = watch->next)
            look_at(watch);
    }
    pthread_mutex_unlock(&w->lock);
    return NULL;
}

enum status watchdog_init(struct watchdog *w, struct error *err)
{
    pthread_condattr_t attr;
    *w = (struct watchdog){0};
    pthread_mutex_init(&w->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&w->wake, &attr);
    pthread_condattr_destroy(&attr);
    int rc = pthread_create(&w->thread, NULL, watch_all, w);
    w->running = rc == 0;
    return rc == 0 ? STATUS_OK : error_set_errno(err, rc, "cannot start the engine's watchdog thread");
}

void watchdog_release(struct watchdog *w)
{
    if (w->running) {
        pthread_mutex_lock(&w->lock);
        w->stopping = true;
        pthread_cond_signal(&w->wake);
        pthread_mutex_unlock(&w->lock);
        pthread_join(w->thread, NULL);
    }
    pthread_cond_destroy(&w->wake);
    pthread_mutex_destroy(&w->lock);
}

void watch_begin(struct watchdog *w, struct watch *watch, struct ctx *ctx, duckdb_connection duck)
{
    *watch = (struct watch){.ctx = ctx, .duck = duck, .next_progress_us = ctx_monotonic_us(ctx) + PROGRESS_EVERY_US};
    pthread_mutex_lock(&w->lock);
    watch->next = w->first;
    if (w->first)
        w->first->prev = watch;
    w->first = watch;
    if (w->asleep)
        pthread_cond_signal(&w->wake);
    pthread_mutex_unlock(&w->lock);
}

void watch_end(struct watchdog *w, struct watch *watch)
{
    if (!watch->duck)
        return;
    pthread_mutex_lock(&w->lock);
    *(watch->prev ? &watch->prev->next : &w->first) = watch->next;
    if (watch->next)
        watch->next->prev = watch->prev;
    pthread_mutex_unlock(&w->lock);
    *watch = (struct watch){0};
}
