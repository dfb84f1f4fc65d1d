/* engine/zorder.c: rows in the order of a Z curve over several columns, so that a range of any of them is in few files.
 *
 *   varve_zorder('<marks>', key, …)    BLOB: the bits of the keys' ranks, interleaved
 *
 * A key is the engine's own sort key of a column (bytes that compare like the values), whatever the type.  Its rank is where it stands among keys
 * that were drawn from the rows beforehand: every rank has about as many rows as any other, however skewed the values are.  A value that many rows
 * share has the last of their ranks. */
#include "engine/engine_int.h"

#include <stdlib.h>

enum {
    RANK_BITS = 10,
    RANKS = 1 << RANK_BITS,
    DRAWN_ROWS = 64 * RANKS,
    MARK_BYTES = 24, /* of a key that are looked at */
    COLUMNS_MAX = 32
};

struct mark {
    uint16_t rank;
    uint8_t len, bytes[MARK_BYTES]; /* the first key of the rank */
};
struct marks {
    uint32_t count;
    struct mark items[RANKS];
};
struct zorder {
    uint32_t column_count;
    struct marks columns[];
};

static int compare_key(const struct mark *m, const uint8_t *key, size_t len)
{
    size_t common = m->len < len ? m->len : len;
    int order = common ? memcmp(m->bytes, key, common) : 0;
    return order ? order : (m->len > len) - (m->len < len);
}

/* ---- drawing ---------------------------------------------------------------------------------------- */

static void put_key(struct buf *sql, struct str column)
{
    buf_printf(sql, "create_sort_key(%.*s, 'ASC NULLS FIRST', '', 'ASC NULLS FIRST')", STR_ARG(column));
}

/* Keys come in order, `total` of them. */
static void note_key(struct marks *m, uint64_t index, uint64_t total, const char *key, size_t len)
{
    uint16_t rank = (uint16_t)(index * RANKS / total);
    struct mark mark = {.rank = rank, .len = (uint8_t)(len < MARK_BYTES ? len : MARK_BYTES)};
    memcpy(mark.bytes, key, mark.len);
    struct mark *last = m->count ? &m->items[m->count - 1] : NULL;
    if (last && !compare_key(last, mark.bytes, mark.len))
        last->rank = rank;
    else if (!last || last->rank < rank)
        m->items[m->count++] = mark;
}

static void read_keys(duckdb_result *result, struct marks *m)
{
    uint64_t total = duckdb_row_count(result), index = 0;
    for (duckdb_data_chunk chunk; (chunk = duckdb_fetch_chunk(*result)); duckdb_destroy_data_chunk(&chunk)) {
        duckdb_string_t *keys = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
        for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk); i++)
            note_key(m, index++, total, duckdb_string_t_data(&keys[i]), duckdb_string_t_length(keys[i]));
    }
}

static enum status draw(struct engine_run *run, struct str select, struct str column, struct marks *m, struct error *err)
{
    struct buf sql = BUF_INIT;
    duckdb_result result;
    buf_z(&sql, "SELECT k FROM (SELECT ");
    put_key(&sql, column);
    buf_printf(&sql, " AS k FROM (%.*s) AS varve_rows USING SAMPLE reservoir(%d ROWS)) ORDER BY k", STR_ARG(select), DRAWN_ROWS);
    enum status status = buf_check(&sql, err);
    if (status == STATUS_OK)
        status = run_query(run, buf_view(&sql), &result, err);
    if (status == STATUS_OK) {
        read_keys(&result, m);
        duckdb_destroy_result(&result);
    }
    buf_release(&sql);
    return status;
}

/* ---- marks as text ------------------------------------------------------------------------------------- */

static void put_hex(struct buf *out, unsigned value, int bytes)
{
    for (int i = bytes - 1; i >= 0; i--)
        buf_printf(out, "%02x", value >> 8 * i & 0xff);
}

