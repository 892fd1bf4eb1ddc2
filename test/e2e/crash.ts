import { setTimeout as sleep } from 'node:timers/promises';
import { Simulator } from '../../src/simulate/simulator.ts';
import { HttpReceiver } from '../fakes/http-receiver.ts';
import { SyslogReceiver } from '../fakes/syslog-receiver.ts';
import { Forwarder } from './forwarder.ts';
import { compare, expectedIds, idsOf } from './truth.ts';

export interface CrashCampaign {
  /** How many times the daemon is killed. */
  readonly kills: number;
  readonly seed: number;
  /** The longest life of a daemon, ms; each life is drawn evenly from 0 to it. */
  readonly longestLife: number;
  readonly recordsPerLife: number;
  readonly onLife?: (life: number) => void;
}

export interface CrashResult {
  readonly kills: number;
  readonly records: number;
  /** Over syslog with `confirm: close`: every record must be there; what was in hand at a kill may come twice. */
  readonly syslog: ReturnType<typeof compare>;
  /** Over HTTP to a receiver that drops a batch whose `Idempotency-Key` it has seen, and events whose id it has seen. */
  readonly idempotent: ReturnType<typeof compare>;
  /** Most events that came a second time after one kill, by output; the promise is one batch. */
  readonly mostRepeatedAtOnce: number;
}

const BATCH = 50;

/**
 * Kills the daemon with SIGKILL again and again, at moments drawn evenly over its life (start-up, sign-in, between page and
 * commit, in the middle of a batch), on one store, while mail goes on arriving. Then lets it finish, and counts.
 */
export async function crashCampaign(campaign: CrashCampaign): Promise<CrashResult> {
  const random = mulberry(campaign.seed);
  const simulator = await Simulator.start({ seed: `crash-${campaign.seed}`, pageSize: 40 });
  const forwarder = new Forwarder();
  const syslog = await SyslogReceiver.start();
  const hook = await HttpReceiver.start();
  const stored = new Set<string>();
  const offered: string[] = [];
  hook.react = ({ text }) => {
    for (const id of idsOf(text.split('\n').filter((line) => line !== ''))) {
      offered.push(id);
      stored.add(id);
    }
    return { status: 200 };
  };
  const batch = { maxEvents: BATCH };
  forwarder.configure({
    simulator,
    outputs: [
      { name: 'tcp', type: 'syslog', host: '127.0.0.1', port: syslog.port, protocol: 'tcp', batch },
      { name: 'hook', type: 'webhook', url: `${hook.origin}/in`, batch },
    ],
    feed: { overlap: '30s' },
    top: { log: { level: 'error', format: 'json' } },
  });
  try {
    let mostRepeatedAtOnce = 0;
    let repeatedBefore = { tcp: 0, hook: 0 };
    const repeated = () => ({
      tcp: syslog.messages.length - new Set(idsOf(syslog.messages)).size,
      hook: offered.length - stored.size,
    });
    for (let life = 0; life < campaign.kills; life += 1) {
      const now = simulator.now();
      simulator.seed(campaign.recordsPerLife, { from: now - 20_000, to: now - 1000 });
      const daemon = forwarder.start();
      await sleep(random() * campaign.longestLife);
      await daemon.kill9();
      const now2 = repeated();
      mostRepeatedAtOnce = Math.max(mostRepeatedAtOnce, now2.tcp - repeatedBefore.tcp, now2.hook - repeatedBefore.hook);
      repeatedBefore = now2;
      campaign.onLife?.(life + 1);
    }
    const last = forwarder.start();
    const expected = expectedIds(simulator);
    const deadline = Date.now() + 60_000;
    const missing = () => compare(expected, idsOf(syslog.messages)).missing + compare(expected, [...stored]).missing;
    while (missing() > 0 && Date.now() < deadline) await sleep(100);
    await last.stop();
    return {
      kills: campaign.kills,
      records: expected.size,
      syslog: compare(expected, idsOf(syslog.messages)),
      idempotent: compare(expected, [...stored]),
      mostRepeatedAtOnce,
    };
  } finally {
    await forwarder.remove();
    await syslog.stop();
    await hook.close();
    await simulator.stop();
  }
}

/** A small seeded generator (mulberry32), so that a campaign can be told and repeated by its seed. */
function mulberry(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
  };
}
