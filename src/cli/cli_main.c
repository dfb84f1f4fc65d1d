/* cli/cli_main.c: the varve program. */
#include "cli/cli.h"

#include <errno.h>
#include <locale.h>
#include <string.h>
#include <unistd.h>

/* Terminal widths need a UTF-8 locale; numbers stay as C writes them. */
static void set_locale(void)
{
    if (!setlocale(LC_CTYPE, "") || strcmp(setlocale(LC_CTYPE, NULL), "C") == 0 || strcmp(setlocale(LC_CTYPE, NULL), "POSIX") == 0)
        setlocale(LC_CTYPE, "C.UTF-8");
}

/* -c and -f in the order they were given. */
static void run_inputs(struct shell *sh, const struct options *o)
{
    bool more = true;
    for (int i = 0; i < o->input_count && more; i++) {
        const struct input *in = &o->inputs[i];
        bool stream = in->is_file && strcmp(in->text, "-") == 0;
        more = in->is_file ? shell_run_file(sh, in->text, !stream) : shell_run_text(sh, NULL, in->text, strlen(in->text), true);
    }
}

static int exit_code_of(const struct shell *sh)
{
    if (sh->lost_errno)
        return sh->lost_errno == EPIPE ? LEAVE_OK : LEAVE_FATAL;
    if (sh->exit_code >= 0)
        return sh->exit_code;
    return sh->any_failed && !sh->interactive ? LEAVE_SCRIPT : LEAVE_OK;
}

static bool unreadable_input(const struct options *o)
{
    for (int i = 0; i < o->input_count; i++)
        if (o->inputs[i].is_file && strcmp(o->inputs[i].text, "-") != 0 && access(o->inputs[i].text, R_OK) != 0) {
            complain("cannot open \"%s\": %s", o->inputs[i].text, strerror(errno));
            return true;
        }
    if (o->init && access(o->init, R_OK) != 0) {
        complain("cannot open \"%s\": %s", o->init, strerror(errno));
        return true;
    }
    return false;
}

static int run_session(const struct options *o)
{
    struct shell sh;
    if (unreadable_input(o))
        return LEAVE_FATAL;
    if (!shell_open(&sh, o)) {
        shell_close(&sh);
        return LEAVE_FATAL;
    }
    shell_run_rc(&sh, o);
    if (!sh.leave && !sh.lost_errno) {
        if (o->input_count)
            run_inputs(&sh, o);
        else if (isatty(STDIN_FILENO) && !o->batch)
            shell_interactive(&sh);
        else
            shell_run_stream(&sh, NULL, STDIN_FILENO, false);
    }
    if (varve_in_transaction(sh.session) && !sh.any_failed) { /* after an error it is what was asked for */
        complain("the session ends inside of a transaction, which is rolled back");
        complain_hint("end it with COMMIT");
        sh.any_failed = true;
    }
    shell_close(&sh);
    return exit_code_of(&sh);
}

static int run(const struct options *o)
{
    if (o->version) {
        version_print(stdout, o->mode && strncmp(o->mode, "json", 4) == 0);
        return LEAVE_OK;
    }
    if (o->verb)
        return verb_run(o);
    if (o->help) {
        help_main(stdout);
        return LEAVE_OK;
    }
    return run_session(o);
}

int main(int argc, char **argv)
{
    struct options options;
    set_locale();
    int code = options_parse(argc, argv, &options) ? run(&options) : LEAVE_FATAL;
    if (fflush(stdout) != 0 && errno != EPIPE && code == LEAVE_OK) {
        complain("cannot write the output: %s", strerror(errno));
        code = LEAVE_FATAL;
    }
    options_release(&options);
    shell_leave(code);
    return code;
}
