import type { OutputReport } from '../status/assess.ts';
import { replayWords } from '../status/replay-words.ts';
import type { OutputTimeline, Stretch, View } from '../status/view.ts';
import { clock, count, duration, moment } from '../status/words.ts';
import type { Axis } from './axis.ts';
import { type Html, html } from './html.ts';
import { type Figure, isCalm, row, troubleNote } from './row.ts';
import { labelWords, rangeWords, spanWords, stretchWords } from './stretch-words.ts';
import { timeline } from './timeline.ts';

export const OUTPUT_COLUMNS = ['Output', 'Waiting', 'Lag', 'Rate'] as const;

/** A failure that is over gets words above it when it takes this part of the row; a shorter one is drawn, and told in the sentence. */
const WORTH_A_LABEL = 1 / 60;

/** Products as they are written; a type without one is told as the config has it. */
const PRODUCTS: Readonly<Record<string, string>> = {
  datadog: 'Datadog',
  elasticsearch: 'Elasticsearch',
  file: 'File',
  'google-secops': 'Google SecOps',
  kafka: 'Kafka',
  loki: 'Loki',
  nats: 'NATS',
  otlp: 'OTLP',
  sentinel: 'Microsoft Sentinel',
  'splunk-hec': 'Splunk HEC',
  sumologic: 'Sumo Logic',
  syslog: 'Syslog',
  webhook: 'Webhook',
};

/** Where events go: how many wait, for how long, and how fast they are accepted. */
export function outputRow(output: OutputReport, view: View): Html {
  const drawn = view.outputs.get(output.name);
  const isBad = output.mark === 'bad';
  return row({
    subject: output,
    about: aboutOf(output, drawn, view.report.now),
    columns: OUTPUT_COLUMNS,
    figures: [
      {
        value: count(output.backlog),
        below: isBad ? growth(drawn, view) : null,
        isTrouble: isBad && output.backlog > 0,
        isPlain: output.backlog === 0,
      },
      lag(output, isBad),
      rate(output, drawn, view.report.now),
    ],
    isCalm: isCalm(output.mark),
    folded: `${count(output.backlog)} waiting`,
    picture: outputPicture(output, view, drawn),
    axis: view,
    notes: [
      ...(output.trouble === null ? [] : [troubleNote(output.trouble, output.mark, view.report.now)]),
      ...replayWords({ ...view.report, outputs: [output] }).map((words) => html`${words}`),
    ],
  });
}

function aboutOf(output: OutputReport, drawn: OutputTimeline | undefined, now: number): Html[] {
  const lines = [
    html`<p class="how">${PRODUCTS[output.type] ?? output.type}, ${output.target.replace(/^https:\/\//, '')}</p>`,
    html`<p class="means">Accepted = ${output.accepted}</p>`,
  ];
  const over = output.trouble === null ? drawn?.lastOver : null;
  if (!over) return lines;
  const lasted = duration(Math.max(1000, over.until - over.from));
  return [...lines, html`<p class="means">Last error ${moment(over.from, now)}, for ${lasted}: ${over.message}</p>`];
}

/** `97 more/min`: how fast the backlog grew over the last step that is known. */
function growth(drawn: OutputTimeline | undefined, { from, until }: Axis): string | null {
  const [before, last] = drawn?.steps.slice(-2) ?? [];
  if (before?.waiting == null || last?.waiting == null) return null;
  const minutes = (until - from) / (drawn?.steps.length ?? 1) / 60_000;
  const perMinute = (last.waiting - before.waiting) / minutes;
  return perMinute < 1 ? null : `${count(perMinute)} more/min`;
}

function lag({ lagMs, lastAcceptedAt }: OutputReport, isBad: boolean): Figure {
  if (lagMs === null) return { value: lastAcceptedAt === null ? '–' : 'none', below: null, isPlain: true };
  return { value: duration(lagMs), below: 'oldest waiting', isTrouble: isBad };
}

function rate(
  { ratePerMinute, lastAcceptedAt, mark }: OutputReport,
  drawn: OutputTimeline | undefined,
  now: number,
): Figure {
  const isBad = mark === 'bad';
  const peak = drawn?.peakPerMinute ?? null;
  const last =
    lastAcceptedAt === null
      ? 'none accepted yet'
      : `last ${now - lastAcceptedAt < 86_400_000 ? clock(lastAcceptedAt) : moment(lastAcceptedAt, now)}`;
  return {
    value: ratePerMinute === null ? '–' : `${count(ratePerMinute)}/min`,
    below: isBad ? last : peak === null ? null : `peak ${count(peak)}`,
    isTrouble: isBad,
    isPlain: ratePerMinute === null,
  };
}

function outputPicture(output: OutputReport, axis: View, drawn: OutputTimeline | undefined): Html {
  const steps = drawn?.steps ?? [];
  const failures = drawn?.failures ?? [];
  const covered = knownTime(
    steps.map(({ perMinute }) => perMinute !== null),
    axis,
  );
  const isEmpty = output.lastAcceptedAt === null && failures.length === 0 && (drawn?.total ?? 0) === 0;
  return timeline({
    axis,
    steps,
    covered,
    broken: failures,
    label: labelOf(output, failures, axis),
    empty: isEmpty ? 'starts with the first event accepted' : null,
    sentence: isEmpty
      ? `${output.name}, ${spanWords(axis)}: nothing has been accepted yet`
      : `${output.name}, ${spanWords(axis)}: ${failureWords(output, failures, axis)}; ${rangeWords(steps, 'event')}`,
  });
}

function labelOf(
  output: OutputReport,
  failures: readonly Stretch[],
  axis: Axis,
): { text: string; about: Stretch } | null {
  const lasting = failures.find(({ until }) => until === null);
  if (lasting) {
    const text = output.backlog > 0 ? `${count(output.backlog)} waiting` : labelWords(lasting, 'failing', axis);
    return { text, about: lasting };
  }
  const length = ({ from, until }: Stretch): number => (until ?? axis.until) - Math.max(from, axis.from);
  const [longest] = failures.toSorted((a, b) => length(b) - length(a));
  if (longest === undefined || length(longest) < (axis.until - axis.from) * WORTH_A_LABEL) return null;
  return { text: labelWords(longest, 'failing', axis), about: longest };
}

function failureWords(output: OutputReport, failures: readonly Stretch[], axis: Axis): string {
  if (failures.length === 0) return 'accepted without a break';
  const waits = output.mark === 'bad' && output.backlog > 0 ? `, ${count(output.backlog)} waiting` : '';
  return `accepted but for ${failures.map((stretch) => stretchWords(stretch, axis.until)).join(', ')}${waits}`;
}

/** Neighbouring steps that are known, as stretches. */
function knownTime(known: readonly boolean[], { from, until }: Axis): Stretch[] {
  const step = (until - from) / Math.max(1, known.length);
  const stretches: { from: number; until: number }[] = [];
  for (const [index, isKnown] of known.entries()) {
    if (!isKnown) continue;
    const last = stretches.at(-1);
    const [start, end] = [from + index * step, from + (index + 1) * step];
    if (last !== undefined && Math.abs(last.until - start) < 1) last.until = end;
    else stretches.push({ from: start, until: end });
  }
  return stretches;
}
