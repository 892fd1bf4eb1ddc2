import { RelpServer } from '../../fakes/relp-server.ts';
import { type Harness, isMarked, OWN_LIMIT } from '../output-harness.ts';

/** RELP answers each message, so of a batch one can be refused; no other protocol of syslog answers at all. */
export const harness: Harness = {
  behaviours: {
    'refuses one event': 'names it',
    'is busy': 'not applicable: RELP has no word for it',
    'refuses credentials': 'not applicable: only TLS has any; tested with the member',
    'is gone': 'applies',
    resets: 'applies',
    hangs: 'applies',
    'is half-open': 'applies',
    'answers hugely': 'applies',
  },
  credentials: 'not applicable: only TLS has any; tested with the member',
  async start() {
    // One after the other on the same port.
    const servers = [await RelpServer.start()];
    const port = servers[0]?.port ?? 0;
    return {
      port,
      options: {
        protocol: 'relp',
        host: '127.0.0.1',
        port,
        connectTimeout: `${OWN_LIMIT}ms`,
        sendTimeout: `${OWN_LIMIT}ms`,
      },
      received: () => servers.flatMap(({ messages }) => messages.map((message) => message.slice(message.indexOf('{')))),
      async behave(behaviour) {
        await servers.at(-1)?.stop();
        if (behaviour === 'is gone') return;
        const next = await RelpServer.start({ port });
        servers.push(next);
        if (behaviour === 'refuses one event') next.codeFor = (message) => (isMarked(message) ? 500 : 200);
        if (behaviour === 'hangs') next.manner = 'hangs';
        // Every message of a batch is read, and none acknowledged.
        if (behaviour === 'resets') next.beforeEach = (_acknowledged, session) => session.reset();
        if (behaviour === 'answers hugely') {
          const hint = `0 chatter 10000 ${'x'.repeat(10_000)}\n`;
          next.beforeEach = (_acknowledged, session) => session.say(hint.repeat(1_000));
        }
      },
      async stop() {
        await servers.at(-1)?.stop();
      },
    };
  },
};
