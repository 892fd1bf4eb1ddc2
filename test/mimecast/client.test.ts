import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { MimecastError, refusesPageToken } from '../../src/mimecast/errors.ts';
import { ApiServer, json, page, tokenAnswer } from './api-server.ts';
import { CLIENT_SECRET, clientFor, HMAC, pageRequest, type TestClient } from './clients.ts';

let server: ApiServer;
let test: TestClient;
const others: TestClient[] = [];

beforeEach(async () => {
  server = await ApiServer.start();
  test = clientFor(server.origin);
});

afterEach(async () => {
  for (const { client } of [test, ...others.splice(0)]) await client.close();
  await server.close();
});

function another(more: Record<string, unknown>): TestClient {
  const made = clientFor(server.origin, more);
  others.push(made);
  return made;
}

const rejection = async (promise: Promise<unknown>): Promise<MimecastError> => {
  const error = await promise.then(
    () => expect.fail('resolved'),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(MimecastError);
  return error as MimecastError;
};

describe('a page', () => {
  it('is asked for as Mimecast documents it', async () => {
    server.onPage = (_request, response) => json(response, 200, page([{ a: 1 }, { b: 2 }], 'more'));
    const first = await test.client.fetchPage(pageRequest());
    expect(first.records.map((record) => record.raw.toString())).toEqual(['{"a":1}', '{"b":2}']);
    expect(first).toMatchObject({ next: 'more', failure: undefined });
    await test.client.fetchPage(pageRequest({ pageToken: 'more' }));

    const [asked, followed] = server.pages;
    expect(asked).toMatchObject({ method: 'POST', path: '/api/ttp/attachment/get-logs' });
    expect(asked?.headers).toMatchObject({
      authorization: 'Bearer token-1',
      'content-type': 'application/json',
      accept: 'application/json',
      'user-agent': 'mimecast-forwarder/test',
      'x-mc-req-id': expect.stringMatching(/^[0-9a-f-]{36}$/),
    });
    const filter = pageRequest().filter;
    expect(JSON.parse(asked?.body ?? '')).toEqual({ meta: { pagination: { pageSize: 500 } }, data: [filter] });
    expect(JSON.parse(followed?.body ?? '').meta.pagination).toEqual({ pageSize: 500, pageToken: 'more' });
    expect(followed?.headers['x-mc-req-id']).not.toBe(asked?.headers['x-mc-req-id']);
    expect(server.tokens).toHaveLength(1);
    expect(await test.count('api_requests_total', { feed: 'attachment' })).toBe(2);
    expect(await test.count('api_requests_total', { feed: '-' })).toBe(1);
    expect(await test.count('api_request_duration_seconds', { feed: 'attachment' })).toBeGreaterThan(0);
    expect(test.client.requestsLastMinute).toBe(2);
    expect(test.client.responseMs).toBeGreaterThan(0);
  });

  it('with records and a failure keeps both', async () => {
    const fail = [{ errors: [{ code: 'err_partial', message: 'half of it', retryable: true }] }];
    server.onPage = (_request, response) => json(response, 200, { ...page([{ a: 1 }], 'more'), fail });
    const result = await test.client.fetchPage(pageRequest());
    expect(result.records).toHaveLength(1);
    expect(result.failure).toMatchObject({ reason: 'bad_request', retryable: true, apiCodes: ['err_partial'] });
    expect(await test.count('api_errors_total', { feed: 'attachment', reason: 'bad_request' })).toBe(1);
  });

  it('with records and a page token of another type keeps the records', async () => {
    const meta = { status: 200, pagination: { next: { pageToken: 'x' } } };
    server.onPage = (_request, response) => json(response, 200, { ...page([{ a: 1 }]), meta });
    const result = await test.client.fetchPage(pageRequest());
    expect(result.records).toHaveLength(1);
    expect(result.next).toBeUndefined();
    expect(result.failure).toMatchObject({ reason: 'malformed', code: 'MIMECAST_UNKNOWN_SHAPE' });
  });

  it.each([
    [
      'a failure and no records',
      { meta: { status: 200 }, data: [], fail: [{ code: 'app_forbidden' }] },
      'MIMECAST_APP_FORBIDDEN',
    ],
    ['a failure in an odd layout', { data: 'none', fail: [{ code: 'app_forbidden' }] }, 'MIMECAST_APP_FORBIDDEN'],
    ['an odd layout', { data: 'none' }, 'MIMECAST_UNKNOWN_SHAPE'],
    ['another list', { data: [{ renamed: [{ a: 1 }] }] }, 'MIMECAST_UNKNOWN_SHAPE'],
    ['nothing', '', 'MIMECAST_EMPTY_ANSWER'],
    ['HTML', '<html>portal</html>', 'MIMECAST_NOT_JSON'],
    ['half of the JSON', '{"meta":{"status":200},"data":[{', 'MIMECAST_NOT_JSON'],
  ])('with %s is refused', async (_name, body, code) => {
    server.onPage = (_request, response) => json(response, 200, body);
    const error = await rejection(test.client.fetchPage(pageRequest()));
    expect(error.code).toBe(code);
    expect(error.requestId).toBe(server.pages[0]?.headers['x-mc-req-id']);
    expect(await test.count('api_errors_total', { feed: 'attachment', reason: error.reason })).toBe(1);
  });

  it('whose token was refused says so', async () => {
    server.onPage = (_request, response) => json(response, 400, '');
    expect(refusesPageToken(await rejection(test.client.fetchPage(pageRequest({ pageToken: 'old' }))))).toBe(true);
    expect(refusesPageToken(await rejection(test.client.fetchPage(pageRequest())))).toBe(false);
  });

  it('that is redirected is not followed', async () => {
    server.onPage = (_request, response) => json(response, 302, '', { location: `${server.origin}/elsewhere` });
    expect(await rejection(test.client.fetchPage(pageRequest()))).toMatchObject({ code: 'MIMECAST_REDIRECTED' });
    expect(server.pages).toHaveLength(1);
  });
});

describe('a 401', () => {
  it('makes it authenticate again, once', async () => {
    server.onPage = (request, response) => {
      if (request.headers.authorization === 'Bearer token-1')
        return json(response, 401, { fail: [{ code: 'token_expired' }] });
      json(response, 200, page([{ a: 1 }]));
    };
    expect((await test.client.fetchPage(pageRequest())).records).toHaveLength(1);
    expect(server.tokens).toHaveLength(2);
    expect(server.pages).toHaveLength(2);
    expect(await test.count('api_errors_total', { feed: 'attachment', reason: 'auth' })).toBe(1);
  });

  it('is reported when it comes again, and the next poll starts with a new token', async () => {
    server.onPage = (_request, response) => json(response, 401, { fail: [{ code: 'unauthorized' }] });
    expect(await rejection(test.client.fetchPage(pageRequest()))).toMatchObject({ reason: 'auth', httpStatus: 401 });
    expect(server.pages).toHaveLength(2);
    expect(server.tokens).toHaveLength(2);
    server.onPage = (_request, response) => json(response, 200, page([]));
    await test.client.fetchPage(pageRequest());
    expect(server.pages[2]?.headers.authorization).toBe('Bearer token-3');
  });

  it('of the token endpoint is reported at once, and counted for no feed', async () => {
    server.onToken = (_request, response) =>
      json(response, 401, { fail: [{ code: 'InvalidClientIdentifier', message: 'Client credentials are invalid' }] });
    const error = await rejection(test.client.fetchPage(pageRequest()));
    expect(error).toMatchObject({ reason: 'auth', code: 'MIMECAST_CREDENTIALS_REFUSED', retryable: false });
    expect(server.tokens).toHaveLength(1);
    expect(server.pages).toHaveLength(0);
    expect(await test.count('api_errors_total')).toBe(1);
    expect(await test.count('api_errors_total', { feed: '-', reason: 'auth' })).toBe(1);
  });

  it('that several feeds meet at once costs one new token', async () => {
    server.onPage = (request, response) =>
      request.headers.authorization === 'Bearer token-1' ? json(response, 401, '') : json(response, 200, page([]));
    await Promise.all(['a', 'b', 'c', 'd'].map((feed) => test.client.fetchPage(pageRequest({ feed }))));
    expect(server.tokens).toHaveLength(2);
  });
});

describe('a 429', () => {
  it('stops every feed until the reset, then lets one request go until one succeeds', async () => {
    let inFlight = 0;
    let mostInFlight = 0;
    let refusals = 2;
    server.onPage = async (_request, response) => {
      inFlight += 1;
      if (refusals === 0) mostInFlight = Math.max(mostInFlight, inFlight);
      await new Promise((resolve) => setImmediate(resolve));
      inFlight -= 1;
      if (refusals === 0) return json(response, 200, page([]));
      refusals -= 1;
      json(response, 429, { fail: [{ code: 'too_many', message: 'slow down' }] }, { 'x-ratelimit-reset': '1000' });
    };
    const error = await rejection(test.client.fetchPage(pageRequest()));
    expect(error).toMatchObject({ reason: 'rate_limited', retryable: true, retryAfterMs: 1000 });
    expect(await test.count('api_rate_limited_total', { feed: 'attachment' })).toBe(1);

    const feeds = ['a', 'b', 'c', 'd'].map((feed) => test.client.fetchPage(pageRequest({ feed })));
    const outcomes = await Promise.allSettled(feeds);
    expect(outcomes.map((outcome) => outcome.status)).toEqual(['rejected', 'fulfilled', 'fulfilled', 'fulfilled']);
    const [refused = 0, second = 0, third = 0, fourth = 0, fifth = 0] = server.pages.map((request) => request.at);
    expect(second - refused).toBeGreaterThanOrEqual(990); // the probe of feed a, refused again
    expect(third - second).toBeGreaterThanOrEqual(990); // the probe of feed b, which succeeds
    expect(fourth - third).toBeLessThan(900); // the others, at last
    expect(fifth - third).toBeLessThan(900);
    expect(mostInFlight).toBeLessThanOrEqual(2);
  });

  it('can be left by aborting', async () => {
    server.onPage = (_request, response) => json(response, 429, '', { 'retry-after': '600' });
    await rejection(test.client.fetchPage(pageRequest()));
    const stop = new AbortController();
    const waiting = test.client.fetchPage(pageRequest({ signal: stop.signal }));
    stop.abort(new DOMException('stopped', 'AbortError'));
    await expect(waiting).rejects.toBe(stop.signal.reason);
    expect(server.pages).toHaveLength(1);
  });
});

describe("Mimecast's time", () => {
  const ahead = (ms: number) => ({ date: new Date(Date.now() + ms).toUTCString() });

  it('is asked for once, by the token call, when no answer was seen yet', async () => {
    server.onToken = (_request, response) => json(response, 200, tokenAnswer('t'), ahead(-3_600_000));
    expect(test.client.clockSkewMs).toBeUndefined();
    const now = await test.client.serverNow(pageRequest().signal);
    await test.client.serverNow(pageRequest().signal);
    expect(Math.abs(now - (Date.now() - 3_600_000))).toBeLessThan(1500);
    expect(server.tokens).toHaveLength(1);
    expect(Math.abs((test.client.clockSkewMs ?? 0) - 3_600_000)).toBeLessThan(1500);
    expect(await test.count('api_clock_skew_seconds')).toBeCloseTo(3600, -1);
  });

  it('signs the requests of API 1.0, whatever our clock says', async () => {
    const hmac = another({ auth: HMAC });
    server.onPage = (_request, response) => json(response, 200, page([]), ahead(7_200_000));
    await hmac.client.serverNow(pageRequest().signal);
    await hmac.client.fetchPage(pageRequest());
    expect(server.pages[0]).toMatchObject({ method: 'GET', path: '/' });
    expect(server.pages[0]?.headers.authorization).toBeUndefined();
    const headers = server.pages[1]?.headers;
    expect(headers?.authorization).toMatch(/^MC hush-access-key:[A-Za-z0-9+/]{27}=$/);
    expect(Math.abs(Date.parse(String(headers?.['x-mc-date'])) - Date.now() - 7_200_000)).toBeLessThan(2500);
    expect(server.tokens).toHaveLength(0);
  });

  it('heals a signature that was refused because our clock is wrong', async () => {
    const hmac = another({ auth: HMAC });
    server.onPage = (request, response) => {
      const off = Math.abs(Date.parse(String(request.headers['x-mc-date'])) - Date.now() - 7_200_000);
      if (off < 60_000) return json(response, 200, page([{ a: 1 }]), ahead(7_200_000));
      const fail = [{ errors: [{ code: 'err_xdk_invalid_signature', message: '0004 Invalid Signature' }] }];
      json(response, 401, { meta: { status: 401 }, fail }, ahead(7_200_000));
    };
    expect((await hmac.client.fetchPage(pageRequest())).records).toHaveLength(1);
    expect(server.pages[0]?.headers['x-mc-req-id']).not.toBe(server.pages[1]?.headers['x-mc-req-id']);
  });
});

describe('no secret', () => {
  const token = 'token-that-nobody-may-see';
  const secrets = [
    CLIENT_SECRET,
    encodeURIComponent(CLIENT_SECRET),
    token,
    HMAC.applicationKey,
    HMAC.accessKey,
    HMAC.secretKey,
  ];

  function expectClean(error: unknown): void {
    const shown = [
      inspect(error, { depth: 9, showHidden: true }),
      JSON.stringify(error),
      (error as MimecastError).hint,
    ];
    for (const secret of secrets) expect(shown.join('\n')).not.toContain(secret);
    expect(shown.join('\n')).not.toMatch(/Bearer|MC hush/);
  }

  it.each([200, 302, 400, 401, 403, 404, 418, 429, 500])(
    'is in an error of status %i that echoes all it was sent',
    async (status) => {
      server.onToken = (_request, response) => json(response, 200, tokenAnswer(token));
      server.onPage = (request, response) => {
        const echo = [request.headers.authorization, request.body].join(' ');
        json(response, status, {
          fail: [{ errors: [{ code: request.headers.authorization, message: echo, field: echo }] }],
        });
      };
      const hmac = another({ auth: HMAC });
      expectClean(await rejection(test.client.fetchPage(pageRequest())));
      expectClean(await rejection(hmac.client.fetchPage(pageRequest())));
    },
  );

  it.each([200, 400, 401, 500])('is in an error of the token endpoint that echoes the form (%i)', async (status) => {
    server.onToken = (request, response) =>
      json(response, status, { fail: [{ code: 'c', message: request.body, field: decodeURIComponent(request.body) }] });
    expectClean(await rejection(test.client.fetchPage(pageRequest())));
  });

  it('is in an error of the connection', async () => {
    await server.close();
    const error = await rejection(test.client.fetchPage(pageRequest()));
    expectClean(error);
    server = await ApiServer.start();
  });

  it('is in the client itself', () => {
    expectClean(test.client);
  });
});

it('stops sending when it is closed', async () => {
  const held = vi.fn();
  server.onPage = held;
  const waiting = rejection(test.client.fetchPage(pageRequest()));
  await expect.poll(() => held.mock.calls.length).toBe(1);
  await test.client.close();
  await test.client.close();
  expect(await waiting).toMatchObject({ reason: 'network' });
});
