import type { Readable, Writable } from 'node:stream';
import type { Command as CommanderCommand } from 'commander';

/** A stream that may be a terminal. */
export type TerminalStream = Writable & { readonly isTTY?: boolean; readonly columns?: number; readonly rows?: number };

/** Where answers come from; a terminal or not. */
export type InputStream = Readable & { readonly isTTY?: boolean };

/** What a command may touch of the outside world. `main.ts` alone makes it, from `process`. */
export interface Shell {
  readonly stdin: InputStream;
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
  /** What Ctrl-C does, for a terminal that is read key by key and makes no signal of it. */
  interrupt(): void;
  /** Called on SIGHUP. */
  onReload(listener: () => void): void;
  /** Has every key told that is pressed, with no echo, until what it returns is called. Without a terminal none is. */
  onKey(listener: (key: string) => void): () => void;
  /** The text of a file, or of standard input for `-`. */
  readText(file: string): Promise<string>;
}

/** 0 done · 1 it ran and the answer is bad. What is thrown becomes 2 (usage, config) or 3 (store); see `main.ts`. */
export type ExitCode = 0 | 1;

/** What the manual says of a command beside its options: `--help`, `docs/commands.md` and the man page are made from it. */
export interface Manual {
  /** How it is typed, each way in a line, without the program and the verb: `--from <time> --to <time> [options]`. */
  readonly forms: readonly string[];
  /** What it does, in two or three sentences; a paragraph each. */
  readonly does: readonly string[];
  readonly sections?: readonly ManualSection[];
  readonly examples: readonly Example[];
  /** What exit code 1 says; default: that it failed. */
  readonly bad?: string;
  /** True when it goes on until a signal ends it, with exit code 0. Default false: a signal breaks it off. */
  readonly endless?: boolean;
  /** What it needs: who reads the store reads the config too. */
  readonly reads: 'nothing' | 'config' | 'store';
  /** Names of commands, and pages of the documentation. */
  readonly seeAlso: readonly string[];
}

export interface ManualSection {
  readonly title: string;
  readonly text?: readonly string[];
  readonly terms?: readonly (readonly [term: string, meaning: string])[];
}

export interface Example {
  /** A line for a shell. */
  readonly typed: string;
  readonly does: string;
}

/** A member of the rack: one verb that the operator types. */
export interface Command {
  readonly name: string;
  readonly manual: Manual;
  /** Adds a description of one line, arguments and options. */
  define(command: CommanderCommand): void;
  run(shell: Shell, args: readonly string[], options: Readonly<Record<string, unknown>>): Promise<ExitCode>;
}
