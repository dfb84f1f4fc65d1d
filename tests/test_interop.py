"""Tables that Varve writes are read by delta-rs and Spark; tables that they write are read by Varve; and the three append to one table.

Every comparison is by row count, a checksum over all rows, the schema, the partition columns and the history.
"""
import datetime
import decimal
import json
import pathlib
import shutil
import urllib.parse

import deltalake
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import peers
import program as programs

AWKWARD = ["a=b", "a/b", "100%", "two words", "ünï😀", None, "colon:and*star?", "quote\"s's", "back\\slash", "%20", "a#b&c", "{brace}", "..", " lead"]


def agree(one, other):
    differs = peers.disagreement(one, other)
    assert not differs, differs


# ---- written by Varve -----------------------------------------------------------------------------------------

PRIMITIVES = """s string, l bigint, i int, h smallint, b tinyint, f float, d double, bo boolean, bin binary, da date, ts timestamp,
  d9 decimal(9,2), d18 decimal(18,6), d38 decimal(38,10)"""
PRIMITIVE_ROWS = """
  ('text', 1, 2, 3, 4, 1.5, 2.5, true, 'ab'::BLOB, '2024-02-29', '2024-03-10 12:34:56.789012+00', 1.25, 2.5, 3.75),
  ('', -9223372036854775808, -2147483648, -32768, -128, '-inf'::FLOAT, '-inf'::DOUBLE, false, ''::BLOB, '0001-01-01', '0001-01-01 00:00:00+00',
   -9999999.99, -999999999999.999999, -9999999999999999999999999999.9999999999),
  ('ünï·😀', 9223372036854775807, 2147483647, 32767, 127, 'inf'::FLOAT, 'nan'::DOUBLE, true, '\\x00\\xFF'::BLOB, '9999-12-31', '9999-12-31 23:59:59.999999+00',
   9999999.99, 999999999999.999999, 9999999999999999999999999999.9999999999),
  (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
  (repeat('long ', 50000), 0, 0, 0, 0, '-0.0'::FLOAT, '-0.0'::DOUBLE, NULL, NULL, '1582-10-04', '1900-01-01 00:00:00+00', 0, 0, 0)"""

# What a log can be made of: kinds of checkpoints with typed statistics or without, times and row ids in the commits.
LOG_COLUMNS = "id bigint, p date, d decimal(38,10), t timestamp, s string, n struct<x: int, y: double>"
LOG_ROWS = [f"INSERT INTO $NAME VALUES ({i}, DATE '2024-01-01' + {i % 3}, {i}.5, TIMESTAMPTZ '2024-01-01 00:00:00.123456+00' + INTERVAL {i} DAY, 'r{i}', "
            f"{{'x': {i}, 'y': {'NULL' if i % 4 == 0 else i + 0.25}}})" for i in range(12)] + ["INSERT INTO $NAME VALUES (99, NULL, NULL, NULL, NULL, NULL)"]
LOGS = {
    "log_v2": "'delta.checkpointPolicy' = 'v2'",
    "log_v2_typed": "'delta.checkpointPolicy' = 'v2', 'delta.checkpoint.writeStatsAsStruct' = 'true', 'delta.checkpoint.writeStatsAsJson' = 'false'",
    "log_typed": "'delta.checkpoint.writeStatsAsStruct' = 'true'",
    "log_typed_only": "'delta.checkpoint.writeStatsAsStruct' = 'true', 'delta.checkpoint.writeStatsAsJson' = 'false'",
    "log_times": "'delta.enableInCommitTimestamps' = 'true'",
    "log_rows": "'delta.enableRowTracking' = 'true', 'delta.checkpointPolicy' = 'v2'",
}


def log_table(name, properties):
    create = f"CREATE TABLE $NAME ({LOG_COLUMNS}) USING DELTA PARTITIONED BY (p) TBLPROPERTIES ('delta.checkpointInterval' = '4', {properties})"
    return [sql.replace("$NAME", name) for sql in [create, *LOG_ROWS]]


COMMITS = [f"INSERT INTO commits SELECT range, 'r' || range FROM range({i * 10}, {i * 10 + 10})" for i in range(23)]

