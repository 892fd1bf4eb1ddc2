import { spawnSync } from 'node:child_process';
import { existsSync, globSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePorts } from '../ports.ts';
import { type Certificates, type KeyPair, makeCertificates } from './certificates.ts';
import { isListening } from './listening.ts';
import { ReceiverProcess } from './process.ts';

const RSYSLOGD = ['/usr/sbin/rsyslogd', '/usr/local/sbin/rsyslogd'].find((path) => existsSync(path)) ?? 'rsyslogd';

/** True when rsyslog and its GnuTLS driver are installed: see `scripts/install-receivers.sh`. */
export const rsyslogIsInstalled =
  spawnSync(RSYSLOGD, ['-v']).status === 0 && globSync('/usr/lib/*/rsyslog/lmnsd_gtls.so').length > 0;

/** True when its module for RELP is there too. */
export const rsyslogSpeaksRelp = rsyslogIsInstalled && globSync('/usr/lib/*/rsyslog/imrelp.so').length > 0;

/** One event as rsyslog understood it. */
export interface ReceivedByRsyslog {
  readonly version: string;
  /** RFC 3339. */
  readonly time: string;
  readonly host: string;
  readonly app: string;
  readonly msgid: string;
  /** Structured data as it came, or `-`. */
  readonly sd: string;
  readonly msg: string;
  /** The module that took it in: `imudp`, `imptcp`, `imtcp`, `imrelp`. */
  readonly input: string;
}

export interface RsyslogOptions {
  /** Certificates to use; made when absent. */
  readonly certificates?: Certificates;
  /** What the TLS port shows. Default: the server of `certificates`. */
  readonly server?: KeyPair;
  /** Name that a client certificate must have on the TLS port. */
  readonly permittedPeer?: string;
  /**
   * Writes each event to disk before the next bytes are read, instead of from a queue in memory: what was read before the last
   * read then outlives even a `kill9`. One thread for TCP: with more, one could close a connection while another still writes.
   */
  readonly writeThrough?: boolean;
  /** Listens for RELP too. */
  readonly relp?: boolean;
}

export interface Rsyslog {
  readonly udpPort: number;
  /** Octet counting or newlines, told apart by each frame's first character. */
  readonly tcpPort: number;
  /** Newlines only. */
  readonly newlinePort: number;
  /** Wants a client certificate of `permittedPeer`. */
  readonly tlsPort: number;
  /** Nobody listens there but with `relp`. */
  readonly relpPort: number;
  /** As `tlsPort`. */
  readonly relpTlsPort: number;
  /** What a sender needs for `tlsPort` and `relpTlsPort`. */
  readonly tls: { readonly ca: string; readonly cert: string; readonly key: string };
  readonly certificates: Certificates;
  /** Its standard error so far. */
  complaints(): string;
  /** Every event on disk, in the order of arrival. A line that is still being written, or that a `kill9` tore, is left out. */
  lines(): Promise<ReceivedByRsyslog[]>;
  /** Ends it in good order and removes its files. Idempotent. */
  stop(): Promise<void>;
  /** Ends it in good order; its files stay. */
  terminate(): Promise<void>;
  kill9(): Promise<void>;
  /** Stops it where it is; the kernel goes on taking connections and bytes for it. */
  pause(): Promise<void>;
  resume(): void;
  /** Ends it in good order if it runs, and starts it again with the same ports and files. */
  restart(): Promise<void>;
}

