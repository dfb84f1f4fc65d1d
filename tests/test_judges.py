"""Every table that the demo and the SQL tests write, read by Spark and delta-rs."""
import subprocess

import deltalake
import pytest

import peers
import program as programs
import sqltest
import values


# ---- every table of the demo ----------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(program, work):
    """The lake that the demo makes, and how the demo ended."""
    lake = work / "demo"
    environment = {**program.environment, "VARVE": program.path, "NO_COLOR": "1"}
    ended = subprocess.run([programs.ROOT / "examples/demo.sh", "--once", "--lake", lake], env=environment, capture_output=True, text=True, timeout=900)
    return lake, ended


def test_the_demo_checks_itself(demo):
    _, ended = demo
    assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]
    assert "WRONG" not in ended.stdout and "619,040" in ended.stdout


def test_the_judges_read_every_table_of_the_demo(spark, program, demo):
    """Hundreds of thousands of rows: compared as sorted texts, all columns of all rows."""
    lake, ended = demo
    tables = tables_under(lake)
    assert len(tables) >= 6, ended.stdout[-2000:]
    wrong = []
    with programs.Session(program, lake) as session:
        for table in tables:
            ours = values.sorted_rows(session.query(f"SELECT * FROM delta.`{table}`"))
            versions = [c["version"] for c in session.rows(f"DESCRIBE HISTORY delta.`{table}`")]
            by_delta_rs = deltalake.DeltaTable(str(table))
            if not ours.equals(values.sorted_rows(by_delta_rs.to_pyarrow_table())):
                wrong.append(f"{table}: delta-rs sees other rows")
            if not ours.equals(values.sorted_rows(spark.read.format("delta").load(str(table)).toArrow())):
                wrong.append(f"{table}: Spark sees other rows")
            if versions != [c["version"] for c in by_delta_rs.history()]:
                wrong.append(f"{table}: delta-rs sees another history")
    assert not wrong, "\n".join(wrong)


# ---- every table that the other tests write ---------------------------------------------------------------------------


def tables_under(folder):
    return sorted({log.parent for log in folder.rglob("_delta_log") if any(log.glob("*.json"))})


@pytest.mark.parametrize("path", sqltest.FILES, ids=lambda p: p.stem)
def test_the_judges_read_every_table_of_the_sql_tests(spark, program, path):
    run = sqltest.Run(program, path)
    try:
        for section in sqltest.read(path):
            run.outcome(section.title)
        found = tables_under(run.folder)
        wrong = []
        for table in found:
            ours, theirs = peers.by_varve(run.session, table), spark.read.format("delta").load(str(table))
            if peers.has_no_arrow_form(theirs.schema.jsonValue()):
                count = theirs.count()
                wrong += [f"{table} by Spark: {count} rows, not {len(ours.rows)}"] if count != len(ours.rows) else []
                continue
            judges = {"Spark": lambda _, rows=theirs: peers.contents_of(rows)}
            if not peers.delta_rs_bug(table):
                judges["delta-rs"] = peers.by_delta_rs
            for judge, read in judges.items():
                try:
                    differs = peers.disagreement(ours, read(table))
                except Exception as refused:  # whatever a judge throws is its verdict
                    differs = f"{type(refused).__name__}: {str(refused)[:500]}"
                if differs:
                    wrong.append(f"{table} by {judge}: {differs}")
    finally:
        run.close()
    assert found, "no table was written"
    assert not wrong, "\n".join(wrong)
