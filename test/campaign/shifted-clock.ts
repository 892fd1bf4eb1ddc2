/**
 * Loaded into the daemon before it starts (`node --import`).
 *
 * - Its wall clock is that of the machine plus the number in the file that CAMPAIGN_CLOCK names, ms. The monotonic clock and timers stay
 *   true, as they do when NTP or an operator steps the wall clock.
 * - It waits less: of what a failure makes it wait beyond a quarter of a second, the root is left (half a minute becomes a second, five
 *   minutes two and a half), or a run of a few seconds would see one failure of each kind. Timeouts of requests and sends are true, and so
 *   is the patience of a stop, which is a wait that no signal cuts short.
 * - SIGXFSZ is heard and left: where RLIMIT_FSIZE is made small, writes then fail as on a broken disk, and the process lives on to see it.
 */
import { readFileSync, watchFile } from 'node:fs';
import { createRequire, syncBuiltinESMExports } from 'node:module';

const file = process.env.CAMPAIGN_CLOCK ?? '';
const LOOK_EVERY_MS = 50;
const TRUE_WAIT_MS = 250;
/** Of the root, in ms. */
const ROOT_FACTOR = 4;
const TrueDate = globalThis.Date;
let ahead = 0;

function look(): void {
  ahead = Number(readFileSync(file, 'utf8'));
}

look();
watchFile(file, { interval: LOOK_EVERY_MS, persistent: false }, look);

/** `new Date()` and `Date.now()` are shifted; dates that are given are as they are. */
globalThis.Date = new Proxy(TrueDate, {
  construct: (target, args: unknown[], newTarget) =>
    Reflect.construct(target, args.length === 0 ? [TrueDate.now() + ahead] : args, newTarget) as Date,
  get: (target, key, receiver) =>
    key === 'now' ? () => TrueDate.now() + ahead : (Reflect.get(target, key, receiver) as unknown),
});

type Timers = typeof import('node:timers/promises');
const timers = createRequire(import.meta.url)('node:timers/promises') as { setTimeout: Timers['setTimeout'] };
const trueTimeout = timers.setTimeout;
timers.setTimeout = (ms = 0, value, options) => {
  const isCut = ms > TRUE_WAIT_MS && options?.signal !== undefined;
  return trueTimeout(isCut ? TRUE_WAIT_MS + ROOT_FACTOR * Math.sqrt(ms - TRUE_WAIT_MS) : ms, value, options);
};
syncBuiltinESMExports();

process.on('SIGXFSZ', () => {});
