"""Judges Varve by the golden set: tables that other projects wrote, with what is in them.

A table either passes, or is refused because it needs a Delta feature that is not built (src/delta/features.def says which are), or is damaged
and must be refused, or it is a failure.  What a table needs is worked out here from its protocol, not asked of Varve.
"""
import atexit
import csv
import dataclasses
import functools
import json
import os
import pathlib
import re
import shutil
import tempfile

import pyarrow as pa
import pyarrow.parquet as pq

import program as programs
import values

ROOT = pathlib.Path(__file__).resolve().parent.parent
GOLDEN = pathlib.Path(os.environ.get("VARVE_GOLDEN") or ROOT.parent / "shared/golden")
REPORT = ROOT / "docs/golden-report.md"
# rows.ndjson holds at most so many rows.
ROWS_KEPT = 2000
# More rows than this are compared as sorted texts, without saying which differ.
LARGE = 50_000
# What a table that no reader should open may be refused with.
DAMAGED = {"PROTOCOL_VIOLATION", "CORRUPT_LOG", "NOT_A_DELTA_TABLE", "UNSUPPORTED_FEATURE", "VERSION_NOT_FOUND"}
PASSES, REFUSED, REJECTED, FAILS = "passes", "refused", "rejected", "FAILS"


def feature_support():
    """{name: (READ, WRITE)} of features.def."""
    text = (ROOT / "src/delta/features.def").read_text()
    rows = re.findall(r'^FEATURE\(\w+, "([^"]+)", \w+, \d, \d, (\w+), (\w+)\)', text, re.M)
    assert rows, "src/delta/features.def has another shape than tests/golden.py reads"
    return {name: (read, write) for name, read, write in rows}


SUPPORT = feature_support()


def manifest():
    with open(GOLDEN / "MANIFEST.tsv", newline="") as lines:
        return list(csv.DictReader(lines, delimiter="\t"))


@dataclasses.dataclass
class Outcome:
    table: str
    result: str
    features: tuple = ()  # missing, when refused
    detail: str = ""      # what failed, or what the refusal said
    rows: int | None = None
    versions: int = 0     # versions whose rows were counted

    def fails(self):
        return self.result == FAILS


# Spark's own tests put this before the names of its deletion vector files; the logs do not know it.
SPARK_TEST_PREFIX = "test%dv%prefix-"


@functools.cache
def without_test_prefix(folder):
    """The folder, or a copy of it whose deletion vector files have the names that the log gives them."""
    if not any(folder.glob(SPARK_TEST_PREFIX + "*")):
        return folder
    copy = pathlib.Path(tempfile.mkdtemp(prefix="varve-golden-dv-"))
    atexit.register(shutil.rmtree, copy, ignore_errors=True)
    shutil.copytree(folder, copy, dirs_exist_ok=True)
    for file in copy.glob(SPARK_TEST_PREFIX + "*"):
        file.rename(copy / file.name.removeprefix(SPARK_TEST_PREFIX))
    return copy


class Table:
    """One table of the set and what is known about it."""

    def __init__(self, row):
        self.row = row
        self.name = row["table"]
        self.folder = GOLDEN / self.name
        self.location = without_test_prefix(self.folder / "delta")
        self.summary = self._json("derived/summary.json")
        self.behaviour = self._json("expected/behaviour.json") or {}

    def _json(self, path):
        file = self.folder / path
        return json.loads(file.read_text()) if file.exists() else None

    @property
    def reference(self):
        return f"delta.`{self.location}`"

    def must_be_rejected(self):
        return self.row["content"] == "rejected" or self.behaviour.get("must") == "reject on read" or self.summary is None

    def has_data(self):
        return self.summary.get("numRows") is not None and not self.summary.get("numRowsUnavailable")

    def expected_rows(self):
        """rows.ndjson in our spelling, or None."""
        file = self.folder / "derived/rows.ndjson"
        if not file.exists():
            return None
        return [values.canonical(values.plain_numbers(json.loads(line))) for line in file.read_text().splitlines()]

    def expected_parquet(self):
        """[(version or None for the latest, files)] of what the source itself says."""
        found = []
        direct = sorted((self.folder / "expected").glob("*.parquet"))
        if direct:
            found.append((None, direct))
        for folder in sorted((self.folder / "expected").glob("*/table_content")):
            version = folder.parent.name
            found.append((None if version == "latest" else int(version[1:]), sorted(folder.glob("*.parquet"))))
        return found


def type_names(kind):
    if isinstance(kind, str):
        return {kind.split("(")[0]}
    if kind["type"] == "struct":
        return set().union(*(type_names(f["type"]) for f in kind["fields"])) if kind["fields"] else set()
    if kind["type"] == "array":
        return type_names(kind["elementType"])
    return type_names(kind["keyType"]) | type_names(kind["valueType"])


