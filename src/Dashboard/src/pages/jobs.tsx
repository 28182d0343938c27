import { useState } from "preact/hooks";
import { mayPass } from "../api/client";
import { type LiveEvent, useLive, useThrottled } from "../api/live";
import { type Resource, useResource } from "../api/resource";
import type { Items, Job, Page } from "../api/types";
import { figure, jobName, shortId, signed, summary } from "../format";
import { Ago, Badge, JobProgress, ProblemBox, Table } from "../parts";
import { go, href, replace } from "../router";
import { useTitle } from "./title";

const filters = ["state", "dataset", "study", "tag"];
const states = ["queued", "running", "pausing", "paused", "cancelling", "succeeded", "failed", "cancelled"];
const mostCompared = 6;

export function Jobs({ query }: { query: URLSearchParams }) {
  useTitle("Jobs");
  const cursor = query.get("cursor");
  const jobs = useResource<Page<Job>>(`/jobs?${query}`);
  useLive("/events", jobs.value !== undefined || mayPass(jobs.problem), jobs.reload, useJobEvents(jobs));
  const [chosen, setChosen] = useState<string[]>([]);
  const toggle = (id: string) => setChosen(chosen.includes(id) ? chosen.filter(one => one !== id) : [...chosen, id]);

  return (
    <>
      <div class="heading">
        <h1>Jobs</h1>
        <button type="button" disabled={chosen.length < 2} onClick={() => go(`/compare?jobs=${chosen.join(",")}`)}>
          Compare{chosen.length > 0 && ` ${chosen.length}`}
        </button>
        <a class="button primary" href="#/submit">
          Submit a job
        </a>
      </div>
      <Filter query={query} />
      <ProblemBox problem={jobs.problem} />
      {jobs.value?.note && <p class="warning">{jobs.value.note}</p>}
      {jobs.value && <JobTable jobs={jobs.value.items} chosen={chosen} onToggle={toggle} />}
      {jobs.value?.items.length === 0 && <p class="empty">No job here. {filters.some(name => query.has(name)) && <a href="#/jobs">Show all jobs</a>}</p>}
      <nav class="paging" aria-label="Pages of the list">
        {cursor && <a href={href("/jobs", { ...Object.fromEntries(query), cursor: null })}>Newest</a>}
        {jobs.value?.next && <a href={href("/jobs", { ...Object.fromEntries(query), cursor: jobs.value.next })}>Older</a>}
      </nav>
    </>
  );
}

/** Draws progress from events, and reads the list again when a job's state changes. */
export function useJobEvents(jobs: Resource<Page<Job>>): (event: LiveEvent) => void {
  const reload = useThrottled(jobs.reload);
  return ({ jobId, progress, state }) => {
    const patch = (change: Partial<Job>) =>
      jobs.patch(page => ({ ...page, items: page.items.map(job => (job.id === jobId ? { ...job, ...change } : job)) }));
    if (progress) patch({ progress });
    if (!state) return;
    patch({ state: state.state, isTerminal: state.isTerminal });
    reload();
  };
}

function Filter({ query }: { query: URLSearchParams }) {
  const datasets = useResource<Items<{ name: string }>>("/datasets");
  const set = (name: string) => (event: Event) =>
    replace(href("/jobs", { ...Object.fromEntries(query), cursor: null, [name]: (event.currentTarget as HTMLInputElement).value.trim() }).slice(1));
  const choice = (name: string, label: string, values: string[]) => (
    <label>
      {label}
      <select value={query.get(name) ?? ""} onChange={set(name)}>
        <option value="">any</option>
        {values.map(value => (
          <option key={value}>{value}</option>
        ))}
      </select>
    </label>
  );
  const text = (name: string, label: string) => (
    <label>
      {label}
      <input value={query.get(name) ?? ""} onChange={set(name)} placeholder="any" />
    </label>
  );

  return (
    <form class="filter" aria-label="Filter" onSubmit={event => event.preventDefault()}>
      {choice("state", "State", states)}
      {choice("dataset", "Data set", datasets.value?.items.map(one => one.name) ?? [])}
      {text("tag", "Tag")}
      {text("study", "Study")}
    </form>
  );
}

interface TableProps {
  jobs: Job[];
  chosen?: string[];
  onToggle?: (id: string) => void;
}

export function JobTable({ jobs, chosen = [], onToggle }: TableProps) {
  const head = (
    <>
      {onToggle && (
        <th scope="col">
          <span class="unseen">Compare</span>
        </th>
      )}
      <th scope="col">Job</th>
      <th scope="col">State</th>
      <th scope="col" class="number">
        Accuracy
      </th>
      <th scope="col" class="number">
        ECE
      </th>
      <th scope="col" class="number wide">
        Gap
      </th>
      <th scope="col" class="number wide">
        Submitted
      </th>
    </>
  );
  return (
    <Table label="Jobs" head={head}>
      {jobs.map(job => (
        <tr key={job.id}>
          {onToggle && (
            <td>
              <input
                type="checkbox"
                aria-label={`Compare ${jobName(job)}`}
                checked={chosen.includes(job.id)}
                disabled={!chosen.includes(job.id) && chosen.length >= mostCompared}
                onChange={() => onToggle(job.id)}
              />
            </td>
          )}
          <td>
            <a href={`#/jobs/${job.id}`} class={job.spec.name ? "name" : "name id"}>
              {jobName(job)}
            </a>
            <div class="quiet">
              {summary(job.spec)}
              {job.study && onToggle && (
                <>
                  {" · "}
                  <a href={`#/studies/${job.study}`}>study {shortId(job.study)}</a>
                </>
              )}
            </div>
          </td>
          <td>
            <Badge state={job.state} /> <JobProgress job={job} />
          </td>
          <td class="number">{figure(job.result?.testAccuracy)}</td>
          <td class="number">{figure(job.result?.testEce)}</td>
          <td class="number wide">{signed(job.result?.testSignedGap)}</td>
          <td class="number wide">
            <Ago time={job.createdAt} />
          </td>
        </tr>
      ))}
    </Table>
  );
}
