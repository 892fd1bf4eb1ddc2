import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { afterAll, describe, expect, it, vi } from 'vitest';
import { codeOf } from '../../../src/errors.ts';
import { SentCredentials } from '../../../src/outputs/http/credentials.ts';
import type { HttpPoster } from '../../../src/outputs/http/poster.ts';
import { classify } from '../../../src/outputs/http/status.ts';
import type { OutputError } from '../../../src/outputs/output.ts';
import { Secret } from '../../../src/secret.ts';
import { cleanups, failed, post, poster, started } from './posting.ts';

const folder = mkdtempSync(join(tmpdir(), 'poster-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('an answer', () => {
  it('comes with its status, its Retry-After and its body', async () => {
    const receiver = await started();
    const headers = { 'retry-after': '12', 'content-type': 'Text/Plain; charset=utf-8' };
    receiver.react = () => ({ status: 503, headers, body: 'later' });
    expect(await post(poster(receiver.origin))).toEqual({
      status: 503,
      retryAfterMs: 12_000,
      body: 'later',
      bytes: Buffer.from('later'),
      complete: true,
      mediaType: 'text/plain',
      credentials: expect.any(SentCredentials),
    });
  });

  it('is read as far as was asked, and the connection with the rest is dropped', async () => {
    const receiver = await started();
    receiver.react = () => ({ status: 200, body: Buffer.alloc(10_000_000, 'x') });
    const sender = poster(receiver.origin);
    expect((await post(sender)).body).toHaveLength(64 * 1024);
    const answer = await post(sender, { keepBytes: 10 });
    expect(answer).toMatchObject({ status: 200, body: 'x'.repeat(10), complete: false });
    expect(receiver.connections).toBe(2);
  });

  it('counts although its body breaks off', async () => {
    const receiver = await started();
    receiver.react = () => 'half';
    expect(await post(poster(receiver.origin, { timeout: 200 }))).toMatchObject({ status: 200, complete: false });
  });

  it('is taken even when the receiver did not want to read the request', async () => {
    const receiver = await started();
    receiver.reactToHead = () => 'early';
    expect(await post(poster(receiver.origin), { body: Buffer.alloc(8_000_000) })).toMatchObject({ status: 413 });
  });

  it('that redirects is not followed', async () => {
    const [receiver, elsewhere] = [await started(), await started()];
    receiver.react = () => ({ status: 307, headers: { location: elsewhere.origin } });
    expect(await post(poster(receiver.origin))).toMatchObject({ status: 307 });
    expect(elsewhere.connections).toBe(0);
  });
});

it('keeps connections for the next request', async () => {
  const receiver = await started();
  const sender = poster(receiver.origin);
  for (let count = 0; count < 20; count += 1) await post(sender);
  // A second one when a request follows so fast that undici has not put the first back yet.
  expect(receiver.connections).toBeLessThanOrEqual(2);
});

describe('credentials', () => {
  it('that were replaced since are worth another try at once', async () => {
    const token = join(folder, 'token');
    writeFileSync(token, 'old-token\n');
    const receiver = await started();
    receiver.react = ({ headers }) => ({ status: headers.authorization === 'new-token' ? 200 : 401 });
    const sender = poster(receiver.origin);
    const headers = { authorization: Secret.fromFile(token) };

    const first = await post(sender, { headers });
    expect(refusal(sender, first)).toMatchObject({ disposition: 'halt', reason: 'auth' });
    writeFileSync(token, 'new-token\n');
    const second = await post(sender, { headers });
    expect(refusal(sender, second)).toMatchObject({ disposition: 'retry', reason: 'auth', retryAfterMs: 0 });
    expect((await post(sender, { headers })).status).toBe(200);
  });

  it('that another request has replaced meanwhile count as replaced', async () => {
    const token = join(folder, 'shared-token');
    writeFileSync(token, 'old');
    const receiver = await started();
    receiver.react = () => ({ status: 403 });
    const sender = poster(receiver.origin);
    const headers = { authorization: Secret.fromFile(token) };
    writeFileSync(token, 'new');
    const answers = await Promise.all([post(sender, { headers }), post(sender, { headers })]);
    for (const answer of answers) expect(refusal(sender, answer)).toMatchObject({ disposition: 'retry' });
  });

  it('are read again for what refuses them without a status of its own, and for nothing else', async () => {
    const token = join(folder, 'token-by-code');
    writeFileSync(token, 'old');
    const receiver = await started();
    receiver.react = () => ({ status: 400 });
    const sender = poster(receiver.origin);
    const secret = Secret.fromFile(token);
    const answer = await post(sender, { signedWith: secret });
    writeFileSync(token, 'new');
    const split = { accepted: false, reason: 'refused', disposition: 'split' } as const;
    expect(sender.refusal(answer, split)).toMatchObject({ disposition: 'split' });
    expect(secret.read()).toBe('old');
    const auth = { accepted: false, reason: 'auth', disposition: 'halt' } as const;
    expect(sender.refusal(answer, auth)).toMatchObject({ disposition: 'retry', retryAfterMs: 0 });
    expect(secret.read()).toBe('new');
  });

  it('that no header can hold are read again from their file', async () => {
    const token = join(folder, 'broken-token');
    writeFileSync(token, 'to\nken');
    const sender = poster((await started()).origin);
    const headers = { authorization: Secret.fromFile(token) };
    expect(await failed(post(sender, { headers }))).toMatchObject({ disposition: 'halt', reason: 'auth' });
    writeFileSync(token, 'token');
    expect(await failed(post(sender, { headers }))).toMatchObject({ disposition: 'retry', retryAfterMs: 0 });
    expect((await post(sender, { headers })).status).toBe(200);
  });

  it('with a line break in them are refused before anything is sent', async () => {
    const receiver = await started();
    const headers = { authorization: Secret.of('to\r\nken') };
    const error = await failed(post(poster(receiver.origin), { headers }));
    expect(error).toMatchObject({ disposition: 'halt', reason: 'auth' });
    expect(inspect(error, { showHidden: true })).not.toContain("ken'");
    expect(receiver.connections).toBe(0);
  });
});

