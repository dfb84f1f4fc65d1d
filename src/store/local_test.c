/* What the local store adds to the common promises: races of processes, crashes, full and
 * forbidden disks, and file systems that lack something.  The system calls defined here
 * stand before libc's and can be told to misbehave. */
#include "store/store.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static struct {
    int link_errno;         /* linkat fails with it... */
    bool link_takes_effect; /* ...after doing its work */
    bool only_nameless;     /* ...and only for links of nameless files */
    bool no_nameless;       /* O_TMPFILE is unknown */
    int file_fsync_errno, dir_fsync_errno, rename_errno;
    int fsyncs, dir_fsyncs, stats, links;
} fake;

int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags)
{
    fake.links++;
    if (fake.link_errno && (!fake.only_nameless || strncmp(from, "/proc/", 6) == 0)) {
        if (fake.link_takes_effect)
            syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
        errno = fake.link_errno;
        return -1;
    }
    return (int)syscall(SYS_linkat, from_dir, from, to_dir, to, flags);
}

int fsync(int fd)
{
    struct stat st;
    bool is_dir = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
    fake.fsyncs++;
    fake.dir_fsyncs += is_dir;
    errno = is_dir ? fake.dir_fsync_errno : fake.file_fsync_errno;
    return errno ? -1 : (int)syscall(SYS_fsync, fd);
}

int renameat(int from_dir, const char *from, int to_dir, const char *to)
{
    errno = fake.rename_errno;
    return errno ? -1 : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, 0);
}

int fstatat(int dir, const char *restrict path, struct stat *restrict st, int flags)
{
    fake.stats++;
    return (int)syscall(SYS_newfstatat, dir, path, st, flags);
}

int openat(int dir, const char *path, int flags, ...)
{
    va_list args;
    va_start(args, flags);
    mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(args, mode_t) : 0;
    va_end(args);
    if (fake.no_nameless && (flags & O_TMPFILE) == O_TMPFILE) {
        errno = EOPNOTSUPP;
        return -1;
    }
    return (int)syscall(SYS_openat, dir, path, flags, mode);
}

struct fixture {
    struct ctx ctx;
    struct error err;
    struct store *store;
    char dir[64];
};

static void open_at(struct fixture *f, const char *path, bool durable)
{
    store_unref(f->store);
    struct store_local_options options = {.durable = durable};
    assert_int_equal(store_open_local(&f->ctx, str_of(path), options, &f->store, &f->err), STATUS_OK);
}

