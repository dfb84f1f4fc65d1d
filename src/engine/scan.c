/* engine/scan.c: files of a snapshot -> the text of a relation.
 *
 * Files are sorted by what must be done to their columns:
 *   plain      every wanted column is there in its type: read_parquet([…]) as it is, so that filters reach the
 *              reader and its row counts reach the join order
 *   adapted    columns are missing or of another width: read_parquet with a schema, which casts file by file
 *   expressed  timestamps that are (not) adjusted to UTC, strings without their annotation: one branch per class,
 *              with an expression per column, so that the session's TimeZone never matters
 * Branches are joined by UNION ALL.  Partition values are literals when a branch has one set of them, else they
 * come from a dictionary by file_index (partition.c).  Files of which some rows are not wanted have branches of their own,
 * whose rows are filtered by file_index and file_row_number (row_filter.c). */
#include "engine/engine_int.h"

#include <stdio.h>

enum fit { FIT_PLAIN, FIT_ADAPTED, FIT_EXPRESSED };

struct scan {
    struct ctx *ctx;
    struct engine *engine;
    const struct engine_scan *in;
    struct arena arena;
    struct str *paths;                   /* located, per file */
    const struct footer_class **classes; /* per file */
    const struct delta_field **partition_fields;
    struct buf *sql;
    struct engine_hold **hold;
    size_t branch_count;
};
/* Files that are read by one read_parquet. */
struct branch {
    enum fit fit;
    const struct footer_class *class; /* of the first file; of all of them when expressed */
    bool drops_rows;                  /* all of its files do */
    bool renamed;                     /* columns are read under other names, because one is called like a virtual column that is needed */
    const struct delta_file **files;
    const struct str **paths;
    size_t *indexes; /* in scan->files */
    size_t count;
    bool by_index; /* partition values from a dictionary */
    struct partition_dictionary *dictionary;
    struct row_filter *rows; /* drops_rows, or positions are wanted and indexes are not 0, 1, 2… */
};

/* ---- how a class fits ---------------------------------------------------------------------- */

static bool is_partition(const struct scan *s, const struct delta_field *field)
{
    return field_is_partition(s->in->partition_columns, s->in->partition_column_count, field->name);
}

/* Whether going from one type to the other by a plain cast would be wrong or would depend on the session. */
static bool needs_expression(const struct delta_type *from, const struct delta_type *to)
{
    if (to->id == DELTA_TIMESTAMP || to->id == DELTA_TIMESTAMP_NTZ)
        return from->id != to->id && !(from->id == DELTA_DATE && to->id == DELTA_TIMESTAMP_NTZ);
    if (to->id == DELTA_STRING || to->id == DELTA_BINARY)
        return (from->id == DELTA_STRING || from->id == DELTA_BINARY) && from->id != to->id;
    if (to->id != from->id)
        return false;
    if (to->id == DELTA_ARRAY)
        return needs_expression(from->element, to->element);
    if (to->id == DELTA_MAP)
        return needs_expression(from->key, to->key) || needs_expression(from->element, to->element);
    for (uint32_t i = 0; to->id == DELTA_STRUCT && i < to->field_count; i++) {
        const struct delta_field *child = delta_field_find(from, to->fields[i].name);
        if (child && needs_expression(child->type, to->fields[i].type))
            return true;
    }
    return false;
}

static enum fit fit_of(const struct scan *s, const struct footer_class *class)
{
    enum fit fit = FIT_PLAIN;
    for (uint32_t i = 0; i < s->in->schema->field_count && fit != FIT_EXPRESSED; i++) {
        const struct delta_field *field = &s->in->schema->fields[i];
        if (field->type->id == DELTA_VOID || is_partition(s, field))
            continue;
        const struct footer_column *column = footer_column_find(class, field->name);
        if (column && needs_expression(column->type, field->type))
            fit = FIT_EXPRESSED;
        else if (!column || !column->exact || !delta_type_equal(column->type, field->type))
            fit = FIT_ADAPTED;
    }
    return fit;
}

/* ---- expressions ------------------------------------------------------------------------------- */

static void put_convert(const struct delta_type *from, const struct delta_type *to, bool exact, struct str value, int depth, struct buf *sql);

static void put_cast(const struct delta_type *to, struct str value, struct buf *sql)
{
    buf_z(sql, "CAST(");
    buf_str(sql, value);
    buf_z(sql, " AS ");
    engine_type_sql(to, sql);
    buf_char(sql, ')');
}

