import { Store } from "./store";

// Pages are fragments of `/`, such as /#/jobs/ID: the paths themselves belong to the API's routes.

/** The parts of the page's path, and its query. */
export interface Route {
  path: string[];
  query: URLSearchParams;
}

export const route = new Store<Route>(parse(location.hash));

window.addEventListener("hashchange", () => route.set(parse(location.hash)));

export function go(path: string): void {
  location.hash = path;
}

export function replace(path: string): void {
  history.replaceState(null, "", `#${path}`);
  route.set(parse(location.hash));
}

/** A path with the given query; empty values are left out. */
export function href(path: string, query: Record<string, string | null | undefined> = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => Boolean(entry[1]));
  return `#${path}${given.length ? `?${new URLSearchParams(given)}` : ""}`;
}

export function parse(hash: string): Route {
  const [path = "", query] = hash.replace(/^#/, "").split("?", 2);
  return { path: path.split("/").filter(Boolean), query: new URLSearchParams(query) };
}
