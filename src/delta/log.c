/* delta/log.c: the files of _delta_log: their names, a listing of them, and which of them make a version
 * (protocol: "File Types", "Checkpoints", "Last Checkpoint File"). */
#include "delta/delta_int.h"

#include <stdio.h>

#define LOG_PREFIX "_delta_log/"
#define COMPACTED_SUFFIX ".compacted.json"
enum { VERSION_DIGITS = 20, PART_DIGITS = 10, FIRST_ENTRIES = 64, VERSIONS_LOOKED_BACK = 1000 };
static const size_t commit_max_bytes = (size_t)2 << 30, hint_max_bytes = (size_t)16 << 20;

void delta_log_key(char out[64], int64_t version, const char *suffix) { snprintf(out, 64, LOG_PREFIX "%020lld%s", (long long)version, suffix); }

enum status delta_store_failure(enum store_result result, const char *what, struct error *err)
{
    if (result == STORE_FAILED && err && err->code != STATUS_OK)
        return err->code;
    return error_set(err, STATUS_STORE_IO, "the store gave no answer about \"%s\"", what);
}

/* ---- one commit ------------------------------------------------------------------------------ */

enum store_result delta_commit_read(struct ctx *ctx, struct delta_table *t, int64_t version, struct delta_commit *out, struct error *err)
{
    *out = (struct delta_commit){0};
    return delta_commit_read_over(ctx, t, version, out, err);
}

enum store_result delta_commit_read_over(struct ctx *ctx, struct delta_table *t, int64_t version, struct delta_commit *out, struct error *err)
{
    char key[64];
    struct buf text = out->text;
    struct arena arena = out->arena;
    *out = (struct delta_commit){0};
    text.max_bytes = commit_max_bytes;
    buf_clear(&text);
    arena_clear(&arena);
    delta_log_key(key, version, ".json");
    enum store_result result = store_read(t->store, ctx, str_of(key), &text, err);
    if (result == STORE_UNKNOWN) {
        delta_store_failure(result, key, err);
        result = STORE_FAILED;
    }
    if (result == STORE_OK &&
        (buf_check(&text, err) != STATUS_OK || delta_commit_parse_in(&arena, &text, version, str_of(key), out, err) != STATUS_OK))
        result = STORE_FAILED;
    if (result == STORE_FAILED)
        error_context(err, "while reading version %lld of table \"%s\"", (long long)version, t->name);
    buf_release(&text);
    arena_release(&arena);
    return result;
}

/* ---- listing ----------------------------------------------------------------------------------- */

struct log_name {
    int64_t version;
    struct str suffix; /* from the dot */
};

static bool read_digits(struct str s, size_t digits, int64_t *out)
{
    if (s.len < digits)
        return false;
    for (size_t i = 0; i < digits; i++)
        if (s.ptr[i] < '0' || s.ptr[i] > '9')
            return false;
    return str_to_i64(str_sub(s, 0, digits), out);
}

/* False for whatever is not <version>.something directly in _delta_log. */
static bool read_name(struct str key, struct log_name *out)
{
    if (!str_starts(key, STR(LOG_PREFIX)))
        return false;
    struct str name = str_sub(key, sizeof LOG_PREFIX - 1, key.len - (sizeof LOG_PREFIX - 1));
    if (!read_digits(name, VERSION_DIGITS, &out->version))
        return false;
    out->suffix = str_sub(name, VERSION_DIGITS, name.len - VERSION_DIGITS);
    return out->suffix.len && !memchr(out->suffix.ptr, '/', out->suffix.len);
}

/* ".checkpoint.0000000001.0000000003.parquet" */
static bool read_part(struct str suffix, int64_t *part, int64_t *parts)
{
    const size_t len = sizeof ".checkpoint." - 1 + PART_DIGITS + 1 + PART_DIGITS + sizeof ".parquet" - 1;
    if (suffix.len != len || !str_starts(suffix, STR(".checkpoint.")) || !str_ends(suffix, STR(".parquet")))
        return false;
    struct str first = str_sub(suffix, sizeof ".checkpoint." - 1, PART_DIGITS);
    struct str second = str_sub(first, PART_DIGITS + 1, PART_DIGITS);
    return first.ptr[PART_DIGITS] == '.' && read_digits(first, PART_DIGITS, part) && read_digits(second, PART_DIGITS, parts) && *part >= 1 &&
           *part <= *parts && *parts <= UINT32_MAX;
}

