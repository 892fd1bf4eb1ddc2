import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { MimecastError } from '../../src/mimecast/errors.ts';
import { type AskForToken, OAuthAuthorization } from '../../src/mimecast/oauth.ts';
import { Secret } from '../../src/secret.ts';
import { tokenAnswer } from './api-server.ts';

const signal = new AbortController().signal;
const refusal = new MimecastError('no', { code: 'MIMECAST_CREDENTIALS_REFUSED', reason: 'auth', retryable: false });

function authorization(ask: AskForToken, clientSecret = Secret.of('s3cret&=')) {
  const time = { now: 0 };
  const subject = new OAuthAuthorization({ type: 'oauth2', clientId: 'id', clientSecret }, ask, () => time.now);
  const grant = (by = signal) => subject.grant('/', 'r', by);
  return { subject, time, grant };
}

describe('a token', () => {
  it('is asked for with a form, and used as a bearer', async () => {
    const forms: string[] = [];
    const { grant } = authorization(async (form) => {
      forms.push(form);
      return tokenAnswer('t1');
    });
    expect((await grant()).headers).toEqual({ authorization: 'Bearer t1' });
    expect(forms).toEqual(['grant_type=client_credentials&client_id=id&client_secret=s3cret%26%3D']);
  });

  it.each([
    [1799, 1739],
    [30, 27],
    ['1799', 1739],
    [undefined, 270],
  ])('of %s s is renewed after %s s', async (expiresIn, renewedAfter) => {
    const ask = vi.fn(async () => ({ ...tokenAnswer('t'), expires_in: expiresIn }));
    const { grant, time } = authorization(ask);
    await grant();
    time.now = renewedAfter * 1000 - 1;
    await grant();
    expect(ask).toHaveBeenCalledTimes(1);
    time.now = renewedAfter * 1000;
    await grant();
    expect(ask).toHaveBeenCalledTimes(2);
  });

  it.each([[{}], [{ access_token: '' }], [{ access_token: 'a\r\nb' }], [{ access_token: 't', expires_in: -1 }]])(
    'that cannot be used is malformed: %j',
    async (answer) => {
      const { grant } = authorization(async () => answer);
      await expect(grant()).rejects.toMatchObject({ reason: 'malformed', code: 'MIMECAST_NO_TOKEN' });
    },
  );

  it('is dropped when it was refused, but not by a late refusal of the one before', async () => {
    let issued = 0;
    const { subject, grant } = authorization(async () => tokenAnswer(`t${++issued}`));
    const first = await grant();
    subject.refused(first);
    const second = await grant();
    subject.refused(first);
    expect(await grant()).toBe(second);
    expect(subject.secrets()).toEqual(['s3cret&=', 's3cret%26%3D', 't2']);
  });
});

describe('several who need a token at once', () => {
  it('share one request', async () => {
    const ask = vi.fn(async () => tokenAnswer('t'));
    const { grant } = authorization(ask);
    const grants = await Promise.all([grant(), grant(), grant()]);
    expect(new Set(grants).size).toBe(1);
    expect(ask).toHaveBeenCalledTimes(1);
  });

  it('do not lose it when one of them stops', async () => {
    let answer = (_token: object) => {};
    const { grant } = authorization(() => new Promise((resolve) => (answer = resolve)));
    const stopping = new AbortController();
    const stopped = grant(stopping.signal);
    const staying = grant();
    stopping.abort(new Error('stop'));
    await expect(stopped).rejects.toThrow('stop');
    answer(tokenAnswer('t'));
    await expect(staying).resolves.toBeTruthy();
  });

  it('give the request up when all of them stop', async () => {
    let asked = new AbortController().signal;
    const { grant } = authorization((_form, by) => {
      asked = by;
      return new Promise((_resolve, reject) => by.addEventListener('abort', () => reject(by.reason)));
    });
    const stopping = new AbortController();
    const all = [grant(stopping.signal), grant(stopping.signal)];
    stopping.abort(new Error('stop'));
    for (const one of all) await expect(one).rejects.toThrow('stop');
    expect(asked.aborted).toBe(true);
  });
});

describe('a secret that was refused', () => {
  it('is read again from its file and tried once more, when it has changed', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'secret-'));
    const file = join(folder, 'client-secret');
    writeFileSync(file, 'old\n');
    const ask = vi.fn<AskForToken>(async (form) => {
      if (form.endsWith('client_secret=old')) throw refusal;
      return tokenAnswer('t');
    });
    const { grant } = authorization(ask, Secret.fromFile(file));
    await expect(grant()).rejects.toBe(refusal);
    expect(ask).toHaveBeenCalledTimes(1);
    writeFileSync(file, 'new\n');
    await expect(grant()).resolves.toBeTruthy();
    expect(ask).toHaveBeenCalledTimes(3);
    rmSync(folder, { recursive: true });
  });

  it('is not tried again otherwise', async () => {
    const ask = vi.fn<AskForToken>(() => Promise.reject(refusal));
    const { grant } = authorization(ask);
    await expect(grant()).rejects.toBe(refusal);
    expect(ask).toHaveBeenCalledTimes(1);
  });
});
