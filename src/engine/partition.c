/* engine/partition.c: partition values of a scan, by a scalar function that holds them.
 *
 *   varve_partition_<type>(<dictionary id * 1024 + column>, file_index)
 *
 * The dictionary is looked up once, when the call is bound; from then on the plan holds a reference, so
 * execution takes no lock.  Rows of a vector nearly always come from one file, and then the answer is a
 * constant vector.  One function per return type; registered when first needed. */
#include "engine/engine_int.h"

#include <stdio.h>

#define MAX_COLUMNS 1024

struct partition_entry {
    bool is_null;
    uint8_t fixed[16];  /* as the vector holds it */
    struct str text;    /* VARCHAR, BLOB */
    duckdb_value value; /* none when is_null */
};
struct partition_column {
    const struct delta_type *type; /* in the dictionary's arena */
    size_t width;                  /* bytes in a vector; 0: a string */
    struct partition_entry *entries;
    uint32_t entry_count;
    uint32_t *codes; /* per file */
};
struct partition_dictionary {
    atomic_int refs;
    uint64_t id;
    size_t file_count, column_count;
    struct partition_column *columns;
    struct arena arena;
    struct partition_dictionary *prev, *next;
};
/* What a bound call knows. */
struct bound_call {
    struct partition_dictionary *dictionary;
    const struct partition_column *column;
};

/* ---- registry ---------------------------------------------------------------------------- */

void partition_registry_init(struct partition_registry *r)
{
    *r = (struct partition_registry){.next_id = 1};
    pthread_mutex_init(&r->lock, NULL);
}

void partition_registry_release(struct partition_registry *r)
{
    for (size_t i = 0; i < r->function_count; i++)
        mem_free((char *)r->functions[i].ptr);
    mem_free(r->functions);
    pthread_mutex_destroy(&r->lock);
}

static void dictionary_unref(struct partition_dictionary *d)
{
    if (!d || atomic_fetch_sub(&d->refs, 1) != 1)
        return;
    for (size_t c = 0; d->columns && c < d->column_count; c++)
        for (uint32_t i = 0; i < d->columns[c].entry_count; i++)
            if (d->columns[c].entries[i].value)
                duckdb_destroy_value(&d->columns[c].entries[i].value);
    arena_release(&d->arena);
    mem_free(d);
}

static void enter(struct partition_registry *r, struct partition_dictionary *d)
{
    pthread_mutex_lock(&r->lock);
    d->id = r->next_id++;
    d->next = r->first;
    if (r->first)
        r->first->prev = d;
    r->first = d;
    pthread_mutex_unlock(&r->lock);
}

void partition_dictionary_drop(struct engine *e, struct partition_dictionary *d)
{
    struct partition_registry *r = &e->partitions;
    if (!d)
        return;
    pthread_mutex_lock(&r->lock);
    *(d->prev ? &d->prev->next : &r->first) = d->next;
    if (d->next)
        d->next->prev = d->prev;
    pthread_mutex_unlock(&r->lock);
    dictionary_unref(d);
}

static struct partition_dictionary *look_up(struct partition_registry *r, uint64_t id)
{
    pthread_mutex_lock(&r->lock);
    struct partition_dictionary *d = r->first;
    while (d && d->id != id)
        d = d->next;
    if (d)
        atomic_fetch_add(&d->refs, 1);
    pthread_mutex_unlock(&r->lock);
    return d;
}

/* ---- filling a dictionary -------------------------------------------------------------------- */

static size_t width_of(const struct delta_type *type)
{
    switch (type->id) {
    case DELTA_BOOLEAN:
    case DELTA_BYTE:
        return 1;
    case DELTA_SHORT:
        return 2;
    case DELTA_INTEGER:
    case DELTA_DATE:
    case DELTA_FLOAT:
        return 4;
    case DELTA_STRING:
    case DELTA_BINARY:
        return 0;
    case DELTA_DECIMAL:
        return type->precision <= 4 ? 2 : type->precision <= 9 ? 4 : type->precision <= 18 ? 8 : 16;
    default:
        return 8;
    }
}

static duckdb_value decimal_constant(const struct delta_value *v, const struct delta_type *type)
{
    duckdb_decimal decimal = {.width = type->precision, .scale = type->scale, .value = {.lower = (uint64_t)v->dec, .upper = (int64_t)(v->dec >> 64)}};
    return duckdb_create_decimal(decimal);
}

