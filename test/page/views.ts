import { assess } from '../../src/status/assess.ts';
import type { OutputSnapshot, Snapshot } from '../../src/status/snapshot.ts';
import type {
  FeedTimeline,
  OutputTimeline,
  Recent,
  RecentEvent,
  SpanName,
  TimelineStep,
  View,
} from '../../src/status/view.ts';
import { at, DAY, firstRun, HOUR, MINUTE, NOW, SECOND, snapshot, trouble, troubled } from '../status/snapshots.ts';

/**
 * What the page shows, for the states that it can be in. The figures are made up and agree with each other: the totals are the sums of the
 * steps, the outputs accept what the feeds bring, and what waits is what came since.
 */

const STEPS: Readonly<Record<SpanName, number>> = { '24h': 144, '7d': 168 };

/** A day at an office: mails a minute over the hours, with the unrest of real ones. */
function mailsAt(time: number, perMinute: number): number {
  const hour = (time % DAY) / HOUR;
  const day = 1 / (1 + Math.exp(-(hour - 7.6) * 1.9)) - 1 / (1 + Math.exp(-(hour - 17.6) * 1.4));
  const index = Math.floor(time / (10 * MINUTE));
  const unrest = 0.5 + 0.5 * Math.sin(index * 12.9898) * Math.cos(index * 4.1414);
  return Math.round(perMinute * (0.03 + 0.9 * Math.max(0, day) * (0.82 + 0.18 * unrest)));
}

interface Times {
  readonly from: number;
  readonly until: number;
  readonly span: SpanName;
  readonly step: number;
}

function times(now: number, span: SpanName): Times {
  const length = span === '24h' ? DAY : 7 * DAY;
  return { from: now - length, until: now, span, step: length / STEPS[span] };
}

function stepsOf({ from, step, span }: Times, rate: (at: number) => TimelineStep): TimelineStep[] {
  return Array.from({ length: STEPS[span] }, (_, index) => rate(from + (index + 0.5) * step));
}

function totalOf(steps: readonly TimelineStep[], { step }: Times): number {
  return Math.round(steps.reduce((sum, { perMinute }) => sum + (perMinute ?? 0), 0) * (step / MINUTE));
}

function highest(steps: readonly TimelineStep[]): number {
  return Math.max(...steps.map(({ perMinute }) => perMinute ?? 0));
}

function feedTimeline(
  all: Times,
  perMinute: number,
  gap?: { readonly from: number; readonly until: number },
): FeedTimeline {
  const inGap = (time: number): boolean => gap !== undefined && time >= gap.from && time < gap.until;
  const steps = stepsOf(all, (time) => ({ perMinute: inGap(time) ? 0 : mailsAt(time, perMinute), waiting: null }));
  const { from, until } = all;
  return {
    steps,
    peakPerMinute: highest(steps),
    total: totalOf(steps, all),
    read: gap
      ? [
          { from, until: gap.from },
          { from: gap.until, until },
        ]
      : [{ from, until }],
    unread: gap ? [{ ...gap, kind: 'gap' }] : [],
  };
}

function outputTimeline(all: Times, perMinute: number, changes: Partial<OutputTimeline> = {}): OutputTimeline {
  const steps = stepsOf(all, (time) => ({ perMinute: mailsAt(time, perMinute), waiting: 0 }));
  return { steps, peakPerMinute: highest(steps), total: totalOf(steps, all), failures: [], lastOver: null, ...changes };
}

/** From `since` on nothing is accepted, and what comes waits: `waiting` of them now. */
function failingTimeline(
  all: Times,
  perMinute: number,
  since: number,
  waiting: number,
  reason: string,
): OutputTimeline {
  const steps = stepsOf(all, (time) =>
    time < since
      ? { perMinute: mailsAt(time, perMinute), waiting: 0 }
      : { perMinute: 0, waiting: Math.round(((time + all.step / 2 - since) / (all.until - since)) * waiting) },
  );
  return {
    steps,
    peakPerMinute: highest(steps),
    total: totalOf(steps, all),
    failures: [{ from: since, until: null, reason }],
    lastOver: null,
  };
}

