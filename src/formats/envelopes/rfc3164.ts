import { type Envelope, type EnvelopeContext, priority } from './envelope.ts';

/**
 * RFC 3164: `<109>Nov 17 20:16:00 relay01 mimecast-forwarder[4711]: `, and no tag before a text that brings its own: receivers
 * look for `CEF:` and `LEEF:` where the tag stands.
 *
 * The header has neither a year nor a zone, so the time is the operator's zone and every format has the absolute time in its text.
 */
export const rfc3164: Envelope = {
  name: 'rfc3164',
  header: (event, context) => {
    const { facility, hostname, timezone } = context;
    const pri = priority(facility, event.severity);
    return `<${pri}>${localTime(event.time, timezone)} ${hostWord(hostname)} ${context.tag ? tagOf(context) : ''}`;
  },
};

/** Receivers end the host at a colon: rsyslog reads `fe80::1` as tag `fe80` of localhost. So an IPv6 address has dashes. */
function hostWord(hostname: string): string {
  return hostname.replaceAll(':', '-');
}

/** At most 32 characters (RFC 3164 §4.1.3), of those that rsyslog and syslog-ng take for a tag. */
function tagOf({ appName, procId }: EnvelopeContext): string {
  return `${appName.slice(0, 32).replace(/[^\w./-]/g, '_')}[${procId}]: `;
}

type Clock = (ms: number) => string;
const clocks = new Map<string, Clock>();

/** `Oct  4 18:54:32`: English, the day padded with a space. */
function localTime(ms: number, timezone: string): string {
  let clock = clocks.get(timezone);
  if (clock === undefined) {
    clock = zoneClock(timezone);
    clocks.set(timezone, clock);
  }
  return clock(ms);
}

/**
 * Building a formatter costs about 80 µs and asking it 3 to 5 µs, so one is kept for each zone, and its answer for as long as
 * events fall into the same minute. Seconds are the same everywhere: since 1972 all zones are whole minutes from UTC.
 */
function zoneClock(timeZone: string): Clock {
  const formatter = new Intl.DateTimeFormat('en-US', {
    timeZone,
    hourCycle: 'h23',
    month: 'short',
    day: 'numeric',
    hour: '2-digit',
    minute: '2-digit',
  });
  let cachedMinute = Number.NaN;
  let cachedText = '';
  return (ms) => {
    const minute = Math.floor(ms / 60_000);
    if (minute !== cachedMinute) {
      const part = Object.fromEntries(formatter.formatToParts(minute * 60_000).map(({ type, value }) => [type, value]));
      cachedText = `${part.month} ${String(part.day).padStart(2)} ${part.hour}:${part.minute}`;
      cachedMinute = minute;
    }
    const second = Math.floor(ms / 1000) - minute * 60;
    return `${cachedText}:${String(second).padStart(2, '0')}`;
  };
}
