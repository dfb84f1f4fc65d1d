#!/usr/bin/env python3
"""Runs every test and ends with `N passed, N failed, N skipped`.

  tests/run.py [-k PATTERN]

Jobs are the cmocka executables of the sanitizer build, those of the rooms with threads once more under ThreadSanitizer, a short run of each fuzz
target, the layer check, and one pytest process for each test file; two run at a time, long ones first.  -k keeps the executables whose name, and the pytest tests whose name, match.
"""
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import pty
import re
import selectors
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ET

import program as programs

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent
BUILD = pathlib.Path(os.environ.get("VARVE_TEST_BUILD") or ROOT / "build/test")
# What links the engine is not here: DuckDB's library is not built for ThreadSanitizer, so whatever its threads hand to each other, our
# callbacks and allocations among it, looks like a race.
TSAN_BUILD, TSAN_ROOMS = ROOT / "build/tsan", ("base", "cache", "store", "delta", "catalog", "search")
WORKERS = 2
UNIT_TIMEOUT_S, FILE_TIMEOUT_S = 300, 1200
FUZZ_S, FUZZ_SEED, FUZZ_TIMEOUT_S = 2, 1, 120
SANITIZER_REPORT = re.compile(r"ERROR: AddressSanitizer|ERROR: LeakSanitizer|runtime error:|WARNING: ThreadSanitizer")
# The longest first, so that the two workers end together.
LONGEST = ["test_judges.py", "test_interop.py", "test_isolation.py", "test_features.py", "test_golden.py", "test_crash.py", "test_page.py", "test_bad_input.py", "test_cli.py", "test_docs.py"]


@dataclasses.dataclass
class Job:
    name: str
    command: list
    timeout: int
    kind: str  # "unit", "check" (also a fuzz target) or "pytest"
    started: float = 0  # 0 while it waits for its turn


@dataclasses.dataclass
class Result:
    job: Job
    seconds: float = 0
    passed: int = 0
    failed: int = 0
    skipped: list = dataclasses.field(default_factory=list)   # (test, reason)
    failures: list = dataclasses.field(default_factory=list)  # texts
    times: list = dataclasses.field(default_factory=list)     # (seconds, test)

    def fail(self, text):
        self.failed += 1
        self.failures.append(text)


# ---- running ---------------------------------------------------------------------------------------------


def drain(fd, process, timeout):
    """What a process writes to a terminal until it ends; None for the code when the time ran out."""
    deadline = time.monotonic() + timeout
    chunks = []
    with selectors.DefaultSelector() as selector:
        selector.register(fd, selectors.EVENT_READ)
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
                return b"".join(chunks), None
            if selector.select(min(left, 0.5)):
                try:
                    chunk = os.read(fd, 65536)
                except OSError:  # EIO: the other side of the terminal is closed
                    chunk = b""
                if not chunk:
                    return b"".join(chunks), process.wait()
                chunks.append(chunk)
            elif process.poll() is not None:
                return b"".join(chunks), process.returncode


def execute(command, timeout, environment):
    """A terminal as stdout keeps the lines of a crashed program: they are written out one by one."""
    ours, theirs = pty.openpty()
    try:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, cwd=ROOT, env=environment, start_new_session=True)
        os.close(theirs)
        out, code = drain(ours, process, timeout)
    finally:
        os.close(ours)
    return out.decode(errors="replace").replace("\r\n", "\n"), code


# ---- reading the outcomes -----------------------------------------------------------------------------------


def read_unit(result, out, code):
    """cmocka's lines: each test begins with RUN and ends with OK, FAILED or SKIPPED; one that skips itself prints `skipped: WHY` before."""
    running, ended, why = None, 0, None
    for line in out.splitlines():
        if line.startswith("skipped: "):
            why = line.removeprefix("skipped: ")
        match = re.match(r"\[ +(RUN|OK|FAILED|SKIPPED) +\] (\w+)$", line)
        if not match:
            continue
        word, test = match.groups()
        if word == "RUN":
            running, why = test, None
        elif test == running:
            running = None
            ended += 1
            if word == "OK":
                result.passed += 1
            elif word == "SKIPPED":
                result.skipped.append((f"{result.job.name}: {test}", why or "no reason given"))
            else:
                result.fail(f"{result.job.name}: {test} failed\n{excerpt(out, test)}")
    if code is None:
        result.fail(f"{result.job.name}: {running or 'the run'} did not end within {result.job.timeout} s\n{tail(out)}")
    elif running:
        result.fail(f"{result.job.name}: {running} crashed (exit code {code})\n{report_of(out)}")
    elif SANITIZER_REPORT.search(out):
        result.fail(f"{result.job.name}: sanitizer report\n{report_of(out)}")
    elif code != 0 and not result.failed:
        result.fail(f"{result.job.name}: exit code {code}\n{tail(out)}")
    elif not ended:
        result.fail(f"{result.job.name}: ran no test\n{tail(out)}")


