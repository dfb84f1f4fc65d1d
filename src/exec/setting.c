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
    exec_transaction_free(s->transaction);
    exec_cached_release(s);
    exec_items_release(&s->variables);
    exec_items_release(&s->functions);
    exec_items_release(&s->prepared);
    exec_items_release(&s->settings);
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

/* ---- settings ----------------------------------------------------------------------------------- */

#define AUDIT "audit."
#define RETENTION_CHECK "spark.databricks.delta.retentionDurationCheck.enabled"
#define USER_METADATA "spark.databricks.delta.commitInfo.userMetadata"
#define TXN_APP_ID "spark.databricks.delta.write.txnAppId"
#define TXN_VERSION "spark.databricks.delta.write.txnVersion"

/* Settings that are kept as they are given, beside every name that begins with "audit.". */
static const struct str kept_settings[] = {STR(USER_METADATA), STR(TXN_APP_ID), STR(TXN_VERSION)};
static const struct str setting_names[] = {STR("TimeZone"),
                                           STR("spark.sql.session.timeZone"),
                                           STR("spark.sql.sources.partitionOverwriteMode"),
                                           STR(RETENTION_CHECK),
                                           STR(USER_METADATA),
                                           STR(TXN_APP_ID),
                                           STR(TXN_VERSION)};
enum { TIME_ZONE, SPARK_TIME_ZONE, OVERWRITE_MODE, CHECK_RETENTION };

static bool is_kept(struct str key)
{
    bool kept = key.len > sizeof AUDIT - 1 && str_ieq(str_sub(key, 0, sizeof AUDIT - 1), STR(AUDIT));
    for (size_t i = 0; i < VV_ARRAY_COUNT(kept_settings); i++)
        kept |= str_ieq(key, kept_settings[i]);
    return kept;
}

static enum status unknown_setting(const struct exec_session *s, struct str key, struct error *err)
{
    error_set(err, STATUS_UNKNOWN_PROPERTY, "setting \"%.*s\" is not known", STR_ARG(key));
    if (exec_items_find(&s->variables, key))
        return error_hint(err, "it is a variable: write SET VAR %.*s = …", STR_ARG(key));
    struct str nearest = str_nearest(key, setting_names, VV_ARRAY_COUNT(setting_names));
    return nearest.ptr ? error_hint(err, "did you mean \"%.*s\"?", STR_ARG(nearest)) : STATUS_UNKNOWN_PROPERTY;
}

static enum status set_time_zone(struct ctx *ctx, struct exec_session *s, struct str zone, struct exec_result *out, struct error *err)
{
    enum status status = check_time_zone(ctx, s, zone, err);
    if (status != STATUS_OK)
        return status;
    char *copy = mem_strndup(zone.ptr, zone.len);
    if (!copy)
        return error_oom(err);
    mem_free(s->time_zone);
    s->time_zone = copy;
    return exec_answer(out, STR("time zone set"), err);
}

static enum status read_version(struct str text, int64_t *out, struct error *err)
{
    *out = 0;
    bool ok = text.len > 0;
    for (size_t i = 0; ok && i < text.len; i++)
        ok = text.ptr[i] >= '0' && text.ptr[i] <= '9' && !__builtin_mul_overflow(*out, 10, out) &&
             !__builtin_add_overflow(*out, text.ptr[i] - '0', out);
    return ok ? STATUS_OK
              : error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" is no version of an application: it must be a whole number", STR_ARG(text));
}

static enum status keep_setting(struct exec_session *s, const struct delta_property *p, struct exec_result *out, struct error *err)
{
    struct exec_item_text text = {.text = p->value};
    int64_t ignored;
    enum status status = str_ieq(p->key, STR(TXN_VERSION)) ? read_version(p->value, &ignored, err) : STATUS_OK;
    if (status == STATUS_OK)
        status = exec_items_put(&s->settings, p->key, &text, err);
    return status == STATUS_OK ? exec_answer(out, STR("setting kept"), err) : status;
}

/* ---- what they say of commits ---------------------------------------------------------------------- */

static struct str kept_value(const struct exec_session *s, const char *key)
{
    const struct exec_item *item = exec_items_find(&s->settings, str_of(key));
    return item ? str_of(item->text) : STR_NULL;
}

/* {"reason":"…","user":"…"}: what was set as audit.reason and audit.user. */
static enum status audit_text(const struct exec_session *s, struct arena *arena, struct str *out, struct error *err)
{
    struct buf text = BUF_INIT;
    bool first = true;
    buf_char(&text, '{');
    for (size_t i = 0; i < s->settings.count; i++) {
        struct str name = str_of(s->settings.items[i].name);
        if (name.len <= sizeof AUDIT - 1 || !str_ieq(str_sub(name, 0, sizeof AUDIT - 1), STR(AUDIT)))
            continue;
        json_put_key(&text, name.ptr + sizeof AUDIT - 1, &first);
        json_put_string(&text, str_of(s->settings.items[i].text));
    }
    buf_char(&text, '}');
    enum status status = buf_check(&text, err);
    *out = status == STATUS_OK && !first ? arena_str(arena, buf_view(&text)) : STR_NULL;
    if (status == STATUS_OK && !first && !out->ptr)
        status = error_oom(err);
    buf_release(&text);
    return status;
}

