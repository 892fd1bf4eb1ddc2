import { execFileSync } from 'node:child_process';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Candidate } from '../../src/store/pages.ts';
import type { Store } from '../../src/store/store.ts';
import { candidateOf, numbers, openStore, recordOf, rowsOf, START, storePage, storePath } from './harness.ts';

/**
 * The store against a model of it in plain arrays, over random histories: pages that overlap, repeat and contradict each other, two
 * outputs, two processes, retention, restarts and crashes.
 */

/** One record of a page. The same identity with other content is a variant; the same content may be written in two ways. */
interface Given {
  readonly identity: number;
  readonly content: number;
  readonly escaped: boolean;
}

type Output = 'siem' | 'archive';

type Step =
  | { readonly do: 'page'; readonly given: readonly Given[]; readonly ship: boolean; readonly foreign: boolean }
  | { readonly do: 'deliver'; readonly output: Output; readonly maxEvents: number; readonly refuses: boolean }
  | { readonly do: 'flush'; readonly output: Output }
  | { readonly do: 'prune'; readonly olderThan: number }
  | { readonly do: 'restart' | 'crash' };

const HOUR = 3_600_000;

const given: fc.Arbitrary<Given> = fc.record({
  identity: fc.integer({ min: 0, max: 25 }),
  content: fc.oneof({ weight: 5, arbitrary: fc.constant(0) }, { weight: 1, arbitrary: fc.integer({ min: 1, max: 2 }) }),
  escaped: fc.boolean(),
});
const output = fc.constantFrom<Output>('siem', 'archive');
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('page' as const),
      given: fc.array(given, { maxLength: 12 }),
      ship: fc.boolean(),
      foreign: fc.nat(3).map((n) => n === 0),
    }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('deliver' as const),
      output,
      maxEvents: fc.integer({ min: 1, max: 8 }),
      refuses: fc.nat(4).map((n) => n === 0),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('flush' as const), output }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('prune' as const), olderThan: fc.integer({ min: 0, max: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('restart' as const, 'crash' as const) }) },
);

function candidateFor({ identity, content, escaped }: Given): Candidate {
  const record = recordOf(identity, { fileName: `a/${content}.pdf` });
  const raw = JSON.stringify(record);
  return candidateOf(record, escaped ? raw.replaceAll('/', '\\/') : raw);
}

interface ModelEvent {
  readonly seq: number;
  readonly raw: string;
  readonly storedAt: number;
}

/** What the store should hold. */
class Model {
  /** All that ever entered; the first `pruned` of them have gone. */
  readonly events: ModelEvent[] = [];
  pruned = 0;
  readonly firstOf = new Map<number, { readonly seq: number; readonly content: number }>();
  readonly variants = new Set<string>();
  readonly cursors: Record<Output, number> = { siem: 0, archive: 0 };
  readonly durable: Record<Output, number> = { siem: 0, archive: 0 };
  rejects = 0;

  page(records: readonly Given[], ship: boolean, storedAt: number): void {
    for (const record of records) {
      const { raw } = candidateFor(record);
      const first = this.firstOf.get(record.identity);
      if (!first) {
        this.firstOf.set(record.identity, { seq: this.#enter(raw.toString(), storedAt), content: record.content });
        continue;
      }
      if (record.content === first.content) continue;
      const variant = `${record.identity}/${record.content}`;
      if (this.variants.has(variant)) continue;
      this.variants.add(variant);
      if (ship) this.#enter(raw.toString(), storedAt);
    }
  }

  #enter(raw: string, storedAt: number): number {
    const seq = this.events.length + 1;
    this.events.push({ seq, raw, storedAt });
    return seq;
  }

  after(seq: number): ModelEvent[] {
    return this.events.slice(Math.max(seq, this.pruned));
  }

  prune(storedBefore: number): void {
    const least = Math.min(this.cursors.siem, this.cursors.archive);
    while (this.pruned < least && (this.events[this.pruned]?.storedAt ?? storedBefore) < storedBefore) this.pruned += 1;
  }
}

/** The real store, with a second process's connection beside it, led through the same history as the model. */
class History {
  readonly model = new Model();
  path = storePath();
  store: Store = openStore(this.path);
  other: Store = openStore(this.path);
  now = START;

  constructor() {
    for (const name of ['siem', 'archive']) this.store.startOutput(name, 'beginning');
  }

