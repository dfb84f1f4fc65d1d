#!/usr/bin/env python3
"""Writes docs/protocol-support.md.  With --check: fails when the page is not current.

What is read and written comes from src/delta/features.def, what can be dropped from the table of src/table/feature.c; each cell that says yes names
the tests that prove it (protocol_proofs.tsv, protocol_golden.tsv), and it is an error when one of them does not exist or when there is none.
"""
import csv
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "protocol-support.md"
TOOLS = ROOT / "tools"
CELLS = ("read", "write", "enable", "drop")
PEERS = ("Spark", "delta-rs", "kernel-rs", "duckdb-delta")
# A section of a SQL test, a test of the unit tests, a test of pytest.
HEADINGS = {".test": r"^== {name}$", ".c": r"cmocka_unit_test\w*\({name}[,)]", ".py": r"^def {name}\("}
# A case of a parametrised test of pytest: a key of its table, or the function that makes it.
CASE = r'^\s*"{name}":|^def \w+?_{name}\('

HEAD = """# Delta table features

Made by `tools/protocol_support.py` from the rows by which the program decides (`src/delta/features.def`, `src/table/feature.c`) and from a list of tests. A cell that
says *yes* has at least one test that proves it (reading asks nothing of a feature for writers; its golden tables count); a test that is gone makes the tool fail. *No* means: a table that asks for the feature is not opened (reading)
or is read-only (writing), and the error names the feature; it is not enabled; `ALTER TABLE … DROP FEATURE` refuses and says why. *Enable* is by property, by schema or by
`delta.feature.name = 'supported'`. A feature that is not in this list is refused as unknown. *Golden* counts the tables of other writers that list the feature and are read
as their sources expect ([golden-report.md](golden-report.md)); that a table lists a feature does not mean that its rows need it.

| feature | kind | implied by (reader, writer) | read | write | enable | drop | golden |
|---|---|---|---|---|---|---|---:|
"""

BESIDE = """
## Beside others

Read from their sources and documents, not run: Delta Lake 4.4 for Spark (bb1057f4, 2026-08-22), delta-rs (2c996fa9, 2026-08-22), delta-kernel-rs (b14c3fb8, 2026-08-21),
duckdb-delta (e74cf88e, 2026-07-13, with kernel 0.21). `-`: nothing was found. *Not written*: such a table is read, and writing to it is refused.

| feature | Varve | Spark | delta-rs | kernel-rs | duckdb-delta |
|---|---|---|---|---|---|
"""

LIMITS = """
## What yes leaves out

- variantShredding, write: scalars and objects that a tenth of the rows have become columns, arrays and mixed values do not; variants inside of structs,
  arrays and maps are written whole, and so is a column that has SQL's NULL and JSON's null in one file.
- icebergCompatV1 and V2, write: the table keeps the rules, so that others can describe it as Iceberg; Iceberg's own metadata is not written
  (`delta.universalFormat.enabledFormats` is refused).
- Dropping a feature that readers must know (but vacuumProtocolCheck) adds checkpointProtection, or, with `TRUNCATE HISTORY`, waits for
  `delta.dropFeatureTruncateHistory.retentionDuration`.
"""

PROOFS = """
## The tests

Sections of `tests/sql/*.test`, functions of `tests/*.py` with the case in brackets, and unit tests of `src/`. Those that name a judge run Spark and delta-rs on the same table.

| feature | cell | tests |
|---|---|---|
"""


class Wrong(Exception):
    """The tables of this tool do not fit the tree."""


def table(name):
    with (TOOLS / name).open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))


def features():
    rows = re.findall(r'^FEATURE\((\w+), "([^"]+)", (\w+), (\d), (\d), (\w+), (\w+)\)', (ROOT / "src/delta/features.def").read_text(), re.M)
    source = (ROOT / "src/table/feature.c").read_text()
    droppable = re.search(r"^static const struct droppable droppable\[\] = \{(.*?)^\};", source, re.M | re.S)
    if not droppable:
        raise Wrong("src/table/feature.c has no table of what can be dropped")
    dropped = set(re.findall(r"\{DELTA_FEATURE_(\w+),", droppable[1]))
    for symbol, name, kind, reader, writer, read, write in rows:
        can = {"read": read == "YES", "write": write == "YES", "enable": write == "YES", "drop": symbol in dropped}
        yield name, kind, (reader, writer), can


