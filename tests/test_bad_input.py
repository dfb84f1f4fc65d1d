"""Bad input on purpose: the same clear error through the shell, HTTP and the C interface, and the table as it was."""
import gzip
import json
import os
import pathlib
import random
import resource
import shutil
import stat
import subprocess
import tempfile
import time

import pytest

import capi
import program as programs

GIB = 1 << 30
NOBODY = 65534


class Doors:
    """One lake behind a shell session, a server, and the C interface where the library is built."""

    def __init__(self, program, lake):
        self.program, self.lake = program, lake
        lake.mkdir(parents=True)  # a server does not start on a lake that is not there
        self.shell = programs.Session(program, lake)
        self.server = programs.Server(program, lake)
        self.library = None if capi.why_no_library() else capi.Session(lake)

    def close(self):
        self.shell.close()
        self.server.stop()
        if self.library:
            self.library.close()

    def refused(self, sql):
        """The problem, after checking that every door says the same."""
        with pytest.raises(programs.Failed) as by_shell:
            self.shell.attempt(sql)
        problem = by_shell.value.problem
        reply = self.server.query(sql, timeout=300)
        assert reply.status == problem["status"], (reply.status, reply.body[:500], problem)
        assert reply.headers["Content-Type"] == "application/problem+json"
        same = [without_instance(reply.json())]
        if self.library:
            with pytest.raises(capi.Refused) as by_library:
                self.library.csv(sql)
            same.append({**without_instance(problem), **by_library.value.problem})
        for other in same:
            assert other == without_instance(problem)
        assert problem["detail"] and "INTERNAL" != problem["code"]
        return problem


def without_instance(problem):
    return {key: value for key, value in problem.items() if key != "instance"}


@pytest.fixture(scope="module")
def doors(program, work):
    opened = Doors(program, work / "lake")
    yield opened
    opened.close()


def picture(table):
    """Every file of a table and its bytes."""
    table = pathlib.Path(table)
    return {str(p.relative_to(table)): (p.stat().st_size, p.read_bytes() if "_delta_log" in p.parts else None) for p in table.rglob("*") if p.is_file()}


# ---- files for COPY INTO -----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def target(doors):
    doors.shell.query("CREATE TABLE target (symbol string, n int) USING DELTA")
    doors.shell.query("INSERT INTO target VALUES ('AAPL', 1)")
    return pathlib.Path(doors.lake / "default/target")


def copy(path, kind, options="'header' = 'true'"):
    extra = f" FORMAT_OPTIONS ({options})" if kind == "CSV" else ""
    return f"COPY INTO target FROM '{path}' FILEFORMAT = {kind}{extra}"


def parquet_bytes():
    import io

    import pyarrow as pa
    import pyarrow.parquet as pq

    out = io.BytesIO()
    pq.write_table(pa.table({"symbol": ["x"] * 1000, "n": pa.array(range(1000), pa.int32())}), out)
    return out.getvalue()


