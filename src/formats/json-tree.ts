import { canonicalJson } from '../canonical.ts';
import type { Rendered } from './format.ts';
import { lineSafe, quoted } from './json-object.ts';
import { fits, LOST_NAMES_BYTES, type Part, type PartGroup, shortener } from './shorten.ts';

/**
 * Nested JSON documents that can be shortened, for schemas that give every value a place deep down: `email.to.address[0]`.
 *
 * A document is a tree. Plain values in it are always written, a `Field` may be cut or left out, and a group with nothing left
 * in it is not written.
 */
export type Node =
  | string
  | number
  | boolean
  | undefined
  | Field
  | Group
  | Mark
  | readonly Node[]
  | { readonly [key: string]: Node };

/** Something of the record. */
export interface FieldInit {
  /** What the mark calls it. */
  readonly name: string;
  /** A text can be cut; anything else is written whole or left out. */
  readonly value: unknown;
  /** 0 is kept longest. */
  readonly rank: number;
  /** Written when the field itself is left out, in groups that are worth nothing without it. */
  readonly instead?: string;
}

export class Field {
  readonly name: string;
  readonly rank: number;
  readonly instead: string | undefined;
  /** A text that can be cut, or JSON that cannot. */
  readonly text: string;
  readonly divisible: boolean;

  constructor({ name, value, rank, instead }: FieldInit) {
    this.name = name;
    this.rank = rank;
    this.instead = instead;
    this.divisible = typeof value === 'string';
    this.text = typeof value === 'string' ? value : lineSafe(canonicalJson(value));
  }

  get written(): string {
    return this.divisible ? quoted(this.text) : this.text;
  }
}

/** The rank of a field by its name: its place in a list; names that are not in it come after all others. */
export function ranked(names: readonly string[]): (name: string) => number {
  const places = new Map(names.map((name, place) => [name, place]));
  return (name) => places.get(name) ?? names.length;
}

/** Members that are left out together, plain values included, when none of the fields among them is written. */
export class Group {
  readonly members: { readonly [key: string]: Node };

  constructor(members: { readonly [key: string]: Node }) {
    this.members = members;
  }
}

/** What stands in a place that is empty unless something was lost, made of the names of the fields that were cut or left out. */
export type Mark = (lost: readonly string[]) => string | number | boolean;

/** Writes a tree on one line, in at most `maxBytes` bytes if its plain values leave room for that. */
export function writeTree(tree: Node, maxBytes: number): Rendered {
  const whole = write(tree, { textOf: (field) => field.written }) ?? '';
  if (fits(whole, maxBytes)) return { text: whole, shortened: false };
  return { text: cutTree(tree, maxBytes), shortened: true };
}

/** What a message takes that has lost everything is what its fields cannot have. */
function cutTree(tree: Node, maxBytes: number): string {
  const parts = partsOf(tree, maxBytes);
  const fields = [...parts.keys()];
  const shortenTo = shortener([...parts.values()], quoted);
  const fill = (room: number): string => {
    const { written, lost } = shortenTo(room);
    const texts = new Map(fields.map((field, index) => [field, written[index]]));
    return write(tree, { textOf: (field) => texts.get(field), lost }) ?? '';
  };
  const room = maxBytes - Buffer.byteLength(write(tree, EMPTY) ?? '');
  const text = fill(room);
  // A shorter mark, and first members without a comma, leave some bytes to the texts that were cut.
  const fuller = fill(room + maxBytes - Buffer.byteLength(text));
  return Buffer.byteLength(fuller) <= maxBytes ? fuller : text;
}

/** How a tree is to be written this time. */
interface Choice {
  textOf(field: Field): string | undefined;
  /** Names of what is lost; absent when nothing is. */
  readonly lost?: readonly string[];
}

/** Undefined for what is not there, or empty. */
function write(node: Node, choice: Choice): string | undefined {
  if (node === undefined) return undefined;
  if (node instanceof Field)
    return choice.textOf(node) ?? (node.instead === undefined ? undefined : quoted(node.instead));
  if (node instanceof Group) return holdsWritten(node.members, choice) ? write(node.members, choice) : undefined;
  if (typeof node === 'function') return choice.lost && JSON.stringify(node(choice.lost));
  if (typeof node !== 'object') return quotedOrPlain(node);
  if (isList(node)) {
    const items = node.map((item) => write(item, choice)).filter((text) => text !== undefined);
    return items.length === 0 ? undefined : `[${items.join()}]`;
  }
  let members = '';
  for (const [key, value] of Object.entries(node)) {
    const text = write(value, choice);
    if (text !== undefined) members += `${members === '' ? '' : ','}${quoted(key)}:${text}`;
  }
  return members === '' ? undefined : `{${members}}`;
}

function quotedOrPlain(value: string | number | boolean): string {
  return typeof value === 'string' ? quoted(value) : String(value);
}

function holdsWritten(node: Node, choice: Choice): boolean {
  for (const { field } of fieldsIn(node)) if (choice.textOf(field) !== undefined) return true;
  return false;
}

/** A text longer than the whole message loses its end at once: it need not be measured to its last megabyte. */
function partsOf(tree: Node, maxBytes: number): ReadonlyMap<Field, Part> {
  const parts = new Map<Field, Part>();
  for (const { field, prefix, groups } of fieldsIn(tree)) {
    const { name, rank, divisible } = field;
    const text = divisible ? field.text.slice(0, maxBytes + 1) : field.text;
    parts.set(field, { name, rank, divisible, text, prefix, groups });
  }
  return parts;
}

interface Placed {
  readonly field: Field;
  /** Of the member or list item that it is. */
  readonly prefix: string;
  /** What has to be written for its sake, from the outside in. */
  readonly groups: readonly PartGroup[];
}

function* fieldsIn(node: Node, prefix = '', groups: readonly PartGroup[] = []): Generator<Placed> {
  if (node instanceof Field) {
    const replaced = node.instead === undefined ? 0 : Buffer.byteLength(prefix + quoted(node.instead));
    yield { field: node, prefix, groups: [...groups, { bytes: -replaced }] };
  } else if (node instanceof Group) {
    const bytes = Buffer.byteLength(prefix + (write(node.members, EMPTY) ?? ''));
    yield* fieldsIn(node.members, prefix, [...groups, { bytes }]);
  } else if (typeof node === 'object') {
    const bytes = write(node, EMPTY) === undefined ? Buffer.byteLength(`${prefix}{}`) : 0;
    const inside = [...groups, { bytes }];
    if (isList(node)) for (const item of node) yield* fieldsIn(item, ',', inside);
    else for (const [key, value] of Object.entries(node)) yield* fieldsIn(value, `,${quoted(key)}:`, inside);
  }
}

/** A message that has lost everything, with the longest mark that `lostNames` makes: it has room for one long name and a `*`. */
const EMPTY: Choice = { textOf: () => undefined, lost: ['x'.repeat(LOST_NAMES_BYTES - 7), '*'] };

function isList(node: object): node is readonly Node[] {
  return Array.isArray(node);
}
