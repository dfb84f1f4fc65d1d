/* engine/add_scan.c: the add rows of a checkpoint, copied out by all of the engine's threads.
 *
 * Streaming a result of a million rows to one consumer costs more than decoding them.  So the rows do not leave as a result: the
 * query calls a function of ours on every vector, which copies it into a block on whichever thread decoded it, and answers one
 * number.  Blocks are handed out one by one in the order of parts and rows, those of the first part as soon as those before them
 * were, so that few of them wait at the same time. */
#include "engine/engine_int.h"

#include <stdlib.h>

#define FUNCTION_NAME "varve_take_adds"

enum { VECTOR_ROWS_MAX = 8192 };

/* ---- blocks ---------------------------------------------------------------------------------- */

enum add_text { TEXT_PATH, TEXT_DV_STORAGE, TEXT_DV_PATH, TEXT_STATS, TEXT_COUNT };
enum add_number { NUMBER_SIZE, NUMBER_TIME, NUMBER_DV_OFFSET, NUMBER_DV_SIZE, NUMBER_DV_ROWS, NUMBER_ROW_ID, NUMBER_ROW_VERSION, NUMBER_COUNT };

/* The add rows of one vector. */
struct add_block {
    struct add_block *next;
    size_t rows;
    int64_t file, first_row, vector_rows; /* where the vector began, and its rows, which include other actions */
    struct str *text_columns[TEXT_COUNT]; /* NULL: not asked for */
    int64_t *numbers[NUMBER_COUNT];
    struct str **partitions; /* [column][row] */
    struct arena arena;      /* the arrays */
    struct arena texts;      /* what they point to; whoever takes the batch may keep it */
};

static void block_free(struct add_block *b)
{
    if (!b)
        return;
    arena_release(&b->texts);
    arena_release(&b->arena);
    mem_free(b);
}

static void blocks_free(struct add_block *b)
{
    while (b) {
        struct add_block *next = b->next;
        block_free(b);
        b = next;
    }
}

/* One scan under way; the calls on other threads find it by its number. */
struct taking {
    struct taking *next;
    uint64_t id;
    const struct add_scan *scan;
    pthread_mutex_t lock;
    struct add_block *first, *last; /* of the first file, in order: those that wait for one before them */
    int64_t next_row;               /* of the first file: all before it was handed out */
    struct add_block *later;        /* of the other files, of which no one knows where they begin in the whole */
    size_t later_count;
    bool handing_out; /* some thread is */
    enum status failure;
    struct error err; /* of the failure */
    bool out_of_memory;
    bool stopped; /* the taker of statistics does not want more */
};

static void taking_begin(struct add_scans *all, struct taking *t, const struct add_scan *scan)
{
    *t = (struct taking){.scan = scan, .err = ERROR_INIT};
    pthread_mutex_init(&t->lock, NULL);
    pthread_mutex_lock(&all->lock);
    t->id = ++all->last_id;
    t->next = all->first;
    all->first = t;
    pthread_mutex_unlock(&all->lock);
}

static void taking_end(struct add_scans *all, struct taking *t)
{
    pthread_mutex_lock(&all->lock);
    struct taking **at = &all->first;
    while (*at != t)
        at = &(*at)->next;
    *at = t->next;
    pthread_mutex_unlock(&all->lock);
    blocks_free(t->first);
    blocks_free(t->later);
    error_release(&t->err);
    pthread_mutex_destroy(&t->lock);
}

static struct taking *taking_find(struct add_scans *all, uint64_t id)
{
    pthread_mutex_lock(&all->lock);
    struct taking *t = all->first;
    while (t && t->id != id)
        t = t->next;
    pthread_mutex_unlock(&all->lock);
    return t;
}

/* ---- one vector -> one block (any thread) ------------------------------------------------------ */

/* Arguments of the function, in order. */
enum {
    ARG_ID,
    ARG_PATH,
    ARG_SIZE,
    ARG_TIME,
    ARG_FILE,
    ARG_ROW,
    ARG_PARTITIONS,
    ARG_DV_STORAGE,
    ARG_DV_PATH,
    ARG_DV_OFFSET,
    ARG_DV_SIZE,
    ARG_DV_ROWS,
    ARG_STATS,
    ARG_ROW_ID,
    ARG_ROW_VERSION,
    ARG_COUNT
};
static const int text_argument[TEXT_COUNT] = {
    [TEXT_PATH] = ARG_PATH, [TEXT_DV_STORAGE] = ARG_DV_STORAGE, [TEXT_DV_PATH] = ARG_DV_PATH, [TEXT_STATS] = ARG_STATS};
