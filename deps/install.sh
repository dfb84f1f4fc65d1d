# deps/install.sh: puts in place what the other commands need.  Sourced by ./dev, which sets ROOT and say().
# Each step looks first and does nothing when its result is there: a second run needs no network.

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"
  elif command -v sudo >/dev/null 2>&1; then sudo "$@"
  else die "this step needs root: run as root, or install sudo ($*)"
  fi
}

# need_debian LIST…: installs the packages of deps/debian-LIST.txt that are missing.
need_debian() {
  local list package missing=()
  for list in "$@"; do
    while read -r package; do
      case "$package" in ''|'#'*) continue;; esac
      dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || have_instead "$package" || missing+=("$package")
    done < "$ROOT/deps/debian-$list.txt"
  done
  [ ${#missing[@]} = 0 ] && return 0
  say "installing from Debian: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >"$ROOT/.deps/apt.log" 2>&1 \
    || { tail -n 20 "$ROOT/.deps/apt.log" >&2; die "apt-get could not install ${missing[*]} (log: .deps/apt.log)"; }
}

# A tool that is there by other means than its package serves as well.
have_instead() {
  case "$1" in
    nodejs) command -v node >/dev/null 2>&1;;
    npm) command -v npm >/dev/null 2>&1;;
    maven) command -v mvn >/dev/null 2>&1;;
    openjdk-17-jre-headless) command -v java >/dev/null 2>&1;;
    *) return 1;;
  esac
}

# fetch_npm NAME DIR: the pinned npm package unpacked into DIR, after its integrity hash was checked.
fetch_npm() {
  local name=$1 dir=$2 version integrity archive actual
  read -r version integrity <<<"$(awk -v n="$name" '$1 == n { print $2, $3 }' "$ROOT/deps/duckdb.lock")"
  [ -n "$version" ] || die "deps/duckdb.lock has no entry for $name"
  say "fetching $name $version"
  mkdir -p "$dir.new"
  (cd "$dir.new" && npm pack --silent --ignore-scripts "$name@$version" >/dev/null 2>"$ROOT/.deps/npm.log") || { cat "$ROOT/.deps/npm.log" >&2; die "npm could not fetch $name@$version"; }
  archive=$(ls "$dir.new"/*.tgz)
  actual=sha512-$(node -e 'const c=require("crypto"),f=require("fs");console.log(c.createHash("sha512").update(f.readFileSync(process.argv[1])).digest("base64"))' "$archive")
  [ "$actual" = "$integrity" ] || die "$name@$version has integrity $actual, not $integrity as deps/duckdb.lock says: refusing to use it"
  tar -xzf "$archive" -C "$dir.new"
  rm -rf "$dir"
  mv "$dir.new/package" "$dir"
  rm -rf "$dir.new"
}

# A system libduckdb with its header, when it is new enough (1.5 or later).
system_duckdb() {
  local lib header version
  lib=$(ldconfig -p 2>/dev/null | awk '/libduckdb\.so / { print $NF; exit }')
  for header in /usr/include/duckdb.h /usr/local/include/duckdb.h; do
    [ -n "$lib" ] && [ -f "$header" ] || continue
    version=$(strings -n 6 "$lib" 2>/dev/null | grep -m1 -oE '^v1\.[0-9]+\.[0-9]+$' || true)
    case "$version" in
      v1.[5-9].*|v1.[1-9][0-9].*) mkdir -p "$1/include" "$1/lib"; ln -sf "$header" "$1/include/duckdb.h"; ln -sf "$lib" "$1/lib/libduckdb.so"; echo "system $version" >"$1/version"; return 0;;
    esac
  done
  return 1
}

# need_duckdb: .deps/duckdb with include/duckdb.h and lib/libduckdb.so.
need_duckdb() {
  local dir=$ROOT/.deps/duckdb arch wanted
  case "$(uname -m)" in
    x86_64) arch=x64;;
    aarch64) arch=arm64;;
    *) die "DuckDB's library is packaged for x86_64 and aarch64, not for $(uname -m): install libduckdb 1.5 or later yourself";;
  esac
  wanted=$(cksum <"$ROOT/deps/duckdb.lock")
  [ -f "$dir/version" ] && { [ "$(cat "$dir/version")" = "$wanted" ] || grep -q ^system "$dir/version"; } && return 0
  rm -rf "$dir"
  if system_duckdb "$dir"; then say "using the system's libduckdb"; return 0; fi
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
  local dir=$ROOT/.deps/python-$1 list=$ROOT/deps/requirements-$1.txt
  cmp -s "$list" "$dir/requirements.txt" && return 0
  say "installing the Python packages of $1 (once; up to a minute)"
  rm -rf "$dir"
  python3 -m venv "$dir"
  "$dir/bin/pip" install --quiet --disable-pip-version-check -r "$list" || die "pip could not install the packages of deps/requirements-$1.txt"
  cp "$list" "$dir/requirements.txt"
}

# need_spark_jars: Delta's jars for Spark in .deps/jars.
need_spark_jars() {
  local dir=$ROOT/.deps/jars
  cmp -s "$ROOT/deps/spark-jars.xml" "$dir/pom.xml" && return 0
  say "fetching Delta's jars for Spark"
  rm -rf "$dir"
  mkdir -p "$dir"
  mvn -q -f "$ROOT/deps/spark-jars.xml" dependency:copy-dependencies -DincludeGroupIds=io.delta,io.unitycatalog "-DoutputDirectory=$dir" >"$ROOT/.deps/mvn.log" 2>&1 \
    || { tail -n 20 "$ROOT/.deps/mvn.log" >&2; die "maven could not fetch the jars of deps/spark-jars.xml"; }
  cp "$ROOT/deps/spark-jars.xml" "$dir/pom.xml"
}
