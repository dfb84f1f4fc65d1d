/* engine/scan.c: files of a snapshot -> the text of a relation.
 *
 * Files are sorted by what must be done to their columns:
 *   plain      every wanted column is there in its type: read_parquet([…]) as it is, so that filters reach the
 *              reader and its row counts reach the join order
 *   adapted    columns are missing, integers of another width: read_parquet with a schema, which casts file by file
 *   expressed  other types than the table's, timestamps that are (not) adjusted to UTC, fields of structs that
 *              have another name in the file: one branch per class, with an expression per column (convert.c), so
 *              that the session's TimeZone never matters
 * Mapped columns are found by physical name or by field id and get their names by an alias.
 * Branches are joined by UNION ALL.  Partition values are literals when a branch has one set of them, else they
 * come from a dictionary by file_index (partition.c).  Files of which some rows are not wanted have branches of their own,
 * whose rows are filtered by file_index and file_row_number (row_filter.c). */
#include "engine/engine_int.h"

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

/* What the column is called in data files, unless ids say otherwise. */
static struct str stored_name(const struct scan *s, const struct delta_field *field) { return delta_physical_name(s->in->mapping, field); }

/* The file's column for a field; NULL when it has none. */
static const struct footer_column *stored_column(const struct scan *s, const struct footer_class *class, const struct delta_field *field)
{
    if (s->in->mapping == DELTA_MAPPING_ID && delta_column_id(field) >= 0) /* the type of a change has none */
        return footer_column_by_id(class, delta_column_id(field));
    return footer_column_find(class, stored_name(s, field));
}

/* By id a file's column may be another than the one that has the name. */
static enum fit fit_of_column(const struct scan *s, const struct footer_class *class, const struct delta_field *field)
{
    const struct footer_column *column = stored_column(s, class, field);
    if (column != footer_column_find(class, stored_name(s, field)))
        return FIT_EXPRESSED;
    if (column && (!column->exact || convert_is_needed(convert_match_of(s->in->mapping), column->type, field->type)))
        return FIT_EXPRESSED;
    return column && delta_type_equal(column->type, field->type) ? FIT_PLAIN : FIT_ADAPTED;
}

static enum fit fit_of(const struct scan *s, const struct footer_class *class)
{
    enum fit fit = FIT_PLAIN;
    for (uint32_t i = 0; i < s->in->schema->field_count && fit != FIT_EXPRESSED; i++) {
        const struct delta_field *field = &s->in->schema->fields[i];
        if (field->type->id == DELTA_VOID || is_partition(s, field))
            continue;
        enum fit one = fit_of_column(s, class, field);
        fit = one > fit ? one : fit;
    }
    return fit;
}

/* ---- one column --------------------------------------------------------------------------------- */

/* What a column of the branch's files is called in it. */
static void put_source_name(const struct scan *s, const struct branch *b, const struct delta_field *field, struct str name, struct buf *sql)
{
    if (b->renamed)
        buf_printf(sql, "varve_column_%zu", (size_t)(field - s->in->schema->fields));
    else
        engine_quote_identifier(name, sql);
}

static void put_expressed_column(const struct scan *s, const struct branch *b, const struct delta_field *field, struct buf *sql)
{
    const struct footer_column *column = stored_column(s, b->class, field);
    struct buf name = BUF_INIT;
    if (!column) {
        convert_put_cast(field->type, STR("NULL"), sql);
        return;
    }
    put_source_name(s, b, field, column->name, &name);
    convert_put_column(convert_match_of(s->in->mapping), column, field->type, buf_view(&name), sql);
    sql->failed |= name.failed;
    buf_release(&name);
}

