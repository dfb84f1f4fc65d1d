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

/* Classes with field ids are others than those without. */
static uint64_t salt_of(enum delta_mapping mapping) { return mapping == DELTA_MAPPING_ID ? 0x6669656c646964 : 0; }

static void key_of(struct str path, int64_t size_bytes, enum delta_mapping mapping, uint64_t key[2])
{
    uint64_t seed = (uint64_t)size_bytes ^ salt_of(mapping);
    key[0] = hash_bytes(path.ptr, path.len, seed) | 1;
    key[1] = hash_bytes(path.ptr, path.len, ~seed);
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

static void note_path(struct footer_cache *c, struct str path, int64_t size_bytes, enum delta_mapping mapping, struct footer_class *class)
{
    uint64_t key[2];
    if (2 * (c->used + 1) > c->slot_count && !grow(c))
        return;
    key_of(path, size_bytes, mapping, key);
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

const struct footer_column *footer_column_by_id(const struct footer_class *c, int64_t id)
{
    for (size_t i = 0; id >= 0 && i < c->column_count; i++)
        if (c->columns[i].id == id)
            return &c->columns[i];
    return NULL;
}

static void find_shadows(struct footer_class *class)
{
    class->shadows_virtual = footer_column_find(class, STR("file_index")) || footer_column_find(class, STR("file_row_number"));
}

/* ---- files that this process wrote --------------------------------------------------------- */

static struct footer_class *class_of_schema(const struct delta_type *schema)
{
    struct footer_class *class = mem_calloc(1, sizeof(*class));
    if (!class)
        return NULL;
    class->columns = ARENA_ARRAY(&class->arena, struct footer_column, schema->field_count + 1);
    bool ok = class->columns != NULL;
    for (uint32_t i = 0; ok && i < schema->field_count; i++) {
        struct footer_column *column = &class->columns[class->column_count++];
        *column = (struct footer_column){arena_str(&class->arena, schema->fields[i].name), delta_type_copy(&class->arena, schema->fields[i].type),
                                         true, false, delta_column_id(&schema->fields[i])};
        class->has_ids |= column->id >= 0;
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

static void put_ids(const struct delta_type *type, struct buf *text)
{
    if (type->element)
        put_ids(type->element, text);
    if (type->key)
        put_ids(type->key, text);
    for (uint32_t i = 0; type->id == DELTA_STRUCT && i < type->field_count; i++) {
        buf_printf(text, "%lld,", (long long)delta_column_id(&type->fields[i]));
        put_ids(type->fields[i].type, text);
    }
}

static uint64_t hash_of_schema(enum delta_mapping mapping, const struct delta_type *schema)
{
    struct buf text = BUF_INIT;
    for (uint32_t i = 0; i < schema->field_count; i++) {
        engine_quote_identifier(schema->fields[i].name, &text);
        engine_type_sql(schema->fields[i].type, &text);
    }
    if (mapping == DELTA_MAPPING_ID)
        put_ids(schema, &text);
    uint64_t hash = text.failed ? 0 : hash_bytes(text.ptr, text.len, 0x77726974746e ^ salt_of(mapping));
    buf_release(&text);
    return hash;
}

void footer_cache_prime(struct engine *e, enum delta_mapping mapping, const struct delta_type *stored, const struct str *paths, const int64_t *sizes,
                        size_t count)
{
    struct footer_cache *c = &e->footers;
    uint64_t hash = hash_of_schema(mapping, stored);
    pthread_mutex_lock(&c->lock);
    struct footer_class *class = hash ? class_by_hash(c, hash) : NULL;
    if (!class && hash) {
        class = class_of_schema(stored);
        if (class) {
            class->hash = hash;
            enter_class(c, class);
        }
    }
    for (size_t i = 0; class && i < count; i++)
        note_path(c, paths[i], sizes[i], mapping, class);
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

static bool has_variants(const struct delta_type *schema)
{
    for (uint32_t i = 0; i < schema->field_count; i++)
        if (schema->fields[i].type->id == DELTA_VARIANT)
            return true;
    return false;
}

/* Columns "<name>, metadata" that have a value in each row: the engine makes one NULL of JSON's null and SQL's, and here it is JSON's. */
static void put_never_null(const struct reading *r, struct buf *sql)
{
    buf_z(sql, "SELECT file_name, path_in_schema FROM parquet_metadata(");
    put_paths(r, sql);
    buf_z(sql, ") WHERE path_in_schema LIKE '%, metadata' GROUP BY file_name, path_in_schema "
               "HAVING count(stats_null_count) = count(*) AND sum(stats_null_count) = 0");
}

/* A hash per file that does not depend on the order in which rows arrive: column_id numbers them. */
static enum status put_question(const struct reading *r, struct buf *sql, struct error *err)
{
    buf_z(sql, "SELECT file_name, bit_xor(hash(column_id, name, type, type_length, repetition_type, num_children, converted_type, scale, "
               "precision, field_id, logical_type)) FROM parquet_schema(");
    put_paths(r, sql);
    buf_z(sql, ") GROUP BY file_name");
    if (has_variants(r->scan->schema)) {
        struct buf schema = BUF_INIT;
        buf_append(&schema, sql->ptr, sql->len);
        buf_clear(sql);
        buf_printf(sql,
                   "SELECT file_name, xor(s.h, coalesce(m.h, 0)) FROM (%.*s) AS s(file_name, h) LEFT JOIN (SELECT file_name, "
                   "bit_xor(hash(path_in_schema)) FROM (",
                   (int)schema.len, schema.ptr ? schema.ptr : "");
        put_never_null(r, sql);
        buf_z(sql, ") GROUP BY file_name) AS m(file_name, h) USING (file_name)");
        sql->failed |= schema.failed;
        buf_release(&schema);
    }
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

/* ---- field ids -------------------------------------------------------------------------------- */

/* One row of parquet_schema: the tree in preorder. */
struct parquet_node {
    struct str name;
    uint32_t children;
    int64_t id; /* -1: none */
    bool repeated;
};
struct parquet_tree {
    struct arena *arena;
    struct parquet_node *nodes;
    uint32_t count;
};

static uint32_t subtree_end(const struct parquet_tree *t, uint32_t at)
{
    uint64_t open = 1;
    while (open && at < t->count)
        open += t->nodes[at++].children - UINT64_C(1);
    return at;
}

static bool put_type_ids(struct parquet_tree *t, uint32_t at, struct delta_type *type);

static bool put_field_id(struct parquet_tree *t, uint32_t at, struct delta_field *field)
{
    if (t->nodes[at].id >= 0) {
        const char *text = arena_printf(t->arena, "%lld", (long long)t->nodes[at].id);
        field->metadata = ARENA_NEW(t->arena, struct delta_property);
        if (!text || !field->metadata)
            return false;
        *field->metadata = (struct delta_property){.key = STR("delta.columnMapping.id"), .value = str_of(text)};
        field->metadata_count = 1;
    }
    return put_type_ids(t, at, field->type);
}

static bool is_group_of(const struct parquet_tree *t, uint32_t at, const struct delta_type *type)
{
    return t->nodes[at].children == type->field_count && type->field_count && at + 1 < t->count &&
           str_ieq(t->nodes[at + 1].name, type->fields[0].name);
}

/* Lists have a repeated group around the element, a repeated element, or are themselves repeated. */
static uint32_t element_at(const struct parquet_tree *t, uint32_t at, const struct delta_type *element)
{
    uint32_t inner = at + 1;
    if (t->nodes[at].repeated || t->nodes[at].children != 1 || inner >= t->count)
        return at;
    bool wrapped = t->nodes[inner].children == 1 && inner + 1 < t->count;
    if (element->id == DELTA_STRUCT)
        wrapped = wrapped && (is_group_of(t, inner + 1, element) || !is_group_of(t, inner, element));
    return wrapped ? inner + 1 : inner;
}

static bool put_type_ids(struct parquet_tree *t, uint32_t at, struct delta_type *type)
{
    uint32_t child = at + 1;
    switch (type->id) {
    case DELTA_STRUCT:
        for (uint32_t i = 0; i < type->field_count && child < t->count; i++, child = subtree_end(t, child))
            if (!put_field_id(t, child, &type->fields[i]))
                return false;
        return true;
    case DELTA_ARRAY:
        return put_type_ids(t, element_at(t, at, type->element), type->element);
    case DELTA_MAP: /* map, key_value, key, value */
        child = at + 2;
        if (child >= t->count || !put_type_ids(t, child, type->key))
            return child >= t->count;
        child = subtree_end(t, child);
        return child >= t->count || put_type_ids(t, child, type->element);
    default:
        return true;
    }
}

static bool put_column_ids(struct parquet_tree *t, struct footer_class *class)
{
    uint32_t at = 1; /* after the root */
    for (size_t i = 0; i < class->column_count && at < t->count; i++, at = subtree_end(t, at)) {
        class->columns[i].id = t->nodes[at].id;
        class->has_ids |= t->nodes[at].id >= 0;
        if (!put_type_ids(t, at, (struct delta_type *)(uintptr_t) class->columns[i].type))
            return false;
    }
    return true;
}

static bool read_node(duckdb_data_chunk chunk, idx_t row, struct parquet_node *out, struct arena *arena)
{
    duckdb_vector name = duckdb_data_chunk_get_vector(chunk, 0);
    const int64_t *children = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1));
    const int64_t *ids = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 2));
    const bool *repeated = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 3));
    out->name = arena_str(arena, vector_str((const duckdb_string_t *)duckdb_vector_get_data(name) + row));
    out->children = (uint32_t)children[row];
    out->id = ids[row];
    out->repeated = repeated[row];
    return out->name.ptr != NULL;
}

