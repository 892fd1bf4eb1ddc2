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
    const { facility, hostname, appName, procId } = context;
    const { severity, source } = event;
    const time = `${utcSeconds(event.time)}.000Z`;
    const data = structuredData(event, context, shortened);
    return `<${priority(facility, severity)}>1 ${time} ${hostname} ${appName} ${procId} ${source.eventClass} ${data} `;
  },
};

function structuredData(event: ForwarderEvent, { enterpriseId }: EnvelopeContext, shortened: boolean): string {
  return `[mimecast@${enterpriseId} eventId="${event.id}"${shortened ? ' truncated="1"' : ''}]`;
}