/* Per column: how many marks; each: rank, length, bytes. */
static void put_marks(const struct marks *m, struct buf *out)
{
    put_hex(out, m->count, 2);
    for (uint32_t i = 0; i < m->count; i++) {
        put_hex(out, m->items[i].rank, 2);
        put_hex(out, m->items[i].len, 1);
        for (int k = 0; k < m->items[i].len; k++)
            put_hex(out, m->items[i].bytes[k], 1);
    }
}

struct hex_reader {
    const char *at;
    bool bad;
};

static unsigned digit(char c) { return c >= '0' && c <= '9' ? (unsigned)(c - '0') : c >= 'a' && c <= 'f' ? (unsigned)(c - 'a') + 10 : 16; }

static unsigned take_hex(struct hex_reader *r, int bytes)
{
    unsigned value = 0;
    for (int i = 0; i < 2 * bytes && !r->bad; i++) {
        unsigned d = digit(*r->at);
        r->bad = d > 15;
        r->at += !r->bad;
        value = value << 4 | (d & 15);
    }
    return value;
}

static void take_marks(struct hex_reader *r, struct marks *m)
{
    m->count = take_hex(r, 2);
    r->bad |= m->count > RANKS;
    for (uint32_t i = 0; i < m->count && !r->bad; i++) {
        m->items[i].rank = (uint16_t)take_hex(r, 2);
        m->items[i].len = (uint8_t)take_hex(r, 1);
        r->bad |= m->items[i].len > MARK_BYTES || m->items[i].rank >= RANKS;
        for (int k = 0; k < m->items[i].len && !r->bad; k++)
            m->items[i].bytes[k] = (uint8_t)take_hex(r, 1);
    }
}

/* NULL: not a text of put_marks, or memory is out. */
static struct zorder *zorder_of(const char *text, size_t column_count)
{
    struct zorder *z = mem_calloc(1, sizeof(*z) + column_count * sizeof(z->columns[0]));
    struct hex_reader r = {.at = text};
    if (!z)
        return NULL;
    z->column_count = (uint32_t)column_count;
    for (size_t i = 0; i < column_count; i++)
        take_marks(&r, &z->columns[i]);
    if (!r.bad && !*r.at)
        return z;
    mem_free(z);
    return NULL;
}

/* ---- the function ------------------------------------------------------------------------------------------ */

/* The last rank whose first key is not above the key. */
static unsigned rank_of(const struct marks *m, const uint8_t *key, size_t len)
{
    uint32_t low = 0, high = m->count;
    len = len < MARK_BYTES ? len : MARK_BYTES;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (compare_key(&m->items[middle], key, len) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low ? m->items[low - 1].rank : 0;
}

static void interleave(const unsigned *ranks, uint32_t count, uint8_t *out)
{
    uint32_t at = 0;
    for (int bit = RANK_BITS - 1; bit >= 0; bit--)
        for (uint32_t i = 0; i < count; i++, at++)
            out[at / 8] |= (uint8_t)((ranks[i] >> bit & 1) << (7 - at % 8));
}

static void execute(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    const struct zorder *z = duckdb_scalar_function_get_bind_data(info);
    duckdb_string_t *keys[COLUMNS_MAX];
    unsigned ranks[COLUMNS_MAX];
    idx_t rows = duckdb_data_chunk_get_size(input);
    for (uint32_t c = 0; c < z->column_count; c++)
        keys[c] = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, c + 1));
    for (idx_t i = 0; i < rows; i++) {
        uint8_t code[COLUMNS_MAX * RANK_BITS / 8 + 1] = {0};
        for (uint32_t c = 0; c < z->column_count; c++)
            ranks[c] = rank_of(&z->columns[c], (const uint8_t *)duckdb_string_t_data(&keys[c][i]), duckdb_string_t_length(keys[c][i]));
        interleave(ranks, z->column_count, code);
        duckdb_vector_assign_string_element_len(output, i, (const char *)code, (z->column_count * RANK_BITS + 7) / 8);
    }
}

static void free_zorder(void *user) { mem_free(user); }

