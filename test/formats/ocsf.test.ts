import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RawRecord } from '../../src/event.ts';
import { buildFormat } from '../../src/formats/format.ts';
import { ocsf as ocsfType } from '../../src/formats/ocsf.ts';
import type { JsonObject } from './ecs-document.ts';
import { ocsfMistakes } from './ocsf-document.ts';
import { eventOf, eventOfLine, hostileRecord, hostileRecords, ID, plainRecord, realLines } from './records.ts';

const ocsf = buildFormat(ocsfType);
const finding = buildFormat(ocsfType, { class: 'detection_finding' });

function documentOf(record: RawRecord, format = ocsf, maxBytes?: number): JsonObject {
  return JSON.parse(format.render(eventOf(record), maxBytes).text);
}

const MAIL = {
  to: ['johndoe@example.com'],
  subject: 'Zürich 100% = ok',
  message_uid: '<20200806044148.F35F813B435@mail.example.com>',
  files: [
    {
      name: 'num|be=rs "Q1"\\x].pdf',
      type_id: 1,
      ext: 'pdf',
      mime_type: 'application/pdf',
      hashes: [{ algorithm_id: 3, value: 'eaeef09b60a59b913e9bfc0a4373e25d6182beff388957473fba517cc09345e3' }],
    },
  ],
};
const SHARED = {
  severity_id: 5,
  time: 1634237672000,
  message: 'Attachment Protect: malicious',
  metadata: {
    version: '1.8.0',
    uid: ID,
    product: { name: 'Targeted Threat Protection', vendor_name: 'Mimecast' },
    profiles: ['security_control'],
    event_code: 'ttp-ap',
    original_time: '2021-10-14T18:54:32+0000',
  },
  action_id: 1,
  disposition_id: 1,
  is_alert: true,
  policy: { name: 'Inbound - Safe file with On-Demand Sandbox' },
};
const UNMAPPED = {
  senderAddress: '<>',
  result: 'malicious',
  actionTriggered: 'user release, none',
  details: 'Malicious   \r\nTime taken: 0 hrs, 0 min, 4 sec',
};

