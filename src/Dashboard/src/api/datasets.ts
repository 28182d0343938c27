import { get } from "./client";
import { type Resource, useResource } from "./resource";
import type { Dataset, Page } from "./types";

/** The names that a spec's data set may have, from all pages of the list. */
export const useDatasetNames = (): Resource<string[]> => useResource("/datasets", namesOf);

async function namesOf(path: string): Promise<string[]> {
  const names: string[] = [];
  for (let next: string | null | undefined = ""; next !== null && next !== undefined; ) {
    const page: Page<Dataset> = await get(next ? `${path}?cursor=${encodeURIComponent(next)}` : path);
    names.push(...page.items.map(one => one.name));
    next = page.next;
  }
  return names;
}
