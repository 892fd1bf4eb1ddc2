/**
 * A value of Mimecast's as one word of at most 32 small letters, digits, `_`, `.` and `-`: `malicious`, `outbound`. For headers
 * and categories, which have no escapes or whose readers do not undo them, and which a SIEM maps to its own names one by one.
 */
export function plainWord(text: string): string {
  if (/^[\da-z_.-]{1,32}$/.test(text)) return text;
  return text
    .trim()
    .slice(0, 32)
    .toLowerCase()
    .replace(/[^\da-z_.-]+/g, '_');
}
