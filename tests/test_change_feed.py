"""table_changes against what the golden set's sources, delta-rs and Spark say that a table's commits changed."""
import json
import re

import deltalake
import pyarrow as pa
import pytest

import golden
import peers
import program as programs

ADDED = ["_change_type", "_commit_version"]


def changes(session, path, start, end=None, columns=None):
    """Rows as sorted tuples of texts."""
    bounds = f"{start}" if end is None else f"{start}, {end}"
    wanted = ", ".join(f'"{c}"::VARCHAR' for c in columns) if columns else "*"
    rows = session.query(f"SELECT {wanted} FROM table_changes_by_path('{path}', {bounds})")
    return sorted(tuple(str(v) for v in row) for row in zip(*(c.to_pylist() for c in rows.columns)))


# ---- the golden set -------------------------------------------------------------------------------------------


def golden_cases():
    for row in golden.manifest() if golden.GOLDEN.is_dir() else []:
        table = golden.Table(row)
        cases = [c for c in table._json("expected/source_tests.json") or [] if isinstance(c, dict) and c.get("kind") == "change data feed"]
        for number, case in enumerate(cases):
            yield pytest.param(table, case, id=f"{table.name}-{number}")


def canonical(text):
    """Nested values and NULLs are spelled in several ways."""
    return "None" if text in ("", "NULL") else re.sub(r"['\" ]", "", str(text))


@pytest.mark.parametrize("table, case", list(golden_cases()))
def test_golden(session, table, case):
    start = case.get("start_version") or case["args"]["with_starting_version"]
    if "with_starting_timestamp" in case.get("args", {}):
        start = f"TIMESTAMPTZ '{case['args']['datetime_literals_in_test']}+00'"
    end = None if case.get("end_version") in (None, "None") else case["end_version"]
    # Without in-commit timestamps the time of a commit is its file's, which the set does not keep.
    kept = [i for i, name in enumerate(case["columns"]) if name != "_commit_timestamp"]
    got = changes(session, table.location, start, end, [case["columns"][i] for i in kept])
    assert sorted(tuple(canonical(v) for v in row) for row in got) == sorted(tuple(canonical(row[i]) for i in kept) for row in case["rows"])


# ---- delta-rs -------------------------------------------------------------------------------------------------


def by_delta_rs(path, start, end, columns):
    rows = pa.table(deltalake.DeltaTable(path).load_cdf(starting_version=start, ending_version=end).read_all())
    return sorted(tuple(str(v) for v in row) for row in zip(*(rows.column(n).to_pylist() for n in columns)))


@pytest.fixture
def fed_table(scratch):
    """Versions: 0 rows, 1 update, 2 delete, 3 merge, 4 append with a new column, 5 everything deleted."""
    path = str(scratch / "fed table")
    rows = pa.table({"id": range(10), "p": ["ab", None] * 5, "v": [i * 1.5 for i in range(10)]})
    deltalake.write_deltalake(path, rows, partition_by=["p"], configuration={"delta.enableChangeDataFeed": "true"})
    deltalake.DeltaTable(path).update(predicate="id >= 7", updates={"v": "v + 100"})
    deltalake.DeltaTable(path).delete("id = 3 OR id = 4")
    source = pa.table({"id": [1, 20], "p": ["new", "new"], "v": [7.0, 8.0]})
    (deltalake.DeltaTable(path).merge(source, predicate="t.id = s.id", source_alias="s", target_alias="t")
     .when_matched_update_all().when_not_matched_insert_all().execute())
    deltalake.write_deltalake(path, pa.table({"id": [30], "p": ["z"], "v": [0.0], "w": ["later"]}), mode="append", schema_mode="merge")
    deltalake.DeltaTable(path).delete()
    return path


def test_delta_rs_agrees(session, fed_table):
    last = deltalake.DeltaTable(fed_table).version()
    assert last == 5
    for start in range(last + 1):
        for end in range(start, last + 1):
            columns = ["id", "p", "v"] + (["w"] if end >= 4 else []) + ADDED
            got = changes(session, fed_table, start, end, columns)
            theirs = by_delta_rs(fed_table, start, end, columns)
            assert sorted(_numbers(row) for row in got) == sorted(_numbers(row) for row in theirs), (start, end)


def _number(text):
    return str(float(text)) if re.fullmatch(r"-?[\d.]+", text) else text


