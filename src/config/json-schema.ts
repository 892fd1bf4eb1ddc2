import { z } from 'zod';
import { formatDuration, formatSize } from '../options.ts';
import { metaOf, type Schema, twinOf, unwrap } from './traverse.ts';

/** A JSON Schema, as plain data. */
export type JsonSchema = Readonly<Record<string, unknown>>;

const REFERENCE = '#/$defs/environment';

/**
 * The config as JSON Schema 2020-12, for editors: what may be written, before `${NAME}` is replaced and secret files are read.
 * So every secret `x` may be given as `xFile`, and where a number, a duration or a choice is wanted a reference will do.
 */
export function jsonSchemaOf(schema: Schema): JsonSchema {
  const { $schema, ...described } = describeSchema(schema);
  const { $defs, ...root } = withReferences(described);
  return {
    $schema,
    title: 'mimecast-forwarder configuration',
    ...root,
    $defs: {
      ...(isSchema($defs) && $defs),
      environment: {
        type: 'string',
        pattern: String.raw`\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}]*)?\}`,
        description: 'Taken from the environment.',
      },
    },
  };
}

/** The same in its plain form, with the marks `secret`, `unit` and `profiles` of the fields left in: what the reference is written from. */
export function describeSchema(schema: Schema): JsonSchema {
  const json: unknown = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    override({ zodSchema, jsonSchema }) {
      // Zod leaves out a default that was given in parsed form, because that is no valid input.
      if (!(zodSchema instanceof z.ZodDefault)) return;
      const written = writtenDefault(zodSchema);
      if (written !== undefined) jsonSchema.default = written;
    },
  });
  return asWritten(isSchema(json) ? json : {});
}

function writtenDefault(schema: z.ZodDefault): unknown {
  const value: unknown = schema.def.defaultValue;
  const { unit } = metaOf(unwrap(schema));
  if (typeof value !== 'number') return value;
  if (unit === 'ms') return formatDuration(value);
  return unit === 'bytes' ? formatSize(value) : value;
}

/** Undoes what only the program sees: `Secret` objects become texts with a twin, and maps take no other keys. */
function asWritten(node: JsonSchema): JsonSchema {
  if (node.secret === true) {
    const { anyOf: _shapes, ...rest } = node;
    return { ...rest, type: 'string', minLength: 1 };
  }
  const mapped = mapChildren(withoutSafeIntegerBounds(node), asWritten);
  return isSchema(mapped.properties) ? withTwins(mapped, mapped.properties) : mapped;
}

function withTwins(node: JsonSchema, properties: JsonSchema): JsonSchema {
  const required = Array.isArray(node.required) ? (node.required as string[]) : [];
  const secrets = Object.keys(properties).filter((key) => isSchema(properties[key]) && properties[key].secret === true);
  const rules = secrets.map((key) =>
    required.includes(key)
      ? { oneOf: [{ required: [key] }, { required: [twinOf(key)] }] }
      : { not: { required: [key, twinOf(key)] } },
  );
  return {
    ...node,
    properties: Object.fromEntries(
      Object.entries(properties).flatMap(([key, child]) =>
        secrets.includes(key)
          ? [
              [key, child],
              [twinOf(key), twin(key)],
            ]
          : [[key, child]],
      ),
    ),
    required: required.filter((key) => !secrets.includes(key)),
    ...(rules.length > 0 && { allOf: rules }),
    additionalProperties: node.additionalProperties ?? false,
  };
}

function twin(key: string): JsonSchema {
  const description = `File that holds \`${key}\`, read again when authentication fails. Relative to the config file.`;
  return { type: 'string', minLength: 1, description };
}

/** Lets `${NAME}` stand where a text alone would not be accepted, and drops the marks. */
function withReferences(node: JsonSchema): JsonSchema {
  const { secret: _secret, unit: _unit, profiles: _profiles, ...plain } = mapChildren(node, withReferences);
  if (!isNarrow(plain)) return plain;
  const { description, default: fallback, ...shape } = plain;
  return {
    ...(description !== undefined && { description }),
    ...(fallback !== undefined && { default: fallback }),
    anyOf: [shape, { $ref: REFERENCE }],
  };
}

/** True for a scalar that a reference would not satisfy. Constants tell the branches of a union apart and stay as they are. */
function isNarrow(node: JsonSchema): boolean {
  if (node.const !== undefined) return false;
  if (['integer', 'number', 'boolean'].includes(String(node.type))) return true;
  return node.type === 'string' && ['enum', 'pattern', 'format', 'maxLength'].some((key) => node[key] !== undefined);
}

function mapChildren(node: JsonSchema, change: (child: JsonSchema) => JsonSchema): JsonSchema {
  const entries = Object.entries(node).map(([key, value]) => {
    if ((key === 'properties' || key === '$defs') && isSchema(value)) return [key, mapValues(value, change)];
    if ((key === 'items' || key === 'additionalProperties') && isSchema(value)) return [key, change(value)];
    const isList = key === 'anyOf' || key === 'oneOf';
    return [
      key,
      isList && Array.isArray(value) ? value.map((child) => (isSchema(child) ? change(child) : child)) : value,
    ];
  });
  return Object.fromEntries(entries);
}

function mapValues(map: JsonSchema, change: (child: JsonSchema) => JsonSchema): JsonSchema {
  return Object.fromEntries(Object.entries(map).map(([key, child]) => [key, isSchema(child) ? change(child) : child]));
}

function withoutSafeIntegerBounds(node: JsonSchema): JsonSchema {
  const entries = Object.entries(node).filter(
    ([key, value]) =>
      !(key === 'minimum' && value === Number.MIN_SAFE_INTEGER) &&
      !(key === 'maximum' && value === Number.MAX_SAFE_INTEGER),
  );
  return Object.fromEntries(entries);
}

export function isSchema(value: unknown): value is JsonSchema {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
