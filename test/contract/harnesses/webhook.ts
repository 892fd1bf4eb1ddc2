import { HttpReceiver, type Reaction } from '../../fakes/http-receiver.ts';
import { BUSY_SECONDS, CANARY, type Harness, isMarked, linesOf, OWN_LIMIT } from '../output-harness.ts';

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
  credentials: 'headers.Authorization',
  async start() {
    let http = await HttpReceiver.start();
    let gone: HttpReceiver | undefined;
    let expected = CANARY;
    const { port, origin } = http;
    const reactions: Readonly<Record<string, Reaction>> = {
      well: { status: 200 },
      'is busy': { status: 503, headers: { 'retry-after': String(BUSY_SECONDS) }, body: CANARY },
      'refuses credentials': { status: 401, body: CANARY },
      hangs: 'hang',
      'answers hugely': { status: 200, body: Buffer.alloc(10_000_000, 'x') },
    };
    const serve = (behaviour: string) => {
      http.reactToHead = () => (behaviour === 'resets' ? 'reset' : undefined);
      http.react = ({ text, headers, method }) => {
        if (method === 'POST' && headers.authorization !== expected) return { status: 401, body: CANARY };
        if (behaviour === 'refuses one event') return { status: isMarked(text) ? 422 : 200, body: text };
        return reactions[behaviour] ?? { status: 500 };
      };
    };
    serve('well');
    return {
      port,
      options: {
        url: `${origin}/ingest?key=${CANARY}`,
        headers: { Authorization: expected },
        signingSecret: CANARY,
        timeout: `${OWN_LIMIT}ms`,
      },
      received: () => http.requests.flatMap(({ text }) => linesOf(text)),
      async behave(behaviour) {
        if (behaviour === 'is gone') {
          gone = http;
          return http.close();
        }
        if (gone) {
          http = await HttpReceiver.start({ port });
          http.requests.push(...gone.requests);
          gone = undefined;
        }
        serve(behaviour);
      },
      expectSecret(secret) {
        expected = secret;
      },
      stop: () => http.close(),
    };
  },
};
