import type { Report } from '../status/assess.ts';
import { LIMITS } from '../status/condition.ts';
import { skewWords } from '../status/problems.ts';
import { answerTime, bytes, count, dayOf, duration } from '../status/words.ts';
import { type Html, html } from './html.ts';

/** What runs here, since when, and how much it keeps. */
export function footerOf({ version, startedAt, now, store }: Report): Html {
  const oldest = store.oldestEventAt === null ? '' : `, oldest ${dayOf(store.oldestEventAt)}`;
  const facts = [
    `mimecast-forwarder ${version}`,
    ...(startedAt === null ? [] : [`up ${duration(now - startedAt)}`]),
    `store ${bytes(store.bytes)} of ${bytes(store.maxSize)}`,
    `delivered events kept ${duration(store.retention)}${oldest}`,
  ];
  return html`<ul>${facts.map((fact) => html`<li>${fact}</li>`)}</ul>`;
}

/** How Mimecast answers: the line beside "Feeds". */
export function mimecastNote({ api }: Report): string {
  const parts: string[] = [];
  if (api.responseMs !== null) parts.push(`Mimecast answers in ${answerTime(api.responseMs)}`);
  if (api.requestsLastMinute !== null) {
    parts.push(`${count(api.requestsLastMinute)} of ${count(api.requestsPerMinute)} requests a minute`);
  }
  if (api.clockSkewMs !== null) {
    const agree = Math.abs(api.clockSkewMs) <= LIMITS.clockSkew;
    parts.push(agree ? 'clocks agree' : `clocks ${skewWords(api.clockSkewMs)} apart`);
  }
  return parts.join(', ');
}
