/* exec/merge.c: MERGE INTO.
 *
 * The source is evaluated once: its rows are kept by the engine, unless it is a plain table that is read once anyway.  The target is pruned by the
 * range of the source's keys (or by the keys themselves when they are few) and by what the conditions say, also for clauses BY SOURCE.  The join
 * reads keys, columns of conditions and positions; the other columns are read for the files or rows that change. */
#include "exec/exec_int.h"

enum { FEW_ROWS = 100, KEYS_MAX = 8 };

struct key {
    const struct delta_field *target, *source;
};
struct merging {
    struct change *c;
    struct table_action *actions;
    struct table_query source; /* the source as the statement has it */
    struct key keys[KEYS_MAX];
    size_t key_count;
    bool insert_only;
    bool scoped; /* conditions on one side's columns are subqueries over them: their names would be ambiguous otherwise */
};

static bool has_clause(const struct merging *m, enum sql_merge_when when)
{
    for (uint32_t i = 0; i < m->c->in->clause_count; i++)
        if (m->c->in->clauses[i].when == when)
            return true;
    return false;
}

static enum status at_clause(const struct sql_merge_clause *clause, enum status status, struct error *err)
{
    if (err)
        err->position = (int64_t)clause->offset;
    return status;
}

/* ---- the source --------------------------------------------------------------------------------- */

static enum status take_relation(struct merging *m, struct str relation, const char *row, struct error *err)
{
    struct change *c = m->c;
    c->rewrite.source = str_of(arena_printf(c->arena, "(SELECT *, %s AS " TABLE_SOURCE_ROW " FROM %.*s)", row, STR_ARG(relation)));
    return c->rewrite.source.ptr ? STATUS_OK : error_oom(err);
}

static enum status keep_source(struct merging *m, struct error *err)
{
    struct change *c = m->c;
    struct engine_hold *kept = NULL;
    struct str relation = STR_NULL;
    enum status status = engine_keep_rows(c->ctx, c->session->lake->engine, m->source.select, NULL, c->rewrite.session_settings, c->arena, &relation,
                                          &c->rewrite.source_rows, &kept, err);
    if (status != STATUS_OK)
        return status;
    engine_hold_join(&c->holds, kept);
    return take_relation(m, relation, "rowid", err);
}

static enum status read_source_in_place(struct merging *m, struct error *err)
{
    struct change *c = m->c;
    char *relation = arena_printf(c->arena, "(%.*s\n)", STR_ARG(m->source.select));
    char *count = arena_printf(c->arena, "SELECT count(*) FROM (%.*s\n)", STR_ARG(m->source.select));
    bool is_null;
    if (!relation || !count)
        return error_oom(err);
    enum status status = engine_query_i64(c->ctx, c->session->lake->engine, str_of(count), &c->rewrite.source_rows, &is_null, err);
    return status == STATUS_OK ? take_relation(m, str_of(relation), "CAST(NULL AS BIGINT)", err) : status;
}

static enum status open_source(struct merging *m, struct error *err)
{
    struct change *c = m->c;
    struct change_text t = change_text_begin(c);
    change_put(&t, "SELECT * FROM ");
    if (c->st->kind == STATEMENT_INSERT)
        change_put_part(&t, c->st->query);
    else
        change_put_raw(&t, c->in->source);
    enum status status = change_query(&t, false, &m->source, NULL, err);
    if (status != STATUS_OK)
        return status;
    bool in_place = m->insert_only && c->in->source_is_table && !exec_select_is_volatile(c->selects[c->select_count - 1]);
    status = change_set_source(c, m->source.schema, err);
    if (status == STATUS_OK)
        status = in_place ? read_source_in_place(m, err) : keep_source(m, err);
    return status;
}

/* ---- schema evolution --------------------------------------------------------------------------------- */

static bool is_excepted(const struct sql_merge_clause *clause, struct str name)
{
    for (uint32_t i = 0; i < clause->except_count; i++)
        if (str_ieq(clause->except[i], name))
            return true;
    return false;
}

/* A column of the source that some clause brings into the target. */
static bool is_brought(const struct merging *m, struct str name)
{
    for (uint32_t i = 0; i < m->c->in->clause_count; i++) {
        const struct sql_merge_clause *clause = &m->c->in->clauses[i];
        if (clause->all && !is_excepted(clause, name))
            return true;
        for (uint32_t k = 0; k < clause->assignment_count; k++)
            if (str_ieq(clause->assignments[k].path[clause->assignments[k].depth - 1], name))
                return true;
    }
    return false;
}

static enum status evolve(struct merging *m, struct error *err)
{
    struct change *c = m->c;
    const struct delta_type *rows = m->source.schema;
    struct delta_type brought = {.id = DELTA_STRUCT, .fields = ARENA_ARRAY(c->arena, struct delta_field, rows->field_count + 1)};
    struct delta_type *schema = NULL;
    if (!c->in->schema_evolution)
        return STATUS_OK;
    if (!brought.fields)
        return error_oom(err);
    for (uint32_t i = 0; i < rows->field_count; i++)
        if (is_brought(m, rows->fields[i].name))
            brought.fields[brought.field_count++] = rows->fields[i];
    enum status status = table_evolve(c->arena, str_of(c->table->qualified_name), c->schema, &brought, &schema, err);
    return status == STATUS_OK ? change_set_schema(c, schema, err) : status;
}

