import { stripVTControlCharacters } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assess } from '../../src/status/assess.ts';
import type { Snapshot } from '../../src/status/snapshot.ts';
import { exitCodeOf, renderTerminal } from '../../src/status/terminal.ts';
import { cells } from '../../src/status/text.ts';
import { at, feed, firstRun, MINUTE, NOW, output, snapshot, stopped, trouble, troubled } from './snapshots.ts';

const PLAIN = { color: false, unicode: true, width: 80 };

function rendered(given: Snapshot, options: Partial<typeof PLAIN> = {}): string {
  return renderTerminal(assess(given), { ...PLAIN, ...options });
}

describe('the page in the terminal', () => {
  it('is calm when all is well', () => {
    expect(rendered(snapshot())).toMatchInlineSnapshot(`
      "✓ All is well. Events up to 09:31:20 are stored, all 4 outputs keep up.
        soc-fwd-01, 23 Nov 2026 09:31:42 UTC, up 12 d 4 h, version 1.0.0

      FEEDS         READ UP TO  LAG         LAST POLL         STATE
      ✓ attachment  09:31:20    22 s        09:31:31  39 new  Reading
      ✓ url         09:31:20    22 s        09:31:33  84 new  Reading

      OUTPUTS       WAITING     LAG         RATE              STATE
      ✓ splunk      41          4 s         122/min           Accepting
      ✓ qradar      0           none        122/min           Accepting
      ✓ elastic     0           none        122/min           Accepting
      ✓ disk        0           none        122/min           Accepting

      Mimecast answers in 0.4 s, 9 of 60 requests a minute, clocks agree
      No gap in 13 d, no rejects, 2 variants. Store 2.4 GiB of 10 GiB, kept 30 d
      "
    `);
  });

  it('tells what is wrong, since when, and what to do', () => {
    expect(rendered(troubled())).toMatchInlineSnapshot(`
      "✗ Output splunk has refused events since 14:02. Nothing is lost: 12,408 wait.
        soc-fwd-01, 23 Nov 2026 15:47:08 UTC, up 12 d 10 h, version 1.0.0

      ✗ Output splunk refuses every event: splunk.example:8088 answers 403 "Token
        disabled" (code 1)
        since  14:02:11, 1 h 44 min ago, tried 31 times, next try 15:51:18
        do     In Splunk: Settings, Data inputs, HTTP Event Collector, enable this
               output's token. Sending then goes on by itself. To test now:
               mimecast-forwarder check --online

      ! Output elastic refused 3 events for good: email.subject is an object there
        since  11:20:36, 4 h 26 min ago
        do     Fix the cause, then send them again:
               mimecast-forwarder rejects retry

      ! This machine's clock is 94 s ahead of Mimecast's. Nothing is missed: reading
        goes by Mimecast's clock. The lag of feeds is told 94 s too long
        do     Check the time synchronisation of soc-fwd-01:
               chronyc tracking

      FEEDS         READ UP TO  LAG         LAST POLL         STATE
      ✓ attachment  15:45:17    1 min 51 s  15:47:01  31 new  Reading
      ✓ url         15:45:17    1 min 51 s  15:47:01  66 new  Reading

      OUTPUTS       WAITING     LAG         RATE              STATE
      ✗ splunk      12,408      1 h 44 min  0/min             Refusing since 14:02
      ✓ qradar      0           none        97/min            Accepting
      ! elastic     0           none        97/min            Accepting, 3 rejects
      ✓ disk        0           none        97/min            Accepting

      Mimecast answers in 0.4 s, 11 of 60 requests a minute, clocks 94 s apart
      No gap in 13 d 6 h, 3 rejects, 2 variants. Store 2.4 GiB of 10 GiB, kept 30 d
      "
    `);
  });

  it('shows the steps of a first run', () => {
    expect(rendered(firstRun())).toMatchInlineSnapshot(`
      "… Just started. Reading the last 24 hours from Mimecast.
        soc-fwd-01, 23 Nov 2026 09:28:40 UTC, up 38 s, version 1.0.0

      ✓ Configuration read: 1 feed, 2 outputs, at 09:28:02
      ✓ Signed in to Mimecast
      … Reading the first window: 22 Nov 09:28 to 15:28, page 1
      · First event accepted: by splunk and qradar
        Still here after two minutes? mimecast-forwarder check --online

      FEEDS         READ UP TO  LAG         LAST POLL         STATE
      … attachment  -           -           09:28:38  0 new   First window

      OUTPUTS       WAITING     LAG         RATE              STATE
      · splunk      0           none        -                 Nothing sent since start
      · qradar      0           none        -                 Nothing sent since start

      Mimecast answers in 0.5 s, 2 of 60 requests a minute, clocks agree
      No gap in 12 d 23 h, no rejects, no variants. Store 68 KiB of 10 GiB, kept 30 d
      "
    `);
  });

  it('says when the daemon is not running', () => {
    expect(rendered(stopped())).toMatchInlineSnapshot(`
      "✗ The daemon is not running. What follows is what the store knew at 09:31:42.
        soc-fwd-01, 23 Nov 2026 11:31:42 UTC, not running, version 1.0.0

      ✗ The daemon is not running
        do     Start its service or container, or in the foreground:
               mimecast-forwarder run

      FEEDS         READ UP TO  LAG         LAST POLL         STATE
      · attachment  09:31:20    22 s        09:31:31  39 new  Stopped
      · url         09:31:20    22 s        09:31:33  84 new  Stopped

      OUTPUTS       WAITING     LAG         RATE              STATE
      · splunk      41          4 s         -                 Stopped
      · qradar      0           none        -                 Stopped
      · elastic     0           none        -                 Stopped
      · disk        0           none        -                 Stopped

      No gap in 13 d, no rejects, 2 variants. Store 2.4 GiB of 10 GiB, kept 30 d
      "
    `);
  });

  it('speaks ASCII where it must, and leaves columns out where it is narrow', () => {
    expect(rendered(troubled(), { unicode: false, width: 60 })).toMatchInlineSnapshot(`
      "x  Output splunk has refused events since 14:02. Nothing is
         lost: 12,408 wait.
         soc-fwd-01, 23 Nov 2026 15:47:08 UTC, up 12 d 10 h,
         version 1.0.0

      x  Output splunk refuses every event: splunk.example:8088
         answers 403 "Token disabled" (code 1)
         since  14:02:11, 1 h 44 min ago, tried 31 times, next try
                15:51:18
         do     In Splunk: Settings, Data inputs, HTTP Event
                Collector, enable this output's token. Sending
                then goes on by itself. To test now:
                mimecast-forwarder check --online

      !  Output elastic refused 3 events for good: email.subject
         is an object there
         since  11:20:36, 4 h 26 min ago
         do     Fix the cause, then send them again:
                mimecast-forwarder rejects retry

      !  This machine's clock is 94 s ahead of Mimecast's. Nothing
         is missed: reading goes by Mimecast's clock. The lag of
         feeds is told 94 s too long
         do     Check the time synchronisation of soc-fwd-01:
                chronyc tracking

      FEEDS         READ UP TO  LAG         LAST POLL
      ok attachment 15:45:17    1 min 51 s  15:47:01  31 new
      ok url        15:45:17    1 min 51 s  15:47:01  66 new

      OUTPUTS       WAITING     LAG         RATE
      x  splunk     12,408      1 h 44 min  0/min
      ok qradar     0           none        97/min
      !  elastic    0           none        97/min
      ok disk       0           none        97/min

      Mimecast answers in 0.4 s, 11 of 60 requests a minute,
      clocks 94 s apart
      No gap in 13 d 6 h, 3 rejects, 2 variants. Store 2.4 GiB of
      10 GiB, kept 30 d
      "
    `);
  });

  it('has times of another day in the columns, and long names cut in the middle', () => {
    const behind = feed({ name: 'attachment-protect-eu-2', checkpoint: at('22:10:00', '2026-11-21') });
    expect(
      rendered(snapshot({ feeds: [behind], outputs: [output({ name: 'siem-forwarder-eu-2' })] })),
    ).toMatchInlineSnapshot(`
      "… Feed attachment-protect-eu-2 is catching up: 1 d 11 h to go. Nothing is lost
        until 21 Dec.
        soc-fwd-01, 23 Nov 2026 09:31:42 UTC, up 12 d 4 h, version 1.0.0

      FEEDS         READ UP TO  LAG         LAST POLL         STATE
      … attac…-eu-2 11-21 22:10 1 d 11 h    09:31:31  39 new  Catching up

      OUTPUTS       WAITING     LAG         RATE              STATE
      ✓ siem-…-eu-2 0           none        122/min           Accepting

      Mimecast answers in 0.4 s, 9 of 60 requests a minute, clocks agree
      No gap in 13 d, no rejects, 2 variants. Store 2.4 GiB of 10 GiB, kept 30 d
      "
    `);
  });
});

