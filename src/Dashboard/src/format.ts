import type { Arm, Figure, Interval, JobSpec } from "./api/types";

/** A figure as text. Null is what the API sends for NaN and infinity. */
export function figure(value: Figure | undefined, digits = 4): string {
  if (value === undefined) return "–";
  if (value === null) return "not finite";
  return minus(
    Math.abs(value) >= 1e5 || (value !== 0 && Math.abs(value) < 0.5 * 10 ** -digits)
      ? value.toExponential(2)
      : value.toFixed(digits),
  );
}

/** A figure whose sign matters. */
export const signed = (value: Figure | undefined, digits = 4): string =>
  `${typeof value === "number" && value > 0 ? "+" : ""}${figure(value, digits)}`;

/** An interval as text. */
export const range = ({ low, high }: Interval, show: typeof figure = figure): string => `${show(low)} to ${show(high)}`;

/** What a perfectly calibrated model would show. */
export const byChance = ({ limit }: { limit: Figure }): string =>
  limit === null ? "chance: too few draws" : `chance: up to ${figure(limit)}`;

/** A setting as it was written, such as 0.05. */
export function plain(value: unknown): string {
  if (value === null || value === undefined) return "none";
  if (Array.isArray(value)) return value.map(plain).join(", ") || "none";
  return typeof value === "number" ? minus(String(value)) : String(value);
}

export function duration(seconds: number): string {
  if (seconds < 59.5) return `${Math.max(0, Math.round(seconds))} s`;
  const minutes = Math.round(seconds / 60);
  if (minutes < 60) return `${minutes} min`;
  if (minutes >= 48 * 60) return `${Math.round(minutes / 1440)} days`;
  return [`${Math.floor(minutes / 60)} h`, minutes % 60 ? `${minutes % 60} min` : ""].join(" ").trim();
}

/** A number of bytes, such as 3.2 MiB. */
export function size(bytes: number): string {
  const steps = Math.min(Math.floor(Math.log2(Math.max(bytes, 1)) / 10), 3);
  const value = bytes / 1024 ** steps;
  return `${steps > 0 && value < 10 ? value.toFixed(1) : Math.round(value)} ${["bytes", "KiB", "MiB", "GiB"][steps]}`;
}

export const count = (number: number): string => number.toLocaleString("en");

export function ago(time: string, now = Date.now()): string {
  const seconds = (now - Date.parse(time)) / 1000;
  return seconds < 5 ? "now" : `${duration(seconds)} ago`;
}

/** A name of the API's, such as eceAfterTemperature, in words. */
export const words = (name: string): string =>
  name
    .replace(/([a-z])([A-Z0-9])/g, "$1 $2")
    .toLowerCase()
    .replace(/\b(ece|nll|mce|aurc)\b/g, word => word.toUpperCase());

export const shortId = (id: string): string => id.slice(-8);

export const jobName = (job: { id: string; spec: JobSpec }): string => job.spec.name ?? shortId(job.id);

export const evaluationName = (evaluation: { id: string; name: string | null }): string => evaluation.name ?? shortId(evaluation.id);

export const takesEpsilon = (loss: string): boolean => loss === "crossEntropy" || loss === "maxSuppression";

export const summary = (spec: JobSpec): string => `${spec.dataset} · ${spec.model} · ${[
  spec.loss !== "crossEntropy" && spec.loss,
  takesEpsilon(spec.loss) && `ε\u00a0${plain(spec.epsilon)}`,
]
  .filter(Boolean)
  .join(" · ")}`;

/** The loss of an arm of a study of this job. */
export const lossOf = (arm: Arm, job: JobSpec): string => (arm.settings["loss"] as string | undefined) ?? job.loss;

/** The name of an arm among others of a study of this job. Losses without an ε show none. */
export function labelOf(arm: Arm, arms: Arm[], job: JobSpec): string {
  const loss = lossOf(arm, job);
  const beside = besideEpsilon(arm, arms);
  return [takesEpsilon(loss) ? `ε\u00a0${plain(arm.epsilon)}` : !beside && `loss ${loss}`, beside].filter(Boolean).join(", ");
}

/** The values of an arm besides ε that differ between the arms. */
export function besideEpsilon(arm: Arm, arms: Arm[]): string {
  const fields = Object.keys(arm.settings).filter(field => arms.some(other => other.settings[field] !== arm.settings[field]));
  const axes = { smoothing: "", model: "", learningRate: "learning rate ", labelNoise: "label noise " } as const;
  return (Object.keys(axes) as (keyof typeof axes)[])
    .filter(axis => arms.some(other => other[axis] !== arm[axis]))
    .map(axis => `${axes[axis]}${plain(arm[axis])}`)
    .concat(fields.map(field => `${words(field)} ${plain(arm.settings[field])}`))
    .join(", ");
}

const minus = (text: string): string => text.replaceAll("-", "−");
