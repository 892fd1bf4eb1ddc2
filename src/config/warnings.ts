import { platform } from 'node:os';
import { Secret } from '../secret.ts';
import type { Config, OutputConfig } from './config.ts';
import type { Finding } from './document.ts';
import type { Prepared } from './prepare.ts';
import { isLoopback } from './scalars.ts';
import { isMap } from './traverse.ts';

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
    for (const path of prepared.literalSecrets) {
      findings.push({
        path,
        message: `a secret stands in a file that everybody on this machine can read; chmod 640 it, or use ${String(path.at(-1))}File or the environment`,
      });
    }
  }
  if (config.http !== false && config.http.token === undefined && !isLoopback(config.http.listen.host)) {
    findings.push({
      path: ['http', 'listen'],
      message: `${config.http.listen.host} can be reached from other machines, and no token guards status and metrics; set http.token`,
    });
  }
  config.outputs.forEach((output, index) => {
    for (const key of clearTextUrls(output)) {
      findings.push({
        path: ['outputs', index, key],
        message:
          'http carries the credentials of this output and the mail data in clear text; use https, unless what lies between encrypts',
      });
    }
  });
  return findings;
}

/**
 * Options that hold an http URL of another machine, in an output that has secrets. It is not refused: behind the sidecar of a service
 * mesh, http is what one writes and TLS is what goes over the wire.
 */
function clearTextUrls({ options }: OutputConfig): string[] {
  // The proxy's own password is for the proxy.
  const { proxy: _proxy, ...sent } = options;
  if (!holdsSecret(sent)) return [];
  return Object.entries(sent).flatMap(([key, value]) => (isClearTextUrl(value) ? [key] : []));
}

function holdsSecret(value: unknown): boolean {
  return value instanceof Secret || (isMap(value) && Object.values(value).some(holdsSecret));
}

function isClearTextUrl(value: unknown): boolean {
  const url = typeof value === 'string' ? URL.parse(value) : null;
  return url?.protocol === 'http:' && !isLoopback(url.hostname.replace(/^\[|\]$/g, ''));
}
