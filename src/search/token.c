/* search/token.c: text to words. */
#include "search/search_int.h"

struct fold {
    uint16_t code_point;
    char ascii[3];
};
static const struct fold folds[] = {
#define FOLD(CODE_POINT, ASCII) {CODE_POINT, ASCII},
#include "search/fold_latin.def"
#undef FOLD
};

static const char *fold_latin(uint32_t cp)
{
    size_t from = 0, to = VV_ARRAY_COUNT(folds);
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (folds[middle].code_point < cp)
            from = middle + 1;
        else
            to = middle;
    }
    return from < VV_ARRAY_COUNT(folds) && folds[from].code_point == cp ? folds[from].ascii : NULL;
}

enum letter_class { SEPARATOR, LETTER, DIGIT, CONNECTOR, IDEOGRAPH, MARK };

static bool in(uint32_t cp, uint32_t first, uint32_t last) { return cp >= first && cp <= last; }

static enum letter_class class_ascii(uint32_t cp)
{
    if (in(cp, '0', '9'))
        return DIGIT;
    if (in(cp | 0x20, 'a', 'z'))
        return LETTER;
    return cp && strchr("&.-'/+_@,", (int)cp) ? CONNECTOR : SEPARATOR;
}

/* Beyond ASCII everything is a letter but for the blocks of punctuation, symbols and private use. */
static enum letter_class class_of(uint32_t cp)
{
    if (cp < 0x80)
        return class_ascii(cp);
    if (cp == 0x2019 || in(cp, 0x2010, 0x2013))
        return CONNECTOR; /* ’ and hyphens, the long one too */
    if (in(cp, 0x0300, 0x036F) || cp == 0x00AD || cp == 0x200D || in(cp, 0xFE00, 0xFE0F))
        return MARK; /* combining accents, soft hyphen, joiner, variation selectors: as if not there */
    if (in(cp, 0x3040, 0x30FF) || in(cp, 0x3400, 0x4DBF) || in(cp, 0x4E00, 0x9FFF) || in(cp, 0xF900, 0xFAFF) || in(cp, 0x20000, 0x3FFFF))
        return IDEOGRAPH; /* written without blanks: each is a word */
    if (in(cp, 0xFF10, 0xFF19))
        return DIGIT;
    if (in(cp, 0xFF21, 0xFF3A) || in(cp, 0xFF41, 0xFF5A))
        return LETTER;
    if ((in(cp, 0x80, 0xBF) && cp != 0xAA && cp != 0xB5 && cp != 0xBA) || cp == 0xD7 || cp == 0xF7 || in(cp, 0x2000, 0x2BFF) ||
        in(cp, 0x3000, 0x303F) || in(cp, 0xE000, 0xF8FF) || in(cp, 0xFE10, 0xFE6F) || in(cp, 0xFF00, 0xFFEF))
        return SEPARATOR;
    return LETTER;
}

static uint32_t lower(uint32_t cp)
{
    if (in(cp, 'A', 'Z') || in(cp, 0x0391, 0x03A9) || in(cp, 0x0410, 0x042F))
        return cp + 32;
    if (in(cp, 0x0400, 0x040F))
        return cp + 80;
    if (cp == 0x03C2)
        return 0x03C3; /* final sigma */
    if (in(cp, 0xFF01, 0xFF5E))
        return lower(cp - 0xFEE0); /* full width */
    return cp;
}

static size_t encode(uint32_t cp, char out[4])
{
    if (cp < 0x80) {
        out[0] = (char)cp;
        return 1;
    }
    size_t len = cp < 0x800 ? 2 : cp < 0x10000 ? 3 : 4;
    for (size_t i = len; i-- > 1; cp >>= 6)
        out[i] = (char)(0x80 | (cp & 0x3F));
    out[0] = (char)((0xF00u >> len) | cp);
    return len;
}

