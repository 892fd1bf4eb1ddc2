import type { ForwarderEvent } from '../../event.ts';

/** What a syslog header needs to know besides the event. Constant for an output. */
export interface EnvelopeContext {
  /** RFC 5424 §6.2.1, 0 to 23. */
  readonly facility: number;
  /** Host in the header, already fit for it (see `headerName`). */
  readonly hostname: string;
  /** APP-NAME / TAG. */
  readonly appName: string;
  /** PROCID; RFC 5424 only. */
  readonly procId: string;
  /** Private enterprise number in the SD-ID; RFC 5424 only. */
  readonly enterpriseId: number;
  /** IANA time zone of an RFC 3164 header, which cannot name one. */
  readonly timezone: string;
}

/** The syslog header round an event's text. Pure. */
export interface Envelope {
  readonly name: string;
  /**
   * The header, up to and with the space before the message. ASCII only, so its length is its size in bytes.
   * The header's time is the event's own, never now: some receivers take it for the event's time.
   */
  header(event: ForwarderEvent, context: EnvelopeContext, shortened: boolean): string;
}
