import { statSync } from 'node:fs';
import { sleep } from '../retry.ts';

/** How often the files are looked at, ms. */
const LOOK_EVERY = 1000;

/**
 * Calls the listener each time one of the files has changed and then stayed the same for one look (`every` ms), so that a file is not read half
 * written, and files that are replaced together count as one change. Until the signal is aborted.
 *
 * It looks (a stat a second for each file, some microseconds) and does not ask the kernel to be told: inotify says nothing of a file that
 * is replaced beneath a bind mount, on NFS, or by a symbolic link further up, which is how Kubernetes swaps all of a volume (`..data`).
 * A stat follows every link, and an atomic rename is another inode.
 */
export async function watchFiles(
  files: () => readonly string[],
  onChange: () => void,
  signal: AbortSignal,
  every = LOOK_EVERY,
): Promise<void> {
  let taken = new Map(files().map((file) => [file, stateOf(file)]));
  let last = taken;
  while (!signal.aborted) {
    await sleep(every, signal).catch(() => undefined);
    if (signal.aborted) return;
    const seen = new Map(files().map((file) => [file, stateOf(file)]));
    const isSettled = !differs(last, seen);
    last = seen;
    if (!isSettled) continue;
    const isNews = differs(taken, seen);
    taken = seen;
    if (isNews) onChange();
  }
}

/** A file that is named only now is no change: it was read with the config that names it. */
function differs(before: ReadonlyMap<string, string>, after: ReadonlyMap<string, string>): boolean {
  return [...after].some(([file, state]) => before.has(file) && before.get(file) !== state);
}

/** What tells one state of a file from another. */
function stateOf(file: string): string {
  try {
    const { dev, ino, size, mtimeNs, ctimeNs } = statSync(file, { bigint: true });
    return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
  } catch {
    return 'absent';
  }
}
