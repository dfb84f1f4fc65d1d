/* sql/function.c: CREATE FUNCTION and its kin, and calls as they stand in a query. */
#include "sql/sql_int.h"

/* ---- CREATE FUNCTION ------------------------------------------------------------------------------ */

static enum status take_comment(struct sql_parser *p, struct str *out)
{
    return sql_take_word(p, "COMMENT") ? sql_take_text(p, "the comment's text in quotes", out) : STATUS_OK;
}

/* name type [DEFAULT value] [COMMENT 'text'], … up to the bracket. */
static enum status take_members(struct sql_parser *p, bool with_defaults, struct sql_variable **items, uint32_t *count)
{
    enum status status = sql_expect_symbol(p, "(");
    bool more = status == STATUS_OK && !sql_take_symbol(p, ")");
    while (status == STATUS_OK && more) {
        struct str comment;
        struct sql_variable *v = sql_add_variable(p, items, count);
        status = v ? sql_take_name_part(p, "a name", &v->name) : STATUS_OUT_OF_MEMORY;
        for (uint32_t i = 0; status == STATUS_OK && i + 1 < *count; i++)
            if (str_ieq((*items)[i].name, v->name))
                status = sql_mark(p->err, v->offset, error_set(p->err, STATUS_SYNTAX, "\"%.*s\" is there twice", STR_ARG(sql_shown(v->name))));
        if (status == STATUS_OK)
            status = sql_take_type(p, &v->type);
        if (status == STATUS_OK && with_defaults && (sql_take_word(p, "DEFAULT") || sql_take_symbol(p, "=")))
            status = sql_take_default_text(p, &v->value);
        if (status == STATUS_OK)
            status = take_comment(p, &comment);
        if (status != STATUS_OK)
            return status;
        more = sql_take_symbol(p, ",");
        if (!more)
            status = sql_expect_symbol(p, ")");
    }
    return status;
}

static enum status check_defaults(struct sql_parser *p, const struct sql_function *f)
{
    for (uint32_t i = 1; i < f->parameter_count; i++)
        if (f->parameters[i - 1].value.ptr && !f->parameters[i].value.ptr) {
            error_set(p->err, STATUS_SYNTAX, "parameter \"%.*s\" needs a default too: those before it have one",
                      STR_ARG(sql_shown(f->parameters[i].name)));
            return sql_mark(p->err, f->parameters[i].offset, STATUS_SYNTAX);
        }
    return STATUS_OK;
}

static enum status take_returns(struct sql_parser *p, struct sql_function *f)
{
    if (!sql_take_word(p, "RETURNS"))
        return STATUS_OK;
    f->returns_table = sql_take_word(p, "TABLE");
    if (!f->returns_table)
        return sql_take_type(p, &f->returns);
    return sql_at_symbol(p, "(") ? take_members(p, false, &f->columns, &f->column_count) : STATUS_OK;
}

static enum status take_characteristics(struct sql_parser *p, struct statement *st)
{
    static const struct sql_refusal refusals[] = {{"AS", "only functions written in SQL are supported: RETURN expression"},
                                                  {"USING", "only functions written in SQL are supported: RETURN expression"},
                                                  {"ENVIRONMENT", NULL},
                                                  {"MODIFIES SQL DATA", "functions only read"}};
    static const char *const words[] = {"DETERMINISTIC",  "NOT DETERMINISTIC",    "CONTAINS SQL",
                                        "READS SQL DATA", "SQL SECURITY DEFINER", "RETURNS NULL ON NULL INPUT"};
    for (;;) {
        bool taken = false;
        enum status status = sql_refuse_any(p, "CREATE FUNCTION", refusals, VV_ARRAY_COUNT(refusals));
        if (status == STATUS_OK && sql_take_word(p, "LANGUAGE")) {
            if (!sql_take_word(p, "SQL"))
                return sql_refuse(p, "a function in another language than SQL", "write LANGUAGE SQL … RETURN expression");
            continue;
        }
        if (status == STATUS_OK && sql_at_word(p, "COMMENT")) {
            if ((status = take_comment(p, &st->comment)) == STATUS_OK)
                continue;
        }
        for (size_t i = 0; status == STATUS_OK && !taken && i + 1 < VV_ARRAY_COUNT(words); i++)
            taken = sql_take_words(p, words[i]);
        if (status != STATUS_OK || !taken)
            return status;
    }
}

