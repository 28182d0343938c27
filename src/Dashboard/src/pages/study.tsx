import { mayPass, post, remove } from "../api/client";
import { type LiveEvent, useLive, useThrottled } from "../api/live";
import { useResource } from "../api/resource";
import type { Answer, Arm, Job, JobSpec, Mean, Page, Ranked, SplitScores, Study, StudyReport } from "../api/types";
import { type Line, LineChart } from "../charts/lines";
import { Legend } from "../charts/swatch";
import { besideEpsilon, figure, labelOf, lossOf, plain, range, shortId, signed, takesEpsilon, words } from "../format";
import { type Action, Actions, Ago, Badge, pinning, ProblemBox, StudyBar, Table, Values } from "../parts";
import { go, href } from "../router";
import { JobTable, useJobEvents } from "./jobs";
import { useTitle } from "./title";

export function StudyPage({ id }: { id: string }) {
  const study = useResource<Study>(`/studies/${id}`);
  const report = useResource<StudyReport>(`/studies/${id}/report?format=json`);
  const shown = study.value;
  useTitle(shown ? `Study ${nameOf(shown)}` : "Study");
  const jobs = useResource<Page<Job>>(`/jobs?study=${id}`);
  const onJobEvent = useJobEvents(jobs);

  function refreshFigures(): void {
    study.reload();
    report.reload();
  }

  function refresh(): void {
    refreshFigures();
    jobs.reload();
  }

  const refreshSoon = useThrottled(refreshFigures);

  function onEvent(event: LiveEvent): void {
    onJobEvent(event);
    if (event.state?.isTerminal || event.study) refreshSoon();
  }

  useLive(`/studies/${id}/events`, shown ? !shown.isTerminal : mayPass(study.problem), refresh, onEvent);

  return (
    <>
      <ProblemBox problem={study.problem} />
      {!shown && <h1>Study {shortId(id)}</h1>}
      {shown && <Head study={shown} refresh={refresh} />}
      <ProblemBox problem={report.problem} />
      {report.value?.recommendation.byLabelNoise.map((answer, i, all) => (
        <AnswerSection
          key={answer.labelNoise}
          answer={answer}
          job={report.value!.study.spec.job}
          noise={all.length > 1}
          isFinal={report.value!.recommendation.isFinal}
          predict={i === 0 ? report.value!.recommendation.predict : null}
        />
      ))}
      {report.value && report.value.jobs.length > 0 && <Charts report={report.value} />}
      {report.value && <Findings answers={report.value.recommendation.byLabelNoise} />}
      {jobs.value && <StudyJobs id={id} jobs={jobs.value} />}
      {shown && <SpecSection study={shown} />}
    </>
  );
}

const nameOf = (study: Study): string => study.spec.name ?? shortId(study.id);

function Head({ study, refresh }: { study: Study; refresh: () => void }) {
  const { spec, progress } = study;
  const verb = (name: string, of: number): Action[] =>
    of > 0 ? [{ name, run: () => post(`/studies/${study.id}/${name.toLowerCase()}`).finally(refresh) }] : [];
  return (
    <>
      <div class="heading">
        <h1>{nameOf(study)}</h1>
        <span role="status">
          <Badge state={study.state} />
        </span>
        {!study.isTerminal && <StudyBar progress={progress} />}
      </div>
      <p class="quiet">
        <a href={`#/datasets/${spec.job.dataset}`}>{spec.job.dataset}</a> · by {words(spec.criterion)} on validation · {progress.jobs} jobs · submitted{" "}
        <Ago time={study.createdAt} />
      </p>
      <Actions
        actions={[
          ...verb("Cancel", progress.queued + progress.running + progress.paused),
          ...verb("Pause", progress.queued + progress.running),
          ...verb("Resume", progress.paused),
          ...verb("Retry", progress.failed),
          pinning(`/studies/${study.id}`, study.pinned, refresh),
          ...(progress.running > 0
            ? []
            : [
                {
                  name: "Delete",
                  question: `Delete the study ${nameOf(study)} with its ${progress.jobs} jobs? They are removed for good.`,
                  run: () => remove(`/studies/${study.id}`).then(() => go("/studies")),
                },
              ]),
        ]}
      >
        <a class="button" href={href("/submit/study", { study: study.id })}>
          Edit and submit
        </a>
        <a class="button" href={`/studies/${study.id}/report`}>
          Report
        </a>
        <a class="button" href={`/studies/${study.id}?format=csv`} download={`study-${study.id}.csv`}>
          CSV
        </a>
        <a class="button" href={`/studies/${study.id}/metrics?format=csv`} download={`study-${study.id}-metrics.csv`}>
          Metrics (CSV)
        </a>
      </Actions>
    </>
  );
}

