/**
 * Readers of what the formats write, made from the standards alone and sharing nothing with `src/`. Strict: they throw where a
 * lenient receiver would guess.
 */

export interface Cef {
  /** The seven fields of the header, unescaped. */
  readonly header: readonly string[];
  readonly extension: ReadonlyMap<string, string>;
}

/** CEF: seven header fields that end at a bare `|`, then `key=value` pairs whose values hold no bare `=`. */
export function parseCef(text: string): Cef {
  const header: string[] = [];
  let at = 0;
  while (header.length < 7) {
    let field = '';
    for (; text[at] !== '|'; at += 1) {
      if (at >= text.length) throw new Error('the header ends too early');
      if (text[at] === '\\') at += 1;
      field += text[at];
    }
    at += 1;
    header.push(field);
  }
  return { header, extension: parseExtension(text.slice(at)) };
}

function parseExtension(text: string): Map<string, string> {
  const equals: number[] = [];
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1;
    else if (text[at] === '=') equals.push(at);
  }
  const pairs = new Map<string, string>();
  equals.forEach((at, i) => {
    const keyStart = text.lastIndexOf(' ', at) + 1;
    const next = equals[i + 1];
    const end = next === undefined ? text.length : text.lastIndexOf(' ', next);
    const key = text.slice(keyStart, at);
    if (!/^[A-Za-z0-9]+$/.test(key)) throw new Error(`bad key ${JSON.stringify(key)}`);
    if (pairs.has(key)) throw new Error(`key ${key} stands twice`);
    if (end <= at + 1) throw new Error(`key ${key} has no value`);
    pairs.set(key, unescapeValue(text.slice(at + 1, end)));
  });
  return pairs;
}

function unescapeValue(text: string): string {
  let value = '';
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] !== '\\') value += text[at];
    else {
      at += 1;
      const plain = { '\\': '\\', '=': '=', n: '\n', r: '\r' }[text[at] ?? ''];
      if (plain === undefined) throw new Error(`bad escape at ${at}`);
      value += plain;
    }
  }
  return value;
}

export interface Rfc5424Header {
  readonly facility: number;
  readonly severity: number;
  readonly time: string;
  readonly hostname: string;
  readonly appName: string;
  readonly procId: string;
  readonly msgId: string;
  /** SD-ID, then its parameters. */
  readonly data: ReadonlyMap<string, ReadonlyMap<string, string>>;
  readonly message: string;
}

/** RFC 5424 §6, by its grammar. */
export function parseRfc5424(text: string): Rfc5424Header {
  const header =
    /^<(0|[1-9]\d{0,2})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{1,6})?(?:Z|[+-]\d\d:\d\d)) ([!-~]{1,255}) ([!-~]{1,48}) ([!-~]{1,128}) ([!-~]{1,32}) /.exec(
      text,
    );
  if (!header) throw new Error('no RFC 5424 header');
  const [all, pri, time = '', hostname = '', appName = '', procId = '', msgId = ''] = header;
  if (Number(pri) > 191) throw new Error('PRI is over 191');
  const data = new Map<string, Map<string, string>>();
  let at = all.length;
  while (text[at] === '[') {
    const id = /^[^= \]"]{1,32}/.exec(text.slice(at + 1))?.[0] ?? '';
    if (id === '' || data.has(id)) throw new Error('bad SD-ID');
    at += 1 + id.length;
    const params = new Map<string, string>();
    while (text[at] === ' ') {
      const param = /^ ([^= \]"]{1,32})="((?:[^"\\\]]|\\.)*)"/s.exec(text.slice(at));
      if (!param) throw new Error('bad SD-PARAM');
      params.set(param[1] ?? '', (param[2] ?? '').replace(/\\(["\\\]])/g, '$1'));
      at += param[0].length;
    }
    if (text[at] !== ']') throw new Error('SD-ELEMENT does not end');
    at += 1;
    data.set(id, params);
  }
  if (data.size === 0 || text[at] !== ' ') throw new Error('no structured data, or no message after it');
  const facility = Math.floor(Number(pri) / 8);
  return {
    facility,
    severity: Number(pri) % 8,
    time,
    hostname,
    appName,
    procId,
    msgId,
    data,
    message: text.slice(at + 1),
  };
}

/** The keys of a JSON object in the order in which they are written, twice where they stand twice. Nested ones are left out. */
export function topLevelKeys(json: string): string[] {
  const keys: string[] = [];
  let depth = 0;
  let last = '';
  for (const [token] of json.matchAll(/"(?:[^"\\]|\\.)*"|[{}[\]:]/gs)) {
    if (token === '{' || token === '[') depth += 1;
    else if (token === '}' || token === ']') depth -= 1;
    else if (token === ':' && depth === 1) keys.push(JSON.parse(last));
    last = token;
  }
  return keys;
}
