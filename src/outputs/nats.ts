import { Certificates, type CertificateValidity } from '../certificates.ts';
import type { ForwarderEvent } from '../event.ts';
import type { Rendered } from '../formats/format.ts';
import { publishFault, rejectionOf } from './nats/faults.ts';
import { addressOf, type NatsOptions, natsOptions } from './nats/options.ts';
import { NatsSession } from './nats/session.ts';
import {
  type ClearText,
  defineOutput,
  type Output,
  type OutputContext,
  type OutputError,
  type Sent,
} from './output.ts';

/** Every format fits an event into this: see `Format.render`. */
const LEAST_TEXT_BYTES = 400;

/** A stream of NATS JetStream. The event's id is `Nats-Msg-Id`, by which the stream drops what a retry doubled. */
export const nats = defineOutput({
  type: 'nats',
  summary: 'Publishes events to a stream of NATS JetStream.',
  options: natsOptions,
  defaultFormat: 'json',
  accepted: () => 'the stream has acknowledged each event: it is stored, on a majority of its replicas',
  lossless: () => true,
  target: ({ servers, subject }) =>
    `nats://${servers.map((server) => server.replace('nats://', '')).join(',')} ${subject}`,
  carriesId: () => true,
  repeated: () =>
    'The stream stores nothing new of what it has seen within its duplicate window, 2 minutes unless changed; all else it stores a second time, under the same Nats-Msg-Id.',
  clearText,
  create: (options, context) => new Nats(options, context),
});

/** With an NKey or a credentials file the login is a signature, which tells a listener nothing that it could use again. */
function clearText({ servers, password, token, tls }: NatsOptions): ClearText | undefined {
  if (tls || !(password || token)) return undefined;
  return {
    option: token ? 'token' : 'password',
    hosts: servers.flatMap((server) => addressOf(server)?.host ?? []),
  };
}

class Nats implements Output {
  readonly #options: NatsOptions;
  readonly #certificates: Certificates;
  readonly #context: OutputContext;
  readonly #target: string;
  #session: NatsSession | undefined;

  constructor(options: NatsOptions, context: OutputContext) {
    this.#options = options;
    this.#certificates = new Certificates(options.tls);
    this.#context = context;
    this.#target = nats.target(options);
  }

  async send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    const session = await this.#connected(signal);
    const room = Math.max(LEAST_TEXT_BYTES, Math.min(this.#options.maxMessageBytes, session.maxTextBytes));
    const rendered = events.map((event) => this.#context.format.render(event, room));
    const messages = events.map(({ key }, index) => ({ id: key, text: rendered[index]?.text ?? '' }));
    let results: readonly PromiseSettledResult<unknown>[];
    try {
      results = await session.publish(messages, signal);
    } catch (aborted) {
      await this.close();
      throw aborted;
    }
    const outcome = this.#outcome(events, rendered, results, session);
    // A connection on which an acknowledgement is missing is not waited for a second time.
    if (outcome.unsettled) await this.close();
    const nothingDone = outcome.unsettled?.events.length === events.length;
    if (nothingDone && outcome.unsettled.error) throw outcome.unsettled.error;
    return outcome;
  }

  async probe(signal: AbortSignal): Promise<string> {
    const session = await this.#connected(signal);
    try {
      return `logged in to ${this.#target}, which the stream ${await session.streamName(signal)} listens to`;
    } catch (error) {
      signal.throwIfAborted();
      const fault = publishFault(error, this.#target, this.#options.timeout);
      if (fault.reason !== 'auth') throw fault;
      return `logged in to ${this.#target}; these credentials may not ask which stream listens to it`;
    }
  }

  /** Of the files only: the client library keeps its sockets to itself. */
  certificates(): readonly CertificateValidity[] {
    return this.#certificates.validities();
  }

  async close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }

  async #connected(signal: AbortSignal): Promise<NatsSession> {
    signal.throwIfAborted();
    if (!this.#session?.isOpen) this.#session = await NatsSession.open(this.#options, signal);
    return this.#session;
  }

  #outcome(
    events: readonly ForwarderEvent[],
    rendered: readonly Rendered[],
    results: readonly PromiseSettledResult<unknown>[],
    { credentials }: NatsSession,
  ): Sent {
    const rejected: Sent['rejected'][number][] = [];
    const waiting: ForwarderEvent[] = [];
    let shortened = 0;
    let error: OutputError | undefined;
    events.forEach((event, index) => {
      const result = results[index];
      if (result?.status === 'fulfilled') {
        if (rendered[index]?.shortened) shortened += 1;
        return;
      }
      const reason = rejectionOf(result?.reason);
      if (reason !== undefined) rejected.push({ event, reason });
      else {
        waiting.push(event);
        error ??= publishFault(result?.reason, this.#target, this.#options.timeout);
      }
    });
    if (waiting.length === 0) return { rejected, shortened };
    return { rejected, shortened, unsettled: { events: waiting, error: error && credentials.judge(error) } };
  }
}
