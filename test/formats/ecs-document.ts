import { readFileSync } from 'node:fs';

/** What the published list says of a field. Kept as data: see `published` in the file. */
export interface EcsField {
  readonly type: string;
  readonly array?: true;
  readonly ignoreAbove?: number;
  readonly multiFields?: Readonly<Record<string, string>>;
  readonly allowed?: readonly string[];
  readonly expectedTypes?: Readonly<Record<string, readonly string[]>>;
}

export type JsonObject = { readonly [key: string]: unknown };

/** Every field of the sets that a document may use, by its path. */
export const ecsFields: Readonly<Record<string, EcsField>> = JSON.parse(
  readFileSync(new URL('./ecs-fields.json', import.meta.url), 'utf8'),
).fields;

/** Custom fields stand under a proper name that is not of the schema, or under `labels`; ECS says nothing of what is in them. */
const OWN = ['mimecast', 'labels'];

/** What is wrong with a document by the list of fields, sorted; nothing when it is one of the schema. */
export function ecsMistakes(document: JsonObject): string[] {
  const mistakes = [...mistakesIn(document, '')];
  const event = document.event as { category?: string[]; type?: string[] } | undefined;
  for (const category of event?.category ?? []) {
    const expected = ecsFields['event.category']?.expectedTypes?.[category] ?? [];
    // A document with several categories may have the types of any of them, but ours has one type that fits all.
    for (const type of event?.type ?? []) {
      if (!expected.includes(type)) mistakes.push(`event.type ${type} is not for event.category ${category}`);
    }
  }
  return mistakes.sort();
}

function* mistakesIn(node: unknown, path: string, inList = false): Generator<string> {
  if (OWN.includes(path)) return;
  const field = ecsFields[path];
  if (Array.isArray(node)) {
    if (!field?.array || inList) yield `${path} is a list`;
    for (const item of node) yield* mistakesIn(item, path, true);
    return;
  }
  if (field?.array && !inList) yield `${path} is no list`;
  if (typeof node === 'object' && node !== null) {
    for (const [key, value] of Object.entries(node)) {
      if (key.includes('.')) yield `${key} is written with a dot`;
      else yield* mistakesIn(value, path === '' ? key : `${path}.${key}`);
    }
  } else if (field === undefined) yield `${path} is no field`;
  else {
    if (!isOfType(node, field.type)) yield `${path} is no ${field.type}`;
    if (field.allowed && !field.allowed.includes(String(node))) yield `${path} is ${JSON.stringify(node)}`;
  }
}

function isOfType(value: unknown, type: string): boolean {
  switch (type) {
    case 'date':
      return typeof value === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(value);
    case 'long':
      return Number.isSafeInteger(value);
    case 'keyword':
    case 'wildcard':
    case 'match_only_text':
      return typeof value === 'string' && value !== '';
    default:
      return false;
  }
}
