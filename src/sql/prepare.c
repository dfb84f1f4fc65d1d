/* sql/prepare.c: PREPARE, EXECUTE and DEALLOCATE, and values in place of a statement's parameters. */
#include "sql/sql_int.h"

/* ---- statements ---------------------------------------------------------------------------------- */

/* The rest of the text, whatever statement it is. */
static enum status take_statement(struct sql_parser *p, struct statement *st)
{
    size_t start = p->token.start;
    for (; p->token.kind != SQL_END && !sql_at_symbol(p, ";"); sql_advance(p))
        if (p->token.kind == SQL_ERROR)
            return sql_bad_token(p->text, p->token, p->err);
    if (p->last_end <= start)
        return sql_expected(p, "a statement");
    st->query = str_sub(p->text, start, p->last_end - start);
    st->query_offset = start;
    return STATUS_OK;
}

enum status sql_parse_prepare(struct sql_parser *p, struct statement *st)
{
    st->name.offset = p->token.start;
    enum status status = sql_take_name_part(p, "a name for the statement", &st->name.table);
    if (status == STATUS_OK && sql_at_symbol(p, "("))
        status = sql_refuse(p, "PREPARE with types of parameters", "parameters have the types of the values that EXECUTE gives them");
    if (status == STATUS_OK && !sql_take_word(p, "FROM"))
        status = sql_expect_word(p, "AS");
    if (status == STATUS_OK && sql_at_text(p)) {
        status = sql_take_text(p, "a statement", &st->query);
        st->query_offset = 0;
    } else if (status == STATUS_OK) {
        status = take_statement(p, st);
    }
    return status == STATUS_OK ? sql_finish(p) : status;
}

/* The text of an expression up to one of the words that can follow it. */
static enum status take_value(struct sql_parser *p, bool in_brackets, struct str *out)
{
    size_t start = p->token.start, end = start;
    while (p->token.kind != SQL_END && !sql_at_symbol(p, ";") && !sql_at_symbol(p, ",") && !sql_at_symbol(p, ")") &&
           (in_brackets || (!sql_at_word(p, "AS") && !sql_at_word(p, "INTO") && !sql_at_word(p, "USING")))) {
        if (p->token.kind == SQL_ERROR)
            return sql_bad_token(p->text, p->token, p->err);
        if (sql_at_symbol(p, "(") || sql_at_symbol(p, "[") || sql_at_symbol(p, "{")) {
            enum status status = sql_skip_brackets(p);
            if (status != STATUS_OK)
                return status;
        } else {
            sql_advance(p);
        }
        end = p->last_end;
    }
    *out = str_sub(p->text, start, end - start);
    return end > start ? STATUS_OK : sql_expected(p, "a value");
}

/* value [AS name], … with or without brackets around. */
static enum status take_values(struct sql_parser *p, struct statement *st)
{
    bool brackets = sql_take_symbol(p, "(");
    enum status status;
    if (brackets && sql_take_symbol(p, ")"))
        return STATUS_OK;
    do {
        struct sql_variable *v = sql_add_variable(p, &st->variables, &st->variable_count);
        status = v ? take_value(p, false, &v->value) : STATUS_OUT_OF_MEMORY;
        if (status == STATUS_OK && sql_take_word(p, "AS"))
            status = sql_take_name_part(p, "a parameter's name", &v->name);
    } while (status == STATUS_OK && sql_take_symbol(p, ","));
    if (status == STATUS_OK && brackets && !sql_take_symbol(p, ")"))
        status = sql_expected(p, "\",\" or \")\"");
    return status;
}

/* a, b, … with or without brackets around. */
static enum status take_targets(struct sql_parser *p, struct statement *st)
{
    bool brackets = sql_take_symbol(p, "(");
    enum status status;
    do {
        struct sql_variable *v = sql_add_variable(p, &st->targets, &st->target_count);
        status = v ? sql_take_variable_name(p, &v->name, &v->offset) : STATUS_OUT_OF_MEMORY;
    } while (status == STATUS_OK && sql_take_symbol(p, ","));
    return status == STATUS_OK && brackets ? sql_expect_symbol(p, ")") : status;
}

