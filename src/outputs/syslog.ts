import { isIPv6 } from 'node:net';
import { z } from 'zod';
import type { ForwarderEvent } from '../event.ts';
import type { Envelope, EnvelopeContext } from '../formats/envelopes/envelope.ts';
import { envelopes, headerName } from '../formats/envelopes/index.ts';
import type { Format, Rendered } from '../formats/format.ts';
import { duration, port, size } from '../options.ts';
import { defineOutput, type Output, type Sent } from './output.ts';
import { ConfirmByClose } from './wire/confirm-by-close.ts';
import { ConfirmByWrite } from './wire/confirm-by-write.ts';
import { Datagrams, MAX_DATAGRAM_BYTES } from './wire/datagrams.ts';
import { Dialer } from './wire/dialer.ts';
import { tlsOptions } from './wire/tls.ts';
import { type Endpoint, type Message, urlOf, type Wire } from './wire/wire.ts';

/** RFC 5426 §3.3 and RFC 5425 §4.1; 514 is custom, not standard, for plain TCP. */
const DEFAULT_PORTS = { udp: 514, tcp: 514, tls: 6514 } as const;
/** 1400 octets fit one Ethernet frame with room for tunnels; rsyslog's default limit is 8 KiB, header included. */
const DEFAULT_MESSAGE_BYTES = { udp: 1400, tcp: 8000, tls: 8000 } as const;
/** The longest header leaves an event the 400 octets that every format can do with. */
const SMALLEST_MESSAGE_BYTES = 1024;

const options = z
  .strictObject({
    host: z.string().min(1).meta({ description: 'Host name or IP address of the receiver.' }),
    port: port('Port of the receiver. Default: 514, over tls 6514.').optional(),
    protocol: z.enum(['udp', 'tcp', 'tls']).meta({
      description:
        '`tls` (RFC 5425), `tcp` (RFC 6587) or `udp` (RFC 5426, one event a datagram; lost datagrams are not noticed).',
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
      .meta({ description: 'Certificates, with protocol tls. Files are read again for every connection.' }),
    connectTimeout: duration('Longest time for name lookup, TCP and TLS handshake together.', 100).prefault('10s'),
    sendTimeout: duration(
      'Longest time for one batch over tcp and tls, from its first byte until it is confirmed.',
      100,
    ).prefault('60s'),
  })
  .superRefine((syslog, context) => {
    if (syslog.tls !== undefined && syslog.protocol !== 'tls') {
      context.addIssue({
        code: 'custom',
        path: ['tls'],
        message: `expected no tls options with protocol ${syslog.protocol}: nothing would be encrypted`,
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
  summary: 'Sends syslog over UDP, TCP or TLS, with an RFC 5424 or RFC 3164 header.',
  options,
  defaultFormat: 'json',
  accepted: ({ protocol, confirm }) => {
    if (protocol === 'udp') return 'sent, no more: a datagram that is lost is not noticed';
    return confirm === 'close'
      ? 'the receiver has closed the connection in good order after us, so it has read the whole batch'
      : "this machine's kernel has taken the batch: what is in flight when the connection breaks is lost";
  },
  lossless: ({ protocol, confirm }) => protocol !== 'udp' && confirm === 'close',
  target: (syslog) => urlOf(endpointOf(syslog)),
  create: (syslog, context) => {
    return new SyslogOutput(wireTo(syslog), {
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
  readonly #composition: Composition;

  constructor(wire: Wire, composition: Composition) {
    this.#wire = wire;
    this.#composition = composition;
  }

  async send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    signal.throwIfAborted();
    let shortened = 0;
    const messages = events.map((event) => {
      const composed = compose(event, this.#composition);
      if (composed.shortened) shortened += 1;
      return composed.message;
    });
    await this.#wire.deliver(messages, signal);
    return { rejected: [], shortened };
  }

  probe(signal: AbortSignal): Promise<string> {
    return this.#wire.probe(signal);
  }

  close(): Promise<void> {
    return this.#wire.close();
  }
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

function wireTo(syslog: SyslogOptions): Wire {
  const endpoint = endpointOf(syslog);
  if (syslog.protocol === 'udp') return new Datagrams(endpoint, syslog.connectTimeout);
  const dialer = new Dialer(endpoint, syslog.tls ?? { minVersion: 'TLSv1.2' }, syslog.connectTimeout);
  return syslog.confirm === 'close'
    ? new ConfirmByClose(dialer, syslog.framing, syslog.sendTimeout)
    : new ConfirmByWrite(dialer, syslog.framing, syslog.sendTimeout);
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