static void *copy_zorder(void *user)
{
    const struct zorder *z = user;
    size_t bytes = sizeof(*z) + z->column_count * sizeof(z->columns[0]);
    void *copy = mem_alloc(bytes);
    return copy ? memcpy(copy, z, bytes) : NULL;
}

static void bind(duckdb_bind_info info)
{
    idx_t arguments = duckdb_scalar_function_bind_get_argument_count(info);
    char *marks = bind_constant_text(info, 0);
    struct zorder *z = marks && arguments > 1 && arguments - 1 <= COLUMNS_MAX ? zorder_of(marks, arguments - 1) : NULL;
    duckdb_free(marks);
    if (z) {
        duckdb_scalar_function_set_bind_data(info, z, free_zorder);
        duckdb_scalar_function_set_bind_data_copy(info, copy_zorder);
    } else {
        duckdb_scalar_function_bind_set_error(info, "the marks of the Z order cannot be read");
    }
}

static enum status register_function(duckdb_connection connection, struct error *err)
{
    duckdb_scalar_function f = duckdb_create_scalar_function();
    duckdb_logical_type text = duckdb_create_logical_type(DUCKDB_TYPE_VARCHAR), blob = duckdb_create_logical_type(DUCKDB_TYPE_BLOB);
    duckdb_scalar_function_set_name(f, "varve_zorder");
    duckdb_scalar_function_add_parameter(f, text);
    duckdb_scalar_function_set_varargs(f, blob);
    duckdb_scalar_function_set_return_type(f, blob);
    duckdb_scalar_function_set_bind(f, bind);
    duckdb_scalar_function_set_function(f, execute);
    duckdb_state state = duckdb_register_scalar_function(connection, f);
    duckdb_destroy_logical_type(&text);
    duckdb_destroy_logical_type(&blob);
    duckdb_destroy_scalar_function(&f);
    return state == DuckDBSuccess ? STATUS_OK : error_set(err, STATUS_INTERNAL, "the engine does not take the function \"varve_zorder\"");
}

static enum status ensure_function(struct engine_run *run, struct error *err)
{
    struct zorder_function *f = &run->engine->zorder;
    enum status status = STATUS_OK;
    pthread_mutex_lock(&f->lock);
    if (!f->registered)
        status = register_function(run->connection->duck, err);
    f->registered |= status == STATUS_OK;
    pthread_mutex_unlock(&f->lock);
    return status;
}

/* ---- entry ------------------------------------------------------------------------------------------------------ */

static enum status put_ordered(struct engine_run *run, struct str select, const struct str *columns, size_t count, struct marks *m, struct buf *out,
                               struct error *err)
{
    enum status status = STATUS_OK;
    buf_printf(out, "SELECT * FROM (%.*s) AS varve_rows ORDER BY varve_zorder('", STR_ARG(select));
    for (size_t i = 0; i < count && status == STATUS_OK; i++) {
        m->count = 0;
        status = draw(run, select, columns[i], m, err);
        put_marks(m, out);
    }
    buf_char(out, '\'');
    for (size_t i = 0; i < count; i++) {
        buf_z(out, ", ");
        put_key(out, columns[i]);
    }
    buf_char(out, ')');
    return status == STATUS_OK ? buf_check(out, err) : status;
}

enum status engine_zorder_sql(struct ctx *ctx, struct engine *e, struct str select, const struct str *columns, size_t column_count,
                              struct str session_settings, struct buf *out, struct error *err)
{
    struct engine_run run;
    struct marks *m = mem_alloc(sizeof(*m));
    if (!m)
        return error_oom(err);
    if (column_count > COLUMNS_MAX) {
        mem_free(m);
        return error_set(err, STATUS_LIMIT_EXCEEDED, "rows can be ordered by %d columns at most, not by %zu", COLUMNS_MAX, column_count);
    }
    enum status status = run_begin(ctx, e, session_settings, &run, err);
    if (status == STATUS_OK)
        status = ensure_function(&run, err);
    if (status == STATUS_OK)
        status = put_ordered(&run, select, columns, column_count, m, out, err);
    run_end(&run);
    mem_free(m);
    return status;
}
