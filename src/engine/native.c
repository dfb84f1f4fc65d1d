/* engine/native.c: registers the functions of the dialect that no macro can be, and holds the small ones. */
#include "engine/native.h"

bool native_row_is_whole(duckdb_data_chunk input, duckdb_vector output, idx_t row)
{
    for (idx_t c = 0; c < duckdb_data_chunk_get_column_count(input); c++)
        if (!vector_valid(duckdb_vector_get_validity(duckdb_data_chunk_get_vector(input, c)), row)) {
            native_set_null(output, row);
            return false;
        }
    return true;
}

/* ---- size: elements of an array or map -------------------------------------------------------- */

static void count_elements(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    duckdb_vector lists = duckdb_data_chunk_get_vector(input, 0);
    duckdb_logical_type type = duckdb_vector_get_column_type(lists);
    duckdb_type id = duckdb_get_type_id(type);
    const duckdb_list_entry *entries = duckdb_vector_get_data(lists);
    int32_t *out = duckdb_vector_get_data(output);
    idx_t fixed = id == DUCKDB_TYPE_ARRAY ? duckdb_array_type_array_size(type) : 0;
    bool known = id == DUCKDB_TYPE_LIST || id == DUCKDB_TYPE_MAP || id == DUCKDB_TYPE_ARRAY || id == DUCKDB_TYPE_SQLNULL;
    if (!known)
        duckdb_scalar_function_set_error(info, "size() counts the elements of an array or map");
    for (idx_t i = 0; known && i < duckdb_data_chunk_get_size(input); i++)
        if (native_row_is_whole(input, output, i))
            out[i] = (int32_t)(id == DUCKDB_TYPE_ARRAY ? fixed : id == DUCKDB_TYPE_SQLNULL ? 0 : entries[i].length);
    duckdb_destroy_logical_type(&type);
}

/* ---- crc32 -------------------------------------------------------------------------------------- */

static void checksum(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    int64_t *out = duckdb_vector_get_data(output);
    (void)info;
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(input); i++)
        if (native_row_is_whole(input, output, i)) {
            struct str s = vector_str(&native_texts(input, 0)[i]);
            out[i] = crc32_ieee(s.ptr, s.len, 0);
        }
}

/* ---- soundex -------------------------------------------------------------------------------------- */

static char sound_of(char c)
{
    static const char sounds[] = "01230127022455012623017202"; /* A to Z; 7: H and W do not part equal sounds */
    char upper = c >= 'a' && c <= 'z' ? (char)(c - ('a' - 'A')) : c;
    return upper >= 'A' && upper <= 'Z' ? sounds[upper - 'A'] : '\0';
}

/* Four characters; a text that does not begin with a letter is its own. */
static bool put_soundex(struct str s, char out[4])
{
    char last = s.len ? sound_of(s.ptr[0]) : '\0';
    size_t n = 1;
    if (!last)
        return false;
    out[0] = s.ptr[0] >= 'a' ? (char)(s.ptr[0] - ('a' - 'A')) : s.ptr[0];
    for (size_t i = 1; i < s.len && n < 4; i++) {
        char sound = sound_of(s.ptr[i]);
        if (sound == '7' || !sound)
            continue;
        if (sound != '0' && sound != last)
            out[n++] = sound;
        last = sound;
    }
    while (n < 4)
        out[n++] = '0';
    return true;
}

static void soundex(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    (void)info;
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(input); i++)
        if (native_row_is_whole(input, output, i)) {
            char code[4];
            struct str s = vector_str(&native_texts(input, 0)[i]);
            if (put_soundex(s, code))
                s = (struct str){code, sizeof code};
            duckdb_vector_assign_string_element_len(output, i, s.ptr, s.len);
        }
}

/* ---- conv: a number of one base as one of another --------------------------------------------------- */

enum { BASE_MIN = 2, BASE_MAX = 36 };

static int digit_of(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'))
        return (c | 0x20) - 'a' + 10;
    return BASE_MAX;
}

/* The digits up to the first that is none of the base; false when the number is too large. */
static bool read_digits(struct str s, int base, uint64_t *value)
{
    bool fits = true;
    *value = 0;
    for (size_t i = 0; fits && i < s.len && digit_of(s.ptr[i]) < base; i++)
        fits = !__builtin_mul_overflow(*value, (uint64_t)base, value) && !__builtin_add_overflow(*value, (uint64_t)digit_of(s.ptr[i]), value);
    return fits;
}