def missing_features(summary):
    """Names of the reader features that the table's latest version needs and that are not built."""
    protocol, metadata = summary["protocol"] or {}, summary["metadata"] or {}
    named = protocol.get("readerFeatures") or []
    missing = {f for f in named if SUPPORT.get(f, ("NO", "NO"))[0] == "NO"}
    mode = (metadata.get("configuration") or {}).get("delta.columnMapping.mode", "none")
    if mode != "none" and SUPPORT["columnMapping"][0] != "YES":
        missing.add("columnMapping")
    if any(f.get("dv") for f in summary.get("activeFiles") or []) and SUPPORT["deletionVectors"][0] != "YES":
        missing.add("deletionVectors")
    return missing


def nameable_features(summary):
    """Every feature that some version of the table may need: what an older version may be refused for."""
    protocol = summary["protocol"] or {}
    names = set(protocol.get("readerFeatures") or [])
    if protocol.get("minReaderVersion", 1) >= 2:
        names.add("columnMapping")
    return {n for n in names if SUPPORT.get(n, ("NO", "NO"))[0] != "YES"}


def type_text(kind):
    """A type of a schemaString as DESCRIBE spells it."""
    short = {"long": "bigint", "integer": "int", "short": "smallint", "byte": "tinyint", "null": "void"}
    if isinstance(kind, str):
        return short.get(kind, kind).replace(" ", "")
    if kind["type"] == "struct":
        return "struct<" + ",".join(f"{f['name']}:{type_text(f['type'])}" for f in kind["fields"]) + ">"
    if kind["type"] == "array":
        return f"array<{type_text(kind['elementType'])}>"
    return f"map<{type_text(kind['keyType'])},{type_text(kind['valueType'])}>"


class Mismatch(Exception):
    pass


def expect(what, expected, got):
    if expected != got:
        raise Mismatch(f"{what}: expected {expected!r}, got {got!r}"[:2000])


class Judge:
    """Judges tables one after the other through one session."""

    def __init__(self, program, lake):
        self.program, self.lake = program, lake
        self.session = None
        self.known = {}

    def close(self):
        if self.session:
            self.session.close()
            self.session = None

    def outcome(self, table):
        if table.name not in self.known:
            self.known[table.name] = self._judge(table)
        return self.known[table.name]

    def query(self, sql):
        if not self.session:
            self.session = programs.Session(self.program, self.lake)
        return self.session.query(sql)

    def _judge(self, table):
        try:
            if table.must_be_rejected():
                return self._judge_rejected(table)
            return self._judge_table(table)
        except Mismatch as wrong:
            return Outcome(table.name, FAILS, detail=str(wrong))
        except programs.Failed as failed:
            return Outcome(table.name, FAILS, detail=str(failed))
        except (AssertionError, pa.ArrowException) as broken:
            # The session ended, or answered what is not Arrow: the next table gets a new one.
            self.close()
            return Outcome(table.name, FAILS, detail=str(broken)[:2000])

    def _judge_rejected(self, table):
        try:
            rows = self.query(f"SELECT * FROM {table.reference}")
        except programs.Failed as refused:
            if refused.code not in DAMAGED:
                return Outcome(table.name, FAILS, detail=f"must be refused as a damaged table, but the error is {refused}")
            return Outcome(table.name, REJECTED, detail=refused.code)
        reason = table.behaviour.get("reason") or table.row["exercises"]
        return Outcome(table.name, FAILS, detail=f"must be refused ({reason}), but answers {rows.num_rows} rows")

    def _judge_table(self, table):
        missing = missing_features(table.summary)
        outcome = Outcome(table.name, PASSES)
        try:
            self._check_detail(table)
            self._check_schema(table)
            if table.has_data():
                outcome.rows = self._check_rows(table)
            elif missing:
                # The data is not there to be read, but the refusal comes before that.
                self.query(f"SELECT * FROM {table.reference}")
        except programs.Failed as refused:
            if not self._is_refusal(refused, missing):
                raise
            outcome.result, outcome.features = REFUSED, tuple(sorted(missing))
        else:
            if missing:
                raise Mismatch(f"needs {sorted(missing)}, which features.def says are not built, and yet it was answered")
        outcome.versions = self._check_versions(table)
        return outcome

    @staticmethod
    def _is_refusal(refused, features):
        return refused.code == "UNSUPPORTED_FEATURE" and any(f'"{f}"' in refused.everything for f in features)

    def _check_detail(self, table):
        detail = self.query(f"DESCRIBE DETAIL {table.reference}").to_pylist()[0]
        summary = table.summary
        expect("version", summary["version"], detail["version"])
        expect("files", summary["numFiles"], detail["numFiles"])
        expect("minReaderVersion", summary["protocol"]["minReaderVersion"], detail["minReaderVersion"])
        expect("minWriterVersion", summary["protocol"]["minWriterVersion"], detail["minWriterVersion"])
        expect("partition columns", summary["metadata"]["partitionColumns"], detail["partitionColumns"])
        expect("properties", summary["metadata"]["configuration"] or {}, dict(detail["properties"] or {}))
        expect("table id", summary["metadata"]["id"], detail["id"])

    def _check_schema(self, table):
        fields = json.loads(table.summary["metadata"]["schemaString"])["fields"]
        partitions = {p.lower() for p in table.summary["metadata"]["partitionColumns"]}
        described = self.query(f"DESCRIBE {table.reference}").to_pylist()
        got = [(r["col_name"], r["data_type"], r["nullable"], r["partition"]) for r in described]
        expect("schema", [(f["name"], type_text(f["type"]), f["nullable"], f["name"].lower() in partitions) for f in fields], got)

    def _check_rows(self, table):
        latest = self.query(f"SELECT * FROM {table.reference}")
        expect("rows", table.summary["numRows"], latest.num_rows)
        expected = table.expected_rows()
        if expected is not None and latest.num_rows <= ROWS_KEPT:
            self._compare("rows.ndjson", expected, values.encode_rows(latest))
        elif expected is not None:
            self._compare("the first rows", sorted(set(expected)), values.rows_among(latest, set(expected)))
        for version, files in table.expected_parquet():
            got = latest if version is None else self.query(f"SELECT * FROM {table.reference} VERSION AS OF {version}")
            what = f"the source's rows of {'the latest version' if version is None else f'version {version}'}"
            expected = [pq.ParquetFile(file).read() for file in files]
            if got.num_rows > LARGE:
                self._compare_large(what, pa.concat_tables(expected), got)
            else:
                self._compare(what, [row for part in expected for row in values.encode_rows(part, zone=False)], values.encode_rows(got, zone=False))
        return latest.num_rows

    @staticmethod
    def _compare_large(what, expected, got):
        if not values.sorted_rows(expected).equals(values.sorted_rows(got)):
            raise Mismatch(f"{what}: they differ ({expected.num_rows} expected, {got.num_rows} found)")

    @staticmethod
    def _compare(what, expected, got):
        differs = values.difference(expected, got)
        if differs:
            raise Mismatch(f"{what}: {differs}")

    def _check_versions(self, table):
        """Counts the rows of every version; an older one may need a feature that the latest does not use, and then says so."""
        counted = 0
        for version, known in table.summary["versions"].items():
            if "numRowsError" in known:
                continue
            sql = f"SELECT count(*) AS n FROM {table.reference} VERSION AS OF {version}"
            try:
                rows = self.session.attempt(sql)[0]["n"]
            except programs.Failed as refused:
                allowed = refused.code in DAMAGED if "error" in known else self._is_refusal(refused, nameable_features(table.summary))
                if not allowed:
                    raise
                continue
            if "error" in known:
                raise Mismatch(f"version {version} cannot be reconstructed ({known['error']}), and yet has {rows} rows")
            expect(f"rows of version {version}", known["numRows"], rows)
            counted += 1
        return counted


