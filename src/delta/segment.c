/* delta/segment.c: add actions by column, and the rows of a path.
 *
 * A segment of a million files costs an array entry per column and the bytes of its paths: nothing is
 * allocated per row.  Statistics of checkpoint rows stay in the checkpoint until a predicate asks for them,
 * and the path index is built when the first commit has to find a row. */
#include "delta/delta_int.h"

enum { FIRST_ROWS = 16, FIRST_SLOTS = 32 };

/* ---- paths as keys ------------------------------------------------------------------------ */

/* Two spellings of one path are equal when their decoded forms are (RFC 3986 section 6.2.2.2); without a '%' a path is
 * its own decoded form, and one that does not decode stands for itself. */
bool delta_path_key_init_hashed(struct delta_path_key *key, struct str path, uint64_t hash)
{
    key->text = path;
    key->hash = hash;
    if (!path.len || !memchr(path.ptr, '%', path.len))
        return true;
    buf_clear(&key->scratch);
    bool decodes = uri_decode(&key->scratch, path);
    if (key->scratch.failed)
        return false;
    if (decodes) {
        key->text = buf_view(&key->scratch);
        key->hash = hash_str(key->text);
    }
    return true;
}

bool delta_path_key_init(struct delta_path_key *key, struct str path) { return delta_path_key_init_hashed(key, path, hash_str(path)); }

static bool same_path(struct str stored, const struct delta_path_key *key, struct buf *scratch)
{
    if (str_eq(stored, key->text))
        return true;
    if (!memchr(stored.ptr, '%', stored.len))
        return false;
    buf_clear(scratch);
    return uri_decode(scratch, stored) && str_eq(buf_view(scratch), key->text);
}

bool delta_dv_equal(const struct delta_dv *a, const struct delta_dv *b)
{
    if (!a || !b)
        return a == b;
    return a->offset == b->offset && str_eq(a->storage, b->storage) && str_eq(a->path, b->path);
}

/* ---- life ----------------------------------------------------------------------------------- */

struct delta_segment *delta_segment_new(uint32_t partition_count)
{
    struct delta_segment *g = mem_calloc(1, sizeof *g);
    if (!g)
        return NULL;
    atomic_init(&g->refs, 1);
    pthread_mutex_init(&g->lazy_lock, NULL);
    g->partition_count = partition_count;
    g->partition_codes = mem_calloc(partition_count ? partition_count : 1, sizeof *g->partition_codes);
    g->dictionaries = mem_calloc(partition_count ? partition_count : 1, sizeof *g->dictionaries);
    if (g->partition_codes && g->dictionaries)
        return g;
    delta_segment_unref(g);
    return NULL;
}

struct delta_segment *delta_segment_ref(struct delta_segment *g)
{
    atomic_fetch_add_explicit(&g->refs, 1, memory_order_relaxed);
    return g;
}

static void free_partitions(struct delta_segment *g)
{
    for (uint32_t p = 0; p < g->partition_count; p++) {
        if (g->partition_codes)
            mem_free(g->partition_codes[p]);
        if (g->dictionaries) {
            mem_free(g->dictionaries[p].values);
            mem_free(g->dictionaries[p].slots);
        }
    }
    mem_free(g->partition_codes);
    mem_free(g->dictionaries);
}

void delta_segment_unref(struct delta_segment *g)
{
    if (!g || atomic_fetch_sub_explicit(&g->refs, 1, memory_order_acq_rel) != 1)
        return;
    free_partitions(g);
    delta_stats_columns_free(g->stats_columns);
    mem_free(g->index);
    mem_free(g->stats);
    mem_free(g->batches);
    mem_free(g->dvs);
    mem_free(g->base_row_ids);
    mem_free(g->row_versions);
    mem_free(g->modified_ms);
    mem_free(g->size_bytes);
    mem_free(g->paths);
    arena_release(&g->stats_arena);
    arena_release(&g->arena);
    pthread_mutex_destroy(&g->lazy_lock);
    mem_free(g);
}

/* ---- filling ---------------------------------------------------------------------------------- */

static bool resize(void *array, size_t count, size_t item_bytes)
{
    void *old;
    memcpy(&old, array, sizeof old);
    void *bigger = mem_realloc(old, count * item_bytes);
    if (!bigger)
        return false;
    memcpy(array, &bigger, sizeof bigger);
    return true;
}

