/* engine/row_filter.c: rows of a scan by their place in their file, by scalar functions that hold the files' row sets.
 *
 *   varve_keeps_row(<filter id>, file_index, file_row_number)    whether deletion vectors leave the row
 *   varve_file_position(<filter id>, file_index)                 which file of the scan a branch's file is
 *
 * Both virtual columns are the Parquet reader's own, so an answer depends on the row's physical number only, whatever
 * threads, filters, limits and skipped row groups make of the scan.  The filter is looked up once, when the call is bound;
 * from then on the plan holds a reference, so execution takes no lock.  The rows of a vector mostly are consecutive rows
 * of one file: then one mask answers for all of them. */
#include "engine/engine_int.h"

enum {
    WINDOW_BITS = 32768, /* rows of a vector that lie this near to each other are answered by one mask */
    FEW_ROWS = 64        /* so few wanted rows are named to the reader, which then decodes no others */
};

struct row_filter_file {
    const struct delta_rows *rows; /* NULL: every row is kept */
    struct delta_rows *owned;
    bool only; /* rows are the kept ones, not the dropped ones */
    int32_t position;
};
struct row_filter {
    atomic_int refs;
    uint64_t id;
    size_t file_count;
    struct row_filter_file *files;
    uint64_t few[FEW_ROWS]; /* every row that is kept of any of the files has one of these numbers */
    size_t few_count;       /* 0: they are not known, or too many */
    struct row_filter *prev, *next;
};

/* ---- registry ---------------------------------------------------------------------------- */

void row_filters_init(struct row_filters *all)
{
    *all = (struct row_filters){.next_id = 1};
    pthread_mutex_init(&all->lock, NULL);
}

void row_filters_release(struct row_filters *all) { pthread_mutex_destroy(&all->lock); }

static void filter_unref(struct row_filter *f)
{
    if (!f || atomic_fetch_sub(&f->refs, 1) != 1)
        return;
    for (size_t i = 0; i < f->file_count; i++)
        delta_rows_free(f->files[i].owned);
    mem_free(f->files);
    mem_free(f);
}

static void enter(struct row_filters *all, struct row_filter *f)
{
    pthread_mutex_lock(&all->lock);
    f->id = all->next_id++;
    f->next = all->first;
    if (all->first)
        all->first->prev = f;
    all->first = f;
    pthread_mutex_unlock(&all->lock);
}

void row_filter_drop(struct engine *e, struct row_filter *f)
{
    struct row_filters *all = &e->row_filters;
    if (!f)
        return;
    pthread_mutex_lock(&all->lock);
    *(f->prev ? &f->prev->next : &all->first) = f->next;
    if (f->next)
        f->next->prev = f->prev;
    pthread_mutex_unlock(&all->lock);
    filter_unref(f);
}

static struct row_filter *look_up(struct row_filters *all, uint64_t id)
{
    pthread_mutex_lock(&all->lock);
    struct row_filter *f = all->first;
    while (f && f->id != id)
        f = f->next;
    if (f)
        atomic_fetch_add(&f->refs, 1);
    pthread_mutex_unlock(&all->lock);
    return f;
}

/* ---- filling a filter ------------------------------------------------------------------------ */

bool row_filter_applies(const struct engine_scan *scan, size_t file) { return scan->files[file].dv || (scan->only && scan->only[file]); }

static enum status fill_file(struct ctx *ctx, const struct engine_scan *scan, size_t file, struct row_filter_file *out, struct error *err)
{
    const struct delta_file *f = &scan->files[file];
    enum status status = ctx_check(ctx, err);
    out->position = (int32_t)file;
    out->only = scan->only && scan->only[file];
    if (out->only)
        out->rows = scan->only[file];
    if (status != STATUS_OK || out->only || !f->dv)
        return status;
    status = delta_dv_read(ctx, scan->store, f->dv, &out->owned, err);
    out->rows = out->owned;
    if (status != STATUS_OK)
        error_context(err, "while reading the deletion vector of data file \"%.*s\" of table \"%.*s\"", STR_ARG(f->path), STR_ARG(scan->table_name));
    return status;
}

