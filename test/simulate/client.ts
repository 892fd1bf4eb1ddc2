import { createHmac, randomUUID } from 'node:crypto';
import { request } from 'undici';
import type { HmacKeys } from '../../src/simulate/authority.ts';
import { formatDate, type SimulatedRecord } from '../../src/simulate/record.ts';
import type { Simulator } from '../../src/simulate/simulator.ts';

export const LOGS = '/api/ttp/attachment/get-logs';
export const FORM = { 'content-type': 'application/x-www-form-urlencoded' };
const JSON_TYPE = { 'content-type': 'application/json' };

export interface Reply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly body: Body;
}

export interface Body {
  readonly access_token?: string;
  readonly expires_in?: number;
  readonly meta?: { status: number; pagination?: { pageSize: number; totalCount?: number; next?: string } };
  readonly data?: readonly { attachmentLogs: readonly SimulatedRecord[] }[];
  readonly fail?: readonly { code?: string; errors?: readonly { code: string; field?: string; message: string }[] }[];
}

export async function post(
  url: string,
  headers: Record<string, string>,
  body: string,
  method = 'POST',
): Promise<Reply> {
  const answer = await request(url, { method, headers, ...(method === 'GET' ? {} : { body }) });
  const text = await answer.body.text();
  return {
    status: answer.statusCode,
    headers: answer.headers,
    text,
    body: text.startsWith('{') ? JSON.parse(text) : {},
  };
}

export function tokenForm(simulator: Simulator, changes: Record<string, string> = {}): string {
  const { clientId, clientSecret } = simulator.credentials;
  const fields = { client_id: clientId, client_secret: clientSecret, grant_type: 'client_credentials', ...changes };
  return new URLSearchParams(fields).toString();
}

export async function bearer(simulator: Simulator): Promise<string> {
  const reply = await post(`${simulator.url}/oauth/token`, FORM, tokenForm(simulator));
  return `Bearer ${reply.body.access_token}`;
}

export interface Ask {
  readonly from?: number;
  readonly to?: number;
  readonly oldestFirst?: boolean;
  readonly pageSize?: number;
  readonly pageToken?: string | undefined;
  readonly route?: string;
  readonly result?: string;
}

export function logsBody({ from, to, pageSize, pageToken, ...filter }: Ask): string {
  const range = {
    ...(from === undefined ? {} : { from: formatDate(from) }),
    ...(to === undefined ? {} : { to: formatDate(to) }),
  };
  return JSON.stringify({ meta: { pagination: { pageSize, pageToken } }, data: [{ ...range, ...filter }] });
}

/** One call of get-logs with a fresh token, or with the authorization given. */
export async function askLogs(simulator: Simulator, ask: Ask, authorization?: string): Promise<Reply> {
  const headers = { ...JSON_TYPE, authorization: authorization ?? (await bearer(simulator)) };
  return post(`${simulator.url}${LOGS}`, headers, logsBody(ask));
}

export function recordsOf(reply: Reply): readonly SimulatedRecord[] {
  return (reply.body.data ?? []).flatMap((element) => element.attachmentLogs);
}

export function nextOf(reply: Reply): string | undefined {
  return reply.body.meta?.pagination?.next;
}

/** Follows `next` to the end. Stops with an error after a thousand pages. */
export async function walk(simulator: Simulator, ask: Ask): Promise<SimulatedRecord[][]> {
  const authorization = await bearer(simulator);
  const pages: SimulatedRecord[][] = [];
  for (let pageToken: string | undefined; pages.length < 1000; ) {
    const reply = await askLogs(simulator, { ...ask, pageToken }, authorization);
    if (reply.status !== 200) throw new Error(`status ${reply.status}: ${reply.text}`);
    pages.push([...recordsOf(reply)]);
    pageToken = nextOf(reply);
    if (pageToken === undefined) return pages;
  }
  throw new Error('the walk does not end');
}

/** Headers of API 1.0, signed here anew so that the simulator is not its own judge. */
export function signed(keys: HmacKeys, changes: Record<string, string> = {}): Record<string, string> {
  const date = changes['x-mc-date'] ?? new Date().toUTCString().replace('GMT', 'UTC');
  const id = changes['x-mc-req-id'] ?? randomUUID();
  const signature = createHmac('sha1', Buffer.from(keys.secretKey, 'base64'))
    .update(`${date}:${id}:${LOGS}:${keys.applicationKey}`)
    .digest('base64');
  return {
    ...JSON_TYPE,
    authorization: `MC ${keys.accessKey}:${signature}`,
    'x-mc-app-id': keys.applicationId,
    'x-mc-date': date,
    'x-mc-req-id': id,
    ...changes,
  };
}

export function errorCode(reply: Reply): string | undefined {
  return reply.body.fail?.[0]?.code ?? reply.body.fail?.[0]?.errors?.[0]?.code;
}
