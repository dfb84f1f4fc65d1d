"""The server: routes, formats, errors, limits, cancellation, cache, graceful stop; and what it does with garbage."""
import http.client
import io
import json
import pathlib
import re
import signal
import socket
import subprocess
import threading
import time
import urllib.parse

import pyarrow as pa
import pytest

import program as programs

SEARCH = {"search": {"tables": {"companies": {"columns": {"id": "symbol", "title": "name", "subtitle": "sector", "category": "sector", "date": "listed"},
                                              "searchColumns": ["symbol", "name", "sector"]}}}}
# Runs for as long as it is let.
ENDLESS = "SELECT count(*) AS n FROM range(100000000000) a WHERE hash(a.range) % 1000003 = 7"


@pytest.fixture(scope="module")
def lake(program, module_scratch):
    folder = module_scratch / "lake"
    with programs.Session(program, folder) as session:
        session.query("CREATE TABLE bars (symbol string, n bigint, close decimal(10,2), moment timestamp) USING DELTA PARTITIONED BY (symbol)")
        session.query("INSERT INTO bars VALUES ('AAPL', 1, 185.64, '2024-01-02 21:00:00+00'), ('MSFT', 2, 370.87, NULL)")
        session.query("CREATE TABLE companies (symbol string, name string, sector string, listed date) USING DELTA")
        session.query("INSERT INTO companies VALUES ('AAPL', 'Apple Inc.', 'Information Technology', '1980-12-12'), "
                      "('MSFT', 'Microsoft Corp.', 'Information Technology', '1986-03-13'), ('JPM', 'JPMorgan Chase', 'Financials', '1969-03-05'), "
                      "('APLE', 'Apple Hospitality', 'Real Estate', '2015-05-18')")
        session.query("CREATE SCHEMA gold")
        session.query("CREATE TABLE gold.`odd name` AS SELECT 1 AS a")
        session.query("CREATE VIEW gold.best AS SELECT symbol FROM default.companies")
    (module_scratch / "search.json").write_text(json.dumps(SEARCH))
    return folder


@pytest.fixture(scope="module")
def server(program, lake, module_scratch):
    with programs.Server(program, lake, "--config", str(module_scratch / "search.json")) as running:
        yield running


def check_problem(reply, status, code):
    assert reply.status == status, reply.body
    assert reply.headers["Content-Type"] == "application/problem+json"
    problem = reply.json()
    assert problem["code"] == code, problem
    assert problem["status"] == status
    assert problem["type"] and problem["title"] and problem["detail"] and problem["instance"]
    assert problem["success"] is False and problem["error"] == problem["detail"]
    return problem


# ---- routes ----------------------------------------------------------------------------------------------------


def test_every_route_of_the_table_is_tested_here():
    """A route that is added to routes.def must be asked for in this file."""
    routes = re.findall(r'^ROUTE\(\w+, "(\w+)", "([^"]+)"', (programs.ROOT / "src/server/routes.def").read_text(), re.M)
    text = pathlib.Path(__file__).read_text()
    assert routes
    for _, path in routes:
        assert f'"{path}' in text or f"'{path}" in text, f"{path} is not tested"


def test_query_answers_columns_rows_and_info(server):
    reply = server.query("SELECT symbol, n, close, moment FROM bars ORDER BY n")
    assert reply.status == 200 and reply.headers["Content-Type"] == "application/json"
    answer = reply.json()
    assert [c["name"] for c in answer["columns"]] == ["symbol", "n", "close", "moment"]
    assert [r["symbol"] for r in answer["rows"]] == ["AAPL", "MSFT"]
    assert answer["rows"][1]["moment"] is None
    info = answer["info"]
    assert info["statement"] == "select" and info["row_count"] == 2 and info["cache"] == "miss"
    (table,) = info["tables"]
    assert table["name"] == "varve.default.bars" and table["version"] == 1 and table["files_total"] == 2 and table["files_read"] == 2
    assert info["total_ms"] > 0


def test_query_takes_a_json_body(server):
    body = json.dumps({"sql": "SELECT 'ü\n\"quoted\"' AS text"}).encode()
    reply = server.request("POST", "/api/query", body=body, headers={"Content-Type": "application/json"})
    assert reply.json()["rows"] == [{"text": 'ü\n"quoted"'}]


@pytest.mark.parametrize("body, what", [(b'{"sql": 5}', "a number"), (b'{"sql": "SELECT 1"', "no end"), (b'{"query": "SELECT 1"}', "another key"),
                                        (b'{"sql": "SELECT 1", "x": 1}', "too much"), (b'{"sql": "\\x"}', "a bad escape"), (b"", "nothing"), (b"  ", "blanks")])
