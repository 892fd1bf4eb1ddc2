import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { metricsReference } from '../../src/telemetry/metrics-reference.ts';

describe('docs/metrics.md', () => {
  it('is what the metrics say of themselves (else run: node scripts/metrics-reference.ts)', async () => {
    expect(readFileSync(new URL('../../docs/metrics.md', import.meta.url), 'utf8')).toBe(await metricsReference());
  });

  it('names each metric under the prefix, with a sentence', async () => {
    const rows = (await metricsReference()).split('\n').filter((line) => line.startsWith('| `'));
    expect(rows.length).toBeGreaterThan(20);
    for (const row of rows)
      expect(row).toMatch(/^\| `mimecast_forwarder_[a-z_]+` \| (counter|gauge|histogram) \| .+ \| .+\. \|$/);
  });
});
