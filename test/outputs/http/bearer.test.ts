import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AccessToken, BearerToken, bearerUrl, requestToken } from '../../../src/outputs/http/bearer.ts';
import { SentCredentials } from '../../../src/outputs/http/credentials.ts';
import { type HttpAnswer, HttpPoster } from '../../../src/outputs/http/poster.ts';
import { OutputError } from '../../../src/outputs/output.ts';
import { Secret } from '../../../src/secret.ts';
import { type Answer, HttpReceiver } from '../../fakes/http-receiver.ts';

const { signal } = new AbortController();

/** An issuer that numbers its tokens, and gives each when `give` is called; at once when there is nothing to wait for. */
class Issuer {
  asked: AbortSignal[] = [];
  waits = false;
  lifeMs = 3_600_000;
  readonly #open: { resolve: () => void; reject: (reason: unknown) => void }[] = [];

  request = (ending: AbortSignal): Promise<AccessToken> => {
    this.asked.push(ending);
    const token = { value: `t${this.asked.length}`, lifeMs: this.lifeMs };
    if (!this.waits) return Promise.resolve(token);
    const { promise, resolve, reject } = Promise.withResolvers<AccessToken>();
    ending.addEventListener('abort', () => reject(ending.reason));
    this.#open.push({ resolve: () => resolve(token), reject });
    return promise;
  };

  give(): void {
    for (const { resolve } of this.#open.splice(0)) resolve();
  }

  fail(reason: unknown): void {
    for (const { reject } of this.#open.splice(0)) reject(reason);
  }
}

function answered(status: number): HttpAnswer {
  const credentials = new SentCredentials([]);
  return { status, retryAfterMs: undefined, mediaType: '', body: '', bytes: Buffer.of(), complete: true, credentials };
}

describe('a bearer token', () => {
  let issuer: Issuer;
  let now: number;
  let bearer: BearerToken;
  let sent: string[];

  beforeEach(() => {
    issuer = new Issuer();
    now = 1000;
    bearer = new BearerToken(Secret.of('hush'), issuer.request, () => now);
    sent = [];
  });

  /** A receiver that answers these statuses in turn, and then 200. */
  const use = (statuses: number[] = [], ending = signal) =>
    bearer.exchange(async ({ authorization }) => {
      sent.push(authorization);
      return answered(statuses.shift() ?? 200);
    }, ending);

  it('is used until a minute before it ends', async () => {
    await use();
    now += issuer.lifeMs - 60_001;
    await use();
    expect(sent).toEqual(['Bearer t1', 'Bearer t1']);
    now += 1;
    await use();
    expect(sent.at(-1)).toBe('Bearer t2');
  });

  it('that lives shortly is used until a tenth of its life is left', async () => {
    issuer.lifeMs = 100_000;
    await use();
    now += 89_999;
    await use();
    now += 1;
    await use();
    expect(sent).toEqual(['Bearer t1', 'Bearer t1', 'Bearer t2']);
  });

  it('is fetched once for all who wait for it', async () => {
    issuer.waits = true;
    const uses = [use(), use(), use()];
    await new Promise(setImmediate);
    issuer.give();
    await Promise.all(uses);
    expect(sent).toEqual(Array(3).fill('Bearer t1'));
    expect(issuer.asked).toHaveLength(1);
  });

  it('is fetched anew, once, when it is refused', async () => {
    expect(await use([401])).toMatchObject({ status: 200 });
    expect(sent).toEqual(['Bearer t1', 'Bearer t2']);
    expect(await use([401, 401])).toMatchObject({ status: 401 });
    expect(sent).toHaveLength(4);
  });

  it.each([400, 403, 429, 500])('is not fetched anew for status %i', async (status) => {
    expect(await use([status])).toMatchObject({ status });
    expect(issuer.asked).toHaveLength(1);
  });

  it('that is forbidden something points at its credential, and does not outlive it', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'bearer-'));
    const file = join(folder, 'credential');
    writeFileSync(file, 'old');
    bearer = new BearerToken(Secret.fromFile(file), issuer.request, () => now);
    const forbidden = new OutputError('no', { reason: 'auth', disposition: 'halt' });
    const { credentials } = await use([403]);
    expect(credentials.judge(forbidden)).toBe(forbidden);
    writeFileSync(file, 'new');
    expect(credentials.judge(forbidden)).toMatchObject({ disposition: 'retry', retryAfterMs: 0 });
    await use();
    expect(sent).toEqual(['Bearer t1', 'Bearer t2']);
    rmSync(folder, { recursive: true });
  });

  it('that another send has replaced already is not replaced again', async () => {
    await use();
    const refusals = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    const uses = refusals.map(({ promise }) =>
      bearer.exchange(async ({ authorization }) => {
        sent.push(authorization);
        if (authorization === 'Bearer t1') await promise;
        return answered(authorization === 'Bearer t1' ? 401 : 200);
      }, signal),
    );
    refusals[0]?.resolve();
    await uses[0];
    refusals[1]?.resolve();
    await uses[1];
    expect(issuer.asked).toHaveLength(2);
    expect(sent).toEqual(['Bearer t1', 'Bearer t1', 'Bearer t1', 'Bearer t2', 'Bearer t2']);
  });

  it('goes on being fetched when one of those who wait gives up, and no longer when all have', async () => {
    issuer.waits = true;
    const stops = [new AbortController(), new AbortController()];
    const uses = stops.map((stop) => use([], stop.signal));
    await new Promise(setImmediate);
    stops[0]?.abort(new Error('first'));
    await expect(uses[0]).rejects.toThrow('first');
    expect(issuer.asked[0]?.aborted).toBe(false);
    stops[1]?.abort(new Error('second'));
    await expect(uses[1]).rejects.toThrow('second');
    expect(issuer.asked[0]?.aborted).toBe(true);
    issuer.waits = false;
    await use();
    expect(sent).toEqual(['Bearer t2']);
  });

