import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePorts } from '../ports.ts';
import { type Certificates, makeCertificates } from './certificates.ts';
import { isListening } from './listening.ts';
import { ReceiverProcess } from './process.ts';

/** Where `scripts/install-receivers.sh` puts it: Debian does not let it be installed beside rsyslog. */
const LAUNCHER = fileURLToPath(new URL('../../.cache/syslog-ng/syslog-ng', import.meta.url));

export const syslogNgIsInstalled = spawnSync(LAUNCHER, ['--version']).status === 0;

/**
 * One event as syslog-ng understood it: names and values, structured data parsed and unescaped as
 * `_SDATA.<sd-id>.<param>` nested objects.
 */
export type ReceivedBySyslogNg = Readonly<Record<string, unknown>>;

export interface SyslogNg {
  readonly udpPort: number;
  /** RFC 6587 octet counting only: another frame closes the connection. */
  readonly tcpPort: number;
  readonly newlinePort: number;
  /** RFC 5425; wants a client certificate of the authority. */
  readonly tlsPort: number;
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  readonly certificates: Certificates;
  complaints(): string;
  lines(): Promise<ReceivedBySyslogNg[]>;
  stop(): Promise<void>;
}

/** Starts a real syslog-ng on free ports of 127.0.0.1. */
export async function startSyslogNg({ certificates }: { certificates?: Certificates } = {}): Promise<SyslogNg> {
  const directory = mkdtempSync(join(tmpdir(), 'syslog-ng-'));
  const pki = certificates ?? makeCertificates(join(directory, 'tls'));
  const [udpPort, tcpPort, newlinePort, tlsPort] = (await freePorts(4)) as [number, number, number, number];
  const output = join(directory, 'out.json');
  const config = join(directory, 'syslog-ng.conf');
  writeFileSync(
    config,
    `@version: 3.35
options { keep-hostname(yes); use-dns(no); chain-hostnames(no); log-msg-size(65536); stats-freq(0); };
source udp { network(ip("127.0.0.1") transport("udp") port(${udpPort}) flags(syslog-protocol)); };
source counted { syslog(ip("127.0.0.1") transport("tcp") port(${tcpPort})); };
source lines { network(ip("127.0.0.1") transport("tcp") port(${newlinePort}) flags(syslog-protocol)); };
source secure { syslog(ip("127.0.0.1") transport("tls") port(${tlsPort})
  tls(cert-file("${pki.server.cert}") key-file("${pki.server.key}") ca-file("${pki.ca}") peer-verify(required-trusted))); };
destination file { file("${output}" template("$(format-json --scope everything)\\n")); };
log { source(udp); source(counted); source(lines); source(secure); destination(file); };
`,
  );
  const own = (name: string) => join(directory, name);
  const files = ['-f', config, '-R', own('persist'), '-p', own('pid'), '-c', own('control')];
  const process = new ReceiverProcess(LAUNCHER, ['-F', '--no-caps', '-e', ...files]);
  await process.start(async () => isListening({ tcp: [tcpPort, newlinePort, tlsPort], udp: [udpPort] }));
  return {
    udpPort,
    tcpPort,
    newlinePort,
    tlsPort,
    tls: { ca: pki.ca, ...pki.client },
    certificates: pki,
    complaints: () => process.complaints,
    lines: async () =>
      (existsSync(output) ? readFileSync(output, 'utf8') : '')
        .split('\n')
        .slice(0, -1)
        .map((line) => JSON.parse(line) as ReceivedBySyslogNg),
    async stop() {
      await process.end('SIGTERM');
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
