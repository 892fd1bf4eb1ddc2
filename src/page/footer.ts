import type { Report } from '../status/assess.ts';
import { bytes, dayOf, duration } from '../status/words.ts';
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
