/** Code as HTML. Only comments are set off: they are what is read first, and are told apart without a grammar. */

const HASH_COMMENTS = new Set(['sh', 'bash', 'yaml', 'yml']);
/** From a `#` at the begin of a line or after a blank, so that neither `${#x}` nor an anchor of a URL counts. */
const COMMENT = /(^|\s)(#.*)$/gm;

export function highlighted(text: string, language: string): string {
  const escaped = escapeHtml(text);
  return HASH_COMMENTS.has(language) ? escaped.replace(COMMENT, '$1<span class="comment">$2</span>') : escaped;
}

export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.codePointAt(0)};`);
}