# One table each: what is done to it, statement by statement.
WRITTEN = {
    "primitives": [f"CREATE TABLE primitives ({PRIMITIVES}) USING DELTA", f"INSERT INTO primitives VALUES {PRIMITIVE_ROWS}"],
    "wall_clock": ["CREATE TABLE wall_clock (n int, t timestamp_ntz) USING DELTA",
                   "INSERT INTO wall_clock VALUES (1, '2024-03-10 02:30:00.000001'), (2, NULL), (3, '0001-01-01 00:00:00'), (4, '9999-12-31 23:59:59.999999')"],
    "nested": ["CREATE TABLE nested (id int, st struct<a: int, b: struct<c: string, d: decimal(10,2)>>, ar array<string>, mp map<string, bigint>, "
               "aa array<struct<x: int, y: array<date>>>) USING DELTA",
               "INSERT INTO nested VALUES (1, {'a': 1, 'b': {'c': 'deep', 'd': 1.25}}, ['one', NULL, ''], MAP {'k': 1, 'l': NULL}, "
               "[{'x': 1, 'y': [DATE '2024-01-01', NULL]}]), (2, NULL, NULL, NULL, NULL), (3, {'a': NULL, 'b': NULL}, [], MAP {}, [])"],
    "awkward": ["CREATE TABLE awkward (n int, part string) USING DELTA PARTITIONED BY (part)",
                "INSERT INTO awkward VALUES " + ", ".join(f"({i}, " + ("NULL" if v is None else "'" + v.replace("'", "''") + "'") + ")"
                                                          for i, v in enumerate(AWKWARD))],
    "typed_partitions": ["CREATE TABLE typed_partitions (n int, l bigint, d double, bo boolean, da date, ts timestamp, de decimal(10,3)) USING DELTA "
                         "PARTITIONED BY (l, d, bo, da, ts, de)",
                         "INSERT INTO typed_partitions VALUES (1, 9223372036854775807, 0.1, true, '2024-02-29', '2024-03-10 12:34:56.789012+00', 1.25), "
                         "(2, NULL, NULL, NULL, NULL, NULL, NULL), (3, -5, 1e300, false, '1969-12-31', '1969-12-31 23:59:59.999999+00', 0.001)"],
    "negative_partitions": ["CREATE TABLE negative_partitions (n int, de decimal(10,3)) USING DELTA PARTITIONED BY (de)",
                            "INSERT INTO negative_partitions VALUES (1, -0.001), (2, -9999999.999), (3, 0)"],
    "overwritten": ["CREATE TABLE overwritten (a int) USING DELTA", "INSERT INTO overwritten VALUES (1), (2)", "INSERT OVERWRITE overwritten VALUES (3)",
                    "INSERT INTO overwritten VALUES (4)"],
    "merged": ["CREATE TABLE merged (a int) USING DELTA", "INSERT INTO merged VALUES (1)",
               "INSERT INTO merged WITH ('mergeSchema' = 'true') SELECT 2 AS a, 'new' AS b, [1, 2] AS c"],
    "widened": ["CREATE TABLE widened (a int, s struct<x: int>) USING DELTA", "INSERT INTO widened VALUES (1, {'x': 1})",
                "ALTER TABLE widened ADD COLUMNS (b string COMMENT 'later', c double FIRST)", "ALTER TABLE widened ADD COLUMN s.y string",
                "INSERT INTO widened VALUES (2.5, 2, {'x': 2, 'y': 'yes'}, 'two')"],
    "commits": ["CREATE TABLE commits (n bigint, label string) USING DELTA TBLPROPERTIES ('delta.checkpointInterval' = '5')", *COMMITS],
    "described": ["CREATE TABLE described (a int NOT NULL COMMENT 'the ''a''', b string) USING DELTA COMMENT 'a table' TBLPROPERTIES ('team' = 'desk')",
                  "INSERT INTO described VALUES (1, 'x')", "ALTER TABLE described SET TBLPROPERTIES ('delta.logRetentionDuration' = 'interval 60 days')",
                  "ALTER TABLE described UNSET TBLPROPERTIES ('team')"],
    "replaced": ["CREATE TABLE replaced (a int) USING DELTA", "INSERT INTO replaced VALUES (1)", "CREATE OR REPLACE TABLE replaced (b string) USING DELTA",
                 "INSERT INTO replaced VALUES ('b')", "CREATE OR REPLACE TABLE replaced PARTITIONED BY (p) AS SELECT 1 AS n, 'x' AS p"],
    "ruled": ["CREATE TABLE ruled (id bigint GENERATED ALWAYS AS IDENTITY (START WITH 5 INCREMENT BY 5), a int NOT NULL DEFAULT 4, ts timestamp, "
              "d date GENERATED ALWAYS AS (CAST(ts AS DATE)), v varchar(3), CONSTRAINT pos CHECK (a > 0)) USING DELTA PARTITIONED BY (d)",
              "INSERT INTO ruled (ts, v) VALUES ('2024-05-05 10:00:00+00', 'abc'), (NULL, NULL)", "INSERT INTO ruled (a) VALUES (7)"],
    "altered": ["CREATE TABLE altered (a int, b string, s struct<x: int, y: string>, p int) USING DELTA PARTITIONED BY (p) "
                "TBLPROPERTIES ('delta.columnMapping.mode' = 'name', 'delta.enableTypeWidening' = 'true')",
                "INSERT INTO altered VALUES (1, 'x', {'x': 1, 'y': 'y'}, 1)", "ALTER TABLE altered RENAME COLUMN s.y TO `z z`",
                "ALTER TABLE altered RENAME COLUMN p TO part", "ALTER TABLE altered ALTER COLUMN a TYPE bigint", "ALTER TABLE altered DROP COLUMN b",
                "ALTER TABLE altered ADD COLUMN b date FIRST", "INSERT INTO altered VALUES ('2024-01-01', 12345678901, {'x': 2, 'z z': NULL}, 2)"],
    **{f"mapped_by_{mode}": [
        f"CREATE TABLE mapped_by_{mode} (id int, `a b;c` string, s struct<x: int, y: struct<z: string>>, l array<struct<q: int>>, "
        f"m map<string, struct<w: date>>, `p ü` string, d date) USING DELTA PARTITIONED BY (`p ü`, d) "
        f"TBLPROPERTIES ('delta.columnMapping.mode' = '{mode}', 'delta.checkpointInterval' = '3')",
        f"INSERT INTO mapped_by_{mode} SELECT 1, 'one', {{'x': 1, 'y': {{'z': 'zz'}}}}, [{{'q': 7}}, NULL], MAP {{'k': {{'w': DATE '2024-01-01'}}}}, 'p/1', "
        f"DATE '2024-02-02'",
        f"ALTER TABLE mapped_by_{mode} ADD COLUMNS (n bigint, s.v int)",
        f"INSERT INTO mapped_by_{mode} SELECT 2, NULL, NULL, NULL, NULL, NULL, NULL, NULL",
        f"INSERT INTO mapped_by_{mode} SELECT 3, 'three', {{'x': 3, 'y': NULL, 'v': 33}}, [], MAP {{}}, 'p3', NULL, 9"] for mode in ("name", "id")},
    "mapped_later": ["CREATE TABLE mapped_later (id int, s struct<x: int>, p int) USING DELTA PARTITIONED BY (p)",
                     "INSERT INTO mapped_later SELECT 1, {'x': 1}, 1", "ALTER TABLE mapped_later SET TBLPROPERTIES ('delta.columnMapping.mode' = 'name')",
                     "ALTER TABLE mapped_later ADD COLUMN s.y string", "INSERT INTO mapped_later SELECT 2, {'x': 2, 'y': 'yes'}, 2"],
    **{f"{kind}_clone": [f"CREATE TABLE of_{kind} (id int, s struct<x: int>, `p ü` string) USING DELTA PARTITIONED BY (`p ü`) TBLPROPERTIES "
                         "('delta.columnMapping.mode' = 'name', 'delta.enableDeletionVectors' = 'true', 'delta.enableRowTracking' = 'true')",
                         f"INSERT INTO of_{kind} VALUES (1, {{'x': 1}}, 'a b'), (2, NULL, 'a b'), (3, {{'x': 3}}, NULL), (4, {{'x': 4}}, 'q%')",
                         f"DELETE FROM of_{kind} WHERE id = 2", f"CREATE TABLE {kind}_clone {kind.upper()} CLONE of_{kind}",
                         f"INSERT INTO of_{kind} VALUES (5, NULL, 'q%')", f"INSERT INTO {kind}_clone VALUES (6, NULL, 'own')",
                         f"DELETE FROM {kind}_clone WHERE id = 3", f"CREATE OR REPLACE TABLE {kind}_clone {kind.upper()} CLONE of_{kind}",
                         f"UPDATE {kind}_clone SET s.x = 44 WHERE id = 4"] for kind in ("shallow", "deep")},
    "plain_clone": ["CREATE TABLE of_plain (id int, p string) USING DELTA PARTITIONED BY (p)", "INSERT INTO of_plain VALUES (1, 'a b'), (2, NULL)",
                    "CREATE TABLE plain_clone SHALLOW CLONE of_plain", "INSERT INTO plain_clone VALUES (3, 'c')"],
    "partitions_in_files": ["CREATE TABLE partitions_in_files (n int, d date, ts timestamp, s string) USING DELTA PARTITIONED BY (d, ts, s) "
                            "TBLPROPERTIES ('delta.enableMaterializePartitionColumnsFeature' = 'true')",
                            "INSERT INTO partitions_in_files VALUES (1, '2024-01-01', '2024-05-05 05:05:05.123456+00', 'x'), (2, NULL, NULL, NULL)"],
    "empty": ["CREATE TABLE empty (a int, b string) USING DELTA PARTITIONED BY (b)"],
    "copied": ["CREATE TABLE copied (symbol string, day date, close decimal(10,2)) USING DELTA",
               "COPY INTO copied FROM '$FILES/bars.csv' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')",
               "COPY INTO copied FROM '$FILES/more.csv' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true') COPY_OPTIONS ('mergeSchema' = 'true')"],
}


