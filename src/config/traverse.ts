import { z } from 'zod';
import type { Profile } from '../outputs/output.ts';

/**
 * Walking a tree of values beside the schema that describes it. Zod checks a value but does not tell which part of the schema
 * each scalar was meant for; that is what secrets, unknown keys, environment values and printing need to know.
 */

export type Schema = z.core.$ZodType;
export type Path = readonly (string | number)[];
export type Tree = Readonly<Record<string, unknown>>;

/** What the builders of `options.ts` say about a field beside its shape. */
export interface FieldMeta {
  readonly description?: string;
  readonly secret?: boolean;
  /** The unit of the parsed number: `ms` was written as a duration, `bytes` as a size. */
  readonly unit?: 'ms' | 'bytes';
  /** What the names of this field stand for. */
  readonly profiles?: Readonly<Record<string, Profile>>;
}

/** One value and the part of the schema that describes it, wrappers taken off; undefined where no branch fits. */
export interface Place {
  readonly schema: Schema | undefined;
  readonly value: unknown;
  readonly path: Path;
}

export interface MapPlace extends Place {
  readonly schema: z.ZodObject | z.ZodRecord;
  readonly value: Tree;
}

export interface Visitor {
  /** Sees each map before its entries; the map that it returns is walked instead. */
  map?(place: MapPlace): Tree;
  /** Gives what stands in place of each scalar, secret, and value that the schema does not describe. */
  leaf(place: Place): unknown;
}

/** A copy of `value` with the visitor's changes. */
export function rebuild(schema: Schema | undefined, value: unknown, visitor: Visitor, path: Path = []): unknown {
  const fitting = schema && branchFor(schema, value);
  if (fitting && !isSecret(fitting)) {
    if (isMap(value) && (fitting instanceof z.ZodObject || fitting instanceof z.ZodRecord)) {
      const map = visitor.map?.({ schema: fitting, value, path }) ?? value;
      const entries = Object.entries(map).map(
        ([key, child]) => [key, rebuild(childSchema(fitting, key), child, visitor, [...path, key])] as const,
      );
      return Object.fromEntries(entries);
    }
    if (Array.isArray(value) && fitting instanceof z.ZodArray) {
      return value.map((child, index) => rebuild(fitting.def.element, child, visitor, [...path, index]));
    }
  }
  return visitor.leaf({ schema: fitting, value, path });
}

/** The schema at a path of the tree, wrappers and unions resolved by the values that are there; undefined where it ends. */
export function schemaAt(schema: Schema, tree: unknown, path: Path): Schema | undefined {
  let at: Schema | undefined = branchFor(schema, tree);
  let value: unknown = tree;
  for (const key of path) {
    value = childValue(value, key);
    const child = at && childSchema(at, key);
    at = child && branchFor(child, value);
  }
  return at;
}

export function valueAt(tree: unknown, path: Path): unknown {
  return path.reduce<unknown>(childValue, tree);
}

/** The key that holds the path of a secret's file. */
export function twinOf(key: string): string {
  return `${key}File`;
}

/** The keys of an object schema that hold secrets. */
export function secretKeys(schema: z.ZodObject): string[] {
  return Object.keys(schema.shape).filter((key) => isSecret(unwrap(schema.shape[key])));
}

/** Every key that may stand in a map, the files of its secrets included. */
export function knownKeys(schema: z.ZodObject): string[] {
  return [...Object.keys(schema.shape), ...secretKeys(schema).map(twinOf)];
}

/** True for a record whose values are secrets, such as HTTP headers. */
export function holdsSecrets(schema: z.ZodRecord): boolean {
  return isSecret(unwrap(schema.def.valueType));
}

export function isSecret(schema: Schema | undefined): boolean {
  return schema !== undefined && metaOf(schema).secret === true;
}

export function metaOf(schema: Schema): FieldMeta {
  return (z.globalRegistry.get(schema) ?? {}) as FieldMeta;
}

export function isMap(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}

/** Takes off optional, defaults and transforms. Stops at a secret and at a unit, which are one field to the operator. */
export function unwrap(schema: Schema): Schema {
  let at = schema;
  while (!isSecret(at) && metaOf(at).unit === undefined) {
    if (
      at instanceof z.ZodOptional ||
      at instanceof z.ZodNullable ||
      at instanceof z.ZodDefault ||
      at instanceof z.ZodPrefault ||
      at instanceof z.ZodReadonly ||
      at instanceof z.ZodNonOptional
    ) {
      at = at.def.innerType;
    } else if (at instanceof z.ZodPipe) {
      at = at.def.in;
    } else {
      break;
    }
  }
  return at;
}

function branchFor(schema: Schema, value: unknown): Schema | undefined {
  const bare = unwrap(schema);
  if (!(bare instanceof z.ZodUnion) || isSecret(bare) || metaOf(bare).unit !== undefined) return bare;
  const branches = bare.def.options.map((option) => branchFor(option, value));
  if (bare instanceof z.ZodDiscriminatedUnion) {
    const key = bare.def.discriminator;
    return branches.find((branch) => {
      const tag = branch instanceof z.ZodObject ? branch.shape[key] : undefined;
      return tag instanceof z.ZodLiteral && tag.values.has(childValue(value, key) as string);
    });
  }
  if (isMap(value)) return branches.find((branch) => branch instanceof z.ZodObject || branch instanceof z.ZodRecord);
  if (Array.isArray(value)) return branches.find((branch) => branch instanceof z.ZodArray);
  return bare;
}

function childSchema(schema: Schema, key: string | number): Schema | undefined {
  if (schema instanceof z.ZodObject) {
    return Object.hasOwn(schema.shape, key) ? schema.shape[key] : schema.def.catchall;
  }
  if (schema instanceof z.ZodRecord) return schema.def.valueType;
  if (schema instanceof z.ZodArray) return schema.def.element;
  return undefined;
}

function childValue(value: unknown, key: string | number): unknown {
  if (Array.isArray(value)) return value[Number(key)];
  return isMap(value) && Object.hasOwn(value, key) ? value[String(key)] : undefined;
}
