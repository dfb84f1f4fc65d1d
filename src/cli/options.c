/* cli/options.c: the command line.  Long names work with one dash or two, letters may be joined (-Atq), values may be attached (-F,  --lake=DIR). */
#include "cli/cli.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

const struct option_row option_rows[OPTION_COUNT] = {
#define OPTION(ID, LONG, SHORT, ARG, GROUP, HELP) {LONG, SHORT, ARG, GROUP, HELP},
#include "cli/options.def"
#undef OPTION
};

struct parsing {
    struct options *out;
    char **argv;
    int argc, at;
    bool used[OPTION_COUNT];
};

/* ---- values --------------------------------------------------------------------------- */

bool size_parse(const char *text, int64_t *bytes)
{
    static const char units[] = "KMGT";
    char *end;
    errno = 0;
    double number = strtod(text, &end);
    while (*end == ' ')
        end++;
    const char *unit = *end ? strchr(units, toupper((unsigned char)*end)) : NULL;
    if (end == text || errno || !isdigit((unsigned char)*text))
        return false;
    if (unit) {
        number *= (double)((int64_t)1 << (10 * (unit - units + 1)));
        end++;
        if (*end == 'i')
            end++;
    }
    if (*end == 'B' || *end == 'b')
        end++;
    *bytes = number < 9e18 ? (int64_t)number : -1;
    return *end == '\0' && *bytes > 0;
}

static bool bad_value(enum option_id id, const char *value, const char *wanted)
{
    complain("--%s: \"%s\" is not %s", option_rows[id].name, value, wanted);
    return false;
}

static bool set_threads(struct options *o, const char *value)
{
    char *end;
    long n = strtol(value, &end, 10);
    if (end == value || *end || n < 1 || n > 4096)
        return bad_value(OPTION_THREADS, value, "a number from 1 to 4096");
    o->threads = (int)n;
    return true;
}

static bool set_separator(struct options *o, const char *value)
{
    if (strcmp(value, "\\t") == 0 || strcmp(value, "tab") == 0)
        value = "\t";
    if (strlen(value) != 1)
        return bad_value(OPTION_SEPARATOR, value, "one character");
    o->separator = *value;
    return true;
}

static bool set_variable(struct options *o, const char *value)
{
    static const char name[] = "ON_ERROR_STOP";
    const char *equals = strchr(value, '=');
    size_t len = equals ? (size_t)(equals - value) : strlen(value);
    if (len != strlen(name) || strncmp(value, name, len) != 0) {
        complain("unknown variable \"%.*s\"", (int)len, value);
        complain_hint("the only one is ON_ERROR_STOP");
        return false;
    }
    const char *set = equals ? equals + 1 : "1";
    o->bail = !(strcmp(set, "0") == 0 || strcmp(set, "off") == 0 || strcmp(set, "false") == 0);
    return true;
}

static void add_input(struct options *o, bool is_file, const char *text)
{
    struct input *wider = must_alloc(sizeof *wider * ((size_t)o->input_count + 1));
    if (o->input_count)
        memcpy(wider, o->inputs, sizeof *wider * (size_t)o->input_count);
    free(o->inputs);
    o->inputs = wider;
    o->inputs[o->input_count++] = (struct input){is_file, text};
}

/* ---- one option ---------------------------------------------------------------------------- */

/* value is "" for an option that takes none. */
static bool apply(struct parsing *p, enum option_id id, const char *value)
{
    struct options *o = p->out;
    p->used[id] = true;
    switch (id) {
    case OPTION_COMMAND:
    case OPTION_FILE:
        add_input(o, id == OPTION_FILE, value);
        return true;
    case OPTION_LAKE:
        o->lake = value;
        return *value || bad_value(id, value, "a directory");
    case OPTION_READONLY:
        return o->read_only = true;
    case OPTION_NO_DURABLE:
        return o->not_durable = true;
    case OPTION_MEMORY_LIMIT:
        return size_parse(value, &o->memory_limit_bytes) || bad_value(id, value, "a size such as 4GB");
    case OPTION_THREADS:
        return set_threads(o, value);
    case OPTION_BOX:
    case OPTION_CSV:
    case OPTION_JSON:
    case OPTION_JSONLINES:
    case OPTION_MARKDOWN:
    case OPTION_LINE:
    case OPTION_ARROW:
        o->mode = option_rows[id].name;
        return true;
    case OPTION_JSON_ERRORS:
        return o->json_errors = true;
    case OPTION_NO_ALIGN:
        o->mode = "csv";
        o->separator = o->separator ? o->separator : '|';
        return true;
    case OPTION_OUTPUT:
        o->output = value;
        return true;
    case OPTION_NO_HEADERS:
        return o->no_headers = true;
    case OPTION_SEPARATOR:
        return set_separator(o, value);
    case OPTION_NULLVALUE:
        o->null_text = value;
        return true;
    case OPTION_QUIET:
        return o->quiet = true;
    case OPTION_TIMER:
        return o->timer = true;
    case OPTION_BAIL:
        o->bail = 1;
        return true;
    case OPTION_SET:
        return set_variable(o, value);
    case OPTION_ECHO:
        return o->echo = true;
    case OPTION_BATCH:
        return o->batch = true;
    case OPTION_INIT:
        o->init = value;
        return true;
    case OPTION_NO_RC:
        return o->no_rc = true;
    case OPTION_HELP:
        return o->help = true;
    case OPTION_VERSION:
        return o->version = true;
    case OPTION_FORMAT:
        o->format = value;
        return true;
    case OPTION_HEADER:
        return o->header = true;
    case OPTION_MERGE_SCHEMA:
        return o->merge_schema = true;
    case OPTION_LIMIT:
        o->limit = value;
        return true;
    case OPTION_COUNT:
        break;
    }
    return false;
}