def test_bodies_that_hold_no_statement(server, body, what):
    reply = server.request("POST", "/api/query", body=body, headers={"Content-Type": "application/json"})
    assert reply.status == 400, (what, reply.body)
    check_problem(reply, 400, reply.json()["code"])
    assert reply.json()["code"] in ("INVALID_ARGUMENT", "SYNTAX")


@pytest.mark.parametrize("accept, media_type, text", [
    ("text/csv", "text/csv", "a,b\n1,x\n2,\n"),
    ("application/x-ndjson", "application/x-ndjson", '{"a":1,"b":"x"}\n{"a":2,"b":null}\n'),
    ("text/markdown", "text/markdown", None),
    ("text/plain", "text/plain", None),
    ("text/html, text/csv;q=0.5", "text/csv", "a,b\n1,x\n2,\n")])
def test_formats_by_accept(server, accept, media_type, text):
    reply = server.query("SELECT * FROM (VALUES (1, 'x'), (2, NULL)) t(a, b) ORDER BY a", accept=accept)
    assert reply.status == 200 and reply.headers["Content-Type"].startswith(media_type)
    if text is not None:
        assert reply.body.decode() == text


def test_arrow_by_accept(server):
    reply = server.query("SELECT symbol, close FROM bars ORDER BY symbol", accept="application/vnd.apache.arrow.stream")
    assert reply.headers["Content-Type"] == "application/vnd.apache.arrow.stream"
    table = pa.ipc.open_stream(io.BytesIO(reply.body)).read_all()
    assert table.column("symbol").to_pylist() == ["AAPL", "MSFT"]
    assert table.schema.field("close").type == pa.decimal128(10, 2)


@pytest.mark.parametrize("accept, media_type", [
    ("text/csv;q=0, application/json", "application/json"),
    ("text/csv;q=0.2, application/json;q=0.3", "application/json"),
    ("text/csv; Q=0.301 , application/json;q=0.3", "text/csv"),
    ("application/json;q=0, */*", "text/csv"),
    ("*/*, text/csv", "text/csv"),
    ("*/*;q=0.9, text/*;q=0.1", "application/json"),
    ("text/*", "text/csv"),
    ("text/csv;q=0, text/*", "text/markdown"),
    ("TEXT/CSV", "text/csv"),
    ('application/json;x="a,b;q=0";q=0.1, text/csv;q=0.05', "application/json"),
    ("text/csv;q=often, application/json;q=0.1", "application/json"),
    ("text/csv;q=1.5, application/json;q=0.1", "application/json"),
    ("image/png, */*;q=0.1", "application/json"),
    ("text/csv, application/json", "text/csv"),
    (" , ", "application/json"),
    ("", "application/json")])
def test_weights_of_accept(server, accept, media_type):
    assert server.query("SELECT 1 AS a", accept=accept).headers["Content-Type"].startswith(media_type)


def test_accept_over_several_headers(server):
    reply = raw(server, b"POST /api/query HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: image/png\r\nAccept: text/csv;q=0.5, application/json;q=0.4\r\n"
                        b"Content-Length: 13\r\n\r\nSELECT 1 AS a")
    assert b"\r\nContent-Type: text/csv" in reply


@pytest.mark.parametrize("accept", ["image/png", "*/*;q=0", "application/json;q=0", "text", "*"])
def test_an_accept_that_cannot_be_met(server, accept):
    problem = check_problem(server.query("SELECT 1", accept=accept), 406, "NOT_ACCEPTABLE")
    for media_type in ("application/json", "text/csv", "application/x-ndjson", "application/vnd.apache.arrow.stream"):
        assert media_type in problem["detail"]


def test_large_integers_survive(server):
    rows = server.query("SELECT 9223372036854775807 AS big", path="/api/query?bigint=string").json()["rows"]
    assert rows == [{"big": "9223372036854775807"}]
    assert server.query("SELECT 9223372036854775807 AS big").json()["rows"] == [{"big": 9223372036854775807}]


def test_a_long_answer_is_streamed_whole(server):
    reply = server.query("SELECT range AS n, repeat('x', 100) AS s FROM range(200000)", accept="application/x-ndjson", timeout=120)
    lines = reply.body.decode().splitlines()
    assert len(lines) == 200000
    assert sum(json.loads(line)["n"] for line in lines) == 199999 * 100000


