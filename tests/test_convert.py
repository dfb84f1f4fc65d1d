"""CONVERT TO DELTA: directories of Parquet files of other writers become tables; those that cannot are refused with their reason."""
import datetime
import decimal
import json

import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest

import peers
import program as programs


@pytest.fixture
def files(scratch):
    folder = scratch / "files here"
    folder.mkdir()
    return folder


def convert(session, folder, more=""):
    return session.rows(f"CONVERT TO DELTA parquet.`{folder}` {more}")[0]


def stats(session, folder):
    return {row["path"]: row["stats"] and json.loads(row["stats"]) for row in session.rows(f"DESCRIBE FILES delta.`{folder}`")}


WIDE = pa.table({
    "i": pa.array([3, None, 1], pa.int32()), "l": pa.array([2**62, -5, None], pa.int64()), "s": ["b", "a", None], "d": [1.5, -2.0, float("nan")],
    "b": [True, None, False], "day": [datetime.date(2024, 1, 2), None, datetime.date(2023, 1, 1)],
    "ts": pa.array([datetime.datetime(2024, 1, 1, 1, 2, 3, 456789)] * 3, pa.timestamp("us", "UTC")),
    "wall": pa.array([datetime.datetime(2024, 1, 1, 1, 2, 3)] * 3, pa.timestamp("us")),
    "m": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("-7.25")], pa.decimal128(12, 2)), "bin": [b"\x00", b"x", None],
    "st": [{"x": 1, "y": "q"}, {"x": 5, "y": None}, None], "ls": [[1, 2], [], None],
})


def test_columns_rows_and_statistics(session, files):
    pq.write_table(WIDE, files / "a.parquet", row_group_size=2)
    pq.write_table(pa.table({"i": pa.array([7], pa.int32()), "new": ["later"], "st": [{"x": 9, "z": True}]}), files / "b.parquet")
    (files / "_SUCCESS").write_text("")
    (files / ".hidden.parquet").write_text("no parquet")
    assert convert(session, files)["num_converted_files"] == 2
    columns = {row["col_name"]: row["data_type"] for row in session.rows(f"DESCRIBE delta.`{files}`")}
    assert columns == {"i": "int", "l": "bigint", "s": "string", "d": "double", "b": "boolean", "day": "date", "ts": "timestamp", "wall": "timestamp_ntz",
                       "m": "decimal(12,2)", "bin": "binary", "st": "struct<x:bigint,y:string,z:boolean>", "ls": "array<bigint>", "new": "string"}
    assert list(columns)[-1] == "new"
    found = stats(session, files)["a.parquet"]
    assert found["numRecords"] == 3
    assert found["minValues"]["i"] == 1 and found["maxValues"]["i"] == 3 and found["nullCount"]["i"] == 1
    assert found["minValues"]["s"] == "a" and found["maxValues"]["s"] == "b"
    assert found["minValues"]["l"] == -5 and found["maxValues"]["m"] == 1.5
    assert found["minValues"]["st"]["x"] == 1 and found["maxValues"]["st"]["x"] == 5
    assert "d" not in found["maxValues"], "footers leave NaN out, which is greater than any number"
    assert "ls" not in found["minValues"] and "bin" not in found["minValues"]
    assert session.value(f"SELECT count(*) FROM delta.`{files}` WHERE d > 1e300") == 1
    assert session.value(f"SELECT count(*) FROM delta.`{files}` WHERE i = 7 AND new = 'later' AND st.z") == 1
    peers_see = peers.by_delta_rs(files)
    assert len(peers_see.rows) == 4
    assert peers.disagreement(peers.by_varve(session, files), peers_see) is None


def test_the_table_can_be_written_afterwards(session, files):
    pq.write_table(pa.table({"id": [1, 2], "v": ["a", "b"]}), files / "a.parquet")
    convert(session, files)
    session.query(f"INSERT INTO delta.`{files}` VALUES (3, 'c')")
    session.query(f"UPDATE delta.`{files}` SET v = 'z' WHERE id = 1")
    assert session.rows(f"SELECT * FROM delta.`{files}` ORDER BY id") == [{"id": 1, "v": "z"}, {"id": 2, "v": "b"}, {"id": 3, "v": "c"}]
    session.query(f"CREATE TABLE named USING DELTA LOCATION '{files}'")
    assert session.value("SELECT count(*) FROM named") == 3
    history = session.rows("DESCRIBE HISTORY named")[-1]
    assert history["operation"] == "CONVERT" and "numConvertedFiles" in str(history["operationMetrics"])