static int setup(void **state)
{
    struct fixture *f = *state = mem_calloc(1, sizeof *f);
    assert_non_null(f);
    memset(&fake, 0, sizeof fake);
    ctx_init(&f->ctx);
    f->ctx.log = NULL;
    f->err = ERROR_INIT;
    strcpy(f->dir, "/tmp/varve-local-test-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    open_at(f, f->dir, true);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw) { return remove(path); }

static int teardown(void **state)
{
    struct fixture *f = *state;
    store_unref(f->store);
    error_release(&f->err);
    umount2(f->dir, MNT_DETACH); /* only the full disk is mounted */
    nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    mem_free(f);
    return 0;
}

static enum store_result commit(struct fixture *f, const char *key, const char *text)
{
    return store_put_if_absent(f->store, &f->ctx, str_of(key), text, strlen(text), &f->err);
}

static enum store_result put(struct fixture *f, const char *key, const char *text)
{
    return store_put(f->store, &f->ctx, str_of(key), text, strlen(text), &f->err);
}

static void assert_holds(struct fixture *f, const char *key, const char *text)
{
    struct buf b = BUF_INIT;
    assert_int_equal(store_read(f->store, &f->ctx, str_of(key), &b, &f->err), STORE_OK);
    assert_true(str_eq(buf_view(&b), str_of(text)));
    buf_release(&b);
}

static bool collect(void *user, const struct store_entry *entry)
{
    buf_str(user, entry->key);
    buf_char(user, ' ');
    return true;
}

static void assert_lists(struct fixture *f, const char *prefix, const char *after, const char *want)
{
    struct buf b = BUF_INIT;
    assert_int_equal(store_list(f->store, &f->ctx, str_of(prefix), str_of(after), collect, &b, &f->err), STORE_OK);
    assert_string_equal(b.ptr ? b.ptr : "", want);
    buf_release(&b);
}

/* Names in a directory, temporary ones too. */
static int names_in(struct fixture *f, const char *below)
{
    char path[256];
    int count = 0;
    snprintf(path, sizeof path, "%s%s", f->dir, below);
    DIR *dir = opendir(path);
    if (!dir)
        return 0;
    for (struct dirent *entry; (entry = readdir(dir));)
        count += strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
    closedir(dir);
    return count;
}

/* ---- races and crashes ------------------------------------------------------- */

enum { RACERS = 6, RACE_KEYS = 60, RACE_BYTES = 20000 };

/* Each racer's object is its letter over and over. Exit code: no. of surprises, up to 100. */
static int race(const char *dir, int racer, int start_fd, int result_fd)
{
    struct ctx ctx;
    struct store *s = NULL;
    char won[RACE_KEYS], *bytes = malloc(RACE_BYTES), go;
    ctx_init(&ctx);
    if (!bytes || store_open_local(&ctx, str_of(dir), (struct store_local_options){.durable = racer % 2}, &s, NULL) != STATUS_OK)
        return 100;
    memset(bytes, 'A' + racer, RACE_BYTES);
    if (read(start_fd, &go, 1) != 0)
        return 100;
    int surprises = 0;
    for (int i = 0; i < RACE_KEYS; i++) {
        char key[64];
        snprintf(key, sizeof key, "t/d%d/%020d.json", i / 10, i);
        enum store_result result = store_put_if_absent(s, &ctx, str_of(key), bytes, RACE_BYTES, NULL);
        won[i] = result == STORE_OK;
        surprises += result != STORE_OK && result != STORE_EXISTS;
        struct buf b = BUF_INIT;
        surprises += store_read(s, &ctx, str_of(key), &b, NULL) != STORE_OK || b.len != RACE_BYTES || b.ptr[0] != b.ptr[b.len - 1];
        buf_release(&b);
    }
    surprises += write(result_fd, won, sizeof won) != sizeof won;
    store_unref(s);
    free(bytes);
    return surprises > 100 ? 100 : surprises;
}

static void run_race(struct fixture *f)
{
    int start[2], results[RACERS][2];
    pid_t racers[RACERS];
    assert_int_equal(pipe(start), 0);
    for (int r = 0; r < RACERS; r++) {
        assert_int_equal(pipe(results[r]), 0);
        racers[r] = fork();
        assert_true(racers[r] >= 0);
        if (racers[r] == 0) {
            close(start[1]);
            _exit(race(f->dir, r, start[0], results[r][1]));
        }
        close(results[r][1]);
    }
    close(start[0]);
    close(start[1]); /* go */
    int winner[RACE_KEYS], wins[RACE_KEYS] = {0};
    for (int r = 0; r < RACERS; r++) {
        char won[RACE_KEYS];
        int status;
        assert_int_equal(read(results[r][0], won, sizeof won), sizeof won);
        close(results[r][0]);
        assert_int_equal(waitpid(racers[r], &status, 0), racers[r]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
        for (int i = 0; i < RACE_KEYS; i++)
            if (won[i]) {
                wins[i]++;
                winner[i] = r;
            }
    }
    for (int i = 0; i < RACE_KEYS; i++) {
        char key[64];
        struct buf b = BUF_INIT;
        snprintf(key, sizeof key, "t/d%d/%020d.json", i / 10, i);
        assert_int_equal(wins[i], 1);
        assert_int_equal(store_read(f->store, &f->ctx, str_of(key), &b, &f->err), STORE_OK);
        assert_int_equal(b.len, RACE_BYTES);
        for (size_t k = 0; k < b.len; k++)
            assert_int_equal(b.ptr[k], 'A' + winner[i]);
        buf_release(&b);
    }
    for (int d = 0; d < RACE_KEYS / 10; d++) {
        char below[16];
        snprintf(below, sizeof below, "/t/d%d", d);
        assert_int_equal(names_in(f, below), 10);
    }
}

static void one_of_many_processes_wins(void **state) { run_race(*state); }

static void one_wins_with_named_temporaries_too(void **state)
{
    fake.no_nameless = true;
    run_race(*state);
}

/* A writer killed at a random moment leaves whole objects only, and nothing that a list shows. */
static void killed_writers_leave_whole_objects(void **state)
{
    struct fixture *f = *state;
    char *bytes = mem_alloc(RACE_BYTES);
    assert_non_null(bytes);
    memset(bytes, 'k', RACE_BYTES);
    for (int round = 0; round < 12; round++) {
        pid_t writer = fork();
        assert_true(writer >= 0);
        if (writer == 0) {
            fake.no_nameless = round % 2;
            for (int i = 0;; i++) {
                char key[64];
                snprintf(key, sizeof key, "k/%d-%d", round, i);
                if (round % 3)
                    store_put_if_absent(f->store, &f->ctx, str_of(key), bytes, RACE_BYTES, NULL);
                else
                    store_put(f->store, &f->ctx, STR("k/same"), bytes, RACE_BYTES, NULL);
            }
        }
        usleep(8000 + (unsigned)round * 1777);
        kill(writer, SIGKILL);
        waitpid(writer, NULL, 0);
    }
    struct buf keys = BUF_INIT;
    assert_int_equal(store_list(f->store, &f->ctx, STR("k/"), STR(""), collect, &keys, &f->err), STORE_OK);
    assert_true(keys.len > 0);
    for (char *at = keys.ptr, *end; (end = strchr(at, ' ')); at = end + 1) {
        struct buf b = BUF_INIT;
        struct str key = {at, (size_t)(end - at)};
        assert_false(str_starts(key, STR("k/.")));
        assert_int_equal(store_read(f->store, &f->ctx, key, &b, &f->err), STORE_OK);
        assert_int_equal(b.len, RACE_BYTES);
        buf_release(&b);
    }
    buf_release(&keys);
    mem_free(bytes);
}

static void leftovers_of_a_crash_are_hidden(void **state)
{
    struct fixture *f = *state;
    char path[256];
    assert_int_equal(commit(f, "t/a", "1"), STORE_OK);
    assert_int_equal(commit(f, "t/.hidden", "1"), STORE_OK);
    snprintf(path, sizeof path, "%s/t/.varve-tmp-0123456789abcdef", f->dir);
    int fd = open(path, O_CREAT | O_WRONLY, 0666);
    assert_true(fd >= 0);
    close(fd);
    assert_lists(f, "", "", "t/.hidden t/a ");
    assert_lists(f, "t/.varve-tmp-", "", "");
}

static void age(const struct fixture *f, const char *name, int hours)
{
    char path[256];
    snprintf(path, sizeof path, "%s/%s", f->dir, name);
    int fd = open(path, O_CREAT | O_WRONLY, 0666);
    assert_true(fd >= 0);
    struct timespec then[2] = {{.tv_sec = time(NULL) - hours * 3600L}, {.tv_sec = time(NULL) - hours * 3600L}};
    assert_int_equal(futimens(fd, then), 0);
    close(fd);
}

static void a_writer_sweeps_old_leftovers(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(commit(f, "t/a", "1"), STORE_OK);
    age(f, "t/.varve-tmp-00000000000000aa", 25);
    age(f, "t/.varve-tmp-00000000000000ab", 23); /* may be being written */
    age(f, "t/.other-tmp-00000000000000ac", 1000);
    assert_int_equal(names_in(f, "/t"), 4);
    assert_int_equal(store_put(f->store, &f->ctx, STR("t/b"), "1", 1, &f->err), STORE_OK);
    assert_int_equal(names_in(f, "/t"), 4);
    assert_lists(f, "", "", "t/.other-tmp-00000000000000ac t/a t/b ");
    age(f, "t/.varve-tmp-00000000000000ad", 25); /* a store looks at a directory once */
    assert_int_equal(store_put(f->store, &f->ctx, STR("t/b"), "2", 1, &f->err), STORE_OK);
    assert_int_equal(names_in(f, "/t"), 5);
    age(f, ".varve-tmp-00000000000000ae", 25);
    fake.no_nameless = true;
    assert_int_equal(commit(f, "c", "1"), STORE_OK);
    assert_int_equal(names_in(f, ""), 2); /* t and c */
}

/* ---- file systems that lack something ------------------------------------------- */

static void named_temporaries_do_as_well(void **state)
{
    struct fixture *f = *state;
    fake.no_nameless = true;
    assert_int_equal(commit(f, "a", "one"), STORE_OK);
    assert_int_equal(commit(f, "a", "two"), STORE_EXISTS);
    assert_holds(f, "a", "one");
    assert_int_equal(names_in(f, ""), 1);
}

static void without_proc_a_name_is_used(void **state)
{
    struct fixture *f = *state;
    fake.link_errno = ENOENT;
    fake.only_nameless = true;
    assert_int_equal(commit(f, "a", "one"), STORE_OK);
    assert_int_equal(fake.links, 2);
    assert_int_equal(commit(f, "b", "two"), STORE_OK);
    assert_int_equal(fake.links, 3);
    assert_holds(f, "a", "one");
    assert_int_equal(names_in(f, ""), 2);
}

static void without_links_the_name_is_made_exclusively(void **state)
{
    const int refusals[] = {EPERM, ENOSYS, EOPNOTSUPP};
    struct fixture *f = *state;
    for (size_t i = 0; i < VV_ARRAY_COUNT(refusals); i++) {
        char key[8] = {(char)('a' + i)};
        fake.link_errno = refusals[i];
        assert_int_equal(commit(f, key, "one"), STORE_OK);
        assert_int_equal(commit(f, key, "two"), STORE_EXISTS);
        assert_holds(f, key, "one");
        assert_int_equal(names_in(f, ""), (int)i + 1);
    }
    fake.file_fsync_errno = EIO;
    assert_int_equal(commit(f, "z", "one"), STORE_FAILED);
    assert_int_equal(names_in(f, ""), VV_ARRAY_COUNT(refusals));
}

static void the_race_is_also_decided_without_links(void **state)
{
    struct fixture *f = *state;
    fake.link_errno = EPERM;
    int status, wins = 0;
    pid_t racers[4];
    for (int r = 0; r < 4; r++)
        if ((racers[r] = fork()) == 0)
            _exit(commit(f, "only", "x") == STORE_OK);
    for (int r = 0; r < 4; r++) {
        waitpid(racers[r], &status, 0);
        wins += WEXITSTATUS(status);
    }
    assert_int_equal(wins, 1);
}

static void a_link_with_a_lost_reply_has_won(void **state)
{
    const int replies[] = {EEXIST, EIO, EINTR};
    struct fixture *f = *state;
    for (int i = 0; i < 6; i++) {
        char key[8] = {(char)('a' + i)};
        fake.link_errno = replies[i % 3];
        fake.link_takes_effect = true;
        fake.no_nameless = i >= 3;
        assert_int_equal(commit(f, key, "mine"), STORE_OK);
        assert_holds(f, key, "mine");
        fake.link_takes_effect = false;
    }
    fake.link_errno = EIO;
    assert_int_equal(commit(f, "z", "x"), STORE_FAILED);
    assert_int_equal(names_in(f, ""), 6);
}

/* ---- durability ------------------------------------------------------------------ */

static void flushes_are_made_and_left_out(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(commit(f, "a", "1"), STORE_OK);
    assert_int_equal(fake.fsyncs, 2);
    assert_int_equal(fake.dir_fsyncs, 1);
    assert_int_equal(put(f, "a", "2"), STORE_OK);
    assert_int_equal(fake.fsyncs, 4);
    assert_int_equal(fake.dir_fsyncs, 2);
    assert_int_equal(commit(f, "x/y/z", "1"), STORE_OK); /* root, x and x/y: one each, file: one */
    assert_int_equal(fake.dir_fsyncs, 5);
    assert_int_equal(commit(f, "a", "late"), STORE_EXISTS);
    assert_int_equal(fake.fsyncs, 8);
    struct str keys[] = {STR("x/y/z"), STR("a")};
    assert_int_equal(store_sync(f->store, &f->ctx, keys, 2, &f->err), STORE_OK);
    assert_int_equal(fake.fsyncs, 8 + 2 + 3);
    fake.fsyncs = 0;
    open_at(f, f->dir, false);
    assert_int_equal(commit(f, "m/n/o", "1"), STORE_OK);
    assert_int_equal(put(f, "m/n/o", "1"), STORE_OK);
    assert_int_equal(store_prepare(f->store, &f->ctx, STR("q/r"), &f->err), STORE_OK);
    assert_int_equal(store_sync(f->store, &f->ctx, keys, 2, &f->err), STORE_OK);
    assert_int_equal(fake.fsyncs, 0);
}

static void a_failed_flush_of_the_file_is_a_failure(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "old", "old"), STORE_OK);
    fake.file_fsync_errno = EIO;
    for (int named = 0; named < 2; named++) {
        fake.no_nameless = named;
        assert_int_equal(commit(f, "a", "1"), STORE_FAILED);
        assert_int_equal(f->err.code, STATUS_STORE_IO);
        assert_non_null(strstr(f->err.message, f->dir));
    }
    assert_int_equal(put(f, "old", "new"), STORE_FAILED);
    struct str key = STR("old");
    assert_int_equal(store_sync(f->store, &f->ctx, &key, 1, &f->err), STORE_FAILED);
    assert_holds(f, "old", "old");
    assert_int_equal(names_in(f, ""), 1);
}

static void a_failed_flush_of_the_directory_leaves_it_unknown(void **state)
{
    struct fixture *f = *state;
    fake.dir_fsync_errno = EIO;
    assert_int_equal(commit(f, "a", "1"), STORE_UNKNOWN);
    assert_holds(f, "a", "1");
    assert_int_equal(put(f, "b", "1"), STORE_UNKNOWN);
    assert_null(f->err.message);
    assert_int_equal(commit(f, "new/dir/c", "1"), STORE_FAILED); /* before the link: nothing is there */
    assert_int_equal(names_in(f, "/new/dir"), 0);
    fake.dir_fsync_errno = EINVAL; /* directories of this mount cannot be flushed */
    assert_int_equal(commit(f, "d", "1"), STORE_OK);
}

static void a_failed_rename_leaves_the_old(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(put(f, "a", "old"), STORE_OK);
    fake.rename_errno = ENOSPC;
    assert_int_equal(put(f, "a", "new"), STORE_FAILED);
    assert_int_equal(f->err.code, STATUS_STORE_FULL);
    assert_holds(f, "a", "old");
    assert_int_equal(names_in(f, ""), 1);
}

static void sync_names_the_missing_file(void **state)
{
    struct fixture *f = *state;
    struct str keys[] = {STR("no/such"), STR("file")};
    assert_int_equal(store_sync(f->store, &f->ctx, keys, 2, &f->err), STORE_FAILED);
    assert_int_equal(f->err.code, STATUS_FILE_NOT_FOUND);
    assert_non_null(strstr(f->err.message, "no/such"));
}

/* ---- full and forbidden ------------------------------------------------------------ */

static void fill_and_check(struct fixture *f)
{
    char *bytes = mem_alloc(1 << 20), key[32];
    assert_non_null(bytes);
    memset(bytes, 'x', 1 << 20);
    assert_int_equal(put(f, "t/old", "old"), STORE_OK);
    for (int named = 0; named < 2; named++) {
        fake.no_nameless = named;
        snprintf(key, sizeof key, "t/too-large-%d", named);
        assert_int_equal(store_put_if_absent(f->store, &f->ctx, str_of(key), bytes, 1 << 20, &f->err), STORE_FAILED);
        assert_int_equal(f->err.code, STATUS_STORE_FULL);
        assert_non_null(strstr(f->err.message, key));
        assert_int_equal(names_in(f, "/t"), 1);
    }
    fake.link_errno = EPERM;
    assert_int_equal(store_put_if_absent(f->store, &f->ctx, STR("t/excl"), bytes, 1 << 20, &f->err), STORE_FAILED);
    fake.link_errno = 0;
    assert_int_equal(store_put(f->store, &f->ctx, STR("t/old"), bytes, 1 << 20, &f->err), STORE_FAILED);
    assert_int_equal(f->err.code, STATUS_STORE_FULL);
    assert_holds(f, "t/old", "old");
    assert_int_equal(names_in(f, "/t"), 1);
    assert_int_equal(commit(f, "t/small", "fits"), STORE_OK);
    mem_free(bytes);
}

static void a_full_disk_leaves_nothing_behind(void **state)
{
    struct fixture *f = *state;
    if (mount("tmpfs", f->dir, "tmpfs", 0, "size=256k") != 0) {
        print_message("skipped: no small tmpfs can be mounted here: %s\n", strerror(errno));
        skip();
    }
    fill_and_check(f);
}

/* Root may write anywhere, so this is tried as nobody. */
static int try_as_nobody(struct fixture *f)
{
    struct buf b = BUF_INIT;
    if (getuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0))
        return 10;
    if (commit(f, "t/new", "1") != STORE_FAILED || f->err.code != STATUS_STORE_PERMISSION)
        return 1;
    if (!strstr(f->err.message, "t/new"))
        return 2;
    if (put(f, "t/old", "new") != STORE_FAILED || f->err.code != STATUS_STORE_PERMISSION)
        return 3;
    if (commit(f, "t/deep/er/x", "1") != STORE_FAILED || f->err.code != STATUS_STORE_PERMISSION)
        return 4;
    if (store_remove(f->store, &f->ctx, STR("t/old"), &f->err) != STORE_FAILED || f->err.code != STATUS_STORE_PERMISSION)
        return 5;
    if (store_read(f->store, &f->ctx, STR("t/old"), &b, &f->err) != STORE_OK || b.len != 3)
        return 6;
    if (store_read(f->store, &f->ctx, STR("t/secret"), &b, &f->err) != STORE_FAILED || f->err.code != STATUS_STORE_PERMISSION)
        return 7;
    if (store_list(f->store, &f->ctx, STR("closed/"), STR(""), collect, &b, &f->err) != STORE_FAILED || f->err.code != STATUS_STORE_PERMISSION)
        return 8;
    return 0;
}

