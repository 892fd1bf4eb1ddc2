import type { Command } from './command.ts';

/**
 * Every verb, in the order of the help, each with the file that holds it. A verb is loaded when it is typed: the daemon should not
 * pay, in start-up time and memory, for the simulator that only `demo` needs.
 */
export const commands: Readonly<Record<string, () => Promise<Command>>> = {
  init: async () => (await import('./init.ts')).init,
  run: async () => (await import('./run.ts')).run,
  check: async () => (await import('./check.ts')).check,
  status: async () => (await import('./status.ts')).status,
  tap: async () => (await import('./tap.ts')).tap,
  backfill: async () => (await import('./backfill.ts')).backfill,
  reconcile: async () => (await import('./reconcile.ts')).reconcile,
  replay: async () => (await import('./replay.ts')).replay,
  rejects: async () => (await import('./rejects.ts')).rejects,
  variants: async () => (await import('./variants.ts')).variants,
  outputs: async () => (await import('./outputs.ts')).outputs,
  format: async () => (await import('./format.ts')).format,
  config: async () => (await import('./config.ts')).config,
  simulate: async () => (await import('./simulate.ts')).simulate,
  'support-bundle': async () => (await import('./support-bundle.ts')).supportBundle,
  completion: async () => (await import('./completion.ts')).completionOf(everyVerb),
  demo: async () => (await import('./demo.ts')).demo,
};

function everyVerb(): Promise<readonly Command[]> {
  return Promise.all(Object.values(commands).map((load) => load()));
}
