import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command as Program } from 'commander';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { commandsReference } from '../../src/commands/commands-reference.ts';
import { commandHelp, programHelp } from '../../src/commands/help-page.ts';
import { commands } from '../../src/commands/index.ts';
import { manPage } from '../../src/commands/man-page.ts';
import { type ProgramPage, programPage } from '../../src/commands/manual.ts';
import { runProgram } from '../../src/commands/program.ts';
import { Simulator } from '../../src/simulate/simulator.ts';
import { cells } from '../../src/status/text.ts';
import { Store } from '../../src/store/store.ts';
import { writeConfig } from '../daemon/running.ts';
import { addEvents } from '../deliver/delivering.ts';
import { ROOT } from '../docs/markdown.ts';
import { testShell, type } from './shell.ts';

/** The manual says what is so: its options exist, its examples work, and its three shapes are those that are in the repository. */

const all = await Promise.all(Object.values(commands).map((load) => load()));
const page = programPage(all);
const pages = page.commands;
const script = (await type(['completion', 'bash'])).stdout;
const named = pages.map(({ name }) => name);
const examples = pages.flatMap((of) => of.examples.map(({ typed }) => ({ typed, of })));

describe.each(pages)('the page of $name', (of) => {
  it('names options and commands that there are', () => {
    const flags = of.options.flatMap(([term]) => term.match(/(?<![\w-])--?[a-zA-Z][\w-]*/g) ?? []);
    for (const form of of.forms)
      for (const flag of form.match(/(?<![\w-])--?[a-zA-Z][\w-]*/g) ?? []) expect(flags).toContain(flag);
    for (const name of of.seeAlso) {
      if (name.endsWith('.md')) expect(existsSync(join(ROOT, name)), name).toBe(true);
      else expect(named.filter((other) => other !== of.name)).toContain(name);
    }
  });

  it('tells all: sentences, a default or a unit where there is one, exit codes, an example', () => {
    expect(of.summary).toMatch(/^[^A-Z].*[^.]$/);
    for (const text of of.does) expect(text).toMatch(/[.:]$/);
    for (const [term, meaning] of [...of.options, ...of.arguments]) expect(meaning, term).not.toBe('');
    expect(of.exitCodes.map(([code]) => code)).toEqual(expect.arrayContaining(['0', '1', '2', '130, 143']));
    expect(of.examples.length).toBeGreaterThan(0);
  });

  it.each([60, 80, 100])('fits %i columns', (columns) => {
    const wide = commandHelp(of, columns)
      .split('\n')
      .filter(
        (line) => cells(line) > columns && /\s\S+\s/.test(line.trim()) && !/^ {2,4}(mimecast|source|--)/.test(line),
      );
    expect(wide).toEqual([]);
  });

  it('has all of it in the help, the reference and the man page', () => {
    const help = commandHelp(of, 100);
    for (const section of ['Usage', 'Options', 'Examples', 'Exit codes', 'See also']) {
      expect(help).toMatch(new RegExp(`^${section}:`, 'm'));
    }
    for (const [term] of of.options) expect(help).toContain(`  ${term}`);
  });

  it('has its options completed', () => {
    const line = script.split('\n').find((text) => text.startsWith(`    ${of.name}) COMPREPLY`)) ?? '';
    const flags = of.options.flatMap(([term]) => /--[\w-]+/.exec(term)?.[0] ?? []);
    for (const flag of flags.filter((flag) => flag !== '--help')) expect(line).toContain(flag);
  });
});

describe('an example', () => {
  it.each(examples)('is taken by the parser: $typed', ({ typed }) => {
    const [name = '', ...words] = wordsOf(typed);
    const command = all.find((other) => other.name === name);
    expect(command, name).toBeDefined();
    const verb = new Program(name).exitOverride().configureOutput({ writeErr: () => undefined });
    command?.define(verb);
    expect(() => verb.action(() => undefined).parse(words, { from: 'user' })).not.toThrow();
  });
});

