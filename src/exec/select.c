/* exec/select.c: one SELECT from text to rows.
 *
 *   prepare   Spark spellings -> engine text -> references -> tables and snapshots (versions are fixed here)
 *             (views are written out here, and the text is parsed again)
 *   plan      stand-ins for the tables -> what is filtered on each; errors get their place in the user's text
 *   relate    each snapshot's files that can hold matching rows -> relation text in place of the reference
 *   run       the engine streams the rows
 */
#include "base/dialect.h"
#include "exec/exec_int.h"

#include <ctype.h>
#include <stdio.h>

struct select_ref {
    struct sql_ref_extent extent;
    struct str alias; /* as the text has it, or NULL ptr */
    struct str table; /* last name part: the alias when there is none */
    struct catalog_table place;
    struct delta_snapshot *snapshot;
    struct exec_read read; /* name is owned */
    bool is_changes;       /* table_changes: of versions changes_from to the snapshot's */
    int64_t changes_from;
    bool with_metadata; /* the column _metadata is behind the table's own */
    struct str rows;    /* the answer of a statement, kept by the engine: no table then */
    struct engine_hold *kept;
    const struct delta_type *schema;
    struct str stand_in;
    struct delta_pred *pred;
};
/* A text that another one was made of, with the map to what it was made of itself. */
struct text_before {
    struct sql_text text;
    const struct text_before *before;
};
struct exec_select {
    struct arena arena;
    struct exec_session *session;
    struct str query; /* copy of what the user wrote */
    size_t query_offset;
    struct sql_text text;             /* the same in the engine's spelling, views written out */
    const struct text_before *before; /* what text's edits lead to, when views, variables or functions were written out in it; NULL: the query */
    bool is_expanded;                 /* variables or functions were: the answer is the session's own */
    struct engine_parsed parsed;
    struct str settings; /* of the session, for the engine, and the moment when the query asks for the time */
    struct select_ref *refs;
    size_t ref_count;
    const struct exec_frame *frame; /* NULL: the query is the statement */
    struct delta_type *schema;      /* of the result; after plan */
    bool planned;
    int64_t plan_us;
};

/* What a table is called while the query is planned, with its number behind. */
#define STAND_IN "varve_ref_"

/* ---- substituting references ------------------------------------------------------------- */

/* p->text with every reference replaced by what `relation` names, and a map of positions back to p->text. */
struct substitution {
    struct buf out;
    struct sql_edit *edits;
    size_t edit_count;
};

static void put_replacement(struct substitution *sub, const struct select_ref *ref, struct str relation)
{
    struct sql_edit *edit = &sub->edits[sub->edit_count++];
    *edit = (struct sql_edit){.out_start = sub->out.len, .in_start = ref->extent.name_start, .in_end = ref->extent.name_end};
    buf_str(&sub->out, relation);
    if (!ref->alias.ptr) {
        buf_z(&sub->out, " AS ");
        engine_quote_identifier(ref->table, &sub->out);
    }
    edit->out_end = sub->out.len;
}

static void drop_at_clause(struct substitution *sub, const struct select_ref *ref)
{
    sub->edits[sub->edit_count++] =
        (struct sql_edit){.out_start = sub->out.len, .out_end = sub->out.len, .in_start = ref->extent.at_start, .in_end = ref->extent.at_end};
}

static bool has_metadata(const struct exec_select *p)
{
    bool any = false;
    for (size_t i = 0; i < p->ref_count; i++)
        any |= p->refs[i].with_metadata;
    return any;
}

/* The text from *at to end.  "*" does not stand for the column _metadata. */
static void put_until(const struct exec_select *p, struct substitution *sub, size_t *star, size_t *at, size_t end)
{
    struct str in = p->text.text;
    for (; *star < p->parsed.star_count && p->parsed.star_ends[*star] <= end; ++*star) {
        size_t place = p->parsed.star_ends[*star];
        buf_append(&sub->out, in.ptr + *at, place - *at);
        *at = place;
        if (!has_metadata(p))
            continue;
        struct sql_edit *edit = &sub->edits[sub->edit_count++];
        *edit = (struct sql_edit){.out_start = sub->out.len, .in_start = place, .in_end = place};
        buf_z(&sub->out, " NOT SIMILAR TO '" ENGINE_METADATA_COLUMN "'");
        edit->out_end = sub->out.len;
    }
    buf_append(&sub->out, in.ptr + *at, end - *at);
    *at = end;
}

static enum status substitute(struct exec_select *p, const struct str *relations, struct substitution *sub, struct error *err)
{
    struct str in = p->text.text;
    size_t at = 0, star = 0;
    *sub = (struct substitution){.edits = ARENA_ARRAY(&p->arena, struct sql_edit, 2 * p->ref_count + p->parsed.star_count + 1)};
    if (!sub->edits)
        return error_oom(err);
    for (size_t i = 0; i < p->ref_count; i++) {
        const struct select_ref *ref = &p->refs[i];
        put_until(p, sub, &star, &at, ref->extent.name_start);
        put_replacement(sub, ref, relations[i]);
        at = ref->extent.name_end;
        if (ref->extent.at_end > ref->extent.at_start) {
            put_until(p, sub, &star, &at, ref->extent.at_start);
            drop_at_clause(sub, ref);
            at = ref->extent.at_end;
        }
    }
    put_until(p, sub, &star, &at, in.len);
    return buf_check(&sub->out, err);
}

/* Moves err->position from a substituted text (sub not NULL) or from p->text to the user's statement. */
static void locate_error(const struct exec_select *p, const struct substitution *sub, struct error *err)
{
    if (!err || err->position < 0)
        return;
    size_t at = (size_t)err->position;
    if (sub) {
        struct sql_text map = {.text = buf_view(&sub->out), .edits = sub->edits, .edit_count = sub->edit_count};
        at = sql_text_origin(&map, at);
    }
    at = sql_text_origin(&p->text, at);
    for (const struct text_before *b = p->before; b; b = b->before)
        at = sql_text_origin(&b->text, at);
    err->position = (int64_t)(p->frame ? sql_text_origin(&p->frame->origin, at) : at + p->query_offset);
}

/* ---- prepare -------------------------------------------------------------------------------- */

static bool is_path_schema(struct str schema) { return str_ieq(schema, STR("delta")); }

/* FROM 'file.csv' and FROM "dir/x.parquet" are the engine's own file scans. */
static bool is_file_reference(struct str text, size_t offset) { return offset < text.len && text.ptr[offset] == '\''; }