static void note_few(struct row_filter *f)
{
    uint64_t total = 0;
    for (size_t i = 0; i < f->file_count; i++)
        total += f->files[i].only ? delta_rows_count(f->files[i].rows) : FEW_ROWS + 1;
    for (size_t i = 0; i < f->file_count && total <= FEW_ROWS; i++)
        f->few_count += delta_rows_first(f->files[i].rows, f->few + f->few_count, FEW_ROWS - f->few_count);
}

enum status row_filter_new(struct ctx *ctx, struct engine *e, const struct engine_scan *scan, const size_t *files, size_t file_count,
                           struct row_filter **out, struct error *err)
{
    enum status status = STATUS_OK;
    *out = NULL;
    struct row_filter *f = mem_calloc(1, sizeof(*f));
    if (!f)
        return error_oom(err);
    atomic_init(&f->refs, 1);
    f->files = mem_calloc(file_count + 1, sizeof(*f->files));
    if (!f->files) {
        filter_unref(f);
        return error_oom(err);
    }
    f->file_count = file_count;
    for (size_t i = 0; i < f->file_count && status == STATUS_OK; i++)
        status = fill_file(ctx, scan, files[i], &f->files[i], err);
    if (status != STATUS_OK) {
        filter_unref(f);
        return status;
    }
    note_few(f);
    enter(&e->row_filters, f);
    *out = f;
    return STATUS_OK;
}

/* ---- the functions ------------------------------------------------------------------------------ */

static void free_filter(void *user) { filter_unref(user); }

static void *copy_filter(void *user)
{
    struct row_filter *f = user;
    atomic_fetch_add(&f->refs, 1);
    return f;
}

static void bind_filter(duckdb_bind_info info)
{
    struct row_filters *all = duckdb_scalar_function_bind_get_extra_info(info);
    int64_t id;
    struct row_filter *f = bind_constant(info, 0, &id) ? look_up(all, (uint64_t)id) : NULL;
    if (!f) {
        duckdb_scalar_function_bind_set_error(info, "the row sets of this scan are gone");
        return;
    }
    duckdb_scalar_function_set_bind_data(info, f, free_filter);
    duckdb_scalar_function_set_bind_data_copy(info, copy_filter);
}

static bool knows_files(duckdb_function_info info, const struct row_filter *f, const uint64_t *file_index, idx_t rows)
{
    uint64_t largest = 0;
    for (idx_t i = 0; i < rows; i++)
        largest = file_index[i] > largest ? file_index[i] : largest;
    if (!rows || largest < f->file_count)
        return true;
    duckdb_scalar_function_set_error(info, "a row comes from a file that the scan does not have");
    return false;
}

/* A vector's rows and where the answers go. */
struct row_run {
    const uint64_t *file_index;
    const int64_t *number;
    idx_t rows;
    bool *kept;
};

static bool is_one_file(const struct row_run *r)
{
    uint64_t difference = 0;
    for (idx_t i = 1; i < r->rows; i++)
        difference |= r->file_index[i] ^ r->file_index[0];
    return difference == 0;
}

/* The numbers lie in one window: [*first, *first + *span). */
static bool is_near(const struct row_run *r, int64_t *first, size_t *span)
{
    int64_t low = r->number[0], high = low;
    for (idx_t i = 1; i < r->rows; i++) {
        low = r->number[i] < low ? r->number[i] : low;
        high = r->number[i] > high ? r->number[i] : high;
    }
    *first = low;
    *span = (size_t)(high - low) + 1;
    return low >= 0 && high - low < WINDOW_BITS;
}

