"""Runs tests/sql/*.test: one lake and one session for each file, one test for each section (see README.md)."""
import pytest

import sqltest


@pytest.fixture(scope="module")
def runs(program):
    opened = {}

    def run_of(path):
        # Files come one after the other: the last one's session is not needed any more.
        if path not in opened:
            while opened:
                opened.popitem()[1].close()
            opened[path] = sqltest.Run(program, path)
        return opened[path]

    yield run_of
    while opened:
        opened.popitem()[1].close()


def sections():
    return [pytest.param(path, section.title, id=f"{path.stem}: {section.title}") for path in sqltest.FILES for section in sqltest.read(path)]


@pytest.mark.parametrize("path, title", sections())
def test_section(runs, program, path, title):
    wrong = runs(path).outcome(title)
    if wrong:
        pytest.fail("\n\n".join(f"{path.name}, {text}" for text in wrong), pytrace=False)
