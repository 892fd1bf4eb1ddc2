import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { stripTypeScriptTypes } from 'node:module';
import { join, resolve } from 'node:path';
import { daemonCommand, syslogOutput, wholePast } from './daemon.ts';
import type { Command } from './processes.ts';

const REPOSITORY = resolve(import.meta.dirname, '..');

/** Where one run takes place. */
export interface Place {
  /** An empty folder of its own. */
  readonly folder: string;
  readonly apiPort: number;
  readonly sinkPort: number;
  /** The time of the first record, ms since 1970. */
  readonly first: number;
}

/** A program that reads the API to its end and sends every record to the sink. */
export interface Subject {
  readonly name: string;
  /** The ports that it can be told nothing of. */
  readonly fixed?: { readonly apiPort: number; readonly sinkPort: number };
  /** Writes what it needs into the folder; nothing of that is timed. */
  prepare(place: Place): Command;
}

/** The yardstick. Its types are taken out beforehand, since the daemon is built JavaScript too. */
export function barePipeline(): Subject {
  // Inside the repository, so that its packages are found.
  const folder = join(REPOSITORY, '.cache', 'bench');
  const script = join(folder, 'bare-pipeline.mjs');
  mkdirSync(folder, { recursive: true });
  writeFileSync(script, stripTypeScriptTypes(readFileSync(join(import.meta.dirname, 'bare-pipeline.ts'), 'utf8')));
  return {
    name: 'bare pipeline',
    prepare: ({ folder, apiPort, sinkPort }) => ({
      file: process.execPath,
      args: [script, String(apiPort), String(sinkPort), join(folder, 'bare.db')],
      cwd: folder,
    }),
  };
}

export function daemon(
  name: string,
  options: { readonly format: 'json' | 'cef'; readonly confirm: 'close' | 'write' },
  /** `store`: one to go on with; it is copied. `others`: outputs besides the one to the sink. */
  { store, others = [] }: { readonly store?: string; readonly others?: readonly object[] } = {},
): Subject {
  return {
    name,
    prepare: ({ folder, apiPort, sinkPort, first }) => {
      if (store !== undefined) copyFileSync(store, join(folder, 'forwarder.db'));
      return daemonCommand({
        folder,
        api: { port: apiPort },
        feed: wholePast(first),
        outputs: [syslogOutput(sinkPort, options), ...others],
      });
    },
  };
}

/** syslog-ng with a fetcher in Python: the nearest thing to this job that is widely used. See `syslog-ng/`. */
export function syslogNg(program: string): Subject {
  return {
    name: 'syslog-ng + Python fetcher',
    prepare: ({ folder, apiPort, sinkPort }) => {
      const config = join(folder, 'syslog-ng.conf');
      // The queue of the destination has to hold what the window of the source lets through (syslog-ng refuses to start else).
      writeFileSync(
        config,
        `@version: 3.38
python {
from attachment_logs import AttachmentLogs
};
options { keep-hostname(yes); stats-freq(0); };
source api {
  python-fetcher(class("AttachmentLogs") options("port" "${apiPort}") flags(no-parse) fetch-no-data-delay(60) log-iw-size(10000));
};
destination sink {
  syslog("127.0.0.1" port(${sinkPort}) transport("tcp") log-fifo-size(20000) template("\${MESSAGE}"));
};
log { source(api); destination(sink); flags(flow-control); };
`,
      );
      const own = (name: string): string => join(folder, name);
      return {
        file: program,
        args: ['-F', '--no-caps', '-f', config, '-R', own('persist'), '-p', own('pid'), '-c', own('control')],
        cwd: folder,
        env: { PYTHONPATH: join(import.meta.dirname, 'syslog-ng'), PYTHONDONTWRITEBYTECODE: '1' },
      };
    },
  };
}

/**
 * Somebody else's pipeline as a yardstick from outside: a script that takes the name of a database file, reads the API on port
 * 8701 and sends to port 5514. It is run in this repository, so that it finds better-sqlite3 and undici.
 */
export function externalPipeline(script: string): Subject {
  return {
    name: 'external pipeline',
    fixed: { apiPort: 8701, sinkPort: 5514 },
    prepare: ({ folder }) => ({
      file: process.execPath,
      args: [resolve(script), join(folder, 'external.db'), '--sync', 'FULL'],
      cwd: REPOSITORY,
    }),
  };
}
