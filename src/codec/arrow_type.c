/* codec/arrow_type.c: Arrow's format strings and their SQL names. */
#include <stdlib.h>

#include "codec/arrow_int.h"

static int unit_digits(char unit) { return unit == 's' ? 0 : unit == 'm' ? 3 : unit == 'u' ? 6 : unit == 'n' ? 9 : -1; }

static struct arrow_type int_type(int32_t width, bool is_signed)
{
    return (struct arrow_type){.kind = ARROW_INT, .width = width, .is_signed = is_signed};
}

static struct arrow_type sized(enum arrow_kind kind, int32_t width) { return (struct arrow_type){.kind = kind, .width = width}; }

/* The integer at *at, which ends up behind it and its comma. */
static int take_int(const char **at)
{
    bool negative = **at == '-';
    int v = 0;
    for (*at += negative; **at >= '0' && **at <= '9' && v < 10000; (*at)++)
        v = v * 10 + (**at - '0');
    *at += **at == ',';
    return negative ? -v : v;
}

/* "d:precision,scale[,bits]" */
static struct arrow_type decimal_type(const char *format)
{
    if (format[1] != ':')
        return sized(ARROW_UNKNOWN, 0);
    const char *at = format + 2;
    struct arrow_type t = {.kind = ARROW_DECIMAL, .width = 16};
    t.precision = take_int(&at);
    t.scale = take_int(&at);
    if (*at)
        t.width = take_int(&at) / 8;
    return t;
}

static struct arrow_type temporal_type(const char *f)
{
    int digits = f[1] ? unit_digits(f[2]) : -1;
    if (f[1] == 'd')
        return sized(f[2] == 'D' ? ARROW_DATE : f[2] == 'm' ? ARROW_DATE : ARROW_UNKNOWN, f[2] == 'D' ? 4 : 8);
    if (f[1] == 'i')
        return f[2] == 'M'   ? sized(ARROW_INTERVAL_MONTHS, 4)
               : f[2] == 'D' ? sized(ARROW_INTERVAL_DAYS, 8)
               : f[2] == 'n' ? sized(ARROW_INTERVAL_NANOS, 16)
                             : sized(ARROW_UNKNOWN, 0);
    if (digits < 0)
        return sized(ARROW_UNKNOWN, 0);
    if (f[1] == 't')
        return (struct arrow_type){.kind = ARROW_TIME, .width = digits < 6 ? 4 : 8, .unit = digits};
    if (f[1] == 'D')
        return (struct arrow_type){.kind = ARROW_DURATION, .width = 8, .unit = digits};
    if (f[1] == 's' && f[3] == ':')
        return (struct arrow_type){.kind = ARROW_TIMESTAMP, .width = 8, .unit = digits, .tail = f + 4};
    return sized(ARROW_UNKNOWN, 0);
}

static struct arrow_type nested_type(const char *f)
{
    switch (f[1]) {
    case 'l':
        return sized(ARROW_LIST, 4);
    case 'L':
        return sized(ARROW_LIST, 8);
    case 'v':
        return sized(f[2] == 'l' || f[2] == 'L' ? ARROW_LIST_VIEW : ARROW_UNKNOWN, f[2] == 'L' ? 8 : 4);
    case 'w':
        return sized(f[2] == ':' ? ARROW_FIXED_LIST : ARROW_UNKNOWN, f[2] == ':' ? atoi(f + 3) : 0);
    case 's':
        return sized(ARROW_STRUCT, 0);
    case 'm':
        return sized(ARROW_MAP, 4);
    case 'u':
        if ((f[2] == 'd' || f[2] == 's') && f[3] == ':')
            return (struct arrow_type){.kind = ARROW_UNION, .dense = f[2] == 'd', .tail = f + 4};
        return sized(ARROW_UNKNOWN, 0);
    default:
        return sized(ARROW_UNKNOWN, 0);
    }
}

