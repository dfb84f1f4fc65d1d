"""Changes to rows beside Spark: the same random statements on two tables, and both taking turns on one.

VARVE_SEED and VARVE_TURNS choose the statements; a failure names both."""
import os
import pathlib
import random

import pytest

import peers

SEED = int(os.environ.get("VARVE_SEED", "7"))
TURNS = int(os.environ.get("VARVE_TURNS", "8"))

KINDS = {
    "plain": ("", {}),
    "vectors": ("", {"delta.enableDeletionVectors": "true"}),
    "parted": ("PARTITIONED BY (p)", {"delta.enableChangeDataFeed": "true"}),
    "iceberg": ("PARTITIONED BY (p)", {"delta.enableIcebergCompatV2": "true", "delta.columnMapping.mode": "name"}),
    "parted_vectors": ("PARTITIONED BY (p)", {"delta.enableDeletionVectors": "true", "delta.enableChangeDataFeed": "true"}),
}
NAME = "{table}"
COLUMNS = "id INT, v STRING, n BIGINT, d DATE, p STRING"


# ---- statements -------------------------------------------------------------------------------------------------

def row(rng):
    text = rng.choice(["NULL", "''", "'a'", "'ünï'", f"'v{rng.randrange(9)}'"])
    day = rng.choice(["NULL", f"DATE '2024-0{rng.randrange(1, 10)}-11'"])
    part = rng.choice(["NULL", "'x'", "'y'", "'z z'"])
    return f"(CAST({rng.choice(['NULL'] + [str(rng.randrange(40))] * 9)} AS INT), {text}, CAST({rng.randrange(-5, 500)} AS BIGINT), {day}, {part})"


def rows(rng, count):
    return ", ".join(row(rng) for _ in range(count))


def condition(rng, t):
    k = rng.randrange(40)
    return rng.choice([
        f"{t}id = {k}", f"{t}id < {k // 3}", f"{t}id BETWEEN {k} AND {k + 6}", f"{t}v IS NULL", f"{t}v = 'a' OR {t}n % 7 = {k % 7}",
        f"{t}id IN ({k}, {k + 1}, NULL)", f"{t}p = 'x'", f"{t}p IS NULL AND {t}id > {k}", f"{t}d < DATE '2024-05-01'", f"NOT ({t}id > {k})",
        f"CASE WHEN {t}id > {k} THEN {t}n < 50 ELSE {t}v = 'v1' END"])


def merge(rng, table):
    source = f"(SELECT id, max(v) AS v, max(n) AS n, max(d) AS d, max(p) AS p FROM (VALUES {rows(rng, rng.randrange(1, 12))}) AS q(id, v, n, d, p) GROUP BY id)"
    clauses = []
    if rng.random() < 0.8:
        if rng.random() < 0.5:
            clauses.append(f"WHEN MATCHED AND {condition(rng, rng.choice(['t.', 's.']))} THEN " + rng.choice(["DELETE", "UPDATE SET v = s.v, n = t.n + s.n"]))
        clauses.append("WHEN MATCHED THEN " + rng.choice(["DELETE", "UPDATE SET *", "UPDATE SET n = s.n, p = t.p, v = t.v || '+'", "UPDATE SET t.d = NULL"]))
    if rng.random() < 0.7 or not clauses:
        if rng.random() < 0.4:
            clauses.append(f"WHEN NOT MATCHED AND {condition(rng, 's.')} THEN INSERT (id, v) VALUES (s.id, 'new')")
        clauses.append("WHEN NOT MATCHED THEN " + rng.choice(["INSERT *", "INSERT (n, id, p) VALUES (s.n + 1, s.id, s.p)"]))
    if rng.random() < 0.3:
        clauses.append(f"WHEN NOT MATCHED BY SOURCE AND {condition(rng, 't.')} THEN " + rng.choice(["DELETE", "UPDATE SET n = t.n - 1"]))
    on = rng.choice(["t.id = s.id", "t.id = s.id AND t.n > 3", "s.id = t.id AND t.p = 'x'"])
    return f"MERGE INTO {table} AS t USING {source} AS s ON {on} " + " ".join(clauses)


