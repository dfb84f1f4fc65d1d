#!/usr/bin/env python3
"""Writes docs/golden-report.md: how each golden table fares."""
import sys
import tempfile

import golden
import program as programs


def main():
    with tempfile.TemporaryDirectory(prefix="varve-golden-") as lake:
        judge = golden.Judge(programs.Program(), lake)
        outcomes = [judge.outcome(golden.Table(row)) for row in golden.manifest()]
        judge.close()
    golden.REPORT.parent.mkdir(exist_ok=True)
    golden.REPORT.write_text(golden.report(outcomes))
    failures = [o for o in outcomes if o.fails()]
    for o in failures:
        print(f"{o.table}: {o.detail}", file=sys.stderr)
    print(f"{golden.REPORT}: {len(outcomes)} tables, {len(failures)} failures")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
