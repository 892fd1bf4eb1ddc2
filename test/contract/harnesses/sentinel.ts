import { AzureIngestion, azureError } from '../../fakes/azure-ingestion.ts';
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
    'answers hugely': 'not applicable: only 204 is an acceptance, and it has no body',
  },
  credentials: 'clientSecret',
  async start() {
    const contract = {
      columns: [],
      tenantId: 'c0ffee00-0000-4000-8000-000000000001',
      clientId: 'c0ffee00-0000-4000-8000-000000000002',
      clientSecret: CANARY,
      dcrImmutableId: 'dcr-000a00a000a00000a000000aa000a0aa',
      streamName: 'Custom-Ttp_Attachment_CL',
      scope: 'https://monitor.azure.com/.default',
    };
    let azure = await AzureIngestion.start(contract);
    let gone: AzureIngestion | undefined;
    const { port, origin } = azure.http;
    const { columns: _, scope: __, ...account } = contract;
    const reactions: Readonly<Record<string, Reaction>> = {
      'is busy': azureError(429, 'TooManyRequests', CANARY, { 'retry-after': String(BUSY_SECONDS) }),
      hangs: 'hang',
    };
    return {
      port,
      options: { endpoint: origin, authority: origin, ...account, timeout: `${OWN_LIMIT}ms` },
      received: () => azure.calls.flat().map((row) => JSON.stringify(row)),
      async behave(behaviour) {
        if (behaviour === 'is gone') {
          gone = azure;
          return azure.http.close();
        }
        if (gone) {
          azure = await AzureIngestion.start({ ...contract, port });
          azure.calls.push(...gone.calls);
          gone = undefined;
        }
        azure.secret = behaviour === 'refuses credentials' ? 'another' : CANARY;
        azure.http.reactToHead = () => (behaviour === 'resets' ? 'reset' : undefined);
        azure.interfere = (what, { text }) => {
          if (behaviour === 'hangs') return 'hang';
          if (what === 'token') return undefined;
          if (behaviour !== 'refuses one event') return reactions[behaviour];
          return isMarked(text) ? azureError(400, 'InvalidRequestContent', text) : undefined;
        };
      },
      expectSecret(secret) {
        azure.secret = secret;
        azure.revokeTokens();
      },
      stop: () => azure.http.close(),
    };
  },
};
