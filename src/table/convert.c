/* table/convert.c: CONVERT TO DELTA: a directory of Parquet files becomes a table by a log that names them; no file is read beyond its footer.
 *
 * Columns come from the footers, which must agree; partition values from directories "column=value" between the root and the file; statistics from
 * what the footers say of their row groups. */
#include "table/table_int.h"

#include <stdlib.h>

#define HIVE_NULL "__HIVE_DEFAULT_PARTITION__"
enum { BATCH_FILES = 1000 };

/* A Parquet file below the root. */
struct found {
    struct str key; /* relative to the root */
    struct str place;
    int64_t size_bytes, modified_ms, rows;
    uint32_t shape;
    struct str *values; /* one per partition column; NULL ptr: NULL */
    struct delta_column_stats *columns;
    uint32_t column_count;
};
/* Files with the same columns. */
struct shape {
    const struct found *first;
    struct delta_type *schema; /* as the first's footer has it, partition columns included */
    struct leaf *leaves;       /* in order of the file's column chunks */
    uint32_t leaf_count;
};
/* A column chunk of a file.  No statistics are kept below arrays and maps. */
struct leaf {
    struct delta_type *type;
    struct str *path;
    uint32_t depth;
    bool repeated;
};
struct converting {
    struct ctx *ctx;
    struct engine *e;
    struct arena arena;
    struct catalog_table *table;
    const struct table_conversion *in;
    struct found *files;
    size_t file_count, file_cap;
    struct shape *shapes;
    uint32_t shape_count;
    struct delta_type *schema;
    struct delta_metadata metadata;
    bool failed; /* memory ran out while listing */
};

/* ---- asking the engine ---------------------------------------------------------------------------- */

/* One row of texts; NULL ptr for NULL. */
typedef enum status (*row_fn)(void *user, const struct str *values, struct error *err);

static enum status take_batch(const struct ArrowSchema *schema, const struct ArrowArray *batch, row_fn fn, void *user, struct error *err)
{
    struct buf texts[4] = {BUF_INIT, BUF_INIT, BUF_INIT, BUF_INIT};
    struct str values[4] = {{0}};
    enum status status = STATUS_OK;
    for (int64_t row = 0; row < batch->length && status == STATUS_OK; row++) {
        for (int64_t i = 0; i < batch->n_children && i < 4; i++) {
            buf_clear(&texts[i]);
            bool given = arrow_value_text(schema->children[i], batch->children[i], row, &texts[i]);
            values[i] = given ? texts[i].len ? buf_view(&texts[i]) : STR("") : STR_NULL;
            status = status ? status : buf_check(&texts[i], err);
        }
        status = status ? status : fn(user, values, err);
    }
    for (size_t i = 0; i < VV_ARRAY_COUNT(texts); i++)
        buf_release(&texts[i]);
    return status;
}

/* Runs a query of at most four text columns. Releases the text. */
static enum status ask(struct converting *c, struct buf *sql, row_fn fn, void *user, struct error *err)
{
    struct ArrowArrayStream stream = {0};
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    enum status status = buf_check(sql, err);
    if (!status)
        status = engine_query(c->ctx, c->e, buf_view(sql), NULL, STR("SET TimeZone='UTC'"), &stream, err);
    buf_release(sql);
    if (!status && stream.get_schema(&stream, &schema) != 0)
        status = engine_stream_error(&stream, err);
    while (!status) {
        if (stream.get_next(&stream, &batch) != 0)
            status = engine_stream_error(&stream, err);
        if (status || !batch.release)
            break;
        status = take_batch(&schema, &batch, fn, user, err);
        batch.release(&batch);
        batch = (struct ArrowArray){0};
    }
    if (schema.release)
        schema.release(&schema);
    if (stream.release)
        stream.release(&stream);
    return status;
}

static void put_paths(const struct converting *c, size_t from, size_t to, int64_t shape, struct buf *sql)
{
    bool first = true;
    buf_char(sql, '[');
    for (size_t i = from; i < to; i++) {
        if (shape >= 0 && c->files[i].shape != (uint64_t)shape)
            continue;
        buf_z(sql, first ? "" : ", ");
        engine_quote_literal(c->files[i].place, sql);
        first = false;
    }
    buf_char(sql, ']');
}

