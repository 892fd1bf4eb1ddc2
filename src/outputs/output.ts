import type { Writable } from 'node:stream';
import type { z } from 'zod';
import type { CertificateValidity } from '../certificates.ts';
import { ForwarderError } from '../errors.ts';
import type { ForwarderEvent } from '../event.ts';
import type { Format, Rendered } from '../formats/format.ts';

/**
 * WHERE events go.
 *
 * An output *classifies*; it never waits, repeats, loops over failures or logs and carries on. The dispatcher alone does
 * that, once, for all outputs. What an output does not say is accepted is sent again.
 */
export interface Output {
  /**
   * Hands over a batch and resolves once the other side has accepted all of it but what is listed as rejected, in the sense
   * of `accepted` of its type. Connects when needed. Events are in outbox order, those of a replay in the order of their time, and are
   * to be delivered in that order; one `send` is in flight at a time, or as many as `inFlight` of its type says.
   *
   * Rejects with an `OutputError` when nothing of the batch may be counted; with the signal's reason when aborted, after
   * which the output must be usable again. Never resolves early, never swallows. What came of a batch in part is no rejection: see
   * `Sent.unsettled`.
   *
   * Where the other side can hang, the output's own options end the wait (`timeout`, `sendTimeout`, `acknowledgement.timeout`). Nobody
   * who calls adds a limit: how long a healthy receiver may take is the output's to know.
   */
  send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent>;
  /** For `check --online`: connects, authenticates if the protocol can, sends no event. Says what was reached. Ends by itself, as `send` does. */
  probe(signal: AbortSignal): Promise<string>;
  /**
   * An event as `send` would put it on the wire: header, limit and all, less what separates it from the next. For `format --output`;
   * touches nothing. Left out where an event has no form of its own on the wire, but is a part of a request.
   */
  preview?(event: ForwarderEvent): Rendered;
  /**
   * How long the certificates are good that its connections rest on; left out where it has none. Called every few seconds; may read
   * files that have changed, and never throws.
   */
  certificates?(): readonly CertificateValidity[];
  /** Lets go of sockets and files. Idempotent; called when no send is in flight. */
  close(): Promise<void>;
}

/** What became of a batch that was accepted, or of the part of it that was. */
export interface Sent {
  /** Events that the other side refused for good, one by one, while it took the rest. */
  readonly rejected: readonly { readonly event: ForwarderEvent; readonly reason: string }[];
  /** How many of the accepted events were shortened to fit the output's limit. */
  readonly shortened: number;
  /** Events that were neither taken nor refused, when that is not all of them: the rest of the batch is done with. */
  readonly unsettled?: Unsettled | undefined;
}

/** The part of a batch that has to be sent again, without the part that was taken. */
export interface Unsettled {
  /** At least one, in outbox order. */
  readonly events: readonly ForwarderEvent[];
  /** Why, when that calls for a wait or a split; absent when they may be sent again at once. */
  readonly error?: OutputError | undefined;
}

/** Why a send failed: the closed set that labels `output_errors_total`. */
export type OutputErrorReason =
  | 'connect' // nothing there, refused, name unknown, unreachable
  | 'tls' // handshake, certificate, name or fingerprint
  | 'auth' // credentials refused
  | 'rate_limited'
  | 'refused' // the content was refused
  | 'server' // the other side failed
  | 'timeout'
  | 'unconfirmed' // written, but not confirmed: the connection broke before the receiver's own close
  | 'io'; // a file or pipe

/**
 * What the dispatcher does next:
 * `retry` wait and send the same batch again · `split` the batch was refused for its content: bisect, reject the one event that
 * is refused alone · `halt` waiting will not cure it (credentials, certificate, wrong path): alarm at once, try again slowly.
 */
export type Disposition = 'retry' | 'split' | 'halt';

export class OutputError extends ForwarderError {
  readonly reason: OutputErrorReason;
  readonly disposition: Disposition;

  constructor(
    message: string,
    options: {
      readonly reason: OutputErrorReason;
      readonly disposition: Disposition;
      readonly retryAfterMs?: number | undefined;
      readonly hint?: string | undefined;
      readonly cause?: unknown;
    },
  ) {
    super(message, {
      code: `OUTPUT_${options.reason.toUpperCase()}`,
      retryable: options.disposition === 'retry',
      retryAfterMs: options.retryAfterMs,
      hint: options.hint,
      cause: options.cause,
    });
    this.reason = options.reason;
    this.disposition = options.disposition;
  }
}

