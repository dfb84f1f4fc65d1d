/* session/session.c: the public C interface over exec: opens a lake, wires every part, and turns our nouns into the caller's. */
#include "varve/varve.h"

#include "exec/exec.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CACHE_BYTES_DEFAULT (64LL << 20)
#define CACHED_RESULT_MAX_BYTES (4u << 20)

struct varve_db {
    struct exec_lake lake;
    struct store *store;
    struct log *log;
    struct engine *engine;
    char *spill_directory;
    atomic_int sessions;
};
struct varve_session {
    varve_db *db;
    struct exec_session exec;
    struct ctx ctx;
    int64_t timeout_us;
    char *identity, *client, *trace_id;
    varve_progress_fn progress;
    void *progress_user;
    struct arena bound_arena; /* of the values for the next statement */
    struct sql_variable *bound;
    uint32_t bound_count;
};
struct varve_result {
    varve_session *session;
    struct exec_result exec;
    varve_info info;
    varve_table_read *tables;
    char *columns;
    int64_t start_us;
};

/* ---- errors --------------------------------------------------------------------------------- */

void varve_free(void *text) { mem_free(text); }

void varve_error_free(varve_error *e)
{
    if (!e)
        return;
    mem_free(e->message);
    mem_free(e->detail);
    mem_free(e->hint);
    mem_free(e->context);
    *e = (varve_error){.position = -1};
}

static void locate(varve_error *e, const char *text)
{
    e->line = e->column = 0;
    if (e->position < 0)
        return;
    e->line = e->column = 1;
    for (int64_t i = 0; i < e->position && text[i]; i++) {
        bool newline = text[i] == '\n';
        bool continuation = ((unsigned char)text[i] & 0xC0) == 0x80;
        e->line += newline;
        e->column = newline ? 1 : e->column + !continuation;
    }
}

/* Moves from's texts into to.  text is what from's position is in; without it there is no position. */
static int fail(varve_error *to, struct error *from, const char *text)
{
    enum status code = from->code;
    const struct status_info *info = status_info(code);
    if (!to) {
        error_release(from);
        return (int)code;
    }
    varve_error_free(to);
    to->code = (int)code;
    to->name = info->name;
    to->sqlstate = info->sqlstate;
    to->http_status = info->http_status;
    to->retriable = info->retriable;
    to->message = from->message ? from->message : mem_strndup(info->cause, strlen(info->cause));
    to->detail = from->detail;
    to->hint = from->hint ? from->hint : mem_strndup(info->action, strlen(info->action));
    to->context = from->context;
    to->position = text ? from->position : -1;
    locate(to, text);
    *from = ERROR_INIT;
    return (int)code;
}

static void put_text(struct buf *out, const char *key, const char *text, bool *first)
{
    if (!text)
        return;
    json_put_key(out, key, first);
    json_put_string(out, str_of(text));
}

char *varve_error_json(const varve_error *e, const char *instance)
{
    struct buf out = BUF_INIT;
    bool first = true;
    const struct status_info *info = status_info((enum status)e->code);
    buf_z(&out, "{\"type\":\"urn:varve:error:");
    for (const char *c = info->name; *c; c++)
        buf_char(&out, *c == '_' ? '-' : (char)(*c | 0x20));
    buf_char(&out, '"');
    first = false;
    put_text(&out, "title", info->cause, &first);
    json_put_key(&out, "status", &first);
    buf_i64(&out, info->http_status);
    put_text(&out, "detail", e->message, &first);
    put_text(&out, "instance", instance, &first);
    put_text(&out, "code", info->name, &first);
    put_text(&out, "sqlstate", info->sqlstate, &first);
    json_put_key(&out, "retriable", &first);
    buf_z(&out, info->retriable ? "true" : "false");
    put_text(&out, "explanation", e->detail, &first);
    put_text(&out, "hint", e->hint, &first);
    put_text(&out, "context", e->context, &first);
    if (e->position >= 0) {
        json_put_key(&out, "position", &first);
        buf_printf(&out, "{\"offset\":%lld,\"line\":%lld,\"column\":%lld}", (long long)e->position, (long long)e->line, (long long)e->column);
    }
    json_put_key(&out, "success", &first);
    buf_z(&out, "false");
    put_text(&out, "error", e->message, &first);
    buf_char(&out, '}');
    return buf_detach(&out);
}

bool varve_error_describe(int code, const char **name, const char **sqlstate, int *http_status, const char **cause, const char **action)
{
    if (code <= 0 || code >= STATUS_COUNT)
        return false;
    const struct status_info *info = status_info((enum status)code);
    *name = info->name;
    *sqlstate = info->sqlstate;
    *http_status = info->http_status;
    *cause = info->cause;
    *action = info->action;
    return true;
}

/* ---- lake -------------------------------------------------------------------------------------- */

const char *varve_version(void) { return VARVE_VERSION; }
const char *varve_engine_version(void) { return engine_version(); }