def read_check(result, out, code):
    if code == 0:
        result.passed += 1
    else:
        result.fail(f"{result.job.name}: exit code {code}\n{tail(out, 60)}")


def read_pytest(result, out, code, report):
    try:
        cases = list(ET.parse(report).iter("testcase"))
    except (OSError, ET.ParseError):
        result.fail(f"{result.job.name}: pytest left no report (exit code {code})\n{tail(out, 60)}")
        return
    for case in cases:
        name = f"{result.job.name}: {case.get('name')}"
        result.times.append((float(case.get("time") or 0), name))
        trouble = case.find("failure") if case.find("failure") is not None else case.find("error")
        skipped = case.find("skipped")
        if trouble is not None:
            result.fail(f"{name}\n{(trouble.text or trouble.get('message') or '').strip()}")
        elif skipped is not None:
            result.skipped.append((name, why_skipped(skipped)))
        else:
            result.passed += 1
    if code is None:
        result.fail(f"{result.job.name}: did not end within {result.job.timeout} s\n{tail(out)}")
    elif code not in (0, 1, 5) and not result.failed:
        result.fail(f"{result.job.name}: pytest ended with {code}\n{tail(out, 60)}")


def why_skipped(skipped):
    """The reason of one skipped test.  Where a whole file is skipped, pytest gives it as the text (path, line, 'Skipped: WHY')."""
    whole = re.search(r"""['"]Skipped: (.*)['"]\)$""", skipped.text or "", re.S)
    return whole.group(1) if whole else skipped.get("message") or "no reason given"


def report_of(out):
    """The beginning of a sanitizer's report, which says what and where; else the end of the output."""
    found = SANITIZER_REPORT.search(out)
    return "\n".join(out[found.start():].splitlines()[:30]) if found else tail(out)


def tail(out, lines=30):
    return "\n".join(out.splitlines()[-lines:])


def excerpt(out, test):
    """The lines of one failed cmocka test."""
    lines = out.splitlines()
    starts = [i for i, line in enumerate(lines) if line.startswith("[ RUN") and line.endswith(test)]
    return "\n".join(lines[starts[-1]:starts[-1] + 30]) if starts else tail(out)


# ---- jobs -----------------------------------------------------------------------------------------------------


def executables(folder):
    return sorted(p for p in folder.iterdir() if os.access(p, os.X_OK) and p.is_file()) if folder.is_dir() else []


def matching(jobs, pattern):
    return [job for job in jobs if not pattern or pattern.lower() in job.name.lower()]


def unit_jobs(pattern):
    return matching([Job(p.name, [str(p)], UNIT_TIMEOUT_S, "unit") for p in executables(BUILD / "tests")], pattern)


def tsan_jobs(pattern):
    """ThreadSanitizer of gcc 12 does not run where addresses are very random."""
    fixed = ["setarch", "-R"]
    if subprocess.run([*fixed, "true"], capture_output=True).returncode != 0:
        fixed = []
    found = [p for p in executables(TSAN_BUILD / "tests") if p.name.split("_")[0] in TSAN_ROOMS]
    return matching([Job(f"tsan {p.name}", [*fixed, str(p)], UNIT_TIMEOUT_S, "unit") for p in found], pattern)


def fuzz_jobs(pattern):
    def job(target):
        kept = sorted(str(p) for p in (HERE / "fuzz" / target.name).glob("*"))
        return Job(target.name, [str(target), str(FUZZ_S), str(FUZZ_SEED), *kept], FUZZ_TIMEOUT_S, "check")
    return matching([job(target) for target in executables(BUILD / "fuzz")], pattern)


def pytest_jobs(pattern):
    files = sorted(p.name for p in HERE.glob("test_*.py"))
    files.sort(key=lambda name: LONGEST.index(name) if name in LONGEST else len(LONGEST))
    extra = ["-k", pattern] if pattern else []
    return [Job(name, [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(HERE), str(HERE / name), *extra],
                FILE_TIMEOUT_S, "pytest") for name in files]


def check_jobs(pattern):
    if pattern and pattern.lower() not in "layers":
        return []
    return [Job("layers", [sys.executable, str(ROOT / "tools/check_layers.py")], 60, "check")]


