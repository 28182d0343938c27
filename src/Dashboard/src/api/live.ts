import { useCallback, useEffect, useRef } from "preact/hooks";
import { useStore } from "../store";
import { session } from "./client";
import type { Attempt, Epoch, Progress, State, Study } from "./types";

/** An event of the API's streams. It has one of the members besides the two ids. */
export interface LiveEvent {
  jobId?: string;
  studyId?: string | null;
  state?: { state: State; reason: string | null; isTerminal: boolean; attempt: number };
  attempt?: Attempt;
  progress?: Progress;
  epoch?: Epoch;
  study?: Pick<Study, "state" | "isTerminal" | "progress">;
}

const types = ["state", "attempt", "progress", "epoch", "study"];
const pollEveryMs = 2_000;
const reopenAfterMs = 10_000;

/**
 * Keeps a page up to date. It calls `onEvent` for each event of the stream, and `refresh` whenever events may have been missed.
 * While there is no stream, it calls `refresh` every 2 s. A hidden page has no stream, because a browser allows six connections
 * to a host.
 * @param path of the stream; null when there is none.
 * @returns a function that ends it.
 */
export function follow(path: string | null, refresh: () => void, onEvent: (event: LiveEvent) => void): () => void {
  let source: EventSource | undefined;
  let polling: number | undefined;
  let reopening: number | undefined;

  function poll(): void {
    polling ??= window.setInterval(() => document.hidden || refresh(), pollEveryMs);
  }

  function stop(): void {
    source?.close();
    clearInterval(polling);
    clearTimeout(reopening);
    source = polling = reopening = undefined;
  }

  function open(): void {
    if (document.hidden) return;
    if (path === null) poll();
    else listen(path);
  }

  function listen(from: string): void {
    const stream = (source = new EventSource(from));
    stream.onopen = () => {
      // The stream of everything begins with what happens next; the others begin with what has happened.
      if (polling !== undefined || from === "/events") refresh();
      clearInterval(polling);
      polling = undefined;
    };
    // The browser opens a lost stream again by itself, but not one that the API refused.
    stream.onerror = () => {
      poll();
      if (stream.readyState === EventSource.CLOSED) reopening = window.setTimeout(() => listen(from), reopenAfterMs);
    };
    for (const type of types) stream.addEventListener(type, message => onEvent(JSON.parse(message.data)));
  }

  function onVisibility(): void {
    stop();
    if (!document.hidden) refresh();
    open();
  }

  open();
  document.addEventListener("visibilitychange", onVisibility);
  return () => {
    document.removeEventListener("visibilitychange", onVisibility);
    stop();
  };
}

/** Follows while the component is shown, nobody must sign in, and `active`; `path` and `active` decide when it starts anew. */
export function useLive(path: string | null, active: boolean, refresh: () => void, onEvent: (event: LiveEvent) => void): void {
  const latest = useRef({ refresh, onEvent });
  latest.current = { refresh, onEvent };
  const { required, signedIn } = useStore(session);
  const follows = active && (!required || signedIn);
  useEffect(() => {
    if (!follows) return;
    return follow(
      path,
      () => latest.current.refresh(),
      event => latest.current.onEvent(event),
    );
  }, [path, follows]);
}

/** Runs the latest `run` at most once a second, a second after the first call. */
export function useThrottled(run: () => void): () => void {
  const latest = useRef(run);
  latest.current = run;
  const waiting = useRef(0);
  useEffect(() => () => clearTimeout(waiting.current), []);
  return useCallback(() => {
    waiting.current ||= window.setTimeout(() => {
      waiting.current = 0;
      latest.current();
    }, 1_000);
  }, []);
}