/* A copy of the caller's options in which fields that an older caller does not know are zero. */
static varve_options options_of(const varve_options *given)
{
    varve_options o = {.struct_size = sizeof(o)};
    if (given) {
        size_t size = given->struct_size && given->struct_size < sizeof(o) ? given->struct_size : sizeof(o);
        memcpy(&o, given, size);
    }
    return o;
}

static enum log_level level_of(const char *name)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    for (size_t i = 0; name && i < VV_ARRAY_COUNT(names); i++)
        if (!strcmp(name, names[i]))
            return (enum log_level)i;
    return LOG_INFO;
}

static enum status open_cache(const varve_options *o, struct cache **out, struct error *err)
{
    if (o->cache_bytes < 0)
        return STATUS_OK;
    return cache_open_memory((size_t)(o->cache_bytes ? o->cache_bytes : CACHE_BYTES_DEFAULT), out, err);
}

/* The spill directory lies in the lake unless the caller names one. */
static enum status open_engine(struct ctx *ctx, varve_db *db, const char *directory, const varve_options *o, struct error *err)
{
    struct buf spill = BUF_INIT;
    if (o->spill_directory) {
        buf_z(&spill, o->spill_directory);
    } else {
        buf_z(&spill, directory);
        buf_z(&spill, "/_varve/spill");
    }
    enum status st = buf_check(&spill, err);
    if (st == STATUS_OK) {
        struct engine_config config = {.memory_limit_bytes = o->memory_limit_bytes, .threads = o->threads, .spill_directory = buf_view(&spill)};
        st = engine_open(ctx, &config, &db->engine, err);
        db->lake.engine = db->engine;
    }
    db->spill_directory = buf_detach(&spill);
    return st;
}

static enum status open_lake(struct ctx *ctx, varve_db *db, const char *directory, const varve_options *o, struct error *err)
{
    struct store_local_options local = {.durable = !o->not_durable, .must_exist = o->read_only || o->must_exist};
    if (local.must_exist && access(directory, F_OK) != 0 && errno == ENOENT)
        return error_set(err, STATUS_LAKE_NOT_FOUND, "the lake \"%s\" does not exist", directory);
    enum status st = store_open_local(ctx, str_of(directory), local, &db->store, err);
    if (st == STATUS_OK)
        st = open_engine(ctx, db, directory, o, err);
    if (st == STATUS_OK)
        st = catalog_open(ctx, db->store, !o->not_durable, engine_delta_handler(db->engine), &db->lake.catalog, err);
    if (st == STATUS_OK)
        st = open_cache(o, &db->lake.cache, err);
    if (st == STATUS_OK && o->search_config)
        st = exec_search_open(ctx, str_of(o->search_config), &db->lake.search, err);
    db->lake.read_only = o->read_only;
    return st;
}

int varve_open(const char *directory, const varve_options *options, varve_db **out, varve_error *error)
{
    struct error err = ERROR_INIT;
    struct ctx ctx;
    varve_options o = options_of(options);
    *out = NULL;
    varve_db *db = mem_calloc(1, sizeof(*db));
    if (!db) {
        error_oom(&err);
        return fail(error, &err, NULL);
    }
    ctx_init(&ctx);
    if (o.log_fd > 0)
        db->log = log_open_fd(o.log_fd, level_of(o.log_level));
    ctx.log = db->log;
    if (open_lake(&ctx, db, directory, &o, &err) != STATUS_OK) {
        error_context(&err, "while opening the lake \"%s\"", directory);
        varve_close(&db);
        return fail(error, &err, NULL);
    }
    *out = db;
    return VARVE_OK;
}

void varve_close(varve_db **pdb)
{
    varve_db *db = pdb ? *pdb : NULL;
    if (!db)
        return;
    exec_search_free(db->lake.search);
    if (db->lake.catalog)
        catalog_close(db->lake.catalog);
    engine_close(db->engine);
    cache_free(db->lake.cache);
    store_unref(db->store);
    log_free(db->log);
    mem_free(db->spill_directory);
    mem_free(db);
    *pdb = NULL;
}

/* Files that the engine has spilled, it removes when it is closed. */
static bool has_spilled(const varve_db *db) { return access(db->spill_directory, F_OK) == 0; }

void varve_finish(varve_db **pdb)
{
    varve_db *db = pdb ? *pdb : NULL;
    if (!db || has_spilled(db)) {
        varve_close(pdb);
        return;
    }
    catalog_close(db->lake.catalog); /* ends the tables' workers */
    *pdb = NULL;
}

/* ---- sessions ------------------------------------------------------------------------------------ */

static char *copy_or_null(const char *text) { return text ? mem_strndup(text, strlen(text)) : NULL; }

