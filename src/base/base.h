/* base/base.h: what every other room stands on.
 *
 * Six types cross the borders between rooms: ctx, error, str/buf, the Arrow C
 * data structures, snapshots and action lists.  The first four live here.
 *
 * Conventions for the whole program
 *   - A function that can fail returns enum status, takes `struct ctx *` first and
 *     `struct error *` last.  On failure every out-parameter is NULL or zero and
 *     the error is filled in; on success the error is left untouched.
 *   - Life-cycle words: X_init makes a caller-owned X valid; X_release gives back
 *     what it owns and leaves it invalid; X_clear empties it and leaves it usable;
 *     X_free releases and frees a heap X and accepts NULL.  X_ref/X_unref count.
 *   - Units stand last in names (deadline_us, size_bytes); int64_t versions.
 *   - Allocation can fail: alloc functions return NULL, buf keeps a sticky flag.
 */
#ifndef VARVE_BASE_H
#define VARVE_BASE_H

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define VV_PRINTF(fmt_index, args_index) __attribute__((format(printf, fmt_index, args_index)))
#define VV_MUST_USE __attribute__((warn_unused_result))
#define VV_ARRAY_COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- errors ------------------------------------------------------------ */

enum status {
    STATUS_OK = 0,
#define ERROR_CODE(NAME, SQLSTATE, HTTP, RETRIABLE, CAUSE, ACTION) STATUS_##NAME,
#include "base/errors.def"
#undef ERROR_CODE
    STATUS_COUNT
};

/* One row of errors.def. */
struct status_info {
    const char *name;     /* "TABLE_NOT_FOUND" */
    const char *sqlstate; /* five characters */
    int http_status;
    bool retriable;
    const char *cause;  /* one line: what happened */
    const char *action; /* one line: what the user can do */
};
const struct status_info *status_info(enum status code);

/* An error: short lower-case message that names the object, and separate detail,
 * hint and context.  Zero-initialise before first use; error_release when done.
 * position is a byte offset into the statement text the user sent, or -1. */
struct error {
    enum status code;
    char *message;
    char *detail;
    char *hint;
    char *context; /* newline separated, innermost first: "while replaying version 42 of \"sales\"" */
    int64_t position;
};
#define ERROR_INIT ((struct error){.position = -1})

/* Fill err (replacing what it held) and return code, so `return error_set(...)` works. err may be NULL. */
enum status error_set(struct error *err, enum status code, const char *fmt, ...) VV_PRINTF(3, 4);
enum status error_set_errno(struct error *err, int errnum, const char *fmt, ...) VV_PRINTF(3, 4);
enum status error_oom(struct error *err); /* needs no allocation */
/* Add to an error already set; each returns err->code.  With err NULL they do nothing and return the code that this thread set last. */
enum status error_detail(struct error *err, const char *fmt, ...) VV_PRINTF(2, 3);
enum status error_hint(struct error *err, const char *fmt, ...) VV_PRINTF(2, 3);
enum status error_context(struct error *err, const char *fmt, ...) VV_PRINTF(2, 3); /* call while unwinding */
void error_release(struct error *err);
void error_move(struct error *to, struct error *from); /* to is overwritten, from becomes empty */

/* ---- allocation -------------------------------------------------------- */

/* All heap memory of the program comes through these.  With
 * alloc_fail_after(n) the n-th call from now (1-based) and none after fails,
 * on the calling thread only; 0 turns it off.  alloc_count is this thread's
 * number of calls so far. */
void *mem_alloc(size_t size_bytes) VV_MUST_USE;
void *mem_calloc(size_t count, size_t size_bytes) VV_MUST_USE;
void *mem_realloc(void *old, size_t size_bytes) VV_MUST_USE;
void mem_free(void *p);
char *mem_strndup(const char *s, size_t len) VV_MUST_USE;
void alloc_fail_after(uint64_t n);
uint64_t alloc_count(void);

/* An arena: memory by lifetime, freed at once.  arena_alloc is aligned to 16,
 * zeroed, and NULL when memory is out.  Not thread safe. */
