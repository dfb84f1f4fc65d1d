/* delta/type_sql.c: type names as SQL writes them, in Spark's and DuckDB's spellings. */
#include "delta/delta_int.h"

enum { DEPTH_MAX = 64, FIELDS_MAX = 4096, PRECISION_MAX = 38 };

struct sql_reader {
    struct arena *arena;
    struct str text;
    size_t at;
    int depth;
    struct error *err;
};

/* What may stand in brackets behind a type's name. */
enum sql_arguments { ARGUMENTS_NONE, ARGUMENTS_LENGTH, ARGUMENTS_DECIMAL };
static const struct {
    const char *name;
    enum delta_type_id id;
    enum sql_arguments arguments;
} sql_types[] = {
    {"string", DELTA_STRING, ARGUMENTS_NONE},
    {"varchar", DELTA_STRING, ARGUMENTS_LENGTH},
    {"text", DELTA_STRING, ARGUMENTS_NONE},
    {"char", DELTA_STRING, ARGUMENTS_LENGTH},
    {"character", DELTA_STRING, ARGUMENTS_LENGTH},
    {"bpchar", DELTA_STRING, ARGUMENTS_LENGTH},
    {"bigint", DELTA_LONG, ARGUMENTS_NONE},
    {"long", DELTA_LONG, ARGUMENTS_NONE},
    {"int8", DELTA_LONG, ARGUMENTS_NONE},
    {"int", DELTA_INTEGER, ARGUMENTS_NONE},
    {"integer", DELTA_INTEGER, ARGUMENTS_NONE},
    {"int4", DELTA_INTEGER, ARGUMENTS_NONE},
    {"smallint", DELTA_SHORT, ARGUMENTS_NONE},
    {"short", DELTA_SHORT, ARGUMENTS_NONE},
    {"int2", DELTA_SHORT, ARGUMENTS_NONE},
    {"tinyint", DELTA_BYTE, ARGUMENTS_NONE},
    {"byte", DELTA_BYTE, ARGUMENTS_NONE},
    {"int1", DELTA_BYTE, ARGUMENTS_NONE},
    {"float", DELTA_FLOAT, ARGUMENTS_NONE},
    {"float4", DELTA_FLOAT, ARGUMENTS_NONE},
    {"real", DELTA_FLOAT, ARGUMENTS_NONE},
    {"double", DELTA_DOUBLE, ARGUMENTS_NONE},
    {"float8", DELTA_DOUBLE, ARGUMENTS_NONE},
    {"decimal", DELTA_DECIMAL, ARGUMENTS_DECIMAL},
    {"dec", DELTA_DECIMAL, ARGUMENTS_DECIMAL},
    {"numeric", DELTA_DECIMAL, ARGUMENTS_DECIMAL},
    {"boolean", DELTA_BOOLEAN, ARGUMENTS_NONE},
    {"bool", DELTA_BOOLEAN, ARGUMENTS_NONE},
    {"binary", DELTA_BINARY, ARGUMENTS_NONE},
    {"varbinary", DELTA_BINARY, ARGUMENTS_NONE},
    {"blob", DELTA_BINARY, ARGUMENTS_NONE},
    {"bytea", DELTA_BINARY, ARGUMENTS_NONE},
    {"date", DELTA_DATE, ARGUMENTS_NONE},
    {"timestamp", DELTA_TIMESTAMP, ARGUMENTS_NONE},
    {"timestamp_ltz", DELTA_TIMESTAMP, ARGUMENTS_NONE},
    {"timestamptz", DELTA_TIMESTAMP, ARGUMENTS_NONE},
    {"timestamp_ntz", DELTA_TIMESTAMP_NTZ, ARGUMENTS_NONE},
    {"void", DELTA_VOID, ARGUMENTS_NONE},
    {"variant", DELTA_VARIANT, ARGUMENTS_NONE},
};

static enum status read_type(struct sql_reader *r, struct delta_type **out);

/* ---- words and signs --------------------------------------------------------- */

