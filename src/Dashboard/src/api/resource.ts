import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { useStore } from "../store";
import { get, mayPass, type Problem, reachable, session } from "./client";

export interface Resource<T> {
  value: T | undefined;
  problem: Problem | undefined;
  /** Reads it again. Calls while a read is under way become one further read. */
  reload: () => void;
  /** Replaces the value until the next read. */
  patch: (change: (value: T) => T) => void;
}

/**
 * The answer of GET `path`; nothing while `path` is null. The value of another path is never shown.
 * @param read reads the path; always the same function.
 */
export function useResource<T>(path: string | null, read: (path: string) => Promise<T> = get): Resource<T> {
  const [answer, setAnswer] = useState<{ path: string; value?: T; problem?: Problem }>();
  const reads = useRef({ path, underWay: false, again: false });
  reads.current.path = path;

  const reload = useCallback(() => {
    const now = reads.current;
    const wanted = now.path;
    if (wanted === null) return;
    if (now.underWay) {
      now.again = true;
      return;
    }
    now.underWay = true;
    read(wanted)
      .then(
        value => setAnswer({ path: wanted, value }),
        // An outage leaves what was read before on the page.
        problem =>
          setAnswer(before => (before?.path === wanted && before.value ? { ...before, problem } : { path: wanted, problem })),
      )
      .finally(() => {
        now.underWay = false;
        const again = now.again || now.path !== wanted;
        now.again = false;
        if (again) reload();
      });
  }, []);

  const patch = useCallback(
    (change: (value: T) => T) => setAnswer(before => (before?.value ? { ...before, value: change(before.value) } : before)),
    [],
  );

  useEffect(reload, [path]);
  const own = answer?.path === path ? answer : undefined;

  const answers = useStore(reachable);
  const { signedIn } = useStore(session);
  useEffect(() => {
    if (answers && mayPass(own?.problem)) reload();
  }, [answers]);
  useEffect(() => {
    if (signedIn && own?.problem?.status === 401) reload();
  }, [signedIn]);
  return { value: own?.value, problem: own?.problem, reload, patch };
}
