import { describe, expect, it } from 'vitest';
import { parseListenAddress } from '../../src/config/scalars.ts';

describe('an address to listen on', () => {
  it.each([
    ['127.0.0.1:9464', { host: '127.0.0.1', port: 9464 }],
    ['[::1]:9464', { host: '::1', port: 9464 }],
    ['localhost:0', { host: 'localhost', port: 0 }],
  ])('is understood: %s', (text, address) => {
    expect(parseListenAddress(text)).toEqual(address);
  });

  it.each(['9464', ':9464', '127.0.0.1', '::1:9464', 'host:99999', 'http://host:1', '[::1]', 'a b:1', ''])(
    'is refused: %j',
    (text) => {
      expect(parseListenAddress(text)).toBeUndefined();
    },
  );
});