/* Consecutive rows of one file, as the reader gives them when nothing was filtered before.  One pass without branches. */
static bool is_consecutive(const struct row_run *r)
{
    const uint64_t file = r->file_index[0];
    const int64_t first = r->number[0];
    uint64_t files = 0;
    int64_t numbers = 0;
    for (idx_t i = 0; i < r->rows; i++) {
        files |= r->file_index[i] ^ file;
        numbers |= r->number[i] ^ (first + (int64_t)i);
    }
    return files == 0 && numbers == 0 && first >= 0;
}

/* Bits to bools, eight at a time: each byte of the product holds the eight bits, each keeps its own. */
static void spread(const uint64_t *words, idx_t rows, bool invert, bool *out)
{
    const uint64_t every_byte = UINT64_C(0x0101010101010101), own_bit = UINT64_C(0x8040201008040201), carry = UINT64_C(0x7f7f7f7f7f7f7f7f);
    const uint64_t flip = invert ? every_byte : 0;
    idx_t i = 0;
    for (; i + 8 <= rows; i += 8) {
        uint64_t bits = words[i >> 6] >> (i & 63) & 0xff;
        uint64_t eight = ((bits * every_byte & own_bit) + carry) >> 7 & every_byte;
        eight ^= flip;
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        eight = __builtin_bswap64(eight);
#endif
        memcpy(out + i, &eight, 8);
    }
    for (; i < rows; i++)
        out[i] = (words[i >> 6] >> (i & 63) & 1) != invert;
}

static void answer_consecutive(const struct row_filter_file *file, const struct row_run *r)
{
    uint64_t words[WINDOW_BITS / 64];
    if (!file->rows) {
        memset(r->kept, true, r->rows);
        return;
    }
    delta_rows_mask(file->rows, (uint64_t)r->number[0], r->rows, words);
    spread(words, r->rows, !file->only, r->kept);
}

static void answer_near(const struct row_filter_file *file, const struct row_run *r, int64_t first, size_t span)
{
    uint64_t words[WINDOW_BITS / 64];
    delta_rows_mask(file->rows, (uint64_t)first, span, words);
    for (idx_t i = 0; i < r->rows; i++) {
        size_t bit = (size_t)(r->number[i] - first);
        r->kept[i] = (words[bit >> 6] >> (bit & 63) & 1) == file->only;
    }
}

static void answer_one_by_one(const struct row_filter *f, const struct row_run *r)
{
    for (idx_t i = 0; i < r->rows; i++) {
        const struct row_filter_file *file = &f->files[r->file_index[i]];
        r->kept[i] = !file->rows || delta_rows_contains(file->rows, (uint64_t)r->number[i]) == file->only;
    }
}

static void answer(const struct row_filter *f, const struct row_run *r)
{
    int64_t first;
    size_t span;
    if (!is_one_file(r))
        answer_one_by_one(f, r);
    else if (!f->files[r->file_index[0]].rows)
        memset(r->kept, true, r->rows);
    else if (is_near(r, &first, &span))
        answer_near(&f->files[r->file_index[0]], r, first, span);
    else
        answer_one_by_one(f, r);
}

static void execute_keeps(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    const struct row_filter *f = duckdb_scalar_function_get_bind_data(info);
    struct row_run r = {.file_index = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 1)),
                        .number = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 2)),
                        .rows = duckdb_data_chunk_get_size(input),
                        .kept = duckdb_vector_get_data(output)};
    if (r.rows && r.rows <= WINDOW_BITS && r.file_index[0] < f->file_count && is_consecutive(&r))
        answer_consecutive(&f->files[r.file_index[0]], &r);
    else if (r.rows && knows_files(info, f, r.file_index, r.rows))
        answer(f, &r);
}

static void execute_position(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    const struct row_filter *f = duckdb_scalar_function_get_bind_data(info);
    const uint64_t *file_index = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 1));
    idx_t rows = duckdb_data_chunk_get_size(input);
    int32_t *out = duckdb_vector_get_data(output);
    if (!knows_files(info, f, file_index, rows))
        return;
    for (idx_t i = 0; i < rows; i++)
        out[i] = f->files[file_index[i]].position;
}