WRITTEN |= {name: log_table(name, properties) for name, properties in LOGS.items()}


class Written:
    """The tables of WRITTEN, each made when it is first asked for."""

    def __init__(self, session, work):
        self.session, self.work, self.made = session, work, {}
        (work / "bars.csv").write_text("symbol,day,close\nAAPL,2024-01-02,185.64\nMSFT,2024-01-02,370.87\n")
        (work / "more.csv").write_text("symbol,day,close,volume\nNVDA,2024-01-02,48.17,411254000\n")

    def path(self, name):
        if name not in self.made:
            for sql in WRITTEN[name]:
                self.session.query(sql.replace("$FILES", str(self.work)))
            self.made[name] = self.session.rows(f"DESCRIBE DETAIL {name}")[0]["location"].removeprefix("file://")
        return self.made[name]


@pytest.fixture(scope="module")
def written(varve, work):
    return Written(varve, work)


@pytest.mark.parametrize("name", WRITTEN)
def test_delta_rs_reads_what_varve_writes(written, varve, name):
    path = written.path(name)
    bug = peers.delta_rs_bug(path)
    if bug:
        pytest.skip(f"delta-rs: {bug}")
    agree(peers.by_varve(varve, path), peers.by_delta_rs(path))


@pytest.mark.parametrize("name", WRITTEN)
def test_spark_reads_what_varve_writes(spark, written, varve, name):
    path = written.path(name)
    agree(peers.by_varve(varve, path), peers.by_spark(spark, path))


@pytest.mark.parametrize("name, versions", [("overwritten", [0, 1, 2, 3]), ("merged", [1, 2]), ("replaced", [1, 2, 3]), ("commits", [0, 4, 5, 6, 19, 23])])
def test_the_judges_see_the_same_past(spark, written, varve, name, versions):
    path = written.path(name)
    for version in versions:
        ours = peers.by_varve(varve, path, version)
        for theirs in (peers.by_delta_rs(path, version), peers.by_spark(spark, path, version)):
            assert ours.checksum == theirs.checksum, f"version {version}: {peers.disagreement(ours, theirs)}"


def test_comments_and_properties_reach_the_judges(spark, written):
    path = written.path("described")
    fields = {f["name"]: f for f in spark.read.format("delta").load(path).schema.jsonValue()["fields"]}
    assert fields["a"]["metadata"].get("comment") == "the 'a'"
    detail = spark.sql(f"DESCRIBE DETAIL delta.`{path}`").collect()[0]
    assert detail["description"] == "a table"
    assert detail["properties"]["delta.logRetentionDuration"] == "interval 60 days"
    assert "team" not in detail["properties"]
    table = deltalake.DeltaTable(path)
    assert table.metadata().description == "a table"
    assert not next(f for f in table.schema().fields if f.name == "a").nullable


def test_checkpoints_are_there_and_used(written):
    """With the older commits gone a reader needs the checkpoint."""
    path = pathlib.Path(written.path("commits"))
    checkpoints = sorted((path / "_delta_log").glob("*.checkpoint.parquet"))
    assert [int(c.name[:20]) for c in checkpoints][-1] == 20, f"interval 5, 24 commits: {[c.name for c in checkpoints]}"
    copy = path.parent / "commits-without-json"
    shutil.copytree(path, copy)
    for commit in (copy / "_delta_log").glob("*.json"):
        if int(commit.name[:20]) <= 20:
            commit.unlink()
    expected = peers.by_delta_rs(path)
    assert peers.by_delta_rs(copy).checksum == expected.checksum


def test_spark_skips_files_by_varves_statistics(spark, written):
    """Of 23 files with ranges of n Spark chooses one."""
    frame = spark.read.format("delta").load(written.path("commits")).where("n = 57")
    assert len(frame.inputFiles()) == 1
    assert frame.count() == 1


def test_spark_and_varve_keep_the_same_rules(spark, varve, written, work):
    """Each writes into the other's table, and both refuse what breaks its rules."""
    ours, theirs = written.path("ruled"), work / "ruled-by-spark"
    with pytest.raises(Exception, match="(?i)constraint"):
        spark.sql(f"INSERT INTO delta.`{ours}` (a) VALUES (-1)")
    spark.sql(f"INSERT INTO delta.`{ours}` (ts) VALUES (TIMESTAMP '2024-05-06 00:00:00')")
    assert [row["id"] for row in varve.rows(f"SELECT id FROM delta.`{ours}` ORDER BY id")] == [5, 10, 15, 20]
    spark.sql(f"CREATE TABLE delta.`{theirs}` (id INT, s STRING, ts TIMESTAMP, y INT GENERATED ALWAYS AS (YEAR(ts))) USING DELTA PARTITIONED BY (y) "
              "TBLPROPERTIES ('delta.feature.allowColumnDefaults' = 'supported')")
    spark.sql(f"ALTER TABLE delta.`{theirs}` ADD CONSTRAINT Pos CHECK (id > 0 AND s <> \"bad\")")
    spark.sql(f"ALTER TABLE delta.`{theirs}` ALTER COLUMN s SET DEFAULT 'dflt'")
    varve.query(f"INSERT INTO delta.`{theirs}` (id, ts) VALUES (1, '2024-05-05 00:00:00+00')")
    for wrong in ("(id, s) VALUES (2, 'bad')", "(id) VALUES (NULL)", "(id, ts, y) VALUES (1, NULL, 2024)"):
        with pytest.raises(programs.Failed) as failed:
            varve.query(f"INSERT INTO delta.`{theirs}` {wrong}")
        assert failed.value.code == "CONSTRAINT_VIOLATION"
    rows = [tuple(row) for row in spark.sql(f"SELECT id, s, y FROM delta.`{theirs}`").collect()]
    assert rows == [(1, "dflt", 2024)]


