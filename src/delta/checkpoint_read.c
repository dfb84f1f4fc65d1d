/* delta/checkpoint_read.c: one checkpoint, opened: its state, and the files that hold its file actions
 * (protocol: "Checkpoints", "V2 Spec", "Sidecar Files").
 *
 * The top level is Parquet or, when a uuid-named checkpoint ends in .json, lines of actions as in a commit.  Adds and removes stand
 * in the top level or in sidecars, never in both. */
#include "delta/delta_int.h"

#define SIDECAR_FOLDER "_delta_log/_sidecars/"
static const size_t top_level_max_bytes = (size_t)2 << 30;

static enum status damaged(const struct delta_checkpoint_files *f, const char *what, struct str thing, struct error *err)
{
    return error_set(err, STATUS_CORRUPT_LOG, "checkpoint \"%.*s\" %s \"%.*s\"", STR_ARG(f->name), what, STR_ARG(thing));
}

/* ---- the top level -------------------------------------------------------------------------- */

static bool take_action(void *user, struct str json, struct error *err) { return delta_commit_add_action(user, json, err) == STATUS_OK; }

static enum status read_json(struct ctx *ctx, struct delta_table *t, struct delta_checkpoint_files *f, struct error *err)
{
    struct buf text = {.max_bytes = top_level_max_bytes};
    enum store_result result = store_read(t->store, ctx, f->name, &text, err);
    enum status status = buf_check(&text, err);
    if (result == STORE_NOT_FOUND)
        status = damaged(f, "is gone:", f->name, err);
    else if (result != STORE_OK)
        status = delta_store_failure(result, f->name.ptr, err);
    if (status == STATUS_OK)
        status = delta_commit_parse(&text, -1, f->name, &f->state, err);
    buf_release(&text);
    f->inline_files = f->state.add_count + f->state.remove_count > 0;
    if (status == STATUS_OK && f->inline_files && f->state.sidecar_count)
        status = damaged(f, "has files of its own beside sidecar", f->state.sidecars[0].path, err);
    return status;
}

static enum status read_parquet(struct ctx *ctx, struct delta_table *t, struct delta_checkpoint_files *f, struct error *err)
{
    struct buf names = BUF_INIT;
    struct str *located;
    if (!t->handler)
        return error_set(err, STATUS_NOT_SUPPORTED, "checkpoints of table \"%s\" cannot be read without an engine", t->name);
    enum status status = delta_locate_all(t->store, f->keys, f->key_count, &names, &located, err);
    if (status == STATUS_OK)
        status = t->handler->read_others(t->handler, ctx, located, f->key_count, false, take_action, &f->state, err);
    mem_free(located);
    buf_release(&names);
    return status;
}

/* ---- what it says about itself ------------------------------------------------------------------ */

/* Spark notes how many adds there are: a top level that lost lines shows. */
static int64_t noted_add_count(const struct delta_action_checkpoint_metadata *m)
{
    int64_t count;
    for (uint32_t i = 0; i < m->tag_count; i++)
        if (str_eq(m->tags[i].key, STR("numOfAddFiles")) && m->tags[i].value.ptr && str_to_i64(m->tags[i].value, &count) && count >= 0)
            return count;
    return -1;
}

static enum status check_metadata(struct delta_checkpoint_files *f, const struct delta_log_checkpoint *c, struct error *err)
{
    const struct delta_action_checkpoint_metadata *m = &f->state.checkpoint_metadata;
    if (!f->state.has_checkpoint_metadata)
        return c->suffix.ptr ? damaged(f, "lacks the action", STR("checkpointMetadata"), err) : STATUS_OK;
    if (m->version != c->version)
        return error_set(err, STATUS_CORRUPT_LOG, "checkpoint \"%.*s\" is one of version %lld", STR_ARG(f->name), (long long)m->version);
    f->add_count = noted_add_count(m);
    return STATUS_OK;
}

/* ---- sidecars -------------------------------------------------------------------------------------- */

