/* cli/commands.c: dot and backslash commands, by their table. */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

enum { MAX_ARGUMENTS = 16 };

struct call {
    struct shell *sh;
    const char *name; /* as it was typed */
    int argc;
    char **argv; /* without the name */
};
static const char *argument(const struct call *c, int i) { return i < c->argc ? c->argv[i] : NULL; }

const char *const output_modes[] = {"box", "csv", "json", "jsonlines", "markdown", "line", "arrow", NULL};

static bool say(struct shell *sh, const char *text) { return output_write(&sh->output, text, strlen(text)) && shell_flush(sh); }

static bool bad_argument(const struct call *c, const char *value, const char *wanted)
{
    complain("%s: \"%s\" is not %s", c->name, value, wanted);
    return false;
}

/* on, off, true, false, 1, 0, yes, no */
static bool take_switch(const struct call *c, const char *value, bool *out)
{
    static const char *const on[] = {"on", "true", "1", "yes"}, *const off[] = {"off", "false", "0", "no"};
    for (size_t i = 0; i < sizeof on / sizeof *on; i++) {
        if (strcasecmp(value, on[i]) == 0)
            return *out = true;
        if (strcasecmp(value, off[i]) == 0) {
            *out = false;
            return true;
        }
    }
    return bad_argument(c, value, "on or off");
}

/* Without an argument it turns over. */
static bool toggle(const struct call *c, bool *value, const char *what)
{
    if (argument(c, 0) ? !take_switch(c, argument(c, 0), value) : (*value = !*value, false))
        return false;
    if (!argument(c, 0) && c->sh->interactive)
        printf("%s is %s\n", what, *value ? "on" : "off");
    return true;
}

/* ---- looking ------------------------------------------------------------------------------- */

static bool run_tables(const struct call *c)
{
    struct text sql = {0};
    text_z(&sql, "SHOW TABLES");
    if (argument(c, 0)) {
        text_z(&sql, " LIKE ");
        text_quoted(&sql, argument(c, 0));
    }
    bool ok = shell_ask(c->sh, sql.ptr, NULL);
    text_release(&sql);
    return ok;
}

static bool describe_table(struct shell *sh, const char *table)
{
    struct text sql = {0};
    text_z(&sql, "DESCRIBE ");
    text_table(&sql, table);
    bool ok = shell_ask(sh, sql.ptr, NULL);
    text_release(&sql);
    return ok;
}

static bool run_describe(const struct call *c) { return argument(c, 0) ? describe_table(c->sh, argument(c, 0)) : run_tables(c); }

/* The rows of SHOW TABLES begin with schema and name. */
static bool run_schema(const struct call *c)
{
    struct text csv = {0};
    varve_error error = {0};
    char *fields[8];
    size_t at = 0, count;
    if (argument(c, 0))
        return describe_table(c->sh, argument(c, 0));
    bool ok = shell_fetch(c->sh, "SHOW TABLES", &csv, &error);
    if (!ok)
        complain_error(&error, false, NULL, NULL, 0);
    while (ok && csv.ptr && csv_next(csv.ptr, &at, fields, 8, &count) && count >= 2) {
        struct text name = {0};
        text_printf(&name, "%s.%s", fields[0], fields[1]);
        ok = say(c->sh, name.ptr) && say(c->sh, "\n") && describe_table(c->sh, name.ptr);
        text_release(&name);
    }
    varve_error_free(&error);
    text_release(&csv);
    return ok;
}

static bool run_schemas(const struct call *c) { return shell_ask(c->sh, "SHOW SCHEMAS", NULL); }

static bool run_catalogs(const struct call *c) { return shell_ask(c->sh, "SHOW CATALOGS", NULL); }

static bool run_conninfo(const struct call *c)
{
    char *absolute = realpath(c->sh->lake, NULL);
    struct text line = {0};
    text_printf(&line, "lake \"%s\"%s, varve %s, engine duckdb %s\n", absolute ? absolute : c->sh->lake, c->sh->read_only ? " (read only)" : "",
                varve_version(), varve_engine_version());
    bool ok = say(c->sh, line.ptr);
    text_release(&line);
    free(absolute);
    return ok;
}

