import { useMemo } from "preact/hooks";
import { post, remove } from "../api/client";
import { useJob } from "../api/job";
import { useResource } from "../api/resource";
import type { Attempt, Job, Reproduction, State } from "../api/types";
import { CalibrationReport } from "../calibration";
import { LearningCurves } from "../charts/learning";
import { duration, figure, jobName, plain, shortId, signed, summary, words } from "../format";
import { type Action, Actions, Ago, Badge, Big, JobProgress, pinning, ProblemBox, Table, Values } from "../parts";
import { go, href } from "../router";
import { CorruptionSection } from "./corruptions";
import { PredictSection } from "./predict";
import { useTitle } from "./title";

/** Which verbs a state allows, as docs/lifecycle.md has them. */
const verbs: Record<string, State[]> = {
  cancel: ["queued", "running", "pausing", "paused"],
  pause: ["queued", "running"],
  resume: ["paused"],
  retry: ["failed", "cancelled"],
};

/** @param part `predict` begins with the form for images. */
export function JobPage({ id, part }: { id: string; part: string | undefined }) {
  const { job, attempts, epochs, refresh } = useJob(id);
  const shown = job.value;
  useTitle(shown ? `Job ${jobName(shown)}` : "Job");
  const runs = useMemo(() => [{ name: "this job", epochs, series: 0 }], [epochs]);

  return (
    <>
      <ProblemBox problem={job.problem} />
      {!shown && <h1>Job {shortId(id)}</h1>}
      {shown && <Head job={shown} refresh={refresh} />}
      {shown && (epochs.length > 0 || !shown.isTerminal) && <LearningCurves runs={runs} />}
      {epochs.length > 0 && (
        <p class="quiet links">
          <a href={`/jobs/${id}/metrics?format=csv`} download={`job-${id}.csv`}>
            Metrics (CSV)
          </a>
          <a href={`/jobs/${id}/tensorboard`} download>
            Metrics (TensorBoard)
          </a>
        </p>
      )}
      {shown?.state === "succeeded" && <CalibrationSection id={id} />}
      {shown?.state === "succeeded" && shown.spec.corruptions && <CorruptionSection id={id} />}
      {shown?.state === "succeeded" && <PredictSection id={id} isAsked={part === "predict"} />}
      {shown && <Attempts attempts={attempts} />}
      {shown && <SpecSection job={shown} />}
    </>
  );
}

function Head({ job, refresh }: { job: Job; refresh: () => void }) {
  const { result, spec } = job;
  return (
    <>
      <div class="heading">
        <h1>{jobName(job)}</h1>
        <span role="status">
          <Badge state={job.state} />
        </span>
        <JobProgress job={job} />
      </div>
      <p class="quiet">
        {summary(spec)} · <a href={`#/datasets/${spec.dataset}`}>its data set</a> · {spec.epochs} epochs · submitted <Ago time={job.createdAt} />
        {job.worker && <> · on {job.worker}</>}
        {job.study && (
          <>
            {" · "}
            <a href={`#/studies/${job.study}`}>study {shortId(job.study)}</a>
          </>
        )}
      </p>
      {job.reason && <p class={job.state === "failed" ? "problem" : "reason"}>{job.reason}</p>}
      <Actions actions={actionsOf(job, refresh)}>
        <a class="button" href={href("/submit", { job: job.id })}>
          Edit and submit
        </a>
        <a class="button" href={href("/compare", { jobs: job.id })}>
          Compare
        </a>
      </Actions>
      {result && (
        <dl class="figures">
          <Big name="Test accuracy" value={figure(result.testAccuracy)} />
          <Big name="Test ECE" value={figure(result.testEce)} />
          <Big name="Confidence − accuracy" value={signed(result.testSignedGap)} />
          <Big name="Test loss" value={figure(result.testLoss)} />
        </dl>
      )}
      {result?.notes.map(note => (
        <p key={note} class="warning">
          {note}
        </p>
      ))}
      {job.reproduces && result && <ReproductionNote id={job.id} />}
    </>
  );
}

