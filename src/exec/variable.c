/* exec/variable.c: session variables, and expressions that are evaluated once.
 *
 * A value is kept as the text that the engine's cast of it to VARCHAR gives, beside its type: cast back it is the same value. */
#include "exec/exec_int.h"

/* ---- one row of values --------------------------------------------------------------------------- */

static bool append_bytes(void *user, const void *bytes, size_t len)
{
    struct buf *out = user;
    buf_append(out, bytes, len);
    return !out->failed;
}

static enum status read_row(struct arena *arena, struct str json_text_of_rows, uint32_t count, struct str *values, bool *found, struct error *err)
{
    struct json j;
    enum status status = json_parse(arena, json_text_of_rows, &j, err);
    if (status != STATUS_OK)
        return status;
    uint32_t rows = j.nodes[0].count, row = json_first(&j, 0);
    *found = rows > 0;
    if (rows > 1) {
        error_set(err, STATUS_INVALID_ARGUMENT, "the query gives more than one row");
        return error_hint(err, "a variable takes one value: add a condition, an aggregate or LIMIT 1");
    }
    for (uint32_t i = 0; rows && i < count; i++) {
        char *key = arena_printf(arena, "%u", i);
        uint32_t node = key ? json_member(&j, row, key) : 0;
        if (!key)
            return error_oom(err);
        values[i] = node && j.nodes[node].type == JSON_STRING ? json_text(&j, node, arena) : STR_NULL;
    }
    return STATUS_OK;
}

enum status exec_one_row(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct exec_frame *frame, uint32_t count,
                         struct str *values, bool *found, struct error *err)
{
    struct exec_select *select = NULL;
    struct exec_result result = {.version = -1};
    struct buf json = BUF_INIT;
    struct row_format_options options;
    int64_t rows = 0;
    row_format_defaults(&options);
    enum status status = exec_select_prepare_in(ctx, s, frame, &select, err);
    if (status == STATUS_OK)
        status = exec_select_run(ctx, select, &result, err);
    if (status == STATUS_OK)
        status = rows_encode(ctx, &result.stream, ROW_FORMAT_JSON, &options, (struct byte_sink){append_bytes, &json}, &rows, err);
    if (status != STATUS_OK && result.stream.release) {
        struct error own = ERROR_INIT;
        if (engine_stream_error(&result.stream, &own) != STATUS_OK) {
            error_move(err, &own);
            status = err ? err->code : status;
        }
    }
    if (status == STATUS_OK)
        status = buf_check(&json, err);
    struct str text = status == STATUS_OK ? arena_str(arena, buf_view(&json)) : STR_NULL;
    if (status == STATUS_OK)
        status = text.ptr ? read_row(arena, text, count, values, found, err) : error_oom(err);
    exec_result_release(&result);
    exec_select_free(select);
    buf_release(&json);
    return status;
}

/* ---- texts of queries that hold parts of the statement --------------------------------------------- */

struct part_text {
    struct buf out;
    struct sql_edit edits[2];
    size_t edit_count;
};

/* The part stands where it stands in the statement; a comment at its end must not swallow what follows. */
static void put_part(struct part_text *t, const struct statement *st, struct str part)
{
    bool inside = part.ptr >= st->text.ptr && part.ptr <= st->text.ptr + st->text.len;
    size_t in = inside ? (size_t)(part.ptr - st->text.ptr) : 0;
    struct sql_edit *edit = &t->edits[t->edit_count++];
    *edit = (struct sql_edit){.out_start = t->out.len, .in_start = in, .in_end = in + part.len};
    buf_str(&t->out, part);
    edit->out_end = t->out.len;
    buf_char(&t->out, '\n');
}

static struct exec_frame frame_of(const struct part_text *t)
{
    return (struct exec_frame){.origin = {.text = buf_view(&t->out), .edits = (struct sql_edit *)t->edits, .edit_count = t->edit_count}};
}

static enum status type_text(struct arena *arena, const struct delta_type *type, struct str *out, struct error *err)
{
    struct buf text = BUF_INIT;
    engine_type_sql(type, &text);
    *out = text.failed ? STR_NULL : arena_str(arena, buf_view(&text));
    buf_release(&text);
    return out->ptr ? STATUS_OK : error_oom(err);
}

static enum status infer_type(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct str value,
                              struct str *type, struct error *err)
{
    struct part_text t = {0};
    struct exec_select *select = NULL;
    buf_z(&t.out, "SELECT (");
    put_part(&t, st, value);
    buf_z(&t.out, ")");
    struct exec_frame frame = frame_of(&t);
    enum status status = buf_check(&t.out, err);
    if (status == STATUS_OK)
        status = exec_select_prepare_in(ctx, s, &frame, &select, err);
    if (status == STATUS_OK)
        status = exec_select_bind(ctx, select, err);
    if (status == STATUS_OK)
        status = type_text(arena, exec_select_schema(select)->fields[0].type, type, err);
    exec_select_free(select);
    buf_release(&t.out);
    return status;
}

