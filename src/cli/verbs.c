/* cli/verbs.c: what runs instead of a script. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "server/server.h"

static int usage_error(const char *verb, const char *what)
{
    complain("varve %s: %s", verb, what);
    complain_hint("varve help %s", verb);
    return LEAVE_FATAL;
}

/* ---- history, detail, files ---------------------------------------------------------------- */

static int leave_shell(struct shell *sh, bool ok)
{
    shell_close(sh);
    if (sh->lost_errno)
        return sh->lost_errno == EPIPE ? LEAVE_OK : LEAVE_FATAL;
    return ok ? LEAVE_OK : LEAVE_SCRIPT;
}

static bool is_count(const char *text) { return *text && strspn(text, "0123456789") == strlen(text) && strlen(text) < 10; }

static int describe(const struct options *o, const char *what, const char *mode)
{
    struct shell sh;
    struct text sql = {0};
    if (o->argument_count != 1)
        return usage_error(o->verb, "one table is needed");
    if (o->limit && !is_count(o->limit))
        return usage_error(o->verb, "--limit needs a number");
    text_printf(&sql, "DESCRIBE %s ", what);
    text_table(&sql, o->arguments[0]);
    if (o->limit)
        text_printf(&sql, " LIMIT %s", o->limit);
    bool opened = shell_open(&sh, o), ok = opened && shell_ask(&sh, sql.ptr, o->mode ? NULL : mode);
    text_release(&sql);
    int code = leave_shell(&sh, ok);
    return opened ? code : LEAVE_FATAL;
}

/* ---- ingest ------------------------------------------------------------------------------------ */

static const char *format_of(const char *wanted, const char *file)
{
    static const struct {
        const char *ending, *format;
    } endings[] = {{"csv", "CSV"}, {"tsv", "CSV"}, {"json", "JSON"}, {"jsonl", "JSON"}, {"ndjson", "JSON"}, {"parquet", "PARQUET"}};
    char name[PATH_MAX];
    snprintf(name, sizeof name, "%s", wanted ? wanted : file);
    char *end = strrchr(name, '.');
    if (!wanted && end && (strcasecmp(end, ".gz") == 0 || strcasecmp(end, ".zst") == 0)) {
        *end = '\0';
        end = strrchr(name, '.');
    }
    const char *ending = wanted ? wanted : end ? end + 1 : "";
    for (size_t i = 0; i < sizeof endings / sizeof *endings; i++)
        if (strcasecmp(ending, endings[i].ending) == 0)
            return endings[i].format;
    return NULL;
}

/* A pattern is left to the engine, made absolute by its directory. */
static void add_source(struct text *sql, const char *file)
{
    char absolute[PATH_MAX];
    struct text path = {0};
    if (strstr(file, "://") || *file == '/')
        text_z(&path, file);
    else if (realpath(file, absolute))
        text_z(&path, absolute);
    else
        text_printf(&path, "%s/%s", getcwd(absolute, sizeof absolute) ? absolute : ".", file);
    text_quoted(sql, path.ptr);
    text_release(&path);
}

static bool is_tab_separated(const char *file)
{
    size_t len = strlen(file);
    return len > 4 && strcasecmp(file + len - 4, ".tsv") == 0;
}

static bool copy_file(struct shell *sh, const struct options *o, const char *table, const char *file, bool merge)
{
    struct text sql = {0};
    const char *format = format_of(o->format, file);
    text_printf(&sql, "COPY INTO %s FROM ", table);
    add_source(&sql, file);
    text_printf(&sql, " FILEFORMAT = %s", format);
    if (strcmp(format, "CSV") == 0)
        text_printf(&sql, " FORMAT_OPTIONS ('header' = '%s'%s)", o->header ? "true" : "false", is_tab_separated(file) ? ", 'delimiter' = '\t'" : "");
    if (merge)
        text_z(&sql, " COPY_OPTIONS ('mergeSchema' = 'true')");
    bool ok = shell_ask(sh, sql.ptr, NULL);
    text_release(&sql);
    return ok;
}

/* An empty table with the columns of the file, read as COPY INTO will read it. */
static bool make_table(struct shell *sh, const struct options *o, const char *table, varve_error *error)
{
    const char *file = o->arguments[1], *format = format_of(o->format, file);
    bool csv = strcmp(format, "CSV") == 0;
    struct text sql = {0}, answer = {0};
    text_printf(&sql, "CREATE TABLE IF NOT EXISTS %s USING DELTA AS SELECT * FROM %s(", table,
                csv                           ? "read_csv"
                : strcmp(format, "JSON") == 0 ? "read_json"
                                              : "read_parquet");
    add_source(&sql, file);
    if (csv)
        text_printf(&sql, ", header = %s%s", o->header ? "true" : "false", is_tab_separated(file) ? ", delim = '\t'" : "");
    text_z(&sql, ") LIMIT 0");
    bool ok = shell_fetch(sh, sql.ptr, &answer, error);
    text_release(&answer);
    text_release(&sql);
    return ok;
}

