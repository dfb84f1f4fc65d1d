/* engine/footer.c: what columns the data files really have.
 *
 * A data file never changes once it is in a log, so what its footer said is kept: path -> class, where files
 * with equal footers share a class.  Unknown footers are read in one call of parquet_schema; per new class
 * one file is described, which gives DuckDB's types. */
#include "engine/engine_int.h"

#define MAX_PATHS ((size_t)1 << 20)

/* ---- cache ----------------------------------------------------------------------------- */

void footer_cache_init(struct footer_cache *c)
{
    *c = (struct footer_cache){0};
    pthread_mutex_init(&c->lock, NULL);
}

void footer_cache_release(struct footer_cache *c)
{
    while (c->classes) {
        struct footer_class *class = c->classes;
        c->classes = class->next;
        arena_release(&class->arena);
        mem_free(class);
    }
    mem_free(c->slots);
    pthread_mutex_destroy(&c->lock);
}

static void key_of(struct str path, int64_t size_bytes, uint64_t key[2])
{
    key[0] = hash_bytes(path.ptr, path.len, (uint64_t)size_bytes) | 1;
    key[1] = hash_bytes(path.ptr, path.len, ~(uint64_t)size_bytes);
}

static struct footer_slot *slot_of(struct footer_slot *slots, size_t count, const uint64_t key[2])
{
    size_t at = key[0] & (count - 1);
    while (slots[at].class && (slots[at].key[0] != key[0] || slots[at].key[1] != key[1]))
        at = (at + 1) & (count - 1);
    return &slots[at];
}

/* Twice the slots; at the limit everything is forgotten instead. False: no memory, nothing is noted then. */
static bool grow(struct footer_cache *c)
{
    if (c->used >= MAX_PATHS) {
        memset(c->slots, 0, c->slot_count * sizeof(*c->slots));
        c->used = 0;
        return true;
    }
    size_t count = c->slot_count ? 2 * c->slot_count : 1024;
    struct footer_slot *slots = mem_calloc(count, sizeof(*slots));
    if (!slots)
        return false;
    for (size_t i = 0; i < c->slot_count; i++)
        if (c->slots[i].class)
            *slot_of(slots, count, c->slots[i].key) = c->slots[i];
    mem_free(c->slots);
    c->slots = slots;
    c->slot_count = count;
    return true;
}

static void note_path(struct footer_cache *c, struct str path, int64_t size_bytes, struct footer_class *class)
{
    uint64_t key[2];
    if (2 * (c->used + 1) > c->slot_count && !grow(c))
        return;
    key_of(path, size_bytes, key);
    struct footer_slot *slot = slot_of(c->slots, c->slot_count, key);
    c->used += slot->class == NULL;
    *slot = (struct footer_slot){{key[0], key[1]}, class};
}

static struct footer_class *class_by_hash(struct footer_cache *c, uint64_t hash)
{
    for (struct footer_class *class = c->classes; class; class = class->next)
        if (class->hash == hash)
            return class;
    return NULL;
}

static void enter_class(struct footer_cache *c, struct footer_class *class)
{
    class->next = c->classes;
    c->classes = class;
}

const struct footer_column *footer_column_find(const struct footer_class *c, struct str name)
{
    for (size_t i = 0; i < c->column_count; i++)
        if (str_ieq(c->columns[i].name, name))
            return &c->columns[i];
    return NULL;
}

static void find_shadows(struct footer_class *class)
{
    class->shadows_virtual = footer_column_find(class, STR("file_index")) || footer_column_find(class, STR("file_row_number"));
}

/* ---- files that this process wrote --------------------------------------------------------- */

/* Fields that are in the files: neither partition columns nor void. */
static bool is_stored(const struct delta_field *field, const struct str *partition_columns, size_t partition_count)
{
    return field->type->id != DELTA_VOID && !field_is_partition(partition_columns, partition_count, field->name);
}