enum status sql_parse_execute(struct sql_parser *p, struct statement *st)
{
    enum status status;
    st->name.offset = p->token.start;
    struct sql_token next = sql_peek(p);
    st->immediate = next.kind != SQL_END && !sql_token_is_symbol(p->text, next, "(") && !sql_token_is_symbol(p->text, next, ";") &&
                    !sql_token_is_word(p->text, next, "USING") && sql_take_word(p, "IMMEDIATE");
    if (st->immediate) {
        st->query_offset = p->token.start;
        status = take_value(p, false, &st->query);
        if (status == STATUS_OK && sql_take_word(p, "INTO"))
            status = take_targets(p, st);
    } else {
        status = sql_take_name_part(p, "a prepared statement's name", &st->name.table);
    }
    if (status == STATUS_OK && (sql_take_word(p, "USING") || sql_at_symbol(p, "(")))
        status = take_values(p, st);
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_deallocate(struct sql_parser *p, struct statement *st)
{
    struct sql_token next = sql_peek(p);
    if (next.kind == SQL_WORD || next.kind == SQL_QUOTED)
        sql_take_word(p, "PREPARE");
    st->name.offset = p->token.start;
    if (p->token.kind == SQL_WORD && sql_take_word(p, "ALL"))
        return sql_finish(p);
    enum status status = sql_take_name_part(p, "a prepared statement's name", &st->name.table);
    return status == STATUS_OK ? sql_finish(p) : status;
}

/* ---- parameters -------------------------------------------------------------------------------------- */

enum { PARAMETER_MAX = 1000001 }; /* numbers beyond are as good as this one: nobody gives so many */

/* ?, $1, $name, :name at t: *end is behind it, *name what it is called (NULL ptr: by position), *number its number (0: the next). */
static bool parameter_at(struct str text, struct sql_token before, struct sql_token t, size_t *end, struct str *name, size_t *number)
{
    struct str s = sql_token_text(text, t);
    *name = STR_NULL;
    *number = 0;
    *end = t.end;
    if (t.kind == SQL_PARAM && s.len > 1) {
        struct str rest = str_sub(s, 1, s.len - 1);
        int64_t digits = 0;
        if (str_to_i64(rest, &digits))
            *number = digits < PARAMETER_MAX ? (size_t)digits : PARAMETER_MAX;
        else
            *name = rest;
        return true;
    }
    if (t.kind == SQL_PARAM || sql_token_is_symbol(text, t, "?"))
        return true;
    struct sql_token word = sql_token_at(text, t.end);
    bool value_before = before.kind == SQL_WORD || before.kind == SQL_QUOTED || sql_token_is_symbol(text, before, ")") ||
                        sql_token_is_symbol(text, before, "]") || before.kind == SQL_STRING;
    bool touches = before.kind != SQL_END && before.end == t.start && value_before; /* v:path */
    if (!sql_token_is_symbol(text, t, ":") || touches || word.kind != SQL_WORD || word.start != t.end)
        return false;
    *name = sql_token_text(text, word);
    *end = word.end;
    return true;
}

static uint32_t find_value(const struct sql_variable *values, uint32_t count, struct str name, size_t number)
{
    for (uint32_t i = 0; i < count; i++)
        if (name.ptr ? values[i].name.ptr && str_ieq(values[i].name, name) : i + 1 == number)
            return i;
    return UINT32_MAX;
}

static enum status no_value(struct str text, size_t at, size_t end, struct error *err)
{
    struct str shown = sql_shown(str_sub(text, at, end - at));
    error_set(err, STATUS_INVALID_ARGUMENT, "parameter \"%.*s\" has no value", STR_ARG(shown));
    error_hint(err, "give one value for each parameter");
    return sql_mark(err, at, STATUS_INVALID_ARGUMENT);
}

static enum status check_used(const struct sql_variable *values, uint32_t count, const bool *used, struct error *err)
{
    for (uint32_t i = 0; i < count; i++) {
        if (used[i])
            continue;
        if (values[i].name.ptr)
            error_set(err, STATUS_INVALID_ARGUMENT, "the statement has no parameter \"%.*s\"", STR_ARG(sql_shown(values[i].name)));
        else
            error_set(err, STATUS_INVALID_ARGUMENT, "value %u is one too many: the statement has no parameter for it", i + 1);
        return STATUS_INVALID_ARGUMENT;
    }
    return STATUS_OK;
}

bool sql_has_parameters(struct str text)
{
    struct sql_token before = {.kind = SQL_END};
    for (struct sql_token t = sql_token_at(text, 0); t.kind != SQL_END && t.kind != SQL_ERROR; before = t, t = sql_token_at(text, t.end)) {
        struct str name;
        size_t end, number;
        if (parameter_at(text, before, t, &end, &name, &number))
            return true;
    }
    return false;
}

static enum status put_value(struct arena *arena, struct str value, size_t start, size_t end, struct buf *out, struct sql_text *map,
                             struct error *err)
{
    uint32_t n = (uint32_t)map->edit_count;
    map->edits = sql_grow(arena, map->edits, n, sizeof *map->edits);
    if (!map->edits)
        return error_oom(err);
    struct sql_edit *edit = &map->edits[map->edit_count++];
    *edit = (struct sql_edit){.out_start = out->len, .in_start = start, .in_end = end};
    buf_str(out, value);
    edit->out_end = out->len;
    return STATUS_OK;
}

enum status sql_bind_parameters(struct arena *arena, struct str text, const struct sql_variable *values, uint32_t count, struct sql_text *out,
                                struct error *err)
{
    struct buf bound = BUF_INIT;
    struct sql_token before = {.kind = SQL_END};
    bool *used = ARENA_ARRAY(arena, bool, count + 1);
    size_t done = 0, next = 0;
    enum status status = used ? STATUS_OK : error_oom(err);
    *out = (struct sql_text){0};
    for (struct sql_token t = sql_token_at(text, 0); status == STATUS_OK && t.kind != SQL_END && t.kind != SQL_ERROR;) {
        struct str name;
        size_t end, number;
        if (parameter_at(text, before, t, &end, &name, &number)) {
            number = number || name.ptr ? number : ++next;
            uint32_t i = find_value(values, count, name, number);
            if (i == UINT32_MAX) {
                status = no_value(text, t.start, end, err);
                break;
            }
            used[i] = true;
            buf_append(&bound, text.ptr + done, t.start - done);
            status = put_value(arena, values[i].value, t.start, end, &bound, out, err);
            done = end;
            t.end = end;
        }
        before = t;
        t = sql_token_at(text, t.end);
    }
    buf_append(&bound, text.ptr + done, text.len - done);
    if (status == STATUS_OK)
        status = check_used(values, count, used, err);
    if (status == STATUS_OK)
        status = buf_check(&bound, err);
    if (status == STATUS_OK && !(out->text = arena_str(arena, buf_view(&bound))).ptr)
        status = error_oom(err);
    buf_release(&bound);
    return status;
}
