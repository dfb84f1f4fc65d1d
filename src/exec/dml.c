/* exec/dml.c: DELETE, UPDATE and TRUNCATE; the parts that MERGE shares with them.
 *
 * A statement becomes queries over names (table/table.h, "changing rows that are there"), each put together from its parts with a map of where
 * they came from, so that an error of the engine has its place in the statement. */
#include "exec/exec_int.h"

#include <time.h>

enum { TRIES = 8, PAUSE_MS = 20 };

/* ---- texts ------------------------------------------------------------------------------------- */

static void put_edit(struct change_text *t, size_t out_start, size_t origin)
{
    if (t->edit_count == 0 || (t->edit_count & (t->edit_count - 1)) == 0) {
        struct sql_edit *grown = ARENA_ARRAY(t->change->arena, struct sql_edit, t->edit_count ? 2 * (size_t)t->edit_count : 1);
        if (grown && t->edit_count)
            memcpy(grown, t->edits, t->edit_count * sizeof *grown);
        t->edits = grown;
    }
    if (!t->edits) {
        t->failed = true;
        return;
    }
    t->edits[t->edit_count++] = (struct sql_edit){.out_start = out_start, .out_end = t->out.len, .in_start = origin, .in_end = origin};
}

/* Text of ours before it stands for the place where the part begins. */
static void put_origin(struct change_text *t, struct str part)
{
    size_t start = t->edit_count ? t->edits[t->edit_count - 1].out_end + 1 : 0;
    const struct statement *st = t->change->st;
    bool inside = part.ptr >= st->text.ptr && part.ptr <= st->text.ptr + st->text.len; /* else it was made from the statement's names */
    if (!t->failed)
        put_edit(t, start < t->out.len ? start : t->out.len, inside ? (size_t)(part.ptr - st->text.ptr) : st->name.offset);
}

struct change_text change_text_begin(struct change *c)
{
    struct change_text t = {.change = c};
    if (c->in->with.ptr) {
        put_origin(&t, c->in->with);
        buf_printf(&t.out, "%.*s\n", STR_ARG(c->in->with));
    }
    return t;
}

void change_put(struct change_text *t, const char *text) { buf_z(&t->out, text); }

void change_put_number(struct change_text *t, int64_t number) { buf_i64(&t->out, number); }

/* A comment at the part's end must not swallow the bracket. */
void change_put_part(struct change_text *t, struct str part)
{
    buf_char(&t->out, '(');
    put_origin(t, part);
    buf_str(&t->out, part);
    buf_z(&t->out, "\n)");
}

void change_put_raw(struct change_text *t, struct str part)
{
    put_origin(t, part);
    buf_str(&t->out, part);
    buf_char(&t->out, '\n');
}

void change_put_column(struct change_text *t, struct str alias, struct str column)
{
    buf_str(&t->out, alias);
    buf_char(&t->out, '.');
    engine_quote_identifier(column, &t->out);
}

void change_put_target_columns(struct change_text *t)
{
    struct change *c = t->change;
    for (uint32_t i = 0; i < c->tracked->field_count; i++) {
        change_put(t, i ? ", " : "");
        change_put_column(t, c->alias, c->tracked->fields[i].name);
    }
    change_put(t, ", " TABLE_MATCHES "." TABLE_ACTION);
}

/* ---- planning --------------------------------------------------------------------------------------- */

static struct delta_type integer_type = {.id = DELTA_INTEGER}, long_type = {.id = DELTA_LONG};
static struct delta_field match_fields[] = {{.name = STR(ENGINE_FILE_COLUMN), .type = &integer_type, .nullable = true},
                                            {.name = STR(ENGINE_ROW_COLUMN), .type = &long_type, .nullable = true},
                                            {.name = STR(TABLE_SOURCE_ROW), .type = &long_type, .nullable = true},
                                            {.name = STR(TABLE_ACTION), .type = &integer_type, .nullable = true}};
static const struct delta_type match_schema = {.id = DELTA_STRUCT, .field_count = VV_ARRAY_COUNT(match_fields), .fields = match_fields};