int varve_connect(varve_db *db, const varve_session_options *options, varve_session **out, varve_error *error)
{
    struct error err = ERROR_INIT;
    *out = NULL;
    varve_session *s = mem_calloc(1, sizeof(*s));
    if (!s || exec_session_init(&s->exec, &db->lake, &err) != STATUS_OK) {
        error_oom(&err);
        mem_free(s);
        return fail(error, &err, NULL);
    }
    s->db = db;
    ctx_init(&s->ctx);
    s->ctx.log = db->log;
    s->identity = copy_or_null(options ? options->identity : NULL);
    s->client = copy_or_null(options && options->client ? options->client : "c");
    s->trace_id = copy_or_null(options ? options->trace_id : NULL);
    s->ctx.identity = s->identity ? str_of(s->identity) : STR("");
    s->ctx.client = s->client ? str_of(s->client) : STR("");
    s->ctx.trace_id = s->trace_id ? str_of(s->trace_id) : STR("");
    *out = s;
    return VARVE_OK;
}

static void unbind(varve_session *s)
{
    arena_release(&s->bound_arena);
    s->bound_arena = ARENA_INIT;
    s->bound = NULL;
    s->bound_count = 0;
}

void varve_session_close(varve_session **ps)
{
    varve_session *s = ps ? *ps : NULL;
    if (!s)
        return;
    unbind(s);
    exec_session_release(&s->exec);
    mem_free(s->identity);
    mem_free(s->client);
    mem_free(s->trace_id);
    mem_free(s);
    *ps = NULL;
}

bool varve_in_transaction(const varve_session *s) { return s->exec.transaction != NULL; }

void varve_session_deadline(varve_session *s, int64_t timeout_us) { s->timeout_us = timeout_us; }
void varve_interrupt(varve_session *s) { atomic_store(&s->ctx.cancelled, true); }

static void forward_progress(void *user, double fraction, uint64_t rows)
{
    varve_session *s = user;
    if (s->progress)
        s->progress(s->progress_user, fraction, rows);
}

void varve_session_progress(varve_session *s, varve_progress_fn fn, void *user)
{
    s->progress = fn;
    s->progress_user = user;
    s->ctx.on_progress = fn ? forward_progress : NULL;
    s->ctx.progress_user = s;
}

static void statement_begins(varve_session *s)
{
    atomic_store(&s->ctx.cancelled, false);
    s->ctx.deadline_us = s->timeout_us ? ctx_monotonic_us(&s->ctx) + s->timeout_us : 0;
}

/* ---- results ---------------------------------------------------------------------------------------- */

static varve_result *result_new(varve_session *s)
{
    varve_result *r = mem_calloc(1, sizeof(*r));
    if (!r)
        return NULL;
    r->session = s;
    r->start_us = ctx_monotonic_us(&s->ctx);
    r->exec.version = r->info.version = -1;
    r->info.cache = "bypass";
    return r;
}

static enum status copy_reads(varve_result *r, const struct exec_read *reads, size_t count, struct error *err)
{
    mem_free(r->tables);
    r->tables = mem_calloc(count + 1, sizeof(*r->tables));
    if (!r->tables)
        return error_oom(err);
    for (size_t i = 0; i < count; i++)
        r->tables[i] = (varve_table_read){.name = reads[i].name,
                                          .version = reads[i].version,
                                          .timestamp_us = reads[i].timestamp_us,
                                          .files_total = reads[i].files_total,
                                          .files_pruned_partition = reads[i].files_pruned_partition,
                                          .files_pruned_stats = reads[i].files_pruned_stats,
                                          .files_read = reads[i].files_read,
                                          .bytes_read = reads[i].bytes_read};
    r->info.tables = r->tables;
    r->info.table_count = count;
    return STATUS_OK;
}

/* "a", "a_1", "a_2": JSON rows need names that differ; the same rule as the row encoders'. */
static void put_column(struct buf *out, const struct ArrowSchema *schema, int64_t column)
{
    int64_t earlier = 0;
    bool first = true;
    struct buf text = BUF_INIT;
    for (int64_t i = 0; i < column; i++)
        earlier += !strcmp(schema->children[i]->name, schema->children[column]->name);
    buf_z(&text, schema->children[column]->name);
    if (earlier)
        buf_printf(&text, "_%lld", (long long)earlier);
    buf_z(out, column ? ",{" : "{");
    json_put_key(out, "name", &first);
    json_put_string(out, buf_view(&text));
    buf_clear(&text);
    arrow_type_name(schema->children[column], &text);
    json_put_key(out, "type", &first);
    json_put_string(out, buf_view(&text));
    buf_char(out, '}');
    buf_release(&text);
}

static enum status describe_columns(varve_result *r, struct error *err)
{
    struct ArrowSchema schema = {0};
    struct buf out = BUF_INIT;
    if (!r->exec.stream.release)
        return STATUS_OK;
    if (r->exec.stream.get_schema(&r->exec.stream, &schema))
        return error_set(err, STATUS_INTERNAL, "the columns of the result could not be read");
    buf_char(&out, '[');
    for (int64_t i = 0; i < schema.n_children; i++)
        put_column(&out, &schema, i);
    buf_char(&out, ']');
    schema.release(&schema);
    r->columns = buf_detach(&out);
    r->info.columns_json = r->columns;
    return r->columns ? STATUS_OK : error_oom(err);
}

