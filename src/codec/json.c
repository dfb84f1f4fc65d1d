/* codec/json.c: JSON text to a tape of nodes, in one pass and without recursion. */
#include "codec/codec_int.h"

#define PLAIN_DEPTH_MAX 128
#define FIRST_NODES 128

struct parser {
    const unsigned char *start, *at, *end;
    struct json_node *nodes;
    struct json_node *heap; /* nodes once first[] is too small */
    uint32_t count, capacity;
    uint32_t depth, depth_max;
    enum status failure;
    const char *complaint;
    const unsigned char *where;
    uint32_t open[JSON_DEPTH_MAX]; /* containers not yet closed, outermost first */
    struct json_node first[FIRST_NODES];
};

static bool fail_at(struct parser *ps, const unsigned char *where, const char *complaint)
{
    ps->failure = STATUS_SYNTAX;
    ps->complaint = complaint;
    ps->where = where;
    return false;
}

static bool fail_here(struct parser *ps, const char *complaint)
{
    return fail_at(ps, ps->at, ps->at == ps->end ? "the text ends too early" : complaint);
}

static bool grow_nodes(struct parser *ps)
{
    if (ps->capacity > UINT32_MAX / 2) {
        ps->failure = STATUS_LIMIT_EXCEEDED;
        return false;
    }
    uint32_t capacity = ps->capacity * 2;
    struct json_node *grown = mem_realloc(ps->heap, capacity * sizeof *grown);
    if (!grown) {
        ps->failure = STATUS_OUT_OF_MEMORY;
        return false;
    }
    if (!ps->heap)
        memcpy(grown, ps->first, sizeof ps->first);
    ps->heap = ps->nodes = grown;
    ps->capacity = capacity;
    return true;
}

static inline struct json_node *add_node(struct parser *ps, enum json_type type)
{
    if (ps->count == ps->capacity && !grow_nodes(ps))
        return NULL;
    struct json_node *node = &ps->nodes[ps->count++];
    *node = (struct json_node){.type = type, .next = ps->count, .text = {(const char *)ps->at, 0}};
    return node;
}

static inline void skip_space(struct parser *ps)
{
    while (ps->at < ps->end && (*ps->at == ' ' || *ps->at == '\n' || *ps->at == '\r' || *ps->at == '\t'))
        ps->at++;
}

static inline bool is_digit(unsigned char c) { return c >= '0' && c <= '9'; }

