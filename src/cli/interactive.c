/* cli/interactive.c: the shell on a terminal, by libedit.
 *
 * While a line is edited Ctrl-C is a key (the terminal sends no signal for it): it drops what was typed.  While a statement runs the terminal is back
 * in its usual state: Ctrl-C is a signal, and cancels the statement (shell.c).
 */
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <histedit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { HISTORY_ENTRIES = 5000, LISTED_WORDS = 200 };

struct editing {
    struct shell *sh;
    EditLine *editor;
    History *history;
    struct script script;
    struct text entry; /* lines of the statement being typed, for the history */
    char *history_path;
    bool dropped; /* Ctrl-C was typed */
};

static struct editing *editing_of(EditLine *editor)
{
    void *data = NULL;
    el_get(editor, EL_CLIENTDATA, &data);
    return data;
}

static char *prompt(EditLine *editor)
{
    static char first[] = "varve> ", more[] = "   ..> ";
    return script_pending(&editing_of(editor)->script) ? more : first;
}

/* ---- keys -------------------------------------------------------------------------------- */

static unsigned char key_drop(EditLine *editor, int key)
{
    (void)key;
    editing_of(editor)->dropped = true;
    fputs("^C", stdout);
    return CC_NEWLINE;
}

static void list_words(const struct completions *c)
{
    int width = terminal_columns(STDOUT_FILENO), widest = 0;
    for (size_t i = 0; i < c->count && i < LISTED_WORDS; i++) {
        int columns = (int)text_columns(c->words[i], strlen(c->words[i])) + 2;
        widest = columns > widest ? columns : widest;
    }
    int across = widest > 0 && width > widest ? width / widest : 1;
    for (size_t i = 0; i < c->count && i < LISTED_WORDS; i++)
        printf("%s%-*s", i % (size_t)across == 0 ? "\n" : "", widest, c->words[i]);
    if (c->count > LISTED_WORDS)
        printf("\n… and %zu more", c->count - LISTED_WORDS);
    putchar('\n');
    fflush(stdout);
}

/* Puts `word` (its first len bytes) where the typed part stands. */
static bool replace_word(EditLine *editor, size_t replaces, const char *word, size_t len, bool whole)
{
    struct text t = {0};
    text_add(&t, word, len);
    if (whole)
        text_char(&t, ' ');
    el_deletestr(editor, (int)replaces);
    bool ok = el_insertstr(editor, t.ptr) == 0;
    text_release(&t);
    return ok;
}

static unsigned char key_complete(EditLine *editor, int key)
{
    (void)key;
    struct editing *e = editing_of(editor);
    const LineInfo *line = el_line(editor);
    struct completions c;
    unsigned char answer = CC_ERROR;
    const char *before = e->script.text.ptr ? e->script.text.ptr : "";
    complete(e->sh, script_pending(&e->script) ? before : "", line->buffer, (size_t)(line->cursor - line->buffer), &c);
    size_t common = completions_common(&c);
    if (c.count == 1 || common > c.replaces) {
        if (replace_word(editor, c.replaces, c.words[0], common, c.count == 1))
            answer = CC_REFRESH;
    } else if (c.count > 1) {
        list_words(&c);
        answer = CC_REDISPLAY;
    }
    completions_release(&c);
    return answer;
}

/* ---- history ------------------------------------------------------------------------------- */

static char *history_file(void)
{
    const char *home = getenv("HOME");
    struct text path = {0};
    if (!home || !*home)
        return NULL;
    text_printf(&path, "%s/.varve_history", home);
    return path.ptr;
}

static void history_open(struct editing *e)
{
    HistEvent event;
    e->history = history_init();
    if (!e->history)
        return;
    history(e->history, &event, H_SETSIZE, HISTORY_ENTRIES);
    history(e->history, &event, H_SETUNIQUE, 1);
    e->history_path = history_file();
    if (e->history_path)
        history(e->history, &event, H_LOAD, e->history_path);
    el_set(e->editor, EL_HIST, history, e->history);
}

