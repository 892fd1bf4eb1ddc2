/**
 * One receiver of a campaign, a process of its own, so that it can be stopped and killed like a real one:
 *
 *   node test/campaign/receiver.ts close|relp|hook PORT JOURNAL ORDERS
 *
 * It says `ready` over the parent's channel when it listens, and takes new orders from there.
 */
import { readFileSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import { createSecureContext, TLSSocket } from 'node:tls';
import { HttpReceiver, type Reaction, type ReceivedRequest } from '../fakes/http-receiver.ts';
import { RelpServer, type ServedSession } from '../fakes/relp-server.ts';
import { SyslogFrames } from '../fakes/syslog-frames.ts';
import { refusesForGood, type Strike, writeJournal } from './journal.ts';
import type { Orders } from './receiver-process.ts';

/** How often a RELP session is looked at for its orderly end, ms. */
const LOOK_EVERY_MS = 20;
/** A receiver that reads slowly: so much at a time, then a rest of so many ms. */
const SLOW_REST_MS = 30;

const [kind, port = '0', journal = '', given = '{}'] = process.argv.slice(2);
let orders = JSON.parse(given) as Orders;
let attempts = 0;

if (kind === 'close') await startClose();
else if (kind === 'relp') await startRelp();
else await startHook();
process.on('disconnect', () => process.exit(0));
process.send?.('ready');

function nextAttempt(): string {
  attempts += 1;
  return `${process.pid}.${attempts}`;
}

function strike(what: Strike = orders.manner): void {
  if (what !== 'well') writeJournal(journal, { kind: 'struck', what });
}

/** The life and the ids that messages with an RFC 5424 header carry; the header's host is `life-N`. */
function understood(messages: readonly string[]): { readonly life: number; readonly ids: string[] } {
  const life = Number(/ life-(\d+) /.exec(messages[0] ?? '')?.[1]);
  return { life, ids: messages.map((message) => /eventId="([0-9a-f]{32})"/.exec(message)?.[1] ?? `?${message}`) };
}

/** Syslog over TCP or TLS, confirmed by our close. It has no word for a refusal, and ends by resets, never in good order half-way. */
async function startClose(): Promise<void> {
  const open = new Set<Socket>();
  const hanging = new Set<Socket>();
  const reset = (sockets: ReadonlySet<Socket>): void => {
    for (const socket of sockets) socket.resetAndDestroy();
  };
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    if (orders.manner === 'hangs') hanging.add(socket);
    socket
      .on('error', () => {})
      .on('close', () => {
        open.delete(socket);
        hanging.delete(socket);
      });
    if (orders.manner === 'turns away') {
      strike();
      socket.resetAndDestroy();
    } else serveClose(socket, orders.certificates ? secured(socket, orders.certificates) : socket);
  });
  process.on('SIGTERM', () => {
    reset(open);
    process.exit(0);
  });
  // Those that hang would hold their sender up until its patience ends. Others go on as they began: what is read slowly over TLS is in our
  // memory, so that a connection cut there ends in good order, like that of a receiver that loses what it has read.
  onOrders(() => reset(hanging));
  await new Promise<void>((resolve) => server.listen(Number(port), '127.0.0.1', resolve));
}

/** In TLS 1.3 a sender holds the handshake for done, and sends, before it can hear that it lacks a certificate of its own. */
function secured(socket: Socket, shown: NonNullable<Orders['certificates']>): TLSSocket {
  const { certFile, keyFile } = orders.manner === 'expired' ? shown.expired : shown.current;
  const wantsCertificate = orders.manner === 'alerts';
  const secure = new TLSSocket(socket, {
    isServer: true,
    secureContext: createSecureContext({ cert: readFileSync(certFile), key: readFileSync(keyFile) }),
    requestCert: wantsCertificate,
    rejectUnauthorized: wantsCertificate,
  });
  let isTrusted = false;
  secure.once('data', () => {
    isTrusted = true;
  });
  secure.on('error', () => socket.destroy());
  // A sender that does not trust what it is shown goes away without a word.
  secure.on('close', () => {
    if (!isTrusted) strike(orders.manner === 'well' ? 'untrusted' : orders.manner);
  });
  return secure;
}

