"""Places where readers and writers of Delta tables have gone wrong: one test each, named after the trap.

The tables are made by hand, action by action and file by file, so that each has just the form that hurts.  Traps that need another program, or a part
of Varve alone, are tested elsewhere: tests/README.md lists where.
"""
import datetime
import decimal
import json
import math
import struct
import time
import urllib.parse

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import program as programs

UTC = datetime.timezone.utc
CHECKPOINT = pa.schema([
    ("txn", pa.struct([("appId", pa.string()), ("version", pa.int64()), ("lastUpdated", pa.int64())])),
    ("add", pa.struct([("path", pa.string()), ("partitionValues", pa.map_(pa.string(), pa.string())), ("size", pa.int64()), ("modificationTime", pa.int64()),
                       ("dataChange", pa.bool_()), ("stats", pa.string()),
                       ("deletionVector", pa.struct([("storageType", pa.string()), ("pathOrInlineDv", pa.string()), ("offset", pa.int32()),
                                                     ("sizeInBytes", pa.int32()), ("cardinality", pa.int64())]))])),
    ("remove", pa.struct([("path", pa.string()), ("deletionTimestamp", pa.int64()), ("dataChange", pa.bool_())])),
    ("metaData", pa.struct([("id", pa.string()), ("format", pa.struct([("provider", pa.string()), ("options", pa.map_(pa.string(), pa.string()))])),
                            ("schemaString", pa.string()), ("partitionColumns", pa.list_(pa.string())),
                            ("configuration", pa.map_(pa.string(), pa.string())), ("createdTime", pa.int64())])),
    ("protocol", pa.struct([("minReaderVersion", pa.int32()), ("minWriterVersion", pa.int32()), ("readerFeatures", pa.list_(pa.string())),
                            ("writerFeatures", pa.list_(pa.string()))])),
])


class Handmade:
    """A Delta table of which every byte is the test's own."""

    def __init__(self, path, columns, partitions=(), configuration=None, features=()):
        self.path, self.partitions, self.version, self.adds = path, list(partitions), -1, {}
        (path / "_delta_log").mkdir(parents=True)
        fields = [c if isinstance(c, dict) else {"name": c[0], "type": c[1], "nullable": True, "metadata": {}} for c in columns]
        self.protocol = {"minReaderVersion": 3 if features else 1, "minWriterVersion": 7 if features else 2}
        if features:
            self.protocol |= {"readerFeatures": list(features), "writerFeatures": list(features)}
        self.metadata = {"id": "5fba94ed-9794-4965-ba6e-6ee3c0d22af9", "format": {"provider": "parquet", "options": {}},
                         "schemaString": json.dumps({"type": "struct", "fields": fields}), "partitionColumns": self.partitions,
                         "configuration": configuration or {}, "createdTime": 1700000000000}
        self.commit({"protocol": self.protocol}, {"metaData": self.metadata})

    @property
    def sql(self):
        return f"delta.`{self.path}`"

    def commit(self, *actions):
        self.version += 1
        (self.path / f"_delta_log/{self.version:020d}.json").write_text("".join(json.dumps(a) + "\n" for a in actions))
        for action in actions:
            if "add" in action:
                self.adds[action["add"]["path"]] = action["add"]
            if "remove" in action:
                self.adds.pop(action["remove"]["path"], None)

    def file(self, rows, place=None, values=None, stats=None, path=None, **options):
        """Writes a data file; the add that names it.  place: where it is, path: what the log calls it."""
        place = place or f"part-{len(list(self.path.rglob('*.parquet')))}.parquet"
        (self.path / place).parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(rows, self.path / place, **options)
        add = {"path": path or urllib.parse.quote(place), "partitionValues": values or {}, "size": (self.path / place).stat().st_size,
               "modificationTime": 1700000000000, "dataChange": True}
        if stats is not None:
            add["stats"] = json.dumps({"numRecords": rows.num_rows, **stats})
        return {"add": add}

    def add(self, rows, **how):
        self.commit(self.file(rows, **how))

    def checkpoint(self, typed=None):
        """What the log says so far, as a checkpoint; older commits go.  typed: type and values of partitionValues_parsed by path."""
        schema = CHECKPOINT
        adds = [dict(add, partitionValues=list(add["partitionValues"].items())) for add in self.adds.values()]
        if typed:
            parsed = pa.field("partitionValues_parsed", typed[0])
            schema = schema.set(1, pa.field("add", pa.struct([*schema.field("add").type, parsed])))
            adds = [dict(add, partitionValues_parsed=typed[1][add["path"]]) for add in adds]
        metadata = dict(self.metadata, configuration=list(self.metadata["configuration"].items()), format={"provider": "parquet", "options": []})
        rows = [{"protocol": self.protocol}, {"metaData": metadata}, *({"add": add} for add in adds)]
        pq.write_table(pa.Table.from_pylist(rows, schema), self.path / f"_delta_log/{self.version:020d}.checkpoint.parquet")
        (self.path / "_delta_log/_last_checkpoint").write_text(json.dumps({"version": self.version, "size": len(rows)}))
        for version in range(self.version):
            (self.path / f"_delta_log/{version:020d}.json").unlink(missing_ok=True)


