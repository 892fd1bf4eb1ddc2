import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { createServer as createTcpServer } from 'node:net';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { MimecastError } from '../../src/mimecast/errors.ts';
import { readAcks } from '../../src/outputs/hec/answer.ts';
import { outputTypes } from '../../src/outputs/index.ts';
import { type Output, OutputError } from '../../src/outputs/output.ts';
import { CANARY, MAIL_CANARY, outputContext, someEvents } from '../contract/output-harness.ts';
import { serviceAccountKey } from '../fakes/google-secops.ts';
import { ApiServer } from '../mimecast/api-server.ts';
import { CLIENT_SECRET, clientFor } from '../mimecast/clients.ts';
import { damaged, fuzzAsync } from './fuzzing.ts';

/**
 * Whatever a receiver answers, an output says what became of the batch or throws its own error: never a TypeError, never more accepted than
 * the answer said, and nothing of the secret, the mail or the answer's own words in what is logged.
 */

const NEVER = new AbortController().signal;
/** Stands in answers. No error may repeat what a receiver says. */
const ECHO = 'echo-of-what-was-said';
const EVENTS = someEvents(3);
const RUNS = 50;
const TOKEN_PATH = '/token-endpoint';

interface Told {
  readonly status: number;
  readonly type: string;
  readonly body: Buffer;
  readonly wait: string;
}

/** An output, what its receiver may say, and which events an answer accepts by the receiver's own documentation. */
interface Subject {
  readonly type: string;
  readonly options: (origin: string) => object;
  /** The first of them, with the status `good`, accepts everything. */
  readonly answers: readonly (string | Buffer)[];
  readonly good: number;
  accepts(told: Told, index: number): boolean;
}

const SUCCESS = '{"text":"Success","code":0,"ackId":0}';
const isSuccess = ({ status }: Told): boolean => status >= 200 && status < 300;
const secretAccount = JSON.stringify(serviceAccountKey('http://127.0.0.1:9/token', CANARY));
const azure = (origin: string) => ({
  endpoint: origin,
  authority: `${origin}${TOKEN_PATH}`,
  dcrImmutableId: 'dcr-000a00a000a00000a000000aa000a0aa',
  ...{ tenantId: 'contoso', clientId: 'id', clientSecret: CANARY },
});

const SUBJECTS: readonly Subject[] = [
  {
    type: 'splunk-hec',
    good: 200,
    options: (url) => ({ url, token: CANARY, acknowledgement: false }),
    answers: [
      SUCCESS,
      `{"text":"${ECHO}","code":6,"invalid-event-number":1}`,
      '{"code":12,"invalid-event-number":9e99}',
    ],
    accepts: (told, index) => {
      const { code, 'invalid-event-number': stopped } = objectIn(told.body);
      if (isSuccess(told)) return [0, 24, 25].includes(code as number);
      return told.status === 400 && Number.isInteger(stopped) && index < Number(stopped);
    },
  },
  {
    type: 'elasticsearch',
    good: 200,
    options: (url) => ({ url, apiKey: CANARY }),
    answers: [
      bulk(201, 201, 201),
      bulk(201, 409, 429),
      `{"errors":true,"items":[${[400, 201, 503].map((status) => `{"create":{"status":${status},"error":{"type":"${ECHO}","reason":"${MAIL_CANARY}"}}}`).join(',')}]}`,
    ],
    accepts: (told, index) => {
      const { items } = objectIn(told.body) as { items?: { create?: { status?: number } }[] };
      const status = items?.[index]?.create?.status ?? 0;
      return isSuccess(told) && ((status >= 200 && status < 300) || status === 409);
    },
  },
  {
    type: 'otlp',
    good: 200,
    options: (url) => ({ url: `${url}/v1/logs`, headers: { authorization: CANARY }, encoding: 'json' }),
    answers: [
      '{}',
      '',
      `{"partialSuccess":{"rejectedLogRecords":"2","errorMessage":"${ECHO}"}}`,
      '{"partial_success":{}}',
    ],
    accepts: (told) => told.status >= 200 && told.status <= 204 && !(numberIn(told.body) > 0),
  },
  {
    type: 'loki',
    good: 204,
    options: (url) => ({ url, token: CANARY }),
    answers: ['', `{"message":"${ECHO}"}`, '<html>'],
    accepts: ({ status, body }) => status === 204 || (status === 200 && body.length === 0),
  },
  {
    type: 'datadog',
    good: 202,
    options: (url) => ({ url, apiKey: CANARY }),
    answers: ['', '{}', `{"errors":["${ECHO}"]}`],
    accepts: ({ status, body }) => status === 202 || (status === 200 && ['', '{}'].includes(body.toString().trim())),
  },
  {
    type: 'sumologic',
    good: 200,
    options: (url) => ({ url: `${url}/${CANARY}` }),
    answers: ['', `<html>${ECHO}`, '{"status":200}'],
    accepts: (told) =>
      isSuccess(told) && !told.type.includes('html') && !told.body.toString().trimStart().startsWith('<'),
  },
  {
    type: 'sentinel',
    good: 204,
    options: azure,
    answers: ['', `{"error":{"code":"${ECHO}"}}`],
    accepts: ({ status }) => status === 204,
  },
  {
    type: 'google-secops',
    good: 200,
    options: (origin) => ({
      ...{ project: 'p', region: 'us', instance: 'i', endpoint: origin },
      serviceAccount: secretAccount.replace('http://127.0.0.1:9', `${origin}${TOKEN_PATH}`),
    }),
    answers: [
      '{}',
      `{"error":{"code":429,"message":"${ECHO}","status":"RESOURCE_EXHAUSTED","details":[{"@type":"type.googleapis.com/google.rpc.RetryInfo","retryDelay":"7s"}]}}`,
    ],
    accepts: (told) => isSuccess(told) && isObjectText(told.body),
  },
  {
    type: 'webhook',
    good: 200,
    options: (url) => ({ url, headers: { authorization: CANARY }, signingSecret: CANARY }),
    answers: ['', ECHO, '{"ok":false}'],
    accepts: isSuccess,
  },
];

