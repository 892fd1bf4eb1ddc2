import type { Writable } from 'node:stream';
import type { Command as CommanderCommand } from 'commander';

/** A stream that may be a terminal. */
export type TerminalStream = Writable & { readonly isTTY?: boolean; readonly columns?: number };

/** What a command may touch of the outside world. `main.ts` alone makes it, from `process`. */
export interface Shell {
  /** Results go here. */
  readonly stdout: TerminalStream;
  /** Progress and logs go here. */
  readonly stderr: TerminalStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly pid: number;
  readonly hostname: string;
  /** Version of the program. */
  readonly version: string;
  /** `v24.1.0`. */
  readonly node: string;
  /** Aborted by the first SIGTERM or SIGINT. */
  readonly signal: AbortSignal;
  /** Called on SIGHUP. */
  onReload(listener: () => void): void;
  /** The text of a file, or of standard input for `-`. */
  readText(file: string): Promise<string>;
}

/** 0 done · 1 it ran and the answer is bad. What is thrown becomes 2 (usage, config) or 3 (store); see `main.ts`. */
export type ExitCode = 0 | 1;

/** A member of the rack: one verb that the operator types. */
export interface Command {
  readonly name: string;
  /** Adds description, arguments, options and an example to the help. */
  define(command: CommanderCommand): void;
  run(shell: Shell, args: readonly string[], options: Readonly<Record<string, unknown>>): Promise<ExitCode>;
}
