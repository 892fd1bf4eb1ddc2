import { platform } from 'node:os';
import type { Config } from './config.ts';
import type { Finding } from './document.ts';
import { outputWarnings } from './output-warnings.ts';
import type { Prepared } from './prepare.ts';

export interface WarningInput {
  readonly config: Config;
  readonly prepared: Prepared;
  /** `st_mode` of the config file. */
  readonly mode: number;
}

const READABLE_BY_OTHERS = 0o004;

/** What works, but should not stay so. */
export function warningsOf({ config, prepared, mode }: WarningInput): Finding[] {
  const findings: Finding[] = [];
  if (config.mimecast.auth.type === 'hmac') {
    findings.push({
      path: ['mimecast', 'auth', 'type'],
      message: 'API 1.0 is being retired by Mimecast; move to an API 2.0 application with `type: oauth2`',
    });
  }
  // Windows has access lists instead; its mode bits say that everybody may read.
  if (platform() !== 'win32' && (mode & READABLE_BY_OTHERS) !== 0) {
    // Only a simulator on this machine is spoken to without TLS, and its made-up credentials open nothing else.
    const isSimulated = config.mimecast.baseUrl.startsWith('http:');
    for (const path of prepared.literalSecrets) {
      if (isSimulated && path[0] === 'mimecast') continue;
      findings.push({
        path,
        message: `a secret stands in a file that everybody on this machine can read; chmod 640 it, or use ${String(path.at(-1))}File or the environment`,
      });
    }
  }
  return [...findings, ...config.outputs.flatMap(outputWarnings)];
}