static enum status fail_at(struct sql_reader *r, size_t at, const char *what)
{
    struct str rest = str_sub(r->text, at, r->text.len - at);
    size_t shown = 0;
    for (size_t step; shown < rest.len && shown < 24 && (step = utf8_step(str_sub(rest, shown, rest.len - shown), NULL));)
        shown += step;
    if (shown)
        error_set(r->err, STATUS_SYNTAX, "%s at \"%.*s\" in a type", what, (int)shown, rest.ptr);
    else
        error_set(r->err, STATUS_SYNTAX, "%s at the end of a type", what);
    if (r->err)
        r->err->position = (int64_t)at;
    return STATUS_SYNTAX;
}

static void skip_space(struct sql_reader *r)
{
    while (r->at < r->text.len && strchr(" \t\r\n", r->text.ptr[r->at]) && r->text.ptr[r->at])
        r->at++;
}

static bool at_sign(struct sql_reader *r, char c)
{
    skip_space(r);
    return r->at < r->text.len && r->text.ptr[r->at] == c;
}

static bool take_sign(struct sql_reader *r, char c)
{
    if (!at_sign(r, c))
        return false;
    r->at++;
    return true;
}

static bool is_word_byte(char c, bool first)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80 ||
           (!first && ((c >= '0' && c <= '9') || c == '$'));
}

/* The word here, not taken; empty when there is none. */
static struct str peek_word(struct sql_reader *r)
{
    skip_space(r);
    size_t end = r->at;
    while (end < r->text.len && is_word_byte(r->text.ptr[end], end == r->at))
        end++;
    return str_sub(r->text, r->at, end - r->at);
}

static bool take_word(struct sql_reader *r, const char *word)
{
    struct str found = peek_word(r);
    if (!str_ieq(found, str_of(word)))
        return false;
    r->at += found.len;
    return true;
}

/* "…", `…` or '…' with the quote doubled inside; Spark's backslash escapes inside '…'. */
static enum status read_quoted(struct sql_reader *r, struct str *out)
{
    size_t start = r->at;
    char quote = r->text.ptr[r->at++];
    char *copy = arena_alloc(r->arena, r->text.len - start);
    if (!copy)
        return error_oom(r->err);
    size_t len = 0;
    while (r->at < r->text.len) {
        char c = r->text.ptr[r->at++];
        bool more = r->at < r->text.len;
        if (c == quote) {
            if (!more || r->text.ptr[r->at] != quote) {
                copy[len] = '\0';
                *out = (struct str){copy, len};
                return STATUS_OK;
            }
            r->at++;
        } else if (c == '\\' && quote == '\'' && more && strchr("\\'\"", r->text.ptr[r->at]) && r->text.ptr[r->at]) {
            c = r->text.ptr[r->at++];
        }
        copy[len++] = c;
    }
    return fail_at(r, start, "a quote that does not end");
}

static enum status read_name(struct sql_reader *r, struct str *out)
{
    if (at_sign(r, '`') || at_sign(r, '"')) {
        size_t start = r->at;
        enum status status = read_quoted(r, out);
        return status || out->len ? status : fail_at(r, start, "an empty field name");
    }
    struct str word = peek_word(r);
    if (!word.len)
        return fail_at(r, r->at, "a field name is missing");
    *out = arena_str(r->arena, word);
    r->at += word.len;
    return out->ptr ? STATUS_OK : error_oom(r->err);
}

static enum status read_number(struct sql_reader *r, int limit, int *out)
{
    skip_space(r);
    size_t start = r->at;
    int64_t v = 0;
    while (r->at < r->text.len && r->text.ptr[r->at] >= '0' && r->text.ptr[r->at] <= '9' && v <= limit)
        v = v * 10 + (r->text.ptr[r->at++] - '0');
    if (r->at == start)
        return fail_at(r, start, "a number is missing");
    if (v > limit)
        return fail_at(r, start, "a number that is too large");
    *out = (int)v;
    return STATUS_OK;
}

static enum status expect_sign(struct sql_reader *r, char c)
{
    const char what[] = {'"', c, '"', ' ', 'i', 's', ' ', 'm', 'i', 's', 's', 'i', 'n', 'g', '\0'};
    return take_sign(r, c) ? STATUS_OK : fail_at(r, r->at, what);
}

/* ---- types ----------------------------------------------------------------------- */

