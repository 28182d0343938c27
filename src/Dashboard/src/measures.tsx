import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useResource } from "./api/resource";
import type {
  Calibration,
  Calibrators,
  CalibratorScore,
  Conformal,
  Corp,
  Figure,
  Interval,
  Measures,
  Selective,
} from "./api/types";
import { CorpDiagram, outside } from "./charts/corp";
import { byChance, count, figure, range, words } from "./format";
import { ProblemBox, Table } from "./parts";

/**
 * What takes seconds to compute, and is asked for when it is opened. docs/measures.md explains each measure.
 * @param path of the report with the measures.
 * @param job path of the job, whose model can have another calibrator; an evaluation has none.
 */
export function FurtherMeasures({ path, job }: { path: string; job: string | undefined }) {
  const [isOpen, setOpen] = useState(false);
  const { value, problem } = useResource<Calibration>(isOpen ? path : null);
  return (
    <details class="measures" onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>Further measures</summary>
      <ProblemBox problem={problem} />
      <p class="quiet" role="status">
        {isOpen && !value && !problem && "The measures are being computed. That takes some seconds."}
      </p>
      {value?.measures && <MeasuresOf report={value} measures={value.measures} job={job} />}
    </details>
  );
}

interface Props {
  report: Calibration;
  measures: Measures;
  job: string | undefined;
}

export function MeasuresOf({ report, measures, job }: Props) {
  const { missing } = measures;
  return (
    <>
      <Curves report={report} measures={measures} />
      <Errors measures={measures} />
      <SelectiveTable measures={measures} />
      <Part name="Conformal sets" value={measures.conformal} why={missing["conformal"]} show={ConformalTable} />
      <Part
        name="Calibrators"
        value={measures.calibrators}
        why={missing["calibrators"]}
        show={calibrators => <CalibratorTable calibrators={calibrators} job={job} />}
      />
    </>
  );
}

interface PartProps<T> {
  name: string;
  value: T | null;
  /** Why there is none. */
  why: string | undefined;
  show: (value: T) => ComponentChildren;
}

/** A measure that may be missing. */
function Part<T>({ name, value, why, show }: PartProps<T>) {
  return (
    <>
      <h3>{name}</h3>
      {value === null ? <p class="quiet">Not available. {why}</p> : show(value)}
    </>
  );
}

function Curves({ report, measures }: { report: Calibration; measures: Measures }) {
  return (
    <>
      <h3>Reliability without bins</h3>
      <p class="quiet">
        The line is the share of right predictions by confidence, as isotonic regression finds it (CORP). The shaded band is where the
        line of a calibrated model would lie in 95 % of cases, at each confidence by itself. Grey bars count images.
      </p>
      <div class="charts two">
        <CorpDiagram title="As trained" corp={measures.before.corp} bins={report.before.reliability}>
          <CorpText corp={measures.before.corp} />
        </CorpDiagram>
        <CorpDiagram
          title={`After temperature ${figure(report.temperatureFit.temperature, 3)}`}
          corp={measures.after.corp}
          bins={report.after.reliability}
        >
          <CorpText corp={measures.after.corp} />
        </CorpDiagram>
      </div>
    </>
  );
}

function CorpText({ corp: { score, miscalibration, discrimination, uncertainty, curve, band } }: { corp: Corp }) {
  return (
    <>
      {band && (
        <p>
          The line is outside the band at {outside(curve, band)} of {band.length} confidences; one in twenty would be by chance.
        </p>
      )}
      <p class="quiet">
        Brier score of the confidence {figure(score)} = miscalibration {figure(miscalibration)} − discrimination{" "}
        {figure(discrimination)} + uncertainty {figure(uncertainty)}
      </p>
    </>
  );
}

const uncertainty = "95 % interval, chance or test";

