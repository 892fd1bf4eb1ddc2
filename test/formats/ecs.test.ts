import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ForwarderEvent, type RawRecord } from '../../src/event.ts';
import { ecs as ecsType } from '../../src/formats/ecs.ts';
import { buildFormat } from '../../src/formats/format.ts';
import { ecsMistakes, type JsonObject } from './ecs-document.ts';
import { eventOf, eventOfLine, hostileRecord, hostileRecords, ID, plainRecord, realLines } from './records.ts';

const ecs = buildFormat(ecsType);

function documentOf(record: RawRecord, maxBytes?: number): JsonObject {
  return JSON.parse(ecs.render(eventOf(record), maxBytes).text);
}

describe('the ECS format', () => {
  it('writes a document of the schema', () => {
    expect(documentOf(plainRecord)).toEqual({
      '@timestamp': '2021-10-14T18:54:32.000Z',
      ecs: { version: '9.4.0' },
      message: 'Attachment Protect: malicious',
      event: {
        id: ID,
        severity: 9,
        kind: 'alert',
        category: ['email', 'malware'],
        type: ['info'],
        outcome: 'success',
        action: 'user_release_none',
        module: 'mimecast',
        dataset: 'mimecast.ttp_ap',
      },
      observer: { vendor: 'Mimecast', product: 'Targeted Threat Protection' },
      email: {
        sender: { address: '<>' },
        to: { address: ['johndoe@example.com'] },
        direction: 'inbound',
        subject: 'Zürich 100% = ok',
        message_id: '<20200806044148.F35F813B435@mail.example.com>',
        attachments: [
          {
            file: {
              name: 'num|be=rs "Q1"\\x].pdf',
              extension: 'pdf',
              mime_type: 'application/pdf',
              hash: { sha256: 'eaeef09b60a59b913e9bfc0a4373e25d6182beff388957473fba517cc09345e3' },
            },
          },
        ],
      },
      rule: { name: 'Inbound - Safe file with On-Demand Sandbox' },
      related: {
        hash: ['eaeef09b60a59b913e9bfc0a4373e25d6182beff388957473fba517cc09345e3'],
        user: ['johndoe@example.com'],
      },
      mimecast: {
        result: 'malicious',
        actionTriggered: 'user release, none',
        details: 'Malicious   \r\nTime taken: 0 hrs, 0 min, 4 sec',
      },
    });
  });

  it('opens with the time, which data streams ask for', () => {
    expect(ecs.render(eventOf(plainRecord)).text).toMatch(/^\{"@timestamp":"2021-10-14T18:54:32\.000Z",/);
  });

  it('uses no field that ECS does not have, and each as ECS has it', () => {
    for (const line of realLines) expect(ecsMistakes(JSON.parse(ecs.render(eventOfLine(line)).text))).toEqual([]);
    for (const record of Object.values(hostileRecords)) expect(ecsMistakes(documentOf(record))).toEqual([]);
    fc.assert(
      fc.property(hostileRecord, fc.integer({ min: 400, max: 4000 }), (record, maxBytes) => {
        expect(ecsMistakes(documentOf(record))).toEqual([]);
        expect(ecsMistakes(documentOf(record, maxBytes))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['malicious', 'alert', ['email', 'malware'], 'success', 9],
    ['Unsafe', 'alert', ['email', 'malware'], 'success', 7],
    ['safe', 'event', ['email'], 'success', 1],
    ['never heard of', 'event', ['email'], 'success', 5],
    ['timeout', 'event', ['email'], 'failure', 5],
    ['Error', 'event', ['email'], 'failure', 5],
    ['unknown', 'event', ['email'], 'unknown', 5],
    [null, 'event', ['email'], 'unknown', 5],
  ])('takes the verdict %j for kind %s, category %j, outcome %s', (result, kind, category, outcome, severity) => {
    expect(documentOf({ ...plainRecord, result })).toMatchObject({ event: { kind, category, outcome, severity } });
  });

  it('gives a person as the sender where there is one', () => {
    const { email, related } = documentOf({ ...plainRecord, senderAddress: 'a@example.com' }) as never;
    expect(email).toMatchObject({ from: { address: ['a@example.com'] } });
    expect(email).not.toHaveProperty('sender');
    expect(related).toMatchObject({ user: ['a@example.com', 'johndoe@example.com'] });
  });

  it.each([
    ['d41d8cd98f00b204e9800998ecf8427e', 'md5'],
    ['DA39A3EE5E6B4B0D3255BFEF95601890AFD80709', 'sha1'],
  ])('tells a hash of another kind by its length: %s', (fileHash, algorithm) => {
    const document = documentOf({ ...plainRecord, fileHash });
    expect(document).toMatchObject({ email: { attachments: [{ file: { hash: { [algorithm]: fileHash } } }] } });
    expect(document).toMatchObject({ related: { hash: [fileHash] } });
  });

  it('takes nothing for a hash that is none', () => {
    const document = documentOf({ ...plainRecord, fileHash: 'not computed' });
    expect(document).toMatchObject({ mimecast: { fileHash: 'not computed' } });
    expect(JSON.stringify(document)).not.toContain('"hash"');
  });

  it.each([
    ['a.b.PDF', 'PDF'],
    ['no dot', undefined],
    ['.bashrc', undefined],
    ['ends.', undefined],
    ['a.not an extension', undefined],
    ['invoice\u202efdp.exe', 'exe'],
    [`${'x'.repeat(100)}.docx`, 'docx'],
  ])('reads the extension of %j', (fileName, extension) => {
    const document = documentOf({ ...plainRecord, fileName }) as never as {
      email: { attachments: [{ file: { extension?: string } }] };
    };
    expect(document.email.attachments[0].file.extension).toBe(extension);
  });

  it('writes a direction in lower case, and keeps another spelling beside it', () => {
    expect(documentOf({ ...plainRecord, route: 'External' })).toMatchObject({
      email: { direction: 'external' },
      mimecast: { route: 'External' },
    });
  });

  it('leaves out what the record does not have', () => {
    expect(Object.keys(documentOf({ date: plainRecord.date }))).toEqual([
      '@timestamp',
      'ecs',
      'message',
      'event',
      'observer',
    ]);
  });

  it('loses no text of the record, known or not, and no key that nobody knows', () => {
    fc.assert(
      fc.property(hostileRecord, (record) => {
        const document = documentOf(record);
        const texts = new Set(textsIn(document));
        for (const [key, value] of Object.entries(record)) {
          if (value === null || key === 'date' || (typeof value === 'string' && value.trim() === '')) continue;
          const known = key in plainRecord;
          const text = typeof value === 'string' ? value.toWellFormed() : value;
          if (known) expect(texts).toContain(text);
          else expect(Object.hasOwn(document.mimecast as object, key.toWellFormed())).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('loses nothing of a record whose feed names no keys', () => {
    const { source, ...rest } = eventOf(plainRecord);
    const { keepFirst: _, ...unlisted } = source;
    const event = new ForwarderEvent({
      ...rest,
      source: unlisted,
    });
    expect(JSON.parse(ecs.render(event).text).mimecast).toEqual(plainRecord);
  });

  it('says what it cut, at every limit', () => {
    fc.assert(
      fc.property(hostileRecord, fc.integer({ min: 400, max: 4000 }), (record, maxBytes) => {
        const { text, shortened } = ecs.render(eventOf(record), maxBytes);
        const whole = documentOf(record);
        const { labels, ...document } = JSON.parse(text);
        expect(labels !== undefined).toBe(shortened);
        if (!shortened) expect(document).toEqual(whole);
        else expect(labels.truncated).toMatch(/^[\w,]*\*?$/);
      }),
      { numRuns: 200 },
    );
  });

  it('uses the room that it has', () => {
    const record = { ...plainRecord, subject: 'x'.repeat(20_000) };
    for (const maxBytes of [1500, 4000, 8192]) {
      const { text } = ecs.render(eventOf(record), maxBytes);
      expect(Buffer.byteLength(text)).toBeGreaterThan(maxBytes * 0.97);
      expect(JSON.parse(text)).toMatchObject({ labels: { truncated: 'subject' }, mimecast: { result: 'malicious' } });
    }
  });
});

describe('the data that the documents are checked against', () => {
  it('finds what is not of the schema', () => {
    const good = documentOf(plainRecord);
    const wrong: JsonObject = {
      ...good,
      'event.id': 'x',
      email: { attachments: { file: { nom: 'x' } }, to: { address: 'a' }, subject: ['a'] },
      event: { kind: 'alarm', category: ['web'], type: ['info', 'start'], severity: 'high' },
      extra: 1,
    };
    expect(ecsMistakes(wrong)).toEqual(
      [
        'event.id is written with a dot',
        'email.attachments is no list',
        'email.attachments.file.nom is no field',
        'email.to.address is no list',
        'email.subject is a list',
        'event.kind is "alarm"',
        'event.severity is no long',
        'extra is no field',
        'event.type start is not for event.category web',
      ].sort(),
    );
  });

  it('names the version that the documents name', () => {
    const { version } = JSON.parse(readFileSync(new URL('./ecs-fields.json', import.meta.url), 'utf8'));
    expect(documentOf(plainRecord)).toMatchObject({ ecs: { version } });
  });
});

function textsIn(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [value];
  return Object.values(value).flatMap(textsIn);
}