static inline int hex_digit(unsigned char c)
{
    if (is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* What a backslash and one letter stand for; 0: no such escape. */
static const char short_escapes[256] = {
    ['"'] = '"', ['\\'] = '\\', ['/'] = '/', ['b'] = '\b', ['f'] = '\f', ['n'] = '\n', ['r'] = '\r', ['t'] = '\t'};

/* At a backslash: steps over the escape. */
static bool skip_escape(struct parser *ps)
{
    ps->at++;
    if (ps->at == ps->end)
        return fail_here(ps, "");
    unsigned char c = *ps->at;
    if (c != 'u') {
        if (!short_escapes[c])
            return fail_here(ps, "an escape that JSON does not have");
        ps->at++;
        return true;
    }
    ps->at++;
    for (int i = 0; i < 4; i++, ps->at++)
        if (ps->at == ps->end || hex_digit(*ps->at) < 0)
            return fail_here(ps, "\\u needs four hexadecimal digits");
    return true;
}

/* At a byte of a string that is not plain ASCII: a character, an escape, or what cannot be there. */
static bool skip_special(struct parser *ps)
{
    if (ps->at == ps->end)
        return fail_here(ps, "");
    if (*ps->at == '\\')
        return skip_escape(ps);
    if (*ps->at < 0x20)
        return fail_here(ps, "a control character in a string");
    while (ps->at < ps->end && *ps->at >= 0x80) {
        size_t len = utf8_sequence(ps->at, ps->end);
        if (len == 0)
            return fail_here(ps, "bytes that are not UTF-8");
        ps->at += len;
    }
    return true;
}

/* What follows ps->at, with zeros after the end. */
static inline struct json_block block_here(const struct parser *ps)
{
    unsigned char last[JSON_BLOCK_BYTES] = {0};
    size_t left = (size_t)(ps->end - ps->at);
    if (left >= JSON_BLOCK_BYTES)
        return json_block_load(ps->at);
    memcpy(last, ps->at, left);
    return json_block_load(last);
}

/* From anywhere in a string (not after a backslash) to its closing quote.  Escaped quotes and backslashes, which the text of statistics is
 * full of, are passed over by the block; whatever else is not plain ASCII is looked at by itself. */
static bool find_closing_quote(struct parser *ps, bool *escaped)
{
    for (uint64_t carry = 0;;) {
        struct json_block b = block_here(ps);
        uint64_t behind = json_escaped_bytes(b.slashes, &carry);
        uint64_t closing = b.quotes & ~behind;
        uint64_t inside = closing ? (closing & -closing) - 1 : UINT64_MAX;
        uint64_t special = (b.others | (behind & ~(b.quotes | b.slashes))) & inside;
        *escaped |= (b.slashes & inside) != 0;
        if (!special && closing) {
            ps->at += __builtin_ctzll(closing);
            return true;
        }
        if (!special) {
            ps->at += JSON_BLOCK_BYTES;
            continue;
        }
        ps->at += __builtin_ctzll(special);
        ps->at -= (behind & special & -special) != 0; /* the backslash before it */
        carry = 0;
        if (!skip_special(ps))
            return false;
    }
}

/* At the opening quote.  Keys and most values are so short that words find their end sooner than a block does. */
static bool parse_string(struct parser *ps)
{
    enum { SHORT_BYTES = 16 };
    struct json_node *node = add_node(ps, JSON_STRING);
    if (!node)
        return false;
    const unsigned char *from = ++ps->at;
    ps->at = json_plain_end(from, ps->end - from > SHORT_BYTES ? from + SHORT_BYTES : ps->end);
    if ((ps->at == ps->end || *ps->at != '"') && !find_closing_quote(ps, &node->escaped))
        return false;
    node->text = (struct str){(const char *)from, (size_t)(ps->at - from)};
    ps->at++;
    return true;
}

static inline bool skip_digits(struct parser *ps)
{
    const unsigned char *from = ps->at;
    while (ps->at < ps->end && is_digit(*ps->at))
        ps->at++;
    return ps->at > from || fail_here(ps, "a digit is missing");
}

static bool parse_number(struct parser *ps)
{
    struct json_node *node = add_node(ps, JSON_NUMBER);
    if (!node)
        return false;
    const unsigned char *from = ps->at;
    if (*ps->at == '-')
        ps->at++;
    if (ps->at < ps->end && *ps->at == '0') {
        ps->at++;
        if (ps->at < ps->end && is_digit(*ps->at))
            return fail_here(ps, "a number with a leading zero");
    } else if (!skip_digits(ps)) {
        return false;
    }
    if (ps->at < ps->end && *ps->at == '.') {
        ps->at++;
        if (!skip_digits(ps))
            return false;
    }
    if (ps->at < ps->end && (*ps->at | 0x20) == 'e') {
        ps->at++;
        if (ps->at < ps->end && (*ps->at == '+' || *ps->at == '-'))
            ps->at++;
        if (!skip_digits(ps))
            return false;
    }
    node->text.len = (size_t)(ps->at - from);
    return true;
}

static bool parse_word(struct parser *ps, enum json_type type, struct str word)
{
    struct json_node *node = add_node(ps, type);
    if (!node)
        return false;
    for (size_t i = 0; i < word.len; i++, ps->at++)
        if (ps->at == ps->end || *ps->at != (unsigned char)word.ptr[i])
            return fail_here(ps, "not a JSON value");
    node->text.len = word.len;
    return true;
}

static bool open_container(struct parser *ps, enum json_type type)
{
    if (ps->depth == ps->depth_max)
        return fail_here(ps, ps->depth_max == PLAIN_DEPTH_MAX ? "nested deeper than 128 levels" : "nested too deeply");
    if (!add_node(ps, type))
        return false;
    ps->open[ps->depth++] = ps->count - 1;
    ps->at++;
    return true;
}

/* At the closing bracket of the innermost container. */
static void close_container(struct parser *ps)
{
    struct json_node *node = &ps->nodes[ps->open[--ps->depth]];
    ps->at++;
    node->next = ps->count;
    node->text.len = (size_t)((const char *)ps->at - node->text.ptr);
}

/* A member's key and its colon, up to where the value begins. */
static bool parse_key(struct parser *ps)
{
    skip_space(ps);
    if (ps->at == ps->end || *ps->at != '"')
        return fail_here(ps, "a key in quotes is missing");
    if (!parse_string(ps))
        return false;
    skip_space(ps);
    if (ps->at == ps->end || *ps->at != ':')
        return fail_here(ps, "a colon is missing after a key");
    ps->at++;
    return true;
}

/* One scalar, or the opening of a container. */
static bool parse_start(struct parser *ps)
{
    skip_space(ps);
    if (ps->at == ps->end)
        return fail_here(ps, "");
    switch (*ps->at) {
    case '"':
        return parse_string(ps);
    case '{':
        return open_container(ps, JSON_OBJECT);
    case '[':
        return open_container(ps, JSON_ARRAY);
    case 't':
        return parse_word(ps, JSON_TRUE, STR("true"));
    case 'f':
        return parse_word(ps, JSON_FALSE, STR("false"));
    case 'n':
        return parse_word(ps, JSON_NULL, STR("null"));
    default:
        if (*ps->at == '-' || is_digit(*ps->at))
            return parse_number(ps);
        return fail_here(ps, "not a JSON value");
    }
}

/* After an element (or the opening bracket): closes every container that ends here; on return the next
 * value may begin, or depth is 0. */
static bool parse_separator(struct parser *ps, bool just_opened)
{
    while (ps->depth > 0) {
        struct json_node *node = &ps->nodes[ps->open[ps->depth - 1]];
        bool object = node->type == JSON_OBJECT;
        skip_space(ps);
        unsigned char c = ps->at < ps->end ? *ps->at : 0;
        if (ps->at < ps->end && c == (object ? '}' : ']')) {
            close_container(ps);
            just_opened = false;
            continue;
        }
        if (!just_opened) {
            if (ps->at == ps->end || c != ',')
                return fail_here(ps, object ? "a comma or \"}\" is missing" : "a comma or \"]\" is missing");
            ps->at++;
        }
        node->count++;
        return object ? parse_key(ps) : true;
    }
    return true;
}

static bool parse_document(struct parser *ps)
{
    do {
        uint32_t depth = ps->depth;
        if (!parse_start(ps) || !parse_separator(ps, ps->depth > depth))
            return false;
    } while (ps->depth > 0);
    skip_space(ps);
    return ps->at == ps->end || fail_here(ps, "more text after the end of the value");
}

static enum status report(const struct parser *ps, struct error *err)
{
    if (ps->failure == STATUS_OUT_OF_MEMORY)
        return error_oom(err);
    if (ps->failure == STATUS_LIMIT_EXCEEDED)
        return error_set(err, STATUS_LIMIT_EXCEEDED, "a JSON text has too many values");
    size_t offset = (size_t)(ps->where - ps->start);
    error_set(err, STATUS_SYNTAX, "JSON does not parse at byte %zu: %s", offset, ps->complaint);
    if (err)
        err->position = (int64_t)offset;
    return STATUS_SYNTAX;
}

enum status json_parse(struct arena *arena, struct str text, struct json *out, struct error *err)
{
    return json_parse_deep(arena, text, PLAIN_DEPTH_MAX, out, err);
}

enum status json_parse_deep(struct arena *arena, struct str text, uint32_t depth_max, struct json *out, struct error *err)
{
    struct parser ps;
    ps.start = ps.at = (const unsigned char *)(text.ptr ? text.ptr : "");
    ps.end = ps.start + text.len;
    ps.nodes = ps.first;
    ps.heap = NULL;
    ps.count = 0;
    ps.capacity = FIRST_NODES;
    ps.depth = 0;
    ps.depth_max = depth_max < JSON_DEPTH_MAX ? depth_max : JSON_DEPTH_MAX;
    *out = (struct json){0};
    enum status status = STATUS_OK;
    if (!parse_document(&ps)) {
        status = report(&ps, err);
        goto out;
    }
    out->nodes = arena_dup(arena, ps.nodes, ps.count * sizeof *ps.nodes);
    if (!out->nodes) {
        status = error_oom(err);
        goto out;
    }
    out->count = ps.count;
out:
    mem_free(ps.heap);
    return status;
}

/* ---- reading the tape ------------------------------------------------------ */

static uint32_t hex4(const char *p)
{
    uint32_t v = 0;
    for (int i = 0; i < 4; i++)
        v = v << 4 | (uint32_t)hex_digit((unsigned char)p[i]);
    return v;
}

static size_t utf8_put(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xC0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3F));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xE0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3F));
        out[2] = (char)(0x80 | (c & 0x3F));
        return 3;
    }
    out[0] = (char)(0xF0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3F));
    out[2] = (char)(0x80 | (c >> 6 & 0x3F));
    out[3] = (char)(0x80 | (c & 0x3F));
    return 4;
}

