/* engine/source.c: files that are not tables: CSV, JSON and Parquet to load, globs, and what a query would return. */
#include "engine/engine_int.h"

#include <sys/stat.h>

/* ---- options by Spark's names ------------------------------------------------------------ */

enum option_id {
    OPTION_HEADER,
    OPTION_DELIMITER,
    OPTION_QUOTE,
    OPTION_ESCAPE,
    OPTION_NULL,
    OPTION_DATE_FORMAT,
    OPTION_TIMESTAMP_FORMAT,
    OPTION_ENCODING,
    OPTION_MULTI_LINE,
    OPTION_INFER,
    OPTION_MODE,
    OPTION_COMMENT,
    OPTION_MERGE,
    OPTION_SCHEMA,
    OPTION_LINE_SEPARATOR,
    OPTION_SKIP,
    OPTION_COMPRESSION,
    OPTION_COUNT
};
#define FOR_CSV (1u << ENGINE_CSV)
#define FOR_JSON (1u << ENGINE_JSON)
#define FOR_PARQUET (1u << ENGINE_PARQUET)
static const struct source_option {
    const char *name;
    enum option_id id;
    unsigned formats;
} source_options[] = {
    {"header", OPTION_HEADER, FOR_CSV},
    {"sep", OPTION_DELIMITER, FOR_CSV},
    {"delimiter", OPTION_DELIMITER, FOR_CSV},
    {"quote", OPTION_QUOTE, FOR_CSV},
    {"escape", OPTION_ESCAPE, FOR_CSV},
    {"nullValue", OPTION_NULL, FOR_CSV},
    {"dateFormat", OPTION_DATE_FORMAT, FOR_CSV | FOR_JSON},
    {"timestampFormat", OPTION_TIMESTAMP_FORMAT, FOR_CSV | FOR_JSON},
    {"timestampNTZFormat", OPTION_TIMESTAMP_FORMAT, FOR_CSV | FOR_JSON},
    {"encoding", OPTION_ENCODING, FOR_CSV | FOR_JSON},
    {"charset", OPTION_ENCODING, FOR_CSV | FOR_JSON},
    {"multiLine", OPTION_MULTI_LINE, FOR_CSV | FOR_JSON},
    {"inferSchema", OPTION_INFER, FOR_CSV | FOR_JSON | FOR_PARQUET},
    {"mode", OPTION_MODE, FOR_CSV | FOR_JSON},
    {"comment", OPTION_COMMENT, FOR_CSV},
    {"mergeSchema", OPTION_MERGE, FOR_CSV | FOR_JSON | FOR_PARQUET},
    {"schema", OPTION_SCHEMA, FOR_CSV | FOR_JSON},
    {"columns", OPTION_SCHEMA, FOR_CSV | FOR_JSON},
    {"lineSep", OPTION_LINE_SEPARATOR, FOR_CSV},
    {"skipRows", OPTION_SKIP, FOR_CSV},
    {"compression", OPTION_COMPRESSION, FOR_CSV | FOR_JSON},
};
struct source {
    enum engine_file_format format;
    struct str values[OPTION_COUNT]; /* NULL ptr: not given */
    const struct delta_type *schema;
    struct arena arena;
    struct buf *sql;
};

static enum status refuse_option(enum engine_file_format format, struct str key, struct error *err)
{
    static const char *const names[] = {"CSV", "JSON", "Parquet"};
    struct str known[VV_ARRAY_COUNT(source_options)];
    size_t count = 0;
    for (size_t i = 0; i < VV_ARRAY_COUNT(source_options); i++)
        if (source_options[i].formats & (1u << format))
            known[count++] = str_of(source_options[i].name);
    struct str nearest = str_nearest(key, known, count);
    error_set(err, STATUS_INVALID_ARGUMENT, "there is no option \"%.*s\" for %s files", STR_ARG(key), names[format]);
    if (nearest.ptr)
        error_hint(err, "did you mean \"%.*s\"?", STR_ARG(nearest));
    return STATUS_INVALID_ARGUMENT;
}

static enum status take_options(struct source *s, const struct delta_property *options, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        bool known = false;
        for (size_t k = 0; k < VV_ARRAY_COUNT(source_options) && !known; k++) {
            known = (source_options[k].formats & (1u << s->format)) && str_ieq(options[i].key, str_of(source_options[k].name));
            if (known)
                s->values[source_options[k].id] = options[i].value.ptr ? options[i].value : STR("");
        }
        if (!known)
            return refuse_option(s->format, options[i].key, err);
    }
    return STATUS_OK;
}

