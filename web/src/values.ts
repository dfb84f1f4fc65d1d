/* SQL types and values, for alignment, order and text. int64 and decimal come as text, and stay text. */
import type { Column, Value } from "./api";

export type Kind = "number" | "text" | "time" | "boolean" | "binary" | "nested";

export function kindOf(type: string): Kind {
  const base = type.toLowerCase();
  if (/\[\]$|^(struct|map|array|list|json|variant)\b/.test(base)) return "nested";
  if (/^(tinyint|smallint|integer|int|bigint|hugeint|u\w*int\w*|byte|short|long|float|real|double|decimal|numeric)/.test(base)) return "number";
  if (/^(date|time|interval)/.test(base)) return "time";
  if (/^bool/.test(base)) return "boolean";
  return /^(blob|binary|bytea|bit)/.test(base) ? "binary" : "text";
}

export const isMoment = (type: string): boolean => /^(date|timestamp)/i.test(type);

/* What a cell shows and what is copied: the value as it came, never through a double. */
export function cellText(value: Value | undefined, type = ""): string {
  if (value === null || value === undefined) return "NULL";
  if (typeof value === "object") return JSON.stringify(value);
  if (typeof value === "string" && isMoment(type)) return value.replace("T", " ");
  return String(value);
}

/* Exact order of decimal texts of any length; anything else in the order of doubles. */
function compareNumbers(a: string, b: string): number {
  const plain = /^-?\d+(\.\d+)?$/;
  const rough = Number(a) - Number(b);
  if (rough !== 0 || !plain.test(a) || !plain.test(b)) return Number.isNaN(rough) ? compareNaN(a, b) : rough;
  const scale = Math.max(fraction(a).length, fraction(b).length);
  const exact = (text: string) => BigInt(text.replace(".", "") + "0".repeat(scale - fraction(text).length));
  const left = exact(a), right = exact(b);
  return left < right ? -1 : left > right ? 1 : 0;
}
const fraction = (text: string): string => text.split(".")[1] ?? "";
const compareNaN = (a: string, b: string): number => Number(Number.isNaN(Number(a))) - Number(Number.isNaN(Number(b)));

/* NULLs last, in either direction (the caller flips the sign of the rest). */
export function compareValues(a: Value, b: Value, kind: Kind): number {
  if (kind === "number") return compareNumbers(String(a), String(b));
  const left = cellText(a), right = cellText(b);
  return left < right ? -1 : left > right ? 1 : 0;
}

/* Milliseconds since 1970 of a date or timestamp text, read as UTC when it names no zone. */
export function momentMs(value: Value | undefined): number {
  if (typeof value !== "string") return NaN;
  const text = value.trim().replace(" ", "T");
  if (/^\d{4}-\d\d-\d\d$/.test(text)) return Date.parse(`${text}T00:00:00Z`);
  const zoned = /(Z|[+-]\d\d(:?\d\d)?)$/.test(text);
  return Date.parse(zoned ? text.replace(/([+-]\d\d)$/, "$1:00") : `${text}Z`);
}

export const numberOf = (value: Value | undefined): number => (typeof value === "number" ? value : typeof value === "string" && value !== "" ? Number(value) : NaN);

export function columnNamed(columns: Column[], name: string): Column | undefined {
  return columns.find((c) => c.name.toLowerCase() === name);
}