static enum status read_decimal_arguments(struct sql_reader *r, struct delta_type *type)
{
    int precision = 10, scale = 0;
    enum status status = STATUS_OK;
    size_t start = r->at;
    if (take_sign(r, '(')) {
        if ((status = read_number(r, 9999, &precision)))
            return status;
        if (take_sign(r, ',') && (status = read_number(r, 9999, &scale)))
            return status;
        if ((status = expect_sign(r, ')')))
            return status;
    }
    if (precision < 1 || precision > PRECISION_MAX)
        return fail_at(r, start, "a decimal precision outside 1 to 38");
    if (scale > precision)
        return fail_at(r, start, "a decimal scale larger than its precision");
    type->precision = (uint8_t)precision;
    type->scale = (uint8_t)scale;
    return status;
}

static enum status read_arguments(struct sql_reader *r, enum sql_arguments arguments, struct delta_type *type)
{
    int length;
    enum status status;
    if (arguments == ARGUMENTS_DECIMAL)
        return read_decimal_arguments(r, type);
    if (arguments == ARGUMENTS_NONE || !take_sign(r, '('))
        return STATUS_OK;
    status = read_number(r, 1000000000, &length);
    return status ? status : expect_sign(r, ')');
}

/* TIMESTAMP [WITH | WITHOUT TIME ZONE]; without either it is an instant, as in Spark. */
static enum status read_time_zone(struct sql_reader *r, struct delta_type *type)
{
    bool without = take_word(r, "without");
    if (!without && !take_word(r, "with"))
        return STATUS_OK;
    if (take_word(r, "local") && without)
        return fail_at(r, r->at, "WITHOUT LOCAL TIME ZONE");
    if (!take_word(r, "time") || !take_word(r, "zone"))
        return fail_at(r, r->at, "TIME ZONE is missing");
    type->id = without ? DELTA_TIMESTAMP_NTZ : DELTA_TIMESTAMP;
    return STATUS_OK;
}

/* The names that tables show go before their aliases. */
static struct str nearest_type(struct str word)
{
    struct str own[VV_ARRAY_COUNT(sql_types)], all[VV_ARRAY_COUNT(sql_types)];
    size_t own_count = 0;
    for (size_t i = 0; i < VV_ARRAY_COUNT(sql_types); i++) {
        all[i] = str_of(sql_types[i].name);
        bool first = i == 0 || sql_types[i].id != sql_types[i - 1].id;
        if (first)
            own[own_count++] = all[i];
    }
    struct str near = str_nearest(word, own, own_count);
    return near.ptr ? near : str_nearest(word, all, VV_ARRAY_COUNT(all));
}

static enum status read_primitive(struct sql_reader *r, struct str word, struct delta_type *type)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(sql_types); i++) {
        if (!str_ieq(word, str_of(sql_types[i].name)))
            continue;
        r->at += word.len;
        type->id = sql_types[i].id;
        if (type->id == DELTA_DOUBLE)
            take_word(r, "precision");
        if (str_ieq(word, STR("timestamp")))
            return read_time_zone(r, type);
        return read_arguments(r, sql_types[i].arguments, type);
    }
    if (str_ieq(word, STR("interval"))) {
        error_set(r->err, STATUS_NOT_SUPPORTED, "a Delta table has no columns of intervals");
        error_hint(r->err, "months can be kept as INT, microseconds as BIGINT");
        return STATUS_NOT_SUPPORTED;
    }
    enum status status = fail_at(r, r->at, word.len ? "an unknown type name" : "a type name is missing");
    struct str near = word.len ? nearest_type(word) : STR_NULL;
    if (near.ptr)
        error_hint(r->err, "did you mean %.*s?", STR_ARG(near));
    return status;
}

/* name [:] type [NOT NULL] [COMMENT 'text'] */
static enum status read_field(struct sql_reader *r, struct delta_field *field)
{
    enum status status = read_name(r, &field->name);
    if (status)
        return status;
    take_sign(r, ':');
    if ((status = read_type(r, &field->type)))
        return status;
    field->nullable = true;
    if (take_word(r, "not")) {
        if (!take_word(r, "null"))
            return fail_at(r, r->at, "NULL is missing after NOT");
        field->nullable = false;
    }
    if (!take_word(r, "comment"))
        return STATUS_OK;
    struct str comment = STR_NULL;
    if (!at_sign(r, '\'') && !at_sign(r, '"'))
        return fail_at(r, r->at, "a comment in quotes is missing");
    if ((status = read_quoted(r, &comment)))
        return status;
    field->metadata = ARENA_NEW(r->arena, struct delta_property);
    if (!field->metadata || !delta_property_text(r->arena, STR("comment"), comment, field->metadata))
        return error_oom(r->err);
    field->metadata_count = 1;
    return STATUS_OK;
}

