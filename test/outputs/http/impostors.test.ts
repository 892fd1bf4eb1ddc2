import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outputTypes } from '../../../src/outputs/index.ts';
import { type Output, OutputError, type OutputType } from '../../../src/outputs/output.ts';
import { outputContext, someEvents } from '../../contract/output-harness.ts';
import { serviceAccountKey } from '../../fakes/google-secops.ts';
import { HttpReceiver, type ReceivedRequest } from '../../fakes/http-receiver.ts';

/** What answers in the place of a receiver: the sign-in page of a proxy, the block page of a firewall, a port that wants TLS. */

const never = new AbortController().signal;
const SIGN_IN = '<!DOCTYPE html><html><head><title>Sign in</title></head><body>quarterly figures</body></html>';

let receiver: HttpReceiver;
let output: Output | undefined;
beforeEach(async () => {
  receiver = await HttpReceiver.start();
});
afterEach(async () => {
  await output?.close();
  output = undefined;
  await receiver.close();
});

/** Options of each output that speaks HTTP, for a receiver at this address. */
const OPTIONS: Readonly<Record<string, (origin: string) => object>> = {
  datadog: (url) => ({ url, apiKey: 'k' }),
  elasticsearch: (url) => ({ url }),
  'google-secops': (endpoint) => ({
    serviceAccount: JSON.stringify(serviceAccountKey(`${endpoint}/token`, 'k')),
    project: 'soc-project',
    region: 'us',
    instance: 'c0ffee00-0000-4000-8000-000000000001',
    endpoint,
  }),
  loki: (url) => ({ url }),
  otlp: (url) => ({ url }),
  sentinel: (endpoint) => ({
    endpoint,
    authority: endpoint,
    tenantId: 'c0ffee00-0000-4000-8000-000000000001',
    clientId: 'c0ffee00-0000-4000-8000-000000000002',
    clientSecret: 'k',
    dcrImmutableId: 'dcr-000a00a000a00000a000000aa000a0aa',
  }),
  'splunk-hec': (url) => ({ url, token: 't', acknowledgement: false }),
  sumologic: (origin) => ({ url: `${origin}/receiver/v1/http/source` }),
  webhook: (url) => ({ url }),
};
const names = Object.keys(OPTIONS);

function open(name: string): Output {
  const type = outputTypes[name] as OutputType;
  output = type.create(type.options.parse(OPTIONS[name]?.(receiver.origin)), outputContext());
  return output;
}

async function failureOf(sending: Promise<unknown>): Promise<OutputError> {
  const error = await sending.catch((thrown: unknown) => thrown);
  if (!(error instanceof OutputError)) return expect.unreachable('it was accepted');
  expect(`${error.message} ${error.hint}`).not.toContain('quarterly');
  return error;
}

/** Tokens are given out as always. */
function unlessToken({ path }: ReceivedRequest, status: number, body: string, type = 'text/html; charset=UTF-8') {
  if (!path.endsWith('/token')) return { status, headers: { 'content-type': type }, body };
  return { status: 200, body: JSON.stringify({ access_token: 't', expires_in: 3600, token_type: 'Bearer' }) };
}

it('every output that takes a proxy is looked at here', () => {
  const speakHttp = Object.values(outputTypes).filter(({ options }) => 'proxy' in options.shape);
  expect(speakHttp.map(({ type }) => type).sort()).toEqual(names);
});

describe('a web page with status 200', () => {
  it.each(names.filter((name) => name !== 'webhook'))('is no acceptance to %s', async (name) => {
    receiver.react = (request) => unlessToken(request, 200, SIGN_IN);
    const error = await failureOf(open(name).send(someEvents(2), never));
    // Never the fault of an event.
    expect(error.disposition).toMatch(/^(halt|retry)$/);
    expect(error.hint).toMatch(/\S/);
  });

  it.each([
    ['sumologic', 'text/html', 'welcome'],
    ['sumologic', 'text/plain', '\n <html>'],
    ['sumologic', 'application/xhtml+xml', ''],
    ['loki', 'text/plain', 'OK'],
    ['google-secops', 'application/json', '[]'],
    ['google-secops', 'application/json', ''],
    ['datadog', 'text/plain', 'OK'],
    ['datadog', 'text/html', ''],
  ])('%s is not taken in by %s %j either', async (name, type, body) => {
    receiver.react = (request) => unlessToken(request, 200, body, type);
    const sending = open(name).send(someEvents(2), never);
    if (name === 'datadog' && body === '') await sending;
    else expect(await failureOf(sending)).toMatchObject({ disposition: 'halt', reason: 'refused' });
  });

  it('is an acceptance to webhook: 2xx is all that it asks for, unless the config says more', async () => {
    receiver.react = (request) => unlessToken(request, 200, SIGN_IN);
    expect(await open('webhook').send(someEvents(2), never)).toEqual({ rejected: [], shortened: 0 });
  });
});

describe('what Datadog has not answered itself', () => {
  it.each([200, 201, 204])('is no acceptance with %i', async (status) => {
    receiver.react = () => ({ status, body: status === 204 ? '' : '{"errors":[]}' });
    expect(await failureOf(open('datadog').send(someEvents(1), never))).toMatchObject({ disposition: 'halt' });
  });
  it.each(['', '{}'])('is one with 200 and %j when it comes from a relay', async (body) => {
    receiver.react = () => ({ status: 200, body });
    await open('datadog').send(someEvents(1), never);
  });
});

describe('a port that wants TLS', () => {
  it.each([
    ['nginx', '<html><head><title>400 The plain HTTP request was sent to HTTPS port</title></head></html>'],
    ['Go', 'Client sent an HTTP request to an HTTPS server.\n'],
    ['Apache', "<p>Reason: You're speaking plain HTTP to an SSL-enabled server port.<br /></p>"],
  ])('says so by %s, and no event is refused for it', async (_, body) => {
    receiver.react = (request) => unlessToken(request, 400, `${body} quarterly figures`);
    for (const name of names) {
      expect(await failureOf(open(name).send(someEvents(2), never))).toMatchObject({
        disposition: 'halt',
        reason: 'tls',
        hint: expect.stringContaining('https://'),
      });
      await output?.close();
    }
  });

  it.each(['loki', 'otlp'])('fails the probe of %s, which knows a 400 of its own', async (name) => {
    receiver.react = () => ({ status: 400, body: 'Client sent an HTTP request to an HTTPS server.\n' });
    expect(await failureOf(open(name).probe(never))).toMatchObject({ disposition: 'halt', reason: 'tls' });
  });

  it('is not seen in any other 400', async () => {
    receiver.react = () => ({ status: 400, body: 'bad' });
    expect(await failureOf(open('webhook').send(someEvents(2), never))).toMatchObject({ disposition: 'split' });
  });
});