/* The option's value: attached, or the next argument. */
static bool take_value(struct parsing *p, const char *shown, const char *attached, const char **value)
{
    *value = attached;
    if (attached)
        return true;
    if (p->at + 1 >= p->argc) {
        complain("%s needs a value", shown);
        return false;
    }
    *value = p->argv[++p->at];
    return true;
}

static enum option_id find_long(const char *name, size_t len)
{
    int id = 0;
    while (id < OPTION_COUNT && (strncmp(option_rows[id].name, name, len) != 0 || option_rows[id].name[len]))
        id++;
    return (enum option_id)id;
}

static bool unknown_option(const char *argument)
{
    const char *names[OPTION_COUNT];
    for (int i = 0; i < OPTION_COUNT; i++)
        names[i] = option_rows[i].name;
    const char *name = argument + strspn(argument, "-");
    const char *near = nearest(name, names, OPTION_COUNT);
    complain("unknown option \"%s\"", argument);
    if (near)
        complain_hint("did you mean --%s?", near);
    else
        complain_hint("varve --help lists the options");
    return false;
}

/* false with *known unset: not a long option. */
static bool parse_long(struct parsing *p, const char *argument, bool *known)
{
    const char *name = argument + strspn(argument, "-"), *equals = strchr(name, '='), *value = "";
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    enum option_id id = find_long(name, len);
    *known = len > 1 && id != OPTION_COUNT;
    if (!*known)
        return false;
    if (!option_rows[id].argument && equals) {
        complain("--%s takes no value", option_rows[id].name);
        return false;
    }
    if (option_rows[id].argument && !take_value(p, argument, equals ? equals + 1 : NULL, &value))
        return false;
    return apply(p, id, value);
}

static bool parse_letters(struct parsing *p, const char *argument)
{
    for (const char *letter = argument + 1; *letter; letter++) {
        int id = 0;
        while (id < OPTION_COUNT && option_rows[id].letter != *letter)
            id++;
        if (id == OPTION_COUNT)
            return unknown_option(argument);
        if (!option_rows[id].argument) {
            if (!apply(p, (enum option_id)id, ""))
                return false;
            continue;
        }
        char shown[] = {'-', *letter, '\0'};
        const char *value;
        return take_value(p, shown, letter[1] ? letter + 1 : NULL, &value) && apply(p, (enum option_id)id, value);
    }
    return true;
}

static bool parse_option(struct parsing *p, const char *argument)
{
    bool known;
    if (parse_long(p, argument, &known))
        return true;
    if (known)
        return false;
    return argument[1] == '-' ? unknown_option(argument) : parse_letters(p, argument);
}

/* ---- the whole line ------------------------------------------------------------------------- */

static bool parse_word(struct parsing *p, char *word)
{
    struct options *o = p->out;
    if (o->verb) {
        o->arguments[o->argument_count++] = word;
        return true;
    }
    if (!verb_exists(word)) {
        const char *near = verb_nearest(word);
        complain("\"%s\" is not a verb", word);
        if (near)
            complain_hint("did you mean \"varve %s\"?", near);
        else
            complain_hint("to run SQL: varve -c \"%s\"; varve --help lists the verbs", strchr(word, ' ') ? word : "SELECT …");
        return false;
    }
    o->verb = word;
    return true;
}

/* The server reads its own options; only the lake and help are common. */
static bool is_common(const char *argument)
{
    return strncmp(argument, "--lake", 6) == 0 || strcmp(argument, "-L") == 0 || strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0;
}

static bool check_groups(const struct parsing *p)
{
    for (int i = 0; i < OPTION_COUNT; i++) {
        const char *group = option_rows[i].group;
        if (p->used[i] && verb_exists(group) && !(p->out->verb && strcmp(p->out->verb, group) == 0)) {
            complain("--%s belongs to varve %s", option_rows[i].name, group);
            return false;
        }
    }
    if (p->out->verb && p->out->input_count) {
        complain("a verb and -c or -f cannot be given together");
        return false;
    }
    return true;
}

bool options_parse(int argc, char **argv, struct options *out)
{
    struct parsing p = {.out = out, .argv = argv, .argc = argc};
    *out = (struct options){.bail = -1};
    out->arguments = must_alloc(sizeof *out->arguments * (size_t)(argc + 1));
    bool options_end = false;
    for (p.at = 1; p.at < argc; p.at++) {
        char *argument = argv[p.at];
        bool server = out->verb && strcmp(out->verb, "serve") == 0;
        if (!options_end && strcmp(argument, "--") == 0) {
            options_end = true;
        } else if (!options_end && argument[0] == '-' && argument[1] && !(server && !is_common(argument))) {
            if (!parse_option(&p, argument))
                return false;
        } else if (!parse_word(&p, argument)) {
            return false;
        }
    }
    return check_groups(&p);
}

void options_release(struct options *o)
{
    free(o->inputs);
    free(o->arguments);
}