static duckdb_value constant_of(const struct delta_value *v, const struct delta_type *type)
{
    switch (type->id) {
    case DELTA_BOOLEAN:
        return duckdb_create_bool(v->i64 != 0);
    case DELTA_BYTE:
        return duckdb_create_int8((int8_t)v->i64);
    case DELTA_SHORT:
        return duckdb_create_int16((int16_t)v->i64);
    case DELTA_INTEGER:
        return duckdb_create_int32((int32_t)v->i64);
    case DELTA_LONG:
        return duckdb_create_int64(v->i64);
    case DELTA_FLOAT:
        return duckdb_create_float((float)v->f64);
    case DELTA_DOUBLE:
        return duckdb_create_double(v->f64);
    case DELTA_DATE:
        return duckdb_create_date((duckdb_date){(int32_t)v->i64});
    case DELTA_TIMESTAMP:
        return duckdb_create_timestamp_tz((duckdb_timestamp){v->i64});
    case DELTA_TIMESTAMP_NTZ:
        return duckdb_create_timestamp((duckdb_timestamp){v->i64});
    case DELTA_DECIMAL:
        return decimal_constant(v, type);
    case DELTA_BINARY:
        return duckdb_create_blob((const uint8_t *)v->str.ptr, v->str.len);
    default:
        return duckdb_create_varchar_length(v->str.ptr, v->str.len);
    }
}

static void fix(struct partition_entry *entry, const struct delta_value *v, const struct delta_type *type, size_t width)
{
    float f = (float)v->f64;
    if (type->id == DELTA_FLOAT)
        memcpy(entry->fixed, &f, sizeof(f));
    else if (type->id == DELTA_DOUBLE)
        memcpy(entry->fixed, &v->f64, sizeof(v->f64));
    else if (type->id == DELTA_DECIMAL)
        memcpy(entry->fixed, &v->dec, width); /* little endian: the low bytes */
    else if (width)
        memcpy(entry->fixed, &v->i64, width);
    else
        entry->text = v->str;
}

static enum status add_entry(struct partition_dictionary *d, struct partition_column *c, struct str text, struct error *err)
{
    struct partition_entry *entry = &c->entries[c->entry_count];
    struct delta_value v = {0};
    enum status st = delta_partition_value(&d->arena, text, c->type, &v, err);
    if (st != STATUS_OK)
        return st;
    entry->is_null = v.is_null;
    if (!v.is_null && c->type->id >= DELTA_VOID)
        return error_set(err, STATUS_UNSUPPORTED_FEATURE, "a partition column has a type that cannot be one");
    if (!v.is_null && c->width == 0) {
        v.str = arena_str(&d->arena, v.str);
        if (!v.str.ptr)
            return error_oom(err);
    }
    if (!v.is_null)
        fix(entry, &v, c->type, c->width);
    c->entry_count++;
    entry->value = v.is_null ? NULL : constant_of(&v, c->type);
    return v.is_null || entry->value ? STATUS_OK : error_oom(err);
}

/* Texts seen so far -> code.  Open addressing, twice as many slots as files. */
struct text_index {
    uint32_t *slots; /* code + 1 */
    struct str *texts;
    size_t mask;
};

static bool same_text(struct str a, struct str b) { return (a.ptr != NULL) == (b.ptr != NULL) && str_eq(a, b); }

static enum status code_of(struct partition_dictionary *d, struct partition_column *c, struct text_index *index, struct str text, uint32_t *code,
                           struct error *err)
{
    size_t at = (text.ptr ? hash_str(text) : 0) & index->mask;
    while (index->slots[at] && !same_text(index->texts[index->slots[at] - 1], text))
        at = (at + 1) & index->mask;
    if (!index->slots[at]) {
        index->texts[c->entry_count] = text;
        index->slots[at] = c->entry_count + 1;
        enum status st = add_entry(d, c, text, err);
        if (st != STATUS_OK)
            return st;
    }
    *code = index->slots[at] - 1;
    return STATUS_OK;
}

