#!/usr/bin/env bash
# examples/transactions/isolation.sh: two sessions change stocks of TECH and FINANCE at the same time.
#   isolation.sh [LAKE]     default build/demo/isolation, made anew
# Each case says what both sessions did and how it ended; afterwards what the table must hold is checked.
set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
VARVE=${VARVE:-$ROOT/build/varve}
LAKE=${1:-$ROOT/build/demo/isolation}
rm -rf "$LAKE"
mkdir -p "$LAKE"
WORK=$(mktemp -d)
trap 'rm -rf "$WORK"' EXIT
run() { "$VARVE" --lake "$LAKE" --csv -t "$@"; }

# Two sessions that stay: each reads statements from a pipe, and what it answers stands in a file.
open_session() {
  mkfifo "$WORK/$1.in"
  "$VARVE" --lake "$LAKE" --batch --no-rc --csv -t --set ON_ERROR_STOP=0 <"$WORK/$1.in" >"$WORK/$1.out" 2>"$WORK/$1.err" &
}
# say SESSION SQL: waits until the session has run it; its answer, or its error, is in $SAID.
COUNT=0
say() {
  COUNT=$((COUNT + 1))
  local before
  before=$(wc -l <"$WORK/$1.err")
  printf "%s;\nSELECT 'done %d';\n" "$2" "$COUNT" >&"$3"
  until grep -q "^done $COUNT\$" "$WORK/$1.out" 2>/dev/null; do sleep 0.01; done
  SAID=$(tail -n +$((before + 1)) "$WORK/$1.err")
}
open_session one; exec 3>"$WORK/one.in"
open_session two; exec 4>"$WORK/two.in"
one() { say one "$1" 3; }
two() { say two "$1" 4; }
outcome() { if [ -z "$SAID" ]; then echo committed; else grep -o 'Concurrent[A-Za-z]*Exception' <<<"$SAID" | head -1; fi; }

# both TITLE SQL-OF-ONE SQL-OF-TWO: both begin, both write, then one commits and then the other.
both() {
  one BEGIN; two BEGIN
  one "$2"; two "$3"
  one COMMIT; local first; first=$(outcome)
  two COMMIT; local second; second=$(outcome)
  printf '%-50s one: %s, two: %s\n' "$1" "$first" "$second"
  [ "$first" = committed ] || { echo "the first to commit must win: $SAID" >&2; exit 1; }
  LAST=$second
}

run -c "CREATE TABLE stocks (sector string, symbol string, price decimal(18,2)) USING DELTA PARTITIONED BY (sector)
          TBLPROPERTIES ('delta.enableDeletionVectors' = 'true');
        INSERT INTO stocks VALUES ('TECH', 'AAPL', 180), ('TECH', 'MSFT', 400), ('FINANCE', 'JPM', 150), ('FINANCE', 'GS', 350)" >/dev/null

both "appends of both" "INSERT INTO stocks VALUES ('TECH', 'NVDA', 900)" "INSERT INTO stocks VALUES ('FINANCE', 'MS', 90)"
[ "$LAST" = committed ] || { echo "appends do not conflict" >&2; exit 1; }
both "TECH and FINANCE, in files of their own" "UPDATE stocks SET price = price + 1 WHERE sector = 'TECH'" "UPDATE stocks SET price = price + 1 WHERE sector = 'FINANCE'"
[ "$LAST" = committed ] || { echo "files of their own do not conflict" >&2; exit 1; }
both "two rows of one file" "UPDATE stocks SET price = price + 1 WHERE sector = 'TECH' AND symbol = 'AAPL'" "UPDATE stocks SET price = price + 1 WHERE sector = 'TECH' AND symbol = 'MSFT'"
[ "$LAST" = committed ] || { echo "rows of their own do not conflict where the table has deletion vectors" >&2; exit 1; }
both "one row" "UPDATE stocks SET price = price + 1 WHERE symbol = 'AAPL' AND sector = 'TECH'" "UPDATE stocks SET price = price + 1 WHERE symbol = 'AAPL' AND sector = 'TECH'"
[ "$LAST" != committed ] || { echo "one of two changes of a row was lost" >&2; exit 1; }

# A conflict is nothing lost: the transaction is run again, on what is there now.
run -c "UPDATE stocks SET price = price + 1 WHERE symbol = 'AAPL'" >/dev/null

# While one session is inside of a transaction it reads one version, whatever the other commits.
one BEGIN; one "SELECT 'before ' || sum(price) FROM stocks"
two "UPDATE stocks SET price = 0"
one "SELECT 'after ' || sum(price) FROM stocks"; one COMMIT
exec 3>&- 4>&-
wait
before=$(sed -n 's/^before //p' "$WORK/one.out"); after=$(sed -n 's/^after //p' "$WORK/one.out")
echo "a transaction that reads twice                     before: $before, after: $after"
# 180+400+900+150+350+90; +1 for each of 3 TECH, 3 FINANCE; +2 for AAPL and MSFT one each; +2 for AAPL twice
[ "$before" = "$after" ] && [ "$before" = 2080.00 ] || { echo "the sums must be 2080.00" >&2; exit 1; }
[ "$(run -c 'SELECT sum(price) FROM stocks')" = 0.00 ]
echo "nothing was lost"
