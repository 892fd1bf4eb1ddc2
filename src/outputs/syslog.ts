import { isIPv6 } from 'node:net';
import { z } from 'zod';
import { Certificates, type CertificateValidity } from '../certificates.ts';
import type { ForwarderEvent } from '../event.ts';
import type { Envelope, EnvelopeContext } from '../formats/envelopes/envelope.ts';
import { envelopes, headerName } from '../formats/envelopes/index.ts';
import type { Format, Rendered } from '../formats/format.ts';
import { duration, port, size } from '../options.ts';
import { defineOutput, type Output, type Sent } from './output.ts';
import { syslogNotes } from './syslog/notes.ts';
import { syslogProfiles } from './syslog/profiles.ts';
import { ConfirmByClose } from './wire/confirm-by-close.ts';
import { ConfirmByWrite } from './wire/confirm-by-write.ts';
import { Datagrams, MAX_DATAGRAM_BYTES } from './wire/datagrams.ts';
import { Dialer } from './wire/dialer.ts';
import { Relp } from './wire/relp.ts';
import { tlsOptions } from './wire/tls.ts';
import { type Delivery, type Endpoint, type Message, type Messages, urlOf, usesTls, type Wire } from './wire/wire.ts';

/**
 * RFC 5426 §3.3 and RFC 5425 §4.1; 514 is custom, not standard, for plain TCP. RELP has no port of its own: librelp's default is
 * 20514, but rsyslog never uses it (imrelp must be told one), and its documentation listens on 2514 throughout, with TLS too.
 */
const DEFAULT_PORTS = { udp: 514, tcp: 514, tls: 6514, relp: 2514, 'relp-tls': 2514 } as const;
/**
 * 1400 octets fit one Ethernet frame with room for tunnels; rsyslog's default limit is 8 KiB, header included. What is longer it cuts
 * without a word, over RELP too: imrelp acknowledges a message of which it keeps the first 8 KiB.
 */
const DEFAULT_MESSAGE_BYTES = { udp: 1400, tcp: 8000, tls: 8000, relp: 8000, 'relp-tls': 8000 } as const;
/** The longest header leaves an event the 400 octets that every format can do with. */
const SMALLEST_MESSAGE_BYTES = 1024;

const options = z
  .strictObject({
    host: z.string().min(1).meta({ description: 'Host name or IP address of the receiver.' }),
    port: port('Port of the receiver. Default: 514, over tls 6514, over relp 2514.').optional(),
    protocol: z.enum(['udp', 'tcp', 'tls', 'relp', 'relp-tls']).meta({
      description:
        '`tls` (RFC 5425), `tcp` (RFC 6587), `udp` (RFC 5426, one event a datagram; lost datagrams are not noticed), or `relp-tls` and ' +
        '`relp` (the receiver acknowledges each event; rsyslog).',
    }),
    envelope: z
      .enum(['rfc5424', 'rfc3164'])
      .default('rfc5424')
      .meta({ description: 'Syslog header: `rfc5424`, or the older `rfc3164` that some receivers (QRadar) prefer.' }),
    framing: z.enum(['octet-counting', 'newline']).default('octet-counting').meta({
      description: 'How messages are told apart over tcp and tls; must be what the receiver expects on that port.',
    }),
    maxMessageBytes: size(
      'Longest message, header included. Longer events are shortened and marked. Default: 8000, over udp 1400.',
      SMALLEST_MESSAGE_BYTES,
    ).optional(),
    facility: z.int().min(0).max(23).default(13).meta({ description: 'Syslog facility, 0 to 23; 13 is log audit.' }),
    hostname: z
      .string()
      .regex(/^[\x21-\x7e]{1,255}$/, 'expected 1 to 255 printable ASCII characters without a space')
      .optional()
      .meta({ description: "Host in the syslog header. Default: this machine's name." }),
    appName: z
      .string()
      .regex(/^[\x21-\x7e]{1,48}$/, 'expected 1 to 48 printable ASCII characters without a space')
      .default('mimecast-forwarder')
      .meta({ description: 'APP-NAME of an rfc5424 header, tag of an rfc3164 one.' }),
    timezone: z
      .string()
      .refine(isTimeZone, 'expected an IANA time zone such as UTC or Europe/Vienna')
      .default('UTC')
      .meta({ description: 'Time zone of an rfc3164 header, which cannot name one itself.' }),
    enterpriseId: z.int().min(1).max(4_294_967_295).default(32_473).meta({
      description: 'Private enterprise number in the structured data; 32473 is reserved for documentation (RFC 5612).',
    }),
    confirm: z
      .enum(['close', 'write'])
      .default('close')
      .meta({
        description:
          'When a batch counts as accepted over tcp and tls. `close`: one connection a batch, and the receiver has closed it ' +
          'after us, so it has read everything. `write`: one connection for all, and the kernel has taken the bytes; what ' +
          'was in flight when a connection breaks is lost.',
      }),
    tls: tlsOptions
      .optional()
      .meta({ description: 'Certificates, with protocol tls or relp-tls. Files are read again for every connection.' }),
    connectTimeout: duration(
      'Longest time for name lookup, TCP and TLS handshake together, and over relp the opening of the session.',
      100,
    ).prefault('10s'),
    sendTimeout: duration(
      'Longest time for one batch, but over udp, from its first byte until it is confirmed.',
      100,
    ).prefault('60s'),
  })
  .superRefine((syslog, context) => {
    if (syslog.tls !== undefined && !usesTls(syslog)) {
      context.addIssue({
        code: 'custom',
        path: ['tls'],
        message: `expected no tls options with protocol ${syslog.protocol}: nothing would be encrypted`,
      });
    }
    // `framing` is passed over, as over udp: a profile may have brought it. This one only an operator can have meant.
    if (isRelp(syslog) && syslog.confirm === 'write') {
      context.addIssue({
        code: 'custom',
        path: ['confirm'],
        message: `expected no such setting with protocol ${syslog.protocol}, in which the receiver acknowledges each event`,
      });
    }
    if (syslog.envelope === 'rfc3164' && syslog.hostname !== undefined && isIPv6(syslog.hostname)) {
      context.addIssue({
        code: 'custom',
        path: ['hostname'],
        message:
          'expected a name or an IPv4 address: receivers take the colons of an IPv6 address for the end of the tag',
      });
    }
  });