static void a_forbidden_directory_is_named(void **state)
{
    struct fixture *f = *state;
    char path[256];
    int status;
    assert_int_equal(put(f, "t/old", "old"), STORE_OK);
    assert_int_equal(put(f, "t/secret", "old"), STORE_OK);
    assert_int_equal(put(f, "closed/x", "x"), STORE_OK);
    chmod(f->dir, 0755);
    snprintf(path, sizeof path, "%s/t/secret", f->dir);
    chmod(path, 0);
    snprintf(path, sizeof path, "%s/closed", f->dir);
    chmod(path, 0);
    snprintf(path, sizeof path, "%s/t", f->dir);
    chmod(path, 0555);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(try_as_nobody(f));
    waitpid(child, &status, 0);
    chmod(path, 0755);
    snprintf(path, sizeof path, "%s/closed", f->dir);
    chmod(path, 0755);
    assert_int_equal(WEXITSTATUS(status), 0);
    assert_int_equal(names_in(f, "/t"), 2);
}

/* ---- odd things in the tree ---------------------------------------------------------- */

static void what_is_no_object_is_not_shown(void **state)
{
    struct fixture *f = *state;
    char path[256], target[256];
    struct buf b = BUF_INIT;
    assert_int_equal(put(f, "a/file", "1"), STORE_OK);
    snprintf(path, sizeof path, "%s/a/pipe", f->dir);
    assert_int_equal(mkfifo(path, 0666), 0);
    snprintf(path, sizeof path, "%s/a/loop", f->dir);
    assert_int_equal(symlink(f->dir, path), 0);
    snprintf(path, sizeof path, "%s/a/dangling", f->dir);
    assert_int_equal(symlink("nowhere", path), 0);
    snprintf(path, sizeof path, "%s/a/by-link", f->dir);
    assert_int_equal(symlink("file", path), 0);
    assert_int_equal(put(f, "other/x", "1"), STORE_OK);
    snprintf(path, sizeof path, "%s/dir-link", f->dir);
    snprintf(target, sizeof target, "%s/other", f->dir);
    assert_int_equal(symlink(target, path), 0);
    assert_lists(f, "", "", "a/by-link a/file dir-link/x other/x ");
    assert_int_equal(store_read(f->store, &f->ctx, STR("a/pipe"), &b, &f->err), STORE_NOT_FOUND);
    assert_int_equal(store_read(f->store, &f->ctx, STR("a"), &b, &f->err), STORE_NOT_FOUND);
    assert_int_equal(store_read(f->store, &f->ctx, STR("a/file/below"), &b, &f->err), STORE_NOT_FOUND);
    assert_int_equal(commit(f, "a", "1"), STORE_FAILED);
    assert_non_null(strstr(f->err.message, "not a regular file"));
    assert_int_equal(put(f, "a", "1"), STORE_FAILED);
    assert_int_equal(commit(f, "a/file/below", "1"), STORE_FAILED);
    assert_int_equal(store_prepare(f->store, &f->ctx, STR("a/file"), &f->err), STORE_FAILED);
    assert_int_equal(store_prepare(f->store, &f->ctx, STR("a/file/below"), &f->err), STORE_FAILED);
    assert_int_equal(store_remove(f->store, &f->ctx, STR("a"), &f->err), STORE_OK);
    assert_holds(f, "a/file", "1");
}

