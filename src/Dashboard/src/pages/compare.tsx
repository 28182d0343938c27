import type { ComponentChildren } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Problem } from "../api/client";
import { useTraining } from "../api/job";
import { type LiveEvent, useLive } from "../api/live";
import { useResource } from "../api/resource";
import type { Epoch, Evaluation, Figure, Job, Page } from "../api/types";
import { LearningCurves } from "../charts/learning";
import { Swatch } from "../charts/swatch";
import { evaluationName, figure, jobName, plain, signed, summary } from "../format";
import { Badge, ProblemBox, Table } from "../parts";
import { go, href } from "../router";
import { useTitle } from "./title";

export const mostCompared = 6;

/** Whether the shown comparison was made by adding a model. The focus then goes to its results. */
let wasAdded = false;

interface Compared {
  job: Job;
  epochs: Epoch[];
}

/**
 * @param ids of jobs; these and those of evaluations must stay the same while the page is shown.
 * @param evaluationIds of models that were trained elsewhere: they have results, but neither curves nor a spec.
 */
export function Compare({ ids, evaluationIds }: { ids: string[]; evaluationIds: string[] }) {
  useTitle("Compare");
  const shown = ids.slice(0, mostCompared);
  const { jobs, isRead, problem } = useCompared(shown);
  const elsewhere = evaluationIds.slice(0, mostCompared).map(id => useResource<Evaluation>(`/evaluations/${id}`));
  const evaluations = elsewhere.flatMap(({ value }) => value ?? []);
  const count = shown.length + elsewhere.length;
  const isAllRead = isRead && elsewhere.every(one => one.value || one.problem);
  const title = useRef<HTMLHeadingElement>(null);
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    if (!isAllRead || !wasAdded) return;
    wasAdded = false;
    (heading.current ?? title.current)?.focus();
  }, [isAllRead]);
  const names = namesOf(jobs);
  const runs = useMemo(
    () => jobs.map(({ epochs }, i) => ({ name: names[i]!, epochs, series: i })),
    [names.join("\n"), ...jobs.map(({ epochs }) => epochs)],
  );

  return (
    <>
      <h1 ref={title} tabIndex={-1}>
        Compare {count === shown.length ? `${count} jobs` : `${count} models`}
      </h1>
      {count < 2 && (
        <p>
          Choose two to six jobs in <a href="#/jobs">the list</a>, or add one here.
        </p>
      )}
      {Math.max(ids.length, evaluationIds.length) > mostCompared && (
        <p class="warning">Only the first {mostCompared} are shown.</p>
      )}
      <ProblemBox problem={problem ?? elsewhere.map(one => one.problem).find(Boolean)} />
      {isAllRead && <Add ids={shown} evaluationIds={evaluationIds.slice(0, mostCompared)} />}
      {isAllRead && count > 1 && jobs.length + evaluations.length > 0 && (
        <>
          <section>
            <h2 ref={heading} tabIndex={-1}>
              Results
            </h2>
            <Results
              columns={[...jobs.map(({ job }, i) => columnOf(job, names[i]!, i)), ...evaluations.map(columnOfEvaluation)]}
            />
          </section>
          {jobs.length > 0 && <LearningCurves runs={runs} />}
          {jobs.length > 1 && <Differences jobs={jobs} names={names} />}
        </>
      )}
    </>
  );
}

interface Read {
  jobs: Compared[];
  /** Whether each job was read or refused. */
  isRead: boolean;
  problem: Problem | undefined;
}

/** The jobs with their epochs, kept up to date by one stream for all. One that cannot be read is left out. */
function useCompared(ids: string[]): Read {
  const all = ids.map(id => ({ id, ...useTraining(id) }));

  function refresh(): void {
    for (const one of all) one.refresh();
  }

  function onEvent(event: LiveEvent): void {
    all.find(one => one.id === event.jobId)?.onEvent(event);
  }

  useLive(
    "/events",
    all.some(one => one.isActive),
    refresh,
    onEvent,
  );
  return {
    jobs: all.flatMap(({ job, epochs }) => (job.value ? [{ job: job.value, epochs }] : [])),
    isRead: all.every(({ job }) => job.value || job.problem),
    problem: all.map(({ job }) => job.problem).find(Boolean),
  };
}

/** Names that tell the jobs apart: by what differs between their specs if they have no names of their own. */
function namesOf(jobs: Compared[]): string[] {
  const names = jobs.map(({ job }) => job.spec.name ?? "");
  if (names.every((name, i) => name && names.indexOf(name) === i)) return names;
  const fields = differing(jobs).filter(field => field !== "name");
  const described = jobs.map(({ job }) =>
    fields
      .slice(0, 2)
      .map(field => `${field === "epsilon" ? "ε" : field} ${plain(job.spec[field])}`)
      .join(", "),
  );
  return described.every((name, i) => name && described.indexOf(name) === i)
    ? described
    : jobs.map(({ job }) => jobName({ ...job, spec: { ...job.spec, name: null } }));
}

/** The fields that do not have the same value in every spec. */
const differing = (jobs: Compared[]): string[] =>
  Object.keys(jobs[0]?.job.spec ?? {}).filter(field => new Set(jobs.map(({ job }) => plain(job.spec[field]))).size > 1);

