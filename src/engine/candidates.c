/* engine/candidates.c: of the functions that DuckDB offers for a call that fits none, those that come nearest.  An operator has some fifty. */
#include "engine/engine_int.h"

#include <stdlib.h>

enum { SHOWN = 5, MOST = 256, MOST_ARGUMENTS = 16 };

struct arguments {
    struct str types[MOST_ARGUMENTS];
    size_t count;
};
struct candidate {
    struct str text; /* "date_part(VARCHAR, DATE) -> BIGINT" */
    unsigned distance;
    size_t at; /* in DuckDB's order */
};

/* "f(VARCHAR[], DECIMAL(18,3))": the types between the outer parentheses. */
static struct arguments arguments_of(struct str call)
{
    struct arguments a = {.count = 0};
    const char *open = call.ptr ? memchr(call.ptr, '(', call.len) : NULL;
    size_t depth = 0, start = open ? (size_t)(open - call.ptr) + 1 : call.len;
    for (size_t i = start; i < call.len; i++) {
        char c = call.ptr[i];
        bool ends = depth == 0 && (c == ',' || c == ')');
        depth += (c == '(') - (c == ')' && depth > 0);
        if (!ends)
            continue;
        struct str type = str_trim(str_sub(call, start, i - start));
        if (type.len && a.count < MOST_ARGUMENTS)
            a.types[a.count++] = type;
        if (c == ')')
            break;
        start = i + 1;
    }
    return a;
}

/* What may be converted into each other without surprise: 1 numbers, 2 texts, 3 times; 0 everything else. */
static int family(struct str type)
{
    static const struct {
        const char *start;
        int family;
    } families[] = {{"TINYINT", 1},  {"SMALLINT", 1}, {"INTEGER", 1},  {"BIGINT", 1}, {"HUGEINT", 1}, {"UTINYINT", 1}, {"USMALLINT", 1},
                    {"UINTEGER", 1}, {"UBIGINT", 1},  {"UHUGEINT", 1}, {"BIGNUM", 1}, {"DECIMAL", 1}, {"FLOAT", 1},    {"DOUBLE", 1},
                    {"VARCHAR", 2},  {"STRING", 2},   {"DATE", 3},     {"TIME", 3},   {"INTERVAL", 3}};
    if (str_ends(type, STR("[]")))
        return 0;
    for (size_t i = 0; i < VV_ARRAY_COUNT(families); i++)
        if (str_starts(type, str_of(families[i].start)))
            return families[i].family;
    return 0;
}

/* A constant has no type yet: "INTEGER_LITERAL", "STRING_LITERAL". */
static bool same_type(struct str given, struct str wanted)
{
    if (str_eq(given, STR("STRING_LITERAL")))
        return str_eq(wanted, STR("VARCHAR"));
    if (str_eq(given, STR("INTEGER_LITERAL")))
        return str_eq(wanted, STR("INTEGER")) || str_eq(wanted, STR("BIGINT"));
    return str_eq(given, wanted) || str_eq(wanted, STR("ANY"));
}

/* A text constant can stand for a time; what is nested is rarely what was meant. */
static unsigned mismatch(struct str given, struct str wanted)
{
    int from = family(given), to = family(wanted);
    if (from && from == to)
        return 1;
    if (str_eq(given, STR("STRING_LITERAL")) && to == 3)
        return 1;
    return to ? 3 : 4;
}

static unsigned distance(const struct arguments *given, const struct arguments *wanted)
{
    size_t both = given->count < wanted->count ? given->count : wanted->count;
    unsigned sum = 8 * (unsigned)(given->count + wanted->count - 2 * both);
    for (size_t i = 0; i < both; i++) {
        if (!same_type(given->types[i], wanted->types[i]))
            sum += mismatch(given->types[i], wanted->types[i]);
    }
    return sum;
}

static int nearer(const void *left, const void *right)
{
    const struct candidate *a = left, *b = right;
    if (a->distance != b->distance)
        return a->distance < b->distance ? -1 : 1;
    return (a->at > b->at) - (a->at < b->at);
}

void put_candidates(struct str call, struct str lines, struct buf *out)
{
    struct candidate *all = mem_calloc(MOST, sizeof *all);
    struct arguments given = arguments_of(call);
    size_t count = 0, total = 0;
    while (all && lines.len) {
        const char *end = memchr(lines.ptr, '\n', lines.len);
        struct str line = str_trim(str_sub(lines, 0, end ? (size_t)(end - lines.ptr) : lines.len));
        lines = end ? str_sub(lines, (size_t)(end + 1 - lines.ptr), lines.len - (size_t)(end + 1 - lines.ptr)) : STR("");
        if (!line.len)
            continue;
        struct arguments wanted = arguments_of(line);
        if (count < MOST) {
            all[count] = (struct candidate){line, distance(&given, &wanted), count};
            count++;
        }
        total++;
    }
    if (count)
        qsort(all, count, sizeof *all, nearer);
    for (size_t i = 0; i < count && i < SHOWN; i++) {
        buf_z(out, i ? "; " : "candidates: ");
        buf_str(out, all[i].text);
    }
    if (total > SHOWN)
        buf_printf(out, "; and %zu more", total - SHOWN);
    mem_free(all);
}
