import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { configSchema } from '../../src/config/schema.ts';
import { tables } from '../../src/config/tables.ts';
import type { FeedType } from '../../src/feeds/feed.ts';
import { buildFormat, type FormatType } from '../../src/formats/format.ts';
import { OutputError, type OutputType } from '../../src/outputs/output.ts';
import { outputContext, someEvents, textsOf } from '../contract/output-harness.ts';
import { eventOf, hostileRecords, ID, plainRecord } from '../formats/records.ts';
import { pageAt, ROOT } from './markdown.ts';

/**
 * The files that the adding-pages show, taken from the pages, compiled and used. They are put inside the project, for packages are
 * found from there, and into a folder of their own, so that two runs do not meet.
 */
const EXAMPLES = {
  spool: { page: 'docs/adding-an-output.md', rack: 'outputs' },
  brief: { page: 'docs/adding-a-format.md', rack: 'formats' },
  impersonation: { page: 'docs/adding-a-feed.md', rack: 'feeds' },
} as const;

let workshop: string;
beforeAll(() => {
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  workshop = mkdtempSync(join(ROOT, '.cache', 'examples-'));
  for (const [name, { page, rack }] of Object.entries(EXAMPLES)) {
    const code = pageAt(page).blocks.find(({ language }) => language === 'ts')?.code ?? '';
    const moved = code.replaceAll(`from '../`, `from '../../src/`).replaceAll(`from './`, `from '../../src/${rack}/`);
    writeFileSync(join(workshop, `${name}.ts`), moved);
  }
});
afterAll(() => rmSync(workshop, { recursive: true, force: true }));

async function exampleOf<T>(name: keyof typeof EXAMPLES): Promise<T> {
  const module: Readonly<Record<string, T>> = await import(join(workshop, `${name}.ts`));
  const member = module[name];
  if (member === undefined) throw new Error(`the example exports no ${name}`);
  return member;
}

it('the examples compile, as strictly as the project', () => {
  const config = { extends: '../../tsconfig.json', include: ['*.ts'] };
  writeFileSync(join(workshop, 'tsconfig.json'), JSON.stringify(config));
  const tsc = join(ROOT, 'node_modules', '.bin', 'tsc');
  expect(() => execFileSync(tsc, ['-p', workshop], { encoding: 'utf8', stdio: 'pipe' })).not.toThrow();
});

describe('the output of the example', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'spool-'));
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  async function open(path: string) {
    const type = await exampleOf<OutputType>('spool');
    return type.create(type.options.parse({ folder: path }), outputContext());
  }
  const { signal } = new AbortController();

  it('can be configured', async () => {
    const spool = await exampleOf<OutputType>('spool');
    const schema = configSchema({ ...tables, outputTypes: { ...tables.outputTypes, spool } });
    const feeds = [{ type: 'attachment' }];
    const outputs = [{ name: 'batches', type: 'spool', folder }];
    const { error } = schema.safeParse({ mimecast: {}, feeds, outputs });
    expect(error?.issues.filter(({ path }) => path[0] === 'outputs')).toEqual([]);
  });

  it('delivers batch after batch, whole; the same batch twice is there once', async () => {
    const output = await open(folder);
    const batches = [someEvents(3), someEvents(2, { first: 4 })];
    for (const batch of [...batches, ...batches]) {
      expect(await output.send(batch, signal)).toEqual({ rejected: [], shortened: 0 });
    }
    const files = readdirSync(folder).sort();
    const texts = files.map((file) => readFileSync(join(folder, file), 'utf8'));
    expect(texts).toEqual(batches.map((batch) => `${textsOf(batch).join('\n')}\n`));
    await output.close();
  });

  it('says what is wrong and what to do, and takes no event as accepted', async () => {
    const output = await open(join(folder, 'missing'));
    const failures = await Promise.allSettled([output.send(someEvents(1), signal), output.probe(signal)]);
    for (const failure of failures) {
      expect(failure.status).toBe('rejected');
      const error = failure.status === 'rejected' ? failure.reason : undefined;
      expect(error).toBeInstanceOf(OutputError);
      expect(error).toMatchObject({ reason: 'io', disposition: 'retry', hint: expect.stringContaining('folder') });
    }
  });

  it('sends nothing once it was aborted', async () => {
    const output = await open(folder);
    const before = readdirSync(folder);
    await expect(output.send(someEvents(1, { first: 9 }), AbortSignal.abort(new Error('stop')))).rejects.toThrow(
      'stop',
    );
    expect(readdirSync(folder)).toEqual(before);
  });
});

describe('the format of the example', () => {
  it.each(Object.entries(hostileRecords))('writes one line within its limit, given %s', async (_, record) => {
    const format = buildFormat(await exampleOf<FormatType>('brief'));
    for (const maxBytes of [400, 1024, 8000, undefined]) {
      const { text, shortened } = format.render(eventOf(record), maxBytes);
      expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes ?? Number.POSITIVE_INFINITY);
      expect(text).not.toMatch(/[\0\r\n]/);
      expect(text.isWellFormed()).toBe(true);
      expect(text).toContain(ID);
      expect(text.endsWith(' …')).toBe(shortened);
    }
  });
});

it('the format of the example has options that can be configured', async () => {
  const brief = await exampleOf<FormatType>('brief');
  const schema = configSchema({ ...tables, formats: { ...tables.formats, brief } });
  const issuesOf = (format: unknown) => {
    const outputs = [{ name: 'screen', type: 'stdout', format }];
    const { error } = schema.safeParse({ mimecast: {}, feeds: [{ type: 'attachment' }], outputs });
    return error?.issues.filter(({ path }) => path[0] === 'outputs') ?? [];
  };
  expect([...issuesOf('brief'), ...issuesOf({ type: 'brief', names: ['sender'] })]).toEqual([]);
  expect(issuesOf({ type: 'brief', names: ['hat'] })).not.toEqual([]);
  const { text } = buildFormat(brief, { names: ['result'] }).render(eventOf(plainRecord));
  expect(text).toMatch(/Z \w{32} result="malicious"$/);
});

describe('the feed of the example', () => {
  it('identifies or explains whatever comes', async () => {
    const type = await exampleOf<FeedType>('impersonation');
    const feed = type.create({ name: 'imp', key: type.defaultKey });
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.object({ key: fc.constantFrom(...type.keys) })), (record) => {
        const identity = feed.identify(record);
        if ('malformed' in identity) expect(identity.malformed).toMatch(/ is not /);
        else expect(identity.time % 1000).toBe(0);
      }),
    );
  });

  it('reads the time of a record, and asks for a window', async () => {
    const type = await exampleOf<FeedType>('impersonation');
    const feed = type.create({ name: 'imp', key: type.defaultKey });
    const time = Date.UTC(2024, 10, 17, 20, 16);
    expect(feed.identify({ id: 'x', eventTime: '2024-11-17T20:16:00+0000' })).toMatchObject({ time });
    expect(feed.filter({ from: time, to: time })).toMatchObject({ from: '2024-11-17T20:16:00+0000' });
  });
});
