/* tests/fuzz/driver.c: a short run of one fuzz target without libFuzzer, as ./dev test has it: the kept inputs, then mutations of them.
 *
 *   TARGET SECONDS SEED [INPUT…]
 *
 * The same seed makes the same inputs.  The input that breaks the target is left in the working directory as crash-TARGET-SEED.
 * ./dev fuzz runs the same targets with coverage and for longer. */
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
void __sanitizer_set_death_callback(void (*callback)(void)) __attribute__((weak));

enum { INPUT_MAX = 4096, INPUTS_MAX = 256 };
struct input {
    uint8_t *bytes;
    size_t size;
};
static struct input inputs[INPUTS_MAX];
static size_t input_count;
static struct input current; /* what the target is looking at */
static char crash_path[256];
static uint64_t random_state;

static uint32_t below(uint32_t limit)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return limit ? (uint32_t)((random_state >> 33) % limit) : 0;
}

/* ---- one run ---------------------------------------------------------------------------- */

static void keep_current(void)
{
    int fd = open(crash_path, O_WRONLY | O_CREAT | O_TRUNC, 0666);
    if (fd >= 0 && write(fd, current.bytes, current.size) == (ssize_t)current.size)
        fprintf(stderr, "\nthe input of %zu bytes is in %s\n", current.size, crash_path);
    if (fd >= 0)
        close(fd);
}

static void on_signal(int number)
{
    keep_current();
    signal(number, SIG_DFL);
    raise(number);
}

/* From memory of just its size, so that a read behind it shows. */
static void run(const uint8_t *bytes, size_t size)
{
    current.bytes = malloc(size ? size : 1);
    current.size = size;
    if (!current.bytes)
        abort();
    if (size)
        memcpy(current.bytes, bytes, size);
    LLVMFuzzerTestOneInput(current.bytes, size);
    free(current.bytes);
}

/* ---- mutations ----------------------------------------------------------------------------- */

static void set_bytes(struct input *in)
{
    static const char telling[] = "{}[]()<>\"'`\\/:;,.*%@$-+_ \t\n\r0123456789eEnulltruefalse\xC3\xA9\xFF\x80\x7F\x01";
    if (!in->size)
        return;
    uint8_t *at = &in->bytes[below((uint32_t)in->size)];
    switch (below(3)) {
    case 0:
        *at ^= (uint8_t)(1u << below(8));
        break;
    case 1:
        *at = (uint8_t)telling[below(sizeof telling)]; /* its zero byte too */
        break;
    default:
        *at = (uint8_t)below(256);
        break;
    }
}

static void erase(struct input *in)
{
    if (!in->size)
        return;
    size_t at = below((uint32_t)in->size), most = in->size - at, len = 1 + below((uint32_t)(most < 32 ? most : 32));
    len = len < most ? len : most;
    memmove(in->bytes + at, in->bytes + at + len, in->size - at - len);
    in->size -= len;
}

/* A piece of another input, or of this one, somewhere. */
static void insert(struct input *in)
{
    const struct input *from = &inputs[below((uint32_t)input_count)];
    if (!from->size)
        return;
    size_t start = below((uint32_t)from->size), most = from->size - start, len = 1 + below((uint32_t)(most < 64 ? most : 64));
    len = len < most ? len : most;
    if (in->size + len > INPUT_MAX)
        return;
    size_t at = below((uint32_t)in->size + 1);
    memmove(in->bytes + at + len, in->bytes + at, in->size - at);
    memcpy(in->bytes + at, from->bytes + start, len);
    in->size += len;
}

static void insert_number(struct input *in)
{
    static const char *const numbers[] = {"-1",     "0",   "9223372036854775807", "-9223372036854775808", "18446744073709551616", "1e308",
                                          "1e-400", "NaN", "2147483648"};
    const char *text = numbers[below(sizeof numbers / sizeof *numbers)];
    size_t len = strlen(text), at = below((uint32_t)in->size + 1);
    if (in->size + len > INPUT_MAX)
        return;
    memmove(in->bytes + at + len, in->bytes + at, in->size - at);
    memcpy(in->bytes + at, text, len);
    in->size += len;
}

static void mutate(struct input *in)
{
    static void (*const ways[])(struct input *) = {set_bytes, set_bytes, erase, insert, insert_number};
    for (uint32_t steps = 1 + below(6); steps > 0; steps--)
        ways[below(sizeof ways / sizeof *ways)](in);
}

/* ---- entry --------------------------------------------------------------------------------------- */

static void read_input(const char *path)
{
    FILE *file = fopen(path, "rb");
    if (!file || input_count == INPUTS_MAX) {
        fprintf(stderr, "cannot take the input %s\n", path);
        exit(2);
    }
    struct input *in = &inputs[input_count++];
    in->bytes = malloc(INPUT_MAX);
    in->size = in->bytes ? fread(in->bytes, 1, INPUT_MAX, file) : 0;
    fclose(file);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    const char *slash = strrchr(argv[0], '/');
    double end_s = now_s() + strtod(argv[1], NULL);
    uint64_t runs = 0;
    uint8_t work[INPUT_MAX];
    random_state = strtoull(argv[2], NULL, 10);
    snprintf(crash_path, sizeof crash_path, "crash-%s-%s", slash ? slash + 1 : argv[0], argv[2]);
    if (__sanitizer_set_death_callback)
        __sanitizer_set_death_callback(keep_current);
    else
        signal(SIGABRT, on_signal), signal(SIGSEGV, on_signal);
    input_count = 1; /* the empty one */
    for (int i = 3; i < argc; i++)
        read_input(argv[i]);
    for (size_t i = 0; i < input_count; i++, runs++)
        run(inputs[i].bytes, inputs[i].size);
    for (; runs % 64 || now_s() < end_s; runs++) {
        const struct input *from = &inputs[below((uint32_t)input_count)];
        struct input in = {work, from->size};
        if (from->size)
            memcpy(work, from->bytes, from->size);
        mutate(&in);
        run(work, in.size);
    }
    for (size_t i = 1; i < input_count; i++)
        free(inputs[i].bytes);
    printf("%llu inputs\n", (unsigned long long)runs);
    return 0;
}
