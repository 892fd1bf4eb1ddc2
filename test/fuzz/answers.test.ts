import { isUtf8 } from 'node:buffer';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { failureOfAnswer, failureOfEnvelope } from '../../src/mimecast/failure.ts';
import { nextPageToken, parsePage, UnknownShape } from '../../src/mimecast/page.ts';
import { requestedPauseMs } from '../../src/mimecast/rate-limit.ts';
import { rejectedLogRecords, statusCode } from '../../src/outputs/otlp/answer.ts';
import { RelpAnswers } from '../../src/outputs/wire/relp-answers.ts';
import { parseAnswer, RelpFrameError, RelpFrames } from '../../src/outputs/wire/relp-frames.ts';
import { parseRetryAfter } from '../../src/retry.ts';
import { messages } from '../fakes/otlp-messages.ts';
import { realLines } from '../formats/records.ts';
import { damaged, fuzz } from './fuzzing.ts';

/** Whatever the other side answers, a decoder gives a value or the error that it promises, and never more than was said. */

const KEY = 'attachmentLogs';

describe("Mimecast's pages", () => {
  const page = (records: string) =>
    `{"meta":{"status":200,"pagination":{"pageSize":500,"next":"n"}},"data":[{"${KEY}":[${records}]}],"fail":[]}`;
  const pages = [
    page(''),
    page(realLines.join(',')),
    page('{"a":"},{"},{"b":["}]",{}]}'),
    '{"fail":[{"errors":[{"code":"err_xdk_x","message":"m","retryable":false}]}],"meta":{"status":401}}',
    '{"error":"invalid_client","error_description":"d"}',
  ];
  /** As the transport hands bytes on: valid UTF-8. */
  const utf8 = damaged(pages).map((bytes) => (isUtf8(bytes) ? bytes : Buffer.from(bytes.toString())));

  const usual = {
    looksAt: new Set(['date', 'fileHash']),
    lacks: new Set(['eventId']),
    read: (members: object, text: string) => {
      const whole: unknown = JSON.parse(Buffer.from(text, 'latin1').toString());
      expect(whole).toMatchObject(members);
      return whole;
    },
  };

  /** What `JSON.parse` alone makes of a page; undefined where the answer is no JSON object. */
  function plainly(bytes: Buffer): { data?: unknown } | undefined {
    try {
      const value: unknown = JSON.parse(bytes.toString());
      return typeof value === 'object' && value !== null && !Array.isArray(value) ? value : undefined;
    } catch {
      return undefined;
    }
  }

  it('give all records that are in them, or an error, and never others', () => {
    fuzz(
      fc.property(utf8, (bytes) => {
        let parsed: ReturnType<typeof parsePage<unknown>>;
        try {
          parsed = parsePage(bytes, KEY, { read: (record) => record, usual });
          if (parsed) nextPageToken(parsed.envelope);
        } catch (error) {
          expect(error).toBeInstanceOf(UnknownShape);
          return;
        }
        const whole = plainly(bytes);
        expect(parsed === undefined).toBe(whole === undefined);
        if (!Array.isArray(whole?.data)) return;
        const expected = whole.data.flatMap((element) => element?.[KEY] ?? []);
        expect(parsed?.records.map(({ value }) => value)).toEqual(expected);
        for (const { raw, value } of parsed?.records ?? []) {
          expect(raw.includes('\n') || raw.includes('\r')).toBe(false);
          expect(JSON.parse(raw.toString())).toEqual(value);
        }
      }),
    );
  });

  it('that are failures make one short line, without our secrets', () => {
    const SECRET = 'canary-1d9a';
    const asked = {
      what: 'POST /page at api.example',
      requestId: 'r',
      pageTokenSent: true,
      credentialsSent: false,
      redact: (text: string) => text.replaceAll(SECRET, '***'),
    };
    const status = fc.integer({ min: 100, max: 999 });
    const echo = fc.constantFrom('', SECRET, `${SECRET}\r\n2026-01-01 forged\u202e\u001b[2J`);
    fuzz(
      fc.property(utf8, status, echo, (bytes, status, echoed) => {
        const text = bytes.toString().replace('"m"', JSON.stringify(echoed));
        const head = { status, headers: {} };
        const envelope = plainly(Buffer.from(text));
        const errors = [failureOfAnswer(head, text, asked, 0), envelope && failureOfEnvelope(envelope, head, asked, 0)];
        for (const error of errors.filter((error) => error !== undefined)) {
          expect(error.message).not.toMatch(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/u);
          expect(error.message.length).toBeLessThan(1500);
          expect(JSON.stringify([error.message, error.hint, error.apiCodes])).not.toContain(SECRET);
        }
      }),
    );
  });
});

