import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { Command } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commands } from '../src/commands/index.ts';
import { jsonSchemaOf } from '../src/config/json-schema.ts';
import { loadConfig } from '../src/config/load.ts';
import { configSchema } from '../src/config/schema.ts';
import { tables } from '../src/config/tables.ts';
import { outputTypes } from '../src/outputs/index.ts';
import { Metrics } from '../src/telemetry/metrics.ts';
import { pageAt, pages, ROOT } from './docs/markdown.ts';
import { serviceAccountKey } from './fakes/google-secops.ts';
import { sourceFiles } from './house/source-files.ts';

/** Docs are tests: what they name exists, what they show runs. */

const all = pages();
const GENERATED = ['docs/commands.md', 'docs/config.md', 'docs/metrics.md'];
const written = all.filter(({ path }) => !GENERATED.includes(path));
const forOperators = written.filter(({ path }) => !/^(?:CONTRIBUTING|bench\/|docs\/a)/.test(path));
/** Files that are made by somebody who follows a page. */
const IN_EXAMPLES = new Set([
  'config/forwarder.yaml',
  'src/outputs/spool.ts',
  'test/contract/harnesses/spool.ts',
  'src/formats/brief.ts',
  'src/feeds/impersonation.ts',
]);

let scratch: string;
beforeAll(() => {
  scratch = mkdtempSync(join(tmpdir(), 'docs-'));
  for (const name of ['secret', 'client_secret']) writeFileSync(join(scratch, name), 'from a file\n', { mode: 0o600 });
  const key = serviceAccountKey('https://oauth2.googleapis.com/token');
  writeFileSync(join(scratch, 'google.json'), JSON.stringify(key), { mode: 0o600 });
});
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

/** Loads a config with a value for every variable that it names without a default. */
function load(file: string, text = readFileSync(file, 'utf8')) {
  const names = [...text.matchAll(/\$\{([A-Z_]+)\}/g)].map(([, name = '']) => [name, 'from-the-environment']);
  const env = {
    ...Object.fromEntries(names),
    MIMECAST_CLIENT_SECRET_FILE: join(scratch, 'secret'),
    GOOGLE_SERVICE_ACCOUNT_FILE: join(scratch, 'google.json'),
  };
  return loadConfig({ file, env, cwd: scratch });
}

describe('the configs that are shipped', () => {
  const shipped = ['config', 'config/examples'].flatMap((folder) =>
    readdirSync(join(ROOT, folder)).flatMap((name) => (name.endsWith('.yaml') ? [join(folder, name)] : [])),
  );

  it.each(shipped)('%s is a good config, and editors find its schema', (path) => {
    const file = join(ROOT, path);
    const { warnings } = load(file);
    expect(warnings).toEqual([]);
    const schema = /\$schema=(\S+)/.exec(readFileSync(file, 'utf8'))?.[1];
    if (schema !== undefined) expect(existsSync(join(dirname(file), schema)), schema).toBe(true);
  });

  it('are all told of in a page', () => {
    const linked = all.flatMap(({ links }) => links.map(({ file }) => file));
    for (const path of shipped.filter((path) => path.startsWith('config/examples/'))) expect(linked).toContain(path);
  });
});

describe('the YAML in the pages', () => {
  const blocks = written.flatMap(({ path, blocks }) =>
    blocks.flatMap(({ language, code }) => (language === 'yaml' ? [{ path, code }] : [])),
  );
  const SECTIONS = {
    mimecast: 'mimecast: { auth: { type: oauth2, clientId: an-id, clientSecret: a-secret } }',
    feeds: 'feeds: [{ type: attachment }]',
    outputs: 'outputs: [{ name: screen, type: stdout }]',
  };

  it('is there', () => {
    expect(blocks.map(({ path }) => path)).toContain('README.md');
  });

  it.each(blocks)('of $path is a good config, with what it leaves out filled in', ({ code }) => {
    const missing = Object.entries(SECTIONS).filter(([name]) => !new RegExp(`^${name}:`, 'm').test(code));
    const text = [...missing.map(([, section]) => section), code].join('\n');
    const file = join(scratch, 'page.yaml');
    writeFileSync(file, text, { mode: 0o600 });
    expect(load(file, text).warnings).toEqual([]);
  });
});