/* (SELECT f, file_name): which number a file has. */
static void put_numbers(const struct converting *c, size_t from, size_t to, struct buf *sql)
{
    buf_printf(sql, "(SELECT unnest(range(%zu, %zu)) AS f, unnest(", from, to);
    put_paths(c, from, to, -1, sql);
    buf_z(sql, ") AS file_name)");
}

/* ---- finding the files ------------------------------------------------------------------------------ */

/* As in Spark: names with '_' or '.' before them are other programs' own, unless '_' begins a partition column's name. */
static bool is_hidden(struct str key)
{
    while (key.len) {
        const char *slash = memchr(key.ptr, '/', key.len);
        struct str part = {key.ptr, slash ? (size_t)(slash - key.ptr) : key.len};
        bool partition = slash && memchr(part.ptr, '=', part.len);
        if (part.ptr[0] == '.' || (part.ptr[0] == '_' && !partition))
            return true;
        size_t taken = part.len + (slash ? 1 : 0);
        key = str_sub(key, taken, key.len - taken);
    }
    return false;
}

static bool take_file(void *user, const struct store_entry *entry)
{
    struct converting *c = user;
    if (is_hidden(entry->key))
        return true;
    if (c->file_count == c->file_cap) {
        size_t cap = c->file_cap ? c->file_cap * 2 : 64;
        struct found *grown = ARENA_ARRAY(&c->arena, struct found, cap);
        c->failed = !grown;
        if (c->failed)
            return false;
        if (c->file_count)
            memcpy(grown, c->files, c->file_count * sizeof *grown);
        c->files = grown;
        c->file_cap = cap;
    }
    struct buf place = BUF_INIT;
    struct found *file = &c->files[c->file_count++];
    store_locate(delta_table_store(c->table->table), entry->key, &place);
    *file = (struct found){.key = arena_str(&c->arena, entry->key),
                           .place = arena_str(&c->arena, buf_view(&place)),
                           .size_bytes = entry->size_bytes,
                           .modified_ms = entry->modified_us / 1000,
                           .rows = -1};
    c->failed = place.failed || !file->key.ptr || !file->place.ptr;
    buf_release(&place);
    return !c->failed;
}

static enum status find_files(struct converting *c, struct error *err)
{
    enum store_result result = store_list(delta_table_store(c->table->table), c->ctx, STR(""), STR(""), take_file, c, err);
    if (c->failed)
        return error_oom(err);
    if (result != STORE_OK)
        return err && err->code ? err->code : error_set(err, STATUS_STORE_IO, "cannot list \"%s\"", c->table->location);
    if (c->file_count)
        return STATUS_OK;
    error_set(err, STATUS_FILE_NOT_FOUND, "there are no Parquet files in \"%s\"", c->table->location);
    return error_hint(err, "names that begin with '_' or '.' do not count");
}

/* ---- partitions ------------------------------------------------------------------------------------------ */

static int hex_digit(char c) { return c >= '0' && c <= '9' ? c - '0' : (c | 0x20) >= 'a' && (c | 0x20) <= 'f' ? (c | 0x20) - 'a' + 10 : -1; }

/* %XX as Hive writes it; what is no escape stands for itself. */
static struct str unescape(struct arena *arena, struct str text)
{
    char *out = arena_alloc(arena, text.len + 1);
    size_t len = 0;
    for (size_t i = 0; out && i < text.len; i++) {
        bool escape = text.ptr[i] == '%' && i + 2 < text.len && hex_digit(text.ptr[i + 1]) >= 0 && hex_digit(text.ptr[i + 2]) >= 0;
        out[len++] = escape ? (char)(hex_digit(text.ptr[i + 1]) * 16 + hex_digit(text.ptr[i + 2])) : text.ptr[i];
        i += escape ? 2 : 0;
    }
    return out ? (struct str){out, len} : STR_NULL;
}

static void put_columns(const struct str *names, uint32_t count, struct buf *out)
{
    buf_z(out, count ? "" : "none");
    for (uint32_t i = 0; i < count; i++)
        buf_printf(out, "%s%.*s", i ? ", " : "", STR_ARG(names[i]));
}