static enum status result_filled(varve_result *r, struct error *err)
{
    enum status st = describe_columns(r, err);
    if (st != STATUS_OK)
        return st;
    r->info.statement = statement_info(r->exec.kind)->name;
    r->info.version = r->exec.version;
    r->info.plan_us = r->exec.plan_us;
    r->info.total_us = ctx_monotonic_us(&r->session->ctx) - r->start_us;
    return copy_reads(r, r->exec.reads, r->exec.read_count, err);
}

/* ---- values for parameters ---------------------------------------------------------------------------- */

static bool copy_text(struct arena *arena, const char *text, struct str *out)
{
    *out = text ? arena_str(arena, str_of(text)) : STR_NULL;
    return !text || out->ptr;
}

static enum status bind_value(varve_session *s, const char *name, const char *type, const char *value, struct error *err)
{
    struct arena *arena = &s->bound_arena;
    struct delta_type *parsed = NULL;
    struct buf spelled = BUF_INIT;
    struct sql_variable v = {0};
    struct sql_variable *grown = ARENA_ARRAY(arena, struct sql_variable, (size_t)s->bound_count + 1);
    if (!grown || !copy_text(arena, name, &v.name))
        return error_oom(err);
    enum status st = delta_type_from_sql(arena, str_of(type ? type : "STRING"), &parsed, err);
    if (st != STATUS_OK)
        return st;
    engine_type_sql(parsed, &spelled);
    st = buf_check(&spelled, err);
    if (st == STATUS_OK)
        st = exec_parameter_literal(arena, buf_view(&spelled), value ? str_of(value) : STR_NULL, &v.value, err);
    buf_release(&spelled);
    if (st != STATUS_OK)
        return st;
    if (s->bound_count)
        memcpy(grown, s->bound, s->bound_count * sizeof(*grown));
    grown[s->bound_count++] = v;
    s->bound = grown;
    return STATUS_OK;
}

int varve_bind(varve_session *s, const char *name, const char *type, const char *value, varve_error *error)
{
    struct error err = ERROR_INIT;
    if (bind_value(s, name, type, value, &err) == STATUS_OK)
        return VARVE_OK;
    err.position = -1; /* in the type's text, which is no statement */
    return fail(error, &err, NULL);
}

/* The statement with the values that were bound for it; without any it stays as it is. */
static enum status with_values(varve_session *s, const char *sql, struct arena *arena, struct sql_text *out, struct error *err)
{
    *out = (struct sql_text){.text = str_of(sql)};
    if (!s->bound_count)
        return STATUS_OK;
    enum status st = sql_bind_parameters(arena, str_of(sql), s->bound, s->bound_count, out, err);
    unbind(s);
    return st;
}

static void place_in_statement(const struct sql_text *bound, struct error *err)
{
    if (err->position >= 0 && bound->edit_count)
        err->position = (int64_t)sql_text_origin(bound, (size_t)err->position);
}

/* ---- statements ------------------------------------------------------------------------------------------- */

int varve_query(varve_session *s, const char *sql, varve_result **out, varve_error *error)
{
    struct error err = ERROR_INIT;
    struct arena arena = ARENA_INIT;
    struct sql_text bound;
    *out = NULL;
    varve_result *r = result_new(s);
    if (!r) {
        error_oom(&err);
        return fail(error, &err, sql);
    }
    statement_begins(s);
    enum status st = with_values(s, sql, &arena, &bound, &err);
    if (st == STATUS_OK && (st = exec_statement(&s->ctx, &s->exec, bound.text, &r->exec, &err)) != STATUS_OK)
        place_in_statement(&bound, &err);
    arena_release(&arena);
    if (st == STATUS_OK)
        st = result_filled(r, &err);
    if (st != STATUS_OK) {
        varve_result_free(&r);
        return fail(error, &err, sql);
    }
    *out = r;
    return VARVE_OK;
}

void varve_result_free(varve_result **pr)
{
    varve_result *r = pr ? *pr : NULL;
    if (!r)
        return;
    exec_result_release(&r->exec);
    mem_free(r->tables);
    mem_free(r->columns);
    mem_free(r);
    *pr = NULL;
}

const varve_info *varve_result_info(const varve_result *r) { return &r->info; }

int varve_result_stream(varve_result *r, struct ArrowArrayStream *stream, varve_error *error)
{
    struct error err = ERROR_INIT;
    if (!r->exec.stream.release) {
        error_set(&err, STATUS_INVALID_ARGUMENT, "the rows of this result were taken already");
        return fail(error, &err, NULL);
    }
    *stream = r->exec.stream;
    r->exec.stream.release = NULL;
    return VARVE_OK;
}

