import { readdirSync } from 'node:fs';
import { basename } from 'node:path';
import { expect, it } from 'vitest';
import { outputTypes } from '../../src/outputs/index.ts';
import { describeOutput } from './output-contract.ts';
import type { Harness } from './output-harness.ts';

const harnessFiles = readdirSync(new URL('./harnesses/', import.meta.url));
/** By the name of the member, as the table has it; a member that speaks several protocols has more: `syslog.relp`. */
const harnesses: Readonly<Record<string, Harness>> = Object.fromEntries(
  await Promise.all(
    harnessFiles.map(async (file) => [basename(file, '.ts'), (await import(`./harnesses/${file}`)).harness as Harness]),
  ),
);

it('the table has every file of the folder, under its own name, and each has a harness', () => {
  const folder = new URL('../../src/outputs/', import.meta.url);
  const files = readdirSync(folder).filter(
    (name) => name.endsWith('.ts') && name !== 'index.ts' && name !== 'output.ts',
  );
  const names = files.map((name) => basename(name, '.ts')).sort();
  expect(Object.keys(outputTypes).sort()).toEqual(names);
  expect(Object.values(outputTypes).map(({ type }) => type)).toEqual(Object.keys(outputTypes));
  expect([...new Set(Object.keys(harnesses).map(memberOf))].sort()).toEqual(names);
});

/** The promises of `output.ts`, kept by every member of the table against a real receiver. */
for (const [name, harness] of Object.entries(harnesses)) {
  const member = outputTypes[memberOf(name)];
  if (member) describeOutput(name, member, harness);
}

/** The member of a harness is named before the dot. */
function memberOf(harness: string): string {
  return harness.split('.')[0] ?? harness;
}
