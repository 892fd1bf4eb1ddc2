import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { stringify } from 'yaml';
import { type ConfigDiff, diffConfigs, isEmpty, linesOf } from '../../src/config/diff.ts';
import { loadConfig } from '../../src/config/load.ts';
import { tables } from './members.ts';

let folder: string;
let whole: ReturnType<typeof usual>;

function usual() {
  return {
    mimecast: { auth: { type: 'oauth2', clientId: 'id', clientSecret: 's3cr3t-one' }, requestsPerMinute: 60 } as object,
    feeds: [{ type: 'attachment' }] as object[],
    outputs: [
      { name: 'siem', type: 'socket', host: 'one.example', protocol: 'tls', tls: { caFile: 'ca.pem' } },
      {
        name: 'hook',
        type: 'hook',
        url: 'https://hook.example/a',
        token: 's3cr3t-two',
        headers: { 'x-key': 's3cr3t-3' },
      },
    ] as Record<string, unknown>[],
    store: {} as object,
    http: { listen: '127.0.0.1:9464' } as object | false,
    log: {} as object,
  };
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'forwarder-diff-'));
});
afterAll(() => rmSync(folder, { recursive: true }));
beforeEach(() => {
  whole = usual();
  writeFileSync(join(folder, 'ca.pem'), 'one');
  writeFileSync(join(folder, 'token'), 's3cr3t-4');
});

function load() {
  const file = join(folder, 'forwarder.yaml');
  writeFileSync(file, stringify(whole), { mode: 0o600 });
  return loadConfig({ file, env: {}, tables });
}

/** What changes when `edit` is made. */
function diffOf(edit: () => void): ConfigDiff {
  const { comparable } = load();
  edit();
  return diffConfigs(comparable, load().comparable);
}

describe('the diff of two configs', () => {
  it('is empty for the same, however it is written', () => {
    const diff = diffOf(() => {
      whole.outputs.reverse();
      whole.store = { retention: '720h', maxSize: '10240MiB' };
    });
    expect(isEmpty(diff)).toBe(true);
    expect(linesOf(diff)).toEqual([]);
  });

  it('names what comes, goes and changes, with the key and both values as one writes them', () => {
    const diff = diffOf(() => {
      whole.outputs = [
        { ...whole.outputs[0], port: 6514, maxMessageBytes: '64KiB', filter: { result: ['malicious'] } },
        { name: 'screen', type: 'screen' },
      ];
      whole.feeds = [{ type: 'attachment', schedule: '*/5 * * * *', sweep: false }];
      whole.mimecast = { ...whole.mimecast, requestsPerMinute: 30 };
    });
    expect(linesOf(diff).map(({ text, fields }) => [text, fields])).toEqual([
      ['mimecast changes', { section: 'mimecast', key: 'requestsPerMinute', before: 60, after: 30 }],
      ['feed attachment changes', { feed: 'attachment', key: 'schedule', before: '* * * * *', after: '*/5 * * * *' }],
      [
        'feed attachment changes',
        { feed: 'attachment', key: 'sweep', before: { schedule: '17 3 * * *', span: '2d' }, after: false },
      ],
      ['output hook is removed', { output: 'hook' }],
      ['output siem changes', { output: 'siem', key: 'port', before: 514, after: 6514 }],
      ['output siem changes', { output: 'siem', key: 'maxMessageBytes', before: 8000, after: '64KiB' }],
      ['output siem changes', { output: 'siem', key: 'filter.result', before: null, after: ['malicious'] }],
      ['output screen is added', { output: 'screen' }],
    ]);
    expect(isEmpty(diff)).toBe(false);
  });

  it('tells that a secret is another, and never what it is', () => {
    const diff = diffOf(() => {
      whole.outputs[1] = {
        ...whole.outputs[1],
        token: 's3cr3t-5',
        headers: { 'x-key': 's3cr3t-6', 'x-new': 's3cr3t-7' },
      };
      whole.mimecast = { auth: { type: 'oauth2', clientId: 'id', clientSecret: 's3cr3t-8' } };
    });
    expect(linesOf(diff).map(({ fields }) => fields)).toEqual([
      { section: 'mimecast', key: 'auth.clientSecret', value: 'changed' },
      { output: 'hook', key: 'token', value: 'changed' },
      { output: 'hook', key: 'headers.x-key', value: 'changed' },
      { output: 'hook', key: 'headers.x-new', before: null, after: '***' },
    ]);
    expect(JSON.stringify([linesOf(diff), [...diff.outputs.changed], load().comparable])).not.toContain('s3cr3t');
  });

  it('sees what is in the files that are named', () => {
    whole.outputs[1] = { name: 'hook', type: 'hook', url: 'https://hook.example/a', tokenFile: 'token' };
    const file = (name: string) => join(folder, name);
    expect(load().files).toEqual([file('forwarder.yaml'), file('ca.pem'), file('token')]);
    const diff = diffOf(() => {
      writeFileSync(file('ca.pem'), 'two');
      writeFileSync(file('token'), 's3cr3t-9');
    });
    expect(linesOf(diff).map(({ fields }) => fields)).toEqual([
      { output: 'siem', key: 'tls.caFile', file: file('ca.pem'), content: 'changed' },
      { output: 'hook', key: 'tokenFile', file: file('token'), content: 'changed' },
    ]);
  });

  it('sees a password in a URL that is shown without it', () => {
    whole.outputs[1] = { ...whole.outputs[1], url: 'https://hook.example/a?token=one' };
    const diff = diffOf(() => {
      whole.outputs[1] = { ...whole.outputs[1], url: 'https://hook.example/a?token=two' };
    });
    expect([...diff.outputs.changed.keys()]).toEqual(['hook']);
  });

  it('takes a section that is turned off for a change of the whole', () => {
    const [line] = linesOf(
      diffOf(() => {
        whole.http = false;
      }),
    );
    expect(line).toMatchObject({ text: 'http changes', fields: { section: 'http', after: false } });
  });
});