enum status exec_evaluate(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct str value,
                          struct str *type, struct str *out, struct error *err)
{
    struct part_text t = {0};
    bool found = false;
    enum status status = type->ptr ? STATUS_OK : infer_type(ctx, s, arena, st, value, type, err);
    if (status == STATUS_OK && str_starts(*type, STR("VARIANT")))
        status = error_set(err, STATUS_NOT_SUPPORTED, "a value of type variant cannot be kept");
    if (status != STATUS_OK)
        return status;
    buf_z(&t.out, "SELECT CAST(CAST((");
    put_part(&t, st, value);
    buf_printf(&t.out, ") AS %.*s) AS VARCHAR) AS \"0\"", STR_ARG(*type));
    struct exec_frame frame = frame_of(&t);
    status = buf_check(&t.out, err);
    *out = STR_NULL;
    if (status == STATUS_OK)
        status = exec_one_row(ctx, s, arena, &frame, 1, out, &found, err);
    buf_release(&t.out);
    return status;
}

void exec_put_literal(struct str type, struct str value, struct buf *out)
{
    buf_z(out, "CAST(");
    if (value.ptr)
        engine_quote_literal(value, out);
    else
        buf_z(out, "NULL");
    buf_printf(out, " AS %.*s)", STR_ARG(type));
}

/* ---- DECLARE and DROP ---------------------------------------------------------------------------------- */

static enum status at_variable(const struct sql_variable *v, enum status status, struct error *err)
{
    if (status != STATUS_OK && err && err->position < 0)
        err->position = (int64_t)v->offset;
    return status;
}

static enum status unknown_variable(const struct sql_variable *v, struct error *err)
{
    error_set(err, STATUS_INVALID_ARGUMENT, "variable \"%.*s\" does not exist", STR_ARG(v->name));
    error_hint(err, "DECLARE VARIABLE makes one");
    return at_variable(v, STATUS_INVALID_ARGUMENT, err);
}

enum status exec_declare(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                         struct error *err)
{
    const struct sql_variable *first = &st->variables[0];
    struct str type = STR_NULL, value = STR_NULL;
    enum status status = first->type ? type_text(arena, first->type, &type, err) : STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && !st->or_replace && i < st->variable_count; i++)
        if (exec_items_find(&s->variables, st->variables[i].name)) {
            error_set(err, STATUS_INVALID_ARGUMENT, "variable \"%.*s\" exists already", STR_ARG(st->variables[i].name));
            error_hint(err, "write DECLARE OR REPLACE, or SET VAR to change its value");
            status = at_variable(&st->variables[i], STATUS_INVALID_ARGUMENT, err);
        }
    if (status == STATUS_OK && first->value.ptr)
        status = exec_evaluate(ctx, s, arena, st, first->value, &type, &value, err);
    for (uint32_t i = 0; status == STATUS_OK && i < st->variable_count; i++) {
        struct exec_item_text text = {.text = value, .type = type, .initial = first->value};
        status = exec_items_put(&s->variables, st->variables[i].name, &text, err);
    }
    return status == STATUS_OK ? exec_answer(out, STR("variable declared"), err) : status;
}

enum status exec_drop_variable(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                               struct error *err)
{
    (void)ctx, (void)arena;
    bool dropped = exec_items_drop(&s->variables, st->variables[0].name);
    if (!dropped && !st->if_exists)
        return unknown_variable(&st->variables[0], err);
    return exec_answer(out, dropped ? STR("variable dropped") : STR("no such variable"), err);
}

/* ---- SET VARIABLE -------------------------------------------------------------------------------------------- */

static enum status check_targets(const struct exec_session *s, const struct sql_variable *targets, uint32_t count, struct error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        if (!exec_items_find(&s->variables, targets[i].name))
            return unknown_variable(&targets[i], err);
        for (uint32_t k = 0; k < i; k++)
            if (str_ieq(targets[k].name, targets[i].name))
                return at_variable(&targets[i], error_set(err, STATUS_INVALID_ARGUMENT, "variable \"%.*s\" is set twice", STR_ARG(targets[i].name)),
                                   err);
    }
    return STATUS_OK;
}

/* All or none: values come first. */
static enum status store_values(struct exec_session *s, const struct sql_variable *targets, const struct str *values, uint32_t count,
                                struct error *err)
{
    enum status status = STATUS_OK;
    for (uint32_t i = 0; status == STATUS_OK && i < count; i++) {
        struct exec_item *v = exec_items_find(&s->variables, targets[i].name);
        char *copy = values[i].ptr ? mem_strndup(values[i].ptr, values[i].len) : NULL;
        if (values[i].ptr && !copy) {
            status = error_oom(err);
        } else {
            mem_free(v->text);
            v->text = copy;
        }
    }
    return status;
}

