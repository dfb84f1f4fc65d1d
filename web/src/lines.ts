import uPlot from "uplot";
import type { Drawing } from "./chart";
import type { Lines } from "./series";
import { colour, seriesColours } from "./theme";

const number = new Intl.NumberFormat("en-US", { maximumFractionDigits: 4 });
const tick = new Intl.NumberFormat("en-US", { notation: "compact", maximumFractionDigits: 2 });

const shown = (_: uPlot, value: number | null): string => (value === null ? "–" : number.format(value));

function moment(time_s: number): string {
  const text = new Date(time_s * 1000).toISOString();
  return text.endsWith("T00:00:00.000Z") ? text.slice(0, 10) : text.slice(0, 19).replace("T", " ");
}

/* Without a pointer the legend has the newest values. */
function showLast(plot: uPlot): void {
  if (plot.legend.idx === null || plot.legend.idx === undefined) plot.setLegend({ idx: (plot.data[0]?.length ?? 1) - 1 }, false);
}

function options(spec: Lines, width: number, height: number): uPlot.Options {
  const ink = colour("--ink-2");
  const grid = { stroke: colour("--line"), width: 1 };
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: ink, grid, ticks: grid, font };
  const colours = seriesColours();
  const x: uPlot.Series = { label: spec.xName, value: (_, v: number | null) => (v === null ? "–" : spec.time ? moment(v) : number.format(v)) };
  return {
    width, height,
    tzDate: (ts) => uPlot.tzDate(new Date(ts * 1000), "UTC"),
    scales: { x: { time: spec.time } },
    cursor: { y: false, points: { size: 6 } },
    legend: { live: true },
    hooks: { setLegend: [showLast] },
    axes: [axis, { ...axis, size: 58, values: (_, splits) => splits.map((v) => (v === null ? "" : tick.format(v))) }],
    series: [x, ...spec.series.map((s, i): uPlot.Series => ({ label: s.name, stroke: colours[i % colours.length] ?? ink, width: 1.5, value: shown, spanGaps: true, points: { show: spec.x.length < 40 } }))],
  };
}

export function drawLines(into: HTMLElement, spec: Lines, height: number): Drawing {
  const plot = new uPlot(options(spec, into.clientWidth, height), [spec.x, ...spec.series.map((s) => s.y)], into);
  const watch = new ResizeObserver(() => into.clientWidth > 0 && plot.setSize({ width: into.clientWidth, height }));
  watch.observe(into);
  return {
    destroy: () => {
      watch.disconnect();
      plot.destroy();
    },
  };
}
