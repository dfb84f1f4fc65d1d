/* engine/error.c: DuckDB's errors as ours: code, short lower-case message, hint, detail, position. */
#include "engine/engine_int.h"

#include <ctype.h>

/* How DuckDB spells its exception types (Exception::ExceptionTypeToString) and what they are for us. */
static const struct error_kind {
    const char *name;
    duckdb_error_type type;
    enum status code;
} error_kinds[] = {
    {"Out of Range", DUCKDB_ERROR_OUT_OF_RANGE, STATUS_VALUE_OUT_OF_RANGE},
    {"Conversion", DUCKDB_ERROR_CONVERSION, STATUS_CONVERSION},
    {"Unknown Type", DUCKDB_ERROR_UNKNOWN_TYPE, STATUS_TYPE_MISMATCH},
    {"Decimal", DUCKDB_ERROR_DECIMAL, STATUS_CONVERSION},
    {"Mismatch Type", DUCKDB_ERROR_MISMATCH_TYPE, STATUS_TYPE_MISMATCH},
    {"Divide by Zero", DUCKDB_ERROR_DIVIDE_BY_ZERO, STATUS_DIVISION_BY_ZERO},
    {"Object Size", DUCKDB_ERROR_OBJECT_SIZE, STATUS_LIMIT_EXCEEDED},
    {"Invalid type", DUCKDB_ERROR_INVALID_TYPE, STATUS_TYPE_MISMATCH},
    {"Serialization", DUCKDB_ERROR_SERIALIZATION, STATUS_NOT_SUPPORTED},
    {"TransactionContext", DUCKDB_ERROR_TRANSACTION, STATUS_INTERNAL},
    {"Not implemented", DUCKDB_ERROR_NOT_IMPLEMENTED, STATUS_NOT_SUPPORTED},
    {"Expression", DUCKDB_ERROR_EXPRESSION, STATUS_BINDER},
    {"Catalog", DUCKDB_ERROR_CATALOG, STATUS_BINDER},
    {"Parser", DUCKDB_ERROR_PARSER, STATUS_SYNTAX},
    {"Planner", DUCKDB_ERROR_PLANNER, STATUS_INTERNAL},
    {"Scheduler", DUCKDB_ERROR_SCHEDULER, STATUS_INTERNAL},
    {"Executor", DUCKDB_ERROR_EXECUTOR, STATUS_INTERNAL},
    {"Constraint", DUCKDB_ERROR_CONSTRAINT, STATUS_CONSTRAINT_VIOLATION},
    {"Connection", DUCKDB_ERROR_CONNECTION, STATUS_INTERNAL},
    {"Syntax", DUCKDB_ERROR_SYNTAX, STATUS_SYNTAX},
    {"Settings", DUCKDB_ERROR_SETTINGS, STATUS_INVALID_ARGUMENT},
    {"Binder", DUCKDB_ERROR_BINDER, STATUS_BINDER},
    {"Optimizer", DUCKDB_ERROR_OPTIMIZER, STATUS_INTERNAL},
    {"NullPointer", DUCKDB_ERROR_NULL_POINTER, STATUS_INTERNAL},
    {"IO", DUCKDB_ERROR_IO, STATUS_STORE_IO},
    {"INTERRUPT", DUCKDB_ERROR_INTERRUPT, STATUS_CANCELLED},
    {"FATAL", DUCKDB_ERROR_FATAL, STATUS_INTERNAL},
    {"INTERNAL", DUCKDB_ERROR_INTERNAL, STATUS_INTERNAL},
    {"Invalid Input", DUCKDB_ERROR_INVALID_INPUT, STATUS_INVALID_ARGUMENT},
    {"Out of Memory", DUCKDB_ERROR_OUT_OF_MEMORY, STATUS_OUT_OF_MEMORY},
    {"Permission", DUCKDB_ERROR_PERMISSION, STATUS_PERMISSION_DENIED},
    {"Parameter Not Resolved", DUCKDB_ERROR_PARAMETER_NOT_RESOLVED, STATUS_NOT_SUPPORTED},
    {"Parameter Not Allowed", DUCKDB_ERROR_PARAMETER_NOT_ALLOWED, STATUS_NOT_SUPPORTED},
    {"Dependency", DUCKDB_ERROR_DEPENDENCY, STATUS_BINDER},
    {"HTTP", DUCKDB_ERROR_HTTP, STATUS_STORE_IO},
    {"Missing Extension", DUCKDB_ERROR_MISSING_EXTENSION, STATUS_NOT_SUPPORTED},
    {"Extension Autoloading", DUCKDB_ERROR_AUTOLOAD, STATUS_NOT_SUPPORTED},
    {"Sequence", DUCKDB_ERROR_SEQUENCE, STATUS_BINDER},
    {"Invalid Configuration", DUCKDB_INVALID_CONFIGURATION, STATUS_INVALID_ARGUMENT},
};