struct arrow_type arrow_type_of_format(const char *f)
{
    switch (f[0]) {
    case 'n':
        return sized(ARROW_NULL, 0);
    case 'b':
        return sized(ARROW_BOOL, 0);
    case 'c':
        return int_type(1, true);
    case 'C':
        return int_type(1, false);
    case 's':
        return int_type(2, true);
    case 'S':
        return int_type(2, false);
    case 'i':
        return int_type(4, true);
    case 'I':
        return int_type(4, false);
    case 'l':
        return int_type(8, true);
    case 'L':
        return int_type(8, false);
    case 'e':
        return sized(ARROW_FLOAT, 2);
    case 'f':
        return sized(ARROW_FLOAT, 4);
    case 'g':
        return sized(ARROW_FLOAT, 8);
    case 'd':
        return decimal_type(f);
    case 'u':
        return sized(ARROW_UTF8, 4);
    case 'U':
        return sized(ARROW_UTF8, 8);
    case 'z':
        return sized(ARROW_BINARY, 4);
    case 'Z':
        return sized(ARROW_BINARY, 8);
    case 'v':
        return sized(f[1] == 'u' ? ARROW_UTF8_VIEW : f[1] == 'z' ? ARROW_BINARY_VIEW : ARROW_UNKNOWN, 16);
    case 'w':
        return sized(f[1] == ':' ? ARROW_FIXED_BINARY : ARROW_UNKNOWN, f[1] == ':' ? atoi(f + 2) : 0);
    case 't':
        return temporal_type(f);
    case '+':
        return nested_type(f);
    default:
        return sized(ARROW_UNKNOWN, 0);
    }
}

/* ---- metadata ------------------------------------------------------------------ */

static int32_t read_i32(const char **at)
{
    int32_t v;
    memcpy(&v, *at, sizeof v);
    *at += sizeof v;
    return v;
}

static struct str read_text(const char **at)
{
    int32_t len = read_i32(at);
    struct str text = {*at, (size_t)len};
    *at += len;
    return text;
}

int32_t arrow_metadata_count(const char *metadata) { return metadata ? read_i32(&metadata) : 0; }

void arrow_metadata_each(const char *metadata, bool (*visit)(void *user, struct str key, struct str value), void *user)
{
    if (!metadata)
        return;
    for (int32_t left = read_i32(&metadata); left > 0; left--) {
        struct str key = read_text(&metadata);
        struct str value = read_text(&metadata);
        if (!visit(user, key, value))
            return;
    }
}

static bool see_extension(void *user, struct str key, struct str value)
{
    if (!str_eq(key, STR("ARROW:extension:name")))
        return true;
    struct arrow_type *t = user;
    t->is_uuid = t->kind == ARROW_FIXED_BINARY && t->width == 16 && str_eq(value, STR("arrow.uuid"));
    t->is_json = (t->kind == ARROW_UTF8 || t->kind == ARROW_UTF8_VIEW) && str_eq(value, STR("arrow.json"));
    return false;
}

struct arrow_type arrow_type_of(const struct ArrowSchema *schema)
{
    if (schema->dictionary)
        return sized(ARROW_DICTIONARY, 0);
    struct arrow_type t = arrow_type_of_format(schema->format);
    if (schema->metadata)
        arrow_metadata_each(schema->metadata, see_extension, &t);
    return t;
}

/* ---- checks --------------------------------------------------------------------- */

static bool is_readable(const struct arrow_type *t)
{
    if (t->kind == ARROW_DECIMAL)
        return (t->width == 4 || t->width == 8 || t->width == 16) && t->scale >= 0 && t->scale <= 38;
    if (t->kind == ARROW_FLOAT)
        return t->width != 2;
    if (t->kind == ARROW_FIXED_BINARY || t->kind == ARROW_FIXED_LIST)
        return t->width >= 0;
    return t->kind != ARROW_UNKNOWN;
}

enum status arrow_check_schema(const struct ArrowSchema *schema, struct error *err)
{
    const char *name = schema->name ? schema->name : "";
    struct arrow_type t = arrow_type_of(schema);
    if (!is_readable(&t)) {
        error_set(err, STATUS_NOT_SUPPORTED, "column \"%s\" has a type that cannot be shown: Arrow format \"%s\"", name, schema->format);
        return error_hint(err, "cast it to VARCHAR or DOUBLE");
    }
    if (t.kind == ARROW_DICTIONARY)
        return arrow_check_schema(schema->dictionary, err);
    for (int64_t i = 0; i < schema->n_children; i++) {
        enum status status = arrow_check_schema(schema->children[i], err);
        if (status != STATUS_OK)
            return status;
    }
    return STATUS_OK;
}