static const struct select_ref *same_table_before(const struct exec_select *p, const struct select_ref *ref)
{
    for (size_t i = 0; i < p->ref_count; i++) {
        const struct select_ref *other = &p->refs[i];
        if (!other->rows.ptr && other->place.table == ref->place.table && other->extent.at.kind == SQL_AT_NONE)
            return other;
    }
    return NULL;
}

/* Two plain references to one table in one statement must read one version. */
static void share_snapshot(const struct exec_select *p, struct select_ref *ref)
{
    const struct select_ref *before = ref->extent.at.kind == SQL_AT_NONE ? same_table_before(p, ref) : NULL;
    if (!before)
        return;
    delta_snapshot_unref(ref->snapshot);
    ref->snapshot = delta_snapshot_ref(before->snapshot);
}

/* A table may have no columns yet.  To the engine it is an empty relation with one column, whose name says why. */
static struct delta_type text_type = {.id = DELTA_STRING};
static struct delta_field no_column = {.name = {"(no columns)", 12}, .type = &text_type, .nullable = true};
static const struct delta_type no_columns = {.id = DELTA_STRUCT, .field_count = 1, .fields = &no_column};

/* Where the reference stands, and what it names. */
static enum status read_ref(struct exec_select *p, struct select_ref *ref, const struct engine_ref *parsed, struct sql_name *name, struct error *err)
{
    *name = (struct sql_name){.catalog = parsed->catalog,
                              .schema = parsed->schema,
                              .table = parsed->table,
                              .is_path = parsed->schema.ptr && is_path_schema(parsed->schema),
                              .offset = parsed->offset};
    return sql_ref_extent(p->text.text, parsed->offset, &ref->extent, err);
}

static enum status read_changes(struct exec_select *p, struct select_ref *ref, const struct engine_ref *parsed, struct sql_name *name,
                                struct sql_at *from, struct error *err)
{
    struct sql_changes call;
    enum status st = sql_changes_call(&p->arena, p->text.text, parsed->offset, &call, err);
    *name = call.name;
    *from = call.from;
    ref->is_changes = true;
    ref->extent = (struct sql_ref_extent){.name_start = call.start, .name_end = call.end, .at_start = call.end, .at_end = call.end, .at = call.to};
    return st;
}

/* The column _metadata is there for who names it, unless the table has one of this name. */
static enum status give_metadata(struct exec_select *p, struct select_ref *ref, struct error *err)
{
    if (!p->parsed.names_metadata || ref->schema == &no_columns || delta_field_find(ref->schema, STR(ENGINE_METADATA_COLUMN)))
        return STATUS_OK;
    if (p->parsed.has_other_stars) {
        error_set(err, STATUS_NOT_SUPPORTED, "a query that names " ENGINE_METADATA_COLUMN " can have * and t.* only as they are");
        return error_hint(err, "name the columns instead of leaving some out, renaming or replacing them, and begin with SELECT");
    }
    ref->with_metadata = true;
    ref->schema = exec_metadata_schema(&p->arena, delta_snapshot_metadata(ref->snapshot), ref->schema);
    return ref->schema ? STATUS_OK : error_oom(err);
}

/* What a transaction has written is no change of a version yet. */
static enum status commits_only(struct ctx *ctx, struct select_ref *ref, struct error *err)
{
    struct delta_snapshot *pinned = NULL;
    if (!delta_stage_change_count(ref->place.table) || delta_snapshot_version(ref->snapshot) <= delta_stage_version(ref->place.table))
        return STATUS_OK;
    enum status st = delta_snapshot_at_version(ctx, ref->place.table, delta_stage_version(ref->place.table), &pinned, err);
    if (st != STATUS_OK)
        return st;
    delta_snapshot_unref(ref->snapshot);
    ref->snapshot = pinned;
    return STATUS_OK;
}

/* The columns of the reference, and for changes where they begin. */
static enum status shape_ref(struct ctx *ctx, struct exec_select *p, struct select_ref *ref, const struct sql_at *from, struct error *err)
{
    struct delta_type *schema;
    ref->schema = delta_snapshot_schema(ref->snapshot)->field_count ? delta_snapshot_schema(ref->snapshot) : &no_columns;
    if (!ref->is_changes)
        return give_metadata(p, ref, err);
    enum status st = commits_only(ctx, ref, err);
    if (st == STATUS_OK)
        st = exec_changes_from(ctx, p->session, ref->place.table, from, &ref->changes_from, err);
    if (st == STATUS_OK)
        st = delta_changes_schema(&p->arena, ref->snapshot, &schema, err);
    if (st == STATUS_OK)
        ref->schema = schema;
    return st;
}

static struct exec_bound *bound_name(const struct exec_select *p, const struct engine_ref *parsed)
{
    for (size_t i = 0; p->frame && i < p->frame->bound_count; i++)
        if (!parsed->schema.ptr && !parsed->catalog.ptr && str_ieq(parsed->table, p->frame->bound[i].name))
            return &p->frame->bound[i];
    return NULL;
}

/* The table that the statement changes is read as it was when the statement began. */
static void share_pinned(const struct exec_select *p, struct select_ref *ref)
{
    if (!p->frame || !p->frame->pinned || ref->extent.at.kind != SQL_AT_NONE || delta_snapshot_table(p->frame->pinned) != ref->place.table)
        return;
    delta_snapshot_unref(ref->snapshot);
    ref->snapshot = delta_snapshot_ref(p->frame->pinned);
}

static enum status resolve_ref(struct ctx *ctx, struct exec_select *p, const struct engine_ref *parsed, struct error *err)
{
    struct select_ref *ref = &p->refs[p->ref_count];
    struct sql_at from = {0};
    struct sql_name name;
    ref->alias = parsed->alias;
    ref->table = parsed->table;
    enum status st = parsed->is_changes ? read_changes(p, ref, parsed, &name, &from, err) : read_ref(p, ref, parsed, &name, err);
    if (st != STATUS_OK)
        return st;
    struct catalog_name wanted = exec_catalog_name(p->session, &name);
    st = exec_open_table(ctx, p->session, &wanted, &ref->extent.at, &ref->place, &ref->snapshot, err);
    if (st != STATUS_OK) {
        if (err && err->position < 0)
            err->position = (int64_t)name.offset;
        return st;
    }
    share_snapshot(p, ref);
    share_pinned(p, ref);
    p->ref_count++; /* from here on it is released with the others */
    if ((st = shape_ref(ctx, p, ref, &from, err)) != STATUS_OK)
        return st;
    ref->read.name = ref->place.qualified_name;
    ref->read.version = delta_snapshot_version(ref->snapshot);
    ref->read.timestamp_us = delta_snapshot_timestamp_us(ref->snapshot);
    ref->stand_in = str_of(arena_printf(&p->arena, STAND_IN "%zu", p->ref_count - 1));
    return ref->stand_in.ptr ? STATUS_OK : error_oom(err);
}

