"""The shell: output modes, exit codes, scripts, verbs, dot commands, and a session on a terminal."""
import csv
import fcntl
import io
import json
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time

import pyarrow as pa
import pytest

import program as programs

ROWS = "SELECT * FROM (VALUES (1, 'one', 1.5), (2, NULL, -0.25)) t(n, name, d) ORDER BY n"


@pytest.fixture(scope="module")
def lake(program, module_scratch):
    folder = module_scratch / "lake"
    program.sql(folder, "CREATE TABLE bars AS SELECT 'AAPL' AS symbol, 185.64::DECIMAL(10,2) AS close")
    program.sql(folder, "INSERT INTO bars VALUES ('MSFT', 370.87)")
    return folder


def run(program, lake, *args, **kwargs):
    return program.run(lake, *args, **kwargs)


# ---- modes ---------------------------------------------------------------------------------------------------


def test_csv(program, lake):
    assert run(program, lake, "--csv", "-c", ROWS).text == "n,name,d\n1,one,1.50\n2,,-0.25\n"
    tricky = run(program, lake, "--csv", "-c", "SELECT 'a,b' AS x, 'say \"hi\"' AS y, 'two\nlines' AS z, '' AS empty, NULL AS missing").text
    assert list(csv.reader(io.StringIO(tricky)))[1] == ["a,b", 'say "hi"', "two\nlines", "", ""]
    assert tricky.rstrip("\n").endswith('"",'), "the empty string and NULL look alike"


def test_json(program, lake):
    answer = run(program, lake, "--json", "-c", ROWS)
    assert answer.json() == [{"n": 1, "name": "one", "d": 1.5}, {"n": 2, "name": None, "d": -0.25}]
    assert run(program, lake, "--json", "-c", "SELECT 1 AS a WHERE false").json() == []


def test_jsonlines(program, lake):
    lines = run(program, lake, "--jsonlines", "-c", ROWS).text.splitlines()
    assert [json.loads(line)["n"] for line in lines] == [1, 2]


def test_json_of_every_type(program, lake):
    (row,) = run(program, lake, "--json", "-c", """SELECT true AS b, 1.25::DECIMAL(5,2) AS dec, 'nan'::DOUBLE AS nan, 'ab\\x00'::BLOB AS bin,
      DATE '2024-02-29' AS da, TIMESTAMPTZ '2024-03-10 12:34:56.789+00' AS ts, TIMESTAMP '2024-03-10 12:34:56' AS ntz, [1, NULL] AS list,
      {'a': 1} AS st, MAP {'k': 'v'} AS m, 9223372036854775807 AS big""").json()
    assert row["b"] is True and row["dec"] == 1.25 and row["list"] == [1, None] and row["st"] == {"a": 1} and row["big"] == 9223372036854775807
    assert row["da"] == "2024-02-29" and row["ts"].startswith("2024-03-10T12:34:56.789") and row["ntz"].startswith("2024-03-10T12:34:56")
    assert row["nan"] is None or row["nan"] == "NaN"


def test_markdown(program, lake):
    lines = run(program, lake, "--markdown", "-c", ROWS).text.splitlines()
    assert lines[0].split("|")[1].strip() == "n" and set(lines[1]) <= set("|-: ") and len(lines) == 4


def test_line(program, lake):
    text = run(program, lake, "--line", "-c", ROWS).text
    assert re.search(r"^ *n = 1$", text, re.M) and re.search(r"^name = one$", text, re.M)


def test_box_has_a_type_row(program, lake):
    text = run(program, lake, "-c", "SELECT * FROM bars ORDER BY symbol").text
    assert "symbol" in text and "AAPL" in text and "decimal(10,2)" in text and "varchar" in text
    widths = {len(line) for line in text.splitlines() if line and line[0] in "│┌├└"}
    assert len(widths) == 1, "the box is ragged"


def test_box_of_wide_characters(program, lake):
    text = run(program, lake, "-c", "SELECT 'ünï 日本 😀' AS t UNION ALL SELECT 'x'").text
    assert "日本" in text


