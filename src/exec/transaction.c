/* exec/transaction.c: BEGIN, COMMIT and ROLLBACK.
 *
 * Each table is pinned when a statement of the transaction first names it: from then on it is a stage over that version (delta_stage_open), which the
 * session's statements get wherever they would have got the table.  COMMIT makes one commit of each table that was written, in the order in which
 * they first were.  A log knows one table only, so several tables are not committed as one: when a later one fails the error names those that are. */
#include "exec/exec_int.h"

enum { FIRST_TABLES = 4 };

struct joined_table {
    struct delta_table *stage;
    char *name, *location;
    size_t order; /* of its first change, from 1; 0: none yet */
};
struct exec_transaction {
    struct joined_table *tables;
    size_t count, cap, written;
};

void exec_transaction_free(struct exec_transaction *t)
{
    if (!t)
        return;
    for (size_t i = 0; i < t->count; i++) {
        delta_table_unref(t->tables[i].stage);
        mem_free(t->tables[i].name);
        mem_free(t->tables[i].location);
    }
    mem_free(t->tables);
    mem_free(t);
}

/* ---- tables ----------------------------------------------------------------------------------------- */

static struct joined_table *find_joined(const struct exec_transaction *t, const char *location)
{
    for (size_t i = 0; i < t->count; i++)
        if (!strcmp(t->tables[i].location, location))
            return &t->tables[i];
    return NULL;
}

static enum status add_joined(struct exec_transaction *t, const struct catalog_table *table, struct delta_table *stage, struct error *err)
{
    if (t->count == t->cap) {
        size_t cap = t->cap ? t->cap * 2 : FIRST_TABLES;
        struct joined_table *grown = mem_realloc(t->tables, cap * sizeof *grown);
        if (!grown)
            return error_oom(err);
        t->tables = grown;
        t->cap = cap;
    }
    struct joined_table joined = {.name = mem_strndup(table->qualified_name, strlen(table->qualified_name)),
                                  .location = mem_strndup(table->location, strlen(table->location))};
    if (!joined.name || !joined.location) {
        mem_free(joined.name);
        mem_free(joined.location);
        return error_oom(err);
    }
    joined.stage = delta_table_ref(stage);
    t->tables[t->count++] = joined;
    return STATUS_OK;
}

static enum status pin(struct ctx *ctx, struct exec_transaction *t, const struct catalog_table *table, struct error *err)
{
    struct delta_snapshot *snapshot = NULL;
    struct delta_table *stage = NULL;
    enum status status = delta_snapshot_latest(ctx, table->table, &snapshot, err);
    if (status == STATUS_OK)
        status = delta_stage_open(ctx, snapshot, &stage, err);
    if (status == STATUS_OK)
        status = add_joined(t, table, stage, err);
    delta_table_unref(stage);
    delta_snapshot_unref(snapshot);
    return status;
}

enum status exec_transaction_join(struct ctx *ctx, struct exec_session *s, struct catalog_table *table, struct error *err)
{
    if (!s->transaction)
        return STATUS_OK;
    enum status status = find_joined(s->transaction, table->location) ? STATUS_OK : pin(ctx, s->transaction, table, err);
    if (status != STATUS_OK)
        return status;
    delta_table_unref(table->table);
    table->table = delta_table_ref(find_joined(s->transaction, table->location)->stage);
    return STATUS_OK;
}

void exec_transaction_note(struct exec_session *s)
{
    struct exec_transaction *t = s->transaction;
    for (size_t i = 0; i < t->count; i++)
        if (!t->tables[i].order && delta_stage_change_count(t->tables[i].stage))
            t->tables[i].order = ++t->written;
}

/* ---- statements ---------------------------------------------------------------------------------------- */

static enum status no_transaction(const char *what, struct error *err)
{
    error_set(err, STATUS_TRANSACTION_STATE, "there is no transaction to %s", what);
    return error_hint(err, "statements outside of BEGIN … COMMIT are each a transaction of their own");
}

