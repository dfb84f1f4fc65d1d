/* engine/hash.c: Spark's hash() and xxhash64(), bit for bit.
 *
 * Values are hashed one after the other, each with the hash of those before it as its seed (42 at first); NULL leaves the seed as it is.  Of a text
 * Murmur3 takes four bytes at a time and then every byte that is left as a number of its own, which is Spark's way and not the usual one. */
#include "engine/native.h"

#include <math.h>

enum { SEED = 42 };

/* ---- Murmur3 -------------------------------------------------------------------------------------- */

static uint32_t rotate32(uint32_t x, int n) { return x << n | x >> (32 - n); }
static uint64_t rotate64(uint64_t x, int n) { return x << n | x >> (64 - n); }

static uint32_t murmur_mix(uint32_t h, uint32_t k)
{
    h ^= rotate32(k * 0xcc9e2d51u, 15) * 0x1b873593u;
    return rotate32(h, 13) * 5 + 0xe6546b64u;
}

static uint32_t murmur_end(uint32_t h, uint32_t len)
{
    h ^= len;
    h = (h ^ h >> 16) * 0x85ebca6bu;
    h = (h ^ h >> 13) * 0xc2b2ae35u;
    return h ^ h >> 16;
}

static uint32_t load32(const unsigned char *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t load64(const unsigned char *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof v);
    return v;
}

static uint64_t murmur_int(uint32_t v, uint64_t seed) { return murmur_end(murmur_mix((uint32_t)seed, v), 4); }

static uint64_t murmur_long(uint64_t v, uint64_t seed)
{
    return murmur_end(murmur_mix(murmur_mix((uint32_t)seed, (uint32_t)v), (uint32_t)(v >> 32)), 8);
}

static uint64_t murmur_bytes(const unsigned char *p, size_t len, uint64_t seed)
{
    uint32_t h = (uint32_t)seed;
    size_t i = 0;
    for (; i + 4 <= len; i += 4)
        h = murmur_mix(h, load32(p + i));
    for (; i < len; i++)
        h = murmur_mix(h, (uint32_t)(int32_t)(int8_t)p[i]);
    return murmur_end(h, (uint32_t)len);
}

/* ---- xxHash64 --------------------------------------------------------------------------------------- */

#define PRIME1 0x9E3779B185EBCA87u
#define PRIME2 0xC2B2AE3D27D4EB4Fu
#define PRIME3 0x165667B19E3779F9u
#define PRIME4 0x85EBCA77C2B2AE63u
#define PRIME5 0x27D4EB2F165667C5u

static uint64_t xx_end(uint64_t h)
{
    h = (h ^ h >> 33) * PRIME2;
    h = (h ^ h >> 29) * PRIME3;
    return h ^ h >> 32;
}

static uint64_t xx_round(uint64_t h, uint64_t v) { return rotate64(h + v * PRIME2, 31) * PRIME1; }
static uint64_t xx_word(uint64_t h, uint64_t v) { return rotate64(h ^ xx_round(0, v), 27) * PRIME1 + PRIME4; }
static uint64_t xx_half(uint64_t h, uint32_t v) { return rotate64(h ^ v * PRIME1, 23) * PRIME2 + PRIME3; }

static uint64_t xx_int(uint32_t v, uint64_t seed) { return xx_end(xx_half(seed + PRIME5 + 4, v)); }
static uint64_t xx_long(uint64_t v, uint64_t seed) { return xx_end(xx_word(seed + PRIME5 + 8, v)); }

static uint64_t xx_stripes(const unsigned char *p, size_t len, uint64_t seed)
{
    uint64_t v[4] = {seed + PRIME1 + PRIME2, seed + PRIME2, seed, seed - PRIME1};
    for (size_t at = 0; at + 32 <= len; at += 32)
        for (size_t i = 0; i < 4; i++)
            v[i] = xx_round(v[i], load64(p + at + 8 * i));
    uint64_t h = rotate64(v[0], 1) + rotate64(v[1], 7) + rotate64(v[2], 12) + rotate64(v[3], 18);
    for (size_t i = 0; i < 4; i++)
        h = (h ^ xx_round(0, v[i])) * PRIME1 + PRIME4;
    return h;
}