describe('a wait that the other side asks for', () => {
  const header = fc.oneof(
    damaged(['120', '1.5', 'Wed, 21 Oct 2026 07:28:00 GMT', '1795449600', '1795449600000', '-1', 'Infinity']).map(
      String,
    ),
    fc.double().map(String),
  );

  it('is a number of ms that a timer can take, or none', () => {
    fuzz(
      fc.property(header, header, (after, reset) => {
        const ms = parseRetryAfter(after, Date.UTC(2026, 0, 1));
        expect(ms === undefined || ms >= 0).toBe(true);
        const pause = requestedPauseMs({ 'retry-after': after, 'x-ratelimit-reset': reset }, Date.UTC(2026, 0, 1));
        expect(pause === undefined || (pause >= 1000 && pause <= 900_000)).toBe(true);
      }),
    );
  });
});

describe('RELP', () => {
  const stream = damaged([
    '1 rsp 92 200 OK\nrelp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog\n2 rsp 6 200 OK\n',
    '2 rsp 6 200 OK\n3 rsp 6 500 no\n4 rsp 0\n0 serverclose 0\n',
    '999999999 rsp 16384 x\n',
  ]);
  const cuts = fc.array(fc.nat(60), { maxLength: 6 });

  function inPieces(bytes: Buffer, at: readonly number[]): Buffer[] {
    const places = [0, ...at.filter((place) => place < bytes.length).toSorted((a, b) => a - b), bytes.length];
    return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
  }

  it('frames come out whole, whatever the cuts, up to the first garbage', () => {
    fuzz(
      fc.property(stream, cuts, (bytes, at) => {
        const read = (pieces: readonly Buffer[]) => {
          const frames = new RelpFrames();
          const seen: unknown[] = [];
          try {
            for (const piece of pieces)
              for (const frame of frames.push(piece)) seen.push({ ...frame, ...parseAnswer(frame.data) });
          } catch (error) {
            expect(error).toBeInstanceOf(RelpFrameError);
          }
          return seen;
        };
        expect(read(inPieces(bytes, at))).toEqual(read([bytes]));
      }),
    );
  });

  it('answers count once, and only for what was sent', () => {
    fuzz(
      fc.property(stream, cuts, (bytes, at) => {
        const answers = new RelpAnswers();
        const answered: number[] = [];
        for (const txnr of [1, 2, 3]) answers.expect(txnr, () => answered.push(txnr));
        for (const piece of inPieces(bytes, at)) answers.take(piece);
        expect(new Set(answered).size).toBe(answered.length);
        expect(answered.length).toBeLessThanOrEqual(bytes.toString('latin1').split('rsp').length - 1);
      }),
    );
  });
});

describe('OTLP', () => {
  const encoded = (type: typeof messages.response, content: object) =>
    Buffer.from(type.encode(type.fromObject(content)).finish());
  const answers = [
    encoded(messages.response, { partialSuccess: { rejectedLogRecords: 300, errorMessage: 'too long' } }),
    encoded(messages.status, { code: 14, message: 'unavailable' }),
    '{"partialSuccess":{"rejectedLogRecords":"3","errorMessage":"m"}}',
    '{"code":8,"message":"exhausted","details":[]}',
  ];

  it('numbers are those of the reference decoder, or none', () => {
    fuzz(
      fc.property(damaged(answers), (bytes) => {
        const rejected = rejectedLogRecords(bytes);
        const code = statusCode(bytes);
        expect(code === undefined || (Number.isInteger(code) && code >= 1 && code <= 16)).toBe(true);
        if (rejected === undefined || bytes.toString().trimStart().startsWith('{')) return;
        let reference: { partialSuccess?: { rejectedLogRecords?: unknown } | null };
        try {
          reference = messages.response.decode(bytes).toJSON();
        } catch {
          return; // Stricter with parts that nobody reads, such as texts in a wrong place.
        }
        expect(String(rejected)).toBe(String(reference.partialSuccess?.rejectedLogRecords ?? 0));
      }),
    );
  });
});