static struct footer_class *class_of_schema(const struct delta_type *schema, const struct str *partition_columns, size_t partition_count)
{
    struct footer_class *class = mem_calloc(1, sizeof(*class));
    if (!class)
        return NULL;
    class->columns = ARENA_ARRAY(&class->arena, struct footer_column, schema->field_count + 1);
    bool ok = class->columns != NULL;
    for (uint32_t i = 0; ok && i < schema->field_count; i++) {
        if (!is_stored(&schema->fields[i], partition_columns, partition_count))
            continue;
        struct footer_column *column = &class->columns[class->column_count++];
        *column =
            (struct footer_column){arena_str(&class->arena, schema->fields[i].name), delta_type_copy(&class->arena, schema->fields[i].type), true};
        ok = column->name.ptr && column->type;
    }
    if (ok) {
        find_shadows(class);
        return class;
    }
    arena_release(&class->arena);
    mem_free(class);
    return NULL;
}

static uint64_t hash_of_schema(const struct delta_type *schema, const struct str *partition_columns, size_t partition_count)
{
    struct buf text = BUF_INIT;
    for (uint32_t i = 0; i < schema->field_count; i++) {
        if (!is_stored(&schema->fields[i], partition_columns, partition_count))
            continue;
        engine_quote_identifier(schema->fields[i].name, &text);
        engine_type_sql(schema->fields[i].type, &text);
    }
    uint64_t hash = text.failed ? 0 : hash_bytes(text.ptr, text.len, 0x77726974746e);
    buf_release(&text);
    return hash;
}

void footer_cache_prime(struct engine *e, const struct delta_type *schema, const struct str *partition_columns, size_t partition_count,
                        const struct str *paths, const int64_t *sizes, size_t count)
{
    struct footer_cache *c = &e->footers;
    uint64_t hash = hash_of_schema(schema, partition_columns, partition_count);
    pthread_mutex_lock(&c->lock);
    struct footer_class *class = hash ? class_by_hash(c, hash) : NULL;
    if (!class && hash) {
        class = class_of_schema(schema, partition_columns, partition_count);
        if (class) {
            class->hash = hash;
            enter_class(c, class);
        }
    }
    for (size_t i = 0; class && i < count; i++)
        note_path(c, paths[i], sizes[i], class);
    pthread_mutex_unlock(&c->lock);
}

/* ---- reading footers ------------------------------------------------------------------------ */

struct reading {
    struct ctx *ctx;
    struct engine *engine;
    const struct engine_scan *scan;
    const struct str *paths; /* all of the scan's files */
    size_t *unknown;         /* which of them */
    size_t unknown_count;
    struct engine_run run;
};

static void put_paths(const struct reading *r, struct buf *sql)
{
    buf_char(sql, '[');
    for (size_t i = 0; i < r->unknown_count; i++) {
        buf_z(sql, i ? "," : "");
        engine_quote_literal(r->paths[r->unknown[i]], sql);
    }
    buf_char(sql, ']');
}

/* A hash per file that does not depend on the order in which rows arrive: column_id numbers them. */
static enum status put_question(const struct reading *r, struct buf *sql, struct error *err)
{
    buf_z(sql, "SELECT file_name, bit_xor(hash(column_id, name, type, type_length, repetition_type, num_children, converted_type, scale, "
               "precision, field_id, logical_type)) FROM parquet_schema(");
    put_paths(r, sql);
    buf_z(sql, ") GROUP BY file_name");
    return buf_check(sql, err);
}