/* CASE keeps a NULL struct from becoming a struct of NULLs. */
static void put_struct(const struct delta_type *from, const struct delta_type *to, struct str value, int depth, struct buf *sql)
{
    struct buf child = BUF_INIT;
    buf_printf(sql, "CASE WHEN %.*s IS NULL THEN NULL ELSE struct_pack(", STR_ARG(value));
    for (uint32_t i = 0; i < to->field_count; i++) {
        const struct delta_field *source = delta_field_find(from, to->fields[i].name);
        buf_clear(&child);
        if (source) {
            buf_str(&child, value);
            buf_char(&child, '.');
            engine_quote_identifier(source->name, &child);
        } else {
            buf_z(&child, "NULL");
        }
        buf_z(sql, i ? ", " : "");
        engine_quote_identifier(to->fields[i].name, sql);
        buf_z(sql, " := ");
        if (source)
            put_convert(source->type, to->fields[i].type, false, buf_view(&child), depth + 1, sql);
        else
            put_cast(to->fields[i].type, STR("NULL"), sql);
    }
    buf_z(sql, ") END");
    sql->failed |= child.failed;
    buf_release(&child);
}

static void put_list(const struct delta_type *from, const struct delta_type *to, struct str value, int depth, struct buf *sql)
{
    char item[16];
    int len = snprintf(item, sizeof(item), "v%d", depth);
    buf_printf(sql, "list_transform(%.*s, lambda %s: ", STR_ARG(value), item);
    put_convert(from, to, false, (struct str){item, (size_t)len}, depth + 1, sql);
    buf_char(sql, ')');
}

static void put_map(const struct delta_type *from, const struct delta_type *to, struct str value, int depth, struct buf *sql)
{
    char key[24], element[24];
    int key_len = snprintf(key, sizeof(key), "v%d.\"key\"", depth), element_len = snprintf(element, sizeof(element), "v%d.\"value\"", depth);
    buf_printf(sql, "map_from_entries(list_transform(map_entries(%.*s), lambda v%d: struct_pack(k := ", STR_ARG(value), depth);
    put_convert(from->key, to->key, false, (struct str){key, (size_t)key_len}, depth + 1, sql);
    buf_z(sql, ", v := ");
    put_convert(from->element, to->element, false, (struct str){element, (size_t)element_len}, depth + 1, sql);
    buf_z(sql, ")))");
}

/* Timestamps stored in UTC without saying so, or saying so where the table has none: the instant is UTC both ways. */
static void put_zone_change(const struct delta_type *from, struct str value, struct buf *sql)
{
    const char *through = from->id == DELTA_TIMESTAMP ? "TIMESTAMP WITH TIME ZONE" : "TIMESTAMP";
    buf_printf(sql, "timezone('UTC', CAST(%.*s AS %s))", STR_ARG(value), through);
}

static void put_expressed(const struct delta_type *from, const struct delta_type *to, struct str value, int depth, struct buf *sql)
{
    switch (to->id) {
    case DELTA_STRUCT:
        put_struct(from, to, value, depth, sql);
        break;
    case DELTA_ARRAY:
        put_list(from->element, to->element, value, depth, sql);
        break;
    case DELTA_MAP:
        put_map(from, to, value, depth, sql);
        break;
    case DELTA_STRING:
    case DELTA_BINARY:
        buf_printf(sql, "%s(%.*s)", to->id == DELTA_STRING ? "decode" : "encode", STR_ARG(value));
        break;
    default:
        put_zone_change(from, value, sql);
    }
}

static void put_convert(const struct delta_type *from, const struct delta_type *to, bool exact, struct str value, int depth, struct buf *sql)
{
    if (needs_expression(from, to))
        put_expressed(from, to, value, depth, sql);
    else if (exact && delta_type_equal(from, to))
        buf_str(sql, value);
    else
        put_cast(to, value, sql);
}

/* ---- one column --------------------------------------------------------------------------------- */

/* What the column of a file is called in the branch. */
static void put_source_name(const struct scan *s, const struct branch *b, const struct delta_field *field, struct str name, struct buf *sql)
{
    if (b->renamed)
        buf_printf(sql, "varve_column_%zu", (size_t)(field - s->in->schema->fields));
    else
        engine_quote_identifier(name, sql);
}

