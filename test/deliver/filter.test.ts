import { expect, it } from 'vitest';
import { compileFilter, type FilterRules } from '../../src/deliver/filter.ts';
import { ForwarderEvent, type RawRecord } from '../../src/event.ts';
import { attachment } from '../../src/feeds/attachment.ts';

const source = attachment.create({ name: 'mail', key: attachment.defaultKey });

function eventOf(record: RawRecord): ForwarderEvent {
  return new ForwarderEvent({ seq: 1, id: '0'.repeat(32), source, time: 0, raw: Buffer.from(JSON.stringify(record)) });
}

it.each([
  ['one value of a field', { result: ['malicious'] }, { result: 'malicious' }, true],
  ['one of several values', { result: ['malicious', 'unsafe'] }, { result: 'unsafe' }, true],
  ['another value', { result: ['malicious'] }, { result: 'safe' }, false],
  ['every field', { result: ['unsafe'], route: ['inbound'] }, { result: 'unsafe', route: 'inbound' }, true],
  ['not every field', { result: ['unsafe'], route: ['inbound'] }, { result: 'unsafe', route: 'outbound' }, false],
  ['a missing field', { result: ['undefined'] }, {}, false],
  ['a null', { result: ['null'] }, { result: null }, false],
  ['an object', { result: ['[object Object]'] }, { result: {} }, false],
  ['an array', { result: ['a'] }, { result: ['a'] }, false],
  ['a number by its text', { size: ['7'] }, { size: 7 }, true],
  ['case as it is', { result: ['Unsafe'] }, { result: 'unsafe' }, false],
  ['a name of the prototype', { constructor: ['x'] }, {}, false],
  ['no values at all', { result: [] }, { result: 'safe' }, false],
] satisfies [string, FilterRules, RawRecord, boolean][])('%s', (_, rules, record, passes) => {
  expect(compileFilter(rules)?.(eventOf(record))).toBe(passes);
});

it.each([[undefined], [{}]])('%j tests nothing', (rules) => {
  expect(compileFilter(rules)).toBeUndefined();
});
