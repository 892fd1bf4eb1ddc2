import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

/** What a process and its descendants have used. */
export interface Usage {
  /** User and system time since the start, those of ended children included. */
  readonly cpuSeconds: number;
  /** The kernel's own high-water marks, added up: exact for one process, an upper bound for several. */
  readonly peakBytes: number;
  readonly residentBytes: number;
}

/** Ticks of /proc/PID/stat in a second. */
const TICKS = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }));

/** Reads the usage of a process tree from /proc. Zeroes when it has ended. */
export function usageOfTree(pid: number): Usage {
  const all = treeOf(pid).map(usageOf);
  return {
    cpuSeconds: sum(all.map(({ cpuSeconds }) => cpuSeconds)),
    peakBytes: sum(all.map(({ peakBytes }) => peakBytes)),
    residentBytes: sum(all.map(({ residentBytes }) => residentBytes)),
  };
}

function treeOf(pid: number): number[] {
  const tasks = attempt(() => readdirSync(`/proc/${pid}/task`), []);
  const children = tasks.flatMap((task) =>
    attempt(() => readFileSync(`/proc/${pid}/task/${task}/children`, 'latin1'), '')
      .split(' ')
      .filter((child) => child !== ''),
  );
  return [pid, ...children.flatMap((child) => treeOf(Number(child)))];
}

function usageOf(pid: number): Usage {
  const stat = attempt(() => readFileSync(`/proc/${pid}/stat`, 'latin1'), '');
  // The name in parentheses may hold anything, so fields are counted from behind it; the 12th to 15th are the times.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const ticks = sum(fields.slice(11, 15).map(Number));
  const status = attempt(() => readFileSync(`/proc/${pid}/status`, 'latin1'), '');
  return { cpuSeconds: ticks / TICKS, peakBytes: kib(status, 'VmHWM'), residentBytes: kib(status, 'VmRSS') };
}

function kib(status: string, key: string): number {
  return Number(new RegExp(`^${key}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1] ?? 0) * 1024;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** A process may end between two looks at it. */
function attempt<T>(read: () => T, otherwise: T): T {
  try {
    return read();
  } catch {
    return otherwise;
  }
}
