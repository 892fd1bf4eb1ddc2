import { randomUUID } from 'node:crypto';
import { z } from 'zod';
import type { CertificateValidity } from '../certificates.ts';
import type { ForwarderEvent } from '../event.ts';
import { duration, secret, size } from '../options.ts';
import { Acknowledgements } from './hec/acknowledgements.ts';
import { Collector } from './hec/collector.ts';
import { envelopeWriter } from './hec/envelope.ts';
import { gzipOption } from './http/body.ts';
import { type Item, type RequestOutcome, sendInChunks } from './http/chunks.ts';
import { httpOptions, httpUrl, originOf } from './http/options.ts';
import { defineOutput, type Output, type OutputContext, OutputError, type Sent } from './output.ts';

/** Splunk indexes for seconds up to minutes before it acknowledges; without several batches under way that would be the pace. */
const BATCHES_IN_FLIGHT = 8;
/** What no question can find out. */
const FIRST_EVENT = '; whether the token may write to the index, the first event shows';

const timings = z
  .strictObject({
    timeout: duration('How long an acknowledgement may take, before the batch is sent again.', 1000).prefault('5m'),
    pollInterval: duration('How often Splunk is asked.', 100).prefault('5s'),
  })
  .refine(({ timeout, pollInterval }) => pollInterval < timeout, {
    path: ['pollInterval'],
    error: 'expected less than timeout',
  });

const options = z.strictObject({
  url: httpUrl(
    'Where the HTTP Event Collector listens, `https://splunk.example:8088`. `/services/collector/event` is added unless it is there.',
  ),
  token: secret('The HEC token.'),
  index: z.string().min(1).optional().meta({ description: "Index. Default: the token's own." }),
  sourcetype: z.string().min(1).default('mimecast:ttp:attachment').meta({ description: 'Source type of every event.' }),
  source: z.string().min(1).default('mimecast:ttp:ap').meta({ description: 'Source of every event.' }),
  host: z.string().min(1).optional().meta({ description: "Host of every event. Default: this machine's name." }),
  acknowledgement: z.union([z.boolean(), timings]).default(true).meta({
    description:
      "Wait for Splunk's indexer acknowledgement, which the token must have turned on. `false` for Splunk Cloud, which has none: then 200 counts, before anything is stored.",
  }),
  gzip: gzipOption,
  maxMessageBytes: size('Longest text of one event; a longer one is shortened.', 400).prefault('256KiB'),
  maxRequestBytes: size('Longest body of one request, before compression.', 10_000).prefault(900_000),
  ...httpOptions,
});
type SplunkHecOptions = z.infer<typeof options>;

/** Splunk's HTTP Event Collector, event endpoint, with indexer acknowledgement. */
export const splunkHec = defineOutput({
  type: 'splunk-hec',
  summary: "Splunk's HTTP Event Collector (HEC), with indexer acknowledgement.",
  options,
  defaultFormat: 'json',
  accepted: ({ acknowledgement }) =>
    acknowledgement === false
      ? 'Splunk has answered 200; it has not stored the events yet and can still lose them'
      : 'acknowledged by the indexer (indexer acknowledgement)',
  lossless: ({ acknowledgement }) => acknowledgement !== false,
  target: ({ url }) => originOf(url),
  carriesId: () => true,
  inFlight: ({ acknowledgement }) => (acknowledgement === false ? 1 : BATCHES_IN_FLIGHT),
  create: (options, context) => new SplunkHec(options, context),
});

class SplunkHec implements Output {
  readonly #options: SplunkHecOptions;
  readonly #target: string;
  readonly #collector: Collector;
  readonly #envelope: (event: ForwarderEvent) => Item;
  /** Absent with `acknowledgement: false`. */
  readonly #acknowledgements: Acknowledgements | undefined;
  #acknowledges = false;