def test_tables(server):
    answer = server.get("/api/tables").json()
    assert answer["total_tables"] == 3 == len(answer["tables"])
    assert answer["views"] == [{"name": "gold.best", "schema_name": "gold", "view_name": "best"}] and answer["total_views"] == 1
    bars = next(t for t in answer["tables"] if t["table_name"] == "bars")
    assert bars["schema_name"] == "default" and bars["version"] == 1 and bars["record_count"] == 2 and bars["num_files"] == 2 and bars["size_bytes"] > 0


def test_one_table(server):
    table = server.get("/api/tables/default.bars").json()
    text = json.dumps(table)
    assert "decimal(10,2)" in text and '"history"' in text
    assert [c["version"] for c in table["history"]] == [1, 0]
    assert server.get("/api/tables/" + urllib.parse.quote("gold.odd name")).status == 200
    check_problem(server.get("/api/tables/default.nothing"), 404, "TABLE_NOT_FOUND")


def test_stats(server):
    before = server.get("/api/stats").json()
    server.query("SELECT 1")
    after = server.get("/api/stats").json()
    assert after["queries"] > before["queries"]
    assert {"hits", "misses", "entries"} <= set(after["cache"])


def test_stats_tell_what_the_lake_holds(server):
    tables = server.get("/api/tables").json()["tables"]
    stats = server.get("/api/stats").json()
    assert stats["totalTables"] == len(tables) == 3
    assert stats["totalRecords"] == sum(t["record_count"] for t in tables) == 2 + 4 + 1
    assert stats["totalBytes"] == sum(t["size_bytes"] for t in tables)
    assert stats["uncountedTables"] == 0


def test_health(server):
    health = server.get("/api/health").json()
    assert health["status"] == "healthy" and health["services"]["lake"]["latency_ms"] > 0
    assert server.get("/healthz").status == 200
    assert server.get("/readyz").status == 200


def test_metrics(server):
    reply = server.get("/metrics")
    assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
    samples = {}
    for line in reply.body.decode().splitlines():
        if not line.startswith("#"):
            name, value = line.rsplit(" ", 1)
            assert name not in samples
            samples[name] = float(value)
    assert samples["varve_queries_total"] > 0
    typed = re.findall(r"^# TYPE (\w+) (counter|gauge|histogram)$", reply.body.decode(), re.M)
    assert len(typed) == len(set(typed)) >= 10


# ---- search ------------------------------------------------------------------------------------------------------


def search(server, **arguments):
    return server.get("/api/search?" + urllib.parse.urlencode(arguments))


def test_search(server):
    reply = search(server, q="apple technology")
    assert reply.status == 200
    answer = reply.json()
    assert answer["success"] is True
    first = answer["results"][0]
    assert first["id"] == "AAPL" and first["title"] == "Apple Inc."
    assert {"id", "title", "type", "url", "matchType", "relevanceScore", "metadata"} <= set(first)
    assert first["metadata"]["delta_table"] == "varve.default.companies" and first["metadata"]["delta_version"] == 1
    assert answer["pagination"] == {"page": 1, "limit": 20, "total": answer["pagination"]["total"], "pages": 1, "hasNext": False, "hasPrev": False}
    assert answer["performance"]["resultCount"] == len(answer["results"])
    assert answer["data"]["results"] == answer["results"]


def test_search_says_whether_there_are_other_versions(program, scratch):
    """Of the first version too, which is the only one at first."""
    config = scratch / "search.json"
    config.write_text(json.dumps(SEARCH))
    with programs.Session(program, scratch / "lake") as session:
        session.query("CREATE TABLE companies AS SELECT 'AAPL' AS symbol, 'Apple Inc.' AS name, 'Technology' AS sector, DATE '1980-12-12' AS listed")
        session.query("SELECT 1")
    with programs.Server(program, scratch / "lake", "--config", str(config)) as running:
        def available(**arguments):
            return search(running, q="apple", **arguments).json()["results"][0]["metadata"]["time_travel_available"]

        assert available() is False and available(version=0) is False
        running.query("INSERT INTO companies VALUES ('APLE', 'Apple Hospitality', 'Real Estate', DATE '2015-05-18')")
        assert available() is True and available(version=0) is True and available(version=1) is True