/* ---- keys ------------------------------------------------------------------------------------------------ */

static bool names(struct str quoted_alias, struct str plain)
{
    return quoted_alias.len == plain.len + 2 && str_ieq(str_sub(quoted_alias, 1, plain.len), plain);
}

/* The field of this side that a column of the condition is; NULL when it is not sure to be one. */
static const struct delta_field *side(const struct delta_type *schema, struct str alias, const struct delta_type *other, struct str qualifier,
                                      struct str name)
{
    const struct delta_field *field = delta_field_find(schema, name);
    bool here = qualifier.ptr ? names(alias, qualifier) : !delta_field_find(other, name);
    return here ? field : NULL;
}

/* Values of these types have one text, which reads back as the same value. */
static bool has_range(const struct delta_type *type)
{
    switch (type->id) {
    case DELTA_STRING:
    case DELTA_LONG:
    case DELTA_INTEGER:
    case DELTA_SHORT:
    case DELTA_BYTE:
    case DELTA_DECIMAL:
    case DELTA_DATE:
    case DELTA_TIMESTAMP:
    case DELTA_TIMESTAMP_NTZ:
        return true;
    default:
        return false;
    }
}

static bool take_key(struct merging *m, struct str left_qualifier, struct str left, struct str right_qualifier, struct str right)
{
    struct change *c = m->c;
    const struct delta_field *target = side(c->schema, c->alias, m->source.schema, left_qualifier, left);
    const struct delta_field *source = side(m->source.schema, c->source_alias, c->schema, right_qualifier, right);
    if (!target || !source || !has_range(source->type) || m->key_count == KEYS_MAX)
        return false;
    m->keys[m->key_count++] = (struct key){target, source};
    return true;
}

static enum status find_keys(struct merging *m, struct error *err)
{
    struct sql_equality *all = NULL;
    uint32_t count = 0;
    enum status status = sql_equalities(m->c->arena, m->c->in->condition, &all, &count, err);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++)
        if (!take_key(m, all[i].left_qualifier, all[i].left, all[i].right_qualifier, all[i].right))
            take_key(m, all[i].right_qualifier, all[i].right, all[i].left_qualifier, all[i].left);
    return status;
}

/* One key's condition on the target as a text that the engine makes of the source's values: key IN (…), or key >= least AND key <= greatest. */
static void put_key_text(const struct merging *m, const struct key *key, bool few, struct buf *sql)
{
    struct buf column = BUF_INIT, type = BUF_INIT, name = BUF_INIT;
    engine_quote_identifier(key->source->name, &name);
    buf_printf(&column, "%s.", m->c->alias.ptr);
    engine_quote_identifier(key->target->name, &column);
    engine_type_sql(key->source->type, &type);
    const char *format = few ? "string_agg(DISTINCT 'CAST(''' || replace(CAST(%s AS VARCHAR), '''', '''''') || ''' AS %s)', ', ')"
                             : "'CAST(''' || replace(CAST(%s AS VARCHAR), '''', '''''') || ''' AS %s)'";
    char *least = arena_printf(m->c->arena, "min(%s)", name.ptr ? name.ptr : ""),
         *greatest = arena_printf(m->c->arena, "max(%s)", name.ptr ? name.ptr : "");
    struct buf prefix = BUF_INIT;
    buf_printf(&prefix, few ? "%s IN (" : "%s >= ", column.ptr ? column.ptr : "");
    engine_quote_literal(buf_view(&prefix), sql);
    buf_z(sql, " || ");
    if (few) {
        buf_printf(sql, format, name.ptr ? name.ptr : "", type.ptr ? type.ptr : "");
        buf_z(sql, " || ')'");
    } else {
        buf_printf(sql, format, least ? least : "", type.ptr ? type.ptr : "");
        buf_clear(&prefix);
        buf_printf(&prefix, " AND %s <= ", column.ptr ? column.ptr : "");
        buf_z(sql, " || ");
        engine_quote_literal(buf_view(&prefix), sql);
        buf_z(sql, " || ");
        buf_printf(sql, format, greatest ? greatest : "", type.ptr ? type.ptr : "");
    }
    sql->failed |= column.failed || type.failed || name.failed || prefix.failed || !least || !greatest;
    buf_release(&column);
    buf_release(&type);
    buf_release(&name);
    buf_release(&prefix);
}

/* The texts of a one-row answer joined by AND; NULL ones, of keys without a value, are left out. */
static enum status read_texts(struct ArrowArrayStream *stream, struct buf *out, struct error *err)
{
    struct ArrowSchema schema = {0};
    struct ArrowArray batch = {0};
    enum status status = STATUS_OK;
    if (stream->get_schema(stream, &schema) != 0 || stream->get_next(stream, &batch) != 0) {
        status = engine_stream_error(stream, err);
        status = status ? status : error_set(err, STATUS_INTERNAL, "the engine gave no range of keys");
    }
    for (int64_t i = 0; status == STATUS_OK && batch.release && batch.length && i < batch.n_children; i++) {
        size_t start = out->len;
        buf_z(out, " AND ");
        if (!arrow_value_text(schema.children[i], batch.children[i], 0, out) && out->ptr) {
            out->len = start;
            out->ptr[start] = '\0';
        }
    }
    if (batch.release)
        batch.release(&batch);
    if (schema.release)
        schema.release(&schema);
    return status;
}