/* On failure the segment stays valid: arrays that grew are merely larger than cap says. */
static enum status reserve(struct delta_segment *g, size_t more, struct error *err)
{
    if (more <= g->cap - g->count)
        return STATUS_OK;
    if (more > UINT32_MAX - 1 - g->count)
        return error_set(err, STATUS_LIMIT_EXCEEDED, "more than %u files in one table", UINT32_MAX - 1);
    size_t cap = g->cap ? g->cap * 2 : FIRST_ROWS;
    while (cap < g->count + more)
        cap *= 2;
    bool ok = resize(&g->paths, cap, sizeof *g->paths) && resize(&g->size_bytes, cap, sizeof *g->size_bytes) &&
              resize(&g->modified_ms, cap, sizeof *g->modified_ms) && (g->part_count > 0 || resize(&g->stats, cap, sizeof *g->stats));
    for (uint32_t p = 0; ok && p < g->partition_count; p++)
        ok = resize(&g->partition_codes[p], cap, sizeof **g->partition_codes);
    if (ok && g->base_row_ids)
        ok = resize(&g->base_row_ids, cap, sizeof *g->base_row_ids) && resize(&g->row_versions, cap, sizeof *g->row_versions);
    if (!ok)
        return error_oom(err);
    g->cap = cap;
    return STATUS_OK;
}

static bool dictionary_rehash(struct delta_dictionary *d)
{
    uint32_t slot_count = d->slot_count ? d->slot_count * 2 : FIRST_SLOTS;
    uint32_t *slots = mem_calloc(slot_count, sizeof *slots);
    if (!slots)
        return false;
    for (uint32_t code = 1; code < d->count; code++) {
        uint32_t at = (uint32_t)hash_str(d->values[code]) & (slot_count - 1);
        while (slots[at])
            at = (at + 1) & (slot_count - 1);
        slots[at] = code;
    }
    mem_free(d->slots);
    d->slots = slots;
    d->slot_count = slot_count;
    return true;
}

static bool dictionary_reserve(struct delta_dictionary *d)
{
    if (d->count + 1 >= d->cap) {
        uint32_t cap = d->cap ? d->cap * 2 : FIRST_ROWS;
        if (!resize(&d->values, cap, sizeof *d->values))
            return false;
        d->cap = cap;
        if (d->count == 0)
            d->values[d->count++] = STR_NULL;
    }
    return d->count < d->slot_count / 2 || dictionary_rehash(d);
}

bool delta_dictionary_code(struct delta_dictionary *d, struct arena *arena, struct str value, uint32_t *code)
{
    if (!dictionary_reserve(d))
        return false;
    *code = 0;
    if (!value.ptr)
        return true;
    uint32_t at = (uint32_t)hash_str(value) & (d->slot_count - 1);
    for (; d->slots[at]; at = (at + 1) & (d->slot_count - 1))
        if (str_eq(d->values[d->slots[at]], value)) {
            *code = d->slots[at];
            return true;
        }
    struct str copy = arena_str(arena, value);
    if (!copy.ptr)
        return false;
    d->values[d->count] = copy;
    *code = d->slots[at] = d->count++;
    return true;
}

static enum status append_dv(struct delta_segment *g, size_t row, const struct delta_dv *dv, struct error *err)
{
    if (g->dv_count == g->dv_cap) {
        size_t cap = g->dv_cap ? g->dv_cap * 2 : FIRST_ROWS;
        if (!resize(&g->dvs, cap, sizeof *g->dvs))
            return error_oom(err);
        g->dv_cap = cap;
    }
    struct delta_dv_row copy = {.row = (uint32_t)row, .dv = *dv};
    copy.dv.storage = arena_str(&g->arena, dv->storage);
    copy.dv.path = arena_str(&g->arena, dv->path);
    if (!copy.dv.storage.ptr || !copy.dv.path.ptr)
        return error_oom(err);
    g->dvs[g->dv_count++] = copy;
    return STATUS_OK;
}

/* The arrays appear with the first row that has ids. */
static enum status reserve_row_ids(struct delta_segment *g, size_t known, struct error *err)
{
    if (g->base_row_ids)
        return STATUS_OK;
    int64_t *ids = mem_alloc(g->cap * sizeof *ids), *versions = mem_alloc(g->cap * sizeof *versions);
    if (!ids || !versions) {
        mem_free(ids);
        mem_free(versions);
        return error_oom(err);
    }
    for (size_t i = 0; i < known; i++)
        ids[i] = versions[i] = -1;
    g->base_row_ids = ids;
    g->row_versions = versions;
    return STATUS_OK;
}

