import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { diffConfigs } from '../../src/config/diff.ts';
import { loadConfig } from '../../src/config/load.ts';
import { judge, type Verdict } from '../../src/daemon/reload-rules.ts';
import type { StoreFacts } from '../../src/daemon/reload-step.ts';

const NOW = Date.parse('2026-11-23T12:00:00Z');
const HOUR = 3_600_000;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'forwarder-rules-'));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Parts {
  readonly outputs?: readonly object[];
  readonly feeds?: readonly object[];
  readonly more?: object;
}

const SIEM = { name: 'siem', type: 'syslog', host: 'siem.example', protocol: 'tcp' };
const HEC = { name: 'hec', type: 'splunk-hec', url: 'https://splunk.example:8088', token: 'not-shown', index: 'main' };
const SUMO = 'https://collectors.sumologic.com/receiver/v1/http/';
const DISK = { name: 'disk', type: 'file', path: '/var/log/mail.ndjson' };

function load({ outputs = [SIEM, DISK], feeds = [{ type: 'attachment' }], more = {} }: Parts) {
  const file = join(folder, 'forwarder.yaml');
  const mimecast = { auth: { type: 'oauth2', clientId: 'id', clientSecret: 'not-shown' } };
  writeFileSync(file, stringify({ mimecast, feeds, outputs, ...more }), { mode: 0o600 });
  return loadConfig({ file, env: {} });
}

/** What is said of going from one config to another. All outputs of `before` are known to the store; `waiting`: how many events wait. */
function verdictOf(
  before: Parts,
  after: Parts,
  { waiting = {}, feeds = {} }: { readonly waiting?: Record<string, number>; readonly feeds?: object } = {},
): Verdict {
  const [old, next] = [load(before), load(after)];
  const known = old.config.outputs.map(({ name }): [string, number] => [name, 0]);
  const attachment = { begunAt: NOW - 240 * HOUR, readUntil: NOW - HOUR };
  const facts: StoreFacts = {
    waiting: new Map([...known, ...Object.entries(waiting)]),
    feeds: new Map(Object.entries({ attachment, ...feeds })),
  };
  const diff = diffConfigs(old.comparable, next.comparable);
  return judge({ before: old.config, after: next.config, diff, facts, now: NOW });
}

function rulesOf({ refusals }: Verdict): string[] {
  return refusals.map(({ rule, subject }) => `${rule} ${Object.values(subject).join()}`);
}

function notesOf({ notes }: Verdict): string[] {
  return notes.map(({ note, subject }) => `${Object.values(subject).join()}: ${note}`);
}

