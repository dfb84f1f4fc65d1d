"""The program under test: one-shot runs, sessions over stdin, and its server."""
import dataclasses
import json
import os
import pathlib
import queue
import re
import signal
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request

import pyarrow as pa

ROOT = pathlib.Path(__file__).resolve().parent.parent
SUPPRESSIONS = ROOT / "tests" / "sanitizer.supp"


def find_program():
    """$VARVE, else the sanitizer build, else the release build."""
    places = [os.environ.get("VARVE"), ROOT / "build/test/varve", ROOT / "build/varve"]
    for place in places:
        if place and os.access(place, os.X_OK):
            return str(pathlib.Path(place).resolve())
    raise FileNotFoundError("no varve program: run ./dev build, or set VARVE")


def sanitizer_environment(log):
    """Sanitizer reports go to files that begin with log, so that none is lost with a process that was killed.  Quoted: a path may hold a space."""
    common = f"log_path=\"{log}\":exitcode=99:color=never"
    return {
        "ASAN_OPTIONS": f"{common}:detect_leaks=1:allocator_may_return_null=1:handle_abort=1",
        "UBSAN_OPTIONS": f"{common}:print_stacktrace=1",
        "LSAN_OPTIONS": f"suppressions=\"{SUPPRESSIONS}\":print_suppressions=0",
    }


@dataclasses.dataclass
class Answer:
    """How a run of the program ended."""
    code: int
    out: bytes
    err: bytes

    @property
    def text(self):
        return self.out.decode()

    def json(self):
        return json.loads(self.out)

    def problem(self):
        """The error that --json prints on stderr, one object on one line."""
        for line in self.err.decode(errors="replace").splitlines():
            if line.startswith("{"):
                return json.loads(line)
        raise AssertionError(f"no error object on stderr (exit code {self.code}): {self.err[:2000]!r}")


class Failed(Exception):
    """A statement failed; problem is its RFC 9457 object."""

    def __init__(self, problem, sql=""):
        self.problem = problem
        self.code = problem.get("code")
        self.message = problem.get("detail") or ""
        super().__init__(f"{self.code}: {self.message}" + (f"\n  {sql[:500]}" if sql else ""))

    @property
    def place(self):
        at = self.problem.get("position")
        return f"{at['line']}:{at['column']}" if at else None

    @property
    def everything(self):
        """All the texts of the error, for tests that look for a word in any of them."""
        return "\n".join(str(self.problem.get(k) or "") for k in ("detail", "explanation", "hint", "context"))


class Program:
    def __init__(self, path=None, log=None):
        self.path = path or find_program()
        self.log = log or os.path.join(tempfile.mkdtemp(prefix="varve-sanitizer-"), "report")
        self.environment = {**os.environ, **sanitizer_environment(self.log), "TZ": "UTC", "LC_ALL": "C.UTF-8"}
        self.environment.pop("VARVE_LAKE", None)

    def command(self, lake, *args):
        return [self.path, *(["--lake", str(lake)] if lake else []), *map(str, args)]

    def start(self, lake, *args, **kwargs):
        kwargs.setdefault("env", self.environment)
        return subprocess.Popen(self.command(lake, *args), **kwargs)

    def run(self, lake, *args, stdin=b"", timeout=120, **kwargs):
        kwargs.setdefault("env", self.environment)
        ended = subprocess.run(self.command(lake, *args), input=stdin, capture_output=True, timeout=timeout, **kwargs)
        return Answer(ended.returncode, ended.stdout, ended.stderr)

    def sql(self, lake, sql, timeout=120, **kwargs):
        """The rows of one statement as JSON objects; raises Failed."""
        answer = self.run(lake, "--json", "-c", sql, timeout=timeout, **kwargs)
        if answer.code != 0:
            raise Failed(answer.problem(), sql)
        return answer.json()

    def reports(self):
        """Sanitizer reports written since the last call."""
        folder, prefix = os.path.split(self.log)
        found = []
        for name in sorted(os.listdir(folder)):
            if name.startswith(prefix):
                path = os.path.join(folder, name)
                found.append(pathlib.Path(path).read_text(errors="replace"))
                os.unlink(path)
        return found