type SyslogOptions = z.infer<typeof options>;

export const syslog = defineOutput({
  type: 'syslog',
  summary: 'Sends syslog over UDP, TCP, TLS or RELP, with an RFC 5424 or RFC 3164 header.',
  options,
  defaultFormat: 'json',
  accepted: (syslog) => {
    if (syslog.protocol === 'udp') return 'sent, no more: a datagram that is lost is not noticed';
    if (isRelp(syslog))
      return 'the receiver has acknowledged each event, so it has it in its queue, though not on its disk yet';
    return syslog.confirm === 'close'
      ? 'the receiver has closed the connection in good order after us, so it has read the whole batch'
      : "this machine's kernel has taken the batch: what is in flight when the connection breaks is lost";
  },
  lossless: (syslog) => isRelp(syslog) || (syslog.protocol !== 'udp' && syslog.confirm === 'close'),
  target: (syslog) => urlOf(endpointOf(syslog)),
  carriesId: ({ envelope }) => envelope === 'rfc5424',
  notes: syslogNotes,
  profiles: syslogProfiles,
  create: (syslog, context) => {
    const certificates = new Certificates(syslog.tls);
    return new SyslogOutput(wireTo(syslog, context.userAgent, certificates), certificates, {
      format: context.format,
      envelope: envelopes[syslog.envelope],
      maxMessageBytes: maxMessageBytes(syslog),
      header: {
        facility: syslog.facility,
        hostname: headerName(syslog.hostname ?? context.hostname),
        appName: syslog.appName,
        procId: String(context.pid),
        enterpriseId: syslog.enterpriseId,
        timezone: syslog.timezone,
        tag: context.format.tagged !== true,
      },
    });
  },
});

/** All that decides how an event becomes a message. */
interface Composition {
  readonly format: Format;
  readonly envelope: Envelope;
  readonly header: EnvelopeContext;
  readonly maxMessageBytes: number;
}

class SyslogOutput implements Output {
  readonly #wire: Wire;
  readonly #certificates: Certificates;
  readonly #composition: Composition;

  constructor(wire: Wire, certificates: Certificates, composition: Composition) {
    this.#wire = wire;
    this.#certificates = certificates;
    this.#composition = composition;
  }

