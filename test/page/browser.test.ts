import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { document } from '../../src/page/document.ts';
import { render } from '../../src/page/parts.ts';
import { pageQuery } from '../../src/page/query.ts';
import { Secret } from '../../src/secret.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import type { RecentEvent, SpanName, View } from '../../src/status/view.ts';
import { Metrics } from '../../src/telemetry/metrics.ts';
import { type ServerOptions, type StatusServer, startServer } from '../../src/telemetry/server.ts';
import { Forwarder } from '../e2e/forwarder.ts';
import { Chromium, chromiumIsInstalled, type Page } from '../receivers/chromium.ts';
import { firstRunView, healthyView, troubledView } from './views.ts';

/** The page in a real browser: what a person reads, hears, and reaches with the keyboard. */

const REFRESH = 150;

describe.skipIf(!chromiumIsInstalled)('the page in Chromium', () => {
  let chromium: Chromium;
  let page: Page;
  const open: StatusServer[] = [];

  beforeAll(async () => {
    chromium = await Chromium.start();
    page = await chromium.newPage();
  });

  afterEach(async () => {
    await page.open('about:blank');
    await Promise.all(open.splice(0).map((server) => server.close()));
    page.complaints.length = 0;
  });

  afterAll(() => chromium.close());

  async function serve(view: (span: SpanName) => View, changes: Partial<ServerOptions> = {}): Promise<StatusServer> {
    const server = await startServer({
      listen: { host: '127.0.0.1', port: 0 },
      metrics: new Metrics(),
      snapshot: () => view('24h').report,
      view,
      healthy: () => ({ ok: true }),
      refresh: REFRESH,
      ...changes,
    });
    open.push(server);
    return server;
  }

  async function look(view: (span: SpanName) => View, query = '', width = 1280): Promise<StatusServer> {
    const server = await serve(view);
    await page.resize(width, 900);
    await page.open(`${server.url}/${query}`);
    await live();
    return server;
  }

  const live = (): Promise<void> => page.until(async () => (await page.text('.liveness')).startsWith('Live, '));

  it('reads from the top: the verdict, what to do, where, the proof; and nothing goes wrong in it', async () => {
    const { url } = await look(troubledView);
    expect(await page.evaluate('document.title')).toBe('✕ 4 problems · soc-fwd-01');
    expect(await page.text('h1')).toMatch(
      /^Output splunk has refused events since 14:02\.\s+Nothing is lost: 12,408 wait\.$/,
    );
    expect(await page.text('.liveness')).toBe('Live, 15:47:08 UTC');
    const body = await page.text('body');
    const order = [
      'Live,',
      'Output splunk has',
      'What is wrong',
      'Feeds',
      'Every minute, reading',
      'Outputs',
      'qradar',
      'Newest events',
      'Refused for good by',
      'Records that came again',
      'mimecast-forwarder 1.0.0',
      '/readyz',
    ];
    const places = order.map((words) => body.indexOf(words));
    expect(places).toEqual(places.toSorted((a, b) => a - b));
    expect(places).not.toContain(-1);
    expect(page.complaints).toEqual([]);
    expect(page.requested.filter((address) => !address.startsWith(url) && !address.startsWith('about:'))).toEqual([]);
  });

  it('is told to who cannot see it', async () => {
    await look(troubledView);
    const nodes = await page.accessible();
    const named = (role: string): string[] => nodes.filter((node) => node.role === role).map(({ name }) => name.trim());
    expect(named('heading')).toEqual([
      'Output splunk has refused events since 14:02. Nothing is lost: 12,408 wait.',
      'Feeds',
      'Outputs',
      'Newest events',
      '3 rejects',
      '2 variants',
    ]);
    expect(named('image').slice(0, 3)).toEqual([
      'attachment, last 24 hours: read without a break but for 03:10 to 03:57; 0 to 39 records a minute',
      'url, last 24 hours: read without a break; 3 to 89 records a minute',
      'splunk, last 24 hours: accepted but for 14:02 to now, 12,408 waiting; 0 to 127 events a minute',
    ]);
    expect(named('columnheader').slice(0, 8)).toEqual([
      'What is wrong',
      'Since',
      'What to do',
      'Feed',
      'Read up to',
      'Lag',
      'Last poll',
      'Timeline',
    ]);
    expect(named('rowheader')[4]).toBe('attachment Gap of 47 min Every minute, reading the last 15 min again');
    expect(named('button')[0]).toBe('Copy: mimecast-forwarder check --online');
    expect(
      nodes.filter(({ role, name }) => ['button', 'link', 'image', 'navigation'].includes(role) && name === ''),
    ).toEqual([]);
  });

  it('is reached with the keyboard in the order in which it is read, with a ring where one is', async () => {
    await look(troubledView);
    const stops: string[] = [];
    for (let index = 0; index < 12; index += 1) {
      await page.press('Tab');
      stops.push(await page.evaluate('document.activeElement.innerText'));
      expect(await page.evaluate('getComputedStyle(document.activeElement).outlineWidth')).toBe('2px');
    }
    const toggles = ['24 h', '7 d', 'What to do', 'Names shown', 'Masked'];
    expect(stops).toEqual(['Copy', 'Copy', 'Copy', 'Copy', ...toggles, '/metrics', '/api/status', '/readyz']);
  });

  it.each([320, 390, 719, 720, 1099])('fits %i px without sideways scrolling, whatever is opened', async (width) => {
    await look(troubledView, '?theme=dark', width);
    await page.evaluate('document.querySelectorAll(".fold").forEach((button) => button.click())');
    const measure = 'Math.max(document.documentElement.scrollWidth, document.body.scrollWidth)';
    expect(await page.evaluate(measure)).toBeLessThanOrEqual(width);
    // Nothing is cut off at the right either.
    const beyond = `[...document.querySelectorAll('main *:not(thead, thead *, .unseen, .unseen *, svg *)')].filter((e) => e.checkVisibility() && e.getBoundingClientRect().right > ${width}).map((e) => e.className + ' ' + e.textContent.slice(0, 40))`;
    expect(await page.evaluate(beyond)).toEqual([]);
  });

  it('folds what is calm on a phone to lines that a finger can hit, and opens them', async () => {
    await look(troubledView, '', 390);
    const row = `document.querySelector('[data-part="outputs"] [data-key="qradar"]')`;
    expect(await page.evaluate(`Math.round(${row}.getBoundingClientRect().height)`)).toBeLessThanOrEqual(50);
    expect(await page.evaluate(`${row}.querySelector('.fold').getBoundingClientRect().height`)).toBe(48);
    await page.evaluate(`${row}.querySelector('.fold').focus()`);
    await page.press('Enter');
    expect(await page.evaluate(`${row}.querySelector('.fold').ariaExpanded`)).toBe('true');
    expect(await page.evaluate(`${row}.innerText`)).toContain('Accepted = ');
    // It stays open when the next update comes.
    const before = await page.evaluate('performance.now()');
    await page.until(async () => (await page.evaluate<number>('performance.now()')) > Number(before) + 2 * REFRESH);
    expect(await page.evaluate(`${row}.innerText`)).toContain('Accepted = ');
    const small = `[...document.querySelectorAll('.copy')].filter((e) => e.checkVisibility() && e.getBoundingClientRect().height < 44).length`;
    expect(await page.evaluate(small)).toBe(0);
  });

  it('is kept fresh without moving focus, selection or scroll', async () => {
    let view = troubledView();
    await look(() => view);
    await page.evaluate(`(() => {
      const copy = document.querySelectorAll('.copy')[2]; copy.focus();
      getSelection().selectAllChildren(document.querySelector('.what'));
      scrollTo(0, 200);
      window.before = { copy, spoken: 0 };
      new MutationObserver(() => { before.spoken += 1; }).observe(document.querySelector('h1'), { subtree: true, childList: true, characterData: true });
    })()`);
    const { report } = view;
    const outputs = report.outputs.map((output) => (output.name === 'qradar' ? { ...output, backlog: 7777 } : output));
    view = { ...view, report: { ...report, now: report.now + 5000, outputs } };
    await page.until(async () => (await page.text('[data-key="qradar"] .figure')) === '7,777');
    expect(await page.text('#clock')).toBe('15:47:13');
    expect(
      await page.evaluate('[before.copy === document.activeElement, String(getSelection()), scrollY, before.spoken]'),
    ).toEqual([true, 'Output splunk refuses every event', 200, 0]);
    view = healthyView();
    await page.until(async () => (await page.text('h1')).startsWith('All is well.'));
    expect(await page.evaluate('[document.documentElement.dataset.verdict, document.title]')).toEqual([
      'ok',
      '✓ All is well · soc-fwd-01',
    ]);
    expect(await page.evaluate(`document.querySelector('link[rel=icon]').href`)).toMatch(/\/ok\.svg$/);
    expect(page.complaints).toEqual([]);
  });

  it('speaks of a new verdict, not of figures that move', async () => {
    let view = healthyView();
    await look(() => view);
    const watch = `new MutationObserver((all) => all.forEach(({ target }) => {
      const element = target.nodeType === 3 ? target.parentElement : target;
      heardAs.push(element.closest('[aria-live]').ariaLive);
    })).observe(document.querySelector('h1'), { subtree: true, childList: true, characterData: true })`;
    await page.evaluate(`window.heardAs = []; ${watch}; 0`);
    const { report } = view;
    view = { ...view, report: { ...report, headline: report.headline.replace('09:31:20', '09:32:20') } };
    await page.until(async () => (await page.text('h1')).includes('09:32:20'));
    expect(await page.evaluate('[...new Set(heardAs)]')).toEqual(['off']);
    view = troubledView();
    await page.until(async () => (await page.text('h1')).startsWith('Output splunk'));
    expect(await page.evaluate('heardAs')).toContain('polite');
  });

  it('loses none of two rows of one name', async () => {
    const { recent, ...rest } = troubledView();
    const twice = recent.variants.newest.slice(0, 1).flatMap((one) => [one, one]);
    const view = { ...rest, recent: { ...recent, variants: { count: 2, newest: twice } } };
    await look(() => view);
    expect(await page.evaluate(`document.querySelectorAll('[data-key="variants"] li').length`)).toBe(2);
  });

  it('holds one connection, also after the machine slept or its clock was set', async () => {
    await look(healthyView);
    const streams = `EventSource = class extends EventSource { constructor(url) { super(url); streams.push(this); } }`;
    await page.evaluate(`window.streams = []; ${streams}; 0`);
    const open = 'streams.filter(({ readyState }) => readyState < 2).length';
    for (const hours of [1, -1]) {
      await page.evaluate(
        `(() => { const real = Date.now.bind(Date), off = ${hours} * 3600000; Date.now = () => real() + off;
          document.dispatchEvent(new Event('visibilitychange')); })()`,
      );
      const before = await page.evaluate<number>('streams.length');
      await page.until(async () => (await page.evaluate<number>('streams.length')) > before);
      await live();
      const now = await page.evaluate<number>('performance.now()');
      await page.until(async () => (await page.evaluate<number>('performance.now()')) > now + 3 * REFRESH);
      expect(await page.evaluate(open)).toBe(1);
    }
    expect(page.complaints).toEqual([]);
  });

  it('says that it hears nothing, and heals by itself', async () => {
    const figure = `getComputedStyle(document.querySelector('.figure')).color`;
    const server = await look(healthyView);
    const black = await page.evaluate(figure);
    await server.close();
    await page.until(async () => (await page.text('h1')).startsWith('No word from the forwarder since 09:31:42.'));
    expect(await page.text('h1')).toMatch(/What is below is \d+ seconds? old\./);
    expect(await page.text('.lead')).toContain('On soc-fwd-01: mimecast-forwarder status');
    expect(await page.text('.liveness')).toMatch(/^No connection, trying again/);
    expect(await page.text('main')).not.toContain('All is well');
    expect(await page.evaluate('document.title')).toBe('? No word · soc-fwd-01');
    expect(await page.evaluate(figure)).not.toBe(black);
    const port = Number(new URL(server.url).port);
    await serve(troubledView, { listen: { host: '127.0.0.1', port } });
    await live();
    expect(await page.text('h1')).toMatch(/^Output splunk has refused/);
    expect(
      await page.evaluate('[document.documentElement.dataset.verdict, document.documentElement.dataset.stale ?? null]'),
    ).toEqual(['bad', null]);
  });

  it('copies a command', async () => {
    await look(troubledView);
    await page.evaluate(
      `navigator.clipboard.writeText = async (text) => { window.copied = text; }; document.querySelectorAll('.copy')[1].click()`,
    );
    await page.until(
      async () => (await page.evaluate<string>(`document.querySelectorAll('.copy')[1].textContent`)) === 'Copied',
    );
    expect(await page.evaluate('window.copied')).toBe(
      'mimecast-forwarder backfill --from 2026-11-23T03:10:00Z --to 2026-11-23T03:57:00Z --feed attachment',
    );
  });

  it('is opened with the token as a password, and stays open when the daemon was away', async () => {
    const token = Secret.of('a-token');
    const server = await serve(healthyView, { token });
    await page.open(server.url.replace('//', '//me:a-token@'));
    await live();
    expect(await page.text('h1')).toMatch(/^All is well/);
    await server.close();
    await page.until(async () => (await page.text('h1')).startsWith('No word'));
    await serve(troubledView, { token, listen: { host: '127.0.0.1', port: Number(new URL(server.url).port) } });
    await live();
  });

  it('reads the same without a script', async () => {
    const { url } = await serve(firstRunView);
    await page.send('Emulation.setScriptExecutionDisabled', { value: true });
    await page.open(url);
    await page.send('Emulation.setScriptExecutionDisabled', { value: false });
    expect(await page.text('h1')).toMatch(/^Just started\./);
    expect(await page.text('.liveness')).toBe('As of 09:28:40 UTC');
    expect(await page.evaluate(`getComputedStyle(document.querySelector('.copy')).display`)).toBe('none');
  });

  it('gets no element and no attribute from any text, however it was written', async () => {
    const parts = [
      '<',
      '>',
      '"',
      "'",
      '`',
      '&',
      '=',
      '/',
      '\u0000',
      '\u202e',
      '-->',
      '<!--',
      '</title>',
      '<img src=x onerror=alert(1)>',
      '" onclick="x',
      '&lt;',
      ']]>',
      'a',
      ' ',
    ];
    const hostile = fc.array(fc.constantFrom(...parts), { minLength: 1, maxLength: 8 }).map((all) => all.join(''));
    const views = fc.sample(hostile, { numRuns: 60, seed: 20261123 }).map((text) => withText(text));
    const pages = [withText('plain'), ...views].map((view) =>
      document(render(view, false), pageQuery('/', true), 5000),
    );
    const skeletons = await page.evaluate<string[]>(`(${skeletonsOf.toString()})(${JSON.stringify(pages)})`);
    expect(skeletons[0]?.length).toBeGreaterThan(2000);
    expect(new Set(skeletons).size).toBe(1);
  });

  it('shows the real daemon: what it reads from a Mimecast, and that an output has it', {
    timeout: 30_000,
  }, async () => {
    const simulator = await Simulator.start({ seed: 'page' });
    const forwarder = new Forwarder();
    try {
      const now = simulator.now();
      simulator.seed(40, { from: now - 3_600_000, to: now - 1000 });
      const outputs = [{ name: 'disk', type: 'file', path: `${forwarder.folder}/events.ndjson` }];
      forwarder.configure({ simulator, outputs });
      const daemon = forwarder.start();
      await expect.poll(() => daemon.url, { timeout: 15_000 }).toBeDefined();
      await page.resize(1280, 900);
      await page.open(String(daemon.url));
      await live();
      await page.until(async () => (await page.text('h1')).startsWith('All is well.'));
      // Minutes are counted when they are over.
      expect(await page.text('.lead')).toMatch(
        /^(40 events in the last 24 hours\. )?No gaps, no rejects, nothing waits( longer than \d s)?\.$/,
      );
      await page.until(async () => (await page.text('[data-part="outputs"] tbody')).includes('Accepting'));
      const events = `[...document.querySelectorAll('.events tbody tr')].map((row) => row.querySelector('.taken').innerText)`;
      expect(await page.evaluate(events)).toEqual(Array.from({ length: 8 }, () => 'disk'));
      expect(page.complaints).toEqual([]);
    } finally {
      await forwarder.remove();
      await simulator.stop();
    }
  });
});

