import { describe, expect, it, vi } from 'vitest';
import { Progress, type Work } from '../../src/commands/progress.ts';
import { Pace, type ProgressFigures, plainProgress, progressLine } from '../../src/commands/progress-line.ts';
import { cells } from '../../src/status/text.ts';
import { testShell } from './shell.ts';

const SOON = { timeout: 5000, interval: 5 };
const FIGURES: ProgressFigures = {
  label: 'attachment',
  part: 0.629,
  amount: '14 h 52 min of 24 h',
  counted: '4,210 records',
  perSecond: 350.4,
  left: 80_000,
};
const LOOK = { color: false, unicode: true, width: 120 };
const HIDE = '\u001b[?25l';
const SHOW = '\u001b[?25h';

describe('the line', () => {
  it('has a bar, per cent, amount, rate and the time that is left', () => {
    expect(progressLine(FIGURES, LOOK)).toBe(
      `attachment ${'█'.repeat(11)}${'░'.repeat(8)}   62 %  14 h 52 min of 24 h  4,210 records  350/s  1 min 20 s left`,
    );
    expect(plainProgress(FIGURES)).toBe('attachment: 62 %, 14 h 52 min of 24 h, 4,210 records, 350/s, 1 min 20 s left');
  });

  it.each([120, 100, 80, 60, 40, 30])(
    'leaves the last of %i columns free, and goes without what has no room',
    (width) => {
      const line = progressLine(FIGURES, { ...LOOK, width });
      expect(cells(line)).toBeLessThan(width);
      expect(line).toMatch(/[█░]{8}/);
      expect(line).toContain('62 %');
      if (width >= 80) expect(line).toMatch(/14 h 52 min of 24 h.* 350\/s/);
      if (width >= 60) expect(line).toContain('1 min 20 s left');
    },
  );

  it('is without a bar where not even that has room', () => {
    expect(progressLine(FIGURES, { ...LOOK, width: 20 })).toBe('attachment   62 %');
  });

  it('is ASCII where the terminal does not speak UTF-8, whatever the name of the feed', () => {
    const line = progressLine({ ...FIGURES, label: 'poste\u202e-\u00e9t\u00e9' }, { ...LOOK, unicode: false });
    expect(line).toMatch(/^[\x20-\x7e]+$/);
    expect(line).toMatch(/#+-+/);
  });

  it('is coloured only when asked, and says 100 % at the end only', () => {
    expect(progressLine(FIGURES, { ...LOOK, color: true })).toMatch(/\u001b\[36m█+░+\u001b\[0m/);
    expect(progressLine({ ...FIGURES, part: 0.9999 }, LOOK)).toContain(' 99 %');
    expect(progressLine({ ...FIGURES, part: 1 }, LOOK)).toMatch(/ █{19} {2}100 %/);
  });
});

describe('the pace', () => {
  it('is that of the last seconds, and falls while nothing comes', () => {
    const pace = new Pace();
    pace.add(0, 0);
    expect(pace.perSecond(500)).toBeUndefined();
    for (let second = 1; second <= 100; second += 1) pace.add(second * 1000, second * 10);
    expect(pace.perSecond(100_000)).toBeCloseTo(10);
    for (let second = 101; second <= 130; second += 1) pace.add(second * 1000, 1000 + (second - 100) * 200);
    expect(pace.perSecond(130_000)).toBeCloseTo(200);
    expect(pace.perSecond(130_900)).toBeCloseTo(200);
    expect(pace.perSecond(160_000)).toBeLessThan(80);
  });
});

describe('on a terminal', () => {
  const work: Work = { label: 'siem', total: 200, amountOf: (done, total) => `${done} of ${total} events` };

  it('is drawn on one line, only when it changes, and is gone when it stops', async () => {
    const { shell, stdout, stderr } = testShell({ isTTY: true, env: { LANG: 'C.UTF-8', NO_COLOR: '1' } });
    const progress = new Progress(shell, work);
    progress.update(100);
    await vi.waitFor(() => expect(stderr.text).toContain('50 %'), SOON);
    const drawn = stderr.text.split('50 %').length;
    for (let again = 0; again < 50; again += 1) progress.update(100);
    expect(stderr.text.split('50 %').length - drawn).toBeLessThanOrEqual(1);
    progress.stop();
    const atEnd = stderr.text;
    expect(atEnd).toContain(HIDE);
    expect(atEnd.lastIndexOf(SHOW)).toBeGreaterThan(atEnd.lastIndexOf(HIDE));
    // At the start of the line, all of it cleared.
    expect(atEnd).toMatch(/\u001b\[1G\u001b\[2K$/);
    expect(atEnd).not.toContain('\n');
    progress.update(200);
    progress.stop();
    expect(stderr.text).toBe(atEnd);
    expect(stdout.text).toBe('');
  });

  it('is gone at once when the command is to stop', () => {
    const { shell, stderr, stop } = testShell({ isTTY: true });
    const progress = new Progress(shell, work);
    progress.update(10);
    stop.abort();
    expect(stderr.text.endsWith('\u001b[2K')).toBe(true);
    expect(stderr.text).toContain(SHOW);
    progress.update(20);
    expect(stderr.text.endsWith('\u001b[2K')).toBe(true);
  });

  it('gives way to a line that is said, and goes on below it', () => {
    const { shell, stderr } = testShell({ isTTY: true });
    const progress = new Progress(shell, work);
    progress.update(100);
    progress.say('it is tried again');
    expect(stderr.text).toMatch(/\u001b\[2Kit is tried again\n[\s\S]*siem .* 50 %/);
    progress.stop();
  });
});

describe('elsewhere', () => {
  it('is a plain line every 30 s, and what is said', () => {
    const { shell, stderr } = testShell();
    let now = 0;
    const work = { label: 'siem', total: 200, amountOf: (done: number, total: number) => `${done} of ${total} events` };
    const progress = new Progress(shell, work, () => now);
    for (now = 0; now <= 65_000; now += 500) progress.update(now / 500);
    progress.say('it is tried again');
    progress.stop();
    expect(stderr.lines).toEqual([
      'siem: 30 %, 60 of 200 events, 2.0/s, 1 min 10 s left',
      'siem: 60 %, 120 of 200 events, 2.0/s, 40 s left',
      'it is tried again',
    ]);
  });
});
