import type { Stretch, TimelineStep, View } from '../status/view.ts';
import { count, moment } from '../status/words.ts';
import type { Axis } from './axis.ts';

/** `03:10 to 03:57`, and of one that lasts `14:02 to now`. The days are told where it is not the day of `now`. */
export function stretchWords({ from, until }: Stretch, now: number): string {
  return `${moment(from, now)} to ${until === null ? 'now' : moment(until, now)}`;
}

/** `03:10 to 03:57 not read`, `not read since 14:02`. */
export function labelWords(stretch: Stretch, what: string, axis: Axis): string {
  if (stretch.until === null) return `${what} since ${moment(stretch.from, axis.until)}`;
  return `${stretchWords(stretch, axis.until)} ${what}`;
}

/** `last 24 hours` */
export function spanWords({ span }: Pick<View, 'span'>): string {
  return span === '24h' ? 'last 24 hours' : 'last 7 days';
}

/** `0 to 42 records a minute`: lowest and highest of what is drawn. */
export function rangeWords(steps: readonly TimelineStep[], one: string): string {
  const known = steps.flatMap(({ perMinute }) => perMinute ?? []);
  if (known.length === 0) return 'no figures yet';
  return `${count(Math.min(...known))} to ${count(Math.max(...known))} ${one}s a minute`;
}
