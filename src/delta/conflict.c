/* delta/conflict.c: may a change still be committed after another writer's commit came first?
 *
 * The checks and their order are those of Spark's ConflictChecker, under Serializable isolation:
 * protocol, metadata, metadata domains, application versions, appends against reads, deletes against reads, deletes against deletes. */
#include "delta/delta_int.h"

struct rivalry {
    const struct delta_txn *txn;
    const struct delta_commit *winner;
    struct error *err;
};

/* COMMIT_CONFLICT under the name that Spark gives it, with who won and by what. */
static enum status conflict(const struct rivalry *r, const char *name, const char *what, struct str thing)
{
    const struct delta_commit *w = r->winner;
    struct str operation = w->operation.ptr ? w->operation : STR("unknown operation");
    const char *quote = thing.ptr ? "\"" : "";
    if (!thing.ptr)
        thing = STR("");
    error_set(r->err, STATUS_COMMIT_CONFLICT, "%s: version %lld of table \"%s\" (%.*s) %s%s%s%.*s%s", name, (long long)w->version,
              r->txn->table->name, STR_ARG(operation), what, *quote ? " " : "", quote, STR_ARG(thing), quote);
    error_hint(r->err, "run the statement again on the new version");
    return STATUS_COMMIT_CONFLICT;
}

static bool drops_feature(const struct delta_protocol *from, const struct delta_protocol *to)
{
    for (int i = 0; i < DELTA_FEATURE_COUNT; i++)
        if (delta_protocol_has(from, (enum delta_feature_id)i) && !delta_protocol_has(to, (enum delta_feature_id)i))
            return true;
    return false;
}

/* A protocol that only gained what is supported here can be followed. */
static enum status check_protocol(const struct rivalry *r, const struct delta_metadata *metadata, const struct delta_protocol *protocol)
{
    static const char name[] = "ProtocolChangedException";
    struct arena scratch = ARENA_INIT;
    struct error refusal = ERROR_INIT;
    struct delta_type *schema;
    if (!r->winner->has_protocol)
        return STATUS_OK;
    if (r->txn->has_protocol || drops_feature(protocol, &r->winner->protocol))
        return conflict(r, name, "changed the protocol", STR_NULL);
    if (delta_protocol_has(&r->winner->protocol, DELTA_FEATURE_ROW_TRACKING) && !delta_protocol_has(protocol, DELTA_FEATURE_ROW_TRACKING))
        return conflict(r, name, "began to track rows", STR_NULL);
    const struct delta_metadata *m = r->winner->has_metadata ? &r->winner->metadata : metadata;
    enum status status = delta_schema_parse(&scratch, m->schema_string, &schema, &refusal);
    if (!status)
        status = delta_protocol_check_write(&r->winner->protocol, m, schema, &refusal);
    if (status == STATUS_OUT_OF_MEMORY) {
        error_move(r->err, &refusal);
    } else if (status) {
        status = conflict(r, name, "changed the protocol to one that cannot be written", STR_NULL);
        error_detail(r->err, "%s", refusal.message);
    }
    error_release(&refusal);
    arena_release(&scratch);
    return status;
}

/* Row ids are given anew after a winner: that domain is never in the way. */
static enum status check_domains(const struct rivalry *r)
{
    for (size_t i = 0; i < r->winner->domain_count; i++)
        for (size_t k = 0; k < r->txn->domain_count; k++)
            if (str_eq(r->winner->domains[i].domain.domain, r->txn->domains[k].domain))
                return conflict(r, "ConcurrentTransactionException", "wrote the metadata domain", r->txn->domains[k].domain);
    return STATUS_OK;
}

static enum status check_apps(const struct rivalry *r)
{
    for (size_t i = 0; i < r->winner->app_count; i++)
        for (size_t k = 0; k < r->txn->app_count; k++)
            if (str_eq(r->winner->apps[i].app.app_id, r->txn->app_ids[k]))
                return conflict(r, "ConcurrentTransactionException", "wrote the version of application", r->txn->app_ids[k]);
    return STATUS_OK;
}

static enum status check_reads(const struct rivalry *r)
{
    const struct delta_commit *w = r->winner;
    if (!r->txn->reads_all)
        return STATUS_OK;
    if (w->add_count && !delta_txn_is_rearrangement(r->txn))
        return conflict(r, "ConcurrentAppendException", "added file", w->adds[0].path);
    if (w->remove_count)
        return conflict(r, "ConcurrentDeleteReadException", "removed file", w->removes[0].path);
    return STATUS_OK;
}

static enum status check_removes(const struct rivalry *r)
{
    struct delta_path_key key = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < r->winner->remove_count && r->txn->remove_count && !status; i++) {
        struct str path = r->winner->removes[i].path;
        if (!delta_path_key_init(&key, path))
            status = error_oom(r->err);
        else if (delta_txn_removes_path(r->txn, &key))
            status = conflict(r, "ConcurrentDeleteDeleteException", "removed file", path);
    }
    buf_release(&key.scratch);
    return status;
}

enum status delta_conflict_check(const struct delta_txn *txn, const struct delta_metadata *metadata, const struct delta_protocol *protocol,
                                 const struct delta_commit *winner, struct error *err)
{
    struct rivalry r = {txn, winner, err};
    enum status status = check_protocol(&r, metadata, protocol);
    if (!status && winner->has_metadata)
        status = conflict(&r, "MetadataChangedException", "changed the metadata", STR_NULL);
    if (!status)
        status = check_domains(&r);
    if (!status)
        status = check_apps(&r);
    if (!status)
        status = check_reads(&r);
    return status ? status : check_removes(&r);
}