static struct row_format_options format_options(const varve_format_options *given)
{
    struct row_format_options o;
    row_format_defaults(&o);
    if (!given)
        return o;
    o.headers = !given->no_headers;
    if (given->null_text)
        o.null_text = str_of(given->null_text);
    if (given->separator)
        o.csv_separator = given->separator;
    o.max_width = given->max_width;
    o.max_rows = given->max_rows;
    o.bigint_as_string = given->bigint_as_string;
    return o;
}

static enum status find_format(const char *name, enum row_format *out, struct error *err)
{
    if (row_format_by_name(str_of(name), out))
        return STATUS_OK;
    error_set(err, STATUS_INVALID_ARGUMENT, "output format \"%s\" is not known", name);
    return error_hint(err, "use box, csv, json, jsonlines, markdown, line or arrow");
}

const char *varve_format_media_type(const char *format)
{
    enum row_format f;
    return row_format_by_name(str_of(format), &f) ? row_format_media_type(f) : NULL;
}

static enum status encode(varve_result *r, enum row_format format, const varve_format_options *options, struct byte_sink sink, struct error *err)
{
    struct ctx *ctx = &r->session->ctx;
    int64_t start_us = ctx_monotonic_us(ctx);
    struct row_format_options o = format_options(options);
    if (!r->exec.stream.release)
        return error_set(err, STATUS_INVALID_ARGUMENT, "the rows of this result were taken already");
    enum status st = rows_encode(ctx, &r->exec.stream, format, &o, sink, &r->info.row_count, err);
    if (st != STATUS_OK) {
        struct error own = ERROR_INIT;
        if (engine_stream_error(&r->exec.stream, &own) != STATUS_OK) { /* the whole error, where the encoder saw its message only */
            error_move(err, &own);
            st = err->code;
        }
    }
    r->exec.stream.release(&r->exec.stream);
    r->exec.stream.release = NULL;
    r->info.execute_us = ctx_monotonic_us(ctx) - start_us;
    r->info.total_us = ctx_monotonic_us(ctx) - r->start_us;
    return st;
}

int varve_result_write(varve_result *r, const char *format, const varve_format_options *options, varve_write_fn write, void *user, int64_t *row_count,
                       varve_error *error)
{
    struct error err = ERROR_INIT;
    enum row_format f;
    enum status st = find_format(format, &f, &err);
    if (st == STATUS_OK)
        st = encode(r, f, options, (struct byte_sink){write, user}, &err);
    if (row_count)
        *row_count = r->info.row_count;
    return st == STATUS_OK ? VARVE_OK : fail(error, &err, NULL);
}

/* ---- through the cache ------------------------------------------------------------------------------------ */

/* Passes bytes on, keeps a copy up to a ceiling. */
struct tee {
    varve_write_fn write;
    void *user;
    varve_before_write_fn before;
    const varve_info *info;
    struct buf copy;
    bool too_large;
};

static bool tee_write(void *user, const void *bytes, size_t len)
{
    struct tee *t = user;
    if (t->before)
        t->before(t->user, t->info);
    t->before = NULL;
    if (!t->too_large && t->copy.len + len <= CACHED_RESULT_MAX_BYTES)
        buf_append(&t->copy, bytes, len);
    else
        t->too_large = true;
    return t->write(t->user, bytes, len);
}

/* A cached result: this header, the file counts of every table read, the columns as JSON with its NUL, then the encoded rows. */
struct cached_header {
    int64_t row_count;
    size_t read_count;
};
struct cached_read {
    int64_t files_total, files_pruned_partition, files_pruned_stats, files_read, bytes_read;
};

static void remember(struct cache *cache, struct str key, const struct tee *tee, const varve_info *info)
{
    if (tee->too_large || tee->copy.failed)
        return;
    struct cached_header header = {.row_count = info->row_count, .read_count = info->table_count};
    struct buf meta = BUF_INIT;
    buf_append(&meta, &header, sizeof(header));
    for (size_t i = 0; i < info->table_count; i++) {
        const varve_table_read *t = &info->tables[i];
        struct cached_read read = {t->files_total, t->files_pruned_partition, t->files_pruned_stats, t->files_read, t->bytes_read};
        buf_append(&meta, &read, sizeof(read));
    }
    buf_append(&meta, info->columns_json, strlen(info->columns_json) + 1);
    struct cache_value *value = meta.failed ? NULL : cache_value_new(meta.len + tee->copy.len);
    if (value) {
        value->meta_len = meta.len;
        memcpy(value->bytes, meta.ptr, meta.len);
        if (tee->copy.len)
            memcpy(value->bytes + meta.len, tee->copy.ptr, tee->copy.len);
        cache_put(cache, key, value);
    }
    cache_value_unref(value);
    buf_release(&meta);
}

