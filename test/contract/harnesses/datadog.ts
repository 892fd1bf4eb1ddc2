import { DatadogIntake } from '../../fakes/datadog-intake.ts';
import type { Reaction } from '../../fakes/http-receiver.ts';
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
  credentials: 'apiKey',
  async start() {
    let intake = await DatadogIntake.start({ apiKey: CANARY });
    let gone: DatadogIntake | undefined;
    const { port } = intake.http;
    const reactions: Readonly<Record<string, Reaction>> = {
      'is busy': { status: 429, headers: { 'retry-after': String(BUSY_SECONDS) }, body: CANARY },
      'refuses credentials': { status: 403, body: CANARY },
      hangs: 'hang',
    };
    return {
      port,
      options: { apiKey: CANARY, url: intake.url, timeout: `${OWN_LIMIT}ms` },
      received: () => intake.logs.map(({ message }) => message),
      async behave(behaviour) {
        if (behaviour === 'is gone') {
          gone = intake;
          return intake.http.close();
        }
        if (gone) {
          intake = await DatadogIntake.start({ apiKey: gone.apiKey, port });
          intake.logs.push(...gone.logs);
          gone = undefined;
        }
        intake.http.reactToHead = () => (behaviour === 'resets' ? 'reset' : undefined);
        intake.http.react = (request) => {
          if (behaviour === 'refuses one event' && isMarked(request.text.replaceAll('\\"', '"'))) {
            return { status: 400, body: request.text };
          }
          const answer = reactions[behaviour] ?? intake.answer(request);
          if (behaviour !== 'answers hugely') return answer;
          return { status: 202, body: Buffer.alloc(10_000_000, 'x') };
        };
      },
      expectSecret(secret) {
        intake.apiKey = secret;
      },
      stop: () => intake.http.close(),
    };
  },
};
