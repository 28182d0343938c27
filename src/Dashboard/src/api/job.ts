import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { get, mayPass } from "./client";
import { merge } from "./epochs";
import { useLive, type LiveEvent } from "./live";
import { useResource } from "./resource";
import type { Attempt, Epoch, Items, Job } from "./types";

/** A job and its epochs, kept up to date by what the page passes on from its stream. */
export function useTraining(id: string) {
  const job = useResource<Job>(`/jobs/${id}`);
  const metrics = useEpochs(id);

  // When polls show the end, the last epochs may have been read before it.
  useEffect(() => {
    if (job.value?.isTerminal) metrics.reload();
  }, [job.value?.isTerminal]);

  function refresh(): void {
    job.reload();
    metrics.reload();
  }

  function onEvent({ state, progress, epoch }: LiveEvent): void {
    if (epoch) metrics.add([epoch]);
    if (progress) job.patch(shown => ({ ...shown, progress }));
    if (!state) return;
    job.reload(); // it has the result too
    if (job.value && state.attempt > job.value.attempt) metrics.restart();
  }

  const isActive = job.value ? !job.value.isTerminal : mayPass(job.problem);
  return { job, epochs: metrics.epochs, isActive, refresh, onEvent };
}

/** Everything that changes while a job runs, kept up to date. */
export function useJob(id: string) {
  const training = useTraining(id);
  const attempts = useResource<Items<Attempt>>(`/jobs/${id}/attempts`);
  const isTerminal = training.job.value?.isTerminal;

  function refresh(): void {
    training.refresh();
    attempts.reload();
  }

  function onEvent(event: LiveEvent): void {
    training.onEvent(event);
    const { attempt } = event;
    if (attempt)
      attempts.patch(({ items }) => ({
        items: [...items.filter(one => one.attempt !== attempt.attempt), attempt].sort((a, b) => a.attempt - b.attempt),
      }));
  }

  // The last attempt may have been read before the end.
  useEffect(() => {
    if (isTerminal) attempts.reload();
  }, [isTerminal]);

  useLive(`/jobs/${id}/events`, training.isActive, refresh, onEvent);
  return { job: training.job, attempts: attempts.value?.items ?? [], epochs: training.epochs, refresh };
}

/** The epochs of a job, in order. New ones are drawn at most once a frame. */
function useEpochs(id: string) {
  const [epochs, setEpochs] = useState<Epoch[]>([]);
  const known = useRef({ id, epochs: [] as Epoch[], added: [] as Epoch[], frame: 0 });

  const draw = useCallback(() => {
    const now = known.current;
    now.frame ||= requestAnimationFrame(() => {
      now.frame = 0;
      now.epochs = merge(now.epochs, now.added);
      now.added = [];
      setEpochs(now.epochs);
    });
  }, []);

  const add = useCallback((added: Epoch[]) => {
    known.current.added.push(...added);
    if (added.length > 0) draw();
  }, []);

  /** Reads what came after the last known epoch. */
  const reload = useCallback(() => {
    const since = known.current.epochs.at(-1)?.epoch ?? 0;
    get<Items<Epoch>>(`/jobs/${id}/metrics${since ? `?since=${since}` : ""}`).then(
      answer => known.current.id === id && add(answer.items),
      () => undefined, // the job itself shows what is wrong
    );
  }, [id]);

  /** Reads all again: another attempt may have begun anew. */
  const restart = useCallback(() => {
    known.current.epochs = known.current.added = [];
    draw();
    reload();
  }, [reload]);

  useEffect(() => {
    known.current.id = id;
    restart();
  }, [id]);

  return { epochs, add, reload, restart };
}