enum conversion { CONVERTED, NO_NUMBER, TOO_LARGE };

/* to < 0: the number has a sign. */
static enum conversion convert(struct str s, int from, int to, char out[72], size_t *len)
{
    int base = to < 0 ? -to : to;
    if (from < BASE_MIN || from > BASE_MAX || base < BASE_MIN || base > BASE_MAX)
        return NO_NUMBER;
    s = str_trim(s);
    bool minus = s.len && s.ptr[0] == '-', any = s.len > (size_t)minus;
    uint64_t value;
    if (!any)
        return NO_NUMBER;
    if (!read_digits(str_sub(s, minus, s.len - minus), from, &value))
        return TOO_LARGE;
    if (minus)
        value = to > 0 && value > INT64_MAX ? UINT64_MAX : (uint64_t)0 - value;
    bool sign = to < 0 && (int64_t)value < 0;
    if (sign)
        value = (uint64_t)0 - value;
    char reversed[72];
    size_t n = 0;
    do
        reversed[n++] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[value % (uint64_t)base];
    while (value /= (uint64_t)base);
    if (sign)
        reversed[n++] = '-';
    *len = n;
    for (size_t i = 0; i < n; i++)
        out[i] = reversed[n - 1 - i];
    return CONVERTED;
}

static void change_base(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    const int32_t *from = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 1));
    const int32_t *to = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 2));
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(input); i++) {
        char text[72];
        size_t len;
        if (!native_row_is_whole(input, output, i))
            continue;
        enum conversion result = convert(vector_str(&native_texts(input, 0)[i]), from[i], to[i], text, &len);
        if (result == TOO_LARGE)
            duckdb_scalar_function_set_error(info, "conv() takes no number of more than 64 bits");
        if (result == CONVERTED)
            duckdb_vector_assign_string_element_len(output, i, text, len);
        else
            native_set_null(output, i);
    }
}

/* ---- substring: by characters, from the end when the position is below 0 --------------------------- */

static size_t characters_in(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += ((unsigned char)s.ptr[i] & 0xC0) != 0x80;
    return n;
}

/* Bytes of the first n characters. */
static size_t bytes_of(struct str s, int64_t n)
{
    for (size_t at = 0; at < s.len; at++)
        if (((unsigned char)s.ptr[at] & 0xC0) != 0x80 && n-- == 0)
            return at;
    return s.len;
}

/* What lies before the first character counts: of 'abc' the 3 characters from -5 are 'a'. */
static struct str cut(struct str s, int64_t position, int64_t length)
{
    int64_t first = position > 0 ? position - 1 : position < 0 ? (int64_t)characters_in(s) + position : 0, end;
    if (length <= 0 || __builtin_add_overflow(first, length, &end))
        end = length <= 0 ? first : INT64_MAX;
    first = first > 0 ? first : 0;
    if (end <= first)
        return STR("");
    size_t skip = bytes_of(s, first);
    struct str rest = str_sub(s, skip, s.len - skip);
    return str_sub(rest, 0, bytes_of(rest, end - first));
}

static void substring(duckdb_function_info info, duckdb_data_chunk input, duckdb_vector output)
{
    const int64_t *positions = duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 1));
    bool bounded = duckdb_data_chunk_get_column_count(input) > 2;
    const int64_t *lengths = bounded ? duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 2)) : NULL;
    (void)info;
    for (idx_t i = 0; i < duckdb_data_chunk_get_size(input); i++)
        if (native_row_is_whole(input, output, i)) {
            struct str s = cut(vector_str(&native_texts(input, 0)[i]), positions[i], lengths ? lengths[i] : INT64_MAX);
            duckdb_vector_assign_string_element_len(output, i, s.ptr, s.len);
        }
}

/* ---- registering ---------------------------------------------------------------------------------------- */