enum status exec_begin(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                       struct error *err)
{
    (void)ctx;
    (void)arena;
    (void)st;
    if (s->transaction) {
        error_set(err, STATUS_TRANSACTION_STATE, "a transaction has begun already");
        return error_hint(err, "COMMIT or ROLLBACK it first: transactions are not nested");
    }
    enum status status = exec_answer(out, STR("transaction begun"), err);
    if (status == STATUS_OK && !(s->transaction = mem_calloc(1, sizeof *s->transaction)))
        status = error_oom(err);
    return status;
}

enum status exec_rollback(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                          struct error *err)
{
    (void)ctx;
    (void)arena;
    (void)st;
    if (!s->transaction)
        return no_transaction("roll back", err);
    enum status status = exec_answer(out, STR("transaction rolled back"), err);
    exec_transaction_free(s->transaction);
    s->transaction = NULL;
    return status;
}

static struct joined_table *written_table(const struct exec_transaction *t, size_t order)
{
    for (size_t i = 0; i < t->count; i++)
        if (t->tables[i].order == order)
            return &t->tables[i];
    return NULL;
}

/* Says of a table that failed what became of the whole. */
static enum status explain_failure(const struct exec_transaction *t, const int64_t *versions, size_t failed, enum status status, struct error *err)
{
    struct buf done = BUF_INIT, left = BUF_INIT;
    struct error cause = ERROR_INIT;
    error_context(err, "while committing table \"%s\"", written_table(t, failed)->name);
    if (failed == 1) {
        if (status != STATUS_COMMIT_UNKNOWN)
            error_hint(err, "the transaction was rolled back: begin it again");
        return status;
    }
    for (size_t i = 1; i <= t->written; i++) {
        struct buf *list = i < failed ? &done : &left;
        buf_z(list, list->len ? ", " : "");
        buf_printf(list, "\"%s\"", written_table(t, i)->name);
        if (i < failed)
            buf_printf(list, " (version %lld)", (long long)versions[i]);
    }
    error_move(&cause, err);
    error_set(err, STATUS_COMMIT_PARTIAL, "the transaction committed %s and then failed: not committed: %s", done.ptr ? done.ptr : "",
              left.ptr ? left.ptr : "");
    error_detail(err, "%s%s%s", cause.message ? cause.message : "", cause.hint ? "; " : "", cause.hint ? cause.hint : "");
    error_context(err, "while committing table \"%s\"", written_table(t, failed)->name);
    error_release(&cause);
    buf_release(&done);
    buf_release(&left);
    return STATUS_COMMIT_PARTIAL;
}

/* *newest: the last version that was committed; a table of which nothing is left to commit stays at its version. */
static enum status commit_all(struct ctx *ctx, const struct exec_transaction *t, int64_t *versions, int64_t *newest, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 1; status == STATUS_OK && i <= t->written; i++) {
        struct delta_commit_result result = {0};
        status = delta_stage_commit(ctx, written_table(t, i)->stage, &result, err);
        delta_snapshot_unref(result.snapshot);
        versions[i] = result.version;
        if (status == STATUS_OK && result.attempts)
            *newest = result.version;
        if (status != STATUS_OK)
            status = explain_failure(t, versions, i, status, err);
    }
    return status;
}

enum status exec_commit(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                        struct error *err)
{
    static const struct rowset_column columns[] = {{"table", "u"}, {"version", "l"}};
    struct exec_transaction *t = s->transaction;
    (void)st;
    if (!t)
        return no_transaction("commit", err);
    int64_t *versions = ARENA_ARRAY(arena, int64_t, t->written + 1);
    struct rowset *rows = rowset_new(columns, VV_ARRAY_COUNT(columns));
    enum status status = versions && rows ? STATUS_OK : error_oom(err);
    if (status == STATUS_OK)
        status = commit_all(ctx, t, versions, &out->version, err);
    for (size_t i = 1; status == STATUS_OK && i <= t->written; i++) {
        rowset_str(rows, str_of(written_table(t, i)->name));
        rowset_i64(rows, versions[i]);
    }
    if (status == STATUS_OK)
        status = rowset_stream(rows, &out->stream, err);
    else
        rowset_free(rows);
    exec_transaction_free(t);
    s->transaction = NULL;
    return status;
}