/* ---- how answers look ------------------------------------------------------------------------ */

static bool run_mode(const struct call *c)
{
    struct settings *s = &c->sh->settings;
    size_t count = 0;
    if (!argument(c, 0))
        return say(c->sh, s->mode) && say(c->sh, "\n");
    for (; output_modes[count]; count++)
        if (strcmp(output_modes[count], argument(c, 0)) == 0) {
            s->mode = output_modes[count];
            return true;
        }
    const char *near = nearest(argument(c, 0), output_modes, count);
    bad_argument(c, argument(c, 0), "a mode");
    if (near)
        complain_hint("did you mean %s?", near);
    else
        complain_hint("the modes are box, csv, json, jsonlines, markdown, line, arrow");
    return false;
}

static bool run_expanded(const struct call *c) { return toggle(c, &c->sh->settings.expanded, "expanded display"); }

static bool run_headers(const struct call *c) { return take_switch(c, argument(c, 0), &c->sh->settings.headers); }

static bool run_separator(const struct call *c)
{
    const char *value = argument(c, 0);
    if (strcmp(value, "tab") == 0 || strcmp(value, "\\t") == 0)
        value = "\t";
    if (strlen(value) != 1)
        return bad_argument(c, value, "one character");
    c->sh->settings.separator = *value;
    return true;
}

static bool set_null(struct shell *sh, const char *text)
{
    free(sh->settings.null_text);
    sh->settings.null_text = must_dup(text);
    return true;
}

static bool run_nullvalue(const struct call *c) { return set_null(c->sh, argument(c, 0)); }

static bool run_pset(const struct call *c)
{
    if (strcmp(argument(c, 0), "null") != 0)
        return bad_argument(c, argument(c, 0), "a setting; only null is");
    return set_null(c->sh, argument(c, 1) ? argument(c, 1) : "");
}

static bool take_count(const struct call *c, int64_t *out)
{
    const char *value = argument(c, 0);
    char *end;
    if (strcmp(value, "auto") == 0) {
        *out = -1;
        return true;
    }
    long long n = strtoll(value, &end, 10);
    if (end == value || *end || n < 0 || n > INT32_MAX)
        return bad_argument(c, value, "a number");
    *out = n;
    return true;
}

static bool run_maxrows(const struct call *c) { return take_count(c, &c->sh->settings.max_rows); }

static bool run_maxwidth(const struct call *c)
{
    int64_t width;
    if (!take_count(c, &width))
        return false;
    c->sh->settings.max_width = (int)width;
    return true;
}

static bool run_timer(const struct call *c) { return toggle(c, &c->sh->settings.timer, "timing"); }

static bool run_bail(const struct call *c)
{
    bool on;
    if (!take_switch(c, argument(c, 0), &on))
        return false;
    c->sh->settings.bail = on;
    return true;
}

static bool run_echo(const struct call *c) { return take_switch(c, argument(c, 0), &c->sh->settings.echo); }

static void add_setting(struct text *t, const char *name, const char *value) { text_printf(t, "%12s: %s\n", name, value); }

static void add_number(struct text *t, const char *name, int64_t value)
{
    char digits[32];
    snprintf(digits, sizeof digits, "%lld", (long long)value);
    add_setting(t, name, value < 0 ? "auto" : value == 0 ? "all" : digits);
}

