import { Store } from "../store";
import type { Session } from "./types";

/** An error answer of the API (RFC 9457), or a request that got no answer (status 0). `errors` has messages by field or file. */
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
export const session = new Store<Session>({
  required: false,
  signedIn: false,
  name: null,
  tenant: null,
  scopes: ["read", "submit", "operate", "admin"],
});

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

export interface Upload<T> {
  answer: Promise<{ status: number; value: T }>;
  /** Breaks it off: its answer is then a problem with status 0. */
  abort: () => void;
}

/**
 * A POST of files. Unlike `fetch`, XMLHttpRequest tells how much is sent.
 * @param key as for `submit`; none where the API takes none.
 * @param onProgress takes the share that is sent, 0 to 1.
 */
export function upload<T>(
  path: string,
  form: FormData,
  key: string | undefined,
  onProgress: (share: number) => void,
): Upload<T> {
  const sending = new XMLHttpRequest();
  sending.open("POST", path);
  if (key) sending.setRequestHeader("idempotency-key", key);
  sending.upload.onprogress = ({ loaded, total }) => onProgress(total > 0 ? loaded / total : 0);
  const end = new Promise<Received>((resolve, reject) => {
    sending.onload = () => resolve({ status: sending.status, text: sending.responseText });
    sending.onerror = sending.ontimeout = () => reject(sending);
    sending.onabort = () => reject(new Problem(0, "The upload was stopped.", ""));
  });
  sending.send(form);
  return {
    answer: received(end, form).then(({ status, text, value }) => {
      refuse(path, status, text);
      return { status, value: value as T };
    }),
    abort: () => sending.abort(),
  };
}

async function request<T>(method: string, path: string, body?: unknown, headers: Record<string, string> = {}): Promise<T> {
  const { status, text, value } = await received(
    fetch(path, { method, ...encoded(body, headers) }).then(async answer => ({ status: answer.status, text: await answer.text() })),
    body,
  );
  refuse(path, status, text);
  return value as T;
}

/** Throws what an error answer says. */
function refuse(path: string, status: number, text: string): void {
  if (isGood(status)) return;
  if (status === 401 && path !== "/session") session.set({ ...session.value, required: true, signedIn: false });
  throw problemOf(status, text);
}

const isGood = (status: number): boolean => status >= 200 && status < 300;

/** A form is sent as it is, anything else as JSON. */
const encoded = (body: unknown, headers: Record<string, string>): RequestInit =>
  body === undefined ? {}
  : body instanceof FormData ? { body, headers }
  : { body: JSON.stringify(body), headers: { "content-type": "application/json", ...headers } };

interface Received {
  status: number;
  text: string;
}

/**
 * A body that breaks off, or that is no JSON, is no answer of the API's.
 * @param sent the body of the request.
 */
async function received(answer: Promise<Received>, sent: unknown): Promise<Received & { value: unknown }> {
  try {
    const { status, text } = await answer;
    const value: unknown = isGood(status) && text ? JSON.parse(text) : undefined;
    reachable.set(true);
    return { status, text, value };
  } catch (error) {
    if (error instanceof Problem) throw error;
    const file = sent instanceof FormData && (await changedFile(sent));
    if (file) throw new Problem(0, "A file has changed.", "", { [file]: ["has changed since it was chosen. Choose it again."] });
    reachable.set(false);
    throw new Problem(0, "The API does not answer.", "It may be restarting, or the network may be down.");
  }
}

/** The name of a file that was changed or removed on the disk after it was chosen: browsers do not read it, and send nothing. */
async function changedFile(form: FormData): Promise<string | undefined> {
  for (const part of form.values()) {
    if (typeof part === "string") continue;
    const isReadable = await part.slice(0, 1).arrayBuffer().then(
      () => true,
      () => false,
    );
    if (!isReadable) return part.name;
  }
  return undefined;
}

function problemOf(status: number, text: string): Problem {
  try {
    const { title, detail, errors } = JSON.parse(text);
    return new Problem(status, title ?? `The API answered ${status}.`, detail ?? "", errors);
  } catch {
    return new Problem(status, `The API answered ${status}.`, "");
  }
}