static enum status other_partitions(const struct converting *c, const struct found *file, const struct str *names, uint32_t count, struct error *err)
{
    struct buf wanted = BUF_INIT, has = BUF_INIT;
    put_columns(c->metadata.partition_columns, c->metadata.partition_column_count, &wanted);
    put_columns(names, count, &has);
    error_set(err, STATUS_INVALID_ARGUMENT, "the partition columns are %s, but those of file \"%.*s\" are %s", wanted.ptr ? wanted.ptr : "",
              STR_ARG(file->key), has.ptr ? has.ptr : "");
    if (!c->metadata.partition_column_count && has.ptr)
        error_hint(err, "write CONVERT TO DELTA parquet.`path` PARTITIONED BY (%.*s STRING, …), with the types that the values have",
                   STR_ARG(names[0]));
    else
        error_hint(err, "every file must lie in directories column=value for the columns of PARTITIONED BY, in their order");
    buf_release(&wanted);
    buf_release(&has);
    return STATUS_INVALID_ARGUMENT;
}

/* The value as the log has it: through its type and back. */
static enum status take_value(struct converting *c, const struct found *file, const struct sql_column *column, struct str text, struct str *out,
                              struct error *err)
{
    struct delta_value value;
    struct error why = ERROR_INIT;
    struct buf serialised = BUF_INIT;
    *out = STR_NULL;
    if (str_eq(text, STR(HIVE_NULL)) || (!text.len && column->type->id == DELTA_STRING))
        text = STR("");
    enum status status = delta_partition_value(&c->arena, text, column->type, &value, &why);
    if (status == STATUS_OK && value.is_null && !column->nullable)
        status = error_set(err, STATUS_NOT_NULL_VIOLATION, "partition column \"%.*s\" is NOT NULL, but file \"%.*s\" has no value for it",
                           STR_ARG(column->name), STR_ARG(file->key));
    else if (status != STATUS_OK && status != STATUS_OUT_OF_MEMORY)
        status = error_set(err, STATUS_CONVERSION, "the value \"%.*s\" of partition column \"%.*s\" in file \"%.*s\" is not of its type: %s",
                           STR_ARG(text), STR_ARG(column->name), STR_ARG(file->key), why.message ? why.message : "");
    else if (status == STATUS_OK && delta_partition_text(&value, &serialised)) {
        status = buf_check(&serialised, err);
        *out = status ? STR_NULL : arena_str(&c->arena, buf_view(&serialised));
        status = status || out->ptr ? status : error_oom(err);
    }
    error_release(&why);
    buf_release(&serialised);
    return status;
}

static enum status read_partition(struct converting *c, struct found *file, struct error *err)
{
    uint32_t wanted = c->metadata.partition_column_count, count = 0;
    struct str key = file->key, names[64], values[64];
    for (const char *slash; (slash = memchr(key.ptr, '/', key.len));) {
        struct str part = {key.ptr, (size_t)(slash - key.ptr)};
        const char *equals = memchr(part.ptr, '=', part.len);
        key = str_sub(key, part.len + 1, key.len - part.len - 1);
        if (!equals)
            continue;
        if (count == VV_ARRAY_COUNT(names))
            return error_set(err, STATUS_LIMIT_EXCEEDED, "file \"%.*s\" lies in more than %zu partition directories", STR_ARG(file->key),
                             VV_ARRAY_COUNT(names));
        size_t at = (size_t)(equals - part.ptr);
        names[count] = unescape(&c->arena, str_sub(part, 0, at));
        values[count] = unescape(&c->arena, str_sub(part, at + 1, part.len - at - 1));
        if (!names[count].ptr || !values[count].ptr)
            return error_oom(err);
        count++;
    }
    bool same = count == wanted;
    for (uint32_t i = 0; same && i < count; i++)
        same = str_ieq(names[i], c->metadata.partition_columns[i]);
    if (!same)
        return other_partitions(c, file, names, count, err);
    file->values = ARENA_ARRAY(&c->arena, struct str, (size_t)wanted + 1);
    enum status status = file->values ? STATUS_OK : error_oom(err);
    for (uint32_t i = 0; i < wanted && !status; i++)
        status = take_value(c, file, &c->in->partition_columns[i], values[i], &file->values[i], err);
    return status;
}

