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


def test_rows_of_their_own_in_one_file_do_not_conflict(sessions):
    one, two = sessions
    for session, row in ((one, 1), (two, 2)):
        session.query("BEGIN")
        session.query(f"UPDATE t SET v = v + 1 WHERE id = {row}")
        session.query(f"UPDATE t SET v = v + 1 WHERE id = {row}")
    one.query("COMMIT")
    two.query("COMMIT")
    assert values(one, "SELECT id, v FROM t ORDER BY id") == [(1, 12), (2, 22)]


def test_a_read_of_other_rows_does_not_conflict(sessions):
    one, two = sessions
    two.query("INSERT INTO t VALUES (100, 1)")
    one.query("BEGIN")
    assert values(one, "SELECT v FROM t WHERE id = 1") == [(10,)]
    one.query("INSERT INTO u SELECT id, v FROM t WHERE id = 1")
    one.query("INSERT INTO t VALUES (5, 5)")
    two.query("INSERT INTO t VALUES (101, 2)")
    assert len(values(one, "COMMIT")) == 2


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
    assert answer.code != 0 and b"inside of a transaction" in answer.err
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


def test_a_request_over_http_is_a_script(program, lake):
    with programs.Server(program, lake) as server:
        reply = server.query("BEGIN; UPDATE t SET v = v + 1 WHERE id = 1; INSERT INTO u VALUES (1, 1); COMMIT; SELECT v FROM t WHERE id = 1")
        assert reply.status == 200 and reply.json()["rows"] == [{"v": 11}], reply.body
        problem = server.query("BEGIN; DELETE FROM t").json()
        assert problem["code"] == "TRANSACTION_STATE" and "rolled back" in problem["detail"]
        assert server.query("SELECT count(*) AS n FROM t").json()["rows"] == [{"n": 2}]
        problem = server.query("SELECT 1;\n SELECT nope;\nSELECT 2").json()
        assert problem["position"] == {"offset": 18, "line": 2, "column": 9}


def ask(server, sql, parameters):
    body = json.dumps({"sql": sql, "parameters": parameters}).encode()
    return server.request("POST", "/api/query", body=body, headers={"Content-Type": "application/json"})


def test_parameters_over_http(program, lake):
    with programs.Server(program, lake) as server:
        row = ask(server, "SELECT ? AS a, ? AS b, ? AS c, ? AS d, ? AS e, ? AS f", [1, "it's", None, True, 1.5, {"type": "DATE", "value": "2024-02-29"}]).json()["rows"][0]
        assert row == {"a": 1, "b": "it's", "c": None, "d": True, "e": 1.5, "f": "2024-02-29"}
        assert ask(server, "SELECT v FROM t WHERE id = :id", {"id": 2}).json()["rows"] == [{"v": 20}]
        assert ask(server, "SELECT id FROM t ORDER BY id LIMIT ?", [1]).json()["rows"] == [{"id": 1}]
        assert ask(server, "SELECT ? AS evil", ["'; DROP TABLE t; --"]).json()["rows"] == [{"evil": "'; DROP TABLE t; --"}]
        for sql, parameters in (("SELECT ?", []), ("SELECT 1", [1]), ("SELECT :a", {"b": 1}), ("SELECT ?", [{"type": "NO TYPE", "value": "1"}]),
                                ("SELECT ?", [[1]]), ("SELECT ?", 1)):
            reply = ask(server, sql, parameters)
            assert reply.status == 400, (sql, parameters, reply.body)
        problem = ask(server, "SELECT ?, nope", ["longer than a mark"]).json()
        assert problem["position"]["offset"] == 10