struct arena_block;
struct arena {
    struct arena_block *head;
    char *at, *end;
    size_t used_bytes; /* handed out since init or the last clear */
};
#define ARENA_INIT ((struct arena){0})
void *arena_alloc(struct arena *a, size_t size_bytes) VV_MUST_USE;
void *arena_dup(struct arena *a, const void *src, size_t size_bytes) VV_MUST_USE;
char *arena_printf(struct arena *a, const char *fmt, ...) VV_PRINTF(2, 3);
/* Everything that `from` holds lives as long as `to` from now on; from becomes empty. */
void arena_adopt(struct arena *to, struct arena *from);
void arena_clear(struct arena *a);
void arena_release(struct arena *a);
#define ARENA_NEW(a, T) ((T *)arena_alloc((a), sizeof(T)))
#define ARENA_ARRAY(a, T, n) ((T *)arena_alloc((a), sizeof(T) * (size_t)(n)))

/* ---- text -------------------------------------------------------------- */

/* A borrowed view of bytes, usually UTF-8, not NUL terminated. */
struct str {
    const char *ptr;
    size_t len;
};
#define STR(lit) ((struct str){(lit), sizeof(lit) - 1})
#define STR_NULL ((struct str){NULL, 0})
#define STR_ARG(s) (int)(s).len, (s).ptr /* for "%.*s" */
static inline struct str str_of(const char *z) { return (struct str){z, z ? strlen(z) : 0}; }
static inline struct str str_sub(struct str s, size_t from, size_t len) { return (struct str){s.ptr + from, len}; }
bool str_eq(struct str a, struct str b);
bool str_ieq(struct str a, struct str b); /* ASCII case-insensitive */
int str_cmp(struct str a, struct str b);  /* by bytes */
bool str_starts(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
struct str str_trim(struct str s); /* ASCII white space */
bool str_to_i64(struct str s, int64_t *out);
/* Correctly rounded, locale independent, no allocation.  Accepts NaN, Infinity and inf in any case;
 * false when finite text is too large for a double. */
bool str_to_f64(struct str s, double *out);
struct str arena_str(struct arena *a, struct str s); /* NUL-terminated copy; .ptr NULL when out of memory */
/* Smallest edit distance wins; NULL-ptr when nothing is near enough. For "did you mean". */
struct str str_nearest(struct str word, const struct str *candidates, size_t candidate_count);
bool utf8_valid(struct str s);
/* Bytes of the first code point of s (into *code_point unless NULL); 0 when s is empty or does not begin with
 * well-formed UTF-8. */
size_t utf8_step(struct str s, uint32_t *code_point);
size_t utf8_width(struct str s); /* terminal columns */

/* A growing buffer with a ceiling.  When memory is out or the ceiling is hit it
 * sets failed and ignores further appends: check once at the end.  ptr is always
 * NUL terminated when non-NULL. */
struct buf {
    char *ptr;
    size_t len, cap;
    size_t max_bytes; /* 0: no ceiling; survives clear, release and detach */
    bool failed;
    bool over_ceiling; /* failed because of max_bytes, not for want of memory */
};
#define BUF_INIT ((struct buf){0})
void buf_append(struct buf *b, const void *bytes, size_t len);
void buf_str(struct buf *b, struct str s);
void buf_z(struct buf *b, const char *z);
void buf_char(struct buf *b, char c);
void buf_i64(struct buf *b, int64_t v);
void buf_printf(struct buf *b, const char *fmt, ...) VV_PRINTF(2, 3);
bool buf_reserve(struct buf *b, size_t more_bytes);
void buf_clear(struct buf *b);
void buf_release(struct buf *b);
static inline struct str buf_view(const struct buf *b) { return (struct str){b->ptr ? b->ptr : "", b->len}; }
char *buf_detach(struct buf *b);                               /* returns-owned (mem_free) NUL-terminated text; NULL if failed; b becomes empty */
enum status buf_check(const struct buf *b, struct error *err); /* OK, or OUT_OF_MEMORY / LIMIT_EXCEEDED */

/* ---- clock, random, ctx ------------------------------------------------ */

struct clock {
    int64_t (*now_us)(void *self);       /* wall clock, microseconds since 1970 UTC */
    int64_t (*monotonic_us)(void *self); /* for deadlines and timings */
    void *self;
};
extern const struct clock clock_system;

/* Random bytes; the system one reads getrandom, the seeded one repeats. */
struct rng {
    void (*fill)(void *self, void *out, size_t len);
    void *self;
};
extern const struct rng rng_system;
struct rng_seeded {
    uint64_t state[2];
};
struct rng rng_seeded_init(struct rng_seeded *state, uint64_t seed);
/* A random UUID (version 4) as 36 lower-case characters and a NUL. */
void uuid_make(const struct rng *rng, char out[37]);

/* What every call carries.  A ctx is made per request and is read by several
 * threads; only `cancelled` changes.  deadline_us is monotonic, 0 = none. */
struct ctx {
    const struct clock *clock;
    const struct rng *rng;
    struct log *log;
    int64_t deadline_us;
    atomic_bool cancelled;
    struct str identity; /* principal; empty = the local owner of the lake */
    struct str trace_id;
    struct str client;        /* "cli", "http", "c"; goes into commitInfo */
    struct str user_metadata; /* goes into commitInfo where a change brings none of its own; NULL ptr: none */
    /* A commit notes that this version of the application is in the table, and is none when it is in it already; NULL ptr: no application. */
    struct str app_id;
    int64_t app_version;
    /* Called from another thread a few times a second while long work runs; NULL = nobody looks. */
    void (*on_progress)(void *user, double fraction, uint64_t rows);
    void *progress_user;
};
void ctx_init(struct ctx *ctx); /* system clock and random, no deadline, default log */
/* OK, or CANCELLED / DEADLINE_EXCEEDED.  Cheap: call it in loops. */
enum status ctx_check(struct ctx *ctx, struct error *err);
static inline int64_t ctx_now_us(struct ctx *ctx) { return ctx->clock->now_us(ctx->clock->self); }
static inline int64_t ctx_monotonic_us(struct ctx *ctx) { return ctx->clock->monotonic_us(ctx->clock->self); }

/* Where tests can hold the program (injection.c); nothing in a build without VARVE_INJECTION_POINTS. */
#ifdef VARVE_INJECTION_POINTS
void injection_point(struct ctx *ctx, const char *name);
#define INJECTION_POINT(CTX, NAME) injection_point(CTX, NAME)
#else
#define INJECTION_POINT(CTX, NAME) ((void)0)
#endif

/* ---- log --------------------------------------------------------------- */

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };
/* One JSON object per line: {"ts":…,"level":…,"event":…, key:value…}.  Keys come in
 * pairs of const char *: log_event(ctx, LOG_INFO, "commit", "table", name, NULL). */
