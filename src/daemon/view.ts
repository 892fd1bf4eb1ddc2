import type { Config } from '../config/config.ts';
import { compileFilter } from '../deliver/filter.ts';
import type { Routing } from '../status/recent.ts';
import type { Store } from '../store/store.ts';
import { eventSources } from './feeds.ts';

/** What a view needs to know of the config; see `viewOf`. For the daemon and for `status`. */
export function routingOf({ feeds, outputs }: Pick<Config, 'feeds' | 'outputs'>, store: Store): Routing {
  return {
    sourceOf: eventSources(feeds, store),
    filters: new Map(
      outputs.flatMap(({ name, filter }) => {
        const passes = compileFilter(filter);
        return passes ? [[name, passes] as const] : [];
      }),
    ),
  };
}
