/* table/load.c: the query that reads source files as rows of a table.
 *
 * Text is read with the table's own types, so that no value goes through another type on the way.  Files are first asked for their columns: CSV for
 * its header, Parquet for its footer, JSON for its keys; those that are alike are read together. */
#include "table/table_int.h"

#include <fcntl.h>
#include <unistd.h>

/* Files with the same columns. */
struct group {
    struct str *paths;
    size_t count, cap;
    const struct delta_type *found; /* what is in the files: names, and types as far as they are known */
    struct table_source source;
};
struct loading {
    struct ctx *ctx;
    struct engine *e;
    struct arena *arena;
    struct str table_name;
    const struct delta_type *table;
    const struct table_copy *copy;
    struct delta_property *options; /* the statement's, made explicit */
    uint32_t option_count;
    bool has_header; /* or the format names its columns anyway */
    struct group *groups;
    size_t group_count, group_cap;
};

/* ---- options ------------------------------------------------------------------------------ */

/* Sets an option that the statement did not give, or replaces it. */
static struct str set_option(struct delta_property *options, uint32_t *count, const char *key, const char *value, bool replace)
{
    uint32_t i = 0;
    while (i < *count && !str_ieq(options[i].key, str_of(key)))
        i++;
    if (i == *count || replace)
        options[i] = (struct delta_property){.key = str_of(key), .value = str_of(value)};
    *count += i == *count;
    return options[i].value;
}

/* As in Spark a CSV file has no header unless the statement says so.  JSON files meet by name whatever the first ones hold. */
static enum status take_options(struct loading *l, struct error *err)
{
    l->option_count = l->copy->format_option_count;
    l->options = ARENA_ARRAY(l->arena, struct delta_property, (size_t)l->option_count + 1);
    if (!l->options)
        return error_oom(err);
    for (uint32_t i = 0; i < l->option_count; i++)
        l->options[i] = l->copy->format_options[i];
    l->has_header = true;
    if (l->copy->format == ENGINE_CSV)
        l->has_header = str_ieq(set_option(l->options, &l->option_count, "header", "false", false), STR("true"));
    else if (l->copy->format == ENGINE_JSON)
        set_option(l->options, &l->option_count, "mergeSchema", "true", true);
    return STATUS_OK;
}

/* ---- what is in the files ---------------------------------------------------------------------- */

static enum status read_sql(const struct loading *l, const struct group *g, const struct delta_property *options, size_t option_count,
                            const struct delta_type *schema, struct str *out, struct error *err)
{
    struct buf sql = BUF_INIT;
    buf_z(&sql, "SELECT * FROM ");
    enum status status = engine_read_files_sql(l->ctx, l->copy->format, g->paths, g->count, options, option_count, schema, &sql, err);
    if (!status)
        status = buf_check(&sql, err);
    if (!status && !(*out = arena_str(l->arena, buf_view(&sql))).ptr)
        status = error_oom(err);
    buf_release(&sql);
    return status;
}

/* Text has no zero bytes, and the engine takes what follows one for the end of the file.  The beginning tells a binary file. */
static enum status refuse_binary(const struct loading *l, struct str path, struct error *err)
{
    enum { LOOK_BYTES = 64 << 10 };
    static const struct str packed[] = {STR(".gz"), STR(".zst"), STR(".bz2"), STR(".xz")};
    bool is_packed = l->copy->format == ENGINE_PARQUET;
    for (size_t i = 0; i < VV_ARRAY_COUNT(packed); i++)
        is_packed |= str_ends(path, packed[i]);
    char *bytes = is_packed ? NULL : mem_alloc(LOOK_BYTES);
    int fd = bytes ? open(path.ptr, O_RDONLY | O_CLOEXEC) : -1;
    ssize_t len = fd < 0 ? 0 : read(fd, bytes, LOOK_BYTES);
    const char *zero = len > 0 ? memchr(bytes, '\0', (size_t)len) : NULL;
    enum status status = STATUS_OK;
    if (zero) {
        status = error_set(err, STATUS_CONVERSION, "\"%.*s\" is not text: byte %zu is zero", STR_ARG(path), (size_t)(zero - bytes));
        error_hint(err, "check the file, and that FILEFORMAT says what it is");
    }
    if (fd >= 0)
        close(fd);
    mem_free(bytes);
    return status;
}

/* names_only: every column is text, so that nothing beyond the first lines has to be read. */
static enum status describe(const struct loading *l, const struct group *g, bool names_only, struct delta_type **out, struct error *err)
{
    struct str sql;
    uint32_t option_count = l->option_count;
    if (names_only && l->copy->format == ENGINE_CSV && l->has_header && g->count == 1 &&
        (*out = engine_csv_header(g->paths[0], l->options, l->option_count, l->arena)))
        return STATUS_OK;
    struct delta_property *options = ARENA_ARRAY(l->arena, struct delta_property, (size_t)option_count + 1);
    if (!options)
        return error_oom(err);
    if (option_count)
        memcpy(options, l->options, option_count * sizeof *options);
    if (names_only)
        set_option(options, &option_count, "inferSchema", "false", true);
    enum status status = read_sql(l, g, options, option_count, NULL, &sql, err);
    if (!status)
        status = engine_describe(l->ctx, l->e, sql, l->arena, out, err);
    if (status)
        error_context(err, "while looking at the columns of \"%.*s\"%s", STR_ARG(g->paths[0]), g->count > 1 ? " and others" : "");
    return status;
}

