import { z } from 'zod';
import { tables } from '../../config/tables.ts';
import { isSecret, metaOf, twinOf, unwrap } from '../../config/traverse.ts';
import { expectation } from '../../config/words.ts';
import { UsageError } from '../../errors.ts';
import type { OutputType } from '../../outputs/output.ts';
import type { Reading } from './asker.ts';

/** What an output needs to be told, taken from its own schema: the questions, and whether an answer will do. */

/** A key of an output as a thing to ask for. */
export interface Asked {
  readonly key: string;
  /** `optional`: may be left out; `fallback`: what the schema takes then. */
  readonly optional: boolean;
  readonly fallback?: string | undefined;
  readonly secret: boolean;
  readonly description: string;
  /** What can be answered, each with a line that tells it from the others, or with none. */
  readonly choices: readonly (readonly [name: string, summary: string])[];
}

type Answers = ReadonlyMap<string, unknown>;

interface Worth {
  readonly key: string;
  readonly when?: (answers: Answers) => boolean;
  /** Instead of the description of the key. */
  readonly about?: string;
}

const bare = (answers: Answers) => !answers.has('profile');
const overStream = (answers: Answers) => /^(tcp|tls)$/.test(String(answers.get('protocol')));
const inTls = (answers: Answers) => /tls$/.test(String(answers.get('protocol')));
const overHttps = (answers: Answers) => String(answers.get('url')).startsWith('https:');
const IDENTIFIER =
  'Host in the syslog header. QRadar finds its log source by it: the Log Source Identifier there has to be the same.';
const KEY_FILE =
  'The JSON key of the service account, on one line. As it was downloaded it has many: then give --set serviceAccountFile=FILE.';
const caFile: Worth = { key: 'tls.caFile', when: overHttps };

/**
 * What is worth asking for in each type, in this order; all else is left at its default, and can be set with `--set`. What a type
 * cannot do without has to be among it.
 */
const WORTH_ASKING: Readonly<Record<string, readonly Worth[]>> = {
  syslog: [
    { key: 'profile' },
    { key: 'host' },
    { key: 'protocol' },
    { key: 'port' },
    { key: 'tls.caFile', when: inTls },
    { key: 'hostname', when: (answers) => answers.get('profile') === 'qradar', about: IDENTIFIER },
    { key: 'format', when: bare },
    { key: 'envelope', when: bare },
    { key: 'framing', when: (answers) => bare(answers) && overStream(answers) },
  ],
  'splunk-hec': [{ key: 'url' }, { key: 'token' }, { key: 'index' }, { key: 'acknowledgement' }, caFile],
  elasticsearch: [{ key: 'url' }, { key: 'apiKey' }, { key: 'index' }, caFile],
  sentinel: [
    { key: 'endpoint' },
    { key: 'dcrImmutableId' },
    { key: 'streamName' },
    { key: 'tenantId' },
    { key: 'clientId' },
    { key: 'clientSecret' },
  ],
  otlp: [{ key: 'url' }, caFile],
  loki: [{ key: 'url' }, { key: 'tenantId' }, { key: 'token' }, caFile],
  datadog: [{ key: 'apiKey' }, { key: 'site' }],
  sumologic: [{ key: 'url' }],
  'google-secops': [
    { key: 'serviceAccount', about: KEY_FILE },
    { key: 'project' },
    { key: 'region' },
    { key: 'instance' },
  ],
  kafka: [{ key: 'brokers' }, { key: 'topic' }],
  nats: [{ key: 'servers' }, { key: 'subject' }, { key: 'token' }],
  webhook: [{ key: 'url' }, { key: 'format' }, caFile],
  file: [{ key: 'path' }, { key: 'format' }],
  stdout: [{ key: 'format' }],
};

/** Where the schema leaves the choice to the operator. */
const SUGGESTED: Readonly<Record<string, string>> = { protocol: 'tls' };
/** What the config adds to every output, and its type does not describe. */
const SAID_HERE: Readonly<Record<string, string>> = {
  profile: 'A receiver that is known here: its profile sets format, header and framing.',
  format: 'How an event is written.',
};

export interface Destination {
  readonly type: OutputType;
  readonly profile?: string;
}

/** `syslog`, or `qradar` for syslog with that profile, where no output is called so. */
export function destinationOf(name: string): Reading<Destination> {
  const type = tables.outputTypes[name];
  if (type !== undefined) return { value: { type } };
  const owner = Object.values(tables.outputTypes).find(({ profiles }) => Object.hasOwn(profiles ?? {}, name));
  if (owner !== undefined) return { value: { type: owner, profile: name } };
  return { mistake: `expected one of ${Object.keys(tables.outputTypes).join(', ')}` };
}

