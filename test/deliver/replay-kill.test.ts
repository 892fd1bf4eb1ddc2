import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Replay } from '../../src/store/replay.ts';
import { Store } from '../../src/store/store.ts';
import {
  ACCEPTED,
  addEvents,
  copyOfStore,
  type Delivering,
  dispatcherFor,
  failure,
  NEVER,
  numberOf,
  openStore,
  refusing,
  type ScriptedOutput,
  START,
  temporaryFolder,
} from './delivering.ts';

const PAGE = 5;
const PAGES = 6;
const MAX_EVENTS = 4;
const LIMITS = { batch: { maxEvents: MAX_EVENTS, maxBytes: 1e6 } };
/** What a command reckons with while a daemon runs that has one batch in flight. */
const UNDER_WAY = 2 * MAX_EVENTS;

const action = fc.oneof(
  { weight: 2, arbitrary: fc.constant({ do: 'page' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant('ask' as const),
      from: fc.integer({ min: 1, max: PAGE * PAGES }),
      count: fc.integer({ min: 1, max: 20 }),
    }),
  },
  { weight: 6, arbitrary: fc.constant({ do: 'deliver' as const }) },
);
/** The pages come in any order of time. */
const order = fc.shuffledSubarray([0, 1, 2, 3, 4, 5], { minLength: PAGES, maxLength: PAGES });
const manners = fc.array(fc.constantFrom('accepts', 'accepts', 'accepts', 'fails'), { maxLength: 30 });
const badNumbers = fc.uniqueArray(fc.integer({ min: 1, max: PAGE * PAGES }), { maxLength: 3 });

interface HistoryOptions {
  /** How the sends end, in their order. */
  readonly manners: readonly string[];
  /** Numbers that are refused for good. */
  readonly bad: readonly number[];
  /** Which send is the last, and whether the receiver has it. */
  readonly killAt: number;
  readonly afterIt: boolean;
  readonly order: readonly number[];
}

/** One dispatcher after another on one store after another: a kill leaves a copy, with which the next goes on. */
class History {
  readonly accepted: number[] = [];
  readonly asked: Replay[] = [];
  readonly #stored: number[] = [];
  readonly #folder = temporaryFolder();
  store = openStore(join(this.#folder, 'forwarder.db'));
  #delivering: Delivering = dispatcherFor(this.store, LIMITS);
  #offers = 0;
  #killed = false;

  readonly #options: HistoryOptions;

  constructor(options: HistoryOptions) {
    this.#options = options;
    this.#listen(this.#delivering.output);
  }

  get numbers(): readonly number[] {
    return this.#stored;
  }

  page(): void {
    const page = this.#options.order[this.#stored.length / PAGE];
    if (page === undefined) return;
    addEvents(this.store, PAGE, 1 + page * PAGE);
    for (let number = 1; number <= PAGE; number += 1) this.#stored.push(page * PAGE + number);
  }

  /** As the command does, from a process of its own. */
  ask(from: number, count: number): void {
    const command = Store.open(this.store.path);
    const span = { from: START + from * 1000, to: START + (from + count) * 1000 };
    const { replay } = command.replays.ask({ output: 'siem', span, underWay: UNDER_WAY }, START);
    command.close();
    // All that the output has had by now is part of it.
    const had = this.#stored.slice(0, replay?.toSeq ?? this.#stored.length);
    for (const number of this.accepted.filter((one) => one >= from && one < from + count)) {
      expect(replay === undefined ? [] : had).toContain(number);
    }
    if (replay) this.asked.push(replay);
  }

  /** One round of a dispatcher's loop. False when there was nothing to do. */
  async deliver(): Promise<boolean> {
    const { dispatcher } = this.#delivering;
    const busy = await dispatcher
      .deliverOnce(NEVER)
      .then(async (delivered) => delivered || (await dispatcher.replayOnce(NEVER)))
      .catch(() => true);
    if (this.#killed) this.#goOn();
    return busy;
  }

  /** How often each number is to arrive: by the usual path, and by each replay that it is part of. */
  expected(): Map<number, number> {
    const counts = new Map<number, number>();
    this.#stored.forEach((number, index) => {
      const time = START + number * 1000;
      const replays = this.asked.filter(({ from, to, toSeq }) => time >= from && time < to && index < toSeq);
      counts.set(number, this.#options.bad.includes(number) ? 0 : 1 + replays.length);
    });
    return counts;
  }

  #listen(output: ScriptedOutput): void {
    const { manners, bad, killAt, afterIt } = this.#options;
    const refuse = refusing(new Set(bad));
    output.react = async (events, signal) => {
      this.#offers += 1;
      const kills = this.#offers === killAt;
      if (kills && !afterIt) this.#kill();
      // A dead process sends nothing.
      if (this.#killed) throw failure('retry');
      if (manners[this.#offers] === 'fails') throw failure('retry');
      await refuse(events, signal);
      this.accepted.push(...events.map(numberOf));
      if (kills) this.#kill();
      return ACCEPTED;
    };
  }

  #kill(): void {
    this.#killed = true;
    copyOfStore(this.store.path, join(this.#folder, 'left-by-the-kill.db'));
  }

  #goOn(): void {
    this.store.close();
    this.#killed = false;
    this.store = openStore(join(this.#folder, 'left-by-the-kill.db'));
    this.#delivering = dispatcherFor(this.store, LIMITS);
    this.#listen(this.#delivering.output);
  }
}

it('over any mixture of new events, replays and failures a kill repeats one batch at most, and loses nothing', {
  timeout: 60_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(action, { minLength: 5, maxLength: 40 }),
      fc.record({ manners, bad: badNumbers, killAt: fc.integer({ min: 1, max: 40 }), afterIt: fc.boolean(), order }),
      async (actions, options) => {
        const history = new History(options);
        for (const one of actions) {
          if (one.do === 'page') history.page();
          else if (one.do === 'ask') history.ask(one.from, one.count);
          else await history.deliver();
        }
        while (await history.deliver());

        const surplus = [...history.expected()].map(([number, times]) => {
          const arrived = history.accepted.filter((one) => one === number).length;
          expect(arrived, `number ${number}`).toBeGreaterThanOrEqual(times);
          return arrived - times;
        });
        expect(surplus.reduce((sum, one) => sum + one, 0)).toBeLessThanOrEqual(MAX_EVENTS);
        const rejected = history.store.rejects.list().map(({ event }) => numberOfRaw(event.raw));
        expect(rejected.toSorted()).toEqual(options.bad.filter((one) => history.numbers.includes(one)).toSorted());
        for (const { id, total } of history.asked) {
          const { delivered, rejected, endedAt } = history.store.replays.get(id) ?? {};
          expect((delivered ?? 0) + (rejected ?? 0)).toBe(total);
          expect(endedAt).not.toBeNull();
        }
        history.store.close();
      },
    ),
    { numRuns: 25 },
  );
});

function numberOfRaw(raw: Buffer): number {
  return Number((JSON.parse(raw.toString()) as { fileName: string }).fileName);
}
