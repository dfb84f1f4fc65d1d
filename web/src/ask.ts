import { useEffect, useState } from "preact/hooks";
import { asProblem, isAbort, type Problem } from "./api";

export interface Asked<T> {
  value: T | undefined; // the newest answer; while loading, the one before it
  problem: Problem | undefined;
  loading: boolean;
  again: () => void;
}

/* Asks the server whenever `key` changes, and drops the question before it. null asks nothing. delay_ms gathers fast changes into one question. */
export function useAsk<T>(key: string | null, ask: (signal: AbortSignal) => Promise<T>, delay_ms = 0): Asked<T> {
  const [state, setState] = useState<{ value: T | undefined; problem: Problem | undefined; key: string | null }>({ value: undefined, problem: undefined, key: null });
  const [round, setRound] = useState(0);
  const asked = key === null ? null : `${key}\n${round}`;

  useEffect(() => {
    if (asked === null) {
      setState({ value: undefined, problem: undefined, key: null });
      return;
    }
    const abort = new AbortController();
    const run = () =>
      ask(abort.signal).then(
        (value) => !abort.signal.aborted && setState({ value, problem: undefined, key: asked }),
        (error: unknown) => !isAbort(error) && !abort.signal.aborted && setState((old) => ({ value: old.value, problem: asProblem(error), key: asked })),
      );
    const timer = setTimeout(run, delay_ms);
    return () => {
      clearTimeout(timer);
      abort.abort();
    };
  }, [asked]);

  const loading = state.key !== asked;
  return { value: state.value, problem: loading ? undefined : state.problem, loading, again: () => setRound((n) => n + 1) };
}
