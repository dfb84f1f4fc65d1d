/* exec/search.c: search over configured tables.  An index belongs to one version of one table and is built at most once at a time;
 * replies are cached by (request, version of every table, identity), so they are never stale. */
#include "exec/exec_int.h"
#include "search/search.h"

#include <math.h>
#include <stdlib.h>

#define INDEXES_PER_TABLE 4
#define LIMIT_MAX 500

struct version_index {
    struct search_index *index;
    atomic_int refs;
    char *place; /* location and table id */
    int64_t version;
    uint64_t last_used;
    int64_t files_read, bytes_read;
};
struct searched_table {
    pthread_mutex_t build_lock; /* one build at a time: others wait for it and then find it */
    struct version_index *indexes[INDEXES_PER_TABLE];
    uint64_t ticks;
};
struct exec_search {
    struct search_config config;
    struct searched_table *tables; /* beside config.tables */
};

/* ---- life cycle ------------------------------------------------------------------------- */

static void index_unref(struct version_index *v)
{
    if (!v || atomic_fetch_sub(&v->refs, 1) > 1)
        return;
    search_index_free(v->index);
    mem_free(v->place);
    mem_free(v);
}

enum status exec_search_open(struct ctx *ctx, struct str config_json, struct exec_search **out, struct error *err)
{
    (void)ctx;
    *out = NULL;
    struct exec_search *s = mem_calloc(1, sizeof(*s));
    if (!s)
        return error_oom(err);
    enum status st = search_config_parse(config_json, &s->config, err);
    if (st == STATUS_OK) {
        s->tables = mem_calloc(s->config.table_count + 1, sizeof(*s->tables));
        if (!s->tables)
            st = error_oom(err);
    }
    if (st != STATUS_OK) {
        search_config_release(&s->config);
        mem_free(s);
        return st;
    }
    for (uint32_t i = 0; i < s->config.table_count; i++)
        pthread_mutex_init(&s->tables[i].build_lock, NULL);
    *out = s;
    return STATUS_OK;
}

void exec_search_free(struct exec_search *s)
{
    if (!s)
        return;
    for (uint32_t i = 0; i < s->config.table_count; i++) {
        for (int k = 0; k < INDEXES_PER_TABLE; k++)
            index_unref(s->tables[i].indexes[k]);
        pthread_mutex_destroy(&s->tables[i].build_lock);
    }
    mem_free(s->tables);
    search_config_release(&s->config);
    mem_free(s);
}

void exec_search_counters(struct exec_search *s, uint64_t *rows, uint64_t *bytes)
{
    *rows = *bytes = 0;
    for (uint32_t i = 0; s && i < s->config.table_count; i++) {
        pthread_mutex_lock(&s->tables[i].build_lock);
        for (int k = 0; k < INDEXES_PER_TABLE; k++) {
            struct version_index *v = s->tables[i].indexes[k];
            *rows += v ? search_index_rows(v->index) : 0;
            *bytes += v ? search_index_bytes(v->index) : 0;
        }
        pthread_mutex_unlock(&s->tables[i].build_lock);
    }
}

/* ---- building an index ------------------------------------------------------------------------ */

static enum status feed_batch(struct search_builder *b, const struct ArrowSchema *schema, const struct ArrowArray *batch, struct error *err)
{
    struct arena arena = ARENA_INIT;
    struct buf json = BUF_INIT;
    enum status st = STATUS_OK;
    struct str *values = ARENA_ARRAY(&arena, struct str, schema->n_children + 1);
    size_t *ends = ARENA_ARRAY(&arena, size_t, schema->n_children + 1);
    if (!values || !ends)
        st = error_oom(err);
    for (int64_t row = 0; row < batch->length && st == STATUS_OK; row++) {
        buf_clear(&json);
        for (int64_t c = 0; c < schema->n_children; c++) {
            arrow_value_json(schema->children[c], batch->children[c], row, true, &json);
            ends[c] = json.len;
        }
        st = buf_check(&json, err);
        for (int64_t c = 0; c < schema->n_children && st == STATUS_OK; c++) {
            size_t start = c ? ends[c - 1] : 0;
            values[c] = (struct str){json.ptr + start, ends[c] - start};
        }
        if (st == STATUS_OK)
            st = search_builder_row(b, values, err);
    }
    buf_release(&json);
    arena_release(&arena);
    return st;
}