static enum status read_partitions(struct converting *c, struct error *err)
{
    uint32_t count = c->in->partition_column_count;
    c->metadata.partition_columns = ARENA_ARRAY(&c->arena, struct str, (size_t)count + 1);
    c->metadata.partition_column_count = count;
    enum status status = c->metadata.partition_columns ? STATUS_OK : error_oom(err);
    for (uint32_t i = 0; i < count && !status; i++)
        c->metadata.partition_columns[i] = c->in->partition_columns[i].name;
    for (size_t i = 0; i < c->file_count && !status; i++)
        status = read_partition(c, &c->files[i], err);
    return status;
}

/* ---- columns ------------------------------------------------------------------------------------------------ */

static bool file_of(struct converting *c, struct str number, struct found **out)
{
    int64_t at = -1;
    if (!number.ptr || !str_to_i64(number, &at) || at < 0 || (size_t)at >= c->file_count)
        return false;
    *out = &c->files[at];
    return true;
}

static enum status bad_answer(struct error *err) { return error_set(err, STATUS_INTERNAL, "the engine's answer about footers has another form"); }

/* f, signature's number */
static enum status take_shape(void *user, const struct str *values, struct error *err)
{
    struct converting *c = user;
    struct found *file;
    int64_t number;
    if (!file_of(c, values[0], &file) || !values[1].ptr || !str_to_i64(values[1], &number))
        return bad_answer(err);
    file->shape = c->shape_count + (uint32_t)number;
    return STATUS_OK;
}

/* Which files have equal footers, a batch at a time; batches do not share their shapes. */
static enum status group_files(struct converting *c, size_t from, size_t to, struct error *err)
{
    struct buf sql = BUF_INIT;
    buf_z(&sql, "SELECT CAST(f AS VARCHAR), CAST(dense_rank() OVER (ORDER BY s) - 1 AS VARCHAR) FROM (SELECT file_name, string_agg(concat_ws('|', "
                "name, type, num_children, converted_type, logical_type, scale, precision), ';' ORDER BY column_id) AS s FROM parquet_schema(");
    put_paths(c, from, to, -1, &sql);
    buf_z(&sql, ") GROUP BY file_name) JOIN ");
    put_numbers(c, from, to, &sql);
    buf_z(&sql, " USING (file_name)");
    enum status status = ask(c, &sql, take_shape, c, err);
    uint32_t most = c->shape_count;
    for (size_t i = from; i < to; i++)
        most = c->files[i].shape + 1 > most ? c->files[i].shape + 1 : most;
    c->shape_count = most;
    return status ? error_context(err, "while reading the footers of the files in \"%s\"", c->table->location) : STATUS_OK;
}

static enum status describe_first(struct converting *c, struct shape *shape, struct error *err)
{
    struct buf sql = BUF_INIT;
    buf_z(&sql, "SELECT * FROM ");
    enum status status = engine_read_files_sql(c->ctx, ENGINE_PARQUET, &shape->first->place, 1, NULL, 0, NULL, &sql, err);
    if (!status)
        status = buf_check(&sql, err);
    if (!status)
        status = engine_describe(c->ctx, c->e, buf_view(&sql), &c->arena, &shape->schema, err);
    buf_release(&sql);
    return status ? error_context(err, "while looking at the columns of file \"%.*s\"", STR_ARG(shape->first->key)) : STATUS_OK;
}

static uint32_t count_leaves(const struct delta_type *type)
{
    uint32_t count = type->key ? count_leaves(type->key) : 0;
    count += type->element ? count_leaves(type->element) : 0;
    for (uint32_t i = 0; type->id == DELTA_STRUCT && i < type->field_count; i++)
        count += count_leaves(type->fields[i].type);
    return type->id == DELTA_VARIANT ? 2 : type->id == DELTA_STRUCT || type->element ? count : 1;
}

struct leaf_walk {
    struct converting *c;
    struct shape *shape;
    struct str path[32];
    uint32_t depth;
    bool repeated, failed;
};

