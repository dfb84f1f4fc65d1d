/* delta/conflict.c: may a change still be committed after another writer's commit came first?
 *
 * The checks and their order are those of Spark's ConflictChecker: protocol, metadata, metadata domains, application versions, appends against reads,
 * deletes against reads, deletes against deletes.  What was read is finer here: rows with a predicate, which the winner's files are held against by
 * partition values and statistics (reads.c); a winner that only moved rows is in nobody's way who does not touch the same files; and two vectors of
 * one file are joined when their rows differ (rebase.c). */
#include "delta/delta_int.h"

struct rivalry {
    const struct delta_rivalry *in;
    struct delta_txn *txn;
    const struct delta_commit *winner;
    bool moves_only; /* the winner: rows are in other files now, and the same */
    struct error *err;
};

/* ---- saying so --------------------------------------------------------------------------------------- */

static void say_read(const struct delta_rivalry *r, const struct delta_read *read, struct error *err)
{
    struct buf text = BUF_INIT;
    if (read->pred)
        delta_pred_text(read->pred, &text);
    if (!text.failed)
        error_detail(err, read->pred ? "this change read the rows of version %lld with %.*s" : "this change read the rows of version %lld%.*s",
                     (long long)r->txn->base->version, STR_ARG(buf_view(&text)));
    buf_release(&text);
}

enum status delta_conflict(const struct delta_rivalry *r, const char *name, const char *what, struct str thing, const struct delta_read *read,
                           struct error *err)
{
    const struct delta_commit *w = r->winner;
    struct str operation = w->operation.ptr ? w->operation : STR("unknown operation");
    const char *quote = thing.ptr ? "\"" : "";
    if (!thing.ptr)
        thing = STR("");
    error_set(err, STATUS_COMMIT_CONFLICT, "%s: version %lld of table \"%s\" (%.*s) %s%s%s%.*s%s", name, (long long)w->version, r->txn->table->name,
              STR_ARG(operation), what, *quote ? " " : "", quote, STR_ARG(thing), quote);
    if (read)
        say_read(r, read, err);
    error_hint(err, "run the statement again on the new version");
    return STATUS_COMMIT_CONFLICT;
}

static enum status conflict(const struct rivalry *r, const char *name, const char *what, struct str thing)
{
    return delta_conflict(r->in, name, what, thing, NULL, r->err);
}

/* ---- protocol ------------------------------------------------------------------------------------------- */

static bool drops_feature(const struct delta_protocol *from, const struct delta_protocol *to)
{
    for (int i = 0; i < DELTA_FEATURE_COUNT; i++)
        if (delta_protocol_has(from, (enum delta_feature_id)i) && !delta_protocol_has(to, (enum delta_feature_id)i))
            return true;
    return false;
}

static bool begins(const struct rivalry *r, enum delta_feature_id id)
{
    return delta_protocol_has(&r->winner->protocol, id) && !delta_protocol_has(r->in->protocol, id);
}