describe('an example, tried', () => {
  /** Those that ask a person, show the whole program for some seconds, or do what the one above them does: they have tests of their own. */
  const ELSEWHERE = /^mimecast-forwarder (init|demo|reconcile .* --repair)/;
  /** What the manual says of it may be so here: the store below has rejects. */
  const MAY_SAY_BAD = ['status'];
  const NOW = Date.UTC(2026, 10, 23, 12);
  let simulator: Simulator;
  let folder: string;
  let path: string;
  let pristine: string;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'manual-'));
    path = join(folder, 'forwarder.db');
    pristine = join(folder, 'pristine.db');
    simulator = await Simulator.start({ seed: 'manual', now: () => NOW });
    simulator.seed(40, { from: Date.UTC(2026, 10, 22, 6), to: Date.UTC(2026, 10, 22, 18) });
    const file = (name: string) => ({ name, type: 'file', path: join(folder, `${name}.out`), startFrom: 'beginning' });
    const config = writeConfig(folder, simulator, {
      feeds: [{ type: 'attachment', startFrom: '10d', settle: '0s', maxWindow: '96h', sweep: false }],
      outputs: ['splunk', 'qradar', 'elastic'].map(file),
    });
    mkdirSync(join(folder, 'config'));
    for (const place of ['practice.yaml', 'config/forwarder.yaml']) copyFileSync(config, join(folder, place));
    expect((await type(['run', '--once', '--config', config])).code).toBe(0);
    fill();
  });

  afterAll(async () => {
    await simulator.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  it.each(examples.filter(({ typed }) => !ELSEWHERE.test(typed)))('works: $typed', async ({ typed, of }) => {
    copyFileSync(pristine, path);
    const records = [...simulator.visibleRecords()].map((record) => JSON.stringify(record));
    const files = { 'records.ndjson': records.join('\n'), '-': records.join('\n') };
    const { shell, stop, stderr } = testShell({ cwd: folder, files });
    const isEndless = of.endless === true || /--watch/.test(typed);
    if (isEndless && !/--once|--no-follow/.test(typed)) stop.abort();
    const code = await runProgram(shell, wordsOf(typed));
    expect(MAY_SAY_BAD.includes(of.name) ? [0, 1] : [0], stderr.text).toContain(code);
  });

  /** Puts into the store what the examples name by number. */
  function fill(): void {
    const store = Store.open(path);
    const first = store.outbox.lastSeq;
    addEvents(store, 20, 1, { result: 'malicious' });
    const events = store.outbox.read(first, { maxEvents: 20, maxBytes: 1e9 });
    store.settle(
      'elastic',
      first + 20,
      events.map((event) => ({ event, reason: 'no such index' })),
      NOW,
    );
    for (const output of ['splunk', 'qradar']) store.settle(output, first + 20, [], NOW);
    for (let number = 1; number <= 12; number += 1) addEvents(store, 1, 1, { result: `other ${number}` });
    const candidates = ['1', '2', '3'].map((raw) => ({ raw: Buffer.from(raw), value: { malformed: 'a number' } }));
    store.storePage({ feed: 'attachment', type: 'attachment', candidates, variants: 'suppress', now: NOW });
    const span = { from: Date.UTC(2026, 10, 22), to: Date.UTC(2026, 10, 23) };
    for (let number = 1; number <= 3; number += 1) store.replays.ask({ output: 'splunk', span, underWay: 0 }, NOW);
    store.startOutput('old-siem', 'now');
    store.close();
    copyFileSync(path, pristine);
  }
});

describe('the whole', () => {
  const advice = 'else run: node scripts/commands-reference.ts';

  it(`is docs/commands.md (${advice})`, () => {
    expect(readFileSync(join(ROOT, 'docs/commands.md'), 'utf8')).toBe(commandsReference(page));
  });

  it(`is the man page (${advice}), which npm installs`, () => {
    const { man, files } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8'));
    expect(readFileSync(join(ROOT, man), 'utf8')).toBe(manPage(page));
    expect(files).toContain('docs');
  });

  it('is a help of the program that has every command and fits 80 columns', () => {
    const help = programHelp(page, 80);
    for (const { name, summary } of pages) expect(help).toContain(`\n  ${name.padEnd(14)}  ${summary.slice(0, 30)}`);
    expect(help.split('\n').filter((line) => cells(line) > 80)).toEqual([]);
  });
});

describe('the man page', () => {
  const hostile: ProgramPage = {
    ...page,
    does: [".so /etc/passwd is text, and so is 'this", "'quoted' \\fBtext\\fR with `--flags` and a back\\slash"],
    commands: [],
  };
  const has = (tool: string) => spawnSync(tool, ['--version']).error === undefined;
  const groff = (text: string) =>
    spawnSync('groff', ['-man', '-Tutf8', '-ww', '-rLL=100n'], {
      input: text,
      encoding: 'utf8',
      env: { ...process.env, GROFF_NO_SGR: '1' },
    });
  /** Without overstrikes, and with one space between words. */
  const plain = (text: string) =>
    text
      .replace(/.\u0008/g, '')
      .replace(/[\u2010\u2212]/g, '-')
      .replace(/\s+/g, ' ');

  it.skipIf(!has('groff'))('is set by groff without a warning, word for word (skipped without groff)', () => {
    const { stdout, stderr } = groff(manPage(page));
    expect(stderr).toBe('');
    const text = plain(stdout);
    for (const of of pages) {
      for (const { typed } of of.examples) expect(text).toContain(typed);
      for (const [, meaning] of of.options) expect(text).toContain(meaning.replaceAll('`', ''));
    }
  });

  it.skipIf(!has('groff'))('has no request in what it quotes (skipped without groff)', () => {
    const { stdout, stderr } = groff(manPage(hostile));
    expect(stderr).toBe('');
    expect(plain(stdout)).toContain(".so /etc/passwd is text, and so is 'this");
    expect(plain(stdout)).toContain("'quoted' \\fBtext\\fR with --flags and a back\\slash");
  });

  it.skipIf(!has('mandoc'))('is taken by mandoc (skipped without mandoc)', () => {
    const { stdout } = spawnSync('mandoc', ['-Tlint', '-Wwarning'], { input: manPage(page), encoding: 'utf8' });
    expect(
      stdout.split('\n').filter((line) => /WARNING|ERROR|UNSUPP/.test(line) && !/missing date/.test(line)),
    ).toEqual([]);
  });
});

/** The words of an example that the program gets: less the shell's own. */
function wordsOf(typed: string): string[] {
  const line = /^source <\((.*)\)$/.exec(typed)?.[1] ?? typed;
  const [program, ...words] = line.replace(/ [<>] .*$/, '').split(' ');
  expect(program).toBe('mimecast-forwarder');
  return words;
}
