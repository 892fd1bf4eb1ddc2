import type { Report } from './assess.ts';
import { judgedAt, LIMITS } from './condition.ts';
import { skewWords } from './problems.ts';
import { answerTime, bytes, count, counted, duration } from './words.ts';

/** The figures that stand at the end of `status`: they are read when all is well. */

/** `Mimecast answers in 0.4 s, 9 of 60 requests a minute, clocks agree`; empty before the first answer. */
export function mimecastWords({ api }: Pick<Report, 'api'>): string {
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

/** `No gap in 30 d, no rejects, 2 variants. Store 2.4 GiB of 10 GiB, kept 30 d` */
export function storeWords(report: Report): string {
  const { feeds, outputs, store } = report;
  const rejects = outputs.reduce((sum, output) => sum + output.rejects, 0);
  const variants = feeds.reduce((sum, feed) => sum + feed.variants, 0);
  const kept = [...gapWords(report), counted(rejects, 'reject'), counted(variants, 'variant')].join(', ');
  const size = `Store ${bytes(store.bytes)} of ${bytes(store.maxSize)}, kept ${duration(store.retention)}`;
  return `${kept.charAt(0).toUpperCase()}${kept.slice(1)}. ${size}`;
}

/** Nothing is said of gaps while there is one: it is told as a problem. */
function gapWords(report: Report): string[] {
  const begun = report.feeds.flatMap((feed) => feed.begunAt ?? []);
  if (begun.length === 0 || report.feeds.some((feed) => feed.gaps.length > 0)) return [];
  const read = judgedAt(report) - Math.min(...begun);
  return [`no gap in ${duration(Math.min(read, LIMITS.mimecastKeeps))}`];
}
