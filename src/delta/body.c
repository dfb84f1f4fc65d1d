/* delta/body.c: the text of a commit, as far as it depends on the version that it becomes: times, row ids, and the rest as it was gathered
 * (protocol: "In-Commit Timestamps", "Row Tracking").
 *
 * Losing a race means another version, a later time and higher row ids: the text is made anew for each version, never between two tries at the
 * same one, because a put with an unknown outcome may be repeated with the same bytes only. */
#include "delta/delta_int.h"

#include <stdio.h>

/* ---- commitInfo ---------------------------------------------------------------------------------- */

static void put_text_member(struct buf *out, const char *key, struct str value, bool *first)
{
    json_put_key(out, key, first);
    json_put_string(out, value);
}

static void put_object_member(struct buf *out, const char *key, const struct buf *members, bool *first)
{
    json_put_key(out, key, first);
    buf_char(out, '{');
    buf_str(out, buf_view(members));
    buf_char(out, '}');
}

static void put_number_member(struct buf *out, const char *key, int64_t value, bool *first)
{
    json_put_key(out, key, first);
    buf_i64(out, value);
}

static bool tracks_rows(const struct delta_txn *txn) { return delta_config_bool(delta_txn_metadata(txn), "delta.enableRowTracking", false); }

static void put_commit_info(struct ctx *ctx, const struct delta_txn *txn, const struct delta_place *place, struct buf *out)
{
    bool first = true;
    buf_z(out, "{\"commitInfo\":{");
    if (place->in_commit_ms != INT64_MIN)
        put_number_member(out, "inCommitTimestamp", place->in_commit_ms, &first);
    put_number_member(out, "timestamp", place->in_commit_ms != INT64_MIN ? place->in_commit_ms : ctx_now_us(ctx) / 1000, &first);
    if (ctx->identity.len)
        put_text_member(out, "userName", ctx->identity, &first);
    put_text_member(out, "operation", str_of(txn->operation), &first);
    put_object_member(out, "operationParameters", &txn->parameters, &first);
    if (txn->base)
        put_number_member(out, "readVersion", txn->base->version, &first);
    put_text_member(out, "isolationLevel", str_of(delta_isolation_name(delta_txn_isolation(txn))), &first);
    json_put_key(out, "isBlindAppend", &first);
    buf_z(out, delta_txn_is_blind_append(txn) ? "true" : "false");
    put_object_member(out, "operationMetrics", &txn->metrics, &first);
    struct str user_metadata = txn->user_metadata.ptr ? txn->user_metadata : ctx->user_metadata;
    if (user_metadata.ptr)
        put_text_member(out, "userMetadata", user_metadata, &first);
    if (tracks_rows(txn)) {
        json_put_key(out, "tags", &first);
        bool rewrites = txn->remove_count && txn->fresh_count; /* rows that moved have new ids unless they carry theirs */
        buf_printf(out, "{\"delta.rowTracking.preserved\":\"%s\"}", rewrites && !txn->keeps_row_ids ? "false" : "true");
    }
    if (ctx->client.len)
        put_text_member(out, "client", ctx->client, &first);
    put_text_member(out, "engineInfo", STR("Varve/" VARVE_VERSION), &first);
    put_text_member(out, "txnId", str_of(txn->txn_id), &first);
    buf_z(out, "}}\n");
}

/* ---- in-commit timestamps ------------------------------------------------------------------------- */

bool delta_in_commit_times(const struct delta_metadata *m) { return delta_config_bool(m, "delta.enableInCommitTimestamps", false); }

/* A time of its own for each commit, later than that of the one before whatever the clock says. */
static int64_t next_in_commit_ms(struct ctx *ctx, int64_t previous_ms)
{
    int64_t now_ms = ctx_now_us(ctx) / 1000;
    return previous_ms != INT64_MIN && now_ms <= previous_ms ? previous_ms + 1 : now_ms;
}