describe('no answer', () => {
  it('because nothing listens', async () => {
    const receiver = await started();
    const { origin } = receiver;
    await receiver.close();
    const error = await failed(post(poster(origin)));
    expect(error).toMatchObject({ disposition: 'retry', reason: 'connect', hint: expect.stringContaining('port') });
    expect(error.message).toBe(`cannot connect to ${origin}`);
    expect(codeOf(error.cause)).toBe('ECONNREFUSED');
  });

  it('because the name is unknown', async () => {
    const error = await failed(post(poster('http://no-such-host.invalid')));
    expect(error).toMatchObject({ disposition: 'retry', reason: 'connect', hint: expect.stringMatching(/name/) });
  });

  it('because the receiver hangs', async () => {
    const receiver = await started();
    receiver.react = () => 'hang';
    const error = await failed(post(poster(receiver.origin, { timeout: 150 })));
    expect(error).toMatchObject({ disposition: 'retry', reason: 'timeout' });
  });

  it('because the receiver breaks the connection', async () => {
    const receiver = await started();
    receiver.reactToHead = () => 'reset';
    expect(await failed(post(poster(receiver.origin)))).toMatchObject({ disposition: 'retry', reason: 'unconfirmed' });
  });

  it('because what answers does not speak HTTP', async () => {
    const { origin } = await speaking('220 mail.example ESMTP\r\n');
    const error = await failed(post(poster(origin.replace('https', 'http'))));
    expect(error).toMatchObject({ disposition: 'halt', hint: expect.stringContaining('port') });
  });

  it('is given up at once when the handshake hangs and the signal comes, and closing ends the connection', async () => {
    const { origin, open } = await speaking('');
    const sender = poster(origin);
    const stop = new AbortController();
    const reason = new Error('stopping');
    const posting = sender.exchange({ url: origin, body: Buffer.from('x') }, stop.signal);
    posting.catch(() => {});
    await vi.waitFor(() => expect(open.size).toBe(1));
    const since = performance.now();
    stop.abort(reason);
    await expect(posting).rejects.toBe(reason);
    expect(performance.now() - since).toBeLessThan(500);
    await sender.close();
    await vi.waitFor(() => expect(open.size).toBe(0));
  });
});

function refusal(sender: HttpPoster, answer: Awaited<ReturnType<typeof post>>): OutputError {
  const verdict = classify(answer.status);
  return verdict.accepted ? expect.unreachable('it was accepted') : sender.refusal(answer, verdict);
}

/** A port that greets with `words` and says no more, by its origin with https, and the connections that it has. */
async function speaking(words: string): Promise<{ origin: string; open: Set<Socket> }> {
  const open = new Set<Socket>();
  const server = createServer((socket) => {
    open.add(socket);
    socket.on('error', () => {});
    socket.on('close', () => open.delete(socket));
    socket.resume(); // A socket that nobody reads does not notice its end.
    socket.write(words);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  cleanups.push(() => {
    for (const socket of open) socket.destroy();
    server.close();
  });
  return { origin: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, open };
}
