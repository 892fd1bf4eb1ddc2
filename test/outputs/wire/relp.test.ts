import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import { OutputError } from '../../../src/outputs/output.ts';
import { Dialer } from '../../../src/outputs/wire/dialer.ts';
import { Relp } from '../../../src/outputs/wire/relp.ts';
import { RELP_LIMITS } from '../../../src/outputs/wire/relp-session.ts';
import { type TlsOptions, tlsOptions } from '../../../src/outputs/wire/tls.ts';
import type { Delivery } from '../../../src/outputs/wire/wire.ts';
import { RelpServer } from '../../fakes/relp-server.ts';
import { type Certificates, makeCertificates } from '../../receivers/certificates.ts';

const never = new AbortController().signal;
const ACCEPTED: Delivery = { refused: new Map() };
const SOFTWARE = 'mimecast-forwarder,1.2.3';

let server: RelpServer;
let wires: Relp[];

beforeEach(async () => {
  server = await RelpServer.start();
  wires = [];
});
afterEach(async () => {
  await server.stop();
  for (const wire of wires) await wire.close();
});

function relp({ sendTimeout = 5_000, connectTimeout = 5_000, port = server.port, limits = RELP_LIMITS } = {}): Relp {
  const endpoint = { protocol: 'relp', host: '127.0.0.1', port } as const;
  const wire = new Relp(new Dialer(endpoint, tlsOptions.parse({}), connectTimeout), SOFTWARE, sendTimeout, limits);
  wires.push(wire);
  return wire;
}

function messages(count: number, first = 0): string[] {
  return Array.from({ length: count }, (_, index) => `<13>1 - - - - - - größer ${first + index}`);
}

async function errorOf(work: Promise<unknown>): Promise<OutputError> {
  const error = await work.then(
    () => expect.unreachable('it was delivered'),
    (reason: unknown) => reason,
  );
  if (!(error instanceof OutputError)) throw error;
  return error;
}