/* The statement is run now; what it says of a table is of this moment. */
static enum status resolve_statement(struct ctx *ctx, struct exec_select *p, const struct engine_ref *parsed, struct error *err)
{
    struct select_ref *ref = &p->refs[p->ref_count];
    struct sql_statement_call call;
    struct delta_type *schema = NULL;
    enum status st = sql_statement_call(&p->arena, p->text.text, parsed->offset, &call, err);
    if (st != STATUS_OK)
        return st;
    ref->alias = parsed->alias;
    ref->table = parsed->table;
    ref->extent = (struct sql_ref_extent){.name_start = call.start, .name_end = call.end, .at_start = call.end, .at_end = call.end};
    struct exec_session inside = *p->session;
    if (call.schema.ptr && !(inside.schema = arena_printf(&p->arena, "%.*s", STR_ARG(call.schema))))
        return error_oom(err);
    st = exec_statement_rows(ctx, &inside, call.statement, &p->arena, &ref->rows, &schema, &ref->kept, err);
    if (st != STATUS_OK) {
        if (err)
            err->position = (int64_t)call.start;
        return st;
    }
    p->ref_count++;
    p->parsed.is_volatile = true;
    ref->schema = schema;
    ref->stand_in = str_of(arena_printf(&p->arena, STAND_IN "%zu", p->ref_count - 1));
    return ref->stand_in.ptr ? STATUS_OK : error_oom(err);
}

/* A plain name that CACHE TABLE gave to rows. */
static const struct exec_cached *cached_rows(const struct exec_select *p, const struct engine_ref *parsed)
{
    bool plain = !parsed->schema.ptr && !parsed->catalog.ptr && !parsed->is_changes && !parsed->is_statement;
    return plain ? exec_cached_find(p->session, parsed->table) : NULL;
}

static enum status resolve_cached(struct exec_select *p, const struct engine_ref *parsed, const struct exec_cached *cached, struct error *err)
{
    struct select_ref *ref = &p->refs[p->ref_count];
    enum status st = sql_ref_extent(p->text.text, parsed->offset, &ref->extent, err);
    if (st == STATUS_OK && ref->extent.at.kind != SQL_AT_NONE) {
        error_set(err, STATUS_NOT_SUPPORTED, "\"%s\" is cached rows, which have no versions", cached->name);
        if (err)
            err->position = (int64_t)parsed->offset;
        return STATUS_NOT_SUPPORTED;
    }
    ref->alias = parsed->alias;
    ref->table = parsed->table;
    ref->rows = arena_str(&p->arena, cached->relation);
    ref->schema = delta_type_copy(&p->arena, cached->schema);
    ref->stand_in = str_of(arena_printf(&p->arena, STAND_IN "%zu", p->ref_count++));
    p->parsed.is_volatile = true; /* the name says nothing of the rows */
    if (st == STATUS_OK && (!ref->rows.ptr || !ref->schema || !ref->stand_in.ptr))
        st = error_oom(err);
    return st;
}

static enum status fix_settings(struct ctx *ctx, struct exec_select *p, struct error *err)
{
    struct buf sql = BUF_INIT;
    p->settings = exec_engine_settings(p->session, &p->arena);
    if (!p->parsed.reads_clock)
        return STATUS_OK;
    buf_str(&sql, p->settings);
    engine_clock_settings(ctx_now_us(ctx), &sql);
    p->settings = arena_str(&p->arena, buf_view(&sql));
    bool failed = sql.failed || !p->settings.ptr;
    buf_release(&sql);
    return failed ? error_oom(err) : STATUS_OK;
}

static enum status resolve_refs(struct ctx *ctx, struct exec_select *p, struct error *err)
{
    enum status st = STATUS_OK;
    p->refs = ARENA_ARRAY(&p->arena, struct select_ref, p->parsed.ref_count + 1);
    if (!p->refs)
        return error_oom(err);
    for (size_t i = 0; i < p->parsed.ref_count && st == STATUS_OK; i++) {
        if (is_file_reference(p->text.text, p->parsed.refs[i].offset))
            p->parsed.is_volatile = true;
        else if (p->parsed.refs[i].is_statement)
            st = resolve_statement(ctx, p, &p->parsed.refs[i], err);
        else if (!bound_name(p, &p->parsed.refs[i]) && cached_rows(p, &p->parsed.refs[i]))
            st = resolve_cached(p, &p->parsed.refs[i], cached_rows(p, &p->parsed.refs[i]), err);
        else if (!bound_name(p, &p->parsed.refs[i]))
            st = resolve_ref(ctx, p, &p->parsed.refs[i], err);
    }
    return st;
}

/* ---- views ----------------------------------------------------------------------------------- */

enum { VIEW_DEPTH_MAX = 64, VIEWS_MAX = 1000 };

/* A query that is written out as part of another: the view it is of. */
struct view_scope {
    const struct view_scope *outer;
    struct str view; /* qualified name; NULL ptr: the statement itself */
    int depth;
    int *written_out; /* how many views the statement took so far */
};
static enum status prepare(struct ctx *ctx, struct exec_session *s, struct str query, size_t query_offset, const struct exec_frame *frame,
                           const struct view_scope *scope, struct exec_select **out, struct error *err);

static enum status check_scope(const struct view_scope *scope, struct str view, struct error *err)
{
    const struct view_scope *at = scope; /* there is always one: the statement's */
    do {
        if (at->view.ptr && str_eq(at->view, view))
            return error_set(err, STATUS_BINDER, "view \"%.*s\" reads itself", STR_ARG(view));
    } while ((at = at->outer));
    if (scope->depth >= VIEW_DEPTH_MAX)
        return error_set(err, STATUS_LIMIT_EXCEEDED, "views are nested more than %d deep", VIEW_DEPTH_MAX);
    if (++*scope->written_out > VIEWS_MAX)
        return error_set(err, STATUS_LIMIT_EXCEEDED, "the statement reads views more than %d times, those inside of views counted", VIEWS_MAX);
    return STATUS_OK;
}