static void put_expressed_column(const struct scan *s, const struct branch *b, const struct delta_field *field, struct buf *sql)
{
    const struct footer_column *column = footer_column_find(b->class, field->name);
    struct buf name = BUF_INIT;
    if (!column) {
        put_cast(field->type, STR("NULL"), sql);
        return;
    }
    put_source_name(s, b, field, column->name, &name);
    put_convert(column->type, field->type, column->exact, buf_view(&name), 0, sql);
    sql->failed |= name.failed;
    buf_release(&name);
}

static bool needs_alias(const struct branch *b, const struct delta_field *field)
{
    if (b->fit != FIT_PLAIN || b->renamed)
        return b->fit == FIT_EXPRESSED || b->renamed;
    const struct footer_column *column = footer_column_find(b->class, field->name);
    return !column || !str_eq(column->name, field->name);
}

static size_t partition_index(const struct scan *s, const struct delta_field *field)
{
    size_t i = 0;
    while (!str_ieq(s->in->partition_columns[i], field->name))
        i++;
    return i;
}

/* A literal that means the same whatever the session: through DuckDB's own text of the typed value. */
static enum status put_literal(struct scan *s, const struct delta_field *field, struct str text, struct error *err)
{
    struct delta_value v = {0};
    struct buf value = BUF_INIT;
    enum status st = delta_partition_value(&s->arena, text, field->type, &v, err);
    if (st != STATUS_OK)
        return error_context(err, "while reading the value of partition column \"%.*s\"", STR_ARG(field->name));
    if (v.is_null) {
        buf_z(&value, "NULL");
    } else if (field->type->id == DELTA_TIMESTAMP || field->type->id == DELTA_TIMESTAMP_NTZ) {
        buf_printf(&value, "%s(%lld)", field->type->id == DELTA_TIMESTAMP ? "make_timestamptz" : "make_timestamp", (long long)v.i64);
    } else if (field->type->id == DELTA_BINARY) {
        buf_z(&value, "from_hex('");
        for (size_t i = 0; i < v.str.len; i++)
            buf_printf(&value, "%02x", (unsigned char)v.str.ptr[i]);
        buf_z(&value, "')");
    } else {
        engine_quote_literal(text, &value);
    }
    put_cast(field->type, buf_view(&value), s->sql);
    s->sql->failed |= value.failed;
    buf_release(&value);
    return STATUS_OK;
}

static enum status put_partition_column(struct scan *s, const struct branch *b, const struct delta_field *field, struct error *err)
{
    size_t i = partition_index(s, field);
    if (b->by_index)
        return partition_call_sql(s->ctx, s->engine, b->dictionary, i, s->sql, err);
    return put_literal(s, field, b->files[0]->partition_values[i], err);
}

static enum status put_column(struct scan *s, const struct branch *b, const struct delta_field *field, struct error *err)
{
    enum status st = STATUS_OK;
    bool partition = is_partition(s, field);
    if (partition)
        st = put_partition_column(s, b, field, err);
    else if (field->type->id == DELTA_VOID)
        put_cast(field->type, STR("NULL"), s->sql);
    else if (b->fit == FIT_EXPRESSED)
        put_expressed_column(s, b, field, s->sql);
    else
        put_source_name(s, b, field, field->name, s->sql);
    if (partition || field->type->id == DELTA_VOID || needs_alias(b, field)) {
        buf_z(s->sql, " AS ");
        engine_quote_identifier(field->name, s->sql);
    }
    return st;
}

/* ---- one branch ------------------------------------------------------------------------------------ */

/* What a column is read as, NULL when it is not read: its own type where an expression follows. */
static const struct delta_type *source_type(const struct scan *s, const struct branch *b, const struct delta_field *field)
{
    if (field->type->id == DELTA_VOID || is_partition(s, field))
        return NULL;
    if (b->fit != FIT_EXPRESSED)
        return field->type;
    const struct footer_column *column = footer_column_find(b->class, field->name);
    return column ? column->type : NULL;
}

static void put_source_literal(const struct scan *s, const struct branch *b, const struct delta_field *field)
{
    struct buf name = BUF_INIT;
    if (b->renamed)
        put_source_name(s, b, field, field->name, &name);
    engine_quote_literal(b->renamed ? buf_view(&name) : field->name, s->sql);
    s->sql->failed |= name.failed;
    buf_release(&name);
}