static struct exec_frame *new_frame(struct change_text *t, const struct delta_type *target)
{
    struct change *c = t->change;
    struct exec_frame *frame = ARENA_NEW(c->arena, struct exec_frame);
    struct exec_bound *bound = ARENA_ARRAY(c->arena, struct exec_bound, 3);
    struct str text = arena_str(c->arena, buf_view(&t->out));
    if (!frame || !bound || !text.ptr)
        return NULL;
    bound[0] = (struct exec_bound){.name = STR(TABLE_TARGET), .schema = target};
    bound[1] = (struct exec_bound){.name = STR(TABLE_MATCHES), .schema = &match_schema};
    bound[2] = (struct exec_bound){.name = STR(TABLE_SOURCE), .schema = c->source};
    *frame = (struct exec_frame){.origin = {.text = text, .edits = t->edits, .edit_count = t->edit_count},
                                 .bound = bound,
                                 .bound_count = c->source ? 3 : 2,
                                 .pinned = c->snapshot};
    return frame;
}

static enum status keep_select(struct change *c, struct exec_select *select, struct error *err)
{
    uint32_t n = c->select_count;
    if ((n & (n - 1)) == 0) {
        struct exec_select **grown = ARENA_ARRAY(c->arena, struct exec_select *, n ? 2 * (size_t)n : 1);
        if (!grown) {
            exec_select_free(select);
            return error_oom(err);
        }
        if (n)
            memcpy(grown, c->selects, n * sizeof *grown);
        c->selects = grown;
    }
    c->selects[c->select_count++] = select;
    return STATUS_OK;
}

/* The engine offers the names nearest to one that it does not know: ours are of no use to anybody. */
static enum status without_own_names(enum status status, struct error *err)
{
    if (err && err->hint && (strstr(err->hint, "varve_") || strstr(err->hint, "_row-id-col-") || strstr(err->hint, "_row-commit-version-col-"))) {
        mem_free(err->hint);
        err->hint = NULL;
    }
    return status;
}

static enum status query_over(struct change_text *t, const struct delta_type *target, bool bind_only, struct table_query *out,
                              const struct delta_pred **pred, struct error *err)
{
    struct change *c = t->change;
    struct exec_select *select = NULL;
    struct table_source source = {0};
    *out = (struct table_query){0};
    enum status status = t->failed ? error_oom(err) : buf_check(&t->out, err);
    struct exec_frame *frame = status == STATUS_OK ? new_frame(t, target) : NULL;
    buf_release(&t->out);
    if (status == STATUS_OK)
        status = frame ? exec_select_prepare_in(c->ctx, c->session, frame, &select, err) : error_oom(err);
    if (status == STATUS_OK)
        status = keep_select(c, select, err);
    if (status == STATUS_OK)
        status = bind_only ? exec_select_bind(c->ctx, select, err) : exec_select_source(c->ctx, select, &source, err);
    if (source.hold)
        engine_hold_join(&c->holds, source.hold);
    if (status != STATUS_OK)
        return without_own_names(status, err);
    *out = (struct table_query){.select = source.select, .schema = source.schema};
    if (pred)
        *pred = frame->bound[0].pred;
    return STATUS_OK;
}

enum status change_query(struct change_text *t, bool bind_only, struct table_query *out, const struct delta_pred **pred, struct error *err)
{
    return query_over(t, t->change->target, bind_only, out, pred, err);
}

/* ---- columns ------------------------------------------------------------------------------------------- */

static enum status no_column(const struct change *c, const struct sql_assignment *a, const struct delta_type *type, struct str name,
                             struct error *err)
{
    struct str *names = ARENA_ARRAY(c->arena, struct str, type->field_count + 1);
    if (!names)
        return error_oom(err);
    for (uint32_t i = 0; i < type->field_count; i++)
        names[i] = type->fields[i].name;
    error_set(err, STATUS_COLUMN_NOT_FOUND, "table \"%s\" has no column \"%.*s\"", c->table->qualified_name, STR_ARG(name));
    struct str near = str_nearest(name, names, type->field_count);
    if (near.ptr)
        error_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    if (err)
        err->position = (int64_t)a->offset;
    return STATUS_COLUMN_NOT_FOUND;
}

/* How many parts of the path name the table: an alias, or the table's own name. */
static uint32_t qualifier_depth(const struct change *c, const struct sql_assignment *a)
{
    struct str alias = c->in->alias.ptr ? c->in->alias : c->st->name.table;
    if (a->depth > 1 && str_ieq(a->path[0], alias) && delta_field_find(c->schema, a->path[1]))
        return 1;
    return 0;
}