/* What the cached answer cost when it was made. */
static void recall_reads(varve_result *r, const char *counts, size_t count)
{
    for (size_t i = 0; i < count && i < r->info.table_count; i++) {
        struct cached_read read;
        memcpy(&read, counts + i * sizeof(read), sizeof(read));
        varve_table_read *t = &r->tables[i];
        t->files_total = read.files_total;
        t->files_pruned_partition = read.files_pruned_partition;
        t->files_pruned_stats = read.files_pruned_stats;
        t->files_read = read.files_read;
        t->bytes_read = read.bytes_read;
    }
}

static enum status write_cached(varve_result *r, struct cache_value *value, struct tee *tee, struct error *err)
{
    struct cached_header header;
    memcpy(&header, value->bytes, sizeof(header));
    const char *counts = value->bytes + sizeof(header), *columns = counts + header.read_count * sizeof(struct cached_read);
    recall_reads(r, counts, header.read_count);
    r->info.row_count = header.row_count;
    r->columns = mem_strndup(columns, strlen(columns));
    r->info.columns_json = r->columns;
    if (!r->columns)
        return error_oom(err);
    r->info.cache = "hit";
    tee->too_large = true; /* it is in the cache already */
    return tee_write(tee, value->bytes + value->meta_len, value->len - value->meta_len) ? STATUS_OK
                                                                                        : error_set(err, STATUS_CANCELLED, "the reader went away");
}

static void format_key(struct buf *key, enum row_format f, const varve_format_options *options)
{
    struct row_format_options o = format_options(options);
    buf_printf(key, "%c%d,%d,%d,%d,%lld,%d,", 0, (int)f, o.headers, o.csv_separator, o.max_width, (long long)o.max_rows, o.bigint_as_string);
    buf_str(key, o.null_text);
}

static enum status select_write(varve_result *r, const struct statement *parsed, enum row_format f, const varve_format_options *options,
                                struct tee *tee, struct error *err)
{
    varve_session *s = r->session;
    struct exec_select *select = NULL;
    struct exec_read *reads = NULL;
    size_t read_count = 0;
    struct buf key = BUF_INIT;
    struct cache_value *value = NULL;
    struct cache *cache = s->db->lake.cache;
    enum status st = exec_select_prepare(&s->ctx, &s->exec, parsed->query, parsed->query_offset, &select, err);
    if (st != STATUS_OK)
        return st;
    bool cacheable = cache && exec_select_cache_key(select, &s->ctx, &key);
    r->exec.kind = STATEMENT_SELECT;
    format_key(&key, f, options);
    value = cacheable && !key.failed ? cache_get(cache, buf_view(&key)) : NULL;
    if (value) {
        exec_select_reads(select, &reads, &read_count);
        r->exec.reads = reads;
        r->exec.read_count = read_count;
        st = result_filled(r, err);
        if (st == STATUS_OK)
            st = write_cached(r, value, tee, err);
    } else {
        st = exec_select_run(&s->ctx, select, &r->exec, err);
        if (st == STATUS_OK)
            st = result_filled(r, err);
        cacheable = cacheable && st == STATUS_OK && exec_select_is_cacheable(select);
        r->info.cache = cacheable ? "miss" : "bypass";
        if (st == STATUS_OK)
            st = encode(r, f, options, (struct byte_sink){tee_write, tee}, err);
        if (st == STATUS_OK && cacheable && !key.failed)
            remember(cache, buf_view(&key), tee, &r->info);
    }
    r->info.total_us = ctx_monotonic_us(&s->ctx) - r->start_us;
    cache_value_unref(value);
    buf_release(&key);
    exec_select_free(select);
    return st;
}

static enum status statement_write(varve_result *r, struct str sql, enum row_format f, const varve_format_options *options, struct tee *tee,
                                   struct error *err)
{
    varve_session *s = r->session;
    enum status st = exec_statement(&s->ctx, &s->exec, sql, &r->exec, err);
    if (st == STATUS_OK)
        st = result_filled(r, err);
    if (st == STATUS_OK)
        st = encode(r, f, options, (struct byte_sink){tee_write, tee}, err);
    return st;
}

static enum status query_write(varve_result *r, struct str sql, const char *format, const varve_format_options *options, struct tee *tee,
                               struct error *err)
{
    struct exec_counters *counters = &r->session->db->lake.counters;
    struct arena arena = ARENA_INIT;
    struct statement parsed = {0};
    enum row_format f = ROW_FORMAT_JSON;
    enum status st = find_format(format, &f, err);
    if (st == STATUS_OK)
        st = sql_parse(&arena, sql, &parsed, err);
    if (st == STATUS_OK && parsed.kind != STATEMENT_SELECT) {
        st = statement_write(r, sql, f, options, tee, err);
    } else if (st == STATUS_OK) {
        atomic_fetch_add(&counters->queries, 1);
        atomic_fetch_add(&counters->queries_running, 1);
        st = select_write(r, &parsed, f, options, tee, err);
        atomic_fetch_sub(&counters->queries_running, 1);
        if (st != STATUS_OK)
            atomic_fetch_add(&counters->query_errors, 1);
    }
    arena_release(&arena);
    return st;
}

