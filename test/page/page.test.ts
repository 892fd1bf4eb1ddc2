import { describe, expect, it } from 'vitest';
import { document } from '../../src/page/document.ts';
import { acceptance } from '../../src/page/events.ts';
import { render } from '../../src/page/parts.ts';
import { pageQuery } from '../../src/page/query.ts';
import { assess } from '../../src/status/assess.ts';
import type { RecentEvent, View } from '../../src/status/view.ts';
import { output, snapshot, trouble } from '../status/snapshots.ts';
import { busyView, firstRunView, healthyView, troubledView } from './views.ts';

/** What is written, without the tags; a browser's view of it is in `browser.test.ts`. */
function textOf(markup: { toString(): string }): string {
  return markup
    .toString()
    .replace(/<\/?bdi>/g, '')
    .replace(/<span class="moving"[^>]*>([^<]*)<\/span>/g, '$1')
    .replace(/<[^>]*>/g, ' ')
    .replace(/&#39;/g, "'")
    .replace(/&quot;/g, '"')
    .replace(/\s+/g, ' ')
    .trim();
}

function sentences(markup: { toString(): string }): string[] {
  return [...markup.toString().matchAll(/role="img" aria-label="([^"]*)"/g)].map(([, sentence = '']) => sentence);
}

const SPLUNK_DOWN =
  'Output splunk has refused events since 14:02. Nothing is lost: 12,408 wait. Also: feed attachment has a gap of ' +
  "47 min, output elastic refused 3 events for good, this machine's clock is 94 s ahead of Mimecast's. The " +
  'other three outputs keep up.';

describe('the head', () => {
  it.each<[string, View, string]>([
    [
      'healthy',
      healthyView(),
      'All is well. Events up to 09:31:20 are stored, all 4 outputs keep up. 74,150 events in the last 24 hours. ' +
        'No gaps, no rejects, nothing waits longer than 4 s.',
    ],
    ['in trouble', troubledView(), SPLUNK_DOWN],
    [
      'at work',
      busyView(),
      'Output splunk is catching up: 10,220 to go, done about 09:47. Nothing is lost. 74,150 events in the last 24 hours. ' +
        'No gaps, no rejects, nothing waits longer than 1 h 29 min.',
    ],
    [
      'on a first run',
      firstRunView(),
      'Just started. Reading the last 24 hours from Mimecast. Nothing has reached an output yet. That is normal for the first minute or two.',
    ],
  ])('says how it is: %s', (_, view, words) => {
    expect(textOf(render(view, false).parts.head)).toBe(words);
  });

  it('does not tell the same twice when several fail alike', () => {
    const failing = trouble({ since: healthyView().report.now - 3_600_000 });
    const outputs = ['one', 'two', 'three'].map((name) =>
      output({ name, backlog: 50, ...(name === 'three' ? {} : { trouble: failing }) }),
    );
    const view = { ...healthyView(), report: assess(snapshot({ outputs })) };
    expect(textOf(render(view, false).parts.head)).toBe(
      'Two outputs have been failing since 08:31. Nothing is lost: 100 events wait. The other output keeps up.',
    );
  });

  it.each<[View, string]>([
    [healthyView(), '✓ All is well · soc-fwd-01'],
    [troubledView(), '✕ 4 problems · soc-fwd-01'],
    [busyView(), '… At work · soc-fwd-01'],
  ])('is in the title', (view, title) => {
    expect(render(view, false).title).toBe(title);
  });
});

describe('what to do', () => {
  it('is a list of what is wrong, since when, and the command', () => {
    const text = textOf(render(troubledView(), false).parts['to-do']);
    expect(text).toMatch(
      /^What is wrong Since What to do Output splunk refuses every event splunk\.hallberg\.example:8088 answers 403 "Token disabled" \(code 1\)\. Since 14:02:11 1 h 44 min ago tried 31 times, next try 15:51:18 In Splunk: .* mimecast-forwarder check --online Copy Feed attachment/,
    );
    expect(text).toContain(
      'mimecast-forwarder backfill --from 2026-11-23T03:10:00Z --to 2026-11-23T03:57:00Z --feed attachment Copy',
    );
  });

  it('is told also when a time is one that no calendar holds', () => {
    const report = assess(snapshot({ outputs: [output({ rejects: 1, lastRejectAt: 9e15 })] }));
    const list = render({ ...healthyView(), report }, false).parts['to-do'].toString();
    expect(list).toContain('<time datetime="9999-12-31T23:59:59.000Z">');
  });

  it('stays the same row while its figures move', () => {
    const keys = (rejects: number): string[] => {
      const report = assess(snapshot({ outputs: [output({ name: 'es-2', rejects })] }));
      const list = render({ ...healthyView(), report }, false).parts['to-do'].toString();
      return [...list.matchAll(/<tr data-key="([^"]*)"/g)].map(([, key = '']) => key);
    };
    expect(keys(3)).toEqual(['Output es-2 refused # events for good']);
    expect(keys(1400)).toEqual(keys(3));
  });

  it('is not there while there is nothing to do', () => {
    expect(render(healthyView(), false).parts['to-do'].toString()).toBe('');
  });

  it('shows five, and opens the rest to who wants to see it', () => {
    const outputs = Array.from({ length: 8 }, (_, index) => output({ name: `o${index}`, rejects: 1, lastRejectAt: 0 }));
    const view = { ...healthyView(), report: assess(snapshot({ outputs })) };
    const [shown = '', rest = ''] = render(view, false).parts['to-do'].toString().split('<details');
    expect(shown.match(/<tr data-key/g)).toHaveLength(5);
    expect(rest).toContain('and 3 more');
    expect(rest.match(/<tr data-key/g)).toHaveLength(3);
  });

  it('is the four steps on a first run', () => {
    expect(textOf(render(firstRunView(), false).parts['to-do'])).toBe(
      'Configuration read 1 feed, 2 outputs, at 09:28:02 Signed in to Mimecast Reading the first window 22 Nov 09:28 to 15:28, page 1 ' +
        'First event accepted by splunk and qradar Still here after two minutes? This says what is in the way: mimecast-forwarder check --online Copy',
    );
  });
});

describe('feeds and outputs', () => {
  it('say how they read, how far, and what is usual', () => {
    const text = textOf(render(healthyView(), false).parts.feeds);
    expect(text).toContain(
      'attachment Reading up to 09:31:20 Every minute, reading the last 15 min again Read up to 09:31:20 23 Nov Lag 22 s usually 10–70 s Last poll 09:31:31 39 new, 0.8 s',
    );
    expect(textOf(render(troubledView(), false).parts.feeds)).toContain('Lag 1 min 51 s 94 s is the clock');
  });

  it('say where it goes, what accepted means, and the last error that is over', () => {
    const text = textOf(render(healthyView(), false).parts.outputs);
    expect(text).toContain('Splunk HEC, splunk.hallberg.example:8088 Accepted = acknowledged by the indexer');
    expect(text).toContain('Waiting 41 Lag 4 s oldest waiting Rate 122/min peak 129');
    expect(text).toContain('Last error 21 Nov 08:12, for 40 s: es.hallberg.example:9200 is busy (429)');
  });

  it('say what is wrong with one of them in its row', () => {
    const text = textOf(render(troubledView(), false).parts.outputs);
    expect(text).toContain('Waiting 12,408 118 more/min Lag 1 h 44 min oldest waiting Rate 0/min last 14:02:09');
    expect(text).toContain('(code 1). Tried 31 times, next try 15:51:18. What to do');
  });

  it('tell their timelines in a sentence', () => {
    const { feeds, outputs } = render(troubledView(), false).parts;
    expect(sentences(feeds)).toEqual([
      'attachment, last 24 hours: read without a break but for 03:10 to 03:57; 0 to 39 records a minute',
      'url, last 24 hours: read without a break; 3 to 89 records a minute',
    ]);
    expect(sentences(outputs)[0]).toBe(
      'splunk, last 24 hours: accepted but for 14:02 to now, 12,408 waiting; 0 to 127 events a minute',
    );
    expect(sentences(render(firstRunView(), false).parts.feeds)).toEqual([
      'attachment, last 24 hours: nothing has been read yet',
    ]);
    expect(sentences(render(healthyView('7d'), false).parts.feeds)[0]).toMatch(/^attachment, last 7 days: /);
  });

  it('draw time in which no daemon ran as nothing, not as zero', () => {
    const view = healthyView();
    const timeline = view.outputs.get('disk');
    const steps = (timeline?.steps ?? []).map((step, index) =>
      index > 40 && index < 60 ? { perMinute: null, waiting: null } : step,
    );
    const drawn = render({ ...view, outputs: new Map(timeline && [['disk', { ...timeline, steps }]]) }, false);
    const row = drawn.parts.outputs.toString().split('data-key="disk"')[1] ?? '';
    expect(row.match(/class="rate"/g)).toHaveLength(2);
    expect(row.match(/class="strip"/g)).toHaveLength(2);
  });
});

describe('the newest events', () => {
  it('show a name that turns the reading direction as what it is', () => {
    const { events } = render(healthyView(), false).parts;
    expect(events.toString()).toContain('Statement_<span class="chip">U+202E</span>fdp.exe');
    expect(events.toString()).not.toContain('\u202e');
  });

  it('tell what became of a field that names nobody, also when they are masked', () => {
    const { kept } = render(troubledView(), true).parts;
    expect(textOf(kept)).toContain('action: none became user release.');
  });

  it('send no name when they are masked', () => {
    const { events, kept } = render(troubledView(), true).parts;
    const sent = `${events}${kept}`;
    for (const name of ['Remittance', 'billing', 'okafor', 'Statement', 'amara']) expect(sent).not.toContain(name);
    expect(textOf(events)).toContain('unsafe •••.xlsm b•••@portline-logistics.example → m•••@hallberg.example inbound');
  });

  it.each<[Pick<RecentEvent, 'acceptedBy' | 'pending'>, number, string]>([
    [{ acceptedBy: ['a', 'b'], pending: [] }, 2, 'all 2'],
    [{ acceptedBy: ['a'], pending: [] }, 1, 'a'],
    [{ acceptedBy: ['a', 'b', 'c'], pending: [{ output: 'd', why: 'next' }] }, 4, '3 of 4, d next'],
    [{ acceptedBy: ['a', 'b', 'c'], pending: [{ output: 'd', why: 'waits' }] }, 4, '3 of 4, d waits'],
    [{ acceptedBy: ['a', 'b', 'c'], pending: [{ output: 'd', why: 'filtered' }] }, 4, '3, d filters it'],
    [
      { acceptedBy: [], pending: [{ output: 'splunk-in-the-second-place-2', why: 'waits' }] },
      1,
      '0 of 1, splunk-i…place-2 waits',
    ],
    [{ acceptedBy: [], pending: [{ output: 'a', why: 'rejected' }] }, 1, '0 of 1, a refused it'],
  ])('tell who has accepted each: %j of %i', (event, outputs, words) => {
    const rest = { id: '', at: 0, result: '', file: '', sender: '', recipient: '', route: '' };
    expect(acceptance({ ...rest, ...event }, outputs)).toBe(words);
  });

  it('are one quiet sentence before there are any', () => {
    expect(textOf(render(firstRunView(), false).parts.events)).toMatch(/^No event yet The newest eight appear here/);
    expect(textOf(render(healthyView(), false).parts.kept)).toMatch(/^No rejects No event is kept here/);
  });
});

describe('the address', () => {
  it.each([
    ['/', { span: '24h', masked: false, theme: null }],
    ['/?span=7d&mask=1&theme=dark', { span: '7d', masked: true, theme: 'dark' }],
    ['/?span=1y&mask=yes&theme=%22%3E&x=1', { span: '24h', masked: false, theme: null }],
    ['/?theme=light?span=7d', { span: '24h', masked: false, theme: null }],
    ['/?span=7d#mask=1', { span: '7d', masked: false, theme: null }],
  ])('%s is understood', (url, query) => {
    expect(pageQuery(url, true)).toEqual({ ...query, mayShowNames: true });
  });

  it('keeps what was asked for in the links of the page', () => {
    const query = pageQuery('/?span=7d&mask=1&theme=dark', true);
    const page = document(render(healthyView('7d'), true), query, 5000);
    expect([...page.matchAll(/<a href="(\?[^"]*)"/g)].map(([, link]) => link)).toEqual([
      '?mask=1&amp;theme=dark',
      '?span=7d&amp;mask=1&amp;theme=dark',
      '?span=7d&amp;theme=dark',
      '?span=7d&amp;mask=1&amp;theme=dark',
    ]);
    expect(page).toContain('data-theme="dark"');
  });

  it('shows no names where strangers may look, whatever it says', () => {
    const query = pageQuery('/?mask=0', false);
    expect(query.masked).toBe(true);
    const page = document(render(healthyView(), query.masked), query, 5000);
    expect(page).toContain('Names are masked');
    expect(page).not.toContain('Names shown');
  });

  it('needs no script: the page loads itself again', () => {
    const page = document(render(healthyView(), false), pageQuery('/', true), 5000);
    expect(page).toContain('<noscript><meta http-equiv="refresh" content="30"></noscript>');
    expect(page).not.toMatch(/<script(?! type="module" src="assets\/\w+\/page\.js"><\/script>)/);
  });
});