/* The view's query as it can stand anywhere.  It is bound alone first: a column that went missing must not be found in the query around it. */
static enum status view_text(struct ctx *ctx, struct exec_select *p, const struct catalog_view *view, const struct view_scope *scope, struct str *out,
                             struct error *err)
{
    struct exec_session inside = *p->session;
    struct exec_select *query = NULL;
    const struct view_scope own = {.outer = scope, .view = view->qualified, .depth = scope->depth + 1, .written_out = scope->written_out};
    enum status st = check_scope(scope, view->qualified, err);
    if (st != STATUS_OK)
        return st;
    inside.variables = (struct exec_items){0}; /* a view means the same for everybody */
    inside.cached_count = 0;
    inside.functions = (struct exec_items){0};
    inside.schema = arena_printf(&p->arena, "%.*s", STR_ARG(view->schema));
    if (!inside.schema)
        return error_oom(err);
    st = prepare(ctx, &inside, view->sql, 0, NULL, &own, &query, err);
    if (query)
        st = exec_select_bind(ctx, query, err);
    if (query && st == STATUS_OK && !(*out = arena_str(&p->arena, query->text.text)).ptr)
        st = error_oom(err);
    if (st != STATUS_OK)
        error_context(err, "in view \"%.*s\"", STR_ARG(view->qualified));
    exec_select_free(query);
    return st;
}

static void put_edit(struct exec_select *p, struct substitution *sub, size_t *at, size_t start, size_t end, struct buf *text)
{
    struct sql_edit *edit = &sub->edits[sub->edit_count++];
    buf_append(&sub->out, p->text.text.ptr + *at, start - *at);
    *edit = (struct sql_edit){.out_start = sub->out.len, .in_start = start, .in_end = end};
    buf_str(&sub->out, buf_view(text));
    edit->out_end = sub->out.len;
    *at = end;
}

static void put_qualified(struct str schema, struct str table, struct buf *out)
{
    buf_z(out, CATALOG_NAME ".");
    engine_quote_identifier(schema, out);
    buf_char(out, '.');
    engine_quote_identifier(table, out);
}

/* What takes the place of one reference; nothing in text: it stays.  Inside of a view plain names get the view's schema, so that no WITH of the query
 * around it can catch them. */
static enum status write_out(struct ctx *ctx, struct exec_select *p, const struct engine_ref *parsed, const struct view_scope *scope,
                             struct buf *text, size_t *start, size_t *end, struct error *err)
{
    struct select_ref ref = {0};
    struct sql_at from = {0};
    struct sql_name name;
    struct catalog_view view;
    bool found = false;
    enum status st = parsed->is_changes ? read_changes(p, &ref, parsed, &name, &from, err) : read_ref(p, &ref, parsed, &name, err);
    struct catalog_name wanted = exec_catalog_name(p->session, &name);
    if (st == STATUS_OK && !parsed->is_changes)
        st = catalog_find_view(ctx, p->session->lake->catalog, &p->arena, &wanted, &view, &found, err);
    if (st == STATUS_OK && found && ref.extent.at.kind != SQL_AT_NONE) {
        st = error_set(err, STATUS_NOT_SUPPORTED, "view \"%.*s\" has no versions to go back to", STR_ARG(view.qualified));
        error_hint(err, "write VERSION AS OF behind the tables in the view's query");
    }
    struct str inner = STR_NULL;
    if (st == STATUS_OK && found)
        st = view_text(ctx, p, &view, scope, &inner, err);
    if (st != STATUS_OK) {
        if (err && (found || err->position < 0))
            err->position = (int64_t)name.offset;
        return st;
    }
    *start = ref.extent.name_start;
    *end = ref.extent.name_end;
    bool plain = scope->view.ptr && !name.is_path && !name.schema.ptr;
    if (found) {
        buf_char(text, '(');
        buf_str(text, inner);
        buf_char(text, ')');
    } else if (plain && parsed->is_changes) {
        struct sql_token literal = sql_token_at(p->text.text, name.offset);
        struct buf qualified = BUF_INIT;
        put_qualified(wanted.schema, wanted.table, &qualified);
        engine_quote_literal(buf_view(&qualified), text);
        text->failed = text->failed || qualified.failed;
        buf_release(&qualified);
        *start = literal.start;
        *end = literal.end;
        return STATUS_OK;
    } else if (plain) {
        put_qualified(wanted.schema, wanted.table, text);
    }
    if ((found || plain) && !parsed->alias.ptr) {
        buf_z(text, " AS ");
        engine_quote_identifier(parsed->table, text);
    }
    return STATUS_OK;
}

/* Plain names in a statement that a view reads the answer of mean the view's schema, too. */
static enum status settle_statement(struct exec_select *p, const struct engine_ref *parsed, struct buf *text, size_t *start, size_t *end,
                                    struct error *err)
{
    struct sql_statement_call call;
    enum status st = sql_statement_call(&p->arena, p->text.text, parsed->offset, &call, err);
    if (st != STATUS_OK || call.schema.ptr)
        return st;
    *start = call.start;
    *end = call.end;
    buf_z(text, SQL_STATEMENT_FUNCTION "(");
    engine_quote_literal(call.statement, text);
    buf_z(text, ", ");
    engine_quote_literal(str_of(p->session->schema), text);
    buf_char(text, ')');
    if (!parsed->alias.ptr) {
        buf_z(text, " AS ");
        engine_quote_identifier(parsed->table, text);
    }
    return STATUS_OK;
}

static enum status adopt_text(struct ctx *ctx, struct exec_select *p, const struct substitution *sub, struct error *err)
{
    struct str text = arena_str(&p->arena, buf_view(&sub->out));
    struct text_before *before = ARENA_NEW(&p->arena, struct text_before);
    if (!text.ptr || !before)
        return error_oom(err);
    *before = (struct text_before){.text = p->text, .before = p->before};
    p->before = before;
    p->text = (struct sql_text){.text = text, .edits = sub->edits, .edit_count = sub->edit_count};
    return engine_parse(ctx, p->session->lake->engine, text, &p->arena, &p->parsed, err);
}

static enum status write_out_views(struct ctx *ctx, struct exec_select *p, const struct view_scope *scope, struct error *err)
{
    struct substitution sub = {.edits = ARENA_ARRAY(&p->arena, struct sql_edit, p->parsed.ref_count + 1)};
    struct str in = p->text.text;
    size_t at = 0;
    enum status st = STATUS_OK;
    if (!sub.edits)
        return error_oom(err);
    for (size_t i = 0; i < p->parsed.ref_count && st == STATUS_OK; i++) {
        const struct engine_ref *parsed = &p->parsed.refs[i];
        struct buf text = BUF_INIT;
        size_t start = 0, end = 0;
        if (is_file_reference(in, parsed->offset) || bound_name(p, parsed) || cached_rows(p, parsed))
            continue;
        if (parsed->is_statement)
            st = scope->view.ptr ? settle_statement(p, parsed, &text, &start, &end, err) : STATUS_OK;
        else
            st = write_out(ctx, p, parsed, scope, &text, &start, &end, err);
        if (st == STATUS_OK)
            st = buf_check(&text, err);
        if (st == STATUS_OK && text.len)
            put_edit(p, &sub, &at, start, end, &text);
        buf_release(&text);
    }
    if (st == STATUS_OK && sub.edit_count) {
        buf_append(&sub.out, in.ptr + at, in.len - at);
        st = buf_check(&sub.out, err);
        if (st == STATUS_OK)
            st = adopt_text(ctx, p, &sub, err);
    }
    buf_release(&sub.out);
    return st;
}

