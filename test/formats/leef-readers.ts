/** Readers of LEEF, made from what is documented of them and sharing nothing with `src/`. */

export interface Leef {
  readonly version: string;
  readonly vendor: string;
  readonly product: string;
  readonly productVersion: string;
  readonly eventId: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** What IBM's page of predefined attributes says of the ones that have a rule and could be in an event of ours. */
const PREDEFINED: Readonly<Record<string, RegExp>> = {
  devTime: /^(?:\d{10}|\d{13})$/,
  sev: /^(?:[1-9]|10)$/,
  usrName: /^.{1,255}$/u,
};

/** Keys of IBM's table that mean something else than anything we have. */
const FOREIGN =
  /^(?:src|dst|srcPort|dstPort|proto|ident.*|vSrc|vSrcName|accountName|role|realm|policy|resource|url|groupID|domain|calLanguage|isLog.*)$/;

/**
 * By IBM's pages "LEEF event components", "Predefined LEEF event attributes" and "Best practices guidelines". Strict: it throws where
 * QRadar would guess.
 */
export function parseLeef(text: string): Leef {
  const [version, ...fields] = text.split('|', 5);
  if (version !== 'LEEF:1.0' && version !== 'LEEF:2.0') throw new Error('no LEEF version');
  const [vendor = '', product = '', productVersion = '', eventId = ''] = fields;
  if (fields.some((field) => field.trim() === '')) throw new Error('a header field is empty');
  if (eventId.length > 255) throw new Error('the EventID is over 255 characters');
  let rest = text.slice([version, ...fields].join('|').length + 1);
  let delimiter = '\t';
  if (version === 'LEEF:2.0') {
    const end = rest.indexOf('|');
    if (end < 0) throw new Error('no delimiter field');
    delimiter = delimiterOf(rest.slice(0, end));
    rest = rest.slice(end + 1);
  }
  return { version, vendor, product, productVersion, eventId, attributes: attributesOf(rest, delimiter) };
}

function delimiterOf(field: string): string {
  if (field === '') return '\t';
  if (field.length === 1) return field;
  if (!/^0?x[\da-f]{1,4}$/i.test(field)) throw new Error('bad delimiter');
  return String.fromCharCode(Number.parseInt(field.slice(field.indexOf('x') + 1), 16));
}

function attributesOf(text: string, delimiter: string): Map<string, string> {
  const attributes = new Map<string, string>();
  for (const pair of text.split(delimiter)) {
    const equals = pair.indexOf('=');
    const [key, value] = [pair.slice(0, equals), pair.slice(equals + 1)];
    if (!/^[A-Za-z][A-Za-z0-9]*$/.test(key) || FOREIGN.test(key)) throw new Error(`bad key ${JSON.stringify(key)}`);
    if (attributes.has(key)) throw new Error(`key ${key} stands twice`);
    if (value.trim() === '' || /[\t\r\n|]/.test(value)) throw new Error(`bad value of ${key}`);
    if (PREDEFINED[key]?.test(value) === false) throw new Error(`${key} is ${value}`);
    attributes.set(key, value);
  }
  return attributes;
}

/**
 * As Splunk Connect for Syslog reads LEEF: it splits at every pipe, takes the delimiter as it is written and attributes from the last
 * piece, and stops without a word at the first that has no `=`. Fewer than four with a TAB between, and it takes pipes for them.
 */
export function readAsSc4s(text: string): ReadonlyMap<string, string> {
  const pieces = text.split('|');
  const last = pieces.at(-1) ?? '';
  let pairs = last.split('\t');
  if (pieces[0] === 'LEEF:1.0') {
    if (pairs.length < 4) pairs = pieces.slice(5);
  } else if (pieces.length > 6 && pieces[5]) {
    pairs = last.split(pieces[5].startsWith('0') ? pieces[5].slice(1) : pieces[5]);
  }
  const attributes = new Map<string, string>();
  for (const pair of pairs) {
    if (!pair.includes('=')) break;
    attributes.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
  }
  return attributes;
}

/** As a custom property of QRadar reads one attribute: IBM's page proposes `key=([^\t]+)`, and the first match counts. */
export function readAsProperty(text: string, key: string, delimiter = '\t'): string | undefined {
  const from = text.indexOf(`${key}=`);
  return from < 0 ? undefined : text.slice(from + key.length + 1).split(delimiter)[0];
}
