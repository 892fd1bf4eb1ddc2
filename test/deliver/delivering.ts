import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { type MockInstance, onTestFinished, vi } from 'vitest';
import { Dispatcher, type DispatcherOptions } from '../../src/deliver/dispatcher.ts';
import type { ForwarderEvent, RawRecord } from '../../src/event.ts';
import { attachment } from '../../src/feeds/attachment.ts';
import { type Output, OutputError, type Sent } from '../../src/outputs/output.ts';
import { eventId } from '../../src/store/key.ts';
import { Store } from '../../src/store/store.ts';
import { Episode, type Failure } from '../../src/telemetry/episodes.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { MemoryStream } from '../telemetry/memory-stream.ts';

/** A real store with events in it, and outputs that do as a test says. */

export const START = Date.UTC(2026, 10, 23, 12);
export const NEVER = new AbortController().signal;

const feed = attachment.create({ name: 'mail', key: attachment.defaultKey });

export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'forwarder-deliver-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Opens a store that is closed with the test; the output `siem` begins at its beginning. */
export function openStore(path: string = join(temporaryFolder(), 'forwarder.db')): Store {
  const store = Store.open(path);
  onTestFinished(() => store.close());
  if (store.cursors.get('siem') === undefined) store.startOutput('siem', 'beginning');
  return store;
}

/** Stores one page of records numbered from `first`, a second apart. Their `fileName` is their number. */
export function addEvents(store: Store, count: number, first = 1, more: RawRecord = {}): void {
  const candidates = Array.from({ length: count }, (_, index) => {
    const number = first + index;
    const time = START + number * 1000;
    const record = {
      fileName: String(number),
      recipientAddress: `private-${number}@example.net`,
      subject: 'private words',
      fileHash: `hash-${number}`,
      date: `${new Date(time).toISOString().slice(0, 19)}+0000`,
      ...more,
    };
    const id = eventId('attachment', time, [`hash-${number}`]);
    return { raw: Buffer.from(JSON.stringify(record)), value: { id, time } };
  });
  store.storePage({ feed: 'mail', type: 'attachment', candidates, variants: 'suppress', now: START });
}

export function numberOf(event: ForwarderEvent): number {
  return Number(event.record.fileName);
}

/** 1, 2, … */
export function numbers(count: number, first = 1): number[] {
  return Array.from({ length: count }, (_, index) => first + index);
}

export const ACCEPTED: Sent = { rejected: [], shortened: 0 };

/** An output that keeps what it was given, and answers as `react` says. */
export class ScriptedOutput implements Output {
  /** The numbers of every batch that was offered. */
  readonly offered: number[][] = [];
  /** The numbers that were accepted, in order. */
  readonly accepted: number[] = [];
  /** How many sends are in flight. */
  inFlight = 0;
  react: (events: readonly ForwarderEvent[], signal: AbortSignal) => Sent | Promise<Sent> = () => ACCEPTED;

  async send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    this.offered.push(events.map(numberOf));
    this.inFlight += 1;
    try {
      const sent = await this.react(events, signal);
      const open = new Set([...sent.rejected.map(({ event }) => event), ...(sent.unsettled?.events ?? [])]);
      for (const event of events) if (!open.has(event)) this.accepted.push(numberOf(event));
      return sent;
    } finally {
      this.inFlight -= 1;
    }
  }

  async probe(): Promise<string> {
    return 'there';
  }

  async close(): Promise<void> {}
}

export function failure(disposition: OutputError['disposition'], more: { retryAfterMs?: number } = {}): OutputError {
  const reason = { retry: 'connect', split: 'refused', halt: 'auth' } as const;
  return new OutputError(`it does not work: ${disposition}`, { reason: reason[disposition], disposition, ...more });
}

/** Refuses, for its content, every batch that has one of these numbers in it. */
export function refusing(bad: ReadonlySet<number>): ScriptedOutput['react'] {
  return (events) => {
    if (events.some((event) => bad.has(numberOf(event)))) throw failure('split');
    return ACCEPTED;
  };
}

/** The numbers of the events that were refused for good, in the order in which they were. */
export function rejectedNumbers(store: Store): number[] {
  return store.rejects
    .list()
    .map(({ event }) => Number((JSON.parse(event.raw.toString()) as { fileName: string }).fileName));
}

export interface Delivering {
  readonly dispatcher: Dispatcher;
  readonly output: ScriptedOutput;
  readonly metrics: Metrics;
  readonly log: MemoryStream;
  readonly stopping: AbortController;
  readonly abort: AbortController;
  /** Runs it until the test, or `stopping`, ends it. */
  start(): Promise<void>;
  readonly failures: () => Failure[];
}

export function dispatcherFor(
  store: Store,
  options: Partial<DispatcherOptions> & { output?: ScriptedOutput; now?: () => number } = {},
): Delivering {
  const { output = new ScriptedOutput(), ...rest } = options;
  return { ...delivering(store, output, rest), output };
}

/** The same with any output. */
export function delivering(
  store: Store,
  output: Output,
  options: Partial<DispatcherOptions> & { now?: () => number } = {},
): Omit<Delivering, 'output'> {
  const { now = () => START, ...rest } = options;
  const log = new MemoryStream();
  const logger = createLogger({ level: 'debug', format: 'json', destination: log });
  const metrics = new Metrics();
  const name = rest.name ?? 'siem';
  const episode = new Episode({ subject: `output ${name}`, fields: { output: name }, logger, now });
  const failed: MockInstance<Episode['failed']> = vi.spyOn(episode, 'failed');
  const dispatcher = new Dispatcher({
    output,
    options: {
      name,
      batch: { maxEvents: 10, maxBytes: 1024 * 1024 },
      retry: { initialDelay: 1, maxDelay: 4 },
      ...rest,
    },
    store,
    sourceOf: () => feed,
    metrics,
    episode,
    logger,
    now,
  });
  const [stopping, abort] = [new AbortController(), new AbortController()];
  onTestFinished(() => {
    stopping.abort();
    abort.abort();
  });
  return {
    dispatcher,
    metrics,
    log,
    stopping,
    abort,
    start: () => dispatcher.run({ stopping: stopping.signal, abort: abort.signal }),
    failures: () => failed.mock.calls.map(([failure]) => failure),
  };
}

/** Delivers until there is nothing left, without waiting for anything. */
export async function deliverAll(dispatcher: Dispatcher): Promise<void> {
  while (await dispatcher.deliverOnce(NEVER));
}

/** What a process that starts now would read: committed state only, seen over a connection of its own. */
export function durable(path: string): { cursor: (output?: string) => number | undefined; rejects: () => number } {
  const ask = (sql: string, ...values: string[]): number | undefined => {
    const db = new Database(path, { readonly: true });
    try {
      return db
        .prepare<string[], number>(sql)
        .pluck()
        .get(...values);
    } finally {
      db.close();
    }
  };
  return {
    cursor: (output = 'siem') => ask('SELECT seq FROM cursor WHERE output = ?', output),
    rejects: () => ask('SELECT count(*) FROM reject') ?? 0,
  };
}

/** Copies what is committed: the store as a kill at this moment would leave it. */
export function copyOfStore(path: string, copy: string): void {
  const db = new Database(path);
  try {
    db.prepare('VACUUM INTO ?').run(copy);
  } finally {
    db.close();
  }
}