enum status delta_segment_set_row_ids(struct delta_segment *g, size_t row, int64_t base_row_id, int64_t row_version, struct error *err)
{
    enum status status = reserve_row_ids(g, g->count, err);
    if (status != STATUS_OK)
        return status;
    g->base_row_ids[row] = base_row_id;
    g->row_versions[row] = row_version;
    return STATUS_OK;
}

enum status delta_segment_append(struct delta_segment *g, struct str path, int64_t size_bytes, int64_t modified_ms,
                                 const struct str *partition_values, const struct delta_dv *dv, struct str stats, struct error *err)
{
    enum status status = reserve(g, 1, err);
    if (status != STATUS_OK)
        return status;
    size_t row = g->count;
    g->paths[row] = arena_str(&g->arena, path);
    g->stats[row] = stats.ptr ? arena_str(&g->arena, stats) : STR_NULL;
    if (!g->paths[row].ptr || (stats.ptr && !g->stats[row].ptr))
        return error_oom(err);
    for (uint32_t p = 0; p < g->partition_count; p++)
        if (!delta_dictionary_code(&g->dictionaries[p], &g->arena, partition_values[p], &g->partition_codes[p][row]))
            return error_oom(err);
    if (dv && (status = append_dv(g, row, dv, err)) != STATUS_OK)
        return status;
    g->size_bytes[row] = size_bytes;
    g->modified_ms[row] = modified_ms;
    if (g->base_row_ids)
        g->base_row_ids[row] = g->row_versions[row] = -1;
    g->total_bytes = delta_sum(g->total_bytes, size_bytes);
    g->count++;
    return STATUS_OK;
}

/* The texts of a batch, in one piece of the arena. */
static bool copy_texts(struct arena *arena, const struct str *from, size_t count, struct str *to)
{
    size_t total = 0;
    for (size_t i = 0; i < count; i++)
        total += from[i].ptr ? from[i].len : 0;
    char *at = arena_alloc(arena, total);
    if (!at)
        return false;
    for (size_t i = 0; i < count; i++) {
        if (!from[i].ptr) {
            to[i] = STR_NULL;
            continue;
        }
        memcpy(at, from[i].ptr, from[i].len);
        to[i] = (struct str){at, from[i].len};
        at += from[i].len;
    }
    return true;
}

/* Neighbouring rows mostly share their partition: a look at the row before saves the hash. */
static bool append_codes(struct delta_segment *g, uint32_t p, const struct str *values, size_t count)
{
    uint32_t *codes = g->partition_codes[p] + g->count;
    struct str previous = STR_NULL;
    uint32_t code = 0;
    for (size_t i = 0; i < count; i++) {
        struct str value = values ? values[i] : STR_NULL;
        bool repeats = i > 0 && value.len == previous.len && (!value.ptr) == (!previous.ptr) &&
                       (value.ptr == previous.ptr || memcmp(value.ptr, previous.ptr, value.len) == 0);
        if (!repeats && !delta_dictionary_code(&g->dictionaries[p], &g->arena, value, &code))
            return false;
        codes[i] = code;
        previous = value;
    }
    return true;
}

static enum status append_dvs(struct delta_segment *g, const struct delta_checkpoint_batch *b, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; b->dv_storage && i < b->rows && status == STATUS_OK; i++) {
        if (!b->dv_storage[i].ptr)
            continue;
        struct delta_dv dv = {
            .storage = b->dv_storage[i],
            .path = b->dv_path && b->dv_path[i].ptr ? b->dv_path[i] : STR(""),
            .offset = b->dv_offset ? b->dv_offset[i] : -1,
            .size_bytes = b->dv_size ? b->dv_size[i] : 0,
            .cardinality = b->dv_cardinality ? b->dv_cardinality[i] : 0,
        };
        status = append_dv(g, g->count + i, &dv, err);
    }
    return status;
}

/* Where a batch goes: what delta_segment_batch_row finds. */
static enum status note_place(struct delta_segment *g, const struct delta_checkpoint_batch *b, struct error *err)
{
    if (b->first_row < 0)
        return STATUS_OK;
    if (g->batch_count == g->batch_cap) {
        size_t cap = g->batch_cap ? g->batch_cap * 2 : FIRST_ROWS;
        if (!resize(&g->batches, cap, sizeof *g->batches))
            return error_oom(err);
        g->batch_cap = cap;
    }
    g->batches[g->batch_count++] = (struct delta_batch_place){(uint32_t)b->part_index, (uint32_t)b->rows, b->first_row, g->count};
    return STATUS_OK;
}

