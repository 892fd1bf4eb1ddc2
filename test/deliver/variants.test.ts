import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { outputTypes } from '../../src/outputs/index.ts';
import type { Output, OutputType } from '../../src/outputs/output.ts';
import { contentOf, eventId } from '../../src/store/key.ts';
import type { Store } from '../../src/store/store.ts';
import { outputContext } from '../contract/output-harness.ts';
import { FakeCluster } from '../fakes/elasticsearch.ts';
import { HttpReceiver } from '../fakes/http-receiver.ts';
import { NatsServer, natsServerIsInstalled } from '../receivers/nats-server.ts';
import { deliverAll, delivering, NEVER, openStore, START, temporaryFolder } from './delivering.ts';

/** Variants that are shipped, from the store to receivers that keep one thing under a key. */

const ID = eventId('attachment', START, ['one']);
const TEXTS = ['{"says":"first"}', '{"says":"second"}', '{"says":"third"}'] as const;
/** By its canonical JSON, which these texts are. */
const keyOf = (text: string) => `${ID}-${contentOf(text).toString(16).padStart(12, '0')}`;
const KEYS = [ID, keyOf(TEXTS[1]), keyOf(TEXTS[2])];

let path: string;
let store: Store;
const outputs: Output[] = [];
beforeEach(() => {
  path = join(temporaryFolder(), 'forwarder.db');
  store = openStore(path);
});
afterEach(async () => {
  for (const output of outputs.splice(0)) await output.close();
});

/** Stores a page of records that share an identity. */
function add(texts: readonly string[], variants: 'suppress' | 'ship'): void {
  const candidates = texts.map((text) => ({ raw: Buffer.from(text), value: { id: ID, time: START } }));
  store.storePage({ feed: 'mail', type: 'attachment', candidates, variants, now: START });
}

function restart(): void {
  store.close();
  store = openStore(path);
}

function begin(type: string, options: object) {
  const member = outputTypes[type] as OutputType;
  const output = member.create(member.options.parse(options), outputContext());
  outputs.push(output);
  return delivering(store, output).dispatcher;
}

describe('in Elasticsearch', () => {
  let cluster: FakeCluster;
  let receiver: HttpReceiver;
  beforeEach(async () => {
    cluster = new FakeCluster();
    receiver = await HttpReceiver.start();
    receiver.react = (request) => cluster.answer(request);
  });
  afterEach(() => receiver.close());
  const dispatcher = () => begin('elasticsearch', { url: receiver.origin });

  it.each(['from memory', 'from the disk'])('each is a document of its own, read %s', async (where) => {
    add(TEXTS, 'ship');
    if (where === 'from the disk') restart();
    await deliverAll(dispatcher());
    expect([...cluster.documents.keys()]).toEqual(KEYS);
    expect([...cluster.documents.values()].map((text) => JSON.parse(text).says)).toEqual(['first', 'second', 'third']);
  });

  it('one that an operator ships later is stored as well', async () => {
    add(TEXTS, 'suppress');
    await deliverAll(dispatcher());
    expect([...cluster.documents.keys()]).toEqual([ID]);
    for (const { id } of store.variants.list()) store.shipVariant(id, START);
    store.outbox.refresh();
    await deliverAll(dispatcher());
    expect([...cluster.documents.keys()].toSorted()).toEqual(KEYS.toSorted());
  });

  it('sending it again, after a lost answer and a restart, doubles nothing', async () => {
    add(TEXTS, 'ship');
    receiver.react = (request) => ({ ...cluster.answer(request), body: 'lost' });
    await expect(dispatcher().deliverOnce(NEVER)).rejects.toMatchObject({ reason: 'unconfirmed' });
    restart();
    receiver.react = (request) => cluster.answer(request);
    await deliverAll(dispatcher());
    expect([...cluster.documents.keys()]).toEqual(KEYS);
  });

  it('one that was a reject keeps its key, also when its event has been pruned', async () => {
    add(TEXTS, 'ship');
    cluster.faultOf = (_, document) =>
      document.includes('second') ? { status: 400, type: 'document_parsing_exception' } : undefined;
    await deliverAll(dispatcher());
    const [reject] = store.rejects.list();
    expect(reject?.event.raw.toString()).toBe(TEXTS[1]);
    store.flush('siem');
    expect(store.prune({ now: START, storedBefore: START + 1 }).events).toBe(3);
    restart();
    cluster.faultOf = () => undefined;
    store.rejects.retry([reject?.id ?? 0]);
    expect(await dispatcher().retryReject(NEVER)).toBe(true);
    expect(store.rejects.list()).toEqual([]);
    expect([...cluster.documents.keys()].toSorted()).toEqual(KEYS.toSorted());
  });

  it('a replay sends it under its key', async () => {
    add(TEXTS, 'ship');
    const serving = dispatcher();
    await deliverAll(serving);
    store.flush('siem');
    cluster.documents.clear();
    store.replays.ask({ output: 'siem', span: { from: START, to: START + 1000 }, underWay: 0 }, START);
    while (await serving.replayOnce(NEVER));
    expect([...cluster.documents.keys()]).toEqual(KEYS);
  });
});

it('over a webhook, an Idempotency-Key is not that of the event they vary', async () => {
  const receiver = await HttpReceiver.start();
  for (const text of TEXTS) {
    add([text], 'ship');
    await deliverAll(begin('webhook', { url: receiver.origin }));
  }
  const keys = receiver.requests.map(({ headers }) => headers['idempotency-key']);
  expect(new Set(keys).size).toBe(3);
  await receiver.close();
});

describe.skipIf(!natsServerIsInstalled)('in a stream of a real nats-server', () => {
  it('each is a message of its own, however often it is sent', async () => {
    const server = await NatsServer.start();
    await server.addStream({ name: 'MAIL', subjects: ['mail.attachment'] });
    add(TEXTS, 'ship');
    const options = { servers: [server.address], subject: 'mail.attachment', stream: 'MAIL' };
    await deliverAll(begin('nats', options));
    store.startOutput('siem', 'beginning');
    restart();
    await deliverAll(begin('nats', options));
    const stored = await server.messages('MAIL');
    expect(stored.map(({ id, text }) => [id, text])).toEqual(KEYS.map((key, at) => [key, TEXTS[at]]));
    await server.stop();
  });
});