interface AnswerProps {
  answer: Answer;
  /** The study's. */
  job: JobSpec;
  noise: boolean;
  isFinal: boolean;
  /** The API's path for predictions by the arm's best job. */
  predict: string | null;
}

function AnswerSection({ answer, job, noise, isFinal, predict }: AnswerProps) {
  const arms = answer.arms.map(ranked => ranked.arm);
  return (
    <section>
      <h2>
        {isFinal ? "Recommendation" : "Recommendation so far"}
        {noise && ` with label noise ${answer.labelNoise}`}
      </h2>
      <p class="verdict">
        {answer.inShort && <b>{answer.inShort}</b>} {answer.sentence}
      </p>
      {predict && (
        <p>
          <a href={`#${predict}`}>Predict with its best job</a>
        </p>
      )}
      {answer.moreSeedsNote && <p class="quiet">{answer.moreSeedsNote}</p>}
      {answer.arms.length > 0 && (
        <Table label="Arms by mean loss" head={<RankHead />}>
          {answer.arms.map(ranked => (
            <Rank
              key={labelOf(ranked.arm, arms, job)}
              ranked={ranked}
              label={labelOf(ranked.arm, arms, job)}
              recommended={same(ranked.arm, answer.arm)}
            />
          ))}
        </Table>
      )}
    </section>
  );
}

function Findings({ answers }: { answers: Answer[] }) {
  const findings = answers.flatMap(answer =>
    answer.findings.map(finding => (answers.length > 1 ? `With label noise ${answer.labelNoise}: ${finding}` : finding)),
  );
  return findings.length > 0 ? (
    <section>
      <h2>Findings</h2>
      <ul>
        {findings.map(finding => (
          <li key={finding}>{finding}</li>
        ))}
      </ul>
    </section>
  ) : null;
}

const same = (arm: Arm, other: Arm | null): boolean => other !== null && JSON.stringify(arm) === JSON.stringify(other);

const RankHead = () => (
  <>
    <th scope="col">Arm</th>
    <th scope="col" class="number">
      Mean loss
    </th>
    <th scope="col" class="number">
      Behind the lowest
    </th>
    <th scope="col" class="number">
      Interval (corrected)
    </th>
    <th scope="col" class="number wide">
      p (one-sided, uncorrected)
    </th>
    <th scope="col">Judgement</th>
  </>
);

function Rank({ ranked, label, recommended }: { ranked: Ranked; label: string; recommended: boolean }) {
  const { interval } = ranked;
  return (
    <tr class={recommended ? "chosen" : undefined}>
      <th scope="row">{label}</th>
      <td class="number">{figure(ranked.meanLoss)}</td>
      <td class="number">{ranked.behindBest === null ? "–" : signed(ranked.behindBest)}</td>
      <td class="number">{interval ? range(interval, signed) : "–"}</td>
      <td class="number wide">{ranked.pValue === null ? "–" : figure(ranked.pValue)}</td>
      <td>{judgement(ranked, recommended)}</td>
    </tr>
  );
}