static enum status fill_column(struct partition_dictionary *d, size_t column, const struct delta_field *field, const struct delta_file *const *files,
                               struct error *err)
{
    struct partition_column *c = &d->columns[column];
    struct text_index index = {.mask = 15};
    enum status st = STATUS_OK;
    while (index.mask < 2 * d->file_count)
        index.mask = 2 * index.mask + 1;
    index.slots = mem_calloc(index.mask + 1, sizeof(*index.slots));
    index.texts = mem_calloc(d->file_count + 1, sizeof(*index.texts));
    c->type = delta_type_copy(&d->arena, field->type);
    c->entries = ARENA_ARRAY(&d->arena, struct partition_entry, d->file_count + 1);
    c->codes = ARENA_ARRAY(&d->arena, uint32_t, d->file_count + 1);
    if (!index.slots || !index.texts || !c->type || !c->entries || !c->codes)
        st = error_oom(err);
    else
        c->width = width_of(c->type);
    for (size_t f = 0; f < d->file_count && st == STATUS_OK; f++)
        st = code_of(d, c, &index, files[f]->partition_values[column], &c->codes[f], err);
    if (st != STATUS_OK)
        error_context(err, "while reading the values of partition column \"%.*s\"", STR_ARG(field->name));
    mem_free(index.slots);
    mem_free(index.texts);
    return st;
}

enum status partition_dictionary_new(struct engine *e, const struct delta_field *const *columns, size_t column_count,
                                     const struct delta_file *const *files, size_t file_count, struct partition_dictionary **out, struct error *err)
{
    enum status st = STATUS_OK;
    *out = NULL;
    if (column_count > MAX_COLUMNS)
        return error_set(err, STATUS_LIMIT_EXCEEDED, "more than %d partition columns", MAX_COLUMNS);
    struct partition_dictionary *d = mem_calloc(1, sizeof(*d));
    if (!d)
        return error_oom(err);
    atomic_init(&d->refs, 1);
    d->file_count = file_count;
    d->column_count = column_count;
    d->columns = ARENA_ARRAY(&d->arena, struct partition_column, column_count + 1);
    if (!d->columns)
        st = error_oom(err);
    for (size_t c = 0; c < column_count && st == STATUS_OK; c++)
        st = fill_column(d, c, columns[c], files, err);
    if (st != STATUS_OK) {
        dictionary_unref(d);
        return st;
    }
    enter(&e->partitions, d);
    *out = d;
    return STATUS_OK;
}

/* ---- the function -------------------------------------------------------------------------------- */

static void free_call(void *user)
{
    struct bound_call *call = user;
    dictionary_unref(call->dictionary);
    mem_free(call);
}

static void *copy_call(void *user)
{
    struct bound_call *call = user, *copy = mem_alloc(sizeof(*copy));
    if (!copy)
        return NULL;
    *copy = *call;
    atomic_fetch_add(&copy->dictionary->refs, 1);
    return copy;
}

/* NULL when the argument is no constant. */
static duckdb_value constant_argument(duckdb_bind_info info, idx_t index)
{
    duckdb_client_context context = NULL;
    duckdb_expression argument = duckdb_scalar_function_bind_get_argument(info, index);
    duckdb_value value = NULL;
    duckdb_scalar_function_get_client_context(info, &context);
    if (argument && duckdb_expression_is_foldable(argument)) {
        duckdb_error_data data = duckdb_expression_fold(context, argument, &value);
        if (value && data && duckdb_error_data_has_error(data))
            duckdb_destroy_value(&value);
        if (data)
            duckdb_destroy_error_data(&data);
    }
    if (argument)
        duckdb_destroy_expression(&argument);
    if (context)
        duckdb_destroy_client_context(&context);
    return value;
}

bool bind_constant(duckdb_bind_info info, idx_t index, int64_t *out)
{
    duckdb_value value = constant_argument(info, index);
    *out = value ? duckdb_get_int64(value) : 0;
    bool ok = value != NULL;
    if (value)
        duckdb_destroy_value(&value);
    return ok;
}

char *bind_constant_text(duckdb_bind_info info, idx_t index)
{
    duckdb_value value = constant_argument(info, index);
    char *text = value ? duckdb_get_varchar(value) : NULL;
    if (value)
        duckdb_destroy_value(&value);
    return text;
}

