/* table/rows.c: the rows that take the place of others, and the change data that says what became of them.
 *
 * Without a change data feed one query writes everything: replaced rows, copies (copy-on-write) and inserted rows.  With it, the new rows
 * are kept by the engine first, since they are needed twice and must be the same both times. */
#include "table/table_int.h"

#define CHANGE_TYPE "_change_type"
#define CHANGE_DIRECTORY "_change_data"

static bool has_action(const struct rewriting *w, enum table_action_kind kind)
{
    for (uint32_t i = 0; i < w->in->action_count; i++)
        if (w->in->actions[i].kind == kind)
            return true;
    return false;
}

static bool has_rows(const struct rewriting *w, enum table_action_kind kind)
{
    for (uint32_t i = 0; i < w->in->action_count; i++)
        if (w->in->actions[i].kind == kind && w->action_rows[i])
            return true;
    return false;
}

/* ---- parts of the query ----------------------------------------------------------------------- */

static void put_columns(const struct delta_type *schema, const char *relation, struct buf *sql)
{
    for (uint32_t i = 0; i < schema->field_count; i++) {
        buf_printf(sql, "%s%s.", i ? ", " : "", relation);
        engine_quote_identifier(schema->fields[i].name, sql);
    }
}

/* Rows of the files that nothing happens to. */
static enum status copied_rows(struct rewriting *w, struct str target, struct str *out, struct error *err)
{
    struct buf sql = BUF_INIT;
    rewrite_put_with(w, target, &sql);
    buf_z(&sql, "SELECT ");
    put_columns(w->tracked, TABLE_TARGET, &sql);
    buf_printf(&sql, " FROM " TABLE_TARGET " ANTI JOIN (SELECT " ENGINE_FILE_COLUMN ", " ENGINE_ROW_COLUMN " FROM " TABLE_MATCHES
                     " WHERE " TABLE_ACTION " IS NOT NULL) AS varve_gone ON " TABLE_TARGET "." ENGINE_FILE_COLUMN " = varve_gone." ENGINE_FILE_COLUMN
                     " AND " TABLE_TARGET "." ENGINE_ROW_COLUMN " = varve_gone." ENGINE_ROW_COLUMN ")");
    return rewrite_keep_text(w, &sql, out, err);
}

/* The rows of select that the action's condition allows; any other ends the query. */
static enum status check_inserted(struct rewriting *w, const struct table_action *action, struct fitted *fitted, struct str *select,
                                  struct error *err)
{
    struct buf target = BUF_INIT, sql = BUF_INIT;
    buf_printf(&target, "(SELECT *, CAST(NULL AS INTEGER) AS " ENGINE_FILE_COLUMN ", CAST(NULL AS BIGINT) AS " ENGINE_ROW_COLUMN " FROM (%.*s\n))",
               STR_ARG(*select));
    buf_z(&sql, "SELECT ");
    put_columns(w->schema, FIT_ROWS, &sql);
    buf_z(&sql, " FROM (");
    rewrite_put_with(w, buf_view(&target), &sql);
    buf_printf(&sql, "%.*s\n)) AS " FIT_ROWS "(", STR_ARG(action->check.select));
    for (uint32_t i = 0; i < w->schema->field_count; i++) {
        engine_quote_identifier(w->schema->fields[i].name, &sql);
        buf_z(&sql, ", ");
    }
    buf_z(&sql, "varve_allowed) WHERE CASE WHEN varve_allowed THEN true ELSE ");
    fit_put_error(&fitted->fit, &sql, fit_add_check(&fitted->fit, FIT_CONSTRAINT, STR("REPLACE WHERE"), NULL, action->check_text), STR_NULL);
    buf_z(&sql, " END");
    sql.failed |= target.failed || fitted->fit.failed;
    buf_release(&target);
    return rewrite_keep_text(w, &sql, select, err);
}

/* New rows have no ids yet: their file gives them. */
static enum status without_ids(struct rewriting *w, struct str *select, struct error *err)
{
    struct buf sql = BUF_INIT;
    if (!w->tracks)
        return STATUS_OK;
    buf_printf(&sql, "SELECT *, CAST(NULL AS BIGINT), CAST(NULL AS BIGINT) FROM (%.*s\n)", STR_ARG(*select));
    return rewrite_keep_text(w, &sql, select, err);
}