@pytest.mark.parametrize("name", LOGS)
def test_spark_goes_on_with_the_log(spark, written, varve, name, work):
    """Commits before the last checkpoint are gone, Spark appends (and writes checkpoints of its own), then Varve does."""
    path = work / f"goes-on-{name}"
    shutil.copytree(written.path(name), path)
    last = max(int(c.name[:20]) for c in (path / "_delta_log").glob("*.checkpoint*"))
    for commit in (path / "_delta_log").glob("*.json"):
        if int(commit.name[:20]) < last and len(commit.name) == 25:
            commit.unlink()
    assert spark.read.format("delta").load(str(path)).where("d > 10").count() == 2
    for i in range(3):
        spark.sql(f"INSERT INTO delta.`{path}` VALUES ({200 + i}, DATE '2024-02-01', 1.5, TIMESTAMP '2024-02-01 00:00:00', 's', NULL)")
        varve.query(f"INSERT INTO delta.`{path}` VALUES ({300 + i}, '2024-02-02', 2.5, '2024-02-02 00:00:00+00', 'v', NULL)")
    spark.sql(f"DELETE FROM delta.`{path}` WHERE id = 3")
    varve.query(f"INSERT INTO delta.`{path}` VALUES (400, '2024-02-03', 3.5, '2024-02-03 00:00:00+00', 'v', NULL)")
    agree(peers.by_varve(varve, path), peers.by_spark(spark, path))


def test_row_ids_are_as_spark_sees_them(spark, written, varve):
    path = pathlib.Path(written.path("log_rows"))
    rows = spark.sql(f"SELECT id, _metadata.row_id AS row_id, _metadata.row_commit_version AS version FROM delta.`{path}`").collect()
    assert sorted(r.row_id for r in rows) == list(range(13))
    assert {r.id: r.version for r in rows} == {**{i: i + 1 for i in range(12)}, 99: 13}


TRACKED = {
    "rewritten": ("", ""),
    "with vectors": ("", ", 'delta.enableDeletionVectors' = 'true'"),
    "mapped by id": (" PARTITIONED BY (part)", ", 'delta.columnMapping.mode' = 'id'"),
    "all together": (" PARTITIONED BY (part)", ", 'delta.enableDeletionVectors' = 'true', 'delta.columnMapping.mode' = 'name', 'delta.enableChangeDataFeed' = 'true', "
                                               "'delta.checkpointPolicy' = 'v2', 'delta.checkpointInterval' = '3'"),
}
# Statements, and which rows each of them changes.
TRACKED_CHANGES = [
    ("INSERT INTO $t SELECT i, 'n' || i, i % 2 FROM range(0, 10) r(i)", range(10)),
    ("INSERT INTO $t SELECT i, 'n' || i, i % 2 FROM range(10, 20) r(i)", range(10, 20)),
    ("UPDATE $t SET name = 'changed' WHERE id % 4 = 1", range(1, 20, 4)),
    ("DELETE FROM $t WHERE id IN (7, 12)", []),
    ("MERGE INTO $t USING (SELECT 3 AS id, 'm' AS name, 1 AS part UNION ALL SELECT 5, 'm', 0 UNION ALL SELECT 100, 'new', 0 UNION ALL SELECT 4, 'gone', 0) s "
     "ON $t.id = s.id WHEN MATCHED AND s.name = 'gone' THEN DELETE WHEN MATCHED THEN UPDATE SET * WHEN NOT MATCHED THEN INSERT *", [3, 5, 100]),
    ("INSERT INTO $t VALUES (200, 'x', 0), (201, 'y', 1)", [200, 201]),
    ("OPTIMIZE $t", []),
    ("UPDATE $t SET part = 7 WHERE id IN (1, 2, 200)", [1, 2, 200]),
    ("INSERT INTO $t REPLACE WHERE id >= 200 VALUES (300, 'z', 1)", [300]),
    ("DELETE FROM $t WHERE id = 18", []),
    ("REORG TABLE $t APPLY (PURGE)", []),
]


@pytest.mark.parametrize("kind", TRACKED)
def test_rows_keep_their_ids(spark, work, varve, kind):
    layout, more = TRACKED[kind]
    path = work / f"tracked {kind}"
    name = f"delta.`{path}`"
    varve.query(f"CREATE TABLE {name} (id int, name string, part int) USING DELTA{layout} TBLPROPERTIES ('delta.enableRowTracking' = 'true'{more})")
    changes, last = [], 0
    for sql, changed in TRACKED_CHANGES:
        varve.query(sql.replace("MERGE INTO $t", f"MERGE INTO {name} AS t").replace("ON $t.", "ON t.").replace("$t", name))
        version = max(int(commit.name[:20]) for commit in (path / "_delta_log").glob("*.json"))
        changes += [set(changed)] if version > last else []
        last = version
    before = {}
    for version, changed in enumerate(changes, 1):
        read = spark.sql(f"SELECT id, _metadata.row_id AS row_id, _metadata.row_commit_version AS version FROM {name} VERSION AS OF {version}").collect()
        now = {row.id: (row.row_id, row.version) for row in read}
        assert len({row_id for row_id, _ in now.values()}) == len(now) == len(read), version
        for row, (row_id, at) in now.items():
            assert row_id == before[row][0] if row in before else row_id not in {i for i, _ in before.values()}, (version, row)
            assert at == (version if row in changed else before[row][1]), (version, row)
        before = now
    assert sorted(before) == sorted({*range(20), 100, 300} - {4, 7, 12, 18})


@pytest.mark.parametrize("vectors", ["false", "true"])
def test_ids_that_spark_carried_along_are_kept(spark, work, varve, vectors):
    name = f"delta.`{work}/carried {vectors}`"
    spark.sql(f"CREATE TABLE {name} (id int, name string) USING delta TBLPROPERTIES ('delta.enableRowTracking' = 'true', 'delta.enableDeletionVectors' = '{vectors}')")
    for sql in ("INSERT INTO $t SELECT id, 'a' FROM range(10)", "INSERT INTO $t SELECT id, 'a' FROM range(10, 20)", "UPDATE $t SET name = 'b' WHERE id % 3 = 1",
                "DELETE FROM $t WHERE id = 5", "OPTIMIZE $t", "UPDATE $t SET name = 'c' WHERE id = 2"):
        spark.sql(sql.replace("$t", name))
    varve.query(f"UPDATE {name} SET name = 'd' WHERE id = 9")
    ids = f"SELECT id, name, _metadata.row_id AS row_id, _metadata.row_commit_version AS version FROM {name} ORDER BY id"
    rows = [row.asDict() for row in spark.sql(ids).collect()]
    assert [row["row_id"] for row in rows] == [row["id"] for row in rows]
    assert varve.rows(ids) == rows


