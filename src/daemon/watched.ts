import { subjectOf } from '../store/activity.ts';
import type { Watched } from './recorder.ts';
import type { LiveParts } from './snapshot.ts';

/** The feeds and outputs of a running daemon, for the `Recorder`. */
export function watchedOf({ store, feeds, outputs }: Pick<LiveParts, 'store' | 'feeds' | 'outputs'>): Watched[] {
  return [
    ...feeds.map(({ config: { name }, collector }): Watched => {
      const subject = subjectOf('feed', name);
      return {
        ...{ subject, episode: collector.episode },
        // The store counts for all who read the feed: polls, sweeps, and the collector after this one.
        counter: subject,
        count: () => store.activity.stored(name),
        waiting: () => null,
        hasWorked: () => collector.state.lastSuccessAt !== null,
      };
    }),
    ...outputs.map(({ config: { name }, dispatcher }): Watched => {
      return {
        ...{ subject: subjectOf('output', name), episode: dispatcher.episode },
        counter: dispatcher,
        count: () => dispatcher.accepted,
        waiting: () => store.outbox.countAfter(dispatcher.cursor),
        hasWorked: () => dispatcher.lastAcceptedAt !== null,
      };
    }),
  ];
}
