import { Writable } from 'node:stream';
import { z } from 'zod';
import type { ConfigTables } from '../../src/config/schema.ts';
import type { FeedType } from '../../src/feeds/feed.ts';
import { defineFormat, type FormatType } from '../../src/formats/format.ts';
import { mimecastOptions } from '../../src/mimecast/options.ts';
import { duration, port, secret, size } from '../../src/options.ts';
import { defineOutput } from '../../src/outputs/output.ts';

/** Members of our own, small but with every kind of field, so that these tests say nothing about the real racks. */

const feed = (type: string): FeedType => ({
  type,
  summary: `The ${type} log.`,
  defaultKey: ['hash', 'date'],
  keys: ['hash', 'date', 'recipient'],
  create: ({ name }) => ({
    name,
    type,
    path: `/api/${type}`,
    recordsKey: type,
    permission: type,
    filter: () => ({}),
    identify: () => ({ malformed: 'never asked' }),
    eventClass: type,
    describe: () => ({ eventClass: type, title: type, severity: 0 }),
    severityOf: () => 0,
  }),
});

const render = () => ({ text: '', shortened: false });

const format = (name: string): FormatType =>
  defineFormat({
    name,
    summary: `The format ${name}.`,
    options: z.strictObject({}),
    create: () => ({ name, mediaType: 'text/plain', render }),
  });

const leef = defineFormat({
  name: 'leef',
  summary: 'The format leef.',
  options: z
    .strictObject({
      version: z.enum(['1.0', '2.0']).default('1.0').meta({ description: 'Version.' }),
      delimiter: z.string().length(1, 'expected one character').optional().meta({ description: 'Between pairs.' }),
      header: z
        .strictObject({ vendor: z.string().default('Mimecast') })
        .prefault({})
        .meta({ description: 'Header.' }),
    })
    .refine(({ version, delimiter }) => version === '2.0' || delimiter === undefined, {
      error: 'expected no delimiter in version 1.0, which has a tab',
    }),
  create: () => ({ name: 'leef', mediaType: 'text/plain', render }),
});

const socketOptions = z
  .strictObject({
    host: z.string().min(1).meta({ description: 'Receiver.' }),
    port: port('Port of the receiver.').default(514),
    protocol: z.enum(['udp', 'tcp', 'tls']).default('udp').meta({ description: 'Transport.' }),
    maxMessageBytes: size('Longest message.', 480).prefault(8000),
    keepAlive: z.boolean().optional().meta({ description: 'TCP keep-alive.' }),
    tls: z.object({ caFile: z.string().min(1).optional().meta({ description: 'Authorities.' }) }).optional(),
  })
  .refine(({ protocol, tls }) => protocol === 'tls' || tls === undefined, {
    path: ['tls'],
    error: 'is only for protocol tls, expected it gone or protocol: tls',
  });

const hookOptions = z.strictObject({
  url: z.url({ protocol: /^https?$/ }).meta({ description: 'Where to post.' }),
  token: secret('Bearer token.'),
  signingSecret: secret('Key of the signature.')
    .refine((key) => key.read().length >= 8, 'expected at least 8 characters')
    .meta({ description: 'Key of the signature.', secret: true })
    .optional(),
  headers: z
    .record(z.string().regex(/^[\w-]+$/, 'expected the name of an HTTP header'), secret('Value of the header.'))
    .default({})
    .meta({ description: 'Headers.' }),
  timeout: duration('Longest request.', 100).prefault('30s'),
  index: z.string().optional().meta({ description: 'Index.' }),
  acknowledgement: z
    .union([z.boolean(), z.strictObject({ timeout: duration('Longest wait.').prefault('5m') })])
    .default(false)
    .meta({ description: 'Indexer acknowledgement.' }),
});

const stdout = new Writable({ write: (_chunk, _encoding, done) => done() });

const common = {
  defaultFormat: 'json',
  accepted: () => 'written',
  lossless: () => true,
  create: () => ({
    send: async () => ({ rejected: [], shortened: 0 }),
    probe: async () => 'there',
    close: async () => void stdout.end(),
  }),
};

export const tables: ConfigTables = {
  feedTypes: { attachment: feed('attachment'), url: feed('url') },
  outputTypes: {
    socket: defineOutput({
      ...common,
      type: 'socket',
      summary: 'Lines over a socket.',
      options: socketOptions,
      defaultFormat: 'cef',
      target: ({ protocol, host, port }) => `${protocol}://${host}:${port}`,
      profiles: {
        qradar: {
          summary: 'QRadar.',
          options: { format: { type: 'leef', version: '1.0' }, maxMessageBytes: 4000, batch: { maxEvents: 50 } },
        },
        secure: { summary: 'TLS | always.', options: { protocol: 'tls', tls: { caFile: '/ca.pem' } } },
        broken: { summary: 'A slip of ours.', options: { port: 0, keepAlive: 'yes', batch: { maxBytes: 1 } } },
      },
    }),
    hook: defineOutput({
      ...common,
      type: 'hook',
      summary: 'Posts to a URL.',
      options: hookOptions,
      target: ({ url }) => url,
    }),
    screen: defineOutput({
      ...common,
      type: 'screen',
      summary: 'Standard output.',
      options: z.object({}),
      target: () => 'stdout',
    }),
  },
  formats: { json: format('json'), cef: format('cef'), leef },
  mimecastOptions,
};