static enum status feed_stream(struct ctx *ctx, struct search_builder *b, struct ArrowArrayStream *stream, const struct ArrowSchema *schema,
                               struct error *err)
{
    for (;;) {
        struct ArrowArray batch = {0};
        enum status st = ctx_check(ctx, err);
        if (st != STATUS_OK)
            return st;
        if (stream->get_next(stream, &batch)) {
            st = engine_stream_error(stream, err);
            return st != STATUS_OK ? st : error_set(err, STATUS_INTERNAL, "the rows for the search index could not be read");
        }
        if (!batch.release)
            return STATUS_OK;
        st = feed_batch(b, schema, &batch, err);
        batch.release(&batch);
        if (st != STATUS_OK)
            return st;
    }
}

static enum status index_from_stream(struct ctx *ctx, const struct search_table_config *config, struct ArrowArrayStream *stream,
                                     struct search_index **out, struct error *err)
{
    struct ArrowSchema schema = {0};
    struct search_builder *builder = NULL;
    if (stream->get_schema(stream, &schema))
        return error_set(err, STATUS_INTERNAL, "the schema for the search index could not be read");
    const char **names = mem_calloc((size_t)schema.n_children + 1, sizeof(*names));
    enum status st = names ? STATUS_OK : error_oom(err);
    for (int64_t c = 0; c < schema.n_children && st == STATUS_OK; c++)
        names[c] = schema.children[c]->name;
    if (st == STATUS_OK)
        st = search_builder_new(config, names, (size_t)schema.n_children, &builder, err);
    if (st == STATUS_OK)
        st = feed_stream(ctx, builder, stream, &schema, err);
    if (st == STATUS_OK)
        st = search_builder_finish(builder, out, err);
    else
        search_builder_free(builder);
    mem_free(names);
    schema.release(&schema);
    return st;
}

/* "SELECT * FROM schema.table AT (VERSION => n)" for a configured name. */
static void table_query(struct str table, int64_t version, struct buf *sql)
{
    buf_z(sql, "SELECT * FROM ");
    for (size_t start = 0, i = 0; i <= table.len; i++) {
        if (i < table.len && table.ptr[i] != '.')
            continue;
        buf_z(sql, start ? "." : "");
        engine_quote_identifier(str_sub(table, start, i - start), sql);
        start = i + 1;
    }
    if (version >= 0)
        buf_printf(sql, " AT (VERSION => %lld)", (long long)version);
}

static enum status build(struct ctx *ctx, struct exec_select *select, const struct search_table_config *config, struct version_index **out,
                         struct error *err)
{
    struct exec_result result = {.version = -1};
    struct version_index *v = mem_calloc(1, sizeof(*v));
    enum status st = v ? exec_select_run(ctx, select, &result, err) : error_oom(err);
    if (st == STATUS_OK)
        st = index_from_stream(ctx, config, &result.stream, &v->index, err);
    if (st == STATUS_OK && result.read_count) {
        v->files_read = result.reads[0].files_read;
        v->bytes_read = result.reads[0].bytes_read;
    }
    exec_result_release(&result);
    if (st != STATUS_OK) {
        error_context(err, "while indexing table \"%.*s\" for search", STR_ARG(config->table));
        mem_free(v);
        return st;
    }
    atomic_init(&v->refs, 1);
    *out = v;
    return STATUS_OK;
}

static struct version_index *find_index(struct searched_table *t, struct str place, int64_t version)
{
    for (int k = 0; k < INDEXES_PER_TABLE; k++) {
        struct version_index *v = t->indexes[k];
        if (v && v->version == version && str_eq(str_of(v->place), place)) {
            v->last_used = ++t->ticks;
            atomic_fetch_add(&v->refs, 1);
            return v;
        }
    }
    return NULL;
}