/* The code point of the \u escape whose digits start at *at; takes a second escape when the two are a
 * surrogate pair, and U+FFFD for half a pair. */
static uint32_t unicode_escape(const char **at, const char *end)
{
    uint32_t c = hex4(*at);
    *at += 4;
    if (c < 0xD800 || c > 0xDFFF)
        return c;
    if (c <= 0xDBFF && end - *at >= 6 && (*at)[0] == '\\' && (*at)[1] == 'u') {
        uint32_t low = hex4(*at + 2);
        if (low >= 0xDC00 && low <= 0xDFFF) {
            *at += 6;
            return 0x10000 + ((c - 0xD800) << 10) + (low - 0xDC00);
        }
    }
    return 0xFFFD;
}

/* Decodes the byte or escape at *at of a string the parser accepted; returns the bytes put into out. */
static size_t decode_step(const char **at, const char *end, char out[4])
{
    char c = *(*at)++;
    if (c != '\\') {
        out[0] = c;
        return 1;
    }
    c = *(*at)++;
    if (c == 'u')
        return utf8_put(unicode_escape(at, end), out);
    out[0] = short_escapes[(unsigned char)c];
    return 1;
}

static bool key_equals(const struct json_node *node, const char *key, size_t len)
{
    if (!node->escaped)
        return node->text.len == len && memcmp(node->text.ptr, key, len) == 0;
    const char *at = node->text.ptr, *end = at + node->text.len;
    size_t matched = 0;
    while (at < end) {
        char bytes[4];
        size_t n = decode_step(&at, end, bytes);
        if (len - matched < n || memcmp(key + matched, bytes, n) != 0)
            return false;
        matched += n;
    }
    return matched == len;
}

