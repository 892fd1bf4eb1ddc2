import { z } from 'zod';
import { duration, secret, size } from '../../options.ts';
import { tlsFiles } from '../broker/tls.ts';

/** The client takes a broker apart at its colon: it knows no IPv6 addresses, only names that lead to them. */
const BROKER = /^[A-Za-z0-9._-]+:\d{1,5}$/;

const sasl = z.strictObject({
  mechanism: z
    .enum(['plain', 'scram-sha-256', 'scram-sha-512'])
    .meta({ description: 'How to log in. `plain` sends the password: use it with `tls` only.' }),
  username: z.string().min(1).meta({ description: 'Who to log in as.' }),
  password: secret('Password of the user.'),
});

export const kafkaOptions = z.strictObject({
  brokers: z
    .array(z.string().regex(BROKER, 'expected host:port'))
    .min(1, 'expected at least one broker')
    .meta({ description: 'Brokers to ask for the others, `host:port`. The first that answers is used.' }),
  topic: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,249}$/, 'expected letters, digits, _ . and -, at most 249')
    .meta({ description: 'Topic to write to. It must exist: it is not created.' }),
  clientId: z
    .string()
    .min(1)
    .default('mimecast-forwarder')
    .meta({ description: 'What the brokers call us in their logs, metrics and quotas.' }),
  sasl: sasl.optional().meta({ description: 'Credentials.' }),
  tls: tlsFiles.optional(),
  compression: z
    .enum(['none', 'gzip'])
    .default('none')
    .meta({ description: 'How the events of a request are compressed.' }),
  maxMessageBytes: size(
    'Longest text of one event; a longer one is shortened. With key, headers and framing it must stay below the `max.message.bytes` of the topic (1048588 unless changed).',
    400,
  ).prefault('960KiB'),
  connectTimeout: duration('Longest time to connect and log in to one broker.', 100).prefault('10s'),
  timeout: duration('Longest time until all replicas have acknowledged a request.', 100).prefault('30s'),
});

export type KafkaOptions = z.infer<typeof kafkaOptions>;