RANDOM = random.Random(1).randbytes(100_000)
GOOD_PARQUET = parquet_bytes()
BAD_FILES = {
    # name: (bytes, format, codes that may come)
    "truncated.parquet": (GOOD_PARQUET[:-100], "PARQUET", {"CORRUPT_DATA"}),
    "half.parquet": (GOOD_PARQUET[:len(GOOD_PARQUET) // 2], "PARQUET", {"CORRUPT_DATA"}),
    "broken-inside.parquet": (GOOD_PARQUET[:4] + b"\xff" * 300 + GOOD_PARQUET[304:], "PARQUET", {"CORRUPT_DATA"}),
    "binary.parquet": (RANDOM, "PARQUET", {"CORRUPT_DATA"}),
    "text.parquet": (b"symbol,n\nx,1\n", "PARQUET", {"CORRUPT_DATA"}),
    "binary.csv": (RANDOM, "CSV", {"CONVERSION", "CORRUPT_DATA", "SCHEMA_MISMATCH"}),
    "binary.json": (RANDOM, "JSON", {"CONVERSION", "CORRUPT_DATA"}),
    "bad-utf8.csv": (b"symbol,n\n\xff\xfe\x80,1\n", "CSV", {"CONVERSION", "CORRUPT_DATA"}),
    "bad-utf8-late.csv": (b"symbol,n\n" + b"ok,1\n" * 50000 + b"\xc3\x28,1\n", "CSV", {"CONVERSION", "CORRUPT_DATA"}),
    "bad-utf8.json": (b'{"symbol": "\xff\xfe", "n": 1}\n', "JSON", {"CONVERSION", "CORRUPT_DATA"}),
    "ragged.csv": (b"symbol,n\na,1\nb\nc,3,4\n", "CSV", {"CONVERSION", "CORRUPT_DATA"}),
    "ragged-late.csv": (b"symbol,n\n" + b"ok,1\n" * 50000 + b"x,1,2,3\n", "CSV", {"CONVERSION", "CORRUPT_DATA"}),
    "wrong-type.csv": (b"symbol,n\na,one\n", "CSV", {"CONVERSION", "SCHEMA_MISMATCH"}),
    "wrong-type-late.csv": (b"symbol,n\n" + b"ok,1\n" * 50000 + b"x,late\n", "CSV", {"CONVERSION", "SCHEMA_MISMATCH"}),
    "too-large.csv": (b"symbol,n\na,99999999999\n", "CSV", {"VALUE_OUT_OF_RANGE", "CONVERSION", "SCHEMA_MISMATCH"}),
    "open-quote.csv": (b'symbol,n\n"never closed,1\nb,2\n', "CSV", {"CONVERSION", "CORRUPT_DATA"}),
    "truncated.json": (b'{"symbol": "a", "n": 1}\n{"symbol": "b", "n":', "JSON", {"CONVERSION", "CORRUPT_DATA"}),
    "wrong-type.json": (b'{"symbol": "a", "n": {"x": 1}}\n', "JSON", {"CONVERSION", "SCHEMA_MISMATCH"}),
    "truncated.csv.gz": (gzip.compress(b"symbol,n\n" + os.urandom(9000).hex().encode() + b",1\n")[:5000], "CSV", {"CONVERSION", "CORRUPT_DATA", "STORE_IO"}),
    "other-columns.csv": (b"ticker,volume\na,1\n", "CSV", {"SCHEMA_MISMATCH"}),
}


@pytest.mark.parametrize("name", BAD_FILES)
def test_files_that_cannot_be_loaded(doors, work, target, name):
    data, kind, codes = BAD_FILES[name]
    path = work / name
    path.write_bytes(data)
    before = picture(target)
    problem = doors.refused(copy(path, kind))
    assert problem["code"] in codes, problem
    assert name in json.dumps(problem), f"the error does not name the file: {problem}"
    assert picture(target) == before
    assert doors.shell.rows("SELECT * FROM target") == [{"symbol": "AAPL", "n": 1}]


@pytest.mark.parametrize("name, data, kind", [("empty.csv", b"", "CSV"), ("blank.csv", b"\n\n\n", "CSV"), ("header-only.csv", b"symbol,n\n", "CSV"),
                                              ("empty.json", b"", "JSON"), ("empty.parquet", b"", "PARQUET")])
def test_files_without_rows(doors, work, target, name, data, kind):
    """Nothing to load, or a clear error: no row either way."""
    (work / name).write_bytes(data)
    try:
        doors.shell.attempt(copy(work / name, kind))
    except programs.Failed as failed:
        assert failed.code in ("CONVERSION", "CORRUPT_DATA", "SCHEMA_MISMATCH") and name in failed.everything, failed
    assert doors.shell.rows("SELECT * FROM target") == [{"symbol": "AAPL", "n": 1}]


@pytest.mark.parametrize("kind, head", [("CSV", b"symbol,n\n"), ("CSV", b'symbol,n\n"'), ("JSON", b'{"symbol": "'), ("PARQUET", b"PAR1")])
def test_a_line_of_five_gigabytes(program, doors, work, target, kind, head):
    """A sparse file: it costs no disk, and must cost neither minutes nor memory."""
    path = work / f"long-line-{len(head)}.{kind.lower()}"
    with open(path, "wb") as out:
        out.write(head)
        out.truncate(5 * GIB)
    before, started = picture(target), time.monotonic()
    answer = program.run(doors.lake, "--json", "-c", copy(path, kind), timeout=300)
    path.unlink()
    assert answer.code == 3, answer
    problem = answer.problem()
    assert problem["code"] in ("CONVERSION", "CORRUPT_DATA", "LIMIT_EXCEEDED", "SCHEMA_MISMATCH"), problem
    assert time.monotonic() - started < 120
    assert picture(target) == before
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    assert peak < 4 * GIB, f"{peak >> 20} MiB were needed to refuse a long line"


def test_folders_and_patterns_that_match_nothing(doors, work, target):
    (work / "empty-folder").mkdir()
    for place in (work / "empty-folder", work / "no-such-*.csv", work / "no-such-folder"):
        problem = doors.refused(copy(place, "CSV"))
        assert problem["code"] == "FILE_NOT_FOUND" and place.name in problem["detail"], problem


def test_one_bad_file_among_good_ones_loads_none(doors, work, target):
    folder = work / "mixed"
    folder.mkdir()
    (folder / "a.csv").write_text("symbol,n\na,1\n")
    (folder / "b.csv").write_text("symbol,n\nb,not a number\n")
    (folder / "c.csv").write_text("symbol,n\nc,3\n")
    before = picture(target)
    doors.refused(copy(folder, "CSV"))
    assert picture(target) == before
    (folder / "b.csv").write_text("symbol,n\nb,2\n")
    doors.shell.query("CREATE TABLE target2 (symbol string, n int) USING DELTA")
    doors.shell.query(copy(folder, "CSV").replace("INTO target", "INTO target2"))
    assert doors.shell.value("SELECT sum(n) FROM target2") == 6


# ---- damaged logs ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound(doors):
    """A table of four commits, one row each, without a checkpoint; and one of 12 with one."""
    for name, commits in (("sound", 3), ("checkpointed", 12)):
        doors.shell.query(f"CREATE TABLE {name} (n int) USING DELTA TBLPROPERTIES ('delta.checkpointInterval' = '10')")
        for i in range(commits):
            doors.shell.query(f"INSERT INTO {name} VALUES ({i})")
    return doors.lake / "default"


@pytest.fixture
def damaged(sound, work, request):
    """A fresh copy of the table that the test names."""
    copies = []

    def copy_of(name):
        folder = work / f"damaged-{request.node.name.replace('/', '-')[:80]}-{len(copies)}"
        shutil.copytree(sound / name, folder)
        copies.append(folder)
        return folder

    yield copy_of
    for folder in copies:
        shutil.rmtree(folder, ignore_errors=True)


def commit_file(table, version):
    return table / f"_delta_log/{version:020d}.json"


def actions(table, version):
    return [json.loads(line) for line in commit_file(table, version).read_text().splitlines()]


def rewrite(table, version, new_actions):
    commit_file(table, version).write_text("".join(json.dumps(a) + "\n" for a in new_actions))
    forget_checksums(table)


def forget_checksums(table):
    for checksum in (table / "_delta_log").glob("*.crc"):
        checksum.unlink()


def select(table, suffix=""):
    return f"SELECT n FROM delta.`{table}`{suffix} ORDER BY n"


def insert(table):
    return f"INSERT INTO delta.`{table}` VALUES (99)"


def check_refused(doors, table, codes, *words):
    """Reading and writing are refused, with the words in the error, and the damage stays what it was."""
    before = picture(table)
    for sql in (select(table), insert(table)):
        problem = doors.refused(sql)
        assert problem["code"] in codes, problem
        for word in words:
            assert word in json.dumps(problem), f"{word!r} is not in {problem}"
    assert picture(table) == before


LOG_CODES = {"PROTOCOL_VIOLATION", "CORRUPT_LOG"}


def test_a_log_with_a_gap(doors, damaged):
    table = damaged("sound")
    commit_file(table, 1).unlink()
    forget_checksums(table)
    check_refused(doors, table, LOG_CODES, "version 1")


def test_a_log_without_its_beginning(doors, damaged):
    table = damaged("sound")
    commit_file(table, 0).unlink()
    forget_checksums(table)
    check_refused(doors, table, LOG_CODES)


def test_a_torn_last_line(doors, damaged):
    table = damaged("sound")
    data = commit_file(table, 3).read_bytes()
    commit_file(table, 3).write_bytes(data[:-20])
    forget_checksums(table)
    check_refused(doors, table, LOG_CODES, "00000000000000000003.json")
    assert doors.shell.rows(select(table, " VERSION AS OF 2")) == [{"n": 0}, {"n": 1}], "the versions before the damage are gone too"


def test_an_empty_commit_file(doors, damaged):
    """A commit of no actions changes nothing; a reader may accept it or refuse it, but not lose rows."""
    table = damaged("sound")
    commit_file(table, 4).write_bytes(b"")
    try:
        assert doors.shell.attempt(select(table)) == [{"n": 0}, {"n": 1}, {"n": 2}]
    except programs.Failed as failed:
        assert failed.code in LOG_CODES


@pytest.mark.parametrize("line", ["not json", "[1, 2]", '"text"', "{", '{"add": 5}', '{"add": {"path": 7}}', '{"add": {}}', '{"metaData": {"schemaString": "{"}}',
                                  '{"protocol": {"minReaderVersion": "one"}}', '{"remove": {"path": null}}', "\x00\x00\x00"])
def test_a_line_that_is_no_action(doors, damaged, line):
    table = damaged("sound")
    with open(commit_file(table, 3), "a") as out:
        out.write(line + "\n")
    forget_checksums(table)
    check_refused(doors, table, LOG_CODES | {"UNSUPPORTED_FEATURE"})


def test_duplicate_adds_count_once(doors, damaged):
    table = damaged("sound")
    last = actions(table, 3)
    rewrite(table, 3, last + [a for a in last if "add" in a])
    try:
        assert doors.shell.attempt(select(table)) == [{"n": 0}, {"n": 1}, {"n": 2}]
    except programs.Failed as failed:
        assert failed.code in LOG_CODES
    first = [a for a in actions(table, 1) if "add" in a]
    rewrite(table, 3, last + first)
    assert doors.shell.attempt(select(table)) == [{"n": 0}, {"n": 1}, {"n": 2}], "a file that is added again counts twice"


@pytest.mark.parametrize("kind", ["metaData", "protocol"])
def test_two_of_what_a_commit_has_once(doors, damaged, kind):
    table = damaged("sound")
    extra = next(a for a in actions(table, 0) if kind in a)
    rewrite(table, 3, actions(table, 3) + [extra, extra])
    check_refused(doors, table, LOG_CODES, kind)


@pytest.mark.parametrize("kind", ["metaData", "protocol"])
def test_a_log_without_what_it_must_have(doors, damaged, kind):
    table = damaged("sound")
    rewrite(table, 0, [a for a in actions(table, 0) if kind not in a])
    check_refused(doors, table, LOG_CODES, kind)


def test_unknown_actions_are_passed_over(doors, damaged):
    table = damaged("sound")
    rewrite(table, 3, actions(table, 3) + [{"futureAction": {"x": [1, {"y": None}]}}, {"another": 5}])
    assert doors.shell.rows(select(table)) == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_unknown_features_are_named(doors, damaged):
    table = damaged("sound")
    protocol = {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["timeMachine"], "writerFeatures": ["timeMachine"]}}
    rewrite(table, 3, actions(table, 3) + [protocol])
    check_refused(doors, table, {"UNSUPPORTED_FEATURE"}, "timeMachine")


def test_unknown_writer_features_leave_reading_alone(doors, damaged):
    table = damaged("sound")
    protocol = {"protocol": {"minReaderVersion": 1, "minWriterVersion": 7, "writerFeatures": ["timeMachine"]}}
    rewrite(table, 3, actions(table, 3) + [protocol])
    assert doors.shell.rows(select(table)) == [{"n": 0}, {"n": 1}, {"n": 2}]
    problem = doors.refused(insert(table))
    assert problem["code"] == "UNSUPPORTED_FEATURE" and "timeMachine" in problem["detail"]


def test_the_hint_about_the_checkpoint_may_lie(doors, damaged):
    rows = [{"n": i} for i in range(12)]
    for lie in ({"version": 10, "size": 1, "sizeInBytes": 5, "numOfAddFiles": 99999}, {"version": 11, "size": 3}, {"version": 3, "size": 3}, {"version": -1},
                {"version": 10, "size": 13, "parts": 7}, {"version": "ten"}, [], 10**30):
        table = damaged("checkpointed")
        (table / "_delta_log/_last_checkpoint").write_text(json.dumps(lie))
        assert doors.shell.rows(select(table)) == rows, lie
        doors.shell.query(insert(table))
    for junk in (b"", b"{", b"\xff\xfe", b"\x00" * 100):
        table = damaged("checkpointed")
        (table / "_delta_log/_last_checkpoint").write_bytes(junk)
        assert doors.shell.rows(select(table)) == rows, junk


def checkpoint_of(table):
    (found,) = (table / "_delta_log").glob("*.checkpoint.parquet")
    return found


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-50], lambda data: data[:len(data) // 2], lambda data: b"x" * len(data),
                                    lambda data: data[:-8] + b"\xff\xff\xff\x7fPAR1", lambda data: data + b"\x00" * 1000],
                         ids=["empty", "cut", "half", "other bytes", "footer length lies", "longer"])
