/** Readers of `key="value"` pairs, made from what is documented of them and sharing nothing with `src/`. */

/**
 * As go-logfmt reads, and Loki's parser after it: keys end at `=`, hold no quote, space or control character; quoted values end at
 * the first bare quote and have the escapes of JSON. Strict: it throws where Loki would set `__error__`, at keys that stand twice, and
 * at keys that Loki would have to change to make labels of them.
 */
export function parseLogfmt(text: string): ReadonlyMap<string, string> {
  const pairs = new Map<string, string>();
  for (const [key, value] of pairsOf(text)) {
    if (!/^[A-Za-z][A-Za-z0-9_]*$/.test(key)) throw new Error(`bad key ${JSON.stringify(key)}`);
    if (pairs.has(key)) throw new Error(`key ${key} stands twice`);
    pairs.set(key, unquoted(value));
  }
  return pairs;
}

function unquoted(body: string): string {
  let value = '';
  for (let at = 0; at < body.length; at += 1) {
    const character = body[at] ?? '';
    if (character < ' ') throw new Error('a bare control character');
    if (character !== '\\') value += character;
    else if (body[at + 1] === 'u') {
      const hex = /^[\da-f]{4}/i.exec(body.slice(at + 2))?.[0];
      if (hex === undefined) throw new Error(`bad escape at ${at}`);
      value += String.fromCharCode(Number.parseInt(hex, 16));
      at += 5;
    } else {
      at += 1;
      const plain = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' }[body[at] ?? ''];
      if (plain === undefined) throw new Error(`bad escape at ${at}`);
      value += plain;
    }
  }
  return value;
}

/** As Splunk reads with `KV_MODE = auto_escaped`: `\"` and `\\` are undone in quoted values, everything else stays as it is written. */
export function readAsSplunk(text: string): ReadonlyMap<string, string> {
  return new Map(pairsOf(text).map(([key, value]) => [key, value.replace(/\\(["\\])/g, '$1')]));
}

/** Key and what is between the quotes. */
function pairsOf(text: string): [string, string][] {
  const pairs: [string, string][] = [];
  let at = 0;
  while (at < text.length) {
    const equals = text.indexOf('=', at);
    if (text[equals + 1] !== '"') throw new Error(`no quoted value at ${at}`);
    let end = equals + 2;
    while (text[end] !== '"') {
      if (end >= text.length) throw new Error('a quoted value does not end');
      end += text[end] === '\\' ? 2 : 1;
    }
    pairs.push([text.slice(at, equals), text.slice(equals + 2, end)]);
    if (end + 1 < text.length && text[end + 1] !== ' ') throw new Error(`no space at ${end}`);
    at = end + 2;
  }
  return pairs;
}
