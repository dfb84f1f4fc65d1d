# deps/install.sh: puts in place what the other commands need.  Sourced by ./dev, which sets ROOT and reads tools/progress.sh.
# Each step looks first and does nothing when its result is there: a second run needs no network.

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

# need_root WHAT: asks for the password now, if sudo wants one, so that no question comes in the middle of a step.
need_root() {
  [ "$(id -u)" = 0 ] && return 0
  command -v sudo >/dev/null 2>&1 || die "$1 needs root and there is no sudo: run this once as root, or install sudo"
  sudo true || die "$1 needs root and sudo refused: run this once as root, or as a user who may use sudo"
}

# need_debian LIST…: installs the packages of deps/debian-LIST.txt that are missing.
need_debian() {
  local list package missing=()
  for list in "$@"; do
    while read -r package; do
      case "$package" in ''|'#'*) continue;; esac
      have_package "$package" || have_instead "$package" || missing+=("$package")
    done < "$ROOT/deps/debian-$list.txt"
  done
  [ ${#missing[@]} = 0 ] && return 0
  command -v apt-get >/dev/null 2>&1 || die "this machine has no apt-get: install by its own means what these Debian 12 packages hold: ${missing[*]}"
  need_root "installing ${missing[*]}"
  say "installing from Debian: ${missing[*]}"
  watched "apt-get" "$ROOT/.deps/apt.log" apt_install "${missing[@]}" && return 0
  excerpt "$ROOT/.deps/apt.log" '^(E|dpkg): |^  [A-Z0-9]'
  die "apt-get could not install: ${missing[*]} (no network, or not Debian 12? the whole log: .deps/apt.log)"
}

have_package() { [[ " $(dpkg-query -W -f '${db:Status-Status} ' "$1" 2>/dev/null)" == *" installed "* ]]; }

# A tool that is there by other means than its package serves as well.
have_instead() {
  case "$1" in
    cmake) has_version cmake 3.25;;
    ninja-build) has_version ninja 1.10;;
    nodejs) has_version node 18;;
    npm) has_version npm 9;;
    maven) command -v mvn >/dev/null 2>&1;;
    openjdk-17-jre-headless) command -v java >/dev/null 2>&1;;
    *) return 1;;
  esac
}

# has_version PROGRAM VERSION: PROGRAM is there and says it has VERSION or a later one.
has_version() {
  local found
  found=$("$1" --version 2>/dev/null | grep -oE '[0-9]+(\.[0-9]+)*' | head -n 1) || return 1
  [ -n "$found" ] && printf '%s\n%s\n' "$2" "$found" | sort -C -V
}

# A list that cannot be refreshed may still do: what matters is whether the packages come.
apt_install() {
  as_root apt-get update -q || true
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends -o Dpkg::Use-Pty=0 "$@"
}

# fetch_npm NAME DIR: the pinned npm package unpacked into DIR, after its integrity hash was checked.
fetch_npm() {
  local name=$1 dir=$2 version integrity archive actual
  read -r version integrity <<<"$(awk -v n="$name" '$1 == n { print $2, $3 }' "$ROOT/deps/duckdb.lock")"
  [ -n "$version" ] || die "deps/duckdb.lock has no entry for $name"
  say "fetching $name $version"
  rm -rf "$dir.new"
  mkdir -p "$dir.new"
  watched "npm" "$ROOT/.deps/npm.log" npm_pack "$dir.new" "$name@$version" \
    || { excerpt "$ROOT/.deps/npm.log" '^npm (ERR!|error) [a-z]+ [^ ]'; die "npm could not fetch $name@$version (no network? the log: .deps/npm.log)"; }
  archive=$(find "$dir.new" -name '*.tgz')
  actual=sha512-$(node -e 'const c=require("crypto"),f=require("fs");console.log(c.createHash("sha512").update(f.readFileSync(process.argv[1])).digest("base64"))' "$archive")
  if [ "$actual" != "$integrity" ]; then
    rm -rf "$dir.new"
    die "$name@$version is not what deps/duckdb.lock pins: its integrity is $actual, pinned is $integrity; it was removed and not used"
  fi
  tar -xzf "$archive" -C "$dir.new"
  rm -rf "$dir"
  mv "$dir.new/package" "$dir"
  rm -rf "$dir.new"
}

# Without a network npm would try for more than a minute.
NPM_OPTIONS=(--loglevel=error --ignore-scripts --fetch-retry-mintimeout=2000 --fetch-retry-maxtimeout=5000)
npm_pack() { (cd "$1" && npm pack "${NPM_OPTIONS[@]}" "$2"); }

# need_web [--dev]: web/node_modules as web/package-lock.json wants it; with --dev what the page's tests need too.
need_web() {
  node "$ROOT/web/installed.mjs" "$@" && return 0
  say "installing the packages of web/package-lock.json"
  watched "npm" "$ROOT/.deps/npm.log" npm_ci "$ROOT/web" ${1:-"--omit=dev"} \
    || { excerpt "$ROOT/.deps/npm.log" '^npm (ERR!|error) [a-z]+ [^ ]'; die "npm could not install the packages of web/package-lock.json (no network? the log: .deps/npm.log)"; }
}
npm_ci() { (cd "$1" && npm ci "${2/--dev/--include=dev}" --no-audit --no-fund "${NPM_OPTIONS[@]}"); }