/* What a kind means more precisely, by words that its message holds.  First match wins. */
static const struct error_words {
    enum status kind;
    const char *words;
    enum status code;
} error_words[] = {
    {STATUS_CONVERSION, "out of range", STATUS_VALUE_OUT_OF_RANGE},
    {STATUS_CONVERSION, "out-of-range", STATUS_VALUE_OUT_OF_RANGE},
    {STATUS_CONVERSION, "Could not cast value", STATUS_VALUE_OUT_OF_RANGE},
    {STATUS_BINDER, "Referenced column", STATUS_COLUMN_NOT_FOUND},
    {STATUS_BINDER, "does not have a column named", STATUS_COLUMN_NOT_FOUND},
    {STATUS_BINDER, "not found in FROM clause", STATUS_COLUMN_NOT_FOUND},
    {STATUS_BINDER, "Could not find key", STATUS_COLUMN_NOT_FOUND},
    {STATUS_BINDER, "No function matches", STATUS_FUNCTION_NOT_FOUND},
    {STATUS_BINDER, "Function with name", STATUS_FUNCTION_NOT_FOUND},
    {STATUS_BINDER, "Table Function with name", STATUS_FUNCTION_NOT_FOUND},
    {STATUS_BINDER, "Macro with name", STATUS_FUNCTION_NOT_FOUND},
    {STATUS_BINDER, "Table with name", STATUS_TABLE_NOT_FOUND},
    {STATUS_BINDER, "Schema with name", STATUS_SCHEMA_NOT_FOUND},
    {STATUS_BINDER, "Type with name", STATUS_TYPE_MISMATCH},
    {STATUS_BINDER, "Cannot compare values", STATUS_TYPE_MISMATCH},
    {STATUS_BINDER, "Cannot mix values", STATUS_TYPE_MISMATCH},
    {STATUS_BINDER, "cannot be cast", STATUS_TYPE_MISMATCH},
    {STATUS_BINDER, "an explicit cast is required", STATUS_TYPE_MISMATCH},
    {STATUS_NOT_SUPPORTED, "Unknown TimeZone", STATUS_INVALID_ARGUMENT},
    {STATUS_STORE_IO, "No space left", STATUS_STORE_FULL},
    {STATUS_STORE_IO, "Disk quota", STATUS_STORE_FULL},
    {STATUS_STORE_IO, "No files found", STATUS_FILE_NOT_FOUND},
    {STATUS_STORE_IO, "No such file", STATUS_FILE_NOT_FOUND},
    {STATUS_STORE_IO, "Permission denied", STATUS_STORE_PERMISSION},
    {STATUS_STORE_IO, "Read-only file system", STATUS_STORE_PERMISSION},
    {STATUS_STORE_IO, "arquet", STATUS_CORRUPT_DATA},
    {STATUS_STORE_IO, "No magic bytes", STATUS_CORRUPT_DATA},
    {STATUS_INVALID_ARGUMENT, "No magic bytes", STATUS_CORRUPT_DATA},
    {STATUS_INVALID_ARGUMENT, "too small to be a Parquet", STATUS_CORRUPT_DATA},
    {STATUS_INVALID_ARGUMENT, "Parquet", STATUS_CORRUPT_DATA},
    {STATUS_INVALID_ARGUMENT, ".parquet", STATUS_CORRUPT_DATA},
    {STATUS_INVALID_ARGUMENT, "hrift", STATUS_CORRUPT_DATA},
    {STATUS_INVALID_ARGUMENT, "Snappy", STATUS_CORRUPT_DATA},
    {STATUS_INVALID_ARGUMENT, "ZSTD", STATUS_CORRUPT_DATA},
    {STATUS_INVALID_ARGUMENT, "hen sniffing file", STATUS_CONVERSION},
    {STATUS_INVALID_ARGUMENT, "JSON transform error", STATUS_CONVERSION},
    {STATUS_INVALID_ARGUMENT, "Malformed JSON", STATUS_CONVERSION},
    {STATUS_INVALID_ARGUMENT, "malformed JSON", STATUS_CONVERSION},
    {STATUS_INVALID_ARGUMENT, "maximum_object_size", STATUS_LIMIT_EXCEEDED},
    {STATUS_INVALID_ARGUMENT, "Maximum line size", STATUS_LIMIT_EXCEEDED},
    {STATUS_INVALID_ARGUMENT, "nvalid unicode", STATUS_CONVERSION},
    {STATUS_INVALID_ARGUMENT, "not utf-8 encoded", STATUS_CONVERSION},
    {STATUS_INVALID_ARGUMENT, "GZIP", STATUS_CORRUPT_DATA},
    {STATUS_STORE_IO, "GZIP", STATUS_CORRUPT_DATA},
    {STATUS_INTERNAL, "don't know what type", STATUS_CORRUPT_DATA},
    {STATUS_INTERNAL, "hrift", STATUS_CORRUPT_DATA},
    {STATUS_INTERNAL, "TProtocolException", STATUS_CORRUPT_DATA},
};

