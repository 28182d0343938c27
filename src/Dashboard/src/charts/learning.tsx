import { useMemo, useState } from "preact/hooks";
import type { Epoch } from "../api/types";
import { Curves, type Curve, type Zoom } from "./curves";
import type { Sample } from "./downsample";

export interface Run {
  name: string;
  epochs: Epoch[];
  /** Which colour and dashes it has beside other runs. */
  series: number;
}

type Metric = "trainLoss" | "validationLoss" | "validationLossAfterTemperature" | "trainAccuracy" | "validationAccuracy" | "ece";

const charts: { title: string; validation: Metric; train?: Metric; tempered?: Metric }[] = [
  { title: "Loss", validation: "validationLoss", train: "trainLoss", tempered: "validationLossAfterTemperature" },
  { title: "Accuracy", validation: "validationAccuracy", train: "trainAccuracy" },
  { title: "ECE", validation: "ece" },
];

/** Loss, accuracy and ECE of one run or of several over the same epochs, zoomed and read together. */
export function LearningCurves({ runs }: { runs: Run[] }) {
  const [zoom, setZoom] = useState<Zoom>(null);
  const [hovered, setHovered] = useState<number | null>(null);
  const epochs = useMemo(() => epochsOf(runs), [runs]);
  const curves = useMemo(() => charts.map(chart => curvesOf(chart, runs, epochs)), [runs, epochs]);
  const lost = useMemo(
    () => runs.some(run => run.epochs.some(one => one.trainLoss === null || one.validationLoss === null)),
    [runs],
  );

  return (
    <section>
      <div class="heading">
        <h2>Learning curves</h2>
        <span class="quiet">
          {hovered !== null ? `epoch ${hovered}` : zoom ? `epochs ${zoom[0]} to ${zoom[1]}` : "drag or pinch to zoom"}
        </span>
        <button type="button" onClick={() => setZoom(null)} disabled={!zoom}>
          Reset zoom
        </button>
      </div>
      {lost && <p class="warning">The curves have gaps where a figure was NaN or infinite.</p>}
      <div class="charts">
        {charts.map(({ title }, i) => (
          <Curves
            key={title}
            title={runs.length === 1 ? title : `${title}, validation`}
            epochs={epochs}
            curves={curves[i]!}
            zoom={zoom}
            onZoom={setZoom}
            hovered={hovered}
            onHover={setHovered}
          />
        ))}
      </div>
    </section>
  );
}

function epochsOf(runs: Run[]): number[] {
  if (runs.length === 1) return runs[0]!.epochs.map(one => one.epoch);
  return [...new Set(runs.flatMap(run => run.epochs.map(one => one.epoch)))].sort((a, b) => a - b);
}

function curvesOf({ validation, train, tempered }: (typeof charts)[number], runs: Run[], epochs: number[]): Curve[] {
  const [only] = runs;
  if (runs.length > 1 || !only)
    return runs.map(run => ({ name: run.name, figures: figuresOf(run, validation, epochs), series: run.series }));
  const curve = (name: string, metric: Metric, series: number): Curve => ({
    name,
    figures: only.epochs.map(one => one[metric]),
    series,
  });
  return [
    curve("validation", validation, 0),
    ...(train ? [curve("train", train, 1)] : []),
    // Epochs of older builds have none.
    ...(tempered && only.epochs.some(one => one[tempered] !== null) ? [curve("validation after T", tempered, 2)] : []),
  ];
}

function figuresOf(run: Run, metric: Metric, epochs: number[]): Sample[] {
  const byEpoch = new Map(run.epochs.map(one => [one.epoch, one[metric]]));
  return epochs.map(epoch => byEpoch.get(epoch));
}
