/* codec/rows.c: a stream of rows as bytes; the formats that write row by row. */
#include <errno.h>

#include "codec/rows_int.h"

#define CHUNK_BYTES 65536

/* ---- names ------------------------------------------------------------------------ */

static const struct {
    const char *name, *media_type;
} formats[] = {
#define ROW_FORMAT(ID, NAME, MEDIA_TYPE) {NAME, MEDIA_TYPE},
#include "codec/formats.def"
#undef ROW_FORMAT
};

void row_format_defaults(struct row_format_options *o)
{
    *o = (struct row_format_options){.headers = true, .null_text = STR_NULL, .csv_separator = ','};
}

bool row_format_by_name(struct str name, enum row_format *out)
{
    for (int i = 0; i < ROW_FORMAT_COUNT; i++)
        if (str_ieq(name, str_of(formats[i].name))) {
            *out = (enum row_format)i;
            return true;
        }
    return false;
}

const char *row_format_media_type(enum row_format f) { return formats[f].media_type; }

/* ---- output ------------------------------------------------------------------------- */

static enum status send(struct encoder *e, const void *bytes, size_t len, struct error *err)
{
    if (len > 0 && !e->sink.write(e->sink.user, bytes, len))
        return error_set(err, STATUS_CANCELLED, "the receiver of the rows stopped reading");
    return STATUS_OK;
}

enum status encoder_flush(struct encoder *e, bool at_once, struct error *err)
{
    if (e->cell.failed)
        return buf_check(&e->cell, err);
    if (e->out.failed)
        return buf_check(&e->out, err);
    if (!at_once && e->out.len < CHUNK_BYTES)
        return STATUS_OK;
    enum status status = send(e, e->out.ptr, e->out.len, err);
    buf_clear(&e->out);
    return status;
}

enum status encoder_send(struct encoder *e, const void *bytes, size_t len, struct error *err)
{
    enum status status = encoder_flush(e, true, err);
    return status == STATUS_OK ? send(e, bytes, len, err) : status;
}

struct str encoder_text(struct encoder *e, const struct ArrowArray *batch, int64_t column, int64_t row)
{
    buf_clear(&e->cell);
    if (!arrow_value_text(e->schema.children[column], batch->children[column], batch->offset + row, &e->cell))
        return STR_NULL;
    return buf_view(&e->cell);
}

void put_visible(struct buf *out, struct str text)
{
    const unsigned char *at = (const unsigned char *)text.ptr, *end = at + text.len;
    while (at < end) {
        size_t len = utf8_sequence(at, end);
        if (len == 0)
            buf_append(out, "\xEF\xBF\xBD", 3);
        else if (*at == '\n' || *at == '\r' || *at == '\t')
            buf_z(out, *at == '\n' ? "\\n" : *at == '\r' ? "\\r" : "\\t");
        else if (*at < 0x20 || *at == 0x7F)
            buf_printf(out, "\\x%02X", *at);
        else if (*at == 0xC2 && at[1] < 0xA0) /* U+0080 to U+009F */
            buf_printf(out, "\\x%02X", at[1]);
        else
            buf_append(out, at, len);
        at += len ? len : 1;
    }
}