static enum status read_tree(duckdb_result *result, struct parquet_tree *t, struct error *err)
{
    duckdb_data_chunk chunk;
    bool ok = (t->nodes = ARENA_ARRAY(t->arena, struct parquet_node, duckdb_row_count(result) + 1)) != NULL;
    while (ok && (chunk = duckdb_fetch_chunk(*result))) {
        for (idx_t i = 0; ok && i < duckdb_data_chunk_get_size(chunk); i++)
            ok = read_node(chunk, i, &t->nodes[t->count++], t->arena);
        duckdb_destroy_data_chunk(&chunk);
    }
    return ok ? STATUS_OK : error_oom(err);
}

/* Gives the class's columns and their fields the ids that the file has. */
static enum status describe_ids(const struct reading *r, struct str path, struct footer_class *class, struct error *err)
{
    struct buf sql = BUF_INIT;
    struct parquet_tree tree = {.arena = &class->arena};
    duckdb_result result;
    buf_z(&sql, "SELECT name, coalesce(num_children, 0)::BIGINT, coalesce(field_id, -1)::BIGINT, coalesce(repetition_type = 'REPEATED', false) "
                "FROM parquet_schema(");
    engine_quote_literal(path, &sql);
    buf_z(&sql, ") ORDER BY column_id");
    enum status st = run_query((struct engine_run *)&r->run, buf_view(&sql), &result, err);
    if (st == STATUS_OK) {
        st = read_tree(&result, &tree, err);
        duckdb_destroy_result(&result);
    }
    if (st == STATUS_OK && !put_column_ids(&tree, class))
        st = error_oom(err);
    buf_release(&sql);
    return st;
}

