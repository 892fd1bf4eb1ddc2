import { afterEach, describe, expect, it, vi } from 'vitest';
import { type Output, OutputError } from '../../src/outputs/output.ts';
import { bytesWaitingAt } from '../receivers/listening.ts';
import { type Rsyslog, rsyslogIsInstalled, startRsyslog } from '../receivers/rsyslog.ts';
import { eventsOf, never, open, plainFormat } from './syslog-senders.ts';

/**
 * What `confirm: close` is worth when a real rsyslog is stopped, killed or hung under load: every event arrives at least
 * once, and what was confirmed is there.
 */
describe.skipIf(!rsyslogIsInstalled)('rsyslog, confirmed by close', () => {
  let rsyslog: Rsyslog;
  let output: Output;

  afterEach(async () => {
    await output.close();
    await rsyslog.stop();
  });

  it('killed in mid-flow, again and again, has all that it confirmed while it lived', async () => {
    rsyslog = await startRsyslog({ writeThrough: true });
    output = open({ protocol: 'tcp', port: rsyslog.tcpPort }, plainFormat);
    const flow = new Flow(output);
    const lostByTheKernel: string[] = [];
    for (let deaths = 0; deaths < 3; deaths += 1) {
      await flow.goesOn();
      // No waiting in between: what counts is what was known when the signal went out.
      const confirmed = flow.confirmed.filter((text) => !lostByTheKernel.includes(text));
      const { inHand } = flow;
      await rsyslog.kill9();
      expect(await missing(rsyslog, confirmed)).toEqual([]);
      await flow.fails();
      // It had read this batch and died over storing it. The kernel of a dead process ends such a connection in good order, so
      // the batch counts as confirmed; see docs/reliability.md.
      lostByTheKernel.push(...(await missing(rsyslog, inHand)).filter((text) => flow.confirmed.includes(text)));
      await rsyslog.restart();
    }
    await flow.goesOn();
    await flow.stop();
    const lost = await missing(rsyslog, textsOf(0, flow.sent));
    expect(lost.filter((text) => !lostByTheKernel.includes(text))).toEqual([]);
  });

  it('killed with a batch unread, has it once it is back', async () => {
    rsyslog = await startRsyslog({ writeThrough: true });
    output = open({ protocol: 'tcp', port: rsyslog.tcpPort }, plainFormat);
    await output.send(eventsOf(textsOf(0, 10)), never);
    await rsyslog.pause();
    const batch = eventsOf(textsOf(10, 10));
    const sending = output.send(batch, never);
    // Its kernel has acknowledged every byte by now, and our end; only the process has not read them.
    await expect.poll(() => bytesWaitingAt(rsyslog.tcpPort)).toBeGreaterThan(1_000);
    await Promise.all([
      expect(sending).rejects.toMatchObject({ reason: 'unconfirmed', disposition: 'retry' }),
      rsyslog.kill9(),
    ]);
    await rsyslog.restart();
    await output.send(batch, never);
    expect(await missing(rsyslog, textsOf(0, 20))).toEqual([]);
  });

  it('stopped in good order in mid-flow, again and again, loses nothing that it had confirmed', async () => {
    rsyslog = await startRsyslog();
    output = open({ protocol: 'tcp', port: rsyslog.tcpPort }, plainFormat);
    const flow = new Flow(output);
    for (let stops = 0; stops < 3; stops += 1) {
      await flow.goesOn();
      await rsyslog.terminate();
      const confirmed = [...flow.confirmed];
      expect(await missing(rsyslog, confirmed)).toEqual([]);
      await flow.fails();
      await rsyslog.restart();
    }
    await flow.goesOn();
    await flow.stop();
    await expect.poll(() => missing(rsyslog, flow.confirmed)).toEqual([]);
    expect(flow.confirmed.length).toBe(flow.sent);
  });

  it('hung, confirms nothing, and has everything once it goes on', async () => {
    rsyslog = await startRsyslog();
    output = open({ protocol: 'tcp', port: rsyslog.tcpPort, sendTimeout: '200ms' }, plainFormat);
    await output.send(eventsOf(textsOf(0, 100)), never);
    await rsyslog.pause();
    const hung = eventsOf(textsOf(100, 100));
    await expect(output.send(hung, never)).rejects.toMatchObject({ reason: 'unconfirmed', disposition: 'retry' });
    rsyslog.resume();
    await vi.waitFor(() => output.send(hung, never));
    await expect.poll(() => missing(rsyslog, textsOf(0, 200))).toEqual([]);
  });

  it('hung in the middle of a large batch, has it once it goes on', async () => {
    rsyslog = await startRsyslog();
    output = open({ protocol: 'tcp', port: rsyslog.tcpPort, sendTimeout: '20s' }, plainFormat);
    const texts = textsOf(0, 3_000).map((text) => text.padEnd(6_000, '.'));
    await rsyslog.pause();
    const sending = output.send(eventsOf(texts), never);
    let confirmed = false;
    void sending.then(() => {
      confirmed = true;
    });
    rsyslog.resume();
    await expect.poll(async () => (await rsyslog.lines()).length, { interval: 1 }).toBeGreaterThan(0);
    await rsyslog.pause();
    expect(confirmed).toBe(false);
    rsyslog.resume();
    await sending;
    await expect.poll(() => missing(rsyslog, texts), { timeout: 10_000 }).toEqual([]);
  });
});

function textsOf(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `event ${first + index}`);
}

async function missing(rsyslog: Rsyslog, texts: readonly string[]): Promise<string[]> {
  const arrived = new Set((await rsyslog.lines()).map(({ msg }) => msg));
  return texts.filter((text) => !arrived.has(text));
}

/** Sends batch after batch, each until it is confirmed, as the dispatcher does. */
class Flow {
  /** Texts of the batches that were confirmed, in order. */
  readonly confirmed: string[] = [];
  sent = 0;
  /** Texts of the batch that is being sent. */
  inHand: readonly string[] = [];
  #failures = 0;
  #stopped = false;
  readonly #output: Output;
  readonly #done: Promise<void>;

  constructor(output: Output) {
    this.#output = output;
    this.#done = this.#run();
  }

  /** Resolves when ten more batches are confirmed. */
  async goesOn(): Promise<void> {
    const enough = this.confirmed.length + 10 * BATCH;
    await expect.poll(() => this.confirmed.length, { timeout: 10_000, interval: 1 }).toBeGreaterThanOrEqual(enough);
  }

  /** Resolves when a batch has failed that was begun no earlier than now. */
  async fails(): Promise<void> {
    const enough = this.#failures + 2;
    await expect.poll(() => this.#failures, { timeout: 10_000 }).toBeGreaterThanOrEqual(enough);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#stopped) {
      this.inHand = textsOf(this.sent, BATCH);
      this.sent += BATCH;
      await vi.waitUntil(() => this.#isConfirmed(this.inHand), { timeout: 15_000, interval: 20 });
      this.confirmed.push(...this.inHand);
    }
  }

  async #isConfirmed(texts: readonly string[]): Promise<boolean> {
    try {
      await this.#output.send(eventsOf(texts, this.sent), never);
      return true;
    } catch (error) {
      if (!(error instanceof OutputError) || error.disposition !== 'retry') throw error;
      this.#failures += 1;
      return false;
    }
  }
}

const BATCH = 50;
