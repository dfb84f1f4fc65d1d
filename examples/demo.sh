#!/usr/bin/env bash
# examples/demo.sh: loads the S&P 500 daily bars through bronze, silver and gold, tours them, and serves them.
#   --once       check every answer against the source files and exit
#   --port N     port to serve on (default 3005)
#   --lake DIR   where the lake goes (default build/demo/lake, made anew)
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
HERE=$ROOT/examples/market
VARVE=${VARVE:-$ROOT/build/varve}
WORK=$ROOT/build/demo
LAKE=$WORK/lake
PORT=3005
ONCE=
while [ $# -gt 0 ]; do
  case "$1" in
    --once) ONCE=1; shift;;
    --port) PORT=$2; shift 2;;
    --lake) LAKE=$2; shift 2;;
    *) echo "demo: unknown option \"$1\" (--once, --port N, --lake DIR)" >&2; exit 1;;
  esac
done

bold() { if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then printf '\n\033[1m%s\033[0m\n' "$*"; else printf '\n%s\n' "$*"; fi; }
run() { "$VARVE" --lake "$LAKE" "$@"; }
# ask TITLE SQL: prints the title, the statement and its answer.
ask() { bold "$1"; printf '%s\n' "$2" | sed 's/^/  | /'; run -c "$2"; }
value() { run --csv -t -c "$1"; }
load_edition() { sed "s/\${EDITION}/$1/" "$HERE/silver_load.sql" >"$WORK/load.sql"; run -f "$WORK/load.sql"; }

# ---- load ----------------------------------------------------------------------------------------
# The archives hold read-only folders, which an ordinary user could neither fill again nor remove.
writable() { [ ! -d "$WORK/landing" ] || chmod -R u+w "$WORK/landing"; }
writable
bold "Unpacking two editions of the daily bars"
rm -rf "$LAKE" "$WORK/landing"
mkdir -p "$WORK/landing" "$LAKE"
for edition in 2017-08 2018-02; do
  tar -xJf "$HERE/data/sp500_bars_$edition.tar.xz" -C "$WORK/landing"
done
writable
OLDER=$WORK/landing/sp500_5yr_asof_2017-08_subset
NEWER=$WORK/landing/sp500_5yr_asof_2018-02

bold "Bronze: every row as it came"
run -f "$HERE/bronze.sql" >/dev/null
ask "The edition of August 2017, 70 files" "COPY INTO bronze.bars_2017_08 FROM '$OLDER' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')"
ask "The edition of February 2018, 505 files" "COPY INTO bronze.bars_2018_02 FROM '$NEWER' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')"
ask "Loading it again changes nothing: files are remembered in the commit that loaded them" "COPY INTO bronze.bars_2018_02 FROM '$NEWER' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')"
run -c "COPY INTO bronze.constituents FROM '$HERE/data/sp500_constituents_2018-04-02.csv' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')" >/dev/null

bold "Silver: types, company and sector, defects flagged; the older edition is version 1, the newer version 2"
run -f "$HERE/silver.sql" >/dev/null
load_edition 2017_08
load_edition 2018_02

bold "Gold: returns, sectors, companies"
run -f "$HERE/gold.sql"

# ---- tour ------------------------------------------------------------------------------------------
ask "What is there" "SHOW ALL TABLES"
ask "619,040 real daily bars" "SELECT count(*) AS bars, count(DISTINCT symbol) AS symbols, min(date) AS first_day, max(date) AS last_day FROM silver.bars"
ask "The known defects, flagged and kept" "SELECT flag, count(*) AS bars FROM silver.bars, unnest(dq_flags) AS f(flag) GROUP BY flag ORDER BY flag"
ask "The table as it was before the newer edition: version 1" "SELECT symbol, count(*) AS bars FROM silver.bars VERSION AS OF 1 GROUP BY symbol ORDER BY symbol LIMIT 3"
ask "Its history" "DESCRIBE HISTORY silver.bars"
ask "AAPL's bar of 2017-08-11, as of version 1 and now" "SELECT a.date, a.high AS high_as_of_version_1, b.high AS high_now, a.close AS close_as_of_version_1, b.close AS close_now
FROM silver.bars VERSION AS OF 1 a JOIN silver.bars b ON b.symbol = a.symbol AND b.date = a.date
WHERE a.symbol = 'AAPL' AND a.date = DATE '2017-08-11'"
ask "What changed between the versions" "SELECT CASE WHEN a.symbol IS NULL THEN 'added' WHEN b.symbol IS NULL THEN 'gone' WHEN a.close <> b.close THEN 'close restated' ELSE 'same close' END AS change, count(*) AS bars
FROM silver.bars VERSION AS OF 1 a FULL JOIN silver.bars VERSION AS OF 2 b ON b.symbol = a.symbol AND b.date = a.date GROUP BY change ORDER BY change"
ask "A one-symbol query skips the files without it; the plan counts them" "EXPLAIN SELECT avg(close) FROM silver.bars WHERE symbol = 'AAPL'"
ask "A partition filter skips the other sectors' files" "EXPLAIN SELECT count(*) FROM gold.daily_returns WHERE sector = 'Energy'"
ask "The five best days of a sector" "SELECT date, round(100 * mean_return, 2) AS percent, advancing, symbols FROM gold.sector_daily WHERE sector = 'Information Technology' ORDER BY mean_return DESC LIMIT 5"

