import type { Figure } from "../api/types";

/** A figure of a curve: null where it is not finite, undefined where there is none. Both are gaps. */
export type Sample = Figure | undefined;

/**
 * The indices to draw of curves over the same x. Of each bucket it keeps the first and the last index, and for each curve those
 * of the smallest and the largest figure and of the first gap. The same figures always give the same indices.
 * @param curves figures by index.
 * @param from first index to draw.
 * @param to index after the last one to draw.
 * @param buckets at least 1; indices are shared out evenly.
 * @returns ascending indices. All of them when there are no more than two a bucket.
 */
export function downsample(curves: readonly (readonly Sample[])[], from: number, to: number, buckets: number): number[] {
  const count = to - from;
  if (count <= 2 * buckets) return Array.from({ length: Math.max(0, count) }, (_, i) => from + i);
  const kept: number[] = [];
  for (let bucket = 0; bucket < buckets; bucket++) {
    const first = from + Math.floor((bucket * count) / buckets);
    const after = from + Math.floor(((bucket + 1) * count) / buckets);
    const ofBucket = new Set([first, after - 1]);
    for (const curve of curves) for (const index of extremes(curve, first, after)) ofBucket.add(index);
    kept.push(...[...ofBucket].sort((a, b) => a - b));
  }
  return kept;
}

function extremes(curve: readonly Sample[], first: number, after: number): number[] {
  let lowest = -1;
  let highest = -1;
  let gap = -1;
  for (let i = first; i < after; i++) {
    const figure = curve[i] ?? null;
    if (figure === null) {
      if (gap < 0) gap = i;
      continue;
    }
    if (lowest < 0 || figure < curve[lowest]!) lowest = i;
    if (highest < 0 || figure > curve[highest]!) highest = i;
  }
  return [lowest, highest, gap].filter(index => index >= 0);
}
