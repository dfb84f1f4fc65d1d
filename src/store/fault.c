/* A store that misbehaves on purpose, to test what stands above. */
#include "store/store_int.h"

#include <errno.h>
#include <time.h>

struct faulty {
    struct store base;
    struct store *real;
    pthread_mutex_t lock;
    struct store_fault plan;
    uint64_t calls;
};

static struct faulty *faulty_of(struct store *s) { return (struct faulty *)s; }

static void sleep_us(int64_t us)
{
    if (us <= 0)
        return;
    struct timespec left = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    while (nanosleep(&left, &left) != 0 && errno == EINTR)
        continue;
}

/* Counts the call and says what shall go wrong with it; a delay is over on return. */
static enum store_fault_kind next_fault(struct store *s)
{
    struct faulty *f = faulty_of(s);
    pthread_mutex_lock(&f->lock);
    uint64_t call = ++f->calls;
    struct store_fault plan = f->plan;
    pthread_mutex_unlock(&f->lock);
    if (call != plan.at_call && !(plan.onwards && call > plan.at_call))
        return STORE_FAULT_NONE;
    if (plan.kind != STORE_FAULT_DELAY)
        return plan.kind;
    sleep_us(plan.delay_us);
    return STORE_FAULT_NONE;
}

/* True when the call must not reach the real store. */
static bool is_refused(enum store_fault_kind fault, const char *call, struct str key, struct error *err)
{
    if (fault == STORE_FAULT_FULL)
        error_set(err, STATUS_STORE_FULL, "cannot %s \"%.*s\": no space left (injected)", call, STR_ARG(key));
    else if (fault == STORE_FAULT_FAIL)
        error_set(err, STATUS_STORE_IO, "cannot %s \"%.*s\": input/output error (injected)", call, STR_ARG(key));
    return fault == STORE_FAULT_FULL || fault == STORE_FAULT_FAIL;
}

/* A question whose answer is lost has simply failed: asking changes nothing. */
static bool is_read_refused(enum store_fault_kind fault, const char *call, struct str key, struct error *err)
{
    return is_refused(fault == STORE_FAULT_LOST_REPLY ? STORE_FAULT_FAIL : fault, call, key, err);
}

static enum store_result lose_reply(enum store_fault_kind fault, enum store_result result)
{
    return fault == STORE_FAULT_LOST_REPLY && result != STORE_FAILED ? STORE_UNKNOWN : result;
}

static enum store_result faulty_read(struct store *s, struct ctx *ctx, struct str key, int64_t offset, int64_t len, struct buf *out,
                                     struct error *err)
{
    enum store_fault_kind fault = next_fault(s);
    if (is_read_refused(fault, "read", key, err))
        return STORE_FAILED;
    size_t before = out->len;
    enum store_result result = store_read_range(faulty_of(s)->real, ctx, key, offset, len, out, err);
    if (result == STORE_OK && fault == STORE_FAULT_TRUNCATE && out->len > before) {
        out->len = before + (out->len - before) / 2;
        out->ptr[out->len] = '\0';
    }
    return result;
}

static enum store_result faulty_list(struct store *s, struct ctx *ctx, struct str prefix, struct str after, store_list_fn fn, void *user,
                                     struct error *err)
{
    if (is_read_refused(next_fault(s), "list", prefix, err))
        return STORE_FAILED;
    return store_list(faulty_of(s)->real, ctx, prefix, after, fn, user, err);
}

static enum store_result faulty_put(struct store *s, struct ctx *ctx, struct str key, const void *bytes, size_t len, struct error *err)
{
    enum store_fault_kind fault = next_fault(s);
    if (is_refused(fault, "write", key, err))
        return STORE_FAILED;
    bool cut = fault == STORE_FAULT_TRUNCATE;
    enum store_result result = store_put(faulty_of(s)->real, ctx, key, bytes, cut ? len / 2 : len, err);
    if (cut && result == STORE_OK)
        return store_failed(error_set(err, STATUS_STORE_IO, "wrote half of \"%.*s\" (injected)", STR_ARG(key)));
    return lose_reply(fault, result);
}

