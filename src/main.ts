#!/usr/bin/env -S node --max-semi-space-size=4 --no-lazy-feedback-allocation
/**
 * argv → command; OS signals → AbortSignal; error → exit code. The only file that touches `process`.
 *
 * `--max-semi-space-size=4`, here and wherever else it is started: a page is garbage as soon as it is stored, and a young generation
 * of 4 MiB holds it. The default took half as much memory again: 364 MB against 235 at the peak of 100,000 records.
 * `--no-lazy-feedback-allocation`: V8 watches functions from their first call, and compiles them well sooner; the first 100,000 records
 * took 6 to 11 % less CPU time. V8 takes these two at its start only.
 */
import { readFileSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import type { Shell } from './commands/command.ts';

const OLDEST_NODE = [22, 19] as const;

// The old generation is collected when it has doubled, and once the program has started, when it has grown by 60 %. V8 would let it grow to
// four times what is in use: 211 MB against 171 at the peak of 100,000 records. At 400,000 the peak was 163 MB with 100 %, 154 with 70 and
// 150 with 50, for 4 to 9 and 7 to 12 % more CPU time. In the first seconds nearly all that is made is there to stay.
setFlagsFromString('--heap-growing-percent=100');
setTimeout(() => setFlagsFromString('--heap-growing-percent=60'), 2000).unref();

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < OLDEST_NODE[0] || (major === OLDEST_NODE[0] && minor < OLDEST_NODE[1])) {
  // Before anything is imported: SQLite's binding ends an older Node with a segmentation fault and no word.
  process.stderr.write(
    `mimecast-forwarder needs Node ${OLDEST_NODE.join('.')} or newer, this is ${process.versions.node}\n`,
  );
  process.exit(2);
}

// What V8 makes of the code is kept from one start to the next: 60 ms of 520 until the first record. Beside the program and not in the
// usual temporary folder: who can write there could put other code in its place. Where it cannot be written, starts take as long as before.
enableCompileCache(fileURLToPath(new URL('../.cache/compile', import.meta.url)));

const { version } = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
  version: string;
};
const { runProgram } = await import('./commands/program.ts');

const stopping = new AbortController();
const EXIT_OF_SIGNAL = { SIGINT: 130, SIGTERM: 143 } as const;
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    // The first asks, the second forces.
    if (stopping.signal.aborted) process.exit(EXIT_OF_SIGNAL[signal]);
    stopping.abort(new DOMException(signal, 'AbortError'));
  });
}
// A reader that has gone away (`… | head`) is an end, not an error. A disk that is full is one: half a result must not pass for a whole.
let unwritten: string | undefined;
process.stdout.on('error', ({ code = 'no code' }: NodeJS.ErrnoException) => {
  if (code === 'EPIPE') stopping.abort();
  else unwritten = code;
});

const shell: Shell = {
  // Opened when somebody asks, not before: the daemon has no use for it.
  get stdin() {
    return process.stdin;
  },
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  cwd: process.cwd(),
  pid: process.pid,
  hostname: hostname(),
  version,
  node: process.version,
  signal: stopping.signal,
  interrupt: () => void process.kill(process.pid, 'SIGINT'),
  onReload: (listener) => void process.on('SIGHUP', listener),
  onKey,
  readText: async (file) => readFileSync(file === '-' ? process.stdin.fd : file, 'utf8'),
};

const code = await runProgram(shell, process.argv.slice(2));
// What is still in the pipe goes out first; then the end, whatever a library may have left open.
await new Promise<void>((resolve) => process.stdout.write('', () => resolve()));
if (code === 0 && unwritten !== undefined) {
  process.stderr.write(`mimecast-forwarder: standard output cannot be written (${unwritten})\n`);
  process.exit(1);
}
process.exit(code);

function onKey(listener: (key: string) => void): () => void {
  const { stdin } = process;
  if (!stdin.isTTY) return () => undefined;
  const heard = (bytes: Buffer): void => listener(bytes.toString('utf8'));
  stdin.setRawMode(true).on('data', heard).resume();
  return () => void stdin.off('data', heard).setRawMode(false).pause();
}
