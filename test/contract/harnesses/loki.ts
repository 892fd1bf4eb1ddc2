import { HttpReceiver, type Reaction } from '../../fakes/http-receiver.ts';
import { FakeLoki } from '../../fakes/loki.ts';
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
    'answers hugely':
      'not applicable: Loki accepts without a body, and any other answer is none of its; tested with the member',
  },
  credentials: 'token',
  async start() {
    const loki = new FakeLoki();
    loki.limits.rejectOldSamplesMaxAge = Number.POSITIVE_INFINITY;
    loki.tenant = 'soc';
    loki.authorization = `Bearer ${CANARY}`;
    let http = await HttpReceiver.start();
    http.react = loki.react;
    let gone = false;
    const { port, origin } = http;
    const reactions: Readonly<Record<string, Reaction>> = {
      'is busy': { status: 429, headers: { 'retry-after': String(BUSY_SECONDS) }, body: CANARY },
      'refuses credentials': { status: 401, body: CANARY },
      hangs: 'hang',
    };
    return {
      port,
      options: { url: origin, tenantId: 'soc', token: CANARY, timeout: `${OWN_LIMIT}ms` },
      received: () => loki.lines,
      async behave(behaviour) {
        if (behaviour === 'is gone') {
          gone = true;
          return http.close();
        }
        if (gone) {
          http = await HttpReceiver.start({ port });
          http.react = loki.react;
          gone = false;
        }
        http.reactToHead = () => (behaviour === 'resets' ? 'reset' : undefined);
        loki.override = () => reactions[behaviour];
        loki.refuses = (line) => behaviour === 'refuses one event' && isMarked(line);
      },
      expectSecret(secret) {
        loki.authorization = `Bearer ${secret}`;
      },
      stop: () => http.close(),
    };
  },
};
