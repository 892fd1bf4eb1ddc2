import { SyslogReceiver } from '../../fakes/syslog-receiver.ts';
import { type Harness, OWN_LIMIT } from '../output-harness.ts';

export const harness: Harness = {
  behaviours: {
    'refuses one event': 'not applicable: a syslog receiver never answers',
    'is busy': 'not applicable: a syslog receiver never answers',
    'refuses credentials': 'not applicable: only TLS has any; tested with the member',
    'is gone': 'applies',
    resets: 'applies',
    hangs: 'applies',
    'is half-open': 'applies',
    'answers hugely': 'not applicable: what answers is no syslog receiver; tested with the member',
  },
  credentials: 'not applicable: only TLS has any; tested with the member',
  async start() {
    // One after the other on the same port; only what a well-behaved one has read was accepted.
    const receivers = [await SyslogReceiver.start()];
    const port = receivers[0]?.port ?? 0;
    const well = () => receivers.filter(({ manner }) => manner === 'well');
    return {
      port,
      options: {
        protocol: 'tcp',
        host: '127.0.0.1',
        port,
        connectTimeout: `${OWN_LIMIT}ms`,
        sendTimeout: `${OWN_LIMIT}ms`,
      },
      received: () => well().flatMap(({ messages }) => messages.map((message) => message.slice(message.indexOf('{')))),
      async behave(behaviour) {
        await receivers.at(-1)?.stop();
        if (behaviour === 'is gone') return;
        const next = await SyslogReceiver.start({ port });
        if (behaviour === 'hangs' || behaviour === 'resets') next.manner = behaviour;
        receivers.push(next);
      },
      async stop() {
        await receivers.at(-1)?.stop();
      },
    };
  },
};