/* The store says better than the engine which file it is. */
static enum status blame(const struct reading *r, enum status code, struct error *err)
{
    struct error why = ERROR_INIT;
    struct buf key = BUF_INIT;
    struct store_entry entry;
    bool missing = false;
    if (code == STATUS_CANCELLED || code == STATUS_DEADLINE_EXCEEDED || code == STATUS_OUT_OF_MEMORY || code == STATUS_STORE_PERMISSION)
        return code;
    for (size_t i = 0; i < r->unknown_count && !missing; i++) {
        struct str path = r->scan->files[r->unknown[i]].path;
        buf_clear(&key);
        if (!uri_decode(&key, path) || key.failed || buf_view(&key).ptr[0] == '/' || memmem(key.ptr, key.len, ":/", 2))
            continue;
        missing = store_stat(r->scan->store, r->ctx, buf_view(&key), &entry, &why) == STORE_NOT_FOUND;
        if (missing)
            code = error_set(err, STATUS_FILE_NOT_FOUND, "data file \"%.*s\" of table \"%.*s\" does not exist", STR_ARG(path),
                             STR_ARG(r->scan->table_name));
    }
    if (!missing && code != STATUS_FILE_NOT_FOUND) {
        if (err)
            error_move(&why, err);
        code = error_set(err, STATUS_CORRUPT_DATA, "a data file of table \"%.*s\" cannot be read as Parquet", STR_ARG(r->scan->table_name));
        error_detail(err, "%s", why.message ? why.message : "");
    }
    error_release(&why);
    buf_release(&key);
    return code;
}

static enum status describe(const struct reading *r, struct str path, struct footer_class *class, struct error *err)
{
    struct buf sql = BUF_INIT;
    duckdb_prepared_statement statement = NULL;
    buf_z(&sql, "SELECT * FROM read_parquet(");
    engine_quote_literal(path, &sql);
    buf_z(&sql, ", hive_partitioning=false)");
    enum status st = run_prepare((struct engine_run *)&r->run, buf_view(&sql), &statement, err);
    buf_release(&sql);
    if (st != STATUS_OK)
        return st;
    class->column_count = duckdb_prepared_statement_column_count(statement);
    class->columns = ARENA_ARRAY(&class->arena, struct footer_column, class->column_count + 1);
    for (size_t i = 0; i < class->column_count && class->columns && st == STATUS_OK; i++) {
        struct footer_column *column = &class->columns[i];
        const char *name = duckdb_prepared_statement_column_name(statement, i);
        duckdb_logical_type type = duckdb_prepared_statement_column_logical_type(statement, i);
        column->exact = true;
        column->type = type_from_duck(&class->arena, type, &column->exact);
        column->name = arena_str(&class->arena, str_of(name));
        duckdb_free((void *)name);
        duckdb_destroy_logical_type(&type);
        if (!column->type || !column->name.ptr)
            st = error_oom(err);
    }
    duckdb_destroy_prepare(&statement);
    return class->columns ? st : error_oom(err);
}

/* The class with this hash, described from the file when it is new. */
static enum status class_of(const struct reading *r, uint64_t hash, struct str path, struct footer_class **out, struct error *err)
{
    struct footer_cache *c = &r->engine->footers;
    pthread_mutex_lock(&c->lock);
    *out = class_by_hash(c, hash);
    pthread_mutex_unlock(&c->lock);
    if (*out)
        return STATUS_OK;
    struct footer_class *class = mem_calloc(1, sizeof(*class));
    if (!class)
        return error_oom(err);
    class->hash = hash;
    enum status st = describe(r, path, class, err);
    if (st != STATUS_OK) {
        arena_release(&class->arena);
        mem_free(class);
        return st;
    }
    find_shadows(class);
    pthread_mutex_lock(&c->lock);
    enter_class(c, class); /* a twin that another thread made at the same time does no harm */
    pthread_mutex_unlock(&c->lock);
    *out = class;
    return STATUS_OK;
}

/* Path -> index in unknown[], for the rows that come back in any order. */
struct path_index {
    uint32_t *slots;
    size_t mask;
};

static bool index_paths(const struct reading *r, struct path_index *index)
{
    index->mask = 15;
    while (index->mask < 2 * r->unknown_count)
        index->mask = 2 * index->mask + 1;
    index->slots = mem_calloc(index->mask + 1, sizeof(*index->slots));
    for (size_t i = 0; index->slots && i < r->unknown_count; i++) {
        size_t at = hash_str(r->paths[r->unknown[i]]) & index->mask;
        while (index->slots[at])
            at = (at + 1) & index->mask;
        index->slots[at] = (uint32_t)i + 1;
    }
    return index->slots != NULL;
}

