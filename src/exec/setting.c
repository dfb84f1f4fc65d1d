/* exec/setting.c: the session: current schema and settings. */
#include "exec/exec_int.h"

enum status exec_session_init(struct exec_session *s, struct exec_lake *lake, struct error *err)
{
    *s = (struct exec_session){.lake = lake};
    s->schema = mem_strndup(CATALOG_DEFAULT_SCHEMA, strlen(CATALOG_DEFAULT_SCHEMA));
    return s->schema ? STATUS_OK : error_oom(err);
}

void exec_session_release(struct exec_session *s)
{
    mem_free(s->schema);
    mem_free(s->time_zone);
    *s = (struct exec_session){0};
}

enum status exec_answer(struct exec_result *out, struct str text, struct error *err)
{
    static const struct rowset_column columns[] = {{"status", "u"}};
    struct rowset *rows = rowset_new(columns, VV_ARRAY_COUNT(columns));
    if (!rows)
        return error_oom(err);
    rowset_str(rows, text);
    return rowset_stream(rows, &out->stream, err);
}

enum status exec_use(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                     struct error *err)
{
    (void)arena;
    struct str schema = st->name.table;
    if (st->name.schema.ptr && !str_ieq(st->name.schema, STR(CATALOG_NAME)))
        return error_set(err, STATUS_CATALOG_NOT_FOUND, "catalog \"%.*s\" does not exist", STR_ARG(st->name.schema));
    enum status status = catalog_check_schema(ctx, s->lake->catalog, schema, err);
    if (status != STATUS_OK)
        return status;
    char *copy = mem_strndup(schema.ptr, schema.len);
    if (!copy)
        return error_oom(err);
    mem_free(s->schema);
    s->schema = copy;
    return exec_answer(out, STR("schema set"), err);
}

/* A zone is known when the engine can convert into it. */
static enum status check_time_zone(struct ctx *ctx, struct exec_session *s, struct str zone, struct error *err)
{
    struct buf sql = BUF_INIT;
    int64_t ignored = 0;
    bool is_null = false;
    buf_z(&sql, "SELECT epoch_us(timezone(");
    engine_quote_literal(zone, &sql);
    buf_z(&sql, ", TIMESTAMP '2020-01-01'))");
    enum status st = buf_check(&sql, err);
    if (st == STATUS_OK && engine_query_i64(ctx, s->lake->engine, buf_view(&sql), &ignored, &is_null, NULL) != STATUS_OK) {
        st = error_set(err, STATUS_INVALID_ARGUMENT, "time zone \"%.*s\" is not known", STR_ARG(zone));
        error_hint(err, "use an IANA name such as 'America/New_York' or 'UTC'");
    }
    buf_release(&sql);
    return st;
}

static enum status set_overwrite_mode(struct exec_session *s, struct str mode, struct exec_result *out, struct error *err)
{
    bool dynamic = str_ieq(mode, STR("dynamic"));
    if (!dynamic && !str_ieq(mode, STR("static"))) {
        error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" is no mode of overwriting partitions", STR_ARG(mode));
        return error_hint(err, "use static, which replaces all rows, or dynamic, which replaces the partitions that have new rows");
    }
    s->overwrites_partitions = dynamic;
    return exec_answer(out, STR("mode of overwriting partitions set"), err);
}

static enum status set_retention_check(struct exec_session *s, struct str value, struct exec_result *out, struct error *err)
{
    bool on = str_ieq(value, STR("true"));
    if (!on && !str_ieq(value, STR("false")))
        return error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" is neither true nor false", STR_ARG(value));
    s->vacuums_unchecked = !on;
    return exec_answer(out, on ? STR("retentions are checked") : STR("retentions are not checked"), err);
}

enum status exec_set(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                     struct error *err)
{
    (void)arena;
    static const struct str names[] = {STR("TimeZone"), STR("spark.sql.session.timeZone"), STR("spark.sql.sources.partitionOverwriteMode"),
                                       STR("spark.databricks.delta.retentionDurationCheck.enabled")};
    const struct delta_property *p = &st->properties[0];
    if (str_ieq(p->key, names[2]))
        return set_overwrite_mode(s, p->value, out, err);
    if (str_ieq(p->key, names[3]))
        return set_retention_check(s, p->value, out, err);
    if (!str_ieq(p->key, names[0]) && !str_ieq(p->key, names[1])) {
        error_set(err, STATUS_UNKNOWN_PROPERTY, "setting \"%.*s\" is not known", STR_ARG(p->key));
        struct str nearest = str_nearest(p->key, names, VV_ARRAY_COUNT(names));
        return nearest.ptr ? error_hint(err, "did you mean \"%.*s\"?", STR_ARG(nearest)) : STATUS_UNKNOWN_PROPERTY;
    }
    enum status status = check_time_zone(ctx, s, p->value, err);
    if (status != STATUS_OK)
        return status;
    char *copy = mem_strndup(p->value.ptr, p->value.len);
    if (!copy)
        return error_oom(err);
    mem_free(s->time_zone);
    s->time_zone = copy;
    return exec_answer(out, STR("time zone set"), err);
}

struct str exec_engine_settings(const struct exec_session *s, struct arena *arena)
{
    if (!s->time_zone)
        return STR_NULL;
    struct buf sql = BUF_INIT;
    buf_z(&sql, "SET TimeZone = ");
    engine_quote_literal(str_of(s->time_zone), &sql);
    struct str copy = arena_str(arena, buf_view(&sql));
    buf_release(&sql);
    return copy;
}

enum status exec_eval_timestamp(struct ctx *ctx, struct exec_session *s, struct str expr, int64_t *us, struct error *err)
{
    struct arena arena = ARENA_INIT;
    enum status status = engine_eval_timestamp(ctx, s->lake->engine, expr, exec_engine_settings(s, &arena), us, err);
    arena_release(&arena);
    return status;
}
