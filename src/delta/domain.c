/* delta/domain.c: domainMetadata in a change, and the domains whose meaning is known here: clustering and row tracking
 * (protocol: "Domain Metadata", "Clustered Table", "Row Tracking").
 *
 * Configurations have the shape that Spark writes: clustering columns are lists of names (the protocol's example shows bare names, which are
 * read too). */
#include "delta/delta_int.h"

#include <stdio.h>

#define CLUSTERING "delta.clustering"
#define ROW_TRACKING "delta.rowTracking"

/* ---- in a change ------------------------------------------------------------------------------- */

const struct delta_metadata *delta_txn_metadata(const struct delta_txn *txn)
{
    if (txn->has_metadata)
        return &txn->metadata;
    if (txn->followed_metadata)
        return txn->followed_metadata;
    return txn->base ? &txn->base->head->metadata : NULL;
}

const struct delta_protocol *delta_txn_protocol(const struct delta_txn *txn)
{
    if (txn->has_protocol || !txn->base)
        return &txn->protocol;
    return txn->followed_protocol ? txn->followed_protocol : &txn->base->head->protocol;
}

static enum status check_feature(const struct delta_txn *txn, enum delta_feature_id id, struct error *err)
{
    const char *name = delta_feature_info(id)->name;
    if (delta_protocol_has(delta_txn_protocol(txn), id))
        return STATUS_OK;
    error_set(err, STATUS_INVALID_ARGUMENT, "table \"%s\" does not have the table feature \"%s\"", txn->table->name, name);
    return error_hint(err, "set the property delta.feature.%s = 'supported' first", name);
}

/* The last word on a domain counts: a change has at most one action for each. */
static enum status set_domain(struct delta_txn *txn, struct str domain, struct str configuration, struct error *err)
{
    struct delta_domain copy = {.domain = arena_str(&txn->arena, domain),
                                .configuration = configuration.ptr ? arena_str(&txn->arena, configuration) : STR_NULL};
    size_t at = 0;
    enum status status = check_feature(txn, DELTA_FEATURE_DOMAIN_METADATA, err);
    if (status != STATUS_OK)
        return status;
    if (!copy.domain.ptr || (configuration.ptr && !copy.configuration.ptr))
        return error_oom(err);
    while (at < txn->domain_count && !str_eq(txn->domains[at].domain, domain))
        at++;
    if (at == txn->domain_cap) {
        size_t cap = txn->domain_cap ? txn->domain_cap * 2 : 4;
        struct delta_domain *grown = mem_realloc(txn->domains, cap * sizeof *grown);
        if (!grown)
            return error_oom(err);
        txn->domains = grown;
        txn->domain_cap = cap;
    }
    txn->domains[at] = copy;
    txn->domain_count += at == txn->domain_count;
    return STATUS_OK;
}

enum status delta_txn_domain(struct delta_txn *txn, struct str domain, struct str configuration, struct error *err)
{
    if (!domain.len)
        return error_set(err, STATUS_INVALID_ARGUMENT, "a metadata domain needs a name");
    if (str_starts(domain, STR("delta.")))
        return error_set(err, STATUS_INVALID_ARGUMENT, "the metadata domain \"%.*s\" is kept by the program and cannot be set", STR_ARG(domain));
    return set_domain(txn, domain, configuration, err);
}

enum status delta_txn_clear_domains(struct delta_txn *txn, struct error *err)
{
    enum status status = STATUS_OK;
    for (size_t i = 0; txn->base && i < txn->base->domain_count && status == STATUS_OK; i++)
        status = set_domain(txn, txn->base->domains[i].domain, STR_NULL, err);
    return status;
}

enum status delta_txn_drop_row_tracking_domain(struct delta_txn *txn, struct error *err)
{
    bool there = txn->base && delta_snapshot_domain(txn->base, STR(ROW_TRACKING)).ptr;
    return there ? set_domain(txn, STR(ROW_TRACKING), STR_NULL, err) : STATUS_OK;
}

void delta_txn_put_domains(const struct delta_txn *txn, struct buf *out)
{
    for (size_t i = 0; i < txn->domain_count; i++) {
        struct delta_domain d = txn->domains[i];
        bool removed = !d.configuration.ptr;
        if (removed) {
            struct str old = txn->base ? delta_snapshot_domain(txn->base, d.domain) : STR_NULL;
            d.configuration = old.ptr ? old : STR("");
        }
        delta_write_domain(out, &d, removed);
    }
}

/* ---- clustering ------------------------------------------------------------------------------------- */

/* One column path as a JSON array of physical names. */
static enum status put_path(const struct delta_metadata *m, const struct delta_type *schema, const struct delta_column_path *path, struct buf *out,
                            struct error *err)
{
    const struct delta_type *at = schema;
    for (uint32_t i = 0; i < path->depth; i++) {
        const struct delta_field *field = at && at->id == DELTA_STRUCT ? delta_field_find(at, path->names[i]) : NULL;
        if (!field)
            return error_set(err, STATUS_COLUMN_NOT_FOUND, "clustering column \"%.*s\" is not a column of the table", STR_ARG(path->names[i]));
        buf_char(out, i ? ',' : '[');
        json_put_string(out, delta_physical_name(delta_mapping_mode(m), field));
        at = field->type;
    }
    buf_char(out, ']');
    return STATUS_OK;
}

