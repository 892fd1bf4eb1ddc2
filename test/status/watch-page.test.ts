import { stripVTControlCharacters } from 'node:util';
import { describe, expect, it } from 'vitest';
import { assess } from '../../src/status/assess.ts';
import { renderTerminal } from '../../src/status/terminal.ts';
import { renderWatchPage } from '../../src/status/watch-page.ts';
import { feed, HOUR, MINUTE, NOW, output, snapshot, trouble } from './snapshots.ts';
import { OFFICE, outputTimeline, stepsOf, timelines } from './timelines.ts';

const PLAIN = { color: false, unicode: true, width: 80 };

/** Half of what waited is gone. */
function catchingUp(): { report: ReturnType<typeof assess>; past: { timelines: ReturnType<typeof timelines> } } {
  const behind = output({ backlog: 10_220, oldestWaitingAt: NOW - 89 * MINUTE, ratePerMinute: 640 });
  const steps = [...stepsOf(OFFICE).slice(0, -3), ...stepsOf([0]).slice(0, 3)].map((step, index) =>
    index < 285 ? step : { perMinute: 640, waiting: [12_775, 12_000, 10_900][index - 285] ?? 0 },
  );
  const outputs = new Map([['splunk', outputTimeline({ steps })]]);
  return {
    report: assess(snapshot({ feeds: [feed()], outputs: [behind] })),
    past: { timelines: timelines(NOW, { outputs }) },
  };
}

describe('status with timelines', () => {
  it('draws a spark line where the state stood', () => {
    expect(renderTerminal(assess(snapshot()), PLAIN, { timelines: timelines(NOW) })).toMatchInlineSnapshot(`
      "✓ All is well. Events up to 09:31:20 are stored, all 4 outputs keep up.
        soc-fwd-01, 23 Nov 2026 09:31:42 UTC, up 12 d 4 h, version 1.0.0

      FEEDS         READ UP TO  LAG         LAST POLL         10:00      22:00     now
      ✓ attachment  09:31:20    22 s        09:31:31  39 new  ▇██▇▆▄▃▂▁▁▁▁▁▁▁▁▁▁▁▂▃▄▆█
      ✓ url         09:31:20    22 s        09:31:33  84 new  ▇██▇▆▄▃▂▁▁▁▁▁▁▁▁▁▁▁▂▃▄▆█

      OUTPUTS       WAITING     LAG         RATE              10:00      22:00     now
      ✓ splunk      41          4 s         122/min           ▇██▇▆▄▃▂▁▁▁▁▁▁▁▁▁▁▁▂▃▄▆█
      ✓ qradar      0           none        122/min           ▇██▇▆▄▃▂▁▁▁▁▁▁▁▁▁▁▁▂▃▄▆█
      ✓ elastic     0           none        122/min           ▇██▇▆▄▃▂▁▁▁▁▁▁▁▁▁▁▁▂▃▄▆█
      ✓ disk        0           none        122/min           ▇██▇▆▄▃▂▁▁▁▁▁▁▁▁▁▁▁▂▃▄▆█

      Mimecast answers in 0.4 s, 9 of 60 requests a minute, clocks agree
      No gap in 13 d, no rejects, 2 variants. Store 2.4 GiB of 10 GiB, kept 30 d
      "
    `);
  });

  it('tells below a row what is neither well nor among the problems', () => {
    const retrying = output({ trouble: trouble({ since: NOW - MINUTE, at: NOW }) });
    const page = renderTerminal(assess(snapshot({ outputs: [retrying] })), PLAIN, { timelines: timelines(NOW) });
    expect(page).toContain('\n              Retrying since 09:30\n');
  });

  it('shows how far an output has come that catches up', () => {
    const { report, past } = catchingUp();
    const page = renderTerminal(report, PLAIN, past);
    expect(page).toContain('\n              ██████░░░░░░░░░░░░░░░░░░░░░░░░░░  20 %, 16 min left\n');
    expect(renderTerminal(report, { ...PLAIN, unicode: false }, past)).toContain(
      `${'#'.repeat(6)}${'.'.repeat(26)}  20 %`,
    );
    for (const line of renderTerminal(report, { ...PLAIN, width: 48 }, past).split('\n')) {
      expect(line.length).toBeLessThanOrEqual(48);
    }
  });

  it('has 28 cells for a week where the terminal is wide enough', () => {
    const week = { timelines: timelines(NOW, { span: '7d', from: NOW - 7 * 24 * HOUR }) };
    const widest = (width: number): number =>
      Math.max(
        ...renderTerminal(assess(snapshot()), { ...PLAIN, width }, week)
          .split('\n')
          .map((line) => line.length),
      );
    expect(widest(100)).toBe(84);
    expect(widest(83)).toBe(80);
  });
});

describe('status --watch', () => {
  it('has a line above, and the latest changes below', () => {
    const { report, past } = catchingUp();
    const changes = [
      { at: NOW - MINUTE, text: 'splunk takes events again, after 1 h 49 min' },
      { at: NOW - HOUR, text: 'elastic has 3 rejects less: sent again, or discarded' },
    ];
    const page = renderWatchPage(report, PLAIN, { past, changes, everyMs: 2000 });
    const lines = page.split('\n');
    expect(lines[0]).toBe('status --watch, every 2 s, q quits                      23 Nov 2026 09:31:42 UTC');
    expect(page).toContain(
      '\nCHANGES\n09:30:42      splunk takes events again, after 1 h 49 min\n08:31:42      elastic',
    );
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('folds a long change and makes what others wrote visible', () => {
    const { report, past } = catchingUp();
    const changes = [{ at: NOW, text: `qradar takes no events: ${'word '.repeat(40)}\u001b[31m\u202e` }];
    const page = renderWatchPage(report, PLAIN, { past, changes, everyMs: 2000 });
    expect(page).toContain('U+001B[31mU+202E');
    expect(Math.max(...page.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('has figures that changed bold for one refresh, and columns where they were', () => {
    const before = assess(snapshot({ outputs: [output({ backlog: 41 })] }));
    const after = assess(snapshot({ outputs: [output({ backlog: 42 })] }));
    const colored = { ...PLAIN, color: true };
    const page = renderTerminal(after, colored, { before });
    expect(page).toContain('\u001b[1m42\u001b[0m');
    expect(page).not.toContain('\u001b[1m122/min');
    expect(renderTerminal(after, colored, { before: after })).not.toContain('\u001b[1m42');
    expect(stripVTControlCharacters(page)).toBe(renderTerminal(after, PLAIN));
  });
});
