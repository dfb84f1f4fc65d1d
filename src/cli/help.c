/* cli/help.c: all help, from the tables of options, verbs, commands and statements. */
#include "cli/cli.h"

#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "server/server.h"

struct verb_row {
    const char *name, *arguments, *summary, *text;
};
static const struct verb_row verb_rows[] = {
#define VERB(NAME, ARGUMENTS, SUMMARY, TEXT) {NAME, ARGUMENTS, SUMMARY, TEXT},
#include "cli/verbs.def"
#undef VERB
};
enum { VERB_COUNT = sizeof verb_rows / sizeof *verb_rows };

static const struct verb_row *find_verb(const char *name)
{
    for (size_t i = 0; i < VERB_COUNT; i++)
        if (strcmp(verb_rows[i].name, name) == 0)
            return &verb_rows[i];
    return NULL;
}

bool verb_exists(const char *name) { return find_verb(name) != NULL; }

const char *verb_nearest(const char *name)
{
    const char *names[VERB_COUNT];
    for (size_t i = 0; i < VERB_COUNT; i++)
        names[i] = verb_rows[i].name;
    return nearest(name, names, VERB_COUNT);
}

static const char *bold(FILE *to) { return terminal_has_colours(fileno(to)) ? "\033[1m" : ""; }

static const char *plain(FILE *to) { return terminal_has_colours(fileno(to)) ? "\033[0m" : ""; }

/* A name of up to `columns`, then text; a longer name has a line of its own. */
static void row(FILE *to, const char *name, int columns, const char *text)
{
    int pad = columns - (int)text_columns(name, strlen(name));
    if (pad < 2)
        fprintf(to, "  %s\n  %*s%s\n", name, columns, "", text);
    else
        fprintf(to, "  %s%*s%s\n", name, pad, "", text);
}

static void print_option(FILE *to, const struct option_row *option)
{
    char name[64];
    int len = option->letter ? snprintf(name, sizeof name, "-%c, ", option->letter) : snprintf(name, sizeof name, "    ");
    snprintf(name + len, sizeof name - (size_t)len, "--%s%s%s", option->name, option->argument ? " " : "", option->argument ? option->argument : "");
    row(to, name, 26, option->help);
}

static void print_group(FILE *to, const char *group, const char *title)
{
    fprintf(to, "\n%s%s%s\n", bold(to), title, plain(to));
    for (int i = 0; i < OPTION_COUNT; i++)
        if (strcmp(option_rows[i].group, group) == 0)
            print_option(to, &option_rows[i]);
}

void help_main(FILE *to)
{
    fprintf(to,
            "varve %s: Delta Lake tables, SQL and time travel in one program\n"
            "\n"
            "%sUsage%s\n"
            "  varve [OPTION…]                       ask interactively\n"
            "  varve [OPTION…] -c \"SQL\" | -f FILE    run and leave\n"
            "  varve [OPTION…] < script.sql          run standard input, statement by statement\n"
            "  varve [OPTION…] VERB [ARGUMENT…]      one of the verbs below\n"
            "\n%sVerbs%s\n",
            varve_version(), bold(to), plain(to), bold(to), plain(to));
    for (size_t i = 0; i < VERB_COUNT; i++)
        row(to, verb_rows[i].name, 26, verb_rows[i].summary);
    static const char *const groups[] = {"Input", "Lake", "Output", "Script", "About"};
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        print_group(to, groups[i], groups[i]);
    fprintf(to,
            "\n%sScripts%s\n"
            "  -c and -f stop at the first statement that fails; standard input goes on unless --bail or\n"
            "  -v ON_ERROR_STOP=1 is given.  Either way the exit code then is 3.\n"
            "\n%sErrors%s\n"
            "  What fails is told on stderr, answers alone are on stdout.  A statement that fails, or a lake that\n"
            "  does not open, is one JSON object (RFC 9457: type, title, status, detail, code, sqlstate, hint,\n"
            "  position) a line in the modes json, jsonlines and arrow, and with --json-errors in every mode.\n"
            "\n%sExit codes%s\n"
            "  0  all went well\n"
            "  1  wrong usage, the lake or a file cannot be opened, the output cannot be written\n"
            "  2  serve cannot bind its address\n"
            "  3  a statement failed\n"
            "\n%sEnvironment%s\n"
            "  VARVE_LAKE  the lake when --lake is not given      NO_COLOR  no colours\n"
            "  EDITOR      for \\e                                 HOME      ~/.varverc, ~/.varve_history\n"
            "\n%sExamples%s\n"
            "  varve -c \"CREATE TABLE t USING DELTA AS SELECT 42 AS answer\"\n"
            "  varve --json -c \"SELECT * FROM t VERSION AS OF 0\"\n"
            "  varve --arrow -c \"SELECT * FROM bronze.bars\" | python3 -c \\\n"
            "    'import sys, pyarrow as pa; print(pa.ipc.open_stream(sys.stdin.buffer).read_all())'\n"
            "  varve ingest bronze.bars bars/*.csv --header && varve history bronze.bars\n"
            "\n"
            "varve help VERB tells more about a verb, varve help STATEMENT about SQL (varve help create table),\n"
            "and .help inside the shell about its commands.\n",
            bold(to), plain(to), bold(to), plain(to), bold(to), plain(to), bold(to), plain(to), bold(to), plain(to));
}