/* A protocol that only gained what is supported here, and what files written before need not know, can be followed. */
static enum status check_protocol(const struct rivalry *r)
{
    static const char name[] = "ProtocolChangedException";
    struct arena scratch = ARENA_INIT;
    struct error refusal = ERROR_INIT;
    struct delta_type *schema;
    if (!r->winner->has_protocol)
        return STATUS_OK;
    if (r->txn->has_protocol || drops_feature(r->in->protocol, &r->winner->protocol))
        return conflict(r, name, "changed the protocol", STR_NULL);
    if (begins(r, DELTA_FEATURE_ROW_TRACKING))
        return conflict(r, name, "began to track rows", STR_NULL);
    if (begins(r, DELTA_FEATURE_MATERIALIZE_PARTITION_COLUMNS))
        return conflict(r, name, "put the partition columns into data files", STR_NULL);
    const struct delta_metadata *m = r->winner->has_metadata ? &r->winner->metadata : r->in->metadata;
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

/* ---- metadata, domains, applications --------------------------------------------------------------------- */

static enum status check_metadata(const struct rivalry *r)
{
    const char *why = NULL;
    if (!r->winner->has_metadata)
        return STATUS_OK;
    enum status status = delta_metadata_can_follow(r->txn, r->in->metadata, &r->winner->metadata, &why, r->err);
    if (status || !why)
        return status;
    status = conflict(r, "MetadataChangedException", "changed the metadata", STR_NULL);
    error_detail(r->err, "%s", why);
    return status;
}

/* A table that is replaced gives up its domains: one that came meanwhile would stay. */
static bool replaces_table(const struct delta_txn *txn) { return txn->removes_all && txn->has_metadata; }

/* Row ids are given anew after a winner: that domain is never in the way. */
static enum status check_domains(const struct rivalry *r)
{
    static const char name[] = "ConcurrentTransactionException";
    for (size_t i = 0; i < r->winner->domain_count; i++) {
        struct str domain = r->winner->domains[i].domain.domain;
        if (replaces_table(r->txn) && !r->winner->domains[i].removed && !delta_is_row_tracking_domain(domain))
            return conflict(r, name, "wrote the metadata domain", domain);
        for (size_t k = 0; k < r->txn->domain_count; k++)
            if (str_eq(domain, r->txn->domains[k].domain))
                return conflict(r, name, "wrote the metadata domain", domain);
    }
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

/* ---- rows that came ------------------------------------------------------------------------------------------ */

/* Whether the isolation level lets the winner's rows be as if they came after this change. */
static bool appends_matter(const struct rivalry *r)
{
    switch (delta_txn_isolation(r->txn)) {
    case DELTA_SERIALIZABLE:
        return true;
    case DELTA_WRITE_SERIALIZABLE:
        return !r->winner->is_blind_append || r->winner->remove_count > 0;
    default:
        return false;
    }
}

static enum status check_appends(const struct rivalry *r)
{
    static const char name[] = "ConcurrentAppendException";
    const struct delta_action_add *found = NULL;
    const struct delta_read *read = NULL;
    if (!r->winner->add_count || !appends_matter(r))
        return STATUS_OK;
    if (r->txn->reads_all)
        return conflict(r, name, "added file", r->winner->adds[0].path);
    if (r->moves_only || !r->txn->read_count)
        return STATUS_OK;
    enum status status = delta_reads_find_add(r->in->ctx, r->txn, r->winner, &found, &read, r->err);
    if (status || !found)
        return status;
    return delta_conflict(r->in, name, read->pred ? "added a file that can hold rows which were asked for:" : "added file", found->path, read,
                          r->err);
}

/* ---- rows that went --------------------------------------------------------------------------------------------- */

static enum status check_reads(const struct rivalry *r)
{
    static const char name[] = "ConcurrentDeleteReadException";
    const struct delta_action_remove *found = NULL;
    const struct delta_read *read = NULL;
    if (r->txn->reads_all && r->winner->remove_count)
        return conflict(r, name, "removed file", r->winner->removes[0].path);
    if (r->moves_only)
        return delta_reads_follow_move(r->in->ctx, r->txn, r->winner, r->err);
    enum status status = delta_reads_find_remove(r->in->ctx, r->txn, r->winner, &found, &read, r->err);
    if (status || !found)
        return status;
    return delta_conflict(r->in, name, "changed or removed file", found->path, read, r->err);
}

static enum status lost_file(const struct rivalry *r, struct str path)
{
    return conflict(r, "ConcurrentDeleteDeleteException", r->moves_only ? "moved the rows of file" : "removed file", path);
}

static enum status check_removed(const struct rivalry *r, struct str path, struct delta_path_key *key)
{
    if (!delta_path_key_init(key, path))
        return error_oom(r->err);
    if (!delta_txn_removes_path(r->txn, key))
        return STATUS_OK;
    struct delta_vector_change *v = delta_txn_vector(r->txn, key);
    if (!v)
        return lost_file(r, path);
    v->is_taken = true;
    return STATUS_OK;
}

/* A file that is added once more: under another vector, or with row ids. */
static enum status check_added(const struct rivalry *r, const struct delta_action_add *add, struct delta_path_key *key)
{
    if (!delta_path_key_init(key, add->path))
        return error_oom(r->err);
    if (!delta_txn_removes_path(r->txn, key))
        return STATUS_OK;
    struct delta_vector_change *v = delta_txn_vector(r->txn, key);
    if (!v)
        return conflict(r, "ConcurrentDeleteDeleteException", "added anew file", add->path);
    v->rival = add;
    return STATUS_OK;
}

static enum status check_removes(const struct rivalry *r)
{
    struct delta_path_key key = {0};
    enum status status = STATUS_OK;
    for (size_t i = 0; i < r->txn->vector_count; i++) {
        r->txn->vectors[i].is_taken = false;
        r->txn->vectors[i].rival = NULL;
    }
    for (size_t i = 0; i < r->winner->remove_count && r->txn->remove_count && !status; i++)
        status = check_removed(r, r->winner->removes[i].path, &key);
    for (size_t i = 0; i < r->winner->add_count && r->txn->remove_count && !status; i++)
        status = check_added(r, &r->winner->adds[i], &key);
    for (size_t i = 0; i < r->txn->vector_count && !status; i++)
        if (r->txn->vectors[i].is_taken && !r->txn->vectors[i].rival)
            status = lost_file(r, r->txn->vectors[i].file.path);
    buf_release(&key.scratch);
    return status;
}

/* ---- all of it ---------------------------------------------------------------------------------------------------- */

static bool moves_only(const struct delta_commit *c)
{
    bool moves = c->add_count && c->remove_count;
    for (size_t i = 0; i < c->add_count && moves; i++)
        moves = !c->adds[i].data_change;
    for (size_t i = 0; i < c->remove_count && moves; i++)
        moves = !c->removes[i].data_change;
    return moves;
}

enum status delta_conflict_check(const struct delta_rivalry *in, bool *rebased, struct error *err)
{
    static enum status (*const checks[])(const struct rivalry *) = {check_protocol, check_metadata, check_domains, check_apps,
                                                                    check_appends,  check_reads,    check_removes};
    struct rivalry r = {.in = in, .txn = in->txn, .winner = in->winner, .moves_only = moves_only(in->winner), .err = err};
    enum status status = STATUS_OK;
    *rebased = false;
    for (size_t i = 0; i < VV_ARRAY_COUNT(checks) && !status; i++)
        status = checks[i](&r);
    return status ? status : delta_txn_rebase_vectors(in, rebased, err);
}