bool arrow_type_is_numeric(const struct ArrowSchema *schema)
{
    enum arrow_kind kind = arrow_type_of(schema).kind;
    return kind == ARROW_INT || kind == ARROW_FLOAT || kind == ARROW_DECIMAL;
}

/* ---- SQL names -------------------------------------------------------------------- */

static const char *int_name(const struct arrow_type *t)
{
    switch (t->width) {
    case 1:
        return t->is_signed ? "tinyint" : "utinyint";
    case 2:
        return t->is_signed ? "smallint" : "usmallint";
    case 4:
        return t->is_signed ? "integer" : "uinteger";
    default:
        return t->is_signed ? "bigint" : "ubigint";
    }
}

static const char *timestamp_name(const struct arrow_type *t)
{
    if (t->tail[0])
        return "timestamp with time zone";
    return t->unit == 0 ? "timestamp_s" : t->unit == 3 ? "timestamp_ms" : t->unit == 6 ? "timestamp" : "timestamp_ns";
}

static const char *scalar_name(const struct arrow_type *t)
{
    switch (t->kind) {
    case ARROW_NULL:
        return "null";
    case ARROW_BOOL:
        return "boolean";
    case ARROW_INT:
        return int_name(t);
    case ARROW_FLOAT:
        return t->width == 8 ? "double" : t->width == 4 ? "float" : "half";
    case ARROW_UTF8:
    case ARROW_UTF8_VIEW:
        return t->is_json ? "json" : "varchar";
    case ARROW_BINARY:
    case ARROW_BINARY_VIEW:
        return "blob";
    case ARROW_FIXED_BINARY:
        return t->is_uuid ? "uuid" : "blob";
    case ARROW_DATE:
        return "date";
    case ARROW_TIME:
        return "time";
    case ARROW_TIMESTAMP:
        return timestamp_name(t);
    case ARROW_DURATION:
    case ARROW_INTERVAL_MONTHS:
    case ARROW_INTERVAL_DAYS:
    case ARROW_INTERVAL_NANOS:
        return "interval";
    default:
        return "unknown";
    }
}

/* A field's name as SQL takes it: quoted when it is not a plain identifier. */
static void put_field_name(struct buf *out, struct str name)
{
    bool plain = name.len > 0 && !(name.ptr[0] >= '0' && name.ptr[0] <= '9');
    for (size_t i = 0; i < name.len; i++) {
        char c = name.ptr[i];
        plain = plain && (c == '_' || (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
    }
    if (plain) {
        buf_str(out, name);
        return;
    }
    buf_char(out, '"');
    for (size_t i = 0; i < name.len; i++) {
        if (name.ptr[i] == '"')
            buf_char(out, '"');
        buf_char(out, name.ptr[i]);
    }
    buf_char(out, '"');
}

static void put_fields(const char *word, const struct ArrowSchema *schema, bool named, struct buf *out)
{
    buf_z(out, word);
    for (int64_t i = 0; i < schema->n_children; i++) {
        buf_z(out, i ? ", " : "(");
        if (named) {
            put_field_name(out, str_of(schema->children[i]->name));
            buf_char(out, ' ');
        }
        arrow_type_name(schema->children[i], out);
    }
    buf_z(out, schema->n_children ? ")" : "()");
}

void arrow_type_name(const struct ArrowSchema *schema, struct buf *out)
{
    struct arrow_type t = arrow_type_of(schema);
    switch (t.kind) {
    case ARROW_DICTIONARY:
        arrow_type_name(schema->dictionary, out);
        break;
    case ARROW_DECIMAL:
        buf_printf(out, "decimal(%d,%d)", t.precision, t.scale);
        break;
    case ARROW_LIST:
    case ARROW_LIST_VIEW:
        arrow_type_name(schema->children[0], out);
        buf_z(out, "[]");
        break;
    case ARROW_FIXED_LIST:
        arrow_type_name(schema->children[0], out);
        buf_printf(out, "[%d]", t.width);
        break;
    case ARROW_STRUCT:
        put_fields("struct", schema, true, out);
        break;
    case ARROW_UNION:
        put_fields("union", schema, true, out);
        break;
    case ARROW_MAP:
        put_fields("map", schema->children[0], false, out);
        break;
    default:
        buf_z(out, scalar_name(&t));
        break;
    }
}