# A system libduckdb with its header, when it is new enough (1.5 or later, before 2): the library itself is asked.
system_duckdb() {
  local lib header version probe=$ROOT/.deps/duckdb-probe
  lib=$(PATH=$PATH:/usr/sbin:/sbin ldconfig -p 2>/dev/null | awk '/libduckdb\.so / { lib = $NF } END { print lib }')
  header=$(ls /usr/local/include/duckdb.h /usr/include/duckdb.h 2>/dev/null | head -n 1)
  [ -n "$lib" ] && [ -n "$header" ] || return 1
  printf '#include <stdio.h>\n#include "%s"\nint main(void) { return puts(duckdb_library_version()) < 0; }\n' "$header" | cc -x c -o "$probe" - -x none "$lib" 2>/dev/null || return 1
  version=$("$probe" 2>/dev/null)
  rm -f "$probe"
  case "$version" in
    v1.[5-9].*|v1.[1-9][0-9].*) ;;
    *) say "the system's DuckDB is ${version:-unusable}, and 1.5 or later is needed: fetching it instead"; return 1;;
  esac
  mkdir -p "$1/include" "$1/lib"
  ln -sf "$header" "$1/include/duckdb.h"
  ln -sf "$lib" "$1/lib/libduckdb.so"
  echo "system $version" >"$1/version"
  say "using the system's DuckDB $version: $lib"
}

# need_duckdb: .deps/duckdb with include/duckdb.h and lib/libduckdb.so.
need_duckdb() {
  local dir=$ROOT/.deps/duckdb arch wanted
  wanted=$(cksum <"$ROOT/deps/duckdb.lock")
  [ -f "$dir/version" ] && [ -e "$dir/lib/libduckdb.so" ] && { [ "$(cat "$dir/version")" = "$wanted" ] || grep -q ^system "$dir/version"; } && return 0
  rm -rf "$dir"
  if system_duckdb "$dir"; then return 0; fi
  case "$(uname -m)" in
    x86_64) arch=x64;;
    aarch64) arch=arm64;;
    *) die "DuckDB's library is packaged for x86_64 and aarch64, not for $(uname -m): install libduckdb.so 1.5 or later and duckdb.h under /usr/local (lib, include), then run this again";;
  esac
  fetch_npm "@duckdb/node-bindings-linux-$arch" "$ROOT/.deps/duckdb-library"
  fetch_npm duckdb "$ROOT/.deps/duckdb-source"
  mkdir -p "$dir/include" "$dir/lib"
  cp "$ROOT/.deps/duckdb-library/libduckdb.so" "$dir/lib/"
  cp "$(find "$ROOT/.deps/duckdb-source" -name duckdb.h -path '*/include/*' | head -n 1)" "$dir/include/"
  rm -rf "$ROOT/.deps/duckdb-library" "$ROOT/.deps/duckdb-source"
  echo "$wanted" >"$dir/version"
}

# need_python NAME: a virtual environment .deps/python-NAME with deps/requirements-NAME.txt.
need_python() {
  local dir=$ROOT/.deps/python-$1 list=$ROOT/deps/requirements-$1.txt log=$ROOT/.deps/pip-$1.log
  cmp -s "$list" "$dir/requirements.txt" && "$dir/bin/python" -c '' 2>/dev/null && return 0
  say "installing Python packages: $(tr '\n' ' ' <"$list")"
  rm -rf "$dir"
  watched "pip" "$log" make_venv "$dir" "$list" || { excerpt "$log" '^(ERROR|Error)'; die "pip could not install deps/requirements-$1.txt (no network? the log: ${log#"$ROOT/"})"; }
  cp "$list" "$dir/requirements.txt"
}

make_venv() { python3 -m venv "$1" && "$1/bin/python" -m pip install --disable-pip-version-check --progress-bar off --retries 2 -r "$2"; }

# need_spark_jars: Delta's jars for Spark in .deps/jars.
need_spark_jars() {
  local dir=$ROOT/.deps/jars log=$ROOT/.deps/maven.log
  cmp -s "$ROOT/deps/spark-jars.xml" "$dir/pom.xml" && return 0
  say "fetching Delta's jars for Spark"
  rm -rf "$dir"
  mkdir -p "$dir"
  watched "maven" "$log" copy_jars "$dir" \
    || { excerpt "$log" '^\[ERROR\] .{20}'; die "maven could not fetch the jars of deps/spark-jars.xml (no network? the log: .deps/maven.log)"; }
  cp "$ROOT/deps/spark-jars.xml" "$dir/pom.xml"
}

# Java does not read $SSL_CERT_FILE: where it is set, Maven gets the same certificates as a keystore (by a path without spaces: MAVEN_OPTS has no quotes).
copy_jars() {
  local trust=
  if [ -f "${SSL_CERT_FILE:-}" ]; then
    python3 deps/truststore.py "$SSL_CERT_FILE" .deps/truststore.jks || return 1
    trust="-Djavax.net.ssl.trustStore=.deps/truststore.jks -Djavax.net.ssl.trustStoreType=JKS"
  fi
  MAVEN_OPTS="${MAVEN_OPTS:-} $trust" mvn -B -Dstyle.color=never -f "$ROOT/deps/spark-jars.xml" dependency:copy-dependencies \
    -DincludeGroupIds=io.delta,io.unitycatalog "-DoutputDirectory=$1"
}
