import type { Figure, Mean } from "../api/types";
import { figure, range } from "../format";
import { dashes } from "./theme";

/** A figure, or its mean over seeds with the figures of the single seeds. */
export interface Point {
  x: number;
  /** What the figure is of. */
  label: string;
  mean: Mean;
  seeds: Figure[];
  /** Whether the recommendation is this arm. */
  isRecommended: boolean;
}

export interface Line {
  name: string;
  points: Point[];
}

interface Props {
  title: string;
  /** What x is; empty when it means nothing and is not shown. */
  axis: string;
  /** Which way is better. */
  note: string;
  lines: Line[];
}

const width = 300;
const height = 190;
const inset = 10; // of the smallest and the largest x
const box = { left: 50, right: 12, top: 10, bottom: 34 };

/** A figure over x: means with 95 % intervals, a faint dot for each seed, and a ring round the recommended arm. */
export function LineChart({ title, axis, note, lines }: Props) {
  const points = lines.flatMap(line => line.points);
  const places = [...new Set(points.map(point => point.x))].sort((a, b) => a - b);
  const values = points
    .flatMap(({ mean, seeds }) => [mean.mean, mean.interval?.low, mean.interval?.high, ...seeds])
    .filter(isFinite);
  if (values.length === 0) return null;
  const [low, high] = padded(Math.min(...values), Math.max(...values));
  const largest = places.at(-1) || 1;
  const x = (place: number): number => box.left + inset + (place / largest) * (width - box.left - box.right - 2 * inset);
  const y = (value: number): number => box.top + ((high - value) / (high - low)) * (height - box.top - box.bottom);

  return (
    <figure class="chart">
      <figcaption>
        <b>{title}</b> <span class="quiet">{note}</span>
      </figcaption>
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={describe(title, axis, points)}>
        {ticks(low, high).map(tick => (
          <g key={tick}>
            <line class="grid" x1={box.left} x2={width - box.right} y1={y(tick)} y2={y(tick)} />
            <text x={box.left - 6} y={y(tick) + 4} text-anchor="end">
              {shortest(tick, high - low)}
            </text>
          </g>
        ))}
        {axis &&
          apart(places, x).map(place => (
            <text key={place} x={x(place)} y={height - box.bottom + 15} text-anchor="middle">
              {place}
            </text>
          ))}
        <text x={(box.left + width - box.right) / 2} y={height - 4} text-anchor="middle">
          {axis}
        </text>
        {lines.map((line, i) => (
          <OneLine key={line.name} line={line} series={i} x={x} y={y} />
        ))}
      </svg>
    </figure>
  );
}

function OneLine({
  line,
  series,
  x,
  y,
}: {
  line: Line;
  series: number;
  x: (value: number) => number;
  y: (value: number) => number;
}) {
  const means = line.points.filter(point => isFinite(point.mean.mean));
  return (
    <g class={`s${series % 6}`}>
      <polyline
        stroke-dasharray={dashes(series).join(" ")}
        points={means.map(point => `${x(point.x)},${y(point.mean.mean!)}`).join(" ")}
      />
      {line.points.map(point => (
        <OnePoint key={point.label} point={point} x={x(point.x)} y={y} />
      ))}
    </g>
  );
}

function OnePoint({ point, x, y }: { point: Point; x: number; y: (value: number) => number }) {
  const { mean, seeds, isRecommended } = point;
  return (
    <g>
      <title>{sentence(point)}</title>
      {seeds.filter(isFinite).map((seed, i) => (
        <circle key={i} class="seed" cx={x + 6} cy={y(seed)} r={2.5} />
      ))}
      {isFinite(mean.interval?.low) && isFinite(mean.interval?.high) && (
        <line class="interval" x1={x} x2={x} y1={y(mean.interval.low)} y2={y(mean.interval.high)} />
      )}
      {isFinite(mean.mean) && <circle class="mean" cx={x} cy={y(mean.mean)} r={3.5} />}
      {isFinite(mean.mean) && isRecommended && <circle class="recommended" cx={x} cy={y(mean.mean)} r={8} />}
    </g>
  );
}

const isFinite = (value: Figure | undefined): value is number => typeof value === "number";

/** The labels that do not overlap. */
function apart(places: number[], x: (place: number) => number): number[] {
  const kept: number[] = [];
  for (const place of places) if (kept.length === 0 || x(place) - x(kept.at(-1)!) >= 26) kept.push(place);
  return kept;
}

function padded(low: number, high: number): [number, number] {
  const pad = (high - low) * 0.06 || Math.abs(high) * 0.01 || 1;
  return [low - pad, high + pad];
}

/** Three to six round values. */
function ticks(low: number, high: number): number[] {
  const rough = (high - low) / 4;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * ([1, 2, 5, 10].find(factor => factor * power >= rough) ?? 10);
  const first = Math.ceil(low / step);
  return Array.from({ length: Math.floor(high / step) - first + 1 }, (_, i) => (first + i) * step);
}

const shortest = (tick: number, span: number): string =>
  tick
    .toFixed(Math.min(6, Math.max(0, 2 - Math.floor(Math.log10(span)))))
    .replace(/(\.\d*?)0+$/, "$1")
    .replace(/\.$/, "")
    .replace("-", "−");

function sentence({ label, mean, seeds, isRecommended }: Point): string {
  const interval = mean.interval ? ` (${range(mean.interval)})` : "";
  const recommended = isRecommended ? ", recommended" : "";
  return `${label}: ${figure(mean.mean)}${interval}${seeds.length > 0 ? `, ${seeds.length} seeds` : ""}${recommended}`;
}

const describe = (title: string, axis: string, points: Point[]): string =>
  `${title}${axis && ` over ${axis}`}. ${points.map(sentence).join(". ")}.`;
