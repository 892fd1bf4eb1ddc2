import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { attachment } from '../../src/feeds/attachment.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { eventId } from '../../src/store/key.ts';
import { freePorts } from '../receivers/process.ts';
import { DaemonProcess } from './daemon-process.ts';
import { refusesForGood } from './journal.ts';
import type { History, Life, OutputHistory } from './oracle.ts';
import { ReceiverProcess } from './receiver-process.ts';
import { OUTPUTS, type OutputName, OVERLAP_MS } from './schedule.ts';
import { Volume } from './volume.ts';

/** The most events of a batch, of every output. */
export const BATCH = 25;
/** The output with a filter, and what it lets through. */
const FILTERED = { output: 'relp', route: ['inbound', 'outbound'] } as const;
/** The output whose receiver refuses events for good. */
const REFUSING = 'hook';
/** Each start of the daemon has its number in its environment, and puts it into what it sends: see `Attempt`. */
const LIFE = `\${LIFE}`;
/** Why a daemon may end by itself: it says so, and whoever supervises it starts it again. */
const STORE_EXIT = 3;
/** A start that met a full disk may say so a little after the disk is free again. */
const START_MS = 3000;
const START_PATIENCE_MS = 15_000;

/** A Mimecast, three receivers, a disk, and between them the real daemon. */
export class World {
  readonly folder: string;
  readonly simulator: Simulator;
  readonly volume: Volume;
  readonly daemon: DaemonProcess;
  readonly receivers: Readonly<Record<OutputName, ReceiverProcess>>;
  readonly lives: Life[] = [];
  /** What went wrong on the way, beside what the oracle finds. */
  readonly complaints: string[] = [];
  pageSize = 40;
  /** The newest life that ended in good order: all of it is in the store itself, nothing in the write-ahead log. */
  lastSettledLife: number | undefined;
  backup: { readonly file: string; readonly life: number } | undefined;
  #judgedExits = 0;
  #diskTakenUntil = Number.NEGATIVE_INFINITY;

  private constructor(parts: Pick<World, 'folder' | 'simulator' | 'volume' | 'daemon' | 'receivers'>) {
    this.folder = parts.folder;
    this.simulator = parts.simulator;
    this.volume = parts.volume;
    this.daemon = parts.daemon;
    this.receivers = parts.receivers;
  }

  static async create(options: {
    readonly folder: string;
    readonly seed: string;
    readonly program: string;
  }): Promise<World> {
    const { folder, seed, program } = options;
    mkdirSync(folder, { recursive: true });
    const ports = await freePorts(OUTPUTS.length);
    const receiver = (name: OutputName): ReceiverProcess =>
      new ReceiverProcess(name, ports[OUTPUTS.indexOf(name)] ?? 0, folder);
    const receivers = { close: receiver('close'), relp: receiver('relp'), hook: receiver('hook') };
    const simulator = await Simulator.start({ seed: `campaign-${seed}`, pageSize: 40 });
    const volume = new Volume(join(folder, 'disk'));
    const clockFile = join(folder, 'clock');
    const world = new World({
      folder,
      simulator,
      volume,
      receivers,
      daemon: new DaemonProcess({ program, folder, clockFile }),
    });
    world.stepClock(0);
    world.setSecret(simulator.credentials.clientSecret);
    world.configure();
    await Promise.all(Object.values(receivers).map((one) => one.start()));
    return world;
  }

  /** Is the disk so, or was it a moment ago, that the daemon may say that it cannot go on? */
  get isDiskTaken(): boolean {
    return Date.now() < this.#diskTakenUntil;
  }

  fillDisk(left: number): void {
    if (this.volume.limit !== undefined) return;
    this.#diskTakenUntil = Number.POSITIVE_INFINITY;
    this.volume.fill(left);
  }

  freeDisk(): void {
    this.volume.free();
    this.#diskTakenUntil = Math.min(this.#diskTakenUntil, Date.now() + START_MS);
  }

  /** Starts the daemon on the store as the life before left it; does nothing while one runs. */
  start(): void {
    this.startOn(this.daemon.life === 0 ? undefined : this.daemon.life);
  }

  /** Starts it on the store as `parent` left it: see `Life`. */
  startOn(parent: number | undefined): void {
    if (this.daemon.isRunning) return;
    this.lives.push({ parent });
    this.daemon.start();
  }

  /** Ends the daemon, if it runs. SIGTERM has to end it with exit code 0 within 10 s, once it is up. */
  async end(signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const isUp = this.daemon.isUp;
    const askedAt = performance.now();
    const code = await this.daemon.end(signal);
    // On a full disk SQLite cannot empty its log at the close: what a later cut takes may then be older.
    if (code === 0 && !this.volume.hasLog) this.lastSettledLife = this.daemon.life;
    if (signal === 'SIGKILL' || code === undefined || !isUp) return;
    const took = performance.now() - askedAt;
    if (code !== 0 && !this.isDiskTaken)
      this.complaints.push(`life ${this.daemon.life}: SIGTERM ended it with code ${code}`);
    if (took > 10_500) this.complaints.push(`life ${this.daemon.life}: it took ${Math.round(took)} ms to stop`);
  }

