// The fields of a form, from the rules in the API's OpenAPI document.

export interface Schema {
  $ref?: string;
  type?: string | string[];
  description?: string;
  readOnly?: boolean;
  default?: unknown;
  enum?: string[];
  required?: string[];
  properties?: Record<string, Schema>;
  items?: Schema;
  oneOf?: Schema[];
  examples?: Record<string, unknown>[];
}

export interface OpenApiDocument {
  components: { schemas: Record<string, Schema> };
}

export interface Field {
  /** Its path in the JSON document, such as job.epochs, as the API's errors name it. */
  path: string;
  about: string;
  /** Completes "must be …"; empty when the document says nothing. */
  allowed: string;
  kind: "choice" | "flag" | "number" | "numbers" | "countOrNumbers" | "text" | "texts";
  /** All values of a choice; of a text, the ones that are proposed. */
  choices: string[];
  /** As the form shows it. */
  default: string;
  required: boolean;
}

/** What the form shows, by path. */
export type Values = Record<string, string>;

/** The fields of a schema and of the objects in it, in the document's order. */
export function fieldsOf(document: OpenApiDocument, name: string, prefix = ""): Field[] {
  const schema = document.components.schemas[name]!;
  return Object.entries(schema.properties ?? {}).flatMap(([property, shape]) => {
    if (shape.readOnly) return [];
    const path = prefix + property;
    const target = referred(document, shape);
    if (target?.schema.properties) return fieldsOf(document, target.name, `${path}.`);
    const [about = "", allowed = ""] = (shape.description ?? "").replace(/\s+/g, " ").split(/ ?Must be /);
    const choices = target?.schema.enum ?? (isOf(shape, "string") ? listed(allowed) : []);
    return {
      path,
      about,
      allowed: allowed.replace(/^null,? or /, "").replace(/\.$/, ""),
      kind: choices.length > 0 ? "choice" : kindOf(shape),
      choices,
      default: shown(shape.default),
      required: schema.required?.includes(property) ?? false,
    };
  });
}

/** The values of a form for a document, such as the spec of an earlier job. Fields that have their default are left out of it. */
export function valuesOf(fields: Field[], document: unknown): Values {
  return Object.fromEntries(
    fields.map(field => [
      field.path,
      shown(at(document, field.path)) || (field.kind === "choice" || field.kind === "flag" ? field.default : ""),
    ]),
  );
}

/** The document that the form sends. Empty fields are left out; what is no number is sent as it is, and the API says what is wrong. */
export function documentOf(fields: Field[], values: Values): Record<string, unknown> {
  const document: Record<string, unknown> = {};
  for (const field of fields) {
    const text = (values[field.path] ?? "").trim();
    // A recipe fills what is left out, and it must not be overruled by a choice that nobody made.
    if (text === "" || ((field.kind === "choice" || field.kind === "flag") && text === field.default)) continue;
    const names = field.path.split(".");
    let owner = document;
    for (const name of names.slice(0, -1)) owner = (owner[name] ??= {}) as Record<string, unknown>;
    owner[names.at(-1)!] = valueOf(field.kind, text);
  }
  return document;
}

/** The errors of a field, of its items too. */
export const errorsOf = (errors: Record<string, string[]>, path: string): string[] =>
  Object.entries(errors)
    .filter(([key]) => key === path || key.startsWith(`${path}[`))
    .flatMap(([, messages]) => messages);

function valueOf(kind: Field["kind"], text: string): unknown {
  const parts = text.split(/[\s,;]+/).filter(Boolean);
  switch (kind) {
    case "flag":
      return text === "true";
    case "number":
      return number(text);
    case "numbers":
      return parts.map(number);
    case "countOrNumbers":
      return parts.length === 1 && !text.includes(",") ? number(text) : parts.map(number);
    case "texts":
      return [...text.matchAll(/\s*("(?:[^"\\]|\\.)*"|[^,]+)/g)].map(([, part]) => unquoted(part!.trim())).filter(Boolean);
    default:
      return text;
  }
}

const number = (text: string): number | string | null =>
  text === "null" ? null : Number.isFinite(Number(text)) ? Number(text) : text;

/** A text with a comma or a quote stands in a list as JSON has it. */
const quoted = (part: unknown): string =>
  typeof part === "string" && /[",]/.test(part) ? JSON.stringify(part) : String(part);

function unquoted(part: string): string {
  try {
    return part.startsWith('"') ? String(JSON.parse(part)) : part;
  } catch {
    return part;
  }
}

/** A list of one ends in a comma, because the number alone is a count where the field takes either. */
function shown(value: unknown): string {
  if (value === null || value === undefined) return "";
  if (!Array.isArray(value)) return String(value);
  return value.length === 1 && typeof value[0] === "number" ? `${value[0]},` : value.map(quoted).join(", ");
}

const at = (document: unknown, path: string): unknown =>
  path.split(".").reduce<unknown>((owner, name) => (owner as Record<string, unknown> | null | undefined)?.[name], document);

function referred(document: OpenApiDocument, shape: Schema): { name: string; schema: Schema } | undefined {
  const reference = shape.$ref ?? shape.oneOf?.find(one => one.$ref)?.$ref;
  const name = reference?.split("/").at(-1);
  return name ? { name, schema: document.components.schemas[name]! } : undefined;
}

const isOf = (shape: Schema, type: string): boolean => [shape.type].flat().includes(type);

const listed = (allowed: string): string[] => allowed.match(/^one of ([^;]*?)(;.*|\.)?$/)?.[1]?.split(", ") ?? [];

function kindOf(shape: Schema): Field["kind"] {
  if (shape.oneOf?.some(one => isOf(one, "array"))) return "countOrNumbers";
  if (isOf(shape, "boolean")) return "flag";
  if (isOf(shape, "array")) return shape.items?.$ref || isOf(shape.items ?? {}, "string") ? "texts" : "numbers";
  return isOf(shape, "number") || isOf(shape, "integer") ? "number" : "text";
}
