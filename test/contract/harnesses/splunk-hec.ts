import type { Reaction } from '../../fakes/http-receiver.ts';
import { SplunkHec } from '../../fakes/splunk-hec.ts';
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
  credentials: 'token',
  async start() {
    const hec = await SplunkHec.start();
    hec.tokens.set(CANARY, { useAck: true });
    let gone = false;
    return {
      port: hec.port,
      options: {
        url: `${hec.origin}?key=${CANARY}`,
        token: CANARY,
        timeout: `${OWN_LIMIT}ms`,
        acknowledgement: { timeout: '10s', pollInterval: '100ms' },
      },
      received: () => hec.indexed.map(({ event }) => JSON.stringify(event)),
      async behave(behaviour) {
        if (behaviour === 'is gone') {
          gone = true;
          return hec.close();
        }
        if (gone) await hec.restart();
        gone = false;
        hec.reactToHead = () => (behaviour === 'resets' ? 'reset' : undefined);
        hec.react = ({ text }, endpoint) => reactionTo(behaviour, text, endpoint);
      },
      expectSecret(secret) {
        hec.tokens.clear();
        hec.tokens.set(secret, { useAck: true });
      },
      stop: () => hec.close(),
    };
  },
};

function reactionTo(behaviour: string, text: string, endpoint: string): Reaction | undefined {
  switch (behaviour) {
    // A web firewall before Splunk: HEC itself says which event it is.
    case 'refuses one event':
      return isMarked(text) ? { status: 400, body: `<html>${text}</html>` } : undefined;
    case 'is busy': {
      const body = JSON.stringify({ text: `Server is busy ${CANARY}`, code: 9 });
      return { status: 503, headers: { 'retry-after': String(BUSY_SECONDS) }, body };
    }
    case 'refuses credentials':
      return { status: 403, body: JSON.stringify({ text: `Invalid token ${CANARY}`, code: 4 }) };
    case 'hangs':
      return 'hang';
    case 'answers hugely':
      return { status: 200, body: `${hugeAnswers[endpoint]}${' '.repeat(10_000_000)}` };
    default:
      return undefined;
  }
}

/** Each of them is on a channel with nothing else under way. */
const hugeAnswers: Readonly<Record<string, string>> = {
  event: '{"text":"Success","code":0,"ackId":0}',
  ack: '{"acks":{"0":true}}',
};
