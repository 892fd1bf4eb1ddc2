/**
 * A Mimecast API that costs as little as can be, so that a benchmark measures its client. All pages are built before it listens;
 * serving one is writing bytes. For faults, limits and strictness there is the simulator (`src/simulate`).
 *
 *   node bench/api.ts --records 100000 [--port 8701]…        several ports may be given; without one, any that is free
 *
 * POST /oauth/token                        a bearer token, whoever asks
 * POST /api/ttp/attachment/get-logs        `meta.pagination.{pageSize,pageToken}`, `data[0].{from,to}`; without both, everything
 *
 * It prints one line of JSON when it listens: `{"event":"listening","ports":[…],"first":MS,"records":N}`.
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { benchRecord, firstTimeFor, indexAt } from './records.ts';

const LARGEST_PAGE = 500;
/** How old the newest record is. Older than any overlap of a poll, so that a finished walk is not read again. */
const AGE_OF_NEWEST_MS = 3_600_000;

/** The records with `start` ≤ index < `end`, in pages of `size`: all that a page token has to say. */
interface Range {
  readonly start: number;
  readonly end: number;
  readonly size: number;
}

interface LogsRequest {
  readonly meta?: { readonly pagination?: { readonly pageSize?: number; readonly pageToken?: string } };
  readonly data?: readonly { readonly from?: string; readonly to?: string }[];
}

const { values } = parseArgs({ options: { records: { type: 'string' }, port: { type: 'string', multiple: true } } });
const records = Number(values.records ?? 100_000);
const first = firstTimeFor(records, Date.now() - AGE_OF_NEWEST_MS);
const pages = new Map<string, Buffer>();
for (let start = 0; start < records; start += LARGEST_PAGE) {
  const range = { start, end: records, size: LARGEST_PAGE };
  pages.set(tokenOf(range), pageOf(range));
}

const ports: number[] = [];
for (const port of values.port ?? ['0']) {
  const server = createServer((request, response) => void handle(request, response));
  server.keepAliveTimeout = 60_000;
  await once(server.listen(Number(port), '127.0.0.1'), 'listening');
  ports.push((server.address() as AddressInfo).port);
}
console.log(JSON.stringify({ event: 'listening', ports, first, records }));
process.once('SIGTERM', () => process.exit(0));

async function handle(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk);
  if (request.url === '/oauth/token') {
    return answer(response, 200, '{"access_token":"bench","token_type":"Bearer","expires_in":1799}');
  }
  if (request.url !== '/api/ttp/attachment/get-logs') return answer(response, 404, '{"fail":[{"errors":[]}]}');
  if (!request.headers.authorization?.startsWith('Bearer ')) return answer(response, 401, '{"fail":[{"errors":[]}]}');
  const range = rangeOf(JSON.parse(Buffer.concat(chunks).toString('utf8')) as LogsRequest);
  return answer(response, 200, pages.get(tokenOf(range)) ?? pageOf(range));
}

function answer(response: ServerResponse, status: number, body: Buffer | string): void {
  response
    .writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) })
    .end(body);
}

function rangeOf({ meta, data }: LogsRequest): Range {
  const { pageToken, pageSize = LARGEST_PAGE } = meta?.pagination ?? {};
  if (pageToken) {
    const [start = 0, end = 0, size = LARGEST_PAGE] = pageToken.split('.').map(Number);
    return { start, end, size };
  }
  const { from, to } = data?.[0] ?? {};
  // Both ends of a window are inclusive.
  const start = from === undefined ? 0 : indexAt(timeOf(from), first);
  const end = to === undefined ? records : indexAt(timeOf(to) + 1000, first);
  return { start: Math.min(start, records), end: Math.min(end, records), size: Math.min(pageSize, LARGEST_PAGE) };
}

/** `2015-11-16T14:49:18+0000`, as our client writes it. */
function timeOf(text: string): number {
  return Date.parse(text.replace(/\+0000$/, 'Z'));
}

function tokenOf({ start, end, size }: Range): string {
  return `${start}.${end}.${size}`;
}

function pageOf(range: Range): Buffer {
  const stop = Math.min(range.start + range.size, range.end);
  const attachmentLogs = [];
  for (let index = range.start; index < stop; index += 1) attachmentLogs.push(benchRecord(index, first));
  const next = stop < range.end ? tokenOf({ ...range, start: stop }) : undefined;
  const pagination = { pageSize: attachmentLogs.length, totalCount: records, next };
  return Buffer.from(JSON.stringify({ meta: { pagination, status: 200 }, data: [{ attachmentLogs }], fail: [] }));
}
