import { basename, dirname } from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Place, placesOf, type SourceFile, sourceFile, sourceFiles } from './house/source-files.ts';

/**
 * The rules that keep the house easy to find one's way in. Each is a wall; a failure names the file, the line and the wall.
 */

/**
 * The floors, lowest first: a file imports from its own room and from the floors below. A room is a folder; the files named here one
 * by one are rooms of their own, but those of the ground, which are one room.
 */
const FLOORS: readonly (readonly string[])[] = [
  ['errors.ts', 'event.ts', 'canonical.ts', 'secret.ts', 'options.ts', 'tls.ts', 'certificates.ts'],
  ['retry.ts', 'formats/', 'telemetry/metrics.ts', 'status/snapshot.ts'],
  ['mimecast/', 'feeds/', 'outputs/', 'store/', 'simulate/'],
  // What the daemon knows of itself, and above it who tells it: the log, the status server.
  ['status/'],
  ['page/'],
  ['telemetry/'],
  ['collect/', 'deliver/', 'config/'],
  ['daemon/'],
  ['commands/'],
  ['main.ts'],
];

/** The folders that hold things which can be added: a contract, one file a member, and the table. */
const RACKS = ['feeds', 'formats', 'formats/envelopes', 'outputs', 'commands'];

const files = sourceFiles();
const fileOf = new Map(files.map((file) => [file.path, file]));

function expectNone(wall: string, violations: readonly (Place & { readonly what: string })[]): void {
  const lines = violations.map(({ file, line, what }) => `src/${file}:${line} ${what}`);
  expect(lines, `${wall}\n${lines.join('\n')}\n`).toEqual([]);
}

function findInCode(pattern: RegExp, where: (file: SourceFile) => boolean = () => true): (Place & { what: string })[] {
  return files.filter(where).flatMap((file) =>
    placesOf(pattern, file, file.code).map((place) => ({
      ...place,
      what: file.text.split('\n')[place.line - 1]?.trim() ?? '',
    })),
  );
}

function importsThat(breaks: (from: string, to: string) => boolean): (Place & { what: string })[] {
  return files.flatMap(({ path, imports }) =>
    imports
      .filter(({ target }) => target !== undefined && breaks(path, target))
      .map(({ file, line, target }) => ({ file, line, what: `imports src/${target}` })),
  );
}

describe('the floors', () => {
  it('have a place for every file', () => {
    const homeless = files.filter(({ path }) => roomOf(path) === undefined);
    expectNone(
      'Wall: every file stands on a floor; name its room in FLOORS.',
      homeless.map(({ path }) => ({ file: path, line: 1, what: 'is in no room' })),
    );
  });

  it('are imported downwards only', () => {
    expectNone(
      'Wall: a file imports from its own room and from lower floors, never from the same floor or a higher one.',
      importsThat((from, to) => {
        const [importer, imported] = [roomOf(from), roomOf(to)];
        if (!importer || !imported) return false;
        return importer.name !== imported.name && importer.floor <= imported.floor;
      }),
    );
  });

  it('have no import that leads round in a circle', () => {
    expectNone('Wall: files do not import each other in a circle.', cycles());
  });

  it('have every relative import lead to a file', () => {
    expectNone(
      'Wall: a relative import names a file under src/, with its ending.',
      importsThat((_, to) => !fileOf.has(to) && to !== '../package.json'),
    );
  });
});

