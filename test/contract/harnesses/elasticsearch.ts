import { FakeCluster } from '../../fakes/elasticsearch.ts';
import { HttpReceiver, type Reaction } from '../../fakes/http-receiver.ts';
import { BUSY_SECONDS, CANARY, type Harness, isMarked, OWN_LIMIT } from '../output-harness.ts';

export const harness: Harness = {
  behaviours: {
    'refuses one event': 'names it',
    'is busy': 'applies',
    'refuses credentials': 'applies',
    'is gone': 'applies',
    resets: 'applies',
    hangs: 'applies',
    'is half-open': 'applies',
    'answers hugely':
      'not applicable: an answer that is not read to its end tells nothing of the last items; tested with the member',
  },
  credentials: 'apiKey',
  async start() {
    const cluster = new FakeCluster();
    cluster.authorization = `ApiKey ${CANARY}`;
    let http = await HttpReceiver.start();
    const { port, origin } = http;
    const reactions: Readonly<Record<string, Reaction>> = {
      'is busy': { status: 429, headers: { 'retry-after': String(BUSY_SECONDS) }, body: CANARY },
      'refuses credentials': { status: 401, body: CANARY },
      hangs: 'hang',
    };
    http.react = (request) => cluster.answer(request);
    return {
      port,
      options: { url: origin, apiKey: CANARY, timeout: `${OWN_LIMIT}ms` },
      received: () => [...cluster.documents.values()].map(withoutTimestamp),
      async behave(behaviour) {
        if (behaviour === 'is gone') return http.close();
        await http.close();
        http = await HttpReceiver.start({ port });
        cluster.faultOf = (_, document) =>
          behaviour === 'refuses one event' && isMarked(document)
            ? { status: 400, type: 'document_parsing_exception', reason: document }
            : undefined;
        http.reactToHead = () => (behaviour === 'resets' ? 'reset' : undefined);
        http.react = (request) => reactions[behaviour] ?? cluster.answer(request);
      },
      expectSecret(secret) {
        cluster.authorization = `ApiKey ${secret}`;
      },
      stop: () => http.close(),
    };
  },
};

/** Data streams want a time, which the format of the contract does not write. */
function withoutTimestamp(document: string): string {
  return document.replace(/^\{"@timestamp":"[^"]*",/, '{');
}
