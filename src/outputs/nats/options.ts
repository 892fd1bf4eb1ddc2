import { z } from 'zod';
import { duration, secret, size } from '../../options.ts';
import { tlsFiles } from '../broker/tls.ts';
import type { Address } from './greeting.ts';

/** `host`, `host:port`, `[::1]:port`, and `nats://` before it for those who are used to it. */
const SERVER = /^(?:nats:\/\/)?(?<host>[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(?<port>\d{1,5}))?$/;

export const natsOptions = z
  .strictObject({
    servers: z
      .array(
        z
          .string()
          .refine((text) => addressOf(text) !== undefined, 'expected host or host:port; TLS is turned on by tls'),
      )
      .min(1, 'expected at least one server')
      .meta({
        description: 'Servers of the cluster, `host:port`; without a port 4222. The first that answers is used.',
      }),
    // No wildcards: one subject is published to. `$` begins the server's own subjects.
    subject: z
      .string()
      .regex(/^(?!\$)[^\s.*>]+(\.[^\s.*>]+)*$/, 'expected a subject such as mimecast.attachment, without wildcards')
      .meta({ description: 'Subject to publish to. A stream must be bound to it.' }),
    stream: z
      .string()
      .regex(/^[^\s.*>/\\]+$/, 'expected the name of a stream')
      .optional()
      .meta({ description: 'Stream that must take the events (`Nats-Expected-Stream`): another one refuses them.' }),
    user: z.string().min(1).optional().meta({ description: 'User name. Needs `password`.' }),
    password: secret('Password of `user`.').optional(),
    token: secret('Token, where the server wants one in the place of users.').optional(),
    nkeySeed: secret('Seed of an NKey user, `SU…`.').optional(),
    credentials: secret('Content of a credentials file (`.creds`): a JWT and its seed.').optional(),
    tls: tlsFiles.optional(),
    maxMessageBytes: size(
      'Longest text of one event; a longer one is shortened. Never more than the `max_payload` that the server tells.',
      400,
    ).prefault('1MiB'),
    connectTimeout: duration('Longest time to connect to one server.', 100).prefault('10s'),
    timeout: duration('Longest time until the stream has acknowledged an event.', 100).prefault('30s'),
  })
  .superRefine(({ user, password, token, nkeySeed, credentials }, context) => {
    const issue = (path: string, message: string) => context.addIssue({ code: 'custom', path: [path], message });
    if ((user === undefined) !== (password === undefined))
      issue('user', 'expected user and password together, or neither');
    if ([user, token, nkeySeed, credentials].filter((way) => way !== undefined).length > 1) {
      issue('token', 'expected one way to authenticate: user and password, token, nkeySeed or credentials');
    }
  });

export type NatsOptions = z.infer<typeof natsOptions>;

/** Undefined for a text that names no server. */
export function addressOf(server: string): Address | undefined {
  const { host, port = '4222' } = SERVER.exec(server)?.groups ?? {};
  const number = Number(port);
  if (host === undefined || number < 1 || number > 65_535) return undefined;
  return { host: host.replace(/^\[|\]$/g, ''), port: number };
}
