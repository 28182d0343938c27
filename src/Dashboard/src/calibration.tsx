import { useResource } from "./api/resource";
import type { Assessment, Calibration, Conventions, Estimated } from "./api/types";
import { Reliability } from "./charts/reliability";
import { byChance, figure, range, signed, words } from "./format";
import { FurtherMeasures } from "./measures";
import { ProblemBox, Table } from "./parts";

type FigureName = "accuracy" | "nll" | "brier" | "signedGap" | "ece" | "adaptiveEce" | "classwiseEce" | "smoothEce" | "mce";

const names: FigureName[] = ["accuracy", "nll", "brier", "signedGap", "ece", "adaptiveEce", "classwiseEce", "smoothEce", "mce"];

/**
 * The calibration report of a job or of an evaluation.
 * @param job path of the job; an evaluation has none.
 */
export function CalibrationReport({ path, job }: { path: string; job?: string }) {
  const { value, problem } = useResource<Calibration>(path);
  return (
    <>
      <ProblemBox problem={problem} />
      {!value && !problem && <p class="quiet">The report is being computed.</p>}
      {value && (
        <>
          <div class="charts two">
            <Reliability title="As trained" bins={value.before.reliability}>
              <Verdict assessment={value.before} />
            </Reliability>
            <Reliability
              title={`After temperature ${figure(value.temperatureFit.temperature, 3)}`}
              bins={value.after.reliability}
            >
              <Verdict assessment={value.after} />
              {value.temperatureFit.note && <p class="quiet">{value.temperatureFit.note}</p>}
            </Reliability>
          </div>
          <Errors report={value} />
          <OtherRules conventions={value.conventions} />
          <FurtherMeasures key={path} path={`${path}?measures=true`} job={job} />
        </>
      )}
    </>
  );
}

function Verdict({ assessment: { verdict } }: { assessment: Assessment }) {
  if (!verdict) return null;
  const inPart = (verdict.kernel?.pValue ?? 1) < 0.05; // the largest probability only
  const unclear = verdict.name === "insufficientData" || (verdict.name === "calibrated" && inPart);
  const tone = unclear ? "" : verdict.name === "calibrated" ? "good" : "bad";
  return <p class={`verdict ${tone}`}>{verdict.sentence}</p>;
}

function Errors({ report }: { report: Calibration }) {
  const range = (
    <th scope="col" class="number">
      95 % interval, or what chance alone reaches
    </th>
  );
  const head = (
    <>
      <th scope="col">{report.count} test images</th>
      <th scope="col" class="number">
        As trained
      </th>
      {range}
      <th scope="col" class="number">
        After temperature
      </th>
      {range}
    </>
  );
  return (
    <Table label="Figures of the test set" head={head}>
      {names.map(name => (
        <tr key={name}>
          <th scope="row">{words(name)}</th>
          <Cells estimated={report.before[name]} show={name === "signedGap" ? signed : figure} />
          <Cells estimated={report.after[name]} show={name === "signedGap" ? signed : figure} />
        </tr>
      ))}
    </Table>
  );
}

function Cells({ estimated: { value, interval, chance }, show }: { estimated: Estimated; show: typeof figure }) {
  return (
    <>
      <td class="number">{show(value)}</td>
      <td class="number quiet">
        {interval && range(interval, show)}
        {chance && byChance(chance)}
      </td>
    </>
  );
}

/** The ECE as trained that other tools give. */
function OtherRules({ conventions: { values, why } }: { conventions: Conventions }) {
  const head = (
    <>
      <th scope="col">Rule</th>
      <th scope="col" class="number">
        Bins
      </th>
      <th scope="col" class="number">
        ECE as trained
      </th>
    </>
  );
  return (
    <details>
      <summary>The ECE by the rules of other tools</summary>
      <Table label="The ECE by the rules of other tools" head={head}>
        {values.map(({ binning, bins, ece }) => (
          <tr key={binning}>
            <th scope="row">{binning}</th>
            <td class="number">{bins}</td>
            <td class="number">{figure(ece)}</td>
          </tr>
        ))}
      </Table>
      <p class="quiet">{why}</p>
    </details>
  );
}