/* ---- columns ----------------------------------------------------------------------------------- */

static void mark_never_null(struct footer_class *class, struct str path)
{
    static const char end[] = ", metadata";
    struct str name = str_sub(path, 0, path.len - (sizeof end - 1));
    for (size_t i = 0; i < class->column_count; i++)
        if (str_eq(class->columns[i].name, name))
            class->columns[i].never_null = class->columns[i].type->id == DELTA_VARIANT;
}

static enum status describe_nulls(const struct reading *r, struct str path, struct footer_class *class, struct error *err)
{
    struct reading one = *r;
    struct buf sql = BUF_INIT;
    size_t first = 0;
    duckdb_result result;
    duckdb_data_chunk chunk;
    one.paths = &path;
    one.unknown = &first;
    one.unknown_count = 1;
    put_never_null(&one, &sql);
    enum status st = buf_check(&sql, err);
    if (st == STATUS_OK)
        st = run_query(&one.run, buf_view(&sql), &result, err);
    if (st == STATUS_OK) {
        while ((chunk = duckdb_fetch_chunk(result))) {
            const duckdb_string_t *paths = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1));
            for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++)
                mark_never_null(class, vector_str(&paths[i]));
            duckdb_destroy_data_chunk(&chunk);
        }
        duckdb_destroy_result(&result);
    }
    buf_release(&sql);
    return st;
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
        column->id = -1;
        column->type = type_from_duck(&class->arena, type, &column->exact);
        column->name = arena_str(&class->arena, str_of(name));
        duckdb_free((void *)name);
        duckdb_destroy_logical_type(&type);
        if (!column->type || !column->name.ptr)
            st = error_oom(err);
    }
    duckdb_destroy_prepare(&statement);
    if (!class->columns)
        return error_oom(err);
    if (st == STATUS_OK && has_variants(r->scan->schema))
        st = describe_nulls(r, path, class, err);
    return st == STATUS_OK && r->scan->mapping == DELTA_MAPPING_ID ? describe_ids(r, path, class, err) : st;
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
        st = class_of(r, hashes[i] ^ salt_of(r->scan->mapping), r->paths[file], &class, err);
        if (st != STATUS_OK)
            break;
        out[file] = class;
        pthread_mutex_lock(&r->engine->footers.lock);
        note_path(&r->engine->footers, r->paths[file], r->scan->files[file].size_bytes, r->scan->mapping, class);
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
        key_of(paths[i], scan->files[i].size_bytes, scan->mapping, key);
        out[i] = c->slot_count ? slot_of(c->slots, c->slot_count, key)->class : NULL;
        if (!out[i])
            r.unknown[r.unknown_count++] = i;
    }
    pthread_mutex_unlock(&c->lock);
    enum status st = r.unknown_count ? read_footers(&r, out, err) : STATUS_OK;
    mem_free(r.unknown);
    return st;
}
