/* server/accept.c: which format a request wants, by its Accept headers (RFC 9110 §12.5.1). */
#include "server_int.h"

#include <string.h>
#include <strings.h>

/* In the order the server prefers them. */
static const struct {
    const char *media_type, *format;
} offered[] = {
    {"application/json", "json"},  {"text/csv", "csv"},   {"application/x-ndjson", "jsonlines"}, {"application/vnd.apache.arrow.stream", "arrow"},
    {"text/markdown", "markdown"}, {"text/plain", "box"}, {"application/jsonl", "jsonlines"}};

const char offered_media_types[] =
    "application/json, text/csv, application/x-ndjson, application/vnd.apache.arrow.stream, text/markdown or text/plain";

enum { OFFERED = sizeof(offered) / sizeof(offered[0]), WEIGHT_ONE = 1000 };

/* What the headers say about one offer: the most specific range that fits it. */
struct wish {
    int precision; /* 0 no range fits, 1 any type, 2 type with any subtype, 3 the media type itself */
    int weight;    /* thousandths */
    int order;     /* of the range in the headers */
};

struct wishes {
    struct wish of[OFFERED];
    int ranges;
};

/* The end of a part that ends at one of `stops` outside of quotes. */
static const char *part_end(const char *at, const char *stops)
{
    bool quoted = false;
    for (; *at && (quoted || !strchr(stops, *at)); at++) {
        if (quoted && *at == '\\' && at[1])
            at++;
        else if (*at == '"')
            quoted = !quoted;
    }
    return at;
}

static const char *trim(const char *at, const char **end)
{
    while (at < *end && (*at == ' ' || *at == '\t'))
        at++;
    while (*end > at && ((*end)[-1] == ' ' || (*end)[-1] == '\t'))
        --*end;
    return at;
}

/* "0", "1", or either with up to three decimals; -1 when it is anything else. */
static int read_weight(const char *at, const char *end)
{
    if (at == end || (*at != '0' && *at != '1'))
        return -1;
    int weight = (*at++ - '0') * WEIGHT_ONE;
    if (at == end)
        return weight;
    if (*at++ != '.' || end - at > 3)
        return -1;
    for (int unit = WEIGHT_ONE / 10; at < end; at++, unit /= 10) {
        if (*at < '0' || *at > '9')
            return -1;
        weight += (*at - '0') * unit;
    }
    return weight <= WEIGHT_ONE ? weight : -1;
}

/* The weight among the parameters, which begin at a ';' or are none. */
static int weight_of(const char *at, const char *end)
{
    while (at < end) {
        const char *stop = part_end(at + 1, ";,");
        const char *last = stop, *start = trim(at + 1, &last);
        if (last - start >= 2 && (*start == 'q' || *start == 'Q') && start[1] == '=')
            return read_weight(start + 2, last);
        at = stop;
    }
    return WEIGHT_ONE;
}

static int precision_of(const char *media_type, const char *range, size_t len)
{
    if (len == 3 && !memcmp(range, "*/*", 3))
        return 1;
    if (strlen(media_type) == len && !strncasecmp(media_type, range, len))
        return 3;
    return len > 2 && !memcmp(range + len - 2, "/*", 2) && !strncasecmp(media_type, range, len - 1) ? 2 : 0;
}

/* A range whose weight cannot be read says nothing. */
static void take_range(struct wishes *w, const char *at, const char *end)
{
    const char *parameters = part_end(at, ";,"), *last = parameters;
    const char *range = trim(at, &last);
    int weight = weight_of(parameters, end);
    if (last == range || weight < 0)
        return;
    int order = w->ranges++;
    for (size_t i = 0; i < OFFERED; i++) {
        int precision = precision_of(offered[i].media_type, range, (size_t)(last - range));
        if (precision > w->of[i].precision)
            w->of[i] = (struct wish){precision, weight, order};
    }
}

static enum MHD_Result take_header(void *user, enum MHD_ValueKind kind, const char *name, const char *value)
{
    (void)kind;
    if (strcasecmp(name, "Accept") != 0 || !value)
        return MHD_YES;
    for (const char *at = value, *end; *at; at = *end ? end + 1 : end) {
        end = part_end(at, ",");
        take_range(user, at, end);
    }
    return MHD_YES;
}

/* Among equal weights the type that was named wins over one that merely fits, then the one named first. */
static bool is_better(const struct wish *a, const struct wish *b)
{
    if (a->weight != b->weight)
        return a->weight > b->weight;
    if (a->precision != b->precision)
        return a->precision > b->precision;
    return a->order < b->order;
}

const char *accepted_format(struct request *r)
{
    struct wishes w = {0};
    MHD_get_connection_values(r->connection, MHD_HEADER_KIND, take_header, &w);
    if (!w.ranges)
        return offered[0].format;
    size_t best = OFFERED;
    for (size_t i = 0; i < OFFERED; i++)
        if (w.of[i].weight > 0 && (best == OFFERED || is_better(&w.of[i], &w.of[best])))
            best = i;
    return best < OFFERED ? offered[best].format : NULL;
}
