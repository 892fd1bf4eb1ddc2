import { afterEach, describe, expect, it, vi } from 'vitest';
import type { ForwarderEvent } from '../../src/event.ts';
import { type Output, OutputError } from '../../src/outputs/output.ts';
import { type Rsyslog, rsyslogSpeaksRelp, startRsyslog } from '../receivers/rsyslog.ts';
import { eventsOf, never, open, plainFormat } from './syslog-senders.ts';

/**
 * What RELP's acknowledgements are worth when a real rsyslog is killed, stopped or hung under load. They mean "in its queue", so
 * what a kill can take depends on the queue.
 */
describe.skipIf(!rsyslogSpeaksRelp)('rsyslog over RELP', () => {
  let rsyslog: Rsyslog;
  let output: Output;

  afterEach(async () => {
    await output.close();
    await rsyslog.stop();
  });

  const start = async (options: { writeThrough?: boolean }, more = {}) => {
    rsyslog = await startRsyslog({ relp: true, ...options });
    output = open({ protocol: 'relp', port: rsyslog.relpPort, ...more }, plainFormat);
  };

  it('killed in mid-flow, again and again, has all that it acknowledged when it writes before it acknowledges', async () => {
    await start({ writeThrough: true });
    const flow = new Flow(output);
    for (let kills = 0; kills < 3; kills += 1) {
      await flow.goesOn(BATCH * (1 + kills));
      await rsyslog.kill9();
      await flow.fails();
      // It is dead: what is there now is what outlived it.
      expect(await missing(rsyslog, flow.acknowledged)).toEqual([]);
      await rsyslog.restart();
    }
    await flow.goesOn();
    await flow.stop();
    expect(await missing(rsyslog, textsOf(0, flow.sent))).toEqual([]);
    expect(await repeated(rsyslog)).toBeLessThanOrEqual(3 * WINDOW);
  });

  it('killed in mid-flow with its queue in memory, gets all again that it had not acknowledged, and no more', async () => {
    await start({});
    const flow = new Flow(output);
    const atRisk: string[] = [];
    for (let kills = 0; kills < 2; kills += 1) {
      await flow.goesOn();
      await rsyslog.kill9();
      await flow.fails();
      atRisk.push(...flow.acknowledged);
      await rsyslog.restart();
    }
    await flow.goesOn();
    await flow.stop();
    const sent = textsOf(0, flow.sent);
    expect(flow.acknowledged).toEqual(sent);
    await expect
      .poll(() =>
        missing(
          rsyslog,
          sent.filter((text) => !atRisk.includes(text)),
        ),
      )
      .toEqual([]);
    expect(await repeated(rsyslog)).toBeLessThanOrEqual(2 * WINDOW);
  });

  it('stopped in good order in mid-flow, again and again, loses nothing', async () => {
    await start({});
    const flow = new Flow(output);
    for (let stops = 0; stops < 3; stops += 1) {
      await flow.goesOn();
      await rsyslog.terminate();
      expect(await missing(rsyslog, flow.acknowledged)).toEqual([]);
      await flow.fails();
      await rsyslog.restart();
    }
    await flow.goesOn();
    await flow.stop();
    await expect.poll(() => missing(rsyslog, textsOf(0, flow.sent))).toEqual([]);
    expect(await repeated(rsyslog)).toBeLessThanOrEqual(3 * WINDOW);
  });

  it('hung, acknowledges nothing, and has everything once it goes on', async () => {
    await start({}, { sendTimeout: '200ms', connectTimeout: '200ms' });
    await output.send(eventsOf(textsOf(0, 100)), never);
    await rsyslog.pause();
    const hung = eventsOf(textsOf(100, 500));
    await expect(output.send(hung, never)).rejects.toMatchObject({ reason: 'unconfirmed', disposition: 'retry' });
    // Its kernel takes the next connection as well; only the session is not opened.
    await expect(output.send(hung, never)).rejects.toMatchObject({ reason: 'timeout', disposition: 'retry' });
    rsyslog.resume();
    await vi.waitFor(() => output.send(hung, never), { timeout: 5_000 });
    await expect.poll(() => missing(rsyslog, textsOf(0, 600))).toEqual([]);
    expect(await repeated(rsyslog)).toBeLessThanOrEqual(WINDOW);
  });

  it('hung in the middle of a batch, gets again only what it had not acknowledged', async () => {
    await start({}, { sendTimeout: '400ms' });
    const batch = eventsOf(textsOf(0, 8_000));
    const sending = output.send(batch, never);
    await expect.poll(async () => (await rsyslog.lines()).length, { interval: 1 }).toBeGreaterThan(0);
    await rsyslog.pause();
    const { unsettled } = await sending;
    const left = unsettled?.events ?? [];
    expect(left.length).toBeGreaterThan(0);
    expect(left.length).toBeLessThan(batch.length);
    expect(unsettled?.error).toMatchObject({ reason: 'unconfirmed', disposition: 'retry' });
    rsyslog.resume();
    await output.close();
    output = open({ protocol: 'relp', port: rsyslog.relpPort }, plainFormat);
    expect(await output.send(left, never)).toEqual({ rejected: [], shortened: 0 });
    await expect.poll(() => missing(rsyslog, textsOf(0, 8_000)), { timeout: 5_000 }).toEqual([]);
    expect(await repeated(rsyslog)).toBeLessThanOrEqual(WINDOW);
  });
});

