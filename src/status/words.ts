/**
 * Figures as an operator reads them. All times are UTC: a page, a terminal and a log that are read side by side during an
 * incident must not differ by an offset.
 */

const SECOND = 1000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** From the coarsest down; a duration is told in the first that fits and the one below it. */
const UNITS = [
  { ms: DAY, name: 'd' },
  { ms: HOUR, name: 'h' },
  { ms: MINUTE, name: 'min' },
  { ms: SECOND, name: 's' },
] as const;

const LAST_MS = Date.UTC(9999, 11, 31, 23, 59, 59);

const MONTHS = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'] as const;
const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB'] as const;
const SMALL_NUMBERS = ['No', 'One', 'Two', 'Three', 'Four', 'Five', 'Six', 'Seven', 'Eight', 'Nine'] as const;

/** A duration in ms in at most two units, rounded down: `22 s`, `1 h 45 min`, `12 d 4 h`. What is negative reads `0 s`. */
export function duration(ms: number): string {
  const coarse = UNITS.findIndex((unit) => ms >= unit.ms);
  const first = UNITS[coarse];
  if (first === undefined) return '0 s';
  const whole = Math.floor(ms / first.ms);
  const second = UNITS[coarse + 1];
  const rest = second === undefined ? 0 : Math.floor((ms - whole * first.ms) / second.ms);
  const head = `${count(whole)} ${first.name}`;
  return second === undefined || rest === 0 ? head : `${head} ${rest} ${second.name}`;
}

/** An answer time in ms: `0.4 s`, `12 s`. */
export function answerTime(ms: number): string {
  const seconds = Math.max(0, ms) / SECOND;
  return seconds < 10 ? `${seconds.toFixed(1)} s` : `${Math.round(seconds)} s`;
}

/** `the last 24 hours`, `the last 3 days`: a span in ms, rounded to the unit that a person would name. */
export function lastSpan(ms: number): string {
  const [size, name] = ms >= 2 * DAY ? [DAY, 'day'] : ms >= 2 * HOUR ? [HOUR, 'hour'] : [MINUTE, 'minute'];
  const number = Math.max(1, Math.round(ms / size));
  return `the last ${number === 1 ? '' : `${number} `}${name}${number === 1 ? '' : 's'}`;
}

/** `14:02:11` */
export function clock(at: number): string {
  return iso(at).slice(11, 19);
}

/** `23 Dec` */
export function dayOf(at: number): string {
  const date = calendar(at);
  return `${date.getUTCDate()} ${MONTHS[date.getUTCMonth()] ?? ''}`;
}

/** `23 Nov 2026 09:31:42 UTC` */
export function dateTime(at: number): string {
  return `${dayOf(at)} ${calendar(at).getUTCFullYear()} ${clock(at)} UTC`;
}

/** A moment in a sentence: `14:02`, and on another day than `now` `22 Nov 14:02`. */
export function moment(at: number, now: number): string {
  return withDay(at, now, iso(at).slice(11, 16));
}

/** As `moment`, to the second. */
export function exactMoment(at: number, now: number): string {
  return withDay(at, now, clock(at));
}

/** A moment in a column of 11 cells: `14:02:11`, and on another day than `now` `11-22 14:02`. */
export function shortMoment(at: number, now: number): string {
  return sameDay(at, now) ? clock(at) : iso(at).slice(5, 16).replace('T', ' ');
}

/** `12,408` */
export function count(number: number): string {
  return Math.round(number).toLocaleString('en-US');
}

/** A count that must stay short: exact up to 99,999, then `1,204k`, `17M`. */
export function shortCount(number: number): string {
  if (number < 100_000) return count(number);
  return number < 10_000_000 ? `${count(number / 1000)}k` : `${count(number / 1_000_000)}M`;
}

/** `1 event`, `3 events`, and `no events` at 0. */
export function counted(number: number, one: string, many = `${one}s`): string {
  return `${number === 0 ? 'no' : count(number)} ${number === 1 ? one : many}`;
}

/** A number that begins a sentence: `Two`, `12`. */
export function numberWord(number: number): string {
  return SMALL_NUMBERS[number] ?? count(number);
}

/** `2.4 GiB`, `68 KiB`, `10 GiB`: one decimal below ten, and only where it says something. */
export function bytes(size: number): string {
  let value = Math.max(0, size);
  let unit = 0;
  while (unit < BYTE_UNITS.length - 1 && value >= 1023.5) {
    value /= 1024;
    unit += 1;
  }
  const text = value < 9.95 ? value.toFixed(1).replace(/\.0$/, '') : count(value);
  return `${text} ${BYTE_UNITS[unit] ?? ''}`;
}

/** `a`, `a and b`, `a, b and c` */
export function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1) ?? ''}`;
}

function sameDay(at: number, now: number): boolean {
  return iso(at).slice(0, 10) === iso(now).slice(0, 10);
}

function withDay(at: number, now: number, time: string): string {
  return sameDay(at, now) ? time : `${dayOf(at)} ${time}`;
}

/** As programs read it: `2026-11-23T14:02:11.000Z` */
export function iso(at: number): string {
  return calendar(at).toISOString();
}

/** Times that no calendar holds (a clock gone mad, a damaged row) are drawn to the ends of what is four-digit years. */
function calendar(at: number): Date {
  return new Date(Math.min(Math.max(Number.isFinite(at) ? at : 0, 0), LAST_MS));
}