static bool add_path(struct loading *l, struct group *g, struct str path)
{
    if (g->count == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 16;
        struct str *grown = ARENA_ARRAY(l->arena, struct str, cap);
        if (!grown)
            return false;
        if (g->count)
            memcpy(grown, g->paths, g->count * sizeof *grown);
        g->paths = grown;
        g->cap = cap;
    }
    g->paths[g->count++] = path;
    return true;
}

static struct group *new_group(struct loading *l)
{
    if (l->group_count == l->group_cap) {
        size_t cap = l->group_cap ? l->group_cap * 2 : 8;
        struct group *grown = ARENA_ARRAY(l->arena, struct group, cap);
        if (!grown)
            return NULL;
        if (l->group_count)
            memcpy(grown, l->groups, l->group_count * sizeof *grown);
        l->groups = grown;
        l->group_cap = cap;
    }
    l->groups[l->group_count] = (struct group){0};
    return &l->groups[l->group_count++];
}

static struct group *group_of(struct loading *l, const struct delta_type *found)
{
    for (size_t i = 0; i < l->group_count; i++)
        if (delta_type_equal(l->groups[i].found, found))
            return &l->groups[i];
    struct group *g = new_group(l);
    if (g)
        g->found = found;
    return g;
}

static enum status group_each(struct loading *l, struct source_file *const *files, size_t count, struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        struct delta_type *found = NULL;
        struct group alone = {.paths = &files[i]->path, .count = 1};
        if (files[i]->size_bytes == 0 && l->copy->format == ENGINE_CSV) /* Parquet of no bytes is damaged */
            continue;
        enum status status = ctx_check(l->ctx, err);
        if (!status)
            status = refuse_binary(l, files[i]->path, err);
        if (!status)
            status = describe(l, &alone, l->copy->format == ENGINE_CSV, &found, err);
        if (status)
            return status;
        struct group *g = group_of(l, found);
        if (!g || !add_path(l, g, files[i]->path))
            return error_oom(err);
    }
    return STATUS_OK;
}

/* JSON objects name their values: one look at all files together. */
static enum status group_json(struct loading *l, struct source_file *const *files, size_t count, struct error *err)
{
    struct delta_type *found = NULL;
    struct group *all = new_group(l);
    if (!all)
        return error_oom(err);
    for (size_t i = 0; i < count; i++) {
        if (!files[i]->size_bytes)
            continue;
        enum status status = refuse_binary(l, files[i]->path, err);
        if (status)
            return status;
        if (!add_path(l, all, files[i]->path))
            return error_oom(err);
    }
    if (!all->count) {
        l->group_count = 0;
        return STATUS_OK;
    }
    enum status status = describe(l, all, false, &found, err);
    all->found = found;
    return status;
}

/* ---- how they are read ----------------------------------------------------------------------------- */

/* The table's type wherever it has the column; what is new as it was found.  Shapes follow the files, so that nothing in them is passed over. */
static struct delta_type *reading_type(struct arena *arena, const struct delta_type *table, const struct delta_type *found)
{
    bool structs = table->id == DELTA_STRUCT && found->id == DELTA_STRUCT, arrays = table->id == DELTA_ARRAY && found->id == DELTA_ARRAY;
    struct delta_type *type = delta_type_copy(arena, structs ? found : table);
    if (type && arrays && !(type->element = reading_type(arena, table->element, found->element)))
        return NULL;
    for (uint32_t i = 0; structs && type && i < type->field_count; i++) {
        const struct delta_field *field = delta_field_find(table, type->fields[i].name);
        if (field && !(type->fields[i].type = reading_type(arena, field->type, type->fields[i].type)))
            return NULL;
    }
    return type;
}

static bool brings_new_columns(const struct loading *l, const struct delta_type *found)
{
    for (uint32_t i = 0; i < found->field_count; i++)
        if (!delta_field_find(l->table, found->fields[i].name))
            return true;
    return false;
}

/* A CSV file without header: columns by position, under the table's names. */
static enum status name_by_position(const struct loading *l, struct group *g, struct error *err)
{
    struct delta_type *named = delta_type_copy(l->arena, g->found);
    if (!named)
        return error_oom(err);
    for (uint32_t i = 0; i < named->field_count && i < l->table->field_count; i++)
        named->fields[i].name = l->table->fields[i].name;
    g->found = named;
    return STATUS_OK;
}