static void walk_leaves(struct leaf_walk *w, struct delta_type *type)
{
    bool outer = w->repeated;
    if (type->id == DELTA_STRUCT) {
        for (uint32_t i = 0; i < type->field_count && !w->failed; i++) {
            if (w->depth < VV_ARRAY_COUNT(w->path))
                w->path[w->depth] = type->fields[i].name;
            w->depth++;
            walk_leaves(w, type->fields[i].type);
            w->depth--;
        }
        return;
    }
    if (type->element) {
        w->repeated = true;
        if (type->key)
            walk_leaves(w, type->key);
        walk_leaves(w, type->element);
        w->repeated = outer;
        return;
    }
    bool bounded = !w->repeated && type->id != DELTA_VARIANT && w->depth <= VV_ARRAY_COUNT(w->path);
    struct leaf *leaf = &w->shape->leaves[w->shape->leaf_count];
    *leaf = (struct leaf){.type = type, .repeated = !bounded, .depth = bounded ? w->depth : 0};
    if (bounded && !(leaf->path = ARENA_ARRAY(&w->c->arena, struct str, w->depth)))
        w->failed = true;
    else if (bounded)
        memcpy(leaf->path, w->path, w->depth * sizeof *leaf->path);
    w->shape->leaf_count += type->id == DELTA_VARIANT ? 2 : 1;
}

/* Number of a column chunk that holds Impala's timestamps: moments, which the engine takes for wall clocks. */
static enum status take_int96(void *user, const struct str *values, struct error *err)
{
    struct shape *shape = user;
    int64_t at;
    if (!values[0].ptr || !str_to_i64(values[0], &at) || at < 0 || (uint64_t)at >= shape->leaf_count || !shape->leaves[at].type)
        return bad_answer(err);
    if (shape->leaves[at].type->id == DELTA_TIMESTAMP_NTZ)
        shape->leaves[at].type->id = DELTA_TIMESTAMP;
    return STATUS_OK;
}

static enum status read_shape(struct converting *c, struct shape *shape, struct error *err)
{
    struct buf sql = BUF_INIT;
    enum status status = describe_first(c, shape, err);
    if (status)
        return status;
    struct leaf_walk walk = {.c = c, .shape = shape};
    uint32_t most = count_leaves(shape->schema);
    shape->leaves = ARENA_ARRAY(&c->arena, struct leaf, (size_t)most + 1);
    if (!shape->leaves)
        return error_oom(err);
    memset(shape->leaves, 0, ((size_t)most + 1) * sizeof *shape->leaves);
    walk_leaves(&walk, shape->schema);
    if (walk.failed)
        return error_oom(err);
    buf_z(&sql, "SELECT CAST(i AS VARCHAR) FROM (SELECT type, row_number() OVER (ORDER BY column_id) - 1 AS i FROM parquet_schema(");
    engine_quote_literal(shape->first->place, &sql);
    buf_z(&sql, ") WHERE coalesce(num_children, 0) = 0) WHERE type = 'INT96'");
    return ask(c, &sql, take_int96, shape, err);
}

static enum status read_shapes(struct converting *c, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t from = 0; from < c->file_count && !status; from += BATCH_FILES)
        status = group_files(c, from, from + BATCH_FILES < c->file_count ? from + BATCH_FILES : c->file_count, err);
    c->shapes = ARENA_ARRAY(&c->arena, struct shape, (size_t)c->shape_count + 1);
    if (!c->shapes)
        return status ? status : error_oom(err);
    memset(c->shapes, 0, ((size_t)c->shape_count + 1) * sizeof *c->shapes);
    for (size_t i = c->file_count; i-- > 0 && !status;)
        c->shapes[c->files[i].shape].first = &c->files[i];
    for (uint32_t i = 0; i < c->shape_count && !status; i++)
        if (c->shapes[i].first)
            status = read_shape(c, &c->shapes[i], err);
    return status;
}

/* ---- together -------------------------------------------------------------------------------------------------- */

static enum status differ(const struct shape *shape, struct str column, const struct delta_type *a, const struct delta_type *b, struct error *err)
{
    struct buf first = BUF_INIT, second = BUF_INIT;
    delta_type_text(a, &first);
    delta_type_text(b, &second);
    error_set(err, STATUS_SCHEMA_MISMATCH, "column \"%.*s\" is %s in file \"%.*s\" and %s in files before it", STR_ARG(column),
              second.ptr ? second.ptr : "", STR_ARG(shape->first->key), first.ptr ? first.ptr : "");
    error_hint(err, "rewrite the files so that a column has one type in all of them, or load them by COPY INTO");
    buf_release(&first);
    buf_release(&second);
    return STATUS_SCHEMA_MISMATCH;
}