describe('colour', () => {
  it('is on marks and state words only, and never the only sign', () => {
    const colored = rendered(troubled(), { color: true });
    expect(stripVTControlCharacters(colored)).toBe(rendered(troubled()));
    expect(colored).toContain('\u001b[31m✗\u001b[0m \u001b[1mOutput splunk has refused events');
    expect(colored).toContain('\u001b[33mAccepting, 3 rejects\u001b[0m');
    expect(rendered(troubled())).not.toContain('\u001b');
  });
});

describe('exit code', () => {
  it.each([
    ['well', 0, snapshot()],
    ['at work', 0, firstRun()],
    ['warned', 0, snapshot({ outputs: [output({ rejects: 3 })] })],
    ['bad', 1, troubled()],
    ['not running', 1, stopped()],
  ])('when %s is %d', (_, code, given) => {
    expect(exitCodeOf(assess(given))).toBe(code);
  });
});

describe('whatever others write', () => {
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 400 }),
    fc.string({
      unit: fc.constantFrom('\u001b[2J', '\u202e', '\r\n✓ All is well.', '漢', 'a', ' ', '🦊'),
      maxLength: 60,
    }),
    fc.stringMatching(/^[a-z0-9-]{1,120}$/),
  );
  const number = fc.oneof(fc.nat(200_000), fc.nat(Number.MAX_SAFE_INTEGER));
  const hostile = fc
    .record({
      name: text,
      message: text,
      hint: text,
      figure: number,
      retryable: fc.boolean(),
      width: fc.integer({ min: 48, max: 300 }),
    })
    .map(({ name, message, hint, figure, retryable, width }) => ({
      width,
      given: snapshot({
        host: name,
        version: name,
        feeds: [
          feed({
            name,
            lastPollNew: figure,
            malformed: figure,
            variants: figure,
            trouble: trouble({
              message,
              hint,
              retryable,
              count: figure,
              since: NOW - 9 * MINUTE - (figure % 1_000_000_000),
            }),
          }),
        ],
        outputs: [
          output({
            name,
            backlog: figure,
            oldestWaitingAt: NOW - Math.min(figure, NOW),
            ratePerMinute: figure,
            rejects: figure,
            lastRejectReason: message,
            trouble: figure % 2 ? trouble({ message, hint, retryable, since: NOW - (figure % 1_000_000_000) }) : null,
          }),
        ],
        api: {
          clockSkewMs: figure,
          requestsLastMinute: figure,
          requestsPerMinute: figure,
          heldUntil: figure,
          responseMs: figure,
        },
      }),
    }));

  it('takes no more than the width, and at most 80 columns', () => {
    fc.assert(
      fc.property(hostile, fc.boolean(), ({ given, width }, unicode) => {
        for (const line of rendered(given, { width, unicode }).split('\n')) {
          expect(cells(line)).toBeLessThanOrEqual(Math.min(80, width));
        }
      }),
    );
  });

  it('can write no line, no escape and no direction of its own', () => {
    fc.assert(
      fc.property(hostile, ({ given, width }) => {
        const page = rendered(given, { width });
        expect(page.replaceAll('\n', '')).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
        const marked = page.split('\n').filter((line) => /^[✓…!✗·]/.test(line));
        const report = assess(given);
        expect(marked).toHaveLength(1 + report.problems.length + report.feeds.length + report.outputs.length);
        if (width >= 80) expect(rendered(given, { width, unicode: false })).toMatch(/^[\n\x20-\x7e]*$/);
      }),
    );
  });
});
