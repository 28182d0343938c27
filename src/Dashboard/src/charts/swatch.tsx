import { dashes } from "./theme";

/** A short piece of the line of the n-th series. */
export const Swatch = ({ series }: { series: number }) => (
  <svg class={`swatch s${series % 6}`} viewBox="0 0 26 4" aria-hidden="true">
    <line x1="0" x2="26" y1="2" y2="2" stroke="currentColor" stroke-width="2.5" stroke-dasharray={dashes(series).join(" ")} />
  </svg>
);

/** The names of the series, each beside a piece of its line. */
export const Legend = ({ names }: { names: string[] }) => (
  <p class="legend">
    {names.map((name, i) => (
      <span key={name}>
        <Swatch series={i} /> {name}
      </span>
    ))}
  </p>
);
