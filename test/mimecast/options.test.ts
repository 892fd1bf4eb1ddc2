import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { mimecastOptions } from '../../src/mimecast/options.ts';
import { Secret } from '../../src/secret.ts';
import { HMAC, OAUTH } from './clients.ts';

describe('the mimecast section', () => {
  it('needs credentials only', () => {
    const options = mimecastOptions.parse({ auth: OAUTH });
    expect(options).toMatchObject({
      baseUrl: 'https://api.services.mimecast.com',
      requestTimeout: 30_000,
      requestsPerMinute: 60,
    });
    expect(options.auth.type === 'oauth2' && options.auth.clientSecret.read()).toBe(OAUTH.clientSecret);
    expect(JSON.stringify(options)).not.toContain(OAUTH.clientSecret);
  });

  it('takes secrets that were read from files, and hmac keys', () => {
    const options = mimecastOptions.parse({ auth: { ...HMAC, secretKey: Secret.of('c2VjcmV0') } });
    expect(options.auth.type === 'hmac' && options.auth.secretKey.read()).toBe('c2VjcmV0');
  });

  it.each([
    ['https://eu-api.mimecast.com', 'https://eu-api.mimecast.com'],
    ['https://eu-api.mimecast.com:8443/', 'https://eu-api.mimecast.com:8443'],
    ['http://localhost:8080', 'http://localhost:8080'],
    ['http://127.0.0.9:80', 'http://127.0.0.9'],
    ['http://[::1]:9000', 'http://[::1]:9000'],
  ])('accepts %s', (baseUrl, expected) => {
    expect(mimecastOptions.parse({ auth: OAUTH, baseUrl }).baseUrl).toBe(expected);
  });

  it.each([
    'http://api.services.mimecast.com',
    'http://127.0.0.1.example',
    'http://localhost.example',
    'ftp://localhost',
    'api.services.mimecast.com',
    'https://user:pass@api.services.mimecast.com',
    'https://api.services.mimecast.com/api',
    'https://api.services.mimecast.com/?a=b',
  ])('refuses %s', (baseUrl) => {
    expect(mimecastOptions.safeParse({ auth: OAUTH, baseUrl }).success).toBe(false);
  });

  it.each([
    [{ type: 'basic' }],
    [{ ...OAUTH, clientSecret: '' }],
    [{ ...OAUTH, extra: 1 }],
    [{ type: 'hmac', accessKey: 'a' }],
  ])('refuses auth %j', (auth) => {
    expect(mimecastOptions.safeParse({ auth }).success).toBe(false);
  });

  it.each([
    { requestTimeout: '5' },
    { requestTimeout: '1ms' },
    { requestsPerMinute: 0 },
    { proxy: 'proxy:3128' },
    { unknown: true },
  ])('refuses %j', (more) => {
    expect(mimecastOptions.safeParse({ auth: OAUTH, ...more }).success).toBe(false);
  });

  it('shows its defaults in the JSON Schema', () => {
    const schema = z.toJSONSchema(mimecastOptions, { io: 'input', unrepresentable: 'any' });
    expect(schema.properties).toMatchObject({
      baseUrl: { default: 'https://api.services.mimecast.com' },
      requestTimeout: { default: '30s' },
      requestsPerMinute: { default: 60 },
    });
    expect(schema.required).toEqual(['auth']);
  });
});
