"""Damage to each kind of file of a table: bit flips, truncation, deletion, and another table's file in its place.

An error or the right answer, never a wrong answer, never a crash.  Three things cannot be told from the files themselves, and are allowed: a log whose
newest commits are gone is the table as it was before them; a flipped bit in a value (not in the structure) of a Parquet file or of a commit, which
carry no checksum, is another value; and a whole data file, deletion vector or commit of another table does not say whose it is.
VARVE_CORRUPTION is the number of flips and cuts of each file (3).
"""
import os
import pathlib
import random
import shutil
import tempfile

import pytest

import program as programs

EACH = int(os.environ.get("VARVE_CORRUPTION", "3"))
SEED = int(os.environ.get("VARVE_CORRUPTION_SEED", "20240229"))
ANSWER = "SELECT count(*) AS n, sum(k) AS k, min(label) AS low, max(label) AS high, count(part) AS parts FROM delta.`{}`"

TABLES = {
    "classic": "'delta.checkpointInterval' = '3', 'delta.enableDeletionVectors' = 'true'",
    "v2": "'delta.checkpointInterval' = '3', 'delta.checkpointPolicy' = 'v2', 'delta.enableDeletionVectors' = 'true', 'delta.enableInCommitTimestamps' = 'true'",
    "mapped": "'delta.columnMapping.mode' = 'name', 'delta.enableChangeDataFeed' = 'true'",
}


def make(session, path, properties, shift):
    table = f"delta.`{path}`"
    session.query(f"CREATE TABLE {table} (k bigint, label string, part string) USING DELTA PARTITIONED BY (part) TBLPROPERTIES ({properties})")
    for i in range(5):
        session.query(f"INSERT INTO {table} SELECT i + {shift}, 'label ' || (i * 7 + {shift}), CASE WHEN i % 2 = 0 THEN 'even' END FROM range({i * 20}, {i * 20 + 20}) r(i)")
    session.query(f"DELETE FROM {table} WHERE k % 10 = 3")
    session.query(f"UPDATE {table} SET label = 'changed' WHERE k % 10 = 4")


def kind_of(name):
    if name.startswith("deletion_vector"):
        return "deletion vector"
    if ".checkpoint" in name or "_sidecars" in name:
        return "checkpoint"
    for suffix, kind in ((".json", "commit"), (".crc", "checksum"), ("_last_checkpoint", "hint"), (".parquet", "data")):
        if name.endswith(suffix):
            return kind
    raise AssertionError(f"what is {name}?")


def damages(rng, path, twin):
    """(what, function of the bytes; None deletes)."""
    bytes_ = path.read_bytes()
    yield "deleted", None
    for cut in {0, 1, len(bytes_) - 1, *(rng.randrange(len(bytes_)) for _ in range(EACH))}:
        yield f"cut at {cut}", lambda b, cut=cut: b[:cut]
    for _ in range(EACH * 2):
        at, bit = rng.randrange(len(bytes_)), rng.randrange(8)
        yield f"bit {bit} of byte {at} flipped", lambda b, at=at, bit=bit: b[:at] + bytes([b[at] ^ 1 << bit]) + b[at + 1:]
    if twin:
        yield f"replaced by {twin.name} of another table", lambda b: twin.read_bytes()
    yield "random bytes", lambda b: rng.randbytes(len(b))


def is_allowed(kind, what, got, right, older):
    if got == right:
        return True
    if kind == "commit" and (what == "deleted" or what.startswith("cut")):
        return got in older
    if what.startswith("replaced"):
        return kind in ("data", "commit", "deletion vector")
    return "flipped" in what and kind in ("data", "commit", "checkpoint")


@pytest.fixture(scope="module")
def place(program):
    folder = pathlib.Path(tempfile.mkdtemp(prefix="varve-corruption-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("name", TABLES)
def test_damage_is_an_error_or_harmless(program, place, name):
    rng = random.Random(SEED)
    whole, other = place / name, place / f"{name}-other"
    wrong, cases, errors = [], 0, 0
    with programs.Session(program, place / "lake") as session:
        make(session, whole, TABLES[name], 0)
        make(session, other, TABLES[name], 1000)
        right = session.attempt(ANSWER.format(whole))
        older = [session.attempt(ANSWER.format(whole) + f" VERSION AS OF {v}") for v in range(len(list((whole / "_delta_log").glob("*[0-9].json"))))]
    files = sorted(p for p in whole.rglob("*") if p.is_file())
    twins = {}
    for p in sorted(p for p in other.rglob("*") if p.is_file()):
        twins.setdefault(kind_of(str(p.relative_to(other))), p)
    session = programs.Session(program, place / "lake").__enter__()
    try:
        for file in files:
            kind = kind_of(str(file.relative_to(whole)))
            for what, change in damages(rng, file, twins.get(kind)):
                copy = place / f"copy{cases}"
                shutil.copytree(whole, copy, copy_function=os.link)
                victim = copy / file.relative_to(whole)
                bytes_ = victim.read_bytes()
                victim.unlink()
                if change:
                    victim.write_bytes(change(bytes_))
                cases += 1
                try:
                    got = session.attempt(ANSWER.format(copy))
                    if not is_allowed(kind, what, got, right, older):
                        wrong.append(f"{file.relative_to(whole)} {what}: {got} instead of {right}")
                except programs.Failed:
                    errors += 1
                shutil.rmtree(copy)
    finally:
        session.close()
    print(f"{cases} cases, {errors} errors")
    assert not wrong, f"{len(wrong)} of {cases} wrong (seed {SEED}):\n" + "\n".join(wrong[:40])
