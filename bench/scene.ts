import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Simulator } from '../src/simulate/simulator.ts';
import { freePorts } from '../test/ports.ts';
import { daemonCommand } from './daemon.ts';
import { HttpSink } from './http-sink.ts';
import type { Workplace } from './measure.ts';
import { Child, type Command, SUBJECT_CORE } from './processes.ts';
import { usageOfTree } from './usage.ts';

/** What a command may print. */
const MOST_PRINTED = 1024 ** 3;

/** A daemon on a store of ours, with a Mimecast, an output that works and one that is dead until it is revived. */
export class Scene {
  readonly simulator: Simulator;
  readonly live: HttpSink;
  readonly daemon: Child;
  readonly command: Command;
  readonly startMs: number;
  readonly url: string;
  readonly #deadPort: number;
  #revived: Server | undefined;
  delivered = 0;

  private constructor(
    parts: Pick<Scene, 'simulator' | 'live' | 'daemon' | 'command' | 'startMs' | 'url'>,
    deadPort: number,
  ) {
    this.simulator = parts.simulator;
    this.live = parts.live;
    this.daemon = parts.daemon;
    this.command = parts.command;
    this.startMs = parts.startMs;
    this.url = parts.url;
    this.#deadPort = deadPort;
  }

  static async start(
    workplace: Workplace,
    prepare: (store: string) => void,
    { feed = {}, mail = () => undefined }: { feed?: object; mail?: (simulator: Simulator) => void } = {},
  ): Promise<Scene> {
    const simulator = await Simulator.start({ seed: 'bounds' });
    mail(simulator);
    const live = await HttpSink.start();
    const [deadPort = 0, httpPort = 0] = await freePorts(2);
    const folder = workplace.next();
    const store = join(folder, 'forwarder.db');
    prepare(store);
    // What has been written to prepare it shall not be written while the daemon starts.
    spawnSync('sync');
    const command = daemonCommand({
      ...{ folder, store, httpPort, maxSize: '1000GiB', api: { port: simulator.port, ...simulator.credentials } },
      feed: { schedule: '* * * * * *', settle: '0s', overlap: '1m', startFrom: '1m', sweep: false, ...feed },
      outputs: [
        { name: 'live', type: 'webhook', url: live.url, startFrom: 'now' },
        {
          name: 'dead',
          type: 'webhook',
          url: `http://127.0.0.1:${deadPort}/`,
          startFrom: 'beginning',
          retry: { maxDelay: '1s' },
          gzip: false,
        },
      ],
    });
    const log = join(folder, 'daemon.log');
    const daemon = await Child.start(command, { core: SUBJECT_CORE, log, quiet: true });
    const url = `http://127.0.0.1:${httpPort}`;
    const startMs = await answered(daemon, url);
    return new Scene({ simulator, live, daemon, command, startMs, url }, deadPort);
  }

  /** New mail every half second for so long; how long the slowest took to be at the output that works, ms. */
  async slowestLive(seconds: number): Promise<number> {
    const until = Date.now() + seconds * 1000;
    let slowest = 0;
    while (Date.now() < until) {
      const sentAt = Date.now();
      const before = this.live.identities.size;
      this.simulator.seed(5, { from: sentAt - 2000, to: sentAt - 1000 });
      while (this.live.identities.size < before + 5 && Date.now() < sentAt + 30_000) await sleep(10);
      slowest = Math.max(slowest, Date.now() - sentAt);
      await sleep(500);
    }
    return slowest;
  }

  /** The dead output takes everything from now on. */
  async revive(): Promise<void> {
    this.#revived = createServer((request, response) => {
      let lines = 0;
      request
        .on('data', (chunk: Buffer) => {
          for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines += 1;
        })
        .on('end', () => {
          this.delivered += lines;
          response.writeHead(200, { 'content-length': 0 }).end();
        });
    });
    await once(this.#revived.listen(this.#deadPort, '127.0.0.1'), 'listening');
  }

  /** How long a command takes beside the daemon, ms, the start of its process included. */
  time(...args: readonly string[]): number {
    const [program, verb, ...config] = splitAtRun(this.command);
    const startedAt = performance.now();
    const { status, stderr } = spawnSync(program, [...verb, ...args, ...config], {
      cwd: this.command.cwd,
      encoding: 'utf8',
      maxBuffer: MOST_PRINTED,
    });
    // 1 says that something is in trouble, which is so.
    if (status !== 0 && status !== 1) throw new Error(`${args.join(' ')}: ${stderr}`);
    return performance.now() - startedAt;
  }

  async scrapeMs(): Promise<number> {
    const startedAt = performance.now();
    await (await fetch(`${this.url}/metrics`)).text();
    return performance.now() - startedAt;
  }

  get peakBytes(): number {
    if (!this.daemon.isRunning) throw new Error('the daemon has ended in the middle');
    return usageOfTree(this.daemon.pid).peakBytes;
  }

  async stop(): Promise<void> {
    await this.daemon.stop();
    this.#revived?.closeAllConnections();
    this.#revived?.close();
    await this.live.stop();
    await this.simulator.stop();
  }
}

/** The program and what comes before and after `run` in the command of a daemon. */
function splitAtRun({ file, args }: Command): [string, string[], ...string[]] {
  const at = args.indexOf('run');
  return [file, args.slice(0, at), ...args.slice(at + 1)];
}

async function answered(daemon: Child, url: string): Promise<number> {
  while (daemon.isRunning) {
    const answer = await fetch(`${url}/healthz`).catch(() => undefined);
    if (answer?.ok) return Date.now() - daemon.startedAt;
    await sleep(5);
  }
  throw new Error('the daemon ended before it answered');
}
