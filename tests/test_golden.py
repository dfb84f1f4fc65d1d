"""Every golden table: it passes, or is refused by the name of the feature it needs, or is damaged and rejected."""
import shutil
import tempfile

import pytest

import golden
import program as programs

if not golden.GOLDEN.is_dir():
    pytest.skip(f"the golden set is not here ({golden.GOLDEN}; set VARVE_GOLDEN)", allow_module_level=True)

TABLES = [golden.Table(row) for row in golden.manifest()]


@pytest.fixture(scope="module")
def judge(program):
    lake = tempfile.mkdtemp(prefix="varve-golden-")
    judge = golden.Judge(program, lake)
    yield judge
    judge.close()
    shutil.rmtree(lake, ignore_errors=True)


@pytest.mark.parametrize("table", TABLES, ids=lambda t: t.name)
def test_table(program, judge, table):
    outcome = judge.outcome(table)
    assert not outcome.fails(), outcome.detail


def test_writes_are_refused_where_the_protocol_is_too_new(program, scratch):
    """Tables whose writer version is not known are read-only, not unreadable."""
    for name in ("trino/deltalake/unsupported_writer_version",):
        copy = scratch / name.rsplit("/", 1)[1]
        shutil.copytree(golden.GOLDEN / name / "delta", copy)
        before = sorted(p.name for p in (copy / "_delta_log").iterdir())
        program.sql(scratch / "lake", f"SELECT * FROM delta.`{copy}`")
        with pytest.raises(programs.Failed) as refused:
            columns = program.sql(scratch / "lake", f"DESCRIBE delta.`{copy}`")
            program.sql(scratch / "lake", f"INSERT INTO delta.`{copy}` SELECT " + ", ".join("1" for _ in columns))
        assert refused.value.code == "UNSUPPORTED_FEATURE"
        assert sorted(p.name for p in (copy / "_delta_log").iterdir()) == before


def test_reading_leaves_no_trace(judge):
    """The set is only read: nothing of ours lies in it."""
    strangers = [p for table in TABLES for p in table.location.rglob("*") if "varve" in p.name.lower()]
    assert not strangers


def test_the_report_is_current(judge):
    """docs/golden-report.md says what the tables above say; `python tests/golden_report.py` renews it."""
    outcomes = [judge.outcome(table) for table in TABLES]
    assert golden.REPORT.exists(), "run tests/golden_report.py"
    assert golden.REPORT.read_text() == golden.report(outcomes), "run tests/golden_report.py"
