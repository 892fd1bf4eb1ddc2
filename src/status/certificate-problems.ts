import { endingCertificates, judgedAt } from './condition.ts';
import { CHECK_ONLINE, type Finding } from './finding.ts';
import type { HeldCertificate, Snapshot } from './snapshot.ts';
import { dateTime, duration } from './words.ts';

const DAY = 24 * 3_600_000;

/**
 * Certificates that end soon. Never worse than a warning: once one has ended and is looked at, the connection fails, which is told by
 * itself, and where nobody looks at it nothing fails.
 */
export function certificatesThatEnd(snapshot: Snapshot): Finding[] {
  const at = judgedAt(snapshot);
  return endingCertificates(snapshot).map((certificate) => {
    const what = `${subjectOf(certificate)} ${endWords(certificate.notAfter - at)}`;
    return {
      headline: `${what}.`,
      problem: {
        severity: 'warn',
        what,
        detail: `good until ${dateTime(certificate.notAfter)}`,
        since: null,
        sinceDetail: null,
        do: cureOf(certificate),
      },
      about: null,
    };
  });
}

/** `ends in 9 d`, `ends in 7 h 12 min`, `has ended` */
function endWords(left: number): string {
  if (left <= 0) return 'has ended';
  return `ends in ${left >= DAY ? `${Math.floor(left / DAY)} d` : duration(left)}`;
}

function subjectOf({ output, certificate }: HeldCertificate): string {
  if (output === null) return certificate === 'ca' ? 'An authority in mimecast.caFile' : 'The certificate of Mimecast';
  switch (certificate) {
    case 'receiver':
      return `Output ${output}'s receiver certificate`;
    case 'client':
      return `The client certificate of output ${output}`;
    case 'ca':
      return `An authority in tls.caFile of output ${output}`;
  }
}

function cureOf({ output, certificate }: HeldCertificate): { readonly sentence: string; readonly command: string } {
  return { sentence: `${cureWords(output, certificate)} To try it:`, command: CHECK_ONLINE };
}

function cureWords(output: HeldCertificate['output'], certificate: HeldCertificate['certificate']): string {
  if (output === null) {
    return certificate === 'ca'
      ? 'Put the new authority beside it into the file, and reload (SIGHUP): it is not read again by itself.'
      : 'Mimecast renews its own; behind a proxy that inspects TLS it is the proxy that shows it: tell its owner.';
  }
  switch (certificate) {
    case 'receiver':
      return 'Have it renewed at the receiver; a new tls.fingerprint, where one is set, and a new authority belong into the config.';
    case 'client':
      return 'Renew it where tls.certFile and tls.keyFile are: they are read again by themselves.';
    case 'ca':
      return 'Put the new authority beside it into the file, which is read again by itself, and take out what nothing rests on.';
  }
}
