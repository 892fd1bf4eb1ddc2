import type { Writable } from 'node:stream';
import type { z } from 'zod';
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
   * of `accepted` of its type. Connects when needed. Events are in outbox order and are to be
   * delivered in that order; one `send` is in flight at a time, or as many as `inFlight` of its type says.
   *
   * Rejects with an `OutputError` when nothing of the batch may be counted; with the signal's reason when aborted, after
   * which the output must be usable again. Never resolves early, never swallows. What came of a batch in part is no rejection: see
   * `Sent.unsettled`.
   */
  send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent>;
  /** For `check --online`: connects, authenticates if the protocol can, sends no event. Says what was reached. */
  probe(signal: AbortSignal): Promise<string>;
  /**
   * An event as `send` would put it on the wire: header, limit and all, less what separates it from the next. For `format --output`;
   * touches nothing. Left out where an event has no form of its own on the wire, but is a part of a request.
   */
  preview?(event: ForwarderEvent): Rendered;
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
  /** Names for sets of choices that belong together, for receivers that want them so. */
  readonly profiles?: Readonly<Record<string, Profile>>;
  /** Builds it. No I/O yet: a receiver that is down must not stop the daemon from starting. */
  create(options: z.infer<Schema>, context: OutputContext): Output;
}

/** Types a member's functions by its own schema, and lets it stand in the table beside the others. */
export function defineOutput<Schema extends z.ZodObject>(type: OutputType<Schema>): OutputType {
  return type as unknown as OutputType;
}
