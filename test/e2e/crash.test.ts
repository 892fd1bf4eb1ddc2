import { expect, it } from 'vitest';
import { crashCampaign } from './crash.ts';

/** `bench/crash.ts` does the same a thousand times; see docs/reliability.md. */
it('kill -9 at 30 random instants loses nothing, and repeats one batch at most', { timeout: 120_000 }, async () => {
  const result = await crashCampaign({ kills: 30, seed: 20_261_123, longestLife: 900, recordsPerLife: 120 });
  expect(result).toMatchObject({
    records: 3600,
    syslog: { missing: 0, unknown: 0 },
    idempotent: { missing: 0, unknown: 0, repeated: 0 },
  });
  // Two pages of one batch each may be in hand: one sent and not yet settled. More would be a broken promise.
  expect(result.mostRepeatedAtOnce).toBeLessThanOrEqual(50);
});