/* The letter without case and accent. */
static size_t fold(uint32_t cp, char out[4])
{
    const char *ascii = cp >= 0xC0 ? fold_latin(cp) : NULL;
    if (!ascii)
        return encode(lower(cp), out);
    size_t len = strlen(ascii);
    memcpy(out, ascii, len);
    return len;
}

struct code_point {
    uint32_t value;
    size_t size;
    enum letter_class class;
};

static struct code_point code_point_at(struct str text, size_t at)
{
    struct code_point c = {0, 0, SEPARATOR};
    if (at >= text.len)
        return c;
    unsigned char first = (unsigned char)text.ptr[at];
    c.value = first;
    c.size = first < 0x80 ? 1 : utf8_step(str_sub(text, at, text.len - at), &c.value);
    if (c.size == 0)
        c.size = 1;
    else
        c.class = class_of(c.value);
    return c;
}

struct chunk_state {
    struct chunk *out;
    bool overflow; /* more text than a term holds */
};

static void chunk_append(struct chunk_state *s, const char *bytes, size_t len)
{
    if (s->out->len + len > TOKEN_MAX) {
        s->overflow = true;
        return;
    }
    memcpy(s->out->text + s->out->len, bytes, len);
    s->out->len = (uint8_t)(s->out->len + len);
}

static void part_close(struct chunk_state *s)
{
    struct chunk *c = s->out;
    uint8_t start = c->part_count ? c->part_end[c->part_count - 1] : 0;
    if (c->len == start)
        return;
    if (c->part_count == TOKEN_MAX_PARTS)
        s->overflow = true;
    else
        c->part_end[c->part_count++] = c->len;
}

/* A connector joins when letters or digits stand on both sides; between digits '.' belongs to the number and ',' is dropped. */
static bool joins(struct str text, size_t at, struct code_point connector, enum letter_class before, enum letter_class *after)
{
    struct code_point next = code_point_at(text, at + connector.size);
    *after = next.class;
    if (connector.value == ',')
        return before == DIGIT && next.class == DIGIT;
    return next.class == LETTER || next.class == DIGIT;
}

/* Collects the chunk that starts at *at.  A chunk too long for one term is cut there, and the rest is the next one. */
static void chunk_collect(struct str text, size_t *at, struct chunk_state *s)
{
    enum letter_class before = SEPARATOR;
    while (*at < text.len && !s->overflow) {
        struct code_point c = code_point_at(text, *at);
        char folded[4];
        if (c.class == LETTER || c.class == DIGIT) {
            chunk_append(s, folded, fold(c.value, folded));
            if (s->overflow)
                break;
            before = c.class;
        } else if (c.class == CONNECTOR) {
            enum letter_class after;
            if (!joins(text, *at, c, before, &after))
                break;
            if (c.value == '.' && before == DIGIT && after == DIGIT)
                chunk_append(s, ".", 1);
            else if (c.value != ',')
                part_close(s);
        } else if (c.class != MARK) {
            break;
        }
        *at += c.size;
    }
}

bool chunk_next(struct str text, size_t *at, struct chunk *out)
{
    out->len = out->part_count = 0;
    struct chunk_state s = {out, false};
    struct code_point c = code_point_at(text, *at);
    while (c.size && c.class != LETTER && c.class != DIGIT && c.class != IDEOGRAPH) {
        *at += c.size;
        c = code_point_at(text, *at);
    }
    if (c.size == 0)
        return false;
    if (c.class == IDEOGRAPH) {
        out->len = (uint8_t)encode(c.value, out->text);
        *at += c.size;
        return true;
    }
    chunk_collect(text, at, &s);
    if (out->part_count)
        part_close(&s);
    return true;
}

struct str chunk_part(const struct chunk *c, uint32_t part)
{
    uint8_t start = part ? c->part_end[part - 1] : 0;
    return (struct str){c->text + start, (size_t)(c->part_end[part] - start)};
}