enum { PARAMETERS_MAX = 3 };
static const struct native {
    const char *name;                            /* of the row in dialect.def */
    const char *called;                          /* by the engine */
    enum { ALONE, AND_BYTES, AND_SHORTER } also; /* another of BLOB; another without the last parameter */
    duckdb_type result;
    duckdb_type parameters[PARAMETERS_MAX]; /* INVALID: no more */
    bool any_number;                        /* of arguments of any type */
    duckdb_scalar_function_t execute;
} natives[] = {
    {"hash", DIALECT_PREFIX "hash", ALONE, DUCKDB_TYPE_INTEGER, {0}, true, native_hash_murmur3},
    {"xxhash64", "xxhash64", ALONE, DUCKDB_TYPE_BIGINT, {0}, true, native_hash_xxhash64},
    {"size", "size", ALONE, DUCKDB_TYPE_INTEGER, {DUCKDB_TYPE_ANY}, false, count_elements},
    {"array_size", "array_size", ALONE, DUCKDB_TYPE_INTEGER, {DUCKDB_TYPE_ANY}, false, count_elements},
    {"cardinality", DIALECT_PREFIX "cardinality", ALONE, DUCKDB_TYPE_INTEGER, {DUCKDB_TYPE_ANY}, false, count_elements},
    {"crc32", "crc32", AND_BYTES, DUCKDB_TYPE_BIGINT, {DUCKDB_TYPE_VARCHAR}, false, checksum},
    {"soundex", "soundex", ALONE, DUCKDB_TYPE_VARCHAR, {DUCKDB_TYPE_VARCHAR}, false, soundex},
    {"conv", "conv", ALONE, DUCKDB_TYPE_VARCHAR, {DUCKDB_TYPE_VARCHAR, DUCKDB_TYPE_INTEGER, DUCKDB_TYPE_INTEGER}, false, change_base},
    {"spark_cut", "spark_cut", AND_SHORTER, DUCKDB_TYPE_VARCHAR, {DUCKDB_TYPE_VARCHAR, DUCKDB_TYPE_BIGINT, DUCKDB_TYPE_BIGINT}, false, substring},
    {"spark_format_time", "spark_format_time", ALONE, DUCKDB_TYPE_VARCHAR, {DUCKDB_TYPE_TIMESTAMP, DUCKDB_TYPE_VARCHAR}, false, native_format_time},
    {"spark_parse_time",
     "spark_parse_time",
     ALONE,
     DUCKDB_TYPE_TIMESTAMP,
     {DUCKDB_TYPE_VARCHAR, DUCKDB_TYPE_VARCHAR, DUCKDB_TYPE_BOOLEAN},
     false,
     native_parse_time},
};

static void add_parameter(duckdb_scalar_function f, duckdb_type id)
{
    duckdb_logical_type type = duckdb_create_logical_type(id);
    duckdb_scalar_function_add_parameter(f, type);
    duckdb_destroy_logical_type(&type);
}

static duckdb_scalar_function describe(const struct native *n, bool second)
{
    duckdb_scalar_function f = duckdb_create_scalar_function();
    duckdb_logical_type result = duckdb_create_logical_type(n->result), any = duckdb_create_logical_type(DUCKDB_TYPE_ANY);
    if (f) {
        duckdb_scalar_function_set_name(f, n->called);
        for (size_t i = 0; i < PARAMETERS_MAX && n->parameters[i] != DUCKDB_TYPE_INVALID; i++)
            if (!second || n->also != AND_SHORTER || (i + 1 < PARAMETERS_MAX && n->parameters[i + 1] != DUCKDB_TYPE_INVALID))
                add_parameter(f, second && n->also == AND_BYTES && i == 0 ? DUCKDB_TYPE_BLOB : n->parameters[i]);
        if (n->any_number)
            duckdb_scalar_function_set_varargs(f, any);
        duckdb_scalar_function_set_special_handling(f);
        duckdb_scalar_function_set_return_type(f, result);
        duckdb_scalar_function_set_function(f, n->execute);
    }
    duckdb_destroy_logical_type(&result);
    duckdb_destroy_logical_type(&any);
    return f;
}

static enum status register_set(duckdb_connection connection, const struct native *n, struct error *err)
{
    duckdb_scalar_function_set set = duckdb_create_scalar_function_set(n->called);
    bool ok = set != NULL;
    for (int second = 0; ok && second <= (n->also != ALONE); second++) {
        duckdb_scalar_function f = describe(n, second);
        ok = f && duckdb_add_scalar_function_to_set(set, f) == DuckDBSuccess;
        duckdb_destroy_scalar_function(&f);
    }
    ok = ok && duckdb_register_scalar_function_set(connection, set) == DuckDBSuccess;
    duckdb_destroy_scalar_function_set(&set);
    return ok ? STATUS_OK : error_set(err, STATUS_INTERNAL, "the engine does not take the function \"%s\"", n->called);
}

enum status native_register(duckdb_connection connection, const char *name, struct error *err)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(natives); i++)
        if (strcmp(natives[i].name, name) == 0)
            return register_set(connection, &natives[i], err);
    return error_set(err, STATUS_INTERNAL, "there is no native function \"%s\"", name);
}
