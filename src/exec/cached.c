/* exec/cached.c: CACHE TABLE name AS SELECT …: the rows of a query, kept by the engine under a name that this session's queries know. */
#include "exec/exec_int.h"

struct exec_cached *exec_cached_find(const struct exec_session *s, struct str name)
{
    for (size_t i = 0; i < s->cached_count; i++)
        if (str_ieq(str_of(s->cached[i].name), name))
            return &s->cached[i];
    return NULL;
}

static void release(struct exec_cached *c)
{
    engine_hold_free(c->hold);
    mem_free(c->name);
    arena_release(&c->arena);
}

void exec_cached_release(struct exec_session *s)
{
    for (size_t i = 0; i < s->cached_count; i++)
        release(&s->cached[i]);
    mem_free(s->cached);
    s->cached = NULL;
    s->cached_count = 0;
}

static enum status answer_rows(struct exec_result *out, int64_t count, struct error *err)
{
    static const struct rowset_column columns[] = {{"rows", "l"}};
    struct rowset *rows = rowset_new(columns, 1);
    if (!rows)
        return error_oom(err);
    rowset_i64(rows, count);
    return rowset_stream(rows, &out->stream, err);
}

static enum status keep(struct ctx *ctx, struct exec_session *s, const struct statement *st, struct exec_cached *c, int64_t *count, struct error *err)
{
    struct exec_select *select = NULL;
    struct table_source source = {0};
    enum status status = exec_select_prepare(ctx, s, st->query, st->query_offset, &select, err);
    if (status == STATUS_OK)
        status = exec_select_source(ctx, select, &source, err);
    if (status == STATUS_OK)
        status = engine_keep_rows(ctx, s->lake->engine, source.select, source.hold, source.session_settings, &c->arena, &c->relation, count, &c->hold,
                                  err);
    if (status == STATUS_OK) {
        c->schema = delta_type_copy(&c->arena, source.schema);
        c->name = mem_strndup(st->name.table.ptr, st->name.table.len);
        status = c->schema && c->name ? STATUS_OK : error_oom(err);
    }
    exec_select_free(select);
    return status;
}

enum status exec_cache_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                             struct error *err)
{
    (void)arena;
    struct exec_cached one = {.arena = ARENA_INIT};
    int64_t count = 0;
    if (exec_cached_find(s, st->name.table)) {
        error_set(err, STATUS_TABLE_EXISTS, "\"%.*s\" is cached already", STR_ARG(st->name.table));
        error_hint(err, "write UNCACHE TABLE %.*s first", STR_ARG(st->name.table));
        if (err)
            err->position = (int64_t)st->name.offset;
        return STATUS_TABLE_EXISTS;
    }
    enum status status = keep(ctx, s, st, &one, &count, err);
    struct exec_cached *grown = status == STATUS_OK ? mem_realloc(s->cached, (s->cached_count + 1) * sizeof *grown) : NULL;
    if (status == STATUS_OK && !grown)
        status = error_oom(err);
    if (status != STATUS_OK) {
        release(&one);
        return status;
    }
    s->cached = grown;
    s->cached[s->cached_count++] = one;
    return answer_rows(out, count, err);
}

static bool take_away(struct exec_session *s, struct str name)
{
    for (size_t i = 0; i < s->cached_count; i++) {
        if (!str_ieq(str_of(s->cached[i].name), name))
            continue;
        release(&s->cached[i]);
        s->cached[i] = s->cached[--s->cached_count];
        return true;
    }
    return false;
}

enum status exec_uncache_table(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                               struct error *err)
{
    (void)ctx, (void)arena;
    bool found = take_away(s, st->name.table);
    if (!found && st->if_exists)
        return exec_answer(out, STR("nothing is cached under this name"), err);
    if (!found) {
        error_set(err, STATUS_TABLE_NOT_FOUND, "nothing is cached as \"%.*s\" in this session", STR_ARG(st->name.table));
        error_hint(err, "CACHE TABLE name AS SELECT … keeps a query's rows");
        if (err)
            err->position = (int64_t)st->name.offset;
        return STATUS_TABLE_NOT_FOUND;
    }
    return exec_answer(out, STR("uncached"), err);
}

enum status exec_clear_cache(struct ctx *ctx, struct exec_session *s, struct arena *arena, const struct statement *st, struct exec_result *out,
                             struct error *err)
{
    (void)ctx, (void)arena, (void)st;
    exec_cached_release(s);
    return exec_answer(out, STR("cache cleared"), err);
}
