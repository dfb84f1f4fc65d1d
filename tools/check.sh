#!/usr/bin/env bash
# ./dev check: formatting, layers, warnings as errors with gcc and clang, the page's types, clang-tidy.  Findings go to the console, logs to build/check-*.
set -uo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
. tools/progress.sh
failed=()
step() { local title=$1; shift; say "$title"; "$@" || failed+=("$title"); }
findings() { grep -E '(error|warning):|^FAILED|^CMake Error' "$1" | sed "s|$ROOT/||g" | sort -u; }

format() {
  watched "clang-format" build/check-format.log format_all && return 0
  grep -c 'error:' build/check-format.log | sed 's/$/ places differ (.\/dev fmt formats them); the first:/'
  grep 'error:' build/check-format.log | head -n 10
  return 1
}

format_all() { find src include -name '*.[ch]' -print0 | xargs -0 clang-format --dry-run --Werror; }

types() {
  watched "tsc" build/check-types.log node web/node_modules/typescript/bin/tsc --noEmit -p web && return 0
  cat build/check-types.log
  return 1
}

# compile COMPILER BUILD_TYPE: everything, tests too, with warnings as errors, in a build folder of its own.
compile() {
  local dir=build/check-$1
  mkdir -p "$dir"
  CC=$1 watched "cmake" "$dir/cmake.log" cmake --fresh -G Ninja -S . -B "$dir" "-DCMAKE_BUILD_TYPE=$2" -DCMAKE_C_FLAGS=-Werror || { cat "$dir/cmake.log"; return 1; }
  watched "compiling with $1" "$dir/ninja.log" ninja -C "$dir" -k 0 || { findings "$dir/ninja.log"; return 1; }
}

tidy() {
  local log=build/check-tidy.log
  watched "clang-tidy" "$log" tidy_all && return 0
  findings "$log"
  return 1
}
# One file a process: clang 14 reports va_lists wrongly when it sees several.  error.c defines what tools/analyzer.h explains, so it goes without;
# tests go without the analyzer.  What was clean is not looked at again before it, a header or the rules change.
tidy_all() {
  mkdir -p build/check-tidy
  find src -name '*.c' ! -name '*_fuzz.c' -print0 | RULES=$(rules) xargs -0 -r -n 1 -P "$(nproc)" bash -c '
    file=$1
    stamp=build/check-tidy/$(printf "%s %s" "$RULES" "$(sha256sum "$file")" | sha256sum | cut -c1-32)
    [ ! -e "$stamp" ] || exit 0
    options=("--extra-arg-before=-include$PWD/tools/analyzer.h")
    case $file in *_test.c) options=("--checks=-clang-analyzer-*");; src/base/error.c) options=();; esac
    clang-tidy --quiet -p build/check-clang "${options[@]}" "$file" && touch "$stamp"' tidy
}
rules() { { cat .clang-tidy tools/analyzer.h tools/check.sh; find src include -name '*.h' -o -name '*.def' | sort | xargs cat; } | sha256sum; }

step 'format (clang-format)' format
step 'layers' python3 tools/check_layers.py
step 'the generated page of protocol features' python3 tools/protocol_support.py --check
step 'the generated page of the dialect' python3 tools/dialect.py --check
step 'warnings as errors: gcc' compile gcc Release
step 'warnings as errors: clang' compile clang Debug
step 'types of the page' types
step 'clang-tidy' tidy
if [ ${#failed[@]} -gt 0 ]; then
  printf 'check: failed after %d s: %s\n' $SECONDS "$(printf '%s; ' "${failed[@]}" | sed 's/; $//')"
  exit 1
fi
printf 'check: all is well (%d s)\n' $SECONDS
