import { TcpRelay } from '../../fakes/tcp-relay.ts';
import { NatsServer, natsServerIsInstalled } from '../../receivers/nats-server.ts';
import { CANARY, type Harness, MARKED_BYTES, OWN_LIMIT } from '../output-harness.ts';

const authorization = (token: string) => ({ settings: `authorization { token: "${token}" }`, admin: { token } });

/** A real server, behind a relay that breaks connections for it. */
export const harness: Harness = {
  ...(!natsServerIsInstalled && { unavailable: 'nats-server is not installed: run scripts/install-receivers.sh' }),
  behaviours: {
    'refuses one event': 'names it',
    'is busy': 'not applicable: a stream never says when to come back',
    'refuses credentials': 'applies',
    'is gone': 'applies',
    resets: 'applies',
    hangs: 'applies',
    'is half-open': 'applies',
    'answers hugely': 'not applicable: an acknowledgement is a message, and the server bounds those',
  },
  credentials: 'token',
  async start() {
    const server = await NatsServer.start(authorization(CANARY));
    await server.addStream({ name: 'MAIL', subjects: ['mail.>'] });
    let relay = await TcpRelay.start(server);
    const { port } = relay;
    let gone = false;
    let limit = -1;
    return {
      port,
      options: {
        servers: [`127.0.0.1:${port}`],
        subject: 'mail.attachment',
        token: CANARY,
        timeout: `${OWN_LIMIT}ms`,
        connectTimeout: `${OWN_LIMIT}ms`,
      },
      received: async () => (await server.messages('MAIL')).map(({ text }) => text),
      async behave(behaviour) {
        if (behaviour === 'is gone') {
          await relay.close();
          await server.kill9();
          gone = true;
          return;
        }
        server.resume();
        if (gone) {
          await server.startAgain();
          relay = await TcpRelay.start(server, { port });
          gone = false;
        }
        relay.inspect = (chunk) => (behaviour === 'resets' && chunk.includes('HPUB') ? 'reset' : 'pass');
        // A stream looks at sizes only, and the marked event is the longest.
        const maxMsgSize = behaviour === 'refuses one event' ? MARKED_BYTES : -1;
        if (maxMsgSize !== limit) await server.updateStream('MAIL', { max_msg_size: maxMsgSize });
        limit = maxMsgSize;
        if (behaviour === 'refuses credentials') await server.restart(authorization('another'));
        if (behaviour === 'hangs') await server.pause();
      },
      async expectSecret(token) {
        await server.restart(authorization(token));
      },
      async stop() {
        await relay.close().catch(() => {});
        await server.stop();
      },
    };
  },
};