/* " AND key >= … AND key <= …" for all keys. */
static enum status put_ranges(struct merging *m, struct buf *out, struct error *err)
{
    struct change *c = m->c;
    struct ArrowArrayStream stream = {0};
    struct buf sql = BUF_INIT;
    bool few = c->rewrite.source_rows >= 0 && c->rewrite.source_rows <= FEW_ROWS;
    if (!m->key_count)
        return STATUS_OK;
    buf_z(&sql, "SELECT ");
    for (size_t i = 0; i < m->key_count; i++) {
        buf_z(&sql, i ? ", " : "");
        put_key_text(m, &m->keys[i], few, &sql);
    }
    buf_printf(&sql, " FROM %.*s", STR_ARG(c->rewrite.source));
    enum status status = buf_check(&sql, err);
    if (status == STATUS_OK)
        status = engine_query(c->ctx, c->session->lake->engine, buf_view(&sql), NULL, STR_NULL, &stream, err);
    if (status == STATUS_OK)
        status = read_texts(&stream, out, err);
    if (stream.release)
        stream.release(&stream);
    buf_release(&sql);
    return status;
}

/* ---- pruning -------------------------------------------------------------------------------------------------- */

static void put_target(struct change_text *t)
{
    change_put(t, " FROM " TABLE_TARGET " AS ");
    change_put(t, t->change->alias.ptr);
}

static void put_source(struct change_text *t, const char *join)
{
    change_put(t, join);
    change_put(t, TABLE_SOURCE " AS ");
    change_put(t, t->change->source_alias.ptr);
}

/* Rows of the target that can matter: those that can match, and those that a clause BY SOURCE asks for. */
static enum status find_predicate(struct merging *m, struct error *err)
{
    struct change *c = m->c;
    struct table_query ignored;
    struct buf ranges = BUF_INIT;
    for (uint32_t i = 0; i < c->in->clause_count; i++)
        if (c->in->clauses[i].when == SQL_MERGE_NOT_MATCHED_BY_SOURCE && !c->in->clauses[i].condition.ptr)
            return STATUS_OK;
    enum status status = find_keys(m, err);
    if (status == STATUS_OK)
        status = put_ranges(m, &ranges, err);
    if (status == STATUS_OK)
        status = buf_check(&ranges, err);
    if (status == STATUS_OK) {
        struct change_text t = change_text_begin(c);
        change_put(&t, "SELECT 1");
        put_target(&t);
        put_source(&t, " JOIN ");
        change_put(&t, " ON ");
        change_put_part(&t, c->in->condition);
        change_put(&t, " WHERE true");
        change_put(&t, ranges.ptr ? ranges.ptr : "");
        for (uint32_t i = 0; i < c->in->clause_count; i++) {
            if (c->in->clauses[i].when != SQL_MERGE_NOT_MATCHED_BY_SOURCE)
                continue;
            change_put(&t, " UNION ALL SELECT 1");
            put_target(&t);
            change_put(&t, " WHERE ");
            change_put_part(&t, c->in->clauses[i].condition);
        }
        status = change_query(&t, true, &ignored, &c->rewrite.pred, err);
    }
    buf_release(&ranges);
    return status;
}

/* ---- matching ----------------------------------------------------------------------------------------------------- */

/* A condition on one side's columns, of which no other is seen: as a subquery over them. */
static void put_scoped(struct merging *m, struct change_text *t, const struct sql_merge_clause *clause)
{
    struct change *c = m->c;
    bool of_source = clause->when == SQL_MERGE_NOT_MATCHED;
    const struct delta_type *schema = of_source ? m->source.schema : c->schema;
    struct str alias = of_source ? c->source_alias : c->alias;
    change_put(t, "(SELECT ");
    change_put_part(t, clause->condition);
    for (uint32_t i = 0; i < schema->field_count; i++) {
        change_put(t, i ? ", " : " FROM (SELECT ");
        change_put_column(t, alias, schema->fields[i].name);
    }
    change_put(t, ") AS ");
    change_put(t, alias.ptr);
    change_put(t, ")");
}

static void put_case(struct merging *m, struct change_text *t, enum sql_merge_when when)
{
    bool any = false;
    for (uint32_t i = 0; i < m->c->in->clause_count; i++) {
        const struct sql_merge_clause *clause = &m->c->in->clauses[i];
        if (clause->when != when)
            continue;
        change_put(t, any ? " WHEN " : "CASE WHEN ");
        if (clause->condition.ptr && m->scoped && when != SQL_MERGE_MATCHED)
            put_scoped(m, t, clause);
        else if (clause->condition.ptr)
            change_put_part(t, clause->condition);
        else
            change_put(t, "true");
        change_put(t, " THEN CAST(");
        change_put_number(t, i);
        change_put(t, " AS INTEGER)");
        any = true;
    }
    change_put(t, any ? " END" : "CAST(NULL AS INTEGER)");
}

