import type { View } from '../status/view.ts';
import { dayOf, moment } from '../status/words.ts';
import { type Html, html } from './html.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

/** The one time axis that all rows share. */
export interface Axis {
  readonly from: number;
  readonly until: number;
  readonly span: View['span'];
}

/** Where a moment lies, in per cent of the width; moments outside lie on the edge. */
export function across({ from, until }: Axis, at: number): number {
  const part = (at - from) / Math.max(1, until - from);
  return Math.round(Math.min(1, Math.max(0, part)) * 10_000) / 100;
}

interface Tick {
  readonly at: number;
  readonly label: string;
}

/** A tick every four hours, or every day: where the clock shows a whole number, in UTC. */
export function ticksOf({ from, until, span }: Axis): Tick[] {
  const step = span === '24h' ? 4 * HOUR : DAY;
  const ticks: Tick[] = [];
  for (let at = Math.ceil(from / step) * step; at < until; at += step) {
    ticks.push({ at, label: at % DAY === 0 ? dayOf(at) : moment(at, at) });
  }
  return ticks;
}

/** Labels that would run into `now` or over the edge are left out; the lines of their ticks stay. */
export function axisLabels(axis: Axis): Html {
  const room = (axis.until - axis.from) / 13;
  const labels = ticksOf(axis).filter(({ at }) => at - axis.from > room / 1.6 && axis.until - at > room * 1.8);
  return html`<svg class="axis" width="100%" height="16" aria-hidden="true" focusable="false">${labels.map(
    ({ at, label }) => html`<text x="${across(axis, at)}%" y="12" text-anchor="middle">${label}</text>`,
  )}<text x="100%" y="12" text-anchor="end">now</text></svg>`;
}