function Errors({ measures }: { measures: Measures }) {
  const { nll, value, calibration, calibrationInterval } = measures.refinement;
  const after = errorsOf(measures, "after");
  return (
    <>
      <h3>Calibration errors</h3>
      <p>
        NLL {figure(nll)} = refinement {figure(value)} + calibration {figure(calibration)}
        {calibrationInterval && ` (95 % interval ${range(calibrationInterval)})`}
      </p>
      <p class="quiet">
        Refinement is the NLL that recalibration leaves, here the NLL after temperature. Calibration is what the temperature gains. Of
        two models choose the one with less refinement, if temperature scaling follows.
      </p>
      <Table
        label="Calibration errors"
        head={<Columns first="Error" numbers={["As trained", uncertainty, "After temperature", `${uncertainty}, after temperature`]} />}
      >
        {errorsOf(measures, "before").map((row, i) => (
          <tr key={row.name}>
            <th scope="row">{row.name}</th>
            <Cells {...row} />
            <Cells {...after[i]!} />
          </tr>
        ))}
      </Table>
      <p class="quiet">
        The ℓ2 error is that of the confidence, over bins of equal mass; its interval includes 0 when the model may be calibrated.
        Miscalibration is what recalibration by the line above would gain. The squared kernel error is that of the probabilities of all
        classes; its expectation is 0 for a calibrated model. With p below 0.05 the model is not calibrated.
      </p>
    </>
  );
}

interface ErrorRow {
  name: string;
  value: string;
  /** Its uncertainty, or why it is missing. */
  note: string | undefined;
}

function errorsOf({ missing, ...measures }: Measures, side: "before" | "after"): ErrorRow[] {
  const { l2, corp, kernel } = measures[side];
  return [
    {
      name: "ℓ2 error",
      value: figure(l2?.value),
      note: l2 ? range(l2.interval) : missing[`${side}.l2`],
    },
    {
      name: "CORP miscalibration",
      value: figure(corp.miscalibration),
      note: corp.chance ? byChance(corp.chance) : missing["resamples"],
    },
    {
      name: "squared kernel error",
      value: figure(kernel?.value, 6),
      note: kernel ? `p = ${figure(kernel.pValue)}` : missing[`${side}.kernel`],
    },
  ];
}

function SelectiveTable({ measures: { maxProbability, maxLogitNorm, missing } }: { measures: Measures }) {
  return (
    <>
      <h3>Selective prediction</h3>
      <p class="quiet">
        The model answers for the share of images with the best scores (coverage) and refuses the others. Risk is the error rate of its
        answers, with its 95 % interval. AURC is the mean risk over all coverages. AUGRC is the area under the share of images that are
        answered and wrong: compare models by it. Lower is better.
      </p>
      <Table
        label="Selective prediction"
        head={
          <Columns first="Score" numbers={["AURC", "AUGRC", ...maxProbability.risks.map(at => `Risk at ${percent(at.coverage)}`)]} />
        }
      >
        <SelectiveRow name="largest probability" selective={maxProbability} />
        {maxLogitNorm && (
          <SelectiveRow
            name={`largest logit over ${maxLogitNorm.power}-norm${maxLogitNorm.powerIsFitted ? "" : ", not fitted"}`}
            selective={maxLogitNorm.selective}
          />
        )}
      </Table>
      {!maxLogitNorm && <p class="quiet">Largest logit over the norm of the logits: {missing["maxLogitNorm"]}</p>}
    </>
  );
}

function SelectiveRow({ name, selective: { aurc, augrc, risks } }: { name: string; selective: Selective }) {
  return (
    <tr>
      <th scope="row">{name}</th>
      <td class="number">{figure(aurc)}</td>
      <td class="number">{figure(augrc)}</td>
      {risks.map(({ coverage, risk, riskInterval }) => (
        <WithInterval key={coverage} value={risk} interval={riskInterval} />
      ))}
    </tr>
  );
}

const methods = ["split", "aps", "raps"] as const;