static enum status match_as(struct merging *m, struct error *err)
{
    static const char *const joins[2][2] = {{" JOIN ", " LEFT JOIN "}, {" RIGHT JOIN ", " FULL JOIN "}};
    struct change *c = m->c;
    bool inserts = has_clause(m, SQL_MERGE_NOT_MATCHED), by_source = has_clause(m, SQL_MERGE_NOT_MATCHED_BY_SOURCE);
    struct change_text t = change_text_begin(c);
    change_put(&t, "SELECT * FROM (SELECT ");
    change_put_column(&t, c->alias, STR(ENGINE_FILE_COLUMN));
    change_put(&t, ", ");
    change_put_column(&t, c->alias, STR(ENGINE_ROW_COLUMN));
    change_put(&t, ", ");
    change_put_column(&t, c->source_alias, STR(TABLE_SOURCE_ROW));
    change_put(&t, ", CASE WHEN ");
    change_put_column(&t, c->alias, STR(ENGINE_FILE_COLUMN));
    change_put(&t, " IS NULL THEN ");
    put_case(m, &t, SQL_MERGE_NOT_MATCHED);
    change_put(&t, " WHEN ");
    change_put_column(&t, c->source_alias, STR(TABLE_SOURCE_ROW));
    change_put(&t, " IS NULL THEN ");
    put_case(m, &t, SQL_MERGE_NOT_MATCHED_BY_SOURCE);
    change_put(&t, " ELSE ");
    put_case(m, &t, SQL_MERGE_MATCHED);
    change_put(&t, " END AS " TABLE_ACTION);
    put_target(&t);
    put_source(&t, joins[inserts][by_source]);
    change_put(&t, " ON ");
    change_put_part(&t, c->in->condition);
    change_put(&t, ") AS varve_found WHERE " TABLE_ACTION " IS NOT NULL");
    if ((inserts || by_source) && c->rewrite.one_row_each)
        change_put(&t, " OR (" ENGINE_FILE_COLUMN " IS NOT NULL AND " TABLE_SOURCE_ROW " IS NOT NULL)");
    return change_query(&t, false, &c->rewrite.match, NULL, err);
}

static bool has_one_sided_condition(const struct merging *m)
{
    for (uint32_t i = 0; i < m->c->in->clause_count; i++)
        if (m->c->in->clauses[i].when != SQL_MERGE_MATCHED && m->c->in->clauses[i].condition.ptr)
            return true;
    return false;
}

/* WHEN NOT MATCHED BY SOURCE AND id = 3, where both sides have an id: it is the target's. */
static enum status match(struct merging *m, struct error *err)
{
    struct error first = ERROR_INIT;
    enum status status = match_as(m, &first);
    m->scoped = status == STATUS_BINDER && has_one_sided_condition(m);
    if (m->scoped && match_as(m, err) == STATUS_OK)
        status = STATUS_OK;
    else if (status != STATUS_OK && err)
        error_move(err, &first);
    error_release(&first);
    return status;
}

/* Clauses for rows of one side must do with its columns. */
static enum status check_scope(struct merging *m, const struct sql_merge_clause *clause, struct error *err)
{
    struct change *c = m->c;
    struct table_query ignored;
    bool of_source = clause->when == SQL_MERGE_NOT_MATCHED;
    if (clause->when == SQL_MERGE_MATCHED || (of_source && !clause->condition.ptr))
        return STATUS_OK;
    struct change_text t = change_text_begin(c);
    change_put(&t, "SELECT ");
    if (clause->condition.ptr)
        change_put_part(&t, clause->condition);
    else
        change_put(&t, "true");
    for (uint32_t i = 0; i < clause->assignment_count && !of_source; i++)
        if (clause->assignments[i].value.ptr) {
            change_put(&t, ", ");
            change_put_part(&t, clause->assignments[i].value);
        }
    if (of_source)
        put_source(&t, " FROM ");
    else
        put_target(&t);
    enum status status = change_query(&t, true, &ignored, NULL, err);
    if (status == STATUS_COLUMN_NOT_FOUND || status == STATUS_BINDER)
        error_hint(err, of_source ? "WHEN NOT MATCHED sees the source's columns only" : "WHEN NOT MATCHED BY SOURCE sees the target's columns only");
    return status;
}

/* ---- clauses ------------------------------------------------------------------------------------------------------------ */

static enum status missing(const struct merging *m, const struct sql_merge_clause *clause, struct str name, struct error *err)
{
    error_set(err, STATUS_COLUMN_NOT_FOUND, "the source has no column \"%.*s\" for %s", STR_ARG(name),
              clause->then == SQL_MERGE_INSERT ? "INSERT *" : "UPDATE SET *");
    error_hint(err,
               clause->then == SQL_MERGE_INSERT ? "add it to the source, or write * EXCEPT (%.*s) or INSERT (column, …) VALUES (…)"
                                                : "add it to the source, or write * EXCEPT (%.*s) or SET column = value, …",
               STR_ARG(name));
    (void)m;
    return at_clause(clause, STATUS_COLUMN_NOT_FOUND, err);
}

