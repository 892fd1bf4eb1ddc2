import { Writable } from 'node:stream';
import { ForwarderEvent } from '../../src/event.ts';
import type { Format } from '../../src/formats/format.ts';
import { buildFormat } from '../../src/formats/format.ts';
import { json as jsonType } from '../../src/formats/json.ts';
import type { Output } from '../../src/outputs/output.ts';
import { syslog } from '../../src/outputs/syslog.ts';

const json = buildFormat(jsonType);

export const never = new AbortController().signal;

/** Texts that obey the promise of `format.ts` and are out for trouble all the same. */
export const HOSTILE: readonly string[] = [
  'plain',
  '{"subject":"quotes \\" and \\\\ and ] and |pipes| and =equals="}',
  '<13>1 2026-01-01T00:00:00Z forged forged 1 forged - a header in the text',
  '25 <13>1 - - - - - - Zürich 7 <13>two',
  '[mimecast@32473 eventId="forged"] structured data in the text',
  'CEF:0|Mimecast|x|1|2|3|4|msg=in\\nanother\\=format',
  'umlauts äöü ß, 日本語, العربية, עברית',
  'emoji 👩‍👩‍👧‍👦 🏴󠁧󠁢󠁳󠁣󠁴󠁿 and combining é a\u0301\u0302\u0303',
  'a file name that lies: invoice\u202Efdp.exe, and \u2066isolates\u2069',
  'line separators that are none in syslog: \u2028 \u2029 \u0085 end',
  'a byte order mark \uFEFF in the middle, and \uFFFD and \uFFFF',
  "percent %s %n %00 $HOME $(id) `id` '; DROP TABLE --",
  `long ${'ü€𝄞'.repeat(850)}`,
];

/** Writes the record's `text` as it is. */
export const plainFormat: Format = {
  name: 'plain',
  mediaType: 'text/plain',
  render: (event) => ({ text: String(event.record.text), shortened: false }),
};

/** Events with these texts; their ids count from `first`. */
export function eventsOf(texts: readonly string[], first = 1): ForwarderEvent[] {
  return texts.map(
    (text, index) =>
      new ForwarderEvent({
        seq: first + index,
        id: (first + index).toString(16).padStart(32, '0'),
        source: {
          name: 'attachment',
          type: 'attachment',
          eventClass: 'ttp-ap',
          describe: () => ({ eventClass: 'ttp-ap', title: 'Attachment Protect', severity: 3 }),
          severityOf: () => 3,
        },
        time: Date.UTC(2026, 0, 1),
        raw: Buffer.from(JSON.stringify({ text })),
      }),
  );
}

/** A syslog output to 127.0.0.1. */
export function open(options: Record<string, unknown>, format: Format = json): Output {
  return syslog.create(syslog.options.parse({ host: '127.0.0.1', ...options }), {
    name: 'siem',
    format,
    hostname: 'relay01',
    userAgent: 'mimecast-forwarder/0.0.0',
    pid: 4711,
    stdout: new Writable(),
  });
}
