/* exec/change.c: statements that change something. */
#include "exec/exec_int.h"

/* The answer of a change: what was committed. */
enum status exec_change_answer(struct exec_result *out, const struct table_change *change, struct error *err)
{
    static const struct rowset_column columns[] = {{"version", "l"},       {"rows", "l"},          {"files_added", "l"},
                                                   {"files_removed", "l"}, {"files_skipped", "l"}, {"bytes_added", "l"}};
    struct rowset *rows = rowset_new(columns, VV_ARRAY_COUNT(columns));
    if (!rows)
        return error_oom(err);
    const int64_t values[] = {change->version, change->rows, change->files_added, change->files_removed, change->files_skipped, change->bytes_added};
    for (size_t i = 0; i < VV_ARRAY_COUNT(values); i++)
        rowset_i64(rows, values[i]);
    out->version = change->version;
    return rowset_stream(rows, &out->stream, err);
}

/* ---- rows of a statement -------------------------------------------------------------------- */

static enum status source_open(struct ctx *ctx, struct exec_session *s, const struct statement *st, struct exec_select **select,
                               struct table_source *source, struct error *err)
{
    enum status status = exec_select_prepare(ctx, s, st->query, st->query_offset, select, err);
    if (status == STATUS_OK)
        status = exec_select_source(ctx, *select, source, err);
    return status;
}

static bool property_flag(const struct statement *st, const char *key)
{
    for (uint32_t i = 0; i < st->property_count; i++)
        if (str_ieq(st->properties[i].key, str_of(key)))
            return str_ieq(st->properties[i].value, STR("true"));
    return false;
}

static enum status check_options(const struct statement *st, const struct str *known, size_t known_count, struct error *err)
{
    for (uint32_t i = 0; i < st->property_count; i++) {
        struct str key = st->properties[i].key, value = st->properties[i].value;
        bool found = false;
        for (size_t k = 0; k < known_count; k++)
            found |= str_ieq(key, known[k]);
        if (!found) {
            error_set(err, STATUS_INVALID_ARGUMENT, "option \"%.*s\" is not known", STR_ARG(key));
            struct str nearest = str_nearest(key, known, known_count);
            return nearest.ptr ? error_hint(err, "did you mean \"%.*s\"?", STR_ARG(nearest)) : STATUS_INVALID_ARGUMENT;
        }
        if (!str_ieq(value, STR("true")) && !str_ieq(value, STR("false")))
            return error_set(err, STATUS_INVALID_ARGUMENT, "option \"%.*s\" must be 'true' or 'false', not '%.*s'", STR_ARG(key), STR_ARG(value));
    }
    return STATUS_OK;
}

enum { INSERT_TRIES = 8 };

/* What an INSERT has open. */
struct insertion {
    struct ctx *ctx;
    struct exec_session *session;
    struct arena arena;
    const struct statement *st;
    struct catalog_table table;
    struct delta_snapshot *snapshot;
    struct exec_select *select;
    struct table_source source;
    struct exec_values values;
};

/* The rows, after DEFAULT and values of several kinds have been looked after. */
static enum status open_rows(struct insertion *n, struct error *err)
{
    struct statement st = *n->st;
    enum status status = exec_values_prepare(&n->arena, &st, delta_snapshot_schema(n->snapshot), &n->values, err);
    if (status != STATUS_OK)
        return status;
    st.query = n->values.text.text;
    status = source_open(n->ctx, n->session, &st, &n->select, &n->source, err);
    if (status != STATUS_OK && err && err->position >= (int64_t)st.query_offset)
        err->position = (int64_t)(sql_text_origin(&n->values.text, (size_t)err->position - st.query_offset) + st.query_offset);
    return status;
}

/* Rows that come from the table itself: the insert is one after the version that they were read from. */
static enum status note_reads(struct insertion *n, struct table_insert *insert, struct error *err)
{
    const struct delta_pred **reads = NULL;
    enum status status = exec_select_reads_of(n->select, n->table.table, &n->arena, &reads, &insert->read_count, &insert->base, err);
    insert->reads = reads;
    return status;
}

static enum status insert_once(struct insertion *n, struct table_change *change, struct error *err)
{
    const struct statement *st = n->st;
    enum status status = exec_open_named(n->ctx, n->session, &st->name, &n->table, &n->snapshot, err);
    if (status != STATUS_OK)
        return status;
    status = open_rows(n, err);
    if (status == STATUS_OK) {
        struct table_insert insert = {.columns = st->insert_columns,
                                      .column_count = st->insert_column_count,
                                      .default_columns = n->values.defaults,
                                      .by_name = st->by_name,
                                      .overwrite = st->overwrite,
                                      .dynamic = n->session->overwrites_partitions,
                                      .merge_schema = st->change.schema_evolution || property_flag(st, "mergeSchema"),
                                      .overwrite_schema = property_flag(st, "overwriteSchema"),
                                      .operation = STR("WRITE")};
        status = note_reads(n, &insert, err);
        if (status == STATUS_OK)
            status = table_insert(n->ctx, n->session->lake->engine, &n->table, &n->source, &insert, change, err);
    }
    exec_select_free(n->select);
    delta_snapshot_unref(n->snapshot);
    catalog_table_release(&n->table);
    arena_clear(&n->arena);
    return status;
}