def test_changes_in_queries(session, fed_table):
    call = f"table_changes_by_path('{fed_table}', 0)"
    names = session.query(f"SELECT * FROM {call} LIMIT 0").schema
    assert sorted(names.names[:4]) == ["id", "p", "v", "w"] and names.names[4:] == [*ADDED, "_commit_timestamp"]
    assert [str(names.field(n).type) for n in names.names[4:]] == ["string", "int64", "timestamp[us, tz=UTC]"]
    assert session.value(f"SELECT count(*) FROM {call} c JOIN delta.`{fed_table}` t ON c.id = t.id") == 0
    assert session.value(f"WITH c AS (FROM {call}) SELECT count(*) FROM c WHERE _change_type = 'delete' AND _commit_version = 2") == 2
    assert session.value(f"SELECT count(*) FROM {call} AS x(a) WHERE a = 30") == 2
    # every row that is left was inserted or written by an update once more often than it was taken away
    left = session.rows(f"""SELECT id, sum(CASE WHEN _change_type IN ('insert', 'update_postimage') THEN 1 ELSE -1 END)::INT AS n
                            FROM table_changes_by_path('{fed_table}', 0, 4) GROUP BY id HAVING n <> 0 ORDER BY id""")
    assert [(r["id"], r["n"]) for r in left] == [(r["id"], 1) for r in session.rows(f"SELECT id FROM delta.`{fed_table}` VERSION AS OF 4 ORDER BY id")]
    plan = "\n".join(r["explain"] for r in session.rows(f"EXPLAIN SELECT * FROM {call}"))
    assert "changes from version 0 to version 5" in plan


def test_changes_by_time(session, fed_table):
    times = {r["version"]: r["timestamp"] for r in session.rows(f"DESCRIBE HISTORY delta.`{fed_table}`")}

    def versions(bounds):
        return {r[0] for r in changes(session, fed_table, bounds, columns=["_commit_version"])}

    def text(version, add=""):
        return f"TIMESTAMP '{times[version].isoformat()}'{add}"

    assert versions(f"{text(1)}, {text(3)}") == {"1", "2", "3"}
    assert versions(f"{text(1, ' + INTERVAL 1 microsecond')}, {text(3, ' + INTERVAL 1 microsecond')}") == {"2", "3"}
    assert versions(f"'2001-01-01', {text(0)}") == {"0"}
    assert versions(f"2, {text(2)}") == {"2"}
    for bounds in ("'2999-01-01'", "0, '2999-01-01'"):
        assert _refusal(session, fed_table, bounds) == "TIMESTAMP_OUT_OF_RANGE"


def _refusal(session, path, bounds):
    with pytest.raises(programs.Failed) as refused:
        session.attempt(f"SELECT * FROM table_changes_by_path('{path}', {bounds})")
    return refused.value.code


def test_bounds_are_checked(session, fed_table, scratch):
    assert _refusal(session, fed_table, "6") == "INVALID_ARGUMENT"
    assert _refusal(session, fed_table, "0, 6") == "VERSION_NOT_FOUND"
    assert _refusal(session, fed_table, "3, 2") == "INVALID_ARGUMENT"
    assert _refusal(session, fed_table, "-1") in ("SYNTAX", "INVALID_ARGUMENT")
    assert _refusal(session, fed_table, "1, 2, 3") == "SYNTAX"
    with pytest.raises(programs.Failed) as refused:
        session.attempt("SELECT * FROM table_changes('nowhere', 1)")
    assert refused.value.code == "TABLE_NOT_FOUND"
    # a version whose commit is gone
    (scratch / "fed table/_delta_log/00000000000000000001.json").unlink()
    assert _refusal(session, fed_table, "0, 3") in ("PROTOCOL_VIOLATION", "VERSION_NOT_FOUND", "CORRUPT_LOG")


def test_the_feed_must_have_been_on(session, scratch):
    path = str(scratch / "late")
    deltalake.write_deltalake(path, pa.table({"id": [1]}))
    deltalake.DeltaTable(path).alter.set_table_properties({"delta.enableChangeDataFeed": "true"})
    deltalake.write_deltalake(path, pa.table({"id": [2]}), mode="append")
    deltalake.DeltaTable(path).alter.set_table_properties({"delta.enableChangeDataFeed": "false"})
    deltalake.write_deltalake(path, pa.table({"id": [3]}), mode="append")
    assert changes(session, path, 1, 2, ["id"] + ADDED) == [("2", "insert", "2")]
    for bounds in ("0", "0, 1", "1", "2, 3", "4"):
        assert _refusal(session, path, bounds) == "CHANGE_DATA_NOT_RECORDED", bounds


def test_types_that_changed(session, scratch):
    path = str(scratch / "retyped")
    deltalake.write_deltalake(path, pa.table({"id": pa.array([1], pa.int64()), "gone": ["x"]}), configuration={"delta.enableChangeDataFeed": "true"})
    deltalake.write_deltalake(path, pa.table({"id": ["text"]}), mode="overwrite", schema_mode="overwrite")
    deltalake.write_deltalake(path, pa.table({"id": ["more"]}), mode="append")
    assert changes(session, path, 0, 0, ["id", "gone"]) == [("1", "x")]
    assert changes(session, path, 2, 2, ["id"] + ADDED) == [("more", "insert", "2")]
    assert _refusal(session, path, "0") == "SCHEMA_MISMATCH"


