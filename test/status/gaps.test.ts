import { describe, expect, it } from 'vitest';
import { assess } from '../../src/status/assess.ts';
import { readiness } from '../../src/status/readiness.ts';
import type { Gap } from '../../src/status/snapshot.ts';
import { exitCodeOf } from '../../src/status/terminal.ts';
import { at, DAY, feed, HOUR, MINUTE, NOW, snapshot } from './snapshots.ts';

/** What an operator reads about time that was not read. */

function report(...gaps: readonly Gap[]) {
  return assess(snapshot({ feeds: [feed({ gaps })] }));
}

describe('a gap', () => {
  it('that Mimecast still keeps is told with the command that reads it, and until when', () => {
    const { headline, problems, verdict } = report({ from: at('03:10:00'), until: at('05:12:30') });
    expect(headline).toBe('Feed attachment has a gap of 2 h 2 min. It can still be read, until 23 Dec.');
    expect(problems).toEqual([
      {
        severity: 'bad',
        what: 'Feed attachment has a gap of 2 h 2 min',
        detail: '03:10:00 to 05:12:30 was never read',
        since: at('03:10:00'),
        sinceDetail: null,
        do: {
          sentence: 'Mimecast has it until 23 Dec. Read it now:',
          command:
            'mimecast-forwarder backfill --from 2026-11-23T03:10:00Z --to 2026-11-23T05:12:30Z --feed attachment',
        },
      },
    ]);
    expect(verdict).toBe('bad');
  });

  it('of which Mimecast keeps a part is told so', () => {
    const { headline, problems } = report({ from: NOW - 31 * DAY, until: NOW - 29 * DAY });
    expect(headline).toBe('Feed attachment has a gap of 2 d. A part of it can still be read.');
    expect(problems[0]?.do.sentence).toBe(
      'Mimecast has what is after 24 Oct 2026 09:31:42 UTC, and less each second. Read it now:',
    );
  });

  it('that Mimecast keeps no more is told as a loss, with the command that accepts it', () => {
    const { headline, problems } = report({ from: NOW - 40 * DAY, until: NOW - 30 * DAY });
    expect(headline).toBe('Feed attachment misses 10 d for good: Mimecast no longer has them.');
    expect(problems[0]?.detail).toBe('14 Oct 09:31:42 to 24 Oct 09:31:42 was never read');
    expect(problems[0]?.do).toEqual({
      sentence: 'Look for those mails elsewhere. To accept the loss, ask Mimecast all the same:',
      command: 'mimecast-forwarder backfill --from 2026-10-14T09:31:42Z --to 2026-10-24T09:31:42Z --feed attachment',
    });
  });

  it('with others after it is one problem, with how long they are together', () => {
    const oldest = { from: NOW - DAY, until: NOW - 22 * HOUR };
    const later = { from: NOW - HOUR, until: NOW - 30 * MINUTE };
    const { problems } = report(oldest, later);
    expect(problems).toHaveLength(1);
    expect(problems[0]?.detail).toBe(
      '22 Nov 09:31:42 to 22 Nov 11:31:42 was never read; with 1 later gap 2 h 30 min in all',
    );
  });

  it('is trouble for an operator, though the daemon works, and is ready', () => {
    const one = snapshot({ feeds: [feed({ gaps: [{ from: NOW - DAY, until: NOW - HOUR }] })] });
    expect(exitCodeOf(assess(one))).toBe(1);
    expect(readiness(one).ready).toBe(true);
  });
});
