/* exec/prepared.c: PREPARE, EXECUTE and DEALLOCATE.  A prepared statement is a text; values take the place of its parameters as literals, and then it
 * is run like any other. */
#include "exec/exec_int.h"

static enum status at(size_t offset, enum status status, struct error *err)
{
    if (status != STATUS_OK && err && err->position < 0)
        err->position = (int64_t)offset;
    return status;
}

enum status exec_prepare(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                         struct error *err)
{
    struct statement inner;
    struct exec_item_text text = {.text = st->query};
    (void)ctx;
    if (exec_items_find(&s->prepared, st->name.table)) {
        error_set(err, STATUS_INVALID_ARGUMENT, "a prepared statement \"%.*s\" is there already", STR_ARG(st->name.table));
        return at(st->name.offset, error_hint(err, "DEALLOCATE it first"), err);
    }
    if (!sql_has_parameters(st->query)) { /* else what it is depends on the values */
        enum status status = sql_parse(arena, st->query, &inner, err);
        if (status != STATUS_OK) {
            if (err && err->position >= 0)
                err->position += (int64_t)st->query_offset;
            return status;
        }
    }
    enum status status = exec_items_put(&s->prepared, st->name.table, &text, err);
    return status == STATUS_OK ? exec_answer(out, STR("statement prepared"), err) : status;
}

enum status exec_deallocate(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                            struct error *err)
{
    (void)ctx, (void)arena;
    if (!st->name.table.ptr) {
        exec_items_release(&s->prepared);
        return exec_answer(out, STR("all prepared statements forgotten"), err);
    }
    if (exec_items_drop(&s->prepared, st->name.table))
        return exec_answer(out, STR("prepared statement forgotten"), err);
    return at(st->name.offset, error_set(err, STATUS_INVALID_ARGUMENT, "there is no prepared statement \"%.*s\"", STR_ARG(st->name.table)), err);
}

/* ---- values ---------------------------------------------------------------------------------------- */

static bool is_number(struct str s)
{
    size_t i = s.len && s.ptr[0] == '-';
    size_t first = i;
    while (i < s.len && s.ptr[i] >= '0' && s.ptr[i] <= '9')
        i++;
    return i == s.len && i > first;
}

/* Whole numbers and texts stand as they are, where the grammar takes nothing else: LIMIT ?, VERSION AS OF ?. */
enum status exec_parameter_literal(struct arena *arena, struct str type, struct str value, struct str *out, struct error *err)
{
    static const struct str whole[] = {STR("BIGINT"), STR("INTEGER"), STR("SMALLINT"), STR("TINYINT")};
    struct buf text = BUF_INIT;
    bool is_whole = false;
    for (size_t i = 0; i < VV_ARRAY_COUNT(whole); i++)
        is_whole |= str_ieq(type, whole[i]);
    if (value.ptr && is_whole && is_number(value))
        buf_str(&text, value);
    else if (value.ptr && str_ieq(type, STR("VARCHAR")))
        engine_quote_literal(value, &text);
    else
        exec_put_literal(type, value, &text);
    enum status status = buf_check(&text, err);
    *out = status == STATUS_OK ? arena_str(arena, buf_view(&text)) : STR_NULL;
    buf_release(&text);
    return status == STATUS_OK && !out->ptr ? error_oom(err) : status;
}

static enum status evaluate_values(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st,
                                   struct sql_variable **out, struct error *err)
{
    struct sql_variable *values = ARENA_ARRAY(arena, struct sql_variable, st->variable_count + 1);
    enum status status = values ? STATUS_OK : error_oom(err);
    *out = values;
    for (uint32_t i = 0; status == STATUS_OK && i < st->variable_count; i++) {
        struct str type = STR_NULL, value = STR_NULL;
        values[i] = st->variables[i];
        status = exec_evaluate(ctx, s, arena, st, st->variables[i].value, &type, &value, err);
        if (status == STATUS_OK)
            status = exec_parameter_literal(arena, type, value, &values[i].value, err);
    }
    return status;
}

/* ---- EXECUTE ------------------------------------------------------------------------------------------ */

static enum status statement_text(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct str *out,
                                  struct error *err)
{
    struct str type = STR("VARCHAR");
    if (st->immediate) {
        enum status status = exec_evaluate(ctx, s, arena, st, st->query, &type, out, err);
        if (status == STATUS_OK && !out->ptr)
            status = at(st->query_offset, error_set(err, STATUS_INVALID_ARGUMENT, "the statement is NULL"), err);
        return status;
    }
    const struct exec_item *prepared = exec_items_find(&s->prepared, st->name.table);
    if (!prepared) {
        error_set(err, STATUS_INVALID_ARGUMENT, "there is no prepared statement \"%.*s\"", STR_ARG(st->name.table));
        return at(st->name.offset, error_hint(err, "PREPARE it first, or write EXECUTE IMMEDIATE 'statement'"), err);
    }
    *out = arena_str(arena, str_of(prepared->text));
    return out->ptr ? STATUS_OK : error_oom(err);
}

static enum status run_bound(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct str text,
                             struct exec_result *out, struct error *err)
{
    struct statement inner;
    enum status status = sql_parse(arena, text, &inner, err);
    if (status != STATUS_OK)
        return status;
    if (inner.kind == STATEMENT_EXECUTE || inner.kind == STATEMENT_PREPARE || inner.kind == STATEMENT_DEALLOCATE) {
        error_set(err, STATUS_NOT_SUPPORTED, "EXECUTE cannot run %s", statement_info(inner.kind)->name);
        return error_hint(err, "run it as a statement of its own");
    }
    if (!st->target_count)
        return exec_run(ctx, s, arena, text, out, err);
    if (inner.kind != STATEMENT_SELECT)
        return error_set(err, STATUS_INVALID_ARGUMENT, "INTO takes the row of a query, and %s is none", statement_info(inner.kind)->name);
    status = exec_into_variables(ctx, s, arena, st, inner.query, st->targets, st->target_count, err);
    return status == STATUS_OK ? exec_answer(out, STR("variables set"), err) : status;
}

/* The place of an error is one in the statement's own text, which EXECUTE does not show. */
static enum status explain_place(const struct sql_text *bound, struct str text, enum status status, struct error *err)
{
    enum { SHOWN = 60 };
    if (!err || err->position < 0)
        return status;
    size_t place = sql_text_origin(bound, (size_t)err->position);
    if (text.ptr && place < text.len) {
        struct str rest = str_sub(text, place, text.len - place);
        size_t len = rest.len < SHOWN ? rest.len : SHOWN;
        while (len && len < rest.len && ((unsigned char)rest.ptr[len] & 0xC0) == 0x80)
            len--;
        error_context(err, "in the statement that is executed, at \"%.*s\"", (int)len, rest.ptr);
    }
    err->position = -1;
    return status;
}

enum status exec_execute(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                         struct error *err)
{
    struct str text = STR_NULL;
    struct sql_variable *values = NULL;
    struct sql_text bound = {0};
    enum status status = statement_text(ctx, s, arena, st, &text, err);
    if (status == STATUS_OK)
        status = evaluate_values(ctx, s, arena, st, &values, err);
    if (status != STATUS_OK)
        return status;
    status = sql_bind_parameters(arena, text, values, st->variable_count, &bound, err);
    if (status != STATUS_OK)
        return at(st->immediate ? st->query_offset : st->name.offset, explain_place(&(struct sql_text){.text = text}, text, status, err), err);
    status = run_bound(ctx, s, arena, st, bound.text, out, err);
    return status == STATUS_OK ? status : explain_place(&bound, text, status, err);
}