enum status change_path(struct change *c, const struct sql_assignment *a, struct table_assignment *out, struct error *err)
{
    uint32_t from = qualifier_depth(c, a);
    const struct delta_type *type = c->schema;
    struct str *path = ARENA_ARRAY(c->arena, struct str, a->depth);
    if (!path)
        return error_oom(err);
    for (uint32_t i = from; i < a->depth; i++) {
        const struct delta_field *field = type->id == DELTA_STRUCT ? delta_field_find(type, a->path[i]) : NULL;
        if (type->id != DELTA_STRUCT) {
            error_set(err, STATUS_TYPE_MISMATCH, "\"%.*s\" is no struct: only fields of structs can be set by themselves", STR_ARG(a->path[i - 1]));
            if (err)
                err->position = (int64_t)a->offset;
            return STATUS_TYPE_MISMATCH;
        }
        if (!field)
            return no_column(c, a, type, a->path[i], err);
        path[i - from] = field->name;
        type = field->type;
    }
    *out = (struct table_assignment){.path = path, .depth = a->depth - from, .value = TABLE_DEFAULT};
    return STATUS_OK;
}

/* One of the two paths leads to the other, or they are the same. */
static bool overlaps(const struct table_assignment *a, const struct table_assignment *b)
{
    for (uint32_t i = 0; i < a->depth && i < b->depth; i++)
        if (!str_eq(a->path[i], b->path[i]))
            return false;
    return true;
}

static enum status check_once(const struct sql_assignment *a, const struct table_assignment *items, uint32_t count, struct error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!overlaps(&items[i], &items[count]))
            continue;
        error_set(err, STATUS_INVALID_ARGUMENT, "column \"%.*s\" is set twice", STR_ARG(items[count].path[items[count].depth - 1]));
        if (err)
            err->position = (int64_t)a->offset;
        return STATUS_INVALID_ARGUMENT;
    }
    return STATUS_OK;
}

void change_put_value(struct change_text *t, struct str value, const struct delta_type *type)
{
    if (!str_ieq(value, STR("NULL"))) {
        change_put_part(t, value);
        return;
    }
    change_put(t, "CAST(NULL AS ");
    engine_type_sql(type, &t->out);
    change_put(t, ")");
}

static const struct delta_type *type_at(const struct delta_type *type, const struct table_assignment *a)
{
    for (uint32_t i = 0; i < a->depth; i++)
        type = delta_field_find(type, a->path[i])->type;
    return type;
}

/* Computed only where the action is the row's: another row may have no such value. */
static void put_assigned(struct change_text *t, struct str value, const struct table_assignment *a, uint32_t action)
{
    change_put(t, ", CASE WHEN " TABLE_MATCHES "." TABLE_ACTION " = ");
    change_put_number(t, action);
    change_put(t, " THEN ");
    change_put_value(t, value, type_at(t->change->schema, a));
    change_put(t, " END");
}

enum status change_assign(struct change *c, const struct sql_assignment *assignments, uint32_t count, uint32_t action, struct table_action *out,
                          struct change_text *values, uint32_t *value_count, struct error *err)
{
    struct table_assignment *items = ARENA_ARRAY(c->arena, struct table_assignment, count + 1);
    enum status status = items ? STATUS_OK : error_oom(err);
    for (uint32_t i = 0; i < count && status == STATUS_OK; i++) {
        status = change_path(c, &assignments[i], &items[i], err);
        if (status == STATUS_OK)
            status = check_once(&assignments[i], items, i, err);
        if (status != STATUS_OK || !assignments[i].value.ptr)
            continue;
        items[i].value = c->tracked->field_count + 1 + (*value_count)++;
        put_assigned(values, assignments[i].value, &items[i], action);
    }
    *out = (struct table_action){.kind = TABLE_ACTION_UPDATE, .assignments = items, .assignment_count = count};
    return status;
}

/* ---- commitInfo --------------------------------------------------------------------------------------------- */