# ---- Spark ----------------------------------------------------------------------------------------------------


FEEDS = {
    "vectors": ("id BIGINT, p STRING, v DOUBLE", "", "'delta.enableDeletionVectors' = 'true'"),
    "partitioned": ("id BIGINT, p STRING, v DOUBLE", "PARTITIONED BY (p)", "'delta.enableDeletionVectors' = 'true'"),
    "files": ("id BIGINT, p STRING, v DOUBLE", "PARTITIONED BY (p)", "'delta.enableDeletionVectors' = 'false'"),
    "by name": ("id BIGINT, p STRING, v DOUBLE", "PARTITIONED BY (p)", "'delta.enableDeletionVectors' = 'true', 'delta.columnMapping.mode' = 'name'"),
    "by id": ("id BIGINT, p STRING, v DOUBLE", "", "'delta.enableDeletionVectors' = 'true', 'delta.columnMapping.mode' = 'id'"),
}
CHANGES = [
    "INSERT INTO {t} SELECT id, concat('p ', id % 3), id / 4 FROM range(0, 2000, 1, 2)",
    "DELETE FROM {t} WHERE id % 10 = 0",
    "UPDATE {t} SET v = v + 1000 WHERE id % 10 = 1",
    "MERGE INTO {t} t USING (SELECT id * 3 AS id FROM range(700, 760)) s ON t.id = s.id WHEN MATCHED AND t.id % 2 = 0 THEN DELETE "
    "WHEN MATCHED THEN UPDATE SET v = -1 WHEN NOT MATCHED THEN INSERT (id, p, v) VALUES (s.id, 'merged', 0)",
    "DELETE FROM {t} WHERE id % 10 = 2",
    "OPTIMIZE {t}",
    "INSERT INTO {t} VALUES (5000, NULL, 1), (5001, '', 2)",
    "DELETE FROM {t} WHERE p = 'p 1'",
    "RESTORE TABLE {t} TO VERSION AS OF 4",
    "ALTER TABLE {t} ADD COLUMNS (w STRING)",
    "INSERT INTO {t} VALUES (6000, 'p 2', 3, 'wide')",
    "UPDATE {t} SET w = 'set' WHERE id = 5 OR id = 6000",
    "DELETE FROM {t}",
]


def by_spark(spark, path, start, end):
    rows = (spark.read.format("delta").option("readChangeFeed", "true").option("startingVersion", start).option("endingVersion", end).load(str(path)))
    columns = [c for c in rows.columns if c != "_commit_timestamp"]
    return columns, [tuple(str(v) for v in row) for row in rows.select(*columns).collect()]


@pytest.mark.parametrize("feed", FEEDS)
def test_spark_agrees(session, spark, scratch, feed):
    columns, partitioned, properties = FEEDS[feed]
    path = scratch / f"spark {feed}"
    table = f"delta.`{path}`"
    spark.sql(f"CREATE TABLE {table} ({columns}) USING delta {partitioned} TBLPROPERTIES ('delta.enableChangeDataFeed' = 'true', {properties})")
    for change in CHANGES:
        spark.sql(change.format(t=table))
    last = session.value(f"SELECT max(_commit_version) FROM table_changes_by_path('{path}', 0)")
    assert last == len(CHANGES)
    for start, end in [(0, last), (3, 5), (6, 9), (last, last)]:
        names, theirs = by_spark(spark, path, start, end)
        got = changes(session, path, start, end)
        shown = session.query(f"SELECT * FROM table_changes_by_path('{path}', {start}, {end}) LIMIT 0").column_names
        keep = [shown.index(n) for n in names if n in shown]
        ours = sorted(tuple(row[i] for i in keep) for row in got)
        theirs = sorted(tuple(v for n, v in zip(names, row) if n in shown) for row in theirs)
        assert sorted(_numbers(row) for row in ours) == sorted(_numbers(row) for row in theirs), (feed, start, end)
    # and the rows that vectors leave
    for version in (1, 5, 8):
        theirs = spark.read.format("delta").option("versionAsOf", version).load(str(path)).selectExpr("count(*)", "sum(id)", "sum(v)").collect()[0]
        ours = session.rows(f"SELECT count(*) AS n, sum(id)::BIGINT AS i, sum(v) AS v FROM delta.`{path}` VERSION AS OF {version}")[0]
        assert _numbers(str(v) for v in ours.values()) == _numbers(str(v) for v in theirs), (feed, version)


def _numbers(row):
    return tuple(_number(v) for v in row)