static void names_too_long_are_refused(void **state)
{
    struct fixture *f = *state;
    char *key = mem_alloc(5001);
    assert_non_null(key);
    memset(key, 'k', 5000);
    key[5000] = '\0';
    assert_int_equal(commit(f, key, "1"), STORE_FAILED);
    assert_int_equal(f->err.code, STATUS_INVALID_ARGUMENT);
    key[300] = '\0';
    assert_int_equal(commit(f, key, "1"), STORE_FAILED);
    assert_int_equal(f->err.code, STATUS_INVALID_ARGUMENT);
    mem_free(key);
}

static void what_is_skipped_is_not_looked_at(void **state)
{
    struct fixture *f = *state;
    open_at(f, f->dir, false);
    for (int i = 0; i < 300; i++) {
        char key[64];
        snprintf(key, sizeof key, "t/_delta_log/%020d.json", i);
        assert_int_equal(commit(f, key, "{}"), STORE_OK);
    }
    fake.stats = 0;
    assert_lists(f, "t/_delta_log/", "t/_delta_log/00000000000000000297.json",
                 "t/_delta_log/00000000000000000298.json t/_delta_log/00000000000000000299.json ");
    assert_int_equal(fake.stats, 2);
}

/* ---- opening --------------------------------------------------------------------------- */