describe('a batch over RELP', () => {
  it('is there in order, over one session with all others, opened with what the specification asks for', async () => {
    const wire = relp();
    expect(await wire.deliver(messages(3), never)).toEqual(ACCEPTED);
    expect(await wire.deliver(messages(2, 3), never)).toEqual(ACCEPTED);
    const [session, ...others] = server.sessions;
    expect(others).toEqual([]);
    expect(session?.messages).toEqual(messages(5));
    expect(session?.commands).toEqual(['1 open', '2 syslog', '3 syslog', '4 syslog', '5 syslog', '6 syslog']);
    expect(session?.offers).toBe(`\nrelp_version=0\nrelp_software=${SOFTWARE}\ncommands=syslog`);
  });

  it('may hold anything: line feeds, frames, two pieces', async () => {
    const hostile = ['a\nb', '2 syslog 3 abc\n', '0 serverclose 0\n', '\u0000', 'ü€𝄞'];
    await relp().deliver([...hostile, { head: 'in ', tail: Buffer.from('zwei Stücken\n') }], never);
    expect(server.messages).toEqual([...hostile, 'in zwei Stücken\n']);
  });

  it('of none is accepted', async () => {
    expect(await relp().deliver([], never)).toEqual(ACCEPTED);
  });

  it('is understood when the answers come octet by octet', async () => {
    server.pieces = 'octets';
    expect(await relp().deliver(messages(200), never)).toEqual(ACCEPTED);
    expect(server.messages).toEqual(messages(200));
  });

  it('counts only when its last message is acknowledged', async () => {
    let release: (() => void) | undefined;
    server.beforeEach = (acknowledged, session) => {
      if (acknowledged !== 2) return;
      const answer = session.answer.bind(session);
      session.answer = (txnr, data) => {
        release = () => answer(txnr, data);
      };
    };
    let isDelivered = false;
    const delivery = relp()
      .deliver(messages(3), never)
      .then(() => {
        isDelivered = true;
      });
    await expect.poll(() => release).toBeDefined();
    expect(isDelivered).toBe(false);
    release?.();
    await delivery;
  });

  it('is never further ahead than the window', async () => {
    server.manner = 'hangs';
    const wire = relp({ sendTimeout: 300 });
    const error = await errorOf(wire.deliver(messages(1_000), never));
    expect(error).toMatchObject({ reason: 'unconfirmed', disposition: 'retry' });
    expect(server.sessions[0]?.commands).toHaveLength(1 + 128);
  });

  it('goes on with every acknowledgement, not only with many', async () => {
    server.beforeEach = (acknowledged) => {
      if (acknowledged === 1) server.manner = 'hangs';
    };
    // The fake looks at its manner before a message is taken, so the second is still acknowledged.
    const delivery = relp({ sendTimeout: 300, limits: { window: 8, lastTxnr: 100 } }).deliver(messages(12), never);
    await expect.poll(() => server.sessions[0]?.commands).toHaveLength(1 + 8 + 2);
    expect([...((await delivery).unsettled?.indexes ?? [])]).toEqual([2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
  });

  it('is acknowledged by numbers, in whatever order the answers come', async () => {
    server.codeFor = (message) => (message.endsWith(' 0') ? 500 : 200);
    server.beforeEach = (_acknowledged, session) => {
      const answer = session.answer.bind(session);
      const answers: [number, string][] = [];
      session.answer = (txnr, data) => {
        answers.unshift([txnr, data]);
        if (answers.length === 3) for (const [number, text] of answers) answer(number, text);
      };
      server.beforeEach = () => {};
    };
    const { refused } = await relp().deliver(messages(3), never);
    expect([...refused.keys()]).toEqual([0]);
  });

  it('has whatever course the codes take told message by message', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.constantFrom(200, 500, 404), { maxLength: 300 }), async (codes) => {
        server.codeFor = (message) => codes[Number(message)] ?? 200;
        // One that is taken, so that the others are not refused with all.
        const course = [...codes, 200];
        const { refused, unsettled } = await relp().deliver(
          course.map((_, index) => `${index}`),
          never,
        );
        expect(unsettled).toBeUndefined();
        expect([...refused.keys()]).toEqual(codes.flatMap((code, index) => (code === 200 ? [] : [index])));
      }),
      { numRuns: 30 },
    );
  });

  it('begins a session anew before the numbers end', async () => {
    const wire = relp({ limits: { window: 4, lastTxnr: 10 } });
    for (const first of [0, 4, 8]) expect(await wire.deliver(messages(4, first), never)).toEqual(ACCEPTED);
    const commands = server.sessions.map((session) => session.commands.join());
    expect(commands).toEqual([
      '1 open,2 syslog,3 syslog,4 syslog,5 syslog,6 syslog,7 syslog,8 syslog,9 syslog,10 close',
      '1 open,2 syslog,3 syslog,4 syslog,5 syslog',
    ]);
  });
});

describe('a refused message', () => {
  it('is told, with the code and not with the words of the receiver, and the others count', async () => {
    server.codeFor = (message) => (message.endsWith(' 1') ? 500 : 200);
    const delivery = await relp().deliver(messages(3), never);
    expect(delivery).toEqual({ refused: new Map([[1, 'the receiver refused it with code 500']]) });
    expect(server.messages).toEqual([messages(3)[0], messages(3)[2]]);
  });

  it.each([1, 3, 200])(
    'is told as refused also when all %i are: whether that is an outage is for the dispatcher to see',
    async (count) => {
      server.codeFor = () => 500;
      const { refused, unsettled } = await relp().deliver(messages(count), never);
      expect(refused.size).toBe(count);
      expect(unsettled).toBeUndefined();
    },
  );

  it('before the session stood still, with none taken, is left over like the rest', async () => {
    server.codeFor = () => {
      server.manner = 'hangs';
      return 500;
    };
    await expect(relp({ sendTimeout: 300 }).deliver(messages(5), never)).rejects.toMatchObject({
      disposition: 'retry',
      reason: 'unconfirmed',
    });
  });
});

