import { z } from 'zod';
import { Secret } from '../secret.ts';
import type { Finding } from './document.ts';
import { closest } from './mistakes.ts';
import { isMap, isSecret, type Path, type Schema, schemaAt, twinOf, valueAt } from './traverse.ts';

/** Turns what zod found into the operator's words: what stands there, what is expected. */

type Issue = z.core.$ZodIssue;

/** What the words need to know of the tree that was checked. */
export interface Checked {
  readonly schema: Schema;
  readonly tree: unknown;
  /** True for a value that came from the environment, which is never shown. */
  isFromEnvironment(path: Path): boolean;
}

/**
 * To be given to `safeParse`: says what a field expects when the field has not said it itself.
 * Zod asks here only where the schema carries no message of its own.
 */
export const expectation: z.core.$ZodErrorMap = (issue) => {
  switch (issue.code) {
    case 'invalid_type':
      return `expected ${range(issue.schema) ?? TYPE_NAMES[issue.expected] ?? issue.expected}`;
    case 'invalid_value':
      return `expected ${oneOf(issue.values)}`;
    case 'too_small':
    case 'too_big':
      return `expected ${range(issue.schema) ?? bound(issue)}`;
    case 'invalid_format':
      if (issue.format === 'url') return 'expected a URL such as https://siem.example/path';
      return `expected a text that ${issue.pattern ? `matches ${issue.pattern}` : `is a ${issue.format}`}`;
    case 'not_multiple_of':
      return `expected a multiple of ${issue.divisor}`;
    case 'custom':
      return 'expected another value';
    default:
      return undefined;
  }
};

/** One finding for each thing that is wrong: unions are followed into the branch that was meant. */
export function findingsOf(issues: readonly Issue[], checked: Checked): Finding[] {
  return issues.flatMap((issue) => flatten(issue)).flatMap((issue) => findingOf(issue, checked));
}

/** What stands at a place, said so that a secret and a value from the environment stay untold. */
function received(path: Path, checked: Checked): string {
  const value = valueAt(checked.tree, path);
  if (value === '') return 'is an empty text';
  if (value === undefined) return 'is missing';
  if (value === null) return 'is empty';
  if (Array.isArray(value)) return value.length === 0 ? 'is an empty list' : 'is a list';
  if (isMap(value)) return 'is a map';
  if (isSecret(schemaAt(checked.schema, checked.tree, path))) {
    return typeof value === 'string' || value instanceof Secret ? 'is not accepted' : `is a ${typeof value}`;
  }
  if (checked.isFromEnvironment(path)) return 'is not accepted with its value from the environment';
  if (typeof value !== 'string') return `is ${String(value)}`;
  return value.length > 80 ? `is a text of ${value.length} characters` : `is ${JSON.stringify(maskUrl(value))}`;
}

/**
 * A URL without what may be a secret in it: user and password, values of the query, and long parts of the path, where some
 * receivers (Slack, Sumo Logic) keep a token. Any other text stays as it is.
 */
export function maskUrl(text: string): string {
  const match = /^(\w+:\/\/)([^?#]*)(.*)$/s.exec(text);
  if (!match) return text;
  const [, scheme = '', place = '', rest = ''] = match;
  const [host = '', ...path] = place.replace(/^.*@/s, '***@').split('/');
  const shown = path.map((part) => (part.length >= LONG_PATH_PART ? '***' : part));
  return `${scheme}${[host, ...shown].join('/')}${rest.replace(/=[^&#]*/g, '=***')}`;
}

/** Names in paths are shorter, tokens longer: Slack's have 24 characters. */
const LONG_PATH_PART = 20;

function findingOf(issue: Issue, checked: Checked): Finding[] {
  const path = issue.path as Path;
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => unknownKey([...path, key], [], undefined));
  }
  if (issue.code === 'invalid_key') {
    return issue.issues.map(({ message }) => ({ path, at: 'key', message: `is not a possible key, ${message}` }));
  }
  const value = valueAt(checked.tree, path);
  const expected = expectedAt(issue, checked);
  // A rule over a whole map speaks for itself; "is a map" would say nothing.
  const bare = !expected.startsWith('expected') || (issue.code === 'custom' && isMap(value));
  // A rule between two fields can fail although only the other one was written.
  const state = value === undefined && issue.code === 'custom' ? 'is left at its default' : received(path, checked);
  const advice = value === undefined || value === null ? '' : adviceFor(issue, value);
  return [{ path, message: bare ? expected : `${state}, ${expected}${advice}` }];
}

