"""Spark's SQL as Varve reads it: the queries of tests/dialect/*.tsv run on both, and types and values are compared.

A line is a query, a tab, what is expected of the two answers (nothing: they are the same, row by row), and behind another tab why:

  sorted          the same rows in any order
  wider           the same, where Varve's integers may be wider
  near            the same, floating point but for the last digits
  fails           both refuse
  varve fails     Varve refuses what Spark answers
  spark fails     Varve answers what stands behind (JSON of the rows), where Spark refuses
  differs: JSON   Varve answers this and Spark something else; docs/dialect.md says why

A line "# text" is a comment, "! statement" sets up what the queries behind it read.
"""
import dataclasses
import json
import math
import pathlib
import re

import pyarrow as pa
import pyarrow.types as pt
import pytest

import peers
import program as programs
import values

FOLDER = pathlib.Path(__file__).resolve().parent / "dialect"
ROWS = pathlib.Path(__file__).resolve().parent.parent / "src/base/dialect.def"
WIDTHS = {"tinyint": 0, "smallint": 1, "int": 2, "bigint": 3, "decimal(38,0)": 4}


@dataclasses.dataclass
class Case:
    place: str
    query: str
    expected: str
    why: str


def cases():
    found = []
    for path in sorted(FOLDER.glob("*.tsv")):
        for number, line in enumerate(path.read_text().split("\n"), 1):
            if line.strip() and not line.startswith("#"):
                query, expected, why = (line.split("\t") + ["", ""])[:3]
                found.append(Case(f"{path.name}:{number}", query.strip(), expected.strip(), why.strip()))
    return found


CASES = cases()


def type_text(kind):
    """An Arrow type as Spark spells it, without what only Arrow knows."""
    if pt.is_dictionary(kind):
        return type_text(kind.value_type)
    if pt.is_map(kind):
        return f"map<{type_text(kind.key_type)},{type_text(kind.item_type)}>"
    if pt.is_list(kind) or pt.is_large_list(kind) or pt.is_fixed_size_list(kind):
        return f"array<{type_text(kind.value_type)}>"
    if pt.is_struct(kind):
        return f"struct<{','.join(f'{f.name}:{type_text(f.type)}' for f in kind)}>"
    if pt.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pt.is_timestamp(kind):
        return "timestamp" if kind.tz else "timestamp_ntz"
    if pt.is_string(kind) or pt.is_large_string(kind) or str(kind) == "string_view":
        return "string"
    if pt.is_binary(kind) or pt.is_large_binary(kind) or str(kind) == "binary_view":
        return "binary"
    return {"int8": "tinyint", "int16": "smallint", "int32": "int", "int64": "bigint", "float": "float", "double": "double", "bool": "boolean",
            "date32[day]": "date", "null": "void"}.get(str(kind), str(kind))


@dataclasses.dataclass
class Answer:
    types: list
    rows: list  # of values, by position; None when it was refused
    refusal: str = ""


def answer_of(table):
    columns = [values.encode_column(table.column(i)) for i in range(table.num_columns)]
    rows = [list(row) for row in zip(*columns)] if columns else [[] for _ in range(table.num_rows)]
    return Answer([type_text(field.type) for field in table.schema], rows)


def by_varve(session, query):
    try:
        return answer_of(session.query(query))
    except programs.Failed as failed:
        return Answer([], None, str(failed))


def by_spark(spark, query):
    try:
        return answer_of(spark.sql(query).toArrow())
    except Exception as failed:  # noqa: BLE001: whatever way it refuses
        return Answer([], None, str(failed).split("\n")[0])


# ---- comparing ------------------------------------------------------------------------------------------------


def near(one, other):
    if isinstance(one, (int, float)) and isinstance(other, (int, float)):
        return one == other or math.isclose(one, other, rel_tol=1e-12, abs_tol=1e-15)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(near, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(near(one[k], other[k]) for k in one)
    return one == other


def widths_agree(varve, spark):
    """Whether the types are alike but for wider integers."""
    words = re.compile(r"decimal\(38,0\)|tinyint|smallint|bigint|int\b")
    mine, theirs = words.findall(varve), words.findall(spark)
    return words.sub("#", varve) == words.sub("#", spark) and all(WIDTHS[m] >= WIDTHS[t] for m, t in zip(mine, theirs))


def as_numbers(value):
    """long and decimal are texts: where widths may differ they are numbers."""
    if isinstance(value, list):
        return [as_numbers(v) for v in value]
    if isinstance(value, dict):
        return {k: as_numbers(v) for k, v in value.items()}
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?\d+", value) else value


def ordered(rows):
    return sorted(rows, key=lambda r: json.dumps(r, sort_keys=True))


def problem(case, varve, spark):
    """What is wrong with the answers, as text; None when all is as expected."""
    mode, _, text = case.expected.partition(":") if case.expected.startswith("differs") else (case.expected, "", "")
    both = f"Varve: {varve.types} {varve.refusal or varve.rows}\nSpark: {spark.types} {spark.refusal or spark.rows}"
    if mode == "fails":
        return None if varve.rows is None and spark.rows is None else f"both should refuse\n{both}"
    if mode == "varve fails":
        return None if varve.rows is None and spark.rows is not None else f"only Varve should refuse\n{both}"
    if mode.startswith("spark fails"):
        wanted = json.loads(mode.removeprefix("spark fails"))
        return None if spark.rows is None and varve.rows == wanted else f"Spark should refuse and Varve answer {wanted}\n{both}"
    if mode == "differs":
        wanted = json.loads(text)
        if varve.rows != wanted:
            return f"Varve should answer {wanted}\n{both}"
        return None if spark.rows is not None and (spark.rows, spark.types) != (varve.rows, varve.types) else f"there is no difference\n{both}"
    if varve.rows is None or spark.rows is None:
        return f"refused\n{both}"
    mine, theirs = varve.rows, spark.rows
    if mode == "sorted":
        mine, theirs = ordered(mine), ordered(theirs)
    if mode == "wider":
        types = len(varve.types) == len(spark.types) and all(map(widths_agree, varve.types, spark.types))
        mine, theirs = as_numbers(mine), as_numbers(theirs)
    else:
        types = varve.types == spark.types
    same = near(mine, theirs) if mode == "near" else mine == theirs
    return None if same and types else both


# ---- the tests ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def answers(program, tmp_path_factory):
    reason = peers.why_no_spark()
    if reason:
        pytest.skip(reason)
    spark = peers.start_spark()
    found = {}
    with programs.Session(program, tmp_path_factory.mktemp("dialect") / "lake") as session:
        for case in CASES:
            if case.query.startswith("!"):
                session.query(case.query[1:])
                spark.sql(case.query[1:])
            else:
                found[case.place] = (by_varve(session, case.query), by_spark(spark, case.query))
    spark.stop()
    return found


@pytest.mark.parametrize("case", [c for c in CASES if not c.query.startswith("!")], ids=lambda c: c.place)
def test_query(answers, case):
    wrong = problem(case, *answers[case.place])
    assert not wrong, f"{case.place}: {case.query}\n{wrong}"


def test_every_function_is_compared():
    """Each row of dialect.def but what only others use."""
    calls = {name.lower() for case in CASES for name in re.findall(r"(\w+)\s*\(", case.query)}
    rows = re.findall(r'^DIALECT\((\w+), "(\w+)"', ROWS.read_text(), re.M)
    missing = sorted({name for kind, name in rows if kind not in ("PART", "NATIVE_PART")} - calls)
    assert not missing, f"no query calls {', '.join(missing)}"
