import { z } from 'zod';
import type { FeedType } from '../feeds/feed.ts';
import type { MimecastOptions } from '../mimecast/options.ts';
import { duration, formatDuration, secret, size } from '../options.ts';
import type { OutputType, Profile } from '../outputs/output.ts';
import { isLoopback } from '../telemetry/listen.ts';
import { type CheckedFormat, createFormat, type FormatTable, formatChoice } from './format-choice.ts';
import {
  entryName,
  feedStart,
  hostPattern,
  listenAddress,
  outputStart,
  parseListenAddress,
  schedule,
} from './scalars.ts';

/** The racks that the schema is composed from. A new member needs a line in its own table and nothing here. */
export interface ConfigTables {
  readonly feedTypes: Readonly<Record<string, FeedType>>;
  readonly outputTypes: Readonly<Record<string, OutputType>>;
  readonly formats: FormatTable;
  readonly mimecastOptions: z.ZodType<MimecastOptions>;
}

export type ConfigSchema = ReturnType<typeof configSchema>;
/** A checked config in the shape of its file: every default filled in, durations in ms, sizes in bytes. */
export type CheckedConfig = z.output<ConfigSchema>;

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
/** How long Mimecast keeps its attachment logs. A sweep or a start further back finds nothing. */
const MIMECAST_KEEPS = 30 * DAY;

export function configSchema({ feedTypes, outputTypes, formats, mimecastOptions }: ConfigTables) {
  const format = formatChoice(formats);
  const feeds = z
    .array(byType<z.output<typeof feedBase>>(Object.values(feedTypes).map(feedSchema)))
    .min(1, 'expected at least one feed');
  const outputs = z
    .array(
      byType<z.output<typeof outputBase>>(
        Object.values(outputTypes).map((type) => outputSchema(type, format, formats)),
      ),
    )
    .min(1, 'expected at least one output');
  return z.strictObject({
    mimecast: mimecastOptions,
    feeds: feeds
      .superRefine(uniqueNames, ALWAYS)
      .meta({ description: 'What is read. One entry per Mimecast log type.' }),
    outputs: outputs
      .superRefine(uniqueNames, ALWAYS)
      .superRefine(uniqueClaims(outputTypes))
      .meta({ description: 'Where events go. Each output has its own cursor; none waits for another.' }),
    store: store.prefault({}),
    http: z
      .union([z.literal(false), http])
      .prefault({})
      .meta({ description: 'Metrics, health and status over HTTP; `false` turns it off.' }),
    log: log.prefault({}),
  });
}

const feedBase = z.strictObject({
  type: z.string(),
  name: entryName('Keys the checkpoint and labels the metrics. Unique. Default: the type.'),
  schedule: schedule(
    'When to poll: a cron expression, an optional field for seconds first. A run never overlaps the one before.',
  ).default('* * * * *'),
  startFrom: feedStart('First run only: how far back to begin, as a duration, or an ISO time.').default('24h'),
  overlap: duration(
    'How far behind the checkpoint each poll reads again, for records that surface late. Nothing enters twice.',
  ).prefault('15m'),
  settle: duration("The newest stretch that is not asked for yet, by Mimecast's clock.").prefault('10s'),
  maxWindow: duration('Catching up goes in windows of at most this.', 60_000).prefault('6h'),
  pageSize: z.int().min(1).max(500).default(500).meta({ description: 'Records per request.' }),
  sweep: z
    .union([
      z.literal(false),
      z.strictObject({
        schedule: schedule('When to sweep.').default('17 3 * * *'),
        span: duration('How far back to read again.', HOUR).prefault('48h'),
      }),
    ])
    .prefault({})
    .meta({ description: 'A wide re-read, paced so that live polling goes first; `false` turns it off.' }),
  dedupe: z.strictObject({
    key: z.array(z.string()),
    variants: z
      .enum(['suppress', 'ship'])
      .default('suppress')
      .meta({ description: 'What happens to a record whose key is known but whose content differs.' }),
  }),
});

