import { useState } from "preact/hooks";
import { type Problem, signIn } from "../api/client";
import { useTitle } from "./title";

/** Exchanges a key for a cookie that scripts cannot read. The key stays in the form's field until it is sent. */
export function SignIn() {
  useTitle("Sign in");
  const [problem, setProblem] = useState<Problem>();

  async function onSubmit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    setProblem(undefined);
    await signIn(String(new FormData(form).get("key"))).catch(setProblem);
    form.reset();
  }

  return (
    <form class="signin" onSubmit={onSubmit}>
      <h1>Sign in</h1>
      <p>This API needs one of its keys.</p>
      <label for="key">Key</label>
      <input id="key" name="key" type="password" autocomplete="current-password" required autofocus />
      {problem && (
        <p class="error" role="alert">
          {problem.message}
        </p>
      )}
      <button class="primary">Sign in</button>
    </form>
  );
}
