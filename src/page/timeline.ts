import type { Stretch, TimelineStep } from '../status/view.ts';
import { type Axis, across, ticksOf } from './axis.ts';
import { type Html, html } from './html.ts';

/** One row on the time axis: what is drawn, and the sentence that says the same. */
export interface Drawing {
  readonly axis: Axis;
  readonly steps: readonly TimelineStep[];
  /** Time that is well: the solid strip. */
  readonly covered: readonly Stretch[];
  /** Time that is not: hatched. */
  readonly broken: readonly Stretch[];
  /** Stands above the stretch that it tells of. */
  readonly label: { readonly text: string; readonly about: Stretch } | null;
  /** Stands in the place of the line while there is nothing to draw yet. */
  readonly empty: string | null;
  /** For who cannot see it. */
  readonly sentence: string;
}

/** Heights, px. The width is that of the cell, so that positions across are in per cent. */
const PLOT = 30;
const LABEL = 16;
const STRIP = 6;
const HATCHED = 10;
const GAP = 5;
/** The user units across the plot, which is stretched to the cell. */
const WIDE = 1000;

export function timeline(drawing: Drawing): Html {
  const { axis, label, empty, sentence } = drawing;
  const top = label === null ? 0 : LABEL;
  const height = top + PLOT + GAP + STRIP + (HATCHED - STRIP) / 2;
  const body = empty === null ? html`${grid(axis, top)}${plotted(drawing, top)}` : waitingFor(empty);
  return html`<svg class="timeline" width="100%" height="${height}" role="img" aria-label="${sentence}">${body}</svg>`;
}

function grid(axis: Axis, top: number): Html[] {
  return ticksOf(axis).map(({ at }) => {
    const x = across(axis, at);
    return html`<line class="grid" x1="${x}%" x2="${x}%" y1="${top}" y2="${top + PLOT}"/>`;
  });
}

function waitingFor(empty: string): Html {
  return html`<text class="empty" x="0" y="22">${empty}</text><rect class="none" x="1" y="${PLOT + GAP}" width="99.6%" height="${STRIP - 1}" rx="2.5"/>`;
}

function plotted({ axis, steps, covered, broken, label }: Drawing, top: number): Html {
  const strip = top + PLOT + GAP;
  return html`<svg x="0" y="${top}" width="100%" height="${PLOT}" viewBox="0 0 ${WIDE} ${PLOT}" preserveAspectRatio="none">${ratesOf(
    steps,
  )}${waitingOf(steps, broken, axis)}</svg>${unknownBefore(axis, covered, strip)}${covered.map((stretch) => solid(axis, stretch, strip))}${broken.map(
    (stretch) => hatched(axis, stretch, strip - (HATCHED - STRIP) / 2),
  )}${label === null ? null : labelOf(axis, label, top)}`;
}

/** Runs of known steps: time in which no daemon ran is left open, not drawn as 0. */
function ratesOf(steps: readonly TimelineStep[]): Html[] {
  const highest = Math.max(1, ...steps.map(({ perMinute }) => perMinute ?? 0));
  return runsOf(steps.map(({ perMinute }) => perMinute)).map(({ first, values }) => {
    const points = values.map((value, index) => point(first + index + 0.5, value, steps.length, highest));
    const [left, right] = [first, first + values.length].map((edge) => round((edge / steps.length) * WIDE));
    const line = `M${left} ${heightOf(values[0] ?? 0, highest)}L${points.join('L')}L${right} ${heightOf(values.at(-1) ?? 0, highest)}`;
    return html`<path class="area" d="${line}V${PLOT}H${left ?? 0}Z"/><path class="rate" d="${line}" vector-effect="non-scaling-stroke"/>`;
  });
}

/** What waits is drawn where it is trouble, as a dashed line that rises to its own highest. */
function waitingOf(steps: readonly TimelineStep[], broken: readonly Stretch[], { from, until }: Axis): Html[] {
  const step = (until - from) / Math.max(1, steps.length);
  const highest = Math.max(1, ...steps.map(({ waiting }) => waiting ?? 0));
  return broken.flatMap((stretch) => {
    const inside = steps.flatMap(({ waiting }, index) => {
      const at = from + (index + 1) * step;
      return waiting !== null && waiting > 0 && at > stretch.from && at <= (stretch.until ?? until) + step
        ? [point(index + 1, waiting, steps.length, highest)]
        : [];
    });
    if (inside.length === 0) return [];
    const start = round(((Math.max(from, stretch.from) - from) / (until - from)) * WIDE);
    const line = `M${start} ${PLOT}L${inside.join('L')}`;
    return [html`<path class="waiting" d="${line}" vector-effect="non-scaling-stroke"/>`];
  });
}

/** Time before anything is known of it: an outline, so that it is not taken for a failure. */
function unknownBefore(axis: Axis, [first]: readonly Stretch[], y: number): Html | null {
  const width = first === undefined ? 100 : across(axis, first.from);
  if (width < 1) return null;
  return html`<rect class="none" x="1" y="${y + 0.5}" width="${Math.max(0, width - 1)}%" height="${STRIP - 1}" rx="2.5"/>`;
}

function solid(axis: Axis, stretch: Stretch, y: number): Html {
  const [x, width] = extent(axis, stretch);
  return html`<rect class="strip" x="${x}%" y="${y}" width="${width}%" height="${STRIP}" rx="2"/>`;
}

/** At least four pixels are drawn, however short it was. */
function hatched(axis: Axis, stretch: Stretch, y: number): Html {
  const [x, width] = extent(axis, stretch);
  const middle = Math.round((x + width / 2) * 100) / 100;
  const attributes = html`y="${y}" height="${HATCHED}"`;
  return html`<rect class="broken" x="${middle}%" width="4" transform="translate(-2 0)" ${attributes}/><rect class="broken" x="${x}%" width="${width}%" ${attributes}/>`;
}

/** Kept inside the row at both ends; a leader joins it with a stretch that is far from the text's height. */
function labelOf(axis: Axis, { text, about }: { readonly text: string; readonly about: Stretch }, top: number): Html {
  const [start, width] = extent(axis, about);
  const middle = Math.round((start + width / 2) * 100) / 100;
  const [x, anchor] = middle > 80 ? [100, 'end'] : middle < 20 ? [0, 'start'] : [middle, 'middle'];
  const leader =
    width < 4 && about.until !== null
      ? html`<line class="leader" x1="${middle}%" x2="${middle}%" y1="${top - 2}" y2="${top + PLOT + GAP - 2}"/>`
      : null;
  return html`${leader}<text class="label" x="${x}%" y="11" text-anchor="${anchor}">${text}</text>`;
}

function extent(axis: Axis, { from, until }: Stretch): [x: number, width: number] {
  const x = across(axis, from);
  return [x, Math.round((across(axis, until ?? axis.until) - x) * 100) / 100];
}

function point(position: number, value: number, steps: number, highest: number): string {
  return `${round((position / steps) * WIDE)} ${heightOf(value, highest)}`;
}

/** From the bottom up, with half a pixel of room for the line at both ends. */
function heightOf(value: number, highest: number): number {
  return round(PLOT - 1 - (Math.max(0, value) / highest) * (PLOT - 2));
}

function runsOf(values: readonly (number | null)[]): { first: number; values: number[] }[] {
  const runs: { first: number; values: number[] }[] = [];
  let run: number[] | undefined;
  for (const [index, value] of values.entries()) {
    if (value === null) {
      run = undefined;
    } else if (run === undefined) {
      run = [value];
      runs.push({ first: index, values: run });
    } else {
      run.push(value);
    }
  }
  return runs;
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}