def test_arrow(program, lake):
    answer = run(program, lake, "--arrow", "-c", "SELECT * FROM bars ORDER BY symbol")
    table = pa.ipc.open_stream(io.BytesIO(answer.out)).read_all()
    assert table.column("symbol").to_pylist() == ["AAPL", "MSFT"] and table.schema.field("close").type == pa.decimal128(10, 2)


def test_arrow_of_no_rows_and_of_many(program, lake):
    empty = pa.ipc.open_stream(io.BytesIO(run(program, lake, "--arrow", "-c", "SELECT 1 AS a WHERE false").out)).read_all()
    assert empty.num_rows == 0 and empty.column_names == ["a"]
    many = pa.ipc.open_stream(io.BytesIO(run(program, lake, "--arrow", "-c", "SELECT range AS a FROM range(300000)").out)).read_all()
    assert many.num_rows == 300000


def test_output_file(program, lake, scratch):
    answer = run(program, lake, "--csv", "-o", scratch / "out.csv", "-c", "SELECT 1 AS a")
    assert answer.code == 0 and answer.out == b"" and (scratch / "out.csv").read_text() == "a\n1\n"
    assert run(program, lake, "-o", "/no/such/folder/out.csv", "-c", "SELECT 1").code == 1


def test_small_options(program, lake):
    assert run(program, lake, "--csv", "-t", "-c", "SELECT 1 AS a").text == "1\n"
    assert run(program, lake, "--csv", "-F", ";", "-c", "SELECT 1 AS a, 2 AS b").text == "a;b\n1;2\n"
    assert run(program, lake, "--csv", "--nullvalue", "n/a", "-c", "SELECT NULL AS a").text == "a\nn/a\n"
    assert run(program, lake, "-A", "-t", "-c", "SELECT 1 AS a, 2 AS b").text == "1|2\n"


# ---- exit codes --------------------------------------------------------------------------------------------------


def test_exit_codes(program, lake, scratch):
    assert run(program, lake, "-c", "SELECT 1").code == 0
    assert run(program, lake, "-c", "SELEC 1").code == 3
    assert run(program, lake, "--no-such-option").code == 1
    assert run(program, lake, "-f", scratch / "missing.sql").code == 1
    (scratch / "file").write_text("")
    assert run(program, scratch / "file", "-c", "SELECT 1").code == 1, "a file is no lake"
    assert run(program, lake, "nosuchverb").code == 1


def test_errors_for_people(program, lake):
    answer = run(program, lake, "-c", "SELECT symbol,\n  clos FROM bars")
    text = answer.err.decode()
    assert text.startswith("error: ") and "2:3" in text and "hint:" in text and re.search(r"^ +\^", text, re.M) and answer.out == b""


def test_errors_for_programs(program, lake):
    answer = run(program, lake, "--json", "-c", "SELECT * FROM nothing")
    problem = answer.problem()
    assert problem["code"] == "TABLE_NOT_FOUND" and problem["sqlstate"] == "42P01" and problem["position"]["column"] == 15
    assert len(answer.err.decode().splitlines()) == 1


@pytest.mark.parametrize("options", [["--jsonlines"], ["--arrow"], ["--csv", "--json-errors"], ["--json-errors"]], ids=" ".join)
def test_errors_are_objects(program, lake, options):
    answer = run(program, lake, *options, "-c", "SELECT * FROM nothing")
    assert answer.problem()["code"] == "TABLE_NOT_FOUND" and len(answer.err.decode().splitlines()) == 1 and answer.out == b""


