/* catalog/name.c: names and paths in their canonical forms. */
#include "catalog/catalog_int.h"

#include <errno.h>
#include <limits.h>
#include <unistd.h>

/* An escaped name with ".json" behind it has to fit a file name of 255 bytes. */
enum { SEGMENT_MAX_BYTES = 240 };

/* ---- names -------------------------------------------------------------------------- */

static char lower_byte(char c) { return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c; }

static struct str lower(struct arena *arena, struct str name)
{
    struct str copy = arena_str(arena, name);
    for (size_t i = 0; copy.ptr && i < copy.len; i++)
        ((char *)(uintptr_t)copy.ptr)[i] = lower_byte(copy.ptr[i]);
    return copy;
}

static bool is_plain(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

/* In the catalog's own objects.  A leading '_' is escaped too: such names are taken by other objects. */
static bool plain_in_entry(struct str name, size_t at) { return is_plain(name.ptr[at]) && (at > 0 || name.ptr[at] != '_'); }

/* In a table's own directory, which other programs open by its path: no '%', which some of them decode, and nothing that is a pattern or
 * a part of an address.  What begins with '_' or '.' is skipped by readers of directories; blanks at the ends get lost in configurations. */
static bool plain_in_directory(struct str name, size_t at)
{
    char c = name.ptr[at];
    bool inside = at > 0 && at + 1 < name.len;
    return c == '_' || c == '-' ? at > 0 : c == '.' || c == ' ' ? inside : is_plain(c) || (unsigned char)c >= 0x80;
}

static enum status escape(struct arena *arena, struct str name, const char *what, char mark, bool (*plain)(struct str, size_t), struct str *out,
                          struct error *err)
{
    struct buf text = BUF_INIT;
    for (size_t i = 0; i < name.len; i++) {
        if (plain(name, i))
            buf_char(&text, name.ptr[i]);
        else
            buf_printf(&text, "%c%02X", mark, (unsigned char)name.ptr[i]);
    }
    enum status status = buf_check(&text, err);
    if (!status && text.len > SEGMENT_MAX_BYTES)
        status = error_set(err, STATUS_LIMIT_EXCEEDED, "the %s name \"%.*s…\" is too long: %zu bytes as a file name, at most %d", what, 40, name.ptr,
                           text.len, SEGMENT_MAX_BYTES);
    if (!status && !(*out = arena_str(arena, buf_view(&text))).ptr)
        status = error_oom(err);
    buf_release(&text);
    return status;
}

static enum status canonical(struct arena *arena, struct str name, const char *what, struct str *lowered, struct str *object, struct error *err)
{
    if (name.len == 0)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a %s name must not be empty", what);
    if (!utf8_valid(name) || memchr(name.ptr, '\0', name.len))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a %s name must be valid UTF-8 without zero bytes", what);
    *lowered = lower(arena, name);
    return lowered->ptr ? escape(arena, *lowered, what, '%', plain_in_entry, object, err) : error_oom(err);
}

static enum status check_catalog(struct str catalog, struct error *err)
{
    if (!catalog.ptr || str_ieq(catalog, STR(CATALOG_NAME)))
        return STATUS_OK;
    error_set(err, STATUS_CATALOG_NOT_FOUND, "catalog \"%.*s\" does not exist", STR_ARG(catalog));
    if (str_ieq(catalog, STR("system")))
        error_hint(err,
                   "there are no system tables; SHOW TABLES, table_history('name'), table_detail('name') and table_files('name') tell of tables");
    else
        error_hint(err, "the catalog of a lake is \"%s\": leave the catalog's name out", CATALOG_NAME);
    return STATUS_CATALOG_NOT_FOUND;
}

enum status catalog_id_make(struct arena *arena, const struct catalog_name *name, struct catalog_id *out, struct error *err)
{
    struct str schema_object, table_object;
    *out = (struct catalog_id){0};
    enum status status = check_catalog(name->catalog, err);
    if (!status)
        status = canonical(arena, name->schema.ptr ? name->schema : STR(CATALOG_DEFAULT_SCHEMA), "schema", &out->schema, &schema_object, err);
    if (!status)
        status = canonical(arena, name->table, "table", &out->table, &table_object, err);
    if (!status)
        status = escape(arena, out->schema, "schema", '~', plain_in_directory, &out->schema_dir, err);
    if (!status)
        status = escape(arena, out->table, "table", '~', plain_in_directory, &out->table_dir, err);
    if (status)
        return status;
    out->entry_key = str_of(arena_printf(arena, CATALOG_PREFIX "%s/%s.json", schema_object.ptr, table_object.ptr));
    out->qualified = str_of(arena_printf(arena, CATALOG_NAME ".%s.%s", out->schema.ptr, out->table.ptr));
    return out->entry_key.ptr && out->qualified.ptr ? STATUS_OK : error_oom(err);
}

enum status catalog_schema_key(struct arena *arena, struct str schema, struct str *lowered, struct str *key, struct error *err)
{
    struct str segment;
    enum status status = canonical(arena, schema, "schema", lowered, &segment, err);
    if (status)
        return status;
    *key = str_of(arena_printf(arena, CATALOG_PREFIX "%s/" CATALOG_SCHEMA_OBJECT, segment.ptr));
    return key->ptr ? STATUS_OK : error_oom(err);
}

struct str catalog_unescape(struct arena *arena, struct str segment)
{
    struct buf text = BUF_INIT;
    struct str name = STR_NULL;
    if (segment.len && uri_decode(&text, segment) && !text.failed)
        name = arena_str(arena, buf_view(&text));
    buf_release(&text);
    return name;
}

/* ---- paths ----------------------------------------------------------------------------- */

static bool is_scheme_byte(char c, size_t at)
{
    c = lower_byte(c);
    return (c >= 'a' && c <= 'z') || (at && ((c >= '0' && c <= '9') || c == '+' || c == '-' || c == '.'));
}

/* Length of "s3" in "s3://bucket/x", of "file" in "file:/x"; 0 when text is a path. */
static size_t scheme_length(struct str text)
{
    size_t n = 0;
    while (n < text.len && is_scheme_byte(text.ptr[n], n))
        n++;
    return n > 1 && n + 1 < text.len && text.ptr[n] == ':' && text.ptr[n + 1] == '/' ? n : 0;
}

/* file:/x, file:///x and file://localhost/x. */
static enum status file_url_path(struct arena *arena, struct str url, struct str *out, struct error *err)
{
    struct str rest = str_sub(url, 5, url.len - 5);
    if (str_starts(rest, STR("//"))) {
        rest = str_sub(rest, 2, rest.len - 2);
        const char *slash = memchr(rest.ptr, '/', rest.len);
        size_t host = slash ? (size_t)(slash - rest.ptr) : rest.len;
        if (host && !str_ieq(str_sub(rest, 0, host), STR("localhost")))
            return error_set(err, STATUS_NOT_SUPPORTED, "\"%.*s\" names another host", STR_ARG(url));
        rest = str_sub(rest, host, rest.len - host);
    }
    struct buf path = BUF_INIT;
    bool valid = uri_decode(&path, rest);
    enum status status = buf_check(&path, err);
    if (!status && !valid)
        status = error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" has a bad %%-escape", STR_ARG(url));
    if (!status && !(*out = arena_str(arena, buf_view(&path))).ptr)
        status = error_oom(err);
    buf_release(&path);
    return status;
}

