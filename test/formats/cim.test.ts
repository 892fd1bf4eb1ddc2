import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cim as cimType } from '../../src/formats/cim.ts';
import { buildFormat } from '../../src/formats/format.ts';
import { topLevelKeys } from './parsers.ts';
import { eventOf, eventOfLine, hostileRecord, ID, plainRecord, realLines } from './records.ts';

const cim = buildFormat(cimType);

/**
 * The model as Splunk documents it (CIM 6.2): the fields of All_Email, of its data set Filtering, of Malware_Attacks, and the one of
 * Network_Traffic that says a direction; null where any text will do, a list where values are prescribed.
 */
const EMAIL: Readonly<Record<string, readonly string[] | null>> = {
  ...Object.fromEntries(
    (
      'dest file_hash file_name file_size internal_message_id message_id message_info orig_recipient recipient ' +
      'recipient_count recipient_status return_addr size src src_user status_code subject url user vendor_product ' +
      'signature signature_id signature_extra filter_action filter_score'
    )
      .split(' ')
      .map((field) => [field, null]),
  ),
  action: ['delivered', 'blocked', 'quarantined', 'deleted'],
};
const MALWARE: Readonly<Record<string, readonly string[] | null>> = {
  ...Object.fromEntries(
    'category date dest file_hash file_name file_path severity_id signature signature_id src src_user url user vendor_product'
      .split(' ')
      .map((field) => [field, null]),
  ),
  action: ['allowed', 'blocked', 'deferred'],
  severity: ['critical', 'high', 'medium', 'low', 'informational'],
};
const DIRECTION: readonly string[] = ['inbound', 'outbound'];

/** Mimecast's name, and the model's. */
const RENAMED = [
  ['senderAddress', 'src_user'],
  ['recipientAddress', 'recipient'],
  ['subject', 'subject'],
  ['messageId', 'message_id'],
  ['fileName', 'file_name'],
  ['fileHash', 'file_hash'],
  ['definition', 'signature'],
] as const;
const OWN_NAME = ['result', 'actionTriggered', 'date', 'details', 'route', 'fileType'];
const OURS = ['eventId', 'eventTime', 'feed', 'truncated'];

function read(record: object): Record<string, unknown> {
  const { text } = cim.render(eventOf(record as Record<string, unknown>));
  expect(new Set(topLevelKeys(text)).size).toBe(topLevelKeys(text).length);
  return JSON.parse(text);
}

