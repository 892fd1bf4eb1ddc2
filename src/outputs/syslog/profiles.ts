import type { Profile } from '../output.ts';

/**
 * What common receivers of syslog want. A profile says how an event is written and told from the next; where it goes (`host`, `port`,
 * `protocol`, certificates) is the operator's to say. None sets `maxMessageBytes` to what the default is already; one that sets it
 * has a case for UDP, where the default is far smaller.
 *
 * Written from vendors' documentation and sources; docs/outputs/ says which of it was tried on the real thing.
 */
export const syslogProfiles: Readonly<Record<string, Profile>> = {
  qradar: {
    summary: 'IBM QRadar, log source type Universal LEEF, protocol Syslog or TLS Syslog.',
    options: {
      // LEEF is QRadar's own format: its keys are normalised without a parser of one's own. 1.0, since its TAB is in no value.
      format: { type: 'leef', version: '1.0' },
      // IBM shows an RFC 5424 header before LEEF only as far as the host; ours goes on, and RFC 3164 leaves nothing to guess.
      envelope: 'rfc3164',
      // Octet counting is in none of IBM's pages; lines are what every sender of syslog to port 514 writes.
      framing: 'newline',
      // What is longer than QRadar's TCP payload limit, 4096 unless raised, becomes two events that no parser knows. The number is from
      // administrators' write-ups; IBM's pages do not say it.
      maxMessageBytes: 4000,
    },
    // Its UDP payload limit is another one, 1024 unless raised, from the same write-ups.
    cases: [{ when: { protocol: 'udp' }, options: { maxMessageBytes: 1024 } }],
  },
  'splunk-sc4s': {
    summary: 'Splunk Connect for Syslog on its ports 514 (UDP, TCP) and 6514 (TLS).',
    options: {
      // SC4S has a parser for CEF; JSON behind a syslog header with an APP-NAME becomes nix:syslog (its app-parsers for JSON).
      format: 'cef',
      // Its parsers for CEF look for the word where an RFC 3164 tag stands.
      envelope: 'rfc3164',
      // 514 and 6514 are network() sources, which read lines; octet counting is on 601, and with TLS on 5425.
      framing: 'newline',
    },
  },
  'splunk-tcp': {
    summary: "Splunk's own TCP input, without SC4S.",
    options: {
      // Splunk finds key="value" pairs behind any header (KV_MODE), but takes JSON apart only when nothing stands before it.
      format: 'kv',
      // The input leaves the header in the event, and Splunk reads the time off it: RFC 5424 has the year and the zone.
      envelope: 'rfc5424',
      // The input knows lines only; an octet count would be indexed as text.
      framing: 'newline',
    },
  },
  sentinel: {
    summary:
      'Microsoft Sentinel, table CommonSecurityLog: rsyslog or syslog-ng with the Azure Monitor Agent behind it.',
    options: {
      // CommonSecurityLog is filled from CEF and from nothing else.
      format: 'cef',
      // Microsoft's own test message is RFC 3164 with CEF as its tag, and syslog-ng's tcp(), which its installer sets up, reads that.
      envelope: 'rfc3164',
      // The same tcp() reads lines; rsyslog takes both.
      framing: 'newline',
      // local4, as in that test message: data collection rules pick by facility, and one that the machine itself uses would bring
      // its own messages along, or ours twice.
      facility: 20,
    },
  },
  elastic: {
    summary: 'Elastic Agent (Custom TCP Logs) or Filebeat (input tcp), with their syslog processor.',
    options: {
      // Ready for an index: nothing is left to map.
      format: 'ecs',
      envelope: 'rfc5424',
      // `framing: delimiter` is the default of both.
      framing: 'newline',
    },
  },
  rsyslog: {
    summary: 'rsyslog, input imtcp or imrelp: the defaults, said aloud.',
    options: {
      format: 'json',
      // The event id is in the structured data, for filters and templates (mmpstrucdata).
      envelope: 'rfc5424',
      // imtcp tells both framings apart by itself; counted messages cannot be split by anything in them.
      framing: 'octet-counting',
    },
  },
};
