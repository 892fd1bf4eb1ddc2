/**
 * The crash campaign of the end-to-end tests, for as long as one likes: kills the daemon at random moments of its life, on one
 * store, while mail goes on arriving, then lets it finish and counts.
 *
 *   node bench/crash.ts [--kills 1000] [--seed 1] [--records-per-life 60] [--longest-life 900]
 *
 * Exit code 1 when a record was lost or made up, when one came twice over HTTP, or when a kill repeated more than one batch.
 */
import { parseArgs } from 'node:util';
import { crashCampaign } from '../test/e2e/crash.ts';

/** The campaign's batches; see `test/e2e/crash.ts`. */
const BATCH = 50;
const TELL_EVERY = 10;

const { values: options } = parseArgs({
  options: {
    kills: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    'records-per-life': { type: 'string', default: '60' },
    'longest-life': { type: 'string', default: '900' },
  },
});
const kills = Number(options.kills);
const startedAt = Date.now();

const result = await crashCampaign({
  kills,
  seed: Number(options.seed),
  recordsPerLife: Number(options['records-per-life']),
  longestLife: Number(options['longest-life']),
  onLife: (life) => {
    if (life % TELL_EVERY === 0 || life === kills) console.error(`${life} of ${kills} kills, ${seconds()} s`);
  },
});
const { syslog, idempotent, mostRepeatedAtOnce, records } = result;
const lost = syslog.missing + idempotent.missing;
const wrong = syslog.unknown + idempotent.unknown + idempotent.repeated;
const kept = lost === 0 && wrong === 0 && mostRepeatedAtOnce <= BATCH;
console.log(
  `${kept ? 'KEPT' : 'BROKEN'}: seed ${options.seed}, ${result.kills} kills, ${records} records: lost ${lost}, ` +
    `wrong ${wrong}, repeated over syslog ${syslog.repeated}, at most ${mostRepeatedAtOnce} after one kill; ${seconds()} s`,
);
process.exit(kept ? 0 : 1);

function seconds(): string {
  return ((Date.now() - startedAt) / 1000).toFixed(0);
}