static enum status fit_inserted(struct rewriting *w, const struct table_action *action, struct str target, struct str *out, struct error *err)
{
    struct buf sql = BUF_INIT;
    struct table_source source = {0};
    struct fitted *fitted = &w->fitted[w->fitted_count];
    rewrite_put_with(w, target, &sql);
    buf_printf(&sql, "%.*s\n)", STR_ARG(action->rows.select));
    enum status status = rewrite_keep_text(w, &sql, &source.select, err);
    if (!status && !(source.schema = delta_type_copy(&w->arena, action->rows.schema)))
        status = error_oom(err);
    if (status)
        return status;
    struct fit_request request = {
        .table_name = table_name_of(w->table),
        .table = w->schema,
        .source = &source,
        .columns = action->columns,
        .column_count = action->column_count,
        .by_name = action->by_name,
        .check_base = w->check_base,
    };
    status = fit_rows(w->ctx, w->e, &w->arena, &request, fitted, err);
    if (status)
        return status;
    w->fitted_count++;
    w->fits[w->fit_count++] = &fitted->fit;
    *out = fitted->select;
    if (action->check.select.ptr)
        status = check_inserted(w, action, fitted, out, err);
    if (!status)
        status = without_ids(w, out, err);
    w->check_base += fitted->fit.check_count;
    return status;
}

static void put_union(struct buf *sql, struct str select)
{
    if (select.ptr)
        buf_printf(sql, "%s(%.*s\n)", sql->len ? " UNION ALL " : "", STR_ARG(select));
}

/* Whether the inserts are found by their own query, not through the matches. */
static bool inserts_alone(const struct rewriting *w) { return !w->in->match.select.ptr; }

static enum status inserted_rows(struct rewriting *w, struct str *out, struct error *err)
{
    struct buf sql = BUF_INIT;
    struct str target = STR_NULL;
    enum status status = inserts_alone(w) ? rewrite_target(w, &target, err) : STATUS_OK;
    for (uint32_t i = 0; i < w->in->action_count && !status; i++) {
        const struct table_action *action = &w->in->actions[i];
        struct str select = STR_NULL;
        if (action->kind != TABLE_ACTION_INSERT || !(inserts_alone(w) || action->replaces || w->action_rows[i]))
            continue;
        status = fit_inserted(w, action, target, &select, err);
        put_union(&sql, select);
    }
    *out = STR_NULL;
    if (!status && sql.len)
        return rewrite_keep_text(w, &sql, out, err);
    buf_release(&sql);
    return status;
}

/* ---- writing -------------------------------------------------------------------------------------- */

static enum status explain(const struct rewriting *w, const struct fit *gate, enum status status, struct error *err)
{
    for (size_t i = 0; status && i < w->fit_count; i++)
        status = fit_explain(w->fits[i], status, err);
    return status && gate ? fit_explain(gate, status, err) : status;
}

static enum status write_query(struct rewriting *w, struct str select, bool unchanged, struct error *err)
{
    struct table_rows rows = {
        .select = select,
        .session_settings = w->in->session_settings,
        .fits = w->fits,
        .fit_count = unchanged ? 0 : w->fit_count,
        .unchanged = unchanged,
    };
    enum status status = table_write_rows(w->ctx, w->e, w->table, &w->metadata, w->tracked, &rows, &w->written, err);
    w->has_files = !status;
    return unchanged ? explain(w, NULL, status, err) : status;
}