interface Props {
  jobs: Compared[];
  names: string[];
}

const Heads = ({ jobs, names }: Props) => (
  <>
    {jobs.map(({ job }, i) => (
      <th scope="col" class="number" key={job.id}>
        <Swatch series={i} /> <a href={`#/jobs/${job.id}`}>{names[i]}</a>
      </th>
    ))}
  </>
);

interface Column {
  key: string;
  /** The head of the column. */
  head: ComponentChildren;
  kind: ComponentChildren;
  accuracy: Figure | undefined;
  ece: Figure | undefined;
  gap: Figure | undefined;
  loss: Figure | undefined;
}

const columnOf = ({ id, state, result }: Job, name: string, series: number): Column => ({
  key: id,
  head: (
    <>
      <Swatch series={series} /> <a href={`#/jobs/${id}`}>{name}</a>
    </>
  ),
  kind: <Badge state={state} />,
  accuracy: result?.testAccuracy,
  ece: result?.testEce,
  gap: result?.testSignedGap,
  loss: result?.testLoss,
});

const columnOfEvaluation = (evaluation: Evaluation): Column => ({
  key: evaluation.id,
  head: <a href={`#/evaluations/${evaluation.id}`}>{evaluationName(evaluation)}</a>,
  kind: "evaluation",
  accuracy: evaluation.scores.accuracy,
  ece: evaluation.scores.ece,
  gap: evaluation.scores.signedGap,
  loss: evaluation.scores.nll,
});

const results: [string, (column: Column) => ComponentChildren][] = [
  ["State", column => column.kind],
  ["Test accuracy", column => figure(column.accuracy)],
  ["Test ECE", column => figure(column.ece)],
  ["Confidence − accuracy", column => signed(column.gap)],
  ["Test loss", column => figure(column.loss)],
];

function Results({ columns }: { columns: Column[] }) {
  return (
    <Table
      label="Results"
      head={
        <>
          <th scope="col">Result</th>
          {columns.map(column => (
            <th scope="col" class="number" key={column.key}>
              {column.head}
            </th>
          ))}
        </>
      }
    >
      {results.map(([name, show]) => (
        <tr key={name}>
          <th scope="row">{name}</th>
          {columns.map(column => (
            <td class="number" key={column.key}>
              {show(column)}
            </td>
          ))}
        </tr>
      ))}
    </Table>
  );
}

/** Adds one of the newest models to the comparison. */
function Add({ ids, evaluationIds }: { ids: string[]; evaluationIds: string[] }) {
  const jobs = useResource<Page<Job>>("/jobs");
  const evaluations = useResource<Page<Evaluation>>("/evaluations");
  function show(jobIds: string[], others: string[]): void {
    wasAdded = true;
    go(href("/compare", { jobs: jobIds.join(","), evaluations: others.join(",") }).slice(1));
  }
  return (
    <div class="filter">
      <Choice
        label="Job"
        button="Add the job"
        choices={jobs.value?.items.map(job => [job.id, `${jobName(job)}: ${summary(job.spec)}`])}
        chosen={ids}
        onAdd={id => show([...ids, id], evaluationIds)}
      />
      <Choice
        label="Evaluation"
        button="Add the evaluation"
        choices={evaluations.value?.items.map(one => [one.id, evaluationName(one)])}
        chosen={evaluationIds}
        onAdd={id => show(ids, [...evaluationIds, id])}
      />
    </div>
  );
}

interface ChoiceProps {
  label: string;
  button: string;
  /** Ids and names; undefined until they are read. */
  choices: [string, string][] | undefined;
  chosen: string[];
  onAdd: (id: string) => void;
}

/** Nothing where there is nothing to add. */
function Choice({ label, button, choices, chosen, onAdd }: ChoiceProps) {
  const [id, setId] = useState("");
  const others = choices?.filter(([id]) => !chosen.includes(id)) ?? [];
  if (others.length === 0 || chosen.length >= mostCompared) return null;
  return (
    <form
      class="filter"
      onSubmit={event => {
        event.preventDefault();
        onAdd(id);
      }}
    >
      <label>
        {label}
        <select required value={id} onChange={event => setId(event.currentTarget.value)}>
          <option value="">choose</option>
          {others.map(([other, name]) => (
            <option key={other} value={other}>
              {name}
            </option>
          ))}
        </select>
      </label>
      <button>{button}</button>
    </form>
  );
}

function Differences({ jobs, names }: Props) {
  const fields = differing(jobs);
  return (
    <section>
      <h2>Differences of the specs</h2>
      {fields.length === 0 && <p>The specs are the same.</p>}
      {fields.length > 0 && (
        <Table
          label="Differences of the specs"
          head={
            <>
              <th scope="col">Field</th>
              <Heads jobs={jobs} names={names} />
            </>
          }
        >
          {fields.map(field => (
            <tr key={field}>
              <th scope="row">{field}</th>
              {jobs.map(({ job }) => (
                <td class="number" key={job.id}>
                  {plain(job.spec[field])}
                </td>
              ))}
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}
