import type { Refusal } from './status.ts';

/** Answers of something that stands where the receiver should: what tells them is read, and never shown. */

/** Of an `HttpAnswer`, what tells who wrote it. */
interface Look {
  readonly status: number;
  readonly mediaType: string;
  readonly body: string;
}

/**
 * HTML: the sign-in page of a proxy, a block page, the default page of a web server. They say 200 as well, and no receiver of
 * events answers like this.
 */
export function isWebPage({ mediaType, body }: Look): boolean {
  return /^(text\/html|application\/xhtml\+xml)$/.test(mediaType) || body.trimStart().startsWith('<');
}

/** For a status of success whose answer shows that the receiver has not written it. `expected`: how the receiver would. */
export function notTheReceiver(expected: string): Refusal {
  return {
    accepted: false,
    reason: 'refused',
    disposition: 'halt',
    hint: `${expected}: something else answers in its place, such as the sign-in page of a proxy. Check the address and what stands before it.`,
  };
}

/**
 * What nginx, Go and Apache say, all with 400, to a request without TLS on a port that wants it. Nothing is wrong with an event
 * then, and without the words it looks as if all of them were refused.
 */
const WANTS_TLS =
  /plain HTTP request was sent to HTTPS port|sent an HTTP request to an HTTPS server|speaking plain HTTP to an SSL-enabled server port/;

export function wantsTls({ status, body }: Look): boolean {
  return status === 400 && WANTS_TLS.test(body);
}

export const SPEAK_TLS: Refusal = {
  accepted: false,
  reason: 'tls',
  disposition: 'halt',
  hint: 'This port speaks TLS: use https:// in the url.',
};