describe('the rooms', () => {
  it('collect and deliver meet in the store only', () => {
    expectNone(
      'Wall: collect and deliver never import each other.',
      importsThat((from, to) => {
        const rooms = [from, to].map((path) => path.split('/')[0]);
        return rooms.includes('collect') && rooms.includes('deliver');
      }),
    );
  });

  it('have members of a rack that do not know each other', () => {
    const violations = RACKS.flatMap((rack) => {
      const members = membersOf(rack);
      return importsThat((from, to) => members.has(from) && members.has(to));
    });
    expectNone('Wall: members of a rack never import each other; what they share has a file of its own.', violations);
  });

  it('have tables that only config, daemon and commands read', () => {
    const tables = new Set(RACKS.map((rack) => `${rack}/index.ts`));
    expectNone(
      "Wall: a rack's index.ts is imported by config, daemon and commands only (and the envelopes by outputs/syslog.ts).",
      importsThat((from, to) => {
        if (!tables.has(to) || (from === 'outputs/syslog.ts' && to === 'formats/envelopes/index.ts')) return false;
        return !['config', 'daemon', 'commands'].includes(from.split('/')[0] ?? '');
      }),
    );
  });

  it('leave SQL to the store', () => {
    const outside = files.filter(({ path }) => !path.startsWith('store/'));
    const statement =
      /\b(?:SELECT\b[^;]*?\bFROM|INSERT\s+(?:OR\s+\w+\s+)?INTO|UPDATE\s+\w+\s+SET|DELETE\s+FROM|PRAGMA\s+\w|(?:CREATE|DROP|ALTER)\s+(?:TABLE|INDEX|VIEW|TRIGGER))\b/g;
    const spoken = outside.flatMap((file) => placesOf(statement, file, file.uncommented));
    expectNone('Wall: only src/store says SQL or imports better-sqlite3.', [
      ...spoken.map((place) => ({ ...place, what: 'contains SQL' })),
      ...outside.flatMap(({ imports }) =>
        imports
          .filter(({ specifier }) => /^(?:better-sqlite3|node:sqlite)\b/.test(specifier))
          .map(({ file, line, specifier }) => ({ file, line, what: `imports ${specifier}` })),
      ),
    ]);
  });

  it('leave the process to main.ts', () => {
    const elsewhere = (file: SourceFile): boolean => file.path !== 'main.ts';
    expectNone('Wall: only src/main.ts touches `process`; all else is given what it needs.', [
      ...findInCode(/(?<![\w$])process(?![\w$])/g, elsewhere),
      ...files
        .filter(elsewhere)
        .flatMap(({ imports }) =>
          imports
            .filter(({ specifier }) => /^(?:node:)?process$/.test(specifier))
            .map(({ file, line, specifier }) => ({ file, line, what: `imports ${specifier}` })),
        ),
    ]);
  });

  it('leave waiting to retry.ts', () => {
    const elsewhere = (file: SourceFile): boolean => file.path !== 'retry.ts';
    // A time-out on a socket is no waiting: only a timer that becomes a promise is.
    const timers = files
      .filter(elsewhere)
      .flatMap(({ imports }) =>
        imports
          .filter(
            ({ specifier, text }) =>
              /timers\/promises$/.test(specifier) && !/^import \{ setImmediate\b[^,]*\}/.test(text),
          )
          .map(({ file, line, text }) => ({ file, line, what: text })),
      );
    expectNone('Wall: only src/retry.ts waits; sleep with it, so that every wait can be aborted.', [
      ...timers,
      ...findInCode(/new Promise\b[^;]*?\bset(?:Timeout|Interval)\(/g, elsewhere),
      ...findInCode(/\bpromisify\(\s*set(?:Timeout|Interval)\b|\bAtomics\s*\.\s*wait/g, elsewhere),
    ]);
  });
});

describe('the files', () => {
  it('have names that tell what is in them', () => {
    const vague = /(?:^|\/)(?:utils?|types?|libs?|helpers?|constants?|common|misc|shared)(?:\.ts$|\/)/;
    expectNone(
      'Wall: no file or folder called utils, types, lib, helpers, constants or the like.',
      files.filter(({ path }) => vague.test(path)).map(({ path }) => ({ file: path, line: 1, what: basename(path) })),
    );
  });

  it('export by name', () => {
    expectNone(
      'Wall: no default exports; a thing has one name everywhere.',
      findInCode(/\bexport\s+default\b|\bas\s+default\b/g),
    );
  });

  it('say what type a value has', () => {
    expectNone(
      'Wall: no `any`; what is not known yet is `unknown`.',
      findInCode(/(?<=[:<,|&(=]\s*|\bas\s+|=>\s*)any(?![\w$:])/g),
    );
  });
});

describe('the walls themselves', () => {
  const text = `import { a } from './a.ts'; // import from './not.ts'
const url = 'https://x'; /* process */ const quote = /["'\`/]/g;
const nested = \`process \${ { a: \`any \${process.pid}\` } } process\`;
type Lazy = import('../event.ts').Event;
import {
  b,
} from 'package';
export { c } from '../errors.ts';`;
  const file = sourceFile('store/sample.ts', text);

  it('see every way to import, and where', () => {
    expect(file.imports.map(({ line, target, specifier }) => [line, target ?? specifier])).toEqual([
      [1, 'store/a.ts'],
      [4, 'event.ts'],
      [5, 'package'],
      [8, 'errors.ts'],
    ]);
  });

  it('tell code from texts and comments', () => {
    expect(file.code.split('\n').map((line) => line.length)).toEqual(text.split('\n').map((line) => line.length));
    expect(placesOf(/\bprocess\b/g, file, file.code)).toEqual([{ file: 'store/sample.ts', line: 3 }]);
    expect(file.uncommented).toContain('https://x');
    expect(file.uncommented).not.toContain('not.ts');
  });
});

/** The room with the longest name that holds the file: `telemetry/metrics.ts` before `telemetry/`. */
function roomOf(path: string): { readonly name: string; readonly floor: number } | undefined {
  const rooms = FLOORS.flatMap((names, floor) => names.map((name) => ({ name, floor })))
    .filter(({ name }) => path === name || (name.endsWith('/') && path.startsWith(name)))
    .sort((a, b) => b.name.length - a.name.length);
  const [room] = rooms;
  return room?.floor === 0 ? { name: 'ground', floor: 0 } : room;
}

/** What a rack's table lists, the contract aside. */
function membersOf(rack: string): Set<string> {
  const contract = `${rack}/${basename(rack).replace(/s$/, '')}.ts`;
  const listed = fileOf.get(`${rack}/index.ts`)?.imports ?? [];
  const targets = listed.flatMap(({ target }) => (target === undefined || target === contract ? [] : [target]));
  return new Set(targets.filter((target) => dirname(target) === rack));
}

/** One finding for each circle, at the import that closes it. */
function cycles(): (Place & { what: string })[] {
  const found: (Place & { what: string })[] = [];
  const finished = new Set<string>();
  const visit = (path: string, way: readonly string[]): void => {
    for (const { line, target } of fileOf.get(path)?.imports ?? []) {
      if (target === undefined || finished.has(target)) continue;
      const start = way.indexOf(target);
      if (start >= 0) found.push({ file: path, line, what: `closes ${[...way.slice(start), target].join(' > ')}` });
      else visit(target, [...way, target]);
    }
    finished.add(path);
  };
  for (const { path } of files) if (!finished.has(path)) visit(path, [path]);
  return found;
}