static int64_t find_path(const struct reading *r, const struct path_index *index, struct str path)
{
    size_t at = hash_str(path) & index->mask;
    for (; index->slots[at]; at = (at + 1) & index->mask)
        if (str_eq(r->paths[r->unknown[index->slots[at] - 1]], path))
            return (int64_t)r->unknown[index->slots[at] - 1];
    return -1;
}

static enum status read_chunk(const struct reading *r, const struct path_index *index, duckdb_data_chunk chunk, const struct footer_class **out,
                              struct error *err)
{
    const duckdb_string_t *paths = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
    const uint64_t *hashes = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1));
    enum status st = STATUS_OK;
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk) && st == STATUS_OK; i++) {
        struct footer_class *class;
        int64_t file = find_path(r, index, vector_str(&paths[i]));
        if (file < 0)
            continue;
        st = class_of(r, hashes[i], r->paths[file], &class, err);
        if (st != STATUS_OK)
            break;
        out[file] = class;
        pthread_mutex_lock(&r->engine->footers.lock);
        note_path(&r->engine->footers, r->paths[file], r->scan->files[file].size_bytes, class);
        pthread_mutex_unlock(&r->engine->footers.lock);
    }
    return st;
}

static enum status read_rows(const struct reading *r, duckdb_result *result, const struct footer_class **out, struct error *err)
{
    struct path_index index = {0};
    enum status st = index_paths(r, &index) ? STATUS_OK : error_oom(err);
    duckdb_data_chunk chunk;
    while (st == STATUS_OK && (chunk = duckdb_fetch_chunk(*result))) {
        st = read_chunk(r, &index, chunk, out, err);
        duckdb_destroy_data_chunk(&chunk);
    }
    for (size_t i = 0; i < r->unknown_count && st == STATUS_OK; i++) {
        int64_t twin = out[r->unknown[i]] ? -1 : find_path(r, &index, r->paths[r->unknown[i]]); /* one file under two names */
        if (twin >= 0)
            out[r->unknown[i]] = out[twin];
        if (!out[r->unknown[i]])
            st = error_set(err, STATUS_CORRUPT_DATA, "data file \"%.*s\" of table \"%.*s\" has no Parquet footer",
                           STR_ARG(r->scan->files[r->unknown[i]].path), STR_ARG(r->scan->table_name));
    }
    mem_free(index.slots);
    return st;
}

static enum status read_footers(struct reading *r, const struct footer_class **out, struct error *err)
{
    struct buf sql = BUF_INIT;
    duckdb_result result;
    enum status st = run_begin(r->ctx, r->engine, STR_NULL, &r->run, err);
    if (st != STATUS_OK)
        return st;
    st = put_question(r, &sql, err);
    if (st == STATUS_OK)
        st = run_query(&r->run, buf_view(&sql), &result, err);
    if (st == STATUS_OK) {
        st = read_rows(r, &result, out, err);
        duckdb_destroy_result(&result);
    }
    if (st != STATUS_OK)
        st = blame(r, st, err);
    run_end(&r->run);
    buf_release(&sql);
    return st;
}

enum status footer_classes(struct ctx *ctx, struct engine *e, const struct engine_scan *scan, const struct str *paths,
                           const struct footer_class **out, struct error *err)
{
    struct footer_cache *c = &e->footers;
    struct reading r = {.ctx = ctx, .engine = e, .scan = scan, .paths = paths, .unknown = mem_alloc((scan->file_count + 1) * sizeof(size_t))};
    if (!r.unknown)
        return error_oom(err);
    pthread_mutex_lock(&c->lock);
    for (size_t i = 0; i < scan->file_count; i++) {
        uint64_t key[2];
        key_of(paths[i], scan->files[i].size_bytes, key);
        out[i] = c->slot_count ? slot_of(c->slots, c->slot_count, key)->class : NULL;
        if (!out[i])
            r.unknown[r.unknown_count++] = i;
    }
    pthread_mutex_unlock(&c->lock);
    enum status st = r.unknown_count ? read_footers(&r, out, err) : STATUS_OK;
    mem_free(r.unknown);
    return st;
}
