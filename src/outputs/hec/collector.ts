import { randomUUID } from 'node:crypto';
import type { CertificateValidity } from '../../certificates.ts';
import type { Secret } from '../../secret.ts';
import { encodeBody } from '../http/body.ts';
import type { Item } from '../http/chunks.ts';
import { type HttpAnswer, HttpPoster, type HttpPosterOptions } from '../http/poster.ts';
import { OutputError } from '../output.ts';
import { CODES, EVENT_FAULTS, readAcks, readReply, verdictOf } from './answer.ts';

export interface CollectorOptions extends HttpPosterOptions {
  readonly url: string;
  readonly token: Secret;
  readonly gzip: boolean;
}

/** What became of a request: taken whole, or stopped by an event that is refused; see `HecReply.invalidEvent`. */
export type Posted = { readonly ackId: number | undefined } | { readonly refused: number; readonly reason: string };

/** The requests of one HTTP Event Collector. Each rejects with an `OutputError` when HEC does not do what was asked. */
export class Collector {
  readonly #options: CollectorOptions;
  readonly #poster: HttpPoster;

  constructor(options: CollectorOptions) {
    this.#options = options;
    this.#poster = new HttpPoster(options);
  }

  /** HEC acknowledges what comes on a channel; without one, a token that has acknowledgement on takes nothing. */
  async post(items: readonly Item[], channel: string | undefined, signal: AbortSignal): Promise<Posted> {
    const { body, headers } = await encodeBody(items.map(({ text }) => text).join('\n'), this.#options.gzip);
    const answer = await this.#exchange('event', channel, { body, headers }, signal);
    const { code, ackId, invalidEvent } = readReply(answer.body);
    const verdict = verdictOf(answer, code);
    if (verdict.accepted) return { ackId };
    // A busy HEC (503) may name an event too. What became of those before it is not documented, so they go again.
    const reason = answer.status === 400 && code !== undefined ? EVENT_FAULTS[code] : undefined;
    // A number that is none of ours says nothing about which were taken.
    if (reason !== undefined && invalidEvent !== undefined && invalidEvent < items.length) {
      return { refused: invalidEvent, reason };
    }
    throw this.#poster.refusal(answer, verdict);
  }

  /** Which of the ids are indexed. Each is told once; whatever is not, or not known, is left out. */
  async indexed(channel: string, ids: readonly number[], signal: AbortSignal): Promise<readonly number[]> {
    const body = Buffer.from(JSON.stringify({ acks: ids }));
    const answer = await this.#exchange('ack', channel, { body, headers: {} }, signal);
    const indexed = readAcks(answer.body);
    const verdict = verdictOf(answer, indexed === undefined ? readReply(answer.body).code : CODES.success);
    if (verdict.accepted && indexed !== undefined) return indexed;
    if (verdict.accepted || answer.status === 404 || answer.status === 405) throw this.#noAcknowledgement();
    // No event is in this request, so none is at fault.
    throw this.#poster.refusal(
      answer,
      verdict.disposition === 'split' ? { ...verdict, disposition: 'retry' } : verdict,
    );
  }

  /**
   * Rejects with `halt` when the token has acknowledgement off. Asks on a channel that nobody uses: on one in use, the answer could
   * be somebody's acknowledgement, which is told once.
   */
  async requireAcknowledgement(signal: AbortSignal): Promise<void> {
    await this.indexed(randomUUID(), [0], signal);
  }

  /** True when the token has acknowledgement on, and with it takes nothing that comes without a channel. */
  async offersAcknowledgement(signal: AbortSignal): Promise<boolean> {
    const body = Buffer.from('{"acks":[0]}');
    const answer = await this.#exchange('ack', randomUUID(), { body, headers: {} }, signal);
    return answer.status === 200 && readAcks(answer.body) !== undefined;
  }

  /** Says nothing about the token: this endpoint does not look at it. */
  async requireHealth(signal: AbortSignal): Promise<void> {
    const answer = await this.#poster.exchange({ url: this.#url('health'), method: 'GET' }, signal);
    const { code } = readReply(answer.body);
    const verdict = verdictOf(answer, code === CODES.healthy ? CODES.success : code);
    if (!verdict.accepted) throw this.#poster.refusal(answer, verdict);
  }

  /** Posts nothing at all: HEC looks at the token first, and says "No data" to a good one. Its index is not looked at. */
  async requireToken(channel: string | undefined, signal: AbortSignal): Promise<void> {
    const answer = await this.#exchange('event', channel, { body: Buffer.alloc(0), headers: {} }, signal);
    const { code } = readReply(answer.body);
    const verdict = verdictOf(answer, code);
    if (code !== CODES.noData && !verdict.accepted) throw this.#poster.refusal(answer, verdict);
  }

  certificates(): readonly CertificateValidity[] {
    return this.#poster.certificates();
  }

  async close(): Promise<void> {
    await this.#poster.close();
  }

  #noAcknowledgement(): OutputError {
    return new OutputError(`${this.#options.target} has nothing where acknowledgements are asked for`, {
      reason: 'refused',
      disposition: 'halt',
      hint: 'Check the path of the url. A collector that is not Splunk itself may have no acknowledgement: then set acknowledgement: false.',
    });
  }

  #exchange(
    endpoint: 'event' | 'ack',
    channel: string | undefined,
    { body, headers }: { readonly body: Buffer; readonly headers: Readonly<Record<string, string>> },
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const { token } = this.#options;
    const request = {
      url: this.#url(endpoint, channel),
      headers: {
        authorization: `Splunk ${token.read()}`,
        'content-type': 'application/json',
        // Also where the query says it: a load balancer can be told to keep together what has the same header.
        ...(channel !== undefined && { 'x-splunk-request-channel': channel }),
        ...headers,
      },
      body,
      // It is a part of a header; named here, its file is read again when HEC refuses it.
      signedWith: token,
    };
    return this.#poster.exchange(request, signal);
  }

  /** The ack endpoint is documented with the channel in its query, the others with a header. */
  #url(endpoint: 'event' | 'ack' | 'health', channel?: string): string {
    const url = new URL(this.#options.url);
    const base = url.pathname.replace(/\/services\/collector(?:\/.*)?$/, '').replace(/\/+$/, '');
    url.pathname = `${base}/services/collector/${endpoint}`;
    if (endpoint === 'ack' && channel !== undefined) url.searchParams.set('channel', channel);
    return url.href;
  }
}