def test_a_checkpoint_that_cannot_be_read(doors, damaged, damage):
    """While every commit is there it is not needed; without them the error names it."""
    table = damaged("checkpointed")
    checkpoint = checkpoint_of(table)
    checkpoint.write_bytes(damage(checkpoint.read_bytes()))
    forget_checksums(table)
    assert doors.shell.rows(select(table)) == [{"n": i} for i in range(12)]
    for version in range(11):
        commit_file(table, version).unlink()
    check_refused(doors, table, LOG_CODES, checkpoint.name)


def test_a_checkpoint_of_something_else(doors, damaged):
    """A sound Parquet file that is no checkpoint."""
    table = damaged("checkpointed")
    checkpoint_of(table).write_bytes(GOOD_PARQUET)
    forget_checksums(table)
    for version in range(11):
        commit_file(table, version).unlink()
    check_refused(doors, table, LOG_CODES)


def test_a_checksum_file_that_lies(doors, damaged):
    """Never wrong rows: the checksum is refused or passed over."""
    for lie in ({"numFiles": 1, "tableSizeBytes": 1, "numMetadata": 1, "numProtocol": 1}, {"numFiles": 10**18}, {}, [], "x"):
        table = damaged("sound")
        (table / "_delta_log/00000000000000000003.crc").write_text(json.dumps(lie))
        try:
            assert doors.shell.attempt(select(table)) == [{"n": 0}, {"n": 1}, {"n": 2}], lie
        except programs.Failed as failed:
            assert failed.code in LOG_CODES


