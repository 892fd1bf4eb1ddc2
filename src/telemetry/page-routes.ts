import type { IncomingMessage, ServerResponse } from 'node:http';
import { assets } from '../page/assets.ts';
import { document } from '../page/document.ts';
import { pageQuery } from '../page/query.ts';
import type { SpanName, View } from '../status/view.ts';
import { type Answer, text } from './answer.ts';
import { LiveStreams } from './live.ts';
import { Renderings } from './renderings.ts';

/** The page for people: itself, its files, and the stream that keeps it fresh. */
export interface PageRoutes {
  page(request: IncomingMessage): Answer;
  /** Null: the response has been taken over. */
  live(request: IncomingMessage, response: ServerResponse, headers: Readonly<Record<string, string>>): Answer | null;
  readonly files: ReadonlyMap<string, Answer>;
  close(): void;
}

/**
 * Nothing but its own files, no script or style inside of it, no form, no frame round it, and text becomes markup by one policy of the
 * script only.
 */
const POLICY = [
  "default-src 'none'",
  "style-src 'self'",
  "script-src 'self'",
  "connect-src 'self'",
  "img-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
  'trusted-types page',
].join('; ');

const PAGE_HEADERS = {
  'content-security-policy': POLICY,
  'referrer-policy': 'no-referrer',
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
} as const;

const FILE_HEADERS = {
  // Their path changes with their content.
  'cache-control': 'private, max-age=31536000, immutable',
  'cross-origin-resource-policy': 'same-origin',
} as const;

/** ms; a page that is loaded shows nothing older. */
const LONGEST_FRESH = 1000;

export interface PageOptions {
  readonly view: (span: SpanName) => View;
  /** Time between two updates of a stream, ms. */
  readonly refresh: number;
  /** Whether those who may ask may also read names of people and files. */
  readonly mayShowNames: boolean;
  /** Told why an update of a stream could not be made. */
  readonly failed: (error: unknown) => void;
}

export function pageRoutes({ view, refresh, mayShowNames, failed }: PageOptions): PageRoutes {
  const renderings = new Renderings(view, Math.min(LONGEST_FRESH, refresh / 2));
  const streams = new LiveStreams((what) => renderings.of(what), refresh, failed);
  return {
    page: ({ url }) => {
      const query = pageQuery(url ?? '', mayShowNames);
      const body = document(renderings.of(query), query, refresh);
      return { status: 200, type: 'text/html; charset=utf-8', body, headers: PAGE_HEADERS };
    },
    live: ({ url, method, headers: { 'sec-fetch-site': site } }, response, headers) => {
      // Another site's page cannot read a stream, but it could hold all of them.
      if (site !== undefined && site !== 'same-origin') return text(403, 'this belongs to the page at /\n');
      if (method === 'HEAD') return { status: 200, type: 'text/event-stream; charset=utf-8', body: '' };
      return streams.open(response, pageQuery(url ?? '', mayShowNames), headers);
    },
    files: new Map(
      [...assets].map(([path, { type, body }]) => [path, { status: 200, type, body, headers: FILE_HEADERS }]),
    ),
    close: () => streams.close(),
  };
}