def check_test(test):
    """test: `file name` or `file name [case]`."""
    path, _, name = test.partition(" ")
    name, _, case = name.partition(" [") if path.endswith(".py") else (name, "", "")
    file = ROOT / path
    if not file.exists():
        raise Wrong(f"there is no {path}")
    text = file.read_text()
    if not re.search(HEADINGS[file.suffix].format(name=re.escape(name)), text, re.M):
        raise Wrong(f"{path} has no test \"{name}\"")
    if case and not re.search(CASE.format(name=re.escape(case.rstrip("]"))), text, re.M):
        raise Wrong(f"{path} has no case \"{case.rstrip(']')}\"")


def proofs(names):
    found = {}
    for row in table("protocol_proofs.tsv"):
        if row["feature"] not in names or row["cell"] not in CELLS:
            raise Wrong(f"protocol_proofs.tsv: no cell {row['feature']}, {row['cell']}")
        check_test(row["test"])
        found.setdefault((row["feature"], row["cell"]), []).append(row["test"])
    return found


def golden():
    report = ROOT / "docs/golden-report.md"
    passed = set(re.findall(r"^\| (\S+) \| passes \|", report.read_text(), re.M)) if report.exists() else set()
    counts = {}
    for row in table("protocol_golden.tsv"):
        if row["table"] in passed:
            counts[row["feature"]] = counts.get(row["feature"], 0) + 1
    return counts


def short(can):
    done = [cell for cell in ("read", "write", "drop") if can[cell]]
    return "refused by name" if not done else ", ".join(done)


def page():
    rows = list(features())
    names = [r[0] for r in rows]
    tests, counts = proofs(names), golden()
    peers = {r["feature"]: r for r in table("protocol_peers.tsv")}
    if set(peers) != set(names):
        raise Wrong(f"protocol_peers.tsv: {sorted(set(peers) ^ set(names))}")
    lines, beside, proved = [], [], []
    for name, kind, (reader, writer), can in rows:
        for cell in CELLS:
            listed = tests.get((name, cell), [])
            if listed and not can[cell]:
                raise Wrong(f"{name}: tests prove \"{cell}\", which is not built")
            if can[cell] and not listed and not (cell == "read" and (counts.get(name) or kind == "WRITER")):
                raise Wrong(f"{name}: no test proves \"{cell}\"")
            if listed:
                proved.append(f"| {name} | {cell} | {', '.join(f'`{t}`' for t in listed)} |")
        implied = "-" if reader == writer == "0" else f"({reader if reader != '0' else '-'}, {writer if writer != '0' else '-'})"
        marks = " | ".join("yes" if can[cell] else "no" for cell in CELLS)
        lines.append(f"| {name} | {'reader and writer' if kind == 'READER_WRITER' else 'writer'} | {implied} | {marks} | {counts.get(name, '')} |")
        beside.append(f"| {name} | {short(can)} | {' | '.join(peers[name][p] for p in PEERS)} |")
    total = {cell: sum(r[3][cell] for r in rows) for cell in CELLS}
    said = f"\n{len(rows)} features known; {total['read']} read, {total['write']} written, {total['drop']} dropped.\n"
    return HEAD + "\n".join(lines) + "\n" + said + LIMITS + BESIDE + "\n".join(beside) + "\n" + PROOFS + "\n".join(proved) + "\n"


def main():
    try:
        text = page()
    except Wrong as wrong:
        print(f"protocol support: {wrong}")
        return 1
    if "--check" in sys.argv:
        current = PAGE.read_text() if PAGE.exists() else ""
        if current != text:
            print("docs/protocol-support.md is not current: run tools/protocol_support.py")
            return 1
        return 0
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
