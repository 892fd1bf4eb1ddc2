import { z } from 'zod';
import { canonicalJson } from '../canonical.ts';
import type { ForwarderEvent } from '../event.ts';
import { defineFormat, type Format, type Rendered } from './format.ts';
import { recordMembers } from './record-members.ts';
import { LOST_NAMES_BYTES, lostNames, type Part, shorten } from './shorten.ts';
import { utcSeconds } from './timestamp.ts';

/**
 * Pairs under Mimecast's own names, for Splunk (`KV_MODE = auto_escaped`) and readers of logfmt such as Loki's:
 * `eventTime="2024-11-17T20:16:00Z" eventId="<32 hex>" feed="attachment" senderAddress="…" …`, and, when something had to be cut,
 * `truncated="details,subject"` at the end.
 *
 * All members of a record are written but those that are null; what is no text is written as JSON. The time stands first, since
 * Splunk looks for one from the start and could take digits of the id for it.
 */
const format: Format = { name: 'kv', mediaType: 'text/plain; charset=utf-8', render };

export const kv = defineFormat({
  name: 'kv',
  summary: 'Mimecast\'s own record as key="value" pairs, as Splunk and readers of logfmt take them apart.',
  options: z.strictObject({}),
  create: () => format,
});

function render(event: ForwarderEvent, maxBytes = Number.POSITIVE_INFINITY): Rendered {
  const head = `eventTime="${utcSeconds(event.time)}Z" eventId="${event.id}" feed="${event.source.type}"`;
  const room = maxBytes - head.length;
  const { text, lost } = shorten(pairs(event), room, ' truncated=""'.length + LOST_NAMES_BYTES, quoted);
  const mark = lost.length > 0 ? ` truncated="${lostNames(lost).join()}"` : '';
  return { text: head + text + mark, shortened: lost.length > 0 };
}

function pairs(event: ForwarderEvent): readonly Part[] {
  const members = recordMembers(event).filter(({ value }) => value !== null);
  const safeKey = safeKeys(members.map(({ name }) => name));
  return members.map(({ name, value, rank }) => {
    const divisible = typeof value === 'string';
    const text = divisible ? value : quoted(canonicalJson(value));
    return { name, prefix: ` ${safeKey(name)}=`, text, divisible, rank };
  });
}

const SAFE_KEY = /^[A-Za-z][A-Za-z0-9_]*$/;

/**
 * Makes keys of letters, digits and `_` that start with a letter, each once. Splunk replaces other characters by itself and strips
 * `_` and digits from the start of a key, which would make `_result` a second `result`. A key that has to be changed gets a `_`
 * somewhere, so it cannot become one of Mimecast's known keys or of ours, which have none.
 */
function safeKeys(keys: readonly string[]): (key: string) => string {
  const given = new Set(keys.filter((key) => SAFE_KEY.test(key)));
  const copies = new Map<string, number>();
  return (key) => {
    if (SAFE_KEY.test(key)) return key;
    const safe = key.replace(/^(?![A-Za-z])/, 'x_').replace(/[^A-Za-z0-9_]/g, '_');
    let free = safe;
    let count = copies.get(safe) ?? 1;
    while (given.has(free)) {
      count += 1;
      free = `${safe}_${count}`;
    }
    copies.set(safe, count);
    given.add(free);
    return free;
  };
}

/**
 * A value as a JSON string, which readers of logfmt undo wholly. Splunk undoes `\"` and `\\` and shows the rest as it stands, so a
 * line end is `\n` there. What ends a line for some reader, though not in JSON, is escaped as well.
 */
function quoted(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(ENDS_A_LINE, escapeCode);
}

function escapeCode(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}

const ENDS_A_LINE = /[\u007f-\u009f\u2028\u2029]/g;