const MAILS: readonly (readonly [result: string, file: string, sender: string, recipient: string, route: string])[] = [
  [
    'unsafe',
    'Remittance_ACH_774120.xlsm',
    'billing@portline-logistics.example',
    'm.okafor@hallberg.example',
    'inbound',
  ],
  ['safe', 'Site survey Rotterdam rev C.pdf', 'j.brandt@deltabuild.example', 'survey@hallberg.example', 'inbound'],
  ['malicious', 'Statement_\u202efdp.exe', 'accounts@hailberg-group.example', 'l.svensson@hallberg.example', 'inbound'],
  ['safe', 'Q4 forecast.xlsx', 'r.nyman@hallberg.example', 'finance@nordbank.example', 'outbound'],
  ['safe', 'CV Amara Diallo.docx', 'amara.diallo@mailbox.example', 'jobs@hallberg.example', 'inbound'],
  ['safe', 'packing-list-20261123.pdf', 'dispatch@portline-logistics.example', 'warehouse@hallberg.example', 'inbound'],
  ['malicious', 'DocuSign_Agreement.html', 'no-reply@docs-secure.example', 'ceo@hallberg.example', 'inbound'],
  ['safe', 'minutes.docx', 'k.lind@hallberg.example', 'board@hallberg.example', 'internal'],
];
const SECONDS_AGO = [0, 1, 3, 3, 6, 8, 10, 13];
const IDS = ['a41f09c2', '7be2d610', 'c9035ea7', '12d8f4b3', 'f6017cc8', '3a9be551', '88e07d2f', 'd05c19aa'];

function eventsAt(newest: number, of: (index: number) => Pick<RecentEvent, 'acceptedBy' | 'pending'>): RecentEvent[] {
  return MAILS.map(([result, file, sender, recipient, route], index) => ({
    id: (IDS[index] ?? '').padStart(32, '6b0485fc'),
    at: newest - (SECONDS_AGO[index] ?? 0) * SECOND,
    ...{ result, file, sender, recipient, route },
    ...of(index),
  }));
}

const VARIANTS: Recent['variants'] = {
  count: 2,
  newest: [
    {
      changes: [{ field: 'result', was: 'safe', became: 'malicious' }],
      id: '5d20b7e1'.padStart(32, '6b0485fc'),
      at: at('16:04:00', '2026-11-21'),
      shipped: false,
    },
    {
      changes: [{ field: 'action', was: 'none', became: 'user release' }],
      id: '90c4aa13'.padStart(32, '6b0485fc'),
      at: at('08:41:00', '2026-11-19'),
      shipped: false,
    },
  ],
};

function outputsOf(found: Snapshot): OutputSnapshot[] {
  const as: Readonly<Record<string, Partial<OutputSnapshot>>> = {
    splunk: { target: 'https://splunk.hallberg.example:8088' },
    qradar: {
      type: 'syslog',
      target: 'tls://qradar.hallberg.example:6514',
      accepted: 'read to the end, closed after us',
    },
    elastic: {
      type: 'elasticsearch',
      target: 'https://es.hallberg.example:9200',
      accepted: 'answered document by document, once per id',
    },
    disk: { type: 'file', target: '/var/log/mimecast.ndjson', accepted: 'written and flushed to disk (fsync)' },
  };
  return found.outputs.map((output) => ({ ...output, ...as[output.name] }));
}

export function healthyView(span: SpanName = '24h'): View {
  const all = times(NOW, span);
  const names = ['splunk', 'qradar', 'elastic', 'disk'];
  const calm = snapshot();
  const late: Recent['events'][number]['pending'] = [{ output: 'splunk', why: 'next' }];
  return {
    ...all,
    report: assess({ ...calm, outputs: outputsOf(calm) }),
    feeds: new Map([
      ['attachment', feedTimeline(all, 42)],
      ['url', feedTimeline(all, 97)],
    ]),
    outputs: new Map(
      names.map((name) => [
        name,
        outputTimeline(all, 139, {
          lastOver:
            name === 'elastic'
              ? {
                  from: at('08:12:00', '2026-11-21'),
                  until: at('08:12:40', '2026-11-21'),
                  message: 'es.hallberg.example:9200 is busy (429)',
                }
              : null,
        }),
      ]),
    ),
    recent: {
      events: eventsAt(NOW - 24 * SECOND, (index) =>
        index === 0 ? { acceptedBy: names.slice(1), pending: late } : { acceptedBy: names, pending: [] },
      ),
      rejects: { count: 0, newest: [] },
      variants: VARIANTS,
    },
  };
}

