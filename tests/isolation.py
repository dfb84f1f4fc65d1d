"""Isolation tests: what becomes of statements that overlap.

A spec (isolation/*.spec) names a table and sessions of one statement each.  A statement of Varve has two steps, reading and committing, between
which it can be held (src/base/injection.c); one of another writer has one.  Every interleaving of the steps is run, on a table of its own:

    levels Serializable WriteSerializable     delta.isolationLevel, one run each; the default is Serializable
    setup                                     statements that make the table $T, each ending with ";" ($LEVEL: a property for TBLPROPERTIES)
    also                                      queries whose answers must be those of the serial order too, besides SELECT * FROM $T
    session NAME                              the statement
    session NAME by deltalake                 a Python expression over `table`, a deltalake.DeltaTable
    expect [LEVEL …]                          what the sessions do that were overtaken, at these levels (none: at all)
        NAME after NAME [NAME …]: OUTCOME

An outcome is `follows` (its commit was moved behind the others'), `again` (the statement was run once more), `nothing` (no commit), or words of the
error.  Afterwards the rows are those of some serial order of the sessions that did not fail, unless the outcome ends with ", not serial".
A .matrix file has statements, and for each level a table of current statements (rows) against winners (columns).
"""
import copy
import dataclasses
import itertools
import json
import pathlib
import re
import threading
import time

import deltalake
import pyarrow

import program as programs

HERE = pathlib.Path(__file__).resolve().parent / "isolation"
PATIENCE_S = 60


# ---- specs ---------------------------------------------------------------------------------------------------


@dataclasses.dataclass
class Script:
    name: str
    text: str
    by: str = "varve"

    @property
    def steps(self):
        return 2 if self.by == "varve" else 1


@dataclasses.dataclass
class Spec:
    name: str
    levels: list
    setup: list
    also: list
    sessions: dict
    expected: dict   # (level, session, winners) -> outcome

    def outcome(self, level, session, winners):
        for key in ((level, session, winners), (None, session, winners)):
            if key in self.expected:
                return self.expected[key]
        raise AssertionError(f"{self.name}: at {level} nothing is expected of \"{session} after {' '.join(winners)}\"")


def blocks(path):
    """(head, body lines) of each paragraph that begins in the first column."""
    found = []
    for line in path.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        if line[0].isspace():
            found[-1][1].append(line.strip())
        else:
            found.append((line.split(), []))
    return found


def statements(lines):
    return [s.strip() for s in re.split(r";\s*(?:\n|$)", "\n".join(lines)) if s.strip()]


def read_expected(head, body):
    found = {}
    for line in body:
        left, outcome = line.split(":", 1)
        session, winners = left.split(" after ")
        for level in head[1:] or [None]:
            found[level, session.strip(), tuple(winners.split())] = outcome.strip()
    return found


def read_spec(path):
    spec = Spec(path.stem, ["Serializable"], [], [], {}, {})
    for head, body in blocks(path):
        if head[0] == "levels":
            spec.levels = head[1:]
        elif head[0] == "setup":
            spec.setup = statements(body)
        elif head[0] == "also":
            spec.also = statements(body)
        elif head[0] == "session":
            spec.sessions[head[1]] = Script(head[1], "\n".join(body).rstrip(";"), head[3] if len(head) > 2 else "varve")
        elif head[0] == "expect":
            spec.expected.update(read_expected(head, body))
        else:
            raise AssertionError(f"{path.name}: {head[0]}?")
    return spec


def interleavings(spec):
    """Every order of the steps: a session's name stands for its next step.  Orders in which nobody overlaps tell nothing new and are left out."""
    steps = [name for name, s in spec.sessions.items() for _ in range(s.steps)]
    return sorted(order for order in set(itertools.permutations(steps)) if any(overtaken(spec, order).values()))


def overtaken(spec, order):
    """By session: who commits between its two steps."""
    found = {}
    for name, script in spec.sessions.items():
        places = [i for i, step in enumerate(order) if step == name]
        between = order[places[0] + 1:places[-1]]
        found[name] = tuple(n for i, n in enumerate(order) if places[0] < i < places[-1] and order[:i + 1].count(n) == spec.sessions[n].steps)
        assert script.steps == 2 or not between
    return found


# ---- sessions that can be held ---------------------------------------------------------------------------------


class HeldSession:
    """A session whose statement waits before its commit until it is let go."""

    def __init__(self, program, lake, folder):
        own = copy.copy(program)
        own.environment = {**program.environment, "VARVE_INJECTION_DIR": str(folder)}
        folder.mkdir(parents=True, exist_ok=True)
        self.hold, self.reached = folder / "commit.hold", folder / "commit.reached"
        self.session, self.thread, self.problem = programs.Session(own, lake), None, None

    def _run(self, sql):
        try:
            self.session.query(sql)
        except programs.Failed as failed:
            self.problem = failed

    def read(self, sql):
        """Up to the commit, or to its end when it has nothing to commit."""
        self.problem = None
        self.reached.unlink(missing_ok=True)
        self.hold.touch()
        self.thread = threading.Thread(target=self._run, args=(sql,), daemon=True)
        self.thread.start()
        end = time.monotonic() + PATIENCE_S
        while self.thread.is_alive() and not self.reached.exists():
            assert time.monotonic() < end, f"the statement did not come to its commit: {sql}"
            time.sleep(0.001)

    def commit(self):
        """The error that it ended with, or None."""
        self.hold.unlink(missing_ok=True)
        self.thread.join(PATIENCE_S)
        assert not self.thread.is_alive(), "the statement did not end"
        return self.problem

    def run(self, sql):
        self.session.query(sql)

    def close(self):
        self.hold.unlink(missing_ok=True)
        return self.session.close()


