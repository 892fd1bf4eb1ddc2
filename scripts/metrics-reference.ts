import { writeFileSync } from 'node:fs';
import { metricsReference } from '../src/telemetry/metrics-reference.ts';

/** Writes docs/metrics.md, to be run after a metric was added or reworded. A test refuses drift. */
writeFileSync(new URL('../docs/metrics.md', import.meta.url), await metricsReference());