function ConformalTable(conformal: Conformal) {
  const { target, part, calibrationImages, judgedImages, temperature, before, after } = conformal;
  return (
    <>
      <p class="quiet">
        A set of classes for each image that contains the label of {percent(target)} of new images on average. Smaller sets are better.
        Coverage is the share of images whose set has the label, with its 95 % interval.{" "}
        {part === "validation"
          ? `${count(calibrationImages)} validation images choose the thresholds, and ${count(judgedImages)} test images are judged.`
          : `${count(calibrationImages)} test images choose the thresholds and the temperature, ${figure(temperature, 3)}, and the ` +
            `other ${count(judgedImages)} are judged.`}
      </p>
      <Table
        label="Conformal sets"
        head={
          <Columns first="Method" numbers={["Mean size as trained", "Mean size after T", "Coverage as trained", "Coverage after T"]} />
        }
      >
        {methods.map(method => (
          <tr key={method}>
            <th scope="row">{method === "split" ? method : method.toUpperCase()}</th>
            <td class="number">{figure(before[method].meanSize, 3)}</td>
            <td class="number">{figure(after[method].meanSize, 3)}</td>
            <WithInterval value={before[method].coverage} interval={before[method].coverageInterval} />
            <WithInterval value={after[method].coverage} interval={after[method].coverageInterval} />
          </tr>
        ))}
      </Table>
    </>
  );
}

function CalibratorTable({ calibrators, job }: { calibrators: Calibrators; job: string | undefined }) {
  const { chosen, part, images, folds, scores } = calibrators;
  return (
    <>
      <p class="quiet">
        NLL on {count(images)} {part} images, cross-fitted over {folds} folds, from the simplest calibrator on. Chosen is the simplest
        whose NLL is within one standard error of the best one's. The errors are standard errors.
      </p>
      <Table
        label="Calibrators"
        head={<Columns first="Calibrator" numbers={["NLL ± error", "Above the best ± error", ...(job ? ["Model"] : [])]} />}
      >
        {scores.map(score => (
          <CalibratorRow key={score.name} score={score} isChosen={score.name === chosen} job={job} />
        ))}
      </Table>
      {job && (
        <p class="quiet">
          The model (ONNX) has the calibrator built in, fitted on the validation images. Predictions take it with{" "}
          <code>
            POST {job}/predict?calibrator={chosen}
          </code>
          .
        </p>
      )}
    </>
  );
}

function CalibratorRow({ score, isChosen, job }: { score: CalibratorScore; isChosen: boolean; job: string | undefined }) {
  const { name, nll, nllError, difference, differenceError, note } = score;
  return (
    <tr class={isChosen ? "chosen" : ""}>
      <th scope="row">
        {words(name)}
        {isChosen && <span class="quiet"> chosen</span>}
      </th>
      {note ? (
        <td class="quiet" colSpan={2}>
          {note}
        </td>
      ) : (
        <>
          <td class="number">{withError(nll, nllError)}</td>
          <td class="number">{withError(difference, differenceError)}</td>
        </>
      )}
      {job && (
        <td class="number">
          {nll !== null && (
            <a href={`${job}/model?format=onnx&calibrator=${name}`} download aria-label={`ONNX with ${words(name)}`}>
              ONNX
            </a>
          )}
        </td>
      )}
    </tr>
  );
}

/** The heads of a column of names and of columns of figures. */
function Columns({ first, numbers }: { first: string; numbers: string[] }) {
  return (
    <>
      <th scope="col">{first}</th>
      {numbers.map((name, i) => (
        <th key={i} scope="col" class="number">
          {name}
        </th>
      ))}
    </>
  );
}

function WithInterval({ value, interval }: { value: Figure; interval: Interval }) {
  return (
    <td class="number">
      {figure(value)} <span class="quiet">({range(interval)})</span>
    </td>
  );
}

function Cells({ value, note }: Pick<ErrorRow, "value" | "note">) {
  return (
    <>
      <td class="number">{value}</td>
      <td class="number quiet">{note}</td>
    </>
  );
}

const withError = (value: Figure, error: Figure): string => `${figure(value)} ± ${figure(error)}`;

const percent = (share: number): string => `${Math.round(share * 100)} %`;
