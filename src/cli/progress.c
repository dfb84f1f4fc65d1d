#include "cli/cli.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

#define QUIET_SECONDS 2.0
enum { BAR_CELLS = 30 };

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

void progress_init(struct progress *p, bool enabled)
{
    *p = (struct progress){.enabled = enabled};
    pthread_mutex_init(&p->lock, NULL);
}

void progress_start(struct progress *p)
{
    pthread_mutex_lock(&p->lock);
    p->running = true;
    p->drawn = false;
    p->started_s = now_s();
    pthread_mutex_unlock(&p->lock);
}

static void erase(struct progress *p)
{
    if (p->drawn)
        fputs("\r\033[K", stderr);
    p->drawn = false;
}

void progress_stop(struct progress *p)
{
    pthread_mutex_lock(&p->lock);
    erase(p);
    p->running = false;
    pthread_mutex_unlock(&p->lock);
}

static void draw(double fraction, uint64_t rows, double seconds)
{
    char bar[BAR_CELLS + 1];
    int full = fraction > 0 ? (int)((fraction < 1 ? fraction : 1) * BAR_CELLS) : 0;
    memset(bar, '-', BAR_CELLS);
    memset(bar, '#', (size_t)full);
    bar[BAR_CELLS] = '\0';
    if (fraction >= 0)
        fprintf(stderr, "\r\033[K[%s] %3.0f %%", bar, (fraction < 1 ? fraction : 1) * 100);
    else
        fputs("\r\033[Kworking", stderr);
    if (rows)
        fprintf(stderr, "  %llu rows", (unsigned long long)rows);
    fprintf(stderr, "  %.1f s", seconds);
    fflush(stderr);
}

void progress_report(void *progress, double fraction, uint64_t rows)
{
    struct progress *p = progress;
    pthread_mutex_lock(&p->lock);
    double seconds = now_s() - p->started_s;
    if (p->enabled && p->running && seconds > QUIET_SECONDS) {
        draw(fraction, rows, seconds);
        p->drawn = true;
    }
    pthread_mutex_unlock(&p->lock);
}
