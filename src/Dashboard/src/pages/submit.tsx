import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { useDatasetNames } from "../api/datasets";
import { newKey, post, Problem, reachable, session, submit } from "../api/client";
import { useResource } from "../api/resource";
import { documentOf, errorsOf, type Field, fieldsOf, type OpenApiDocument, type Values, valuesOf } from "../api/rules";
import type { Advice, Estimate, Job, Study } from "../api/types";
import { duration, figure, signed } from "../format";
import { Control, General } from "../fields";
import { ProblemBox } from "../parts";
import { go } from "../router";
import { useStore } from "../store";
import { SubmitHead } from "./submitHead";
import { useTitle } from "./title";

/** A form, and which of its fields stand first; the others are folded up. */
const forms = {
  job: {
    schema: "JobSpec",
    route: "/jobs",
    page: "/jobs",
    dataset: "dataset",
    first: ["dataset", "epsilon", "epochs", "model", "name"],
    without: [] as string[],
  },
  study: {
    schema: "StudySpec",
    route: "/studies",
    page: "/studies",
    dataset: "job.dataset",
    first: ["job.dataset", "job.epochs", "epsilons", "seeds", "criterion", "name"],
    without: ["job.epsilon", "job.name"], // the grid sets the first, and the study has its own name
  },
};

type Kind = keyof typeof forms;

const checkAfterMs = 300;

export function Submit({ kind, query }: { kind: Kind; query: URLSearchParams }) {
  useTitle(`Submit a ${kind}`);
  const rules = useResource<OpenApiDocument>("/swagger/v1/swagger.json");
  const datasets = useDatasetNames();
  const job = query.get("job");
  const study = query.get("study");
  const earlier = useResource<Job | Study>(job ? `/jobs/${job}` : study ? `/studies/${study}` : null);
  const isReady = rules.value && datasets.value && (earlier.value || !(job || study));

  return (
    <>
      <SubmitHead title={`Submit a ${kind}`} shown={kind} />
      <ProblemBox problem={rules.problem ?? datasets.problem ?? earlier.problem} />
      {isReady && (
        <Form
          kind={kind}
          document={rules.value!}
          datasets={datasets.value!}
          earlier={earlier.value && withoutRecipe(earlier.value.spec)}
          dataset={query.get("dataset")}
        />
      )}
    </>
  );
}

/** An earlier spec has every value of its recipe. With the name too, a field that was emptied would get the recipe's value. */
const withoutRecipe = (spec: object): object =>
  JSON.parse(JSON.stringify(spec, (key, value) => (key === "recipe" ? undefined : value)));

interface FormProps {
  kind: Kind;
  document: OpenApiDocument;
  /** Names of data sets. A spec may also have one with parameters, such as digits:classes=37. */
  datasets: string[];
  /** The spec that the form starts with; the document's example when there is none. */
  earlier: object | undefined;
  /** The data set that the form starts with instead of that of the spec. */
  dataset: string | null;
}

