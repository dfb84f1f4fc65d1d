"""A history checker: processes change one table at random, some are killed, and afterwards the log tells what must have happened.

Every statement carries its number into its commit (in a predicate, or in the ids that it inserts), so that each version is known by the statement
that made it.  Then: versions are dense; what was acknowledged is there once, in the version that it was told; what was refused is not there; what was
under way when its process died is there once or not at all; and the rows, the rows at versions on the way, the numbers of rows that the statements
answered, and the change data are those of the statements run one after the other in the order of the versions.
"""
import collections
import dataclasses
import json
import random
import re
import threading
import time

import program as programs

KEYS, MODULUS = 24, 1_000_003
PER_INSERT = 3


# ---- statements and what they mean ---------------------------------------------------------------------------------


@dataclasses.dataclass
class Operation:
    number: int
    kind: str
    sql: str
    apply: object             # state -> Effect
    outcome: str = "started"  # acknowledged, refused, lost
    answer: dict = None


@dataclasses.dataclass
class Effect:
    """What a statement does to a state."""
    put: dict = dataclasses.field(default_factory=dict)   # rows that get this value, or are new
    gone: set = dataclasses.field(default_factory=set)

    @property
    def affected(self):
        return len(self.put) + len(self.gone)

    def after(self, state):
        return {i: v for i, v in {**state, **self.put}.items() if i not in self.gone}

    def changes(self, state):
        """As the change data feed tells them."""
        found = [(i, state[i], "delete") for i in self.gone]
        for i, value in self.put.items():
            found += [(i, state[i], "update_preimage"), (i, value, "update_postimage")] if i in state else [(i, value, "insert")]
        return sorted(found)


def own_ids(number):
    return [1_000_000 + number * 10 + i for i in range(PER_INSERT)]


def insert(number, _):
    rows = {i: number for i in own_ids(number)}
    return f"INSERT INTO t VALUES {', '.join(map(str, rows.items()))}", lambda state: Effect(put=rows)


def update(number, chance):
    low = chance.randrange(KEYS)
    high = low + chance.choice([0, 0, 0, 3])
    return (f"UPDATE t SET v = (v + {number}) % {MODULUS} WHERE id BETWEEN {low} AND {high} AND {number} = {number}",
            lambda state: Effect(put={i: (v + number) % MODULUS for i, v in state.items() if low <= i <= high}))


def delete(number, chance):
    key = chance.randrange(KEYS)
    return f"DELETE FROM t WHERE id = {key} AND {number} = {number}", lambda state: Effect(gone={key} & set(state))


def merge(number, chance):
    keys = sorted(chance.sample(range(KEYS), chance.choice([1, 1, 2, 4])))
    source = " UNION ALL ".join(f"SELECT CAST({k} AS BIGINT) AS id" for k in keys)
    return (f"MERGE INTO t USING ({source}) AS s ON t.id = s.id AND {number} = {number} "
            f"WHEN MATCHED THEN UPDATE SET v = (t.v * 3 + {number}) % {MODULUS} WHEN NOT MATCHED THEN INSERT (id, v) VALUES (s.id, {number})",
            lambda state: Effect(put={k: (state[k] * 3 + number) % MODULUS if k in state else number for k in keys}))


def transfer(number, chance):
    giver, taker = chance.sample(range(KEYS), 2)
    return (f"UPDATE t SET v = CASE id WHEN {giver} THEN (v + {MODULUS} - {number}) % {MODULUS} ELSE (v + {number}) % {MODULUS} END "
            f"WHERE id IN ({giver}, {taker}) AND {number} = {number}",
            lambda state: Effect(put={i: (state[i] + change) % MODULUS for i, change in ((giver, MODULUS - number), (taker, number)) if i in state}))


def total(number, _):
    """What it inserts is what it reads of the table."""
    key = own_ids(number)[0]
    return (f"INSERT INTO t SELECT {key}, coalesce(sum(v), 0) % {MODULUS} FROM t WHERE id < {KEYS}",
            lambda state: Effect(put={key: sum(v for i, v in state.items() if i < KEYS) % MODULUS}))


def optimize(_, __):
    return "OPTIMIZE t", lambda state: Effect()


KINDS = [(insert, 3), (update, 6), (delete, 3), (merge, 4), (transfer, 3), (total, 1), (optimize, 1)]


class Operations:
    """Numbers them; used by all actors."""

    def __init__(self, seed):
        self.lock, self.chance, self.all = threading.Lock(), random.Random(seed), []

    @property
    def acknowledged(self):
        return sum(o.outcome == "acknowledged" for o in list(self.all))

    def next(self):
        with self.lock:
            number = len(self.all) + 1
            kind = self.chance.choices([k for k, _ in KINDS], [w for _, w in KINDS])[0]
            sql, apply = kind(number, self.chance)
            self.all.append(Operation(number, kind.__name__, sql, apply))
            return self.all[-1]


# ---- the run ------------------------------------------------------------------------------------------------------------


class Actor(threading.Thread):
    """Runs statements until the end; when its process is killed it starts another."""

    def __init__(self, program, lake, operations, stop):
        super().__init__(daemon=True)
        self.program, self.lake, self.operations, self.stop = program, lake, operations, stop
        self.session, self.broken, self.deaths = programs.Session(program, lake), None, 0

    def run(self):
        try:
            while not self.stop.is_set():
                self.perform(self.operations.next())
        except Exception as broken:  # noqa: BLE001, told by the test
            self.broken = broken

    def answer(self, sql):
        """Every statement answers a row or an error; the error comes through a pipe of its own, which may be the later one."""
        rows = self.session.attempt(sql)
        if not rows:
            raise programs.Failed(json.loads(self.session.errors.get(timeout=30)), sql)
        return rows[0]

    def perform(self, operation):
        try:
            operation.answer = self.answer(operation.sql)
            operation.outcome = "acknowledged"
        except programs.Failed as failed:
            operation.outcome = "lost" if failed.code == "COMMIT_UNKNOWN" else "refused"
            operation.answer = failed.problem
            assert failed.problem["retriable"], f"{operation.sql}: {failed}"
        except (AssertionError, OSError, ValueError):
            if self.session.process.poll() is None and self.session.process.wait(30) is None:
                raise
            operation.outcome = "lost"
            self.deaths += 1
            self.session.close()
            self.session = programs.Session(self.program, self.lake)