/** `stream` is what is read and written, `socket` what can be reset: the same, but for TLS. */
function serveClose(socket: Socket, stream: Socket): void {
  const { manner } = orders;
  const attempt = nextAttempt();
  const frames = new SyslogFrames('octet-counting');
  const begunAt = performance.now();
  let written = 0;
  let isBroken = false;
  stream.on('error', () => {
    isBroken = true;
  });
  stream.on('data', (chunk: Buffer) => {
    // Of TLS there may be more at hand, after a hole.
    if (isBroken) return;
    isBroken = manner === 'breaks';
    frames.push(manner === 'breaks' ? chunk.subarray(0, chunk.length / 2) : chunk);
    const fresh = frames.messages.slice(written);
    written = frames.messages.length;
    const isTrusted = manner !== 'expired';
    const took = understood(isTrusted ? fresh : ['? sent although the certificate has expired']);
    if (fresh.length > 0) writeJournal(journal, { kind: 'took', attempt, ...took });
    if (manner === 'breaks') socket.resetAndDestroy();
    if (manner === 'slow') {
      stream.pause();
      setTimeout(() => stream.resume(), SLOW_REST_MS);
    }
    if (manner === 'breaks' || manner === 'slow') strike();
  });
  stream.on('end', () => {
    if (manner === 'hangs') strike();
    else stream.end();
  });
  socket.on('close', (failed) => {
    // Only what ended between two frames can have been a whole batch.
    if (failed || isBroken || manner === 'hangs' || !frames.isBetweenFrames || !stream.readableEnded) return;
    writeJournal(journal, { kind: 'confirmed', attempt, at: Date.now(), after: performance.now() - begunAt });
  });
}

async function startRelp(): Promise<void> {
  const server = await RelpServer.start({ port: Number(port) });
  const names = new Map<ServedSession, { readonly attempt: string; readonly begunAt: number; isConfirmed: boolean }>();
  const heard = (): number => server.sessions.reduce((sum, { commands }) => sum + 1 + commands.length, 0);
  let heardBefore = 0;
  let attempt = '';
  server.beforeEach = (acknowledged, session) => {
    const known = names.get(session) ?? { attempt: nextAttempt(), begunAt: performance.now(), isConfirmed: false };
    names.set(session, known);
    attempt = known.attempt;
    const breaks = orders.manner === 'breaks' && acknowledged % 7 === 5;
    if (breaks) session.reset();
    // Only what is journaled is acknowledged, but for this manner the answer never leaves.
    if (orders.manner === 'forgets') session.answer = () => {};
    if (breaks || orders.manner === 'forgets' || orders.manner === 'slow') strike();
  };
  server.codeFor = (message) => {
    writeJournal(journal, { kind: 'took', attempt, ...understood([message]) });
    return 200;
  };
  const obey = (): void => {
    const { manner } = orders;
    heardBefore = heard();
    server.manner = manner === 'hangs' ? 'hangs' : manner === 'turns away' ? 'turns away' : 'well';
    server.pieces = manner === 'slow' ? 'octets' : 'whole';
    if (manner === 'well') for (const session of server.sessions) session.reset();
  };
  obey();
  onOrders(obey);
  setInterval(() => {
    if (server.manner !== 'well' && heard() > heardBefore) {
      heardBefore = heard();
      strike();
    }
    for (const [session, known] of names) {
      if (known.isConfirmed || !session.closedInOrder) continue;
      known.isConfirmed = true;
      // How long it lasted says nothing here: a session lives as long as all goes well.
      writeJournal(journal, { kind: 'confirmed', attempt: known.attempt, at: Date.now(), after: 0 });
    }
  }, LOOK_EVERY_MS);
}

/** HTTP: a batch is taken whole or not at all. It refuses a batch with an event that it refuses for good. */
async function startHook(): Promise<void> {
  const listen = async (): Promise<HttpReceiver> => {
    const hook = await HttpReceiver.start({ port: Number(port) });
    hook.reactToHead = () => {
      hook.restMs = orders.manner === 'slow' ? SLOW_REST_MS : 0;
      if (orders.manner !== 'turns away') return undefined;
      strike();
      return { status: 503 };
    };
    hook.react = reactionTo;
    return hook;
  };
  let listening = listen();
  onOrders(() => {
    if (orders.manner !== 'well') return;
    // Requests that hang would hold their sender up until its patience ends.
    listening = listening.then((hook) => hook.close()).then(listen);
  });
  await listening;
}

function reactionTo({ headers, text }: ReceivedRequest): Reaction {
  const { manner } = orders;
  const begunAt = performance.now();
  const attempt = nextAttempt();
  const life = Number(headers['x-life']);
  const lines = text.split('\n').filter((line) => line !== '');
  const ids = lines.map((line) => (JSON.parse(line) as { readonly eventId: string }).eventId);
  if (manner === 'breaks' || manner === 'busy' || manner === 'slow') strike();
  if (manner === 'breaks') return 'reset';
  if (manner === 'busy') return { status: 429, headers: { 'retry-after': '0' } };
  const refused = ids.filter(refusesForGood);
  if (refused.length > 0) {
    writeJournal(journal, { kind: 'refused', attempt, life, ids: refused });
    return { status: 422 };
  }
  writeJournal(journal, { kind: 'took', attempt, life, ids });
  if (manner === 'hangs' || manner === 'forgets') strike();
  if (manner === 'hangs') return 'hang';
  if (manner === 'forgets') return 'reset';
  writeJournal(journal, { kind: 'confirmed', attempt, at: Date.now(), after: performance.now() - begunAt });
  return { status: 200 };
}

function onOrders(apply: () => void): void {
  process.on('message', (message: Orders) => {
    orders = message;
    apply();
  });
}