function feedSchema(member: FeedType) {
  const { dedupe } = feedBase.shape;
  const key = z
    .array(z.enum(member.keys))
    .min(1, 'expected at least one key')
    .default([...member.defaultKey])
    .meta({
      description: 'Keys that make a record one and the same. When one is missing or blank, the whole record is.',
    });
  return feedBase
    .extend({
      type: z.literal(member.type).meta({ description: member.summary }),
      name: feedBase.shape.name.default(member.type),
      dedupe: dedupe.extend({ key }).prefault({}).meta({ description: 'How records are told apart.' }),
    })
    .refine(({ overlap, maxWindow }) => overlap < maxWindow, {
      path: ['overlap'],
      when: numbers('overlap', 'maxWindow'),
      error: ({ input }) => `expected less than maxWindow (${formatDuration(field(input, 'maxWindow'))})`,
    })
    .refine(({ sweep, overlap }) => sweep === false || (sweep.span > overlap && sweep.span <= MIMECAST_KEEPS), {
      path: ['sweep', 'span'],
      error: ({ input }) =>
        `expected more than overlap (${formatDuration(field(input, 'overlap'))}) and at most 30d, which is what Mimecast keeps`,
    })
    .meta({ description: member.summary });
}

/** What the `filter` of an output and `tap --filter` may say: a field of the record, and the values that pass. */
export const filterRules = z.record(
  z.string(),
  z.array(z.union([z.string(), z.number(), z.boolean()]).transform(String)).min(1),
);

const outputBase = z.strictObject({
  name: entryName('Keys the cursor and labels the metrics. Unique.'),
  type: z.string(),
  format: z.custom<CheckedFormat>(),
  filter: filterRules.default({}).meta({
    description: 'Only events whose field, as Mimecast names it, has one of the listed values. All fields must match.',
  }),
  startFrom: outputStart('Where an output that is new to the store begins: `now`, `beginning` or an ISO time.').default(
    'now',
  ),
  batch: z
    .strictObject({
      maxEvents: z.int().min(1).max(10_000).default(500).meta({ description: 'Most events in one batch.' }),
      maxBytes: size('Most bytes of events in one batch; a single larger event goes alone.', 1024).prefault('1MiB'),
    })
    .prefault({})
    .meta({ description: 'The batch is the unit of confirmation: a failure sends at most one again.' }),
  retry: z
    .strictObject({
      initialDelay: duration('Longest first wait after a failure.', 1).prefault('1s'),
      maxDelay: duration('Longest wait of all.', 1).prefault('5m'),
    })
    .refine(({ initialDelay, maxDelay }) => initialDelay <= maxDelay, {
      path: ['initialDelay'],
      error: ({ input }) => `expected at most maxDelay (${formatDuration(field(input, 'maxDelay'))})`,
    })
    .prefault({})
    .meta({ description: 'Waits between tries, which go on for ever: nothing is dropped for age or count.' }),
});

function outputSchema(member: OutputType, format: ReturnType<typeof formatChoice>, formats: FormatTable) {
  return member.options
    .safeExtend({
      ...outputBase.shape,
      type: z.literal(member.type).meta({ description: member.summary }),
      format: format.prefault(member.defaultFormat).meta({
        description: 'How an event is written: the name of a format, or a map of its `type` and options.',
      }),
      ...(member.profiles && { profile: profileName(member.profiles) }),
    })
    .superRefine((output, context) => {
      // Here, not when the output is built: that would be a daemon which does not start, without a line to look at.
      const message = member.refuses?.(output, createFormat(output.format as CheckedFormat, formats));
      if (message !== undefined) context.addIssue({ code: 'custom', path: ['format'], message });
    })
    .meta({ description: member.summary });
}

function profileName(profiles: Readonly<Record<string, Profile>>) {
  return z.enum(Object.keys(profiles)).optional().meta({
    description:
      'What a receiver wants, by its name. Sets options that are not written here; see the table of profiles.',
    profiles,
  });
}

const store = z
  .strictObject({
    path: z.string().min(1).default('./data/forwarder.db').meta({
      description: 'The SQLite file, relative to the working directory. Its folder is made when missing.',
    }),
    retention: duration('How long delivered events are kept, for replay and reconcile.', DAY).prefault('30d'),
    maxSize: size('Past it collecting pauses and says so; nothing is dropped.', 16 * 1024 ** 2).prefault('10GiB'),
    minFreeDisk: size('With less than this free on the disk, collecting pauses.').prefault('512MiB'),
  })
  .meta({ description: 'The only memory: events, checkpoints and cursors.' });