static enum status bad_value(struct str value, const char *option, const char *expected, struct error *err)
{
    return error_set(err, STATUS_INVALID_ARGUMENT, "option \"%s\" cannot be \"%.*s\": expected %s", option, STR_ARG(value), expected);
}

static enum status flag(const struct source *s, enum option_id id, const char *name, bool fallback, bool *out, struct error *err)
{
    struct str value = s->values[id];
    *out = value.ptr ? str_ieq(value, STR("true")) : fallback;
    if (value.ptr && !*out && !str_ieq(value, STR("false")))
        return bad_value(value, name, "true or false", err);
    return STATUS_OK;
}

/* ---- writing the call ---------------------------------------------------------------------- */

static void put_text(struct source *s, const char *name, struct str value)
{
    buf_printf(s->sql, ", %s=", name);
    engine_quote_literal(value, s->sql);
}

static void put_flag(struct source *s, const char *name, bool value) { buf_printf(s->sql, ", %s=%s", name, value ? "true" : "false"); }

static void put_given(struct source *s, enum option_id id, const char *name)
{
    if (s->values[id].ptr)
        put_text(s, name, s->values[id]);
}

static void put_columns(struct source *s)
{
    struct buf type = BUF_INIT;
    buf_z(s->sql, ", columns={");
    for (uint32_t i = 0; i < s->schema->field_count; i++) {
        buf_clear(&type);
        engine_type_sql(s->schema->fields[i].type, &type);
        buf_z(s->sql, i ? ", " : "");
        engine_quote_literal(s->schema->fields[i].name, s->sql);
        buf_z(s->sql, ": ");
        engine_quote_literal(buf_view(&type), s->sql);
    }
    buf_char(s->sql, '}');
    s->sql->failed |= type.failed;
    buf_release(&type);
}

/* Runs of a pattern letter in Java's DateTimeFormatter, longest first. */
static const struct java_field {
    const char *java, *strptime;
} java_fields[] = {
    {"yyyy", "%Y"}, {"uuuu", "%Y"}, {"yy", "%y"},  {"MMMM", "%B"},      {"MMM", "%b"},    {"MM", "%m"},  {"M", "%-m"}, {"dd", "%d"},  {"d", "%-d"},
    {"DDD", "%j"},  {"EEEE", "%A"}, {"EEE", "%a"}, {"E", "%a"},         {"HH", "%H"},     {"H", "%-H"},  {"hh", "%I"}, {"h", "%-I"},  {"mm", "%M"},
    {"m", "%-M"},   {"ss", "%S"},   {"s", "%-S"},  {"SSSSSSSSS", "%n"}, {"SSSSSS", "%f"}, {"SSS", "%g"}, {"a", "%p"},  {"XXX", "%z"}, {"XX", "%z"},
    {"X", "%z"},    {"xxx", "%z"},  {"xx", "%z"},  {"Z", "%z"},         {"VV", "%Z"},     {"z", "%Z"},
};

static const struct java_field *java_field_of(struct str run)
{
    for (size_t i = 0; i < VV_ARRAY_COUNT(java_fields); i++)
        if (str_eq(run, str_of(java_fields[i].java)))
            return &java_fields[i];
    return NULL;
}

static bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/* 'T' -> T, '' -> ' ; returns how many bytes were used. */
static size_t put_quoted(struct str pattern, size_t at, struct buf *out)
{
    size_t i = at + 1;
    if (i < pattern.len && pattern.ptr[i] == '\'') {
        buf_char(out, '\'');
        return 2;
    }
    while (i < pattern.len && pattern.ptr[i] != '\'')
        buf_char(out, pattern.ptr[i++]);
    return i + 1 - at;
}

/* "yyyy-MM-dd'T'HH:mm:ss" -> "%Y-%m-%dT%H:%M:%S".  A pattern with % is strptime's own already. */
static enum status put_date_pattern(struct source *s, enum option_id id, const char *option, const char *name, struct error *err)
{
    struct str pattern = s->values[id];
    struct buf out = BUF_INIT;
    if (!pattern.ptr)
        return STATUS_OK;
    if (memchr(pattern.ptr, '%', pattern.len)) {
        put_text(s, name, pattern);
        return STATUS_OK;
    }
    enum status st = STATUS_OK;
    for (size_t i = 0; i < pattern.len && st == STATUS_OK;) {
        char c = pattern.ptr[i];
        size_t end = i + 1;
        while (end < pattern.len && pattern.ptr[end] == c)
            end++;
        const struct java_field *field = is_letter(c) ? java_field_of(str_sub(pattern, i, end - i)) : NULL;
        if (c == '\'') {
            end = i + put_quoted(pattern, i, &out);
        } else if (field) {
            buf_z(&out, field->strptime);
        } else if (is_letter(c)) {
            st = bad_value(pattern, option, "a pattern such as yyyy-MM-dd HH:mm:ss", err);
        } else if (c != '[' && c != ']') { /* optional sections are taken as present */
            buf_append(&out, pattern.ptr + i, end - i);
        }
        i = end;
    }
    put_text(s, name, buf_view(&out));
    s->sql->failed |= out.failed;
    buf_release(&out);
    return st;
}

