import type { ForwarderEvent } from '../event.ts';

/** One member of a record, as Mimecast sent it. */
export interface Member {
  readonly name: string;
  readonly value: unknown;
  /** By the order of the feed, 0 for what is kept longest; keys that the feed does not list come after all others. */
  readonly rank: number;
}

/** Members that formats of whole records add, and the one that names what was cut. */
export const OUR_NAMES: readonly string[] = ['eventId', 'eventTime', 'feed', 'truncated'];

/** A record's members in its order. Those by a name that is taken are left out, so that no reader can take them for ours. */
export function recordMembers({ record, source }: ForwarderEvent, taken = OUR_NAMES): readonly Member[] {
  const order = source.keepFirst ?? [];
  return Object.entries(record)
    .filter(([name]) => !taken.includes(name))
    .map(([name, value]) => {
      const place = order.indexOf(name);
      return { name, value, rank: place < 0 ? order.length : place };
    });
}