function judgement({ isJudged, isTied, diverged }: Ranked, recommended: boolean): string {
  if (diverged > 0) return `diverged with ${diverged} ${diverged === 1 ? "seed" : "seeds"}`;
  if (!isJudged) return "not judged";
  return recommended ? "recommended" : isTied ? "tied with the best" : "worse";
}

type Metric = keyof SplitScores;

const metrics: [Metric, string, string][] = [
  ["accuracy", "Accuracy", "higher is better"],
  ["ece", "ECE", "lower is better"],
  ["signedGap", "Confidence − accuracy", "0 is best"],
  ["nll", "NLL", "lower is better"],
  ["eceAfterTemperature", "ECE after temperature", "lower is better"],
  ["nllAfterTemperature", "NLL after temperature", "lower is better"],
  ["brier", "Brier score", "lower is better"],
  ["aurc", "AURC", "lower is better"],
  ["augrc", "AUGRC", "lower is better"],
  ["debiasedEce", "Debiased ECE", "lower is better"],
  ["smoothEce", "Smooth ECE", "lower is better"],
];

/** Each figure over ε; arms that differ in more than ε have a line for each combination of the rest. */
function Charts({ report }: { report: StudyReport }) {
  const axis = report.arms.some(({ arm }) => takesEpsilon(lossOf(arm, report.study.spec.job))) ? "ε" : "";
  const names = [...new Set(linesOf(report, axis, "accuracy").map(line => line.name))];
  return (
    <section>
      <div class="heading">
        <h2>Figures{axis && ` over ${axis}`}</h2>
        <span class="quiet">test set; means over seeds with 95 % intervals, faint dots: single seeds, ring: recommended</span>
      </div>
      {names.length > 1 && <Legend names={names} />}
      <div class="charts">
        {metrics.map(([metric, title, note]) => (
          <LineChart key={metric} title={title} axis={axis} note={note} lines={linesOf(report, axis, metric)} />
        ))}
      </div>
    </section>
  );
}

/** @param axis `ε`; empty places the arms side by side. */
function linesOf({ study, recommendation, jobs, arms }: StudyReport, axis: string, metric: Metric): Line[] {
  const lines = new Map<string, Line>();
  const all = arms.map(one => one.arm);
  arms.forEach(({ number, arm }, i) => {
    const mean = study.rows[i]?.[metric] as Mean | null | undefined;
    if (!mean) return;
    const name = besideEpsilon(arm, all);
    const line = lines.get(name) ?? { name, points: [] };
    lines.set(name, line);
    line.points.push({
      x: axis ? arm.epsilon : i,
      label: labelOf(arm, all, study.spec.job),
      mean,
      seeds: jobs.filter(job => job.arm === number).map(job => job.scores.test[metric]),
      isRecommended: recommendation.byLabelNoise.some(answer => same(arm, answer.arm)),
    });
  });
  for (const line of lines.values()) line.points.sort((a, b) => a.x - b.x);
  return [...lines.values()];
}

function StudyJobs({ id, jobs }: { id: string; jobs: Page<Job> }) {
  return (
    <section>
      <h2>Jobs</h2>
      <JobTable jobs={jobs.items} />
      {jobs.next && (
        <p>
          <a href={href("/jobs", { study: id })}>All jobs of the study</a>
        </p>
      )}
    </section>
  );
}

function SpecSection({ study: { spec } }: { study: Study }) {
  const { job, ...grid } = spec;
  const shown = (values: object): [string, string][] =>
    Object.entries(values)
      .filter(([, value]) => value !== null)
      .map(([name, value]) => [name, typeof value === "object" && !Array.isArray(value) ? JSON.stringify(value) : plain(value)]);
  return (
    <section>
      <h2>Spec</h2>
      <Values values={shown(grid)} />
      <details>
        <summary>The spec that all its jobs share</summary>
        <Values values={shown(job)} />
      </details>
    </section>
  );
}