static enum status put_encoding(struct source *s, struct error *err)
{
    static const char *const names[][2] = {{"UTF-8", "utf-8"},        {"UTF8", "utf-8"},        {"US-ASCII", "utf-8"}, {"ASCII", "utf-8"},
                                           {"ISO-8859-1", "latin-1"}, {"ISO8859-1", "latin-1"}, {"LATIN1", "latin-1"}, {"LATIN-1", "latin-1"},
                                           {"UTF-16", "utf-16"},      {"UTF16", "utf-16"}};
    struct str value = s->values[OPTION_ENCODING];
    for (size_t i = 0; value.ptr && i < VV_ARRAY_COUNT(names); i++) {
        if (!str_ieq(value, str_of(names[i][0])))
            continue;
        if (s->format == ENGINE_CSV)
            put_text(s, "encoding", str_of(names[i][1]));
        else if (strcmp(names[i][1], "utf-8") != 0)
            break;
        return STATUS_OK;
    }
    return value.ptr ? bad_value(value, "encoding", s->format == ENGINE_CSV ? "UTF-8, ISO-8859-1 or UTF-16" : "UTF-8", err) : STATUS_OK;
}

/* FAILFAST: the first bad row ends it.  PERMISSIVE: short rows are filled with NULL; a value that does not parse is
 * still an error.  DROPMALFORMED: bad rows are left out. */
static enum status put_mode(struct source *s, struct error *err)
{
    struct str mode = s->values[OPTION_MODE];
    if (!mode.ptr || str_ieq(mode, STR("FAILFAST")))
        return STATUS_OK;
    if (str_ieq(mode, STR("DROPMALFORMED"))) {
        put_flag(s, "ignore_errors", true);
        return STATUS_OK;
    }
    if (!str_ieq(mode, STR("PERMISSIVE")))
        return bad_value(mode, "mode", "FAILFAST, PERMISSIVE or DROPMALFORMED", err);
    if (s->format == ENGINE_CSV)
        put_flag(s, "null_padding", true);
    return STATUS_OK;
}

static enum status put_line_separator(struct source *s, struct error *err)
{
    struct str value = s->values[OPTION_LINE_SEPARATOR];
    if (!value.ptr)
        return STATUS_OK;
    if (str_eq(value, STR("\n")) || str_eq(value, STR("\\n")))
        put_text(s, "new_line", STR("\\n"));
    else if (str_eq(value, STR("\r\n")) || str_eq(value, STR("\\r\\n")))
        put_text(s, "new_line", STR("\\r\\n"));
    else
        return bad_value(value, "lineSep", "\\n or \\r\\n", err);
    return STATUS_OK;
}

static enum status put_skip(struct source *s, struct error *err)
{
    int64_t rows;
    struct str value = s->values[OPTION_SKIP];
    if (!value.ptr)
        return STATUS_OK;
    if (!str_to_i64(value, &rows) || rows < 0)
        return bad_value(value, "skipRows", "a number of lines", err);
    buf_printf(s->sql, ", skip=%lld", (long long)rows);
    return STATUS_OK;
}

static enum status put_merge(struct source *s, struct error *err)
{
    bool merge;
    enum status st = flag(s, OPTION_MERGE, "mergeSchema", false, &merge, err);
    if (st == STATUS_OK && merge)
        put_flag(s, "union_by_name", true);
    return st;
}

