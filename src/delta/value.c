/* delta/value.c: typed scalars: partition values as text and back, and an order that never rounds. */
#include "delta/delta_int.h"

#include <math.h>
#include <stdio.h>

static __int128 power_of_ten(int n)
{
    __int128 p = 1;
    while (n-- > 0)
        p *= 10;
    return p;
}

/* ---- partition values (protocol "Partition Value Serialization") ---------------- */

bool delta_integer_range(enum delta_type_id id, int64_t *min, int64_t *max)
{
    switch (id) {
    case DELTA_BYTE:
        *min = INT8_MIN;
        *max = INT8_MAX;
        return true;
    case DELTA_SHORT:
        *min = INT16_MIN;
        *max = INT16_MAX;
        return true;
    case DELTA_INTEGER:
        *min = INT32_MIN;
        *max = INT32_MAX;
        return true;
    case DELTA_LONG:
        *min = INT64_MIN;
        *max = INT64_MAX;
        return true;
    default:
        return false;
    }
}

static bool read_integer(struct str text, struct delta_value *v)
{
    int64_t min, max;
    return delta_integer_range(v->type, &min, &max) && str_to_i64(text, &v->i64) && v->i64 >= min && v->i64 <= max;
}

static bool read_boolean(struct str text, struct delta_value *v)
{
    v->i64 = str_ieq(text, STR("true"));
    return v->i64 || str_ieq(text, STR("false"));
}

static bool read_float(struct str text, struct delta_value *v)
{
    if (!str_to_f64(text, &v->f64))
        return false;
    if (v->type == DELTA_FLOAT)
        v->f64 = (double)(float)v->f64;
    return true;
}

static bool read_decimal(struct str text, struct delta_value *v)
{
    if (!decimal_from_text(text, v->scale, &v->dec))
        return false;
    __int128 limit = power_of_ten(v->precision);
    return v->dec < limit && v->dec > -limit;
}

static bool read_date(struct str text, struct delta_value *v)
{
    int32_t days;
    if (!date_from_text(text, &days))
        return false;
    v->i64 = days;
    return true;
}

/* Moments written with a zone's offset near the ends of the calendar fall into years such as 10000 or -9999.  The calendar repeats every 400 years,
 * so the year is moved into reach and the value back by as many days. */
