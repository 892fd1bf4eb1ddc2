import { writeSync } from 'node:fs';
import Database from 'better-sqlite3';
import { codeOf, ForwarderError, messageOf } from '../../src/errors.ts';
import { eventId } from '../../src/store/key.ts';
import { Store } from '../../src/store/store.ts';

/**
 * Works on a store in a process of its own, so that tests can kill it: `node store-process.ts ROLE PATH ARGUMENT`. It runs outside
 * vitest, so it shares nothing with `harness.ts`.
 *
 * `open` says `open`, or the error as JSON, and ends; with an argument, as the user of that number · `hold` locks the store, says `held` and stays · `add` stores a page of so many
 * events and ends · `write` stores page after page of 7 events, saying `stored N` after each · `deliver` sends batches of 5 as a
 * dispatcher does, saying `sent FIRST LAST` before each cursor moves.
 */

const [role, path = '', argument = ''] = process.argv.slice(2);

/** Synchronous, so that a line is out before the next call into the store. */
function say(line: string): void {
  writeSync(1, `${line}\n`);
}

function page(count: number, first: number) {
  return Array.from({ length: count }, (_, index) => {
    const n = first + index;
    const time = Date.UTC(2026, 0, 1) + n * 1000;
    const id = eventId('attachment', time, [`process-${n}`]);
    return { raw: Buffer.from(JSON.stringify({ n })), value: { id, time } };
  });
}

function storePage(store: Store, count: number, first: number, doneUntil: number): void {
  store.storePage({
    feed: 'process',
    type: 'attachment',
    candidates: page(count, first),
    variants: 'suppress',
    now: Date.UTC(2026, 0, 2),
    progress: { doneUntil, walk: null },
  });
}

function write(store: Store): void {
  for (let n = 1; ; n += 1) {
    storePage(store, 7, (n - 1) * 7 + 1, n * 1000);
    say(`stored ${n}`);
  }
}

function deliver(store: Store): void {
  storePage(store, 1000, 1, 1000);
  store.startOutput('siem', 'beginning');
  for (;;) {
    store.flush('siem');
    const events = store.outbox.read(store.cursors.get('siem') ?? 0, { maxEvents: 5, maxBytes: 1e9 });
    const last = events.at(-1);
    if (!last) break;
    say(`sent ${events[0]?.seq} ${last.seq}`);
    store.settle('siem', last.seq, [], Date.now());
  }
  setInterval(() => undefined, 1000);
}

/** Only now, with all that is needed loaded: Node itself may stand where another user cannot read. */
function become(uid: string): void {
  new Database(':memory:').close();
  process.seteuid?.(Number(uid));
}

try {
  if (role === 'open' && argument !== '') become(argument);
  const store = Store.open(path);
  if (role === 'hold') {
    store.lock({ pid: process.pid, host: 'tester', startedAt: Date.UTC(2026, 0, 1) });
    say('held');
    setInterval(() => undefined, 1000);
  } else if (role === 'write') write(store);
  else if (role === 'deliver') deliver(store);
  else {
    if (role === 'add') storePage(store, Number(argument), 1, 1000);
    store.close();
    say(role ?? '');
  }
} catch (error) {
  const hint = error instanceof ForwarderError ? error.hint : undefined;
  say(
    JSON.stringify({
      code: codeOf(error),
      name: error instanceof Error ? error.name : '',
      message: messageOf(error),
      hint,
    }),
  );
}
