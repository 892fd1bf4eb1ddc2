import type { MimecastClient } from '../mimecast/client.ts';
import type { HeldCertificate } from '../status/snapshot.ts';
import type { RunningOutput } from './outputs.ts';

/** How long the certificates are good that Mimecast and the outputs are reached with. Reads files that have changed. */
export function certificatesOf(parts: {
  readonly client: Pick<MimecastClient, 'certificates'>;
  readonly outputs: readonly RunningOutput[];
}): HeldCertificate[] {
  return [
    ...parts.client.certificates().map((one) => ({ output: null, ...one })),
    ...parts.outputs.flatMap(({ config, dispatcher }) => {
      return (dispatcher.output.certificates?.() ?? []).map((one) => ({ output: config.name, ...one }));
    }),
  ];
}