static uint64_t xx_bytes(const unsigned char *p, size_t len, uint64_t seed)
{
    uint64_t h = (len >= 32 ? xx_stripes(p, len, seed) : seed + PRIME5) + len;
    size_t at = len & ~(size_t)31;
    for (; at + 8 <= len; at += 8)
        h = xx_word(h, load64(p + at));
    for (; at + 4 <= len; at += 4)
        h = xx_half(h, load32(p + at));
    for (; at < len; at++)
        h = rotate64(h ^ p[at] * PRIME5, 11) * PRIME1;
    return xx_end(h);
}

/* ---- values of any type --------------------------------------------------------------------------------- */

struct algorithm {
    uint64_t (*of_int)(uint32_t v, uint64_t seed);
    uint64_t (*of_long)(uint64_t v, uint64_t seed);
    uint64_t (*of_bytes)(const unsigned char *p, size_t len, uint64_t seed);
};
static const struct algorithm murmur3 = {murmur_int, murmur_long, murmur_bytes}, xxhash64 = {xx_int, xx_long, xx_bytes};

/* A vector with those inside of it. */
struct column {
    duckdb_type id, stored; /* stored: of a decimal */
    int width;
    const void *data;
    const uint64_t *validity;
    idx_t fixed; /* elements of an ARRAY */
    struct column *children;
    idx_t child_count;
};

static bool read_column(duckdb_vector vector, struct arena *arena, struct column *out);

static duckdb_vector child_of(duckdb_vector vector, duckdb_type id, idx_t i)
{
    if (id == DUCKDB_TYPE_STRUCT)
        return duckdb_struct_vector_get_child(vector, i);
    return id == DUCKDB_TYPE_ARRAY ? duckdb_array_vector_get_child(vector) : duckdb_list_vector_get_child(vector);
}

static bool read_children(duckdb_vector vector, duckdb_logical_type type, struct arena *arena, struct column *out)
{
    if (out->id == DUCKDB_TYPE_STRUCT)
        out->child_count = duckdb_struct_type_child_count(type);
    else if (out->id == DUCKDB_TYPE_LIST || out->id == DUCKDB_TYPE_ARRAY || out->id == DUCKDB_TYPE_MAP)
        out->child_count = 1;
    out->children = ARENA_ARRAY(arena, struct column, out->child_count + 1);
    bool ok = out->children != NULL;
    for (idx_t i = 0; ok && i < out->child_count; i++)
        ok = read_column(child_of(vector, out->id, i), arena, &out->children[i]);
    return ok;
}

static bool read_column(duckdb_vector vector, struct arena *arena, struct column *out)
{
    duckdb_logical_type type = duckdb_vector_get_column_type(vector);
    *out = (struct column){.id = duckdb_get_type_id(type), .data = duckdb_vector_get_data(vector), .validity = duckdb_vector_get_validity(vector)};
    if (out->id == DUCKDB_TYPE_DECIMAL) {
        out->stored = duckdb_decimal_internal_type(type);
        out->width = duckdb_decimal_width(type);
    }
    if (out->id == DUCKDB_TYPE_ARRAY)
        out->fixed = duckdb_array_type_array_size(type);
    bool ok = read_children(vector, type, arena, out);
    duckdb_destroy_logical_type(&type);
    return ok;
}

static uint64_t hash_float(const struct algorithm *a, float v, uint64_t seed)
{
    uint32_t bits = 0x7fc00000u;
    if (!isnan(v)) {
        v = v == 0 ? 0 : v;
        memcpy(&bits, &v, sizeof bits);
    }
    return a->of_int(bits, seed);
}

