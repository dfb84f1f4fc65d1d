/* exec/function.c: functions that were created, and calls of them in queries.
 *
 * A call is written out as an expression.  Its arguments are cast to the parameters' types and bound once: where the body is an expression without a
 * query, and no argument that may change from one moment to the next would stand in it twice, they stand in the body themselves, so that the engine
 * sees nothing but an expression; else the call becomes a query over a row of arguments. */
#include "exec/exec_int.h"

/* A function as a call finds it. */
struct found_function {
    struct str name, sql, schema; /* schema: what plain names in it mean */
    bool temporary;
    struct statement st;
};

static enum status type_sql(const struct delta_type *type, struct buf *out)
{
    engine_type_sql(type, out);
    return STATUS_OK;
}

/* ---- texts ------------------------------------------------------------------------------------------- */

/* (SELECT CAST((value) AS type) AS "parameter", …) AS "function": the row of arguments; values NULL: NULLs. */
static void put_arguments(const struct found_function *f, const struct str *values, struct buf *out)
{
    const struct sql_function *fn = f->st.function;
    buf_z(out, "(SELECT ");
    for (uint32_t i = 0; i < fn->parameter_count; i++) {
        buf_z(out, i ? ", CAST((" : "CAST((");
        buf_str(out, values ? values[i] : STR("NULL"));
        buf_z(out, ") AS ");
        type_sql(fn->parameters[i].type, out);
        buf_z(out, ") AS ");
        engine_quote_identifier(fn->parameters[i].name, out);
    }
    buf_z(out, fn->parameter_count ? ") AS " : "1) AS ");
    engine_quote_identifier(f->name, out);
}

static void put_result_columns(const struct sql_function *fn, struct buf *out)
{
    for (uint32_t i = 0; i < fn->column_count; i++) {
        buf_printf(out, "%sCAST(varve_rows.c%u AS ", i ? ", " : "", i);
        type_sql(fn->columns[i].type, out);
        buf_z(out, ") AS ");
        engine_quote_identifier(fn->columns[i].name, out);
    }
    if (!fn->column_count)
        buf_z(out, "varve_rows.*");
}

/* What stands before and behind the body. */
static void put_head(const struct found_function *f, const struct str *values, struct buf *out)
{
    const struct sql_function *fn = f->st.function;
    if (!fn->returns_table) {
        buf_z(out, fn->returns ? "SELECT CAST((" : "SELECT ((");
        return;
    }
    buf_z(out, "SELECT ");
    put_result_columns(fn, out);
    buf_z(out, " FROM ");
    put_arguments(f, values, out);
    buf_z(out, ", LATERAL (");
}

static void put_tail(const struct found_function *f, const struct str *values, struct buf *out)
{
    const struct sql_function *fn = f->st.function;
    if (fn->returns_table) {
        buf_z(out, "\n) AS varve_rows");
        for (uint32_t i = 0; i < fn->column_count; i++)
            buf_printf(out, "%sc%u", i ? ", " : "(", i);
        buf_z(out, fn->column_count ? ")" : "");
        return;
    }
    buf_z(out, fn->returns ? "\n) AS " : "\n))");
    if (fn->returns)
        type_sql(fn->returns, out);
    buf_z(out, fn->returns ? ") FROM " : " FROM ");
    put_arguments(f, values, out);
}

/* The body in the engine's spelling, with every name in it looked up where the function was made.  It is bound alone: what it does not have itself
 * must not be found in the query around the call. */