def test_stray_files_in_the_log(doors, damaged):
    table = damaged("sound")
    log = table / "_delta_log"
    for name in ("README", "00000000000000000002.json.tmp", ".00000000000000000003.json.crc", "0000000000000000000x.json", "99.json", "_commits",
                 "00000000000000000003.json~", "00000000000000000001.00000000000000000002.compacted.json.bak"):
        (log / name).write_text("junk")
    assert doors.shell.rows(select(table)) == [{"n": 0}, {"n": 1}, {"n": 2}]


def test_statistics_that_are_no_json(doors, damaged):
    table = damaged("sound")
    for junk in ("no json", "{", "[]", '{"numRecords": "many"}', '{"minValues": {"n": "a"}, "maxValues": {"n": []}}'):
        last = actions(table, 3)
        for action in last:
            if "add" in action:
                action["add"]["stats"] = junk
        rewrite(table, 3, last)
        assert doors.shell.rows(f"SELECT n FROM delta.`{table}` WHERE n >= 0 ORDER BY n") == [{"n": 0}, {"n": 1}, {"n": 2}], junk


def test_paths_that_leave_the_table(doors, damaged, work):
    """Protocol paths may be absolute; one that is not there is an error that names it, never another file's rows."""
    table = damaged("sound")
    for path in ("../../etc/passwd", "/etc/passwd", "file:///etc/passwd", "s3://bucket/x.parquet", "%2e%2e/x.parquet", "\x00", "a" * 5000):
        last = actions(table, 3)
        for action in last:
            if "add" in action:
                action["add"]["path"] = path
        rewrite(table, 3, last)
        problem = doors.refused(select(table))
        assert problem["code"] in LOG_CODES | {"FILE_NOT_FOUND", "CORRUPT_DATA", "NOT_SUPPORTED", "STORE_IO", "INVALID_ARGUMENT", "STORE_PERMISSION"}, problem