static enum status write_plainly(struct rewriting *w, struct error *err)
{
    struct str target = STR_NULL, replaced = STR_NULL, inserted = STR_NULL;
    struct buf sql = BUF_INIT;
    bool updates = has_rows(w, TABLE_ACTION_UPDATE);
    enum status status = rewrite_relation(w, REWRITE_STAYING, &target, err);
    if (!status && target.ptr && updates)
        status = rewrite_assigned(w, target, !w->with_vectors, &replaced, err);
    else if (!status && target.ptr && !w->with_vectors)
        status = copied_rows(w, target, &replaced, err);
    if (!status)
        status = inserted_rows(w, &inserted, err);
    put_union(&sql, replaced);
    put_union(&sql, inserted);
    if (!status)
        status = buf_check(&sql, err);
    if (!status && sql.len)
        status = write_query(w, buf_view(&sql), !updates && !inserted.ptr, err);
    buf_release(&sql);
    return status;
}

/* ---- with a change data feed ----------------------------------------------------------------------- */

/* Runs the query through the table's gate and keeps the rows. */
static enum status keep_rows(struct rewriting *w, struct str select, struct str *relation, struct error *err)
{
    struct table_rows rows = {.select = select, .fits = w->fits, .fit_count = w->fit_count};
    struct engine_hold *kept = NULL;
    struct gate gate;
    int64_t count;
    enum status status = gate_build(w->ctx, w->e, &w->arena, table_name_of(w->table), &w->metadata, w->tracked, &rows, &gate, err);
    if (status)
        return status;
    status = engine_keep_rows(w->ctx, w->e, gate.select, NULL, w->in->session_settings, &w->arena, relation, &count, &kept, err);
    status = explain(w, &gate.fit, status, err);
    fit_release(&gate.fit);
    if (!status)
        engine_hold_join(&w->holds, kept);
    else
        *relation = STR_NULL;
    return status;
}

/* What the rows were before: those that are replaced or go. */
static enum status put_before(struct rewriting *w, struct buf *sql, struct error *err)
{
    struct str target = STR_NULL, select = STR_NULL;
    struct buf one = BUF_INIT;
    enum status status = rewrite_relation(w, REWRITE_CHANGED, &target, err);
    if (status || !target.ptr)
        return status;
    rewrite_put_with(w, target, &one);
    buf_z(&one, "SELECT ");
    put_columns(w->schema, TABLE_TARGET, &one);
    buf_z(&one, ", CASE WHEN varve_gone." TABLE_ACTION " IN ");
    rewrite_put_actions(w, TABLE_ACTION_UPDATE, &one);
    buf_printf(&one,
               " THEN 'update_preimage' ELSE 'delete' END FROM " TABLE_TARGET " JOIN (SELECT DISTINCT " ENGINE_FILE_COLUMN ", " ENGINE_ROW_COLUMN
               ", " TABLE_ACTION " FROM " TABLE_MATCHES " WHERE " TABLE_ACTION " IS NOT NULL) AS varve_gone ON " TABLE_TARGET "." ENGINE_FILE_COLUMN
               " = varve_gone." ENGINE_FILE_COLUMN " AND " TABLE_TARGET "." ENGINE_ROW_COLUMN " = varve_gone." ENGINE_ROW_COLUMN ")");
    status = rewrite_keep_text(w, &one, &select, err);
    put_union(sql, select);
    return status;
}

static void put_after(const struct rewriting *w, struct str relation, const char *type, struct buf *sql)
{
    if (!relation.ptr)
        return;
    buf_printf(sql, "%sSELECT ", sql->len ? " UNION ALL " : "");
    put_columns(w->schema, "varve_after", sql);
    buf_printf(sql, ", '%s' FROM (SELECT * FROM %.*s) AS varve_after(", type, STR_ARG(relation));
    for (uint32_t i = 0; i < w->tracked->field_count; i++) {
        buf_z(sql, i ? ", " : "");
        engine_quote_identifier(w->tracked->fields[i].name, sql);
    }
    buf_char(sql, ')');
}

static enum status change_schema(struct rewriting *w, struct delta_type **out, struct error *err)
{
    struct delta_type *schema = ARENA_NEW(&w->arena, struct delta_type), *text = ARENA_NEW(&w->arena, struct delta_type);
    struct delta_field *fields = ARENA_ARRAY(&w->arena, struct delta_field, (size_t)w->schema->field_count + 1);
    if (!schema || !text || !fields)
        return error_oom(err);
    memcpy(fields, w->schema->fields, w->schema->field_count * sizeof *fields);
    *text = (struct delta_type){.id = DELTA_STRING};
    fields[w->schema->field_count] = (struct delta_field){.name = STR(CHANGE_TYPE), .type = text, .nullable = true};
    *schema = (struct delta_type){.id = DELTA_STRUCT, .fields = fields, .field_count = w->schema->field_count + 1};
    *out = schema;
    return STATUS_OK;
}