/* ---- registering ----------------------------------------------------------------------------------- */

struct function_shape {
    const char *name;
    duckdb_type result;
    bool takes_row;
    duckdb_scalar_function_t execute;
};

static void add_parameter(duckdb_scalar_function f, duckdb_type id)
{
    duckdb_logical_type type = duckdb_create_logical_type(id);
    duckdb_scalar_function_add_parameter(f, type);
    duckdb_destroy_logical_type(&type);
}

static enum status register_function(duckdb_connection connection, struct row_filters *all, const struct function_shape *shape, struct error *err)
{
    duckdb_scalar_function f = duckdb_create_scalar_function();
    duckdb_logical_type result = duckdb_create_logical_type(shape->result);
    if (!f || !result)
        return error_oom(err);
    duckdb_scalar_function_set_name(f, shape->name);
    add_parameter(f, DUCKDB_TYPE_BIGINT);
    add_parameter(f, DUCKDB_TYPE_UBIGINT);
    if (shape->takes_row)
        add_parameter(f, DUCKDB_TYPE_BIGINT);
    duckdb_scalar_function_set_return_type(f, result);
    duckdb_scalar_function_set_extra_info(f, all, NULL);
    duckdb_scalar_function_set_bind(f, bind_filter);
    duckdb_scalar_function_set_function(f, shape->execute);
    duckdb_state state = duckdb_register_scalar_function(connection, f);
    duckdb_destroy_logical_type(&result);
    duckdb_destroy_scalar_function(&f);
    if (state != DuckDBSuccess)
        return error_set(err, STATUS_INTERNAL, "the engine does not take the function \"%s\"", shape->name);
    return STATUS_OK;
}

static enum status register_all(duckdb_connection connection, struct row_filters *all, struct error *err)
{
    static const struct function_shape shapes[] = {
        {"varve_keeps_row", DUCKDB_TYPE_BOOLEAN, true, execute_keeps},
        {"varve_file_position", DUCKDB_TYPE_INTEGER, false, execute_position},
    };
    enum status status = STATUS_OK;
    for (size_t i = 0; i < VV_ARRAY_COUNT(shapes) && status == STATUS_OK; i++)
        status = register_function(connection, all, &shapes[i], err);
    all->registered = status == STATUS_OK;
    return status;
}

/* Once, under the lock; the connection is taken before, not under it. */
static enum status ensure_functions(struct ctx *ctx, struct engine *e, struct error *err)
{
    struct row_filters *all = &e->row_filters;
    struct engine_run run;
    pthread_mutex_lock(&all->lock);
    bool known = all->registered;
    pthread_mutex_unlock(&all->lock);
    if (known)
        return STATUS_OK;
    enum status status = run_begin(ctx, e, STR_NULL, &run, err);
    if (status != STATUS_OK)
        return status;
    pthread_mutex_lock(&all->lock);
    if (!all->registered)
        status = register_all(run.connection->duck, all, err);
    pthread_mutex_unlock(&all->lock);
    run_end(&run);
    return status;
}

enum status row_filter_keeps_sql(struct ctx *ctx, struct engine *e, const struct row_filter *f, struct buf *sql, struct error *err)
{
    for (size_t i = 0; i < f->few_count; i++)
        buf_printf(sql, "%s%llu", i ? ", " : "file_row_number IN (", (unsigned long long)f->few[i]);
    buf_z(sql, f->few_count ? ") AND " : "");
    buf_printf(sql, "varve_keeps_row(%llu, file_index, file_row_number)", (unsigned long long)f->id);
    return ensure_functions(ctx, e, err);
}

enum status row_filter_position_sql(struct ctx *ctx, struct engine *e, const struct row_filter *f, struct buf *sql, struct error *err)
{
    buf_printf(sql, "varve_file_position(%llu, file_index)", (unsigned long long)f->id);
    return ensure_functions(ctx, e, err);
}