/* ".checkpoint.<uuid>.json" or ".checkpoint.<uuid>.parquet" (protocol: "UUID-named checkpoint"): what stands in the middle is not looked into. */
static bool is_uuid_checkpoint(struct str suffix)
{
    const size_t prefix = sizeof ".checkpoint." - 1;
    size_t end = str_ends(suffix, STR(".json")) ? sizeof ".json" - 1 : str_ends(suffix, STR(".parquet")) ? sizeof ".parquet" - 1 : 0;
    return end && str_starts(suffix, STR(".checkpoint.")) && suffix.len > prefix + end &&
           !memchr(suffix.ptr + prefix, '.', suffix.len - prefix - end);
}

/* ".<to>.compacted.json" */
static bool read_compaction(struct str suffix, int64_t *to)
{
    return suffix.len == 1 + VERSION_DIGITS + sizeof COMPACTED_SUFFIX - 1 && str_ends(suffix, STR(COMPACTED_SUFFIX)) &&
           read_digits(str_sub(suffix, 1, VERSION_DIGITS), VERSION_DIGITS, to);
}

struct lister {
    struct delta_listing *listing;
    int64_t to_version;
    bool out_of_memory;
};

static void *entry_grow(void *items, size_t count, size_t *cap, size_t item_bytes)
{
    if (count < *cap)
        return items;
    size_t bigger = *cap ? *cap * 2 : FIRST_ENTRIES;
    void *grown = mem_realloc(items, bigger * item_bytes);
    if (grown)
        *cap = bigger;
    return grown;
}

static bool note_commit(struct delta_listing *l, int64_t version, const struct store_entry *e)
{
    struct delta_log_commit *grown = entry_grow(l->commits, l->commit_count, &l->commit_cap, sizeof *grown);
    if (!grown)
        return false;
    l->commits = grown;
    l->commits[l->commit_count++] = (struct delta_log_commit){version, e->size_bytes, e->modified_us};
    return true;
}

/* Parts of one checkpoint share version and number of parts; keys come in order, so counting them finds a missing one. */
static bool note_checkpoint(struct delta_listing *l, int64_t version, uint32_t parts, struct str suffix, const struct store_entry *e)
{
    struct str copy = STR_NULL;
    for (size_t i = l->checkpoint_count; parts && i > 0 && l->checkpoints[i - 1].version == version; i--)
        if (l->checkpoints[i - 1].parts == parts) {
            l->checkpoints[i - 1].parts_seen++;
            return true;
        }
    if (suffix.ptr && !(copy = arena_str(&l->arena, suffix)).ptr)
        return false;
    struct delta_log_checkpoint *grown = entry_grow(l->checkpoints, l->checkpoint_count, &l->checkpoint_cap, sizeof *grown);
    if (!grown)
        return false;
    l->checkpoints = grown;
    l->checkpoints[l->checkpoint_count++] = (struct delta_log_checkpoint){version, e->modified_us, parts, 1, copy};
    return true;
}

static bool note_compaction(struct delta_listing *l, int64_t from, int64_t to)
{
    struct delta_log_compaction *grown = entry_grow(l->compactions, l->compaction_count, &l->compaction_cap, sizeof *grown);
    if (!grown)
        return false;
    l->compactions = grown;
    l->compactions[l->compaction_count++] = (struct delta_log_compaction){from, to};
    return true;
}

static bool list_entry(void *user, const struct store_entry *e)
{
    struct lister *lister = user;
    struct delta_listing *l = lister->listing;
    struct log_name name;
    int64_t part, parts, to;
    if (!read_name(e->key, &name))
        return true;
    if (name.version > lister->to_version)
        return false;
    if (str_eq(name.suffix, STR(".json")))
        lister->out_of_memory = !note_commit(l, name.version, e);
    else if (str_eq(name.suffix, STR(".checkpoint.parquet")))
        lister->out_of_memory = !note_checkpoint(l, name.version, 0, STR_NULL, e);
    else if (read_part(name.suffix, &part, &parts))
        lister->out_of_memory = !note_checkpoint(l, name.version, (uint32_t)parts, STR_NULL, e);
    else if (is_uuid_checkpoint(name.suffix))
        lister->out_of_memory = !note_checkpoint(l, name.version, 0, name.suffix, e);
    else if (read_compaction(name.suffix, &to) && to > name.version)
        lister->out_of_memory = !note_compaction(l, name.version, to);
    return !lister->out_of_memory;
}

