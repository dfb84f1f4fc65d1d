"""The format of tests/sql/*.test, which README.md describes: reading it, and writing values as it does."""
import dataclasses
import datetime
import json
import os
import pathlib
import re
import shutil
import struct
import tempfile

import pyarrow.types as pt

import program as programs
import values

FILES = sorted((pathlib.Path(__file__).resolve().parent / "sql").glob("*.test"))

# What needs no quotes: in a cell of its own, and inside of a list, struct or map.
PLAIN_CELL = re.compile(r"(?!\s)[^|\"\n\r\t\x00]+(?<!\s)")
PLAIN_ELEMENT = re.compile(r"(?!\s)[^|\"\n\r\t\x00{}\[\],:]+(?<!\s)")


class BadTest(Exception):
    """The test file itself is wrong."""


@dataclasses.dataclass
class Block:
    line: int
    kind: str                 # "statement", "file" or "at"
    text: str                 # the statement, or the arguments of the directive
    expected: list = dataclasses.field(default_factory=list)  # lines under the statement, or of the file


@dataclasses.dataclass
class Section:
    title: str
    blocks: list


def read(path):
    """The sections of a test file; what comes before the first title is a section named 'start'."""
    sections = [Section("start", [])]
    lines = pathlib.Path(path).read_text().split("\n")
    at = 0
    while at < len(lines):
        line = lines[at]
        if not line.strip() or line.startswith("#"):
            at += 1
        elif line.startswith("== "):
            sections.append(Section(line[3:].strip(), []))
            at += 1
        else:
            block, at = read_block(path, lines, at)
            sections[-1].blocks.append(block)
    titles = [s.title for s in sections]
    if len(set(titles)) < len(titles):
        raise BadTest(f"{path}: two sections have one title")
    return [s for s in sections if s.blocks]


def read_block(path, lines, at):
    """One block: it ends at an empty line."""
    end = at
    while end < len(lines) and lines[end].strip():
        end += 1
    block = lines[at:end]
    directive = re.match(r"(file|at) (.+)$", block[0])
    if directive:
        return Block(at + 1, directive[1], directive[2], block[1:]), end
    for i, line in enumerate(block):
        if line.rstrip().endswith(";"):
            if i + 1 == len(block):
                raise BadTest(f"{path}:{at + i + 1}: nothing is expected of this statement (write ok, rows or an error under it)")
            return Block(at + 1, "statement", "\n".join(block[:i + 1]), block[i + 1:]), end
    raise BadTest(f"{path}:{at + 1}: a statement must end with ';'")


# ---- values ------------------------------------------------------------------------------------------------


def quoted(text, plain=PLAIN_ELEMENT):
    """A text as it is when it can be told apart from everything else, else as a JSON string."""
    if text in ("NULL", "true", "false") or not plain.fullmatch(text):
        return json.dumps(text, ensure_ascii=False)
    return text


def float_text(value, narrow):
    encoded = values.float_value(value)
    if isinstance(encoded, str):
        return encoded
    if str(value) == "-0.0":
        return "-0.0"
    # The shortest text that reads back as the same number of that width.
    if narrow:
        for digits in range(1, 10):
            text = f"{value:.{digits}g}"
            if struct.pack("f", float(text)) == struct.pack("f", value):
                value = float(text)
                break
    return repr(float(value))


def scalar_text(value, kind):
    if pt.is_boolean(kind):
        return "true" if value else "false"
    if pt.is_floating(kind):
        return float_text(value, pt.is_float32(kind))
    if pt.is_decimal(kind):
        return values.decimal_text(value)
    if pt.is_integer(kind):
        return str(value)
    if pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_binary_view(kind):
        return f"x'{value.hex()}'"
    return quoted(str(value))


def nested_text(value, kind):
    if value is None:
        return "NULL"
    if pt.is_struct(kind):
        return "{" + ", ".join(f"{quoted(f.name)}: {nested_text(value[f.name], f.type)}" for f in kind) + "}"
    if pt.is_map(kind):
        return "{" + ", ".join(f"{nested_text(k, kind.key_type)}: {nested_text(v, kind.item_type)}" for k, v in value) + "}"
    if pt.is_list(kind) or pt.is_large_list(kind):
        return "[" + ", ".join(nested_text(v, kind.value_type) for v in value) + "]"
    if pt.is_timestamp(kind) or pt.is_date(kind):
        return str(value)
    return scalar_text(value, kind)


def column_texts(column):
    kind = column.type
    if pt.is_timestamp(kind):
        return ["NULL" if v is None else v.replace("+00", "Z") for v in values.encode_column(column)]
    if pt.is_date(kind):
        return ["NULL" if v is None else v for v in values.encode_column(column)]
    if pt.is_string(kind) or pt.is_large_string(kind) or pt.is_string_view(kind):
        return ["NULL" if v is None else quoted(v, PLAIN_CELL) for v in column.to_pylist()]
    return [nested_text(v, kind) for v in column.to_pylist()]


def table_lines(table):
    """Header and rows as a test file has them."""
    columns = [column_texts(table.column(i)) for i in range(table.num_columns)]
    rows = [" | ".join(row) for row in zip(*columns)] if columns else [""] * table.num_rows
    return [" | ".join(quoted(name, PLAIN_CELL) for name in table.column_names), *rows]