def test_times_in_commits_are_as_spark_sees_them(spark, written, varve):
    path = written.path("log_times")
    theirs = {r["version"]: r["timestamp"] for r in spark.sql(f"DESCRIBE HISTORY delta.`{path}`").collect()}
    for version in (0, 5, 13):
        stamp = theirs[version].isoformat(sep=" ")
        assert spark.sql(f"SELECT * FROM delta.`{path}` TIMESTAMP AS OF '{stamp}'").count() == version
        assert varve.rows(f"SELECT count(*) AS n FROM delta.`{path}` TIMESTAMP AS OF '{stamp}+00'")[0]["n"] == version


DROPPED = {
    "vectors": ("deletionVectors", "'delta.enableDeletionVectors' = 'true'", False),
    "vectors_without_history": ("deletionVectors", "'delta.enableDeletionVectors' = 'true', 'delta.dropFeatureTruncateHistory.retentionDuration' = 'interval 0 hours'", True),
    "v2": ("v2Checkpoint", "'delta.checkpointPolicy' = 'v2', 'delta.checkpointInterval' = '2'", False),
    "v2_without_history": ("v2Checkpoint", "'delta.checkpointPolicy' = 'v2', 'delta.checkpointInterval' = '2', "
                           "'delta.dropFeatureTruncateHistory.retentionDuration' = 'interval 0 hours'", True),
}


@pytest.mark.parametrize("name", DROPPED)
def test_the_judges_go_on_without_a_dropped_feature(spark, varve, work, name):
    """The older versions stay readable by Spark, or are gone; the newest needs nothing of the feature, so that delta-rs reads it too."""
    feature, properties, truncates = DROPPED[name]
    path = str(work / f"dropped-{name}")
    table = f"delta.`{path}`"
    for sql in (f"CREATE TABLE {table} (a bigint, p string) USING DELTA PARTITIONED BY (p) TBLPROPERTIES ({properties})",
                f"INSERT INTO {table} SELECT i, 'p' || i % 3 FROM range(30) r(i)", f"INSERT INTO {table} VALUES (100, NULL)",
                f"DELETE FROM {table} WHERE a % 5 = 2", f"INSERT INTO {table} VALUES (101, 'p1')",
                f"ALTER TABLE {table} DROP FEATURE {feature}{' TRUNCATE HISTORY' if truncates else ''}"):
        varve.query(sql)
    mine = peers.by_varve(varve, path)
    agree(mine, peers.by_spark(spark, path))
    agree(mine, peers.by_delta_rs(path))
    detail = spark.sql(f"DESCRIBE DETAIL {table}").collect()[0]["tableFeatures"]
    assert feature not in detail and ("checkpointProtection" in detail) != truncates
    if not truncates:
        assert spark.sql(f"SELECT count(*) AS n FROM {table} VERSION AS OF 3").collect()[0]["n"] == 25
    spark.sql(f"INSERT INTO {table} VALUES (102, 'p2')")
    spark.sql(f"DELETE FROM {table} WHERE a = 0")
    agree(peers.by_spark(spark, path), peers.by_varve(varve, path))


USED = {
    "mapping": ("columnMapping", "'delta.columnMapping.mode' = 'name'",
                ["ALTER TABLE $t RENAME COLUMN a TO b", "ALTER TABLE $t RENAME COLUMN s.x TO xx", "ALTER TABLE $t RENAME COLUMN p TO part"]),
    "mapping_by_id": ("columnMapping", "'delta.columnMapping.mode' = 'id', 'delta.enableDeletionVectors' = 'true'",
                      ["DELETE FROM $t WHERE a = 3", "ALTER TABLE $t RENAME COLUMN a TO b", "ALTER TABLE $t DROP COLUMN s.x"]),
    "widening": ("typeWidening", "'delta.enableTypeWidening' = 'true'",
                 ["ALTER TABLE $t ALTER COLUMN a TYPE bigint", "ALTER TABLE $t ALTER COLUMN p TYPE int", "ALTER TABLE $t ALTER COLUMN s.x TYPE decimal(12,2)"]),
    "tracking": ("rowTracking", "'delta.enableRowTracking' = 'true'", ["UPDATE $t SET a = a + 100 WHERE a % 5 = 2", "OPTIMIZE $t"]),
}


@pytest.mark.parametrize("writer", ["spark", "varve"])
@pytest.mark.parametrize("name", USED)
def test_a_feature_goes_that_the_table_has_used(spark, varve, work, name, writer):
    """Whoever wrote the files.  Spark goes on with the table, which needs nothing of the feature any more, and so does delta-rs."""
    feature, properties, uses = USED[name]
    path = str(work / f"used-{name}-{writer}")
    table = f"delta.`{path}`"
    query = varve.query if writer == "varve" else spark.sql
    struct = "{'x': CAST(i AS SMALLINT), 'y': [DATE '2024-01-01']}" if writer == "varve" else "named_struct('x', CAST(i AS SMALLINT), 'y', array(DATE '2024-01-01'))"
    rows = "range(30) r(i)" if writer == "varve" else "range(30) AS r(i)"
    query(f"CREATE TABLE {table} (a int, s struct<x: smallint, y: array<date>>, p smallint) USING DELTA PARTITIONED BY (p) TBLPROPERTIES ({properties})")
    query(f"INSERT INTO {table} SELECT CAST(i AS INT), {struct}, CAST(i % 3 AS SMALLINT) FROM {rows}")
    for sql in uses:
        query(sql.replace("$t", table))
    before = sorted(peers.by_spark(spark, path).rows)
    varve.query(f"ALTER TABLE {table} DROP FEATURE {feature}")
    mine = peers.by_varve(varve, path)
    assert sorted(mine.rows) == before
    agree(mine, peers.by_spark(spark, path))
    if "id" not in name:
        agree(mine, peers.by_delta_rs(path))
    assert feature not in spark.sql(f"DESCRIBE DETAIL {table}").collect()[0]["tableFeatures"]
    assert spark.sql(f"SELECT * FROM {table} VERSION AS OF 1").count() == 30
    spark.sql(f"INSERT INTO {table} SELECT * FROM {table} WHERE s IS NOT NULL")
    varve.query(f"INSERT INTO {table} SELECT * FROM {table} LIMIT 3")
    agree(peers.by_spark(spark, path), peers.by_varve(varve, path))
    for commit in sorted(pathlib.Path(path, "_delta_log").glob("*.json"))[-1:]:
        assert "columnMapping.physicalName" not in commit.read_text() and "baseRowId" not in commit.read_text()


