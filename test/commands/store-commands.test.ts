import { join } from 'node:path';
import Database from 'better-sqlite3';
import { beforeEach, describe, expect, it } from 'vitest';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { Store } from '../../src/store/store.ts';
import { writeConfig } from '../daemon/running.ts';
import { addEvents, temporaryFolder } from '../deliver/delivering.ts';
import { type } from './shell.ts';

/** Commands that look into the store, or change a little of it. */

let folder: string;
let config: string;
let path: string;

beforeEach(() => {
  folder = temporaryFolder();
  path = join(folder, 'forwarder.db');
  const credentials = { clientId: 'id', clientSecret: 'hush-hush-secret' } as Simulator['credentials'];
  config = writeConfig(folder, { url: 'http://127.0.0.1:9', credentials });
});

/** Works on the store as another process would have. */
function inStore<T>(work: (store: Store) => T): T {
  const store = Store.open(path);
  try {
    return work(store);
  } finally {
    store.close();
  }
}

function command(...args: readonly string[]) {
  return type([...args, '--config', config]);
}

/** So many events of which `disk` has refused each, and one record that could not be read. */
function refuse(count: number): void {
  inStore((store) => {
    addEvents(store, count);
    store.startOutput('disk', 'beginning');
    const events = store.outbox.read(0, { maxEvents: count, maxBytes: 1e9 });
    store.settle(
      'disk',
      count,
      events.map((event) => ({ event, reason: 'no such index' })),
      Date.UTC(2026, 10, 23),
    );
    store.storePage({
      feed: 'attachment',
      type: 'attachment',
      candidates: [{ raw: Buffer.from('42'), value: { malformed: 'the record is a number, expected an object' } }],
      variants: 'suppress',
      now: Date.UTC(2026, 10, 23),
    });
  });
}

