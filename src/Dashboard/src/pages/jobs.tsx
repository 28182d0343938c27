import { useEffect, useState } from "preact/hooks";
import { mayPass } from "../api/client";
import { useDatasetNames } from "../api/datasets";
import { type LiveEvent, useLive, useThrottled } from "../api/live";
import { type Resource, useResource } from "../api/resource";
import type { Job, Page } from "../api/types";
import { Proposals } from "../fields";
import { figure, jobName, plain, shortId, signed, summary, takesEpsilon } from "../format";
import { Ago, Badge, JobProgress, Paging, ProblemBox, Table } from "../parts";
import { go, href, replace } from "../router";
import { mostCompared } from "./compare";
import { useTitle } from "./title";

const filters = ["state", "dataset", "study", "tag"];
const states = ["queued", "running", "pausing", "paused", "cancelling", "succeeded", "failed", "cancelled"];

export function Jobs({ query }: { query: URLSearchParams }) {
  useTitle("Jobs");
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
      {jobs.value?.items.length === 0 && (
        <p class="empty">No job here. {filters.some(name => query.has(name)) && <a href="#/jobs">Show all jobs</a>}</p>
      )}
      <Paging path="/jobs" query={query} next={jobs.value?.next} />
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
  const datasets = useDatasetNames();
  const set = (name: string) => (event: Event) =>
    replace(
      href("/jobs", {
        ...Object.fromEntries(query),
        cursor: null,
        [name]: (event.currentTarget as HTMLInputElement).value.trim(),
      }).slice(1),
    );
  return (
    <form class="filter" aria-label="Filter" onSubmit={event => event.preventDefault()}>
      <label>
        State
        <select value={query.get("state") ?? ""} onChange={set("state")}>
          <option value="">any</option>
          {states.map(state => (
            <option key={state}>{state}</option>
          ))}
        </select>
      </label>
      <TextFilter label="Data set" value={query.get("dataset") ?? ""} onChange={set("dataset")} list="datasets" />
      <Proposals id="datasets" values={datasets.value ?? []} />
      <TextFilter label="Tag" value={query.get("tag") ?? ""} onChange={set("tag")} />
      <TextFilter label="Study" value={query.get("study") ?? ""} onChange={set("study")} />
    </form>
  );
}

interface TextFilterProps {
  label: string;
  value: string;
  onChange: (event: Event) => void;
  /** Id of what it proposes. */
  list?: string;
}

/** Keeps what is being typed while the list below changes. */
function TextFilter({ label, value, onChange, list }: TextFilterProps) {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  return (
    <label>
      {label}
      <input
        value={typed}
        onInput={event => setTyped(event.currentTarget.value)}
        onChange={onChange}
        placeholder="any"
        list={list}
        autocomplete="off"
      />
    </label>
  );
}

interface TableProps {
  jobs: Job[];
  chosen?: string[];
  onToggle?: ((id: string) => void) | undefined;
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
      <th scope="col" class="wide">
        Data set
      </th>
      <th scope="col" class="wide">
        Model
      </th>
      <Numeral name="ε" isWide />
      <Numeral name="Seed" isWide />
      {onToggle && (
        <th scope="col" class="wide">
          Study
        </th>
      )}
      <Numeral name="Accuracy" />
      <Numeral name="ECE" />
      <Numeral name="Gap" isWide />
      <Numeral name="Submitted" isWide />
    </>
  );
  return (
    <Table label="Jobs" head={head}>
      {jobs.map(job => (
        <Row
          key={job.id}
          job={job}
          isChosen={chosen.includes(job.id)}
          isFull={chosen.length >= mostCompared}
          onToggle={onToggle}
        />
      ))}
    </Table>
  );
}

const Numeral = ({ name, isWide = false }: { name: string; isWide?: boolean }) => (
  <th scope="col" class={isWide ? "number wide" : "number"}>
    {name}
  </th>
);

interface RowProps {
  job: Job;
  isChosen: boolean;
  isFull: boolean;
  onToggle: TableProps["onToggle"];
}

function Row({ job, isChosen, isFull, onToggle }: RowProps) {
  const { id, spec, study, result } = job;
  return (
    <tr>
      {onToggle && (
        <td>
          <input
            type="checkbox"
            aria-label={`Compare ${jobName(job)}`}
            checked={isChosen}
            disabled={isFull && !isChosen}
            onChange={() => onToggle(id)}
          />
        </td>
      )}
      <td>
        <a href={`#/jobs/${id}`} class={spec.name ? "name" : "name id"}>
          {jobName(job)}
        </a>
        <div class="quiet narrow">{summary(spec)}</div>
      </td>
      <td>
        <span class="state">
          <Badge state={job.state} /> <JobProgress job={job} isShort />
        </span>
      </td>
      <td class="wide">{spec.dataset}</td>
      <td class="wide">{spec.model}</td>
      <td class="number wide">{takesEpsilon(spec.loss) ? plain(spec.epsilon) : "–"}</td>
      <td class="number wide">{plain(spec.seed)}</td>
      {onToggle && (
        <td class="wide">
          {study && (
            <a class="id" href={`#/studies/${study}`}>
              {shortId(study)}
            </a>
          )}
        </td>
      )}
      <td class="number">{figure(result?.testAccuracy)}</td>
      <td class="number">{figure(result?.testEce)}</td>
      <td class="number wide">{signed(result?.testSignedGap)}</td>
      <td class="number wide">
        <Ago time={job.createdAt} />
      </td>
    </tr>
  );
}