/* ---- from text to references ------------------------------------------------------------------- */

static enum status prepare(struct ctx *ctx, struct exec_session *s, struct str query, size_t query_offset, const struct exec_frame *frame,
                           const struct view_scope *scope, struct exec_select **out, struct error *err)
{
    int64_t start_us = ctx_monotonic_us(ctx);
    *out = NULL;
    struct exec_select *p = mem_calloc(1, sizeof(*p));
    if (!p) {
        error_oom(err);
        return STATUS_OUT_OF_MEMORY;
    }
    p->session = s;
    p->query_offset = query_offset;
    p->frame = frame;
    p->query = arena_str(&p->arena, query);
    enum status st = p->query.ptr ? sql_to_engine(&p->arena, p->query, &p->text, err) : error_oom(err);
    if (st != STATUS_OK) {
        if (err && err->position >= 0)
            err->position = frame ? (int64_t)sql_text_origin(&frame->origin, (size_t)err->position) : err->position + (int64_t)query_offset;
        goto out;
    }
    st = engine_parse(ctx, s->lake->engine, p->text.text, &p->arena, &p->parsed, err);
    if (st == STATUS_OK)
        st = write_out_views(ctx, p, scope, err);
    if (st == STATUS_OK)
        st = fix_settings(ctx, p, err);
    if (st == STATUS_OK)
        st = resolve_refs(ctx, p, err);
    if (st != STATUS_OK)
        locate_error(p, NULL, err);
    p->plan_us = ctx_monotonic_us(ctx) - start_us;
out:
    if (st == STATUS_OK)
        *out = p;
    else
        exec_select_free(p);
    return st;
}

enum status exec_select_prepare(struct ctx *ctx, struct exec_session *s, struct str query, size_t query_offset, struct exec_select **out,
                                struct error *err)
{
    int written_out = 0;
    const struct view_scope scope = {.written_out = &written_out};
    return prepare(ctx, s, query, query_offset, NULL, &scope, out, err);
}

enum status exec_select_prepare_in(struct ctx *ctx, struct exec_session *s, const struct exec_frame *frame, struct exec_select **out,
                                   struct error *err)
{
    int written_out = 0;
    const struct view_scope scope = {.written_out = &written_out};
    return prepare(ctx, s, frame->origin.text, 0, frame, &scope, out, err);
}

static void release_refs(struct exec_select *p)
{
    for (size_t i = 0; i < p->ref_count; i++) {
        engine_hold_free(p->refs[i].kept);
        delta_snapshot_unref(p->refs[i].snapshot);
        catalog_table_release(&p->refs[i].place);
    }
    p->ref_count = 0;
}

struct str exec_select_text(const struct exec_select *p) { return p->text.text; }

enum status exec_select_prepare_body(struct ctx *ctx, struct exec_session *s, const struct exec_frame *frame, struct str function,
                                     struct exec_select **out, struct error *err)
{
    int written_out = 0;
    const struct view_scope scope = {.view = function, .written_out = &written_out};
    return prepare(ctx, s, frame->origin.text, 0, frame, &scope, out, err);
}

bool exec_select_is_cacheable(const struct exec_select *p) { return !p->parsed.is_volatile && !p->is_expanded; }

bool exec_select_is_volatile(const struct exec_select *p) { return p->parsed.is_volatile; }

enum status exec_select_reads_of(const struct exec_select *p, const struct delta_table *table, struct arena *arena, const struct delta_pred ***reads,
                                 uint32_t *count, struct delta_snapshot **snapshot, struct error *err)
{
    const struct delta_pred **all = ARENA_ARRAY(arena, const struct delta_pred *, *count + p->ref_count + 1);
    *snapshot = NULL;
    if (!all)
        return error_oom(err);
    if (*count)
        memcpy(all, *reads, *count * sizeof *all);
    for (size_t i = 0; i < p->ref_count; i++) {
        const struct select_ref *ref = &p->refs[i];
        if (ref->place.table != table || ref->extent.at.kind != SQL_AT_NONE)
            continue;
        all[(*count)++] = ref->is_changes ? NULL : ref->pred;
        *snapshot = ref->snapshot;
    }
    *reads = all;
    return STATUS_OK;
}

void exec_select_free(struct exec_select *p)
{
    if (!p)
        return;
    release_refs(p);
    arena_release(&p->arena);
    mem_free(p);
}

bool exec_select_cache_key(const struct exec_select *p, struct ctx *ctx, struct buf *key)
{
    if (p->parsed.is_volatile || p->session->transaction || sql_normalize(p->query, key, NULL) != STATUS_OK)
        return false;
    if (p->before) { /* a view may have been replaced */
        buf_char(key, '\0');
        buf_str(key, p->text.text);
    }
    for (size_t i = 0; i < p->ref_count; i++) {
        const struct delta_metadata *m = delta_snapshot_metadata(p->refs[i].snapshot);
        buf_char(key, '\0');
        buf_z(key, p->refs[i].place.location);
        buf_char(key, '\0');
        buf_str(key, m->id);
        buf_printf(key, "@%lld", (long long)p->refs[i].read.version);
        if (p->refs[i].is_changes)
            buf_printf(key, "<%lld", (long long)p->refs[i].changes_from);
    }
    buf_char(key, '\0');
    buf_str(key, ctx->identity);
    buf_char(key, '\0');
    buf_z(key, p->session->time_zone ? p->session->time_zone : "");
    return !key->failed;
}

void exec_select_reads(const struct exec_select *p, struct exec_read **reads, size_t *count)
{
    *count = 0;
    *reads = mem_calloc(p->ref_count ? p->ref_count : 1, sizeof(**reads));
    for (size_t i = 0; *reads && i < p->ref_count; i++) {
        if (p->refs[i].rows.ptr)
            continue;
        struct exec_read *read = &(*reads)[(*count)++];
        *read = p->refs[i].read;
        read->name = mem_strndup(p->refs[i].read.name, strlen(p->refs[i].read.name));
    }
}

