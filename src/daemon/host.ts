import type { Writable } from 'node:stream';

/** What the daemon knows of the machine and process it runs in. */
export interface Host {
  readonly pid: number;
  readonly hostname: string;
  /** Version of the program. */
  readonly version: string;
  /** `v24.1.0`. */
  readonly node: string;
  /** Where the `stdout` output writes. */
  readonly stdout: Writable;
  /** ms since 1970. */
  readonly now: () => number;
}

/** How the program names itself to other systems. */
export function userAgentOf(host: Host): string {
  return `mimecast-forwarder/${host.version}`;
}
