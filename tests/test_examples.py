"""examples/transactions: each runs as it stands, and what it promises holds."""
import os
import subprocess
import threading

import pytest

import program as programs

EXAMPLES = programs.ROOT / "examples" / "transactions"


def script(program, lake, name, *before, check=True):
    arguments = [part for text in before for part in ("-c", text)]
    answer = program.run(lake, "--json", *arguments, "-f", EXAMPLES / name)
    if check:
        assert answer.code == 0, answer.err
    return answer


def demo(program, name, *arguments, timeout=300):
    environment = {**program.environment, "VARVE": program.path}
    ended = subprocess.run([EXAMPLES / name, *map(str, arguments)], env=environment, capture_output=True, text=True, timeout=timeout)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_portfolio(program, tmp_path):
    lake = tmp_path / "lake"
    for _ in range(2):  # a second run finds its batches done
        script(program, lake, "portfolio.sql")
        rows = program.sql(lake, "SELECT symbol, quantity, cost, realized_pnl FROM pf.positions ORDER BY symbol")
        assert [tuple(map(str, row.values())) for row in rows] == [
            ("AAPL", "-50.0", "185.0", "750.0"), ("MSFT", "0.0", "0.0", "-200.0"), ("TSLA", "-10.0", "250.0", "0.0")]
    assert program.sql(lake, "SELECT count(*) AS n FROM pf.trades") == [{"n": 7}]


def test_a_portfolio_batch_with_a_bad_trade_changes_nothing(program, tmp_path):
    lake = tmp_path / "lake"
    script(program, lake, "portfolio.sql")
    with pytest.raises(programs.Failed) as failed:
        program.sql(lake, "INSERT INTO pf.trades VALUES (3, 1, 'P1', 'AAPL', 10, 100), (3, 2, 'P1', 'AAPL', 0, 100)")
    assert failed.value.code == "CONSTRAINT_VIOLATION"
    assert program.sql(lake, "SELECT count(*) AS n FROM pf.trades") == [{"n": 7}]


@pytest.mark.parametrize("q, c, traded, price, cost, realized", [
    (0, 0, 10, 5, 5, 0),           # opens
    (10, 5, 10, 7, 6, 0),          # adds
    (10, 5, -4, 8, 5, 12),         # takes from it: the average stays
    (10, 5, -10, 8, 0, 30),        # closes
    (10, 5, -15, 8, 8, 30),        # goes through zero: the rest has the trade's price
    (-10, 5, -10, 7, 6, 0),        # adds to a short position
    (-10, 5, 4, 3, 5, 8),
    (-10, 5, 15, 3, 3, 20),
])
def test_cost_basis(program, portfolio_lake, q, c, traded, price, cost, realized):
    row = program.sql(portfolio_lake, f"SELECT pf.cost_after({q}, {c}, {traded}, {price}) = {cost} AS cost, pf.realized({q}, {c}, {traded}, {price}) = {realized} AS pnl")
    assert row == [{"cost": True, "pnl": True}]


@pytest.fixture(scope="module")
def portfolio_lake(program, tmp_path_factory):
    lake = tmp_path_factory.mktemp("portfolio") / "lake"
    script(program, lake, "portfolio.sql")
    return lake


def transfer(program, lake, payer, payee, amount, key):
    text = (f"DECLARE payer = '{payer}'; DECLARE payee = '{payee}'; DECLARE amount DECIMAL(18,2) DEFAULT {amount}; "
            f"DECLARE transfer_key = '{key}'")
    return script(program, lake, "transfer.sql", text, check=False)


def balances(program, lake):
    return {row["account"]: row["balance"] for row in program.sql(lake, "SELECT account, CAST(balance AS DOUBLE) AS balance FROM bank.accounts")}


def test_transfer(program, tmp_path):
    lake = tmp_path / "lake"
    script(program, lake, "accounts.sql")
    script(program, lake, "accounts.sql")
    assert transfer(program, lake, "alice", "bob", "12.50", "T-1").code == 0
    after = {"alice": 87.5, "bob": 32.5, "carol": 0.0}
    assert balances(program, lake) == after
    assert transfer(program, lake, "alice", "bob", "12.50", "T-1").code == 0, "the same key again is no error"
    for payer, payee, amount, why in (("alice", "nobody", 1, "two such accounts"), ("alice", "alice", 1, "the two accounts are one"), ("alice", "bob", 0, "positive"),
                                      ("alice", "bob", -5, "positive"), ("alice", "bob", "NULL", "positive"), ("alice", "bob", 1000, "not_negative")):
        answer = transfer(program, lake, payer, payee, amount, f"bad {payee} {amount}")
        assert answer.code != 0 and why in answer.err.decode(), answer.err
        assert balances(program, lake) == after


def test_transfers_at_the_same_time(program, tmp_path):
    """Money moves in a circle; a transfer that conflicts is made again with its key."""
    lake = tmp_path / "lake"
    script(program, lake, "accounts.sql")
    circle = ["alice", "bob", "carol"]
    committed, problems = [], []

    def move(worker):
        for n in range(3):
            payer, payee = circle[worker], circle[(worker + 1) % 3]
            key = f"{worker}-{n}"
            for _ in range(30):
                answer = transfer(program, lake, payer, payee, "1.00", key)
                if answer.code == 0:
                    committed.append((payer, payee))
                    break
                code = answer.problem()["code"]
                if code == "CONSTRAINT_VIOLATION":
                    break
                if code != "COMMIT_CONFLICT":
                    problems.append(answer.err)
                    break
            else:
                problems.append(f"{key} never committed".encode())

    threads = [threading.Thread(target=move, args=(worker,)) for worker in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not problems, problems
    wanted = {"alice": 100.0, "bob": 20.0, "carol": 0.0}
    for payer, payee in committed:
        wanted[payer] -= 1
        wanted[payee] += 1
    assert balances(program, lake) == wanted
    assert sum(wanted.values()) == 120.0


def test_isolation(program, tmp_path):
    out = demo(program, "isolation.sh", tmp_path / "lake")
    outcomes = {line[:50].strip(): line[51:] for line in out.splitlines() if "two: " in line}
    assert outcomes["appends of both"] == outcomes["TECH and FINANCE, in files of their own"] == outcomes["two rows of one file"] == "one: committed, two: committed"
    assert outcomes["one row"].startswith("one: committed, two: Concurrent"), out
    assert "nothing was lost" in out


def test_durability(program, tmp_path):
    rounds = os.environ.get("VARVE_ROUNDS", "3")
    assert " 0 missing" in demo(program, "durability.sh", tmp_path / "lake", rounds)