static bool any_known(const int64_t *ids, size_t count)
{
    for (size_t i = 0; i < count; i++)
        if (ids[i] >= 0)
            return true;
    return false;
}

static void copy_row_ids(int64_t *to, const int64_t *from, size_t count)
{
    for (size_t i = 0; i < count; i++)
        to[i] = from ? from[i] : -1;
}

static enum status append_row_ids(struct delta_segment *g, const struct delta_checkpoint_batch *b, struct error *err)
{
    if (!g->base_row_ids && !(b->base_row_id && any_known(b->base_row_id, b->rows)))
        return STATUS_OK;
    enum status status = reserve_row_ids(g, g->count, err);
    if (status != STATUS_OK)
        return status;
    copy_row_ids(g->base_row_ids + g->count, b->base_row_id, b->rows);
    copy_row_ids(g->row_versions + g->count, b->row_version, b->rows);
    return STATUS_OK;
}

enum status delta_segment_append_batch(struct delta_segment *g, const struct delta_checkpoint_batch *b, struct error *err)
{
    if (!b->path || !b->size_bytes)
        return error_set(err, STATUS_CORRUPT_DATA, "the checkpoint has no column add.%s", b->path ? "size" : "path");
    enum status status = reserve(g, b->rows, err);
    if (status == STATUS_OK)
        status = note_place(g, b, err);
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; i < b->rows; i++) {
        if (!b->path[i].ptr || b->path[i].len == 0 || b->size_bytes[i] < 0)
            return error_set(err, STATUS_CORRUPT_DATA, "the checkpoint has a file with %s",
                             b->path[i].ptr && b->path[i].len ? "a negative size" : "an empty path");
        g->total_bytes = delta_sum(g->total_bytes, b->size_bytes[i]);
    }
    memcpy(g->size_bytes + g->count, b->size_bytes, b->rows * sizeof *g->size_bytes);
    if (b->modified_ms)
        memcpy(g->modified_ms + g->count, b->modified_ms, b->rows * sizeof *g->modified_ms);
    else
        memset(g->modified_ms + g->count, 0, b->rows * sizeof *g->modified_ms);
    if (b->texts)
        memcpy(g->paths + g->count, b->path, b->rows * sizeof *g->paths);
    else if (!copy_texts(&g->arena, b->path, b->rows, g->paths + g->count))
        return error_oom(err);
    for (uint32_t p = 0; p < g->partition_count; p++)
        if (!append_codes(g, p, b->partition ? b->partition[p] : NULL, b->rows))
            return error_oom(err);
    status = append_dvs(g, b, err);
    if (status == STATUS_OK)
        status = append_row_ids(g, b, err);
    if (status != STATUS_OK)
        return status;
    if (b->texts)
        arena_adopt(&g->arena, b->texts);
    g->count += b->rows;
    return STATUS_OK;
}

enum status delta_segment_append_row(struct delta_segment *g, const struct delta_segment *from, size_t row, struct str *partition_scratch,
                                     struct error *err)
{
    for (uint32_t p = 0; p < from->partition_count; p++)
        partition_scratch[p] = from->dictionaries[p].values[from->partition_codes[p][row]];
    enum status status = delta_segment_append(g, from->paths[row], from->size_bytes[row], from->modified_ms[row], partition_scratch,
                                              delta_segment_dv(from, row), from->stats[row], err);
    if (status == STATUS_OK && from->base_row_ids && from->base_row_ids[row] >= 0)
        status = delta_segment_set_row_ids(g, g->count - 1, from->base_row_ids[row], from->row_versions[row], err);
    return status;
}

const struct delta_dv *delta_segment_dv(const struct delta_segment *g, size_t row)
{
    size_t low = 0, high = g->dv_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (g->dvs[middle].row < row)
            low = middle + 1;
        else
            high = middle;
    }
    return low < g->dv_count && g->dvs[low].row == row ? &g->dvs[low].dv : NULL;
}

/* ---- index ---------------------------------------------------------------------------------------- */

/* A slot holds 32 bits of the path's hash and row + 1, in one word: a probe touches one cache line.  0 is empty. */
struct index {
    uint64_t *slots;
    size_t slot_count;
};

