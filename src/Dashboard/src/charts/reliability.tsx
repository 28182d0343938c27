import type { ComponentChildren } from "preact";
import type { Bin } from "../api/types";
import { figure } from "../format";
import { Diagram, x, y } from "./diagram";

/** A reliability diagram: accuracy by confidence, with its 95 % interval, and how many images each bin has. Text stands beside. */
export function Reliability({ title, bins, children }: { title: string; bins: Bin[]; children: ComponentChildren }) {
  const most = mostOf(bins);
  return (
    <Diagram
      title={title}
      label={describe(title, bins)}
      marks={bins.map(bin => (
        <OneBin key={`${bin.lower} ${bin.upper}`} bin={bin} most={most} />
      ))}
    >
      {children}
    </Diagram>
  );
}

/** The images of the fullest bin; the count of others is drawn as a share of it. */
export const mostOf = (bins: Bin[]): number => Math.max(1, ...bins.map(bin => bin.count));

function OneBin({ bin, most }: { bin: Bin; most: number }) {
  if (bin.accuracy === null || bin.meanConfidence === null) return null;
  const middle = x(bin.meanConfidence);
  const { low, high } = bin.accuracyInterval ?? {};
  return (
    <g>
      <title>
        {`confidence ${figure(bin.lower, 2)} to ${figure(bin.upper, 2)}: ${bin.count} images, accuracy ${figure(bin.accuracy)}, ` +
          `mean confidence ${figure(bin.meanConfidence)}`}
      </title>
      <Count bin={bin} most={most} />
      {typeof low === "number" && typeof high === "number" && (
        <line class="interval" x1={middle} x2={middle} y1={y(low)} y2={y(high)} />
      )}
      <line class="miss" x1={middle} x2={middle} y1={y(bin.accuracy)} y2={y(bin.meanConfidence)} />
      <circle class="mean" cx={middle} cy={y(bin.accuracy)} r={3.5} />
    </g>
  );
}

/** How many images a bin has. */
export function Count({ bin, most }: { bin: Bin; most: number }) {
  const share = bin.count / most / 4;
  return (
    <rect
      class="count"
      x={x(bin.lower) + 0.5}
      width={Math.max(0, x(bin.upper) - x(bin.lower) - 1)}
      y={y(share)}
      height={y(0) - y(share)}
    />
  );
}

const describe = (title: string, bins: Bin[]): string =>
  `Reliability diagram, ${title}. ` +
  bins
    .filter(bin => bin.count > 0)
    .map(bin => `Confidence ${figure(bin.meanConfidence, 2)}: accuracy ${figure(bin.accuracy, 2)}, ${bin.count} images.`)
    .join(" ");