describe('the CIM format', () => {
  it('writes a malicious file', () => {
    expect(read(plainRecord)).toEqual({
      eventId: ID,
      eventTime: '2021-10-14T18:54:32Z',
      feed: 'attachment',
      vendor_product: 'Mimecast Attachment Protect',
      severity: 'critical',
      direction: 'inbound',
      user: 'johndoe@example.com',
      src_user: '<>',
      recipient: 'johndoe@example.com',
      subject: plainRecord.subject,
      message_id: plainRecord.messageId,
      file_name: plainRecord.fileName,
      file_hash: plainRecord.fileHash,
      signature: plainRecord.definition,
      result: 'malicious',
      actionTriggered: 'user release, none',
      date: plainRecord.date,
      details: plainRecord.details,
      route: 'inbound',
      fileType: 'application/pdf',
    });
  });

  it('uses the names and the words of the model, and Mimecast’s own for the rest', () => {
    for (const line of realLines) {
      const members = JSON.parse(cim.render(eventOfLine(line)).text);
      const malware = members.result === 'malicious';
      for (const [name, value] of Object.entries(members)) {
        if (OURS.includes(name) || OWN_NAME.includes(name)) continue;
        if (name === 'direction') expect(DIRECTION).toContain(value);
        else if (name === 'severity') expect(MALWARE.severity).toContain(value);
        else {
          expect(Object.keys(EMAIL)).toContain(name);
          if (name === 'action') expect(malware ? MALWARE.action : EMAIL.action).toContain(value);
        }
        if (malware && name in MALWARE) expect(MALWARE[name]?.includes(String(value)) ?? true).toBe(true);
      }
    }
  });

  it.each([
    ['safe', 'none, none', 'delivered'],
    ['clean', 'none', 'delivered'],
    ['safe', 'user release, none', 'delivered'],
    ['safe', ' User Release , NONE ', 'delivered'],
    ['malicious', 'none', undefined],
    ['malicious', 'user release, none', undefined],
    ['unknown', 'none', undefined],
    ['timeout', 'none', undefined],
    [null, 'none', undefined],
    ['safe', null, undefined],
    ['safe', '', undefined],
    ['safe', 'something new', undefined],
    ['malicious', 'hold', 'deferred'],
    ['malicious', 'hold, none', 'deferred'],
    ['timeout', 'hold, none', 'quarantined'],
    ['malicious', 'block', 'blocked'],
    ['unknown', 'bounce', 'blocked'],
    ['unsafe', 'reject', 'blocked'],
    ['malicious', 'delete, none', 'blocked'],
    ['unknown', 'delete', 'deleted'],
    ['safe', 'hold, user release', undefined],
    ['malicious', 'hold, delete', undefined],
    ['malicious', 'constructor', undefined],
  ])('calls %s with the action %j %s', (result, actionTriggered, action) => {
    const members = read({ ...plainRecord, result, actionTriggered });
    expect(members.action).toBe(action);
    const word = result !== null && ['malicious', 'unsafe'].includes(result) ? MALWARE.action : EMAIL.action;
    if (action !== undefined) expect(word).toContain(action);
  });

  it.each([
    ['safe', 'low'],
    ['unknown', 'medium'],
    ['suspicious', 'high'],
    ['malicious', 'critical'],
  ])('gives %s the severity %s', (result, severity) => {
    expect(read({ ...plainRecord, result }).severity).toBe(severity);
  });

  it.each([
    ['inbound', 'inbound'],
    ['Outbound', 'outbound'],
    ['internal', undefined],
    ['external', undefined],
    ['constructor', undefined],
  ])('gives route %s the direction %s', (route, direction) => {
    expect(read({ ...plainRecord, route })).toMatchObject({ route });
    expect(read({ ...plainRecord, route }).direction).toBe(direction);
  });

  it('names whom malware was meant for, and of other events nobody: Email has another meaning for user', () => {
    expect(read({ ...plainRecord, result: 'suspicious' }).user).toBe(plainRecord.recipientAddress);
    expect(read({ ...plainRecord, result: 'safe' })).not.toHaveProperty('user');
    expect(read({ ...plainRecord, recipientAddress: null })).not.toHaveProperty('user');
  });

  it('lets what it derives win over a record’s own members by the same names', () => {
    const theirs = ['action', 'user', 'severity', 'vendor_product', 'src_user', 'file_name', 'signature', ...OURS];
    const record = { ...plainRecord, result: 'timeout', ...Object.fromEntries(theirs.map((name) => [name, 'theirs'])) };
    expect(Object.values(read(record))).not.toContain('theirs');
  });

  it('loses nothing of a record but what is null', () => {
    fc.assert(
      fc.property(hostileRecord, (record) => {
        const members = new Map(Object.entries(read(record)));
        const renamed = new Map<string, string>(RENAMED);
        const taken = [...OURS, ...renamed.values(), 'vendor_product', 'action', 'severity', 'direction', 'user'];
        const sent = JSON.parse(JSON.stringify(record), (_, value) =>
          typeof value === 'string' ? value.toWellFormed() : value,
        );
        for (const [name, value] of Object.entries(sent)) {
          if (taken.includes(name) && !renamed.has(name)) continue;
          const written = members.get(renamed.get(name) ?? name);
          expect(written).toEqual(value === null ? undefined : value);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('says what it cut, at every limit, by the names that it writes', () => {
    fc.assert(
      fc.property(hostileRecord, fc.integer({ min: 400, max: 4000 }), (record, maxBytes) => {
        const { text, shortened } = cim.render(eventOf(record), maxBytes);
        expect(Buffer.byteLength(text)).toBeLessThanOrEqual(maxBytes);
        const { truncated = [], ...members } = JSON.parse(text);
        expect(truncated.length > 0).toBe(shortened);
        expect(text).not.toMatch(/[\u0000-\u001f]|CEF:0/);
        for (const [name, whole] of Object.entries(read(record))) {
          if (isDeepStrictEqual(members[name], whole)) continue;
          expect(truncated.includes(name) || truncated.includes('*')).toBe(true);
          if (members[name] !== undefined) expect(String(whole).startsWith(members[name])).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });
});