/* Statements may hold what is nobody else's business. */
static void history_save(struct editing *e)
{
    HistEvent event;
    int fd = e->history_path ? open(e->history_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600) : -1;
    if (fd < 0)
        return;
    close(fd);
    history(e->history, &event, H_SAVE, e->history_path);
    chmod(e->history_path, 0600);
}

/* A statement is one entry, on one line unless a comment ends with its line. */
static void history_add(struct editing *e)
{
    HistEvent event;
    struct text *t = &e->entry;
    while (t->len && strchr(" \t\r\n", t->ptr[t->len - 1]))
        t->ptr[--t->len] = '\0';
    if (!e->history || t->len == 0)
        return;
    if (!strstr(t->ptr, "--"))
        for (char *p = t->ptr; *p; p++)
            *p = *p == '\n' ? ' ' : *p;
    history(e->history, &event, H_ENTER, t->ptr);
    text_clear(t);
    history_save(e);
}

/* ---- the loop -------------------------------------------------------------------------------- */

static bool editor_open(struct editing *e)
{
    e->editor = el_init("varve", stdin, stdout, stderr);
    if (!e->editor) {
        complain("the terminal cannot be used for editing");
        return false;
    }
    el_set(e->editor, EL_CLIENTDATA, e);
    el_set(e->editor, EL_PROMPT, prompt);
    el_set(e->editor, EL_EDITOR, "emacs");
    el_set(e->editor, EL_SIGNAL, 1);                                                     /* a window that changes its size, a stop and a continue */
    el_wset(e->editor, EL_ADDFN, L"varve-complete", L"complete the word", key_complete); /* the narrow form leaks copies of these */
    el_wset(e->editor, EL_ADDFN, L"varve-drop", L"drop the statement", key_drop);
    el_set(e->editor, EL_BIND, "^I", "varve-complete", NULL);
    el_set(e->editor, EL_SETTY, "-d", "-isig", NULL);
    el_set(e->editor, EL_BIND, "^C", "varve-drop", NULL);
    el_set(e->editor, EL_BIND, "^R", "em-inc-search-prev", NULL);
    history_open(e);
    el_source(e->editor, NULL);
    return true;
}

static void drop_statement(struct editing *e)
{
    e->dropped = false;
    text_clear(&e->script.text);
    text_clear(&e->entry);
    e->script.at = 0;
    putchar('\n');
}

/* false at the end of the input. */
static bool read_line(struct editing *e)
{
    int len = 0;
    el_set(e->editor, EL_PREP_TERM, 1); /* before the prompt is seen: what is typed after it must be keys, not signals */
    const char *line = el_gets(e->editor, &len);
    if (e->dropped) {
        drop_statement(e);
        return true;
    }
    if (!line || len <= 0)
        return line == NULL && len < 0 && errno == EINTR;
    text_add(&e->script.text, line, (size_t)len);
    text_add(&e->entry, line, (size_t)len);
    if (script_run(e->sh, &e->script) == SCRIPT_STOPPED && !e->sh->leave && !e->sh->lost_errno)
        drop_statement(e);
    if (!script_pending(&e->script)) {
        e->script.line = 0;
        history_add(e);
    }
    return true;
}

static void greet(const struct shell *sh)
{
    if (!sh->settings.quiet)
        printf("varve %s (engine: duckdb %s), lake \"%s\"%s\nStatements end in ';'. .help lists the commands, \\h the SQL statements.\n",
               varve_version(), varve_engine_version(), sh->lake, sh->read_only ? ", read only" : "");
}

int shell_interactive(struct shell *sh)
{
    struct editing e = {.sh = sh};
    sh->interactive = true;
    greet(sh);
    if (!editor_open(&e))
        return LEAVE_FATAL;
    bool more = true;
    while (more && !sh->leave && !sh->lost_errno)
        more = read_line(&e);
    if (!more)
        putchar('\n');
    if (e.history)
        history_end(e.history);
    el_end(e.editor);
    free(e.history_path);
    text_release(&e.entry);
    script_release(&e.script);
    return LEAVE_OK;
}
