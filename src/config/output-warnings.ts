import { Secret } from '../secret.ts';
import { isLoopback } from '../telemetry/listen.ts';
import type { OutputConfig } from './config.ts';
import type { Finding } from './document.ts';
import { isMap } from './traverse.ts';

/** What works in an output, but should not stay so. `index` is its place in the list. */
export function outputWarnings(output: OutputConfig, index: number): Finding[] {
  const path = ['outputs', index];
  return [
    ...clearTextUrls(output).map((key) => ({
      path: [...path, key],
      message:
        'http carries the credentials of this output and the mail data in clear text; use https, unless what lies between encrypts',
    })),
    ...clearTextLogins(output).map((key) => ({
      path: [...path, key],
      message:
        'without tls this login and the mail data cross the network unencrypted; set tls, unless what lies between encrypts',
    })),
    ...(losesIds(output)
      ? [
          {
            path: [...path, 'format'],
            message:
              'events have no id in this format, and this output has no other place for one: duplicates cannot be recognised there; use json, unless a parser needs the record as it is',
          },
        ]
      : []),
  ];
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

/** The URL of some receivers (Sumo Logic) is their secret. A password that begins with `http://` is nobody's. */
function isClearTextUrl(value: unknown): boolean {
  const text = value instanceof Secret ? value.read() : value;
  const url = typeof text === 'string' && /^http:\/\//i.test(text) ? URL.parse(text) : null;
  return url !== null && !isLoopback(url.hostname.replace(/^\[|\]$/g, ''));
}

/** Options whose credentials another machine gets without TLS. */
function clearTextLogins({ type, options }: OutputConfig): string[] {
  const login = type.clearText?.(options);
  return login?.hosts.some((host) => !isLoopback(host)) ? [login.option] : [];
}

function losesIds({ type, options, format }: OutputConfig): boolean {
  return format.type.create(format.options).carriesId === false && type.carriesId?.(options) !== true;
}
