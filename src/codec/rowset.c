/* codec/rowset.c: small results built row by row and handed out as one Arrow stream. */
#include <errno.h>

#include "codec/codec_int.h"

enum column_kind { COLUMN_I32, COLUMN_I64, COLUMN_F64, COLUMN_BOOL, COLUMN_UTF8, COLUMN_LIST, COLUMN_MAP };

struct column {
    enum column_kind kind;
    char *name;
    char *format; /* as Arrow writes it: "+l", not "+l:u" */
    int64_t length, null_count;
    struct buf validity;     /* bits */
    struct buf values;       /* fixed-width values, bits of booleans, or int32 offsets */
    struct buf text;         /* bytes of utf8 */
    struct column *items[2]; /* utf8: a list's elements; a map's keys and values */
};

struct rowset {
    struct column **columns;
    size_t column_count;
    size_t next;    /* column that the next value goes to */
    bool bad_call;  /* a value of the wrong type, or too many */
    bool exhausted; /* the stream gave its batch */
};

/* ---- columns ------------------------------------------------------------------ */

static void column_free(struct column *c)
{
    if (!c)
        return;
    column_free(c->items[0]);
    column_free(c->items[1]);
    buf_release(&c->text);
    buf_release(&c->values);
    buf_release(&c->validity);
    mem_free(c->format);
    mem_free(c->name);
    mem_free(c);
}

static bool kind_of(const char *format, enum column_kind *kind)
{
    static const struct {
        const char *format;
        enum column_kind kind;
    } known[] = {{"i", COLUMN_I32},  {"tdD", COLUMN_I32}, {"l", COLUMN_I64},     {"g", COLUMN_F64},
                 {"b", COLUMN_BOOL}, {"u", COLUMN_UTF8},  {"+l:u", COLUMN_LIST}, {"+m:u", COLUMN_MAP}};
    for (size_t i = 0; i < VV_ARRAY_COUNT(known); i++)
        if (strcmp(format, known[i].format) == 0) {
            *kind = known[i].kind;
            return true;
        }
    *kind = COLUMN_I64;
    return strncmp(format, "tsu:", 4) == 0;
}

static struct column *column_new(const char *name, const char *format)
{
    struct column *c = mem_calloc(1, sizeof *c);
    if (!c || !kind_of(format, &c->kind))
        goto fail;
    bool nested = c->kind == COLUMN_LIST || c->kind == COLUMN_MAP;
    c->name = mem_strndup(name, strlen(name));
    c->format = mem_strndup(format, nested ? 2 : strlen(format));
    if (!c->name || !c->format)
        goto fail;
    c->text.max_bytes = INT32_MAX; /* what an int32 offset reaches */
    if (c->kind == COLUMN_UTF8 || nested)
        buf_append(&c->values, &(int32_t){0}, sizeof(int32_t));
    if (nested && !(c->items[0] = column_new(c->kind == COLUMN_MAP ? "key" : "item", "u")))
        goto fail;
    if (c->kind == COLUMN_MAP && !(c->items[1] = column_new("value", "u")))
        goto fail;
    return c;
fail:
    column_free(c);
    return NULL;
}

static void put_bit(struct buf *bits, int64_t index, bool on)
{
    if (index % 8 == 0)
        buf_char(bits, 0);
    if (on && !bits->failed)
        bits->ptr[index / 8] |= (char)(1 << index % 8);
}

static void put_validity(struct column *c, bool valid)
{
    put_bit(&c->validity, c->length++, valid);
    c->null_count += !valid;
}

static void put_offset(struct column *c, int64_t end) { buf_append(&c->values, &(int32_t){(int32_t)end}, sizeof(int32_t)); }

static void put_utf8(struct column *c, struct str v)
{
    if (v.ptr && v.len > 0)
        buf_str(&c->text, v);
    put_offset(c, (int64_t)c->text.len);
    put_validity(c, v.ptr != NULL);
}

