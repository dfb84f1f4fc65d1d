"""VACUUM: which files go and which stay, beside what Spark would delete."""
import json
import os
import pathlib
import time

import deltalake
import pytest

import program as programs

UNCHECKED = "SET spark.databricks.delta.retentionDurationCheck.enabled = false"
PROPERTIES = "'delta.enableChangeDataFeed' = 'true', 'delta.enableDeletionVectors' = '{vectors}'"


def files_under(table):
    return {str(p.relative_to(table)) for p in pathlib.Path(table).rglob("*") if p.is_file() and "_delta_log" not in p.parts}


def would_delete(session, table, words=""):
    return {row["path"] for row in session.rows(f"VACUUM delta.`{table}` {words} DRY RUN")}


def make(session, table, vectors=False, columns="a int, `_p` string"):
    session.query(f"CREATE TABLE delta.`{table}` ({columns}) USING DELTA PARTITIONED BY (`_p`) TBLPROPERTIES ({PROPERTIES.format(vectors=str(vectors).lower())})")
    session.query(f"INSERT INTO delta.`{table}` SELECT range, 'x y' FROM range(100)")
    session.query(f"INSERT INTO delta.`{table}` SELECT range, 'z%' FROM range(100)")
    session.query(f"INSERT INTO delta.`{table}` SELECT range, NULL FROM range(100)")
    session.query(f"DELETE FROM delta.`{table}` WHERE a < 10")
    session.query(f"UPDATE delta.`{table}` SET a = a + 1000 WHERE a % 7 = 3")
    session.query(f"DELETE FROM delta.`{table}` WHERE `_p` IS NULL")


def drop_commits_before(table, version):
    """What log cleanup leaves: the checkpoint, which is written in the background, and what comes after it."""
    log = pathlib.Path(table) / "_delta_log"
    deadline = time.monotonic() + 60
    while not (log / f"{version:020}.checkpoint.parquet").exists() or not (log / "_last_checkpoint").exists():
        assert time.monotonic() < deadline, "no checkpoint was written"
        time.sleep(0.05)
    for earlier in range(version):
        (log / f"{earlier:020}.json").unlink()


def litter(table):
    """What does not belong to the table, old and young, and what belongs to somebody else."""
    names = ["orphan.parquet", "_p=x%20y/orphan.parquet", "deep/er/orphan.bin", "_change_data/orphan.parquet"]
    others = ["_spark_metadata/0", ".hidden/file", "deep/_index/file", "_delta_index/file"]
    young = ["young.parquet"]
    for name in names + others + young:
        path = pathlib.Path(table) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 10)
    for name in names + others:
        os.utime(pathlib.Path(table) / name, (1_600_000_000, 1_600_000_000))
    return set(names), set(others + young)


@pytest.mark.parametrize("vectors", [False, True], ids=["rewritten", "vectors"])
def test_what_goes_and_what_stays(session, scratch, vectors):
    table = scratch / "t"
    make(session, table, vectors)
    rows = session.rows(f"SELECT * FROM delta.`{table}` ORDER BY a, `_p`")
    gone, stays = litter(table)
    assert would_delete(session, table) == gone
    before = files_under(table)
    answer = session.rows(f"VACUUM delta.`{table}`")[0]
    assert (answer["files_deleted"], answer["bytes_deleted"]) == (len(gone), 10 * len(gone))
    assert before - files_under(table) == gone
    assert stays <= files_under(table)
    for version in range(7):
        session.query(f"SELECT * FROM delta.`{table}` VERSION AS OF {version}")
    session.query(UNCHECKED)
    doomed = would_delete(session, table, "RETAIN 0 HOURS")
    assert any(name.startswith("_change_data/") for name in doomed) and any(name.startswith("_p=") for name in doomed)
    session.query(f"VACUUM delta.`{table}` RETAIN 0 HOURS")
    assert would_delete(session, table, "RETAIN 0 HOURS") == set()
    assert session.rows(f"SELECT * FROM delta.`{table}` ORDER BY a, `_p`") == rows
    live = {name for name in files_under(table) if not name.startswith(("_change_data/", ".hidden", "_spark", "_delta_index", "deep/"))}
    needed = {row["path"] for row in session.rows(f"DESCRIBE FILES delta.`{table}`")}
    assert len([n for n in live if n.endswith(".parquet")]) == len(needed)
    if not vectors:
        assert deltalake.DeltaTable(str(table)).to_pyarrow_table().num_rows == len(rows)


def test_history_says_what_was_done(session, scratch):
    table = scratch / "t"
    make(session, table)
    litter(table)
    session.query(f"VACUUM delta.`{table}` RETAIN 200 HOURS")
    end, start = session.rows(f"DESCRIBE HISTORY delta.`{table}`")[:2]
    assert (start["operation"], end["operation"]) == ("VACUUM START", "VACUUM END")
    commit = json.loads((table / "_delta_log" / f"{start['version']:020}.json").read_text().splitlines()[0])["commitInfo"]
    assert commit["operationParameters"] == {"retentionCheckEnabled": True, "specifiedRetentionMillis": 720_000_000, "defaultRetentionMillis": 604_800_000}
    assert commit["operationMetrics"]["numFilesToDelete"] == "4"
    commit = json.loads((table / "_delta_log" / f"{end['version']:020}.json").read_text().splitlines()[0])["commitInfo"]
    assert commit["operationParameters"] == {"status": "COMPLETED"} and commit["operationMetrics"]["numDeletedFiles"] == "4"
    session.query(f"VACUUM delta.`{table}`")
    assert session.rows(f"DESCRIBE HISTORY delta.`{table}`")[0]["version"] == end["version"], "nothing to delete is no commit"


