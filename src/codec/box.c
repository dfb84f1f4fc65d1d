/* codec/box.c: rows as a table drawn for a terminal. */
#include "codec/rows_int.h"

#define NARROWED_COLUMNS 20 /* terminal columns that a wide table leaves to each of its columns, at least */
#define DOT "\xC2\xB7"
#define ELLIPSIS "\xE2\x80\xA6"

struct box_row {
    struct str *cells;
    struct arena memory; /* of the cells of a row in the ring; the first rows' are in the table's arena */
};

struct box_column {
    struct str name, type;
    int64_t width; /* terminal columns inside the cell */
    bool numeric;
    bool shown;
};

/* The first rows, and the last ones in a ring; with no limit every row is among the first. */
struct box {
    struct arena arena;
    struct box_column *columns;
    struct box_row *head;
    int64_t head_count, head_capacity, head_limit;
    struct box_row *tail;
    int64_t tail_limit, tail_next, tail_count;
    bool dots; /* some columns are dropped: one of dots stands for them */
};

/* ---- collecting -------------------------------------------------------------------- */

static struct str keep_visible(struct arena *arena, struct str text)
{
    struct buf visible = BUF_INIT;
    put_visible(&visible, text);
    struct str kept = visible.failed ? STR_NULL : arena_str(arena, buf_view(&visible));
    buf_release(&visible);
    return kept;
}

static enum status box_begin(struct encoder *e, struct error *err)
{
    struct box *box = mem_calloc(1, sizeof *box);
    e->state = box;
    if (!box)
        return error_oom(err);
    int64_t limit = e->options->max_rows;
    box->head_limit = limit > 0 ? (limit + 1) / 2 : INT64_MAX;
    box->tail_limit = limit > 0 ? limit / 2 : 0;
    box->tail = mem_calloc((size_t)box->tail_limit + 1, sizeof *box->tail);
    box->columns = ARENA_ARRAY(&box->arena, struct box_column, encoder_columns(e) + 1);
    if (!box->tail || !box->columns)
        return error_oom(err);
    for (int64_t i = 0; i < encoder_columns(e); i++) {
        struct box_column *c = &box->columns[i];
        struct buf type = BUF_INIT;
        arrow_type_name(e->schema.children[i], &type);
        c->name = keep_visible(&box->arena, encoder_name(e, i));
        c->type = keep_visible(&box->arena, buf_view(&type));
        c->numeric = arrow_type_is_numeric(e->schema.children[i]);
        c->shown = true;
        bool failed = type.failed || !c->name.ptr || !c->type.ptr;
        buf_release(&type);
        if (failed)
            return error_oom(err);
    }
    return STATUS_OK;
}

static bool keep_row(struct encoder *e, const struct ArrowArray *batch, int64_t index, struct box_row *row, struct arena *memory)
{
    struct str null_text = encoder_null_text(e, "NULL");
    row->cells = ARENA_ARRAY(memory, struct str, encoder_columns(e) + 1);
    for (int64_t i = 0; row->cells && i < encoder_columns(e); i++) {
        struct str text = encoder_text(e, batch, i, index);
        row->cells[i] = keep_visible(memory, text.ptr ? text : null_text);
        if (!row->cells[i].ptr)
            return false;
    }
    return row->cells && !e->cell.failed;
}

static bool grow_head(struct box *box)
{
    if (box->head_count < box->head_capacity)
        return true;
    int64_t capacity = box->head_capacity ? box->head_capacity * 2 : 64;
    struct box_row *grown = mem_realloc(box->head, (size_t)capacity * sizeof *grown);
    if (!grown)
        return false;
    memset(grown + box->head_capacity, 0, (size_t)(capacity - box->head_capacity) * sizeof *grown);
    box->head = grown;
    box->head_capacity = capacity;
    return true;
}

static enum status box_batch(struct encoder *e, const struct ArrowArray *batch, struct error *err)
{
    struct box *box = e->state;
    int64_t row = 0;
    for (; row < batch->length && box->head_count < box->head_limit; row++) {
        if (!grow_head(box) || !keep_row(e, batch, row, &box->head[box->head_count], &box->arena))
            return error_oom(err);
        box->head_count++;
    }
    if (row < batch->length - box->tail_limit)
        row = batch->length - box->tail_limit; /* only these can be among the last */
    for (; row < batch->length; row++) {
        struct box_row *kept = &box->tail[box->tail_next];
        arena_clear(&kept->memory);
        if (!keep_row(e, batch, row, kept, &kept->memory))
            return error_oom(err);
        box->tail_next = (box->tail_next + 1) % box->tail_limit;
        box->tail_count += box->tail_count < box->tail_limit;
    }
    e->row_count += batch->length;
    return STATUS_OK;
}

