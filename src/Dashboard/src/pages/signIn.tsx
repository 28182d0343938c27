import { useEffect, useRef, useState } from "preact/hooks";
import { type Problem, signIn } from "../api/client";
import { useTitle } from "./title";

/** Exchanges a key for a cookie that scripts cannot read. The key stays in the form's field until it is sent. */
export function SignIn() {
  useTitle("Sign in");
  const [problem, setProblem] = useState<Problem>();
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => field.current?.focus(), []);

  async function onSubmit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    setProblem(undefined);
    try {
      await signIn(String(new FormData(form).get("key")));
    } catch (refused) {
      setProblem(refused as Problem);
      if ((refused as Problem).status === 401) form.reset();
    }
  }

  return (
    <form class="signin" onSubmit={onSubmit}>
      <h1>Sign in</h1>
      <p>This API needs one of its keys.</p>
      <label for="key">Key</label>
      <input id="key" name="key" type="password" autocomplete="current-password" required ref={field} />
      {problem && (
        <p class="error" role="alert">
          {problem.message} {problem.status !== 401 && problem.detail /* that of a 401 is for scripts */}
        </p>
      )}
      <button class="primary">Sign in</button>
    </form>
  );
}