describe('a session that breaks', () => {
  it.each([
    ['by a reset', 'reset'],
    ['by a hint', 'closeByHint'],
    ['by an end without a hint', 'endWithoutHint'],
  ] as const)('%s leaves over what was not acknowledged, and no more', async (_name, how) => {
    server.beforeEach = (acknowledged, session) => {
      if (acknowledged === 40 && server.sessions.length === 1) {
        // What was acknowledged must be on its way first: a reset would overtake it.
        setImmediate(() => session[how]());
        session.answer = () => {};
      }
    };
    const wire = relp();
    const batch = messages(300);
    const { refused, unsettled } = await wire.deliver(batch, never);
    expect(refused.size).toBe(0);
    expect(unsettled?.error).toMatchObject({ reason: 'unconfirmed', disposition: 'retry' });
    const left = [...(unsettled?.indexes ?? [])];
    expect(left[0]).toBeGreaterThan(0);
    expect(left).toEqual(Array.from({ length: 300 - (left[0] ?? 0) }, (_, index) => index + (left[0] ?? 0)));
    const rest = left.map((index) => batch[index] ?? '');
    expect(await wire.deliver(rest, never)).toEqual(ACCEPTED);
    expect(server.sessions[1]?.commands.slice(0, 2)).toEqual(['1 open', '2 syslog']);
    expect(new Set(server.messages)).toEqual(new Set(batch));
  });

  it('before any acknowledgement counts nothing', async () => {
    server.beforeEach = (_acknowledged, session) => session.reset();
    expect(await errorOf(relp().deliver(messages(3), never))).toMatchObject({
      reason: 'unconfirmed',
      disposition: 'retry',
    });
  });

  it('between two batches is noticed before the second is sent', async () => {
    const wire = relp();
    for (const how of ['closeByHint', 'endWithoutHint', 'reset'] as const) {
      await wire.deliver(messages(1), never);
      server.sessions.at(-1)?.[how]();
      await expect.poll(() => server.connections).toBe(how === 'reset' ? 0 : 1);
      expect(await wire.deliver(messages(1), never)).toEqual(ACCEPTED);
    }
    expect(server.sessions).toHaveLength(4);
  });

  it.each([
    ['what was not sent', '9999 rsp 6 200 OK\n'],
    ['twice', '2 rsp 6 200 OK\n2 rsp 6 200 OK\n'],
    ['without a code', '2 rsp 0\n'],
    ['with a command', '2 syslog 1 x\n'],
    ['with something else', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ])('is one in which it answers %s', async (_name, said) => {
    server.beforeEach = (_acknowledged, session) => {
      session.say(said);
      session.answer = () => {};
      server.beforeEach = () => {};
    };
    const delivery = await relp()
      .deliver(messages(2), never)
      .catch((error: unknown) => error as OutputError);
    const fault = delivery instanceof OutputError ? delivery : delivery.unsettled?.error;
    expect(fault).toMatchObject({ reason: 'unconfirmed', disposition: 'retry' });
    expect(fault?.message).toMatch(/ended the RELP session/);
    await expect.poll(() => server.connections).toBe(0);
  });

  it('for a hang is given up in time; what came before counts', async () => {
    server.beforeEach = (acknowledged) => {
      if (acknowledged === 10) server.manner = 'hangs';
    };
    const since = performance.now();
    const { unsettled } = await relp({ sendTimeout: 200 }).deliver(messages(100), never);
    expect(performance.now() - since).toBeGreaterThan(190);
    expect(unsettled?.indexes.size).toBeGreaterThan(0);
    expect(unsettled?.indexes.has(9)).toBe(false);
    expect(unsettled?.error.message).toMatch(/in time/);
  });
});

describe('an abort', () => {
  it('in the middle rejects with its reason, and the next batch has a session of its own', async () => {
    server.manner = 'hangs';
    const wire = relp();
    const stop = new AbortController();
    const delivery = wire.deliver(messages(3), stop.signal);
    await expect.poll(() => server.sessions[0]?.commands.length).toBe(4);
    const reason = new Error('stopping');
    stop.abort(reason);
    await expect(delivery).rejects.toBe(reason);
    server.manner = 'well';
    expect(await wire.deliver(messages(1), never)).toEqual(ACCEPTED);
    expect(server.sessions).toHaveLength(2);
  });

  it('while the session is opened rejects with its reason', async () => {
    server.manner = 'never opens';
    const stop = new AbortController();
    const delivery = relp().deliver(messages(1), stop.signal);
    await expect.poll(() => server.sessions[0]?.commands).toEqual(['1 open']);
    stop.abort(new Error('stopping'));
    await expect(delivery).rejects.toThrow('stopping');
    await expect.poll(() => server.connections).toBe(0);
  });
});

describe('a session that is not opened', () => {
  it.each([
    ['a code other than 200', '500 required command not supported by client', /code 500/],
    ['no code', '', /code none/],
    ['no version', '200 OK\ncommands=syslog', /version 0/],
    ['another version', '200 OK\nrelp_version=1\ncommands=syslog', /version 0/],
    ['no syslog', '200 OK\nrelp_version=0\ncommands=eventlog', /no syslog/],
    ['no commands', '200 OK\nrelp_version=0', /no syslog/],
  ])('for %s halts, without a message sent', async (_name, answer, message) => {
    server.openAnswer = answer;
    const error = await errorOf(relp().deliver(messages(1), never));
    expect(error).toMatchObject({ reason: 'connect', disposition: 'halt' });
    expect(error.message).toMatch(message);
    await expect.poll(() => server.connections).toBe(0);
    expect(server.sessions[0]?.commands).toEqual(['1 open']);
  });

  it('for a receiver that closes at once is tried again', async () => {
    server.manner = 'turns away';
    const error = await errorOf(relp().deliver(messages(1), never));
    expect(error).toMatchObject({ reason: 'connect', disposition: 'retry' });
  });

  it('for a receiver that never answers is given up after connectTimeout', async () => {
    server.manner = 'never opens';
    const since = performance.now();
    const error = await errorOf(relp({ connectTimeout: 200 }).deliver(messages(1), never));
    expect(error).toMatchObject({ reason: 'timeout', disposition: 'retry' });
    expect(performance.now() - since).toBeGreaterThan(180);
    expect(performance.now() - since).toBeLessThan(2_000);
  });

  it.each([
    ['HTTP', 'HTTP/1.1 400 Bad Request\r\n\r\n', 'connect', /RELP receiver/],
    ['TLS', '\x15\x03\x03\x00\x02\x02\x46', 'tls', /relp-tls/],
    ['an echo', '1 open 3 abc\n', 'connect', /RELP receiver/],
  ])('for something that speaks %s halts, and shows nothing of it', async (_name, said, reason, hint) => {
    const other = createServer((socket) => socket.on('error', () => {}).write(`${said}secret`, 'latin1'));
    other.listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await expect.poll(() => other.listening).toBe(true);
    const { port } = other.address() as { port: number };
    const error = await errorOf(relp({ port }).deliver(messages(1), never));
    expect(error).toMatchObject({ reason, disposition: 'halt' });
    expect(error.hint).toMatch(hint);
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('secret');
  });

  it('for nothing that listens is tried again', async () => {
    const { port } = server;
    await server.stop();
    expect(await errorOf(relp({ port }).deliver(messages(1), never))).toMatchObject({
      reason: 'connect',
      disposition: 'retry',
    });
  });
});

describe('the end', () => {
  it('is said to the receiver', async () => {
    const wire = relp();
    await wire.deliver(messages(2), never);
    await wire.close();
    expect(server.sessions[0]?.commands.at(-1)).toBe('4 close');
    expect(server.sessions[0]?.closedInOrder).toBe(true);
    await wire.close();
    await expect.poll(() => server.connections).toBe(0);
  });

  it('does not wait for a receiver that hangs', async () => {
    const wire = relp();
    await wire.deliver(messages(2), never);
    server.manner = 'hangs';
    await wire.close();
    await expect.poll(() => server.connections).toBe(0);
  });
});

describe('a probe', () => {
  it('says which software has opened a session, beside the session of the batches', async () => {
    const wire = relp();
    await wire.deliver(messages(1), never);
    expect(await wire.probe(never)).toBe(`connected to 127.0.0.1:${server.port}, RELP session with fake 1.0`);
    await wire.deliver(messages(1, 1), never);
    expect(server.sessions.map(({ commands }) => commands.join())).toEqual([
      '1 open,2 syslog,3 syslog',
      '1 open,2 close',
    ]);
  });

  it.each([
    ['\nrelp_software=\x1b[31mevil\x07,2', /session with \[31mevil 2$/],
    [`\nrelp_software=${'long'.repeat(100)}`, /session with (long){20}$/],
    ['', /without a name/],
  ])('of %j is plain text', async (software, said) => {
    server.openAnswer = `200 OK\nrelp_version=0\ncommands=syslog${software}`;
    await expect(relp().probe(never)).resolves.toMatch(said);
  });
});

describe('over TLS', () => {
  let directory: string;
  let pki: Certificates;

  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'relp-tls-'));
    pki = makeCertificates(directory);
  });
  afterAll(() => rmSync(directory, { recursive: true }));

  const receive = async (more = {}) => {
    await server.stop();
    const pem = { cert: readFileSync(pki.server.cert), key: readFileSync(pki.server.key) };
    server = await RelpServer.start({ tls: { ...pem, ca: readFileSync(pki.ca), ...more } });
  };
  const relpTls = (tls: Partial<TlsOptions>) => {
    const endpoint = { protocol: 'relp-tls', host: '127.0.0.1', port: server.port } as const;
    const wire = new Relp(new Dialer(endpoint, tlsOptions.parse(tls), 5_000), SOFTWARE, 5_000);
    wires.push(wire);
    return wire;
  };
  const client = () => ({ caFile: pki.ca, certFile: pki.client.cert, keyFile: pki.client.key });

  it('batches are acknowledged over one session', async () => {
    await receive({ requestCert: true, rejectUnauthorized: true });
    const wire = relpTls(client());
    await wire.deliver(messages(300), never);
    await wire.deliver(messages(300, 300), never);
    expect(server.messages).toEqual(messages(600));
    expect(server.sessions).toHaveLength(1);
    await expect(wire.probe(never)).resolves.toMatch(
      /, TLSv1\.3, certificate CN=collector\.lab until .*RELP session with fake/,
    );
  });

  it.each(['TLSv1.2', 'TLSv1.3'])(
    'a session that is closed inside it is about our certificate, in %s',
    async (version) => {
      await receive({ minVersion: version, maxVersion: version });
      server.manner = 'turns away';
      const error = await errorOf(relpTls(client()).deliver(messages(1), never));
      expect(error).toMatchObject({ reason: 'tls', disposition: 'halt' });
      expect(error.hint).toContain('tls.certFile');
    },
  );

  it.each(['TLSv1.2', 'TLSv1.3'])(
    'a certificate that it wants and does not get is told as such, in %s',
    async (version) => {
      await receive({ requestCert: true, rejectUnauthorized: true, minVersion: version, maxVersion: version });
      for (const work of ['deliver', 'probe'] as const) {
        const wire = relpTls({ caFile: pki.ca });
        const error = await errorOf(work === 'probe' ? wire.probe(never) : wire.deliver(messages(1), never));
        expect(error).toMatchObject({ reason: 'tls', disposition: 'halt' });
        expect(error.hint).toContain('tls.certFile');
      }
      expect(server.messages).toEqual([]);
    },
  );

  it('a receiver that is not the one we trust gets nothing', async () => {
    await receive();
    for (const tls of [{}, { caFile: pki.stranger.ca }, { caFile: pki.ca, servername: 'elsewhere.lab' }]) {
      expect(await errorOf(relpTls(tls).deliver(messages(1), never))).toMatchObject({
        reason: 'tls',
        disposition: 'halt',
      });
    }
    expect(server.sessions.flatMap(({ commands }) => commands)).toEqual([]);
  });

  it('is missed by a plain sender, who says so', async () => {
    await receive();
    const error = await errorOf(relp().deliver(messages(1), never));
    expect(error).toMatchObject({ reason: 'connect', disposition: 'retry' });
    expect(error.hint).toContain('relp-tls');
  });

  it('is missed at a plain port', async () => {
    expect(await errorOf(relpTls({ caFile: pki.ca }).deliver(messages(1), never))).toMatchObject({ reason: 'tls' });
  });
});