/* ---- plan -------------------------------------------------------------------------------------- */

/* They are columns of the change data feed, which some take for columns of every table. */
static void hint_change_columns(enum status st, struct error *err)
{
    bool asked = st == STATUS_COLUMN_NOT_FOUND && err && err->message &&
                 (strstr(err->message, DELTA_COMMIT_VERSION_COLUMN) || strstr(err->message, DELTA_COMMIT_TIMESTAMP_COLUMN) ||
                  strstr(err->message, DELTA_CHANGE_TYPE_COLUMN));
    if (asked)
        error_hint(err, "only changes have it: SELECT … FROM table_changes('name', first version); "
                        "where rows are tracked, _metadata.row_commit_version says when a row last changed");
}

/* One try: the error has its place in p->text, or -1. */
static enum status plan_once(struct ctx *ctx, struct exec_select *p, struct error *err)
{
    struct substitution sub = {0};
    size_t bound_count = p->frame ? p->frame->bound_count : 0;
    struct engine_stand_in *stand_ins = ARENA_ARRAY(&p->arena, struct engine_stand_in, p->ref_count + bound_count + 1);
    struct str *names = ARENA_ARRAY(&p->arena, struct str, p->ref_count + 1);
    if (!stand_ins || !names)
        return error_oom(err);
    for (size_t i = 0; i < p->ref_count; i++) {
        names[i] = p->refs[i].stand_in;
        stand_ins[i] = (struct engine_stand_in){.name = names[i], .schema = p->refs[i].schema};
    }
    for (size_t i = 0; i < bound_count; i++)
        stand_ins[p->ref_count + i] = (struct engine_stand_in){.name = p->frame->bound[i].name, .schema = p->frame->bound[i].schema};
    enum status st = substitute(p, names, &sub, err);
    if (st == STATUS_OK) {
        st = engine_bind_session(ctx, p->session->lake->engine, buf_view(&sub.out), p->settings, stand_ins, p->ref_count + bound_count, &p->arena,
                                 &p->schema, err);
        if (st != STATUS_OK && err && err->position >= 0) {
            struct sql_text map = {.text = buf_view(&sub.out), .edits = sub.edits, .edit_count = sub.edit_count};
            err->position = (int64_t)sql_text_origin(&map, (size_t)err->position);
        }
        hint_change_columns(st, err);
    }
    for (size_t i = 0; i < p->ref_count && st == STATUS_OK; i++)
        p->refs[i].pred = stand_ins[i].pred;
    for (size_t i = 0; i < bound_count && st == STATUS_OK; i++)
        p->frame->bound[i].pred = stand_ins[p->ref_count + i].pred;
    buf_release(&sub.out);
    return st;
}

/* ---- variables and functions ----
 *
 * A column goes before a variable, and a function of the engine before one that was created.  So names are left to the engine, and only what it does
 * not know is looked for: the place of its error is where the name stands. */

static enum status put_expansion(struct ctx *ctx, struct exec_select *p, const struct exec_expansion *x, struct error *err)
{
    struct substitution sub = {.edits = ARENA_ARRAY(&p->arena, struct sql_edit, 1)};
    struct buf text = BUF_INIT;
    size_t at = 0;
    if (!sub.edits)
        return error_oom(err);
    buf_str(&text, x->text);
    enum status st = buf_check(&text, err);
    if (st == STATUS_OK) {
        put_edit(p, &sub, &at, x->start, x->end, &text);
        buf_append(&sub.out, p->text.text.ptr + at, p->text.text.len - at);
        st = buf_check(&sub.out, err);
    }
    release_refs(p);
    if (st == STATUS_OK && sub.out.len > EXEC_EXPANDED_BYTES_MAX)
        st = error_set(err, STATUS_LIMIT_EXCEEDED, "the statement is longer than %d bytes once its functions are written out",
                       EXEC_EXPANDED_BYTES_MAX);
    if (st == STATUS_OK)
        st = adopt_text(ctx, p, &sub, err);
    if (st == STATUS_OK)
        st = fix_settings(ctx, p, err);
    if (st == STATUS_OK)
        st = resolve_refs(ctx, p, err);
    buf_release(&sub.out);
    buf_release(&text);
    p->is_expanded = true;
    return st;
}

/* Writes out the name or call that the engine did not know; *found false when it is no variable and no function. */
static enum status expand(struct ctx *ctx, struct exec_select *p, enum status why, const struct error *unknown, bool *found, struct error *err)
{
    struct sql_called called;
    struct exec_expansion x = {0};
    *found = false;
    if (unknown->position < 0 || (size_t)unknown->position >= p->text.text.len)
        return STATUS_OK;
    enum status st = sql_read_called(&p->arena, p->text.text, (size_t)unknown->position, &called, NULL);
    if (st != STATUS_OK)
        return st == STATUS_OUT_OF_MEMORY ? error_oom(err) : STATUS_OK;
    if (why == STATUS_FUNCTION_NOT_FOUND && called.is_call)
        st = exec_expand_function(ctx, p->session, &p->arena, p->text.text, &called, &x, err);
    else if (why == STATUS_COLUMN_NOT_FOUND || why == STATUS_BINDER || why == STATUS_TABLE_NOT_FOUND)
        st = exec_expand_variable(p->session, &p->arena, p->text.text, &called, &x, err);
    if (st != STATUS_OK && err)
        err->position = unknown->position;
    *found = x.found;
    return st == STATUS_OK && x.found ? put_expansion(ctx, p, &x, err) : st;
}

static bool may_expand(enum status st)
{
    return st == STATUS_FUNCTION_NOT_FOUND || st == STATUS_COLUMN_NOT_FOUND || st == STATUS_BINDER || st == STATUS_TABLE_NOT_FOUND;
}

/* In a transaction what is written may depend on what was read.  The table that the statement changes is looked after where it is changed. */
static enum status note_reads(struct exec_select *p, struct error *err)
{
    const struct delta_table *target = p->frame && p->frame->pinned ? delta_snapshot_table(p->frame->pinned) : NULL;
    enum status st = STATUS_OK;
    for (size_t i = 0; st == STATUS_OK && i < p->ref_count; i++)
        if (p->refs[i].place.table != target && !p->refs[i].is_changes && p->refs[i].extent.at.kind == SQL_AT_NONE)
            st = delta_stage_reads(p->refs[i].place.table, p->refs[i].pred, err);
    return st;
}

