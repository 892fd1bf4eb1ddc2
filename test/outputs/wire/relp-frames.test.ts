import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  encodeFrame,
  encodeOffers,
  parseAnswer,
  type RelpFrame,
  RelpFrameError,
  RelpFrames,
} from '../../../src/outputs/wire/relp-frames.ts';

const txnr = fc.integer({ min: 0, max: 999_999_999 });
const command = fc.stringMatching(/^[A-Za-z]{1,32}$/);
const data = fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes));
const frame = fc.record({ txnr, command, data });
const cuts = fc.array(fc.nat(600), { maxLength: 12 });

/** As the specification writes a frame. */
function written({ txnr, command, data }: RelpFrame): Buffer {
  const header = Buffer.from(`${txnr} ${command} ${data.length}`);
  return Buffer.concat(
    data.length === 0 ? [header, Buffer.from('\n')] : [header, Buffer.from(' '), data, Buffer.from('\n')],
  );
}

function inPieces(bytes: Buffer, at: readonly number[]): Buffer[] {
  const places = [0, ...at.map((place) => Math.min(place, bytes.length)), bytes.length].sort((a, b) => a - b);
  return places.slice(1).map((end, index) => bytes.subarray(places[index], end));
}

function read(pieces: readonly Buffer[]): RelpFrame[] {
  const frames = new RelpFrames();
  return pieces.flatMap((piece) => [...frames.push(piece)]);
}

const readText = (text: string) => read([Buffer.from(text, 'latin1')]);

describe('RELP frames that come', () => {
  it('are reassembled wherever the stream is cut', () => {
    fc.assert(
      fc.property(fc.array(frame, { maxLength: 12 }), cuts, (frames, at) => {
        expect(read(inPieces(Buffer.concat(frames.map(written)), at))).toEqual(frames);
      }),
    );
  });

  it('are reassembled octet by octet: what rsyslog answers to open, three messages and close', () => {
    const offers = '200 OK\nrelp_version=0\nrelp_software=librelp,1.11.0,http://librelp.adiscon.com\ncommands=syslog';
    const said = `1 rsp ${offers.length} ${offers}\n2 rsp 6 200 OK\n3 rsp 6 200 OK\n4 rsp 6 200 OK\n5 rsp 0\n0 serverclose 0\n`;
    const octets = [...Buffer.from(said)].map((octet) => Buffer.of(octet));
    const expected = [
      [1, 'rsp', offers],
      [2, 'rsp', '200 OK'],
      [3, 'rsp', '200 OK'],
      [4, 'rsp', '200 OK'],
      [5, 'rsp', ''],
      [0, 'serverclose', ''],
    ];
    for (const pieces of [octets, [Buffer.from(said)]]) {
      expect(read(pieces).map(({ txnr, command, data }) => [txnr, command, data.toString()])).toEqual(expected);
    }
  });

  it.each([
    ['a letter for a number', 'x rsp 0\n'],
    ['a number of ten digits', '1000000000 rsp 0\n'],
    ['no command', '1  0\n'],
    ['a command with a digit', '1 rsp2 0\n'],
    ['a command of 33 letters', `1 ${'r'.repeat(33)} 0\n`],
    ['a length of ten digits', '1 rsp 0000000001 x\n'],
    ['a negative length', '1 rsp -1 x\n'],
    ['a space where there is no data', '1 rsp 0 \n'],
    ['no data where there is a length', '1 rsp 1\nx\n'],
    ['more data than it says', '1 rsp 1 xy\n'],
    ['more data than it says, as far as has come', '1 rsp 1 xy'],
    ['less data than it says', '1 rsp 3 xy\n0 serverclose 0\n'],
    ['more data than any answer has', '1 rsp 999999999 x'],
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n'],
    ['TLS', '\x15\x03\x03\x00\x02\x02\x46'],
  ])('are refused with %s', (_name, text) => {
    expect(() => readText(text)).toThrow(RelpFrameError);
  });

  it('are refused at the first octet that cannot be theirs, not when more has come', () => {
    for (const text of ['H', '\x16', '1 rsp 1\n', '1x', '1 r2', '1 rsp 1x']) {
      expect(() => readText(text)).toThrow(RelpFrameError);
    }
    for (const text of ['1', '999999999', '1 ', '1 r', '1 rsp ', '1 rsp 999', '1 rsp 3 ab', '1 rsp 3 abc']) {
      expect(readText(text)).toEqual([]);
    }
  });

  it('count when they stand before garbage', () => {
    const frames = new RelpFrames();
    const seen: number[] = [];
    expect(() => {
      for (const { txnr } of frames.push(Buffer.from('7 rsp 6 200 OK\n8 rsp 6 200 OK\ngarbage'))) seen.push(txnr);
    }).toThrow(RelpFrameError);
    expect(seen).toEqual([7, 8]);
  });

  it('show nothing of themselves in what is thrown', () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Z]{8}$/), (secret) => {
        try {
          readText(`1 rsp 2 ${secret}\n`);
          expect.unreachable();
        } catch (error) {
          expect(String(error)).not.toContain(secret);
        }
      }),
    );
  });
});

describe('a RELP frame that is sent', () => {
  it('is what the specification says, vectors that rsyslog takes among them', () => {
    const offers = encodeOffers({ relp_version: '0', relp_software: 'mcship,1.0,-', commands: 'syslog' });
    expect(encodeFrame(1, 'open', offers).toString()).toBe(
      '1 open 58 \nrelp_version=0\nrelp_software=mcship,1.0,-\ncommands=syslog\n',
    );
    expect(encodeFrame(2, 'syslog', '<13>1 - - - - - - Zürich').toString()).toBe(
      '2 syslog 25 <13>1 - - - - - - Zürich\n',
    );
    expect(encodeFrame(3, 'close').toString()).toBe('3 close 0\n');
  });

  it('counts octets, whether the message is a text or two pieces', () => {
    fc.assert(
      fc.property(txnr, fc.string({ unit: 'grapheme' }), fc.string({ unit: 'grapheme' }), (number, head, tail) => {
        const expected = written({ txnr: number, command: 'syslog', data: Buffer.from(head + tail) });
        expect(encodeFrame(number, 'syslog', head + tail).equals(expected)).toBe(true);
        expect(encodeFrame(number, 'syslog', { head, tail: Buffer.from(tail) }).equals(expected)).toBe(true);
      }),
    );
  });

  it('counts the replacement character that a lone surrogate becomes', () => {
    expect(encodeFrame(2, 'syslog', 'a\ud800b').toString()).toBe('2 syslog 5 a\ufffdb\n');
  });
});

describe('an answer', () => {
  const answer = (text: string) => {
    const { code, offers } = parseAnswer(Buffer.from(text));
    return { code, offers: Object.fromEntries(offers) };
  };

  it.each([
    ['200 OK', { code: 200, offers: {} }],
    ['200', { code: 200, offers: {} }],
    ['500 command disabled', { code: 500, offers: {} }],
    ['', { code: undefined, offers: {} }],
    ['2000 OK', { code: undefined, offers: {} }],
    ['OK', { code: undefined, offers: {} }],
    [
      '200 OK\nrelp_version=0\ncommands=syslog,eventlog\nlonely\nurl=http://x.example/?a=b',
      {
        code: 200,
        offers: { relp_version: ['0'], commands: ['syslog', 'eventlog'], lonely: [], url: ['http://x.example/?a=b'] },
      },
    ],
  ])('%j', (text, expected) => {
    expect(answer(text)).toEqual(expected);
  });

  it('never throws', () => {
    fc.assert(fc.property(data, (bytes) => void parseAnswer(bytes)));
  });
});
