import { Store } from "../store";
import type { Session } from "./types";

/** An error answer of the API (RFC 9457), or a request that got no answer (status 0). */
export class Problem extends Error {
  constructor(
    readonly status: number,
    title: string,
    readonly detail: string,
    readonly errors: Record<string, string[]> = {},
  ) {
    super(title);
  }
}

/** Who is signed in. An API without keys needs nobody to be. */
export const session = new Store<Session>({ required: false, signedIn: false, name: null, canOperate: true });

/** Whether the API answered the last request. */
export const reachable = new Store(true);

/** Whether trying again may help. */
export const mayPass = (problem: Problem | undefined): boolean =>
  problem !== undefined && [0, 429, 502, 503, 504].includes(problem.status);

export const get = <T>(path: string): Promise<T> => request<T>("GET", path);

export const post = <T>(path: string, body?: unknown): Promise<T> => request<T>("POST", path, body);

export const remove = (path: string): Promise<void> => request("DELETE", path);

/** A POST that stores what it sends at most once, however often it is sent with the same key. */
export const submit = <T>(path: string, body: unknown, key: string): Promise<T> =>
  request<T>("POST", path, body, { "idempotency-key": key });

/** `crypto.randomUUID` would need HTTPS. */
export const newKey = (): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(16)), byte => byte.toString(16).padStart(2, "0")).join("");

export async function loadSession(): Promise<void> {
  try {
    session.set(await get<Session>("/session"));
  } catch (problem) {
    if (!(problem instanceof Problem && problem.status === 404)) throw problem;
  }
}

export async function signIn(key: string): Promise<void> {
  session.set(await post<Session>("/session", { key }));
}

export async function signOut(): Promise<void> {
  await request("DELETE", "/session");
  location.reload(); // nothing of the page stays
}

async function request<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  const { answer, text, value } = await send(method, path, body, headers);
  if (answer.ok) return value as T;
  if (answer.status === 401 && path !== "/session") session.set({ ...session.value, required: true, signedIn: false });
  throw problemOf(answer, text);
}

/** A form is sent as it is, anything else as JSON. */
const encoded = (body: unknown, headers: Record<string, string>): RequestInit =>
  body === undefined ? {}
  : body instanceof FormData ? { body, headers }
  : { body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } };

/** A body that breaks off, or that is no JSON, is no answer of the API's. */
async function send(method: string, path: string, body: unknown, headers: Record<string, string>) {
  try {
    const answer = await fetch(path, { method, ...encoded(body, headers) });
    const text = await answer.text();
    const value: unknown = answer.ok && text ? JSON.parse(text) : undefined;
    reachable.set(true);
    return { answer, text, value };
  } catch {
    reachable.set(false);
    throw new Problem(0, "The API does not answer.", "It may be restarting, or the network may be down.");
  }
}

function problemOf(answer: Response, text: string): Problem {
  try {
    const { title, detail, errors } = JSON.parse(text);
    return new Problem(answer.status, title ?? answer.statusText, detail ?? "", errors);
  } catch {
    return new Problem(answer.status, `The API answered ${answer.status}.`, "");
  }
}
