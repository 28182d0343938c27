const kinds = { job: "Job", study: "Study", dataset: "Data set", evaluation: "Evaluation" };

/** The title of a form, and the ways to the other forms. */
export function SubmitHead({ title, shown }: { title: string; shown: keyof typeof kinds }) {
  return (
    <div class="heading">
      <h1>{title}</h1>
      <nav class="tabs" aria-label="What to submit">
        {Object.entries(kinds).map(([kind, name]) => (
          <a key={kind} href={`#/submit${kind === "job" ? "" : `/${kind}`}`} aria-current={kind === shown ? "page" : undefined}>
            {name}
          </a>
        ))}
      </nav>
    </div>
  );
}