/* A table that turns them on later says from when they count. */
static void write_metadata(const struct delta_txn *txn, const struct delta_place *place, struct buf *out)
{
    enum { MORE = 2 };
    struct arena arena = ARENA_INIT;
    struct delta_metadata m = txn->metadata;
    struct delta_property *configuration = ARENA_ARRAY(&arena, struct delta_property, m.configuration_count + MORE);
    bool turned_on = txn->base && delta_in_commit_times(&m) && !delta_in_commit_times(&txn->base->head->metadata);
    if (configuration && turned_on) {
        char *version = arena_printf(&arena, "%lld", (long long)place->version), *time = arena_printf(&arena, "%lld", (long long)place->in_commit_ms);
        if (m.configuration_count)
            memcpy(configuration, m.configuration, m.configuration_count * sizeof *configuration);
        configuration[m.configuration_count++] =
            (struct delta_property){.key = STR("delta.inCommitTimestampEnablementVersion"), .value = str_of(version)};
        configuration[m.configuration_count++] =
            (struct delta_property){.key = STR("delta.inCommitTimestampEnablementTimestamp"), .value = str_of(time)};
        m.configuration = configuration;
        out->failed |= !version || !time;
    }
    out->failed |= !configuration;
    delta_write_metadata(out, &m);
    arena_release(&arena);
}

/* ---- row ids ------------------------------------------------------------------------------------------ */

bool delta_gives_row_ids(const struct delta_metadata *m, const struct delta_protocol *p)
{
    return delta_protocol_has(p, DELTA_FEATURE_ROW_TRACKING) && !delta_config_bool(m, "delta.rowTrackingSuspended", false);
}

/* The adds with the ids put in where they belong; the ids go on from the high-water mark. */
static enum status put_adds(const struct delta_txn *txn, struct delta_place *place, struct buf *out, struct error *err)
{
    struct str adds = buf_view(&txn->adds);
    size_t done = 0;
    for (size_t i = 0; i < txn->fresh_count; i++) {
        const struct delta_fresh_add *f = &txn->fresh[i];
        int64_t first = place->row_high_water + 1;
        if (__builtin_add_overflow(place->row_high_water, f->rows, &place->row_high_water))
            return error_set(err, STATUS_LIMIT_EXCEEDED, "table \"%s\" has no row ids left", txn->table->name);
        buf_str(out, str_sub(adds, done, f->offset - done));
        buf_printf(out, ",\"baseRowId\":%lld,\"defaultRowCommitVersion\":%lld", (long long)first, (long long)place->version);
        done = f->offset;
    }
    buf_str(out, str_sub(adds, done, adds.len - done));
    return STATUS_OK;
}

/* ---- entry ---------------------------------------------------------------------------------------------- */

bool delta_body_depends_on_place(const struct delta_txn *txn) { return txn->fresh_count > 0 || delta_in_commit_times(delta_txn_metadata(txn)); }

enum status delta_txn_put_body(struct ctx *ctx, const struct delta_txn *txn, struct delta_place *place, struct buf *out, struct error *err)
{
    struct buf adds = BUF_INIT;
    int64_t old_mark = place->row_high_water;
    place->in_commit_ms = delta_in_commit_times(delta_txn_metadata(txn)) ? next_in_commit_ms(ctx, place->previous_ms) : INT64_MIN;
    buf_clear(out);
    put_commit_info(ctx, txn, place, out);
    if (txn->has_protocol)
        delta_write_protocol(out, &txn->protocol);
    if (txn->has_metadata)
        write_metadata(txn, place, out);
    buf_str(out, buf_view(&txn->apps));
    delta_txn_put_domains(txn, out);
    buf_reserve(out, txn->removes.len + txn->adds.len);
    enum status status = txn->fresh_count ? put_adds(txn, place, &adds, err) : STATUS_OK;
    if (txn->fresh_count)
        delta_write_row_high_water(out, place->row_high_water);
    place->row_high_water = old_mark; /* of the version before: the next try starts there */
    buf_str(out, buf_view(&txn->removes));
    buf_str(out, txn->fresh_count ? buf_view(&adds) : buf_view(&txn->adds));
    out->failed |= adds.failed;
    buf_release(&adds);
    return status == STATUS_OK ? buf_check(out, err) : status;
}