describe('the OCSF format', () => {
  it('writes a mail that was scanned', () => {
    expect(documentOf(plainRecord)).toEqual({
      category_uid: 4,
      class_uid: 4009,
      activity_id: 3,
      type_uid: 400903,
      ...SHARED,
      status_id: 1,
      direction_id: 1,
      email: MAIL,
      unmapped: UNMAPPED,
    });
  });

  it('writes a finding when that is wanted', () => {
    expect(documentOf(plainRecord, finding)).toEqual({
      category_uid: 2,
      class_uid: 2004,
      activity_id: 1,
      type_uid: 200401,
      ...SHARED,
      finding_info: { uid: ID, title: 'Attachment Protect' },
      evidences: [{ email: MAIL }],
      unmapped: { ...UNMAPPED, route: 'inbound' },
    });
  });

  it('has no other class', () => {
    expect(() => buildFormat(ocsfType, { class: 'security_finding' })).toThrow();
  });

  it.each([
    ['email_activity', ocsf],
    ['detection_finding', finding],
  ])('uses only what class %s has, and all that it requires', (_, format) => {
    for (const line of realLines) expect(ocsfMistakes(JSON.parse(format.render(eventOfLine(line)).text))).toEqual([]);
    // Texts that are no addresses stand where an address has to, when there is nothing else: see below.
    const known = (record: RawRecord) => ({ ...record, recipientAddress: plainRecord.recipientAddress });
    for (const record of Object.values(hostileRecords)) {
      expect(ocsfMistakes(documentOf(known(record), format))).toEqual([]);
      expect(ocsfMistakes(documentOf(known(record), format, 400))).toEqual([]);
    }
    fc.assert(
      fc.property(hostileRecord, fc.integer({ min: 400, max: 4000 }), (record, maxBytes) => {
        expect(ocsfMistakes(documentOf(known(record), format))).toEqual([]);
        expect(ocsfMistakes(documentOf(known(record), format, maxBytes))).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it('has an address, or what stands for one, in every event', () => {
    fc.assert(
      fc.property(hostileRecord, fc.integer({ min: 400, max: 4000 }), (record, maxBytes) => {
        for (const format of [ocsf, finding]) {
          for (const limit of [undefined, maxBytes]) {
            const mistakes = ocsfMistakes(documentOf(record, format, limit));
            expect(mistakes.filter((text) => !/email\.(?:from|to) is no email_t$/.test(text))).toEqual([]);
          }
        }
      }),
      { numRuns: 200 },
    );
  });

  it.each([
    ['a@example.com', 'b@example.com', { from: 'a@example.com', to: ['b@example.com'] }],
    ['<>', 'b@example.com', { to: ['b@example.com'] }],
    ['a@example.com', 'postmaster', { from: 'a@example.com' }],
    ['a@example.com', null, { from: 'a@example.com' }],
    ['<>', 'postmaster', { to: ['postmaster'] }],
    ['root', null, { from: 'root' }],
    ['<>', null, { to: ['unknown'] }],
    [null, null, { to: ['unknown'] }],
  ])('takes %j and %j for %j', (senderAddress, recipientAddress, addresses) => {
    const { email, unmapped } = documentOf({ ...plainRecord, senderAddress, recipientAddress }) as never as {
      email: { from?: string; to?: string[] };
      unmapped: RawRecord;
    };
    const { from, to } = email;
    expect({ from, to }).toEqual({ from: undefined, to: undefined, ...addresses });
    // What is not in the mail is beside it.
    for (const [key, text] of Object.entries({ senderAddress, recipientAddress })) {
      expect([from, ...(to ?? []), unmapped[key]].includes(text ?? undefined)).toBe(true);
    }
  });

  it.each([
    ['safe', 1, 1, false],
    ['never heard of', 3, 1, false],
    ['timeout', 3, 2, false],
    [null, 3, 0, false],
    ['unsafe', 4, 1, true],
    ['malicious', 5, 1, true],
  ])('gives the verdict %j severity %i and status %i', (result, severity_id, status_id, is_alert) => {
    expect(documentOf({ ...plainRecord, result })).toMatchObject({ severity_id, status_id, is_alert });
  });

  it.each([
    ['none', { action_id: 3, disposition_id: 16 }],
    ['none, none', { action_id: 3, disposition_id: 16 }],
    ['user release, none', { action_id: 1, disposition_id: 1 }],
    ['Hold, none', { action_id: 2, disposition_id: 3 }],
    ['bounced', { action_id: 2, disposition_id: 25 }],
    ['Blocked', { action_id: 2, disposition_id: 2 }],
    ['attachment removed', { action_id: 2, disposition_id: 5 }],
    ['something new', { action_id: 99, action: 'something new' }],
  ])('reads the action %j as %j', (actionTriggered, expected) => {
    const document = documentOf({ ...plainRecord, actionTriggered });
    const { action_id, disposition_id, action } = document;
    const nothing = { disposition_id: undefined, action: undefined };
    expect({ action_id, disposition_id, action }).toEqual({ ...nothing, ...expected });
    expect(document).toMatchObject({ unmapped: { actionTriggered } });
  });

  it('takes a good file that nothing was done to for allowed', () => {
    const record = { ...plainRecord, result: 'safe', actionTriggered: 'none, none' };
    expect(documentOf(record)).toMatchObject({ action_id: 1, disposition_id: 16 });
  });

  it.each([
    ['inbound', { direction_id: 1 }],
    ['Outbound', { direction_id: 2 }],
    ['internal', { direction_id: 3 }],
    ['external', { direction_id: 99, direction: 'external' }],
    ['constructor', { direction_id: 99, direction: 'constructor' }],
    [null, { direction_id: 0 }],
  ])('gives route %j %j', (route, expected) => {
    const { direction_id, direction } = documentOf({ ...plainRecord, route });
    expect({ direction_id, direction }).toEqual({ direction: undefined, ...expected });
  });

  it('calls a file without a name unknown, and has no file where nothing is known of it', () => {
    const bare = { ...plainRecord, fileName: null, fileType: null };
    expect(documentOf(bare)).toMatchObject({ email: { files: [{ name: 'unknown', hashes: [{ algorithm_id: 3 }] }] } });
    expect(documentOf({ ...bare, fileHash: 'not computed' }).email).not.toHaveProperty('files');
    expect(documentOf({ ...bare, fileHash: 'not computed' })).toMatchObject({ unmapped: { fileHash: 'not computed' } });
  });

  it('names every file, in whatever room there is', () => {
    const record = { ...plainRecord, fileName: `${'x'.repeat(60)}.pdf` };
    const names = new Set<unknown>();
    for (let maxBytes = 400; maxBytes < 800; maxBytes += 5) {
      const document = documentOf(record, ocsf, maxBytes);
      expect(ocsfMistakes(document)).toEqual([]);
      const { files } = document.email as { files?: readonly { readonly name: string }[] };
      names.add(files?.[0]?.name);
    }
    expect(names).toEqual(new Set([undefined, 'unknown', record.fileName]));
  });

  it('loses no text of the record, and no key that nobody knows', () => {
    fc.assert(
      fc.property(hostileRecord, (record) => {
        const document = documentOf(record, finding);
        const texts = new Set(textsIn(document));
        for (const [key, value] of Object.entries(record)) {
          if (value === null || (typeof value === 'string' && value.trim() === '')) continue;
          if (key in plainRecord) expect(texts).toContain(String(value).toWellFormed());
          else expect(Object.hasOwn(document.unmapped as object, key.toWellFormed())).toBe(true);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('says that it was cut, at every limit', () => {
    fc.assert(
      fc.property(hostileRecord, fc.integer({ min: 400, max: 4000 }), (record, maxBytes) => {
        for (const format of [ocsf, finding]) {
          const { text, shortened } = format.render(eventOf(record), maxBytes);
          expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
          expect(JSON.parse(text).metadata.is_truncated).toBe(shortened ? true : undefined);
        }
      }),
      { numRuns: 200 },
    );
  });

  it('has the recipient, the verdict and the id in the least room, whichever class it is', () => {
    const recipientAddress = 'charles.weldon@demo-int.elastic.mime-api.com';
    for (const format of [ocsf, finding]) {
      const { text } = format.render(eventOf({ ...plainRecord, recipientAddress }), 400);
      for (const kept of [recipientAddress, 'malicious', ID]) expect(text).toContain(kept);
    }
  });

  it('says unknown where there is no room even for an address', () => {
    const record = { ...plainRecord, recipientAddress: `${'x'.repeat(60)}@example.com` };
    for (const format of [ocsf, finding]) {
      expect(format.render(eventOf(record), 340).text).toContain('"to":["unknown"]');
      expect(format.render(eventOf(record), 400).text).toContain(record.recipientAddress);
    }
  });

  it('keeps recipient, verdict and hash of a finding in little room', () => {
    const { text } = finding.render(eventOf({ ...plainRecord, subject: 'x'.repeat(9000) }), 600);
    for (const kept of ['johndoe@example.com', 'malicious', plainRecord.fileHash]) expect(text).toContain(kept);
  });
});

describe('the data that the events are checked against', () => {
  it('finds what is not of the schema', () => {
    const good = documentOf(plainRecord);
    const { time: _, ...untimed } = good;
    expect(
      ocsfMistakes({
        ...untimed,
        type_uid: 400901,
        category_uid: 2,
        severity_id: 12,
        status_id: 'ok',
        cloud: {},
        smtp_hello: 'x',
        extra: 1,
        to: 'a@example.com',
        metadata: { version: '1.7.0', product: { lang: 'en' } },
        email: { subject: 1, files: [{ name: 'x' }], cc: ['nobody'] },
      }),
    ).toEqual(
      [
        'action_id is of a profile that is not named',
        'category_uid is not of the class',
        'cloud is of a profile that is not named',
        'disposition_id is of a profile that is not named',
        'email. has none of from,to',
        'email.cc is no email_t',
        'email.files.type_id is missing',
        'email.subject is no string_t',
        'extra is no attribute',
        'is_alert is of a profile that is not named',
        'metadata.product. has none of name,uid',
        'metadata.version is another',
        'policy is of a profile that is not named',
        'severity_id is 12',
        'smtp_hello is deprecated',
        'status_id is no integer_t',
        'status_id is ok',
        'time is missing',
        'to is no list',
        'type_uid is not of the class',
      ].sort(),
    );
  });
});

function textsIn(value: unknown): unknown[] {
  if (typeof value !== 'object' || value === null) return [value];
  return Object.values(value).flatMap(textsIn);
}