const TOKEN = '{"access_token":"good","token_type":"Bearer","expires_in":3600}';
const tokenAnswers = [
  TOKEN,
  `{"error":"invalid_client","error_description":"${ECHO} ${CANARY}","error_codes":[7000215]}`,
  '{"access_token":"a\\u0000b","expires_in":-1}',
  '{"access_token":"t","expires_in":{"toString":1,"valueOf":1}}',
];

function told(bodies: readonly (string | Buffer)[]): fc.Arbitrary<Told> {
  const known = [200, 201, 202, 204, 206, 260, 301, 400, 401, 403, 404, 408, 409, 413, 415, 422, 425, 429, 500, 503];
  return fc.record({
    // 204 and 304 have no body (RFC 9110 §15.3.5), which is what Node's server makes of them.
    status: fc.oneof({ weight: 3, arbitrary: fc.constantFrom(...known) }, fc.integer({ min: 200, max: 599 })),
    type: fc.constantFrom('application/json', 'text/html; charset=utf-8', 'application/x-protobuf', ''),
    body: fc.oneof(fc.constantFrom(...bodies.map((body) => Buffer.from(body))), damaged(bodies)),
    wait: fc.constantFrom('', '7', '-1', '1e999', 'Wed, 21 Oct 2099 07:28:00 GMT', 'soon'),
  });
}

const cleanups: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Answers as told: events with one, questions for a token with another. */
class Receiver {
  answer: Told = { status: 500, type: '', body: Buffer.alloc(0), wait: '' };
  token: Told = { status: 200, type: 'application/json', body: Buffer.from(TOKEN), wait: '' };
  readonly origin: string;

  private constructor(port: number) {
    this.origin = `http://127.0.0.1:${port}`;
  }

