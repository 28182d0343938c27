import type { Epoch } from "./types";

/** Adds epochs to a list in order; one that is there already is replaced. */
export function merge(epochs: Epoch[], added: Epoch[]): Epoch[] {
  const last = epochs.at(-1)?.epoch ?? 0;
  if (added.every((one, i) => one.epoch > (i === 0 ? last : added[i - 1]!.epoch))) return [...epochs, ...added];
  const byEpoch = new Map([...epochs, ...added].map(one => [one.epoch, one]));
  return [...byEpoch.values()].sort((a, b) => a.epoch - b.epoch);
}
