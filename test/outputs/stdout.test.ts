import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { PassThrough, Writable } from 'node:stream';
import { expect, it } from 'vitest';
import { stdout } from '../../src/outputs/stdout.ts';
import { outputContext, someEvents, textsOf } from '../contract/output-harness.ts';

const never = new AbortController().signal;

function printer(stream: Writable) {
  return stdout.create(stdout.options.parse({}), outputContext({ stdout: stream }));
}

it('waits for a slow reader', async () => {
  const stream = new PassThrough({ highWaterMark: 1 });
  let done = false;
  const sending = printer(stream)
    .send(someEvents(2), never)
    .then(() => {
      done = true;
    });
  // Two turns of the event loop are more than a stream that accepts would need.
  for (let turn = 0; turn < 2; turn += 1) await new Promise(setImmediate);
  expect(done).toBe(false);
  stream.setEncoding('utf8');
  const [text] = await once(stream, 'data');
  await sending;
  expect(text).toBe(`${textsOf(someEvents(2)).join('\n')}\n`);
});

it('leaves no listener behind', async () => {
  const stream = new PassThrough();
  stream.resume();
  const before = stream.listenerCount('error');
  const output = printer(stream);
  for (let count = 0; count < 3; count += 1) await output.send(someEvents(1), never);
  expect(stream.listenerCount('error')).toBe(before);
});

it('halts when the reader is gone, and for every batch after', async () => {
  const broken = Object.assign(new Error('write EPIPE'), { code: 'EPIPE' });
  const stream = new Writable({ write: (_chunk, _encoding, done) => done(broken) });
  const output = printer(stream);
  for (let count = 0; count < 20; count += 1) {
    await expect(output.send(someEvents(1), never)).rejects.toMatchObject({ reason: 'io', disposition: 'halt' });
  }
  await expect(output.probe(never)).rejects.toMatchObject({ reason: 'io', disposition: 'halt' });
  expect(stream.listenerCount('error')).toBe(0);
});

it('survives a reader that goes away, as a process of its own', async () => {
  const child = spawn(process.execPath, ['--input-type=module-typescript', '--eval', CHILD], {
    cwd: new URL('../..', import.meta.url),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  child.stdout.once('data', () => child.stdout.destroy());
  let said = '';
  child.stderr.on('data', (chunk) => {
    said += chunk;
  });
  await once(child, 'close');
  expect(said).toBe('io halt\nio halt\n');
});

/** Prints until it fails, twice, and then says how. */
const CHILD = `
  import { stdout } from './src/outputs/stdout.ts';
  import { outputContext, someEvents } from './test/contract/output-harness.ts';
  const output = stdout.create({}, outputContext({ stdout: process.stdout }));
  for (let failures = 0; failures < 2; ) {
    try {
      await output.send(someEvents(500), new AbortController().signal);
    } catch (error) {
      failures += 1;
      process.stderr.write(error.reason + ' ' + error.disposition + '\\n');
    }
  }
`;
