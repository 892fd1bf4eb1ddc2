/**
 * Loaded into the daemon before it starts (`node --import`): its wall clock is that of the machine plus the number in the file that
 * CAMPAIGN_CLOCK names, ms. The monotonic clock and timers stay true, as they do when NTP or an operator steps the wall clock.
 */
import { readFileSync, watchFile } from 'node:fs';

const file = process.env.CAMPAIGN_CLOCK ?? '';
const LOOK_EVERY_MS = 50;
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