static enum status bind_body(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct found_function *f, size_t body_offset,
                             struct str *body, struct error *err)
{
    struct exec_session inside = *s;
    struct exec_expanding first = {0}, *expanding = s->expanding ? s->expanding : &first;
    struct exec_select *select = NULL;
    struct buf head = BUF_INIT, tail = BUF_INIT, text = BUF_INIT;
    if (expanding->depth >= EXEC_EXPANSION_DEPTH_MAX)
        return error_set(err, STATUS_LIMIT_EXCEEDED, "functions are nested more than %d deep: does \"%.*s\" call itself?", EXEC_EXPANSION_DEPTH_MAX,
                         STR_ARG(f->name));
    inside.expanding = expanding;
    inside.schema = arena_printf(arena, "%.*s", STR_ARG(f->schema));
    if (!f->temporary) { /* it means the same for everybody */
        inside.variables = (struct exec_items){0};
        inside.functions = (struct exec_items){0};
    }
    put_head(f, NULL, &head);
    put_tail(f, NULL, &tail);
    buf_str(&text, buf_view(&head));
    buf_str(&text, f->st.query);
    buf_str(&text, buf_view(&tail));
    text.failed |= head.failed || tail.failed || !inside.schema;
    enum status status = buf_check(&text, err);
    struct sql_edit edit = {
        .out_start = head.len, .out_end = head.len + f->st.query.len, .in_start = body_offset, .in_end = body_offset + f->st.query.len};
    struct exec_frame frame = {.origin = {.text = buf_view(&text), .edits = &edit, .edit_count = 1}};
    expanding->depth++;
    if (status == STATUS_OK)
        status = exec_select_prepare_body(ctx, &inside, &frame, f->name, &select, err);
    if (status == STATUS_OK)
        status = exec_select_bind(ctx, select, err);
    expanding->depth--;
    if (status == STATUS_OK) {
        struct str bound = exec_select_text(select);
        bool framed = bound.len >= head.len + tail.len && str_starts(bound, buf_view(&head)) && str_ends(bound, buf_view(&tail));
        *body = framed ? arena_str(arena, str_sub(bound, head.len, bound.len - head.len - tail.len)) : STR_NULL;
        if (!framed)
            status = error_set(err, STATUS_INTERNAL, "the body of function \"%.*s\" could not be told from what is around it", STR_ARG(f->name));
        else if (!body->ptr)
            status = error_oom(err);
    }
    exec_select_free(select);
    buf_release(&head);
    buf_release(&tail);
    buf_release(&text);
    return status;
}

/* ---- finding ---------------------------------------------------------------------------------------------- */

static enum status parse_found(struct arena *arena, struct found_function *f, struct error *err)
{
    enum status status = sql_parse(arena, f->sql, &f->st, err);
    if (status == STATUS_OK && f->st.function)
        return STATUS_OK;
    if (status == STATUS_OK)
        status = error_set(err, STATUS_CORRUPT_LOG, "the catalog's entry of function \"%.*s\" is no CREATE FUNCTION", STR_ARG(f->name));
    if (err)
        err->position = -1;
    return status;
}

static enum status find_function(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct catalog_name *name, bool plain,
                                 struct found_function *out, bool *found, struct error *err)
{
    struct catalog_function kept;
    struct exec_item *own = plain ? exec_items_find(&s->functions, name->table) : NULL;
    *out = (struct found_function){.name = name->table};
    *found = own != NULL;
    if (own) {
        out->sql = arena_str(arena, str_of(own->text));
        out->schema = arena_str(arena, str_of(own->initial));
        out->temporary = true;
        return out->sql.ptr && out->schema.ptr ? parse_found(arena, out, err) : error_oom(err);
    }
    enum status status = catalog_find_function(ctx, s->lake->catalog, arena, name, &kept, found, err);
    if (status != STATUS_OK || !*found)
        return status;
    out->sql = kept.sql;
    out->schema = kept.schema;
    return parse_found(arena, out, err);
}

/* ---- calls --------------------------------------------------------------------------------------------------- */

static enum status wrong_arguments(const struct found_function *f, const struct sql_called *called, struct error *err)
{
    const struct sql_function *fn = f->st.function;
    struct buf list = BUF_INIT;
    for (uint32_t i = 0; i < fn->parameter_count; i++) {
        buf_printf(&list, "%s%.*s ", i ? ", " : "", STR_ARG(fn->parameters[i].name));
        delta_type_text(fn->parameters[i].type, &list);
        buf_z(&list, fn->parameters[i].value.ptr ? " DEFAULT …" : "");
    }
    error_set(err, STATUS_FUNCTION_NOT_FOUND, "function \"%.*s\" takes other arguments than the %u given", STR_ARG(f->name), called->argument_count);
    error_hint(err, "its parameters are (%s)", list.ptr ? list.ptr : "");
    buf_release(&list);
    return STATUS_FUNCTION_NOT_FOUND;
}

