#!/usr/bin/env python3
"""Writes docs/protocol-support.md from src/delta/features.def.  With --check: fails when the page is not current."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "protocol-support.md"
SAYS = {"YES": "yes", "NO": "refused by name", "UNUSED": "while the table does not use it"}

HEAD = """# Delta table features

Made from `src/delta/features.def` by `tools/protocol_support.py`; the program decides by the same rows. *Refused by name* means: a table that asks for the feature is not
opened (reading) or is read-only (writing), and the error names the feature. *While the table does not use it* means: a legacy protocol version lists the feature, and the table is
served as long as nothing in it needs the feature; a table or file that does is refused. A feature that is not in this list is refused as unknown.

| feature | kind | implied by (reader, writer) | read | write |
|---|---|---|---|---|
"""


def page():
    rows = re.findall(r'^FEATURE\((\w+), "([^"]+)", (\w+), (\d), (\d), (\w+), (\w+)\)', (ROOT / "src/delta/features.def").read_text(), re.M)
    lines = []
    for _, name, kind, reader, writer, read, write in rows:
        implied = "-" if reader == writer == "0" else f"({reader if reader != '0' else '-'}, {writer if writer != '0' else '-'})"
        lines.append(f"| {name} | {'reader and writer' if kind == 'READER_WRITER' else 'writer'} | {implied} | {SAYS[read]} | {SAYS[write]} |")
    built = sum(1 for r in rows if r[5] == "YES"), sum(1 for r in rows if r[6] == "YES")
    return HEAD + "\n".join(lines) + f"\n\n{len(rows)} features known; {built[0]} read, {built[1]} written.\n"


def main():
    text = page()
    if "--check" in sys.argv:
        current = PAGE.read_text() if PAGE.exists() else ""
        if current != text:
            print("docs/protocol-support.md is not current: run tools/protocol_support.py")
            return 1
        return 0
    PAGE.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