/** Starts a real rsyslog on free ports of 127.0.0.1. */
export async function startRsyslog(options: RsyslogOptions = {}): Promise<Rsyslog> {
  const directory = mkdtempSync(join(tmpdir(), 'rsyslog-'));
  const certificates = options.certificates ?? makeCertificates(join(directory, 'tls'));
  const [udpPort = 0, tcpPort = 0, newlinePort = 0, tlsPort = 0, relpPort = 0, relpTlsPort = 0] = await freePorts(6);
  const output = join(directory, 'out.json');
  const config = join(directory, 'rsyslog.conf');
  writeFileSync(
    config,
    configuration({
      udpPort,
      tcpPort,
      newlinePort,
      tlsPort,
      relpPort,
      relpTlsPort,
      directory,
      output,
      certificates,
      options,
    }),
  );
  const process = new ReceiverProcess(RSYSLOGD, ['-n', '-f', config, '-i', join(directory, 'pid')]);
  const relpPorts = options.relp ? [relpPort, relpTlsPort] : [];
  const isUp = async () => isListening({ tcp: [tcpPort, newlinePort, tlsPort, ...relpPorts], udp: [udpPort] });
  const start = () => process.start(isUp);
  await start();
  return {
    udpPort,
    tcpPort,
    newlinePort,
    tlsPort,
    relpPort,
    relpTlsPort,
    tls: { ca: certificates.ca, ...certificates.client },
    certificates,
    complaints: () => process.complaints,
    lines: async () => wholeLines(output).flatMap(parse),
    async stop() {
      process.resume();
      await process.end('SIGTERM');
      rmSync(directory, { recursive: true, force: true });
    },
    terminate: () => process.end('SIGTERM'),
    kill9: () => process.end('SIGKILL'),
    pause: () => process.pause(),
    resume: () => process.resume(),
    async restart() {
      await process.end('SIGTERM');
      await start();
    },
  };
}

function wholeLines(file: string): string[] {
  if (!existsSync(file)) return [];
  return readFileSync(file, 'utf8').split('\n').slice(0, -1);
}

/** Nothing for the line that a `kill9` tore and the next start went on with. */
function parse(line: string): ReceivedByRsyslog[] {
  try {
    return [JSON.parse(line)];
  } catch {
    return [];
  }
}

function configuration(about: {
  readonly udpPort: number;
  readonly tcpPort: number;
  readonly newlinePort: number;
  readonly tlsPort: number;
  readonly relpPort: number;
  readonly relpTlsPort: number;
  readonly directory: string;
  readonly output: string;
  readonly certificates: Certificates;
  readonly options: RsyslogOptions;
}): string {
  const server = about.options.server ?? about.certificates.server;
  const permittedPeer = about.options.permittedPeer ?? 'sender.lab';
  return `
global(workDirectory="${about.directory}" maxMessageSize="64k" parser.escapeControlCharactersOnReceive="off" net.enableDNS="off"
       DefaultNetstreamDriver="gtls" DefaultNetstreamDriverCAFile="${about.certificates.ca}"
       DefaultNetstreamDriverCertFile="${server.cert}" DefaultNetstreamDriverKeyFile="${server.key}")
${about.options.writeThrough ? 'main_queue(queue.type="Direct")' : ''}
module(load="imudp")
module(load="imptcp"${about.options.writeThrough ? ' threads="1" processOnPoller="off"' : ''})
module(load="imtcp" StreamDriver.Name="gtls" StreamDriver.Mode="1" StreamDriver.AuthMode="x509/name"
       PermittedPeer=["${permittedPeer}"])
${about.options.relp ? 'module(load="imrelp" tls.tlslib="openssl")' : ''}
template(name="event" type="list" option.jsonf="on") {
  property(outname="version" name="protocol-version" format="jsonf")
  property(outname="time" name="timereported" dateFormat="rfc3339" format="jsonf")
  property(outname="host" name="hostname" format="jsonf")
  property(outname="app" name="app-name" format="jsonf")
  property(outname="msgid" name="msgid" format="jsonf")
  property(outname="sd" name="structured-data" format="jsonf")
  property(outname="msg" name="msg" format="jsonf")
  property(outname="input" name="inputname" format="jsonf")
}
ruleset(name="keep") { action(type="omfile" file="${about.output}" template="event") }
input(type="imudp" address="127.0.0.1" port="${about.udpPort}" ruleset="keep" rcvbufSize="4m")
input(type="imptcp" address="127.0.0.1" port="${about.tcpPort}" ruleset="keep")
input(type="imptcp" address="127.0.0.1" port="${about.newlinePort}" ruleset="keep" supportOctetCountedFraming="off")
input(type="imtcp" address="127.0.0.1" port="${about.tlsPort}" ruleset="keep")
${
  about.options.relp
    ? `input(type="imrelp" address="127.0.0.1" port="${about.relpPort}" ruleset="keep")
input(type="imrelp" address="127.0.0.1" port="${about.relpTlsPort}" ruleset="keep" tls="on" tls.caCert="${about.certificates.ca}"
      tls.myCert="${server.cert}" tls.myPrivKey="${server.key}" tls.authMode="name" tls.permittedPeer=["${permittedPeer}"])`
    : ''
}
`;
}
