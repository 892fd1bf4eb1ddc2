import { describe, expect, it } from 'vitest';
import { assess } from '../../src/status/assess.ts';
import { readiness } from '../../src/status/readiness.ts';
import type { HeldCertificate } from '../../src/status/snapshot.ts';
import { DAY, HOUR, NOW, snapshot } from './snapshots.ts';

/** A certificate that is good for 90 days, and has so much of it left. */
function held(left: number, more: Partial<HeldCertificate> = {}): HeldCertificate {
  const notAfter = NOW + left;
  return { output: 'qradar', certificate: 'receiver', notBefore: notAfter - 90 * DAY, notAfter, ...more };
}

function told(...certificates: readonly HeldCertificate[]): string[] {
  return assess(snapshot({ certificates })).problems.map(({ what }) => what);
}

describe('a certificate', () => {
  it.each([
    [held(9 * DAY + HOUR), "Output qradar's receiver certificate ends in 9 d", /at the receiver/],
    [held(9 * DAY, { certificate: 'client' }), 'The client certificate of output qradar ends in 9 d', /tls\.certFile/],
    [held(9 * DAY, { certificate: 'ca' }), 'An authority in tls.caFile of output qradar ends in 9 d', /beside it/],
    [held(9 * DAY, { output: null }), 'The certificate of Mimecast ends in 9 d', /proxy/],
    [held(9 * DAY, { output: null, certificate: 'ca' }), 'An authority in mimecast.caFile ends in 9 d', /SIGHUP/],
    [held(7.2 * HOUR), "Output qradar's receiver certificate ends in 7 h 12 min", /at the receiver/],
    [held(-HOUR), "Output qradar's receiver certificate has ended", /at the receiver/],
  ])('%#: is named, with its end and the cure', (certificate, what, cure) => {
    const report = assess(snapshot({ certificates: [certificate] }));
    expect(report).toMatchObject({ verdict: 'warn', headline: `${what}.` });
    expect(report.problems).toMatchObject([{ severity: 'warn', what, since: null }]);
    expect(report.problems[0]?.detail).toMatch(/^good until \d+ \w{3} 2026 \d\d:\d\d:\d\d UTC$/);
    expect(report.problems[0]?.do.sentence).toMatch(cure);
  });

  it('is told of from fourteen days before its end', () => {
    expect(told(held(14 * DAY))).toEqual([]);
    expect(told(held(14 * DAY - 1))).toHaveLength(1);
  });

  it('of a short life is told of in the last sixth of it', () => {
    const life = (left: number) => held(left, { notBefore: NOW + left - DAY });
    expect(told(life(4 * HOUR))).toEqual([]);
    expect(told(life(4 * HOUR - 1))).toHaveLength(1);
  });

  it('that ends before others stands before them', () => {
    expect(told(held(9 * DAY), held(2 * DAY, { certificate: 'client' }))).toEqual([
      'The client certificate of output qradar ends in 2 d',
      "Output qradar's receiver certificate ends in 9 d",
    ]);
  });

  it('keeps nothing from being ready, and is noted there', () => {
    const given = snapshot({ certificates: [held(9 * DAY), held(9 * DAY, { output: null })] });
    expect(readiness(given)).toMatchObject({
      ready: true,
      notes: [{ note: 'certificate_ends', output: 'qradar' }, { note: 'certificate_ends' }],
    });
  });

  it('is not known to the note of an older version', () => {
    const { certificates: _, ...older } = snapshot({ certificates: [] });
    expect(assess(older).problems).toEqual([]);
    expect(readiness(older).notes).toEqual([]);
  });
});