/* CREATE FUNCTION … AS 'class' and the like are refused by what stands there. */
enum status sql_parse_create_function(struct sql_parser *p, struct statement *st)
{
    struct sql_parser lead = sql_parser_at(p->arena, st->text, 0, p->err);
    struct sql_function *f = ARENA_NEW(p->arena, struct sql_function);
    if (!f)
        return error_oom(p->err);
    st->function = f;
    st->or_replace = sql_at_words(&lead, "CREATE OR");
    while (!sql_at_word(&lead, "FUNCTION") && lead.token.kind == SQL_WORD) {
        st->temporary |= sql_at_word(&lead, "TEMPORARY") || sql_at_word(&lead, "TEMP");
        sql_advance(&lead);
    }
    enum status status = sql_take_if_not_exists(p, &st->if_not_exists);
    if (status == STATUS_OK)
        status = sql_take_table(p, false, &st->name);
    if (status == STATUS_OK && sql_at_word(p, "AS"))
        status =
            sql_refuse(p, "CREATE FUNCTION … AS", "only functions written in SQL are supported: (parameter type, …) RETURNS type RETURN expression");
    if (status == STATUS_OK)
        status = take_members(p, true, &f->parameters, &f->parameter_count);
    if (status == STATUS_OK)
        status = check_defaults(p, f);
    if (status == STATUS_OK)
        status = take_returns(p, f);
    if (status == STATUS_OK)
        status = take_characteristics(p, st);
    if (status == STATUS_OK)
        status = sql_expect_word(p, "RETURN");
    if (status == STATUS_OK && f->returns_table && !sql_at_query(p))
        status = sql_expected(p, "a query behind RETURN");
    if (status == STATUS_OK && p->token.kind == SQL_END)
        status = sql_expected(p, "an expression behind RETURN");
    return status == STATUS_OK ? sql_take_query(p, st) : status;
}