static enum status merge_types(struct converting *c, const struct shape *shape, struct str column, struct delta_type *into,
                               const struct delta_type *more, struct error *err)
{
    enum status status = STATUS_OK;
    if (into->id != more->id || !into->key != !more->key || into->precision != more->precision || into->scale != more->scale)
        return differ(shape, column, into, more, err);
    if (into->key)
        status = merge_types(c, shape, column, into->key, more->key, err);
    if (!status && into->element)
        status = merge_types(c, shape, column, into->element, more->element, err);
    if (status || into->id != DELTA_STRUCT)
        return status;
    struct delta_field *fields = ARENA_ARRAY(&c->arena, struct delta_field, (size_t)into->field_count + more->field_count + 1);
    if (!fields)
        return error_oom(err);
    if (into->field_count)
        memcpy(fields, into->fields, into->field_count * sizeof *fields);
    into->fields = fields;
    for (uint32_t i = 0; i < more->field_count && !status; i++) {
        const struct delta_field *known = delta_field_find(into, more->fields[i].name);
        if (known) {
            status = merge_types(c, shape, column.ptr ? column : known->name, known->type, more->fields[i].type, err);
            continue;
        }
        fields[into->field_count] = more->fields[i];
        fields[into->field_count].type = delta_type_copy(&c->arena, more->fields[i].type);
        fields[into->field_count].nullable = true;
        if (!fields[into->field_count++].type)
            return error_oom(err);
    }
    return status;
}

static bool is_partition_column(const struct converting *c, struct str name)
{
    for (uint32_t i = 0; i < c->in->partition_column_count; i++)
        if (str_ieq(c->in->partition_columns[i].name, name))
            return true;
    return false;
}

/* What the directories say of a partition column counts, wherever a file holds it too. */
static enum status build_schema(struct converting *c, struct error *err)
{
    struct delta_type *partitions = NULL, *merged = ARENA_NEW(&c->arena, struct delta_type);
    if (!merged)
        return error_oom(err);
    *merged = (struct delta_type){.id = DELTA_STRUCT};
    enum status status = table_schema_from_columns(&c->arena, c->in->partition_columns, c->in->partition_column_count, &partitions, err);
    for (size_t i = 0; i < c->file_count && !status; i++) { /* columns in the order in which the files bring them */
        const struct shape *shape = &c->shapes[c->files[i].shape];
        if (shape->first == &c->files[i])
            status = merge_types(c, shape, STR_NULL, merged, shape->schema, err);
    }
    struct delta_field *fields =
        status ? NULL : ARENA_ARRAY(&c->arena, struct delta_field, (size_t)merged->field_count + partitions->field_count + 1);
    if (status)
        return status;
    if (!fields)
        return error_oom(err);
    uint32_t count = 0;
    for (uint32_t i = 0; i < merged->field_count; i++)
        if (!is_partition_column(c, merged->fields[i].name))
            fields[count++] = merged->fields[i];
    for (uint32_t i = 0; i < partitions->field_count; i++)
        fields[count++] = partitions->fields[i];
    merged->fields = fields;
    merged->field_count = count;
    c->schema = merged;
    status = delta_schema_check(merged, true, err);
    return status ? error_context(err, "while converting \"%s\"", c->table->location) : STATUS_OK;
}

/* ---- statistics --------------------------------------------------------------------------------------------------- */

/* f, rows */
static enum status take_rows(void *user, const struct str *values, struct error *err)
{
    struct converting *c = user;
    struct found *file;
    return file_of(c, values[0], &file) && values[1].ptr && str_to_i64(values[1], &file->rows) ? STATUS_OK : bad_answer(err);
}

static enum status count_rows(struct converting *c, size_t from, size_t to, struct error *err)
{
    struct buf sql = BUF_INIT;
    buf_z(&sql, "SELECT CAST(f AS VARCHAR), CAST(num_rows AS VARCHAR) FROM parquet_file_metadata(");
    put_paths(c, from, to, -1, &sql);
    buf_z(&sql, ") JOIN ");
    put_numbers(c, from, to, &sql);
    buf_z(&sql, " USING (file_name)");
    return ask(c, &sql, take_rows, c, err);
}