enum status change_parameter(struct change *c, const char *key, struct str text, struct error *err)
{
    uint32_t n = c->rewrite.parameter_count;
    struct delta_property *items = ARENA_ARRAY(c->arena, struct delta_property, n + 1);
    struct str copy = text.ptr ? arena_str(c->arena, text) : STR_NULL;
    if (!items || (text.ptr && !copy.ptr))
        return error_oom(err);
    if (n)
        memcpy(items, c->rewrite.parameters, n * sizeof *items);
    items[n] = (struct delta_property){.key = str_of(key), .value = copy};
    c->rewrite.parameters = items;
    c->rewrite.parameter_count = n + 1;
    return STATUS_OK;
}

enum status change_predicate(struct change *c, struct str condition, struct error *err)
{
    struct buf json = BUF_INIT, text = BUF_INIT;
    buf_char(&json, '[');
    if (condition.ptr) {
        bool literal = str_eq(condition, STR("true"));
        buf_printf(&text, literal ? "%.*s" : "(%.*s)", STR_ARG(condition));
        json_put_string(&json, buf_view(&text));
    }
    buf_char(&json, ']');
    json.failed |= text.failed;
    enum status status = buf_check(&json, err);
    if (status == STATUS_OK)
        status = change_parameter(c, "predicate", buf_view(&json), err);
    buf_release(&json);
    buf_release(&text);
    return status;
}

/* ---- one try, and another ------------------------------------------------------------------------------------- */

static struct delta_type *with_columns(struct arena *arena, const struct delta_type *schema, const struct delta_field *more, uint32_t count)
{
    struct delta_type *out = ARENA_NEW(arena, struct delta_type);
    struct delta_field *fields = ARENA_ARRAY(arena, struct delta_field, (size_t)schema->field_count + count);
    if (!out || !fields)
        return NULL;
    if (schema->field_count)
        memcpy(fields, schema->fields, schema->field_count * sizeof *fields);
    memcpy(fields + schema->field_count, more, count * sizeof *fields);
    *out = (struct delta_type){.id = DELTA_STRUCT, .fields = fields, .field_count = schema->field_count + count};
    return out;
}

enum status change_set_schema(struct change *c, const struct delta_type *schema, struct error *err)
{
    c->schema = schema;
    c->rewrite.schema = schema;
    enum status status = delta_tracked_schema(c->arena, delta_snapshot_metadata(c->snapshot), schema, &c->tracked, err);
    if (status != STATUS_OK)
        return error_context(err, "while changing rows of table \"%s\"", c->table->qualified_name);
    c->target = with_columns(c->arena, c->tracked, match_fields, 2);
    return c->target ? STATUS_OK : error_oom(err);
}

enum status change_set_source(struct change *c, const struct delta_type *schema, struct error *err)
{
    c->source = with_columns(c->arena, schema, &match_fields[2], 1);
    return c->source ? STATUS_OK : error_oom(err);
}

static struct str quoted(struct arena *arena, struct str name)
{
    struct buf text = BUF_INIT;
    engine_quote_identifier(name, &text);
    struct str out = text.failed ? STR_NULL : arena_str(arena, buf_view(&text));
    buf_release(&text);
    return out;
}

static enum status change_open(struct change *c, struct error *err)
{
    bool moves_only = c->st->kind == STATEMENT_OPTIMIZE || c->st->kind == STATEMENT_REORG;
    enum status status = table_changeable(c->ctx, c->table, moves_only, &c->snapshot, err);
    if (status != STATUS_OK)
        return status;
    c->alias = quoted(c->arena, c->in->alias.ptr ? c->in->alias : c->st->name.table);
    c->source_alias = quoted(c->arena, c->in->source_alias.ptr ? c->in->source_alias : STR(TABLE_SOURCE));
    c->rewrite.base = c->snapshot;
    c->rewrite.session_settings = exec_engine_settings(c->session, c->arena);
    return c->alias.ptr && c->source_alias.ptr ? change_set_schema(c, delta_snapshot_schema(c->snapshot), err) : error_oom(err);
}

static void change_close(struct change *c)
{
    engine_hold_free(c->holds);
    for (uint32_t i = 0; i < c->select_count; i++)
        exec_select_free(c->selects[i]);
    delta_snapshot_unref(c->snapshot);
}

enum status change_rewrite(struct change *c, struct table_change *out, struct error *err)
{
    const struct delta_pred **reads = NULL;
    for (uint32_t i = 0; i < c->select_count; i++) {
        struct delta_snapshot *same;
        enum status status =
            exec_select_reads_of(c->selects[i], delta_snapshot_table(c->snapshot), c->arena, &reads, &c->rewrite.read_count, &same, err);
        if (status != STATUS_OK)
            return status;
    }
    c->rewrite.reads = reads;
    return table_rewrite(c->ctx, c->session->lake->engine, c->table, &c->rewrite, out, err);
}

