import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it, onTestFinished, vi } from 'vitest';
import { watchFiles } from '../../src/config/watch.ts';
import { sleep } from '../../src/retry.ts';
import { temporaryFolder } from '../deliver/delivering.ts';

const SOON = { timeout: 5000, interval: 5 };
const EVERY = 20;

/** Watches files until the test ends; gives the number of changes so far. */
function watching(...files: string[]): () => number {
  const stop = new AbortController();
  let changes = 0;
  const ended = watchFiles(
    () => files,
    () => {
      changes += 1;
    },
    stop.signal,
    EVERY,
  );
  onTestFinished(async () => {
    stop.abort();
    await ended;
  });
  return () => changes;
}

it('takes a file that is written over, replaced by a rename, removed and put back for a change each', async () => {
  const file = join(temporaryFolder(), 'forwarder.yaml');
  writeFileSync(file, 'one');
  const changes = watching(file);
  writeFileSync(file, 'two');
  await expect.poll(changes, SOON).toBe(1);
  writeFileSync(`${file}.new`, 'tri');
  renameSync(`${file}.new`, file);
  await expect.poll(changes, SOON).toBe(2);
  rmSync(file);
  await expect.poll(changes, SOON).toBe(3);
  writeFileSync(file, 'two');
  await expect.poll(changes, SOON).toBe(4);
});

it('sees a volume of Kubernetes swapped, all of its files as one change', async () => {
  const folder = temporaryFolder();
  const release = (name: string): void => {
    mkdirSync(join(folder, name));
    for (const file of ['forwarder.yaml', 'token']) writeFileSync(join(folder, name, file), name);
    symlinkSync(name, join(folder, '..data_tmp'));
    renameSync(join(folder, '..data_tmp'), join(folder, '..data'));
  };
  release('..one');
  const files = ['forwarder.yaml', 'token'].map((name) => join(folder, name));
  for (const file of files) symlinkSync(join('..data', file.slice(folder.length + 1)), file);
  const changes = watching(...files);
  release('..two');
  await expect.poll(changes, SOON).toBe(1);
  release('..three');
  await expect.poll(changes, SOON).toBe(2);
});

it('waits until a file that is still being written stays as it is, and tells once', async () => {
  const file = join(temporaryFolder(), 'forwarder.yaml');
  writeFileSync(file, '');
  const changes = watching(file);
  const told = vi.fn(changes);
  for (let part = 0; part < 30; part += 1) {
    writeFileSync(file, `${part}`, { flag: 'a' });
    expect(told()).toBe(0);
    await sleep(EVERY / 4);
  }
  await expect.poll(changes, SOON).toBe(1);
});