static void keep_index(struct searched_table *t, struct version_index *v)
{
    int oldest = 0;
    for (int k = 1; k < INDEXES_PER_TABLE; k++) {
        if (!t->indexes[oldest])
            break;
        if (!t->indexes[k] || t->indexes[k]->last_used < t->indexes[oldest]->last_used)
            oldest = k;
    }
    index_unref(t->indexes[oldest]);
    v->last_used = ++t->ticks;
    atomic_fetch_add(&v->refs, 1);
    t->indexes[oldest] = v;
}

/* One table of a search: its version, and the index once it was needed. */
struct target {
    const struct search_table_config *config;
    struct searched_table *table;
    struct exec_select *select;
    struct exec_read read; /* name is owned by reads */
    struct exec_read *reads;
    size_t read_count;
    char *place;
    struct version_index *index;
    bool has_versions;                    /* the table has others than the one that is searched */
    int64_t files_scanned, bytes_scanned; /* by this request */
    struct search_page page;
};

static enum status target_index(struct ctx *ctx, struct target *t, struct error *err)
{
    enum status st = STATUS_OK;
    pthread_mutex_lock(&t->table->build_lock);
    t->index = find_index(t->table, str_of(t->place), t->read.version);
    if (!t->index) {
        st = build(ctx, t->select, t->config, &t->index, err);
        if (st == STATUS_OK) {
            t->index->version = t->read.version;
            t->index->place = t->place;
            t->place = NULL;
            t->files_scanned = t->index->files_read;
            t->bytes_scanned = t->index->bytes_read;
            keep_index(t->table, t->index);
        }
    }
    pthread_mutex_unlock(&t->table->build_lock);
    return st;
}

/* A first version that was asked for is not the only one when there is a newer one. */
static enum status find_versions(struct ctx *ctx, struct exec_session *s, struct target *t, int64_t version, struct error *err)
{
    struct exec_select *newest = NULL;
    struct exec_read *reads = NULL;
    size_t count = 0;
    struct buf sql = BUF_INIT;
    t->has_versions = t->read.version > 0;
    if (t->has_versions || version < 0)
        return STATUS_OK;
    table_query(t->config->table, -1, &sql);
    enum status st = buf_check(&sql, err);
    if (st == STATUS_OK)
        st = exec_select_prepare(ctx, s, buf_view(&sql), 0, &newest, err);
    if (st == STATUS_OK)
        exec_select_reads(newest, &reads, &count);
    for (size_t i = 0; i < count; i++) {
        t->has_versions |= reads[i].version > 0;
        mem_free(reads[i].name);
    }
    mem_free(reads);
    exec_select_free(newest);
    buf_release(&sql);
    return st;
}

static enum status target_open(struct ctx *ctx, struct exec_session *s, const struct search_table_config *config, struct searched_table *table,
                               int64_t version, struct target *t, struct error *err)
{
    struct buf sql = BUF_INIT, place = BUF_INIT;
    *t = (struct target){.config = config, .table = table};
    table_query(config->table, version, &sql);
    enum status st = buf_check(&sql, err);
    if (st == STATUS_OK)
        st = exec_select_prepare(ctx, s, buf_view(&sql), 0, &t->select, err);
    if (st == STATUS_OK) {
        exec_select_reads(t->select, &t->reads, &t->read_count);
        if (!t->read_count || !exec_select_cache_key(t->select, ctx, &place))
            st = error_set(err, STATUS_INTERNAL, "configured search table \"%.*s\" is not a table", STR_ARG(config->table));
    } else {
        error_context(err, "while opening search table \"%.*s\"", STR_ARG(config->table));
    }
    if (st == STATUS_OK) {
        t->read = t->reads[0];
        /* the key has NULs between its parts: make it a text */
        for (size_t i = 0; i < place.len; i++)
            place.ptr[i] = place.ptr[i] ? place.ptr[i] : '\n';
        t->place = buf_detach(&place);
        st = t->place ? find_versions(ctx, s, t, version, err) : error_oom(err);
    }
    buf_release(&sql);
    buf_release(&place);
    return st;
}

