import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { it } from 'vitest';
import { runCampaign } from './campaign.ts';
import { PROGRAM } from './daemon-process.ts';
import { lineOf, scheduleLines } from './report.ts';
import { planOf } from './schedule.ts';

/** Some that are always the same, and one that is never: what a run finds can depend on the machine's timing too. */
const FIXED = ['37', '43', '51'];
const RANDOM = String(Math.floor(Math.random() * 1e9));
const FAULTS = 10;

/** `./dev soak` does the same for as long as one likes; see docs/reliability.md. */
it.concurrent.for([...FIXED, RANDOM])(
  'whatever happens, every record is delivered, a reject or filtered: seed %s',
  { timeout: 240_000 },
  async (seed, { expect }) => {
    const folder = mkdtempSync(join(tmpdir(), 'forwarder-campaign-'));
    const result = await runCampaign({ seed, faults: FAULTS, folder, program: PROGRAM });
    console.info(lineOf(result));
    if (result.limit !== null) console.warn(`******** left out: ${result.limit} ********`);
    const replay = `replay: ./dev soak --seed ${seed} --runs 1 --faults ${FAULTS} --verbose; kept: ${result.kept}`;
    expect(result.violations, [replay, ...scheduleLines(planOf(seed, FAULTS))].join('\n')).toEqual([]);
    expect(result.records).toBeGreaterThan(240);
    rmSync(folder, { recursive: true, force: true });
  },
);
