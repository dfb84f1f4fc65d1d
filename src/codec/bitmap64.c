/* codec/bitmap64.c: sets of 64-bit numbers on CRoaring, and their bytes.
 *
 * CRoaring trusts what it deserialises: a container whose header lies about its size makes later operations write
 * past their memory.  So the bytes are walked and checked here first (Roaring format specification), and only then
 * handed over. */
#include "codec/codec.h"

#include <roaring/roaring.h>

struct bitmap64_bucket {
    uint32_t key;
    roaring_bitmap_t *low;
};

#define MAX_KEY ((uint32_t)INT32_MAX) /* row numbers are signed elsewhere */

enum {
    COOKIE_PLAIN = 12346,
    COOKIE_RUNS = 12347,
    OFFSETS_FROM = 4, /* with runs: offsets are there from this many containers on */
    ARRAY_MAX = 4096,
    BITSET_BYTES = 8192,
    ADD_AT_ONCE = 1024
};

void bitmap64_release(struct bitmap64 *b)
{
    for (size_t i = 0; i < b->count; i++)
        roaring_bitmap_free(b->buckets[i].low);
    mem_free(b->buckets);
    *b = (struct bitmap64){0};
}

/* ---- buckets ------------------------------------------------------------------------------- */

/* Where the key is, or belongs. */
static size_t position(const struct bitmap64 *b, uint32_t key)
{
    size_t low = 0, high = b->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (b->buckets[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static const roaring_bitmap_t *find(const struct bitmap64 *b, uint32_t key)
{
    size_t at = position(b, key);
    return at < b->count && b->buckets[at].key == key ? b->buckets[at].low : NULL;
}

/* Puts a bitmap, which is taken, at its place; false when memory is out. */
static bool insert(struct bitmap64 *b, uint32_t key, roaring_bitmap_t *low)
{
    if (low && b->count == b->cap) {
        size_t cap = b->cap ? 2 * b->cap : 1;
        struct bitmap64_bucket *grown = mem_realloc(b->buckets, cap * sizeof *grown);
        if (!grown) {
            roaring_bitmap_free(low);
            return false;
        }
        b->buckets = grown;
        b->cap = cap;
    }
    if (!low)
        return false;
    size_t at = position(b, key);
    memmove(&b->buckets[at + 1], &b->buckets[at], (b->count - at) * sizeof *b->buckets);
    b->buckets[at] = (struct bitmap64_bucket){key, low};
    b->count++;
    return true;
}

/* The bitmap of a key, made when it is not there; NULL when memory is out. */
static roaring_bitmap_t *bucket_for(struct bitmap64 *b, uint32_t key)
{
    size_t at = position(b, key);
    if (at < b->count && b->buckets[at].key == key)
        return b->buckets[at].low;
    return insert(b, key, roaring_bitmap_create()) ? b->buckets[at].low : NULL;
}

/* ---- operations ------------------------------------------------------------------------------ */

bool bitmap64_add(struct bitmap64 *b, const uint64_t *values, size_t count)
{
    uint32_t lows[ADD_AT_ONCE];
    for (size_t i = 0; i < count;) {
        uint32_t key = (uint32_t)(values[i] >> 32);
        size_t n = 0;
        for (; i < count && n < ADD_AT_ONCE && values[i] >> 32 == key; i++)
            lows[n++] = (uint32_t)values[i];
        roaring_bitmap_t *low = key <= MAX_KEY ? bucket_for(b, key) : NULL;
        if (!low)
            return false;
        roaring_bitmap_add_many(low, n, lows);
    }
    return true;
}

bool bitmap64_union(struct bitmap64 *into, const struct bitmap64 *more)
{
    for (size_t i = 0; i < more->count; i++) {
        const struct bitmap64_bucket *from = &more->buckets[i];
        size_t at = position(into, from->key);
        if (at < into->count && into->buckets[at].key == from->key)
            roaring_bitmap_or_inplace(into->buckets[at].low, from->low);
        else if (!insert(into, from->key, roaring_bitmap_copy(from->low)))
            return false;
    }
    return true;
}

void bitmap64_subtract(struct bitmap64 *from, const struct bitmap64 *what)
{
    for (size_t i = 0; i < from->count; i++) {
        const roaring_bitmap_t *low = find(what, from->buckets[i].key);
        if (low && from != what)
            roaring_bitmap_andnot_inplace(from->buckets[i].low, low);
        else if (low)
            roaring_bitmap_clear(from->buckets[i].low);
    }
}

bool bitmap64_contains(const struct bitmap64 *b, uint64_t value)
{
    const roaring_bitmap_t *low = find(b, (uint32_t)(value >> 32));
    return low && roaring_bitmap_contains(low, (uint32_t)value);
}

uint64_t bitmap64_count(const struct bitmap64 *b)
{
    uint64_t count = 0;
    for (size_t i = 0; i < b->count; i++)
        count += roaring_bitmap_get_cardinality(b->buckets[i].low);
    return count;
}

bool bitmap64_last(const struct bitmap64 *b, uint64_t *value)
{
    for (size_t i = b->count; i-- > 0;)
        if (!roaring_bitmap_is_empty(b->buckets[i].low)) {
            *value = (uint64_t)b->buckets[i].key << 32 | roaring_bitmap_maximum(b->buckets[i].low);
            return true;
        }
    return false;
}

/* Sets bit `at + (v - first)` for the values v of first…last. */
static void mask_range(const roaring_bitmap_t *low, uint32_t first, uint32_t last, size_t at, uint64_t *words)
{
    uint32_t values[256], n;
    roaring_uint32_iterator_t it;
    roaring_init_iterator(low, &it);
    if (!roaring_move_uint32_iterator_equalorlarger(&it, first))
        return;
    do {
        n = roaring_read_uint32_iterator(&it, values, VV_ARRAY_COUNT(values));
        for (uint32_t i = 0; i < n; i++) {
            if (values[i] > last)
                return;
            size_t bit = at + (values[i] - first);
            words[bit >> 6] |= UINT64_C(1) << (bit & 63);
        }
    } while (n == VV_ARRAY_COUNT(values));
}

void bitmap64_mask(const struct bitmap64 *b, uint64_t first, size_t count, uint64_t *words)
{
    memset(words, 0, (count + 63) / 64 * sizeof *words);
    for (size_t at = 0; at < count;) {
        uint64_t value = first + at, left = (UINT64_C(1) << 32) - (uint32_t)value;
        size_t n = count - at < left ? count - at : (size_t)left;
        const roaring_bitmap_t *low = find(b, (uint32_t)(value >> 32));
        if (low)
            mask_range(low, (uint32_t)value, (uint32_t)(value + n - 1), at, words);
        at += n;
    }
}

size_t bitmap64_first(const struct bitmap64 *b, uint64_t *values, size_t limit)
{
    uint32_t some[ADD_AT_ONCE];
    size_t count = 0;
    for (size_t i = 0; i < b->count && count < limit; i++) {
        uint64_t have = roaring_bitmap_get_cardinality(b->buckets[i].low);
        for (size_t from = 0, n; from < have && count < limit; from += n) {
            n = have - from < ADD_AT_ONCE ? (size_t)(have - from) : ADD_AT_ONCE;
            n = n < limit - count ? n : limit - count;
            roaring_bitmap_range_uint32_array(b->buckets[i].low, from, n, some);
            for (size_t k = 0; k < n; k++)
                values[count++] = (uint64_t)b->buckets[i].key << 32 | some[k];
        }
    }
    return count;
}

/* ---- reading: what a 32-bit bitmap may look like --------------------------------------------------- */

struct reader {
    const uint8_t *bytes;
    size_t len, at;
    struct error *err;
};

static bool damaged(struct reader *r, size_t at, const char *why)
{
    error_set(r->err, STATUS_CORRUPT_DATA, "the bitmap is damaged at byte %zu: %s", at, why);
    return false;
}

/* The next n bytes, or NULL. */
static const uint8_t *take(struct reader *r, size_t n)
{
    if (r->len - r->at < n) {
        damaged(r, r->len, "it ends too early");
        return NULL;
    }
    r->at += n;
    return r->bytes + r->at - n;
}

static uint16_t load16(const uint8_t *p) { return (uint16_t)(p[0] | p[1] << 8); }
static uint32_t load32(const uint8_t *p) { return (uint32_t)load16(p) | (uint32_t)load16(p + 2) << 16; }
static uint64_t load64(const uint8_t *p) { return load32(p) | (uint64_t)load32(p + 4) << 32; }

static bool check_array(struct reader *r, uint32_t count)
{
    size_t start = r->at;
    const uint8_t *values = take(r, 2 * (size_t)count);
    for (uint32_t i = 1; values && i < count; i++)
        if (load16(values + 2 * i) <= load16(values + 2 * (i - 1)))
            return damaged(r, start + 2 * i, "the numbers of a container do not ascend");
    return values != NULL;
}

static bool check_bitset(struct reader *r, uint32_t count)
{
    size_t start = r->at;
    const uint8_t *bits = take(r, BITSET_BYTES);
    uint32_t found = 0;
    for (size_t i = 0; bits && i < BITSET_BYTES; i += 8)
        found += (uint32_t)__builtin_popcountll(load64(bits + i));
    if (bits && found != count)
        return damaged(r, start, "a container does not hold as many numbers as it says");
    return bits != NULL;
}

static bool check_runs(struct reader *r)
{
    const uint8_t *head = take(r, 2);
    uint32_t run_count = head ? load16(head) : 0;
    size_t start = r->at;
    if (head && run_count == 0)
        return damaged(r, start - 2, "a container has no runs");
    const uint8_t *runs = head ? take(r, 4 * (size_t)run_count) : NULL;
    for (uint32_t i = 0, next = 0; runs && i < run_count; i++) {
        uint32_t first = load16(runs + 4 * i), last = first + load16(runs + 4 * i + 2);
        if (first < next || last > UINT16_MAX)
            return damaged(r, start + 4 * i, "the runs of a container overlap");
        next = last + 1;
    }
    return runs != NULL;
}

static bool is_run(const uint8_t *run_flags, uint32_t container) { return run_flags && (run_flags[container / 8] >> container % 8 & 1); }

static bool check_containers(struct reader *r, uint32_t count, const uint8_t *run_flags)
{
    size_t start = r->at;
    const uint8_t *heads = take(r, 4 * (size_t)count);
    if (!heads || ((!run_flags || count >= OFFSETS_FROM) && !take(r, 4 * (size_t)count)))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t numbers = load16(heads + 4 * i + 2) + UINT32_C(1);
        if (i && load16(heads + 4 * i) <= load16(heads + 4 * (i - 1)))
            return damaged(r, start + 4 * i, "the keys of the containers do not ascend");
        bool ok = is_run(run_flags, i) ? check_runs(r) : numbers > ARRAY_MAX ? check_bitset(r, numbers) : check_array(r, numbers);
        if (!ok)
            return false;
    }
    return true;
}

/* Walks one 32-bit bitmap. */
static bool check_low(struct reader *r)
{
    size_t start = r->at;
    const uint8_t *head = take(r, 4), *run_flags = NULL;
    uint32_t count;
    if (!head)
        return false;
    uint32_t cookie = load32(head);
    if (cookie == COOKIE_PLAIN) {
        const uint8_t *size = take(r, 4);
        if (!size)
            return false;
        count = load32(size);
        if (count > UINT32_C(1) << 16)
            return damaged(r, start + 4, "it has more containers than there can be");
    } else if ((cookie & 0xffff) == COOKIE_RUNS) {
        count = (cookie >> 16) + 1;
        run_flags = take(r, (count + 7) / 8);
        if (!run_flags)
            return false;
    } else {
        return damaged(r, start, "a 32-bit bitmap begins with an unknown cookie");
    }
    return check_containers(r, count, run_flags);
}

/* Reads one bitmap that the walk has found to be sound. */
static bool read_low(struct reader *r, struct bitmap64 *out, uint32_t key)
{
    size_t start = r->at;
    if (!check_low(r))
        return false;
    const char *bytes = (const char *)r->bytes + start;
    if (insert(out, key, roaring_bitmap_portable_deserialize_safe(bytes, r->at - start)))
        return true;
    error_oom(r->err);
    return false;
}

/* ---- reading: 64 bits ------------------------------------------------------------------------------------ */

static bool read_buckets(struct reader *r, struct bitmap64 *out)
{
    const uint8_t *head = take(r, 8);
    uint64_t count = head ? load64(head) : 0, next = 0;
    for (uint64_t i = 0; head && i < count; i++) {
        const uint8_t *at = take(r, 4);
        if (!at)
            return false;
        uint32_t key = load32(at);
        if (key < next)
            return damaged(r, r->at - 4, "the keys of the 32-bit bitmaps do not ascend");
        if (key > MAX_KEY)
            return damaged(r, r->at - 4, "a number is too large to be a row's");
        next = (uint64_t)key + 1;
        if (!read_low(r, out, key))
            return false;
    }
    return head != NULL;
}

static bool read_array(struct reader *r, struct bitmap64 *out)
{
    const uint8_t *head = take(r, 4);
    uint32_t count = head ? load32(head) : 0;
    for (uint32_t i = 0; head && i < count; i++) {
        const uint8_t *at = take(r, 4);
        size_t start = r->at;
        if (!at || !read_low(r, out, i))
            return false;
        if (r->at - start != load32(at))
            return damaged(r, start, "a 32-bit bitmap is not as long as it says");
    }
    return head != NULL;
}

static enum status read_all(struct str bytes, bool (*read)(struct reader *, struct bitmap64 *), struct bitmap64 *out, struct error *err)
{
    struct error failure = ERROR_INIT;
    struct reader r = {(const uint8_t *)bytes.ptr, bytes.len, 0, &failure};
    *out = (struct bitmap64){0};
    bool ok = read(&r, out);
    if (ok && r.at < r.len)
        ok = damaged(&r, r.at, "bytes follow its end");
    enum status status = ok ? STATUS_OK : failure.code;
    if (!ok) {
        bitmap64_release(out);
        error_move(err, &failure);
    }
    error_release(&failure);
    return status;
}

enum status bitmap64_read(struct str bytes, struct bitmap64 *out, struct error *err) { return read_all(bytes, read_buckets, out, err); }
enum status bitmap64_read_array(struct str bytes, struct bitmap64 *out, struct error *err) { return read_all(bytes, read_array, out, err); }

/* ---- writing -------------------------------------------------------------------------------------------------- */

static void put32(struct buf *out, uint32_t v)
{
    uint8_t bytes[4] = {(uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24)};
    buf_append(out, bytes, sizeof bytes);
}

/* A copy is made small: others may be reading the set. */
static void put_low(struct buf *out, const roaring_bitmap_t *set)
{
    roaring_bitmap_t *low = roaring_bitmap_copy(set);
    if (!low) {
        out->failed = true;
        return;
    }
    roaring_bitmap_run_optimize(low);
    size_t size = roaring_bitmap_portable_size_in_bytes(low);
    if (buf_reserve(out, size)) {
        out->len += roaring_bitmap_portable_serialize(low, out->ptr + out->len);
        out->ptr[out->len] = '\0';
    }
    roaring_bitmap_free(low);
}

void bitmap64_write(const struct bitmap64 *b, struct buf *out)
{
    uint32_t count = 0;
    for (size_t i = 0; i < b->count; i++)
        count += !roaring_bitmap_is_empty(b->buckets[i].low);
    put32(out, count);
    put32(out, 0);
    for (size_t i = 0; i < b->count; i++) {
        if (roaring_bitmap_is_empty(b->buckets[i].low))
            continue;
        put32(out, b->buckets[i].key);
        put_low(out, b->buckets[i].low);
    }
}