static void put_null(struct column *c)
{
    switch (c->kind) {
    case COLUMN_I32:
        buf_append(&c->values, &(int32_t){0}, 4);
        break;
    case COLUMN_I64:
    case COLUMN_F64:
        buf_append(&c->values, &(int64_t){0}, 8);
        break;
    case COLUMN_BOOL:
        put_bit(&c->values, c->length, false);
        break;
    case COLUMN_UTF8:
        put_offset(c, (int64_t)c->text.len);
        break;
    case COLUMN_LIST:
    case COLUMN_MAP:
        put_offset(c, c->items[0]->length);
        break;
    }
    put_validity(c, false);
}

/* The column the next value goes to, or NULL (and the rowset is spoilt) when it does not take this kind. */
static struct column *take_column(struct rowset *rs, unsigned kinds)
{
    if (rs->column_count == 0 || rs->bad_call) {
        rs->bad_call = true;
        return NULL;
    }
    struct column *c = rs->columns[rs->next];
    if (!(kinds & 1u << c->kind)) {
        rs->bad_call = true;
        return NULL;
    }
    rs->next = (rs->next + 1) % rs->column_count;
    return c;
}

/* ---- building -------------------------------------------------------------------- */

struct rowset *rowset_new(const struct rowset_column *columns, size_t column_count)
{
    struct rowset *rs = mem_calloc(1, sizeof *rs);
    if (!rs)
        return NULL;
    rs->columns = mem_calloc(column_count ? column_count : 1, sizeof *rs->columns);
    if (!rs->columns) {
        mem_free(rs);
        return NULL;
    }
    for (; rs->column_count < column_count; rs->column_count++) {
        const struct rowset_column *spec = &columns[rs->column_count];
        rs->columns[rs->column_count] = column_new(spec->name, spec->format);
        if (!rs->columns[rs->column_count])
            break;
    }
    if (rs->column_count < column_count) {
        rowset_free(rs);
        return NULL;
    }
    return rs;
}

void rowset_free(struct rowset *rs)
{
    if (!rs)
        return;
    for (size_t i = 0; i < rs->column_count; i++)
        column_free(rs->columns[i]);
    mem_free(rs->columns);
    mem_free(rs);
}

void rowset_null(struct rowset *rs)
{
    struct column *c = take_column(rs, ~0u);
    if (c)
        put_null(c);
}

void rowset_i64(struct rowset *rs, int64_t v)
{
    struct column *c = take_column(rs, 1u << COLUMN_I32 | 1u << COLUMN_I64);
    if (!c)
        return;
    if (c->kind == COLUMN_I64) {
        buf_append(&c->values, &v, sizeof v);
    } else {
        rs->bad_call |= v < INT32_MIN || v > INT32_MAX;
        buf_append(&c->values, &(int32_t){(int32_t)v}, sizeof(int32_t));
    }
    put_validity(c, true);
}

void rowset_f64(struct rowset *rs, double v)
{
    struct column *c = take_column(rs, 1u << COLUMN_F64);
    if (!c)
        return;
    buf_append(&c->values, &v, sizeof v);
    put_validity(c, true);
}

void rowset_bool(struct rowset *rs, bool v)
{
    struct column *c = take_column(rs, 1u << COLUMN_BOOL);
    if (!c)
        return;
    put_bit(&c->values, c->length, v);
    put_validity(c, true);
}

void rowset_str(struct rowset *rs, struct str v)
{
    struct column *c = take_column(rs, 1u << COLUMN_UTF8);
    if (c)
        put_utf8(c, v);
}

void rowset_list(struct rowset *rs, const struct str *items, size_t count)
{
    struct column *c = take_column(rs, 1u << COLUMN_LIST);
    if (!c)
        return;
    for (size_t i = 0; i < count; i++)
        put_utf8(c->items[0], items[i]);
    put_offset(c, c->items[0]->length);
    put_validity(c, true);
}