describe('a reload is refused', () => {
  it.each(['now', 'beginning', '2026-11-01T00:00:00Z'])(
    'when an output gets another name: it would begin anew, startFrom %s',
    (startFrom) => {
      const verdict = verdictOf(
        {},
        { outputs: [{ ...SIEM, name: 'qradar', startFrom }, DISK] },
        { waiting: { siem: 3 } },
      );
      expect(rulesOf(verdict)).toEqual(['destination_moved qradar']);
      const [refusal] = verdict.refusals;
      expect(refusal?.reason).toContain(
        'tcp://siem.example:514 was served as output siem and would be served as qradar: it would go on ' +
          {
            now: 'with new events only',
            beginning: 'at the oldest stored event',
            '2026-11-01T00:00:00Z': 'at 2026-11-01',
          }[startFrom],
      );
      expect(refusal?.cure).toContain('Keep the name siem');
    },
  );

  it('when the new name is one that the store knows: its cursor stands elsewhere', () => {
    const verdict = verdictOf({}, { outputs: [{ ...SIEM, name: 'old' }, DISK] }, { waiting: { old: 1200 } });
    expect(verdict.refusals).toMatchObject([
      { reason: expect.stringContaining('where its own cursor stands (1,200 events wait)') },
    ]);
  });

  it('when two outputs exchange their destinations, once for each', () => {
    const other = { ...SIEM, name: 'other', host: 'other.example' };
    const exchanged = [
      { ...SIEM, host: 'other.example' },
      { ...other, host: 'siem.example' },
    ];
    expect(rulesOf(verdictOf({ outputs: [SIEM, other] }, { outputs: exchanged }))).toEqual([
      'destination_moved other',
      'destination_moved siem',
    ]);
  });

  it('when two outputs exchange their indexes, or their paths, behind one address', () => {
    const hec = (name: string, index: string) => ({ ...HEC, name, index });
    const indexes = verdictOf(
      { outputs: [hec('a', 'main'), hec('b', 'sec')] },
      { outputs: [hec('a', 'sec'), hec('b', 'main')] },
    );
    expect(rulesOf(indexes)).toEqual(['destination_moved b', 'destination_moved a']);
    const sumo = (name: string, token: string) => ({ name, type: 'sumologic', url: `${SUMO}${token}` });
    const paths = verdictOf(
      { outputs: [sumo('a', 'not-shown-1'), sumo('b', 'not-shown-2')] },
      { outputs: [sumo('a', 'not-shown-2'), sumo('b', 'not-shown-1')] },
    );
    expect(rulesOf(paths)).toEqual(['destination_moved b', 'destination_moved a']);
    expect(JSON.stringify(paths)).not.toContain('not-shown');
  });

  it('when an output is taken out while events wait for it', () => {
    const verdict = verdictOf({}, { outputs: [DISK] }, { waiting: { siem: 2 } });
    expect(rulesOf(verdict)).toEqual(['events_waiting siem']);
    expect(verdict.refusals).toMatchObject([
      { reason: expect.stringContaining('2 events wait'), cure: expect.stringContaining('outputs forget siem') },
    ]);
  });

  it('when a feed gets another name and would begin after what may still surface', () => {
    const verdict = verdictOf({}, { feeds: [{ type: 'attachment', name: 'mail', startFrom: '24h' }] });
    expect(rulesOf(verdict)).toEqual(['feed_renamed mail']);
    // An hour behind, and the sweep reads two days more.
    expect(verdict.refusals).toMatchObject([{ cure: expect.stringContaining('startFrom: 2026-11-21T11:00:00Z') }]);
    const further = { type: 'attachment', name: 'mail', startFrom: '2026-11-21T11:00:00Z' };
    expect(rulesOf(verdictOf({}, { feeds: [further] }))).toEqual([]);
  });

  it('counts a gap as not read, and nothing before the feed began', () => {
    const renamed = (startFrom: string) => ({ feeds: [{ type: 'attachment', name: 'mail', startFrom, sweep: false }] });
    const before = { feeds: [{ type: 'attachment', sweep: false, overlap: '1h' }] };
    const feeds = { attachment: { begunAt: NOW - 240 * HOUR, readUntil: NOW - 100 * HOUR } };
    expect(rulesOf(verdictOf(before, renamed('100h'), { feeds }))).toEqual(['feed_renamed mail']);
    expect(rulesOf(verdictOf(before, renamed('101h'), { feeds }))).toEqual([]);
    const young = { attachment: { begunAt: NOW - 2 * HOUR, readUntil: NOW - 1 * HOUR } };
    expect(rulesOf(verdictOf({}, renamed('2h'), { feeds: young }))).toEqual([]);
    const unread = { attachment: { begunAt: null, readUntil: null } };
    expect(rulesOf(verdictOf({}, renamed('1h'), { feeds: unread }))).toEqual([]);
  });

  it('when dedupe.key changes: what is read again would have new ids', () => {
    const feeds = [{ type: 'attachment', dedupe: { key: ['fileHash', 'date'] } }];
    const verdict = verdictOf({}, { feeds });
    expect(rulesOf(verdict)).toEqual(['dedupe_key_changed attachment']);
    expect(verdict.refusals).toMatchObject([{ reason: expect.stringContaining('the last 2d') }]);
    expect(rulesOf(verdictOf({}, { feeds: [{ type: 'attachment', dedupe: { variants: 'ship' } }] }))).toEqual([]);
  });

  it('when a key needs a restart', () => {
    const more = { store: { path: '/elsewhere/forwarder.db' }, log: { format: 'json' } };
    expect(rulesOf(verdictOf({}, { more }))).toEqual(['needs_restart store', 'needs_restart log']);
  });

  it('for all reasons at once', () => {
    const after = { outputs: [{ ...SIEM, name: 'qradar' }], more: { log: { format: 'json' } } };
    expect(rulesOf(verdictOf({}, after, { waiting: { disk: 1 } }))).toEqual([
      'needs_restart log',
      'destination_moved qradar',
      'events_waiting disk',
    ]);
  });
});