enum status exec_into_variables(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct str query,
                                const struct sql_variable *targets, uint32_t count, struct error *err)
{
    struct part_text t = {0};
    struct str *values = ARENA_ARRAY(arena, struct str, count + 1);
    bool found = false;
    enum status status = values ? check_targets(s, targets, count, err) : error_oom(err);
    if (status != STATUS_OK)
        return status;
    for (uint32_t i = 0; i < count; i++)
        buf_printf(&t.out, "%sCAST(CAST(v%u AS %s) AS VARCHAR) AS \"%u\"", i ? ", " : "SELECT ", i,
                   exec_items_find(&s->variables, targets[i].name)->type, i);
    buf_z(&t.out, " FROM (");
    put_part(&t, st, query);
    buf_z(&t.out, ") AS varve_row(");
    for (uint32_t i = 0; i < count; i++)
        buf_printf(&t.out, "%sv%u", i ? ", " : "", i);
    buf_z(&t.out, ") LIMIT 2");
    struct exec_frame frame = frame_of(&t);
    status = buf_check(&t.out, err);
    if (status == STATUS_OK)
        status = exec_one_row(ctx, s, arena, &frame, count, values, &found, err);
    if (status == STATUS_OK)
        status = store_values(s, targets, values, count, err);
    buf_release(&t.out);
    return status;
}

/* The value of an assignment; the default of the variable's declaration when it has none. */
static enum status assigned(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, const struct sql_variable *v,
                            struct str *out, struct error *err)
{
    const struct exec_item *item = exec_items_find(&s->variables, v->name);
    struct str type = str_of(item->type), value = v->value.ptr ? v->value : str_of(item->initial ? item->initial : "NULL");
    struct str kept = arena_str(arena, type), text = arena_str(arena, value);
    if (!kept.ptr || !text.ptr)
        return error_oom(err);
    enum status status = exec_evaluate(ctx, s, arena, st, v->value.ptr ? value : text, &kept, out, err);
    return at_variable(v, status, err);
}

enum status exec_set_variable(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                              struct error *err)
{
    struct str *values = ARENA_ARRAY(arena, struct str, st->variable_count + 1);
    enum status status = values ? check_targets(s, st->variables, st->variable_count, err) : error_oom(err);
    if (status == STATUS_OK && st->query.ptr)
        status = exec_into_variables(ctx, s, arena, st, st->query, st->variables, st->variable_count, err);
    for (uint32_t i = 0; status == STATUS_OK && !st->query.ptr && i < st->variable_count; i++)
        status = assigned(ctx, s, arena, st, &st->variables[i], &values[i], err);
    if (status == STATUS_OK && !st->query.ptr)
        status = store_values(s, st->variables, values, st->variable_count, err);
    return status == STATUS_OK ? exec_answer(out, STR("variable set"), err) : status;
}

/* ---- in queries ---------------------------------------------------------------------------------------------- */

/* Which part of the name is the variable: x, session.x, system.session.x; what follows are fields.  part_count: none. */
static uint32_t variable_part(const struct exec_session *s, const struct sql_called *called)
{
    uint32_t i = 0;
    if (called->part_count > 2 && str_ieq(called->parts[0], STR("system")) && str_ieq(called->parts[1], STR("session")))
        i = 2;
    else if (called->part_count > 1 && str_ieq(called->parts[0], STR("session")))
        i = 1;
    return !called->is_call && exec_items_find(&s->variables, called->parts[i]) ? i : called->part_count;
}

enum status exec_expand_variable(const struct exec_session *s, struct arena *arena, struct str text, const struct sql_called *called,
                                 struct exec_expansion *out, struct error *err)
{
    uint32_t part = called->part_count ? variable_part(s, called) : 0;
    struct buf value = BUF_INIT;
    if (part >= called->part_count)
        return STATUS_OK;
    const struct exec_item *v = exec_items_find(&s->variables, called->parts[part]);
    size_t end = called->part_ends[part];
    buf_char(&value, '(');
    exec_put_literal(str_of(v->type), v->text ? str_of(v->text) : STR_NULL, &value);
    buf_char(&value, ')');
    if (end == called->end && sql_is_select_item(text, called->start, end)) {
        buf_z(&value, " AS ");
        engine_quote_identifier(str_of(v->name), &value);
    }
    enum status status = buf_check(&value, err);
    *out = (struct exec_expansion){.start = called->start, .end = end, .text = arena_str(arena, buf_view(&value)), .found = status == STATUS_OK};
    if (status == STATUS_OK && !out->text.ptr)
        status = error_oom(err);
    buf_release(&value);
    return status;
}