/* Types for the columns of a CSV file that the table does not have yet. */
static enum status infer_new(const struct loading *l, struct group *g, struct error *err)
{
    struct delta_type *inferred = NULL;
    enum status status = describe(l, g, false, &inferred, err);
    if (status)
        return status;
    if (inferred->field_count != g->found->field_count)
        return error_set(err, STATUS_CORRUPT_DATA, "the columns of \"%.*s\" are not the same from line to line", STR_ARG(g->paths[0]));
    for (uint32_t i = 0; i < inferred->field_count; i++)
        inferred->fields[i].name = g->found->fields[i].name;
    g->found = inferred;
    return STATUS_OK;
}

static enum status choose_types(struct loading *l, struct group *g, struct error *err)
{
    bool is_csv = l->copy->format == ENGINE_CSV, is_text = l->copy->format != ENGINE_PARQUET;
    enum status status = is_csv && !l->has_header ? name_by_position(l, g, err) : STATUS_OK;
    if (!status && is_csv && l->copy->merge_schema && brings_new_columns(l, g->found))
        status = infer_new(l, g, err);
    if (status)
        return status;
    g->source.schema = is_text ? reading_type(l->arena, l->table, g->found) : delta_type_copy(l->arena, g->found);
    if (!g->source.schema)
        return error_oom(err);
    return read_sql(l, g, l->options, l->option_count, is_text ? g->source.schema : NULL, &g->source.select, err);
}

/* ---- together ----------------------------------------------------------------------------------------- */

static enum status fit_group(struct loading *l, struct group *g, const struct delta_type *table, size_t check_base, struct fitted *out,
                             struct error *err)
{
    struct fit_request request = {
        .table_name = l->table_name,
        .table = table,
        .source = &g->source,
        .by_name = true,
        .merge = l->copy->merge_schema,
        .check_base = check_base,
    };
    enum status status = fit_rows(l->ctx, l->e, l->arena, &request, out, err);
    if (status)
        error_context(err, "while loading \"%.*s\"%s", STR_ARG(g->paths[0]), g->count > 1 ? " and others" : "");
    return status;
}

static void release_fits(struct load *out)
{
    for (size_t i = 0; i < out->fit_count; i++)
        fit_release(&out->fitted[i].fit);
    out->fit_count = 0;
}

/* table is what the groups before have made of it, when columns are added. */
static enum status fit_all(struct loading *l, const struct delta_type *table, struct load *out, struct error *err)
{
    size_t check_base = 0;
    release_fits(out);
    for (size_t i = 0; i < l->group_count; i++) {
        enum status status = fit_group(l, &l->groups[i], table, check_base, &out->fitted[i], err);
        if (status)
            return status;
        out->fits[i] = &out->fitted[i].fit;
        out->fit_count = i + 1;
        out->schema = out->fitted[i].schema;
        out->schema_changed |= out->fitted[i].schema_changed;
        check_base += out->fitted[i].fit.check_count;
        table = out->schema;
    }
    return STATUS_OK;
}

static enum status join_selects(struct loading *l, struct load *out, struct error *err)
{
    struct buf sql = BUF_INIT;
    for (size_t i = 0; i < out->fit_count; i++) {
        buf_z(&sql, i ? " UNION ALL " : "");
        buf_str(&sql, out->fitted[i].select);
    }
    enum status status = buf_check(&sql, err);
    if (!status && !(out->select = arena_str(l->arena, buf_view(&sql))).ptr)
        status = error_oom(err);
    buf_release(&sql);
    return status;
}

static enum status plan(struct loading *l, struct load *out, struct error *err)
{
    out->fitted = ARENA_ARRAY(l->arena, struct fitted, l->group_count);
    out->fits = ARENA_ARRAY(l->arena, const struct fit *, l->group_count);
    enum status status = out->fitted && out->fits ? STATUS_OK : error_oom(err);
    for (size_t i = 0; !status && i < l->group_count; i++)
        status = choose_types(l, &l->groups[i], err);
    if (!status)
        status = fit_all(l, l->table, out, err);
    if (!status && out->schema_changed && l->group_count > 1) /* the first groups do not know yet what the last have added */
        status = fit_all(l, out->schema, out, err);
    return status ? status : join_selects(l, out, err);
}

enum status load_plan(struct ctx *ctx, struct engine *e, struct arena *arena, struct str table_name, const struct delta_type *table,
                      const struct table_copy *copy, struct source_file *const *files, size_t count, struct load *out, struct error *err)
{
    struct loading l = {.ctx = ctx, .e = e, .arena = arena, .table_name = table_name, .table = table, .copy = copy};
    *out = (struct load){0};
    enum status status = take_options(&l, err);
    if (!status)
        status = copy->format == ENGINE_JSON ? group_json(&l, files, count, err) : group_each(&l, files, count, err);
    if (!status && l.group_count)
        status = plan(&l, out, err);
    if (status)
        load_release(out);
    return status;
}

void load_release(struct load *l)
{
    release_fits(l);
    *l = (struct load){0};
}