# ---- the report -------------------------------------------------------------------------------------------


def report(outcomes):
    """The text of docs/golden-report.md."""
    def count(result):
        return sum(o.result == result for o in outcomes)

    lines = [
        "# The golden tables",
        "",
        "Generated by `tests/golden_report.py`; a test checks that it is current.",
        "The tables were written by other Delta Lake implementations. For each, Varve's answer is compared with what the source says is in it and with",
        "an independent replay of its log: version, protocol, properties, schema, files, rows at the latest version, and row counts at older versions.",
        "",
        f"Of {len(outcomes)} tables:",
        "",
        "| outcome | tables | meaning |",
        "|---|---:|---|",
        f"| passes | {count(PASSES)} | everything agrees |",
        f"| refused | {count(REFUSED)} | it needs a feature that is not built, and the refusal names it |",
        f"| rejected | {count(REJECTED)} | the table is damaged or not a table, and is refused as it must be |",
        f"| fails | {count(FAILS)} | Varve is wrong |",
        "",
    ]
    by_feature = {}
    for outcome in outcomes:
        for feature in outcome.features:
            by_feature.setdefault(feature, []).append(outcome)
    if by_feature:
        lines += ["What the refused tables wait for (a table may wait for several):", "", "| feature | tables |", "|---|---:|"]
        lines += [f"| {feature} | {len(tables)} |" for feature, tables in sorted(by_feature.items(), key=lambda item: (-len(item[1]), item[0]))]
        lines.append("")
    lines += ["| table | outcome | rows | versions counted | missing feature, or why it is rejected |", "|---|---|---:|---:|---|"]
    for o in outcomes:
        why = ", ".join(o.features) if o.features else o.detail.splitlines()[0] if o.detail else ""
        rows = "" if o.rows is None else str(o.rows)
        lines.append(f"| {o.table} | {o.result} | {rows} | {o.versions or ''} | {why.replace('|', chr(92) + '|')} |")
    return "\n".join(lines) + "\n"