function actionsOf(job: Job, refresh: () => void): Action[] {
  const actions: Action[] = Object.entries(verbs)
    .filter(([, states]) => states.includes(job.state))
    .map(([verb]) => ({ name: capital(verb), run: () => post(`/jobs/${job.id}/${verb}`).finally(refresh) }));
  if (job.state === "succeeded")
    actions.push({
      name: "Reproduce",
      run: () => post<Job>(`/jobs/${job.id}/reproduce`).then(made => go(`/jobs/${made.id}`)),
      scope: "submit",
    });
  actions.push(pinning(`/jobs/${job.id}`, job.pinned, refresh));
  if (job.isTerminal || job.state === "queued" || job.state === "paused")
    actions.push({
      name: "Delete",
      question: `Delete the job ${jobName(job)}? Its epochs, model and report are removed for good.`,
      run: () => remove(`/jobs/${job.id}`).then(() => go("/jobs")),
    });
  return actions;
}

const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1);

function ReproductionNote({ id }: { id: string }) {
  const { value } = useResource<Reproduction>(`/jobs/${id}/reproduction`);
  return value ? (
    <p class="reason">
      Repeats <a href={`#/jobs/${value.original}`}>{shortId(value.original)}</a>. {value.sentence}
    </p>
  ) : null;
}

function CalibrationSection({ id }: { id: string }) {
  return (
    <section>
      <div class="heading">
        <h2>Calibration</h2>
        <Downloads id={id} />
      </div>
      <CalibrationReport path={`/jobs/${id}/calibration`} job={`/jobs/${id}`} />
    </section>
  );
}

function Downloads({ id }: { id: string }) {
  return (
    <span class="links">
      <a href={`/jobs/${id}/logits?split=test`} download>
        Test logits
      </a>
      <a href={`/jobs/${id}/logits?split=validation`} download>
        Validation logits
      </a>
      <a href={`/jobs/${id}/calibration`}>Report (JSON)</a>
    </span>
  );
}

function Attempts({ attempts }: { attempts: Attempt[] }) {
  if (attempts.length === 0) return null;
  const head = (
    <>
      <th scope="col">Attempt</th>
      <th scope="col">Outcome</th>
      <th scope="col">Worker</th>
      <th scope="col" class="number">
        Claimed
      </th>
      <th scope="col" class="number">
        Took
      </th>
    </>
  );
  return (
    <section>
      <h2>Attempts</h2>
      <Table label="Attempts" head={head}>
        {attempts.map(one => (
          <tr key={one.attempt}>
            <th scope="row">{one.attempt}</th>
            <td>
              {one.outcome ? words(one.outcome) : "running"}
              <div class="quiet">{[one.reason, one.note].filter(Boolean).join(" ")}</div>
              {one.errorOutput && (
                <details>
                  <summary>Its last lines</summary>
                  <pre>{one.errorOutput}</pre>
                </details>
              )}
            </td>
            <td>{one.worker}</td>
            <td class="number">
              <Ago time={one.claimedAt} />
            </td>
            <td class="number">{one.endedAt ? duration((Date.parse(one.endedAt) - Date.parse(one.claimedAt)) / 1000) : "–"}</td>
          </tr>
        ))}
      </Table>
    </section>
  );
}

function SpecSection({ job: { id, spec, result, targets } }: { job: Job }) {
  return (
    <section>
      <h2>Spec</h2>
      <Values
        values={[
          ...Object.entries(spec).map(([name, value]): [string, string] => [name, plain(value)]),
          ["target of the true class", figure(targets.trueClass)],
          ["least train loss", figure(targets.entropy)],
        ]}
      />
      <details>
        <summary>Where and how it ran</summary>
        <Values
          values={[
            ["id", id],
            ...(result
              ? ([
                  ["kept epoch", `${result.keptEpoch} of ${result.trainedEpochs}`],
                  ["device", `${result.device}, ${result.threads} threads`],
                  ["libtorch", result.libtorch],
                  ["SHA-256 of the weights", result.weightsSha256],
                ] as [string, string][])
              : []),
          ]}
        />
      </details>
    </section>
  );
}
