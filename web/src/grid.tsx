/* A grid of rows of which only those in view are in the document. Click a heading to sort, drag its edge to resize; arrows move, Ctrl+C copies the cell. */
import type { CSSProperties, JSX, TargetedPointerEvent } from "preact";
import { useEffect, useLayoutEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Column, Row } from "./api";
import { count } from "./format";
import { copyText } from "./parts";
import { cellText, compareValues, kindOf } from "./values";

const ROW_PX = 28;
const HEAD_PX = 44;
const SPARE_ROWS = 12;
const ROWS_SHOWN_AT_MOST = 500_000; // browsers cannot lay out taller boxes
const SAMPLE_ROWS = 200;

interface Sort {
  column: string;
  down: boolean;
}
interface Cell {
  row: number; // -1 is the heading
  column: number;
}

const CELL_PADDING_PX = 28;
const pen = document.createElement("canvas").getContext("2d");

function textWidth(text: string, font: string): number {
  if (!pen) return text.length * 8;
  pen.font = `${font} ${getComputedStyle(document.body).fontFamily}`;
  return pen.measureText(text).width;
}

/* A width that fits the name, the type and the longest of the first rows, within bounds. */
function naturalWidth(column: Column, rows: Row[]): number {
  let longest = "";
  for (const row of rows.slice(0, SAMPLE_ROWS)) {
    const text = cellText(row[column.name], column.type);
    if (text.length > longest.length) longest = text.slice(0, 80);
  }
  const widest = Math.max(textWidth(`${column.name} ↓`, "620 13px"), textWidth(column.type, "11px"), textWidth(longest, "13px") * 1.02);
  return Math.round(Math.min(Math.max(widest + CELL_PADDING_PX, 64), 380));
}

/* Widths grow with new rows of the same columns, but do not shrink: a grid that is re-asked at another version stays still. */
function useNaturalWidths(columns: Column[], rows: Row[], shape: string): number[] {
  const known = useRef({ shape: "", widths: [] as number[] });
  return useMemo(() => {
    const before = known.current.shape === shape ? known.current.widths : [];
    const widths = columns.map((c, i) => Math.max(before[i] ?? 0, naturalWidth(c, rows)));
    known.current = { shape, widths };
    return widths;
  }, [shape, rows]);
}

function sorted(rows: Row[], columns: Column[], sort: Sort | null): Row[] {
  const column = sort && columns.find((c) => c.name === sort.column);
  if (!sort || !column) return rows;
  const kind = kindOf(column.type);
  const sign = sort.down ? -1 : 1;
  return [...rows].sort((a, b) => {
    const left = a[column.name] ?? null, right = b[column.name] ?? null;
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    return sign * compareValues(left, right, kind);
  });
}

export function Grid({ columns, rows, label, maxRows = 18 }: { columns: Column[]; rows: Row[]; label: string; maxRows?: number }): JSX.Element {
  const box = useRef<HTMLDivElement>(null);
  const [view, setView] = useState({ top: 0, height: 400 });
  const [sort, setSort] = useState<Sort | null>(null);
  const [active, setActive] = useState<Cell | null>(null);
  const [resized, setResized] = useState<Record<string, number>>({});
  const shape = columns.map((c) => `${c.name} ${c.type}`).join("\n");
  const natural = useNaturalWidths(columns, rows, shape);
  const ordered = useMemo(() => sorted(rows, columns, sort), [rows, shape, sort]);
  const widths = columns.map((c, i) => resized[c.name] ?? natural[i] ?? 100);
  const total = Math.min(ordered.length, ROWS_SHOWN_AT_MOST);

  useEffect(() => {
    setSort(null);
    setResized({});
    setActive(null);
  }, [shape]);
  useEffect(() => {
    if (box.current) box.current.scrollTop = 0;
  }, [rows]);
  useLayoutEffect(() => {
    const element = box.current;
    if (!element) return;
    const measure = () => setView({ top: element.scrollTop, height: element.clientHeight });
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    return () => watch.disconnect();
  }, []);

  const cycle = (name: string) => setSort((old) => (old?.column !== name ? { column: name, down: false } : old.down ? null : { column: name, down: true }));
  const reveal = (cell: Cell) => {
    setActive(cell);
    if (box.current) scrollToCell(box.current, cell, widths);
  };
  const onKey = (event: KeyboardEvent) => {
    const at = active ?? { row: 0, column: 0 };
    if ((event.ctrlKey || event.metaKey) && event.key === "c" && active && !getSelection()?.toString()) {
      void copyText(active.row < 0 ? columns[active.column]?.name ?? "" : textAt(ordered, columns, active));
      return;
    }
    if (event.key === "Enter" && active?.row === -1) {
      const column = columns[active.column];
      if (column) cycle(column.name);
      event.preventDefault();
      return;
    }
    const next = moved(event, at, total, columns.length, Math.max(1, Math.floor(view.height / ROW_PX) - 2));
    if (!next) return;
    event.preventDefault();
    reveal(active ? next : at);
  };

  const first = Math.max(0, Math.floor(view.top / ROW_PX) - SPARE_ROWS);
  const last = Math.min(total, Math.ceil((view.top + view.height) / ROW_PX) + SPARE_ROWS);
  const template = widths.map((w) => `${w}px`).join(" ");
  const height = HEAD_PX + Math.min(total, maxRows) * ROW_PX + 14;
  return (
    <>
      <div ref={box} class="grid" role="grid" aria-label={label} aria-rowcount={ordered.length + 1} aria-colcount={columns.length} tabIndex={0}
        aria-activedescendant={active ? `cell-${active.row}-${active.column}` : undefined} style={{ "--columns": template, height: `${height}px` } as CSSProperties}
        onScroll={(e) => setView({ top: e.currentTarget.scrollTop, height: e.currentTarget.clientHeight })} onKeyDown={onKey}>
        <div class="grid-head" role="row" aria-rowindex={1}>
          {columns.map((c, i) => (
            <HeadCell key={c.name} column={c} at={i} width={widths[i] ?? 100} sort={sort?.column === c.name ? sort : null} active={active?.row === -1 && active.column === i}
              onSort={() => cycle(c.name)} onWidth={(w) => setResized((old) => ({ ...old, [c.name]: w }))} />
          ))}
        </div>
        <div class="grid-body" role="rowgroup" style={{ height: `${total * ROW_PX}px` }}>
          {ordered.slice(first, last).map((row, i) => (
            <BodyRow key={first + i} row={row} at={first + i} columns={columns} active={active?.row === first + i ? active.column : -1} onPick={(column) => setActive({ row: first + i, column })} />
          ))}
        </div>
      </div>
      {ordered.length > total && <p class="dim">The first {count(total)} of {count(ordered.length)} rows are shown; copies and downloads have all of them.</p>}
    </>
  );
}