static void drop_incomplete(struct delta_listing *l)
{
    size_t kept = 0;
    for (size_t i = 0; i < l->checkpoint_count; i++)
        if (l->checkpoints[i].parts == 0 || l->checkpoints[i].parts_seen == l->checkpoints[i].parts)
            l->checkpoints[kept++] = l->checkpoints[i];
    l->checkpoint_count = kept;
}

enum status delta_log_list(struct ctx *ctx, struct delta_table *t, int64_t from_version, int64_t to_version, struct delta_listing *out,
                           struct error *err)
{
    char after[64] = "";
    *out = (struct delta_listing){.from_version = from_version};
    struct lister lister = {.listing = out, .to_version = to_version};
    if (from_version > 0)
        delta_log_key(after, from_version, "");
    enum store_result result = store_list(t->store, ctx, STR(LOG_PREFIX), str_of(after), list_entry, &lister, err);
    enum status status = STATUS_OK;
    if (lister.out_of_memory)
        status = error_oom(err);
    else if (result != STORE_OK)
        status = delta_store_failure(result, LOG_PREFIX, err);
    if (status != STATUS_OK)
        delta_listing_release(out);
    else
        drop_incomplete(out);
    return status;
}

void delta_listing_release(struct delta_listing *l)
{
    mem_free(l->commits);
    mem_free(l->checkpoints);
    mem_free(l->compactions);
    arena_release(&l->arena);
    *l = (struct delta_listing){0};
}

const struct delta_log_commit *delta_listing_commit(const struct delta_listing *l, int64_t version)
{
    size_t low = 0, high = l->commit_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (l->commits[middle].version < version)
            low = middle + 1;
        else
            high = middle;
    }
    return low < l->commit_count && l->commits[low].version == version ? &l->commits[low] : NULL;
}

bool delta_listing_range(const struct delta_listing *l, int64_t *first, int64_t *last)
{
    *first = *last = -1;
    if (l->commit_count)
        *last = l->commits[l->commit_count - 1].version;
    if (l->checkpoint_count && l->checkpoints[l->checkpoint_count - 1].version > *last)
        *last = l->checkpoints[l->checkpoint_count - 1].version;
    if (l->commit_count && l->commits[0].version == 0)
        *first = 0;
    else if (l->checkpoint_count)
        *first = l->checkpoints[0].version;
    return *first >= 0;
}

/* ---- _last_checkpoint and checkpoint files -------------------------------------------------------- */

int64_t delta_log_hint(struct ctx *ctx, struct delta_table *t)
{
    struct buf text = {.max_bytes = hint_max_bytes};
    struct arena arena = ARENA_INIT;
    struct json json;
    int64_t version = -1;
    if (store_read(t->store, ctx, STR(LOG_PREFIX "_last_checkpoint"), &text, NULL) != STORE_OK || text.failed)
        goto out;
    if (json_parse(&arena, buf_view(&text), &json, NULL) != STATUS_OK)
        goto out;
    uint32_t node = json_member(&json, 0, "version");
    if (!node || !json_i64(&json, node, &version) || version < 0)
        version = -1;
out:
    arena_release(&arena);
    buf_release(&text);
    return version;
}

enum status delta_checkpoint_keys(struct arena *arena, const struct delta_log_checkpoint *c, struct str **keys, size_t *count, struct error *err)
{
    *count = c->parts ? c->parts : 1;
    *keys = ARENA_ARRAY(arena, struct str, *count);
    if (!*keys)
        return error_oom(err);
    for (size_t i = 0; i < *count; i++) {
        struct str suffix = c->suffix.ptr ? c->suffix : STR(".checkpoint.parquet");
        char *key = c->parts ? arena_printf(arena, LOG_PREFIX "%020lld.checkpoint.%010zu.%010u.parquet", (long long)c->version, i + 1, c->parts)
                             : arena_printf(arena, LOG_PREFIX "%020lld%.*s", (long long)c->version, STR_ARG(suffix));
        if (!key)
            return error_oom(err);
        (*keys)[i] = str_of(key);
    }
    return STATUS_OK;
}