static const int number_argument[NUMBER_COUNT] = {
    [NUMBER_SIZE] = ARG_SIZE,       [NUMBER_TIME] = ARG_TIME,     [NUMBER_DV_OFFSET] = ARG_DV_OFFSET,    [NUMBER_DV_SIZE] = ARG_DV_SIZE,
    [NUMBER_DV_ROWS] = ARG_DV_ROWS, [NUMBER_ROW_ID] = ARG_ROW_ID, [NUMBER_ROW_VERSION] = ARG_ROW_VERSION};

/* All texts of a column in one piece of memory. */
static bool take_texts(struct arena *arena, duckdb_vector v, const uint32_t *live, size_t rows, struct str *out)
{
    const duckdb_string_t *data = duckdb_vector_get_data(v);
    const uint64_t *validity = duckdb_vector_get_validity(v);
    size_t total = 0;
    for (size_t i = 0; i < rows; i++)
        total += vector_valid(validity, live[i]) ? data[live[i]].value.inlined.length : 0;
    char *bytes = arena_alloc(arena, total + 1);
    if (!bytes)
        return false;
    for (size_t i = 0; i < rows; i++) {
        out[i] = STR_NULL;
        if (!vector_valid(validity, live[i]))
            continue;
        struct str s = vector_str(&data[live[i]]);
        memcpy(bytes, s.ptr, s.len);
        out[i] = (struct str){bytes, s.len};
        bytes += s.len;
    }
    return true;
}

static void take_numbers(duckdb_vector v, const uint32_t *live, size_t rows, int64_t when_null, int64_t *out)
{
    const int64_t *data = duckdb_vector_get_data(v);
    const uint64_t *validity = duckdb_vector_get_validity(v);
    for (size_t i = 0; i < rows; i++)
        out[i] = vector_valid(validity, live[i]) ? data[live[i]] : when_null;
}

/* One map's entries into the partition columns they name. */
static bool take_entries(const struct add_scan *scan, struct add_block *b, size_t row, duckdb_list_entry span, const duckdb_string_t *keys,
                         const duckdb_string_t *values, const uint64_t *value_validity)
{
    for (uint64_t e = span.offset; e < span.offset + span.length; e++) {
        struct str key = vector_str(&keys[e]);
        for (size_t c = 0; c < scan->partition_count; c++) {
            if (!vector_valid(value_validity, e) || !str_eq(key, scan->partition_columns[c]))
                continue;
            struct str value = vector_str(&values[e]);
            char *copy = arena_alloc(&b->texts, value.len + 1);
            if (!copy)
                return false;
            memcpy(copy, value.ptr, value.len);
            b->partitions[c][row] = (struct str){copy, value.len};
        }
    }
    return true;
}

static bool take_partitions(const struct add_scan *scan, duckdb_vector map, const uint32_t *live, struct add_block *b)
{
    const duckdb_list_entry *spans = duckdb_vector_get_data(map);
    const uint64_t *validity = duckdb_vector_get_validity(map);
    duckdb_vector entries = duckdb_list_vector_get_child(map), value_vector = duckdb_struct_vector_get_child(entries, 1);
    const duckdb_string_t *keys = duckdb_vector_get_data(duckdb_struct_vector_get_child(entries, 0));
    const duckdb_string_t *values = duckdb_vector_get_data(value_vector);
    const uint64_t *value_validity = duckdb_vector_get_validity(value_vector);
    for (size_t i = 0; i < b->rows; i++)
        if (vector_valid(validity, live[i]) && !take_entries(scan, b, i, spans[live[i]], keys, values, value_validity))
            return false;
    return true;
}

static bool block_room(const struct add_scan *scan, struct add_block *b, size_t rows)
{
    bool ok = true;
    b->rows = rows;
    for (int t = 0; t < TEXT_COUNT; t++)
        if (scan->has_text[t])
            ok = (b->text_columns[t] = ARENA_ARRAY(&b->arena, struct str, rows)) && ok;
    for (int n = 0; n < NUMBER_COUNT; n++)
        if (n <= NUMBER_TIME || (n >= NUMBER_ROW_ID ? scan->has_row_ids : scan->has_text[TEXT_DV_STORAGE]))
            ok = (b->numbers[n] = ARENA_ARRAY(&b->arena, int64_t, rows)) && ok;
    b->partitions = ARENA_ARRAY(&b->arena, struct str *, scan->partition_count + 1);
    for (size_t c = 0; b->partitions && c < scan->partition_count; c++)
        ok = (b->partitions[c] = ARENA_ARRAY(&b->arena, struct str, rows)) && ok;
    return ok && b->partitions;
}

