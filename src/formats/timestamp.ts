const TWO_DIGITS = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, '0'));

let cachedMinute = Number.NaN;
let cachedText = '';

/**
 * `2024-11-17T20:16:00` in UTC of ms since 1970, without a zone: the caller adds `Z`, or `.000Z` where milliseconds must stand.
 *
 * Events come in the order of their time, so all but the seconds is kept from one to the next: `toISOString` costs 0.8 µs, more than the
 * whole rest of a JSON message.
 */
export function utcSeconds(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const minute = Math.floor(seconds / 60);
  if (minute !== cachedMinute) {
    cachedText = new Date(minute * 60_000).toISOString().slice(0, -'00.000Z'.length);
    cachedMinute = minute;
  }
  return cachedText + TWO_DIGITS[seconds - minute * 60];
}
