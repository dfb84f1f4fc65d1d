"""One spelling for every value, so that rows of different programs can be compared as text.

encode_column turns an Arrow column into plain JSON values by the rules of the golden set's rows.ndjson: long and decimal as strings, smaller
numbers as numbers (whole ones without a fraction), NaN and infinities as strings, -0.0 as 0, timestamps 'YYYY-MM-DD HH:MM:SS[.ffffff]' with '+00' when they have a zone, dates as
'YYYY-MM-DD', binary as text with \\xNN for what is not printable, map as a list of {"key", "value"}, struct as object.
"""
import collections
import json
import math

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.types as pt

MICROS_PER_DAY = 86_400_000_000


def date_text(days):
    """Days since 1970-01-01 as YYYY-MM-DD in the proleptic Gregorian calendar, for any year (Python's own dates end at 1 and 9999)."""
    days += 719468
    era, day_of_era = divmod(days, 146097)
    year_of_era = (day_of_era - day_of_era // 1460 + day_of_era // 36524 - day_of_era // 146096) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    shifted_month = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * shifted_month + 2) // 5 + 1
    month = shifted_month + 3 if shifted_month < 10 else shifted_month - 9
    year = year_of_era + era * 400 + (month <= 2)
    era_mark = " (BC)" if year < 0 else ""  # as the collection spells them; it writes year 0 as it is
    return f"{year if year >= 0 else 1 - year:04d}-{month:02d}-{day:02d}{era_mark}"


def timestamp_text(micros, zone):
    days, rest = divmod(micros, MICROS_PER_DAY)
    seconds, fraction = divmod(rest, 1_000_000)
    text = f"{date_text(days)} {seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}"
    if fraction:
        text += f".{fraction:06d}".rstrip("0")
    return text + zone


def binary_text(value):
    return "".join(chr(b) if 0x20 <= b < 0x7F and b != 0x5C else f"\\x{b:02X}" for b in value)


def float_value(value):
    if value is None:
        return None
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    return int(value) if value.is_integer() and abs(value) < 1e16 else value


def decimal_text(value):
    return None if value is None else format(value, "f")


def each(fn, values):
    return [None if v is None else fn(v) for v in values]


def encode_timestamps(column, zone):
    per_unit = {"s": 1_000_000, "ms": 1000, "us": 1, "ns": None}[column.type.unit]
    suffix = "+00" if zone and column.type.tz else ""
    values = column.cast(pa.int64()).to_pylist()
    return each(lambda v: timestamp_text(v // 1000 if per_unit is None else v * per_unit, suffix), values)


def encode_list(column, zone):
    """Lists and maps: the flat values are encoded once and cut by the offsets."""
    if pt.is_map(column.type):
        flat = [{"key": k, "value": v} for k, v in zip(encode_column(column.keys, zone), encode_column(column.items, zone), strict=True)]
    else:
        flat = encode_column(column.values, zone)
    offsets = column.offsets.to_pylist()
    valid = column.is_valid().to_pylist()
    return [flat[offsets[i]:offsets[i + 1]] if valid[i] else None for i in range(len(column))]


def encode_struct(column, zone):
    names = [field.name for field in column.type]
    # flatten() applies the struct's own nulls and offset to the children.
    children = [encode_column(child, zone) for child in column.flatten()]
    valid = column.is_valid().to_pylist()
    rows = zip(*children) if children else ([] for _ in valid)
    return [dict(zip(names, row)) if ok else None for ok, row in zip(valid, rows, strict=True)]


def encode_chunk(column, zone):
    kind = column.type
    if pt.is_dictionary(kind):
        return encode_chunk(column.dictionary_decode(), zone)
    if pt.is_int64(kind) or pt.is_uint64(kind):
        return each(str, column.to_pylist())
    if pt.is_decimal(kind):
        return each(decimal_text, column.to_pylist())
    if pt.is_floating(kind):
        return [float_value(v) for v in column.to_pylist()]
    if pt.is_date32(kind):
        return each(date_text, column.cast(pa.int32()).to_pylist())
    if pt.is_timestamp(kind):
        return encode_timestamps(column, zone)
    if pt.is_binary(kind) or pt.is_large_binary(kind) or pt.is_fixed_size_binary(kind) or pt.is_binary_view(kind):
        return each(binary_text, column.to_pylist())
    if pt.is_struct(kind):
        return encode_struct(column, zone)
    if pt.is_map(kind) or pt.is_list(kind) or pt.is_large_list(kind):
        return encode_list(column, zone)
    return column.to_pylist()


def encode_column(column, zone=True):
    """A list of JSON values.  zone=False leaves the '+00' out, for judges that cannot tell the two kinds of timestamp apart."""
    chunks = column.chunks if isinstance(column, pa.ChunkedArray) else [column]
    return [value for chunk in chunks for value in encode_chunk(chunk, zone)]


def encode_rows(table, zone=True):
    """Every row of an Arrow table as one line of JSON with sorted keys."""
    names = table.column_names
    columns = [encode_column(table.column(i), zone) for i in range(len(names))]
    order = sorted(range(len(names)), key=lambda i: names[i])
    keys = [names[i] for i in order]
    columns = [columns[i] for i in order]
    rows = zip(*columns) if columns else ([] for _ in range(table.num_rows))
    return [canonical(dict(zip(keys, row))) for row in rows]


def text_column(column):
    """A column as texts, at the speed of Arrow; for columns without structs and maps."""
    kind = column.type
    if pt.is_timestamp(kind):
        column = column.cast(pa.timestamp("us", kind.tz)).cast(pa.int64())
    elif pt.is_list(kind) or pt.is_large_list(kind):
        if not (pt.is_string(kind.value_type) or pt.is_large_string(kind.value_type)):
            raise TypeError(f"{kind} has no text at the speed of Arrow")
        return pc.fill_null(pc.binary_join(column.cast(pa.list_(pa.string())), ","), "NULL")
    return pc.fill_null(column.cast(pa.string()), "NULL")


def sorted_rows(table):
    """The rows of a large table as sorted texts, alike for every reader of the same values."""
    columns = [text_column(table.column(name)) for name in sorted(table.column_names)]
    rows = pc.binary_join_element_wise(*columns, "|")
    return rows.take(pc.sort_indices(rows)).combine_chunks()


def likely_rows(table, wanted):
    """Only rows whose numbers and texts stand together in a wanted row, and of alike ones only one where there is nothing else in a row."""
    plain = [f.name for f in table.schema if pt.is_integer(f.type) or pt.is_decimal(f.type) or pt.is_string(f.type)]
    if not plain:
        return table
    keys = pc.binary_join_element_wise(*(text_column(table.column(name)) for name in plain), "|")
    rows = [json.loads(row) for row in wanted]
    sought = ["|".join("NULL" if row[name] is None else str(row[name]) for name in plain) for row in rows]
    found = pc.is_in(keys, value_set=pa.array(sought, pa.string()))
    if len(plain) < table.num_columns:
        return table.filter(found)
    numbered = pa.table({"key": keys.filter(found), "row": pc.indices_nonzero(found)})
    return table.take(numbered.group_by("key").aggregate([("row", "min")]).column("row_min"))


def rows_among(table, wanted):
    """Which of some rows (lines of JSON) a large table holds, each once."""
    names = sorted(table.column_names)
    table = likely_rows(table, wanted)
    sought = {tuple(canonical(json.loads(row)[name]) for name in names): row for row in wanted}
    columns = [[canonical(v) for v in encode_column(table.column(name))] for name in names]
    return [sought[row] for row in set(zip(*columns)) & sought.keys()]


def canonical(value):
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def plain_numbers(value):
    """JSON as another program wrote it: numbers and zeros in our spelling."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, dict):
        return {k: plain_numbers(v) for k, v in value.items()}
    if isinstance(value, list):
        return [plain_numbers(v) for v in value]
    return float_value(value) if isinstance(value, float) else value


def difference(expected, got, limit=3):
    """What is missing and what is too much, as text; None when both hold the same rows (in any order)."""
    missing = collections.Counter(expected)
    extra = collections.Counter(got)
    both = missing & extra
    missing, extra = missing - both, extra - both
    if not missing and not extra:
        return None
    lines = [f"{sum(missing.values())} rows missing, {sum(extra.values())} rows too many of {len(expected)} expected and {len(got)} found"]
    lines += [f"  missing: {row[:600]}" for row in list(missing.elements())[:limit]]
    lines += [f"  extra:   {row[:600]}" for row in list(extra.elements())[:limit]]
    return "\n".join(lines)
