import { crc32, deflateSync, inflateSync } from 'node:zlib';

/**
 * Makes a PNG small: at most so many colours, and the nearest of them for the rest, which on a page of text are shades at the edges of
 * letters. Takes what Chromium writes: 8 bits, RGB or RGBA, not interlaced (https://www.w3.org/TR/png-3/).
 */
export function smallPng(png: Buffer, colours = 256): Buffer {
  const { width, height, pixels } = decoded(png);
  const palette = paletteOf(pixels, colours);
  const indices = new Map(palette.map((colour, index) => [colour, index]));
  const rows = Buffer.alloc((width + 1) * height);
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      const colour = pixels[y * width + x] ?? 0;
      const index = indices.get(colour) ?? palette.indexOf(nearest(colour, palette));
      indices.set(colour, index);
      // Each row begins with its filter, 0: rows of a palette compress best unfiltered.
      rows[y * (width + 1) + 1 + x] = index;
    }
  }
  const head = Buffer.alloc(13);
  head.writeUInt32BE(width, 0);
  head.writeUInt32BE(height, 4);
  head.set([8, 3], 8);
  return Buffer.concat([
    SIGNATURE,
    chunk('IHDR', head),
    chunk('PLTE', Buffer.from(palette.flatMap(channelsOf))),
    chunk('IDAT', deflateSync(rows, { level: 9, memLevel: 9 })),
    chunk('IEND', Buffer.alloc(0)),
  ]);
}

const SIGNATURE = Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]);

function decoded(png: Buffer): { width: number; height: number; pixels: Uint32Array } {
  const chunks = chunksOf(png);
  const head = chunks.find(({ type }) => type === 'IHDR')?.data ?? Buffer.alloc(13);
  const [width, height, bits, kind, interlaced] = [
    head.readUInt32BE(0),
    head.readUInt32BE(4),
    head[8],
    head[9],
    head[12],
  ];
  if (bits !== 8 || (kind !== 2 && kind !== 6) || interlaced !== 0)
    throw new Error('a PNG of 8 bits, RGB or RGBA, is needed');
  const size = kind === 6 ? 4 : 3;
  const data = inflateSync(Buffer.concat(chunks.filter(({ type }) => type === 'IDAT').map(({ data }) => data)));
  unfilter(data, width * size, size);
  const pixels = new Uint32Array(width * height);
  for (let index = 0; index < pixels.length; index += 1) {
    const at = Math.floor(index / width) * (width * size + 1) + 1 + (index % width) * size;
    pixels[index] = ((data[at] ?? 0) << 16) | ((data[at + 1] ?? 0) << 8) | (data[at + 2] ?? 0);
  }
  return { width, height, pixels };
}

function chunksOf(png: Buffer): { type: string; data: Buffer }[] {
  const chunks = [];
  for (let at = SIGNATURE.length; at < png.length; at += png.readUInt32BE(at) + 12) {
    const length = png.readUInt32BE(at);
    chunks.push({ type: png.toString('latin1', at + 4, at + 8), data: png.subarray(at + 8, at + 8 + length) });
  }
  return chunks;
}

/** Undoes the five filters in place, row by row. */
function unfilter(data: Buffer, width: number, size: number): void {
  for (let row = 0; row < data.length; row += width + 1) {
    const filter = data[row];
    for (let at = row + 1; at <= row + width; at += 1) {
      const left = at - size > row ? (data[at - size] ?? 0) : 0;
      const above = row > 0 ? (data[at - width - 1] ?? 0) : 0;
      const corner = row > 0 && at - size > row ? (data[at - width - 1 - size] ?? 0) : 0;
      const guess = [0, left, above, (left + above) >> 1, paeth(left, above, corner)][filter ?? 0] ?? 0;
      data[at] = ((data[at] ?? 0) + guess) & 255;
    }
  }
}

function paeth(left: number, above: number, corner: number): number {
  const estimate = left + above - corner;
  const [a, b, c] = [Math.abs(estimate - left), Math.abs(estimate - above), Math.abs(estimate - corner)];
  return a <= b && a <= c ? left : b <= c ? above : corner;
}

/** The most frequent half; then, one by one, the colour that is drawn worst so far: a mark has few pixels, and means something. */
function paletteOf(pixels: Uint32Array, size: number): number[] {
  const counts = new Map<number, number>();
  for (const colour of pixels) counts.set(colour, (counts.get(colour) ?? 0) + 1);
  const colours = [...counts].sort((a, b) => b[1] - a[1]);
  const palette = colours.slice(0, size / 2).map(([colour]) => colour);
  const rest = colours
    .slice(size / 2)
    .map(([colour, count]) => ({ colour, count, off: distance(colour, nearest(colour, palette)) }));
  while (palette.length < size && rest.length > 0) {
    const worst = rest.reduce((a, b) => (b.count * b.off > a.count * a.off ? b : a));
    if (worst.off === 0) break;
    palette.push(worst.colour);
    for (const entry of rest) entry.off = Math.min(entry.off, distance(entry.colour, worst.colour));
  }
  return palette;
}

function nearest(colour: number, palette: readonly number[]): number {
  return palette.reduce((a, b) => (distance(colour, b) < distance(colour, a) ? b : a));
}

function distance(a: number, b: number): number {
  return ((a >> 16) - (b >> 16)) ** 2 + (((a >> 8) & 255) - ((b >> 8) & 255)) ** 2 + ((a & 255) - (b & 255)) ** 2;
}

function channelsOf(colour: number): [number, number, number] {
  return [colour >> 16, (colour >> 8) & 255, colour & 255];
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type, 'latin1'), data]);
  const whole = Buffer.alloc(body.length + 8);
  whole.writeUInt32BE(data.length, 0);
  body.copy(whole, 4);
  whole.writeUInt32BE(crc32(body), body.length + 4);
  return whole;
}
