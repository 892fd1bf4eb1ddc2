import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type MockInstance, onTestFinished, vi } from 'vitest';
import type { Poller, PollStep } from '../../src/collect/poller.ts';
import type { WalkContext } from '../../src/collect/walk.ts';
import { attachment } from '../../src/feeds/attachment.ts';
import type { TimeWindow } from '../../src/feeds/feed.ts';
import { MimecastClient, type PageRequest } from '../../src/mimecast/client.ts';
import { mimecastOptions } from '../../src/mimecast/options.ts';
import { Simulator, type SimulatorOptions } from '../../src/simulate/simulator.ts';
import { eventId } from '../../src/store/key.ts';
import { Store } from '../../src/store/store.ts';
import { createLogger } from '../../src/telemetry/logger.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { MemoryStream } from '../telemetry/memory-stream.ts';

/** A real store, a real client and a simulated Mimecast: what the tests of reading stand on. */

export const SECOND = 1000;
export const MINUTE = 60_000;
export const HOUR = 3_600_000;
/** A whole second, as the archive counts. */
export const NOON = Date.UTC(2026, 10, 23, 12);

export const NEVER = new AbortController().signal;

/** For what must not happen: it fails the test. */
export function rethrow(error: unknown): never {
  throw error;
}

/** A clock that stands until it is set. */
export class Clock {
  ms: number;

  constructor(ms: number) {
    this.ms = ms;
  }

  readonly now = (): number => this.ms;
}

export function storePath(): string {
  const folder = mkdtempSync(join(tmpdir(), 'forwarder-collect-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return join(folder, 'forwarder.db');
}

/** Opens a store that is closed with the test. */
export function openStore(path: string = storePath()): Store {
  const store = Store.open(path);
  onTestFinished(() => store.close());
  return store;
}

/** A simulated Mimecast that is stopped with the test. */
export async function startSimulator(options: SimulatorOptions = {}): Promise<Simulator> {
  const simulator = await Simulator.start({ seed: 'collect', ...options });
  onTestFinished(() => simulator.stop());
  return simulator;
}

export function clientOf(simulator: Simulator, metrics: Metrics): MimecastClient {
  const { clientId, clientSecret } = simulator.credentials;
  const options = mimecastOptions.parse({
    baseUrl: simulator.url,
    auth: { type: 'oauth2', clientId, clientSecret },
    requestsPerMinute: 60_000,
  });
  return new MimecastClient(options, { metrics, userAgent: 'mimecast-forwarder/test' });
}

/**
 * What a feed needs to be read. A second one on the same store is what a restart makes: nothing but the store is remembered.
 *
 * With a `clock`, Mimecast's now is exactly that: the client's own estimate is good to half a second only, and it follows a clock
 * that jumps only after some answers. Without, it is the client's.
 */
export function contextFor(
  simulator: Simulator,
  store: Store,
  more: Partial<WalkContext> = {},
  clock?: Clock,
): WalkContext {
  const metrics = more.metrics ?? new Metrics();
  const client = more.client ?? clientOf(simulator, metrics);
  onTestFinished(() => client.close());
  if (clock) vi.spyOn(client, 'serverNow').mockImplementation(async () => clock.ms);
  const feed = attachment.create({ name: 'mail', key: attachment.defaultKey });
  return {
    client,
    store,
    feed,
    metrics,
    pageSize: 500,
    variants: 'suppress',
    now: Date.now,
    ...more,
  };
}

/** A log that can be looked at. */
export function memoryLog(): { stream: MemoryStream; logger: ReturnType<typeof createLogger> } {
  const stream = new MemoryStream();
  return { stream, logger: createLogger({ level: 'debug', format: 'json', destination: stream }) };
}

/** Polls until all that can be asked for has been read, and returns every step. Bounded: a walk without end fails the test. */
export async function readAll(poller: Poller, signal: AbortSignal = NEVER): Promise<PollStep[]> {
  const steps: PollStep[] = [];
  for (let tries = 0; tries < 500; tries += 1) {
    const step = await poller.pollOnce(signal);
    steps.push(step);
    if (step.caughtUp) return steps;
  }
  throw new Error('the poller never caught up');
}

/** The ids of all events in the outbox, in order. */
export function storedIds(store: Store): string[] {
  const ids: string[] = [];
  for (let seq = 0; ; ) {
    const rows = store.outbox.read(seq, { maxEvents: 1000, maxBytes: 1e9 });
    if (rows.length === 0) return ids;
    for (const row of rows) {
      ids.push(row.id);
      seq = row.seq;
    }
  }
}

/** The ids of all records that Mimecast shows, oldest first. */
export function visibleIds(simulator: Simulator): string[] {
  const feed = attachment.create({ name: 'mail', key: attachment.defaultKey });
  return [...simulator.visibleRecords()].map((record) => {
    const identity = feed.identify(record);
    if ('malformed' in identity) throw new Error(`the simulator made a record that is none: ${identity.malformed}`);
    return eventId(feed.type, identity.time, identity.parts);
  });
}

/** What was asked of Mimecast, page by page. */
export interface AskedPage extends TimeWindow {
  readonly token: boolean;
  readonly background: boolean;
}

/** Reads the calls of a spied `fetchPage`. */
export function pagesAsked(fetchPage: MockInstance<MimecastClient['fetchPage']>): AskedPage[] {
  return fetchPage.mock.calls.map(([request]) => askedPage(request));
}

function askedPage({ filter, pageToken, background }: PageRequest<unknown>): AskedPage {
  return {
    from: timeOf(filter.from),
    to: timeOf(filter.to),
    token: pageToken !== undefined,
    background: background === true,
  };
}

function timeOf(text: unknown): number {
  return Date.parse(String(text).replace('+0000', 'Z'));
}

/** A record of its own identity, dated `time`, ms. */
export function recordAt(time: number, name: string, more: Record<string, unknown> = {}): Record<string, unknown> {
  return {
    senderAddress: 'sender@example.com',
    recipientAddress: `${name}@example.net`,
    fileName: `${name}.pdf`,
    fileType: 'application/pdf',
    result: 'safe',
    actionTriggered: 'none',
    date: `${new Date(time).toISOString().slice(0, 19)}+0000`,
    route: 'inbound',
    fileHash: `hash-of-${name}`,
    ...more,
  };
}

/** Value of a counter or gauge; 0 when it was never touched. */
export async function metricOf(
  metrics: Metrics,
  name: string,
  labels: Readonly<Record<string, string>> = {},
): Promise<number> {
  const metric = metrics.registry.getSingleMetric(`mimecast_forwarder_${name}`);
  const values = (await metric?.get())?.values ?? [];
  const wanted = Object.entries(labels);
  return values
    .filter((value) => wanted.every(([label, text]) => new Map(Object.entries(value.labels)).get(label) === text))
    .reduce((sum, value) => sum + value.value, 0);
}
