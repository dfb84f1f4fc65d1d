/* codec/flatbuf.h: just enough of FlatBuffers to write Arrow's messages.
 *
 * A buffer is written from its end towards its start, children before parents, so
 * every offset points forward.  Positions are counted from the end.  Scalars are
 * always written, also when they equal the schema's default. */
#ifndef VARVE_FLATBUF_H
#define VARVE_FLATBUF_H

#include "base/base.h"

#define FLATBUF_FIELDS 8 /* most fields of a table that Arrow's schemas have */

typedef uint32_t flatbuf_ref; /* position of a written object; 0: none */

struct flatbuf {
    unsigned char *bytes;
    size_t capacity;
    size_t used;                       /* at the end of bytes */
    uint32_t field_at[FLATBUF_FIELDS]; /* of the table being written; 0: absent */
    size_t table_start;
    bool failed;
};

void flatbuf_release(struct flatbuf *f);
/* The bytes, after flatbuf_finish; empty when memory ran out. */
struct str flatbuf_view(const struct flatbuf *f);

flatbuf_ref flatbuf_string(struct flatbuf *f, struct str s);
flatbuf_ref flatbuf_ref_vector(struct flatbuf *f, const flatbuf_ref *refs, uint32_t count);
/* A vector of scalars or of structs made of 8-byte scalars. */
flatbuf_ref flatbuf_vector(struct flatbuf *f, const void *items, uint32_t count, size_t item_bytes, size_t align);

/* Between table_begin and table_end only the fields below; no strings, vectors or other tables. */
void flatbuf_table_begin(struct flatbuf *f);
void flatbuf_u8(struct flatbuf *f, int field, uint8_t v);
void flatbuf_i16(struct flatbuf *f, int field, int16_t v);
void flatbuf_i32(struct flatbuf *f, int field, int32_t v);
void flatbuf_i64(struct flatbuf *f, int field, int64_t v);
void flatbuf_ref_field(struct flatbuf *f, int field, flatbuf_ref ref); /* left out when ref is 0 */
flatbuf_ref flatbuf_table_end(struct flatbuf *f);
/* Writes the root reference so that the whole is a multiple of 8 bytes. */
void flatbuf_finish(struct flatbuf *f, flatbuf_ref root);

#endif
