import { record, type SimulatedRecord } from '../src/simulate/record.ts';

/** How close the records lie: a busy tenant, and about three days for a million. */
const RECORDS_PER_SECOND = 4;

/** When record `index` happened, ms since 1970; `first` is the time of record 0. */
export function timeOfRecord(index: number, first: number): number {
  return first + Math.floor(index / RECORDS_PER_SECOND) * 1000;
}

/** The first record whose time is not before `time`. */
export function indexAt(time: number, first: number): number {
  return Math.max(0, Math.ceil((time - first) / 1000) * RECORDS_PER_SECOND);
}

/** When record 0 has to happen for `count` records to end at `last`. Whole seconds, ms since 1970. */
export function firstTimeFor(count: number, last: number): number {
  return Math.floor(last / 1000) * 1000 - Math.ceil(count / RECORDS_PER_SECOND) * 1000;
}

/**
 * Record number `index` of the benchmark: one of the simulator's, 615 bytes of JSON on average, with its oddities (quotes, pipes,
 * line ends, empty hashes). Its Message-ID carries the index in a form that no format escapes, so that a sink can tell which
 * records have come and which came twice without understanding the format: `.record-INDEX@bench.example`.
 */
export function benchRecord(index: number, first: number): SimulatedRecord {
  const made = record(index, 'bench', timeOfRecord(index, first));
  return { ...made, messageId: `<${made.fileHash.slice(0, 16)}.record-${index}@bench.example>` };
}
