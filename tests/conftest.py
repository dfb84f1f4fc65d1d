"""Fixtures of every test here."""
import os
import pathlib
import shutil
import sys
import tempfile

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import program as programs  # noqa: E402


@pytest.fixture(scope="session")
def program(tmp_path_factory):
    return programs.Program(log=str(tmp_path_factory.mktemp("sanitizer") / "report"))


@pytest.fixture(autouse=True)
def no_sanitizer_reports(request):
    """A test fails when any process it started left a sanitizer report."""
    yield
    if "program" in request.fixturenames:
        reports = request.getfixturevalue("program").reports()
        assert not reports, "sanitizer reports:\n" + "\n".join(reports)[:8000]


@pytest.fixture
def scratch():
    """An empty folder of the test's own, gone afterwards."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="varve-test-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def lake(scratch):
    return scratch / "lake"


@pytest.fixture
def session(program, lake):
    with programs.Session(program, lake) as opened:
        yield opened


@pytest.fixture(scope="module")
def module_scratch(tmp_path_factory):
    folder = tmp_path_factory.mktemp("module")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


# ---- beside the judges: one folder, one session and one Spark for the tests of a file ----------------------------


@pytest.fixture(scope="module")
def spark():
    import peers  # what only these tests need

    reason = peers.why_no_spark()
    if reason:
        pytest.skip(reason)
    opened = peers.start_spark()
    yield opened
    opened.stop()


@pytest.fixture(scope="module")
def work():
    """Where tables lie that several tests look at; its path has nothing to escape."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="varve-work-"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="module")
def varve(program, work):
    with programs.Session(program, work / "lake") as opened:
        yield opened


def pytest_report_header():
    return f"varve: {os.environ.get('VARVE') or 'found in build/'}"
