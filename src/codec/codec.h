/* codec/codec.h: bytes to meaning and back, with no I/O: JSON, URI escapes, Z85,
 * Roaring bitmaps, Arrow IPC, and rows as text in the output modes. */
#ifndef VARVE_CODEC_H
#define VARVE_CODEC_H

#include "base/base.h"

/* ---- JSON (RFC 8259), read ---------------------------------------------- */

/* A parsed document is one flat array of nodes in document order ("tape").  A
 * node's children follow it; `next` is the index just past its subtree.  Numbers
 * and strings stay as the text they had, so no digit is ever lost: 38-digit
 * decimals survive.  For objects, keys and values alternate as children. */
enum json_type { JSON_NULL, JSON_FALSE, JSON_TRUE, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };
struct json_node {
    enum json_type type;
    bool escaped;    /* string holds backslashes: use json_text to decode */
    uint32_t next;   /* index after this subtree */
    uint32_t count;  /* elements or members */
    struct str text; /* string: between the quotes; number: the digits; container: its whole text */
};
struct json {
    struct json_node *nodes;
    uint32_t count;
};
/* Parses exactly one value (white space around it allowed) from text, which must stay valid as long as
 * the nodes are used.  Nodes come from the arena.  Refuses: trailing bytes, bad UTF-8, depth over 128;
 * lone surrogates are kept as U+FFFD.  CORRUPT_LOG is not set here: the error code is SYNTAX, its position the
 * byte at which text can no longer be JSON (text.len when it ends too early). */
enum status json_parse(struct arena *arena, struct str text, struct json *out, struct error *err);
/* The same up to another depth, at most JSON_DEPTH_MAX: for those who do not recurse into it, or only so far. */
enum { JSON_DEPTH_MAX = 1000 };
enum status json_parse_deep(struct arena *arena, struct str text, uint32_t depth_max, struct json *out, struct error *err);
/* Member of object node `object` by key (last one wins); 0 when absent (0 is always the root). */
uint32_t json_member(const struct json *j, uint32_t object, const char *key);
/* Iterate: for (i = json_first(j, n); i < j->nodes[n].next; i = json_next(j, i)); in objects i is the key, i+1 the value
 * and the next key is json_next(j, i + 1). */
static inline uint32_t json_first(const struct json *j, uint32_t container)
{
    (void)j;
    return container + 1;
}
static inline uint32_t json_next(const struct json *j, uint32_t i) { return j->nodes[i].next; }
/* Decoded text of a string node (borrowed from the input when it has no escapes, else from the arena); NULL ptr when out of memory. */
struct str json_text(const struct json *j, uint32_t node, struct arena *arena);
bool json_i64(const struct json *j, uint32_t node, int64_t *out); /* integral numbers, 1e3 too; false if not one or too big */
bool json_f64(const struct json *j, uint32_t node, double *out);  /* numbers, and the strings "NaN", "Infinity", "-Infinity" */
bool json_bool(const struct json *j, uint32_t node, bool *out);

/* For who reads JSON strings without a tape. */
#define JSON_ONES 0x0101010101010101u
#define JSON_HIGH 0x8080808080808080u

/* High bit of each byte that is a quote, a backslash, below 0x20 or not ASCII.  Only the lowest hit is
 * exact: borrows may mark bytes above it. */
static inline uint64_t json_special_bytes(uint64_t x)
{
    uint64_t quote = x ^ (JSON_ONES * '"');
    uint64_t slash = x ^ (JSON_ONES * '\\');
    uint64_t hits = ((quote - JSON_ONES) & ~quote) | ((slash - JSON_ONES) & ~slash) | ((x - JSON_ONES * 0x20) & ~x) | x;
    return hits & JSON_HIGH;
}

/* First byte at or after p that cannot stand in a JSON string as it is, or is not ASCII. */
static inline const unsigned char *json_plain_end(const unsigned char *p, const unsigned char *end)
{
    while (end - p >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
        word = __builtin_bswap64(word);
#endif
        uint64_t hits = json_special_bytes(word);
        if (hits)
            return p + (__builtin_ctzll(hits) >> 3);
        p += 8;
    }
    while (p < end && *p >= 0x20 && *p < 0x80 && *p != '"' && *p != '\\')
        p++;
    return p;
}

/* ---- JSON, written -------------------------------------------------------- */

void json_put_string(struct buf *out, struct str s); /* with quotes; bad UTF-8 becomes U+FFFD */
void json_put_f64(struct buf *out, double v); /* shortest that reads back; NaN and infinities as quoted strings "NaN", "Infinity", "-Infinity" */
void json_put_key(struct buf *out, const char *key, bool *first); /* comma when not first, then "key": */