# ---- written by the judges, read by Varve ------------------------------------------------------------------------


def arrow_rows():
    """All types that an Arrow writer has for Delta, with the edges."""
    utc = datetime.timezone.utc
    return pa.table({
        "s": pa.array(["text", "", "ünï😀", None]),
        "l": pa.array([1, -2**63, 2**63 - 1, None], pa.int64()),
        "i": pa.array([1, -2**31, 2**31 - 1, None], pa.int32()),
        "h": pa.array([1, -2**15, 2**15 - 1, None], pa.int16()),
        "b": pa.array([1, -128, 127, None], pa.int8()),
        "f": pa.array([1.5, float("inf"), float("nan"), None], pa.float32()),
        "d": pa.array([1.5, float("-inf"), float("nan"), None], pa.float64()),
        "bo": pa.array([True, False, True, None]),
        "bin": pa.array([b"ab", b"", b"\x00\xff", None], pa.binary()),
        "da": pa.array([datetime.date(2024, 2, 29), datetime.date(1, 1, 1), datetime.date(9999, 12, 31), None]),
        "ts": pa.array([datetime.datetime(2024, 3, 10, 12, 34, 56, 789012, utc), datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, utc),
                        datetime.datetime(2262, 1, 1, tzinfo=utc), None], pa.timestamp("us", "UTC")),
        "d9": pa.array([decimal.Decimal("1.25"), decimal.Decimal("-9999999.99"), decimal.Decimal("9999999.99"), None], pa.decimal128(9, 2)),
        "d38": pa.array([decimal.Decimal("1.25"), decimal.Decimal("-" + "9" * 28 + ".9999999999"), decimal.Decimal("0E-10"), None], pa.decimal128(38, 10)),
        "st": pa.array([{"a": 1, "b": "x"}, {"a": None, "b": None}, None, {"a": 2, "b": ""}], pa.struct([("a", pa.int32()), ("b", pa.string())])),
        "ar": pa.array([["one", None], [], None, [""]], pa.list_(pa.string())),
        "mp": pa.array([[("k", 1), ("l", None)], [], None, [("m", 2)]], pa.map_(pa.string(), pa.int64())),
    })


def rs_types(path):
    deltalake.write_deltalake(path, arrow_rows())


def rs_wall_clock(path):
    deltalake.write_deltalake(path, pa.table({"t": pa.array([datetime.datetime(2024, 3, 10, 2, 30), None], pa.timestamp("us"))}))


def rs_awkward(path):
    deltalake.write_deltalake(path, pa.table({"n": list(range(len(AWKWARD))), "part": AWKWARD}), partition_by=["part"])


def rs_typed_partitions(path):
    # Without negative decimals: delta-rs writes -9.99 as "-9.-99" and cannot read it itself.
    rows = arrow_rows().select(["s", "l", "d38", "da", "ts", "bo"]).slice(2, 2)
    deltalake.write_deltalake(path, rows, partition_by=["l", "d38", "da", "ts", "bo"])


def rs_many_commits(path):
    for i in range(14):
        deltalake.write_deltalake(path, pa.table({"n": list(range(i * 5, i * 5 + 5)), "p": [str(i % 3)] * 5}), mode="append", partition_by=["p"])
        if i == 8:
            deltalake.DeltaTable(path).create_checkpoint()


def rs_overwritten(path):
    deltalake.write_deltalake(path, pa.table({"a": [1, 2]}))
    deltalake.write_deltalake(path, pa.table({"a": [3]}), mode="overwrite")
    deltalake.write_deltalake(path, pa.table({"a": [4], "b": ["new"]}), mode="append", schema_mode="merge")


def rs_changed(path):
    deltalake.write_deltalake(path, pa.table({"a": list(range(20))}))
    deltalake.DeltaTable(path).delete("a < 5")
    deltalake.DeltaTable(path).update(updates={"a": "a + 100"}, predicate="a > 15")
    deltalake.DeltaTable(path).optimize.compact()


BY_DELTA_RS = {fn.__name__.removeprefix("rs_"): fn for fn in (rs_types, rs_wall_clock, rs_awkward, rs_typed_partitions, rs_many_commits, rs_overwritten, rs_changed)}


@pytest.mark.parametrize("name", BY_DELTA_RS)
def test_varve_reads_what_delta_rs_writes(varve, work, name):
    path = str(work / f"delta-rs-{name}")
    BY_DELTA_RS[name](path)
    agree(peers.by_delta_rs(path), peers.by_varve(varve, path))
    for version in range(deltalake.DeltaTable(path).version() + 1):
        assert peers.by_delta_rs(path, version).checksum == peers.by_varve(varve, path, version).checksum, f"version {version}"


def spark_types(spark, path):
    spark.sql(f"""CREATE TABLE delta.`{path}` (s STRING, l BIGINT, i INT, h SMALLINT, b TINYINT, f FLOAT, d DOUBLE, bo BOOLEAN, bin BINARY, da DATE,
      ts TIMESTAMP, d9 DECIMAL(9,2), d38 DECIMAL(38,10), st STRUCT<a: INT, b: STRUCT<c: STRING>>, ar ARRAY<STRING>, mp MAP<STRING, BIGINT>) USING DELTA""")
    spark.sql(f"""INSERT INTO delta.`{path}` VALUES
      ('text', 1, 2, 3, 4, 1.5, 2.5, true, X'6162', DATE '2024-02-29', TIMESTAMP '2024-03-10 12:34:56.789012', 1.25, 3.75,
       named_struct('a', 1, 'b', named_struct('c', 'deep')), array('one', NULL), map('k', 1L, 'l', NULL)),
      ('', -9223372036854775808, -2147483648, -32768, -128, float('-inf'), double('NaN'), false, X'', DATE '0001-01-01', TIMESTAMP '1900-01-01 00:00:00',
       -9999999.99, -9999999999999999999999999999.9999999999, NULL, array(), map()),
      (NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)""")


def spark_int96(spark, path):
    spark.conf.set("spark.sql.parquet.outputTimestampType", "INT96")
    try:
        spark.sql(f"CREATE TABLE delta.`{path}` (n INT, ts TIMESTAMP) USING DELTA")
        spark.sql(f"INSERT INTO delta.`{path}` VALUES (1, TIMESTAMP '2024-03-10 12:34:56.789012'), (2, NULL), (3, TIMESTAMP '1969-12-31 23:59:59.999999')")
    finally:
        spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")