def test_search_pages(server):
    first = search(server, q="technology", limit=1).json()
    second = search(server, q="technology", limit=1, page=2).json()
    assert first["pagination"]["total"] == 2 and first["pagination"]["pages"] == 2 and first["pagination"]["hasNext"] and not first["pagination"]["hasPrev"]
    assert {first["results"][0]["id"], second["results"][0]["id"]} == {"AAPL", "MSFT"}
    assert not second["pagination"]["hasNext"] and second["pagination"]["hasPrev"]


def test_search_filters_and_order(server):
    by_category = search(server, q="apple", filters=json.dumps({"category": ["Real Estate"]})).json()
    assert [r["id"] for r in by_category["results"]] == ["APLE"]
    by_date = search(server, q="technology", filters=json.dumps({"dateRange": {"start": "1985-01-01", "end": "1990-01-01"}})).json()
    assert [r["id"] for r in by_date["results"]] == ["MSFT"]
    ordered = search(server, q="technology", sortBy="date", sortOrder="asc").json()
    assert [r["id"] for r in ordered["results"]] == ["AAPL", "MSFT"]


def test_search_refuses(server):
    check_problem(server.get("/api/search"), 400, "INVALID_ARGUMENT")
    check_problem(search(server, q="x", page="two"), 400, "INVALID_ARGUMENT")
    check_problem(search(server, q="x", page=0), 400, "INVALID_ARGUMENT")
    check_problem(search(server, q="x", limit=501), 400, "INVALID_ARGUMENT")
    check_problem(search(server, q="x", filters="{no json"), 400, "INVALID_ARGUMENT")
    check_problem(search(server, q="x", table="nothing"), 404, "TABLE_NOT_FOUND")


def test_a_place_in_the_filters(server):
    """Lines and columns count from one, as in statements."""
    assert check_problem(search(server, q="x", filters="{no json"), 400, "INVALID_ARGUMENT")["position"] == {"offset": 1, "line": 1, "column": 2}
    problem = check_problem(search(server, q="x", filters='{"category":\n ["\u00fc", oops]}'), 400, "INVALID_ARGUMENT")
    assert problem["position"] == {"offset": 21, "line": 2, "column": 8}
    assert "position" not in check_problem(search(server, q="x", filters="[]"), 400, "INVALID_ARGUMENT")


def test_search_finds_nothing_politely(server):
    answer = search(server, q="zzzzqqqq").json()
    assert answer["results"] == [] and answer["pagination"]["total"] == 0


def test_search_is_cached_and_sees_the_next_commit(program, server, lake):
    assert "miss" in search(server, q="nvidia").headers["Cache-Status"]
    reply = search(server, q="nvidia")
    assert "hit" in reply.headers["Cache-Status"] and reply.json()["performance"]["cacheHit"] is True
    program.sql(lake, "INSERT INTO companies VALUES ('NVDA', 'NVIDIA Corp.', 'Semiconductors', '1999-01-22')")
    reply = search(server, q="nvidia")
    assert "miss" in reply.headers["Cache-Status"]
    assert [r["id"] for r in reply.json()["results"]] == ["NVDA"]


# ---- the page ------------------------------------------------------------------------------------------------------


def test_the_page_and_its_files(server):
    reply = server.get("/")
    assert reply.status == 200 and reply.headers["Content-Type"].startswith("text/html")
    policy = reply.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy
    page = reply.body.decode()
    assert not re.search(r'(?:src|href)="(?:https?:)?//', page), "the page asks other machines for something"
    for path in re.findall(r'(?:src|href)="(/[^"]+)"', page):
        asset = server.get(path)
        assert asset.status == 200, path
        again = server.get(path, headers={"If-None-Match": asset.headers["ETag"]})
        assert again.status == 304 and again.body == b""


# ---- methods, headers ------------------------------------------------------------------------------------------------


def test_methods(server):
    reply = server.get("/api/query")
    check_problem(reply, 405, "METHOD_NOT_ALLOWED")
    assert reply.headers["Allow"] == "POST"
    reply = server.request("DELETE", "/api/tables")
    check_problem(reply, 405, "METHOD_NOT_ALLOWED")
    assert "GET" in reply.headers["Allow"]


def test_head(server):
    get, head = server.get("/api/tables"), server.request("HEAD", "/api/tables")
    assert head.status == 200 and head.body == b""
    assert head.headers["Content-Type"] == get.headers["Content-Type"] and head.headers["Content-Length"] == get.headers["Content-Length"]


def test_unknown_paths(server):
    check_problem(server.get("/api/nothing"), 404, "NOT_FOUND")
    for path in ("/api/tables/../../etc/passwd", "/..%2f..%2fetc/passwd", "/%00"):
        assert b"root:" not in server.get(path).body