/* Columns that the table fills, and those that came with other rows, need not be in the source. */
static bool may_be_missing(const struct merging *m, const struct delta_field *field)
{
    return m->c->in->schema_evolution || delta_field_meta(field, "delta.generationExpression").ptr ||
           delta_field_meta(field, "delta.identity.step").ptr;
}

static enum status check_except(const struct merging *m, const struct sql_merge_clause *clause, struct error *err)
{
    for (uint32_t i = 0; i < clause->except_count; i++) {
        if (delta_field_find(m->c->schema, clause->except[i]))
            continue;
        error_set(err, STATUS_COLUMN_NOT_FOUND, "table \"%s\" has no column \"%.*s\"", m->c->table->qualified_name, STR_ARG(clause->except[i]));
        return at_clause(clause, STATUS_COLUMN_NOT_FOUND, err);
    }
    return STATUS_OK;
}

/* The source's columns that * stands for, by the target's column; NULL: left out. */
static enum status star(struct merging *m, const struct sql_merge_clause *clause, const struct delta_field ***out, struct error *err)
{
    const struct delta_type *schema = m->c->schema;
    const struct delta_field **fields = ARENA_ARRAY(m->c->arena, const struct delta_field *, schema->field_count + 1);
    if (!fields)
        return error_oom(err);
    enum status status = check_except(m, clause, err);
    for (uint32_t i = 0; i < schema->field_count && status == STATUS_OK; i++) {
        const struct delta_field *column = &schema->fields[i];
        if (is_excepted(clause, column->name))
            continue;
        fields[i] = delta_field_find(m->source.schema, column->name);
        if (!fields[i] && !may_be_missing(m, column))
            status = missing(m, clause, column->name, err);
    }
    *out = fields;
    return status;
}

static enum status assign_star(struct merging *m, uint32_t index, struct change_text *values, uint32_t *value_count, struct error *err)
{
    struct change *c = m->c;
    const struct delta_field **fields = NULL;
    struct table_assignment *items = ARENA_ARRAY(c->arena, struct table_assignment, c->schema->field_count + 1);
    uint32_t count = 0;
    enum status status = items ? star(m, &c->in->clauses[index], &fields, err) : error_oom(err);
    for (uint32_t i = 0; fields && i < c->schema->field_count && status == STATUS_OK; i++) {
        if (!fields[i])
            continue;
        items[count++] =
            (struct table_assignment){.path = &c->schema->fields[i].name, .depth = 1, .value = c->tracked->field_count + 1 + (*value_count)++};
        change_put(values, ", ");
        change_put_column(values, c->source_alias, fields[i]->name);
    }
    m->actions[index] = (struct table_action){.kind = TABLE_ACTION_UPDATE, .assignments = items, .assignment_count = count};
    return status;
}

static enum status update_query(struct merging *m, struct error *err)
{
    struct change *c = m->c;
    uint32_t values = 0;
    bool any = false;
    enum status status = STATUS_OK;
    struct change_text t = change_text_begin(c);
    change_put(&t, "SELECT ");
    change_put_target_columns(&t);
    for (uint32_t i = 0; i < c->in->clause_count && status == STATUS_OK; i++) {
        const struct sql_merge_clause *clause = &c->in->clauses[i];
        if (clause->then != SQL_MERGE_UPDATE)
            continue;
        any = true;
        if (clause->all)
            status = assign_star(m, i, &t, &values, err);
        else
            status = change_assign(c, clause->assignments, clause->assignment_count, i, &m->actions[i], &t, &values, err);
        m->actions[i].by_source = clause->when == SQL_MERGE_NOT_MATCHED_BY_SOURCE;
    }
    if (status != STATUS_OK || !any) {
        buf_release(&t.out);
        return status;
    }
    put_target(&t);
    change_put(&t, " LEFT JOIN " TABLE_MATCHES " ON ");
    change_put_column(&t, c->alias, STR(ENGINE_FILE_COLUMN));
    change_put(&t, " = " TABLE_MATCHES "." ENGINE_FILE_COLUMN " AND ");
    change_put_column(&t, c->alias, STR(ENGINE_ROW_COLUMN));
    change_put(&t, " = " TABLE_MATCHES "." ENGINE_ROW_COLUMN " AND " TABLE_MATCHES "." TABLE_ACTION " IS NOT NULL");
    put_source(&t, " LEFT JOIN ");
    change_put(&t, " ON " TABLE_MATCHES "." TABLE_SOURCE_ROW " = ");
    change_put_column(&t, c->source_alias, STR(TABLE_SOURCE_ROW));
    return change_query(&t, false, &c->rewrite.update, NULL, err);
}

/* ---- inserts -------------------------------------------------------------------------------------------------------------- */

