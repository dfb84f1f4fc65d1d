/* exec/statement.c: the door: parse, dispatch, count. */
#include "exec/exec_int.h"

static enum status exec_select_statement(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st,
                                         struct exec_result *out, struct error *err)
{
    (void)arena;
    struct exec_select *p = NULL;
    enum status status = exec_select_prepare(ctx, s, st->query, st->query_offset, &p, err);
    if (status == STATUS_OK)
        status = exec_select_run(ctx, p, out, err);
    exec_select_free(p);
    return status;
}

static enum status exec_explain_statement(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st,
                                          struct exec_result *out, struct error *err)
{
    (void)arena;
    return exec_explain(ctx, s, st, out, err);
}

static const struct {
    exec_fn run;
    bool writes;
    bool in_transaction; /* may stand between BEGIN and COMMIT */
} statements[STATEMENT_COUNT] = {
    [STATEMENT_SELECT] = {exec_select_statement, false, true},
    [STATEMENT_EXPLAIN] = {exec_explain_statement, false, true},
    [STATEMENT_CREATE_TABLE] = {exec_create_table, true, false},
    [STATEMENT_CONVERT] = {exec_convert, true, false},
    [STATEMENT_DROP_TABLE] = {exec_drop_table, true, false},
    [STATEMENT_CREATE_VIEW] = {exec_create_view, true, false},
    [STATEMENT_DROP_VIEW] = {exec_drop_view, true, false},
    [STATEMENT_ALTER_TABLE] = {exec_alter_table, true, false},
    [STATEMENT_COMMENT_ON] = {exec_comment_on, true, false},
    [STATEMENT_INSERT] = {exec_insert, true, true},
    [STATEMENT_COPY_INTO] = {exec_copy_into, true, true},
    [STATEMENT_DELETE] = {exec_delete, true, true},
    [STATEMENT_UPDATE] = {exec_update, true, true},
    [STATEMENT_MERGE] = {exec_merge, true, true},
    [STATEMENT_TRUNCATE] = {exec_truncate, true, true},
    [STATEMENT_RESTORE] = {exec_restore, true, false},
    [STATEMENT_OPTIMIZE] = {exec_optimize, true, false},
    [STATEMENT_REORG] = {exec_optimize, true, false},
    [STATEMENT_VACUUM] = {exec_vacuum, true, false},
    [STATEMENT_CREATE_SCHEMA] = {exec_create_schema, true, false},
    [STATEMENT_DROP_SCHEMA] = {exec_drop_schema, true, false},
    [STATEMENT_DESCRIBE_TABLE] = {exec_describe_table, false, true},
    [STATEMENT_DESCRIBE_DETAIL] = {exec_describe_detail, false, true},
    [STATEMENT_DESCRIBE_HISTORY] = {exec_describe_history, false, true},
    [STATEMENT_DESCRIBE_FILES] = {exec_describe_files, false, true},
    [STATEMENT_SHOW_TABLES] = {exec_show_tables, false, true},
    [STATEMENT_SHOW_VIEWS] = {exec_show_views, false, true},
    [STATEMENT_SHOW_SCHEMAS] = {exec_show_schemas, false, true},
    [STATEMENT_SHOW_CATALOGS] = {exec_show_catalogs, false, true},
    [STATEMENT_SHOW_COLUMNS] = {exec_show_columns, false, true},
    [STATEMENT_SHOW_TBLPROPERTIES] = {exec_show_tblproperties, false, true},
    [STATEMENT_DESCRIBE_SCHEMA] = {exec_describe_schema, false, true},
    [STATEMENT_SHOW_PARTITIONS] = {exec_show_partitions, false, true},
    [STATEMENT_SHOW_CREATE_TABLE] = {exec_show_create_table, false, true},
    [STATEMENT_SHOW_CURRENT] = {exec_show_current, false, true},
    [STATEMENT_CACHE_TABLE] = {exec_cache_table, false, true},
    [STATEMENT_UNCACHE_TABLE] = {exec_uncache_table, false, true},
    [STATEMENT_CLEAR_CACHE] = {exec_clear_cache, false, true},
    [STATEMENT_USE] = {exec_use, false, true},
    [STATEMENT_SET] = {exec_set, false, true},
    [STATEMENT_RESET] = {exec_reset, false, true},
    [STATEMENT_DECLARE] = {exec_declare, false, true},
    [STATEMENT_SET_VARIABLE] = {exec_set_variable, false, true},
    [STATEMENT_DROP_VARIABLE] = {exec_drop_variable, false, true},
    [STATEMENT_CREATE_FUNCTION] = {exec_create_function, false, false},
    [STATEMENT_DROP_FUNCTION] = {exec_drop_function, false, false},
    [STATEMENT_SHOW_FUNCTIONS] = {exec_show_functions, false, true},
    [STATEMENT_DESCRIBE_FUNCTION] = {exec_describe_function, false, true},
    [STATEMENT_PREPARE] = {exec_prepare, false, true},
    [STATEMENT_EXECUTE] = {exec_execute, false, true},
    [STATEMENT_DEALLOCATE] = {exec_deallocate, false, true},
    [STATEMENT_BEGIN] = {exec_begin, false, true},
    [STATEMENT_COMMIT] = {exec_commit, false, true},
    [STATEMENT_ROLLBACK] = {exec_rollback, false, true},
};