function Form({ kind, document: rules, datasets, earlier, dataset }: FormProps) {
  const form = forms[kind];
  const fields = useMemo(
    () =>
      fieldsOf(rules, form.schema)
        .filter(field => !form.without.includes(field.path))
        .map((field): Field => (field.path === form.dataset ? { ...field, kind: "text", choices: datasets } : field)),
    [rules, kind, datasets.join()],
  );
  const [values, setValues] = useState<Values>(() => ({
    ...valuesOf(fields, earlier ?? rules.components.schemas[form.schema]?.examples?.[0]),
    ...(dataset ? { [form.dataset]: dataset } : {}),
  }));
  const { scopes } = useStore(session);
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState<Problem>();
  const document = documentOf(fields, values);
  const text = JSON.stringify(document);
  const key = useMemo(newKey, [text]);
  const checked = useChecked(form.route, text);
  const element = useRef<HTMLFormElement>(null);
  const problem = refusal ?? checked.problem;
  const errors = problem?.errors ?? {};
  const [first, rest] = [
    form.first.map(path => fields.find(field => field.path === path)!),
    fields.filter(field => !form.first.includes(field.path)),
  ];

  const hasError = rest.some(field => errorsOf(errors, field.path).length > 0);
  const [isOpen, setOpen] = useState(false);
  useEffect(() => {
    if (hasError) setOpen(true); // an error must not stay folded up
  }, [hasError]);

  function set(path: string, value: string): void {
    setRefusal(undefined);
    setValues(before => ({ ...before, [path]: value }));
  }

  async function onSubmit(event: SubmitEvent): Promise<void> {
    event.preventDefault();
    setBusy(true);
    try {
      const made = await submit<{ id: string }>(form.route, document, key);
      go(`${form.page}/${made.id}`);
    } catch (refused) {
      setRefusal(refused as Problem);
      requestAnimationFrame(() => element.current?.querySelector<HTMLElement>("[aria-invalid=true]")?.focus());
    } finally {
      setBusy(false);
    }
  }

  const control = (field: Field) => (
    <Control
      key={field.path}
      field={field}
      value={values[field.path] ?? ""}
      errors={errorsOf(errors, field.path)}
      onInput={value => set(field.path, value)}
    />
  );

  return (
    <form class="submit" ref={element} onSubmit={onSubmit} noValidate>
      <div class="fields">{first.map(control)}</div>
      <details open={isOpen} onToggle={event => setOpen(event.currentTarget.open)}>
        <summary>{rest.length} more fields</summary>
        <div class="fields">{rest.map(control)}</div>
      </details>
      <General problem={problem} fields={fields} />
      {refusal?.status === 0 && (
        <p class="problem" role="alert">
          The API did not answer. It may have stored the {kind}. Submit again: the same form is stored only once.
        </p>
      )}
      <div aria-live="polite">{!problem && checked.answer && <Outlook {...checked.answer} />}</div>
      <div class="actions">
        <button class="primary" disabled={busy || !scopes.includes("submit")}>
          Submit the {kind}
        </button>
      </div>
    </form>
  );
}

interface Checked {
  advice?: Advice;
  estimate?: Estimate;
}

/** What the API says of the document, asked a moment after the last change. */
function useChecked(route: string, text: string): { answer: Checked | undefined; problem: Problem | undefined } {
  const [result, setResult] = useState<{ answer?: Checked; problem?: Problem }>({});
  const { signedIn } = useStore(session);
  const answers = useStore(reachable);
  useEffect(() => {
    if (!answers) return;
    let isLatest = true;
    const timer = window.setTimeout(
      () =>
        post<Checked>(`${route}?validateOnly=true`, JSON.parse(text)).then(
          answer => isLatest && setResult({ answer }),
          problem => isLatest && setResult({ problem }),
        ),
      checkAfterMs,
    );
    return () => {
      isLatest = false;
      clearTimeout(timer);
    };
  }, [route, text, signedIn, answers]);
  return { answer: result.answer, problem: result.problem };
}

function Outlook({ advice, estimate }: Checked) {
  return (
    <section class="outlook" aria-label="What the API expects">
      {advice?.warnings.map(warning => (
        <p key={warning} class="warning">
          {warning}
        </p>
      ))}
      {advice && <p>{expected(advice)}</p>}
      {estimate && <p>{cost(estimate)}</p>}
      {estimate?.note && <p class="quiet">{estimate.note}</p>}
    </section>
  );
}

const expected = ({ earlierJobs, accuracy, expectedSignedGap }: Advice): string =>
  earlierJobs === 0 || accuracy === null
    ? "No earlier job with this data set, model and label noise has succeeded, so there is no advice on ε."
    : `From ${earlierJobs} earlier ${earlierJobs === 1 ? "job" : "jobs"}: accuracy about ${figure(accuracy)}, expected gap of confidence to accuracy ` +
      `${signed(expectedSignedGap)}.`;

const cost = ({ jobs, minutes, minutesPerJob, slots }: Estimate): string =>
  `${jobs} jobs` +
  (minutesPerJob === null ? "" : `, ${duration(minutesPerJob * 60)} each`) +
  (minutes === null ? "" : `; done in about ${duration(minutes * 60)} on ${slots} ${slots === 1 ? "slot" : "slots"}`) +
  ".";
