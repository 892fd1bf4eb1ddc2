import { judgedAt } from './condition.ts';
import { CHECK_ONLINE, type Note } from './finding.ts';
import { closedFilter, type Quiet, quietFeed } from './silence.ts';
import type { FeedSnapshot, OutputSnapshot, Snapshot } from './snapshot.ts';
import { count, counted, moment } from './words.ts';

/** What may be all right and may not: it alarms nobody, and is told. */
export function notes(snapshot: Snapshot): Note[] {
  return [
    ...snapshot.feeds.flatMap((feed) => quietNote(feed, snapshot)),
    ...snapshot.outputs.flatMap((output) => filterNote(output, snapshot)),
  ];
}

/** How the last polls of a quiet feed went, in a column. */
export function quietWords({ kind, since }: Quiet, at: number): string {
  const day = moment(since, at);
  if (kind === 'empty') return `Empty since ${day}`;
  return kind === 'known' ? `All known since ${day}` : `None fit since ${day}`;
}

function quietNote(feed: FeedSnapshot, snapshot: Snapshot): Note[] {
  const quiet = quietFeed(feed, snapshot);
  if (quiet === null) return [];
  const at = judgedAt(snapshot);
  return [
    {
      severity: 'note',
      what: `Feed ${feed.name} has brought ${BROUGHT[quiet.kind]} ${quiet.never ? 'in all that was read, from' : 'since'} ${moment(quiet.since, at)}`,
      detail: figures(feed),
      since: quiet.since,
      sinceDetail: quiet.never ? 'where reading began' : 'the date of its newest event',
      do: { sentence: CAUSES[quiet.kind], command: CHECK_ONLINE },
    },
  ];
}

const BROUGHT: Readonly<Record<Quiet['kind'], string>> = {
  empty: 'no record',
  known: 'only known records',
  malformed: 'no record that fits',
};

/** In the order of how likely they are, and what tells them apart. */
const CAUSES: Readonly<Record<Quiet['kind'], string>> = {
  empty:
    'Compare with the Attachment Protection log in the Mimecast console. Empty there too: it is really quiet. ' +
    'Rows there: the application lacks the product Security Events or its role the permission, which Mimecast may answer with ' +
    'empty pages; else mimecast.baseUrl is the host of another region or account. To read a page now:',
  known:
    'Mimecast gives the same rows again although later ones are asked for. Compare with the log in the Mimecast console: where it ' +
    'has newer rows, tell Mimecast. To read a page now:',
  malformed: 'Mimecast may have changed its format. `rejects list` shows what came, as it came. To read a page now:',
};

function figures({ lastPollRead, readSinceNew, malformedSinceNew }: FeedSnapshot): string {
  const last = lastPollRead === 0 ? 'the last poll was answered with no records' : lastPollWords(lastPollRead);
  const since = readSinceNew > lastPollRead ? `, ${counted(readSinceNew, 'record')} read since, none of them new` : '';
  const unfit = malformedSinceNew === 0 ? '' : `, ${count(malformedSinceNew)} of them malformed`;
  return `${last}${since}${unfit}`;
}

function lastPollWords(read: number): string {
  return `the last poll read ${count(read)}, ${read === 1 ? 'known' : 'all known'}`;
}

function filterNote(output: OutputSnapshot, snapshot: Snapshot): Note[] {
  const closed = closedFilter(output, snapshot);
  if (closed === null) return [];
  const events = counted(output.filteredInRow, 'event');
  return [
    {
      severity: 'note',
      what: `The filter of output ${output.name} has let nothing pass since ${moment(closed.since, judgedAt(snapshot))}`,
      detail: `${events} kept back`,
      since: closed.since,
      sinceDetail: null,
      do: {
        sentence:
          'If that is not meant, compare its filter with the fields of stored events: names and values are exact. ' +
          'What was kept back is stored.',
        command: null,
      },
    },
  ];
}