enum status delta_locate_all(struct store *store, const struct str *keys, size_t count, struct buf *names, struct str **out, struct error *err)
{
    struct str *located = mem_alloc(count * sizeof *located);
    *out = NULL;
    if (!located)
        return error_oom(err);
    /* names may move while it grows: lengths first, pointers at the end. */
    for (size_t i = 0; i < count; i++) {
        size_t before = names->len;
        store_locate(store, keys[i], names);
        located[i].len = names->len - before;
        buf_char(names, '\0');
    }
    if (names->failed) {
        mem_free(located);
        return error_oom(err);
    }
    const char *at = names->ptr;
    for (size_t i = 0; i < count; at += located[i].len + 1, i++)
        located[i].ptr = at;
    *out = located;
    return STATUS_OK;
}

/* ---- the ways to rebuild a version ------------------------------------------------------------------ */

struct rebuild {
    struct ctx *ctx;
    struct delta_table *table;
    struct delta_listing listing;
    int64_t version;        /* the one wanted; settled once the log was listed */
    int64_t max_checkpoint; /* newer checkpoints are not looked at */
    int64_t tried_from;     /* ways from this checkpoint upwards were tried already */
    enum status (*attempt)(void *user, const struct delta_rebuild *way, struct error *err);
    void *user;
    struct error newest; /* why the newest way failed */
};

static enum status refuse_gap(const struct rebuild *r, int64_t missing, struct error *err)
{
    return error_set(err, STATUS_PROTOCOL_VIOLATION, "the log of table \"%s\" has a gap: version %lld is missing", r->table->name,
                     (long long)missing);
}

/* A directory that changes while it is listed may hide a file: only asking for the file itself proves that it is missing. */
static enum status check_contiguous(const struct rebuild *r, int64_t from, struct error *err)
{
    for (int64_t v = from; v <= r->version; v++) {
        char key[64];
        struct store_entry entry;
        if (delta_listing_commit(&r->listing, v))
            continue;
        delta_log_key(key, v, ".json");
        enum store_result result = store_stat(r->table->store, r->ctx, str_of(key), &entry, err);
        if (result == STORE_NOT_FOUND)
            return refuse_gap(r, v, err);
        if (result != STORE_OK)
            return delta_store_failure(result, key, err);
    }
    return STATUS_OK;
}

/* Leaves err alone when there is nothing to report. */
static void error_replace(struct error *err, struct error *from)
{
    if (from->code != STATUS_OK)
        error_move(err, from);
}

/* Whether an older way may succeed where this one failed. */
static bool may_fall_back(enum status status)
{
    switch (status) {
    case STATUS_OK:
    case STATUS_OUT_OF_MEMORY:
    case STATUS_CANCELLED:
    case STATUS_DEADLINE_EXCEEDED:
    case STATUS_UNSUPPORTED_FEATURE:
    case STATUS_INTERNAL:
        return false;
    default:
        return true;
    }
}

static void note_damage(struct rebuild *r, int64_t checkpoint, struct error *failure)
{
    char version[24];
    snprintf(version, sizeof version, "%lld", (long long)checkpoint);
    log_event(r->ctx, LOG_WARN, "checkpoint_unreadable", "table", r->table->name, "checkpoint", version, "error",
              failure->message ? failure->message : "", NULL);
    if (r->newest.code == STATUS_OK)
        error_move(&r->newest, failure);
    else
        error_release(failure);
}

/* The last way: every commit from the first. */
static enum status try_commits(struct rebuild *r, bool *done, struct error *err)
{
    struct delta_rebuild way = {.listing = &r->listing, .version = r->version};
    struct error failure = ERROR_INIT;
    if (r->listing.commit_count == 0 || r->listing.commits[0].version != 0)
        return STATUS_OK;
    enum status status = check_contiguous(r, 0, &failure);
    if (status == STATUS_OK)
        status = r->attempt(r->user, &way, &failure);
    *done = status == STATUS_OK;
    if (!may_fall_back(status) || r->newest.code == STATUS_OK) {
        error_replace(err, &failure);
        return status;
    }
    error_release(&failure);
    return STATUS_OK;
}

/* STATUS_OK and *done: rebuilt.  STATUS_OK and not: every way failed, r->newest says why, or there is none. */
static enum status try_ways(struct rebuild *r, bool *done, struct error *err)
{
    const struct delta_listing *l = &r->listing;
    struct delta_rebuild way = {.listing = l, .version = r->version};
    *done = false;
    for (size_t i = l->checkpoint_count; i > 0; i--) {
        struct error failure = ERROR_INIT;
        way.checkpoint = &l->checkpoints[i - 1];
        if (way.checkpoint->version > r->version || way.checkpoint->version > r->max_checkpoint || way.checkpoint->version >= r->tried_from)
            continue;
        enum status status = check_contiguous(r, way.checkpoint->version + 1, err);
        if (status != STATUS_OK)
            return status;
        status = r->attempt(r->user, &way, &failure);
        *done = status == STATUS_OK;
        if (!may_fall_back(status)) {
            error_replace(err, &failure);
            return status;
        }
        note_damage(r, way.checkpoint->version, &failure);
    }
    return try_commits(r, done, err);
}