/** How many messages may be unacknowledged, and so come twice, when a session breaks. */
const WINDOW = 128;
const BATCH = 300;

function textsOf(first: number, count: number): string[] {
  return Array.from({ length: count }, (_, index) => `event ${first + index}`);
}

async function missing(rsyslog: Rsyslog, texts: readonly string[]): Promise<string[]> {
  const arrived = new Set((await rsyslog.lines()).map(({ msg }) => msg));
  return texts.filter((text) => !arrived.has(text));
}

async function repeated(rsyslog: Rsyslog): Promise<number> {
  const texts = (await rsyslog.lines()).map(({ msg }) => msg);
  return texts.length - new Set(texts).size;
}

/** Sends batch after batch, and what is left over of one again, as the dispatcher does. */
class Flow {
  /** Texts that were acknowledged, in the order of sending. */
  readonly acknowledged: string[] = [];
  sent = 0;
  #failures = 0;
  #isStopped = false;
  readonly #output: Output;
  readonly #done: Promise<void>;

  constructor(output: Output) {
    this.#output = output;
    this.#done = this.#run();
  }

  /** Resolves when so many more events are acknowledged. */
  async goesOn(count = 3 * BATCH): Promise<void> {
    const enough = this.acknowledged.length + count;
    await expect.poll(() => this.acknowledged.length, { timeout: 10_000, interval: 1 }).toBeGreaterThanOrEqual(enough);
  }

  /** Resolves when a try has failed that was begun no earlier than now. */
  async fails(): Promise<void> {
    const enough = this.#failures + 2;
    await expect.poll(() => this.#failures, { timeout: 10_000, interval: 5 }).toBeGreaterThanOrEqual(enough);
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    await this.#done;
  }

  async #run(): Promise<void> {
    while (!this.#isStopped) {
      let left: readonly ForwarderEvent[] = eventsOf(textsOf(this.sent, BATCH), this.sent + 1);
      this.sent += BATCH;
      await vi.waitUntil(
        async () => {
          left = await this.#leftOf(left);
          return left.length === 0;
        },
        { timeout: 15_000, interval: 20 },
      );
    }
  }

  /** Sends events, and returns those that are to be sent again. */
  async #leftOf(events: readonly ForwarderEvent[]): Promise<readonly ForwarderEvent[]> {
    try {
      const { unsettled } = await this.#output.send(events, never);
      const left = unsettled?.events ?? [];
      if (left.length > 0) this.#failures += 1;
      for (const event of events) if (!left.includes(event)) this.acknowledged.push(String(event.record.text));
      return left;
    } catch (error) {
      if (!(error instanceof OutputError) || error.disposition !== 'retry') throw error;
      this.#failures += 1;
      return events;
    }
  }
}
