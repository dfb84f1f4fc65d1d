"""The web page in a real browser: runs tests/ui against a server on a small lake of daily bars."""
import json
import os
import re
import shutil
import subprocess

import pytest

import program as programs

UI = programs.ROOT / "tests/ui"
NAMES = [name for file in sorted(UI.glob("*.test.mjs")) for name in re.findall(r'^\s*test\("([^"]+)"', file.read_text(), re.M)]
SEARCH = {"search": {"tables": {"gold.companies": {"columns": {"id": "symbol", "title": "name", "subtitle": "sector", "category": "sector", "date": "first_day"},
                                                   "searchColumns": ["symbol", "name", "sector"]}}}}
# Two hundred trading days of forty symbols: a walk that no price leaves, with high above and low below.
BARS = """SELECT 'S' || lpad(s::VARCHAR, 2, '0') AS symbol, DATE '2017-01-02' + d::INT AS date,
  (50 + s + 5 * sin(d / 9.0))::DECIMAL(18,4) AS open, (52 + s + 5 * sin(d / 9.0))::DECIMAL(18,4) AS high, (49 + s + 5 * sin(d / 9.0))::DECIMAL(18,4) AS low,
  (51 + s + 5 * sin(d / 9.0))::DECIMAL(18,4) AS close, 9007199254740993 + d * 1000 + s AS volume FROM range({symbols}) a(s), range(200) b(d)"""


def why_not():
    if not shutil.which("node"):
        return "node is not installed"
    if not (programs.ROOT / "web/node_modules/playwright-core").exists():
        return "playwright-core is not installed (npm ci in web/)"
    if not os.path.exists(os.environ.get("CHROMIUM", "/usr/bin/chromium")):
        return "chromium is not installed"
    return None


@pytest.fixture(scope="module")
def outcomes(program, module_scratch):
    """{test: what is wrong, or None} of one run of the browser."""
    if why_not():
        pytest.skip(why_not())
    lake = module_scratch / "lake"
    with programs.Session(program, lake) as session:
        for schema in ("silver", "gold"):
            session.query(f"CREATE SCHEMA {schema}")
        session.query("CREATE TABLE silver.bars (symbol string, date date, open decimal(18,4), high decimal(18,4), low decimal(18,4), close decimal(18,4), "
                      "volume bigint) USING DELTA COMMENT 'daily bars'")
        session.query("INSERT INTO silver.bars " + BARS.format(symbols=20))
        session.query("INSERT OVERWRITE silver.bars " + BARS.format(symbols=40))
        session.query("CREATE TABLE gold.companies AS SELECT 'S' || lpad(s::VARCHAR, 2, '0') AS symbol, 'Company ' || s AS name, "
                      "CASE WHEN s % 4 = 0 THEN 'Energy' ELSE 'Information Technology' END AS sector, DATE '2017-01-02' + s::INT AS first_day FROM range(40) t(s)")
    (module_scratch / "search.json").write_text(json.dumps(SEARCH))
    with programs.Server(program, lake, "--config", str(module_scratch / "search.json")) as server:
        ended = subprocess.run(["node", str(UI / "run.mjs")], env={**os.environ, "UI_URL": server.url}, capture_output=True, text=True, timeout=900)
    found = {}
    for block in re.split(r"^(?=ok  |FAILED  )", ended.stdout, flags=re.M):
        line = re.match(r"(ok|FAILED) +(.+)", block)
        if line:
            found[line[2].strip()] = None if line[1] == "ok" else block
    assert found, ended.stdout[-2000:] + ended.stderr[-2000:]
    return found


@pytest.mark.parametrize("name", NAMES)
def test_page(outcomes, name):
    wrong = outcomes.get(name, "the browser did not run it")
    if wrong:
        pytest.fail(wrong, pytrace=False)


def test_nothing_else_failed(outcomes):
    """Tests whose names are made while they run."""
    others = {name: wrong for name, wrong in outcomes.items() if name not in NAMES and wrong}
    assert not others, "\n".join(others.values())