static uint32_t parameter_of(const struct sql_function *fn, const struct sql_variable *argument, uint32_t position)
{
    for (uint32_t i = 0; argument->name.ptr && i < fn->parameter_count; i++)
        if (str_ieq(fn->parameters[i].name, argument->name))
            return i;
    return argument->name.ptr ? UINT32_MAX : position;
}

/* One text per parameter: its argument, or its default. */
static enum status match_arguments(struct arena *arena, const struct found_function *f, const struct sql_called *called, struct str *values,
                                   struct error *err)
{
    const struct sql_function *fn = f->st.function;
    for (uint32_t i = 0; i < called->argument_count; i++) {
        uint32_t at = parameter_of(fn, &called->arguments[i], i);
        if (at >= fn->parameter_count || values[at].ptr)
            return wrong_arguments(f, called, err);
        values[at] = called->arguments[i].value;
    }
    for (uint32_t i = 0; i < fn->parameter_count; i++) {
        struct sql_text spelled;
        if (values[i].ptr)
            continue;
        if (!fn->parameters[i].value.ptr)
            return wrong_arguments(f, called, err);
        enum status status = sql_to_engine(arena, fn->parameters[i].value, &spelled, err);
        if (status != STATUS_OK)
            return status;
        values[i] = spelled.text;
    }
    return STATUS_OK;
}

/* Whether it may not stand in the body twice: it changes by itself, or is a query. */
static bool must_stand_once(struct ctx *ctx, struct exec_session *s, struct arena *arena, struct str value)
{
    struct engine_parsed parsed;
    char *text = arena_printf(arena, "SELECT %.*s", STR_ARG(value));
    return !text || memchr(value.ptr, '(', value.len) == NULL
               ? !text
               : engine_parse(ctx, s->lake->engine, str_of(text), arena, &parsed, NULL) != STATUS_OK || parsed.is_volatile || parsed.ref_count > 0;
}

static enum status inline_body(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct found_function *f, struct str body,
                               const struct str *values, struct str *out, struct error *err)
{
    const struct sql_function *fn = f->st.function;
    struct str *casts = ARENA_ARRAY(arena, struct str, fn->parameter_count + 1);
    bool *once = ARENA_ARRAY(arena, bool, fn->parameter_count + 1);
    struct buf text = BUF_INIT;
    enum status status = casts && once ? STATUS_OK : error_oom(err);
    for (uint32_t i = 0; status == STATUS_OK && i < fn->parameter_count; i++) {
        buf_clear(&text);
        buf_printf(&text, "(CAST((%.*s\n) AS ", STR_ARG(values[i]));
        type_sql(fn->parameters[i].type, &text);
        buf_z(&text, "))");
        casts[i] = arena_str(arena, buf_view(&text));
        once[i] = must_stand_once(ctx, s, arena, values[i]);
        status = text.failed || !casts[i].ptr ? error_oom(err) : STATUS_OK;
    }
    if (status == STATUS_OK)
        status = sql_inline_parameters(arena, body, fn, casts, once, out, err);
    buf_release(&text);
    return status;
}

static enum status put_call(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct found_function *f, struct str body,
                            const struct str *values, struct buf *out, struct error *err)
{
    const struct sql_function *fn = f->st.function;
    struct str inlined = STR_NULL;
    enum status status = fn->returns_table ? STATUS_OK : inline_body(ctx, s, arena, f, body, values, &inlined, err);
    if (status != STATUS_OK)
        return status;
    if (inlined.ptr) {
        buf_printf(out, fn->returns ? "CAST((%.*s\n) AS " : "(%.*s\n)", STR_ARG(inlined));
        if (fn->returns) {
            type_sql(fn->returns, out);
            buf_char(out, ')');
        }
        return STATUS_OK;
    }
    buf_char(out, '(');
    put_head(f, values, out);
    buf_str(out, body);
    put_tail(f, values, out);
    buf_char(out, ')');
    return STATUS_OK;
}

/* What a column or a relation is called that has no name of its own: as the call was written. */
static void put_name(const struct found_function *f, struct str text, const struct sql_called *called, struct buf *out)
{
    if (f->st.function->returns_table) {
        if (called->has_alias)
            return;
        buf_z(out, " AS ");
        engine_quote_identifier(f->name, out);
    } else if (sql_is_select_item(text, called->start, called->end)) {
        buf_z(out, " AS ");
        engine_quote_identifier(str_sub(text, called->start, called->end - called->start), out);
    }
}