static bool run_show(const struct call *c)
{
    const struct settings *s = &c->sh->settings;
    struct text t = {0};
    char separator[] = {s->separator ? s->separator : ',', '\0'};
    add_setting(&t, "mode", s->mode);
    add_setting(&t, "headers", s->headers ? "on" : "off");
    add_setting(&t, "separator", *separator == '\t' ? "tab" : separator);
    add_setting(&t, "nullvalue", s->null_text ? s->null_text : "(of the mode)");
    add_number(&t, "maxrows", s->max_rows);
    add_number(&t, "maxwidth", s->max_width);
    add_setting(&t, "expanded", s->expanded ? "on" : "off");
    add_setting(&t, "timer", s->timer ? "on" : "off");
    add_setting(&t, "echo", s->echo ? "on" : "off");
    add_setting(&t, "bail", s->bail < 0 ? "auto" : s->bail ? "on" : "off");
    add_setting(&t, "lake", c->sh->lake);
    bool ok = say(c->sh, t.ptr);
    text_release(&t);
    return ok;
}

/* ---- in and out ------------------------------------------------------------------------------------ */

static bool run_output(const struct call *c)
{
    c->sh->once = false;
    return output_open(&c->sh->output, argument(c, 0) ? argument(c, 0) : "");
}

static bool run_once(const struct call *c) { return c->sh->once = output_open(&c->sh->output, argument(c, 0)); }

static bool run_read(const struct call *c)
{
    bool failed = c->sh->any_failed;
    c->sh->any_failed = false;
    bool ok = shell_run_file(c->sh, argument(c, 0), c->sh->script_bail) && !c->sh->any_failed;
    c->sh->any_failed |= failed;
    return ok;
}

static bool edit_file(const char *path)
{
    const char *editor = getenv("VISUAL") ? getenv("VISUAL") : getenv("EDITOR");
    struct text command = {0};
    if (!editor || !*editor) {
        complain("there is no editor to use");
        complain_hint("set EDITOR to one");
        return false;
    }
    text_printf(&command, "%s ", editor);
    text_quoted(&command, path);
    int status = system(command.ptr);
    text_release(&command);
    if (status != 0)
        complain("the editor failed; nothing is run");
    return status == 0;
}

static bool write_temporary(int fd, const struct text *t) { return write(fd, t->ptr, t->len) == (ssize_t)t->len && write(fd, ";\n", 2) == 2; }

static bool run_edit(const struct call *c)
{
    const char *directory = getenv("TMPDIR");
    char path[256];
    snprintf(path, sizeof path, "%s/varve-XXXXXX.sql", directory && strlen(directory) < 200 ? directory : "/tmp");
    int fd = mkstemps(path, 4);
    if (fd < 0) {
        complain("cannot make \"%s\": %s", path, strerror(errno));
        return false;
    }
    bool written = write_temporary(fd, &c->sh->last_statement);
    close(fd);
    bool ok = written && edit_file(path) && shell_run_file(c->sh, path, c->sh->script_bail);
    unlink(path);
    return ok;
}

/* ---- help and leaving -------------------------------------------------------------------------------- */

static bool run_version(const struct call *c)
{
    (void)c;
    version_print(stdout, false);
    return true;
}

static bool run_help(const struct call *c)
{
    (void)c;
    help_commands(stdout);
    return true;
}

static bool run_statements(const struct call *c)
{
    struct text name = {0};
    for (int i = 0; i < c->argc; i++)
        text_printf(&name, "%s%s", i ? " " : "", c->argv[i]);
    bool found = help_statement(stdout, name.ptr);
    const char *near = found ? NULL : statement_nearest(name.ptr);
    if (!found)
        complain("there is no statement \"%s\"", name.ptr);
    if (near)
        complain_hint("did you mean \\h %s?", near);
    text_release(&name);
    return found;
}

static bool run_leave(const struct call *c)
{
    if (argument(c, 0)) {
        char *end;
        long code = strtol(argument(c, 0), &end, 10);
        if (end == argument(c, 0) || *end || code < 0 || code > 255)
            return bad_argument(c, argument(c, 0), "an exit code");
        c->sh->exit_code = (int)code;
    }
    c->sh->leave = true;
    return true;
}

/* ---- the table --------------------------------------------------------------------------------------------- */