static int64_t number_when_null(int number) { return number == NUMBER_DV_OFFSET || number >= NUMBER_ROW_ID ? -1 : 0; }

static bool block_fill(const struct add_scan *scan, struct add_block *b, duckdb_data_chunk input, const uint32_t *live)
{
    bool ok = true;
    for (int t = 0; t < TEXT_COUNT && ok; t++)
        ok = !b->text_columns[t] ||
             take_texts(&b->texts, duckdb_data_chunk_get_vector(input, (idx_t)text_argument[t]), live, b->rows, b->text_columns[t]);
    for (int n = 0; n < NUMBER_COUNT && ok; n++)
        if (b->numbers[n])
            take_numbers(duckdb_data_chunk_get_vector(input, (idx_t)number_argument[n]), live, b->rows, number_when_null(n), b->numbers[n]);
    if (ok && scan->partition_count && scan->has_partitions)
        ok = take_partitions(scan, duckdb_data_chunk_get_vector(input, ARG_PARTITIONS), live, b);
    return ok;
}

/* ---- blocks -> batches ---------------------------------------------------------------------------- */

static int64_t cmp_place(const struct add_block *x, const struct add_block *y)
{
    return x->file != y->file ? x->file - y->file : x->first_row - y->first_row;
}

static int by_place(const void *a, const void *b)
{
    int64_t d = cmp_place(*(struct add_block *const *)a, *(struct add_block *const *)b);
    return (d > 0) - (d < 0);
}

static enum status hand_out(const struct add_scan *scan, struct add_block *b, struct error *err)
{
    struct delta_checkpoint_batch batch = {.rows = b->rows,
                                           .path = b->text_columns[TEXT_PATH],
                                           .size_bytes = b->numbers[NUMBER_SIZE],
                                           .modified_ms = b->numbers[NUMBER_TIME],
                                           .stats = b->text_columns[TEXT_STATS],
                                           .texts = &b->texts,
                                           .part_index = scan->parts[b->file],
                                           .first_row = b->first_row,
                                           .partition = scan->has_partitions ? (const struct str *const *)b->partitions : NULL,
                                           .dv_storage = b->text_columns[TEXT_DV_STORAGE],
                                           .dv_path = b->text_columns[TEXT_DV_PATH],
                                           .dv_offset = b->numbers[NUMBER_DV_OFFSET],
                                           .dv_size = b->numbers[NUMBER_DV_SIZE],
                                           .dv_cardinality = b->numbers[NUMBER_DV_ROWS],
                                           .base_row_id = b->numbers[NUMBER_ROW_ID],
                                           .row_version = b->numbers[NUMBER_ROW_VERSION]};
    if (scan->batch(scan->user, scan->parts[b->file], &batch, err))
        return STATUS_OK;
    return err && err->code != STATUS_OK ? err->code : STATUS_CANCELLED;
}

/* In order.  Blocks come nearly in order, so the place is near the end or, for the vector that all wait for, the beginning. */
static void insert_waiting(struct taking *t, struct add_block *b)
{
    struct add_block **at = &t->first;
    if (t->last && cmp_place(t->last, b) < 0)
        at = &t->last->next;
    while (*at && cmp_place(*at, b) < 0)
        at = &(*at)->next;
    b->next = *at;
    *at = b;
    if (!b->next)
        t->last = b;
}

/* The first block when no row before it is missing. */
static struct add_block *take_next(struct taking *t)
{
    struct add_block *b = t->first;
    if (!b || t->failure || b->file != 0 || b->first_row != t->next_row)
        return NULL;
    t->first = b->next;
    if (!t->first)
        t->last = NULL;
    t->next_row += b->vector_rows;
    return b;
}

