import { headerName } from '../../formats/envelopes/envelope.ts';
import type { NotesContext } from '../output.ts';

interface Sending {
  readonly protocol: 'udp' | 'tcp' | 'tls' | 'relp' | 'relp-tls';
  readonly framing: 'octet-counting' | 'newline';
  readonly hostname?: string | undefined;
}

/** What a syslog receiver cannot tell us: whose log source the events are, and whether it cut the stream where we meant it to. */
export function syslogNotes({ protocol, framing, hostname }: Sending, about: NotesContext): readonly string[] {
  const notes: string[] = [];
  if (about.profile === 'qradar' || about.format === 'leef') {
    const type = about.format === 'cef' ? 'Universal CEF' : 'Universal LEEF';
    const identifier = headerName(hostname ?? about.hostname);
    notes.push(
      `QRadar goes by the host in the header: its log source needs the Log Source Identifier ${identifier} and the type ${type}.`,
    );
  }
  if (about.sent && (protocol === 'tcp' || protocol === 'tls')) notes.push(FRAMING[framing]);
  return notes;
}

/** A receiver that is sent the other framing reads on, takes what it makes of it for messages, and closes in good order. */
const FRAMING = {
  'octet-counting':
    'Look how it arrived: with a number before the header (251 <110>1 …), or several events as one, or not at all, the receiver wants lines: set framing to newline.',
  newline:
    'Look how it arrived: if nothing did, the receiver may count octets: set framing to octet-counting. If one event became several, it takes no such long lines.',
} as const;
