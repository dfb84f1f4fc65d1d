"""Transactions of several sessions: what each sees, who wins, what is left when one dies."""
import json

import pytest

import program as programs


@pytest.fixture
def lake(program, tmp_path):
    place = tmp_path / "lake"
    program.sql(place, "CREATE TABLE t (id INT, v INT) USING DELTA TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    program.sql(place, "INSERT INTO t VALUES (1, 10), (2, 20)")
    program.sql(place, "CREATE TABLE u (id INT, v INT) USING DELTA")
    return place


@pytest.fixture
def sessions(program, lake):
    with programs.Session(program, lake) as one, programs.Session(program, lake) as two:
        yield one, two


def values(session, sql):
    return [tuple(row.values()) for row in session.query(sql).to_pylist()]


def test_reads_are_repeatable_and_writes_are_private(sessions):
    one, two = sessions
    one.query("BEGIN")
    assert values(one, "SELECT sum(v) FROM t") == [(30,)]
    two.query("INSERT INTO t VALUES (3, 30)")
    two.query("INSERT INTO u VALUES (1, 1)")
    assert values(one, "SELECT sum(v) FROM t") == [(30,)]
    assert values(one, "SELECT count(*) FROM u") == [(1,)], "a table is pinned when it is first named"
    two.query("INSERT INTO u VALUES (2, 2)")
    assert values(one, "SELECT count(*) FROM u") == [(1,)]
    one.query("INSERT INTO u VALUES (9, 9)")
    assert values(two, "SELECT count(*) FROM u") == [(2,)]
    one.query("ROLLBACK")
    assert values(one, "SELECT sum(v) FROM t") == [(60,)]


def test_a_read_that_changed_is_a_conflict_and_nothing_is_written(sessions):
    one, two = sessions
    one.query("BEGIN")
    assert values(one, "SELECT max(v) FROM t") == [(20,)]
    one.query("INSERT INTO t SELECT 9, max(v) + 1 FROM t")
    two.query("INSERT INTO t VALUES (3, 30)")
    with pytest.raises(programs.Failed) as failed:
        one.query("COMMIT")
    assert failed.value.code == "COMMIT_CONFLICT" and "ConcurrentAppend" in failed.value.message
    assert "begin it again" in failed.value.everything
    assert values(one, "SELECT count(*) FROM t") == [(3,)]
    with pytest.raises(programs.Failed) as failed:
        one.query("COMMIT")
    assert failed.value.code == "TRANSACTION_STATE"


def test_appends_do_not_conflict(sessions):
    one, two = sessions
    for session, value in ((one, 1), (two, 2)):
        session.query("BEGIN")
        session.query(f"INSERT INTO t VALUES ({value}, {value})")
        session.query(f"INSERT INTO t VALUES ({value}, {value})")
    assert values(one, "COMMIT") == [("varve.default.t", 2)]
    assert values(two, "COMMIT") == [("varve.default.t", 3)]
    assert values(one, "SELECT count(*) FROM t") == [(6,)]


def test_one_of_two_updates_of_a_row_wins(sessions):
    one, two = sessions
    for session in sessions:
        session.query("BEGIN")
        session.query("UPDATE t SET v = v + 1 WHERE id = 1")
    one.query("COMMIT")
    with pytest.raises(programs.Failed) as failed:
        two.query("COMMIT")
    assert failed.value.code == "COMMIT_CONFLICT"
    assert values(two, "SELECT v FROM t WHERE id = 1") == [(11,)]


def test_a_later_table_that_fails_is_told(sessions):
    one, two = sessions
    one.query("BEGIN")
    one.query("INSERT INTO u VALUES (1, 1)")
    one.query("UPDATE t SET v = 0 WHERE id = 1")
    two.query("DELETE FROM t WHERE id = 1")
    with pytest.raises(programs.Failed) as failed:
        one.query("COMMIT")
    assert failed.value.code == "COMMIT_PARTIAL"
    assert 'committed "varve.default.u" (version 1)' in failed.value.message
    assert 'not committed: "varve.default.t"' in failed.value.message
    assert values(two, "SELECT count(*) FROM u") == [(1,)]
    assert values(two, "SELECT count(*) FROM t") == [(1,)]


def test_the_first_table_that_fails_stops_all(sessions):
    one, two = sessions
    one.query("BEGIN")
    one.query("UPDATE t SET v = 0 WHERE id = 1")
    one.query("INSERT INTO u VALUES (1, 1)")
    two.query("DELETE FROM t WHERE id = 1")
    with pytest.raises(programs.Failed) as failed:
        one.query("COMMIT")
    assert failed.value.code == "COMMIT_CONFLICT"
    assert values(two, "SELECT count(*) FROM u") == [(0,)]


def test_a_killed_transaction_leaves_orphan_files_only(program, lake):
    session = programs.Session(program, lake)
    session.query("BEGIN")
    session.query("DELETE FROM t WHERE id = 1")
    session.query("INSERT INTO t VALUES (7, 7)")
    session.process.kill()
    session.close()
    assert program.sql(lake, "SELECT count(*) AS n, sum(v) AS s FROM t") == [{"n": 2, "s": 30}]
    log = sorted(path.name for path in (lake / "default/t/_delta_log").glob("*.json"))
    assert len(log) == 2


def test_a_script_that_ends_inside_of_a_transaction_has_done_nothing(program, lake):
    answer = program.run(lake, "--json", "-c", "BEGIN; DELETE FROM t; INSERT INTO t VALUES (1, 1)")
    assert answer.code == 0, answer.err
    assert program.sql(lake, "SELECT count(*) AS n FROM t") == [{"n": 2}]


def test_the_commit_reads_as_one_change_elsewhere(program, lake):
    program.sql(lake, "INSERT INTO t VALUES (3, 30)")
    answer = program.run(lake, "--json", "-c", "BEGIN; UPDATE t SET v = 11 WHERE id = 1; UPDATE t SET v = 12 WHERE id = 1; DELETE FROM t WHERE id = 3; COMMIT")
    assert answer.code == 0, answer.err
    lines = (lake / "default/t/_delta_log/00000000000000000003.json").read_text().splitlines()
    actions = [json.loads(line) for line in lines]
    paths = [(name, body["path"]) for action in actions for name, body in action.items() if name in ("add", "remove")]
    assert len(paths) == len(set(paths)), "each file is added once and removed once"
    assert sum(name == "add" for name, _ in paths) == 2, "the file with its deletion vector, and the row's last value"
