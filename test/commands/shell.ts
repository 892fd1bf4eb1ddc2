import { Readable } from 'node:stream';
import type { Shell } from '../../src/commands/command.ts';
import { runProgram } from '../../src/commands/program.ts';
import { MemoryStream } from '../telemetry/memory-stream.ts';

/** The outside world of a command, in memory. */
export interface TestShell {
  readonly shell: Shell;
  readonly stdout: MemoryStream;
  readonly stderr: MemoryStream;
  readonly stop: AbortController;
  /** SIGHUP. */
  hangUp(): void;
}

export function testShell(
  more: {
    readonly cwd?: string;
    readonly files?: Readonly<Record<string, string>>;
    readonly env?: Shell['env'];
    readonly stdin?: Shell['stdin'];
    /** Whether stdout and stderr are a terminal, of 80 columns. Default: false. */
    readonly isTTY?: boolean;
  } = {},
): TestShell {
  const [stdout, stderr] = [new MemoryStream(more), new MemoryStream(more)];
  const stdin = more.stdin ?? Readable.from([]);
  const stop = new AbortController();
  const listeners: (() => void)[] = [];
  const shell: Shell = {
    stdin,
    stdout,
    stderr,
    env: more.env ?? {},
    cwd: more.cwd ?? '/',
    pid: 4711,
    hostname: 'test-host',
    version: '1.2.3',
    node: 'v24.0.0',
    signal: stop.signal,
    interrupt: () => stop.abort(new DOMException('SIGINT', 'AbortError')),
    onReload: (listener) => void listeners.push(listener),
    onKey: () => () => undefined,
    readText: async (file) => {
      const text = more.files?.[file];
      if (text === undefined) throw new Error(`there is no file ${file}`);
      return text;
    },
  };
  const hangUp = (): void => {
    for (const listener of listeners) listener();
  };
  return { shell, stdout, stderr, stop, hangUp };
}

export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Types a command line and gives what came of it. */
export async function type(args: readonly string[], more: Parameters<typeof testShell>[0] = {}): Promise<Ended> {
  const { shell, stdout, stderr } = testShell(more);
  const code = await runProgram(shell, args);
  return { code, stdout: stdout.text, stderr: stderr.text };
}