@pytest.mark.parametrize("mode", ["--json", "--jsonlines", "--arrow"])
@pytest.mark.parametrize("door", ["file", "read", "stdin", "text"])
@pytest.mark.parametrize("before, wrong", [("SELECT 1;\n.echo off\n-- \u00fc\n", "SELECT\n  nope FROM bars"), ("SELECT '\u00fc'; ", "SELECT nope FROM bars"), ("\n\n  ", "SELECT 'x' AS\n\u00fc, nope FROM bars")])
def test_a_place_in_a_script(program, lake, scratch, mode, door, before, wrong):
    """Programs and people are told the same place: that in the script, not in its statement."""
    script = before + wrong + ";\n"
    (scratch / "s.sql").write_text(script)
    (scratch / "outer.sql").write_text(f"SELECT 1;\n.read {scratch / 's.sql'}\n")
    arguments = {"file": ["-f", scratch / "s.sql"], "read": ["-f", scratch / "outer.sql"], "stdin": [], "text": ["-c", script]}[door]
    typed = script.encode() if door == "stdin" else b""
    place = run(program, lake, mode, "--no-rc", *arguments, stdin=typed).problem()["position"]
    prose = run(program, lake, "--csv", "--no-rc", *arguments, stdin=typed).err.decode()
    offset = script.index("nope")
    line_start = script.rfind("\n", 0, offset) + 1
    assert place == {"offset": len(script[:offset].encode()), "line": script.count("\n", 0, offset) + 1, "column": offset - line_start + 1}
    assert re.search(rf"^  at (.*:)?{place['line']}:{place['column']}$", prose, re.M), prose


@pytest.mark.parametrize("options", [["--csv"], ["--markdown"], ["--line"], []], ids=" ".join)
def test_errors_are_prose(program, lake, options):
    assert run(program, lake, *options, "-c", "SELECT * FROM nothing").err.startswith(b"error: ")


def test_a_verb_and_a_lake_that_fail_for_programs(program, lake, scratch):
    assert run(program, lake, "history", "nothing", "--arrow").problem()["code"] == "TABLE_NOT_FOUND"
    assert run(program, lake, "history", "nothing", "--json-errors").problem()["code"] == "TABLE_NOT_FOUND"
    answer = run(program, scratch / "missing", "--readonly", "--arrow", "-c", "SELECT 1")
    assert answer.code == 1 and answer.problem()["code"] == "LAKE_NOT_FOUND"


def test_no_colours_without_a_terminal(program, lake):
    assert b"\x1b" not in run(program, lake, "-c", "SELECT 1; SELEC").err + run(program, lake, "-c", "SELECT 1").out


# ---- scripts ------------------------------------------------------------------------------------------------------


def test_script_file(program, lake, scratch):
    script = scratch / "script.sql"
    script.write_text("-- first\nSELECT 1 AS a; /* second ; */ SELECT 'x;y' AS b;\n\nSELECT 3 AS c")
    assert run(program, lake, "--csv", "-f", script).text == "a\n1\nb\nx;y\nc\n3\n"


def test_a_script_file_stops_at_the_first_failure(program, lake, scratch):
    script = scratch / "script.sql"
    script.write_text("SELECT 1 AS a;\nSELEC;\nSELECT 2 AS b;\n")
    answer = run(program, lake, "--csv", "-f", script)
    assert answer.code == 3 and answer.text == "a\n1\n"
    assert b"script.sql:2" in answer.err


def test_standard_input_goes_on_after_a_failure(program, lake):
    answer = run(program, lake, "--csv", stdin=b"SELECT 1 AS a;\nSELEC;\nSELECT 2 AS b;\n")
    assert answer.code == 3 and answer.text == "a\n1\nb\n2\n"
    answer = run(program, lake, "--csv", "--bail", stdin=b"SELECT 1 AS a;\nSELEC;\nSELECT 2 AS b;\n")
    assert answer.code == 3 and answer.text == "a\n1\n"


def test_several_inputs_in_order(program, lake, scratch):
    (scratch / "f.sql").write_text("SELECT 2 AS b;")
    answer = run(program, lake, "--csv", "-c", "SELECT 1 AS a", "-f", scratch / "f.sql", "-c", "SELECT 3 AS c")
    assert answer.text == "a\n1\nb\n2\nc\n3\n"