describe('a reload is made', () => {
  it('when outputs come and go of which nobody waits for anything', () => {
    const hook = { name: 'hook', type: 'webhook', url: 'https://hook.example/' };
    const verdict = verdictOf({}, { outputs: [SIEM, hook] });
    expect(rulesOf(verdict)).toEqual([]);
    expect(notesOf(verdict)).toEqual([expect.stringMatching(/^disk: its cursor stays.*`outputs forget disk`/)]);
  });

  it('when a second output goes to the same destination, and when one of the two leaves', () => {
    const second = { ...SIEM, name: 'second', filter: { result: ['malicious'] } };
    expect(rulesOf(verdictOf({}, { outputs: [SIEM, second, DISK] }))).toEqual([]);
    expect(rulesOf(verdictOf({ outputs: [SIEM, second] }, { outputs: [second] }))).toEqual([]);
  });

  it('when one hook takes the place of another behind one gateway, a token is rotated, or an index is another', () => {
    const hook = (name: string) => ({ name, type: 'webhook', url: `https://gateway.example/${name}` });
    expect(rulesOf(verdictOf({ outputs: [hook('tickets')] }, { outputs: [hook('alerts')] }))).toEqual([]);
    const rotated = verdictOf({ outputs: [HEC] }, { outputs: [{ ...HEC, token: 'another' }] }, { waiting: { hec: 5 } });
    expect(rotated).toEqual({ refusals: [], notes: [] });
    const moved = verdictOf({ outputs: [HEC] }, { outputs: [{ ...HEC, index: 'sec' }] }, { waiting: { hec: 5 } });
    expect([rulesOf(moved), notesOf(moved)]).toEqual([
      [],
      [expect.stringMatching(/^hec: 5 events wait, for the new destination/)],
    ]);
  });

  it('when an output has another destination, and says what becomes of what waits', () => {
    const verdict = verdictOf({}, { outputs: [{ ...SIEM, host: 'new.example' }, DISK] }, { waiting: { siem: 1 } });
    expect(rulesOf(verdict)).toEqual([]);
    expect(notesOf(verdict)).toEqual([expect.stringMatching(/^siem: 1 event waits, for the new destination/)]);
  });

  it('and says what startFrom, a filter and a cursor of before do', () => {
    const outputs = [
      { ...SIEM, startFrom: 'beginning', filter: { route: ['inbound'] } },
      DISK,
      { ...DISK, name: 'again', path: '/x' },
    ];
    const verdict = verdictOf({}, { outputs }, { waiting: { siem: 2, again: 7 } });
    expect(rulesOf(verdict)).toEqual([]);
    expect(notesOf(verdict)).toEqual([
      expect.stringMatching(/^again: the store knows it: .* 7 events wait/),
      expect.stringMatching(/^siem: startFrom .* changes nothing here/),
      expect.stringMatching(/^siem: the filter is for what waits too, 2 events wait/),
    ]);
  });

  it('and says nothing of a filter that no event waits for', () => {
    const outputs = [{ ...SIEM, filter: { route: ['inbound'] } }, DISK];
    expect(verdictOf({}, { outputs })).toEqual({ refusals: [], notes: [] });
  });

  it('and says of a feed that leaves, of its startFrom, of another account and of a shorter retention', () => {
    const two = [{ type: 'attachment' }, { type: 'attachment', name: 'other' }];
    expect(notesOf(verdictOf({ feeds: two }, { feeds: [{ type: 'attachment', startFrom: '1h' }] }))).toEqual([
      expect.stringMatching(/^other: it is read no more/),
      expect.stringMatching(/^attachment: startFrom .* changes nothing here/),
    ]);
    const mimecast = { auth: { type: 'oauth2', clientId: 'another', clientSecret: 'not-shown' } };
    const more = { mimecast, store: { retention: '7d' } };
    expect(notesOf(verdictOf({}, { more }))).toEqual([
      expect.stringMatching(/^mimecast: reading goes on at the checkpoints/),
      expect.stringMatching(/^store: delivered events older than store.retention/),
    ]);
  });
});
