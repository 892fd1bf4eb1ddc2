import { ERRORS, KafkaBroker } from '../../fakes/kafka-broker.ts';
import { CANARY, type Harness, isMarked, OWN_LIMIT } from '../output-harness.ts';

export const harness: Harness = {
  behaviours: {
    'refuses one event': 'applies',
    'is busy':
      'not applicable: a broker takes the batch, says how long to pause, and the client library waits so long; tested with the member',
    'refuses credentials': 'applies',
    'is gone': 'applies',
    resets: 'applies',
    hangs: 'applies',
    'is half-open': 'applies',
    'answers hugely': 'not applicable: an answer of more than 4 MiB is none from a broker; tested with the member',
  },
  credentials: 'sasl.password',
  async start() {
    // One partition: with more, Kafka promises an order for each mail only.
    const options = { partitions: 1, user: { name: 'forwarder', password: CANARY } };
    let broker = await KafkaBroker.start(options);
    const { port } = broker;
    let gone: KafkaBroker | undefined;
    return {
      port,
      options: {
        brokers: [broker.address],
        topic: 'mail',
        sasl: { mechanism: 'plain', username: 'forwarder', password: CANARY },
        timeout: `${OWN_LIMIT}ms`,
        connectTimeout: `${OWN_LIMIT}ms`,
      },
      received: () => broker.records.map(({ value }) => value),
      async behave(behaviour) {
        if (behaviour === 'is gone') {
          gone = broker;
          return broker.close();
        }
        if (gone) {
          broker = await KafkaBroker.start({ ...options, port });
          broker.records.push(...gone.records);
          gone = undefined;
        }
        if (behaviour === 'refuses credentials') options.user.password = 'another';
        broker.silent = behaviour === 'hangs';
        broker.decide = ({ records }) => {
          if (behaviour === 'resets') return 'reset';
          const refused = behaviour === 'refuses one event' && records.some(({ value }) => isMarked(value));
          return refused ? ERRORS.INVALID_RECORD : 0;
        };
      },
      advertise(port) {
        broker.advertisedPort = port;
      },
      async expectSecret(password) {
        options.user.password = password;
        // A broker asks for credentials when a connection is made, and never again on it.
        const { records } = broker;
        await broker.close();
        broker = await KafkaBroker.start({ ...options, port });
        broker.records.push(...records);
      },
      stop: () => broker.close(),
    };
  },
};