/* schema=MAP{'a': {…}}: columns by name, cast and filled per file. */
static void put_schema_option(struct scan *s, const struct branch *b)
{
    struct buf text = BUF_INIT;
    bool first = true;
    buf_z(s->sql, ", schema=MAP{");
    for (uint32_t i = 0; i < s->in->schema->field_count; i++) {
        const struct delta_field *field = &s->in->schema->fields[i];
        const struct delta_type *type = source_type(s, b, field);
        if (!type)
            continue;
        buf_clear(&text);
        engine_type_sql(type, &text);
        buf_z(s->sql, first ? "" : ", ");
        engine_quote_literal(field->name, s->sql);
        buf_z(s->sql, ": {'name': ");
        put_source_literal(s, b, field);
        buf_z(s->sql, ", 'type': ");
        engine_quote_literal(buf_view(&text), s->sql);
        buf_z(s->sql, ", 'default_value': NULL}");
        first = false;
    }
    buf_char(s->sql, '}');
    s->sql->failed |= text.failed;
    buf_release(&text);
}

static void put_source(struct scan *s, const struct branch *b)
{
    buf_z(s->sql, " FROM read_parquet([");
    for (size_t i = 0; i < b->count; i++) {
        buf_z(s->sql, i ? "," : "");
        engine_quote_literal(*b->paths[i], s->sql);
    }
    buf_z(s->sql, "], hive_partitioning=false");
    if (b->fit == FIT_ADAPTED || b->renamed)
        put_schema_option(s, b);
    buf_char(s->sql, ')');
}

static bool needs_row_filter(const struct scan *s, const struct branch *b)
{
    return b->drops_rows || (s->in->with_positions && b->count < s->in->file_count);
}

/* The objects that the branch's functions look up, in a hold. */
static enum status make_holds(struct scan *s, struct branch *b, struct error *err)
{
    enum status st = STATUS_OK;
    if (!b->by_index && !needs_row_filter(s, b))
        return STATUS_OK;
    struct engine_hold *hold = mem_calloc(1, sizeof(*hold));
    if (!hold)
        return error_oom(err);
    hold->engine = s->engine;
    if (b->by_index)
        st = partition_dictionary_new(s->engine, s->partition_fields, s->in->partition_column_count, b->files, b->count, &hold->dictionary, err);
    if (st == STATUS_OK && needs_row_filter(s, b))
        st = row_filter_new(s->ctx, s->engine, s->in, b->indexes, b->count, &hold->rows, err);
    if (st != STATUS_OK) {
        engine_hold_free(hold);
        return st;
    }
    b->dictionary = hold->dictionary;
    b->rows = hold->rows;
    engine_hold_join(s->hold, hold);
    return STATUS_OK;
}

static enum status put_positions(struct scan *s, const struct branch *b, struct error *err)
{
    enum status st = STATUS_OK;
    buf_z(s->sql, ", ");
    if (b->rows)
        st = row_filter_position_sql(s->ctx, s->engine, b->rows, s->sql, err);
    else
        buf_z(s->sql, "CAST(file_index AS INTEGER)");
    buf_z(s->sql, " AS " ENGINE_FILE_COLUMN ", file_row_number AS " ENGINE_ROW_COLUMN);
    return st;
}

static enum status put_branch(struct scan *s, struct branch *b, struct error *err)
{
    enum status st = make_holds(s, b, err);
    buf_z(s->sql, s->branch_count++ ? " UNION ALL SELECT " : "SELECT ");
    for (uint32_t i = 0; i < s->in->schema->field_count && st == STATUS_OK; i++) {
        buf_z(s->sql, i ? ", " : "");
        st = put_column(s, b, &s->in->schema->fields[i], err);
    }
    if (st == STATUS_OK && s->in->with_positions)
        st = put_positions(s, b, err);
    put_source(s, b);
    if (st == STATUS_OK && b->drops_rows) {
        buf_z(s->sql, " WHERE ");
        st = row_filter_keeps_sql(s->ctx, s->engine, b->rows, s->sql, err);
    }
    return st;
}

/* ---- splitting by partition values -------------------------------------------------------------------- */

static int compare_text(struct str a, struct str b)
{
    if (!a.ptr || !b.ptr)
        return (a.ptr != NULL) - (b.ptr != NULL);
    return str_cmp(a, b);
}

static bool same_partition(const struct scan *s, const struct delta_file *a, const struct delta_file *b)
{
    for (uint32_t i = 0; i < s->in->partition_column_count; i++)
        if (compare_text(a->partition_values[i], b->partition_values[i]) != 0)
            return false;
    return true;
}

