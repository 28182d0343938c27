import { useEffect, useMemo, useRef, useState } from "preact/hooks";
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

/** A form that sends files, and shows how much is sent and what the API says is wrong. */
export function Upload({ kind }: { kind: Kind }) {
  const form = forms[kind];
  useTitle(form.title);
  const { canOperate } = useStore(session);
  const [files, setFiles] = useState<File[]>([]);
  const [values, setValues] = useState<Values>({});
  const [share, setShare] = useState<number>();
  const [problem, setProblem] = useState<Problem>();
  const [sameAs, setSameAs] = useState<string>();
  const sending = useRef<Sending<unknown> | undefined>(undefined);
  const element = useRef<HTMLFormElement>(null);
  const query = new URLSearchParams(Object.entries(values).filter(([, value]) => value.trim() !== ""));
  const key = useMemo(newKey, [files, `${query}`]);
  useEffect(() => () => sending.current?.abort(), []);

  function change(set: () => void): void {
    setProblem(undefined);
    setSameAs(undefined);
    set();
  }

  async function onSubmit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    change(() => setShare(0));
    const body = new FormData();
    for (const file of files) body.append(form.files, file);
    sending.current = upload(`${form.route}?${query}`, body, key, setShare);
    try {
      const { status, value } = await sending.current.answer;
      if (status === 200) setSameAs(form.pageOf(value));
      else go(form.pageOf(value));
    } catch (refused) {
      setProblem(refused as Problem);
      requestAnimationFrame(() => element.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
    } finally {
      sending.current = undefined;
      setShare(undefined);
    }
  }

  const errors = Object.entries(problem?.errors ?? {});
  const isOfField = (name: string) => form.fields.some(one => one.path === name);
  const isSending = share !== undefined;

  return (
    <>
      <SubmitHead title={form.title} shown={kind} />
      <form class="submit" ref={element} onSubmit={onSubmit} noValidate>
        <div class="fields">
          <FileControl
            label={form.isMultiple ? "files" : "file"}
            allowed={form.allowed}
            accept={form.accept}
            isMultiple={form.isMultiple}
            errors={errors
              .filter(([name]) => !isOfField(name))
              .flatMap(([name, messages]) => messages.map(message => (name === "body" ? message : `${name} ${message}`)))}
            onChange={chosen => change(() => setFiles(chosen))}
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
        </div>
        {errors.length === 0 && <ProblemBox problem={problem} />}
        {problem?.status === 0 && (
          <p class="problem" role="alert">
            {problem.message} Nothing of it is lost here: send it again.
          </p>
        )}
        {sameAs && (
          <p class="reason" role="alert">
            A version of this name has the same content: <a href={`#${sameAs}`}>{sameAs.split("/").at(-1)}</a>. Nothing was added.
          </p>
        )}
        <div class="actions">
          <button class="primary" disabled={isSending || !canOperate}>
            {form.button}
          </button>
          {isSending && (
            <button type="button" onClick={() => sending.current?.abort()}>
              Stop
            </button>
          )}
        </div>
        {isSending && share < 1 && (
          <p class="quiet">
            <Bar share={share} label="Sent" /> {Math.floor(share * 100)} % of {size(files.reduce((sum, one) => sum + one.size, 0))}
          </p>
        )}
        <p class="quiet" role="status">
          {isSending && (share < 1 ? "The upload is being sent." : "All is sent. The API reads and checks it.")}
        </p>
      </form>
    </>
  );
}