/* Of two that number rows at the same time the later finds the table's metadata changed.  It is the statement that is run again: the query, on what
 * is there then, and with numbers that nobody has. */
enum status exec_insert(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                        struct error *err)
{
    static const struct str options[] = {STR("mergeSchema"), STR("overwriteSchema")};
    if (st->replace_on || st->replace_using_count)
        return exec_insert_replace_matching(ctx, s, arena, st, out, err);
    if (st->change.condition.ptr)
        return exec_insert_replace(ctx, s, arena, st, out, err);
    struct insertion n = {.ctx = ctx, .session = s, .arena = ARENA_INIT, .st = st};
    struct table_change change = {0};
    enum status status = check_options(st, options, VV_ARRAY_COUNT(options), err);
    for (int attempt = 1; status == STATUS_OK; attempt++) {
        struct error failure = ERROR_INIT;
        n = (struct insertion){.ctx = ctx, .session = s, .arena = n.arena, .st = st};
        status = insert_once(&n, &change, &failure);
        bool again = status == STATUS_COMMIT_CONFLICT && attempt < INSERT_TRIES;
        if (status != STATUS_OK && !again)
            error_move(err, &failure);
        error_release(&failure);
        if (!again)
            break;
        atomic_fetch_add(&s->lake->counters.commit_conflicts, 1);
        status = change_pause(ctx, attempt, err);
    }
    arena_release(&n.arena);
    return status == STATUS_OK ? exec_change_answer(out, &change, err) : status;
}

enum status exec_copy_into(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                           struct error *err)
{
    static const struct str options[] = {STR("mergeSchema"), STR("force")};
    static const enum engine_file_format formats[] = {[SQL_CSV] = ENGINE_CSV, [SQL_JSON] = ENGINE_JSON, [SQL_PARQUET] = ENGINE_PARQUET};
    struct table_change change = {0};
    struct catalog_table table = {0};
    struct delta_snapshot *snapshot = NULL;
    enum status status = check_options(st, options, VV_ARRAY_COUNT(options), err);
    if (status == STATUS_OK)
        status = exec_open_named(ctx, s, &st->name, &table, &snapshot, err);
    if (status != STATUS_OK)
        return status;
    struct table_copy copy = {.from = st->query,
                              .format = formats[st->file_format],
                              .format_options = st->format_options,
                              .format_option_count = st->format_option_count,
                              .merge_schema = property_flag(st, "mergeSchema"),
                              .force = property_flag(st, "force"),
                              .session_settings = exec_engine_settings(s, arena)};
    status = table_copy_into(ctx, s->lake->engine, &table, &copy, &change, err);
    if (status == STATUS_OK)
        status = exec_change_answer(out, &change, err);
    delta_snapshot_unref(snapshot);
    catalog_table_release(&table);
    return status;
}

/* ---- CREATE TABLE ------------------------------------------------------------------------------ */

static enum status definition_schema(struct arena *arena, const struct statement *st, struct delta_type **out, struct error *err)
{
    *out = NULL;
    if (!st->column_count && st->query.ptr)
        return STATUS_OK; /* the query brings the columns */
    return table_schema_from_columns(arena, st->columns, st->column_count, out, err);
}

/* CREATE TABLE … LOCATION over a log that is there already: the name is registered when the definition agrees. */
static enum status register_existing(struct exec_result *out, const struct statement *st, const struct delta_type *wanted,
                                     const struct catalog_table *table, const struct delta_snapshot *existing, struct error *err)
{
    bool other_columns = wanted && wanted->field_count && !delta_type_equal(wanted, delta_snapshot_schema(existing));
    if (st->query.ptr || st->copy != SQL_COPY_NONE || other_columns) {
        error_set(err, STATUS_TABLE_EXISTS, "there is a Delta table at \"%s\" already, and the definition does not match it", table->location);
        return error_hint(err, "leave the columns and the query out to register it, or use CREATE OR REPLACE TABLE");
    }
    struct table_change change = {.version = delta_snapshot_version(existing)};
    return exec_change_answer(out, &change, err);
}

struct creation {
    struct table_definition def;
    struct exec_select *select;
    struct table_source source;
    bool has_source;
    /* LIKE and CLONE: */
    struct catalog_table copied;
    struct table_clone clone;
};