  take(step: Step): void {
    this.now += HOUR;
    if (step.do === 'page') this.#page(step);
    else if (step.do === 'deliver') this.#deliver(step);
    else if (step.do === 'flush') {
      this.store.flush(step.output);
      this.#written(step.output);
    } else if (step.do === 'prune') {
      const storedBefore = this.now - step.olderThan * HOUR;
      this.store.prune({ now: this.now, storedBefore });
      this.model.prune(storedBefore);
    } else this.#openAgain(step.do === 'crash');
    this.#compare();
  }

  #page({ given, ship, foreign }: Extract<Step, { do: 'page' }>): void {
    const variants = ship ? 'ship' : 'suppress';
    storePage(foreign ? this.other : this.store, given.map(candidateFor), { variants, now: this.now });
    this.model.page(given, ship, this.now);
    if (foreign) this.store.outbox.refresh();
    else this.#written('siem', 'archive');
  }

  /** As a dispatcher does: the cursor of the batch before is durable first. */
  #deliver({ output, maxEvents, refuses }: Extract<Step, { do: 'deliver' }>): void {
    this.store.flush(output);
    this.#written(output);
    const from = this.model.cursors[output];
    const batch = this.store.outbox.read(from, { maxEvents, maxBytes: 1e9 });
    const expected = this.model.after(from).slice(0, batch.length);
    expect(batch.map(({ seq, raw, storedAt }) => ({ seq, raw: raw.toString(), storedAt }))).toEqual(expected);
    const [first] = batch;
    const last = batch.at(-1);
    expect(first === undefined).toBe(this.model.after(from).length === 0);
    if (!first || !last) return;
    this.store.settle(output, last.seq, refuses ? [{ event: first, reason: 'refused' }] : [], this.now);
    this.model.cursors[output] = last.seq;
    if (!refuses) return;
    this.model.rejects += 1;
    this.#written(output);
  }

  #written(...outputs: readonly Output[]): void {
    for (const name of outputs) this.model.durable[name] = this.model.cursors[name];
  }

  /** After a crash, from what was on the disk: a copy made while everything is open. */
  #openAgain(crash: boolean): void {
    const path = crash ? storePath() : this.path;
    if (crash) {
      const files = ['', '-wal'].map((ending) => `'${this.path}${ending}' '${path}${ending}'`);
      execFileSync('sh', ['-c', files.map((pair) => `cp ${pair}`).join(' && ')]);
    } else this.#written('siem', 'archive');
    this.store.close();
    this.other.close();
    this.path = path;
    this.store = openStore(path);
    this.other = openStore(path);
    Object.assign(this.model.cursors, this.model.durable);
  }

  #compare(): void {
    const { model, path, store } = this;
    expect(rowsOf(path, 'SELECT seq, raw, stored_at AS storedAt FROM event ORDER BY seq')).toEqual(model.after(0));
    expect(rowsOf(path, 'SELECT output, seq FROM cursor ORDER BY output')).toEqual([
      { output: 'archive', seq: model.durable.archive },
      { output: 'siem', seq: model.durable.siem },
    ]);
    expect({ siem: store.cursors.get('siem'), archive: store.cursors.get('archive') }).toEqual(model.cursors);
    const [counts] = rowsOf(
      path,
      'SELECT (SELECT count(*) FROM variant) AS variants, (SELECT count(*) FROM reject) AS rejects',
    );
    expect(counts).toEqual({ variants: model.variants.size, rejects: model.rejects });
  }
}

it('does over any history what the model does: each record enters once, and is there until every output has had it', () => {
  fc.assert(
    fc.property(fc.array(step, { minLength: 5, maxLength: 40 }), (steps) => {
      const history = new History();
      const least: Record<Output, number> = { siem: 0, archive: 0 };
      let reached = 0;
      for (const step of steps) {
        history.take(step);
        // What holds whatever the model says: a durable cursor never moves back, and what lies after it and the others is kept.
        const { durable, cursors, events, pruned } = history.model;
        for (const name of ['siem', 'archive'] as const) {
          expect(durable[name]).toBeGreaterThanOrEqual(least[name]);
          least[name] = durable[name];
        }
        // A crash takes a cursor back to where it was durable; what it had passed before was delivered all the same.
        reached = Math.max(reached, cursors.siem, cursors.archive);
        expect(pruned).toBeLessThanOrEqual(reached);
        expect(events.map(({ seq }) => seq)).toEqual(numbers(events.length));
      }
      const given = steps.flatMap((step) => (step.do === 'page' ? step.given.map(({ identity }) => identity) : []));
      expect([...history.model.firstOf.keys()].sort()).toEqual([...new Set(given)].sort());
      history.store.close();
      history.other.close();
    }),
    { numRuns: 25 },
  );
}, 60_000);
