import { mimecastWords } from '../status/closing-words.ts';
import type { View } from '../status/view.ts';
import { clock } from '../status/words.ts';
import { icon, stylesheet } from './assets.ts';
import { newestEvents } from './events.ts';
import { FEED_COLUMNS, feedRow } from './feed-row.ts';
import { footerOf } from './footer.ts';
import { headOf, titleOf } from './head.ts';
import { type Html, html } from './html.ts';
import { keptOf } from './kept.ts';
import { OUTPUT_COLUMNS, outputRow } from './output-row.ts';
import { table } from './row.ts';
import { firstSteps } from './steps.ts';
import { toDoList } from './to-do.ts';

export const PARTS = ['head', 'to-do', 'feeds-note', 'feeds', 'outputs', 'events', 'kept', 'footer'] as const;
export type PartName = (typeof PARTS)[number];

/**
 * All of the page that changes with time: its parts, and what is shown of it outside of the page. The same for everybody who looks at
 * one span, with names or without.
 */
export interface Rendering {
  readonly title: string;
  readonly icon: string;
  readonly verdict: View['report']['verdict'];
  /** `15:47:08` */
  readonly clock: string;
  readonly host: string;
  /** Tells versions of the page apart. */
  readonly style: string;
  readonly parts: Readonly<Record<PartName, Html>>;
}

export function render(view: View, masked: boolean): Rendering {
  const { report } = view;
  return {
    title: titleOf(view),
    icon: icon(report.verdict),
    verdict: report.verdict,
    clock: clock(report.now),
    host: report.host,
    style: stylesheet,
    parts: {
      head: headOf(view),
      'to-do': html`${toDoList(report)}${firstSteps(report)}`,
      'feeds-note': html`${mimecastWords(report)}`,
      feeds: table(
        'Feeds',
        FEED_COLUMNS,
        view,
        report.feeds.map((feed) => feedRow(feed, view)),
      ),
      outputs: table(
        'Outputs',
        OUTPUT_COLUMNS,
        view,
        report.outputs.map((output) => outputRow(output, view)),
      ),
      events: newestEvents(view, masked),
      kept: keptOf(view, masked),
      footer: footerOf(report),
    },
  };
}