  static async start(): Promise<Receiver> {
    const server = createServer((request, response) => {
      request.resume().on('end', () => reply(response, request.url?.startsWith(TOKEN_PATH) ? it.token : it.answer));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const it = new Receiver((server.address() as AddressInfo).port);
    cleanups.push(async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    });
    return it;
  }
}

function reply(response: ServerResponse, { status, type, body, wait }: Told): void {
  response.writeHead(status, { ...(type && { 'content-type': type }), ...(wait && { 'retry-after': wait }) }).end(body);
}

function open(type: string, options: object): Output {
  const member = outputTypes[type];
  if (!member) throw new Error(`there is no output ${type}`);
  return member.create(member.options.parse({ timeout: '3s', ...options }), outputContext());
}

/** Sends, and gives the places of the events that count as accepted. */
async function accepted(output: Output): Promise<number[]> {
  try {
    const { rejected, unsettled } = await output.send(EVENTS, NEVER);
    for (const { reason } of rejected) expectQuiet(reason);
    if (unsettled?.error) expectOurs(unsettled.error);
    const open = new Set([...rejected.map(({ event }) => event), ...(unsettled?.events ?? [])]);
    return EVENTS.flatMap((event, at) => (open.has(event) ? [] : [at]));
  } catch (error) {
    expectOurs(error);
    return [];
  } finally {
    await output.close();
  }
}

function expectOurs(error: unknown): void {
  expect(error).toBeInstanceOf(OutputError);
  const { message, hint = '', retryAfterMs = 0 } = error as OutputError;
  expectQuiet(message);
  expectQuiet(hint);
  expect(Number.isFinite(retryAfterMs)).toBe(true);
  expect(inspect(error, { depth: 9 })).not.toContain(CANARY);
}

function expectQuiet(text: string): void {
  expect(text.length).toBeLessThan(600);
  expect(text).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
  for (const secret of [CANARY, MAIL_CANARY, ECHO]) expect(text).not.toContain(secret);
}

describe.each(SUBJECTS)('$type', ({ type, options, answers, good, accepts }) => {
  it('takes no more for accepted than the answer says, and throws nothing but its own errors', async () => {
    const receiver = await Receiver.start();
    const first = Buffer.from(answers[0] ?? '');
    receiver.answer = { status: good, type: 'application/json', body: first, wait: '' };
    expect(await accepted(open(type, options(receiver.origin)))).toHaveLength(EVENTS.length);
    await fuzzAsync(
      fc.asyncProperty(told(answers), async (answer) => {
        receiver.answer = answer;
        const bodiless = answer.status === 204 || answer.status === 304 ? { ...answer, body: Buffer.alloc(0) } : answer;
        const taken = await accepted(open(type, options(receiver.origin)));
        expect(taken.filter((at) => !accepts(bodiless, at))).toEqual([]);
      }),
      RUNS,
    );
  });
});

describe.each(['sentinel', 'google-secops'])('the token of %s', (type) => {
  it('whatever the issuer answers, nothing is sent without a token', async () => {
    const receiver = await Receiver.start();
    const subject = SUBJECTS.find((one) => one.type === type);
    receiver.answer = { ...receiver.answer, status: type === 'sentinel' ? 204 : 200, body: Buffer.from('{}') };
    await fuzzAsync(
      fc.asyncProperty(told(tokenAnswers), async (answer) => {
        receiver.token = answer;
        const taken = await accepted(open(type, subject?.options(receiver.origin) ?? {}));
        if (taken.length === 0) return;
        expect(isSuccess(answer)).toBe(true);
        expect(objectIn(answer.body).access_token).toMatch(/^[\x21-\x7e]+$/);
      }),
      RUNS / 2,
    );
  });
});

describe("Mimecast's token", () => {
  it('whatever is answered, there is one or an error of ours, without the secret', async () => {
    const server = await ApiServer.start();
    cleanups.push(() => server.close());
    await fuzzAsync(
      fc.asyncProperty(
        told([...tokenAnswers, `{"fail":[{"code":"${CLIENT_SECRET}","message":"m"}]}`]),
        async (answer) => {
          server.onToken = (_request, response) => reply(response, answer);
          const { client } = clientFor(server.origin);
          try {
            await client.authenticate(NEVER);
            expect(answer.status).toBe(200);
            expect(objectIn(answer.body).access_token).toMatch(/^[\x21-\x7e]+$/);
          } catch (error) {
            if (!(error instanceof MimecastError)) throw error;
            expect(error.message.length).toBeLessThan(1500);
            expect(error.message).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
            expect(inspect(error, { depth: 9 })).not.toContain(CLIENT_SECRET);
          } finally {
            await client.close();
          }
        },
      ),
      RUNS,
    );
  });
});

describe("Splunk's acknowledgements", () => {
  it('are for the ids that are written in the answer with true, and for no other', async () => {
    const bodies = damaged([
      '{"acks":{"0":true,"1":false,"2":true}}',
      '{"acks":{"03":true,"":true," 3":true,"0x4":true,"5e0":true}}',
    ]);
    await fuzzAsync(
      fc.asyncProperty(bodies, async (body) => {
        const acks = objectIn(body).acks as Record<string, unknown> | undefined;
        for (const id of readAcks(body.toString()) ?? []) expect(acks?.[String(id)]).toBe(true);
      }),
      1000,
    );
  });
});

describe('bytes that are hardly HTTP', () => {
  it('are answers or errors of ours', async () => {
    let bytes: Buffer = Buffer.alloc(0);
    const server = createTcpServer((socket) => {
      socket.on('error', () => {}).once('data', () => socket.end(bytes));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    cleanups.push(() => new Promise((resolve) => server.close(resolve)));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const answers = [
      `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${SUCCESS.length}\r\n\r\n${SUCCESS}`,
      `HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n25\r\n${SUCCESS}\r\n0\r\n\r\n`,
      `HTTP/1.1 503 ${ECHO}\r\nretry-after: 9\r\ncontent-encoding: gzip\r\n\r\n${ECHO}`,
    ];
    const types = fc.constantFrom(
      ...SUBJECTS.filter(({ type }) => ['splunk-hec', 'elasticsearch', 'webhook'].includes(type)),
    );
    await fuzzAsync(
      fc.asyncProperty(damaged(answers), types, async (damage, { type, options }) => {
        bytes = damage;
        const taken = await accepted(open(type, { gzip: false, ...options(url) }));
        if (taken.length > 0) expect(bytes.toString('latin1')).toMatch(/^HTTP\/1\.\d 2\d\d/m);
      }),
      RUNS,
    );
  });
});

function bulk(...statuses: readonly number[]): string {
  return JSON.stringify({ errors: false, items: statuses.map((status) => ({ create: { status } })) });
}

function objectIn(body: Buffer): Readonly<Record<string, unknown>> {
  try {
    return Object(JSON.parse(body.toString())) as Record<string, unknown>;
  } catch {
    return {};
  }
}

function isObjectText(body: Buffer): boolean {
  return body.toString().trimStart().startsWith('{');
}

function numberIn(body: Buffer): number {
  const { partialSuccess } = objectIn(body) as { partialSuccess?: { rejectedLogRecords?: unknown } };
  return Number(partialSuccess?.rejectedLogRecords ?? 0);
}
