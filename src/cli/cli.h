/* cli/cli.h: the parts of the shell program.  It knows the library by <varve/varve.h> alone.
 *
 *   cli_main.c     arguments -> verb or session     options.c      the command line
 *   verbs.c        history, detail, files, ingest, version, serve
 *   shell.c        one open lake and the statement loop             script.c   texts cut into statements
 *   answer.c       a statement's answer, written    output.c       where it goes       complaint.c  errors
 *   commands.c     dot and backslash commands       interactive.c  line editing        complete.c   the tab key
 *   progress.c     the bar on long statements       help.c         all help            text.c       a growing text
 *
 * Memory that runs out here ends the program with exit code 1: nothing of the lake is lost by that.
 */
#ifndef VARVE_CLI_H
#define VARVE_CLI_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "varve/varve.h"

enum exit_code {
    LEAVE_OK = 0,
    LEAVE_FATAL = 1,      /* bad usage, a lake or file that cannot be opened, output that cannot be written */
    LEAVE_CONNECTION = 2, /* serve: the address cannot be bound */
    LEAVE_SCRIPT = 3,     /* a statement failed */
};

/* ---- text.c ---------------------------------------------------------------------- */

/* A growing text; zero-initialise; ptr is NUL terminated once something was added. */
struct text {
    char *ptr;
    size_t len, cap;
};
void text_add(struct text *t, const void *bytes, size_t len);
void text_z(struct text *t, const char *z);
void text_char(struct text *t, char c);
void text_printf(struct text *t, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void text_clear(struct text *t);
void text_release(struct text *t);
/* 'it''s' */
void text_quoted(struct text *t, const char *value);
/* A table as SQL names it: plain names quoted, a directory with a Delta log as delta.`/path`, anything else (t@v3) as it stands. */
void text_table(struct text *t, const char *table);
void *must_alloc(size_t size_bytes); /* zeroed */
char *must_dup(const char *z);
/* The candidate with the smallest edit distance, or NULL when none is near. */
const char *nearest(const char *word, const char *const *candidates, size_t count);
/* Terminal columns of the UTF-8 text. */
size_t text_columns(const char *bytes, size_t len);
bool text_file(struct text *t, FILE *file); /* appends all of it; false: errno */

/* ---- options.c -------------------------------------------------------------------- */

enum option_id {
#define OPTION(ID, LONG, SHORT, ARG, GROUP, HELP) OPTION_##ID,
#include "cli/options.def"
#undef OPTION
    OPTION_COUNT
};
struct option_row {
    const char *name;
    char letter;          /* 0: none */
    const char *argument; /* NULL: none */
    const char *group, *help;
};
extern const struct option_row option_rows[OPTION_COUNT];

struct input {
    bool is_file;
    const char *text; /* SQL, or a file's name ("-": standard input) */
};
struct options {
    const char *lake, *mode, *output, *null_text, *init, *verb;
    char separator;
    bool no_headers, echo, timer, batch, quiet, read_only, not_durable, no_rc, help, version, json_errors;
    bool header, merge_schema;  /* ingest */
    const char *format, *limit; /* ingest; history */
    int bail;                   /* -1: the default of the input */
    int64_t memory_limit_bytes;
    int threads;
    struct input *inputs;
    int input_count;
    char **arguments; /* of the verb */
    int argument_count;
};
/* Borrows argv.  false: the complaint is on stderr. */
bool options_parse(int argc, char **argv, struct options *out);
void options_release(struct options *o);
/* "512MiB", "4 GB", "1048576"; false when it is not a size. */
bool size_parse(const char *text, int64_t *bytes);

/* ---- output.c ---------------------------------------------------------------------- */

/* Where answers go: standard output, a file, or a program's input. */
struct output {
    FILE *file;
    bool is_pipe, is_terminal;
    int failed_errno;       /* of the first write that failed */
    uint64_t written_bytes; /* since output_begin */
};
void output_standard(struct output *o);
/* "|program", "file"; "" or "stdout" is standard output. Closes what it was. false: the complaint is on stderr and nothing changed. */
bool output_open(struct output *o, const char *target);
int output_close(struct output *o);                             /* back to standard output; the errno when not everything could be written, else 0 */
bool output_write(void *output, const void *bytes, size_t len); /* a varve_write_fn */
bool output_flush(struct output *o);
/* Columns of the terminal behind fd; 0 when it is none. */
int terminal_columns(int fd);
/* Colours are for terminals, and not where NO_COLOR is set. */
bool terminal_has_colours(int fd);

/* ---- progress.c --------------------------------------------------------------------- */

/* A bar on stderr for statements that take longer than two seconds. */
struct progress {
    pthread_mutex_t lock;
    bool enabled, running, drawn;
    double started_s;
};
void progress_init(struct progress *p, bool enabled);
void progress_start(struct progress *p);
void progress_stop(struct progress *p);                               /* takes the bar off the screen */
void progress_report(void *progress, double fraction, uint64_t rows); /* a varve_progress_fn */

/* ---- shell.c -------------------------------------------------------------------------- */

struct settings {
    const char *mode; /* of varve_result_write */
    char *null_text;  /* NULL: the mode's own */
    char separator;   /* csv; 0: ',' */
    int64_t max_rows; /* box; 0: all; -1: 40 on a terminal, else all */
    int max_width;    /* box; 0: unlimited; -1: the terminal's */
    int bail;         /* -1: as the script's kind has it */
    bool headers, timer, echo, quiet, expanded, json_errors;
};
/* Where a statement came from, for complaints. */
struct origin {
    const char *file; /* NULL: not a file */
    int64_t offset;   /* of its first letter, in bytes */
    int64_t line;     /* 1-based */
    int64_t column;
};
struct shell {
    varve_db *db;
    varve_session *session;
    char *lake;
    bool read_only;
    struct settings settings;
    struct output output;
    bool once; /* output is for the next answer only */
    struct progress progress;
    bool interactive, leave, any_failed, interrupted;
    int lost_errno;   /* standard output or -o cannot be written (EPIPE: nobody reads): stop */
    int exit_code;    /* of .exit N; -1 */
    bool script_bail; /* of the script that runs */
    int read_depth;
    struct text last_statement;
};
/* An error of the library, as the settings have it: for a reader, or for a program. */
void shell_complain(const struct shell *sh, const varve_error *error, const struct origin *origin, const char *sql, size_t len);
/* Opens the lake; false: the complaint is on stderr. */
bool shell_open(struct shell *sh, const struct options *options);
void shell_close(struct shell *sh);
/* Ends the process when no more than that is left to do (main's last step); comes back in builds that look for leaks. */
void shell_leave(int code);
/* All of a file or text as a script. false when the caller should stop. */
/* Writes out what is buffered; on failure decides whether the shell can go on. */
bool shell_flush(struct shell *sh);
bool shell_run_text(struct shell *sh, const char *name, const char *text, size_t len, bool bail);
bool shell_run_file(struct shell *sh, const char *path, bool bail);
bool shell_run_stream(struct shell *sh, const char *name, int fd, bool bail);
void shell_run_rc(struct shell *sh, const struct options *options);
int shell_interactive(struct shell *sh); /* interactive.c */

/* Runs one statement (need not end in NUL) and writes its answer. false when it failed. */
bool shell_statement(struct shell *sh, const char *sql, size_t len, const struct origin *origin);
/* One the shell made up itself, with its answer in a mode (NULL: the current one). */
bool shell_ask(struct shell *sh, const char *sql, const char *mode);
/* The answer as CSV text instead, without headers; complaints are left in *error (to be freed). */
bool shell_fetch(struct shell *sh, const char *sql, struct text *csv, varve_error *error);

/* ---- script.c ------------------------------------------------------------------------------ */

/* A text that is run statement by statement, and may still grow at its end. */
struct script {
    const char *name; /* NULL: not a file */
    struct text text;
    size_t at;            /* everything before was run */
    int64_t offset;       /* of `at`, from the start of all */
    int64_t line, column; /* of `at` */
    bool ended;           /* nothing more comes */
    bool bail;            /* stop at the first failure, unless the settings say */
};
enum script_state { SCRIPT_WAITS, SCRIPT_STOPPED };
/* Runs what is complete. SCRIPT_WAITS: all of it was run, or the rest needs more text. SCRIPT_STOPPED: leave the script. */
enum script_state script_run(struct shell *sh, struct script *s);
/* Something other than blanks waits for its end. */
bool script_pending(const struct script *s);
void script_release(struct script *s);

/* ---- answer.c -------------------------------------------------------------------------------- */

/* Writes the answer in the current mode and frees it. */
bool answer_write(struct shell *sh, varve_result **result, const char *mode, varve_error *error);
/* "a","b" of one CSV line at *at; false at the end.  The fields point into the line, which is changed; a NULL is an empty field. */
bool csv_next(char *csv, size_t *at, char **fields, size_t max_fields, size_t *count);

/* ---- complaint.c -------------------------------------------------------------------------------- */

void complain(const char *fmt, ...) __attribute__((format(printf, 1, 2))); /* "error: …" */
void complain_hint(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* An error of the library, with the line of the statement it points at. origin and sql may be NULL. */
void complain_error(const varve_error *error, bool as_json, const struct origin *origin, const char *sql, size_t len);

/* ---- commands.c, complete.c, help.c, verbs.c ------------------------------------------------------- */

/* A line that begins with '.' or '\'. false when it failed. */
bool command_run(struct shell *sh, const char *line, size_t len);
/* Row i of the table of commands; false past the end. */
bool command_describe(size_t i, const char **dot, const char **backslash, const char **arguments, const char **help);
extern const char *const output_modes[]; /* NULL at the end */

/* What could stand for the word at the end of `line`; the statement so far is `before`. The words are the caller's to free. */
struct completions {
    char **words;
    size_t count, cap;
    size_t replaces; /* bytes at the end of the line that each word stands for */
};
void complete(struct shell *sh, const char *before, const char *line, size_t len, struct completions *out);
size_t completions_common(const struct completions *c); /* bytes all words begin with */
void completions_release(struct completions *c);

void help_main(FILE *to);
bool help_verb(FILE *to, const char *verb); /* false: no such verb */
void help_commands(FILE *to);
bool help_statement(FILE *to, const char *name); /* NULL: the list */
const char *statement_nearest(const char *name);
bool verb_exists(const char *name);
const char *verb_nearest(const char *name);
void version_print(FILE *to, bool as_json);

int verb_run(const struct options *options);

#endif