enum status exec_expand_function(struct ctx *ctx, struct exec_session *s, struct arena *arena, struct str text, const struct sql_called *called,
                                 struct exec_expansion *out, struct error *err)
{
    const struct str *last = &called->parts[called->part_count - 1];
    struct sql_name name = {
        .table = *last, .schema = called->part_count > 1 ? last[-1] : STR_NULL, .catalog = called->part_count > 2 ? last[-2] : STR_NULL};
    struct found_function f;
    struct buf expanded = BUF_INIT;
    struct str body = STR_NULL;
    bool found = false;
    if (!called->part_count || called->part_count > 3)
        return STATUS_OK;
    struct catalog_name wanted = exec_catalog_name(s, &name);
    enum status status = find_function(ctx, s, arena, &wanted, called->part_count == 1, &f, &found, err);
    if (status != STATUS_OK || !found || !f.st.function)
        return status;
    struct str *values = ARENA_ARRAY(arena, struct str, f.st.function->parameter_count + 1);
    status = values ? match_arguments(arena, &f, called, values, err) : error_oom(err);
    if (status == STATUS_OK && (status = bind_body(ctx, s, arena, &f, 0, &body, err)) != STATUS_OK)
        error_context(err, "in function \"%.*s\"", STR_ARG(f.name));
    if (status == STATUS_OK)
        status = put_call(ctx, s, arena, &f, body, values, &expanded, err);
    if (status == STATUS_OK) {
        put_name(&f, text, called, &expanded);
        status = buf_check(&expanded, err);
    }
    if (status == STATUS_OK) {
        *out = (struct exec_expansion){.start = called->start, .end = called->end, .text = arena_str(arena, buf_view(&expanded)), .found = true};
        if (!out->text.ptr)
            status = error_oom(err);
    }
    buf_release(&expanded);
    return status;
}

/* ---- CREATE and DROP ------------------------------------------------------------------------------------------- */

static enum status at_name(const struct statement *st, enum status status, struct error *err)
{
    if (status != STATUS_OK && err && err->position < 0)
        err->position = (int64_t)st->name.offset;
    return status;
}

/* The engine would go on using its own. */
static enum status check_not_built_in(struct ctx *ctx, struct exec_session *s, const struct statement *st, struct error *err)
{
    struct buf sql = BUF_INIT;
    struct error unknown = ERROR_INIT;
    struct arena arena = ARENA_INIT;
    buf_z(&sql, st->function->returns_table ? "SELECT * FROM " : "SELECT ");
    engine_quote_identifier(st->name.table, &sql);
    buf_z(&sql, "()");
    enum status status = buf_check(&sql, err);
    if (status == STATUS_OK) {
        enum status bound = engine_bind(ctx, s->lake->engine, buf_view(&sql), NULL, 0, &arena, NULL, &unknown);
        bool absent = bound == STATUS_FUNCTION_NOT_FOUND && unknown.message && strstr(unknown.message, "does not exist");
        if (bound == STATUS_OUT_OF_MEMORY || bound == STATUS_CANCELLED || bound == STATUS_DEADLINE_EXCEEDED) {
            error_move(err, &unknown);
            status = bound;
        } else if (!absent) {
            error_set(err, STATUS_FUNCTION_EXISTS, "\"%.*s\" is a function of the engine", STR_ARG(st->name.table));
            error_hint(err, "choose another name: a call would go to the engine's");
            status = at_name(st, STATUS_FUNCTION_EXISTS, err);
        }
    }
    error_release(&unknown);
    arena_release(&arena);
    buf_release(&sql);
    return status;
}

static enum status keep_temporary(struct exec_session *s, const struct statement *st, bool existed, struct error *err)
{
    struct exec_item_text text = {.text = st->text, .initial = str_of(s->schema)};
    if (existed && !st->or_replace) {
        error_set(err, STATUS_FUNCTION_EXISTS, "temporary function \"%.*s\" exists already", STR_ARG(st->name.table));
        return at_name(st, error_hint(err, "use CREATE OR REPLACE TEMPORARY FUNCTION"), err);
    }
    return exec_items_put(&s->functions, st->name.table, &text, err);
}

