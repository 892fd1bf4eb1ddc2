import { describe, expect, test } from 'vitest';
import { leaderOf, record } from '../../src/simulate/record.ts';

const DATE = Date.parse('2026-02-03T04:05:06Z');
const records = Array.from({ length: 5000 }, (_, index) => record(index, 'seed', DATE));

describe('record', () => {
  test('is a pure function of index, seed and date', () => {
    expect(record(42, 'seed', DATE)).toEqual(record(42, 'seed', DATE));
    expect(record(42, 'other', DATE).fileHash).not.toBe(record(42, 'seed', DATE).fileHash);
    expect(record(42, 'seed', DATE + 1000)).toEqual({ ...record(42, 'seed', DATE), date: '2026-02-03T04:05:07+0000' });
  });

  test('is the same on every machine and in every version, so that a seed in a bug report keeps its meaning', () => {
    expect(record(7, 'seed', DATE)).toEqual({
      senderAddress: 'rechnung@cloud-files.example.org',
      recipientAddress: 'sybil.991@uk.customer.example',
      fileName: 'Sandbox Test ca4131.pptx',
      fileType: 'application/vnd.openxmlformats-officedocument.presentationml',
      result: 'safe',
      actionTriggered: 'none, none',
      date: '2026-02-03T04:05:06+0000',
      details: `${'Safe'.padEnd(50)}\r\nTime taken: 0 hrs, 0 min, 45 sec`,
      route: 'outbound',
      messageId: '<551c64d4cab625f3-7@cloud-files.example.org>',
      subject: 'Tab\there',
      fileHash: 'ca41318577ede740ce069c1354bebbd161ddad1d7cd6b203d7db4c6ad149fe1b',
      definition: 'Default Outbound Attachment Protect Definition',
    });
  });

  test('has the thirteen keys of the API, in its order', () => {
    expect(Object.keys(record(0, 'seed', DATE))).toEqual([
      'senderAddress',
      'recipientAddress',
      'fileName',
      'fileType',
      'result',
      'actionTriggered',
      'date',
      'details',
      'route',
      'messageId',
      'subject',
      'fileHash',
      'definition',
    ]);
    expect(record(0, 'seed', DATE).details).toMatch(/^(Safe|Malicious) {41,}\r\nTime taken: 0 hrs, 0 min, \d+ sec$/);
  });

  test('is told apart by hash, date and recipient: no two of them are the same event', () => {
    const identities = records.map((one) =>
      one.fileHash === '' ? JSON.stringify(one) : [one.fileHash, one.date, one.recipientAddress].join(),
    );
    expect(new Set(identities).size).toBe(records.length);
  });

  test('groups rows into mails: two files to one person, one file to three', () => {
    const [first, second, , ...others] = records;
    expect(second?.messageId).toBe(first?.messageId);
    expect(second?.recipientAddress).toBe(first?.recipientAddress);
    expect(second?.fileHash).not.toBe(first?.fileHash);
    const three = others.slice(0, 3);
    expect(new Set(three.map((one) => one.messageId)).size).toBe(1);
    expect(new Set(three.map((one) => one.fileHash)).size).toBe(1);
    expect(new Set(three.map((one) => one.recipientAddress)).size).toBe(3);
    expect([0, 1, 2, 3, 4, 5, 6, 17].map(leaderOf)).toEqual([0, 0, 2, 3, 3, 3, 6, 17]);
  });

  test('shows every oddity that the real API is known for', () => {
    const some = (predicate: (one: (typeof records)[number]) => boolean) => expect(records.some(predicate)).toBe(true);
    some((one) => one.senderAddress === '<>');
    some((one) => !('messageId' in one));
    some((one) => one.messageId === '');
    some((one) => one.fileHash === '');
    some((one) => one.subject === '');
    some((one) => /[\r\n]/.test(one.subject));
    some((one) => one.subject.length > 900);
    for (const sign of ['"', '|', '=', '\\', '請', 'ع', '🧾', '\t']) some((one) => one.subject.includes(sign));
    for (const result of ['safe', 'malicious', 'unsafe', 'timeout', 'error']) some((one) => one.result === result);
    for (const route of ['inbound', 'outbound', 'internal']) some((one) => one.route === route);
    some((one) => one.actionTriggered === 'user release, none');
  });
});
