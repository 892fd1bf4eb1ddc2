import type { FeedConfig } from '../config/config.ts';
import { ForwarderEvent } from '../event.ts';
import { eventId } from '../store/key.ts';

/** What to look for in the SIEM. Stands in the record so often that every format writes it somewhere. */
export const TEST_SUBJECT = 'mimecast-forwarder test event';

/** A made-up record that says what it is wherever it is read. `now` in ms since 1970. */
export function testEvent(feeds: readonly FeedConfig[], now: number): ForwarderEvent {
  const [config] = feeds;
  if (!config) throw new TypeError('a config has at least one feed');
  const time = Math.floor(now / 1000) * 1000;
  const record = {
    senderAddress: 'test@mimecast-forwarder.invalid',
    recipientAddress: 'test@mimecast-forwarder.invalid',
    fileName: 'mimecast-forwarder-test.txt',
    fileType: 'text/plain',
    result: 'safe',
    actionTriggered: 'none',
    date: new Date(time).toISOString().replace('.000Z', '+0000'),
    details: `${TEST_SUBJECT}: made by \`check --send-test\`, no mail is behind it`,
    route: 'internal',
    messageId: `<${time}.test@mimecast-forwarder.invalid>`,
    subject: TEST_SUBJECT,
    fileHash: '0'.repeat(64),
    definition: TEST_SUBJECT,
  };
  const source = config.type.create({ name: config.name, key: config.dedupe.key });
  const id = eventId(source.type, time, ['test', String(now)]);
  return new ForwarderEvent({ seq: 0, id, source, time, raw: Buffer.from(JSON.stringify(record)) });
}