static const struct error_kind *kind_by_type(duckdb_error_type type)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(error_kinds); i++)
        if (error_kinds[i].type == type)
            return &error_kinds[i];
    return NULL;
}

static const struct error_kind *kind_by_name(struct str name)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(error_kinds); i++)
        if (str_ieq(str_of(error_kinds[i].name), name))
            return &error_kinds[i];
    return NULL;
}

/* "Binder Error: text" -> its kind, and *text past the prefix. */
static const struct error_kind *take_prefix(struct str *text)
{
    const char *mark = memmem(text->ptr, text->len < 40 ? text->len : 40, " Error: ", 8);
    if (!mark)
        return NULL;
    const struct error_kind *kind = kind_by_name((struct str){text->ptr, (size_t)(mark - text->ptr)});
    if (kind)
        *text = str_sub(*text, (size_t)(mark + 8 - text->ptr), text->len - (size_t)(mark + 8 - text->ptr));
    return kind;
}

static bool holds(struct str text, const char *words) { return memmem(text.ptr, text.len, words, strlen(words)) != NULL; }

static enum status refine(enum status kind, struct str message)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(error_words); i++)
        if (error_words[i].kind == kind && holds(message, error_words[i].words))
            return error_words[i].code;
    return kind;
}

/* Cuts the excerpt of the statement off: it is of our text, not of the user's. */
static struct str without_excerpt(struct str text)
{
    const char *mark = memmem(text.ptr, text.len, "\n\nLINE ", 7);
    if (mark)
        text.len = (size_t)(mark - text.ptr);
    return str_trim(text);
}

static struct str take_line(struct str *text)
{
    const char *end = memchr(text->ptr, '\n', text->len);
    struct str line = {text->ptr, end ? (size_t)(end - text->ptr) : text->len};
    size_t used = line.len + (end != NULL);
    *text = str_sub(*text, used, text->len - used);
    return str_trim(line);
}

/* "Referenced column…" -> "referenced column…", but "JSON…" and "INT32" stay. */
static void put_lower_first(struct buf *out, struct str line)
{
    while (line.len && (line.ptr[line.len - 1] == '!' || line.ptr[line.len - 1] == '.'))
        line.len--;
    if (line.len > 1 && isupper((unsigned char)line.ptr[0]) && !isupper((unsigned char)line.ptr[1]) && !isdigit((unsigned char)line.ptr[1])) {
        buf_char(out, (char)tolower((unsigned char)line.ptr[0]));
        line = str_sub(line, 1, line.len - 1);
    }
    buf_str(out, line);
}

static bool is_hint(struct str line)
{
    static const char *const starts[] = {"Did you mean", "Candidate", "Consider", "HINT", "Hint", "Try ", "If you", "You might", "Use "};
    for (size_t i = 0; i < VV_ARRAY_COUNT(starts); i++)
        if (str_starts(line, str_of(starts[i])))
            return true;
    return false;
}

static void put_sentence(struct buf *out, struct str line)
{
    if (out->len)
        buf_z(out, "; ");
    put_lower_first(out, line);
}

/* The lines after the first: hints, and what follows a hint, go to the hint; the rest is detail. */
static void split_rest(struct str message, struct str rest, struct buf *hint, struct buf *detail)
{
    bool in_hint = false;
    while (rest.len) {
        struct str line = take_line(&rest);
        if (!line.len)
            continue;
        if (str_eq(line, STR("Candidate functions:"))) {
            buf_z(hint, hint->len ? "; " : "");
            put_candidates(message, rest, hint);
            return;
        }
        in_hint = in_hint || is_hint(line);
        put_sentence(in_hint ? hint : detail, line);
    }
}

/* "No function matches … 'f(INTEGER)'. You might need to add explicit type casts." : the advice is a hint. */
static struct str take_sentence(struct str *line)
{
    struct str all = *line;
    const char *mark = memmem(all.ptr, all.len, ". You might", 11);
    if (!mark) {
        *line = STR("");
        return all;
    }
    size_t len = (size_t)(mark - all.ptr);
    *line = str_trim(str_sub(all, len + 1, all.len - len - 1));
    return (struct str){all.ptr, len};
}

