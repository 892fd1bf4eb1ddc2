import { HttpReceiver, type Reaction } from '../../fakes/http-receiver.ts';
import { OtlpCollector, type Refusal } from '../../fakes/otlp-collector.ts';
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
    'answers hugely': 'not applicable: OTLP calls an answer of more than 4 MiB an error; see test/outputs/otlp.test.ts',
  },
  credentials: 'headers.Authorization',
  async start() {
    const collector = new OtlpCollector();
    let http = await HttpReceiver.start();
    http.react = collector.react;
    let gone = false;
    const { port, origin } = http;
    const withSecret = (secret: string) => `Bearer ${secret}`;
    let expected = withSecret(CANARY);
    const refusals: Readonly<Record<string, Refusal | Reaction>> = {
      'is busy': { status: 503, headers: { 'retry-after': String(BUSY_SECONDS) } },
      'refuses credentials': { status: 401, code: 16 },
      hangs: 'hang',
    };
    let now = 'well';
    collector.refuse = (records, { headers }) => {
      if (headers.authorization !== expected) return { status: 401 };
      if (now !== 'refuses one event') return refusals[now];
      return records.some(({ body }) => isMarked(body)) ? { status: 400, code: 3 } : undefined;
    };
    return {
      port,
      options: { url: `${origin}?key=${CANARY}`, headers: { Authorization: expected }, timeout: `${OWN_LIMIT}ms` },
      received: () => collector.records.map(({ body }) => body),
      async behave(behaviour) {
        if (behaviour === 'is gone') {
          gone = true;
          return http.close();
        }
        if (gone) {
          http = await HttpReceiver.start({ port });
          http.react = collector.react;
          gone = false;
        }
        http.reactToHead = () => (behaviour === 'resets' ? 'reset' : undefined);
        now = behaviour;
      },
      expectSecret(secret) {
        expected = withSecret(secret);
      },
      withSecret,
      stop: () => http.close(),
    };
  },
};