static uint64_t hash_double(const struct algorithm *a, double v, uint64_t seed)
{
    uint64_t bits = 0x7ff8000000000000u;
    if (!isnan(v)) {
        v = v == 0 ? 0 : v;
        memcpy(&bits, &v, sizeof bits);
    }
    return a->of_long(bits, seed);
}

/* The shortest big-endian two's complement, as Java's BigInteger has it. */
static uint64_t hash_wide(const struct algorithm *a, __int128 v, uint64_t seed)
{
    unsigned char bytes[16];
    size_t first = 0;
    for (size_t i = 0; i < sizeof bytes; i++)
        bytes[sizeof bytes - 1 - i] = (unsigned char)((unsigned __int128)v >> (8 * i));
    unsigned char filler = v < 0 ? 0xff : 0;
    while (first < sizeof bytes - 1 && bytes[first] == filler && (bytes[first + 1] & 0x80) == (filler & 0x80))
        first++;
    return a->of_bytes(bytes + first, sizeof bytes - first, seed);
}

static __int128 load128(const void *data, idx_t row)
{
    __int128 v;
    memcpy(&v, (const char *)data + row * sizeof v, sizeof v);
    return v;
}

static uint64_t hash_decimal(const struct algorithm *a, const struct column *c, idx_t row, uint64_t seed)
{
    enum { LONG_DIGITS = 18 };
    __int128 v;
    switch (c->stored) {
    case DUCKDB_TYPE_SMALLINT:
        v = ((const int16_t *)c->data)[row];
        break;
    case DUCKDB_TYPE_INTEGER:
        v = ((const int32_t *)c->data)[row];
        break;
    case DUCKDB_TYPE_BIGINT:
        v = ((const int64_t *)c->data)[row];
        break;
    default:
        v = load128(c->data, row);
    }
    return c->width <= LONG_DIGITS ? a->of_long((uint64_t)v, seed) : hash_wide(a, v, seed);
}

static bool hash_value(const struct algorithm *a, const struct column *c, idx_t row, uint64_t *hash);

static bool hash_elements(const struct algorithm *a, const struct column *c, idx_t row, uint64_t *hash)
{
    const duckdb_list_entry *entry = &((const duckdb_list_entry *)c->data)[row];
    idx_t from = c->id == DUCKDB_TYPE_ARRAY ? row * c->fixed : entry->offset, count = c->id == DUCKDB_TYPE_ARRAY ? c->fixed : entry->length;
    bool ok = true;
    for (idx_t i = 0; ok && i < count; i++)
        ok = hash_value(a, &c->children[0], from + i, hash);
    return ok;
}

static bool hash_nested(const struct algorithm *a, const struct column *c, idx_t row, uint64_t *hash)
{
    bool ok = true;
    if (c->id != DUCKDB_TYPE_STRUCT)
        return hash_elements(a, c, row, hash);
    for (idx_t i = 0; ok && i < c->child_count; i++)
        ok = hash_value(a, &c->children[i], row, hash);
    return ok;
}

static bool hash_text(const struct algorithm *a, const struct column *c, idx_t row, uint64_t *hash)
{
    struct str s = vector_str(&((const duckdb_string_t *)c->data)[row]);
    *hash = a->of_bytes((const unsigned char *)s.ptr, s.len, *hash);
    return true;
}

/* Moments in other units than Spark's microseconds. */
static int64_t micros_of(const struct column *c, idx_t row)
{
    int64_t v = ((const int64_t *)c->data)[row];
    switch (c->id) {
    case DUCKDB_TYPE_TIMESTAMP_S:
        return v * 1000000;
    case DUCKDB_TYPE_TIMESTAMP_MS:
        return v * 1000;
    case DUCKDB_TYPE_TIMESTAMP_NS:
        return v / 1000 - (v % 1000 < 0);
    default:
        return v;
    }
}

