#!/usr/bin/env bash
# ./dev check: formatting, layers, warnings as errors with gcc and clang, clang-tidy.
set -uo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"
failed=0
step() { printf '== %s\n' "$1"; shift; "$@" || { failed=1; printf '   failed: %s\n' "$*"; }; }
sources() { git ls-files -- 'src/*.c' 'src/*.h' 'include/*.h'; }
format() { sources | xargs -d '\n' clang-format --dry-run --Werror; }
compile() { CC=$1 cmake -G Ninja -S . -B "build/check-$1" -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_FLAGS=-Werror >/dev/null && ninja -C "build/check-$1" >"build/check-$1/ninja.log" 2>&1 || { tail -n 40 "build/check-$1/ninja.log"; return 1; }; }
tidy() { git ls-files -- 'src/*.c' | grep -v '_fuzz\.c$' | xargs -d '\n' -n 8 -P 2 clang-tidy --quiet -p build/check-clang 2>/dev/null; }
step 'format (clang-format)' format
step 'layers' python3 tools/check_layers.py
step 'warnings as errors: gcc' compile gcc
step 'warnings as errors: clang' compile clang
step 'clang-tidy' tidy
exit $failed
