#!/usr/bin/env -S MALLOC_ARENA_MAX=1 node --initial-heap-size=64 --min-semi-space-size=4 --max-semi-space-size=4 --no-lazy-feedback-allocation
/**
 * argv → command; OS signals → AbortSignal; error → exit code. The only file that touches `process`.
 *
 * The first line, and whatever else starts it, says what V8 and the C library take at their start only:
 * - `--min-semi-space-size=4 --max-semi-space-size=4`: a page is garbage as soon as it is stored, and a young generation of 4 MiB holds
 *   it, so that little of it is moved. V8's own most, 16, took 181 MB for 154 at the peak of 200,000 records.
 * - `--initial-heap-size=64`: some 20 MB are in use. V8 would collect the old generation whenever a few more have come to them, 22 times
 *   in 200,000 records; with this it was 14 times in 300,000.
 * - `--no-lazy-feedback-allocation`: V8 watches functions from their first call, and compiles them well sooner; the first 100,000
 *   records took 6 to 11 % less CPU time.
 * - `MALLOC_ARENA_MAX=1`: glibc gives each thread of V8 a heap of its own and takes nothing back, 16 MB in all.
 * All of it beside the third and a largest young generation alone: 400,000 records in 8.1 s for 9.3 (five rounds), 151 MB at the peak for 155.
 */
import { readFileSync } from 'node:fs';
import { enableCompileCache } from 'node:module';
import { hostname } from 'node:os';
import { fileURLToPath } from 'node:url';
import { setFlagsFromString } from 'node:v8';
import type { Shell } from './commands/command.ts';

const OLDEST_NODE = [22, 19] as const;

// Beyond its first size the heap may grow by 60 % of what is in use before it is collected; V8 would let it grow to four times as much.
setFlagsFromString('--heap-growing-percent=60');

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