const http = z
  .strictObject({
    listen: listenAddress('Address to listen on, HOST:PORT; port 0 takes a free one.').default('127.0.0.1:9464'),
    token: secret('Bearer token for everything but /healthz and /readyz.').optional(),
    public: z.boolean().default(false).meta({
      description: 'Serve status and metrics without a token to everybody who reaches an address that is not loopback.',
    }),
    allowedHosts: z.array(hostPattern()).default([]).meta({
      description:
        'Names that requests without the token may go by (`Host` header), `*.example.com` for all below. IP addresses, names without a dot, names of this machine, of a Kubernetes service and below `.internal` need no entry.',
    }),
  })
  .superRefine(guarded);

/** What other machines can read is guarded by a token, or is public because somebody has said so. */
function guarded(
  { listen, token, public: isPublic }: { listen: string; token?: unknown; public: boolean },
  context: z.core.$RefinementCtx,
): void {
  const host = parseListenAddress(listen)?.host;
  if (host === undefined || isLoopback(host) || token !== undefined || isPublic) return;
  context.addIssue({
    code: 'custom',
    path: ['listen'],
    message: `${host} can be reached from other machines, expected a token (http.token), or public: true if whoever reaches it may read status and metrics`,
  });
}

const log = z
  .strictObject({
    level: z
      .enum(['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'])
      .default('info')
      .meta({ description: 'Least level to log.' }),
    format: z
      .enum(['auto', 'json', 'pretty'])
      .default('auto')
      .meta({ description: '`auto` is pretty on a terminal and JSON elsewhere.' }),
  })
  .meta({ description: 'Logs, written to standard error.' });

/** A rule that is checked even when something else in the map is wrong, so that all mistakes come at once. */
const ALWAYS = { when: () => true };

function numbers(...keys: string[]) {
  return ({ value }: { value: unknown }) => keys.every((key) => !Number.isNaN(field(value, key)));
}

/** A number of a map that may be half wrong; NaN when it is none. */
function field(map: unknown, key: string): number {
  const value: unknown = typeof map === 'object' && map !== null ? Reflect.get(map, key) : undefined;
  return typeof value === 'number' ? value : Number.NaN;
}

/** Reports each name that was used further up. `ctx` paths are relative to the list. */
function uniqueNames(entries: unknown, context: z.core.$RefinementCtx): void {
  if (!Array.isArray(entries)) return;
  const first = new Map<string, number>();
  entries.forEach((entry: unknown, index) => {
    const name: unknown = typeof entry === 'object' && entry !== null ? Reflect.get(entry, 'name') : undefined;
    if (typeof name !== 'string') return;
    const earlier = first.get(name);
    if (earlier === undefined) first.set(name, index);
    else {
      const message = `the name ${name} is taken by entry [${earlier}], expected a name of its own`;
      context.addIssue({ code: 'custom', path: [index, 'name'], message });
    }
  });
}

const NOTHING = { option: '', paths: [] };

/** Reports each output that would write to what another of its type writes to; see `OutputType.claims`. */
function uniqueClaims(outputTypes: ConfigTables['outputTypes']) {
  return (entries: readonly z.output<typeof outputBase>[], context: z.core.$RefinementCtx) => {
    const first = new Map<string, string>();
    entries.forEach((entry, index) => {
      const { option, paths } = outputTypes[entry.type]?.claims?.(entry) ?? NOTHING;
      for (const path of paths) {
        const claim = `${entry.type} ${path}`;
        const earlier = first.get(claim);
        if (earlier === undefined) first.set(claim, entry.name);
        else if (earlier !== entry.name) {
          const message = `${path} is written by the output ${earlier} too, expected a path of its own`;
          context.addIssue({ code: 'custom', path: [index, option], message });
          return;
        }
      }
    });
  };
}

/**
 * A union told apart by `type`. Members come from a table, so their own options are known to them alone; `Common` is what all of
 * them are known to have.
 */
function byType<Common>(members: readonly z.ZodObject[]): z.ZodType<Common & Readonly<Record<string, unknown>>> {
  const [first, ...rest] = members;
  if (first === undefined) throw new TypeError('a table has no members');
  return z.discriminatedUnion('type', [first, ...rest]) as unknown as z.ZodType<
    Common & Readonly<Record<string, unknown>>
  >;
}
