import type { Envelope } from './envelope.ts';
import { rfc3164 } from './rfc3164.ts';
import { rfc5424 } from './rfc5424.ts';

export { headerName } from './envelope.ts';

/** Every syslog header that can be configured, by its name. */
export const envelopes = {
  rfc5424,
  rfc3164,
} as const satisfies Readonly<Record<string, Envelope>>;
