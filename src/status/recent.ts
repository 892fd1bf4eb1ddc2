import { type EventSource, ForwarderEvent } from '../event.ts';
import type { NewestEvent, NewestVariant } from '../store/newest.ts';
import type { Store } from '../store/store.ts';
import type { OutputReport, Report } from './assess.ts';
import { outputCondition } from './condition.ts';
import { shownChanges } from './shown-fields.ts';
import type { Recent, RecentEvent, RecentVariant } from './view.ts';

const EVENTS = 8;
const REJECTS = 5;
const VARIANTS = 5;

/** What of the config is needed to tell what became of an event. */
export interface Routing {
  /** The feed of a name, to describe its records; also of one that is no longer configured. */
  readonly sourceOf: (feed: string) => EventSource;
  /** By output: which events it is to get. An output without a filter is not in it. */
  readonly filters: ReadonlyMap<string, (event: ForwarderEvent) => boolean>;
}

/** The newest of the store, for people. Costs the same whatever the store holds. */
export function recentOf(store: Store, report: Report, routing: Routing): Recent {
  const events = store.newest.events(EVENTS);
  const receivers = report.outputs.map((output) => receiverOf(store, report, output, events, routing));
  return {
    events: events.map((event) => recentEvent(event, receivers, routing)),
    rejects: { count: store.rejects.count(), newest: store.newest.rejects(REJECTS) },
    variants: {
      count: store.variants.count(),
      newest: store.newest.variants(VARIANTS).map((variant) => recentVariant(variant, routing)),
    },
  };
}

/** What one output has done with the newest events, and does with those that it has not got yet. */
interface Receiver {
  readonly name: string;
  readonly beginning: number;
  readonly cursor: number;
  readonly rejected: ReadonlySet<number>;
  readonly wants: ((event: ForwarderEvent) => boolean) | undefined;
  readonly pendingAs: 'next' | 'waits';
}

type Fate = RecentEvent['pending'][number]['why'] | 'accepted' | 'unknown';

function receiverOf(
  store: Store,
  report: Report,
  output: OutputReport,
  newestFirst: readonly NewestEvent[],
  { filters }: Routing,
): Receiver {
  const { is } = outputCondition(output, report);
  return {
    name: output.name,
    beginning: store.newest.beginningOf(output.name),
    cursor: store.cursors.get(output.name) ?? 0,
    rejected: store.newest.rejectedBetween(output.name, newestFirst.at(-1)?.seq ?? 0, newestFirst[0]?.seq ?? 0),
    wants: filters.get(output.name),
    pendingAs: is === 'accepting' || is === 'nothing_sent' ? 'next' : 'waits',
  };
}

function recentEvent(row: NewestEvent, receivers: readonly Receiver[], { sourceOf }: Routing): RecentEvent {
  const { seq, time, raw } = row;
  const event = raw && new ForwarderEvent({ seq, id: row.id, time, raw, source: sourceOf(row.feed) });
  const fates = receivers.map((receiver) => ({ output: receiver.name, fate: fateOf(seq, event, receiver) }));
  const { result = '', fileName = '', sender = '', recipient = '', route = '' } = event?.fields ?? {};
  return {
    ...{ id: row.id, at: time, result, file: fileName, sender, recipient, route },
    acceptedBy: fates.filter(({ fate }) => fate === 'accepted').map(({ output }) => output),
    pending: fates.flatMap(({ output, fate }) =>
      fate === 'accepted' || fate === 'unknown' ? [] : [{ output, why: fate }],
    ),
  };
}

function fateOf(seq: number, event: ForwarderEvent | undefined, receiver: Receiver): Fate {
  // It was stored before the output came: nobody has promised it.
  if (seq <= receiver.beginning) return 'unknown';
  if (receiver.rejected.has(seq)) return 'rejected';
  if (receiver.wants && event && !receiver.wants(event)) return 'filtered';
  if (seq > receiver.cursor) return receiver.pendingAs;
  // A record that is too long to look into may have been filtered.
  return receiver.wants && !event ? 'unknown' : 'accepted';
}

function recentVariant(
  { feed, id, foundAt, shipped, was, became }: NewestVariant,
  { sourceOf }: Routing,
): RecentVariant {
  const changes = was && became ? shownChanges(sourceOf(feed), was, became) : [];
  return { changes, id, at: foundAt, shipped };
}
