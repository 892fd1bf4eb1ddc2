import { afterEach, beforeEach, expect, vi } from 'vitest';
import { HttpPoster, type HttpPosterOptions } from '../../../src/outputs/http/poster.ts';
import { OutputError } from '../../../src/outputs/output.ts';
import { HttpProxy } from '../../fakes/http-proxy.ts';
import { HttpReceiver } from '../../fakes/http-receiver.ts';

/** Run after each test, the last first. */
export const cleanups: (() => unknown)[] = [];

beforeEach(() => {
  // The machine's own proxy, if it has one, must not stand between the test and its receiver.
  for (const name of ['http_proxy', 'https_proxy', 'HTTP_PROXY', 'HTTPS_PROXY']) vi.stubEnv(name, '');
});

afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
  vi.unstubAllEnvs();
});

export function poster(target: string, options: Partial<HttpPosterOptions> = {}): HttpPoster {
  const made = new HttpPoster({ target, userAgent: 'test/1', timeout: 5000, ...options });
  cleanups.push(() => made.close());
  targets.set(made, target);
  return made;
}

const targets = new WeakMap<HttpPoster, string>();

export function post(sender: HttpPoster, request: object = {}) {
  const url = targets.get(sender) ?? '';
  return sender.exchange({ url, body: Buffer.from('body'), ...request }, new AbortController().signal);
}

export async function failed(posting: Promise<unknown>): Promise<OutputError> {
  const error = await posting.then(
    () => expect.unreachable('an answer came'),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof OutputError)) throw error;
  return error;
}

export async function started(pair?: { cert: Buffer; key: Buffer }, tls: object = {}): Promise<HttpReceiver> {
  const receiver = await HttpReceiver.start(pair && { tls: { cert: pair.cert, key: pair.key, ...tls } });
  cleanups.push(() => receiver.close());
  return receiver;
}

export async function proxying(): Promise<HttpProxy> {
  const proxy = await HttpProxy.start();
  cleanups.push(() => proxy.close());
  return proxy;
}
