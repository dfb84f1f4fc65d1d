#include "base/base.h"

static bool is_continuation(char c) { return ((unsigned char)c & 0xC0) == 0x80; }

/* Bytes announced by a lead byte, and the smallest code point that needs so many (RFC 3629). */
static size_t lead_length(unsigned char lead, uint32_t *smallest)
{
    if (lead < 0x80)
        return *smallest = 0, 1;
    if (lead >= 0xC2 && lead <= 0xDF)
        return *smallest = 0x80, 2;
    if (lead >= 0xE0 && lead <= 0xEF)
        return *smallest = 0x800, 3;
    if (lead >= 0xF0 && lead <= 0xF4)
        return *smallest = 0x10000, 4;
    return 0;
}

size_t utf8_step(struct str s, uint32_t *code_point)
{
    if (s.len == 0)
        return 0;
    unsigned char lead = (unsigned char)s.ptr[0];
    uint32_t smallest = 0;
    size_t len = lead_length(lead, &smallest);
    if (len == 0 || len > s.len)
        return 0;
    uint32_t cp = len == 1 ? lead : lead & (0x7Fu >> len);
    for (size_t i = 1; i < len; i++) {
        if (!is_continuation(s.ptr[i]))
            return 0;
        cp = cp << 6 | ((unsigned char)s.ptr[i] & 0x3Fu);
    }
    if (cp < smallest || cp > 0x10FFFF || (cp >= 0xD800 && cp <= 0xDFFF))
        return 0;
    if (code_point)
        *code_point = cp;
    return len;
}

/* Length of the pure ASCII start, eight bytes at a time. */
static size_t ascii_span(struct str s)
{
    size_t n = 0;
    for (uint64_t word; s.len - n >= sizeof word; n += sizeof word) {
        memcpy(&word, s.ptr + n, sizeof word);
        if (word & 0x8080808080808080u)
            break;
    }
    while (n < s.len && (unsigned char)s.ptr[n] < 0x80)
        n++;
    return n;
}

bool utf8_valid(struct str s)
{
    while (s.len) {
        size_t step = ascii_span(s);
        if (step == 0)
            step = utf8_step(s, NULL);
        if (step == 0)
            return false;
        s = str_sub(s, step, s.len - step);
    }
    return true;
}

struct width_range {
    uint32_t first, last;
    uint8_t columns;
};

static const struct width_range width_ranges[] = {
#define WIDTH_RANGE(FIRST, LAST, COLUMNS) {FIRST, LAST, COLUMNS},
#include "base/utf8_width.def"
#undef WIDTH_RANGE
};

static size_t code_point_width(uint32_t cp)
{
    if (cp < 0x20 || (cp >= 0x7F && cp < 0xA0))
        return 0;
    size_t from = 0, to = VV_ARRAY_COUNT(width_ranges);
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (cp > width_ranges[middle].last)
            from = middle + 1;
        else if (cp < width_ranges[middle].first)
            to = middle;
        else
            return width_ranges[middle].columns;
    }
    return 1;
}

/* A byte that is not UTF-8 counts one column: a terminal shows a replacement for it. */
size_t utf8_width(struct str s)
{
    size_t width = 0;
    while (s.len) {
        uint32_t cp = 0;
        size_t step = utf8_step(s, &cp);
        width += step ? code_point_width(cp) : 1;
        if (step == 0)
            step = 1;
        s = str_sub(s, step, s.len - step);
    }
    return width;
}
