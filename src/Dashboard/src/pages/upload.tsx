import { useEffect, useRef, useState } from "preact/hooks";
import { newKey, type Problem, session, upload, type Upload as Sending } from "../api/client";
import type { Field, Values } from "../api/rules";
import type { Dataset, Evaluation } from "../api/types";
import { Control, FileControl } from "../fields";
import { size } from "../format";
import { Bar, ProblemBox } from "../parts";
import { go } from "../router";
import { useStore } from "../store";
import { SubmitHead } from "./submitHead";
import { useTitle } from "./title";

const field = (path: string, about: string, allowed: string): Field => ({
  path,
  about,
  allowed,
  kind: "text",
  choices: [],
  default: "",
  required: false,
});

/** What is sent as files. The other fields stand in the query. */
const forms = {
  dataset: {
    /** Whether the API takes an Idempotency-Key. Equal content under a name is one version without it. */
    takesKey: false,
    title: "Upload a data set",
    button: "Upload the data set",
    route: "/datasets",
    files: "files",
    accept: ".npz,.zip,.gz,application/zip,application/octet-stream",
    allowed: "an npz file with images and labels; a zip of PNG and JPEG files in a folder per class; or MNIST's IDX files, up to four",
    isMultiple: true,
    fields: [
      field(
        "name",
        "What job specs call it. A name that is there gets the next version.",
        "1 to 64 lower-case letters, digits and single hyphens, beginning with a letter",
      ),
      field("seed", "Determines the test part of an upload that has none.", "a whole number from 0; 0 when empty"),
    ],
    pageOf: (answer: unknown) => `/datasets/${(answer as Dataset).name}`,
  },
  evaluation: {
    takesKey: true,
    title: "Evaluate a model that was trained elsewhere",
    button: "Evaluate",
    route: "/evaluations",
    files: "file",
    accept: ".npz",
    allowed:
      "an npz file of NumPy with logits or probabilities (N×K) and labels (N) of the test set; with validation_logits and " +
      "validation_labels, the temperature is fitted on those",
    isMultiple: false,
    fields: [field("name", "", "empty, or 1 to 200 characters on one line")],
    pageOf: (answer: unknown) => `/evaluations/${(answer as { evaluation: Evaluation }).evaluation.id}`,
  },
};

type Kind = keyof typeof forms;

/** What was sent last. */
interface Sent {
  files: File[];
  query: string;
  key: string;
}

const isSame = (sent: Sent, files: File[], query: string): boolean =>
  sent.query === query && sent.files.length === files.length && files.every((file, i) => file === sent.files[i]);

/** A form that sends files, and shows how much is sent and what the API says is wrong. */
export function Upload({ kind }: { kind: Kind }) {
  const form = forms[kind];
  useTitle(form.title);
  const { scopes } = useStore(session);
  const [values, setValues] = useState<Values>({});
  const [share, setShare] = useState<number>();
  const [problem, setProblem] = useState<Problem>();
  const [sameAs, setSameAs] = useState<string>();
  const sending = useRef<Sending<unknown> | undefined>(undefined);
  const sent = useRef<Sent>({ files: [], query: "", key: "" });
  const element = useRef<HTMLFormElement>(null);
  const input = useRef<HTMLInputElement>(null);
  const stop = useRef<HTMLButtonElement>(null);
  const isSending = share !== undefined;
  useEffect(() => () => sending.current?.abort(), []);
  useEffect(() => {
    if (isSending) stop.current?.focus(); // what had the focus is disabled
  }, [isSending]);

  function change(set: () => void): void {
    setProblem(undefined);
    setSameAs(undefined);
    set();
  }

  async function onSubmit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    change(() => setShare(0));
    const files = [...(input.current?.files ?? [])]; // a file that is chosen again under the same path is no change of the input
    const query = `${new URLSearchParams(Object.entries(values).filter(([, value]) => value.trim() !== ""))}`;
    if (!isSame(sent.current, files, query)) sent.current = { files, query, key: newKey() };
    const body = new FormData();
    for (const file of files) body.append(form.files, file);
    sending.current = upload(`${form.route}?${query}`, body, form.takesKey ? sent.current.key : undefined, setShare);
    try {
      const { status, value } = await sending.current.answer;
      if (status === 200) setSameAs(form.pageOf(value));
      else go(form.pageOf(value));
    } catch (refused) {
      const found = refused as Problem;
      setProblem(found);
      // A file that has changed is chosen anew, which must be a change of the input.
      if (input.current && found.status === 0 && Object.keys(found.errors).length > 0) input.current.value = "";
      requestAnimationFrame(() => element.current?.querySelector<HTMLElement>("[aria-invalid=true], .primary")?.focus());
    } finally {
      sending.current = undefined;
      setShare(undefined);
    }
  }

  const errors = Object.entries(problem?.errors ?? {});
  const isOfField = (name: string) => form.fields.some(one => one.path === name);

  return (
    <>
      <SubmitHead title={form.title} shown={kind} />
      <form class="submit" ref={element} onSubmit={onSubmit} noValidate>
        <fieldset class="fields" disabled={isSending}>
          <FileControl
            label={form.isMultiple ? "files" : "file"}
            allowed={form.allowed}
            accept={form.accept}
            isMultiple={form.isMultiple}
            errors={errors
              .filter(([name]) => !isOfField(name))
              .flatMap(([name, messages]) => messages.map(message => (name === "body" ? message : `${name} ${message}`)))}
            input={input}
            onChange={() => change(() => undefined)}
          />
          {form.fields.map(one => (
            <Control
              key={one.path}
              field={one}
              value={values[one.path] ?? ""}
              errors={problem?.errors[one.path] ?? []}
              onInput={value => change(() => setValues(before => ({ ...before, [one.path]: value })))}
            />
          ))}
        </fieldset>
        {errors.length === 0 && <ProblemBox problem={problem} />}
        {problem?.status === 0 && errors.length === 0 && (
          <p class="problem" role="alert">
            {problem.message} Nothing of it is lost here: send it again.
          </p>
        )}
        {sameAs && (
          <p class="reason" role="alert">
            This content is stored already as <a href={`#${sameAs}`}>{sameAs.split("/").at(-1)}</a>.
          </p>
        )}
        <div class="actions">
          <button class="primary" disabled={isSending || !scopes.includes("submit")}>
            {form.button}
          </button>
          {isSending && (
            <button type="button" ref={stop} onClick={() => sending.current?.abort()}>
              Stop
            </button>
          )}
        </div>
        {isSending && share < 1 && (
          <p class="quiet">
            <Bar share={share} label="Sent" /> {Math.floor(share * 100)} % of {size(sent.current.files.reduce((sum, one) => sum + one.size, 0))}
          </p>
        )}
        <p class="quiet" role="status">
          {isSending && (share < 1 ? "The upload is being sent." : "All is sent. The API reads and checks it.")}
        </p>
      </form>
    </>
  );
}