struct stats_reading {
    struct converting *c;
    const struct shape *shape;
};

/* "f column", count of NULL, least, greatest */
static enum status take_stats(void *user, const struct str *values, struct error *err)
{
    struct stats_reading *r = user;
    struct converting *c = r->c;
    struct found *file;
    int64_t leaf = -1, nulls = -1;
    const char *blank = values[0].ptr ? memchr(values[0].ptr, ' ', values[0].len) : NULL;
    size_t at = blank ? (size_t)(blank - values[0].ptr) : 0;
    if (!blank || !file_of(c, str_sub(values[0], 0, at), &file) || !str_to_i64(str_sub(values[0], at + 1, values[0].len - at - 1), &leaf) ||
        leaf < 0 || leaf >= r->shape->leaf_count)
        return bad_answer(err);
    if (values[1].ptr && !str_to_i64(values[1], &nulls))
        return bad_answer(err);
    if (!file->columns && !(file->columns = ARENA_ARRAY(&c->arena, struct delta_column_stats, r->shape->leaf_count)))
        return error_oom(err);
    struct delta_column_stats *stats = &file->columns[file->column_count++];
    *stats = (struct delta_column_stats){.path = r->shape->leaves[leaf].path,
                                         .depth = r->shape->leaves[leaf].depth,
                                         .min = values[2].ptr ? arena_str(&c->arena, values[2]) : STR_NULL,
                                         .max = values[3].ptr ? arena_str(&c->arena, values[3]) : STR_NULL,
                                         .null_count = nulls};
    return (values[2].ptr && !stats->min.ptr) || (values[3].ptr && !stats->max.ptr) ? error_oom(err) : STATUS_OK;
}

/* A bound counts when every row group with values has one. */
static void put_bounds(const struct shape *shape, const char *stat, const char *aggregate, bool greatest, struct buf *sql)
{
    buf_z(sql, ", CASE column_id");
    for (uint32_t i = 0; i < shape->leaf_count; i++) {
        const struct leaf *leaf = &shape->leaves[i];
        /* NaN is greater than any number, and footers leave it out */
        bool no_bound = greatest && leaf->type && (leaf->type->id == DELTA_DOUBLE || leaf->type->id == DELTA_FLOAT);
        if (!leaf->type || leaf->repeated || leaf->type->id == DELTA_BINARY || no_bound)
            continue;
        buf_printf(sql, " WHEN %u THEN CASE WHEN bool_and(TRY_CAST(%s AS ", i, stat);
        engine_type_sql(leaf->type, sql);
        buf_printf(sql, ") IS NOT NULL OR coalesce(stats_null_count = num_values, false)) THEN CAST(%s(TRY_CAST(%s AS ", aggregate, stat);
        engine_type_sql(leaf->type, sql);
        buf_z(sql, ")) AS VARCHAR) END");
    }
    buf_z(sql, " WHEN -1 THEN '' END");
}

static enum status read_stats_of(struct converting *c, const struct shape *shape, size_t from, size_t to, struct error *err)
{
    struct stats_reading reading = {c, shape};
    struct buf sql = BUF_INIT;
    buf_z(&sql, "SELECT f || ' ' || column_id, CASE WHEN count(stats_null_count) = count(*) THEN CAST(sum(stats_null_count) AS VARCHAR) END");
    put_bounds(shape, "stats_min_value", "min", false, &sql);
    put_bounds(shape, "stats_max_value", "max", true, &sql);
    buf_z(&sql, " FROM parquet_metadata(");
    put_paths(c, from, to, shape - c->shapes, &sql);
    buf_z(&sql, ") JOIN ");
    put_numbers(c, from, to, &sql);
    buf_z(&sql, " USING (file_name) WHERE column_id IN (-1");
    for (uint32_t i = 0; i < shape->leaf_count; i++)
        if (shape->leaves[i].type && !shape->leaves[i].repeated)
            buf_printf(&sql, ", %u", i);
    buf_z(&sql, ") GROUP BY f, column_id");
    return ask(c, &sql, take_stats, &reading, err);
}

