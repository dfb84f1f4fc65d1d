/* engine/csv_header.c: the columns of a plain CSV file without asking DuckDB, whose look at one costs milliseconds: a folder may hold thousands. */
#include "engine/engine_int.h"

#include <fcntl.h>
#include <unistd.h>

enum { HEADER_MAX_BYTES = 64 << 10 };

/* Options under which the first line is just names between separators. */
static bool plain_options(const struct delta_property *options, size_t count, char *separator)
{
    *separator = ',';
    for (size_t i = 0; i < count; i++) {
        struct str key = options[i].key, value = options[i].value;
        bool is_separator = str_ieq(key, STR("sep")) || str_ieq(key, STR("delimiter"));
        if (is_separator && value.len == 1)
            *separator = value.ptr[0];
        else if (!str_ieq(key, STR("header")) && !str_ieq(key, STR("inferSchema")) && !str_ieq(key, STR("nullValue")) &&
                 !str_ieq(key, STR("mergeSchema")) && !str_ieq(key, STR("dateFormat")) && !str_ieq(key, STR("timestampFormat")) &&
                 !str_ieq(key, STR("mode")))
            return false;
    }
    return true;
}

static bool read_first_line(struct str path, char *bytes, struct str *line)
{
    char name[4096];
    if (path.len >= sizeof(name))
        return false;
    memcpy(name, path.ptr, path.len);
    name[path.len] = '\0';
    int fd = open(name, O_RDONLY | O_CLOEXEC);
    ssize_t len = fd < 0 ? -1 : read(fd, bytes, HEADER_MAX_BYTES);
    if (fd >= 0)
        close(fd);
    const char *end = len > 0 ? memchr(bytes, '\n', (size_t)len) : NULL;
    if (!end)
        return false;
    *line = (struct str){bytes, (size_t)(end - bytes)};
    if (line->len && line->ptr[line->len - 1] == '\r')
        line->len--;
    if (str_starts(*line, STR("\xEF\xBB\xBF")))
        *line = str_sub(*line, 3, line->len - 3);
    return line->len > 0;
}

/* Quotes, blanks at the ends, control characters: the engine knows better. */
static bool is_plain_line(struct str line)
{
    for (size_t i = 0; i < line.len; i++)
        if ((unsigned char)line.ptr[i] < 0x20 || line.ptr[i] == '"' || line.ptr[i] == '\'' || line.ptr[i] == '\\' || line.ptr[i] == ' ')
            return false;
    return utf8_valid(line);
}

static bool take_names(struct arena *arena, struct str line, char separator, struct delta_type *schema)
{
    static struct delta_type text = {.id = DELTA_STRING};
    for (size_t at = 0; at <= line.len;) {
        const char *end = memchr(line.ptr + at, separator, line.len - at);
        size_t len = end ? (size_t)(end - line.ptr) - at : line.len - at;
        struct str name = arena_str(arena, str_sub(line, at, len));
        if (!len || !name.ptr || delta_field_find(schema, name))
            return false;
        schema->fields[schema->field_count++] = (struct delta_field){.name = name, .type = &text, .nullable = true};
        at += len + 1;
    }
    return true;
}

struct delta_type *engine_csv_header(struct str path, const struct delta_property *options, size_t option_count, struct arena *arena)
{
    char separator;
    struct str line;
    struct delta_type *schema = NULL;
    char *bytes = plain_options(options, option_count, &separator) ? mem_alloc(HEADER_MAX_BYTES) : NULL;
    if (bytes && read_first_line(path, bytes, &line) && is_plain_line(line)) {
        size_t columns = 1;
        for (size_t i = 0; i < line.len; i++)
            columns += line.ptr[i] == separator;
        schema = ARENA_NEW(arena, struct delta_type);
        struct delta_field *fields = ARENA_ARRAY(arena, struct delta_field, columns);
        if (schema && fields) {
            *schema = (struct delta_type){.id = DELTA_STRUCT, .fields = fields};
            schema = take_names(arena, line, separator, schema) ? schema : NULL;
        } else {
            schema = NULL;
        }
    }
    mem_free(bytes);
    return schema;
}
