/**
 * The URL of an API from the address of its server: `path` is added, unless the address ends with it already. Both forms are in
 * use in the documentation of receivers. A query stays where it is.
 */
export function endpointOf(base: string, path: string): string {
  const url = new URL(base);
  const given = url.pathname.replace(/\/+$/, '');
  url.pathname = given.endsWith(path) ? given : `${given}${path}`;
  return url.href;
}