void rowset_map(struct rowset *rs, const struct str *keys, const struct str *values, size_t count)
{
    struct column *c = take_column(rs, 1u << COLUMN_MAP);
    if (!c)
        return;
    for (size_t i = 0; i < count; i++) {
        rs->bad_call |= !keys[i].ptr; /* a map's key is never NULL */
        put_utf8(c->items[0], keys[i]);
        put_utf8(c->items[1], values[i]);
    }
    put_offset(c, c->items[0]->length);
    put_validity(c, true);
}

/* ---- Arrow: schemas ------------------------------------------------------------------ */

/* A schema of ours owns its texts and the children's blocks; a consumer may have moved a child out. */
static void release_schema(struct ArrowSchema *schema)
{
    for (int64_t i = 0; i < schema->n_children; i++) {
        struct ArrowSchema *child = schema->children[i];
        if (child && child->release)
            child->release(child);
        mem_free(child);
    }
    mem_free(schema->children);
    mem_free((char *)schema->name);
    mem_free((char *)schema->format);
    schema->release = NULL;
}

/* False when out of memory; out is then still to be released. */
static bool init_schema(struct ArrowSchema *out, const char *name, const char *format, bool nullable, int64_t child_count)
{
    *out = (struct ArrowSchema){.flags = nullable ? ARROW_FLAG_NULLABLE : 0, .release = release_schema};
    out->name = mem_strndup(name, strlen(name));
    out->format = mem_strndup(format, strlen(format));
    out->children = mem_calloc((size_t)child_count + 1, sizeof *out->children);
    if (!out->name || !out->format || !out->children)
        return false;
    for (; out->n_children < child_count; out->n_children++) {
        struct ArrowSchema *child = mem_calloc(1, sizeof *child);
        if (!child)
            return false;
        out->children[out->n_children] = child;
    }
    return true;
}

static bool column_schema(struct ArrowSchema *out, const struct column *c)
{
    if (c->kind == COLUMN_LIST)
        return init_schema(out, c->name, c->format, true, 1) && init_schema(out->children[0], "item", "u", true, 0);
    if (c->kind != COLUMN_MAP)
        return init_schema(out, c->name, c->format, true, 0);
    if (!init_schema(out, c->name, c->format, true, 1))
        return false;
    struct ArrowSchema *entries = out->children[0];
    return init_schema(entries, "entries", "+s", false, 2) && init_schema(entries->children[0], "key", "u", false, 0) &&
           init_schema(entries->children[1], "value", "u", true, 0);
}

static bool rowset_schema(struct ArrowSchema *out, const struct rowset *rs)
{
    if (!init_schema(out, "", "+s", false, (int64_t)rs->column_count))
        return false;
    for (size_t i = 0; i < rs->column_count; i++)
        if (!column_schema(out->children[i], rs->columns[i]))
            return false;
    return true;
}

/* ---- Arrow: arrays -------------------------------------------------------------------- */

static void release_array(struct ArrowArray *array)
{
    for (int64_t i = 0; i < array->n_children; i++) {
        struct ArrowArray *child = array->children[i];
        if (child && child->release)
            child->release(child);
        mem_free(child);
    }
    for (int64_t i = 0; i < array->n_buffers; i++)
        mem_free((void *)array->buffers[i]);
    mem_free(array->buffers);
    mem_free(array->children);
    array->release = NULL;
}

static bool init_array(struct ArrowArray *out, int64_t length, int64_t null_count, int64_t buffer_count, int64_t child_count)
{
    *out = (struct ArrowArray){.length = length, .null_count = null_count, .release = release_array};
    out->buffers = mem_calloc((size_t)buffer_count, sizeof *out->buffers);
    out->children = mem_calloc((size_t)child_count + 1, sizeof *out->children);
    if (!out->buffers || !out->children)
        return false;
    out->n_buffers = buffer_count;
    for (; out->n_children < child_count; out->n_children++) {
        struct ArrowArray *child = mem_calloc(1, sizeof *child);
        if (!child)
            return false;
        out->children[out->n_children] = child;
    }
    return true;
}

/* Hands the bytes over; Arrow wants a pointer even where there are none. */
static bool move_bytes(struct buf *from, const void **to)
{
    buf_reserve(from, 8);
    *to = buf_detach(from);
    return *to != NULL;
}

