import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { ecs as ecsType } from '../../src/formats/ecs.ts';
import { buildFormat } from '../../src/formats/format.ts';
import { elasticsearch } from '../../src/outputs/elasticsearch.ts';
import { ecsFields } from '../formats/ecs-document.ts';
import { eventOf, eventOfLine, plainRecord, realLines } from '../formats/records.ts';

/** A field of a mapping, or the whole of it. */
interface Mapping {
  readonly type?: string;
  readonly dynamic?: boolean;
  readonly ignore_above?: number;
  readonly fields?: Readonly<Record<string, { readonly type: string }>>;
  readonly properties?: Readonly<Record<string, Mapping>>;
}

const template: {
  readonly index_patterns: readonly string[];
  readonly priority: number;
  readonly data_stream: object;
  readonly _meta: { readonly ecs_version: string };
  readonly template: { readonly mappings: Mapping };
} = JSON.parse(readFileSync(new URL('../../config/elasticsearch/index-template.json', import.meta.url), 'utf8'));
const mapped = new Map(fieldsOf(template.template.mappings, ''));

const ecs = buildFormat(ecsType);
/** Documents that together have every field that the format can write. */
const documents: readonly object[] = [
  ...readFileSync(new URL('../formats/golden/ecs.txt', import.meta.url), 'utf8')
    .trimEnd()
    .split('\n'),
  ...realLines.map((line) => ecs.render(eventOfLine(line)).text),
  ...[
    plainRecord,
    { ...plainRecord, fileHash: 'd41d8cd98f00b204e9800998ecf8427e' },
    { ...plainRecord, fileHash: 'da39a3ee5e6b4b0d3255bfef95601890afd80709' },
    { ...plainRecord, fileHash: 'not computed', route: 'External', senderAddress: 'a@example.com' },
  ].map((record) => ecs.render(eventOf(record)).text),
  ecs.render(eventOf(plainRecord), 1000).text,
].map((text) => JSON.parse(text));

describe('the index template', () => {
  it('is for the data stream that the output writes to by default, and comes before the one for all logs', () => {
    const { index } = elasticsearch.options.parse({ url: 'https://elastic.example' }) as { index: string };
    const [pattern = ''] = template.index_patterns;
    expect(index.startsWith(pattern.replace(/\*$/, ''))).toBe(true);
    expect(template.data_stream).toEqual({});
    expect(template.priority).toBeGreaterThan(500); // What Elastic asks of templates that are to come before its own.
  });

  it('maps every field that the ECS format writes', () => {
    const paths = new Set(documents.flatMap((document) => [...leavesOf(document, '')]));
    expect(paths.size).toBeGreaterThan(30);
    expect([...paths].filter((path) => !mapped.has(path))).toEqual([]);
  });

  it('maps no field that the format does not write, but those of the data stream', () => {
    const paths = new Set(documents.flatMap((document) => [...leavesOf(document, ''), ...listsOf(document, '')]));
    const idle = [...mapped.keys()].filter((path) => !paths.has(path) && !path.startsWith('data_stream.'));
    expect(idle).toEqual([]);
  });

  it.each([...mapped].filter(([path]) => !/^(?:mimecast|labels)\./.test(path)))(
    'maps %s as ECS does',
    (path, mapping) => {
      const field = ecsFields[path];
      expect({ type: mapping.type, ignoreAbove: mapping.ignore_above }).toEqual({
        type: field?.type,
        ignoreAbove: field?.ignoreAbove,
      });
      const multiFields = mapping.fields && Object.entries(mapping.fields).map(([name, { type }]) => [name, type]);
      expect(multiFields && Object.fromEntries(multiFields)).toEqual(field?.multiFields);
    },
  );

  it('takes each attachment for a document of its own', () => {
    expect(mapped.get('email.attachments')?.type).toBe('nested');
    expect(ecsFields['email.attachments']?.type).toBe('nested');
  });

  it('makes no field of a name that a record brings', () => {
    expect(template.template.mappings.dynamic).toBe(false);
    expect(template.template.mappings.properties?.mimecast?.dynamic).toBe(false);
  });

  it('keeps texts of any length, and indexes none that Lucene would refuse', () => {
    // A term may have 32,766 bytes; a character in UTF-8 takes four at most.
    for (const [path, { type, ignore_above }] of mapped) {
      if (type === 'keyword') expect(ignore_above, path).toBeLessThanOrEqual(32_766 / 4);
    }
  });

  it('names the version of ECS that the documents name', () => {
    expect(documents[0]).toMatchObject({ ecs: { version: template._meta.ecs_version } });
  });
});

/** Every field with a type, nested ones among them, by its path. */
function* fieldsOf({ type, properties = {}, ...rest }: Mapping, path: string): Generator<readonly [string, Mapping]> {
  if (type !== undefined) yield [path, { type, ...rest }];
  for (const [name, field] of Object.entries(properties))
    yield* fieldsOf(field, path === '' ? name : `${path}.${name}`);
}

/** Paths of the values of a document; items of a list have the path of the list. */
function* leavesOf(node: unknown, path: string): Generator<string> {
  if (Array.isArray(node)) for (const item of node) yield* leavesOf(item, path);
  else if (typeof node !== 'object' || node === null) yield path;
  else for (const [key, value] of Object.entries(node)) yield* leavesOf(value, path === '' ? key : `${path}.${key}`);
}

function* listsOf(node: unknown, path: string): Generator<string> {
  if (Array.isArray(node)) yield path;
  if (typeof node !== 'object' || node === null) return;
  for (const [key, value] of Object.entries(node)) {
    yield* listsOf(value, Array.isArray(node) ? path : path === '' ? key : `${path}.${key}`);
  }
}