static bool has_shape(const struct converting *c, size_t from, size_t to, uint32_t shape)
{
    for (size_t i = from; i < to; i++)
        if (c->files[i].shape == shape)
            return true;
    return false;
}

static enum status read_stats(struct converting *c, struct error *err)
{
    enum status status = STATUS_OK;
    if (!c->in->with_stats)
        return STATUS_OK;
    for (size_t from = 0; from < c->file_count && !status; from += BATCH_FILES) {
        size_t to = from + BATCH_FILES < c->file_count ? from + BATCH_FILES : c->file_count;
        status = count_rows(c, from, to, err);
        for (uint32_t i = 0; i < c->shape_count && !status; i++)
            if (c->shapes[i].first && has_shape(c, from, to, i))
                status = read_stats_of(c, &c->shapes[i], from, to, err);
    }
    return status ? error_context(err, "while reading the statistics of the files in \"%s\"", c->table->location) : STATUS_OK;
}

/* ---- the commit ------------------------------------------------------------------------------------------------------ */

static enum status add_file(struct converting *c, struct delta_txn *txn, const struct found *file, struct error *err)
{
    struct buf stats = BUF_INIT;
    enum status status = STATUS_OK;
    if (c->in->with_stats && file->rows >= 0)
        status = delta_stats_json(&c->metadata, c->schema, file->rows, file->columns, file->column_count, &stats, err);
    if (!status)
        status = buf_check(&stats, err);
    struct delta_add add = {.path = file->key,
                            .partition_values = file->values,
                            .size_bytes = file->size_bytes,
                            .modified_ms = file->modified_ms,
                            .data_change = true,
                            .stats = stats.len ? buf_view(&stats) : STR_NULL};
    if (!status)
        status = delta_txn_add(txn, &add, err);
    buf_release(&stats);
    return status;
}

static enum status describe(const struct converting *c, struct delta_txn *txn, struct error *err)
{
    char *count = arena_printf((struct arena *)(uintptr_t)&c->arena, "%zu", c->file_count);
    enum status status = count ? delta_txn_operation(txn, "CONVERT", err) : error_oom(err);
    if (!status)
        status = delta_txn_parameter(txn, "numFiles", str_of(count), err);
    if (!status)
        status = table_parameter_list(txn, "partitionedBy", c->metadata.partition_columns, c->metadata.partition_column_count, err);
    if (!status)
        status = delta_txn_parameter(txn, "collectStats", c->in->with_stats ? STR("true") : STR("false"), err);
    if (!status)
        status = table_parameter(txn, "sourceFormat", STR("parquet"), err);
    return status ? status : delta_txn_metric(txn, "numConvertedFiles", (int64_t)c->file_count, err);
}

static enum status commit(struct converting *c, struct table_change *out, struct error *err)
{
    struct delta_txn *txn = NULL;
    c->metadata.created_time_ms = INT64_MIN;
    enum status status = delta_txn_begin(c->ctx, c->table->table, NULL, &txn, err);
    if (!status)
        status = delta_txn_set_metadata(txn, &c->metadata, c->schema, err);
    for (size_t i = 0; i < c->file_count && !status; i++) {
        status = add_file(c, txn, &c->files[i], err);
        out->bytes_added += c->files[i].size_bytes;
        out->rows += c->files[i].rows > 0 ? c->files[i].rows : 0;
    }
    if (!status)
        status = describe(c, txn, err);
    int64_t rows = out->rows, bytes = out->bytes_added;
    if (!status)
        status = table_commit(c->ctx, c->table, txn, NULL, out, err);
    out->rows = rows;
    out->bytes_added = bytes;
    out->files_added = (int64_t)c->file_count;
    delta_txn_free(txn);
    return status;
}

enum status table_convert(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct table_conversion *in, struct table_change *out,
                          struct error *err)
{
    struct converting c = {.ctx = ctx, .e = e, .arena = ARENA_INIT, .table = t, .in = in};
    *out = (struct table_change){.version = -1};
    enum status status = find_files(&c, err);
    if (!status)
        status = read_partitions(&c, err);
    if (!status)
        status = read_shapes(&c, err);
    if (!status)
        status = build_schema(&c, err);
    if (!status)
        status = read_stats(&c, err);
    if (!status)
        status = commit(&c, out, err);
    arena_release(&c.arena);
    return status;
}
