/* An answer as text for other programs. */
import type { Column, Row, Value } from "./api";
import { cellText, kindOf } from "./values";

const csvField = (value: Value | undefined): string => {
  if (value === null || value === undefined) return "";
  const text = cellText(value);
  return text === "" || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

export const toCsv = (columns: Column[], rows: Row[]): string =>
  [columns.map((c) => csvField(c.name)), ...rows.map((row) => columns.map((c) => csvField(row[c.name])))].map((fields) => `${fields.join(",")}\r\n`).join("");

export const toJson = (columns: Column[], rows: Row[]): string =>
  `[\n${rows.map((row) => `  ${JSON.stringify(Object.fromEntries(columns.map((c) => [c.name, row[c.name] ?? null])))}`).join(",\n")}\n]\n`;

const markdownField = (text: string): string => text.replaceAll("\\", "\\\\").replaceAll("|", "\\|").replaceAll(/\r?\n/g, "<br>");

export function toMarkdown(columns: Column[], rows: Row[]): string {
  const line = (fields: string[]): string => `| ${fields.join(" | ")} |\n`;
  const rule = columns.map((c) => (kindOf(c.type) === "number" ? "---:" : "---"));
  return line(columns.map((c) => markdownField(c.name))) + line(rule) + rows.map((row) => line(columns.map((c) => markdownField(cellText(row[c.name], c.type))))).join("");
}

export function saveAs(blob: Blob, name: string): void {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 30_000);
}