def test_request_ids_differ(server):
    ids = {server.get("/healthz").headers["X-Request-Id"] for _ in range(5)}
    assert len(ids) == 5


# ---- other sites -----------------------------------------------------------------------------------------------------


def post_from(server, origin, host=None):
    return server.request("POST", "/api/query", body=b"SELECT 1 AS a", headers={"Content-Type": "text/plain", "Origin": origin, **({"Host": host} if host else {})})


def test_pages_of_other_sites_may_not_post(server):
    for origin in ("http://evil.example", f"http://evil.example:{server.port}", f"http://{server.host}", f"http://{server.host}:{server.port + 1}",
                   f"http://{server.host}:{server.port}0", f"http://evil.example/{server.host}:{server.port}", f"http://localhost:{server.port}", "null"):
        problem = check_problem(post_from(server, origin), 403, "PERMISSION_DENIED")
        assert "Origin" in problem["detail"] and "--allow-host" in problem["hint"]
    check_problem(server.request("DELETE", "/api/tables", headers={"Origin": "http://evil.example"}), 403, "PERMISSION_DENIED")
    # Reading is the browser's to guard: it shows the reply to nobody else.
    assert server.get("/api/tables", headers={"Origin": "http://evil.example"}).status == 200
    assert "Access-Control-Allow-Origin" not in server.get("/api/tables", headers={"Origin": "http://evil.example"}).headers


def test_the_servers_own_page_may_post(server):
    assert post_from(server, f"http://{server.host}:{server.port}").json()["rows"] == [{"a": 1}]
    assert post_from(server, f"http://LOCALHOST:{server.port}", f"localhost:{server.port}").status == 200
    assert post_from(server, "http://localhost", "localhost:80").status == 200
    assert post_from(server, "https://localhost", "localhost").status == 200
    assert post_from(server, "https://localhost", "localhost:80").status == 403


@pytest.mark.parametrize("path", ["/", "/api/tables", "/metrics", "/healthz"])
def test_names_that_are_not_the_servers(server, path):
    """DNS rebinding: a page's own name leads to this machine, and its browser thinks nothing of it."""
    for host in ("evil.example", f"evil.example:{server.port}", "127.0.0.1.evil.example", "localhost.evil.example:80", "[::1].evil.example", "[::2]", "10.0.0.1", "127.0.0.1x"):
        problem = check_problem(server.get(path, headers={"Host": host}), 403, "PERMISSION_DENIED")
        assert "Host" in problem["detail"]
    for host in ("127.0.0.1", "127.3.2.1:99", "localhost", f"LocalHost:{server.port}", "[::1]:3005", "[::1]"):
        assert server.get(path, headers={"Host": host}).status == 200, host


def test_a_host_that_is_allowed(program, lake):
    with programs.Server(program, lake, "--allow-host", "lake.example", "--allow-host", "other.example") as server:
        assert server.get("/healthz", headers={"Host": "lake.example:8443"}).status == 200
        assert post_from(server, "https://other.example").status == 200
        assert post_from(server, "https://evil.example").status == 403
        assert server.get("/healthz", headers={"Host": "evil.example"}).status == 403


def test_a_server_for_other_machines_has_many_names(program, lake):
    with programs.Server(program, lake, "--host", "0.0.0.0") as server:
        assert server.get("/healthz", headers={"Host": "lake.example"}).status == 200
        assert post_from(server, "http://lake.example", "lake.example").status == 200
        assert post_from(server, "http://evil.example", "lake.example").status == 403


# ---- errors --------------------------------------------------------------------------------------------------------------


def test_errors_have_their_place(server):
    problem = check_problem(server.query("SELECT symbol,\n  clos FROM bars"), 400, "COLUMN_NOT_FOUND")
    assert problem["position"] == {"offset": 17, "line": 2, "column": 3}
    assert "close" in problem["hint"]
    check_problem(server.query("SELEC 1"), 400, "SYNTAX")
    check_problem(server.query("SELECT * FROM nothing"), 404, "TABLE_NOT_FOUND")
    check_problem(server.query("SELECT * FROM bars VERSION AS OF 99"), 404, "VERSION_NOT_FOUND")
    check_problem(server.query("GRANT SELECT ON bars TO x"), 501, "NOT_SUPPORTED")
    check_problem(server.query("CREATE TABLE bars (a int) USING DELTA"), 409, "TABLE_EXISTS")
    check_problem(server.query("INSERT INTO bars VALUES (1)"), 422, "SCHEMA_MISMATCH")


