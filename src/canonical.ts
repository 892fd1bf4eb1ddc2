/** Text that is written as it stands between the values of `canonicalJson`: brackets, commas and keys. */
class Verbatim {
  readonly text: string;
  constructor(text: string) {
    this.text = text;
  }
}

const COMMA = new Verbatim(',');
const ARRAY_END = new Verbatim(']');
const OBJECT_END = new Verbatim('}');

/**
 * A JSON value with its keys sorted (by UTF-16 unit) at every depth and no white space: two records have the same canonical
 * text exactly when they hold the same data, however Mimecast ordered or escaped it. Used where a whole record is its own
 * identity, and to tell a variant from a re-read.
 *
 * Never throws on what `JSON.parse` gives. It walks with a stack of its own, because `JSON.parse` reads nesting of any depth
 * while a function that calls itself (`JSON.stringify` too) runs out of stack a few thousand levels down.
 */
export function canonicalJson(value: unknown): string {
  let text = '';
  const pending: unknown[] = [value];
  while (pending.length > 0) {
    const next = pending.pop();
    if (next instanceof Verbatim) text += next.text;
    else if (Array.isArray(next)) {
      text += '[';
      pushArray(pending, next);
    } else if (typeof next === 'object' && next !== null) {
      text += '{';
      pushObject(pending, next as Record<string, unknown>);
    } else text += JSON.stringify(next) ?? 'null';
  }
  return text;
}

// Both push back to front: what is pushed last is written first.

function pushArray(pending: unknown[], values: readonly unknown[]): void {
  pending.push(ARRAY_END);
  for (let i = values.length - 1; i >= 0; i -= 1) {
    pending.push(values[i]);
    if (i > 0) pending.push(COMMA);
  }
}

function pushObject(pending: unknown[], object: Readonly<Record<string, unknown>>): void {
  const keys = Object.keys(object)
    .filter((key) => object[key] !== undefined)
    .sort();
  pending.push(OBJECT_END);
  for (let i = keys.length - 1; i >= 0; i -= 1) {
    const key = keys[i] as string;
    pending.push(object[key], new Verbatim(`${i > 0 ? ',' : ''}${JSON.stringify(key)}:`));
  }
}
