import { createHash, createHmac } from 'node:crypto';
import { z } from 'zod';
import type { Position } from './archive.ts';

/** What a page token remembers of its walk. */
export interface Bookmark {
  /** The filter as it was sent: a token is good for this one only. */
  readonly filter: string;
  /** The range as it was understood, seconds: a `to` that was left out stays what it was on the first page. */
  readonly from: number;
  readonly to: number;
  /** The last record served; undefined before the first. */
  readonly after: Position | undefined;
  /** ms. */
  readonly issuedAt: number;
}

const PayloadSchema = z.tuple([z.string(), z.int(), z.int(), z.int().nullable(), z.int().nullable(), z.int(), z.int()]);

/**
 * Writes and reads page tokens: signed, so that an invented or edited one is refused, and opaque to clients.
 * They hold the whole state of a walk, so that a simulator started again with the same seed honours those it gave before.
 */
export class PageTokens {
  readonly #key: string;
  #issued = 0;

  constructor(seed: string) {
    this.#key = `page-token:${seed}`;
  }

  /** Two tokens are never equal, even for the same place. */
  issue({ filter, from, to, after, issuedAt }: Bookmark): string {
    this.#issued += 1;
    const fields = [filter, from, to, after?.second ?? null, after?.serial ?? null, issuedAt, this.#issued];
    const payload = Buffer.from(JSON.stringify(fields)).toString('base64url');
    return `${payload}.${this.#sign(payload)}`;
  }

  /** Undefined when this is no token of ours. */
  read(token: string): Bookmark | undefined {
    const [payload = '', signature, ...rest] = token.split('.');
    if (signature !== this.#sign(payload) || rest.length > 0) return undefined;
    const fields = PayloadSchema.parse(JSON.parse(Buffer.from(payload, 'base64url').toString()));
    const [filter, from, to, second, serial, issuedAt] = fields;
    const after = second === null || serial === null ? undefined : { second, serial };
    return { filter, from, to, after, issuedAt };
  }

  #sign(payload: string): string {
    return createHmac('sha256', this.#key).update(payload).digest('base64url').slice(0, 22);
  }
}

/** A short name of a filter, equal for equal filters. */
export function filterKey(filter: unknown): string {
  return createHash('sha256').update(JSON.stringify(filter)).digest('base64url').slice(0, 16);
}