describe('rejects', () => {
  it('show prints nothing that a terminal obeys, and the same value', async () => {
    const raw = JSON.stringify({ subject: 'a\u009b31m\u202eb\u2028c\u{e0041}' });
    const page = { feed: 'attachment', type: 'attachment', variants: 'suppress' as const, now: 0 };
    inStore((store) =>
      store.storePage({ ...page, candidates: [{ raw: Buffer.from(raw), value: { malformed: 'no date' } }] }),
    );
    const { stdout } = await command('rejects', 'show', 'm1');
    expect(stdout).not.toMatch(/[\u007f-\u009f\u202e\u2028]|\u{e0041}/u);
    expect(JSON.parse(stdout)).toMatchObject({ raw });
  });

  it('list tells each with its number, output, event and reason', async () => {
    refuse(2);
    const { code, stdout } = await command('rejects', 'list');
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^1 {2}2026-11-23T00:00:00\.000Z {2}output disk {2}event [0-9a-f]{32}\n {4}no such index\n2 {2}/,
    );
    expect(stdout).toMatch(/^m1 .*feed attachment {2}could not be read\n {4}the record is a number/m);
    const ofOther = await command('rejects', 'list', '--output', 'other');
    expect(ofOther).toMatchObject({ code: 0, stdout: 'There are no rejects.\n' });
  });

  it('list shows a thousand of ten thousand and says how to see the next ones, down to the last', async () => {
    refuse(10_000);
    const first = await command('rejects', 'list');
    expect(first.stdout.match(/no such index/g)).toHaveLength(1000);
    const next = 'mimecast-forwarder rejects list --after 1000';
    expect(first).toMatchObject({ code: 0, stderr: `1000 of 10001 are shown. The next ones: ${next}\n` });

    const seen: string[] = [];
    let pages = 0;
    for (let after: string | null = '0'; after !== null; pages += 1) {
      const { stdout } = await command('rejects', 'list', '--json', '--limit', '4000', '--after', after);
      const page = JSON.parse(stdout) as {
        rejects: { id: number }[];
        malformed: { id: string }[];
        next: string | null;
      };
      seen.push(...[...page.rejects, ...page.malformed].map(({ id }) => String(id)));
      after = page.next;
    }
    expect(pages).toBe(3);
    expect(seen).toEqual([...Array.from({ length: 10_000 }, (_, at) => String(at + 1)), 'm1']);
    const { stderr } = await command('rejects', 'list', '--output', 'disk', '--limit', '1');
    expect(stderr).toContain(
      '1 of 10000 are shown. The next ones: mimecast-forwarder rejects list --after 1 --output disk',
    );
    expect((await command('rejects', 'list', '--after', 'm1')).stdout).toBe('There are no rejects.\n');
    expect((await command('rejects', 'list', '--limit', '0')).code).toBe(2);

    // Each of them a transaction of its own would be ten thousand syncs of the disk.
    const begun = performance.now();
    expect(await command('rejects', 'retry', 'all')).toMatchObject({ stdout: expect.stringMatching(/^10000 will/) });
    expect(await command('rejects', 'discard', 'all')).toMatchObject({ stdout: '10000 discarded.\n' });
    expect(performance.now() - begun).toBeLessThan(4000);
  });

  it('list reads no more text than fits, however long the records are', async () => {
    refuse(5);
    const db = new Database(path);
    db.exec("UPDATE reject SET raw = json_object('subject', printf('%.*c', 15000000, 'x'))");
    db.close();
    const { stdout, stderr } = await command('rejects', 'list');
    expect(stdout.match(/no such index/g)).toHaveLength(2);
    expect(stderr).toContain('2 of 6 are shown');
  });

  it('show prints the whole record', async () => {
    refuse(2);
    const { code, stdout } = await command('rejects', 'show', '2');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      id: 2,
      output: 'disk',
      reason: 'no such index',
      retrying: false,
      feed: 'mail',
      eventId: expect.stringMatching(/^[0-9a-f]{32}$/),
      record: { fileName: '2', recipientAddress: 'private-2@example.net' },
    });
    const unreadable = await command('rejects', 'show', 'm1');
    expect(JSON.parse(unreadable.stdout)).toMatchObject({ id: 'm1', raw: '42' });
  });

  it('show of one that is not there ends with 1 and says so', async () => {
    refuse(1);
    expect(await command('rejects', 'show', '7', 'm9')).toEqual({
      code: 1,
      stdout: '',
      stderr: 'There is no reject 7.\nThere is no reject m9.\n',
    });
  });

  it('discard drops those that are named, and no other', async () => {
    refuse(3);
    expect(await command('rejects', 'discard', '1', 'm1')).toMatchObject({ code: 0, stdout: '2 discarded.\n' });
    inStore((store) => {
      expect(store.rejects.list().map(({ id }) => id)).toEqual([2, 3]);
      expect(store.malformed.list()).toEqual([]);
    });
    expect(await command('rejects', 'discard', '1')).toMatchObject({ code: 1, stdout: '0 discarded.\n' });
  });

  it('discard all drops those of the output, more than a thousand too', async () => {
    refuse(1100);
    expect(await command('rejects', 'discard', 'all', '--output', 'other')).toMatchObject({ stdout: '0 discarded.\n' });
    expect(await command('rejects', 'discard', 'all', '--output', 'disk')).toMatchObject({
      stdout: '1100 discarded.\n',
    });
    inStore((store) => expect(store.malformed.list()).toHaveLength(1));
  });

  it('retry marks them for the daemon, and says how many', async () => {
    refuse(3);
    expect(await command('rejects', 'retry', '2')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^1 will/) });
    inStore((store) => expect(store.rejects.due('disk')?.id).toBe(2));
    const listed = await command('rejects', 'list');
    expect(listed.stdout).toMatch(/^2 .*, will be sent again$/m);
    expect(await command('rejects', 'retry', '99')).toMatchObject({ code: 1 });
  });

  it.each([
    [['fly'], 'rejects fly is unknown'],
    [['show'], 'needs a number'],
    [['show', 'two'], 'two is not the number of a reject'],
    [['discard'], 'or say `all`'],
    [['retry'], 'or say `all`'],
    [['retry', 'm1'], 'm1 is a record that could not be read'],
  ])('%j is a mistake of usage', async (args, reason) => {
    refuse(1);
    const { code, stdout, stderr } = await command('rejects', ...args);
    expect(code).toBe(2);
    expect(stdout).toBe('');
    expect(stderr).toContain(reason);
  });
});

