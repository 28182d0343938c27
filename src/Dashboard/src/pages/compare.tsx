import { useMemo } from "preact/hooks";
import type { Problem } from "../api/client";
import { useTraining } from "../api/job";
import { type LiveEvent, useLive } from "../api/live";
import type { Epoch, Job } from "../api/types";
import { LearningCurves } from "../charts/learning";
import { Swatch } from "../charts/swatch";
import { figure, jobName, plain, signed } from "../format";
import { Badge, ProblemBox, Table } from "../parts";
import { useTitle } from "./title";

const mostCompared = 6;

interface Compared {
  job: Job;
  epochs: Epoch[];
}

/** @param ids must stay the same while the page is shown. */
export function Compare({ ids }: { ids: string[] }) {
  useTitle("Compare");
  const shown = ids.slice(0, mostCompared);
  const { jobs, isRead, problem } = useCompared(shown);
  const names = namesOf(jobs);
  const runs = useMemo(
    () => jobs.map(({ epochs }, i) => ({ name: names[i]!, epochs, series: i })),
    [names.join("\n"), ...jobs.map(({ epochs }) => epochs)],
  );

  return (
    <>
      <h1>Compare {shown.length} jobs</h1>
      {shown.length < 2 && (
        <p>
          Choose two to six jobs in <a href="#/jobs">the list</a>.
        </p>
      )}
      {ids.length > mostCompared && <p class="warning">Only the first {mostCompared} are shown.</p>}
      <ProblemBox problem={problem} />
      {isRead && shown.length > 1 && jobs.length > 0 && (
        <>
          <Results jobs={jobs} names={names} />
          <LearningCurves runs={runs} />
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

const results: [string, (job: Job) => string][] = [
  ["Test accuracy", job => figure(job.result?.testAccuracy)],
  ["Test ECE", job => figure(job.result?.testEce)],
  ["Confidence − accuracy", job => signed(job.result?.testSignedGap)],
  ["Test loss", job => figure(job.result?.testLoss)],
];

function Results({ jobs, names }: Props) {
  return (
    <Table
      label="Results"
      head={
        <>
          <th scope="col">Result</th>
          <Heads jobs={jobs} names={names} />
        </>
      }
    >
      <tr>
        <th scope="row">State</th>
        {jobs.map(({ job }) => (
          <td class="number" key={job.id}>
            <Badge state={job.state} />
          </td>
        ))}
      </tr>
      {results.map(([name, show]) => (
        <tr key={name}>
          <th scope="row">{name}</th>
          {jobs.map(({ job }) => (
            <td class="number" key={job.id}>
              {show(job)}
            </td>
          ))}
        </tr>
      ))}
    </Table>
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
