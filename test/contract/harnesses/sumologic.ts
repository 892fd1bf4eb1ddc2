import type { Reaction } from '../../fakes/http-receiver.ts';
import { SumoLogicSource } from '../../fakes/sumologic-source.ts';
import { BUSY_SECONDS, CANARY, type Harness, isMarked, OWN_LIMIT } from '../output-harness.ts';

export const harness: Harness = {
  behaviours: {
    'refuses one event': 'applies',
    'is busy': 'applies',
    'refuses credentials': 'applies',
    'is gone': 'applies',
    resets: 'applies',
    hangs: 'applies',
    'is half-open': 'applies',
    'answers hugely': 'applies',
  },
  credentials: 'url',
  async start() {
    let source = await SumoLogicSource.start({ token: CANARY });
    let gone: SumoLogicSource | undefined;
    const { port } = source.http;
    const reactions: Readonly<Record<string, Reaction>> = {
      'is busy': { status: 429, headers: { 'retry-after': String(BUSY_SECONDS) }, body: CANARY },
      'refuses credentials': { status: 401, body: CANARY },
      hangs: 'hang',
    };
    return {
      port,
      options: { url: source.url, timeout: `${OWN_LIMIT}ms` },
      received: () => source.lines,
      async behave(behaviour) {
        if (behaviour === 'is gone') {
          gone = source;
          return source.http.close();
        }
        if (gone) {
          source = await SumoLogicSource.start({ token: gone.token, port });
          source.uploads.push(...gone.uploads);
          gone = undefined;
        }
        source.http.reactToHead = () => (behaviour === 'resets' ? 'reset' : undefined);
        source.http.react = (request) => {
          if (behaviour === 'refuses one event' && isMarked(request.text)) return { status: 400, body: request.text };
          const answer = reactions[behaviour] ?? source.answer(request);
          if (behaviour !== 'answers hugely') return answer;
          return { status: 200, body: Buffer.alloc(10_000_000, 'x') };
        };
      },
      expectSecret(secret) {
        source.token = secret;
      },
      withSecret: (secret) => source.urlWith(secret),
      stop: () => source.http.close(),
    };
  },
};