describe('what the pages name', () => {
  const keys = configKeys();
  const sources = sourceFiles();
  const identifiers = new Set(sources.flatMap(({ text }) => text.match(/[A-Za-z]+/g) ?? []));
  const sourceNames = new Set(sources.map(({ path }) => basename(path)));
  const rooms = sources.flatMap(({ path }) => (path.includes('/') ? (path.split('/')[0] ?? []) : []));
  const TOPS = new Set(['src', 'test', 'docs', 'config', 'scripts', 'bench', ...rooms]);

  it.each(written)('in $path: metrics exist', async ({ text, spans }) => {
    const known = new Set((await new Metrics().registry.getMetricsAsJSON()).map(({ name }) => name));
    const whole = [...text.matchAll(/\bmimecast_forwarder_[a-z_]+/g)].map(([name]) => name);
    const short = spans.flatMap(
      (span) => /^([a-z]+_[a-z_]+_(?:total|seconds|events|bytes|rejects))\b/.exec(span)?.[1] ?? [],
    );
    for (const name of short.filter((name) => !name.startsWith('mimecast_'))) whole.push(`mimecast_forwarder_${name}`);
    for (const name of whole) expect([...known], name).toContain(name);
  });

  it.each(forOperators)('in $path: config keys exist', ({ spans }) => {
    for (const span of spans) {
      const dotted =
        /^(?:mimecast|feeds\[\]|outputs\[\]|store|http|log|batch|retry|rotate|sweep|dedupe|tls)\.([\w.]+)$/.exec(
          span,
        )?.[1];
      for (const key of dotted?.split('.') ?? []) expect([...keys], span).toContain(key);
      const named = /^([a-z][A-Za-z]*): \S/.exec(span)?.[1];
      if (named !== undefined) expect([...keys], span).toContain(named);
      // One word with a hump is a key, or a name that the source has.
      if (/^[a-z]+[A-Z]\w*$/.test(span)) expect(keys.has(span) || identifiers.has(span), span).toBe(true);
    }
  });

  it.each(written)('in $path: commands and their options exist', async ({ spans, blocks }) => {
    const lines = [...spans, ...blocks.flatMap(({ code }) => code.split('\n'))];
    const typed = lines.flatMap((line) => /^\s*(?:mimecast-forwarder|\.\/dev start) ([^#|<]+)/.exec(line)?.[1] ?? []);
    const short = spans.filter((span) => / /.test(span) && Object.hasOwn(commands, span.split(' ')[0] ?? ''));
    for (const line of [...typed, ...short]) {
      const [verb = '', ...words] = line.trim().split(/\s+/);
      const command = await commands[verb]?.();
      expect(command, line).toBeDefined();
      const program = new Command(verb);
      command?.define(program);
      const options = program.options.flatMap(({ long, short }) => [long, short]);
      for (const word of words.filter((word) => word.startsWith('-'))) expect(options, line).toContain(word);
    }
  });

  it.each(written)('in $path: scripts exist', ({ text }) => {
    const { scripts } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    for (const [, script = ''] of text.matchAll(/(?:\.\/dev|npm run) ([a-z]+)/g)) {
      expect(Object.keys(scripts)).toContain(script);
    }
  });

  it.each(written)('in $path: files exist', ({ path, spans }) => {
    for (const span of spans.filter((span) => !IN_EXAMPLES.has(span))) {
      const [top = ''] = span.split('/');
      if (/^[\w-]+\.ts$/.test(span))
        expect(sourceNames.has(span) || existsSync(join(ROOT, dirname(path), span)), span).toBe(true);
      else if (/^[\w.-]+\/[\w./-]*$/.test(span) && TOPS.has(top)) {
        expect(
          [join(ROOT, span), join(ROOT, 'src', span)].some((path) => existsSync(path)),
          span,
        ).toBe(true);
      }
    }
  });

  it.each(all)('in $path: links lead somewhere', ({ links }) => {
    for (const { file, anchor } of links) {
      expect(existsSync(join(ROOT, file)), file).toBe(true);
      if (anchor !== undefined) expect([...pageAt(file).anchors], `${file}#${anchor}`).toContain(anchor);
    }
  });
});

describe('the pages are complete', () => {
  it.each(Object.keys(outputTypes))('output %s has one, which says what accepted means', (type) => {
    expect([...pageAt(`docs/outputs/${type}.md`).anchors]).toContain('what-accepted-means');
  });

  it('README.md has every output, format and command', () => {
    const { spans } = pageAt('README.md');
    for (const name of [...Object.keys(outputTypes), ...Object.keys(tables.formats)]) expect(spans).toContain(name);
    const verbs = spans.map((span) => span.split(' ')[0]);
    for (const verb of Object.keys(commands)) expect(verbs).toContain(verb);
  });

  it('architecture.md has every room', () => {
    const { spans } = pageAt('docs/architecture.md');
    for (const { path } of sourceFiles()) {
      expect(spans).toContain(path.includes('/') ? `${path.split('/')[0]}/` : path);
    }
  });

  it('every decision is linked from architecture.md', () => {
    const linked = pageAt('docs/architecture.md').links.map(({ file }) => file);
    for (const name of readdirSync(join(ROOT, 'docs/decisions'))) expect(linked).toContain(`docs/decisions/${name}`);
  });

  it('CHANGELOG.md has this version', () => {
    const { version } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(pageAt('CHANGELOG.md').text).toContain(`## [${version}]`);
  });
});

/** Every key that may stand in a config, `clientSecretFile` beside `clientSecret`. */
function configKeys(): Set<string> {
  const keys = new Set<string>();
  const collect = (node: unknown): void => {
    if (typeof node !== 'object' || node === null) return;
    if ('properties' in node && typeof node.properties === 'object') {
      for (const key of Object.keys(node.properties ?? {})) keys.add(key);
    }
    for (const child of Object.values(node)) collect(child);
  };
  collect(jsonSchemaOf(configSchema(tables)));
  return keys;
}
