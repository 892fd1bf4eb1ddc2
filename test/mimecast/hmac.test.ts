import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HmacAuthorization, signature, signatureDate } from '../../src/mimecast/hmac.ts';
import { ServerClock } from '../../src/mimecast/server-clock.ts';
import { Secret } from '../../src/secret.ts';
import { HMAC } from './clients.ts';

const PATH = '/api/ttp/attachment/get-logs';
const REQUEST_ID = '0d4b1f2e-7a53-4f0b-9c55-3a1c2b9e8f77';
const TIME = Date.UTC(2015, 10, 24, 12, 50, 11);

function authorization(clock: ServerClock, secretKey: Secret = Secret.of(HMAC.secretKey)) {
  const { applicationKey, accessKey, applicationId } = HMAC;
  const keys = { applicationKey: Secret.of(applicationKey), accessKey: Secret.of(accessKey), secretKey };
  return new HmacAuthorization({ type: 'hmac', applicationId, ...keys }, clock);
}

describe('the signature of API 1.0', () => {
  it('is the one that openssl computes', () => {
    // printf '%s' "$text" | openssl dgst -sha1 -mac HMAC -macopt key:hush-secret-key -binary | base64
    const text = `Tue, 24 Nov 2015 12:50:11 UTC:${REQUEST_ID}:${PATH}:hush-application-key`;
    expect(signature(text, HMAC.secretKey)).toBe('3Omyqh/Wa7z/G1BQCGMoboux3K4=');
  });

  it('is over the very date, id and path that are sent', async () => {
    const clock = new ServerClock(
      () => 0,
      () => TIME,
    );
    const { headers } = await authorization(clock).grant(PATH, REQUEST_ID);
    expect(headers).toEqual({
      authorization: 'MC hush-access-key:3Omyqh/Wa7z/G1BQCGMoboux3K4=',
      'x-mc-app-id': HMAC.applicationId,
      'x-mc-date': 'Tue, 24 Nov 2015 12:50:11 UTC',
      'x-mc-req-id': REQUEST_ID,
    });
  });

  it('has English names on every day of the year', () => {
    const form =
      /^(Sun|Mon|Tue|Wed|Thu|Fri|Sat), \d\d (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) 2025 12:50:11 UTC$/;
    for (let day = 0; day < 365; day += 1) {
      expect(signatureDate(Date.UTC(2025, 0, 1 + day, 12, 50, 11))).toMatch(form);
    }
  });
});

describe('after a refusal', () => {
  it('signs again when the answer has shown that our clock is wrong', async () => {
    const clock = new ServerClock(
      () => 0,
      () => TIME,
    );
    const subject = authorization(clock);
    const grant = await subject.grant(PATH, REQUEST_ID);
    expect(subject.refused(grant)).toBe(false);
    clock.observe('Tue, 24 Nov 2015 13:50:11 GMT', 0, 0);
    expect(subject.refused(grant)).toBe(true);
    const again = await subject.grant(PATH, REQUEST_ID);
    expect(again.headers['x-mc-date']).toMatch(/13:50:1[12] UTC$/);
    expect(subject.refused(again)).toBe(false);
  });

  it('reads the key files again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'keys-'));
    const file = join(folder, 'secret-key');
    writeFileSync(file, 'b2xk\n');
    const subject = authorization(new ServerClock(), Secret.fromFile(file));
    const grant = await subject.grant(PATH, REQUEST_ID);
    expect(subject.refused(grant)).toBe(false);
    writeFileSync(file, 'bmV3\n');
    expect(subject.refused(grant)).toBe(true);
    expect(subject.secrets()).toContain('bmV3');
    rmSync(folder, { recursive: true });
  });
});
