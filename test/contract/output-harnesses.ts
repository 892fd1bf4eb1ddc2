import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { HttpReceiver, type Reaction } from '../fakes/http-receiver.ts';
import { SyslogReceiver } from '../fakes/syslog-receiver.ts';
import { BUSY_SECONDS, CANARY, type Harness, isMarked, OWN_LIMIT } from './output-harness.ts';

const linesOf = (text: string) => text.split('\n').slice(0, -1);

const webhook: Harness = {
  behaviours: {
    'refuses one event': 'applies',
    'is busy': 'applies',
    'refuses credentials': 'applies',
    'is gone': 'applies',
    resets: 'applies',
    hangs: 'applies',
    'answers hugely': 'applies',
  },
  async start() {
    let http = await HttpReceiver.start();
    let gone: HttpReceiver | undefined;
    const { port, origin } = http;
    const reactions: Readonly<Record<string, Reaction>> = {
      well: { status: 200 },
      'is busy': { status: 503, headers: { 'retry-after': String(BUSY_SECONDS) }, body: CANARY },
      'refuses credentials': { status: 401, body: CANARY },
      hangs: 'hang',
      'answers hugely': { status: 200, body: Buffer.alloc(10_000_000, 'x') },
    };
    return {
      options: {
        url: `${origin}/ingest?key=${CANARY}`,
        headers: { Authorization: `Bearer ${CANARY}` },
        signingSecret: CANARY,
        timeout: `${OWN_LIMIT}ms`,
      },
      received: () => http.requests.flatMap(({ text }) => linesOf(text)),
      async behave(behaviour) {
        if (behaviour === 'is gone') {
          gone = http;
          return http.close();
        }
        if (gone) {
          http = await HttpReceiver.start({ port });
          http.requests.push(...gone.requests);
          gone = undefined;
        }
        http.reactToHead = () => (behaviour === 'resets' ? 'reset' : undefined);
        http.react = ({ text }) => {
          if (behaviour === 'refuses one event') return { status: isMarked(text) ? 422 : 200, body: text };
          return reactions[behaviour] ?? { status: 500 };
        };
      },
      stop: () => http.close(),
    };
  },
};

const syslog: Harness = {
  behaviours: {
    'refuses one event': 'not applicable: a syslog receiver never answers',
    'is busy': 'not applicable: a syslog receiver never answers',
    'refuses credentials': 'not applicable: only TLS has any; tested with the member',
    'is gone': 'applies',
    resets: 'applies',
    hangs: 'applies',
    'answers hugely': 'not applicable: a syslog receiver never answers',
  },
  async start() {
    // One after the other on the same port; only what a well-behaved one has read was accepted.
    const receivers = [await SyslogReceiver.start()];
    const port = receivers[0]?.port ?? 0;
    const well = () => receivers.filter(({ manner }) => manner === 'well');
    return {
      options: {
        protocol: 'tcp',
        host: '127.0.0.1',
        port,
        connectTimeout: `${OWN_LIMIT}ms`,
        sendTimeout: `${OWN_LIMIT}ms`,
      },
      received: () => well().flatMap(({ messages }) => messages.map((message) => message.slice(message.indexOf('{')))),
      async behave(behaviour) {
        await receivers.at(-1)?.stop();
        if (behaviour === 'is gone') return;
        const next = await SyslogReceiver.start({ port });
        if (behaviour === 'hangs' || behaviour === 'resets') next.manner = behaviour;
        receivers.push(next);
      },
      async stop() {
        await receivers.at(-1)?.stop();
      },
    };
  },
};

const file: Harness = {
  behaviours: {
    'refuses one event': 'not applicable: a disk takes every text',
    'is busy': 'not applicable: a disk does not ask to come back',
    'refuses credentials': 'not applicable: a file has no credentials; permissions are tested with the member',
    'is gone': 'not applicable: a file that is missing is made; a path that cannot be is tested with the member',
    resets: 'not applicable: a write that fails half-way is tested with the member, on a full disk',
    hangs: 'not applicable: a write to a disk cannot be called back',
    'answers hugely': 'not applicable: a disk does not answer',
  },
  async start() {
    const directory = await mkdtemp(join(tmpdir(), 'output-file-'));
    const path = join(directory, 'made', 'by-output.log');
    return {
      options: { path },
      received: () => linesOf(readFileSync(path, 'utf8')),
      behave() {},
      stop: () => rm(directory, { recursive: true }),
    };
  },
};

const stdout: Harness = {
  behaviours: {
    'refuses one event': 'not applicable: a pipe takes every text',
    'is busy': 'not applicable: a pipe does not ask to come back',
    'refuses credentials': 'not applicable: a pipe has no credentials',
    'is gone': 'not applicable: a pipe without a reader stays so; tested with the member',
    resets: 'not applicable: a pipe without a reader stays so; tested with the member',
    hangs: 'applies',
    'answers hugely': 'not applicable: a pipe does not answer',
  },
  noLimit: 'a reader that is slow holds the output back for as long as it likes',
  async start() {
    let text = '';
    let held: (() => void) | undefined;
    let holding = false;
    const stream = new Writable({
      write(chunk, _encoding, done) {
        if (holding) {
          held = done;
          return;
        }
        text += chunk;
        done();
      },
    });
    return {
      options: {},
      context: { stdout: stream },
      received: () => linesOf(text),
      behave(behaviour) {
        holding = behaviour === 'hangs';
        if (!holding) held?.();
      },
      async stop() {
        stream.destroy();
      },
    };
  },
};

/** By the name of the member, as the table has it. */
export const harnesses: Readonly<Record<string, Harness>> = { syslog, webhook, file, stdout };