static void bind_call(duckdb_bind_info info)
{
    struct partition_registry *r = duckdb_scalar_function_bind_get_extra_info(info);
    int64_t handle;
    struct partition_dictionary *d = bind_constant(info, 0, &handle) ? look_up(r, (uint64_t)handle / MAX_COLUMNS) : NULL;
    size_t column = (size_t)handle % MAX_COLUMNS;
    struct bound_call *call = d && column < d->column_count ? mem_alloc(sizeof(*call)) : NULL;
    if (!call) {
        dictionary_unref(d);
        duckdb_scalar_function_bind_set_error(info, "the partition values of this scan are gone");
        return;
    }
    *call = (struct bound_call){d, &d->columns[column]};
    duckdb_scalar_function_set_bind_data(info, call, free_call);
    duckdb_scalar_function_set_bind_data_copy(info, copy_call);
}

static bool all_equal(const uint64_t *values, idx_t count)
{
    uint64_t difference = 0;
    for (idx_t i = 1; i < count; i++)
        difference |= values[i] ^ values[0];
    return difference == 0;
}

static void put_rows(const struct partition_column *c, const uint64_t *file_index, idx_t rows, duckdb_vector output)
{
    uint8_t *data = duckdb_vector_get_data(output);
    for (idx_t i = 0; i < rows; i++) {
        const struct partition_entry *entry = &c->entries[c->codes[file_index[i]]];
        if (entry->is_null) {
            duckdb_vector_ensure_validity_writable(output);
            duckdb_validity_set_row_invalid(duckdb_vector_get_validity(output), i);
        } else if (c->width) {
            memcpy(data + i * c->width, entry->fixed, c->width);
        } else {
            duckdb_vector_assign_string_element_len(output, i, entry->text.ptr, entry->text.len);
        }
    }
}

static void execute_call(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    const struct bound_call *call = duckdb_scalar_function_get_bind_data(info);
    const uint64_t *file_index = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 1));
    idx_t rows = duckdb_data_chunk_get_size(input);
    for (idx_t i = 0; i < rows; i++)
        if (file_index[i] >= call->dictionary->file_count) {
            duckdb_scalar_function_set_error(info, "a row comes from a file that the scan does not have");
            return;
        }
    const struct partition_entry *first = rows ? &call->column->entries[call->column->codes[file_index[0]]] : NULL;
    if (first && first->value && all_equal(file_index, rows))
        duckdb_vector_reference_value(output, first->value);
    else
        put_rows(call->column, file_index, rows, output);
}

/* ---- registering --------------------------------------------------------------------------------------- */

static duckdb_logical_type duck_type_of(const struct delta_type *type)
{
    static const duckdb_type ids[] = {
        [DELTA_STRING] = DUCKDB_TYPE_VARCHAR,
        [DELTA_LONG] = DUCKDB_TYPE_BIGINT,
        [DELTA_INTEGER] = DUCKDB_TYPE_INTEGER,
        [DELTA_SHORT] = DUCKDB_TYPE_SMALLINT,
        [DELTA_BYTE] = DUCKDB_TYPE_TINYINT,
        [DELTA_FLOAT] = DUCKDB_TYPE_FLOAT,
        [DELTA_DOUBLE] = DUCKDB_TYPE_DOUBLE,
        [DELTA_BOOLEAN] = DUCKDB_TYPE_BOOLEAN,
        [DELTA_BINARY] = DUCKDB_TYPE_BLOB,
        [DELTA_DATE] = DUCKDB_TYPE_DATE,
        [DELTA_TIMESTAMP] = DUCKDB_TYPE_TIMESTAMP_TZ,
        [DELTA_TIMESTAMP_NTZ] = DUCKDB_TYPE_TIMESTAMP,
    };
    if (type->id == DELTA_DECIMAL)
        return duckdb_create_decimal_type(type->precision, type->scale);
    return duckdb_create_logical_type(type->id < VV_ARRAY_COUNT(ids) ? ids[type->id] : DUCKDB_TYPE_VARCHAR);
}

static void name_function(const struct delta_type *type, char out[48])
{
    if (type->id == DELTA_DECIMAL)
        snprintf(out, 48, "varve_partition_decimal_%d_%d", type->precision, type->scale);
    else
        snprintf(out, 48, "varve_partition_%d", (int)type->id);
}