static uint32_t hash_bits(const struct delta_path_key *key) { return (uint32_t)(key->hash >> 32); }

static uint64_t slot_value(uint32_t hash, size_t row) { return (uint64_t)hash << 32 | (uint32_t)(row + 1); }

static size_t slot_row(uint64_t slot) { return (uint32_t)slot - 1; }

static bool index_alloc(struct index *x, size_t rows)
{
    x->slot_count = FIRST_SLOTS;
    while (x->slot_count < rows * 2)
        x->slot_count *= 2;
    x->slots = mem_calloc(x->slot_count, sizeof *x->slots);
    return x->slots != NULL;
}

/* The slot that holds the key, or the empty one where it belongs. */
static size_t index_slot(const struct index *x, const struct delta_segment *g, const struct delta_path_key *key, struct buf *scratch)
{
    uint32_t hash = hash_bits(key);
    size_t at = hash & (x->slot_count - 1);
    while (x->slots[at] && !(x->slots[at] >> 32 == hash && same_path(g->paths[slot_row(x->slots[at])], key, scratch)))
        at = (at + 1) & (x->slot_count - 1);
    return at;
}

static struct index index_of(const struct delta_segment *g) { return (struct index){g->index, g->index_slots}; }

static void index_adopt(struct delta_segment *g, const struct index *x)
{
    mem_free(g->index);
    g->index = x->slots;
    __atomic_store_n(&g->index_slots, x->slot_count, __ATOMIC_RELEASE);
}

/* Twice the slots; their hashes say where they go, so no path is read. */
static bool index_grow(struct delta_segment *g)
{
    struct index old = index_of(g), x;
    if (!index_alloc(&x, old.slot_count))
        return false;
    for (size_t i = 0; i < old.slot_count; i++) {
        if (!old.slots[i])
            continue;
        size_t at = (old.slots[i] >> 32) & (x.slot_count - 1);
        while (x.slots[at])
            at = (at + 1) & (x.slot_count - 1);
        x.slots[at] = old.slots[i];
    }
    index_adopt(g, &x);
    return true;
}

enum status delta_segment_index_next(struct delta_segment *g, const struct delta_path_key *key, int64_t *previous, struct error *err)
{
    *previous = -1;
    if ((g->count + 1) * 2 > g->index_slots && !index_grow(g))
        return error_oom(err);
    struct index x = index_of(g);
    struct buf scratch = BUF_INIT;
    size_t at = index_slot(&x, g, key, &scratch);
    bool failed = scratch.failed;
    buf_release(&scratch);
    if (failed)
        return error_oom(err);
    if (x.slots[at])
        *previous = (int64_t)slot_row(x.slots[at]);
    x.slots[at] = slot_value(hash_bits(key), g->count);
    return STATUS_OK;
}

uint64_t delta_segment_index_prefetch(const struct delta_segment *g, struct str path)
{
    uint64_t hash = hash_str(path);
    if (g->index_slots)
        __builtin_prefetch(&g->index[(uint32_t)(hash >> 32) & (g->index_slots - 1)], 1);
    return hash;
}

enum { BUILD_ROWS = 64 };

/* Rows whose hashes are known; only where a hash is met again does the path have to be looked at. */
static bool index_insert_block(struct index *x, const struct delta_segment *g, const uint32_t *hashes, size_t first, size_t count,
                               struct delta_path_key *key, struct buf *scratch)
{
    for (size_t i = 0; i < count; i++) {
        size_t at = hashes[i] & (x->slot_count - 1);
        while (x->slots[at] && x->slots[at] >> 32 != hashes[i])
            at = (at + 1) & (x->slot_count - 1);
        if (x->slots[at]) {
            if (!delta_path_key_init(key, g->paths[first + i]))
                return false;
            at = index_slot(x, g, key, scratch);
        }
        x->slots[at] = slot_value(hashes[i], first + i);
    }
    return !scratch->failed;
}

/* By blocks, so that the cache lines of many slots are fetched at the same time. */
static bool index_fill(struct index *x, const struct delta_segment *g, struct delta_path_key *key, struct buf *scratch)
{
    uint32_t hashes[BUILD_ROWS];
    for (size_t first = 0; first < g->count; first += BUILD_ROWS) {
        size_t count = g->count - first < BUILD_ROWS ? g->count - first : BUILD_ROWS;
        for (size_t i = 0; i < count; i++) {
            if (!delta_path_key_init(key, g->paths[first + i]))
                return false;
            hashes[i] = hash_bits(key);
            __builtin_prefetch(&x->slots[hashes[i] & (x->slot_count - 1)], 1);
        }
        if (!index_insert_block(x, g, hashes, first, count, key, scratch))
            return false;
    }
    return true;
}

