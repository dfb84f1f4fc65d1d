#!/usr/bin/env python3
"""Writes docs/dialect.md.  With --check: fails when the page is not current.

The functions come from src/base/dialect.def, by which the program spells and makes them, the differences from tests/dialect/*.tsv, whose queries run on Varve
and on Spark.
"""
import json
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "dialect.md"
ROWS = ROOT / "src" / "base" / "dialect.def"
TESTS = ROOT / "tests" / "dialect"

HEAD = """# The dialect

Made by `tools/dialect.py` from the table of functions (`src/base/dialect.def`) and the queries that `tests/test_dialect.py` runs on Varve and on Spark 4.2 (with
`spark.sql.ansi.enabled`, its default), comparing types and values. Queries are DuckDB's SQL with Spark's meaning wherever a query of Spark would otherwise fail or, worse,
answer something else. Constraints, defaults and generated columns know the same functions.

## What is as in Spark

- **NULL** sorts first in ascending order and last in descending order.
- **Names**: `` `a b` ``, and `"a b"` too. `t VERSION AS OF 3`, `t TIMESTAMP AS OF …`, `` delta.`/path` ``.
- **Operators**: `<=>`, `RLIKE`, `REGEXP`, `NOT RLIKE`, `DIV`, `==`, `||`, `MINUS`.
- **Literals**: `5L`, `5S`, `5Y`, `1.5D`, `1.5F`, `1.5BD`, `X'1F'`, `r'\\d+'`, `TIMESTAMP_NTZ '…'`, `TIMESTAMP_LTZ '…'`, `INTERVAL 5 DAYS`.
- **Types**: `CAST(x AS STRING)`, `BYTE`, `SHORT`, `LONG`, `TIMESTAMP_NTZ`, `TIMESTAMP_LTZ`, `ARRAY<INT>`, `MAP<STRING, INT>`, `STRUCT<a: INT>`.
- **Casts** of bad texts and of numbers out of range fail; `TRY_CAST` makes NULL of them. Numbers with a fraction lose it when they are cast to whole ones.
- **Lambdas**: `x -> x + 1`, `(x, i) -> x + i` (places count from 0); DuckDB's `lambda x: x + 1` too (they count from 1).
- **Clauses**: `LATERAL VIEW [OUTER] explode | posexplode | inline (…) t AS a, b`, `LATERAL (…)`, `PIVOT`, `UNPIVOT`, `QUALIFY`, `LEFT SEMI JOIN`, `LEFT ANTI JOIN`,
  `SELECT * EXCEPT (a)`, `GROUP BY ALL`, `ROLLUP`, `CUBE`, `GROUPING SETS`, `window(ts, '1 minute')` with `window.start` and `window.end`,
  `listagg(x) WITHIN GROUP (ORDER BY y)`.
- **Rows**: `_metadata.file_path`, `file_name`, `file_size`, `file_modification_time`, `row_index`, and where rows are tracked `row_id` and `row_commit_version`.

Regular expressions are RE2's: no back references and no looking around, which fail; all else is written as in Java.

## What is not

Every row is a query that runs on both; the answer is Varve's.

| query | Varve | |
|---|---|---|
"""

FUNCTIONS = """
## Functions

*Macro*: made in the engine when a query first calls it; *over*: the same, where the engine has another function of the name; *native*: written in C; *spelled*: the call is
written anew for the engine; *engine*: the engine's own, which means the same; *differs*: the engine's own stands.

| function | how | |
|---|---|---|
"""

HOW = {"MACRO": "macro", "OVER": "over", "NATIVE": "native", "NATIVE_OVER": "native, over", "ALIAS": "spelled", "FORM": "spelled", "SAME": "engine",
       "DIFFERS": "differs"}


def cell(text):
    return text.replace("|", "\\|")


def functions():
    """name -> [how, what]"""
    found = {}
    text = ROWS.read_text()
    text = text[text.index("*/") + 2:]
    for kind, name, rest in re.findall(r"^DIALECT\((\w+), \"([^\"]+)\",(.*?)\)\n(?=DIALECT|\n|/\*|\Z)", text, re.M | re.S):
        if kind not in HOW:
            continue
        what = re.findall(r'"((?:[^"\\]|\\.)*)"\s*$', rest)[0]
        how, said = found.get(name, ([], ""))
        found[name] = (how + [HOW[kind]] if HOW[kind] not in how else how, said or what)
    return found


def differences():
    for path in sorted(TESTS.glob("*.tsv")):
        for number, line in enumerate(path.read_text().split("\n"), 1):
            query, expected, why = (line.split("\t") + ["", ""])[:3]
            if expected.startswith(("differs", "spark fails", "varve fails")):
                if not why:
                    sys.exit(f"{path}:{number}: the difference has no reason")
                answer = expected.removeprefix("differs:").removeprefix("spark fails").strip()
                shown = "fails" if answer == "varve fails" else ", ".join(
                    "NULL" if v is None else str(v) for row in json.loads(answer) for v in row)
                yield query, shown, why


def page():
    text = HEAD
    for query, answer, why in differences():
        text += f"| `{cell(query)}` | {cell(answer)} | {cell(why)} |\n"
    text += FUNCTIONS
    for name, (how, what) in sorted(functions().items()):
        text += f"| `{name}` | {', '.join(how)} | {cell(what)} |\n"
    return text


def main():
    text = page()
    if "--check" in sys.argv[1:]:
        if not PAGE.exists() or PAGE.read_text() != text:
            sys.exit(f"{PAGE.relative_to(ROOT)} is not current: run tools/dialect.py")
        return
    PAGE.write_text(text)


main()
