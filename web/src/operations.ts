/* The operations a Delta log names, in the few kinds that a reader tells apart. */
import type { Commit } from "./api";
import { bytes, count } from "./format";

export type OperationKind = "create" | "append" | "overwrite" | "change" | "remove" | "layout" | "settings" | "other";

export const KIND_TEXT: Record<OperationKind, string> = {
  create: "create", append: "append", overwrite: "replace rows", change: "update or merge", remove: "delete", layout: "optimize, vacuum", settings: "schema, properties", other: "other",
};

export function operationKind(commit: Commit): OperationKind {
  const name = (commit.operation ?? "").toUpperCase();
  if (/^(CREATE|CLONE|CONVERT)/.test(name)) return "create";
  if (/^(REPLACE|RESTORE)/.test(name) || (name === "WRITE" && /overwrite/i.test(String(commit.operationParameters?.["mode"])))) return "overwrite";
  if (/^(WRITE|COPY INTO|STREAMING UPDATE|INSERT)/.test(name)) return "append";
  if (/^(UPDATE|MERGE)/.test(name)) return "change";
  if (/^(DELETE|TRUNCATE)/.test(name)) return "remove";
  if (/^(OPTIMIZE|VACUUM|REORG)/.test(name)) return "layout";
  if (/^(SET|UNSET|ADD|DROP|RENAME|CHANGE|UPGRADE|ALTER)/.test(name)) return "settings";
  return "other";
}

const metric = (commit: Commit, name: string): number => Number(commit.operationMetrics?.[name] ?? 0) || 0;

/* Rows written, changed or removed, as the commit counted them; 0 when it did not. */
export function rowsTouched(commit: Commit): number {
  const names = ["numOutputRows", "numCopiedRows", "numDeletedRows", "numUpdatedRows", "numTargetRowsInserted", "numTargetRowsUpdated", "numTargetRowsDeleted"];
  return Math.max(...names.map((n) => metric(commit, n)));
}

/* "619,040 rows · 12 files · 8.1 MB": what the commit says it did. */
export function summary(commit: Commit): string {
  const parts: string[] = [];
  const rows = rowsTouched(commit);
  if (rows) parts.push(`${count(rows)} ${operationKind(commit) === "remove" ? "rows deleted" : "rows"}`);
  const files = metric(commit, "numFiles") || metric(commit, "numAddedFiles");
  if (files) parts.push(`${count(files)} ${files === 1 ? "file" : "files"}`);
  const removed = metric(commit, "numRemovedFiles");
  if (removed) parts.push(`${count(removed)} removed`);
  const size = metric(commit, "numOutputBytes") || metric(commit, "numAddedBytes");
  if (size) parts.push(bytes(size));
  return parts.join(" · ");
}
