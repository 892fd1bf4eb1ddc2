import type { ForwarderEvent } from '../../event.ts';
import type { Format } from '../../formats/format.ts';
import type { Item } from '../http/chunks.ts';

/** What is said of every event beside its text. HEC carries nothing over from one object to the next, so each says it all. */
export interface Metadata {
  readonly host: string;
  readonly source: string;
  readonly sourcetype: string;
  /** Absent: the token's own default index. */
  readonly index?: string | undefined;
}

export interface EnvelopeLimits {
  /** Of the text of one event, in bytes of UTF-8. */
  readonly maxMessageBytes: number;
  /** Of one event with its envelope, so that it fits into a request that it has for itself. */
  readonly maxRequestBytes: number;
}

/** What a byte can grow to inside a JSON string: U+0001 is written as six characters. Quotes and backslashes grow to two. */
const MOST_ESCAPED = 6;
/** What `Format.render` promises to manage with. */
const LEAST_MESSAGE = 400;

/**
 * Writes events as HEC's event endpoint wants them:
 * `{"time":1634237672,"host":…,"source":…,"sourcetype":…,"index":…,"event":…,"fields":{"event_id":"<32 hex>"}}`.
 *
 * No other key may stand beside these seven. HEC answers an unknown one with 200 and "Success", and drops that object and all that
 * follow it in the request.
 *
 * JSON goes in as it stands, so that `event` is an object; any other text as a string.
 */
export function envelopeWriter(
  { host, source, sourcetype, index }: Metadata,
  format: Format,
  { maxMessageBytes, maxRequestBytes }: EnvelopeLimits,
): (event: ForwarderEvent) => Item {
  const metadata = JSON.stringify({ host, source, sourcetype, index }).slice(1, -1);
  const write =
    format.mediaType === 'application/json' ? (text: string) => text : (text: string) => JSON.stringify(text);

  return (event) => {
    // Seconds in plain digits. Milliseconds would be read by their size on some versions and not on others.
    const head = `{"time":${event.time / 1000},${metadata},"event":`;
    const tail = `,"fields":{"event_id":"${event.id}"}}`;
    const room = maxRequestBytes - Buffer.byteLength(head) - tail.length - '\n'.length;

    let { text, shortened } = format.render(event, Math.min(maxMessageBytes, Math.max(room, LEAST_MESSAGE)));
    let value = write(text);
    if (Buffer.byteLength(value) > room) {
      const enough = Math.floor((room - '""'.length) / MOST_ESCAPED);
      ({ text, shortened } = format.render(event, Math.max(enough, LEAST_MESSAGE)));
      value = write(text);
    }
    return { event, text: `${head}${value}${tail}`, shortened };
  };
}
