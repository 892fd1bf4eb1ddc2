import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { rejectedLogRecords, statusCode } from '../../../src/outputs/otlp/answer.ts';
import { messages } from '../../fakes/otlp-messages.ts';

function protobuf(type: typeof messages.response, content: object): Buffer {
  return Buffer.from(type.encode(type.fromObject(content)).finish());
}

function json(value: unknown): Buffer {
  return Buffer.from(JSON.stringify(value));
}

describe('rejectedLogRecords', () => {
  const said = (rejectedLogRecords: unknown, errorMessage = 'zu alt – größer'.repeat(20)) => ({
    partialSuccess: { rejectedLogRecords, errorMessage },
  });

  it.each([1, 3, 127, 128, 300, 2 ** 31])('is %i, in both encodings', (count) => {
    expect(rejectedLogRecords(protobuf(messages.response, said(count)))).toBe(BigInt(count));
    expect(rejectedLogRecords(json(said(String(count))))).toBe(BigInt(count));
    expect(rejectedLogRecords(json(said(count)))).toBe(BigInt(count));
  });

  it.each([7, '7'])('goes by the name of the .proto file too: %j', (count) => {
    expect(rejectedLogRecords(json({ partial_success: { rejected_log_records: count } }))).toBe(7n);
    expect(rejectedLogRecords(json({ partialSuccess: { rejected_log_records: count } }))).toBe(7n);
  });

  it('is the largest and the smallest 64-bit integer too', () => {
    for (const count of ['9223372036854775807', '-9223372036854775808']) {
      expect(rejectedLogRecords(protobuf(messages.response, said(count)))).toBe(BigInt(count));
      expect(rejectedLogRecords(json(said(count)))).toBe(BigInt(count));
    }
  });

  it('is the last of several, as in any Protobuf message', () => {
    const twice = [said(5), said(7), { partialSuccess: { errorMessage: 'no' } }];
    expect(rejectedLogRecords(Buffer.concat(twice.map((one) => protobuf(messages.response, one))))).toBe(7n);
  });

  it.each([
    ['an empty message', Buffer.alloc(0)],
    ['a warning', protobuf(messages.response, said(0))],
    ['an empty object', json({})],
    ['null for a message', json({ partialSuccess: null })],
    ['null for a number', json(said(null))],
    ['names of a later version', json({ later: 1, partialSuccess: { more: [] } })],
    ['the names of the .proto file', json({ partial_success: { error_message: 'w' } })],
    ['fields of a later version', Buffer.from('120548656c6c6f1d000000002100000000000000002801', 'hex')],
  ])('is none in %s', (_, body) => {
    expect(rejectedLogRecords(body)).toBe(0n);
  });

  it.each([
    ['a page', Buffer.from('<!doctype html><html><body>Sign in</body></html>')],
    ['a word', Buffer.from('OK')],
    ['a list', json([])],
    ['null', json(null)],
    ['half a message', protobuf(messages.response, said(5)).subarray(0, -1)],
    ['half a text', json(said(5)).subarray(0, -1)],
    ['a group', Buffer.from([0x0b, 0x0c])],
    ['field 0', Buffer.from([0x00, 0x00])],
    ['a number without end', Buffer.from([0x08, ...Array(12).fill(0xff)])],
    ['a length past the end', Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])],
    ['a partial success that is no message', json({ partialSuccess: 'no' })],
    ['a number with a fraction', json(said(1.5))],
    ['a number in words', json(said('three'))],
    ["another API's words", json({ status: 'ok' })],
    ['an error in its place', json({ code: 13, message: 'no' })],
  ])('is not to be had from %s', (_, body) => {
    expect(rejectedLogRecords(body)).toBeUndefined();
  });

  it('never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        rejectedLogRecords(Buffer.from(bytes));
        statusCode(Buffer.from(bytes));
      }),
    );
  });
});

describe('statusCode', () => {
  it('is read in both encodings, words aside', () => {
    const status = { code: 8, message: 'secret – größer'.repeat(30) };
    expect(statusCode(protobuf(messages.status, status))).toBe(8);
    expect(statusCode(json(status))).toBe(8);
  });

  it.each([
    ['no body', Buffer.alloc(0)],
    ['a page', Buffer.from('<html>403</html>')],
    ['a message alone', protobuf(messages.status, { message: 'no' })],
    ['a code that there is not', json({ code: 1234 })],
    ['another error in JSON', json({ code: 'E42', error: 'no' })],
  ])('is none in %s', (_, body) => {
    expect(statusCode(body)).toBeUndefined();
  });
});
