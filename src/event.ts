/**
 * The one thing that travels through the house.
 *
 * A record is what Mimecast sent; an event is that record with an id, a time and a place in the outbox. Formats and outputs
 * see events only, and of an event only this file: they know neither feeds nor the store.
 */

import { isAscii } from 'node:buffer';

/** 0 to 10 as CEF counts it: 0–3 low, 4–6 medium, 7–8 high, 9–10 very high. */
export type Severity = 0 | 1 | 2 | 3 | 4 | 5 | 6 | 7 | 8 | 9 | 10;

/**
 * A record in words that every log type shares, so that a format maps it once for all feeds.
 * A field is absent when the record has it not, or has it blank. Texts are as Mimecast sent them: hostile, of any length.
 */
export interface EventFields {
  /** What the record is a log of, a constant of the feed: `ttp-ap`. Part of CEF's event class id. */
  readonly eventClass: string;
  /** The same for people: `Attachment Protect`. */
  readonly title: string;
  readonly severity: Severity;
  /** The verdict, an open set: `safe`, `malicious`, `unsafe`, `timeout`, `error` … */
  readonly result?: string | undefined;
  readonly action?: string | undefined;
  readonly sender?: string | undefined;
  readonly recipient?: string | undefined;
  readonly subject?: string | undefined;
  readonly messageId?: string | undefined;
  readonly fileName?: string | undefined;
  readonly fileType?: string | undefined;
  /** SHA-256 in hex where it is one; Mimecast's text otherwise. */
  readonly fileHash?: string | undefined;
  /** `inbound`, `outbound`, `internal`, `external`; an open set. */
  readonly route?: string | undefined;
  /** The policy that applied. */
  readonly policy?: string | undefined;
  readonly details?: string | undefined;
}

/** A record as Mimecast sent it, parsed. */
export type RawRecord = Readonly<Record<string, unknown>>;

/** Where an event comes from: the part of a feed that the formats need. */
export interface EventSource {
  /** The feed's configured name. */
  readonly name: string;
  /** The feed's type: `attachment`. */
  readonly type: string;
  /** `EventFields.eventClass` of all its records. */
  readonly eventClass: string;
  /** Keys of a record, the most telling first: a message with too little room keeps these, in this order, before any other. */
  readonly keepFirst?: readonly string[];
  describe(record: RawRecord): EventFields;
  /** `EventFields.severity` alone: all that a syslog header needs of a record. */
  severityOf(record: RawRecord): Severity;
}

export interface EventInit {
  readonly seq: number;
  /** See `ForwarderEvent.key`. */
  readonly id: string;
  readonly source: EventSource;
  readonly time: number;
  readonly raw: Buffer;
  readonly severity?: Severity | undefined;
  readonly isPlain?: boolean | undefined;
}

/** Hex digits of an event id. */
const ID_DIGITS = 32;

/** One event of the outbox. Parsed and described when somebody looks: an output that ships the raw text never pays for it. */
export class ForwarderEvent {
  /** Its place in the outbox, from 1. Local to this store; nothing outside should rely on it. */
  readonly seq: number;
  /** 32 hex digits, the same in every output, run and store: four bytes of the time, twelve of SHA-256 over the identity. */
  readonly id: string;
  /**
   * What to hand to a receiver that keeps one thing under a key: the id; of a variant that is shipped, which has the id of the event it
   * varies, `<id>-<12 hex digits of its content>`. As lasting as the id.
   */
  readonly key: string;
  readonly source: EventSource;
  /** Mimecast's `date`, ms since 1970; whole seconds. */
  readonly time: number;
  /** The record's JSON text as Mimecast sent it, on one line, in UTF-8. Bytes are copied; a string would have to be decoded and encoded. */
  readonly raw: Buffer;
  /** See `isPlainRecord`. Known of an event that was never out of memory: its text was at hand when it was parsed. */
  readonly isPlain: boolean | undefined;
  #severity: Severity | undefined;

  constructor(init: EventInit) {
    this.seq = init.seq;
    this.id = init.id.length > ID_DIGITS ? init.id.slice(0, ID_DIGITS) : init.id;
    this.key = init.id;
    this.source = init.source;
    this.time = init.time;
    this.raw = init.raw;
    this.isPlain = init.isPlain;
    this.#severity = init.severity;
  }

  get record(): RawRecord {
    return this.#look().record;
  }

  get severity(): Severity {
    this.#severity ??= this.source.severityOf(this.record);
    return this.#severity;
  }

  get fields(): EventFields {
    const look = this.#look();
    look.fields ??= this.source.describe(look.record);
    return look.fields;
  }

  #look(): Look {
    if (lastLook?.event === this) return lastLook;
    const text = isAscii(this.raw) ? this.raw.toString('latin1') : this.raw.toString();
    lastLook = { event: this, record: JSON.parse(text) as RawRecord };
    return lastLook;
  }
}

interface Look {
  readonly event: ForwarderEvent;
  readonly record: RawRecord;
  fields?: EventFields;
}

/**
 * What is parsed of the event that was last looked into, and of no other: events live until their batch is confirmed, and with their parsed
 * records V8 spent a fifth of its time on moving them about.
 */
let lastLook: Look | undefined;