static bool changes_rows(enum statement_kind kind)
{
    return kind == STATEMENT_INSERT || kind == STATEMENT_COPY_INTO || kind == STATEMENT_DELETE || kind == STATEMENT_UPDATE ||
           kind == STATEMENT_MERGE || kind == STATEMENT_TRUNCATE;
}

static enum status dispatch(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *parsed, struct exec_result *out,
                            struct error *err)
{
    bool done = false;
    enum status st = exec_note_commits(ctx, s, arena, changes_rows(parsed->kind) || parsed->kind == STATEMENT_COMMIT, err);
    if (st == STATUS_OK && changes_rows(parsed->kind))
        st = exec_was_done(ctx, s, parsed, &done, out, err);
    if (st == STATUS_OK && !done)
        st = statements[parsed->kind].run(ctx, s, arena, parsed, out, err);
    return st;
}

enum status exec_run(struct ctx *ctx, struct exec_session *s, struct arena *arena, struct str sql, struct exec_result *out, struct error *err)
{
    struct statement parsed = {0};
    enum status st = sql_parse(arena, sql, &parsed, err);
    if (st != STATUS_OK)
        return st;
    out->kind = parsed.kind;
    if (statements[parsed.kind].writes)
        st = exec_check_writable(s, statement_info(parsed.kind)->name, err);
    if (st == STATUS_OK && s->transaction && !statements[parsed.kind].in_transaction) {
        st = error_set(err, STATUS_TRANSACTION_STATE, "%s cannot run inside of a transaction", statement_info(parsed.kind)->name);
        error_hint(err, "COMMIT or ROLLBACK first");
    }
    if (st == STATUS_OK)
        st = dispatch(ctx, s, arena, &parsed, out, err);
    if (st == STATUS_OK && s->transaction) {
        exec_transaction_note(s);
        out->version = -1; /* nothing is committed yet */
    }
    return st;
}

static bool yields_rows(enum statement_kind kind)
{
    switch (kind) {
    case STATEMENT_DESCRIBE_TABLE:
    case STATEMENT_DESCRIBE_DETAIL:
    case STATEMENT_DESCRIBE_HISTORY:
    case STATEMENT_DESCRIBE_FILES:
    case STATEMENT_SHOW_TABLES:
    case STATEMENT_SHOW_VIEWS:
    case STATEMENT_SHOW_SCHEMAS:
    case STATEMENT_SHOW_CATALOGS:
    case STATEMENT_SHOW_COLUMNS:
    case STATEMENT_SHOW_TBLPROPERTIES:
    case STATEMENT_DESCRIBE_SCHEMA:
    case STATEMENT_SHOW_PARTITIONS:
    case STATEMENT_SHOW_CREATE_TABLE:
    case STATEMENT_SHOW_CURRENT:
        return true;
    default:
        return false;
    }
}

enum status exec_statement_rows(struct ctx *ctx, struct exec_session *s, struct str sql, struct arena *arena, struct str *relation,
                                struct delta_type **schema, struct engine_hold **kept, struct error *err)
{
    struct statement parsed = {0};
    struct exec_result result = {.version = -1};
    enum status st = sql_parse(arena, sql, &parsed, err);
    if (st == STATUS_OK && !yields_rows(parsed.kind))
        st = error_set(err, STATUS_NOT_SUPPORTED, "%s cannot stand where a table is read", statement_info(parsed.kind)->name);
    if (st == STATUS_OK)
        st = statements[parsed.kind].run(ctx, s, arena, &parsed, &result, err);
    if (st == STATUS_OK)
        st = engine_keep_stream(ctx, s->lake->engine, &result.stream, arena, relation, schema, kept, err);
    exec_result_release(&result);
    return st;
}

enum status exec_statement(struct ctx *ctx, struct exec_session *s, struct str sql, struct exec_result *out, struct error *err)
{
    struct arena arena = ARENA_INIT;
    *out = (struct exec_result){.version = -1};
    atomic_fetch_add(&s->lake->counters.queries, 1);
    atomic_fetch_add(&s->lake->counters.queries_running, 1);
    enum status st = ctx_check(ctx, err);
    if (st == STATUS_OK)
        st = exec_run(ctx, s, &arena, sql, out, err);
    ctx->user_metadata = ctx->app_id = STR_NULL; /* they are in the arena */
    if (st == STATUS_OK && out->version >= 0)
        atomic_fetch_add(&s->lake->counters.commits, 1);
    if (st == STATUS_COMMIT_CONFLICT)
        atomic_fetch_add(&s->lake->counters.commit_conflicts, 1);
    if (st != STATUS_OK) {
        atomic_fetch_add(&s->lake->counters.query_errors, 1);
        exec_result_release(out);
    }
    atomic_fetch_sub(&s->lake->counters.queries_running, 1);
    arena_release(&arena);
    return st;
}

void exec_result_release(struct exec_result *r)
{
    if (r->stream.release)
        r->stream.release(&r->stream);
    for (size_t i = 0; i < r->read_count; i++)
        mem_free(r->reads[i].name);
    mem_free(r->reads);
    *r = (struct exec_result){.version = -1};
}