/** The keys of a type that are worth asking for, each as a question; decided one after the other, by what was answered. */
export function* questionsOf(type: OutputType, answers: Answers, hostname: string): Generator<Asked> {
  for (const { key, when, about } of WORTH_ASKING[type.type] ?? []) {
    if (!answers.has(key) && (when === undefined || when(answers))) {
      const wanted = asked(type, key);
      // Written down, the name stays when the machine gets another.
      const fallback = key === 'hostname' ? hostname : wanted.fallback;
      yield { ...wanted, fallback, description: about ?? wanted.description };
    }
  }
}

export function asked(type: OutputType, key: string): Asked {
  const schema = schemaOf(type, key);
  const field = unwrap(schema);
  const left = z.safeParse(schema, undefined);
  return {
    key,
    optional: left.success,
    fallback: left.success && left.data !== undefined ? writtenDefault(type, key, left.data) : SUGGESTED[key],
    secret: isSecret(field),
    description: SAID_HERE[key] ?? descriptionOf(schema),
    choices: field instanceof z.ZodEnum ? field.options.map((name) => [String(name), summaryOf(type, key, name)]) : [],
  };
}

/** An answer as the value that belongs into the config; a reference to the environment is taken as it stands. */
export function readValue(type: OutputType, key: string, answer: string): Reading<unknown> {
  if (/\$\{/.test(answer)) return { value: answer };
  const schema = schemaOf(type, key);
  const candidates = unwrap(schema) instanceof z.ZodArray ? [answer.split(/\s*,\s*/)] : [answer, plain(answer)];
  const results = candidates.map((value) => ({ value, ...z.safeParse(schema, value, { error: expectation }) }));
  const good = results.find(({ success }) => success);
  if (good) return { value: good.value };
  return {
    mistake:
      results
        .at(-1)
        ?.error?.issues.map(({ message }) => message)
        .join('; ') ?? 'expected another value',
  };
}

/** True for a secret and for the file of one. */
export function isSecretKey(type: OutputType, key: string): boolean {
  return hasKey(type, key) && isSecret(unwrap(schemaOf(type, key)));
}

/** What may follow `--set`; a `UsageError` names those that the type has. */
export function requireKey(type: OutputType, key: string): void {
  if (hasKey(type, key)) return;
  const secrets = keysOf(type).filter((name) => isSecretKey(type, name));
  const known = [...keysOf(type).filter((name) => !secrets.includes(name)), ...secrets.map(twinOf)];
  throw new UsageError(
    `${type.type} has no option ${key}`,
    `It has: ${known.join(', ')}; docs/config.md explains each.`,
  );
}

function hasKey(type: OutputType, key: string): boolean {
  return keysOf(type).includes(key) || (key.startsWith('tls.') && subSchema(type, key) !== undefined);
}

function keysOf(type: OutputType): string[] {
  return ['format', ...(type.profiles ? ['profile'] : []), ...Object.keys(type.options.shape)];
}

/** `format` and `profile` are added to every output by the config, not by its type. */
function schemaOf(type: OutputType, key: string): z.core.$ZodType {
  if (key === 'profile') return z.enum(Object.keys(type.profiles ?? {})).optional();
  if (key === 'format') return z.enum(Object.keys(tables.formats)).default(type.defaultFormat);
  return subSchema(type, key) ?? z.never();
}

function subSchema(type: OutputType, key: string): z.core.$ZodType | undefined {
  const [first = '', second] = key.split('.');
  const schema: z.core.$ZodType | undefined = type.options.shape[first];
  if (second === undefined || schema === undefined) return schema;
  const inner = unwrap(schema);
  return inner instanceof z.ZodObject ? inner.shape[second] : undefined;
}

function summaryOf(type: OutputType, key: string, name: string | number): string {
  if (key === 'profile') return type.profiles?.[name]?.summary ?? '';
  return key === 'format' ? (tables.formats[name]?.summary ?? '') : '';
}

function descriptionOf(schema: z.core.$ZodType): string {
  return metaOf(schema).description ?? metaOf(unwrap(schema)).description ?? '';
}

/** Only where the default reads as it would be written: what was parsed into ms or bytes does not. */
function writtenDefault(type: OutputType, key: string, value: unknown): string | undefined {
  const text = ['string', 'boolean', 'number'].includes(typeof value) ? String(value) : undefined;
  return text !== undefined && 'value' in readValue(type, key, text) ? text : undefined;
}

function plain(answer: string): unknown {
  if (answer === 'true' || answer === 'false') return answer === 'true';
  return /^\d{1,15}$/.test(answer) ? Number(answer) : answer;
}
