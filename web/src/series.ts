/* What an answer looks like as a chart: candles when it has a time and open, high, low, close; else lines of its numbers over its first time or number. */
import type { Column, Row } from "./api";
import { columnNamed, isMoment, kindOf, momentMs, numberOf } from "./values";

export interface Bar {
  time_s: number;
  open: number;
  high: number;
  low: number;
  close: number;
  volume: number;
}
export interface Candles {
  kind: "candles";
  groups: Map<string, Bar[]>; // one entry named "" when rows have no symbol
  volume: boolean;
  intraday: boolean;
}
export interface Lines {
  kind: "lines";
  time: boolean;
  x: number[]; // seconds for times
  xName: string;
  measure: string | null; // what every line shows, when lines are named by a text column
  series: { name: string; y: (number | null)[] }[];
  left: number; // series that did not fit
}
export type ChartSpec = Candles | Lines;

const SERIES_MAX = 12;

function candles(columns: Column[], rows: Row[]): Candles | null {
  const time = columns.find((c) => isMoment(c.type));
  const [open, high, low, close] = ["open", "high", "low", "close"].map((n) => columnNamed(columns, n));
  if (!time || !open || !high || !low || !close) return null;
  const volume = columnNamed(columns, "volume");
  const group = columnNamed(columns, "symbol") ?? columnNamed(columns, "ticker") ?? columnNamed(columns, "name");
  const groups = new Map<string, Map<number, Bar>>();
  for (const row of rows) {
    const bar: Bar = {
      time_s: momentMs(row[time.name]) / 1000, open: numberOf(row[open.name]), high: numberOf(row[high.name]), low: numberOf(row[low.name]), close: numberOf(row[close.name]),
      volume: volume ? numberOf(row[volume.name]) : NaN,
    };
    if (![bar.time_s, bar.open, bar.high, bar.low, bar.close].every(Number.isFinite)) continue;
    const name = group ? String(row[group.name] ?? "NULL") : "";
    const bars = groups.get(name) ?? new Map<number, Bar>();
    bars.set(bar.time_s, bar);
    groups.set(name, bars);
  }
  if (groups.size === 0) return null;
  const ordered = new Map([...groups].map(([name, bars]) => [name, [...bars.values()].sort((a, b) => a.time_s - b.time_s)] as const));
  const intraday = [...ordered.values()].some((bars) => bars.some((b) => b.time_s % 86_400 !== 0));
  return { kind: "candles", groups: ordered, volume: volume !== undefined, intraday };
}

/* One line per value of a text column when times repeat and there is one such column; else one line per number column. */
function lines(columns: Column[], rows: Row[]): Lines | null {
  const numbers = columns.filter((c) => kindOf(c.type) === "number");
  const x = columns.find((c) => isMoment(c.type)) ?? (numbers.length > 1 ? numbers[0] : undefined);
  if (!x || rows.length < 2) return null;
  const time = isMoment(x.type);
  const ys = numbers.filter((c) => c !== x);
  const at = (row: Row): number => (time ? momentMs(row[x.name]) / 1000 : numberOf(row[x.name]));
  const xs = [...new Set(rows.map(at).filter(Number.isFinite))].sort((a, b) => a - b);
  if (ys.length === 0 || xs.length < 2) return null;
  const index = new Map(xs.map((value, i) => [value, i]));
  const text = columns.find((c) => kindOf(c.type) === "text");
  const series = new Map<string, (number | null)[]>();
  const put = (name: string, row: Row, column: Column) => {
    const i = index.get(at(row));
    if (i === undefined) return;
    const y = series.get(name) ?? new Array<number | null>(xs.length).fill(null);
    const value = numberOf(row[column.name]);
    y[i] = Number.isFinite(value) ? value : null;
    series.set(name, y);
  };
  const measure = text && xs.length < rows.length ? ys[ys.length - 1] : undefined;
  for (const row of rows) {
    if (text && measure) put(String(row[text.name] ?? "NULL"), row, measure);
    else for (const column of ys) put(column.name, row, column);
  }
  const all = [...series].map(([name, y]) => ({ name, y }));
  return { kind: "lines", time, x: xs, xName: x.name, measure: measure?.name ?? null, series: all.slice(0, SERIES_MAX), left: Math.max(0, all.length - SERIES_MAX) };
}

/* null when there is nothing to draw. */
export const chartOf = (columns: Column[], rows: Row[]): ChartSpec | null => candles(columns, rows) ?? lines(columns, rows);