static enum status plan(struct ctx *ctx, struct exec_select *p, struct error *err)
{
    struct exec_expanding own = {0}, *expanding = p->session->expanding ? p->session->expanding : &own;
    int64_t start_us = ctx_monotonic_us(ctx);
    bool again = !p->planned;
    enum status st = STATUS_OK;
    while (again) {
        struct error unknown = ERROR_INIT;
        again = false;
        st = plan_once(ctx, p, &unknown);
        if (may_expand(st) && ++expanding->count <= EXEC_EXPANSIONS_MAX) {
            enum status own_status = expand(ctx, p, st, &unknown, &again, err);
            st = own_status != STATUS_OK ? own_status : st;
            again = again && own_status == STATUS_OK;
            if (own_status != STATUS_OK) {
                locate_error(p, NULL, err);
                error_release(&unknown);
                break;
            }
        }
        if (!again && st != STATUS_OK) {
            locate_error(p, NULL, &unknown);
            error_move(err, &unknown);
        }
        error_release(&unknown);
    }
    if (st == STATUS_OK && !p->planned)
        st = note_reads(p, err);
    p->planned = st == STATUS_OK;
    p->plan_us += ctx_monotonic_us(ctx) - start_us;
    return st;
}

/* ---- relate ---------------------------------------------------------------------------------------- */

static void count_files(struct exec_lake *lake, struct exec_read *read, const struct delta_file_list *files)
{
    read->files_total = files->total;
    read->files_pruned_partition = files->pruned_partition;
    read->files_pruned_stats = files->pruned_stats;
    read->files_read = (int64_t)files->count;
    read->bytes_read = files->size_bytes;
    atomic_fetch_add(&lake->counters.files_considered, (unsigned long long)files->total);
    atomic_fetch_add(&lake->counters.files_pruned_partition, (unsigned long long)files->pruned_partition);
    atomic_fetch_add(&lake->counters.files_pruned_stats, (unsigned long long)files->pruned_stats);
    atomic_fetch_add(&lake->counters.files_read, (unsigned long long)files->count);
}

static enum status put_table(struct ctx *ctx, struct exec_select *p, struct select_ref *ref, struct buf *sql, struct engine_hold **hold,
                             struct error *err)
{
    const struct delta_metadata *m = delta_snapshot_metadata(ref->snapshot);
    struct delta_file_list files = {0};
    enum status st = delta_scan(ctx, ref->snapshot, ref->pred, false, &files, err);
    if (st == STATUS_OK) {
        count_files(p->session->lake, &ref->read, &files);
        struct engine_scan scan = {.table_name = str_of(ref->read.name),
                                   .schema = ref->with_metadata ? delta_snapshot_schema(ref->snapshot) : ref->schema,
                                   .partition_columns = m->partition_columns,
                                   .partition_column_count = m->partition_column_count,
                                   .mapping = delta_mapping_mode(m),
                                   .store = delta_table_store(ref->place.table),
                                   .files = files.files,
                                   .file_count = files.count};
        st = ref->with_metadata ? exec_metadata_sql(ctx, p->session->lake->engine, m, &scan, sql, hold, err)
                                : engine_scan_sql(ctx, p->session->lake->engine, &scan, sql, hold, err);
    }
    delta_file_list_release(&files);
    return st;
}

static enum status relate_ref(struct ctx *ctx, struct exec_select *p, struct select_ref *ref, struct str *relation, struct engine_hold **hold,
                              struct error *err)
{
    struct engine_hold *one = NULL;
    struct buf sql = BUF_INIT;
    if (ref->rows.ptr) {
        *relation = ref->rows;
        engine_hold_join(hold, ref->kept);
        ref->kept = NULL;
        return STATUS_OK;
    }
    enum status st = ref->is_changes ? exec_changes_sql(ctx, p->session, ref->snapshot, ref->changes_from, ref->schema, &ref->read, &sql, &one, err)
                                     : put_table(ctx, p, ref, &sql, &one, err);
    if (st == STATUS_OK)
        st = buf_check(&sql, err);
    if (st == STATUS_OK) {
        *relation = arena_str(&p->arena, buf_view(&sql));
        if (!relation->ptr)
            st = error_oom(err);
    }
    if (one)
        engine_hold_join(hold, one);
    if (st != STATUS_OK)
        error_context(err, "while choosing the files of table \"%s\" at version %lld", ref->read.name, (long long)ref->read.version);
    buf_release(&sql);
    return st;
}

/* How much of the name's start only tells functions of one name apart (sql/call.c). */
static size_t prefix_len(struct str name, char before)
{
    struct str prefix = STR(DIALECT_PREFIX);
    size_t end = prefix.len;
    if (!str_starts(name, prefix) || isalnum((unsigned char)before) || before == '_')
        return 0;
    while (end < name.len && (isalnum((unsigned char)name.ptr[end]) || name.ptr[end] == '_'))
        end++;
    return end < name.len && name.ptr[end] == '(' ? prefix.len : 0;
}

static void put_with_names(const struct exec_select *p, struct str name, struct buf *out)
{
    char before = ' ';
    while (name.len) {
        size_t prefix = prefix_len(name, before);
        before = name.ptr[0];
        if (prefix) {
            name = str_sub(name, prefix, name.len - prefix);
            continue;
        }
        const struct select_ref *ref = NULL;
        struct str alias = STR("");
        for (size_t i = p->ref_count; i-- > 0 && !ref;) /* varve_ref_1 is where varve_ref_10 begins */
            ref = str_starts(name, p->refs[i].stand_in) ? &p->refs[i] : NULL;
        if (!ref) {
            buf_char(out, name.ptr[0]);
            name = str_sub(name, 1, name.len - 1);
            continue;
        }
        name = str_sub(name, ref->stand_in.len, name.len - ref->stand_in.len);
        buf_str(out, ref->table);
        if (!ref->alias.ptr && str_starts(name, STR(" AS "))) /* put_replacement's */
            alias = str_sub(name, 4, name.len - 4);
        if (str_starts(alias, ref->table))
            name = str_sub(alias, ref->table.len, alias.len - ref->table.len);
    }
}

/* A column that has no name is called by its expression: as the user wrote it, not with what the engine reads instead of a table or calls instead of
 * a function. */