/* Moves the column's bytes into out. */
static bool column_array(struct ArrowArray *out, struct column *c)
{
    bool nested = c->kind == COLUMN_LIST || c->kind == COLUMN_MAP;
    if (!init_array(out, c->length, c->null_count, c->kind == COLUMN_UTF8 ? 3 : 2, nested))
        return false;
    if (c->null_count > 0 && !move_bytes(&c->validity, &out->buffers[0]))
        return false;
    if (!move_bytes(&c->values, &out->buffers[1]))
        return false;
    if (c->kind == COLUMN_UTF8)
        return move_bytes(&c->text, &out->buffers[2]);
    if (c->kind == COLUMN_LIST)
        return column_array(out->children[0], c->items[0]);
    if (c->kind != COLUMN_MAP)
        return true;
    struct ArrowArray *entries = out->children[0];
    return init_array(entries, c->items[0]->length, 0, 1, 2) && column_array(entries->children[0], c->items[0]) &&
           column_array(entries->children[1], c->items[1]);
}

static int64_t row_count(const struct rowset *rs) { return rs->column_count ? rs->columns[0]->length : 0; }

static bool rowset_array(struct ArrowArray *out, struct rowset *rs)
{
    if (!init_array(out, row_count(rs), 0, 1, (int64_t)rs->column_count))
        return false;
    for (size_t i = 0; i < rs->column_count; i++)
        if (!column_array(out->children[i], rs->columns[i]))
            return false;
    return true;
}

/* ---- Arrow: the stream ------------------------------------------------------------------ */

static int stream_get_schema(struct ArrowArrayStream *stream, struct ArrowSchema *out)
{
    if (rowset_schema(out, stream->private_data))
        return 0;
    out->release(out);
    return ENOMEM;
}

static int stream_get_next(struct ArrowArrayStream *stream, struct ArrowArray *out)
{
    struct rowset *rs = stream->private_data;
    *out = (struct ArrowArray){0};
    if (rs->exhausted || row_count(rs) == 0)
        return 0;
    rs->exhausted = true;
    if (rowset_array(out, rs))
        return 0;
    out->release(out);
    return ENOMEM;
}

static const char *stream_last_error(struct ArrowArrayStream *stream) { return "OUT_OF_MEMORY: memory ran out"; }

static void stream_release(struct ArrowArrayStream *stream)
{
    rowset_free(stream->private_data);
    stream->private_data = NULL;
    stream->release = NULL;
}

static enum status check_column(const struct column *c, struct error *err)
{
    if (!c)
        return STATUS_OK;
    enum status status = buf_check(&c->validity, err);
    if (status == STATUS_OK)
        status = buf_check(&c->values, err);
    if (status == STATUS_OK)
        status = buf_check(&c->text, err);
    if (status == STATUS_OK)
        status = check_column(c->items[0], err);
    return status == STATUS_OK ? check_column(c->items[1], err) : status;
}

static enum status check_rowset(const struct rowset *rs, struct error *err)
{
    if (rs->bad_call || rs->next != 0)
        return error_set(err, STATUS_INTERNAL, "a result was built with %s",
                         rs->bad_call ? "a value that its column cannot hold" : "an unfinished last row");
    enum status status = STATUS_OK;
    for (size_t i = 0; i < rs->column_count && status == STATUS_OK; i++)
        status = check_column(rs->columns[i], err);
    return status;
}

enum status rowset_stream(struct rowset *rs, struct ArrowArrayStream *out, struct error *err)
{
    *out = (struct ArrowArrayStream){0};
    enum status status = check_rowset(rs, err);
    if (status != STATUS_OK) {
        rowset_free(rs);
        return status;
    }
    *out = (struct ArrowArrayStream){.get_schema = stream_get_schema,
                                     .get_next = stream_get_next,
                                     .get_last_error = stream_last_error,
                                     .release = stream_release,
                                     .private_data = rs};
    return STATUS_OK;
}