export function troubledView(span: SpanName = '24h'): View {
  const found = troubled();
  const all = times(found.now, span);
  const gap = { from: at('03:10:00'), until: at('03:57:00') };
  const since = at('14:02:11');
  const others = ['qradar', 'elastic', 'disk'];
  const pending: RecentEvent['pending'] = [{ output: 'splunk', why: 'waits' }];
  return {
    ...all,
    report: assess({
      ...found,
      feeds: found.feeds.map((feed) => (feed.name === 'attachment' ? { ...feed, gaps: [gap] } : feed)),
      outputs: outputsOf(found).map((output) => ({ ...output, ...(output.trouble && { trouble: disabled(output) }) })),
    }),
    feeds: new Map([
      ['attachment', feedTimeline(all, 42, gap)],
      ['url', feedTimeline(all, 97)],
    ]),
    outputs: new Map([
      ['splunk', failingTimeline(all, 139, since, 12_408, 'auth')],
      ...others.map((name): [string, OutputTimeline] => [name, outputTimeline(all, 139)]),
    ]),
    recent: {
      events: eventsAt(at('15:45:16'), () => ({ acceptedBy: others, pending })),
      rejects: {
        count: 3,
        newest: [
          ['4e81bb07', '11:20:36'],
          ['e2d9907c', '11:20:35'],
          ['0b6f13d5', '11:20:31'],
        ].map(([id = '', time = '']) => ({
          output: 'elastic',
          reason: 'email.subject is an object there',
          id: id.padStart(32, '6b0485fc'),
          at: at(time),
        })),
      },
      variants: VARIANTS,
    },
  };
}

function disabled({ trouble: given }: OutputSnapshot): OutputSnapshot['trouble'] {
  return given && { ...given, message: 'splunk.hallberg.example:8088 answers 403 "Token disabled" (code 1)' };
}

export function firstRunView(span: SpanName = '24h'): View {
  const found = firstRun();
  const all = times(found.now, span);
  const nothing = stepsOf(all, () => ({ perMinute: null, waiting: null }));
  const feed: FeedTimeline = { steps: nothing, peakPerMinute: null, total: 0, read: [], unread: [] };
  const output: OutputTimeline = { steps: nothing, peakPerMinute: null, total: 0, failures: [], lastOver: null };
  return {
    ...all,
    report: assess({ ...found, outputs: outputsOf(found) }),
    feeds: new Map([['attachment', feed]]),
    outputs: new Map([
      ['splunk', output],
      ['qradar', output],
    ]),
    recent: { events: [], rejects: { count: 0, newest: [] }, variants: { count: 0, newest: [] } },
  };
}

/** An output that waits for its grace to end, and one that works off what has piled up. */
export function busyView(): View {
  const calm = healthyView();
  const all = times(NOW, '24h');
  const retrying = trouble({ since: NOW - 2 * MINUTE });
  const report = assess({
    ...calm.report,
    outputs: calm.report.outputs.map((output) => {
      if (output.name === 'qradar') return { ...output, trouble: retrying };
      if (output.name !== 'splunk') return output;
      return { ...output, backlog: 10_220, oldestWaitingAt: NOW - 89 * MINUTE, ratePerMinute: 640 };
    }),
  });
  const was = { from: NOW - 108 * MINUTE, until: NOW - 3 * MINUTE, reason: 'auth' };
  return {
    ...calm,
    report,
    outputs: new Map(calm.outputs).set('splunk', outputTimeline(all, 139, { failures: [was] })),
  };
}