/* An aggregate over the arguments would become one over the rows of whoever calls: beside a column it cannot be bound. */
static enum status check_no_aggregate(struct ctx *ctx, struct exec_session *s, const struct found_function *f, struct str body, struct error *err)
{
    struct exec_select *select = NULL;
    struct error refusal = ERROR_INIT;
    struct buf text = BUF_INIT;
    buf_z(&text, "SELECT varve_one.one, (");
    buf_str(&text, body);
    buf_z(&text, "\n) FROM (SELECT 1 AS one) AS varve_one, ");
    put_arguments(f, NULL, &text);
    struct exec_frame frame = {.origin = {.text = buf_view(&text)}};
    enum status status = buf_check(&text, err);
    if (status == STATUS_OK) {
        enum status bound = exec_select_prepare_in(ctx, s, &frame, &select, &refusal);
        if (bound == STATUS_OK)
            bound = exec_select_bind(ctx, select, &refusal);
        if (bound == STATUS_BINDER) {
            error_set(err, STATUS_NOT_SUPPORTED, "the body of function \"%.*s\" aggregates its arguments", STR_ARG(f->name));
            error_hint(err, "a body that aggregates is a query: RETURN (SELECT sum(…) FROM …)");
            status = at_name(&f->st, STATUS_NOT_SUPPORTED, err);
        } else if (bound != STATUS_OK) {
            error_move(err, &refusal);
            status = bound;
        }
    }
    error_release(&refusal);
    exec_select_free(select);
    buf_release(&text);
    return status;
}

static enum status check_create(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct error *err)
{
    struct found_function f = {.name = st->name.table, .sql = st->text, .schema = str_of(s->schema), .temporary = st->temporary, .st = *st};
    struct str body = STR_NULL;
    enum status status = STATUS_OK;
    if (st->temporary && (st->name.schema.ptr || st->name.is_path))
        status = at_name(st, error_set(err, STATUS_INVALID_ARGUMENT, "a temporary function belongs to the session, not to a schema"), err);
    if (status == STATUS_OK)
        status = check_not_built_in(ctx, s, st, err);
    if (status == STATUS_OK)
        status = bind_body(ctx, s, arena, &f, st->query_offset, &body, err);
    return status == STATUS_OK && !st->function->returns_table ? check_no_aggregate(ctx, s, &f, body, err) : status;
}

enum status exec_create_function(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                 struct error *err)
{
    struct catalog_name name = exec_catalog_name(s, &st->name);
    struct catalog_function f = {.sql = st->text, .schema = str_of(s->schema)};
    bool existed = st->temporary && exec_items_find(&s->functions, st->name.table);
    enum status status = st->temporary ? STATUS_OK : exec_check_writable(s, "CREATE FUNCTION", err);
    if (status == STATUS_OK && !st->temporary)
        status = at_name(st, catalog_find_function(ctx, s->lake->catalog, arena, &name, &(struct catalog_function){0}, &existed, err), err);
    if (status == STATUS_OK && existed && st->if_not_exists)
        return exec_answer(out, STR("function exists already"), err);
    if (status == STATUS_OK)
        status = check_create(ctx, s, arena, st, err);
    if (status == STATUS_OK && st->temporary)
        status = keep_temporary(s, st, existed, err);
    else if (status == STATUS_OK)
        status = at_name(st, catalog_create_function(ctx, s->lake->catalog, &name, &f, st->or_replace, err), err);
    return status == STATUS_OK ? exec_answer(out, existed ? STR("function replaced") : STR("function created"), err) : status;
}

static enum status no_function(const struct statement *st, struct error *err)
{
    error_set(err, STATUS_FUNCTION_NOT_FOUND, "%sfunction \"%.*s\" was not created here", st->temporary ? "temporary " : "", STR_ARG(st->name.table));
    error_hint(err, "SHOW FUNCTIONS lists those that were");
    return at_name(st, STATUS_FUNCTION_NOT_FOUND, err);
}