@pytest.fixture
def make(scratch):
    def made(*columns, **how):
        return Handmade(scratch / f"table {len(list(scratch.iterdir()))}", columns, **how)

    return made


@pytest.fixture(params=["commits", "checkpoint"])
def close(request):
    """Leaves the log as it is, or makes a checkpoint of it: readers go other ways then."""
    return (lambda table, typed=None: table.checkpoint(typed)) if request.param == "checkpoint" else (lambda table, typed=None: None)


def values(varve, sql):
    """The only column of the answer."""
    return [next(iter(row.values())) for row in varve.rows(sql)]


def ids(varve, table, condition):
    return values(varve, f"SELECT id FROM {table.sql} WHERE {condition} ORDER BY id")


def refusal(varve, sql):
    with pytest.raises(programs.Failed) as refused:
        varve.attempt(sql)
    return refused.value


def numbers(*found):
    return pa.table({"id": pa.array(found, pa.int64())})


# ---- deletion vectors -------------------------------------------------------------------------------------------


def z85(data):
    digits = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ.-:+=^!/*?&<>()[]{}@%$#"
    text = ""
    for (word,) in struct.iter_unpack(">I", data + bytes(-len(data) % 4)):
        text += "".join(digits[word // 85 ** power % 85] for power in (4, 3, 2, 1, 0))
    return text


def inline_vector(rows):
    """Rows below 65536 as the protocol's portable 64-bit Roaring bitmap: one bucket, one container that is an array."""
    blob = struct.pack("<IQI", 1681511377, 1, 0) + struct.pack("<II", 12346, 1) + struct.pack("<HH", 0, len(rows) - 1)
    blob += struct.pack("<I", 16) + struct.pack(f"<{len(rows)}H", *sorted(rows))
    return {"storageType": "i", "pathOrInlineDv": z85(blob), "sizeInBytes": len(blob), "cardinality": len(rows)}


def test_deletion_vectors_under_split_scans(varve, make, close):
    """A vector counts the rows of the file, whatever part of it a thread reads, and whatever filter or limit leaves out before."""
    table = make(("id", "long"), ("text", "string"), features=["deletionVectors"])
    gone = list(range(0, 20000, 7))
    rows = pa.table({"id": pa.array(range(20000), pa.int64()), "text": [f"t{i % 10}" for i in range(20000)]})
    add = table.file(rows, stats={"minValues": {"id": 0}, "maxValues": {"id": 19999}, "nullCount": {"id": 0}}, row_group_size=1000)
    add["add"]["deletionVector"] = inline_vector(gone)
    table.commit(add)
    close(table)
    left = [i for i in range(20000) if i % 7]
    assert values(varve, f"SELECT id FROM {table.sql} ORDER BY id") == left
    assert ids(varve, table, "id BETWEEN 12345 AND 12360") == [i for i in left if 12345 <= i <= 12360]
    assert values(varve, f"SELECT count(*) FROM {table.sql} WHERE text = 't3'") == [sum(i % 10 == 3 for i in left)]
    assert values(varve, f"SELECT count(*) FROM {table.sql} WHERE id IN ({', '.join(map(str, gone[:50]))})") == [0]
    limited = values(varve, f"SELECT id FROM {table.sql} WHERE id > 15000 LIMIT 100")
    assert len(limited) == 100 and all(i > 15000 and i % 7 for i in limited)
    assert values(varve, f"SELECT count(*) FROM {table.sql} a JOIN {table.sql} b ON a.id = b.id") == [len(left)]


def test_a_rewrite_brings_no_deleted_rows_back(varve, make):
    table = make(("id", "long"), configuration={"delta.enableDeletionVectors": "true"}, features=["deletionVectors"])
    add = table.file(numbers(*range(5000)), stats={}, row_group_size=500)
    add["add"]["deletionVector"] = inline_vector(list(range(0, 5000, 2)))
    table.commit(add)
    varve.query(f"DELETE FROM {table.sql} WHERE id < 100")
    varve.query(f"UPDATE {table.sql} SET id = -id WHERE id > 4900")
    varve.query(f"REORG TABLE {table.sql} APPLY (PURGE)")
    expected = [i if i <= 4900 else -i for i in range(1, 5000, 2) if i >= 100]
    assert values(varve, f"SELECT id FROM {table.sql} ORDER BY id") == sorted(expected)


# ---- partition values ---------------------------------------------------------------------------------------------


def test_empty_string_against_null_partition_value(varve, make, close):
    """Both are NULL in the log; a checkpoint's typed values may tell them apart, and must not."""
    table = make(("id", "long"), ("p", "string"), partitions=["p"])
    adds = [table.file(numbers(i), values={"p": p}) for i, p in enumerate(["", None, "x"])]
    table.commit(*adds)
    typed = {a["add"]["path"]: {"p": p} for a, p in zip(adds, ["", None, "x"])}
    close(table, (pa.struct([("p", pa.string())]), typed))
    assert ids(varve, table, "p IS NULL") == [0, 1]
    assert ids(varve, table, "p = ''") == []
    assert ids(varve, table, "p IS NOT NULL") == [2]
    assert ids(varve, table, "p <> 'x'") == []
    assert ids(varve, table, "coalesce(p, 'none') <> 'x'") == [0, 1]


def test_not_equal_and_equal_to_a_parameter_on_partitions_after_a_checkpoint(varve, make, close):
    """Filters whose value is known late, or that leave one value out, must not lose files."""
    table = make(("id", "long"), ("p", "string"), ("n", "integer"), partitions=["p", "n"])
    rows = [("a", "1"), ("b", "2"), (None, None), ("a", "-3")]
    adds = [table.file(numbers(i), values={"p": p, "n": n}) for i, (p, n) in enumerate(rows)]
    table.commit(*adds)
    typed = {a["add"]["path"]: {"p": p, "n": n and int(n)} for a, (p, n) in zip(adds, rows)}
    close(table, (pa.struct([("p", pa.string()), ("n", pa.int32())]), typed))
    assert ids(varve, table, "p <> 'a'") == [1]
    assert ids(varve, table, "NOT (p = 'a')") == [1]
    assert ids(varve, table, "p IS DISTINCT FROM 'a'") == [1, 2]
    assert ids(varve, table, "n <> 2") == [0, 3]
    assert ids(varve, table, "p NOT IN ('b')") == [0, 3]
    assert ids(varve, table, "p = (SELECT 'a')") == [0, 3]
    assert ids(varve, table, "n = (SELECT max(i) FROM (VALUES (1), (2)) AS v(i))") == [1]
    assert values(varve, f"SELECT id FROM {table.sql} t JOIN (VALUES ('b')) AS v(k) ON t.p = v.k") == [1]
    assert ids(varve, table, "p = lower('A') AND n = 2 - 1") == [0]


@pytest.mark.parametrize("mode", ["name", "id"])
def test_column_mapping_with_partitions(varve, make, close, mode):
    """Partition values stand under physical names in the log, data columns under them or their ids in the files."""
    def field(name, physical, number, kind):
        return {"name": name, "type": kind, "nullable": True, "metadata": {"delta.columnMapping.id": number, "delta.columnMapping.physicalName": physical}}

    table = make(field("id", "col-1", 1, "long"), field("day", "col-2", 2, "date"), partitions=["day"],
                 configuration={"delta.columnMapping.mode": mode, "delta.columnMapping.maxColumnId": "2"}, features=["columnMapping"])
    for number, day in enumerate(["2024-02-29", None]):
        rows = pa.table([pa.array([number], pa.int64())], pa.schema([pa.field("col-1", pa.int64(), metadata={"PARQUET:field_id": "1"})]))
        table.add(rows, values={"col-2": day}, stats={"minValues": {"col-1": number}, "maxValues": {"col-1": number}, "nullCount": {"col-1": 0}})
    close(table)
    assert varve.rows(f"SELECT id, day FROM {table.sql} ORDER BY id") == [{"id": 0, "day": datetime.date(2024, 2, 29)}, {"id": 1, "day": None}]
    assert ids(varve, table, "day = DATE '2024-02-29'") == [0]
    assert ids(varve, table, "id = 1 AND day IS NULL") == [1]


def test_iso_8601_and_zoneless_timestamp_partition_values(varve, make, close):
    """One moment, as four writers spell it."""
    table = make(("id", "long"), ("t", "timestamp"), partitions=["t"])
    spelled = ["2024-03-10T12:34:56.789000Z", "2024-03-10 12:34:56.789", "2024-03-10 12:34:56.789000", "2024-03-10T13:34:56.789+01:00"]
    table.commit(*(table.file(numbers(i), values={"t": text}) for i, text in enumerate(spelled)))
    table.add(numbers(9), values={"t": "2024-03-11 00:00:00"})
    close(table)
    assert ids(varve, table, "t = TIMESTAMPTZ '2024-03-10 12:34:56.789+00'") == [0, 1, 2, 3]
    assert ids(varve, table, "t >= TIMESTAMPTZ '2024-03-11 00:00:00+00'") == [9]
    assert values(varve, f"SELECT count(DISTINCT t) FROM {table.sql}") == [2]


def test_binary_partition_values(varve, make, close):
    """Bytes stand as characters with escapes in the log."""
    table = make(("id", "long"), ("b", "binary"), partitions=["b"])
    table.commit(table.file(numbers(0), values={"b": "\u0001\u0002"}), table.file(numbers(1), values={"b": "ab"}), table.file(numbers(2), values={"b": None}))
    close(table)
    assert values(varve, f"SELECT hex(b) FROM {table.sql} ORDER BY id") == ["0102", "6162", None]
    assert ids(varve, table, "b = 'ab'::BLOB") == [1]
    assert ids(varve, table, "b <> 'ab'::BLOB") == [0]
    assert ids(varve, table, "b IS NULL") == [2]


# ---- statistics ---------------------------------------------------------------------------------------------------


def test_truncated_string_maximum(varve, make, close):
    """A text cut short is no upper bound unless its last character was raised; where none is higher the bound is missing."""
    table = make(("id", "long"), ("s", "string"))
    long, top = "a" * 40, "\U0010ffff" * 40
    for number, (text, bound) in enumerate([(long, "a" * 32 + "\x7f"), (long, "a" * 32 + "\U0010ffff"), (top, None), ("ü" * 40, "ü" * 32 + "\U0010ffff")]):
        rows = pa.table({"id": pa.array([number], pa.int64()), "s": [text]})
        bounds = {"minValues": {"id": number, "s": text[:32]}, "maxValues": {"id": number, **({"s": bound} if bound else {})}, "nullCount": {"id": 0, "s": 0}}
        table.add(rows, stats=bounds)
    close(table)
    assert ids(varve, table, f"s = '{long}'") == [0, 1]
    assert ids(varve, table, f"s > '{long[:-1]}' AND s < 'b'") == [0, 1]
    assert ids(varve, table, f"s >= '{top}'") == [2]
    assert ids(varve, table, f"s = '{'ü' * 40}'") == [3]


def test_varve_writes_string_bounds_that_hold(varve, scratch):
    table = f"delta.`{scratch / 'bounds'}`"
    texts = ["\U0010ffff" * 40, "a" * 40, "a" * 31 + "\U0010ffff" * 9, "\ud7ff" * 33, ""]
    varve.query(f"CREATE TABLE {table} (id int, s string) USING DELTA")
    for number, text in enumerate(texts):
        varve.query(f"INSERT INTO {table} VALUES ({number}, '{text}')")
    for number, text in enumerate(texts):
        assert values(varve, f"SELECT id FROM {table} WHERE s = '{text}'") == [number]
        assert number in values(varve, f"SELECT id FROM {table} WHERE s >= '{text}'")


def test_statistics_with_truncated_time_zone_offsets(varve, make, close):
    """Before standard time offsets had seconds, which some writers leave out; and milliseconds are all that statistics keep."""
    table = make(("id", "long"), ("t", "timestamp"))
    moment = datetime.datetime(1883, 11, 18, 19, 56, 55, 123456, UTC)  # 12:03:57.123456-07:52:58
    rows = pa.table({"id": pa.array([0], pa.int64()), "t": pa.array([moment], pa.timestamp("us", "UTC"))})
    text = "1883-11-18T12:03:57.123-07:52"
    table.add(rows, stats={"minValues": {"id": 0, "t": text}, "maxValues": {"id": 0, "t": text}, "nullCount": {"id": 0, "t": 0}})
    modern = datetime.datetime(2024, 3, 10, 12, 0, 0, 999, UTC)
    rows = pa.table({"id": pa.array([1], pa.int64()), "t": pa.array([modern], pa.timestamp("us", "UTC"))})
    text = "2024-03-10T13:00:00.000+01:00"
    table.add(rows, stats={"minValues": {"id": 1, "t": text}, "maxValues": {"id": 1, "t": text}, "nullCount": {"id": 1, "t": 0}})
    close(table)
    assert ids(varve, table, "t = TIMESTAMPTZ '1883-11-18 19:56:55.123456+00'") == [0]
    assert ids(varve, table, "t >= TIMESTAMPTZ '1883-11-18 19:56:55+00' AND t < TIMESTAMPTZ '1900-01-01 00:00:00+00'") == [0]
    assert ids(varve, table, "t <= TIMESTAMPTZ '1883-11-18 19:56:56+00'") == [0]
    assert ids(varve, table, "t = TIMESTAMPTZ '2024-03-10 12:00:00.000999+00'") == [1]
    assert ids(varve, table, "t > TIMESTAMPTZ '2024-03-10 12:00:00.000500+00'") == [1]


def test_nan_and_negative_zero_in_minimum_and_maximum(varve, make, close):
    """NaN is above every number.  Parquet files whose column holds one have no bounds for it, as the format asks."""
    table = make(("id", "long"), ("d", "double"))
    files = [([math.nan, 1.0], 1.0, "NaN"), ([math.nan], "NaN", "NaN"), ([-0.0], -0.0, -0.0), ([0.0], 0.0, 0.0), ([1.0, 2.0], 1.0, "NaN"), ([math.inf], "Infinity", "Infinity")]
    for number, (found, low, high) in enumerate(files):
        rows = pa.table({"id": pa.array([number] * len(found), pa.int64()), "d": pa.array(found, pa.float64())})
        bounded = ["id"] if any(map(math.isnan, found)) else True
        table.add(rows, stats={"minValues": {"d": low}, "maxValues": {"d": high}, "nullCount": {"d": 0}}, write_statistics=bounded)
    close(table)
    assert ids(varve, table, "isnan(d)") == [0, 1]
    assert ids(varve, table, "d > 1000") == [0, 1, 5]
    assert ids(varve, table, "d = 0.0") == [2, 3]
    assert ids(varve, table, "d < 0.0") == []
    assert ids(varve, table, "d >= -0.0 AND d < 1") == [2, 3]
    assert ids(varve, table, "d = 2.0") == [4]


def test_decimals_whose_stored_scale_differs(varve, make, close):
    """In the files, in the statistics, and in partition values."""
    table = make(("id", "long"), ("d", "decimal(12,4)"), ("p", "decimal(10,3)"), partitions=["p"])
    for number, kind in enumerate([pa.decimal128(5, 1), pa.decimal128(12, 4), pa.decimal128(9, 2)]):
        rows = pa.table({"id": pa.array([number], pa.int64()), "d": pa.array([decimal.Decimal("1.5")], kind)})
        bound = [1.5, 1.5000, 1.50][number]
        table.add(rows, values={"p": ["2.5", "2.500", "02.50"][number]}, stats={"minValues": {"d": bound}, "maxValues": {"d": bound}, "nullCount": {"d": 0}})
    close(table)
    assert ids(varve, table, "d = 1.5") == [0, 1, 2]
    assert ids(varve, table, "d > 1.4999 AND d < 1.5001") == [0, 1, 2]
    assert ids(varve, table, "p = 2.5") == [0, 1, 2]
    assert values(varve, f"SELECT CAST(sum(d) AS VARCHAR) FROM {table.sql}") == ["4.5000"]
    assert values(varve, f"SELECT count(DISTINCT p) FROM {table.sql}") == [1]


def test_a_filter_on_a_column_without_statistics_after_a_checkpoint(varve, scratch):
    table = scratch / "few statistics"
    varve.query(f"CREATE TABLE delta.`{table}` (a int, b int) USING DELTA TBLPROPERTIES ('delta.dataSkippingNumIndexedCols' = '1', 'delta.checkpointInterval' = '2', "
                "'delta.checkpoint.writeStatsAsStruct' = 'true', 'delta.checkpoint.writeStatsAsJson' = 'false')")
    for number in range(4):
        varve.query(f"INSERT INTO delta.`{table}` VALUES ({number}, {number})")
    for _ in range(100):
        if list((table / "_delta_log").glob("*.checkpoint.parquet")):
            break
        time.sleep(0.05)
    assert values(varve, f"SELECT a FROM delta.`{table}` WHERE b = 3") == [3]
    assert values(varve, f"SELECT a FROM delta.`{table}` WHERE b IS NOT NULL AND b <> 3 ORDER BY a") == [0, 1, 2]


# ---- files ------------------------------------------------------------------------------------------------------------


def test_int96_timestamps(varve, make, close):
    """Nanoseconds of the day beside a Julian day: cut to microseconds, also before 1970 and beyond what 64 bits of nanoseconds hold."""
    table = make(("id", "long"), ("t", "timestamp"))
    moments = [datetime.datetime(2024, 3, 10, 12, 34, 56, 789012, UTC), datetime.datetime(1969, 12, 31, 23, 59, 59, 999999, UTC),
               datetime.datetime(1900, 1, 1, tzinfo=UTC), datetime.datetime(2200, 1, 1, tzinfo=UTC)]
    rows = pa.table({"id": pa.array(range(4), pa.int64()), "t": pa.array(moments, pa.timestamp("us", "UTC"))})
    table.add(rows, use_deprecated_int96_timestamps=True)
    close(table)
    assert values(varve, f"SELECT epoch_us(t) FROM {table.sql} ORDER BY id") == [round(m.timestamp() * 1000000) for m in moments]
    assert ids(varve, table, "t = TIMESTAMPTZ '1969-12-31 23:59:59.999999+00'") == [1]
    varve.query(f"INSERT INTO {table.sql} SELECT id + 10, t FROM {table.sql}")
    assert ids(varve, table, "t < TIMESTAMPTZ '1901-01-01 00:00:00+00'") == [2, 12]


def test_a_path_that_is_percent_encoded_twice(varve, make, close):
    """The log encodes a path once more than the file system has it; a name with a percent sign of its own is easily decoded too often."""
    table = make(("id", "long"), ("p", "string"), partitions=["p"])
    table.commit(table.file(numbers(0), place="p=a%2Fb/one.parquet", path="p=a%252Fb/one.parquet", values={"p": "a/b"}),
                 table.file(numbers(1), place="p=a b/two.parquet", path="p=a%20b/two.parquet", values={"p": "a b"}),
                 table.file(numbers(2), place="p=100%/three%20.parquet", path="p=100%25/three%2520.parquet", values={"p": "100%"}),
                 table.file(numbers(3), place="p=+/four+.parquet", path="p=+/four+.parquet", values={"p": "+"}))
    close(table)
    assert varve.rows(f"SELECT id, p FROM {table.sql} ORDER BY id") == [{"id": i, "p": p} for i, p in enumerate(["a/b", "a b", "100%", "+"])]
    varve.query(f"DELETE FROM {table.sql} WHERE p = 'a/b'")
    varve.query(f"UPDATE {table.sql} SET id = 20 WHERE p = '100%'")
    assert values(varve, f"SELECT id FROM {table.sql} ORDER BY id") == [1, 3, 20]


def test_a_path_of_one_encoding_less_is_no_other_file(varve, make):
    table = make(("id", "long"))
    table.add(numbers(0), place="a%20b.parquet", path="a%20b.parquet")
    refused = refusal(varve, f"SELECT * FROM {table.sql}")
    assert refused.code == "FILE_NOT_FOUND" and "a%20b.parquet" in refused.everything


def test_absolute_paths_after_a_shallow_clone(varve, make, close):
    """Files of the source, as plain paths, as addresses, and beside files of the clone's own."""
    source, clone = make(("id", "long")), make(("id", "long"))
    for number in range(3):
        source.add(numbers(number))
    paths = [str(source.path / p) for p in sorted(source.adds)]
    spelled = [urllib.parse.quote(paths[0]), "file://" + urllib.parse.quote(paths[1]), "file:" + urllib.parse.quote(paths[2])]
    clone.commit(*({"add": dict(source.adds[p], path=name)} for p, name in zip(sorted(source.adds), spelled)))
    clone.add(numbers(7))
    close(clone)
    assert values(varve, f"SELECT id FROM {clone.sql} ORDER BY id") == [0, 1, 2, 7]
    varve.query(f"DELETE FROM {clone.sql} WHERE id = 1")
    varve.query(f"INSERT INTO {clone.sql} VALUES (8)")
    varve.query(f"OPTIMIZE {clone.sql}")
    assert values(varve, f"SELECT id FROM {clone.sql} ORDER BY id") == [0, 2, 7, 8]
    assert values(varve, f"SELECT id FROM {source.sql} ORDER BY id") == [0, 1, 2], "the source lost what the clone let go"


def test_s3_paths_after_a_shallow_clone(varve, make):
    """Never read from another place: refused by name, and the rest of the table can be used."""
    table = make(("id", "long"), ("p", "string"), partitions=["p"])
    table.commit({"add": {"path": "s3://bucket/table/part-0.parquet", "partitionValues": {"p": "far"}, "size": 400, "modificationTime": 1, "dataChange": True}},
                 table.file(numbers(1), values={"p": "near"}))
    refused = refusal(varve, f"SELECT * FROM {table.sql}")
    assert refused.code == "NOT_SUPPORTED" and "s3://bucket/table/part-0.parquet" in refused.everything
    assert ids(varve, table, "p = 'near'") == [1]


# ---- names -----------------------------------------------------------------------------------------------------------


def test_column_names_in_another_case(varve, make, close):
    """Found without regard to case in statements, partitioning and statistics; kept as the schema spells them."""
    table = make(("id", "long"), ("Name", "string"), ("PART", "string"), partitions=["PART"])
    for number in range(3):
        rows = pa.table({"ID": pa.array([number], pa.int64()), "NAME": [f"n{number}"]})
        table.add(rows, values={"PART": f"p{number}"}, stats={"minValues": {"id": number, "Name": f"n{number}"}, "maxValues": {"id": number, "Name": f"n{number}"}})
    close(table)
    assert varve.rows(f"SELECT * FROM {table.sql} WHERE ID = 1") == [{"id": 1, "Name": "n1", "PART": "p1"}]
    assert ids(varve, table, "part = 'p2' AND nAmE = 'n2'") == [2]
    varve.query(f"INSERT INTO {table.sql} (part, NAME, Id) VALUES ('p9', 'n9', 9)")
    varve.query(f"UPDATE {table.sql} SET nAME = upper(name) WHERE pArT = 'p9'")
    assert varve.rows(f"SELECT * FROM {table.sql} WHERE id > 5") == [{"id": 9, "Name": "N9", "PART": "p9"}]


ODD_NAMES = ["a.b", "tick`tick", "two words", "semi;colon", "{brace}", "(paren)", "equals=sign", "comma,", "quote\"s", "apostrophe's", "😀", "tab\tbed", "ünï", "%20", "a/b"]


def test_column_names_with_dots_backticks_spaces_and_emoji(varve, make, close):
    """As data, as partitions, in statistics, and in every statement that names them."""
    columns = [("id", "long"), *((name, "long") for name in ODD_NAMES), ("part. `ü=;", "string")]
    table = make(*columns, partitions=["part. `ü=;"])
    for number in range(3):
        rows = pa.table({"id": pa.array([number], pa.int64()), **{name: pa.array([number * 100 + i], pa.int64()) for i, name in enumerate(ODD_NAMES)}})
        bounds = {name: number * 100 + i for i, name in enumerate(ODD_NAMES)}
        table.add(rows, values={"part. `ü=;": f"p{number}"}, stats={"minValues": bounds, "maxValues": bounds, "nullCount": dict.fromkeys(bounds, 0)})
    close(table)
    for i, name in enumerate(ODD_NAMES):
        quoted = "`" + name.replace("`", "``") + "`"
        assert varve.rows(f"SELECT id, {quoted} FROM {table.sql} WHERE {quoted} = {200 + i}") == [{"id": 2, name: 200 + i}]
    part = "`part. ``ü=;`"
    assert ids(varve, table, f"{part} = 'p1'") == [1]
    varve.query(f"UPDATE {table.sql} SET `a.b` = -1, `tick``tick` = `two words` WHERE {part} = 'p1' AND `😀` > 0")
    varve.query(f"DELETE FROM {table.sql} WHERE `semi;colon` = 203")
    assert varve.rows(f"SELECT id, `a.b` AS a, `tick``tick` AS b, `two words` AS c FROM {table.sql} ORDER BY id") == [
        {"id": 0, "a": 0, "b": 1, "c": 2}, {"id": 1, "a": -1, "b": 102, "c": 102}]


# ---- the log ---------------------------------------------------------------------------------------------------------


def test_unordered_and_repeated_actions_in_one_commit(varve, make):
    """The order of lines has no meaning, but for two words on one file, of which the later counts; unknown actions are none."""
    table = make(("id", "long"))
    first, second = table.file(numbers(0)), table.file(numbers(1))
    table.commit(second, {"somethingNew": {"x": 1}}, first, second, {"commitInfo": {"operation": "WRITE", "timestamp": 1}}, {"metaData": table.metadata}, first)
    assert values(varve, f"SELECT id FROM {table.sql} ORDER BY id") == [0, 1]
    gone = {"remove": {"path": first["add"]["path"], "deletionTimestamp": 1700000000000, "dataChange": True}}
    table.commit(gone, table.file(numbers(2)), gone)
    assert values(varve, f"SELECT id FROM {table.sql} ORDER BY id") == [1, 2]
    varve.query(f"INSERT INTO {table.sql} VALUES (3)")
    assert values(varve, f"SELECT id FROM {table.sql} ORDER BY id") == [1, 2, 3]


def test_a_commit_with_its_metadata_after_its_files(varve, scratch):
    table = Handmade(scratch / "late", [("id", "long")])
    add = table.file(numbers(5))
    (table.path / "_delta_log/00000000000000000000.json").write_text("".join(json.dumps(a) + "\n" for a in (add, {"metaData": table.metadata}, {"protocol": table.protocol})))
    assert values(varve, f"SELECT id FROM {table.sql}") == [5]


@pytest.mark.parametrize("hint", [{"version": 2, "size": 5}, {"version": 900, "size": 5}, {"version": -1}, {"version": 1, "size": 9, "parts": 7}, "no JSON at all", ""])
def test_last_checkpoint_pointing_to_a_missing_or_newer_file(varve, make, hint):
    table = make(("id", "long"))
    for number in range(4):
        table.add(numbers(number))
    (table.path / "_delta_log/_last_checkpoint").write_text(hint if isinstance(hint, str) else json.dumps(hint))
    assert values(varve, f"SELECT id FROM {table.sql} ORDER BY id") == [0, 1, 2, 3]
    varve.query(f"INSERT INTO {table.sql} VALUES (4)")
    assert values(varve, f"SELECT count(*) FROM {table.sql}") == [5]


def test_a_checkpoint_newer_than_the_requested_version(varve, make):
    """An older version is made of what lies before it, and refused by range where that is gone."""
    table = make(("id", "long"))
    table.add(numbers(0))
    table.add(numbers(1))
    kept = {f.name: f.read_text() for f in (table.path / "_delta_log").glob("*.json")}
    table.checkpoint()
    table.add(numbers(2))
    assert refusal(varve, f"SELECT * FROM {table.sql} VERSION AS OF 1").code == "VERSION_NOT_FOUND"
    assert values(varve, f"SELECT id FROM {table.sql} VERSION AS OF 2 ORDER BY id") == [0, 1]
    for name, text in kept.items():
        (table.path / "_delta_log" / name).write_text(text)
    assert values(varve, f"SELECT id FROM {table.sql} VERSION AS OF 1") == [0]
    assert values(varve, f"SELECT id FROM {table.sql} ORDER BY id") == [0, 1, 2]


def test_a_torn_checkpoint_loses_nothing(varve, make):
    """The one before it and the commits since say the same; when they are gone it is an error, not a smaller table."""
    table = make(("id", "long"))
    for number in range(3):
        table.add(numbers(number))
    kept = {f.name: f.read_text() for f in (table.path / "_delta_log").glob("*.json")}
    table.checkpoint()
    file = table.path / f"_delta_log/{table.version:020d}.checkpoint.parquet"
    file.write_bytes(file.read_bytes()[:-100])
    assert refusal(varve, f"SELECT * FROM {table.sql}").code in ("CORRUPT_LOG", "CORRUPT_DATA")
    for name, text in kept.items():
        (table.path / "_delta_log" / name).write_text(text)
    assert values(varve, f"SELECT id FROM {table.sql} ORDER BY id") == [0, 1, 2]


def test_optimize_after_a_checkpoint_multiplies_no_rows(varve, make):
    table = make(("id", "long"), configuration={"delta.checkpointInterval": "2"})
    for number in range(5):
        table.add(numbers(number), stats={})
    table.checkpoint()
    for _ in range(2):
        varve.query(f"OPTIMIZE {table.sql}")
        varve.query(f"INSERT INTO {table.sql} VALUES ({table.version + 10})")
    assert len(values(varve, f"SELECT id FROM {table.sql}")) == 7
    assert values(varve, f"SELECT count(DISTINCT id) FROM {table.sql}") == [6]


def test_a_timestamp_ntz_column_brings_its_feature(varve, scratch):
    """In both lists of the protocol: else no other reader takes the table."""
    table = scratch / "wall clock"
    varve.query(f"CREATE TABLE delta.`{table}` (a int) USING DELTA")
    varve.query(f"ALTER TABLE delta.`{table}` ADD COLUMN t timestamp_ntz")
    found = [json.loads(line)["protocol"] for commit in sorted((table / "_delta_log").glob("*.json")) for line in commit.read_text().splitlines() if '"protocol"' in line]
    assert found[-1]["minReaderVersion"] == 3 and found[-1]["minWriterVersion"] == 7
    assert "timestampNtz" in found[-1]["readerFeatures"] and "timestampNtz" in found[-1]["writerFeatures"]


# ---- MERGE ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("vectors", ["false", "true"])
def test_merge_matches_each_row_once_in_a_large_target(varve, scratch, vectors):
    """More target rows than a batch holds: no false "several rows match", no row twice, and true ones found."""
    table = f"delta.`{scratch / 'merged'}`"
    varve.query(f"CREATE TABLE {table} (id bigint, v string) USING DELTA TBLPROPERTIES ('delta.enableDeletionVectors' = '{vectors}')")
    varve.query(f"INSERT INTO {table} SELECT i, 'old' FROM range(30000) r(i)")
    source = "(SELECT i AS id, 'new' AS v FROM range(9000, 31000) r(i))"
    varve.query(f"MERGE INTO {table} t USING {source} s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT *")
    assert varve.rows(f"SELECT v, count(*) AS n, count(DISTINCT id) AS d FROM {table} GROUP BY v ORDER BY v") == [
        {"v": "new", "n": 22000, "d": 22000}, {"v": "old", "n": 9000, "d": 9000}]
    twice = "(SELECT 20000 AS id, 'x' AS v UNION ALL SELECT 20000, 'y')"
    refused = refusal(varve, f"MERGE INTO {table} t USING {twice} s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = s.v")
    assert refused.code == "MERGE_AMBIGUOUS"
