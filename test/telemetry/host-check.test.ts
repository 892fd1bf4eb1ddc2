import { describe, expect, it } from 'vitest';
import { isKnownHost } from '../../src/telemetry/host-check.ts';

const ALLOWED = ['relay01.corp.example', '*.monitoring.example', '0.0.0.0'];

describe('a host name that requests may go by', () => {
  it.each<[string | undefined, string]>([
    [undefined, 'HTTP/1.0 without the header'],
    ['127.0.0.1:9464', 'the machine itself'],
    ['[::1]:9464', 'the same'],
    ['10.42.7.19:9464', 'Prometheus and the kubelet ask a pod by its address'],
    ['[fd00:10:244::7]:9464', 'the same'],
    ['localhost:9464', 'a browser, an SSH tunnel'],
    ['status.localhost', 'RFC 6761'],
    ['forwarder:9464', 'a service of docker compose'],
    ['mimecast-forwarder.siem.svc:9464', 'a Kubernetes service'],
    ['mimecast-forwarder.siem.svc.cluster.local:9464', 'the same'],
    ['Mimecast-Forwarder.siem.svc.cluster.local.:9464', 'with the dot of the root'],
    ['host.docker.internal:9464', "a container, by Docker's name of the host"],
    ['RELAY01.corp.example:9464', 'what the operator allowed'],
    ['a.b.monitoring.example', 'what is below'],
  ])('%s: %s', (header) => {
    expect(isKnownHost(header, ALLOWED)).toBe(true);
  });

  it.each([
    ['evil.example:9464', 'a rebound name'],
    ['relay01.corp.example.evil.example', 'a name that begins like an allowed one'],
    ['evilrelay01.corp.example', 'one that ends like it'],
    ['notmonitoring.example', 'one that ends like a pattern'],
    ['monitoring.example', 'the name above a pattern'],
    ['127.0.0.1.evil.example', 'one that looks like an address'],
    ['localhost.evil.example', 'one that looks like localhost'],
    ['svc.cluster.local.evil.example', 'one that looks like a service'],
    ['rebind.local', 'mDNS: any machine in the room may take one'],
    ['', 'nothing'],
    ['localhost:9464, evil.example', 'two'],
    ['user@localhost', 'with a user'],
    ['[evil.example]:9464', 'a name in the place of an address'],
    ['[127.0.0.1', 'half an address'],
    ['localhost/../', 'a path'],
    ['localhost\\@evil.example', 'what parsers disagree on'],
    ['.', 'a dot'],
  ])('not %j: %s', (header) => {
    expect(isKnownHost(header, ALLOWED)).toBe(false);
  });
});