uint32_t json_member(const struct json *j, uint32_t object, const char *key)
{
    const struct json_node *node = &j->nodes[object];
    if (node->type != JSON_OBJECT)
        return 0;
    size_t len = strlen(key);
    uint32_t found = 0;
    for (uint32_t i = json_first(j, object); i < node->next; i = json_next(j, i + 1))
        if (key_equals(&j->nodes[i], key, len))
            found = i + 1;
    return found;
}

/* Room beyond the decoded text that a run may be copied into. */
enum { RUN_BYTES = 16 };

/* Copies a run of plain bytes in pieces that may reach past its end on both sides. */
static inline char *copy_run(const char *from, size_t len, char *to)
{
    for (size_t i = 0; i < len; i += RUN_BYTES)
        memcpy(to + i, from + i, RUN_BYTES);
    return to + len;
}

/* Decodes whole blocks, as long as nothing but quotes and backslashes is escaped in them; *at and *to move past what is done. */
static void decode_blocks(const char **at, const char *end, char **to)
{
    uint64_t carry = 0;
    while (end - *at >= JSON_BLOCK_BYTES + RUN_BYTES) {
        struct json_block b = json_block_load(*at);
        uint64_t next = carry, behind = json_escaped_bytes(b.slashes, &next);
        if (behind & ~(b.quotes | b.slashes))
            break;
        uint64_t gone = b.slashes & ~behind;
        unsigned from = 0;
        for (; gone; gone &= gone - 1) {
            unsigned slash = (unsigned)__builtin_ctzll(gone);
            *to = copy_run(*at + from, slash - from, *to);
            from = slash + 1;
        }
        *to = copy_run(*at + from, JSON_BLOCK_BYTES - from, *to);
        *at += JSON_BLOCK_BYTES;
        carry = next;
    }
    *at -= carry; /* the backslash whose character is still to come; it left no byte */
}

