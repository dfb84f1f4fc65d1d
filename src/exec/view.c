/* exec/view.c: CREATE VIEW, DROP VIEW, and a view's columns.  Where queries read views: select.c. */
#include "exec/exec_int.h"

static enum status at_name(const struct statement *st, enum status status, struct error *err)
{
    if (status != STATUS_OK && err && err->position < 0)
        err->position = (int64_t)st->name.offset;
    return status;
}

/* The query must stand by itself, and in brackets, where it will be. */
static enum status check_query(struct ctx *ctx, struct exec_session *session, const struct statement *st, struct error *err)
{
    struct exec_session own = *session, *s = &own;
    struct exec_select *select = NULL;
    own.variables = own.functions = (struct exec_items){0}; /* a view means the same for everybody */
    own.cached_count = 0;
    struct buf inside = BUF_INIT;
    enum status status = exec_select_prepare(ctx, s, st->query, st->query_offset, &select, err);
    if (status == STATUS_OK)
        status = exec_select_bind(ctx, select, err);
    exec_select_free(select);
    select = NULL;
    if (status == STATUS_OK) {
        buf_z(&inside, "SELECT * FROM (");
        buf_str(&inside, st->query);
        buf_z(&inside, ") AS v");
        status = buf_check(&inside, err);
        if (status == STATUS_OK)
            status = exec_select_prepare(ctx, s, buf_view(&inside), 0, &select, err);
        if (status == STATUS_OK)
            status = exec_select_bind(ctx, select, err);
        if (status != STATUS_OK && err)
            err->position = (int64_t)st->query_offset;
    }
    exec_select_free(select);
    buf_release(&inside);
    return status;
}

static enum status find_old(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, bool *existed,
                            struct error *err)
{
    struct catalog_name name = exec_catalog_name(s, &st->name);
    struct catalog_view view;
    enum status status = catalog_find_view(ctx, s->lake->catalog, arena, &name, &view, existed, err);
    return at_name(st, status, err);
}

enum status exec_create_view(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                             struct error *err)
{
    struct catalog_name name = exec_catalog_name(s, &st->name);
    struct catalog_view view = {.sql = st->query, .schema = str_of(s->schema), .comment = st->comment};
    bool existed = false;
    enum status status = find_old(ctx, s, arena, st, &existed, err);
    if (status == STATUS_OK && existed && st->if_not_exists)
        return exec_answer(out, STR("view exists already"), err);
    if (status == STATUS_OK)
        status = check_query(ctx, s, st, err);
    if (status == STATUS_OK)
        status = at_name(st, catalog_create_view(ctx, s->lake->catalog, &name, &view, st->or_replace, err), err);
    return status == STATUS_OK ? exec_answer(out, existed ? STR("view replaced") : STR("view created"), err) : status;
}

enum status exec_drop_view(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                           struct error *err)
{
    (void)arena;
    struct catalog_name name = exec_catalog_name(s, &st->name);
    struct error absent = ERROR_INIT;
    enum status status = catalog_drop_view(ctx, s->lake->catalog, &name, &absent);
    bool forgiven = st->if_exists && (status == STATUS_TABLE_NOT_FOUND || status == STATUS_SCHEMA_NOT_FOUND);
    if (status != STATUS_OK && !forgiven) {
        absent.position = (int64_t)st->name.offset;
        error_move(err, &absent);
        return status;
    }
    error_release(&absent);
    return exec_answer(out, forgiven ? STR("no such view") : STR("view dropped"), err);
}

enum status exec_view_open(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct sql_name *name, struct exec_select **select,
                           struct error *err)
{
    struct catalog_name wanted = exec_catalog_name(s, name);
    struct catalog_view view;
    struct buf sql = BUF_INIT;
    bool found = false;
    *select = NULL;
    enum status status = catalog_find_view(ctx, s->lake->catalog, arena, &wanted, &view, &found, err);
    if (status == STATUS_OK && found) {
        buf_z(&sql, "SELECT * FROM " CATALOG_NAME ".");
        engine_quote_identifier(wanted.schema, &sql);
        buf_char(&sql, '.');
        engine_quote_identifier(wanted.table, &sql);
        status = buf_check(&sql, err);
        if (status == STATUS_OK)
            status = exec_select_prepare(ctx, s, buf_view(&sql), 0, select, err);
        if (status == STATUS_OK)
            status = exec_select_bind(ctx, *select, err);
        if (status != STATUS_OK) {
            exec_select_free(*select);
            *select = NULL;
            if (err)
                err->position = -1;
        }
    }
    if (status != STATUS_OK && err && err->position < 0)
        err->position = (int64_t)name->offset;
    buf_release(&sql);
    return status;
}