# ---- damaged data ------------------------------------------------------------------------------------------------------


def data_files(table):
    return sorted(table.glob("*.parquet"))


def test_a_missing_data_file(doors, damaged):
    table = damaged("sound")
    gone = pathlib.Path(next(a["add"]["path"] for a in actions(table, 2) if "add" in a)).name
    (table / gone).unlink()
    problem = doors.refused(select(table))
    assert problem["code"] == "FILE_NOT_FOUND" and gone in json.dumps(problem), problem
    assert doors.shell.rows(select(table, " VERSION AS OF 1")) == [{"n": 0}]
    assert doors.shell.rows(f"SELECT n FROM delta.`{table}` WHERE n = 0") == [{"n": 0}], "a file that the query does not need was asked for"


@pytest.mark.parametrize("damage", [lambda data: b"", lambda data: data[:-10], lambda data: b"\xff" * len(data), lambda data: b"PAR1" + b"\x00" * 50 + b"PAR1"],
                         ids=["empty", "cut", "other bytes", "zeros"])
def test_a_damaged_data_file(doors, damaged, damage):
    table = damaged("sound")
    victim = data_files(table)[0]
    victim.write_bytes(damage(victim.read_bytes()))
    problem = doors.refused(select(table))
    assert problem["code"] == "CORRUPT_DATA" and victim.name in json.dumps(problem), problem