static void box_release(struct encoder *e)
{
    struct box *box = e->state;
    if (!box)
        return;
    for (int64_t i = 0; box->tail && i < box->tail_limit; i++)
        arena_release(&box->tail[i].memory);
    mem_free(box->head);
    mem_free(box->tail);
    arena_release(&box->arena);
    mem_free(box);
}

/* ---- widths ---------------------------------------------------------------------------- */

static const struct box_row *tail_row(const struct box *box, int64_t i)
{
    int64_t first = box->tail_count < box->tail_limit ? 0 : box->tail_next;
    return &box->tail[(first + i) % box->tail_limit];
}

static void widen(struct box_column *c, struct str text)
{
    int64_t width = (int64_t)utf8_width(text);
    if (width > c->width)
        c->width = width;
}

static void measure(struct encoder *e, struct box *box)
{
    for (int64_t i = 0; i < encoder_columns(e); i++) {
        struct box_column *c = &box->columns[i];
        c->width = 1;
        widen(c, c->name);
        widen(c, c->type);
        for (int64_t r = 0; r < box->head_count; r++)
            widen(c, box->head[r].cells[i]);
        for (int64_t r = 0; r < box->tail_count; r++)
            widen(c, tail_row(box, r)->cells[i]);
    }
}

static int64_t table_width(const struct encoder *e, const struct box *box)
{
    int64_t total = 1 + (box->dots ? 4 : 0);
    for (int64_t i = 0; i < encoder_columns(e); i++)
        if (box->columns[i].shown)
            total += box->columns[i].width + 3;
    return total;
}

/* Takes from the widest columns first, none below NARROWED_COLUMNS. */
static void narrow(struct encoder *e, struct box *box, int64_t excess)
{
    while (excess > 0) {
        struct box_column *widest = NULL;
        int64_t second = NARROWED_COLUMNS;
        for (int64_t i = 0; i < encoder_columns(e); i++) {
            struct box_column *c = &box->columns[i];
            if (!widest || c->width > widest->width) {
                second = widest && widest->width > second ? widest->width : second;
                widest = c;
            } else if (c->width > second) {
                second = c->width;
            }
        }
        if (!widest || widest->width <= NARROWED_COLUMNS)
            return;
        int64_t cut = widest->width - second;
        if (cut < 1)
            cut = 1;
        if (cut > excess)
            cut = excess;
        widest->width -= cut;
        excess -= cut;
    }
}

/* Columns go from the middle outwards; the first and the last stay. */
static void drop_columns(struct encoder *e, struct box *box, int64_t max_width)
{
    int64_t count = encoder_columns(e), low = (count - 1) / 2, high = low + 1;
    for (bool take_low = count % 2; table_width(e, box) > max_width && (low > 0 || high < count - 1); take_low = !take_low) {
        if ((take_low && low > 0) || high >= count - 1)
            box->columns[low--].shown = false;
        else
            box->columns[high++].shown = false;
        box->dots = true;
    }
}

static void fit(struct encoder *e, struct box *box)
{
    measure(e, box);
    int64_t max_width = e->options->max_width;
    int64_t excess = table_width(e, box) - max_width;
    if (max_width <= 0 || excess <= 0)
        return;
    narrow(e, box, excess);
    drop_columns(e, box, max_width);
    /* What two columns alone cannot keep to is cut all the same. */
    for (int64_t i = encoder_columns(e) - 1; i >= 0; i--) {
        struct box_column *c = &box->columns[i];
        excess = table_width(e, box) - max_width;
        if (c->shown && excess > 0)
            c->width = c->width - excess > 3 ? c->width - excess : c->width < 3 ? c->width : 3;
    }
}

/* ---- drawing ------------------------------------------------------------------------------ */

enum alignment { ALIGN_LEFT, ALIGN_RIGHT, ALIGN_CENTRE };

static void put_times(struct buf *out, const char *text, int64_t times)
{
    for (; times > 0; times--)
        buf_z(out, text);
}

/* The longest beginning of text that fits width - 1 terminal columns. */
static struct str clip(struct str text, int64_t width)
{
    size_t fitting = 0, used = 0;
    for (size_t at = 0; at < text.len;) {
        size_t len = utf8_sequence((const unsigned char *)text.ptr + at, (const unsigned char *)text.ptr + text.len);
        len = len ? len : 1;
        used += utf8_width(str_sub(text, at, len));
        if ((int64_t)used > width - 1)
            break;
        at += len;
        fitting = at;
    }
    return str_sub(text, 0, fitting);
}