/* Hands out what is in order, on one thread at a time, with the lock held but around the call. */
static void hand_out_ready(struct taking *t)
{
    struct add_block *b;
    if (t->handing_out)
        return;
    t->handing_out = true;
    while ((b = take_next(t))) {
        pthread_mutex_unlock(&t->lock);
        enum status st = b->rows ? hand_out(t->scan, b, &t->err) : STATUS_OK;
        block_free(b);
        pthread_mutex_lock(&t->lock);
        t->failure = st;
    }
    t->handing_out = false;
}

/* Takes the block; b NULL: there was no memory for it.  False when the scan has failed. */
static bool taking_keep(struct taking *t, struct add_block *b)
{
    pthread_mutex_lock(&t->lock);
    if (b) {
        if (b->file > 0) {
            b->next = t->later;
            t->later = b;
            t->later_count++;
        } else {
            insert_waiting(t, b);
            hand_out_ready(t);
        }
    }
    t->out_of_memory |= !b;
    bool going_on = !t->out_of_memory && !t->failure;
    pthread_mutex_unlock(&t->lock);
    return going_on;
}

/* ---- a vector (any thread) -------------------------------------------------------------------------- */

static int64_t first_number(duckdb_data_chunk input, idx_t argument)
{
    return *(const int64_t *)duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, argument));
}

static void view_texts(duckdb_vector v, const uint32_t *live, size_t rows, struct str *out)
{
    const duckdb_string_t *data = duckdb_vector_get_data(v);
    const uint64_t *validity = duckdb_vector_get_validity(v);
    for (size_t i = 0; i < rows; i++)
        out[i] = vector_valid(validity, live[i]) ? vector_str(&data[live[i]]) : STR_NULL;
}

/* False: the taker wants no more. */
static bool pass_stats(const struct taking *t, duckdb_data_chunk input, const uint32_t *live, size_t rows)
{
    struct str stats[VECTOR_ROWS_MAX];
    int64_t sizes[VECTOR_ROWS_MAX];
    take_numbers(duckdb_data_chunk_get_vector(input, ARG_SIZE), live, rows, 0, sizes);
    view_texts(duckdb_data_chunk_get_vector(input, ARG_STATS), live, rows, stats);
    struct delta_stats_batch batch = {.part_index = t->scan->parts[first_number(input, ARG_FILE)],
                                      .first_row = first_number(input, ARG_ROW),
                                      .rows = rows,
                                      .size_bytes = sizes,
                                      .stats = stats};
    return t->scan->stats(t->scan->user, &batch);
}

/* A vector without adds leaves an empty block: it says how far the file was read. */
static bool keep_rows(struct taking *t, duckdb_data_chunk input, size_t rows, const uint32_t *live, size_t count)
{
    struct add_block *b = mem_calloc(1, sizeof(*b));
    if (b) {
        b->file = first_number(input, ARG_FILE);
        b->first_row = first_number(input, ARG_ROW);
        b->vector_rows = (int64_t)rows;
    }
    if (b && count && !(block_room(t->scan, b, count) && block_fill(t->scan, b, input, live))) {
        block_free(b);
        b = NULL;
    }
    return taking_keep(t, b);
}

/* False: stopped. */
static bool take_vector(struct taking *t, duckdb_data_chunk input, size_t rows)
{
    uint32_t live[VECTOR_ROWS_MAX] = {0};
    size_t count = 0;
    const uint64_t *validity = duckdb_vector_get_validity(duckdb_data_chunk_get_vector(input, t->scan->stats ? ARG_SIZE : ARG_PATH));
    for (size_t i = 0; i < rows && count < VV_ARRAY_COUNT(live); i++)
        if (vector_valid(validity, i))
            live[count++] = (uint32_t)i;
    if (!t->scan->stats)
        return keep_rows(t, input, rows, live, count);
    if (count == 0 || pass_stats(t, input, live, count))
        return true;
    __atomic_store_n(&t->stopped, true, __ATOMIC_RELEASE);
    return false;
}

static void take_adds(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    size_t rows = (size_t)duckdb_data_chunk_get_size(input);
    const uint64_t *ids = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, ARG_ID));
    struct taking *t = rows ? taking_find(duckdb_scalar_function_get_extra_info(info), ids[0]) : NULL;
    if (rows && !t) {
        duckdb_scalar_function_set_error(info, "this function is for the program itself");
        return;
    }
    if (t && !take_vector(t, input, rows)) {
        duckdb_scalar_function_set_error(info, "no more rows are wanted");
        return;
    }
    memset(duckdb_vector_get_data(output), 0, rows * sizeof(int64_t));
}

