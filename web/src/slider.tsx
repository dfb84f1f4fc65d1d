/* The layers of a table: one column a version, coloured by its operation, as high as the rows it touched. Drag or use the arrows to choose a version. */
import type { CSSProperties, JSX, TargetedPointerEvent } from "preact";
import { useRef } from "preact/hooks";
import type { Commit } from "./api";
import { when } from "./format";
import { KIND_TEXT, operationKind, rowsTouched, summary, type OperationKind } from "./operations";

interface SliderProps {
  commits: Commit[]; // oldest first
  version: number;
  other: number | null; // the version compared with
  onVersion: (version: number, replace: boolean) => void; // replace: this goes on with the gesture before it, which the back button undoes whole
  onOther: (version: number, replace: boolean) => void;
}

const ONE_GESTURE_MS = 800;

type Handle = "version" | "other";

export function VersionSlider(p: SliderProps): JSX.Element {
  const track = useRef<HTMLDivElement>(null);
  const pressed = useRef(-Infinity);
  const count = p.commits.length;
  const indexOf = (version: number) => p.commits.findIndex((c) => c.version === version);
  const tallest = Math.log1p(Math.max(...p.commits.map(rowsTouched), 1));
  const clamp = (index: number) => Math.max(0, Math.min(count - 1, index));
  const set = (handle: Handle, index: number, replace: boolean) => {
    const commit = p.commits[clamp(index)];
    if (commit) (handle === "version" ? p.onVersion : p.onOther)(commit.version, replace);
  };
  const indexAt = (x: number): number => {
    const box = track.current?.getBoundingClientRect();
    return box ? clamp(Math.floor(((x - box.left) / box.width) * count)) : 0;
  };
  const drag = (event: TargetedPointerEvent<HTMLDivElement>) => {
    if (event.button !== 0) return;
    event.preventDefault();
    const element = event.currentTarget;
    const here = indexOf(p.version), there = p.other === null ? -1 : indexOf(p.other);
    const handle = nearest(indexAt(event.clientX), here, there, event.target);
    let last = handle === "version" ? here : there;
    let moved = false;
    const follow = (e: PointerEvent) => {
      const index = indexAt(e.clientX);
      if (index === last) return;
      set(handle, index, moved);
      last = index;
      moved = true;
    };
    const end = () => element.removeEventListener("pointermove", follow);
    element.setPointerCapture(event.pointerId);
    element.querySelector<HTMLElement>(`[data-handle="${handle}"]`)?.focus({ preventScroll: true });
    element.addEventListener("pointermove", follow);
    element.addEventListener("lostpointercapture", end, { once: true });
    follow(event);
  };
  const key = (handle: Handle) => (index: number) => {
    const now = performance.now();
    set(handle, index, now - pressed.current < ONE_GESTURE_MS);
    pressed.current = now;
  };
  return (
    <div class="slider">
      <div class="slider-track" ref={track} onPointerDown={drag}>
        {p.commits.map((c) => (
          <span key={c.version} class={`layer op-${operationKind(c)}${c.version <= p.version ? " below" : ""}`} title={`v${c.version} ${c.operation ?? ""} ${summary(c)}`}
            style={{ "--h": String(rowsTouched(c) ? 0.22 + (0.78 * Math.log1p(rowsTouched(c))) / tallest : 0.12) } as CSSProperties}><i /></span>
        ))}
        {p.other !== null && <Knob handle="other" commits={p.commits} version={p.other} onIndex={key("other")} />}
        <Knob handle="version" commits={p.commits} version={p.version} onIndex={key("version")} />
      </div>
      <Axis commits={p.commits} />
      <Legend commits={p.commits} />
    </div>
  );
}

/* A press takes the handle it is on, else the nearer one. */
function nearest(at: number, version: number, other: number, target: EventTarget | null): Handle {
  const on = target instanceof Element ? target.closest<HTMLElement>("[data-handle]")?.dataset["handle"] : undefined;
  if (on === "version" || on === "other") return on;
  return other >= 0 && Math.abs(at - other) < Math.abs(at - version) ? "other" : "version";
}

function Knob({ handle, commits, version, onIndex }: { handle: Handle; commits: Commit[]; version: number; onIndex: (index: number) => void }): JSX.Element {
  const index = Math.max(0, commits.findIndex((c) => c.version === version));
  const commit = commits[index];
  const left = `${((index + 0.5) / commits.length) * 100}%`;
  const key = (event: KeyboardEvent) => {
    const page = Math.max(1, Math.round(commits.length / 10));
    const steps: Record<string, number> = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -page, PageUp: page, Home: -commits.length, End: commits.length };
    const step = steps[event.key];
    if (step === undefined) return;
    event.preventDefault();
    onIndex(index + step);
  };
  return (
    <div class={`knob knob-${handle}`} data-handle={handle} role="slider" tabIndex={0} aria-label={handle === "version" ? "Version" : "Version to compare with"} style={{ left }}
      aria-valuemin={commits[0]?.version ?? 0} aria-valuemax={commits.at(-1)?.version ?? 0} aria-valuenow={version} aria-valuetext={`version ${version}, ${commit?.operation ?? ""}, ${when(commit?.timestamp)}`} onKeyDown={key}>
      <b>v{version}</b>
    </div>
  );
}

const time = (commit: Commit): string => when(commit.timestamp).replace(" UTC", "");

function Axis({ commits }: { commits: Commit[] }): JSX.Element {
  const first = commits[0], last = commits.at(-1);
  return (
    <div class="slider-axis">
      <span>{first && `v${first.version} · ${time(first)}`}</span>
      {last && last !== first && <span>v{last.version} · {time(last)}</span>}
    </div>
  );
}

function Legend({ commits }: { commits: Commit[] }): JSX.Element {
  const kinds = [...new Set(commits.map(operationKind))] as OperationKind[];
  return (
    <p class="legend">
      {kinds.map((kind) => <span key={kind}><i class={`swatch op-${kind}`} />{KIND_TEXT[kind]}</span>)}
      <span class="dim">height: rows touched, log scale</span>
    </p>
  );
}
