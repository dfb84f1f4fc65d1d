/* table/property.c: ALTER TABLE SET and UNSET TBLPROPERTIES. */
#include "table/table_int.h"

struct alteration {
    struct ctx *ctx;
    struct arena arena;
    struct catalog_table *table;
    struct delta_snapshot *base;
    struct delta_metadata metadata;
};

/* "comment" is the table's description, as in Spark. */
static bool is_comment(struct str key) { return str_ieq(key, STR("comment")); }

static enum status check_not_reserved(struct str key, struct error *err)
{
    if (!str_ieq(key, STR("location")) && !str_ieq(key, STR("provider")) && !str_ieq(key, STR("owner")))
        return STATUS_OK;
    return error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" cannot be set as a table property", STR_ARG(key));
}

static enum status open_alteration(struct alteration *a, uint32_t more, struct error *err)
{
    enum status status = table_snapshot(a->ctx, a->table, &a->base, err);
    if (status)
        return status;
    a->metadata = *delta_snapshot_metadata(a->base);
    struct delta_property *all = ARENA_ARRAY(&a->arena, struct delta_property, (size_t)a->metadata.configuration_count + more + 1);
    if (!all)
        return error_oom(err);
    for (uint32_t i = 0; i < a->metadata.configuration_count; i++)
        all[i] = a->metadata.configuration[i];
    a->metadata.configuration = all;
    return STATUS_OK;
}

static int64_t find(const struct delta_metadata *m, struct str key)
{
    for (uint32_t i = 0; i < m->configuration_count; i++)
        if (str_eq(m->configuration[i].key, key))
            return i;
    return -1;
}

static enum status commit(struct alteration *a, struct delta_txn *txn, struct table_change *out, struct error *err)
{
    struct delta_type *schema = (struct delta_type *)(uintptr_t)delta_snapshot_schema(a->base);
    enum status status = table_map_columns(a->ctx, &a->arena, delta_snapshot_metadata(a->base), false, &a->metadata, &schema, err);
    if (!status)
        status = delta_txn_set_metadata(txn, &a->metadata, schema, err);
    return status ? status : table_commit(a->ctx, a->table, txn, NULL, out, err);
}

static void close_alteration(struct alteration *a)
{
    delta_snapshot_unref(a->base);
    arena_release(&a->arena);
}

/* ---- set --------------------------------------------------------------------------------- */

static enum status set_one(struct alteration *a, const struct delta_property *p, struct error *err)
{
    if (is_comment(p->key)) {
        a->metadata.description = p->value;
        return STATUS_OK;
    }
    enum status status = check_not_reserved(p->key, err);
    if (!status)
        status = delta_property_check(p->key, p->value, err);
    if (status)
        return status;
    int64_t at = find(&a->metadata, p->key);
    struct delta_property plain = {.key = p->key, .value = p->value};
    a->metadata.configuration[at >= 0 ? at : a->metadata.configuration_count++] = plain;
    return STATUS_OK;
}

enum status table_set_properties(struct ctx *ctx, struct catalog_table *t, const struct delta_property *set, uint32_t set_count,
                                 struct table_change *out, struct error *err)
{
    struct alteration a = {.ctx = ctx, .arena = ARENA_INIT, .table = t};
    struct delta_txn *txn = NULL;
    *out = (struct table_change){.version = -1};
    enum status status = open_alteration(&a, set_count, err);
    for (uint32_t i = 0; !status && i < set_count; i++)
        status = set_one(&a, &set[i], err);
    if (!status)
        status = delta_txn_begin(ctx, t->table, a.base, &txn, err);
    if (!status)
        status = delta_txn_operation(txn, "SET TBLPROPERTIES", err);
    if (!status)
        status = table_parameter_map(txn, "properties", set, set_count, err);
    if (!status)
        status = commit(&a, txn, out, err);
    delta_txn_free(txn);
    close_alteration(&a);
    return status;
}

/* ---- unset --------------------------------------------------------------------------------- */

static enum status no_such_property(const struct alteration *a, struct str key, struct error *err)
{
    struct str near = STR_NULL;
    for (uint32_t i = 0; !near.ptr && i < a->metadata.configuration_count; i++)
        near = str_nearest(key, &a->metadata.configuration[i].key, 1);
    error_set(err, STATUS_UNKNOWN_PROPERTY, "table \"%s\" has no property \"%.*s\"", a->table->qualified_name, STR_ARG(key));
    if (near.ptr)
        error_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    else
        error_hint(err, "UNSET TBLPROPERTIES IF EXISTS passes over what is not there");
    return STATUS_UNKNOWN_PROPERTY;
}

static enum status unset_one(struct alteration *a, struct str key, bool if_exists, struct error *err)
{
    struct delta_metadata *m = &a->metadata;
    if (is_comment(key) && (m->description.ptr || if_exists)) {
        m->description = STR_NULL;
        return STATUS_OK;
    }
    int64_t at = find(m, key);
    if (at < 0)
        return if_exists ? STATUS_OK : no_such_property(a, key, err);
    m->configuration_count--;
    memmove(&m->configuration[at], &m->configuration[at + 1], (m->configuration_count - (size_t)at) * sizeof *m->configuration);
    return STATUS_OK;
}

enum status table_unset_properties(struct ctx *ctx, struct catalog_table *t, const struct str *keys, uint32_t key_count, bool if_exists,
                                   struct table_change *out, struct error *err)
{
    struct alteration a = {.ctx = ctx, .arena = ARENA_INIT, .table = t};
    struct delta_txn *txn = NULL;
    *out = (struct table_change){.version = -1};
    enum status status = open_alteration(&a, 0, err);
    for (uint32_t i = 0; !status && i < key_count; i++)
        status = unset_one(&a, keys[i], if_exists, err);
    if (!status)
        status = delta_txn_begin(ctx, t->table, a.base, &txn, err);
    if (!status)
        status = delta_txn_operation(txn, "UNSET TBLPROPERTIES", err);
    if (!status)
        status = table_parameter_list(txn, "properties", keys, key_count, err);
    if (!status)
        status = delta_txn_parameter(txn, "ifExists", if_exists ? STR("true") : STR("false"), err);
    if (!status)
        status = commit(&a, txn, out, err);
    delta_txn_free(txn);
    close_alteration(&a);
    return status;
}
