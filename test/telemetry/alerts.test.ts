import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { parse } from 'yaml';
import { recordAt, startSimulator } from '../collect/reading.ts';
import { openDaemon } from '../daemon/running.ts';
import { temporaryFolder } from '../deliver/delivering.ts';
import { pageAt, ROOT } from '../docs/markdown.ts';
import { Authority } from '../fakes/http-certificates.ts';

/** The alert rules, judged by the real promtool where it is installed (package `prometheus`). */

const RULES = join(ROOT, 'config/prometheus/alerts.yaml');
const PREFIX = 'MimecastForwarder';

/** Minutes. */
const DAY = 1440;

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

const { groups } = parse(readFileSync(RULES, 'utf8')) as { groups: { rules: Rule[] }[] };
const rules = groups.flatMap((group) => group.rules);

const hasPromtool = spawnSync('promtool', ['--version']).status === 0;
if (!hasPromtool)
  console.warn('SKIPPED: promtool is not installed (package prometheus): the alert rules are not tried');

/** A healthy forwarder that is scraped once a minute, in promtool's notation: `0+60xN` grows by 60 a sample; N is as long as the test. */
const HEALTHY: Readonly<Record<string, string>> = {
  up: '1xN',
  build_info: '1xN',
  ready: '1xN',
  'poll_last_success_timestamp_seconds{feed="attachment"}': '0+60xN',
  'feed_lag_seconds{feed="attachment"}': '22xN',
  'feed_falling_behind{feed="attachment"}': '0xN',
  'feed_gap_seconds{feed="attachment"}': '0xN',
  'feed_quiet_seconds{feed="attachment"}': '30xN',
  'sweep_last_success_timestamp_seconds{feed="attachment"}': '0xN',
  'api_requests_total{feed="attachment"}': '0+1xN',
  'api_errors_total{feed="-",reason="auth"}': '0xN',
  'api_errors_total{feed="attachment",reason="forbidden"}': '0xN',
  'api_errors_total{feed="attachment",reason="server"}': '0xN',
  'api_rate_limited_total{feed="attachment"}': '0xN',
  api_held_back_seconds: '0xN',
  api_clock_skew_seconds: '0.2xN',
  'records_total{feed="attachment",outcome="new"}': '0+5xN',
  'records_total{feed="attachment",outcome="duplicate"}': '0+9xN',
  'records_total{feed="attachment",outcome="malformed"}': '0xN',
  'output_up{output="siem"}': '1xN',
  'output_lag_seconds{output="siem"}': '4xN',
  'output_falling_behind{output="siem"}': '0xN',
  'output_events_total{output="siem",outcome="delivered"}': '0+4xN',
  'output_events_total{output="siem",outcome="rejected"}': '0xN',
  'output_events_total{output="siem",outcome="filtered"}': '0+1xN',
  'collecting_paused{reason="store_full"}': '0xN',
  'collecting_paused{reason="disk_full"}': '0xN',
  store_size_bytes: '2e9xN',
  store_max_size_bytes: '10e9xN',
  store_free_disk_bytes: '80e9xN',
  store_min_free_disk_bytes: '0.5e9xN',
  config_last_reload_successful: '1xN',
  ...certificateOf('siem', 'receiver', 60, 90),
};

/** Series of a certificate that is good for so many days yet, of so many. */
function certificateOf(
  peer: string,
  certificate: string,
  left: number,
  life: number,
): Readonly<Record<string, string>> {
  const labels = `{peer="${peer}",certificate="${certificate}"}`;
  return {
    [`certificate_not_after_timestamp_seconds${labels}`]: `${left * 86_400}xN`,
    [`certificate_not_before_timestamp_seconds${labels}`]: `${(left - life) * 86_400}xN`,
  };
}

const NO_NEWS = {
  'feed_quiet_seconds{feed="attachment"}': '90000xN',
  'records_total{feed="attachment",outcome="new"}': '0xN',
};
const NO_RECORDS = { ...NO_NEWS, 'records_total{feed="attachment",outcome="duplicate"}': '0xN' };
const NOTHING_SENT = { 'output_events_total{output="siem",outcome="delivered"}': '0xN' };

