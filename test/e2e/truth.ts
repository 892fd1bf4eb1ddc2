import { attachment } from '../../src/feeds/attachment.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';
import { eventId } from '../../src/store/key.ts';

/** The event ids of all that Mimecast shows: what every output must have got, no more and no less. */
export function expectedIds(simulator: Simulator): Set<string> {
  const feed = attachment.create({ name: 'attachment', key: attachment.defaultKey });
  const ids = new Set<string>();
  for (const record of simulator.visibleRecords()) {
    const identity = feed.identify(record);
    if ('malformed' in identity) throw new Error(`the simulator made a record that is none: ${identity.malformed}`);
    ids.add(eventId(feed.type, identity.time, identity.parts));
  }
  return ids;
}

/** The event ids in texts of the `json` format, in order. */
export function idsOf(texts: readonly string[]): string[] {
  return texts.map((text) => (JSON.parse(text.slice(text.indexOf('{'))) as { eventId: string }).eventId);
}

/** What is missing of `expected`, what is there that should not be, and how often something came again. */
export function compare(expected: ReadonlySet<string>, got: readonly string[]) {
  const distinct = new Set(got);
  return {
    missing: [...expected].filter((id) => !distinct.has(id)).length,
    unknown: [...distinct].filter((id) => !expected.has(id)).length,
    repeated: got.length - distinct.size,
  };
}

export const EXACTLY_ONCE = { missing: 0, unknown: 0, repeated: 0 };
