import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child, OTHER_CORE, SUBJECT_CORE, type Told } from './processes.ts';
import type { SinkCounts } from './sink.ts';
import type { Subject } from './subjects.ts';
import { usageOfTree } from './usage.ts';

/** What one run has shown. */
export interface Run {
  readonly subject: string;
  readonly records: number;
  /** From the start of the process until the sink had every record; undefined when it did not get them all. */
  readonly seconds: number | undefined;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
  /** From the start of the process until the sink had the first bytes. */
  readonly firstRecordMs: number | undefined;
  readonly distinct: number;
  readonly repeated: number;
}

/** How long to watch for records that come a second time, once all have come. */
const AFTERMATH_MS = 500;
/** A subject that is slower than this, records a second, has failed. Far below any that was measured. */
const SLOWEST = 500;
const START_PATIENCE_MS = 300_000;

/** Folders of runs, all removed when the benchmark ends: deleting one just before a run would slow that run's disk. */
export class Workplace {
  readonly folder = mkdtempSync(join(tmpdir(), 'forwarder-bench-'));
  #runs = 0;

  constructor() {
    // Also when it is interrupted.
    process.once('exit', () => rmSync(this.folder, { recursive: true, force: true }));
  }

  /** A new folder. */
  next(): string {
    this.#runs += 1;
    const folder = join(this.folder, String(this.#runs));
    mkdirSync(folder);
    return folder;
  }
}

/** The API as a process; see `api.ts`. */
export interface Api {
  readonly child: Child;
  readonly ports: readonly number[];
  /** The time of the first record, ms since 1970. */
  readonly first: number;
  readonly records: number;
}

/** Port 0 is any that is free. */
export async function startApi(records: number, ports: readonly number[], workplace: Workplace): Promise<Api> {
  const args = [join(import.meta.dirname, 'api.ts'), '--records', String(records)];
  for (const port of ports) args.push('--port', String(port));
  const log = join(workplace.folder, 'api.log');
  const command = { file: process.execPath, args, cwd: workplace.folder };
  const child = await Child.start(command, { core: OTHER_CORE, log });
  const told = await child.told('listening', START_PATIENCE_MS);
  if (told === undefined)
    throw new Error(`the API cannot listen on ports ${ports.join(', ')}: ${readFileSync(log, 'utf8')}`);
  return { child, ports: told.ports as number[], first: told.first as number, records };
}

/** The sink as a process: in C where there is a compiler. */
export async function startSink(
  port: number,
  expected: number,
  folder: string,
): Promise<{ child: Child; port: number }> {
  const program = compiledSink();
  const [file, ...script] = program ?? [process.execPath, join(import.meta.dirname, 'sink.ts')];
  const command = { file: file ?? '', args: [...script, String(port), String(expected)], cwd: folder };
  const log = join(folder, 'sink.log');
  const child = await Child.start(command, { core: OTHER_CORE, log });
  const told = await child.told('listening', START_PATIENCE_MS);
  if (told === undefined) throw new Error(`the sink cannot listen on port ${port}: ${readFileSync(log, 'utf8')}`);
  return { child, port: told.port as number };
}

/** Runs a subject once, in a new folder, and counts what comes. */
export async function measure(subject: Subject, api: Api, workplace: Workplace): Promise<Run> {
  const folder = workplace.next();
  const [freePort = 0] = api.ports;
  const sink = await startSink(subject.fixed?.sinkPort ?? 0, api.records, folder);
  const command = subject.prepare({
    folder,
    apiPort: subject.fixed?.apiPort ?? freePort,
    sinkPort: sink.port,
    first: api.first,
  });
  // What earlier runs have left to be written shall not be written in this one.
  spawnSync('sync');
  const log = join(folder, 'subject.log');
  const child = await Child.start(command, { core: SUBJECT_CORE, log, quiet: true });
  const complete = await allArrived(sink.child, child, api.records);
  const usage = usageOfTree(child.pid);
  if (complete) await sleep(AFTERMATH_MS);
  else
    console.error(`${subject.name} has not sent everything. It said last:\n${readFileSync(log, 'utf8').slice(-2000)}`);
  await child.stop();
  await sink.child.stop();
  const counts = countsOf(await sink.child.told('end', 0));
  return {
    subject: subject.name,
    records: api.records,
    seconds: complete && (countsOf(complete).last - child.startedAt) / 1000,
    cpuSeconds: usage.cpuSeconds,
    peakBytes: usage.peakBytes,
    firstRecordMs: counts.first === 0 ? undefined : counts.first - child.startedAt,
    distinct: counts.distinct,
    repeated: counts.repeated,
  };
}

/** The sink's word that it has every record. Looks now and then whether both are still there. */
async function allArrived(sink: Child, subject: Child, records: number): Promise<Told | undefined> {
  const deadline = Date.now() + 60_000 + (records / SLOWEST) * 1000;
  while (Date.now() < deadline) {
    const complete = await sink.told('complete', 1000);
    if (complete || !subject.isRunning || !sink.isRunning) return complete;
  }
  return undefined;
}

function countsOf(told: Told | undefined): SinkCounts {
  const nothing = { messages: 0, bytes: 0, distinct: 0, repeated: 0, unmarked: 0, connections: 0, first: 0, last: 0 };
  return { ...nothing, ...told };
}

let sinkProgram: string[] | false | undefined;

/** The sink of `sink.c`, compiled once; undefined without a C compiler. */
function compiledSink(): string[] | undefined {
  if (sinkProgram === undefined) {
    const folder = join(import.meta.dirname, '..', '.cache', 'bench');
    mkdirSync(folder, { recursive: true });
    const program = join(folder, 'sink');
    const made = spawnSync('cc', ['-O2', '-o', program, join(import.meta.dirname, 'sink.c')], { stdio: 'ignore' });
    sinkProgram = made.status === 0 ? [program] : false;
  }
  return sinkProgram || undefined;
}
