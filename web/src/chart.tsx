/* A chart of an answer. The drawing libraries come only when the first chart is shown. */
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { plural } from "./format";
import { Select } from "./parts";
import type { ChartSpec } from "./series";
import { theme } from "./theme";

export interface Drawing {
  destroy: () => void;
}

async function draw(spec: ChartSpec, group: string, into: HTMLElement, height: number): Promise<Drawing> {
  if (spec.kind === "candles") return (await import("./candles")).drawCandles(into, spec, spec.groups.get(group) ?? [], height);
  return (await import("./lines")).drawLines(into, spec, height);
}

export function Chart({ spec, height }: { spec: ChartSpec; height: number }): JSX.Element {
  const into = useRef<HTMLDivElement>(null);
  const groups = spec.kind === "candles" ? [...spec.groups.keys()] : [];
  const [chosen, setChosen] = useState("");
  const [failed, setFailed] = useState(false);
  const group = groups.includes(chosen) ? chosen : groups[0] ?? "";
  const colours = theme.value;

  useEffect(() => {
    let drawing: Drawing | null = null;
    let gone = false;
    setFailed(false);
    const element = into.current;
    if (!element) return;
    draw(spec, group, element, height).then(
      (made) => (gone ? made.destroy() : (drawing = made)),
      () => setFailed(true),
    );
    return () => {
      gone = true;
      drawing?.destroy();
    };
  }, [spec, group, height, colours]);

  return (
    <div class="chart">
      {groups.length > 1 && <Select label="Symbol" value={group} options={groups.map((g) => [g, g] as const)} onChange={setChosen} />}
      {spec.kind === "lines" && spec.measure && <p class="chart-title">{spec.measure}</p>}
      {failed && <p class="dim">The chart could not be loaded.</p>}
      <div ref={into} class="chart-canvas" role="img" aria-label={describe(spec, group)} />
      {spec.kind === "lines" && spec.left > 0 && <p class="dim">{plural(spec.left, "more series", "more series")} not drawn.</p>}
    </div>
  );
}

function describe(spec: ChartSpec, group: string): string {
  if (spec.kind === "candles") return `Candle chart${group ? ` of ${group}` : ""}, ${plural(spec.groups.get(group)?.length ?? 0, "bar")}`;
  return `Line chart of ${spec.measure ? `${spec.measure} of ` : ""}${spec.series.map((s) => s.name).join(", ")} over ${spec.xName}, ${plural(spec.x.length, "point")}`;
}