static enum store_result faulty_put_if_absent(struct store *s, struct ctx *ctx, struct str key, const void *bytes, size_t len, struct error *err)
{
    enum store_fault_kind fault = next_fault(s);
    if (is_refused(fault, "write", key, err))
        return STORE_FAILED;
    bool cut = fault == STORE_FAULT_TRUNCATE;
    enum store_result result = store_put_if_absent(faulty_of(s)->real, ctx, key, bytes, cut ? len / 2 : len, err);
    if (cut && result == STORE_OK)
        return store_failed(error_set(err, STATUS_STORE_IO, "wrote half of \"%.*s\" (injected)", STR_ARG(key)));
    return lose_reply(fault, result);
}

/* Half of the bytes never land here: the object is replaced whole or not at all. */
static enum store_result faulty_replace(struct store *s, struct ctx *ctx, struct str key, struct str old, struct str new, struct error *err)
{
    enum store_fault_kind fault = next_fault(s);
    if (is_refused(fault == STORE_FAULT_TRUNCATE ? STORE_FAULT_FAIL : fault, "replace", key, err))
        return STORE_FAILED;
    return lose_reply(fault, store_replace(faulty_of(s)->real, ctx, key, old, new, err));
}

static enum store_result faulty_remove(struct store *s, struct ctx *ctx, struct str key, struct error *err)
{
    enum store_fault_kind fault = next_fault(s);
    if (is_refused(fault, "remove", key, err))
        return STORE_FAILED;
    return lose_reply(fault, store_remove(faulty_of(s)->real, ctx, key, err));
}

static enum store_result faulty_stat(struct store *s, struct ctx *ctx, struct str key, struct store_entry *out, struct error *err)
{
    if (is_read_refused(next_fault(s), "look at", key, err))
        return STORE_FAILED;
    return store_stat(faulty_of(s)->real, ctx, key, out, err);
}

static enum store_result faulty_sync(struct store *s, struct ctx *ctx, const struct str *keys, size_t key_count, struct error *err)
{
    enum store_fault_kind fault = next_fault(s);
    if (is_refused(fault, "sync", keys[0], err))
        return STORE_FAILED;
    return lose_reply(fault, store_sync(faulty_of(s)->real, ctx, keys, key_count, err));
}

static void faulty_locate(struct store *s, struct str key, struct buf *out) { store_locate(faulty_of(s)->real, key, out); }

static enum store_result faulty_prepare(struct store *s, struct ctx *ctx, struct str key, struct error *err)
{
    enum store_fault_kind fault = next_fault(s);
    if (is_refused(fault, "make directory", key, err))
        return STORE_FAILED;
    return lose_reply(fault, store_prepare(faulty_of(s)->real, ctx, key, err));
}

static void faulty_free(struct store *s)
{
    struct faulty *f = faulty_of(s);
    store_unref(f->real);
    pthread_mutex_destroy(&f->lock);
    mem_free(f);
}

static const struct store_vtable faulty_vtable = {
    .name = "fault",
    .read = faulty_read,
    .list = faulty_list,
    .put = faulty_put,
    .put_if_absent = faulty_put_if_absent,
    .replace = faulty_replace,
    .remove = faulty_remove,
    .stat = faulty_stat,
    .sync = faulty_sync,
    .locate = faulty_locate,
    .prepare = faulty_prepare,
    .free = faulty_free,
};

enum status store_open_fault(struct store *base, struct store **out, struct error *err)
{
    *out = NULL;
    struct faulty *f = mem_calloc(1, sizeof *f);
    if (!f)
        return error_oom(err);
    pthread_mutex_init(&f->lock, NULL);
    f->real = store_ref(base);
    store_init(&f->base, &faulty_vtable, base->root);
    *out = &f->base;
    return STATUS_OK;
}

void store_fault_set(struct store *fault, struct store_fault plan)
{
    struct faulty *f = faulty_of(fault);
    pthread_mutex_lock(&f->lock);
    f->plan = plan;
    f->calls = 0;
    pthread_mutex_unlock(&f->lock);
}

uint64_t store_fault_calls(struct store *fault)
{
    struct faulty *f = faulty_of(fault);
    pthread_mutex_lock(&f->lock);
    uint64_t calls = f->calls;
    pthread_mutex_unlock(&f->lock);
    return calls;
}
