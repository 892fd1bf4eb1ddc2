import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import Database from 'better-sqlite3';
import { stringify } from 'yaml';
import { Simulator } from '../../src/simulate/simulator.ts';
import { freePorts } from '../ports.ts';
import { certificates } from './certificates.ts';
import { configOf, PAGE_SIZES } from './config.ts';
import { DaemonProcess } from './daemon-process.ts';
import { OUTPUTS, type OutputName } from './fault.ts';
import type { Life } from './oracle.ts';
import { ReceiverProcess } from './receiver-process.ts';
import type { Zone } from './schedule.ts';
import { Volume } from './volume.ts';

/** Why a daemon may end by itself: it says so, and whoever supervises it starts it again. */
const STORE_EXIT = 3;
/** A daemon that has met a disk which failed may take as long as a stop may take to end. */
const STOP_MS = 10_000;
const START_PATIENCE_MS = 15_000;
const CLOCK_FILE = 'clock';
const SECRET_FILE = 'secret';
const CA_FILE = 'ca.pem';
/** How long before a change of summer time a run begins. */
const BEFORE_CHANGE_MS = 3000;
/** Mail from before the daemon's first start, over several windows and many pages. */
const OLD_MAIL = 240;
const OLD_MAIL_SPAN_MS = 20 * 3_600_000;
const OLD_MAIL_SHOWN_MS = 10_000;

