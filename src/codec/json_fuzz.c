/* codec/json_fuzz.c: whatever the bytes, json_parse answers, and what it accepts reads and writes back. */
#include <stdlib.h>

#include "codec/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Writes the tape again in compact form. */
static void write_again(struct buf *out, const struct json *j, uint32_t node, struct arena *arena)
{
    const struct json_node *n = &j->nodes[node];
    if (n->type == JSON_STRING) {
        json_put_string(out, json_text(j, node, arena));
        return;
    }
    if (n->type != JSON_ARRAY && n->type != JSON_OBJECT) {
        buf_str(out, n->text);
        return;
    }
    bool object = n->type == JSON_OBJECT;
    buf_char(out, object ? '{' : '[');
    uint32_t seen = 0;
    for (uint32_t i = json_first(j, node); i < n->next; seen++) {
        if (seen > 0)
            buf_char(out, ',');
        write_again(out, j, i, arena);
        i = json_next(j, i);
        if (object) {
            buf_char(out, ':');
            write_again(out, j, i, arena);
            i = json_next(j, i);
        }
    }
    if (seen != n->count)
        abort();
    buf_char(out, object ? '}' : ']');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = ARENA_INIT;
    struct error err = ERROR_INIT;
    struct buf once = BUF_INIT, twice = BUF_INIT;
    struct json j;
    if (json_parse(&arena, (struct str){(const char *)data, size}, &j, &err) != STATUS_OK) {
        if (err.code != STATUS_SYNTAX || err.position < 0 || (size_t)err.position > size)
            abort();
        goto out;
    }
    for (uint32_t i = 0; i < j.count; i++) {
        int64_t whole;
        double real;
        json_i64(&j, i, &whole);
        json_f64(&j, i, &real);
        json_member(&j, i, "k");
    }
    write_again(&once, &j, 0, &arena);
    if (json_parse(&arena, buf_view(&once), &j, &err) != STATUS_OK)
        abort();
    write_again(&twice, &j, 0, &arena);
    if (!str_eq(buf_view(&once), buf_view(&twice)))
        abort();
out:
    buf_release(&twice);
    buf_release(&once);
    error_release(&err);
    arena_release(&arena);
    return 0;
}
