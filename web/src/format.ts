/* Numbers and times for people. */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 1 });

export const count = (n: number | null | undefined): string => (n === null || n === undefined || !Number.isFinite(n) ? "–" : whole.format(n));
export const compact = (n: number): string => short.format(n);
export const plural = (n: number, word: string, words = `${word}s`): string => `${count(n)} ${n === 1 ? word : words}`;

export function bytes(n: number | null | undefined): string {
  if (n === null || n === undefined || !Number.isFinite(n)) return "–";
  const units = ["B", "kB", "MB", "GB", "TB", "PB"];
  let unit = 0;
  for (; n >= 999.5 && unit < units.length - 1; unit++) n /= 1000;
  return `${unit === 0 || n >= 99.95 ? Math.round(n) : n.toFixed(1)} ${units[unit]}`;
}

export function duration(ms: number | null | undefined): string {
  if (ms === null || ms === undefined || !Number.isFinite(ms)) return "–";
  if (ms < 0.01) return "< 0.01 ms";
  if (ms < 10) return `${ms.toFixed(2)} ms`;
  if (ms < 100) return `${ms.toFixed(1)} ms`;
  if (ms < 1000) return `${Math.round(ms)} ms`;
  return ms < 60_000 ? `${(ms / 1000).toFixed(2)} s` : `${Math.floor(ms / 60_000)} min ${Math.round((ms % 60_000) / 1000)} s`;
}

export const percent = (part: number): string => `${(part * 100).toFixed(part > 0 && part < 0.1 ? 1 : 0)} %`;

/* "2026-11-20 09:32:13 UTC": versions are told apart by commit time, so it is shown whole and in one zone. */
export function when(iso: string | null | undefined): string {
  const time = iso ? new Date(iso) : null;
  return time && !Number.isNaN(time.getTime()) ? `${time.toISOString().slice(0, 19).replace("T", " ")} UTC` : "–";
}

export function ago(iso: string | null | undefined, now = Date.now()): string {
  const seconds = iso ? (now - new Date(iso).getTime()) / 1000 : NaN;
  if (!Number.isFinite(seconds)) return "–";
  if (seconds < 5) return "just now";
  const steps: [number, string][] = [[60, "s"], [60, "min"], [24, "h"], [365, "d"], [Infinity, "y"]];
  let value = seconds;
  for (const [size, unit] of steps) {
    if (value < size) return `${Math.floor(value)} ${unit} ago`;
    value /= size;
  }
  return "–";
}

/* A catalog's own name says nothing inside its page: varve.silver.bars is silver.bars. */
export function shortName(name: string): string {
  const parts = name.split(".");
  return parts.length === 3 ? parts.slice(1).join(".") : name;
}
