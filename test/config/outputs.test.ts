import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadConfig } from '../../src/config/load.ts';
import { tables } from '../../src/config/tables.ts';
import { createOutput } from '../../src/daemon/outputs.ts';
import { outputTypes } from '../../src/outputs/index.ts';
import { outputContext } from '../contract/output-harness.ts';
import { eventOf, plainRecord } from '../formats/records.ts';

/** What the config says about the real outputs, by what they say about themselves. */

const HEAD = 'mimecast: { auth: { type: oauth2, clientId: id, clientSecret: x } }\nfeeds: [{ type: attachment }]\n';
const ENV = { SECRET: 's3cr3t-value', FORMAT: 'cef', PROTOCOL: 'udp', SUMO: 'http://sumo.example/receiver/s3cr3t' };

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'forwarder-outputs-'));
  writeFileSync(join(folder, 'token'), ENV.SECRET);
  writeFileSync(join(folder, 'sumo'), 'http://sumo.example/receiver/s3cr3t');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** Loads a config with one output, which begins in line 5. */
function load(output: string, more = '') {
  const file = join(folder, 'forwarder.yaml');
  writeFileSync(file, `${HEAD}outputs:\n  - name: q\n    ${output.replaceAll('\n', '\n    ')}\n${more}`, {
    mode: 0o600,
  });
  const { config, warnings } = loadConfig({ file, env: ENV, cwd: folder, tables });
  return { output: config.outputs[0] ?? expect.unreachable(), warnings: warnings.map((line) => strip(line, file)) };
}

/** The message of the refusal. */
function refusal(output: string, more = ''): string {
  try {
    load(output, more);
  } catch (error) {
    return strip(String((error as Error).message), join(folder, 'forwarder.yaml'));
  }
  return expect.unreachable('it was accepted');
}

function strip(line: string, file: string): string {
  return line.replaceAll(`${file}:`, '');
}

const SENTINEL = `type: sentinel
endpoint: https://x.ingest.monitor.azure.com
dcrImmutableId: dcr-0a
tenantId: a.example
clientId: c
clientSecret: \${SECRET}
`;

describe('a format that the output cannot use', () => {
  it.each([
    ['format: cef', /^11:13 outputs\[0\]\(q\)\.format: is "cef", expected .*JSON rows only$/],
    ['format: leef', /^11:13 .*format: is "leef", expected /],
    ["format: { type: leef, version: '2.0' }", /^11:5 .*format: expected .*JSON/],
    [`format: \${FORMAT}`, /^11:13 .*format: is not accepted with its value from the environment, expected .*JSON/],
  ])('%s is refused where it stands', (format, message) => {
    expect(refusal(SENTINEL + format)).toMatch(message);
  });

  it('is told together with the other mistakes', () => {
    expect(refusal(`${SENTINEL}format: kv`, 'log: { level: loud }\n')).toMatch(
      /^11:13 .*format: .*\n12:15 log\.level: /,
    );
  });

  it.each(['', 'format: json', 'format: ecs', 'format: { type: ocsf }'])('%s is none', (format) => {
    expect(load(SENTINEL + format).output.type.type).toBe('sentinel');
  });
});

describe('a login without TLS', () => {
  const kafka = (brokers: string) => `type: kafka\nbrokers: [${brokers}]\ntopic: t\n`;
  const sasl = `sasl: { mechanism: scram-sha-512, username: u, password: "\${SECRET}" }\n`;
  const nats = (servers: string) => `type: nats\nservers: [${servers}]\nsubject: s.t\n`;

  it.each([
    [kafka('"k.example:9092"') + sasl, /^8:5 outputs\[0\]\(q\)\.sasl: without tls/],
    [kafka('"localhost:9092", "k.example:9092"') + sasl, /^8:5 .*sasl: without tls/],
    [`${nats('n.example')}token: \${SECRET}`, /^8:12 outputs\[0\]\(q\)\.token: without tls/],
    [`${nats('"nats://10.0.0.1:4222"')}user: u\npassword: \${SECRET}`, /^9:15 .*password: without tls/],
    [`${nats('n.example')}tokenFile: ./token`, /^8:16 outputs\[0\]\(q\)\.tokenFile: without tls/],
    [`type: sumologic\nurl: \${SUMO}`, /^6:10 outputs\[0\]\(q\)\.url: http carries the credentials/],
    ['type: sumologic\nurlFile: ./sumo', /^6:14 outputs\[0\]\(q\)\.urlFile: http carries/],
  ])('%j is warned of', (output, warning) => {
    const { warnings } = load(output);
    expect(warnings).toEqual([expect.stringMatching(warning)]);
    expect(warnings.join()).not.toMatch(/s3cr3t|sumo\.example/);
  });

  it.each([
    `${kafka('"k.example:9093"') + sasl}tls: {}`,
    kafka('"k.example:9092"'),
    kafka('"localhost:9092", "127.0.0.1:9093"') + sasl,
    `${nats('n.example')}token: \${SECRET}\ntls: {}`,
    nats('n.example'),
    `${nats('n.example')}nkeySeed: \${SECRET}`,
    `${nats('"[::1]:4222", localhost')}token: \${SECRET}`,
    'type: sumologic\nurl: https://sumo.example/receiver/x',
    'type: sumologic\nurl: http://127.0.0.1:8080/receiver/x',
    `type: splunk-hec\nurl: https://s.example:8088\ntoken: t\nproxy: http://u:p@proxy.example:3128`,
  ])('%j is fine', (output) => expect(load(output).warnings).toEqual([]));
});