def run_job(job, environment, folder):
    result = Result(job)
    job.started = time.monotonic()
    if job.kind == "pytest":
        report = folder / f"{job.name}.xml"
        out, code = execute([*job.command, f"--junit-xml={report}"], job.timeout, environment)
        read_pytest(result, out, code, report)
    else:
        out, code = execute(job.command, job.timeout, environment)
        (read_unit if job.kind == "unit" else read_check)(result, out, code)
    result.seconds = time.monotonic() - job.started
    return result


def environment_of(folder):
    """Unit tests report to their output; the pytest tests give their own processes a log."""
    environment = {**os.environ, **programs.sanitizer_environment("stderr"), "TSAN_OPTIONS": "color=never", "TZ": "UTC", "PYTHONDONTWRITEBYTECODE": "1", "TMPDIR": str(folder)}
    program = BUILD / "varve"
    if program.exists():
        environment["VARVE"] = str(program)
    return environment


# ---- telling ----------------------------------------------------------------------------------------------------


def tell(result, done, total):
    if not (result.passed or result.failed or result.skipped):
        return
    text = f"[{done}/{total}] {result.job.name}: {result.passed} passed"
    text += f", {result.failed} FAILED" if result.failed else ""
    text += f", {len(result.skipped)} skipped" if result.skipped else ""
    print(f"{text} ({result.seconds:.1f} s)", flush=True)
    for failure in result.failures:
        print("\n    " + failure.replace("\n", "\n    ") + "\n", flush=True)


def completed(pending):
    """The results as they come.  After two silent seconds it is told what runs: on a terminal in place, elsewhere every ten seconds."""
    terminal, wait = sys.stdout.isatty(), 2
    while pending:
        done, _ = concurrent.futures.wait(pending, timeout=wait, return_when=concurrent.futures.FIRST_COMPLETED)
        if terminal:
            print("\r\033[K", end="")
        if not done:
            running = ", ".join(f"{job.name} {time.monotonic() - job.started:.0f} s" for job in pending.values() if job.started)
            print(f"    running: {running}", end="" if terminal else "\n", flush=True)
        wait = 2 if done else 1 if terminal else 10
        for future in done:
            del pending[future]
            yield future.result()


def tell_times(results, seconds):
    units = [r for r in results if r.job.kind == "unit"]
    rows = []
    for what, some in (("unit tests", [r for r in units if not r.job.name.startswith("tsan ")]),
                       ("the same under ThreadSanitizer", [r for r in units if r.job.name.startswith("tsan ")])):
        rows += [(sum(r.seconds for r in some), f"{what} ({len(some)} executables)")] if some else []
    rows += [(r.seconds, r.job.name) for r in results if r.job.kind != "unit" and r.seconds >= 0.5]
    print(f"\nwhere the time goes ({seconds:.0f} s with {WORKERS} jobs at a time):")
    for taken, name in sorted(rows, reverse=True):
        print(f"  {taken:7.1f} s  {name}")
    slowest = sorted((t for r in results for t in r.times), reverse=True)[:8]
    if slowest and slowest[0][0] >= 1:
        print("slowest tests:")
        for taken, name in slowest:
            if taken >= 1:
                print(f"  {taken:7.1f} s  {name}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("-k", metavar="PATTERN", default="", help="only tests whose name matches")
    pattern = parser.parse_args().k
    jobs = pytest_jobs(pattern) + tsan_jobs(pattern) + unit_jobs(pattern) + fuzz_jobs(pattern) + check_jobs(pattern)
    results, started = [], time.monotonic()
    with tempfile.TemporaryDirectory(prefix="varve-tests-") as folder:
        folder = pathlib.Path(folder)
        environment = environment_of(folder)
        with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
            for result in completed({pool.submit(run_job, job, environment, folder): job for job in jobs}):
                results.append(result)
                tell(result, len(results), len(jobs))
    tell_times(results, time.monotonic() - started)
    skipped = sorted(s for r in results for s in r.skipped)
    for name, reason in skipped:
        print(f"skipped: {name}: {reason}")
    passed, failed = sum(r.passed for r in results), sum(r.failed for r in results)
    for failure in (f for r in results for f in r.failures):
        print("failed: " + "\n    ".join([failure.splitlines()[0], *failure.splitlines()[1:][-12:]]))
    if pattern and not (passed or failed or skipped):
        print(f"no test matches {pattern!r}")
    print(f"{passed} passed, {failed} failed, {len(skipped)} skipped")
    return 1 if failed or not (passed or skipped) else 0


if __name__ == "__main__":
    sys.exit(main())