enum status delta_txn_cluster_by(struct delta_txn *txn, const struct delta_column_path *columns, size_t count, struct error *err)
{
    const struct delta_metadata *m = delta_txn_metadata(txn);
    struct arena arena = ARENA_INIT;
    struct buf text = BUF_INIT;
    struct delta_type *schema;
    if (!m)
        return error_set(err, STATUS_INTERNAL, "a new table needs metadata before clustering columns");
    if (count && m->partition_column_count)
        return error_set(err, STATUS_INVALID_ARGUMENT, "table \"%s\" has partition columns: it cannot be clustered too", txn->table->name);
    enum status status = check_feature(txn, DELTA_FEATURE_CLUSTERING, err);
    if (status == STATUS_OK)
        status = delta_schema_parse(&arena, m->schema_string, &schema, err);
    buf_z(&text, "{\"clusteringColumns\":[");
    for (size_t i = 0; status == STATUS_OK && i < count; i++) {
        buf_z(&text, i ? "," : "");
        status = columns[i].depth ? put_path(m, schema, &columns[i], &text, err) : error_set(err, STATUS_INVALID_ARGUMENT, "a column has no name");
    }
    buf_z(&text, "],\"domainName\":\"" CLUSTERING "\"}");
    if (status == STATUS_OK)
        status = buf_check(&text, err);
    if (status == STATUS_OK)
        status = set_domain(txn, STR(CLUSTERING), buf_view(&text), err);
    buf_release(&text);
    arena_release(&arena);
    return status;
}

static const struct delta_field *field_by_physical(const struct delta_metadata *m, const struct delta_type *type, struct str name)
{
    for (uint32_t i = 0; type && type->id == DELTA_STRUCT && i < type->field_count; i++)
        if (str_eq(delta_physical_name(delta_mapping_mode(m), &type->fields[i]), name))
            return &type->fields[i];
    return NULL;
}

struct clustering_reading {
    const struct delta_snapshot *snapshot;
    struct arena *arena;
    struct json json;
};

/* A list of physical names, or one bare name. */
static bool read_path(struct clustering_reading *r, uint32_t node, struct delta_column_path *out)
{
    bool is_list = r->json.nodes[node].type == JSON_ARRAY;
    uint32_t depth = is_list ? r->json.nodes[node].count : 1, i = is_list ? json_first(&r->json, node) : node;
    struct str *names = ARENA_ARRAY(r->arena, struct str, depth);
    const struct delta_type *type = r->snapshot->head->schema;
    if (!names || !depth)
        return false;
    for (uint32_t k = 0; k < depth; k++, i = json_next(&r->json, i)) {
        struct str name = r->json.nodes[i].type == JSON_STRING ? json_text(&r->json, i, r->arena) : STR_NULL;
        const struct delta_field *field = name.ptr ? field_by_physical(&r->snapshot->head->metadata, type, name) : NULL;
        if (!field)
            return false;
        names[k] = field->name;
        type = field->type;
    }
    *out = (struct delta_column_path){names, depth};
    return true;
}

enum status delta_snapshot_clustering(const struct delta_snapshot *s, struct arena *arena, struct delta_column_path **columns, size_t *count,
                                      struct error *err)
{
    struct clustering_reading r = {.snapshot = s, .arena = arena};
    struct str text = delta_snapshot_domain(s, STR(CLUSTERING));
    uint32_t list = 0;
    *columns = NULL;
    *count = 0;
    if (!text.ptr)
        return STATUS_OK;
    bool ok = json_parse(arena, text, &r.json, NULL) == STATUS_OK && r.json.nodes[0].type == JSON_OBJECT &&
              (list = json_member(&r.json, 0, "clusteringColumns")) && r.json.nodes[list].type == JSON_ARRAY;
    struct delta_column_path *paths = ok ? ARENA_ARRAY(arena, struct delta_column_path, r.json.nodes[list].count) : NULL;
    size_t at = 0;
    for (uint32_t i = ok ? json_first(&r.json, list) : 0; paths && ok && i < r.json.nodes[list].next; i = json_next(&r.json, i))
        ok = read_path(&r, i, &paths[at++]);
    if (ok && !paths)
        return error_oom(err);
    if (!ok)
        return error_set(err, STATUS_CORRUPT_LOG, "the clustering columns of table \"%s\" cannot be read", s->table->name);
    *columns = paths;
    *count = at;
    return STATUS_OK;
}

/* ---- row tracking --------------------------------------------------------------------------------------- */

bool delta_is_row_tracking_domain(struct str domain) { return str_eq(domain, STR(ROW_TRACKING)); }

enum status delta_row_high_water(struct str configuration, int64_t *mark, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct json json;
    uint32_t node = 0;
    enum status status = json_parse(&arena, configuration, &json, NULL);
    bool ok = status == STATUS_OK && json.nodes[0].type == JSON_OBJECT && (node = json_member(&json, 0, "rowIdHighWaterMark")) &&
              json_i64(&json, node, mark) && *mark >= -1;
    arena_release(&arena);
    if (status == STATUS_OUT_OF_MEMORY)
        return error_oom(err);
    return ok ? STATUS_OK : error_set(err, STATUS_CORRUPT_LOG, "the row id high-water mark cannot be read");
}

enum status delta_snapshot_row_high_water(const struct delta_snapshot *s, int64_t *mark, struct error *err)
{
    struct str text = delta_snapshot_domain(s, STR(ROW_TRACKING));
    *mark = -1;
    if (!text.ptr)
        return STATUS_OK;
    enum status status = delta_row_high_water(text, mark, err);
    return status ? error_context(err, "while reading the row ids of table \"%s\"", s->table->name) : STATUS_OK;
}

void delta_write_row_high_water(struct buf *out, int64_t mark)
{
    char text[96];
    snprintf(text, sizeof text, "{\"rowIdHighWaterMark\":%lld,\"domainName\":\"" ROW_TRACKING "\"}", (long long)mark);
    struct delta_domain d = {STR(ROW_TRACKING), str_of(text)};
    delta_write_domain(out, &d, false);
}