/* ---- paths ------------------------------------------------------------------ */

/* RFC 2396 escapes as Spark's Path.toUri writes them into add.path, and back. */
void uri_encode_path(struct buf *out, struct str path);
bool uri_decode(struct buf *out, struct str encoded); /* false, and nothing appended, on a bad %xx or %00 */
/* Hive-style directory part: escapes like Spark's ExternalCatalogUtils.escapePathName.  NULL ptr and, as there, the empty
 * string: __HIVE_DEFAULT_PARTITION__. */
void hive_escape(struct buf *out, struct str value);

/* ---- variants (Parquet's binary encoding, version 1) ------------------------------ */

/* A value and the dictionary of its keys, both borrowed.  `value` begins at the value and ends where it does at the latest. */
struct variant {
    struct str metadata, value;
};
enum variant_kind {
    VARIANT_NULL, /* a value, other than SQL's NULL */
    VARIANT_BOOLEAN,
    VARIANT_INTEGER, /* of any width */
    VARIANT_FLOAT,
    VARIANT_DOUBLE,
    VARIANT_DECIMAL,
    VARIANT_DATE,
    VARIANT_TIME,            /* microseconds */
    VARIANT_TIMESTAMP,       /* microseconds, UTC */
    VARIANT_TIMESTAMP_NTZ,   /* microseconds */
    VARIANT_TIMESTAMP_NANOS, /* nanoseconds, UTC */
    VARIANT_TIMESTAMP_NTZ_NANOS,
    VARIANT_BINARY,
    VARIANT_STRING,
    VARIANT_UUID,
    VARIANT_OBJECT,
    VARIANT_ARRAY,
};
struct variant_item {
    enum variant_kind kind;
    int64_t i64; /* boolean, integer, date, times */
    double f64;
    __int128 decimal;
    int scale;
    struct str bytes;                            /* string, binary, UUID */
    uint32_t count;                              /* fields or elements */
    const uint8_t *ids, *offsets, *values, *end; /* of objects and arrays; only this room reads them */
    uint8_t id_bytes, offset_bytes;
};
/* Metadata and then the value in one string.  False when that is not what it is. */
bool variant_split(struct str joined, struct variant *out);
/* False for bytes that are no value.  Nothing is read outside of the two strings, whatever they hold. */
bool variant_read(const struct variant *v, struct variant_item *out);
/* Field or element i < count; key may be NULL, and is the NULL string in arrays.  False for damaged bytes. */
bool variant_child(const struct variant *v, const struct variant_item *container, uint32_t i, struct str *key, struct variant *out);
/* The field of an object.  False when it has none. */
bool variant_field(const struct variant *v, const struct variant_item *object, struct str key, struct variant *out);
/* How many bytes of v->value the value takes; 0 for damaged bytes. */
size_t variant_extent(const struct variant *v);
/* As Spark's to_json writes it: decimals without trailing zeros, doubles as Java does, binary in base64, moments in UTC.  False, with something
 * appended, for damaged bytes and more than VARIANT_DEPTH_MAX levels. */
bool variant_put_json(const struct variant *v, struct buf *out);
enum { VARIANT_DEPTH_MAX = 1000, VARIANT_BYTES_MAX = 128 << 20 };
/* A variant in the making: values are appended, a container's children before its head.  Zero-initialise. */
struct variant_member {
    struct str key; /* borrowed; NULL in arrays */
    uint32_t id;
    size_t offset; /* of its value from where the container's first child began */
};
struct variant_key {
    struct str text;
    uint32_t id;
};
struct variant_builder {
    struct variant_key *keys; /* in the order of their first appearance; texts are borrowed until the end */
    uint32_t *slots;
    uint32_t key_count, key_cap, slot_mask;
    struct buf value;
};
void variant_builder_release(struct variant_builder *b);
void variant_builder_scalar(struct variant_builder *b, const struct variant_item *item); /* integers in their smallest width */
bool variant_builder_key(struct variant_builder *b, struct str text, uint32_t *id);      /* false when out of memory */
/* Ends the container whose children began at `start` of b->value; sorts members.  INVALID_ARGUMENT for a key that comes twice. */
enum status variant_builder_close(struct variant_builder *b, bool is_object, struct variant_member *members, uint32_t count, size_t start,
                                  struct error *err);