/** What the daemon lends an output. */
export interface OutputContext {
  /** The configured name; in messages and metric labels. */
  readonly name: string;
  /** The format that the config chose, already built. */
  readonly format: Format;
  /** This machine's name, for headers. */
  readonly hostname: string;
  /** `mimecast-forwarder/1.2.3`. */
  readonly userAgent: string;
  readonly pid: number;
  /** Standard output, for `stdout`. */
  readonly stdout: Writable;
}

/** What a receiver wants, by its name: `profile: qradar`. */
export interface Profile {
  /** One line for the reference. */
  readonly summary: string;
  /** Options as an operator would write them, `format` among them. What the config says itself goes before. */
  readonly options: Readonly<Record<string, unknown>>;
  /** Where the receiver wants something else by what the config says: the options of the first case that holds go before `options`. */
  readonly cases?: readonly ProfileCase[];
}

/** `{ when: { protocol: 'udp' }, options: { maxMessageBytes: 1024 } }` */
export interface ProfileCase {
  /** Options and what the config has to say for each of them: plain values, not left at their defaults. */
  readonly when: Readonly<Record<string, string | number | boolean>>;
  readonly options: Readonly<Record<string, unknown>>;
}

/** What notes on a receiver may depend on besides the options. */
export interface NotesContext {
  /** This machine's name. */
  readonly hostname: string;
  /** Type of the format: `json`, `leef` … */
  readonly format: string;
  readonly profile?: string | undefined;
  readonly sent: boolean;
}

/** Credentials on a connection without TLS. */
export interface ClearText {
  /** The option that they stand in. */
  readonly option: string;
  /** Who gets them, without ports. */
  readonly hosts: readonly string[];
}

/** A member of the rack: a kind of output that can be configured. */
export interface OutputType<Schema extends z.ZodObject = z.ZodObject> {
  readonly type: string;
  /** One line for the reference. */
  readonly summary: string;
  /** Its own options, described where declared; what all outputs share (`name`, `filter`, `batch` …) is added by the config. */
  readonly options: Schema;
  /** Format when the config names none. */
  readonly defaultFormat: string;
  /** What "accepted" means with these options: one sentence without a full stop, for `check` and the docs. */
  accepted(options: z.infer<Schema>): string;
  /** True where `accepted` proves that nothing is lost; false for `udp` and `confirm: write`. */
  lossless(options: z.infer<Schema>): boolean;
  /** Where events go, for people: `tls://qradar.example:6514`. No secret. */
  target(options: z.infer<Schema>): string;
  /**
   * How many batches may wait for their acceptance side by side; default 1. More than one is for receivers that confirm long after
   * they have taken a batch: a crash then repeats as many.
   */
  inFlight?(options: z.infer<Schema>): number;
  /**
   * What is wrong with the format that the config chose, as `expected …`; undefined when nothing is. For outputs that take some
   * formats only: the config is refused, with the line of the format.
   */
  refuses?(options: z.infer<Schema>, format: Format): string | undefined;
  /**
   * True when each event travels with its id beside the text, in a header or in a field of the request: then a receiver can tell a
   * repeated event whatever the format is. Default false.
   */
  carriesId?(options: z.infer<Schema>): boolean;
  /**
   * Credentials that would go over the network unencrypted, to warn of; undefined when there are none. Not needed where an option
   * holds an `http:` URL: those the config sees by itself.
   */
  clearText?(options: z.infer<Schema>): ClearText | undefined;
  /**
   * What no other output of the type may write to, or they would undo each other's lines: paths, each resolved. The config is refused
   * when two outputs share one, with the line of the option that leads there.
   */
  claims?(options: z.infer<Schema>): { readonly option: string; readonly paths: readonly string[] };
  /**
   * What somebody has to know or set up at the receiver, and no answer of it can tell: sentences for `check`. `sent`: a test event
   * was accepted, and is now looked for.
   */
  notes?(options: z.infer<Schema>, about: NotesContext): readonly string[];
  /**
   * What becomes of events that the other side has had before, under the same ids, where they are not all stored a second time: a
   * sentence for `replay`.
   */
  repeated?(options: z.infer<Schema>): string;
  /** Names for sets of choices that belong together, for receivers that want them so. */
  readonly profiles?: Readonly<Record<string, Profile>>;
  /** Builds it. No I/O yet: a receiver that is down must not stop the daemon from starting. */
  create(options: z.infer<Schema>, context: OutputContext): Output;
}

/** Types a member's functions by its own schema, and lets it stand in the table beside the others. */
export function defineOutput<Schema extends z.ZodObject>(type: OutputType<Schema>): OutputType {
  return type as unknown as OutputType;
}