static enum status index_build(struct delta_segment *g, struct error *err)
{
    struct index x;
    struct delta_path_key key = {.scratch = BUF_INIT};
    struct buf scratch = BUF_INIT;
    if (!index_alloc(&x, g->count))
        return error_oom(err);
    bool ok = index_fill(&x, g, &key, &scratch);
    if (ok)
        index_adopt(g, &x);
    else
        mem_free(x.slots);
    buf_release(&scratch);
    buf_release(&key.scratch);
    return ok ? STATUS_OK : error_oom(err);
}

static enum status index_ensure(struct delta_segment *g, struct error *err)
{
    if (__atomic_load_n(&g->index_slots, __ATOMIC_ACQUIRE))
        return STATUS_OK;
    pthread_mutex_lock(&g->lazy_lock);
    enum status status = g->index_slots ? STATUS_OK : index_build(g, err);
    pthread_mutex_unlock(&g->lazy_lock);
    return status;
}

enum status delta_segment_lookup(struct delta_segment *g, const struct delta_path_key *key, int64_t *row, struct error *err)
{
    *row = -1;
    if (g->count == 0)
        return STATUS_OK;
    enum status status = index_ensure(g, err);
    if (status != STATUS_OK)
        return status;
    struct index x = index_of(g);
    struct buf scratch = BUF_INIT;
    size_t at = index_slot(&x, g, key, &scratch);
    if (scratch.failed)
        status = error_oom(err);
    else if (x.slots[at])
        *row = (int64_t)slot_row(x.slots[at]);
    buf_release(&scratch);
    return status;
}

int64_t delta_segment_find(struct delta_segment *g, struct str path, struct error *err)
{
    struct delta_path_key key = {.scratch = BUF_INIT};
    int64_t row = -1;
    if (delta_path_key_init(&key, path))
        delta_segment_lookup(g, &key, &row, err);
    else
        error_oom(err);
    buf_release(&key.scratch);
    return row;
}

/* ---- statistics of checkpoint rows ------------------------------------------------------------------ */

struct stats_load {
    struct delta_segment *segment;
    struct str *stats;
    size_t next; /* row expected next: parts are read in the order of the first time */
    size_t found;
};

static bool stats_row(struct stats_load *load, struct str path, size_t *row, struct error *err)
{
    struct delta_segment *g = load->segment;
    if (load->next < g->count && str_eq(g->paths[load->next], path)) {
        *row = load->next++;
        return true;
    }
    struct delta_path_key key = {.scratch = BUF_INIT};
    int64_t found = -1;
    bool ok = delta_path_key_init(&key, path) || error_oom(err) == STATUS_OK;
    if (ok && !g->index_slots)
        ok = index_build(g, err) == STATUS_OK;
    if (ok)
        ok = delta_segment_lookup(g, &key, &found, err) == STATUS_OK;
    buf_release(&key.scratch);
    if (ok && found < 0) {
        error_set(err, STATUS_CORRUPT_DATA, "the checkpoint has changed: it did not hold file \"%.*s\" before", STR_ARG(path));
        ok = false;
    }
    *row = (size_t)found;
    load->next = *row + 1;
    return ok;
}

static bool stats_batch(void *user, size_t part_index, const struct delta_checkpoint_batch *b, struct error *err)
{
    struct stats_load *load = user;
    struct str *copies = mem_alloc((b->rows ? b->rows : 1) * sizeof *copies);
    bool ok = copies && (!b->stats || copy_texts(&load->segment->stats_arena, b->stats, b->rows, copies));
    if (!ok)
        error_oom(err);
    for (size_t i = 0; ok && i < b->rows; i++) {
        size_t row;
        ok = stats_row(load, b->path[i], &row, err);
        if (ok) {
            load->stats[row] = b->stats ? copies[i] : STR_NULL;
            load->found++;
        }
    }
    mem_free(copies);
    return ok;
}