enum status change_pause(struct ctx *ctx, int try, struct error *err)
{
    uint32_t random = 0;
    ctx->rng->fill(ctx->rng->self, &random, sizeof random);
    int64_t ms = 1 + random % ((uint32_t)PAUSE_MS << (try < 5 ? try : 5));
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
    return ctx_check(ctx, err);
}

enum status change_rows_answer(struct exec_result *out, const struct table_change *change, bool is_merge, struct error *err)
{
    static const struct rowset_column columns[] = {{"version", "l"},          {"num_affected_rows", "l"}, {"files_added", "l"},
                                                   {"files_removed", "l"},    {"num_updated_rows", "l"},  {"num_deleted_rows", "l"},
                                                   {"num_inserted_rows", "l"}};
    const int64_t values[] = {change->version,      change->rows,         change->files_added,  change->files_removed,
                              change->rows_updated, change->rows_deleted, change->rows_inserted};
    size_t count = is_merge ? VV_ARRAY_COUNT(columns) : 4;
    struct rowset *rows = rowset_new(columns, count);
    if (!rows)
        return error_oom(err);
    for (size_t i = 0; i < count; i++)
        rowset_i64(rows, values[i]);
    out->version = change->version;
    return rowset_stream(rows, &out->stream, err);
}

static enum status try_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct catalog_table *table,
                             change_try_fn try_once, struct table_change *out, struct error *err)
{
    struct change c = {.ctx = ctx, .session = s, .arena = arena, .st = st, .in = &st->change, .table = table};
    enum status status = change_open(&c, err);
    if (status == STATUS_OK)
        status = try_once(&c, out, err);
    change_close(&c);
    return status;
}

enum status change_run(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, change_try_fn try_once,
                       struct table_change *out, struct error *err)
{
    struct catalog_table table = {0};
    struct delta_snapshot *snapshot = NULL;
    enum status status = exec_open_named(ctx, s, &st->name, &table, &snapshot, err);
    if (status != STATUS_OK)
        return status;
    delta_snapshot_unref(snapshot);
    for (int tries = 1;; tries++) {
        status = try_table(ctx, s, arena, st, &table, try_once, out, err);
        if (status != STATUS_COMMIT_CONFLICT || tries == TRIES)
            break;
        atomic_fetch_add(&s->lake->counters.commit_conflicts, 1);
        if ((status = change_pause(ctx, tries, err)) != STATUS_OK)
            break;
        if (err)
            error_release(err);
    }
    catalog_table_release(&table);
    return status;
}

static enum status run_rows(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, change_try_fn try_once,
                            struct exec_result *out, struct error *err)
{
    struct table_change change = {0};
    enum status status = change_run(ctx, s, arena, st, try_once, &change, err);
    return status == STATUS_OK ? change_rows_answer(out, &change, false, err) : status;
}

/* ---- DELETE ------------------------------------------------------------------------------------------------------ */

static const struct table_action delete_action = {.kind = TABLE_ACTION_DELETE};

static void put_condition(struct change_text *t)
{
    change_put(t, " FROM " TABLE_TARGET " AS ");
    change_put(t, t->change->alias.ptr);
    if (t->change->in->condition.ptr) {
        change_put(t, " WHERE ");
        change_put_part(t, t->change->in->condition);
    }
}

/* The target as it is when only its partition columns can be seen. */
static struct delta_type *partition_schema(struct change *c)
{
    const struct delta_metadata *m = delta_snapshot_metadata(c->snapshot);
    struct delta_type *type = ARENA_NEW(c->arena, struct delta_type);
    struct delta_field *fields = ARENA_ARRAY(c->arena, struct delta_field, m->partition_column_count + 1);
    if (!type || !fields)
        return NULL;
    *type = (struct delta_type){.id = DELTA_STRUCT, .fields = fields};
    for (uint32_t i = 0; i < m->partition_column_count; i++) {
        const struct delta_field *field = delta_field_find(c->schema, m->partition_columns[i]);
        if (field)
            fields[type->field_count++] = *field;
    }
    return with_columns(c->arena, type, match_fields, 2);
}