/* ---- the function ------------------------------------------------------------------------------- */

static void add_parameter(duckdb_scalar_function f, duckdb_type id)
{
    duckdb_logical_type type = duckdb_create_logical_type(id);
    duckdb_scalar_function_add_parameter(f, type);
    duckdb_destroy_logical_type(&type);
}

static void add_map_parameter(duckdb_scalar_function f)
{
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR), map = duckdb_create_map_type(text, text);
    duckdb_scalar_function_add_parameter(f, map);
    duckdb_destroy_logical_type(&map);
    duckdb_destroy_logical_type(&text);
}

static void describe_function(duckdb_scalar_function f, struct add_scans *all)
{
    static const duckdb_type parameters[ARG_COUNT] = {
        [ARG_ID] = DUCKDB_TYPE_UBIGINT,       [ARG_PATH] = DUCKDB_TYPE_VARCHAR,       [ARG_SIZE] = DUCKDB_TYPE_BIGINT,
        [ARG_TIME] = DUCKDB_TYPE_BIGINT,      [ARG_FILE] = DUCKDB_TYPE_BIGINT,        [ARG_ROW] = DUCKDB_TYPE_BIGINT,
        [ARG_PARTITIONS] = DUCKDB_TYPE_MAP,   [ARG_DV_STORAGE] = DUCKDB_TYPE_VARCHAR, [ARG_DV_PATH] = DUCKDB_TYPE_VARCHAR,
        [ARG_DV_OFFSET] = DUCKDB_TYPE_BIGINT, [ARG_DV_SIZE] = DUCKDB_TYPE_BIGINT,     [ARG_DV_ROWS] = DUCKDB_TYPE_BIGINT,
        [ARG_STATS] = DUCKDB_TYPE_VARCHAR,    [ARG_ROW_ID] = DUCKDB_TYPE_BIGINT,      [ARG_ROW_VERSION] = DUCKDB_TYPE_BIGINT};
    duckdb_logical_type result = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT);
    duckdb_scalar_function_set_name(f, FUNCTION_NAME);
    for (int i = 0; i < ARG_COUNT; i++) {
        if (parameters[i] == DUCKDB_TYPE_MAP)
            add_map_parameter(f);
        else
            add_parameter(f, parameters[i]);
    }
    duckdb_scalar_function_set_return_type(f, result);
    duckdb_scalar_function_set_special_handling(f); /* rows with NULL arguments are rows like others */
    duckdb_scalar_function_set_volatile(f);
    duckdb_scalar_function_set_extra_info(f, all, NULL);
    duckdb_scalar_function_set_function(f, take_adds);
    duckdb_destroy_logical_type(&result);
}

static enum status ensure_function(struct add_scans *all, struct engine_run *run, struct error *err)
{
    enum status st = STATUS_OK;
    pthread_mutex_lock(&all->lock);
    if (!all->registered) {
        duckdb_scalar_function f = duckdb_create_scalar_function();
        describe_function(f, all);
        all->registered = duckdb_register_scalar_function(run->connection->duck, f) == DuckDBSuccess;
        duckdb_destroy_scalar_function(&f);
        if (!all->registered)
            st = error_set(err, STATUS_INTERNAL, "the engine does not take the function " FUNCTION_NAME);
    }
    pthread_mutex_unlock(&all->lock);
    return st;
}

/* ---- the query ------------------------------------------------------------------------------------ */

static const struct delta_type *member_struct(const struct delta_type *type, const char *name)
{
    const struct delta_field *field = type ? delta_field_find(type, str_of(name)) : NULL;
    return field && field->type->id == DELTA_STRUCT ? field->type : NULL;
}

static bool has_member(const struct delta_type *type, const char *name) { return type && delta_field_find(type, str_of(name)); }

/* An argument, or NULL of its type when the file has no such column. */
static bool put_argument(struct buf *sql, bool present, const char *expression, const char *type)
{
    if (present)
        buf_printf(sql, ", CAST(%s AS %s)", expression, type);
    else
        buf_printf(sql, ", CAST(NULL AS %s)", type);
    return present;
}