static enum status write_changes(struct rewriting *w, struct str select, struct error *err)
{
    struct store *store = NULL;
    struct delta_type *schema = NULL;
    enum status status = change_schema(w, &schema, err);
    if (!status)
        status = store_open_prefix(delta_table_store(w->table->table), STR(CHANGE_DIRECTORY), &store, err);
    if (status)
        return status;
    struct engine_write write = {
        .table_name = table_name_of(w->table),
        .select = select,
        .schema = schema,
        .partition_columns = w->metadata.partition_columns,
        .partition_column_count = w->metadata.partition_column_count,
        .mapping = delta_mapping_mode(&w->metadata),
        .store = store,
        .session_settings = w->in->session_settings,
    };
    status = engine_write_files(w->ctx, w->e, &write, &w->written_changes, err);
    w->has_changes = !status;
    for (size_t i = 0; !status && i < w->written_changes.file_count; i++) {
        struct engine_written_file *file = &w->written_changes.files[i];
        file->path = str_of(arena_printf(&w->written_changes.arena, CHANGE_DIRECTORY "/%.*s", STR_ARG(file->path)));
        if (!file->path.ptr) {
            w->written_changes.file_count = i; /* the others are orphans */
            status = error_oom(err);
        }
    }
    store_unref(store);
    return status;
}

static enum status write_data(struct rewriting *w, struct str copied, struct str replaced, struct str inserted, struct error *err)
{
    struct buf sql = BUF_INIT;
    put_union(&sql, copied);
    if (replaced.ptr)
        buf_printf(&sql, "%sSELECT * FROM %.*s", sql.len ? " UNION ALL " : "", STR_ARG(replaced));
    if (inserted.ptr)
        buf_printf(&sql, "%sSELECT * FROM %.*s", sql.len ? " UNION ALL " : "", STR_ARG(inserted));
    enum status status = buf_check(&sql, err);
    if (!status && sql.len)
        status = write_query(w, buf_view(&sql), true, err);
    buf_release(&sql);
    return status;
}

static enum status write_feed(struct rewriting *w, struct str replaced, struct str inserted, struct error *err)
{
    struct buf sql = BUF_INIT;
    enum status status = put_before(w, &sql, err);
    put_after(w, replaced, "update_postimage", &sql);
    put_after(w, inserted, "insert", &sql);
    if (!status)
        status = buf_check(&sql, err);
    if (!status && sql.len)
        status = write_changes(w, buf_view(&sql), err);
    buf_release(&sql);
    return status;
}

static enum status write_with_changes(struct rewriting *w, struct error *err)
{
    struct str target = STR_NULL, copied = STR_NULL, select = STR_NULL, replaced = STR_NULL, inserted = STR_NULL;
    enum status status = rewrite_relation(w, REWRITE_STAYING, &target, err);
    if (!status && target.ptr && !w->with_vectors)
        status = copied_rows(w, target, &copied, err);
    if (!status && target.ptr && has_rows(w, TABLE_ACTION_UPDATE))
        status = rewrite_assigned(w, target, false, &select, err);
    if (!status && select.ptr)
        status = keep_rows(w, select, &replaced, err);
    if (!status)
        status = inserted_rows(w, &select, err);
    if (!status && select.ptr && has_action(w, TABLE_ACTION_INSERT))
        status = keep_rows(w, select, &inserted, err);
    if (!status)
        status = write_data(w, copied, replaced, inserted, err);
    return status ? status : write_feed(w, replaced, inserted, err);
}

enum status rewrite_write(struct rewriting *w, struct error *err)
{
    bool replaces = w->touched_count > 0;
    return w->with_changes && replaces ? write_with_changes(w, err) : write_plainly(w, err);
}