def test_lite_reads_the_log_alone(session, scratch):
    table = scratch / "t"
    make(session, table, vectors=True)
    litter(table)
    session.query(UNCHECKED)
    full = would_delete(session, table, "RETAIN 0 HOURS")
    lite = would_delete(session, table, "LITE RETAIN 0 HOURS")
    assert lite and lite < full
    assert not any("orphan" in name or name.startswith("_change_data/") for name in lite)
    session.query(f"VACUUM delta.`{table}` LITE RETAIN 0 HOURS")
    assert would_delete(session, table, "LITE RETAIN 0 HOURS") == set()
    assert json.loads((table / "_delta_log/_last_vacuum_info").read_text())["latestCommitVersionOutsideOfRetentionWindow"] >= 6
    session.query(f"DELETE FROM delta.`{table}` WHERE a < 50")
    session.query(f"OPTIMIZE delta.`{table}`")
    time.sleep(0.01)
    assert would_delete(session, table, "LITE RETAIN 0 HOURS")


def test_lite_needs_the_log(session, scratch):
    table = scratch / "t"
    make(session, table)
    for _ in range(6):
        session.query(f"INSERT INTO delta.`{table}` VALUES (1, 'q')")
    drop_commits_before(table, 10)
    with pytest.raises(programs.Failed, match="begins at version 10"):
        session.query(f"VACUUM delta.`{table}` LITE")
    session.query(f"VACUUM delta.`{table}`")


def test_checkpointed_tombstones_are_honoured(session, scratch):
    """The commits that removed the files are gone from the log; the checkpoint still says when."""
    table = scratch / "t"
    make(session, table)
    session.query(f"ALTER TABLE delta.`{table}` SET TBLPROPERTIES ('delta.deletedFileRetentionDuration' = '30 days')")
    for _ in range(5):
        session.query(f"INSERT INTO delta.`{table}` VALUES (1, 'q')")
    drop_commits_before(table, 10)
    for path in table.rglob("*.parquet"):
        if "_delta_log" not in path.parts and "_change_data" not in path.parts:
            os.utime(path, (1_600_000_000, 1_600_000_000))
    assert would_delete(session, table) == set()


def test_absolute_paths_of_the_table_itself(session, scratch):
    """A file may stand in the log by its whole path."""
    table = scratch / "a b"
    session.query(f"CREATE TABLE delta.`{table}` (a int) USING DELTA")
    session.query(f"INSERT INTO delta.`{table}` VALUES (1)")
    commit = table / "_delta_log" / f"{1:020}.json"
    lines = [json.loads(line) for line in commit.read_text().splitlines()]
    for line in lines:
        if "add" in line:
            line["add"]["path"] = f"file://{table}/".replace(" ", "%20") + line["add"]["path"]
    commit.write_text("\n".join(json.dumps(line) for line in lines) + "\n")
    for crc in (table / "_delta_log").glob("*.crc"):
        crc.unlink()
    for path in table.glob("*.parquet"):
        os.utime(path, (1_600_000_000, 1_600_000_000))
    assert would_delete(session, table) == set()
    session.query(f"VACUUM delta.`{table}`")
    assert session.value(f"SELECT a FROM delta.`{table}`") == 1


def test_a_file_that_cannot_be_removed(program, scratch):
    """The end says so, and what was not removed goes the next time."""
    if os.geteuid() == 0:
        pytest.skip("root removes everything")
    table = scratch / "t"
    with programs.Session(program, scratch / "lake") as session:
        make(session, table)
        litter(table)
        (table / "deep/er").chmod(0o500)
        with pytest.raises(programs.Failed, match="deep/er/orphan.bin"):
            session.query(f"VACUUM delta.`{table}`")
        (table / "deep/er").chmod(0o700)
        session.query(f"VACUUM delta.`{table}`")
        assert not (table / "deep/er/orphan.bin").exists()


@pytest.mark.parametrize("vectors", [False, True], ids=["rewritten", "vectors"])
def test_spark_would_delete_the_same(spark, session, scratch, vectors):
    table = scratch / "t"
    make(session, table, vectors)
    litter(table)
    (table / "_delta_index/file").unlink()  # Spark's own index files go by its own rules
    session.query(UNCHECKED)
    spark.conf.set("spark.databricks.delta.retentionDurationCheck.enabled", "false")
    time.sleep(0.01)
    ours = would_delete(session, table, "RETAIN 0 HOURS")
    listed = [pathlib.Path(row[0].removeprefix("file:")) for row in spark.sql(f"VACUUM delta.`{table}` RETAIN 0 HOURS DRY RUN").collect()]
    theirs = {str(path.relative_to(table)) for path in listed if not path.is_dir()}
    assert ours == theirs
    session.query(f"VACUUM delta.`{table}` RETAIN 0 HOURS")
    assert spark.read.format("delta").load(str(table)).count() == len(session.rows(f"SELECT * FROM delta.`{table}`"))
    session.query(f"DELETE FROM delta.`{table}` WHERE a > 1000")
    time.sleep(0.01)
    spark.sql(f"VACUUM delta.`{table}` LITE RETAIN 0 HOURS")
    assert would_delete(session, table, "LITE RETAIN 0 HOURS") == set()