# ---- judging --------------------------------------------------------------------------------------------------


def even(line):
    """Blanks around the bars may be used to line columns up."""
    return " | ".join(cell.strip() for cell in split_cells(line))


def split_cells(line):
    cells, cell, in_string, escaped = [], "", False, False
    for c in line:
        if c == "|" and not in_string:
            cells.append(cell)
            cell = ""
            continue
        if in_string:
            escaped, in_string = (c == "\\" and not escaped), (c != '"' or escaped)
        elif c == '"':
            in_string = True
        cell += c
    return cells + [cell]


def judge_rows(expected, table):
    """None, or what differs."""
    got = table_lines(table)
    if expected == ["ok"]:
        return None
    if re.fullmatch(r"rows \d+", expected[0]) and len(expected) == 1:
        return None if table.num_rows == int(expected[0][5:]) else f"expected {expected[0]}, got {table.num_rows}"
    if all(line.startswith(("has ", "lacks ")) for line in expected):
        text = "\n".join(got)
        wrong = [line for line in expected if (line.split(" ", 1)[1] in text) != line.startswith("has ")]
        return f"expected {wrong} of\n" + "\n".join(got[:12]) if wrong else None
    any_order = expected[0] == "any order"
    wanted = [even(line) for line in (expected[1:] if any_order else expected)]
    if any_order:
        wanted, got = wanted[:1] + sorted(wanted[1:]), got[:1] + sorted(got[1:])
    return None if wanted == got else "expected\n  " + "\n  ".join(wanted) + "\ngot\n  " + "\n  ".join(got)


def judge_error(expected, failed):
    """None, or what differs.  expected: 'error CODE [at LINE:COLUMN] [: words]' and any number of 'hint WORDS' lines."""
    match = re.fullmatch(r"error (\w+)(?: at (\d+:\d+))?(?:: (.*))?", expected[0])
    if not match:
        return f"expected rows, got {failed}"
    code, place, words = match.groups()
    wrong = []
    if failed.code != code:
        wrong.append(f"code {code}")
    if place and failed.place != place:
        wrong.append(f"position {place}")
    said = f"{failed.message}\n{failed.problem.get('explanation') or ''}"
    if words and words not in said:
        wrong.append(f"words {words!r}")
    for line in expected[1:]:
        word, _, rest = line.partition(" ")
        if word == "hint" and rest not in (failed.problem.get("hint") or ""):
            wrong.append(f"words {rest!r} in the hint")
        elif word != "hint":
            return f"only hint lines may follow an error, not {line!r}"
    if not wrong:
        return None
    return f"expected {', '.join(wrong)}; got {failed.code} at {failed.place}: {said.strip()} (hint: {failed.problem.get('hint')})"


# ---- running ----------------------------------------------------------------------------------------------------


class Run:
    """One file while it is run, section by section."""

    def __init__(self, program, path):
        self.sections = read(path)
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="varve-sql-"))
        self.files = self.folder / "files"
        self.files.mkdir()
        self.program = program
        self.session = programs.Session(program, self.folder / "lake")
        self.outcomes = {}

    def close(self):
        self.session.close()
        shutil.rmtree(self.folder, ignore_errors=True)

    def outcome(self, title):
        """What is wrong in a section; the sections before it are run first."""
        for section in self.sections:
            if section.title not in self.outcomes:
                self.outcomes[section.title] = [wrong for block in section.blocks if (wrong := self.run(block))]
            if section.title == title:
                break
        return self.outcomes[title]

    def fill(self, text):
        return text.replace("$FILES", str(self.files)).replace("$LAKE", str(self.folder / "lake"))

    def run(self, block):
        if block.kind == "file":
            (self.files / block.text).parent.mkdir(parents=True, exist_ok=True)
            (self.files / block.text).write_text("\n".join(block.expected) + "\n" if block.expected else "")
            return None
        if block.kind == "at":
            return self.set_commit_time(*block.text.split(" ", 2))
        sql = self.fill(block.text)
        expected = [self.fill(line.rstrip()) for line in block.expected]
        try:
            wrong = self.judge(sql, expected)
        except programs.Failed as failed:
            wrong = judge_error(expected, failed)
        except AssertionError as broken:
            self.session.close()
            self.session = programs.Session(self.program, self.folder / "lake")
            wrong = str(broken)
        return f"line {block.line}: {sql}\n{wrong}" if wrong else None

    def judge(self, sql, expected):
        if expected[0].startswith("error "):
            return f"expected {expected[0]!r}, got {self.session.attempt(sql)[:5]}"
        return judge_rows(expected, self.session.query(sql))

    def set_commit_time(self, table, version, time):
        """at TABLE VERSION TIME: the commit file's modification time, which is what a version's timestamp is."""
        location = self.session.query(f"DESCRIBE DETAIL {table}").column("location")[0].as_py()
        commit = pathlib.Path(location.removeprefix("file://")) / "_delta_log" / f"{int(version):020d}.json"
        when = datetime.datetime.fromisoformat(time.replace("Z", "+00:00")).timestamp()
        os.utime(commit, (when, when))