static bool one_partition(const struct scan *s, const struct branch *b)
{
    for (size_t i = 1; i < b->count; i++)
        if (!same_partition(s, b->files[0], b->files[i]))
            return false;
    return true;
}

/* A virtual column that is needed must not hide behind a real one. */
static bool is_shadowed(const struct scan *s, const struct branch *b)
{
    static const char *const names[] = {"file_index", "file_row_number"};
    bool shadowed = false;
    for (size_t i = 0; i < VV_ARRAY_COUNT(names); i++)
        shadowed |= delta_field_find(s->in->schema, str_of(names[i])) != NULL;
    for (size_t i = 0; i < b->count && !shadowed; i++)
        shadowed = s->classes[b->indexes[i]]->shadows_virtual;
    return shadowed;
}

static enum status put_files(struct scan *s, struct branch *b, struct error *err)
{
    b->by_index = s->in->partition_column_count > 0 && !one_partition(s, b);
    b->renamed = (b->by_index || b->drops_rows || s->in->with_positions) && is_shadowed(s, b);
    return put_branch(s, b, err);
}

/* ---- splitting by fit ---------------------------------------------------------------------------------- */

/* All files with this fit, dropping rows or not; and of this class when class is given. */
static enum status gather(struct scan *s, enum fit fit, bool drops_rows, const struct footer_class *class, const enum fit *fits, struct error *err)
{
    struct branch b = {.fit = fit,
                       .drops_rows = drops_rows,
                       .files = ARENA_ARRAY(&s->arena, const struct delta_file *, s->in->file_count + 1),
                       .paths = ARENA_ARRAY(&s->arena, const struct str *, s->in->file_count + 1),
                       .indexes = ARENA_ARRAY(&s->arena, size_t, s->in->file_count + 1)};
    if (!b.files || !b.paths || !b.indexes)
        return error_oom(err);
    for (size_t i = 0; i < s->in->file_count; i++) {
        if (fits[i] != fit || (class && s->classes[i] != class) || row_filter_applies(s->in, i) != drops_rows)
            continue;
        if (!b.count)
            b.class = s->classes[i];
        b.files[b.count] = &s->in->files[i];
        b.indexes[b.count] = i;
        b.paths[b.count++] = &s->paths[i];
    }
    return b.count ? put_files(s, &b, err) : STATUS_OK;
}

static enum status put_expressed_classes(struct scan *s, bool drops_rows, const enum fit *fits, struct error *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < s->in->file_count && st == STATUS_OK; i++) {
        bool first = fits[i] == FIT_EXPRESSED;
        for (size_t k = 0; k < i && first; k++)
            first = s->classes[k] != s->classes[i];
        if (first)
            st = gather(s, FIT_EXPRESSED, drops_rows, s->classes[i], fits, err);
    }
    return st;
}

/* Neighbours mostly share a class, so the last answer is kept. */
static enum fit *classify(struct scan *s)
{
    enum fit *fits = ARENA_ARRAY(&s->arena, enum fit, s->in->file_count + 1);
    for (size_t i = 0; fits && i < s->in->file_count; i++)
        fits[i] = i && s->classes[i] == s->classes[i - 1] ? fits[i - 1] : fit_of(s, s->classes[i]);
    return fits;
}

static enum status put_fit(struct scan *s, enum fit fit, bool drops_rows, const enum fit *fits, struct error *err)
{
    return fit == FIT_EXPRESSED ? put_expressed_classes(s, drops_rows, fits, err) : gather(s, fit, drops_rows, NULL, fits, err);
}

static enum status put_branches(struct scan *s, struct error *err)
{
    enum fit *fits = classify(s);
    bool any[3][2] = {{false}};
    enum status st = STATUS_OK;
    if (!fits)
        return error_oom(err);
    for (size_t i = 0; i < s->in->file_count; i++)
        any[fits[i]][row_filter_applies(s->in, i)] = true;
    for (int fit = FIT_PLAIN; fit <= FIT_EXPRESSED; fit++)
        for (int drops = 0; drops < 2 && st == STATUS_OK; drops++)
            if (any[fit][drops])
                st = put_fit(s, (enum fit)fit, drops, fits, err);
    return st;
}

/* ---- preparing -------------------------------------------------------------------------------------------- */