/* A table without columns takes them from the first file. *made: it did not exist. */
static bool prepare_table(struct shell *sh, const struct options *o, const char *table, bool *made, bool *empty)
{
    struct text sql = {0}, csv = {0};
    varve_error error = {0};
    text_printf(&sql, "DESCRIBE %s", table);
    bool ok = shell_fetch(sh, sql.ptr, &csv, &error);
    *made = !ok && error.name && strcmp(error.name, "TABLE_NOT_FOUND") == 0;
    *empty = ok && csv.len == 0;
    if (*made) {
        varve_error_free(&error);
        ok = make_table(sh, o, table, &error);
    }
    if (!ok)
        shell_complain(sh, &error, NULL, NULL, 0);
    varve_error_free(&error);
    text_release(&csv);
    text_release(&sql);
    return ok;
}

/* A table that was made for files that did not load is taken away again. */
static void drop_made(struct shell *sh, const char *table)
{
    struct text sql = {0}, csv = {0};
    varve_error error = {0};
    text_printf(&sql, "DROP TABLE IF EXISTS %s", table);
    shell_fetch(sh, sql.ptr, &csv, &error);
    varve_error_free(&error);
    text_release(&csv);
    text_release(&sql);
}

static bool load_files(struct shell *sh, const struct options *o, const char *table)
{
    bool made, empty;
    if (!prepare_table(sh, o, table, &made, &empty))
        return false;
    for (int i = 1; i < o->argument_count; i++) {
        if (!copy_file(sh, o, table, o->arguments[i], o->merge_schema || empty)) {
            if (made && i == 1)
                drop_made(sh, table);
            return false;
        }
        empty = false;
    }
    return true;
}

static int ingest(const struct options *o)
{
    struct shell sh;
    struct text table = {0};
    if (o->argument_count < 2)
        return usage_error("ingest", "a table and at least one file are needed");
    if (o->format && !format_of(o->format, NULL))
        return usage_error("ingest", "--format is csv, json or parquet");
    for (int i = 1; i < o->argument_count; i++)
        if (!format_of(o->format, o->arguments[i])) {
            complain("cannot tell the format of \"%s\" by its name", o->arguments[i]);
            complain_hint("give --format csv, json or parquet");
            return LEAVE_FATAL;
        }
    text_table(&table, o->arguments[0]);
    bool opened = shell_open(&sh, o), ok = opened && load_files(&sh, o, table.ptr);
    text_release(&table);
    int code = leave_shell(&sh, ok);
    return opened ? code : LEAVE_FATAL;
}

/* ---- serve, help --------------------------------------------------------------------------------- */

static int serve(const struct options *o)
{
    const char *from_environment = getenv("VARVE_LAKE");
    const char *lake = o->lake ? o->lake : from_environment && *from_environment ? from_environment : "./lake";
    char name[] = "varve serve";
    char **argv = must_alloc(sizeof *argv * (size_t)(o->argument_count + 2));
    argv[0] = name;
    for (int i = 0; i < o->argument_count; i++)
        argv[i + 1] = o->arguments[i];
    int code = server_main(o->argument_count + 1, argv, lake);
    free(argv);
    return code;
}

static int help(const struct options *o)
{
    struct text name = {0};
    if (o->argument_count == 0) {
        help_main(stdout);
        return LEAVE_OK;
    }
    for (int i = 0; i < o->argument_count; i++)
        text_printf(&name, "%s%s", i ? " " : "", o->arguments[i]);
    bool found = help_verb(stdout, name.ptr) || help_statement(stdout, name.ptr);
    if (!found) {
        const char *near = verb_nearest(name.ptr) ? verb_nearest(name.ptr) : statement_nearest(name.ptr);
        complain("there is no help on \"%s\"", name.ptr);
        if (near)
            complain_hint("did you mean varve help %s?", near);
        else
            complain_hint("varve help lists the verbs, \\h in the shell the statements");
    }
    text_release(&name);
    return found ? LEAVE_OK : LEAVE_FATAL;
}

int verb_run(const struct options *o)
{
    if (o->help) {
        help_verb(stdout, o->verb);
        return LEAVE_OK;
    }
    if (strcmp(o->verb, "history") == 0)
        return describe(o, "HISTORY", NULL);
    if (strcmp(o->verb, "detail") == 0)
        return describe(o, "DETAIL", "line");
    if (strcmp(o->verb, "files") == 0)
        return describe(o, "FILES", NULL);
    if (strcmp(o->verb, "ingest") == 0)
        return ingest(o);
    if (strcmp(o->verb, "serve") == 0)
        return serve(o);
    if (strcmp(o->verb, "help") == 0)
        return help(o);
    version_print(stdout, o->mode && strncmp(o->mode, "json", 4) == 0);
    return LEAVE_OK;
}