const textAt = (rows: Row[], columns: Column[], cell: Cell): string => {
  const column = columns[cell.column];
  return column ? cellText(rows[cell.row]?.[column.name], column.type) : "";
};

function moved(event: KeyboardEvent, at: Cell, rows: number, columns: number, pageRows: number): Cell | null {
  const whole = event.ctrlKey || event.metaKey;
  const to = (row: number, column: number): Cell => ({ row: Math.max(-1, Math.min(rows - 1, row)), column: Math.max(0, Math.min(columns - 1, column)) });
  switch (event.key) {
    case "ArrowDown": return to(at.row + 1, at.column);
    case "ArrowUp": return to(at.row - 1, at.column);
    case "ArrowRight": return to(at.row, at.column + 1);
    case "ArrowLeft": return to(at.row, at.column - 1);
    case "PageDown": return to(at.row + pageRows, at.column);
    case "PageUp": return to(Math.max(0, at.row - pageRows), at.column);
    case "Home": return to(whole ? 0 : at.row, 0);
    case "End": return to(whole ? rows - 1 : at.row, columns - 1);
    default: return null;
  }
}

function scrollToCell(box: HTMLElement, cell: Cell, widths: number[]): void {
  const left = widths.slice(0, cell.column).reduce((a, b) => a + b, 0);
  const right = left + (widths[cell.column] ?? 0);
  if (left < box.scrollLeft) box.scrollLeft = left;
  else if (right > box.scrollLeft + box.clientWidth) box.scrollLeft = right - box.clientWidth;
  if (cell.row < 0) return;
  const top = cell.row * ROW_PX;
  const room = box.clientHeight - HEAD_PX - ROW_PX - 16;
  if (top < box.scrollTop) box.scrollTop = top;
  else if (top > box.scrollTop + room) box.scrollTop = top - room;
}

interface HeadCellProps {
  column: Column;
  at: number;
  width: number;
  sort: Sort | null;
  active: boolean;
  onSort: () => void;
  onWidth: (width: number) => void;
}

function HeadCell({ column, at, width, sort, active, onSort, onWidth }: HeadCellProps): JSX.Element {
  const drag = (event: TargetedPointerEvent<HTMLElement>) => {
    event.preventDefault();
    event.stopPropagation();
    const handle = event.currentTarget;
    const from = event.clientX;
    handle.setPointerCapture(event.pointerId);
    const move = (e: PointerEvent) => onWidth(Math.max(48, width + e.clientX - from));
    handle.addEventListener("pointermove", move);
    handle.addEventListener("lostpointercapture", () => handle.removeEventListener("pointermove", move), { once: true });
  };
  return (
    <div id={`cell--1-${at}`} role="columnheader" aria-colindex={at + 1} aria-sort={sort ? (sort.down ? "descending" : "ascending") : "none"} class={`grid-th ${kindOf(column.type)}${active ? " active" : ""}`} onClick={onSort} title={`${column.name} ${column.type}`}>
      <span class="grid-name">{column.name}{sort && <i aria-hidden="true">{sort.down ? " ↓" : " ↑"}</i>}</span>
      <span class="grid-type">{column.type}</span>
      <span class="grid-resize" aria-hidden="true" onPointerDown={drag} onClick={(e) => e.stopPropagation()} />
    </div>
  );
}

function BodyRow({ row, at, columns, active, onPick }: { row: Row; at: number; columns: Column[]; active: number; onPick: (column: number) => void }): JSX.Element {
  return (
    <div class={at % 2 ? "grid-row odd" : "grid-row"} role="row" aria-rowindex={at + 2} style={{ transform: `translateY(${at * ROW_PX}px)` }}>
      {columns.map((c, i) => {
        const value = row[c.name];
        const missing = value === null || value === undefined;
        const text = cellText(value, c.type);
        return (
          <div key={c.name} id={`cell-${at}-${i}`} role="gridcell" aria-colindex={i + 1} class={`grid-td ${kindOf(c.type)}${missing ? " null" : ""}${i === active ? " active" : ""}`}
            title={text.length > 24 ? text : undefined} onClick={() => onPick(i)}>
            {text}
          </div>
        );
      })}
    </div>
  );
}