static void opening(void **state)
{
    struct fixture *f = *state;
    struct store *s = NULL;
    struct store_local_options must = {.must_exist = true};
    char path[256], old_dir[4096];
    snprintf(path, sizeof path, "%s/not/there", f->dir);
    assert_int_equal(store_open_local(&f->ctx, str_of(path), must, &s, &f->err), STATUS_FILE_NOT_FOUND);
    assert_null(s);
    assert_non_null(strstr(f->err.message, path));
    assert_int_equal(store_open_local(&f->ctx, STR(""), must, &s, &f->err), STATUS_INVALID_ARGUMENT);
    open_at(f, path, true);
    assert_lists(f, "", "", "");
    assert_int_equal(commit(f, "made", "1"), STORE_OK);
    assert_holds(f, "made", "1");
    snprintf(path, sizeof path, "%s/not/there/made", f->dir);
    assert_int_equal(store_open_local(&f->ctx, str_of(path), must, &s, &f->err), STATUS_INVALID_ARGUMENT);
    assert_non_null(getcwd(old_dir, sizeof old_dir));
    assert_int_equal(chdir(f->dir), 0);
    open_at(f, "not/there///", true);
    assert_int_equal(chdir(old_dir), 0);
    assert_true(str_ends(f->store->root, STR("/not/there")));
    assert_holds(f, "made", "1");
    struct buf b = BUF_INIT;
    store_locate(f->store, STR("made"), &b);
    assert_string_equal(b.ptr, path);
    buf_release(&b);
    open_at(f, "/", false);
    assert_int_equal(store_read(f->store, &f->ctx, str_of(path + 1), &b, &f->err), STORE_OK);
    buf_clear(&b);
    store_locate(f->store, STR("etc/hosts"), &b);
    assert_string_equal(b.ptr, "/etc/hosts");
    buf_release(&b);
    alloc_fail_after(1);
    assert_int_equal(store_open_local(&f->ctx, STR("/tmp"), must, &s, &f->err), STATUS_OUT_OF_MEMORY);
}

#define TEST(NAME) cmocka_unit_test_setup_teardown(NAME, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(one_of_many_processes_wins),
        TEST(one_wins_with_named_temporaries_too),
        TEST(killed_writers_leave_whole_objects),
        TEST(leftovers_of_a_crash_are_hidden),
        TEST(a_writer_sweeps_old_leftovers),
        TEST(named_temporaries_do_as_well),
        TEST(without_proc_a_name_is_used),
        TEST(without_links_the_name_is_made_exclusively),
        TEST(the_race_is_also_decided_without_links),
        TEST(a_link_with_a_lost_reply_has_won),
        TEST(flushes_are_made_and_left_out),
        TEST(a_failed_flush_of_the_file_is_a_failure),
        TEST(a_failed_flush_of_the_directory_leaves_it_unknown),
        TEST(a_failed_rename_leaves_the_old),
        TEST(sync_names_the_missing_file),
        TEST(a_full_disk_leaves_nothing_behind),
        TEST(a_forbidden_directory_is_named),
        TEST(what_is_no_object_is_not_shown),
        TEST(names_too_long_are_refused),
        TEST(what_is_skipped_is_not_looked_at),
        TEST(opening),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