struct log;
struct log *log_open_fd(int fd, enum log_level min_level); /* returns-owned; NULL when out of memory */
void log_free(struct log *log);
struct log *log_stderr(void); /* the default of ctx_init: warnings and errors to stderr; log_free leaves it alone */
void log_event(struct ctx *ctx, enum log_level level, const char *event, ...) __attribute__((sentinel));

/* ---- hash -------------------------------------------------------------- */

uint64_t hash_bytes(const void *p, size_t len, uint64_t seed); /* fast, not for adversaries' keys on disk */
static inline uint64_t hash_str(struct str s) { return hash_bytes(s.ptr, s.len, 0); }
uint32_t crc32_ieee(const void *p, size_t len, uint32_t seed);

/* ---- time and decimals as text ----------------------------------------- */

/* Civil time, proleptic Gregorian, years 1..9999 outside of which false. */
bool date_from_text(struct str s, int32_t *days); /* "2024-03-15" */
void date_to_text(int32_t days, char out[16]);
/* "2024-03-15T10:20:30[.ffffff][Z|+hh:mm]" or with a blank; date alone is midnight.
 * *has_zone says whether the text named a zone; the value is converted to UTC when it did. */
bool timestamp_from_text(struct str s, int64_t *us, bool *has_zone);
void timestamp_to_iso(int64_t us, bool zulu, char out[40]); /* 2024-03-15T10:20:30.123456Z, trailing zeros cut to 3 or 6 digits */
/* "-12.34" at the given scale without loss (digits beyond scale must be zero); exponent form accepted. */
bool decimal_from_text(struct str s, int scale, __int128 *out);
void decimal_to_text(__int128 v, int scale, char out[48]);

/* ---- Arrow C data and stream interface (ABI, Apache Arrow specification) -- */

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE
#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4
struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};
struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};
#endif
#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE
struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};
#endif

#endif
