/* codec/rows_int.h: the driver of rows_encode and the formats it drives. */
#ifndef VARVE_ROWS_INT_H
#define VARVE_ROWS_INT_H

#include "codec/arrow_int.h"

struct encoder {
    const struct row_format_options *options;
    struct byte_sink sink;
    struct ArrowSchema schema; /* of the rows: a struct */
    struct buf out;            /* bytes not yet sent */
    struct buf cell;           /* scratch: one value */
    int64_t row_count;
    void *state; /* of the format */
};

/* One format.  Any of the functions may be NULL; release runs whatever happened. */
struct encoder_ops {
    enum status (*begin)(struct encoder *e, struct error *err);
    enum status (*batch)(struct encoder *e, const struct ArrowArray *batch, struct error *err);
    enum status (*end)(struct encoder *e, struct error *err);
    void (*release)(struct encoder *e);
};
extern const struct encoder_ops box_encoder;
extern const struct encoder_ops arrow_encoder;

/* Sends what stands in out when it is large, or at once. */
enum status encoder_flush(struct encoder *e, bool at_once, struct error *err);
/* Sends bytes past the buffer (which is sent first). */
enum status encoder_send(struct encoder *e, const void *bytes, size_t len, struct error *err);

static inline int64_t encoder_columns(const struct encoder *e) { return e->schema.n_children; }
static inline struct str encoder_name(const struct encoder *e, int64_t column)
{
    const char *name = e->schema.children[column]->name;
    return str_of(name ? name : "");
}
/* The text of a value, ptr NULL when it is NULL; in e->cell, until the next call. */
struct str encoder_text(struct encoder *e, const struct ArrowArray *batch, int64_t column, int64_t row);
/* null_text of the options, or the format's own when none is set. */
static inline struct str encoder_null_text(const struct encoder *e, const char *otherwise)
{
    return e->options->null_text.ptr ? e->options->null_text : str_of(otherwise);
}

/* Text for a terminal or a table cell: control characters as \n, \t, \x1B; bytes that are not UTF-8 as U+FFFD. */
void put_visible(struct buf *out, struct str text);

#endif