static bool is_absolute(struct str path) { return path.len && (path.ptr[0] == '/' || str_starts(path, STR("file:"))); }

/* "file:///a/b" and "file:/a/b" -> "/a/b" */
static struct str without_scheme(struct str path)
{
    if (!str_starts(path, STR("file:")))
        return path;
    path = str_sub(path, 5, path.len - 5);
    return str_starts(path, STR("//")) ? str_sub(path, 2, path.len - 2) : path;
}

static enum status locate_files(struct scan *s, struct error *err)
{
    struct buf key = BUF_INIT, path = BUF_INIT;
    enum status st = STATUS_OK;
    for (size_t i = 0; i < s->in->file_count && st == STATUS_OK; i++) {
        struct str encoded = s->in->files[i].path;
        buf_clear(&key);
        buf_clear(&path);
        if (!uri_decode(&key, encoded)) {
            st = error_set(err, STATUS_CORRUPT_LOG, "the log of table \"%.*s\" names a file \"%.*s\" whose escapes are wrong",
                           STR_ARG(s->in->table_name), STR_ARG(encoded));
            break;
        }
        if (is_absolute(buf_view(&key)))
            buf_str(&path, without_scheme(buf_view(&key)));
        else
            store_locate(s->in->store, buf_view(&key), &path);
        s->paths[i] = arena_str(&s->arena, buf_view(&path));
        if (!s->paths[i].ptr || key.failed || path.failed)
            st = error_oom(err);
    }
    buf_release(&key);
    buf_release(&path);
    return st;
}

static enum status find_partition_fields(struct scan *s, struct error *err)
{
    for (uint32_t i = 0; i < s->in->partition_column_count; i++) {
        s->partition_fields[i] = delta_field_find(s->in->schema, s->in->partition_columns[i]);
        if (!s->partition_fields[i])
            return error_set(err, STATUS_PROTOCOL_VIOLATION, "partition column \"%.*s\" of table \"%.*s\" is not in its schema",
                             STR_ARG(s->in->partition_columns[i]), STR_ARG(s->in->table_name));
    }
    return STATUS_OK;
}

static void put_empty(struct scan *s)
{
    buf_z(s->sql, "SELECT ");
    for (uint32_t i = 0; i < s->in->schema->field_count; i++) {
        buf_z(s->sql, i ? ", " : "");
        put_cast(s->in->schema->fields[i].type, STR("NULL"), s->sql);
        buf_z(s->sql, " AS ");
        engine_quote_identifier(s->in->schema->fields[i].name, s->sql);
    }
    if (s->in->with_positions)
        buf_z(s->sql, ", CAST(NULL AS INTEGER) AS " ENGINE_FILE_COLUMN ", CAST(NULL AS BIGINT) AS " ENGINE_ROW_COLUMN);
    buf_z(s->sql, " WHERE false");
}

static enum status put_relation(struct scan *s, struct error *err)
{
    if (s->in->file_count == 0) {
        put_empty(s);
        return STATUS_OK;
    }
    s->paths = ARENA_ARRAY(&s->arena, struct str, s->in->file_count);
    s->classes = ARENA_ARRAY(&s->arena, const struct footer_class *, s->in->file_count);
    s->partition_fields = ARENA_ARRAY(&s->arena, const struct delta_field *, s->in->partition_column_count + 1);
    if (!s->paths || !s->classes || !s->partition_fields)
        return error_oom(err);
    enum status st = find_partition_fields(s, err);
    if (st == STATUS_OK)
        st = locate_files(s, err);
    if (st == STATUS_OK)
        st = footer_classes(s->ctx, s->engine, s->in, s->paths, s->classes, err);
    return st == STATUS_OK ? put_branches(s, err) : st;
}

enum status engine_scan_sql(struct ctx *ctx, struct engine *e, const struct engine_scan *scan, struct buf *sql, struct engine_hold **hold,
                            struct error *err)
{
    struct scan s = {.ctx = ctx, .engine = e, .in = scan, .sql = sql, .hold = hold};
    *hold = NULL;
    enum status st = ctx_check(ctx, err);
    if (st != STATUS_OK)
        return st;
    buf_char(sql, '(');
    st = put_relation(&s, err);
    buf_char(sql, ')');
    if (st == STATUS_OK)
        st = buf_check(sql, err);
    if (st != STATUS_OK) {
        engine_hold_free(*hold);
        *hold = NULL;
    }
    arena_release(&s.arena);
    return st;
}
