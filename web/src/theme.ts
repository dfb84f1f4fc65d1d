import { computed, signal } from "@preact/signals";
import { recall, remember } from "./storage";

export type Theme = "light" | "dark";

const system = matchMedia("(prefers-color-scheme: dark)");
const systemTheme = signal<Theme>(system.matches ? "dark" : "light");
system.addEventListener("change", () => (systemTheme.value = system.matches ? "dark" : "light"));

const stored = recall("theme");
const chosen = signal<Theme | null>(stored === "light" || stored === "dark" ? stored : null);

export const theme = computed<Theme>(() => chosen.value ?? systemTheme.value);

/* The other theme; choosing the system's own again goes back to following the system. */
export function toggleTheme(): void {
  const next: Theme = theme.value === "dark" ? "light" : "dark";
  chosen.value = next === systemTheme.value ? null : next;
  remember("theme", chosen.value);
  if (chosen.value) document.documentElement.dataset["theme"] = chosen.value;
  else delete document.documentElement.dataset["theme"];
}

/* The colour a CSS variable has now, as rgb(): canvas does not know var() or light-dark(). */
export function colour(name: string): string {
  const probe = document.createElement("span");
  probe.style.color = `var(${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

/* Twelve line colours that stay apart in both themes. */
export const seriesColours = (): string[] => Array.from({ length: 12 }, (_, i) => colour(`--s${i + 1}`));