  it('that could not be had is asked for again by the next send', async () => {
    issuer.waits = true;
    const failing = use();
    await new Promise(setImmediate);
    issuer.fail(new Error('down'));
    await expect(failing).rejects.toThrow('down');
    issuer.waits = false;
    await use();
    expect(sent).toEqual(['Bearer t2']);
  });
});

describe('a token endpoint', () => {
  let receiver: HttpReceiver;
  let poster: HttpPoster;
  let folder: string;

  beforeEach(async () => {
    receiver = await HttpReceiver.start();
    poster = new HttpPoster({ target: receiver.origin, userAgent: 'test', timeout: 2000 });
    folder = mkdtempSync(join(tmpdir(), 'bearer-'));
  });

  afterEach(async () => {
    await poster.close();
    await receiver.close();
    rmSync(folder, { recursive: true });
  });

  function ask(answer: Answer, credential = Secret.of('hush')): Promise<AccessToken> {
    receiver.react = () => answer;
    const form = { grant_type: 'client_credentials', client_secret: credential.read() };
    return requestToken(
      poster,
      receiver.origin,
      { url: `${receiver.origin}/token`, form, credential, hint: 'Look.' },
      signal,
    );
  }
  const json = (status: number, body: unknown): Answer => ({ status, body: JSON.stringify(body) });

  it('is sent a form, and gives a token', async () => {
    const credential = Secret.of('a&b=c d');
    expect(await ask(json(200, { access_token: 'abc', expires_in: 3599 }), credential)).toEqual({
      value: 'abc',
      lifeMs: 3_599_000,
    });
    const [request] = receiver.requests;
    expect(request?.headers['content-type']).toBe('application/x-www-form-urlencoded');
    expect([...new URLSearchParams(request?.text)]).toEqual([
      ['grant_type', 'client_credentials'],
      ['client_secret', 'a&b=c d'],
    ]);
  });

  it.each([
    ['as a text', '3599', 3_599_000],
    ['not at all', undefined, 300_000],
  ])('may say how long a token lives %s', async (_, expires_in, lifeMs) => {
    expect(await ask(json(200, { access_token: 'abc', expires_in }))).toMatchObject({ lifeMs });
  });

  it.each([
    ['no JSON', '<html>'],
    ['no token', '{"token_type":"Bearer"}'],
    ['a token that cannot stand in a header', '{"access_token":"a\\r\\nb"}'],
    ['a life of nothing', '{"access_token":"a","expires_in":0}'],
  ])('that answers with %s is asked again later', async (_, body) => {
    await expect(ask({ status: 200, body })).rejects.toMatchObject({ reason: 'server', disposition: 'retry' });
  });

  it.each([
    [400, { error: 'invalid_grant' }, '400 Bad Request (invalid_grant)'],
    [
      400,
      { error: 'unauthorized_client', error_codes: [700016] },
      '400 Bad Request (unauthorized_client, AADSTS700016)',
    ],
    [401, { error: 'invalid_client', error_codes: [7000215] }, '401 Unauthorized (invalid_client, AADSTS7000215)'],
    [403, 'none', '403 Forbidden'],
    // What is not of the closed set may be anything, our secret too.
    [400, { error: 'hush', error_codes: ['hush'] }, '400 Bad Request'],
  ])('that refuses with %i %j stops the output', async (status, body, words) => {
    await expect(ask(json(status, body))).rejects.toMatchObject({
      message: `${receiver.origin} answered ${words} when asked for a token`,
      reason: 'auth',
      disposition: 'halt',
      hint: 'Look.',
    });
  });

  it.each([
    [429, 'rate_limited', 'retry'],
    [500, 'server', 'retry'],
    [503, 'server', 'retry'],
    [404, 'refused', 'halt'],
    [302, 'refused', 'halt'],
    // Never a fault of the events.
    [413, 'refused', 'halt'],
    [422, 'refused', 'halt'],
  ])('that answers %i is a case of %s: %s', async (status, reason, disposition) => {
    await expect(ask({ status })).rejects.toMatchObject({ reason, disposition });
  });

  it('that is overloaded for a moment is asked again, whatever its status', async () => {
    const answer = json(400, { error: 'temporarily_unavailable' });
    await expect(ask(answer)).rejects.toMatchObject({ reason: 'server', disposition: 'retry' });
  });

  it.each([400, 401])('that refuses a secret with %i has its file read again', async (status) => {
    const file = join(folder, 'secret');
    writeFileSync(file, 'old');
    const credential = Secret.fromFile(file);
    await expect(ask({ status }, credential)).rejects.toMatchObject({ disposition: 'halt' });
    writeFileSync(file, 'new');
    await expect(ask({ status }, credential)).rejects.toMatchObject({ disposition: 'retry', retryAfterMs: 0 });
    expect(credential.read()).toBe('new');
  });
});

describe('a URL that tokens are sent to', () => {
  it.each(['https://a.example', 'http://127.0.0.1:1', 'http://localhost/x', 'http://[::1]:9', 'http://127.9.9.9'])(
    'may be %s',
    (url) => {
      expect(bearerUrl('x').safeParse(url).success).toBe(true);
    },
  );

  it.each([
    'http://a.example',
    'http://127.0.0.1.a.example',
    'http://localhost.a.example',
    'http://127.0.0.1@a.example',
  ])('may not be %s', (url) => {
    expect(bearerUrl('x').safeParse(url).success).toBe(false);
  });

  it('is complained of once when it is none', () => {
    expect(bearerUrl('x').safeParse('nothing').error?.issues).toHaveLength(1);
  });
});
