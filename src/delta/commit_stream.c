/* delta/commit_stream.c: a run of commits, read and parsed ahead of their use.
 *
 * Replaying a long tail of commits is mostly parsing, and every file can be parsed for itself.  So a few threads take versions in
 * order and leave the results in a ring, from which the replay takes them one after another; when the one it needs is not there
 * yet, it parses one itself.  Nobody is woken for less than there is to do: by then a sleeping processor would cost more than a
 * commit.  A short run has no threads. */
#include "delta/delta_int.h"

#include <unistd.h>

enum { THREADS_MAX = 8, RING = 4 * THREADS_MAX, COMMITS_PER_THREAD = 16, USED_MAX_BYTES = 1 << 20 };

struct slot {
    bool ready;
    enum store_result result;
    struct delta_commit commit;
    struct error err;
};

struct delta_commit_stream {
    struct ctx *ctx;
    struct delta_table *table;
    pthread_mutex_t lock;
    pthread_cond_t filled, drained;
    int64_t next_read, next_taken, last; /* versions */
    int64_t awaited;                     /* whoever has it ready wakes the taker; -1: it does not wait */
    size_t idle;                         /* threads that wait for room */
    bool stop;
    struct slot ring[RING];
    struct delta_commit used[RING]; /* given back: their memory serves the commits to come */
    size_t used_count;
    pthread_t threads[THREADS_MAX];
    size_t thread_count;
};

static bool has_room(const struct delta_commit_stream *s) { return s->next_read - s->next_taken < RING; }

/* False: nothing is left to read.  The lock is held. */
static bool next_version(struct delta_commit_stream *s, int64_t *version)
{
    while (!s->stop && s->next_read <= s->last && !has_room(s)) {
        s->idle++;
        pthread_cond_wait(&s->drained, &s->lock);
        s->idle--;
    }
    bool any = !s->stop && s->next_read <= s->last;
    if (any)
        *version = s->next_read++;
    return any;
}

/* The lock is held, but not while reading. */
static void read_one(struct delta_commit_stream *s, int64_t version)
{
    struct slot *slot = &s->ring[version % RING];
    slot->commit = s->used_count ? s->used[--s->used_count] : (struct delta_commit){0};
    pthread_mutex_unlock(&s->lock);
    slot->err = ERROR_INIT;
    slot->result = delta_commit_read_over(s->ctx, s->table, version, &slot->commit, &slot->err);
    pthread_mutex_lock(&s->lock);
    slot->ready = true;
    s->stop |= slot->result != STORE_OK; /* whoever takes it goes no further */
    if (s->awaited >= 0 && (s->awaited == version || s->stop))
        pthread_cond_signal(&s->filled);
}

static void *read_ahead(void *arg)
{
    struct delta_commit_stream *s = arg;
    pthread_mutex_lock(&s->lock);
    for (int64_t version; next_version(s, &version);)
        read_one(s, version);
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

static size_t threads_for(int64_t commits)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    int64_t wanted = commits / COMMITS_PER_THREAD;
    if (processors < 2 || wanted < 2)
        return 0;
    int64_t most = processors <= THREADS_MAX ? processors - 1 : THREADS_MAX; /* the taker is one more */
    return (size_t)(wanted < most ? wanted : most);
}

struct delta_commit_stream *delta_commit_stream_new(struct ctx *ctx, struct delta_table *t, int64_t first, int64_t last)
{
    struct delta_commit_stream *s = mem_calloc(1, sizeof *s);
    if (!s)
        return NULL;
    s->ctx = ctx;
    s->table = t;
    s->next_read = s->next_taken = first;
    s->last = last;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->filled, NULL);
    pthread_cond_init(&s->drained, NULL);
    s->awaited = -1;
    size_t wanted = threads_for(last - first + 1);
    while (s->thread_count < wanted && pthread_create(&s->threads[s->thread_count], NULL, read_ahead, s) == 0)
        s->thread_count++;
    return s;
}

/* Until the version is there, or nobody will read it.  The lock is held. */
static void await(struct delta_commit_stream *s, int64_t version)
{
    const struct slot *slot = &s->ring[version % RING];
    while (!slot->ready && !(s->stop && version >= s->next_read)) {
        int64_t other;
        if (!s->stop && s->next_read <= s->last && has_room(s) && next_version(s, &other)) {
            read_one(s, other);
            continue;
        }
        s->awaited = version;
        pthread_cond_wait(&s->filled, &s->lock);
        s->awaited = -1;
    }
}

/* What the threads have of the version; they stopped before it when one failed. */
static enum store_result take(struct delta_commit_stream *s, int64_t version, struct delta_commit *out, struct error *err)
{
    struct slot *slot = &s->ring[version % RING];
    pthread_mutex_lock(&s->lock);
    await(s, version);
    bool ready = slot->ready;
    enum store_result result = slot->result;
    struct error failure = ERROR_INIT;
    if (ready) { /* all of it now: the slot is another thread's as soon as the lock is given up */
        *out = slot->commit;
        failure = slot->err;
    }
    slot->ready = false;
    s->next_taken = version + 1;
    if (s->idle && s->next_read - s->next_taken <= RING / 2)
        pthread_cond_broadcast(&s->drained);
    pthread_mutex_unlock(&s->lock);
    if (!ready)
        return delta_commit_read(s->ctx, s->table, version, out, err);
    if (result == STORE_OK)
        error_release(&failure);
    else
        error_move(err, &failure);
    return result;
}

enum store_result delta_commit_stream_next(struct delta_commit_stream *s, int64_t version, struct delta_commit *out, struct error *err)
{
    if (s->thread_count == 0 || version != s->next_taken)
        return delta_commit_read(s->ctx, s->table, version, out, err);
    return take(s, version, out, err);
}

void delta_commit_stream_give_back(struct delta_commit_stream *s, struct delta_commit *commit)
{
    pthread_mutex_lock(&s->lock);
    bool kept = s->thread_count && s->used_count < RING && commit->text.cap <= USED_MAX_BYTES;
    if (kept) {
        s->used[s->used_count++] = *commit;
        *commit = (struct delta_commit){0};
    }
    pthread_mutex_unlock(&s->lock);
    if (!kept)
        delta_commit_release(commit);
}

void delta_commit_stream_free(struct delta_commit_stream *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_broadcast(&s->drained);
    pthread_mutex_unlock(&s->lock);
    for (size_t i = 0; i < s->thread_count; i++)
        pthread_join(s->threads[i], NULL);
    for (size_t i = 0; i < RING; i++) {
        if (!s->ring[i].ready)
            continue;
        if (s->ring[i].result == STORE_OK)
            delta_commit_release(&s->ring[i].commit);
        error_release(&s->ring[i].err);
    }
    for (size_t i = 0; i < s->used_count; i++)
        delta_commit_release(&s->used[i]);
    pthread_cond_destroy(&s->filled);
    pthread_cond_destroy(&s->drained);
    pthread_mutex_destroy(&s->lock);
    mem_free(s);
}