# ---- places that cannot be written --------------------------------------------------------------------------------------------


def as_nobody():
    """Runs the program as an ordinary user without rights here, when we are root."""
    if os.getuid() == 0:
        return {"user": NOBODY, "group": NOBODY, "extra_groups": []}
    return {}


@pytest.fixture
def open_folder():
    """A folder that every user may enter, for programs that run as another one."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="varve-open-", dir="/tmp"))
    folder.chmod(0o755)
    yield folder
    for path in [folder, *folder.rglob("*")]:
        if path.is_dir():
            path.chmod(0o755)
    shutil.rmtree(folder, ignore_errors=True)


def reachable(path):
    """Whether everybody may enter every folder on the way to a file."""
    return all(p.stat().st_mode & stat.S_IXOTH for p in pathlib.Path(path).resolve().parents)


def restricted(program, lake, sql, extra):
    environment = {**program.environment, "HOME": "/tmp", "ASAN_OPTIONS": program.environment["ASAN_OPTIONS"].replace("log_path=", "unused_path=")}
    ended = subprocess.run(program.command(lake, "--json", "--no-rc", "-c", sql), capture_output=True, timeout=120, env=environment, cwd="/", **extra)
    return programs.Answer(ended.returncode, ended.stdout, ended.stderr)


def test_an_unwritable_lake(program, open_folder):
    if os.getuid() == 0 and not reachable(program.path):
        pytest.skip(f"another user cannot reach {program.path}")
    lake = open_folder / "lake"
    program.sql(lake, "CREATE TABLE t AS SELECT 1 AS n")
    for path in [lake, *lake.rglob("*")]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    before, extra = picture(lake / "default/t"), as_nobody()
    read = restricted(program, lake, "SELECT n FROM t", extra)
    assert read.code == 0 and read.json() == [{"n": 1}], read.err
    for sql in ("INSERT INTO t VALUES (2)", "CREATE TABLE u (a int) USING DELTA", "DROP TABLE t", "ALTER TABLE t SET TBLPROPERTIES ('x' = 'y')"):
        refused = restricted(program, lake, sql, extra)
        assert refused.code == 3 and refused.problem()["code"] in ("STORE_PERMISSION", "PERMISSION_DENIED"), (sql, refused)
    for path in [lake, *lake.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
    assert picture(lake / "default/t") == before


def test_an_unreadable_file(program, open_folder):
    if os.getuid() == 0 and not reachable(program.path):
        pytest.skip(f"another user cannot reach {program.path}")
    lake = open_folder / "lake"
    program.sql(lake, "CREATE TABLE t AS SELECT 1 AS n")
    for path in (lake / "default/t").rglob("*.parquet"):
        path.chmod(0)
    refused = restricted(program, lake, "SELECT n FROM t", as_nobody())
    assert refused.code == 3 and refused.problem()["code"] in ("STORE_PERMISSION", "PERMISSION_DENIED"), refused


def test_a_lake_that_cannot_be_made(program, open_folder):
    if os.getuid() == 0 and not reachable(program.path):
        pytest.skip(f"another user cannot reach {program.path}")
    open_folder.chmod(0o555)
    refused = restricted(program, open_folder / "lake", "CREATE TABLE t (a int) USING DELTA", as_nobody())
    assert refused.code in (1, 3) and refused.problem()["code"] == "STORE_PERMISSION" and str(open_folder / "lake") in refused.problem()["detail"], refused
    assert not (open_folder / "lake").exists()


@pytest.fixture
def small_disk(open_folder):
    """A file system of 6 MiB."""
    if os.getuid() != 0:
        pytest.skip("mounting a small file system needs root")
    place = open_folder / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "varve-test", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", "-l", str(place)], check=False)


def test_a_full_disk(program, small_disk):
    lake = small_disk / "lake"
    program.sql(lake, "CREATE TABLE t AS SELECT 1::BIGINT AS n, 'x' AS s")
    before = picture(lake / "default/t")
    large = "INSERT INTO t SELECT range, md5(range::VARCHAR) || md5((range + 1)::VARCHAR) FROM range(400000)"
    with pytest.raises(programs.Failed) as full:
        program.sql(lake, large)
    assert full.value.code == "STORE_FULL", full.value
    assert picture(lake / "default/t") == before, "the failed statement left files behind"
    program.sql(lake, "INSERT INTO t VALUES (2, 'y')")
    assert program.sql(lake, "SELECT count(*) AS c FROM t") == [{"c": 2}]


def test_a_disk_that_is_full_to_the_last_byte(program, small_disk):
    """Not even a commit file fits: the table is as it was, and works again when there is room."""
    lake = small_disk / "lake"
    program.sql(lake, "CREATE TABLE t AS SELECT 1::BIGINT AS n")
    filler = small_disk / "filler"
    with open(filler, "wb") as out:
        try:
            while True:
                out.write(b"\0" * 65536)
                out.flush()
        except OSError:
            pass
    before = picture(lake / "default/t")
    assert program.sql(lake, "SELECT n FROM t") == [{"n": 1}]
    for sql in ("INSERT INTO t VALUES (2)", "ALTER TABLE t SET TBLPROPERTIES ('x' = 'y')", "CREATE TABLE u (a int) USING DELTA"):
        with pytest.raises(programs.Failed) as full:
            program.sql(lake, sql)
        assert full.value.code == "STORE_FULL", (sql, full.value)
    assert picture(lake / "default/t") == before
    filler.unlink()
    program.sql(lake, "INSERT INTO t VALUES (2)")
    program.sql(lake, "CREATE TABLE u (a int) USING DELTA")
    assert program.sql(lake, "SELECT sum(n) AS s FROM t") == [{"s": 3}]


# ---- statements ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("sql, code, place", [
    ("SELEC 1", "SYNTAX", 0), ("SELECT * FORM target", "SYNTAX", 14), ("SELECT (1", "SYNTAX", None), ("SELECT 'open", "SYNTAX", 7),
    ("SELECT \"open", "SYNTAX", 7), ("SELECT /* open", "SYNTAX", None), ("", "SYNTAX", None), (";", "SYNTAX", None),
    ("SELECT nope FROM target", "COLUMN_NOT_FOUND", 7), ("SELECT * FROM nope", "TABLE_NOT_FOUND", 14), ("INSERT INTO target VALUES (1, 2, 3)", "SCHEMA_MISMATCH", None),
    ("CREATE TABLE x (a int", "SYNTAX", 21), ("SELECT '" + "é" * 10 + "', nope FROM target", "COLUMN_NOT_FOUND", 31),
    ("SELECT " + "(" * 5000 + "1" + ")" * 5000, None, None), ("SELECT " + "1+" * 20000 + "1", None, None), ("SELECT '" + "x" * 900_000 + "' nonsense here", "SYNTAX", None)])
def test_statements_that_are_wrong(doors, target, sql, code, place):
    """Every door points at the same byte."""
    if code is None:
        reply = doors.server.query(sql, timeout=120)
        assert reply.status == 200 or reply.json()["code"] != "INTERNAL", reply.body[:500]
        return
    if not sql.strip(" ;") or "open" in sql:
        # A script of nothing runs nothing, and an open quote takes the rest of a session in: these are for the other doors.
        reply = doors.server.query(sql)
        problem = reply.json()
        assert reply.status == 400 and problem["code"] in (code, "INVALID_ARGUMENT"), problem
    else:
        problem = doors.refused(sql)
        assert problem["code"] == code, problem
    if place is not None:
        assert problem["position"]["offset"] == place, problem


def test_bytes_that_are_no_text(doors):
    reply = doors.server.request("POST", "/api/query", body=b"SELECT '\xff'", headers={"Content-Type": "text/plain"})
    assert reply.status == 400, reply.body
    if doors.library:
        with pytest.raises(capi.Refused):
            doors.library.csv(b"SELECT '\xff'")


def test_everything_still_works(doors, target):
    """After all of the above the same session, server and library answer."""
    assert doors.shell.rows("SELECT n FROM target") == [{"n": 1}]
    assert doors.server.query("SELECT n FROM target").json()["rows"] == [{"n": 1}]
    if doors.library:
        assert doors.library.csv("SELECT n FROM target") == "n\n1\n"