def test_partitions(session, files):
    table = pa.table({"id": list(range(6)), "p": ["a b", None, "x/y", "a b", "ü%", "ü%"], "_q": [1, 1, 2, 2, 3, 3]})
    ds.write_dataset(table, files, format="parquet", partitioning=ds.partitioning(pa.schema([("p", pa.string()), ("_q", pa.int64())]), flavor="hive"))
    for more, word in [("", "PARTITIONED BY"), ("PARTITIONED BY (p STRING)", "p, _q"), ("PARTITIONED BY (_q BIGINT, p STRING)", "p, _q"),
                       ("PARTITIONED BY (p STRING, _q BIGINT, r INT)", "p, _q")]:
        with pytest.raises(programs.Failed, match="partition columns") as failed:
            convert(session, files, more)
        assert word in failed.value.everything
    with pytest.raises(programs.Failed, match="not of its type") as failed:
        convert(session, files, "PARTITIONED BY (p DATE, _q BIGINT)")
    assert failed.value.code == "CONVERSION"
    with pytest.raises(programs.Failed, match="NOT NULL"):
        convert(session, files, "PARTITIONED BY (p STRING NOT NULL, _q BIGINT)")
    assert not (files / "_delta_log").exists() or not list((files / "_delta_log").glob("*.json"))
    convert(session, files, "PARTITIONED BY (p STRING COMMENT 'part', _q SMALLINT)")
    assert session.rows(f"SELECT id, p, _q FROM delta.`{files}` ORDER BY id") == [
        {"id": i, "p": p, "_q": q} for i, p, q in zip(*table.to_pydict().values())]
    assert peers.disagreement(peers.by_varve(session, files), peers.by_delta_rs(files)) is None


def test_without_statistics(session, files):
    pq.write_table(pa.table({"id": [1]}), files / "a.parquet")
    convert(session, files, "NO STATISTICS")
    assert stats(session, files) == {"a.parquet": None}
    assert session.value(f"SELECT count(*) FROM delta.`{files}` WHERE id = 1") == 1


def test_old_timestamps_are_moments(session, files):
    pq.write_table(pa.table({"t": [datetime.datetime(2024, 1, 1, 12)], "n": [1], "s": [{"u": datetime.datetime(2024, 1, 1)}]}), files / "a.parquet",
                   use_deprecated_int96_timestamps=True)
    convert(session, files)
    columns = {row["col_name"]: row["data_type"] for row in session.rows(f"DESCRIBE delta.`{files}`")}
    assert columns == {"t": "timestamp", "n": "bigint", "s": "struct<u:timestamp>"}
    assert session.value(f"SELECT count(*) FROM delta.`{files}` WHERE t = TIMESTAMPTZ '2024-01-01 12:00:00+00'") == 1


def test_many_files(session, files):
    for i in range(1200):
        pq.write_table(pa.table({"n": [i]} if i % 2 else {"n": [i], "even": [True]}), files / f"{i:05}.parquet")
    assert convert(session, files)["num_converted_files"] == 1200
    assert session.rows(f"SELECT count(*) AS n, sum(n) AS s, count(even) AS e FROM delta.`{files}`") == [{"n": 1200, "s": 1199 * 600, "e": 600}]
    found = stats(session, files)
    assert all(found[f"{i:05}.parquet"]["minValues"]["n"] == i for i in range(1200))


def test_what_cannot_be(session, files):
    with pytest.raises(programs.Failed) as failed:
        convert(session, files)
    assert failed.value.code == "FILE_NOT_FOUND"
    pq.write_table(pa.table({"id": [1]}), files / "a.parquet")
    pq.write_table(pa.table({"id": ["x"]}), files / "b.parquet")
    with pytest.raises(programs.Failed, match="column \"id\" is string in file \"b.parquet\" and bigint") as failed:
        convert(session, files)
    assert failed.value.code == "SCHEMA_MISMATCH"
    (files / "b.parquet").write_text("this is not a Parquet file at all")
    with pytest.raises(programs.Failed, match="b.parquet"):
        convert(session, files)
    (files / "b.parquet").write_text("")
    with pytest.raises(programs.Failed, match="b.parquet"):
        convert(session, files)
    (files / "b.parquet").unlink()
    convert(session, files)
    assert "already" in convert(session, files)["status"]
    with pytest.raises(programs.Failed) as failed:
        session.query("CONVERT TO DELTA nothing")
    assert failed.value.code == "TABLE_NOT_FOUND" and "parquet.`path`" in failed.value.everything
    with pytest.raises(programs.Failed) as failed:
        session.query("CONVERT TO DELTA iceberg.`/x`")
    assert failed.value.code == "NOT_SUPPORTED"
