import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { file } from '../../src/outputs/file.ts';
import type { Output } from '../../src/outputs/output.ts';
import { outputContext, someEvents, textsOf } from '../contract/output-harness.ts';

const never = new AbortController().signal;
const outputs: Output[] = [];
let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'file-output-'));
  chmodSync(folder, 0o755);
  path = join(folder, 'events.log');
});

afterEach(async () => {
  for (const output of outputs.splice(0)) await output.close();
  rmSync(folder, { recursive: true });
});

describe('a file', () => {
  it('is made with its folder, for its owner alone', async () => {
    path = join(folder, 'a', 'b', 'events.log');
    await open().send(someEvents(2), never);
    expect(lines(path)).toEqual(textsOf(someEvents(2)));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o700);
  });

  it('is appended to', async () => {
    writeFileSync(path, 'from before\n');
    await open().send(someEvents(1), never);
    expect(lines(path)).toEqual(['from before', ...textsOf(someEvents(1))]);
  });

  it('may be named from the working directory', () => {
    expect(file.target(file.options.parse({ path: 'events.log' }))).toBe(join(process.cwd(), 'events.log'));
  });

  it('is followed when logrotate moves it away, removes it or empties it', async () => {
    const output = open();
    await output.send(someEvents(1), never);
    renameSync(path, `${path}-20260101`);
    await output.send(someEvents(1, { first: 2 }), never);
    rmSync(path);
    await output.send(someEvents(1, { first: 3 }), never);
    truncateSync(path); // copytruncate
    await output.send(someEvents(1, { first: 4 }), never);
    expect(lines(`${path}-20260101`)).toEqual(textsOf(someEvents(1)));
    expect(lines(path)).toEqual(textsOf(someEvents(1, { first: 4 })));
  });
});

describe('half a line, left by a crash', () => {
  it('is cut off, and nothing else', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(200_000), { maxLength: 3 }), fc.nat(200_000), async (whole, half) => {
        const kept = whole.map((length) => `${'w'.repeat(length)}\n`).join('');
        writeFileSync(path, kept + 'h'.repeat(half));
        const output = open();
        await output.send(someEvents(1), never);
        await output.close();
        expect(readFileSync(path, 'utf8')).toBe(`${kept}${textsOf(someEvents(1))}\n`);
      }),
      { numRuns: 30 },
    );
  });

  it('is left alone by a probe: it may be the line that a daemon is writing', async () => {
    writeFileSync(path, 'whole\nhal');
    expect(await open().probe(never)).toBe(`${path} can be written`);
    expect(readFileSync(path, 'utf8')).toBe('whole\nhal');
  });
});

it('a probe makes nothing', async () => {
  path = join(folder, 'a', 'events.log');
  expect(await open().probe(never)).toBe(`${path} can be created`);
  expect(readdirSync(folder)).toEqual([]);
});

describe('rotation', () => {
  it('keeps as many old files as asked, the newest first, and every line until then', async () => {
    const output = open({ rotate: { maxSize: 200, keep: 2 } });
    const size = Buffer.byteLength(`${textsOf(someEvents(1))}\n`);
    const perFile = Math.floor(200 / size);
    for (let seq = 1; seq <= perFile * 5; seq += 1) await output.send(someEvents(1, { first: seq }), never);
    const expected = (nth: number) => textsOf(someEvents(perFile, { first: nth * perFile + 1 }));
    expect(readdirSync(folder).sort()).toEqual(['events.log', 'events.log.1', 'events.log.2']);
    expect([lines(path), lines(`${path}.1`), lines(`${path}.2`)]).toEqual([expected(4), expected(3), expected(2)]);
  });

  it('never parts a batch, however large', async () => {
    const output = open({ rotate: { maxSize: 10, keep: 5 } });
    for (const first of [1, 4]) await output.send(someEvents(3, { first }), never);
    expect(lines(`${path}.1`)).toEqual(textsOf(someEvents(3)));
    expect(lines(path)).toEqual(textsOf(someEvents(3, { first: 4 })));
  });

  it('goes on after a restart, and over a gap that a crash left', async () => {
    writeFileSync(path, 'a\n');
    writeFileSync(`${path}.2`, 'c\n');
    await open({ rotate: { maxSize: 1, keep: 3 } }).send(someEvents(1), never);
    expect([lines(`${path}.1`), lines(`${path}.3`), existsSync(`${path}.2`)]).toEqual([['a'], ['c'], false]);
  });

  it('can be left to logrotate', async () => {
    writeFileSync(path, `${'x'.repeat(1000)}\n`);
    await open({ rotate: false }).send(someEvents(1), never);
    expect(readdirSync(folder)).toEqual(['events.log']);
  });
});

