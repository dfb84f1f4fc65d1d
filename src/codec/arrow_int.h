/* codec/arrow_int.h: reading Arrow C data inside this room. */
#ifndef VARVE_ARROW_INT_H
#define VARVE_ARROW_INT_H

#include "codec/codec_int.h"

enum arrow_kind {
    ARROW_UNKNOWN,
    ARROW_NULL,
    ARROW_BOOL,
    ARROW_INT,   /* width and is_signed */
    ARROW_FLOAT, /* width */
    ARROW_DECIMAL,
    ARROW_UTF8, /* width of the offsets, 4 or 8 */
    ARROW_UTF8_VIEW,
    ARROW_BINARY,
    ARROW_BINARY_VIEW,
    ARROW_FIXED_BINARY,
    ARROW_DATE, /* width 4: days, 8: milliseconds */
    ARROW_TIME,
    ARROW_TIMESTAMP,
    ARROW_DURATION,
    ARROW_INTERVAL_MONTHS,
    ARROW_INTERVAL_DAYS,  /* days and milliseconds */
    ARROW_INTERVAL_NANOS, /* months, days and nanoseconds */
    ARROW_LIST,           /* width of the offsets */
    ARROW_LIST_VIEW,
    ARROW_FIXED_LIST,
    ARROW_STRUCT,
    ARROW_MAP,
    ARROW_UNION,
    ARROW_DICTIONARY
};

/* What a format string says. */
struct arrow_type {
    enum arrow_kind kind;
    int32_t width; /* bytes of a value, of an offset, or elements of a fixed-size list */
    bool is_signed;
    bool dense;            /* of a union */
    bool is_json, is_uuid; /* extension types arrow.json and arrow.uuid */
    int unit;              /* 0 s, 3 ms, 6 us, 9 ns: digits after the second */
    int precision, scale;  /* of a decimal */
    const char *tail;      /* timestamp: its zone; union: its type ids */
};

/* The type in schema->format; a dictionary's is ARROW_DICTIONARY. */
struct arrow_type arrow_type_of(const struct ArrowSchema *schema);
/* The type in the format string alone: of a dictionary, the indices'. */
struct arrow_type arrow_type_of_format(const char *format);

/* OK when every value of the schema can be written as text. */
enum status arrow_check_schema(const struct ArrowSchema *schema, struct error *err);

bool arrow_type_is_numeric(const struct ArrowSchema *schema); /* right-aligned in tables */

static inline bool arrow_bit(const void *bits, int64_t index) { return ((const uint8_t *)bits)[index >> 3] >> (index & 7) & 1; }

/* Metadata of a schema: visits each key and value until the visitor returns false. */
void arrow_metadata_each(const char *metadata, bool (*visit)(void *user, struct str key, struct str value), void *user);
int32_t arrow_metadata_count(const char *metadata);

/* ---- text of calendar values -------------------------------------------------- */

/* Days and times since 1970 of any size; years before 1 as "0044-03-15 (BC)".
 * unit: digits after the second that v counts in. */
void date_put(struct buf *out, int64_t days);
void time_put(struct buf *out, int64_t v, int unit);
void timestamp_put(struct buf *out, int64_t v, int unit, bool zoned);      /* "2024-01-02 03:04:05.5+00" */
void timestamp_put_json(struct buf *out, int64_t v, int unit, bool zoned); /* "2024-01-02T03:04:05.500Z", without quotes */
void interval_put(struct buf *out, int64_t months, int64_t days, int64_t v, int unit);

#endif