static void target_release(struct target *t)
{
    search_page_release(&t->page);
    index_unref(t->index);
    for (size_t i = 0; i < t->read_count; i++)
        mem_free(t->reads[i].name);
    mem_free(t->reads);
    mem_free(t->place);
    exec_select_free(t->select);
}

/* ---- the reply ------------------------------------------------------------------------------------- */

static void put_value_text(struct buf *out, struct str json)
{
    if (!json.ptr || str_eq(json, STR("null")))
        buf_z(out, "\"\"");
    else if (json.ptr[0] == '"')
        buf_str(out, json);
    else
        json_put_string(out, json);
}

static void put_member(struct buf *out, const char *key, const struct target *t, uint32_t row, struct str column)
{
    bool first = false;
    if (!column.ptr)
        return;
    json_put_key(out, key, &first);
    put_value_text(out, search_value(t->index->index, row, column));
}

static void put_metadata(struct buf *out, const struct target *t, uint32_t row)
{
    bool first = true;
    json_put_key(out, "delta_table", &first);
    json_put_string(out, str_of(t->read.name));
    json_put_key(out, "delta_version", &first);
    buf_i64(out, t->read.version);
    json_put_key(out, "time_travel_available", &first);
    buf_z(out, t->has_versions ? "true" : "false");
    struct str name;
    for (size_t i = 0; (name = search_column_name(t->index->index, i)).ptr; i++) {
        struct str value = search_value(t->index->index, row, name);
        if (!first)
            buf_char(out, ',');
        json_put_string(out, name);
        buf_char(out, ':');
        buf_str(out, value.ptr ? value : STR("null"));
    }
}

static void put_url(struct buf *out, const struct target *t, uint32_t row)
{
    struct buf path = BUF_INIT, id = BUF_INIT;
    struct str raw = t->config->id.ptr ? search_value(t->index->index, row, t->config->id) : STR_NULL;
    if (raw.len >= 2 && raw.ptr[0] == '"')
        raw = str_sub(raw, 1, raw.len - 2);
    buf_z(&path, "/tables/");
    buf_str(&path, t->config->table);
    buf_z(&path, "?id=");
    uri_encode_path(&id, raw.ptr ? raw : STR(""));
    buf_str(&path, buf_view(&id));
    json_put_string(out, buf_view(&path));
    buf_release(&id);
    buf_release(&path);
}

static void put_hit(struct buf *out, const struct target *t, const struct search_hit *hit)
{
    bool first = true;
    struct str id = t->config->id.ptr ? search_value(t->index->index, hit->row, t->config->id) : STR_NULL;
    struct str title = t->config->title.ptr ? search_value(t->index->index, hit->row, t->config->title) : id;
    buf_char(out, '{');
    json_put_key(out, "id", &first);
    put_value_text(out, id);
    json_put_key(out, "title", &first);
    put_value_text(out, title);
    put_member(out, "subtitle", t, hit->row, t->config->subtitle);
    put_member(out, "description", t, hit->row, t->config->description);
    put_member(out, "category", t, hit->row, t->config->category);
    json_put_key(out, "type", &first);
    buf_z(out, "\"financial_data\"");
    json_put_key(out, "url", &first);
    put_url(out, t, hit->row);
    json_put_key(out, "matchType", &first);
    json_put_string(out, hit->match_type);
    json_put_key(out, "relevanceScore", &first);
    json_put_f64(out, round(hit->score * 1e6) / 1e6);
    json_put_key(out, "metadata", &first);
    buf_char(out, '{');
    put_metadata(out, t, hit->row);
    buf_z(out, "}}");
}

struct merged_hit {
    const struct target *target;
    const struct search_hit *hit;
    size_t order;
};