static enum status grow_fields(struct sql_reader *r, struct delta_type *type, uint32_t *capacity)
{
    if (type->field_count < *capacity)
        return STATUS_OK;
    if (type->field_count == FIELDS_MAX)
        return error_set(r->err, STATUS_LIMIT_EXCEEDED, "a struct type has more than %d fields", FIELDS_MAX);
    uint32_t grown = *capacity ? *capacity * 2 : 8;
    struct delta_field *fields = ARENA_ARRAY(r->arena, struct delta_field, grown);
    if (!fields)
        return error_oom(r->err);
    if (type->field_count)
        memcpy(fields, type->fields, sizeof *fields * type->field_count);
    type->fields = fields;
    *capacity = grown;
    return STATUS_OK;
}

/* STRUCT<a: T, …> as Spark has it, STRUCT(a T, …) as DuckDB has it. */
static enum status read_struct(struct sql_reader *r, struct delta_type *type)
{
    type->id = DELTA_STRUCT;
    bool round = at_sign(r, '(');
    char close = round ? ')' : '>';
    enum status status = expect_sign(r, round ? '(' : '<');
    if (status || take_sign(r, close))
        return status;
    uint32_t capacity = 0;
    do {
        if ((status = grow_fields(r, type, &capacity)) || (status = read_field(r, &type->fields[type->field_count])))
            return status;
        type->field_count++;
    } while (take_sign(r, ','));
    return expect_sign(r, close);
}

static enum status read_array(struct sql_reader *r, struct delta_type *type)
{
    type->id = DELTA_ARRAY;
    type->contains_null = true;
    enum status status = expect_sign(r, '<');
    if (!status)
        status = read_type(r, &type->element);
    return status ? status : expect_sign(r, '>');
}

static enum status read_map(struct sql_reader *r, struct delta_type *type)
{
    type->id = DELTA_MAP;
    type->contains_null = true;
    bool round = at_sign(r, '(');
    enum status status = expect_sign(r, round ? '(' : '<');
    if (!status)
        status = read_type(r, &type->key);
    if (!status)
        status = expect_sign(r, ',');
    if (!status)
        status = read_type(r, &type->element);
    return status ? status : expect_sign(r, round ? ')' : '>');
}

/* T[] and T[][]: each pair of brackets wraps what stands before it. */
static enum status read_brackets(struct sql_reader *r, struct delta_type **type)
{
    while (take_sign(r, '[')) {
        enum status status = expect_sign(r, ']');
        if (status)
            return status;
        if (++r->depth > DEPTH_MAX)
            return fail_at(r, r->at, "nested too deeply");
        struct delta_type *array = ARENA_NEW(r->arena, struct delta_type);
        if (!array)
            return error_oom(r->err);
        *array = (struct delta_type){.id = DELTA_ARRAY, .contains_null = true, .element = *type};
        *type = array;
    }
    return STATUS_OK;
}

static enum status read_type(struct sql_reader *r, struct delta_type **out)
{
    int depth = r->depth;
    if (++r->depth > DEPTH_MAX)
        return fail_at(r, r->at, "nested too deeply");
    struct delta_type *type = ARENA_NEW(r->arena, struct delta_type);
    if (!type)
        return error_oom(r->err);
    enum status status;
    if (take_word(r, "struct") || take_word(r, "row"))
        status = read_struct(r, type);
    else if (take_word(r, "array"))
        status = read_array(r, type);
    else if (take_word(r, "map"))
        status = read_map(r, type);
    else
        status = read_primitive(r, peek_word(r), type);
    if (!status)
        status = read_brackets(r, &type);
    r->depth = depth;
    *out = type;
    return status;
}

enum status delta_type_from_sql(struct arena *arena, struct str text, struct delta_type **out, struct error *err)
{
    struct sql_reader r = {.arena = arena, .text = text, .err = err};
    struct delta_type *type = NULL;
    *out = NULL;
    enum status status = read_type(&r, &type);
    if (!status) {
        skip_space(&r);
        if (r.at < text.len)
            status = fail_at(&r, r.at, "unexpected text");
    }
    if (!status)
        *out = type;
    return status;
}
