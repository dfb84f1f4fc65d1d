/* delta/checksum.c: <version>.crc, which says what a version should come to (protocol: "Version Checksum File"). */
#include "delta/delta_int.h"

#include <stdio.h>

#define OWN_CRC ",\"checksum\":\""
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

/* Deletion vectors and the rows they delete; a tip knows what it was told. */
static void count_deleted(const struct delta_snapshot *s, int64_t *dvs, int64_t *rows)
{
    *dvs = s->dv_count;
    *rows = s->deleted_rows;
    if (s->is_tip)
        return;
    *dvs = *rows = 0;
    for (size_t i = 0; i < s->layer_count; i++)
        for (size_t k = 0; k < s->layers[i].segment->dv_count; k++) {
            const struct delta_dv_row *dv = &s->layers[i].segment->dvs[k];
            if (delta_layer_dead(&s->layers[i], dv->row))
                continue;
            ++*dvs;
            *rows = delta_sum(*rows, dv->dv.cardinality);
        }
}

static void put_deleted(struct buf *out, const struct delta_snapshot *s, bool *first)
{
    int64_t dvs, rows;
    if (!delta_protocol_has(&s->head->protocol, DELTA_FEATURE_DELETION_VECTORS))
        return;
    count_deleted(s, &dvs, &rows);
    if (dvs >= 0 && rows >= 0) {
        put_number(out, "numDeletedRecordsOpt", rows, first);
        put_number(out, "numDeletionVectorsOpt", dvs, first);
    }
}

/* Of the version and the text: the file of another version is another file. */
static uint32_t own_crc(int64_t version, const char *text, size_t len)
{
    char digits[24];
    int count = snprintf(digits, sizeof digits, "%lld", (long long)version);
    return crc32_ieee(text, len, crc32_ieee(digits, (size_t)count, 0));
}

/* The last member: a CRC-32 of what is before it.  With it a file is known to be whole and our own. */
static void put_own_crc(struct buf *out, int64_t version) { buf_printf(out, OWN_CRC "%08x\"}", own_crc(version, out->ptr, out->len)); }

static bool has_own_crc(int64_t version, struct str text)
{
    enum { DIGITS = 8 };
    const size_t tail = sizeof OWN_CRC - 1 + DIGITS + 2;
    char expected[DIGITS + 1];
    if (text.len < tail || !str_starts(str_sub(text, text.len - tail, tail), STR(OWN_CRC)) || !str_ends(text, STR("\"}")))
        return false;
    snprintf(expected, sizeof expected, "%08x", own_crc(version, text.ptr, text.len - tail));
    return memcmp(text.ptr + text.len - DIGITS - 2, expected, DIGITS) == 0;
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
    put_deleted(out, s, &first);
    put_apps(out, s, &first);
    put_domains(out, s, &first);
    json_put_key(out, "metadata", &first);
    delta_put_metadata(out, &s->head->metadata);
    json_put_key(out, "protocol", &first);
    delta_put_protocol(out, &s->head->protocol);
    if (!out->failed)
        put_own_crc(out, s->version);
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

/* The elements of an array, each the inside of an action. */
static bool read_actions(struct delta_commit *into, const struct json *json, const char *member, const char *action, bool *has)
{
    uint32_t node = json_member(json, 0, member);
    *has = node && json->nodes[node].type == JSON_ARRAY;
    struct buf line = BUF_INIT;
    bool ok = true;
    for (uint32_t i = *has ? json_first(json, node) : 0; ok && *has && i < json->nodes[node].next; i = json_next(json, i)) {
        buf_clear(&line);
        buf_printf(&line, "{\"%s\":", action);
        buf_str(&line, json->nodes[i].text);
        buf_char(&line, '}');
        ok = json->nodes[i].type == JSON_OBJECT && !line.failed && delta_commit_add_action(into, buf_view(&line), NULL) == STATUS_OK;
    }
    buf_release(&line);
    return ok;
}

static bool copy_ids(struct delta_checksum *out, const struct delta_commit *c)
{
    out->apps = ARENA_ARRAY(&out->arena, struct delta_app_version, c->app_count);
    out->domains = ARENA_ARRAY(&out->arena, struct delta_domain, c->domain_count);
    if (!out->apps || !out->domains)
        return false;
    for (size_t i = 0; i < c->app_count; i++) {
        out->apps[out->app_count] = c->apps[i].app;
        if (!(out->apps[out->app_count++].app_id = arena_str(&out->arena, c->apps[i].app.app_id)).ptr)
            return false;
    }
    for (size_t i = 0; i < c->domain_count; i++) {
        struct delta_domain *d = &out->domains[out->domain_count];
        if (c->domains[i].removed)
            continue;
        *d = (struct delta_domain){arena_str(&out->arena, c->domains[i].domain.domain), arena_str(&out->arena, c->domains[i].domain.configuration)};
        if (!d->domain.ptr || !d->configuration.ptr)
            return false;
        out->domain_count++;
    }
    return true;
}

/* The parts that a checksum file may leave out. */
static bool read_optional(const struct json *json, struct delta_commit *actions, struct delta_checksum *out)
{
    uint32_t txn_id = json_member(json, 0, "txnId");
    if (!read_number(json, "inCommitTimestampOpt", &out->in_commit_timestamp_ms))
        out->in_commit_timestamp_ms = INT64_MIN;
    if (!read_number(json, "numDeletionVectorsOpt", &out->dv_count) || !read_number(json, "numDeletedRecordsOpt", &out->deleted_rows))
        out->dv_count = out->deleted_rows = -1;
    if (txn_id && json->nodes[txn_id].type == JSON_STRING && !json->nodes[txn_id].escaped)
        out->txn_id = arena_str(&out->arena, json->nodes[txn_id].text);
    return read_actions(actions, json, "setTransactions", "txn", &out->has_apps) &&
           read_actions(actions, json, "domainMetadata", "domainMetadata", &out->has_domains) && copy_ids(out, actions);
}

bool delta_checksum_parse(int64_t version, struct str text, struct delta_checksum *out)
{
    struct arena arena = ARENA_INIT;
    struct delta_commit actions = DELTA_COMMIT_INIT;
    struct json json;
    bool ok = json_parse(&arena, text, &json, NULL) == STATUS_OK && json.nodes[0].type == JSON_OBJECT &&
              read_number(&json, "tableSizeBytes", &out->table_size_bytes) && read_number(&json, "numFiles", &out->num_files) &&
              read_action(&actions, &json, "metadata", "metaData") && read_action(&actions, &json, "protocol", "protocol") && actions.has_metadata &&
              actions.has_protocol;
    ok = ok && out->num_files >= 0 && read_optional(&json, &actions, out);
    out->is_ours = ok && has_own_crc(version, text);
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
    *out = (struct delta_checksum){.in_commit_timestamp_ms = INT64_MIN, .dv_count = -1, .deleted_rows = -1};
    delta_log_key(key, version, ".crc");
    if (store_read(t->store, ctx, str_of(key), &text, NULL) == STORE_OK && !text.failed)
        out->has = delta_checksum_parse(version, buf_view(&text), out);
    if (!out->has)
        delta_checksum_release(out);
    buf_release(&text);
}

void delta_checksum_release(struct delta_checksum *c)
{
    arena_release(&c->arena);
    *c = (struct delta_checksum){.in_commit_timestamp_ms = INT64_MIN, .dv_count = -1, .deleted_rows = -1};
}
