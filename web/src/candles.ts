import { CandlestickSeries, ColorType, createChart, HistogramSeries, type IChartApi, type UTCTimestamp } from "lightweight-charts";
import type { Drawing } from "./chart";
import { styleNonce } from "./nonce";
import type { Bar, Candles } from "./series";
import { colour } from "./theme";

/* The library makes a <style> for its attribution logo; the page's content policy wants our nonce on it. */
function withNonce<T>(make: () => T): T {
  const original = document.createElement;
  document.createElement = ((tag: string, options?: ElementCreationOptions) => {
    const element = original.call(document, tag, options);
    if (element instanceof HTMLStyleElement) element.nonce = styleNonce;
    return element;
  }) as typeof document.createElement;
  try {
    return make();
  } finally {
    document.createElement = original;
  }
}

function makeChart(into: HTMLElement, spec: Candles, height: number): IChartApi {
  const line = colour("--line");
  return createChart(into, {
    height,
    autoSize: true,
    layout: {
      background: { type: ColorType.Solid, color: colour("--card") },
      textColor: colour("--ink-2"),
      fontFamily: getComputedStyle(document.body).fontFamily,
      fontSize: 11,
      attributionLogo: true,
    },
    grid: { vertLines: { color: line }, horzLines: { color: line } },
    rightPriceScale: { borderColor: line, scaleMargins: { top: 0.06, bottom: spec.volume ? 0.26 : 0.06 } },
    timeScale: { borderColor: line, timeVisible: spec.intraday, minBarSpacing: 0.2 },
    crosshair: { mode: 0 },
  });
}

/* The translucent form of an rgb() colour. */
const faint = (rgb: string): string => rgb.replace(/^rgb\((.*)\)$/, (_, parts: string) => `rgba(${parts.replaceAll(/[ ,]+/g, ",")},0.4)`);

function addSeries(chart: IChartApi, spec: Candles, bars: Bar[]): void {
  const up = colour("--up"), down = colour("--down");
  const candles = chart.addSeries(CandlestickSeries, { upColor: up, downColor: down, borderUpColor: up, borderDownColor: down, wickUpColor: up, wickDownColor: down });
  candles.setData(bars.map((b) => ({ time: b.time_s as UTCTimestamp, open: b.open, high: b.high, low: b.low, close: b.close })));
  if (!spec.volume) return;
  const volume = chart.addSeries(HistogramSeries, { priceScaleId: "volume", priceFormat: { type: "volume" }, lastValueVisible: false, priceLineVisible: false });
  volume.priceScale().applyOptions({ scaleMargins: { top: 0.8, bottom: 0 } });
  volume.setData(bars.filter((b) => Number.isFinite(b.volume)).map((b) => ({ time: b.time_s as UTCTimestamp, value: b.volume, color: faint(b.close >= b.open ? up : down) })));
}

/* Open, high, low and close of the bar under the pointer, or of the last one. */
function addReadout(chart: IChartApi, into: HTMLElement, bars: Bar[], intraday: boolean): HTMLElement {
  const readout = document.createElement("p");
  readout.className = "readout";
  const byTime = new Map(bars.map((b) => [b.time_s, b]));
  const show = (bar: Bar | undefined) => {
    if (!bar) return;
    const time = new Date(bar.time_s * 1000).toISOString().slice(0, intraday ? 16 : 10).replace("T", " ");
    const volume = Number.isFinite(bar.volume) ? `  V ${bar.volume.toLocaleString("en-US")}` : "";
    readout.textContent = `${time}  O ${bar.open}  H ${bar.high}  L ${bar.low}  C ${bar.close}${volume}`;
    readout.dataset["move"] = bar.close >= bar.open ? "up" : "down";
  };
  show(bars.at(-1));
  chart.subscribeCrosshairMove((event) => show(typeof event.time === "number" ? byTime.get(event.time) : bars.at(-1)));
  into.before(readout);
  return readout;
}

export function drawCandles(into: HTMLElement, spec: Candles, bars: Bar[], height: number): Drawing {
  into.style.height = `${height}px`;
  const chart = withNonce(() => {
    const made = makeChart(into, spec, height);
    addSeries(made, spec, bars);
    return made;
  });
  chart.timeScale().fitContent();
  const readout = addReadout(chart, into, bars, spec.intraday);
  return {
    destroy: () => {
      readout.remove();
      chart.remove();
      into.style.height = "";
    },
  };
}