static void describe_function(duckdb_scalar_function f, const char *name, const struct delta_type *type, struct partition_registry *r)
{
    duckdb_logical_type handle = duckdb_create_logical_type(DUCKDB_TYPE_BIGINT), index = duckdb_create_logical_type(DUCKDB_TYPE_UBIGINT);
    duckdb_logical_type result = duck_type_of(type);
    duckdb_scalar_function_set_name(f, name);
    duckdb_scalar_function_add_parameter(f, handle);
    duckdb_scalar_function_add_parameter(f, index);
    duckdb_scalar_function_set_return_type(f, result);
    duckdb_scalar_function_set_extra_info(f, r, NULL);
    duckdb_scalar_function_set_bind(f, bind_call);
    duckdb_scalar_function_set_function(f, execute_call);
    duckdb_destroy_logical_type(&handle);
    duckdb_destroy_logical_type(&index);
    duckdb_destroy_logical_type(&result);
}

static bool is_registered(const struct partition_registry *r, const char *name)
{
    for (size_t i = 0; i < r->function_count; i++)
        if (str_eq(r->functions[i], str_of(name)))
            return true;
    return false;
}

static enum status note_function(struct partition_registry *r, const char *name, struct error *err)
{
    if (r->function_count == r->function_cap) {
        size_t cap = r->function_cap ? 2 * r->function_cap : 16;
        struct str *grown = mem_realloc(r->functions, cap * sizeof(*grown));
        if (!grown)
            return error_oom(err);
        r->functions = grown;
        r->function_cap = cap;
    }
    char *copy = mem_strndup(name, strlen(name));
    if (!copy)
        return error_oom(err);
    r->functions[r->function_count++] = str_of(copy);
    return STATUS_OK;
}

static enum status register_on(struct engine_connection *connection, const char *name, const struct delta_type *type, struct partition_registry *r,
                               struct error *err)
{
    duckdb_scalar_function f = duckdb_create_scalar_function();
    if (!f)
        return error_oom(err);
    describe_function(f, name, type, r);
    duckdb_state state = duckdb_register_scalar_function(connection->duck, f);
    duckdb_destroy_scalar_function(&f);
    if (state != DuckDBSuccess)
        return error_set(err, STATUS_INTERNAL, "the engine does not take the function \"%s\"", name);
    return note_function(r, name, err);
}

/* Under the registry's lock, so that a name is registered once; the connection is taken before, not under it. */
static enum status ensure_function(struct ctx *ctx, struct engine *e, const char *name, const struct delta_type *type, struct error *err)
{
    struct partition_registry *r = &e->partitions;
    struct engine_run run;
    pthread_mutex_lock(&r->lock);
    bool known = is_registered(r, name);
    pthread_mutex_unlock(&r->lock);
    if (known)
        return STATUS_OK;
    enum status st = run_begin(ctx, e, STR_NULL, &run, err);
    if (st != STATUS_OK)
        return st;
    pthread_mutex_lock(&r->lock);
    if (!is_registered(r, name))
        st = register_on(run.connection, name, type, r, err);
    pthread_mutex_unlock(&r->lock);
    run_end(&run);
    return st;
}

enum status partition_call_sql(struct ctx *ctx, struct engine *e, const struct partition_dictionary *d, size_t column, struct buf *sql,
                               struct error *err)
{
    char name[48];
    name_function(d->columns[column].type, name);
    enum status st = ensure_function(ctx, e, name, d->columns[column].type, err);
    if (st == STATUS_OK)
        buf_printf(sql, "%s(%llu, file_index)", name, (unsigned long long)d->id * MAX_COLUMNS + column);
    return st;
}

/* ---- holds ------------------------------------------------------------------------------------------------ */

void engine_hold_free(struct engine_hold *hold)
{
    while (hold) {
        struct engine_hold *next = hold->next;
        partition_dictionary_drop(hold->engine, hold->dictionary);
        if (hold->kept)
            kept_drop(hold->engine, hold->kept);
        row_filter_drop(hold->engine, hold->rows);
        delta_rows_free(hold->only);
        mem_free(hold);
        hold = next;
    }
}

void engine_hold_join(struct engine_hold **head, struct engine_hold *more)
{
    while (*head)
        head = &(*head)->next;
    *head = more;
}

/* In front, where the chain is short: a scan may bring many. */
bool engine_hold_rows(struct engine *e, struct engine_hold **head, struct delta_rows *rows)
{
    struct engine_hold *hold = mem_calloc(1, sizeof(*hold));
    if (!hold) {
        delta_rows_free(rows);
        return false;
    }
    *hold = (struct engine_hold){.engine = e, .only = rows, .next = *head};
    *head = hold;
    return true;
}
