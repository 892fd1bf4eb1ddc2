import { Writable } from 'node:stream';
import { ForwarderEvent } from '../../src/event.ts';
import type { Format } from '../../src/formats/format.ts';
import type { OutputContext } from '../../src/outputs/output.ts';

/** What the other side of an output can do to it. */
export type Behaviour =
  | 'refuses one event' // for good, for its content; which one is told by `isMarked`
  | 'is busy' // and asks to come back in `BUSY_SECONDS`
  | 'refuses credentials'
  | 'is gone' // nothing listens any more
  | 'resets' // breaks the connection in the middle of a batch
  | 'hangs' // takes what is sent and says nothing
  | 'is half-open' // its machine vanishes, and no word of TCP says so: `behindRelay` plays that, no harness has to
  | 'answers hugely'; // accepts, and goes on for 10 MB

export const BUSY_SECONDS = 7;
/** The time limit that a harness sets for its output, ms, so that `hangs` can be waited for. */
export const OWN_LIMIT = 400;

/** Options of a harness with time enough: on a busy machine a receiver that does its best takes longer than `OWN_LIMIT`. */
export function patiently(options: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  return JSON.parse(JSON.stringify(options).replaceAll(`"${OWN_LIMIT}ms"`, '"10s"'));
}

/** Ends in a reason for people: the behaviour has no meaning for this output. */
export type NotApplicable = `not applicable: ${string}`;
/**
 * `names it` for `refuses one event`: the other side says itself which event it is and takes the others, so that no batch is split. For
 * any other behaviour it is the same as `applies`.
 */
export type Applies = 'applies' | 'names it';

/** One receiver, started, well-behaved until told otherwise. */
export interface Receiver {
  /** The output's options, as an operator would write them. */
  readonly options: Readonly<Record<string, unknown>>;
  /** What the daemon lends; `stdout` of it where the output writes there. */
  readonly context?: Partial<OutputContext>;
  /** Texts that were received and accepted, in order. */
  received(): readonly string[] | Promise<readonly string[]>;
  behave(behaviour: Behaviour | 'well'): Promise<void> | void;
  /** Where it listens on 127.0.0.1; `options` name it as `:PORT` or `port`. Absent where there is no network. */
  readonly port?: number;
  /** From now on it tells clients to come to this port, where its protocol tells them any. */
  advertise?(port: number): void;
  /** From now on only this secret is accepted in the place of `Harness.credentials`; at first it is `CANARY`. */
  expectSecret?(secret: string): Promise<void> | void;
  /** The option's text with this secret in it, where the secret is not all of it. */
  withSecret?(secret: string): string;
  stop(): Promise<void>;
}

/** What a member of the rack brings to the contract. */
export interface Harness {
  /** Each behaviour either applies, or is said not to, and why. */
  readonly behaviours: Readonly<Record<Behaviour, Applies | NotApplicable>>;
  /** The option that holds the secret which the receiver checks; a dot leads into a map: `headers.Authorization`. */
  readonly credentials: string | NotApplicable;
  /** Why its receiver cannot be started on this machine; its tests are then skipped, and say so. */
  readonly unavailable?: string;
  /** Why no limit ends a send that hangs; absent when the output has one. */
  readonly noLimit?: string;
  start(): Promise<Receiver>;
}

/** Stands in options where an operator would put a secret. No error may show it. */
export const CANARY = 'canary-Zm9yIG5vYm9keSdzIGV5ZXM';
/** Stands in every event. No error may show it: it is about people's mail. */
export const MAIL_CANARY = 'quarterly figures';

const source = {
  name: 'attachment',
  type: 'attachment',
  eventClass: 'ttp-ap',
  describe: () => ({ eventClass: 'ttp-ap', title: 'Attachment Protect', severity: 3 as const }),
  severityOf: () => 3 as const,
};

/** A marked event is longer than this, and no other is: some receivers look at nothing else. */
export const MARKED_BYTES = 1000;
/** What makes a record the one that `refuses one event` is about. */
export const MARK = { marked: true, padding: 'x'.repeat(MARKED_BYTES) };

/** Events from `first` on, each with a text of its own. `marked` counts from 0. */
export function someEvents(count: number, { first = 1, marked = -1 } = {}): ForwarderEvent[] {
  return Array.from({ length: count }, (_, index) => {
    const seq = first + index;
    const record = { seq, subject: `${MAIL_CANARY} ${seq} – größer`, ...(index === marked && MARK) };
    return new ForwarderEvent({
      seq,
      id: seq.toString(16).padStart(32, '0'),
      source,
      time: Date.UTC(2026, 0, 1) + seq * 1000,
      raw: Buffer.from(JSON.stringify(record)),
    });
  });
}

export const linesOf = (text: string) => text.split('\n').slice(0, -1);

export function isMarked(text: string): boolean {
  return text.includes('"marked":true');
}

/** Writes the raw record, or as much of it as fits: which format it is makes no difference to an output. */
export const rawFormat: Format = {
  name: 'raw',
  mediaType: 'application/json',
  render: ({ raw }, maxBytes = Number.POSITIVE_INFINITY) => {
    if (raw.length <= maxBytes) return { text: raw.toString(), shortened: false };
    return { text: JSON.stringify(raw.toString('latin1', 0, maxBytes / 2)), shortened: true };
  },
};

export function textsOf(events: readonly ForwarderEvent[]): string[] {
  return events.map((event) => rawFormat.render(event).text);
}

export function outputContext(changes: Partial<OutputContext> = {}): OutputContext {
  return {
    name: 'under-test',
    format: rawFormat,
    hostname: 'forwarder.example',
    userAgent: 'mimecast-forwarder/0.0.0',
    pid: 4711,
    stdout: new Writable({ write: (_chunk, _encoding, done) => done() }),
    ...changes,
  };
}