def statement(rng, table, version):
    kind = rng.choices(["insert", "delete", "update", "merge", "optimize", "restore", "replace"], [4, 4, 4, 6, 1, 1, 1])[0]
    if kind == "insert":
        return f"INSERT INTO {table} VALUES {rows(rng, rng.randrange(1, 20))}"
    if kind == "delete":
        return f"DELETE FROM {table} WHERE {condition(rng, '')}"
    if kind == "update":
        change = rng.choice(["v = upper(v)", "n = n + 1, d = NULL", "v = NULL, id = id + 1", "p = 'x'", "v = v || p, p = v"])
        return f"UPDATE {table} SET {change} WHERE {condition(rng, '')}"
    if kind == "optimize":
        return f"OPTIMIZE {table}"
    if kind == "restore":
        return f"RESTORE TABLE {table} TO VERSION AS OF {rng.randrange(max(0, version - 3), version + 1)}"
    if kind == "replace":
        return f"INSERT INTO {table} REPLACE WHERE p = 'x' SELECT id, v, n, d, 'x' FROM {table} WHERE id > {rng.randrange(40)}"
    return merge(rng, table)


def create(spark, path, kind):
    partitioned, properties = KINDS[kind]
    listed = ", ".join(f"'{k}' = '{v}'" for k, v in {"delta.enableDeletionVectors": "false", **properties}.items())
    spark.sql(f"CREATE TABLE delta.`{path}` ({COLUMNS}) USING DELTA {partitioned} TBLPROPERTIES ({listed})")


def contents(varve, path):
    return sorted(str(r) for r in peers.by_varve(varve, path).rows)


def version_of(path):
    return max(int(f.stem) for f in pathlib.Path(path, "_delta_log").glob("*.json") if f.stem.isdigit())


# ---- tests --------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("kind", KINDS)
def test_the_same_statements_on_two_tables(spark, varve, work, kind):
    rng = random.Random(f"{SEED}-{kind}")
    ours, theirs = work / f"{kind}-ours", work / f"{kind}-theirs"
    create(spark, ours, kind)
    create(spark, theirs, kind)
    for turn in range(TURNS):
        sql = statement(rng, NAME, version_of(ours))
        where = f"seed {SEED}, turn {turn} of {kind}: {sql}"
        varve.rows(named(sql, ours))
        spark.sql(named(sql, theirs))
        assert contents(varve, ours) == contents(varve, theirs), where
        assert version_of(ours) == version_of(theirs), where
    expected = peers.by_varve(varve, ours)
    differs = peers.disagreement(rows_only(expected), rows_only(peers.by_spark(spark, ours)))
    assert not differs, f"Spark reads what Varve wrote: {differs}"
    if "vectors" not in kind and not peers.delta_rs_bug(ours):
        differs = peers.disagreement(rows_only(expected), rows_only(peers.by_delta_rs(ours)))
        assert not differs, f"delta-rs reads what Varve wrote: {differs}"


@pytest.mark.parametrize("kind", KINDS)
def test_turns_on_one_table(spark, varve, work, kind):
    rng = random.Random(f"turns-{SEED}-{kind}")
    one, judge = work / f"{kind}-one", work / f"{kind}-judge"
    create(spark, one, kind)
    create(spark, judge, kind)
    for turn in range(TURNS):
        sql = statement(rng, NAME, version_of(one))
        where = f"seed {SEED}, turn {turn} of {kind}: {sql}"
        if turn % 2:
            spark.sql(named(sql, one))
        else:
            varve.rows(named(sql, one))
        spark.sql(named(sql, judge))
        assert contents(varve, one) == contents(varve, judge), where
    assert contents(varve, one) == sorted(str(r) for r in peers.by_spark(spark, one).rows)


def named(sql, path):
    return sql.replace(NAME, f"delta.`{path}`")


def rows_only(read):
    return peers.Contents(read.rows, None, None, None)