/* The dialect is what the options say, never guessed. */
static void put_dialect(struct source *s)
{
    struct str delimiter = s->values[OPTION_DELIMITER];
    if (delimiter.ptr && str_eq(delimiter, STR("\\t")))
        delimiter = STR("\t");
    put_text(s, "delim", delimiter.ptr ? delimiter : STR(","));
    put_text(s, "quote", s->values[OPTION_QUOTE].ptr ? s->values[OPTION_QUOTE] : STR("\""));
    put_text(s, "escape", s->values[OPTION_ESCAPE].ptr ? s->values[OPTION_ESCAPE] : STR("\""));
    put_given(s, OPTION_NULL, "nullstr");
    put_given(s, OPTION_COMMENT, "comment");
    put_given(s, OPTION_COMPRESSION, "compression");
    put_flag(s, "allow_quoted_nulls", false);
}

static enum status put_csv(struct source *s, struct error *err)
{
    bool header, infer, ignored;
    put_dialect(s);
    enum status st = flag(s, OPTION_HEADER, "header", false, &header, err);
    if (st == STATUS_OK)
        st = flag(s, OPTION_INFER, "inferSchema", true, &infer, err);
    if (st == STATUS_OK)
        st = flag(s, OPTION_MULTI_LINE, "multiLine", true, &ignored, err); /* quoted line ends are always read */
    if (st != STATUS_OK)
        return st;
    if (s->values[OPTION_HEADER].ptr || s->schema)
        put_flag(s, "header", header);
    if (s->schema) {
        put_flag(s, "auto_detect", false);
        put_columns(s);
    } else if (!infer) {
        put_flag(s, "all_varchar", true);
    } else {
        buf_z(s->sql, ", sample_size=-1");
    }
    st = put_line_separator(s, err);
    return st == STATUS_OK ? put_skip(s, err) : st;
}

static enum status put_json(struct source *s, struct error *err)
{
    bool multi_line;
    enum status st = flag(s, OPTION_MULTI_LINE, "multiLine", false, &multi_line, err);
    if (st != STATUS_OK)
        return st;
    put_text(s, "format", multi_line ? STR("auto") : STR("newline_delimited"));
    put_given(s, OPTION_COMPRESSION, "compression");
    if (s->schema)
        put_columns(s);
    else
        buf_z(s->sql, ", sample_size=-1, map_inference_threshold=-1, field_appearance_threshold=0");
    return STATUS_OK;
}

static enum status put_format(struct source *s, struct error *err)
{
    if (s->format == ENGINE_PARQUET) {
        put_flag(s, "hive_partitioning", false);
        return put_merge(s, err);
    }
    enum status st = s->format == ENGINE_CSV ? put_csv(s, err) : put_json(s, err);
    if (st == STATUS_OK)
        st = put_date_pattern(s, OPTION_DATE_FORMAT, "dateFormat", "dateformat", err);
    if (st == STATUS_OK)
        st = put_date_pattern(s, OPTION_TIMESTAMP_FORMAT, "timestampFormat", "timestampformat", err);
    if (st == STATUS_OK)
        st = put_encoding(s, err);
    if (st == STATUS_OK)
        st = put_mode(s, err);
    return st == STATUS_OK ? put_merge(s, err) : st;
}

/* schema => 'a INT, b STRING' */
static enum status take_schema_option(struct source *s, struct error *err)
{
    struct str text = s->values[OPTION_SCHEMA];
    struct delta_type *type = NULL;
    if (!text.ptr || s->schema)
        return STATUS_OK;
    char *sql = arena_printf(&s->arena, "STRUCT<%.*s>", STR_ARG(text));
    enum status st = sql ? delta_type_from_sql(&s->arena, str_of(sql), &type, err) : error_oom(err);
    if (st == STATUS_OK && type->id != DELTA_STRUCT)
        st = bad_value(text, "schema", "columns such as a INT, b STRING", err);
    s->schema = type;
    return st;
}

enum status engine_read_files_sql(struct ctx *ctx, enum engine_file_format format, const struct str *paths, size_t path_count,
                                  const struct delta_property *options, size_t option_count, const struct delta_type *schema, struct buf *sql,
                                  struct error *err)
{
    static const char *const functions[] = {"read_csv", "read_json", "read_parquet"};
    struct source s = {.format = format, .schema = format == ENGINE_PARQUET ? NULL : schema, .sql = sql};
    enum status st = take_options(&s, options, option_count, err);
    if (st == STATUS_OK)
        st = take_schema_option(&s, err);
    if (st == STATUS_OK) {
        buf_printf(sql, "%s([", functions[format]);
        for (size_t i = 0; i < path_count; i++) {
            buf_z(sql, i ? ", " : "");
            engine_quote_literal(paths[i], sql);
        }
        buf_char(sql, ']');
        st = put_format(&s, err);
        buf_char(sql, ')');
    }
    arena_release(&s.arena);
    return st == STATUS_OK ? buf_check(sql, err) : st;
}

