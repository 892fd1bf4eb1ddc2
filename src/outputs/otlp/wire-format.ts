/**
 * As much of Protocol Buffers' wire format as OTLP needs (https://protobuf.dev/programming-guides/encoding): a message is a row of
 * fields, and a field is a tag, which holds its number and how its value is written, and the value. A field with its default
 * value (0, empty) is left out.
 */

const VARINT = 0;
const FIXED64 = 1;
const LENGTH_DELIMITED = 2;
const FIXED32 = 5;

/** The fields of a message, one after the other. */
export function message(...fields: readonly Buffer[]): Buffer {
  return Buffer.concat(fields);
}

/** A message inside a message. Written even when empty: an empty message is not an absent one. */
export function nested(field: number, content: Buffer): Buffer {
  return Buffer.concat([tag(field, LENGTH_DELIMITED), varint(content.length), content]);
}

export function text(field: number, value: string): Buffer {
  return value === '' ? NOTHING : nested(field, Buffer.from(value));
}

/** Text that is written even when empty: inside a `oneof`, that it is there is what it says. */
export function textOfOneof(field: number, value: string): Buffer {
  return nested(field, Buffer.from(value));
}

/** An enum, or an integer that is not negative. */
export function integer(field: number, value: number): Buffer {
  return value === 0 ? NOTHING : Buffer.concat([tag(field, VARINT), varint(value)]);
}

export function fixed64(field: number, value: bigint): Buffer {
  if (value === 0n) return NOTHING;
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(BigInt.asUintN(64, value));
  return Buffer.concat([tag(field, FIXED64), bytes]);
}

const NOTHING = Buffer.alloc(0);

function tag(field: number, type: number): Buffer {
  return varint((field << 3) | type);
}

/** Seven bits a byte, the lowest first; the top bit says that more follow. */
function varint(value: number): Buffer {
  const bytes: number[] = [];
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80);
  bytes.push(rest);
  return Buffer.from(bytes);
}

/** A field as it was read: a varint as its 64 bits, anything else as its bytes. */
export type Field =
  | { readonly number: number; readonly bits: bigint }
  | { readonly number: number; readonly bytes: Buffer };

/** The fields of a message; undefined when the bytes are no message. Groups, which proto3 has not, count as none. */
export function fieldsOf(bytes: Buffer): readonly Field[] | undefined {
  const fields: Field[] = [];
  let at = 0;
  while (at < bytes.length) {
    const key = readVarint(bytes, at);
    if (key === undefined || key.bits >> 3n === 0n || key.bits > 0xffff_ffffn) return undefined;
    const number = Number(key.bits >> 3n);
    const type = Number(key.bits & 7n);
    at = key.end;
    if (type === VARINT) {
      const value = readVarint(bytes, at);
      if (value === undefined) return undefined;
      fields.push({ number, bits: value.bits });
      at = value.end;
      continue;
    }
    const length = type === LENGTH_DELIMITED ? readVarint(bytes, at) : undefined;
    const start = length?.end ?? at;
    const size = length?.bits ?? FIXED_SIZES[type];
    if (size === undefined || size > BigInt(bytes.length - start)) return undefined;
    at = start + Number(size);
    fields.push({ number, bytes: bytes.subarray(start, at) });
  }
  return fields;
}

const FIXED_SIZES: Readonly<Record<number, bigint>> = { [FIXED64]: 8n, [FIXED32]: 4n };
const LONGEST_VARINT = 10;

function readVarint(bytes: Buffer, from: number): { readonly bits: bigint; readonly end: number } | undefined {
  let bits = 0n;
  for (let index = 0; index < LONGEST_VARINT; index += 1) {
    const byte = bytes[from + index];
    if (byte === undefined) return undefined;
    bits |= BigInt(byte & 0x7f) << BigInt(7 * index);
    if (byte < 0x80) return { bits: BigInt.asUintN(64, bits), end: from + index + 1 };
  }
  return undefined;
}