  async send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    signal.throwIfAborted();
    const messages = new ComposedMessages(events, this.#composition);
    return sentOf(events, messages.shortened, await this.#wire.deliver(messages, signal));
  }

  preview(event: ForwarderEvent): Rendered {
    const { message, shortened } = compose(event, this.#composition);
    return { text: typeof message === 'string' ? message : message.head + message.tail.toString(), shortened };
  }

  probe(signal: AbortSignal): Promise<string> {
    return this.#wire.probe(signal);
  }

  certificates(): readonly CertificateValidity[] {
    return this.#certificates.validities();
  }

  close(): Promise<void> {
    return this.#wire.close();
  }
}

class ComposedMessages implements Messages {
  /** Indexes of those that had to be shortened, as far as they have been composed. */
  readonly shortened = new Set<number>();
  readonly #events: readonly ForwarderEvent[];
  readonly #composition: Composition;

  constructor(events: readonly ForwarderEvent[], composition: Composition) {
    this.#events = events;
    this.#composition = composition;
  }

  get length(): number {
    return this.#events.length;
  }

  *[Symbol.iterator](): Generator<Message> {
    for (const [index, event] of this.#events.entries()) {
      const { message, shortened } = compose(event, this.#composition);
      if (shortened) this.shortened.add(index);
      yield message;
    }
  }
}

/** What became of events, from what became of their messages. `shortened`: indexes. */
function sentOf(
  events: readonly ForwarderEvent[],
  shortened: ReadonlySet<number>,
  { refused, unsettled }: Delivery,
): Sent {
  const left = unsettled && events.filter((_, index) => unsettled.indexes.has(index));
  return {
    rejected: [...refused.keys()]
      .sort((a, b) => a - b)
      .flatMap((index) => rejection(events[index], refused.get(index))),
    shortened: [...shortened].filter((index) => !refused.has(index) && !unsettled?.indexes.has(index)).length,
    ...(left && { unsettled: { events: left, error: unsettled?.error } }),
  };
}

function rejection(event: ForwarderEvent | undefined, reason = ''): Sent['rejected'] {
  return event === undefined ? [] : [{ event, reason }];
}

/** Header and text of an event, in at most `maxMessageBytes` octets. */
function compose(
  event: ForwarderEvent,
  { format, envelope, header, maxMessageBytes }: Composition,
): { readonly message: Message; readonly shortened: boolean } {
  const usual = envelope.header(event, header, false);
  const whole = format.render(event, maxMessageBytes - usual.length);
  if (!whole.shortened) return { message: joined(usual, whole), shortened: false };
  // The header says so too, and saying so takes room of its own.
  const marked = envelope.header(event, header, true);
  return { message: joined(marked, format.render(event, maxMessageBytes - marked.length)), shortened: true };
}

function joined(header: string, rendered: Rendered): Message {
  const { line } = rendered;
  return line ? { head: header + line.head, tail: line.tail } : header + rendered.text;
}

function wireTo(syslog: SyslogOptions, userAgent: string, certificates: Certificates): Wire {
  const endpoint = endpointOf(syslog);
  if (syslog.protocol === 'udp') return new Datagrams(endpoint, syslog.connectTimeout);
  const dialer = new Dialer(endpoint, syslog.tls ?? { minVersion: 'TLSv1.2' }, syslog.connectTimeout, certificates);
  // As RELP writes it: the name, a comma, the version.
  if (isRelp(syslog)) return new Relp(dialer, userAgent.replace('/', ','), syslog.sendTimeout);
  return syslog.confirm === 'close'
    ? new ConfirmByClose(dialer, syslog.framing, syslog.sendTimeout)
    : new ConfirmByWrite(dialer, syslog.framing, syslog.sendTimeout);
}

function isRelp({ protocol }: Pick<SyslogOptions, 'protocol'>): boolean {
  return protocol === 'relp' || protocol === 'relp-tls';
}

function endpointOf({ protocol, host, port }: SyslogOptions): Endpoint {
  return { protocol, host, port: port ?? DEFAULT_PORTS[protocol] };
}

function maxMessageBytes({ protocol, maxMessageBytes }: SyslogOptions): number {
  const bytes = maxMessageBytes ?? DEFAULT_MESSAGE_BYTES[protocol];
  return protocol === 'udp' ? Math.min(bytes, MAX_DATAGRAM_BYTES) : bytes;
}

function isTimeZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name });
    return true;
  } catch {
    return false;
  }
}