static bool read_far_timestamp(struct str text, struct delta_value *v)
{
    enum { CYCLE_YEARS = 400, CYCLE_DAYS = 146097 };
    const int64_t us_per_day = 86400000000;
    char near[64];
    bool negative = text.len && text.ptr[0] == '-', has_zone;
    size_t sign = text.len && (negative || text.ptr[0] == '+') ? 1 : 0, digits = sign;
    int64_t year = 0;
    while (digits < text.len && digits < sign + 6 && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        year = year * 10 + (text.ptr[digits++] - '0');
    if (digits < sign + 4 || text.len - digits > 48)
        return false;
    year = negative ? -year : year;
    int64_t moved = 2000 + ((year % CYCLE_YEARS) + CYCLE_YEARS) % CYCLE_YEARS;
    int length = snprintf(near, sizeof(near), "%04d%.*s", (int)moved, (int)(text.len - digits), text.ptr + digits);
    if ((size_t)length != 4 + text.len - digits) /* a zero byte ended it early */
        return false;
    if (!timestamp_from_text((struct str){near, (size_t)length}, &v->i64, &has_zone))
        return false;
    int64_t back_us;
    return !__builtin_mul_overflow((year - moved) / CYCLE_YEARS * CYCLE_DAYS, us_per_day, &back_us) &&
           !__builtin_add_overflow(v->i64, back_us, &v->i64);
}

/* The text's value as v->type, set already. */
static bool read_text(struct str text, struct delta_value *v)
{
    bool has_zone;
    switch (v->type) {
    case DELTA_STRING:
    case DELTA_BINARY:
        v->str = text;
        return true;
    case DELTA_BOOLEAN:
        return read_boolean(text, v);
    case DELTA_FLOAT:
    case DELTA_DOUBLE:
        return read_float(text, v);
    case DELTA_DECIMAL:
        return read_decimal(text, v);
    case DELTA_DATE:
        return read_date(text, v);
    case DELTA_TIMESTAMP:
    case DELTA_TIMESTAMP_NTZ:
        return timestamp_from_text(text, &v->i64, &has_zone) || read_far_timestamp(text, v);
    default:
        return read_integer(text, v);
    }
}

enum status delta_partition_value(struct arena *arena, struct str text, const struct delta_type *type, struct delta_value *out, struct error *err)
{
    struct delta_value v = {.type = type->id, .precision = type->precision, .scale = type->scale};
    *out = (struct delta_value){.type = type->id, .is_null = true, .precision = type->precision, .scale = type->scale};
    if (!text.ptr || !text.len)
        return STATUS_OK;
    if (!read_text(text, &v)) {
        struct buf name = BUF_INIT;
        delta_type_text(type, &name);
        error_set(err, STATUS_CORRUPT_LOG, "partition value \"%.*s\" is not a %.*s", (int)(text.len < 200 ? text.len : 200), text.ptr,
                  STR_ARG(buf_view(&name)));
        buf_release(&name);
        return STATUS_CORRUPT_LOG;
    }
    if (v.str.ptr && !(v.str = arena_str(arena, v.str)).ptr)
        return error_oom(err);
    *out = v;
    return STATUS_OK;
}

/* The fewest digits that read back as the same float. */
void delta_float_text(float v, struct buf *out)
{
    char text[40];
    int len = 0;
    for (int digits = 6; digits <= 9; digits++) {
        double back;
        len = snprintf(text, sizeof text, "%.*g", digits, (double)v);
        if (str_to_f64((struct str){text, (size_t)len}, &back) && (float)back == v)
            break;
    }
    buf_append(out, text, (size_t)len);
}

static void put_floating(const struct delta_value *v, struct buf *out)
{
    if (isnan(v->f64))
        buf_z(out, "NaN");
    else if (isinf(v->f64))
        buf_z(out, v->f64 < 0 ? "-Infinity" : "Infinity");
    else if (v->type == DELTA_FLOAT)
        delta_float_text((float)v->f64, out);
    else
        json_put_f64(out, v->f64);
}

static void put_timestamp(const struct delta_value *v, struct buf *out)
{
    char text[40];
    bool zone = v->type == DELTA_TIMESTAMP;
    timestamp_to_iso(v->i64, zone, text);
    if (!zone)
        text[10] = ' ';
    buf_z(out, text);
}

bool delta_partition_text(const struct delta_value *v, struct buf *out)
{
    char text[48];
    if (v->is_null)
        return false;
    switch (v->type) {
    case DELTA_STRING:
    case DELTA_BINARY:
        buf_str(out, v->str);
        break;
    case DELTA_BOOLEAN:
        buf_z(out, v->i64 ? "true" : "false");
        break;
    case DELTA_FLOAT:
    case DELTA_DOUBLE:
        put_floating(v, out);
        break;
    case DELTA_DECIMAL:
        decimal_to_text(v->dec, v->scale, text);
        buf_z(out, text);
        break;
    case DELTA_DATE:
        date_to_text((int32_t)v->i64, text);
        buf_z(out, text);
        break;
    case DELTA_TIMESTAMP:
    case DELTA_TIMESTAMP_NTZ:
        put_timestamp(v, out);
        break;
    default:
        buf_i64(out, v->i64);
    }
    return true;
}

/* ---- order --------------------------------------------------------------------------- */

static int cmp_i64(int64_t a, int64_t b) { return a < b ? -1 : a > b; }

static int cmp_i128(__int128 a, __int128 b) { return a < b ? -1 : a > b; }

static int cmp_f64(double a, double b)
{
    if (isnan(a) || isnan(b))
        return (isnan(a) ? 1 : 0) - (isnan(b) ? 1 : 0);
    return a < b ? -1 : a > b;
}

/* a / 10^a_scale against b / 10^b_scale: the finer one is taken apart, for the coarser might not fit when multiplied. */
static int cmp_decimal(__int128 a, int a_scale, __int128 b, int b_scale)
{
    if (a_scale > b_scale)
        return -cmp_decimal(b, b_scale, a, a_scale);
    __int128 unit = power_of_ten(b_scale - a_scale);
    int order = cmp_i128(a, b / unit);
    return order ? order : cmp_i128(0, b % unit);
}

/* A natural number of up to 352 bits, lowest limb first. */
struct natural {
    uint32_t limb[11];
};

static void natural_multiply(struct natural *n, uint32_t factor)
{
    uint64_t carry = 0;
    for (size_t i = 0; i < VV_ARRAY_COUNT(n->limb); i++) {
        carry += (uint64_t)n->limb[i] * factor;
        n->limb[i] = (uint32_t)carry;
        carry >>= 32;
    }
}

static struct natural natural_of(unsigned __int128 v, int twos, int tens)
{
    struct natural n = {{(uint32_t)v, (uint32_t)(v >> 32), (uint32_t)(v >> 64), (uint32_t)(v >> 96)}};
    while (tens-- > 0)
        natural_multiply(&n, 10);
    for (; twos >= 16; twos -= 16)
        natural_multiply(&n, 1u << 16);
    natural_multiply(&n, 1u << twos);
    return n;
}

static int natural_cmp(const struct natural *a, const struct natural *b)
{
    for (size_t i = VV_ARRAY_COUNT(a->limb); i-- > 0;)
        if (a->limb[i] != b->limb[i])
            return a->limb[i] < b->limb[i] ? -1 : 1;
    return 0;
}

/* d against dec / 10^scale, both made whole numbers: mantissa * 10^scale against dec * 2^-exponent. */
static int cmp_f64_decimal(double d, __int128 dec, int scale)
{
    int d_sign = isnan(d) || d > 0 ? 1 : d < 0 ? -1 : 0, dec_sign = cmp_i128(dec, 0);
    if (d_sign != dec_sign)
        return d_sign < dec_sign ? -1 : 1;
    if (d_sign == 0)
        return 0;
    int exponent;
    double fraction = frexp(fabs(d), &exponent);
    if (isnan(d) || isinf(d) || exponent > 128) /* beyond every decimal */
        return d_sign;
    if (exponent < -130) /* nearer to zero than every decimal but zero */
        return -d_sign;
    unsigned __int128 mantissa = (unsigned __int128)ldexp(fraction, 53);
    unsigned __int128 digits = dec < 0 ? 0 - (unsigned __int128)dec : (unsigned __int128)dec;
    exponent -= 53;
    struct natural a = natural_of(mantissa, exponent > 0 ? exponent : 0, scale);
    struct natural b = natural_of(digits, exponent < 0 ? -exponent : 0, 0);
    return natural_cmp(&a, &b) * d_sign;
}

enum value_class { CLASS_OTHER, CLASS_INTEGER, CLASS_FLOATING, CLASS_DECIMAL };

static enum value_class class_of(enum delta_type_id id)
{
    switch (id) {
    case DELTA_BYTE:
    case DELTA_SHORT:
    case DELTA_INTEGER:
    case DELTA_LONG:
        return CLASS_INTEGER;
    case DELTA_FLOAT:
    case DELTA_DOUBLE:
        return CLASS_FLOATING;
    case DELTA_DECIMAL:
        return CLASS_DECIMAL;
    default:
        return CLASS_OTHER;
    }
}

static int cmp_numbers(const struct delta_value *a, const struct delta_value *b)
{
    enum value_class x = class_of(a->type), y = class_of(b->type);
    if (x == CLASS_INTEGER && y == CLASS_INTEGER)
        return cmp_i64(a->i64, b->i64);
    if (x == CLASS_FLOATING && y == CLASS_FLOATING)
        return cmp_f64(a->f64, b->f64);
    __int128 a_dec = x == CLASS_INTEGER ? a->i64 : a->dec, b_dec = y == CLASS_INTEGER ? b->i64 : b->dec;
    int a_scale = x == CLASS_DECIMAL ? a->scale : 0, b_scale = y == CLASS_DECIMAL ? b->scale : 0;
    if (x == CLASS_FLOATING)
        return cmp_f64_decimal(a->f64, b_dec, b_scale);
    if (y == CLASS_FLOATING)
        return -cmp_f64_decimal(b->f64, a_dec, a_scale);
    return cmp_decimal(a_dec, a_scale, b_dec, b_scale);
}

/* Microseconds since 1970 of a date or a timestamp without zone. */
static int64_t wall_clock_us(const struct delta_value *v) { return v->type == DELTA_DATE ? v->i64 * INT64_C(86400000000) : v->i64; }

static bool is_wall_clock(enum delta_type_id id) { return id == DELTA_DATE || id == DELTA_TIMESTAMP_NTZ; }

int delta_value_cmp(const struct delta_value *a, const struct delta_value *b, bool *ok)
{
    *ok = true;
    if (class_of(a->type) && class_of(b->type))
        return cmp_numbers(a, b);
    if (is_wall_clock(a->type) && is_wall_clock(b->type) && a->type != b->type)
        return cmp_i64(wall_clock_us(a), wall_clock_us(b));
    if (a->type == b->type) {
        switch (a->type) {
        case DELTA_BOOLEAN:
        case DELTA_DATE:
        case DELTA_TIMESTAMP:
        case DELTA_TIMESTAMP_NTZ:
            return cmp_i64(a->i64, b->i64);
        case DELTA_STRING:
        case DELTA_BINARY:
            return cmp_i64(str_cmp(a->str, b->str), 0);
        default:
            break;
        }
    }
    *ok = false;
    return 0;
}