enum status exec_note_commits(struct ctx *ctx, struct exec_session *s, struct arena *arena, bool writes, struct error *err)
{
    struct str app = kept_value(s, TXN_APP_ID), version = kept_value(s, TXN_VERSION);
    enum status status = STATUS_OK;
    ctx->user_metadata = kept_value(s, USER_METADATA);
    ctx->app_id = STR_NULL;
    if (!ctx->user_metadata.ptr && s->settings.count)
        status = audit_text(s, arena, &ctx->user_metadata, err);
    if (status != STATUS_OK || !writes || (!app.ptr && !version.ptr))
        return status;
    if (!app.ptr || !version.ptr) {
        error_set(err, STATUS_INVALID_ARGUMENT, "%s is set, and %s is not", app.ptr ? TXN_APP_ID : TXN_VERSION, app.ptr ? TXN_VERSION : TXN_APP_ID);
        return error_hint(err, "set both, or RESET them");
    }
    status = read_version(version, &ctx->app_version, err);
    ctx->app_id = status == STATUS_OK ? app : STR_NULL;
    return status;
}

enum status exec_was_done(struct ctx *ctx, struct exec_session *s, const struct statement *st, bool *done, struct exec_result *out, struct error *err)
{
    struct catalog_table table = {0};
    struct delta_snapshot *snapshot = NULL;
    struct table_change change = {0};
    *done = false;
    if (!ctx->app_id.ptr)
        return STATUS_OK;
    enum status status = exec_open_named(ctx, s, &st->name, &table, &snapshot, err);
    if (status != STATUS_OK)
        return status;
    *done = delta_snapshot_txn_version(snapshot, ctx->app_id) >= ctx->app_version;
    change.version = delta_snapshot_version(snapshot);
    if (*done)
        status = exec_change_answer(out, &change, err);
    out->version = -1;
    delta_snapshot_unref(snapshot);
    catalog_table_release(&table);
    return status;
}

/* ---- SET, RESET ---------------------------------------------------------------------------------------- */

static void show_setting(const struct exec_session *s, struct str key, struct rowset *rows)
{
    struct str value = kept_value(s, key.ptr);
    if (str_ieq(key, setting_names[TIME_ZONE]) || str_ieq(key, setting_names[SPARK_TIME_ZONE]))
        value = str_of(s->time_zone ? s->time_zone : "UTC");
    else if (str_ieq(key, setting_names[OVERWRITE_MODE]))
        value = s->overwrites_partitions ? STR("dynamic") : STR("static");
    else if (str_ieq(key, setting_names[CHECK_RETENTION]))
        value = s->vacuums_unchecked ? STR("false") : STR("true");
    rowset_str(rows, key);
    rowset_str(rows, value);
}

/* SET; SET name. */
static enum status show_settings(const struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                                 struct error *err)
{
    static const struct rowset_column columns[] = {{"key", "u"}, {"value", "u"}};
    struct rowset *rows = rowset_new(columns, VV_ARRAY_COUNT(columns));
    if (!rows)
        return error_oom(err);
    if (st->property_count) {
        struct str key = arena_str(arena, st->properties[0].key);
        if (key.ptr)
            show_setting(s, key, rows);
        return rowset_stream(rows, &out->stream, err);
    }
    for (size_t i = 0; i < VV_ARRAY_COUNT(setting_names); i++)
        show_setting(s, setting_names[i], rows);
    for (size_t i = 0; i < s->settings.count; i++)
        if (str_ieq(str_sub(str_of(s->settings.items[i].name), 0, sizeof AUDIT - 1), STR(AUDIT)))
            show_setting(s, str_of(s->settings.items[i].name), rows);
    return rowset_stream(rows, &out->stream, err);
}

static bool is_known(struct str key)
{
    bool known = is_kept(key);
    for (size_t i = 0; i < VV_ARRAY_COUNT(setting_names); i++)
        known |= str_ieq(key, setting_names[i]);
    return known;
}

enum status exec_set(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                     struct error *err)
{
    const struct delta_property *p = &st->properties[0];
    if (st->property_count && !is_known(p->key))
        return unknown_setting(s, p->key, err);
    if (!st->property_count || !p->value.ptr)
        return show_settings(s, arena, st, out, err);
    if (str_ieq(p->key, setting_names[OVERWRITE_MODE]))
        return set_overwrite_mode(s, p->value, out, err);
    if (str_ieq(p->key, setting_names[CHECK_RETENTION]))
        return set_retention_check(s, p->value, out, err);
    return is_kept(p->key) ? keep_setting(s, p, out, err) : set_time_zone(ctx, s, p->value, out, err);
}

enum status exec_reset(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                       struct error *err)
{
    struct str key = st->property_count ? st->properties[0].key : STR_NULL;
    (void)ctx, (void)arena;
    if (key.ptr && !is_known(key))
        return unknown_setting(s, key, err);
    if (!key.ptr || str_ieq(key, setting_names[TIME_ZONE]) || str_ieq(key, setting_names[SPARK_TIME_ZONE])) {
        mem_free(s->time_zone);
        s->time_zone = NULL;
    }
    if (!key.ptr || str_ieq(key, setting_names[OVERWRITE_MODE]))
        s->overwrites_partitions = false;
    if (!key.ptr || str_ieq(key, setting_names[CHECK_RETENTION]))
        s->vacuums_unchecked = false;
    if (!key.ptr)
        exec_items_release(&s->settings);
    else
        exec_items_drop(&s->settings, key);
    return exec_answer(out, key.ptr ? STR("setting reset") : STR("settings reset"), err);
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