static enum status load_stats(struct ctx *ctx, struct delta_table *t, struct delta_segment *g, struct error *err)
{
    struct stats_load load = {.segment = g};
    struct str *located = NULL;
    struct buf names = BUF_INIT;
    enum status status = delta_locate_all(t->store, g->part_keys, g->part_count, &names, &located, err);
    if (status != STATUS_OK)
        goto out;
    load.stats = mem_calloc(g->count, sizeof *load.stats);
    if (!load.stats) {
        status = error_oom(err);
        goto out;
    }
    status = t->handler->read_adds(t->handler, ctx, located, g->part_count, NULL, 0, DELTA_READ_STATS, stats_batch, &load, err);
    if (status == STATUS_OK && load.found < g->count)
        status = error_set(err, STATUS_CORRUPT_DATA, "the checkpoint has changed: %zu of %zu files are left", load.found, g->count);
    if (status != STATUS_OK) {
        error_context(err, "while reading statistics from checkpoint \"%.*s\"", STR_ARG(g->part_keys[0]));
        arena_release(&g->stats_arena);
        goto out;
    }
    g->stats = load.stats;
    load.stats = NULL;
out:
    mem_free(load.stats);
    mem_free(located);
    buf_release(&names);
    return status;
}

enum status delta_segment_load_stats_locked(struct ctx *ctx, struct delta_table *t, struct delta_segment *g, struct error *err)
{
    return g->stats || g->count == 0 ? STATUS_OK : load_stats(ctx, t, g, err);
}

enum status delta_segment_load_stats(struct ctx *ctx, struct delta_table *t, struct delta_segment *g, struct error *err)
{
    pthread_mutex_lock(&g->lazy_lock);
    enum status status = delta_segment_load_stats_locked(ctx, t, g, err);
    pthread_mutex_unlock(&g->lazy_lock);
    return status;
}

static bool part_state(struct ctx *ctx, struct delta_table *t, struct str key, struct delta_part_state *out)
{
    struct store_entry entry;
    struct error ignored = ERROR_INIT;
    bool known = store_stat(t->store, ctx, key, &entry, &ignored) == STORE_OK;
    if (known)
        *out = (struct delta_part_state){entry.size_bytes, entry.modified_us};
    error_release(&ignored);
    return known;
}

void delta_segment_note_parts(struct ctx *ctx, struct delta_table *t, struct delta_segment *g)
{
    struct delta_part_state *states = ARENA_ARRAY(&g->arena, struct delta_part_state, g->part_count + 1);
    bool known = states != NULL;
    for (size_t i = 0; i < g->part_count && known; i++)
        known = part_state(ctx, t, g->part_keys[i], &states[i]);
    g->part_states = known ? states : NULL;
}

bool delta_segment_parts_unchanged(struct ctx *ctx, struct delta_table *t, const struct delta_segment *g)
{
    bool same = g->part_states != NULL;
    for (size_t i = 0; i < g->part_count && same; i++) {
        struct delta_part_state now;
        same = part_state(ctx, t, g->part_keys[i], &now) && now.size_bytes == g->part_states[i].size_bytes &&
               now.modified_us == g->part_states[i].modified_us;
    }
    return same;
}

enum status delta_segment_read_stats(struct ctx *ctx, struct delta_table *t, struct delta_segment *g,
                                     bool (*batch)(void *user, const struct delta_stats_batch *batch), void *user, struct error *err)
{
    struct str *located = NULL;
    struct buf names = BUF_INIT;
    enum status status = delta_locate_all(t->store, g->part_keys, g->part_count, &names, &located, err);
    if (status == STATUS_OK)
        status = t->handler->read_stats(t->handler, ctx, located, g->part_count, batch, user, err);
    if (status != STATUS_OK)
        error_context(err, "while reading statistics from checkpoint \"%.*s\"", STR_ARG(g->part_keys[0]));
    mem_free(located);
    buf_release(&names);
    return status;
}

static int cmp_place(const struct delta_batch_place *p, size_t part_index, int64_t first_row)
{
    if (p->part_index != part_index)
        return p->part_index < part_index ? -1 : 1;
    return p->first_row < first_row ? -1 : p->first_row > first_row;
}

int64_t delta_segment_batch_row(const struct delta_segment *g, size_t part_index, int64_t first_row, size_t rows)
{
    size_t low = 0, high = g->batch_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (cmp_place(&g->batches[middle], part_index, first_row) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == g->batch_count || cmp_place(&g->batches[low], part_index, first_row) != 0 || g->batches[low].rows != rows)
        return -1;
    return (int64_t)g->batches[low].row;
}