describe('two outputs of the type file', () => {
  const other = (path: string) => `  - name: r\n    type: file\n    path: ${path}\n`;

  it.each([
    ['./events.log', './events.log', 'events.log'],
    ['./events.log', 'logs/../events.log', 'events.log'],
    ['./events.log', './events.log.2', 'events.log.2'],
    ['./events.log.10', './events.log', 'events.log.10'],
  ])('may not both write to one: %s and %s', (path, again, shared) => {
    const message = refusal(`type: file\npath: ${path}`, other(again));
    expect(message).toMatch(/^9:11 outputs\[1\]\(r\)\.path: /);
    expect(message).toContain(`${shared} is written by the output q too, expected a path of its own`);
  });

  it.each([
    ['./events.log', './other.log'],
    ['./events.log', './events.log.11'],
    ['./events.log\nrotate: false', './events.log.1\n    rotate: false'],
  ])('may write to two: %j and %j', (path, again) => {
    expect(load(`type: file\npath: ${path}`, other(again)).warnings).toEqual([]);
  });
});

describe('format: raw', () => {
  const WITHOUT = [
    'type: file\npath: ./x',
    'type: stdout',
    'type: webhook\nurl: https://h.example',
    'type: sumologic\nurl: https://sumo.example/x',
    SENTINEL.trim(),
    'type: syslog\nhost: h\nprotocol: tls\nenvelope: rfc3164',
    'type: loki\nurl: https://l.example\nstructuredMetadata: false',
  ];
  const BESIDE = [
    'type: splunk-hec\nurl: https://s.example:8088\ntoken: t',
    'type: elasticsearch\nurl: https://e.example',
    'type: otlp\nurl: https://o.example',
    'type: datadog\napiKey: k',
    'type: loki\nurl: https://l.example',
    'type: kafka\nbrokers: ["k.example:9092"]\ntopic: t',
    'type: nats\nservers: [n.example]\nsubject: s',
    'type: syslog\nhost: h\nprotocol: tls',
  ];

  it.each(WITHOUT)('%j has no place for the id: duplicates cannot be recognised', (output) => {
    expect(load(`${output}\nformat: raw`).warnings).toEqual([
      expect.stringMatching(/^\d+:13 outputs\[0\]\(q\)\.format: .*duplicates cannot be recognised/),
    ]);
    expect(load(`${output}\nformat: json`).warnings).toEqual([]);
  });

  it.each(BESIDE)('%j has the id beside the text', (output) => {
    expect(load(`${output}\nformat: raw`).warnings).toEqual([]);
  });

  it('is asked of every output', () => {
    // google-secops wants a key file; it writes raw unless told otherwise, so the shipped example would have the warning.
    const asked = [...WITHOUT, ...BESIDE].map((output) => /^type: (\S+)/.exec(output)?.[1]);
    expect(new Set([...asked, 'google-secops'])).toEqual(new Set(Object.keys(outputTypes)));
  });
});

describe('profile: qradar', () => {
  const qradar = 'type: syslog\nprofile: qradar\nhost: qradar.example\nprotocol: ';
  const longest = (output: string): number => {
    const { output: config } = load(output);
    const context = outputContext();
    const built = createOutput(config, { ...context, version: '1.2.3', node: 'v24.0.0', now: Date.now });
    const text = built.preview?.(eventOf({ ...plainRecord, details: 'ä'.repeat(9000) })).text ?? expect.unreachable();
    return Buffer.byteLength(text);
  };

  it.each([
    ['tls', 4000],
    ['tcp', 4000],
    ['udp', 1024],
    [`\${PROTOCOL}`, 1024],
    ['udp\nmaxMessageBytes: 2000', 2000],
    ['tcp\nmaxMessageBytes: 2000', 2000],
  ])('over %j keeps a message below the limit of QRadar', (protocol, most) => {
    const bytes = longest(qradar + protocol);
    expect(bytes).toBeLessThanOrEqual(most);
    expect(bytes).toBeGreaterThan(most - 100);
  });

  it('leaves the size of a datagram alone in any other profile', () => {
    for (const profile of Object.keys(outputTypes.syslog?.profiles ?? {})) {
      const bytes = longest(`type: syslog\nprofile: ${profile}\nhost: h\nprotocol: udp`);
      expect(bytes, profile).toBeLessThanOrEqual(1400);
    }
  });
});
