import { readFileSync } from 'node:fs';
import type { JsonObject } from './ecs-document.ts';

/** What the published schema says of an attribute, with its includes, profiles and the object that it extends worked in. */
interface Attribute {
  readonly type: string;
  readonly array?: true;
  readonly requirement: 'required' | 'recommended' | 'optional';
  /** Only for events that name this profile. */
  readonly profile?: string;
  readonly deprecated?: true;
  readonly values?: readonly number[];
}

interface Definition {
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly atLeastOne?: readonly string[];
}

interface OcsfSchema {
  readonly version: string;
  readonly classes: Readonly<Record<string, Definition & { readonly categoryUid: number; readonly classUid: number }>>;
  readonly objects: Readonly<Record<string, Definition>>;
  readonly types: Readonly<Record<string, { readonly regex: string }>>;
}

/** Kept as data: see `published` in the file. */
const schema: OcsfSchema = JSON.parse(readFileSync(new URL('./ocsf-classes.json', import.meta.url), 'utf8'));

/** What is wrong with an event by the definition of its class, sorted; nothing when it is one of the schema. */
export function ocsfMistakes(event: JsonObject): string[] {
  const found = Object.values(schema.classes).find(({ classUid }) => classUid === event.class_uid);
  if (found === undefined) return ['class_uid is of no class'];
  const { metadata } = event as { metadata?: { version?: string; profiles?: string[] } };
  const mistakes = [...mistakesIn(event, found, '', metadata?.profiles ?? [])];
  if (metadata?.version !== schema.version) mistakes.push('metadata.version is another');
  if (event.category_uid !== found.categoryUid) mistakes.push('category_uid is not of the class');
  if (event.type_uid !== found.classUid * 100 + Number(event.activity_id))
    mistakes.push('type_uid is not of the class');
  return mistakes.sort();
}

function* mistakesIn(
  object: JsonObject,
  { attributes, atLeastOne }: Definition,
  path: string,
  profiles: readonly string[],
): Generator<string> {
  for (const [name, { requirement, profile }] of Object.entries(attributes)) {
    const applies = profile === undefined || profiles.includes(profile);
    if (requirement === 'required' && applies && object[name] === undefined) yield `${path}${name} is missing`;
  }
  if (atLeastOne && !atLeastOne.some((name) => object[name] !== undefined)) {
    yield `${path} has none of ${atLeastOne.join()}`;
  }
  for (const [name, value] of Object.entries(object)) {
    const attribute = Object.hasOwn(attributes, name) ? attributes[name] : undefined;
    const at = path + name;
    if (attribute === undefined) yield `${at} is no attribute`;
    else if (attribute.profile && !profiles.includes(attribute.profile))
      yield `${at} is of a profile that is not named`;
    else if (attribute.deprecated) yield `${at} is deprecated`;
    else if (Array.isArray(value) !== (attribute.array ?? false)) yield `${at} is ${attribute.array ? 'no' : 'a'} list`;
    else for (const item of [value].flat()) yield* valueMistakes(item, attribute, at, profiles);
  }
}

function* valueMistakes(
  value: unknown,
  attribute: Attribute,
  path: string,
  profiles: readonly string[],
): Generator<string> {
  const { type, values } = attribute;
  if (type === 'object') return; // `unmapped`: anything.
  const definition = schema.objects[type];
  if (definition) {
    if (typeof value === 'object' && value !== null) {
      yield* mistakesIn(value as JsonObject, definition, `${path}.`, profiles);
    } else yield `${path} is no object`;
  } else if (!isOfType(value, type)) yield `${path} is no ${type}`;
  if (values && !values.includes(Number(value))) yield `${path} is ${value}`;
}

function isOfType(value: unknown, type: string): boolean {
  const regex = schema.types[type]?.regex;
  switch (type) {
    case 'integer_t':
    case 'long_t':
    case 'timestamp_t':
      return Number.isSafeInteger(value);
    case 'boolean_t':
      return typeof value === 'boolean';
    case 'string_t':
    case 'email_t':
    case 'file_name_t':
    case 'file_hash_t':
      return typeof value === 'string' && (regex === undefined || new RegExp(regex).test(value));
    default:
      return false;
  }
}
