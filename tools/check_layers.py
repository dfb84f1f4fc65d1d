#!/usr/bin/env python3
"""Fails when a file includes against the order of the rooms, or a foreign header outside its home.

The order is the one of CMakeLists.txt: a room may include itself and the rooms it USES.  Front ends (cli, server) see only include/varve.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
FRONT_ENDS = {"cli", "server"}
# Foreign headers and the one room that may include each.
HOMES = {
    "duckdb.h": "engine",
    "roaring/roaring.h": "codec",
    "microhttpd.h": "server",
    "editline/readline.h": "cli",
    "histedit.h": "cli",
}
# What any room may use: the C library, POSIX and Linux.
SYSTEM = re.compile(r"^(assert|ctype|errno|fcntl|float|inttypes|limits|locale|math|poll|pthread|sched|semaphore|setjmp|signal|spawn|stdarg|stdatomic|"
                    r"stdbool|stddef|stdint|stdio|stdlib|string|strings|stdalign|time|unistd|dirent|ftw|glob|pwd|termios|getopt|wchar|"
                    r"sys/[a-z_]+|linux/[a-z_]+|netinet/[a-z_]+|arpa/inet|netdb|sanitizer/[a-z_]+|cmocka|x86intrin|immintrin|arm_neon)\.h$")


def rooms():
    text = (ROOT / "CMakeLists.txt").read_text()
    found = {}
    for match in re.finditer(r"^varve_room\((\w+)(?: USES ([\w ]+?))?(?: LINK \w+)?\)", text, re.M):
        found[match[1]] = set((match[2] or "").split())
    return found


def check(path, room, allowed):
    for number, line in enumerate(path.read_text(errors="replace").splitlines(), 1):
        match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
        if not match:
            continue
        name = match[2]
        place = f"{path.relative_to(ROOT)}:{number}"
        head = name.split("/")[0]
        if match[1] == '"':
            if name == "varve/varve.h" and room in FRONT_ENDS | {"session"}:
                continue
            if head == room or ("/" not in name and (path.parent / name).exists()) or (room == "server" and name == "assets.h"):
                continue
            if room in FRONT_ENDS and head in FRONT_ENDS and name.endswith(f"{head}.h"):
                continue
            if head not in allowed:
                yield f"{place}: room {room} may not include {name}"
            elif name.endswith("_int.h"):
                yield f"{place}: {name} is private to room {head}"
        elif not SYSTEM.match(name) and HOMES.get(name) != room:
            yield f"{place}: foreign header <{name}> has its home in {HOMES.get(name, 'no room (see tools/check_layers.py)')}"


def main():
    order = rooms()
    problems = []
    for path in sorted((ROOT / "src").rglob("*.[chS]")):
        room = path.relative_to(ROOT / "src").parts[0]
        if room not in order and room not in FRONT_ENDS:
            problems.append(f"{path.relative_to(ROOT)}: room {room} is not in CMakeLists.txt")
            continue
        problems.extend(check(path, room, order.get(room, set())))
    for problem in problems:
        print(problem)
    print(f"layers: {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
