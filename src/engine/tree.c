/* engine/tree.c: the JSON that DuckDB writes about its own trees.
 *
 * codec's json_parse guards against hostile depth; a long chain of ANDs or additions is deeper than that
 * and comes from DuckDB itself, so this reader has no limit and does not recurse. */
#include "engine/engine_int.h"

struct reader {
    const char *at, *end;
    struct json_node *nodes;
    uint32_t count, open; /* innermost container not closed yet; its .next holds the one around it */
    bool any_open;
};

/* Every node but the first follows one of these bytes. */
static size_t node_bound(struct str text)
{
    size_t n = 1;
    for (size_t i = 0; i < text.len; i++)
        n += text.ptr[i] == ',' || text.ptr[i] == ':' || text.ptr[i] == '[' || text.ptr[i] == '{';
    return n;
}

static bool read_string(struct reader *r, struct json_node *node)
{
    const char *start = ++r->at;
    while (r->at < r->end && *r->at != '"') {
        if (*r->at == '\\') {
            node->escaped = true;
            r->at++;
        }
        r->at++;
    }
    if (r->at >= r->end)
        return false;
    node->type = JSON_STRING;
    node->text = (struct str){start, (size_t)(r->at - start)};
    r->at++;
    return true;
}

static bool is_delimiter(char c) { return c == ',' || c == ']' || c == '}' || c == ' ' || c == '\n'; }

static void read_bare(struct reader *r, struct json_node *node)
{
    const char *start = r->at;
    while (r->at < r->end && !is_delimiter(*r->at))
        r->at++;
    node->text = (struct str){start, (size_t)(r->at - start)};
    bool number = *start == '-' ? node->text.len > 1 && start[1] != 'I' : *start >= '0' && *start <= '9';
    node->type = number ? JSON_NUMBER : *start == 't' ? JSON_TRUE : *start == 'f' ? JSON_FALSE : JSON_NULL;
}

static void open_container(struct reader *r, uint32_t index)
{
    struct json_node *node = &r->nodes[index];
    node->type = *r->at == '{' ? JSON_OBJECT : JSON_ARRAY;
    node->text.ptr = r->at++;
    node->next = r->any_open ? r->open : UINT32_MAX;
    r->open = index;
    r->any_open = true;
}

static bool close_container(struct reader *r)
{
    if (!r->any_open)
        return false;
    struct json_node *node = &r->nodes[r->open];
    uint32_t outer = node->next;
    r->at++;
    node->text.len = (size_t)(r->at - node->text.ptr);
    node->next = r->count;
    if (node->type == JSON_OBJECT)
        node->count /= 2;
    r->any_open = outer != UINT32_MAX;
    r->open = outer;
    return true;
}

static bool read_value(struct reader *r)
{
    uint32_t index = r->count++;
    struct json_node *node = &r->nodes[index];
    if (r->any_open)
        r->nodes[r->open].count++;
    if (*r->at == '{' || *r->at == '[') {
        open_container(r, index);
        return true;
    }
    node->next = r->count;
    if (*r->at == '"')
        return read_string(r, node);
    read_bare(r, node);
    return node->text.len > 0;
}

static bool read_all(struct reader *r)
{
    bool ok = true;
    while (ok && r->at < r->end) {
        switch (*r->at) {
        case ' ':
        case '\n':
        case '\t':
        case '\r':
        case ',':
        case ':':
            r->at++;
            break;
        case '}':
        case ']':
            ok = close_container(r);
            break;
        default:
            ok = read_value(r);
        }
    }
    return ok && r->count > 0 && !r->any_open;
}

enum status tree_parse(struct arena *arena, struct str text, struct json *out, struct error *err)
{
    struct reader r = {.at = text.ptr, .end = text.ptr + text.len, .nodes = ARENA_ARRAY(arena, struct json_node, node_bound(text))};
    *out = (struct json){0};
    if (!r.nodes)
        return error_oom(err);
    if (!read_all(&r))
        return error_set(err, STATUS_INTERNAL, "the engine's description of a statement cannot be read");
    *out = (struct json){r.nodes, r.count};
    return STATUS_OK;
}

struct str tree_text(const struct json *j, uint32_t object, const char *key, struct arena *arena)
{
    uint32_t n = json_member(j, object, key);
    struct str text = n && j->nodes[n].type == JSON_STRING ? json_text(j, n, arena) : STR_NULL;
    return text.ptr ? text : STR("");
}

bool tree_is(const struct json *j, uint32_t object, const char *key, const char *value)
{
    uint32_t n = json_member(j, object, key);
    return n && j->nodes[n].type == JSON_STRING && str_eq(j->nodes[n].text, str_of(value));
}

bool tree_true(const struct json *j, uint32_t object, const char *key)
{
    uint32_t n = json_member(j, object, key);
    return n && j->nodes[n].type == JSON_TRUE;
}