static int by_score(const void *a, const void *b)
{
    const struct merged_hit *x = a, *y = b;
    if (x->hit->score != y->hit->score)
        return x->hit->score < y->hit->score ? 1 : -1;
    return x->order < y->order ? -1 : x->order > y->order;
}

/* Rows [offset, offset+limit) of the union of the targets' pages.  One table keeps the order it answered in. */
static enum status put_page(struct buf *out, struct target *targets, size_t count, size_t offset, size_t limit, int64_t *shown, struct error *err)
{
    size_t total = 0, n = 0;
    for (size_t i = 0; i < count; i++)
        total += targets[i].page.hit_count;
    struct merged_hit *all = mem_calloc(total + 1, sizeof(*all));
    if (!all)
        return error_oom(err);
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < targets[i].page.hit_count; k++, n++)
            all[n] = (struct merged_hit){&targets[i], &targets[i].page.hits[k], n};
    if (count > 1)
        qsort(all, n, sizeof(*all), by_score);
    *shown = 0;
    for (size_t i = offset; i < n && i < offset + limit; i++, ++*shown) {
        if (*shown)
            buf_char(out, ',');
        put_hit(out, all[i].target, all[i].hit);
    }
    mem_free(all);
    return buf_check(out, err);
}

static enum status run_targets(struct ctx *ctx, struct target *targets, size_t count, const struct exec_search_request *r, size_t depth,
                               struct arena *arena, uint64_t *total, struct error *err)
{
    enum status st = STATUS_OK;
    *total = 0;
    for (size_t i = 0; i < count && st == STATUS_OK; i++) {
        struct target *t = &targets[i];
        struct search_filter *filters = NULL;
        uint32_t filter_count = 0;
        st = target_index(ctx, t, err);
        if (st == STATUS_OK && r->filters_json.len)
            st = search_filters_parse(arena, t->config, r->filters_json, &filters, &filter_count, err);
        if (st == STATUS_OK) {
            struct search_request request = {.text = r->text,
                                             .filters = filters,
                                             .filter_count = filter_count,
                                             .sort_by = r->sort_by,
                                             .has_order = r->sort_order.len > 0,
                                             .ascending = str_ieq(r->sort_order, STR("asc")),
                                             .offset = 0,
                                             .limit = depth};
            st = search_run(t->index->index, &request, &t->page, err);
        }
        *total += st == STATUS_OK ? t->page.total : 0;
    }
    return st;
}

/* ---- cache ------------------------------------------------------------------------------------------------ */

/* Cached: the results array's text and what the envelope needs to be true about it. */
struct cached_page {
    uint64_t total;
    int64_t shown;
};

static void reply_key(struct buf *key, struct ctx *ctx, const struct exec_search_request *r, const struct target *targets, size_t count)
{
    const struct str parts[] = {STR("search"), r->text, r->filters_json, r->sort_by, r->sort_order, ctx->identity};
    for (size_t i = 0; i < VV_ARRAY_COUNT(parts); i++) {
        buf_str(key, parts[i]);
        buf_char(key, '\0');
    }
    buf_printf(key, "%lld/%lld", (long long)r->page, (long long)r->limit);
    for (size_t i = 0; i < count; i++) {
        buf_char(key, '\0');
        buf_z(key, targets[i].has_versions ? "+" : "");
        buf_z(key, targets[i].place);
    }
}

static void cache_store(struct cache *cache, struct str key, struct str results, const struct cached_page *page)
{
    struct cache_value *value = cache ? cache_value_new(sizeof(*page) + results.len) : NULL;
    if (!value)
        return;
    value->meta_len = sizeof(*page);
    memcpy(value->bytes, page, sizeof(*page));
    memcpy(value->bytes + sizeof(*page), results.ptr, results.len);
    cache_put(cache, key, value);
    cache_value_unref(value);
}

/* ---- envelope ------------------------------------------------------------------------------------------------ */