describe('outputs forget', () => {
  it('drops the cursor of an output that is gone, so that it holds nothing back', async () => {
    inStore((store) => {
      addEvents(store, 3);
      store.startOutput('disk', 'beginning');
      store.startOutput('old-siem', 'beginning');
      store.settle('disk', 3, [], 0);
    });
    expect(await command('outputs', 'forget', 'old-siem')).toEqual({
      code: 0,
      stdout: 'Output old-siem is forgotten.\n',
      stderr: '',
    });
    inStore((store) => {
      expect(store.cursors.get('old-siem')).toBeUndefined();
      expect(store.cursors.get('disk')).toBe(3);
      store.prune({ now: Date.now() * 2, storedBefore: Date.now() * 2 });
      expect(store.eventCount()).toBe(0);
    });
  });

  it('says that a daemon which is running will learn of it later', async () => {
    const daemon = Store.open(path);
    daemon.startOutput('old-siem', 'beginning');
    daemon.lock({ pid: 1, host: 'here', startedAt: 0 });
    const { code, stdout } = await command('outputs', 'forget', 'old-siem');
    expect(code).toBe(0);
    expect(stdout).toContain('until its next reload or start');
    daemon.close();
  });

  it('refuses one that is still configured, and one that there is not', async () => {
    inStore((store) => store.startOutput('disk', 'beginning'));
    const configured = await command('outputs', 'forget', 'disk');
    expect(configured.code).toBe(2);
    expect(configured.stderr).toContain('still in');
    inStore((store) => expect(store.cursors.get('disk')).toBe(0));
    expect(await command('outputs', 'forget', 'nobody')).toMatchObject({
      code: 1,
      stdout: 'The store knows no output nobody.\n',
    });
    expect((await command('outputs', 'remember', 'disk')).code).toBe(2);
  });
});

describe('variants', () => {
  it('ship of one that is not there ends with 1, and of none is a mistake', async () => {
    refuse(1);
    expect(await command('variants', 'list')).toMatchObject({ code: 0, stdout: 'There are no variants.\n' });
    expect(await command('variants', 'ship', '7')).toMatchObject({ code: 1, stderr: 'There is no variant 7.\n' });
    expect((await command('variants', 'ship')).code).toBe(2);
    expect((await command('variants', 'drop', '1')).code).toBe(2);
  });
});

describe('a hundred thousand variants', () => {
  it('are listed a thousand at a time, the newest first, and status is as quick as with one', async () => {
    refuse(1);
    const db = new Database(path);
    db.exec(`WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 100000)
      INSERT INTO variant (feed, key, content, found_at, raw) SELECT 'attachment', randomblob(16), i, 0, '{"n":' || i || '}' FROM n`);
    db.close();
    const { stdout, stderr } = await command('variants', 'list', '--json');
    const ids = (JSON.parse(stdout) as { id: number }[]).map(({ id }) => id);
    expect([ids.length, ids[0], ids.at(-1)]).toEqual([1000, 100_000, 99_001]);
    expect(stderr).toBe('1000 of 100000 are shown. Older ones: mimecast-forwarder variants list --before 99001\n');
    const last = await command('variants', 'list', '--before', '3');
    expect(last).toMatchObject({ stdout: expect.stringMatching(/^2 .*\n.*\n1 .*\n.*\n$/), stderr: '' });
    expect((await command('variants', 'list', '--before', 'm1')).code).toBe(2);
    const begun = performance.now();
    await command('status');
    expect(performance.now() - begun).toBeLessThan(500);
  });
});

describe('status', () => {
  it('of a store on which no daemon has run yet says so', async () => {
    inStore(() => undefined);
    const { code, stdout } = await command('status');
    expect(code).toBe(0);
    expect(stdout).toContain('The daemon has not run on this store yet');
  });
});