  /** What systemd does: starts a daemon that has ended by itself. That it did is a complaint, unless its disk was taken from it. */
  supervise(): void {
    for (const { life, code, said } of this.daemon.unasked.slice(this.#judgedExits)) {
      this.#judgedExits += 1;
      const isAllowed = code === STORE_EXIT && this.isDiskTaken;
      if (!isAllowed) this.complaints.push(`life ${life} ended by itself with code ${code}: ${said}`);
    }
    this.start();
  }

  async untilUp(): Promise<void> {
    const deadline = Date.now() + START_PATIENCE_MS;
    while (!this.daemon.isUp && this.daemon.isRunning && Date.now() < deadline) await sleep(20);
  }

  stepClock(ahead: number): void {
    writeFileSync(join(this.folder, 'clock'), String(ahead));
  }

  setSecret(secret: string): void {
    writeFileSync(join(this.folder, 'secret'), secret, { mode: 0o600 });
  }

  /** Writes the config; `whole` false: one that cannot be applied. */
  configure(whole = true): void {
    const batch = { maxEvents: BATCH };
    const syslog = { type: 'syslog', host: '127.0.0.1', hostname: `life-${LIFE}`, sendTimeout: '5s' };
    const { close, relp, hook } = this.receivers;
    const outputs = [
      { ...syslog, name: 'close', protocol: 'tcp', port: close.port },
      { ...syslog, name: 'relp', protocol: 'relp', port: relp.port, filter: { route: FILTERED.route } },
      {
        name: 'hook',
        type: 'webhook',
        url: `http://127.0.0.1:${hook.port}/`,
        headers: { 'x-life': LIFE },
        timeout: '5s',
      },
    ];
    const config = {
      mimecast: {
        baseUrl: this.simulator.url,
        auth: {
          type: 'oauth2',
          clientId: this.simulator.credentials.clientId,
          clientSecretFile: join(this.folder, 'secret'),
        },
        requestsPerMinute: 60_000,
        requestTimeout: '5s',
      },
      feeds: [
        {
          ...{
            type: 'attachment',
            schedule: '* * * * * *',
            startFrom: '24h',
            settle: '0s',
            maxWindow: '6h',
            sweep: false,
          },
          ...{ overlap: `${OVERLAP_MS}ms`, pageSize: this.pageSize },
        },
      ],
      outputs: outputs.map((output) => ({
        ...output,
        ...{ startFrom: 'beginning', retry: { initialDelay: '20ms', maxDelay: '200ms' }, batch },
      })),
      store: { path: this.volume.storeFile, minFreeDisk: '1MiB' },
      http: whole ? false : { listen: 'nowhere' },
      log: { level: 'info', format: 'json' },
    };
    writeFileSync(join(this.folder, 'forwarder.yaml'), stringify(config), { mode: 0o600 });
  }

  /** Ids of what Mimecast has served and of what it shows at `at`, ms by its own clock, with the route of each. */
  records(at: number): { readonly served: ReadonlyMap<string, string>; readonly shown: ReadonlyMap<string, string> } {
    return { served: routes(this.simulator.servedRecords()), shown: routes(this.simulator.visibleRecords(at)) };
  }

  /** What every output should have in the end: what was served, and what is shown at `at`. */
  isDrained(at: number): boolean {
    const { served, shown } = this.records(at);
    const routeOf = new Map([...served, ...shown]);
    return OUTPUTS.every((name) => {
      const attempts = this.receivers[name].attempts();
      const settled = new Set(attempts.flatMap(({ ids, refused }) => [...ids, ...refused]));
      return [...routeOf].every(([id, route]) => settled.has(id) || !isWanted(name, route));
    });
  }

  /** To be called when the daemon has stopped. `at`: see `isDrained`; `malformedBefore`: those that were served while faults went on. */
  history(at: number, malformedBefore: ReadonlySet<string>): History {
    const { served, shown } = this.records(at);
    const routeOf = new Map([...served, ...shown]);
    const listed = this.daemon.ask('rejects', 'list') as {
      readonly rejects: readonly { readonly output: string; readonly eventId: string }[];
      readonly malformed: readonly { readonly raw: string }[];
    };
    const output = (name: OutputName): OutputHistory => ({
      name,
      batch: BATCH,
      attempts: this.receivers[name].attempts(),
      wanted: new Set([...routeOf].flatMap(([id, route]) => (isWanted(name, route) ? [id] : []))),
      rejects: listed.rejects.filter((reject) => reject.output === name).map(({ eventId }) => eventId),
      refuses: (id) => name === REFUSING && refusesForGood(id),
      receiverEnds: this.receivers[name].ends,
    });
    return {
      served: new Set(served.keys()),
      unread: new Set([...shown.keys()].filter((id) => !served.has(id))),
      malformed: {
        served: [...this.simulator.served.malformed].filter((text) => !malformedBefore.has(text)),
        kept: listed.malformed.map(({ raw }) => raw),
      },
      lives: this.lives,
      outputs: OUTPUTS.map(output),
    };
  }

  /** Ends all that runs. `keep`: the store is copied from its disk, which goes away, into the folder. */
  async remove(keep: boolean): Promise<void> {
    await this.daemon.end('SIGKILL');
    if (keep && this.volume.limit === undefined)
      cpSync(this.volume.folder, join(this.folder, 'store'), { recursive: true });
    await Promise.all(Object.values(this.receivers).map((receiver) => receiver.end()));
    await this.simulator.stop();
    this.volume.remove();
  }
}

const FEED = attachment.create({ name: 'attachment', key: attachment.defaultKey });

function routes(records: Iterable<Readonly<Record<string, unknown>>>): Map<string, string> {
  const routeOf = new Map<string, string>();
  for (const record of records) {
    const identity = FEED.identify(record);
    if ('malformed' in identity) throw new Error(`the simulator made a record that is none: ${identity.malformed}`);
    routeOf.set(eventId(FEED.type, identity.time, identity.parts), String(record.route));
  }
  return routeOf;
}

function isWanted(name: OutputName, route: string): boolean {
  return name !== FILTERED.output || FILTERED.route.some((passing) => passing === route);
}