static void put_query(struct add_scan *scan, const struct delta_type *add, uint64_t id, struct str files, struct buf *sql)
{
    const struct delta_type *dv = scan->stats ? NULL : member_struct(add, "deletionVector");
    struct buf stats = BUF_INIT;
    bool has_stats = scan->wanted & DELTA_READ_STATS && checkpoint_stats_sql(add, &stats), all = !scan->stats;
    buf_printf(sql, "SELECT max(" FUNCTION_NAME "(CAST(%llu AS UBIGINT)", (unsigned long long)id);
    scan->has_text[TEXT_PATH] = put_argument(sql, all, "add.path", "VARCHAR");
    put_argument(sql, has_member(add, "size"), "add.size", "BIGINT");
    put_argument(sql, all && has_member(add, "modificationTime"), "add.modificationTime", "BIGINT");
    put_argument(sql, true, "file_index", "BIGINT");
    put_argument(sql, true, "file_row_number", "BIGINT");
    scan->has_partitions =
        put_argument(sql, scan->partition_count && has_member(add, "partitionValues"), "add.partitionValues", "MAP(VARCHAR, VARCHAR)");
    scan->has_text[TEXT_DV_STORAGE] = put_argument(sql, has_member(dv, "storageType"), "add.deletionVector.storageType", "VARCHAR");
    scan->has_text[TEXT_DV_PATH] = put_argument(sql, has_member(dv, "pathOrInlineDv"), "add.deletionVector.pathOrInlineDv", "VARCHAR");
    put_argument(sql, has_member(dv, "offset"), "add.deletionVector.\"offset\"", "BIGINT");
    put_argument(sql, has_member(dv, "sizeInBytes"), "add.deletionVector.sizeInBytes", "BIGINT");
    put_argument(sql, has_member(dv, "cardinality"), "add.deletionVector.cardinality", "BIGINT");
    scan->has_text[TEXT_STATS] = put_argument(sql, has_stats, stats.ptr, "VARCHAR");
    sql->failed |= stats.failed;
    buf_release(&stats);
    bool row_ids = scan->wanted & DELTA_READ_ROW_IDS;
    scan->has_row_ids = put_argument(sql, row_ids && has_member(add, "baseRowId"), "add.baseRowId", "BIGINT");
    put_argument(sql, row_ids && has_member(add, "defaultRowCommitVersion"), "add.defaultRowCommitVersion", "BIGINT");
    buf_z(sql, "))");
    buf_str(sql, files);
}

/* ---- the scan -------------------------------------------------------------------------------------- */

/* What is left when every vector was taken. */
static enum status hand_out_rest(struct ctx *ctx, struct taking *t, struct error *err)
{
    struct add_block **blocks = mem_alloc((t->later_count + 1) * sizeof(*blocks));
    enum status st = STATUS_OK;
    size_t count = 0;
    if (!blocks)
        return error_oom(err);
    for (struct add_block *b = t->first; b && st == STATUS_OK; b = b->next)
        st = b->rows ? hand_out(t->scan, b, err) : STATUS_OK;
    for (struct add_block *b = t->later; b && st == STATUS_OK; b = b->next)
        blocks[count++] = b;
    if (st == STATUS_OK)
        qsort(blocks, count, sizeof(*blocks), by_place);
    for (size_t i = 0; i < count && st == STATUS_OK; i++) {
        st = ctx_check(ctx, err);
        if (st == STATUS_OK && blocks[i]->rows)
            st = hand_out(t->scan, blocks[i], err);
    }
    mem_free(blocks);
    return st;
}

/* What our function says goes before what the engine says about its failing. */
static enum status taking_status(struct taking *t, enum status st, struct error *err)
{
    if (t->out_of_memory)
        return error_oom(err);
    if (t->failure) {
        error_move(err, &t->err);
        return t->failure;
    }
    if (t->stopped)
        return error_set(err, STATUS_CANCELLED, "the reader of the checkpoint stopped");
    return st;
}

enum status add_scan_run(struct ctx *ctx, struct engine_run *run, struct add_scans *all, struct add_scan *scan, const struct delta_type *add,
                         struct str files, struct error *err)
{
    struct taking taking;
    struct buf sql = BUF_INIT;
    taking_begin(all, &taking, scan);
    put_query(scan, add, taking.id, files, &sql);
    enum status st = buf_check(&sql, err);
    if (st == STATUS_OK)
        st = ensure_function(all, run, err);
    if (st == STATUS_OK)
        st = run_execute(run, buf_view(&sql), err);
    st = taking_status(&taking, st, err);
    if (st == STATUS_OK)
        st = hand_out_rest(ctx, &taking, err);
    taking_end(all, &taking);
    buf_release(&sql);
    return st;
}