/* Rows one by one: what most formats do with a batch. */
static enum status each_row(struct encoder *e, const struct ArrowArray *batch,
                            void (*put_row)(struct encoder *e, const struct ArrowArray *batch, int64_t row), struct error *err)
{
    for (int64_t row = 0; row < batch->length; row++) {
        put_row(e, batch, row);
        e->row_count++;
        enum status status = encoder_flush(e, false, err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

/* ---- csv ------------------------------------------------------------------------------ */

/* RFC 4180: quotes around what holds a separator, a quote or a line break, and around the empty
 * string, so that it differs from NULL. */
static void put_csv_field(struct encoder *e, struct str text, bool is_null)
{
    bool plain = is_null || text.len > 0;
    for (size_t i = 0; i < text.len && plain && !is_null; i++) {
        char c = text.ptr[i];
        plain = c != e->options->csv_separator && c != '"' && c != '\n' && c != '\r';
    }
    if (plain) {
        buf_str(&e->out, text);
        return;
    }
    buf_char(&e->out, '"');
    for (size_t i = 0; i < text.len; i++) {
        if (text.ptr[i] == '"')
            buf_char(&e->out, '"');
        buf_char(&e->out, text.ptr[i]);
    }
    buf_char(&e->out, '"');
}

static void end_csv_line(struct encoder *e) { buf_z(&e->out, e->options->csv_crlf ? "\r\n" : "\n"); }

static enum status csv_begin(struct encoder *e, struct error *err)
{
    if (!e->options->headers)
        return STATUS_OK;
    for (int64_t i = 0; i < encoder_columns(e); i++) {
        if (i > 0)
            buf_char(&e->out, e->options->csv_separator);
        put_csv_field(e, encoder_name(e, i), false);
    }
    end_csv_line(e);
    return STATUS_OK;
}

static void csv_row(struct encoder *e, const struct ArrowArray *batch, int64_t row)
{
    struct str null_text = encoder_null_text(e, "");
    for (int64_t i = 0; i < encoder_columns(e); i++) {
        if (i > 0)
            buf_char(&e->out, e->options->csv_separator);
        struct str text = encoder_text(e, batch, i, row);
        put_csv_field(e, text.ptr ? text : null_text, !text.ptr);
    }
    end_csv_line(e);
}

static enum status csv_batch(struct encoder *e, const struct ArrowArray *batch, struct error *err) { return each_row(e, batch, csv_row, err); }

/* ---- json ------------------------------------------------------------------------------- */

/* The keys as they are written, quotes and colon included: one buffer, cut at ends[]. */
struct json_keys {
    struct buf text;
    size_t *ends;
};

static bool key_taken(const struct json_keys *keys, int64_t count, struct str key)
{
    for (int64_t i = 0; i < count; i++)
        if (str_eq(str_sub(buf_view(&keys->text), keys->ends[i], keys->ends[i + 1] - keys->ends[i]), key))
            return true;
    return false;
}

/* A repeated name gets a number, "x", "x_1": an object holds each key once. */
static void put_unique_key(struct encoder *e, int64_t column, struct json_keys *keys)
{
    struct buf name = BUF_INIT, key = BUF_INIT;
    for (int n = 0; n == 0 || (!key.failed && key_taken(keys, column, buf_view(&key))); n++) {
        buf_clear(&name);
        buf_clear(&key);
        buf_str(&name, encoder_name(e, column));
        if (n > 0)
            buf_printf(&name, "_%d", n);
        json_put_string(&key, buf_view(&name));
        buf_char(&key, ':');
    }
    buf_str(&keys->text, buf_view(&key));
    keys->text.failed |= name.failed || key.failed;
    buf_release(&key);
    buf_release(&name);
}

static enum status json_begin_keys(struct encoder *e, struct error *err)
{
    struct json_keys *keys = mem_calloc(1, sizeof *keys);
    e->state = keys;
    if (!keys)
        return error_oom(err);
    keys->ends = mem_calloc((size_t)encoder_columns(e) + 1, sizeof *keys->ends);
    if (!keys->ends)
        return error_oom(err);
    for (int64_t i = 0; i < encoder_columns(e); i++) {
        put_unique_key(e, i, keys);
        keys->ends[i + 1] = keys->text.len;
    }
    return buf_check(&keys->text, err);
}

static void json_release(struct encoder *e)
{
    struct json_keys *keys = e->state;
    if (!keys)
        return;
    buf_release(&keys->text);
    mem_free(keys->ends);
    mem_free(keys);
}

static void json_object(struct encoder *e, const struct ArrowArray *batch, int64_t row)
{
    const struct json_keys *keys = e->state;
    buf_char(&e->out, '{');
    for (int64_t i = 0; i < encoder_columns(e); i++) {
        if (i > 0)
            buf_char(&e->out, ',');
        buf_append(&e->out, keys->text.ptr + keys->ends[i], keys->ends[i + 1] - keys->ends[i]);
        arrow_value_json(e->schema.children[i], batch->children[i], batch->offset + row, e->options->bigint_as_string, &e->out);
    }
    buf_char(&e->out, '}');
}

static void json_row(struct encoder *e, const struct ArrowArray *batch, int64_t row)
{
    buf_z(&e->out, e->row_count ? ",\n" : "[");
    json_object(e, batch, row);
}

static enum status json_batch(struct encoder *e, const struct ArrowArray *batch, struct error *err) { return each_row(e, batch, json_row, err); }

static enum status json_end(struct encoder *e, struct error *err)
{
    buf_z(&e->out, e->row_count ? "]\n" : "[]\n");
    return STATUS_OK;
}

static void jsonlines_row(struct encoder *e, const struct ArrowArray *batch, int64_t row)
{
    json_object(e, batch, row);
    buf_char(&e->out, '\n');
}

static enum status jsonlines_batch(struct encoder *e, const struct ArrowArray *batch, struct error *err)
{
    return each_row(e, batch, jsonlines_row, err);
}

/* ---- markdown ------------------------------------------------------------------------------ */

/* A cell of a GitHub table: "|" and "\" escaped, line breaks as <br>. */
static void put_markdown_cell(struct encoder *e, struct str text)
{
    buf_char(&e->out, ' ');
    size_t from = 0;
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];
        if (c != '|' && c != '\\' && c != '\n')
            continue;
        put_visible(&e->out, str_sub(text, from, i - from));
        buf_z(&e->out, c == '|' ? "\\|" : c == '\n' ? "<br>" : "\\\\");
        from = i + 1;
    }
    put_visible(&e->out, str_sub(text, from, text.len - from));
    buf_z(&e->out, " |");
}

static enum status markdown_begin(struct encoder *e, struct error *err)
{
    buf_char(&e->out, '|');
    for (int64_t i = 0; i < encoder_columns(e); i++)
        put_markdown_cell(e, encoder_name(e, i));
    buf_z(&e->out, "\n|");
    for (int64_t i = 0; i < encoder_columns(e); i++)
        buf_z(&e->out, arrow_type_is_numeric(e->schema.children[i]) ? "---:|" : "---|");
    buf_char(&e->out, '\n');
    return STATUS_OK;
}

static void markdown_row(struct encoder *e, const struct ArrowArray *batch, int64_t row)
{
    struct str null_text = encoder_null_text(e, "NULL");
    buf_char(&e->out, '|');
    for (int64_t i = 0; i < encoder_columns(e); i++) {
        struct str text = encoder_text(e, batch, i, row);
        put_markdown_cell(e, text.ptr ? text : null_text);
    }
    buf_char(&e->out, '\n');
}

static enum status markdown_batch(struct encoder *e, const struct ArrowArray *batch, struct error *err)
{
    return each_row(e, batch, markdown_row, err);
}

/* ---- line ------------------------------------------------------------------------------------ */

static void line_row(struct encoder *e, const struct ArrowArray *batch, int64_t row)
{
    size_t widest = 0;
    for (int64_t i = 0; i < encoder_columns(e); i++) {
        size_t width = utf8_width(encoder_name(e, i));
        widest = width > widest ? width : widest;
    }
    if (e->row_count > 0)
        buf_char(&e->out, '\n');
    struct str null_text = encoder_null_text(e, "NULL");
    for (int64_t i = 0; i < encoder_columns(e); i++) {
        for (size_t pad = utf8_width(encoder_name(e, i)); pad < widest; pad++)
            buf_char(&e->out, ' ');
        put_visible(&e->out, encoder_name(e, i));
        buf_z(&e->out, " = ");
        struct str text = encoder_text(e, batch, i, row);
        put_visible(&e->out, text.ptr ? text : null_text);
        buf_char(&e->out, '\n');
    }
}

static enum status line_batch(struct encoder *e, const struct ArrowArray *batch, struct error *err) { return each_row(e, batch, line_row, err); }

/* ---- the driver -------------------------------------------------------------------------------- */

static const struct encoder_ops csv_encoder = {.begin = csv_begin, .batch = csv_batch};
static const struct encoder_ops json_encoder = {.begin = json_begin_keys, .batch = json_batch, .end = json_end, .release = json_release};
static const struct encoder_ops jsonlines_encoder = {.begin = json_begin_keys, .batch = jsonlines_batch, .release = json_release};
static const struct encoder_ops markdown_encoder = {.begin = markdown_begin, .batch = markdown_batch};
static const struct encoder_ops line_encoder = {.batch = line_batch};

static const struct encoder_ops *const encoders[ROW_FORMAT_COUNT] = {
    [ROW_FORMAT_BOX] = &box_encoder,           [ROW_FORMAT_CSV] = &csv_encoder,
    [ROW_FORMAT_JSON] = &json_encoder,         [ROW_FORMAT_JSONLINES] = &jsonlines_encoder,
    [ROW_FORMAT_MARKDOWN] = &markdown_encoder, [ROW_FORMAT_LINE] = &line_encoder,
    [ROW_FORMAT_ARROW] = &arrow_encoder,
};

/* A failed stream's error: the code whose name and colon its text begins with, else one that fits the errno. */
static enum status stream_error(struct ctx *ctx, struct ArrowArrayStream *stream, int code, struct error *err)
{
    enum status status = ctx_check(ctx, err);
    if (status != STATUS_OK)
        return status;
    const char *text = stream->get_last_error ? stream->get_last_error(stream) : NULL;
    struct str message = str_of(text ? text : "the rows could not be produced");
    for (int s = STATUS_OK + 1; s < STATUS_COUNT; s++) {
        struct str name = str_of(status_info((enum status)s)->name);
        if (str_starts(message, name) && str_starts(str_sub(message, name.len, message.len - name.len), STR(": ")))
            return error_set(err, (enum status)s, "%s", message.ptr + name.len + 2);
    }
    if (code == ENOMEM)
        return error_oom(err);
    return error_set(err, code == ECANCELED ? STATUS_CANCELLED : code == EIO ? STATUS_STORE_IO : STATUS_INTERNAL, "%s", message.ptr);
}

static enum status read_schema(struct ctx *ctx, struct ArrowArrayStream *stream, bool as_text, struct ArrowSchema *schema, struct error *err)
{
    int code = stream->get_schema(stream, schema);
    if (code != 0) {
        *schema = (struct ArrowSchema){0};
        return stream_error(ctx, stream, code, err);
    }
    if (strcmp(schema->format, "+s") != 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a stream of rows has Arrow format \"%s\", not a struct", schema->format);
    enum status status = STATUS_OK;
    for (int64_t i = 0; as_text && i < schema->n_children && status == STATUS_OK; i++)
        status = arrow_check_schema(schema->children[i], err);
    return status;
}

static enum status encode_batches(struct ctx *ctx, struct encoder *e, const struct encoder_ops *ops, struct ArrowArrayStream *stream,
                                  struct error *err)
{
    for (;;) {
        enum status status = ctx_check(ctx, err);
        if (status != STATUS_OK)
            return status;
        struct ArrowArray batch = {0};
        int code = stream->get_next(stream, &batch);
        if (code != 0)
            return stream_error(ctx, stream, code, err);
        if (!batch.release)
            return STATUS_OK;
        status = ops->batch(e, &batch, err);
        batch.release(&batch);
        if (status != STATUS_OK)
            return status;
    }
}

enum status rows_encode(struct ctx *ctx, struct ArrowArrayStream *stream, enum row_format format, const struct row_format_options *options,
                        struct byte_sink sink, int64_t *row_count, struct error *err)
{
    const struct encoder_ops *ops = encoders[format];
    struct encoder e = {.options = options, .sink = sink};
    *row_count = 0;
    enum status status = read_schema(ctx, stream, format != ROW_FORMAT_ARROW, &e.schema, err);
    if (status != STATUS_OK)
        goto out;
    if (ops->begin && (status = ops->begin(&e, err)) != STATUS_OK)
        goto out;
    if ((status = encode_batches(ctx, &e, ops, stream, err)) != STATUS_OK)
        goto out;
    if (ops->end && (status = ops->end(&e, err)) != STATUS_OK)
        goto out;
    if ((status = encoder_flush(&e, true, err)) != STATUS_OK)
        goto out;
    *row_count = e.row_count;
out:
    if (ops->release)
        ops->release(&e);
    buf_release(&e.cell);
    buf_release(&e.out);
    if (e.schema.release)
        e.schema.release(&e.schema);
    return status;
}
