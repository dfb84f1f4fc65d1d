"""The outside judges: delta-rs and Spark, and how they see a table."""
import dataclasses
import hashlib
import json
import os
import pathlib
import tempfile

import deltalake
import pyarrow as pa

import golden
import values

ROOT = pathlib.Path(__file__).resolve().parent.parent
JARS = ROOT / ".deps/jars"


@dataclasses.dataclass
class Contents:
    """A table at one version as one reader sees it; None is what it was not asked."""
    rows: list
    columns: list      # (name, type as DESCRIBE spells it)
    history: list      # (version, operation), oldest first
    partitions: list

    @property
    def checksum(self):
        return hashlib.sha256("\n".join(sorted(self.rows)).encode()).hexdigest()


def disagreement(expected, got):
    """What differs between two readers, as text; None when they agree on everything."""
    found = []
    for what in ("columns", "partitions", "history"):
        if None not in (getattr(expected, what), getattr(got, what)) and getattr(expected, what) != getattr(got, what):
            found.append(f"{what}: {getattr(expected, what)} against {getattr(got, what)}")
    if len(expected.rows) != len(got.rows) or expected.checksum != got.checksum:
        found.append(f"rows: {values.difference(expected.rows, got.rows) or 'the checksums differ'}")
    return "\n".join(found) or None


def fields_of(schema):
    return [(f["name"], golden.type_text(f["type"])) for f in schema["fields"]]


def history_of(commits):
    return sorted((c["version"], c["operation"]) for c in commits)


# ---- Varve ---------------------------------------------------------------------------------------------------


def by_varve(session, path, version=None):
    table = f"delta.`{path}`"
    rows = session.query(f"SELECT * FROM {table}" + (f" VERSION AS OF {version}" if version is not None else ""))
    described = session.rows(f"DESCRIBE {table}")
    commits = session.rows(f"DESCRIBE HISTORY {table}")
    partitions = session.rows(f"DESCRIBE DETAIL {table}")[0]["partitionColumns"]
    return Contents(values.encode_rows(rows), [(c["col_name"], c["data_type"]) for c in described], history_of(commits), partitions)


# ---- delta-rs ------------------------------------------------------------------------------------------------


# What only its query engine reads, not its reader into Arrow.
BY_QUERY = {"deletionVectors"}


def names_other_places(path):
    """Whether files are named by absolute paths (a shallow clone), which its reader through PyArrow puts behind the table's own."""
    return any('"add":{"path":"file:' in commit.read_text() for commit in pathlib.Path(path, "_delta_log").glob("*.json"))


def by_delta_rs(path, version=None):
    place = pathlib.Path(path).as_uri()  # delta-rs takes a plain path with a percent sign for an address
    table = deltalake.DeltaTable(place, version=version)
    latest = table if version is None else deltalake.DeltaTable(place)
    if BY_QUERY & set(table.protocol().reader_features or []) or names_other_places(path):
        rows = pa.table(deltalake.QueryBuilder().register("t", table).execute("SELECT * FROM t"))
    else:
        rows = table.to_pyarrow_table()
    return Contents(values.encode_rows(rows), fields_of(json.loads(latest.schema().to_json())), history_of(latest.history()),
                    list(latest.metadata().partition_columns))


def delta_rs_bug(path):
    """Why delta-rs 1.6.6 cannot read this table although it is right, or None."""
    if "%" in str(path):
        return "it decodes the percent sign in the table's own path, even in a file address"
    metadata, negative, features = {}, set(), []
    for commit in sorted(pathlib.Path(path, "_delta_log").glob("*.json")):
        for line in commit.read_text().splitlines():
            action = json.loads(line)
            metadata = action.get("metaData", metadata)
            features = action.get("protocol", {}).get("readerFeatures", features)
            negative |= {name for name, value in action.get("add", {}).get("partitionValues", {}).items() if (value or "").startswith("-")}
    if "v2Checkpoint" in features:
        return "its reader into Arrow refuses the feature v2Checkpoint"
    if metadata["configuration"].get("delta.columnMapping.mode", "none") != "none":
        return "its reader through PyArrow looks for columns by their logical names"
    types = {f["name"]: f["type"] for f in json.loads(metadata["schemaString"])["fields"]}
    if any(str(types.get(name)).startswith("decimal") for name in negative):
        return "it reads the decimal partition value -0.001 as 0.0-1"
    return None


# ---- what Arrow cannot hold -----------------------------------------------------------------------------------


def has_no_arrow_form(type_):
    """Variants (two binaries to a judge, JSON to us), and structs that may be NULL around a field that may not: both judges fail to make Arrow of them."""
    if type_ == "variant":
        return True
    if isinstance(type_, str):
        return False
    if type_["type"] == "struct":
        return any(has_no_arrow_form(f["type"]) or (isinstance(f["type"], dict) and f["type"]["type"] == "struct" and f["nullable"]
                                                     and not all(c["nullable"] for c in f["type"]["fields"])) for f in type_["fields"])
    return any(has_no_arrow_form(type_[part]) for part in ("elementType", "keyType", "valueType") if part in type_)


# ---- Spark ---------------------------------------------------------------------------------------------------


def why_no_spark():
    """None when Spark can be started, else the reason."""
    try:
        import delta  # noqa: F401
        import pyspark  # noqa: F401
    except ImportError as missing:
        return f"{missing}: ./dev test installs it"
    if not list(JARS.glob("delta-spark_*.jar")):
        return f"no Delta jars in {JARS}: ./dev test fetches them"
    return None


def start_spark():
    import pyspark.sql

    folder = tempfile.mkdtemp(prefix="varve-spark-")
    # A proxy or driver address of the machine must not reach a session on loopback.
    os.environ["SPARK_LOCAL_IP"] = "127.0.0.1"
    settings = {
        "spark.jars": ",".join(map(str, sorted(JARS.glob("*.jar")))),
        "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
        "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
        "spark.sql.shuffle.partitions": "1",
        "spark.databricks.delta.snapshotPartitions": "1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "3g",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.warehouse.dir": f"{folder}/warehouse",
        "spark.driver.extraJavaOptions": f"-Dderby.system.home={folder} -Duser.timezone=UTC",
    }
    builder = pyspark.sql.SparkSession.builder.master("local[2]").appName("judge")
    for key, value in settings.items():
        builder = builder.config(key, value)
    spark = builder.getOrCreate()
    spark.sparkContext.setLogLevel("ERROR")
    return spark


def contents_of(frame):
    """Rows and columns of a table that Spark has opened."""
    return Contents(values.encode_rows(frame.toArrow()), fields_of(frame.schema.jsonValue()), None, None)


def by_spark(spark, path, version=None):
    reader = spark.read.format("delta")
    if version is not None:
        reader = reader.option("versionAsOf", version)
    rows = reader.load(str(path)).toArrow()
    latest = spark.read.format("delta").load(str(path)).schema.jsonValue()
    commits = [r.asDict() for r in spark.sql(f"DESCRIBE HISTORY delta.`{path}`").select("version", "operation").collect()]
    partitions = spark.sql(f"DESCRIBE DETAIL delta.`{path}`").select("partitionColumns").collect()[0][0]
    return Contents(values.encode_rows(rows), fields_of(latest), history_of(commits), list(partitions))