/** A key that the schema does not have. `meant` is the one that it is probably a slip for. */
export function unknownKey(path: Path, known: readonly string[], meant: string | undefined): Finding {
  const expected =
    meant === undefined
      ? `expected ${known.length === 1 ? 'only' : 'one of'} ${known.join(', ')}`
      : `did you mean ${meant}?`;
  return { path, at: 'key', message: `is not a known key, ${known.length === 0 ? 'expected none' : expected}` };
}

function expectedAt(issue: Issue, checked: Checked): string {
  const path = issue.path as Path;
  const key = String(path.at(-1));
  if (isSecret(schemaAt(checked.schema, checked.tree, path)) && issue.code === 'invalid_union') {
    const value = valueAt(checked.tree, path);
    if (value === undefined) return `expected it, or ${twinOf(key)} with the path of a file`;
    return value === '' ? 'expected a text that is not empty' : 'expected a text; put quotes round a number';
  }
  if (issue.code !== 'invalid_union') return issue.message;
  const types = knownTypes(issue);
  if (types) return `expected ${oneOf(types)}`;
  if (issue.message !== 'Invalid input') return issue.message;
  const branches = issue.errors.map((branch) => branch[0]?.message.replace(/^expected /, '') ?? '');
  return `expected ${[...new Set(branches)].join(' or ')}`;
}

function adviceFor(issue: Issue, value: unknown): string {
  if (issue.code === 'invalid_type') {
    if (issue.message === 'expected a text') return '; put quotes round it';
    const isNumber = issue.expected === 'number' || issue.expected === 'int';
    return isNumber && typeof value === 'string' && /^\d+$/.test(value) ? '; take the quotes off' : '';
  }
  const choices = issue.code === 'invalid_value' ? issue.values : knownTypes(issue);
  // YAML takes a version such as 2.0 for a number.
  if (typeof value === 'number' && choices?.some((choice) => typeof choice === 'string' && Number(choice) === value)) {
    return '; put quotes round it';
  }
  // Where there is one choice, it was named as what is expected.
  if (choices?.length === 1) return '';
  const meant = typeof value === 'string' && closest(value, (choices ?? []).map(String));
  return meant ? `; did you mean ${meant}?` : '';
}

/** A failed union of shapes becomes the mistakes of the branch that has the right kind, when exactly one has it. */
function flatten(issue: Issue): Issue[] {
  if (issue.code !== 'invalid_union') return [issue];
  const meant = issue.errors.filter((branch) => !branch.some((inner) => inner.path.length === 0));
  const [branch] = meant;
  if (meant.length !== 1 || branch === undefined) return [issue];
  return branch.flatMap((inner) => flatten({ ...inner, path: [...issue.path, ...inner.path] }));
}

/** What the key that tells a union's branches apart may say. */
function knownTypes(issue: Issue): readonly unknown[] | undefined {
  return issue.code === 'invalid_union' && 'options' in issue ? issue.options : undefined;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  string: 'a text',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  object: 'a map',
  record: 'a map',
  array: 'a list',
};

function oneOf(values: readonly unknown[]): string {
  return values.length === 1 ? String(values[0]) : `one of ${values.map(String).join(', ')}`;
}

/** `a whole number from 1 to 65535`, read off the schema, so that a mistake at one end also shows the other. */
function range(schema: Schema | undefined): string | undefined {
  if (!(schema instanceof z.ZodNumber)) return undefined;
  const { minValue, maxValue } = schema;
  const kind = schema.isInt ? 'a whole number' : 'a number';
  const least = minValue === null || minValue <= Number.MIN_SAFE_INTEGER ? undefined : minValue;
  const most = maxValue === null || maxValue >= Number.MAX_SAFE_INTEGER ? undefined : maxValue;
  if (least !== undefined && most !== undefined) return `${kind} from ${least} to ${most}`;
  if (least !== undefined) return `${kind}, ${least} or more`;
  return most === undefined ? kind : `${kind}, ${most} or less`;
}

function bound(issue: z.core.$ZodRawIssue<z.core.$ZodIssueTooSmall | z.core.$ZodIssueTooBig>): string {
  const limit = issue.code === 'too_small' ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
  if (issue.origin === 'string') {
    return issue.code === 'too_small' && issue.minimum === 1 ? 'a text that is not empty' : `${limit} characters`;
  }
  return issue.origin === 'array' || issue.origin === 'set' || issue.origin === 'map' ? `${limit} in the list` : limit;
}
