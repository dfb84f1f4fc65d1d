#include "base/base.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

static int64_t read_clock_us(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static int64_t system_now_us(void *self) { return read_clock_us(CLOCK_REALTIME); }

static int64_t system_monotonic_us(void *self) { return read_clock_us(CLOCK_MONOTONIC); }

const struct clock clock_system = {.now_us = system_now_us, .monotonic_us = system_monotonic_us};

/* Without random bytes two writers could choose one file name: there is no way on. */
static void urandom_fill(char *out, size_t len)
{
    int fd = open("/dev/urandom", O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        abort();
    while (len) {
        ssize_t got = read(fd, out, len);
        if (got <= 0 && errno != EINTR)
            abort();
        if (got > 0) {
            out += got;
            len -= (size_t)got;
        }
    }
    close(fd);
}

static void system_fill(void *self, void *out, size_t len)
{
    char *at = out;
    while (len) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0) {
            urandom_fill(at, len);
            return;
        }
        at += got;
        len -= (size_t)got;
    }
}

const struct rng rng_system = {.fill = system_fill};

static uint64_t splitmix64(uint64_t *x)
{
    uint64_t z = (*x += 0x9E3779B97F4A7C15u);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    return z ^ (z >> 31);
}

static inline uint64_t rotate_left(uint64_t x, int by) { return (x << by) | (x >> (64 - by)); }

/* xoroshiro128++ (Blackman and Vigna, public domain). */
static uint64_t seeded_next(struct rng_seeded *r)
{
    uint64_t s0 = r->state[0], s1 = r->state[1];
    uint64_t result = rotate_left(s0 + s1, 17) + s0;
    s1 ^= s0;
    r->state[0] = rotate_left(s0, 49) ^ s1 ^ (s1 << 21);
    r->state[1] = rotate_left(s1, 28);
    return result;
}

static void seeded_fill(void *self, void *out, size_t len)
{
    char *at = out;
    while (len) {
        uint64_t word = seeded_next(self);
        size_t take = len < sizeof word ? len : sizeof word;
        memcpy(at, &word, take);
        at += take;
        len -= take;
    }
}

struct rng rng_seeded_init(struct rng_seeded *state, uint64_t seed)
{
    state->state[0] = splitmix64(&seed);
    state->state[1] = splitmix64(&seed);
    return (struct rng){.fill = seeded_fill, .self = state};
}

void uuid_make(const struct rng *rng, char out[37])
{
    static const char hex[] = "0123456789abcdef";
    uint8_t b[16];
    rng->fill(rng->self, b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0F) | 0x40); /* version 4 */
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80); /* variant of RFC 9562 */
    char *at = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10)
            *at++ = '-';
        *at++ = hex[b[i] >> 4];
        *at++ = hex[b[i] & 15];
    }
    *at = '\0';
}

void ctx_init(struct ctx *ctx)
{
    *ctx = (struct ctx){
        .clock = &clock_system,
        .rng = &rng_system,
        .log = log_stderr(),
        .identity = STR(""),
        .trace_id = STR(""),
        .client = STR(""),
    };
}

enum status ctx_check(struct ctx *ctx, struct error *err)
{
    if (atomic_load_explicit(&ctx->cancelled, memory_order_relaxed))
        return error_set(err, STATUS_CANCELLED, "the request was cancelled");
    if (ctx->deadline_us && ctx_monotonic_us(ctx) >= ctx->deadline_us)
        return error_set(err, STATUS_DEADLINE_EXCEEDED, "the request did not finish before its deadline");
    return STATUS_OK;
}