  constructor(options: SplunkHecOptions, { format, hostname, userAgent }: OutputContext) {
    const { acknowledgement, host = hostname } = options;
    this.#options = options;
    this.#target = originOf(options.url);
    this.#collector = new Collector({ ...options, target: this.#target, userAgent });
    this.#envelope = envelopeWriter({ ...options, host }, format, options);
    if (acknowledgement !== false) {
      const timing = acknowledgement === true ? timings.parse({}) : acknowledgement;
      this.#acknowledgements = new Acknowledgements(timing, this.#target, (channel, ids, signal) =>
        this.#collector.indexed(channel, ids, signal),
      );
    }
  }

  async send(events: readonly ForwarderEvent[], signal: AbortSignal): Promise<Sent> {
    signal.throwIfAborted();
    const limits = { maxItems: Number.POSITIVE_INFINITY, maxBytes: this.#options.maxRequestBytes };
    const items = events.map(this.#envelope);
    const acknowledgements = this.#acknowledgements;
    if (!acknowledgements) return sendInChunks(items, limits, (chunk) => this.#post(chunk, signal));

    await this.#requireAcknowledgement(signal);
    // All requests go out before the first acknowledgement is waited for.
    const confirmations: Promise<void>[] = [];
    const sent = await sendInChunks(items, limits, async (chunk) => {
      const ticket = acknowledgements.begin();
      const posted = await this.#collector.post(chunk, ticket.channel.id, signal);
      // Those before it were taken, but under no id that could be asked for: they go again with those after it.
      if ('refused' in posted) return stoppedBy(posted, chunk, 0);
      const confirmed = acknowledgements.confirmed(ticket, this.#ackIdOf(posted), signal);
      confirmed.catch(() => {}); // It is awaited below, unless another request fails first.
      confirmations.push(confirmed);
      return { rejected: [] };
    });
    try {
      await Promise.all(confirmations);
    } catch (error) {
      // Before these go again, the question has to find an answer: what is asked for in vain comes twice with every try.
      if (error instanceof OutputError && error.disposition === 'halt') this.#acknowledges = false;
      throw error;
    }
    return sent;
  }

  async probe(signal: AbortSignal): Promise<string> {
    await this.#collector.requireHealth(signal);
    await this.#collector.requireToken(this.#acknowledgements && randomUUID(), signal);
    if (this.#acknowledgements) {
      await this.#collector.requireAcknowledgement(signal);
      return `${this.#target} is healthy, takes the token and acknowledges what it has indexed${FIRST_EVENT}`;
    }
    if (await this.#collector.offersAcknowledgement(signal)) {
      throw new OutputError(`the token of ${this.#target} has indexer acknowledgement on, and here it is off`, {
        reason: 'refused',
        disposition: 'halt',
        hint: 'Such a token takes nothing without it: set acknowledgement: true, or turn it off there.',
      });
    }
    return `${this.#target} is healthy and takes the token, without indexer acknowledgement${FIRST_EVENT}`;
  }

  certificates(): readonly CertificateValidity[] {
    return this.#collector.certificates();
  }

  async close(): Promise<void> {
    this.#acknowledgements?.close();
    await this.#collector.close();
  }

  async #post(chunk: readonly Item[], signal: AbortSignal): Promise<RequestOutcome> {
    const posted = await this.#collector.post(chunk, undefined, signal);
    return 'refused' in posted ? stoppedBy(posted, chunk, posted.refused) : { rejected: [] };
  }

  /** No event goes to a token that would confirm less than was promised. Asked for once, as long as the answers bear it out. */
  async #requireAcknowledgement(signal: AbortSignal): Promise<void> {
    if (this.#acknowledges) return;
    await this.#collector.requireAcknowledgement(signal);
    this.#acknowledges = true;
  }

  /** Somebody can turn it off under a running daemon. The batch was taken and goes again, but not before the token was asked again. */
  #ackIdOf({ ackId }: { readonly ackId: number | undefined }): number {
    if (ackId !== undefined) return ackId;
    this.#acknowledges = false;
    throw new OutputError(`${this.#target} took events and gave no id to ask for their acknowledgement by`, {
      reason: 'unconfirmed',
      disposition: 'halt',
      hint: 'Turn indexer acknowledgement on for this token again, or set acknowledgement: false.',
    });
  }
}

/** What came of a request that one event has stopped, after the first `taken` were taken. */
function stoppedBy(
  { refused, reason }: { readonly refused: number; readonly reason: string },
  chunk: readonly Item[],
  taken: number,
): RequestOutcome {
  const events = chunk.map(({ event }) => event);
  const rejected = events.slice(refused, refused + 1).map((event) => ({ event, reason }));
  const again = events.filter((_, at) => at >= taken && at !== refused);
  return { rejected, ...(again.length > 0 && { unsettled: { events: again } }) };
}
