# tools/progress.sh: what the console shows while something runs.  Sourced by ./dev and tools/check.sh.

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'dev: %s\n' "$*" >&2; exit 1; }

# watched LABEL LOG COMMAND…: runs COMMAND with its output in LOG.  From two seconds on the console tells the time taken and the
# last line of LOG: on a terminal in place, elsewhere every ten seconds.  COMMAND must not call die: nobody would read it.
watched() {
  local label=$1 log=$2 status=0 watcher started=$SECONDS
  shift 2
  rm -f "$log"
  : >"$log"
  watch_log "$label" "$log" &
  watcher=$!
  "$@" >>"$log" 2>&1 || status=$?
  { kill "$watcher" && wait "$watcher"; } 2>/dev/null || true
  [ ! -t 2 ] || printf '\r\033[K' >&2
  [ $((SECONDS - started)) -lt 3 ] || printf '   %s: %s after %d s\n' "$label" "$([ $status = 0 ] && echo done || echo failed)" $((SECONDS - started)) >&2
  return $status
}

# excerpt LOG PATTERN: the lines of LOG that say what went wrong, else its end.
excerpt() { grep -E "$2" "$1" | awk '!seen[$0]++' | sed -n 1,8p | cut -c1-240 >&2 || tail -n 8 "$1" >&2; }

# The watcher: ends with the command it watches, or soon after ./dev itself was stopped.
watch_log() {
  local label=$1 log=$2 waited=0 every=10 width=$((${COLUMNS:-100} - 1)) line
  exec 9>&-
  [ ! -t 2 ] || every=1
  while sleep 1 >/dev/null 2>&1 && kill -0 $$ 2>/dev/null; do
    waited=$((waited + 1))
    [ $waited -ge 2 ] && [ $(((waited - 2) % every)) = 0 ] || continue
    line=$(tail -n 1 "$log" | tr -d '\r')
    line="   $label: $waited s  $line"
    if [ -t 2 ]; then printf '\r\033[K%s' "${line:0:$width}" >&2; else printf '%s\n' "${line:0:150}" >&2; fi
  done
}