/* Appends the dictionary; the value is b->value.  LIMIT_EXCEEDED beyond VARIANT_BYTES_MAX. */
enum status variant_builder_metadata(const struct variant_builder *b, struct buf *out, struct error *err);
/* One JSON value as metadata and value, joined: integers in their smallest width, other plain numbers as decimals while they have 38 digits at most,
 * else doubles.  SYNTAX for what is no JSON, INVALID_ARGUMENT for a key that comes twice, LIMIT_EXCEEDED beyond the two limits above. */
enum status variant_from_json(struct str text, struct buf *out, struct error *err);

/* What is shredded: parts of variants as columns of their own. */
struct shred_node {
    struct str key;          /* in the object around it */
    enum variant_kind typed; /* scalar: a column of that type (INTEGER: 64 bits); OBJECT: has children; NULL: not shredded */
    int precision, scale;    /* of decimals */
    struct shred_node *children, *next;
    struct shred_sample *sample; /* while values are looked at */
};
enum { SHRED_FIELDS_MAX = 300, SHRED_DEPTH_MAX = 10 };
/* Looks at one more value; root is zero before the first.  Damaged bytes are passed over.  False when out of memory. */
bool shred_look(struct arena *arena, struct shred_node *root, const struct variant *v);
/* Decides: scalars of one type, and objects, become columns where a tenth of `rows` has them; arrays and mixed values do not.  False when
 * nothing is left that would be a column. */
bool shred_decide(struct shred_node *root, uint64_t rows);
/* Whether the typed column can hold the value, so that nothing of it is lost. */
bool shred_holds(const struct variant_item *item, enum variant_kind typed, int precision, int scale);
/* The decimal of that scale that an integer or decimal is. */
bool shred_decimal(const struct variant_item *item, int scale, __int128 *out);
/* Appends the object without these fields, over the same dictionary.  False for damaged bytes; *count: fields that are left. */
bool variant_put_without(const struct variant *v, const struct variant_item *object, const struct str *keys, size_t key_count, struct buf *out,
                         uint32_t *count);

/* ---- Parquet footers ---------------------------------------------------------------- */

/* Appends the footer (its Thrift bytes) with the logical type VARIANT given to these columns of the root, which are groups.  Nothing else changes.
 * CORRUPT_DATA for bytes that are no footer, INVALID_ARGUMENT for a column that is not there or has a logical type. */
enum status parquet_annotate_variants(struct str footer, const struct str *columns, size_t count, struct buf *out, struct error *err);

/* ---- Z85 (ZeroMQ RFC 32) ------------------------------------------------------- */

/* Four bytes are five characters.  The last group is filled up with zero bytes. */
void z85_encode(struct buf *out, const void *bytes, size_t len);
/* False, and nothing appended, when text is not whole groups of the alphabet or a group is over 2^32-1.  A last group that the z85 crate of
 * Rust filled up (with '#' in front) gives as many bytes as it holds. */
bool z85_decode(struct buf *out, struct str text);

/* ---- sets of numbers: 64-bit Roaring bitmaps ------------------------------------ */

/* A set of numbers below 2^63: one 32-bit Roaring bitmap for each value of the upper half.  Zero-initialise.  Changed by
 * one thread, then read by any number. */
struct bitmap64_bucket;
struct bitmap64 {
    struct bitmap64_bucket *buckets; /* by key, ascending */
    size_t count, cap;
};
void bitmap64_release(struct bitmap64 *b);
bool bitmap64_add(struct bitmap64 *b, const uint64_t *values, size_t count); /* any order; false: memory is out, or a value is too large */
bool bitmap64_union(struct bitmap64 *into, const struct bitmap64 *more);     /* false when memory is out */
void bitmap64_subtract(struct bitmap64 *from, const struct bitmap64 *what);
bool bitmap64_contains(const struct bitmap64 *b, uint64_t value);
uint64_t bitmap64_count(const struct bitmap64 *b);
size_t bitmap64_first(const struct bitmap64 *b, uint64_t *values, size_t limit); /* the smallest ones, ascending; how many */
bool bitmap64_last(const struct bitmap64 *b, uint64_t *value);                   /* the largest; false when empty */
/* Bit i of words: whether first + i is in the set.  Whole words are written; bits at and above count are zero. */
void bitmap64_mask(const struct bitmap64 *b, uint64_t first, size_t count, uint64_t *words);
/* The portable form of the Roaring format specification ("extension for 64-bit implementations"), and an older one that is a plain array of
 * 32-bit bitmaps, each after its length.  All of bytes must be used.  CORRUPT_DATA says at which byte and why; *out is then empty.
 * What is accepted keeps every rule of the format, so that no later operation can be led astray; memory is bounded by the length of bytes. */
