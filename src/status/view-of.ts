import { type Subject, subjectOf } from '../store/activity.ts';
import type { Store } from '../store/store.ts';
import type { Report } from './assess.ts';
import { type Routing, recentOf } from './recent.ts';
import { type Axis, axisOf, feedTimeline, outputTimeline } from './timelines.ts';
import type { SpanName, View } from './view.ts';

/** Adds to a report what led to it, from the store: also while no daemon runs. Throws a `StoreError`. */
export function viewOf(store: Store, report: Report, options: Routing & { readonly span: SpanName }): View {
  return { report, ...timelinesOf(store, report, options.span), recent: recentOf(store, report, options) };
}

/** The part of a view that tells the past. Throws a `StoreError`. */
export function timelinesOf(store: Store, report: Report, span: SpanName): Omit<View, 'report' | 'recent'> {
  const axis = axisOf(span, report.now);
  return {
    ...{ span, from: axis.from, until: axis.until },
    feeds: new Map(
      report.feeds.map((feed) => {
        const minutes = store.activity.minutes(subjectOf('feed', feed.name), axis);
        return [feed.name, feedTimeline(feed, report, { minutes, covered: store.coverage.covered(feed.name) }, axis)];
      }),
    ),
    outputs: new Map(
      report.outputs.map((output) => [
        output.name,
        outputTimeline(output, report, outputFacts(store, subjectOf('output', output.name), axis), axis),
      ]),
    ),
  };
}

function outputFacts({ activity }: Store, subject: Subject, axis: Axis): Parameters<typeof outputTimeline>[2] {
  return {
    minutes: activity.minutes(subject, axis),
    failures: activity.failures(subject, axis),
    lastOver: activity.lastOver(subject),
  };
}
