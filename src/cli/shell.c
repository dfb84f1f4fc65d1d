/* cli/shell.c: one open lake, and everything that runs in it. */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MAX_READ_DEPTH = 16 };

/* ---- Ctrl-C ------------------------------------------------------------------------------ */

/* What the handler may touch: the session while a statement runs in it. */
static varve_session *volatile running_session;
static volatile sig_atomic_t interrupts;

static void on_interrupt(int signal_number)
{
    (void)signal_number;
    varve_session *session = running_session;
    interrupts = 1;
    if (session)
        varve_interrupt(session);
}

static void watch_signals(bool interactive)
{
    struct sigaction ignore = {.sa_handler = SIG_IGN}, watch = {.sa_handler = on_interrupt};
    sigaction(SIGPIPE, &ignore, NULL);
    if (!interactive)
        watch.sa_flags = (int)SA_RESETHAND; /* a second one ends a script that does not stop */
    sigaction(SIGINT, &watch, NULL);
}

static void run_begins(struct shell *sh)
{
    interrupts = 0;
    watch_signals(sh->interactive);
    progress_start(&sh->progress);
    running_session = sh->session;
}

static void run_ends(struct shell *sh)
{
    running_session = NULL;
    progress_stop(&sh->progress);
    sh->interrupted = interrupts != 0;
}

/* ---- opening ------------------------------------------------------------------------------- */

static const char *lake_of(const struct options *o)
{
    const char *from_environment = getenv("VARVE_LAKE");
    if (o->lake)
        return o->lake;
    return from_environment && *from_environment ? from_environment : "./lake";
}

static void settings_init(struct settings *s, const struct options *o)
{
    *s = (struct settings){
        .mode = o->mode ? o->mode : "box",
        .null_text = o->null_text ? must_dup(o->null_text) : NULL,
        .separator = o->separator,
        .max_rows = -1,
        .max_width = -1,
        .bail = o->bail,
        .headers = !o->no_headers,
        .timer = o->timer,
        .echo = o->echo,
        .quiet = o->quiet,
        .json_errors = o->json_errors,
    };
}

static bool open_lake(struct shell *sh, const struct options *o, varve_error *error)
{
    varve_options lake = {
        .struct_size = sizeof lake,
        .memory_limit_bytes = o->memory_limit_bytes,
        .threads = o->threads,
        .not_durable = o->not_durable,
        .read_only = o->read_only,
    };
    varve_session_options session = {.struct_size = sizeof session, .client = "cli"};
    return varve_open(sh->lake, &lake, &sh->db, error) == VARVE_OK && varve_connect(sh->db, &session, &sh->session, error) == VARVE_OK;
}

/* Whoever reads these formats is a program. */
static bool is_for_programs(const char *mode) { return strcmp(mode, "json") == 0 || strcmp(mode, "jsonlines") == 0 || strcmp(mode, "arrow") == 0; }

void shell_complain(const struct shell *sh, const varve_error *error, const struct origin *origin, const char *sql, size_t len)
{
    complain_error(error, sh->settings.json_errors || is_for_programs(sh->settings.mode), origin, sql, len);
}

bool shell_open(struct shell *sh, const struct options *o)
{
    *sh = (struct shell){.read_only = o->read_only, .exit_code = -1, .lake = must_dup(lake_of(o))};
    settings_init(&sh->settings, o);
    output_standard(&sh->output);
    progress_init(&sh->progress, isatty(STDERR_FILENO) && !o->batch && !o->quiet);
    watch_signals(false);
    if (o->output && !output_open(&sh->output, o->output))
        return false;
    varve_error error = {0};
    bool opened = open_lake(sh, o, &error);
    if (opened)
        varve_session_progress(sh->session, progress_report, &sh->progress);
    else
        shell_complain(sh, &error, NULL, NULL, 0);
    varve_error_free(&error);
    return opened;
}

/* A build that looks for leaks has to free everything to see them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LOOKS_FOR_LEAKS true
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LOOKS_FOR_LEAKS true
#endif
#endif
#ifndef LOOKS_FOR_LEAKS
#define LOOKS_FOR_LEAKS false
#endif

static void close_lake(struct shell *sh)
{
    if (LOOKS_FOR_LEAKS)
        varve_close(&sh->db);
    else
        varve_finish(&sh->db);
}

void shell_leave(int code)
{
    if (!LOOKS_FOR_LEAKS)
        _exit(code);
}

void shell_close(struct shell *sh)
{
    int failed = output_close(&sh->output);
    if (failed && !sh->lost_errno)
        sh->lost_errno = failed;
    varve_session_close(&sh->session);
    close_lake(sh);
    free(sh->lake);
    free(sh->settings.null_text);
    text_release(&sh->last_statement);
    pthread_mutex_destroy(&sh->progress.lock);
}

/* ---- statements -------------------------------------------------------------------------------- */

static char *statement_text(const char *sql, size_t len)
{
    if (memchr(sql, '\0', len)) {
        complain("the statement holds a NUL byte");
        return NULL;
    }
    char *copy = must_alloc(len + 1);
    memcpy(copy, sql, len);
    return copy;
}

/* A file or program that takes no more is left by an interactive shell; otherwise nothing more can be done. */
static void lose_output(struct shell *sh, int errnum)
{
    sh->any_failed = true;
    if (sh->interactive && sh->output.file != stdout)
        output_close(&sh->output);
    else
        sh->lost_errno = errnum;
}