static bool has_usable_checkpoint(const struct rebuild *r)
{
    const struct delta_listing *l = &r->listing;
    for (size_t i = 0; i < l->checkpoint_count; i++)
        if (l->checkpoints[i].version <= r->version && l->checkpoints[i].version <= r->max_checkpoint)
            return true;
    return false;
}

static enum status list_again(struct rebuild *r, int64_t from, struct error *err)
{
    delta_listing_release(&r->listing);
    return delta_log_list(r->ctx, r->table, from, r->version, &r->listing, err);
}

/* From the checkpoint that the hint names when it is really there.  For a version before it from not far below that version, where there is
 * mostly one, too.  Else everything. */
static enum status list_for(struct rebuild *r, struct error *err)
{
    int64_t from = delta_log_hint(r->ctx, r->table);
    bool one_version = r->version != INT64_MAX;
    if (one_version && (from > r->version || from < 0))
        from = r->version > VERSIONS_LOOKED_BACK ? r->version - VERSIONS_LOOKED_BACK : 0;
    if (from > 0 && from <= r->max_checkpoint) {
        enum status status = list_again(r, from, err);
        if (status != STATUS_OK || has_usable_checkpoint(r))
            return status;
    }
    return list_again(r, 0, err);
}

static enum status refuse_version(struct rebuild *r, struct error *err)
{
    struct delta_listing all;
    int64_t first, last;
    enum status status = delta_log_list(r->ctx, r->table, 0, INT64_MAX, &all, err);
    if (status != STATUS_OK)
        return status;
    bool any = delta_listing_range(&all, &first, &last);
    delta_listing_release(&all);
    if (!any)
        return error_set(err, STATUS_NOT_A_DELTA_TABLE, "there is no Delta log in \"%.*s\"", STR_ARG(r->table->store->root));
    error_set(err, STATUS_VERSION_NOT_FOUND, "table \"%s\" has no version %lld", r->table->name, (long long)r->version);
    return error_hint(err, "versions %lld to %lld are available", (long long)first, (long long)last);
}

/* Nothing in the listing rebuilds the version. */
static enum status refuse_all(struct rebuild *r, bool latest, struct error *err)
{
    enum status newest = r->newest.code;
    if (newest != STATUS_OK) {
        error_replace(err, &r->newest);
        return newest;
    }
    return latest && r->listing.commit_count ? refuse_gap(r, 0, err) : refuse_version(r, err);
}

/* The version that INT64_MAX stands for: the last one there is, whether or not its checkpoint can be read. */
static bool settle_version(struct rebuild *r)
{
    int64_t first, last;
    delta_listing_range(&r->listing, &first, &last);
    if (r->version == INT64_MAX && last >= 0)
        r->version = last;
    return r->version <= last;
}

enum status delta_log_rebuild(struct ctx *ctx, struct delta_table *t, int64_t version, int64_t max_checkpoint,
                              enum status (*attempt)(void *user, const struct delta_rebuild *way, struct error *err), void *user, struct error *err)
{
    struct rebuild r = {.ctx = ctx,
                        .table = t,
                        .version = version,
                        .max_checkpoint = max_checkpoint,
                        .tried_from = INT64_MAX,
                        .attempt = attempt,
                        .user = user,
                        .newest = ERROR_INIT};
    bool done = false, latest = version == INT64_MAX;
    enum status status = list_for(&r, err);
    if (status != STATUS_OK)
        goto out;
    if (!settle_version(&r)) {
        status = refuse_version(&r, err);
        goto out;
    }
    status = try_ways(&r, &done, err);
    if (status == STATUS_OK && !done && r.listing.from_version > 0) {
        r.tried_from = r.listing.from_version;
        status = list_again(&r, 0, err);
        if (status == STATUS_OK)
            status = try_ways(&r, &done, err);
    }
    if (status == STATUS_OK && !done)
        status = refuse_all(&r, latest, err);
out:
    error_release(&r.newest);
    delta_listing_release(&r.listing);
    return status;
}
