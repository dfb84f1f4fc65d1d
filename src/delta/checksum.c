/* delta/checksum.c: <version>.crc, which says what a version should come to (protocol: "Version Checksum File"). */
#include "delta/delta_int.h"

/* Optional parts are left out where they would make a commit cost more than the commit. */
enum { IDS_MAX = 1000 };
static const size_t checksum_max_bytes = (size_t)256 << 20;

/* ---- written -------------------------------------------------------------------------------- */

static void put_apps(struct buf *out, const struct delta_snapshot *s, bool *first)
{
    if (s->app_count > IDS_MAX)
        return;
    json_put_key(out, "setTransactions", first);
    buf_char(out, '[');
    for (size_t i = 0; i < s->app_count; i++) {
        if (i)
            buf_char(out, ',');
        delta_put_app(out, &s->apps[i]);
    }
    buf_char(out, ']');
}

static void put_domains(struct buf *out, const struct delta_snapshot *s, bool *first)
{
    if (s->domain_count > IDS_MAX)
        return;
    json_put_key(out, "domainMetadata", first);
    buf_char(out, '[');
    for (size_t i = 0; i < s->domain_count; i++) {
        if (i)
            buf_char(out, ',');
        delta_put_domain(out, &s->domains[i], false);
    }
    buf_char(out, ']');
}

static void put_number(struct buf *out, const char *key, int64_t value, bool *first)
{
    json_put_key(out, key, first);
    buf_i64(out, value);
}

static void put_checksum(struct buf *out, const struct delta_snapshot *s, struct str txn_id)
{
    bool first = true;
    buf_char(out, '{');
    if (txn_id.ptr) {
        json_put_key(out, "txnId", &first);
        json_put_string(out, txn_id);
    }
    put_number(out, "tableSizeBytes", s->size_bytes, &first);
    put_number(out, "numFiles", s->file_count, &first);
    put_number(out, "numMetadata", 1, &first);
    put_number(out, "numProtocol", 1, &first);
    if (delta_config_bool(&s->head->metadata, "delta.enableInCommitTimestamps", false))
        put_number(out, "inCommitTimestampOpt", s->timestamp_us / 1000, &first);
    put_apps(out, s, &first);
    put_domains(out, s, &first);
    json_put_key(out, "metadata", &first);
    delta_put_metadata(out, &s->head->metadata);
    json_put_key(out, "protocol", &first);
    delta_put_protocol(out, &s->head->protocol);
    buf_char(out, '}');
}

void delta_checksum_write(struct ctx *ctx, struct delta_snapshot *s, struct str txn_id)
{
    char key[64];
    struct buf text = BUF_INIT;
    struct error failure = ERROR_INIT;
    delta_log_key(key, s->version, ".crc");
    put_checksum(&text, s, txn_id);
    enum store_result result = STORE_FAILED;
    if (buf_check(&text, &failure) == STATUS_OK)
        result = store_put_if_absent(s->table->store, ctx, str_of(key), text.ptr, text.len, &failure);
    if (result == STORE_FAILED || result == STORE_UNKNOWN)
        log_event(ctx, LOG_WARN, "checksum_not_written", "table", s->table->name, "key", key, "error",
                  failure.message ? failure.message : "unknown outcome", NULL);
    error_release(&failure);
    buf_release(&text);
}

/* ---- read -------------------------------------------------------------------------------------- */

/* metadata and protocol have the shape of their actions: wrapped, the reader of actions reads them. */
static bool read_action(struct delta_commit *into, const struct json *json, const char *member, const char *action)
{
    uint32_t node = json_member(json, 0, member);
    if (!node)
        return false;
    struct buf line = BUF_INIT;
    buf_printf(&line, "{\"%s\":", action);
    buf_str(&line, json->nodes[node].text);
    buf_char(&line, '}');
    bool ok = !line.failed && delta_commit_add_action(into, buf_view(&line), NULL) == STATUS_OK;
    buf_release(&line);
    return ok;
}

static bool read_number(const struct json *json, const char *member, int64_t *out)
{
    uint32_t node = json_member(json, 0, member);
    return node && json_i64(json, node, out);
}

static bool parse_checksum(struct str text, struct delta_checksum *out)
{
    struct arena arena = ARENA_INIT;
    struct delta_commit actions = DELTA_COMMIT_INIT;
    struct json json;
    bool ok = json_parse(&arena, text, &json, NULL) == STATUS_OK && read_number(&json, "tableSizeBytes", &out->table_size_bytes) &&
              read_number(&json, "numFiles", &out->num_files) && read_action(&actions, &json, "metadata", "metaData") &&
              read_action(&actions, &json, "protocol", "protocol") && actions.has_metadata && actions.has_protocol;
    if (ok && !read_number(&json, "inCommitTimestampOpt", &out->in_commit_timestamp_ms))
        out->in_commit_timestamp_ms = INT64_MIN;
    ok = ok && delta_metadata_copy(&out->arena, &actions.metadata, &out->metadata) &&
         delta_protocol_copy(&out->arena, &actions.protocol, &out->protocol);
    delta_commit_release(&actions);
    arena_release(&arena);
    return ok;
}

void delta_checksum_read(struct ctx *ctx, struct delta_table *t, int64_t version, struct delta_checksum *out)
{
    char key[64];
    struct buf text = {.max_bytes = checksum_max_bytes};
    *out = (struct delta_checksum){.in_commit_timestamp_ms = INT64_MIN};
    delta_log_key(key, version, ".crc");
    if (store_read(t->store, ctx, str_of(key), &text, NULL) == STORE_OK && !text.failed)
        out->has = parse_checksum(buf_view(&text), out);
    if (!out->has)
        delta_checksum_release(out);
    buf_release(&text);
}

void delta_checksum_release(struct delta_checksum *c)
{
    arena_release(&c->arena);
    *c = (struct delta_checksum){.in_commit_timestamp_ms = INT64_MIN};
}
