import type { ServerResponse } from 'node:http';
import { PARTS, type PartName, type Rendering } from '../page/parts.ts';
import type { PageQuery } from '../page/query.ts';
import { type Answer, text } from './answer.ts';

/** So many may look on at once; one more looks at the page every few seconds instead. */
const MAX_STREAMS = 24;
/** Who does not take so many updates in a row is cut off: what is held for it would only grow. */
const MAX_MISSED = 3;

type What = Pick<PageQuery, 'span' | 'masked'>;

/** The parts as they were sent. */
type Sent = Readonly<Record<PartName, string>>;

interface Stream {
  readonly response: ServerResponse;
  readonly what: What;
  /** What it was sent last: all streams that were there then share it. */
  sent: Sent;
  /** Updates in a row that it was not sent, as it had not taken the one before. */
  missed: number;
}

/**
 * Pages that are open in browsers, kept fresh by server-sent events. Each update is made once for all streams of a kind, holds the parts
 * that have changed, and nothing is made while nobody looks.
 */
export class LiveStreams {
  readonly #render: (what: What) => Rendering;
  readonly #refresh: number;
  readonly #failed: (error: unknown) => void;
  readonly #streams = new Set<Stream>();
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** `failed` is told why an update could not be made. */
  constructor(render: (what: What) => Rendering, refresh: number, failed: (error: unknown) => void) {
    this.#render = render;
    this.#refresh = refresh;
    this.#failed = failed;
  }

  /** Takes the response over, and sends the whole page at once. Returns an answer instead when there is no room. */
  open(
    response: ServerResponse,
    { span, masked }: PageQuery,
    headers: Readonly<Record<string, string>>,
  ): Answer | null {
    if (this.#isClosed || this.#streams.size >= MAX_STREAMS) {
      return { ...text(503, 'as many pages are open as can be served\n'), headers: { 'retry-after': '30' } };
    }
    const what = { span, masked };
    const rendering = this.#render(what);
    const stream: Stream = { response, what, sent: textsOf(rendering), missed: 0 };
    response.writeHead(200, {
      ...headers,
      'content-type': 'text/event-stream; charset=utf-8',
      'x-accel-buffering': 'no',
    });
    response.on('close', () => this.#drop(stream));
    response.on('error', () => undefined);
    response.write(message(rendering, stream.sent));
    this.#streams.add(stream);
    this.#timer ??= setInterval(() => this.#update(), this.#refresh).unref();
    return null;
  }

  /** Ends all of them, and takes no more. */
  close(): void {
    this.#isClosed = true;
    for (const stream of this.#streams) {
      stream.response.end();
      this.#drop(stream);
    }
  }

  #drop(stream: Stream): void {
    this.#streams.delete(stream);
    if (this.#streams.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #update(): void {
    const kinds = Map.groupBy(this.#streams, ({ what }) => `${what.span} ${what.masked}`);
    for (const streams of kinds.values()) this.#updateKind(streams);
  }

  #updateKind(streams: readonly Stream[]): void {
    const [first] = streams;
    if (first === undefined) return;
    let rendering: Rendering;
    try {
      rendering = this.#render(first.what);
    } catch (error) {
      this.#failed(error);
      // The store may be locked or broken: the connection is kept, and the page, which hears nothing, says that it knows nothing.
      for (const { response } of streams) response.write(':\n\n');
      return;
    }
    const now = textsOf(rendering);
    for (const [before, alike] of Map.groupBy(streams, ({ sent }) => sent)) {
      const update = message(rendering, changesOf(before, now));
      for (const stream of alike) send(stream, update, now);
    }
  }
}

/** Only to who has taken the update before: what is held for a client that does not read stays bounded. */
function send(stream: Stream, update: string, now: Sent): void {
  if (stream.response.writableLength > 0) {
    stream.missed += 1;
    if (stream.missed >= MAX_MISSED) stream.response.destroy();
    return;
  }
  stream.response.write(update);
  stream.sent = now;
  stream.missed = 0;
}

function textsOf({ parts }: Rendering): Sent {
  const texts = Object.fromEntries(PARTS.map((name) => [name, parts[name].toString()]));
  return texts as Record<PartName, string>;
}

function changesOf(before: Sent, now: Sent): Partial<Sent> {
  return Object.fromEntries(PARTS.filter((name) => before[name] !== now[name]).map((name) => [name, now[name]]));
}

/** JSON has no line breaks of its own, so that it is one line of an event. */
function message({ title, icon, verdict, clock, style }: Rendering, parts: Partial<Sent>): string {
  return `data: ${JSON.stringify({ title, icon, verdict, clock, style, parts })}\n\n`;
}
