import { expect, it } from 'vitest';
import { ForwarderEvent } from '../../src/event.ts';
import { buildFormat } from '../../src/formats/format.ts';
import { formats } from '../../src/formats/index.ts';
import { eventId } from '../../src/store/key.ts';
import { eventOf, feed, realLines } from '../formats/records.ts';
import { pageAt } from './markdown.ts';

const page = pageAt('docs/formats.md');

/** The record of the page's examples, with the id that the forwarder gives it. */
function exampleEvent(): ForwarderEvent {
  const raw = realLines[1] ?? '';
  const identity = feed.identify(JSON.parse(raw));
  if ('malformed' in identity) throw new Error(identity.malformed);
  const { time, parts } = identity;
  return new ForwarderEvent({
    seq: 1,
    id: eventId(feed.type, time, parts),
    source: feed,
    time,
    raw: Buffer.from(raw),
  });
}

function rendered(type: string, options: Readonly<Record<string, unknown>>, event: ForwarderEvent): string {
  const format = formats[type];
  if (format === undefined) throw new Error(`no format ${type}`);
  return buildFormat(format, options).render(event).text;
}

it.each([
  ['json', {}],
  ['ecs', {}],
  ['ocsf', {}],
  ['ocsf', { class: 'detection_finding' }],
  ['raw', {}],
  ['cef', {}],
  ['leef', {}],
  ['leef', { version: '2.0' }],
  ['kv', {}],
  ['cim', {}],
])('formats.md shows what %s %j writes', (type, options) => {
  expect([...page.anchors]).toContain(type);
  expect(page.blocks.map(({ code }) => code.trimEnd())).toContain(rendered(type, options, exampleEvent()));
});

it.each(['json', 'raw', 'cim', 'cef', 'leef', 'kv'])('formats.md shows a hostile subject as %s writes it', (type) => {
  const lines = page.blocks.flatMap(({ code }) => code.split('\n'));
  const [, shown] =
    lines.map((line) => line.split(/ {2,}(.*)/s)).find(([types]) => types?.split(', ').includes(type)) ?? [];
  expect(shown).toContain('Re: ');
  expect(rendered(type, {}, eventOf({ subject: 'Re: "x|y" = \\ \t1\r\n2' }))).toContain(shown);
});
