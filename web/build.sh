#!/bin/sh
# Builds the web page into $WEB_DIST: bundles, their gzip forms, and assets.S + assets.h that embed them in the program.
# Packages come from the committed lockfile and are installed only when node_modules does not match it, so a second build needs no network.
set -eu
here=$(CDPATH='' cd -- "$(dirname -- "$0")" && pwd)
: "${WEB_DIST:?set WEB_DIST to the directory to build into}"
command -v node >/dev/null 2>&1 || { echo "web/build.sh: node (18 or newer) is not installed" >&2; exit 1; }
mkdir -p "$WEB_DIST"
WEB_DIST=$(CDPATH='' cd -- "$WEB_DIST" && pwd)
export WEB_DIST
cd -- "$here"

# One build at a time: two build directories share node_modules.
exec 9<"$here"
if command -v flock >/dev/null 2>&1; then flock 9; fi

if ! node installed.mjs; then
  command -v npm >/dev/null 2>&1 || { echo "web/build.sh: npm is not installed" >&2; exit 1; }
  echo "web/build.sh: installing the packages of web/package-lock.json"
  npm ci --omit=dev --ignore-scripts --no-audit --no-fund --loglevel=error
fi
node build.mjs
