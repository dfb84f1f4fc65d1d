/* Small things kept in this browser. Storage can be blocked or full: then they are kept for the visit only. */
const visit = new Map<string, string>();

export function recall(key: string): string | null {
  try {
    return localStorage.getItem(`varve.${key}`) ?? visit.get(key) ?? null;
  } catch {
    return visit.get(key) ?? null;
  }
}

export function remember(key: string, value: string | null): void {
  if (value === null) visit.delete(key);
  else visit.set(key, value);
  try {
    if (value === null) localStorage.removeItem(`varve.${key}`);
    else localStorage.setItem(`varve.${key}`, value);
  } catch {
    // kept in `visit`
  }
}
