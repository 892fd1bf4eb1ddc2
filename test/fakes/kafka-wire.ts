import { gunzipSync } from 'node:zlib';

/** Kafka's primitive types and its record batch (https://kafka.apache.org/protocol.html, https://kafka.apache.org/documentation/#recordbatch). */

export class WireReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  int8(): number {
    return this.take(1).readInt8();
  }
  int16(): number {
    return this.take(2).readInt16BE();
  }
  int32(): number {
    return this.take(4).readInt32BE();
  }
  uint32(): number {
    return this.take(4).readUInt32BE();
  }
  int64(): bigint {
    return this.take(8).readBigInt64BE();
  }
  boolean(): boolean {
    return this.int8() !== 0;
  }
  string(): string {
    return this.nullableString() ?? fail('a string is null');
  }
  nullableString(): string | null {
    const length = this.int16();
    return length < 0 ? null : this.take(length).toString('utf8');
  }
  bytes(): Buffer {
    return this.take(this.int32());
  }
  array<T>(read: () => T): T[] {
    return Array.from({ length: Math.max(0, this.int32()) }, read);
  }

  /** Zig-zag, seven bits a byte, the lowest first. */
  varint(): number {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      const byte = this.take(1).readUInt8();
      value |= BigInt(byte & 0x7f) << shift;
      if (byte < 0x80) return Number((value >> 1n) ^ -(value & 1n));
    }
  }
  varintBytes(): Buffer | null {
    const length = this.varint();
    return length < 0 ? null : this.take(length);
  }

  take(length: number): Buffer {
    if (this.#at + length > this.#bytes.length) fail('the request ends too early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }
}

export class WireWriter {
  readonly #parts: Buffer[] = [];

  int8(value: number): this {
    return this.#add(1, (bytes) => bytes.writeInt8(value));
  }
  int16(value: number): this {
    return this.#add(2, (bytes) => bytes.writeInt16BE(value));
  }
  int32(value: number): this {
    return this.#add(4, (bytes) => bytes.writeInt32BE(value));
  }
  int64(value: bigint): this {
    return this.#add(8, (bytes) => bytes.writeBigInt64BE(value));
  }
  string(text: string | null): this {
    if (text === null) return this.int16(-1);
    const bytes = Buffer.from(text);
    this.int16(bytes.length);
    this.#parts.push(bytes);
    return this;
  }
  bytes(bytes: Buffer): this {
    this.int32(bytes.length);
    this.#parts.push(bytes);
    return this;
  }
  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length);
    for (const item of items) write(item);
    return this;
  }
  done(): Buffer {
    return Buffer.concat(this.#parts);
  }

  #add(length: number, write: (bytes: Buffer) => void): this {
    const bytes = Buffer.alloc(length);
    write(bytes);
    this.#parts.push(bytes);
    return this;
  }
}

export interface KafkaRecord {
  readonly key: string | null;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Ms since 1970. */
  readonly timestamp: number;
}

export interface RecordBatch {
  readonly records: readonly KafkaRecord[];
  readonly producerId: bigint;
  readonly baseSequence: number;
  readonly gzip: boolean;
}

/** A record batch of magic 2. Throws for one that a broker would call corrupt. */
export function readRecordBatch(bytes: Buffer): RecordBatch {
  const reader = new WireReader(bytes);
  reader.int64(); // base offset, for the broker to fill in
  if (reader.int32() !== bytes.length - 12) fail('the batch has another length');
  reader.int32(); // leader epoch
  if (reader.int8() !== 2) fail('the batch has another magic');
  if (reader.uint32() !== crc32c(bytes.subarray(21))) fail('the checksum does not fit');
  const compression = reader.int16() & 7;
  const lastOffsetDelta = reader.int32();
  const firstTimestamp = Number(reader.int64());
  reader.int64(); // max timestamp
  const producerId = reader.int64();
  reader.int16(); // producer epoch
  const baseSequence = reader.int32();
  const count = reader.int32();
  if (lastOffsetDelta !== count - 1) fail('the last offset does not fit the count');
  const rest = bytes.subarray(61);
  const body = new WireReader(compression === 1 ? gunzipSync(rest) : rest);
  const records = Array.from({ length: count }, (_, offset) => readRecord(body, offset, firstTimestamp));
  if (!body.isAtEnd) fail('something follows the last record');
  return { records, producerId, baseSequence, gzip: compression === 1 };
}

function readRecord(body: WireReader, offset: number, firstTimestamp: number): KafkaRecord {
  const record = new WireReader(body.take(body.varint()));
  record.int8(); // attributes, unused
  const timestamp = firstTimestamp + record.varint();
  if (record.varint() !== offset) fail('the offsets are not in order');
  const key = record.varintBytes();
  const value = record.varintBytes() ?? fail('a value is null');
  const headers = Array.from({ length: record.varint() }, () => [
    String(record.varintBytes()),
    String(record.varintBytes()),
  ]);
  if (!record.isAtEnd) fail('something follows the headers');
  return { key: key && String(key), value: String(value), headers: Object.fromEntries(headers), timestamp };
}

/** CRC-32C, RFC 3720 appendix B.4. */
export function crc32c(bytes: Buffer): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit += 1) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return (crc ^ 0xffffffff) >>> 0;
}

function fail(what: string): never {
  throw new Error(what);
}
