import type { ComponentChildren } from "preact";

const size = 220;
const left = 34;
const top = 8;
const bottom = 34;

export const x = (confidence: number): number => left + confidence * size;
export const y = (share: number): number => top + (1 - share) * size;

interface Props {
  title: string;
  /** The diagram in words. */
  label: string;
  /** What is drawn in the square. */
  marks: ComponentChildren;
  children: ComponentChildren;
}

/** The square of a reliability diagram, share of right predictions by confidence, with its diagonal. Text stands beside. */
export function Diagram({ title, label, marks, children }: Props) {
  return (
    <figure class="chart">
      <figcaption>
        <b>{title}</b>
      </figcaption>
      <div class="beside">
        <svg class="reliability" viewBox={`0 0 ${left + size + 8} ${top + size + bottom}`} role="img" aria-label={label}>
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
          {marks}
          <line class="diagonal" x1={x(0)} y1={y(0)} x2={x(1)} y2={y(1)} />
        </svg>
        <div>{children}</div>
      </div>
    </figure>
  );
}
