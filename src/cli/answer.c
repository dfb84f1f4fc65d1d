/* cli/answer.c: a statement's answer, written. */
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { TERMINAL_ROWS = 40, MAX_FIELDS = 64 };

bool csv_next(char *csv, size_t *at, char **fields, size_t max_fields, size_t *count)
{
    char *in = csv + *at;
    *count = 0;
    if (!*in)
        return false;
    for (;;) {
        char *out = in, *start = in;
        bool quoted = *in == '"';
        if (quoted)
            in++;
        while (*in && (quoted || (*in != ',' && *in != '\n' && *in != '\r'))) {
            if (quoted && *in == '"') {
                if (in[1] != '"')
                    break;
                in++;
            }
            *out++ = *in++;
        }
        if (quoted && *in == '"')
            in++;
        char end = *in;
        if (*count < max_fields)
            fields[(*count)++] = start;
        if (end)
            in++;
        if (end == '\r' && *in == '\n')
            in++;
        *out = '\0';
        if (end != ',')
            break;
    }
    *at = (size_t)(in - csv);
    return true;
}

/* ---- statements that change something --------------------------------------------------- */

static bool is_question(const char *statement)
{
    static const char *const questions[] = {"select", "describe", "show", "explain"};
    for (size_t i = 0; i < sizeof questions / sizeof *questions; i++)
        if (strncmp(statement, questions[i], strlen(questions[i])) == 0)
            return true;
    return false;
}

static bool add_to_text(void *text, const void *bytes, size_t len)
{
    text_add(text, bytes, len);
    return true;
}

/* What is worth words: counts of nothing are not, but for the rows. */
static bool is_told(const char *name, const char *value)
{
    return *value && (strcmp(value, "0") != 0 || strcmp(name, "rows") == 0 || strcmp(name, "version") == 0);
}

/* "insert: version 4, rows 3, files_added 1" */
static void short_form(struct text *line, const char *statement, char *csv, int64_t version)
{
    char *names[MAX_FIELDS], *values[MAX_FIELDS];
    size_t name_count, value_count, at = 0;
    bool has_version = false;
    text_z(line, statement);
    if (!csv_next(csv, &at, names, MAX_FIELDS, &name_count))
        name_count = 0;
    while (name_count && csv_next(csv, &at, values, MAX_FIELDS, &value_count))
        for (size_t i = 0, shown = 0; i < value_count && i < name_count; i++) {
            if (!is_told(names[i], values[i]))
                continue;
            has_version |= strcmp(names[i], "version") == 0;
            text_printf(line, "%s%s %s", shown++ ? ", " : ": ", names[i], values[i]);
        }
    if (version >= 0 && !has_version)
        text_printf(line, "%s version %lld", strchr(line->ptr, ':') ? "," : ":", (long long)version);
    text_char(line, '\n');
}

static bool write_short(struct shell *sh, varve_result *result, const char *statement, varve_error *error)
{
    struct text csv = {0}, line = {0};
    varve_format_options options = {.struct_size = sizeof options};
    int64_t rows;
    bool ok = varve_result_write(result, "csv", &options, add_to_text, &csv, &rows, error) == VARVE_OK;
    if (ok && !sh->settings.quiet) {
        text_z(&csv, "");
        short_form(&line, statement, csv.ptr, varve_result_info(result)->version);
        ok = output_write(&sh->output, line.ptr, line.len);
    }
    text_release(&csv);
    text_release(&line);
    return ok;
}

/* ---- rows ------------------------------------------------------------------------------------ */

static varve_format_options format_options(const struct shell *sh)
{
    const struct settings *s = &sh->settings;
    bool terminal = sh->output.is_terminal;
    return (varve_format_options){
        .struct_size = sizeof(varve_format_options),
        .no_headers = !s->headers,
        .null_text = s->null_text,
        .separator = s->separator,
        .max_width = s->max_width >= 0 ? s->max_width
                     : terminal        ? terminal_columns(STDOUT_FILENO)
                                       : 0,
        .max_rows = s->max_rows >= 0 ? s->max_rows
                    : terminal       ? TERMINAL_ROWS
                                     : 0,
    };
}

/* The first rows on a terminal take the place of the bar. */
struct sink {
    struct shell *sh;
    bool started;
};

static bool write_rows(void *user, const void *bytes, size_t len)
{
    struct sink *sink = user;
    if (!sink->started && sink->sh->output.is_terminal)
        progress_stop(&sink->sh->progress);
    sink->started = true;
    return output_write(&sink->sh->output, bytes, len);
}

static bool write_full(struct shell *sh, varve_result *result, const char *mode, varve_error *error)
{
    varve_format_options options = format_options(sh);
    struct sink sink = {.sh = sh};
    int64_t rows;
    if (strcmp(mode, "arrow") == 0 && sh->output.is_terminal) {
        complain("arrow is not for a terminal");
        complain_hint("write it to a file with -o FILE (.output FILE), or into a pipe");
        return false;
    }
    return varve_result_write(result, mode, &options, write_rows, &sink, &rows, error) == VARVE_OK;
}

/* ---- times --------------------------------------------------------------------------------------- */

static void print_time(const char *name, int64_t us)
{
    if (us < 1000000)
        fprintf(stderr, "%s %.1f ms", name, (double)us / 1e3);
    else
        fprintf(stderr, "%s %.2f s", name, (double)us / 1e6);
}

static void print_timer(const varve_info *info)
{
    int64_t total = 0, partition = 0, stats = 0, read = 0, bytes = 0;
    for (size_t i = 0; i < info->table_count; i++) {
        total += info->tables[i].files_total;
        partition += info->tables[i].files_pruned_partition;
        stats += info->tables[i].files_pruned_stats;
        read += info->tables[i].files_read;
        bytes += info->tables[i].bytes_read;
    }
    fputs("time: ", stderr);
    print_time("plan", info->plan_us);
    print_time(", execute", info->execute_us);
    print_time(", total", info->total_us);
    if (info->table_count)
        fprintf(stderr, "; files: %lld of %lld read (%.1f MiB), %lld pruned by partition, %lld by statistics", (long long)read, (long long)total,
                (double)bytes / 1048576.0, (long long)partition, (long long)stats);
    fprintf(stderr, "; cache: %s\n", info->cache ? info->cache : "none");
}

bool answer_write(struct shell *sh, varve_result **result, const char *wanted_mode, varve_error *error)
{
    const varve_info *info = varve_result_info(*result);
    const char *statement = info->statement ? info->statement : "", *mode = wanted_mode ? wanted_mode : sh->settings.mode;
    bool question = is_question(statement);
    if (!wanted_mode && sh->settings.expanded && strcmp(mode, "box") == 0)
        mode = "line";
    bool human = strcmp(sh->settings.mode, "box") == 0 || strcmp(sh->settings.mode, "line") == 0 || sh->settings.quiet;
    bool ok = !question && human ? write_short(sh, *result, statement, error) : write_full(sh, *result, mode, error);
    if (ok && sh->settings.timer && output_flush(&sh->output)) {
        progress_stop(&sh->progress);
        print_timer(varve_result_info(*result));
    }
    return ok;
}
