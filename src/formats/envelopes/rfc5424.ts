import type { ForwarderEvent } from '../../event.ts';
import { utcSeconds } from '../timestamp.ts';
import { type Envelope, type EnvelopeContext, priority } from './envelope.ts';

/**
 * RFC 5424: `<109>1 2024-11-17T20:16:00.000Z relay01 mimecast-forwarder 4711 ttp-ap [mimecast@32473 eventId="…"] `
 *
 * - Milliseconds are always `.000`, since Mimecast dates to the second; QRadar reads the header only with them.
 * - No byte order mark before the message, which RFC 5424 asks for: rsyslog keeps it, and JSON and CEF parsers then trip over it.
 * - Nothing that a sender of mail chooses stands in the header, so there is nothing in it to escape: the id is hex digits, all
 *   else is ours or the operator's.
 */
export const rfc5424: Envelope = {
  name: 'rfc5424',
  header: (event, context, shortened) => {
    const start = `<${priority(context.facility, event.severity)}>1 `;
    return `${start}${utcSeconds(event.time)}${middleOf(event, context)}${event.id}${shortened ? '" truncated="1"] ' : '"] '}`;
  },
};

let middle = { context: {}, eventClass: '', text: '' };

/** Between time and id: the same for one event after the other, and most of what there is to put together. */
function middleOf({ source: { eventClass } }: ForwarderEvent, context: EnvelopeContext): string {
  if (middle.context !== context || middle.eventClass !== eventClass) {
    const { hostname, appName, procId, enterpriseId } = context;
    const text = `.000Z ${hostname} ${appName} ${procId} ${eventClass} [mimecast@${enterpriseId} eventId="`;
    middle = { context, eventClass, text };
  }
  return middle.text;
}