struct command {
    bool (*run)(const struct call *);
    const char *dot, *backslash, *arguments;
    int least, most;
    const char *help;
};
static const struct command commands[] = {
#define COMMAND(FN, DOT, BACKSLASH, ARGUMENTS, LEAST, MOST, HELP) {run_##FN, DOT, BACKSLASH, ARGUMENTS, LEAST, MOST, HELP},
#include "cli/commands.def"
#undef COMMAND
};
enum { COMMAND_COUNT = sizeof commands / sizeof *commands };

bool command_describe(size_t i, const char **dot, const char **backslash, const char **arguments, const char **help)
{
    if (i >= COMMAND_COUNT)
        return false;
    *dot = commands[i].dot;
    *backslash = commands[i].backslash;
    *arguments = commands[i].arguments;
    *help = commands[i].help;
    return true;
}

static const struct command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMAND_COUNT; i++)
        if (*name == '.' ? strcmp(commands[i].dot, name) == 0 : strcmp(commands[i].backslash, name) == 0)
            return &commands[i];
    return NULL;
}

/* Of its own kind when there is one near, else of the other: ".d" may mean "\d". */
static bool unknown_command(const char *name)
{
    const char *same[COMMAND_COUNT], *other[COMMAND_COUNT];
    struct text swapped = {0};
    bool dot = *name == '.';
    for (size_t i = 0; i < COMMAND_COUNT; i++) {
        same[i] = dot ? commands[i].dot : commands[i].backslash;
        other[i] = dot ? commands[i].backslash : commands[i].dot;
    }
    text_printf(&swapped, "%c%s", dot ? '\\' : '.', name + 1);
    const char *near = find_command(swapped.ptr) ? swapped.ptr : nearest(name, same, COMMAND_COUNT);
    if (!near)
        near = nearest(swapped.ptr, other, COMMAND_COUNT);
    complain("unknown command \"%s\"", name);
    if (near && *near)
        complain_hint("did you mean %s?", near);
    else
        complain_hint(".help lists the commands");
    text_release(&swapped);
    return false;
}

/* Splits at blanks; '…' and "…" keep theirs, a doubled quote is one.  A ';' that ends the last word is dropped.  Changes the line. */
static bool split(char *line, char **words, int *count)
{
    char *in = line;
    size_t len = strlen(line);
    while (len && strchr(" \t\r\n", line[len - 1]))
        line[--len] = '\0';
    if (len > 1 && line[len - 1] == ';' && !strchr(" \t", line[len - 2]))
        line[--len] = '\0';
    for (*count = 0; *count < MAX_ARGUMENTS; ++*count) {
        in += strspn(in, " \t");
        if (!*in)
            return true;
        char quote = *in == '\'' || *in == '"' ? *in++ : 0, *out = in;
        words[*count] = in;
        while (*in && (quote || (*in != ' ' && *in != '\t'))) {
            if (quote && *in == quote && in[1] != quote)
                break;
            in += quote && *in == quote;
            *out++ = *in++;
        }
        if (quote && !*in) {
            complain("a quote is not closed");
            return false;
        }
        in += *in != '\0';
        *out = '\0';
    }
    return true;
}

static bool dispatch(struct shell *sh, char **words, int count)
{
    const struct command *command = find_command(words[0]);
    struct call call = {sh, words[0], count - 1, words + 1};
    if (!command)
        return unknown_command(words[0]);
    if (call.argc < command->least || call.argc > command->most) {
        complain("%s %s", words[0], *command->arguments ? "is not given so" : "takes no argument");
        complain_hint("%s %s", words[0], command->arguments);
        return false;
    }
    return command->run(&call);
}

bool command_run(struct shell *sh, const char *line, size_t len)
{
    char *copy = must_alloc(len + 1), *words[MAX_ARGUMENTS + 1];
    int count = 0;
    memcpy(copy, line, len);
    bool ok = split(copy, words, &count) && count > 0 && dispatch(sh, words, count);
    fflush(stdout);
    free(copy);
    if (!ok)
        sh->any_failed = true;
    return ok;
}
