import { useEffect, useLayoutEffect, useRef, useState } from "preact/hooks";
import { loadSession, type Problem, reachable, session, signOut } from "./api/client";
import { Compare } from "./pages/compare";
import { DatasetPage } from "./pages/dataset";
import { Datasets } from "./pages/datasets";
import { EvaluationPage } from "./pages/evaluation";
import { Evaluations } from "./pages/evaluations";
import { JobPage } from "./pages/job";
import { Jobs } from "./pages/jobs";
import { SignIn } from "./pages/signIn";
import { Studies } from "./pages/studies";
import { StudyPage } from "./pages/study";
import { Submit } from "./pages/submit";
import { Upload } from "./pages/upload";
import { Workers } from "./pages/workers";
import { ProblemBox } from "./parts";
import { type Route, route } from "./router";
import { useStore } from "./store";

const pages = [
  { path: "jobs", name: "Jobs" },
  { path: "studies", name: "Studies" },
  { path: "datasets", name: "Data sets" },
  { path: "evaluations", name: "Evaluations" },
  { path: "workers", name: "Workers" },
  { path: "submit", name: "Submit" },
];

/** The frame of every page: navigation, notices, and the page that the address names. */
export function Shell() {
  const shown = useStore(route);
  const { required, signedIn, name, scopes } = useStore(session);
  const answers = useStore(reachable);
  const known = useSession(answers);
  const [problem, setProblem] = useState<Problem>();
  const isAllowed = known && (!required || signedIn);
  const begun = useRef(false);
  begun.current ||= isAllowed;
  const [section = "jobs"] = shown.path;
  const main = useFocus(shown);

  return (
    <>
      <header>
        <a class="brand" href="#/">
          Temper
        </a>
        <nav aria-label="Pages">
          {pages.map(page => (
            <a key={page.path} href={`#/${page.path}`} aria-current={page.path === section ? "page" : undefined}>
              {page.name}
            </a>
          ))}
        </nav>
        <nav aria-label="Other pages of this service" class="other">
          <a href="/swagger">API</a>
          {scopes.includes("admin") && <a href="/hangfire">Hangfire</a>}
          {required && signedIn && (
            <button type="button" onClick={() => signOut().catch(setProblem)}>
              Sign out{name ? ` ${name}` : ""}
            </button>
          )}
        </nav>
      </header>
      <div role="status">{!answers && <p class="outage">The API does not answer. This page tries again.</p>}</div>
      <ProblemBox problem={problem} />
      <main ref={main} tabIndex={-1}>
        {known && !isAllowed && <SignIn />}
        {/* A session that ends must not take what was typed with it. */}
        {begun.current && (
          <div hidden={!isAllowed}>
            <Page route={shown} />
          </div>
        )}
      </main>
    </>
  );
}

function Page({ route: { path, query } }: { route: Route }) {
  const [section = "jobs", id, part] = path;
  switch (section) {
    case "jobs":
      return id ? <JobPage key={id} id={id} part={part} /> : <Jobs query={query} />;
    case "compare":
      return <Compare key={`${query}`} ids={idsOf(query.get("jobs"))} evaluationIds={idsOf(query.get("evaluations"))} />;
    case "datasets":
      return id ? <DatasetPage key={id} name={id} /> : <Datasets query={query} />;
    case "evaluations":
      return id ? <EvaluationPage key={id} id={id} /> : <Evaluations query={query} />;
    case "studies":
      return id ? <StudyPage key={id} id={id} /> : <Studies query={query} />;
    case "workers":
      return <Workers />;
    case "submit":
      if (id === "dataset" || id === "evaluation") return <Upload key={id} kind={id} />;
      return <Submit key={`${id}?${query}`} kind={id === "study" ? "study" : "job"} query={query} />;
    default:
      return (
        <>
          <h1>No such page</h1>
          <p>
            The dashboard has no page at this address. <a href="#/">All jobs</a>
          </p>
        </>
      );
  }
}

const idsOf = (list: string | null): string[] => [...new Set((list ?? "").split(",").filter(Boolean))];

/** Whether it is known if a sign-in is needed; asks every 2 s while the API does not answer. */
function useSession(answers: boolean): boolean {
  const [known, setKnown] = useState(false);
  useEffect(() => {
    if (known && answers) return;
    const ask = () =>
      loadSession().then(
        () => setKnown(true),
        () => undefined,
      );
    if (!known) ask();
    const asking = window.setInterval(ask, 2_000);
    return () => clearInterval(asking);
  }, [known, answers]);
  return known;
}

/** Moves the focus to the new page, so that a screen reader reads it: before the effects of the page, which may move it on. */
function useFocus({ path }: Route) {
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useLayoutEffect(() => {
    if (!first.current) {
      main.current?.focus();
      scrollTo(0, 0);
    }
    first.current = false;
  }, [path.join("/")]);
  return main;
}