def spark_two_level_lists(spark, path):
    """Files as Parquet's older writers made them: lists of two levels where no element is NULL, decimals as bytes."""
    spark.conf.set("spark.sql.parquet.writeLegacyFormat", "true")
    try:
        frame = spark.sql("""SELECT id, array(CAST(id AS INT), 2) AS l, array(array('x'), array('y', 'z')) AS ll, array(named_struct('a', id, 'b', array(1.5D))) AS ls,
          map('k', array(id)) AS m, CASE WHEN id % 2 = 0 THEN array(1, null) END AS n, CAST(id AS DECIMAL(9, 2)) AS d FROM range(5)""")
        frame.coalesce(1).write.parquet(path)  # Delta itself lets every element be NULL
    finally:
        spark.conf.unset("spark.sql.parquet.writeLegacyFormat")
    spark.sql(f"CONVERT TO DELTA parquet.`{path}`")
    files = list(pathlib.Path(path).glob("*.parquet"))
    spark.sql(f"INSERT INTO delta.`{path}` SELECT id + 10, l, ll, ls, m, n, d FROM delta.`{path}`")
    assert any("repeated int32" in str(pq.ParquetFile(file).schema) for file in files), "Spark wrote lists of three levels"


def spark_micros(spark, path):
    spark.conf.set("spark.sql.parquet.outputTimestampType", "TIMESTAMP_MICROS")
    spark.sql(f"CREATE TABLE delta.`{path}` (n INT, ts TIMESTAMP, t TIMESTAMP_NTZ) USING DELTA")
    spark.sql(f"INSERT INTO delta.`{path}` VALUES (1, TIMESTAMP '2024-03-10 12:34:56.789012', TIMESTAMP_NTZ '2024-03-10 02:30:00.000001'), (2, NULL, NULL)")


def spark_awkward(spark, path):
    spark.sql(f"CREATE TABLE delta.`{path}` (n INT, part STRING, da DATE, ts TIMESTAMP) USING DELTA PARTITIONED BY (part, da, ts)")
    rows = [(i, v, datetime.date(2024, 1, 1 + i), datetime.datetime(2024, 1, 1, i, 0, 0, 5 * i)) for i, v in enumerate(AWKWARD)]
    spark.createDataFrame(rows, "n int, part string, da date, ts timestamp").write.format("delta").mode("append").save(path)


def spark_many_commits(spark, path):
    spark.sql(f"CREATE TABLE delta.`{path}` (n INT, s STRING) USING DELTA TBLPROPERTIES ('delta.checkpointInterval' = '4', "
              "'delta.checkpoint.writeStatsAsStruct' = 'true')")
    for i in range(10):
        spark.sql(f"INSERT INTO delta.`{path}` VALUES ({i}, 'row {i}')")


def spark_evolved(spark, path):
    spark.sql(f"CREATE TABLE delta.`{path}` (a INT NOT NULL COMMENT 'first') USING DELTA COMMENT 'evolves' TBLPROPERTIES ('team' = 'spark')")
    spark.sql(f"INSERT INTO delta.`{path}` VALUES (1)")
    spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMNS (b STRING AFTER a, c STRUCT<x: INT>)")
    spark.sql(f"INSERT INTO delta.`{path}` VALUES (2, 'two', named_struct('x', 2))")
    spark.sql(f"INSERT OVERWRITE delta.`{path}` SELECT * FROM delta.`{path}` WHERE a > 0")
    spark.sql(f"DELETE FROM delta.`{path}` WHERE a = 1")


def spark_generated(spark, path):
    """Writer features that a reader need not know."""
    spark.sql(f"CREATE TABLE delta.`{path}` (ts TIMESTAMP, day DATE GENERATED ALWAYS AS (CAST(ts AS DATE))) USING DELTA PARTITIONED BY (day)")
    spark.sql(f"INSERT INTO delta.`{path}` (ts) VALUES (TIMESTAMP '2024-03-10 12:00:00'), (TIMESTAMP '2024-03-11 12:00:00')")
    spark.sql(f"ALTER TABLE delta.`{path}` ADD CONSTRAINT recent CHECK (ts > '2000-01-01')")


def spark_mapped(spark, path, mode="name"):
    """Columns renamed, dropped and added again under the same name, at two depths and in the partitioning."""
    spark.sql(f"""CREATE TABLE delta.`{path}` (id INT, `a b` STRING, s STRUCT<x: INT, y: STRUCT<z: STRING>>, l ARRAY<STRUCT<q: INT>>,
      m MAP<STRING, STRUCT<w: DATE>>, p STRING, gone INT) USING DELTA PARTITIONED BY (p)
      TBLPROPERTIES ('delta.columnMapping.mode' = '{mode}', 'delta.checkpointInterval' = '4')""")
    spark.sql(f"""INSERT INTO delta.`{path}` VALUES (1, 'one', named_struct('x', 1, 'y', named_struct('z', 'zz')), array(named_struct('q', 7), null),
      map('k', named_struct('w', date'2024-01-01')), 'p1', 5), (2, null, null, null, null, null, 6)""")
    spark.sql(f"ALTER TABLE delta.`{path}` RENAME COLUMN id TO ident")
    spark.sql(f"ALTER TABLE delta.`{path}` RENAME COLUMN s.x TO xx")
    spark.sql(f"ALTER TABLE delta.`{path}` RENAME COLUMN p TO part")
    spark.sql(f"ALTER TABLE delta.`{path}` DROP COLUMN gone")
    spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMN gone STRING")
    spark.sql(f"INSERT INTO delta.`{path}` VALUES (3, 'three', named_struct('xx', 3, 'y', null), array(), map(), 'p3', 'new')")


def spark_mapped_by_id(spark, path):
    spark_mapped(spark, path, "id")


def spark_iceberg(spark, path, version=2):
    nested = ", l ARRAY<ARRAY<INT>>, m MAP<STRING, STRUCT<x: ARRAY<DATE>>>" if version == 2 else ""
    rows = ", array(array(1, null), null), map('k', named_struct('x', array(date'2024-01-01')))" if version == 2 else ""
    spark.sql(f"CREATE TABLE delta.`{path}` (id INT, t TIMESTAMP, s STRUCT<d: DECIMAL(20,3)>, p DATE{nested}) USING DELTA PARTITIONED BY (p) "
              f"TBLPROPERTIES ('delta.enableIcebergCompatV{version}' = 'true')")
    spark.sql(f"INSERT INTO delta.`{path}` VALUES (1, TIMESTAMP '2024-03-10 12:34:56.789', named_struct('d', 1.5), DATE '2024-02-29'{rows})")
    spark.sql(f"ALTER TABLE delta.`{path}` ADD COLUMNS (later STRING)")


def spark_iceberg_1(spark, path):
    spark_iceberg(spark, path, 1)


