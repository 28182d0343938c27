import type { ComponentChildren } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { post, type Problem, session } from "./api/client";
import type { Job, Scope, State, StudyProgress, Worker } from "./api/types";
import { ago, duration } from "./format";
import { href } from "./router";
import { useStore } from "./store";

export const Badge = ({ state }: { state: State | Worker["state"] }) => (
  <span class={`badge ${state}`}>{state}</span>
);

export function Bar({ share, label }: { share: number; label: string }) {
  return <progress value={share} max={1} aria-label={label} />;
}

/** How far a job has come, 0 to 1; null when nothing is known. */
export function shareOf({ progress, state }: Job): number | null {
  if (state === "succeeded") return 1;
  return progress ? (progress.epoch - 1 + progress.step / Math.max(1, progress.steps)) / progress.epochs : null;
}

export function JobProgress({ job, isShort = false }: { job: Job; isShort?: boolean }) {
  const share = shareOf(job);
  const { progress } = job;
  if (share === null || job.isTerminal) return null;
  return (
    <span class="progress">
      <Bar share={share} label="Progress" />
      {progress && (
        <span class="quiet">
          epoch {progress.epoch}/{progress.epochs}
          {!isShort && job.state === "running" && progress.secondsLeft !== null && ` · ${duration(progress.secondsLeft)} left`}
        </span>
      )}
    </span>
  );
}

export function StudyBar({ progress }: { progress: StudyProgress }) {
  const over = progress.succeeded + progress.failed + progress.cancelled;
  return (
    <span class="progress">
      <Bar share={progress.jobs ? over / progress.jobs : 0} label="Progress" />
      <span class="quiet">
        {over}/{progress.jobs} jobs{progress.secondsLeft !== null && ` · ${duration(progress.secondsLeft)} left`}
      </span>
    </span>
  );
}

/** A time as "3 min ago", with the exact one as its title. */
export function Ago({ time }: { time: string }) {
  const [, setTick] = useState(0);
  useEffect(() => {
    const ticking = window.setInterval(() => setTick(tick => tick + 1), 10_000);
    return () => clearInterval(ticking);
  }, []);
  return (
    <time dateTime={time} title={new Date(time).toLocaleString()}>
      {ago(time)}
    </time>
  );
}

export function ProblemBox({ problem }: { problem: Problem | undefined }) {
  // An outage has its own notice, and a missing session the sign-in.
  if (!problem || problem.status === 0 || problem.status === 401) return null;
  return (
    <div class="problem" role="alert">
      <b>{problem.message}</b> {problem.detail}
    </div>
  );
}

/** A table that scrolls by itself where it is wider than the page. */
export function Table({ label, head, children }: { label: string; head: ComponentChildren; children: ComponentChildren }) {
  return (
    <div class="scroll" role="region" aria-label={label} tabIndex={0}>
      <table>
        <thead>
          <tr>{head}</tr>
        </thead>
        <tbody>{children}</tbody>
      </table>
    </div>
  );
}

/** Names and values, such as a spec. */
export function Values({ values }: { values: [string, ComponentChildren][] }) {
  return (
    <dl class="values">
      {values.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

/** A figure that stands out. */
export function Big({ name, value }: { name: string; value: string }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </div>
  );
}

export interface Action {
  name: string;
  run: () => Promise<unknown>;
  /** What is asked before it is carried out; nothing when absent. */
  question?: string;
  /** What it needs; `operate` when absent. */
  scope?: Scope;
}

/** Keeps retention from a job or a study, or lets it in again. */
export const pinning = (path: string, pinned: boolean, refresh: () => void): Action => ({
  name: pinned ? "Unpin" : "Pin",
  run: () => post(`${path}/${pinned ? "unpin" : "pin"}`).finally(refresh),
});

/** Buttons that send a verb. A refusal is shown below them. */
export function Actions({ actions, children }: { actions: Action[]; children?: ComponentChildren }) {
  const { scopes } = useStore(session);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<Problem>();
  const [asked, setAsked] = useState<Action>();

  async function carryOut(action: Action): Promise<void> {
    setBusy(true);
    setProblem(undefined);
    await action.run().catch(setProblem);
    setBusy(false);
  }

  return (
    <>
      <div class="actions">
        {actions.map(action => (
          <button
            key={action.name}
            type="button"
            disabled={busy || !scopes.includes(action.scope ?? "operate")}
            onClick={() => (action.question ? setAsked(action) : carryOut(action))}
          >
            {action.name}
          </button>
        ))}
        {children}
      </div>
      <ProblemBox problem={problem} />
      {asked && (
        <Question
          action={asked}
          onAnswer={isYes => {
            setAsked(undefined);
            if (isYes) carryOut(asked);
          }}
        />
      )}
    </>
  );
}

/** Asks before an action that cannot be undone. Escape is a no. */
function Question({ action: { name, question }, onAnswer }: { action: Action; onAnswer: (isYes: boolean) => void }) {
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => dialog.current?.showModal(), []);
  const close = (answer: string) => () => dialog.current?.close(answer);
  return (
    <dialog ref={dialog} aria-labelledby="question" onClose={() => onAnswer(dialog.current?.returnValue === name)}>
      <p id="question">{question}</p>
      <div class="actions">
        <button type="button" class="primary" onClick={close(name)}>
          {name}
        </button>
        <button type="button" autofocus onClick={close("")}>
          Keep
        </button>
      </div>
    </dialog>
  );
}

/** Links to the other pages of a list, with its filters. */
export function Paging({ path, query, next }: { path: string; query: URLSearchParams; next: string | null | undefined }) {
  const to = (cursor: string | null): string => href(path, { ...Object.fromEntries(query), cursor });
  return (
    <nav class="paging" aria-label="Pages of the list">
      {query.has("cursor") && <a href={to(null)}>Newest</a>}
      {next && <a href={to(next)}>Older</a>}
    </nav>
  );
}
