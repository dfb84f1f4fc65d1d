/* table/property.c: ALTER TABLE SET and UNSET TBLPROPERTIES. */
#include "table/table_int.h"

/* "comment" is the table's description, as in Spark. */
static bool is_comment(struct str key) { return str_ieq(key, STR("comment")); }

static enum status check_not_reserved(struct str key, struct error *err)
{
    if (!str_ieq(key, STR("location")) && !str_ieq(key, STR("provider")) && !str_ieq(key, STR("owner")))
        return STATUS_OK;
    return error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" cannot be set as a table property", STR_ARG(key));
}

static int64_t find(const struct delta_metadata *m, struct str key)
{
    for (uint32_t i = 0; i < m->configuration_count; i++)
        if (str_eq(m->configuration[i].key, key))
            return i;
    return -1;
}

/* ---- set --------------------------------------------------------------------------------- */

/* Constraints come and go with their own statements, which look at the rows. */
static enum status check_no_constraint(struct str key, struct error *err)
{
    if (!str_starts(key, STR(CONSTRAINT_PREFIX)))
        return STATUS_OK;
    error_set(err, STATUS_INVALID_ARGUMENT, "\"%.*s\" cannot be set as a table property", STR_ARG(key));
    return error_hint(err, "write ALTER TABLE … ADD CONSTRAINT name CHECK (condition), or DROP CONSTRAINT name");
}

static enum status set_one(struct alteration *a, const struct delta_property *p, struct error *err)
{
    if (is_comment(p->key)) {
        a->metadata.description = p->value;
        return STATUS_OK;
    }
    enum status status = check_not_reserved(p->key, err);
    if (!status)
        status = check_no_constraint(p->key, err);
    if (!status)
        status = delta_property_check(p->key, p->value, err);
    return status ? status : alteration_set(a, p->key, p->value, err);
}

/* Row tracking begins with ids for the rows that are there, in commits of their own. */
static enum status prepare_row_tracking(struct ctx *ctx, struct catalog_table *t, const struct delta_property *set, uint32_t set_count,
                                        struct error *err)
{
    bool wanted = false;
    for (uint32_t i = 0; i < set_count; i++)
        wanted |= str_eq(set[i].key, STR("delta.enableRowTracking")) && str_ieq(set[i].value, STR("true"));
    return wanted ? delta_row_tracking_backfill(ctx, t->table, err) : STATUS_OK;
}

enum status table_set_properties(struct ctx *ctx, struct catalog_table *t, const struct delta_property *set, uint32_t set_count,
                                 struct table_change *out, struct error *err)
{
    struct alteration a;
    *out = (struct table_change){.version = -1};
    a = (struct alteration){.ctx = ctx, .arena = ARENA_INIT, .table = t};
    enum status status = prepare_row_tracking(ctx, t, set, set_count, err);
    if (!status)
        status = alteration_open(&a, ctx, t, err);
    for (uint32_t i = 0; !status && i < set_count; i++)
        status = set_one(&a, &set[i], err);
    if (!status)
        status = alteration_begin(&a, "SET TBLPROPERTIES", err);
    if (!status)
        status = table_parameter_map(a.txn, "properties", set, set_count, err);
    if (!status)
        status = alteration_commit(&a, out, err);
    alteration_close(&a);
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
    enum status status = check_no_constraint(key, err);
    if (status)
        return status;
    if (find(m, key) < 0)
        return if_exists ? STATUS_OK : no_such_property(a, key, err);
    return alteration_set(a, key, STR_NULL, err);
}

enum status table_unset_properties(struct ctx *ctx, struct catalog_table *t, const struct str *keys, uint32_t key_count, bool if_exists,
                                   struct table_change *out, struct error *err)
{
    struct alteration a;
    *out = (struct table_change){.version = -1};
    enum status status = alteration_open(&a, ctx, t, err);
    for (uint32_t i = 0; !status && i < key_count; i++)
        status = unset_one(&a, keys[i], if_exists, err);
    if (!status)
        status = alteration_begin(&a, "UNSET TBLPROPERTIES", err);
    if (!status)
        status = table_parameter_list(a.txn, "properties", keys, key_count, err);
    if (!status)
        status = delta_txn_parameter(a.txn, "ifExists", if_exists ? STR("true") : STR("false"), err);
    if (!status)
        status = alteration_commit(&a, out, err);
    alteration_close(&a);
    return status;
}
