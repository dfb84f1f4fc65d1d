/* delta/timestamp.c: when a version was committed, and which version was current at a time.
 *
 * Without in-commit timestamps a commit's time is its file's modification time in ms, pushed forward so that each is at
 * least 1 ms after the one before.  With them (protocol: "In-Commit Timestamps") the time stands in commitInfo; a table that
 * turned them on later has file times before its enablement version and in-commit times from there on. */
#include "delta/delta_int.h"

static int64_t floor_ms(int64_t us) { return us / 1000 - (us % 1000 < 0); }

int64_t delta_next_timestamp_ms(int64_t previous_ms, int64_t modified_us)
{
    int64_t ms = floor_ms(modified_us);
    return previous_ms != INT64_MIN && ms <= previous_ms ? previous_ms + 1 : ms;
}

int64_t delta_ms_to_us(int64_t ms)
{
    int64_t us;
    if (__builtin_mul_overflow(ms, 1000, &us))
        return ms < 0 ? INT64_MIN : INT64_MAX;
    return us;
}

static bool read_in_commit_timestamp(struct arena *arena, struct str line, int64_t *ms)
{
    struct json json;
    if (!line.ptr || json_parse(arena, line, &json, NULL) != STATUS_OK)
        return false;
    uint32_t info = json_member(&json, 0, "commitInfo");
    uint32_t node = info ? json_member(&json, info, "inCommitTimestamp") : 0;
    return node && json_i64(&json, node, ms);
}

enum status delta_in_commit_timestamp(struct ctx *ctx, struct delta_table *t, int64_t version, int64_t *ms, struct error *err)
{
    char key[64];
    struct buf text = BUF_INIT;
    struct arena arena = ARENA_INIT;
    *ms = INT64_MIN;
    delta_log_key(key, version, ".json");
    enum store_result result = store_read(t->store, ctx, str_of(key), &text, err);
    bool found = result == STORE_OK && !text.failed && read_in_commit_timestamp(&arena, delta_commit_info_line(buf_view(&text)), ms);
    arena_release(&arena);
    buf_release(&text);
    if (found)
        return STATUS_OK;
    *ms = INT64_MIN;
    if (result == STORE_FAILED || result == STORE_UNKNOWN)
        return delta_store_failure(result, key, err);
    struct delta_checksum sum;
    delta_checksum_read(ctx, t, version, &sum);
    if (sum.has)
        *ms = sum.in_commit_timestamp_ms;
    delta_checksum_release(&sum);
    return STATUS_OK;
}

/* ---- search ------------------------------------------------------------------------------------------ */

struct search {
    struct ctx *ctx;
    struct delta_table *table;
    struct delta_listing listing;
    int64_t timestamp_us;
    int64_t first, last;                 /* versions that can be read */
    int64_t enabled_version, enabled_ms; /* in-commit timestamps count from here; INT64_MAX: never */
    int64_t first_us, last_us;           /* times of the first and last version */
    int64_t best;                        /* the answer so far, -1 none */
};

static void read_enablement(struct search *s, const struct delta_metadata *m)
{
    s->enabled_version = s->enabled_ms = INT64_MAX;
    if (!delta_config_bool(m, "delta.enableInCommitTimestamps", false))
        return;
    struct str version = delta_config(m, "delta.inCommitTimestampEnablementVersion");
    struct str timestamp = delta_config(m, "delta.inCommitTimestampEnablementTimestamp");
    if (!version.ptr || !timestamp.ptr || !str_to_i64(version, &s->enabled_version) || !str_to_i64(timestamp, &s->enabled_ms)) {
        s->enabled_version = 0; /* since the table was made */
        s->enabled_ms = INT64_MIN;
    }
}

static enum status in_commit_us(struct search *s, int64_t version, int64_t *us, struct error *err)
{
    int64_t ms;
    enum status status = delta_in_commit_timestamp(s->ctx, s->table, version, &ms, err);
    if (status == STATUS_OK && ms == INT64_MIN)
        status =
            error_set(err, STATUS_PROTOCOL_VIOLATION, "version %lld of table \"%s\" has no inCommitTimestamp", (long long)version, s->table->name);
    *us = status == STATUS_OK ? delta_ms_to_us(ms) : 0;
    return status;
}

/* Times of the files up to the enablement. */
static void search_file_times(struct search *s)
{
    int64_t ms = INT64_MIN;
    for (size_t i = 0; i < s->listing.commit_count; i++) {
        const struct delta_log_commit *c = &s->listing.commits[i];
        if (c->version < s->first || c->version > s->last || c->version >= s->enabled_version)
            continue;
        bool is_first = ms == INT64_MIN;
        ms = delta_next_timestamp_ms(ms, c->modified_us);
        s->last_us = delta_ms_to_us(ms);
        if (is_first)
            s->first_us = s->last_us;
        if (s->last_us <= s->timestamp_us)
            s->best = c->version;
    }
}

/* In-commit timestamps rise with the version, so half of the rest is settled by each commit read. */
static enum status search_in_commit_times(struct search *s, struct error *err)
{
    int64_t low = s->enabled_version > s->first ? s->enabled_version : s->first, high = s->last, us;
    if (low > high)
        return STATUS_OK;
    enum status status = in_commit_us(s, high, &s->last_us, err);
    if (status == STATUS_OK && s->first_us == INT64_MIN)
        status = in_commit_us(s, low, &s->first_us, err);
    if (s->timestamp_us < delta_ms_to_us(s->enabled_ms))
        return status;
    while (status == STATUS_OK && low <= high) {
        int64_t middle = low + (high - low) / 2;
        status = in_commit_us(s, middle, &us, err);
        if (status != STATUS_OK)
            break;
        if (us <= s->timestamp_us) {
            s->best = middle;
            low = middle + 1;
        } else {
            high = middle - 1;
        }
    }
    return status;
}

static enum status refuse_time(const struct search *s, struct error *err)
{
    char wanted[40], first[40], last[40];
    timestamp_to_iso(s->timestamp_us, true, wanted);
    timestamp_to_iso(s->first_us, true, first);
    timestamp_to_iso(s->last_us, true, last);
    error_set(err, STATUS_TIMESTAMP_OUT_OF_RANGE, "table \"%s\" has no version at %s: its versions were made from %s to %s", s->table->name, wanted,
              first, last);
    return error_hint(err, "version %lld is the first and version %lld the last", (long long)s->first, (long long)s->last);
}

enum status delta_version_at_timestamp(struct ctx *ctx, struct delta_table *t, int64_t timestamp_us, int64_t *version, struct error *err)
{
    struct search s = {.ctx = ctx, .table = t, .timestamp_us = timestamp_us, .first_us = INT64_MIN, .last_us = INT64_MIN, .best = -1};
    struct delta_snapshot *latest;
    *version = 0;
    enum status status = delta_snapshot_latest(ctx, t, &latest, err);
    if (status != STATUS_OK)
        return status;
    status = delta_log_list(ctx, t, 0, latest->version, &s.listing, err);
    if (status != STATUS_OK)
        goto out;
    delta_listing_range(&s.listing, &s.first, &s.last);
    read_enablement(&s, &latest->head->metadata);
    search_file_times(&s);
    if (s.enabled_version <= s.last)
        status = search_in_commit_times(&s, err);
    if (status == STATUS_OK && (s.best < 0 || timestamp_us > s.last_us))
        status = refuse_time(&s, err);
    if (status == STATUS_OK)
        *version = s.best;
out:
    delta_listing_release(&s.listing);
    delta_snapshot_unref(latest);
    return status;
}
