#!/usr/bin/env bash
# examples/transactions/durability.sh: what was acknowledged is there after kill -9.
#   durability.sh [LAKE [ROUNDS]]     default build/demo/durability, made anew, and 5 rounds
# A writer inserts trades and says which are committed; it is killed in the middle. Every trade that it said is there, once, in a table that any reader
# opens; a transaction that was open leaves files that no version names.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VARVE=${VARVE:-$ROOT/build/varve}
LAKE=${1:-$ROOT/build/demo/durability}
ROUNDS=${2:-5}
rm -rf "$LAKE"
mkdir -p "$LAKE"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
run() { "$VARVE" --lake "$LAKE" --csv -t "$@"; }

run -c "CREATE TABLE trades (id int, price decimal(18,2)) USING DELTA" >/dev/null
: >"$WORK/said"
next=1
for round in $(seq "$ROUNDS"); do
  {
    echo "SET spark.databricks.delta.commitInfo.userMetadata = '{\"audit\": \"Q3_2024_trades\"}';"
    for id in $(seq $next $((next + 199))); do
      echo "INSERT INTO trades VALUES ($id, $id.50);"
      echo "SELECT 'acknowledged $id';"
    done
    echo "BEGIN; INSERT INTO trades VALUES (-1, 0); SELECT 'open'; "
  } >"$WORK/script.sql"
  "$VARVE" --lake "$LAKE" --csv -t --no-rc -f "$WORK/script.sql" >"$WORK/out" 2>/dev/null &
  writer=$!
  until grep -q acknowledged "$WORK/out"; do sleep 0.01; done
  sleep "0.$((RANDOM % 5))"
  kill -9 "$writer" 2>/dev/null || true
  wait "$writer" 2>/dev/null || true
  sed -n 's/^acknowledged //p' "$WORK/out" >>"$WORK/said"
  next=$((next + 200))
done

said=$(wc -l <"$WORK/said")
there=$(run -c "SELECT count(*) FROM trades")
once=$(run -c "SELECT count(*) = count(DISTINCT id) AND min(id) > 0 FROM trades")
missing=0
run -c "SELECT id FROM trades" | sort >"$WORK/there"
missing=$(sort "$WORK/said" | comm -23 - "$WORK/there" | wc -l)
noted=$(run -c "DESCRIBE HISTORY trades" | grep -c Q3_2024_trades)
echo "$ROUNDS kills: $said trades acknowledged, $there in the table, $missing missing, audit note on $noted commits"
[ "$missing" = 0 ] && [ "$once" = true ] && [ "$noted" = "$there" ] && [ "$there" -ge "$said" ] && [ "$there" -le $((said + ROUNDS)) ]
