import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SpanName, View } from '../src/status/view.ts';
import { Metrics } from '../src/telemetry/metrics.ts';
import { startServer } from '../src/telemetry/server.ts';
import { firstRunView, healthyView, troubledView } from '../test/page/views.ts';
import { Chromium, chromiumIsInstalled, type Page } from '../test/receivers/chromium.ts';
import { smallPng } from './small-png.ts';

/**
 * Makes the pictures of the status page in docs/pictures: the page that is served, in a real browser, with figures that are made up.
 * The type is Inter, Debian's package fonts-inter, where it is installed: what system-ui is differs from machine to machine.
 */

const PICTURES = new URL('../docs/pictures/', import.meta.url);

const FONTS = `<?xml version="1.0"?><!DOCTYPE fontconfig SYSTEM "fonts.dtd"><fontconfig>
<include>/etc/fonts/fonts.conf</include>
<match><test name="family"><string>sans-serif</string></test><edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match>
<match><test name="family"><string>system-ui</string></test><edit name="family" mode="prepend" binding="strong"><string>Inter</string></edit></match>
</fontconfig>`;

interface Shot {
  readonly name: string;
  readonly view: (span: SpanName) => View;
  readonly query: string;
  readonly width?: number;
  readonly scale?: number;
  /** Of the picture; fewer make it smaller. */
  readonly colours?: number;
  /** Only the top of the page, px. */
  readonly height?: number;
  readonly isStale?: boolean;
}

const SHOTS: readonly Shot[] = [
  { name: 'healthy-light', view: healthyView, query: '?theme=light' },
  { name: 'healthy-dark', view: healthyView, query: '?theme=dark' },
  { name: 'trouble-light', view: troubledView, query: '?theme=light&mask=1' },
  { name: 'trouble-top', view: troubledView, query: '?theme=light&mask=1', height: 965 },
  { name: 'trouble-dark', view: troubledView, query: '?theme=dark&mask=1' },
  { name: 'phone', view: troubledView, query: '?theme=light&mask=1', width: 390, scale: 2, colours: 64 },
  { name: 'first-run', view: firstRunView, query: '?theme=light' },
  { name: 'stale', view: healthyView, query: '?theme=light', height: 640, isStale: true },
];

if (!chromiumIsInstalled) throw new Error('no Chromium here: sh scripts/install-receivers.sh installs one');
const folder = mkdtempSync(join(tmpdir(), 'screenshots-'));
writeFileSync(join(folder, 'fonts.conf'), FONTS);
const chromium = await Chromium.start({ FONTCONFIG_FILE: join(folder, 'fonts.conf') });
try {
  const page = await chromium.newPage();
  for (const shot of SHOTS) await take(shot, page);
} finally {
  await chromium.close();
  rmSync(folder, { recursive: true, force: true });
}

async function take(
  { name, view, query, width = 1280, scale = 1, colours, height, isStale }: Shot,
  page: Page,
): Promise<void> {
  const server = await startServer({
    listen: { host: '127.0.0.1', port: 0 },
    metrics: new Metrics(),
    snapshot: () => view('24h').report,
    view,
    healthy: () => ({ ok: true }),
  });
  try {
    await page.resize(width, 800, scale);
    await page.open(`${server.url}/${query}`);
    await page.until(async () => (await page.text('.liveness')).startsWith('Live'));
    if (isStale) {
      await server.close();
      // Two minutes pass.
      await page.evaluate('Date.now = ((now) => () => now() + 120_500)(Date.now); 0');
      await page.until(async () => (await page.text('h1')).startsWith('No word'));
      await page.until(async () => (await page.text('.liveness')).endsWith(' 4 s'));
    }
    writeFileSync(new URL(`${name}.png`, PICTURES), smallPng(await page.picture(height), colours));
  } finally {
    await server.close();
  }
}
