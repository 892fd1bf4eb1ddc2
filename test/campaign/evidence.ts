import { attachment } from '../../src/feeds/attachment.ts';
import { eventId } from '../../src/store/key.ts';
import { BATCH, FILTERED } from './config.ts';
import { OUTPUTS, type OutputName } from './fault.ts';
import { refusesForGood } from './journal.ts';
import type { History, OutputHistory } from './oracle.ts';
import type { World } from './world.ts';

/** The output whose receiver refuses events for good. */
const REFUSING = 'hook';

/** Has every output what it should have in the end: what was served, and what is shown at `at`, ms by Mimecast's clock? */
export function isDrained(world: World, at: number): boolean {
  const { served, shown } = recordsOf(world, at);
  return OUTPUTS.every((name) => hasAll(world, name, served) && hasAll(world, name, shown));
}

/** Has Mimecast served what this receiver has not got yet? */
export function isWaitingFor(world: World, name: OutputName): boolean {
  return !hasAll(world, name, routes(world.simulator.servedRecords()));
}

/** To be called when the daemon has stopped. `at`: see `isDrained`; `malformedBefore`: those that were served while faults went on. */
export function historyOf(world: World, at: number, malformedBefore: ReadonlySet<string>): History {
  const { served, shown } = recordsOf(world, at);
  const routeOf = new Map([...served, ...shown]);
  const listed = world.daemon.ask('rejects', 'list') as {
    readonly rejects: readonly { readonly output: string; readonly eventId: string }[];
    readonly malformed: readonly { readonly raw: string }[];
  };
  const output = (name: OutputName): OutputHistory => ({
    name,
    batch: BATCH,
    attempts: world.receivers[name].attempts(),
    wanted: new Set([...routeOf].flatMap(([id, route]) => (isWanted(name, route) ? [id] : []))),
    rejects: listed.rejects.filter((reject) => reject.output === name).map(({ eventId }) => eventId),
    refuses: (id) => name === REFUSING && refusesForGood(id),
    receiverEnds: world.receivers[name].ends,
  });
  return {
    served: new Set(served.keys()),
    unread: new Set([...shown.keys()].filter((id) => !served.has(id))),
    malformed: {
      served: [...world.simulator.served.malformed].filter((text) => !malformedBefore.has(text)),
      kept: listed.malformed.map(({ raw }) => raw),
    },
    lives: world.lives,
    outputs: OUTPUTS.map(output),
  };
}

/** The route of each record by its id. */
type Routes = ReadonlyMap<string, string>;

/** What Mimecast has served, and what it shows at `at`. */
function recordsOf({ simulator }: World, at: number): { readonly served: Routes; readonly shown: Routes } {
  return { served: routes(simulator.servedRecords()), shown: routes(simulator.visibleRecords(at)) };
}

function hasAll(world: World, name: OutputName, routeOf: Routes): boolean {
  const settled = world.receivers[name].settled();
  for (const [id, route] of routeOf) if (!settled.has(id) && isWanted(name, route)) return false;
  return true;
}

const FEED = attachment.create({ name: 'attachment', key: attachment.defaultKey });

function routes(records: Iterable<Readonly<Record<string, unknown>>>): Routes {
  const routeOf = new Map<string, string>();
  for (const record of records) {
    const identity = FEED.identify(record);
    if ('malformed' in identity) throw new Error(`the simulator made a record that is none: ${identity.malformed}`);
    routeOf.set(eventId(FEED.type, identity.time, identity.parts), String(record.route));
  }
  return routeOf;
}

function isWanted(name: OutputName, route: string): boolean {
  return name !== FILTERED.output || FILTERED.route.some((passing) => passing === route);
}