int varve_query_write(varve_session *s, const char *sql, const char *format, const varve_format_options *options, varve_before_write_fn before_write,
                      varve_write_fn write, void *user, varve_result **out, varve_error *error)
{
    struct error err = ERROR_INIT;
    *out = NULL;
    varve_result *r = result_new(s);
    if (!r) {
        error_oom(&err);
        return fail(error, &err, sql);
    }
    struct tee tee = {.write = write, .user = user, .before = before_write, .info = &r->info};
    struct arena arena = ARENA_INIT;
    struct sql_text bound;
    statement_begins(s);
    enum status st = with_values(s, sql, &arena, &bound, &err);
    if (st == STATUS_OK && (st = query_write(r, bound.text, format, options, &tee, &err)) != STATUS_OK)
        place_in_statement(&bound, &err);
    arena_release(&arena);
    buf_release(&tee.copy);
    if (st != STATUS_OK) {
        varve_result_free(&r);
        return fail(error, &err, sql);
    }
    *out = r;
    return VARVE_OK;
}

bool varve_next_statement(const char *script, size_t length, size_t *at, size_t *start, size_t *statement_length, bool *complete)
{
    struct str statement;
    if (!sql_next_statement((struct str){script, length}, at, &statement, complete))
        return false;
    *start = (size_t)(statement.ptr - script);
    *statement_length = statement.len;
    return true;
}

/* ---- what there is, as JSON -------------------------------------------------------------------------------------- */

static int json_out(struct buf *out, enum status st, char **json, size_t *json_length, struct error *err, varve_error *error)
{
    if (st == STATUS_OK)
        st = buf_check(out, err);
    if (st != STATUS_OK) {
        buf_release(out);
        return fail(error, err, NULL);
    }
    *json_length = out->len;
    *json = buf_detach(out);
    return VARVE_OK;
}

int varve_tables_json(varve_session *s, char **json, size_t *json_length, varve_error *error)
{
    struct error err = ERROR_INIT;
    struct buf out = BUF_INIT;
    *json = NULL;
    statement_begins(s);
    return json_out(&out, exec_tables_json(&s->ctx, &s->exec, &out, &err), json, json_length, &err, error);
}

int varve_lake_totals(varve_session *s, varve_totals *out, varve_error *error)
{
    struct error err = ERROR_INIT;
    struct exec_totals sum;
    statement_begins(s);
    enum status st = exec_totals(&s->ctx, &s->exec, &sum, &err);
    varve_totals all = {sizeof(all), sum.tables, sum.records, sum.size_bytes, sum.uncounted_tables};
    size_t size = out->struct_size && out->struct_size < sizeof(all) ? out->struct_size : sizeof(all);
    memcpy(out, &all, size);
    out->struct_size = size;
    return st == STATUS_OK ? VARVE_OK : fail(error, &err, NULL);
}

int varve_table_json(varve_session *s, const char *name, int64_t history_limit, char **json, size_t *json_length, varve_error *error)
{
    struct error err = ERROR_INIT;
    struct buf out = BUF_INIT;
    *json = NULL;
    statement_begins(s);
    return json_out(&out, exec_table_json(&s->ctx, &s->exec, str_of(name), history_limit, &out, &err), json, json_length, &err, error);
}

/* ---- search --------------------------------------------------------------------------------------------------- */

int varve_search(varve_session *s, const varve_search_request *request, char **json, size_t *json_length, const char **cache, varve_error *error)
{
    struct error err = ERROR_INIT;
    struct buf out = BUF_INIT;
    struct exec_search_request r = {.text = str_of(request->query ? request->query : ""),
                                    .filters_json = str_of(request->filters ? request->filters : ""),
                                    .sort_by = str_of(request->sort_by ? request->sort_by : ""),
                                    .sort_order = str_of(request->sort_order ? request->sort_order : ""),
                                    .table = str_of(request->table ? request->table : ""),
                                    .page = request->page,
                                    .limit = request->limit,
                                    .version = request->version};
    *json = NULL;
    statement_begins(s);
    enum status st = exec_search_run(&s->ctx, &s->exec, &r, &out, cache, &err);
    if (st == STATUS_INVALID_ARGUMENT) { /* of the request's texts only the filters have places */
        buf_release(&out);
        return fail(error, &err, request->filters);
    }
    return json_out(&out, st, json, json_length, &err, error);
}

/* ---- about the program -------------------------------------------------------------------------------------------- */