static void put_cell(struct buf *out, struct str text, int64_t width, enum alignment align)
{
    bool clipped = (int64_t)utf8_width(text) > width;
    if (clipped)
        text = clip(text, width);
    int64_t room = width - (int64_t)utf8_width(text) - clipped;
    int64_t left = align == ALIGN_LEFT ? 0 : align == ALIGN_RIGHT ? room : room / 2;
    put_times(out, " ", left + 1);
    buf_str(out, text);
    buf_z(out, clipped ? ELLIPSIS : "");
    put_times(out, " ", room - left + 1);
}

/* One line of the table; a column of dots stands where columns were dropped. */
static void put_line(struct encoder *e, const struct box *box, struct str (*cell)(const struct box *box, const void *user, int64_t column),
                     const void *user, bool centred, const char *dots)
{
    bool dots_put = false;
    buf_z(&e->out, "│");
    for (int64_t i = 0; i < encoder_columns(e); i++) {
        const struct box_column *c = &box->columns[i];
        if (c->shown) {
            put_cell(&e->out, cell(box, user, i), c->width, centred ? ALIGN_CENTRE : c->numeric ? ALIGN_RIGHT : ALIGN_LEFT);
            buf_z(&e->out, "│");
        } else if (!dots_put) {
            put_cell(&e->out, str_of(dots), 1, ALIGN_LEFT);
            buf_z(&e->out, "│");
            dots_put = true;
        }
    }
    buf_char(&e->out, '\n');
}

static struct str name_cell(const struct box *box, const void *user, int64_t column) { return box->columns[column].name; }

static struct str type_cell(const struct box *box, const void *user, int64_t column) { return box->columns[column].type; }

static struct str row_cell(const struct box *box, const void *user, int64_t column) { return ((const struct box_row *)user)->cells[column]; }

static struct str dot_cell(const struct box *box, const void *user, int64_t column) { return STR(DOT); }

static void put_rule(struct encoder *e, const struct box *box, const char *left, const char *cross, const char *right)
{
    bool dots_put = false;
    buf_z(&e->out, left);
    const char *between = "";
    for (int64_t i = 0; i < encoder_columns(e); i++) {
        const struct box_column *c = &box->columns[i];
        if (!c->shown && dots_put)
            continue;
        buf_z(&e->out, between);
        put_times(&e->out, "─", c->shown ? c->width + 2 : 3);
        dots_put |= !c->shown;
        between = cross;
    }
    buf_z(&e->out, right);
    buf_char(&e->out, '\n');
}

/* "N rows (M shown)", wide tables also name their columns. */
static enum status put_footer(struct encoder *e, const struct box *box, struct error *err)
{
    int64_t shown = box->head_count + box->tail_count, columns_shown = 0, columns = encoder_columns(e);
    for (int64_t i = 0; i < columns; i++)
        columns_shown += box->columns[i].shown;
    struct buf text = BUF_INIT;
    buf_i64(&text, e->row_count);
    buf_z(&text, e->row_count == 1 ? " row" : " rows");
    if (shown < e->row_count)
        buf_printf(&text, " (%lld shown)", (long long)shown);
    if (columns_shown < columns)
        buf_printf(&text, ", %lld columns (%lld shown)", (long long)columns, (long long)columns_shown);
    buf_char(&text, '\n');
    buf_str(&e->out, buf_view(&text));
    enum status status = buf_check(&text, err);
    buf_release(&text);
    return status;
}

static enum status put_rows(struct encoder *e, const struct box *box, struct error *err)
{
    enum status status = STATUS_OK;
    for (int64_t r = 0; r < box->head_count && status == STATUS_OK; r++) {
        put_line(e, box, row_cell, &box->head[r], false, ELLIPSIS);
        status = encoder_flush(e, false, err);
    }
    if (box->head_count + box->tail_count < e->row_count)
        for (int i = 0; i < 3; i++)
            put_line(e, box, dot_cell, NULL, false, DOT);
    for (int64_t r = 0; r < box->tail_count && status == STATUS_OK; r++) {
        put_line(e, box, row_cell, tail_row(box, r), false, ELLIPSIS);
        status = encoder_flush(e, false, err);
    }
    return status;
}

static enum status box_end(struct encoder *e, struct error *err)
{
    struct box *box = e->state;
    if (encoder_columns(e) == 0)
        return STATUS_OK;
    fit(e, box);
    put_rule(e, box, "┌", "┬", "┐");
    if (e->options->headers) {
        put_line(e, box, name_cell, NULL, true, ELLIPSIS);
        put_line(e, box, type_cell, NULL, true, " ");
        put_rule(e, box, "├", "┼", "┤");
    }
    enum status status = put_rows(e, box, err);
    if (status != STATUS_OK)
        return status;
    put_rule(e, box, "└", "┴", "┘");
    return put_footer(e, box, err);
}

const struct encoder_ops box_encoder = {.begin = box_begin, .batch = box_batch, .end = box_end, .release = box_release};