static enum status fill(enum status code, struct str text, struct error *err)
{
    struct buf message = BUF_INIT, hint = BUF_INIT, detail = BUF_INIT;
    struct str first = take_line(&text), line = first;
    put_lower_first(&message, take_sentence(&line));
    if (line.len)
        put_sentence(&hint, line);
    split_rest(first, text, &hint, &detail);
    error_set(err, code, "%s", message.len ? message.ptr : "the engine gave no reason");
    if (hint.len)
        error_hint(err, "%s", hint.ptr);
    if (detail.len)
        error_detail(err, "%s", detail.ptr);
    buf_release(&message);
    buf_release(&hint);
    buf_release(&detail);
    return code;
}

static enum status fill_kind(struct ctx *ctx, const struct error_kind *kind, struct str text, struct error *err)
{
    enum status code = kind ? kind->code : STATUS_INTERNAL;
    if (code == STATUS_CANCELLED) {
        enum status why = ctx_check(ctx, err);
        return why != STATUS_OK ? why : error_set(err, STATUS_CANCELLED, "the statement was interrupted");
    }
    code = refine(code, text);
    if (code == STATUS_INTERNAL) { /* stack traces are for the log */
        const char *end = memchr(text.ptr, '\n', text.len);
        if (end)
            text.len = (size_t)(end - text.ptr);
    }
    return fill(code, text, err);
}

static struct str line_after(struct str text, const char *mark)
{
    const char *at = memmem(text.ptr, text.len, mark, strlen(mark));
    if (!at)
        return STR_NULL;
    at += strlen(mark);
    size_t left = (size_t)(text.ptr + text.len - at);
    const char *end = memchr(at, '\n', left);
    return str_trim((struct str){at, end ? (size_t)(end - at) : left});
}

/* A row of a CSV file that cannot be read: DuckDB's message names it among much else. */
static enum status csv_error(struct str text, struct error *err)
{
    struct str number = line_after(text, "CSV Error on Line:"), row = line_after(text, "Original Line:"), file = line_after(text, "  file = ");
    const char *reason = row.ptr ? memchr(row.ptr, '\n', (size_t)(text.ptr + text.len - row.ptr)) : NULL;
    struct str why = reason ? line_after((struct str){reason, (size_t)(text.ptr + text.len - reason)}, "\n") : STR("the row does not fit");
    error_set(err, STATUS_CONVERSION, "line %.*s of \"%.*s\" cannot be read: %.*s", STR_ARG(number), STR_ARG(file), STR_ARG(why));
    if (row.len)
        error_detail(err, "the line is: %.*s", (int)(row.len < 400 ? row.len : 400), row.ptr);
    return error_hint(err, "correct the file, or say how it is written with FORMAT_OPTIONS (sep, quote, escape, header, nullValue…)");
}

enum status error_from_duck(struct ctx *ctx, duckdb_error_type type, const char *text, struct error *err)
{
    struct str message = text ? str_of(text) : STR("");
    if (memmem(message.ptr, message.len, "CSV Error on Line:", 18))
        return csv_error(message, err);
    const struct error_kind *prefix = take_prefix(&message);
    const struct error_kind *kind = type != DUCKDB_ERROR_INVALID ? kind_by_type(type) : NULL;
    return fill_kind(ctx, kind ? kind : prefix, without_excerpt(message), err);
}

static void hint_candidates(struct str candidates, struct error *err)
{
    if (candidates.len && err && !err->hint)
        error_hint(err, "did you mean %.*s", STR_ARG(candidates));
}

/* The parser counts characters, everything after it bytes. */
static int64_t byte_position(struct str sql, int64_t characters)
{
    size_t at = 0;
    for (; characters > 0 && at < sql.len; characters--) {
        size_t step = utf8_step(str_sub(sql, at, sql.len - at), NULL);
        at += step ? step : 1;
    }
    return (int64_t)at;
}

enum status error_from_tree(struct ctx *ctx, const struct json *j, struct str sql, struct arena *arena, struct error *err)
{
    const uint32_t node = 0;
    const struct error_kind *kind = kind_by_name(tree_text(j, node, "error_type", arena));
    enum status code = fill_kind(ctx, kind, without_excerpt(tree_text(j, node, "error_message", arena)), err);
    hint_candidates(tree_text(j, node, "candidates", arena), err);
    int64_t position;
    if (err && str_to_i64(tree_text(j, node, "position", arena), &position))
        err->position = code == STATUS_SYNTAX ? byte_position(sql, position) : position;
    return code;
}

bool error_is_unserializable(const struct json *j, struct arena *arena)
{
    const struct error_kind *kind = kind_by_name(tree_text(j, 0, "error_type", arena));
    return !kind || kind->code == STATUS_INTERNAL || kind->code == STATUS_NOT_SUPPORTED;
}