static enum status name_columns(struct exec_select *p, struct str *text, struct error *err)
{
    struct buf sql = BUF_INIT, name = BUF_INIT;
    bool any = false;
    for (uint32_t i = 0; i < p->schema->field_count; i++) {
        struct delta_field *field = &p->schema->fields[i];
        buf_clear(&name);
        put_with_names(p, field->name, &name);
        if (!name.failed && str_eq(buf_view(&name), field->name))
            continue;
        any = true;
        field->name = arena_str(&p->arena, buf_view(&name));
        sql.failed |= name.failed || !field->name.ptr;
    }
    buf_printf(&sql, "SELECT * FROM (%.*s\n) AS varve_named(", STR_ARG(*text));
    for (uint32_t i = 0; any && !sql.failed && i < p->schema->field_count; i++) {
        buf_z(&sql, i ? ", " : "");
        engine_quote_identifier(p->schema->fields[i].name, &sql);
    }
    buf_char(&sql, ')');
    enum status st = any ? buf_check(&sql, err) : STATUS_OK;
    if (st == STATUS_OK && any && !(*text = arena_str(&p->arena, buf_view(&sql))).ptr)
        st = error_oom(err);
    buf_release(&sql);
    buf_release(&name);
    return st;
}

/* The text that the engine runs, in the arena, and what must be held meanwhile. */
static enum status relate(struct ctx *ctx, struct exec_select *p, struct str *text, struct engine_hold **hold, struct error *err)
{
    struct substitution sub = {0};
    struct str *relations = ARENA_ARRAY(&p->arena, struct str, p->ref_count + 1);
    enum status st = relations ? STATUS_OK : error_oom(err);
    int64_t start_us = ctx_monotonic_us(ctx);
    *hold = NULL;
    for (size_t i = 0; i < p->ref_count && st == STATUS_OK; i++)
        st = relate_ref(ctx, p, &p->refs[i], &relations[i], hold, err);
    if (st == STATUS_OK)
        st = substitute(p, relations, &sub, err);
    if (st == STATUS_OK) {
        *text = arena_str(&p->arena, buf_view(&sub.out));
        st = text->ptr ? name_columns(p, text, err) : error_oom(err);
    }
    buf_release(&sub.out);
    if (st != STATUS_OK) {
        engine_hold_free(*hold);
        *hold = NULL;
    }
    p->plan_us += ctx_monotonic_us(ctx) - start_us;
    return st;
}

/* What the client gets: the rows with variants as JSON. */
static enum status present(struct exec_select *p, struct str *text, struct error *err)
{
    struct buf shown = BUF_INIT;
    enum status st = engine_variants_as_json(*text, p->schema, &shown, err);
    if (st == STATUS_OK && shown.len) {
        *text = arena_str(&p->arena, buf_view(&shown));
        if (!text->ptr)
            st = error_oom(err);
    }
    buf_release(&shown);
    return st;
}

/* ---- run --------------------------------------------------------------------------------------------- */

enum status exec_select_run(struct ctx *ctx, struct exec_select *p, struct exec_result *out, struct error *err)
{
    struct str text = STR_NULL;
    struct engine_hold *hold = NULL;
    enum status st = plan(ctx, p, err);
    if (st == STATUS_OK)
        st = relate(ctx, p, &text, &hold, err);
    if (st == STATUS_OK && (st = present(p, &text, err)) != STATUS_OK)
        engine_hold_free(hold);
    if (st == STATUS_OK)
        st = engine_query(ctx, p->session->lake->engine, text, hold, p->settings, &out->stream, err);
    out->kind = STATEMENT_SELECT;
    out->version = -1;
    out->plan_us = p->plan_us;
    if (st == STATUS_OK)
        exec_select_reads(p, &out->reads, &out->read_count);
    return st;
}

enum status exec_select_source(struct ctx *ctx, struct exec_select *p, struct table_source *out, struct error *err)
{
    *out = (struct table_source){0};
    enum status st = plan(ctx, p, err);
    if (st == STATUS_OK)
        st = relate(ctx, p, &out->select, &out->hold, err);
    out->schema = p->schema;
    out->session_settings = p->settings;
    return st;
}

enum status exec_select_bind(struct ctx *ctx, struct exec_select *p, struct error *err) { return plan(ctx, p, err); }

const struct delta_type *exec_select_schema(const struct exec_select *p) { return p->schema; }

/* ---- EXPLAIN --------------------------------------------------------------------------------------------- */

static void explain_refs(const struct exec_select *p, struct rowset *rows)
{
    for (size_t i = 0; i < p->ref_count; i++) {
        const struct exec_read *r = &p->refs[i].read;
        char line[512], since[48] = "";
        if (p->refs[i].rows.ptr)
            continue;
        if (p->refs[i].is_changes)
            snprintf(since, sizeof(since), "changes from version %lld to ", (long long)p->refs[i].changes_from);
        int len = snprintf(line, sizeof(line),
                           "%s %sversion %lld: %lld files considered, %lld pruned by partition, %lld pruned by statistics, %lld read (%lld bytes)",
                           r->name, since, (long long)r->version, (long long)r->files_total, (long long)r->files_pruned_partition,
                           (long long)r->files_pruned_stats, (long long)r->files_read, (long long)r->bytes_read);
        rowset_str(rows, (struct str){line, len < (int)sizeof(line) ? (size_t)len : sizeof(line) - 1});
    }
}

static void explain_plan(struct rowset *rows, struct str text)
{
    while (text.len) {
        const char *nl = memchr(text.ptr, '\n', text.len);
        size_t len = nl ? (size_t)(nl - text.ptr) : text.len;
        rowset_str(rows, str_sub(text, 0, len));
        text = str_sub(text, nl ? len + 1 : len, text.len - len - (nl ? 1 : 0));
    }
}

enum status exec_explain(struct ctx *ctx, struct exec_session *s, const struct statement *stmt, struct exec_result *out, struct error *err)
{
    static const struct rowset_column columns[] = {{"explain", "u"}};
    struct exec_select *p = NULL;
    struct engine_hold *hold = NULL;
    struct str text = STR_NULL;
    struct buf tree = BUF_INIT;
    struct rowset *rows = rowset_new(columns, VV_ARRAY_COUNT(columns));
    enum status st = STATUS_OUT_OF_MEMORY;
    if (rows)
        st = exec_select_prepare(ctx, s, stmt->query, stmt->query_offset, &p, err);
    else
        error_oom(err);
    if (st == STATUS_OK)
        st = plan(ctx, p, err);
    if (st == STATUS_OK)
        st = relate(ctx, p, &text, &hold, err);
    if (st == STATUS_OK)
        st = engine_explain(ctx, s->lake->engine, text, stmt->analyze, &tree, err);
    if (st == STATUS_OK) {
        explain_refs(p, rows);
        explain_plan(rows, buf_view(&tree));
        st = rowset_stream(rows, &out->stream, err);
        rows = NULL;
        out->plan_us = p->plan_us;
        exec_select_reads(p, &out->reads, &out->read_count);
    }
    rowset_free(rows);
    engine_hold_free(hold);
    buf_release(&tree);
    exec_select_free(p);
    return st;
}