enum status sql_parse_drop_function(struct sql_parser *p, struct statement *st)
{
    struct sql_parser lead = sql_parser_at(p->arena, st->text, 0, p->err);
    st->temporary = sql_at_words(&lead, "DROP TEMPORARY") || sql_at_words(&lead, "DROP TEMP");
    enum status status = sql_take_if_exists(p, &st->if_exists);
    if (status == STATUS_OK)
        status = sql_take_table(p, false, &st->name);
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_show_functions(struct sql_parser *p, struct statement *st)
{
    enum status status = STATUS_OK;
    if (sql_take_word(p, "IN") || sql_take_word(p, "FROM"))
        status = sql_take_schema(p, &st->name);
    bool like = status == STATUS_OK && sql_take_word(p, "LIKE");
    if (status == STATUS_OK && (like || sql_at_text(p)))
        status = sql_take_text(p, "a pattern in quotes", &st->pattern);
    return status == STATUS_OK ? sql_finish(p) : status;
}

enum status sql_parse_describe_function(struct sql_parser *p, struct statement *st)
{
    st->extended = sql_take_word(p, "EXTENDED");
    enum status status = sql_take_table(p, false, &st->name);
    return status == STATUS_OK ? sql_finish(p) : status;
}

/* ---- names and calls in a query ---------------------------------------------------------------------- */

static enum status read_parts(struct sql_parser *p, struct sql_called *out)
{
    enum status status;
    do {
        if (out->part_count == SQL_CALLED_PARTS)
            return STATUS_OK;
        status = sql_take_name_part(p, "a name", &out->parts[out->part_count]);
        if (status != STATUS_OK)
            return status;
        out->part_ends[out->part_count++] = p->last_end;
    } while (sql_take_symbol(p, "."));
    return STATUS_OK;
}

static enum status read_argument(struct sql_parser *p, struct sql_called *out)
{
    struct sql_variable *a = sql_add_variable(p, &out->arguments, &out->argument_count);
    struct sql_parser at = *p;
    if (!a)
        return STATUS_OUT_OF_MEMORY;
    if (p->token.kind == SQL_WORD || p->token.kind == SQL_QUOTED) {
        struct str name;
        enum status status = sql_take_name_part(&at, "a name", &name);
        if (status == STATUS_OK && (sql_take_symbol(&at, "=>") || sql_take_symbol(&at, ":="))) {
            a->name = name;
            *p = at;
        }
    }
    return sql_take_expression(p, "an argument", SQL_STOP_COMMA | SQL_STOP_CLOSE, &a->value);
}

enum status sql_read_called(struct arena *arena, struct str text, size_t offset, struct sql_called *out, struct error *err)
{
    struct sql_parser p = sql_parser_at(arena, text, offset, err);
    *out = (struct sql_called){.start = p.token.start};
    if (p.token.kind != SQL_WORD && p.token.kind != SQL_QUOTED)
        return STATUS_OK;
    enum status status = read_parts(&p, out);
    out->end = p.last_end;
    if (status != STATUS_OK || !sql_take_symbol(&p, "("))
        return status;
    out->is_call = true;
    bool more = !sql_at_symbol(&p, ")");
    while (status == STATUS_OK && more) {
        status = read_argument(&p, out);
        more = status == STATUS_OK && sql_take_symbol(&p, ",");
    }
    if (status == STATUS_OK)
        status = sql_expect_symbol(&p, ")");
    out->end = p.last_end;
    out->has_alias = status == STATUS_OK && sql_take_alias(&p);
    return status;
}

/* ---- where a name comes from ---------------------------------------------------------------------------- */

static bool ends_list(struct str text, struct sql_token t)
{
    static const char *const words[] = {"FROM",   "WHERE",   "GROUP", "HAVING",    "ORDER",  "LIMIT",
                                        "WINDOW", "QUALIFY", "UNION", "INTERSECT", "EXCEPT", "OFFSET"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(words); i++)
        if (sql_token_is_word(text, t, words[i]))
            return true;
    return t.kind == SQL_END;
}

bool sql_is_select_item(struct str text, size_t start, size_t end)
{
    struct sql_token t = sql_token_at(text, 0), next = sql_token_at(text, end);
    int64_t depth = 0;
    bool in_list = false, begins = false;
    if (!ends_list(text, next) && !sql_token_is_symbol(text, next, ","))
        return false;
    for (; t.kind != SQL_END && t.kind != SQL_ERROR && t.start < start; t = sql_token_at(text, t.end)) {
        depth += sql_token_is_symbol(text, t, "(") - sql_token_is_symbol(text, t, ")");
        if (depth)
            continue;
        in_list = sql_token_is_word(text, t, "SELECT") || (in_list && !ends_list(text, t));
        begins = in_list && (sql_token_is_word(text, t, "SELECT") || sql_token_is_word(text, t, "DISTINCT") || sql_token_is_word(text, t, "ALL") ||
                             sql_token_is_symbol(text, t, ","));
    }
    return depth == 0 && begins && t.start == start;
}

/* ---- parameters in the body ------------------------------------------------------------------------------ */

static bool parameter_named(const struct sql_function *f, struct str name, size_t *index)
{
    for (*index = 0; *index < f->parameter_count; ++*index)
        if (str_ieq(f->parameters[*index].name, name))
            return true;
    return false;
}

/* A word that makes what stands around it mean something else than a value. */
static bool needs_scope(struct str text, struct sql_token before, struct sql_token t)
{
    static const char *const words[] = {"SELECT", "FROM", "VALUES", "OVER", "LAMBDA", "TABLE"};
    for (size_t i = 0; i < VV_ARRAY_COUNT(words); i++)
        if (sql_token_is_word(text, t, words[i]))
            return true;
    return sql_token_is_symbol(text, t, "->") || sql_token_is_symbol(text, before, "{");
}

enum status sql_inline_parameters(struct arena *arena, struct str body, const struct sql_function *f, const struct str *values, const bool *once,
                                  struct str *out, struct error *err)
{
    struct buf text = BUF_INIT;
    struct sql_token before = {0};
    uint32_t *uses = ARENA_ARRAY(arena, uint32_t, f->parameter_count + 1);
    size_t done = 0, index = 0;
    bool simple = uses != NULL;
    *out = STR_NULL;
    if (!uses)
        return error_oom(err);
    for (struct sql_token t = sql_token_at(body, 0); simple && t.kind != SQL_END; before = t, t = sql_token_at(body, t.end)) {
        struct str name = sql_token_text(body, t);
        struct sql_token next = sql_token_at(body, t.end);
        simple = t.kind != SQL_ERROR && !needs_scope(body, before, t);
        if (!simple || (t.kind != SQL_WORD && t.kind != SQL_QUOTED) || sql_token_is_symbol(body, before, ".") || sql_token_is_symbol(body, next, "("))
            continue;
        if (t.kind == SQL_QUOTED && sql_unquote(arena, name, &name, NULL) != STATUS_OK)
            simple = false;
        if (!simple || !parameter_named(f, name, &index))
            continue;
        simple = !sql_token_is_word(body, before, "AS") && !sql_token_is_symbol(body, before, "::") && before.kind != SQL_STRING &&
                 before.kind != SQL_NUMBER && (++uses[index] == 1 || !once[index]);
        buf_append(&text, body.ptr + done, t.start - done);
        buf_str(&text, values[index]);
        done = t.end;
    }
    if (simple)
        buf_append(&text, body.ptr + done, body.len - done);
    enum status status = simple ? buf_check(&text, err) : STATUS_OK;
    if (status == STATUS_OK && simple && !(*out = arena_str(arena, buf_view(&text))).ptr)
        status = error_oom(err);
    buf_release(&text);
    return status;
}