struct reply {
    struct str results;
    struct cached_page page;
    bool hit;
    double time_ms;
    int64_t files_scanned, bytes_scanned, version;
};

static void put_performance(struct buf *out, const struct reply *r)
{
    bool first = true;
    json_put_key(out, "searchTime", &first);
    json_put_f64(out, r->time_ms);
    json_put_key(out, "resultCount", &first);
    buf_i64(out, r->page.shown);
    json_put_key(out, "strategy", &first);
    buf_z(out, r->hit ? "\"cache\"" : "\"database\"");
    json_put_key(out, "cacheHit", &first);
    buf_z(out, r->hit ? "true" : "false");
    json_put_key(out, "deltaLakeVersion", &first);
    buf_i64(out, r->version);
    json_put_key(out, "filesScanned", &first);
    buf_i64(out, r->files_scanned);
    json_put_key(out, "bytesScanned", &first);
    buf_i64(out, r->bytes_scanned);
}

static void put_pagination(struct buf *out, const struct exec_search_request *request, const struct reply *r)
{
    uint64_t pages = (r->page.total + (uint64_t)request->limit - 1) / (uint64_t)request->limit;
    buf_printf(out, "\"page\":%lld,\"limit\":%lld,\"total\":%llu,\"pages\":%llu,\"hasNext\":%s,\"hasPrev\":%s", (long long)request->page,
               (long long)request->limit, (unsigned long long)r->page.total, (unsigned long long)pages,
               (uint64_t)request->page < pages ? "true" : "false", request->page > 1 ? "true" : "false");
}

static void put_body(struct buf *out, const struct exec_search_request *request, const struct reply *r, const struct target *targets, size_t count)
{
    buf_z(out, "\"results\":[");
    buf_str(out, r->results);
    buf_z(out, "],\"performance\":{");
    put_performance(out, r);
    buf_z(out, "},\"strategy\":{\"primary\":\"cache\",\"fallback\":\"database\",\"reason\":");
    buf_z(out, r->hit ? "\"the reply for these table versions was cached\"" : "\"no cached reply for these table versions\"");
    buf_z(out, "},\"pagination\":{");
    put_pagination(out, request, r);
    buf_z(out, "},\"metadata\":{\"totalQueryTime\":");
    json_put_f64(out, r->time_ms);
    buf_printf(out, ",\"totalCount\":%llu,\"tables\":[", (unsigned long long)r->page.total);
    for (size_t i = 0; i < count; i++) {
        buf_z(out, i ? ",{\"name\":" : "{\"name\":");
        json_put_string(out, str_of(targets[i].read.name));
        buf_printf(out, ",\"version\":%lld}", (long long)targets[i].read.version);
    }
    buf_z(out, "]}");
}

static void put_reply(struct buf *out, const struct exec_search_request *request, const struct reply *r, const struct target *targets, size_t count)
{
    buf_z(out, "{\"success\":true,");
    put_body(out, request, r, targets, count);
    buf_z(out, ",\"data\":{");
    put_body(out, request, r, targets, count);
    buf_z(out, "}}");
}

/* ---- one request --------------------------------------------------------------------------------------------------- */

static enum status check_request(const struct exec_search *s, const struct exec_search_request *r, struct error *err)
{
    if (!s || !s->config.table_count) {
        error_set(err, STATUS_NOT_FOUND, "no table is configured for search");
        return error_hint(err, "name tables and their columns in the search configuration");
    }
    if (r->page < 1 || r->page > INT32_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "page must be 1 or more, not %lld", (long long)r->page);
    if (r->limit < 1 || r->limit > LIMIT_MAX)
        return error_set(err, STATUS_INVALID_ARGUMENT, "limit must be 1 to %d, not %lld", LIMIT_MAX, (long long)r->limit);
    if (r->sort_order.len && !str_ieq(r->sort_order, STR("asc")) && !str_ieq(r->sort_order, STR("desc")))
        return error_set(err, STATUS_INVALID_ARGUMENT, "sortOrder must be asc or desc, not \"%.*s\"", STR_ARG(r->sort_order));
    return utf8_valid(r->text) ? STATUS_OK : error_set(err, STATUS_INVALID_ARGUMENT, "the search text is not UTF-8");
}

