/* engine/functions.c: Spark's functions, made in an instance when a statement first calls them.
 *
 * There are hundreds and a macro takes a fraction of a millisecond, so none is made before it is needed.  A text that is about to be planned or run
 * is looked through for calls; what it calls and what that calls is made first. */
#include "engine/engine_int.h"

static const struct function {
    enum dialect_kind kind;
    const char *name, *text;
} functions[] = {
#define DIALECT(KIND, NAME, TEXT, WHAT) {DIALECT_##KIND, NAME, TEXT},
#include "base/dialect.def"
#undef DIALECT
};
_Static_assert(VV_ARRAY_COUNT(functions) <= FUNCTIONS_MAX, "struct functions has no room for all rows of dialect.def");

enum { BODY_DEPTH_MAX = 16 };

void functions_init(struct functions *f)
{
    *f = (struct functions){0};
    pthread_mutex_init(&f->lock, NULL);
}

void functions_release(struct functions *f) { pthread_mutex_destroy(&f->lock); }

/* ---- what a text calls ------------------------------------------------------------------------ */

static bool is_name_byte(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

/* The name before the bracket at `open`; empty when there is none. */
static struct str called_at(struct str sql, size_t open)
{
    size_t end = open;
    while (end > 0 && strchr(" \t\r\n", sql.ptr[end - 1]))
        end--;
    size_t start = end;
    while (start > 0 && is_name_byte(sql.ptr[start - 1]))
        start--;
    return str_sub(sql, start, end - start);
}

static bool has_prefix(enum dialect_kind kind) { return kind == DIALECT_OVER || kind == DIALECT_NATIVE_OVER; }

static bool is_made(enum dialect_kind kind)
{
    return kind == DIALECT_MACRO || kind == DIALECT_PART || kind == DIALECT_NATIVE || kind == DIALECT_NATIVE_PART || has_prefix(kind);
}

/* The row of the function that the engine has under this name; -1 when it is none of ours. */
static int row_of(struct str name)
{
    struct str prefix = STR(DIALECT_PREFIX);
    bool prefixed = name.len > prefix.len && str_ieq(str_sub(name, 0, prefix.len), prefix);
    struct str rest = prefixed ? str_sub(name, prefix.len, name.len - prefix.len) : name;
    for (size_t i = 0; i < VV_ARRAY_COUNT(functions); i++) {
        const struct function *f = &functions[i];
        if (is_made(f->kind) && str_ieq(has_prefix(f->kind) ? rest : name, str_of(f->name)) && (prefixed || !has_prefix(f->kind)))
            return (int)i;
    }
    return -1;
}

/* ---- making them --------------------------------------------------------------------------------- */

static enum status provide(struct ctx *ctx, struct functions *f, duckdb_connection connection, struct str sql, int depth, struct error *err);

static enum status make_macro(struct ctx *ctx, const struct function *row, duckdb_connection connection, struct error *err)
{
    struct buf sql = BUF_INIT;
    buf_printf(&sql, "CREATE OR REPLACE MACRO memory.main.\"%s%s\"%s", has_prefix(row->kind) ? DIALECT_PREFIX : "", row->name, row->text);
    enum status st = buf_check(&sql, err);
    if (st == STATUS_OK)
        st = planner_run(ctx, connection, sql.ptr, err);
    buf_release(&sql);
    return st;
}

static enum status make(struct ctx *ctx, struct functions *f, int row, duckdb_connection connection, int depth, struct error *err)
{
    const struct function *function = &functions[row];
    enum dialect_kind kind = function->kind;
    if (f->made[row])
        return STATUS_OK;
    f->made[row] = true; /* a macro may call itself with fewer arguments */
    enum status st = STATUS_OK;
    if (kind == DIALECT_NATIVE || kind == DIALECT_NATIVE_OVER || kind == DIALECT_NATIVE_PART) {
        st = native_register(connection, function->name, err);
    } else {
        st = provide(ctx, f, connection, str_of(function->text), depth + 1, err);
        if (st == STATUS_OK)
            st = make_macro(ctx, function, connection, err);
    }
    f->made[row] = st == STATUS_OK;
    return st;
}

static enum status provide(struct ctx *ctx, struct functions *f, duckdb_connection connection, struct str sql, int depth, struct error *err)
{
    enum status st = STATUS_OK;
    if (depth > BODY_DEPTH_MAX)
        return error_set(err, STATUS_INTERNAL, "the functions of the dialect call each other too deeply");
    for (const char *at = sql.ptr, *end = sql.ptr + sql.len; at && at < end && st == STATUS_OK; at++) {
        at = memchr(at, '(', (size_t)(end - at));
        if (!at)
            break;
        struct str name = called_at(sql, (size_t)(at - sql.ptr));
        int row = name.len ? row_of(name) : -1;
        if (row >= 0)
            st = make(ctx, f, row, connection, depth, err);
    }
    return st;
}

/* Operators have no bracket behind them. */
static enum status provide_operators(struct ctx *ctx, struct functions *f, duckdb_connection connection, struct str sql, struct error *err)
{
    enum status st = STATUS_OK;
    for (size_t i = 0; i < VV_ARRAY_COUNT(functions) && st == STATUS_OK; i++)
        if (functions[i].kind == DIALECT_OPERATOR && !f->made[i] && memmem(sql.ptr, sql.len, functions[i].name, strlen(functions[i].name)))
            st = make(ctx, f, (int)i, connection, 0, err);
    return st;
}

enum status functions_provide(struct ctx *ctx, struct functions *f, duckdb_connection connection, struct str sql, struct error *err)
{
    pthread_mutex_lock(&f->lock);
    enum status st = provide(ctx, f, connection, sql, 0, err);
    if (st == STATUS_OK)
        st = provide_operators(ctx, f, connection, sql, err);
    pthread_mutex_unlock(&f->lock);
    return st;
}
