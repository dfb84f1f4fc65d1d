"""What the manual says is true: its marked commands run, its links lead somewhere, and the C example compiles against an installed library.

A fenced block whose info string is `sh run` or `sql run` is executed: the blocks of one page in order, in one shell, in an empty folder with `varve` on
the path and $VARVE_LAKE set.  Blocks that use ./dev run in the repository itself.
"""
import os
import pathlib
import re
import shutil
import signal
import subprocess

import pytest

import capi
import program as programs

ROOT = programs.ROOT
PAGES = [p for p in [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", ROOT / "tests/README.md", *sorted((ROOT / "docs").rglob("*.md"))]
         if p.exists()]
FENCE = re.compile(r"^```(sh|sql|bash) run\n(.*?)^```$", re.M | re.S)


def blocks(page):
    """[(line, language, text)] of what is to be run."""
    text = page.read_text()
    return [(text.count("\n", 0, m.start()) + 1, m[1], m[2]) for m in FENCE.finditer(text)]


def shell_of(page):
    """One script that runs every block and says before each which it is."""
    lines = ["set -euo pipefail"]
    for line, language, text in blocks(page):
        lines.append(f"printf '\\n@@ line {line}\\n'")
        if "./dev" in text:
            lines.append(f"cd {str(ROOT)!r}")
        lines.append(text if language != "sql" else f"varve --bail <<'END OF SQL'\n{text}END OF SQL")
        if "./dev" in text:
            lines.append('cd "$OLDPWD"')
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize("page", [p for p in PAGES if blocks(p)], ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_of_a_page(program, scratch, page):
    script = shell_of(page)
    assert "./dev test" not in script, "the tests cannot run themselves"
    (scratch / "bin").mkdir()
    (scratch / "bin/varve").symlink_to(program.path)
    (scratch / "work").mkdir()
    environment = {**program.environment, "PATH": f"{scratch}/bin:{os.environ['PATH']}", "VARVE_LAKE": str(scratch / "lake"), "HOME": str(scratch)}
    process = subprocess.Popen(["bash", "-c", script], cwd=scratch / "work", env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, start_new_session=True)
    try:
        out, _ = process.communicate(timeout=600)
    finally:
        # Servers that a page starts in the background.
        try:
            os.killpg(process.pid, signal.SIGTERM)
        except ProcessLookupError:
            pass
    text = out.decode(errors="replace")
    assert process.returncode == 0, f"{page.name}, the block at {text.rsplit('@@ ', 1)[-1][-3000:]}"


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    prose = re.sub(r"```.*?```|`[^`]*`", "", page.read_text(), flags=re.S)
    missing = []
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", target) or not path:
            continue
        if not (page.parent / path).exists():
            missing.append(target)
    assert not missing, missing


def test_the_pages_that_must_be_there():
    assert [name for name in ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md") if not (ROOT / name).exists()] == []


# ---- the library ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def installed(module_scratch):
    reason = capi.why_no_library()
    if reason:
        pytest.skip(reason)
    prefix = module_scratch / "a prefix"
    subprocess.run(["cmake", "--install", str(capi.BUILD), "--prefix", str(prefix)], check=True, capture_output=True)
    return prefix


def flags(prefix):
    environment = {**os.environ, "PKG_CONFIG_PATH": str(prefix / "lib/pkgconfig")}
    said = subprocess.run(["pkg-config", "--cflags", "--libs", "varve"], env=environment, check=True, capture_output=True, text=True).stdout
    return [part.replace("\\ ", " ") for part in re.split(r"(?<!\\) ", said.strip()) if part]


def compile_and_run(prefix, folder, source, *, lake):
    (folder / "example.c").write_text(source)
    command = [os.environ.get("CC", "cc"), "-std=c11", "-Wall", "-Wextra", "-Werror", "-o", str(folder / "example"), str(folder / "example.c"), *flags(prefix)]
    compiled = subprocess.run(command, capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stderr
    return subprocess.run([str(folder / "example"), str(lake)], cwd=folder, capture_output=True, text=True, timeout=120,
                          env={**os.environ, "LD_LIBRARY_PATH": str(prefix / "lib")})


def test_the_example_of_the_header(installed, scratch):
    """The code in varve.h's first comment, with a main around it."""
    comment = (installed / "include/varve/varve.h").read_text().split("*/", 1)[0]
    code = "\n".join(line[3:] for line in comment.splitlines() if line.startswith(" *   "))
    assert "varve_open" in code
    source = ("#include <stdio.h>\n#include <varve/varve.h>\n"
              "static bool write_to_stdout(void *file, const void *bytes, size_t length) { return fwrite(bytes, 1, length, file) == length; }\n"
              f"int main(void)\n{{\n{code}\n    return 0;\n}}\n")
    ended = compile_and_run(installed, scratch, source, lake=scratch / "lake")
    assert (ended.returncode, ended.stdout) == (0, "answer\n42\n"), ended


def test_the_header_is_cplusplus_too(installed, scratch):
    (scratch / "example.cc").write_text("#include <varve/varve.h>\nint main() { return varve_version()[0] == '\\0'; }\n")
    compiled = subprocess.run(["c++", "-Wall", "-Wextra", "-Werror", "-o", str(scratch / "example"), str(scratch / "example.cc"), *flags(installed)], capture_output=True, text=True)
    assert compiled.returncode == 0, compiled.stderr


def test_the_installed_program_runs_from_its_place(installed, scratch):
    """Moved to another folder it still finds its libraries."""
    moved = scratch / "moved"
    shutil.copytree(installed, moved, symlinks=True)
    ended = subprocess.run([str(moved / "bin/varve"), "--lake", str(scratch / "lake"), "--csv", "-c", "SELECT 1 AS a"], capture_output=True, text=True,
                           env={"PATH": "/usr/bin:/bin", "HOME": str(scratch)})
    assert (ended.returncode, ended.stdout) == (0, "a\n1\n"), ended


def test_the_library_exports_only_its_own_names(installed):
    library = installed / "lib/libvarve.so"
    named = subprocess.run(["nm", "-D", "--defined-only", str(library)], check=True, capture_output=True, text=True).stdout
    exported = {line.split()[-1].split("@")[0] for line in named.splitlines()}
    declared = set(re.findall(r"^VARVE_API [^;(]*?\b(varve_\w+)\(", (installed / "include/varve/varve.h").read_text(), re.M))
    assert declared and declared <= exported, declared - exported
    assert not [name for name in exported if not name.startswith("varve_") and not name.startswith("VARVE_")]


def test_the_library_by_ctypes(scratch):
    """Errors, rows and a second session through the C interface alone."""
    reason = capi.why_no_library()
    if reason:
        pytest.skip(reason)
    session = capi.Session(scratch / "lake")
    try:
        session.csv("CREATE TABLE t AS SELECT 1 AS a, 'x' AS b")
        assert session.csv("SELECT * FROM t") == "a,b\n1,x\n"
        with pytest.raises(capi.Refused) as refused:
            session.csv("SELECT a,\n c FROM t")
        assert refused.value.problem["code"] == "COLUMN_NOT_FOUND"
        assert refused.value.problem["position"] == {"offset": 11, "line": 2, "column": 2}
    finally:
        session.close()


def test_generated_pages_hold_every_row():
    """docs/protocol-support.md comes from features.def, docs/errors.md from errors.def, where they exist: every row is in them."""
    for page, table, pattern in (("protocol-support.md", "src/delta/features.def", r'^FEATURE\(\w+, "([^"]+)"'), ("errors.md", "src/base/errors.def", r"^ERROR_CODE\((\w+),")):
        path = ROOT / "docs" / page
        if path.exists():
            names = re.findall(pattern, (ROOT / table).read_text(), re.M)
            assert [n for n in names if n not in path.read_text()] == [], page
