import type { ForwarderEvent, Severity } from '../../event.ts';

/** What a syslog header needs to know besides the event. Constant for an output. */
export interface EnvelopeContext {
  /** RFC 5424 §6.2.1, 0 to 23. */
  readonly facility: number;
  /** Host in the header, already fit for it (see `headerName`). */
  readonly hostname: string;
  /** APP-NAME / TAG, already fit for it (see `headerName`). */
  readonly appName: string;
  /** PROCID, and the number in an RFC 3164 tag. */
  readonly procId: string;
  /** Private enterprise number in the SD-ID; RFC 5424 only. */
  readonly enterpriseId: number;
  /** IANA time zone of an RFC 3164 header, which cannot name one. */
  readonly timezone: string;
  /** Whether an RFC 3164 header has a TAG: not when the text brings its own (`Format.tagged`). RFC 5424 always has APP-NAME. */
  readonly tag: boolean;
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

/**
 * A name fit for HOSTNAME (255), APP-NAME (48), PROCID (128) or MSGID (32): each character that is not printable ASCII becomes
 * `_`, and nothing at all the NILVALUE `-` (RFC 5424 §6).
 */
export function headerName(text: string, maxLength = 255): string {
  return text.slice(0, maxLength).replace(/[^\x21-\x7e]/g, '_') || '-';
}

/** PRI of an event (RFC 5424 §6.2.1). The severities keep step with CEF's: low is 6, medium 5, high 4, very high 2. */
export function priority(facility: number, severity: Severity): number {
  return facility * 8 + syslogSeverity(severity);
}

function syslogSeverity(severity: Severity): number {
  if (severity <= 3) return 6;
  if (severity <= 6) return 5;
  return severity <= 8 ? 4 : 2;
}