bool shell_flush(struct shell *sh)
{
    if (output_flush(&sh->output))
        return true;
    lose_output(sh, sh->output.failed_errno);
    return false;
}

/* .once holds for one answer. */
static void end_once(struct shell *sh)
{
    int failed = sh->once ? output_close(&sh->output) : 0;
    if (failed && !sh->interactive)
        sh->lost_errno = failed;
    sh->any_failed |= failed != 0;
    sh->once = false;
}

static bool run(struct shell *sh, const char *sql, const char *mode, varve_error *error)
{
    varve_result *result = NULL;
    run_begins(sh);
    bool ok = varve_query(sh->session, sql, &result, error) == VARVE_OK && answer_write(sh, &result, mode, error);
    run_ends(sh);
    varve_result_free(&result);
    return ok;
}

bool shell_statement(struct shell *sh, const char *sql, size_t len, const struct origin *origin)
{
    char *text = statement_text(sql, len);
    varve_error error = {0};
    bool ok = text != NULL;
    if (ok && sh->settings.echo)
        ok = output_write(&sh->output, text, len) && output_write(&sh->output, ";\n", 2);
    if (ok)
        ok = run(sh, text, NULL, &error);
    if (shell_flush(sh) && !ok && error.code)
        shell_complain(sh, &error, origin, text, len);
    if (!ok)
        sh->any_failed = true;
    end_once(sh);
    varve_error_free(&error);
    if (text) {
        text_clear(&sh->last_statement);
        text_add(&sh->last_statement, text, len);
    }
    free(text);
    return ok && !sh->lost_errno;
}

bool shell_ask(struct shell *sh, const char *sql, const char *mode)
{
    varve_error error = {0};
    bool ok = run(sh, sql, mode, &error);
    if (shell_flush(sh) && !ok && error.code)
        shell_complain(sh, &error, NULL, NULL, 0);
    if (!ok)
        sh->any_failed = true;
    end_once(sh);
    varve_error_free(&error);
    return ok;
}

static bool add_to_text(void *text, const void *bytes, size_t len)
{
    text_add(text, bytes, len);
    return true;
}

bool shell_fetch(struct shell *sh, const char *sql, struct text *csv, varve_error *error)
{
    varve_result *result = NULL;
    varve_format_options options = {.struct_size = sizeof options, .no_headers = true};
    int64_t rows;
    run_begins(sh);
    bool ok = varve_query(sh->session, sql, &result, error) == VARVE_OK &&
              varve_result_write(result, "csv", &options, add_to_text, csv, &rows, error) == VARVE_OK;
    run_ends(sh);
    varve_result_free(&result);
    return ok;
}

/* ---- scripts ------------------------------------------------------------------------------------- */

static bool stopped(const struct shell *sh, enum script_state state) { return state == SCRIPT_STOPPED || sh->leave || sh->lost_errno; }

bool shell_run_text(struct shell *sh, const char *name, const char *text, size_t len, bool bail)
{
    struct script s = {.name = name, .ended = true, .bail = bail};
    text_add(&s.text, text, len);
    enum script_state state = script_run(sh, &s);
    script_release(&s);
    return !stopped(sh, state);
}

/* True when the text read last can have made something complete: a long statement is not looked at again for every block. */
static bool worth_running(const struct script *s, const char *block, size_t len)
{
    const char *first = s->text.ptr + s->at;
    while (*first && strchr(" \t\r\n", *first))
        first++;
    return memchr(block, ';', len) || *first == '.' || *first == '\\';
}

bool shell_run_stream(struct shell *sh, const char *name, int fd, bool bail)
{
    static const size_t block_size = 65536;
    char *block = must_alloc(block_size);
    struct script s = {.name = name, .bail = bail};
    enum script_state state = SCRIPT_WAITS;
    while (!s.ended && !stopped(sh, state)) {
        ssize_t len = read(fd, block, block_size);
        if (len < 0) {
            if (errno != EINTR)
                complain("cannot read %s: %s", name ? name : "standard input", strerror(errno));
            sh->any_failed = true;
            break;
        }
        text_add(&s.text, block, (size_t)len);
        s.ended = len == 0;
        if (s.ended || worth_running(&s, block, (size_t)len))
            state = script_run(sh, &s);
    }
    script_release(&s);
    free(block);
    return !stopped(sh, state);
}

bool shell_run_file(struct shell *sh, const char *path, bool bail)
{
    if (strcmp(path, "-") == 0)
        return shell_run_stream(sh, NULL, STDIN_FILENO, bail);
    int fd = sh->read_depth < MAX_READ_DEPTH ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (fd < 0) {
        if (sh->read_depth < MAX_READ_DEPTH)
            complain("cannot open \"%s\": %s", path, strerror(errno));
        else
            complain("\"%s\" is read from more than %d files deep", path, MAX_READ_DEPTH);
        sh->any_failed = true;
        return false;
    }
    sh->read_depth++;
    bool ok = shell_run_stream(sh, path, fd, bail);
    sh->read_depth--;
    close(fd);
    return ok;
}

void shell_run_rc(struct shell *sh, const struct options *o)
{
    const char *home = getenv("HOME");
    struct text path = {0};
    if (o->init) {
        shell_run_file(sh, o->init, true);
        return;
    }
    if (o->batch || o->no_rc || !home || !*home)
        return;
    text_printf(&path, "%s/.varverc", home);
    if (access(path.ptr, R_OK) == 0)
        shell_run_file(sh, path.ptr, false);
    text_release(&path);
}