def test_standard_input_is_a_session(program, lake):
    """Each answer is written out before the next statement is read."""
    process = program.start(lake, "--csv", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for i in range(3):
        process.stdin.write(f"SELECT {i} AS n;\n".encode())
        process.stdin.flush()
        assert select.select([process.stdout], [], [], 30)[0], "no answer while the input is open"
        assert process.stdout.readline() == b"n\n" and process.stdout.readline() == b"%d\n" % i
    process.stdin.write(b"USE default;\nSELECT 'last without semicolon' AS s")
    out, _ = process.communicate(timeout=60)
    assert out.endswith(b"s\nlast without semicolon\n") and process.returncode == 0


def test_the_reader_goes_away(program, lake):
    """`varve | head -1` ends at once and says nothing."""
    process = program.start(lake, "--csv", "-c", "SELECT range AS n FROM range(1000000000)", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"n\n"
    process.stdout.close()
    assert process.wait(60) in (0, 1)
    assert process.stderr.read() == b""
    process.stderr.close()


def test_interrupt_ends_a_script(program, lake):
    process = program.start(lake, "-c", "SELECT count(*) FROM range(100000000000) a WHERE hash(a.range) % 1000003 = 7", "-c", "SELECT 'after' AS a",
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    time.sleep(2)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode in (3, -signal.SIGINT) and b"after" not in out and b"cancel" in err


# ---- verbs -------------------------------------------------------------------------------------------------------------


VERBS = ["history", "detail", "files", "ingest", "serve", "version", "help"]


@pytest.mark.parametrize("verb", VERBS)
def test_help_for_every_verb(program, verb):
    by_option, by_verb = program.run(None, verb, "--help"), program.run(None, "help", verb)
    assert by_option.code == by_verb.code == 0
    assert verb in by_option.text and len(by_option.text) > 80
    assert by_option.text == by_verb.text


def test_every_verb_is_known_here():
    assert set(re.findall(r'^VERB\("(\w+)"', (programs.ROOT / "src/cli/verbs.def").read_text(), re.M)) == set(VERBS)


def test_main_help(program):
    text = program.run(None, "--help").text
    for verb in VERBS:
        assert verb in text
        text += program.run(None, "help", verb).text
    for option in re.findall(r'^OPTION\(\w+, "([\w-]+)"', (programs.ROOT / "src/cli/options.def").read_text(), re.M):
        assert f"--{option}" in text, f"--{option} is not in the help"


def test_help_on_statements(program):
    answer = program.run(None, "help", "copy", "into")
    assert answer.code == 0 and "FILEFORMAT" in answer.text
    answer = program.run(None, "help", "histroy")
    assert answer.code == 1 and b"history" in answer.err


def test_version(program):
    assert re.match(r"varve \d+\.\d+\.\d+", program.run(None, "version").text)
    version = program.run(None, "--version", "--json").json()
    assert re.fullmatch(r"\d+\.\d+\.\d+", version["version"])


def test_history_detail_files(program, lake):
    history = run(program, lake, "history", "bars", "--json").json()
    assert [h["version"] for h in history] == [1, 0] and history[0]["operation"] == "WRITE"
    assert len(run(program, lake, "history", "default.bars", "--limit", "1", "--json").json()) == 1
    (detail,) = run(program, lake, "detail", "bars", "--json").json()
    assert detail["numFiles"] == 2 and detail["format"] == "delta"
    files = run(program, lake, "files", "bars", "--json").json()
    assert len(files) == 2 and sum(f["record_count"] for f in files) == 2
    by_path = run(program, lake, "files", str(lake / "default/bars"), "--json").json()
    assert by_path == files
    assert run(program, lake, "history", "nothing").code == 3
    assert run(program, lake, "history").code == 1


def test_ingest(program, lake, scratch):
    (scratch / "a.csv").write_text("symbol,close\nAAPL,1.5\nMSFT,2.5\n")
    (scratch / "b.csv").write_text("symbol,close\nIBM,3.5\n")
    own = scratch / "lake"
    answer = run(program, own, "ingest", "prices", scratch / "a.csv", scratch / "b.csv", "--header")
    assert answer.code == 0, answer.err
    assert program.sql(own, "SELECT symbol, close FROM prices ORDER BY symbol") == [
        {"symbol": "AAPL", "close": 1.5}, {"symbol": "IBM", "close": 3.5}, {"symbol": "MSFT", "close": 2.5}]
    assert run(program, own, "ingest", "prices", scratch / "a.csv", "--header").code == 0
    assert program.sql(own, "SELECT count(*) AS n FROM prices") == [{"n": 3}]
    assert run(program, own, "ingest", "prices", scratch / "c.csv").code != 0
    assert run(program, own, "ingest", "prices").code == 1


def test_the_release_build_ends_without_losing_anything(scratch):
    """It leaves without teardown; the sanitizer build does not."""
    path = programs.ROOT / "build/varve"
    if not path.exists():
        pytest.skip("there is no release build (./dev build)")
    program, lake = programs.Program(str(path)), scratch / "lake"
    inserts = "".join(f"INSERT INTO t VALUES ({n}); " for n in range(4))
    script = "CREATE TABLE t (n int) USING DELTA TBLPROPERTIES ('delta.checkpointInterval' = '2'); " + inserts
    assert program.run(lake, "-c", script).code == 0
    log = lake / "default/t/_delta_log"
    assert (log / f"{4:020}.checkpoint.parquet").stat().st_size > 0 and (log / "_last_checkpoint").exists()
    assert program.run(lake, "--csv", "-c", "SELECT count(*) AS n FROM t").text == "n\n4\n"
    answer = program.run(lake, "--csv", "-t", "-c", "SELECT range FROM range(200000)")
    assert answer.code == 0 and answer.out.count(b"\n") == 200000
    assert program.run(lake, "--csv", "-c", "SELECT nothing FROM t").code == 3
    spilled = program.run(lake, "--memory-limit", "50MB", "--threads", "1", "--csv", "-c",
                          "SELECT count(*) AS n FROM (SELECT h, row_number() OVER (ORDER BY h) AS r FROM "
                          "(SELECT md5(range::VARCHAR) AS h FROM range(700000)))")
    assert spilled.code == 0 and spilled.text == "n\n700000\n", spilled.err
    spill = lake / "_varve/spill"
    assert not spill.exists() or not list(spill.iterdir())


def test_the_lake_of_the_environment(program, lake):
    environment = {**program.environment, "VARVE_LAKE": str(lake)}
    assert program.run(None, "--csv", "-c", "SELECT count(*) AS n FROM bars", env=environment).text == "n\n2\n"


def test_the_lake_beside(program, scratch):
    assert program.run(None, "-c", "CREATE TABLE t (a int) USING DELTA", cwd=scratch).code == 0
    assert (scratch / "lake/default/t/_delta_log").is_dir()


def test_a_read_only_lake(program, lake, scratch):
    answer = run(program, lake, "--readonly", "--json", "-c", "INSERT INTO bars VALUES ('X', 1)")
    assert answer.code == 3 and answer.problem()["code"] == "PERMISSION_DENIED"
    assert run(program, scratch / "missing", "--readonly", "-c", "SELECT 1").code == 1
    assert not (scratch / "missing").exists()


def test_a_lake_that_does_not_exist(program, scratch):
    lake = scratch / "mistyped"
    for sql in ("SHOW TABLES", "SHOW SCHEMAS", "SHOW TABLES IN default"):
        problem = run(program, lake, "--json", "-c", sql).problem()
        assert problem["code"] == "LAKE_NOT_FOUND" and str(lake) in problem["detail"], sql
    for sql in ("SELECT * FROM bars", "SELECT * FROM silver.bars", "DESCRIBE HISTORY bars", "INSERT INTO bars VALUES (1)"):
        assert f'the lake "{lake}" does not exist' in run(program, lake, "--json", "-c", sql).problem()["hint"], sql
    assert run(program, lake, "--csv", "-c", "SELECT 42 AS n").text == "n\n42\n"
    assert run(program, lake, "-c", "DROP TABLE IF EXISTS bars").code == 0
    served = run(program, lake, "serve", "--port", "0")
    assert served.code == 1 and b"does not exist" in served.err
    assert not lake.exists()
    program.sql(lake, "CREATE TABLE bars AS SELECT 1 AS n")
    assert program.sql(lake, "SELECT n FROM bars") == [{"n": 1}]
    assert run(program, lake, "--json", "-c", "SELECT * FROM nothing").problem().get("hint", "") != ""


def test_ingest_makes_the_lake(program, scratch):
    (scratch / "a.csv").write_text("n\n1\n2\n")
    assert run(program, scratch / "new", "ingest", "t", scratch / "a.csv", "--header").code == 0
    assert program.sql(scratch / "new", "SELECT sum(n) AS n FROM t") == [{"n": 3}]


def test_paths_with_spaces(program, scratch):
    lake = scratch / "a lake with spaces & ünï"
    program.sql(lake, "CREATE TABLE t AS SELECT 1 AS a")
    assert program.sql(lake, "SELECT a FROM t") == [{"a": 1}]
    assert program.sql(lake, f"SELECT a FROM delta.`{lake}/default/t`") == [{"a": 1}]


# ---- dot commands ----------------------------------------------------------------------------------------------------------


def script(program, lake, text, *args):
    return run(program, lake, "--csv", *args, stdin=text.encode())


def test_mode_headers_nullvalue(program, lake):
    text = ".mode json\nSELECT 1 AS a;\n.mode csv\n.headers off\nSELECT 2 AS b;\n.nullvalue nix\nSELECT NULL AS c;\n"
    assert script(program, lake, text).text == '[{"a":1}]\n2\nnix\n'


def test_read_output_once(program, lake, scratch):
    (scratch / "f.sql").write_text("SELECT 7 AS seven;\n")
    out = scratch / "out.csv"
    answer = script(program, lake, f".read {scratch}/f.sql\n.once {out}\nSELECT 1 AS a;\nSELECT 2 AS b;\n.output {scratch}/more.csv\nSELECT 3 AS c;\n.output\nSELECT 4 AS d;\n")
    assert answer.text == "seven\n7\nb\n2\nd\n4\n"
    assert out.read_text() == "a\n1\n" and (scratch / "more.csv").read_text() == "c\n3\n"


def test_tables_and_schema(program, lake):
    assert "bars" in script(program, lake, ".tables\n").text
    assert "symbol" in script(program, lake, ".schema bars\n").text
    assert "bars" in script(program, lake, "\\dt\n").text
    assert "symbol" in script(program, lake, "\\d bars\n").text


def test_every_command_has_help_and_answers(program, lake):
    text = script(program, lake, ".help\n").text
    for function, dot, backslash in re.findall(r'^COMMAND\((\w+), "([^"]*)", "([^"]*)"', (programs.ROOT / "src/cli/commands.def").read_text(), re.M):
        name = (dot or backslash).replace("\\\\", "\\")
        assert name in text, f"{function} is not in .help"


def test_unknown_commands(program, lake):
    answer = script(program, lake, ".tabels\nSELECT 1 AS a;\n")
    assert answer.code == 3 and b".tables" in answer.err and answer.text.endswith("a\n1\n")


def test_bail_echo_exit(program, lake):
    assert script(program, lake, ".bail on\nSELEC;\nSELECT 1 AS a;\n").text == ""
    assert "SELECT 1 AS a;" in script(program, lake, ".echo on\nSELECT 1 AS a;\n").text
    assert script(program, lake, ".exit 7\nSELECT 1 AS a;\n").code == 7
    assert script(program, lake, "\\q\nSELECT 1 AS a;\n").text == ""


def test_timer(program, lake):
    answer = script(program, lake, ".timer on\nSELECT count(*) AS n FROM bars;\n")
    assert re.search(r"\d", (answer.out + answer.err).decode().split("n\n2\n")[-1])


# ---- on a terminal -----------------------------------------------------------------------------------------------------------


def take_terminal():
    """Ctrl-C reaches only the terminal's own session."""
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


class Terminal:
    """The program on a pseudo-terminal, as a person meets it."""

    def __init__(self, program, lake, home):
        self.ours, theirs = pty.openpty()
        environment = {**program.environment, "HOME": str(home), "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
        self.process = program.start(lake, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True,
                                     preexec_fn=take_terminal)
        os.close(theirs)
        self.seen = ""

    def expect(self, pattern, seconds=30):
        """Reads until the pattern is there, and answers everything up to it; colours and cursor movements are left out."""
        deadline = time.monotonic() + seconds
        while True:
            self.seen = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", self.seen)
            match = re.search(pattern, self.seen)
            if match:
                before, self.seen = self.seen[:match.end()], self.seen[match.end():]
                return before
            left = deadline - time.monotonic()
            assert left > 0, f"{pattern!r} did not come; seen: {self.seen[-2000:]!r}"
            if select.select([self.ours], [], [], left)[0]:
                try:
                    self.seen += os.read(self.ours, 65536).decode(errors="replace")
                except OSError:
                    assert re.search(pattern, self.seen), f"the program ended; seen: {self.seen[-2000:]!r}"

    def type(self, text):
        os.write(self.ours, text.encode())

    def close(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.ours)


@pytest.fixture
def terminal(program, lake, scratch):
    opened = []

    def start():
        opened.append(Terminal(program, lake, scratch))
        return opened[-1]

    yield start
    for one in opened:
        one.close()


def test_interactive(terminal):
    t = terminal()
    t.expect("varve> ")
    t.type("SELECT 40 + 2 AS answer;\n")
    assert "42" in t.expect("42")
    t.expect("varve> ")
    t.type("SELECT 'several'\n")
    t.expect(r"\.\.> ")
    t.type("|| ' lines' AS s;\n")
    t.expect("several lines")
    t.expect("varve> ")
    t.type("SELEC;\n")
    t.expect("error: ")
    t.expect("varve> ")
    t.type(".exit\n")
    assert t.process.wait(30) == 0


def test_ctrl_c_cancels_the_query_only(terminal):
    t = terminal()
    t.expect("varve> ")
    t.type("SELECT count(*) FROM range(100000000000) a WHERE hash(a.range) % 1000003 = 7;\n")
    time.sleep(2)
    t.type("\x03")
    t.expect("cancel")
    t.expect("varve> ")
    t.type("SELECT 'still here' AS s;\n")
    t.expect(r"(?s)still here.*│ still here")
    t.expect("varve> ")
    t.type("SELECT half a statement\x03")
    t.expect("varve> ")
    t.type("SELECT 'fresh ' || 'start' AS s;\n")
    t.expect("fresh start")
    t.expect("varve> ")
    t.type("\x04")
    assert t.process.wait(30) == 0


def test_history_is_kept(terminal, scratch):
    t = terminal()
    t.expect("varve> ")
    t.type("SELECT 'remember' || 'ed' AS s;\n")
    t.expect("remembered")
    t.expect("varve> ")
    t.type(".exit\n")
    t.process.wait(30)
    history = scratch / ".varve_history"
    assert history.exists() and (history.stat().st_mode & 0o777) == 0o600
    t = terminal()
    t.expect("varve> ")
    t.type("\x1b[A\x1b[A")
    t.type("\n")
    t.expect("remembered")


def test_completion(terminal):
    t = terminal()
    t.expect("varve> ")
    t.type("SELECT * FROM ba\t")
    t.expect("rs ")
    t.type(";\n")
    t.expect("AAPL")


def test_a_box_fits_the_terminal(terminal):
    t = terminal()
    t.expect("varve> ")
    t.type("SELECT repeat('wide ', 200) AS w;\n")
    t.expect("w")
    assert max(len(line) for line in t.expect("varve> ").splitlines()) <= 110
