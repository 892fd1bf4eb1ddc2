const DAY_S = 86_400;
const TWO_DIGITS = Array.from({ length: 60 }, (_, n) => String(n).padStart(2, '0'));

let cachedDay = Number.NaN;
let cachedDate = '';

/**
 * `2024-11-17T20:16:00` in UTC of ms since 1970, without a zone: the caller adds `Z`, or `.000Z` where milliseconds must stand.
 *
 * Events come in the order of their time, so the date is kept from one to the next and only the clock is worked out:
 * `toISOString` costs 0.8 µs, more than the whole rest of a JSON message.
 */
export function utcSeconds(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  const day = Math.floor(seconds / DAY_S);
  if (day !== cachedDay) {
    cachedDate = new Date(day * DAY_S * 1000).toISOString().slice(0, 10);
    cachedDay = day;
  }
  const clock = seconds - day * DAY_S;
  const hour = Math.floor(clock / 3600);
  const minute = Math.floor(clock / 60) % 60;
  return `${cachedDate}T${TWO_DIGITS[hour]}:${TWO_DIGITS[minute]}:${TWO_DIGITS[clock % 60]}`;
}
