/* delta/history.c: what DESCRIBE HISTORY shows, read from the commits themselves. */
#include "delta/delta_int.h"

static bool is_commit_info(struct str line)
{
    if (line.len == 0 || line.ptr[0] != '{')
        return false;
    struct str rest = str_trim(str_sub(line, 1, line.len - 1));
    return str_starts(rest, STR("\"commitInfo\""));
}

struct str delta_commit_info_line(struct str text)
{
    while (text.len) {
        const char *end = memchr(text.ptr, '\n', text.len);
        size_t len = end ? (size_t)(end - text.ptr) : text.len;
        struct str line = str_trim(str_sub(text, 0, len));
        if (is_commit_info(line))
            return line;
        len += end != NULL;
        text = str_sub(text, len, text.len - len);
    }
    return STR_NULL;
}

static enum status read_entry(struct ctx *ctx, struct delta_table *t, struct arena *arena, int64_t version, struct delta_commit_info *out,
                              enum store_result *result, struct error *err)
{
    char key[64];
    struct buf text = BUF_INIT;
    struct delta_commit parsed = DELTA_COMMIT_INIT;
    enum status status = STATUS_OK;
    delta_log_key(key, version, ".json");
    *result = store_read(t->store, ctx, str_of(key), &text, err);
    if (*result == STORE_FAILED || *result == STORE_UNKNOWN)
        status = delta_store_failure(*result, key, err);
    else
        status = buf_check(&text, err);
    struct str line = status == STATUS_OK ? delta_commit_info_line(buf_view(&text)) : STR_NULL;
    if (line.ptr) {
        status = delta_commit_add_action(&parsed, line, err);
        if (status != STATUS_OK)
            error_context(err, "while reading \"%s\" of table \"%s\"", key, t->name);
    }
    if (status == STATUS_OK && parsed.has_commit_info) {
        out->raw = arena_str(arena, parsed.commit_info);
        if (!out->raw.ptr)
            status = error_oom(err);
        if (parsed.in_commit_timestamp_ms != INT64_MIN)
            out->timestamp_us = delta_ms_to_us(parsed.in_commit_timestamp_ms);
    }
    delta_commit_release(&parsed);
    buf_release(&text);
    return status;
}

/* Newest first, with the file times, which rise over all commits that are still there. */
static struct delta_commit_info *list_entries(struct arena *arena, const struct delta_listing *l, size_t wanted)
{
    struct delta_commit_info *entries = ARENA_ARRAY(arena, struct delta_commit_info, wanted);
    int64_t ms = INT64_MIN;
    for (size_t i = 0; entries && i < l->commit_count; i++) {
        ms = delta_next_timestamp_ms(ms, l->commits[i].modified_us);
        size_t from_end = l->commit_count - 1 - i;
        if (from_end < wanted)
            entries[from_end] = (struct delta_commit_info){.version = l->commits[i].version, .timestamp_us = delta_ms_to_us(ms), .raw = STR_NULL};
    }
    return entries;
}

enum status delta_history(struct ctx *ctx, struct delta_table *t, int64_t limit, struct arena *arena, struct delta_commit_info **out, size_t *count,
                          struct error *err)
{
    struct delta_listing listing;
    *out = NULL;
    *count = 0;
    enum status status = delta_log_list(ctx, t, 0, INT64_MAX, &listing, err);
    if (status != STATUS_OK)
        return status;
    if (listing.commit_count + listing.checkpoint_count == 0) {
        status = error_set(err, STATUS_NOT_A_DELTA_TABLE, "there is no Delta log in \"%.*s\"", STR_ARG(t->store->root));
        goto out;
    }
    size_t wanted = limit > 0 && (uint64_t)limit < listing.commit_count ? (size_t)limit : listing.commit_count, got = 0;
    struct delta_commit_info *entries = list_entries(arena, &listing, wanted);
    if (!entries)
        status = error_oom(err);
    /* A commit that log cleanup took away meanwhile ends the history. */
    for (enum store_result result = STORE_OK; status == STATUS_OK && got < wanted; got++) {
        status = ctx_check(ctx, err);
        if (status == STATUS_OK)
            status = read_entry(ctx, t, arena, entries[got].version, &entries[got], &result, err);
        if (status == STATUS_OK && result == STORE_NOT_FOUND)
            break;
    }
    if (status == STATUS_OK) {
        *out = entries;
        *count = got;
    }
out:
    delta_listing_release(&listing);
    return status;
}
