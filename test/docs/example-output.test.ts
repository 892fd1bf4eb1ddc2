import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { OutputType } from '../../src/outputs/output.ts';
import { describeOutput } from '../contract/output-contract.ts';
import type { Harness } from '../contract/output-harness.ts';
import { pageAt, ROOT } from './markdown.ts';

/** The output and the harness that the page about adding one shows, held to the promises that every member is held to. */

mkdirSync(join(ROOT, '.cache'), { recursive: true });
const workshop = mkdtempSync(join(ROOT, '.cache', 'output-'));
afterAll(() => rmSync(workshop, { recursive: true, force: true }));

const [output = '', harness = ''] = pageAt('docs/adding-an-output.md')
  .blocks.filter(({ language }) => language === 'ts')
  .map(({ code }) => code);
writeFileSync(
  join(workshop, 'spool.ts'),
  output.replaceAll(`from '../`, `from '../../src/`).replaceAll(`from './`, `from '../../src/outputs/`),
);
writeFileSync(join(workshop, 'harness.ts'), harness.replaceAll(`from '../`, `from '../../test/contract/`));

const member: { readonly spool: OutputType } = await import(join(workshop, 'spool.ts'));
const receiver: { readonly harness: Harness } = await import(join(workshop, 'harness.ts'));
describeOutput('spool', member.spool, receiver.harness);