static bool needs_alias(const struct scan *s, const struct branch *b, const struct delta_field *field)
{
    if (b->fit == FIT_EXPRESSED || b->renamed)
        return true;
    const struct footer_column *column = b->fit == FIT_PLAIN ? stored_column(s, b->class, field) : NULL;
    return !str_eq(column ? column->name : stored_name(s, field), field->name);
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
    convert_put_cast(field->type, buf_view(&value), s->sql);
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
        convert_put_cast(field->type, STR("NULL"), s->sql);
    else if (b->fit == FIT_EXPRESSED)
        put_expressed_column(s, b, field, s->sql);
    else
        put_source_name(s, b, field, stored_name(s, field), s->sql);
    if (partition || field->type->id == DELTA_VOID || needs_alias(s, b, field)) {
        buf_z(s->sql, " AS ");
        engine_quote_identifier(field->name, s->sql);
    }
    return st;
}

/* ---- one branch ------------------------------------------------------------------------------------ */

/* A column as the file has it, for the reader's schema. */
struct source_column {
    struct str name;
    const struct delta_type *type; /* its own where an expression follows; NULL: not read */
};

static struct source_column source_of(const struct scan *s, const struct branch *b, const struct delta_field *field)
{
    if (field->type->id == DELTA_VOID || is_partition(s, field))
        return (struct source_column){STR_NULL, NULL};
    if (b->fit != FIT_EXPRESSED)
        return (struct source_column){stored_name(s, field), field->type};
    const struct footer_column *column = stored_column(s, b->class, field);
    return column ? (struct source_column){column->name, column->type} : (struct source_column){STR_NULL, NULL};
}

static void put_source_literal(const struct scan *s, const struct branch *b, const struct delta_field *field, struct str stored)
{
    if (b->renamed)
        buf_printf(s->sql, "'varve_column_%zu'", (size_t)(field - s->in->schema->fields));
    else
        engine_quote_literal(stored, s->sql);
}