/** What is not as it should be, and which alerts fire after so many minutes. */
const CASES: readonly [what: string, minutes: number, changes: Readonly<Record<string, string>>, fire: string[]][] = [
  ['nothing', 200, {}, []],
  ['the scrape fails', 17, { up: '1x10 0x100' }, ['Down']],
  ['it is gone from the targets', 17, { up: '1x10 stale', build_info: '1x10 stale' }, ['Down']],
  ['it was scraped in vain for four minutes', 14, { up: '1x10 0x100' }, []],
  ['/readyz says no for long', 31, { ready: '0xN' }, ['NotReady']],
  ['it is not ready after a start', 29, { ready: '0x20 1xN' }, []],
  ['no poll succeeds', 22, { 'poll_last_success_timestamp_seconds{feed="attachment"}': '0xN' }, ['NotPolled']],
  ['reading is behind', 16, { 'feed_lag_seconds{feed="attachment"}': '3600xN' }, ['Lag']],
  ['reading falls behind', 6, { 'feed_falling_behind{feed="attachment"}': '1xN' }, ['FeedFallingBehind']],
  ['there is a gap', 16, { 'feed_gap_seconds{feed="attachment"}': '2820xN' }, ['Gap']],
  ['requests fail', 30, { 'api_errors_total{feed="attachment",reason="server"}': '0+1xN' }, ['ApiErrors']],
  ['one request in ten fails', 60, { 'api_errors_total{feed="attachment",reason="server"}': '0+0.1xN' }, []],
  [
    'the sign-in is refused',
    14,
    {
      'api_errors_total{feed="-",reason="auth"}': '0+0.4xN',
      'poll_last_success_timestamp_seconds{feed="attachment"}': '0xN',
    },
    ['Authentication'],
  ],
  ['tokens are refused now and then', 30, { 'api_errors_total{feed="-",reason="auth"}': '0+0.15xN' }, []],
  ['a feed is forbidden', 12, { 'api_errors_total{feed="attachment",reason="forbidden"}': '0+0.4xN' }, ['Permission']],
  ['429 comes again and again', 40, { 'api_rate_limited_total{feed="attachment"}': '0+1xN' }, ['RateLimited']],
  ['the quota is used up for long', 16, { api_held_back_seconds: '800xN' }, ['RateLimited']],
  ['one 429', 40, { 'api_rate_limited_total{feed="attachment"}': '0x5 1xN' }, []],
  ['our clock is ahead', 16, { api_clock_skew_seconds: '94xN' }, ['ClockSkew']],
  ['our clock is behind', 16, { api_clock_skew_seconds: '-94xN' }, ['ClockSkew']],
  ['pages are empty for a day', 61, NO_RECORDS, ['FeedEmpty']],
  ['only known records come for a day', 130, NO_NEWS, ['FeedOnlyKnown']],
  ['a night is quiet', 130, { ...NO_RECORDS, 'feed_quiet_seconds{feed="attachment"}': '30000xN' }, []],
  ['records do not fit', 10, { 'records_total{feed="attachment",outcome="malformed"}': '0x3 2xN' }, ['Malformed']],
  [
    'no sweep for days',
    61,
    { 'sweep_last_success_timestamp_seconds{feed="attachment"}': '-300000xN' },
    ['SweepMissed'],
  ],
  ['an output fails', 11, { 'output_up{output="siem"}': '0xN' }, ['OutputDown']],
  [
    'an output hangs',
    20,
    {
      ...NOTHING_SENT,
      'output_events_total{output="siem",outcome="filtered"}': '0xN',
      'output_lag_seconds{output="siem"}': '660xN',
    },
    ['OutputSilent'],
  ],
  ['an output works off old events', 20, { 'output_lag_seconds{output="siem"}': '9000xN' }, []],
  ['a backlog grows', 16, { 'output_falling_behind{output="siem"}': '1xN' }, ['BacklogGrowing']],
  ['events are refused', 10, { 'output_events_total{output="siem",outcome="rejected"}': '0x3 2xN' }, ['Rejects']],
  ['a filter lets nothing pass', 1470, NOTHING_SENT, ['FilterClosed']],
  ['a certificate ends in 13 days', 31, certificateOf('siem', 'receiver', 13, 90), ['CertificateExpiry']],
  ['a certificate ends in 15 days', 31, certificateOf('siem', 'receiver', 15, 90), []],
  ['a certificate has ended', 60, certificateOf('siem', 'receiver', 0, 90), ['CertificateExpiry']],
  ['one that is good for a day has five hours left', 31, certificateOf('siem', 'ca', 0.23, 1), []],
  ['one that is good for a day has three hours left', 31, certificateOf('siem', 'ca', 0.125, 1), ['CertificateExpiry']],
  ['the disk is full', 6, { 'collecting_paused{reason="disk_full"}': '1xN' }, ['Paused']],
  ['the store is nearly full', 31, { store_size_bytes: '9.1e9xN' }, ['StoreNearlyFull']],
  ['the disk is nearly full', 31, { store_free_disk_bytes: '0.9e9xN' }, ['StoreNearlyFull']],
  ['a config was refused', 6, { config_last_reload_successful: '0xN' }, ['ConfigReloadFailed']],
  ['a config was refused and mended', 30, { config_last_reload_successful: '0x3 1xN' }, []],
];