static enum status insert_star(struct merging *m, const struct sql_merge_clause *clause, struct table_action *out, struct change_text *t,
                               struct error *err)
{
    struct change *c = m->c;
    const struct delta_field **fields = NULL;
    struct str *columns = ARENA_ARRAY(c->arena, struct str, c->schema->field_count + 1);
    enum status status = columns ? star(m, clause, &fields, err) : error_oom(err);
    for (uint32_t i = 0; fields && i < c->schema->field_count && status == STATUS_OK; i++) {
        if (!fields[i])
            continue;
        change_put(t, out->column_count ? ", " : "");
        change_put_column(t, c->source_alias, fields[i]->name);
        columns[out->column_count++] = c->schema->fields[i].name;
    }
    out->columns = columns;
    return status;
}

static enum status insert_column(struct merging *m, const struct sql_assignment *a, struct str *columns, uint32_t count, struct error *err)
{
    struct table_assignment target;
    enum status status = change_path(m->c, a, &target, err);
    if (status != STATUS_OK)
        return status;
    if (target.depth > 1) {
        error_set(err, STATUS_NOT_SUPPORTED, "INSERT takes columns, not fields of columns");
        error_hint(err, "give the whole struct as the column's value");
        if (err)
            err->position = (int64_t)a->offset;
        return STATUS_NOT_SUPPORTED;
    }
    columns[count] = target.path[0];
    for (uint32_t i = 0; i < count; i++)
        if (str_eq(columns[i], columns[count])) {
            error_set(err, STATUS_INVALID_ARGUMENT, "column \"%.*s\" is named twice", STR_ARG(columns[i]));
            if (err)
                err->position = (int64_t)a->offset;
            return STATUS_INVALID_ARGUMENT;
        }
    return STATUS_OK;
}

/* A column with DEFAULT is one that is not named. */
static enum status insert_values(struct merging *m, const struct sql_merge_clause *clause, struct table_action *out, struct change_text *t,
                                 struct error *err)
{
    struct str *named = ARENA_ARRAY(m->c->arena, struct str, clause->assignment_count + 1);
    struct str *columns = ARENA_ARRAY(m->c->arena, struct str, clause->assignment_count + 1);
    enum status status = named && columns ? STATUS_OK : error_oom(err);
    for (uint32_t i = 0; i < clause->assignment_count && status == STATUS_OK; i++) {
        status = insert_column(m, &clause->assignments[i], named, i, err);
        if (status != STATUS_OK || !clause->assignments[i].value.ptr)
            continue;
        change_put(t, out->column_count ? ", " : "");
        change_put_value(t, clause->assignments[i].value, delta_field_find(m->c->schema, named[i])->type);
        columns[out->column_count++] = named[i];
    }
    out->columns = columns;
    return status;
}

/* Every column has its default: a row still needs a value, which no column takes. */
static enum status insert_query(struct merging *m, uint32_t index, struct error *err)
{
    struct change *c = m->c;
    const struct sql_merge_clause *clause = &c->in->clauses[index];
    struct table_action *out = &m->actions[index];
    *out = (struct table_action){.kind = TABLE_ACTION_INSERT};
    struct change_text t = change_text_begin(c);
    change_put(&t, "SELECT ");
    enum status status = clause->all ? insert_star(m, clause, out, &t, err) : insert_values(m, clause, out, &t, err);
    if (status == STATUS_OK && !out->column_count) {
        error_set(err, STATUS_NOT_SUPPORTED, "INSERT needs a value for one column at least");
        status = at_clause(clause, STATUS_NOT_SUPPORTED, err);
    }
    if (status != STATUS_OK) {
        buf_release(&t.out);
        return status;
    }
    put_source(&t, " FROM ");
    if (m->insert_only) {
        change_put(&t, " ANTI JOIN " TABLE_TARGET " AS ");
        change_put(&t, c->alias.ptr);
        change_put(&t, " ON ");
        change_put_part(&t, c->in->condition);
        if (clause->condition.ptr) {
            change_put(&t, " WHERE ");
            change_put_part(&t, clause->condition);
        }
    } else {
        change_put(&t, " JOIN " TABLE_MATCHES " ON ");
        change_put_column(&t, c->source_alias, STR(TABLE_SOURCE_ROW));
        change_put(&t, " = " TABLE_MATCHES "." TABLE_SOURCE_ROW " WHERE " TABLE_MATCHES "." TABLE_ACTION " = ");
        change_put_number(&t, index);
    }
    return change_query(&t, false, &out->rows, NULL, err);
}

static enum status take_clauses(struct merging *m, struct error *err)
{
    struct change *c = m->c;
    m->actions = ARENA_ARRAY(c->arena, struct table_action, c->in->clause_count);
    enum status status = m->actions ? STATUS_OK : error_oom(err);
    c->rewrite.actions = m->actions;
    c->rewrite.action_count = c->in->clause_count;
    for (uint32_t i = 0; i < c->in->clause_count && status == STATUS_OK; i++) {
        const struct sql_merge_clause *clause = &c->in->clauses[i];
        if (clause->then == SQL_MERGE_INSERT)
            status = insert_query(m, i, err);
        else if (clause->then == SQL_MERGE_DELETE)
            m->actions[i] = (struct table_action){.kind = TABLE_ACTION_DELETE, .by_source = clause->when == SQL_MERGE_NOT_MATCHED_BY_SOURCE};
    }
    return status == STATUS_OK ? update_query(m, err) : status;
}

/* ---- commitInfo ---------------------------------------------------------------------------------------------------------------- */