/* schema=MAP{'a': {…}}: columns by name, cast and filled per file. */
static void put_schema_option(struct scan *s, const struct branch *b)
{
    struct buf text = BUF_INIT;
    bool first = true;
    buf_z(s->sql, ", schema=MAP{");
    for (uint32_t i = 0; i < s->in->schema->field_count; i++) {
        const struct delta_field *field = &s->in->schema->fields[i];
        struct source_column source = source_of(s, b, field);
        if (!source.type)
            continue;
        buf_clear(&text);
        engine_type_sql(source.type, &text);
        buf_z(s->sql, first ? "" : ", ");
        engine_quote_literal(source.name, s->sql);
        buf_z(s->sql, ": {'name': ");
        put_source_literal(s, b, field, source.name);
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
    bool shadowed = false;
    for (uint32_t i = 0; i < s->in->schema->field_count; i++) {
        struct str name = stored_name(s, &s->in->schema->fields[i]);
        shadowed |= str_ieq(name, STR("file_index")) || str_ieq(name, STR("file_row_number"));
    }
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

bool engine_locate_file(struct store *store, struct str path, struct buf *out)
{
    struct buf key = BUF_INIT;
    bool ok = uri_decode(&key, path);
    if (ok && is_absolute(buf_view(&key)))
        buf_str(out, without_scheme(buf_view(&key)));
    else if (ok)
        store_locate(store, buf_view(&key), out);
    out->failed |= key.failed;
    buf_release(&key);
    return ok;
}

/* "s3" of "s3://bucket/x" (RFC 3986 section 3.1); empty for a path. */
static struct str scheme_of(struct str path)
{
    size_t i = 0;
    while (i < path.len && ((path.ptr[i] | 0x20) >= 'a' ? (path.ptr[i] | 0x20) <= 'z' : i && strchr("0123456789+.-", path.ptr[i]) && path.ptr[i]))
        i++;
    bool has = i && i + 1 < path.len && path.ptr[i] == ':' && path.ptr[i + 1] == '/';
    return str_sub(path, 0, has ? i : 0);
}

static enum status check_scheme(const struct scan *s, struct str path, struct error *err)
{
    struct str scheme = scheme_of(path);
    if (!scheme.len || str_eq(scheme, STR("file")))
        return STATUS_OK;
    return error_set(err, STATUS_NOT_SUPPORTED,
                     "data file \"%.*s\" of table \"%.*s\" is in another kind of store, \"%.*s\": only local files are read", STR_ARG(path),
                     STR_ARG(s->in->table_name), STR_ARG(scheme));
}

static enum status locate_files(struct scan *s, struct error *err)
{
    struct buf path = BUF_INIT;
    enum status st = STATUS_OK;
    for (size_t i = 0; i < s->in->file_count && st == STATUS_OK; i++) {
        struct str encoded = s->in->files[i].path;
        buf_clear(&path);
        if ((st = check_scheme(s, encoded, err)) != STATUS_OK)
            break;
        if (!engine_locate_file(s->in->store, encoded, &path)) {
            st = error_set(err, STATUS_CORRUPT_LOG, "the log of table \"%.*s\" names a file \"%.*s\" whose escapes are wrong",
                           STR_ARG(s->in->table_name), STR_ARG(encoded));
            break;
        }
        s->paths[i] = arena_str(&s->arena, buf_view(&path));
        if (!s->paths[i].ptr || path.failed)
            st = error_oom(err);
    }
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
        convert_put_cast(s->in->schema->fields[i].type, STR("NULL"), s->sql);
        buf_z(s->sql, " AS ");
        engine_quote_identifier(s->in->schema->fields[i].name, s->sql);
    }
    if (s->in->with_positions)
        buf_z(s->sql, ", CAST(NULL AS INTEGER) AS " ENGINE_FILE_COLUMN ", CAST(NULL AS BIGINT) AS " ENGINE_ROW_COLUMN);
    buf_z(s->sql, " WHERE false");
}

/* Protocol "Reader Requirements for Column Mapping": a file without ids cannot be read by id. */
static enum status check_ids(const struct scan *s, struct error *err)
{
    for (size_t i = 0; i < s->in->file_count; i++)
        if (!s->classes[i]->has_ids)
            return error_set(err, STATUS_CORRUPT_DATA, "data file \"%.*s\" of table \"%.*s\" has no field ids, by which the table finds its columns",
                             STR_ARG(s->in->files[i].path), STR_ARG(s->in->table_name));
    return STATUS_OK;
}

static enum status find_classes(struct scan *s, struct error *err)
{
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
    if (st == STATUS_OK && s->in->mapping == DELTA_MAPPING_ID)
        st = check_ids(s, err);
    return st;
}

static enum status put_relation(struct scan *s, struct error *err)
{
    if (s->in->file_count == 0) {
        put_empty(s);
        return STATUS_OK;
    }
    enum status st = find_classes(s, err);
    return st == STATUS_OK ? put_branches(s, err) : st;
}

/* physical: the schema with the names that files have, nested ones too. */
static bool has_types(const struct scan *s, const struct footer_class *class, const struct delta_type *physical)
{
    for (uint32_t i = 0; i < physical->field_count; i++) {
        const struct footer_column *column = stored_column(s, class, &s->in->schema->fields[i]);
        if (column && !is_partition(s, &s->in->schema->fields[i]) && (!column->exact || !delta_type_equal(column->type, physical->fields[i].type)))
            return false;
    }
    return true;
}

enum status engine_scan_types(struct ctx *ctx, struct engine *e, const struct engine_scan *scan, bool *same, struct error *err)
{
    struct scan s = {.ctx = ctx, .engine = e, .in = scan};
    const struct delta_type *physical = delta_physical_schema(&s.arena, scan->mapping, scan->schema);
    enum status st = !physical ? error_oom(err) : scan->file_count ? find_classes(&s, err) : STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < scan->file_count; i++)
        same[i] = has_types(&s, s.classes[i], physical);
    arena_release(&s.arena);
    return st;
}

enum status engine_scan_sql(struct ctx *ctx, struct engine *e, const struct engine_scan *scan, struct buf *sql, struct engine_hold **hold,
                            struct error *err)
{
    struct scan s = {.ctx = ctx, .engine = e, .in = scan, .sql = sql, .hold = hold};
    *hold = NULL;
    enum status st = ctx_check(ctx, err);
    if (st != STATUS_OK)
        return st;
    if (scan->row_columns)
        return row_ids_sql(ctx, e, scan, sql, hold, err);
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