void varve_db_stats(varve_db *db, varve_stats *out)
{
    struct exec_counters *c = &db->lake.counters;
    struct cache_counters cache = {0};
    varve_stats all = {.struct_size = sizeof(all)};
    if (db->lake.cache)
        db->lake.cache->v->counters(db->lake.cache, &cache);
    all.queries = atomic_load(&c->queries);
    all.query_errors = atomic_load(&c->query_errors);
    all.commits = atomic_load(&c->commits);
    all.commit_conflicts = atomic_load(&c->commit_conflicts);
    all.cache_hits = cache.hits;
    all.cache_misses = cache.misses;
    all.cache_entries = cache.entries;
    all.cache_bytes = cache.bytes;
    all.cache_evictions = cache.evictions;
    all.search_requests = atomic_load(&c->search_requests);
    all.search_cache_hits = atomic_load(&c->search_cache_hits);
    exec_search_counters(db->lake.search, &all.search_index_rows, &all.search_index_bytes);
    all.files_considered = atomic_load(&c->files_considered);
    all.files_pruned_partition = atomic_load(&c->files_pruned_partition);
    all.files_pruned_stats = atomic_load(&c->files_pruned_stats);
    all.files_read = atomic_load(&c->files_read);
    all.queries_running = atomic_load(&c->queries_running);
    size_t size = out->struct_size && out->struct_size < sizeof(all) ? out->struct_size : sizeof(all);
    memcpy(out, &all, size);
    out->struct_size = size;
}

bool varve_statement_help(size_t index, const char **name, const char **syntax, const char **what)
{
    if (index >= STATEMENT_COUNT)
        return false;
    const struct statement_info *info = statement_info((enum statement_kind)index);
    *name = info->name;
    *syntax = info->syntax;
    *what = info->what;
    return true;
}

/* ---- completion ------------------------------------------------------------------------------------------------------ */

struct completion {
    struct str prefix;
    void (*fn)(void *user, int kind, const char *word);
    void *user;
};

static void offer(const struct completion *c, int kind, struct str word)
{
    if (word.len < c->prefix.len || !str_ieq(str_sub(word, 0, c->prefix.len), c->prefix))
        return;
    char *text = mem_strndup(word.ptr, word.len);
    if (text)
        c->fn(c->user, kind, text);
    mem_free(text);
}

static void complete_names(varve_session *s, const struct completion *c)
{
    struct arena arena = ARENA_INIT;
    struct str *schemas = NULL;
    struct catalog_entry *tables = NULL;
    size_t schema_count = 0, table_count = 0;
    struct catalog *catalog = s->db->lake.catalog;
    if (catalog_list_schemas(&s->ctx, catalog, &arena, &schemas, &schema_count, NULL) == STATUS_OK)
        for (size_t i = 0; i < schema_count; i++)
            offer(c, 1, schemas[i]);
    if (catalog_list_relations(&s->ctx, catalog, STR_NULL, &arena, &tables, &table_count, NULL) == STATUS_OK)
        for (size_t i = 0; i < table_count; i++) {
            struct str full = str_of(arena_printf(&arena, "%.*s.%.*s", STR_ARG(tables[i].schema), STR_ARG(tables[i].table)));
            offer(c, 1, tables[i].table);
            offer(c, 1, full);
        }
    arena_release(&arena);
}

static void complete_columns_of(varve_session *s, struct catalog_name name, const struct completion *c)
{
    struct catalog_table table = {0};
    struct delta_snapshot *snapshot = NULL;
    if (catalog_resolve(&s->ctx, s->db->lake.catalog, &name, &table, NULL) != STATUS_OK)
        return;
    if (delta_snapshot_latest(&s->ctx, table.table, &snapshot, NULL) == STATUS_OK) {
        const struct delta_type *schema = delta_snapshot_schema(snapshot);
        for (uint32_t i = 0; i < schema->field_count; i++)
            offer(c, 2, schema->fields[i].name);
        delta_snapshot_unref(snapshot);
    }
    catalog_table_release(&table);
}

/* Every dotted name of the text might be a table. */
static void complete_columns(varve_session *s, struct str sql, const struct completion *c)
{
    for (struct sql_token t = sql_token_at(sql, 0); t.kind != SQL_END && t.kind != SQL_ERROR;) {
        struct sql_token dot = sql_token_at(sql, t.end);
        bool word = t.kind == SQL_WORD || t.kind == SQL_QUOTED;
        struct str first = str_sub(sql, t.start, t.end - t.start);
        if (word && dot.kind == SQL_SYMBOL && sql.ptr[dot.start] == '.') {
            struct sql_token second = sql_token_at(sql, dot.end);
            complete_columns_of(s, (struct catalog_name){.schema = first, .table = str_sub(sql, second.start, second.end - second.start)}, c);
        } else if (word) {
            complete_columns_of(s, (struct catalog_name){.schema = str_of(s->exec.schema), .table = first}, c);
        }
        t = dot;
    }
}

void varve_complete(varve_session *s, const char *sql, const char *prefix, void (*fn)(void *user, int kind, const char *word), void *user)
{
    struct completion c = {.prefix = str_of(prefix), .fn = fn, .user = user};
    size_t count = 0;
    const char *const *words = sql_keywords(&count);
    statement_begins(s);
    for (size_t i = 0; i < count; i++)
        offer(&c, 0, str_of(words[i]));
    complete_names(s, &c);
    complete_columns(s, str_of(sql), &c);
}
