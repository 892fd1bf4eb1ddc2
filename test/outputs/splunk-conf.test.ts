import { readFileSync } from 'node:fs';
import { compileFunction } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { attachment } from '../../src/feeds/attachment.ts';
import { cim } from '../../src/formats/cim.ts';
import { buildFormat } from '../../src/formats/format.ts';
import { splunkHec } from '../../src/outputs/splunk-hec.ts';
import { eventOf, plainRecord } from '../formats/records.ts';

/** The files for search heads in config/splunk: they must give json events the fields that `format: cim` sends. */

type Stanzas = Readonly<Record<string, Readonly<Record<string, string>>>>;

const props = stanzasOf('props');
const eventtypes = stanzasOf('eventtypes');
const tags = stanzasOf('tags');
const [sourcetype = '', ...others] = Object.keys(props);
const settings = props[sourcetype] ?? {};

it('props.conf is about the source type that is sent by default', () => {
  const { data } = splunkHec.options.safeParse({ url: 'https://splunk.example', token: 't' });
  expect(others).toEqual([]);
  expect(data).toMatchObject({ sourcetype });
  for (const { search } of Object.values(eventtypes)) expect(search).toContain(`sourcetype="${sourcetype}"`);
});

it('every event type has its tags', () => {
  expect(Object.keys(tags)).toEqual(Object.keys(eventtypes).map((name) => `eventtype=${name}`));
  expect(Object.values(tags).map((stanza) => Object.keys(stanza))).toEqual([
    ['email', 'filter'],
    ['malware', 'attack'],
  ]);
});

describe('the fields of props.conf', () => {
  const results = [
    'malicious',
    'unsafe',
    'suspicious',
    'safe',
    'clean',
    'Safe',
    'unknown',
    'timeout',
    'error',
    undefined,
  ];
  const actions = [
    'none',
    'none, none',
    'user release, none',
    'block',
    'none, block',
    'bounce, none',
    'reject',
    'hold',
    'Hold, none',
    'delete',
    'hold, delete',
    'none, hold, none',
    'something else',
    '',
    undefined,
  ];
  const format = buildFormat(cim);

  it.each(results)('are those of format: cim, for result %s', (result) => {
    for (const actionTriggered of actions) {
      for (const route of ['inbound', 'Outbound', 'internal', undefined]) {
        const record = { ...plainRecord, result, actionTriggered, route };
        const { fields } = searched(record);
        const sent: Record<string, unknown> = JSON.parse(format.render(eventOf(record)).text);
        for (const name of Object.keys(fields)) {
          if (name !== 'sender') expect(fields[name], `${name} of ${actionTriggered}, ${route}`).toEqual(sent[name]);
        }
      }
    }
  });

  it('come from keys that Mimecast sends', () => {
    expect(searched(plainRecord).sources.every((name) => attachment.keys.includes(name))).toBe(true);
    expect(Object.keys(searched(plainRecord).fields)).toHaveLength(12);
  });

  it('tell bad files as the event type does', () => {
    const bad = [...(eventtypes.mimecast_ttp_attachment_malware?.search ?? '').matchAll(/result="(\w+)"/g)].map(
      ([, word]) => word,
    );
    const withUser = results.filter((result) => searched({ ...plainRecord, result }).fields.user !== undefined);
    expect(bad.sort()).toEqual(withUser.sort());
  });
});

/** What a search would find in a record: aliases, then calculated fields. */
function searched(record: Readonly<Record<string, unknown>>) {
  const fields: Record<string, unknown> = {};
  const sources: string[] = [];
  for (const [name, value] of Object.entries(settings)) {
    if (name.startsWith('FIELDALIAS-')) {
      for (const [, from = '', to = ''] of value.matchAll(/(\w+) ASNEW (\w+)/g)) {
        sources.push(from);
        fields[to] = record[from];
      }
    }
    if (name.startsWith('EVAL-')) fields[name.slice('EVAL-'.length)] = evaluated(value, record);
  }
  return { fields, sources };
}

/** As much of Splunk's eval language as the file uses. */
const FUNCTIONS = {
  caseOf: (...pairs: unknown[]) => pairs.find((_, at) => at % 2 === 1 && pairs[at - 1] === true),
  ifElse: (test: unknown, yes: unknown, no: unknown) => (test === true ? yes : no),
  lower: (text?: string) => text?.toLowerCase(),
  match: (text: string | undefined, pattern: string) =>
    text !== undefined && new RegExp(pattern.replace(/^\(\?i\)/, ''), 'i').test(text),
};

function evaluated(expression: string, record: Readonly<Record<string, unknown>>): unknown {
  const code = expression
    .replace(/\bcase\(/g, 'caseOf(')
    .replace(/\bif\(/g, 'ifElse(')
    .replace(/ AND /g, ' && ')
    .replace(/\btrue\(\)/g, 'true');
  const evaluate = compileFunction(`return ${code}`, [...Object.keys(FUNCTIONS), ...attachment.keys]);
  return evaluate(...Object.values(FUNCTIONS), ...attachment.keys.map((key) => record[key]));
}

function stanzasOf(name: string): Stanzas {
  const text = readFileSync(new URL(`../../config/splunk/${name}.conf`, import.meta.url), 'utf8');
  const stanzas: Record<string, Record<string, string>> = {};
  let stanza: Record<string, string> = {};
  for (const line of text.replace(/ \\\n */g, ' ').split('\n')) {
    const header = /^\[(.+)\]$/.exec(line)?.[1];
    const [, key, value] = /^([\w-]+) = (.+)$/.exec(line) ?? [];
    if (header !== undefined) {
      stanza = {};
      stanzas[header] = stanza;
    } else if (key !== undefined && value !== undefined) stanza[key] = value;
    else expect(line).toMatch(/^(#.*)?$/);
  }
  return stanzas;
}