enum status change_by_file(struct change *c, struct table_query *out, struct error *reason, struct error *err)
{
    struct delta_type *schema = partition_schema(c);
    *out = (struct table_query){0};
    if (!schema)
        return error_oom(err);
    struct change_text t = change_text_begin(c);
    change_put(&t, "SELECT " ENGINE_FILE_COLUMN ", count(*)");
    put_condition(&t);
    change_put(&t, " GROUP BY 1");
    enum status status = query_over(&t, schema, false, out, NULL, reason);
    bool fatal = status == STATUS_OUT_OF_MEMORY || status == STATUS_CANCELLED || status == STATUS_DEADLINE_EXCEEDED;
    if (fatal)
        error_move(err, reason);
    return fatal ? status : STATUS_OK;
}

/* A condition on partition columns alone holds for all rows of a file or for none.  Whether it is one shows by planning it without the others. */
static enum status plan_by_file(struct change *c, struct error *err)
{
    struct error reason = ERROR_INIT;
    struct table_query query = {0};
    if (!delta_snapshot_metadata(c->snapshot)->partition_column_count)
        return STATUS_OK;
    enum status status = change_by_file(c, &query, &reason, err);
    error_release(&reason);
    if (status == STATUS_OK && query.select.ptr) {
        c->rewrite.by_file = true;
        c->rewrite.match = query;
    }
    return status;
}

/* The rows, or the files, that the condition chooses. */
static enum status match_rows(struct change *c, struct error *err)
{
    struct change_text t = change_text_begin(c);
    change_put(&t, "SELECT " ENGINE_FILE_COLUMN ", " ENGINE_ROW_COLUMN ", CAST(NULL AS BIGINT) AS " TABLE_SOURCE_ROW
                   ", CAST(0 AS INTEGER) AS " TABLE_ACTION);
    put_condition(&t);
    enum status status = change_query(&t, false, &c->rewrite.match, &c->rewrite.pred, err);
    return status == STATUS_OK ? plan_by_file(c, err) : status;
}

static enum status try_delete(struct change *c, struct table_change *out, struct error *err)
{
    c->rewrite.operation = "DELETE";
    c->rewrite.takes_all = true;
    c->rewrite.actions = &delete_action;
    c->rewrite.action_count = 1;
    c->rewrite.delete_all = !c->in->condition.ptr;
    enum status status = change_predicate(c, c->in->condition.ptr ? c->in->condition : STR("true"), err);
    if (status != STATUS_OK || c->rewrite.delete_all)
        return status == STATUS_OK ? change_rewrite(c, out, err) : status;
    status = match_rows(c, err);
    return status == STATUS_OK ? change_rewrite(c, out, err) : status;
}

enum status exec_delete(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                        struct error *err)
{
    return run_rows(ctx, s, arena, st, try_delete, out, err);
}

static enum status try_truncate(struct change *c, struct table_change *out, struct error *err)
{
    c->rewrite.operation = "TRUNCATE";
    c->rewrite.actions = &delete_action;
    c->rewrite.action_count = 1;
    c->rewrite.delete_all = true;
    return change_rewrite(c, out, err);
}

enum status exec_truncate(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                          struct error *err)
{
    return run_rows(ctx, s, arena, st, try_truncate, out, err);
}

/* ---- INSERT … REPLACE WHERE ------------------------------------------------------------------------------------------ */

/* The new rows with whether the condition holds for them. */
static enum status check_query(struct change *c, struct table_query *out, struct error *err)
{
    struct change_text t = change_text_begin(c);
    change_put(&t, "SELECT ");
    for (uint32_t i = 0; i < c->schema->field_count; i++) {
        change_put_column(&t, c->alias, c->schema->fields[i].name);
        change_put(&t, ", ");
    }
    change_put_part(&t, c->in->condition);
    change_put(&t, " FROM " TABLE_TARGET " AS ");
    change_put(&t, c->alias.ptr);
    return change_query(&t, false, out, NULL, err);
}

