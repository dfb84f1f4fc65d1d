"""Statements that overlap: see isolation.py."""
import pytest

import isolation

SPECS = {path.stem: isolation.read_spec(path) for path in sorted(isolation.HERE.glob("*.spec"))}
CELLS = [spec for path in sorted(isolation.HERE.glob("*.matrix")) for spec in isolation.read_matrix(path)]
OVERTAKEN = ("current", "winner", "winner", "current")


@pytest.fixture(scope="module")
def stage(program, module_scratch):
    opened = isolation.Stage(program, module_scratch)
    yield opened
    opened.close()


@pytest.mark.parametrize("name,level", [(s.name, level) for s in SPECS.values() for level in s.levels])
def test_every_interleaving(stage, name, level):
    spec = SPECS[name]
    for order in isolation.interleavings(spec):
        isolation.check(stage, spec, level, order)


@pytest.mark.parametrize("spec", CELLS, ids=[f"{s.levels[0]}, {s.name}" for s in CELLS])
def test_pair(stage, spec):
    isolation.check(stage, spec, spec.levels[0], OVERTAKEN)
