import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { Store } from '../../src/store/store.ts';
import { HOUR, MINUTE, recordAt, startSimulator } from '../collect/reading.ts';
import { writeConfig } from '../daemon/running.ts';
import { temporaryFolder } from '../deliver/delivering.ts';
import { type } from './shell.ts';

/** `reconcile` as it is typed, against a simulated Mimecast. */

const DAY = 24 * HOUR;
const FEED = { type: 'attachment', settle: '0s', overlap: '15m', maxWindow: '48h', sweep: false, startFrom: '24h' };

let simulator: Simulator;
let config: string;
let path: string;
let now: number;

beforeEach(async () => {
  now = Math.floor(Date.now() / 1000) * 1000;
  simulator = await startSimulator();
  simulator.add(recordAt(now - 5 * HOUR, 'first'), recordAt(now - 4 * HOUR, 'second'));
  const folder = temporaryFolder();
  path = join(folder, 'forwarder.db');
  config = writeConfig(folder, simulator, { feeds: [FEED] });
});

function command(...args: readonly string[]) {
  return type([...args, '--config', config]);
}

function reconcile(...more: readonly string[]) {
  return command('reconcile', '--from', iso(now - DAY), '--to', iso(now), ...more);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}

function inStore<T>(work: (store: Store) => T): T {
  const store = Store.open(path);
  try {
    return work(store);
  } finally {
    store.close();
  }
}

/** A record that surfaced long after its date: no poll reads it any more. */
function surface(): void {
  simulator.add(recordAt(now - 6 * HOUR, 'late'));
}

describe('reconcile', () => {
  beforeEach(async () => {
    expect((await command('run', '--once')).code).toBe(0);
  });

  it('exits 0 when all is there, up to what live polling reads again by itself', async () => {
    simulator.add(recordAt(now - 5 * MINUTE, 'surfaced just now'));
    const { code, stdout } = await reconcile();
    expect(stdout).toMatch(
      /^attachment: compared \S+ to (\S+): 2 matching, 0 missing here, 0 only here, 0 variants\.\n$/,
    );
    const until = Date.parse(/ to (\S+):/.exec(stdout)?.[1] ?? '');
    const checkpoint = inStore((store) => store.checkpoints.get('attachment')?.doneUntil ?? 0);
    expect(until).toBe(checkpoint - 15 * MINUTE);
    expect(code).toBe(0);
  });

  it('exits 1 when something is missing, names it without mail data, and stores it with --repair', async () => {
    surface();
    const found = await reconcile();
    expect(found.code).toBe(1);
    expect(found.stdout).toContain('2 matching, 1 missing here, 0 only here');
    expect(found.stdout).toMatch(
      new RegExp(`^ {2}missing here {2}${iso(now - 6 * HOUR).replace('.000Z', 'Z')} {2}event [0-9a-f]{32}$`, 'm'),
    );
    expect(found.stdout).toMatch(/--repair stores what is missing/);
    expect(found.stdout).not.toContain('late');

    const repaired = await reconcile('--repair');
    expect(repaired).toMatchObject({ code: 0 });
    expect(repaired.stdout).toContain('1 missing here (stored now)');
    const again = await reconcile('--json');
    expect(again.code).toBe(0);
    expect(JSON.parse(again.stdout)).toMatchObject([{ feed: 'attachment', matching: 3, missing: 0, repaired: false }]);
    expect(inStore((store) => store.eventCount())).toBe(3);
  });

  it('prints JSON with some examples of each, and how many there are', async () => {
    for (let n = 0; n < 25; n += 1) simulator.add(recordAt(now - 7 * HOUR + n * MINUTE, `late-${n}`));
    const { code, stdout } = await reconcile('--json');
    const [result] = JSON.parse(stdout) as [{ missing: number; examples: Record<string, unknown[]> }];
    expect(code).toBe(1);
    expect(result.missing).toBe(25);
    expect(result.examples.missing).toHaveLength(20);
    expect(result.examples.missing?.[0]).toEqual({
      id: expect.stringMatching(/^[0-9a-f]{32}$/),
      time: iso(now - 7 * HOUR).replace('.000Z', 'Z'),
    });
    expect(stdout).not.toContain('late-');
    expect((await reconcile()).stdout).toContain('missing here  and 5 more\n');
  });

  it('works while a daemon holds the store', async () => {
    surface();
    const daemon = Store.open(path);
    daemon.lock({ pid: 1, host: 'here', startedAt: now });
    expect((await reconcile('--repair')).code).toBe(0);
    daemon.outbox.refresh();
    expect(daemon.outbox.lastSeq).toBe(3);
    daemon.close();
  });

  it('says what older events count as, that Mimecast does not keep any more', async () => {
    const { stderr } = await command('reconcile', '--from', iso(now - 31 * DAY), '--to', iso(now - 31 * DAY + HOUR));
    expect(stderr).toMatch(/warning: Mimecast keeps 30 days: events from before \S+ count as only here/);
  });

  it.each([
    [['--from', '2026-11-23', '--to', '2026-11-22'], '--from must be before --to'],
    [['--from', '2026-11-22', '--to', '2026-11-23', '--feed', 'other'], 'there is no feed other'],
    [['--from', iso(Date.now() - 10 * MINUTE), '--to', iso(Date.now())], 'there is nothing to compare'],
  ])('refuses %j', async (args, words) => {
    const { code, stderr } = await command('reconcile', ...args);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
  });
});

it('reconcile makes no store where there is none', async () => {
  const { code, stderr } = await reconcile();
  expect(code).toBe(3);
  expect(stderr).toContain('there is no store');
});

it('status shows a gap with the command that closes it, and that command does', async () => {
  await command('run', '--once');
  inStore((store) => {
    store.coverage.forgetAfter('attachment', now - 5 * HOUR - MINUTE);
    store.coverage.began('attachment', { from: now - 3 * HOUR, to: now + MINUTE }, now);
  });
  const { stdout } = await command('status', '--json');
  const { feeds, problems } = JSON.parse(stdout) as {
    feeds: { gaps: { from: number; until: number }[] }[];
    problems: { severity: string; what: string; do: { command: string } }[];
  };
  expect(feeds[0]?.gaps).toEqual([{ from: now - 5 * HOUR - MINUTE + 1000, until: now - 3 * HOUR }]);
  const problem = problems.find(({ what }) => what.startsWith('Feed attachment has a gap of'));
  expect(problem).toMatchObject({ severity: 'bad' });
  const [, ...args] = problem?.do.command.split(' ') ?? [];
  expect(await command(...args)).toMatchObject({ code: 0, stdout: expect.stringContaining('0 new, 2 known') });
  expect(inStore((store) => store.coverage.gaps('attachment'))).toEqual([]);
});
