/**
 * The syslog receiver of `sink.c` for machines without a C compiler, and for benchmarks that count another identity than the
 * mark in the Message-ID. The same arguments and the same output:
 *
 *   node bench/sink.ts PORT EXPECTED
 */
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';

/** What a sink has counted. Times are ms since 1970; 0 = nothing has come yet. */
export interface SinkCounts {
  readonly messages: number;
  readonly bytes: number;
  readonly distinct: number;
  readonly repeated: number;
  readonly unmarked: number;
  readonly connections: number;
  readonly first: number;
  readonly last: number;
}

const DIGIT_0 = 0x30;
const DIGIT_9 = 0x39;
const SPACE = 0x20;
const LINE_END = 0x0a;

/** Takes messages out of a stream that is cut anywhere: octet counting where a frame begins with a digit, else lines. */
export class FrameReader {
  #rest: Buffer = Buffer.alloc(0);
  readonly #onMessage: (message: Buffer) => void;

  constructor(onMessage: (message: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  push(chunk: Buffer): void {
    const bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    let at = 0;
    for (let end = this.#take(bytes, at); end > at; end = this.#take(bytes, at)) at = end;
    this.#rest = bytes.subarray(at);
  }

  /** Where the next frame begins; `at` when this one is not whole yet. */
  #take(bytes: Buffer, at: number): number {
    const counted = isDigit(bytes[at]);
    const stop = bytes.indexOf(counted ? SPACE : LINE_END, at);
    if (stop < 0) return at;
    const start = counted ? stop + 1 : at;
    const end = counted ? start + Number(bytes.toString('latin1', at, stop)) : stop;
    if (end > bytes.length) return at;
    this.#onMessage(bytes.subarray(start, end));
    return counted ? end : end + 1;
  }
}

/** Listens, counts, and answers the end of a stream with its own, after reading everything. */
export class SyslogSink {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #seen = new Set<string>();
  readonly #identify: (message: Buffer) => string | undefined;
  #counts = { messages: 0, bytes: 0, repeated: 0, unmarked: 0, connections: 0, first: 0, last: 0 };

  private constructor(identify: (message: Buffer) => string | undefined) {
    this.#identify = identify;
    this.#server = createServer({ allowHalfOpen: true }, (socket) => this.#serve(socket));
  }

  /** `identify`: what makes a message one and the same; undefined when it cannot be told. */
  static async start(identify: (message: Buffer) => string | undefined, port = 0): Promise<SyslogSink> {
    const sink = new SyslogSink(identify);
    await once(sink.#server.listen(port, '127.0.0.1'), 'listening');
    return sink;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get counts(): SinkCounts {
    return { ...this.#counts, distinct: this.#seen.size };
  }

  get identities(): ReadonlySet<string> {
    return this.#seen;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await once(this.#server.close(), 'close');
  }

  #serve(socket: Socket): void {
    const reader = new FrameReader((message) => this.#count(message));
    this.#counts.connections += 1;
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.on('error', () => socket.destroy());
    socket.on('end', () => socket.end());
    socket.on('data', (chunk: Buffer) => {
      this.#counts.last = Date.now();
      this.#counts.first ||= this.#counts.last;
      this.#counts.bytes += chunk.length;
      reader.push(chunk);
    });
  }

  #count(message: Buffer): void {
    this.#counts.messages += 1;
    const identity = this.#identify(message);
    if (identity === undefined) this.#counts.unmarked += 1;
    else if (this.#seen.has(identity)) this.#counts.repeated += 1;
    else this.#seen.add(identity);
  }
}

/** The index of a benchmark's record; see `benchRecord`. */
export function markOf(message: Buffer): string | undefined {
  return /\.record-(\d+)@bench\.example/.exec(message.toString('latin1'))?.[1];
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte > DIGIT_0 && byte <= DIGIT_9;
}

async function main([port = '0', expected = '0']: readonly string[]): Promise<void> {
  let complete = false;
  const say = (event: string, facts: object): void => console.log(JSON.stringify({ event, ...facts }));
  const sink = await SyslogSink.start((message) => {
    const mark = markOf(message);
    // The message in hand is counted after this; the last one of all is told as soon as the event loop is free.
    if (!complete) setImmediate(tellWhenComplete);
    return mark;
  }, Number(port));
  const tellWhenComplete = (): void => {
    if (complete || sink.counts.distinct < Number(expected)) return;
    complete = true;
    say('complete', sink.counts);
  };
  say('listening', { port: sink.port });
  process.once('SIGTERM', () => {
    say('end', sink.counts);
    process.exit(0);
  });
}

if (import.meta.main) await main(process.argv.slice(2));
