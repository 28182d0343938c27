import type { ComponentChildren } from "preact";
import { useState } from "preact/hooks";
import { useResource } from "./api/resource";
import type { Calibration, Calibrators, CalibratorScore, Conformal, ConformalSet, Corp, Figure, Measures, Selective } from "./api/types";
import { CorpDiagram, outside } from "./charts/corp";
import { count, figure, range, words } from "./format";
import { ProblemBox, Table } from "./parts";

/**
 * What takes seconds to compute, and is asked for when it is opened. docs/measures.md explains each measure.
 * @param path of the report with the measures.
 * @param model path of the job's model; an evaluation has none.
 */
export function FurtherMeasures({ path, model }: { path: string; model: string | undefined }) {
  const [isOpen, setOpen] = useState(false);
  const { value, problem } = useResource<Calibration>(isOpen ? path : null);
  return (
    <details class="measures" onToggle={event => setOpen(event.currentTarget.open)}>
      <summary>Further measures</summary>
      <ProblemBox problem={problem} />
      {!value && !problem && <p class="quiet">The measures are being computed. That takes some seconds.</p>}
      {value?.measures && <MeasuresOf report={value} measures={value.measures} model={model} />}
    </details>
  );
}

export function MeasuresOf({ report, measures, model }: { report: Calibration; measures: Measures; model: string | undefined }) {
  const { missing } = measures;
  return (
    <>
      <Curves report={report} measures={measures} />
      <Errors measures={measures} />
      <SelectiveTable measures={measures} />
      <Part name="Conformal sets" value={measures.conformal} why={missing["conformal"]} show={sets => <Sets conformal={sets} />} />
      <Part
        name="Calibrators"
        value={measures.calibrators}
        why={missing["calibrators"]}
        show={calibrators => <CalibratorTable calibrators={calibrators} model={model} />}
      />
    </>
  );
}

/** A measure, or why there is none. */
function Part<T>({ name, value, why, show }: { name: string; value: T | null; why: string | undefined; show: (value: T) => ComponentChildren }) {
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
        head={<Columns first="Error" numbers={["As trained", "95 % interval, chance or test", "After temperature", "95 % interval, chance or test"]} />}
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
  /** Absent where it is missing. */
  value: Figure | undefined;
  /** Its uncertainty, or why it is missing. */
  note: string | undefined;
}

function errorsOf({ missing, ...measures }: Measures, side: "before" | "after"): ErrorRow[] {
  const { l2, corp, kernel } = measures[side];
  return [
    { name: "ℓ2 error", value: l2?.value, note: l2 ? range(l2.interval) : missing[`${side}.l2`] },
    {
      name: "CORP miscalibration",
      value: corp.miscalibration,
      note: corp.chance ? `chance: up to ${figure(corp.chance.limit)}` : missing["resamples"],
    },
    { name: "squared kernel error", value: kernel?.value, note: kernel ? `p = ${figure(kernel.pValue)}` : missing[`${side}.kernel`] },
  ];
}

function SelectiveTable({ measures: { maxProbability, maxLogitNorm, missing } }: { measures: Measures }) {
  return (
    <>
      <h3>Selective prediction</h3>
      <p class="quiet">
        The model answers for the share of images with the best scores (coverage) and refuses the others. Risk is the error rate of its
        answers. AURC is the mean risk over all coverages. AUGRC is the area under the share of images that are answered and wrong:
        compare models by it. Lower is better.
      </p>
      <Table
        label="Selective prediction"
        head={
          <Columns
            first="Score"
            numbers={["AURC", "AUGRC", ...maxProbability.risks.map(({ coverage }) => `Risk at ${percent(coverage)} (95 % interval)`)]}
          />
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
        <td key={coverage} class="number">
          {figure(risk)} <span class="quiet">({range(riskInterval)})</span>
        </td>
      ))}
    </tr>
  );
}

const methods = ["split", "aps", "raps"] as const;

function Sets({ conformal: { target, part, calibrationImages, judgedImages, temperature, before, after } }: { conformal: Conformal }) {
  const sides = ["Mean size", "Coverage (95 % interval)"];
  return (
    <>
      <p class="quiet">
        A set of classes for each image that contains the label of {percent(target)} of new images on average. Smaller sets are better.{" "}
        {count(calibrationImages)} {part === "validation" ? "validation" : "test"} images choose the thresholds
        {part === "testHalf" && " and the temperature"}, and {count(judgedImages)} {part === "testHalf" && "other "}test images are
        judged.
      </p>
      <Table
        label="Conformal sets"
        head={
          <Columns
            first="Method"
            numbers={["as trained", `after temperature ${figure(temperature, 3)}`].flatMap(side => sides.map(name => `${name} ${side}`))}
          />
        }
      >
        {methods.map(method => (
          <tr key={method}>
            <th scope="row">{method === "split" ? method : method.toUpperCase()}</th>
            <SetCells set={before[method]} />
            <SetCells set={after[method]} />
          </tr>
        ))}
      </Table>
    </>
  );
}

function SetCells({ set: { meanSize, coverage, coverageInterval } }: { set: ConformalSet }) {
  return (
    <>
      <td class="number">{figure(meanSize, 3)}</td>
      <td class="number">
        {figure(coverage)} <span class="quiet">({range(coverageInterval)})</span>
      </td>
    </>
  );
}

function CalibratorTable({ calibrators: { chosen, part, images, folds, scores }, model }: { calibrators: Calibrators; model: string | undefined }) {
  return (
    <>
      <p class="quiet">
        NLL on {count(images)} {part} images, cross-fitted over {folds} folds, from the simplest calibrator on. Chosen is the simplest
        whose NLL is within one standard error of the best one's.
      </p>
      <Table
        label="Calibrators"
        head={
          <Columns first="Calibrator" numbers={["NLL ± standard error", "Above the best ± standard error", ...(model ? ["Model"] : [])]} />
        }
      >
        {scores.map(score => (
          <CalibratorRow key={score.name} score={score} isChosen={score.name === chosen} model={model} />
        ))}
      </Table>
      {model && (
        <p class="quiet">
          The model (ONNX) has the calibrator built in, fitted on the validation images. Predictions take it with{" "}
          <code>POST {model.replace(/model$/, "predict")}?calibrator={chosen}</code>.
        </p>
      )}
    </>
  );
}

function CalibratorRow({ score, isChosen, model }: { score: CalibratorScore; isChosen: boolean; model: string | undefined }) {
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
      {model && (
        <td class="number">
          {nll !== null && (
            <a href={`${model}?format=onnx&calibrator=${name}`} download aria-label={`ONNX with ${words(name)}`}>
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

function Cells({ value, note }: Pick<ErrorRow, "value" | "note">) {
  return (
    <>
      <td class="number">{figure(value)}</td>
      <td class="number quiet">{note}</td>
    </>
  );
}

const withError = (value: Figure, error: Figure): string => `${figure(value)} ± ${figure(error)}`;

const percent = (share: number): string => `${Math.round(share * 100)} %`;