/* The table that LIKE or CLONE names, at its version. */
static enum status creation_open_copied(struct ctx *ctx, struct exec_session *s, const struct statement *st, struct creation *c, struct error *err)
{
    static const enum table_clone_kind kinds[] = {
        [SQL_COPY_DEFINITION] = TABLE_CLONE_DEFINITION, [SQL_COPY_SHALLOW] = TABLE_CLONE_SHALLOW, [SQL_COPY_DEEP] = TABLE_CLONE_DEEP};
    enum status status = exec_open_named(ctx, s, &st->source, &c->copied, &c->clone.source, err);
    c->clone.kind = kinds[st->copy];
    c->clone.comment = st->comment;
    c->clone.overrides = st->properties;
    c->clone.override_count = st->property_count;
    if (status == STATUS_OK)
        c->clone.source_name = str_of(c->copied.qualified_name);
    return status;
}

static void creation_close(struct creation *c)
{
    if (c->has_source)
        engine_hold_free(c->source.hold);
    exec_select_free(c->select);
    if (c->clone.source) {
        delta_snapshot_unref(c->clone.source);
        catalog_table_release(&c->copied);
    }
}

static enum status creation_commit(struct ctx *ctx, struct exec_session *s, struct catalog_table *table, struct creation *c,
                                   struct delta_snapshot *existing, bool or_replace, struct table_change *change, struct error *err)
{
    struct table_source *source = c->has_source ? &c->source : NULL;
    c->has_source = false;
    return c->clone.source ? table_clone(ctx, table, &c->clone, existing, or_replace, change, err)
                           : table_create(ctx, s->lake->engine, table, &c->def, source, existing, or_replace, change, err);
}

/* A clone answers with what Spark's does. */
static enum status creation_answer(const struct creation *c, const struct table_change *change, struct exec_result *out, struct error *err)
{
    static const struct rowset_column columns[] = {{"source_table_size", "l"}, {"source_num_of_files", "l"}, {"num_removed_files", "l"},
                                                   {"num_copied_files", "l"},  {"removed_files_size", "l"},  {"copied_files_size", "l"}};
    const int64_t values[] = {change->bytes_after, change->files_after,   change->files_removed,
                              change->files_added, change->bytes_removed, change->bytes_added};
    if (!c->clone.source || c->clone.kind == TABLE_CLONE_DEFINITION)
        return exec_change_answer(out, change, err);
    struct rowset *rows = rowset_new(columns, VV_ARRAY_COUNT(columns));
    if (!rows)
        return error_oom(err);
    for (size_t i = 0; i < VV_ARRAY_COUNT(values); i++)
        rowset_i64(rows, values[i]);
    out->version = change->version;
    return rowset_stream(rows, &out->stream, err);
}

static enum status creation_open(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct creation *c,
                                 struct error *err)
{
    c->def = (struct table_definition){.partition_columns = st->partition_columns,
                                       .partition_column_count = st->partition_column_count,
                                       .comment = st->comment,
                                       .properties = st->properties,
                                       .property_count = st->property_count,
                                       .constraints = st->constraints,
                                       .constraint_count = st->constraint_count,
                                       .cluster_by = st->paths,
                                       .cluster_by_count = st->path_count};
    if (st->copy != SQL_COPY_NONE)
        return creation_open_copied(ctx, s, st, c, err);
    enum status status = definition_schema(arena, st, &c->def.schema, err);
    if (status == STATUS_OK && st->query.ptr) {
        status = source_open(ctx, s, st, &c->select, &c->source, err);
        c->has_source = status == STATUS_OK;
    }
    return status;
}

static enum status create_new(struct ctx *ctx, struct exec_session *s, const struct statement *st, const struct catalog_name *name,
                              struct creation *c, struct exec_result *out, struct error *err)
{
    struct catalog_table table = {0};
    struct delta_snapshot *existing = NULL;
    struct table_change change = {0};
    enum status status = catalog_claim(ctx, s->lake->catalog, name, st->location, &table, err);
    if (status != STATUS_OK)
        return status;
    if (st->location.ptr && delta_snapshot_latest(ctx, table.table, &existing, NULL) == STATUS_OK && !st->or_replace) {
        status = register_existing(out, st, c->def.schema, &table, existing, err);
    } else {
        status = creation_commit(ctx, s, &table, c, existing, st->or_replace, &change, err);
        if (status == STATUS_OK)
            status = creation_answer(c, &change, out, err);
    }
    delta_snapshot_unref(existing);
    if (status != STATUS_OK)
        catalog_claim_abandon(ctx, s->lake->catalog, name, &table);
    else
        catalog_table_release(&table);
    return status;
}

