import { GoogleSecops, rpcError, serviceAccountKey } from '../../fakes/google-secops.ts';
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
    'answers hugely':
      'not applicable: what is not read to its end is no JSON object, and counts for nothing; tested with the member',
  },
  credentials: 'serviceAccount',
  async start() {
    let google = await GoogleSecops.start();
    let gone: GoogleSecops | undefined;
    const { port, origin } = google.http;
    const keyOf = (secret: string) => ({
      ...serviceAccountKey(`${origin}/token`, secret),
      client_email: `${secret}@soc-project.iam.gserviceaccount.com`,
    });
    let key = keyOf(CANARY);
    google.trust(key);
    const retry = { '@type': 'type.googleapis.com/google.rpc.RetryInfo', retryDelay: `${BUSY_SECONDS}s` };
    const reactions: Readonly<Record<string, Reaction>> = {
      'is busy': rpcError(429, 'RESOURCE_EXHAUSTED', [retry], CANARY),
      'refuses credentials': rpcError(401, 'UNAUTHENTICATED', [], CANARY),
      hangs: 'hang',
    };
    return {
      port,
      options: {
        serviceAccount: JSON.stringify(key),
        project: 'soc-project',
        region: 'us',
        instance: 'c0ffee00-0000-4000-8000-000000000001',
        endpoint: origin,
        timeout: `${OWN_LIMIT}ms`,
      },
      received: () => google.texts(),
      async behave(behaviour) {
        if (behaviour === 'is gone') {
          gone = google;
          return google.http.close();
        }
        if (gone) {
          google = await GoogleSecops.start({ port });
          google.trust(key);
          google.imports.push(...gone.imports);
          gone = undefined;
        }
        google.http.reactToHead = () => (behaviour === 'resets' ? 'reset' : undefined);
        google.interfere = (what, { text }) => {
          if (behaviour === 'refuses one event')
            return hasMarked(text) ? rpcError(400, 'INVALID_ARGUMENT', [], text) : undefined;
          return what === 'token' && behaviour !== 'hangs' ? undefined : reactions[behaviour];
        };
      },
      expectSecret(secret) {
        key = keyOf(secret);
        google.trust(key);
        google.revokeTokens();
      },
      withSecret: (secret) => JSON.stringify(keyOf(secret)),
      stop: () => google.http.close(),
    };
  },
};

function hasMarked(body: string): boolean {
  return [...body.matchAll(/"data":"([^"]*)"/g)].some(([, data = '']) =>
    isMarked(Buffer.from(data, 'base64').toString()),
  );
}
