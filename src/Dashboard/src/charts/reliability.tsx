import type { ComponentChildren } from "preact";
import type { Bin } from "../api/types";
import { figure } from "../format";

const size = 220;
const left = 34;
const top = 8;
const bottom = 34;

const x = (confidence: number): number => left + confidence * size;
const y = (share: number): number => top + (1 - share) * size;

/** A reliability diagram: accuracy by confidence, with its 95 % interval, and how many images each bin has. Text stands beside. */
export function Reliability({ title, bins, children }: { title: string; bins: Bin[]; children: ComponentChildren }) {
  const most = Math.max(1, ...bins.map(bin => bin.count));
  return (
    <figure class="chart">
      <figcaption>
        <b>{title}</b>
      </figcaption>
      <div class="beside">
        <svg
          class="reliability"
          viewBox={`0 0 ${left + size + 8} ${top + size + bottom}`}
          role="img"
          aria-label={describe(title, bins)}
        >
          {[0, 0.25, 0.5, 0.75, 1].map(tick => (
            <g key={tick}>
              <line class="grid" x1={left} x2={left + size} y1={y(tick)} y2={y(tick)} />
              <text x={left - 6} y={y(tick) + 4} text-anchor="end">
                {tick}
              </text>
              <text x={x(tick)} y={top + size + 15} text-anchor="middle">
                {tick}
              </text>
            </g>
          ))}
          <text x={left + size / 2} y={top + size + 30} text-anchor="middle">
            confidence
          </text>
          {bins.map(bin => (
            <OneBin key={`${bin.lower} ${bin.upper}`} bin={bin} share={bin.count / most} />
          ))}
          <line class="diagonal" x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} />
        </svg>
        <div>{children}</div>
      </div>
    </figure>
  );
}

function OneBin({ bin, share }: { bin: Bin; share: number }) {
  if (bin.accuracy === null || bin.meanConfidence === null) return null;
  const middle = x(bin.meanConfidence);
  const { low, high } = bin.accuracyInterval ?? {};
  return (
    <g>
      <title>
        {`confidence ${figure(bin.lower, 2)} to ${figure(bin.upper, 2)}: ${bin.count} images, accuracy ${figure(bin.accuracy)}, ` +
          `mean confidence ${figure(bin.meanConfidence)}`}
      </title>
      <rect
        class="count"
        x={x(bin.lower) + 0.5}
        width={Math.max(0, x(bin.upper) - x(bin.lower) - 1)}
        y={y(share * 0.25)}
        height={y(0) - y(share * 0.25)}
      />
      {typeof low === "number" && typeof high === "number" && (
        <line class="interval" x1={middle} x2={middle} y1={y(low)} y2={y(high)} />
      )}
      <line class="miss" x1={middle} x2={middle} y1={y(bin.accuracy)} y2={y(bin.meanConfidence)} />
      <circle class="mean" cx={middle} cy={y(bin.accuracy)} r={3.5} />
    </g>
  );
}

const describe = (title: string, bins: Bin[]): string =>
  `Reliability diagram, ${title}. ` +
  bins
    .filter(bin => bin.count > 0)
    .map(bin => `Confidence ${figure(bin.meanConfidence, 2)}: accuracy ${figure(bin.accuracy, 2)}, ${bin.count} images.`)
    .join(" ");