enum status exec_create_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                              struct error *err)
{
    struct catalog_name name = exec_catalog_name(s, &st->name);
    struct catalog_table table = {0};
    struct delta_snapshot *existing = NULL;
    struct creation creation = {0};
    struct table_change change = {0};
    struct error absent = ERROR_INIT;
    bool exists = exec_open_table(ctx, s, &name, NULL, &table, &existing, &absent) == STATUS_OK;
    bool usable = exists || absent.code == STATUS_TABLE_NOT_FOUND || absent.code == STATUS_NOT_A_DELTA_TABLE;
    enum status status = STATUS_OK;
    if (!usable) {
        error_move(err, &absent);
        return err->code;
    }
    if (exists && st->if_not_exists) {
        change.version = -1;
        status = exec_answer(out, STR("table exists already"), err);
        goto out;
    }
    if (exists && !st->or_replace) {
        status = error_set(err, STATUS_TABLE_EXISTS, "table \"%s\" exists already", table.qualified_name);
        error_hint(err, "use CREATE TABLE IF NOT EXISTS or CREATE OR REPLACE TABLE");
        goto out;
    }
    if (!exists && st->replace_only) {
        error_move(err, &absent);
        status = err->code;
        error_hint(err, "REPLACE TABLE needs a table that is there: write CREATE OR REPLACE TABLE");
        goto out;
    }
    status = creation_open(ctx, s, arena, st, &creation, err);
    if (status != STATUS_OK)
        goto out;
    if (exists) {
        status = creation_commit(ctx, s, &table, &creation, existing, true, &change, err);
        if (status == STATUS_OK)
            status = creation_answer(&creation, &change, out, err);
    } else {
        status = create_new(ctx, s, st, &name, &creation, out, err);
        if (status == STATUS_TABLE_EXISTS && st->if_not_exists) { /* another process was first */
            error_release(err);
            status = exec_answer(out, STR("table exists already"), err);
        }
    }
out:
    creation_close(&creation);
    error_release(&absent);
    delta_snapshot_unref(existing);
    if (exists)
        catalog_table_release(&table);
    return status;
}

enum status exec_drop_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                            struct error *err)
{
    (void)arena;
    struct catalog_name name = exec_catalog_name(s, &st->name);
    struct error absent = ERROR_INIT;
    bool existed = false;
    enum status status = catalog_drop_table(ctx, s->lake->catalog, &name, &existed, &absent);
    bool forgiven = st->if_exists && (status == STATUS_TABLE_NOT_FOUND || status == STATUS_SCHEMA_NOT_FOUND);
    if (status != STATUS_OK && !forgiven) {
        absent.position = (int64_t)st->name.offset;
        error_move(err, &absent);
        return status;
    }
    error_release(&absent);
    return exec_answer(out, existed ? STR("table dropped") : STR("no such table"), err);
}

/* ---- schemas ---------------------------------------------------------------------------------------- */

enum status exec_check_catalog(const struct statement *st, struct error *err)
{
    if (!st->name.schema.ptr || str_ieq(st->name.schema, STR(CATALOG_NAME)))
        return STATUS_OK;
    error_set(err, STATUS_CATALOG_NOT_FOUND, "catalog \"%.*s\" does not exist", STR_ARG(st->name.schema));
    return error_hint(err, "the catalog of a lake is \"%s\": leave the catalog's name out", CATALOG_NAME);
}

enum status exec_create_schema(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                               struct error *err)
{
    (void)arena;
    bool existed = false;
    enum status status = exec_check_catalog(st, err);
    if (status == STATUS_OK)
        status = catalog_create_schema(ctx, s->lake->catalog, st->name.table, st->comment, &existed, err);
    if (status != STATUS_OK)
        return status;
    if (existed && !st->if_not_exists) {
        error_set(err, STATUS_SCHEMA_EXISTS, "schema \"%.*s\" exists already", STR_ARG(st->name.table));
        return error_hint(err, "use CREATE SCHEMA IF NOT EXISTS");
    }
    return exec_answer(out, existed ? STR("schema exists already") : STR("schema created"), err);
}

enum status exec_drop_schema(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                             struct error *err)
{
    (void)arena;
    bool existed = false;
    enum status status = exec_check_catalog(st, err);
    if (status == STATUS_OK)
        status = catalog_drop_schema(ctx, s->lake->catalog, st->name.table, st->cascade, &existed, err);
    if (status != STATUS_OK)
        return status;
    if (!existed && !st->if_exists)
        return error_set(err, STATUS_SCHEMA_NOT_FOUND, "schema \"%.*s\" does not exist", STR_ARG(st->name.table));
    return exec_answer(out, existed ? STR("schema dropped") : STR("no such schema"), err);
}