static enum status open_targets(struct ctx *ctx, struct exec_session *s, const struct exec_search_request *r, struct target *targets, size_t *count,
                                struct error *err)
{
    struct exec_search *search = s->lake->search;
    enum status st = STATUS_OK;
    *count = 0;
    for (uint32_t i = 0; i < search->config.table_count && st == STATUS_OK; i++) {
        if (r->table.len && !str_ieq(r->table, search->config.tables[i].table))
            continue;
        st = target_open(ctx, s, &search->config.tables[i], &search->tables[i], r->version, &targets[*count], err);
        ++*count;
    }
    if (st == STATUS_OK && !*count)
        st = error_set(err, STATUS_TABLE_NOT_FOUND, "table \"%.*s\" is not configured for search", STR_ARG(r->table));
    return st;
}

static enum status answer(struct ctx *ctx, struct exec_session *s, const struct exec_search_request *r, struct target *targets, size_t count,
                          struct reply *reply, struct buf *results, struct buf *key, struct arena *arena, struct error *err)
{
    size_t offset = (size_t)(r->page - 1) * (size_t)r->limit;
    enum status st = run_targets(ctx, targets, count, r, offset + (size_t)r->limit, arena, &reply->page.total, err);
    if (st == STATUS_OK)
        st = put_page(results, targets, count, offset, (size_t)r->limit, &reply->page.shown, err);
    if (st != STATUS_OK)
        return st;
    reply->results = buf_view(results);
    for (size_t i = 0; i < count; i++) {
        reply->files_scanned += targets[i].files_scanned;
        reply->bytes_scanned += targets[i].bytes_scanned;
    }
    cache_store(s->lake->cache, buf_view(key), reply->results, &reply->page);
    return STATUS_OK;
}

enum status exec_search_run(struct ctx *ctx, struct exec_session *s, const struct exec_search_request *request, struct buf *json,
                            const char **cache_status, struct error *err)
{
    int64_t start_us = ctx_monotonic_us(ctx);
    struct arena arena = ARENA_INIT;
    struct buf results = BUF_INIT, key = BUF_INIT;
    struct cache_value *cached = NULL;
    struct target *targets = NULL;
    size_t count = 0;
    struct reply reply = {0};
    *cache_status = "miss";
    atomic_fetch_add(&s->lake->counters.search_requests, 1);
    enum status st = check_request(s->lake->search, request, err);
    if (st != STATUS_OK)
        return st;
    targets = mem_calloc(s->lake->search->config.table_count, sizeof(*targets));
    st = targets ? open_targets(ctx, s, request, targets, &count, err) : error_oom(err);
    if (st != STATUS_OK)
        goto out;
    reply_key(&key, ctx, request, targets, count);
    reply.version = targets[0].read.version;
    cached = s->lake->cache ? cache_get(s->lake->cache, buf_view(&key)) : NULL;
    if (cached) {
        memcpy(&reply.page, cached->bytes, sizeof(reply.page));
        reply.results = (struct str){cached->bytes + cached->meta_len, cached->len - cached->meta_len};
        reply.hit = true;
        *cache_status = "hit";
        atomic_fetch_add(&s->lake->counters.search_cache_hits, 1);
    } else {
        st = answer(ctx, s, request, targets, count, &reply, &results, &key, &arena, err);
    }
    reply.time_ms = (double)(ctx_monotonic_us(ctx) - start_us) / 1000.0;
    if (st == STATUS_OK) {
        put_reply(json, request, &reply, targets, count);
        st = buf_check(json, err);
    }
out:
    for (size_t i = 0; i < count; i++)
        target_release(&targets[i]);
    mem_free(targets);
    cache_value_unref(cached);
    buf_release(&results);
    buf_release(&key);
    arena_release(&arena);
    return st;
}
