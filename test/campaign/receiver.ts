/**
 * One receiver of a campaign, a process of its own, so that it can be stopped and killed like a real one:
 *
 *   node test/campaign/receiver.ts close|relp|hook PORT JOURNAL
 *
 * It says `ready` over the parent's channel when it listens, and takes its manner from there.
 */
import { createServer, type Socket } from 'node:net';
import { HttpReceiver, type Reaction, type ReceivedRequest } from '../fakes/http-receiver.ts';
import { RelpServer, type ServedSession } from '../fakes/relp-server.ts';
import { SyslogFrames } from '../fakes/syslog-frames.ts';
import { refusesForGood, writeJournal } from './journal.ts';
import type { Manner } from './schedule.ts';

/** How often a RELP session is looked at for its orderly end, ms. */
const LOOK_EVERY_MS = 20;
/** A receiver that reads slowly: so much at a time, then a rest of so many ms. */
const SLOW_REST_MS = 30;

const [kind, port = '0', journal = ''] = process.argv.slice(2);
let manner: Manner = 'well';
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

/** The life and the ids that messages with an RFC 5424 header carry; the header's host is `life-N`. */
function understood(messages: readonly string[]): { readonly life: number; readonly ids: string[] } {
  const life = Number(/ life-(\d+) /.exec(messages[0] ?? '')?.[1]);
  return { life, ids: messages.map((message) => /eventId="([0-9a-f]{32})"/.exec(message)?.[1] ?? `?${message}`) };
}

/** Syslog over TCP, confirmed by our close. It has no word for a refusal, and ends by resets, never in good order half-way. */
async function startClose(): Promise<void> {
  const open = new Set<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('error', () => {}).on('close', () => open.delete(socket));
    serveClose(socket);
  });
  process.on('SIGTERM', () => {
    for (const socket of open) socket.resetAndDestroy();
    process.exit(0);
  });
  onManner(() => {
    // Those that hang would hold their sender up until its patience ends.
    for (const socket of open) socket.resetAndDestroy();
  });
  await new Promise<void>((resolve) => server.listen(Number(port), '127.0.0.1', resolve));
}

function serveClose(socket: Socket): void {
  if (manner === 'turns away') {
    socket.resetAndDestroy();
    return;
  }
  const attempt = nextAttempt();
  const frames = new SyslogFrames('octet-counting');
  const begunAt = performance.now();
  let written = 0;
  socket.on('data', (chunk) => {
    frames.push(manner === 'breaks' ? chunk.subarray(0, chunk.length / 2) : chunk);
    const fresh = frames.messages.slice(written);
    written = frames.messages.length;
    if (fresh.length > 0) writeJournal(journal, { kind: 'took', attempt, ...understood(fresh) });
    if (manner === 'breaks') socket.resetAndDestroy();
    if (manner === 'slow') {
      socket.pause();
      setTimeout(() => socket.resume(), SLOW_REST_MS);
    }
  });
  socket.on('end', () => {
    if (manner === 'hangs' || manner === 'forgets') return;
    socket.end();
  });
  socket.on('close', (failed) => {
    // Only what ended between two frames can have been a whole batch.
    if (failed || manner === 'hangs' || !frames.isBetweenFrames || !socket.readableEnded) return;
    writeJournal(journal, { kind: 'confirmed', attempt, at: Date.now(), after: performance.now() - begunAt });
  });
}

async function startRelp(): Promise<void> {
  const server = await RelpServer.start({ port: Number(port) });
  const names = new Map<ServedSession, { readonly attempt: string; readonly begunAt: number; isConfirmed: boolean }>();
  let attempt = '';
  server.beforeEach = (acknowledged, session) => {
    const known = names.get(session) ?? { attempt: nextAttempt(), begunAt: performance.now(), isConfirmed: false };
    names.set(session, known);
    attempt = known.attempt;
    if (manner === 'breaks' && acknowledged % 7 === 5) session.reset();
    // Only what is journaled is acknowledged, but for this manner the answer never leaves.
    if (manner === 'forgets') session.answer = () => {};
  };
  server.codeFor = (message) => {
    writeJournal(journal, { kind: 'took', attempt, ...understood([message]) });
    return 200;
  };
  onManner(() => {
    server.manner = manner === 'hangs' ? 'hangs' : manner === 'turns away' ? 'turns away' : 'well';
    server.pieces = manner === 'slow' ? 'octets' : 'whole';
    if (manner === 'well') for (const session of server.sessions) session.reset();
  });
  setInterval(() => {
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
    hook.reactToHead = () => (manner === 'turns away' ? { status: 503 } : undefined);
    hook.react = reactionTo;
    return hook;
  };
  let listening = listen();
  onManner(() => {
    if (manner !== 'well') return;
    // Requests that hang would hold their sender up until its patience ends.
    listening = listening.then((hook) => hook.close()).then(listen);
  });
  await listening;
}

function reactionTo({ headers, text }: ReceivedRequest): Reaction {
  const begunAt = performance.now();
  const attempt = nextAttempt();
  const life = Number(headers['x-life']);
  const lines = text.split('\n').filter((line) => line !== '');
  const ids = lines.map((line) => (JSON.parse(line) as { readonly eventId: string }).eventId);
  if (manner === 'breaks') return 'reset';
  if (manner === 'slow') return { status: 429, headers: { 'retry-after': '0' } };
  const refused = ids.filter(refusesForGood);
  if (refused.length > 0) {
    writeJournal(journal, { kind: 'refused', attempt, life, ids: refused });
    return { status: 422 };
  }
  writeJournal(journal, { kind: 'took', attempt, life, ids });
  if (manner === 'hangs') return 'hang';
  if (manner === 'forgets') return 'reset';
  writeJournal(journal, { kind: 'confirmed', attempt, at: Date.now(), after: performance.now() - begunAt });
  return { status: 200 };
}

function onManner(apply: () => void): void {
  process.on('message', (message: Manner) => {
    manner = message;
    apply();
  });
}
