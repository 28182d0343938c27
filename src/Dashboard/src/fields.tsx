import type { RefObject } from "preact";
import { Problem } from "./api/client";
import { errorsOf, type Field } from "./api/rules";
import { ProblemBox } from "./parts";

interface ControlProps {
  field: Field;
  value: string;
  errors: string[];
  onInput: (value: string) => void;
}

/** A field with its rule, or with what the API says is wrong. */
export function Control({ field, value, errors, onInput }: ControlProps) {
  const id = `field-${field.path}`;
  const isChoice = field.kind === "choice" || field.kind === "flag";
  const shared = {
    id,
    "aria-describedby": `${id}-help`,
    "aria-invalid": errors.length > 0,
    onInput: (event: Event) => onInput((event.currentTarget as HTMLInputElement).value),
  };
  return (
    <div class="field">
      <div class="label">
        <label for={id}>{field.path}</label>
        {field.about && (
          <details>
            <summary>about</summary>
            <p>{field.about.replaceAll("`", "")}</p>
          </details>
        )}
      </div>
      {isChoice ? (
        <select {...shared} value={value}>
          {field.default === "" && <option value="">choose</option>}
          {(field.kind === "flag" ? ["false", "true"] : field.choices).map(choice => (
            <option key={choice}>{choice}</option>
          ))}
        </select>
      ) : (
        <input
          {...shared}
          value={value}
          placeholder={field.default}
          inputMode={field.kind === "number" ? "decimal" : "text"}
          autocomplete="off"
          list={field.choices.length > 0 ? `${id}-choices` : undefined}
        />
      )}
      {!isChoice && field.choices.length > 0 && <Proposals id={`${id}-choices`} values={field.choices} />}
      <div id={`${id}-help`} class="help">
        {errors.map(error => (
          <p key={error} class="error">
            {error}
          </p>
        ))}
        {errors.length === 0 && !isChoice && <p>{field.allowed}</p>}
      </div>
    </div>
  );
}

/** What a field proposes; any other text may be typed. */
export const Proposals = ({ id, values }: { id: string; values: string[] }) => (
  <datalist id={id}>
    {values.map(value => (
      <option key={value} value={value} />
    ))}
  </datalist>
);

interface FileControlProps {
  label: string;
  /** What the files must be. */
  allowed: string;
  accept: string;
  isMultiple?: boolean;
  errors: string[];
  /** Holds the files that are chosen. */
  input: RefObject<HTMLInputElement | null>;
  onChange: () => void;
}

/** A choice of files with its rule, or with what the API says is wrong. */
export function FileControl({ label, allowed, accept, isMultiple = false, errors, input, onChange }: FileControlProps) {
  return (
    <div class="field">
      <div class="label">
        <label for="field-file">{label}</label>
      </div>
      <input
        type="file"
        id="field-file"
        ref={input}
        accept={accept}
        multiple={isMultiple}
        aria-describedby="field-file-help"
        aria-invalid={errors.length > 0}
        onChange={onChange}
      />
      <div id="field-file-help" class="help">
        {errors.map(error => (
          <p key={error} class="error">
            {error}
          </p>
        ))}
        {errors.length === 0 && <p>{allowed}</p>}
      </div>
    </div>
  );
}

/** What is wrong with no field that the form has. */
export function General({ problem, fields }: { problem: Problem | undefined; fields: Field[] }) {
  if (!problem) return null;
  const errors = Object.entries(problem.errors);
  const isOfField = ([key, messages]: [string, string[]]) =>
    fields.some(field => errorsOf({ [key]: messages }, field.path).length > 0);
  const others = errors.filter(error => !isOfField(error)).map(([key, messages]) => `${key} ${messages.join("; ")}`);
  if (errors.length > 0 && others.length === 0) return null;
  return <ProblemBox problem={new Problem(problem.status, problem.message, others.join(". ") || problem.detail)} />;
}
