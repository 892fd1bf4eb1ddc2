import type { EventFields, ForwarderEvent, Severity } from '../event.ts';

/** What the schemas of SIEMs ask for and a record says only in passing. */

/** From here on the verdict is that the file is bad. Below it are the safe ones, and the sandbox that reached none. */
const BAD: Severity = 7;

export function isAlert({ severity }: EventFields): boolean {
  return severity >= BAD;
}

export type ScanOutcome = 'success' | 'failure' | 'unknown';

/** Whether the scan came to a verdict, whatever the verdict is. */
export function scanOutcome({ result }: EventFields): ScanOutcome {
  switch (result?.trim().toLowerCase()) {
    case 'timeout':
    case 'error':
      return 'failure';
    case undefined:
    case 'unknown':
      return 'unknown';
    default:
      return 'success';
  }
}

/** `Attachment Protect: malicious`: what stands in a list of events. */
export function summaryOf({ title, result }: EventFields): string {
  return result === undefined ? title : `${title}: ${result}`;
}

/** The empty reverse-path of RFC 5321 §4.5.5: bounces and automatic answers have it. It is nobody's address. */
export function isNullSender(sender: string | undefined): boolean {
  return sender?.trim() === '<>';
}

export type HashAlgorithm = 'md5' | 'sha1' | 'sha256';

const BY_LENGTH: Readonly<Record<number, HashAlgorithm>> = { 32: 'md5', 40: 'sha1', 64: 'sha256' };

/** The algorithm of a hash in hex, by its length; undefined when the text is no hash. */
export function hashAlgorithm(text: string | undefined): HashAlgorithm | undefined {
  return text !== undefined && text.length <= 64 && /^[\da-f]+$/i.test(text) ? BY_LENGTH[text.length] : undefined;
}

/** `pdf` of `Rechnung.2024.pdf`; undefined when what follows the last dot is no extension. */
export function extensionOf(fileName: string | undefined): string | undefined {
  return /[^.]\.([^\s./\\\p{C}]{1,16})$/u.exec(fileName?.slice(-40) ?? '')?.[1];
}

/**
 * The members of a record that a document still needs, under their own names: all but the blank ones and those whose text is
 * `carried` by a field of the schema. A key that the feed does not list is always among them.
 */
export function leftovers(
  { record, source }: ForwarderEvent,
  carried: readonly unknown[],
): (readonly [string, unknown])[] {
  const texts = new Set(carried);
  return Object.entries(record).filter(([key, value]) => {
    if (value === null || (typeof value === 'string' && value.trim() === '')) return false;
    return !(source.keepFirst?.includes(key) && texts.has(value));
  });
}
