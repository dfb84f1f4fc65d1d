/* table/constraint.c: ALTER TABLE ADD and DROP CONSTRAINT. */
#include "table/table_int.h"

/* Names meet without case; the one found keeps its spelling. */
static struct str find_constraint(const struct delta_metadata *m, struct str name)
{
    struct str prefix = STR(CONSTRAINT_PREFIX);
    for (uint32_t i = 0; i < m->configuration_count; i++) {
        struct str key = m->configuration[i].key;
        if (str_starts(key, prefix) && str_ieq(str_sub(key, prefix.len, key.len - prefix.len), name))
            return key;
    }
    return STR_NULL;
}

/* ---- add ----------------------------------------------------------------------------------- */

static enum status add_to_metadata(struct alteration *a, const struct sql_constraint *c, struct error *err)
{
    struct str there = find_constraint(&a->metadata, c->name);
    if (there.ptr) {
        error_set(err, STATUS_INVALID_ARGUMENT, "table \"%s\" has a constraint \"%.*s\" already: %.*s", a->table->qualified_name, STR_ARG(c->name),
                  STR_ARG(delta_config(&a->metadata, there.ptr)));
        return error_hint(err, "ALTER TABLE … DROP CONSTRAINT first, or use another name");
    }
    struct str key = str_of(arena_printf(&a->arena, CONSTRAINT_PREFIX "%.*s", STR_ARG(c->name)));
    for (size_t i = 0; key.ptr && i < key.len; i++) /* Spark stores the names so */
        if (key.ptr[i] >= 'A' && key.ptr[i] <= 'Z')
            ((char *)(uintptr_t)key.ptr)[i] |= 0x20;
    return key.ptr ? alteration_set(a, key, c->text, err) : error_oom(err);
}

static enum status check_rows(struct alteration *a, struct engine *e, const struct sql_constraint *c, struct error *err)
{
    struct buf shown = BUF_INIT;
    struct str sql;
    int64_t count = 0;
    enum status status = sql_expression_to_engine(&a->arena, c->text, a->schema, &sql, err);
    if (!status)
        status = alteration_count_rows(a, e, sql, &count, &shown, err);
    if (!status && count) {
        status = error_set(err, STATUS_CONSTRAINT_VIOLATION, "%lld row%s of table \"%s\" break%s the new constraint \"%.*s\": %.*s", (long long)count,
                           count == 1 ? "" : "s", a->table->qualified_name, count == 1 ? "s" : "", STR_ARG(c->name), STR_ARG(c->text));
        error_detail(err, "%s%.*s", count > 1 ? "among them\n" : "", STR_ARG(buf_view(&shown)));
        error_hint(err, "correct or delete these rows, then add the constraint again");
    }
    buf_release(&shown);
    return status;
}

/* Rows that another writer adds meanwhile are under no constraint yet: such a commit makes this one fail, to be tried again. */
static enum status add_once(struct alteration *a, struct engine *e, const struct sql_constraint *c, struct table_change *out, struct error *err)
{
    enum status status = add_to_metadata(a, c, err);
    if (!status)
        status = definition_check(a->ctx, e, &a->arena, &a->metadata, a->schema, err);
    if (!status)
        status = check_rows(a, e, c, err);
    if (!status)
        status = alteration_begin(a, "ADD CONSTRAINT", err);
    if (!status)
        status = delta_txn_reads(a->txn, NULL, false, err);
    if (!status)
        status = table_parameter(a->txn, "name", c->name, err);
    if (!status)
        status = table_parameter(a->txn, "expr", c->text, err);
    return status ? status : alteration_commit(a, out, err);
}

enum status table_add_constraint(struct ctx *ctx, struct engine *e, struct catalog_table *t, const struct sql_constraint *constraint,
                                 struct table_change *out, struct error *err)
{
    struct alteration a;
    *out = (struct table_change){.version = -1};
    enum status status = alteration_open(&a, ctx, t, err);
    if (!status)
        status = add_once(&a, e, constraint, out, err);
    alteration_close(&a);
    return status;
}

/* ---- drop ---------------------------------------------------------------------------------- */

static enum status no_constraint(struct alteration *a, struct str name, struct error *err)
{
    struct str prefix = STR(CONSTRAINT_PREFIX), near = STR_NULL;
    for (uint32_t i = 0; i < a->metadata.configuration_count && !near.ptr; i++) {
        struct str key = a->metadata.configuration[i].key;
        struct str there = str_starts(key, prefix) ? str_sub(key, prefix.len, key.len - prefix.len) : STR_NULL;
        near = there.ptr ? str_nearest(name, &there, 1) : STR_NULL;
    }
    error_set(err, STATUS_INVALID_ARGUMENT, "table \"%s\" has no constraint \"%.*s\"", a->table->qualified_name, STR_ARG(name));
    if (near.ptr)
        return error_hint(err, "did you mean \"%.*s\"?", STR_ARG(near));
    return error_hint(err, "DROP CONSTRAINT IF EXISTS passes over what is not there");
}

enum status table_drop_constraint(struct ctx *ctx, struct catalog_table *t, struct str name, bool if_exists, struct table_change *out,
                                  struct error *err)
{
    struct alteration a;
    *out = (struct table_change){.version = -1};
    enum status status = alteration_open(&a, ctx, t, err);
    struct str key = status ? STR_NULL : find_constraint(&a.metadata, name);
    if (!status && !key.ptr && !if_exists)
        status = no_constraint(&a, name, err);
    if (!status && key.ptr)
        status = alteration_set(&a, key, STR_NULL, err);
    if (!status && key.ptr)
        status = alteration_begin(&a, "DROP CONSTRAINT", err);
    if (!status && key.ptr)
        status = table_parameter(a.txn, "name", name, err);
    if (!status && key.ptr)
        status = alteration_commit(&a, out, err);
    if (!status && !key.ptr)
        out->version = delta_snapshot_version(a.base);
    alteration_close(&a);
    return status;
}

/* ---- COMMENT ON TABLE ------------------------------------------------------------------------ */

enum status table_set_comment(struct ctx *ctx, struct catalog_table *t, struct str text, struct table_change *out, struct error *err)
{
    struct alteration a;
    *out = (struct table_change){.version = -1};
    enum status status = alteration_open(&a, ctx, t, err);
    if (!status) {
        a.metadata.description = text;
        status = alteration_begin(&a, "SET TBLPROPERTIES", err);
    }
    struct delta_property comment = {.key = STR("comment"), .value = text.ptr ? text : STR("")};
    if (!status)
        status = table_parameter_map(a.txn, "properties", &comment, 1, err);
    if (!status)
        status = alteration_commit(&a, out, err);
    alteration_close(&a);
    return status;
}
