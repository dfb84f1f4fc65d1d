"""Kill -9 at any moment and many writers at once: committed rows stay, half of a commit is never seen, and no commit is lost."""
import json
import random
import re
import signal
import subprocess
import threading
import time

import deltalake
import pytest

import isolation
import program as programs

BATCH = 1000


def log_of(folder):
    return folder / "_delta_log"


def versions(table):
    return sorted(int(p.name[:20]) for p in log_of(table).glob("*.json") if re.fullmatch(r"\d{20}\.json", p.name))


def check_table(program, lake, table, name):
    """Dense versions, whole batches, and each batch once; the answer is how many batches there are."""
    found = versions(table)
    assert found == list(range(len(found))), f"the versions have gaps: {found}"
    rows = program.sql(lake, f"SELECT batch, count(*) AS n, sum(n) AS total FROM {name} GROUP BY batch ORDER BY batch")
    torn = [r for r in rows if r["n"] != BATCH or r["total"] != BATCH * (BATCH - 1) // 2]
    assert not torn, f"batches that are not whole: {torn}"
    # Another implementation agrees on what is there.
    assert deltalake.DeltaTable(str(table)).to_pyarrow_table(columns=["n"]).num_rows == len(rows) * BATCH
    return len(rows)


def insert(batch):
    return f"INSERT INTO t SELECT {batch}, range FROM range({BATCH});\n"


class Writer(threading.Thread):
    """Feeds statements to a session and counts what it confirmed before it was killed."""

    def __init__(self, program, lake, statements):
        super().__init__(daemon=True)
        self.process = program.start(lake, "--batch", "--no-rc", "--jsonlines", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.statements, self.confirmed, self.first = statements, [], threading.Event()

    def run(self):
        try:
            for batch, sql in self.statements:
                self.process.stdin.write(sql.encode())
                self.process.stdin.flush()
                line = self.process.stdout.readline()
                if not line:
                    return
                assert json.loads(line)["rows"] == BATCH
                self.confirmed.append(batch)
                self.first.set()
        except (BrokenPipeError, ValueError):
            pass

    def kill_after(self, seconds):
        assert self.first.wait(60), f"no statement was confirmed: {self.process.stderr.read1(4000)!r}"
        time.sleep(seconds)
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.join(30)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            try:
                pipe.close()
            except BrokenPipeError:
                pass


def test_kill_while_inserting(program, scratch):
    """Ten lives of a writer, each killed at a random moment."""
    lake, moments = scratch / "lake", random.Random(20240310)
    program.sql(lake, "CREATE TABLE t (batch bigint, n bigint) USING DELTA TBLPROPERTIES ('delta.checkpointInterval' = '5')")
    table = lake / "default/t"
    confirmed, next_batch = 0, 0
    for _ in range(10):
        writer = Writer(program, lake, [(b, insert(b)) for b in range(next_batch, next_batch + 500)])
        writer.start()
        writer.kill_after(moments.uniform(0, 0.8))
        confirmed += len(writer.confirmed)
        batches = check_table(program, lake, table, "t")
        # What was confirmed is there; of what was not, at most the statement that was under way.
        assert confirmed <= batches, f"{confirmed} batches were confirmed, {batches} are there"
        assert batches <= confirmed + 1
        confirmed = batches
        next_batch += 500
    assert confirmed > 10
    program.sql(lake, insert(next_batch).rstrip(";\n"))
    assert check_table(program, lake, table, "t") == confirmed + 1


def test_kill_while_copying(program, scratch):
    """After the kill the same COPY INTO is run again: every file is there once, whatever the first run had committed."""
    lake, moments = scratch / "lake", random.Random(7)
    files = scratch / "files"
    files.mkdir()
    for batch in range(30):
        (files / f"{batch:03d}.csv").write_text("batch,n\n" + "".join(f"{batch},{n}\n" for n in range(BATCH)))
    program.sql(lake, "CREATE TABLE t (batch bigint, n bigint) USING DELTA")
    copies = [f"COPY INTO t FROM '{path}' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true');\n" for path in sorted(files.iterdir())]
    for _ in range(4):
        process = program.start(lake, "--batch", "--no-rc", "--jsonlines", stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        try:
            process.stdin.write("".join(copies).encode())
            process.stdin.close()
        except BrokenPipeError:
            pass
        process.stdout.readline()
        time.sleep(moments.uniform(0, 1.0))
        process.kill()
        process.wait()
        process.stdout.close()
        check_table(program, lake, lake / "default/t", "t")
    answer = program.run(lake, "--jsonlines", stdin="".join(copies).encode())
    assert answer.code == 0, answer.err
    assert check_table(program, lake, lake / "default/t", "t") == 30


def test_kill_while_creating(program, scratch):
    """A table is there with its rows, or not there at all; the name can be used afterwards."""
    lake, moments = scratch / "lake", random.Random(3)
    sql = f"CREATE TABLE t AS SELECT 0 AS batch, range AS n FROM range({BATCH})"
    program.sql(lake, "SELECT 1 AS a")
    survived = 0
    for _ in range(8):
        process = program.start(lake, "--jsonlines", "-c", sql, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moments.uniform(0.02, 1.2))
        process.kill()
        process.wait()
        try:
            rows = program.sql(lake, "SELECT count(*) AS n FROM t")
        except programs.Failed as failed:
            assert failed.code == "TABLE_NOT_FOUND", failed
            continue
        assert rows == [{"n": BATCH}]
        survived += 1
        program.sql(lake, "DROP TABLE t")
    program.sql(lake, sql)
    assert check_table(program, lake, lake / "default/t", "t") == 1


@pytest.mark.parametrize("partitioned", [False, True], ids=["plain", "partitioned"])
def test_eight_writers_lose_nothing(program, scratch, partitioned):
    """Eight processes append to one table; those who lose a race are told to try again, or do so by themselves."""
    lake, each = scratch / "lake", 6
    program.sql(lake, "CREATE TABLE t (batch bigint, n bigint) USING DELTA" + (" PARTITIONED BY (batch)" if partitioned else ""))
    failures, retries = [], []

    def write(writer):
        for i in range(each):
            for _ in range(50):
                try:
                    program.sql(lake, insert(writer * 100 + i).rstrip(";\n"))
                    break
                except programs.Failed as failed:
                    if not failed.problem["retriable"]:
                        failures.append(str(failed))
                        return
                    retries.append(failed.code)
            else:
                failures.append(f"writer {writer} never got through")

    threads = [threading.Thread(target=write, args=(w,)) for w in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    assert check_table(program, lake, lake / "default/t", "t") == 8 * each
    assert versions(lake / "default/t") == list(range(8 * each + 1))


def test_no_identity_is_given_twice(program, scratch):
    """Six processes number rows of one table: the one that comes later runs its statement again with other numbers."""
    lake, each, rows = scratch / "lake", 4, 7
    program.sql(lake, "CREATE TABLE t (id bigint GENERATED ALWAYS AS IDENTITY (START WITH 100 INCREMENT BY 3), n bigint) USING DELTA")
    failures = []

    def write():
        for _ in range(each):
            for _ in range(50):
                try:
                    program.sql(lake, f"INSERT INTO t (n) SELECT range FROM range({rows})")
                    break
                except programs.Failed as failed:
                    if not failed.problem["retriable"]:
                        failures.append(str(failed))
                        return
            else:
                failures.append("a writer never got through")

    threads = [threading.Thread(target=write) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures, failures[:3]
    ids = [row["id"] for row in program.sql(lake, "SELECT id FROM t ORDER BY id")]
    assert ids == [100 + 3 * k for k in range(6 * each * rows)]


def test_writers_in_sessions_and_a_reader(program, scratch):
    """Four sessions append while a fifth reads: it sees only whole batches, and never fewer than before."""
    lake = scratch / "lake"
    program.sql(lake, "CREATE TABLE t (batch bigint, n bigint) USING DELTA TBLPROPERTIES ('delta.checkpointInterval' = '4')")
    stop, wrong, seen = threading.Event(), [], []

    def write(writer):
        with programs.Session(program, lake) as session:
            for i in range(8):
                session.query(insert(writer * 100 + i))

    def read():
        with programs.Session(program, lake) as session:
            while not stop.is_set():
                rows = session.value("SELECT count(*) AS n FROM t")
                if rows % BATCH or (seen and rows < seen[-1]):
                    wrong.append((rows, seen[-1:]))
                seen.append(rows)

    def guarded(fn, *args):
        try:
            fn(*args)
        except (AssertionError, programs.Failed) as broken:
            wrong.append(str(broken))

    writers = [threading.Thread(target=guarded, args=(write, w)) for w in range(4)]
    reader = threading.Thread(target=guarded, args=(read,))
    for thread in [*writers, reader]:
        thread.start()
    for thread in writers:
        thread.join()
    stop.set()
    reader.join()
    assert not wrong, wrong[:3]
    assert check_table(program, lake, lake / "default/t", "t") == 32
    assert len(seen) > 1


def test_two_processes_create_one_table(program, scratch):
    """One of them makes it, the other is told that it exists; both can go on."""
    for round_number in range(5):
        lake = scratch / f"lake{round_number}"
        processes = [program.start(lake, "--json", "-c", f"CREATE TABLE t AS SELECT {i} AS who", stdout=subprocess.PIPE, stderr=subprocess.PIPE) for i in range(2)]
        ended = [(p.communicate(timeout=120), p.returncode) for p in processes]
        codes = sorted(code for _, code in ended)
        assert codes == [0, 3], ended
        loser = next(json.loads(err.decode().splitlines()[-1]) for (_, err), code in ended if code)
        assert loser["code"] in ("TABLE_EXISTS", "COMMIT_CONFLICT"), loser
        winner = next(i for i, (_, code) in enumerate(ended) if code == 0)
        assert program.sql(lake, "SELECT who FROM t") == [{"who": winner}]
        assert len(versions(lake / "default/t")) == 1


def test_create_if_not_exists_from_eight_processes(program, scratch):
    lake = scratch / "lake"
    processes = [program.start(lake, "--json", "-c", "CREATE TABLE IF NOT EXISTS t (batch bigint, n bigint) USING DELTA", stdout=subprocess.PIPE, stderr=subprocess.PIPE)
                 for _ in range(8)]
    ended = [(p.communicate(timeout=240), p.returncode) for p in processes]
    assert all(code == 0 for _, code in ended), [out for out, code in ended if code]
    assert program.sql(lake, "SELECT count(*) AS n FROM t") == [{"n": 0}]


def test_two_processes_see_each_other(program, scratch):
    lake = scratch / "lake"
    with programs.Session(program, lake) as one, programs.Session(program, lake) as other:
        one.query("CREATE TABLE t (a int) USING DELTA")
        assert other.value("SELECT count(*) AS n FROM t") == 0
        other.query("INSERT INTO t VALUES (1)")
        assert one.value("SELECT count(*) AS n FROM t") == 1
        one.query("DROP TABLE t")
        with pytest.raises(programs.Failed) as gone:
            other.query("SELECT * FROM t")
        assert gone.value.code == "TABLE_NOT_FOUND"


@pytest.mark.parametrize("point,committed", [("commit", False), ("committed", True)])
@pytest.mark.parametrize("sql,after", [("INSERT INTO t VALUES (9, 9)", {1: 1, 2: 2, 9: 9}), ("UPDATE t SET v = 20 WHERE id = 2", {1: 1, 2: 20}),
                                       ("DELETE FROM t WHERE id = 1", {2: 2}),
                                       ("MERGE INTO t USING (SELECT 2 AS id UNION ALL SELECT 3) AS s ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = 7 "
                                        "WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, 7)", {1: 1, 2: 7, 3: 7})], ids=["insert", "update", "delete", "merge"])
def test_kill_before_and_behind_the_commit(program, scratch, point, committed, sql, after):
    """All or nothing of the statement is there; what it left beside the table is in nobody's way."""
    lake = scratch / "lake"
    program.sql(lake, "CREATE TABLE t (id bigint, v bigint) USING DELTA TBLPROPERTIES ('delta.enableDeletionVectors' = 'true')")
    program.sql(lake, "INSERT INTO t VALUES (1, 1), (2, 2)")
    held = isolation.HeldSession(program, lake, scratch / "hold", point)
    held.read(sql)
    assert held.reached.exists()
    held.session.process.kill()
    held.thread.join(60)
    held.close()
    wanted = after if committed else {1: 1, 2: 2}
    assert {r["id"]: r["v"] for r in program.sql(lake, "SELECT * FROM t")} == wanted
    assert versions(lake / "default/t") == list(range(3 if committed else 2))
    program.sql(lake, "UPDATE t SET v = v + 1")
    assert {r["id"]: r["v"] for r in program.sql(lake, "SELECT * FROM t")} == {i: v + 1 for i, v in wanted.items()}