def test_an_error_in_the_middle_of_the_rows_ends_the_stream(server):
    """The status is sent by then: the reply must not look complete."""
    sql = "SELECT range AS n, CASE WHEN range = 1500000 THEN error('late') ELSE 'x' END AS s FROM range(2000000)"
    connection = http.client.HTTPConnection(server.host, server.port, timeout=120)
    connection.request("POST", "/api/query", body=sql, headers={"Accept": "text/csv"})
    reply = connection.getresponse()
    if reply.status == 200:
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            reply.read()
    else:
        assert "late" in json.loads(reply.read())["detail"]
    connection.close()


def test_every_error_code_has_an_http_status(server):
    """The status that a problem carries is the one of errors.def."""
    table = dict(re.findall(r'^ERROR_CODE\((\w+), "\w+", (\d+)', (programs.ROOT / "src/base/errors.def").read_text(), re.M))
    for sql in ("SELECT 1/0 FROM nothing", "SELEC", "SELECT * FROM bars@v77", "SELECT nope FROM bars", "USE nothing"):
        reply = server.query(sql)
        assert str(reply.status) == table[reply.json()["code"]]


# ---- deadlines and cancellation ------------------------------------------------------------------------------------------------


def test_a_deadline_ends_the_statement(server):
    started = time.monotonic()
    check_problem(server.query(ENDLESS, path="/api/query?timeout_ms=300"), 504, "DEADLINE_EXCEEDED")
    assert time.monotonic() - started < 20
    check_problem(server.query("SELECT 1", path="/api/query?timeout_ms=soon"), 400, "INVALID_ARGUMENT")


def running(server):
    return server.get("/api/stats").json()["queriesRunning"]