/* ---- describe ---------------------------------------------------------------------------------- */

enum status engine_describe(struct ctx *ctx, struct engine *e, struct str sql, struct arena *arena, struct delta_type **schema, struct error *err)
{
    struct engine_run run;
    duckdb_prepared_statement statement = NULL;
    *schema = NULL;
    enum status st = run_begin(ctx, e, STR_NULL, &run, err);
    if (st != STATUS_OK)
        return st;
    st = run_prepare(&run, sql, &statement, err);
    if (st == STATUS_OK)
        st = schema_from_prepared(arena, statement, schema, err);
    duckdb_destroy_prepare(&statement);
    run_end(&run);
    return st;
}

/* ---- glob --------------------------------------------------------------------------------------- */

static bool has_glob(struct str pattern)
{
    for (size_t i = 0; i < pattern.len; i++)
        if (strchr("*?[", pattern.ptr[i]))
            return true;
    return false;
}

/* A directory stands for the files in it. */
static void put_pattern(struct str pattern, struct buf *out)
{
    struct stat st;
    if (str_starts(pattern, STR("file://")))
        pattern = str_sub(pattern, 7, pattern.len - 7);
    else if (str_starts(pattern, STR("file:")))
        pattern = str_sub(pattern, 5, pattern.len - 5);
    buf_str(out, pattern);
    if (!out->failed && !has_glob(pattern) && stat(buf_view(out).ptr, &st) == 0 && S_ISDIR(st.st_mode))
        buf_z(out, out->len && out->ptr[out->len - 1] == '/' ? "*" : "/*");
}

static enum status read_entries(duckdb_result *result, struct arena *arena, struct engine_source_file *files, size_t *count, struct error *err)
{
    duckdb_data_chunk chunk;
    enum status st = STATUS_OK;
    while (st == STATUS_OK && (chunk = duckdb_fetch_chunk(*result))) {
        const duckdb_string_t *paths = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 0));
        const int64_t *sizes = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 1));
        const int64_t *times = duckdb_vector_get_data(duckdb_data_chunk_get_vector(chunk, 2));
        for (idx_t i = 0; i < duckdb_data_chunk_get_size(chunk) && st == STATUS_OK; i++) {
            files[*count] = (struct engine_source_file){arena_str(arena, vector_str(&paths[i])), sizes[i], times[i]};
            if (!files[(*count)++].path.ptr)
                st = error_oom(err);
        }
        duckdb_destroy_data_chunk(&chunk);
    }
    return st;
}

static enum status list_files(struct engine_run *run, struct str pattern, struct arena *arena, struct engine_source_file **out, size_t *count,
                              struct error *err)
{
    struct buf sql = BUF_INIT;
    duckdb_result result;
    buf_z(&sql, "SELECT filename, size, CAST(last_modified AS TIMESTAMP WITH TIME ZONE) FROM read_blob(");
    engine_quote_literal(pattern, &sql);
    buf_z(&sql, ") ORDER BY filename");
    enum status st = buf_check(&sql, err);
    if (st == STATUS_OK)
        st = run_query(run, buf_view(&sql), &result, err);
    buf_release(&sql);
    if (st != STATUS_OK)
        return st;
    *out = ARENA_ARRAY(arena, struct engine_source_file, duckdb_row_count(&result) + 1);
    st = *out ? read_entries(&result, arena, *out, count, err) : error_oom(err);
    duckdb_destroy_result(&result);
    return st;
}

enum status engine_glob(struct ctx *ctx, struct engine *e, struct str pattern, struct arena *arena, struct engine_source_file **out, size_t *count,
                        struct error *err)
{
    struct engine_run run;
    struct buf path = BUF_INIT;
    *out = NULL;
    *count = 0;
    enum status st = run_begin(ctx, e, STR_NULL, &run, err);
    if (st != STATUS_OK)
        return st;
    put_pattern(pattern, &path);
    st = buf_check(&path, err);
    if (st == STATUS_OK)
        st = list_files(&run, buf_view(&path), arena, out, count, err);
    if ((st == STATUS_OK && *count == 0) || st == STATUS_FILE_NOT_FOUND)
        st = error_set(err, STATUS_FILE_NOT_FOUND, "no file matches \"%.*s\"", STR_ARG(pattern));
    if (st != STATUS_OK) {
        *out = NULL;
        *count = 0;
    }
    buf_release(&path);
    run_end(&run);
    return st;
}