class Stage:
    """A lake with a few sessions that stay open from one interleaving to the next."""

    def __init__(self, program, folder):
        self.program, self.folder, self.lake = program, folder, folder / "lake"
        self.sessions, self.tables, self.serial = {}, 0, {}
        self.control = programs.Session(program, self.lake)

    def held(self, name):
        if name not in self.sessions:
            self.sessions[name] = HeldSession(self.program, self.lake, self.folder / f"hold-{name}")
        return self.sessions[name]

    def table(self, setup, level):
        self.tables += 1
        name = f"t{self.tables}"
        for sql in setup:
            self.control.query(sql.replace("$T", name).replace("$LEVEL", f"'delta.isolationLevel' = '{level}'"))
        return name

    def path(self, table):
        return self.lake / "default" / table

    def run(self, script, table):
        if script.by == "deltalake":
            eval(script.text, {"table": deltalake.DeltaTable(str(self.path(table))), "deltalake": deltalake, "pyarrow": pyarrow})  # noqa: S307, from the spec
        else:
            self.control.query(script.text.replace("$T", table))

    def rows(self, spec, table):
        def answer(sql):
            return sorted(repr(tuple(row.values())) for row in self.control.rows(sql.replace("$T", table)))

        return [answer(sql) for sql in ["SELECT * FROM $T", *spec.also]]

    def serial_rows(self, spec, level, order):
        """The rows after the sessions one after the other."""
        key = (spec.name, order)
        if key not in self.serial:
            table = self.table(spec.setup, level)
            for name in order:
                self.run(spec.sessions[name], table)
            self.serial[key] = self.rows(spec, table)
        return self.serial[key]

    def close(self):
        for session in self.sessions.values():
            session.close()
        self.control.close()


# ---- one interleaving ---------------------------------------------------------------------------------------------


def log_of(path):
    """Versions and their commitInfo."""
    found = {}
    for file in sorted((path / "_delta_log").glob("*.json")):
        if re.fullmatch(r"\d{20}\.json", file.name):
            actions = [json.loads(line) for line in file.read_text().splitlines()]
            found[int(file.name[:20])] = next((a["commitInfo"] for a in actions if "commitInfo" in a), {})
    return found


def outcome_of(problem, before, after):
    """What a held statement did that was let go: before and after are the versions of the table."""
    if problem is not None:
        return f"{problem.code} {problem.everything}"
    new = sorted(set(after) - set(before))
    if not new:
        return "nothing"
    assert len(new) == 1, f"one statement made the versions {new}"
    return "again" if after[new[0]].get("readVersion") == new[0] - 1 else "follows"


def agrees(expected, outcome):
    words = expected.removesuffix(", not serial")
    return outcome == words if words in ("follows", "again", "nothing") else all(w in outcome for w in words.split())


def perform(stage, spec, level, order):
    """Runs the steps; the table, and who failed."""
    table = stage.table(spec.setup, level)
    path, lost, started, failed = stage.path(table), overtaken(spec, order), set(), set()
    serial = True
    for name in order:
        script = spec.sessions[name]
        if script.steps == 1:
            stage.run(script, table)
            continue
        held = stage.held(name)
        if name not in started:
            started.add(name)
            held.read(script.text.replace("$T", table))
            continue
        before = log_of(path)
        problem = held.commit()
        outcome = outcome_of(problem, before, log_of(path))
        failed |= {name} if problem is not None else set()
        winners = tuple(w for w in lost[name] if w not in failed)
        if not winners:
            assert problem is None, f"{spec.name} {order}: {name} failed alone: {outcome}"
            continue
        expected = spec.outcome(level, name, winners)
        serial &= not expected.endswith(", not serial")
        assert agrees(expected, outcome), f"{spec.name}, {level}, {' '.join(order)}: {name} after {' '.join(winners)}: {outcome}, expected {expected}"
    return table, failed, serial


def check(stage, spec, level, order):
    table, failed, serial = perform(stage, spec, level, order)
    found = log_of(stage.path(table))
    assert sorted(found) == list(range(len(found))), f"the versions have gaps: {sorted(found)}"
    done = [name for name in spec.sessions if name not in failed]
    rows = stage.rows(spec, table)
    orders = [stage.serial_rows(spec, level, o) for o in itertools.permutations(done)]
    if serial:
        assert rows in orders, f"{spec.name}, {level}, {' '.join(order)}: no serial order gives {rows}, they give {orders}"
    else:
        assert rows not in orders, f"{spec.name}, {level}, {' '.join(order)}: a serial order gives these rows, and none was expected to"


# ---- matrices -----------------------------------------------------------------------------------------------------------


LETTERS = {"F": "follows", "A": "again", "N": "nothing"}


def read_matrix(path):
    """One spec of two sessions for each cell; a cell that is empty or "." is no case."""
    setup, texts, specs = [], {}, []
    for head, body in blocks(path):
        if head[0] == "setup":
            setup = statements(body)
        elif head[0] == "statement":
            texts[head[1]] = "\n".join(body).rstrip(";")
        elif head[0] == "errors":
            LETTERS.update(line.split(None, 1) for line in body)
        elif head[0] == "matrix":
            columns = [c.strip() for c in body[0].split("|")][1:]
            for line in body[1:]:
                current, *cells = [c.strip() for c in line.split("|")]
                specs += [cell(path, head[1], setup, texts, current, winner, letter) for winner, letter in zip(columns, cells, strict=True) if letter not in ("", ".")]
    return specs


def cell(path, level, setup, texts, current, winner, letter):
    sessions = {"current": Script("current", texts[current]), "winner": Script("winner", texts[winner])}
    expected = {(level, "current", ("winner",)): LETTERS[letter]}
    return Spec(f"{path.stem}: {current} after {winner}", [level], setup, [], sessions, expected)
