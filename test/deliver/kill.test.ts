import { join } from 'node:path';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Store } from '../../src/store/store.ts';
import {
  ACCEPTED,
  addEvents,
  copyOfStore,
  deliverAll,
  dispatcherFor,
  durable,
  failure,
  NEVER,
  numberOf,
  numbers,
  openStore,
  refusing,
  temporaryFolder,
} from './delivering.ts';

const EVENTS = 30;
const MAX_EVENTS = 6;

/** How an output takes the sends that it is offered: each answer is for one of them, in order; then it takes all. */
const manners = fc.array(fc.constantFrom('accepts', 'accepts', 'fails'), { maxLength: 20 });
const badNumbers = fc.uniqueArray(fc.integer({ min: 1, max: EVENTS }), { maxLength: 4 });

it('a kill at any moment repeats one batch at most, and loses nothing', { timeout: 60_000 }, async () => {
  await fc.assert(
    fc.asyncProperty(manners, badNumbers, fc.nat(15), fc.boolean(), async (manners, bad, killAt, afterIt) => {
      const folder = temporaryFolder();
      const path = join(folder, 'forwarder.db');
      const copy = join(folder, 'left-by-the-kill.db');
      const store = openStore(path);
      const { dispatcher, output } = dispatcherFor(store, { batch: { maxEvents: MAX_EVENTS, maxBytes: 1e6 } });
      const refuse = refusing(new Set(bad));
      const before: number[] = [];
      /** How many events are accepted or kept, and how many a restart would know of, at each send. */
      const done: (number | undefined)[] = [];
      const known: (number | undefined)[] = [];
      let killed = false;
      output.react = async (events, signal) => {
        const [first] = events.map(numberOf);
        done.push((first ?? 0) - 1);
        known.push(durable(path).cursor());
        const kills = !killed && output.offered.length > killAt;
        if (kills && !afterIt) {
          killed = true;
          copyOfStore(path, copy);
        }
        if (manners[output.offered.length] === 'fails') throw failure('retry');
        await refuse(events, signal);
        if (!killed || kills) before.push(...events.map(numberOf));
        if (kills && afterIt) {
          // The receiver has it, and nobody will ever know here.
          killed = true;
          copyOfStore(path, copy);
        }
        return ACCEPTED;
      };
      addEvents(store, EVENTS / 2);
      addEvents(store, EVENTS / 2, 1 + EVENTS / 2);
      for (let more = true; more && !killed; ) {
        more = await dispatcher.deliverOnce(NEVER).catch(() => true);
      }
      store.close();
      expect(known).toEqual(done);
      if (!killed) copyOfStore(path, copy);

      const left = Store.open(copy);
      const next = dispatcherFor(left, { batch: { maxEvents: MAX_EVENTS, maxBytes: 1e6 } });
      next.output.react = refuse;
      await deliverAll(next.dispatcher);
      const rejected = left.rejects.list().map(({ event }) => event.seq);
      left.close();

      const repeated = before.filter((number) => next.output.accepted.includes(number));
      expect(repeated.length).toBeLessThanOrEqual(MAX_EVENTS);
      const arrived = new Set([...before, ...next.output.accepted]);
      expect([...arrived].toSorted((a, b) => a - b)).toEqual(numbers(EVENTS).filter((number) => !bad.includes(number)));
      expect(rejected).toEqual(bad.toSorted((a, b) => a - b));
    }),
    { numRuns: 40 },
  );
});