# ---- serve ---------------------------------------------------------------------------------------------
serve() { exec "$VARVE" --lake "$LAKE" serve --port "$1" --config "$HERE/search.json"; }
if [ -z "$ONCE" ]; then
  bold "Serving: open the address below, search for \"apple technology\", move the time slider of silver.bars"
  serve "$PORT"
  exit
fi

# ---- check: every answer against the source files -----------------------------------------------------------
failed=0
check() { if [ "$2" = "$3" ]; then printf 'ok    %s: %s\n' "$1" "$2"; else printf 'WRONG %s: %s, expected %s\n' "$1" "$2" "$3"; failed=1; fi; }
lines() { cat "$1"/*.csv | grep -vci '^date,'; }
field() { grep -h "^$2," "$1"/$3 | cut -d, -f"$4"; }
counted() { value "SELECT count(*) FROM silver.bars WHERE list_contains(dq_flags, '$1')"; }
empty() { cat "$NEWER"/*.csv | awk -F, -v c="$1" 'tolower($1) != "date" && $c == "" { n++ } END { print n + 0 }'; }
# Lows above another price of their day, highs below one.
beyond() { cat "$NEWER"/*.csv | awk -F, 'tolower($1) == "date" { next }
  $4 != "" && ($2 != "" && $4 + 0 > $2 + 0 || $3 != "" && $4 + 0 > $3 + 0 || $5 != "" && $4 + 0 > $5 + 0) { low++ }
  $3 != "" && ($2 != "" && $3 + 0 < $2 + 0 || $4 != "" && $3 + 0 < $4 + 0 || $5 != "" && $3 + 0 < $5 + 0) { high++ }
  END { print low + 0, high + 0 }'; }

bold "Checking the answers against the files"
check "bars of the newer edition" "$(value 'SELECT count(*) FROM silver.bars')" "$(lines "$NEWER")"
check "bars of the older edition (version 1)" "$(value 'SELECT count(*) FROM silver.bars VERSION AS OF 1')" "$(lines "$OLDER")"
check "AAPL's high of 2017-08-11 at version 1" "$(value "SELECT CAST(high AS DOUBLE) FROM silver.bars VERSION AS OF 1 WHERE symbol = 'AAPL' AND date = '2017-08-11'")" "$(field "$OLDER" 2017-08-11 AAPL_data.csv 3)"
check "AAPL's high of 2017-08-11 now" "$(value "SELECT CAST(high AS DOUBLE) FROM silver.bars WHERE symbol = 'AAPL' AND date = '2017-08-11'")" "$(field "$NEWER" 2017-08-11 'AAPL*.csv' 3)"
check "empty opens flagged" "$(counted open_missing)" "$(empty 2)"
check "empty highs flagged" "$(counted high_missing)" "$(empty 3)"
check "empty lows flagged" "$(counted low_missing)" "$(empty 4)"
read -r lows highs < <(beyond)
check "lows above another price flagged" "$(counted low_above_price)" "$lows"
check "highs below another price flagged" "$(counted high_below_price)" "$highs"
check "bars without volume flagged" "$(counted volume_zero)" "$(cat "$NEWER"/*.csv | awk -F, 'tolower($1) != "date" && $6 == "0" { n++ } END { print n + 0 }')"
check "rows that a second COPY INTO loads" "$(run --csv -t -c "COPY INTO bronze.bars_2018_02 FROM '$NEWER' FILEFORMAT = CSV FORMAT_OPTIONS ('header' = 'true')" | cut -d, -f2)" 0

coproc SERVER { serve 0; }
trap 'kill "$SERVER_PID" 2>/dev/null || true' EXIT
read -r _ _ url <&"${SERVER[0]}"
# answer URL FUNCTION: what FUNCTION makes of the server's response.
answer() { node -e "fetch(process.argv[1]).then($2).catch(e => 'no answer, ' + (e.cause ?? e).message).then(console.log)" "$1"; }
first=$(answer "$url/api/search?limit=1&q=apple%20technology" 'async r => { const found = await r.json(); return found.results[0].id + " " + (found.pagination.total > 0); }')
check "first hit for \"apple technology\"" "$first" "AAPL true"
page=$(answer "$url" 'async r => r.status + " " + (await r.text()).includes("<title>")')
check "the page at $url" "$page" "200 true"
[ "$failed" = 0 ] && printf '\nThe demo stands: every answer agrees with the source files.\n'
exit "$failed"