struct str json_text(const struct json *j, uint32_t node, struct arena *arena)
{
    const struct json_node *n = &j->nodes[node];
    if (!n->escaped)
        return n->text;
    /* No escape is longer decoded than written. */
    char *decoded = arena_alloc(arena, n->text.len + RUN_BYTES);
    if (!decoded)
        return STR_NULL;
    const char *at = n->text.ptr, *end = at + n->text.len;
    char *to = decoded;
    while (at < end) {
        decode_blocks(&at, end, &to);
        const char *stop = end - at > JSON_BLOCK_BYTES + RUN_BYTES ? at + JSON_BLOCK_BYTES : end;
        while (at < stop)
            to += decode_step(&at, end, to);
    }
    *to = '\0';
    return (struct str){decoded, (size_t)(to - decoded)};
}

/* The exponent's digits, clamped: any number with so large an exponent is out of range anyway. */
static int64_t read_exponent(const char *p, const char *end)
{
    bool negative = *p == '-';
    if (*p == '-' || *p == '+')
        p++;
    int64_t v = 0;
    for (; p < end; p++)
        if (v < INT32_MAX)
            v = v * 10 + (*p - '0');
    return negative ? -v : v;
}

/* Up to 18 digits and nothing else, which no 64-bit integer overflows on. */
static bool short_digits(struct str text, int64_t *out)
{
    int64_t value = 0;
    if (text.len > 18)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        if (!is_digit((unsigned char)text.ptr[i]))
            return false;
        value = value * 10 + (text.ptr[i] - '0');
    }
    *out = value;
    return true;
}

bool json_i64(const struct json *j, uint32_t node, int64_t *out)
{
    const struct json_node *n = &j->nodes[node];
    if (n->type != JSON_NUMBER)
        return false;
    if (short_digits(n->text, out))
        return true;
    const char *p = n->text.ptr, *end = p + n->text.len;
    bool negative = *p == '-', fraction = false;
    p += negative;
    uint64_t value = 0;
    int64_t exponent = 0, zeros = 0; /* zeros: read but not yet multiplied in */
    for (; p < end && (is_digit((unsigned char)*p) || *p == '.'); p++) {
        if (*p == '.') {
            fraction = true;
            continue;
        }
        exponent -= fraction;
        zeros++;
        if (*p == '0')
            continue;
        for (; zeros > 0; zeros--)
            if (__builtin_mul_overflow(value, 10, &value))
                return false;
        if (__builtin_add_overflow(value, (uint64_t)(*p - '0'), &value))
            return false;
    }
    if (p < end)
        exponent += read_exponent(p + 1, end);
    exponent += zeros;
    if (value == 0)
        exponent = 0;
    if (exponent < 0)
        return false;
    for (; exponent > 0; exponent--)
        if (__builtin_mul_overflow(value, 10, &value))
            return false;
    if (value > (uint64_t)INT64_MAX + negative)
        return false;
    *out = negative ? (int64_t)(0 - value) : (int64_t)value;
    return true;
}

bool json_f64(const struct json *j, uint32_t node, double *out)
{
    const struct json_node *n = &j->nodes[node];
    if (n->type == JSON_STRING)
        return (str_eq(n->text, STR("NaN")) || str_eq(n->text, STR("Infinity")) || str_eq(n->text, STR("-Infinity"))) && str_to_f64(n->text, out);
    return n->type == JSON_NUMBER && str_to_f64(n->text, out);
}

bool json_bool(const struct json *j, uint32_t node, bool *out)
{
    enum json_type type = j->nodes[node].type;
    if (type != JSON_TRUE && type != JSON_FALSE)
        return false;
    *out = type == JSON_TRUE;
    return true;
}