enum status bitmap64_read(struct str bytes, struct bitmap64 *out, struct error *err);
enum status bitmap64_read_array(struct str bytes, struct bitmap64 *out, struct error *err);
/* Writes the portable form, containers in their smallest shape. */
void bitmap64_write(const struct bitmap64 *b, struct buf *out);

/* ---- Arrow: build small results --------------------------------------------- */

/* Collects rows by column and hands them out as one Arrow stream.  Formats are Arrow
 * format strings: "l" int64, "i" int32, "g" double, "b" bool, "u" utf8, "tsu:UTC" timestamp us, "tdD" date32,
 * "+l:u" list of utf8, "+m:u" map utf8->utf8. */
struct rowset;
struct rowset_column {
    const char *name;
    const char *format;
};
struct rowset *rowset_new(const struct rowset_column *columns, size_t column_count); /* NULL when out of memory; copies */
void rowset_free(struct rowset *rs);
void rowset_null(struct rowset *rs);           /* each call fills the next column of the current row, wrapping to the next row */
void rowset_i64(struct rowset *rs, int64_t v); /* also for int32, timestamp, date */
void rowset_f64(struct rowset *rs, double v);
void rowset_bool(struct rowset *rs, bool v);
void rowset_str(struct rowset *rs, struct str v); /* NULL ptr = NULL */
void rowset_list(struct rowset *rs, const struct str *items, size_t count);
void rowset_map(struct rowset *rs, const struct str *keys, const struct str *values, size_t count);
/* Takes rs (also on failure).  INTERNAL when a value did not fit its column or the last row is unfinished. */
enum status rowset_stream(struct rowset *rs, struct ArrowArrayStream *out, struct error *err);

/* ---- rows as bytes ----------------------------------------------------------- */

enum row_format {
#define ROW_FORMAT(ID, NAME, MEDIA_TYPE) ROW_FORMAT_##ID,
#include "codec/formats.def"
#undef ROW_FORMAT
    ROW_FORMAT_COUNT
};
struct row_format_options {
    bool headers;         /* csv: first line names (default true through row_format_defaults) */
    struct str null_text; /* text of NULL; ptr NULL (the default): empty in csv, NULL in box, markdown and line */
    char csv_separator;
    bool csv_crlf;         /* lines end in CR LF as RFC 4180 has it; default LF, as Unix tools want it */
    int max_width;         /* box: terminal columns, 0 = unlimited */
    int64_t max_rows;      /* box: rows shown, the middle is cut; 0 = all */
    bool bigint_as_string; /* json: int64 beyond 2^53 and decimals as strings */
};
void row_format_defaults(struct row_format_options *o);
bool row_format_by_name(struct str name, enum row_format *out);
const char *row_format_media_type(enum row_format f);

/* Receives encoded bytes; return false to stop (the writer then answers CANCELLED). */
struct byte_sink {
    bool (*write)(void *user, const void *bytes, size_t len);
    void *user;
};
/* Encodes a whole stream (borrows it; the caller releases it).  *row_count gets the number of rows.
 * json is one array of objects; jsonlines one object a line; arrow is an IPC stream with schema and end mark.
 * A failure in the stream comes back as its last error; when that begins with the name of an error code and a colon
 * ("DIVISION_BY_ZERO: …") the code is kept, else it is OUT_OF_MEMORY, CANCELLED, STORE_IO (by errno) or INTERNAL.
 * CANCELLED when the sink stops; NOT_SUPPORTED for a column type that has no text.  ctx is checked between batches. */
enum status rows_encode(struct ctx *ctx, struct ArrowArrayStream *stream, enum row_format format, const struct row_format_options *options,
                        struct byte_sink sink, int64_t *row_count, struct error *err);
/* One value of an Arrow array as text, SQL style (no quotes at top level; nested values like DuckDB prints them).
 * row counts from the array's own offset.  Returns false for NULL.  Types without a text (half floats, decimal256,
 * run-end encoded) count as NULL: rows_encode refuses them by name. */
bool arrow_value_text(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, struct buf *out);
/* One value as JSON (NULL as null): decimals as numbers, binary as base64, timestamps as RFC 3339, maps as objects,
 * NaN and infinities as strings. */
void arrow_value_json(const struct ArrowSchema *schema, const struct ArrowArray *array, int64_t row, bool bigint_as_string, struct buf *out);
/* SQL name of an Arrow type, as in the box header: "bigint", "decimal(18,4)", "varchar[]". */
void arrow_type_name(const struct ArrowSchema *schema, struct buf *out);

#endif