describe('what cannot be written', () => {
  it.each([
    ['a folder', () => mkdirSync(path), 'EISDIR'],
    ['a pipe', () => execFileSync('mkfifo', [path]), 'ENOTREG'],
    [
      'under a file',
      () => {
        writeFileSync(path, '');
        path = join(path, 'events.log');
      },
      'EEXIST',
    ],
  ])('halts: %s', async (_name, prepare, code) => {
    prepare();
    const failing = open().send(someEvents(1), never);
    await expect(failing).rejects.toMatchObject({ reason: 'io', disposition: 'halt', hint: expect.any(String) });
    await expect(failing).rejects.toThrow(`${path} cannot be written (${code})`);
    await expect(open().probe(never)).rejects.toMatchObject({ reason: 'io', disposition: 'halt' });
  });

  it.each([
    ['the file', () => writeFileSync(path, '', { mode: 0o000 })],
    ['the folder', () => chmodSync(folder, 0o555)],
  ])('without the permission halts: %s', (_name, forbid) => {
    forbid();
    const said = child(`
      // Root may write everything, so it becomes somebody else first: "nobody" on most systems.
      if (process.getuid() === 0) process.setuid(65534);
      const ways = [() => output.send(someEvents(1), signal), () => output.probe(signal)];
      for (const way of ways) await way().catch(({ reason, disposition, message, hint }) => {
        console.log([reason, disposition, message, typeof hint].join(' '));
      });`);
    expect(said).toBe(`io halt ${path} cannot be written (EACCES) string\n`.repeat(2));
  });

  it('in full is not written in part: a retry finds the file as it was', async () => {
    // The limit of a process on its files is the one full disk that needs no root: the kernel takes what fits, then fails.
    const said = child(TOO_MUCH, 'ulimit -f 8');
    expect(said).toBe(`io: ${path} cannot be written (EFBIG), size 0 more\n`.repeat(2));
    expect(lines(path)).toEqual(textsOf(someEvents(2)));
  });
});

function open(options: object = {}): Output {
  const output = file.create(file.options.parse({ path, ...options }), outputContext());
  outputs.push(output);
  return output;
}

function lines(at: string): string[] {
  return readFileSync(at, 'utf8').split('\n').slice(0, -1);
}

/** What a script says that runs in a process of its own, after `prepare` of the shell; it has the output as `output`. */
function child(script: string, prepare = ':'): string {
  const node = [process.execPath, '--input-type=module-typescript', '--eval', PRELUDE + script];
  return execFileSync('sh', ['-c', `${prepare}; exec "$@"`, 'sh', ...node], {
    cwd: new URL('../..', import.meta.url),
    env: { ...process.env, EVENTS_LOG: path },
    encoding: 'utf8',
  });
}

const PRELUDE = `
  import { statSync } from 'node:fs';
  import { file } from './src/outputs/file.ts';
  import { outputContext, someEvents } from './test/contract/output-harness.ts';
  const path = process.env.EVENTS_LOG;
  const output = file.create(file.options.parse({ path }), outputContext());
  const { signal } = new AbortController();
`;

/** One event, then twice a batch that is too large for the limit, then one more event. */
const TOO_MUCH = `
  await output.send(someEvents(1), signal);
  const { size } = statSync(path);
  for (let attempt = 0; attempt < 2; attempt += 1) {
    await output.send(someEvents(500), signal).catch((error) => {
      console.log(error.reason + ': ' + error.message + ', size ' + (statSync(path).size - size) + ' more');
    });
  }
  await output.send(someEvents(1, { first: 2 }), signal);
`;