enum status exec_drop_function(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                               struct error *err)
{
    (void)arena;
    struct catalog_name name = exec_catalog_name(s, &st->name);
    bool existed = st->temporary && exec_items_drop(&s->functions, st->name.table);
    enum status status = st->temporary ? STATUS_OK : exec_check_writable(s, "DROP FUNCTION", err);
    if (status == STATUS_OK && !st->temporary)
        status = at_name(st, catalog_drop_function(ctx, s->lake->catalog, &name, &existed, err), err);
    if (status == STATUS_OK && !existed && !st->if_exists)
        status = no_function(st, err);
    return status == STATUS_OK ? exec_answer(out, existed ? STR("function dropped") : STR("no such function"), err) : status;
}

/* ---- SHOW and DESCRIBE --------------------------------------------------------------------------------------------- */

enum status exec_show_functions(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                struct error *err)
{
    static const struct rowset_column columns[] = {{"namespace", "u"}, {"function", "u"}, {"isTemporary", "b"}};
    struct catalog_entry *entries = NULL;
    size_t count = 0;
    struct str schema = st->name.table.ptr ? st->name.table : str_of(s->schema);
    enum status status = catalog_list_functions(ctx, s->lake->catalog, schema, arena, &entries, &count, err);
    struct rowset *rows = status == STATUS_OK ? rowset_new(columns, VV_ARRAY_COUNT(columns)) : NULL;
    if (status != STATUS_OK)
        return status;
    for (size_t i = 0; rows && i < s->functions.count; i++)
        if (exec_matches_pattern(st, str_of(s->functions.items[i].name))) {
            rowset_str(rows, STR_NULL);
            rowset_str(rows, str_of(s->functions.items[i].name));
            rowset_bool(rows, true);
        }
    for (size_t i = 0; rows && i < count; i++)
        if (exec_matches_pattern(st, entries[i].table)) {
            rowset_str(rows, entries[i].schema);
            rowset_str(rows, entries[i].table);
            rowset_bool(rows, false);
        }
    return rows ? rowset_stream(rows, &out->stream, err) : error_oom(err);
}

static void put_fact(struct rowset *rows, const char *key, const struct buf *value)
{
    rowset_str(rows, str_of(key));
    rowset_str(rows, buf_view(value));
}

static void put_members(const struct sql_variable *items, uint32_t count, struct buf *out)
{
    buf_char(out, '(');
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, "%s%.*s ", i ? ", " : "", STR_ARG(items[i].name));
        delta_type_text(items[i].type, out);
        if (items[i].value.ptr)
            buf_printf(out, " DEFAULT %.*s", STR_ARG(items[i].value));
    }
    buf_char(out, ')');
}

static void describe(const struct found_function *f, bool extended, struct rowset *rows)
{
    const struct sql_function *fn = f->st.function;
    struct buf text = BUF_INIT;
    buf_str(&text, f->name);
    put_fact(rows, "Function", &text);
    buf_clear(&text);
    put_members(fn->parameters, fn->parameter_count, &text);
    put_fact(rows, "Input", &text);
    buf_clear(&text);
    buf_z(&text, fn->returns_table ? "TABLE" : "");
    if (fn->column_count)
        put_members(fn->columns, fn->column_count, &text);
    if (fn->returns)
        delta_type_text(fn->returns, &text);
    put_fact(rows, "Returns", &text);
    if (f->st.comment.ptr) {
        buf_clear(&text);
        buf_str(&text, f->st.comment);
        put_fact(rows, "Comment", &text);
    }
    if (extended) {
        buf_clear(&text);
        buf_str(&text, f->st.query);
        put_fact(rows, "Body", &text);
        buf_clear(&text);
        buf_str(&text, f->schema);
        put_fact(rows, "Schema", &text);
    }
    buf_release(&text);
}

enum status exec_describe_function(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                   struct error *err)
{
    static const struct rowset_column columns[] = {{"info_name", "u"}, {"info_value", "u"}};
    struct catalog_name name = exec_catalog_name(s, &st->name);
    struct found_function f;
    bool found = false;
    enum status status = find_function(ctx, s, arena, &name, !st->name.schema.ptr, &f, &found, err);
    if (status == STATUS_OK && !found)
        status = no_function(st, err);
    if (status != STATUS_OK || !f.st.function)
        return at_name(st, status, err);
    struct rowset *rows = rowset_new(columns, VV_ARRAY_COUNT(columns));
    if (!rows)
        return error_oom(err);
    describe(&f, st->extended, rows);
    return rowset_stream(rows, &out->stream, err);
}
