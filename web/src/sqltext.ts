/* SQL as text: quoting, and where statements begin and end. */

const plainName = /^[A-Za-z_][A-Za-z0-9_]*$/;

export const quoteName = (name: string): string => (plainName.test(name) ? name : `\`${name.replaceAll("`", "``")}\``);
export const quoteText = (value: string): string => `'${value.replaceAll("'", "''")}'`;

/* schema.table: the first dot divides, the parts are quoted when they need it. */
export function quoteTable(name: string): string {
  const dot = name.indexOf(".");
  return dot < 0 ? quoteName(name) : `${quoteName(name.slice(0, dot))}.${quoteName(name.slice(dot + 1))}`;
}

export interface Span {
  from: number;
  to: number;
}

/* Where the quoted or commented piece that starts at `at` ends; `at` itself when none starts there. */
function skip(sql: string, at: number): number {
  const two = sql.slice(at, at + 2);
  if (two === "--") return lineEnd(sql, at);
  if (two === "/*") return commentEnd(sql, at);
  const quote = sql[at];
  if (quote === "'" || quote === '"' || quote === "`") return quoteEnd(sql, at, quote);
  const dollar = quote === "$" ? /^\$[A-Za-z_]*\$/.exec(sql.slice(at, at + 64))?.[0] : undefined;
  if (dollar) {
    const end = sql.indexOf(dollar, at + dollar.length);
    return end < 0 ? sql.length : end + dollar.length;
  }
  return at;
}

function lineEnd(sql: string, at: number): number {
  const end = sql.indexOf("\n", at);
  return end < 0 ? sql.length : end + 1;
}

function commentEnd(sql: string, at: number): number {
  let depth = 0;
  while (at < sql.length) {
    const two = sql.slice(at, at + 2);
    if (two === "/*") depth++;
    else if (two === "*/" && --depth === 0) return at + 2;
    at += two === "/*" || two === "*/" ? 2 : 1;
  }
  return sql.length;
}

function quoteEnd(sql: string, at: number, quote: string): number {
  for (let i = at + 1; i < sql.length; i++) {
    if (sql[i] !== quote) continue;
    if (sql[i + 1] !== quote) return i + 1;
    i++;
  }
  return sql.length;
}

/* The statements of a script, without their ';' and the blanks around them. Pieces of only comments are not statements. */
export function statements(sql: string): Span[] {
  const found: Span[] = [];
  let start = -1; // first character that is neither blank nor comment
  let end = 0;
  for (let at = 0; at < sql.length; ) {
    const next = skip(sql, at);
    const comment = next > at && (sql[at] === "-" || sql[at] === "/");
    if (next === at && sql[at] === ";") {
      if (start >= 0) found.push({ from: start, to: end });
      start = -1;
      at++;
      continue;
    }
    if (!comment && (next > at || !/\s/.test(sql[at] ?? ""))) {
      if (start < 0) start = at;
      end = Math.max(next, at + 1);
    }
    at = Math.max(next, at + 1);
  }
  if (start >= 0) found.push({ from: start, to: end });
  return found;
}

/* The statement the cursor is in, or the nearest one before it, or the first. */
export function statementAt(sql: string, cursor: number): Span | null {
  const all = statements(sql);
  let best: Span | null = all[0] ?? null;
  for (const span of all) if (span.from <= cursor) best = span;
  return best;
}

/* The server counts bytes of UTF-8; the editor counts UTF-16 units. */
export function utf16Offset(text: string, byteOffset: number): number {
  let bytes = 0;
  for (let i = 0; i < text.length; ) {
    if (bytes >= byteOffset) return i;
    const point = text.codePointAt(i) ?? 0;
    bytes += point < 0x80 ? 1 : point < 0x800 ? 2 : point < 0x10000 ? 3 : 4;
    i += point > 0xffff ? 2 : 1;
  }
  return text.length;
}

/* Where a place is in the text as the editor numbers it, from 1. */
export function lineAndColumn(text: string, at: number): { line: number; column: number } {
  const lines = text.slice(0, at).split("\n");
  return { line: lines.length, column: [...(lines.at(-1) ?? "")].length + 1 };
}

/* What to underline for an error at `offset`: the word or quoted name there, or one character. */
export function tokenAt(text: string, offset: number): Span {
  const from = Math.min(offset, Math.max(text.length - 1, 0));
  const quoted = skip(text, from);
  if (quoted > from) return { from, to: quoted };
  const word = /^[\w.$]+/.exec(text.slice(from))?.[0];
  return { from, to: Math.min(text.length, from + (word?.length ?? 1)) };
}