def run(program, lake, properties, seconds, actors, seed, least=40):
    """For so many seconds, and until so many statements are acknowledged; about every eighth is killed."""
    operations, chance, stop = Operations(seed), random.Random(seed + 1), threading.Event()
    rows = ", ".join(f"({i}, {i})" for i in range(KEYS))
    with programs.Session(program, lake) as session:
        session.query(f"CREATE TABLE t (id bigint, v bigint) USING DELTA TBLPROPERTIES ({properties})")
        session.query(f"INSERT INTO t VALUES {rows}")
    begun, crew, killed = time.monotonic(), [Actor(program, lake, operations, stop) for _ in range(actors)], 0
    for actor in crew:
        actor.start()
    while any(a.is_alive() for a in crew) and (time.monotonic() < begun + seconds or operations.acknowledged < least):
        time.sleep(chance.uniform(0.02, 0.2))
        if operations.acknowledged >= (killed + 1) * 8:
            killed += 1
            chance.choice(crew).session.process.kill()
    stop.set()
    for actor in crew:
        actor.join(240)
        assert not actor.is_alive(), "an actor did not end"
        actor.session.close()
    broken = next((a.broken for a in crew if a.broken), None)
    if broken:
        raise broken
    return operations.all, sum(a.deaths for a in crew)


# ---- the judgement --------------------------------------------------------------------------------------------------------


FIRST = 2  # the table and its first rows are versions 0 and 1


def actions_of(path):
    found = {}
    for file in sorted((path / "_delta_log").glob("*.json")):
        if re.fullmatch(r"\d{20}\.json", file.name):
            found[int(file.name[:20])] = [json.loads(line) for line in file.read_text().splitlines()]
    return found


def number_of(actions):
    """The statement that made a commit; None for OPTIMIZE, which says nothing and changes nothing."""
    info = next(a["commitInfo"] for a in actions if "commitInfo" in a)
    if info["operation"] == "OPTIMIZE":
        return None
    if said := re.search(r"\b(\d+) = \1\b", info["operationParameters"].get("predicate", "")):
        return int(said[1])
    least = min(json.loads(a["add"]["stats"])["minValues"]["id"] for a in actions if "add" in a)
    return (least - 1_000_000) // 10


def match(operations, log):
    """The statements in the order of their versions, as (version, operation or None)."""
    assert sorted(log) == list(range(len(log))), "the versions have gaps"
    order = [(version, number_of(actions)) for version, actions in sorted(log.items()) if version >= FIRST]
    times = collections.Counter(number for _, number in order if number is not None)
    assert not (twice := [n for n, count in times.items() if count > 1]), f"statements that were committed twice: {twice}"
    version_of = {number: version for version, number in order if number is not None}
    for operation in operations:
        there = version_of.get(operation.number)
        if operation.outcome == "refused":
            assert there is None, f"statement {operation.number} was refused ({operation.answer}) and is version {there}"
        if operation.outcome == "acknowledged" and operation.kind != "optimize" and operation.answer["version"] != there:
            assert there is None and affected_rows(operation.answer) == 0, f"statement {operation.number} was told version {operation.answer['version']} and is {there}: {operation.sql}"
    return [(version, operations[number - 1] if number is not None else None) for version, number in order]


def replay(order, at):
    """The states at some versions, the changes of each, and the last state."""
    state, states, changes = {i: i for i in range(KEYS)}, {}, {}
    for version, operation in order:
        effect = operation.apply(state) if operation else Effect()
        if operation and operation.outcome == "acknowledged":
            told = affected_rows(operation.answer)
            assert told == effect.affected, f"version {version}: {told} rows were told, {effect.affected} it were: {operation.sql}"
        changes[version] = effect.changes(state)
        state = effect.after(state)
        if version in at:
            states[version] = state
    return states, changes, state


def affected_rows(answer):
    return answer.get("num_affected_rows", answer.get("rows"))


def judge(program, lake, operations, chance):
    order = match(operations, actions_of(lake / "default/t"))
    versions = [version for version, _ in order]
    at = set(chance.sample(versions, min(len(versions), 12)))
    states, changes, last = replay(order, at)
    with programs.Session(program, lake) as session:
        assert {r["id"]: r["v"] for r in session.rows("SELECT * FROM t")} == last
        assert session.value("SELECT count(*) FROM t") == len(last), "a row is there twice"
        for version in sorted(at):
            assert {r["id"]: r["v"] for r in session.rows(f"SELECT * FROM t VERSION AS OF {version}")} == states[version], f"version {version}"
        feed = collections.defaultdict(list)
        for row in session.rows("SELECT id, v, _change_type, _commit_version FROM table_changes('t', 2)") if order else []:
            feed[row["_commit_version"]].append((row["id"], row["v"], row["_change_type"]))
        for version, operation in order:
            assert sorted(feed[version]) == changes[version], f"the changes of version {version}: {operation}"
        ids = session.rows("SELECT count(*) AS n, count(DISTINCT _metadata.row_id) AS ids FROM t")[0]
        assert ids["n"] == ids["ids"], "a row id is there twice"
    return order