def wait_until(condition, seconds=20):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_a_client_that_leaves_cancels_its_statement(server):
    body = ENDLESS.encode()
    client = socket.create_connection((server.host, server.port))
    client.sendall(b"POST /api/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert wait_until(lambda: running(server) >= 1)
    client.close()
    assert wait_until(lambda: running(server) == 0), "the statement went on without its client"


def test_a_client_that_leaves_a_long_answer_cancels_its_statement(server):
    body = b"SELECT range AS n, repeat('x', 1000) AS s FROM range(100000000)"
    client = socket.create_connection((server.host, server.port))
    client.sendall(b"POST /api/query HTTP/1.1\r\nHost: localhost\r\nAccept: text/csv\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
    assert client.recv(1000).startswith(b"HTTP/1.1 200")
    assert wait_until(lambda: running(server) >= 1)
    client.close()
    assert wait_until(lambda: running(server) == 0), "the statement went on without its client"


# ---- cache ---------------------------------------------------------------------------------------------------------------------


def test_cache_status(program, server, lake):
    sql = "SELECT count(*) AS n FROM companies WHERE sector = 'Financials'"
    first, second = server.query(sql), server.query("select  count(*) AS n FROM companies -- the same\n WHERE sector = 'Financials'")
    assert "miss" in first.headers["Cache-Status"] and "hit" in second.headers["Cache-Status"]
    assert first.json()["rows"] == second.json()["rows"] and second.json()["info"]["cache"] == "hit"
    program.sql(lake, "INSERT INTO companies VALUES ('BAC', 'Bank of America', 'Financials', NULL)")
    third = server.query(sql)
    assert "miss" in third.headers["Cache-Status"]
    assert third.json()["rows"][0]["n"] == first.json()["rows"][0]["n"] + 1
    # History is as good as ever.
    old = sql.replace("companies", "companies VERSION AS OF 1")
    server.query(old)
    assert "hit" in server.query(old).headers["Cache-Status"]


def test_what_changes_by_itself_is_not_cached(server):
    for sql in ("SELECT random() AS r", "SELECT current_timestamp AS t"):
        assert server.query(sql).json()["rows"] != server.query(sql).json()["rows"]


def test_changes_through_the_server(server):
    server.query("CREATE TABLE written (a int) USING DELTA")
    reply = server.query("INSERT INTO written VALUES (1), (2)").json()
    assert reply["info"]["version"] == 1 and reply["info"]["statement"] == "insert"
    assert server.query("SELECT sum(a) AS s FROM written").json()["rows"] == [{"s": 3}]
    assert server.query("DROP TABLE written").status == 200


# ---- limits and garbage ------------------------------------------------------------------------------------------------------------


def raw(server, data, seconds=20):
    """Sends bytes, answers what comes back until the server closes or is quiet."""
    with socket.create_connection((server.host, server.port), timeout=seconds) as client:
        try:
            client.sendall(data)
            client.shutdown(socket.SHUT_WR)
        except OSError:
            pass
        received = b""
        try:
            while chunk := client.recv(65536):
                received += chunk
        except OSError:
            pass
        return received


def alive(server):
    return server.get("/healthz").status == 200


def test_a_body_beyond_the_ceiling(server):
    body = b"SELECT '" + b"x" * (3 << 20) + b"'"
    check_problem(server.request("POST", "/api/query", body=body), 413, "LIMIT_EXCEEDED")
    assert alive(server)


def test_headers_of_a_gibibyte(server):
    """The server gives up long before the end, and takes no memory for it."""
    before = resident_bytes(server)
    sent = 0
    with socket.create_connection((server.host, server.port), timeout=20) as client:
        client.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: ")
        chunk = b"y" * (1 << 20)
        try:
            for _ in range(1024):
                client.sendall(chunk)
                sent += len(chunk)
        except OSError:
            pass
    assert sent < 1 << 30, "a header of 1 GiB was read to its end"
    assert resident_bytes(server) - before < 64 << 20
    assert alive(server)


def test_many_headers(server):
    reply = raw(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n" + b"".join(b"X-%d: y\r\n" % i for i in range(100000)) + b"\r\n")
    assert b" 200 " not in reply.split(b"\r\n", 1)[0]
    assert alive(server)


def resident_bytes(server):
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


@pytest.mark.parametrize("data", [b"\x00\x01\x02\xff" * 100, b"GET\r\n\r\n", b"POST /api/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: -5\r\n\r\n",
                                  b"POST /api/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\nx",
                                  b"POST /api/query HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\nx\r\n", b"GET / HTTP/9.9\r\n\r\n",
                                  b"GET " + b"/" * 200000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", b"GET /api/search?q=%zz%f HTTP/1.1\r\nHost: localhost\r\n\r\n",
                                  b"GET /api/tables/%ff%fe HTTP/1.1\r\nHost: localhost\r\n\r\n", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"])
def test_garbage(server, data):
    reply = raw(server, data)
    # 505 is libmicrohttpd's own answer to a version that it does not speak.
    assert b"HTTP/1.1 5" not in reply.replace(b"HTTP/1.1 505", b"") or b"problem+json" in reply
    assert alive(server)


@pytest.mark.parametrize("data, word", [
    (b"POST /api/query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 8\r\nContent-Length: 3\r\n\r\nSELECT 1", "Content-Length"),
    (b"POST /api/query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 0\r\ncontent-length: 45\r\n\r\nGET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "Content-Length"),
    (b"POST /api/query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 18\r\nTransfer-Encoding: chunked\r\n\r\n8\r\nSELECT 1\r\n0\r\n\r\n", "Transfer-Encoding"),
    (b"GET /healthz HTTP/1.1\r\n\r\n", "Host"),
    (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: localhost\r\n\r\nGET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", "Host")])
def test_requests_that_can_be_read_in_two_ways(server, data, word):
    """They are refused, and nothing after them is taken for a request."""
    reply = raw(server, data)
    head, _, body = reply.partition(b"\r\n\r\n")
    assert reply.count(b"HTTP/1.1 ") == 1 and head.startswith(b"HTTP/1.1 400 ") and b"application/problem+json" in head, reply
    problem = json.loads(body)
    assert problem["code"] == "INVALID_ARGUMENT" and word in problem["detail"]
    assert alive(server)


def test_requests_that_are_odd_but_clear(server):
    assert raw(server, b"GET /healthz HTTP/1.0\r\n\r\n").startswith(b"HTTP/1.1 200")
    twice = b"POST /api/query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 13\r\nContent-Length: 13\r\n\r\nSELECT 1 AS a"
    assert b'"rows":[{"a":1}]' in raw(server, twice).replace(b" ", b"").replace(b"\n", b"")


@pytest.mark.parametrize("length, status", [(b"-5", 400), (b"99999999999999999999", 413), (b"ten", 400)])
def test_lengths_that_are_no_length(server, length, status):
    with socket.create_connection((server.host, server.port), timeout=20) as client:
        client.sendall(b"POST /api/query HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: " + length + b"\r\n\r\n")
        reply = http.client.HTTPResponse(client, method="POST")
        reply.begin()
        assert reply.status == status and reply.getheader("Connection") == "close"
        assert len(reply.read()) == int(reply.getheader("Content-Length"))
    assert alive(server)


@pytest.mark.parametrize("body", [b"SELECT '\xff\xfe'", b"\x00", b"SELECT 1; \x00 SELECT 2", b"\xef\xbb\xbfSELECT 1"])
def test_statements_of_odd_bytes(server, body):
    reply = server.request("POST", "/api/query", body=body, headers={"Content-Type": "text/plain"})
    assert reply.status in (200, 400), reply.body
    if reply.status == 400:
        check_problem(reply, 400, reply.json()["code"])
    assert alive(server)


def test_slow_clients_do_not_hold_up_others(server):
    """Forty connections that send a byte now and then; the rest is served meanwhile."""
    slow = [socket.create_connection((server.host, server.port)) for _ in range(40)]
    try:
        for client in slow:
            client.sendall(b"POST /api/query HTTP/1.1\r\nHost: localhost\r\nContent-Le")
        started = time.monotonic()
        for _ in range(20):
            assert alive(server)
        assert time.monotonic() - started < 10
        for client in slow:
            client.sendall(b"n")
        assert server.query("SELECT 1 AS a").json()["rows"] == [{"a": 1}]
    finally:
        for client in slow:
            client.close()


def test_many_requests_at_once(server):
    """64 clients, 4 requests each, every answer its own."""
    wrong = []

    def client(number):
        for i in range(4):
            reply = server.query(f"SELECT {number} * 10 + {i} AS n, count(*) AS c FROM bars")
            if reply.status != 200 or reply.json()["rows"] != [{"n": number * 10 + i, "c": 2}]:
                wrong.append((number, reply.status, reply.body[:200]))

    threads = [threading.Thread(target=client, args=(n,)) for n in range(64)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong, wrong[:3]


def test_keep_alive_and_pipelining(server):
    reply = raw(server, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n" * 3 + b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert reply.count(b"HTTP/1.1 200") == 4


# ---- starting and stopping -----------------------------------------------------------------------------------------------------------


def test_sigterm_finishes_what_runs(program, lake):
    server = programs.Server(program, lake)
    replies = []
    sql = "SELECT sum(hash(range) % 7) AS s FROM range(30000000)"
    client = threading.Thread(target=lambda: replies.append(server.query(sql)))
    client.start()
    assert wait_until(lambda: running(server) >= 1)
    assert server.stop(signal.SIGTERM) == 0
    client.join()
    assert replies and replies[0].status in (200, 499, 503), replies[0].body
    if replies[0].status == 200:
        assert len(replies[0].json()["rows"]) == 1


def test_sigint_stops(program, lake):
    server = programs.Server(program, lake)
    assert alive(server)
    assert server.stop(signal.SIGINT) == 0


def test_a_port_that_is_taken(program, lake, server):
    answer = program.run(lake, "serve", "--port", str(server.port), timeout=60)
    assert answer.code == 2
    assert b"cannot listen" in answer.err


@pytest.mark.parametrize("arguments", [["--port", "70000"], ["--port", "web"], ["--nonsense"], ["stray"], ["--config", "/no/such/file"]])
def test_bad_usage(program, lake, arguments):
    answer = program.run(lake, "serve", *arguments, timeout=60)
    assert answer.code == 1 and answer.err.startswith(b"error: ")


def test_a_search_configuration_that_is_wrong(program, lake, scratch):
    (scratch / "search.json").write_text('{"serach": {}}')
    answer = program.run(lake, "serve", "--port", "0", "--config", str(scratch / "search.json"), timeout=60)
    assert answer.code == 1
    assert b"serach" in answer.err and b"search" in answer.err


def test_a_server_may_be_read_only(program, lake):
    with programs.Server(program, lake, "--readonly") as server:
        assert server.query("SELECT count(*) AS n FROM bars").status == 200
        check_problem(server.query("INSERT INTO bars VALUES ('X', 3, 1, NULL)"), 403, "PERMISSION_DENIED")


def test_help(program):
    answer = program.run(None, "help", "serve")
    assert answer.code == 0 and b"--port" in answer.out


def test_curl_sees_what_the_readme_says(server):
    """curl as people use it."""
    ended = subprocess.run(["curl", "-sS", "-H", "Accept: text/csv", "--data-binary", "SELECT symbol FROM bars ORDER BY symbol", f"{server.url}/api/query"],
                           capture_output=True, timeout=60)
    assert ended.stdout == b"symbol\nAAPL\nMSFT\n"
