import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, posix } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { buildSite } from '../../scripts/site/build.ts';
import { render } from '../../scripts/site/markdown.ts';
import { pageAt, pages, ROOT } from './markdown.ts';

/** The site that `npm run site` makes, of these very docs. */

const scratch = mkdtempSync(join(tmpdir(), 'site-'));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));
const site = join(scratch, 'site');
const addresses = buildSite(ROOT, site);
const documents = new Map(addresses.map((address) => [address, readFileSync(join(site, address), 'utf8')]));
const docs = pages().flatMap(({ path }) => (path.startsWith('docs/') ? [path] : []));

describe('the site of these docs', () => {
  it('has every page of docs/ in the contents of every page', () => {
    for (const [address, html] of documents) {
      const linked = new Set(linksOf(contentsOf(html)).map((href) => from(address, href).file));
      for (const path of docs) expect([...linked, 'index.html'], `${path} from ${address}`).toContain(placeOf(path));
    }
  });

  it('has no page that docs/README.md does not name: add it there, below the heading where it belongs', () => {
    const named = pageAt('docs/README.md').links.map(({ file }) => file);
    expect(docs.filter((path) => path !== 'docs/README.md' && !named.includes(path))).toEqual([]);
    expect(contentsOf(read('index.html'))).not.toContain('Also here');
  });

  it('marks in the contents the page that is read', () => {
    const here = /aria-current="page">([^<]+)</.exec(documents.get('outputs/syslog.html') ?? '')?.[1];
    expect(here).toBe('Syslog');
  });

  it('has links that lead somewhere, anchors included', () => {
    const broken = [...documents].flatMap(([address, html]) =>
      linksOf(html).flatMap((href) => {
        const { file, anchor } = from(address, href);
        const isThere = existsSync(join(site, file)) && (anchor === '' || anchorsOf(file).has(anchor));
        return isThere ? [] : [`${address}: ${href}`];
      }),
    );
    expect(broken).toEqual([]);
  });

  it('shows and runs nothing from outside, so that it can be opened without a network', () => {
    for (const [address, html] of documents) {
      const assets = [...html.matchAll(/<(?:img|script|link|iframe|source)\b[^>]*?\b(?:src|href)="([^"]*)"/g)];
      for (const [, asset = ''] of assets) expect(asset, address).not.toMatch(/^(?:https?:)?\/\//);
    }
    expect(readFileSync(join(site, 'site.css'), 'utf8')).not.toMatch(/@import|url\(/);
  });

  it('has one title a page, and each id once', () => {
    for (const [address, html] of documents) {
      expect(html.match(/<h1[ >]/g), address).toHaveLength(1);
      const ids = [...html.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
      expect(ids.length, address).toBe(new Set(ids).size);
    }
  });

  it('copies pictures, and shows the files that a page links to', () => {
    expect(readFileSync(join(site, 'pictures/architecture.svg'))).toEqual(
      readFileSync(join(ROOT, 'docs/pictures/architecture.svg')),
    );
    expect(documents.get('project/config/examples/webhook.yaml.html')).toContain('<span class="comment">#');
  });

  it('can be searched: each row of the index is a heading that is there', () => {
    const rows = JSON.parse(/^globalThis\.searchIndex = (.*);$/m.exec(read('search-index.js'))?.[1] ?? '[]');
    const row = rows.find(([address]: string[]) => address === 'operations.html#sizing');
    expect(row?.slice(1, 3)).toEqual(['Operations', 'Sizing']);
    expect(row?.[3]).toContain('about 700 bytes');
    for (const [address] of rows) {
      const { file, anchor } = from('index.html', address);
      expect([...anchorsOf(file)], address).toContain(anchor);
    }
  });

  it('has the anchors that the repository has', () => {
    for (const path of docs) {
      const unnumbered = [...anchorsOf(placeOf(path))].filter((anchor) => !/^(?:text|contents)$|-\d+$/.test(anchor));
      for (const anchor of unnumbered) expect([...pageAt(path).anchors], path).toContain(anchor);
    }
  });
});

describe('a page', () => {
  const rendered = (markdown: string) => render(markdown, (href) => href);

  it('numbers headings that are the same, as GitHub does', () => {
    const { headings } = rendered('# Output `syslog`\n\n## Added\n\n## Added\n\n## "Feed … fails", *or* [not](x.md)\n');
    expect(headings.map(({ anchor }) => anchor)).toEqual(['output-syslog', 'added', 'added-1', 'feed--fails-or-not']);
  });

  it('shows what looks like HTML, and leaves out comments', () => {
    const { html } = rendered('Send to <NAME>.\n\n<!-- results -->\n\n<script>alert(1)</script>\n\n`<b>`\n');
    expect(html).not.toMatch(/<(?:NAME|script|b)|results/);
    expect(html).toContain('&#60;NAME&#62;');
    expect(html).toContain('&#60;script&#62;');
  });

  it('sets off comments in shell and YAML, and in nothing else', () => {
    const { html } = rendered(`${fence('sh')}echo "\${#x}" # why${fence()}${fence('')}# text${fence()}`);
    expect(html.match(/<span class="comment">[^<]*/g)).toEqual(['<span class="comment"># why']);
  });

  it('has a head for a table only where its columns have names', () => {
    expect(rendered('| a | |\n|---|---|\n| 1 | 2 |\n').html).toContain('<thead>');
    expect(rendered('| | |\n|---|---|\n| 1 | 2 |\n').html).not.toContain('<thead>');
  });
});

describe('another repository', () => {
  it('is refused with all its links that lead to nothing, or out of it', () => {
    const root = repository({
      'docs/one.md': '# One\n\n[gone](gone.md), [here](#one)\n',
      'docs/two.md': '# Two\n\n[outside](../../outside.md), ![no picture](pictures/gone.png)\n',
    });
    expect(() => buildSite(root, join(scratch, 'refused'))).toThrow(
      'docs/one.md: gone.md\ndocs/two.md: ../../outside.md\ndocs/two.md: pictures/gone.png',
    );
  });

  it('has pages that its index does not name at the end of the contents', () => {
    const root = repository({
      'docs/README.md': '# Docs\n\n## Begin\n\n- [First](first.md)\n',
      'docs/first.md': '# The first page\n',
      'docs/forgotten.md': '# A forgotten page\n',
    });
    buildSite(root, join(scratch, 'other'));
    const contents = contentsOf(readFileSync(join(scratch, 'other', 'first.html'), 'utf8'));
    expect(contents.replace(/<[^>]+>|\s+/g, ' ').trim()).toMatch(/^Begin +First +Also here +A forgotten page$/);
  });

  it('loses what an earlier build left behind', () => {
    const target = join(scratch, 'again');
    mkdirSync(target);
    writeFileSync(join(target, 'old.html'), '');
    buildSite(repository({}), target);
    expect(readdirSync(target)).not.toContain('old.html');
  });
});

function repository(files: Readonly<Record<string, string>>): string {
  const root = mkdtempSync(join(scratch, 'repository-'));
  const all = {
    'package.json': '{"version":"1.2.3"}',
    'docs/README.md': '# Docs\n',
    ...Object.fromEntries(
      ['README.md', 'CHANGELOG.md', 'CONTRIBUTING.md', 'bench/README.md'].map((path) => [path, '# A\n']),
    ),
    ...files,
  };
  for (const [path, text] of Object.entries(all)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  return root;
}

const fence = (language?: string) => (language === undefined ? '\n```\n\n' : `\`\`\`${language}\n`);
const read = (address: string) => readFileSync(join(site, address), 'utf8');
const contentsOf = (html: string) => /<nav id="contents"[\s\S]*<\/nav>/.exec(html)?.[0] ?? '';

/** Where a page of docs/ has to be, said here once more. */
function placeOf(path: string): string {
  return path === 'docs/README.md' ? 'index.html' : path.replace(/^docs\/(.*)\.md$/, '$1.html');
}

/** What a page links to or shows inside the site. */
function linksOf(html: string): string[] {
  const all = [...html.matchAll(/ (?:href|src)="([^"]*)"/g)].map(([, href = '']) => href);
  return all.filter((href) => !/^(?:https?|data|mailto):/.test(href));
}

function from(address: string, href: string): { file: string; anchor: string } {
  const [path = '', anchor = ''] = href.split('#', 2);
  return { file: path === '' ? address : posix.join(posix.dirname(address), path), anchor: decodeURIComponent(anchor) };
}

function anchorsOf(address: string): Set<string> {
  return new Set([...(documents.get(address) ?? '').matchAll(/ id="([^"]+)"/g)].map(([, id = '']) => id));
}