bool help_verb(FILE *to, const char *name)
{
    const struct verb_row *verb = find_verb(name);
    if (!verb)
        return false;
    if (strcmp(name, "serve") == 0) {
        fputs(server_help, to);
        return true;
    }
    fprintf(to, "%svarve %s%s %s\n  %s\n\n%s", bold(to), verb->name, plain(to), verb->arguments, verb->summary, verb->text);
    bool own = false;
    for (int i = 0; i < OPTION_COUNT; i++)
        own |= strcmp(option_rows[i].group, name) == 0;
    if (own)
        print_group(to, name, "Options");
    if (strcmp(name, "help") != 0)
        fputs("\nThe options of varve --help work here as well.\n", to);
    return true;
}

/* ---- inside the shell ------------------------------------------------------------------------ */

void help_commands(FILE *to)
{
    const char *dot, *backslash, *arguments, *help;
    fprintf(to, "%sCommands%s (a line of their own; SQL statements end in ';')\n", bold(to), plain(to));
    for (size_t i = 0; command_describe(i, &dot, &backslash, &arguments, &help); i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%s%s%s%s", dot, *dot && *backslash ? ", " : "", backslash, *arguments ? " " : "", arguments);
        row(to, name, 30, help);
    }
    fputs("\n\\h lists the SQL statements, \\h NAME shows one.\n", to);
}

static void print_statement(FILE *to, const char *name, const char *syntax, const char *what)
{
    fprintf(to, "%s%s%s: %s\n  %s\n", bold(to), name, plain(to), what, syntax);
}

bool help_statement(FILE *to, const char *wanted)
{
    const char *name, *syntax, *what;
    bool found = false;
    for (size_t i = 0; varve_statement_help(i, &name, &syntax, &what); i++) {
        if (!wanted)
            row(to, name, 26, what);
        else if (strncasecmp(name, wanted, strlen(wanted)) == 0)
            print_statement(to, name, syntax, what);
        found |= !wanted || strncasecmp(name, wanted, strlen(wanted)) == 0;
    }
    return found;
}

const char *statement_nearest(const char *name)
{
    enum { MOST = 128 };
    const char *names[MOST], *syntax, *what;
    size_t count = 0;
    while (count < MOST && varve_statement_help(count, &names[count], &syntax, &what))
        count++;
    return nearest(name, names, count);
}

void version_print(FILE *to, bool as_json)
{
    if (as_json)
        fprintf(to, "{\"name\":\"varve\",\"version\":\"%s\",\"engine\":\"duckdb\",\"engine_version\":\"%s\"}\n", varve_version(),
                varve_engine_version());
    else
        fprintf(to, "varve %s (engine: duckdb %s)\n", varve_version(), varve_engine_version());
}