/** One of promtool's tests: which alerts fire at its end. */
function promtoolTest([what, minutes, changes, fire]: (typeof CASES)[number]): object {
  const series = Object.entries({ ...HEALTHY, ...changes }).map(([key, values]) => {
    const [name = '', labels = ''] = key.replace('}', '').split('{');
    const target = 'job="mimecast-forwarder",instance="fwd:9464"';
    const metric = name === 'up' ? name : `mimecast_forwarder_${name}`;
    return {
      series: `${metric}{${[target, labels].filter(Boolean).join(',')}}`,
      values: values.replace(/N$/, String(minutes)),
    };
  });
  return {
    name: what,
    interval: '1m',
    input_series: series,
    promql_expr_test: [
      {
        expr: 'count by (alertname) (ALERTS{alertstate="firing"})',
        eval_time: `${minutes}m`,
        exp_samples: fire.map((alert) => ({ labels: `{alertname="${PREFIX}${alert}"}`, value: 1 })),
      },
    ],
  };
}

function promtool(...args: string[]): { status: number | null; said: string } {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8', timeout: 60_000 });
  return { status, said: stdout + stderr };
}

describe('the alert rules', () => {
  it.skipIf(!hasPromtool)('are good in the eyes of promtool', () => {
    expect(promtool('check', 'rules', RULES)).toMatchObject({ status: 0 });
  });

  it.skipIf(!hasPromtool)(
    'fire when they should, each alone, and not when they should not',
    { timeout: 60_000 },
    () => {
      const folder = temporaryFolder();
      // The one that takes a day is evaluated less often: it would take longer than all others together.
      const files = [CASES.filter(([, minutes]) => minutes < DAY), CASES.filter(([, minutes]) => minutes >= DAY)].map(
        (cases, index) => {
          const file = join(folder, `${index}.test.yaml`);
          const interval = index === 0 ? '1m' : '30m';
          writeFileSync(
            file,
            JSON.stringify({ rule_files: [RULES], evaluation_interval: interval, tests: cases.map(promtoolTest) }),
          );
          return file;
        },
      );
      expect(promtool('test', 'rules', ...files)).toEqual({ status: 0, said: expect.stringContaining('SUCCESS') });
    },
  );

  it('are all tried', () => {
    const tried = new Set(CASES.flatMap(([, , , fire]) => fire.map((alert) => PREFIX + alert)));
    expect([...tried].toSorted()).toEqual(rules.map(({ alert }) => alert).toSorted());
  });

  it('say what, how bad and what to do, each with its section in docs/alerts.md', () => {
    const { anchors } = pageAt('docs/alerts.md');
    for (const { alert, labels, annotations } of rules) {
      expect(['critical', 'warning', 'info'], alert).toContain(labels.severity);
      expect(annotations.summary, alert).toMatch(/\S/);
      expect(annotations.description, alert).toMatch(/\.$/);
      expect(annotations.runbook_url).toBe(`docs/alerts.md#${alert.toLowerCase()}`);
      expect([...anchors], alert).toContain(alert.toLowerCase());
    }
  });

  it('use metrics that a daemon has after a run', { timeout: 30_000 }, async () => {
    const simulator = await startSimulator();
    simulator.add(recordAt(Date.now() - 60_000, 'a'));
    const sweeping = { type: 'attachment', startFrom: '24h', settle: '0s', sweep: { schedule: '* * * * * *' } };
    const folder = temporaryFolder();
    const authority = new Authority();
    onTestFinished(() => authority.remove());
    const outputs = [
      { name: 'disk', type: 'file', path: join(folder, 'events.ndjson'), startFrom: 'beginning' },
      // Nobody listens there, but its file is a certificate.
      { name: 'siem', type: 'syslog', protocol: 'tls', host: '127.0.0.1', port: 9, tls: { caFile: authority.caFile } },
    ];
    const config = { http: { listen: '127.0.0.1:0' }, feeds: [sweeping], outputs };
    const { daemon } = openDaemon(simulator, { config });
    await daemon.start();
    const used = new Set(rules.flatMap(({ expr }) => expr.match(/\bmimecast_forwarder_\w+/g) ?? []));
    expect(used.size).toBeGreaterThan(20);
    await expect
      .poll(async () => missingFrom(await (await fetch(`${daemon.url}/metrics`)).text(), used), { timeout: 15_000 })
      .toEqual([]);
  });
});

/** The names that have no sample in an exposition. */
function missingFrom(exposition: string, names: Iterable<string>): string[] {
  const sampled = new Set(exposition.split('\n').map((line) => /^\w+/.exec(line)?.[0]));
  return [...names].filter((name) => !sampled.has(name));
}
