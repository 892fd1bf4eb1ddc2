import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { feedTypes } from '../../src/feeds/index.ts';

const FOLDER = '../../src/feeds/';

/** What every feed promises, whatever it reads. */
describe.each(Object.entries(feedTypes))('the feed type %s', (name, feedType) => {
  const feed = feedType.create({ name: 'configured', key: feedType.defaultKey });

  it('is in the table under its type, and its feeds have the name that the config gives', () => {
    expect(feedType.type).toBe(name);
    expect(feed).toMatchObject({ name: 'configured', type: name });
  });

  it('has a default key of keys that may be configured', () => {
    expect(feedType.defaultKey.length).toBeGreaterThan(0);
    for (const key of feedType.defaultKey) expect(feedType.keys).toContain(key);
  });

  it('asks at a path without a query, and for the same window always the same', () => {
    expect(feed.path).toMatch(/^\/[\w/-]+$/);
    const window = { from: 1_731_874_560_000, to: 1_731_878_160_000 };
    expect(JSON.stringify(feed.filter(window))).toBe(JSON.stringify(feed.filter({ ...window })));
  });

  it('identifies or explains whatever comes, the same each time', () => {
    fc.assert(
      fc.property(fc.oneof(fc.anything(), fc.object({ key: fc.constantFrom(...feedType.keys) })), (record) => {
        const identity = feed.identify(record);
        if ('malformed' in identity) expect(identity.malformed).toMatch(/^\w+ .*is /);
        else expect(identity.time % 1000).toBe(0);
        expect(feed.identify(record)).toEqual(identity);
      }),
    );
  });

  it('describes whatever comes, with words of its own for what it is', () => {
    fc.assert(
      fc.property(fc.object({ key: fc.constantFrom(...feedType.keys, 'x') }), (record) => {
        const { eventClass, title } = feed.describe(record);
        expect({ eventClass, title }).toEqual({
          eventClass: feed.describe({}).eventClass,
          title: feed.describe({}).title,
        });
        // Both stand in headers that allow no escapes (CEF, MSGID of RFC 5424).
        expect(eventClass).toMatch(/^[a-z-]{1,32}$/);
        expect(title).toMatch(/^[\w ]+$/);
      }),
    );
  });
});

it('the table of feeds has every member of the folder', async () => {
  const files = readdirSync(fileURLToPath(new URL(FOLDER, import.meta.url))).filter((file) =>
    /(?<!^index)\.ts$/.test(file),
  );
  const modules: object[] = await Promise.all(files.map((file) => import(`${FOLDER}${file}`)));
  const members = modules.flatMap((module) =>
    Object.values(module).filter((value) => value?.create instanceof Function),
  );
  expect(new Set(Object.values(feedTypes))).toEqual(new Set(members));
});