export interface WorldOptions {
  readonly folder: string;
  readonly seed: string;
  /** The program's entry file. */
  readonly program: string;
  /** See `Plan`. */
  readonly zone?: Zone | undefined;
  readonly tls?: boolean | undefined;
}

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
  /** How often Mimecast has refused the client's secret. */
  refusedCredentials = 0;
  /** The newest life that ended in good order: all of it is in the store itself, nothing in the write-ahead log. */
  lastSettledLife: number | undefined;
  backup: { readonly file: string; readonly life: number; readonly served: number } | undefined;
  /** The true time of this world, ahead of the machine's, ms. */
  readonly #ahead: number;
  readonly #tls: boolean;
  #judgedExits = 0;
  #diskTakenUntil = Number.NEGATIVE_INFINITY;
  #changes = 0;
  /** Which of the two authorities has issued what the receiver shows. */
  #shown: 0 | 1 = 0;

  private constructor(options: WorldOptions, ports: readonly number[], simulator: Simulator, ahead: number) {
    const { folder, program, zone, tls = false } = options;
    this.folder = folder;
    this.simulator = simulator;
    this.#ahead = ahead;
    this.#tls = tls;
    this.volume = new Volume(join(folder, 'disk'));
    // Compiled once for all that are started in a row of runs: a third of what a start costs.
    const cache = { NODE_COMPILE_CACHE: join(dirname(folder), 'compile-cache') };
    const clock = { CAMPAIGN_CLOCK: join(folder, CLOCK_FILE), TZ: zone?.name ?? 'UTC' };
    this.daemon = new DaemonProcess({ program, folder, env: { ...cache, ...clock } });
    const receiver = (name: OutputName): ReceiverProcess => {
      const isSecured = name === 'close' && tls;
      const port = ports[OUTPUTS.indexOf(name)] ?? 0;
      const env = { ...process.env, ...cache };
      return new ReceiverProcess({ name, port, folder, env, ...(isSecured && { certificates: certificates()[0] }) });
    };
    this.receivers = { close: receiver('close'), relp: receiver('relp'), hook: receiver('hook') };
  }

  static async create(options: WorldOptions): Promise<World> {
    const { folder, seed, zone } = options;
    mkdirSync(folder, { recursive: true });
    const ports = await freePorts(OUTPUTS.length);
    const ahead = zone ? zone.change - BEFORE_CHANGE_MS - Date.now() : 0;
    let onLine: (line: string) => void = () => undefined;
    // What is there from the beginning has been shown for a while: a clock of the API that is put back does not hide it again.
    let behind = OLD_MAIL_SHOWN_MS;
    const simulator = await Simulator.start({
      seed: `campaign-${seed}`,
      pageSize: PAGE_SIZES[0],
      now: () => Date.now() + ahead - behind,
      onLine: (line) => onLine(line),
    });
    simulator.seed(OLD_MAIL, { from: simulator.now() - OLD_MAIL_SPAN_MS, to: simulator.now() });
    behind = 0;
    const world = new World(options, ports, simulator, ahead);
    onLine = (line) => {
      if (line.includes('InvalidClientIdentifier')) world.refusedCredentials += 1;
    };
    world.stepClock(0);
    world.setSecret(simulator.credentials.clientSecret);
    world.trustCertificate();
    world.configure();
    await Promise.all(Object.values(world.receivers).map((one) => one.start()));
    return world;
  }

  /** Is the disk so, or was it a moment ago, that the daemon may say that it cannot go on? */
  get isDiskTaken(): boolean {
    return Date.now() < this.#diskTakenUntil;
  }

  /** From now on the daemon may find that it cannot go on, until `freeDisk`. */
  takeDisk(): void {
    this.#diskTakenUntil = Number.POSITIVE_INFINITY;
  }

  fillDisk(left: number): void {
    if (this.volume.limit !== undefined) return;
    this.takeDisk();
    this.volume.fill(left);
  }

  freeDisk(): void {
    this.volume.free();
    this.#diskTakenUntil = Math.min(this.#diskTakenUntil, Date.now() + STOP_MS);
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
    for (const { life, code, at, said } of this.daemon.unasked.slice(this.#judgedExits)) {
      this.#judgedExits += 1;
      const isAllowed = code === STORE_EXIT && at < this.#diskTakenUntil;
      if (!isAllowed) this.complaints.push(`life ${life} ended by itself with code ${code}: ${said}`);
    }
    this.start();
  }

  async untilUp(): Promise<void> {
    this.daemon.signal('SIGCONT');
    const deadline = Date.now() + START_PATIENCE_MS;
    while (!this.daemon.isUp && this.daemon.isRunning && Date.now() < deadline) await sleep(20);
  }

  /** Steps the daemon's wall clock to so many ms ahead of the true time. */
  stepClock(ahead: number): void {
    writeFileSync(join(this.folder, CLOCK_FILE), String(this.#ahead + ahead));
  }

  /** Has retention let go of events? To be asked while the daemon runs: a reader that is alone makes files of its own. */
  hasPruned(): boolean {
    if (!this.daemon.isUp) return false;
    const db = new Database(this.volume.storeFile, { readonly: true });
    try {
      return Number(db.prepare('SELECT min(seq) FROM event').pluck().get() ?? 0) > 1;
    } finally {
      db.close();
    }
  }

  /** The receiver shows a certificate of the other authority, which the daemon does not know yet. */
  rotateCertificate(): void {
    this.#shown = this.#shown === 0 ? 1 : 0;
    if (this.#tls) this.receivers.close.present(certificates()[this.#shown]);
  }

  /** The daemon is given the authority of what the receiver shows. */
  trustCertificate(): void {
    if (this.#tls) writeFileSync(join(this.folder, CA_FILE), certificates()[this.#shown].authority);
  }

  setSecret(secret: string): void {
    writeFileSync(join(this.folder, SECRET_FILE), secret, { mode: 0o600 });
  }

  /** Writes another config: of the feed each time, and of an output every second time. */
  changeConfig(): void {
    this.#changes += 1;
    this.configure();
  }

  /** Writes the config; `whole` false: one that cannot be applied. */
  configure(whole = true): void {
    const { simulator, receivers, volume, folder } = this;
    const changes = this.#changes;
    const secretFile = join(folder, SECRET_FILE);
    const caFile = this.#tls ? join(folder, CA_FILE) : undefined;
    const config = configOf({ simulator, receivers, storeFile: volume.storeFile, secretFile, caFile, changes, whole });
    writeFileSync(join(folder, 'forwarder.yaml'), stringify(config), { mode: 0o600 });
  }

  /** Has anything been read since the backup? */
  isAheadOfBackup(): boolean {
    return this.simulator.served.count > (this.backup?.served ?? Number.POSITIVE_INFINITY);
  }

  /** Ends all that runs. `keep`: the store is copied from its disk, which goes away, into the folder. */
  async remove(keep: boolean): Promise<void> {
    await this.daemon.end('SIGKILL');
    if (keep && this.volume.limit === undefined)
      cpSync(this.volume.folder, join(this.folder, 'store'), { recursive: true });
    await Promise.all([...Object.values(this.receivers).map((receiver) => receiver.end()), this.simulator.stop()]);
    this.volume.remove();
  }
}