static enum status insert_action(struct change *c, struct table_action *out, struct error *err)
{
    const struct statement *st = c->st;
    *out = (struct table_action){.kind = TABLE_ACTION_INSERT,
                                 .columns = st->insert_columns,
                                 .column_count = st->insert_column_count,
                                 .by_name = st->by_name,
                                 .replaces = true,
                                 .check_text = c->in->condition};
    struct change_text t = change_text_begin(c);
    change_put_raw(&t, st->query);
    enum status status = change_query(&t, false, &out->rows, NULL, err);
    return status == STATUS_OK ? check_query(c, &out->check, err) : status;
}

static enum status try_replace(struct change *c, struct table_change *out, struct error *err)
{
    struct table_action *actions = ARENA_ARRAY(c->arena, struct table_action, 2);
    if (!actions)
        return error_oom(err);
    c->rewrite.operation = "WRITE";
    c->rewrite.takes_all = true;
    c->rewrite.actions = actions;
    c->rewrite.action_count = 2;
    actions[0] = delete_action;
    struct str predicate = str_of(arena_printf(c->arena, "(%.*s)", STR_ARG(c->in->condition)));
    enum status status = predicate.ptr ? change_parameter(c, "mode", STR("Overwrite"), err) : error_oom(err);
    if (status == STATUS_OK)
        status = change_parameter(c, "partitionBy", STR("[]"), err);
    if (status == STATUS_OK)
        status = change_parameter(c, "predicate", predicate, err);
    if (status == STATUS_OK)
        status = match_rows(c, err);
    if (status == STATUS_OK)
        status = insert_action(c, &actions[1], err);
    return status == STATUS_OK ? change_rewrite(c, out, err) : status;
}

enum status exec_insert_replace(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                struct error *err)
{
    struct table_change change = {0};
    if (st->property_count || st->change.schema_evolution)
        return error_set(err, STATUS_NOT_SUPPORTED, "INSERT … REPLACE WHERE takes no options and no WITH SCHEMA EVOLUTION");
    enum status status = change_run(ctx, s, arena, st, try_replace, &change, err);
    return status == STATUS_OK ? change_rows_answer(out, &change, true, err) : status;
}

/* ---- UPDATE -------------------------------------------------------------------------------------------------------- */

static enum status update_query(struct change *c, struct table_action *action, struct error *err)
{
    uint32_t values = 0;
    struct change_text t = change_text_begin(c);
    change_put(&t, "SELECT ");
    change_put_target_columns(&t);
    enum status status = change_assign(c, c->in->assignments, c->in->assignment_count, 0, action, &t, &values, err);
    if (status != STATUS_OK) {
        buf_release(&t.out);
        return status;
    }
    change_put(&t, " FROM " TABLE_TARGET " AS ");
    change_put(&t, c->alias.ptr);
    change_put(&t, " LEFT JOIN " TABLE_MATCHES " ON ");
    change_put_column(&t, c->alias, STR(ENGINE_FILE_COLUMN));
    change_put(&t, " = " TABLE_MATCHES "." ENGINE_FILE_COLUMN " AND ");
    change_put_column(&t, c->alias, STR(ENGINE_ROW_COLUMN));
    change_put(&t, " = " TABLE_MATCHES "." ENGINE_ROW_COLUMN);
    return change_query(&t, false, &c->rewrite.update, NULL, err);
}

static enum status try_update(struct change *c, struct table_change *out, struct error *err)
{
    struct table_action *action = ARENA_NEW(c->arena, struct table_action);
    if (!action)
        return error_oom(err);
    c->rewrite.operation = "UPDATE";
    c->rewrite.takes_all = true;
    c->rewrite.actions = action;
    c->rewrite.action_count = 1;
    enum status status = change_predicate(c, c->in->condition, err);
    if (status != STATUS_OK)
        return status;
    struct change_text t = change_text_begin(c);
    change_put(&t, "SELECT " ENGINE_FILE_COLUMN ", " ENGINE_ROW_COLUMN ", CAST(NULL AS BIGINT) AS " TABLE_SOURCE_ROW
                   ", CAST(0 AS INTEGER) AS " TABLE_ACTION);
    put_condition(&t);
    status = change_query(&t, false, &c->rewrite.match, &c->rewrite.pred, err);
    if (status == STATUS_OK)
        status = update_query(c, action, err);
    return status == STATUS_OK ? change_rewrite(c, out, err) : status;
}

enum status exec_update(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                        struct error *err)
{
    return run_rows(ctx, s, arena, st, try_update, out, err);
}