static enum status clause_parameter(struct merging *m, const char *key, enum sql_merge_when when, struct error *err)
{
    static const char *const kinds[] = {[SQL_MERGE_UPDATE] = "update", [SQL_MERGE_DELETE] = "delete", [SQL_MERGE_INSERT] = "insert"};
    struct buf json = BUF_INIT;
    buf_char(&json, '[');
    for (uint32_t i = 0; i < m->c->in->clause_count; i++) {
        const struct sql_merge_clause *clause = &m->c->in->clauses[i];
        if (clause->when != when)
            continue;
        buf_z(&json, json.len > 1 ? ",{" : "{");
        if (clause->condition.ptr) {
            buf_z(&json, "\"predicate\":");
            json_put_string(&json, clause->condition);
            buf_char(&json, ',');
        }
        buf_printf(&json, "\"actionType\":\"%s\"}", kinds[clause->then]);
    }
    buf_char(&json, ']');
    enum status status = buf_check(&json, err);
    if (status == STATUS_OK)
        status = change_parameter(m->c, key, buf_view(&json), err);
    buf_release(&json);
    return status;
}

static enum status describe(struct merging *m, struct error *err)
{
    m->c->rewrite.operation = "MERGE";
    enum status status = change_predicate(m->c, m->c->in->condition, err);
    if (status == STATUS_OK)
        status = clause_parameter(m, "matchedPredicates", SQL_MERGE_MATCHED, err);
    if (status == STATUS_OK)
        status = clause_parameter(m, "notMatchedPredicates", SQL_MERGE_NOT_MATCHED, err);
    if (status == STATUS_OK)
        status = clause_parameter(m, "notMatchedBySourcePredicates", SQL_MERGE_NOT_MATCHED_BY_SOURCE, err);
    return status;
}

/* Several rows of the source may delete one row; anything else that they may do to it is not decided. */
static bool needs_one_row_each(const struct merging *m)
{
    uint32_t matched = 0;
    bool plain_delete = false;
    for (uint32_t i = 0; i < m->c->in->clause_count; i++) {
        const struct sql_merge_clause *clause = &m->c->in->clauses[i];
        if (clause->when != SQL_MERGE_MATCHED)
            continue;
        matched++;
        plain_delete = clause->then == SQL_MERGE_DELETE && !clause->condition.ptr;
    }
    return matched > 1 || (matched == 1 && !plain_delete);
}

/* A row that matches and stays as it is keeps others from being inserted: what becomes of it matters.  Without inserts, or when every row that
 * matches is changed, there is no such row. */
static bool takes_all(const struct merging *m)
{
    for (uint32_t i = 0; i < m->c->in->clause_count; i++)
        if (m->c->in->clauses[i].when == SQL_MERGE_MATCHED && !m->c->in->clauses[i].condition.ptr)
            return true;
    return !has_clause(m, SQL_MERGE_NOT_MATCHED);
}

static enum status try_merge(struct change *c, struct table_change *out, struct error *err)
{
    struct merging m = {.c = c};
    m.insert_only = c->in->clause_count == 1 && c->in->clauses[0].when == SQL_MERGE_NOT_MATCHED;
    c->rewrite.is_merge = true;
    c->rewrite.takes_all = takes_all(&m);
    c->rewrite.one_row_each = needs_one_row_each(&m);
    enum status status = describe(&m, err);
    if (status == STATUS_OK)
        status = open_source(&m, err);
    if (status == STATUS_OK)
        status = evolve(&m, err);
    for (uint32_t i = 0; i < c->in->clause_count && status == STATUS_OK; i++)
        status = check_scope(&m, &c->in->clauses[i], err);
    if (status == STATUS_OK)
        status = find_predicate(&m, err);
    if (status == STATUS_OK && !m.insert_only)
        status = match(&m, err);
    if (status == STATUS_OK)
        status = take_clauses(&m, err);
    return status == STATUS_OK ? change_rewrite(c, out, err) : status;
}

enum status exec_merge(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                       struct error *err)
{
    struct table_change change = {0};
    enum status status = change_run(ctx, s, arena, st, try_merge, &change, err);
    return status == STATUS_OK ? change_rows_answer(out, &change, true, err) : status;
}

/* ---- INSERT … REPLACE ON, REPLACE USING -------------------------------------------------------------------------------------------- */

/* The query's column that the new rows' column `name` comes from: the one of this name, or the one in its place. */
static const struct delta_field *source_of(const struct merging *m, struct str name)
{
    const struct statement *st = m->c->st;
    const struct delta_type *rows = m->source.schema, *table = m->c->schema;
    uint32_t count = st->insert_columns ? st->insert_column_count : table->field_count;
    if (!rows)
        return NULL;
    if (st->by_name)
        return delta_field_find(rows, name);
    for (uint32_t i = 0; i < count && i < rows->field_count; i++)
        if (str_ieq(st->insert_columns ? st->insert_columns[i] : table->fields[i].name, name))
            return &rows->fields[i];
    return NULL;
}