class Session:
    """One process that reads statements from stdin and answers Arrow streams on stdout.

    After each statement a marker is asked for.  A statement that fails answers nothing on stdout, so the marker is what comes next, and the
    error stands on stderr by then, as an object.
    """

    def __init__(self, program, lake, *args, timeout=300):
        self.program, self.timeout = program, timeout
        self.errors = queue.Queue()
        self.process = program.start(lake, "--batch", "--no-rc", "--arrow", "--set", "ON_ERROR_STOP=0", *args,
                                     stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.reader = threading.Thread(target=self._read_errors, daemon=True)
        self.reader.start()
        self.count = 0
        self.sent_bytes = self.sent_lines = 0
        self.start = (0, 0)

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.put(line.decode(errors="replace").rstrip("\n"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        """Ends the session; the program's exit code."""
        if self.process.poll() is None:
            try:
                self.process.stdin.close()
            except BrokenPipeError:
                pass
            try:
                self.process.wait(60)
            except subprocess.TimeoutExpired:
                self.process.kill()
        code = self.process.wait()
        self.reader.join(10)
        self.process.stdout.close()
        self.process.stderr.close()
        return code

    def _said(self, patience=0.05):
        """The lines on stderr until it has been quiet for a moment."""
        lines = []
        while True:
            try:
                lines.append(self.errors.get(timeout=patience))
            except queue.Empty:
                return lines

    def _broken(self, why, sql):
        said = "\n".join(self._said(0.5))
        return AssertionError(f"the session ended (exit code {self.process.poll()}; {why}) at: {sql[:500]}\n{said}")

    def _send(self, sql, before="", after=""):
        self.count += 1
        text = sql.rstrip()
        text += "" if text.endswith(";") else ";"
        marker = f"marker {self.count}"
        lead = f"{before}{text[:len(text) - len(text.lstrip())]}"
        self.start = (self.sent_bytes + len(lead.encode()), self.sent_lines + lead.count("\n"))
        sent = f"{before}{text}\nSELECT '{marker}' AS session_marker;\n{after}"
        self.sent_bytes += len(sent.encode())
        self.sent_lines += sent.count("\n")
        self.process.stdin.write(sent.encode())
        self.process.stdin.flush()
        return marker

    def _failed(self, line, sql):
        """The program tells places in all that it read; here they are in the statement."""
        problem = json.loads(line)
        if at := problem.get("position"):
            at["offset"] -= self.start[0]
            at["line"] -= self.start[1]
        return Failed(problem, sql)

    def query(self, sql):
        """The rows as an Arrow table; raises Failed."""
        watchdog = threading.Timer(self.timeout, self.process.kill)
        watchdog.start()
        try:
            marker = self._send(sql)
            table = None
            while True:
                with pa.ipc.open_stream(pa.PythonFile(self.process.stdout, mode="r")) as reader:
                    stream = reader.read_all()
                if stream.column_names == ["session_marker"] and stream.column(0).to_pylist() == [marker]:
                    break
                table = stream
        except (pa.ArrowInvalid, OSError) as broken:
            raise self._broken(broken, sql) from None
        finally:
            watchdog.cancel()
        if table is not None:
            return table
        lines = self._said()
        problem = next((line for line in lines if line.startswith("{")), None)
        if problem is None:
            raise AssertionError(f"neither rows nor an error object for: {sql[:500]}\n" + "\n".join(lines))
        raise self._failed(problem, sql)

    def attempt(self, sql):
        """Rows as JSON objects, with errors as objects at once: for statements that must fail."""
        watchdog = threading.Timer(self.timeout, self.process.kill)
        watchdog.start()
        rows = []
        try:
            marker = self._send(sql, before=".mode jsonlines\n", after=".mode arrow\n")
            while True:
                line = self.process.stdout.readline()
                if not line:
                    raise self._broken("no more output", sql)
                row = json.loads(line)
                if row == {"session_marker": marker}:
                    break
                rows.append(row)
        except BrokenPipeError as broken:
            raise self._broken(broken, sql) from None
        finally:
            watchdog.cancel()
        lines = self._said()
        for line in lines:
            if line.startswith("{"):
                raise self._failed(line, sql)
        if lines and not rows:
            raise AssertionError(f"neither rows nor an error object for: {sql[:500]}\n" + "\n".join(lines))
        return rows

    def rows(self, sql):
        return self.query(sql).to_pylist()

    def value(self, sql):
        return self.query(sql).column(0)[0].as_py()


class Reply:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    def json(self):
        return json.loads(self.body)


class Server:
    """`varve serve` on a free port."""

    def __init__(self, program, lake, *args):
        self.process = program.start(lake, "serve", "--port", "0", *args, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.said = []
        line = self._first_line(60)
        found = re.search(r"http://([0-9.]+):(\d+)", line)
        if not found:
            self.process.kill()
            raise AssertionError(f"the server did not print its address: {line!r} {self.process.stderr.read()!r}")
        self.host, self.port = found[1], int(found[2])
        self.url = f"http://{self.host}:{self.port}"
        for pipe in (self.process.stdout, self.process.stderr):
            threading.Thread(target=lambda p=pipe: self.said.extend(p), daemon=True).start()

    def _first_line(self, seconds):
        watchdog = threading.Timer(seconds, self.process.kill)
        watchdog.start()
        try:
            return self.process.stdout.readline().decode()
        finally:
            watchdog.cancel()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()

    def stop(self, how=signal.SIGTERM, timeout=60):
        """Stops gracefully; the exit code."""
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError(f"the server did not stop within {timeout} s") from None

    def request(self, method, path, body=None, headers=None, timeout=60):
        request = urllib.request.Request(self.url + path, data=body, method=method, headers=headers or {})
        try:
            with urllib.request.urlopen(request, timeout=timeout) as reply:
                return Reply(reply.status, reply.headers, reply.read())
        except urllib.error.HTTPError as refused:
            return Reply(refused.code, refused.headers, refused.read())

    def get(self, path, **kwargs):
        return self.request("GET", path, **kwargs)

    def query(self, sql, accept="application/json", path="/api/query", **kwargs):
        return self.request("POST", path, body=sql.encode(), headers={"Accept": accept, "Content-Type": "text/plain"}, **kwargs)
