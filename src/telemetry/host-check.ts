import { isIP } from 'node:net';

/**
 * Whether a request may go by the name in its `Host` header.
 *
 * The attack is DNS rebinding: a page from `http://evil.example:9464` lets its name point to 127.0.0.1 once it is loaded. For the browser
 * everything then comes from the page's own origin, and the page reads our status. It can choose the address, but not
 * the header: that keeps the name which the attacker owns. So names that nobody can own in the public DNS are let in, and others only when
 * the operator has named them:
 *
 * - an IP address is no name at all. Prometheus and the kubelet ask a pod by its address;
 * - a name without a dot is local: localhost, a container's, a machine's short one;
 * - `.localhost` (RFC 6761), `.svc` and `.svc.cluster.local` (a Kubernetes service), `.internal` (reserved by ICANN for private use,
 *   and what Docker and Podman call their host).
 *
 * No header at all, which HTTP/1.0 allows, is let in: every browser sends one.
 */
export function isKnownHost(header: string | undefined, allowed: readonly string[]): boolean {
  if (header === undefined) return true;
  const name = nameOf(header);
  if (name === undefined) return false;
  return isIP(name) !== 0 || !name.includes('.') || [...PRIVATE, ...allowed].some((pattern) => fits(name, pattern));
}

const PRIVATE = ['*.localhost', '*.svc', '*.svc.cluster.local', '*.internal'];

/** A host name, or `*.` and the end of one; in any case of letters. */
export const HOST_PATTERN = /^(\*\.)?[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$/;

/** The name of `name`, `name:port` or `[address]:port`, in lower case and without the root's dot; undefined for anything else. */
function nameOf(header: string): string | undefined {
  const [, address, name] = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9_.-]+))(?::\d{1,5})?$/i.exec(header) ?? [];
  if (address !== undefined) return isIP(address) === 6 ? address : undefined;
  return name?.toLowerCase().replace(/\.$/, '') || undefined;
}

function fits(name: string, pattern: string): boolean {
  const wanted = pattern.toLowerCase();
  return wanted.startsWith('*.') ? name.endsWith(wanted.slice(1)) : name === wanted;
}
