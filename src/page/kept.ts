import type { EventFields } from '../event.ts';
import type { Recent, RecentVariant, View } from '../status/view.ts';
import { count, counted, listed, moment } from '../status/words.ts';
import { shortId } from './events.ts';
import { type Html, html } from './html.ts';
import { mailText } from './mail-text.ts';
import { smallMark } from './marks.ts';
import { foldButton } from './row.ts';

const MOST_SHOWN = 5;
const VALUE = 40;
/** Fields with a small vocabulary, or set by an administrator: they name nobody, and so are shown when names are masked. */
const NAMELESS: ReadonlySet<string> = new Set<keyof EventFields>(['result', 'action', 'route', 'policy']);

/** What was kept instead of sent: events that an output refused for good, and records that came again with other content. */
export function keptOf(view: View, masked: boolean): Html {
  const { rejects, variants } = view.recent;
  if (view.report.steps.length > 0) return html``;
  return html`<div class="kept">${rejectsBox(rejects, view)}${variantsBox(variants, view, masked)}</div>`;
}

function rejectsBox({ count: number, newest }: Recent['rejects'], { report }: View): Html {
  if (number === 0) return quiet('No rejects', 'No event is kept here that an output refused for good.');
  const names = [...new Set(newest.map(({ output }) => output))];
  return html`<section class="panel box warn" data-key="rejects" data-calm=""><h3>${smallMark('warn')}<span>${counted(number, 'reject')}</span></h3>${foldButton(
    'the rejects',
    `by ${listed(names)}`,
  )}<div class="inside"><p>Refused for good by ${names.length === 1 ? 'one output' : 'outputs'}. Kept here until you retry or discard them.</p><ul>${newest
    .slice(0, MOST_SHOWN)
    .map(
      ({ output, reason, id, at }) =>
        html`<li data-key="${`${output} ${id}`}"><b>${output}:</b> ${mailText(reason, 120)}. Event ${shortId(id)}, ${moment(at, report.now)}</li>`,
    )}</ul>${more(number)}</div></section>`;
}

function variantsBox({ count: number, newest }: Recent['variants'], { report }: View, masked: boolean): Html {
  if (number === 0) return quiet('No variants', 'No record has come again with other content.');
  const shipped = newest.some((variant) => variant.shipped);
  return html`<section class="panel box" data-key="variants" data-calm=""><h3><span>${counted(number, 'variant')}</span></h3>${foldButton(
    'the variants',
    shipped ? 'kept' : 'kept, not shipped',
  )}<div class="inside"><p>Records that came again with other content. ${shipped ? 'Kept.' : 'Kept, not shipped.'}</p><ul>${newest
    .slice(0, MOST_SHOWN)
    .map(
      (variant) =>
        html`<li data-key="${`${variant.id} ${variant.at}`}">${changesOf(variant, masked)} ${moment(variant.at, report.now)}, event ${shortId(variant.id)}${variant.shipped ? ', shipped' : null}</li>`,
    )}</ul>${more(number)}</div></section>`;
}

function changesOf({ changes }: RecentVariant, masked: boolean): Html {
  if (changes.length === 0) return html`Other content.`;
  return html`${changes.map(({ field, was, became }) =>
    masked && !NAMELESS.has(field)
      ? html`<b>${mailText(field, VALUE)}:</b> changed. `
      : html`<b>${mailText(field, VALUE)}:</b> ${shownValue(was)} became ${shownValue(became)}. `,
  )}`;
}

function shownValue(value: string): Html {
  return value === '' ? html`none` : mailText(value, VALUE);
}

/** Zero is one quiet sentence, never an empty table. */
function quiet(title: string, sentence: string): Html {
  return html`<section class="panel box" data-key="${title}"><h3><span>${title}</span></h3><div class="inside"><p>${sentence}</p></div></section>`;
}

function more(number: number): Html | null {
  return number <= MOST_SHOWN ? null : html`<p class="more">and ${count(number - MOST_SHOWN)} more</p>`;
}