static enum status no_replace_column(const struct merging *m, struct str name, struct error *err)
{
    bool in_table = delta_field_find(m->c->schema, name) != NULL;
    if (in_table)
        error_set(err, STATUS_COLUMN_NOT_FOUND, "the new rows have no column \"%.*s\" for REPLACE USING", STR_ARG(name));
    else
        error_set(err, STATUS_COLUMN_NOT_FOUND, "table \"%s\" has no column \"%.*s\"", m->c->table->qualified_name, STR_ARG(name));
    if (err)
        err->position = name.ptr >= m->c->st->text.ptr && name.ptr < m->c->st->text.ptr + m->c->st->text.len ? name.ptr - m->c->st->text.ptr
                                                                                                             : (int64_t)m->c->st->name.offset;
    return STATUS_COLUMN_NOT_FOUND;
}

/* The condition that REPLACE USING stands for: NULL equals nothing. */
static enum status using_condition(struct merging *m, struct str *out, struct error *err)
{
    struct change *c = m->c;
    struct buf text = BUF_INIT;
    enum status status = STATUS_OK;
    for (uint32_t i = 0; i < c->st->replace_using_count && status == STATUS_OK; i++) {
        const struct delta_field *target = delta_field_find(c->schema, c->st->replace_using[i]);
        const struct delta_field *source = target ? source_of(m, target->name) : NULL;
        if (!source) {
            status = no_replace_column(m, c->st->replace_using[i], err);
            break;
        }
        buf_printf(&text, "%s%s.", i ? " AND " : "", c->alias.ptr);
        engine_quote_identifier(target->name, &text);
        buf_printf(&text, " = %s.", c->source_alias.ptr);
        engine_quote_identifier(source->name, &text);
    }
    if (status == STATUS_OK)
        status = buf_check(&text, err);
    if (status == STATUS_OK && !(*out = arena_str(c->arena, buf_view(&text))).ptr)
        status = error_oom(err);
    buf_release(&text);
    return status;
}

static enum status describe_replace(struct change *c, struct error *err)
{
    c->rewrite.operation = "WRITE";
    enum status status = change_parameter(c, "mode", STR("Overwrite"), err);
    if (status == STATUS_OK)
        status = change_parameter(c, "partitionBy", STR("[]"), err);
    return status == STATUS_OK ? change_parameter(c, "predicate", c->in->condition, err) : status;
}

/* The rows that some new row replaces, and the new rows. */
static enum status replace_queries(struct merging *m, struct table_action *insert, struct error *err)
{
    struct change *c = m->c;
    struct change_text t = change_text_begin(c);
    change_put(&t, "SELECT " ENGINE_FILE_COLUMN ", " ENGINE_ROW_COLUMN ", CAST(NULL AS BIGINT) AS " TABLE_SOURCE_ROW
                   ", CAST(0 AS INTEGER) AS " TABLE_ACTION);
    put_target(&t);
    put_source(&t, " SEMI JOIN ");
    change_put(&t, " ON ");
    change_put_part(&t, c->in->condition);
    enum status status = change_query(&t, false, &c->rewrite.match, NULL, err);
    if (status != STATUS_OK)
        return status;
    t = change_text_begin(c);
    change_put(&t, "SELECT ");
    for (uint32_t i = 0; i < m->source.schema->field_count; i++) {
        change_put(&t, i ? ", " : "");
        change_put_column(&t, c->source_alias, m->source.schema->fields[i].name);
    }
    put_source(&t, " FROM ");
    return change_query(&t, false, &insert->rows, NULL, err);
}

static enum status try_replace_matching(struct change *c, struct table_change *out, struct error *err)
{
    struct merging m = {.c = c};
    struct sql_change in = *c->in;
    struct table_action *actions = ARENA_ARRAY(c->arena, struct table_action, 2);
    enum status status = actions ? open_source(&m, err) : error_oom(err);
    if (status == STATUS_OK && c->st->replace_using_count)
        status = using_condition(&m, &in.condition, err);
    c->in = &in;
    if (status == STATUS_OK)
        status = describe_replace(c, err);
    if (status == STATUS_OK)
        status = find_predicate(&m, err);
    if (status == STATUS_OK) {
        actions[0] = (struct table_action){.kind = TABLE_ACTION_DELETE};
        actions[1] = (struct table_action){.kind = TABLE_ACTION_INSERT,
                                           .columns = c->st->insert_columns,
                                           .column_count = c->st->insert_column_count,
                                           .by_name = c->st->by_name,
                                           .replaces = true};
        c->rewrite.actions = actions;
        c->rewrite.action_count = 2;
        status = replace_queries(&m, &actions[1], err);
    }
    if (status == STATUS_OK)
        status = change_rewrite(c, out, err);
    c->in = &c->st->change;
    return status;
}

enum status exec_insert_replace_matching(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st,
                                         struct exec_result *out, struct error *err)
{
    struct table_change change = {0};
    if (st->property_count || st->change.schema_evolution)
        return error_set(err, STATUS_NOT_SUPPORTED, "INSERT … REPLACE ON and REPLACE USING take no options and no WITH SCHEMA EVOLUTION");
    enum status status = change_run(ctx, s, arena, st, try_replace_matching, &change, err);
    return status == STATUS_OK ? change_rows_answer(out, &change, true, err) : status;
}