def spark_type_changes(spark, path):
    spark.sql(f"CREATE TABLE delta.`{path}` (a BYTE, f FLOAT, e DECIMAL(5,2), i INT, s STRUCT<x: SHORT>, l ARRAY<INT>, p BYTE) USING DELTA "
              "PARTITIONED BY (p) TBLPROPERTIES ('delta.enableTypeWidening' = 'true')")
    spark.sql(f"INSERT INTO delta.`{path}` VALUES (1, 0.1, 1.25, 7, named_struct('x', 3), array(1, 2), 1)")
    for column, wider in (("a", "SHORT"), ("a", "INT"), ("f", "DOUBLE"), ("e", "DECIMAL(10,4)"), ("i", "DECIMAL(12,1)"), ("s.x", "BIGINT"),
                          ("l.element", "BIGINT"), ("p", "INT")):
        spark.sql(f"ALTER TABLE delta.`{path}` ALTER COLUMN {column} TYPE {wider}")
    spark.sql(f"INSERT INTO delta.`{path}` VALUES (100000, 0.5, 1.2512, 7.5, named_struct('x', 30000000000), array(10000000000), 100000)")


BY_SPARK = {fn.__name__.removeprefix("spark_"): fn for fn in
            (spark_types, spark_int96, spark_two_level_lists, spark_micros, spark_awkward, spark_many_commits, spark_evolved, spark_generated,
             spark_mapped, spark_mapped_by_id, spark_iceberg, spark_iceberg_1, spark_type_changes)}


@pytest.mark.parametrize("name", BY_SPARK)
def test_varve_reads_what_spark_writes(spark, varve, work, name):
    path = str(work / f"spark-{name}")
    BY_SPARK[name](spark, path)
    theirs = peers.by_spark(spark, path)
    agree(theirs, peers.by_varve(varve, path))
    last = theirs.history[-1][0]
    for version in {0, 1, last // 2, last - 1} - {last}:
        if 0 <= version:
            assert peers.by_spark(spark, path, version).checksum == peers.by_varve(varve, path, version).checksum, f"version {version}"


def field_ids(node):
    """(path, field id) of everything in a Parquet schema that has a name of its own."""
    below = []
    if isinstance(node, pa.Schema):
        below = list(node)
    elif pa.types.is_struct(node):
        below = [node.field(i) for i in range(node.num_fields)]
    elif pa.types.is_list(node):
        below = [node.value_field]
    elif pa.types.is_map(node):
        below = [node.key_field, node.item_field]
    for field in below:
        yield field.name, int((field.metadata or {}).get(b"PARQUET:field_id", -1))
        yield from field_ids(field.type)


@pytest.mark.parametrize("version", [1, 2])
def test_spark_and_varve_write_to_one_table_for_iceberg(spark, varve, work, version):
    """The files of both carry the same ids down to elements, keys and values, end with the partition columns, and are counted."""
    path = work / f"iceberg-{version}"
    spark_iceberg(spark, str(path), version)
    table = f"delta.`{path}`"
    row = "2, TIMESTAMPTZ '2024-03-10 12:34:56.789+00', {'d': 2.5}, DATE '2024-03-01'" + (", [[1]], MAP {'k': {'x': [DATE '2024-01-01']}}" if version == 2 else "")
    varve.query(f"INSERT INTO {table} VALUES ({row}, 'ours')")
    spark.sql(f"INSERT INTO {table} SELECT * FROM {table} WHERE id = 2")
    varve.query(f"UPDATE {table} SET later = 'changed' WHERE id = 1")
    varve.query(f"OPTIMIZE {table}")
    agree(peers.by_spark(spark, path), peers.by_varve(varve, path))
    adds = [json.loads(line)["add"] for commit in sorted((path / "_delta_log").glob("*.json")) for line in commit.read_text().splitlines() if '"add":' in line]
    assert len(adds) >= 4 and all(json.loads(add["stats"])["numRecords"] for add in adds)
    schemas = [pq.read_schema(path / urllib.parse.unquote(add["path"])) for add in adds if (path / urllib.parse.unquote(add["path"])).exists()]
    ids = [list(field_ids(schema)) for schema in schemas]
    later = max(ids, key=len)
    assert all(known in later for known in ids[0]), "Spark's file, written before there was a third column"
    assert all(found == later for found in ids[1:])
    # elements are called by their names in a file, and so are entries of a map: each has an id
    assert {i for _, i in later} == set(range(1, len(later) + 1))
    partition = next(f["metadata"]["delta.columnMapping.physicalName"] for f in fields(path) if f["name"] == "p")
    assert all(schema.names[-1] == partition for schema in schemas)


def fields(path):
    """Of the newest schema."""
    for commit in sorted((path / "_delta_log").glob("*.json"), reverse=True):
        for line in commit.read_text().splitlines():
            if "metaData" in json.loads(line):
                return json.loads(json.loads(line)["metaData"]["schemaString"])["fields"]
    return []


def test_varve_keeps_the_rules_of_a_table_that_spark_made(spark, varve, work):
    path = str(work / "spark-rules")
    spark_generated(spark, path)
    before = peers.by_spark(spark, path)
    with pytest.raises(programs.Failed) as refused:
        varve.attempt(f"INSERT INTO delta.`{path}` VALUES (TIMESTAMPTZ '1999-01-01 00:00:00+00', DATE '2024-01-01')")
    assert refused.value.code == "CONSTRAINT_VIOLATION"
    agree(before, peers.by_spark(spark, path))


# ---- one table, three writers ---------------------------------------------------------------------------------------


def test_varve_delta_rs_and_spark_append_to_one_table(spark, varve, work):
    varve.query("CREATE TABLE shared (writer string, n bigint) USING DELTA PARTITIONED BY (writer) TBLPROPERTIES ('delta.checkpointInterval' = '4')")
    path = varve.rows("DESCRIBE DETAIL shared")[0]["location"].removeprefix("file://")
    for i in range(3):
        varve.query(f"INSERT INTO shared VALUES ('varve', {i})")
        deltalake.write_deltalake(path, pa.table({"writer": ["delta-rs"], "n": [i]}), mode="append")
        spark.createDataFrame([("spark", i)], "writer string, n bigint").write.format("delta").mode("append").save(path)
        ours = peers.by_varve(varve, path)
        assert len(ours.rows) == 3 * (i + 1)
        agree(ours, peers.by_delta_rs(path))
        agree(ours, peers.by_spark(spark, path))
    assert [version for version, _ in ours.history] == list(range(10))
    spark.sql(f"DELETE FROM delta.`{path}` WHERE writer = 'varve'")
    assert len(peers.by_varve(varve, path).rows) == 6