/* Appends the segments of path to out ("/a/b"), taking "." and ".." out. */
static void append_segments(struct buf *out, struct str path)
{
    for (size_t at = 0; at < path.len;) {
        const char *slash = memchr(path.ptr + at, '/', path.len - at);
        size_t end = slash ? (size_t)(slash - path.ptr) : path.len;
        struct str segment = str_sub(path, at, end - at);
        at = end + 1;
        if (segment.len == 0 || str_eq(segment, STR(".")))
            continue;
        if (!str_eq(segment, STR(".."))) {
            buf_char(out, '/');
            buf_str(out, segment);
            continue;
        }
        while (out->len && out->ptr[out->len - 1] != '/')
            out->len--;
        if (out->len)
            out->len--;
        if (out->ptr)
            out->ptr[out->len] = '\0';
    }
}

enum status catalog_path_absolute(struct arena *arena, struct str text, struct str base, struct str *out, struct error *err)
{
    if (text.len == 0 || memchr(text.ptr, '\0', text.len))
        return error_set(err, STATUS_INVALID_ARGUMENT, "a path must not be empty or hold a zero byte");
    size_t scheme = scheme_length(text);
    if (scheme && !str_ieq(str_sub(text, 0, scheme), STR("file"))) {
        error_set(err, STATUS_NOT_SUPPORTED, "locations with the scheme \"%.*s:\" are not supported: \"%.*s\"", STR_ARG(str_sub(text, 0, scheme)),
                  STR_ARG(text));
        error_hint(err, "use a local directory");
        return STATUS_NOT_SUPPORTED;
    }
    enum status status = scheme ? file_url_path(arena, text, &text, err) : STATUS_OK;
    if (status)
        return status;
    struct buf path = BUF_INIT;
    if (text.len == 0 || text.ptr[0] != '/')
        append_segments(&path, base);
    append_segments(&path, text);
    if (path.len == 0)
        buf_char(&path, '/');
    status = buf_check(&path, err);
    if (!status && !(*out = arena_str(arena, buf_view(&path))).ptr)
        status = error_oom(err);
    buf_release(&path);
    return status;
}

enum status catalog_working_directory(struct arena *arena, struct str *out, struct error *err)
{
    char *path = arena_alloc(arena, PATH_MAX);
    if (!path)
        return error_oom(err);
    if (!getcwd(path, PATH_MAX))
        return error_set_errno(err, errno, "cannot find the current directory");
    *out = str_of(path);
    return STATUS_OK;
}