/* False when the type has no hash. */
static bool hash_value(const struct algorithm *a, const struct column *c, idx_t row, uint64_t *hash)
{
    uint64_t seed = *hash;
    if (!vector_valid(c->validity, row) || c->id == DUCKDB_TYPE_SQLNULL)
        return true;
    switch (c->id) {
    case DUCKDB_TYPE_BOOLEAN:
        *hash = a->of_int(((const bool *)c->data)[row], seed);
        return true;
    case DUCKDB_TYPE_TINYINT:
        *hash = a->of_int((uint32_t)((const int8_t *)c->data)[row], seed);
        return true;
    case DUCKDB_TYPE_SMALLINT:
        *hash = a->of_int((uint32_t)((const int16_t *)c->data)[row], seed);
        return true;
    case DUCKDB_TYPE_INTEGER:
    case DUCKDB_TYPE_DATE:
        *hash = a->of_int((uint32_t)((const int32_t *)c->data)[row], seed);
        return true;
    case DUCKDB_TYPE_BIGINT:
    case DUCKDB_TYPE_TIMESTAMP:
    case DUCKDB_TYPE_TIMESTAMP_TZ:
    case DUCKDB_TYPE_TIMESTAMP_S:
    case DUCKDB_TYPE_TIMESTAMP_MS:
    case DUCKDB_TYPE_TIMESTAMP_NS:
        *hash = a->of_long((uint64_t)micros_of(c, row), seed);
        return true;
    case DUCKDB_TYPE_HUGEINT:
        *hash = hash_wide(a, load128(c->data, row), seed);
        return true;
    case DUCKDB_TYPE_FLOAT:
        *hash = hash_float(a, ((const float *)c->data)[row], seed);
        return true;
    case DUCKDB_TYPE_DOUBLE:
        *hash = hash_double(a, ((const double *)c->data)[row], seed);
        return true;
    case DUCKDB_TYPE_DECIMAL:
        *hash = hash_decimal(a, c, row, seed);
        return true;
    case DUCKDB_TYPE_VARCHAR:
    case DUCKDB_TYPE_BLOB:
        return hash_text(a, c, row, hash);
    case DUCKDB_TYPE_LIST:
    case DUCKDB_TYPE_ARRAY:
    case DUCKDB_TYPE_STRUCT:
        return hash_nested(a, c, row, hash);
    default:
        return false; /* maps too: two that are equal may have their keys in another order */
    }
}

/* The hash of every row, 42 where there is nothing but NULL; false when a type has none. */
static bool hash_rows(const struct algorithm *a, duckdb_function_info info, duckdb_data_chunk input, uint64_t *out)
{
    struct arena arena = ARENA_INIT;
    idx_t columns = duckdb_data_chunk_get_column_count(input), rows = duckdb_data_chunk_get_size(input);
    bool ok = true;
    for (idx_t i = 0; i < rows; i++)
        out[i] = SEED;
    for (idx_t c = 0; ok && c < columns; c++) {
        struct column column;
        if (!(ok = read_column(duckdb_data_chunk_get_vector(input, c), &arena, &column)))
            duckdb_scalar_function_set_error(info, "out of memory");
        for (idx_t i = 0; ok && i < rows; i++)
            if (!(ok = hash_value(a, &column, i, &out[i])))
                duckdb_scalar_function_set_error(
                    info, "hash functions take no maps, intervals, variants and unsigned numbers; cast them, or take map_entries(m)");
        arena_clear(&arena);
    }
    arena_release(&arena);
    return ok;
}

void native_hash_murmur3(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    idx_t rows = duckdb_data_chunk_get_size(input);
    int32_t *out = duckdb_vector_get_data(output);
    uint64_t *hashes = mem_calloc(rows + 1, sizeof *hashes);
    if (!hashes)
        duckdb_scalar_function_set_error(info, "out of memory");
    else if (hash_rows(&murmur3, info, input, hashes))
        for (idx_t i = 0; i < rows; i++)
            out[i] = (int32_t)(uint32_t)hashes[i];
    mem_free(hashes);
}

void native_hash_xxhash64(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    hash_rows(&xxhash64, info, input, duckdb_vector_get_data(output));
}