/** A text in every place where others write. */
function withText(text: string): View {
  const view = troubledView();
  const { report, recent } = view;
  const event: Partial<RecentEvent> = {
    result: text,
    file: text,
    sender: `${text}@${text}`,
    recipient: text,
    route: text,
  };
  return {
    ...view,
    report: {
      ...report,
      host: text,
      headline: text,
      problems: report.problems.map((problem) => ({
        ...problem,
        what: text,
        detail: text,
        sinceDetail: text,
        do: { sentence: text.replaceAll('`', ''), command: text.replaceAll(' --', '') },
      })),
      feeds: report.feeds.map((feed) => ({ ...feed, state: text })),
      outputs: report.outputs.map((output) => ({
        ...output,
        ...{ state: text, type: text, target: text, accepted: text },
        trouble: output.trouble && { ...output.trouble, message: text },
      })),
    },
    recent: {
      events: recent.events.map((one) => ({ ...one, ...event })),
      rejects: { ...recent.rejects, newest: recent.rejects.newest.map((one) => ({ ...one, reason: text })) },
      variants: {
        ...recent.variants,
        newest: recent.variants.newest.map((one) => ({ ...one, changes: [{ field: text, was: text, became: text }] })),
      },
    },
  };
}

/**
 * Elements and names of attributes of pages, as the browser's parser reads them; what marks invisible characters, and the sentences and
 * figures of the headline, are as many as the text wants. Runs in the browser.
 */
function skeletonsOf(pages: string[]): string[] {
  const policy = (
    globalThis as { trustedTypes?: { createPolicy(name: string, rules: object): { createHTML(text: string): string } } }
  ).trustedTypes;
  const trusted = policy?.createPolicy(`test-${Math.random()}`, { createHTML: (text: string) => text });
  const Parser = (
    globalThis as unknown as {
      DOMParser: new () => {
        parseFromString(
          text: string,
          type: string,
        ): {
          querySelectorAll(
            all: string,
          ): Iterable<{ localName: string; className: unknown; getAttributeNames(): string[] }>;
        };
      };
    }
  ).DOMParser;
  return pages.map((text) => {
    const elements = [
      ...new Parser().parseFromString(trusted?.createHTML(text) ?? text, 'text/html').querySelectorAll('*'),
    ];
    return elements
      .filter(({ className }) => !['chip', 'sentence', 'moving'].includes(String(className)))
      .map((element) => `${element.localName}[${element.getAttributeNames().join()}]`)
      .join(' ');
  });
}