/* Sidecars are always in the folder of that name: of whatever path is noted the last part counts. */
static enum status sidecar_key(struct delta_checkpoint_files *f, struct str path, struct str *key, struct error *err)
{
    struct buf text = BUF_INIT;
    enum status status = STATUS_OK;
    const char *slash = memrchr(path.ptr, '/', path.len);
    size_t from = slash ? (size_t)(slash - path.ptr) + 1 : 0;
    buf_z(&text, SIDECAR_FOLDER);
    bool decodes = uri_decode(&text, str_sub(path, from, path.len - from));
    struct str name = str_sub(buf_view(&text), sizeof SIDECAR_FOLDER - 1, text.len - (sizeof SIDECAR_FOLDER - 1));
    if (text.failed)
        status = error_oom(err);
    else if (!decodes || !name.len || memchr(name.ptr, '/', name.len) || str_eq(name, STR(".")) || str_eq(name, STR("..")))
        status = damaged(f, "names a sidecar that cannot be:", path, err);
    else if (!(*key = arena_str(&f->arena, buf_view(&text))).ptr)
        status = error_oom(err);
    buf_release(&text);
    return status;
}

static enum status add_sidecar(struct ctx *ctx, struct delta_table *t, struct delta_checkpoint_files *f, const struct delta_action_sidecar *s,
                               struct error *err)
{
    struct store_entry entry;
    struct str *key = &f->keys[f->key_count];
    enum status status = sidecar_key(f, s->path, key, err);
    if (status != STATUS_OK)
        return status;
    enum store_result result = store_stat(t->store, ctx, *key, &entry, err);
    if (result == STORE_NOT_FOUND)
        return damaged(f, "needs the missing sidecar", *key, err);
    if (result != STORE_OK)
        return delta_store_failure(result, key->ptr, err);
    if (entry.size_bytes != s->size_bytes)
        return damaged(f, "notes another size for sidecar", *key, err);
    f->key_count++;
    return STATUS_OK;
}

static enum status add_sidecars(struct ctx *ctx, struct delta_table *t, struct delta_checkpoint_files *f, struct error *err)
{
    struct str *keys = ARENA_ARRAY(&f->arena, struct str, f->key_count + f->state.sidecar_count);
    enum status status = keys ? STATUS_OK : error_oom(err);
    if (keys && f->key_count)
        memcpy(keys, f->keys, f->key_count * sizeof *keys);
    f->keys = keys;
    for (size_t i = 0; status == STATUS_OK && i < f->state.sidecar_count; i++)
        status = add_sidecar(ctx, t, f, &f->state.sidecars[i], err);
    return status;
}

/* ---- entry -------------------------------------------------------------------------------------------- */

enum status delta_checkpoint_open(struct ctx *ctx, struct delta_table *t, const struct delta_log_checkpoint *c, struct delta_checkpoint_files *out,
                                  struct error *err)
{
    bool is_json = c->suffix.ptr && str_ends(c->suffix, STR(".json"));
    *out = (struct delta_checkpoint_files){.state = DELTA_COMMIT_INIT, .add_count = -1};
    enum status status = delta_checkpoint_keys(&out->arena, c, &out->keys, &out->key_count, err);
    if (status != STATUS_OK)
        return status;
    out->name = out->keys[0];
    status = is_json ? read_json(ctx, t, out, err) : read_parquet(ctx, t, out, err);
    if (is_json)
        out->key_count = 0;
    if (status == STATUS_OK)
        status = check_metadata(out, c, err);
    if (status == STATUS_OK && out->state.sidecar_count)
        status = add_sidecars(ctx, t, out, err);
    if (status == STATUS_OK && out->key_count && !t->handler)
        status = error_set(err, STATUS_NOT_SUPPORTED, "checkpoints of table \"%s\" cannot be read without an engine", t->name);
    if (status == STATUS_OK && out->key_count)
        status = delta_locate_all(t->store, out->keys, out->key_count, &out->names, &out->located, err);
    return status;
}

void delta_checkpoint_close(struct delta_checkpoint_files *f)
{
    delta_commit_release(&f->state);
    mem_free(f->located);
    buf_release(&f->names);
    arena_release(&f->arena);
    *f = (struct delta_checkpoint_files){0};
}
